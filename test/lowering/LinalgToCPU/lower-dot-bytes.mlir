// RUN: ds-opt %s --ds-lower-dot-bytes="lanes=16 byte-dot=true" | FileCheck %s
// RUN: ds-opt %s --ds-lower-dot-bytes="lanes=16" | FileCheck %s --check-prefix=PAIRS
// RUN: ds-opt %s --ds-lower-dot-bytes="lanes=8" | FileCheck %s --check-prefix=NARROW

// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// PAIRS-COUNT-2: llvm.call_intrinsic "llvm.x86.avx512.pmaddw.d.512"
// NARROW-COUNT-4: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
func.func @dot(%sum: vector<16xi32>, %u: vector<64xi8>, %s: vector<64xi8>) -> vector<16xi32> {
  %0 = ds.dot_bytes %sum, %u, %s : vector<16xi32>, vector<64xi8>
  return %0 : vector<16xi32>
}
