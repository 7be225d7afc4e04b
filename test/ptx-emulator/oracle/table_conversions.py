"""Micro-tests of cvt. An entry has all roundings of a pair of types and its other modifiers."""
from conversions import Type, float_to_float, float_to_whole, pack, whole_to_float, whole_to_whole
from entries import Column, Entry, all_codes, draw_float, float_corners, floating, packed, whole
from floats import Float, both_halves
from formats import BF16, E4M3, E5M2, F16, F32, F64, FINITE, TF32

WHOLE = [Type(kind + str(width)) for kind in "us" for width in (8, 16, 32, 64)]
FLOAT = [Type(name) for name in ("f16", "bf16", "f32", "f64")]
TO_WHOLE = ("rni", "rzi", "rmi", "rpi")
TO_FLOAT = ("rn", "rz", "rm", "rp")


def each_rounding(modes, suffix, register, columns, oracle_of, arch=80, any_nan=None, called="", **size):
    """One instruction for each rounding, each with its own result."""
    text = " ".join(f"cvt.{mode}{suffix} d{i}, {', '.join(f'a{k}' for k in range(len(columns)))};" for i, mode in enumerate(modes))
    oracles = [oracle_of(mode) for mode in modes]
    name = f"cvt.{modes[0] if len(modes) == 1 else '{' + ','.join(modes) + '}'}{suffix}{called}"
    return Entry(name, " ".join([register] * len(modes)), columns, lambda *v: tuple(o(*v) for o in oracles), text, arch, any_nan, **size)


def near(source, target):
    """Codes of `source` on, just beside and half way between numbers of `target`."""
    corners, draw = float_corners(target), draw_float(target)
    encode = Float(source).result

    def beside(code, rng):
        kind, sign, m, e = target.decode(code)
        if kind != FINITE or rng.random() < 0.1:
            return draw_float(source)(rng)
        # Eighths of the last place, and a little more or less.
        eighths = (m << 3) + rng.choice((0, 4, 4, 4, 2, 6, 1, 7))
        more = rng.choice((0, 0, 1, -1))
        return encode((FINITE, sign, max((eighths << 30) + more * (1 << rng.randint(0, 29)), 0), e - 33))
    return Column(f"b{source.width}", float_corners(source) + [encode(target.decode(code)) for code in corners], lambda rng: beside(draw(rng), rng))


def near_whole(fmt):
    """Floats around whole numbers of any size, with quarters, and around the ends of all whole types."""
    encode = Float(fmt).result
    ends = [encode((FINITE, 0, (4 << bits) + quarter, -2)) for bits in (7, 8, 15, 16, 31, 32, 63, 64) for quarter in range(-5, 5)]
    ends += [x ^ fmt.sign_bit for x in ends]

    def draw(rng):
        if rng.random() < 0.2:
            return draw_float(fmt)(rng)
        return encode((FINITE, rng.getrandbits(1), rng.getrandbits(rng.randint(1, 68)), -2))
    return Column(f"b{fmt.width}", float_corners(fmt) + ends, draw)


def near_float(type, fmt):
    """Whole numbers that lie between two floats: a mantissa, a bit of half, and what decides the tie."""
    base = whole(type.width)
    register = f"b{type.register}"

    def draw(rng):
        if rng.random() < 0.3:
            return rng.getrandbits(type.register)
        value = (1 << fmt.mantissa | rng.getrandbits(fmt.mantissa)) << 1 | rng.getrandbits(1)
        shift = max(rng.randint(-fmt.mantissa, type.width - fmt.mantissa - 1), -fmt.mantissa)
        value = (value << shift) + rng.choice((0, 0, 1, -1)) if shift >= 0 else value >> -shift
        return (value if rng.random() < 0.6 else -value) & (1 << type.register) - 1
    return Column(register, base.corners + [(1 << type.register) - x for x in base.corners if x], draw)


def between_wholes():
    """Also from and to registers wider than the types: the source's low bits are read, the result is widened by its sign."""
    for source in WHOLE:
        for to in WHOLE:
            for sat in ("", ".sat"):
                # .sat where the result's type cannot hold all of the source's.
                fits = source.width < to.width and (to.signed or not source.signed) or source.width == to.width and source.signed == to.signed
                if sat and fits:
                    continue
                name, oracle = f"cvt{sat}.{to.name}.{source.name}", whole_to_whole(to, source, bool(sat))
                yield Entry(name, f"b{to.register}", [whole(source.register)], oracle)
                if source.register < 64 or to.register < 64:
                    wide_source, wide_to = min(2 * source.register, 64), min(2 * to.register, 64)
                    yield Entry(f"{name} in b{wide_to} from b{wide_source}", f"b{wide_to}", [whole(wide_source)], oracle, f"{name} d0, a0;")


def whole_and_float():
    for number in WHOLE:
        for real in FLOAT:
            fmt = real.float
            arch = 90 if fmt is BF16 else 80
            if fmt is BF16 and number.width == 8:
                continue
            for ftz in ("", ".ftz") if fmt is F32 else ("",):
                for sat in ("",) if fmt is BF16 else ("", ".sat"):
                    yield each_rounding(TO_FLOAT, f"{ftz}{sat}.{real.name}.{number.name}", f"b{fmt.width}", [near_float(number, fmt)],
                                        lambda mode, s=bool(sat), n=number, r=real: whole_to_float(r, n, mode, s), arch)
                    # Clamped with or without .sat.
                    yield each_rounding(TO_WHOLE, f"{ftz}{sat}.{number.name}.{real.name}", f"b{number.register}", [near_whole(fmt)],
                                        lambda mode, f=bool(ftz), n=number, r=real: float_to_whole(n, r, mode, f), arch)
    # Registers wider than the whole number's type.
    for number in WHOLE[:2] + WHOLE[4:6]:
        for width in (32, 64):
            yield each_rounding(TO_WHOLE, f".{number.name}.f32", f"b{width}", [near_whole(F32)],
                                lambda mode, n=number: float_to_whole(n, Type("f32"), mode, False), called=f" in b{width}")
            yield each_rounding(TO_FLOAT, f".f16.{number.name}", "b16", [whole(width)],
                                lambda mode, n=number: whole_to_float(Type("f16"), n, mode, False), called=f" from b{width}")


def between_floats():
    for source in FLOAT:
        for to in FLOAT:
            some_f32 = "f32" in (source.name, to.name)
            for ftz in ("", ".ftz") if some_f32 else ("",):
                for sat in ("",) if "bf16" in (source.name, to.name) else ("", ".sat"):
                    suffix = f"{ftz}{sat}.{to.name}.{source.name}"
                    register = f"b{to.width}"

                    # sm_80 knows bf16 from f32 (rn and rz: narrow_formats) and, without .ftz, to f32.
                    arch = 90 if to.float is BF16 or source.float is BF16 and (to.float is not F32 or ftz) else 80

                    def oracle_of(mode, to=to, source=source, ftz=bool(ftz), sat=bool(sat)):
                        return float_to_float(to, source, mode, ftz, sat)
                    narrows = to.width < source.width or to.width == source.width and to is not source
                    if narrows:
                        yield each_rounding(TO_FLOAT, suffix, register, [near(source.float, to.float)], oracle_of, arch, drawn=1000)
                        continue
                    if to is source:
                        yield each_rounding(TO_WHOLE, suffix, register, [near_whole(to.float)], oracle_of, arch, any_nan=to.name)
                    if source.float is BF16 and to.float is F64:
                        # There is nothing to round, but ptxas takes the modifiers.
                        yield each_rounding(TO_FLOAT, suffix, register, [floating(BF16)], oracle_of, arch, any_nan="f64")
                    # The ISA leaves the NaN of a conversion that rounds nothing open.
                    yield Entry(f"cvt{suffix}", register, [floating(source.float)], oracle_of(""), arch=arch, any_nan=to.name, drawn=1000)
    for source in (Type("f16"), Type("bf16")):
        fmt = source.float
        arch = 90 if fmt is BF16 else 80
        yield Entry(f"cvt.f32.{source.name} of all", "b32", [all_codes(16)], float_to_float(Type("f32"), source, ""),
                    f"cvt.f32.{source.name} d0, a0;", drawn=0, any_nan="f32")
        back = [Float(F32).result(fmt.decode(code)) for code in range(1 << 16)]
        yield each_rounding(("rn", "rz"), f".{source.name}.f32", "b16", [Column("b32", back)],
                            lambda mode, s=source: float_to_float(s, Type("f32"), mode), called=" of all", drawn=0)
        for number in (Type("s32"), Type("u16"), Type("s64")):
            yield each_rounding(TO_WHOLE[:2], f".{number.name}.{source.name}", f"b{number.register}", [all_codes(16)],
                                lambda mode, n=number, s=source: float_to_whole(n, s, mode, False), arch, called=" of all", drawn=0)


def narrow_formats():
    """f16, bf16, tf32 and the formats of 8 bits from f32, with .satfinite and .relu."""
    for satfinite in ("", ".satfinite"):
        for relu in ("", ".relu"):
            for to in (F16, BF16, TF32):
                def oracle_of(mode, to=to, relu=bool(relu), satfinite=bool(satfinite)):
                    return float_to_float(Type(to.name), Type("f32"), mode, relu=relu, satfinite=satfinite)
                if to is TF32:
                    if not relu:
                        yield each_rounding(("rna",), f"{satfinite}.tf32.f32", "b32", [near(F32, to)], oracle_of, any_nan="f32", drawn=1500)
                    if not satfinite:
                        yield each_rounding(("rn", "rz"), f"{relu}.tf32.f32", "b32", [near(F32, to)], oracle_of, 90, any_nan="f32", drawn=1000)
                    continue
                yield each_rounding(("rn", "rz"), f"{satfinite}{relu}.{to.name}.f32", "b16", [near(F32, to)], oracle_of, drawn=1000,
                                    called=" on sm_80")
                yield each_rounding(("rn", "rz"), f"{satfinite}{relu}.{to.name}x2.f32", "b32", [near(F32, to)] * 2,
                                    lambda mode, o=oracle_of: lambda a, b, c=o(mode): c(a) << 16 | c(b))
    for to in (E4M3, E5M2):
        for relu in ("", ".relu"):
            from_f32 = float_to_float(Type(to.name), Type("f32"), "rn", relu=bool(relu), satfinite=True)
            from_f16 = float_to_float(Type(to.name), Type("f16"), "rn", relu=bool(relu), satfinite=True)
            to_f16 = float_to_float(Type("f16"), Type(to.name), "rn", relu=bool(relu))
            def packed_f32(a, b, convert=from_f32):
                return convert(a) << 8 | convert(b)

            def packed_f16(a, convert=from_f16):
                return convert(a >> 16) << 8 | convert(a & 0xFFFF)
            name = f"cvt.rn.satfinite{relu}.{to.name}x2"
            yield Entry(f"{name}.f32", "b16", [near(F32, to)] * 2, packed_f32, arch=89, drawn=1500)
            halves = near(F16, to)
            pairs = Column("b32", [x | y << 16 for x, y in zip(halves.corners, halves.corners[7:] + halves.corners[:7])],
                           lambda rng, h=halves: h.draw(rng) | h.draw(rng) << 16)
            yield Entry(f"{name}.f16x2", "b16", [pairs], packed_f16, arch=89, drawn=1500)
            yield Entry(f"{name}.f16x2 of all", "b16", [all_codes(16, "b32")], packed_f16, f"{name}.f16x2 d0, a0;", arch=89, drawn=0)
            # All codes in either half.
            codes = Column("b16", [code | (code * 37 + 11 & 255) << 8 for code in range(256)], lambda rng: rng.getrandbits(16))
            yield Entry(f"cvt.rn{relu}.f16x2.{to.name}x2", "b32", [codes], lambda a, c=to_f16: c(a & 255) | c(a >> 8) << 16, arch=89)
    for width, kinds in ((16, "us"), (8, "us"), (4, "us")):
        for kind in kinds:
            pair, oracle = [whole(32)] * 2, pack(width, kind == "s")
            if width == 16:
                yield Entry(f"cvt.pack.sat.{kind}16.s32", "b32", pair, oracle)
            else:
                yield Entry(f"cvt.pack.sat.{kind}{width}.s32.b32", "b32", pair + [whole(32)], oracle)


def entries():
    for group in (between_wholes, whole_and_float, between_floats, narrow_formats):
        yield from group()
