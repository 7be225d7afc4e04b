"""Writes golden/experts/onnx/*: onnxruntime's MoE and QMoE, with what onnxruntime on a CPU computes of them.

usage: make_expert_ops.py GOLDEN

Needs onnxruntime, which the tests do not. Block-wise 8-bit experts are left out: there it rounds activations to 8 bits, too.
"""
import json
import os
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

EXPERTS, INNER, WIDTH, K = 6, 32, 32, 2


def quantised(random, rows, columns, bits, block, zero_points):
    """Weights, scales and zero points (or None) as QMoE takes them."""
    blocks = columns // block if block else 1
    packed = random.integers(0, 256, (EXPERTS, rows, columns * bits // 8), np.uint8)
    scales = (random.random((EXPERTS, rows, blocks)) * 0.4 / 2 ** (bits - 1) + 0.02 / 2 ** (bits - 4)).astype(np.float32)
    zeros = random.integers(96, 160, (EXPERTS, rows, max(1, blocks * bits // 8)), np.uint8) if zero_points else None
    return packed, scales if block else scales[..., 0], zeros if block or zeros is None else zeros[..., 0]


def write(folder, op, inputs, weights, attributes):
    """`inputs`: names in the operator's order, "" where one is left out."""
    os.makedirs(folder, exist_ok=True)
    random = np.random.default_rng(2)
    shapes = {"tokens": ["batch", "sequence", WIDTH], "logits": ["rows", EXPERTS]}
    node = helper.make_node(op, ["tokens", "logits", *inputs], ["mixed"], domain="com.microsoft", k=K, **attributes)
    graph = helper.make_graph([node], "experts", [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()],
                              [helper.make_tensor_value_info("mixed", TensorProto.FLOAT, shapes["tokens"])],
                              [numpy_helper.from_array(v, n) for n, v in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    with open(os.path.join(folder, "model.onnx"), "wb") as file:
        file.write(model.SerializeToString())
    session = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx"), providers=["CPUExecutionProvider"])
    tensors = {}
    for run, (batch, length) in {"one": (1, 1), "some": (2, 7)}.items():
        given = {"tokens": random.standard_normal((batch, length, WIDTH)).astype(np.float32),
                 "logits": random.standard_normal((batch * length, EXPERTS)).astype(np.float32)}
        tensors |= {f"{run}.input.{name}": value for name, value in given.items()}
        tensors[f"{run}.output.mixed"] = session.run(None, given)[0]
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "io.safetensors"), "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(tensor.tobytes())
    about = {"exporter": "test/e2e/make_expert_ops.py", "expected_outputs_from": f"onnxruntime {onnxruntime.__version__} CPU on this file",
             "layers": "none", "arithmetic": "f32", "tolerance": 1e-5}
    json.dump(about, open(os.path.join(folder, "about.json"), "w"), indent=1)
    print(folder, np.abs(tensors["some.output.mixed"]).max())


def main():
    base = os.path.join(sys.argv[1], "experts", "onnx")
    random = np.random.default_rng(1)
    swiglu = {"activation_type": "swiglu", "swiglu_fusion": 1, "activation_alpha": 1.0, "activation_beta": 0.0}
    for name, normalize in ("moe", 0), ("moe-normalized", 1):
        weights = {"fc1": random.standard_normal((EXPERTS, 2 * INNER, WIDTH)).astype(np.float32) / 6,
                   "fc2": random.standard_normal((EXPERTS, WIDTH, INNER)).astype(np.float32) / 6}
        write(os.path.join(base, name), "MoE", ["fc1", "", "fc2"], weights, {**swiglu, "normalize_routing_weights": normalize})
    for name, bits, block, zero_points in (("qmoe-int4", 4, 16, False), ("qmoe-int4-zero-points", 4, 16, True), ("qmoe-int4-rows", 4, 0, False),
                                           ("qmoe-int8-rows", 8, 0, False), ("qmoe-int8-rows-zero-points", 8, 0, True)):
        fc1, s1, z1 = quantised(random, 2 * INNER, WIDTH, bits, block, zero_points)
        fc2, s2, z2 = quantised(random, WIDTH, INNER, bits, block, zero_points)
        weights = {"fc1": fc1, "s1": s1, "fc2": fc2, "s2": s2}
        inputs = ["fc1", "s1", "", "fc2", "s2"]
        if zero_points:
            weights |= {"z1": z1, "z2": z2}
            inputs += ["", "", "", "", "z1", "z2"]
        attributes = {**swiglu, "expert_weight_bits": bits, **({"block_size": block} if block else {})}
        write(os.path.join(base, name), "QMoE", inputs, weights, attributes)


if __name__ == "__main__":
    main()
