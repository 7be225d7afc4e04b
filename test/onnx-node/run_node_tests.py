"""ONNX's own node tests: every case of every operator that `ds-compile --list-ops` claims, compiled and run.

run_node_tests.py DS_COMPILE [TABLE]   compiles (many models per process), runs and compares; TABLE (docs/onnx-ops.md) must be
                                       what the results give
  --only TEXT    cases whose name contains TEXT (the table is not checked)
  --write        write the table instead of checking it
  --jobs N       processes that compile and run (2)
  --keep DIR     keep model and library of each case that failed

Each case runs in a process of its own, so that a crash is one failure. The last line is "N passed, N failed".
"""
import argparse
import collections
import json
import multiprocessing
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings

import ml_dtypes
import numpy as np
import onnx

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import abi  # noqa: E402
import table  # noqa: E402

COMPILE_SECONDS, RUN_SECONDS = 120, 30
T = onnx.TensorProto
# What the table may leave out: types that are no part of a language model.
LEFT_OUT_TYPES = {T.STRING: "string", T.COMPLEX64: "complex", T.COMPLEX128: "complex", T.FLOAT8E4M3FNUZ: "float8e4m3fnuz",
                  T.FLOAT8E5M2FNUZ: "float8e5m2fnuz", T.FLOAT8E8M0: "float8e8m0", T.FLOAT4E2M1: "float4e2m1",
                  T.INT2: "int2", T.UINT2: "uint2"}
# Cases whose expected values are those of numpy's random generator: no other implementation gives them.
RANDOM = {"test_training_dropout_default", "test_training_dropout_default_mask", "test_training_dropout",
          "test_training_dropout_mask"}


def key_of(node):
    return (node.domain or "ai.onnx", node.op_type)


class Case:
    """One case: `op` is the operator it tests, `left_out` why it is not run ("" if it is)."""

    def __init__(self, case, tested):
        self.name, self.model, self.data_sets = case.name, case.model, case.data_sets
        self.rtol, self.atol, self.op = case.rtol, case.atol, tested
        self.expanded = "_expanded" in case.name
        values = list(case.model.graph.input) + list(case.model.graph.output)
        types = [v.type.tensor_type.elem_type if v.type.HasField("tensor_type") else None for v in values]
        self.left_out = ""
        if None in types:
            self.left_out = "sequences and optionals"
        elif self.name in RANDOM:
            self.left_out = "training mode"
        else:
            self.left_out = next((LEFT_OUT_TYPES[t] for t in types if t in LEFT_OUT_TYPES), "")


def load_cases():
    from onnx.backend.test.loader import load_model_tests
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    plain = {case.name: case for case in cases}
    result = []
    for case in cases:
        # An expanded case tests the operator of the case it was expanded from; a graph of several nodes its last one.
        origin = plain.get(case.name.split("_expanded")[0], case)
        result.append(Case(case, key_of(origin.model.graph.node[-1])))
    return result


def as_array(value):
    """A test's value as the array that the compiled model takes or gives: 4-bit integers are bytes."""
    if isinstance(value, onnx.TensorProto):
        value = onnx.numpy_helper.to_array(value)
    array = np.asarray(value)
    if array.dtype == np.dtype(ml_dtypes.int4):
        return (array.astype(np.int8) & 15).astype(np.int8)
    if array.dtype == np.dtype(ml_dtypes.uint4):
        return array.astype(np.uint8)
    return array


def difference(expected, actual, rtol, atol):
    """Why the two differ, or None."""
    if expected.shape != actual.shape:
        return f"shape {actual.shape} instead of {expected.shape}"
    if expected.dtype != actual.dtype:
        return f"type {actual.dtype} instead of {expected.dtype}"
    if np.issubdtype(expected.dtype, np.integer) or expected.dtype == np.bool_:
        wrong = expected != actual
    else:
        # As onnx's own runner has it: two units in the last place of bfloat16.
        if expected.dtype == ml_dtypes.bfloat16:
            rtol = max(rtol, 2**-6)
        a, e = actual.astype(np.float64), expected.astype(np.float64)
        with np.errstate(invalid="ignore"):
            wrong = ~(np.isclose(a, e, rtol=rtol, atol=atol, equal_nan=True))
    if not wrong.any():
        return None
    at = tuple(int(i) for i in np.argwhere(wrong)[0]) if expected.ndim else ()
    return f"{int(wrong.sum())} of {wrong.size} elements differ; at {at} {actual[at]} instead of {expected[at]}"


def compare(case, library):
    model = abi.Model(library)
    names = [i.name for i in case.model.graph.input]
    outputs = [o.name for o in case.model.graph.output]
    for inputs, expected in case.data_sets:
        actual = model.graph({name: as_array(value) for name, value in zip(names, inputs)})
        for name, value in zip(outputs, expected):
            problem = difference(as_array(value), actual[name], case.rtol, case.atol)
            if problem:
                return f"output '{name}': {problem}"
    return None


def run_apart(case, library):
    """compare() in a child: its death is an answer too."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(RUN_SECONDS)
        try:
            answer = compare(case, library) or ""
        except BaseException as error:  # noqa: B036 everything is an answer
            answer = f"{type(error).__name__}: {error}" or traceback.format_exc(limit=1)
        os.write(write_end, b"=" + answer.encode()[:4000])
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if answer.startswith("="):
        return answer[1:] or None
    return f"the compiled model died: {signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else status}"


class Compiler:
    """One ds-compile that takes many models; started again where a model kills it."""

    def __init__(self, program, folder):
        self.program, self.log, self.process = program, os.path.join(folder, "stderr"), None

    def start(self):
        self.errors = open(self.log, "w+b")
        self.process = subprocess.Popen([self.program, "--batch", "--mode=graph", "--cpu=native"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, bufsize=0)

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.kill()
            self.process.wait()
            self.errors.close()
            self.process = None

    def compile(self, model, library):
        """None, or the error."""
        if not self.process:
            self.start()
        at = os.fstat(self.errors.fileno()).st_size
        self.process.stdin.write(f"{model}\t{library}\n".encode())
        ready, _, _ = select.select([self.process.stdout], [], [], COMPILE_SECONDS)
        answer = self.process.stdout.readline().strip() if ready else b"timeout"
        if answer == b"0":
            return None
        with open(self.log, "rb") as log:
            log.seek(at)
            text = log.read().decode(errors="replace").strip()
        if answer == b"1":
            return text or "refused without a word"
        self.stop()
        return f"the compiler died or hung ({answer.decode() or 'crash'}): {text[-2000:]}"


def work(program, cases, keep, answers):
    with tempfile.TemporaryDirectory(prefix="onnx-node.") as folder:
        compiler = Compiler(program, folder)
        for index, case in cases:
            model = os.path.join(folder, case.name + ".onnx")
            library = os.path.join(folder, case.name + ".so")
            with open(model, "wb") as file:
                file.write(case.model.SerializeToString())
            problem = compiler.compile(model, library)
            stage = "compile"
            if problem is None:
                stage, problem = "run", run_apart(case, library)
            answers.put((index, stage if problem else "", problem or ""))
            for name in os.listdir(folder):
                if name.startswith(case.name + "."):
                    path = os.path.join(folder, name)
                    if problem and keep:
                        shutil.copy(path, keep)
                    os.unlink(path)
        compiler.stop()


def run(program, cases, jobs, keep):
    """(stage, problem) of each case; ("", "") where it passed."""
    answers = multiprocessing.Queue()
    indexed = list(enumerate(cases))
    workers = [multiprocessing.Process(target=work, args=(program, indexed[i::jobs], keep, answers)) for i in range(jobs)]
    for worker in workers:
        worker.start()
    results = {}
    while len(results) < len(cases):
        try:
            index, stage, problem = answers.get(timeout=1)
        except queue.Empty:
            if not any(worker.is_alive() for worker in workers) and answers.empty():
                break
            continue
        results[index] = (stage, problem)
        if sys.stderr.isatty():
            print(f"\r{len(results)}/{len(cases)}", end="", file=sys.stderr)
    for worker in workers:
        worker.join()
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return [results.get(i, ("run", "no answer: the worker died")) for i in range(len(cases))]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("compiler")
    parser.add_argument("table", nargs="?")
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep")
    arguments = parser.parse_args()
    listing = json.loads(subprocess.run([arguments.compiler, "--list-ops"], check=True, capture_output=True).stdout)
    claimed = {(op["domain"], op["op"]) for op in listing}
    everything = load_cases()
    relevant = [c for c in everything if c.op in claimed]
    cases = [c for c in relevant if not c.left_out and arguments.only in c.name]
    if arguments.keep:
        os.makedirs(arguments.keep, exist_ok=True)
    results = run(os.path.abspath(arguments.compiler), cases, arguments.jobs, arguments.keep)

    passed = failed = plain = 0
    counts = collections.defaultdict(collections.Counter)
    for case, (stage, problem) in zip(cases, results):
        kind = "expanded" if case.expanded else "plain"
        counts[case.op][kind] += 1
        if problem:
            failed += 1
            print(f"FAILED {case.name} ({case.op[1]}) {stage}: {problem}")
        else:
            passed += 1
            plain += not case.expanded
            counts[case.op][kind + " passed"] += 1
    for case in relevant:
        if case.left_out:
            counts[case.op]["without: " + case.left_out] += 1
    print(f"{passed} of {len(cases)} cases pass, {plain} of them not expanded; onnx {onnx.__version__} has {len(everything)}")
    if arguments.table and not arguments.only:
        problem = table.check(arguments.table, table.text(listing, counts, passed, plain, len(everything)), arguments.write)
        if problem:
            failed += 1
            print(f"FAILED {problem}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
