"""Whole-number and bit instructions, from the pseudo-code of the PTX ISA. Operands are codes (unsigned); results are cut to their width later."""


def signed(bits, width):
    bits &= (1 << width) - 1
    return bits - (1 << width) if bits >> width - 1 else bits


def clamp(value, width, is_signed=True):
    least, most = (-(1 << width - 1), (1 << width - 1) - 1) if is_signed else (0, (1 << width) - 1)
    return max(least, min(value, most))


def quotient(a, b):
    """Rounded towards zero."""
    q = abs(a) // abs(b)
    return -q if (a < 0) != (b < 0) else q


class Integer:
    """Instructions of one type: operands are numbers of that type."""

    def __init__(self, width, is_signed):
        self.width, self.is_signed = width, is_signed

    def of(self, bits):
        return signed(bits, self.width) if self.is_signed else bits & (1 << self.width) - 1

    def add(self, a, b):
        return a + b

    def sub(self, a, b):
        return a - b

    def add_sat(self, a, b):
        return clamp(self.of(a) + self.of(b), self.width)

    def sub_sat(self, a, b):
        return clamp(self.of(a) - self.of(b), self.width)

    def mul_lo(self, a, b):
        return a * b

    def mul_hi(self, a, b):
        return self.of(a) * self.of(b) >> self.width

    def mul_wide(self, a, b):
        return self.of(a) * self.of(b)

    def mad_lo(self, a, b, c):
        return a * b + c

    def mad_hi(self, a, b, c):
        return self.mul_hi(a, b) + c

    def mad_hi_sat(self, a, b, c):
        return clamp(self.mul_hi(a, b) + self.of(c), self.width)

    def mad_wide(self, a, b, c):
        return self.of(a) * self.of(b) + c

    def product24(self, a, b):
        factor = Integer(24, self.is_signed)
        return factor.of(a) * factor.of(b)

    def mul24_lo(self, a, b):
        return self.product24(a, b)

    def mul24_hi(self, a, b):
        return self.product24(a, b) >> 16

    def mad24_lo(self, a, b, c):
        return self.product24(a, b) + c

    def mad24_hi(self, a, b, c):
        return (self.product24(a, b) >> 16) + c

    def mad24_hi_sat(self, a, b, c):
        return clamp((self.product24(a, b) >> 16) + self.of(c), self.width)

    def sad(self, a, b, c):
        return c + abs(self.of(a) - self.of(b))

    def div(self, a, b):
        return quotient(self.of(a), self.of(b))

    def rem(self, a, b):
        a, b = self.of(a), self.of(b)
        return a - b * quotient(a, b)

    def abs(self, a):
        return abs(self.of(a))

    def neg(self, a):
        return -a

    def min(self, a, b):
        return min(self.of(a), self.of(b))

    def max(self, a, b):
        return max(self.of(a), self.of(b))

    def min_relu(self, a, b):
        return max(self.min(a, b), 0)

    def max_relu(self, a, b):
        return max(self.max(a, b), 0)

    def bfind(self, a):
        a = self.of(a)
        a = ~a if a < 0 else a
        return a.bit_length() - 1

    def bfind_shiftamt(self, a):
        position = self.bfind(a)
        return position if position < 0 else self.width - 1 - position

    def bfe(self, a, position, length):
        position, length = position & 255, length & 255
        top = a >> min(position + length - 1, self.width - 1) & 1 if self.is_signed and length else 0
        field = a >> position & (1 << length) - 1
        kept = max(min(length, self.width - position), 0)
        return field | (-1 << kept if top else 0)

    def shr(self, a, amount):
        return self.of(a) >> min(amount, self.width)

    def szext(self, a, width, wrap):
        if width >= 32 and not wrap:
            return a
        width &= 31
        if width == 0:
            return 0
        return signed(a, width) if self.is_signed else a & (1 << width) - 1


def bfi(bits):
    def insert(a, b, position, length):
        position, length = position & 255, length & 255
        field = (1 << length) - 1 << position & (1 << bits) - 1
        return b & ~field | a << position & field
    return insert


def shl(width):
    return lambda a, amount: a << min(amount, width)


def popc(a):
    return bin(a).count("1")


def clz(width):
    return lambda a: width - a.bit_length()


def brev(width):
    return lambda a: int(format(a, f"0{width}b")[::-1], 2)


def fns(mask, base, offset):
    """The place of the offset-th set bit from `base` on, down where the offset is negative; 0: base itself."""
    offset = signed(offset, 32)
    if offset == 0:
        return base if mask >> base & 1 else -1
    places = range(base, 32) if offset > 0 else range(base, -1, -1)
    found = [p for p in places if mask >> p & 1]
    return found[abs(offset) - 1] if abs(offset) <= len(found) else -1


def bmsk(wrap):
    def mask(start, width):
        if not wrap and start >= 32:
            return 0
        start &= 31
        if not wrap and width >= 32:
            return -1 << start
        return (1 << (width & 31)) - 1 << start
    return mask


def lanes(word, width, is_signed):
    return [Integer(width, is_signed).of(word >> width * i) for i in range(32 // width)]


def dp4a(a_signed, b_signed):
    return lambda a, b, c: c + sum(x * y for x, y in zip(lanes(a, 8, a_signed), lanes(b, 8, b_signed)))


def dp2a(high, a_signed, b_signed):
    return lambda a, b, c: c + sum(x * y for x, y in zip(lanes(a, 16, a_signed), lanes(b, 8, b_signed)[2 * high:]))


def lop3(a, b, c, table):
    return sum((table >> ((a >> i & 1) << 2 | (b >> i & 1) << 1 | c >> i & 1) & 1) << i for i in range(32))


def shf(left, wrap):
    def shift(a, b, amount):
        amount = amount & 31 if wrap else min(amount, 32)
        pair = b << 32 | a
        return pair << amount >> 32 if left else pair >> amount
    return shift


# prmt: which byte of {b, a} goes to byte i, by the two low bits of the selector.
PRMT_MODES = {"f4e": lambda n, i: n + i, "b4e": lambda n, i: n - i & 7, "rc8": lambda n, i: n, "ecl": max, "ecr": min,
              "rc16": lambda n, i: 2 * (n & 1) + (i & 1)}


def prmt(mode):
    def permute(a, b, selector):
        pair, result = b << 32 | a, 0
        for i in range(4):
            if mode:
                byte = pair >> 8 * PRMT_MODES[mode](selector & 3, i) & 255
            else:
                nibble = selector >> 4 * i & 15
                byte = pair >> 8 * (nibble & 7) & 255
                byte = byte if nibble < 8 else 255 * (byte >> 7)
            result |= byte << 8 * i
        return result
    return permute
