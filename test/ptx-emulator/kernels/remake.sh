#!/usr/bin/env bash
# Makes the PTX of the kernels here again: needs nvcc of CUDA 13.0 and mlir-opt of LLVM 22.
set -euo pipefail
cd "$(dirname "$0")"
for source in *.cu; do
  nvcc -ptx -arch=compute_80 -fmad=false -O3 -o "${source%.cu}.ptx" "$source"
done
pipeline="cubin-chip=sm_80 cubin-features=+ptx80 cubin-format=isa opt-level=3 kernel-bare-ptr-calling-convention=true host-bare-ptr-calling-convention=true"
for source in *.mlir; do
  # The text is an attribute, whose special characters are written as \ and two digits.
  mlir-opt "$source" -gpu-lower-to-nvvm-pipeline="$pipeline" |
    python3 -c 'import re, sys; print(re.sub(r"\\([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), re.search(r"assembly = \"([^\"]*)\"", sys.stdin.read())[1]).rstrip("\n\0"))' \
      >"${source%.mlir}.ptx"
done
