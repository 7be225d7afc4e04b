"""ONNX's node tests made wrong: whatever a file holds, ds-compile converts it or refuses it with a line that names what is wrong.

run_mutations.py DS_COMPILE [--count N] [--seed N] [--keep DIR]

Each model is a node test with a few random changes (inputs left out or swapped, other types, ranks, sizes and attributes, another
operator). A death of the compiler, or an error that names neither node nor value, is a failure. The last line is
"N passed, N failed"; the seed is printed.
"""
import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile

import onnx

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run_node_tests  # noqa: E402

A, T = onnx.AttributeProto, onnx.TensorProto
TYPES = [T.FLOAT, T.FLOAT16, T.BFLOAT16, T.DOUBLE, T.INT64, T.INT32, T.INT8, T.UINT8, T.BOOL, T.UINT4, T.FLOAT8E4M3FN,
         T.COMPLEX64, T.STRING]
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, "n", "m"]
NUMBERS = [-129, -9, -3, -2, -1, 0, 1, 2, 3, 4, 8, 100, 2**31, 2**63 - 1, -2**63]
NAMED = re.compile(r"node '|input '|output '|initializer '|attribute '|value '|operators that are not supported")


def change_input(rng, model, nodes):
    value = rng.choice(model.graph.input).type.tensor_type
    kind = rng.randrange(3)
    if kind == 0:
        value.elem_type = rng.choice(TYPES)
    elif kind == 1 and value.shape.dim:
        dim, size = rng.choice(value.shape.dim), rng.choice(SIZES)
        if isinstance(size, int):
            dim.dim_value = size
        else:
            dim.dim_param = size
    elif value.shape.dim and rng.random() < 0.5:
        del value.shape.dim[rng.randrange(len(value.shape.dim))]
    else:
        value.shape.dim.add().dim_value = rng.choice([1, 2, 3])


def change_operands(rng, model, nodes):
    node = rng.choice(nodes)
    if not node.input:
        return
    at, kind = rng.randrange(len(node.input)), rng.randrange(4)
    if kind == 0:
        node.input[at] = ""
    elif kind == 1:
        del node.input[at]
    elif kind == 2:
        node.input.append(rng.choice(list(node.input)))
    else:
        other = rng.randrange(len(node.input))
        node.input[at], node.input[other] = node.input[other], node.input[at]


def change_attribute(rng, model, nodes):
    node = rng.choice(nodes)
    if not node.attribute:
        node.attribute.append(onnx.helper.make_attribute(rng.choice(["axis", "axes", "to", "keepdims", "perm", "mode"]),
                                                         rng.choice(NUMBERS)))
        return
    attribute = rng.choice(node.attribute)
    if rng.random() < 0.2:
        node.attribute.remove(attribute)
    elif attribute.type == A.INT:
        attribute.i = rng.choice(NUMBERS)
    elif attribute.type == A.INTS and attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(NUMBERS)
    elif attribute.type == A.FLOAT:
        attribute.f = rng.choice([0.0, -1.0, 1e38, float("nan"), float("inf")])
    elif attribute.type == A.STRING:
        attribute.s = rng.choice([b"", b"none", b"x", b"ij,jk->ik", b"...i->i", b"max"])
    else:
        node.attribute.remove(attribute)


def change_constant(rng, model, nodes):
    tensors = [a.t for n in nodes for a in n.attribute if a.type == A.TENSOR] + list(model.graph.initializer)
    if not tensors:
        return change_attribute(rng, model, nodes)
    tensor = rng.choice(tensors)
    if tensor.data_type == T.INT64:
        values = onnx.numpy_helper.to_array(tensor).copy()
        values.flat[:] = [rng.choice(NUMBERS) for _ in range(values.size)]
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def change_operator(rng, model, nodes, ops):
    rng.choice(nodes).op_type = rng.choice(ops)


def mutate(rng, model, ops):
    result = onnx.ModelProto()
    result.CopyFrom(model)
    nodes = list(result.graph.node)
    changes = [change_input] * 3 + [change_operands] * 2 + [change_attribute] * 3 + [change_constant] * 2 + [change_operator]
    for _ in range(rng.choice([1, 1, 2, 3])):
        change = rng.choice(changes)
        if change is change_operator:
            change(rng, result, nodes, ops)
        elif change is not change_input or result.graph.input:
            change(rng, result, nodes)
    return result


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("compiler")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    arguments = parser.parse_args()
    listing = json.loads(subprocess.run([arguments.compiler, "--list-ops"], check=True, capture_output=True).stdout)
    ops = [op["op"] for op in listing if op["domain"] == "ai.onnx"]
    cases = [c for c in run_node_tests.load_cases() if not c.left_out and c.op in {("ai.onnx", op) for op in ops}]
    if arguments.keep:
        os.makedirs(arguments.keep, exist_ok=True)
    rng = random.Random(arguments.seed)
    print(f"seed {arguments.seed}")
    converted = refused = failed = 0
    with tempfile.TemporaryDirectory(prefix="onnx-mutations.") as folder:
        compiler = run_node_tests.Compiler(os.path.abspath(arguments.compiler), folder)
        for number in range(arguments.count):
            case = rng.choice(cases)
            data = mutate(rng, case.model, ops).SerializeToString()
            path = os.path.join(folder, "m.onnx")
            with open(path, "wb") as file:
                file.write(data)
            problem = compiler.compile(path, os.path.join(folder, "m.so"))
            if problem is None:
                converted += 1
            elif not problem.startswith("the compiler died") and NAMED.search(problem):
                refused += 1
            else:
                failed += 1
                print(f"FAILED {number} (from {case.name}): {problem[:600]}", flush=True)
                if arguments.keep:
                    with open(os.path.join(arguments.keep, f"{number}.onnx"), "wb") as file:
                        file.write(data)
        compiler.stop()
    print(f"{converted} convert all the same, {refused} are refused")
    print(f"{converted + refused} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
