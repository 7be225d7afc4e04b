"""Properties of products whose weights are FP8, or whole numbers with scales: of single weights, and of those of experts."""
import ml_dtypes
import numpy as np

from case import EPSILON, TINY, normal, tensor, uniform
from ops_experts import Choice, tile_rows
from ops_model import ROWS, WIDTHS, Epilogue, gated, magnitudes, packed, packed_shape, weight


def float8_codes(rng, shape):
    """Any e4m3 numbers, subnormals too; in few cases some that are none."""
    codes = rng.integers(0, 256, size=shape).astype(np.uint8)
    nan = (codes & 127) == 127
    if rng.random() < 0.8:
        codes[nan] -= 1
    else:
        codes[nan & (rng.random(shape) < 0.9)] -= 1
    return codes.view(ml_dtypes.float8_e4m3fn)


def spread(scale, shape, group):
    """[N, K] or [E, N, K] of packed scales or zero points, as unsigned numbers where they are i8."""
    value = scale.view(np.uint8) if scale.dtype == np.int8 else scale
    n, k = shape[-2:]
    full = np.swapaxes(value.astype(np.float64), -1, -2)
    full = np.repeat(full, -(-k // full.shape[-1]) if full.shape[-1] == 1 else group, -1)
    return full.reshape(*value.shape[:-3], -1, full.shape[-1])[..., :n, :k]


def packed_float8_linear(case):
    """ds.packed_quantized_linear of FP8: everything may follow."""
    element, group = case.pick(["f32", "bf16"]), case.pick([8, 16, 24, 64, 128])
    rows, after = case.dims(1, ROWS), Epilogue(case, case.pick(WIDTHS))
    n, k = after.outputs, case.pick(WIDTHS + [257])
    groups, shape = -(-k // group), packed_shape(n, k, 2)
    codes = float8_codes(case.rng, (n, k))
    w = weight(case, "f8E4M3FN", shape, lambda run, shape: packed(codes, 2))
    x = case.input(element, rows + [k], normal())
    case.by_row = [x]
    scale_dims = [shape[0], case.pick([1, groups]), 32]
    scale = weight(case, "f32", scale_dims, uniform(1e-4, 1e-2))
    text, kinds = f"{x}, {w} scale {scale}", f"{tensor(element, rows + [k])}, {tensor('f8E4M3FN', shape)} scale {tensor('f32', scale_dims)}"
    bias = None
    if case.chance(0.3):
        bias = weight(case, "f32", [n], normal())
        text, kinds = f"{text} bias {bias}", f"{kinds} bias {tensor('f32', [n])}"
    after.add_operands(case, rows)
    out = case.emit(f"ds.packed_quantized_linear {text}{after.text} {{bits = 8 : i64, group = {group} : i64}} : {kinds}{after.kind} to "
                    f"{tensor(after.result, rows + [after.n])}")

    def tolerance(run, want):
        real = np.abs(codes.astype(np.float64)) * spread(run.values[scale], codes.shape, group)
        total = magnitudes(run, x)[0] @ real.T + (magnitudes(run, bias)[0] if bias else 0)
        return after.tolerance(run, want, total, (k + groups + 3) * EPSILON["f32"] * total)
    case.output(out, after.result, rows + [after.n], tolerance)


def stored_numbers(case, bits, shape):
    """Unsigned numbers of a weight, and the bytes [E, N, …] that hold them."""
    numbers = case.rng.integers(0, 2 ** bits, size=shape)
    if bits == 8:
        return numbers, numbers.astype(np.uint8)
    halves = numbers.reshape(*shape[:-1], shape[-1] // 8, 2, 4)
    return numbers, (halves[..., 0, :] + 16 * halves[..., 1, :]).reshape(*shape[:-1], shape[-1] // 2).astype(np.uint8)


def packed_grouped_quantized_linear(case):
    """ds.packed_quantized_linear of grouped rows: FP8, and whole numbers with f32 and with i8 inputs."""
    rows, group = case.dims(1, ROWS), case.pick([8, 16, 64])
    choice = Choice(case, rows)
    form = case.pick(["fp8", "fp8", "int8", "int4"])
    element = case.pick(["f32", "bf16"] if form == "fp8" else ["f32", "i8"])
    swiglu, result = case.chance(0.5), case.pick(["f32", "bf16"])
    n, k = case.pick([1, 7, 16, 33]), case.pick([8, 24, 64, 72] if form != "fp8" else [1, 8, 17, 64, 129])
    outputs, groups, bits = -(-n // 16) * 32 if swiglu else n, -(-k // group), 4 if form == "int4" else 8
    (tokens, _, _, tiles, count), kinds = choice.group(tile_rows(case))
    shape = (choice.experts, outputs, k)
    if form == "fp8":
        numbers = float8_codes(case.rng, shape)
        data, p, kind = numbers, 2, "f8E4M3FN"
    else:
        numbers, data = stored_numbers(case, bits, shape)
        data, p, kind = data.view(np.int8), 4, "i8"
    dims = [choice.experts] + packed_shape(outputs, data.shape[-1], p)
    w = weight(case, kind, dims, lambda run, shape: np.stack([packed(expert, p) for expert in data]))
    scale_dims = dims[:2] + [case.pick([1, groups]), 32]
    scale = weight(case, "f32", scale_dims, uniform(1e-3, 1e-2))
    x = case.input(element, rows + [k], normal(40 if element == "i8" else 1))
    text, types = x, tensor(element, rows + [k])
    if element == "i8":
        own = rows + [groups]
        x_scale = case.input("f32", own, uniform(0, 2))

        def sums(run, shape):
            value = np.pad(run.values[x].astype(np.int32), ((0, 0), (0, groups * group - k)))
            return value.reshape(-1, groups, group).sum(-1)
        x_sum = case.input("i32", own, sums)
        text += f" scale {x_scale} sum {x_sum}"
        types += f" scale {tensor('f32', own)} sum {tensor('i32', own)}"
    text += f" rows {tokens}, {w} scale {scale}"
    types += f" rows {kinds[0]}, {tensor(kind, dims)} scale {tensor('f32', scale_dims)}"
    zeros = None
    if form != "fp8" and case.chance(0.5):
        zeros = weight(case, "i8", scale_dims, lambda run, shape: run.rng.integers(0, 2 ** bits, size=shape).astype(np.uint8).view(np.int8))
        text += f" zero_points {zeros}"
        types += f" zero_points {tensor('i8', scale_dims)}"
    out_kind = kinds[0].replace("xi32", f"x{n}x{result}")
    out = case.emit(f"ds.packed_quantized_linear {text} in {tiles}, {count}{' swiglu' if swiglu else ''} {{bits = {bits} : i64, "
                    f"group = {group} : i64}} : {types} in {kinds[3]}, tensor<i32> to {out_kind}")

    def tolerance(run, want):
        ids = choice.of(run).reshape(-1)
        order = np.argsort(ids, kind="stable")
        real = np.abs(numbers.astype(np.float64)) + (2 * np.abs(spread(run.values[zeros], shape, group)) if zeros else 0)
        real = real * spread(run.values[scale], shape, group)
        value = magnitudes(run, x)[0]
        if element == "i8":
            value = value * np.repeat(run.values[x_scale].astype(np.float64), group, 1)[:, :k]
        total = np.einsum("rk,rnk->rn", value[order // choice.k], real[ids[order]])
        error = (k + 3 * groups + 3) * EPSILON["f32"] * total
        if swiglu:
            error = gated(total, error, n)
        return error + EPSILON[result] * np.abs(want) + TINY[result]
    case.outputs.append((out, out_kind, result, tolerance))


def quantized_moe(case):
    """ds.moe with the weights of experts as files have them: FP8 with scales of blocks, whole numbers with scales of groups."""
    rows = case.dims(1, ROWS)
    choice = Choice(case, rows)
    form = case.pick(["fp8", "fp8", "i8", "i4"])
    d, inner, experts = case.pick([8, 32, 72]), case.pick([16, 33, 40]), choice.experts
    block = case.pick([[128, 128], [16, 32], [24, 8]]) if form == "fp8" else [1, case.pick([8, 32])]
    x, w = case.input("f32", rows + [d], normal()), case.input("f32", rows + [choice.k], normal())
    case.by_row = [x, w, choice.name]
    names, real = [], []
    for n, k in (inner, d), (inner, d), (d, inner):
        scales = [experts, -(-n // block[0]), -(-k // block[1])]
        kind = "f8E4M3FN" if form == "fp8" else form
        make = normal(30) if form == "fp8" else lambda run, shape: run.rng.integers(-7, 8, size=shape)
        data, scale = case.parameter(kind, [experts, n, k], make), case.parameter("f32", scales, uniform(1e-3, 1e-2))
        if form == "fp8":
            text = f"ds.dequantize_blocks {data} scale {scale} blocks {block} : {tensor(kind, [experts, n, k])}, {tensor('f32', scales)}"
        else:
            text = (f"ds.dequantize {data} scale {scale} : {tensor('f32', scales)} {{axis = 2 : i64, block_size = {block[1]} : i64}} : "
                    f"{tensor(kind, [experts, n, k])}")
        names.append(case.emit(f"{text} to {tensor('f32', [experts, n, k])}"))
        by_element = np.repeat(np.repeat(case.fixed[scale].astype(np.float64), block[0], 1), block[1], 2)[:, :n, :k]
        real.append(np.abs(case.fixed[data].astype(np.float64)) * by_element)
    kinds = [tensor("f32", rows + [d]), tensor("f32", rows + [choice.k]), choice.kind]
    kinds += [tensor("f32", [experts, inner, d])] * 2 + [tensor("f32", [experts, d, inner])]
    out = case.emit(f"ds.moe {x} weights {w} experts {choice.name} gate {names[0]} up {names[1]} down {names[2]} : {', '.join(kinds)} to {kinds[0]}")

    def rounded(run, value, group):
        """How far activations of at most this size are off after --precision=fast rounded them: to bf16, or to 254ths of a group's largest."""
        if run.precision != "fast":
            return 0 * value
        if form == "fp8":
            return 2.0 ** -8 * value
        length = value.shape[-1]
        padded = np.pad(value, [(0, 0)] * (value.ndim - 1) + [(0, -length % group)])
        largest = padded.reshape(*value.shape[:-1], -1, group).max(-1)
        return np.repeat(largest, group, -1)[..., :length] / 253

    def tolerance(run, want):
        ids = choice.of(run)
        value, share = magnitudes(run, x, w)
        g, u, down = (r[ids] for r in real)
        product = lambda v, m: np.einsum("nki,nkji->nkj", v, m)  # noqa: E731
        tokens = np.repeat(value[:, None], choice.k, 1)
        error = rounded(run, tokens, block[1]) + (d + 16) * EPSILON["f32"] * tokens
        gate, up, gate_error, up_error = product(tokens, g), product(tokens, u), product(error, g), product(error, u)
        hidden = (gate + gate_error) * (up + up_error)
        # |g · sigmoid(g)| is at most |g|, its derivative at most 1.1.
        hidden_error = 1.1 * gate_error * (up + up_error) + gate * up_error + 8 * EPSILON["f32"] * hidden
        hidden_error = hidden_error + rounded(run, hidden, block[1]) + (inner + 16) * EPSILON["f32"] * hidden
        total = np.einsum("nkj,nk->nj", product(hidden_error, down) + (choice.k + 4) * EPSILON["f32"] * product(hidden, down), share)
        return total + TINY["f32"]
    case.output(out, "f32", rows + [d], tolerance)


OPS = {"packed_float8_linear": packed_float8_linear, "packed_grouped_quantized_linear": packed_grouped_quantized_linear,
       "quantized_moe": quantized_moe}
