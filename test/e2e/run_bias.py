"""Routing biases are changed without recompiling: ds-run --bias, --update-bias and --save-bias on an example model.

usage: run_bias.py DS_COMPILE DS_RUN FOLDER

FOLDER: a checkpoint of DeepSeek-V3's kind with a layer that predicts a token further on, and an ONNX file of the same model without it. The
biases that ds-run saves are those of the checkpoint; with others it computes, bit for bit, what a checkpoint compiled with those computes,
logits of the drafting layer too; an update moves each by the rule, in f32, of the load that --stats shows; the ONNX file's model has the same
biases, and routes by others as the folder's. Prints a line per failure and, last, `N passed, N failed`.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_first_layer import write  # noqa: E402
from run_golden import read  # noqa: E402

SUFFIX = ".mlp.gate.e_score_correction_bias"


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(result.stderr.strip()[:300])
    return result


def patched(folder, to, biases):
    """A copy of the checkpoint `folder` with other biases."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.onnx"))
    path = os.path.join(to, "model.safetensors")
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        for name, bias in biases.items():
            start, end = header[name]["data_offsets"]
            assert header[name]["dtype"] == "F32" and end - start == bias.nbytes
            file.seek(8 + length + start)
            file.write(bias.tobytes())


class Test:
    def __init__(self, ds_compile, ds_run, folder, work):
        self.ds_compile, self.ds_run, self.folder, self.work = ds_compile, ds_run, folder, work
        self.checkpoint = {name: bias for name, bias in read(os.path.join(folder, "model.safetensors")).items() if name.endswith(SUFFIX)}
        random = np.random.default_rng(1)
        self.other = {name: random.normal(0, 0.3, bias.shape).astype(np.float32) for name, bias in self.checkpoint.items()}
        self.model = self.compile(folder, "model.so")
        cases = json.load(open(os.path.join(folder, "expected.json")))["cases"]
        self.prompt = "--token-ids=" + ",".join(map(str, sum((case["ids"] + case["greedy"] for case in cases), [])[:400]))

    def path(self, name):
        return os.path.join(self.work, name)

    def compile(self, source, name, *flags):
        run(self.ds_compile, source, "--cpu=native", *flags, "-o", self.path(name))
        return self.path(name)

    def text(self, model, *options):
        """Logits of a text with drafts, and the line of --stats."""
        result = run(self.ds_run, model, self.prompt, "-n20", "--ignore-eos", "--print-ids", "--draft=1", "--all-logits",
                     "--logits-out=" + self.path("logits"), "--stats", *options)
        return read(self.path("logits")), json.loads(result.stderr.strip().splitlines()[-1])

    def saves_those_of_the_checkpoint(self):
        self.text(self.model, "--save-bias=" + self.path("saved"))
        saved = read(self.path("saved"))
        assert saved.keys() == self.checkpoint.keys(), sorted(saved)
        for name, bias in self.checkpoint.items():
            assert saved[name].tobytes() == bias.tobytes(), name

    def computes_as_if_compiled_with_them(self):
        write(self.other, self.path("other"))
        patched(self.folder, self.path("copy"), self.other)
        got, _ = self.text(self.model, "--bias=" + self.path("other"))
        want, _ = self.text(self.compile(self.path("copy"), "copy.so"))
        plain, _ = self.text(self.model)
        for name in ("logits", "draft_logits"):
            assert np.array_equal(got[name].view(np.uint32), want[name].view(np.uint32)), name + " differ"
            assert not np.array_equal(got[name][:5], plain[name][:5]), name + " are those of the model's own biases"

    def moves_them_by_the_load(self):
        write(self.other, self.path("other"))
        for start, options in ((self.checkpoint, ()), (self.other, ("--bias=" + self.path("other"),))):
            _, stats = self.text(self.model, *options, "--update-bias=0.002", "--save-bias=" + self.path("moved"))
            moved = read(self.path("moved"))
            assert len(stats["expert_load"]) == len(start) == len(moved), f"{len(stats['expert_load'])} loads"
            for layer, load in zip(stats["expert_load_layers"], stats["expert_load"]):
                name = f"model.layers.{layer}{SUFFIX}"
                sign = np.sign(sum(load) - len(load) * np.array(load)).astype(np.float32)
                assert {-1, 1} <= set(sign), "the test does not see both"
                want = start[name] + np.float32(0.002) * sign
                assert moved[name].tobytes() == want.tobytes(), name

    def routes_the_same_from_onnx(self):
        loads = {}
        for source in "", "model.onnx":
            model = self.compile(os.path.join(self.folder, source), "exact.so", "--precision=exact")
            ids = self.prompt, "-n1", "--print-ids", "--stats"
            run(self.ds_run, model, *ids, "--save-bias=" + self.path("saved"))
            saved = read(self.path("saved"))
            for name, bias in saved.items():
                assert bias.tobytes() == self.checkpoint[name].tobytes(), name
            write({name: self.other[name] for name in saved}, self.path("other"))
            for options in [], ["--bias=" + self.path("other")]:
                stats = json.loads(run(self.ds_run, model, *ids, *options).stderr.strip().splitlines()[-1])
                loads[source, bool(options)] = stats["expert_load"]
        assert len(saved) == len(self.checkpoint) - 1, sorted(saved)
        assert loads["", False] == loads["model.onnx", False] != loads["", True] == loads["model.onnx", True]

    def does_not_depend_on_chunks_and_threads(self):
        files = []
        for options in (), ("--chunk=7", "--threads=1"):
            self.text(self.model, *options, "--update-bias=0.01", "--save-bias=" + self.path("moved"))
            files.append(open(self.path("moved"), "rb").read())
        assert files[0] == files[1]


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as work:
        test = Test(*sys.argv[1:], work)
        for check in (test.saves_those_of_the_checkpoint, test.computes_as_if_compiled_with_them, test.moves_them_by_the_load,
                      test.routes_the_same_from_onnx, test.does_not_depend_on_chunks_and_threads):
            try:
                check()
                passed += 1
            except Exception:  # noqa: BLE001  reported as a failure
                failed += 1
                print(f"FAILED {check.__name__}: {traceback.format_exc()}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
