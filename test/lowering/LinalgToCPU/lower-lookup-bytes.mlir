// RUN: ds-opt %s --ds-lower-lookup-bytes | FileCheck %s

// CHECK-LABEL: func @lookup
// CHECK-SAME: %[[LOW:.*]]: vector<64xi8>, %[[I:.*]]: vector<64xi8>, %[[HIGH:.*]]: vector<64xi8>)
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.qi.512"(%[[LOW]], %[[I]], %[[HIGH]])
func.func @lookup(%low: vector<64xi8>, %i: vector<64xi8>, %high: vector<64xi8>) -> vector<64xi8> {
  %0 = ds.lookup_bytes %i in %low, %high : vector<64xi8>
  return %0 : vector<64xi8>
}
