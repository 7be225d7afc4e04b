"""Properties of the model ops (DsModelOps.td), alone and in the company that fusion looks for."""
import numpy as np

from case import DTYPES, EPSILON, SMALL, TINY, Sum, function, integers, normal, tensor, uniform, values

ACTIVATIONS = ["f32", "f32", "f32", "bf16", "f16", "f64"]
# Rows of tokens: one is decoding, many is a prompt.
ROWS = [0, 1, 1, 2, 3, 5, 7, 8, 13, 16, 17, 33]
WIDTHS = [1, 2, 3, 7, 8, 16, 17, 31, 32, 33, 48, 64, 65, 67, 96, 130]


def own(element):
    """ε of the type that is computed in."""
    return EPSILON["f64"] if element == "f64" else EPSILON["f32"]


def weight(case, element, dims, make):
    """A parameter most often, as in a model; sometimes an input."""
    return (case.parameter if case.chance(0.8) else case.input)(element, dims, make)


def magnitudes(run, *names):
    return [np.abs(run.values[n].astype(np.float64)) for n in names]


def embedding(case):
    element = case.pick(["f32", "bf16", "f16"])
    result = case.pick([element, "f32"])
    count, width = case.pick([1, 3, 17, 64]), case.pick(WIDTHS)
    at = case.dims(case.pick([1, 1, 2]), ROWS)
    index = case.pick(["i32", "i64"])
    ids = case.input(index, at, lambda run, shape: run.rng.integers(0, count, size=shape))
    table = weight(case, element, [count, width], normal())
    case.may_be_outside(ids, lambda run: [count, count + 1, 2**31 - 1, -count - 1])
    case.by_row = [ids]
    out = case.emit(f"ds.embedding {ids}, {table} : {tensor(index, at)}, {tensor(element, [count, width])} to "
                    f"{tensor(result, at + [width])}")
    case.output(out, result, at + [width], None)


def rms_norm(case):
    element = case.pick(ACTIVATIONS)
    rows = case.dims(case.pick([1, 1, 2, 3]), ROWS)
    width = case.dim(WIDTHS, static=0.8)
    # A weight of its own type; rounding before it is visible only where the result's type is narrow.
    own_weight = case.pick([element, "f32", "bf16"])
    early = element in ("f32", "f64") and case.chance(0.3)
    epsilon = case.pick([1e-6, 1e-5, 0.125])
    scale = case.pick([1.0, 1e-3, 30.0])
    x = case.input(element, rows + [width], normal(scale))
    if width.static is None:
        w = case.input(own_weight, [width], normal())
    else:
        w = weight(case, own_weight, [width], normal())
    case.by_row = [x]
    out = case.emit(f"ds.rms_norm {x}, {w} epsilon {epsilon:e}{' round_before_weight' if early else ''} : "
                    f"{tensor(element, rows + [width])}, {tensor(own_weight, [width])} to {tensor(element, rows + [width])}")

    def tolerance(run, want):
        # The sum of n squares is off by (n + 2) · ε of itself, its root by half of that, and five more roundings.
        n = run.size(width)
        return (0.5 * (n + 2) + 5) * own(element) * np.abs(want) + EPSILON[element] * np.abs(want) + TINY[element]
    case.output(out, element, rows + [width], tolerance)


def rope(case):
    element = case.pick(ACTIVATIONS)
    table = case.pick([element, "f32"]) if element != "f64" else "f64"
    rows = case.dims(case.pick([1, 1, 2]), ROWS)
    heads, half = case.dim(SMALL), case.pick([1, 2, 3, 4, 8, 16, 17, 32])
    shape, place = rows + [heads, 2 * half], rows + [half]
    layouts = case.pick(["halves", "pairs"]), case.pick(["halves", "pairs"])
    x = case.input(element, shape, normal())
    cos, sin = (case.input(table, place, uniform(-1, 1)) for _ in range(2))
    case.by_row = [x, cos, sin]
    out = case.emit(f"ds.rope {x}, {cos}, {sin} {layouts[0]} to {layouts[1]} : {tensor(element, shape)}, {tensor(table, place)}, "
                    f"{tensor(table, place)} to {tensor(element, shape)}")

    def tolerance(run, want):
        # Two products and a difference: 3 · ε of the larger product.
        most = magnitudes(run, x)[0].max(initial=0)
        return 3 * own(element) * 2 * most + EPSILON[element] * np.abs(want) + TINY[element]
    case.output(out, element, shape, tolerance)


def product(run, x, w):
    x, w = magnitudes(run, x, w)
    return x @ w.T


def linear(case):
    element = case.pick(ACTIVATIONS)
    # Weights as wide as the activations or narrower, as files have them.
    stored = {"f32": ["f32", "f32", "bf16", "f16"], "bf16": ["bf16"], "f16": ["f16"], "f64": ["f64"]}
    of_weight = case.pick(stored[element])
    result = case.pick([element, "f32"]) if element in ("bf16", "f16") else element
    rows = case.dims(case.pick([1, 1, 1, 2, 0]), ROWS)
    n, k = (case.pick(WIDTHS), case.pick(WIDTHS + [257])) if case.chance(0.9) else (case.pick([0, 1]), case.pick([0, 5]))
    x = case.input(element, rows + [k], normal())
    w = weight(case, of_weight, [n, k], normal())
    bias, text = None, ""
    if case.chance(0.3):
        bias = weight(case, case.pick([of_weight, "f32"]) if element != "f64" else "f64", [n], normal())
        kind = next(tensor(e, d) for name, e, d in bias_types(case, bias))
        text = f" bias {bias} : {kind}"
    case.by_row = [x] if rows else []
    out = case.emit(f"ds.linear {x}, {w}{text} : {tensor(element, rows + [k])}, {tensor(of_weight, [n, k])} to "
                    f"{tensor(result, rows + [n])}")

    def magnitude(run):
        total = product(run, x, w)
        return total + magnitudes(run, bias)[0] if bias else total

    def tolerance(run, want):
        last = EPSILON[result] * np.abs(want) + TINY[result]
        return ((k + 3) * own(element) + rounded_inputs(run, element, of_weight)) * magnitude(run) + last
    case.output(out, result, rows + [n], tolerance)


def rounded_inputs(run, element, of_weight):
    """--precision=fast rounds activations to bf16 where the weight is bf16: by 2^-8 of themselves at most."""
    return 2.0 ** -8 if run.precision == "fast" and of_weight == "bf16" and element != "bf16" else 0.0


def bias_types(case, name):
    for n, element, dims, _ in case.inputs:
        if n == name:
            yield n, element, dims
    for line in case.lines:
        if line.startswith(name + " = ds.load_parameter"):
            kind = line.split(" : ")[1][len("tensor<"):-1].split("x")
            yield name, kind[-1], [int(s) for s in kind[:-1]]


def swiglu(case):
    element = case.pick(ACTIVATIONS)
    dims = case.dims(case.pick([1, 2, 3]))
    gate, up = case.input(element, dims, normal(3)), case.input(element, dims, normal())
    case.by_row = [gate, up]
    out = case.emit(f"ds.swiglu {gate}, {up} : {tensor(element, dims)}, {tensor(element, dims)} to {tensor(element, dims)}")
    case.output(out, element, dims, function(element, 8))


def attention_bound(element, qk, v, depth, keys, scale, mask=0.0):
    """A score is off by δ = (D + 4) · ε · scale · Σ|q·k| (and ε of what the mask adds); then a probability by 2δ of itself and what
    exp and the sum over T keys lose, (T + 16) · ε; mixing weighs that with |v|. `qk` is the largest Σ|q·k|, `v` the largest |v|."""
    delta = own(element) * ((depth + 4) * scale * qk + mask)
    return (2 * delta + (keys + 16) * own(element)) * v


def narrowed_attention(run, element, stored, qk, v, scale):
    """--precision=fast over caches of bf16: a query and a key that is made of a latent are each off by 2^-9 of themselves, so a score by
    δ = 2^-8 · scale · Σ|q·k| and a probability by e^2δ - 1 of itself; it, a value that is made and the result are rounded, 2^-9 each."""
    if run.precision != "fast" or stored != "bf16" or element not in ("f32", "bf16"):
        return 0.0
    return (np.expm1(2 * 2.0 ** -8 * scale * qk) + 3 * 2.0 ** -9) * v


def attention(case):
    element = case.pick(ACTIVATIONS)
    batch, rows, keys = case.dim([0, 1, 2, 3], static=0.3), case.dim([0, 1, 2, 5, 7, 16, 17]), case.dim([1, 2, 3, 16, 17, 33, 67])
    group, heads = case.pick([1, 1, 2, 3, 4]), case.pick([1, 2, 3])
    depth, width = case.pick([1, 2, 4, 7, 8, 16, 17, 32]), case.pick([1, 4, 8, 16, 17, 33])
    causal = case.chance(0.5)
    if causal:
        # Keys end with the rows' own.
        past = case.dim([0, 1, 2, 15, 16, 50], static=0)
        rows = case.dim([1, 2, 5, 7, 16, 17], static=0)
        keys = Sum(past, rows)
    scale = case.pick([depth ** -0.5, 1.0, 0.3])
    q_dims, k_dims, v_dims = [batch, rows, heads * group, depth], [batch, heads, keys, depth], [batch, heads, keys, width]

    q, k, v = (case.input(element, dims, normal()) for dims in (q_dims, k_dims, v_dims))
    text, most = "", 0.0
    if case.chance(0.5):
        kind = case.pick(["i1", element if element != "f64" else "f64"])
        m_dims = [case.pick([batch, 1]), case.pick([heads * group, 1]), rows, keys]
        while case.chance(0.3) and m_dims:
            m_dims = m_dims[1:]
        if kind == "i1":
            def make(run, shape):
                return run.rng.random(shape) < 0.7
        else:
            most = 4.0

            def make(run, shape):
                return np.where(run.rng.random(shape) < 0.2, -np.inf, run.rng.normal(size=shape))
        m = case.input(kind, m_dims, make)
        text = f" mask {m} : {tensor(kind, m_dims)}"
    out = case.emit(f"ds.attention {q}, {k}, {v}{text} scale {scale:e}{' causal' if causal else ''} : {tensor(element, q_dims)}, "
                    f"{tensor(element, k_dims)}, {tensor(element, v_dims)} to {tensor(element, q_dims[:3] + [width])}")
    scale = float(f"{scale:e}")

    def tolerance(run, want):
        qs, ks, vs = magnitudes(run, q, k, v)
        qk = np.einsum("bshd,bhtd->bsht", qs, np.repeat(ks, group, 1)).max(initial=0)
        bound = attention_bound(element, qk, vs.max(initial=0), depth, run.size(keys), scale, most)
        return bound + EPSILON[element] * np.abs(want) + TINY[element]
    case.output(out, element, q_dims[:3] + [width], tolerance)


# ----- flattened tokens -------------------------------------------------------------------------------------------------
class Sequences:
    """B sequences laid end to end, in slots of a cache: their arrays as inputs of a case."""

    def __init__(self, case):
        self.case = case
        self.plans = {}
        self.start = case.input("i32", [self.planned("ends")], lambda run, shape: self.plan(run)["start"])
        self.past = case.input("i32", [self.planned("count")], lambda run, shape: self.plan(run)["past"])
        self.slot = case.input("i32", [self.planned("count")], lambda run, shape: self.plan(run)["slot"])
        self.vector = "tensor<?xi32>"

    def plan(self, run):
        if id(run) not in self.plans or self.plans[id(run)]["run"] is not run:
            rng = run.rng
            count = int(rng.choice([1, 1, 2, 3, 4]))
            rows = rng.choice([0, 1, 1, 2, 5, 17], size=count)
            if rows.sum() == 0:
                rows[0] = 3
            past = rng.choice([0, 0, 1, 7, 16, 40], size=count)
            slots = count + int(rng.integers(0, 3))
            self.plans[id(run)] = dict(
                run=run, start=np.concatenate([[0], np.cumsum(rows)]), past=past, rows=rows, slot=rng.permutation(slots)[:count],
                count=count, ends=count + 1, tokens=int(rows.sum()), slots=slots,
                length=int((past + rows).max()) + int(rng.integers(0, 4)))
        return self.plans[id(run)]

    def planned(self, what):
        return Planned(self, what)

    def cache(self, run, shape, filled):
        """NaN but for the rows that a sequence has; `filled(past, rows)` says how many those are."""
        plan = self.plan(run)
        value = np.full(shape, np.nan)
        for past, rows, slot in zip(plan["past"], plan["rows"], plan["slot"]):
            n = filled(past, rows)
            value[slot, :, :n] = run.rng.normal(size=(shape[1], n, shape[3]))
        return value


class Planned:
    """A size that the plan of the sequences decides."""
    static, text = None, "?"

    def __init__(self, sequences, what):
        self.sequences, self.what = sequences, what

    def of(self, run):
        return self.sequences.plan(run)[self.what]


def token_positions(case):
    s = Sequences(case)
    tokens = case.index(lambda run: s.plan(run)["tokens"])
    out = case.emit(f"ds.token_positions {s.start}, {s.past}, {tokens} : {s.vector}, {s.vector} to tensor<?xi32>")
    case.outputs.append((out, "tensor<?xi32>", "i32", None))


def cache_append(case):
    s = Sequences(case)
    element, stored = case.pick([("f32", "f32"), ("f32", "bf16"), ("bf16", "bf16"), ("f64", "f64")])
    heads, width = case.pick([1, 2, 3]), case.pick([1, 7, 8, 16, 33])
    rows = case.input(element, [s.planned("tokens"), heads, width], normal())
    dims = [s.planned("slots"), heads, s.planned("length"), width]
    cache = case.input(stored, dims, lambda run, shape: s.cache(run, shape, lambda past, rows: past))
    out = case.emit(f"ds.cache_append {rows} into {cache} at {s.start}, {s.past}, {s.slot} : tensor<?x{heads}x{width}x{element}>, "
                    f"{tensor(stored, dims)}, {s.vector}, {s.vector}, {s.vector} to {tensor(stored, dims)}")
    case.output(out, stored, dims, None)


def cached_attention(case):
    s = Sequences(case)
    element, stored = case.pick([("f32", "f32"), ("f32", "f32"), ("f32", "bf16"), ("bf16", "bf16"), ("f64", "f64")])
    group, heads = case.pick([1, 1, 2, 3, 4]), case.pick([1, 2, 3])
    depth = case.pick([1, 2, 7, 8, 16, 17, 32, 64])
    width = depth if case.chance(0.6) else case.pick([1, 8, 16, 33])
    scale = case.pick([depth ** -0.5, 0.3])
    q_dims = [s.planned("tokens"), heads * group, depth]
    k_dims, v_dims = ([s.planned("slots"), heads, s.planned("length"), w] for w in (depth, width))
    q = case.input(element, q_dims, normal())

    def filled(run, shape):
        return s.cache(run, shape, lambda past, rows: past + rows)
    k, v = case.input(stored, k_dims, filled), case.input(stored, v_dims, filled)
    out = case.emit(f"ds.cached_attention {q}, {k}, {v} at {s.start}, {s.past}, {s.slot} scale {scale:e} : {tensor(element, q_dims)}, "
                    f"{tensor(stored, k_dims)}, {tensor(stored, v_dims)}, {s.vector}, {s.vector}, {s.vector} to "
                    f"{tensor(element, q_dims[:2] + [width])}")
    scale = float(f"{scale:e}")

    def tolerance(run, want):
        qs, ks, vs = (np.nan_to_num(m) for m in magnitudes(run, q, k, v))
        qk = np.einsum("nhd,bhtd->nhbt", qs, np.repeat(ks, group, 1)).max(initial=0)
        bound = attention_bound(element, qk, vs.max(initial=0), depth, s.plan(run)["length"], scale)
        bound += narrowed_attention(run, element, stored, qk, vs.max(initial=0), scale)
        return bound + EPSILON[element] * np.abs(want) + TINY[element]
    case.output(out, element, q_dims[:2] + [width], tolerance)


# ----- in company -------------------------------------------------------------------------------------------------------
def half_layer(case):
    """norm → gate and up of one input → SwiGLU → down → residual: what prologues, epilogues and merged products are made for."""
    stored = case.pick(["f32", "f32", "bf16", "f16"])
    rows = case.dim(ROWS, static=0.2)
    d, i = case.pick([3, 8, 16, 17, 32, 33, 64]), case.pick([1, 7, 16, 31, 32, 67, 96])
    x_kind, i_kind = tensor("f32", [rows, d]), tensor("f32", [rows, i])
    x = case.input("f32", [rows, d], normal())
    case.by_row = [x]
    norm = case.parameter("f32", [d], normal())
    gate, up = (case.parameter(stored, [i, d], normal(d ** -0.5)) for _ in range(2))
    down = case.parameter(stored, [d, i], normal(i ** -0.5))
    n = case.emit(f"ds.rms_norm {x}, {norm} epsilon 1.000000e-06 : {x_kind}, {tensor('f32', [d])} to {x_kind}")
    g, u = (case.emit(f"ds.linear {n}, {w} : {x_kind}, {tensor(stored, [i, d])} to {i_kind}") for w in (gate, up))
    a = case.emit(f"ds.swiglu {g}, {u} : {i_kind}, {i_kind} to {i_kind}")
    y = case.emit(f"ds.linear {a}, {down} : {i_kind}, {tensor(stored, [d, i])} to {x_kind}")
    out = case.emit(f"ds.elementwise add {x}, {y} : ({x_kind}, {x_kind}) -> {x_kind}")

    def tolerance(run, want):
        # Each step adds (its length + 8) · ε to the relative error of magnitudes, which are computed here without signs.
        value = run.values[x].astype(np.float64)
        normal_ = np.abs(value / np.sqrt((value * value).mean(-1, keepdims=True) + 1e-6) * run.values[norm])
        g_, u_, d_ = magnitudes(run, gate, up, down)
        hidden = (normal_ @ g_.T) * (normal_ @ u_.T)
        # The derivative of g · sigmoid(g) is at most 1.1.
        relative = (2 * (1.5 * d + 16) + i + 16) * EPSILON["f32"] + 3 * rounded_inputs(run, "f32", stored)
        return 1.1 * relative * (hidden @ d_.T + np.abs(value))
    case.output(out, "f32", [rows, d], tolerance)


def projections(case):
    """q, k and v of one input, some rotated: products that are merged must come apart again."""
    stored = case.pick(["f32", "bf16", "f16"])
    rows, k = case.dim(ROWS, static=0.2), case.pick([3, 8, 17, 32, 64, 65])
    x = case.input("f32", [rows, k], normal())
    case.by_row = [x]
    kind = tensor("f32", [rows, k])
    for _ in range(case.pick([2, 3])):
        n = case.pick([1, 8, 16, 24, 32, 33, 64])
        w = case.parameter(stored, [n, k], normal())
        out = case.emit(f"ds.linear {x}, {w} : {kind}, {tensor(stored, [n, k])} to {tensor('f32', [rows, n])}")

        def tolerance(run, want, w=w):
            return ((k + 3) * EPSILON["f32"] + rounded_inputs(run, "f32", stored)) * product(run, x, w) + TINY["f32"]
        case.output(out, "f32", [rows, n], tolerance)


def fp8_projections(case):
    """Products of one input with FP8 weights and a scale per block, as checkpoints have them; rows and columns end inside a block."""
    stored, block = case.pick(["f32", "bf16"]), case.pick([[128, 128], [16, 32], [3, 5]])
    rows, k = case.dim(ROWS, static=0.2), case.pick([1, 31, 64, 129])
    x = case.input("f32", [rows, k], normal())
    case.by_row = [x]
    for _ in range(case.pick([1, 2])):
        n = case.pick([1, 16, 33, 130])
        scales = [-(-n // block[0]), -(-k // block[1])]
        data, scale = case.parameter("f8E4M3FN", [n, k], normal(30)), case.parameter("f32", scales, uniform(1e-3, 1e-2))
        w = case.emit(f"ds.dequantize_blocks {data} scale {scale} blocks {block} : {tensor('f8E4M3FN', [n, k])}, {tensor('f32', scales)} to "
                      f"{tensor(stored, [n, k])}")
        out = case.emit(f"ds.linear {x}, {w} : {tensor('f32', [rows, k])}, {tensor(stored, [n, k])} to {tensor('f32', [rows, n])}")

        def tolerance(run, want, data=data, scale=scale, n=n, scales=scales):
            by_element = np.repeat(np.repeat(run.values[scale].astype(np.float64), block[0], 0), block[1], 1)[:n, :k]
            total = magnitudes(run, x)[0] @ (magnitudes(run, data)[0] * by_element).T
            of_weight = EPSILON["bf16"] if stored == "bf16" else 0
            return ((k + scales[1] + 4) * EPSILON["f32"] + of_weight + rounded_inputs(run, "f32", "bf16")) * total + TINY["f32"]
        case.output(out, "f32", [rows, n], tolerance)


# ----- packed -----------------------------------------------------------------------------------------------------------
def packed_shape(n, k, p):
    return [-(-n // 32), -(-k // p), 32 * p]


def packed(weight, p):
    """The layout of ds.pack, written from its documentation."""
    n, k = weight.shape
    panels, steps, _ = packed_shape(n, k, p)
    full = np.zeros((panels * 32, steps * p), weight.dtype)
    full[:n, :k] = weight
    return full.reshape(panels, 32, steps, p).transpose(0, 2, 1, 3).reshape(panels, steps, 32 * p)


def gated(y, error, n):
    """How far SwiGLU of sums of at most this size, in blocks of 16 gates and 16 ups, may be off: [rows, n]."""
    blocks = y.shape[0], y.shape[1] // 32, 2, 16
    gate, up = np.moveaxis(y.reshape(blocks), 2, 0)
    gate_error, up_error = np.moveaxis(error.reshape(blocks), 2, 0)
    # |g · sigmoid(g)| is at most |g|, its derivative at most 1.1; exp, two products, a quotient.
    error = 1.1 * gate_error * (up + up_error) + gate * up_error + 8 * EPSILON["f32"] * gate * up
    return error.reshape(y.shape[0], y.shape[1] // 2)[:, :n]


class Epilogue:
    """What may follow the sums y of a product: SwiGLU of blocks of 16 gates and 16 ups or a residual, rotation of heads, rounding to bf16."""

    def __init__(self, case, n):
        # Half a head, or 0: no rotation. Then the first columns are heads.
        self.half = case.pick([16, 32, 48]) if case.chance(0.25) else 0
        if self.half:
            self.columns = case.pick([1, 2, 3]) * 2 * self.half
            n = self.columns + case.pick([0, 32, 96])
        self.n, self.swiglu, self.result = n, not self.half and case.chance(0.3), case.pick(["f32", "f32", "bf16"])
        # Outputs of the weight.
        self.outputs = -(-n // 16) * 32 if self.swiglu else n
        self.residual, self.text, self.kind = None, " swiglu" if self.swiglu else "", ""

    def add_operands(self, case, rows):
        if self.half:
            self.layout, dims = case.pick(["halves", "pairs"]), rows + [self.half]
            self.tables = [case.input("f32", dims, normal()) for _ in range(2)]
            self.text += f" rope {', '.join(self.tables)} columns {self.columns} {self.layout}"
            self.kind = f" rope {tensor('f32', dims)}, {tensor('f32', dims)}"
            case.by_row += self.tables
        elif case.chance(0.3):
            dims = rows + [self.n]
            self.residual = case.input("f32", dims, normal())
            self.text += f" residual {self.residual}"
            self.kind = f" residual {tensor('f32', dims)}"
            case.by_row.append(self.residual)

    def by_rotation(self, sizes, cos, sin):
        """How large results may be whose members have these sizes in panels of 16 first and 16 second ones."""
        rows, heads = sizes.shape[0], self.columns // (2 * self.half)
        first, second = np.moveaxis(sizes.reshape(rows, heads, self.half // 16, 2, 16), 3, 0)
        first, second = (x.reshape(rows, heads, self.half) for x in (first, second))
        cos, sin = cos[:, None], sin[:, None]
        turned = [first * cos + second * sin, second * cos + first * sin]
        return np.stack(turned, axis=-1 if self.layout == "pairs" else -2).reshape(rows, self.columns)

    def tolerance(self, run, want, y, error):
        """Of the result, from the largest size of each sum and how far it may be off."""
        if self.swiglu:
            error = gated(y, error, self.n)
        if self.half:
            # Errors and sizes of both members meet; two products and a sum.
            cos, sin = (magnitudes(run, table)[0] for table in self.tables)
            turned = self.by_rotation((error + 3 * EPSILON["f32"] * y)[:, :self.columns], cos, sin)
            error = np.concatenate([turned, error[:, self.columns:]], axis=1)
        last = EPSILON["f32"] * (np.abs(want) + (magnitudes(run, self.residual)[0] if self.residual else 0))
        if self.result == "bf16":
            last = last + EPSILON["bf16"] * np.abs(want)
        return error + last + TINY["f32"]


def pack(case):
    element, p = case.pick(["f32", "bf16", "f16", "i8", "ui8"]), case.pick([1, 2, 4])
    n, k = case.pick(WIDTHS), case.pick(WIDTHS)
    x = case.input(element, [n, k], values(element))
    shape = packed_shape(n, k, p)
    out = case.emit(f"ds.pack {x} : {tensor(element, [n, k])} to {tensor(element, shape)}")
    case.output(out, element, shape, None)


def packed_linear(case):
    stored = case.pick(["f32", "bf16", "f16"])
    element = case.pick(["f32", "bf16"]) if stored == "bf16" else "f32"
    p = 2 if stored == "bf16" else 1
    rows = case.dims(1, ROWS)
    k = case.pick(WIDTHS + [257])
    after = Epilogue(case, case.pick(WIDTHS))
    n = after.outputs
    shape = packed_shape(n, k, p)
    x = case.input(element, rows + [k], normal())
    case.by_row = [x]
    after.add_operands(case, rows)
    plain = case.rng.normal(size=(n, k)).astype(DTYPES[stored])
    w = weight(case, stored, shape, lambda run, shape: packed(plain, p))
    text = kind = ""
    if case.chance(0.3):
        bias = weight(case, "f32", [n], normal())
        text, kind = f" bias {bias}", f" bias {tensor('f32', [n])}"
    out = case.emit(f"ds.packed_linear {x}, {w}{text}{after.text} : {tensor(element, rows + [k])}, {tensor(stored, shape)}{kind}{after.kind} "
                    f"to {tensor(after.result, rows + [after.n])}")

    def tolerance(run, want):
        total = magnitudes(run, x)[0] @ np.abs(plain.astype(np.float64)).T + (magnitudes(run, bias)[0] if text else 0)
        return after.tolerance(run, want, total, (k + 3) * EPSILON["f32"] * total)
    case.output(out, after.result, rows + [after.n], tolerance)


def quantize_groups(case):
    bits, group = case.pick([8, 8, 4]), case.pick([8, 16, 32, 64, 24])
    rows, k = case.dims(1, ROWS), case.pick(WIDTHS + [257])
    q, groups, stored = 2 ** (bits - 1) - 1, -(-k // group), 4 * -(-k // 4)

    def make(run, shape):
        """Rows of very different sizes, groups of zeros, and few that are no numbers."""
        value = run.rng.normal(size=shape) * 10.0 ** run.rng.integers(-40, 30, size=(shape[0], 1))
        value[run.rng.random(shape) < 0.2] = 0
        odd = run.rng.random(shape) < (0.005 if run.rng.random() < 0.5 else 0)
        return np.where(odd, run.rng.choice([np.inf, -np.inf, np.nan], size=shape), value)
    x = case.input("f32", rows + [k], make)
    case.by_row = [x]
    names = [case.name() for _ in range(3)]
    kinds = [tensor("i8", rows + [stored]), tensor("f32", rows + [groups]), tensor("i32", rows + [groups])]
    case.lines.append(f"{', '.join(names)} = ds.quantize_groups {x} group {group}{' bits 4' if bits == 4 else ''} : {tensor('f32', rows + [k])} "
                      f"to {', '.join(kinds)}")

    def near_half(run):
        """1 where f32 may round to another whole number than f64, or take q / m for infinite."""
        value = run.values[x].astype(np.float64)
        padded = np.pad(value, ((0, 0), (0, groups * group - k))).reshape(-1, groups, group)
        with np.errstate(all="ignore"):
            factor = q / np.abs(padded).max(-1, keepdims=True, initial=0)
            y = padded * factor
            near = (np.abs(np.abs(y - np.floor(y)) - 0.5) < 1e-4).astype(float)
            at_limit = np.abs(factor / np.finfo(np.float32).max - 1) < 1e-6
        return np.where(at_limit, q, near)

    def data_tolerance(run, want):
        return np.pad(near_half(run).reshape(-1, groups * group)[:, :k], ((0, 0), (0, stored - k)))

    case.output(names[0], "i8", rows + [stored], data_tolerance)
    case.output(names[1], "f32", rows + [groups], lambda run, want: EPSILON["f32"] * np.abs(want) + TINY["f32"])
    case.output(names[2], "i32", rows + [groups], lambda run, want: near_half(run).sum(-1))


def packed_quantized_linear(case):
    bits, group, is_integer = case.pick([8, 4]), case.pick([8, 16, 24, 32, 64]), case.chance(0.6)
    multiple = 8 if bits == 4 else 4 if is_integer else 1
    rows, after = case.dims(1, ROWS), Epilogue(case, case.pick(WIDTHS))
    n = after.outputs
    k = -(-case.pick(WIDTHS + [257]) // multiple) * multiple
    groups, shape = -(-k // group), packed_shape(n, k * bits // 8, 4)
    own_rows = rows + [groups]
    numbers = case.rng.integers(0, 2 ** bits, size=(n, k))
    if bits == 8:
        stored = numbers.astype(np.uint8)
    else:
        # Of eight successive k the first four are low halves.
        halves = numbers.reshape(n, k // 8, 2, 4)
        stored = (halves[:, :, 0] + 16 * halves[:, :, 1]).reshape(n, k // 2).astype(np.uint8)
    w = weight(case, "i8", shape, lambda run, shape: packed(stored, 4).view(np.int8))
    x = case.input("i8", rows + [k], integers("i8", -127, 127)) if is_integer else case.input("f32", rows + [k], normal())
    case.by_row = [x]
    text, kinds = x, tensor("i8" if is_integer else "f32", rows + [k])
    if is_integer:
        x_scale = case.input("f32", own_rows, uniform(0, 2))

        def sums(run, shape):
            value = np.pad(run.values[x].astype(np.int32), ((0, 0), (0, groups * group - k)))
            return value.reshape(-1, groups, group).sum(-1)
        x_sum = case.input("i32", own_rows, sums)
        case.by_row += [x_scale, x_sum]
        text += f" scale {x_scale} sum {x_sum}"
        kinds += f" scale {tensor('f32', own_rows)} sum {tensor('i32', own_rows)}"
    panels = shape[0]
    # Padding of the last panel may hold anything.
    scale_dims = [panels, case.pick([1, groups]), 32]
    w_scale = weight(case, "f32", scale_dims, normal())
    text += f", {w} scale {w_scale}"
    kinds += f", {tensor('i8', shape)} scale {tensor('f32', scale_dims)}"
    zero = case.pick([0, 2 ** (bits - 1), int(case.rng.integers(0, 2 ** bits))])
    zero_points = None
    if case.chance(0.4):
        zero_dims = [panels, case.pick([1, groups]), 32]
        zero_points = weight(case, "i8", zero_dims,
                             lambda run, shape: run.rng.integers(0, 2 ** bits, size=shape).astype(np.uint8).view(np.int8))
        text += f" zero_points {zero_points}"
        kinds += f" zero_points {tensor('i8', zero_dims)}"
    bias = None
    if case.chance(0.3):
        bias = weight(case, "f32", [n], normal())
        text += f" bias {bias}"
        kinds += f" bias {tensor('f32', [n])}"
    after.add_operands(case, rows)
    text += after.text
    kinds += after.kind
    attributes = f"bits = {bits} : i64, group = {group} : i64" + (f", zero = {zero} : i64" if zero else "")
    out = case.emit(f"ds.packed_quantized_linear {text} {{{attributes}}} : {kinds} to "
                    f"{tensor(after.result, rows + [after.n])}")

    def by_element(run, name):
        """[N, K] of a packed value, as unsigned numbers where it is i8."""
        value = run.values[name]
        value = value.view(np.uint8) if value.dtype == np.int8 else value
        full = np.broadcast_to(value, (panels, groups, 32)).transpose(0, 2, 1).reshape(panels * 32, groups)[:n]
        return np.repeat(full.astype(np.float64), group, 1)[:, :k]

    def tolerance(run, want):
        zeros = by_element(run, zero_points) if zero_points else zero
        # f32 sums of stored numbers may start at −zero · Σ input.
        real = np.abs(by_element(run, w_scale)) * (numbers + 2 * np.abs(zeros) + 0.0)
        value = magnitudes(run, x)[0]
        if is_integer:
            value = value * np.repeat(run.values[x_scale].astype(np.float64), group, 1)[:, :k]
        total = value @ real.T + (magnitudes(run, bias)[0] if bias else 0)
        return after.tolerance(run, want, total, (k + 3 * groups + 3) * EPSILON["f32"] * total)
    case.output(out, after.result, rows + [after.n], tolerance)


OPS = {"embedding": embedding, "rms_norm": rms_norm, "rope": rope, "linear": linear, "swiglu": swiglu, "attention": attention,
       "token_positions": token_positions, "cache_append": cache_append, "cached_attention": cached_attention,
       "half_layer": half_layer, "projections": projections, "fp8_projections": fp8_projections, "pack": pack, "packed_linear": packed_linear, "quantize_groups": quantize_groups,
       "packed_quantized_linear": packed_quantized_linear}
