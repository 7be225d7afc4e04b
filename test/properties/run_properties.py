"""Every ds op, as the fast path computes it, against the reference lowering in f64: random shapes, types and values.

usage: run_properties.py DS_COMPILE [--seed N] [--count N] [--rounds N] [--only TEXT] [--keep DIR] [--option=OPTION ...]

Many cases make one graph, which is compiled twice (`--mode=graph`, and with `--ds-reference=f64`) and run several times with new
sizes and values. A difference larger than the op's numeric rules allow (case.py says how the bounds are derived) is a failure; so is a
case that one of the two refuses or crashes on. A failed case is run again alone and printed with its module, so that
`ds-compile` can take it; `--seed` and `--only` repeat it. Prints a line per failure and, last, `N passed, N failed`.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import zlib

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import case as C  # noqa: E402
import ops_model  # noqa: E402
import ops_tensor  # noqa: E402

import abi  # noqa: E402  (case.py knows where)

OPS = ops_tensor.OPS | ops_model.OPS
# Cases of one graph: fewer, larger modules compile faster, smaller ones isolate a failure sooner.
PER_MODULE = 24


def build(op, number, seed):
    """Case `number` of `op`: the same whatever else is run."""
    rng = np.random.default_rng([seed, zlib.crc32(op.encode()), number])
    case = C.Case(op, f"{op.replace('.', '_')}_{number}", rng)
    OPS[op](case)
    return case


def compile_both(compiler, cases, folder, options):
    """Paths of both libraries, or the compiler's message."""
    path = os.path.join(folder, "module.mlir")
    with open(path, "w") as out:
        out.write(C.module(cases, folder))
    started = []
    for name, extra in (("fast", options), ("reference", ["--ds-reference=f64"])):
        library = os.path.join(folder, name + ".so")
        started.append((name, library, subprocess.Popen(
            [compiler, path, "--mode=graph", "--cpu=native", "-o", library, *extra], stderr=subprocess.PIPE, text=True)))
    message = None
    for name, library, process in started:
        error = process.communicate()[1]
        if process.returncode:
            message = message or f"{name}: exit code {process.returncode}: {error.strip()[:400]}"
    return message, [library for _, library, _ in started]


def difference(got, want, tolerance, run):
    """None, or how `got` is not `want`."""
    if got.shape != want.shape:
        return f"shape {got.shape}, the reference has {want.shape}"
    if tolerance is None and got.dtype.kind not in "biu":
        tolerance = lambda run, want: 0.0  # noqa: E731  exact, but any NaN is NaN and −0 is 0
    if tolerance is None:
        wrong = got != want
        if not wrong.any():
            return None
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        return f"{got[at]} at {at}, the reference has {want[at]}"
    with np.errstate(all="ignore"):
        a, b = got.astype(np.float64), want.astype(np.float64)
        limit = np.broadcast_to(np.asarray(tolerance(run, b), np.float64), b.shape)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        error = np.where(same, 0.0, np.abs(a - b))
        wrong = ~same & ~(error <= limit)
    if not wrong.any():
        return None
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{float(a[at])!r} at {at} of {a.shape}, the reference has {float(b[at])!r}: off by {error[at]:.3g}, allowed {limit[at]:.3g}"


def run_both(libraries, cases, seed, rounds):
    """[op, prefix, problem] of every case that differs, the first difference of each."""
    fast, reference = (abi.Model(path) for path in libraries)
    problems = {}
    for number in range(rounds):
        runs, inputs = [], {}
        for case in cases:
            run = case.draw(np.random.default_rng([seed, zlib.crc32(case.prefix.encode()), number]))
            runs.append(run)
            inputs |= {name[1:]: run.values[name] for name, *_ in case.inputs}
        got, want = fast.graph(inputs), reference.graph(inputs)
        for case, run in zip(cases, runs):
            for name, kind, _, tolerance in case.outputs:
                why = difference(got[name[1:]], want[name[1:]], tolerance, run)
                if why and case.prefix not in problems:
                    shapes = ", ".join(str(run.values[n].shape) for n, *_ in case.inputs)
                    problems[case.prefix] = f"round {number}, inputs {shapes}: {kind}: {why}"
    return problems


def apart(function, *args):
    """The JSON result of `function` in a process of its own: (result, None), or (None, how it died)."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            result = {"result": function(*args)}
        except BaseException as error:  # noqa: BLE001  reported as a failure
            result = {"error": f"{type(error).__name__}: {error}"}
        with os.fdopen(writer, "w") as out:
            out.write(json.dumps(result))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if status or not text:
        return None, f"crashed, signal {os.WTERMSIG(status)}"
    result = json.loads(text)
    return result.get("result"), result.get("error")


def examine(compiler, cases, args):
    """Problems by prefix. Where a whole module fails, each case is tried alone."""
    with tempfile.TemporaryDirectory() as folder:
        why, libraries = compile_both(compiler, cases, folder, args.option)
        problems = {}
        if not why:
            problems, why = apart(run_both, libraries, cases, args.seed, args.rounds)
        if why and len(cases) == 1:
            return {cases[0].prefix: why}
    if not why:
        return problems
    half = len(cases) // 2
    return examine(compiler, cases[:half], args) | examine(compiler, cases[half:], args)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=4, help="cases of each op")
    parser.add_argument("--rounds", type=int, default=6, help="runs of each case, with new sizes and values")
    parser.add_argument("--only", default="", help="ops whose name contains this")
    parser.add_argument("--keep", help="folder for the modules of failed cases")
    parser.add_argument("--option", action="append", default=[], help="of ds-compile, for the fast path only")
    args = parser.parse_args()
    compiler = os.path.abspath(args.compiler)
    # Ops are dealt out so that no module is all large ones.
    cases = [build(op, number, args.seed) for number in range(args.count) for op in OPS if args.only in op]
    print(f"seed {args.seed}, {len(cases)} cases")
    passed = failed = 0
    for start in range(0, len(cases), PER_MODULE):
        group = cases[start:start + PER_MODULE]
        problems = examine(compiler, group, args)
        for case in group:
            if case.prefix not in problems:
                passed += 1
                continue
            failed += 1
            print(f"FAILED {case.prefix}: {problems[case.prefix]}", flush=True)
            if args.keep:
                folder = os.path.join(args.keep, case.prefix)
                os.makedirs(folder, exist_ok=True)
                with open(os.path.join(folder, "module.mlir"), "w") as out:
                    out.write(C.module([case], os.path.abspath(folder)))
            else:
                print("\n".join("    " + line for line in case.lines))
    if failed:
        print(f"repeat with --seed {args.seed} --count {args.count} --only OP --keep DIR")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
