// RUN: ds-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(ds-cpu-route),canonicalize,cse)' | FileCheck %s

// Tokens in parallel; the 3 largest of 20 are found 16 lanes at a time, the 12 lanes behind are taken from the start. Nobody asks for loads.
// CHECK-LABEL: func.func @sigmoid(
// CHECK-SAME: %[[L:.*]]: tensor<?x20xf32>, %[[B:.*]]: tensor<20xf32>
// CHECK-NOT: ds.route
// CHECK-DAG: %[[THERE:.*]] = arith.constant dense<[true, true, true, true, false, false, false, false, false, false, false, false, false, false, false, false]>
// CHECK-DAG: %[[TAKEN:.*]] = arith.constant dense<-2147483648> : vector<16xi32>
// CHECK: scf.forall (%[[T:.*]]) in (%{{.*}}) shared_outs(%{{.*}}, %{{.*}}) -> (tensor<?x3xf32>, tensor<?x3xi32>)
// CHECK: %[[SCORES:.*]] = bufferization.alloc_tensor() : tensor<32xf32>
// CHECK: vector.transfer_read %[[L]][%[[T]], %{{.*}}]{{.*}} vector<16xf32>
// CHECK: arith.divf
// CHECK: %[[RANKS:.*]] = bufferization.alloc_tensor() : tensor<32xi32>
// CHECK: vector.transfer_read %[[B]]
// CHECK: arith.bitcast {{.*}} vector<16xf32> to vector<16xi32>
// CHECK: arith.select %[[THERE]], %{{.*}}, %[[TAKEN]]
// All groups stay: none is scored.
// CHECK-NOT: arith.maxsi
// CHECK: scf.for %{{.*}} = %c0 to %c3 step %c1
// CHECK: arith.cmpi sgt, {{.*}} vector<16xi32>
// CHECK: scf.forall.in_parallel
// CHECK-NOT: scf.for
// CHECK: return
func.func @sigmoid(%l: tensor<?x20xf32>, %b: tensor<20xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>) {
  %0:3 = ds.route %l bias %b : tensor<20xf32> sigmoid top 3 groups 4 keep 4 by max fill zero normalize 1.0e-20 scale 2.5
    : tensor<?x20xf32> to tensor<?x3xf32>, tensor<?x3xi32>, tensor<20xi32>
  return %0#0, %0#1 : tensor<?x3xf32>, tensor<?x3xi32>
}

// -----

// Groups of 4 are scored by their two largest; loads are counted after the loop over tokens.
// CHECK-LABEL: func.func @groups(
// CHECK: scf.forall
// CHECK: scf.for %{{.*}} = %c0 to %c4 step %c1
// CHECK: arith.minsi
// CHECK: arith.maxsi
// CHECK: arith.addf {{.*}} : f32
// CHECK: scf.for %{{.*}} = %c0 to %c2 step %c1
// CHECK: scf.forall.in_parallel
// CHECK: scf.for
// CHECK: arith.addi {{.*}} : i32
func.func @groups(%l: tensor<?x16xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>, tensor<16xi32>) {
  %0:3 = ds.route %l softmax top 2 groups 4 keep 2 by top2sum fill lowest scale 1.0
    : tensor<?x16xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<16xi32>
  return %0#0, %0#1, %0#2 : tensor<?x2xf32>, tensor<?x2xi32>, tensor<16xi32>
}
