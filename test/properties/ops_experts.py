"""Properties of routing and of routed experts (DsExpertOps.td)."""
import numpy as np

from case import DTYPES, EPSILON, TINY, integers, normal, rounding, tensor, uniform
from ops_model import ROWS, gated, magnitudes, own, packed, packed_shape, rounded_inputs, weight


def emit_many(case, text, kinds):
    """The names of an op's results."""
    names = [case.name() for _ in kinds]
    case.lines.append(f"{', '.join(names)} = {text} to {', '.join(kinds)}")
    return names


# ----- the choice -------------------------------------------------------------------------------------------------------
def scores(logits, scoring):
    if scoring == "sigmoid":
        return 1 / (1 + np.exp(-logits))
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def are_apart(values, sizes, inputs):
    """Whether f32 must order `values` as f64 does: those that are near come from equal inputs. `sizes` are what they were added up from."""
    order = np.argsort(values, kind="stable")
    for i, j in zip(order, order[1:]):
        if not values[j] - values[i] > 2e-5 * max(sizes[i], sizes[j]) and inputs[i] != inputs[j]:
            return False
    return True


def row_of_logits(rng, experts, bias, scoring, groups, top2sum, zero):
    """Logits on a grid, so that equal scores are common; drawn again where rounding alone would decide."""
    for _ in range(50):
        kind = rng.integers(6)
        row = rng.integers(-24, 25, size=experts) / 4
        if kind == 0:
            row[:] = row[0]
        elif kind == 1:
            row = rng.choice([-50.0, -30.0, 0.0, 30.0], size=experts)
        elif kind == 2:
            row = rng.normal(size=experts).astype(np.float32).astype(np.float64) * 3
        s = scores(row, scoring)
        t, sizes, inputs = s + bias, s + np.abs(bias), list(zip(row, bias))
        if zero:
            t, sizes, inputs = np.append(t, 0), np.append(sizes, 0), inputs + [None]
        if not are_apart(t, sizes, inputs):
            continue
        members = np.arange(experts).reshape(groups, -1)
        best = [sorted(m, key=lambda i: -t[i])[:2 if top2sum else 1] for m in members]
        if are_apart(np.array([t[b].sum() for b in best]), np.array([sizes[b].sum() for b in best]),
                     [[inputs[i] for i in b] for b in best]):
            break
    else:
        row = np.zeros(experts)
    odd = rng.random()
    if odd < 0.05:
        row[rng.integers(experts)] = np.nan
    elif odd < 0.1 and scoring == "sigmoid":
        row[rng.integers(experts)] = rng.choice([np.inf, -np.inf])
    elif odd < 0.12:
        row[:] = np.nan
    return row


def route(case):
    experts = case.pick([1, 2, 3, 4, 6, 8, 12, 13, 16, 31, 64])
    groups = case.pick([g for g in range(1, experts + 1) if experts % g == 0])
    kept = int(case.rng.integers(1, groups + 1))
    k = case.pick([1, experts, int(case.rng.integers(1, experts + 1)), min(experts, 8)])
    scoring, by, fill = case.pick(["softmax", "sigmoid"]), case.pick(["max", "top2sum"]), case.pick(["zero", "lowest"])
    normalize, scale = case.pick([None, 0.0, 1e-20, 0.5]), case.pick([1.0, 2.5, 16.0])
    rows = case.dims(1, ROWS)
    text, bias = "", None
    if case.chance(0.6):
        # Of both signs, and so large that scores vanish in the sum.
        choices = case.pick([[-2.0, -0.5, 0.0, 0.25, 1.0], [12.0], [-1.0, -0.75]])
        bias = weight(case, "f32", [experts], lambda run, shape: run.rng.choice(choices, size=shape))
        text = f" bias {bias} : {tensor('f32', [experts])}"

    def make(run, shape):
        value = run.values[bias].astype(np.float64) if bias else np.zeros(experts)
        return np.array([row_of_logits(run.rng, experts, value, scoring, groups, by == "top2sum", fill == "zero")
                         for _ in range(shape[0])]).reshape(shape)
    logits = case.input("f32", rows + [experts], make)
    text = f"ds.route {logits}{text} {scoring} top {k} groups {groups} keep {kept} by {by} fill {fill}"
    text += "" if normalize is None else f" normalize {normalize:e}"
    kinds = [tensor("f32", rows + [k]), tensor("i32", rows + [k]), tensor("i32", [experts])]
    weights, ids, loads = emit_many(case, f"{text} scale {scale:e} : {tensor('f32', rows + [experts])}", kinds)

    def tolerance(run, want):
        # A sum over all experts, one over the chosen, exp and a few products.
        return (experts + k + 32) * EPSILON["f32"] * np.abs(want) + scale * TINY["f32"]
    case.output(weights, "f32", rows + [k], tolerance)
    case.output(ids, "i32", rows + [k], None)
    if case.chance(0.5):
        case.output(loads, "i32", [experts], None)
    else:
        case.by_row = [logits]


def update_route_bias(case):
    experts = case.dim([1, 2, 3, 7, 8, 64], low=1)
    bias = case.input("f32", [experts], normal())

    def make(run, shape):
        """Near the mean and far from it; all equal at times."""
        return run.rng.integers(0, run.rng.choice([1, 2, 5, 2**24]), size=shape)
    loads = case.input("i32", [experts], make)
    rate = case.input("f32", [], uniform(0, 0.01))
    out = case.emit(f"ds.update_route_bias {bias}, {loads} rate {rate} : {tensor('f32', [experts])}, {tensor('i32', [experts])}, "
                    f"{tensor('f32', [])} to {tensor('f32', [experts])}")
    case.output(out, "f32", [experts], rounding("f32"))


# ----- the experts ------------------------------------------------------------------------------------------------------
class Choice:
    """Which experts tokens have, as an input of a case: all alike, few, or any, sometimes counted from the end."""

    def __init__(self, case, rows):
        self.case, self.rows = case, rows
        self.experts, self.k = case.pick([1, 2, 3, 8, 13, 31]), case.pick([1, 2, 3, 5])
        self.element = case.pick(["i32", "i32", "i64"])
        self.kind = tensor(self.element, rows + [self.k])

        def make(run, shape):
            some = run.rng.integers(0, self.experts, size=run.rng.choice([1, 2, 40]))
            value = run.rng.choice(some, size=shape)
            return np.where(run.rng.random(shape) < 0.1, value - self.experts, value)
        self.name = case.input(self.element, rows + [self.k], make)

    def of(self, run):
        """[N, k], from 0 on."""
        return run.values[self.name].astype(np.int64) % self.experts

    def group(self, m):
        """tokens, places, offsets, tiles, count, and their types."""
        n = self.rows[0].static
        tiles = "?" if n is None else -(-n * self.k // m) + self.experts
        kinds = [f"tensor<{'?' if n is None else n * self.k}xi32>", tensor("i32", self.rows + [self.k]), f"tensor<{self.experts + 1}xi32>",
                 f"tensor<{tiles}x3xi32>", "tensor<i32>"]
        return emit_many(self.case, f"ds.group_tokens {self.name} of {self.experts} tiles {m} : {self.kind}", kinds), kinds

    def spoil(self):
        self.case.may_be_outside(self.name, lambda run: [self.experts, self.experts + 1, 2**31 - 1, -self.experts - 1])


def tile_rows(case):
    return case.pick([1, 2, 3, 8, 32])


def group_tokens(case):
    choice = Choice(case, case.dims(1, ROWS))
    choice.spoil()
    for name, kind in zip(*choice.group(tile_rows(case))):
        case.outputs.append((name, kind, "i32", None))


def grouped_linear(case):
    rows = case.dims(1, ROWS)
    choice = Choice(case, rows)
    element, stored = case.pick([("f32", "f32"), ("f32", "bf16"), ("f32", "f16"), ("bf16", "bf16"), ("f64", "f64")])
    result = case.pick([element, "f32"]) if element == "bf16" else element
    n, columns = case.pick([1, 7, 16, 33]), case.pick([1, 8, 17, 64])
    (tokens, _, _, tiles, count), kinds = choice.group(tile_rows(case))
    w = weight(case, stored, [choice.experts, n, columns], normal())
    by_number = case.chance(0.6)
    if by_number:
        x_kind, text = tensor(element, rows + [columns]), f" rows {tokens} : {kinds[0]}"
        x = case.input(element, rows + [columns], normal())
    else:
        static = rows[0].static
        x_kind, text = f"tensor<{'?' if static is None else static * choice.k}x{columns}x{element}>", ""
        x = case.name()
        case.inputs.append((x, element, [rows[0], choice.k, columns], normal()))
        spread = x
        x = case.emit(f"tensor.collapse_shape {x} [[0, 1], [2]] : {tensor(element, rows + [choice.k, columns])} into {x_kind}")
    out_kind = x_kind.replace(f"x{columns}x{element}", f"x{n}x{result}") if not by_number else kinds[0].replace("xi32", f"x{n}x{result}")
    out = case.emit(f"ds.grouped_linear {x}{text}, {w} in {tiles}, {count} : {x_kind}, {tensor(stored, [choice.experts, n, columns])}, "
                    f"{kinds[3]}, tensor<i32> to {out_kind}")

    def tolerance(run, want):
        ids = choice.of(run).reshape(-1)
        order = np.argsort(ids, kind="stable")
        value = magnitudes(run, x if by_number else spread)[0]
        value = value[order // choice.k] if by_number else value.reshape(ids.size, columns)
        total = np.einsum("rk,rnk->rn", value, magnitudes(run, w)[0][ids[order]])
        relative = (columns + 3) * own(element) + rounded_inputs(run, element, stored)
        return relative * total + EPSILON[result] * np.abs(want) + TINY[result]
    case.outputs.append((out, out_kind, result, tolerance))


def packed_grouped_linear(case):
    """ds.packed_linear of grouped rows: SwiGLU and the result's type may follow."""
    rows = case.dims(1, ROWS)
    choice = Choice(case, rows)
    element, stored = case.pick([("f32", "f32"), ("f32", "bf16"), ("f32", "f16"), ("bf16", "bf16")])
    p = 2 if stored == "bf16" else 1
    swiglu, result = case.chance(0.5), case.pick(["f32", "bf16"])
    n, columns = case.pick([1, 7, 16, 33]), case.pick([1, 8, 17, 64])
    outputs = -(-n // 16) * 32 if swiglu else n
    (tokens, _, _, tiles, count), kinds = choice.group(tile_rows(case))
    shape = [choice.experts] + packed_shape(outputs, columns, p)
    plain = case.rng.normal(size=(choice.experts, outputs, columns)).astype(DTYPES[stored])
    w = weight(case, stored, shape, lambda run, shape: np.stack([packed(expert, p) for expert in plain]))
    x = case.input(element, rows + [columns], normal())
    out_kind = kinds[0].replace("xi32", f"x{n}x{result}")
    out = case.emit(f"ds.packed_linear {x} rows {tokens}, {w} in {tiles}, {count}{' swiglu' if swiglu else ''} : {tensor(element, rows + [columns])} "
                    f"rows {kinds[0]}, {tensor(stored, shape)} in {kinds[3]}, tensor<i32> to {out_kind}")

    def tolerance(run, want):
        ids = choice.of(run).reshape(-1)
        order = np.argsort(ids, kind="stable")
        total = np.einsum("rk,rnk->rn", magnitudes(run, x)[0][order // choice.k], np.abs(plain.astype(np.float64))[ids[order]])
        error = (columns + 3) * EPSILON["f32"] * total
        if swiglu:
            error = gated(total, error, n)
        return error + EPSILON[result] * np.abs(want) + TINY[result]
    case.outputs.append((out, out_kind, result, tolerance))


def combine(case):
    rows = case.dims(1, ROWS)
    choice = Choice(case, rows)
    element = case.pick(["f32", "f32", "bf16", "f64"])
    result = case.pick([element, "f32", "bf16"]) if element != "f64" else "f64"
    width = case.pick([1, 7, 16, 33])
    (_, places, _, _, _), kinds = choice.group(tile_rows(case))
    spread = case.input(element, [rows[0], choice.k, width], normal())
    kind = kinds[0].replace("xi32", f"x{width}x{element}")
    values = case.emit(f"tensor.collapse_shape {spread} [[0, 1], [2]] : {tensor(element, rows + [choice.k, width])} into {kind}")
    w = case.input("f32", rows + [choice.k], normal())
    out = case.emit(f"ds.combine {values} at {places} weights {w} : {kind}, {kinds[1]}, {tensor('f32', rows + [choice.k])} to "
                    f"{tensor(result, rows + [width])}")

    def tolerance(run, want):
        ids = choice.of(run)
        at = np.empty(ids.size, np.int64)
        at[np.argsort(ids.reshape(-1), kind="stable")] = np.arange(ids.size)
        value, share = magnitudes(run, spread, w)
        total = np.einsum("nkd,nk->nd", value.reshape(-1, width)[at].reshape(*ids.shape, width), share)
        return (choice.k + 2) * own(element) * total + EPSILON[result] * np.abs(want) + TINY[result]
    case.output(out, result, rows + [width], tolerance)


def moe(case):
    rows = case.dims(1, ROWS)
    choice = Choice(case, rows)
    choice.spoil()
    element, stored = case.pick([("f32", "f32"), ("f32", "bf16"), ("bf16", "bf16"), ("f64", "f64")])
    d, inner, experts = case.pick([1, 8, 17, 32]), case.pick([1, 7, 16, 33]), choice.experts
    x = case.input(element, rows + [d], normal())
    w = case.input("f32", rows + [choice.k], normal())
    gate, up = (weight(case, stored, [experts, inner, d], normal(d ** -0.5)) for _ in range(2))
    down = weight(case, stored, [experts, d, inner], normal(inner ** -0.5))
    case.by_row = [x, w, choice.name]
    kinds = [tensor(element, rows + [d]), tensor("f32", rows + [choice.k]), choice.kind] + 2 * [tensor(stored, [experts, inner, d])]
    kinds.append(tensor(stored, [experts, d, inner]))
    out = case.emit(f"ds.moe {x} weights {w} experts {choice.name} gate {gate} up {up} down {down} : {', '.join(kinds)} to {kinds[0]}")

    def tolerance(run, want):
        ids = choice.of(run)
        value, share, g, u, d_ = magnitudes(run, x, w, gate, up, down)
        # As of half_layer, expert by expert.
        hidden = np.einsum("nd,nkid->nki", value, g[ids]) * np.einsum("nd,nkid->nki", value, u[ids])
        total = np.einsum("nki,nkdi,nk->nd", hidden, d_[ids], share)
        relative = (2 * (d + 8) + inner + choice.k + 16) * own(element)
        # Tokens twice, for gate and up, and what lies between.
        relative += 2 * rounded_inputs(run, element, stored) + rounded_inputs(run, "f32", stored)
        return 1.1 * relative * total + EPSILON[element] * np.abs(want) + TINY[element]
    case.output(out, element, rows + [d], tolerance)


OPS = {"route": route, "update_route_bias": update_route_bias, "group_tokens": group_tokens, "grouped_linear": grouped_linear,
       "packed_grouped_linear": packed_grouped_linear, "combine": combine, "moe": moe}
