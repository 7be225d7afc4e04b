// RUN: ds-opt %s --ds-sink-transposes --canonicalize | FileCheck %s --enable-var-scope

// Below an elementwise op; what the other operand repeats moves along.
// CHECK-LABEL: @elementwise
func.func @elementwise(%x: tensor<2x3x4xf32>, %scale: tensor<4xf32>) -> tensor<2x4x3xf32> {
  // CHECK: %[[M:.*]] = ds.elementwise mul %arg0, {{.*}}tensor<2x3x4xf32>, tensor<{{(1x)?(1x)?}}4xf32>)
  // CHECK: ds.transpose %[[M]] [0, 2, 1]
  %t = ds.transpose %x [0, 2, 1] : tensor<2x3x4xf32> to tensor<2x4x3xf32>
  %s = ds.reshape %scale : tensor<4xf32> to tensor<1x4x1xf32>
  %one = ds.reshape %s : tensor<1x4x1xf32> to tensor<4x1xf32>
  %y = ds.elementwise mul %t, %one : (tensor<2x4x3xf32>, tensor<4x1xf32>) -> tensor<2x4x3xf32>
  return %y : tensor<2x4x3xf32>
}

// An operand whose elements would change places stops it.
// CHECK-LABEL: @stays
func.func @stays(%x: tensor<2x3x4xf32>, %z: tensor<4x3xf32>) -> tensor<2x4x3xf32> {
  // CHECK-NEXT: ds.transpose
  // CHECK-NEXT: ds.elementwise
  %t = ds.transpose %x [0, 2, 1] : tensor<2x3x4xf32> to tensor<2x4x3xf32>
  %y = ds.elementwise mul %t, %z : (tensor<2x4x3xf32>, tensor<4x3xf32>) -> tensor<2x4x3xf32>
  return %y : tensor<2x4x3xf32>
}

// Through slices, concatenations, casts, softmax and quantising; two cancel.
// CHECK-LABEL: @through
func.func @through(%x: tensor<2x3x4xf32>, %s: tensor<f32>) -> tensor<2x3x4xf32> {
  // CHECK-NOT: ds.transpose
  // CHECK: return
  %t = ds.transpose %x [0, 2, 1] : tensor<2x3x4xf32> to tensor<2x4x3xf32>
  %a = ds.slice %t [0, 0, 0] [2, 2, 3] [1, 1, 1] : tensor<2x4x3xf32> to tensor<2x2x3xf32>
  %b = ds.slice %t [0, 2, 0] [2, 2, 3] [1, 1, 1] : tensor<2x4x3xf32> to tensor<2x2x3xf32>
  %n = ds.elementwise neg %b : (tensor<2x2x3xf32>) -> tensor<2x2x3xf32>
  %c = ds.concat 1 %n, %a : (tensor<2x2x3xf32>, tensor<2x2x3xf32>) -> tensor<2x4x3xf32>
  %p = ds.softmax %c 1 : tensor<2x4x3xf32> to tensor<2x4x3xf32>
  %q = ds.quantize %p scale %s : tensor<f32> : tensor<2x4x3xf32> to tensor<2x4x3xi8>
  %d = ds.dequantize %q scale %s : tensor<f32> : tensor<2x4x3xi8> to tensor<2x4x3xf32>
  %h = ds.cast %d : tensor<2x4x3xf32> to tensor<2x4x3xf16>
  %w = ds.cast %h : tensor<2x4x3xf16> to tensor<2x4x3xf32>
  %y = ds.transpose %w [0, 2, 1] : tensor<2x4x3xf32> to tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// Keys transposed through a merged batch.
// CHECK-LABEL: @merged
func.func @merged(%k: tensor<2x4x5x16xf32>) -> tensor<2x4x16x5xf32> {
  // CHECK-NEXT: ds.transpose %arg0 [0, 1, 3, 2]
  // CHECK-NEXT: return
  %a = ds.reshape %k : tensor<2x4x5x16xf32> to tensor<8x5x16xf32>
  %b = ds.transpose %a [0, 2, 1] : tensor<8x5x16xf32> to tensor<8x16x5xf32>
  %c = ds.reshape %b : tensor<8x16x5xf32> to tensor<2x4x16x5xf32>
  return %c : tensor<2x4x16x5xf32>
}

// A reshape that regroups what the transpose moved is no permutation.
// CHECK-LABEL: @regrouped
// CHECK: ds.reshape
// CHECK: ds.transpose
// CHECK: ds.reshape
func.func @regrouped(%k: tensor<4x6xf32>) -> tensor<8x3xf32> {
  %a = ds.reshape %k : tensor<4x6xf32> to tensor<4x2x3xf32>
  %b = ds.transpose %a [2, 0, 1] : tensor<4x2x3xf32> to tensor<3x4x2xf32>
  %c = ds.reshape %b : tensor<3x4x2xf32> to tensor<8x3xf32>
  return %c : tensor<8x3xf32>
}
