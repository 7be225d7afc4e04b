"""Boxes of tensors and bulk copies by themselves: loads, stores, reductions, multicast, prefetches, st.async and red.async.

usage: run_tensors.py DS_PTX_RUN [--only GLOB]

Each case is one launch in each mode of asynchrony; all of the bytes that it could have touched are compared with what the PTX ISA (and cuda.h, for
tensor maps) says, in Python integers. Boxes are drawn: of 1 to 5 dimensions, of each size of elements and each swizzle, inside the tensor, partly or
wholly beside it, with steps. With ptxas in PATH the modules are assembled, too. Ends with "N passed, N failed".
"""
import argparse
import fnmatch
import itertools
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "oracle")]
from atomics import ASYNC_REDUCTIONS, REDUCTIONS, combine, width_of  # noqa: E402
from entries import draw_float, float_corners, whole  # noqa: E402
from formats import FORMATS  # noqa: E402
from run_wgmma import place  # noqa: E402

HEADER = ".version 8.6\n.target sm_90a\n.address_size 64\n.extern .shared .align 1024 .b8 dynamic[];\n"
UNTOUCHED = 0xA5
# Bytes of elements of tensors.
SIZES = {"u8": 1, "u16": 2, "u32": 4, "s32": 4, "u64": 8, "s64": 8, "f16": 2, "bf16": 2, "f32": 4, "f64": 8}

# A loop over the words of `room` bytes of each block: %i is where, %at its address in shared memory, %a in `memory`.
LOOP = """  shl.b32 %i, %thread, 2;
{name}:
  setp.ge.u32 %p, %i, %room;
  @%p bra {name}_END;
  add.u32 %at, {base}, %i;
{body}  add.u32 %i, %i, 128;
  bra {name};
{name}_END:
"""
CLUSTER_BARRIER = "  barrier.cluster.arrive.release;\n  barrier.cluster.wait.acquire;\n"


def loop(name, base, body, memory=None):
    address = ""
    if memory:
        address = f"  cvt.u64.u32 %a, %i;\n  add.u64 %a, %a, {memory};\n"
    return LOOP.format(name=name, base=base, body=address + body)


def kernel(name, parameters, body):
    """`parameters` are their types and names; those that are no maps are loaded to registers of their names."""
    texts = [".param .align 64 .b8 map[128]" if p == "map" else f".param .{p.split()[0]} {p.split()[1]}" for p in parameters]
    loads = "".join(f"  .reg .{p.replace(' ', ' %')};\n  ld.param.{p.replace(' ', ' %')}, [{p.split()[1]}];\n" for p in parameters if p != "map")
    return name, (f".visible .entry {name}({', '.join(texts)})\n{{\n  .shared .align 8 .b64 bar;\n  .reg .pred %p, %first, %waits, %done;\n"
            "  .reg .b16 %mask16;\n  .reg .b32 %thread, %rank, %i, %at, %word, %dynamic, %bar, %dst, %src, %mbar, %own;\n"
            f"  .reg .b64 %a, %map, %state, %policy;\n{loads}"
            "  mov.u32 %thread, %tid.x;\n  mov.u32 %rank, %cluster_ctarank;\n  mov.u32 %dynamic, dynamic;\n  mov.u32 %bar, bar;\n"
            f"  setp.eq.u32 %first, %thread, 0;\n{'  mov.b64 %map, map;' + chr(10) + '  cvta.param.u64 %map, %map;' + chr(10) if 'map' in parameters else ''}"
            "  createpolicy.fractional.L2::evict_first.b64 %policy, 1.0;\n"
            f"{body}  ret;\n}}\n")


def dump(out):
    """Each block's bytes, one block after the other."""
    return (f"  mad.wide.u32 {out}, %rank, %room, {out};\n"
            + loop("DUMP", "%dynamic", "  ld.shared.b32 %word, [%at];\n  st.global.b32 [%a], %word;\n", out))


def receiving(start, instruction):
    """Blocks whose bit is in %mask expect `bytes` at their mbarrier; block 0 executes the instruction; they wait, and all blocks dump."""
    return (start + "  @%first mbarrier.init.shared.b64 [%bar], 1;\n  @%first fence.mbarrier_init.release.cluster;\n  fence.proxy.async;\n"
            + CLUSTER_BARRIER + "  shr.u32 %word, %mask, %rank;\n  and.b32 %word, %word, 1;\n  setp.ne.u32 %waits, %word, 0;\n"
            "  and.pred %p, %waits, %first;\n  @%p mbarrier.arrive.expect_tx.shared.b64 %state, [%bar], %bytes;\n"
            "  setp.ne.u32 %p, %rank, 0;\n  @%p bra SENT;\n" + instruction + "SENT:\n  @!%waits bra DONE;\n"
            "WAIT:\n  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %done, [%bar], 0;\n  @!%done bra WAIT;\nDONE:\n" + CLUSTER_BARRIER
            + dump("%out") + CLUSTER_BARRIER)


def load(name, instruction, coordinates=0):
    """Global to shared memory, which is filled before; `room` bytes of it are dumped."""
    parameters = ["b64 out"] + (["map"] if coordinates else ["b64 in"]) + ["b32 room", "b32 offset", "b32 bytes", "b32 mask", "b32 target"]
    parameters += [f"b32 c{i}" for i in range(coordinates)]
    fill = loop("FILL", "%dynamic", f"  st.shared.b32 [%at], {UNTOUCHED * 0x01010101:#x};\n")
    send = ("  @!%first bra SENT;\n  add.u32 %own, %dynamic, %offset;\n  mapa.shared::cluster.u32 %dst, %own, %target;\n"
            "  mapa.shared::cluster.u32 %mbar, %bar, %target;\n  cvt.u16.u32 %mask16, %mask;\n" + instruction)
    return kernel(name, parameters, receiving(fill, send))


def between(name, instruction, everyone=False):
    """Block 0's shared memory to that of block `target`, whose contents before are `initial`."""
    fill = loop("FILL", "%dynamic", "  ld.global.b32 %word, [%a];\n  st.shared.b32 [%at], %word;\n", "%initial")
    fill += "  add.u32 %src, %dynamic, %room;\n" + loop("SOURCE", "%src", "  ld.global.b32 %word, [%a];\n  st.shared.b32 [%at], %word;\n", "%in")
    send = ("" if everyone else "  @!%first bra SENT;\n") + ("  add.u32 %own, %dynamic, %offset;\n  mapa.shared::cluster.u32 %dst, %own, %target;\n"
                                                             "  mapa.shared::cluster.u32 %mbar, %bar, %target;\n") + instruction
    return kernel(name, ["b64 out", "b64 in", "b64 initial", "b32 room", "b32 offset", "b32 bytes", "b32 mask", "b32 target"], receiving(fill, send))


def store(name, instruction, coordinates=0):
    """Shared memory, which is filled from `in`, to global memory."""
    parameters = ["map" if coordinates else "b64 out", "b64 in", "b32 room", "b32 offset", "b32 bytes"] + [f"b32 c{i}" for i in range(coordinates)]
    return kernel(name, parameters,
                  loop("FILL", "%dynamic", "  ld.global.b32 %word, [%a];\n  st.shared.b32 [%at], %word;\n", "%in")
                  + "  fence.proxy.async.shared::cta;\n  bar.sync 0;\n  @!%first ret;\n  add.u32 %src, %dynamic, %offset;\n" + instruction
                  + "  cp.async.bulk.commit_group;\n  cp.async.bulk.wait_group 0;\n")


def at(rank):
    return f"[%map, {{{', '.join(f'%c{i}' for i in range(rank))}}}]"


def reductions(types_of):
    return [(operation, type) for operation, types in types_of.items() for type in types.split()]


def modifiers(operation, type):
    return f"{operation}{'.noftz' * (operation == 'add' and type.endswith('f16'))}.{type}"


def symbol(*parts):
    return "_".join(parts).replace(".", "_").replace("::", "_")


def async_stores():
    for type in ("b32", "b64", "u32", "u64", "s32", "s64", "f32", "f64"):
        for count in (1, 2, 4):
            if type[1:] == "32" or count < 4:
                yield type, count


def st_async(type, count):
    """Each thread sends `count` elements of its own."""
    size = width_of(type) // 8 * count
    vector = f".v{count}" * (count > 1)
    names = [f"%v{i}" for i in range(count)]
    values = f"{{{', '.join(names)}}}" if count > 1 else names[0]
    move = "".join(f"  ld.shared.{type} {n}, [%src+{width_of(type) // 8 * i}];\n" for i, n in enumerate(names))
    return (f"  .reg .{type} {', '.join(names)};\n  mad.lo.u32 %src, %thread, {size}, %src;\n  mad.lo.u32 %dst, %thread, {size}, %dst;\n{move}"
            f"  st.async.shared::cluster.mbarrier::complete_tx::bytes{vector}.{type} [%dst], {values}, [%mbar];\n")


def red_async(operation, type):
    size = width_of(type) // 8
    return (f"  .reg .{type} %v;\n  mad.lo.u32 %src, %thread, {size}, %src;\n  mad.lo.u32 %dst, %thread, {size}, %dst;\n  ld.shared.{type} %v, [%src];\n"
            f"  red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.{operation}.{type} [%dst], %v, [%mbar];\n")


def kernels_by_name():
    tensor = "cp.async.bulk.tensor"
    for rank in range(1, 6):
        into, done = f"{rank}d.shared::cluster.global", "mbarrier::complete_tx::bytes"
        yield load(f"load{rank}", f"  {tensor}.{into}.tile.{done} [%dst], {at(rank)}, [%mbar];\n", rank)
        yield load(f"loadcta{rank}", f"  prefetch.tensormap [%map];\n  cp.async.bulk.prefetch.tensor.{rank}d.L2.global.tile {at(rank)};\n"
                   f"  cp.async.bulk.prefetch.tensor.{rank}d.L2.global.L2::cache_hint {at(rank)}, %policy;\n"
                   f"  {tensor}.{rank}d.shared::cta.global.{done}.L2::cache_hint [%own], {at(rank)}, [%bar], %policy;\n", rank)
        yield load(f"multicast{rank}", f"  {tensor}.{into}.{done}.multicast::cluster [%dst], {at(rank)}, [%mbar], %mask16;\n", rank)
        yield load(f"multicasthint{rank}",
                   f"  {tensor}.{into}.tile.{done}.multicast::cluster.L2::cache_hint [%dst], {at(rank)}, [%mbar], %mask16, %policy;\n", rank)
        yield store(f"store{rank}", f"  {tensor}.{rank}d.global.shared::cta.tile.bulk_group {at(rank)}, [%src];\n", rank)
        yield store(f"storehint{rank}", f"  {tensor}.{rank}d.global.shared::cta.bulk_group.L2::cache_hint {at(rank)}, [%src], %policy;\n", rank)
        for operation in REDUCTIONS["global"]:
            hint = operation in ("add", "or")
            yield store(f"reduce{rank}_{operation}", f"  cp.reduce.async.bulk.tensor.{rank}d.global.shared::cta.{operation}{'' if hint else '.tile'}.bulk_group"
                        f"{'.L2::cache_hint' * hint} {at(rank)}, [%src]{', %policy' * hint};\n", rank)
    into = "shared::cluster.global.mbarrier::complete_tx::bytes"
    yield load("bulk", f"  cp.async.bulk.{into} [%dst], [%in], %bytes, [%mbar];\n")
    yield load("bulkcta", "  cp.async.bulk.prefetch.L2.global [%in], %bytes;\n  cp.async.bulk.prefetch.L2.global.L2::cache_hint [%in], %bytes, %policy;\n"
               "  cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%own], [%in], %bytes, [%bar];\n")
    yield load("bulkhint", f"  cp.async.bulk.{into}.L2::cache_hint [%dst], [%in], %bytes, [%mbar], %policy;\n")
    yield load("bulkmulticast", f"  cp.async.bulk.{into}.multicast::cluster [%dst], [%in], %bytes, [%mbar], %mask16;\n")
    yield load("bulkmulticasthint", f"  cp.async.bulk.{into}.multicast::cluster.L2::cache_hint [%dst], [%in], %bytes, [%mbar], %mask16, %policy;\n")
    yield between("bulkbetween", "  cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%dst], [%src], %bytes, [%mbar];\n")
    yield store("bulkstore", "  cp.async.bulk.global.shared::cta.bulk_group [%out], [%src], %bytes;\n")
    yield store("bulkstorehint", "  cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint [%out], [%src], %bytes, %policy;\n")
    for operation, type in reductions(REDUCTIONS["global"]):
        for hint in (False, True):
            yield store(symbol("bulkreduce", *["hint"] * hint, operation, type), "  cp.reduce.async.bulk.global.shared::cta.bulk_group"
                        f"{'.L2::cache_hint' * hint}.{modifiers(operation, type)} [%out], [%src], %bytes{', %policy' * hint};\n")
    for operation, type in reductions(REDUCTIONS["shared::cluster"]):
        yield between(symbol("bulkreducebetween", operation, type), "  cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes."
                      f"{operation}.{type} [%dst], [%src], %bytes, [%mbar];\n")
    for operation, type in reductions(ASYNC_REDUCTIONS):
        yield between(symbol("redasync", operation, type), red_async(operation, type), everyone=True)
    for type, count in async_stores():
        yield between(f"stasync_{type}_{count}", st_async(type, count), everyone=True)


class Map:
    """A tensor in memory of just its size, and a box of it."""

    def __init__(self, rng, type, rank, swizzle, steps, nan, where):
        self.type, self.swizzle, self.nan = type, swizzle, nan
        self.size = size = SIZES[type]
        self.box = [(swizzle or 16 * rng.randint(1, 3)) // size]
        self.box += [rng.randint(1, (9 if steps else 5) if rank < 4 else 6 if steps else 3) for _ in range(rank - 1)]
        self.steps = [1] + [rng.randint(1, 4) if steps else 1 for _ in range(rank - 1)]
        # cuda.h: a step of n takes every n-th of the box's elements.
        self.counts = [-(-box // step) for box, step in zip(self.box, self.steps)]
        self.dims = [rng.randint(1, 2 * box + 3) for box in self.box]
        self.strides = []
        extent = self.dims[0] * size
        for i in range(1, rank):
            self.strides.append((extent + 15) // 16 * 16 + 16 * rng.randint(0, 2))
            extent = self.strides[-1] * self.dims[i]
        self.bytes = self.dims[0] * size + sum((d - 1) * s for d, s in zip(self.dims[1:], self.strides))
        self.tile = size
        for count in self.counts:
            self.tile *= count
        chosen = [rng.choice(("inside", "below", "above", "across")) for _ in range(rank)] if where == "mixed" else [where] * rank
        if where.startswith("beside"):
            chosen = ["inside"] * rank
            chosen[rng.randrange(rank)] = where.split("-")[1]
        self.at = [self.start(rng, kind, d, b) for kind, d, b in zip(chosen, self.dims, self.box)]

    @staticmethod
    def start(rng, kind, dim, box):
        return {"inside": lambda: rng.randint(0, max(dim - box, 0)), "below": lambda: -rng.randint(1, max(box - 1, 1)),
                "above": lambda: rng.randint(min(max(dim - box + 1, 0), dim - 1), dim - 1), "across": lambda: rng.randint(-box, dim),
                "before": lambda: -box - rng.choice((0, 1, 1000, 1 << 20)), "behind": lambda: dim + rng.choice((0, 1, 1000, 1 << 20))}[kind]()

    def argument(self):
        text = f"tma(b0; {self.type}; dims={','.join(map(str, self.dims))}; box={','.join(map(str, self.box))}"
        if self.strides:
            text += f"; strides={','.join(map(str, self.strides))}"
        if any(step > 1 for step in self.steps):
            text += f"; steps={','.join(map(str, self.steps))}"
        return text + f"; swizzle={self.swizzle}" * bool(self.swizzle) + "; nan" * self.nan + ")"

    def elements(self, offset):
        """(where in shared memory, where in the tensor or None if it is beside it), innermost dimension first. `offset` is that of the box in memory
        that is aligned to all patterns."""
        for number, index in enumerate(itertools.product(*[range(count) for count in reversed(self.counts)])):
            at = [start + i * step for start, i, step in zip(self.at, reversed(index), self.steps)]
            byte = offset + number * self.size
            if self.swizzle:
                row, rest = divmod(byte, self.swizzle)
                byte = row * self.swizzle + place(self.swizzle, row, rest // 16) * 16 + rest % 16
            inside = all(0 <= x < dim for x, dim in zip(at, self.dims))
            yield byte, at[0] * self.size + sum(x * s for x, s in zip(at[1:], self.strides)) if inside else None

    def describes(self):
        return f"at {self.at}: {self.argument()}"


def numbers(rng, type, count, plain=False):
    """Corner values and random ones. plain: no NaN, whose min and max the ISA leaves open."""
    if type in FORMATS:
        fmt = FORMATS[type]
        corners, draw = float_corners(fmt), draw_float(fmt)
        if plain:
            corners, drawn = [c for c in corners if not fmt.is_nan(c)], draw
            draw = lambda rng: (lambda x: 0 if fmt.is_nan(x) else x)(drawn(rng))  # noqa: E731
    else:
        column = whole(width_of(type)) if width_of(type) > 8 else whole(16)
        corners, draw = column.corners, column.draw
    size = width_of(type) // 8
    values = [(rng.choice(corners) if rng.random() < 0.5 else draw(rng)) & (1 << 8 * size) - 1 for _ in range(count)]
    return b"".join(v.to_bytes(size, "little") for v in values)


def reduced(operation, type, old, value, flushes=False):
    """The bytes of an element afterwards; None for those of a NaN of f64, whose payload the ISA leaves open. In global memory sums of f32 flush: the ISA
    says it of cp.reduce.async.bulk, and what it says of .tensor is taken to be the same."""
    bits = combine(operation, type, int.from_bytes(old, "little"), int.from_bytes(value, "little"), flushes)
    return [None] * 8 if type == "f64" and FORMATS[type].is_nan(bits) else bits.to_bytes(len(old), "little")


def rounded(size):
    return (size + 127) // 128 * 128


class Case:
    """A launch: `buffers` of arguments and of --buffer, the bytes expected in one of them, and a function that compares (default: all equal)."""
    shown = ""

    def __init__(self, name, entry, arguments, dumps, expected, grid=1, smem=0, same=None):
        self.name, self.entry, self.arguments, self.dumps, self.expected, self.grid, self.smem = name, entry, arguments, dumps, expected, grid, smem
        self.same = same

    def run(self, folder):
        command = [OPTIONS.ds_ptx_run, os.path.join(MODULES, f"{self.entry}.ptx"), "--block", "32", "--grid", str(self.grid), "--cluster", str(self.grid),
                   "--smem", str(self.smem)]
        for i, argument in enumerate(self.arguments):
            option = "--arg"
            if isinstance(argument, tuple):
                option, argument = argument
            if isinstance(argument, bytes):
                path = os.path.join(folder, str(i))
                with open(path, "wb") as file:
                    file.write(argument)
                argument = f"b8[{len(argument)}]=@{path}"
            command += [option, argument]
        out = os.path.join(folder, "out")
        for mode in ("early", "late", "random"):
            full = command + ["--dump", f"{self.dumps}={out}", "--async", mode, "--seed", "3"]
            done = subprocess.run(full, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{mode}: {done.stderr}\n{self.shown}\n{' '.join(full)}"
            with open(out, "rb") as file:
                got = file.read()
            assert len(got) == len(self.expected)
            wrong = [i for i, (x, y) in enumerate(zip(got, self.expected)) if y is not None and x != y]
            assert not wrong, f"{mode}: {len(wrong)} bytes differ, the first at {wrong[0]}: {got[wrong[0]:wrong[0] + 16].hex()}, not " \
                f"{''.join(f'{x:02x}' if x is not None else '??' for x in self.expected[wrong[0]:wrong[0] + 16])}\n{self.shown}"
            if self.same:
                self.same(got)


def numeric(*values):
    return [f"b32={value & 0xFFFFFFFF:#x}" for value in values]


def tensor_load(name, entry, rng, tensor, blocks=1, mask=1, target=0):
    data = rng.randbytes(tensor.bytes)
    repeat = tensor.swizzle * 8 if tensor.swizzle else 128
    offset = repeat * rng.randint(0, 2)
    room = rounded(offset + tensor.tile + 64)
    expected, fills = [UNTOUCHED] * room, []
    for to, source in tensor.elements(offset):
        if source is not None:
            expected[to:to + tensor.size] = data[source:source + tensor.size]
        elif tensor.nan:
            expected[to:to + tensor.size] = [None] * tensor.size
            fills.append(to)
        else:
            expected[to:to + tensor.size] = [0] * tensor.size
    receives = [mask >> block & 1 for block in range(blocks)]
    whole = []
    for received in receives:
        whole += expected if received else [UNTOUCHED] * room

    def all_nan(got):
        """One NaN, the same wherever something is filled: the ISA does not say which."""
        codes = {int.from_bytes(got[room * block + to:][:tensor.size], "little") for block in range(blocks) if receives[block] for to in fills}
        assert all(FORMATS[tensor.type].is_nan(code) for code in codes) and len(codes) <= 1, f"filled with {[hex(code) for code in codes]}"
    case = Case(name, entry, [f"b8[{room * blocks}]", tensor.argument(), *numeric(room, offset, tensor.tile, mask, target, *tensor.at), ("--buffer", data)], 0, whole,
                blocks, room, all_nan if fills else None)
    case.shown = tensor.describes()
    return case


def tensor_store(name, entry, rng, tensor, operation=None):
    repeat = tensor.swizzle * 8 if tensor.swizzle else 128
    offset = repeat * rng.randint(0, 2)
    room = rounded(offset + tensor.tile)
    plain = operation in ("min", "max")
    if operation:
        # Gaps between rows are there, too.
        data = numbers(rng, tensor.type, tensor.bytes // tensor.size, plain)
        source = numbers(rng, tensor.type, room // tensor.size, plain)
    else:
        data, source = rng.randbytes(tensor.bytes), rng.randbytes(room)
    expected = list(data)
    for at, to in tensor.elements(offset):
        if to is not None:
            value = source[at:at + tensor.size]
            expected[to:to + tensor.size] = reduced(operation, tensor.type, data[to:to + tensor.size], value, True) if operation else value
    case = Case(name, entry, [tensor.argument(), source, *numeric(room, offset, tensor.tile, *tensor.at), ("--buffer", data)], "b0", expected, 1, room)
    case.shown = tensor.describes()
    return case


WHERE = ("inside", "below", "above", "mixed", "beside-before", "beside-behind", "mixed")


def tensor_cases():
    for rank in range(1, 6):
        for type, size in SIZES.items():
            for swizzle in (0, 32, 64, 128):
                rng = random.Random(f"{rank} {type} {swizzle}")
                where = WHERE[(rank + size + swizzle // 32 + len(type) + ord(type[0])) % len(WHERE)]
                kind = "load" if rng.random() < 0.5 else "loadcta"
                nan = type in FORMATS and rng.random() < 0.6
                name = f"{rank}d.{type}.swizzle{swizzle}.{where}"
                yield tensor_load(f"{kind}.{name}{'.nan' * nan}", f"{kind}{rank}", rng, Map(rng, type, rank, swizzle, False, nan, where))
                if rank > 1:
                    yield tensor_load(f"{kind}.steps.{name}", f"{kind}{rank}", rng, Map(rng, type, rank, swizzle, True, False, "mixed"))
                kind = "store" if rng.random() < 0.5 else "storehint"
                yield tensor_store(f"{kind}.{name}", f"{kind}{rank}", rng, Map(rng, type, rank, swizzle, False, False, where))
        for mask in (0b0001, 0b0010, 0b1010, 0b1111):
            rng = random.Random(f"multicast {rank} {mask}")
            kind, type = rng.choice(("multicast", "multicasthint")), rng.choice(list(SIZES))
            tensor = Map(rng, type, rank, rng.choice((0, 32, 64, 128)), False, False, rng.choice(WHERE))
            yield tensor_load(f"{kind}.{rank}d.{type}.mask{mask:04b}", f"{kind}{rank}", rng, tensor, 4, mask)
        # Into the shared memory of another block, whose mbarrier then counts.
        rng = random.Random(f"target {rank}")
        yield tensor_load(f"load.{rank}d.target", f"load{rank}", rng, Map(rng, "u32", rank, 64, False, False, "mixed"), 2, 0b10, 1)
        for operation, type in reductions(REDUCTIONS["global"]):
            type = type.replace("b", "u") if type in ("b32", "b64") else type
            rng = random.Random(f"reduce {rank} {operation} {type}")
            where = ("inside", "mixed")[rank % 2]
            tensor = Map(rng, type, rank, rng.choice((0, 32, 64, 128)), False, False, where)
            yield tensor_store(f"reduce.{rank}d.{operation}.{type}", f"reduce{rank}_{operation}", rng, tensor, operation)


def bulk_load(entry, rng, size, blocks=1, mask=1, target=0):
    data, offset = rng.randbytes(size), 16 * rng.randint(0, 5)
    room = rounded(offset + size + 16)
    expected = []
    for block in range(blocks):
        one = [UNTOUCHED] * room
        if mask >> block & 1:
            one[offset:offset + size] = data
        expected += one
    return Case(f"{entry}.{size}.mask{mask:b}", entry, [f"b8[{room * blocks}]", data, *numeric(room, offset, size, mask, target)], 0, expected, blocks, room)


def bulk_between(name, entry, rng, type, size, target, operation=None):
    """Two blocks; from block 0 to `target`."""
    offset = 16 * rng.randint(0, 5)
    room = rounded(offset + size + 16)
    width = width_of(type) // 8
    initial, source = numbers(rng, type, room // width), numbers(rng, type, room // width)
    received = list(initial)
    for i in range(0, size, width):
        value = source[i:i + width]
        received[offset + i:offset + i + width] = reduced(operation, type, initial[offset + i:offset + i + width], value) if operation else value
    expected = list(initial) * target + received + list(initial) * (1 - target)
    return Case(name, entry, [f"b8[{2 * room}]", source, initial, *numeric(room, offset, size, 1 << target, target)], 0, expected, 2, 2 * room)


def bulk_store(name, entry, rng, type, size, operation=None):
    offset, width = 16 * rng.randint(0, 5), width_of(type) // 8
    room, plain = rounded(offset + size), operation in ("min", "max")
    initial, source = numbers(rng, type, (size + 64) // width, plain), numbers(rng, type, room // width, plain)
    expected = list(initial)
    for i in range(0, size, width):
        value = source[offset + i:offset + i + width]
        expected[i:i + width] = reduced(operation, type, initial[i:i + width], value, True) if operation else value
    return Case(name, entry, [initial, source, *numeric(room, offset, size)], 0, expected, 1, room)


def bulk_cases():
    for size in (16, 48, 1024, 4096 + 16):
        rng = random.Random(f"bulk {size}")
        for entry in ("bulk", "bulkcta", "bulkhint"):
            yield bulk_load(entry, rng, size)
        yield bulk_load("bulk", rng, size, 2, 0b10, 1)
        for mask in (0b0001, 0b0110, 0b1111):
            yield bulk_load("bulkmulticast", rng, size, 4, mask)
            yield bulk_load("bulkmulticasthint", rng, size, 4, mask)
        for target in (0, 1):
            yield bulk_between(f"bulkbetween.{size}.to{target}", "bulkbetween", rng, "u8", size, target)
        for entry in ("bulkstore", "bulkstorehint"):
            yield bulk_store(f"{entry}.{size}", entry, rng, "u8", size)
    for operation, type in reductions(REDUCTIONS["global"]):
        for kind in (("bulkreduce",), ("bulkreduce", "hint")):
            entry = symbol(*kind, operation, type)
            yield bulk_store(f"{'.'.join(kind)}.{operation}.{type}", entry, random.Random(entry), type, 2048, operation)
    for target in (0, 1):
        for operation, type in reductions(REDUCTIONS["shared::cluster"]):
            entry = symbol("bulkreducebetween", operation, type)
            yield bulk_between(f"bulkreducebetween.{operation}.{type}.to{target}", entry, random.Random(entry), type, 1024, target, operation)
        for operation, type in reductions(ASYNC_REDUCTIONS):
            entry = symbol("redasync", operation, type)
            yield bulk_between(f"red.async.{operation}.{type}.to{target}", entry, random.Random(entry), type, 32 * width_of(type) // 8, target, operation)
        for type, count in async_stores():
            entry = f"stasync_{type}_{count}"
            yield bulk_between(f"st.async.v{count}.{type}.to{target}", entry, random.Random(entry), type, 32 * count * width_of(type) // 8, target)


def attempt(case):
    with tempfile.TemporaryDirectory() as folder:
        try:
            case.run(folder)
        except Exception as problem:
            return str(problem) if isinstance(problem, AssertionError) else traceback.format_exc()
    return None


def attempt_number(number):
    return attempt(CASES[number])


def main():
    global OPTIONS, MODULES, CASES
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ds_ptx_run", help="the runner")
    parser.add_argument("--only", default="*", help="names to run, as printed where one fails: load*.swizzle128*")
    OPTIONS = parser.parse_args()
    CASES = [case for case in itertools.chain(tensor_cases(), bulk_cases()) if fnmatch.fnmatchcase(case.name, OPTIONS.only)]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        MODULES, kernels = folder, dict(kernels_by_name())
        # The emulator reads what it runs alone.
        for name, text in (*kernels.items(), ("all", "\n".join(kernels.values()))):
            with open(os.path.join(folder, f"{name}.ptx"), "w") as file:
                file.write(HEADER + text)
        if shutil.which("ptxas"):
            subprocess.run(["ptxas", "-arch=sm_90a", "-O0", "-o", os.devnull, os.path.join(folder, "all.ptx")], check=True)
        # Workers inherit the cases, which hold functions.
        with multiprocessing.get_context("fork").Pool() as pool:
            for case, problem in zip(CASES, pool.imap(attempt_number, range(len(CASES)), chunksize=8)):
                if problem:
                    failed += 1
                    print(f"FAILED {case.name}: {problem}", flush=True)
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return failed > 0 or not CASES


if __name__ == "__main__":
    sys.exit(main())
