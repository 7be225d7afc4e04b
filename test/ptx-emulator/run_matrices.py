"""mma.sync, ldmatrix, stmatrix and movmatrix, every shape and type.

usage: run_matrices.py DS_PTX_RUN [--only GLOB]

mma: each element of A, of B and of C alone (all others zero) reaches the elements of D that it belongs to and no others, and products of random whole
numbers, which no order of summing changes, are exact; accumulators of 32 bits wrap or saturate. Where the elements of a fragment are is written down
here from the PTX ISA's tables, register by register, not from the emulator. ldmatrix and its kin: every 16-bit element of 8 x 8 matrices is moved where the
ISA says. With ptxas in PATH the module is assembled, too. Ends with "N passed, N failed".
"""
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

from cases import main

HEADER = ".version 8.4\n.target {}\n.address_size 64\n"
WIDTH = {"f16": 16, "bf16": 16, "tf32": 32, "e4m3": 8, "e5m2": 8, "s8": 8, "u8": 8, "s4": 4, "u4": 4, "f64": 64}

# Element i of a lane (g = lane // 4, t = lane % 4): (row, column) in A, (row, column) in B, as the ISA's figures say, by shape and width.
A_PLACE = {
    ("m16n8k8", 16): lambda g, t, i: (g + 8 * (i >= 2), 2 * t + i % 2),
    ("m16n8k16", 16): lambda g, t, i: (g + 8 * (i in (2, 3, 6, 7)), 2 * t + i % 2 + 8 * (i >= 4)),
    ("m16n8k4", 32): lambda g, t, i: (g + 8 * i, t),
    ("m16n8k8", 32): lambda g, t, i: (g + 8 * (i in (1, 3)), t + 4 * (i >= 2)),
    ("m8n8k16", 8): lambda g, t, i: (g, 4 * t + i),
    ("m16n8k16", 8): lambda g, t, i: (g + 8 * (i >= 4), 4 * t + i % 4),
    ("m16n8k32", 8): lambda g, t, i: (g + 8 * (4 <= i < 8 or i >= 12), 4 * t + i % 4 + 16 * (i >= 8)),
    ("m8n8k32", 4): lambda g, t, i: (g, 8 * t + i),
    ("m16n8k32", 4): lambda g, t, i: (g + 8 * (i >= 8), 8 * t + i % 8),
    ("m16n8k64", 4): lambda g, t, i: (g + 8 * (8 <= i < 16 or i >= 24), 8 * t + i % 8 + 32 * (i >= 16)),
    ("m8n8k4", 64): lambda g, t, i: (g, t),
    ("m16n8k4", 64): lambda g, t, i: (g + 8 * i, t),
    ("m16n8k8", 64): lambda g, t, i: (g + 8 * (i in (1, 3)), t + 4 * (i >= 2)),
    ("m16n8k16", 64): lambda g, t, i: (g + 8 * (i % 2), t + 4 * (i // 2)),
}
B_PLACE = {
    ("m16n8k8", 16): lambda g, t, i: (2 * t + i, g),
    ("m16n8k16", 16): lambda g, t, i: (2 * t + i % 2 + 8 * (i >= 2), g),
    ("m16n8k4", 32): lambda g, t, i: (t, g),
    ("m16n8k8", 32): lambda g, t, i: (t + 4 * i, g),
    ("m8n8k16", 8): lambda g, t, i: (4 * t + i, g),
    ("m16n8k16", 8): lambda g, t, i: (4 * t + i, g),
    ("m16n8k32", 8): lambda g, t, i: (4 * t + i % 4 + 16 * (i >= 4), g),
    ("m8n8k32", 4): lambda g, t, i: (8 * t + i, g),
    ("m16n8k32", 4): lambda g, t, i: (8 * t + i, g),
    ("m16n8k64", 4): lambda g, t, i: (8 * t + i % 8 + 32 * (i >= 8), g),
    ("m8n8k4", 64): lambda g, t, i: (t, g),
    ("m16n8k4", 64): lambda g, t, i: (t, g),
    ("m16n8k8", 64): lambda g, t, i: (t + 4 * i, g),
    ("m16n8k16", 64): lambda g, t, i: (t + 4 * i, g),
}


def c_place(g, t, i):
    return (g + 8 * (i >= 2), 2 * t + i % 2)


def forms():
    """(shape, type of A, of B, of the accumulators, saturates, target)."""
    for shape in ("m16n8k8", "m16n8k16"):
        yield from ((shape, "f16", "f16", c, False, "sm_80") for c in ("f32", "f16"))
        yield shape, "bf16", "bf16", "f32", False, "sm_80"
    for shape in ("m16n8k4", "m16n8k8"):
        yield shape, "tf32", "tf32", "f32", False, "sm_80"
    for bits, shapes in ((8, ("m8n8k16", "m16n8k16", "m16n8k32")), (4, ("m8n8k32", "m16n8k32", "m16n8k64"))):
        for shape in shapes:
            for a in (f"s{bits}", f"u{bits}"):
                for b in (f"s{bits}", f"u{bits}"):
                    yield from ((shape, a, b, "s32", saturates, "sm_80") for saturates in (False, True))
    yield "m8n8k4", "f64", "f64", "f64", False, "sm_80"
    for shape in ("m16n8k4", "m16n8k8", "m16n8k16"):
        yield shape, "f64", "f64", "f64", False, "sm_90"
    for a in ("e4m3", "e5m2"):
        yield from (("m16n8k32", a, b, "f32", False, "sm_89") for b in ("e4m3", "e5m2"))


def sizes(shape):
    m, rest = shape[1:].split("n")
    n, k = rest.split("k")
    return int(m), int(n), int(k)


def bits_of(kind, value):
    """Bits of a small whole number."""
    if kind == "f16":
        return struct.unpack("<H", struct.pack("<e", value))[0]
    if kind in ("bf16", "tf32", "f32"):
        bits = struct.unpack("<I", struct.pack("<f", value))[0]
        return bits >> 16 if kind == "bf16" else bits
    if kind == "f64":
        return struct.unpack("<Q", struct.pack("<d", value))[0]
    if kind in ("e4m3", "e5m2"):
        # e5m2 is the high byte of f16; e4m3 has one exponent bit less, at another bias.
        half = bits_of("f16", value)
        if kind == "e5m2":
            assert half % 256 == 0
            return half >> 8
        return 0 if value == 0 else half >> 8 & 0x80 | ((half >> 10 & 31) - 15 + 7) << 3 | half >> 7 & 7
    return value & ((1 << (WIDTH[kind] if kind in WIDTH else 32)) - 1)


def value_of(kind, bits):
    if kind == "f16":
        return struct.unpack("<e", struct.pack("<H", bits))[0]
    if kind == "f32":
        return struct.unpack("<f", struct.pack("<I", bits))[0]
    if kind == "f64":
        return struct.unpack("<d", struct.pack("<Q", bits))[0]
    return bits - (1 << 32) if bits >> 31 else bits


def fragment(matrix, kind, place, registers):
    """Words of the registers of all lanes, register by register."""
    width = max(WIDTH.get(kind, 32), 32)
    per = width // (16 if kind == "f16" else WIDTH.get(kind, 32))
    words = []
    for number in range(registers):
        for lane in range(32):
            word = 0
            for i in range(per):
                row, column = place(lane // 4, lane % 4, number * per + i)
                word |= bits_of(kind, matrix[row][column]) << i * (width // per)
            words.append(word)
    return struct.pack(f"<{len(words)}{'Q' if width == 64 else 'I'}", *words)


def unpack_result(data, kind, m, n):
    width, per = (64, 1) if kind == "f64" else (32, 2 if kind == "f16" else 1)
    words = struct.unpack(f"<{len(data) * 8 // width}{'Q' if width == 64 else 'I'}", data)
    matrix = [[None] * n for _ in range(m)]
    for at, word in enumerate(words):
        for i in range(per):
            row, column = c_place(at % 32 // 4, at % 4, at // 32 * per + i)
            assert matrix[row][column] is None
            matrix[row][column] = value_of(kind, word >> i * 16 & 0xffff if per == 2 else word)
    return matrix


def kernel(name, instruction, counts, width):
    """Loads the registers of A, B and C, one after the other, executes and stores those of D."""
    d, a, b, c = counts
    kind = {"a": "b64" if width == 64 else "b32", "c": "b64" if width == 64 else "b32"}
    lines = [f".visible .entry {name}(.param .u64 pd, .param .u64 pa, .param .u64 pb, .param .u64 pc)", "{", "  .reg .b32 %lane;",
             "  .reg .b64 %pointer<4>, %offset;"]
    register = "f64" if width == 64 else "b32"
    lines += [f"  .reg .{register} %{which}<{count}>;" for which, count in zip("dabc", counts)]
    size = width // 8
    lines += ["  mov.u32 %lane, %laneid;", f"  mul.wide.u32 %offset, %lane, {size};"]
    for i, which in enumerate("dabc"):
        lines += [f"  ld.param.u64 %pointer{i}, [p{which}];", f"  add.u64 %pointer{i}, %pointer{i}, %offset;"]
    for i, (which, count) in enumerate(zip("abc", (a, b, c)), 1):
        lines += [f"  ld.global.{kind['a']} %{which}{r}, [%pointer{i} + {r * 32 * size}];" for r in range(count)]
    group = lambda which, count: "{" + ", ".join(f"%{which}{r}" for r in range(count)) + "}"  # noqa: E731
    lines.append(f"  {instruction} {group('d', d)}, {group('a', a)}, {group('b', b)}, {group('c', c)};")
    lines += [f"  st.global.{kind['c']} [%pointer0 + {r * 32 * size}], %d{r};" for r in range(d)]
    return "\n".join(lines + ["  ret;", "}", ""])


class Runner:
    def __init__(self, binary):
        self.binary, self.work = binary, tempfile.TemporaryDirectory()

    def path(self, name):
        return os.path.join(self.work.name, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        if shutil.which("ptxas"):
            target = text.split(".target ")[1].split("\n")[0]
            subprocess.run(["ptxas", f"-arch={target}", "-o", "/dev/null", self.path(name)], check=True)

    def run(self, module, entry, inputs, size, block=32):
        """The bytes of argument 0 after a run."""
        arguments = ["--arg", f"b8[{size}]"]
        for i, data in enumerate(inputs):
            with open(self.path(f"in{i}"), "wb") as file:
                file.write(data)
            arguments += ["--arg", f"b8[{len(data)}]=@{self.path(f'in{i}')}"]
        subprocess.run([self.binary, self.path(module), "--entry", entry, "--block", str(block), *arguments, "--dump", f"0={self.path('out')}"], check=True)
        with open(self.path("out"), "rb") as file:
            return file.read()


def check_mma(runner, form):
    shape, a_kind, b_kind, c_kind, saturates, target = form
    m, n, k = sizes(shape)
    width = WIDTH[a_kind]
    # Parts of 32 bits, or doubles.
    word = 64 if width == 64 else 32
    per_c = 2 if c_kind == "f16" else 1
    counts = (m * n // 32 // per_c, m * k * width // word // 32, k * n * width // word // 32, m * n // 32 // per_c)
    instruction = f"mma.sync.aligned.{shape}.row.col{'.satfinite' if saturates else ''}.{c_kind}.{a_kind}.{b_kind}.{c_kind}"
    runner.write("mma.ptx", HEADER.format(target) + kernel("k", instruction, counts, word))
    a_place, b_place = A_PLACE[shape, width], B_PLACE[shape, width]

    def product(a, b, c):
        data = runner.run("mma.ptx", "k", [fragment(a, a_kind, a_place, counts[1]), fragment(b, b_kind, b_place, counts[2]),
                                           fragment(c, c_kind, c_place, counts[3])], counts[0] * 32 * word // 8)
        return unpack_result(data, c_kind, m, n)

    def expected(a, b, c):
        result = [[sum(a[i][x] * b[x][j] for x in range(k)) + c[i][j] for j in range(n)] for i in range(m)]
        if c_kind == "s32":
            clamp = (lambda v: max(-2**31, min(v, 2**31 - 1))) if saturates else (lambda v: (v + 2**31) % 2**32 - 2**31)
            result = [[clamp(v) for v in row] for row in result]
        return result

    # Every element of A, B and C has a number of its own, of which the results are sums that name it.
    random.seed(str(form))
    signed = not a_kind.startswith("u"), not b_kind.startswith("u")
    small = {4: 7, 8: 15}.get(width, 15)
    if a_kind in ("e4m3", "e5m2"):
        numbers = [[0, 1, 2, 3, 4, 6], [0, 1, 2, 3, 4, 6]]
    else:
        numbers = [list(range(small + 1))] * 2
    draw = lambda which: random.choice(numbers[which]) * (random.choice((1, -1)) if signed[which] else 1)  # noqa: E731
    zero = lambda rows, columns: [[0] * columns for _ in range(rows)]  # noqa: E731
    for _ in range(3):
        a = [[draw(0) for _ in range(k)] for _ in range(m)]
        b = [[draw(1) for _ in range(n)] for _ in range(k)]
        c = [[random.randint(-99, 99) for _ in range(n)] for _ in range(m)]
        assert product(a, b, c) == expected(a, b, c), "random whole numbers"
    # A row of the identity picks a row of B, a column of it a column of A.
    for x in random.sample(range(k), min(k, 4)):
        a, b = zero(m, k), zero(k, n)
        for i in range(m):
            a[i][x] = 1 + i % 4 % 3
        for j in range(n):
            b[x][j] = 1 + j % 3
        assert product(a, b, zero(m, n)) == expected(a, b, zero(m, n)), f"k = {x} alone"
    if c_kind == "s32":
        for edge in (2**31 - 1, -2**31):
            a, b, c = [[1] * k for _ in range(m)], [[1] * n for _ in range(k)], [[edge] * n for _ in range(m)]
            if edge < 0 and signed[0]:
                a = [[-1] * k for _ in range(m)]
            assert product(a, b, c) == expected(a, b, c), "an accumulator at its bound"


def check_ldmatrix(runner, count, transposed):
    instruction = f"ldmatrix.sync.aligned.m8n8.x{count}{'.trans' if transposed else ''}.shared.b16"
    registers = ", ".join(f"%r{i}" for i in range(count))
    runner.write("ld.ptx", HEADER.format("sm_80") + f"""
.visible .entry k(.param .u64 out, .param .u64 in)
{{
  .shared .align 16 .b8 tile[512];
  .reg .b32 %r<8>, %lane, %address;
  .reg .b64 %rd<8>;
  mov.u32 %lane, %laneid;
  ld.param.u64 %rd0, [in];
  mad.wide.u32 %rd1, %lane, 16, %rd0;
  ld.global.v4.b32 {{%r4, %r5, %r6, %r7}}, [%rd1];
  mov.u32 %address, tile;
  // Row by row, but matrices and rows in the opposite order.
  sub.u32 %r0, 31, %lane;
  mad.lo.u32 %address, %r0, 16, %address;
  st.shared.v4.b32 [%address], {{%r4, %r5, %r6, %r7}};
  bar.warp.sync -1;
  {instruction} {{{registers}}}, [%address];
  ld.param.u64 %rd2, [out];
  mad.wide.u32 %rd3, %lane, 4, %rd2;
{"".join(f'  st.global.b32 [%rd3 + {128 * i}], %r{i};{chr(10)}' for i in range(count))}  ret;
}}
""")
    halves = list(range(1, 257))
    data = runner.run("ld.ptx", "k", [struct.pack("<256H", *halves)], 128 * count)
    got = struct.unpack(f"<{64 * count}H", data)
    for i in range(count):
        for lane in range(32):
            for part in range(2):
                row, column = lane // 4, lane % 4 * 2 + part
                if transposed:
                    row, column = column, row
                want = halves[(8 * i + row) * 8 + column]
                assert got[(i * 32 + lane) * 2 + part] == want, f"matrix {i}, lane {lane}, half {part}: {got[(i * 32 + lane) * 2 + part]}, not {want}"


def check_stmatrix(runner, count, transposed):
    instruction = f"stmatrix.sync.aligned.m8n8.x{count}{'.trans' if transposed else ''}.shared.b16"
    registers = ", ".join(f"%r{i}" for i in range(count))
    runner.write("st.ptx", HEADER.format("sm_90") + f"""
.visible .entry k(.param .u64 out, .param .u64 in)
{{
  .shared .align 16 .b8 tile[512];
  .reg .b32 %r<8>, %lane, %address;
  .reg .b64 %rd<8>;
  mov.u32 %lane, %laneid;
  ld.param.u64 %rd0, [in];
  mad.wide.u32 %rd1, %lane, 4, %rd0;
{"".join(f'  ld.global.b32 %r{i}, [%rd1 + {128 * i}];{chr(10)}' for i in range(count))}  mov.u32 %address, tile;
  mad.lo.u32 %address, %lane, 16, %address;
  {instruction} [%address], {{{registers}}};
  bar.warp.sync -1;
  setp.ge.u32 %p, %lane, {8 * count};
  @%p ret;
  ld.shared.v4.b32 {{%r4, %r5, %r6, %r7}}, [%address];
  ld.param.u64 %rd2, [out];
  mad.wide.u32 %rd3, %lane, 16, %rd2;
  st.global.v4.b32 [%rd3], {{%r4, %r5, %r6, %r7}};
  ret;
}}
""".replace("  .reg .b64 %rd<8>;", "  .reg .b64 %rd<8>;\n  .reg .pred %p;"))
    halves = list(range(1, 64 * count + 1))
    got = struct.unpack(f"<{64 * count}H", runner.run("st.ptx", "k", [struct.pack(f"<{64 * count}H", *halves)], 128 * count))
    for i in range(count):
        for lane in range(32):
            for part in range(2):
                row, column = lane // 4, lane % 4 * 2 + part
                if transposed:
                    row, column = column, row
                assert got[(8 * i + row) * 8 + column] == halves[(i * 32 + lane) * 2 + part], f"matrix {i}, lane {lane}, half {part}"


def check_movmatrix(runner):
    runner.write("mov.ptx", HEADER.format("sm_80") + """
.visible .entry k(.param .u64 out, .param .u64 in)
{
  .reg .b32 %r<2>, %lane;
  .reg .b64 %rd<4>;
  mov.u32 %lane, %laneid;
  ld.param.u64 %rd0, [in];
  mad.wide.u32 %rd1, %lane, 4, %rd0;
  ld.global.b32 %r0, [%rd1];
  movmatrix.sync.aligned.m8n8.trans.b16 %r1, %r0;
  ld.param.u64 %rd2, [out];
  mad.wide.u32 %rd3, %lane, 4, %rd2;
  st.global.b32 [%rd3], %r1;
  ret;
}
""")
    halves = list(range(64))
    got = struct.unpack("<64H", runner.run("mov.ptx", "k", [struct.pack("<64H", *halves)], 128))
    # A fragment of 8 x 8 in the order of lanes is the matrix row by row.
    assert list(got) == [halves[column * 8 + row] for row in range(8) for column in range(8)]


def checks_of(binary):
    runner = Runner(binary)
    checks = {}
    for form in forms():
        shape, a, b, c, saturates, _ = form
        checks[f"mma.{shape}.{c}.{a}.{b}{'.satfinite' if saturates else ''}"] = lambda form=form: check_mma(runner, form)
    for count in (1, 2, 4):
        for trans in (False, True):
            name = f"x{count}{'.trans' if trans else ''}"
            checks["ldmatrix." + name] = lambda count=count, trans=trans: check_ldmatrix(runner, count, trans)
            checks["stmatrix." + name] = lambda count=count, trans=trans: check_stmatrix(runner, count, trans)
    checks["movmatrix"] = lambda: check_movmatrix(runner)
    return checks


if __name__ == "__main__":
    sys.exit(main(__doc__, "mma.m16n8k8.*, ldmatrix*", checks_of))
