// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-cpu-cumulative{lanes=16},canonicalize,cse))" | FileCheck %s

// 16 elements in 4 steps, then with the last lane of all before.
// CHECK-LABEL: func.func @last
// CHECK: scf.forall
// CHECK: scf.for {{.+}} to %c32 step %c16 iter_args(%{{.+}} = %{{.+}}, %[[BEFORE:.+]] = %{{.+}})
// CHECK: vector.shuffle {{.+}} [16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
// CHECK: vector.shuffle {{.+}} [16, 17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
// CHECK: vector.shuffle {{.+}} [16, 17, 18, 19, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
// CHECK: vector.shuffle {{.+}} [16, 17, 18, 19, 20, 21, 22, 23, 0, 1, 2, 3, 4, 5, 6, 7]
// CHECK: %[[ALL:.+]] = arith.addf %[[BEFORE]], {{.+}} : vector<16xf32>
// CHECK: vector.shuffle %[[ALL]], %[[ALL]] [15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15]
// CHECK: vector.transfer_write %[[ALL]]
// CHECK-NOT: ds.cumulative
func.func @last(%x: tensor<?x37xf32>) -> tensor<?x37xf32> {
  %y = ds.cumulative sum %x 1 : tensor<?x37xf32> to tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}

// -----

// From the other end: the vector that is partial comes first, then whole ones downwards. Exclusive: moved by one lane.
// CHECK-LABEL: func.func @reverse
// CHECK: vector.transfer_write
// CHECK: scf.for %[[I:.+]] = %c0 to %[[WHOLE:.+]] step %c16
// CHECK: %[[LAST:.+]] = arith.subi %[[WHOLE]], %c16
// CHECK: %[[AT:.+]] = arith.subi %[[LAST]], %[[I]]
// CHECK: vector.transfer_read {{.+}}%[[AT]]
// CHECK: vector.shuffle {{.+}} [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
// CHECK: vector.shuffle {{.+}} [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 31]
// CHECK: vector.transfer_write
func.func @reverse(%x: tensor<3x?xi32>) -> tensor<3x?xi32> {
  %y = ds.cumulative prod %x 1 exclusive reverse : tensor<3x?xi32> to tensor<3x?xi32>
  return %y : tensor<3x?xi32>
}

// -----

// Each lane its own column; one panel is no loop.
// CHECK-LABEL: func.func @first
// CHECK-NOT: scf.forall
// CHECK: scf.for
// CHECK-COUNT-3: arith.muli {{.+}} : vector<16xi64>
// CHECK-NOT: vector.shuffle
// CHECK-NOT: ds.cumulative
func.func @first(%x: tensor<?x33xi64>) -> tensor<?x33xi64> {
  %y = ds.cumulative prod %x 0 : tensor<?x33xi64> to tensor<?x33xi64>
  return %y : tensor<?x33xi64>
}

// -----

// Doubles are not this pass's.
// CHECK-LABEL: func.func @double
// CHECK: ds.cumulative
func.func @double(%x: tensor<3x64xf64>) -> tensor<3x64xf64> {
  %y = ds.cumulative sum %x 1 : tensor<3x64xf64> to tensor<3x64xf64>
  return %y : tensor<3x64xf64>
}

// -----

// A line of one element is a line.
// CHECK-LABEL: func.func @one
// CHECK: tensor.collapse_shape %{{.+}} {{\[\[}}0], [1, 2]] : tensor<1x?x?xf32> into tensor<1x?xf32>
// CHECK-NOT: ds.cumulative
func.func @one(%x: tensor<1x?x?xf32>) -> tensor<1x?x?xf32> {
  %y = ds.cumulative sum %x 0 : tensor<1x?x?xf32> to tensor<1x?x?xf32>
  return %y : tensor<1x?x?xf32>
}
