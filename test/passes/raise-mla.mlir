// RUN: ds-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(ds-raise-mla,canonicalize,cse))' 2>%t.err | FileCheck %s --enable-var-scope
// RUN: FileCheck %s --check-prefix=WHY --implicit-check-not=remark < %t.err

// One projection, split within each head; the shared columns behind, repeated over heads. The weights are views of the projection's.
// CHECK-LABEL: func.func @joint(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x4xf32> {ds.name = "x"}, %[[Q:[^:]*]]: tensor<?x2x8xf32> {ds.name = "q"}, %[[R:[^:]*]]: tensor<?x1x2xf32> {ds.name = "r"}, %[[C:[^:]*]]: tensor<?x1x?x4xf32> {ds.name = "cache.3.ckv"}, %[[P:[^:]*]]: tensor<?x1x?x2xf32> {ds.name = "cache.3.k_pe"})
// CHECK-SAME: -> (tensor<?x2x3xf32> {ds.name = "a"}, tensor<?x1x?x4xf32> {ds.name = "cache.3.ckv"}, tensor<?x1x?x2xf32> {ds.name = "cache.3.k_pe"})
// CHECK-DAG: %[[W:.*]] = ds.load_parameter @kv
// CHECK-DAG: %[[HEADS:.*]] = ds.reshape %[[W]] : tensor<18x4xf32> to tensor<2x9x4xf32>
// CHECK-DAG: %[[UK:.*]] = ds.slice %[[HEADS]] [0, 0, 0] [2, 6, 4]
// CHECK-DAG: %[[UV:.*]] = ds.slice %[[HEADS]] [0, 6, 0] [2, 3, 4]
// CHECK-DAG: %[[XR:.*]] = ds.reshape %[[X]]
// CHECK-DAG: %[[CA:.*]] = ds.cache_append %[[XR]] into %[[C]]
// CHECK-DAG: %[[PA:.*]] = ds.cache_append %[[R]] into %[[P]]
// CHECK: %[[A:.*]] = ds.mla %[[Q]], %[[CA]], %[[PA]] expand %[[UK]], %[[UV]] at {{.*}} scale 5.000000e-01
// CHECK: return %[[A]], %[[CA]], %[[PA]]
// WHY: remark: 'ds.cached_attention' keeps 6 numbers a token instead of 22
ds.parameter @kv : tensor<18x4xf32> = dense<1.0> : tensor<18x4xf32>
func.func @joint(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %x: tensor<?x4xf32> {ds.name = "x"}, %q: tensor<?x2x8xf32> {ds.name = "q"}, %r: tensor<?x1x2xf32> {ds.name = "r"}, %k: tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, %v: tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) -> (tensor<?x2x3xf32> {ds.name = "a"}, tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %w = ds.load_parameter @kv : tensor<18x4xf32>
  %y = ds.linear %x, %w : tensor<?x4xf32>, tensor<18x4xf32> to tensor<?x18xf32>
  %z = ds.reshape %y[%n] : tensor<?x18xf32> to tensor<?x2x9xf32>
  %plain = ds.slice %z [0, 0, 0] [%n, 2, 6] [1, 1, 1] : tensor<?x2x9xf32> to tensor<?x2x6xf32>
  %values = ds.slice %z [0, 0, 6] [%n, 2, 3] [1, 1, 1] : tensor<?x2x9xf32> to tensor<?x2x3xf32>
  %shared = ds.broadcast %r[%n] : tensor<?x1x2xf32> to tensor<?x2x2xf32>
  %keys = ds.concat 2 %plain, %shared : (tensor<?x2x6xf32>, tensor<?x2x2xf32>) -> tensor<?x2x8xf32>
  %kc = ds.cache_append %keys into %k at %start, %past, %slot : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x8xf32>
  %vc = ds.cache_append %values into %v at %start, %past, %slot : tensor<?x2x3xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x3xf32>
  %a = ds.cached_attention %q, %kc, %vc at %start, %past, %slot scale 0.5 : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x3xf32>
  return %a, %kc, %vc : tensor<?x2x3xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>
}

// -----

// Two projections, that of keys with the width before the heads, and the shared columns in front: the query's columns move with them.
// CHECK-LABEL: func.func @apart(
// CHECK-SAME: %[[Q:[^:]*]]: tensor<?x2x8xf32> {ds.name = "q"}, %[[R:[^:]*]]: tensor<?x1x2xf32> {ds.name = "r"}
// CHECK-DAG: %[[QP:.*]] = ds.slice %[[Q]] [0, 0, 2] [%{{.*}}, 2, 6]
// CHECK-DAG: %[[QR:.*]] = ds.slice %[[Q]] [0, 0, 0] [%{{.*}}, 2, 2]
// CHECK-DAG: %[[QQ:.*]] = ds.concat 2 %[[QP]], %[[QR]]
// CHECK-DAG: %[[WK:.*]] = ds.load_parameter @k
// CHECK-DAG: %[[WIDTH:.*]] = ds.reshape %[[WK]] : tensor<12x4xf32> to tensor<6x2x4xf32>
// CHECK-DAG: %[[UK:.*]] = ds.transpose %[[WIDTH]] [1, 0, 2]
// CHECK-DAG: %[[WV:.*]] = ds.load_parameter @v
// CHECK-DAG: %[[UV:.*]] = ds.reshape %[[WV]] : tensor<6x4xf32> to tensor<2x3x4xf32>
// CHECK: ds.mla %[[QQ]], {{.*}} expand %[[UK]], %[[UV]]
// WHY: remark: 'ds.cached_attention' keeps 6 numbers
ds.parameter @k : tensor<12x4xf32> = dense<1.0> : tensor<12x4xf32>
ds.parameter @v : tensor<6x4xf32> = dense<1.0> : tensor<6x4xf32>
func.func @apart(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %x: tensor<?x4xf32> {ds.name = "x"}, %q: tensor<?x2x8xf32> {ds.name = "q"}, %r: tensor<?x1x2xf32> {ds.name = "r"}, %k: tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, %v: tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) -> (tensor<?x2x3xf32> {ds.name = "a"}, tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %wk = ds.load_parameter @k : tensor<12x4xf32>
  %wv = ds.load_parameter @v : tensor<6x4xf32>
  %yk = ds.linear %x, %wk : tensor<?x4xf32>, tensor<12x4xf32> to tensor<?x12xf32>
  %yv = ds.linear %x, %wv : tensor<?x4xf32>, tensor<6x4xf32> to tensor<?x6xf32>
  %zk = ds.reshape %yk[%n] : tensor<?x12xf32> to tensor<?x6x2xf32>
  %plain = ds.transpose %zk [0, 2, 1] : tensor<?x6x2xf32> to tensor<?x2x6xf32>
  %values = ds.reshape %yv[%n] : tensor<?x6xf32> to tensor<?x2x3xf32>
  %shared = ds.broadcast %r[%n] : tensor<?x1x2xf32> to tensor<?x2x2xf32>
  %keys = ds.concat 2 %shared, %plain : (tensor<?x2x2xf32>, tensor<?x2x6xf32>) -> tensor<?x2x8xf32>
  %kc = ds.cache_append %keys into %k at %start, %past, %slot : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x8xf32>
  %vc = ds.cache_append %values into %v at %start, %past, %slot : tensor<?x2x3xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x3xf32>
  %a = ds.cached_attention %q, %kc, %vc at %start, %past, %slot scale 0.5 : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x3xf32>
  return %a, %kc, %vc : tensor<?x2x3xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>
}

// -----

// Rotated from pairs to halves, as exporters of transformers write it: both stay in pairs.
// CHECK-LABEL: func.func @rotated(
// CHECK-SAME: tensor<?x1x?x2xf32> {ds.name = "cache.3.k_pe_pairs"})
// CHECK-DAG: %[[QR:.*]] = ds.rope %{{.*}} pairs to pairs : tensor<?x2x2xf32>
// CHECK-DAG: %[[KR:.*]] = ds.rope %{{.*}} pairs to pairs : tensor<?x1x2xf32>
// CHECK-DAG: ds.concat 2 %{{.*}}, %[[QR]]
// CHECK-DAG: ds.cache_append %[[KR]]
// CHECK: ds.mla
// WHY: remark: 'ds.cached_attention' keeps 6 numbers
ds.parameter @kv : tensor<18x4xf32> = dense<1.0> : tensor<18x4xf32>
func.func @rotated(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %x: tensor<?x4xf32> {ds.name = "x"}, %q: tensor<?x2x8xf32> {ds.name = "q"}, %r: tensor<?x1x2xf32> {ds.name = "r"}, %cos: tensor<?x1xf32> {ds.name = "cos"}, %k: tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, %v: tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) -> (tensor<?x2x3xf32> {ds.name = "a"}, tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %w = ds.load_parameter @kv : tensor<18x4xf32>
  %y = ds.linear %x, %w : tensor<?x4xf32>, tensor<18x4xf32> to tensor<?x18xf32>
  %z = ds.reshape %y[%n] : tensor<?x18xf32> to tensor<?x2x9xf32>
  %plain = ds.slice %z [0, 0, 0] [%n, 2, 6] [1, 1, 1] : tensor<?x2x9xf32> to tensor<?x2x6xf32>
  %values = ds.slice %z [0, 0, 6] [%n, 2, 3] [1, 1, 1] : tensor<?x2x9xf32> to tensor<?x2x3xf32>
  %rr = ds.rope %r, %cos, %cos pairs to halves : tensor<?x1x2xf32>, tensor<?x1xf32>, tensor<?x1xf32> to tensor<?x1x2xf32>
  %shared = ds.broadcast %rr[%n] : tensor<?x1x2xf32> to tensor<?x2x2xf32>
  %keys = ds.concat 2 %plain, %shared : (tensor<?x2x6xf32>, tensor<?x2x2xf32>) -> tensor<?x2x8xf32>
  %qp = ds.slice %q [0, 0, 0] [%n, 2, 6] [1, 1, 1] : tensor<?x2x8xf32> to tensor<?x2x6xf32>
  %qr = ds.slice %q [0, 0, 6] [%n, 2, 2] [1, 1, 1] : tensor<?x2x8xf32> to tensor<?x2x2xf32>
  %qrr = ds.rope %qr, %cos, %cos pairs to halves : tensor<?x2x2xf32>, tensor<?x1xf32>, tensor<?x1xf32> to tensor<?x2x2xf32>
  %qq = ds.concat 2 %qp, %qrr : (tensor<?x2x6xf32>, tensor<?x2x2xf32>) -> tensor<?x2x8xf32>
  %kc = ds.cache_append %keys into %k at %start, %past, %slot : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x8xf32>
  %vc = ds.cache_append %values into %v at %start, %past, %slot : tensor<?x2x3xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x3xf32>
  %a = ds.cached_attention %qq, %kc, %vc at %start, %past, %slot scale 0.5 : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x3xf32>
  return %a, %kc, %vc : tensor<?x2x3xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>
}

// -----

// The graph has absorbed the weights: one key for all heads, whose first columns are the value.
// CHECK-LABEL: func.func @absorbed(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x4xf32> {ds.name = "x"}, %[[Q:[^:]*]]: tensor<?x2x8xf32> {ds.name = "q"}
// CHECK-SAME: tensor<?x1x?x6xf32> {ds.name = "cache.3.ckv"}, %{{[^:]*}}: tensor<?x1x?x2xf32> {ds.name = "cache.3.k_pe"})
// CHECK: ds.mla_absorbed %[[Q]], %{{.*}}, %{{.*}} at
// WHY: remark: 'ds.cached_attention' keeps 8 numbers a token instead of 14
func.func @absorbed(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %x: tensor<?x4xf32> {ds.name = "x"}, %q: tensor<?x2x8xf32> {ds.name = "q"}, %r: tensor<?x1x2xf32> {ds.name = "r"}, %k: tensor<?x1x?x8xf32> {ds.name = "cache.3.k"}, %v: tensor<?x1x?x6xf32> {ds.name = "cache.3.v"}) -> (tensor<?x2x6xf32> {ds.name = "a"}, tensor<?x1x?x8xf32> {ds.name = "cache.3.k"}, tensor<?x1x?x6xf32> {ds.name = "cache.3.v"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %y = ds.reshape %x[%n] : tensor<?x4xf32> to tensor<?x1x4xf32>
  %values = ds.concat 2 %r, %y : (tensor<?x1x2xf32>, tensor<?x1x4xf32>) -> tensor<?x1x6xf32>
  %keys = ds.concat 2 %values, %r : (tensor<?x1x6xf32>, tensor<?x1x2xf32>) -> tensor<?x1x8xf32>
  %kc = ds.cache_append %keys into %k at %start, %past, %slot : tensor<?x1x8xf32>, tensor<?x1x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x1x?x8xf32>
  %vc = ds.cache_append %values into %v at %start, %past, %slot : tensor<?x1x6xf32>, tensor<?x1x?x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x1x?x6xf32>
  %a = ds.cached_attention %q, %kc, %vc at %start, %past, %slot scale 0.5 : tensor<?x2x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x6xf32>
  return %a, %kc, %vc : tensor<?x2x6xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x6xf32>
}

// -----

// The shared part of one head is another.
// CHECK-LABEL: func.func @differs(
// CHECK: ds.cached_attention
// WHY: remark: 'ds.cached_attention': keys and values were not proven to be made of one latent: column 6 of the keys is neither a product (without bias) of what values are made of nor the same for all heads
ds.parameter @kv : tensor<18x4xf32> = dense<1.0> : tensor<18x4xf32>
func.func @differs(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %x: tensor<?x4xf32> {ds.name = "x"}, %q: tensor<?x2x8xf32> {ds.name = "q"}, %r: tensor<?x1x2xf32> {ds.name = "r"}, %k: tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, %v: tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) -> (tensor<?x2x3xf32> {ds.name = "a"}, tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %w = ds.load_parameter @kv : tensor<18x4xf32>
  %y = ds.linear %x, %w : tensor<?x4xf32>, tensor<18x4xf32> to tensor<?x18xf32>
  %z = ds.reshape %y[%n] : tensor<?x18xf32> to tensor<?x2x9xf32>
  %plain = ds.slice %z [0, 0, 0] [%n, 2, 6] [1, 1, 1] : tensor<?x2x9xf32> to tensor<?x2x6xf32>
  %values = ds.slice %z [0, 0, 6] [%n, 2, 3] [1, 1, 1] : tensor<?x2x9xf32> to tensor<?x2x3xf32>
  %one = ds.slice %q [0, 1, 0] [%n, 1, 2] [1, 1, 1] : tensor<?x2x8xf32> to tensor<?x1x2xf32>
  %shared = ds.concat 1 %r, %one : (tensor<?x1x2xf32>, tensor<?x1x2xf32>) -> tensor<?x2x2xf32>
  %keys = ds.concat 2 %plain, %shared : (tensor<?x2x6xf32>, tensor<?x2x2xf32>) -> tensor<?x2x8xf32>
  %kc = ds.cache_append %keys into %k at %start, %past, %slot : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x8xf32>
  %vc = ds.cache_append %values into %v at %start, %past, %slot : tensor<?x2x3xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x3xf32>
  %a = ds.cached_attention %q, %kc, %vc at %start, %past, %slot scale 0.5 : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x3xf32>
  return %a, %kc, %vc : tensor<?x2x3xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>
}

// -----

// Values of another value than keys.
// CHECK-LABEL: func.func @two_latents(
// CHECK: ds.cached_attention
// WHY: remark: 'ds.cached_attention': keys and values were not proven to be made of one latent: values are not all products
ds.parameter @kv : tensor<18x4xf32> = dense<1.0> : tensor<18x4xf32>
func.func @two_latents(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %x: tensor<?x4xf32> {ds.name = "x"}, %q: tensor<?x2x8xf32> {ds.name = "q"}, %r: tensor<?x1x2xf32> {ds.name = "r"}, %k: tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, %v: tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) -> (tensor<?x2x3xf32> {ds.name = "a"}, tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %w = ds.load_parameter @kv : tensor<18x4xf32>
  %y = ds.linear %x, %w : tensor<?x4xf32>, tensor<18x4xf32> to tensor<?x18xf32>
  %z = ds.reshape %y[%n] : tensor<?x18xf32> to tensor<?x2x9xf32>
  %plain = ds.slice %z [0, 0, 0] [%n, 2, 6] [1, 1, 1] : tensor<?x2x9xf32> to tensor<?x2x6xf32>
  %first = ds.slice %z [0, 0, 6] [%n, 2, 3] [1, 1, 1] : tensor<?x2x9xf32> to tensor<?x2x3xf32>
  %x2 = ds.elementwise add %x, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %y2 = ds.linear %x2, %w : tensor<?x4xf32>, tensor<18x4xf32> to tensor<?x18xf32>
  %z2 = ds.reshape %y2[%n] : tensor<?x18xf32> to tensor<?x2x9xf32>
  %head0 = ds.slice %first [0, 0, 0] [%n, 1, 3] [1, 1, 1] : tensor<?x2x3xf32> to tensor<?x1x3xf32>
  %head1 = ds.slice %z2 [0, 1, 6] [%n, 1, 3] [1, 1, 1] : tensor<?x2x9xf32> to tensor<?x1x3xf32>
  %values = ds.concat 1 %head0, %head1 : (tensor<?x1x3xf32>, tensor<?x1x3xf32>) -> tensor<?x2x3xf32>
  %shared = ds.broadcast %r[%n] : tensor<?x1x2xf32> to tensor<?x2x2xf32>
  %keys = ds.concat 2 %plain, %shared : (tensor<?x2x6xf32>, tensor<?x2x2xf32>) -> tensor<?x2x8xf32>
  %kc = ds.cache_append %keys into %k at %start, %past, %slot : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x8xf32>
  %vc = ds.cache_append %values into %v at %start, %past, %slot : tensor<?x2x3xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x3xf32>
  %a = ds.cached_attention %q, %kc, %vc at %start, %past, %slot scale 0.5 : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x3xf32>
  return %a, %kc, %vc : tensor<?x2x3xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>
}

// -----

// Not from a latent at all: keys as they are in a model with grouped queries. Nothing to remark.
// CHECK-LABEL: func.func @plain(
// CHECK: ds.cached_attention
ds.parameter @v : tensor<6x4xf32> = dense<1.0> : tensor<6x4xf32>
func.func @plain(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"}, %slot: tensor<?xi32> {ds.name = "cache_slot"}, %x: tensor<?x4xf32> {ds.name = "x"}, %q: tensor<?x2x8xf32> {ds.name = "q"}, %r: tensor<?x1x2xf32> {ds.name = "r"}, %k: tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, %v: tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) -> (tensor<?x2x3xf32> {ds.name = "a"}, tensor<?x2x?x8xf32> {ds.name = "cache.3.k"}, tensor<?x2x?x3xf32> {ds.name = "cache.3.v"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %wv = ds.load_parameter @v : tensor<6x4xf32>
  %yv = ds.linear %x, %wv : tensor<?x4xf32>, tensor<6x4xf32> to tensor<?x6xf32>
  %values = ds.reshape %yv[%n] : tensor<?x6xf32> to tensor<?x2x3xf32>
  %keys = ds.elementwise add %q, %q : (tensor<?x2x8xf32>, tensor<?x2x8xf32>) -> tensor<?x2x8xf32>
  %kc = ds.cache_append %keys into %k at %start, %past, %slot : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x8xf32>
  %vc = ds.cache_append %values into %v at %start, %past, %slot : tensor<?x2x3xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x3xf32>
  %a = ds.cached_attention %q, %kc, %vc at %start, %past, %slot scale 0.5 : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x3xf32>
  return %a, %kc, %vc : tensor<?x2x3xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x3xf32>
}
