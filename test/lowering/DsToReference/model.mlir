// RUN: ds-opt %s --ds-to-reference --canonicalize --cse | FileCheck %s

// The formula of the documentation, sums by ascending index, nothing of linalg.
// CHECK-NOT: linalg
// CHECK-NOT: vector

// CHECK-LABEL: func.func @rms_norm
// CHECK-DAG: %[[EPS:.*]] = arith.constant 9.9999999999999995E-7 : f64
// CHECK-DAG: %[[WIDTH:.*]] = arith.constant 8.000000e+00 : f64
// CHECK: %[[SUM:.*]] = scf.for {{.*}} -> (f64)
// CHECK: %[[SQUARE:.*]] = arith.mulf %[[X:.*]], %[[X]] : f64
// CHECK: arith.addf %{{.*}}, %[[SQUARE]] : f64
// CHECK: arith.divf %[[SUM]], %[[WIDTH]] : f64
// CHECK: %[[SHIFTED:.*]] = arith.addf %{{.*}}, %[[EPS]] : f64
// CHECK: %[[ROOT:.*]] = math.sqrt %[[SHIFTED]] : f64
// CHECK: %[[NORMAL:.*]] = arith.divf %{{.*}}, %[[ROOT]] : f64
// CHECK: arith.mulf %[[NORMAL]], %{{.*}} : f64
func.func @rms_norm(%x: tensor<?x8xf32>, %w: tensor<8xf32>) -> tensor<?x8xf32> {
  %0 = ds.rms_norm %x, %w epsilon 1.000000e-06 round_before_weight : tensor<?x8xf32>, tensor<8xf32> to tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// A key that is not visible is neither read nor multiplied.
// CHECK-LABEL: func.func @attend(
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x8xf64>, %[[K:.*]]: tensor<?x2x?x8xf64>, %[[V:.*]]: tensor<?x2x?x8xf64>
// CHECK-NOT: tensor.extract %[[K]]
// CHECK: scf.if %{{.*}} -> (f64)
// CHECK: tensor.extract %[[K]]
// CHECK: else
// CHECK: math.exp
// CHECK: math.exp
// CHECK: %[[WEIGHT:.*]] = arith.select
// CHECK: %[[NONE:.*]] = arith.cmpf oeq, %[[WEIGHT]],
// CHECK-NOT: tensor.extract %[[V]]
// CHECK: scf.if %[[NONE]] -> (f64)
// CHECK: else
// CHECK: tensor.extract %[[V]]
func.func @attend(%q: tensor<?x4x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>,
                  %start: tensor<?xi32>, %past: tensor<?xi32>, %slot: tensor<?xi32>) -> tensor<?x4x8xf32> {
  %0 = ds.cached_attention %q, %k, %v at %start, %past, %slot scale 0.25
      : tensor<?x4x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x4x8xf32>
  return %0 : tensor<?x4x8xf32>
}

// The cache is written to, not copied.
// CHECK-LABEL: func.func @append(
// CHECK-SAME: %{{.*}}: tensor<?x2x8xf64>, %[[CACHE:.*]]: tensor<?x2x?x8xf64>
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[CACHE]])
func.func @append(%x: tensor<?x2x8xf32>, %cache: tensor<?x2x?x8xf32>,
                  %start: tensor<?xi32>, %past: tensor<?xi32>, %slot: tensor<?xi32>) -> tensor<?x2x?x8xf32> {
  %0 = ds.cache_append %x into %cache at %start, %past, %slot
      : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x8xf32>
  return %0 : tensor<?x2x?x8xf32>
}

// An index outside is reported and reads as 0.
// CHECK-LABEL: func.func @gather(
// CHECK: %[[INSIDE:.*]] = arith.andi
// CHECK: scf.if %[[INSIDE]] -> (f64)
// CHECK-NEXT: tensor.extract %arg0
// CHECK: else
// CHECK-NEXT: call @ds_report_index()
func.func @gather(%x: tensor<?x3xf32>, %i: tensor<?xi64>) -> tensor<?x3xf32> {
  %0 = ds.gather %x, %i 0 : tensor<?x3xf32>, tensor<?xi64> to tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}
