"""Writes a checkpoint folder of LlamaForCausalLM with one small layer.

usage: make_checkpoint.py FOLDER [FIELD=JSON | -FIELD | shape:TENSOR=JSON | dtype:TENSOR=NAME | -TENSOR | +TENSOR]...

Arguments change fields of config.json, take a field or a tensor away, give a tensor another shape or type than the configuration asks
for, or add one. Weights are zero.
"""
import json
import os
import sys

SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I8": 1}


def main():
    folder, *changes = sys.argv[1:]
    config = {"architectures": ["LlamaForCausalLM"], "vocab_size": 11, "hidden_size": 8, "intermediate_size": 10, "num_hidden_layers": 1,
              "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
    for change in changes:
        name, _, value = change.partition("=")
        if value and ":" not in name:
            config[name] = json.loads(value)
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
    types = {}
    for change in changes:
        name, _, value = change.partition("=")
        kind, _, tensor = name.partition(":")
        if kind == "shape":
            shapes[tensor] = json.loads(value)
        elif kind == "dtype":
            types[tensor] = value
        elif name.startswith("-"):
            config.pop(name[1:], None), shapes.pop(name[1:], None)
        elif name.startswith("+"):
            shapes[name[1:]] = (3,)
    header, offset = {}, 0
    for name, shape in shapes.items():
        count = 1
        for size in shape:
            count *= size
        end = offset + count * SIZES[types.get(name, "F32")]
        header[name] = {"dtype": types.get(name, "F32"), "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    os.makedirs(folder, exist_ok=True)
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text + bytes(offset))
    with open(os.path.join(folder, "config.json"), "w") as out:
        json.dump(config, out)


if __name__ == "__main__":
    main()
