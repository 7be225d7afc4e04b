// RUN: ds-opt %s -ds-pack-weights | FileCheck %s --check-prefixes=CHECK,FAST
// RUN: ds-opt %s -ds-pack-weights=precision=exact | FileCheck %s --check-prefixes=CHECK,EXACT
// RUN: not ds-opt %s -ds-pack-weights=precision=some 2>&1 | FileCheck %s --check-prefix=WRONG
// WRONG: precision is 'some', expected fast or exact

ds.parameter @w : tensor<48x8xbf16> = [#ds.file_range<"w.bin", 0, 768>]
ds.parameter @v : tensor<48x8xf32> = [#ds.file_range<"w.bin", 0, 1536>]

// CHECK-LABEL: func @pairs
// FAST: %[[X:.*]] = ds.cast %{{.*}} : tensor<?x8xf32> to tensor<?x8xbf16>
// CHECK: %[[W:.*]] = ds.pack %{{.*}} : tensor<48x8xbf16> to tensor<2x4x64xbf16>
// FAST: ds.packed_linear %[[X]], %[[W]] : tensor<?x8xbf16>, tensor<2x4x64xbf16> to tensor<?x48xf32>
// EXACT: ds.packed_linear %{{.*}}, %[[W]] : tensor<?x8xf32>, tensor<2x4x64xbf16> to tensor<?x48xf32>
func.func @pairs(%x: tensor<?x8xf32>) -> tensor<?x48xf32> {
  %w = ds.load_parameter @w : tensor<48x8xbf16>
  %0 = ds.linear %x, %w : tensor<?x8xf32>, tensor<48x8xbf16> to tensor<?x48xf32>
  return %0 : tensor<?x48xf32>
}

// f16 is widened before and rounded once after.
// CHECK-LABEL: func @half
// CHECK: %[[X:.*]] = ds.cast %{{.*}} : tensor<?x8xf16> to tensor<?x8xf32>
// CHECK: %[[Y:.*]] = ds.packed_linear %[[X]], %{{.*}} : tensor<?x8xf32>, tensor<2x8x32xf32> to tensor<?x48xf32>
// CHECK: ds.cast %[[Y]] : tensor<?x48xf32> to tensor<?x48xf16>
func.func @half(%x: tensor<?x8xf16>) -> tensor<?x48xf16> {
  %w = ds.load_parameter @v : tensor<48x8xf32>
  %0 = ds.linear %x, %w : tensor<?x8xf16>, tensor<48x8xf32> to tensor<?x48xf16>
  return %0 : tensor<?x48xf16>
}

// All dimensions but the last are rows.
// CHECK-LABEL: func @ranks
// CHECK: %[[ROWS:.*]] = arith.muli
// CHECK: ds.reshape %{{.*}}[%[[ROWS]]] : tensor<?x?x8xf32> to tensor<?x8xf32>
// CHECK: ds.packed_linear
// CHECK: ds.reshape %{{.*}} : tensor<?x48xf32> to tensor<?x?x48xf32>
func.func @ranks(%x: tensor<?x?x8xf32>) -> tensor<?x?x48xf32> {
  %w = ds.load_parameter @v : tensor<48x8xf32>
  %0 = ds.linear %x, %w : tensor<?x?x8xf32>, tensor<48x8xf32> to tensor<?x?x48xf32>
  return %0 : tensor<?x?x48xf32>
}

// A weight that is an input, and f64, stay.
// CHECK-LABEL: func @no
// CHECK: ds.linear
// CHECK-NOT: ds.pack
func.func @no(%x: tensor<?x8xf32>, %w: tensor<48x8xf32>) -> tensor<?x48xf32> {
  %0 = ds.linear %x, %w : tensor<?x8xf32>, tensor<48x8xf32> to tensor<?x48xf32>
  return %0 : tensor<?x48xf32>
}

// Weights of experts, each in panels of its own.
// CHECK-LABEL: func @experts
// CHECK: %[[W:.*]] = ds.pack %{{.*}} : tensor<3x48x8xf32> to tensor<3x2x8x32xf32>
// CHECK: ds.packed_linear %arg0 rows %arg1, %[[W]] in %arg2, %arg3 :
// CHECK-NOT: ds.grouped_linear
ds.parameter @expert_weights : tensor<3x48x8xf32> = [#ds.file_range<"w", 0, 4608>]
func.func @experts(%x: tensor<?x8xf32>, %rows: tensor<?xi32>, %tiles: tensor<?x3xi32>, %count: tensor<i32>) -> tensor<?x48xf32> {
  %w = ds.load_parameter @expert_weights : tensor<3x48x8xf32>
  %0 = ds.grouped_linear %x rows %rows : tensor<?xi32>, %w in %tiles, %count : tensor<?x8xf32>, tensor<3x48x8xf32>, tensor<?x3xi32>, tensor<i32> to tensor<?x48xf32>
  return %0 : tensor<?x48xf32>
}
