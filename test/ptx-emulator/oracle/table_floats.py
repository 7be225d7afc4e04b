"""Micro-tests of floating-point instructions."""
from approximate import Approximation, division, upper_half
from entries import Column, Entry, all_codes, floating, packed
from floats import Float, both_halves, copysign, testp
from formats import BF16, F16, F32, F64

ROUNDINGS = ("", ".rn", ".rz", ".rm", ".rp")


def mode_of(rounding):
    return rounding[1:] or "rn"


def arithmetic():
    operands = {"add": 2, "sub": 2, "mul": 2, "fma": 3, "mad": 3}
    for operation, count in operands.items():
        method = "fma" if operation == "mad" else operation
        drawn = 1200 if count == 3 else 400
        for rounding in ROUNDINGS[count == 3:]:
            for ftz in ("", ".ftz"):
                for sat in ("", ".sat"):
                    fl = Float(F32, mode_of(rounding), bool(ftz), bool(sat))
                    yield Entry(f"{operation}{rounding}{ftz}{sat}.f32", "b32", [floating(F32)] * count, getattr(fl, method), drawn=drawn)
            fl = Float(F64, mode_of(rounding))
            yield Entry(f"{operation}{rounding}.f64", "b64", [floating(F64)] * count, getattr(fl, method), any_nan="f64", drawn=drawn)
        if operation == "mad":
            continue
        for rounding in ("", ".rn")[count == 3:]:
            for ftz in ("", ".ftz"):
                for clamped in ("", ".sat", ".relu") if operation == "fma" else ("", ".sat"):
                    fl = Float(F16, "rn", bool(ftz), clamped == ".sat", clamped == ".relu")
                    yield Entry(f"{operation}{rounding}{ftz}{clamped}.f16", "b16", [floating(F16)] * count, getattr(fl, method), drawn=drawn)
                    yield Entry(f"{operation}{rounding}{ftz}{clamped}.f16x2", "b32", [packed(F16)] * count, both_halves(getattr(fl, method)))
            for relu in ("", ".relu") if operation == "fma" else ("",):
                fl = Float(BF16, relu=bool(relu))
                arch = 80 if operation == "fma" else 90
                yield Entry(f"{operation}{rounding}{relu}.bf16", "b16", [floating(BF16)] * count, getattr(fl, method), arch=arch, drawn=drawn)
                yield Entry(f"{operation}{rounding}{relu}.bf16x2", "b32", [packed(BF16)] * count, both_halves(getattr(fl, method)), arch=arch)


def division_and_roots():
    for rounding in ROUNDINGS[1:]:
        for ftz in ("", ".ftz"):
            fl = Float(F32, mode_of(rounding), bool(ftz))
            yield Entry(f"div{rounding}{ftz}.f32", "b32", [floating(F32)] * 2, fl.div)
            for operation in ("rcp", "sqrt"):
                yield Entry(f"{operation}{rounding}{ftz}.f32", "b32", [floating(F32)], getattr(fl, operation), drawn=1000)
        fl = Float(F64, mode_of(rounding))
        yield Entry(f"div{rounding}.f64", "b64", [floating(F64)] * 2, fl.div, any_nan="f64")
        for operation in ("rcp", "sqrt"):
            yield Entry(f"{operation}{rounding}.f64", "b64", [floating(F64)], getattr(fl, operation), any_nan="f64", drawn=1000)


def signs():
    """abs and neg of NaN are an unspecified NaN (PTX ISA)."""
    for operation in ("abs", "neg"):
        for ftz in ("", ".ftz"):
            for fmt, double in ((F32, None), (F16, "f16x2"), (BF16, "bf16x2"), (F64, None)):
                if ftz and fmt in (BF16, F64):
                    continue
                method = getattr(Float(fmt, ftz=bool(ftz)), operation)
                yield Entry(f"{operation}{ftz}.{fmt.name}", f"b{fmt.width}", [floating(fmt)], method, any_nan=fmt.name)
                if double:
                    yield Entry(f"{operation}{ftz}.{double}", "b32", [packed(fmt)], both_halves(method), any_nan=fmt.name)
    for fmt in (F32, F64):
        columns = [floating(fmt)] * 2
        yield Entry(f"copysign.{fmt.name}", f"b{fmt.width}", columns, lambda a, b, f=fmt: copysign(f, a, b))
        for how in ("finite", "infinite", "number", "notanumber", "normal", "subnormal"):
            yield Entry(f"testp.{how}.{fmt.name}", "pred", [floating(fmt)], lambda a, f=fmt, h=how: int(testp(f, h, a)))


def extremes():
    for operation in ("min", "max"):
        least = operation == "min"
        yield Entry(f"{operation}.f64", "b64", [floating(F64)] * 2, lambda a, b, n=least: Float(F64).extreme(a, b, n, False), any_nan="f64")
        for ftz in ("", ".ftz"):
            for nan in ("", ".NaN"):
                for xorsign in ("", ".xorsign.abs"):
                    for fmt, double in ((F32, None), (F16, "f16x2"), (BF16, "bf16x2")):
                        if ftz and fmt is BF16:
                            continue
                        fl = Float(fmt, ftz=bool(ftz))
                        method = fl.extreme_of_magnitudes if xorsign else fl.extreme

                        def oracle(a, b, method=method, least=least, nan=bool(nan)):
                            return method(a, b, least, nan)
                        arch = 90 if xorsign else 80
                        name = f"{operation}{ftz}{nan}{xorsign}"
                        yield Entry(f"{name}.{fmt.name}", f"b{fmt.width}", [floating(fmt)] * 2, oracle, arch=arch, corners=1500)
                        if double:
                            yield Entry(f"{name}.{double}", "b32", [packed(fmt)] * 2, both_halves(oracle), arch=arch)


def both_sets(function):
    """Of a function that gives a set of codes, on each half."""
    return lambda a: {low | high << 16 for low in function(a & 0xFFFF) for high in function(a >> 16)}


def arguments(operation):
    """Numbers where the function neither vanishes nor overflows, besides corners and any others."""
    base = floating(F32)
    width = {"ex2": 130, "tanh": 9, "sin": 20, "cos": 20}.get(operation)

    def draw(rng):
        if width and rng.random() < 0.6:
            # A random number below the width: 24 bits of it, and its sign.
            return Float(F32).result((0, rng.getrandbits(1), int(rng.random() * width * (1 << 24)), -24))
        return base.draw(rng)
    return Column("b32", base.corners, draw)


def approximations():
    for operation in ("rcp", "sqrt", "rsqrt", "sin", "cos", "lg2", "ex2", "tanh"):
        for ftz in ("", ".ftz"):
            if not (ftz and operation == "tanh"):
                yield Entry(f"{operation}.approx{ftz}.f32", "b32", [arguments(operation)], Approximation(operation, F32, bool(ftz)), drawn=1500)
    yield Entry("rsqrt.approx.f64", "b64", [floating(F64)], Approximation("rsqrt", F64), any_nan="f64", drawn=1000)
    for operation in ("rcp", "rsqrt"):
        yield Entry(f"{operation}.approx.ftz.f64", "b64", [floating(F64)], upper_half(operation), drawn=1000)
    for how in ("approx", "full"):
        for ftz in ("", ".ftz"):
            yield Entry(f"div.{how}{ftz}.f32", "b32", [floating(F32)] * 2, division(Float(F32, ftz=bool(ftz)), how == "full"))
    for operation, fmt, ftz, double, arch in (("ex2", F16, "", "f16x2", 80), ("ex2", BF16, ".ftz", "bf16x2", 90),
                                              ("tanh", F16, "", "f16x2", 80), ("tanh", BF16, "", "bf16x2", 90)):
        function = Approximation(operation, fmt, bool(ftz))
        # Every eighth code, and the corners.
        codes = Column("b16", floating(fmt).corners + list(range(0, 1 << 16, 8)))
        yield Entry(f"{operation}.approx{ftz}.{fmt.name}", "b16", [codes], function, drawn=0, arch=arch)
        yield Entry(f"{operation}.approx{ftz}.{double}", "b32", [packed(fmt)], both_sets(function), arch=arch)


def every_code():
    """One operand of all 65,536 codes; the other is an odd number just above 1, and just above -1."""
    for fmt in (F16, BF16):
        fl = Float(fmt)
        one = fmt.bias << fmt.mantissa | 1
        constants = f"mov.b16 t, {one:#x}; mov.b16 u, {fmt.sign_bit | one:#x}; fma.rn.{fmt.name} d0, a0, t, u;"
        yield Entry(f"fma.rn.{fmt.name} of all", "b16", [all_codes(16)], lambda a, f=fl, c=one: f.fma(a, c, f.fmt.sign_bit | c), constants,
                    drawn=0, declare=".reg .b16 t, u;")


def entries():
    for group in (arithmetic, division_and_roots, signs, extremes, approximations, every_code):
        yield from group()
