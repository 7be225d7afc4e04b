// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-narrow-matmuls,canonicalize,cse))" | FileCheck %s

// ui8 · i8 with a zero point on the left: the product as it is, minus zero · column sums.
// CHECK-LABEL: func.func @left
// CHECK-SAME: %[[A:[^:]+]]: tensor<?x64xui8>, %[[ZERO:[^:]+]]: tensor<ui8>, %[[B:[^:]+]]: tensor<64x48xi8>
// CHECK-DAG: %[[Z:.+]] = ds.cast %[[ZERO]] : tensor<ui8> to tensor<i32>
// CHECK-DAG: %[[P:.+]] = ds.matmul %[[A]], %[[B]] : tensor<?x64xui8>, tensor<64x48xi8> to tensor<?x48xi32>
// CHECK-DAG: %[[WIDE:.+]] = ds.cast %[[B]] : tensor<64x48xi8> to tensor<64x48xi32>
// CHECK: %[[SUMS:.+]] = ds.reduce sum %[[WIDE]] [0] keepdims : tensor<64x48xi32> to tensor<1x48xi32>
// CHECK: %[[TERM:.+]] = ds.elementwise mul %[[SUMS]], %[[Z]]
// CHECK: ds.elementwise sub %[[P]], %[[TERM]]
func.func @left(%a: tensor<?x64xui8>, %zero: tensor<ui8>, %b: tensor<64x48xi8>) -> tensor<?x48xi32> {
  %z = ds.cast %zero : tensor<ui8> to tensor<i32>
  %x = ds.cast %a : tensor<?x64xui8> to tensor<?x64xi32>
  %0 = ds.elementwise sub %x, %z : (tensor<?x64xi32>, tensor<i32>) -> tensor<?x64xi32>
  %1 = ds.cast %b : tensor<64x48xi8> to tensor<64x48xi32>
  %y = ds.matmul %0, %1 : tensor<?x64xi32>, tensor<64x48xi32> to tensor<?x48xi32>
  return %y : tensor<?x48xi32>
}

// -----

// An unsigned right side moves by −128, and its zero points with it: row sums of the left side are needed.
// CHECK-LABEL: func.func @unsigned
// CHECK-SAME: %[[A:[^:]+]]: tensor<3x64xui8>, %[[B:[^:]+]]: tensor<64x48xui8>
// CHECK-DAG: %[[BITS:.+]] = ds.bitcast %[[B]] : tensor<64x48xui8> to tensor<64x48xi8>
// CHECK-DAG: ds.elementwise xor %[[BITS]], %{{.+}} : (tensor<64x48xi8>, tensor<i8>) -> tensor<64x48xi8>
// CHECK: ds.matmul %[[A]], %{{.+}} : tensor<3x64xui8>, tensor<64x48xi8> to tensor<3x48xi32>
// CHECK: ds.reduce sum %{{.+}} [1] keepdims : tensor<3x64xi32> to tensor<3x1xi32>
func.func @unsigned(%a: tensor<3x64xui8>, %b: tensor<64x48xui8>) -> tensor<3x48xi32> {
  %y = ds.matmul %a, %b : tensor<3x64xui8>, tensor<64x48xui8> to tensor<3x48xi32>
  return %y : tensor<3x48xi32>
}

// -----

// What kernels take stays; so do a zero point per k, and numbers that are no bytes.
// CHECK-LABEL: func.func @others
// CHECK: ds.matmul %{{.+}}, %{{.+}} : tensor<3x64xui8>, tensor<64x48xi8> to tensor<3x48xi32>
// CHECK: ds.matmul %{{.+}}, %{{.+}} : tensor<3x64xi32>, tensor<64x48xi8> to tensor<3x48xi32>
// CHECK: ds.matmul %{{.+}}, %{{.+}} : tensor<3x64xi32>, tensor<64x48xi8> to tensor<3x48xi32>
// CHECK-NOT: ds.reduce
func.func @others(%a: tensor<3x64xui8>, %b: tensor<64x48xi8>, %zero: tensor<64xi32>, %wide: tensor<3x64xi32>) -> (tensor<3x48xi32>, tensor<3x48xi32>, tensor<3x48xi32>) {
  %0 = ds.matmul %a, %b : tensor<3x64xui8>, tensor<64x48xi8> to tensor<3x48xi32>
  %x = ds.cast %a : tensor<3x64xui8> to tensor<3x64xi32>
  %1 = ds.elementwise sub %x, %zero : (tensor<3x64xi32>, tensor<64xi32>) -> tensor<3x64xi32>
  %2 = ds.matmul %1, %b : tensor<3x64xi32>, tensor<64x48xi8> to tensor<3x48xi32>
  %3 = ds.matmul %wide, %b : tensor<3x64xi32>, tensor<64x48xi8> to tensor<3x48xi32>
  return %0, %2, %3 : tensor<3x48xi32>, tensor<3x48xi32>, tensor<3x48xi32>
}
