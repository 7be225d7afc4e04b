"""Floating-point instructions on bits: each result is the exact one, rounded once.

A Float knows a format and the modifiers .ftz, .sat and .relu. Operands come and results go as bits.
"""
from math import isqrt

from formats import FINITE, INFINITE, NAN, NOT_A_NUMBER


def exact_product(a, b):
    sign = a[1] ^ b[1]
    if NAN in (a[0], b[0]):
        return NOT_A_NUMBER
    if INFINITE in (a[0], b[0]):
        zero = a[0] == FINITE and not a[2] or b[0] == FINITE and not b[2]
        return NOT_A_NUMBER if zero else (INFINITE, sign, 0, 0)
    return FINITE, sign, a[2] * b[2], a[3] + b[3]


def exact_sum(a, b, mode):
    """A sum that is zero is +0, or -0 where both are or where rounding is down."""
    if NAN in (a[0], b[0]) or a[0] == b[0] == INFINITE and a[1] != b[1]:
        return NOT_A_NUMBER
    if INFINITE in (a[0], b[0]):
        return a if a[0] == INFINITE else b
    e = min(a[3], b[3])
    x, y = a[2] << a[3] - e, b[2] << b[3] - e
    total = (-x if a[1] else x) + (-y if b[1] else y)
    if total == 0:
        sign = a[1] if a[1] == b[1] else int(mode == "rm")
        return FINITE, sign, 0, 0
    return FINITE, int(total < 0), abs(total), e


class Float:
    def __init__(self, fmt, mode="rn", ftz=False, sat=False, relu=False):
        self.fmt, self.mode, self.ftz, self.sat, self.relu = fmt, mode, ftz, sat, relu
        self.one = fmt.bias << fmt.mantissa

    def value(self, bits):
        return self.fmt.decode(self.fmt.flush(bits) if self.ftz else bits)

    def result(self, value, sticky=False):
        bits = self.fmt.encode(value, self.mode, sticky)
        if self.ftz:
            bits = self.fmt.flush(bits)
        return self.clamped(bits)

    def clamped(self, bits):
        """.sat is [+0, 1] and takes NaN to +0; .relu takes what is negative to +0 and leaves NaN. Both take -0 to +0: the ISA does not say."""
        fmt = self.fmt
        if self.sat:
            if fmt.is_nan(bits) or bits & fmt.sign_bit:
                return 0
            return min(bits, self.one)
        if self.relu and bits & fmt.sign_bit and not fmt.is_nan(bits):
            return 0
        return bits

    def add(self, a, b):
        return self.result(exact_sum(self.value(a), self.value(b), self.mode))

    def sub(self, a, b):
        return self.add(a, b ^ self.fmt.sign_bit)

    def mul(self, a, b):
        return self.result(exact_product(self.value(a), self.value(b)))

    def fma(self, a, b, c):
        return self.result(exact_sum(exact_product(self.value(a), self.value(b)), self.value(c), self.mode))

    def div(self, a, b):
        a, b = self.value(a), self.value(b)
        sign = a[1] ^ b[1]
        if NAN in (a[0], b[0]) or a[0] == b[0] == INFINITE:
            return self.result(NOT_A_NUMBER)
        if a[0] == INFINITE:
            return self.result((INFINITE, sign, 0, 0))
        if b[0] == INFINITE:
            return self.result((FINITE, sign, 0, 0))
        if b[2] == 0:
            return self.result(NOT_A_NUMBER if a[2] == 0 else (INFINITE, sign, 0, 0))
        shift = self.fmt.mantissa + 4 + max(b[2].bit_length() - a[2].bit_length(), 0)
        quotient, rest = divmod(a[2] << shift, b[2])
        return self.result((FINITE, sign, quotient, a[3] - b[3] - shift), rest != 0)

    def rcp(self, a):
        return self.div(self.one, a)

    def sqrt(self, a):
        kind, sign, m, e = self.value(a)
        if kind == NAN or sign and (kind == INFINITE or m):
            return self.result(NOT_A_NUMBER)
        if kind == INFINITE or m == 0:
            return self.result((kind, sign, m, e))
        shift = 2 * self.fmt.mantissa + 8
        shift += (e - shift) & 1
        root = isqrt(m << shift)
        return self.result((FINITE, 0, root, (e - shift) // 2), root * root != m << shift)

    def extreme(self, a, b, least, nan):
        """min and max: -0 is below +0; of a number and NaN the number, with .NaN the NaN; NaN is canonical."""
        if self.ftz:
            a, b = self.fmt.flush(a), self.fmt.flush(b)
        if self.fmt.is_nan(a) or self.fmt.is_nan(b):
            if nan or self.fmt.is_nan(a) and self.fmt.is_nan(b):
                return self.fmt.nan
            return b if self.fmt.is_nan(a) else a
        first, second = self.ordered(a), self.ordered(b)
        return a if (first < second) == least else b

    def ordered(self, bits):
        """Grows with the number, and -0 is below +0."""
        return -1 - (bits ^ self.fmt.sign_bit) if bits & self.fmt.sign_bit else bits

    def extreme_of_magnitudes(self, a, b, least, nan):
        """.xorsign.abs: of |a| and |b|, with the exclusive or of the signs. A NaN that results stays canonical."""
        sign = (a ^ b) & self.fmt.sign_bit
        bits = self.extreme(a & ~self.fmt.sign_bit, b & ~self.fmt.sign_bit, least, nan)
        return bits if self.fmt.is_nan(bits) else bits | sign

    def abs(self, a):
        a = self.fmt.flush(a) if self.ftz else a
        return self.fmt.nan if self.fmt.is_nan(a) else a & ~self.fmt.sign_bit

    def neg(self, a):
        a = self.fmt.flush(a) if self.ftz else a
        return self.fmt.nan if self.fmt.is_nan(a) else a ^ self.fmt.sign_bit

    def compare(self, how, a, b):
        """setp and set: eq to ge are false where a NaN is, equ to geu true."""
        a, b = self.value(a), self.value(b)
        unordered = NAN in (a[0], b[0])
        if how in ("num", "nan"):
            return unordered == (how == "nan")
        if unordered:
            return how[-1] == "u"
        return compare(how[:2], order_of(a, b), 0)


def order_of(a, b):
    """Negative, zero or positive as a is below, equal to or above b; neither is NaN."""
    def key(x):
        if x[0] == INFINITE:
            return -1 if x[1] else 1, 0
        return 0, 0
    if INFINITE in (a[0], b[0]):
        return key(a)[0] - key(b)[0]
    e = min(a[3], b[3])
    x, y = a[2] << a[3] - e, b[2] << b[3] - e
    return (-x if a[1] else x) - (-y if b[1] else y)


def compare(how, a, b):
    """lo, ls, hi and hs are the unsigned lt to ge."""
    how = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}.get(how, how)
    return {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}[how]


def testp(fmt, how, bits):
    magnitude = bits & fmt.sign_bit - 1
    return {"finite": magnitude < fmt.infinity, "infinite": magnitude == fmt.infinity, "number": magnitude <= fmt.infinity,
            "notanumber": magnitude > fmt.infinity, "normal": magnitude < fmt.infinity and not fmt.is_subnormal(bits),
            "subnormal": fmt.is_subnormal(bits)}[how]


def copysign(fmt, sign, magnitude):
    return sign & fmt.sign_bit | magnitude & ~fmt.sign_bit


def both_halves(operation):
    """An operation on 16 bits for each half of 32."""
    def packed(*words):
        return operation(*[w & 0xFFFF for w in words]) | operation(*[w >> 16 for w in words]) << 16
    return packed
