"""Measures how compile time and memory grow with the number of layers: 100 layers against 10.

usage: compile_scaling.py DS_COMPILE [--layers 10,100] [--limit 12] [--emit ds-opt]

Writes LLaMA-shaped models with small random weights (llama_onnx.py), compiles each to --emit (import and raising, nothing below) and
prints seconds, peak memory and the ratio. The last line is `1 passed, 0 failed` if the ratio of times is at most --limit.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

GENERATOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "llama_onnx.py")
SHAPE = ["--hidden", "32", "--heads", "4", "--kv-heads", "2", "--intermediate", "48", "--vocabulary", "64"]


def compile_once(compiler, model, emit):
    """Seconds and peak resident MiB of one compilation."""
    start = time.monotonic()
    process = subprocess.Popen([compiler, model, f"--emit={emit}"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{compiler} failed on {model}")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("--layers", default="10,100")
    parser.add_argument("--limit", type=float, default=12, help="largest allowed ratio of times, per tenfold of layers")
    parser.add_argument("--emit", default="ds-opt")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many runs counts")
    args = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as work:
        for layers in map(int, args.layers.split(",")):
            folder = os.path.join(work, str(layers))
            subprocess.run([sys.executable, GENERATOR, folder, "--layers", str(layers), *SHAPE], check=True)
            model = os.path.join(folder, "model.onnx")
            runs = [compile_once(args.compiler, model, args.emit) for _ in range(args.repeats)]
            results.append((layers, min(t for t, _ in runs), min(m for _, m in runs)))
            print(f"{layers:4} layers: {results[-1][1]:7.3f} s, {results[-1][2]:6.0f} MiB", flush=True)
    ratio, memory = results[-1][1] / results[0][1], results[-1][2] / results[0][2]
    allowed = args.limit * (results[-1][0] / results[0][0]) / 10
    print(f"ratio: {ratio:.1f} in time (allowed {allowed:g}), {memory:.1f} in memory")
    print("1 passed, 0 failed" if ratio <= allowed else "0 passed, 1 failed")
    return ratio > allowed


if __name__ == "__main__":
    sys.exit(main())
