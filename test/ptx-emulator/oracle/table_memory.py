"""Loads and stores, atomic operations, addresses of spaces."""
from itertools import product

from atomics import combine, width_of
from entries import Column, Entry, choice, floating, packed, whole
from formats import FORMATS
from integers import signed

TYPES = ("b8", "b16", "b32", "b64", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64")
# What is in memory before.
BEFORE = bytes(range(0xA0, 0xB0))
TABLE = bytes((37 * i + 0x83) & 255 for i in range(128))


class Place:
    """32 bytes of each thread. `$` is the kernel's name."""

    def __init__(self, name, space, setup, address, before="", declare="", arch=80):
        self.name, self.space, self.setup, self.address, self.before, self.declare, self.arch = name, space, setup, address, before, declare, arch
        # Sums of f32 flush in global memory.
        self.flushes = "global" in name


GLOBAL = ".global .align 16 .b8 $_memory[65536];"
SHARED = ".shared .align 16 .b8 area[4096];"
LOCAL = ".local .align 16 .b8 frame[32];"
WORD, LONG = " .reg .b32 s;", " .reg .b64 s;"
OF_SHARED = "mov.u32 s, area; mad.lo.u32 s, %t, 32, s;"
PLACES = (
    Place("global", ".global", "mov.u64 s, $_memory; mad.wide.u32 s, %i, 32, s;", "s", GLOBAL, LONG),
    Place("shared", ".shared", OF_SHARED, "s", "", SHARED + WORD),
    Place("shared::cta", ".shared::cta", OF_SHARED, "s", "", SHARED + WORD),
    Place("shared::cluster", ".shared::cluster", OF_SHARED + " mapa.shared::cluster.u32 s, s, 0;", "s", "", SHARED + WORD, 90),
    Place("generic global", "", "mov.u64 s, $_memory; cvta.global.u64 s, s; mad.wide.u32 s, %i, 32, s;", "s", GLOBAL, LONG),
    Place("generic shared", "", "mov.u64 s, area; cvta.shared.u64 s, s; mad.wide.u32 s, %t, 32, s;", "s", "", SHARED + LONG),
    Place("generic shared::cluster", "", "mov.u64 s, area; cvta.shared.u64 s, s; mad.wide.u32 s, %t, 32, s; mapa.u64 s, s, 0;", "s", "", SHARED + LONG, 90),
    Place("local", ".local", "", "frame", "", LOCAL),
    Place("generic local", "", "mov.u64 s, frame; cvta.local.u64 s, s;", "s", "", LOCAL + LONG),
)
ATOMIC_PLACES = [place for place in PLACES if "local" not in place.name]


def operands(prefix, count):
    names = [f"{prefix}{i}" for i in range(count)]
    return f"{{{', '.join(names)}}}" if count > 1 else names[0]


def registers(type, count):
    """Registers may be wider than what is loaded or stored."""
    width = width_of(type)
    if type[0] == "f":
        return (f"b{width}",)
    return [f"b{wide}" for wide in (16, 32, 64) if wide >= width][:3 if count == 1 else 1]


def extended(type, bits, kind):
    """What a register has of `bits` in memory."""
    return signed(bits, width_of(type)) & (1 << width_of(kind)) - 1 if type[0] == "s" else bits


def stored(values, size):
    return b"".join((value & (1 << 8 * size) - 1).to_bytes(size, "little") for value in values)


def round_trip(place, type, count, kind, modifiers=("", "")):
    """16 bytes, of which the store changes some; what the load gives, and all of the bytes."""
    size = width_of(type) // 8
    vector = f".v{count}" * (count > 1)
    low, high = (int.from_bytes(BEFORE[i:i + 8], "little") for i in (0, 8))
    at, space = place.address, place.space
    store, load = (f"{opcode}{modifier}{space}{rest}{vector}.{type}" for opcode, (modifier, rest) in zip(("st", "ld"), map(split_modifiers, modifiers)))
    text = (f"{place.setup} mov.b64 w0, {low:#x}; mov.b64 w1, {high:#x}; st{space}.v2.b64 [{at}], {{w0, w1}}; {store} [{at}], {operands('a', count)}; "
            f"{load} {operands('d', count)}, [{at}]; ld{space}.v2.b64 {{d{count}, d{count + 1}}}, [{at}];")

    def oracle(*values):
        data = stored(values, size)
        memory = data + BEFORE[len(data):]
        loaded = [extended(type, value & (1 << 8 * size) - 1, kind) for value in values]
        return (*loaded, int.from_bytes(memory[:8], "little"), int.from_bytes(memory[8:], "little"))
    name = f"st and ld {place.name}{''.join(modifiers)}{vector}.{type} {kind}"
    return Entry(name, " ".join([kind] * count + ["b64", "b64"]), [whole(width_of(kind))] * count, oracle, text, place.arch, None,
                 place.declare + " .reg .b64 w0, w1;", 60, 40, place.before)


def split_modifiers(text):
    """Those before the space, and those after it (caching)."""
    before, _, after = text.partition("|")
    return before, after


def loads_and_stores():
    for place in PLACES:
        for type in TYPES:
            for count in (1, 2, 4):
                if count * width_of(type) <= 128:
                    for kind in registers(type, count):
                        yield round_trip(place, type, count, kind)
        at, space = place.address, place.space
        yield Entry(f"st and ld {place.name}.b128", "b64 b64", [whole(64)] * 2, lambda a, b: (a, b),
                    f"{place.setup} mov.b128 q0, {{a0, a1}}; st{space}.b128 [{at}], q0; ld{space}.b128 q1, [{at}]; mov.b128 {{d0, d1}}, q1;",
                    place.arch, None, place.declare + " .reg .b128 q0, q1;", 60, 40, place.before)


def orders():
    """Their values are those of weak ones."""
    memory, shared = PLACES[0], PLACES[1]
    for place in (memory, shared):
        yield round_trip(place, "u32", 1, "b32", (".weak", ".weak"))
        yield round_trip(place, "u32", 1, "b32", (".volatile", ".volatile"))
        for scope in ("cta", "cluster", "gpu", "sys"):
            for store, load in ((".relaxed", ".relaxed"), (".release", ".acquire")):
                entry = round_trip(place, "b64", 1, "b64", (f"{store}.{scope}", f"{load}.{scope}"))
                entry.arch = 90 if scope == "cluster" else 80
                yield entry
    yield round_trip(memory, "u32", 1, "b32", (".mmio.relaxed.sys", ".mmio.relaxed.sys"))
    for store, load in (("wb", "ca"), ("cg", "cg"), ("cs", "cs"), ("wt", "lu"), ("wt", "cv")):
        yield round_trip(memory, "s16", 2, "b16", (f"|.{store}", f"|.{load}"))
    for store, load in (("L1::evict_first", "L1::no_allocate"), ("L1::no_allocate", "L1::evict_last"), ("L1::evict_normal", "L1::evict_unchanged"),
                        ("L1::evict_last", "L2::128B"), ("L1::evict_unchanged", "L1::evict_first.L2::256B")):
        yield round_trip(memory, "f32", 4, "b32", (f"|.{store}", f"|.{load}"))


def read_only():
    """Rows of inputs, constants and parameters."""
    for type, count in product(TYPES, (1, 2, 4)):
        size, vector = width_of(type) // 8, f".v{count}" * (count > 1)
        if count * size > 16:
            continue
        for kind in registers(type, count):
            outs = " ".join([kind] * count)
            if width_of(kind) == max(8 * size, 16) and size > 1:
                for load in ("ld.global.nc", "ldu.global"):
                    yield Entry(f"{load}{vector}.{type}", outs, [whole(8 * size)] * count, lambda *values: values, f"{load}{vector}.{type} {operands('d', count)}, [%in];",
                                corners=60, drawn=40)

            def of_table(i, type=type, size=size, count=count, kind=kind):
                at = i * size * count
                return tuple(extended(type, int.from_bytes(TABLE[at + j * size:at + j * size + size], "little"), kind) for j in range(count))
            index = Column("b32", range(len(TABLE) // (size * count)))
            table = f".const .align 16 .b8 $_table[{len(TABLE)}] = {{{', '.join(map(str, TABLE))}}};"
            for name, space, convert in (("const", ".const", ""), ("generic const", "", " cvta.const.u64 s, s;")):
                yield Entry(f"ld {name}{vector}.{type} {kind}", outs, [index], of_table,
                            f"mov.u64 s, $_table;{convert} mad.wide.u32 s, a0, {size * count}, s; ld{space}{vector}.{type} {operands('d', count)}, [s];",
                            declare=LONG, drawn=0, before=table)

            # A function's parameter of 16 bytes; its result has 8 bytes for each register.
            def of_parameter(low, high, type=type, size=size, count=count, kind=kind):
                data = low | high << 64
                return tuple(extended(type, data >> 8 * size * j & (1 << 8 * size) - 1, kind) for j in range(count))
            results = "".join(f" st.param.{kind} [r+{8 * j}], x{j};" for j in range(count))
            function = (f".func (.param .align 16 .b8 r[32]) $_reads(.param .align 16 .b8 p[16])\n{{\n  .reg .{kind} {', '.join(f'x{j}' for j in range(count))};\n"
                        f"  ld.param{vector}.{type} {operands('x', count)}, [p];\n {results}\n  ret;\n}}\n")
            back = "".join(f" ld.param.{kind} d{j}, [r+{8 * j}];" for j in range(count))
            yield Entry(f"ld param{vector}.{type} {kind}", outs, [whole(64)] * 2, of_parameter,
                        f"{{ .param .align 16 .b8 p[16]; .param .align 16 .b8 r[32]; st.param.v2.b64 [p], {{a0, a1}}; call (r), $_reads, (p);{back} }}",
                        corners=30, drawn=20, before=function)


# Types of the operations of atom; red has no exch. What ptxas takes for sm_80, but for bf16 and 128 bits.
ATOMICS = {"and": "b32 b64", "or": "b32 b64", "xor": "b32 b64", "exch": "b32 b64", "add": "u32 s32 u64 f32 f64 f16 f16x2 bf16 bf16x2",
           "inc": "u32", "dec": "u32", "min": "u32 s32 u64 s64", "max": "u32 s32 u64 s64"}


def column_of(type):
    """Whole numbers are near each other, too, for the limits of inc and dec."""
    if type.endswith("x2"):
        return packed(FORMATS[type[:-2]])
    return floating(FORMATS[type]) if type in FORMATS else whole(width_of(type))


def atomics():
    for operation, types in ATOMICS.items():
        for type in types.split():
            width = width_of(type)
            suffix = f"{operation}{'.noftz' * ('16' in type)}.{type}"
            for place in ATOMIC_PLACES:
                at, space = place.address, place.space
                arch = max(place.arch, 90 if type.startswith("bf16") else 80)

                def oracle(old, value, operation=operation, type=type, place=place):
                    return old, combine(operation, type, old, value, place.flushes)
                begin, end = f"{place.setup} st{space}.b{width} [{at}], a0;", f"ld{space}.b{width} d"
                size = {"corners": 300, "drawn": 200, "any_nan": "f64" if type == "f64" else None, "declare": place.declare, "before": place.before, "arch": arch}
                yield Entry(f"atom {place.name}.{suffix}", f"b{width} b{width}", [column_of(type)] * 2, oracle,
                            f"{begin} atom{space}.{suffix} d0, [{at}], a1; {end}1, [{at}];", **size)
                if operation != "exch":
                    yield Entry(f"red {place.name}.{suffix}", f"b{width}", [column_of(type)] * 2, lambda old, value, f=oracle: f(old, value)[1],
                                f"{begin} red{space}.{suffix} [{at}], a1; {end}0, [{at}];", **size)
    for place in ATOMIC_PLACES:
        at, space = place.address, place.space
        for width in (16, 32, 64):
            # Half of what is compared is what is there.
            few = choice(f"b{width}", 0, 1, (1 << width) - 1, 1 << width - 1, 0x5A5A)
            yield Entry(f"atom {place.name}.cas.b{width}", f"b{width} b{width}", [few, few, whole(width)], lambda old, b, c: (old, c if old == b else old),
                        f"{place.setup} st{space}.b{width} [{at}], a0; atom{space}.cas.b{width} d0, [{at}], a1, a2; ld{space}.b{width} d1, [{at}];", place.arch,
                        None, place.declare, 300, 200, place.before)
        if "cluster" in place.name:
            continue
        few, declare = choice("b64", 0, 1, 1 << 63), place.declare + " .reg .b128 q0, q1, q2, q3;"
        begin, end = f"{place.setup} mov.b128 q0, {{a0, a1}}; st{space}.b128 [{at}], q0;", f"mov.b128 {{d0, d1}}, q3; ld{space}.v2.b64 {{d2, d3}}, [{at}];"
        yield Entry(f"atom {place.name}.exch.b128", "b64 b64 b64 b64", [whole(64)] * 4, lambda a, b, c, d: (a, b, c, d),
                    f"{begin} mov.b128 q1, {{a2, a3}}; atom{space}.exch.b128 q3, [{at}], q1; {end}", 90, None, declare, 100, 60, place.before)
        yield Entry(f"atom {place.name}.cas.b128", "b64 b64 b64 b64", [few] * 4 + [whole(64)] * 2,
                    lambda a, b, c, d, e, f: (a, b, *((e, f) if (a, b) == (c, d) else (a, b))),
                    f"{begin} mov.b128 q1, {{a2, a3}}; mov.b128 q2, {{a4, a5}}; atom{space}.cas.b128 q3, [{at}], q1, q2; {end}", 90, None, declare, 100, 60,
                    place.before)
    place = PLACES[0]
    for order, scope in product((".relaxed", ".acquire", ".release", ".acq_rel"), (".cta", ".cluster", ".gpu", ".sys")):
        arch = 90 if scope == ".cluster" else 80
        begin, size = f"{place.setup} st.global.u32 [s], a0;", {"arch": arch, "declare": place.declare, "before": place.before, "corners": 60, "drawn": 40}
        yield Entry(f"atom{order}{scope}.global.add.u32", "b32 b32", [whole(32)] * 2, lambda old, value: (old, old + value),
                    f"{begin} atom{order}{scope}.global.add.u32 d0, [s], a1; ld.global.u32 d1, [s];", **size)
        if order in (".relaxed", ".release"):
            yield Entry(f"red{order}{scope}.global.max.s32", "b32", [whole(32)] * 2, lambda old, value: max(old, value, key=lambda x: signed(x, 32)),
                        f"{begin} red{order}{scope}.global.max.s32 [s], a1; ld.global.u32 d0, [s];", **size)


def without_nan(column, fmt):
    """min and max of NaN in memory the ISA leaves open."""
    def numbers(bits):
        return sum(x << shift for shift in range(0, width_of(column.kind), fmt.width) if not fmt.is_nan(x := bits >> shift & fmt.mask))
    return Column(column.kind, map(numbers, column.corners), lambda rng: numbers(column.draw(rng)))


def vectors():
    """Element by element."""
    places = [place for place in PLACES if place.name in ("global", "generic global")]
    for type, counts in (("f32", (2, 4)), ("f16", (2, 4, 8)), ("bf16", (2, 4, 8)), ("f16x2", (2, 4)), ("bf16x2", (2, 4))):
        width, fmt = width_of(type), FORMATS[type.removesuffix("x2")]
        for count, operation, place in product(counts, ("add",) if type == "f32" else ("add", "min", "max"), places):
            suffix = f"{operation}{'.noftz' * ('16' in type)}.v{count}.{type}"
            column = column_of(type) if operation == "add" else without_nan(column_of(type), fmt)
            at, space, names = place.address, place.space, [f"a{i}" for i in range(2 * count)]

            def oracle(*values, operation=operation, type=type, count=count):
                old = values[:count]
                return (*old, *(combine(operation, type, x, y, True) for x, y in zip(old, values[count:])))
            put = " ".join(f"st{space}.b{width} [{at}+{width // 8 * i}], {names[i]};" for i in range(count))
            values = f"{{{', '.join(names[count:])}}}"

            def get(first, count=count, space=space, width=width, at=at):
                return " ".join(f"ld{space}.b{width} d{first + i}, [{at}+{width // 8 * i}];" for i in range(count))
            size = {"corners": 150, "drawn": 100, "declare": place.declare, "before": place.before, "arch": 90}
            yield Entry(f"atom {place.name}.{suffix}", " ".join([f"b{width}"] * 2 * count), [column] * 2 * count, oracle,
                        f"{place.setup} {put} atom{space}.{suffix} {operands('d', count)}, [{at}], {values}; {get(count)}", **size)
            yield Entry(f"red {place.name}.{suffix}", " ".join([f"b{width}"] * count), [column] * 2 * count,
                        lambda *values, f=oracle, count=count: f(*values)[count:], f"{place.setup} {put} red{space}.{suffix} [{at}], {values}; {get(0)}", **size)


def addresses():
    """isspacep of an address of each space, cvta there and back, ranks of blocks."""
    spaces = {"global": GLOBAL.replace("memory[65536]", "variable[32]"), "const": ".const .align 16 .b8 $_variable[16] = {1};", "shared": SHARED, "local": LOCAL}
    names = {"shared": "area", "local": "frame"}
    for space, variable in spaces.items():
        inside = space in names
        name = names.get(space, "$_variable")
        asked = ("global", "const", "shared", "shared::cta", "local")
        tests = " ".join(f"isspacep.{other} d{i}, s;" for i, other in enumerate(asked))
        variables = {"declare": (variable if inside else "") + " .reg .b64 s, u;", "before": "" if inside else variable, "drawn": 0}
        yield Entry(f"isspacep of {space}", " ".join(["pred"] * len(asked)), [choice("b32", 0)],
                    lambda a, space=space, asked=asked: tuple(int(other.partition(":")[0] == space) for other in asked),
                    f"mov.u64 s, {name}; cvta.{space}.u64 s, s; {tests}", **variables)
        yield Entry(f"cvta.to.{space}", "b64", [choice("b64", 0, 1, 15)], lambda a: a,
                    f"mov.u64 s, {name}; add.u64 u, s, a0; cvta.{space}.u64 u, u; cvta.to.{space}.u64 u, u; sub.u64 d0, u, s;", **variables)
    shared = {"arch": 90, "declare": SHARED + " .reg .b32 s, u;", "drawn": 0}
    yield Entry("mapa and getctarank of a generic address", "b32 b32", [whole(32)], lambda a: (0, a),
                "mov.u64 s, area; cvta.shared.u64 s, s; mad.wide.u32 s, %t, 32, s; st.b32 [s], a0; mapa.u64 u, s, 0; getctarank.u64 d0, u; ld.b32 d1, [u];",
                arch=90, declare=SHARED + " .reg .b64 s, u;", drawn=0)
    yield Entry("mapa and getctarank", "b32 b32 b32", [whole(32)], lambda a: (0, 0, a),
                f"{OF_SHARED} st.shared.b32 [s], a0; mapa.shared::cluster.u32 u, s, 0; getctarank.shared::cluster.u32 d0, u; "
                "getctarank.shared::cluster.u32 d1, s; ld.shared::cluster.b32 d2, [u];", **shared)


def entries():
    for group in (loads_and_stores, orders, read_only, atomics, vectors, addresses):
        yield from group()
