// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-cpu-norm),canonicalize,cse)" | FileCheck %s

// 72 = 64 + 8: four sums in step, then a partial vector into the first of them.
// CHECK-LABEL: func.func @norm
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x72xf32>, %[[W:[^:]+]]: tensor<72xf32>
// CHECK: scf.forall (%[[ROW:.+]]) in (%{{.+}}) shared_outs
// CHECK: vector.transfer_read %[[X]][%[[ROW]], %c0]
// CHECK-SAME: in_bounds = [true]
// CHECK: vector.fma
// CHECK: vector.transfer_read %[[X]][%[[ROW]], %c64]
// CHECK-NOT: in_bounds = [true]
// CHECK: vector.fma
// CHECK-COUNT-4: vector.shuffle
// CHECK: math.sqrt
// CHECK: scf.for
// CHECK: vector.transfer_write
// CHECK: vector.transfer_read %[[W]][%c64]
// CHECK: scf.forall.in_parallel
func.func @norm(%x: tensor<?x72xf32>, %w: tensor<72xf32>) -> tensor<?x72xf32> {
  %y = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<?x72xf32>, tensor<72xf32> to tensor<?x72xf32>
  return %y : tensor<?x72xf32>
}

// -----

// Narrow types are computed in f32; the product with the weight may see a rounded row.
// CHECK-LABEL: func.func @narrow
// CHECK: scf.forall (%{{.+}}, %{{.+}}) in
// CHECK: arith.extf %{{.+}} : vector<16xbf16> to vector<16xf32>
// CHECK: arith.truncf
// CHECK: arith.extf
// CHECK: arith.mulf
// CHECK: arith.truncf
func.func @narrow(%x: tensor<2x?x64xbf16>, %w: tensor<64xbf16>) -> tensor<2x?x64xbf16> {
  %y = ds.rms_norm %x, %w epsilon 1.0e-6 {round_before_weight} : tensor<2x?x64xbf16>, tensor<64xbf16> to tensor<2x?x64xbf16>
  return %y : tensor<2x?x64xbf16>
}

// -----

// A row of unknown length: blocks of 4 vectors, the rest in 4 masked ones, and the same tree.
// CHECK-LABEL: func.func @dynamic
// CHECK: scf.for {{.+}} step %c64 iter_args
// CHECK-COUNT-4: vector.fma
// CHECK: scf.yield
// CHECK-COUNT-4: vector.fma
// CHECK-COUNT-4: vector.shuffle
// CHECK: scf.for {{.+}} step %c16 iter_args
// CHECK-NOT: ds.rms_norm
func.func @dynamic(%x: tensor<2x?xf32>, %w: tensor<?xf32>) -> tensor<2x?xf32> {
  %y = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<2x?xf32>, tensor<?xf32> to tensor<2x?xf32>
  return %y : tensor<2x?xf32>
}

// -----

// Doubles are not this pass's.
// CHECK-LABEL: func.func @double
// CHECK: ds.rms_norm
func.func @double(%x: tensor<2x8xf64>, %w: tensor<8xf64>) -> tensor<2x8xf64> {
  %y = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<2x8xf64>, tensor<8xf64> to tensor<2x8xf64>
  return %y : tensor<2x8xf64>
}

// -----

// A norm that only a cast reads writes what the cast would.
// CHECK-LABEL: func.func @cast
// CHECK: scf.forall {{.+}} -> (tensor<?x64xbf16>)
// CHECK: arith.truncf
// CHECK-NOT: ds.cast
func.func @cast(%x: tensor<?x64xf32>, %w: tensor<64xf32>) -> tensor<?x64xbf16> {
  %y = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<?x64xf32>, tensor<64xf32> to tensor<?x64xf32>
  %z = ds.cast %y : tensor<?x64xf32> to tensor<?x64xbf16>
  return %z : tensor<?x64xbf16>
}
