"""Writes an ONNX model whose experts stand one by one, as exporters unroll them: LAYERS layers of EXPERTS experts, 3 products each.

usage: make_experts.py OUT.onnx [--layers=26] [--experts=64] [--width=32]

Each layer adds to its tokens what 4 of its experts make of them: softmax of a router, top-k, and for every expert its feed-forward
network on all tokens times a weight that is 0 where it was not chosen. Random weights. With the defaults some 5,000 products: what the
compiler needs for them (time, memory) must grow with the number of nodes, not with its square.
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def make_model(layers, experts, width, seed=0):
    rng = np.random.default_rng(seed)
    nodes, weights = [], []

    def weight(name, *shape):
        weights.append(numpy_helper.from_array((rng.standard_normal(shape) / shape[0] ** 0.5).astype(np.float32), name))
        return name

    def number(name, value, dtype=np.int64):
        weights.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def node(op, inputs, outputs, **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return outputs[0]

    k, last = number("k", [4]), number("last", [-1])
    numbers = [number(f"expert_{e}", e) for e in range(experts)]
    x = "x"
    for layer in range(layers):
        p = f"layer{layer}."
        scores = node("Softmax", [node("MatMul", [x, weight(p + "router", width, experts)], p + "logits")], p + "scores", axis=-1)
        node("TopK", [scores, k], [p + "weights", p + "chosen"], axis=-1)
        total = None
        for e in range(experts):
            q = f"{p}expert{e}."
            gate = node("MatMul", [x, weight(q + "gate_proj", width, width)], q + "gate")
            up = node("MatMul", [x, weight(q + "up_proj", width, width)], q + "up")
            silu = node("Mul", [gate, node("Sigmoid", [gate], q + "sigmoid")], q + "silu")
            y = node("MatMul", [node("Mul", [silu, up], q + "hidden"), weight(q + "down_proj", width, width)], q + "out")
            hit = node("Cast", [node("Equal", [p + "chosen", numbers[e]], q + "equal")], q + "hit", to=TensorProto.FLOAT)
            mixing = node("ReduceSum", [node("Mul", [p + "weights", hit], q + "masked"), last], q + "mixing", keepdims=1)
            part = node("Mul", [y, mixing], q + "part")
            total = part if total is None else node("Add", [total, part], q + "total")
        x = node("Add", [x, total], p + "x")
    graph = helper.make_graph(nodes, "experts", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "sequence", width])],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["batch", "sequence", width])], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--layers", type=int, default=26)
    parser.add_argument("--experts", type=int, default=64)
    parser.add_argument("--width", type=int, default=32)
    args = parser.parse_args()
    onnx.save(make_model(args.layers, args.experts, args.width), args.out)


if __name__ == "__main__":
    main()
