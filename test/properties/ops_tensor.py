"""Properties of the tensor ops (DsTensorOps.td): one generator per op."""
import warnings

import numpy as np

from case import (COLUMNS, DTYPES, EPSILON, FLOAT8, FLOATS, LONG, NIBBLES, SIGNED, SIZES, SMALL, TINY, UNSIGNED, Derived, Dim, One, Product, function, integers, limits, normal, rounding,
                  special, summed, tensor, uniform, values)

ALL = FLOATS + SIGNED + UNSIGNED + ["i1"]
# What ops that only move elements take.
MOVED = ALL + FLOAT8 + NIBBLES


def functional(inputs, result):
    return f"({', '.join(inputs)}) -> {result}"


# ----- elementwise ------------------------------------------------------------------------------------------------------
UNARY_FUNCTIONS = {
    "exp": uniform(-20, 20), "log": uniform(1e-6, 50), "sin": uniform(-9, 9), "cos": uniform(-9, 9), "tan": uniform(-1.5, 1.5),
    "asin": uniform(-1, 1), "acos": uniform(-1, 1), "atan": normal(4), "sinh": uniform(-9, 9), "cosh": uniform(-9, 9),
    "tanh": normal(2), "asinh": normal(5), "acosh": uniform(1, 40), "atanh": uniform(-0.99, 0.99), "erf": normal(1.5),
    "sigmoid": normal(6)}
# Their results are the exact ones, rounded once: no difference is allowed.
UNARY_EXACT = ["neg", "abs", "sign", "sqrt", "reciprocal", "floor", "ceil", "roundeven"]
TESTS = ["isnan", "isposinf", "isneginf"]
BINARY_EXACT = ["add", "sub", "mul", "div", "max", "min"]
COMPARISONS = ["eq", "lt", "le", "gt", "ge"]


def broadcast_operand(case, dims):
    """Sizes of an operand that broadcasts statically to `dims`."""
    own = [1 if case.chance(0.2) else d for d in dims]
    while own and case.chance(0.2):
        own = own[1:]
    return own


def elementwise(kind):
    def make(case):
        rank = case.pick([0, 1, 1, 2, 2, 3])
        dims = case.dims(rank)
        floats = kind in UNARY_FUNCTIONS or kind in ("sqrt", "reciprocal", "floor", "ceil", "roundeven") or kind in TESTS
        count = 1 if kind in UNARY_FUNCTIONS or kind in UNARY_EXACT or kind in TESTS or kind == "not" else 2
        if floats:
            element = case.pick(FLOATS)
        elif kind in ("and", "or", "xor", "not"):
            element = case.pick(SIGNED + UNSIGNED + ["i1", "i1"])
        elif kind == "shr":
            element = case.pick(UNSIGNED + SIGNED)
        elif kind == "shl":
            element = case.pick(UNSIGNED)
        elif kind in ("neg", "abs", "sign"):
            element = case.pick(FLOATS + SIGNED)
        else:
            element = case.pick(FLOATS + SIGNED + UNSIGNED)
        result, tolerance = element, None
        makes = [values(element, special)] * count
        if kind in UNARY_FUNCTIONS:
            # Where the result is far smaller than the argument's own size, absolute error of that size is what f32 can do.
            makes, tolerance = [UNARY_FUNCTIONS[kind]], function(element)
        elif kind in TESTS or kind in COMPARISONS:
            result = "i1"
        elif kind in ("truncmod", "floormod", "div") and element not in FLOATS:
            divisor = integers(element)
            makes[1] = lambda run, shape: np.where((v := divisor(run, shape)) == 0, 3, v)
        elif kind in ("truncmod", "floormod"):
            makes = [normal(20), lambda run, shape: run.rng.choice([-3.5, -1.25, 0.5, 2.0, 7.0], size=shape)]
            tolerance = rounding(element)
        elif kind == "pow" and element in FLOATS:
            makes, tolerance = [uniform(0.1, 4), uniform(-3, 3)], function(element)
        elif kind == "pow":
            makes = [integers(element, -7, 7), integers(element, 0, 2)]
        elif kind in ("shl", "shr"):
            makes[1] = integers(element, 0, 70)
        shapes = [dims] + [broadcast_operand(case, dims) for _ in range(count - 1)]
        if case.chance(0.5):
            shapes.reverse()
        operands = [case.input(element, s, m) for s, m in zip(shapes, makes)]
        out = case.emit(f"ds.elementwise {kind} {', '.join(operands)} : "
                        + functional([tensor(element, s) for s in shapes], tensor(result, dims)))
        case.output(out, result, dims, tolerance)
    return make


def select(case):
    element = case.pick(ALL)
    dims = case.dims(case.pick([1, 2, 3]))
    shapes = [broadcast_operand(case, dims), dims, broadcast_operand(case, dims)]
    condition = case.input("i1", shapes[0], integers("i1"))
    a, b = (case.input(element, s, values(element, special)) for s in shapes[1:])
    out = case.emit(f"ds.elementwise select {condition}, {a}, {b} : " + functional(
        [tensor("i1", shapes[0]), tensor(element, shapes[1]), tensor(element, shapes[2])], tensor(element, dims)))
    case.output(out, element, dims, None)


def cast(case):
    source, target = case.pick(MOVED), case.pick(MOVED)
    whole = SIGNED + UNSIGNED + NIBBLES
    dims = case.dims(case.pick([0, 1, 2]))
    make, tolerance, attributes = values(source, special), None, ""
    if source in FLOATS + FLOAT8 and target in whole:
        # Outside the range of the target ONNX leaves the result open.
        low, high = limits(target)
        make = uniform(max(low, -400) * 0.9, min(high, 400) * 0.9) if source in FLOAT8 else uniform(max(low, -1e4) * 0.99, min(high, 1e4) * 0.99)
    elif source in whole and target in FLOATS + FLOAT8:
        # Through f32 to 16 bits, and through f64 in the reference: two roundings.
        tolerance = rounding(target)
    if target in FLOAT8:
        make = values(source, case.pick([special, normal(100), normal(1e4), normal(1e-3)]))
        attributes = case.pick(["", "{saturate = false} "])
    x = case.input(source, dims, make)
    out = case.emit(f"ds.cast {x} {attributes}: {tensor(source, dims)} to {tensor(target, dims)}")
    case.output(out, target, dims, tolerance)


def bitcast(case):
    source, target = case.pick([("f32", "i32"), ("ui32", "f32"), ("i16", "ui16"), ("f16", "i16"), ("i64", "f64"), ("i8", "ui8")])
    dims = case.dims(case.pick([0, 1, 2]))
    # No patterns of NaN: their bits may change on the way.
    make = values(source) if target not in FLOATS else integers(source, 0, 1000)
    x = case.input(source, dims, make)
    out = case.emit(f"ds.bitcast {x} : {tensor(source, dims)} to {tensor(target, dims)}")
    case.output(out, target, dims, None)


# ----- views ------------------------------------------------------------------------------------------------------------
def reshape(case):
    element = case.pick(MOVED)
    factors = case.dims(case.pick([1, 2, 3, 4]), SMALL)

    def grouped():
        groups = [[]]
        for f in factors:
            if groups[-1] and case.chance(0.5):
                groups.append([])
            groups[-1].append(f)
            if case.chance(0.15):
                groups.append([])
                groups.append([])
        return [g for i, g in enumerate(groups) if g or case.chance(0.5)]

    def products(groups):
        static = [[f.static for f in g] for g in groups]
        return [Product(g, None if None in s else int(np.prod(s, dtype=np.int64))) for g, s in zip(groups, static)]

    # The same factors, grouped in two ways.
    before, after = products(grouped()), products(grouped())
    x = case.input(element, before, values(element, special))
    dims = [case.index(d.of) for d in after if d.static is None]
    listed = f" [{', '.join(dims)}]" if dims else ""
    out = case.emit(f"ds.reshape {x}{listed} : {tensor(element, before)} to {tensor(element, after)}")
    case.output(out, element, after, None)


def broadcast(case):
    element = case.pick(MOVED)
    dims = case.dims(case.pick([1, 2, 3]))
    own = [1 if case.chance(0.3) else One() if case.chance(0.3) else d for d in dims]
    while own and case.chance(0.3):
        own = own[1:]
    x = case.input(element, own, values(element, special))
    sizes = [case.index(lambda run, d=d: run.size(d)) for d in dims if d.static is None]
    listed = f" [{', '.join(sizes)}]" if sizes else ""
    out = case.emit(f"ds.broadcast {x}{listed} : {tensor(element, own)} to {tensor(element, dims)}")
    case.output(out, element, dims, None)


def transpose(case):
    element = case.pick(MOVED)
    rank = case.pick([1, 2, 3, 4])
    dims = case.dims(rank)
    perm = [int(p) for p in case.rng.permutation(rank)]
    x = case.input(element, dims, values(element, special))
    result = [dims[p] for p in perm]
    out = case.emit(f"ds.transpose {x} {perm} : {tensor(element, dims)} to {tensor(element, result)}")
    case.output(out, element, result, None)


def every_float8(case):
    """All 256 patterns of both types, moved: infinities, NaN, zeros of both signs and the smallest numbers stay what they are."""
    for element in FLOAT8:
        x = case.input(element, [16, 16], lambda run, shape, e=element: np.arange(256, dtype=np.uint8).view(DTYPES[e]).reshape(shape))
        kind = tensor(element, [16, 16])
        out = case.emit(f"ds.transpose {x} [1, 0] : {kind} to {kind}")
        case.output(out, element, [16, 16], None)


def slice_(case):
    element = case.pick(MOVED)
    dims = case.dims(case.pick([1, 2, 3]))
    x = case.input(element, dims, values(element, special))
    offsets, sizes, strides, result = [], [], [], []
    for d in dims:
        stride = case.pick([1, 1, 1, 2, 3, -1, -2])
        if d.static is None or case.chance(0.3):
            # Drawn when the sizes are known: offset, then as many as fit or fewer.
            place = {}

            def draw(run, d=d, stride=stride, place=place):
                if place.get("run") is not run:
                    n = run.size(d)
                    offset = int(run.rng.integers(0, max(n, 1)))
                    most = 0 if n == 0 else (n - 1 - offset) // stride + 1 if stride > 0 else offset // -stride + 1
                    place.update(run=run, offset=0 if n == 0 else offset, size=int(run.rng.integers(0, most + 1)))
                return place
            offsets.append(case.index(lambda run, draw=draw: draw(run)["offset"]))
            sizes.append(case.index(lambda run, draw=draw: draw(run)["size"]))
            result.append("?")
            if stride < 0 and case.chance(0.5):
                strides.append(case.index(lambda run, s=stride: s))
            else:
                strides.append(str(stride))
        else:
            n = d.static
            offset = int(case.rng.integers(0, max(n, 1))) if n else 0
            most = 0 if n == 0 else (n - 1 - offset) // stride + 1 if stride > 0 else offset // -stride + 1
            size = int(case.rng.integers(0, most + 1))
            offsets.append(str(offset)), sizes.append(str(size)), strides.append(str(stride))
            result.append(str(size))
    kind = "tensor<" + "".join(f"{s}x" for s in result) + element + ">"
    out = case.emit(f"ds.slice {x} [{', '.join(offsets)}] [{', '.join(sizes)}] [{', '.join(strides)}] : "
                    f"{tensor(element, dims)} to {kind}")
    case.outputs.append((out, kind, element, None))


def concat(case):
    element = case.pick(MOVED)
    rank = case.pick([1, 2, 3])
    axis = int(case.rng.integers(rank))
    dims = case.dims(rank)
    parts = []
    for _ in range(case.pick([1, 2, 3])):
        own = list(dims)
        own[axis] = case.dim()
        parts.append(own)
    names = [case.input(element, p, values(element, special)) for p in parts]
    static = [p[axis].static for p in parts]
    result = list(dims)
    result[axis] = Derived(None if None in static else sum(static))
    out = case.emit(f"ds.concat {axis} {', '.join(names)} : "
                    + functional([tensor(element, p) for p in parts], tensor(element, result)))
    case.output(out, element, result, None)


def pad(case):
    element = case.pick(ALL)
    mode = case.pick(["constant", "constant", "edge", "reflect", "wrap"])
    rank = case.pick([1, 2, 3])
    # Only a constant can pad what is empty.
    dims = case.dims(rank, low=0 if mode == "constant" else 1)
    x = case.input(element, dims, values(element, special))
    fill = case.input(element, [], values(element))
    counts = [0, 0, 1, 2, 5]
    low = [case.index(lambda run: int(run.rng.choice(counts))) for _ in dims]
    high = [case.index(lambda run: int(run.rng.choice(counts))) for _ in dims]
    kind = "tensor<" + "?x" * rank + element + ">"
    out = case.emit(f"ds.pad {mode} {x} value {fill} low {', '.join(low)} high {', '.join(high)} : "
                    f"{tensor(element, dims)}, {tensor(element, [])} to {kind}")
    case.outputs.append((out, kind, element, None))


def range_(case):
    element = case.pick(FLOATS + SIGNED + UNSIGNED)
    dim = case.dim()
    start, delta = (case.input(element, [], values(element, normal(4))) for _ in range(2))
    size = f" [{case.index(lambda run: run.size(dim))}]" if dim.static is None else ""
    out = case.emit(f"ds.range {start}, {delta}{size} : {tensor(element, [])} to {tensor(element, [dim])}")

    def tolerance(run, want):
        # i and i · delta and the sum are each rounded, to the element's type at worst.
        most = abs(float(run.values[start])) + run.size(dim) * abs(float(run.values[delta]))
        return 3 * EPSILON[element] * most + TINY[element]
    case.output(out, element, [dim], tolerance if element in FLOATS else None)


# ----- reductions -------------------------------------------------------------------------------------------------------
def some_axes(case, rank):
    axes = sorted(int(a) for a in case.rng.permutation(rank)[: case.rng.integers(1, rank + 1)])
    return axes


def lines(case, low=0):
    """Dimensions, and one of them to walk along."""
    rank = case.pick([1, 2, 3])
    axis = int(case.rng.integers(rank))
    dims = case.dims(rank, SMALL if rank == 3 else SIZES)
    if axis != rank - 1:
        dims[-1] = case.dim(COLUMNS)
    dims[axis] = case.dim(LONG, low)
    return dims, axis


def by_first(case, x, axes):
    """Rows of dimension 0, unless it is walked along, have nothing to do with each other."""
    if 0 not in axes:
        case.by_row = [x]


def reduce(kind):
    def make(case):
        element = case.pick(FLOATS + FLOATS + SIGNED + UNSIGNED + (["i1"] if kind in ("max", "min") else []))
        rank = case.pick([1, 2, 3])
        dims = case.dims(rank, LONG if case.chance(0.5) else SIZES)
        axes, keep = some_axes(case, rank), case.chance(0.5)
        if rank - 1 not in axes and case.chance(0.5):
            dims[-1] = case.dim(COLUMNS)
        makes = {"prod": lambda run, shape: run.rng.uniform(0.7, 1.4, size=shape)}.get(kind, normal())
        if kind in ("max", "min"):
            makes = special
        x = case.input(element, dims, values(element, makes))
        by_first(case, x, axes)
        result = [1 if d in axes else dims[d] for d in range(rank) if keep or d not in axes]
        out = case.emit(f"ds.reduce {kind} {x} {axes}{' keepdims' if keep else ''} : "
                        f"{tensor(element, dims)} to {tensor(element, result)}")

        def terms(run):
            return float(np.prod([run.size(dims[a]) for a in axes]))

        def magnitude(run):
            value = np.abs(run.values[x].astype(np.float64))
            return value.sum(tuple(axes), keepdims=keep) if kind == "sum" else value.prod(tuple(axes), keepdims=keep)
        exact = element not in FLOATS or kind in ("max", "min")
        case.output(out, element, result, None if exact else summed(element, terms, magnitude))
    return make


def arg_reduce(case):
    element = case.pick(FLOATS + SIGNED + UNSIGNED)
    dims, axis = lines(case, low=1)
    kind, last = case.pick(["max", "min"]), case.chance(0.5)
    # Few different values: ties are the point.
    make = integers(element, -3, 3) if element not in FLOATS else lambda run, shape: run.rng.integers(-4, 5, size=shape) / 2
    if element in FLOATS and case.chance(0.4):
        make = special
    x = case.input(element, dims, make)
    by_first(case, x, [axis])
    result = [1 if d == axis else size for d, size in enumerate(dims)]
    out = case.emit(f"ds.arg_reduce {kind} {x} {axis}{' last' if last else ''} : {tensor(element, dims)} to {tensor('i64', result)}")
    case.output(out, "i64", result, None)


def cumulative(case):
    element = case.pick(FLOATS + SIGNED + UNSIGNED)
    kind = case.pick(["sum", "sum", "prod"])
    dims, axis = lines(case)
    exclusive, reverse = case.chance(0.3), case.chance(0.3)
    x = case.input(element, dims, values(element, normal() if kind == "sum" else uniform(0.7, 1.4)))
    by_first(case, x, [axis])
    out = case.emit(f"ds.cumulative {kind} {x} {axis}{' exclusive' if exclusive else ''}{' reverse' if reverse else ''} : "
                    f"{tensor(element, dims)} to {tensor(element, dims)}")

    def tolerance(run, want):
        n = run.size(dims[axis])
        value = np.abs(run.values[x].astype(np.float64))
        most = value.sum(axis, keepdims=True) if kind == "sum" else np.abs(want)
        own = EPSILON["f64"] if element == "f64" else EPSILON["f32"]
        return (n + 2) * own * most + EPSILON[element] * np.abs(want) + TINY[element]
    case.output(out, element, dims, tolerance if element in FLOATS else None)


def matmul_integer(case):
    """ONNX MatMulInteger: bytes less their zero points, which are one number, one per row or one per column."""
    m, k, n = case.dim(), case.dim(LONG), case.dim(COLUMNS)
    batch = case.dims(case.pick([0, 0, 1]), SMALL)
    shapes = [batch + [m, k], [k, n]]

    def side(shape, zeros):
        element = case.pick(["i8", "ui8"])
        x = case.input(element, shape, integers(element))
        wide = case.emit(f"ds.cast {x} : {tensor(element, shape)} to {tensor('i32', shape)}")
        if case.chance(0.3):
            return x, wide
        dims = case.pick(zeros)
        zero = case.input(element, dims, integers(element))
        zero = case.emit(f"ds.cast {zero} : {tensor(element, dims)} to {tensor('i32', dims)}")
        return x, case.emit(f"ds.elementwise sub {wide}, {zero} : ({tensor('i32', shape)}, {tensor('i32', dims)}) "
                            f"-> {tensor('i32', shape)}")
    x, lhs = side(shapes[0], [[], [1], [m, 1]])
    _, rhs = side(shapes[1], [[], [n], [1, n]])
    dims = batch + [m, n]
    out = case.emit(f"ds.matmul {lhs}, {rhs} : {tensor('i32', shapes[0])}, {tensor('i32', shapes[1])} to {tensor('i32', dims)}")
    case.output(out, "i32", dims, None)


def matmul(case):
    element = case.pick(FLOATS + ["f32", "i8", "ui8", "i32"])
    result = "i32" if element in ("i8", "ui8", "i32") else element
    other = case.pick(["i8", "ui8"]) if element in ("i8", "ui8") else element
    m, k, n = case.dim(), case.dim(LONG), case.dim()
    batch = case.dims(case.pick([0, 0, 1, 2]), SMALL)
    shapes = [broadcast_operand(case, batch) + [m, k], broadcast_operand(case, batch) + [k, n]]
    longest = max(range(2), key=lambda i: len(shapes[i]))
    shapes[longest][:-2] = batch
    dims = batch + [m, n]
    x, y = (case.input(e, s, values(e)) for e, s in zip((element, other), shapes))
    out = case.emit(f"ds.matmul {x}, {y} : {tensor(element, shapes[0])}, {tensor(other, shapes[1])} to {tensor(result, dims)}")

    def magnitude(run):
        return np.matmul(*(np.abs(run.values[v].astype(np.float64)) for v in (x, y)))
    case.output(out, result, dims, summed(element, lambda run: run.size(k), magnitude) if element in FLOATS else None)


def softmax(case):
    element = case.pick(FLOATS)
    dims, axis = lines(case)
    log = case.chance(0.4)
    # Scores as they come, some far apart, some masked.
    scale, masked = case.pick([4.0, 4.0, 40.0]), case.chance(0.3)

    def scores(run, shape):
        value = run.rng.normal(size=shape) * scale
        return np.where(run.rng.random(shape) < 0.3, -np.inf, value) if masked else value
    x = case.input(element, dims, scores)
    by_first(case, x, [axis])
    out = case.emit(f"ds.softmax {x} {axis}{' log' if log else ''} : {tensor(element, dims)} to {tensor(element, dims)}")

    def tolerance(run, want):
        # The sum of n powers, each within a few units, and what one rounding of x − max changes in the exponent: ε · |x − max|.
        # Powers below e^−87 are 0.
        value = run.values[x].astype(np.float64)
        finite = np.where(np.isfinite(value), value, np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of lines without a finite score
            span = np.nanmax(finite, axis, keepdims=True) - np.nanmin(finite, axis, keepdims=True) if value.size else 0.0
        own = EPSILON["f64"] if element == "f64" else EPSILON["f32"]
        relative = own * (run.size(dims[axis]) + np.nan_to_num(span) + 8)
        return (relative if log else relative * np.abs(want) + np.exp(-86.9)) + EPSILON[element] * np.abs(want) + TINY[element]
    case.output(out, element, dims, tolerance)


# ----- indexing ---------------------------------------------------------------------------------------------------------
def places(element, bound):
    """Indices into [-n, n), n = bound(run); unsigned ones into [0, n)."""
    def make(run, shape):
        n = bound(run)
        if n == 0:
            return np.zeros(shape, np.int64)
        return run.rng.integers(0 if element[0] == "u" else -n, n, size=shape)
    return make


# Outside every dimension of SMALL.
FAR = [max(SMALL), -max(SMALL) - 1, 2**40, -2**63]


def outside(dim):
    """The nearest indices that [-n, n) does not hold, and the farthest."""
    return lambda run: [run.size(dim), -run.size(dim) - 1, 2**31 - 1, -2**31]


def gather(case):
    element, index = case.pick(ALL), case.pick(["i64", "i32"])
    rank = case.pick([1, 2, 3])
    axis = int(case.rng.integers(rank))
    dims = case.dims(rank)
    dims[axis] = case.dim(low=1)
    at = case.dims(case.pick([0, 1, 2]), SMALL)
    x = case.input(element, dims, values(element, special))
    i = case.input(index, at, places(index, lambda run: run.size(dims[axis])))
    result = dims[:axis] + at + dims[axis + 1:]
    others = dims[:axis] + dims[axis + 1:]
    case.may_be_outside(i, outside(dims[axis]), lambda run: all(run.size(d) for d in others))
    out = case.emit(f"ds.gather {x}, {i} {axis} : {tensor(element, dims)}, {tensor(index, at)} to {tensor(element, result)}")
    case.output(out, element, result, None)


def gather_elements(case):
    element, index = case.pick(ALL), case.pick(["i64", "i32"])
    rank = case.pick([1, 2, 3])
    axis = int(case.rng.integers(rank))
    dims = case.dims(rank, low=1)
    at = list(dims)
    at[axis] = case.dim()
    x = case.input(element, dims, values(element, special))
    i = case.input(index, at, places(index, lambda run: run.size(dims[axis])))
    case.may_be_outside(i, outside(dims[axis]))
    out = case.emit(f"ds.gather_elements {x}, {i} {axis} : {tensor(element, dims)}, {tensor(index, at)} to {tensor(element, at)}")
    case.output(out, element, at, None)


def tuples(run, shape, sizes, unique=False):
    """Index tuples in the last dimension, each in its range."""
    count = int(np.prod(shape[:-1], dtype=np.int64))
    total = int(np.prod(sizes, dtype=np.int64))
    if unique:
        flat = run.rng.permutation(total)[:count]
    else:
        flat = run.rng.integers(0, max(total, 1), size=count)
    where = np.stack(np.unravel_index(flat, sizes), -1) if sizes else np.zeros((count, 0), np.int64)
    # Some from the end.
    negative = run.rng.random(where.shape) < 0.3
    return np.where(negative, where - np.array(sizes, np.int64), where).reshape(shape)


def gather_nd(case):
    element = case.pick(ALL)
    batch, depth, rest = case.pick([0, 0, 1]), case.pick([1, 2]), case.pick([0, 1])
    dims = case.dims(batch + depth + rest, SMALL, low=1)
    at = dims[:batch] + case.dims(case.pick([0, 1, 2]) if not batch else 1, SMALL) + [depth]
    x = case.input(element, dims, values(element, special))
    i = case.input("i64", at, lambda run, shape: tuples(run, shape, [run.size(d) for d in dims[batch:batch + depth]]))
    case.may_be_outside(i, lambda run: FAR)
    result = at[:-1] + dims[batch + depth:]
    attribute = f" {{batch_dims = {batch} : i64}}" if batch else ""
    out = case.emit(f"ds.gather_nd {x}, {i}{attribute} : {tensor(element, dims)}, {tensor('i64', at)} to {tensor(element, result)}")
    case.output(out, element, result, None)


SCATTER = ["none", "add", "mul", "max", "min"]


def scatter_tolerance(kind, element, x, updates, most):
    if element not in FLOATS or kind in ("none", "max", "min"):
        return None

    def tolerance(run, want):
        # As many roundings to the element's type as updates may meet in one place.
        count = most(run)
        size = np.abs(run.values[x].astype(np.float64)).max(initial=0) + np.abs(run.values[updates].astype(np.float64)).sum()
        return (count + 1) * EPSILON[element] * (size if kind == "add" else np.abs(want)) + TINY[element]
    return tolerance


def scatter_elements(case):
    element, kind = case.pick(FLOATS + SIGNED + UNSIGNED), case.pick(SCATTER)
    rank = case.pick([1, 2])
    axis = int(case.rng.integers(rank))
    dims = case.dims(rank, low=1)
    at = list(dims)
    if kind == "none":
        # Two updates of one place have no order in ONNX: a permutation has none.
        at[axis] = dims[axis]

        def where(run, shape):
            return np.argsort(run.rng.random(shape), axis=axis)
    else:
        at[axis] = case.dim(SMALL)

        def where(run, shape):
            return run.rng.integers(-run.size(dims[axis]), run.size(dims[axis]), size=shape)
    x = case.input(element, dims, values(element))
    i = case.input("i64", at, where)
    updates = case.input(element, at, values(element, uniform(0.5, 1.5)))
    case.may_be_outside(i, outside(dims[axis]))
    out = case.emit(f"ds.scatter_elements {kind} {x}, {i}, {updates} {axis} : {tensor(element, dims)}, {tensor('i64', at)}, "
                    f"{tensor(element, at)} to {tensor(element, dims)}")
    case.output(out, element, dims, scatter_tolerance(kind, element, x, updates, lambda run: run.size(at[axis])))


def scatter_nd(case):
    element, kind = case.pick(FLOATS + SIGNED + UNSIGNED), case.pick(SCATTER)
    depth, rest = case.pick([1, 2]), case.pick([0, 1])
    dims = case.dims(depth + rest, SMALL, low=1)
    if kind == "none":
        # All places in some order.
        at = list(dims[:depth]) + [depth]
    else:
        at = case.dims(case.pick([0, 1]), SMALL) + [depth]

    def where(run, shape):
        return tuples(run, shape, [run.size(d) for d in dims[:depth]], unique=kind == "none")
    x = case.input(element, dims, values(element))
    i = case.input("i64", at, where)
    shape = at[:-1] + dims[depth:]
    updates = case.input(element, shape, values(element, uniform(0.5, 1.5)))
    case.may_be_outside(i, lambda run: FAR)
    out = case.emit(f"ds.scatter_nd {kind} {x}, {i}, {updates} : {tensor(element, dims)}, {tensor('i64', at)}, "
                    f"{tensor(element, shape)} to {tensor(element, dims)}")
    case.output(out, element, dims,
                scatter_tolerance(kind, element, x, updates, lambda run: run.values[updates].size))


def topk(case):
    element = case.pick(FLOATS + SIGNED + UNSIGNED)
    rank = case.pick([1, 2, 3])
    axis = int(case.rng.integers(rank))
    dims = case.dims(rank)
    largest = case.chance(0.5)
    make = integers(element, -5, 5) if element not in FLOATS else lambda run, shape: run.rng.integers(-6, 7, size=shape) / 4
    x = case.input(element, dims, make)
    k = case.index(lambda run: int(run.rng.integers(0, run.size(dims[axis]) + 1)))
    result = list(dims)
    result[axis] = Derived()
    attribute = "" if largest else " {largest = false}"
    names = case.emit(f"ds.topk {x}, {k} {axis}{attribute} : {tensor(element, dims)} to {tensor(element, result)}, "
                      f"{tensor('i64', result)}")
    # One op, two results.
    line = case.lines.pop()
    case.lines.append(line.replace(f"{names} =", f"{names}:2 ="))
    for n, e in ((0, element), (1, "i64")):
        alias = case.emit(f"tensor.cast {names}#{n} : {tensor(e, result)} to {tensor(e, result)}")
        case.output(alias, e, result, None)


def nonzero(case):
    element = case.pick(ALL)
    rank = case.pick([1, 2, 3])
    dims = case.dims(rank)
    x = case.input(element, dims, lambda run, shape: run.rng.integers(0, 2, size=shape))
    kind = f"tensor<{rank}x?xi64>"
    out = case.emit(f"ds.nonzero {x} : {tensor(element, dims)} to {kind}")
    case.outputs.append((out, kind, "i64", None))


def dequantize(case):
    element = case.pick(["i8", "ui8", "i16", "ui16", "i32", "i4", "ui4"])
    to = case.pick(["f32", "f16", "bf16"])
    rank = case.pick([1, 2, 3])
    axis = int(case.rng.integers(rank))
    dims = case.dims(rank)
    form = case.pick(["tensor", "axis", "block"])
    block = 0
    if form == "block":
        block = case.pick([1, 2, 3, 16])
        dims[axis] = case.dim(static=1)
        scale_dims = list(dims)
        scale_dims[axis] = -(-dims[axis].static // block)
    else:
        scale_dims = [] if form == "tensor" else [dims[axis]]
    wide = integers(element, -2**20, 2**20)
    # As a weight 4-bit numbers lie two in a byte.
    weight = element in NIBBLES and all(isinstance(d, int) or d.static is not None for d in dims)
    x = (case.parameter if weight else case.input)(element, dims, wide)
    scale = case.input(to, scale_dims, uniform(0.01, 2))
    text = f"ds.dequantize {x} scale {scale} : {tensor(to, scale_dims)}"
    if element != "i32" and case.chance(0.6):
        zero = case.input(element, scale_dims, wide)
        text += f" zero_point {zero} : {tensor(element, scale_dims)}"
    attributes = [f"axis = {axis} : i64"] + ([f"block_size = {block} : i64"] if block else [])
    out = case.emit(text + f" {{{', '.join(attributes)}}} : {tensor(element, dims)} to {tensor(to, dims)}")
    # Exact product in f64, rounded in f32 and then to the type.
    case.output(out, to, dims, function(to, 1))


def dequantize_blocks(case):
    element, scale_kind, to = case.pick(["f8E4M3FN", "f8E4M3FN", "i8", "bf16"]), case.pick(["f32", "bf16"]), case.pick(["f32", "bf16", "f16"])
    block = case.pick([[1, 1], [2, 3], [16, 8], [128, 128]])
    # Beside the multiples of the block.
    shape = case.dims(case.pick([0, 0, 1]), [1, 2, 3]) + [case.pick([0, 1, b - 1, b, b + 1, 2 * b + 1]) for b in block]
    scales = shape[:-2] + [-(-n // b) for n, b in zip(shape[-2:], block)]
    x = (case.parameter if all(isinstance(n, int) for n in shape) else case.input)(element, shape, values(element, normal(20)))
    scale = case.input(scale_kind, scales, uniform(1e-4, 2))
    out = case.emit(f"ds.dequantize_blocks {x} scale {scale} blocks {block} : {tensor(element, shape)}, {tensor(scale_kind, scales)} to "
                    f"{tensor(to, shape)}")
    case.output(out, to, shape, function(to, 1))


def near_half(quotient):
    """Where rounding to a whole number may go either way after an f32 division: 1, elsewhere 0."""
    size = np.abs(quotient)
    return (np.abs(size - np.floor(size) - 0.5) <= 4 * EPSILON["f32"] * np.maximum(size, 1)).astype(np.float64)


def quantize(case):
    """In f32; the reference divides in f64, so that a quotient beside a half may round to the other neighbour."""
    element, kind, scale_kind = case.pick(["i8", "ui8", "i16", "ui16", *NIBBLES]), case.pick(["f32", "f16", "bf16"]), case.pick(["f32", "f16", "bf16"])
    dims = case.dims(case.pick([0, 1, 2, 3]))
    x = case.input(kind, dims, case.pick([normal(1), normal(100), uniform(-1e4, 1e4)]))
    scale = case.input(scale_kind, [], uniform(0.01, 2))
    text = f"ds.quantize {x} scale {scale} : {tensor(scale_kind, [])}"
    if case.chance(0.6):
        zero = case.input(element, [], integers(element))
        text += f" zero_point {zero} : {tensor(element, [])}"
    out = case.emit(f"{text} : {tensor(kind, dims)} to {tensor(element, dims)}")
    case.output(out, element, dims, lambda run, want: near_half(run.values[x].astype(np.float64) / run.values[scale].astype(np.float64)))


def dynamic_quantize(case):
    kind = case.pick(["f32", "f16", "bf16"])
    dims = case.dims(case.pick([0, 1, 2, 3]))
    make = case.pick([normal(1), normal(100), uniform(0.5, 3), uniform(-3, -0.5), lambda run, shape: np.zeros(shape)])
    x = case.input(kind, dims, make)
    names = case.emit(f"ds.dynamic_quantize {x} : {tensor(kind, dims)} to {tensor('ui8', dims)}, {tensor('f32', [])}, {tensor('ui8', [])}")
    line = case.lines.pop()  # one op, three results
    case.lines.append(line.replace(f"{names} =", f"{names}:3 ="))

    def quotients(run):
        value = run.values[x].astype(np.float64)
        low, high = min(value.min(initial=0), 0), max(value.max(initial=0), 0)
        scale = (high - low) / 255 or 1.0
        return value / scale, -low / scale

    def whole(run, want):
        quotient, zero = quotients(run)
        return near_half(quotient) + near_half(zero)
    for n, element, shape, tolerance in ((0, "ui8", dims, whole), (1, "f32", [], function("f32")),
                                         (2, "ui8", [], lambda run, want: near_half(quotients(run)[1]))):
        alias = case.emit(f"tensor.cast {names}#{n} : {tensor(element, shape)} to {tensor(element, shape)}")
        case.output(alias, element, shape, tolerance)


def require(case):
    """A size that holds under a condition; where it does not, the entry says so."""
    dim, element = Dim(SIZES, None), case.pick(ALL)
    x = case.input(element, [], values(element))
    flag = case.input("i1", [], lambda run, shape: np.array(True))
    holds = case.emit(f"tensor.extract {flag}[] : tensor<i1>")
    size = case.emit(f"ds.require {holds}, {case.index(lambda run: run.size(dim))}")
    out = case.emit(f"ds.broadcast {x} [{size}] : {tensor(element, [])} to {tensor(element, [dim])}")
    case.output(out, element, [dim], None)

    def spoil(run):
        run.values[flag] = np.array(False)
        return True
    case.spoil = spoil


OPS = {f"elementwise.{k}": elementwise(k)
       for k in list(UNARY_FUNCTIONS) + UNARY_EXACT + TESTS + BINARY_EXACT + COMPARISONS
       + ["not", "and", "or", "xor", "shl", "shr", "truncmod", "floormod", "pow"]}
OPS |= {"elementwise.select": select, "cast": cast, "bitcast": bitcast, "reshape": reshape, "broadcast": broadcast, "transpose": transpose,
        "every_float8": every_float8,
        "slice": slice_, "concat": concat, "pad": pad, "range": range_, "arg_reduce": arg_reduce, "cumulative": cumulative,
        "matmul": matmul, "matmul_integer": matmul_integer, "softmax": softmax, "gather": gather, "gather_elements": gather_elements, "gather_nd": gather_nd,
        "scatter_elements": scatter_elements, "scatter_nd": scatter_nd, "topk": topk, "nonzero": nonzero,
        "dequantize": dequantize, "dequantize_blocks": dequantize_blocks, "quantize": quantize, "dynamic_quantize": dynamic_quantize, "require": require}
OPS |= {f"reduce.{k}": reduce(k) for k in ("sum", "prod", "max", "min")}
