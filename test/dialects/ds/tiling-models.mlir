// RUN: ds-opt %s -transform-interpreter -canonicalize -cse -split-input-file | FileCheck %s

// A grouped product is cut along its outputs: every tile has the rows of all
// experts and their part of each weight.
// CHECK-LABEL: func.func @grouped_linear(
// CHECK-SAME: %[[X:.*]]: tensor<5x8xf32>, %[[R:.*]]: tensor<10xi32>, %[[W:.*]]: tensor<3x50x8xbf16>, %[[L:.*]]: tensor<6x3xi32>, %[[N:.*]]: tensor<i32>)
func.func @grouped_linear(%x: tensor<5x8xf32>, %r: tensor<10xi32>, %w: tensor<3x50x8xbf16>, %l: tensor<6x3xi32>, %n: tensor<i32>) -> tensor<10x50xf32> {
  // CHECK: scf.forall (%[[I:.*]]) in (4) shared_outs(%[[OUT:.*]] = %{{.*}})
  // CHECK: %[[WS:.*]] = tensor.extract_slice %[[W]][0, %[[AT:.*]], 0] [3, %[[COUNT:.*]], 8] [1, 1, 1] : tensor<3x50x8xbf16> to tensor<3x?x8xbf16>
  // CHECK: %[[T:.*]] = ds.grouped_linear %[[X]] rows %[[R]] : tensor<10xi32>, %[[WS]] in %[[L]], %[[N]] : tensor<5x8xf32>, tensor<3x?x8xbf16>, tensor<6x3xi32>, tensor<i32> to tensor<10x?xf32>
  // CHECK: tensor.parallel_insert_slice %[[T]] into %[[OUT]][0, %[[AT]]] [10, %[[COUNT]]] [1, 1]
  %0 = ds.grouped_linear %x rows %r : tensor<10xi32>, %w in %l, %n : tensor<5x8xf32>, tensor<3x50x8xbf16>, tensor<6x3xi32>, tensor<i32> to tensor<10x50xf32>
  return %0 : tensor<10x50xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.grouped_linear"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [16] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-LABEL: func.func @combine(
func.func @combine(%v: tensor<12x32xf32>, %p: tensor<6x2xi32>, %w: tensor<6x2xf32>) -> tensor<6x32xbf16> {
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (2, 4)
  // CHECK-DAG: %[[V:.*]] = tensor.extract_slice %{{.*}}[0, %[[C:.*]]] [12, 8] [1, 1] : tensor<12x32xf32> to tensor<12x8xf32>
  // CHECK-DAG: %[[P:.*]] = tensor.extract_slice %{{.*}}[%[[R:.*]], 0] [3, 2] [1, 1] : tensor<6x2xi32> to tensor<3x2xi32>
  // CHECK-DAG: %[[W:.*]] = tensor.extract_slice %{{.*}}[%[[R]], 0] [3, 2] [1, 1] : tensor<6x2xf32> to tensor<3x2xf32>
  // CHECK: ds.combine %[[V]] at %[[P]] weights %[[W]] : tensor<12x8xf32>, tensor<3x2xi32>, tensor<3x2xf32> to tensor<3x8xbf16>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[R]], %[[C]]] [3, 8] [1, 1]
  %0 = ds.combine %v at %p weights %w : tensor<12x32xf32>, tensor<6x2xi32>, tensor<6x2xf32> to tensor<6x32xbf16>
  return %0 : tensor<6x32xbf16>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.combine"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [3, 8] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Heads share the caches, each has its weights; tokens before a tile are past.
// CHECK-LABEL: func.func @mla(
// CHECK-SAME: %{{.*}}: tensor<9x4x24xf32>, %[[C:.*]]: tensor<?x1x?x20xbf16>, %[[R:.*]]: tensor<?x1x?x16xbf16>
func.func @mla(%q: tensor<9x4x24xf32>, %c: tensor<?x1x?x20xbf16>, %r: tensor<?x1x?x16xbf16>, %uk: tensor<4x8x20xbf16>, %uv: tensor<4x5x20xbf16>,
               %start: tensor<3xi32>, %past: tensor<2xi32>, %slot: tensor<2xi32>) -> tensor<9x4x5xf32> {
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (3, 2)
  // CHECK-DAG: %[[PAST:.*]] = ds.elementwise add %{{.*}} : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
  // CHECK-DAG: %[[START:.*]] = ds.elementwise max %{{.*}} : (tensor<3xi32>, tensor<i32>) -> tensor<3xi32>
  // CHECK-DAG: %[[Q:.*]] = tensor.extract_slice %{{.*}}[%[[N:.*]], %[[H:.*]], 0] [3, 2, 24] [1, 1, 1]
  // CHECK-DAG: %[[UK:.*]] = tensor.extract_slice %{{.*}}[%[[H]], 0, 0] [2, 8, 20] [1, 1, 1]
  // CHECK-DAG: %[[UV:.*]] = tensor.extract_slice %{{.*}}[%[[H]], 0, 0] [2, 5, 20] [1, 1, 1]
  // CHECK: ds.mla %[[Q]], %[[C]], %[[R]] expand %[[UK]], %[[UV]] at %[[START]], %[[PAST]], %{{.*}} scale 1.250000e-01 : tensor<3x2x24xf32>, {{.*}} to tensor<3x2x5xf32>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[N]], %[[H]], 0] [3, 2, 5] [1, 1, 1]
  %0 = ds.mla %q, %c, %r expand %uk, %uv at %start, %past, %slot scale 0.125 : tensor<9x4x24xf32>, tensor<?x1x?x20xbf16>, tensor<?x1x?x16xbf16>, tensor<4x8x20xbf16>, tensor<4x5x20xbf16>, tensor<3xi32>, tensor<2xi32>, tensor<2xi32> to tensor<9x4x5xf32>
  return %0 : tensor<9x4x5xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.mla"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [3, 2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-LABEL: func.func @mla_absorbed(
func.func @mla_absorbed(%q: tensor<9x4x36xf32>, %c: tensor<?x1x?x20xbf16>, %r: tensor<?x1x?x16xbf16>,
                        %start: tensor<3xi32>, %past: tensor<2xi32>, %slot: tensor<2xi32>) -> tensor<9x4x20xf32> {
  // Heads alone: sequences stay as they are.
  // CHECK: scf.forall (%[[H:.*]]) in (4)
  // CHECK: %[[Q:.*]] = tensor.extract_slice %{{.*}}[0, %[[H]], 0] [9, 1, 36] [1, 1, 1]
  // CHECK-NOT: ds.elementwise
  // CHECK: ds.mla_absorbed %[[Q]], %{{.*}} : tensor<9x1x36xf32>, {{.*}} to tensor<9x1x20xf32>
  // CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[0, %[[H]], 0] [9, 1, 20] [1, 1, 1]
  %0 = ds.mla_absorbed %q, %c, %r at %start, %past, %slot scale 0.125 : tensor<9x4x36xf32>, tensor<?x1x?x20xbf16>, tensor<?x1x?x16xbf16>, tensor<3xi32>, tensor<2xi32>, tensor<2xi32> to tensor<9x4x20xf32>
  return %0 : tensor<9x4x20xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.mla_absorbed"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loop = transform.structured.tile_using_forall %op tile_sizes [0, 1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A tail of one head goes whole to every tile of heads, cut only along keys.
// CHECK-LABEL: func.func @tail(
// CHECK-SAME: %{{.*}}: tensor<1x6x8x20xf32>, %[[K:.*]]: tensor<1x4x10x16xf32>, %{{.*}}: tensor<1x4x10x5xf32>, %[[R:.*]]: tensor<1x1x10x4xf32>
func.func @tail(%q: tensor<1x6x8x20xf32>, %k: tensor<1x4x10x16xf32>, %v: tensor<1x4x10x5xf32>, %r: tensor<1x1x10x4xf32>,
                %a: tensor<1x6x8x5xf32>, %m: tensor<1x6x8xf32>) -> tensor<1x6x8x5xf32> {
  // CHECK: scf.for %[[H:.*]] = %{{.*}} to %{{.*}} step
  // CHECK: scf.for %[[T:[a-z0-9]+]] = %{{.*}} to %{{.*}} step
  // CHECK: tensor.extract_slice %[[K]][0, %[[H]], %[[T]], 0] [1, 2, 5, 16]
  // CHECK: %[[TAIL:.*]] = tensor.extract_slice %[[R]][0, 0, %[[T]], 0] [1, 1, 5, 4] [1, 1, 1, 1] : tensor<1x1x10x4xf32> to tensor<1x1x5x4xf32>
  // CHECK: ds.online_attention {{.*}} tail %[[TAIL]] : tensor<1x1x5x4xf32> scale
  %0:3 = ds.online_attention %q, %k, %v tail %r : tensor<1x1x10x4xf32> scale 1.0 into %a, %m, %m : tensor<1x6x8x20xf32>, tensor<1x4x10x16xf32>, tensor<1x4x10x5xf32> into tensor<1x6x8x5xf32>, tensor<1x6x8xf32>, tensor<1x6x8xf32>
  return %0#0 : tensor<1x6x8x5xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ds.online_attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %tile, %loops:2 = transform.structured.tile_using_for %op tile_sizes [0, 0, 2, 5] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}
