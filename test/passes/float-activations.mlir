// RUN: ds-opt %s --ds-float-activations --canonicalize | FileCheck %s --enable-var-scope

ds.parameter @w : tensor<4x8xi8> = dense<1> : tensor<4x8xi8>
ds.parameter @table : tensor<16x4xui8> = dense<1> : tensor<16x4xui8>

// Beside the graph: rows of the dequantised table, a product in float, rounding
// with one constant scale kept, none inside attention.
// CHECK-LABEL: func.func @graph_float(
// CHECK-SAME: ds.candidate
// CHECK-NOT: ds.dynamic_quantize
// CHECK-DAG: %[[TABLE:.*]] = ds.dequantize %{{.*}} : tensor<16x4xui8> to tensor<16x4xf32>
// CHECK-DAG: %[[X:.*]] = ds.gather %[[TABLE]], %arg0
// CHECK-DAG: %[[W:.*]] = ds.dequantize %{{.*}} scale %{{.*}} : tensor<8xf32> zero_point %{{.*}} : tensor<8xi8> {axis = 1 : i64}
// CHECK: %[[P:.*]] = ds.matmul %[[X]], %[[W]] : tensor<?x4xf32>, tensor<4x8xf32> to tensor<?x8xf32>
// CHECK: %[[Q:.*]] = ds.quantize %[[P]]
// CHECK: %[[D:.*]] = ds.dequantize %[[Q]]
// CHECK-NOT: ds.quantize
// CHECK: %[[S:.*]] = ds.softmax %arg1
// CHECK-NOT: ds.quantize
// CHECK: return %[[D]], %[[S]]

// The graph itself stays as it is.
// CHECK-LABEL: func.func @graph(
// CHECK: ds.dynamic_quantize
// CHECK-COUNT-3: ds.quantize
func.func @graph(%ids: tensor<?xi64> {ds.name = "ids"}, %scores: tensor<?x8xf32> {ds.name = "scores"}) -> (tensor<?x8xf32> {ds.name = "y"}, tensor<?x8xf32> {ds.name = "p"}) attributes {ds.entry = "graph"} {
  %scale = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant dense<3> : tensor<ui8>
  %unit = arith.constant dense<0.01> : tensor<f32>
  %scales = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %zeros = arith.constant dense<[1, 2, 3, 4, 5, 6, 7, 8]> : tensor<8xi32>
  %t = ds.load_parameter @table : tensor<16x4xui8>
  %w = ds.load_parameter @w : tensor<4x8xi8>
  %rows = ds.gather %t, %ids 0 : tensor<16x4xui8>, tensor<?xi64> to tensor<?x4xui8>
  %x = ds.dequantize %rows scale %scale : tensor<f32> zero_point %zero : tensor<ui8> : tensor<?x4xui8> to tensor<?x4xf32>
  %q, %s, %z = ds.dynamic_quantize %x : tensor<?x4xf32> to tensor<?x4xui8>, tensor<f32>, tensor<ui8>
  %qi = ds.cast %q : tensor<?x4xui8> to tensor<?x4xi32>
  %zi = ds.cast %z : tensor<ui8> to tensor<i32>
  %a = ds.elementwise sub %qi, %zi : (tensor<?x4xi32>, tensor<i32>) -> tensor<?x4xi32>
  %wi = ds.cast %w : tensor<4x8xi8> to tensor<4x8xi32>
  %b = ds.elementwise sub %wi, %zeros : (tensor<4x8xi32>, tensor<8xi32>) -> tensor<4x8xi32>
  %m = ds.matmul %a, %b : tensor<?x4xi32>, tensor<4x8xi32> to tensor<?x8xi32>
  %f = ds.cast %m : tensor<?x8xi32> to tensor<?x8xf32>
  %both = ds.elementwise mul %s, %scales : (tensor<f32>, tensor<8xf32>) -> tensor<8xf32>
  %y = ds.elementwise mul %f, %both : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %r = ds.quantize %y scale %scale : tensor<f32> zero_point %zero : tensor<ui8> : tensor<?x8xf32> to tensor<?x8xui8>
  %d = ds.dequantize %r scale %scale : tensor<f32> zero_point %zero : tensor<ui8> : tensor<?x8xui8> to tensor<?x8xf32>
  %sq = ds.quantize %scores scale %scale : tensor<f32> zero_point %zero : tensor<ui8> : tensor<?x8xf32> to tensor<?x8xui8>
  %sd = ds.dequantize %sq scale %scale : tensor<f32> zero_point %zero : tensor<ui8> : tensor<?x8xui8> to tensor<?x8xf32>
  %p = ds.softmax %sd 1 : tensor<?x8xf32> to tensor<?x8xf32>
  %pq = ds.quantize %p scale %unit : tensor<f32> : tensor<?x8xf32> to tensor<?x8xui8>
  %pd = ds.dequantize %pq scale %unit : tensor<f32> : tensor<?x8xui8> to tensor<?x8xf32>
  return %d, %pd : tensor<?x8xf32>, tensor<?x8xf32>
}
