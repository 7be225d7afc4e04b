// RUN: ds-opt %s --ds-export-routers --split-input-file | FileCheck %s

// The first router depends on the cache of layer 4; the second stands behind one of layer 0 alone.
// CHECK-LABEL: func.func @step(
// CHECK-SAME: -> (tensor<?x?xf32> {ds.name = "logits"}, tensor<?x1x?x8xf32> {ds.name = "cache.0.k"}, tensor<?x1x?x8xf32> {ds.name = "cache.4.ckv"},
// CHECK-SAME: tensor<?x2xf32> {ds.name = "route.0.weights"}, tensor<?x2xi32> {ds.name = "route.0.experts"}, tensor<3xi32> {ds.layer = 4 : i64, ds.name = "load.0"},
// CHECK-SAME: tensor<?x1xf32> {ds.name = "route.1.weights"}, tensor<?x1xi32> {ds.name = "route.1.experts"}, tensor<2xi32> {ds.layer = 0 : i64, ds.name = "load.1"})
func.func @step(%x: tensor<?x3xf32> {ds.name = "x"}, %y: tensor<?x2xf32> {ds.name = "y"}, %old: tensor<?x1x?x8xf32> {ds.name = "cache.0.k"},
                %new: tensor<?x1x?x8xf32> {ds.name = "cache.4.ckv"})
    -> (tensor<?x?xf32> {ds.name = "logits"}, tensor<?x1x?x8xf32> {ds.name = "cache.0.k"}, tensor<?x1x?x8xf32> {ds.name = "cache.4.ckv"})
    attributes {ds.entry = "step"} {
  %c2 = arith.constant 2 : index
  %one = tensor.dim %new, %c2 : tensor<?x1x?x8xf32>
  %from = tensor.extract_slice %x[0, 0] [%one, 3] [1, 1] : tensor<?x3xf32> to tensor<?x3xf32>
  // CHECK: %[[AW:.*]], %[[AE:.*]], %[[A:.*]] = ds.route
  %w, %e, %l = ds.route %from softmax top 2 groups 1 keep 1 by max fill zero scale 1.0
    : tensor<?x3xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<3xi32>
  %two = tensor.dim %old, %c2 : tensor<?x1x?x8xf32>
  %other = tensor.extract_slice %y[0, 0] [%two, 2] [1, 1] : tensor<?x2xf32> to tensor<?x2xf32>
  // CHECK: %[[BW:.*]], %[[BE:.*]], %[[B:.*]] = ds.route
  %v, %f, %m = ds.route %other softmax top 1 groups 1 keep 1 by max fill zero scale 1.0
    : tensor<?x2xf32> to tensor<?x1xf32>, tensor<?x1xi32>, tensor<2xi32>
  %logits = tensor.cast %w : tensor<?x2xf32> to tensor<?x?xf32>
  // CHECK: return %{{.*}}, %{{.*}}, %{{.*}}, %[[AW]], %[[AE]], %[[A]], %[[BW]], %[[BE]], %[[B]]
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

// -----

// Biases that are one parameter, and a constant one: each gets a parameter of its own. The second reader of @shared keeps it.
// CHECK-DAG: ds.parameter @own : tensor<2xf32>
// CHECK-DAG: ds.parameter @[[$A:route_bias[_0-9]*]] : tensor<2xf32> = dense<1.000000e+00>
// CHECK-DAG: ds.parameter @[[$B:route_bias[_0-9]*]] : tensor<2xf32> = dense<[0.000000e+00, 3.000000e+00]>
// CHECK-LABEL: func.func @biased(
// CHECK-SAME: {ds.bias = @own, ds.layer = 0 : i64, ds.name = "load.0"}
// CHECK-SAME: {ds.bias = @[[$A]], ds.layer = 0 : i64, ds.name = "load.1"}
// CHECK-SAME: {ds.bias = @[[$B]], ds.layer = 0 : i64, ds.name = "load.2"}
ds.parameter @own : tensor<2xf32> = dense<2.0> : tensor<2xf32>
ds.parameter @shared : tensor<2xf32> = dense<1.0> : tensor<2xf32>
func.func @biased(%x: tensor<?x2xf32> {ds.name = "x"})
    -> (tensor<?x2xf32> {ds.name = "u"}, tensor<?x2xf32> {ds.name = "v"}, tensor<?x2xf32> {ds.name = "w"}, tensor<2xf32> {ds.name = "b"})
    attributes {ds.entry = "step"} {
  %own = ds.load_parameter @own : tensor<2xf32>
  %shared = ds.load_parameter @shared : tensor<2xf32>
  %constant = arith.constant dense<[0.0, 3.0]> : tensor<2xf32>
  // CHECK: ds.route %{{.*}} bias %[[OWN:.*]] : tensor<2xf32>
  %u, %e, %l = ds.route %x bias %own : tensor<2xf32> sigmoid top 2 groups 1 keep 1 by max fill zero scale 1.0
    : tensor<?x2xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<2xi32>
  // CHECK: %[[LA:.*]] = ds.load_parameter @[[$A]]
  // CHECK: ds.route %{{.*}} bias %[[LA]]
  %v, %f, %m = ds.route %x bias %shared : tensor<2xf32> sigmoid top 2 groups 1 keep 1 by max fill zero scale 1.0
    : tensor<?x2xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<2xi32>
  // CHECK: %[[LB:.*]] = ds.load_parameter @[[$B]]
  // CHECK: ds.route %{{.*}} bias %[[LB]]
  %w, %g, %n = ds.route %x bias %constant : tensor<2xf32> sigmoid top 2 groups 1 keep 1 by max fill zero scale 1.0
    : tensor<?x2xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<2xi32>
  // CHECK: return
  return %u, %v, %w, %shared : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<2xf32>
}

// One function moves them all.
// CHECK: func.func @update_route_bias(%[[BIAS:.*]]: tensor<?xf32> {ds.name = "bias"}, %[[LOADS:.*]]: tensor<?xi32> {ds.name = "loads"}, %[[RATE:.*]]: tensor<f32> {ds.name = "rate"}) -> (tensor<?xf32> {ds.name = "next"}) attributes {ds.entry = "route_bias"} {
// CHECK: ds.update_route_bias %[[BIAS]], %[[LOADS]] rate %[[RATE]]
