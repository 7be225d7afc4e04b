"""Recomputes the figures of a ds-bench --json report from those of its rounds."""
import json
import sys

r = json.load(open(sys.argv[1]))
print(f"threads {r['threads']}, rounds {len(r['rounds'])}")
print(f"multiply-adds {r['multiply_adds_per_token']} + {r['multiply_adds_per_logits']}")


def median(figure):
    values = sorted(figure(x) for x in r["rounds"])
    return values[len(values) // 2]


def check(key, figure):
    assert abs(r[key] - median(figure)) <= 1e-6 * abs(r[key]) and r[key] > 0, (key, r[key], median(figure))


for key in r["rounds"][0]:
    check(key, lambda x: x[key])
# No machine of today is outside these.
assert 1e8 < r["read_bytes_per_s"] < 1e13
assert 1e9 < r["peak_multiply_adds_per_s"] < 1e15
# The mean text of four tokens behind 32.
assert r["cache_bytes_read_per_token"] == r["cache_bytes_per_token"] * 34.5
read = r["weight_bytes_per_token"] + r["cache_bytes_read_per_token"]
work = r["multiply_adds_per_token"] + r["multiply_adds_per_logits"] / r["prompt_tokens"]
check("decode_share_of_bandwidth", lambda x: read * x["decode_tokens_per_s"] / x["read_bytes_per_s"])
check("decode_from_start_share_of_bandwidth",
      lambda x: r["weight_bytes_per_token"] * x["decode_from_start_tokens_per_s"] / x["read_bytes_per_s"])
share = work * r["prefill_tokens_per_s"] / r["peak_multiply_adds_per_s"]
assert abs(r["prefill_share_of_peak"] - share) <= 1e-6 * share, (r["prefill_share_of_peak"], share)
print("shares hold")
