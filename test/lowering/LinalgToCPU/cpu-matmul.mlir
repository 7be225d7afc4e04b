// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-cpu-matmul{lanes=16},canonicalize,cse))" | FileCheck %s

// Panels of 4 vectors of columns, whole ones: nothing is masked. 6 × 4 sums, then 2 × 4, then 4.
// CHECK-LABEL: func.func @whole
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x72xf32>, %[[Y:[^:]+]]: tensor<72x128xf32>
// CHECK: scf.forall (%{{.+}}, %{{.+}}) in (%{{.+}}, 2) shared_outs
// CHECK-NOT: scf.if
// CHECK: scf.for %{{.+}} step %c6
// CHECK: scf.for %{{.+}} step %c4
// CHECK: vector.transfer_read %[[Y]]
// CHECK-SAME: in_bounds = [true]
// CHECK: tensor.extract %[[X]]
// CHECK: vector.broadcast
// CHECK: vector.fma
// CHECK: vector.transfer_write
// CHECK-SAME: in_bounds = [true]
// CHECK: scf.for %{{.+}} step %c2
// CHECK: scf.forall.in_parallel
// CHECK-NOT: ds.matmul
func.func @whole(%x: tensor<?x72xf32>, %y: tensor<72x128xf32>) -> tensor<?x128xf32> {
  %z = ds.matmul %x, %y : tensor<?x72xf32>, tensor<72x128xf32> to tensor<?x128xf32>
  return %z : tensor<?x128xf32>
}

// -----

// Batch sizes of 1 are broadcast; a last panel of unknown width is masked.
// CHECK-LABEL: func.func @batch
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x1x?x?xf32>, %[[Y:[^:]+]]: tensor<3x?x?xf32>
// CHECK: scf.forall (%[[B:.+]], %[[H:.+]], %{{.+}}, %{{.+}}) in (%{{.+}}, 3, %{{.+}}, %{{.+}}) shared_outs
// CHECK: scf.if
// CHECK: vector.transfer_read %[[Y]][%[[H]],
// CHECK-SAME: in_bounds = [true]
// CHECK: tensor.extract %[[X]][%[[B]], %c0,
// CHECK: else
// CHECK: vector.transfer_read %[[Y]][%[[H]],
// CHECK-NOT: in_bounds = [true]
// CHECK: tensor.extract %[[X]]
func.func @batch(%x: tensor<?x1x?x?xf32>, %y: tensor<3x?x?xf32>) -> tensor<?x3x?x?xf32> {
  %z = ds.matmul %x, %y : tensor<?x1x?x?xf32>, tensor<3x?x?xf32> to tensor<?x3x?x?xf32>
  return %z : tensor<?x3x?x?xf32>
}

// -----

// Narrow types: the left side is widened before, the right side when it is read, the result rounded once.
// CHECK-LABEL: func.func @narrow
// CHECK: ds.cast %{{.+}} : tensor<?x7xbf16> to tensor<?x7xf32>
// CHECK: scf.forall
// CHECK: arith.extf %{{.+}} : vector<16xbf16> to vector<16xf32>
// CHECK: vector.fma %{{.+}} : vector<16xf32>
// CHECK: arith.truncf %{{.+}} : vector<16xf32> to vector<16xbf16>
func.func @narrow(%x: tensor<?x7xbf16>, %y: tensor<7x32xbf16>) -> tensor<?x32xbf16> {
  %z = ds.matmul %x, %y : tensor<?x7xbf16>, tensor<7x32xbf16> to tensor<?x32xbf16>
  return %z : tensor<?x32xbf16>
}

// -----

// So where columns are masked.
// CHECK-LABEL: func.func @masked
// CHECK-SAME: %{{.+}}, %[[Y:.+]]: tensor<7x3xbf16>
// CHECK: scf.forall {{.+}} -> (tensor<?x3xbf16>)
// CHECK: vector.transfer_read %[[Y]]
// CHECK-NOT: in_bounds = [true]
// CHECK: arith.extf %{{.+}} : vector<16xbf16> to vector<16xf32>
// CHECK: arith.truncf %{{.+}} : vector<16xf32> to vector<16xbf16>
func.func @masked(%x: tensor<?x7xbf16>, %y: tensor<7x3xbf16>) -> tensor<?x3xbf16> {
  %z = ds.matmul %x, %y : tensor<?x7xbf16>, tensor<7x3xbf16> to tensor<?x3xbf16>
  return %z : tensor<?x3xbf16>
}

// -----

// Integers and f64 are not this pass's.
// CHECK-LABEL: func.func @others
// CHECK-COUNT-2: ds.matmul
// CHECK-NOT: scf.forall
func.func @others(%x: tensor<5x7xi8>, %y: tensor<7x3xi8>, %u: tensor<5x7xf64>, %v: tensor<7x3xf64>) -> (tensor<5x3xi32>, tensor<5x3xf64>) {
  %z = ds.matmul %x, %y : tensor<5x7xi8>, tensor<7x3xi8> to tensor<5x3xi32>
  %w = ds.matmul %u, %v : tensor<5x7xf64>, tensor<7x3xf64> to tensor<5x3xf64>
  return %z, %w : tensor<5x3xi32>, tensor<5x3xf64>
}
