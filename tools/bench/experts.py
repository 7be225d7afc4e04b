#!/usr/bin/env python3
"""The layer of experts alone: its time for other numbers of experts, and what routing has of it.

usage: experts.py DS_COMPILE [--experts 16,64,160 --top-k 6 --hidden 2048 --width 1408 --tokens 512 --cpu native --threads 2]
For each number of experts the time of `ds.route` and `ds.moe` (bf16 weights; random logits, so that experts are hit alike), less that of reading the weights
of the experts that were hit at the plain read of memory measured in the same run (clang-22); then the time of `ds.route` and
`ds.group_tokens` as a share. Libraries take turns; of each figure the best run counts. Weights take 6 · experts · hidden · width bytes on disk.
"""
import argparse
import ctypes
import subprocess
import tempfile
import time

import attention  # its yardsticks; knows where abi is
import numpy as np

abi = attention.abi


def layer(o, experts):
    d, i, k = o.hidden, o.width, o.top_k
    route = (f"  %w, %e, %n = ds.route %l softmax top {k} groups 1 keep 1 by max fill zero scale 1.0 : tensor<?x{experts}xf32> to "
             f"tensor<?x{k}xf32>, tensor<?x{k}xi32>, tensor<{experts}xi32>\n")
    inputs = f'%x: tensor<?x{d}xf32> {{ds.name = "x"}}, %l: tensor<?x{experts}xf32> {{ds.name = "l"}}'
    up, down = f"tensor<{experts}x{i}x{d}xbf16>", f"tensor<{experts}x{d}x{i}xbf16>"
    whole = "".join(f"ds.parameter @{n} : {t} = dense<{v}> : {t}\n" for n, t, v in (("g", up, 0.01), ("u", up, 0.02), ("d", down, 0.01)))
    whole += f'func.func @graph({inputs}) -> (tensor<?x{d}xf32> {{ds.name = "y"}}) attributes {{ds.entry = "graph"}} {{\n' + route
    whole += "".join(f"  %{n} = ds.load_parameter @{n} : {t}\n" for n, t in (("g", up), ("u", up), ("d", down)))
    whole += (f"  %y = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<?x{d}xf32>, tensor<?x{k}xf32>, tensor<?x{k}xi32>, {up}, "
              f"{up}, {down} to tensor<?x{d}xf32>\n  return %y : tensor<?x{d}xf32>\n}}\n")
    types = ["tensor<?xi32>", f"tensor<?x{k}xi32>", f"tensor<{experts + 1}xi32>", "tensor<?x3xi32>", "tensor<i32>"]
    named = ", ".join(f'{t} {{ds.name = "{n}"}}' for n, t in zip("abcde", types))
    routing = (f'func.func @graph({inputs}) -> ({named}) attributes {{ds.entry = "graph"}} {{\n' + route +
               f"  %a, %b, %c, %f, %g = ds.group_tokens %e of {experts} tiles 64 : tensor<?x{k}xi32> to {', '.join(types)}\n"
               f"  return %a, %b, %c, %f, %g : {', '.join(types)}\n}}\n")
    return whole, routing


def main():
    # Results come from malloc: keep their pages instead of having them made anew for every call.
    ctypes.CDLL(None).mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    ctypes.CDLL(None).mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("compiler")
    parser.add_argument("--experts", default="16,64,160")
    for name, default in (("top-k", 6), ("hidden", 2048), ("width", 1408), ("tokens", 512), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--cpu", default="native")
    o = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as work:
        _, read = attention.yardsticks(work, o.threads, time.perf_counter)
        print(f"{o.threads} threads, {o.tokens} tokens, {o.top_k} experts each; plain read {read:.1f} GB/s")
        runs, times = {}, {}
        for experts in map(int, o.experts.split(",")):
            inputs = {"x": rng.standard_normal((o.tokens, o.hidden), np.float32), "l": rng.standard_normal((o.tokens, experts), np.float32)}
            hit = len(np.unique(np.argsort(-inputs["l"], axis=1)[:, :o.top_k]))
            for name, text in zip(("layer", "routing"), layer(o, experts)):
                path = f"{work}/{name}-{experts}"
                with open(path + ".mlir", "w") as f:
                    f.write(text)
                subprocess.run([o.compiler, path + ".mlir", "-o", path + ".so", f"--cpu={o.cpu}"], check=True)
                runs[experts, name] = abi.Model(path + ".so", o.threads), inputs, hit
                times[experts, name] = float("inf")
        for _ in range(4):
            for which, (model, inputs, _) in runs.items():
                times[which] = min(times[which], attention.best(lambda: model.graph(inputs), time.perf_counter, 0.7))
        least = None
        for (experts, name), seconds in times.items():
            if name != "layer":
                continue
            weights = 6 * runs[experts, name][2] * o.hidden * o.width / read / 1e9
            rest = seconds - weights
            least = least or rest
            print(f"{experts:4} experts: {seconds * 1e3:8.2f} ms, reading weights {weights * 1e3:7.2f} ms, the rest {rest * 1e3:8.2f} ms, "
                  f"{rest / least:.2f} of the first's; routing and grouping {times[experts, 'routing'] * 1e6:6.0f} us, "
                  f"{100 * times[experts, 'routing'] / seconds:.2f} % of the layer")


if __name__ == "__main__":
    main()
