"""Writes a LLaMA-shaped model (DeepSeek V1) with random weights: model.onnx, model.safetensors (its external data), config.json.

usage: llama_onnx.py FOLDER [--hidden 576] [--layers 30] [--heads 9] [--kv-heads 3] [--intermediate 1536] [--vocabulary 49152] ...

The default shape is that of SmolLM2-135M. The graph is spelled as torch.onnx.export(dynamo=True) spells it at opset 20: dynamic batch and
length, a cache, a mask by GatherND, keys and values repeated by Expand. The weights lie in a safetensors file under the names and in the
layout of a Hugging Face checkpoint, so that other engines read the same folder; the graph transposes them and, when they are stored as
bf16, widens them to f32.
"""
import argparse
import json
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BIG = 2**63 - 1


def bf16_bits(values):
    """Finite f32 `values`, which it overwrites, rounded to the nearest bf16."""
    bits = values.view(np.uint32)
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits >> 16).astype(np.uint16)


class Graph:
    """Nodes and small constants; values are named by what made them and a number."""

    def __init__(self):
        self.nodes, self.initializers, self.constants = [], [], {}

    def __call__(self, op, *inputs, name=None, **attributes):
        name = name or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"node_{name}", **attributes))
        return name

    def constant(self, value, dtype=np.int64):
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = f"constant_{len(self.constants)}"
            self.initializers.append(numpy_helper.from_array(array, self.constants[key]))
        return self.constants[key]


class Weights:
    """Random tensors of a checkpoint, written one after the other as safetensors."""

    def __init__(self, graph, dtype, seed, folder):
        self.graph, self.bf16, self.random, self.folder = graph, dtype == "bf16", np.random.default_rng(seed), folder
        self.tensors, self.offset = [], 0

    def add(self, name, shape, deviation, mean=0.0):
        """The f32 value of a new weight."""
        size = int(np.prod(shape)) * (2 if self.bf16 else 4)
        self.tensors.append((name, shape, deviation, mean, self.offset, size))
        self.offset += size
        return self.graph("Cast", name, to=TensorProto.FLOAT) if self.bf16 else name

    def linear(self, x, name, inputs, outputs):
        weight = self.add(name + ".weight", (outputs, inputs), inputs**-0.5)
        return self.graph("MatMul", x, self.graph("Transpose", weight, perm=[1, 0]))

    def write(self):
        kind = "BF16" if self.bf16 else "F32"
        header = {"__metadata__": {"format": "pt"}}
        for name, shape, _, _, offset, size in self.tensors:
            header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, offset + size]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 64)
        with open(os.path.join(self.folder, "model.safetensors"), "wb") as f:
            f.write(len(text).to_bytes(8, "little") + text)
            for name, shape, deviation, mean, offset, size in self.tensors:
                values = self.random.standard_normal(shape, np.float32)
                values *= np.float32(deviation)
                values += np.float32(mean)
                f.write((bf16_bits(values) if self.bf16 else values).tobytes())
                proto = TensorProto(name=name, dims=shape, data_type=TensorProto.BFLOAT16 if self.bf16 else TensorProto.FLOAT,
                                    data_location=TensorProto.EXTERNAL)
                for key, value in (("location", "model.safetensors"), ("offset", 8 + len(text) + offset), ("length", size)):
                    proto.external_data.add(key=key, value=str(value))
                self.graph.initializers.append(proto)


def build(args, folder):
    g = Graph()
    w = Weights(g, args.weight_type, args.seed, folder)
    i64, f32 = g.constant, lambda v: g.constant(v, np.float32)
    d, heads, kv = args.hidden, args.heads, args.kv_heads
    width = args.head_dim or d // heads
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"]),
              helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "total"]),
              helper.make_tensor_value_info("position_ids", TensorProto.INT64, ["batch", "sequence"])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "sequence", args.vocabulary])]
    for layer in range(args.layers):
        for kind in ("key", "value"):
            inputs.append(helper.make_tensor_value_info(f"past_key_values.{layer}.{kind}", TensorProto.FLOAT, ["batch", kv, "past", width]))
            outputs.append(helper.make_tensor_value_info(f"present.{layer}.{kind}", TensorProto.FLOAT,
                                                         ["batch", kv, "past + sequence", width]))

    def size(value, axis):
        return g("Shape", value, start=axis, end=axis + 1)

    def scalar(vector):
        return g("Squeeze", vector)

    batch, rows, past = size("input_ids", 0), size("input_ids", 1), size("past_key_values.0.key", 2)
    total = g("Add", past, rows)

    # may attend [B, 1, S, T]: key <= past + row, and the key is no padding.
    def arange(count):
        return g("Range", i64(0), scalar(count), i64(1))

    keys = g("Unsqueeze", arange(total), i64([0, 1, 2]))
    queries = g("Unsqueeze", g("Add", arange(rows), past), i64([0, 1, 3]))
    sequences = g("Unsqueeze", arange(batch), i64([1, 2, 3]))
    causal = g("LessOrEqual", keys, queries)
    grid = g("Shape", g("Max", sequences, keys))
    where = g("Concat", g("Unsqueeze", g("Expand", sequences, grid), i64([-1])), g("Unsqueeze", g("Expand", keys, grid), i64([-1])), axis=-1)
    present = g("GatherND", g("Cast", "attention_mask", to=TensorProto.BOOL), where)
    mask = g("Expand", g("And", causal, present), g("Concat", batch, i64([1]), rows, total, axis=0))

    frequencies = f32(args.rope_theta ** -(np.arange(0, width, 2) / width))
    angles = g("Mul", g("Cast", g("Unsqueeze", "position_ids", i64([2])), to=TensorProto.FLOAT), frequencies)
    angles = g("Concat", angles, angles, axis=-1)
    cos, sin = g("Unsqueeze", g("Cos", angles), i64([1])), g("Unsqueeze", g("Sin", angles), i64([1]))

    def norm(x, name):
        weight = w.add(name + ".weight", (d,), 0.1, 1.0)
        mean = g("ReduceMean", g("Pow", x, f32(2)), i64([-1]), keepdims=1)
        scale = g("Reciprocal", g("Sqrt", g("Add", mean, f32(args.epsilon))))
        return g("Mul", weight, g("Mul", x, scale))

    def rope(x):
        half = i64([width // 2])
        low, high = g("Slice", x, i64([0]), half, i64([3]), i64([1])), g("Slice", x, half, i64([BIG]), i64([3]), i64([1]))
        return g("Add", g("Mul", x, cos), g("Mul", g("Concat", g("Neg", high), low, axis=-1), sin))

    split = g("Concat", batch, rows, i64([-1]), i64([width]), axis=0)
    merged = g("Concat", batch, rows, i64([-1]), axis=0)
    grouped = g("Concat", batch, i64([kv]), i64([heads // kv]), total, i64([width]), axis=0)
    repeated = g("Concat", batch, i64([heads]), total, i64([width]), axis=0)

    def repeat(x):
        return g("Reshape", g("Expand", g("Unsqueeze", x, i64([2])), grouped), repeated) if heads != kv else x

    bias = g("Where", mask, f32(0), f32(np.finfo(np.float32).min))
    root = f32(width**-0.25)
    embeddings = w.add("model.embed_tokens.weight", (args.vocabulary, d), d**-0.5)
    x = g("Gather", embeddings, "input_ids", axis=0)
    for layer in range(args.layers):
        name = f"model.layers.{layer}."
        y = norm(x, name + "input_layernorm")

        def project(kind, count):
            flat = w.linear(y, f"{name}self_attn.{kind}_proj", d, count * width)
            return g("Transpose", g("Reshape", flat, split), perm=[0, 2, 1, 3])

        q, k, v = rope(project("q", heads)), rope(project("k", kv)), project("v", kv)
        k = g("Concat", f"past_key_values.{layer}.key", k, axis=-2, name=f"present.{layer}.key")
        v = g("Concat", f"past_key_values.{layer}.value", v, axis=-2, name=f"present.{layer}.value")
        scores = g("MatMul", g("Mul", q, root), g("Mul", g("Transpose", repeat(k), perm=[0, 1, 3, 2]), root))
        scores = g("Softmax", g("Add", scores, bias), axis=-1)
        attended = g("Transpose", g("MatMul", scores, repeat(v)), perm=[0, 2, 1, 3])
        x = g("Add", x, w.linear(g("Reshape", attended, merged), name + "self_attn.o_proj", heads * width, d))
        y = norm(x, name + "post_attention_layernorm")
        gate = w.linear(y, name + "mlp.gate_proj", d, args.intermediate)
        up = w.linear(y, name + "mlp.up_proj", d, args.intermediate)
        x = g("Add", x, w.linear(g("Mul", g("Mul", gate, g("Sigmoid", gate)), up), name + "mlp.down_proj", args.intermediate, d))
    y = norm(x, "model.norm")
    head = embeddings if args.tied else w.add("lm_head.weight", (args.vocabulary, d), d**-0.5)
    g("MatMul", y, g("Transpose", head, perm=[1, 0]), name="logits")

    w.write()
    graph = helper.make_graph(g.nodes, "llama", inputs, outputs, g.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10, producer_name="llama_onnx.py")
    onnx.save(model, os.path.join(folder, "model.onnx"))
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
        "hidden_size": d, "intermediate_size": args.intermediate, "num_hidden_layers": args.layers, "num_attention_heads": heads,
        "num_key_value_heads": kv, "head_dim": width, "vocab_size": args.vocabulary, "rms_norm_eps": args.epsilon,
        "rope_theta": args.rope_theta, "rope_scaling": None, "max_position_embeddings": args.max_length, "tie_word_embeddings": args.tied,
        "torch_dtype": "bfloat16" if args.weight_type == "bf16" else "float32", "bos_token_id": 0, "eos_token_id": 0, "use_cache": True,
    }
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    for name, value in (("hidden", 576), ("layers", 30), ("heads", 9), ("kv-heads", 3), ("head-dim", 0), ("intermediate", 1536),
                        ("vocabulary", 49152), ("max-length", 8192), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--rope-theta", type=float, default=100000.0)
    parser.add_argument("--epsilon", type=float, default=1e-5)
    parser.add_argument("--weight-type", choices=["f32", "bf16"], default="f32", help="type in which the weights are stored")
    parser.add_argument("--untied", dest="tied", action="store_false", help="a head of its own instead of the embedding's table")
    args = parser.parse_args()
    if args.heads % args.kv_heads or (not args.head_dim and args.hidden % args.heads):
        parser.error("heads must be a multiple of kv-heads, and hidden of heads unless --head-dim is given")
    os.makedirs(args.folder, exist_ok=True)
    build(args, args.folder)


if __name__ == "__main__":
    main()
