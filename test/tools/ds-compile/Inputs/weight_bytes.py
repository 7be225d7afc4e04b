"""Bytes that a weights file has for the weights of products, beside those of its model's checkpoint.

usage: weight_bytes.py NAME.weights.safetensors TYPE CHECKPOINT

Prints the tensors of the file that are neither of TYPE, nor scales or vectors, and last `N bytes a weight`: what tensors of TYPE and scales take for each
weight of a product of the checkpoint. kv_b_proj, W_UK and W_UV of heads, is left out.
"""
import glob
import json
import math
import os
import sys


def header(path):
    with open(path, "rb") as file:
        tensors = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    tensors.pop("__metadata__", None)
    return tensors


def main():
    path, wanted, folder = sys.argv[1:]
    weights = sum(math.prod(info["shape"]) for shard in glob.glob(os.path.join(folder, "*.safetensors")) for name, info in header(shard).items()
                  if info["dtype"] == "F8_E4M3" and "kv_b_proj" not in name)
    taken = 0
    for name, info in sorted(header(path).items()):
        size = info["data_offsets"][1] - info["data_offsets"][0]
        if info["dtype"] == wanted or "scale" in name:
            taken += size
        elif len(info["shape"]) > 1 and "kv_b_proj" not in name:
            print(f"{name} {info['dtype']} {info['shape']}")
    print(f"{taken / weights:.2f} bytes a weight")


if __name__ == "__main__":
    main()
