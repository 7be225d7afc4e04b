// RUN: ds-opt %s --split-input-file --ds-flatten-tokens 2>%t.err | FileCheck %s --enable-var-scope
// RUN: FileCheck %s --check-prefix=WHY < %t.err

// One layer of attention over a cache becomes a step on tokens.
// CHECK: ds.model = {hidden_size = 8 : i64, layers = 1 : i64, vocabulary = 16 : i64}
// CHECK-NOT: @graph
// CHECK: func.func @step(%[[TOKENS:.*]]: tensor<?xi32> {ds.name = "tokens"}, %[[START:.*]]: tensor<?xi32> {ds.name = "row_start"}, %[[PAST:.*]]: tensor<?xi32> {ds.name = "past_length"}, %[[SLOT:.*]]: tensor<?xi32> {ds.name = "cache_slot"}, %[[ROWS:.*]]: tensor<?xi32> {ds.name = "logit_rows"}, %[[K:.*]]: tensor<?x2x?x4xf32> {ds.name = "cache.0.k"}, %[[V:.*]]: tensor<?x2x?x4xf32> {ds.name = "cache.0.v"})
// CHECK-DAG: %[[E:.*]] = ds.embedding %[[TOKENS]]
// CHECK-DAG: %[[X:.*]] = ds.reshape %[[E]]
// CHECK-DAG: %[[KA:.*]] = ds.cache_append %[[X]] into %[[K]] at %[[START]], %[[PAST]], %[[SLOT]]
// CHECK-DAG: %[[VA:.*]] = ds.cache_append %[[X]] into %[[V]] at %[[START]], %[[PAST]], %[[SLOT]]
// CHECK: ds.cached_attention %[[X]], %[[KA]], %[[VA]] at %[[START]], %[[PAST]], %[[SLOT]] scale 5.000000e-01
// CHECK: %[[H:.*]] = ds.elementwise add
// CHECK: %[[ASKED:.*]] = ds.gather %[[H]], %[[ROWS]]
// CHECK: %[[L:.*]] = ds.linear %[[ASKED]]
// CHECK: return %[[L]], %[[H]], %[[KA]], %[[VA]]
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %k: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}, %v: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "v"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x2x?x4xf32> {ds.name = "k1"}, tensor<?x2x?x4xf32> {ds.name = "v1"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %x = ds.reshape %e[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x2x4xf32>
  %rows = ds.transpose %x [0, 2, 1, 3] : tensor<?x?x2x4xf32> to tensor<?x2x?x4xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %v1 = ds.concat 2 %v, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %a = ds.attention %x, %k1, %v1 scale 0.5 causal : tensor<?x?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32> to tensor<?x?x2x4xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x2x4xf32> to tensor<?x?x8xf32>
  %h = ds.elementwise add %e, %f : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %l = ds.linear %h, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1, %v1 : tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>
}

// -----

// Every row sees every key: no language model, and the reason is said.
// CHECK-LABEL: func.func @graph(
// CHECK-NOT: @step
// WHY: remark: not compiled as a language model: an attention lets every row see every key
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %k: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}, %v: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "v"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x2x?x4xf32> {ds.name = "k1"}, tensor<?x2x?x4xf32> {ds.name = "v1"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %x = ds.reshape %e[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x2x4xf32>
  %rows = ds.transpose %x [0, 2, 1, 3] : tensor<?x?x2x4xf32> to tensor<?x2x?x4xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %v1 = ds.concat 2 %v, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %a = ds.attention %x, %k1, %v1 scale 0.5 : tensor<?x?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32> to tensor<?x?x2x4xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x2x4xf32> to tensor<?x?x8xf32>
  %l = ds.linear %f, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1, %v1 : tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>
}

// -----

// A row that depends on all rows of its sequence (their mean) is no step.
// CHECK-LABEL: func.func @graph(
// CHECK-NOT: @step
// WHY: remark: not compiled as a language model: 'ds.broadcast' does not work token by token here
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %k: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}, %v: tensor<?x2x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "v"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x2x?x4xf32> {ds.name = "k1"}, tensor<?x2x?x4xf32> {ds.name = "v1"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %x = ds.reshape %e[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x2x4xf32>
  %rows = ds.transpose %x [0, 2, 1, 3] : tensor<?x?x2x4xf32> to tensor<?x2x?x4xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %v1 = ds.concat 2 %v, %rows : (tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32>
  %a = ds.attention %x, %k1, %v1 scale 0.5 causal : tensor<?x?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32> to tensor<?x?x2x4xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x2x4xf32> to tensor<?x?x8xf32>
  %m = ds.reduce sum %e [1] keepdims : tensor<?x?x8xf32> to tensor<?x1x8xf32>
  %mb = ds.broadcast %m[%b, %s] : tensor<?x1x8xf32> to tensor<?x?x8xf32>
  %n = ds.elementwise add %f, %mb : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %l = ds.linear %n, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1, %v1 : tensor<?x?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>
}

// -----

// One key-value head: its dimension of size 1 stands before or behind the rows, which moves no element.
// CHECK: func.func @step(
// CHECK-NOT: ds.transpose
// CHECK: ds.cache_append {{.*}} : tensor<?x1x8xf32>, tensor<?x1x?x8xf32>
// CHECK-NOT: ds.transpose
// CHECK: ds.cached_attention {{.*}} : tensor<?x1x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %k: tensor<?x1x?x8xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}, %v: tensor<?x1x?x8xf32> {ds.dims = ["b", "", "p", ""], ds.name = "v"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x1x?x8xf32> {ds.name = "k1"}, tensor<?x1x?x8xf32> {ds.name = "v1"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %x = ds.reshape %e[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x1x8xf32>
  %rows = ds.transpose %x [0, 2, 1, 3] : tensor<?x?x1x8xf32> to tensor<?x1x?x8xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>) -> tensor<?x1x?x8xf32>
  %v1 = ds.concat 2 %v, %rows : (tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>) -> tensor<?x1x?x8xf32>
  %a = ds.attention %x, %k1, %v1 scale 0.5 causal : tensor<?x?x1x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32> to tensor<?x?x1x8xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x1x8xf32> to tensor<?x?x8xf32>
  %h = ds.elementwise add %e, %f : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %l = ds.linear %h, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1, %v1 : tensor<?x?x16xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>
}
