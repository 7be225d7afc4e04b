"""What the run_*.py have in common: cases with names, each of which passes unless it raises."""
import argparse
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


def main(description, example, checks_of):
    """The command of a script: checks_of(path of ds-ptx-run) gives its checks, of which --only takes some."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ds_ptx_run", help="the runner")
    parser.add_argument("--only", default="*", help=f"names to run, as printed where one fails: {example}")
    options = parser.parse_args()
    return report(named(checks_of(options.ds_ptx_run), options.only))
