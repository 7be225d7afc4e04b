"""Micro-tests of whole-number and bit instructions."""
import integers as I
from entries import PREDICATE, Column, Entry, amount, choice, packed_whole, whole
from floats import both_halves

TYPES = [(kind + str(width), width, kind == "s") for width in (16, 32, 64) for kind in "us"]


def mapped(operation, *types):
    """An instruction of one operation over types: name, width, Integer."""
    return [(f"{operation}.{name}", width, I.Integer(width, is_signed)) for name, width, is_signed in TYPES if not types or name in types]


def arithmetic():
    for operation in ("add", "sub", "min", "max"):
        for name, width, type in mapped(operation):
            yield Entry(name, f"b{width}", [whole(width)] * 2, getattr(type, operation))
    for part in ("lo", "hi"):
        for name, width, type in mapped(f"mul.{part}"):
            yield Entry(name, f"b{width}", [whole(width)] * 2, getattr(type, f"mul_{part}"))
        for name, width, type in mapped(f"mad.{part}"):
            yield Entry(name, f"b{width}", [whole(width)] * 3, getattr(type, f"mad_{part}"))
        for name, _, type in mapped(f"mul24.{part}", "u32", "s32"):
            yield Entry(name, "b32", [whole(32)] * 2, getattr(type, f"mul24_{part}"))
        for name, _, type in mapped(f"mad24.{part}", "u32", "s32"):
            yield Entry(name, "b32", [whole(32)] * 3, getattr(type, f"mad24_{part}"))
    for name, width, type in mapped("mul.wide", "u16", "s16", "u32", "s32"):
        yield Entry(name, f"b{2 * width}", [whole(width)] * 2, type.mul_wide)
    for name, width, type in mapped("mad.wide", "u16", "s16", "u32", "s32"):
        yield Entry(name, f"b{2 * width}", [whole(width), whole(width), whole(2 * width)], type.mad_wide)
    for name, width, type in mapped("sad"):
        yield Entry(name, f"b{width}", [whole(width)] * 3, type.sad)
    for operation in ("div", "rem"):
        for name, width, type in mapped(operation):
            yield Entry(name, f"b{width}", [whole(width), whole(width, nonzero=True)], getattr(type, operation))
    for operation in ("abs", "neg"):
        for name, width, type in mapped(operation, "s16", "s32", "s64"):
            yield Entry(name, f"b{width}", [whole(width)], getattr(type, operation))
    s32 = I.Integer(32, True)
    for name, oracle in (("add.sat", s32.add_sat), ("sub.sat", s32.sub_sat), ("mad.hi.sat", s32.mad_hi_sat), ("mad24.hi.sat", s32.mad24_hi_sat)):
        yield Entry(f"{name}.s32", "b32", [whole(32)] * (3 if "mad" in name else 2), oracle)
    for operation in ("min", "max"):
        relu = getattr(I.Integer(32, True), f"{operation}_relu")
        yield Entry(f"{operation}.relu.s32", "b32", [whole(32)] * 2, relu, arch=90)
        relu = getattr(I.Integer(16, True), f"{operation}_relu")
        yield Entry(f"{operation}.relu.s16x2", "b32", [packed_whole()] * 2, halves(relu), arch=90)
    for operation in ("add", "min", "max"):
        for name, is_signed in (("u16x2", False), ("s16x2", True)):
            yield Entry(f"{operation}.{name}", "b32", [packed_whole()] * 2, halves(getattr(I.Integer(16, is_signed), operation)), arch=90)


def halves(operation):
    return both_halves(lambda *words: operation(*words) & 0xFFFF)


def carries():
    """The flag, from the instruction that writes it through one that reads and writes it to one that reads it."""
    for kind in "us":
        for width in (32, 64):
            type, reg, mask = f"{kind}{width}", f"b{width}", (1 << width) - 1

            def three_words(operation, width=width, mask=mask):
                def oracle(*words):
                    total = operation(*[words[i] | words[i + 1] << width | words[i + 2] << 2 * width for i in (0, 3)])
                    return total & mask, total >> width & mask, total >> 2 * width & mask
                return oracle
            for operation, exact in (("add", lambda x, y: x + y), ("sub", lambda x, y: x - y)):
                text = f"{operation}.cc.{type} d0, a0, a3; {operation}c.cc.{type} d1, a1, a4; {operation}c.{type} d2, a2, a5;"
                name = f"{operation}.cc {operation}c.cc {operation}c {type}"
                yield Entry(name, " ".join([reg] * 3), [carrying(width)] * 6, three_words(exact), text)
            for first in ("lo", "hi"):
                for second in ("lo", "hi"):
                    integer = I.Integer(width, kind == "s")
                    parts = [getattr(integer, f"mul_{x}") for x in (first, second)]

                    def oracle(a, b, c, e, f, g, h, parts=parts, mask=mask, width=width):
                        one = (parts[0](a, b) & mask) + c
                        two = (parts[1](e, f) & mask) + g + (one >> width)
                        three = (parts[1](a, f) & mask) + h + (two >> width)
                        return one, two, three, three >> width
                    text = (f"mad.{first}.cc.{type} d0, a0, a1, a2; madc.{second}.cc.{type} d1, a3, a4, a5; "
                            f"madc.{second}.cc.{type} d2, a0, a4, a6; addc.{type} d3, 0, 0;")
                    yield Entry(f"mad.{first}.cc madc.{second}.cc {type}", " ".join([reg] * 4), [carrying(width)] * 7, oracle, text)
            integer = I.Integer(width, kind == "s")
            for part in ("lo", "hi"):
                product = getattr(integer, f"mul_{part}")

                def last(a, b, c, e, f, product=product, mask=mask, width=width):
                    return e + f, product(a, b) + c + (e + f >> width)
                text = f"add.cc.{type} d0, a3, a4; madc.{part}.{type} d1, a0, a1, a2;"
                yield Entry(f"madc.{part}.{type}", f"{reg} {reg}", [carrying(width)] * 5, last, text)


def carrying(width):
    """Words whose sums often are all ones, so that a carry runs through."""
    mask = (1 << width) - 1
    base = whole(width)
    return Column(f"b{width}", [0, 1, mask, mask - 1, 1 << width - 1, mask >> 1],
                  lambda rng: rng.choice((0, mask, 1)) if rng.random() < 0.4 else base.draw(rng))


def bits():
    for width in (32, 64):
        yield Entry(f"popc.b{width}", "b32", [whole(width)], I.popc)
        yield Entry(f"clz.b{width}", "b32", [whole(width)], I.clz(width))
        yield Entry(f"brev.b{width}", f"b{width}", [whole(width)], I.brev(width))
        yield Entry(f"bfi.b{width}", f"b{width}", [whole(width), whole(width), amount(width), amount(width)], I.bfi(width))
        for kind in "us":
            type = I.Integer(width, kind == "s")
            yield Entry(f"bfind.{kind}{width}", "b32", [whole(width)], type.bfind)
            yield Entry(f"bfind.shiftamt.{kind}{width}", "b32", [whole(width)], type.bfind_shiftamt)
            yield Entry(f"bfe.{kind}{width}", f"b{width}", [whole(width), amount(width), amount(width)], type.bfe)
    offsets = Column("b32", [x & 0xFFFFFFFF for x in (0, 1, 2, 5, 31, 32, 33, -1, -2, -5, -32, -33, 1 << 31)],
                     lambda rng: rng.randint(-12, 12) & 0xFFFFFFFF)
    yield Entry("fns.b32", "b32", [whole(32), Column("b32", range(32)), offsets], I.fns, drawn=1500)
    for mode in ("clamp", "wrap"):
        wrap = mode == "wrap"
        for kind in "us":
            type = I.Integer(32, kind == "s")
            yield Entry(f"szext.{mode}.{kind}32", "b32", [whole(32), amount()], lambda a, b, t=type, w=wrap: t.szext(a, b, w))
        yield Entry(f"bmsk.{mode}.b32", "b32", [amount(), amount()], I.bmsk(wrap))
    for a in "us":
        for b in "us":
            yield Entry(f"dp4a.{a}32.{b}32", "b32", [packed_whole(), packed_whole(), whole(32)], I.dp4a(a == "s", b == "s"))
            for part in ("lo", "hi"):
                yield Entry(f"dp2a.{part}.{a}32.{b}32", "b32", [packed_whole(), packed_whole(), whole(32)], I.dp2a(part == "hi", a == "s", b == "s"))


def logic():
    operations = (("and", lambda a, b: a & b), ("or", lambda a, b: a | b), ("xor", lambda a, b: a ^ b))
    for width in (16, 32, 64):
        for name, oracle in operations:
            yield Entry(f"{name}.b{width}", f"b{width}", [whole(width)] * 2, oracle)
        yield Entry(f"not.b{width}", f"b{width}", [whole(width)], lambda a: ~a)
        yield Entry(f"cnot.b{width}", f"b{width}", [whole(width)], lambda a: int(a == 0))
        yield Entry(f"shl.b{width}", f"b{width}", [whole(width), amount(width)], I.shl(width))
        for kind in "bus":
            yield Entry(f"shr.{kind}{width}", f"b{width}", [whole(width), amount(width)], I.Integer(width, kind == "s").shr)
    for name, oracle in operations:
        yield Entry(f"{name}.pred", "pred", [PREDICATE] * 2, oracle)
        yield Entry(f"{name}.pred of negated", "pred", [PREDICATE] * 2, lambda a, b, f=oracle: f(1 - a, b), f"{name}.pred d0, !a0, a1;")
    yield Entry("not.pred", "pred", [PREDICATE], lambda a: 1 - a)
    yield Entry("mov.pred", "pred", [PREDICATE], lambda a: a)
    # 16 tables in each entry.
    for group in range(16):
        tables = range(16 * group, 16 * group + 16)
        text = " ".join(f"lop3.b32 d{i}, a0, a1, a2, {table};" for i, table in enumerate(tables))
        yield Entry(f"lop3.b32 {tables[0]:#04x} to {tables[-1]:#04x}", " ".join(["b32"] * 16), [whole(32)] * 3,
                    lambda a, b, c, t=tables: tuple(I.lop3(a, b, c, x) for x in t), text, corners=100, drawn=100)
    for name, combine in (("or", lambda p, q: p | q), ("and", lambda p, q: p & q)):
        for table in (0x00, 0x01, 0x80, 0xE8, 0x96, 0xFE):
            def oracle(a, b, c, q, table=table, combine=combine):
                d = I.lop3(a, b, c, table)
                p = int(d != 0)
                return d, combine(p, q), combine(p, 1 - q)
            # `_` drops the word.
            text = f"lop3.{name}.b32 d0|d1, a0, a1, a2, {table}, a3; lop3.{name}.b32 _|d2, a0, a1, a2, {table}, !a3;"
            yield Entry(f"lop3.{name}.b32 {table:#04x}", "b32 pred pred", [whole(32)] * 3 + [PREDICATE], oracle, text, corners=300, drawn=200)
    for direction in "lr":
        for mode in ("clamp", "wrap"):
            yield Entry(f"shf.{direction}.{mode}.b32", "b32", [whole(32), whole(32), amount()], I.shf(direction == "l", mode == "wrap"))
    yield Entry("prmt.b32", "b32", [packed_whole(), packed_whole(), whole(32)], I.prmt(None), drawn=1500)
    for mode in I.PRMT_MODES:
        yield Entry(f"prmt.b32.{mode}", "b32", [packed_whole(), packed_whole(), choice("b32", 0, 1, 2, 3, 4, 7, 0xFFFFFFFE)], I.prmt(mode))
    # Selectors that LLVM writes as numbers: bytes widened with zeros and with the sign.
    for selector in (0x7632, 0x9991, 0x5410, 0x3340, 0xBBB3, 0x0123):
        yield Entry(f"prmt.b32 {selector:#06x}", "b32", [packed_whole()] * 2, lambda a, b, s=selector: I.prmt(None)(a, b, s),
                    f"prmt.b32 d0, a0, a1, {selector:#x}U;", corners=300, drawn=100)


def choices():
    kinds = [f"{kind}{width}" for kind in "bus" for width in (16, 32, 64)] + ["f32", "f64"]
    for kind in kinds:
        width = int(kind[1:])
        yield Entry(f"selp.{kind}", f"b{width}", [whole(width), whole(width), PREDICATE], lambda a, b, p: a if p else b, corners=200, drawn=100)
        yield Entry(f"selp.{kind} of negated", f"b{width}", [whole(width), whole(width), PREDICATE], lambda a, b, p: b if p else a,
                    f"selp.{kind} d0, a0, a1, !a2;", corners=100, drawn=50)
        yield Entry(f"mov.{kind}", f"b{width}", [whole(width)], lambda a: a)
        yield Entry(f"slct.{kind}.s32", f"b{width}", [whole(width), whole(width), whole(32)], lambda a, b, c: b if c >> 31 else a,
                    corners=200, drawn=100)


def moves():
    """Vectors: packing, unpacking, sinks."""
    for wide, parts, narrow in ((32, 2, 16), (32, 4, 8), (64, 2, 32), (64, 4, 16)):
        names = [f"d{i}" for i in range(parts)]

        def split(a, parts=parts, narrow=narrow):
            return tuple(a >> narrow * i & (1 << narrow) - 1 for i in range(parts))

        def joined(*values, narrow=narrow):
            return sum(x << narrow * i for i, x in enumerate(values))
        kind = f"b{narrow}"
        if narrow > 8:
            yield Entry(f"mov.b{wide} to {parts} of {kind}", " ".join([kind] * parts), [whole(wide)], split,
                        f"mov.b{wide} {{{', '.join(names)}}}, a0;")
            sinks = ", ".join(f"d{i // 2}" if i % 2 else "_" for i in range(parts))
            yield Entry(f"mov.b{wide} to {kind} and sinks", " ".join([kind] * (parts // 2)), [whole(wide)],
                        lambda a, s=split: s(a)[1::2], f"mov.b{wide} {{{sinks}}}, a0;")
            sources = ", ".join(f"a{i}" for i in range(parts))
            yield Entry(f"mov.b{wide} from {parts} of {kind}", f"b{wide}", [whole(narrow)] * parts, joined, f"mov.b{wide} d0, {{{sources}}};")
        else:
            declare = ".reg .b8 t<4>;"
            move = " ".join(f"cvt.u8.u16 t{i}, a{i};" for i in range(parts))
            yield Entry(f"mov.b{wide} from {parts} of {kind}", f"b{wide}", [whole(16)] * parts, lambda *v, j=joined: j(*[x & 255 for x in v]),
                        f"{move} mov.b{wide} d0, {{t0, t1, t2, t3}};", declare=declare)
            read = " ".join(f"cvt.u16.u8 d{i}, t{i};" for i in range(parts))
            yield Entry(f"mov.b{wide} to {parts} of {kind}", " ".join(["b16"] * parts), [whole(wide)], split,
                        f"mov.b{wide} {{t0, t1, t2, t3}}, a0; {read}", declare=declare)
    yield Entry("mov.b128", "b64 b64", [whole(64)] * 2, lambda a, b: (b, a), "mov.b128 w0, {a0, a1}; mov.b128 w1, w0; mov.b128 {d1, d0}, w1;",
                arch=90, declare=".reg .b128 w<2>;")
    for text, width, bits in (("mov.b32 d0, 0f3F800000;", 32, 0x3F800000), ("mov.f64 d0, 0dBFF8000000000000;", 64, 0xBFF8 << 48),
                              ("mov.s32 d0, -7;", 32, -7), ("mov.b16 d0, 0x3F80;", 16, 0x3F80),
                              ("mov.u64 d0, 0xFEDCBA9876543210U;", 64, 0xFEDCBA9876543210)):
        yield Entry(text[:-1], f"b{width}", [whole(32)], lambda a, x=bits: x, text, corners=1, drawn=1)


def entries():
    for group in (arithmetic, carries, bits, logic, choices, moves):
        yield from group()
