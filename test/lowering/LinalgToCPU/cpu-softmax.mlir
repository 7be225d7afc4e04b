// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-cpu-softmax{lanes=16},canonicalize,cse))" | FileCheck %s

// Three walks along a row: largest, powers and sum, quotients. Powers wait in the result.
// CHECK-LABEL: func.func @last
// CHECK-SAME: %[[X:.+]]: tensor<?x4099xf32>
// CHECK: scf.forall (%{{.+}}) in (%{{.+}}) shared_outs
// CHECK: scf.for {{.+}} to %c4096 step %c64 iter_args
// CHECK-COUNT-4: arith.cmpf ogt, {{.+}} : vector<16xf32>
// CHECK: scf.for {{.+}} to %c4096 step %c64 iter_args
// CHECK-COUNT-4: vector.transfer_write
// CHECK: scf.for {{.+}} to %c4096 step %c16 iter_args(%[[ROW:.+]] =
// CHECK: vector.transfer_read %[[ROW]]
// CHECK-NEXT: arith.divf {{.+}} : vector<16xf32>
// CHECK-NOT: ds.softmax
func.func @last(%x: tensor<?x4099xf32>) -> tensor<?x4099xf32> {
  %y = ds.softmax %x 1 : tensor<?x4099xf32> to tensor<?x4099xf32>
  return %y : tensor<?x4099xf32>
}

// -----

// A result of 16 bits would round the powers: they are computed again. Rows of unknown length; a mask reads −inf.
// CHECK-LABEL: func.func @narrow
// CHECK: %[[LOWEST:.+]] = arith.constant 0xFC00 : f16
// CHECK: scf.for {{.+}} step %c64 iter_args
// CHECK-NOT: vector.transfer_write
// CHECK: scf.for {{.+}} step %c64 iter_args
// CHECK-NOT: vector.transfer_write
// CHECK: scf.for {{.+}} step %c16 iter_args
// CHECK: vector.transfer_read {{.+}}, %[[LOWEST]]
// CHECK: arith.divf
// CHECK-NEXT: arith.truncf
// CHECK-NEXT: vector.transfer_write
func.func @narrow(%x: tensor<3x?xf16>) -> tensor<3x?xf16> {
  %y = ds.softmax %x 1 : tensor<3x?xf16> to tensor<3x?xf16>
  return %y : tensor<3x?xf16>
}

// -----

// Each lane its own column; the two dimensions behind the axis are one.
// CHECK-LABEL: func.func @middle
// CHECK: tensor.collapse_shape %{{.+}} {{\[\[}}0], [1], [2, 3]] : tensor<?x61x4x32xf32> into tensor<?x61x128xf32>
// CHECK: scf.forall (%{{.+}}, %{{.+}}) in (%{{.+}}, 2)
// CHECK-COUNT-3: scf.for {{.+}} to %c61 step %c1
// CHECK-NOT: vector.shuffle
// CHECK: ds.reshape
// CHECK-NOT: ds.softmax
func.func @middle(%x: tensor<?x61x4x32xf32>) -> tensor<?x61x4x32xf32> {
  %y = ds.softmax %x 1 : tensor<?x61x4x32xf32> to tensor<?x61x4x32xf32>
  return %y : tensor<?x61x4x32xf32>
}

// -----

// The logarithm of the sum once per row.
// CHECK-LABEL: func.func @log
// CHECK: math.log {{.+}} : f32
// CHECK: arith.subf
// CHECK-NOT: arith.divf
func.func @log(%x: tensor<3x64xbf16>) -> tensor<3x64xbf16> {
  %y = ds.softmax %x 1 log : tensor<3x64xbf16> to tensor<3x64xbf16>
  return %y : tensor<3x64xbf16>
}

// -----

// Doubles are not this pass's.
// CHECK-LABEL: func.func @double
// CHECK: ds.softmax
func.func @double(%x: tensor<3x64xf64>) -> tensor<3x64xf64> {
  %y = ds.softmax %x 1 : tensor<3x64xf64> to tensor<3x64xf64>
  return %y : tensor<3x64xf64>
}
