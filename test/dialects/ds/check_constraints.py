"""Holds specification, verifiers and tests of a dialect together.

usage: check_constraints.py FOLDER_OF_THE_DIALECT INVALID.MLIR...

Every constraint `Cn` of an op's description (*.td) must be cited by the op's
verifier (*.cpp) and by a test of the invalid*.mlir files, numbers must count
from 1, and nothing may cite a constraint that the description does not have.
"""

import collections
import pathlib
import re
import sys

# Definitions that are no ops, by the name that messages give them.
OTHERS = {
    "Ds_Dialect": "ds.entry",
    "Ds_FileRangeAttr": "ds.file_range",
    "Onnx_FileRangeAttr": "onnx.file_range",
}
# Ops that traits say all about.
UNCONSTRAINED = {"onnx.absent", "onnx.return", "ds.dot_bytes", "ds.lookup_bytes"}


def described(folder):
    """name → numbers, and C++ class → name, from the descriptions."""
    constraints, classes = {}, {}
    for path in sorted(folder.glob("*.td")):
        for chunk in re.split(r"^(?=def )", path.read_text(), flags=re.M):
            head = re.match(r'def ((\w+?)_\w+Op) : \w+<"(\w+)"', chunk)
            other = re.match(r"def (\w+) ", chunk)
            if head:
                name = f"{head[2].lower()}.{head[3]}"
                classes[head[1].removeprefix(head[2] + "_")] = name
            elif other and other[1] in OTHERS:
                name = OTHERS[other[1]]
            else:
                continue
            constraints[name] = [int(n) for n in re.findall(r"\* `C(\d+)`:", chunk)]
    return constraints, classes


def verified(folder, classes):
    """name → numbers that the verifiers of ops cite."""
    cited = collections.defaultdict(set)

    def numbers(body):
        return {int(n) for n in re.findall(r'"C(\d+)', body)}

    for path in sorted(folder.glob("*.cpp")):
        text = path.read_text()
        # Verifiers share helpers that cite for them.
        helpers = {
            name: numbers(body)
            for name, body in re.findall(r"^(?:template <.*> ?)?static LogicalResult\s+(\w+)\(.*?\{\n(.*?)^\}", text, flags=re.M | re.S)
        }
        for op, body in re.findall(
            r"^LogicalResult\s+(\w+)::verify(?:SymbolUses)?\(.*?\{\n(.*?)^\}", text, flags=re.M | re.S
        ):
            if op not in classes:
                continue
            cited[classes[op]] |= numbers(body)
            for called in re.findall(r"\b(\w+)\(", body):
                cited[classes[op]] |= helpers.get(called, set())
    return cited


def tested(paths):
    """name → numbers that the tests expect."""
    cited = collections.defaultdict(set)
    for path in paths:
        for name, number in re.findall(r"expected-error.*?'((?:ds|onnx)\.\w+)' (?:op )?C(\d+):", path.read_text()):
            cited[name].add(int(number))
    return cited


def main():
    folder, *invalid = map(pathlib.Path, sys.argv[1:])
    constraints, classes = described(folder)
    by_verifier, by_test = verified(folder, classes), tested(invalid)
    problems = []
    for name, numbers in constraints.items():
        if not numbers and name not in UNCONSTRAINED:
            problems.append(f"{name} has no constraint in its description")
        if numbers != list(range(1, len(numbers) + 1)):
            problems.append(f"the constraints of {name} do not count from C1: {numbers}")
        sources = {"test in " + " or ".join(path.name for path in invalid): by_test[name]}
        if name in classes.values():
            sources["verifier"] = by_verifier[name]
        for source, cited in sources.items():
            problems += [f"{name} C{n} is cited by no {source}" for n in numbers if n not in cited]
            problems += [f"a {source} cites {name} C{n}, which the description does not have" for n in cited - set(numbers)]
    problems += [f"a test cites {name}, which has no description" for name in by_test.keys() - constraints.keys()]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(constraints)} definitions, {sum(map(len, constraints.values()))} constraints, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
