"""Writes a checkpoint folder: a LlamaForCausalLM with one small layer of zeros, or a copy of another.

usage: make_checkpoint.py FOLDER [from:OTHER] [CHANGE]...

Changes: FIELD=JSON and -FIELD of config.json; -TENSOR and +TENSOR take one away and add one of zeros; shape:TENSOR=JSON and
dtype:TENSOR=NAME make one of zeros of another shape or type; nan:TENSOR=JSON puts NaN at these elements. rows:N lets N rows of FP8 weights
share a scale; fuse:experts makes one tensor of all experts of a layer, as newer transformers write it.
"""
import json
import math
import os
import re
import sys

SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I8": 1, "F8_E4M3": 1}


def small_llama(config):
    """Shapes of all tensors."""
    width = config.get("head_dim", 2)
    d, ffn, q, kv = config["hidden_size"], config["intermediate_size"], 4 * width, 2 * width
    layer = "model.layers.0."
    projections = {"self_attn.q_proj": (q, d), "self_attn.k_proj": (kv, d), "self_attn.v_proj": (kv, d), "self_attn.o_proj": (d, q),
                   "mlp.gate_proj": (ffn, d), "mlp.up_proj": (ffn, d), "mlp.down_proj": (d, ffn)}
    shapes = {"model.embed_tokens.weight": (11, d), "model.norm.weight": (d,), layer + "input_layernorm.weight": (d,),
              layer + "post_attention_layernorm.weight": (d,)}
    for name, shape in projections.items():
        shapes[f"{layer}{name}.weight"] = shape
        if config.get("attention_bias" if name.startswith("self") else "mlp_bias"):
            shapes[f"{layer}{name}.bias"] = shape[:1]
    if not config.get("tie_word_embeddings"):
        shapes["lm_head.weight"] = (11, d)
    return shapes


def read(path):
    """Type, shape and bytes of all tensors of a file."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    return {name: (info["dtype"], info["shape"], data[slice(*info["data_offsets"])])
            for name, info in header.items() if name != "__metadata__"}


def zeros(shape, dtype="F32"):
    return dtype, list(shape), bytes(math.prod(shape) * SIZES[dtype])


def share_rows(config, tensors, rows):
    """Scales for blocks of so many rows, a divisor of those of the checkpoint: the same numbers more often."""
    block = config["quantization_config"]["weight_block_size"]
    for name, (dtype, shape, data) in tensors.items():
        if name.endswith("_scale_inv"):
            size, total = 4 * shape[1], tensors[name.removesuffix("_scale_inv")][1][0]
            lines = [data[i * size: (i + 1) * size] for i in range(shape[0]) for _ in range(block[0] // rows)][:-(-total // rows)]
            tensors[name] = dtype, [len(lines), shape[1]], b"".join(lines)
    block[0] = rows


def fuse_experts(tensors):
    """NAME.N.gate_proj.weight and so on of all N as NAME.gate_up_proj [N, 2·I, d] and NAME.down_proj [N, d, I]; scales likewise."""
    layers = {}
    for name in list(tensors):
        if match := re.fullmatch(r"(.*\.experts)\.(\d+)\.(gate|up|down)_proj\.weight(_scale_inv)?", name):
            layer, expert, projection, suffix = match.groups()
            layers.setdefault((layer, suffix or ""), {})[projection, int(expert)] = tensors.pop(name)
    for (layer, suffix), parts in layers.items():
        count = 1 + max(expert for _, expert in parts)
        for fused, projections in ("gate_up", ("gate", "up")), ("down", ("down",)):
            dtype, (rows, columns), _ = parts[projections[0], 0]
            tensors[f"{layer}.{fused}_proj{suffix}"] = (
                dtype, [count, len(projections) * rows, columns],
                b"".join(parts[projection, expert][2] for expert in range(count) for projection in projections))


def main():
    folder, *changes = sys.argv[1:]
    other = next((change[5:] for change in changes if change.startswith("from:")), None)
    config = {"architectures": ["LlamaForCausalLM"], "vocab_size": 11, "hidden_size": 8, "intermediate_size": 10, "num_hidden_layers": 1,
              "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
    if other:
        config = json.load(open(os.path.join(other, "config.json")))
    for change in changes:
        name, _, value = change.partition("=")
        if value and ":" not in name:
            config[name] = json.loads(value)
    tensors = {}
    if other:
        for name in sorted(os.listdir(other)):
            if name.startswith("model") and name.endswith(".safetensors"):
                tensors.update(read(os.path.join(other, name)))
    else:
        tensors = {name: zeros(shape) for name, shape in small_llama(config).items()}
    for change in changes:
        name, _, value = change.partition("=")
        kind, _, tensor = name.partition(":")
        if kind == "shape":
            tensors[tensor] = zeros(json.loads(value), tensors[tensor][0])
        elif kind == "rows":
            share_rows(config, tensors, int(tensor))
        elif kind == "fuse":
            fuse_experts(tensors)
        elif kind == "dtype":
            tensors[tensor] = zeros(tensors[tensor][1], value)
        elif kind == "nan":
            dtype, shape, data = tensors[tensor]
            data, size = bytearray(data), SIZES[dtype]
            for element in json.loads(value):
                data[element * size: (element + 1) * size] = b"\xff" * size
            tensors[tensor] = dtype, shape, bytes(data)
        elif name.startswith("+"):
            tensors[name[1:]] = zeros((3,))
        elif name.startswith("-"):
            if name[1:] not in config and name[1:] not in tensors:
                sys.exit(f"nothing is called {name[1:]}")
            config.pop(name[1:], None), tensors.pop(name[1:], None)
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    os.makedirs(folder, exist_ok=True)
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text + b"".join(data for _, _, data in tensors.values()))
    with open(os.path.join(folder, "config.json"), "w") as out:
        json.dump(config, out)


if __name__ == "__main__":
    main()
