"""cvt: between whole numbers and floats, with the clamps and roundings of the PTX ISA.

.ftz concerns f32 alone: subnormal f32 operands and results. NaN to a whole number is 0, or the highest bit alone where the source is f64 or the
result has 64 bits.
"""
from floats import Float
from formats import F32, F64, FINITE, FORMATS, INFINITE, NAN, integer, round_to_integer
from integers import Integer, clamp


class Type:
    """A type of cvt, by its name."""

    def __init__(self, name):
        self.name = name
        self.float = FORMATS.get(name)
        self.width = self.float.width if self.float else int(name[1:])
        self.signed = name[0] == "s"
        # A register of the type: 8 bits lie in 16.
        self.register = max(self.width, 16)

    def of(self, bits):
        return Integer(self.width, self.signed).of(bits)


def whole_to_whole(to, source, sat):
    return lambda bits: clamp(source.of(bits), to.width, to.signed) if sat else to.of(source.of(bits))


def whole_to_float(to, source, mode, sat):
    fl = Float(to.float, mode, sat=sat)
    return lambda bits: fl.result(integer(source.of(bits)))


def float_to_whole(to, source, mode, ftz):
    fmt = source.float

    def convert(bits):
        value = fmt.decode(fmt.flush(bits) if ftz else bits)
        if value[0] == NAN:
            return to.of(1 << to.width - 1) if fmt is F64 or to.width == 64 else 0
        if value[0] == INFINITE:
            return clamp(-1 << 70 if value[1] else 1 << 70, to.width, to.signed)
        return clamp(round_to_integer(value, mode), to.width, to.signed)
    return convert


def float_to_float(to, source, mode, ftz=False, sat=False, relu=False, satfinite=False):
    """Narrowing rounds; the integer roundings leave a whole number in the format, of the same sign where it is zero."""
    fl = Float(to.float, sat=sat, relu=relu)

    def convert(bits):
        value = source.float.decode(source.float.flush(bits) if ftz and source.float is F32 else bits)
        if mode in ("rni", "rzi", "rmi", "rpi") and value[0] == FINITE:
            value = FINITE, value[1], abs(round_to_integer(value, mode)), 0
        result = to.float.encode(value, mode if mode in ("rn", "rz", "rm", "rp", "rna") else "rn", satfinite=satfinite)
        return fl.clamped(to.float.flush(result) if ftz and to.float is F32 else result)
    return convert


def pack(width, is_signed):
    """cvt.pack: a above b, and c above both where there are fewer than 16 bits each."""
    def packed(a, b, c=0):
        mask = (1 << width) - 1
        a, b = (clamp(Integer(32, True).of(x), width, is_signed) & mask for x in (a, b))
        return a << width | b | c << 2 * width
    return packed
