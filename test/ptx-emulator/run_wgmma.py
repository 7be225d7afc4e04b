"""wgmma.mma_async: every type, matrices in every layout of shared memory, A in registers, all modes of asynchrony.

usage: run_wgmma.py DS_PTX_RUN [--only GLOB]

Where elements lie is written down here as pictures of the ISA say, by rows and pieces of 16 bytes, and not as the address formula of the emulator: in a row of
the swizzle's width piece c of row r is at c ^ (r % 8), c ^ (r // 2 % 4) or c ^ (r // 4 % 2), for 128, 64 and 32 bytes. Products are of random whole numbers,
which no order of summing changes. With ptxas in PATH the modules are assembled, too. Ends with "N passed, N failed".
"""
import os
import random
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cases import main  # noqa: E402
from run_matrices import A_PLACE, HEADER, Runner, bits_of, value_of  # noqa: E402

WIDTH = {"f16": 16, "bf16": 16, "tf32": 32, "e4m3": 8, "e5m2": 8, "s8": 8, "u8": 8}
SWIZZLE = {0: 0, 128: 1, 64: 2, 32: 3}
FULL_TILE = 1024  # bytes: what a tile is aligned to


def place(swizzle, row, piece):
    """Of a piece of 16 bytes in a row of the swizzle's width."""
    return piece ^ {128: row % 8, 64: row // 2 % 4, 32: row // 4 % 2}[swizzle]


def image(matrix, kind, swizzle, transposed, step):
    """Bytes of shared memory of a matrix by rows of M (or columns of N), then k; and the descriptor but for the address. `step`: which 32 bytes of k of a
    row of the swizzle hold it (the others hold what must not be read)."""
    rows, k, width = len(matrix), len(matrix[0]), WIDTH[kind] // 8
    data, leading, stride = {}, 0, 0
    for mn in range(rows):
        for i in range(k):
            byte = i * width
            if transposed:
                assert width == 2
                if swizzle:
                    per = swizzle // 2
                    stride = swizzle * 8  # to the next 8 of k
                    leading = stride * (k // 8)  # to the next columns
                    at = mn // per * leading + i // 8 * stride + i % 8 * swizzle + place(swizzle, i % 8, mn % per * 2 // 16) * 16 + mn * 2 % 16
                else:
                    leading = 128 * (rows // 8)
                    stride = 128
                    at = i // 8 * leading + mn // 8 * stride + i % 8 * 16 + mn % 8 * 2
            elif swizzle:
                stride = 8 * swizzle
                full = step * 32 + byte
                at = mn // 8 * stride + mn % 8 * swizzle + place(swizzle, mn % 8, full // 16) * 16 + full % 16
            else:
                leading, stride = 128, 256
                at = mn // 8 * stride + byte // 16 * leading + mn % 8 * 16 + byte % 16
            for part in range(width):
                data[at + part] = bits_of(kind, matrix[mn][i]) >> 8 * part & 255
    size = (max(data) // FULL_TILE + 1) * FULL_TILE
    descriptor = (leading >> 4) << 16 | (stride >> 4) << 32 | SWIZZLE[swizzle] << 62
    return bytes(data.get(i, 0x7f) for i in range(size)), descriptor, (step * 32 if swizzle and not transposed else 0)


def module(instruction, registers, a_bytes, b_bytes, a_descriptor, b_descriptor, from_registers, tail):
    d = "{" + ", ".join(f"%d{i}" for i in range(registers)) + "}"
    a = "{%a0, %a1, %a2, %a3}" if from_registers else "%rda"
    return HEADER.format("sm_90a") + f"""
.visible .entry k(.param .u64 pd, .param .u64 pa, .param .u64 pb, .param .u64 pr, .param .u64 pc, .param .u32 scale)
{{
  .shared .align 1024 .b8 tile_a[{a_bytes}];
  .shared .align 1024 .b8 tile_b[{b_bytes}];
  .reg .b32 %r<8>, %a<4>;
  .reg .b32 %d<{registers}>;
  .reg .b64 %rd<16>, %rda, %rdb;
  .reg .pred %p<3>;
  mov.u32 %r0, %tid.x;
  ld.param.u64 %rd0, [pa];
  ld.param.u64 %rd1, [pb];
  mov.u64 %rd2, tile_a;
  mov.u64 %rd3, tile_b;
  mov.b32 %r1, %r0;
COPY_A:
  mul.wide.u32 %rd4, %r1, 4;
  add.u64 %rd5, %rd0, %rd4;
  add.u64 %rd6, %rd2, %rd4;
  setp.lt.u32 %p0, %r1, {a_bytes // 4};
  @!%p0 bra COPIED_A;
  ld.global.b32 %r2, [%rd5];
  st.shared.b32 [%rd6], %r2;
  add.u32 %r1, %r1, 128;
  bra COPY_A;
COPIED_A:
  mov.b32 %r1, %r0;
COPY_B:
  mul.wide.u32 %rd4, %r1, 4;
  add.u64 %rd5, %rd1, %rd4;
  add.u64 %rd6, %rd3, %rd4;
  setp.lt.u32 %p0, %r1, {b_bytes // 4};
  @!%p0 bra COPIED_B;
  ld.global.b32 %r2, [%rd5];
  st.shared.b32 [%rd6], %r2;
  add.u32 %r1, %r1, 128;
  bra COPY_B;
COPIED_B:
  fence.proxy.async.shared::cta;
  bar.sync 0;
  ld.param.u64 %rd7, [pr];
  mad.wide.u32 %rd8, %r0, 4, %rd7;
{"".join(f'  ld.global.b32 %a{i}, [%rd8 + {512 * i}];{chr(10)}' for i in range(4))}  ld.param.u64 %rd9, [pc];
  mad.wide.u32 %rd10, %r0, 4, %rd9;
{"".join(f'  ld.global.b32 %d{i}, [%rd10 + {512 * i}];{chr(10)}' for i in range(registers))}  shr.u64 %rd11, %rd2, 4;
  or.b64 %rda, %rd11, {a_descriptor};
  shr.u64 %rd11, %rd3, 4;
  or.b64 %rdb, %rd11, {b_descriptor};
  ld.param.u32 %r3, [scale];
  setp.ne.b32 %p1, %r3, 0;
  wgmma.fence.sync.aligned;
  {instruction} {d}, {a}, %rdb, %p1{tail};
  wgmma.commit_group.sync.aligned;
  wgmma.wait_group.sync.aligned 0;
  ld.param.u64 %rd12, [pd];
  mad.wide.u32 %rd13, %r0, 4, %rd12;
{"".join(f'  st.global.b32 [%rd13 + {512 * i}], %d{i};{chr(10)}' for i in range(registers))}  ret;
}}
"""


class Product(Runner):
    mode = "early"

    def launch(self, arguments, scale):
        options = ["--arg", f"b8[{len(arguments[3])}]"]
        for i, data in enumerate(arguments):
            with open(self.path(f"in{i}"), "wb") as file:
                file.write(data)
            options += ["--arg", f"b8[{len(data)}]=@{self.path(f'in{i}')}"]
        subprocess.run([self.binary, self.path("w.ptx"), "--block", "128", *options, "--arg", f"u32={scale}", "--dump", f"0={self.path('out')}",
                        "--async", self.mode], check=True)
        with open(self.path("out"), "rb") as file:
            return file.read()


def check(runner, case):
    a_kind, b_kind, d_kind, n, swizzle, trans_a, trans_b, from_registers, step, signs, scale, saturates = case
    random.seed(str(case))
    k = 256 // WIDTH[a_kind]
    small = 4 if a_kind.startswith("e") else 9
    draw = lambda kind: random.randint(0 if kind == "u8" else -small, small)  # noqa: E731
    fix = (lambda v: v if abs(v) in (0, 1, 2, 3, 4) else 0) if a_kind.startswith("e") else (lambda v: v)
    a = [[fix(draw(a_kind)) for _ in range(k)] for _ in range(64)]
    b = [[fix(draw(b_kind)) for _ in range(k)] for _ in range(n)]  # by columns
    c = [[random.randint(-50, 50) for _ in range(n)] for _ in range(64)]
    a_image, a_descriptor, a_offset = image(a, a_kind, swizzle, trans_a, step)
    b_image, b_descriptor, b_offset = image(b, b_kind, swizzle, trans_b, step)
    half = d_kind == "f16"
    registers = n // (4 if half else 2)
    tail = ""
    if a_kind in ("f16", "bf16"):
        tail = f", {signs[0]}, {signs[1]}" + ("" if from_registers else f", {int(trans_a)}") + f", {int(trans_b)}"
    elif not a_kind.endswith("8"):
        tail = f", {signs[0]}, {signs[1]}"
    instruction = f"wgmma.mma_async.sync.aligned.m64n{n}k{k}{'.satfinite' if saturates else ''}.{d_kind}.{a_kind}.{b_kind}"
    if saturates:
        instruction = f"wgmma.mma_async.sync.aligned.m64n{n}k{k}.s32.{a_kind}.{b_kind}.satfinite"
    runner.write("w.ptx", module(instruction, registers, len(a_image), len(b_image), a_descriptor + (a_offset >> 4), b_descriptor + (b_offset >> 4),
                                 from_registers, tail))
    shape = {16: "m16n8k16", 32: "m16n8k8", 8: "m16n8k32"}[WIDTH[a_kind]]
    per = 32 // WIDTH[a_kind]
    fragment = [0] * 512
    for thread in range(128):
        for register in range(4):
            for i in range(per):
                row, column = A_PLACE[shape, WIDTH[a_kind]](thread % 32 // 4, thread % 4, register * per + i)
                fragment[register * 128 + thread] |= bits_of(a_kind, a[thread // 32 * 16 + row][column]) << i * WIDTH[a_kind]

    def accumulators():
        for thread in range(128):
            for i in range(n // 2):
                yield thread, i, thread // 32 * 16 + thread % 32 // 4 + 8 * (i // 2 % 2), 8 * (i // 4) + 2 * (thread % 4) + i % 2
    words = [0] * (128 * registers)
    for thread, i, row, column in accumulators():
        value = bits_of("f16" if half else "f32" if d_kind == "f32" else "s32", c[row][column]) & 0xffffffff
        words[(i // 2 if half else i) * 128 + thread] |= value << (16 * (i % 2) if half else 0)
    pack = lambda values: struct.pack(f"<{len(values)}I", *values)  # noqa: E731
    sign = signs[0] * signs[1] if tail else 1
    want = [[sign * sum(x * y for x, y in zip(a[i], b[j])) + (c[i][j] if scale else 0) for j in range(n)] for i in range(64)]
    for runner.mode in ("early", "late", "random"):
        data = struct.unpack(f"<{128 * registers}I", runner.launch([a_image, b_image, pack(fragment), pack(words)], scale))
        for thread, i, row, column in accumulators():
            word = data[(i // 2 if half else i) * 128 + thread]
            got = value_of("f16", word >> 16 * (i % 2) & 0xffff) if half else value_of("f32" if d_kind == "f32" else "s32", word)
            assert got == want[row][column], f"{runner.mode}: element ({row}, {column}) is {got}, not {want[row][column]}"


def cases():
    plain = (1, 1)
    for kind in ("f16", "bf16"):
        for swizzle in (0, 32, 64, 128):
            for trans_a, trans_b in ((False, False), (True, False), (False, True), (True, True)):
                yield kind, kind, "f32", 64, swizzle, trans_a, trans_b, False, 0, plain, 1, False
        for trans_b in (False, True):
            yield kind, kind, "f32", 128, 128, False, trans_b, True, 0, plain, 1, False
        for swizzle, step in ((64, 1), (128, 1), (128, 2), (128, 3)):
            yield kind, kind, "f32", 96, swizzle, False, False, False, step, plain, 1, False
        for signs in ((-1, 1), (1, -1), (-1, -1)):
            yield kind, kind, "f32", 16, 128, False, False, False, 0, signs, 1, False
        yield kind, kind, "f32", 256, 128, False, False, False, 0, plain, 1, False
        yield kind, kind, "f32", 8, 0, False, False, False, 0, plain, 0, False
    # All columns that there are; s8 has fewer.
    for n in range(8, 256, 8):
        yield "bf16", "bf16", "f32", n, 128, False, False, False, 0, plain, 1, False
        yield "e4m3", "e4m3", "f32", n, 128, False, False, False, 1, plain, 1, False
        if n < 32 or n % 16 == 0 and n > 32:
            yield "s8", "s8", "s32", n, 64, False, False, True, 0, plain, 1, False
    yield "e4m3", "e4m3", "f32", 256, 128, False, False, False, 1, plain, 1, False
    yield "s8", "s8", "s32", 256, 64, False, False, True, 0, plain, 1, False
    for n in (8, 24, 64, 200):
        yield "f16", "f16", "f16", n, 128, False, False, False, 0, plain, 1, False
    for kinds in (("tf32", "tf32"), ("e4m3", "e4m3"), ("e4m3", "e5m2"), ("e5m2", "e4m3"), ("e5m2", "e5m2")):
        for swizzle in (0, 32, 64, 128):
            yield *kinds, "f32", 40, swizzle, False, False, False, 0, plain, 1, False
        yield *kinds, "f32", 64, 128, False, False, True, 0, (1, -1), 0, False
        yield *kinds, "f32", 64, 128, False, False, False, 2, plain, 1, False
    for kinds in (("s8", "s8"), ("s8", "u8"), ("u8", "s8"), ("u8", "u8")):
        for swizzle in (0, 32, 64, 128):
            yield *kinds, "s32", 32, swizzle, False, False, False, 0, plain, 1, False
        yield *kinds, "s32", 48, 128, False, False, True, 0, plain, 0, False
        yield *kinds, "s32", 24, 128, False, False, False, 3, plain, 1, True


def name(case):
    a, b, d, n, swizzle, trans_a, trans_b, from_registers, step, signs, scale, saturates = case
    return (f"n{n}.{d}.{a}.{b}.swizzle{swizzle}" + ".transA" * trans_a + ".transB" * trans_b + ".registers" * from_registers + (f".step{step}" if step else "")
            + (f".signs{signs[0]}{signs[1]}" if signs != (1, 1) else "") + ".zero" * (1 - scale) + ".satfinite" * saturates)


def checks_of(binary):
    runner = Product(binary)
    return {name(case): lambda case=case: check(runner, case) for case in cases()}


if __name__ == "__main__":
    sys.exit(main(__doc__, "*.swizzle128*", checks_of))
