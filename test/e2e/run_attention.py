"""Attention kernels against numpy in f64; bits of a row against chunks, batches, threads and what lies behind its keys.

usage: run_attention.py DS_COMPILE
Ends with "N passed, N failed".
"""
import os
import subprocess
import sys
import tempfile
import traceback

import ml_dtypes
import numpy as np

import abi

COMPILER, = sys.argv[1:]
WORK = tempfile.TemporaryDirectory()
TYPES = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
TOLERANCE = {"f32": 2e-5, "f16": 4e-3, "bf16": 3e-2}  # of the result's rounding, values around 1
# Several blocks and chunks of keys, single tokens, lengths at and beside multiples of them.
LENGTHS, SLOTS, ROOM = [137, 1, 600, 64, 257], [3, 0, 5, 1, 2], 600


def compiled(name, cpu, arguments, body, result):
    """`arguments`: name -> type; a library with the entry @graph."""
    base = os.path.join(WORK.name, f"{name}-{cpu}")
    with open(base + ".mlir", "w") as f:
        listed = ", ".join(f'%{a}: {t} {{ds.name = "{a}"}}' for a, t in arguments.items())
        f.write(f'func.func @graph({listed}) -> ({result} {{ds.name = "result"}}) attributes {{ds.entry = "graph"}} {{\n'
                f"  %result = {body}\n  return %result : {result}\n}}\n")
    subprocess.run([COMPILER, base + ".mlir", "-o", base + ".so", f"--cpu={cpu}", "--precision=exact"], check=True)
    return base + ".so"


def softmax_mix(q, k, v, scale, mask=0.0):
    """One row; all f64."""
    score = k @ q * scale + mask
    top = score.max(initial=-np.inf)
    if top == -np.inf:
        return np.zeros(v.shape[1])
    p = np.exp(score - top)
    return p @ v / p.sum()


def random(rng, shape, dtype, spread=1.0):
    return (rng.standard_normal(shape) * spread).astype(dtype)


def same(a, b):
    return a.shape == b.shape and a.tobytes() == b.tobytes()


def cached_inputs(parts, past, slots):
    starts = np.cumsum([0] + [len(p) for p in parts])
    return {"q": np.concatenate(parts), "starts": starts.astype(np.int32), "past": np.asarray(past, np.int32), "slots": np.asarray(slots, np.int32)}


def seen_of(caches, slot, seen):
    """The first `seen` rows of the slot; rows behind them, and all other slots, hold NaN."""
    kept = [np.full_like(c, np.nan) for c in caches]
    for new, old in zip(kept, caches):
        new[slot, :, :seen] = old[slot, :, :seen]
    return kept


def rows_of(run, queries):
    """The rows of every sequence; their bits depend on nothing but the sequence. run(parts, past, slots, which model, rows seen)."""
    whole = run(queries, [0] * len(SLOTS), SLOTS, 0)
    assert same(whole, run(queries, [0] * len(SLOTS), SLOTS, 1)), "bits depend on threads"
    rows = np.split(whole, np.cumsum(LENGTHS)[:-1])
    for chunk in (1, 7, 64):
        for slot, n, q, want in zip(SLOTS, LENGTHS, queries, rows):
            for first in range(0, n, chunk):
                if chunk == 1 and first % 64 not in (0, 1, 63) and first % 17:
                    continue
                end = min(n, first + chunk)
                got = run([q[first:end]], [first], [slot], chunk % 2, seen=end)
                assert same(got, want[first:end]), f"bits depend on chunks of {chunk}: row {first} of {n}"
    got = run([q[-1:] for q in queries], [n - 1 for n in LENGTHS], SLOTS, 1)
    assert same(got, np.stack([r[-1] for r in rows])), "bits depend on the batch"
    return rows


def filled_caches(rng, heads, widths, dtype, spreads):
    caches = [np.full((6, heads, ROOM, w), np.nan, dtype) for w in widths]
    for slot, n in zip(SLOTS, LENGTHS):
        for cache, width, spread in zip(caches, widths, spreads):
            cache[slot, :, :n] = random(rng, (heads, n, width), dtype, spread)
    return caches


def wide(x):
    return x.astype(np.float64)


def cached(cpu, heads, kv_heads, width, value_width, kind, result_kind):
    q, k, v = (f"tensor<?x{heads}x{width}x{result_kind}>", f"tensor<?x{kv_heads}x?x{width}x{kind}>",
               f"tensor<?x{kv_heads}x?x{value_width}x{kind}>")
    i, out, scale = "tensor<?xi32>", f"tensor<?x{heads}x{value_width}x{result_kind}>", width ** -0.5
    path = compiled(f"cached-{heads}-{kv_heads}-{width}-{value_width}-{kind}-{result_kind}", cpu,
                    {"q": q, "k": k, "v": v, "starts": i, "past": i, "slots": i},
                    f"ds.cached_attention %q, %k, %v at %starts, %past, %slots scale {scale} : {q}, {k}, {v}, {i}, {i}, {i} to {out}", out)
    models = abi.Model(path, 1), abi.Model(path, 2)
    rng = np.random.default_rng(1)
    queries = [random(rng, (n, heads, width), TYPES[result_kind], 2) for n in LENGTHS]
    keys, values = filled_caches(rng, kv_heads, (width, value_width), TYPES[kind], (2, 1))

    def run(parts, past, slots, model, seen=None):
        k, v = (keys, values) if seen is None else seen_of((keys, values), slots[0], seen)
        return models[model].graph(cached_inputs(parts, past, slots) | {"k": k, "v": v})["result"]
    for slot, n, q, got in zip(SLOTS, LENGTHS, queries, rows_of(run, queries)):
        for row in range(n):
            for h in range(heads):
                at = slot, h * kv_heads // heads, slice(row + 1)
                want = softmax_mix(wide(q[row, h]), wide(keys[at]), wide(values[at]), scale)
                error = np.abs(wide(got[row, h]) - want).max()
                assert error <= TOLERANCE[result_kind], f"row {row} of {n}, head {h}: error {error}"


def latent(cpu, heads, plain, rotated, rank, width, kind):
    """Both forms of latent attention, f32 in between, against each other too: the query times W_UK, the result times W_UV."""
    scale, i = 1.3 * (plain + rotated) ** -0.5, "tensor<?xi32>"
    rng = np.random.default_rng(3)
    of_keys, of_values = (random(rng, (heads, n, rank), np.float32, rank ** -0.5) for n in (plain, width))
    caches = filled_caches(rng, 1, (rank, rotated), TYPES[kind], (1, 2))
    queries = [random(rng, (n, heads, plain + rotated), np.float32, 2) for n in LENGTHS]
    absorbed = [np.concatenate([np.einsum("nhp,hpc->nhc", q[..., :plain], of_keys), q[..., plain:]], -1) for q in queries]
    kinds = {"c": f"tensor<?x1x?x{rank}x{kind}>", "r": f"tensor<?x1x?x{rotated}x{kind}>"}
    weights = {"k": f"tensor<{heads}x{plain}x{rank}xf32>", "v": f"tensor<{heads}x{width}x{rank}xf32>"}

    def form(op, q_width, out_width, text, extra, values):
        arguments = {"q": f"tensor<?x{heads}x{q_width}xf32>"} | kinds | extra | {"starts": i, "past": i, "slots": i}
        out = f"tensor<?x{heads}x{out_width}xf32>"
        path = compiled(f"{op}-{heads}-{plain}-{rotated}-{rank}-{width}-{kind}", cpu, arguments,
                        f"ds.{op} %q, %c, %r{text} at %starts, %past, %slots scale {scale} : {', '.join(arguments.values())} to {out}", out)
        models = abi.Model(path, 1), abi.Model(path, 2)

        def run(parts, past, slots, model, seen=None):
            c, r = caches if seen is None else seen_of(caches, slots[0], seen)
            return models[model].graph(cached_inputs(parts, past, slots) | {"c": c, "r": r} | values)["result"]
        return run
    first = rows_of(form("mla", plain + rotated, width, " expand %k, %v", weights, {"k": of_keys, "v": of_values}), queries)
    second = rows_of(form("mla_absorbed", rank + rotated, rank, "", {}, {}), absorbed)
    for slot, n, q, expanded, mixed in zip(SLOTS, LENGTHS, queries, first, second):
        latents, ropes = (wide(c[slot, 0]) for c in caches)
        for row, h in np.ndindex(n, heads):
            c, r = latents[:row + 1], ropes[:row + 1]
            want = softmax_mix(wide(q[row, h]), np.concatenate([c @ wide(of_keys[h]).T, r], -1), c @ wide(of_values[h]).T, scale)
            for name, got in (("expanded", wide(expanded[row, h])), ("absorbed", wide(of_values[h]) @ wide(mixed[row, h]))):
                error = np.abs(got - want).max()
                assert error <= TOLERANCE["f32"], f"{name}: row {row} of {n}, head {h}: error {error}"


def narrow_latent(cpu, heads, rotated, rank):
    """The absorbed form with queries, latents and results of bf16, which a processor may multiply in pairs."""
    scale, i, result = 0.7 * (rank + rotated) ** -0.5, "tensor<?xi32>", f"tensor<?x{heads}x{rank}xbf16>"
    rng = np.random.default_rng(4)
    caches = filled_caches(rng, 1, (rank, rotated), ml_dtypes.bfloat16, (1, 2))
    queries = [random(rng, (n, heads, rank + rotated), ml_dtypes.bfloat16, 2) for n in LENGTHS]
    arguments = {"q": f"tensor<?x{heads}x{rank + rotated}xbf16>", "c": f"tensor<?x1x?x{rank}xbf16>", "r": f"tensor<?x1x?x{rotated}xbf16>",
                 "starts": i, "past": i, "slots": i}
    path = compiled(f"narrow-{heads}-{rotated}-{rank}", cpu, arguments,
                    f"ds.mla_absorbed %q, %c, %r at %starts, %past, %slots scale {scale} : {', '.join(arguments.values())} to {result}", result)
    models = abi.Model(path, 1), abi.Model(path, 2)

    def run(parts, past, slots, model, seen=None):
        c, r = caches if seen is None else seen_of(caches, slots[0], seen)
        return models[model].graph(cached_inputs(parts, past, slots) | {"c": c, "r": r})["result"]
    for slot, n, q, got in zip(SLOTS, LENGTHS, queries, rows_of(run, queries)):
        c, r = (wide(cache[slot, 0]) for cache in caches)
        for row, h in np.ndindex(n, heads):
            want = softmax_mix(wide(q[row, h]), np.concatenate([c, r], -1)[:row + 1], c[:row + 1], scale)
            error = np.abs(wide(got[row, h]) - want).max()
            assert error <= TOLERANCE["bf16"], f"row {row} of {n}, head {h}: error {error}"


def narrow_expanded(cpu, heads, plain, rotated, rank, width):
    """The expanded form where all is bf16: keys and values that are made may be rounded to bf16."""
    scale, i, result = 0.7 * (plain + rotated) ** -0.5, "tensor<?xi32>", f"tensor<?x{heads}x{width}xbf16>"
    rng, bf16 = np.random.default_rng(5), ml_dtypes.bfloat16
    of_keys, of_values = (random(rng, (heads, n, rank), bf16, rank ** -0.5) for n in (plain, width))
    caches = filled_caches(rng, 1, (rank, rotated), bf16, (1, 1))
    queries = [random(rng, (n, heads, plain + rotated), bf16) for n in LENGTHS]
    arguments = {"q": f"tensor<?x{heads}x{plain + rotated}xbf16>", "c": f"tensor<?x1x?x{rank}xbf16>", "r": f"tensor<?x1x?x{rotated}xbf16>",
                 "k": f"tensor<{heads}x{plain}x{rank}xbf16>", "v": f"tensor<{heads}x{width}x{rank}xbf16>", "starts": i, "past": i, "slots": i}
    path = compiled(f"narrow-{heads}-{plain}-{rotated}-{rank}-{width}", cpu, arguments,
                    f"ds.mla %q, %c, %r expand %k, %v at %starts, %past, %slots scale {scale} : {', '.join(arguments.values())} to {result}", result)
    models = abi.Model(path, 1), abi.Model(path, 2)

    def run(parts, past, slots, model, seen=None):
        c, r = caches if seen is None else seen_of(caches, slots[0], seen)
        return models[model].graph(cached_inputs(parts, past, slots) | {"c": c, "r": r, "k": of_keys, "v": of_values})["result"]
    for slot, n, q, got in zip(SLOTS, LENGTHS, queries, rows_of(run, queries)):
        c, r = (wide(cache[slot, 0]) for cache in caches)
        for h in range(heads):
            keys, values = np.concatenate([c @ wide(of_keys[h]).T, r], -1), c @ wide(of_values[h]).T
            for row in range(n):
                want = softmax_mix(wide(q[row, h]), keys[:row + 1], values[:row + 1], scale)
                error = np.abs(wide(got[row, h]) - want).max()
                assert error <= TOLERANCE["bf16"], f"row {row} of {n}, head {h}: error {error}"


def dense(cpu, heads, kv_heads, width, value_width, kind, causal, mask_kind, mask_shape):
    q, k, v = (f"tensor<?x?x{heads}x{width}x{kind}>", f"tensor<?x{kv_heads}x?x{width}x{kind}>",
               f"tensor<?x{kv_heads}x?x{value_width}x{kind}>")
    out, scale = f"tensor<?x?x{heads}x{value_width}x{kind}>", width ** -0.5
    arguments = {"q": q, "k": k, "v": v}
    used = ""
    if mask_kind:
        mask = "tensor<" + "".join(f"{d}x" for d in mask_shape) + f"{mask_kind}>"
        arguments["mask"], used = mask, f" mask %mask : {mask}"
    name = f"dense-{heads}-{kv_heads}-{width}-{value_width}-{kind}-{int(causal)}-{mask_kind}-{len(mask_shape)}"
    path = compiled(name, cpu, arguments,
                    f"ds.attention %q, %k, %v{used} scale {scale}{' causal' if causal else ''} : {q}, {k}, {v} to {out}", out)
    models = abi.Model(path, 1), abi.Model(path, 2)
    rng = np.random.default_rng(2)
    for batch, rows, length in ((2, 70, 70), (1, 1, 130), (3, 5, 66), (1, 40, 30)):
        inputs = {"q": random(rng, (batch, rows, heads, width), TYPES[kind], 2),
                  "k": random(rng, (batch, kv_heads, length, width), TYPES[kind], 2),
                  "v": random(rng, (batch, kv_heads, length, value_width), TYPES[kind])}
        added = np.zeros((batch, heads, rows, length))
        if mask_kind:
            sizes = [s if d == "?" else int(d) for d, s in zip(mask_shape, added.shape[-len(mask_shape):])]
            if mask_kind == "i1":
                inputs["mask"] = rng.random(sizes) < 0.7
                inputs["mask"][..., 0, :] = False  # a row that sees nothing
                added = added + np.where(inputs["mask"], 0, -np.inf)
            else:
                inputs["mask"] = random(rng, sizes, TYPES[mask_kind])
                # All keys forbidden by the lowest number are all allowed alike.
                inputs["mask"][..., 0, :] = np.finfo(np.float32).min
                added = added + inputs["mask"].astype(np.float64)
                added[added < -1e38] = -np.inf
        if causal:
            ahead = np.arange(length) > np.arange(rows)[:, None] + length - rows
            added = np.where(ahead, -np.inf, added)
        got = models[0].graph(inputs)["result"]
        assert same(got, models[1].graph(inputs)["result"]), "bits depend on threads"
        for b, s, h in np.ndindex(batch, rows, heads):
            kv = h * kv_heads // heads
            row = added[b, h, s]
            k, v = inputs["k"][b, kv].astype(np.float64), inputs["v"][b, kv].astype(np.float64)
            if mask_kind not in (None, "i1") and np.all(row == -np.inf):
                visible = length if not causal else max(0, s + length - rows + 1)
                want = v[:visible].mean(0) if visible else np.zeros(value_width)
            else:
                want = softmax_mix(inputs["q"][b, s, h].astype(np.float64), k, v, scale, row)
            error = np.abs(got[b, s, h].astype(np.float64) - want).max()
            assert error <= TOLERANCE[kind], f"{(batch, rows, length)}: row {b, s, h}: error {error}"


CASES = []
for cpu in ("native", "x86-64-v3"):
    CASES += [(cached, (cpu, 9, 3, 64, 64, "f32", "f32")), (cached, (cpu, 4, 4, 12, 24, "bf16", "f32")), (cached, (cpu, 6, 2, 64, 64, "bf16", "f32")),
              (cached, (cpu, 8, 1, 80, 40, "f16", "f16")), (cached, (cpu, 7, 1, 5, 3, "f32", "f32")),
              (cached, (cpu, 9, 3, 64, 64, "bf16", "bf16")), (cached, (cpu, 4, 4, 12, 24, "bf16", "bf16")), (cached, (cpu, 3, 3, 6, 20, "bf16", "bf16")),
              (cached, (cpu, 2, 1, 7, 5, "bf16", "bf16")), (narrow_latent, (cpu, 5, 6, 80)), (narrow_latent, (cpu, 34, 2, 12)),
              (narrow_expanded, (cpu, 3, 8, 6, 20, 24)), (narrow_expanded, (cpu, 2, 16, 2, 34, 20)), (narrow_expanded, (cpu, 1, 3, 2, 7, 5)),
              (latent, (cpu, 3, 8, 6, 20, 5, "f32")), (latent, (cpu, 1, 5, 2, 7, 9, "bf16")),
              (latent, (cpu, 34, 3, 2, 65, 2, "bf16")), (cached, (cpu, 80, 2, 3, 4, "f32", "f32")),
              (dense, (cpu, 4, 2, 24, 24, "f32", True, None, "")), (dense, (cpu, 3, 3, 16, 80, "f32", False, "i1", "?1??")),
              (dense, (cpu, 6, 1, 16, 16, "f32", False, "f32", "??"))]

passed = failed = 0
for function, arguments in CASES:
    try:
        function(*arguments)
        passed += 1
    except (AssertionError, subprocess.CalledProcessError) as error:
        failed += 1
        print(f"FAILED {function.__name__}{arguments}: {error}")
    except Exception:  # a test that breaks has failed
        failed += 1
        print(f"FAILED {function.__name__}{arguments}:")
        traceback.print_exc()
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
