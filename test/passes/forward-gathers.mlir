// RUN: ds-opt %s --ds-forward-gathers | FileCheck %s --enable-var-scope

// A table made for [B, S], flattened, and looked up by 0, 1, 2, … under [B, S].
// CHECK-LABEL: @running
func.func @running(%table: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %b = tensor.dim %table, %c0 : tensor<?x?x8xf32>
  %s = tensor.dim %table, %c1 : tensor<?x?x8xf32>
  %n = arith.muli %b, %s : index
  // CHECK: %[[FLAT:.*]] = ds.reshape %arg0
  %flat = ds.reshape %table[%n] : tensor<?x?x8xf32> to tensor<?x8xf32>
  %range = ds.range %zero, %one[%n] : tensor<i64> to tensor<?xi64>
  %index = ds.reshape %range[%b, %s] : tensor<?xi64> to tensor<?x?xi64>
  // CHECK-NOT: ds.gather
  // CHECK: %[[R:.*]] = ds.reshape %[[FLAT]]
  // CHECK: return %[[R]]
  %rows = ds.gather %flat, %index 0 : tensor<?x8xf32>, tensor<?x?xi64> to tensor<?x?x8xf32>
  return %rows : tensor<?x?x8xf32>
}

// From 1 on: not every row in its order.
// CHECK-LABEL: @shifted
func.func @shifted(%table: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %one = arith.constant dense<1> : tensor<i64>
  %n = tensor.dim %table, %c0 : tensor<?x8xf32>
  %index = ds.range %one, %one[%n] : tensor<i64> to tensor<?xi64>
  // CHECK: ds.gather
  %rows = ds.gather %table, %index 0 : tensor<?x8xf32>, tensor<?xi64> to tensor<?x8xf32>
  return %rows : tensor<?x8xf32>
}

// The first half of the rows only.
// CHECK-LABEL: @some
func.func @some(%table: tensor<16x8xf32>) -> tensor<8x8xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %index = ds.range %zero, %one : tensor<i64> to tensor<8xi64>
  // CHECK: ds.gather
  %rows = ds.gather %table, %index 0 : tensor<16x8xf32>, tensor<8xi64> to tensor<8x8xf32>
  return %rows : tensor<8x8xf32>
}

// One place, a constant, counted from the end: a slice. A place that the input says stays a lookup.
// CHECK-LABEL: @one
func.func @one(%x: tensor<?x4x2xf32>, %i: tensor<i64>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %last = arith.constant dense<-1> : tensor<i64>
  // CHECK: %[[S:.*]] = ds.slice %arg0 [0, 0, 1] [%{{.*}}, 4, 1] [1, 1, 1]
  // CHECK: %[[R:.*]] = ds.reshape %[[S]]
  %0 = ds.gather %x, %last 2 : tensor<?x4x2xf32>, tensor<i64> to tensor<?x4xf32>
  // CHECK: %[[G:.*]] = ds.gather %arg0, %arg1 2
  %1 = ds.gather %x, %i 2 : tensor<?x4x2xf32>, tensor<i64> to tensor<?x4xf32>
  // CHECK: return %[[R]], %[[G]]
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}
