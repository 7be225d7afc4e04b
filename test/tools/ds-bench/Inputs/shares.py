"""Recomputes the shares of a ds-bench --json report."""
import json
import sys

r = json.load(open(sys.argv[1]))
print(f"threads {r['threads']}, rounds {r['rounds']}")
print(f"multiply-adds {r['multiply_adds_per_token']} + {r['multiply_adds_per_logits']}")
for key in ("read_bytes_per_s", "peak_multiply_adds_per_s", "prefill_tokens_per_s", "decode_tokens_per_s"):
    assert r[key] > 0, key
# No machine of today is outside these.
assert 1e8 < r["read_bytes_per_s"] < 1e13
assert 1e9 < r["peak_multiply_adds_per_s"] < 1e15


def near(a, b):
    assert abs(a - b) <= 1e-6 * abs(b), (a, b)


near(r["decode_share_of_bandwidth"], r["weight_bytes_per_token"] * r["decode_tokens_per_s"] / r["read_bytes_per_s"])
work = r["multiply_adds_per_token"] + r["multiply_adds_per_logits"] / r["prompt_tokens"]
near(r["prefill_share_of_peak"], work * r["prefill_tokens_per_s"] / r["peak_multiply_adds_per_s"])
print("shares hold")
