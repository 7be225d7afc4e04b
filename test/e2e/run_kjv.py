"""Compiles an example model from its ONNX file and from its checkpoint folder, and compares its greedy text with expected.json.

usage: run_kjv.py DS_COMPILE FOLDER [FLAGS]

FLAGS are of ds-compile: without --precision=exact a model with experts says something else where rounding chooses other ones.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
import abi  # noqa: E402
from run_golden import greedy  # noqa: E402


def main():
    compiler, folder, *flags = sys.argv[1:]
    cases = json.load(open(os.path.join(folder, "expected.json")))["cases"]
    # Ids above the tokenizer's exist only in the logits and must never be chosen.
    tokenizer = json.load(open(os.path.join(folder, "tokenizer.json")))
    size = 1 + max(list(tokenizer["model"]["vocab"].values()) + [t["id"] for t in tokenizer["added_tokens"]])
    passed = failed = 0
    for source in (os.path.join(folder, "model.onnx"), folder):
        with tempfile.TemporaryDirectory() as work:
            library = os.path.join(work, "model.so")
            subprocess.run([compiler, source, *flags, "-o", library], check=True)
            model = abi.Model(library)
        for case in cases:
            session = abi.Session(model, 1, len(case["ids"]) + len(case["greedy"]))
            _, ids = greedy(session, case["ids"], len(case["greedy"]), size=size)
            if ids == case["greedy"]:
                passed += 1
            else:
                failed += 1
                print(f"FAILED {source} {case['prompt']!r}: {ids} instead of {case['greedy']}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
