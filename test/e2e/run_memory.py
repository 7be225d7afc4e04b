"""A running model takes the memory of its weights and caches, and little more.

usage: run_memory.py DS_COMPILE DS_RUN FOLDER

FOLDER: a checkpoint with latent attention. Compiled with --max-length=8192, a text of 8,192 tokens takes (kv_lora_rank + qk_rope_head_dim) elements
of cache a token and layer, and at its peak at most 64 MB more than weights and caches, with drafts and without; both as ds-run says it and
as the kernel does. Prints a line per failure and, last, `N passed, N failed`.
"""
import json
import os
import subprocess
import sys
import tempfile

LENGTH, ALLOWED = 8192, 64 << 20


def run_measured(command):
    """stderr of a command and the most memory that it had, in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(errors.strip()[:300])
    return errors, usage.ru_maxrss * 1024


def problems_of(ds_run, library, config, weights, bytes_of_element, drafts):
    # The ids of a text that fills the cache, but for what is generated.
    prompt = ",".join(str(3 + i * i % 4000) for i in range(LENGTH - 40))
    errors, peak = run_measured([ds_run, library, "--token-ids=" + prompt, "-n40", f"--length={LENGTH}", "--ignore-eos", "--print-ids",
                                 "--stats", *(["--draft=1"] if drafts else [])])
    stats = json.loads(errors.strip().splitlines()[-1])
    layer = (config["kv_lora_rank"] + config["qk_rope_head_dim"]) * bytes_of_element
    problems = []
    for name, want in ("cache_bytes_per_token", config["num_hidden_layers"] * layer), ("draft_cache_bytes_per_token", layer * drafts):
        if stats[name] != want:
            problems.append(f"{name} is {stats[name]}, expected {want}")
    cache = LENGTH * (stats["cache_bytes_per_token"] + stats["draft_cache_bytes_per_token"])
    for name, value in ("ds-run says", stats["peak_rss_bytes"]), ("the kernel says", peak):
        over = value - weights - cache
        print(f"    {name}: {value >> 10} KiB, of which weights {weights >> 10} KiB, caches {cache >> 10} KiB, the rest {over >> 10} KiB")
        if not cache < value <= weights + cache + ALLOWED:
            problems.append(f"{name} {value} bytes: {over} more than weights and caches, allowed {ALLOWED}")
    if not abs(stats["peak_rss_bytes"] - peak) < 8 << 20:
        problems.append(f"ds-run says {stats['peak_rss_bytes']} bytes, the kernel {peak}")
    return problems


def main():
    ds_compile, ds_run, folder = sys.argv[1:]
    config = json.load(open(os.path.join(folder, "config.json")))
    passed = failed = 0
    with tempfile.TemporaryDirectory() as work:
        library = os.path.join(work, "model.so")
        for cache, size in ("bf16", 2), ("f32", 4):
            subprocess.run([ds_compile, folder, "--cpu=native", f"--max-length={LENGTH}", f"--cache-type={cache}", "-o", library], check=True)
            weights = os.path.getsize(os.path.join(work, "model.weights.safetensors"))
            for drafts in 0, 1:
                problems = problems_of(ds_run, library, config, weights, size, drafts)
                passed, failed = passed + (not problems), failed + bool(problems)
                for problem in problems:
                    print(f"FAILED {cache}, {'drafts' if drafts else 'no drafts'}: {problem}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
