"""Decode, prefill and start beside onnxruntime, OpenVINO and llama.cpp: the same weights, the same threads, interleaved runs, ratios of medians
of pairs.

usage: peers.py BIN FOLDER [--weight-type keep|int8] [--threads 2] [--rounds 5] [--prompt 512] [--decode 32]

BIN is the folder with ds-compile, ds-run and ds-bench. FOLDER is a model as tools/bench/llama_onnx.py writes it, with weights in f32 or bf16.
The peers are installed apart, in build/peers (llama.cpp is built from source there, which takes minutes). A ratio above 1 says that ds-mlir is
faster.

    weights   ds-mlir               onnxruntime  OpenVINO                  llama.cpp
    f32       f32                   f32          f32                       f32
    bf16      bf16                  (has none)   bf16, the same file       bf16
    int8      --weight-type=int8    (not asked)  (not asked)               q8_0

onnxruntime and OpenVINO do what the graph says: logits of every row of the prompt, and caches that grow by a copy at each token. ds-mlir and
llama.cpp compute the last row's logits and append in place.

The first token is timed from the start of a process, Python and its imports included, to the end of the first step on a prompt of 3 tokens.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

VENV = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "peers")


def enter_venv():
    python = os.path.abspath(os.path.join(VENV, "bin", "python"))
    if os.path.abspath(sys.prefix) == os.path.abspath(VENV):
        return
    if not os.path.exists(os.path.join(VENV, "done")):
        print("installing onnxruntime, openvino and llama.cpp into build/peers", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "onnxruntime==1.32.0", "openvino==2026.4.1", "numpy",
                        "llama-cpp-python==0.3.36", "gguf==0.19.0"], check=True)
        open(os.path.join(VENV, "done"), "w").close()
    os.execv(python, [python, *sys.argv])


def feeds(np, config, length, past, caches):
    heads = config["num_key_value_heads"]
    width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    values = {"input_ids": np.arange(length, dtype=np.int64)[None] % config["vocab_size"],
              "attention_mask": np.ones((1, past + length), np.int64),
              "position_ids": np.arange(past, past + length, dtype=np.int64)[None]}
    empty = np.zeros((1, heads, 0, width), np.float32)
    for name in caches:
        values[name] = caches[name] if caches[name] is not None else empty
    return values


class OnnxRuntime:
    name = "onnxruntime"

    def __init__(self, folder, types, threads, length):
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.inputs = [i.name for i in self.session.get_inputs()]
        self.outputs = [o.name for o in self.session.get_outputs()]

    def run(self, values):
        return dict(zip(self.outputs, self.session.run(None, {n: values[n] for n in self.inputs})))


class OpenVino:
    name = "openvino"

    def __init__(self, folder, types, threads, length):
        import openvino as ov
        core = ov.Core()
        self.model = core.compile_model(core.read_model(os.path.join(folder, "model.onnx")), "CPU",
                                        {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": types, "PERFORMANCE_HINT": "LATENCY"})
        self.inputs = [i.get_any_name() for i in self.model.inputs]
        self.outputs = [o.get_any_name() for o in self.model.outputs]
        self.request = self.model.create_infer_request()

    def run(self, values):
        self.request.infer({n: values[n] for n in self.inputs}, share_inputs=True)
        # A copy: the next call writes its outputs where these lie.
        return {n: self.request.get_tensor(n).data.copy() for n in self.outputs}


class GraphState:
    """A sequence of a peer that runs the graph as it stands: caches go in and come out."""

    def __init__(self, peer, config):
        import numpy as np
        self.np, self.peer, self.config, self.past = np, peer, config, 0
        self.caches = {n: None for n in peer.inputs if n.startswith("past_key_values")}

    def step(self, count):
        out = self.peer.run(feeds(self.np, self.config, count, self.past, self.caches))
        self.past += count
        for name in self.caches:
            self.caches[name] = out[name.replace("past_key_values", "present")]


class LlamaCpp:
    name = "llama.cpp"

    def __init__(self, folder, types, threads, length):
        import llama_cpp
        path = os.path.join(folder, f"model.{types}.gguf")
        self.model = llama_cpp.Llama(path, n_ctx=length, n_batch=length, n_ubatch=512, n_threads=threads, n_threads_batch=threads, verbose=False,
                                     type_k=0 if types == "f32" else 1, type_v=0 if types == "f32" else 1)


class LlamaState:
    def __init__(self, peer, config):
        self.model, self.vocabulary = peer.model, config["vocab_size"]
        self.model.reset()

    def step(self, count):
        past = self.model.n_tokens
        self.model.eval([t % self.vocabulary for t in range(past, past + count)])


PEERS = {p.name: p for p in (OnnxRuntime, OpenVino, LlamaCpp)}


def state(peer, config):
    return LlamaState(peer, config) if isinstance(peer, LlamaCpp) else GraphState(peer, config)


def write_gguf(folder, config, types):
    """The checkpoint in `folder` as llama.cpp reads it: names of its own, q and k turned for rotations of neighbours, no vocabulary."""
    import gguf
    import numpy as np
    path = os.path.join(folder, f"model.{types}.gguf")
    if os.path.exists(path):
        return
    with open(os.path.join(folder, "model.safetensors"), "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        base = f.tell()
    data = np.memmap(os.path.join(folder, "model.safetensors"), np.uint8, "r", base)

    def read(name):
        entry = header[name]
        first, end = entry["data_offsets"]
        raw = data[first:end]
        if entry["dtype"] == "BF16":
            value = (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            value = raw.view(np.float32)
        return value.reshape(entry["shape"])

    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    out = gguf.GGUFWriter(path + ".tmp", "llama")
    out.add_context_length(8192)
    out.add_embedding_length(config["hidden_size"])
    out.add_block_count(config["num_hidden_layers"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(heads)
    out.add_head_count_kv(kv_heads)
    out.add_key_length(width)
    out.add_value_length(width)
    out.add_rope_dimension_count(width)
    out.add_rope_freq_base(config["rope_theta"])
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_vocab_size(config["vocab_size"])
    out.add_tokenizer_model("none")
    kind = {"f32": gguf.GGMLQuantizationType.F32, "bf16": gguf.GGMLQuantizationType.BF16, "int8": gguf.GGMLQuantizationType.Q8_0}[types]
    parts = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
             "post_attention_layernorm": "ffn_norm"}

    def write(name, value):
        own = kind if value.ndim == 2 else gguf.GGMLQuantizationType.F32
        out.add_tensor(name, gguf.quants.quantize(np.ascontiguousarray(value), own), raw_dtype=own)
    for name in header:
        if name == "__metadata__":
            continue
        value = read(name)
        if name.startswith("model.layers."):
            _, _, layer, *rest = name.split(".")
            part = ".".join(rest[:-1])
            if part.endswith(("q_proj", "k_proj")):
                count = heads if part.endswith("q_proj") else kv_heads
                value = value.reshape(count, 2, width // 2, -1).swapaxes(1, 2).reshape(value.shape)
            write(f"blk.{layer}.{parts[part]}.weight", value)
        else:
            write({"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
                   "lm_head.weight": "output.weight"}[name], value)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    os.rename(path + ".tmp", path)


def measure(sequence, prompt, decode):
    """Tokens per second of prefill and of decoding after it."""
    start = time.perf_counter()
    sequence.step(prompt)
    prefill = prompt / (time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(decode):
        sequence.step(1)
    return prefill, decode / (time.perf_counter() - start)


def seconds(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def weights_of(folder):
    with open(os.path.join(folder, "model.safetensors"), "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
    return "bf16" if any(e.get("dtype") == "BF16" for e in header.values()) else "f32"


def main():
    enter_venv()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("folder")
    parser.add_argument("--weight-type", choices=["keep", "int8"], default="keep")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--decode", type=int, default=32)
    parser.add_argument("--first-token", choices=PEERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    config = json.load(open(os.path.join(args.folder, "config.json")))
    types = weights_of(args.folder) if args.weight_type == "keep" else args.weight_type
    length = args.prompt + args.decode + 8
    if args.first_token:
        state(PEERS[args.first_token](args.folder, types, args.threads, length), config).step(3)
        return
    names = {"f32": list(PEERS), "bf16": ["openvino", "llama.cpp"], "int8": ["llama.cpp"]}[types]
    write_gguf(args.folder, config, types)
    with tempfile.TemporaryDirectory() as work:
        library = os.path.join(work, "model.so")
        subprocess.run([os.path.join(args.bin, "ds-compile"), os.path.join(args.folder, "model.onnx"), "--cpu=native",
                        f"--weight-type={args.weight_type}", "-o", library], check=True)
        peers = [PEERS[n](args.folder, types, args.threads, length) for n in names]
        rows = {n: [] for n in ["ds-mlir", *names]}
        for peer in peers:
            measure(state(peer, config), args.prompt, 2)
        for _ in range(args.rounds):
            text = subprocess.run([os.path.join(args.bin, "ds-bench"), library, "--json", f"--threads={args.threads}", f"--prompt={args.prompt}",
                                   f"--decode={args.decode}", "--seconds=1"], check=True, capture_output=True, text=True).stdout
            report = json.loads(text)
            first = seconds([os.path.join(args.bin, "ds-run"), library, "--token-ids=1,2,3", "-n", "1", "--print-ids",
                             f"--threads={args.threads}", f"--length={length}"])
            # All three are speeds: more is better.
            rows["ds-mlir"].append((report["prefill_tokens_per_s"], report["decode_tokens_per_s"], 1 / first))
            for peer in peers:
                speeds = measure(state(peer, config), args.prompt, args.decode)
                first = seconds([sys.executable, os.path.abspath(__file__), args.bin, args.folder, f"--weight-type={args.weight_type}",
                                 f"--threads={args.threads}", f"--first-token={peer.name}"])
                rows[peer.name].append((*speeds, 1 / first))
    own = rows.pop("ds-mlir")
    for i, what in enumerate(("prefill", "decode", "first token")):
        def text(runs):
            median = statistics.median(r[i] for r in runs)
            return f"{1 / median:.2f} s" if what == "first token" else f"{median:.1f} tokens/s"
        print(f"{what} ({types}): ds-mlir {text(own)}")
        for name, theirs in rows.items():
            ratio = statistics.median(o[i] / r[i] for o, r in zip(own, theirs))
            print(f"  {name} {text(theirs)}, ds-mlir is {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
