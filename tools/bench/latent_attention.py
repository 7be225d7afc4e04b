#!/usr/bin/env python3
"""Attention of DeepSeek V2 and V3, that operation alone: absorbed over latents, keys and values of every head cached, and latents expanded at every call.

usage: latent_attention.py DS_COMPILE [--heads 16 --rank 512 --plain 128 --rope 64 --value 128 --type bf16 --length 8192 --cpu native --threads 2]
Decoding one token, and calls of more tokens behind --length keys: where the two forms over latents cost the same is the break-even. Caches lie in memory, not
in processor caches. Peak and read are measured in the same run (clang-22), and the forms take turns; of each figure the best run counts.
"""
import argparse
import ctypes
import subprocess
import tempfile
import time

import attention  # its yardsticks; knows where abi is
import ml_dtypes
import numpy as np

abi = attention.abi


def main():
    # The result comes from malloc: keep its pages instead of having them made anew for every call.
    ctypes.CDLL(None).mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    ctypes.CDLL(None).mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("compiler")
    for name, default in (("heads", 16), ("rank", 512), ("plain", 128), ("rope", 64), ("value", 128), ("length", 8192), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--type", default="bf16", choices=["f32", "bf16", "f16"], help="of the caches")
    parser.add_argument("--query", default="bf16", choices=["f32", "bf16", "f16"], help="of queries and results")
    parser.add_argument("--cpu", default="native")
    parser.add_argument("--tokens", default="1,2,16,64,128,171,256,512", help="of the calls, separated by commas")
    o = parser.parse_args()
    types_of = {"f32": np.float32, "bf16": ml_dtypes.bfloat16, "f16": np.float16}
    dtype = types_of[o.type]
    h, c, p, r, v = o.heads, o.rank, o.plain, o.rope, o.value
    i, scale, t, of_query = "tensor<?xi32>", (p + r) ** -0.5, o.type, o.query
    at = "at %starts, %past, %slots"
    query, wide = f"tensor<?x{h}x{p + r}x{of_query}>", f"tensor<?x{h}x{c + r}x{of_query}>"
    latent, rope, keys, values = (f"tensor<?x{heads}x?x{width}x{t}>" for heads, width in ((1, c), (1, r), (h, p + r), (h, v)))
    uk, uv, result, mixed = f"tensor<{h}x{p}x{c}xbf16>", f"tensor<{h}x{v}x{c}xbf16>", f"tensor<?x{h}x{v}x{of_query}>", f"tensor<?x{h}x{c}x{of_query}>"
    forms = {
        "absorbed": ({"q": wide, "c": latent, "r": rope}, "ds.mla_absorbed %q, %c, %r", mixed),
        "keys and values": ({"q": query, "k": keys, "v": values}, "ds.cached_attention %q, %k, %v", result),
        "expanded": ({"q": query, "c": latent, "r": rope, "uk": uk, "uv": uv}, "ds.mla %q, %c, %r expand %uk, %uv", result)}
    models = {}
    with tempfile.TemporaryDirectory() as work:
        for number, (name, (arguments, op, out)) in enumerate(forms.items()):
            types = arguments | {n: i for n in ("starts", "past", "slots")}
            listed = ", ".join(f'%{n}: {x} {{ds.name = "{n}"}}' for n, x in types.items())
            with open(f"{work}/{number}.mlir", "w") as f:
                f.write(f'func.func @graph({listed}) -> ({out} {{ds.name = "o"}}) attributes {{ds.entry = "graph"}} {{\n'
                        f"  %o = {op} {at} scale {scale} : {', '.join(types.values())} to {out}\n  return %o : {out}\n}}\n")
            subprocess.run([o.compiler, f"{work}/{number}.mlir", "-o", f"{work}/{number}.so", f"--cpu={o.cpu}"], check=True)
            models[name] = abi.Model(f"{work}/{number}.so", o.threads)
        peak, read = attention.yardsticks(work, o.threads, time.perf_counter)
    print(f"{models['absorbed'].variant.name.decode()}, {o.threads} threads; FMA peak {peak:.0f} GFLOP/s, plain read {read:.1f} GB/s")
    rng = np.random.default_rng(0)

    def random(*shape, type=dtype):
        return rng.standard_normal(shape, np.float32).astype(type)

    most = max(int(n) for n in o.tokens.split(","))
    room, slots = o.length + most, 3
    width = {"q": p + r, "c": c, "r": r, "k": p + r, "v": v}
    cache = {n: random(slots, h if n in "kv" else 1, room, width[n]) for n in "crkv"}
    weights = {"uk": random(h, p, c, type=ml_dtypes.bfloat16) * ml_dtypes.bfloat16(c ** -0.5),
               "uv": random(h, v, c, type=ml_dtypes.bfloat16) * ml_dtypes.bfloat16(c ** -0.5)}
    for tokens in map(int, o.tokens.split(",")):
        times = dict.fromkeys(forms, float("inf"))
        call = {"starts": np.int32([0, tokens]), "past": np.int32([o.length - 1]), "slots": np.int32([0])}
        queries = {"absorbed": random(tokens, h, c + r, type=types_of[o.query])}
        queries["expanded"] = queries["keys and values"] = queries["absorbed"][:, :, :p + r].copy()
        for turn in range(3):
            for name, (arguments, _, _) in forms.items():
                inputs = {n: a for n, a in (cache | weights).items() if n in arguments} | call | {"q": queries[name]}

                def run():
                    inputs["slots"] = (inputs["slots"] + 1) % np.int32(slots)
                    models[name].graph(inputs)
                times[name] = min(times[name], attention.best(run, time.perf_counter, 0.5))
        pairs = tokens * (o.length - 1) + tokens * (tokens + 1) // 2
        flops = {"absorbed": pairs * h * 2 * (2 * c + r), "keys and values": pairs * h * 2 * (p + r + v)}
        flops["expanded"] = flops["keys and values"] + (o.length - 1 + tokens) * h * 2 * c * (p + v)
        print(f"{tokens} tokens behind {o.length - 1}:")
        for name in forms:
            print(f"  {name:16} {times[name] * 1e6:10.0f} us, {flops[name] / times[name] / 1e9 / peak:5.2f} of the peak", end="")
            if tokens == 1:
                bytes_read = o.length * np.dtype(dtype).itemsize * (h * (p + r + v) if name == "keys and values" else c + r)
                print(f", {bytes_read / times[name] / 1e9 / read:5.2f} of the read", end="")
            print(f", absorbed is {times[name] / times['absorbed']:.2f} times as fast" if name != "absorbed" else "")


if __name__ == "__main__":
    main()
