// RUN: ds-opt %s -ds-quantize-weights=type=int8 | FileCheck %s --check-prefixes=CHECK,INT8
// RUN: ds-opt %s -ds-quantize-weights=type=int4 | FileCheck %s --check-prefixes=CHECK,INT4
// RUN: ds-opt %s -ds-quantize-weights=type=bf16 | FileCheck %s --check-prefixes=BF16
// RUN: ds-opt %s -ds-quantize-weights | FileCheck %s --check-prefixes=KEEP,FAST
// RUN: ds-opt %s -ds-quantize-weights=precision=exact | FileCheck %s --check-prefixes=KEEP,EXACT
// RUN: not ds-opt %s -ds-quantize-weights=precision=some 2>&1 | FileCheck %s --check-prefix=PRECISION
// PRECISION: precision is 'some', expected fast or exact
// RUN: not ds-opt %s -ds-quantize-weights=type=int3 2>&1 | FileCheck %s --check-prefix=WRONG
// WRONG: type is 'int3', expected keep, bf16, int8 or int4

ds.parameter @w : tensor<48x9xf32> = [#ds.file_range<"w.bin", 0, 1728>]

// CHECK-LABEL: func @linear
// INT8: %[[DATA:.*]], %[[SCALE:.*]], %{{.*}} = ds.quantize_groups %{{.*}} group 64 : tensor<48x9xf32> to tensor<48x12xi8>
// INT4: %[[DATA:.*]], %[[SCALE:.*]], %{{.*}} = ds.quantize_groups %{{.*}} group 32 bits 4
// CHECK: %[[CUT:.*]] = ds.slice %[[DATA]]
// INT8: ds.dequantize %[[CUT]] scale %[[SCALE]] : tensor<48x1xf32> {axis = 1 : i64, block_size = 64 : i64}
// INT4: %[[NARROW:.*]] = ds.cast %[[CUT]] : tensor<48x9xi8> to tensor<48x9xi4>
// INT4: ds.dequantize %[[NARROW]] scale %[[SCALE]]
// BF16: ds.cast %{{.*}} : tensor<48x9xf32> to tensor<48x9xbf16>
// KEEP-NOT: ds.quantize_groups
// KEEP-NOT: ds.cast
func.func @linear(%x: tensor<?x9xf32>) -> tensor<?x48xf32> {
  %w = ds.load_parameter @w : tensor<48x9xf32>
  %0 = ds.linear %x, %w : tensor<?x9xf32>, tensor<48x9xf32> to tensor<?x48xf32>
  return %0 : tensor<?x48xf32>
}

// A weight that comes from outside is no parameter.
// CHECK-LABEL: func @input
// CHECK-NOT: ds.quantize_groups
func.func @input(%x: tensor<?x9xf32>, %w: tensor<48x9xf32>) -> tensor<?x48xf32> {
  %0 = ds.linear %x, %w : tensor<?x9xf32>, tensor<48x9xf32> to tensor<?x48xf32>
  return %0 : tensor<?x48xf32>
}

// A router chooses by small differences: its weight is left.
// CHECK-LABEL: func @router
// CHECK-NOT: ds.quantize_groups
// CHECK-NOT: ds.cast
// CHECK: ds.route
func.func @router(%x: tensor<?x9xf32>) -> tensor<?x2xi32> {
  %w = ds.load_parameter @w : tensor<48x9xf32>
  %0 = ds.linear %x, %w : tensor<?x9xf32>, tensor<48x9xf32> to tensor<?x48xf32>
  %1, %e, %l = ds.route %0 softmax top 2 groups 1 keep 1 by max fill zero scale 1.0 : tensor<?x48xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<48xi32>
  return %e : tensor<?x2xi32>
}

ds.parameter @e : tensor<3x16x72xbf16> = [#ds.file_range<"w.bin", 0, 6912>]

// Weights of experts are rows like others.
// CHECK-LABEL: func @experts
// CHECK: %[[ROWS:.*]] = ds.reshape %{{.*}} : tensor<3x16x72xf32> to tensor<48x72xf32>
// INT8: %[[DATA:.*]], %[[SCALE:.*]], %{{.*}} = ds.quantize_groups %[[ROWS]] group 64 : tensor<48x72xf32> to tensor<48x72xi8>, tensor<48x2xf32>
// INT8: %[[D:.*]] = ds.reshape %[[DATA]] : tensor<48x72xi8> to tensor<3x16x72xi8>
// INT8: %[[S:.*]] = ds.reshape %[[SCALE]] : tensor<48x2xf32> to tensor<3x16x2xf32>
// INT8: %[[W:.*]] = ds.dequantize %[[D]] scale %[[S]] : tensor<3x16x2xf32> {axis = 2 : i64, block_size = 64 : i64}
// INT8: ds.grouped_linear %{{.*}}, %[[W]] in
// INT4: ds.dequantize %{{.*}} : tensor<3x16x3xf32> {axis = 2 : i64, block_size = 32 : i64} : tensor<3x16x72xi4>
func.func @experts(%x: tensor<?x72xf32>, %t: tensor<?x3xi32>, %c: tensor<i32>) -> tensor<?x16xf32> {
  %w = ds.load_parameter @e : tensor<3x16x72xbf16>
  %0 = ds.grouped_linear %x, %w in %t, %c : tensor<?x72xf32>, tensor<3x16x72xbf16>, tensor<?x3xi32>, tensor<i32> to tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

ds.parameter @f : tensor<48x9xf8E4M3FN> = [#ds.file_range<"w.bin", 0, 432>]
ds.parameter @i : tensor<48x9xi8> = [#ds.file_range<"w.bin", 0, 432>]
ds.parameter @s : tensor<48x1xf32> = [#ds.file_range<"w.bin", 0, 192>]

// FP8 becomes what is asked for; whole numbers stay those that they are.
// CHECK-LABEL: func @narrow
// CHECK: %[[F:.*]] = ds.dequantize %{{.*}} : tensor<48x9xf8E4M3FN>
// CHECK: %[[I:.*]] = ds.dequantize %{{.*}} : tensor<48x9xi8>
// CHECK: ds.quantize_groups %[[F]]
// CHECK-NOT: ds.quantize_groups
// CHECK: ds.linear %{{.*}}, %[[I]]
// BF16-LABEL: func @narrow
// BF16: %[[F:.*]] = ds.dequantize %{{.*}} : tensor<48x9xf8E4M3FN>
// BF16: ds.cast %[[F]] : tensor<48x9xf32> to tensor<48x9xbf16>
// KEEP-LABEL: func @narrow
// KEEP: %[[F:.*]] = ds.dequantize %{{.*}} : tensor<48x9xf8E4M3FN>
// KEEP: ds.linear %{{.*}}, %[[F]]
func.func @narrow(%x: tensor<?x9xf32>) -> (tensor<?x48xf32>, tensor<?x48xf32>) {
  %f = ds.load_parameter @f : tensor<48x9xf8E4M3FN>
  %i = ds.load_parameter @i : tensor<48x9xi8>
  %s = ds.load_parameter @s : tensor<48x1xf32>
  %0 = ds.dequantize %f scale %s : tensor<48x1xf32> {axis = 1 : i64, block_size = 64 : i64} : tensor<48x9xf8E4M3FN> to tensor<48x9xf32>
  %1 = ds.dequantize %i scale %s : tensor<48x1xf32> {axis = 1 : i64, block_size = 64 : i64} : tensor<48x9xi8> to tensor<48x9xf32>
  %2 = ds.linear %x, %0 : tensor<?x9xf32>, tensor<48x9xf32> to tensor<?x48xf32>
  %3 = ds.linear %x, %1 : tensor<?x9xf32>, tensor<48x9xf32> to tensor<?x48xf32>
  return %2, %3 : tensor<?x48xf32>, tensor<?x48xf32>
}

// W_UK and W_UV become bf16 where another type is asked for, and where they are FP8 and products round like that anyway.
ds.parameter @uk : tensor<2x3x4xf32> = [#ds.file_range<"w.bin", 0, 96>]
ds.parameter @f8 : tensor<10x4xf8E4M3FN> = [#ds.file_range<"w.bin", 0, 40>]
ds.parameter @scale : tensor<1x1xf32> = [#ds.file_range<"w.bin", 0, 4>]
// CHECK-LABEL: func @latents
// BF16-LABEL: func @latents
// KEEP-LABEL: func @latents
// CHECK: ds.mla {{.*}} tensor<2x3x4xbf16>, tensor<2x5x4xbf16>,
// BF16: ds.mla {{.*}} tensor<2x3x4xbf16>, tensor<2x5x4xbf16>,
// FAST: ds.mla {{.*}} tensor<2x3x4xf32>, tensor<2x5x4xbf16>,
// EXACT: ds.mla {{.*}} tensor<2x3x4xf32>, tensor<2x5x4xf32>,
func.func @latents(%q: tensor<?x2x5xf32>, %c: tensor<?x1x?x4xf32>, %r: tensor<?x1x?x2xf32>, %i: tensor<?xi32>) -> tensor<?x2x5xf32> {
  %uk = ds.load_parameter @uk : tensor<2x3x4xf32>
  %f8 = ds.load_parameter @f8 : tensor<10x4xf8E4M3FN>
  %scale = ds.load_parameter @scale : tensor<1x1xf32>
  %w = ds.dequantize_blocks %f8 scale %scale blocks [128, 128] : tensor<10x4xf8E4M3FN>, tensor<1x1xf32> to tensor<10x4xf32>
  %uv = ds.reshape %w : tensor<10x4xf32> to tensor<2x5x4xf32>
  %0 = ds.mla %q, %c, %r expand %uk, %uv at %i, %i, %i scale 0.5 : tensor<?x2x5xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x5xf32>
  return %0 : tensor<?x2x5xf32>
}
