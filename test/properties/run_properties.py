"""Every ds op, as the fast path computes it, against the reference lowering in f64: random shapes, types and values.

usage: run_properties.py DS_COMPILE [--seed N] [--count N] [--rounds N] [--only TEXT,...] [--cpu NAME]
                         [--precision NAME] [--through=COMMAND] [--keep DIR] [--option=OPTION ...]

Many cases make one graph, which is compiled twice (`--mode=graph`, and with `--ds-reference=f64`) and run several times with new
sizes and values. A failure is: a difference larger than the op's numeric rules allow (case.py says how the bounds are derived); a case
that one of the two refuses or crashes on; other bits with two threads than with one, or for a row of tokens that is computed alone; an
index outside its tensor that is not reported. Modules take turns in --cpu and
--precision. With --through the fast path compiles what that command (of ds-opt) makes of the module.
Prints a line per failure and, last, `N passed, N failed`; `--seed` and `--only` repeat a failure, `--keep` leaves its module.
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
import ops_experts  # noqa: E402
import ops_latent  # noqa: E402
import ops_model  # noqa: E402
import ops_quantized  # noqa: E402
import ops_tensor  # noqa: E402

import abi  # noqa: E402  (case.py knows where)

OPS = ops_tensor.OPS | ops_model.OPS | ops_experts.OPS | ops_latent.OPS | ops_quantized.OPS
# Cases of one graph: fewer, larger modules compile faster, smaller ones isolate a failure sooner.
PER_MODULE = 24
# --cpu and --precision of each module in turn.
VARIANTS = [("native", "fast"), ("x86-64-v3", "exact"), ("native", "exact"), ("x86-64-v3", "fast")]


def build(op, number, seed):
    """Case `number` of `op`: the same whatever else is run."""
    rng = np.random.default_rng([seed, zlib.crc32(op.encode()), number])
    case = C.Case(op, f"{op.replace('.', '_')}_{number}", rng)
    OPS[op](case)
    return case


def compile_both(compiler, cases, folder, variant, args):
    """Paths of both libraries, or the compiler's message."""
    path = os.path.join(folder, "module.mlir")
    with open(path, "w") as out:
        out.write(C.module(cases, folder))
    rewritten = path
    if args.through:
        rewritten = os.path.join(folder, "rewritten.mlir")
        process = subprocess.run([*args.through.split(), path, "-o", rewritten], stderr=subprocess.PIPE, text=True)
        if process.returncode:
            return f"{args.through}: exit code {process.returncode}: {process.stderr.strip()[:400]}", []
    started = []
    cpu, precision = variant
    options = (["--precision=exact"] if precision == "exact" else []) + args.option
    for name, source, extra in (("fast", rewritten, options), ("reference", path, ["--ds-reference=f64"])):
        library = os.path.join(folder, name + ".so")
        started.append((name, library, subprocess.Popen(
            [compiler, source, "--mode=graph", f"--cpu={cpu}", "-o", library, *extra], stderr=subprocess.PIPE, text=True)))
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


def same_bits(got, want):
    return got.shape == want.shape and got.tobytes() == want.tobytes()


def inputs_of(cases, runs):
    return {name[1:]: run.values[name] for case, run in zip(cases, runs) for name, *_ in case.inputs}


def compare_values(fast, reference, cases, runs, note):
    """The fast path within its bounds, and with the same bits whatever the number of threads."""
    inputs = inputs_of(cases, runs)
    fast.threads = 1
    got, want = fast.graph(inputs), reference.graph(inputs)
    fast.threads = 2
    threaded = fast.graph(inputs)
    for case, run in zip(cases, runs):
        for name, kind, _, tolerance in case.outputs:
            why = difference(got[name[1:]], want[name[1:]], tolerance, run)
            if not why and not same_bits(threaded[name[1:]], got[name[1:]]):
                why = "two threads give other bits than one"
            if why:
                note(case, run, f"{kind}: {why}")
    return got


def compare_rows(fast, cases, runs, got, note):
    """A row has the same bits when it is computed alone."""
    cut = {}
    for case, run in zip(cases, runs):
        dim = case.by_row and next(dims[0] for name, _, dims, _ in case.inputs if name == case.by_row[0])
        if case.by_row and getattr(dim, "static", 0) is None and run.size(dim) > 1:
            cut[case.prefix] = int(run.rng.integers(run.size(dim)))
    if not cut:
        return
    inputs = inputs_of(cases, runs)
    for case in cases:
        if case.prefix in cut:
            at = cut[case.prefix]
            inputs |= {name[1:]: inputs[name[1:]][at:at + 1] for name in case.by_row}
    alone = fast.graph(inputs)
    for case, run in zip(cases, runs):
        for name, *_ in case.outputs:
            if case.prefix in cut and not same_bits(alone[name[1:]][0], got[name[1:]][cut[case.prefix]]):
                note(case, run, f"row {cut[case.prefix]} has other bits when it is computed alone")


def compare_errors(models, cases, runs, note):
    """An index outside its tensor ends the call with DS_STATUS_INDEX, in both."""
    for case, run in zip(cases, runs):
        kept = dict(run.values)
        if case.spoil and case.spoil(run):
            for name, model in models.items():
                try:
                    model.graph(inputs_of(cases, runs))
                    note(case, run, f"{name}: an index outside is not noticed")
                except RuntimeError as error:
                    if str(error) != "status 2":
                        note(case, run, f"{name}: an index outside gives {error}")
        run.values = kept


def run_both(libraries, cases, precision, seed, rounds):
    """{prefix: problem} of every case that differs, the first difference of each."""
    fast, reference = (abi.Model(path) for path in libraries)
    problems = {}
    for number in range(rounds):
        def note(case, run, why):
            shapes = ", ".join(str(run.values[n].shape) for n, *_ in case.inputs)
            problems.setdefault(case.prefix, f"round {number}, inputs {shapes}: {why}")
        runs = [case.draw(np.random.default_rng([seed, zlib.crc32(case.prefix.encode()), number]), precision)
                for case in cases]
        got = compare_values(fast, reference, cases, runs, note)
        compare_rows(fast, cases, runs, got, note)
        if number == 0:
            compare_errors({"fast": fast, "reference": reference}, cases, runs, note)
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


def examine(compiler, cases, variant, args):
    """Problems by prefix. Where a whole module fails, each case is tried alone."""
    with tempfile.TemporaryDirectory() as folder:
        why, libraries = compile_both(compiler, cases, folder, variant, args)
        problems = {}
        if not why:
            problems, why = apart(run_both, libraries, cases, variant[1], args.seed, args.rounds)
        if why and len(cases) == 1:
            return {cases[0].prefix: why}
    if not why:
        return problems
    half = len(cases) // 2
    return examine(compiler, cases[:half], variant, args) | examine(compiler, cases[half:], variant, args)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=4, help="cases of each op")
    parser.add_argument("--rounds", type=int, default=6, help="runs of each case, with new sizes and values")
    parser.add_argument("--only", default="", help="ops whose name contains this, or one of these with commas between")
    parser.add_argument("--cpu", help="of ds-compile, for all modules")
    parser.add_argument("--precision", choices=["fast", "exact"], help="the same")
    parser.add_argument("--keep", help="folder for the modules of failed cases")
    parser.add_argument("--option", action="append", default=[], help="of ds-compile, for the fast path only")
    parser.add_argument("--through", default="", help="a command (of ds-opt) that rewrites the module for the fast path")
    args = parser.parse_args()
    compiler = os.path.abspath(args.compiler)
    # Ops are dealt out so that no module is all large ones.
    cases = [build(op, number, args.seed) for number in range(args.count) for op in OPS
             if any(text in op for text in args.only.split(","))]
    if not cases:
        parser.error(f"no op's name contains {args.only}")
    print(f"seed {args.seed}, {len(cases)} cases")
    passed = failed = 0
    for start in range(0, len(cases), PER_MODULE):
        group = cases[start:start + PER_MODULE]
        variant = VARIANTS[start // PER_MODULE % len(VARIANTS)]
        variant = args.cpu or variant[0], args.precision or variant[1]
        problems = examine(compiler, group, variant, args)
        for case in group:
            if case.prefix not in problems:
                passed += 1
                continue
            failed += 1
            print(f"FAILED {case.prefix} ({' '.join(variant)}): {problems[case.prefix]}", flush=True)
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
