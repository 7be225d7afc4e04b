"""Approximate instructions: ex2, lg2, sin, cos, tanh, rcp, rsqrt, sqrt, div.

The emulator computes in double and rounds once more. So the expected code is that of the exact value, and its neighbour passes too where an error of
the double's last places reaches it. Each function gives the set of codes that pass.
"""
from decimal import Context, Decimal, localcontext
from math import isqrt

from floats import Float
from formats import F64, FINITE, INFINITE, NAN, NOT_A_NUMBER, Format

# Relative error of a double function, with room: 2^-50. DIGITS keeps the oracle's own error far below it, also after subtractions of numbers near 1.
ERROR = 50
DIGITS = 60
CONTEXT = Context(prec=DIGITS, Emin=-10**6, Emax=10**6)
# The upper half of a double, for rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64.
UPPER = Format("f64.upper", 32, 11, 20)


def decimal_of(value):
    _, sign, m, e = value
    number = Decimal(m) * Decimal(2) ** e
    return -number if sign else number


def bits_of(number):
    """The first 160 bits of a decimal number: m, e and whether something follows."""
    numerator, denominator = abs(number).as_integer_ratio()
    shift = 160 - numerator.bit_length() + denominator.bit_length()
    m, rest = divmod(numerator << shift, denominator) if shift >= 0 else divmod(numerator, denominator << -shift)
    return m, -shift, rest != 0


def codes(fl, sign, m, e, sticky):
    """What passes for (-1)^sign * m * 2^e, and a little more where `sticky`: its code, and those of what a double's error makes of it."""
    code = fl.result((FINITE, sign, m, e), sticky)
    if fl.fmt is F64:
        # Approximate, says the ISA: the last place is open.
        return {code - 1, code, code + 1}
    result = {code}
    if m.bit_length() > ERROR:
        error = m >> ERROR
        result |= {fl.result((FINITE, sign, m - error, e), True), fl.result((FINITE, sign, m + error, e), True)}
    return result


def pi():
    """Enough digits to reduce the largest f32."""
    digits = 120
    one = 10 ** (digits + 10)

    def arctan_of_inverse(x):
        term, total, n = one // x, 0, 1
        while term:
            total += term // n if n % 4 == 1 else -(term // n)
            term //= x * x
            n += 2
        return total
    return Decimal(16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)).scaleb(-digits - 10, Context(prec=digits + 20))


PI = pi()


def sine(x, quarter):
    """sin(x + quarter * pi / 2), by its series after reduction to at most pi / 4."""
    with localcontext(Context(prec=110, Emin=-10**6, Emax=10**6)):
        turns = (x * 2 / PI).to_integral_value()
        r = x - turns * PI / 2
        quadrant = (int(turns) + quarter) % 4
    with localcontext(CONTEXT):
        term, total, n = (r, r, 1) if quadrant % 2 == 0 else (Decimal(1), Decimal(1), 0)
        square = r * r
        while abs(term) > abs(total) * Decimal(10) ** -DIGITS:
            term = -term * square / ((n + 1) * (n + 2))
            total += term
            n += 2
        return -total if quadrant > 1 else total


def hyperbolic_tangent(x):
    if abs(x) < Decimal("1e-20"):
        # x - x^3 / 3: the rest is below the last digit.
        return x - x * x * x / 3
    with localcontext(Context(prec=110, Emin=-10**6, Emax=10**6)):
        double = (2 * x).exp() if abs(x) < 100 else None
        return (double - 1) / (double + 1) if double else (1 - Decimal("1e-50")).copy_sign(x)


class Approximation:
    """An approximate instruction on a format. Without .ftz, the tables of the ISA and its notes disagree about subnormal operands (rcp of one is
    infinite in the table, while subnormal numbers are "supported"), so both pass."""

    def __init__(self, name, fmt, ftz=False):
        self.function = getattr(self, name)
        self.fl = Float(fmt, ftz=ftz)
        self.flushing = Float(fmt, ftz=True)
        self.either = name in ("rcp", "rsqrt", "sqrt", "lg2", "sin") and not ftz

    def __call__(self, bits):
        with localcontext(CONTEXT):
            result = self.function(bits, self.fl)
            if self.either and self.fl.fmt.is_subnormal(bits):
                result = result | self.function(bits, self.flushing)
        return result

    @staticmethod
    def ex2(bits, fl):
        kind, sign, m, e = value = fl.value(bits)
        if kind == NAN:
            return {fl.result(NOT_A_NUMBER)}
        if kind == INFINITE:
            return {fl.result((FINITE, 0, 0, 0) if sign else value)}
        if m == 0 or e >= 0 or m & (1 << -e) - 1 == 0:
            # A power of two of a whole number; past the range of every format here, any number of that size will do.
            whole = min(m << e if e >= 0 else m >> -e, 5000)
            return {fl.result((FINITE, 0, 1, -whole if sign else whole))}
        number = decimal_of(value)
        number = (max(min(number, Decimal(5000)), Decimal(-5000)) * Decimal(2).ln()).exp()
        return codes(fl, 0, *bits_of(number)[:2], True)

    @staticmethod
    def lg2(bits, fl):
        kind, sign, m, e = value = fl.value(bits)
        if kind == NAN or sign and (m or kind == INFINITE):
            return {fl.result(NOT_A_NUMBER)}
        if kind == INFINITE or m == 0:
            return {fl.result((INFINITE, int(m == 0 and kind == FINITE), 0, 0))}
        if m & m - 1 == 0:
            power = m.bit_length() - 1 + e
            return {fl.result((FINITE, int(power < 0), abs(power), 0))}
        number = decimal_of(value).ln() / Decimal(2).ln()
        return codes(fl, int(number < 0), *bits_of(number)[:2], True)

    @staticmethod
    def sin(bits, fl):
        kind, _, m, _ = value = fl.value(bits)
        if kind != FINITE:
            return {fl.result(NOT_A_NUMBER)}
        if m == 0:
            return {fl.result(value)}
        number = sine(decimal_of(value), 0)
        return codes(fl, int(number < 0), *bits_of(number)[:2], True)

    @staticmethod
    def cos(bits, fl):
        kind, _, m, _ = value = fl.value(bits)
        if kind != FINITE:
            return {fl.result(NOT_A_NUMBER)}
        if m == 0:
            return {fl.one}
        number = sine(decimal_of(value), 1)
        return codes(fl, int(number < 0), *bits_of(number)[:2], True)

    @staticmethod
    def tanh(bits, fl):
        kind, sign, m, _ = value = fl.value(bits)
        if kind == INFINITE:
            return {fl.one | (fl.fmt.sign_bit if sign else 0)}
        if kind == NAN or m == 0:
            return {fl.result(value)}
        return codes(fl, sign, *bits_of(hyperbolic_tangent(decimal_of(value)))[:2], True)

    @staticmethod
    def rcp(bits, fl):
        return around(fl.value(bits), fl, Float.rcp, bits)

    @staticmethod
    def sqrt(bits, fl):
        return around(fl.value(bits), fl, Float.sqrt, bits)

    @staticmethod
    def rsqrt(bits, fl):
        kind, sign, m, e = fl.value(bits)
        if kind == FINITE and m == 0:
            return {fl.result((INFINITE, sign, 0, 0))}
        if kind == NAN or sign:
            return {fl.result(NOT_A_NUMBER)}
        if kind == INFINITE:
            return {fl.result((FINITE, 0, 0, 0))}
        # sqrt(2^shift / m) * 2^-(e + shift)/2, with an even sum.
        shift = 2 * 160 + m.bit_length()
        shift += (e + shift) & 1
        root = isqrt((1 << shift) // m)
        return codes(fl, 0, root, -(e + shift) // 2, root * root * m != 1 << shift)


def around(value, fl, operation, *operands):
    """A correctly rounded operation, and what one with a double between gives: the rounding of the double's neighbours."""
    exact = {operation(fl, *operands)}
    if fl.fmt is F64 or value[0] != FINITE or value[2] == 0:
        return exact
    wide = Float(F64)
    as_double = [F64.encode(fl.value(x)) for x in operands]
    bits = operation(wide, *as_double)
    return exact | {fl.result(F64.decode(bits))} if not F64.is_nan(bits) else exact


def division(fl, full):
    """div.approx is a * (1 / b): for |b| above 2^126 an infinite a gives NaN and any other a zero of the sign of the quotient (PTX ISA).
    div.full has no such rule."""
    limit = fl.fmt.bias + 126 << fl.fmt.mantissa

    def divide(a, b):
        if not full and limit < b & fl.fmt.sign_bit - 1 < fl.fmt.infinity:
            kind, sign, _, _ = fl.value(a)
            return {fl.result((FINITE, sign ^ b >> 31, 0, 0) if kind == FINITE else NOT_A_NUMBER)}
        return around(fl.value(a), fl, Float.div, a, b)
    return divide


def upper_half(name):
    """rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64: a function of the upper words; NaN is 0x7fffffff00000000. Gross, says the ISA: neighbours pass."""
    approximation = Approximation(name, UPPER, ftz=True)

    def apply(bits):
        # A NaN may have all its mantissa in the lower word.
        if F64.is_nan(bits):
            return {UPPER.nan << 32}
        result = approximation(bits >> 32)
        for code in list(result):
            if 0 < code & UPPER.sign_bit - 1 < UPPER.infinity:
                result |= {code - 1, code + 1}
        return {UPPER.flush(code) << 32 for code in result}
    return apply
