"""Micro-tests of the PTX emulator: scalar instructions, loads, stores, atomics and what lanes do together, bit for bit, against an oracle in Python integers
(oracle/).

Each entry of the oracle's tables is one kernel: its lanes load a row of inputs, execute the instruction and store its results. The rows are corner
values with corner values, then random ones. Kernels are written in modules of 50, which ptxas has to take as well where it is installed.

  run_micro.py build/release/bin/ds-ptx-run                               all of them
  run_micro.py build/release/bin/ds-ptx-run --only 'cvt*.f16.*'           those whose names match
  run_micro.py build/release/bin/ds-ptx-run --only 'bfe.s32' --emit DIR   keep the modules and the inputs, to repeat a failure by hand

--driver runs them on the driver of a library instead: libcuda.so.1 of a GPU, or libds_cuda_emulator.so. --record writes the hash of each entry's results to
a file; --compare says which are other ones than those of a file, as what a GPU recorded: approximate functions may differ, all else must not.

Ends with "N passed, M failed"; exit code 1 if one failed.
"""
import argparse
import fnmatch
import hashlib
import json
import multiprocessing
import os
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "oracle"))
import table_comparisons  # noqa: E402
import table_conversions  # noqa: E402
import table_floats  # noqa: E402
import table_integers  # noqa: E402
import table_memory  # noqa: E402
import table_warps  # noqa: E402
from entries import WIDTHS  # noqa: E402

PER_MODULE = 50
BLOCK = 128
TABLES = (table_integers, table_floats, table_comparisons, table_conversions, table_memory, table_warps)
CODES = {8: "B", 16: "H", 32: "I", 64: "Q"}


class Layout:
    """A row in memory: the fields in order, each aligned to its size, and so is the row."""

    def __init__(self, kinds):
        self.offsets, text, end = [], "<", 0
        for kind in kinds:
            size = WIDTHS[kind] // 8
            start = -(-end // size) * size
            text += f"{start - end}x{CODES[8 * size]}"
            self.offsets.append(start)
            end = start + size
        size = max(WIDTHS[kind] // 8 for kind in kinds)
        self.stride = -(-end // size) * size
        self.row = struct.Struct(f"{text}{self.stride - end}x")


def kernel(entry, name):
    """The text of an entry's kernel: i = ctaid.x * ntid.x + tid.x; where i < n, a row in and a row out."""
    into, out = Layout(entry.ins), Layout(entry.outs)
    lines = [f"// {entry.name}", entry.before.replace("$", name), f".visible .entry {name}(.param .u64 results, .param .u64 operands, .param .u32 rows)", "{",
             "  .reg .pred %beyond;", "  .reg .b16 %byte;", "  .reg .b32 %i, %n, %t;", "  .reg .b64 %in, %out;"]
    for prefix, kinds in (("d", entry.outs), ("a", entry.ins)):
        lines += [f"  .reg .{'b16' if kind == 'b8' else kind} {prefix}{i};" for i, kind in enumerate(kinds)]
    lines += [f"  {entry.declare}"] * bool(entry.declare)
    lines += ["  mov.u32 %i, %ctaid.x;", "  mov.u32 %n, %ntid.x;", "  mov.u32 %t, %tid.x;", "  mad.lo.u32 %i, %i, %n, %t;",
              "  ld.param.u32 %n, [rows];", "  setp.ge.u32 %beyond, %i, %n;", "  @%beyond ret;", "  ld.param.u64 %in, [operands];",
              "  ld.param.u64 %out, [results];",
              f"  mad.wide.u32 %in, %i, {into.stride}, %in;", f"  mad.wide.u32 %out, %i, {out.stride}, %out;"]
    for i, (kind, offset) in enumerate(zip(entry.ins, into.offsets)):
        if kind == "pred":
            lines += [f"  ld.global.b8 %byte, [%in+{offset}];", f"  setp.ne.b16 a{i}, %byte, 0;"]
        else:
            lines.append(f"  ld.global.{kind} a{i}, [%in+{offset}];")
    lines.append(f"  {entry.text.replace('$', name)}")
    for i, (kind, offset) in enumerate(zip(entry.outs, out.offsets)):
        if kind == "pred":
            lines += [f"  selp.b16 %byte, 1, 0, d{i};", f"  st.global.b8 [%out+{offset}], %byte;"]
        else:
            lines.append(f"  st.global.{kind} [%out+{offset}], d{i};")
    return "\n".join(lines + ["  ret;", "}", ""])


def module(entries, arch, without=()):
    kernels = [kernel(entry, f"micro_{i}") for i, entry in enumerate(entries) if entry.name not in without]
    return f".version 8.6\n.target sm_{arch}\n.address_size 64\n\n" + "\n".join(kernels)


def hexadecimal(values, kinds):
    return ", ".join(f"{value:#0{WIDTHS[kind] // 4 + 2}x}" for value, kind in zip(values, kinds))


def differences(entry, inputs, results):
    """Up to three rows that are wrong, and how many there are."""
    statements = [x.strip() for x in entry.text.split(";") if x.strip()]
    shown, count = [], 0
    for row, got, want in zip(inputs, results, entry.expected_of(inputs)):
        if entry.passes(got, want):
            continue
        count += 1
        if count > 3:
            continue
        wrong = [i for i, (x, codes) in enumerate(zip(got, want)) if x not in codes]
        which = f" ({'; '.join(statements[i] for i in wrong)})" if len(statements) == len(entry.outs) > 1 else ""
        kinds = [entry.outs[i] for i in wrong]
        expected = ", ".join(" or ".join(hexadecimal([code], [entry.outs[i]]) for code in sorted(want[i])) for i in wrong)
        shown.append(f"    inputs {hexadecimal(row, entry.ins)}: got {hexadecimal([got[i] for i in wrong], kinds)}, expected {expected}{which}")
    return shown, count


def run_entry(runner, path, entry, name, folder, hashes):
    """What is wrong with an entry, or None. Adds the hash of its results."""
    inputs, into, out = entry.rows(ARGS.seed, ARGS.times), Layout(entry.ins), Layout(entry.outs)
    operands, results = os.path.join(folder, f"{name}.in"), os.path.join(folder, f"{name}.out")
    with open(operands, "wb") as file:
        file.write(b"".join(into.row.pack(*row) for row in inputs))
    # Rows are whole words of their widest field, so a buffer of bytes has their alignment.
    count = len(inputs)
    command = [runner, path, "--entry", name, "--grid", str(-(-count // BLOCK)), "--block", str(BLOCK), "--arg", f"b8[{count * out.stride}]=0",
               "--arg", f"b8[{count * into.stride}]=@{operands}", "--arg", f"u32={count}", "--dump", f"0={results}"]
    if ARGS.driver:
        command += ["--driver", ARGS.driver]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return f"did not end: {' '.join(command)}"
    if done.returncode:
        return f"exit code {done.returncode}: {' '.join(command)}\n    " + "\n    ".join((done.stderr or done.stdout).strip().splitlines()[:6])
    with open(results, "rb") as file:
        data = file.read()
    hashes[entry.name] = hashlib.sha256(data).hexdigest()[:16]
    got = list(out.row.iter_unpack(data))
    assert len(got) == count, f"{len(got)} rows of {count}"
    shown, wrong = differences(entry, inputs, got)
    return "\n".join([f"{wrong} of {count} rows differ: {entry.text}"] + shown) if wrong else None


def refused(what, command, path, group, arch):
    """The entries that are refused, and why, after which the module has only the others."""
    if subprocess.run(command + [path], capture_output=True).returncode == 0:
        return {}
    problems = {}
    for entry in group:
        with open(path, "w") as file:
            file.write(module([entry], arch))
        done = subprocess.run(command + [path], capture_output=True, text=True)
        if done.returncode:
            problems[entry.name] = f"{what} refuses it: {(done.stderr + done.stdout).strip().splitlines()[0]}\n    {entry.text}"
    with open(path, "w") as file:
        file.write(module(group, arch, problems))
    return problems


def run_module(job):
    """Problems of the entries of a module, and hashes of results, by name."""
    number, arch, indices = job
    group = [ENTRIES[i] for i in indices]
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.path.join(ARGS.emit, f"micro_{number}") if ARGS.emit else scratch
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "module.ptx")
        with open(path, "w") as file:
            file.write(module(group, arch))
        problems, hashes = {}, {}
        assembler = [ARGS.ptxas, f"-arch=sm_{arch}", "-O0", "-o", os.devnull]
        for what, command in (("ptxas", assembler), ("the emulator", [ARGS.runner, "--check"])):
            if command[0]:
                problems |= refused(what, command, path, group, arch)
        for i, entry in enumerate(group):
            if entry.name not in problems:
                problems[entry.name] = run_entry(ARGS.runner, path, entry, f"micro_{i}", folder, hashes)
    return {name: problem for name, problem in problems.items() if problem}, hashes


# Forms of these tables' opcodes that other tests execute: run_tensors.py.
ELSEWHERE = (("st", "async"), ("red", "async"))
# Opcodes of which no table has any: matrices (run_matrices.py, run_wgmma.py), copies (run_tensors.py, exec/), what orders or waits (exec/, negative/),
# control flow (exec/control.ptx), and hints, which change nothing.
OTHERS = set("ldmatrix stmatrix movmatrix mma wmma wgmma cp mbarrier bar barrier fence membar griddepcontrol setmaxnreg nanosleep bra brx ret exit trap brkpt pmevent"
             " prefetch prefetchu createpolicy applypriority discard".split())


def fits(modifiers, groups):
    """Whether each modifier is of another group, and of each group that may not be left out there is one; in any order."""
    if not groups:
        return not modifiers
    first, *rest = groups
    members = first.lstrip("?").split("|")
    return first[0] == "?" and fits(modifiers, rest) or any(m in members and fits(modifiers[:i] + modifiers[i + 1:], rest) for i, m in enumerate(modifiers))


def untested_forms(runner):
    """Forms (opcodes.def) of which no entry has an instruction, but for those that are tested elsewhere."""
    tested = {}
    for entry in ENTRIES:
        for instruction in (statement.split()[0] for statement in entry.text.split(";") if statement.strip()):
            opcode, *modifiers = instruction.split(".")
            tested.setdefault(opcode, set()).add(tuple(modifiers))
    listed = subprocess.run([runner, "--list-forms"], capture_output=True, text=True, check=True).stdout
    untested = []
    for line in listed.splitlines():
        opcode, _, _, *rest = line.split()
        groups = rest[1:]  # after the operands
        if opcode not in OTHERS and (opcode, *groups[:1]) not in ELSEWHERE and not any(fits(m, groups) for m in tested.get(opcode, ())):
            untested.append(" ".join(line.split()))
    return untested


def jobs_of(entries):
    by_arch = {}
    for i, entry in enumerate(entries):
        by_arch.setdefault(entry.arch, []).append(i)
    groups = [(arch, indices[start:start + PER_MODULE]) for arch, indices in sorted(by_arch.items()) for start in range(0, len(indices), PER_MODULE)]
    return [(number, arch, indices) for number, (arch, indices) in enumerate(groups)]


def main():
    global ARGS, ENTRIES
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner", metavar="DS_PTX_RUN")
    parser.add_argument("--only", metavar="GLOB", default="*", help="entries whose name matches")
    parser.add_argument("--emit", metavar="DIR", help="keep the modules, inputs and results there")
    parser.add_argument("--seed", type=int, default=0, help="of the random rows (default: 0)")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="so many times as many random rows")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--ptxas", metavar="PATH|auto|none", default="auto",
                        help="the assembler that has to take every module (auto: that of PATH, if there is one)")
    parser.add_argument("--driver", metavar="LIBRARY", help="run on the driver of this library")
    parser.add_argument("--record", metavar="FILE", help="write the results' hashes there, as JSON")
    parser.add_argument("--compare", metavar="FILE", help="say which results differ from those that were recorded there")
    ARGS = parser.parse_args()
    ARGS.ptxas = {"auto": shutil.which("ptxas"), "none": None}.get(ARGS.ptxas, ARGS.ptxas)
    ENTRIES = [entry for table in TABLES for entry in table.entries()]
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names), f"twice: {sorted(name for name in set(names) if names.count(name) > 1)}"
    forms = untested_forms(ARGS.runner)
    for form in forms:
        print(f"FAILED form without an entry: {form}")
    ENTRIES = [entry for entry in ENTRIES if fnmatch.fnmatchcase(entry.name, ARGS.only)]
    if not ENTRIES:
        parser.error(f"no entry's name matches {ARGS.only}")
    print(f"{len(ENTRIES)} entries{'' if ARGS.ptxas else '; without ptxas, so what it takes is not known'}")
    failed = len(forms)
    # The tables hold functions, which do not travel between processes: workers inherit them.
    with multiprocessing.get_context("fork").Pool(ARGS.jobs) as pool:
        results = {}
        for problems, hashes in pool.imap(run_module, jobs_of(ENTRIES)):
            results |= hashes
            for name, problem in problems.items():
                failed += 1
                print(f"FAILED {name}: {problem}", flush=True)
    if ARGS.compare:
        with open(ARGS.compare, encoding="utf-8") as file:
            recorded = json.load(file)
        both = sorted(results.keys() & recorded.keys())
        for name in both:
            if results[name] != recorded[name]:
                print(f"differs from {ARGS.compare}: {name}")
        print(f"{sum(results[name] == recorded[name] for name in both)} of {len(both)} are as in {ARGS.compare}")
    if ARGS.record:
        with open(ARGS.record, "w", encoding="utf-8") as file:
            json.dump(dict(sorted(results.items())), file, indent=0)
            file.write("\n")
    print(f"{len(ENTRIES) + len(forms) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
