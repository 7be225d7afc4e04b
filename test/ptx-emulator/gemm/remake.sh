#!/usr/bin/env bash
# Makes the PTX files of this folder again, with the CUDA toolkit's nvcc.
set -euo pipefail
cd "$(dirname "$0")"
names=(bf16 f16 s8) narrow=(bf16 f16 e4m3)
for element in 0 1 2; do
  for stages in 3 4; do
    nvcc -arch=sm_80 -ptx -DELEMENT=$element -DSTAGES=$stages -o "sm80-${names[$element]}-$stages.ptx" sm80.cu
  done
  for cluster in 1 2; do
    nvcc -arch=sm_90a -ptx -DELEMENT=$element -DCLUSTER=$cluster -o "sm90-${narrow[$element]}-$cluster.ptx" sm90.cu
  done
done
