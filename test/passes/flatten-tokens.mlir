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
// WHY: remark: not compiled as a language model: a value differs by sequence, not by token
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

// -----

// The file caches 4 numbers a token and makes keys and values of two heads of them at every step: what it makes of a row depends on that
// row alone, so the step makes it once and keeps it. The part that all heads share is repeated.
// CHECK: func.func @step({{.*}} %[[K:[^:]*]]: tensor<?x2x?x5xf32> {ds.name = "cache.0.k"}, %[[V:[^:]*]]: tensor<?x2x?x3xf32> {ds.name = "cache.0.v"})
// CHECK: %[[E:.*]] = ds.embedding
// CHECK: %[[KV:.*]] = ds.linear %[[E]], {{.*}} to tensor<?x12xf32>
// CHECK: %[[HEADS:.*]] = ds.reshape %[[KV]]{{.*}} to tensor<?x2x6xf32>
// CHECK: %[[PLAIN:.*]] = ds.slice %[[HEADS]] [0, 0, 0]
// CHECK: %[[SHARED:.*]] = ds.broadcast {{.*}} : tensor<?x1x2xf32> to tensor<?x2x2xf32>
// CHECK: %[[ROWS:.*]] = ds.concat 2 %[[PLAIN]], %[[SHARED]]
// CHECK: ds.cache_append %[[ROWS]] into %[[K]]
ds.parameter @table : tensor<16x4xf32> = dense<1.0> : tensor<16x4xf32>
ds.parameter @expand : tensor<12x4xf32> = dense<1.0> : tensor<12x4xf32>
ds.parameter @head : tensor<16x6xf32> = dense<1.0> : tensor<16x6xf32>
ds.parameter @queries : tensor<10x4xf32> = dense<1.0> : tensor<10x4xf32>
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %c: tensor<?x1x?x4xf32> {ds.dims = ["b", "", "p", ""], ds.name = "c"}, %r: tensor<?x1x?x2xf32> {ds.dims = ["b", "", "p", ""], ds.name = "r"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x1x?x4xf32> {ds.name = "c1"}, tensor<?x1x?x2xf32> {ds.name = "r1"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x4xf32>
  %w = ds.load_parameter @expand : tensor<12x4xf32>
  %wq = ds.load_parameter @queries : tensor<10x4xf32>
  %wl = ds.load_parameter @head : tensor<16x6xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x4xf32> to tensor<?x?x4xf32>
  %q = ds.linear %e, %wq : tensor<?x?x4xf32>, tensor<10x4xf32> to tensor<?x?x10xf32>
  %qh = ds.reshape %q[%b, %s] : tensor<?x?x10xf32> to tensor<?x?x2x5xf32>
  %rows = ds.reshape %e[%b, %s] : tensor<?x?x4xf32> to tensor<?x1x?x4xf32>
  %short = ds.slice %rows [0, 0, 0, 1] [%b, 1, %s, 2] [1, 1, 1, 1] : tensor<?x1x?x4xf32> to tensor<?x1x?x2xf32>
  %latent = ds.concat 2 %c, %rows : (tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %rope = ds.concat 2 %r, %short : (tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>) -> tensor<?x1x?x2xf32>
  %n = tensor.dim %latent, %c2 : tensor<?x1x?x4xf32>
  %kv = ds.linear %latent, %w : tensor<?x1x?x4xf32>, tensor<12x4xf32> to tensor<?x1x?x12xf32>
  %heads = ds.reshape %kv[%b, %n] : tensor<?x1x?x12xf32> to tensor<?x?x2x6xf32>
  %plain = ds.slice %heads [0, 0, 0, 0] [%b, %n, 2, 3] [1, 1, 1, 1] : tensor<?x?x2x6xf32> to tensor<?x?x2x3xf32>
  %values = ds.slice %heads [0, 0, 0, 3] [%b, %n, 2, 3] [1, 1, 1, 1] : tensor<?x?x2x6xf32> to tensor<?x?x2x3xf32>
  %shared = ds.broadcast %rope[%b, %n] : tensor<?x1x?x2xf32> to tensor<?x2x?x2xf32>
  %kt = ds.transpose %plain [0, 2, 1, 3] : tensor<?x?x2x3xf32> to tensor<?x2x?x3xf32>
  %v1 = ds.transpose %values [0, 2, 1, 3] : tensor<?x?x2x3xf32> to tensor<?x2x?x3xf32>
  %k1 = ds.concat 3 %kt, %shared : (tensor<?x2x?x3xf32>, tensor<?x2x?x2xf32>) -> tensor<?x2x?x5xf32>
  %a = ds.attention %qh, %k1, %v1 scale 0.5 causal : tensor<?x?x2x5xf32>, tensor<?x2x?x5xf32>, tensor<?x2x?x3xf32> to tensor<?x?x2x3xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x2x3xf32> to tensor<?x?x6xf32>
  %l = ds.linear %f, %wl : tensor<?x?x6xf32>, tensor<16x6xf32> to tensor<?x?x16xf32>
  return %l, %latent, %rope : tensor<?x?x16xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>
}

// -----

// Keys scaled by a running sum over the rows: row t depends on other rows than its own.
// CHECK-LABEL: func.func @graph(
// CHECK-NOT: @step
// WHY: remark: not compiled as a language model: 'ds.cumulative' does not work token by token here
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
func.func @graph(%ids: tensor<?x?xi64> {ds.dims = ["b", "s"], ds.name = "ids"}, %k: tensor<?x1x?x8xf32> {ds.dims = ["b", "", "p", ""], ds.name = "k"}) -> (tensor<?x?x16xf32> {ds.name = "l"}, tensor<?x1x?x8xf32> {ds.name = "k1"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi64>
  %s = tensor.dim %ids, %c1 : tensor<?x?xi64>
  %t = ds.load_parameter @table : tensor<16x8xf32>
  %e = ds.embedding %ids, %t : tensor<?x?xi64>, tensor<16x8xf32> to tensor<?x?x8xf32>
  %x = ds.reshape %e[%b, %s] : tensor<?x?x8xf32> to tensor<?x?x1x8xf32>
  %rows = ds.reshape %e[%b, %s] : tensor<?x?x8xf32> to tensor<?x1x?x8xf32>
  %k1 = ds.concat 2 %k, %rows : (tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>) -> tensor<?x1x?x8xf32>
  %sum = ds.cumulative sum %k1 2 : tensor<?x1x?x8xf32> to tensor<?x1x?x8xf32>
  %a = ds.attention %x, %sum, %k1 scale 0.5 causal : tensor<?x?x1x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32> to tensor<?x?x1x8xf32>
  %f = ds.reshape %a[%b, %s] : tensor<?x?x1x8xf32> to tensor<?x?x8xf32>
  %l = ds.linear %f, %t : tensor<?x?x8xf32>, tensor<16x8xf32> to tensor<?x?x16xf32>
  return %l, %k1 : tensor<?x?x16xf32>, tensor<?x1x?x8xf32>
}
