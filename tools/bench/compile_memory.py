"""Peak memory of ds-compile on models with random weights: it must stay below weights * 1.1 + 1 GB.

usage: compile_memory.py DS-COMPILE [--megabytes 1024]

Two models of that size: a LLaMA as llama_onnx.py writes it, and a stack of products whose weights are stored [inputs, outputs], so that the
parameter program transposes every one. Prints one line a model; the exit code is 1 where the bound does not hold.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper

import llama_onnx


def llama(folder, size):
    """44 MB of f32 a layer of width 1024, and a table of 16 MB."""
    layers = max(1, (size - (16 << 20)) // (44 << 20))
    arguments = ["--hidden", "1024", "--heads", "16", "--kv-heads", "4", "--intermediate", "2816", "--vocabulary", "4096", "--layers", str(layers)]
    subprocess.run([sys.executable, llama_onnx.__file__, folder, *arguments], check=True)


def transposed(folder, size):
    width, inner = 2048, 8192
    pairs = max(1, size // (2 * width * inner * 4))
    random, nodes, initializers, x = np.random.default_rng(0), [], [], "x"
    with open(os.path.join(folder, "model.data"), "wb") as data:
        for i in range(pairs):
            for name, shape in ((f"up_{i}", (width, inner)), (f"down_{i}", (inner, width))):
                weight = TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
                for key, value in (("location", "model.data"), ("offset", data.tell()), ("length", shape[0] * shape[1] * 4)):
                    weight.external_data.add(key=key, value=str(value))
                data.write(random.standard_normal(shape, np.float32).tobytes())
                initializers.append(weight)
                nodes.append(helper.make_node("MatMul", [x, name], ["y_" + name]))
                x = "y_" + name
    graph = helper.make_graph(nodes, "products", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", width])],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["rows", width])], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), os.path.join(folder, "model.onnx"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("compiler")
    parser.add_argument("--megabytes", type=int, default=1024)
    args = parser.parse_args()
    good = True
    for make in (llama, transposed):
        with tempfile.TemporaryDirectory() as folder:
            make(folder, args.megabytes << 20)
            weights = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
            command = [args.compiler, os.path.join(folder, "model.onnx"), "-o", os.path.join(folder, "out.so"), "--cpu=native"]
            start = time.monotonic()
            child = subprocess.Popen(command)
            _, status, usage = os.wait4(child.pid, 0)
            seconds, peak, limit = time.monotonic() - start, usage.ru_maxrss << 10, weights * 1.1 + 2**30
            written = os.path.getsize(os.path.join(folder, "out.weights.safetensors")) if status == 0 else 0
            holds = status == 0 and peak <= limit
            good &= holds
            print(f"{make.__name__}: {weights >> 20} MB of weights, {written >> 20} MB written in {seconds:.1f} s, peak {peak >> 20} MB, "
                  f"allowed {int(limit) >> 20} MB: {'holds' if holds else 'DOES NOT HOLD'}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
