"""Compiles every golden model from its ONNX files and from its checkpoint folder, and compares with what its README promises.

usage: run_golden.py DS_COMPILE GOLDEN [--mode graph|lm|all] [--only TEXT] [--jobs N]

graph: outputs of each run of io.safetensors within the tolerance of about.json, padded tokens left out.
lm:    golden.safetensors of the case (all prompt logits, generated ids, a long prompt, two sequences in a batch) for files that
       hold the whole model in f32 and compute the checkpoint's own; the `single` run of io.safetensors for the others.
folder: golden.safetensors of the case, compiled from config.json and model.safetensors (with --mode=lm and all); logits, states and
       accepted drafts of the layer that predicts a token further on, where there is one.
draft: with lm, a layer that drafts and was exported apart (mtp-layer) put into its model (mtp-main): the runs of its io.safetensors,
       greedy texts with and without drafts, and what golden.safetensors has of it where the case has one.
fast:  with lm, --precision=fast of files with 16-bit weights, and of folders with FP8 weights, within what bf16 arithmetic costs.
Files of not_yet.txt are expected to fail and are counted apart. Prints a line per failure and, last, `N passed, N failed`.
"""
import argparse
import glob
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np

sys.path.insert(0, os.path.dirname(__file__))
import abi  # noqa: E402

# No language models by themselves: without a cache, with one of a fixed length, a layer that drafts beside a main model, one operator.
GRAPH_ONLY = ("dynamo-nocache", "dynamo-static", "mobius-static", "mtp-layer", "moe", "moe-normalized", "qmoe-int4", "qmoe-int4-zero-points",
              "qmoe-int4-rows", "qmoe-int8-rows", "qmoe-int8-rows-zero-points")


def not_yet():
    """`MODE FILE` of what is expected to fail."""
    return {" ".join(line.split()[:2]) for line in open(os.path.join(os.path.dirname(__file__), "not_yet.txt"))
            if line.strip() and not line.startswith("#")}


def read(path):
    with open(path, "rb") as f:
        length = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(length))
        data = f.read()
    names = {"F32": "f4", "F64": "f8", "F16": "f2", "I8": "i1", "I16": "i2", "I32": "i4", "I64": "i8", "U8": "u1", "BOOL": "?"}
    tensors = {}
    for name, info in header.items():
        if name == "__metadata__":
            continue
        dtype = np.dtype(ml_dtypes.bfloat16) if info["dtype"] == "BF16" else np.dtype(names[info["dtype"]])
        start, end = info["data_offsets"]
        tensors[name] = np.frombuffer(data[start:end], dtype).reshape(info["shape"])
    return tensors


def compare(name, got, want, tolerance, rows=None):
    """None, or why `got` is not `want`."""
    if got.shape != want.shape:
        return f"{name}: shape {got.shape}, expected {want.shape}"
    got, want = got.astype(np.float64), want.astype(np.float64)
    if rows is not None and got.ndim >= 2 and got.shape[:2] == rows.shape:
        got, want = got[rows], want[rows]
    if got.size == 0:
        return None
    limit = tolerance * max(1.0, np.abs(want).max() / 15)
    error = np.abs(got - want).max()
    return None if error <= limit else f"{name}: off by {error:.3g}, allowed {limit:.3g}"


def read_io(folder, about):
    """io.safetensors, with the caches under their own names.

    Where torch gave the expected values, its caches (key 0, value 0, key 1, …) were named in the order of the file's outputs. The builder of
    onnxruntime-genai lists all keys first, so that two names stand for each other: key 1 and value 0 of a model of two layers.
    """
    io = read(os.path.join(folder, "io.safetensors"))
    if "genai" not in about["exporter"] or not about["expected_outputs_from"].startswith("torch"):
        return io
    fixed = {}
    for name, tensor in io.items():
        head, _, cache = name.rpartition("put.")
        match = re.fullmatch(r"(present|past_key_values)\.(\d+)\.(key|value)", cache)
        if match:
            layers = 1 + max(int(n.split(".")[-2]) for n in io if re.search(r"\.\d+\.key$", n))
            place = int(match[2]) + layers * (match[3] == "value")  # in the file's order
            name = f"{head}put.{match[1]}.{place // 2}.{('key', 'value')[place % 2]}"
        fixed[name] = tensor
    return fixed


def graph(compiler, folder, work):
    about = json.load(open(os.path.join(folder, "about.json")))
    library = os.path.join(work, "graph.so")
    result = subprocess.run([compiler, os.path.join(folder, "model.onnx"), "--mode=graph", "--cpu=native", "--precision=exact", "-o", library],
                            capture_output=True, text=True)
    if result.returncode:
        return [result.stderr.strip()[:300]]
    model = abi.Model(library)
    io = read_io(folder, about)
    problems = []
    for run in sorted({name.split(".")[0] for name in io}):
        inputs = {n[len(run) + 7:]: v for n, v in io.items() if n.startswith(run + ".input.")}
        if not inputs:
            continue
        outputs = model.graph(inputs)
        rows = None
        ids, mask = inputs.get("input_ids"), inputs.get("attention_mask")
        if mask is not None and ids is not None and mask.ndim == 2:
            rows = mask[:, mask.shape[1] - ids.shape[1]:] != 0
        for name, want in io.items():
            if name.startswith(run + ".output."):
                key = name[len(run) + 8:]
                if key not in outputs:
                    problems.append(f"{run}: no output {key}")
                    continue
                got = outputs[key]
                if rows is not None and want.ndim == 4 and mask is not None and not mask.all():
                    continue  # a cache of padded tokens
                why = compare(f"{run}.{key}", got, want, about["tolerance"], rows)
                if why:
                    problems.append(why)
    return problems


def greedy(session, prompt, count, slot=0, size=None):
    """Rows of logits and the ids that they choose, of the first `size`."""
    logits, _ = session.step([prompt], [0], [slot], False)
    rows, ids, length = [logits[0]], [int(logits[0, :size].argmax())], len(prompt)
    while len(ids) < count:
        logits, _ = session.step([[ids[-1]]], [length], [slot], False)
        length += 1
        rows.append(logits[0])
        ids.append(int(logits[0, :size].argmax()))
    return np.stack(rows), ids


def compile_exact(compiler, source, library, *options):
    """None, or why it failed."""
    result = subprocess.run([compiler, source, "--mode=lm", "--cpu=native", "--precision=exact", "-o", library, *options],
                            capture_output=True, text=True)
    return result.stderr.strip()[:300] if result.returncode else None


def language_model(compiler, folder, work):
    about = json.load(open(os.path.join(folder, "about.json")))
    library = os.path.join(work, "lm.so")
    if why := compile_exact(compiler, os.path.join(folder, "model.onnx"), library):
        return [why]
    case = os.path.dirname(os.path.dirname(folder))
    # A case of forms alone has no golden.safetensors, and some exporters write another model than the checkpoint's.
    complete = about["layers"] == "all" and about["arithmetic"] == "f32" and max(about["max_abs_error_vs_hf"].values()) < 1e-3
    if not complete or not os.path.exists(os.path.join(case, "golden.safetensors")):
        io = read(os.path.join(folder, "io.safetensors"))
        ids, want = io["single.input.input_ids"], io["single.output.logits"]
        logits, _ = abi.Session(abi.Model(library), 1, 64).step([ids[0]], [0], [0])
        why = compare("single.logits", logits, want[0], about["tolerance"])
        return [why] if why else []
    return golden_case(library, case)


def draft_layer(compiler, folder, work):
    about = json.load(open(os.path.join(folder, "about.json")))
    library, case = os.path.join(work, "drafts.so"), os.path.dirname(os.path.dirname(folder))
    layer = os.path.join(folder, "model.onnx")
    if why := compile_exact(compiler, os.path.join(case, "onnx", "mtp-main", "model.onnx"), library, "--mtp=" + layer):
        return [why]
    model, io, problems = abi.Model(library), read(os.path.join(folder, "io.safetensors")), []
    # All sequences of a run in one step.
    for run in "prefill", "single":
        ids, states = io[run + ".input.next_ids"], io[run + ".input.hidden"]
        session = abi.Session(model, len(ids), 64, draft=0)
        logits, hidden = session.step(list(ids), [0] * len(ids), list(range(len(ids))), states=states.reshape(-1, states.shape[-1]))
        for name, got in ("logits", logits), ("mtp_hidden", hidden):
            want = io[f"{run}.output.{name}"]
            if why := compare(f"{run}.{name}", got.reshape(want.shape), want, about["tolerance"]):
                problems.append(why)
    prompt = read(os.path.join(case, "onnx", "mtp-main", "io.safetensors"))["single.input.input_ids"][0]
    _, plain = greedy(abi.Session(model, 1, 64), prompt, 24)
    for k in 1, 3:
        if speculate(model, list(prompt), 24, k)[0] != plain:
            problems.append(f"{k} drafts change the text")
    if os.path.exists(os.path.join(case, "golden.safetensors")):
        problems += golden_case(library, case) + golden_drafts(model, read(os.path.join(case, "golden.safetensors")))
    return problems


def checkpoint_folder(compiler, case, work):
    library = os.path.join(work, "folder.so")
    why = compile_exact(compiler, case, library)
    if why:
        return [why]
    model, golden = abi.Model(library), read(os.path.join(case, "golden.safetensors"))
    problems = golden_case(library, case) + golden_drafts(model, golden)
    routers = {f"single.load.{router.layer}" for router in model.model.routers[: model.model.router_count]}
    if routers != {name for name in golden if name.startswith("single.load.")}:
        problems.append(f"the model gives {sorted(routers)} alone")
    for router in model.model.routers[: model.model.router_count]:
        name = f"single.bias_next.{router.layer}"
        if (router.bias >= 0) != (name in golden):
            problems.append(f"layer {router.layer}: a bias, or none")
        elif router.bias >= 0 and model.moved_bias(router, golden[f"single.load.{router.layer}"], 0.001).tobytes() != golden[name].tobytes():
            problems.append(f"{name} differs")
    return problems


def speculate(model, prompt, count, k):
    """Greedy text of `count` tokens with k drafts a step -> (ids, rounds): position of the newest token, the drafts, how many were accepted,
    the model's own next token. One layer drafts all of them, going on by its own states."""
    room = len(prompt) + count + k + 1
    session, drafter = abi.Session(model, 1, room), abi.Session(model, 1, room, draft=0)
    logits, states = session.step([prompt], [0], [0])
    ids, rounds, paired = [*prompt, int(logits[-1].argmax())], [], 0
    while len(ids) - len(prompt) < count:
        newest = len(ids) - 1
        guess, state = drafter.step([ids[paired + 1:]], [paired], [0], states=states)
        paired, drafts = newest, [int(guess[-1].argmax())]
        for j in range(1, k):
            guess, state = drafter.step([drafts[-1:]], [newest + j - 1], [0], states=state[-1:])
            drafts.append(int(guess[-1].argmax()))
        logits, states = session.step([[ids[-1], *drafts]], [newest], [0])
        chosen = [int(row.argmax()) for row in logits]
        accepted = next((j for j in range(k) if drafts[j] != chosen[j]), k)
        rounds.append([newest, *drafts, accepted, chosen[accepted]])
        ids += chosen[: accepted + 1]
        states = states[: accepted + 1]
    return ids[len(prompt): len(prompt) + count], rounds


def golden_drafts(model, golden, limit=1e-4, states_limit=3e-5):
    """The problems of the draft layer, if the case has one."""
    if "mtp.0.logits" not in golden:
        return []
    if model.model.draft_count != 1:
        return [f"{model.model.draft_count} draft layers, expected 1"]
    problems, prompt = [], golden["single.ids"]
    _, hidden = abi.Session(model, 1, 64).step([prompt], [0], [0])
    whole, states = abi.Session(model, 1, 64, draft=0).step([prompt[1:]], [0], [0], states=hidden[:-1])
    for name, got, allowed in ("logits", whole, limit), ("hidden", states, states_limit):
        error = np.abs(got.astype(np.float64) - golden["mtp.0." + name]).max()
        if not error <= allowed:
            problems.append(f"mtp.0.{name}: off by {error:.3g}, allowed {allowed:.3g}")
    # The bits of a pair depend on neither company nor chunks.
    session, parts = abi.Session(model, 2, 64, draft=0), []
    absorbed = 2 * (len(prompt) - 1 < model.model.mla_absorb_below)
    for start in range(0, len(prompt) - 1, 7):
        end = min(start + 7, len(prompt) - 1)
        parts.append(session.step([prompt[1:4], prompt[start + 1:end + 1]], [0, start], [1, 0],
                                  states=np.concatenate([hidden[:3], hidden[start:end]]), absorbed=absorbed)[0][3:])
    if not np.array_equal(np.concatenate(parts), whole):
        problems.append("chunks and company change bits of drafts")
    for name in golden:
        if match := re.fullmatch(r"spec\.k(\d+)\.rounds", name):
            ids, rounds = speculate(model, prompt, len(golden["gen.ids"]), int(match[1]))
            if ids != list(golden["gen.ids"]) or not np.array_equal(rounds, golden[name]):
                problems.append(f"{name} differ")
    return problems


def golden_case(library, case):
    """golden.safetensors of the case against a library that has the whole model in f32."""
    model = abi.Model(library)
    golden = read(os.path.join(case, "golden.safetensors"))
    scale = json.load(open(os.path.join(case, "config.json"))).get("routed_scaling_factor", 1)
    problems = []

    def check(name, got, want, limit=1e-4):
        error = np.abs(got.astype(np.float64) - want).max()
        if not error <= limit:
            problems.append(f"{name}: off by {error:.3g}, allowed {limit:.3g}")

    prompt = golden["single.ids"]
    session = abi.Session(model, 2, 128)
    logits, hidden = session.step([prompt], [0], [0])
    check("single.logits", logits, golden["single.logits"])
    check("single.hidden", hidden, golden["single.hidden"], 3e-5)
    for layer, load in session.loads.items():
        if not np.array_equal(load, golden[f"single.load.{layer}"]):
            problems.append(f"single.load.{layer} differs")
        route = f"single.route.{layer}."
        if not np.array_equal(session.experts[layer], golden[route + "experts"]):
            problems.append(f"{route}experts differs")
        check(route + "weight", session.weights[layer], golden[route + "weight"], 1e-5 * scale)
    rows, ids = greedy(session, prompt, len(golden["gen.ids"]), 1)
    check("gen.logits", rows, golden["gen.logits"])
    if ids != list(golden["gen.ids"]):
        problems.append("gen.ids differ")
    for name in ("short", "repeat"):
        logits, _ = abi.Session(model, 1, 64).step([golden[name + ".ids"]], [0], [0])
        check(name, logits, golden[name + ".logits"])
    logits, _ = abi.Session(model, 1, 300).step([golden["long.ids"]], [0], [0], False)
    check("long", logits[0], golden["long.logits"])
    # Two sequences in one step; the padding of the golden batch taken away.
    short = golden["batch.ids"][1][golden["batch.mask"][1] != 0]
    both, _ = abi.Session(model, 2, 64).step([prompt, short], [0, 0], [1, 0])
    check("batch.short", both[len(prompt):], golden["batch.logits_short"])
    # The bits of a sequence depend on neither company nor chunks.
    alone, _ = abi.Session(model, 1, 64).step([prompt], [0], [0])
    if not np.array_equal(both[: len(prompt)], alone):
        problems.append("a batch changes bits")
    single, _ = abi.Session(abi.Model(library, threads=1), 1, 64).step([prompt], [0], [0], want_hidden=False)
    if not np.array_equal(single, alone):
        problems.append("threads change bits")
    # Of latent attention's two forms the parts take that of the whole.
    absorbed = int(len(prompt) < model.model.mla_absorb_below)
    for chunk in (1, 7):
        session, parts = abi.Session(model, 1, 64), []
        for start in range(0, len(prompt), chunk):
            parts.append(session.step([prompt[start:start + chunk]], [start], [0], absorbed=absorbed)[0])
        if not np.array_equal(np.concatenate(parts), alone):
            problems.append(f"chunks of {chunk} change bits")
    return problems


def experts_of(model, prompt):
    """The experts that each token's routers choose, one token at a time."""
    session, experts = abi.Session(model, 1, len(prompt)), []
    for position, token in enumerate(prompt):
        session.step([[token]], [position], [0])
        experts.append([tuple(np.flatnonzero(load)) for load in session.loads.values()])
    return experts


def fast(compiler, folder, work):
    """--precision=fast of a file with 16-bit weights, or of a folder with FP8, which rounds activations of products with such weights, queries, and the
    caches. Against --precision=exact, on the prompt of the case: within the row of bf16 arithmetic of the golden README. Where the rounding gives a
    token other experts, that token may be as far off as the README's row of FP8 arithmetic says."""
    source = os.path.join(folder, "model.onnx")
    case = os.path.dirname(os.path.dirname(folder))
    if not os.path.exists(source):
        source, case = folder, folder
    models = {}
    for precision in ("exact", "fast"):
        library = os.path.join(work, precision + ".so")
        result = subprocess.run([compiler, source, "--mode=lm", "--cpu=native", "--precision=" + precision,
                                 "-o", library], capture_output=True, text=True)
        if result.returncode:
            return [result.stderr.strip()[:300]]
        models[precision] = abi.Model(library)
    golden = os.path.join(case, "golden.safetensors")
    prompt = read(golden)["single.ids"] if os.path.exists(golden) else read(os.path.join(folder, "io.safetensors"))["single.input.input_ids"][0]
    session = abi.Session(models["fast"], 1, 64)
    if any(cache.dtype != ml_dtypes.bfloat16 for cache in session.caches):
        return ["the caches are not bf16"]
    logits, _ = session.step([prompt], [0], [0])
    want, got = abi.Session(models["exact"], 1, 64).step([prompt], [0], [0])[0].astype(np.float64), logits.astype(np.float64)
    errors = np.abs(got - want).max(1)
    cosines = (got * want).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)
    best = (got.argmax(1) == want.argmax(1)).mean()
    same = np.array([a == b for a, b in zip(*(experts_of(models[p], prompt) for p in ("exact", "fast")))])
    problems = []
    for what, holds, value in (("median error <= 0.17", np.median(errors) <= 0.17, np.median(errors)),
                               ("some error", errors.max() > 0, errors.max()),
                               ("median cosine >= 0.99985", np.median(cosines) >= 0.99985, np.median(cosines)),
                               ("smallest cosine of a token with the same experts >= 0.97", cosines[same].min() >= 0.97, cosines[same].min()),
                               ("smallest cosine >= 0.9", cosines.min() >= 0.9, cosines.min()),
                               ("90 % of tokens with the same experts", same.mean() >= 0.9, same.mean()),
                               ("95 % of best tokens equal", best >= 0.95, best)):
        if not holds:
            problems.append(f"expected {what}, have {value:.6g}")
    # The bits of a sequence depend on neither company nor chunks.
    session, parts, company = abi.Session(models["fast"], 2, 64), [], prompt[:5]
    absorbed = 2 * (len(prompt) < models["fast"].model.mla_absorb_below)
    for start in range(0, len(prompt), 7):
        parts.append(session.step([company, prompt[start:start + 7]], [0, start], [1, 0], absorbed=absorbed)[0][len(company):])
    if not np.array_equal(np.concatenate(parts), logits):
        problems.append("chunks and company change bits")
    return problems


def apart(test, compiler, folder):
    """The problems of one test, run in a process of its own: a crash is one failure."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with tempfile.TemporaryDirectory() as work:
            try:
                problems = test(compiler, folder, work)
            except Exception as error:  # noqa: BLE001  reported as a failure
                problems = [f"{type(error).__name__}: {error}"]
        os.write(writer, json.dumps(problems).encode()[:60000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return json.loads(text) if status == 0 and text else [f"crashed, status {status}"]


def run_apart(job):
    kind, name, test, compiler, folder = job
    return kind, name, apart(test, compiler, folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("golden")
    parser.add_argument("--mode", default="all", choices=["graph", "lm", "all"])
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    expected_failures = not_yet()
    passed = failed = skipped = 0
    jobs = []
    paths = glob.glob(os.path.join(args.golden, "*", "onnx", "*", "model.onnx")) + glob.glob(os.path.join(args.golden, "*", "config.json"))
    for path in sorted(paths):
        folder = os.path.dirname(path)
        name = os.path.relpath(folder, args.golden)
        if args.only not in name:
            continue
        kinds = [("graph", graph)] if args.mode != "lm" else []
        if path.endswith("config.json"):
            isCase = os.path.exists(os.path.join(folder, "golden.safetensors"))
            kinds = [("folder", checkpoint_folder)] if isCase and args.mode != "graph" else []
            if kinds and "quantization_config" in json.load(open(path)):
                kinds.append(("fast", fast))
        elif args.mode != "graph" and os.path.basename(folder) == "mtp-layer":
            kinds.append(("draft", draft_layer))
        elif args.mode != "graph" and os.path.basename(folder) not in GRAPH_ONLY:
            kinds.append(("lm", language_model))
            if json.load(open(os.path.join(folder, "about.json")))["arithmetic"] in ("bf16", "f16"):
                kinds.append(("fast", fast))
        jobs += [(kind, name, test, args.compiler, folder) for kind, test in kinds]
    with multiprocessing.Pool(args.jobs) as pool:
        for kind, name, problems in pool.imap(run_apart, jobs):
            expected = f"{kind} {name}" in expected_failures
            if expected and problems:
                skipped += 1
            elif expected:
                failed += 1
                print(f"FAILED {kind} {name}: passes now; take it off test/e2e/not_yet.txt", flush=True)
            elif problems:
                failed += 1
                print(f"FAILED {kind} {name}: {problems[0]}" + (f" (and {len(problems) - 1} more)" if problems[1:] else ""), flush=True)
            else:
                passed += 1
    print(f"not yet: {skipped} (test/e2e/not_yet.txt)")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
