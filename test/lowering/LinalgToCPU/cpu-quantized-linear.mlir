// RUN: ds-opt %s -ds-cpu-quantized-linear="lanes=16 byte-dot=true bf16-dot=true" -cse | FileCheck %s --check-prefixes=CHECK,DOT
// RUN: ds-opt %s -ds-cpu-quantized-linear="lanes=8" -cse | FileCheck %s --check-prefixes=CHECK,FMA
// RUN: ds-opt %s -ds-cpu-quantize-groups | FileCheck %s --check-prefixes=GROUPS

// CHECK-LABEL: func @bytes
// CHECK: scf.forall
// DOT: ds.dot_bytes
// DOT-NOT: vector.fma {{.*}}<16xi32>
// FMA-NOT: ds.dot_bytes
// FMA: arith.sitofp
// CHECK: tensor.parallel_insert_slice
func.func @bytes(%x: tensor<?x64xi8>, %a: tensor<?x1xf32>, %t: tensor<?x1xi32>, %w: tensor<1x16x128xi8>, %s: tensor<1x1x32xf32>) -> tensor<?x32xf32> {
  %0 = ds.packed_quantized_linear %x scale %a sum %t, %w scale %s {bits = 8 : i64, group = 64 : i64, zero = 128 : i64}
    : tensor<?x64xi8> scale tensor<?x1xf32> sum tensor<?x1xi32>, tensor<1x16x128xi8> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// f32 inputs take no dot of bytes.
// CHECK-LABEL: func @exact
// CHECK-NOT: ds.dot_bytes
// CHECK: vector.fma
func.func @exact(%x: tensor<?x64xf32>, %w: tensor<1x8x128xi8>, %s: tensor<1x2x32xf32>) -> tensor<?x32xf32> {
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 4 : i64, group = 32 : i64, zero = 8 : i64}
    : tensor<?x64xf32>, tensor<1x8x128xi8> scale tensor<1x2x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// FP8 becomes bf16 by two lookups for 64 numbers, its sums are put in order at the end of a group.
// CHECK-LABEL: func @float8
// DOT: scf.for
// DOT: vector.transfer_read {{.*}}f8E4M3FN>, vector<64xf8E4M3FN>
// DOT-COUNT-2: ds.lookup_bytes
// DOT: x86vector.avx512.dot
// DOT: vector.shuffle {{.*}} [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23] : vector<16xf32>
// FMA-NOT: ds.lookup_bytes
// FMA: ds.cast %{{.*}} : tensor<?x129xbf16> to tensor<?x129xf32>
// FMA: arith.shrsi
// FMA: vector.fma
func.func @float8(%x: tensor<?x129xbf16>, %w: tensor<1x65x64xf8E4M3FN>, %s: tensor<1x2x32xf32>) -> tensor<?x32xf32> {
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 128 : i64}
    : tensor<?x129xbf16>, tensor<1x65x64xf8E4M3FN> scale tensor<1x2x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// f32 inputs take no dot of bf16.
// CHECK-LABEL: func @float8_exact
// CHECK-NOT: ds.lookup_bytes
// CHECK: vector.fma
func.func @float8_exact(%x: tensor<?x128xf32>, %w: tensor<1x64x64xf8E4M3FN>, %s: tensor<1x1x32xf32>) -> tensor<?x32xf32> {
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 128 : i64}
    : tensor<?x128xf32>, tensor<1x64x64xf8E4M3FN> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// Experts: a panel's number counts those of the experts before.
// CHECK-LABEL: func @grouped
// CHECK: tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2], [3]] : tensor<3x1x16x128xi8> into tensor<3x16x128xi8>
// CHECK: tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2], [3]] : tensor<3x1x1x32xf32> into tensor<3x1x32xf32>
// CHECK: scf.forall
// DOT: ds.dot_bytes
func.func @grouped(%x: tensor<?x64xi8>, %a: tensor<?x1xf32>, %t: tensor<?x1xi32>, %r: tensor<?xi32>, %w: tensor<3x1x16x128xi8>, %s: tensor<3x1x1x32xf32>,
                   %tiles: tensor<?x3xi32>, %count: tensor<i32>) -> tensor<?x32xf32> {
  %0 = ds.packed_quantized_linear %x scale %a sum %t rows %r, %w scale %s in %tiles, %count {bits = 8 : i64, group = 64 : i64, zero = 128 : i64}
    : tensor<?x64xi8> scale tensor<?x1xf32> sum tensor<?x1xi32> rows tensor<?xi32>, tensor<3x1x16x128xi8> scale tensor<3x1x1x32xf32>
      in tensor<?x3xi32>, tensor<i32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// GROUPS-LABEL: func @groups
// GROUPS: scf.forall
// GROUPS: vector.reduction <maximumf>
// GROUPS: math.roundeven
// GROUPS: vector.reduction <add>
func.func @groups(%x: tensor<?x70xf32>) -> (tensor<?x72xi8>, tensor<?x2xf32>, tensor<?x2xi32>) {
  %0, %1, %2 = ds.quantize_groups %x group 64 : tensor<?x70xf32> to tensor<?x72xi8>, tensor<?x2xf32>, tensor<?x2xi32>
  return %0, %1, %2 : tensor<?x72xi8>, tensor<?x2xf32>, tensor<?x2xi32>
}
