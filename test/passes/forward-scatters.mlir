// RUN: ds-opt %s --ds-forward-scatters | FileCheck %s --enable-var-scope

// x[2:5] = y: rows 2, 3, 4, as a slice of the range of all row numbers.
// CHECK-LABEL: @assigned(
// CHECK-SAME: %[[X:.*]]: tensor<8x?xf32>, %[[Y:.*]]: tensor<3x?xf32>
func.func @assigned(%x: tensor<8x?xf32>, %y: tensor<3x?xf32>) -> tensor<8x?xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %range = ds.range %zero, %one : tensor<i64> to tensor<8xi64>
  %some = ds.slice %range [2] [3] [1] : tensor<8xi64> to tensor<3xi64>
  %index = ds.reshape %some : tensor<3xi64> to tensor<3x1xi64>
  // CHECK-NOT: ds.scatter_nd
  // CHECK: %[[BEFORE:.*]] = ds.slice %[[X]] [0, 0] [2, %{{.*}}] [1, 1]
  // CHECK: %[[BEHIND:.*]] = ds.slice %[[X]] [5, 0] [3, %{{.*}}] [1, 1]
  // CHECK: %[[R:.*]] = ds.concat 0 %[[BEFORE]], %[[Y]], %[[BEHIND]]
  // CHECK: return %[[R]]
  %r = ds.scatter_nd none %x, %index, %y : tensor<8x?xf32>, tensor<3x1xi64>, tensor<3x?xf32> to tensor<8x?xf32>
  return %r : tensor<8x?xf32>
}

// Every other row.
// CHECK-LABEL: @strided
func.func @strided(%x: tensor<8x4xf32>, %y: tensor<4x4xf32>) -> tensor<8x4xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %two = arith.constant dense<2> : tensor<i64>
  %range = ds.range %zero, %two : tensor<i64> to tensor<4xi64>
  %index = ds.reshape %range : tensor<4xi64> to tensor<4x1xi64>
  // CHECK: ds.scatter_nd
  %r = ds.scatter_nd none %x, %index, %y : tensor<8x4xf32>, tensor<4x1xi64>, tensor<4x4xf32> to tensor<8x4xf32>
  return %r : tensor<8x4xf32>
}

// Added to what is there.
// CHECK-LABEL: @added
func.func @added(%x: tensor<8x4xf32>, %y: tensor<4x4xf32>) -> tensor<8x4xf32> {
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %range = ds.range %zero, %one : tensor<i64> to tensor<4xi64>
  %index = ds.reshape %range : tensor<4xi64> to tensor<4x1xi64>
  // CHECK: ds.scatter_nd
  %r = ds.scatter_nd add %x, %index, %y : tensor<8x4xf32>, tensor<4x1xi64>, tensor<4x4xf32> to tensor<8x4xf32>
  return %r : tensor<8x4xf32>
}

// Rows that only the input says.
// CHECK-LABEL: @unknown
func.func @unknown(%x: tensor<8x4xf32>, %index: tensor<2x1xi64>, %y: tensor<2x4xf32>) -> tensor<8x4xf32> {
  // CHECK: ds.scatter_nd
  %r = ds.scatter_nd none %x, %index, %y : tensor<8x4xf32>, tensor<2x1xi64>, tensor<2x4xf32> to tensor<8x4xf32>
  return %r : tensor<8x4xf32>
}

// x[:, 1:3] = y, the place of every element given.
// CHECK-LABEL: @by_place(
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>, %[[Y:.*]]: tensor<?x2xf32>
func.func @by_place(%x: tensor<?x4xf32>, %y: tensor<?x2xf32>) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %zero = arith.constant dense<0> : tensor<i64>
  %one = arith.constant dense<1> : tensor<i64>
  %rows = ds.range %zero, %one[%n] : tensor<i64> to tensor<?xi64>
  %columns = ds.range %one, %one : tensor<i64> to tensor<2xi64>
  %r1 = ds.reshape %rows[%n] : tensor<?xi64> to tensor<?x1xi64>
  %rb = ds.broadcast %r1[%n] : tensor<?x1xi64> to tensor<?x2xi64>
  %cb = ds.broadcast %columns[%n] : tensor<2xi64> to tensor<?x2xi64>
  %r2 = ds.reshape %rb[%n] : tensor<?x2xi64> to tensor<?x2x1xi64>
  %c2 = ds.reshape %cb[%n] : tensor<?x2xi64> to tensor<?x2x1xi64>
  %index = ds.concat 2 %r2, %c2 : (tensor<?x2x1xi64>, tensor<?x2x1xi64>) -> tensor<?x2x2xi64>
  // CHECK-DAG: %[[A:.*]] = ds.slice %[[X]] [0, 0] [%{{.*}}, 1]
  // CHECK-DAG: %[[B:.*]] = ds.slice %[[X]] [0, 3] [%{{.*}}, 1]
  // CHECK: ds.concat 1 %[[A]], %[[Y]], %[[B]]
  %r = ds.scatter_nd none %x, %index, %y : tensor<?x4xf32>, tensor<?x2x2xi64>, tensor<?x2xf32> to tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// A block of two dimensions is no range of one.
// CHECK-LABEL: @block
func.func @block(%x: tensor<8x4xf32>, %y: tensor<2x2xf32>) -> tensor<8x4xf32> {
  %index = arith.constant dense<[[[1, 1], [1, 2]], [[2, 1], [2, 2]]]> : tensor<2x2x2xi64>
  // CHECK: ds.scatter_nd
  %r = ds.scatter_nd none %x, %index, %y : tensor<8x4xf32>, tensor<2x2x2xi64>, tensor<2x2xf32> to tensor<8x4xf32>
  return %r : tensor<8x4xf32>
}
