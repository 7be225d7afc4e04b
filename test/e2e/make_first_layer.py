"""Writes v1-gqa/first_layer.safetensors: what the golden data's own float64 program says of the checkpoint cut to its first layer.

usage: make_first_layer.py GOLDEN OUTPUT      GOLDEN has make/reference.py and v1-gqa/

Most exporters' files of v1-gqa hold one layer only, and golden.safetensors is of all four.
"""
import json
import os
import pathlib
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from run_golden import read  # noqa: E402


def write(tensors, path):
    header, data = {}, b""
    for name, value in tensors.items():
        value = value if value.dtype.kind == "i" else value.astype(np.float32)
        kind = {"i": "I", "f": "F"}[value.dtype.kind] + str(8 * value.itemsize)
        header[name] = {"dtype": kind, "shape": value.shape, "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text + data)


def main():
    golden, output = pathlib.Path(sys.argv[1]), sys.argv[2]
    sys.path.insert(0, str(golden / "make"))
    import reference
    model = reference.Model(golden / "v1-gqa")
    model.layers = 1
    cases = read(golden / "v1-gqa" / "golden.safetensors")
    tensors = {}
    for name in ("single", "long"):
        ids, cache = cases[name + ".ids"], model.new_cache()
        hidden, logits = model.forward(ids, cache)
        tensors[name + ".ids"] = ids
        if name == "long":
            tensors["long.logits"] = logits[-1].astype(np.float32)
            continue
        tensors |= {"single.logits": logits, "single.hidden": hidden, "cache.0.k": cache.a[0], "cache.0.v": cache.b[0]}
    row = cases["batch.mask"][1] != 0
    tensors["batch.logits_short"] = model.forward(cases["batch.ids"][1][row], model.new_cache())[1]
    tensors |= {n: cases[n] for n in ("batch.ids", "batch.mask")}
    write(tensors, output)


if __name__ == "__main__":
    main()
