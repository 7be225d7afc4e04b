// RUN: ds-opt %s -ds-spread-block-scales | FileCheck %s

ds.parameter @w : tensor<300x257xf8E4M3FN> = [#ds.file_range<"w", 0, 77100>]
ds.parameter @s : tensor<3x3xf32> = [#ds.file_range<"w", 77100, 36>]
ds.parameter @e : tensor<2x256x130xf8E4M3FN> = [#ds.file_range<"w", 0, 66560>]
ds.parameter @t : tensor<2x2x2xf32> = [#ds.file_range<"w", 66560, 32>]

// Every row has the scales of its block; the last block ends where the rows do.
// CHECK-LABEL: func @ragged
// CHECK: %[[S:.*]] = ds.load_parameter @s
// CHECK: %[[ROWS:.*]] = ds.reshape %[[S]] : tensor<3x3xf32> to tensor<3x1x3xf32>
// CHECK: %[[MANY:.*]] = ds.broadcast %[[ROWS]] : tensor<3x1x3xf32> to tensor<3x128x3xf32>
// CHECK: %[[FLAT:.*]] = ds.reshape %[[MANY]] : tensor<3x128x3xf32> to tensor<384x3xf32>
// CHECK: %[[CUT:.*]] = ds.slice %[[FLAT]] [0, 0] [300, 3] [1, 1]
// CHECK: ds.dequantize %{{.*}} scale %[[CUT]] : tensor<300x3xf32> {axis = 1 : i64, block_size = 128 : i64} : tensor<300x257xf8E4M3FN> to tensor<300x257xf32>
func.func @ragged() -> tensor<300x257xf32> {
  %w = ds.load_parameter @w : tensor<300x257xf8E4M3FN>
  %s = ds.load_parameter @s : tensor<3x3xf32>
  %0 = ds.dequantize_blocks %w scale %s blocks [128, 128] : tensor<300x257xf8E4M3FN>, tensor<3x3xf32> to tensor<300x257xf32>
  return %0 : tensor<300x257xf32>
}

// Experts; whole blocks need no cut.
// CHECK-LABEL: func @experts
// CHECK: ds.broadcast %{{.*}} : tensor<2x2x1x2xf32> to tensor<2x2x128x2xf32>
// CHECK: %[[S:.*]] = ds.reshape %{{.*}} : tensor<2x2x128x2xf32> to tensor<2x256x2xf32>
// CHECK-NOT: ds.slice
// CHECK: ds.dequantize %{{.*}} scale %[[S]] : tensor<2x256x2xf32> {axis = 2 : i64, block_size = 128 : i64}
func.func @experts() -> tensor<2x256x130xf32> {
  %w = ds.load_parameter @e : tensor<2x256x130xf8E4M3FN>
  %s = ds.load_parameter @t : tensor<2x2x2xf32>
  %0 = ds.dequantize_blocks %w scale %s blocks [128, 128] : tensor<2x256x130xf8E4M3FN>, tensor<2x2x2xf32> to tensor<2x256x130xf32>
  return %0 : tensor<2x256x130xf32>
}

// What a run brings has no rows to pack.
// CHECK-LABEL: func @input
// CHECK: ds.dequantize_blocks
func.func @input(%w: tensor<300x257xf8E4M3FN>) -> tensor<300x257xf32> {
  %s = ds.load_parameter @s : tensor<3x3xf32>
  %0 = ds.dequantize_blocks %w scale %s blocks [128, 128] : tensor<300x257xf8E4M3FN>, tensor<3x3xf32> to tensor<300x257xf32>
  return %0 : tensor<300x257xf32>
}
