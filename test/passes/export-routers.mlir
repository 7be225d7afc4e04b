// RUN: ds-opt %s --ds-export-routers | FileCheck %s

// The first router depends on the cache of layer 4; the second stands behind one of layer 0 alone.
// CHECK-LABEL: func.func @step(
// CHECK-SAME: -> (tensor<?x?xf32> {ds.name = "logits"}, tensor<?x1x?x8xf32> {ds.name = "cache.0.k"}, tensor<?x1x?x8xf32> {ds.name = "cache.4.ckv"},
// CHECK-SAME: tensor<3xi32> {ds.layer = 4 : i64, ds.name = "load.0"}, tensor<2xi32> {ds.layer = 0 : i64, ds.name = "load.1"})
func.func @step(%x: tensor<?x3xf32> {ds.name = "x"}, %y: tensor<?x2xf32> {ds.name = "y"}, %old: tensor<?x1x?x8xf32> {ds.name = "cache.0.k"},
                %new: tensor<?x1x?x8xf32> {ds.name = "cache.4.ckv"})
    -> (tensor<?x?xf32> {ds.name = "logits"}, tensor<?x1x?x8xf32> {ds.name = "cache.0.k"}, tensor<?x1x?x8xf32> {ds.name = "cache.4.ckv"})
    attributes {ds.entry = "step"} {
  %c2 = arith.constant 2 : index
  %one = tensor.dim %new, %c2 : tensor<?x1x?x8xf32>
  %from = tensor.extract_slice %x[0, 0] [%one, 3] [1, 1] : tensor<?x3xf32> to tensor<?x3xf32>
  // CHECK: %{{.*}}, %{{.*}}, %[[A:.*]] = ds.route
  %w, %e, %l = ds.route %from softmax top 2 groups 1 keep 1 by max fill zero scale 1.0
    : tensor<?x3xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<3xi32>
  %two = tensor.dim %old, %c2 : tensor<?x1x?x8xf32>
  %other = tensor.extract_slice %y[0, 0] [%two, 2] [1, 1] : tensor<?x2xf32> to tensor<?x2xf32>
  // CHECK: %{{.*}}, %{{.*}}, %[[B:.*]] = ds.route
  %v, %f, %m = ds.route %other softmax top 1 groups 1 keep 1 by max fill zero scale 1.0
    : tensor<?x2xf32> to tensor<?x1xf32>, tensor<?x1xi32>, tensor<2xi32>
  %logits = tensor.cast %w : tensor<?x2xf32> to tensor<?x?xf32>
  // CHECK: return %{{.*}}, %{{.*}}, %{{.*}}, %[[A]], %[[B]]
  return %logits, %old, %new : tensor<?x?xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>
}

// A graph says what it returns itself.
// CHECK-LABEL: func.func @graph(
// CHECK-SAME: -> (tensor<?x2xf32> {ds.name = "w"})
func.func @graph(%x: tensor<?x3xf32> {ds.name = "x"}) -> (tensor<?x2xf32> {ds.name = "w"}) attributes {ds.entry = "graph"} {
  %w, %e, %l = ds.route %x softmax top 2 groups 1 keep 1 by max fill zero scale 1.0
    : tensor<?x3xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<3xi32>
  return %w : tensor<?x2xf32>
}
