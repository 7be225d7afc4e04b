"""What a micro-test is: an instruction's text, its operands, rows of inputs, and the oracle's function from a row to the expected bits."""
import random
from itertools import product

from formats import FORMATS

WIDTHS = {"pred": 8, "b8": 8, "b16": 16, "b32": 32, "b64": 64}


class Column:
    """Values of one operand: `corners` first, then what `draw` gives."""

    def __init__(self, kind, corners, draw=None):
        self.kind, self.corners = kind, list(dict.fromkeys(corners))
        self.draw = draw or (lambda rng: rng.choice(self.corners))


def whole(width, nonzero=False):
    """Whole numbers: around zero and the ends of both ranges, patterns; random ones have any number of bits and either sign."""
    mask = (1 << width) - 1
    top = 1 << width - 1
    corners = [x & mask for x in (0, 1, 2, 3, 7, 31, 32, 33, 255, -1, -2, -3, -128, top, top + 1, top - 1, top >> 1, 0x55 * (mask // 255),
                                  0xAA * (mask // 255), mask >> width // 2, (mask >> width // 2) + 1, 0x12345678_9ABCDEF0)]

    def draw(rng):
        value = rng.getrandbits(rng.randint(1, width))
        return (-value if rng.random() < 0.3 else value) & mask or 1
    return Column(f"b{width}", [x for x in corners if x or not nonzero], draw)


def amount(width=32):
    """Shift amounts, positions and lengths: also beyond every width, and with bits above the low byte."""
    return Column("b32", [0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 127, 128, 255, 256, 264, 0x80000001, 0xFFFFFFFF],
                  lambda rng: rng.randint(0, width + 3))


def choice(kind, *values):
    return Column(kind, values)


PREDICATE = choice("pred", 0, 1)


def float_corners(fmt):
    one, tiny, inf = fmt.bias << fmt.mantissa, fmt.hidden, fmt.infinity >> fmt.low
    half = one - fmt.hidden
    positive = [0, 1, 2, fmt.hidden >> 1, tiny - 1, tiny, tiny + 1, half, half + 1, one - 1, one, one + 1, one + (fmt.hidden >> 1), one + fmt.hidden,
                one + fmt.hidden + (fmt.hidden >> 1), (2 * fmt.bias - 1 << fmt.mantissa) + 1, inf - 1]
    positive += [inf, inf | fmt.hidden >> 1, inf | 1, inf | fmt.hidden - 1] if fmt.infinities else [inf + fmt.hidden - 1]
    return [x << fmt.low | s for x in positive for s in (0, fmt.sign_bit)]


def draw_float(fmt):
    """Any bits; or exponents near 1 and mantissas of few bits, which tie and cancel; or near the ends of the range."""
    def draw(rng):
        how = rng.random()
        if how < 0.25:
            return rng.getrandbits(fmt.width) >> fmt.low << fmt.low
        if how < 0.45:
            exponent = rng.randint(max(fmt.bias - fmt.mantissa - 2, 0), min(fmt.bias + fmt.mantissa + 2, 2 * fmt.bias))
        elif how < 0.7:
            exponent = rng.randint(fmt.bias - 2, fmt.bias + 2)
        elif how < 0.9:
            middle = fmt.bias // 2 if how < 0.8 else fmt.bias + fmt.bias // 2
            exponent = rng.randint(middle - 3, middle + 3)
        else:
            exponent = rng.choice((0, 1, 2, 2 * fmt.bias, 2 * fmt.bias - 1))
        mantissa = rng.getrandbits(fmt.mantissa)
        if rng.random() < 0.4:
            mantissa &= -1 << rng.randint(0, fmt.mantissa)
        return (rng.getrandbits(1) << fmt.width - 1) | (exponent << fmt.mantissa | mantissa) << fmt.low
    return draw


def floating(fmt):
    return Column(f"b{fmt.width}", float_corners(fmt), draw_float(fmt))


def packed(fmt):
    """Two of 16 bits; the corners of the halves differ."""
    corners, draw = float_corners(fmt), draw_float(fmt)
    n = len(corners)
    return Column("b32", [x | corners[(7 * i + 3) % n] << 16 for i, x in enumerate(corners)], lambda rng: draw(rng) | draw(rng) << 16)


def packed_whole():
    low = whole(16)
    n = len(low.corners)
    return Column("b32", [x | low.corners[(5 * i + 2) % n] << 16 for i, x in enumerate(low.corners)], lambda rng: low.draw(rng) | low.draw(rng) << 16)


def all_codes(width, kind=None):
    return Column(kind or f"b{width}", range(1 << width))


def rows(columns, seed, corners, drawn):
    """All combinations of corners, or `corners` of them drawn, and `drawn` random rows; always the same for a seed."""
    rng = random.Random(seed)
    total = 1
    for column in columns:
        total *= len(column.corners)
    if total <= max(corners, 1000) or len(columns) == 1:
        result = list(product(*[c.corners for c in columns]))
    else:
        result = [tuple(rng.choice(c.corners) for c in columns) for _ in range(corners)]
    # Both corners and random numbers in a row.
    result += [tuple(c.draw(rng) if rng.random() < 0.8 else rng.choice(c.corners) for c in columns) for _ in range(drawn)]
    return result


class Entry:
    """`text` has the instructions, with operands d0, d1, ... and a0, a1, ...; `outs` and `ins` are their registers (pred: a byte in memory).
    `oracle` gives the bits of the results: a number, a tuple of them, or (one result) a set of those that pass. any_nan: a format of which all NaN
    are equal. `declare` is text at the kernel's beginning, `before` what stands before the kernel; $ is the kernel's name."""

    def __init__(self, name, outs, columns, oracle, text=None, arch=80, any_nan=None, declare="", corners=700, drawn=None, before=""):
        self.name, self.outs, self.oracle, self.arch, self.declare, self.before = name, outs.split(), oracle, arch, declare, before
        self.columns, self.corners = columns, corners
        # One operand has few corners.
        self.drawn = drawn if drawn is not None else 500 if len(columns) == 1 else 300
        self.ins = [c.kind for c in columns]
        operands = [f"d{i}" for i in range(len(self.outs))] + [f"a{i}" for i in range(len(columns))]
        self.text = text or f"{name} {', '.join(operands)};"
        self.any_nan = FORMATS.get(any_nan)

    def rows(self, seed, times):
        """`times` as many random rows as it has by itself."""
        return rows(self.columns, f"{seed} {self.name}", self.corners, times * self.drawn)

    def expected(self, row):
        """A tuple of results, each a set of the codes that pass."""
        result = self.oracle(*row)
        result = result if isinstance(result, tuple) else (result,)
        masks = [(1 << WIDTHS[kind]) - 1 for kind in self.outs]
        return tuple({code & mask for code in (x if isinstance(x, set) else {x})} for x, mask in zip(result, masks))

    def expected_of(self, inputs):
        """The results of all rows, each by itself."""
        return [self.expected(row) for row in inputs]

    def passes(self, got, want):
        return all(x in codes or self.any_nan and self.both_nan(x, next(iter(codes))) for x, codes in zip(got, want))

    def both_nan(self, got, want):
        """NaN for NaN, in each part of a packed register."""
        fmt = self.any_nan
        parts = max(WIDTHS[self.outs[0]] // fmt.width, 1)
        for i in range(parts):
            g, w = (x >> i * fmt.width & fmt.mask for x in (got, want))
            if g != w and not (fmt.is_nan(g) and fmt.is_nan(w)):
                return False
        return True
