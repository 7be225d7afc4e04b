// RUN: ds-opt %s --ds-raise-embedding --canonicalize | FileCheck %s --enable-var-scope

ds.parameter @table : tensor<16x4xbf16> = dense<1.0> : tensor<16x4xbf16>
ds.parameter @turned : tensor<4x16xf32> = dense<1.0> : tensor<4x16xf32>

// A widened table is widened row by row.
// CHECK-LABEL: @widened
func.func @widened(%ids: tensor<?x?xi64>) -> tensor<?x?x4xf32> {
  // CHECK: %[[T:.*]] = ds.load_parameter @table
  // CHECK-NEXT: ds.embedding %arg0, %[[T]] : tensor<?x?xi64>, tensor<16x4xbf16> to tensor<?x?x4xf32>
  %t = ds.load_parameter @table : tensor<16x4xbf16>
  %w = ds.cast %t : tensor<16x4xbf16> to tensor<16x4xf32>
  %y = ds.gather %w, %ids 0 : tensor<16x4xf32>, tensor<?x?xi64> to tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// A tied table that is stored transposed.
// CHECK-LABEL: @transposed
func.func @transposed(%ids: tensor<?xi64>) -> tensor<?x4xf32> {
  // CHECK: ds.embedding
  %t = ds.load_parameter @turned : tensor<4x16xf32>
  %w = ds.transpose %t [1, 0] : tensor<4x16xf32> to tensor<16x4xf32>
  %y = ds.gather %w, %ids 0 : tensor<16x4xf32>, tensor<?xi64> to tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// A table of angles on its way to a rotation is looked up by position.
// CHECK-LABEL: @rotation
// CHECK-NOT: ds.embedding
func.func @rotation(%x: tensor<?x2x8xf32>, %positions: tensor<?xi64>, %sin: tensor<?x4xf32>) -> tensor<?x2x8xf32> {
  %t = ds.load_parameter @turned : tensor<4x16xf32>
  %w = ds.transpose %t [1, 0] : tensor<4x16xf32> to tensor<16x4xf32>
  %cos = ds.gather %w, %positions 0 : tensor<16x4xf32>, tensor<?xi64> to tensor<?x4xf32>
  %y = ds.rope %x, %cos, %sin halves to halves : tensor<?x2x8xf32>, tensor<?x4xf32>, tensor<?x4xf32> to tensor<?x2x8xf32>
  return %y : tensor<?x2x8xf32>
}

// An activation, another axis: no embedding.
// CHECK-LABEL: @others
// CHECK-NOT: ds.embedding
func.func @others(%x: tensor<16x4xf32>, %ids: tensor<?xi64>) -> (tensor<?x4xf32>, tensor<4x?xf32>) {
  %t = ds.load_parameter @turned : tensor<4x16xf32>
  %y = ds.gather %x, %ids 0 : tensor<16x4xf32>, tensor<?xi64> to tensor<?x4xf32>
  %z = ds.gather %t, %ids 1 : tensor<4x16xf32>, tensor<?xi64> to tensor<4x?xf32>
  return %y, %z : tensor<?x4xf32>, tensor<4x?xf32>
}
