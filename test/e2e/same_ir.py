"""Whether two modules are the same model: the two front doors of one model must give the same ds IR.

usage: same_ir.py A.mlir B.mlir

Compares what @step returns, op by op from the results upwards, and the facts and arguments of the model. The order of ops and the names
of symbols do not matter. Parameters and constants are compared by their values, whichever file they lie in: exactly where both are
parameters, else, as numbers of attributes too, within one unit in the last place of f32. A transposed parameter is one of the transposed
values. Prints the first difference; exit code 1 if there is one.
"""
import math
import re
import struct
import sys

# Bytes of an element, and its format for struct.
TYPES = {"f32": (4, "f"), "f64": (8, "d"), "f16": (2, "e"), "bf16": (2, None), "i64": (8, "q"), "i32": (4, "i")}
VALUE = re.compile(r"%[\w.$-]+(?:#\d+)?")
NUMBER = re.compile(r"(?<![\w.<x-])-?\d+\.\d+(?:[eE][+-]?\d+)?")


class Module:
    def __init__(self, path):
        self.parameters, self.ops, self.position = {}, {}, {}
        within = False
        for line in open(path):
            line = line.strip()
            if line.startswith("func.func "):
                # Layers that draft have functions of their own, which no ONNX file of the main model has.
                within = line.startswith("func.func @step(")
            if match := re.match(r"ds\.parameter @(\S+) : tensor<(\S+)> = (.*)", line):
                self.parameters[match[1]] = match[2], match[3]
            elif match := re.match(r"module attributes (\{.*\}) \{", line):
                self.facts = match[1]
            elif match := re.match(r"func\.func @step\((.*)\) -> \((.*)\) attributes", line):
                # The names of arguments are the same in all modules.
                self.signature = match[1] + " -> " + match[2]
            elif within and (match := re.match(r"(%\S+(?:, %\S+)*) = (.*)", line)):
                for i, result in enumerate(match[1].split(", ")):
                    self.ops[result], self.position[result] = match[2], i
            elif within and line.startswith("return"):
                self.results = VALUE.findall(line)

    def values(self, value):
        """(shape, element type, bytes, is a parameter) of a value that is a parameter or a constant; None for others."""
        op = self.ops.get(value, "")
        if match := re.match(r"arith\.constant dense<(.*)> : tensor<((?:\d+x)*)(\w+)>$", op):
            shape = [int(size) for size in match[2].split("x")[:-1]]
            if match[1].startswith('"0x'):
                data = bytes.fromhex(match[1][3:-1])
            else:
                numbers = [float(n) for n in re.findall(r"-?[\d.]+(?:[eE][+-]?\d+)?", match[1])]
                data = b"".join(struct.pack("<" + TYPES[match[3]][1], n if match[3][0] == "f" else int(n)) for n in numbers)
            # One number stands for all.
            size = TYPES[match[3]][0]
            return shape, match[3], data * (math.prod(shape) if len(data) == size else 1), False
        if match := re.match(r"ds\.load_parameter @(\S+) ", op):
            type_, source = self.parameters[match[1]]
            *shape, element = type_.split("x")
            data = b""
            for file, offset, length in re.findall(r'#ds\.file_range<"([^"]+)", (\d+), (\d+)>', source):
                with open(file, "rb") as stream:
                    stream.seek(int(offset))
                    data += stream.read(int(length))
            return [int(size) for size in shape], element, data, True
        match = re.match(r"ds\.transpose (%\S+) \[1, 0\]", op)
        inner = match and self.values(match[1])
        if not inner:
            return None
        (rows, columns), element, data, isParameter = inner
        size = TYPES[element][0]
        return [columns, rows], element, b"".join(
            data[(i * columns + j) * size:][:size] for j in range(columns) for i in range(rows)), isParameter


def numbers_of(values):
    _, element, data, _ = values
    size, code = TYPES[element]
    if element == "bf16":
        data, code = b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2)), "f"
    return struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)


def close(left, right):
    """Equal within one unit in the last place of f32."""
    def unit(x):
        return math.ldexp(1, max(math.frexp(x)[1] - 24, -149))
    return len(left) == len(right) and all(abs(a - b) <= unit(max(abs(a), abs(b))) for a, b in zip(left, right))


def difference(left, right):
    """None, or the first difference of two modules."""
    for name in ("facts", "signature"):
        if getattr(left, name) != getattr(right, name):
            return f"{getattr(left, name)}\n{getattr(right, name)}"
    if len(left.results) != len(right.results):
        return "one returns more values"
    pairs, seen = list(zip(left.results, right.results)), set()
    while pairs:
        a, b = pairs.pop()
        if (a, b) in seen:
            continue
        seen.add((a, b))
        one, other = left.ops.get(a), right.ops.get(b)
        if one is None or other is None:
            if a != b:
                return f"{a} = {one}\n{b} = {other}"
            continue
        if left.position[a] != right.position[b]:
            return f"other results:\n{a} of {one}\n{b} of {other}"
        x, y = left.values(a), right.values(b)
        if x and y:
            same = x[2] == y[2] if x[3] and y[3] else close(numbers_of(x), numbers_of(y))
            if x[:2] != y[:2] or not same:
                return f"other values:\n{a} = {one[:200]}\n{b} = {other[:200]}"
            continue
        shape = [NUMBER.sub("N", VALUE.sub("%", text)) for text in (one, other)]
        if shape[0] != shape[1] or not close([float(n) for n in NUMBER.findall(one)], [float(n) for n in NUMBER.findall(other)]):
            return f"{a} = {one}\n{b} = {other}"
        pairs += zip(VALUE.findall(one), VALUE.findall(other))
    return None if seen else "nothing was compared"


def main():
    left, right = (Module(path) for path in sys.argv[1:])
    problem = difference(left, right)
    print(problem or f"the same: {len(left.ops)} and {len(right.ops)} ops")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
