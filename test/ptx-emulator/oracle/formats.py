"""Binary floating-point formats: decoding, and encoding with one rounding. Integers only.

A decoded number is a tuple (kind, sign, m, e): FINITE is (-1)^sign * m * 2^e with an integer m >= 0, INFINITE and NAN have m = e = 0.
An exact result that has no finite binary expansion is given by its first bits and `sticky`: the number lies strictly between m * 2^e and
(m + 1) * 2^e.
"""
FINITE, INFINITE, NAN = range(3)
NOT_A_NUMBER = (NAN, 0, 0, 0)


class Format:
    """A format of `width` bits: a sign, `exponent` bits of exponent, `mantissa` bits; `low` bits below them are zero (tf32 lies in an f32)."""

    def __init__(self, name, width, exponent, mantissa, infinities=True, low=0):
        self.name, self.width, self.exponent, self.mantissa, self.infinities, self.low = name, width, exponent, mantissa, infinities, low
        self.bias = (1 << exponent - 1) - 1
        # The exponent of the last place of subnormal numbers, which is that of the smallest normal numbers too.
        self.least = 1 - self.bias - mantissa
        self.sign_bit = 1 << width - 1
        self.hidden = 1 << mantissa
        top = (1 << exponent) - 1
        # Without infinities only the last code is a NaN: the binade before it holds numbers (e4m3).
        self.largest = ((top << mantissa) - 1 if infinities else (top << mantissa) + self.hidden - 2) << low
        self.infinity = top << mantissa + low
        # Codes above are NaN.
        self.last_number = self.infinity if infinities else self.largest
        # The NaN that instructions give: all bits but the sign (PTX ISA: 0x7FFFFFFF for f32, 0x7FFF for f16 and bf16).
        self.nan = self.sign_bit - 1
        self.smallest_normal = self.hidden << low
        self.mask = (1 << width) - 1

    def decode(self, bits):
        sign = bits >> self.width - 1
        bits = (bits & self.sign_bit - 1) >> self.low
        biased, m = bits >> self.mantissa, bits & self.hidden - 1
        if biased == (1 << self.exponent) - 1:
            if self.infinities:
                return (NAN, sign, 0, 0) if m else (INFINITE, sign, 0, 0)
            if m == self.hidden - 1:
                return NAN, sign, 0, 0
        if biased == 0:
            return FINITE, sign, m, self.least
        return FINITE, sign, m | self.hidden, biased - 1 + self.least

    def is_nan(self, bits):
        return bits & self.sign_bit - 1 > self.last_number

    def is_subnormal(self, bits):
        return 0 < bits & self.sign_bit - 1 < self.smallest_normal

    def flush(self, bits):
        """Subnormal numbers to zero of the same sign."""
        return bits & self.sign_bit if self.is_subnormal(bits) else bits

    def encode(self, value, mode="rn", sticky=False, satfinite=False):
        """The code of a decoded number. satfinite: what is too large, infinities too, is the largest number."""
        kind, sign, m, e = value
        high = self.sign_bit if sign else 0
        if kind == NAN:
            return self.nan
        if kind == INFINITE:
            return high | (self.largest if satfinite else self.infinity)
        if m == 0 and not sticky:
            return high
        # The exponent of the last place of the result: at least `mantissa + 1` bits where m has them, never below that of subnormal numbers.
        last = max(e + m.bit_length() - 1 - self.mantissa, self.least)
        shift = last - e
        if shift <= 0:
            assert not sticky, "too few bits to round"
            m, shift = m << -shift, 0
        if shift:
            kept, rest, half = m >> shift, m & (1 << shift) - 1, 1 << shift - 1
            inexact = rest or sticky
            if mode == "rn":
                up = rest > half or rest == half and (sticky or kept & 1)
            elif mode == "rna":
                up = rest >= half
            else:
                up = inexact and (mode == "rp" and not sign or mode == "rm" and sign)
            m = kept + bool(up)
        # Adding the mantissa to the biased exponent carries into it where it must.
        biased = last - self.least
        code = ((biased << self.mantissa) + m) << self.low
        if code > self.largest:
            away = mode in ("rn", "rna") or mode == "rp" and not sign or mode == "rm" and sign
            if satfinite or self.infinities and not away:
                return high | self.largest
            return high | self.infinity if self.infinities else self.nan
        return high | code


F16 = Format("f16", 16, 5, 10)
BF16 = Format("bf16", 16, 8, 7)
TF32 = Format("tf32", 32, 8, 10, low=13)
F32 = Format("f32", 32, 8, 23)
F64 = Format("f64", 64, 11, 52)
E4M3 = Format("e4m3", 8, 4, 3, infinities=False)
E5M2 = Format("e5m2", 8, 5, 2)
FORMATS = {f.name: f for f in (F16, BF16, TF32, F32, F64, E4M3, E5M2)}


def integer(value):
    """A whole number, decoded."""
    return FINITE, int(value < 0), abs(value), 0


def round_to_integer(value, mode):
    """A finite decoded number to a whole number (rni, rzi, rmi, rpi)."""
    _, sign, m, e = value
    if e >= 0:
        whole = m << e
    else:
        whole, rest, half = m >> -e, m & (1 << -e) - 1, 1 << -e - 1
        if mode == "rni":
            whole += rest > half or rest == half and whole & 1
        elif rest:
            whole += mode == "rpi" and not sign or mode == "rmi" and sign
    return -whole if sign else whole
