#!/usr/bin/env python3
"""Speed of single ops of graph mode: bytes read and written per second as a share of the plain read of memory, products in GOP/s.

usage: ops.py DS_COMPILE [--than OTHER_DS_COMPILE] [--cpu native --threads 1 --only TEXT]
With --than each op is also compiled by another ds-compile, runs take turns, and the last column is how much faster the first one is.
The plain read is measured in the same run (clang-22), on as many threads; of each figure the best run counts.
"""
import argparse
import ctypes
import subprocess
import tempfile
import time

import attention  # its yardsticks; knows where abi is
import numpy as np

abi = attention.abi
SHAPE = (512, 4099)
X = "tensor<512x4099xf32>"
# name: (op, result type)
OPS = {
    "softmax over the last": (f"ds.softmax %x 1 : {X} to {X}", X),
    "softmax over the first": (f"ds.softmax %x 0 : {X} to {X}", X),
    "log-softmax over the last": (f"ds.softmax %x 1 log : {X} to {X}", X),
    "sum over the last": (f"ds.reduce sum %x [1] : {X} to tensor<512xf32>", "tensor<512xf32>"),
    "sum over the first": (f"ds.reduce sum %x [0] : {X} to tensor<4099xf32>", "tensor<4099xf32>"),
    "max over the last": (f"ds.reduce max %x [1] : {X} to tensor<512xf32>", "tensor<512xf32>"),
    "arg max over the last": (f"ds.arg_reduce max %x 1 : {X} to tensor<512x1xi64>", "tensor<512x1xi64>"),
    "running sum along the last": (f"ds.cumulative sum %x 1 : {X} to {X}", X),
}
M, K, N = 512, 576, 1536
A, B, Y = f"tensor<{M}x{K}xui8>", f"tensor<{K}x{N}xi8>", f"tensor<{M}x{N}xi32>"
PRODUCT = f"product of bytes {M} x {K} x {N}"


def module(name):
    arguments = {"a": A, "b": B} if name == PRODUCT else {"x": X}
    op, result = (f"ds.matmul %a, %b : {A}, {B} to {Y}", Y) if name == PRODUCT else OPS[name]
    listed = ", ".join(f'%{n}: {t} {{ds.name = "{n}"}}' for n, t in arguments.items())
    return (f'func.func @graph({listed}) -> ({result} {{ds.name = "y"}}) attributes {{ds.entry = "graph"}} {{\n'
            f"  %y = {op}\n  return %y : {result}\n}}\n")


def main():
    # Results come from malloc: keep their pages instead of having them made anew for every call.
    ctypes.CDLL(None).mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    ctypes.CDLL(None).mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("compiler")
    parser.add_argument("--than", metavar="OTHER_DS_COMPILE")
    parser.add_argument("--cpu", default="native")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="")
    o = parser.parse_args()
    clock = time.thread_time if o.threads == 1 else time.perf_counter
    rng = np.random.default_rng(0)
    values = {"x": rng.standard_normal(SHAPE, np.float32), "a": rng.integers(0, 256, (M, K)).astype(np.uint8),
              "b": rng.integers(-128, 128, (K, N)).astype(np.int8)}
    with tempfile.TemporaryDirectory() as work:
        _, read = attention.yardsticks(work, o.threads, clock)
        print(f"{o.threads} threads; plain read {read:.1f} GB/s")
        for number, name in enumerate([*OPS, PRODUCT]):
            if o.only not in name:
                continue
            with open(f"{work}/op.mlir", "w") as f:
                f.write(module(name))
            models = []
            for which, compiler in enumerate(filter(None, [o.compiler, o.than])):
                library = f"{work}/{number}-{which}.so"
                subprocess.run([compiler, f"{work}/op.mlir", "--mode=graph", f"--cpu={o.cpu}", "-o", library], check=True)
                models.append(abi.Model(library, o.threads))
            inputs = {n: values[n] for n in (("a", "b") if name == PRODUCT else ("x",))}
            result = models[0].graph(inputs)["y"]
            times = [float("inf")] * len(models)
            for _ in range(4):
                for i, model in enumerate(models):
                    times[i] = min(times[i], attention.best(lambda: model.graph(inputs), clock, 0.3))
            if name == PRODUCT:
                figure = f"{2 * M * K * N / times[0] / 1e9:6.0f} GOP/s"
            else:
                rate = (values["x"].nbytes + result.nbytes) / times[0] / 1e9
                figure = f"{rate:6.1f} GB/s, {rate / read:4.0%} of the plain read"
            faster = f", {times[1] / times[0]:5.1f} times as fast" if o.than else ""
            print(f"{name:34} {times[0] * 1e3:7.2f} ms {figure}{faster}", flush=True)


if __name__ == "__main__":
    main()
