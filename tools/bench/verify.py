#!/usr/bin/env python3
"""What verifying two tokens costs beside decoding one, and what the weights that it reads say it should cost.

usage: verify.py MODEL.so [--position 64 --pairs 40 --threads 2]
A step of two tokens reads the experts of both: u = experts hit / experts of one token. Bytes say T2 / T1 = (others + u · experts of one token) / (others + experts of
one token). Prints both for the same token twice (nearly the same experts) and for random ones; steps of one and two take turns and the
median of the paired ratios counts. MODEL was compiled with experts (tools/bench/deepseek_checkpoint.py writes one).
"""
import argparse
import os
import statistics
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "test", "e2e"))
import abi  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    for name, default in (("position", 64), ("pairs", 40), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    o = parser.parse_args()
    model = abi.Model(o.model, o.threads)
    d = model.model
    if not d.router_count:
        sys.exit(f"{o.model} has no experts")
    session = abi.Session(model, 1, o.position + 2)
    rng = np.random.default_rng(0)
    session.step([rng.integers(0, d.vocabulary, o.position)], [0], [0], all_logits=False)

    def step(tokens):
        start = time.perf_counter()
        session.step([tokens], [o.position], [0], want_hidden=False)
        seconds = time.perf_counter() - start
        return seconds, sum(int(np.count_nonzero(load)) for load in session.loads.values())

    _, chosen = step([1])
    experts = {r.layer: r.expert_count for r in d.routers[:d.router_count]}
    # Experts' weights are the ones with as many rows as there are experts, the same for all layers.
    count = next(iter(experts.values()))
    routed = sum(p.bytes for p in d.parameters[:d.parameter_count] if p.rank >= 3 and p.dims[0] == count and not p.draft_only)
    routed = routed * chosen / (len(experts) * count)
    others = d.weight_bytes_per_token - routed
    print(f"{o.threads} threads, behind {o.position} tokens: {d.weight_bytes_per_token / 1e6:.0f} MB of weights a token, {routed / 1e6:.0f} MB of them experts")
    for name, pair in (("the same token twice", lambda a, b: [a, a]), ("two random tokens", lambda a, b: [a, b])):
        ratios, expected, shares = [], [], []
        for _ in range(o.pairs):
            a, b = (int(t) for t in rng.integers(0, d.vocabulary, 2))
            before = step([a])[0]
            two, hit = step(pair(a, b))
            one = (before + step([a])[0]) / 2
            u = hit / chosen
            ratios.append(two / one)
            shares.append(u)
            expected.append((others + u * routed) / (others + routed))
        measured, formula = statistics.median(ratios), statistics.median(expected)
        print(f"{name}: {statistics.median(shares):.2f} times the experts, {measured:.2f} times the time, by bytes {formula:.2f}: "
              f"{100 * (measured / formula - 1):+.0f} %")


if __name__ == "__main__":
    main()
