"""What the run_*.py have in common: cases with names, each of which passes unless it raises."""
import fnmatch
import traceback


def named(cases, pattern):
    """Of cases by name those whose names match."""
    return {name: case for name, case in cases.items() if fnmatch.fnmatchcase(name, pattern)}


def report(checks):
    """Calls the checks, by name; says which fail and why, and how many. Returns the exit code: one failed, or there are none."""
    failed = 0
    for name, check in checks.items():
        try:
            check()
        except Exception:
            failed += 1
            print(f"FAILED {name}:\n{traceback.format_exc()}", flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return int(failed > 0 or not checks)
