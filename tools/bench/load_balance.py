"""How the routing biases balance the load of experts, from zero, on text that the model wrote itself at temperature 1.

usage: load_balance.py BIN FOLDER [--steps 500] [--tokens 1024] [--texts 8] [--gamma 0.002] [--every 25] [--seed 1] [--csv FILE]

BIN is the folder with ds-compile and ds-run, FOLDER a checkpoint of DeepSeek-V3's kind. Each step computes --tokens tokens, --texts texts
that no other step has, with the biases so far, and moves them by --gamma (ds-run --bias, --update-bias, --save-bias). Prints a line every --every steps: of each
layer the largest load of an expert divided by the mean load; then of the last 50 steps the mean of that, the largest, and that of all their
tokens together. --csv has all steps. The layer that drafts is the last column, where there is one.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

BOS = 0


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(result.stderr.strip())
    return result


def write_text(ds_run, model, count, tokens, seed, work):
    """`count` texts of `tokens` ids."""
    texts = []
    share = 64  # of one seed: they begin with different tokens
    for first in range(0, count, share):
        prompts = [[BOS, 100 + i % 3900] for i in range(first, min(first + share, count))]
        answers = run(ds_run, model, "--batch=" + batch(prompts, tokens - 2, work), "--print-ids", "--ignore-eos", "--temperature=1",
                      f"--seed={seed + first}").stdout.splitlines()
        texts += [prompt + json.loads(answer)["token_ids"] for prompt, answer in zip(prompts, answers)]
    return texts


def batch(prompts, count, work):
    """A file of prompts, `count` tokens to generate for each."""
    path = os.path.join(work, "prompts.jsonl")
    with open(path, "w") as file:
        file.writelines(json.dumps({"token_ids": ids, "n": count}) + "\n" for ids in prompts)
    return path


def zero_biases(path):
    """Sets every bias of a saved file to zero."""
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        file.write(bytes(max(info["data_offsets"][1] for info in header.values())))


def largest(loads):
    """Of each layer's loads the largest divided by the mean."""
    return loads.max(1) / loads.mean(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("folder")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--texts", type=int, default=8)
    parser.add_argument("--gamma", type=float, default=0.002)
    parser.add_argument("--every", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--csv")
    args = parser.parse_args()
    ds_run = os.path.join(args.bin, "ds-run")
    has_drafts = json.load(open(os.path.join(args.folder, "config.json"))).get("num_nextn_predict_layers", 0) > 0
    drafts = ["--draft=1"] if has_drafts else []
    with tempfile.TemporaryDirectory() as work:
        model, bias = os.path.join(work, "model.so"), os.path.join(work, "bias.safetensors")
        run(os.path.join(args.bin, "ds-compile"), args.folder, "--cpu=native", "-o", model)
        texts = write_text(ds_run, model, args.steps * args.texts, args.tokens // args.texts, args.seed, work)
        run(ds_run, model, "--token-ids=0", "-n1", "--print-ids", "--save-bias=" + bias)
        zero_biases(bias)
        curve, loads = [], []
        for step in range(args.steps):
            prompts = texts[step * args.texts: (step + 1) * args.texts]
            stats = json.loads(run(ds_run, model, "--batch=" + batch(prompts, 1, work), "--print-ids", "--stats", "--bias=" + bias,
                                   f"--update-bias={args.gamma}", "--save-bias=" + bias, *drafts).stderr.strip().splitlines()[-1])
            loads.append(np.array(stats["expert_load"]))
            curve.append(largest(loads[-1]))
            if step == 0:
                print("step " + "".join(f"  layer {layer:<2}" for layer in stats["expert_load_layers"]))
            if step % args.every == 0 or step == args.steps - 1:
                print(f"{step:4} " + "".join(f"{ratio:10.3f}" for ratio in curve[-1]), flush=True)
    if args.csv:
        np.savetxt(args.csv, curve, fmt="%.4f", delimiter=",", header=",".join(f"layer {layer}" for layer in stats["expert_load_layers"]))
    last = np.array(curve[-50:])
    for name, values in ("mean", last.mean(0)), ("most", last.max(0)), ("all", largest(np.sum(loads[-50:], 0))):
        print(f"{name:4} " + "".join(f"{value:10.3f}" for value in values) + f"   of the last {len(last)} steps")


if __name__ == "__main__":
    main()
