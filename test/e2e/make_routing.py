"""Writes routing.safetensors: what the routers of the golden models say of the golden prompts, and what follows from it.

usage: make_routing.py GOLDEN OUTPUT      GOLDEN has make/reference.py and the models' folders

`MODEL.LAYER.logits` are computed by the golden data's own float64 program and rounded to f32, the rest is from golden.safetensors: experts,
weight, load, and bias_next where there is a bias. `MODEL.LAYER.facts` are k, groups, kept groups, sigmoid (0 or 1), scale.
"""
import pathlib
import sys

import numpy as np

from make_first_layer import write
from run_golden import read

MODELS = ["v2-lite", "v2", "v3", "v3-wide"]


def main():
    golden, output = pathlib.Path(sys.argv[1]), sys.argv[2]
    sys.path.insert(0, str(golden / "make"))
    import reference
    tensors = {}
    for name in MODELS:
        model, cases = reference.Model(golden / name), read(golden / name / "golden.safetensors")
        config, logits = model.c, {}

        def moe(x, p, layer, plain=model.moe):
            logits[layer] = x @ model.w[p + "gate.weight"].T
            return plain(x, p, layer)
        model.moe = moe
        model.forward(cases["single.ids"], model.new_cache())
        facts = np.array([config["num_experts_per_tok"], config["n_group"], config["topk_group"], config["scoring_func"] == "sigmoid",
                          config["routed_scaling_factor"]], np.float32)
        for layer, value in logits.items():
            prefix = f"{name}.{layer}."
            tensors |= {prefix + "facts": facts, prefix + "logits": value.astype(np.float32)}
            for what in ("route.{}.experts", "route.{}.weight", "load.{}", "bias_next.{}"):
                key = "single." + what.format(layer)
                if key in cases:
                    tensors[prefix + what.replace("route.", "").replace("{}", "").strip(".")] = cases[key]
            bias = model.w.get(f"model.layers.{layer}.mlp.gate.e_score_correction_bias")
            if bias is not None:
                tensors[prefix + "bias"] = bias.astype(np.float32)
    write(tensors, output)


if __name__ == "__main__":
    main()
