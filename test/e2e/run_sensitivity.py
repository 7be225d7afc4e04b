"""A test of run_golden.py: it reports every classic mistake that moves logits by more than its tolerance, and nothing without a mistake.

usage: run_sensitivity.py DS_COMPILE GOLDEN [--only TEXT] [--once] [--jobs N]

GOLDEN/sensitivity.json says by how much each mistake moves the logits of a case, in float64 and by another program. Here the mistake is put into
the case's config.json or, where that cannot say it, into the IR of its folder (`--emit=ds`). What is compiled from that goes through
run_golden.golden_case, which must report it, and logits that are off by what sensitivity.json says show that it is this mistake and no other.
A mistake that moves no logits by more than the tolerance is silent: it is printed and not tested. --once tests each mistake in the first case that
is not silent about it, and those cases without a mistake.
Prints a line per case and mistake with the comparisons that reported it and, last, `N passed, N failed`.
"""
import argparse
import json
import math
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from run_golden import apart, compile_exact, golden_case  # noqa: E402

TOLERANCE = 1e-4  # of logits, in golden_case
NOISE = 6e-5      # float32 against float64 without a mistake: the golden README's largest


# ----- mistakes in config.json: config -> None ---------------------------------------------------------------------------
def setting(key, value):
    return "config", lambda config: config.update({key: value})


# ----- mistakes in the IR: (text, config) -> (text, how many times it was put in, how many times it should be) ------------
def edit(pattern, replacement, count):
    """`replacement`: a text, or match, config -> text. `count`: config -> number."""
    def put_in(text, config):
        text, found = re.subn(pattern, replacement if isinstance(replacement, str) else lambda match: replacement(match, config), text)
        return text, found, count(config)
    return "ir", put_in


def layers(config):
    return config["num_hidden_layers"] + config.get("num_nextn_predict_layers", 0)


def routers(config):
    return layers(config) - config["first_k_dense_replace"]


def scaled(scale):
    """Another scale of the softmax. scale: what it was, config -> what it is."""
    return edit(r"(ds\.mla .* scale )(\S+)", lambda m, c: f"{m[1]}{scale(float(m[2]), c):.17e}", layers)


def absorbed_width(scale, c):
    return scale * math.sqrt((c["qk_nope_head_dim"] + c["qk_rope_head_dim"]) / (c["kv_lora_rank"] + c["qk_rope_head_dim"]))


def frequencies(ramp):
    """Other frequencies of RoPE. ramp: dimension at which a wave turns so often, config -> for each frequency the part that is interpolated."""
    def put_in(text, c):
        width, base, yarn = c["qk_rope_head_dim"], c["rope_theta"], c["rope_scaling"]

        def dimension(turns):
            return width * math.log(yarn["original_max_position_embeddings"] / (2 * math.pi * turns)) / (2 * math.log(base))

        plain = [base ** (-2 * i / width) for i in range(width // 2)]
        values = ", ".join(f"{f * (1 - part + part / yarn['factor']):.9e}" for f, part in zip(plain, ramp(dimension, c)))
        text, found = re.subn(rf"dense<\[[^\]]*\]> : tensor<{width // 2}xf32>", f"dense<[{values}]> : tensor<{width // 2}xf32>", text)
        return text, found, 1 + c.get("num_nextn_predict_layers", 0)
    return "ir", put_in


def unrounded(dimension, c):
    width, yarn = c["qk_rope_head_dim"], c["rope_scaling"]
    low, high = max(dimension(yarn["beta_fast"]), 0), min(dimension(yarn["beta_slow"]), width - 1)
    return [min(max((i - low) / (high - low), 0), 1) for i in range(width // 2)]


def rotated(layout):
    return edit(r"(ds\.rope [^:]*?)\s(?:pairs|halves) to\s+(?:pairs|halves)", rf"\1 {layout} to {layout}", lambda c: 2 * layers(c))


def route(pattern, replacement):
    """Another rule of the choice, or of the mixing weights."""
    return edit(rf"(ds\.route .*){pattern}", replacement, routers)


def other_normalisation(match, c):
    return match[1] + ("" if c["norm_topk_prob"] else " normalize 0.0") + " scale"


def first_groups(match, c):
    """The first groups whatever their scores are: a bias that no probability outweighs, and that leaves them 22 of their 24 bits."""
    kept, n = c["topk_group"] * c["n_routed_experts"] // c["n_group"], c["n_routed_experts"]
    bias = ", ".join("1.0" if i < kept else "0.0" for i in range(n))
    name = "%first_groups_" + match[2][1:]
    return f"{name} = arith.constant dense<[{bias}]> : tensor<{n}xf32>\n{match[1]}ds.route {match[2]} bias {name} : tensor<{n}xf32> "


def biased_weights(match, c):
    """The mixing weights anew, of score and bias, under the name that the op's had."""
    weights, rest, logits, bias, scale = match.groups()
    n, k, name = c["n_routed_experts"], c["num_experts_per_tok"], "%biased_" + weights[1:]
    scores, chosen, experts = f"tensor<?x{n}xf32>", f"tensor<?x{k}xf32>", rest.split(",")[1].strip()
    return f"""{name}_0{match[0][len(weights):]}
    {name}_1 = ds.elementwise sigmoid {logits} : ({scores}) -> {scores}
    {name}_2 = ds.elementwise add {name}_1, {bias} : ({scores}, tensor<{n}xf32>) -> {scores}
    {name}_3 = ds.gather_elements {name}_2, {experts} 1 : {scores}, tensor<?x{k}xi32> to {chosen}
    {name}_4 = ds.reduce sum {name}_3 [1] keepdims : {chosen} to tensor<?x1xf32>
    {name}_5 = ds.elementwise div {name}_3, {name}_4 : ({chosen}, tensor<?x1xf32>) -> {chosen}
    {name}_6 = arith.constant dense<{float(scale):e}> : tensor<f32>
    {weights} = ds.elementwise mul {name}_5, {name}_6 : ({chosen}, tensor<f32>) -> {chosen}"""


def round_robin(match, c):
    """Query head h at the keys of head h mod K: the heads are put in the order in which that is h / (H / K), and back."""
    result, query, rest = match.groups()
    heads, kept, width, name = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"], "%dealt_" + result[1:]
    flat = f"tensor<?x{heads}x{width}xf32>"
    dealt, grouped = f"tensor<?x{heads // kept}x{kept}x{width}xf32>", f"tensor<?x{kept}x{heads // kept}x{width}xf32>"
    return f"""{name}_zero = arith.constant 0 : index
    {name}_rows = tensor.dim {query}, {name}_zero : {flat}
    {name}_0 = ds.reshape {query}[{name}_rows] : {flat} to {dealt}
    {name}_1 = ds.transpose {name}_0 [0, 2, 1, 3] : {dealt} to {grouped}
    {name}_2 = ds.reshape {name}_1[{name}_rows] : {grouped} to {flat}
    {name}_3 = ds.cached_attention {name}_2{rest}
    {name}_4 = ds.reshape {name}_3[{name}_rows] : {flat} to {grouped}
    {name}_5 = ds.transpose {name}_4 [0, 2, 1, 3] : {grouped} to {dealt}
    {result} = ds.reshape {name}_5[{name}_rows] : {dealt} to {flat}"""


MISTAKES = {
    "pair RoPE instead of half-split": rotated("pairs"),
    "RoPE theta 1e6": setting("rope_theta", 1e6),
    "query heads dealt to kv heads round robin": edit(r"(%\w+) = ds\.cached_attention (%\w+)(.*)", round_robin, layers),
    "rms_norm_eps 1e-5": setting("rms_norm_eps", 1e-5),
    "softmax scale without mscale squared": scaled(lambda scale, c: (c["qk_nope_head_dim"] + c["qk_rope_head_dim"]) ** -0.5),
    "softmax scale from the absorbed width": scaled(absorbed_width),
    "plain RoPE frequencies instead of YaRN": frequencies(lambda dimension, c: [0] * (c["qk_rope_head_dim"] // 2)),
    "YaRN ramp with unrounded bounds": frequencies(unrounded),
    "half-split RoPE instead of pairs": rotated("halves"),
    "routed experts not scaled": setting("routed_scaling_factor", 1.0),
    "top-k weights normalised the other way": edit(r"(ds\.route .*?)(?: normalize \S+)? scale", other_normalisation, routers),
    "group choice ignored": edit(r"(%\w+, %\w+, %\w+ = )ds\.route (%\w+) ", first_groups, routers),
    "group value: sum of two instead of maximum": route(r"by\s+max\b", r"\1by top2sum"),
    "group value: maximum instead of sum of two": route(r"by\s+top2sum\b", r"\1by max"),
    "selection bias enters the mixing weights": edit(r"(%\w+)(, %\w+, %\w+) = ds\.route (%\w+) bias (%\w+) .* scale (\S+) .*", biased_weights, routers),
    "masked groups filled with 0 instead of -inf": route(r"fill\s+lowest\b", r"\1fill zero"),
}


def source_of(compiler, case, mistake, work):
    """What to compile for the case with the mistake; None is no mistake, put in as those of the IR are."""
    kind, put_in = MISTAKES[mistake] if mistake else ("ir", lambda text, config: (text, 1, 1))
    folder = os.path.join(work, "folder")
    os.mkdir(folder)
    for name in os.listdir(case):
        if ".safetensors" in name and name != "golden.safetensors":
            os.symlink(os.path.join(os.path.abspath(case), name), os.path.join(folder, name))
    config = json.load(open(os.path.join(case, "config.json")))
    if kind == "config":
        put_in(config)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)
    if kind == "config":
        return folder
    text = subprocess.run([compiler, folder, "--mode=lm", "--emit=ds"], capture_output=True, text=True, check=True).stdout
    text, found, expected = put_in(text, config)
    if found != expected:
        raise RuntimeError(f"put in {found} times, expected {expected}: the IR changed, and this script has to follow")
    path = os.path.join(work, "mistake.mlir")
    with open(path, "w") as file:
        file.write(text)
    return path


def reports(compiler, case, mistake):
    """{comparison of run_golden: by how much it is off, None for integers}."""
    with tempfile.TemporaryDirectory() as work:
        library = os.path.join(work, "mistake.so")
        if why := compile_exact(compiler, source_of(compiler, case, mistake, work), library):
            raise RuntimeError(why)
        problems = apart(lambda *_: golden_case(library, case), compiler, case)
    found = {}
    for problem in problems:
        # Nothing else may be wrong: a mistaken model keeps its bits, and does not crash.
        match = re.fullmatch(r"([\w.]+?)(?:: off by (\S+), allowed \S+|(?:\.\d+)? differs?)", problem)
        if not match:
            raise RuntimeError(problem)
        found[match[1]] = match[2] and float(match[2])
    return found


def check(job):
    """(passed, the line to print)"""
    compiler, case, mistake, stated = job
    name = f"{os.path.basename(case)}: {mistake or 'no mistake'}"
    try:
        found = reports(compiler, case, mistake)
    except Exception as error:  # noqa: BLE001  reported as a failure
        return False, f"FAILED {name}: {type(error).__name__}: {error}"
    names = " ".join(found) or "nothing"
    if mistake is None:
        return not found, f"{'FAILED ' if found else ''}{name}: reported by {names}"
    wrong, sizes = [] if found else ["not reported"], []
    for run, logits in ("single", "single.logits"), ("long", "long"):
        off = found.get(logits)
        sizes.append(f"{run} {off or f'below {TOLERANCE:g}'} ({stated[run]:g})")
        # Without a report, logits are off by anything below the tolerance.
        if not abs((off or min(stated[run], TOLERANCE)) - stated[run]) <= 0.3 * stated[run] + NOISE:
            wrong.append(f"another size in {run}")
    line = f"{name}: {', '.join(sizes)}, reported by {names}"
    return not wrong, f"FAILED {line}: {', '.join(wrong)}" if wrong else line


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("golden")
    parser.add_argument("--only", default="", help="cases and mistakes `CASE: MISTAKE` with this text")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    jobs, seen, failed = [], set(), 0
    for name, mistakes in json.load(open(os.path.join(args.golden, "sensitivity.json"))).items():
        case = os.path.join(args.golden, name)
        if not os.path.isdir(case):
            continue
        chosen = []
        for mistake, stated in mistakes.items():
            if args.only not in f"{name}: {mistake}" or (args.once and mistake in seen):
                continue
            if max(stated.values()) <= TOLERANCE:
                print(f"{name}: {mistake}: silent, moves logits by {max(stated.values()):g}", flush=True)
            elif mistake not in MISTAKES:
                failed += 1
                print(f"FAILED {name}: {mistake}: this script does not know it", flush=True)
            else:
                seen.add(mistake)
                chosen.append((args.compiler, case, mistake, stated))
        if chosen:
            jobs += [(args.compiler, case, None, None), *chosen]
    if not jobs and not failed:
        parser.error(f"nothing to test in {args.golden}")
    passed = 0
    with multiprocessing.Pool(args.jobs) as pool:
        for good, line in pool.imap(check, jobs):
            passed += good
            failed += not good
            print(line, flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
