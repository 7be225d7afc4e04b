// RUN: ds-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(ds-unabsorb-mla-weights,canonicalize,cse))' 2>%t.err | FileCheck %s --enable-var-scope
// RUN: FileCheck %s --check-prefix=WHY --implicit-check-not=remark < %t.err

// Two heads of 3 numbers without position and 2 rotated ones, latents of 4, values of 3.

// Both weights are views of one projection to keys and values; the products run over heads.
// CHECK-LABEL: func.func @joint(
// CHECK-SAME: %[[Q:[^:]*]]: tensor<?x2x5xf32> {ds.name = "q"}, %[[C:[^:]*]]: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %[[R:[^:]*]]: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"})
// CHECK-DAG: %[[W:.*]] = ds.load_parameter @kv
// CHECK-DAG: %[[HEADS:.*]] = ds.reshape %[[W]] : tensor<12x4xf32> to tensor<2x6x4xf32>
// CHECK-DAG: %[[UK:.*]] = ds.slice %[[HEADS]] [0, 0, 0] [2, 3, 4]
// CHECK-DAG: %[[UV:.*]] = ds.slice %[[HEADS]] [0, 3, 0] [2, 3, 4]
// CHECK-DAG: %[[P:.*]] = ds.slice %[[Q]] [0, 0, 0] [%{{.*}}, 2, 3]
// CHECK-DAG: %[[T:.*]] = ds.slice %[[Q]] [0, 0, 3] [%{{.*}}, 2, 2]
// CHECK: %[[QUERY:.*]] = ds.concat 2 %[[P]], %[[T]]
// CHECK-NEXT: %[[A:.*]] = ds.mla %[[QUERY]], %[[C]], %[[R]] expand %[[UK]], %[[UV]] at {{.*}} scale 5.000000e-01
// CHECK-NEXT: return %[[A]]
// WHY: remark: 'ds.mla_absorbed' is turned back to keys and values of every head, 3 and 3 numbers: W_UK and W_UV are the weights of the products beside it
ds.parameter @kv : tensor<12x4xf32> = dense<1.0> : tensor<12x4xf32>
func.func @joint(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x2x3xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %kv = ds.load_parameter @kv : tensor<12x4xf32>
  %heads = ds.reshape %kv : tensor<12x4xf32> to tensor<2x6x4xf32>
  %uk = ds.slice %heads [0, 0, 0] [2, 3, 4] [1, 1, 1] : tensor<2x6x4xf32> to tensor<2x3x4xf32>
  %plain = ds.slice %q [0, 0, 0] [%n, 2, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x3xf32>
  %p0 = ds.transpose %plain [1, 0, 2] : tensor<?x2x3xf32> to tensor<2x?x3xf32>
  %p1 = ds.matmul %p0, %uk : tensor<2x?x3xf32>, tensor<2x3x4xf32> to tensor<2x?x4xf32>
  %lat = ds.transpose %p1 [1, 0, 2] : tensor<2x?x4xf32> to tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %uvt = ds.slice %heads [0, 3, 0] [2, 3, 4] [1, 1, 1] : tensor<2x6x4xf32> to tensor<2x3x4xf32>
  %uv = ds.transpose %uvt [0, 2, 1] : tensor<2x3x4xf32> to tensor<2x4x3xf32>
  %m0 = ds.transpose %m [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %uv : tensor<2x?x4xf32>, tensor<2x4x3xf32> to tensor<2x?x3xf32>
  %a = ds.transpose %m1 [1, 0, 2] : tensor<2x?x3xf32> to tensor<?x2x3xf32>
  return %a : tensor<?x2x3xf32>
}

// -----

// A product for each head, with weights as ds.linear has them; values of the second head first, and loaded behind the attention. What reads them
// finds them where it did.
// CHECK-LABEL: func.func @each(
// CHECK-SAME: %[[Q:[^:]*]]: tensor<?x2x5xf32> {ds.name = "q"}
// CHECK-DAG: %[[K0:.*]] = ds.load_parameter @k0
// CHECK-DAG: %[[K1:.*]] = ds.load_parameter @k1
// CHECK-DAG: %[[V0:.*]] = ds.load_parameter @v0
// CHECK-DAG: %[[V1:.*]] = ds.load_parameter @v1
// CHECK-DAG: %[[K:.*]] = ds.concat 0 %[[K0]], %[[K1]]
// CHECK-DAG: %[[KH:.*]] = ds.reshape %[[K]] : tensor<8x3xf32> to tensor<2x4x3xf32>
// CHECK-DAG: %[[UK:.*]] = ds.transpose %[[KH]] [0, 2, 1]
// CHECK-DAG: %[[V:.*]] = ds.concat 0 %[[V0]], %[[V1]]
// CHECK-DAG: %[[UV:.*]] = ds.reshape %[[V]] : tensor<6x4xf32> to tensor<2x3x4xf32>
// CHECK-DAG: %[[P:.*]] = ds.slice %[[Q]] [0, 0, 0] [%{{.*}}, 2, 3]
// CHECK-DAG: %[[T:.*]] = ds.slice %[[Q]] [0, 0, 3] [%{{.*}}, 2, 2]
// CHECK: %[[QUERY:.*]] = ds.concat 2 %[[P]], %[[T]]
// CHECK: %[[A:.*]] = ds.mla %[[QUERY]], {{.*}} expand %[[UK]], %[[UV]]
// CHECK-DAG: %[[FLAT:.*]] = ds.reshape %[[A]][{{.*}}] : tensor<?x2x3xf32> to tensor<?x1x6xf32>
// CHECK-DAG: %[[A0:.*]] = ds.slice %[[FLAT]] [0, 0, 0] [%{{.*}}, 1, 3]
// CHECK-DAG: %[[A1:.*]] = ds.slice %[[FLAT]] [0, 0, 3] [%{{.*}}, 1, 3]
// CHECK: %[[RESULT:.*]] = ds.concat 1 %[[A1]], %[[A0]]
// CHECK: return %[[RESULT]]
// WHY: remark: 'ds.mla_absorbed' is turned back to keys and values of every head, 3 and 3 numbers: W_UK and W_UV are the weights of the products beside it
ds.parameter @k0 : tensor<4x3xf32> = dense<1.0> : tensor<4x3xf32>
ds.parameter @k1 : tensor<4x3xf32> = dense<2.0> : tensor<4x3xf32>
ds.parameter @v0 : tensor<3x4xf32> = dense<1.0> : tensor<3x4xf32>
ds.parameter @v1 : tensor<3x4xf32> = dense<2.0> : tensor<3x4xf32>
func.func @each(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x2x3xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %k0 = ds.load_parameter @k0 : tensor<4x3xf32>
  %q0 = ds.slice %q [0, 0, 0] [%n, 1, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x1x3xf32>
  %f0 = ds.reshape %q0[%n] : tensor<?x1x3xf32> to tensor<?x3xf32>
  %g0 = ds.linear %f0, %k0 : tensor<?x3xf32>, tensor<4x3xf32> to tensor<?x4xf32>
  %l0 = ds.reshape %g0[%n] : tensor<?x4xf32> to tensor<?x1x4xf32>
  %k1 = ds.load_parameter @k1 : tensor<4x3xf32>
  %q1 = ds.slice %q [0, 1, 0] [%n, 1, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x1x3xf32>
  %f1 = ds.reshape %q1[%n] : tensor<?x1x3xf32> to tensor<?x3xf32>
  %g1 = ds.linear %f1, %k1 : tensor<?x3xf32>, tensor<4x3xf32> to tensor<?x4xf32>
  %l1 = ds.reshape %g1[%n] : tensor<?x4xf32> to tensor<?x1x4xf32>
  %lat = ds.concat 1 %l0, %l1 : (tensor<?x1x4xf32>, tensor<?x1x4xf32>) -> tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %v0 = ds.load_parameter @v0 : tensor<3x4xf32>
  %m0 = ds.slice %m [0, 0, 0] [%n, 1, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<?x1x4xf32>
  %n0 = ds.reshape %m0[%n] : tensor<?x1x4xf32> to tensor<?x4xf32>
  %o0 = ds.linear %n0, %v0 : tensor<?x4xf32>, tensor<3x4xf32> to tensor<?x3xf32>
  %a0 = ds.reshape %o0[%n] : tensor<?x3xf32> to tensor<?x1x3xf32>
  %v1 = ds.load_parameter @v1 : tensor<3x4xf32>
  %m1 = ds.slice %m [0, 1, 0] [%n, 1, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<?x1x4xf32>
  %n1 = ds.reshape %m1[%n] : tensor<?x1x4xf32> to tensor<?x4xf32>
  %o1 = ds.linear %n1, %v1 : tensor<?x4xf32>, tensor<3x4xf32> to tensor<?x3xf32>
  %a1 = ds.reshape %o1[%n] : tensor<?x3xf32> to tensor<?x1x3xf32>
  %a = ds.concat 1 %a1, %a0 : (tensor<?x1x3xf32>, tensor<?x1x3xf32>) -> tensor<?x2x3xf32>
  return %a : tensor<?x2x3xf32>
}

// -----

// Heads stand behind the width, on both sides of the first product and behind the second.
// CHECK-LABEL: func.func @behind(
// CHECK-SAME: %[[Q:[^:]*]]: tensor<?x5x2xf32> {ds.name = "q"}
// CHECK-DAG: %[[UK:.*]] = ds.load_parameter @uk
// CHECK-DAG: %[[UVT:.*]] = ds.load_parameter @uv
// CHECK-DAG: %[[UV:.*]] = ds.transpose %[[UVT]] [0, 2, 1]
// CHECK: %[[A:.*]] = ds.mla %{{.*}} expand %[[UK]], %[[UV]]
// CHECK: %[[RESULT:.*]] = ds.transpose %[[A]] [0, 2, 1] : tensor<?x2x3xf32> to tensor<?x3x2xf32>
// CHECK: return %[[RESULT]]
// WHY: remark: 'ds.mla_absorbed' is turned back to keys and values of every head, 3 and 3 numbers: W_UK and W_UV are the weights of the products beside it
ds.parameter @uk : tensor<2x3x4xf32> = dense<1.0> : tensor<2x3x4xf32>
ds.parameter @uv : tensor<2x4x3xf32> = dense<1.0> : tensor<2x4x3xf32>
func.func @behind(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x5x2xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x3x2xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x5x2xf32>
  %uk = ds.load_parameter @uk : tensor<2x3x4xf32>
  %uv = ds.load_parameter @uv : tensor<2x4x3xf32>
  %plain = ds.slice %q [0, 0, 0] [%n, 3, 2] [1, 1, 1] : tensor<?x5x2xf32> to tensor<?x3x2xf32>
  %p0 = ds.transpose %plain [2, 0, 1] : tensor<?x3x2xf32> to tensor<2x?x3xf32>
  %p1 = ds.matmul %p0, %uk : tensor<2x?x3xf32>, tensor<2x3x4xf32> to tensor<2x?x4xf32>
  %p2 = ds.transpose %p1 [1, 2, 0] : tensor<2x?x4xf32> to tensor<?x4x2xf32>
  %lat = ds.transpose %p2 [0, 2, 1] : tensor<?x4x2xf32> to tensor<?x2x4xf32>
  %r0 = ds.slice %q [0, 3, 0] [%n, 2, 2] [1, 1, 1] : tensor<?x5x2xf32> to tensor<?x2x2xf32>
  %rope = ds.transpose %r0 [0, 2, 1] : tensor<?x2x2xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %m0 = ds.transpose %m [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %uv : tensor<2x?x4xf32>, tensor<2x4x3xf32> to tensor<2x?x3xf32>
  %a = ds.transpose %m1 [1, 2, 0] : tensor<2x?x3xf32> to tensor<?x3x2xf32>
  return %a : tensor<?x3x2xf32>
}

// -----

// The query's product has a bias, which no key could have.
// CHECK-LABEL: func.func @bias(
// CHECK-NOT: ds.mla %
// CHECK: ds.mla_absorbed
// WHY: remark: 'ds.mla_absorbed' was not turned back to keys and values of every head, for any number of tokens: column 0 of head 1 of the query is made by a product with a bias instead of a product with W_UK
ds.parameter @k0 : tensor<4x3xf32> = dense<1.0> : tensor<4x3xf32>
ds.parameter @b : tensor<4xf32> = dense<1.0> : tensor<4xf32>
ds.parameter @uv : tensor<2x4x3xf32> = dense<1.0> : tensor<2x4x3xf32>
func.func @bias(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x2x3xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %q0 = ds.slice %q [0, 0, 0] [%n, 1, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x1x3xf32>
  %f0 = ds.reshape %q0[%n] : tensor<?x1x3xf32> to tensor<?x3xf32>
  %q1 = ds.slice %q [0, 1, 0] [%n, 1, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x1x3xf32>
  %f1 = ds.reshape %q1[%n] : tensor<?x1x3xf32> to tensor<?x3xf32>
  %k = ds.load_parameter @k0 : tensor<4x3xf32>
  %b = ds.load_parameter @b : tensor<4xf32>
  %g0 = ds.linear %f0, %k : tensor<?x3xf32>, tensor<4x3xf32> to tensor<?x4xf32>
  %g1 = ds.linear %f1, %k bias %b : tensor<4xf32> : tensor<?x3xf32>, tensor<4x3xf32> to tensor<?x4xf32>
  %l0 = ds.reshape %g0[%n] : tensor<?x4xf32> to tensor<?x1x4xf32>
  %l1 = ds.reshape %g1[%n] : tensor<?x4xf32> to tensor<?x1x4xf32>
  %lat = ds.concat 1 %l0, %l1 : (tensor<?x1x4xf32>, tensor<?x1x4xf32>) -> tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %uv = ds.load_parameter @uv : tensor<2x4x3xf32>
  %m0 = ds.transpose %m [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %uv : tensor<2x?x4xf32>, tensor<2x4x3xf32> to tensor<2x?x3xf32>
  %a = ds.transpose %m1 [1, 0, 2] : tensor<2x?x3xf32> to tensor<?x2x3xf32>
  return %a : tensor<?x2x3xf32>
}

// -----

// Something else between the product and the attention.
// CHECK-LABEL: func.func @between(
// CHECK-NOT: ds.mla %
// CHECK: ds.mla_absorbed
// WHY: remark: 'ds.mla_absorbed' was not turned back to keys and values of every head, for any number of tokens: column 0 of head 0 of the query is made by 'ds.elementwise' instead of a product with W_UK
ds.parameter @uk : tensor<2x3x4xf32> = dense<1.0> : tensor<2x3x4xf32>
ds.parameter @uv : tensor<2x4x3xf32> = dense<1.0> : tensor<2x4x3xf32>
func.func @between(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x2x3xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %uk = ds.load_parameter @uk : tensor<2x3x4xf32>
  %uv = ds.load_parameter @uv : tensor<2x4x3xf32>
  %plain = ds.slice %q [0, 0, 0] [%n, 2, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x3xf32>
  %p0 = ds.transpose %plain [1, 0, 2] : tensor<?x2x3xf32> to tensor<2x?x3xf32>
  %p1 = ds.matmul %p0, %uk : tensor<2x?x3xf32>, tensor<2x3x4xf32> to tensor<2x?x4xf32>
  %raw = ds.transpose %p1 [1, 0, 2] : tensor<2x?x4xf32> to tensor<?x2x4xf32>
  %lat = ds.elementwise exp %raw : (tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %m0 = ds.transpose %m [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %uv : tensor<2x?x4xf32>, tensor<2x4x3xf32> to tensor<2x?x3xf32>
  %a = ds.transpose %m1 [1, 0, 2] : tensor<2x?x3xf32> to tensor<?x2x3xf32>
  return %a : tensor<?x2x3xf32>
}

// -----

// What the query is multiplied with is no weight.
// CHECK-LABEL: func.func @token(
// CHECK-NOT: ds.mla %
// CHECK: ds.mla_absorbed
// WHY: remark: 'ds.mla_absorbed' was not turned back to keys and values of every head, for any number of tokens: column 0 of head 0 of the query is made by a product with what is no weight of each head instead of a product with W_UK
ds.parameter @uv : tensor<2x4x3xf32> = dense<1.0> : tensor<2x4x3xf32>
func.func @token(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}, %w: tensor<2x3x4xf32> {ds.name = "w"}) -> (tensor<?x2x3xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %uv = ds.load_parameter @uv : tensor<2x4x3xf32>
  %plain = ds.slice %q [0, 0, 0] [%n, 2, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x3xf32>
  %p0 = ds.transpose %plain [1, 0, 2] : tensor<?x2x3xf32> to tensor<2x?x3xf32>
  %p1 = ds.matmul %p0, %w : tensor<2x?x3xf32>, tensor<2x3x4xf32> to tensor<2x?x4xf32>
  %lat = ds.transpose %p1 [1, 0, 2] : tensor<2x?x4xf32> to tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %m0 = ds.transpose %m [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %uv : tensor<2x?x4xf32>, tensor<2x4x3xf32> to tensor<2x?x3xf32>
  %a = ds.transpose %m1 [1, 0, 2] : tensor<2x?x3xf32> to tensor<?x2x3xf32>
  return %a : tensor<?x2x3xf32>
}

// -----

// Nor what the result is.
// CHECK-LABEL: func.func @value_token(
// CHECK-NOT: ds.mla %
// CHECK: ds.mla_absorbed
// WHY: remark: 'ds.mla_absorbed' was not turned back to keys and values of every head, for any number of tokens: its result is read by a product with what is no weight of each head instead of a product with W_UV
ds.parameter @uk : tensor<2x3x4xf32> = dense<1.0> : tensor<2x3x4xf32>
func.func @value_token(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}, %w: tensor<2x4x3xf32> {ds.name = "w"}) -> (tensor<?x2x3xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %uk = ds.load_parameter @uk : tensor<2x3x4xf32>
  %plain = ds.slice %q [0, 0, 0] [%n, 2, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x3xf32>
  %p0 = ds.transpose %plain [1, 0, 2] : tensor<?x2x3xf32> to tensor<2x?x3xf32>
  %p1 = ds.matmul %p0, %uk : tensor<2x?x3xf32>, tensor<2x3x4xf32> to tensor<2x?x4xf32>
  %lat = ds.transpose %p1 [1, 0, 2] : tensor<2x?x4xf32> to tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %m0 = ds.transpose %m [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %w : tensor<2x?x4xf32>, tensor<2x4x3xf32> to tensor<2x?x3xf32>
  %a = ds.transpose %m1 [1, 0, 2] : tensor<2x?x3xf32> to tensor<?x2x3xf32>
  return %a : tensor<?x2x3xf32>
}

// -----

// Something else between the attention and the product.
// CHECK-LABEL: func.func @between_values(
// CHECK-NOT: ds.mla %
// CHECK: ds.mla_absorbed
// WHY: remark: 'ds.mla_absorbed' was not turned back to keys and values of every head, for any number of tokens: its result is read by 'ds.elementwise' instead of a product with W_UV
ds.parameter @uk : tensor<2x3x4xf32> = dense<1.0> : tensor<2x3x4xf32>
ds.parameter @uv : tensor<2x4x3xf32> = dense<1.0> : tensor<2x4x3xf32>
func.func @between_values(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x2x3xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %uk = ds.load_parameter @uk : tensor<2x3x4xf32>
  %uv = ds.load_parameter @uv : tensor<2x4x3xf32>
  %plain = ds.slice %q [0, 0, 0] [%n, 2, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x3xf32>
  %p0 = ds.transpose %plain [1, 0, 2] : tensor<?x2x3xf32> to tensor<2x?x3xf32>
  %p1 = ds.matmul %p0, %uk : tensor<2x?x3xf32>, tensor<2x3x4xf32> to tensor<2x?x4xf32>
  %lat = ds.transpose %p1 [1, 0, 2] : tensor<2x?x4xf32> to tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %mm = ds.elementwise exp %m : (tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %m0 = ds.transpose %mm [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %uv : tensor<2x?x4xf32>, tensor<2x4x3xf32> to tensor<2x?x3xf32>
  %a = ds.transpose %m1 [1, 0, 2] : tensor<2x?x3xf32> to tensor<?x2x3xf32>
  return %a : tensor<?x2x3xf32>
}

// -----

// Latents go out beside the values.
// CHECK-LABEL: func.func @read_twice(
// CHECK-NOT: ds.mla %
// CHECK: ds.mla_absorbed
// WHY: remark: 'ds.mla_absorbed' was not turned back to keys and values of every head, for any number of tokens: its result is read by 'func.return' instead of a product with W_UV
ds.parameter @uk : tensor<2x3x4xf32> = dense<1.0> : tensor<2x3x4xf32>
ds.parameter @uv : tensor<2x4x3xf32> = dense<1.0> : tensor<2x4x3xf32>
func.func @read_twice(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x2x4xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %uk = ds.load_parameter @uk : tensor<2x3x4xf32>
  %uv = ds.load_parameter @uv : tensor<2x4x3xf32>
  %plain = ds.slice %q [0, 0, 0] [%n, 2, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x3xf32>
  %p0 = ds.transpose %plain [1, 0, 2] : tensor<?x2x3xf32> to tensor<2x?x3xf32>
  %p1 = ds.matmul %p0, %uk : tensor<2x?x3xf32>, tensor<2x3x4xf32> to tensor<2x?x4xf32>
  %lat = ds.transpose %p1 [1, 0, 2] : tensor<2x?x4xf32> to tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %m0 = ds.transpose %m [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %uv : tensor<2x?x4xf32>, tensor<2x4x3xf32> to tensor<2x?x3xf32>
  %a = ds.transpose %m1 [1, 0, 2] : tensor<2x?x3xf32> to tensor<?x2x3xf32>
  return %m : tensor<?x2x4xf32>
}

// -----

// W_UV was multiplied into the projection of the output.
// CHECK-LABEL: func.func @output(
// CHECK-NOT: ds.mla %
// CHECK: ds.mla_absorbed
// WHY: remark: 'ds.mla_absorbed' was not turned back to keys and values of every head, for any number of tokens: a product of its result is not one of the latents of one head
ds.parameter @uk : tensor<2x3x4xf32> = dense<1.0> : tensor<2x3x4xf32>
ds.parameter @o : tensor<6x8xf32> = dense<1.0> : tensor<6x8xf32>
func.func @output(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x2x3xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %uk = ds.load_parameter @uk : tensor<2x3x4xf32>
  %plain = ds.slice %q [0, 0, 0] [%n, 2, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x3xf32>
  %p0 = ds.transpose %plain [1, 0, 2] : tensor<?x2x3xf32> to tensor<2x?x3xf32>
  %p1 = ds.matmul %p0, %uk : tensor<2x?x3xf32>, tensor<2x3x4xf32> to tensor<2x?x4xf32>
  %lat = ds.transpose %p1 [1, 0, 2] : tensor<2x?x4xf32> to tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %o = ds.load_parameter @o : tensor<6x8xf32>
  %mf = ds.reshape %m[%n] : tensor<?x2x4xf32> to tensor<?x8xf32>
  %y = ds.linear %mf, %o : tensor<?x8xf32>, tensor<6x8xf32> to tensor<?x6xf32>
  %a = ds.reshape %y[%n] : tensor<?x6xf32> to tensor<?x2x3xf32>
  return %a : tensor<?x2x3xf32>
}

// -----

// W_UK was multiplied into the projection of queries: heads are products of one row.
// CHECK-LABEL: func.func @projection(
// CHECK-NOT: ds.mla %
// CHECK: ds.mla_absorbed
// WHY: remark: 'ds.mla_absorbed' was not turned back to keys and values of every head, for any number of tokens: heads 0 and 1 of the query are products of one row: W_UK was multiplied into the projection of queries
ds.parameter @uq : tensor<8x3xf32> = dense<1.0> : tensor<8x3xf32>
ds.parameter @uv : tensor<2x4x3xf32> = dense<1.0> : tensor<2x4x3xf32>
func.func @projection(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x2x3xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %uv = ds.load_parameter @uv : tensor<2x4x3xf32>
  %uq = ds.load_parameter @uq : tensor<8x3xf32>
  %one = ds.slice %q [0, 0, 0] [%n, 1, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x1x3xf32>
  %row = ds.reshape %one[%n] : tensor<?x1x3xf32> to tensor<?x3xf32>
  %y = ds.linear %row, %uq : tensor<?x3xf32>, tensor<8x3xf32> to tensor<?x8xf32>
  %lat = ds.reshape %y[%n] : tensor<?x8xf32> to tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %m0 = ds.transpose %m [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %uv : tensor<2x?x4xf32>, tensor<2x4x3xf32> to tensor<2x?x3xf32>
  %a = ds.transpose %m1 [1, 0, 2] : tensor<2x?x3xf32> to tensor<?x2x3xf32>
  return %a : tensor<?x2x3xf32>
}

// -----

// Half of a head's columns are products of the other head's row.
// CHECK-LABEL: func.func @crossed(
// CHECK-NOT: ds.mla %
// CHECK: ds.mla_absorbed
// WHY: remark: 'ds.mla_absorbed' was not turned back to keys and values of every head, for any number of tokens: column 2 of head 0 of the query is a product of something else than column 0
ds.parameter @uk : tensor<2x3x4xf32> = dense<1.0> : tensor<2x3x4xf32>
ds.parameter @uv : tensor<2x4x3xf32> = dense<1.0> : tensor<2x4x3xf32>
func.func @crossed(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x2x3xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %uk = ds.load_parameter @uk : tensor<2x3x4xf32>
  %uv = ds.load_parameter @uv : tensor<2x4x3xf32>
  %plain = ds.slice %q [0, 0, 0] [%n, 2, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x3xf32>
  %p0 = ds.transpose %plain [1, 0, 2] : tensor<?x2x3xf32> to tensor<2x?x3xf32>
  %p1 = ds.matmul %p0, %uk : tensor<2x?x3xf32>, tensor<2x3x4xf32> to tensor<2x?x4xf32>
  %raw = ds.transpose %p1 [1, 0, 2] : tensor<2x?x4xf32> to tensor<?x2x4xf32>
  %s0 = ds.slice %raw [0, 0, 0] [%n, 1, 2] [1, 1, 1] : tensor<?x2x4xf32> to tensor<?x1x2xf32>
  %s1 = ds.slice %raw [0, 1, 0] [%n, 1, 2] [1, 1, 1] : tensor<?x2x4xf32> to tensor<?x1x2xf32>
  %cross = ds.concat 2 %s0, %s1 : (tensor<?x1x2xf32>, tensor<?x1x2xf32>) -> tensor<?x1x4xf32>
  %lat = ds.concat 1 %cross, %cross : (tensor<?x1x4xf32>, tensor<?x1x4xf32>) -> tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %m0 = ds.transpose %m [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %uv : tensor<2x?x4xf32>, tensor<2x4x3xf32> to tensor<2x?x3xf32>
  %a = ds.transpose %m1 [1, 0, 2] : tensor<2x?x3xf32> to tensor<?x2x3xf32>
  return %a : tensor<?x2x3xf32>
}

// -----

// Keys and values of a head are no smaller than latents: expanding them never pays.
// CHECK-LABEL: func.func @wide(
// CHECK-NOT: ds.mla %
// CHECK: ds.mla_absorbed
// WHY: remark: 'ds.mla_absorbed' was not turned back to keys and values of every head, for any number of tokens: a key and a value of a head, 8 numbers, never take fewer products than two latents of 4
ds.parameter @uk : tensor<2x3x4xf32> = dense<1.0> : tensor<2x3x4xf32>
ds.parameter @uv5 : tensor<2x4x5xf32> = dense<1.0> : tensor<2x4x5xf32>
func.func @wide(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %q: tensor<?x2x5xf32> {ds.name = "q"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe"}) -> (tensor<?x2x5xf32> {ds.name = "a"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x5xf32>
  %uk = ds.load_parameter @uk : tensor<2x3x4xf32>
  %plain = ds.slice %q [0, 0, 0] [%n, 2, 3] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x3xf32>
  %p0 = ds.transpose %plain [1, 0, 2] : tensor<?x2x3xf32> to tensor<2x?x3xf32>
  %p1 = ds.matmul %p0, %uk : tensor<2x?x3xf32>, tensor<2x3x4xf32> to tensor<2x?x4xf32>
  %lat = ds.transpose %p1 [1, 0, 2] : tensor<2x?x4xf32> to tensor<?x2x4xf32>
  %rope = ds.slice %q [0, 0, 3] [%n, 2, 2] [1, 1, 1] : tensor<?x2x5xf32> to tensor<?x2x2xf32>
  %query = ds.concat 2 %lat, %rope : (tensor<?x2x4xf32>, tensor<?x2x2xf32>) -> tensor<?x2x6xf32>
  %m = ds.mla_absorbed %query, %c, %r at %start, %past, %slot scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %wide = ds.load_parameter @uv5 : tensor<2x4x5xf32>
  %m0 = ds.transpose %m [1, 0, 2] : tensor<?x2x4xf32> to tensor<2x?x4xf32>
  %m1 = ds.matmul %m0, %wide : tensor<2x?x4xf32>, tensor<2x4x5xf32> to tensor<2x?x5xf32>
  %a = ds.transpose %m1 [1, 0, 2] : tensor<2x?x5xf32> to tensor<?x2x5xf32>
  return %a : tensor<?x2x5xf32>
}
