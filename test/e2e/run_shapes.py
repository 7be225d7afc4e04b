"""Odd shapes of language models: graph mode and the step on tokens give what the onnx package's reference evaluator gives; the step also in two
chunks and beside another sequence.

usage: run_shapes.py DS_COMPILE WRITER
WRITER is tools/bench/llama_onnx.py. Shapes are those that views tend to get wrong: one head, one key-value head, one layer, unit and prime sizes.
Ends with "N passed, N failed".
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
from onnx.reference import ReferenceEvaluator

import abi

COMPILER, WRITER = sys.argv[1:]
TOLERANCE = 2e-5  # f32, sums of at most some hundred terms; relative to the largest logit, at least 1
SHAPES = [  # hidden, layers, heads, kv_heads, head_dim, intermediate, vocabulary, tied
    (24, 2, 2, 1, 8, 17, 33, True),  # one key-value head
    (24, 1, 1, 1, 8, 17, 33, True),  # one head
    (7, 1, 1, 1, 2, 1, 2, False),  # the smallest
    (16, 2, 2, 2, 8, 16, 64, False),  # as many key-value heads as heads
    (37, 3, 15, 5, 6, 41, 101, True),  # primes, groups of three
    (64, 1, 8, 1, 64, 96, 257, True),  # heads wider together than the model
]


def problem(work, shape):
    hidden, layers, heads, kv_heads, head_dim, intermediate, vocabulary, tied = shape
    folder = os.path.join(work, "x".join(map(str, shape)))
    subprocess.run([sys.executable, WRITER, folder, f"--hidden={hidden}", f"--layers={layers}", f"--heads={heads}", f"--kv-heads={kv_heads}",
                    f"--head-dim={head_dim}", f"--intermediate={intermediate}", f"--vocabulary={vocabulary}", *([] if tied else ["--untied"])],
                   check=True, stdout=subprocess.DEVNULL)
    models = {}
    for mode in ("graph", "lm"):
        library = os.path.join(folder, mode + ".so")
        result = subprocess.run([COMPILER, os.path.join(folder, "model.onnx"), f"--mode={mode}", "--cpu=native", "--precision=exact",
                                 "--require-fast", "-o", library], capture_output=True, text=True)
        if result.returncode:
            return f"{mode}: {result.stderr.strip()[:300]}"
        models[mode] = abi.Model(library)
    rng = np.random.default_rng(1)
    count = 11
    ids = rng.integers(0, vocabulary, (1, count))
    inputs = {}
    graph = models["graph"].model
    for info in graph.inputs[: graph.input_count]:
        name, rank = info.name.decode(), info.rank
        if rank == 4:
            inputs[name] = np.zeros((1, kv_heads, 0, head_dim), np.float32)
        else:
            inputs[name] = {"input_ids": ids, "attention_mask": np.ones_like(ids), "position_ids": np.arange(count)[None]}[name]
    want = ReferenceEvaluator(os.path.join(folder, "model.onnx")).run(["logits"], inputs)[0][0]
    limit = TOLERANCE * max(1.0, np.abs(want).max())

    whole = abi.Session(models["lm"], 2, 16)
    got, _ = whole.step([ids[0]], [0], [1])
    for mode, logits in ("graph", models["graph"].graph(inputs)["logits"][0]), ("lm", got):
        error = np.abs(logits - want).max()
        if not error <= limit:
            return f"{mode}: off by {error:.3g}, allowed {limit:.3g}"
    parts = abi.Session(models["lm"], 2, 16)
    first, _ = parts.step([ids[0][:4]], [0], [0])
    both, _ = parts.step([ids[0][4:], ids[0][:5]], [4, 0], [0, 1])
    if np.concatenate([first, both[:count - 4]]).tobytes() != got.tobytes() or both[count - 4:].tobytes() != got[:5].tobytes():
        return "bits depend on chunks or company"
    return None


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as work:
        for shape in SHAPES:
            why = problem(work, shape)
            passed, failed = passed + (why is None), failed + (why is not None)
            if why:
                print(f"FAILED {shape}: {why}")
    print(f"{passed} passed, {failed} failed")


if __name__ == "__main__":
    main()
