"""wmma: fragments loaded from every layout and space, multiplied and stored again, against products of Python integers.

usage: run_wmma.py DS_PTX_RUN [--only GLOB]

Which lane holds what is not said by the ISA, so that a fragment is seen through memory alone: A, B and C come from rows or columns, beside each other or with a
stride, in global, shared and generic memory; D goes to rows or columns. Elements are small whole numbers, whose sums are exact. With ptxas in PATH each
module is assembled. Ends with "N passed, N failed".
"""
import itertools
import os
import random
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cases import main  # noqa: E402
from run_matrices import HEADER, WIDTH, Runner, bits_of, sizes, value_of  # noqa: E402

SHAPES = ("m16n16k16", "m8n32k16", "m32n8k16")
RESULTS = {"f16": 16, "f32": 32, "s32": 32, "f64": 64}
SHARED = 8192  # bytes of shared memory for each matrix


def forms():
    """(shape, type of A and B, of C, of D, saturates)."""
    for shape in SHAPES:
        yield from ((shape, "f16", c, d, False) for c, d in itertools.product(("f16", "f32"), repeat=2))
        yield shape, "bf16", "f32", "f32", False
        yield from ((shape, kind, "s32", "s32", saturates) for kind in ("s8", "u8") for saturates in (False, True))
    yield "m16n16k8", "tf32", "f32", "f32", False
    yield "m8n8k4", "f64", "f64", "f64", False
    yield from (("m8n8k32", kind, "s32", "s32", saturates) for kind in ("s4", "u4") for saturates in (False, True))


def cases():
    for form in forms():
        few = form[1] in ("s4", "u4")
        layouts = [("row", "col")] if few else itertools.product(("row", "col"), repeat=2)
        for (a, b), (cd, space, padded) in zip(layouts, (("row", ".global", True), ("col", ".shared", False), ("row", "", True), ("col", ".global", False))):
            yield form, a, b, cd, space, padded


def name(case):
    (shape, kind, c, d, saturates), a, b, cd, space, padded = case
    return f"{shape}.{d}.{kind}.{c}{'.satfinite' * saturates}.{a}.{b}.{cd}{space or '.generic'}{'.stride' * padded}"


class Memory:
    """A matrix as it lies in memory."""

    def __init__(self, rows, columns, kind, layout, padded):
        self.rows, self.columns, self.kind, self.layout = rows, columns, kind, layout
        self.width = WIDTH.get(kind, RESULTS.get(kind))
        leading = rows if layout == "col" else columns
        self.padded, self.stride = padded, leading + (128 // self.width if padded else 0)
        self.size = (columns if layout == "col" else rows) * self.stride * self.width // 8

    def place(self, row, column):
        return (column * self.stride + row if self.layout == "col" else row * self.stride + column) * self.width

    def bytes(self, matrix):
        data = bytearray(self.size)
        for row, column in itertools.product(range(self.rows), range(self.columns)):
            at, bits = self.place(row, column), bits_of(self.kind, matrix[row][column])
            for i in range(0, self.width, 8):
                data[(at + i) // 8] |= (bits >> i & 255) << at % 8
        return bytes(data)

    def matrix(self, data):
        def element(row, column):
            at = self.place(row, column) // 8
            return value_of(self.kind, int.from_bytes(data[at:at + self.width // 8], "little"))
        return [[element(row, column) for column in range(self.columns)] for row in range(self.rows)]


def registers(kind, elements, of_operand):
    """How many, and of which type."""
    if kind == "f16" and of_operand:
        return 8, "b32"
    width = WIDTH.get(kind, RESULTS.get(kind))
    return elements * width // max(width, 32) // 32, "f64" if width == 64 else "f32" if kind == "f32" else "b32"


def module(case, a, b, c, d):
    (shape, kind, _, _, saturates), layout_a, layout_b, layout_cd, space, _ = case
    m, n, k = sizes(shape)
    lines = [HEADER.format("sm_80"), ".visible .entry k(.param .u64 pd, .param .u64 pa, .param .u64 pb, .param .u64 pc)", "{",
             "  .reg .b32 %r<4>, %to<4>; .reg .b64 %rd<8>, %at; .reg .pred %p;", f"  .shared .align 128 .b8 tiles[{4 * SHARED}];"]
    files = {"a": (*registers(kind, m * k, True), a), "b": (*registers(kind, k * n, True), b), "c": (*registers(c.kind, m * n, False), c),
             "d": (*registers(d.kind, m * n, False), d)}
    groups = {}
    for which, (count, register, _) in files.items():
        lines.append(f"  .reg .{register} %{which}<{count}>;")
        groups[which] = "{" + ", ".join(f"%{which}{i}" for i in range(count)) + "}"
    lines += [f"  ld.param.u64 %rd{i}, [p{which}];" for i, which in enumerate("abcd")]
    shared = space == ".shared"

    def copy(i, size, into):
        """A word of each lane, until all are copied."""
        there, here = ("st.shared.b32 [%r2], %r3", "ld.global.b32 %r3, [%at]") if into else ("st.global.b32 [%at], %r3", "ld.shared.b32 %r3, [%r2]")
        label = f"L{i}{int(into)}"
        return ["  mov.u32 %r0, %laneid;", f"  mov.u32 %r2, tiles; mad.lo.u32 %r2, %r0, 4, %r2; add.u32 %r2, %r2, {i * SHARED};",
                f"  mad.wide.u32 %at, %r0, 4, %rd{i}; mov.u32 %r1, 0;", f"{label}: mad.lo.u32 %to0, %r0, 4, %r1; setp.ge.u32 %p, %to0, {size};",
                f"  @%p bra E{label}; {here}; {there}; add.u32 %r2, %r2, 128; add.u64 %at, %at, 128; add.u32 %r1, %r1, 128; bra {label};",
                f"E{label}: bar.warp.sync -1;"]
    for i, memory in enumerate((a, b, c, d)):
        if shared:
            lines += (copy(i, memory.size, True) if memory is not d else []) + [f"  mov.u64 %rd{i + 4}, tiles; add.u64 %rd{i + 4}, %rd{i + 4}, {i * SHARED};"]
        else:
            lines.append(f"  mov.u64 %rd{i + 4}, %rd{i};")
    stride = {which: f", {memory.stride}" if memory.padded else "" for which, (_, _, memory) in files.items()}
    for i, (which, layout, memory) in enumerate((("a", layout_a, a), ("b", layout_b, b), ("c", layout_cd, c))):
        lines.append(f"  wmma.load.{which}.sync.aligned.{layout}.{shape}{space}.{memory.kind} {groups[which]}, [%rd{i + 4}]{stride[which]};")
    types = f"{d.kind}.{c.kind}" if kind == "f16" else f"{d.kind}.{kind}.{kind}.{c.kind}"
    lines += [f"  wmma.mma.sync.aligned.{layout_a}.{layout_b}.{shape}.{types}{'.satfinite' * saturates} {groups['d']}, {groups['a']}, {groups['b']}, {groups['c']};",
              f"  wmma.store.d.sync.aligned.{layout_cd}.{shape}{space}.{d.kind} [%rd7], {groups['d']}{stride['d']};"]
    if shared:
        lines += ["  bar.warp.sync -1;"] + copy(3, d.size, False)
    return "\n".join(lines + ["  ret;", "}", ""])


def check(runner, case):
    (shape, kind, c_kind, d_kind, saturates), layout_a, layout_b, layout_cd, _, padded = case
    m, n, k = sizes(shape)
    rng = random.Random(name(case))
    least, most = (0, 7) if kind[0] == "u" else (-3, 3)
    draw = lambda rows, columns: [[rng.randint(least, most) for _ in range(columns)] for _ in range(rows)]  # noqa: E731
    left, right, start = draw(m, k), draw(k, n), draw(m, n)
    # Near the end of s32 sums wrap, or stay there.
    if saturates or kind in ("s8", "s4"):
        start[0][0], start[1][1] = (1 << 31) - 2, -(1 << 31) + 1
    a, b = Memory(m, k, kind, layout_a, padded), Memory(k, n, kind, layout_b, padded)
    c, d = (Memory(m, n, each, layout_cd, padded) for each in (c_kind, d_kind))
    runner.write("wmma.ptx", module(case, a, b, c, d))
    results = runner.run("wmma.ptx", "k", [a.bytes(left), b.bytes(right), c.bytes(start)], d.size)
    want = [[start[i][j] + sum(left[i][x] * right[x][j] for x in range(k)) for j in range(n)] for i in range(m)]
    if d_kind == "s32":
        wrap = (lambda x: max(-(1 << 31), min(x, (1 << 31) - 1))) if saturates else lambda x: (x + (1 << 31)) % (1 << 32) - (1 << 31)
        want = [[wrap(x) for x in row] for row in want]
    got = d.matrix(results)
    assert got == want, [(i, j, got[i][j], want[i][j]) for i in range(m) for j in range(n) if got[i][j] != want[i][j]][:4]


def checks_of(binary):
    runner = Runner(binary)
    return {name(case): lambda case=case: check(runner, case) for case in cases()}


if __name__ == "__main__":
    sys.exit(main(__doc__, "m8n32k16.*", checks_of))
