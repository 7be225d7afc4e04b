// RUN: ds-opt %s -ds-pack-quantized-weights | FileCheck %s --check-prefixes=CHECK,FAST
// RUN: ds-opt %s -ds-pack-quantized-weights=precision=exact | FileCheck %s --check-prefixes=CHECK,EXACT
// RUN: not ds-opt %s -ds-pack-quantized-weights=precision=some 2>&1 | FileCheck %s --check-prefix=WRONG
// WRONG: precision is 'some', expected fast or exact

ds.parameter @w : tensor<48x64xui4> = [#ds.file_range<"w.bin", 0, 1536>]
ds.parameter @s : tensor<48x2xf32> = [#ds.file_range<"w.bin", 0, 384>]
ds.parameter @v : tensor<64x48xi8> = [#ds.file_range<"w.bin", 0, 3072>]
ds.parameter @t : tensor<48xf32> = [#ds.file_range<"w.bin", 0, 192>]
ds.parameter @u : tensor<64xf32> = [#ds.file_range<"w.bin", 0, 256>]

// Half bytes, a scale per 32 k.
// CHECK-LABEL: func @blocks
// CHECK: ds.pack %{{.*}} : tensor<48x32xi8> to tensor<2x8x128xi8>
// CHECK: ds.pack %{{.*}} : tensor<48x2xf32> to tensor<2x2x32xf32>
// FAST: ds.packed_quantized_linear %{{.*}} scale %{{.*}} sum %{{.*}} {bits = 4 : i64, group = 32 : i64, zero = 8 : i64} : tensor<?x64xi8>
// EXACT: ds.packed_quantized_linear %{{.*}} {bits = 4 : i64, group = 32 : i64, zero = 8 : i64} : tensor<?x64xf32>
func.func @blocks(%x: tensor<?x64xf32>) -> tensor<?x48xf32> {
  %w = ds.load_parameter @w : tensor<48x64xui4>
  %s = ds.load_parameter @s : tensor<48x2xf32>
  %z = arith.constant dense<8> : tensor<48x2xui4>
  %0 = ds.dequantize %w scale %s : tensor<48x2xf32> zero_point %z : tensor<48x2xui4> {axis = 1 : i64, block_size = 32 : i64} : tensor<48x64xui4> to tensor<48x64xf32>
  %1 = ds.linear %x, %0 : tensor<?x64xf32>, tensor<48x64xf32> to tensor<?x48xf32>
  return %1 : tensor<?x48xf32>
}

// Signed bytes [K, N] with a scale per output: transposed, moved up by 128.
// CHECK-LABEL: func @transposed
// CHECK: ds.transpose
// CHECK: ds.pack %{{.*}} : tensor<48x64xi8> to tensor<2x16x128xi8>
// CHECK: ds.pack %{{.*}} : tensor<48x1xf32> to tensor<2x1x32xf32>
// CHECK: ds.packed_quantized_linear {{.*}}{bits = 8 : i64, group = 64 : i64, zero = 128 : i64}
func.func @transposed(%x: tensor<?x64xf32>) -> tensor<?x48xf32> {
  %w = ds.load_parameter @v : tensor<64x48xi8>
  %s = ds.load_parameter @t : tensor<48xf32>
  %0 = ds.dequantize %w scale %s : tensor<48xf32> {axis = 1 : i64} : tensor<64x48xi8> to tensor<64x48xf32>
  %1 = ds.transpose %0 [1, 0] : tensor<64x48xf32> to tensor<48x64xf32>
  %2 = ds.linear %x, %1 : tensor<?x64xf32>, tensor<48x64xf32> to tensor<?x48xf32>
  return %2 : tensor<?x48xf32>
}

// A scale per input is no factor of a sum over inputs.
// CHECK-LABEL: func @per_input
// CHECK-NOT: packed_quantized
func.func @per_input(%x: tensor<?x64xf32>) -> tensor<?x48xf32> {
  %w = ds.load_parameter @v : tensor<64x48xi8>
  %s = ds.load_parameter @u : tensor<64xf32>
  %0 = ds.dequantize %w scale %s : tensor<64xf32> : tensor<64x48xi8> to tensor<64x48xf32>
  %1 = ds.transpose %0 [1, 0] : tensor<64x48xf32> to tensor<48x64xf32>
  %2 = ds.linear %x, %1 : tensor<?x64xf32>, tensor<48x64xf32> to tensor<?x48xf32>
  return %2 : tensor<?x48xf32>
}

ds.parameter @f : tensor<48x257xf8E4M3FN> = [#ds.file_range<"w.bin", 0, 12336>]
ds.parameter @g : tensor<48x3xf32> = [#ds.file_range<"w.bin", 0, 576>]

// FP8 stays FP8; activations become bf16 at most.
// CHECK-LABEL: func @float8
// CHECK-NOT: ds.cast {{.*}}f8E4M3FN
// CHECK: ds.pack %{{.*}} : tensor<48x257xf8E4M3FN> to tensor<2x129x64xf8E4M3FN>
// CHECK: ds.pack %{{.*}} : tensor<48x3xf32> to tensor<2x3x32xf32>
// FAST: ds.packed_quantized_linear {{.*}} {bits = 8 : i64, group = 128 : i64} : tensor<?x257xbf16>
// EXACT: ds.packed_quantized_linear {{.*}} {bits = 8 : i64, group = 128 : i64} : tensor<?x257xf32>
func.func @float8(%x: tensor<?x257xf32>) -> tensor<?x48xf32> {
  %w = ds.load_parameter @f : tensor<48x257xf8E4M3FN>
  %s = ds.load_parameter @g : tensor<48x3xf32>
  %0 = ds.dequantize %w scale %s : tensor<48x3xf32> {axis = 1 : i64, block_size = 128 : i64} : tensor<48x257xf8E4M3FN> to tensor<48x257xf32>
  %1 = ds.linear %x, %0 : tensor<?x257xf32>, tensor<48x257xf32> to tensor<?x48xf32>
  return %1 : tensor<?x48xf32>
}

// Rounded to bf16 it is another weight.
// CHECK-LABEL: func @float8_rounded
// CHECK-NOT: ds.pack
// CHECK: ds.linear
func.func @float8_rounded(%x: tensor<?x257xf32>) -> tensor<?x48xf32> {
  %w = ds.load_parameter @f : tensor<48x257xf8E4M3FN>
  %s = ds.load_parameter @g : tensor<48x3xf32>
  %0 = ds.dequantize %w scale %s : tensor<48x3xf32> {axis = 1 : i64, block_size = 128 : i64} : tensor<48x257xf8E4M3FN> to tensor<48x257xf32>
  %1 = ds.cast %0 : tensor<48x257xf32> to tensor<48x257xbf16>
  %2 = ds.linear %x, %1 : tensor<?x257xf32>, tensor<48x257xbf16> to tensor<?x48xf32>
  return %2 : tensor<?x48xf32>
}

// Scales of 3 k have no whole steps in a panel.
// CHECK-LABEL: func @float8_groups
// CHECK-NOT: packed_quantized
func.func @float8_groups(%x: tensor<?x257xf32>) -> tensor<?x48xf32> {
  %w = ds.load_parameter @f : tensor<48x257xf8E4M3FN>
  %s = arith.constant dense<2.0> : tensor<48x86xf32>
  %0 = ds.dequantize %w scale %s : tensor<48x86xf32> {axis = 1 : i64, block_size = 3 : i64} : tensor<48x257xf8E4M3FN> to tensor<48x257xf32>
  %1 = ds.linear %x, %0 : tensor<?x257xf32>, tensor<48x257xf32> to tensor<?x48xf32>
  return %1 : tensor<?x48xf32>
}

ds.parameter @experts : tensor<3x40x64xi4> = [#ds.file_range<"w.bin", 0, 3840>]
ds.parameter @scales : tensor<3x40x2xf32> = [#ds.file_range<"w.bin", 0, 960>]

// Experts: the tokens are rounded once, before they are numbered.
// CHECK-LABEL: func @grouped
// FAST: %[[D:.*]], %[[A:.*]], %[[T:.*]] = ds.quantize_groups %{{.*}} group 32 : tensor<?x64xf32>
// FAST: ds.packed_quantized_linear %[[D]] scale %[[A]] sum %[[T]] rows %{{.*}}, %{{.*}} scale %{{.*}} in %{{.*}}, %{{.*}} {bits = 4 : i64, group = 32 : i64, zero = 8 : i64} : {{.*}} tensor<3x2x8x128xi8> scale tensor<3x2x2x32xf32> in {{.*}} to tensor<?x40xf32>
// EXACT: ds.packed_quantized_linear %{{.*}} rows %{{.*}}, {{.*}} : tensor<?x64xf32> rows tensor<?xi32>, tensor<3x2x8x128xi8>
func.func @grouped(%x: tensor<?x64xf32>, %r: tensor<?xi32>, %t: tensor<?x3xi32>, %c: tensor<i32>) -> tensor<?x40xf32> {
  %w = ds.load_parameter @experts : tensor<3x40x64xi4>
  %s = ds.load_parameter @scales : tensor<3x40x2xf32>
  %0 = ds.dequantize %w scale %s : tensor<3x40x2xf32> {axis = 2 : i64, block_size = 32 : i64} : tensor<3x40x64xi4> to tensor<3x40x64xf32>
  %1 = ds.grouped_linear %x rows %r : tensor<?xi32>, %0 in %t, %c : tensor<?x64xf32>, tensor<3x40x64xf32>, tensor<?x3xi32>, tensor<i32> to tensor<?x40xf32>
  return %1 : tensor<?x40xf32>
}

// Groups along the rows are no factors of sums over columns.
// CHECK-LABEL: func @grouped_rows
// CHECK-NOT: packed_quantized
func.func @grouped_rows(%x: tensor<?x64xf32>, %t: tensor<?x3xi32>, %c: tensor<i32>) -> tensor<?x40xf32> {
  %w = ds.load_parameter @experts : tensor<3x40x64xi4>
  %s = arith.constant dense<2.0> : tensor<3x5x64xf32>
  %0 = ds.dequantize %w scale %s : tensor<3x5x64xf32> {axis = 1 : i64, block_size = 8 : i64} : tensor<3x40x64xi4> to tensor<3x40x64xf32>
  %1 = ds.grouped_linear %x, %0 in %t, %c : tensor<?x64xf32>, tensor<3x40x64xf32>, tensor<?x3xi32>, tensor<i32> to tensor<?x40xf32>
  return %1 : tensor<?x40xf32>
}
