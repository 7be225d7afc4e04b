// RUN: ds-opt %s --ds-cpu-combine --canonicalize --cse | FileCheck %s

// Panels of 64 columns; their 4 sums stay in registers while the slots ascend.
// CHECK-LABEL: func.func @combine(
// CHECK-SAME: %[[V:.*]]: tensor<?x128xbf16>, %[[P:.*]]: tensor<?x6xi32>, %[[W:.*]]: tensor<?x6xf32>)
// CHECK: scf.forall (%[[N:.*]], %[[PANEL:.*]]) in (%{{.*}}, 2)
// CHECK: scf.for %[[J:.*]] = %c0 to %c6 step %c1 iter_args(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK: %[[PLACE:.*]] = tensor.extract %[[P]][%[[N]], %[[J]]]
// CHECK: %[[ROW:.*]] = arith.index_cast %[[PLACE]]
// CHECK: tensor.extract %[[W]][%[[N]], %[[J]]]
// CHECK: vector.transfer_read %[[V]][%[[ROW]], %{{.*}}]{{.*}} vector<16xbf16>
// CHECK: vector.fma
// CHECK: vector.transfer_write
func.func @combine(%v: tensor<?x128xbf16>, %p: tensor<?x6xi32>, %w: tensor<?x6xf32>) -> tensor<?x128xf32> {
  %0 = ds.combine %v at %p weights %w : tensor<?x128xbf16>, tensor<?x6xi32>, tensor<?x6xf32> to tensor<?x128xf32>
  return %0 : tensor<?x128xf32>
}

// CHECK-LABEL: func.func @double(
// CHECK: ds.combine
func.func @double(%v: tensor<?x8xf64>, %p: tensor<?x2xi32>, %w: tensor<?x2xf32>) -> tensor<?x8xf64> {
  %0 = ds.combine %v at %p weights %w : tensor<?x8xf64>, tensor<?x2xi32>, tensor<?x2xf32> to tensor<?x8xf64>
  return %0 : tensor<?x8xf64>
}
