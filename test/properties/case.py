"""What a property test is made of: sizes, inputs, one or a few ops as MLIR text, outputs with their tolerances.

A case is written once and run several times: sizes that are not part of a type, and all values, are drawn anew for each run.
"""
import os
import sys

import ml_dtypes
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

DTYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "i1": np.bool_, "i8": np.int8,
          "i16": np.int16, "i32": np.int32, "i64": np.int64, "ui8": np.uint8, "ui16": np.uint16, "ui32": np.uint32,
          "ui64": np.uint64, "f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E5M2": ml_dtypes.float8_e5m2,
          # Callers hold 4-bit numbers in a byte each.
          "i4": np.int8, "ui4": np.uint8}
FLOATS = ["f32", "bf16", "f16", "f64"]
SIGNED = ["i8", "i16", "i32", "i64"]
UNSIGNED = ["ui8", "ui16", "ui32", "ui64"]
# What weights and caches are kept in, and nothing is computed in: it is moved, cast and dequantised.
FLOAT8 = ["f8E4M3FN", "f8E5M2"]
NIBBLES = ["i4", "ui4"]
# Nothing, one, primes, powers of two and their neighbours: what blocks, tails and empty loops trip over.
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 31, 32, 33]
# Lengths of reductions, for which vectors and blocks of K matter.
LONG = [0, 1, 2, 3, 7, 8, 15, 16, 17, 32, 33, 61, 64, 67, 128, 131]
# Sizes of dimensions that lanes lie along while another is reduced: about panels of 64 and 128 columns.
COLUMNS = [0, 1, 3, 15, 16, 17, 31, 64, 67, 96, 127, 128, 131]
# Sizes of tensors with many dimensions.
SMALL = [0, 1, 2, 3, 5, 7]

# Largest relative distance of neighbouring numbers, and the smallest number above 0.
EPSILON = {name: float(ml_dtypes.finfo(DTYPES[name]).eps) for name in FLOATS + FLOAT8}
TINY = {name: float(ml_dtypes.finfo(DTYPES[name]).smallest_subnormal) for name in FLOATS + FLOAT8}


class Dim:
    """A size: part of the type, or chosen for each run."""

    def __init__(self, choices, static):
        self.choices, self.static = choices, static

    @property
    def text(self):
        return "?" if self.static is None else str(self.static)


class Product:
    """A size that is the product of others."""

    def __init__(self, factors, static):
        self.factors, self.static = factors, static

    @property
    def text(self):
        return "?" if self.static is None else str(self.static)

    def of(self, run):
        return int(np.prod([run.size(f) for f in self.factors], dtype=np.int64))


class Sum:
    """A dynamic size that is the sum of others."""
    static, text = None, "?"

    def __init__(self, *parts):
        self.parts = parts

    def of(self, run):
        return sum(run.size(p) for p in self.parts)


class Derived:
    """The size of a result that nothing else takes: only its text matters."""

    def __init__(self, static=None):
        self.static = static

    @property
    def text(self):
        return "?" if self.static is None else str(self.static)


class One(Dim):
    """A dynamic size that is 1 in every run: what may only be found out there."""

    def __init__(self):
        super().__init__([1], None)


class Run:
    """One execution: sizes and values by name, and how the fast path was asked to compute."""

    def __init__(self, rng, precision="exact"):
        self.rng, self.precision, self.sizes, self.values = rng, precision, {}, {}

    def size(self, dim):
        if isinstance(dim, int):
            return dim
        if hasattr(dim, "of"):  # follows from others
            return dim.of(self)
        if dim.static is not None:
            return dim.static
        if dim not in self.sizes:
            self.sizes[dim] = int(self.rng.choice(dim.choices))
        return self.sizes[dim]


def limits(element):
    """The least and the largest whole number of the type."""
    if element in NIBBLES:
        return (-8, 7) if element == "i4" else (0, 15)
    info = np.iinfo(DTYPES[element])
    return int(info.min), int(info.max)


def in_file(value, element):
    """The bytes of a parameter: 4-bit numbers lie two in a byte, the first in the lower half."""
    if element not in NIBBLES:
        return value.tobytes()
    flat = value.reshape(-1).view(np.uint8) & 15
    flat = np.append(flat, np.zeros(flat.size % 2, np.uint8))
    return (flat[::2] | flat[1::2] << 4).tobytes()


def typed(value, element):
    """`value` as dense numbers of the type; what overflows becomes infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(value.astype(DTYPES[element]), order="C")


def tensor(element, dims):
    return "tensor<" + "".join(f"{d if isinstance(d, int) else d.text}x" for d in dims) + element + ">"


class Case:
    """One property. `file` collects the bytes of parameters of all cases of a module."""

    def __init__(self, op, number, rng):
        self.op, self.rng, self.prefix = op, rng, f"c{number}"
        self.inputs, self.lines, self.outputs, self.parameters, self.count = [], [], [], [], 0
        # Values of parameters by name.
        self.fixed = {}
        # spoil(run) makes one index wrong and says whether there was one.
        self.spoil = None
        # Inputs whose rows (dimension 0) each make that row of every output, whatever the other rows are.
        self.by_row = []

    # ----- choices
    def pick(self, choices):
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, probability):
        return self.rng.random() < probability

    def dim(self, choices=SIZES, low=0, static=0.4):
        choices = [c for c in choices if c >= low]
        return Dim(choices, int(self.pick(choices)) if self.chance(static) else None)

    def dims(self, rank, choices=SIZES, low=0):
        return [self.dim(choices if rank < 3 else SMALL, low) for _ in range(rank)]

    # ----- text
    def name(self):
        self.count += 1
        return f"%{self.prefix}_{self.count}"

    def emit(self, text):
        name = self.name()
        self.lines.append(f"{name} = {text}")
        return name

    def input(self, element, dims, make):
        """A graph input; make(run, shape) gives its value."""
        name = self.name()
        self.inputs.append((name, element, dims, make))
        return name

    def parameter(self, element, dims, make):
        """A weight (static sizes), with its value for tolerances under its name."""
        name, symbol = self.name(), f"{self.prefix}.w{self.count}"
        run = Run(self.rng)
        value = typed(make(run, tuple(run.size(d) for d in dims)), element)
        data = in_file(value, element)
        # Experts of a layer are one parameter of as many pieces.
        whole = value.ndim < 3 or len(value) == 0 or len(data) % len(value) != 0
        self.parameters.append((symbol, tensor(element, dims), data, 1 if whole else len(value)))
        self.lines.append(f"{name} = ds.load_parameter @{symbol} : {tensor(element, dims)}")
        self.fixed[name] = value
        return name

    def index(self, make):
        """A size or place known at run time: make(run) gives it."""
        scalar = self.input("i64", [], lambda run, shape: np.array(make(run), np.int64))
        value = self.emit(f"tensor.extract {scalar}[] : tensor<i64>")
        return self.emit(f"arith.index_cast {value} : i64 to index")

    def output(self, name, element, dims, tolerance):
        """tolerance(run, want) gives the largest difference, a number or an array; None: equal."""
        self.outputs.append((name, tensor(element, dims), element, tolerance))

    def may_be_outside(self, indices, wrong, looks=lambda run: True):
        """An entry that meets one of wrong(run) among `indices` must say so, if it looks at them in that run."""
        def spoil(run):
            value = run.values[indices]
            if value.size == 0 or not looks(run):
                return False
            at = tuple(int(run.rng.integers(s)) for s in value.shape)
            run.values[indices] = value.copy()
            run.values[indices][at] = run.rng.choice(wrong(run))
            return True
        self.spoil = spoil

    # ----- execution
    def draw(self, rng, precision):
        run = Run(rng, precision)
        run.values.update(self.fixed)
        for name, element, dims, make in self.inputs:
            shape = tuple(run.size(d) for d in dims)
            value = np.asarray(make(run, shape))
            assert value.shape == shape, (self.op, value.shape, shape)
            run.values[name] = typed(value, element)
        return run


def module(cases, folder):
    """The MLIR text of one graph that holds `cases`; writes their parameters into a file in `folder`."""
    path = os.path.join(folder, "parameters.bin")
    text, arguments, results, types, lines, offset = [], [], [], [], [], 0
    with open(path, "wb") as out:
        for case in cases:
            for symbol, kind, data, pieces in case.parameters:
                # The first piece lies last.
                size, ranges = len(data) // pieces, []
                for i in reversed(range(pieces)):
                    ranges.insert(0, f'#ds.file_range<"{path}", {offset}, {size}>')
                    out.write(data[i * size:(i + 1) * size])
                    offset += size
                text.append(f"ds.parameter @{symbol} : {kind} = [{', '.join(ranges)}]")
    for case in cases:
        lines.append(f"  // {case.op}")
        lines += ["  " + line for line in case.lines]
        for name, element, dims, _ in case.inputs:
            arguments.append(f'{name}: {tensor(element, dims)} {{ds.name = "{name[1:]}"}}')
        for name, kind, _, _ in case.outputs:
            results.append(f'{kind} {{ds.name = "{name[1:]}"}}')
            types.append((name, kind))
    text.append("func.func @graph(" + ",\n    ".join(arguments) + ")\n    -> (" + ", ".join(results)
                + ') attributes {ds.entry = "graph"} {')
    text += lines
    text.append("  return " + ", ".join(n for n, _ in types) + " : " + ", ".join(t for _, t in types))
    text.append("}\n")
    return "\n".join(text)


# ----- values -------------------------------------------------------------------------------------------------------
def normal(scale=1.0):
    return lambda run, shape: run.rng.normal(size=shape) * scale


def uniform(low, high):
    return lambda run, shape: run.rng.uniform(low, high, size=shape)


def special(run, shape):
    """Ordinary numbers and the others."""
    odd = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-30, -1e30, np.inf, -np.inf, np.nan])
    value = run.rng.normal(size=shape) * 3
    return np.where(run.rng.random(shape) < 0.3, run.rng.choice(odd, size=shape), value)


def integers(element, low=None, high=None):
    """Of the whole range, ends and small numbers more often."""
    if element == "i1":
        return lambda run, shape: run.rng.integers(0, 2, size=shape).astype(bool)
    least, most = limits(element)
    low, high = least if low is None else max(low, least), most if high is None else min(high, most)

    def make(run, shape):
        value = run.rng.integers(low, high, size=shape, dtype=DTYPES[element], endpoint=True)
        odd = [x for x in (low, low + 1, -1, 0, 1, 2, high - 1, high) if low <= x <= high]
        odd = run.rng.choice(np.array(odd, DTYPES[element]), size=shape)
        return np.where(run.rng.random(shape) < 0.3, odd, value)
    return make


def values(element, make=None):
    if element in FLOATS + FLOAT8:
        return make or normal()
    return integers(element)


# ----- tolerances: what the numeric rules of the dialect allow, as a bound on the difference ----------------------------
def rounding(element, terms=1.0):
    """`terms` half distances of neighbours: results that are rounded at other places."""
    return lambda run, want: terms * EPSILON[element] * np.abs(want) + TINY[element]


def function(element, ulps=4.0):
    """A function of libm or an approximation, within a few units of f32 (f64), then one rounding."""
    own = EPSILON["f64"] if element == "f64" else EPSILON["f32"]
    return lambda run, want: (ulps * own + (EPSILON[element] if element in ("f16", "bf16") else 0)) * np.abs(want) + TINY[element]


def summed(element, terms, magnitude):
    """A sum of `terms(run)` terms in f32 (f64) in any order, each rounded before: at most (terms + 2) · ε · Σ|term|, by the usual
    error analysis; then one rounding to the result's type. `magnitude(run)` is Σ|term| for each element."""
    own = EPSILON["f64"] if element == "f64" else EPSILON["f32"]

    def tolerance(run, want):
        last = EPSILON[element] * np.abs(want) + TINY[element]
        return (terms(run) + 2) * own * magnitude(run) + last
    return tolerance
