// RUN: ds-opt %s -transform-interpreter -canonicalize -cse -split-input-file | FileCheck %s
// RUN: ds-opt %s -transform-interpreter -split-input-file | FileCheck %s --check-prefix=ZERO

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

// A size that may turn out to be 1 is cut only where it does not repeat.
// CHECK-LABEL: func.func @broadcast(
// CHECK-SAME: %[[X:.*]]: tensor<1x?xf32>, %[[N:.*]]: index)
func.func @broadcast(%x: tensor<1x?xf32>, %n: index) -> tensor<4x6x?xf32> {
  // CHECK: scf.forall
  // CHECK: %[[ALL:.*]] = tensor.dim %[[X]], %c1
  // CHECK: %[[REPEATS:.*]] = arith.cmpi eq, %[[ALL]], %c1
  // CHECK: %[[AT:.*]] = arith.select %[[REPEATS]], %c0, %[[J:.*]] : index
  // CHECK: %[[SIZE:.*]] = arith.minsi %[[COLUMNS:.*]], %[[ALL]]
  // CHECK: %[[S:.*]] = tensor.extract_slice %[[X]][0, %[[AT]]] [1, %[[SIZE]]] [1, 1] : tensor<1x?xf32> to tensor<1x?xf32>
  // CHECK: ds.broadcast %[[S]][%[[COLUMNS]]] : tensor<1x?xf32> to tensor<2x6x?xf32>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%{{.*}}, 0, %[[J]]] [2, 6, %[[COLUMNS]]] [1, 1, 1]
  %0 = ds.broadcast %x [%n] : tensor<1x?xf32> to tensor<4x6x?xf32>
  return %0 : tensor<4x6x?xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.broadcast"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [2, 0, 5] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-LABEL: func.func @transpose(
func.func @transpose(%x: tensor<6x8x10xf32>) -> tensor<10x6x8xf32> {
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (5, 2)
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[0, %[[B:.*]], %[[A:.*]]] [6, 4, 2] [1, 1, 1]
  // CHECK: ds.transpose %[[S]] [2, 0, 1] : tensor<6x4x2xf32> to tensor<2x6x4xf32>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[A]], 0, %[[B]]] [2, 6, 4] [1, 1, 1]
  %0 = ds.transpose %x [2, 0, 1] : tensor<6x8x10xf32> to tensor<10x6x8xf32>
  return %0 : tensor<10x6x8xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.transpose"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [2, 0, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A part of a slice is a slice of the whole.
// CHECK: #[[$AT:.*]] = affine_map<(d0) -> (d0 * 4)>
// CHECK-LABEL: func.func @slice(
// CHECK-SAME: %[[X:.*]]: tensor<20x30xf32>
func.func @slice(%x: tensor<20x30xf32>) -> tensor<8x10xf32> {
  // CHECK: scf.forall (%[[I:.*]]) in (2)
  // CHECK: %[[OUT:.*]] = affine.apply #[[$AT]](%[[I]])
  // CHECK: %[[BACK:.*]] = arith.muli %[[OUT]], %c-2
  // CHECK: %[[AT:.*]] = arith.addi %[[BACK]], %c19
  // CHECK: %[[S:.*]] = ds.slice %[[X]] [%[[AT]], 3] [4, 10] [-2, 1] : tensor<20x30xf32> to tensor<4x10xf32>
  // CHECK: tensor.parallel_insert_slice %[[S]] into %{{.*}}[%[[OUT]], 0] [4, 10] [1, 1]
  %0 = ds.slice %x [19, 3] [8, 10] [-2, 1] : tensor<20x30xf32> to tensor<8x10xf32>
  return %0 : tensor<8x10xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.slice"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// What is joined or combined along an axis is whole there: no loop.
// CHECK-LABEL: func.func @concat(
func.func @concat(%x: tensor<6x2x8xf32>, %y: tensor<6x?x8xf32>) -> tensor<6x?x8xf32> {
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (3, 2)
  // CHECK-DAG: %[[X:.*]] = tensor.extract_slice %{{.*}}[%[[A:.*]], 0, %[[B:.*]]] [2, 2, 4] [1, 1, 1]
  // CHECK-DAG: %[[Y:.*]] = tensor.extract_slice %{{.*}}[%[[A]], 0, %[[B]]] [2, %{{.*}}, 4] [1, 1, 1]
  // CHECK: ds.concat 1 %[[X]], %[[Y]] : (tensor<2x2x4xf32>, tensor<2x?x4xf32>) -> tensor<2x?x4xf32>
  %0 = ds.concat 1 %x, %y : (tensor<6x2x8xf32>, tensor<6x?x8xf32>) -> tensor<6x?x8xf32>
  return %0 : tensor<6x?x8xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.concat"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [2, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-LABEL: func.func @reduce(
func.func @reduce(%x: tensor<6x7x8xf32>) -> tensor<7xf32> {
  // CHECK: scf.forall (%[[I:.*]]) in (4)
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[0, %[[A:.*]], 0] [6, %[[N:.*]], 8] [1, 1, 1]
  // CHECK: ds.reduce sum %[[S]] [0, 2] : tensor<6x?x8xf32> to tensor<?xf32>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[A]]] [%[[N]]] [1]
  %0 = ds.reduce sum %x [0, 2] : tensor<6x7x8xf32> to tensor<7xf32>
  return %0 : tensor<7xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.reduce"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-LABEL: func.func @reduce_keeps(
func.func @reduce_keeps(%x: tensor<6x7x8xf32>) -> tensor<1x7x1xf32> {
  // CHECK: scf.forall (%[[I:.*]]) in (7)
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[0, %[[I]], 0] [6, 1, 8] [1, 1, 1]
  // CHECK: ds.reduce max %[[S]] [0, 2] keepdims : tensor<6x1x8xf32> to tensor<1x1x1xf32>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[0, %[[I]], 0] [1, 1, 1] [1, 1, 1]
  %0 = ds.reduce max %x [0, 2] keepdims : tensor<6x7x8xf32> to tensor<1x7x1xf32>
  return %0 : tensor<1x7x1xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.reduce"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-LABEL: func.func @arg_reduce(
func.func @arg_reduce(%x: tensor<6x7x8xf32>) -> tensor<6x1x8xi64> {
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (3, 2)
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[%[[A:.*]], 0, %[[B:.*]]] [2, 7, 4] [1, 1, 1]
  // CHECK: ds.arg_reduce max %[[S]] 1 last : tensor<2x7x4xf32> to tensor<2x1x4xi64>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[A]], 0, %[[B]]] [2, 1, 4] [1, 1, 1]
  %0 = ds.arg_reduce max %x 1 last : tensor<6x7x8xf32> to tensor<6x1x8xi64>
  return %0 : tensor<6x1x8xi64>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.arg_reduce"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [2, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-LABEL: func.func @softmax(
func.func @softmax(%x: tensor<6x7x8xf32>) -> (tensor<6x7x8xf32>, tensor<6x7x8xf32>) {
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (3, 2)
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[%[[A:.*]], 0, %[[B:.*]]] [2, 7, 4] [1, 1, 1]
  // CHECK: ds.softmax %[[S]] 1 log : tensor<2x7x4xf32> to tensor<2x7x4xf32>
  %0 = ds.softmax %x 1 log : tensor<6x7x8xf32> to tensor<6x7x8xf32>
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (3, 2)
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[%[[A:.*]], %[[B:.*]], 0] [2, %{{.*}}, 8] [1, 1, 1]
  // CHECK: ds.cumulative sum %[[S]] 2 reverse
  %1 = ds.cumulative sum %x 2 reverse : tensor<6x7x8xf32> to tensor<6x7x8xf32>
  return %0, %1 : tensor<6x7x8xf32>, tensor<6x7x8xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.softmax", "ds.cumulative"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [2, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// K is whole; batch sizes of 1 repeat.
// CHECK-LABEL: func.func @matmul(
func.func @matmul(%x: tensor<4x1x6x9xf32>, %y: tensor<3x9x8xf32>) -> tensor<4x3x6x8xf32> {
  // CHECK: scf.forall (%[[A:.*]], %[[B:.*]], %[[I:.*]], %[[J:.*]]) in (2, 3, 2, 2)
  // CHECK-DAG: %[[X:.*]] = tensor.extract_slice %{{.*}}[%[[AT:.*]], 0, %[[M:.*]], 0] [2, 1, 3, 9] [1, 1, 1, 1]
  // CHECK-DAG: %[[Y:.*]] = tensor.extract_slice %{{.*}}[%[[B]], 0, %[[N:.*]]] [1, 9, 4] [1, 1, 1]
  // CHECK: ds.matmul %[[X]], %[[Y]] : tensor<2x1x3x9xf32>, tensor<1x9x4xf32> to tensor<2x1x3x4xf32>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[AT]], %[[B]], %[[M]], %[[N]]] [2, 1, 3, 4] [1, 1, 1, 1]
  %0 = ds.matmul %x, %y : tensor<4x1x6x9xf32>, tensor<3x9x8xf32> to tensor<4x3x6x8xf32>
  return %0 : tensor<4x3x6x8xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.matmul"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [2, 1, 3, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Scales lie along the axis; blocks of it are whole.
// CHECK-LABEL: func.func @dequantize(
func.func @dequantize(%x: tensor<6x8xi8>, %s: tensor<6xf32>, %t: tensor<6x2xf32>) -> (tensor<6x8xf32>, tensor<6x8xf32>) {
  // CHECK: scf.forall
  // CHECK-DAG: %[[X:.*]] = tensor.extract_slice %{{.*}}[%[[A:.*]], 0] [2, 8] [1, 1]
  // CHECK-DAG: %[[S:.*]] = tensor.extract_slice %{{.*}}[%[[A]]] [2] [1]
  // CHECK: ds.dequantize %[[X]] scale %[[S]] : tensor<2xf32> : tensor<2x8xi8> to tensor<2x8xf32>
  %0 = ds.dequantize %x scale %s : tensor<6xf32> : tensor<6x8xi8> to tensor<6x8xf32>
  // CHECK: scf.forall
  // CHECK-DAG: %[[X:.*]] = tensor.extract_slice %{{.*}}[%[[A:.*]], 0] [2, 8] [1, 1]
  // CHECK-DAG: %[[S:.*]] = tensor.extract_slice %{{.*}}[%[[A]], 0] [2, 2] [1, 1]
  // CHECK: ds.dequantize %[[X]] scale %[[S]] : tensor<2x2xf32> {axis = 1 : i64, block_size = 4 : i64} : tensor<2x8xi8> to tensor<2x8xf32>
  %1 = ds.dequantize %x scale %t : tensor<6x2xf32> {axis = 1, block_size = 4} : tensor<6x8xi8> to tensor<6x8xf32>
  return %0, %1 : tensor<6x8xf32>, tensor<6x8xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.dequantize"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
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

// -----

// Rows of causal attention are the last ones before the keys behind the last
// one that they see; heads are cut by those of key and value.
// CHECK: #[[$AT:.*]] = affine_map<(d0) -> (d0 * 2)>
// CHECK-LABEL: func.func @attention(
func.func @attention(%q: tensor<1x6x8x16xf32>, %k: tensor<1x2x10x16xf32>, %v: tensor<1x2x10x4xf32>, %m: tensor<6x10xi1>) -> tensor<1x6x8x4xf32> {
  // CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
  // CHECK-DAG: %[[C6:.*]] = arith.constant 6 : index
  // CHECK: scf.forall (%[[I:.*]], %[[H:.*]]) in (3, 2)
  // CHECK-DAG: %[[ROW:.*]] = affine.apply #[[$AT]](%[[I]])
  // CHECK-DAG: %[[HEAD:.*]] = arith.muli %[[H]], %[[C4]]
  // CHECK-DAG: %[[SEEN:.*]] = arith.addi %[[ROW]], %[[C6]]
  // CHECK-DAG: %[[KEYS:.*]] = arith.maxsi %[[SEEN]], %{{.*}}
  // CHECK-DAG: %[[Q:.*]] = tensor.extract_slice %{{.*}}[0, %[[ROW]], %[[HEAD]], 0] [1, 2, 4, 16] [1, 1, 1, 1]
  // CHECK-DAG: %[[K:.*]] = tensor.extract_slice %{{.*}}[0, %[[H]], 0, 0] [1, 1, %[[KEYS]], 16] [1, 1, 1, 1]
  // CHECK-DAG: %[[V:.*]] = tensor.extract_slice %{{.*}}[0, %[[H]], 0, 0] [1, 1, %[[KEYS]], 4] [1, 1, 1, 1]
  // CHECK-DAG: %[[M:.*]] = tensor.extract_slice %{{.*}}[%[[ROW]], 0] [2, %[[KEYS]]] [1, 1]
  // CHECK: ds.attention %[[Q]], %[[K]], %[[V]] mask %[[M]] : tensor<2x?xi1> scale 1.000000e+00 causal
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[0, %[[ROW]], %[[HEAD]], 0] [1, 2, 4, 4]
  %0 = ds.attention %q, %k, %v mask %m : tensor<6x10xi1> scale 1.0 causal : tensor<1x6x8x16xf32>, tensor<1x2x10x16xf32>, tensor<1x2x10x4xf32> to tensor<1x6x8x4xf32>
  return %0 : tensor<1x6x8x4xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [0, 2, 1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Keys are a reduction: destinations are carried on.
// CHECK-LABEL: func.func @online(
// CHECK-SAME: %[[D:[^:]*]]: index, %[[A:[^:]*]]: tensor<1x6x4x4xf32>
func.func @online(%d: index, %a: tensor<1x6x4x4xf32>, %m: tensor<1x6x4xf32>, %l: tensor<1x6x4xf32>, %q: tensor<1x6x4x16xf32>,
                  %k: tensor<1x2x10x16xf32>, %v: tensor<1x2x10x4xf32>) -> tensor<1x6x4x4xf32> {
  // CHECK: scf.for %[[ROW:.*]] = %{{.*}} iter_args(%[[A0:.*]] = %[[A]], %[[M0:.*]] = %{{.*}}, %[[L0:.*]] = %{{.*}})
  // CHECK: scf.for %[[KEY:.*]] = %{{.*}} iter_args(%[[A1:.*]] = %[[A0]], %[[M1:.*]] = %[[M0]], %[[L1:.*]] = %[[L0]])
  // CHECK-DAG: %[[DOWN:.*]] = arith.addi %[[D]], %[[ROW]]
  // CHECK-DAG: %[[DIAGONAL:.*]] = arith.subi %[[DOWN]], %[[KEY]]
  // CHECK-DAG: %[[K:.*]] = tensor.extract_slice %{{.*}}[0, 0, %[[KEY]], 0] [1, 2, 5, 16] [1, 1, 1, 1]
  // CHECK-DAG: %[[AT:.*]] = tensor.extract_slice %[[A1]][0, %[[ROW]], 0, 0] [1, 3, 4, 4] [1, 1, 1, 1]
  // CHECK-DAG: %[[MT:.*]] = tensor.extract_slice %[[M1]][0, %[[ROW]], 0] [1, 3, 4] [1, 1, 1]
  // CHECK-DAG: %[[LT:.*]] = tensor.extract_slice %[[L1]][0, %[[ROW]], 0] [1, 3, 4] [1, 1, 1]
  // CHECK: ds.online_attention %{{.*}}, %[[K]], %{{.*}} diagonal %[[DIAGONAL]] scale 1.000000e+00 into %[[AT]], %[[MT]], %[[LT]]
  // CHECK: tensor.insert_slice %{{.*}} into %[[A1]][0, %[[ROW]], 0, 0]
  // CHECK: tensor.insert_slice %{{.*}} into %[[M1]][0, %[[ROW]], 0]
  // CHECK: tensor.insert_slice %{{.*}} into %[[L1]][0, %[[ROW]], 0]
  %0:3 = ds.online_attention %q, %k, %v diagonal %d scale 1.0 into %a, %m, %l : tensor<1x6x4x16xf32>, tensor<1x2x10x16xf32>, tensor<1x2x10x4xf32> into tensor<1x6x4x4xf32>, tensor<1x6x4xf32>, tensor<1x6x4xf32>
  return %0#0 : tensor<1x6x4x4xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.online_attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loops:2 = transform.structured.tile_using_for %op tile_sizes [0, 3, 0, 5] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// What of a sequence lies before a tile of tokens is past there.
// CHECK-LABEL: func.func @flattened(
// CHECK-SAME: %[[START:.*]]: tensor<4xi32>, %[[PAST:.*]]: tensor<3xi32>, %[[SLOT:.*]]: tensor<3xi32>
func.func @flattened(%start: tensor<4xi32>, %past: tensor<3xi32>, %slot: tensor<3xi32>, %rows: tensor<12x2x16xf32>, %q: tensor<12x8x16xf32>,
                     %k: tensor<5x2x64x16xf32>, %v: tensor<5x2x64x16xf32>) -> (tensor<12xi32>, tensor<5x2x64x16xf32>, tensor<12x8x16xf32>) {
  %n = arith.constant 12 : index
  // CHECK: scf.for %[[AT:.*]] = %{{.*}} iter_args(%[[P:.*]] = %{{.*}}) -> (tensor<12xi32>)
  // CHECK: %[[NUMBER:.*]] = arith.index_cast %[[AT]] : index to i32
  // CHECK: %[[FIRST:.*]] = tensor.from_elements %[[NUMBER]] : tensor<i32>
  // CHECK: %[[BEGIN:.*]] = tensor.extract_slice %[[START]][0] [3] [1]
  // CHECK: %[[END:.*]] = tensor.extract_slice %[[START]][1] [3] [1]
  // CHECK: %[[GONE:.*]] = ds.elementwise sub %[[FIRST]], %[[BEGIN]]
  // CHECK: %[[SOME:.*]] = ds.elementwise max %[[GONE]], %{{.*}}
  // CHECK: %[[ALL:.*]] = ds.elementwise sub %[[END]], %[[BEGIN]]
  // CHECK: %[[BEFORE:.*]] = ds.elementwise min %[[SOME]], %[[ALL]]
  // CHECK: %[[MOVED:.*]] = ds.elementwise sub %[[START]], %[[FIRST]]
  // CHECK: %[[FEWER:.*]] = ds.elementwise min %[[MOVED]], %{{.*}}
  // CHECK: %[[STARTS:.*]] = ds.elementwise max %[[FEWER]], %{{.*}}
  // CHECK: %[[PASTS:.*]] = ds.elementwise add %[[PAST]], %[[BEFORE]]
  // CHECK: %[[T:.*]] = ds.token_positions %[[STARTS]], %[[PASTS]], %{{.*}} to tensor<4xi32>
  // CHECK: tensor.insert_slice %[[T]] into %[[P]][%[[AT]]] [4] [1]
  %p = ds.token_positions %start, %past, %n : tensor<4xi32>, tensor<3xi32> to tensor<12xi32>
  // CHECK: scf.for %[[HEAD:.*]] = %{{.*}} iter_args(%[[OUT:.*]] = %{{.*}}) -> (tensor<5x2x64x16xf32>)
  // CHECK-DAG: %[[NEW:.*]] = tensor.extract_slice %{{.*}}[0, %[[HEAD]], 0] [12, 1, 16] [1, 1, 1]
  // CHECK-DAG: %[[OLD:.*]] = tensor.extract_slice %[[OUT]][0, %[[HEAD]], 0, 0] [5, 1, 64, 16] [1, 1, 1, 1]
  // CHECK: ds.cache_append %[[NEW]] into %[[OLD]] at %[[START]], %[[PAST]], %[[SLOT]]
  // CHECK: tensor.insert_slice %{{.*}} into %[[OUT]][0, %[[HEAD]], 0, 0] [5, 1, 64, 16]
  %c = ds.cache_append %rows into %k at %start, %past, %slot : tensor<12x2x16xf32>, tensor<5x2x64x16xf32>, tensor<4xi32>, tensor<3xi32>, tensor<3xi32> to tensor<5x2x64x16xf32>
  // CHECK: scf.for %[[TOKEN:[^ ]*]] = {{.*}} -> (tensor<12x8x16xf32>)
  // CHECK: scf.for %[[HEAD:[^ ]*]] = {{.*}} -> (tensor<12x8x16xf32>)
  // CHECK-DAG: %[[Q:.*]] = tensor.extract_slice %{{.*}}[%[[TOKEN]], %{{.*}}, 0] [4, 4, 16] [1, 1, 1]
  // CHECK-DAG: %[[K:.*]] = tensor.extract_slice %{{.*}}[0, %[[HEAD]], 0, 0] [5, 1, 64, 16] [1, 1, 1, 1]
  // CHECK: ds.cached_attention %[[Q]], %[[K]], %{{.*}} at %{{.*}}, %{{.*}}, %[[SLOT]]
  %y = ds.cached_attention %q, %c, %v at %start, %past, %slot scale 1.0 : tensor<12x8x16xf32>, tensor<5x2x64x16xf32>, tensor<5x2x64x16xf32>, tensor<4xi32>, tensor<3xi32>, tensor<3xi32> to tensor<12x8x16xf32>
  return %p, %c, %y : tensor<12xi32>, tensor<5x2x64x16xf32>, tensor<12x8x16xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %p = transform.structured.match ops{["ds.token_positions"]} in %root : (!transform.any_op) -> !transform.any_op
    %0:2 = transform.structured.tile_using_for %p tile_sizes [4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %c = transform.structured.match ops{["ds.cache_append"]} in %root : (!transform.any_op) -> !transform.any_op
    %1:2 = transform.structured.tile_using_for %c tile_sizes [1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %a = transform.structured.match ops{["ds.cached_attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %2:3 = transform.structured.tile_using_for %a tile_sizes [4, 1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A consumer takes attention into its tiles of rows: heads are whole there.
// CHECK-LABEL: func.func @fuse_attention(
func.func @fuse_attention(%q: tensor<1x6x8x16xf32>, %k: tensor<1x2x6x16xf32>) -> tensor<1x6x8x16xf32> {
  // CHECK-NOT: ds.
  // CHECK: scf.forall
  // CHECK: %[[A:.*]] = ds.attention %{{.*}} causal : tensor<1x3x8x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32> to tensor<1x3x8x16xf32>
  // CHECK: ds.elementwise neg %[[A]]
  // CHECK: scf.forall.in_parallel
  // CHECK-NOT: ds.
  // CHECK: return
  %a = ds.attention %q, %k, %k scale 1.0 causal : tensor<1x6x8x16xf32>, tensor<1x2x6x16xf32>, tensor<1x2x6x16xf32> to tensor<1x6x8x16xf32>
  %y = ds.elementwise neg %a : (tensor<1x6x8x16xf32>) -> tensor<1x6x8x16xf32>
  return %y : tensor<1x6x8x16xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.elementwise"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.fuse %op tile_sizes [0, 3] {use_forall} : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Products with packed weights have rows for a loop; what belongs to rows is
// cut with them.
// CHECK-LABEL: func.func @packed(
func.func @packed(%x: tensor<6x64xf32>, %w: tensor<2x64x32xbf16>, %q: tensor<2x16x128xi8>, %s: tensor<2x1x32xf32>) -> (tensor<6x40xf32>, tensor<6x40xf16>) {
  // CHECK: scf.for
  // CHECK: %[[X:.*]] = tensor.extract_slice %{{.*}}[%{{.*}}, 0] [2, 64] [1, 1]
  // CHECK: ds.packed_linear %[[X]], %{{.*}} : tensor<2x64xf32>, tensor<2x64x32xbf16> to tensor<2x40xf32>
  %0 = ds.packed_linear %x, %w : tensor<6x64xf32>, tensor<2x64x32xbf16> to tensor<6x40xf32>
  // CHECK: scf.for %{{.*}} -> (tensor<6x64xi8>, tensor<6x2xf32>, tensor<6x2xi32>)
  // CHECK: ds.quantize_groups %{{.*}} group 32 : tensor<2x64xf32> to tensor<2x64xi8>, tensor<2x2xf32>, tensor<2x2xi32>
  // CHECK: tensor.insert_slice %{{.*}} [2, 64] [1, 1] : tensor<2x64xi8>
  // CHECK: tensor.insert_slice %{{.*}} [2, 2] [1, 1] : tensor<2x2xf32>
  // CHECK: tensor.insert_slice %{{.*}} [2, 2] [1, 1] : tensor<2x2xi32>
  %data, %scale, %sum = ds.quantize_groups %x group 32 : tensor<6x64xf32> to tensor<6x64xi8>, tensor<6x2xf32>, tensor<6x2xi32>
  // CHECK: scf.for
  // CHECK-DAG: %[[D:.*]] = tensor.extract_slice %{{.*}} [2, 64] [1, 1] : tensor<6x64xi8> to tensor<2x64xi8>
  // CHECK-DAG: %[[A:.*]] = tensor.extract_slice %{{.*}} [2, 2] [1, 1] : tensor<6x2xf32> to tensor<2x2xf32>
  // CHECK-DAG: %[[T:.*]] = tensor.extract_slice %{{.*}} [2, 2] [1, 1] : tensor<6x2xi32> to tensor<2x2xi32>
  // CHECK: ds.packed_quantized_linear %[[D]] scale %[[A]] sum %[[T]], %{{.*}} scale %{{.*}} {bits = 8 : i64, group = 32 : i64}
  %1 = ds.packed_quantized_linear %data scale %scale sum %sum, %q scale %s {bits = 8 : i64, group = 32 : i64}
    : tensor<6x64xi8> scale tensor<6x2xf32> sum tensor<6x2xi32>, tensor<2x16x128xi8> scale tensor<2x1x32xf32> to tensor<6x40xf32>
  // CHECK: scf.for
  // CHECK: ds.cast %{{.*}} : tensor<2x40xf32> to tensor<2x40xf16>
  %2 = ds.cast %1 : tensor<6x40xf32> to tensor<6x40xf16>
  return %0, %2 : tensor<6x40xf32>, tensor<6x40xf16>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.packed_linear", "ds.quantize_groups", "ds.packed_quantized_linear", "ds.cast"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_for %op tile_sizes [2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A static 1 is a tile of its own: the operand that repeats there has no other size.
// CHECK-LABEL: func.func @static_one(
func.func @static_one(%x: tensor<1x?xf32>, %y: tensor<f32>) -> tensor<1x?xi1> {
  // CHECK: ds.elementwise {{ *}}eq %{{.*}}, %{{.*}} : (tensor<1x?xf32>, tensor<f32>) -> tensor<1x?xi1>
  // CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[0, 0] [1, %{{.*}}] [1, 1] : tensor<1x?xi1> into tensor<1x?xi1>
  %0 = ds.elementwise eq %x, %y : (tensor<1x?xf32>, tensor<f32>) -> tensor<1x?xi1>
  return %0 : tensor<1x?xi1>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.elementwise"]} in %root : (!transform.any_op) -> !transform.any_op
    %0:2 = transform.structured.tile_using_for %op tile_sizes [2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A static 0 has slices whose offset is a value: MLIR's verifier takes none that is static. Canonical IR has no such loop any more.
// CHECK-LABEL: func.func @static_zero(
// CHECK-NOT: scf.for
// ZERO-LABEL: func.func @static_zero(
// ZERO-SAME: %[[X:.*]]: tensor<?x5xf32>, %[[W:.*]]: tensor<0x5xf32>)
func.func @static_zero(%x: tensor<?x5xf32>, %w: tensor<0x5xf32>) -> tensor<?x0xf32> {
  // ZERO: scf.for %[[ROW:[a-z0-9]+]] =
  // ZERO-DAG: %[[ROWS:.*]] = tensor.extract_slice %[[X]][%[[ROW]], 0]
  // ZERO-DAG: %[[NONE:.*]] = tensor.extract_slice %[[W]][%{{.*}}, 0] [0, 5] [1, 1]
  // ZERO: %[[TILE:.*]] = ds.linear %[[ROWS]], %[[NONE]] : tensor<?x5xf32>, tensor<0x5xf32> to tensor<?x0xf32>
  // ZERO: tensor.insert_slice %[[TILE]] into %{{.*}}[%[[ROW]], %{{.*}}]
  %0 = ds.linear %x, %w : tensor<?x5xf32>, tensor<0x5xf32> to tensor<?x0xf32>
  return %0 : tensor<?x0xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.linear"]} in %root : (!transform.any_op) -> !transform.any_op
    %0:2 = transform.structured.tile_using_for %op tile_sizes [2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
