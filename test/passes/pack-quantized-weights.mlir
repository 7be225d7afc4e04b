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
