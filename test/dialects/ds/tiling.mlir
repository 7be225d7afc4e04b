// RUN: ds-opt %s -transform-interpreter -canonicalize -cse -split-input-file | FileCheck %s

// Tiles of the result are the same op on slices of the operands, with static
// sizes, with sizes that do not divide, and with dynamic ones.

// CHECK-LABEL: func.func @linear(
// CHECK-SAME: %[[X:.*]]: tensor<2x?x8xf32>, %[[W:.*]]: tensor<50x8xbf16>, %[[B:.*]]: tensor<50xf32>)
func.func @linear(%x: tensor<2x?x8xf32>, %w: tensor<50x8xbf16>, %b: tensor<50xf32>) -> tensor<2x?x50xf32> {
  // CHECK: %[[R:.*]] = scf.forall (%[[I:.*]], %[[J:.*]]) in (%{{.*}}, 4) shared_outs(%[[OUT:.*]] = %{{.*}})
  // CHECK-DAG: %[[XS:.*]] = tensor.extract_slice %[[X]][0, %[[AT:.*]], 0] [2, %[[ROWS:.*]], 8] [1, 1, 1] : tensor<2x?x8xf32> to tensor<2x?x8xf32>
  // CHECK-DAG: %[[WS:.*]] = tensor.extract_slice %[[W]][%[[N:.*]], 0] [%[[COLUMNS:.*]], 8] [1, 1] : tensor<50x8xbf16> to tensor<?x8xbf16>
  // CHECK-DAG: %[[BS:.*]] = tensor.extract_slice %[[B]][%[[N]]] [%[[COLUMNS]]] [1] : tensor<50xf32> to tensor<?xf32>
  // CHECK: %[[T:.*]] = ds.linear %[[XS]], %[[WS]] bias %[[BS]] : tensor<?xf32> : tensor<2x?x8xf32>, tensor<?x8xbf16> to tensor<2x?x?xf32>
  // CHECK: tensor.parallel_insert_slice %[[T]] into %[[OUT]][0, %[[AT]], %[[N]]] [2, %[[ROWS]], %[[COLUMNS]]] [1, 1, 1]
  // CHECK: return %[[R]]
  %0 = ds.linear %x, %w bias %b : tensor<50xf32> : tensor<2x?x8xf32>, tensor<50x8xbf16> to tensor<2x?x50xf32>
  return %0 : tensor<2x?x50xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.linear"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [0, 4, 16] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-LABEL: func.func @embedding(
func.func @embedding(%ids: tensor<6xi64>, %table: tensor<97x32xbf16>) -> tensor<6x32xf32> {
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (3, 4)
  // CHECK-DAG: %[[IDS:.*]] = tensor.extract_slice %{{.*}}[%[[ROW:.*]]] [2] [1] : tensor<6xi64> to tensor<2xi64>
  // CHECK-DAG: %[[T:.*]] = tensor.extract_slice %{{.*}}[0, %[[COL:.*]]] [97, 8] [1, 1] : tensor<97x32xbf16> to tensor<97x8xbf16>
  // CHECK: ds.embedding %[[IDS]], %[[T]] : tensor<2xi64>, tensor<97x8xbf16> to tensor<2x8xf32>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[ROW]], %[[COL]]] [2, 8] [1, 1]
  %0 = ds.embedding %ids, %table : tensor<6xi64>, tensor<97x32xbf16> to tensor<6x32xf32>
  return %0 : tensor<6x32xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.embedding"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [2, 8] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A row is normalised whole: the last dimension is no loop.
// CHECK-LABEL: func.func @rms_norm(
func.func @rms_norm(%x: tensor<6x32xf32>, %w: tensor<32xf32>) -> tensor<6x32xf32> {
  // CHECK: scf.forall (%[[I:.*]]) in (2)
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[%[[ROW:.*]], 0] [3, 32] [1, 1]
  // CHECK: ds.rms_norm %[[S]], %{{.*}} epsilon {{.*}} round_before_weight : tensor<3x32xf32>, tensor<32xf32> to tensor<3x32xf32>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[ROW]], 0] [3, 32] [1, 1]
  %0 = ds.rms_norm %x, %w epsilon 1.0e-6 round_before_weight : tensor<6x32xf32>, tensor<32xf32> to tensor<6x32xf32>
  return %0 : tensor<6x32xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.rms_norm"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Tables have no dimension of heads.
// CHECK-LABEL: func.func @rope(
func.func @rope(%x: tensor<1x6x4x8xf32>, %cos: tensor<1x6x4xf32>, %sin: tensor<1x6x4xf32>) -> tensor<1x6x4x8xf32> {
  // CHECK: scf.forall (%[[I:.*]], %[[H:.*]]) in (2, 4)
  // CHECK-DAG: %[[X:.*]] = tensor.extract_slice %{{.*}}[0, %[[ROW:.*]], %[[H]], 0] [1, 3, 1, 8] [1, 1, 1, 1]
  // CHECK-DAG: %[[C:.*]] = tensor.extract_slice %{{.*}}[0, %[[ROW]], 0] [1, 3, 4] [1, 1, 1]
  // CHECK-DAG: %[[S:.*]] = tensor.extract_slice %{{.*}}[0, %[[ROW]], 0] [1, 3, 4] [1, 1, 1]
  // CHECK: ds.rope %[[X]], %{{.*}}, %{{.*}} pairs to halves : tensor<1x3x1x8xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32> to tensor<1x3x1x8xf32>
  %0 = ds.rope %x, %cos, %sin pairs to halves : tensor<1x6x4x8xf32>, tensor<1x6x4xf32>, tensor<1x6x4xf32> to tensor<1x6x4x8xf32>
  return %0 : tensor<1x6x4x8xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.rope"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [0, 3, 1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// An operand that repeats is not cut where it repeats.
// CHECK-LABEL: func.func @elementwise(
func.func @elementwise(%x: tensor<6x32xf32>, %row: tensor<32xf32>, %one: tensor<6x1xf32>, %s: tensor<f32>) -> tensor<6x32xi1> {
  // CHECK: %[[SUM:.*]] = scf.forall (%[[I:.*]], %[[J:.*]]) in (2, 4)
  // CHECK-DAG: %[[X:.*]] = tensor.extract_slice %{{.*}}[%[[R:.*]], %[[C:.*]]] [3, 8] [1, 1] : tensor<6x32xf32> to tensor<3x8xf32>
  // CHECK-DAG: %[[ROW:.*]] = tensor.extract_slice %{{.*}}[%[[C]]] [8] [1] : tensor<32xf32> to tensor<8xf32>
  // CHECK: ds.elementwise add %[[X]], %[[ROW]] : (tensor<3x8xf32>, tensor<8xf32>) -> tensor<3x8xf32>
  %0 = ds.elementwise add %x, %row : (tensor<6x32xf32>, tensor<32xf32>) -> tensor<6x32xf32>
  // CHECK: scf.forall
  // CHECK: %[[ONE:.*]] = tensor.extract_slice %{{.*}}[%{{.*}}, 0] [3, 1] [1, 1] : tensor<6x1xf32> to tensor<3x1xf32>
  // CHECK: ds.elementwise mul %{{.*}}, %[[ONE]] : (tensor<3x8xf32>, tensor<3x1xf32>) -> tensor<3x8xf32>
  %1 = ds.elementwise mul %0, %one : (tensor<6x32xf32>, tensor<6x1xf32>) -> tensor<6x32xf32>
  // CHECK: scf.forall
  // CHECK: ds.elementwise lt %{{.*}}, %{{.*}} : (tensor<3x8xf32>, tensor<f32>) -> tensor<3x8xi1>
  %2 = ds.elementwise lt %1, %s : (tensor<6x32xf32>, tensor<f32>) -> tensor<6x32xi1>
  return %2 : tensor<6x32xi1>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.elementwise"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [3, 8] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// SwiGLU takes its two products into its tiles, and each takes the norm, which
// has its rows whole there: no tensor of the whole width is left.
// CHECK-LABEL: func.func @fuse(
func.func @fuse(%x: tensor<6x8xf32>, %w: tensor<8xf32>, %g: tensor<32x8xf32>, %u: tensor<32x8xf32>) -> tensor<6x32xf32> {
  // CHECK-NOT: ds.
  // CHECK: scf.forall
  // CHECK: %[[N:.*]] = ds.rms_norm %{{.*}} : tensor<3x8xf32>, tensor<8xf32> to tensor<3x8xf32>
  // CHECK: ds.linear %[[N]], %{{.*}} : tensor<3x8xf32>, tensor<16x8xf32> to tensor<3x16xf32>
  // CHECK: ds.linear %[[N]], %{{.*}} : tensor<3x8xf32>, tensor<16x8xf32> to tensor<3x16xf32>
  // CHECK: ds.swiglu %{{.*}} : tensor<3x16xf32>, tensor<3x16xf32> to tensor<3x16xf32>
  // CHECK: scf.forall.in_parallel
  // CHECK-NOT: ds.
  // CHECK: return
  %n = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<6x8xf32>, tensor<8xf32> to tensor<6x8xf32>
  %a = ds.linear %n, %g : tensor<6x8xf32>, tensor<32x8xf32> to tensor<6x32xf32>
  %b = ds.linear %n, %u : tensor<6x8xf32>, tensor<32x8xf32> to tensor<6x32xf32>
  %s = ds.swiglu %a, %b : tensor<6x32xf32>, tensor<6x32xf32> to tensor<6x32xf32>
  return %s : tensor<6x32xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.swiglu"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.fuse %op tile_sizes [3, 16] {use_forall} : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
