"""Compiles a graph that returns expressions of parameters and compares the weights file with its own values: parameter_values.py DS-COMPILE FOLDER"""
import json
import os
import random
import struct
import subprocess
import sys

GRAPH = """module {{
  ds.parameter @w : tensor<40x24xf32> = [#ds.file_range<"{data}", 3, 3840>]
  ds.parameter @h : tensor<8x24xbf16> = [#ds.file_range<"{data}", 5001, 384>]
  ds.parameter @q : tensor<6x32xui4> = [#ds.file_range<"{data}", 6000, 48>, #ds.file_range<"{data}", 7000, 48>]
  ds.parameter @s : tensor<6x2xf32> = [#ds.file_range<"{data}", 8000, 48>]
  ds.parameter @i : tensor<3xi64> = dense<[5, -1, 0]> : tensor<3xi64>
  func.func @graph() -> (tensor<24x40xf32> {{ds.name = "t"}}, tensor<48x24xf32> {{ds.name = "c"}}, tensor<6x32xf32> {{ds.name = "d"}},
      tensor<5x24xf32> {{ds.name = "r"}}, tensor<3x32xui4> {{ds.name = "g"}}, tensor<8x24xi1> {{ds.name = "b"}}) attributes {{ds.entry = "graph"}} {{
    %w = ds.load_parameter @w : tensor<40x24xf32>
    %t = ds.transpose %w [1, 0] : tensor<40x24xf32> to tensor<24x40xf32>
    %h = ds.load_parameter @h : tensor<8x24xbf16>
    %f = ds.cast %h : tensor<8x24xbf16> to tensor<8x24xf32>
    %c = ds.concat 0 %w, %f : (tensor<40x24xf32>, tensor<8x24xf32>) -> tensor<48x24xf32>
    %q = ds.load_parameter @q : tensor<6x32xui4>
    %s = ds.load_parameter @s : tensor<6x2xf32>
    %z = arith.constant dense<8> : tensor<6x2xui4>
    %d = ds.dequantize %q scale %s : tensor<6x2xf32> zero_point %z : tensor<6x2xui4> {{axis = 1 : i64, block_size = 16 : i64}} : tensor<6x32xui4> to tensor<6x32xf32>
    %r = ds.slice %w [7, 0] [5, 24] [1, 1] : tensor<40x24xf32> to tensor<5x24xf32>
    %i = ds.load_parameter @i : tensor<3xi64>
    %g = ds.gather %q, %i 0 : tensor<6x32xui4>, tensor<3xi64> to tensor<3x32xui4>
    %b = ds.cast %h : tensor<8x24xbf16> to tensor<8x24xi1>
    return %t, %c, %d, %r, %g, %b : tensor<24x40xf32>, tensor<48x24xf32>, tensor<6x32xf32>, tensor<5x24xf32>, tensor<3x32xui4>, tensor<8x24xi1>
  }}
}}
"""


def packed(kind, rows):
    return b"".join(struct.pack(f"<{len(row)}{kind}", *row) for row in rows)


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def main():
    compiler, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    source = random.Random(0)
    data = bytearray(source.randbytes(9000))

    def matrix(rows, columns):
        return [[f32(source.gauss(0, 1)) for _ in range(columns)] for _ in range(rows)]

    w, s = matrix(40, 24), matrix(6, 2)
    # bf16: the upper halves of f32.
    h = [[struct.unpack("<f", struct.pack("<f", x)[2:].rjust(4, b"\0"))[0] for x in row] for row in matrix(8, 24)]
    h[2][3] = 0.0
    # Offsets as they come: not even aligned to an element.
    data[3:3843], data[8000:8048] = packed("f", w), packed("f", s)
    data[5001:5385] = b"".join(struct.pack("<f", x)[2:] for row in h for x in row)
    pairs = data[6000:6048] + data[7000:7048]
    elements = [nibble for pair in pairs for nibble in (pair & 15, pair >> 4)]
    q = [elements[32 * i:32 * i + 32] for i in range(6)]
    with open(os.path.join(folder, "data"), "wb") as f:
        f.write(data)
    with open(os.path.join(folder, "graph.mlir"), "w") as f:
        f.write(GRAPH.format(data=os.path.join(folder, "data")))
    subprocess.run([compiler, os.path.join(folder, "graph.mlir"), "-o", os.path.join(folder, "out.so"), "--cpu=native"], check=True)
    with open(os.path.join(folder, "out.weights.safetensors"), "rb") as f:
        raw = f.read()
    start = 8 + int.from_bytes(raw[:8], "little")
    stored = []
    for entry in json.loads(raw[8:start]).values():
        begin, end = entry["data_offsets"]
        if (start + begin) % 64:
            sys.exit("an offset is no multiple of 64")
        stored.append((entry["shape"], raw[start + begin:start + end]))
    dequantised = [[f32((x - 8) * s[i][j // 16]) for j, x in enumerate(row)] for i, row in enumerate(q)]
    wanted = {"t": ([24, 40], packed("f", list(zip(*w)))), "c": ([48, 24], packed("f", w + h)), "d": ([6, 32], packed("f", dequantised)),
              "r": ([5, 24], packed("f", w[7:12])), "g": ([3, 32], packed("B", [q[5], q[5], q[0]])),
              "b": ([8, 24], packed("B", [[x != 0 for x in row] for row in h]))}
    for name, value in wanted.items():
        if value not in stored:
            sys.exit(f"'{name}' is not in the weights file")
    # No source of a computed parameter is left.
    if len(stored) != len(wanted):
        sys.exit(f"{len(stored)} parameters, expected {len(wanted)}")
    print("values agree")


main()
