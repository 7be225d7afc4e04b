"""What atomic operations and reductions make of a value in memory and an operand (PTX ISA: atom, red, cp.reduce.async.bulk)."""
from floats import Float
from formats import FORMATS
from integers import signed

# Element types of each operation of cp.reduce.async.bulk, by destination, as the ISA's table has them.
REDUCTIONS = {
    "global": {"add": "u32 s32 u64 f32 f64 f16 bf16", "min": "u32 s32 u64 s64 f16 bf16", "max": "u32 s32 u64 s64 f16 bf16", "inc": "u32", "dec": "u32",
               "and": "b32 b64", "or": "b32 b64", "xor": "b32 b64"},
    "shared::cluster": {"add": "u32 s32 u64", "min": "u32 s32", "max": "u32 s32", "inc": "u32", "dec": "u32", "and": "b32", "or": "b32", "xor": "b32"},
}
# red.async has 64-bit sums, too.
ASYNC_REDUCTIONS = {"add": "u32 s32 u64 s64", "min": "u32 s32", "max": "u32 s32", "inc": "u32", "dec": "u32", "and": "b32", "or": "b32", "xor": "b32"}


def width_of(type):
    return 32 if type.endswith("x2") else int(type.lstrip("bfsu"))


def combine(operation, type, old, value, flushes=False):
    """The bits that are in memory afterwards. flushes: sums of f32 take subnormal operands and results to zero of their sign."""
    if type.endswith("x2"):
        return sum(combine(operation, type[:-2], old >> shift & 0xFFFF, value >> shift & 0xFFFF) << shift for shift in (0, 16))
    width = width_of(type)
    if type in FORMATS:
        number = Float(FORMATS[type], ftz=flushes and type == "f32")
        return number.add(old, value) if operation == "add" else number.extreme(old, value, operation == "min", False)
    of = (lambda bits: signed(bits, width)) if type[0] == "s" else (lambda bits: bits)
    if operation in ("min", "max"):
        return {"min": min, "max": max}[operation](old, value, key=of)
    return {"add": lambda: old + value & (1 << width) - 1, "inc": lambda: 0 if old >= value else old + 1,
            "dec": lambda: value if old == 0 or old > value else old - 1, "and": lambda: old & value, "or": lambda: old | value,
            "xor": lambda: old ^ value, "exch": lambda: value}[operation]()
