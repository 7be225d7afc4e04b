"""The two forms of latent attention: absorbed and expanded over the same cache.

usage: run_forms.py DS_COMPILE GOLDEN

For v2-lite, v2, v3-bf16 and v3-fp8, and for a graph that computes in the latent space (v3-tiny/onnx/absorbed): every row of a sequence that changes its
form wherever it likes is within the float32 row of the golden README of golden.safetensors (logits 1e-4, hidden states and latents 3e-5), or of what the
graph computes as it stands; within one form the bits are those of a model that was compiled with that form alone
(`--mla-absorb-below`), whatever the chunks, the number of threads and the company of a sequence. Prints how far the two forms are apart.
Ends with "N passed, N failed".
"""
import os
import subprocess
import sys
import tempfile
import traceback

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import abi  # noqa: E402
from run_golden import read  # noqa: E402

COMPILER, GOLDEN = sys.argv[1:]
WORK = tempfile.TemporaryDirectory()
ALWAYS = 2**63 - 1
ABSORBED, EXPANDED = 1, 0
LENGTH, SLOTS = 64, 3


def same(a, b):
    return a.shape == b.shape and a.tobytes() == b.tobytes()


def compiled(source, *options):
    path = os.path.join(WORK.name, "-".join([os.path.basename(os.path.dirname(source)), os.path.basename(source), *options]).replace("=", "") + ".so")
    subprocess.run([COMPILER, source, "-o", path, "--cpu=native", "--precision=exact", *options], check=True)
    return path


def prompt_of(source):
    """Ids, logits and hidden states (None: not known) of a prompt."""
    if os.path.isdir(source):
        golden = read(os.path.join(source, "golden.safetensors"))
        return golden["single.ids"], golden["single.logits"], golden["single.hidden"]
    io = read(os.path.join(os.path.dirname(source), "io.safetensors"))
    graph = abi.Model(compiled(source, "--mode=graph"))
    inputs = {name[len("single.input."):]: value for name, value in io.items() if name.startswith("single.input.")}
    logits = graph.graph(inputs)["logits"]
    assert np.abs(logits - io["single.output.logits"]).max() <= 1e-4, "the graph as it stands"
    ids = np.random.default_rng(0).integers(0, logits.shape[-1], 24)
    inputs |= {"input_ids": ids[None], "position_ids": np.arange(len(ids))[None], "attention_mask": np.ones((1, len(ids)), np.int64)}
    return ids, graph.graph(inputs)["logits"][0], None


def run(model, ids, chunks):
    """Logits and hidden states of `ids` in chunks of (tokens, form), and the latents."""
    session, results, past = abi.Session(model, SLOTS, LENGTH), [], 0
    for count, form in chunks:
        results.append(session.step([ids[past:past + count]], [past], [1], absorbed=form))
        past += count
    assert past == len(ids)
    return [np.concatenate(rows) for rows in zip(*results)] + [c[1, :, :past].copy() for c in session.caches]


def forms(case):
    source = os.path.join(GOLDEN, case)
    ids, want_logits, want_hidden = prompt_of(source)
    n = len(ids)
    # 17: the least that any model expands, so that rows of golden prompts take both forms.
    both, absorbed, expanded = (compiled(source, f"--mla-absorb-below={below}") for below in (17, "inf", 0))
    models = {form: [abi.Model(path, threads) for threads in (1, 2)]
              for form, path in (("both", both), (ABSORBED, absorbed), (EXPANDED, expanded))}
    for form, below in (("both", 17), (ABSORBED, ALWAYS), (EXPANDED, 0)):
        assert models[form][0].model.mla_absorb_below == below, form
    alone = {}
    for form in (ABSORBED, EXPANDED):
        alone[form] = run(models[form][0], ids, [(n, form)])
        assert np.abs(alone[form][0] - want_logits).max() <= 1e-4, f"form {form}"
        for threads in (0, 1):
            for chunks in ([n], [1, n - 1], [n - 1, 1], [7] * (n // 7) + [n % 7] * (n % 7 > 0), [1] * n):
                for which in (form, "both"):
                    got = run(models[which][threads], ids, [(count, form) for count in chunks])
                    assert all(map(same, got, alone[form])), f"bits of form {form} depend on chunks {chunks} or threads"
    # Changes of form in the middle, to and fro.
    for chunks in ([(20, EXPANDED)] + [(1, ABSORBED)] * (n - 20), [(n - 18, ABSORBED), (18, EXPANDED)],
                   [(3, ABSORBED), (19, EXPANDED), (1, ABSORBED), (n - 23, EXPANDED)]):
        logits, hidden = run(models["both"][1], ids, chunks)[:2]
        assert np.abs(logits - want_logits).max() <= 1e-4, chunks
        assert want_hidden is None or np.abs(hidden - want_hidden).max() <= 3e-5, chunks
    apart = [np.abs(a - b).max() for a, b in zip(alone[ABSORBED], alone[EXPANDED])]
    print(f"{case}: the forms are apart by {apart[0]:.2g} in logits, {apart[1]:.2g} in hidden states, {max(apart[2:]):.2g} in latents")
    assert apart[0] > 0, "both forms are one"
    # Sequences of both forms in one step, and an empty half of it.
    parts, past = [ids[20:21], ids[:9], ids[:n]], [20, 0, 0]
    for count in range(len(parts) + 1):
        session = abi.Session(models["both"][1], SLOTS, LENGTH)
        session.step([ids[:20]], [0], [2], absorbed=1)
        logits, hidden = session.step(parts, past, [2, 0, 1], absorbed=count)
        first = 0
        for i, part in enumerate(parts):
            chunks = [(len(part), int(i < count))]
            want = run(models["both"][0], ids[:21] if i == 0 else part, [(20, ABSORBED)] + chunks if i == 0 else chunks)
            rows = slice(first, first + len(part))
            assert same(logits[rows], want[0][-len(part):]) and same(hidden[rows], want[1][-len(part):]), \
                f"bits of sequence {i} depend on its company, {count} absorbed"
            first += len(part)
    # The entry believes no number.
    for wrong in (-1, 2):
        try:
            abi.Session(models["both"][0], SLOTS, LENGTH).step([ids], [0], [0], absorbed=wrong)
        except RuntimeError as error:
            assert str(error) == "status 1", error
        else:
            raise AssertionError(f"{wrong} of 1 sequences were absorbed")


def main():
    passed = failed = 0
    for case in ("v2-lite", "v2", "v3-bf16", "v3-fp8", "v3-tiny/onnx/absorbed/model.onnx"):
        try:
            forms(case)
            passed += 1
        except Exception:
            failed += 1
            print(f"FAILED {case}:\n{traceback.format_exc()}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
