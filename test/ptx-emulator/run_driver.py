"""The same command with and without --driver: the same bits.

usage: run_driver.py DS_PTX_RUN LIBRARY FILE...

Takes the lines "RUN: ds-ptx-run %s ..." of each FILE up to their pipe, runs each with and without "--driver LIBRARY" and compares what they print. LIBRARY is
libds_cuda_emulator.so, or libcuda.so.1 where there is a GPU. Elements that nobody wrote (?) may be anything on a driver. Lines with "not" are left to the
emulator: a GPU reports no such faults; the first line of its report is the same. Ends with "N passed, N failed".
"""
import re
import shlex
import subprocess
import sys


def commands(path):
    for line in open(path, encoding="utf-8"):
        if found := re.match(r"// RUN: (not )?ds-ptx-run (.*?)(2>&1 *)?(\||$)", line.strip()):
            words = [word.replace("%s", path) for word in shlex.split(found[2])]
            if path in words and "--check" not in words and not any("%" in word for word in words):
                yield words, bool(found[1])


def differs(run, library, words, fails):
    plain = subprocess.run([run, *words], capture_output=True, text=True)
    driver = subprocess.run([run, *words, "--driver", library], capture_output=True, text=True)
    if fails:
        # What a kernel did, or what is wrong with the launch.
        first, second = (next(iter(each.stderr.splitlines()), "") for each in (plain, driver))
        if plain.returncode != 1 or driver.returncode != 1:
            return f"exit codes {plain.returncode} and {driver.returncode}"
        return "" if not first.startswith("DS-EMU") or first == second else f"{first!r} and {second!r}"
    if plain.returncode or driver.returncode:
        return f"exit codes {plain.returncode} and {driver.returncode}: {driver.stderr}"
    expected, got = plain.stdout.split(), driver.stdout.split()
    if len(expected) != len(got) or any(a != b for a, b in zip(expected, got) if a != "?"):
        return f"\n{plain.stdout}and\n{driver.stdout}"
    return ""


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    run, library, *paths = sys.argv[1:]
    passed = failed = 0
    for path in paths:
        for words, fails in commands(path):
            if fails and "emulator" not in library:
                continue
            what = differs(run, library, words, fails)
            passed, failed = passed + (not what), failed + bool(what)
            if what:
                print(f"{shlex.join(words)}: {what}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
