"""Holds docs/walkthrough.md true: runs its commands and looks for its IR in what they print.

usage: check_walkthrough.py DOCUMENT MODEL DS-OPT      in an empty folder; the other tools are beside ds-opt

A fenced block that starts with `$ command` is the command and what it prints. Lines stand as printed, but for the indentation; a line `…` leaves lines
out, `…` within a line leaves text out, and %names may have other numbers in the real output, if they have them throughout the function.

When it fails, the compiler has changed: run the command that it names in its folder, put what it prints now into the document, and read
whether the text around it is still true.
"""
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys

NAME = re.compile(r"%[\w$.-]+")


def blocks(text):
    """(line number, command, lines) of each block that starts with a command."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        if not lines[at].startswith("```"):
            at += 1
            continue
        end = at + 1
        while lines[end] != "```":
            end += 1
        body = lines[at + 1:end]
        if body and body[0].startswith("$ "):
            commands = [line[2:] for line in body if line.startswith("$ ")]
            yield at + 2, commands, [line for line in body[len(commands):] if line.strip()]
        at = end + 1


def pattern(line):
    """A regular expression with a group for each %name, and those names."""
    names, parts, last = [], [], 0
    for found in NAME.finditer(line):
        parts.append(line[last:found.start()])
        names.append(found.group())
        last = found.end()
    parts.append(line[last:])
    text = r"(%[\w$.-]+)".join(re.escape(part).replace("…", ".*?") for part in parts)
    return re.compile(text + "$"), names


def bind(names, values, bound):
    """`bound` and the new pairs, or None where a name would mean two values or two names one value."""
    bound = dict(bound)
    for name, value in zip(names, values):
        if bound.setdefault(name, value) != value:
            return None
    return bound if len(set(bound.values())) == len(bound) else None


def match(wanted, real):
    """None, or the number of the first wanted line that nothing fits."""
    compiled = [None if line.strip() == "…" else pattern(line.strip()) for line in wanted]
    furthest = 0

    def search(i, at, anywhere, bound):
        nonlocal furthest
        furthest = max(furthest, i)
        if i == len(compiled):
            return True
        if compiled[i] is None:
            return search(i + 1, at, True, bound)
        regex, names = compiled[i]
        for j in range(at, len(real) if anywhere else min(at + 1, len(real))):
            found = regex.match(real[j])
            # Every function numbers its own values.
            now = found and bind(names, found.groups(), {} if "func.func" in real[j] else bound)
            if now is not None and search(i + 1, j + 1, False, now):
                return True
        return False

    return None if search(0, 0, True, {}) else furthest


def main():
    document, model, tool = map(pathlib.Path, sys.argv[1:])
    os.environ["PATH"] = f"{tool.parent}:{os.environ['PATH']}"
    shutil.copy(model, model.name)
    count = failures = 0
    for line, commands, wanted in blocks(document.read_text()):
        count += 1
        command = "\n".join(commands)
        done = subprocess.run(["bash", "-o", "pipefail", "-e", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        real = [text.strip() for text in done.stdout.splitlines() if text.strip()]
        missing = match(wanted, real)
        if done.returncode == 0 and missing is None:
            continue
        failures += 1
        print(f"{document}:{line}: $ {command}", f"exit code {done.returncode}", sep="\n")
        if missing is not None:
            text = wanted[min(missing, len(wanted) - 1)].strip()
            print("  the document has: " + text)
            for near in difflib.get_close_matches(text, set(real), 3, 0.3) or real[:3]:
                print("  it printed:       " + near)
    if failures or not count:
        print(f"{failures} of {count} blocks are not what the compiler prints. To mend: run the command as the document's start says,\n"
              "replace the block, and read whether the text around it still holds.")
        sys.exit(1)
    print(f"{count} blocks hold")


if __name__ == "__main__":
    main()
