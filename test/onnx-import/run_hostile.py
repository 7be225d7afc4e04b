"""ONNX files made to do harm, and disks that refuse: ds-compile ends with one line that names what is wrong and where.

run_hostile.py DS_COMPILE

Each case must give exit code 1, exactly one line on stderr that holds the expected words, and leave nothing behind. The last
line is "N passed, N failed".
"""
import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile

import onnx
from onnx import helper

T, A = onnx.TensorProto, onnx.AttributeProto
CASES = []


def case(expected, limits=None, output="model.so", options=()):
    """A case makes model.onnx (or the bytes of it) in a folder; `expected` is what the line must hold."""
    def add(make):
        CASES.append((make.__name__, make, expected, limits, output, options))
        return make
    return add


def value(name, shape=(4,), kind=T.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes=None, inputs=None, outputs=None, initializers=(), **more):
    nodes = nodes or [helper.make_node("Add", ["x", "w"], ["y"], name="sum")]
    graph = helper.make_graph(nodes, "g", inputs or [value("x")], outputs or [value("y")], list(initializers))
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("f", 1)], **more)


def weight(count=4, dims=(4,), name="w", kind=T.FLOAT):
    return T(name=name, data_type=kind, dims=dims, raw_data=bytes(4 * count))


def external(**entries):
    tensor = T(name="w", data_type=T.FLOAT, dims=[4], data_location=T.EXTERNAL)
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=str(text))
    return model(initializers=[tensor])


def beside(folder, name="w.bin", size=16):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(bytes(size))


def field(number, payload):
    """A protobuf field of bytes."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(number):
    result = b""
    while number > 127:
        result += bytes([number & 127 | 128])
        number >>= 7
    return result + bytes([number])


@case("the file is empty")
def empty(folder):
    return b""


@case("'.*model.onnx/config.json': cannot open: No such file or directory")
def directory(folder):
    os.mkdir(os.path.join(folder, "model.onnx"))


@case("damaged: its outermost message cannot be read")
def length_past_the_end(folder):
    return b"\x08\x0a\x3a\xff\xff\xff\xff\x07"


@case("damaged: its outermost message cannot be read")
def varint_without_end(folder):
    return b"\x08" + b"\xff" * 20


@case("damaged: node 'sum' cannot be read")
def length_inside_a_node(folder):
    node = helper.make_node("Add", ["x", "x"], ["y"], name="sum").SerializeToString()
    return b"\x08\x0a" + field(8, b"\x10\x14") + field(7, field(1, node + b"\x0a\x7f"))


@case("IR version 99")
def ir_version(folder):
    result = model(initializers=[weight()])
    result.ir_version = 99
    return result


@case("version 0 of domain 'f'")
def opset_zero(folder):
    result = model(initializers=[weight()])
    result.opset_import[1].version = 0
    return result


@case("uses domain 'nowhere'")
def domain(folder):
    return model([helper.make_node("Add", ["x", "x"], ["y"], name="sum", domain="nowhere")])


@case("node 'sum' names no operator")
def no_operator(folder):
    return model([helper.make_node("", ["x", "x"], ["y"], name="sum")])


@case(r"node 'a' \(Add\) reads 'q', which nothing before it makes")
def cycle(folder):
    return model([helper.make_node("Add", ["x", "q"], ["p"], name="a"), helper.make_node("Add", ["x", "p"], ["q"], name="b"),
                  helper.make_node("Neg", ["q"], ["y"])])


@case(r"node 'sum' \(Add\) reads 'w', which nothing before it makes")
def undefined_input(folder):
    return model()


@case("output 'y' of graph 'g' is made by no node")
def undefined_output(folder):
    return model([helper.make_node("Neg", ["x"], ["z"])])


@case("value 'y' is made twice; the second time by node 'again'")
def made_twice(folder):
    return model([helper.make_node("Neg", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["y"], name="again")])


@case("two initializers are named 'w'")
def initializer_twice(folder):
    return model(initializers=[weight(), weight()])


@case("two inputs are named 'x'")
def input_twice(folder):
    return model([helper.make_node("Neg", ["x"], ["y"])], inputs=[value("x"), value("x")])


@case("node 'sum' has two attributes named 'axis'")
def attribute_twice(folder):
    node = helper.make_node("Add", ["x", "x"], ["y"], name="sum", axis=1)
    node.attribute.add().CopyFrom(node.attribute[0])
    return model([node])


@case("attribute 'axis' has the unknown kind 77")
def attribute_kind(folder):
    node = helper.make_node("Add", ["x", "x"], ["y"]).SerializeToString()
    node += field(5, field(1, b"axis") + b"\xa0\x01\x4d")
    return b"\x08\x0a" + field(8, b"\x10\x14") + field(7, field(1, node) + field(11, value("x").SerializeToString()))


@case("'w' has element type 99")
def tensor_type(folder):
    return model(initializers=[weight(kind=99)])


@case("tensor 'w' has its numbers in int64_data, where its type has none")
def data_field(folder):
    return model(initializers=[T(name="w", data_type=T.COMPLEX128, dims=[1], int64_data=[1])])


@case("tensor 'w' has 12 bytes of data, its type needs 16")
def data_length(folder):
    return model(initializers=[weight(3)])


@case("tensor 'w' has an impossible size 9223372036854775807")
def exabytes(folder):
    return model(initializers=[weight(dims=[2**63 - 1])])


@case("tensor 'w' has an impossible size 4294967296")
def product_overflows(folder):
    return model(initializers=[weight(0, dims=[2**32, 2**32])])


@case("tensor 'w' has an impossible size -4")
def negative_size(folder):
    return model(initializers=[weight(dims=[-4])])


@case("'x' has a negative size -4")
def negative_input_size(folder):
    return model([helper.make_node("Neg", ["x"], ["y"])], inputs=[value("x", (-4,))])


@case("node 'n' .Neg.: a tensor would have more than 2.46 elements")
def input_size_overflows(folder):
    return model([helper.make_node("Neg", ["x"], ["y"], name="n")], inputs=[value("x", (2**32, 2**32))],
                 outputs=[value("y", (2**32, 2**32))])


@case("external data of 'w': cannot open '.*w.bin': No such file or directory")
def external_missing(folder):
    return external(location="w.bin")


@case("external data of 'w' needs bytes 8 to 8[+]16 of 'w.bin', which has 16")
def external_past_the_end(folder):
    beside(folder)
    return external(location="w.bin", offset=8)


@case(r"external data of 'w' needs bytes 18446744073709551615 to")
def external_offset_overflows(folder):
    beside(folder)
    return external(location="w.bin", offset=2**64 - 1)


@case("external data of 'w' has offset '-8', which is no number")
def external_negative_offset(folder):
    beside(folder)
    return external(location="w.bin", offset=-8)


@case("external data of 'w' has length '-1', which is no number")
def external_negative_length(folder):
    beside(folder)
    return external(location="w.bin", length=-1)


@case("external data of 'w' is 12 bytes long, its type needs 16")
def external_length(folder):
    beside(folder)
    return external(location="w.bin", length=12)


@case("external data of 'w' is at '/etc/passwd': it must be a path inside the model's folder")
def external_absolute(folder):
    return external(location="/etc/passwd")


@case("external data of 'w' is at 'a/../../w.bin': it must be a path inside the model's folder")
def external_climbs(folder):
    return external(location="a/../../w.bin")


@case("external data of 'w' is at '': it must be a path")
def external_nowhere(folder):
    return external()


@case("external data of 'w' at 'w.bin' is a link that leaves the model's folder")
def external_link(folder):
    os.symlink("/etc/passwd", os.path.join(folder, "w.bin"))
    return external(location="w.bin")


@case("external data of 'w' at 'sub/passwd' is a link that leaves the model's folder")
def external_linked_folder(folder):
    os.symlink("/etc", os.path.join(folder, "sub"))
    return external(location="sub/passwd")


@case("external data of 'w': '.*w.bin' is no regular file")
def external_folder(folder):
    os.mkdir(os.path.join(folder, "w.bin"))
    return external(location="w.bin")


@case("external data of 'w': '.*w.bin' is no regular file")
def external_pipe(folder):
    os.mkfifo(os.path.join(folder, "w.bin"))
    return external(location="w.bin")


@case("subgraphs are nested more than 64 deep")
def nested_subgraphs(folder):
    # By hand: protobuf's own classes refuse to write this.
    graph = b""
    for _ in range(5000):
        attribute = field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"
        graph = field(1, field(4, b"If") + field(5, attribute))
    return b"\x08\x0a" + field(8, b"\x10\x14") + field(7, graph)


@case("the type of 'x' is nested too deeply")
def nested_types(folder):
    kind = b""
    for _ in range(5000):
        kind = field(4, field(1, kind))
    return b"\x08\x0a" + field(7, field(11, field(1, b"x") + field(2, kind)))


def function(name, node):
    return helper.make_function("f", name, ["a"], ["b"], [node], [helper.make_opsetid("", 20), helper.make_opsetid("f", 1)])


@case("call of function '[FG]': functions call each other without end")
def function_calls_itself(folder):
    return model([helper.make_node("F", ["x"], ["y"], domain="f")],
                 functions=[function("F", helper.make_node("F", ["a"], ["b"], domain="f"))])


@case("call of function '[FG]': functions call each other without end")
def functions_call_each_other(folder):
    return model([helper.make_node("F", ["x"], ["y"], domain="f")],
                 functions=[function("F", helper.make_node("G", ["a"], ["b"], domain="f")),
                            function("G", helper.make_node("F", ["a"], ["b"], domain="f"))])


@case("call of function 'F[0-9]+': functions call each other without end")
def functions_double(folder):
    # 2^50 nodes, were they all inlined.
    functions = [function("F0", helper.make_node("Neg", ["a"], ["b"]))]
    for i in range(1, 51):
        functions.append(function(f"F{i}", helper.make_node(f"F{i - 1}", ["a"], ["c"], domain="f")))
        functions[-1].node.add().CopyFrom(helper.make_node(f"F{i - 1}", ["c"], ["b"], domain="f"))
    return model([helper.make_node("F50", ["x"], ["y"], domain="f")], functions=functions)


@case("two inputs of function 'F' are named 'a'")
def function_input_twice(folder):
    twice = function("F", helper.make_node("Neg", ["a"], ["b"]))
    twice.input.append("a")
    return model([helper.make_node("F", ["x", "x"], ["y"], domain="f")], functions=[twice])


@case("two functions of domain 'f' are named 'F'")
def function_twice(folder):
    return model([helper.make_node("F", ["x"], ["y"], domain="f")],
                 functions=[function("F", helper.make_node(op, ["a"], ["b"])) for op in ("Neg", "Abs")])


@case("two functions of domain 'f' are named 'F', both with overload 'o'")
def function_overload_twice(folder):
    functions = [function("F", helper.make_node(op, ["a"], ["b"])) for op in ("Neg", "Abs")]
    for each in functions:
        each.overload = "o"
    return model([helper.make_node("F", ["x"], ["y"], domain="f", overload="o")], functions=functions)


@case("cannot write '.*model.so': Is a directory")
def output_is_a_folder(folder):
    os.mkdir(os.path.join(folder, "model.so"))
    return model(initializers=[weight()])


@case("cannot write '.*model.weights.safetensors': Is a directory")
def weights_are_a_folder(folder):
    os.mkdir(os.path.join(folder, "model.weights.safetensors"))
    return model(initializers=[weight()])


@case("cannot write '.*model.so': no regular file")
def output_is_a_pipe(folder):
    # Of a device, too, the file itself would be replaced.
    os.mkfifo(os.path.join(folder, "model.so"))
    return model(initializers=[weight()])


@case("cannot write '/dev/full': No space left on device", output="/dev/full", options=["--emit=ds"])
def device_full(folder):
    return model([helper.make_node("Neg", ["x"], ["y"])])


@case("cannot write '/dev/full': No space left on device", output="/dev/full", options=["--emit=obj"])
def device_full_of_code(folder):
    return model([helper.make_node("Neg", ["x"], ["y"])])


@case("cannot read '.*none.json'", options=["--tokenizer=none.json"])
def tokenizer_missing(folder):
    return model(initializers=[weight()])


@case("cannot read '/'", options=["--tokenizer=/"])
def tokenizer_is_a_folder(folder):
    return model(initializers=[weight()])


@case("cannot read '/'", options=["--config=/"])
def config_is_a_folder(folder):
    return model(initializers=[weight()])


@case("config.json.*bad JSON")
def config_damaged(folder):
    with open(os.path.join(folder, "config.json"), "w") as file:
        file.write('{"max_position_embeddings": 1')
    return model(initializers=[weight()])


@case("config.json.*(bad JSON|nested more)")
def config_nested_deeply(folder):
    with open(os.path.join(folder, "config.json"), "w") as file:
        file.write('{"rope_scaling": ' + "[" * 1000000)
    return model(initializers=[weight()])


@case("config.json.*'eos_token_id' is no whole number")
def config_with_an_odd_id(folder):
    with open(os.path.join(folder, "config.json"), "w") as file:
        file.write('{"eos_token_id": [1, "two"]}')
    return model(initializers=[weight()])


@case("generation_config.json.*a JSON object was expected")
def config_is_a_list(folder):
    with open(os.path.join(folder, "generation_config.json"), "w") as file:
        file.write("[1]")
    return model(initializers=[weight()])


@case("cannot write '.*': No such file or directory", output="none/model.so")
def output_folder_missing(folder):
    return model(initializers=[weight()])


@case("model.so.*: File too large", limits=4096)
def disk_full(folder):
    return model(initializers=[weight()])


@case("cannot write '.*weights.*': File too large", limits=1 << 20)
def disk_full_of_weights(folder):
    return model([helper.make_node("MatMul", ["x", "w"], ["y"])], inputs=[value("x", (1, 1024))], outputs=[value("y", (1, 1024))],
                 initializers=[weight(1 << 20, dims=[1024, 1024])])


@case("cannot write '.*model.mlir': File too large", limits=4096, output="model.mlir", options=["--emit=onnx"])
def disk_full_of_text(folder):
    return model([helper.make_node("Neg", ["x"], ["y"], name="n" * 8192)])


def listing(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, names, files in os.walk(folder) for name in names + files)


def run(compiler, name, make, expected, limits, output, options):
    """None, or what is wrong."""
    with tempfile.TemporaryDirectory(prefix="hostile.") as folder:
        path = os.path.join(folder, "model.onnx")
        content = make(folder)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.SerializeToString())
        before = listing(folder)

        def limit():
            if limits:
                import signal
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing past the limit fails with EFBIG
                resource.setrlimit(resource.RLIMIT_FSIZE, (limits, limits))
        result = subprocess.run([compiler, path, "-o", os.path.join(folder, output), "--cpu=x86-64-v3", *options],
                                capture_output=True, timeout=60, preexec_fn=limit)
        text = result.stderr.decode(errors="replace").rstrip("\n")
        if result.returncode != 1:
            return f"exit code {result.returncode}: {text[:500]}"
        if "\n" in text or "error: " not in text or not re.search(expected, text):
            return f"not one line with '{expected}': {text[:1500]}"
        if listing(folder) != before:
            return f"left {sorted(set(listing(folder)) - set(before))}"
    return None


def truncated(compiler):
    """A model cut at every offset: refused with one line, or (a cut between two fields) taken."""
    beside_graph = model(initializers=[weight()]).SerializeToString()
    with tempfile.TemporaryDirectory(prefix="hostile.") as folder:
        paths = []
        for size in range(len(beside_graph)):
            paths.append(os.path.join(folder, f"{size}.onnx"))
            with open(paths[-1], "wb") as file:
                file.write(beside_graph[:size])
        lines = "".join(f"{path}\t{path}.so\n" for path in paths)
        result = subprocess.run([compiler, "--batch", "--mode=graph", "--cpu=x86-64-v3"], input=lines.encode(), capture_output=True,
                                timeout=120)
        answers = result.stdout.decode().split()
        errors = result.stderr.decode(errors="replace").splitlines()
        if result.returncode != 0 or len(answers) != len(paths) or not set(answers) <= {"0", "1"}:
            return f"exit code {result.returncode} after {len(answers)} of {len(paths)}: {errors[-1:]}"
        if len(errors) != answers.count("1") or not all("error: " in line for line in errors):
            return f"{answers.count('1')} refusals with {len(errors)} lines"
        made = [i for i, path in enumerate(paths) if os.path.exists(path + ".so")]
        if made != [i for i, answer in enumerate(answers) if answer == "0"]:
            return "a refused file left an output"
    return None


def truncated_beside(compiler):
    """External data cut at every length: refused, naming tensor, range and file, whichever of the tensors is cut first."""
    with tempfile.TemporaryDirectory(prefix="hostile.") as folder:
        tensors = []
        for i, name in enumerate("vw"):
            tensors.append(T(name=name, data_type=T.FLOAT, dims=[4], data_location=T.EXTERNAL))
            for key, text in (("location", "w.bin"), ("offset", 16 * i), ("length", 16)):
                tensors[-1].external_data.add(key=key, value=str(text))
        path = os.path.join(folder, "model.onnx")
        with open(path, "wb") as file:
            file.write(model([helper.make_node("Add", ["x", "v"], ["s"]), helper.make_node("Add", ["s", "w"], ["y"])],
                             initializers=tensors).SerializeToString())
        before = sorted([*listing(folder), "w.bin"])
        for size in range(33):
            beside(folder, size=size)
            result = subprocess.run([compiler, path, "-o", path + ".so", "--cpu=x86-64-v3"], capture_output=True, timeout=60)
            text = result.stderr.decode(errors="replace").rstrip("\n")
            if size == 32:
                return f"whole, but exit code {result.returncode}: {text[:500]}" if result.returncode else None
            name, start = ("v", 0) if size < 16 else ("w", 16)
            expected = f"external data of '{name}' needs bytes {start} to {start}+16 of 'w.bin', which has {size}"
            if result.returncode != 1 or "\n" in text or expected not in text:
                return f"cut to {size} bytes: exit code {result.returncode}, not one line with {expected!r}: {text[:500]}"
            if listing(folder) != before:
                return f"cut to {size} bytes: left {sorted(set(listing(folder)) - set(before))}"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("compiler")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    compiler = os.path.abspath(arguments.compiler)
    tests = [(name, lambda rest=(name, *rest): run(compiler, *rest)) for name, *rest in CASES]
    tests.append(("truncated", lambda: truncated(compiler)))
    tests.append(("truncated_beside", lambda: truncated_beside(compiler)))
    passed = failed = 0
    for name, test in tests:
        if arguments.only not in name:
            continue
        problem = test()
        passed += problem is None
        failed += problem is not None
        if problem:
            print(f"FAILED {name}: {problem}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
