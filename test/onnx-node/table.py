"""docs/onnx-ops.md: the operators that convert, from `ds-compile --list-ops` and the results of ONNX's node tests."""
import onnx

HEADER = """# ONNX operators

Written by `test/onnx-node/run_node_tests.py DS_COMPILE docs/onnx-ops.md --write` from `ds-compile --list-ops` and the node tests of
the `onnx` package ({version}: {total} cases); the test fails where this file is not what it gives.

{passed} cases pass, {plain} of them not `_expanded` ones (an expanded case is the operator's function body in place of the operator).
Opsets: the operator's versions that convert. Left out: cases that are not run, by the reason: element types (float4, float8 other
than e4m3fn and e5m2, 2-bit integers, complex, strings), sequences and optionals, training mode with random numbers.

| operator | domain | opsets | cases passed | expanded passed | left out |
|---|---|---|---|---|---|
"""


def ratio(counts, kind):
    return f"{counts[kind + ' passed']}/{counts[kind]}" if counts[kind] else "-"


def opsets(op):
    return str(op["min_version"]) if op["min_version"] == op["max_version"] else f"{op['min_version']}-{op['max_version']}"


def text(listing, counts, passed, plain, total):
    lines = [HEADER.format(version=onnx.__version__, total=total, passed=passed, plain=plain)]
    for op in sorted(listing, key=lambda o: (o["domain"] != "ai.onnx", o["domain"], o["op"])):
        mine = counts[(op["domain"], op["op"])]
        left_out = ", ".join(f"{n} {reason.removeprefix('without: ')}" for reason, n in sorted(mine.items())
                             if reason.startswith("without: "))
        lines.append(f"| {op['op']} | {op['domain']} | {opsets(op)} | {ratio(mine, 'plain')} | {ratio(mine, 'expanded')} | "
                     f"{left_out or '-'} |\n")
    return "".join(lines)


def check(path, wanted, write):
    """Writes the table, or says how the file differs from it."""
    if write:
        with open(path, "w", encoding="utf-8") as file:
            file.write(wanted)
        return None
    try:
        with open(path, encoding="utf-8") as file:
            have = file.read()
    except FileNotFoundError:
        have = ""
    if have == wanted:
        return None
    for number, (a, b) in enumerate(zip(have.splitlines(), wanted.splitlines()), 1):
        if a != b:
            return f"{path} is stale (line {number}: '{a}' instead of '{b}'); write it again with --write"
    return f"{path} is stale; write it again with --write"
