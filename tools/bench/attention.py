#!/usr/bin/env python3
"""Speed of cached attention: prefill as GFLOP/s and share of the FMA peak, decode as GB/s and share of the plain read of memory.

usage: attention.py DS_COMPILE [--heads 9 --kv-heads 3 --width 64 --type f32 --cpu native --threads 1]
Peak and read are measured in the same run (clang-22), on as many threads; of each figure the best run counts. On one thread time is the
thread's own, so that a busy machine disturbs less.
"""
import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import threading
import time

import ml_dtypes
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "test", "e2e"))
import abi  # noqa: E402

YARDSTICK = """
typedef float vector __attribute__((vector_size(64)));
/* 10 chains of multiply-adds hide their latency. */
float peak(long n) {
  vector x[10] = {0}, a = {1}, b = {2};
  for (long i = 0; i < n; ++i)
    for (int j = 0; j < 10; ++j) { x[j] = x[j] * a + b; __asm__("" : "+v"(x[j])); }
  for (int j = 1; j < 10; ++j) x[0] += x[j];
  return x[0][0];
}
float sum(const vector *p, long n) {
  vector x[8] = {0};
  for (long i = 0; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; ++j) x[j] += p[i + j];
  for (int j = 1; j < 8; ++j) x[0] += x[j];
  return x[0][0];
}
"""


def best(run, clock, seconds=2.0):
    end, least = time.perf_counter() + seconds, float("inf")
    while time.perf_counter() < end:
        start = clock()
        run()
        least = min(least, clock() - start)
    return least


def together(count, run):
    """`run(i)` on `count` threads at once; ctypes lets go of Python's lock."""
    if count == 1:
        return run(0)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def yardsticks(work, threads, clock):
    with open(f"{work}/y.c", "w") as f:
        f.write(YARDSTICK)
    subprocess.run(["clang-22", "-O2", "-march=native", "-mprefer-vector-width=512", "-ffp-contract=fast", "-shared", "-fPIC",
                    f"{work}/y.c", "-o", f"{work}/y.so"], check=True)
    library = ctypes.CDLL(f"{work}/y.so")
    library.peak.argtypes, library.sum.argtypes = [ctypes.c_long], [ctypes.c_void_p, ctypes.c_long]
    turns, share = 1_000_000, 64 << 20
    data = np.ones(threads * share // 4, np.float32)
    peak = threads * turns * 10 * 16 * 2 / best(lambda: together(threads, lambda i: library.peak(turns)), clock)
    read = threads * share / best(lambda: together(threads, lambda i: library.sum(data.ctypes.data + i * share, share // 64)), clock)
    return peak / 1e9, read / 1e9


def main():
    # The result comes from malloc: keep its pages instead of having them made anew for every call.
    ctypes.CDLL(None).mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    ctypes.CDLL(None).mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("compiler")
    parser.add_argument("--heads", type=int, default=9)
    parser.add_argument("--kv-heads", type=int, default=3)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--type", default="f32", choices=["f32", "bf16", "f16"])
    parser.add_argument("--cpu", default="native")
    parser.add_argument("--threads", type=int, default=1)
    o = parser.parse_args()
    dtype = {"f32": np.float32, "bf16": ml_dtypes.bfloat16, "f16": np.float16}[o.type]
    clock = time.thread_time if o.threads == 1 else time.perf_counter
    with tempfile.TemporaryDirectory() as work:
        q, c, i = f"tensor<?x{o.heads}x{o.width}xf32>", f"tensor<?x{o.kv_heads}x?x{o.width}x{o.type}>", "tensor<?xi32>"
        types = {"q": q, "k": c, "v": c, "starts": i, "past": i, "slots": i}
        with open(f"{work}/a.mlir", "w") as f:
            listed = ", ".join(f'%{n}: {t} {{ds.name = "{n}"}}' for n, t in types.items())
            f.write(f'func.func @graph({listed}) -> ({q} {{ds.name = "o"}}) attributes {{ds.entry = "graph"}} {{\n'
                    f"  %o = ds.cached_attention %q, %k, %v at %starts, %past, %slots scale {o.width ** -0.5} : {', '.join(types.values())} to {q}\n"
                    f"  return %o : {q}\n}}\n")
        subprocess.run([o.compiler, f"{work}/a.mlir", "-o", f"{work}/a.so", f"--cpu={o.cpu}"], check=True)
        model = abi.Model(f"{work}/a.so", o.threads)
        peak, read = yardsticks(work, o.threads, clock)
        print(f"{model.variant.name.decode()}, {o.threads} threads; FMA peak {peak:.0f} GFLOP/s, plain read {read:.1f} GB/s")
        rng = np.random.default_rng(0)
        for name, tokens, past, slots in (("prefill 512", 512, 0, 1), ("prefill 4096", 4096, 0, 1), ("decode at 4096, out of cache", 1, 4095, 64),
                                          ("decode at 4096, same keys again", 1, 4095, 1), ("decode at 256", 1, 255, 1)):
            k, v = (rng.standard_normal((slots, o.kv_heads, past + tokens, o.width), np.float32).astype(dtype) for _ in "kv")
            inputs = {"q": rng.standard_normal((tokens, o.heads, o.width), np.float32), "k": k, "v": v,
                      "starts": np.int32([0, tokens]), "past": np.int32([past]), "slots": np.int32([0])}

            def run():
                inputs["slots"] = (inputs["slots"] + 1) % np.int32(slots)
                model.graph(inputs)

            seconds = best(run, clock)
            pairs = tokens * past + tokens * (tokens + 1) // 2
            rate = pairs * o.heads * 4 * o.width / seconds / 1e9
            traffic = 2 * (past + tokens) * o.kv_heads * o.width * k.itemsize / seconds / 1e9
            print(f"{name:32} {seconds * 1e6:9.0f} us  {rate:7.1f} GFLOP/s, {rate / peak:5.2f} of the peak", end="")
            print(f"  {traffic:6.1f} GB/s, {traffic / read:5.2f} of the read" if tokens == 1 else "")


if __name__ == "__main__":
    main()
