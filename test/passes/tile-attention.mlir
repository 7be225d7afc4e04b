// RUN: ds-opt %s -ds-tile-attention=block=4 -canonicalize -split-input-file | FileCheck %s
// RUN: not ds-opt %s -ds-tile-attention=block=0 -split-input-file 2>&1 | FileCheck %s --check-prefix=BLOCK
// BLOCK: ds-tile-attention: block is 1 or more, not 0

// 10 keys are two blocks of 4 and one of 2; row s sees key t of the block that
// starts at %at if t <= s + (10 - 3) - %at.
// CHECK: #[[$LEFT:.*]] = affine_map<(d0) -> (-d0 + 10, 4)>
// CHECK-LABEL: func.func @causal(
// CHECK-SAME: %[[Q:.*]]: tensor<1x3x4x8xf16>, %[[K:.*]]: tensor<1x2x10x8xf16>, %[[V:.*]]: tensor<1x2x10x6xf16>)
func.func @causal(%q: tensor<1x3x4x8xf16>, %k: tensor<1x2x10x8xf16>, %v: tensor<1x2x10x6xf16>) -> tensor<1x3x4x6xf16> {
  // CHECK-DAG: %[[DIAGONAL:.*]] = arith.constant 7 : index
  // CHECK-DAG: %[[TOTAL:.*]] = arith.constant 10 : index
  // CHECK-DAG: %[[STEP:.*]] = arith.constant 4 : index
  // CHECK-DAG: %[[INF:.*]] = arith.constant dense<0xFF800000> : tensor<f32>
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant dense<0.0{{.*}}> : tensor<f32>
  // CHECK-DAG: %[[ACC:.*]] = ds.broadcast %[[ZERO]] : tensor<f32> to tensor<1x3x4x6xf32>
  // CHECK-DAG: %[[MAX:.*]] = ds.broadcast %[[INF]] : tensor<f32> to tensor<1x3x4xf32>
  // CHECK-DAG: %[[NONE:.*]] = ds.broadcast %[[ZERO]] : tensor<f32> to tensor<1x3x4xf32>
  // CHECK: %[[LOOP:.*]]:3 = scf.for %[[AT:.*]] = %{{.*}} to %[[TOTAL]] step %[[STEP]] iter_args(%[[A:.*]] = %[[ACC]], %[[M:.*]] = %[[MAX]], %[[L:.*]] = %[[NONE]])
  // CHECK-DAG: %[[SIZE:.*]] = affine.min #[[$LEFT]](%[[AT]])
  // CHECK-DAG: %[[BELOW:.*]] = arith.subi %[[DIAGONAL]], %[[AT]]
  // CHECK: %[[KB:.*]] = tensor.extract_slice %[[K]][0, 0, %[[AT]], 0] [1, 2, %[[SIZE]], 8] [1, 1, 1, 1] : tensor<1x2x10x8xf16> to tensor<1x2x?x8xf16>
  // CHECK: %[[VB:.*]] = tensor.extract_slice %[[V]][0, 0, %[[AT]], 0] [1, 2, %[[SIZE]], 6]
  // CHECK: %[[NEXT:.*]], %[[TOP:.*]], %[[SUM:.*]] = ds.online_attention %[[Q]], %[[KB]], %[[VB]] diagonal %[[BELOW]] scale 2.500000e-01 into %[[A]], %[[M]], %[[L]]
  // CHECK: scf.yield %[[NEXT]], %[[TOP]], %[[SUM]]
  // CHECK: %[[BLIND:.*]] = ds.elementwise eq %[[LOOP]]#2
  // CHECK: %[[DIVISOR:.*]] = ds.elementwise select %[[BLIND]], %{{.*}}, %[[LOOP]]#2
  // CHECK: %[[COLUMN:.*]] = ds.reshape %[[DIVISOR]] : tensor<1x3x4xf32> to tensor<1x3x4x1xf32>
  // CHECK: %[[Y:.*]] = ds.elementwise div %[[LOOP]]#0, %[[COLUMN]]
  // CHECK: %[[R:.*]] = ds.cast %[[Y]] : tensor<1x3x4x6xf32> to tensor<1x3x4x6xf16>
  // CHECK: return %[[R]]
  %0 = ds.attention %q, %k, %v scale 0.25 causal : tensor<1x3x4x8xf16>, tensor<1x2x10x8xf16>, tensor<1x2x10x6xf16> to tensor<1x3x4x6xf16>
  return %0 : tensor<1x3x4x6xf16>
}

// -----

// 8 keys are whole blocks: sizes stay static. The mask is cut with the keys,
// unless it says the same for all of them.
// CHECK-LABEL: func.func @masked(
func.func @masked(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x8x8xf32>, %m: tensor<3x8xi1>, %row: tensor<3x1xf32>)
    -> (tensor<1x3x4x8xf32>, tensor<1x3x4x8xf32>) {
  // CHECK: scf.for
  // CHECK: tensor.extract_slice %{{.*}} [1, 2, 4, 8] [1, 1, 1, 1] : tensor<1x2x8x8xf32> to tensor<1x2x4x8xf32>
  // CHECK: %[[MASK:.*]] = tensor.extract_slice %{{.*}} [3, 4] [1, 1] : tensor<3x8xi1> to tensor<3x4xi1>
  // CHECK: ds.online_attention %{{.*}} mask %[[MASK]] : tensor<3x4xi1> scale
  %0 = ds.attention %q, %k, %k mask %m : tensor<3x8xi1> scale 1.0 : tensor<1x3x4x8xf32>, tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32> to tensor<1x3x4x8xf32>
  // CHECK: scf.for
  // CHECK: ds.online_attention %{{.*}} mask %{{.*}} : tensor<3x1xf32> scale
  %1 = ds.attention %q, %k, %k mask %row : tensor<3x1xf32> scale 1.0 : tensor<1x3x4x8xf32>, tensor<1x2x8x8xf32>, tensor<1x2x8x8xf32> to tensor<1x3x4x8xf32>
  return %0, %1 : tensor<1x3x4x8xf32>, tensor<1x3x4x8xf32>
}

// -----

// A size of the mask may be 1 at run time: then it is not cut there.
// CHECK-LABEL: func.func @dynamic(
// CHECK-SAME: %[[Q:.*]]: tensor<?x?x4x8xf32>, %[[K:.*]]: tensor<?x2x?x8xf32>, %[[M:.*]]: tensor<3x?xf32>)
func.func @dynamic(%q: tensor<?x?x4x8xf32>, %k: tensor<?x2x?x8xf32>, %m: tensor<3x?xf32>) -> tensor<?x?x4x8xf32> {
  // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
  // CHECK: scf.for %[[AT:.*]] = %[[C0]] to
  // CHECK: %[[SIZE:.*]] = affine.min
  // CHECK: %[[WIDTH:.*]] = tensor.dim %[[M]], %[[C1]]
  // CHECK: %[[REPEATS:.*]] = arith.cmpi eq, %[[WIDTH]], %[[C1]]
  // CHECK: %[[FROM:.*]] = arith.select %[[REPEATS]], %[[C0]], %[[AT]]
  // CHECK: %[[COUNT:.*]] = arith.minsi %[[SIZE]], %[[WIDTH]]
  // CHECK: %[[MASK:.*]] = tensor.extract_slice %[[M]][0, %[[FROM]]] [%{{.*}}, %[[COUNT]]] [1, 1]
  // CHECK: ds.online_attention %{{.*}} mask %[[MASK]]
  %0 = ds.attention %q, %k, %k mask %m : tensor<3x?xf32> scale 1.0 : tensor<?x?x4x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32> to tensor<?x?x4x8xf32>
  return %0 : tensor<?x?x4x8xf32>
}

// -----

// One block is the whole.
// CHECK-LABEL: func.func @short(
func.func @short(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x4x8xf32>) -> tensor<1x3x4x8xf32> {
  // CHECK-NOT: scf.for
  // CHECK: ds.attention
  %0 = ds.attention %q, %k, %k scale 1.0 : tensor<1x3x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> to tensor<1x3x4x8xf32>
  return %0 : tensor<1x3x4x8xf32>
}
