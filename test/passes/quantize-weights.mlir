// RUN: ds-opt %s -ds-quantize-weights=type=int8 | FileCheck %s --check-prefixes=CHECK,INT8
// RUN: ds-opt %s -ds-quantize-weights=type=int4 | FileCheck %s --check-prefixes=CHECK,INT4
// RUN: ds-opt %s -ds-quantize-weights=type=bf16 | FileCheck %s --check-prefixes=BF16
// RUN: ds-opt %s -ds-quantize-weights | FileCheck %s --check-prefixes=KEEP
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
