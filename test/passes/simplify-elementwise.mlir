// RUN: ds-opt %s --ds-simplify-elementwise | FileCheck %s --enable-var-scope

// Positions times frequencies, written as a matrix product over one element.
// CHECK-LABEL: @outer
func.func @outer(%positions: tensor<?x1x?xf32>, %frequencies: tensor<1x8x1xf32>, %batch: index) -> tensor<?x8x?xf32> {
  %0 = ds.broadcast %frequencies[%batch] : tensor<1x8x1xf32> to tensor<?x8x1xf32>
  // CHECK-NEXT: %[[R:.*]] = ds.elementwise mul %arg1, %arg0 : (tensor<1x8x1xf32>, tensor<?x1x?xf32>) -> tensor<?x8x?xf32>
  // CHECK-NEXT: return %[[R]]
  %1 = ds.matmul %0, %positions : tensor<?x8x1xf32>, tensor<?x1x?xf32> to tensor<?x8x?xf32>
  return %1 : tensor<?x8x?xf32>
}

// Two elements are added: no elementwise op.
// CHECK-LABEL: @inner
func.func @inner(%a: tensor<4x2xf32>, %b: tensor<2x4xf32>) -> tensor<4x4xf32> {
  // CHECK: ds.matmul
  %0 = ds.matmul %a, %b : tensor<4x2xf32>, tensor<2x4xf32> to tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// Integer products widen first.
// CHECK-LABEL: @integers
func.func @integers(%a: tensor<4x1xi8>, %b: tensor<1x4xi8>) -> tensor<4x4xi32> {
  // CHECK: ds.matmul
  %0 = ds.matmul %a, %b : tensor<4x1xi8>, tensor<1x4xi8> to tensor<4x4xi32>
  return %0 : tensor<4x4xi32>
}

// Nothing else has the repeated size: the broadcast stays.
// CHECK-LABEL: @only
func.func @only(%a: tensor<1x4xf32>, %b: tensor<4xf32>, %n: index) -> tensor<?x4xf32> {
  // CHECK: ds.broadcast
  %0 = ds.broadcast %a[%n] : tensor<1x4xf32> to tensor<?x4xf32>
  %1 = ds.elementwise add %0, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// A size that may be 1 at run time is repeated by ds.broadcast alone.
// CHECK-LABEL: @maybe
func.func @maybe(%a: tensor<?x4xf32>, %b: tensor<?x4xf32>, %n: index) -> tensor<?x4xf32> {
  // CHECK: ds.broadcast
  %0 = ds.broadcast %a[%n] : tensor<?x4xf32> to tensor<?x4xf32>
  %1 = ds.elementwise add %0, %b : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}
