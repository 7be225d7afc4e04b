// RUN: ds-opt %s --ds-decompose-mtp-input | FileCheck %s

// The embedding's half is the first; both norms give f32.
// CHECK-LABEL: func.func @input(
// CHECK-SAME: %[[E:.*]]: tensor<?x8xbf16>, %[[H:.*]]: tensor<?x8xbf16>, %[[EN:.*]]: tensor<8xf32>, %[[HN:.*]]: tensor<8xf32>, %[[W:.*]]: tensor<12x16xbf16>)
func.func @input(%e: tensor<?x8xbf16>, %h: tensor<?x8xbf16>, %en: tensor<8xf32>, %hn: tensor<8xf32>, %w: tensor<12x16xbf16>) -> tensor<?x12xbf16> {
  // CHECK-NEXT: %[[A:.*]] = ds.rms_norm %[[E]], %[[EN]] epsilon 9.9999999999999995E-7 : tensor<?x8xbf16>, tensor<8xf32> to tensor<?x8xf32>
  // CHECK-NEXT: %[[B:.*]] = ds.rms_norm %[[H]], %[[HN]] epsilon 9.9999999999999995E-7 : tensor<?x8xbf16>, tensor<8xf32> to tensor<?x8xf32>
  // CHECK-NEXT: %[[Z:.*]] = ds.concat 1 %[[A]], %[[B]] : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  // CHECK-NEXT: %[[R:.*]] = ds.linear %[[Z]], %[[W]] : tensor<?x16xf32>, tensor<12x16xbf16> to tensor<?x12xbf16>
  // CHECK-NEXT: return %[[R]]
  %0 = ds.mtp_input %e, %h norms %en, %hn weight %w epsilon 1.0e-6 : tensor<?x8xbf16>, tensor<?x8xbf16>, tensor<8xf32>, tensor<8xf32>, tensor<12x16xbf16> to tensor<?x12xbf16>
  return %0 : tensor<?x12xbf16>
}
