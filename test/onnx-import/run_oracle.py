"""The importer against protobuf's own classes: what --emit=onnx prints is what the `onnx` package reads, field by field.

run_oracle.py DS_COMPILE GOLDEN [--only TEXT]

Every golden file and every ONNX node test is imported and printed in MLIR's generic form, which is read here by a small parser:
nodes in order with their domains, operators, versions, operands (as SSA values, so scoping too), results, types and attributes;
initialisers with their bytes or their range of a file; functions; opset imports; metadata. The last line is "N passed, N failed".
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx

A, T = onnx.AttributeProto, onnx.TensorProto
ELEMENTS = {
    T.FLOAT: "f32", T.UINT8: "ui8", T.INT8: "i8", T.UINT16: "ui16", T.INT16: "i16", T.INT32: "i32", T.INT64: "i64",
    T.STRING: "!onnx.string", T.BOOL: "i1", T.FLOAT16: "f16", T.DOUBLE: "f64", T.UINT32: "ui32", T.UINT64: "ui64",
    T.COMPLEX64: "complex<f32>", T.COMPLEX128: "complex<f64>", T.BFLOAT16: "bf16", T.FLOAT8E4M3FN: "f8E4M3FN",
    T.FLOAT8E4M3FNUZ: "f8E4M3FNUZ", T.FLOAT8E5M2: "f8E5M2", T.FLOAT8E5M2FNUZ: "f8E5M2FNUZ", T.UINT4: "ui4", T.INT4: "i4",
    T.FLOAT4E2M1: "f4E2M1FN", T.FLOAT8E8M0: "f8E8M0FNU", T.UINT2: "ui2", T.INT2: "i2"}
UNKNOWN = "!onnx.unknown"


class Different(Exception):
    pass


def same(what, ours, theirs):
    if ours != theirs:
        raise Different(f"{what}: imported as {str(ours)[:300]!r}, the file has {str(theirs)[:300]!r}")


class Op:
    pass


class Parser:
    """MLIR's generic form, as far as the onnx dialect uses it."""
    SPACE = re.compile(r"\s*")
    STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S)
    NAME = re.compile(r"[\w.$-]+")
    NUMBER = re.compile(r"(0x[0-9A-Fa-f]+|-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(?: : ([\w]+))?")
    SSA = re.compile(r"%[\w$.-]+(?:#\d+)?")
    RESULT = re.compile(r"(%[\w$.-]+)(?::(\d+))?")
    TYPE = re.compile(r"!?[\w.]+")
    ANGLE = re.compile(r'"(?:[^"\\]|\\.)*"|[<>]', re.S)

    def __init__(self, text):
        self.text, self.at = text, 0

    def peek(self, token):
        self.at = self.SPACE.match(self.text, self.at).end()
        return self.text.startswith(token, self.at)

    def take(self, token):
        if not self.peek(token):
            return False
        self.at += len(token)
        return True

    def need(self, token):
        if not self.take(token):
            raise Different(f"cannot parse at {self.text[self.at:self.at + 80]!r}, expected {token!r}")

    def match(self, pattern):
        self.peek("")
        found = pattern.match(self.text, self.at)
        if not found:
            raise Different(f"cannot parse at {self.text[self.at:self.at + 80]!r}")
        self.at = found.end()
        return found

    def list(self, end, item):
        result = []
        while not self.take(end):
            result.append(item())
            self.take(",")
        return result

    def string(self):
        body = self.match(self.STRING).group(1).encode("utf-8", "surrogateescape")
        return re.sub(rb"\\([0-9A-Fa-f]{2}|.)", lambda m: bytes([int(m[1], 16)]) if len(m[1]) == 2 else m[1], body, flags=re.S)

    def angle(self):
        """The text between the < here and its >."""
        self.need("<")
        start, depth = self.at, 1
        while depth:
            found = self.ANGLE.search(self.text, self.at)
            self.at = found.end()
            depth += {"<": 1, ">": -1}.get(found[0], 0)
        return self.text[start:self.at - 1]

    def type(self):
        name = self.match(self.TYPE)[0]
        return f"{name}<{self.angle()}>" if self.text.startswith("<", self.at) else name

    def types(self):
        return self.list(")", self.type) if self.take("(") else [self.type()]

    def dictionary(self, end="}"):
        def entry():
            key = self.string() if self.peek('"') else self.match(self.NAME)[0].encode()
            return key, self.attribute() if self.take("=") else None
        return dict(self.list(end, entry))

    def attribute(self):
        if self.peek('"'):
            return self.string()
        if self.take("{"):
            return self.dictionary()
        if self.take("["):
            return self.list("]", self.attribute)
        if self.take("dense"):
            body = self.angle()
            self.need(":")
            return "dense", body, self.type()
        if self.peek("array<"):
            self.take("array")
            kind, _, body = self.angle().partition(":")
            return "array", kind, [x.strip() for x in body.split(",")] if body else []
        if self.take("#onnx."):
            kind = self.match(self.NAME)[0]
            inner = Parser(self.angle() + ">")
            return kind, inner.list(">", inner.attribute)
        if self.peek("!") or re.match(r"[a-z]", self.text[self.at]):
            return "type", self.type()
        number, kind = self.match(self.NUMBER).groups()
        return "number", number, kind

    def op(self):
        op = Op()
        op.results = []
        if self.peek("%"):
            while not self.take("="):
                name, count = self.match(self.RESULT).groups()
                op.results += [name] if count is None else [f"{name}#{i}" for i in range(int(count))]
                self.take(",")
        op.name = self.string().decode()
        self.need("(")
        op.operands = self.list(")", lambda: self.match(self.SSA)[0])
        op.props = self.dictionary("}>") if self.take("<{") else {}
        op.regions = self.list(")", self.region) if self.take("(") else []
        op.attrs = self.dictionary() if self.take("{") else {}
        self.need(":")
        op.operand_types = self.types()
        self.need("->")
        op.types = self.types()
        return op

    def region(self):
        def argument():
            name = self.match(self.SSA)[0]
            self.need(":")
            return name, self.type()
        self.need("{")
        arguments = []
        if self.take("^"):
            self.match(self.NAME)
            if self.take("("):
                arguments = self.list(")", argument)
            self.need(":")
        return arguments, self.list("}", self.op)


def tensor_type(dims, kind):
    return f"tensor<{''.join(f'{d}x' for d in dims)}{ELEMENTS[kind]}>"


def dim_of(dim):
    """Its size or None, and its name."""
    if dim.HasField("dim_value"):
        return dim.dim_value, ""
    if re.fullmatch(r"\d+", dim.dim_param):
        return int(dim.dim_param), ""
    return None, dim.dim_param


def type_text(proto):
    kind = proto.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        inner = getattr(proto, kind)
        if inner.elem_type == 0:
            return UNKNOWN
        if inner.HasField("shape"):
            sizes = [dim_of(d)[0] for d in inner.shape.dim]
            text = tensor_type(["?" if s is None else s for s in sizes], inner.elem_type)
        else:
            text = f"tensor<*x{ELEMENTS[inner.elem_type]}>"
        return text if kind == "tensor_type" else f"!onnx.sparse_tensor<{text}>"
    if kind in ("sequence_type", "optional_type"):
        return f"!onnx.{kind[:-5]}<{type_text(getattr(proto, kind).elem_type)}>"
    if kind == "map_type":
        return f"!onnx.map<{ELEMENTS[proto.map_type.key_type]}, {type_text(proto.map_type.value_type)}>"
    return UNKNOWN


def dim_names(proto):
    if proto.type.WhichOneof("value") != "tensor_type" or type_text(proto.type) == UNKNOWN:
        return []
    return [dim_of(d)[1].encode() for d in proto.type.tensor_type.shape.dim]


def numbers(texts, dtype):
    """As MLIR prints them: decimal, or the bits of a float in hexadecimal."""
    result = np.zeros(len(texts), dtype)
    bits = result.view(f"u{dtype.itemsize}") if dtype.itemsize <= 8 else None
    for i, text in enumerate(texts):
        if text in ("true", "false"):
            result[i] = text == "true"
        elif text.startswith("0x"):
            bits[i] = int(text, 16)
        elif dtype.kind in "iu" or dtype.name in ("int4", "uint4", "int2", "uint2"):
            result[i] = int(text)
        else:
            result[i] = float(text)
    return result


class Model:
    def __init__(self, proto, path):
        self.proto, self.path = proto, path
        self.imports = {self.domain(o.domain): o.version for o in proto.opset_import}

    @staticmethod
    def domain(name):
        return "" if name == "ai.onnx" else name

    @staticmethod
    def int(attribute):
        return int(attribute[1]) if attribute and attribute[0] == "number" else attribute

    def opsets(self, what, ours, imports):
        same(what, {k.decode(): self.int(v) for k, v in ours.items()}, {d or "ai.onnx": v for d, v in imports.items()})

    def compare(self, module):
        proto = self.proto
        same("IR version", self.int(module.attrs[b"onnx.ir_version"]), proto.ir_version)
        self.opsets("opset imports", module.attrs[b"onnx.opset_imports"], self.imports)
        same("producer", module.attrs[b"onnx.producer"], f"{proto.producer_name} {proto.producer_version}".encode())
        same("metadata", module.attrs.get(b"onnx.metadata", {}), {p.key.encode(): p.value.encode() for p in proto.metadata_props})
        ops = module.regions[0][1]
        same("number of functions", len(ops) - 1, len(proto.functions))
        for op, function in zip(ops, proto.functions):
            self.function(op, function)
        graph, main = proto.graph, ops[-1]
        same("the last op", main.name, "onnx.graph")
        initialised = {t.name for t in graph.initializer}
        inputs = [i for i in graph.input if i.name not in initialised]
        for what, values in (("input", inputs), ("output", graph.output)):
            same(f"{what}s", main.props[f"{what}_names".encode()], [v.name.encode() for v in values])
            same(f"{what} dimensions", main.props[f"{what}_dims".encode()], [dim_names(v) for v in values])
        self.body(main.regions[0], graph, inputs, graph.output, [{}], {}, self.imports)

    def function(self, op, proto):
        same("function", [op.name] + [op.props[k] for k in (b"domain", b"name", b"overload")],
             ["onnx.function"] + [s.encode() for s in (proto.domain, proto.name, proto.overload)])
        for key, names in (("input_names", proto.input), ("output_names", proto.output), ("attr_names", proto.attribute)):
            same(f"function {proto.name} {key}", op.props[key.encode()], [n.encode() for n in names])
        own = {self.domain(o.domain): o.version for o in proto.opset_import}
        self.opsets(f"function {proto.name} opsets", op.props[b"opset_imports"], own)
        self.attributes(f"function {proto.name}", op.props[b"defaults"], proto.attribute_proto, op, None, None, None)
        self.body(op.regions[0], proto, proto.input, proto.output, [{}], {}, {**self.imports, **own})

    def body(self, region, graph, inputs, outputs, scopes, values, imports):
        """`scopes`: ONNX name → token, innermost last; `values`: SSA name → token. A token is one value of the file."""
        named = lambda v: v if isinstance(v, str) else v.name  # noqa: E731
        arguments, ops = region
        # A function's values have the types of each call.
        typed = [] if isinstance(graph, onnx.FunctionProto) else [*graph.input, *graph.value_info, *graph.output]
        types = {v.name: type_text(v.type) for v in typed}
        same("types of inputs", [t for _, t in arguments],
             [UNKNOWN if isinstance(v, str) else type_text(v.type) for v in inputs])

        def define(ssa, name):
            token = object()
            values[ssa] = token
            scopes[-1][name] = token

        def find(name):
            return next((scope[name] for scope in reversed(scopes) if name in scope), None)

        for (ssa, _), value in zip(arguments, inputs):
            define(ssa, named(value))
        ops = list(ops)
        for tensor in getattr(graph, "initializer", []):
            op = ops.pop(0)
            same("initialiser", (op.name, op.props[b"name"], op.types[0]),
                 ("onnx.initializer", tensor.name.encode(), tensor_type(tensor.dims, tensor.data_type)))
            self.tensor(f"initialiser {tensor.name}", op.props[b"value"], tensor)
            define(op.results[0], tensor.name)
        for op in ops:
            if op.name == "onnx.absent":
                values[op.results[0]] = None
        ops = [op for op in ops if op.name != "onnx.absent"]
        same("number of nodes", len(ops) - 1, len(graph.node))
        for op, node in zip(ops, graph.node):
            what = f"node {node.name or list(node.output)} ({node.op_type})"
            domain = self.domain(node.domain)
            same(what, [op.name] + [op.props.get(k) for k in (b"op_type", b"domain", b"node_name", b"overload")],
                 ["onnx.node"] + [s.encode() for s in (node.op_type, domain, node.name, node.overload)])
            same(f"{what} version", self.int(op.props[b"version"]), imports[domain])
            same(f"{what} inputs", [values[o] for o in op.operands], [find(i) if i else None for i in node.input])
            same(f"{what} result types", op.types, ["none" if not o else types.get(o, UNKNOWN) for o in node.output])
            self.attributes(what, op.props[b"attrs"], node.attribute, op, scopes, values, imports)
            for ssa, name in zip(op.results, node.output):
                if name:
                    define(ssa, name)
        same("the end", ops[-1].name, "onnx.return")
        same("outputs", [values[o] for o in ops[-1].operands], [find(named(o)) for o in outputs])

    def attributes(self, what, ours, protos, op, scopes, values, imports):
        same(f"{what} attributes", sorted(ours), sorted(a.name.encode() for a in protos))

        def graph(value, proto):
            kind, [(_, index, _)] = value
            same(f"{what} graph", kind, "graph")
            self.body(op.regions[int(index)], proto, proto.input, proto.output, scopes + [{}], values, imports)
        for a in protos:
            value, where = ours[a.name.encode()], f"{what} attribute {a.name}"
            if a.ref_attr_name:
                same(where, value, ("ref", [a.ref_attr_name.encode(), A.AttributeType.Name(a.type).encode()]))
            elif a.type == A.FLOAT:
                same(where, (value[2], numbers([value[1]], np.dtype("f4")).tobytes()), ("f32", np.float32(a.f).tobytes()))
            elif a.type == A.INT:
                same(where, value, ("number", str(a.i), "i64"))
            elif a.type == A.STRING:
                same(where, value, a.s)
            elif a.type == A.TENSOR:
                self.tensor(where, value, a.t)
            elif a.type == A.GRAPH:
                graph(value, a.g)
            elif a.type == A.FLOATS:
                same(where, (value[1], numbers(value[2], np.dtype("f4")).tobytes()), ("f32", np.array(a.floats, "f4").tobytes()))
            elif a.type == A.INTS:
                same(where, value, ("array", "i64", [str(i) for i in a.ints]))
            elif a.type == A.STRINGS:
                same(where, value, list(a.strings))
            elif a.type in (A.TENSORS, A.GRAPHS):
                protos_of = a.tensors if a.type == A.TENSORS else a.graphs
                same(f"{where} length", len(value), len(protos_of))
                for one, proto in zip(value, protos_of):
                    self.tensor(where, one, proto) if a.type == A.TENSORS else graph(one, proto)
            elif a.type == A.TYPE_PROTO:
                same(where, value, ("type", type_text(a.tp)))
            elif a.type == A.TYPE_PROTOS:
                same(where, value, [("type", type_text(t)) for t in a.type_protos])
            else:
                raise Different(f"{where} has a kind that this test does not know")

    def tensor(self, what, value, proto):
        text = tensor_type(proto.dims, proto.data_type)
        if isinstance(value, list):  # of an attribute: its type, its range
            same(f"{what} type", value[0], ("type", text))
            value = value[1]
        if value[0] == "file_range":
            file, offset, length = value[1][0].decode(), self.int(value[1][1]), self.int(value[1][2])
            if proto.data_location == T.EXTERNAL:
                entries = {e.key: e.value for e in proto.external_data}
                same(what, (file, offset), (entries["location"], int(entries.get("offset", 0))))
                bits = onnx.helper.tensor_dtype_to_np_dtype(proto.data_type)
                size = {"int4": 4, "uint4": 4, "float4_e2m1fn": 4, "int2": 2, "uint2": 2}.get(bits.name, 8 * bits.itemsize)
                same(f"{what} length", length, int(entries.get("length", (int(np.prod(proto.dims)) * size + 7) // 8)))
            else:
                same(what, file, os.path.basename(self.path))
                with open(self.path, "rb") as model:
                    model.seek(offset)
                    data = model.read(length)
                same(f"{what} bytes", data, proto.raw_data or onnx.numpy_helper.to_array(proto).tobytes())
            return
        kind, body, ours = value
        same(f"{what} type", (kind, ours), ("dense", text))
        array = onnx.numpy_helper.to_array(proto).reshape(-1)
        if proto.data_type == T.STRING:
            parser = Parser(re.sub(r'"(?:[^"\\]|\\.)*"|[\[\]]', lambda m: "" if m[0] in "[]" else m[0], body) + ">")
            texts = parser.list(">", parser.string)
            texts *= array.size if len(texts) == 1 else 1
            same(f"{what} strings", texts, list(proto.string_data))
            return
        if body.startswith('"0x'):
            data = np.frombuffer(bytes.fromhex(body[3:-1]), np.uint8)
            same(f"{what} bytes", data.tobytes(), np.ascontiguousarray(array).tobytes())
            return
        texts = re.findall(r"true|false|0x[0-9A-Fa-f]+|-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", body)
        dtype = array.dtype
        if dtype.kind == "c":
            dtype, array = np.dtype(f"f{dtype.itemsize // 2}"), array.view(f"f{dtype.itemsize // 2}")
        data = numbers(texts, dtype)
        if len(texts) and array.size > len(texts):  # MLIR prints a value that all elements share once
            data = np.tile(data, array.size // len(texts))
        same(f"{what} values", data.tobytes(), array.tobytes())


def models(golden, folder):
    """Paths of all models; the node tests are written into `folder`."""
    result = [(os.path.relpath(path, golden), path) for path in sorted(glob.glob(os.path.join(golden, "*/onnx/*/*.onnx")))]
    from onnx.backend.test.loader import load_model_tests
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    for case in cases:
        result.append((case.name, os.path.join(folder, case.name + ".onnx")))
        with open(result[-1][1], "wb") as file:
            file.write(case.model.SerializeToString())
    return result


def has_sparse(proto):
    return bool(proto.graph.sparse_initializer) or any(a.type in (A.SPARSE_TENSOR, A.SPARSE_TENSORS)
                                                       for n in proto.graph.node for a in n.attribute)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("compiler")
    parser.add_argument("golden")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    compiler = os.path.abspath(arguments.compiler)
    printer = os.path.join(os.path.dirname(compiler), "ds-opt")
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="oracle.") as folder:
        todo = [m for m in models(arguments.golden, folder) if arguments.only in m[0]]
        out = [os.path.join(folder, f"{i}.mlir") for i in range(len(todo))]
        lines = "".join(f"{path}\t{text}\n" for (_, path), text in zip(todo, out))
        batch = subprocess.run([compiler, "--batch", "--emit=onnx"], input=lines.encode(), capture_output=True)
        answers = batch.stdout.decode().split()
        if len(answers) != len(todo):
            print(f"FAILED import: exit code {batch.returncode} after {len(answers)} models: {batch.stderr[-500:]}")
        texts = []
        for path, answer in zip(out, answers):
            if answer == "0":
                with open(path, errors="surrogateescape") as file:
                    texts.append(file.read())
        joined = "// -----\n".join(texts).encode("utf-8", "surrogateescape")
        generic = subprocess.run([printer, "--mlir-print-op-generic", "--split-input-file", "--output-split-marker=// -----"],
                                 input=joined, check=True, capture_output=True).stdout.decode("utf-8", "surrogateescape")
        printed = iter(re.split(r"^// -----$", generic, flags=re.M))
        for (name, path), answer in zip(todo, answers + ["no answer"] * (len(todo) - len(answers))):
            proto = onnx.load(path, load_external_data=False)
            try:
                if answer != "0":
                    if not has_sparse(proto):
                        raise Different(f"not imported ({answer})")
                else:
                    Model(proto, path).compare(Parser(next(printed)).op())
                passed += 1
            except Different as problem:
                failed += 1
                print(f"FAILED {name}: {problem}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
