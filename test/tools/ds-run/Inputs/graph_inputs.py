"""graph_inputs.py IO RUN IN OUT [--drop=N] [--add=N] [--retype=N] [--cut=N]

Splits the tensors of one run of an io.safetensors into the inputs and outputs of the graph; the options spoil one input.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from tensors import read, write  # noqa: E402

path, run, ins, outs = sys.argv[1:5]
tensors = read(path)
inputs = {name[len(run) + 7:]: value for name, value in tensors.items() if name.startswith(run + ".input.")}
outputs = {name[len(run) + 8:]: value for name, value in tensors.items() if name.startswith(run + ".output.")}
for option in sys.argv[5:]:
    what, name = option.lstrip("-").split("=")
    if what == "drop":
        del inputs[name]
    elif what == "add":
        inputs[name] = ("F32", [2], bytes(8))
    elif what == "retype":
        dtype, shape, data = inputs[name]
        inputs[name] = ("I32", shape, data[:len(data) // 2])
    elif what == "cut":
        dtype, shape, data = inputs[name]
        inputs[name] = (dtype, shape[:-1] + [shape[-1] - 1], data[:len(data) // shape[-1] * (shape[-1] - 1)])
write(ins, inputs)
write(outs, outputs)
