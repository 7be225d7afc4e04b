"""Routing decides as the formula says in f32: the golden models' routers, and the cases where decisions are easily got wrong.

usage: run_routing.py DS_COMPILE

The golden models' prompts (routing.safetensors, see make_routing.py): experts, loads and the next bias exactly, weights within the tolerance
of golden data; by the fast path and by the f64 reference. Corner cases: against numpy in f32, experts exactly. Random routers with scores that
rounding alone orders are in test/properties. Ends with "N passed, N failed".
"""
import os
import subprocess
import sys
import tempfile
import traceback

import numpy as np

import abi
from run_golden import read

COMPILER, = sys.argv[1:]
HERE = os.path.dirname(os.path.abspath(__file__))
WORK = tempfile.TemporaryDirectory()
F = np.float32


def router(name, experts, k, groups, kept, sigmoid, scale, by, fill, normalize, has_bias, options=()):
    """A library: logits (and bias, rate) -> weights, experts, loads (and next)."""
    base = os.path.join(WORK.name, name)
    arguments = [f'%logits: tensor<?x{experts}xf32> {{ds.name = "logits"}}']
    results = [f'tensor<?x{k}xf32> {{ds.name = "weights"}}', f'tensor<?x{k}xi32> {{ds.name = "experts"}}',
               f'tensor<{experts}xi32> {{ds.name = "loads"}}']
    kinds = f"tensor<?x{k}xf32>, tensor<?x{k}xi32>, tensor<{experts}xi32>"
    text = f"  %w, %e, %l = ds.route %logits"
    update, values = "", "%w, %e, %l"
    if has_bias:
        arguments += [f'%bias: tensor<{experts}xf32> {{ds.name = "bias"}}', '%rate: tensor<f32> {ds.name = "rate"}']
        text += f" bias %bias : tensor<{experts}xf32>"
        vector = f"tensor<{experts}xf32>"
        update = f"  %n = ds.update_route_bias %bias, %l rate %rate : {vector}, tensor<{experts}xi32>, tensor<f32> to {vector}\n"
        results.append(f'{vector} {{ds.name = "next"}}')
        values += ", %n"
    text += f" {'sigmoid' if sigmoid else 'softmax'} top {k} groups {groups} keep {kept} by {by} fill {fill}"
    text += ("" if normalize is None else f" normalize {normalize:e}") + f" scale {scale:e} : tensor<?x{experts}xf32> to {kinds}\n"
    types = kinds + (f", tensor<{experts}xf32>" if has_bias else "")
    with open(base + ".mlir", "w") as f:
        f.write(f'func.func @graph({", ".join(arguments)}) -> ({", ".join(results)}) attributes {{ds.entry = "graph"}} {{\n'
                f"{text}{update}  return {values} : {types}\n}}\n")
    subprocess.run([COMPILER, base + ".mlir", "-o", base + ".so", "--mode=graph", *options], check=True)
    return abi.Model(base + ".so", 1)


# ----- the golden models ------------------------------------------------------------------------------------------------
def golden(data, prefix, options):
    k, groups, kept, sigmoid, scale = data[prefix + "facts"]
    experts, has_bias = data[prefix + "logits"].shape[1], prefix + "bias" in data
    name = prefix + ("reference" if options else "fast")
    model = router(name, experts, int(k), int(groups), int(kept), sigmoid, scale, "top2sum" if sigmoid else "max",
                   "lowest" if sigmoid else "zero", 1e-20 if sigmoid else None, has_bias, options)
    inputs = {"logits": data[prefix + "logits"]}
    if has_bias:
        inputs |= {"bias": data[prefix + "bias"], "rate": F(0.001)}
    got = model.graph(inputs)
    assert np.array_equal(got["experts"], data[prefix + "experts"]), "other experts"
    assert np.array_equal(got["loads"], data[prefix + "load"]), "other loads"
    error = np.abs(got["weights"] - data[prefix + "weight"]).max()
    assert error <= (1e-6 if options else 1e-5) * scale, f"weights are off by {error}"
    if has_bias:
        assert got["next"].tobytes() == data[prefix + "bias_next"].tobytes(), "another next bias"


# ----- corners ----------------------------------------------------------------------------------------------------------
def first(values, count):
    """The `count` largest: NaN before every number, of equals the lower index."""
    return sorted(range(len(values)), key=lambda i: (not np.isnan(values[i]), 0 if np.isnan(values[i]) else -values[i], i))[:count]


def expected(logits, bias, k, groups, kept, sigmoid, scale, by, fill, normalize):
    """One token, all of it in f32."""
    with np.errstate(all="ignore"):
        if sigmoid:
            s = F(1) / (F(1) + np.exp(-logits, dtype=F))
        else:
            p = np.exp(logits - logits.max(), dtype=F)
            s = p / p.sum(dtype=F)
        t = s + (bias if bias is not None else F(0))
        members = np.arange(len(t)).reshape(groups, -1)
        count = 1 if by == "max" else 2
        g = [t[[m[i] for i in first(t[m], count)]].sum(dtype=F) for m in members]
        stay = np.isin(np.arange(len(t)), members[first(g, kept)])
        u = np.where(stay, t, F(0 if fill == "zero" else -np.inf))
        ids = sorted(first(u, k))
        w = s[ids]
        if normalize is not None:
            w = w / (w.sum(dtype=F) + F(normalize))
        return ids, w * F(scale)


def corner(name, rows, bias=None, k=2, groups=1, kept=1, sigmoid=True, scale=1.0, by="top2sum", fill="lowest", normalize=1e-20):
    rows = np.atleast_2d(np.asarray(rows, F))
    bias = None if bias is None else np.broadcast_to(np.asarray(bias, F), rows.shape[1:]).copy()
    facts = (k, groups, kept, sigmoid, scale, by, fill, normalize)
    model = router(name, rows.shape[1], *facts, bias is not None)
    inputs = {"logits": rows}
    if bias is not None:
        inputs |= {"bias": bias, "rate": F(0.5)}
    got = model.graph(inputs)
    want = [expected(row, bias, *facts) for row in rows]
    ids = np.array([i for i, _ in want], np.int32).reshape(len(rows), k)
    weights = np.array([w for _, w in want], F).reshape(len(rows), k)
    assert np.array_equal(got["experts"], ids), f"experts {got['experts'].tolist()}, expected {ids.tolist()}"
    assert np.allclose(got["weights"], weights, rtol=2e-6, atol=1e-30, equal_nan=True), f"weights {got['weights']}, expected {weights}"
    loads = np.bincount(ids.reshape(-1), minlength=rows.shape[1])
    assert np.array_equal(got["loads"], loads), "loads"
    if bias is not None:
        next_bias = bias + F(0.5) * np.sign(loads.sum() - len(loads) * loads).astype(F)
        assert np.array_equal(got["next"], next_bias), "next bias"
    return ids


def ids_are(got, *want):
    assert got.tolist() == [list(w) for w in want], f"{got.tolist()}, expected {want}"


def corners():
    """Name -> test; some say the answer in numbers, all are held against `expected`."""
    rng = np.random.default_rng(1)
    some = rng.normal(size=(17, 8)) * 3
    yield "no token", lambda: corner("none", np.empty((0, 8)), k=3)
    yield "one expert", lambda: ids_are(corner("one", [[3.0], [-50.0]], k=1), [0], [0])
    yield "every expert", lambda: ids_are(corner("every", some[:2], k=8, groups=4, kept=1), range(8), range(8))
    yield "a prime number of experts", lambda: corner("prime", rng.normal(size=(7, 13)), k=5)
    yield "all scores equal", lambda: ids_are(corner("equal", np.zeros((2, 8)), k=3, groups=4, kept=2), [0, 1, 2], [0, 1, 2])
    yield "ties go to the lower expert", lambda: ids_are(corner("ties", [[1, 2, 2, 1, 2, 2, 1, 0]], k=3), [1, 2, 4])
    yield "ties of groups go to the lower group", lambda: ids_are(
        corner("tied-groups", [[0, 1, 1, 0, 1, 0, 2, -9]], k=2, groups=4, kept=2), [1, 2])
    yield "groups of one", lambda: ids_are(corner("singles", [[0, 5, 1, 4, 2, 3, -1, -2]], k=2, groups=8, kept=3), [1, 3])
    yield "a bias of 12 hides scores of 1e-8", lambda: ids_are(
        # 12 + 1e-8 is 12 in f32: the tie goes to the lower expert, the score that weighs is the true one.
        corner("hidden", [[-18.42, -18.2, -18, -17]], bias=12, k=2, normalize=None), [0, 1])
    yield "a bias of 12 beside small ones", lambda: ids_are(corner("beside", [[-18.42, 9, 9, 9]], bias=[12, 0, 0, 0], k=2), [0, 1])
    yield "negative biases, minus infinity", lambda: ids_are(
        # All of the kept group is below 0: experts of other groups must not come first.
        corner("negative", [[2, 1, 0, -1]], bias=[-3, -3, -3.5, -3.5], k=2, groups=2, kept=1), [0, 1])
    yield "negative biases, zero", lambda: ids_are(
        corner("zero", [[2, 1, 0, -1]], bias=[-3, -3, -3.5, -3.5], k=2, groups=2, kept=1, fill="zero"), [2, 3])
    yield "biases of both signs", lambda: corner("signs", some, bias=rng.normal(size=8), k=3, groups=4, kept=2, scale=2.5)
    yield "sigmoids that are 1", lambda: ids_are(corner("ones", [[20, 30, 100, 1000, 16, 0, 0, 0]], k=3), [0, 1, 2])
    yield "sigmoids that are 0, epsilon", lambda: corner("zeros", np.full((1, 8), -200.0), k=2)
    yield "sigmoids that are 0, no epsilon", lambda: corner("zeros-bare", np.full((1, 8), -200.0), k=2, normalize=0.0)
    yield "tiny sigmoids", lambda: corner("tiny", [[-60, -61, -62, -70, -80, -65, -64, -63]], k=3)
    yield "softmax of far logits", lambda: corner("far", [[1000, 0, -1000, 999, 0, 0, 0, 0]], k=3, sigmoid=False, by="max", fill="zero",
                                                 normalize=None, scale=16.0)
    yield "softmax, groups by their best", lambda: corner("best", some, k=3, groups=4, kept=2, sigmoid=False, by="max", fill="zero", normalize=None)
    yield "softmax, normalised", lambda: corner("normalised", some, k=2, sigmoid=False, normalize=0.0)
    yield "a NaN is chosen and seen", lambda: ids_are(
        corner("nan", [[1, 9, np.nan, 3, 4, 5, 6, 7]], k=2, groups=4, kept=1), [2, 3])
    yield "only NaN", lambda: ids_are(corner("nans", np.full((1, 8), np.nan), k=3, groups=2, kept=1), [0, 1, 2])
    yield "infinite logits", lambda: corner("infinite", [[np.inf, -np.inf, 0, 1, np.inf, 2, -np.inf, 3]], k=4, groups=2, kept=1)
    yield "every token to one expert", lambda: ids_are(corner("all-to-one", np.tile([0, 0, 9, 0], (50, 1)), bias=0, k=1), *[[2]] * 50)


def main():
    data = read(os.path.join(HERE, "routing.safetensors"))
    tests = [(f"{name.removesuffix('.logits')} {kind}", lambda p=name.removesuffix("logits"), o=options: golden(data, p, o))
             for name in data if name.endswith(".logits") for kind, options in (("fast", ()), ("reference", ("--ds-reference=f64",)))]
    tests += corners()
    failed = 0
    for name, test in tests:
        try:
            test()
        except Exception:  # noqa: BLE001  reported as a failure
            failed += 1
            print(f"FAILED {name}: {traceback.format_exc()}")
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
