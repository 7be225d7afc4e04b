// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-cpu-rope),canonicalize,cse)" | FileCheck %s

// Halves of 24: vectors of 8.
// CHECK-LABEL: func.func @halves
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x3x48xf32>, %[[COS:[^:]+]]: tensor<?x24xf32>
// CHECK: scf.forall (%[[TOKEN:.+]]) in
// CHECK: scf.for %[[HEAD:.+]] = %c0 to %c3
// CHECK-DAG: vector.transfer_read %[[X]][%[[TOKEN]], %[[HEAD]], %c0]{{.+}}vector<8xf32>
// CHECK-DAG: vector.transfer_read %[[X]][%[[TOKEN]], %[[HEAD]], %c24]
// CHECK-DAG: vector.transfer_read %[[COS]][%[[TOKEN]], %c0]
// CHECK-COUNT-6: vector.transfer_write
func.func @halves(%x: tensor<?x3x48xf32>, %cos: tensor<?x24xf32>, %sin: tensor<?x24xf32>) -> tensor<?x3x48xf32> {
  %y = ds.rope %x, %cos, %sin halves to halves : tensor<?x3x48xf32>, tensor<?x24xf32>, tensor<?x24xf32> to tensor<?x3x48xf32>
  return %y : tensor<?x3x48xf32>
}

// -----

// CHECK-LABEL: func.func @interleaved
// CHECK: vector.transfer_read {{.+}}vector<32xf32>
// CHECK: vector.deinterleave
// CHECK: vector.interleave
// CHECK: vector.transfer_write {{.+}}vector<32xf32>
func.func @interleaved(%x: tensor<?x3x32xf32>, %cos: tensor<?x16xf32>, %sin: tensor<?x16xf32>) -> tensor<?x3x32xf32> {
  %y = ds.rope %x, %cos, %sin pairs to pairs : tensor<?x3x32xf32>, tensor<?x16xf32>, tensor<?x16xf32> to tensor<?x3x32xf32>
  return %y : tensor<?x3x32xf32>
}

// -----

// CHECK-LABEL: func.func @double
// CHECK: ds.rope
func.func @double(%x: tensor<?x3x32xf64>, %cos: tensor<?x16xf64>, %sin: tensor<?x16xf64>) -> tensor<?x3x32xf64> {
  %y = ds.rope %x, %cos, %sin halves to halves : tensor<?x3x32xf64>, tensor<?x16xf64>, tensor<?x16xf64> to tensor<?x3x32xf64>
  return %y : tensor<?x3x32xf64>
}
