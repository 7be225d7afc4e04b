"""Models compiled with --ds-reference=f64 against float64 results, and a check that such a comparison finds a wrong constant.

usage: run_reference.py DS_COMPILE GOLDEN EXAMPLE

GOLDEN: the checkpoint folders and language-model files of v1-mha and v1-gqa against golden.safetensors (files cut to one layer:
first_layer.safetensors, which make_first_layer.py wrote) within the float64 row of the golden data's README. EXAMPLE: the greedy text of a trained model and the
smallest distance of its two best logits, which expected.json has from a float64 program. Prints a line per failure and, last,
`N passed, N failed`.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import abi  # noqa: E402
from run_golden import apart, golden_drafts, greedy, read  # noqa: E402

# Logits: 2e-6 from a checkpoint folder, whose frequencies are computed in float64; 2e-5 from ONNX. Hidden states and caches: 1e-6 where the file computes its rotation from frequencies; where it stores cosines
# and sines, those are rounded to f32, 2^-24 each, which a key of size s turns into 2^-24 · s · sqrt(2): keys reach 14, so
# 1.2e-6 a layer, and hidden states follow.
COMPUTED, STORED = 1e-6, 4e-6
FILES = {"v1-mha/onnx/dynamo": COMPUTED, "v1-mha/onnx/mobius": STORED, "v1-mha/onnx/genai": STORED,
         "v1-gqa/onnx/dynamo": COMPUTED, "v1-gqa/onnx/mobius": STORED}
FOLDERS = "v1-mha", "v1-gqa", "v2-lite", "v2", "v3-bf16", "v3-fp8"
LOGITS, FOLDER_LOGITS = 2e-5, 2e-6


def compile_model(compiler, source, library, *options):
    result = subprocess.run([compiler, source, "--cpu=native", "-o", library, *options], capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(result.stderr.strip()[:300])
    return abi.Model(library)


def check(problems, name, got, want, limit):
    error = np.abs(got.astype(np.float64) - want).max()
    if not error <= limit:
        problems.append(f"{name}: off by {error:.3g}, allowed {limit:.3g}")


def golden_of(folder):
    case = os.path.dirname(os.path.dirname(folder))
    layers = json.load(open(os.path.join(folder, "about.json")))["layers"]
    return read(os.path.join(case, "golden.safetensors" if layers == "all" else "first_layer.safetensors"))


def compare(model, golden, states, limit=LOGITS):
    """Everything that golden has of a model's logits, states and ids."""
    problems, prompt = [], golden["single.ids"]
    d = model.model
    session = abi.Session(model, 2, 128)
    logits, hidden = session.step([prompt], [0], [0])
    check(problems, "single.logits", logits, golden["single.logits"], limit)
    check(problems, "single.hidden", hidden, golden["single.hidden"], states)
    for i in range(d.cache_count):
        name = d.caches[i].name.decode()
        if session.caches[i].dtype != np.float64:
            problems.append(f"{name} is {session.caches[i].dtype}")
        if name in golden:
            check(problems, name, session.caches[i][0, :, : len(prompt)].transpose(1, 0, 2).reshape(golden[name].shape), golden[name],
                  states)
    if "gen.ids" in golden:
        rows, ids = greedy(session, prompt, len(golden["gen.ids"]), 1)
        check(problems, "gen.logits", rows, golden["gen.logits"], limit)
        if ids != list(golden["gen.ids"]):
            problems.append("gen.ids differ")
    logits, _ = abi.Session(model, 1, 300).step([golden["long.ids"]], [0], [0], False)
    check(problems, "long", logits[0], golden["long.logits"], limit)
    short = golden["batch.ids"][1][golden["batch.mask"][1] != 0]
    both, _ = abi.Session(model, 2, 64).step([prompt, short], [0, 0], [1, 0])
    check(problems, "batch.short", both[len(prompt):], golden["batch.logits_short"], limit)
    return problems


def checkpoint_folder(compiler, case, work):
    model = compile_model(compiler, case, os.path.join(work, "f64.so"), "--ds-reference=f64")
    golden = read(os.path.join(case, "golden.safetensors"))
    return compare(model, golden, COMPUTED, FOLDER_LOGITS) + golden_drafts(model, golden, FOLDER_LOGITS, COMPUTED)


def golden_file(compiler, folder, work):
    model = compile_model(compiler, os.path.join(folder, "model.onnx"), os.path.join(work, "f64.so"), "--mode=lm", "--ds-reference=f64")
    name = "/".join(folder.split("/")[-3:])
    return compare(model, golden_of(folder), FILES[name])


def poisoned(compiler, folder, work):
    """The model's IR with another epsilon must be told apart, as the reference and as the fast path compute it; untouched it must
    not. In v1-gqa hidden states start small, so that 1e-5 for 1e-6 moves logits by 4e-3."""
    problems, golden = [], golden_of(folder)
    text = subprocess.run([compiler, os.path.join(folder, "model.onnx"), "--mode=lm", "--emit=ds-opt"], capture_output=True, text=True,
                          check=True).stdout
    wrong, count = re.subn(r"epsilon (9\.99999\d*[eE]-0?7|1\.0*[eE]-0?6)", "epsilon 1.000000e-05", text)
    layers = int(re.search(r"layers = (\d+)", text).group(1))
    if count != 2 * layers + 1:
        return [f"{count} norms with epsilon 1e-6 in {layers} layers"]
    once = re.sub(r"epsilon (9\.99999\d*[eE]-0?7|1\.0*[eE]-0?6)", "epsilon 1.000000e-05", text, count=1)
    for name, source, differs in (("untouched", text, False), ("every norm", wrong, True), ("one norm", once, True)):
        path = os.path.join(work, "model.mlir")
        with open(path, "w") as out:
            out.write(source)
        for options, limit in (["--ds-reference=f64"], LOGITS), ([], 1e-4):
            # A name of its own: dlopen would give the first library again.
            model = compile_model(compiler, path, os.path.join(work, f"{name} {len(options)}.so"), *options)
            logits, _ = abi.Session(model, 1, 64).step([golden["single.ids"]], [0], [0])
            error = np.abs(logits.astype(np.float64) - golden["single.logits"]).max()
            if (error > limit) != differs:
                problems.append(f"{name}, {options or 'fast path'}: off by {error:.3g}, limit {limit:.3g}")
    return problems


def example(compiler, folder, work):
    """Greedy text, and how close the two best logits ever come."""
    model = compile_model(compiler, os.path.join(folder, "model.onnx"), os.path.join(work, "f64.so"), "--mode=lm", "--ds-reference=f64")
    tokenizer = json.load(open(os.path.join(folder, "tokenizer.json")))
    size = 1 + max(list(tokenizer["model"]["vocab"].values()) + [t["id"] for t in tokenizer["added_tokens"]])
    problems = []
    # Two cases: each token runs through all weights one by one.
    for case in json.load(open(os.path.join(folder, "expected.json")))["cases"][:2]:
        session = abi.Session(model, 1, len(case["ids"]) + len(case["greedy"]))
        rows, ids = greedy(session, case["ids"], len(case["greedy"]), size=size)
        if ids != case["greedy"]:
            problems.append(f"{case['prompt']!r}: {ids} instead of {case['greedy']}")
        best = np.sort(rows[:, :size].astype(np.float64), axis=1)
        check(problems, f"{case['prompt']!r}: smallest_gap", (best[:, -1] - best[:, -2]).min(), case["smallest_gap"], LOGITS)
    return problems


def main():
    compiler, golden, folder = (os.path.abspath(path) for path in sys.argv[1:])
    tests = [(f"f64 {name}", golden_file, os.path.join(golden, name)) for name in FILES]
    tests += [(f"f64 {name}", checkpoint_folder, os.path.join(golden, name)) for name in FOLDERS]
    tests += [("wrong epsilon", poisoned, os.path.join(golden, "v1-gqa/onnx/dynamo")), ("f64 " + os.path.basename(folder), example, folder)]
    passed = failed = 0
    for name, test, where in tests:
        problems = apart(test, compiler, where)
        passed, failed = passed + (not problems), failed + bool(problems)
        for problem in problems:
            print(f"FAILED {name}: {problem}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
