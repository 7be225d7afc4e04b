"""Looks into safetensors files, with the standard library alone.

tensors.py list F              names, types and shapes
tensors.py line F I OUT        the rows of logits of line I of a batch, as the file of that line alone
tensors.py same A B PREFIX [SUFFIX]  the tensors that A and B both have and whose names start (and end) so have the same bytes
tensors.py close A B LIMIT [PREFIX [SUFFIX]]  the tensors that A and B both have (whose names start and end so) differ by no more (f32)
tensors.py bf16 F PREFIX       how many f32 tensors whose names start so hold values of bf16 alone
"""
import array
import json
import sys


def read(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    return {name: (info["dtype"], info["shape"], data[slice(*info["data_offsets"])]) for name, info in header.items()
            if name != "__metadata__"}


def write(path, tensors):
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


def named(name, ends):
    return name.startswith("".join(ends[:1])) and name.endswith("".join(ends[1:]))


def main():
    command, path = sys.argv[1:3]
    tensors = read(path)
    if command == "list":
        for name in sorted(tensors):
            print(name, tensors[name][0], tensors[name][1])
    elif command == "line":
        starts = array.array("q", tensors["row_start"][2])
        line, (dtype, (_, width), data) = int(sys.argv[3]), tensors["logits"]
        first, last = starts[line], starts[line + 1]
        assert last > first
        write(sys.argv[4], {"logits": (dtype, [last - first, width], data[first * width * 4:last * width * 4])})
    elif command == "same":
        other = read(sys.argv[3])
        common = [name for name in tensors if name in other and named(name, sys.argv[4:])]
        for name in common:
            assert tensors[name] == other[name], name
        print("the same:", len(common))
    elif command == "close":
        other, limit, common = read(sys.argv[3]), float(sys.argv[4]), 0
        for name in sorted(name for name in tensors.keys() & other.keys() if named(name, sys.argv[5:])):
            (dtype, shape, data), (_, shape2, data2) = tensors[name], other[name]
            assert dtype == "F32" and shape == shape2, (name, dtype, shape, shape2)
            error = max(abs(a - b) for a, b in zip(array.array("f", data), array.array("f", data2)))
            assert error <= limit, (name, error)
            common += 1
        print("equal enough:", common)
    elif command == "bf16":
        # Little-endian: the low half of each value comes first.
        print("bf16 values alone:", sum(name.startswith(sys.argv[3]) and dtype == "F32" and not any(array.array("H", data)[::2])
                                        for name, (dtype, _, data) in tensors.items()))


if __name__ == "__main__":
    main()
