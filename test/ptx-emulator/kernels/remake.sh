#!/usr/bin/env bash
# remake.sh [FOLDER [SOURCE...]]: makes the PTX of the kernels here again, beside them or in FOLDER. Needs nvcc of CUDA 13.0 and mlir-opt of LLVM 22.
# A source is for sm_80 unless it says "// For sm_...".
set -euo pipefail
cd "$(dirname "$0")"
folder=${1:-.}
[ $# -ge 2 ] && sources=("${@:2}") || sources=(*.cu *.mlir)
for source in "${sources[@]}"; do
  chip=$(sed -n 's|^// For \(sm_[0-9a-z]*\)\.$|\1|p' "$source")
  chip=${chip:-sm_80}
  case $source in
  *.cu)
    nvcc -ptx -arch="compute_${chip#sm_}" -fmad=false -O3 -o "$folder/${source%.cu}.ptx" "$source"
    ;;
  *.mlir)
    [ "$chip" = sm_80 ] && version=80 || version=83
    pipeline="cubin-chip=$chip cubin-features=+ptx$version cubin-format=isa opt-level=3"
    pipeline+=" kernel-bare-ptr-calling-convention=true host-bare-ptr-calling-convention=true"
    {
      echo "// $(mlir-opt --version | grep -o 'LLVM version .*')"
      # The text is an attribute, whose special characters are written as \ and two digits.
      mlir-opt "$source" -gpu-lower-to-nvvm-pipeline="$pipeline" |
        python3 -c 'import re, sys; print(re.sub(r"\\([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), re.search(r"assembly = \"([^\"]*)\"", sys.stdin.read())[1]).rstrip("\n\0"))'
    } >"$folder/${source%.mlir}.ptx"
    ;;
  esac
done
