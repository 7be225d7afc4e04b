"""Writes a Hugging Face checkpoint of DeepSeek V2's architecture with random bf16 weights: config.json, one shard a layer, their index.

usage: deepseek_checkpoint.py FOLDER [--layers 4] [--hidden 2048] [--heads 16] [--experts 64] [--top-k 6] [--fp8] ...

The default shape is that of V2-Lite with 4 of its 27 layers, one of them dense: 4.5 GB. With --fp8 the matrices of layers but routers are the same
numbers in e4m3 with a scale per block of 128 x 128, as V3 has them. There is no tokenizer: ds-bench needs none.
"""
import argparse
import json
import os

import ml_dtypes
import numpy as np

from llama_onnx import bf16_bits


BLOCK = 128


def is_float8(name, shape):
    """Whether --fp8 changes a tensor."""
    return len(shape) == 2 and ".layers." in name and not name.endswith(".gate.weight")


def float8(values):
    """e4m3 numbers and their scales per block, of which each has the largest number of its block at the end of the format."""
    rows, columns = (-(-size // BLOCK) for size in values.shape)
    padded = np.zeros((rows * BLOCK, columns * BLOCK), np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    scales = np.abs(padded.reshape(rows, BLOCK, columns, BLOCK)).max((1, 3)) / np.float32(448)
    by_element = np.repeat(np.repeat(scales, BLOCK, 0), BLOCK, 1)[: values.shape[0], : values.shape[1]]
    return (values / by_element).astype(ml_dtypes.float8_e4m3fn), scales


def write_shard(path, shapes, random, fp8):
    """Writes `shapes`, name -> shape, and returns how many bytes and which tensors there are: matrices with the deviation that keeps the size of their
    input, norms near 1."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0

    def add(name, dtype, shape, size):
        nonlocal offset
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size * int(np.prod(shape))]}
        offset = header[name]["data_offsets"][1]
    for name, shape in shapes.items():
        if fp8 and is_float8(name, shape):
            add(name, "F8_E4M3", shape, 1)
            add(name + "_scale_inv", "F32", [-(-size // BLOCK) for size in shape], 4)
        else:
            add(name, "BF16", shape, 2)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 64)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            values = random.standard_normal(shape, np.float32)
            values = values * np.float32(shape[-1] ** -0.5) if len(shape) == 2 else 1 + values * np.float32(0.1)
            if fp8 and is_float8(name, shape):
                for part in float8(values):
                    f.write(part.tobytes())
            else:
                f.write(bf16_bits(values).tobytes())
    header.pop("__metadata__")
    return offset, list(header)


def mlp(prefix, hidden, width):
    return {f"{prefix}.gate_proj.weight": (width, hidden), f"{prefix}.up_proj.weight": (width, hidden),
            f"{prefix}.down_proj.weight": (hidden, width)}


def layer_shapes(c, layer):
    prefix, d, heads, rank = f"model.layers.{layer}", c["hidden_size"], c["num_attention_heads"], c["kv_lora_rank"]
    plain, rope, value = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    shapes = {
        f"{prefix}.input_layernorm.weight": (d,),
        f"{prefix}.self_attn.q_proj.weight": (heads * (plain + rope), d),
        f"{prefix}.self_attn.kv_a_proj_with_mqa.weight": (rank + rope, d),
        f"{prefix}.self_attn.kv_a_layernorm.weight": (rank,),
        f"{prefix}.self_attn.kv_b_proj.weight": (heads * (plain + value), rank),
        f"{prefix}.self_attn.o_proj.weight": (d, heads * value),
        f"{prefix}.post_attention_layernorm.weight": (d,),
    }
    if layer < c["first_k_dense_replace"]:
        return shapes | mlp(f"{prefix}.mlp", d, c["intermediate_size"])
    width = c["moe_intermediate_size"]
    shapes[f"{prefix}.mlp.gate.weight"] = (c["n_routed_experts"], d)
    for expert in range(c["n_routed_experts"]):
        shapes |= mlp(f"{prefix}.mlp.experts.{expert}", d, width)
    return shapes | mlp(f"{prefix}.mlp.shared_experts", d, c["n_shared_experts"] * width)


def configuration(args):
    config = {
        "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "attention_bias": False, "bos_token_id": 0,
        "eos_token_id": 1, "first_k_dense_replace": args.dense_layers, "hidden_act": "silu", "hidden_size": args.hidden,
        "intermediate_size": args.intermediate, "kv_lora_rank": args.rank, "max_position_embeddings": 163840,
        "moe_intermediate_size": args.expert_intermediate, "moe_layer_freq": 1, "n_group": 1, "n_routed_experts": args.experts,
        "n_shared_experts": args.shared, "norm_topk_prob": False, "num_attention_heads": args.heads, "num_experts_per_tok": args.top_k,
        "num_hidden_layers": args.layers, "num_key_value_heads": args.heads, "q_lora_rank": None, "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64, "rms_norm_eps": 1e-6,
        "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707,
                         "original_max_position_embeddings": 4096, "type": "yarn"},
        "rope_theta": 10000, "routed_scaling_factor": 1.0, "scoring_func": "softmax", "tie_word_embeddings": False, "topk_group": 1,
        "topk_method": "greedy", "torch_dtype": "bfloat16", "v_head_dim": 128, "vocab_size": args.vocabulary,
    }
    if args.fp8:
        config["quantization_config"] = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                                         "weight_block_size": [BLOCK, BLOCK]}
    return config


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    for name, default in (("layers", 4), ("dense-layers", 1), ("hidden", 2048), ("heads", 16), ("rank", 512), ("intermediate", 10944),
                          ("expert-intermediate", 1408), ("experts", 64), ("top-k", 6), ("shared", 2), ("vocabulary", 102400), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--fp8", action="store_true")
    args = parser.parse_args()
    config = configuration(args)
    os.makedirs(args.folder, exist_ok=True)
    with open(os.path.join(args.folder, "config.json"), "w") as f:
        json.dump(config, f, indent=2)
    rows = (args.vocabulary, args.hidden)
    shards = [{"model.embed_tokens.weight": rows, "lm_head.weight": rows, "model.norm.weight": (args.hidden,)}]
    shards += [layer_shapes(config, layer) for layer in range(args.layers)]
    random, index, total = np.random.default_rng(args.seed), {}, 0
    for i, shapes in enumerate(shards):
        name = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        size, names = write_shard(os.path.join(args.folder, name), shapes, random, args.fp8)
        total += size
        index |= dict.fromkeys(names, name)
    with open(os.path.join(args.folder, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": index}, f)


if __name__ == "__main__":
    main()
