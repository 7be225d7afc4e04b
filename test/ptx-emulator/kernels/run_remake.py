"""Compares the PTX of the kernels with what remake.sh makes of their sources, and has ptxas assemble it.

usage: run_remake.py

Needs nvcc, mlir-opt and ptxas on the path: what one that is missing would do is skipped, and so is what another version than the one that made the PTX
would do. Ends with "N passed, N failed, N skipped".
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# How each tool calls itself, in the PTX that it made too.
VERSION = re.compile(r"^.*?(Cuda compilation tools, .*|LLVM version .*)$", re.MULTILINE)


class Skipped(Exception):
    pass


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")
    return done.returncode, done.stdout


def needed(tool):
    if not shutil.which(tool):
        raise Skipped(f"no {tool}")
    return tool


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def version(text, of):
    found = VERSION.search(text)
    if not found:
        raise ValueError(f"{of} does not say its version")
    return found[1]


def statements(text):
    """The lines but for comments at their beginning."""
    return [line for line in text.splitlines() if not line.startswith("//")]


def remade(source, folder):
    """What is wrong with the PTX beside a source."""
    stem, ending = os.path.splitext(source)
    committed = read(os.path.join(HERE, stem + ".ptx"))
    tool = needed("nvcc" if ending == ".cu" else "mlir-opt")
    here, there = version(output(tool, "--version")[1], tool), version(committed, stem + ".ptx")
    if here != there:
        raise Skipped(f"made by {there}, not {here}")
    code, text = output(os.path.join(HERE, "remake.sh"), folder, source)
    if code:
        return text
    now, then = statements(read(os.path.join(folder, stem + ".ptx"))), statements(committed)
    if now == then:
        return None
    at = next((i for i, (a, b) in enumerate(zip(now, then)) if a != b), min(len(now), len(then)))
    return f"remake.sh makes other PTX; first difference: {(now + ['the end'])[at].strip()!r} instead of {(then + ['the end'])[at].strip()!r}"


def assembled(ptx, folder):
    """What ptxas says of a file, of which it should say nothing."""
    target = re.search(r"^\.target (\w+)", read(os.path.join(HERE, ptx)), re.MULTILINE)[1]
    code, text = output(needed("ptxas"), f"-arch={target}", "-o", os.path.join(folder, "out.cubin"), os.path.join(HERE, ptx))
    if code and "Unsupported .version" in text:
        raise Skipped("ptxas is older than the PTX")
    return text if code or text.strip() else None


def main():
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    files = sorted(os.listdir(HERE))
    sources = [each for each in files if each.endswith((".cu", ".mlir"))]
    written = [each for each in files if each.endswith(".ptx")]
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, check in [(each, remade) for each in sources] + [(each, assembled) for each in written]:
            try:
                wrong = check(name, folder)
            except Skipped as reason:
                skipped += 1
                print(f"{name}: skipped: {reason}")
                continue
            passed, failed = passed + (wrong is None), failed + (wrong is not None)
            if wrong is not None:
                print(f"{name}: {wrong}")
        lonely = {os.path.splitext(each)[0] for each in sources} ^ {os.path.splitext(each)[0] for each in written}
        for stem in sorted(lonely):
            failed += 1
            print(f"{stem}: a source without PTX, or PTX without a source")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
