// RUN: split-file %s %t
// RUN: ds-opt %t/main.mlir --split-input-file --ds-flatten-tokens=part=main | FileCheck %t/main.mlir
// RUN: ds-opt %t/refused.mlir --split-input-file --verify-diagnostics --ds-flatten-tokens=part=main
// RUN: ds-opt %t/draft.mlir --split-input-file --ds-flatten-tokens=part=draft | FileCheck %t/draft.mlir

//--- main.mlir
// Of several outputs with a state for every token, those that the head reads.
// CHECK: func.func @step(
// CHECK: %[[H:.*]] = ds.rms_norm
// CHECK: %[[ROWS:.*]] = ds.gather %[[H]],
// CHECK: %[[L:.*]] = ds.linear %[[ROWS]],
// CHECK: return %[[L]], %[[H]],
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
ds.parameter @norm : tensor<8xf32> = dense<1.0> : tensor<8xf32>
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %k: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}, %v: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "v"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x2x?x4xf32> {ds.name = "k1"}, tensor<?x2x?x4xf32> {ds.name = "v1"}, tensor<?x?x8xf32> {ds.name = "o0"}, tensor<?x?x8xf32> {ds.name = "o1"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %w = ds.load_parameter @norm : tensor<8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %x = ds.reshape %e[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x2x4xf32>
  %rows = ds.transpose %x [0, 2, 1, 3] : tensor<?x?x2x4xf32> to tensor<?x2x?x4xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %v1 = ds.concat 2 %v, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %a = ds.attention %x, %k1, %v1 scale 0.5 causal : tensor<?x?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32> to tensor<?x?x2x4xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x2x4xf32> to tensor<?x?x8xf32>
  %n = ds.rms_norm %f, %w epsilon 1.0e-6 : tensor<?x?x8xf32>, tensor<8xf32> to tensor<?x?x8xf32>
  %l = ds.linear %n, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1, %v1, %f, %n : tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>
}

// -----

// The only one: states before the norm.
// CHECK: func.func @step(
// CHECK: %[[A:.*]] = ds.cached_attention
// CHECK: %[[F:.*]] = ds.reshape %[[A]]
// CHECK: %[[H:.*]] = ds.rms_norm %[[F]],
// CHECK: %[[ROWS:.*]] = ds.gather %[[H]],
// CHECK: %[[L:.*]] = ds.linear %[[ROWS]],
// CHECK: return %[[L]], %[[F]],
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
ds.parameter @norm : tensor<8xf32> = dense<1.0> : tensor<8xf32>
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %k: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}, %v: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "v"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x2x?x4xf32> {ds.name = "k1"}, tensor<?x2x?x4xf32> {ds.name = "v1"}, tensor<?x?x8xf32> {ds.name = "o0"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %w = ds.load_parameter @norm : tensor<8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %x = ds.reshape %e[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x2x4xf32>
  %rows = ds.transpose %x [0, 2, 1, 3] : tensor<?x?x2x4xf32> to tensor<?x2x?x4xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %v1 = ds.concat 2 %v, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %a = ds.attention %x, %k1, %v1 scale 0.5 causal : tensor<?x?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32> to tensor<?x?x2x4xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x2x4xf32> to tensor<?x?x8xf32>
  %n = ds.rms_norm %f, %w epsilon 1.0e-6 : tensor<?x?x8xf32>, tensor<8xf32> to tensor<?x?x8xf32>
  %l = ds.linear %n, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1, %v1, %f : tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>, tensor<?x?x8xf32>
}

//--- refused.mlir
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
ds.parameter @norm : tensor<8xf32> = dense<1.0> : tensor<8xf32>
// expected-error @+1 {{no language model that a layer can draft for: no output has the states that the layer goes on from}}
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %k: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}, %v: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "v"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x2x?x4xf32> {ds.name = "k1"}, tensor<?x2x?x4xf32> {ds.name = "v1"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %w = ds.load_parameter @norm : tensor<8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %x = ds.reshape %e[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x2x4xf32>
  %rows = ds.transpose %x [0, 2, 1, 3] : tensor<?x?x2x4xf32> to tensor<?x2x?x4xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %v1 = ds.concat 2 %v, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %a = ds.attention %x, %k1, %v1 scale 0.5 causal : tensor<?x?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32> to tensor<?x?x2x4xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x2x4xf32> to tensor<?x?x8xf32>
  %n = ds.rms_norm %f, %w epsilon 1.0e-6 : tensor<?x?x8xf32>, tensor<8xf32> to tensor<?x?x8xf32>
  %l = ds.linear %n, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1, %v1 : tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>
}

// -----

ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
ds.parameter @norm : tensor<8xf32> = dense<1.0> : tensor<8xf32>
// expected-error @+1 {{2 outputs may be the states that the layer goes on from; export the main graph with those alone}}
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %k: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}, %v: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "v"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x2x?x4xf32> {ds.name = "k1"}, tensor<?x2x?x4xf32> {ds.name = "v1"}, tensor<?x?x8xf32> {ds.name = "o0"}, tensor<?x?x8xf32> {ds.name = "o1"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %w = ds.load_parameter @norm : tensor<8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %x = ds.reshape %e[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x2x4xf32>
  %rows = ds.transpose %x [0, 2, 1, 3] : tensor<?x?x2x4xf32> to tensor<?x2x?x4xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %v1 = ds.concat 2 %v, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %a = ds.attention %x, %k1, %v1 scale 0.5 causal : tensor<?x?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32> to tensor<?x?x2x4xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x2x4xf32> to tensor<?x?x8xf32>
  %n = ds.rms_norm %f, %w epsilon 1.0e-6 : tensor<?x?x8xf32>, tensor<8xf32> to tensor<?x?x8xf32>
  %l = ds.linear %n, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1, %v1, %f, %e : tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>
}

//--- draft.mlir
// No output has states: what the head reads is fed back.
// CHECK: func.func @draft_0(%[[TOKENS:.*]]: tensor<?xi32> {ds.name = "tokens"}, {{.*}}, %[[STATES:[^:]*]]: tensor<?x8xf32> {ds.name = "states"}, %{{[^:]*}}: tensor<?x2x?x4xf32> {ds.name = "cache.0.k"}, {{.*}} attributes {ds.entry = "draft"}
// CHECK: %[[E:.*]] = ds.embedding %[[TOKENS]],
// CHECK: ds.elementwise add %[[E]], %[[STATES]]
// CHECK: %[[H:.*]] = ds.rms_norm
// CHECK: %[[ROWS:.*]] = ds.gather %[[H]],
// CHECK: %[[L:.*]] = ds.linear %[[ROWS]],
// CHECK: return %[[L]], %[[H]],
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
ds.parameter @norm : tensor<8xf32> = dense<1.0> : tensor<8xf32>
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %h: tensor<?x?x8xf32> {ds.dims = ["b", "s", ""], ds.name = "h"}, %k: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}, %v: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "v"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x2x?x4xf32> {ds.name = "k1"}, tensor<?x2x?x4xf32> {ds.name = "v1"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %w = ds.load_parameter @norm : tensor<8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %y = ds.elementwise add %e, %h : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %x = ds.reshape %y[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x2x4xf32>
  %rows = ds.transpose %x [0, 2, 1, 3] : tensor<?x?x2x4xf32> to tensor<?x2x?x4xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %v1 = ds.concat 2 %v, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %a = ds.attention %x, %k1, %v1 scale 0.5 causal : tensor<?x?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32> to tensor<?x?x2x4xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x2x4xf32> to tensor<?x?x8xf32>
  %n = ds.rms_norm %f, %w epsilon 1.0e-6 : tensor<?x?x8xf32>, tensor<8xf32> to tensor<?x?x8xf32>
  %l = ds.linear %n, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1, %v1 : tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>
}

// -----

// States before the norm are fed back where the layer says so.
// CHECK: func.func @draft_0(
// CHECK: %[[A:.*]] = ds.cached_attention
// CHECK: %[[F:.*]] = ds.reshape %[[A]]
// CHECK: %[[H:.*]] = ds.rms_norm %[[F]],
// CHECK: return %{{.*}}, %[[F]],
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
ds.parameter @norm : tensor<8xf32> = dense<1.0> : tensor<8xf32>
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %h: tensor<?x?x8xf32> {ds.dims = ["b", "s", ""], ds.name = "h"}, %k: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}, %v: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "v"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x2x?x4xf32> {ds.name = "k1"}, tensor<?x2x?x4xf32> {ds.name = "v1"}, tensor<?x?x8xf32> {ds.name = "o0"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %w = ds.load_parameter @norm : tensor<8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %y = ds.elementwise add %e, %h : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %x = ds.reshape %y[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x2x4xf32>
  %rows = ds.transpose %x [0, 2, 1, 3] : tensor<?x?x2x4xf32> to tensor<?x2x?x4xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %v1 = ds.concat 2 %v, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %a = ds.attention %x, %k1, %v1 scale 0.5 causal : tensor<?x?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32> to tensor<?x?x2x4xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x2x4xf32> to tensor<?x?x8xf32>
  %n = ds.rms_norm %f, %w epsilon 1.0e-6 : tensor<?x?x8xf32>, tensor<8xf32> to tensor<?x?x8xf32>
  %l = ds.linear %n, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1, %v1, %f : tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>, tensor<?x?x8xf32>
}
