"""Drafts change the speed of a text and nothing else: ds-run with and without --draft on an example model.

usage: run_drafts.py DS_COMPILE DS_RUN FOLDER

FOLDER: a checkpoint with a layer that predicts a token further on, and its expected.json. In f32 the prompts of expected.json give its ids,
and as many drafts and accepted drafts as the float64 program that made it counted. As compiled by default, 200 prompts cut out of these
texts give the same ids in a batch with 1, 2 and 5 drafts a step as without, and the bits of the logits that chose them are the same.
Prints a line per failure and, last, `N passed, N failed`.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from run_golden import read  # noqa: E402


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(result.stderr.strip()[:300])
    return result


def counted(ds_run, library, case, k):
    """The problems of one case of expected.json with k drafts a step."""
    prompt = ",".join(map(str, case["ids"]))
    result = run(ds_run, library, "--token-ids=" + prompt, f"-n{len(case['greedy'])}", "--ignore-eos", "--print-ids", f"--draft={k}", "--stats")
    ids = [int(i) for i in result.stdout.strip().split(",")]
    if ids != case["greedy"]:
        return [f"{ids} instead of {case['greedy']}"]
    stats, want = json.loads(result.stderr.strip().splitlines()[-1]), case[f"draft{k}"]
    got = {"calls": stats["drafted"] // k, "drafted": stats["drafted"], "accepted": stats["accepted"]}
    steps = (want["calls"] + want["accepted"]) / want["calls"]
    if got != want or abs(stats["tokens_per_step"] - steps) > 1e-9:
        return [f"{got}, {stats['tokens_per_step']} tokens a step; expected {want}, {steps}"]
    return []


def same_as_without(ds_run, library, cases, work):
    """The problems of 200 prompts, by number of drafts."""
    texts = [case["ids"] + case["greedy"] for case in cases]
    choose = random.Random(1)
    batch = os.path.join(work, "batch.jsonl")
    with open(batch, "w") as file:
        for _ in range(200):
            text = choose.choice(texts)
            start = choose.randrange(len(text) - 1)
            ids = text[start: start + choose.randrange(1, 40)]
            file.write(json.dumps({"token_ids": ids, "n": choose.randrange(1, 30)}) + "\n")
    answers, logits, problems = {}, {}, {}
    for k in (0, 1, 2, 5):
        out = os.path.join(work, "logits.safetensors")
        options = [f"--draft={k}"] if k else []
        text = run(ds_run, library, "--batch=" + batch, "--print-ids", "--logits-out=" + out, "--stats", *options)
        answers[k] = [json.loads(line) for line in text.stdout.splitlines()]
        logits[k] = read(out)
        stats = json.loads(text.stderr.strip().splitlines()[-1])
        problems[k] = []
        if k and not 0 < stats["accepted"] < stats["drafted"]:
            problems[k].append(f"{stats['accepted']} of {stats['drafted']} drafts accepted: the test does not see both")
        if k and len(logits[k]["draft_position"]) != stats["drafted"]:
            problems[k].append(f"{len(logits[k]['draft_position'])} rows of drafts written, {stats['drafted']} drafted")
        if answers[k] != answers[0]:
            wrong = sum(a != b for a, b in zip(answers[k], answers[0]))
            problems[k].append(f"{wrong} of 200 answers differ from those without drafts")
        elif not np.array_equal(logits[k]["logits"].view(np.uint32), logits[0]["logits"].view(np.uint32)):
            problems[k].append("the bits of the logits differ from those without drafts")
    return problems


def main():
    ds_compile, ds_run, folder = sys.argv[1:]
    cases = json.load(open(os.path.join(folder, "expected.json")))["cases"]
    passed = failed = 0

    def count(name, problems):
        nonlocal passed, failed
        passed, failed = passed + (not problems), failed + bool(problems)
        for problem in problems:
            print(f"FAILED {name}: {problem}")

    with tempfile.TemporaryDirectory() as work:
        exact, fast = os.path.join(work, "exact.so"), os.path.join(work, "fast.so")
        run(ds_compile, folder, "--precision=exact", "--cpu=native", "-o", exact)
        for case in cases:
            for k in (1, 2):
                count(f"{case['prompt']!r}, {k} drafts", counted(ds_run, exact, case, k))
        run(ds_compile, folder, "--cpu=native", "-o", fast)
        for k, problems in same_as_without(ds_run, fast, cases, work).items():
            count(f"200 prompts, {k} drafts", problems)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
