"""Micro-tests of setp, set and slct. An entry has all comparisons of a type and a combination with a predicate."""
from entries import PREDICATE, Entry, floating, packed, whole
from floats import Float, compare
from formats import BF16, F16, F32, F64
from integers import Integer

SIX = ("eq", "ne", "lt", "le", "gt", "ge")
UNSIGNED = SIX + ("lo", "ls", "hi", "hs")
FLOATS = SIX + ("equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan")
COMBINE = {"": lambda t, c: t, ".and": lambda t, c: t & c, ".or": lambda t, c: t | c, ".xor": lambda t, c: t ^ c}


class Compared:
    """A type that can be compared: its column, its comparisons, and the truth of one, for each half where the type has two."""

    def __init__(self, name, column, comparisons, test, halves=1, arch=80):
        self.name, self.column, self.comparisons, self.halves, self.arch = name, column, comparisons, halves, arch
        self.test = test

    def truths(self, how, a, b):
        if self.halves == 1:
            return [int(self.test(how, a, b))]
        return [int(self.test(how, a >> shift & 0xFFFF, b >> shift & 0xFFFF)) for shift in (0, 16)]


def whole_types():
    for kind, comparisons in (("u", UNSIGNED), ("s", SIX), ("b", ("eq", "ne"))):
        for width in (16, 32, 64):
            type = Integer(width, kind == "s")
            yield Compared(f"{kind}{width}", whole(width), comparisons, lambda how, a, b, t=type: compare(how, t.of(a), t.of(b)))


def float_types(ftz):
    """.ftz exists for f32 and f16."""
    for fmt in (F32, F64, F16, BF16):
        if ftz and fmt in (F64, BF16):
            continue
        test = Float(fmt, ftz=ftz).compare
        arch = 90 if fmt is BF16 else 80
        yield Compared(fmt.name, floating(fmt), FLOATS, test, arch=arch)
        if fmt.width == 16:
            yield Compared(f"{fmt.name}x2", packed(fmt), FLOATS, test, 2, arch)


def setp_entry(type, how, ftz, predicates, negated):
    """Bits 2i and 2i + 1 of the result are p and q of comparison i."""
    combine = COMBINE[how]
    both = "|" in predicates

    def oracle(a, b, c=0):
        result = 0
        c ^= negated
        for i, comparison in enumerate(type.comparisons):
            truths = type.truths(comparison, a, b)
            # Of two halves p is the low one's and q the high one's; of one number q is of the opposite.
            p, q = truths[0], truths[1] if type.halves == 2 else 1 - truths[0]
            result |= combine(p, c) << 2 * i | (combine(q, c) << 2 * i + 1 if both else 0)
        return result
    third = f", {'!' * negated}a2" if how else ""
    lines = ["mov.b32 d0, 0;"]
    for i, comparison in enumerate(type.comparisons):
        lines.append(f"setp.{comparison}{how}{ftz}.{type.name} {predicates}, a0, a1{third};")
        lines += [f"selp.b32 t, {1 << 2 * i + j}, 0, {p}; or.b32 d0, d0, t;" for j, p in enumerate(predicates.split("|"))]
    name = f"setp{how}{ftz}.{type.name} {predicates}{' negated' if negated else ''}"
    columns = [type.column] * 2 + [PREDICATE] * bool(how)
    return Entry(name, "b32", columns, oracle, " ".join(lines), type.arch, declare=".reg .pred p, q; .reg .b32 t;", corners=500, drawn=200)


def set_entry(type, how, ftz, to, ones, width):
    combine = COMBINE[how]

    def oracle(a, b, c=0):
        result = []
        for comparison in type.comparisons:
            parts = [ones if combine(t, c) else 0 for t in type.truths(comparison, a, b)]
            result.append(parts[0] if len(parts) == 1 else parts[0] | parts[1] << 16)
        return tuple(result)
    third = ", a2" if how else ""
    text = " ".join(f"set.{comparison}{how}{ftz}.{to}.{type.name} d{i}, a0, a1{third};" for i, comparison in enumerate(type.comparisons))
    outs = " ".join([f"b{width}"] * len(type.comparisons))
    columns = [type.column] * 2 + [PREDICATE] * bool(how)
    return Entry(f"set{how}{ftz}.{to}.{type.name}", outs, columns, oracle, text, type.arch, corners=350, drawn=200)


def results_of_set(type):
    """Result types, what true is in them, and their width."""
    one = {"f16": 0x3C00, "bf16": 0x3F80}
    if type.halves == 2:
        return [(type.name, one[type.name[:-2]], 32)]
    results = [("u32", 0xFFFFFFFF, 32), ("s32", 0xFFFFFFFF, 32)]
    if type.name in one:
        return results + [(type.name, one[type.name], 16), ("u16", 0xFFFF, 16), ("s16", 0xFFFF, 16)]
    return results + [("f32", 0x3F800000, 32)]


def slct(ftz):
    """By the sign of a number: -0 is not negative, NaN is."""
    for kind in [f"{kind}{width}" for kind in "bus" for width in (16, 32, 64)] + ["f32", "f64"]:
        width = int(kind[1:])
        test = Float(F32, ftz=bool(ftz)).compare
        yield Entry(f"slct{ftz}.{kind}.f32", f"b{width}", [whole(width), whole(width), floating(F32)],
                    lambda a, b, c, t=test: a if t("ge", c, 0) else b, corners=300, drawn=100)


def entries():
    for ftz in ("", ".ftz"):
        types = list(float_types(bool(ftz))) + ([] if ftz else list(whole_types()))
        for type in types:
            for how in COMBINE:
                # Pairs of halves need both predicates, single ones allow one (ptxas); other types either.
                if type.name not in ("f16", "bf16"):
                    yield setp_entry(type, how, ftz, "p|q", False)
                if type.halves == 1:
                    yield setp_entry(type, how, ftz, "p", bool(how))
                for to, ones, width in results_of_set(type):
                    yield set_entry(type, how, ftz, to, ones, width)
        yield from slct(ftz)
