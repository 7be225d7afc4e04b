"""Perplexity of --precision=fast beside exact, on text that the model wrote itself at temperature 1.

usage: perplexity.py BIN MODEL.onnx [--tokens 20000] [--sequence 500] [--seed 1]

BIN is the folder with ds-compile and ds-run. Prints both perplexities and the ratio fast / exact.
"""
import argparse
import json
import os
import subprocess
import tempfile

import numpy as np


def read_logits(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    start, end = header["logits"]["data_offsets"]
    return np.frombuffer(data[start:end], np.float32).reshape(header["logits"]["shape"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("model")
    parser.add_argument("--tokens", type=int, default=20000)
    parser.add_argument("--sequence", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    config = json.load(open(os.path.join(os.path.dirname(args.model), "config.json")))
    loss = {"exact": 0.0, "fast": 0.0}
    count = 0
    with tempfile.TemporaryDirectory() as work:
        for precision in loss:
            subprocess.run([os.path.join(args.bin, "ds-compile"), args.model, "--cpu=native", f"--precision={precision}",
                            "-o", os.path.join(work, precision + ".so")], check=True)

        def run(precision, ids, *options):
            return subprocess.run([os.path.join(args.bin, "ds-run"), os.path.join(work, precision + ".so"), "--ignore-eos", "--print-ids",
                                   "--token-ids=" + ",".join(map(str, ids)), *options], check=True, capture_output=True, text=True).stdout

        sequence = 0
        while count < args.tokens:
            ids = [config["bos_token_id"]]
            text = run("exact", ids, f"-n{args.sequence}", "--temperature=1", f"--seed={args.seed + sequence}")
            ids += [int(i) for i in text.strip().splitlines()[-1].split(",")]
            for precision in loss:
                out = os.path.join(work, "logits.safetensors")
                run(precision, ids, "-n1", f"--logits-out={out}", "--all-logits")
                logits = read_logits(out)[: len(ids) - 1].astype(np.float64)
                top = logits.max(axis=1)
                log_sum = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
                loss[precision] += (log_sum - logits[np.arange(len(ids) - 1), ids[1:]]).sum()
            count += len(ids) - 1
            sequence += 1
    exact, fast = (np.exp(loss[p] / count) for p in ("exact", "fast"))
    print(f"{count} tokens: exact {exact:.4f}, fast {fast:.4f}, fast / exact {fast / exact:.5f}")


if __name__ == "__main__":
    main()
