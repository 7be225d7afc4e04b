"""Pipelined matrix products: right in every mode, and wrong without any one of their synchronisations.

usage: run_gemm.py DS_PTX_RUN [--only GLOB] [--mutants] [--driver LIBRARY]

gemm/*.ptx (gemm/remake.sh makes them): cp.async and mma.sync with 3 and 4 stages in bf16, f16 and s8; TMA, mbarriers and wgmma with a warp that copies and two
warpgroups that multiply, in bf16, f16 and e4m3 with promotion, alone and in clusters of two with multicast. Sizes do not fit the tiles. Elements are small
whole numbers, so that the product is exact: its bits must be right with copies early, late and by chance, with all detectors on. Floats that are no
whole numbers are within the bound of what rounding a sum of k products in any order can do: k 2^-23 |A| |B|.

--mutants: deletes one synchronisation at a time (a wait for a predicate is made true). At least 95 % of these must be reported or give other bits
in some mode and seed; those that survive are printed, and must be known to be needless (SURVIVORS says why).
--driver: through the driver of a library, libds_cuda_emulator.so or a GPU's libcuda.so.1.
With ptxas in PATH each file is assembled. Ends with "N passed, N failed".
"""
import argparse
import fnmatch
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np

from cases import report

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gemm")
MODES = ("early", "late", "random")
TYPES = {"bf16": ml_dtypes.bfloat16, "f16": np.float16, "s8": np.int8, "e4m3": ml_dtypes.float8_e4m3fn}
SYNCHRONISATION = re.compile(r"^\s*(@!?%?\w+\s+)?(bar\.|barrier\.|cp\.async\.(commit|wait)|cp\.async\.bulk\.(commit|wait)|mbarrier\.(arrive|try_wait)|fence\.|wgmma\.(fence|commit|wait))")
# Mutants that nothing can tell from the kernel: the instruction (as a regular expression), in the kernels whose names match, and why it is not needed.
SURVIVORS = [(r"wgmma\.wait_group", "sm90-e4m3-*", "the one behind the loop, in which each step waits for all products")]


class Kernel:
    def __init__(self, path, driver):
        self.driver = ["--driver", driver] if driver else []
        self.path, self.name = path, os.path.splitext(os.path.basename(path))[0]
        self.family, self.kind, variant = self.name.split("-")
        self.cluster = int(variant) if self.family == "sm90" else 1
        self.width = np.dtype(TYPES[self.kind]).itemsize

    def run(self, binary, work, path, a, b, mode, seed, limit=None):
        """(bytes of C or None, report)."""
        (m, k), n = a.shape, b.shape[0]
        files = [os.path.join(work, name) for name in ("a", "b", "c")]
        for name, matrix in zip(files, (a, b)):
            matrix.astype(TYPES[self.kind]).tofile(name)
        word = "s32" if self.kind == "s8" else "f32"
        sides = [f"b8[{matrix.size * self.width}]=@{name}" for name, matrix in zip(files, (a, b))] + [f"{word}[{m * n}]"]
        if self.family == "sm80":
            arguments = ["--block", "128", "--grid", f"{-(-n // 64)},{-(-m // 64)}", "--arg", sides[2], "--arg", sides[0], "--arg", sides[1], "--arg",
                         f"s32={m}", "--arg", f"s32={n}", "--arg", f"s32={k}", "--dump", "0=" + files[2]]
        else:
            kind = "u8" if self.width == 1 else self.kind
            columns = -(-n // 128 // self.cluster) * self.cluster
            arguments = ["--block", "384", "--grid", f"{columns},{-(-m // 128)}", "--smem", str(3 * 2 * 128 * 128 + 2 * 64 * 128 * 4 + 1024)]
            arguments += [text for side in sides for text in ("--buffer", side)]
            arguments += [text for i, rows in enumerate((m, n))
                          for text in ("--arg", f"tma(b{i}; {kind}; dims={k},{rows}; box={128 // self.width},64; swizzle=128)")]
            arguments += ["--arg", f"tma(b2; f32; dims={n},{m}; box=32,64)", "--arg", f"s32={k}", "--dump", "b2=" + files[2]]
        if limit:
            arguments += ["--limit", str(limit)]
        done = subprocess.run([binary, path, *arguments, *self.driver, "--async", mode, "--seed", str(seed)], capture_output=True, text=True, timeout=300)
        if done.returncode:
            assert done.returncode == 1, f"the emulator crashed: {done.returncode}\n{done.stderr}"
            return None, done.stderr
        return np.fromfile(files[2], np.int32 if self.kind == "s8" else np.float32).reshape(m, n), ""


def sizes(kernel):
    """Ragged, of pitches that copies take: multiples of 16 bytes."""
    if kernel.family == "sm80":
        yield 100, 72, 208 // kernel.width
        yield 64, 64, 512 // kernel.width
        yield 7, 130, 16 // kernel.width
    else:
        yield 200, 152, 656 // kernel.width
        yield 128, 128 * kernel.cluster, 1024 // kernel.width
        yield 70, 300, 48 // kernel.width


def check(binary, kernel):
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as work:
        if shutil.which("ptxas"):
            target = re.search(r"^\.target (\w+)", open(kernel.path).read(), re.M)[1]
            subprocess.run(["ptxas", f"-arch={target}", "-o", os.path.join(work, "cubin"), kernel.path], check=True)
        for m, n, k in sizes(kernel):
            a, b = rng.integers(-3, 4, (m, k)), rng.integers(-3, 4, (n, k))
            for mode in MODES:
                for seed in (0, 1, 2):
                    c, report = kernel.run(binary, work, kernel.path, a, b, mode, seed)
                    assert c is not None, f"{m} x {n} x {k}, {mode}, seed {seed}:\n{report}"
                    assert np.array_equal(c, a @ b.T), f"{m} x {n} x {k}, {mode}, seed {seed}: {np.argwhere(c != a @ b.T)[:4]}"
        if kernel.kind == "s8":
            return
        a, b = (rng.standard_normal((rows, 256)).astype(TYPES[kernel.kind]).astype(np.float64) for rows in (96, 80))
        results = [kernel.run(binary, work, kernel.path, a, b, mode, 3)[0] for mode in MODES]
        assert all(each.tobytes() == results[0].tobytes() for each in results), "bits depend on the mode"
        bound = 256 * 2.0**-23 * (np.abs(a) @ np.abs(b).T)
        error = np.abs(results[0] - a @ b.T)
        assert (error <= bound).all(), f"off by {(error / bound).max():.2f} of the bound"


def mutants(kernel):
    lines = open(kernel.path).read().split("\n")
    for number, line in enumerate(lines):
        if not SYNCHRONISATION.match(line):
            continue
        wait = re.search(r"try_wait\S*\s+(%?\w+),", line)
        changed = f"\tsetp.eq.u32 {wait[1]}, 0, 0;" if wait else "//" + line
        yield number + 1, line.strip(), "\n".join(lines[:number] + [changed] + lines[number + 1:])


def killed(binary, kernel, text):
    """Whether the mutant is found out, and by what."""
    rng = np.random.default_rng(2)
    m, n, k = next(sizes(kernel))
    a, b = rng.integers(-3, 4, (m, k)), rng.integers(-3, 4, (n, k))
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "mutant.ptx")
        with open(path, "w") as file:
            file.write(text)
        for seed in (0, 1, 2):
            for mode in MODES:
                c, report = kernel.run(binary, work, path, a, b, mode, seed, limit=200000)
                if c is None:
                    return report.split("\n")[0].removeprefix("DS-EMU error: ")
                if not np.array_equal(c, a @ b.T):
                    return "other bits"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ds_ptx_run", help="the runner")
    parser.add_argument("--only", default="*", help="kernels to run, as sm90-bf16-2")
    parser.add_argument("--mutants", action="store_true", help="run mutants instead of the kernels")
    parser.add_argument("--driver", metavar="LIBRARY", help="run on the driver of this library")
    options = parser.parse_args()
    kernels = [Kernel(path, options.driver) for path in sorted(glob.glob(os.path.join(HERE, "*.ptx")))]
    kernels = [kernel for kernel in kernels if fnmatch.fnmatch(kernel.name, options.only)]
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if not options.mutants:
            return report({kernel.name: pool.submit(check, options.ds_ptx_run, kernel).result for kernel in kernels})
        total = dead = 0
        for kernel in kernels:
            for number, line, result in [(number, line, pool.submit(killed, options.ds_ptx_run, kernel, text)) for number, line, text in mutants(kernel)]:
                total += 1
                why = result.result()
                dead += why is not None
                print(f"{kernel.name} line {number}: {line}: {why or 'survives'}")
                if why is None and not any(fnmatch.fnmatch(kernel.name, names) and re.search(pattern, line) for pattern, names, _ in SURVIVORS):
                    failed += 1
                    print(f"FAILED {kernel.name} without line {number}: nothing tells it from the kernel")
        score = dead / total if total else 0
        print(f"{dead} of {total} mutants were found out: {100 * score:.1f} %")
        if score < 0.95:
            failed += 1
    print(f"{dead} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
