"""Compiles an example model and compares its greedy text with expected.json.

usage: run_kjv.py DS_COMPILE FOLDER
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
import abi  # noqa: E402


def main():
    compiler, folder = sys.argv[1:]
    cases = json.load(open(os.path.join(folder, "expected.json")))["cases"]
    # Ids above the tokenizer's exist only in the logits and must never be chosen.
    tokenizer = json.load(open(os.path.join(folder, "tokenizer.json")))
    size = 1 + max(list(tokenizer["model"]["vocab"].values()) + [t["id"] for t in tokenizer["added_tokens"]])
    passed = failed = 0
    with tempfile.TemporaryDirectory() as work:
        library = os.path.join(work, "model.so")
        subprocess.run([compiler, os.path.join(folder, "model.onnx"), "-o", library], check=True)
        model = abi.Model(library)
        for case in cases:
            session = abi.Session(model, 1, len(case["ids"]) + len(case["greedy"]))
            logits, _ = session.step([case["ids"]], [0], [0], False)
            ids, length = [int(logits[0, :size].argmax())], len(case["ids"])
            while len(ids) < len(case["greedy"]):
                logits, _ = session.step([[ids[-1]]], [length], [0], False)
                length += 1
                ids.append(int(logits[0, :size].argmax()))
            if ids == case["greedy"]:
                passed += 1
            else:
                failed += 1
                print(f"FAILED {case['prompt']!r}: {ids} instead of {case['greedy']}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
