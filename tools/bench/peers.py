"""Decode and prefill beside onnxruntime and OpenVINO: the same ONNX file, the same threads, interleaved runs, ratios of medians of pairs.

usage: peers.py BIN MODEL.onnx [--threads 2] [--rounds 5] [--prompt 512] [--decode 32]

BIN is the folder with ds-compile and ds-bench. MODEL.onnx is a model as tools/bench/llama_onnx.py writes it: input_ids, attention_mask,
position_ids, past_key_values.*; f32. The peers are installed apart, in build/peers. A ratio above 1 says that ds-mlir is faster. The peers do
what the graph says: logits of every row of the prompt, and caches that grow by a copy at each token; ds-mlir computes the last row's logits
and appends in place.
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
        print("installing onnxruntime and openvino into build/peers", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "onnxruntime==1.32.0", "openvino==2026.4.1", "numpy"], check=True)
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

    def __init__(self, path, threads):
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [i.name for i in self.session.get_inputs()]
        self.outputs = [o.name for o in self.session.get_outputs()]

    def run(self, values):
        return dict(zip(self.outputs, self.session.run(None, {n: values[n] for n in self.inputs})))


class OpenVino:
    name = "openvino"

    def __init__(self, path, threads):
        import openvino as ov
        core = ov.Core()
        self.model = core.compile_model(core.read_model(path), "CPU",
                                        {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"})
        self.inputs = [i.get_any_name() for i in self.model.inputs]
        self.outputs = [o.get_any_name() for o in self.model.outputs]
        self.request = self.model.create_infer_request()

    def run(self, values):
        self.request.infer({n: values[n] for n in self.inputs}, share_inputs=True)
        # A copy: the next call writes its outputs where these lie.
        return {n: self.request.get_tensor(n).data.copy() for n in self.outputs}


def measure(np, peer, config, prompt, decode):
    """Tokens per second of prefill and of decoding after it."""
    caches = {n: None for n in peer.inputs if n.startswith("past_key_values")}
    start = time.perf_counter()
    out = peer.run(feeds(np, config, prompt, 0, caches))
    prefill = prompt / (time.perf_counter() - start)
    start = time.perf_counter()
    for step in range(decode):
        for name in caches:
            caches[name] = out[name.replace("past_key_values", "present")]
        out = peer.run(feeds(np, config, 1, prompt + step, caches))
    return prefill, decode / (time.perf_counter() - start)


def main():
    enter_venv()
    import numpy as np
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--decode", type=int, default=32)
    args = parser.parse_args()
    config = json.load(open(os.path.join(os.path.dirname(os.path.abspath(args.model)), "config.json")))
    with tempfile.TemporaryDirectory() as work:
        library = os.path.join(work, "model.so")
        subprocess.run([os.path.join(args.bin, "ds-compile"), args.model, "--cpu=native", "-o", library], check=True)
        peers = [OnnxRuntime(args.model, args.threads), OpenVino(args.model, args.threads)]
        results = {p.name: [] for p in peers}
        own = []
        for peer in peers:
            measure(np, peer, config, args.prompt, 2)
        for _ in range(args.rounds):
            text = subprocess.run([os.path.join(args.bin, "ds-bench"), library, "--json", f"--threads={args.threads}", f"--prompt={args.prompt}",
                                   f"--decode={args.decode}", "--seconds=1"], check=True, capture_output=True, text=True).stdout
            report = json.loads(text)
            own.append((report["prefill_tokens_per_s"], report["decode_tokens_per_s"]))
            for peer in peers:
                results[peer.name].append(measure(np, peer, config, args.prompt, args.decode))
    for i, what in enumerate(("prefill", "decode")):
        print(f"{what}: ds-mlir {statistics.median(r[i] for r in own):.1f} tokens/s")
        for name, rows in results.items():
            ratio = statistics.median(o[i] / r[i] for o, r in zip(own, rows))
            print(f"  {name} {statistics.median(r[i] for r in rows):.1f} tokens/s, ds-mlir / {name} {ratio:.2f}")


if __name__ == "__main__":
    main()
