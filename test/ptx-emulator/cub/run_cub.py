"""Reductions, scans and sorts of CUB on the emulator, all detectors on.

usage: run_cub.py DS_PTX_RUN NVCC

Compiles blocks.cu and warps.cu, runs each kernel with several seeds over words by chance, of which many are alike, and compares what it gives with the
same in Python. Ends with "N passed, N failed".
"""
import itertools
import os
import random
import struct
import subprocess
import sys
import tempfile

BLOCKS, SEEDS = 3, (0, 1, 2, 5)
KERNELS = {
    "blocks": ("reduce_raking", "reduce_commutative", "reduce_warps", "scan_raking", "scan_memoize", "scan_warps", "sort_unsigned", "sort_signed"),
    "warps": (
        *("warp_sum_32", "warp_sum_16", "warp_sum_21", "warp_valid", "warp_segments_32", "warp_segments_21"),
        *("warp_scan_32", "warp_scan_16", "warp_scan_21", "warp_maxima"),
    ),
}


def signed(word):
    return word - (word >> 31 << 32)


def of_group(kernel, words):
    """What the lanes of a warp, or a part of it, write."""
    if kernel == "valid":
        return [max(words[:23])] + [0] * (len(words) - 1)
    if kernel == "maxima":
        return [each * each >> 32 for each in itertools.accumulate(words, max)]
    if kernel == "sum":
        return [sum(words) % 2**32] + [0] * (len(words) - 1)
    if kernel == "scan":
        return [sum(words[:i]) % 2**32 ^ sum(words) % 2**32 for i in range(len(words))]
    heads = [i for i, word in enumerate(words) if i == 0 or word & 8]
    result = [0] * len(words)
    for head, end in zip(heads, heads[1:] + [len(words)]):
        result[head] = sum(words[head:end]) % 2**32
    return result


def of_warps(kernel, words):
    kernel, _, width = kernel.removeprefix("warp_").partition("_")
    result, width = [], int(width or 32)
    for first in range(0, len(words), 32):
        warp = words[first : first + 32]
        lanes = sum((of_group(kernel, warp[at : at + width]) for at in range(0, 32 - width + 1, width)), [])
        result += lanes + [0] * (32 - len(lanes))
    return result


def expected(kernel, words):
    """The buffers that the kernel writes, of one block."""
    if kernel.startswith("warp"):
        return [of_warps(kernel, words)]
    if kernel.startswith("reduce"):
        return [[sum(words) % 2**32]]
    if kernel.startswith("scan"):
        return [list(itertools.accumulate(words, lambda a, b: (a + b) % 2**32))]
    key = signed if kernel == "sort_signed" else int
    order = sorted(range(len(words)), key=lambda i: key(words[i]))
    return [[words[i] for i in order], order]


def run(tool, ptx, kernel, seed, words, outputs, folder):
    source, paths = os.path.join(folder, "in.bin"), [os.path.join(folder, f"{i}.bin") for i in range(len(outputs))]
    with open(source, "wb") as file:
        file.write(struct.pack(f"<{len(words)}I", *words))
    command = [tool, ptx, "--entry", kernel, "--grid", str(BLOCKS), "--block", "128", "--seed", str(seed)]
    for size in outputs:
        command += ["--arg", f"u32[{size}]"]
    command += ["--arg", f"u32[{len(words)}]=@{source}"]
    for i, path in enumerate(paths):
        command += ["--dump", f"{i}={path}"]
    subprocess.run(command, check=True)
    return [list(struct.unpack(f"<{size}I", open(path, "rb").read())) for size, path in zip(outputs, paths)]


def test(tool, ptx, kernel, seed, folder):
    count = 512 if kernel.startswith(("scan", "sort")) else 128
    chance = random.Random(f"{kernel} {seed}")
    words = [chance.choice((chance.getrandbits(32), chance.getrandbits(3))) for _ in range(BLOCKS * count)]
    blocks = [expected(kernel, words[i * count : (i + 1) * count]) for i in range(BLOCKS)]
    wanted = [sum(each, []) for each in zip(*blocks)]
    try:
        return run(tool, ptx, kernel, seed, words, [len(each) for each in wanted], folder) == wanted
    except subprocess.CalledProcessError:
        return False  # the tool says why


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    tool, nvcc = sys.argv[1:]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for (stem, kernels), seed in itertools.product(KERNELS.items(), SEEDS):
            ptx = os.path.join(folder, stem + ".ptx")
            if not os.path.exists(ptx):
                source = os.path.join(os.path.dirname(os.path.abspath(__file__)), stem + ".cu")
                subprocess.run([nvcc, "-ptx", "-arch=compute_80", "-std=c++17", "-o", ptx, source], check=True)
            for kernel in kernels:
                isRight = test(tool, ptx, kernel, seed, folder)
                passed, failed = passed + isRight, failed + (not isRight)
                if not isRight:
                    print(f"{kernel}, seed {seed}: wrong")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
