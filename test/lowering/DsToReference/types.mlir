// RUN: ds-opt %s --split-input-file --ds-to-reference --canonicalize --cse | FileCheck %s

// Everything is f64 inside; callers see the types of the model. Rounded once.
// CHECK-LABEL: func.func @graph(%arg0: tensor<?xbf16>
// CHECK-SAME: -> (tensor<?xf32>
// CHECK: scf.for
// CHECK: %[[IN:.*]] = tensor.extract %arg0
// CHECK: arith.extf %[[IN]] : bf16 to f64
// CHECK: scf.for
// CHECK: arith.mulf {{.*}} : f64
// CHECK-NOT: truncf
// CHECK: scf.for
// CHECK-NOT: truncf
// CHECK: scf.for
// CHECK: %[[OUT:.*]] = arith.truncf {{.*}} : f64 to f32
// CHECK-NEXT: tensor.insert %[[OUT]]
func.func @graph(%x: tensor<?xbf16> {ds.name = "x"}) -> (tensor<?xf32> {ds.name = "y"}) attributes {ds.entry = "graph"} {
  %0 = ds.elementwise mul %x, %x : (tensor<?xbf16>, tensor<?xbf16>) -> tensor<?xbf16>
  %1 = ds.cast %0 : tensor<?xbf16> to tensor<?xf32>
  return %1 : tensor<?xf32>
}

// -----

// Other functions are converted as they are.
// CHECK-LABEL: func.func @inner(%arg0: tensor<?xf64>) -> tensor<?xf64>
func.func @inner(%x: tensor<?xf16>) -> tensor<?xf16> {
  %0 = ds.elementwise neg %x : (tensor<?xf16>) -> tensor<?xf16>
  return %0 : tensor<?xf16>
}

// -----

// A parameter is widened where an element is read: no copy of it is made.
// CHECK-LABEL: func.func @graph
// CHECK: %[[W:.*]] = ds.load_parameter @w : tensor<5x3xf16>
// CHECK-NOT: tensor<5x3xf64>
// CHECK: %[[E:.*]] = tensor.extract %[[W]]
// CHECK: arith.extf %[[E]] : f16 to f64
ds.parameter @w : tensor<5x3xf16> = dense<1.0> : tensor<5x3xf16>
func.func @graph(%x: tensor<?x3xf64> {ds.name = "x"}) -> (tensor<?x5xf64> {ds.name = "y"}) attributes {ds.entry = "graph"} {
  %w = ds.load_parameter @w : tensor<5x3xf16>
  %0 = ds.linear %x, %w : tensor<?x3xf64>, tensor<5x3xf16> to tensor<?x5xf64>
  return %0 : tensor<?x5xf64>
}

// -----

// The sign of integers chooses the operation, and stays as ds.type.
// CHECK-LABEL: func.func @graph(%arg0: tensor<4xi8> {ds.name = "x", ds.type = "ui8"}
// CHECK-SAME: -> (tensor<4xf32> {ds.name = "y"}, tensor<4xi8> {ds.name = "z", ds.type = "ui8"})
// CHECK: arith.uitofp
// CHECK: arith.cmpi ult
func.func @graph(%x: tensor<4xui8> {ds.name = "x"}) -> (tensor<4xf32> {ds.name = "y"}, tensor<4xui8> {ds.name = "z"}) attributes {ds.entry = "graph"} {
  %0 = ds.cast %x : tensor<4xui8> to tensor<4xf32>
  %c = arith.constant dense<200> : tensor<4xui8>
  %1 = ds.elementwise max %x, %c : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
  return %0, %1 : tensor<4xf32>, tensor<4xui8>
}

// -----

// What 16 bits take is cut off in f32 with the last bit set, so that it is
// rounded once.
// CHECK-LABEL: func.func @graph
// CHECK: %[[S:.*]] = arith.truncf %[[X:.*]] : f64 to f32
// CHECK: %[[B:.*]] = arith.bitcast %[[S]] : f32 to i32
// CHECK: arith.ori
// CHECK: %[[ODD:.*]] = arith.bitcast %{{.*}} : i32 to f32
// CHECK: arith.truncf %[[ODD]] : f32 to f16
func.func @graph(%x: tensor<f64> {ds.name = "x"}) -> (tensor<f16> {ds.name = "y"}) attributes {ds.entry = "graph"} {
  %0 = ds.cast %x : tensor<f64> to tensor<f16>
  return %0 : tensor<f16>
}

// -----

// Caches are f64 for the caller too, and written in place; the rest of a step
// is rounded.
// CHECK-LABEL: func.func @step(
// CHECK-SAME: %{{.*}}: tensor<?xf32> {ds.name = "x"}, %[[CACHE:.*]]: tensor<?x1x?x4xf64> {ds.name = "cache.0.k"}
// CHECK-SAME: -> (tensor<?xf32> {ds.name = "logits"}, tensor<?x1x?x4xf64> {ds.name = "cache.0.k"})
// CHECK-NOT: tensor<?x1x?x4xf32>
// CHECK: arith.truncf
// CHECK: return %{{.*}}, %[[CACHE]]
func.func @step(%x: tensor<?xf32> {ds.name = "x"}, %c: tensor<?x1x?x4xbf16> {ds.name = "cache.0.k"})
    -> (tensor<?xf32> {ds.name = "logits"}, tensor<?x1x?x4xbf16> {ds.name = "cache.0.k"}) attributes {ds.entry = "step"} {
  %0 = ds.elementwise exp %x : (tensor<?xf32>) -> tensor<?xf32>
  return %0, %c : tensor<?xf32>, tensor<?x1x?x4xbf16>
}

// -----

// A cast to float8 is a quantisation and rounds; one between other floats is
// nothing.
// CHECK-LABEL: func.func @quantised
// CHECK: math.roundeven
// CHECK: arith.cmpf olt, %{{.*}}, %{{.*}} : f64
// CHECK: return %{{.*}} : tensor<?xf64>
func.func @quantised(%x: tensor<?xf32>) -> tensor<?xf8E4M3FN> {
  %0 = ds.cast %x : tensor<?xf32> to tensor<?xf8E4M3FN>
  return %0 : tensor<?xf8E4M3FN>
}
