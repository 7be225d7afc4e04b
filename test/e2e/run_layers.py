"""Several layers that predict tokens further on: draft j is made by layer j, those behind the last by that one again.

usage: run_layers.py DS_COMPILE DS_RUN CASE

CASE: a checkpoint of the golden data with one such layer. A second layer is written behind it, the first with every weight changed. Drafts of
ds-run in f32 are compared with what their definition gives in float64 (--ds-reference), without any cache of pairs: layer 0 over the states of
the whole text with the tokens behind them, layer 1 over the states that layer 0 gave. The text is that without drafts.
Prints a line per failure and, last, `N passed, N failed`.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import abi  # noqa: E402
from run_golden import read  # noqa: E402

NAMES = {"float32": "F32", "bfloat16": "BF16"}


def write(path, tensors):
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": NAMES[tensor.dtype.name], "shape": list(tensor.shape), "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(tensor.tobytes())


def add_layer(case, folder):
    """The checkpoint of `case` with a second layer."""
    config = json.load(open(os.path.join(case, "config.json")))
    first = config["num_hidden_layers"]
    assert config["num_nextn_predict_layers"] == 1
    config["num_nextn_predict_layers"] = 2
    json.dump(config, open(os.path.join(folder, "config.json"), "w"))
    tensors, random = read(os.path.join(case, "model.safetensors")), np.random.default_rng(1)
    prefix = f"model.layers.{first}."
    for name in [name for name in tensors if name.startswith(prefix)]:
        tensor = tensors[name].astype(np.float32)
        changed = tensor * (1 + 0.4 * random.standard_normal(tensor.shape))
        tensors[f"model.layers.{first + 1}." + name[len(prefix):]] = changed.astype(tensors[name].dtype)
    write(os.path.join(folder, "model.safetensors"), tensors)


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(result.stderr.strip()[:300])
    return result.stdout


def defined(model, ids, guesses, layers=2):
    """Logits of the drafts behind each of `guesses`, of which the first follows the text `ids`."""
    room = len(ids) + len(guesses) + 1
    _, states = abi.Session(model, 1, room).step([ids], [0], [0])
    everything, logits = [*ids, *guesses], []
    for k in range(min(layers, len(guesses))):
        session = abi.Session(model, 1, room, draft=k)
        rows, states = session.step([everything[k + 1: len(ids) + k + 1]], [0], [0], states=states)
        logits.append(rows[-1])
    state = states[-1:]
    for j in range(len(logits), len(guesses)):
        rows, state = session.step([guesses[j: j + 1]], [len(ids) + j - layers], [0], states=state)
        logits.append(rows[-1])
    return np.stack(logits)


def check_drafts(reference, prompt, ids, drafts, positions, k):
    """The problems of the drafts of one text."""
    text, rounds, matters = [*prompt, *ids], 0, False
    for start in range(0, len(positions) - k + 1, k):
        place = int(positions[start])
        if list(positions[start: start + k]) != list(range(place, place + k)) or place > len(text):
            break  # fewer fit in front of the end
        rows = drafts[start: start + k]
        guesses = [text[place - 1], *(int(row.argmax()) for row in rows[:-1])]
        want = defined(reference, text[: place - 1], guesses)
        error = np.abs(want - rows).max()
        if not error <= 1e-4:
            return [f"{k} drafts at {place}: off by {error:.3g}, allowed 1e-4"]
        rounds += 1
        matters = matters or k == 1 or np.abs(defined(reference, text[: place - 1], guesses, 1)[1:] - rows[1:]).max() > 0.1
    if rounds < 5:
        return [f"{rounds} rounds of {k} drafts alone were compared"]
    return [] if matters else ["the second layer makes no difference: the test does not see it"]


def main():
    ds_compile, ds_run, case = sys.argv[1:]
    passed = failed = 0

    def count(name, problems):
        nonlocal passed, failed
        passed, failed = passed + (not problems), failed + bool(problems)
        for problem in problems:
            print(f"FAILED {name}: {problem}")

    with tempfile.TemporaryDirectory() as work:
        add_layer(case, work)
        library, slow = os.path.join(work, "model.so"), os.path.join(work, "reference.so")
        run(ds_compile, work, "--precision=exact", "--cpu=native", "-o", library)
        run(ds_compile, work, "--ds-reference=f64", "--cpu=native", "-o", slow)
        reference = abi.Model(slow)
        whole = read(os.path.join(case, "golden.safetensors"))["single.ids"]
        for length in (1, 2, len(whole)):
            prompt = [int(i) for i in whole[:length]]
            command = [ds_run, library, "--token-ids=" + ",".join(map(str, prompt)), "-n24", "--ignore-eos", "--print-ids"]
            plain = run(*command)
            for k in (1, 2, 4):
                out = os.path.join(work, "logits.safetensors")
                problems = [] if run(*command, f"--draft={k}", "--chunk=7", "--logits-out=" + out) == plain else ["the text differs"]
                logits = read(out)
                ids = [int(i) for i in plain.strip().split(",")]
                problems += check_drafts(reference, prompt, ids, logits["draft_logits"], logits["draft_position"], k)
                count(f"{length} tokens, {k} drafts", problems)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
