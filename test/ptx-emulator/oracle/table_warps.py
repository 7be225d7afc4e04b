"""Instructions that lanes of a warp execute together. The lanes of a mask execute them, the others go around."""
import random

from entries import Entry, rows, whole
from integers import signed

ALL = 0xFFFFFFFF
SKIPPED = 0xBADC0DE
LANES = range(32)


def masks(rng):
    return rng.choice((ALL, ALL, 1 << rng.randrange(32), rng.getrandbits(32) | 1, 0x0000FFFF, 0xAAAAAAAA, 0x80000001, rng.getrandbits(32) & rng.getrandbits(32) | 4))


class WarpEntry(Entry):
    """`draw` gives the operands of a lane (rng, lane, mask, of the warp), the oracle the results of each lane of a mask from those of all."""

    def __init__(self, instruction, outs, kinds, draw, oracle, arch=80, warps=40, mask_of=masks):
        self.draw, self.warps, self.mask_of, self.lanes_of = draw, warps, mask_of, oracle
        count, outs_of = len(kinds.split()), outs.split()
        default = " ".join(f"setp.ne.b32 d{i}, 0, 0;" if kind == "pred" else f"mov.b32 d{i}, {SKIPPED:#x};" for i, kind in enumerate(outs_of))
        names = {"d": "|".join(f"d{i}" for i in range(len(outs_of))), "m": f"a{count}"}
        names |= {f"a{i}": f"a{i}" for i in range(count)}
        text = f"setp.ne.b32 q, a{count}, 0; {default} @!q bra $_NEXT; {instruction.format(**names)}; $_NEXT:"
        super().__init__(instruction.split()[0] + f" {outs}", outs, [whole(32)], None, text, arch, None, ".reg .pred q;")
        self.ins = kinds.split() + ["b32"]

    def rows(self, seed, times):
        rng, result = random.Random(f"{seed} {self.name}"), []
        for _ in range(self.warps * times):
            mask = self.mask_of(rng)
            shared = rng.getrandbits(64)
            result += [(*self.draw(rng, lane, mask, shared), mask if mask >> lane & 1 else 0) for lane in LANES]
        return result

    def expected_of(self, inputs):
        result = []
        for first in range(0, len(inputs), 32):
            lanes = {lane: inputs[first + lane] for lane in LANES if inputs[first + lane][-1]}
            of = self.lanes_of(lanes, next(iter(lanes.values()))[-1])
            skipped = tuple({0 if kind == "pred" else SKIPPED} for kind in self.outs)
            result += [tuple({x} for x in of[lane]) if lane in lanes else skipped for lane in LANES]
        return result


def source(mode, lane, b, c):
    """The lane that shfl reads, and whether it is within the segment and the clamp (the ISA's pseudo code)."""
    b, clamp, segment = b & 31, c & 31, c >> 8 & 31
    most, least = lane & segment | clamp & ~segment & 31, lane & segment
    j = {"up": lane - b, "down": lane + b, "bfly": lane ^ b, "idx": least | b & ~segment}[mode]
    inside = j >= most if mode == "up" else j <= most
    return (j, 1) if inside else (lane, 0)


def shuffles():
    for mode in ("up", "down", "bfly", "idx"):
        def draw(rng, lane, mask, shared, mode=mode):
            usual = 0 if mode == "up" else 31
            for _ in range(20):
                b = rng.choice((shared & 31, rng.randrange(32), rng.getrandbits(32)))
                c = rng.choice((usual, usual | rng.choice((0x1000, 0x1800, 0x1C00, 0x1E00)), rng.getrandbits(13)))
                # What lanes outside the mask have is undefined.
                if mask >> source(mode, lane, b, c)[0] & 1:
                    return rng.getrandbits(32), b, c
            return rng.getrandbits(32), lane if mode == "idx" else 0, usual

        def oracle(lanes, mask, mode=mode):
            result = {}
            for lane, (_, b, c, _) in lanes.items():
                j, inside = source(mode, lane, b, c)
                result[lane] = lanes[j][0], inside
            return result
        yield WarpEntry(f"shfl.sync.{mode}.b32 {{d}}, {{a0}}, {{a1}}, {{a2}}, {{m}}", "b32 pred", "b32 b32 b32", draw, oracle)
        yield WarpEntry(f"shfl.sync.{mode}.b32 {{d}}, {{a0}}, {{a1}}, {{a2}}, {{m}}", "b32", "b32 b32 b32", draw,
                        lambda lanes, mask, f=oracle: {lane: x[:1] for lane, x in f(lanes, mask).items()})


def votes():
    def draw(rng, lane, mask, shared):
        return (rng.getrandbits(1) if shared & 3 == 0 else shared >> 2 & 1,)
    for negation in ("", "!"):
        def ballot(lanes, negation=negation):
            return sum(1 << lane for lane, (p, _) in lanes.items() if p != (negation == "!"))
        for mode, holds in (("all", lambda votes, mask: votes == mask), ("any", lambda votes, mask: votes != 0), ("uni", lambda votes, mask: votes in (0, mask))):
            entry = WarpEntry(f"vote.sync.{mode}.pred {{d}}, {negation}{{a0}}, {{m}}", "pred", "pred", draw,
                              lambda lanes, mask, f=ballot, holds=holds: dict.fromkeys(lanes, (int(holds(f(lanes), mask)),)))
            entry.name += negation
            yield entry
        entry = WarpEntry(f"vote.sync.ballot.b32 {{d}}, {negation}{{a0}}, {{m}}", "b32", "pred", draw, lambda lanes, mask, f=ballot: dict.fromkeys(lanes, (f(lanes),)))
        entry.name += negation
        yield entry


def matches():
    for width in (32, 64):
        def draw(rng, lane, mask, shared, width=width):
            value = shared & (1 << width) - 1
            # One bit of few differs, in some warps.
            return (value ^ (1 << rng.choice((0, width - 1)) if shared >> 63 and rng.random() < 0.4 else value),)

        def any_of(lanes, mask):
            return {lane: (sum(1 << other for other, (x, _) in lanes.items() if x == value),) for lane, (value, _) in lanes.items()}

        def all_of(lanes, mask):
            same = len({value for value, _ in lanes.values()}) == 1
            return dict.fromkeys(lanes, (mask if same else 0, int(same)))
        yield WarpEntry(f"match.any.sync.b{width} {{d}}, {{a0}}, {{m}}", "b32", f"b{width}", draw, any_of)
        yield WarpEntry(f"match.all.sync.b{width} {{d}}, {{a0}}, {{m}}", "b32 pred", f"b{width}", draw, all_of)
        yield WarpEntry(f"match.all.sync.b{width} {{d}}, {{a0}}, {{m}}", "b32", f"b{width}", draw, lambda lanes, mask, f=all_of: {i: x[:1] for i, x in f(lanes, mask).items()})


def reductions():
    column = whole(32)

    def draw(rng, lane, mask, shared):
        return (rng.choice(column.corners) if rng.random() < 0.5 else column.draw(rng),)
    for operation, type in (("add", "u32"), ("add", "s32"), ("min", "u32"), ("min", "s32"), ("max", "u32"), ("max", "s32"), ("and", "b32"), ("or", "b32"), ("xor", "b32")):
        def oracle(lanes, mask, operation=operation, type=type):
            values = [value for value, _ in lanes.values()]
            if operation in ("min", "max"):
                result = {"min": min, "max": max}[operation](values, key=lambda x: signed(x, 32) if type == "s32" else x)
            else:
                result = {"add": 0, "and": ALL, "or": 0, "xor": 0}[operation]
                for x in values:
                    result = {"add": result + x & ALL, "and": result & x, "or": result | x, "xor": result ^ x}[operation]
            return dict.fromkeys(lanes, (result,))
        yield WarpEntry(f"redux.sync.{operation}.{type} {{d}}, {{a0}}, {{m}}", "b32", "b32", draw, oracle)


def leaders():
    """The ISA leaves open which lane leads, and which lanes are together where some go around: the lowest, and all of a full mask."""
    def lowest(lanes, mask):
        return {lane: (min(lanes), int(lane == min(lanes))) for lane in lanes}
    yield WarpEntry("elect.sync {d}, {m}", "b32 pred", "b32", lambda rng, lane, mask, shared: (0,), lowest, 90)
    yield WarpEntry("activemask.b32 {d}", "b32", "b32", lambda rng, lane, mask, shared: (0,), lambda lanes, mask: dict.fromkeys(lanes, (mask,)), warps=4,
                    mask_of=lambda rng: ALL)


def entries():
    for group in (shuffles, votes, matches, reductions, leaders):
        yield from group()
