// RUN: ds-opt %s -ds-cpu-quantized-linear="lanes=16 byte-dot=true" -cse | FileCheck %s --check-prefixes=CHECK,DOT
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

// GROUPS-LABEL: func @groups
// GROUPS: scf.forall
// GROUPS: vector.reduction <maximumf>
// GROUPS: math.roundeven
// GROUPS: vector.reduction <add>
func.func @groups(%x: tensor<?x70xf32>) -> (tensor<?x72xi8>, tensor<?x2xf32>, tensor<?x2xi32>) {
  %0, %1, %2 = ds.quantize_groups %x group 64 : tensor<?x70xf32> to tensor<?x72xi8>, tensor<?x2xf32>, tensor<?x2xi32>
  return %0, %1, %2 : tensor<?x72xi8>, tensor<?x2xf32>, tensor<?x2xi32>
}
