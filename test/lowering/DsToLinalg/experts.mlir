// RUN: ds-opt %s --ds-to-linalg | FileCheck %s

// A row reads the weight of its expert where it lies: no tensor of gathered
// weights or tokens is made.
// CHECK-LABEL: func.func @grouped_linear(
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[R:.*]]: tensor<?xi32>, %[[W:.*]]: tensor<3x16x8xbf16>, %[[L:.*]]: tensor<?x3xi32>, %[[N:.*]]: tensor<i32>)
func.func @grouped_linear(%x: tensor<?x8xf32>, %r: tensor<?xi32>, %w: tensor<3x16x8xbf16>, %l: tensor<?x3xi32>, %n: tensor<i32>) -> tensor<?x16xf32> {
  // As many tiles as there are.
  // CHECK: %[[COUNT:.*]] = tensor.extract %[[N]][] : tensor<i32>
  // CHECK: %[[END:.*]] = arith.index_cast %[[COUNT]] : i32 to index
  // CHECK: %[[EXPERTS:.*]] = scf.for %{{.*}} = %{{.*}} to %[[END]] {{.*}} -> (tensor<?xi32>)
  // CHECK: tensor.empty(%{{.*}}) : tensor<?x16xf32>
  // CHECK-NOT: tensor.empty
  // CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]
  // CHECK: %[[E:.*]] = tensor.extract %[[EXPERTS]]
  // CHECK: %[[EI:.*]] = arith.index_cast %[[E]]
  // CHECK: %[[T:.*]] = tensor.extract %[[R]]
  // CHECK: %[[TI:.*]] = arith.index_cast %[[T]]
  // CHECK: scf.for %[[K:[a-z0-9]+]] =
  // CHECK-DAG: tensor.extract %[[X]][%[[TI]], %[[K]]]
  // CHECK-DAG: tensor.extract %[[W]][%[[EI]], %{{.*}}, %[[K]]]
  %0 = ds.grouped_linear %x rows %r : tensor<?xi32>, %w in %l, %n : tensor<?x8xf32>, tensor<3x16x8xbf16>, tensor<?x3xi32>, tensor<i32> to tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}
