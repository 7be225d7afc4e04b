// RUN: ds-opt %s --ds-narrow-caches | FileCheck %s --check-prefixes=CHECK,AUTO
// RUN: ds-opt %s --ds-narrow-caches=cache-type=bf16 | FileCheck %s --check-prefixes=CHECK,BF16
// RUN: ds-opt %s --ds-narrow-caches=cache-type=f32 | FileCheck %s --check-prefix=F32
// RUN: not ds-opt %s --ds-narrow-caches=cache-type=f64 2>&1 | FileCheck %s --check-prefix=WRONG
// F32-NOT: bf16
// WRONG: ds-narrow-caches: cache-type is 'f64', expected auto, f32 or bf16

// A 16-bit weight: caches are narrowed by themselves. What is appended, queries and results stay f32.
// CHECK-LABEL: func.func @half(
// CHECK-SAME: %[[K:[a-z0-9]*]]: tensor<?x2x?x4xbf16> {ds.name = "cache.0.k"}, %[[V:[a-z0-9]*]]: tensor<?x2x?x4xbf16> {ds.name = "cache.0.v"}) -> (tensor<?x16xf32> {ds.name = "y"}, tensor<?x2x?x4xbf16> {ds.name = "cache.0.k"}, tensor<?x2x?x4xbf16> {ds.name = "cache.0.v"})
// CHECK: %[[KA:.*]] = ds.cache_append %[[X:.*]] into %[[K]] {{.*}} : tensor<?x2x4xf32>, tensor<?x2x?x4xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x4xbf16>
// CHECK: %[[VA:.*]] = ds.cache_append %[[X]] into %[[V]] {{.*}} to tensor<?x2x?x4xbf16>
// CHECK: ds.cached_attention %[[X]], %[[KA]], %[[VA]] {{.*}} : tensor<?x2x4xf32>, tensor<?x2x?x4xbf16>, tensor<?x2x?x4xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
// CHECK: return %{{.*}}, %[[KA]], %[[VA]]
ds.parameter @h : tensor<16x8xf16> = dense<1.0> : tensor<16x8xf16>
ds.parameter @w : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
func.func @half(%x: tensor<?x2x4xf32> {ds.name = "x"}, %s: tensor<?xi32> {ds.name = "row_start"}, %p: tensor<?xi32> {ds.name = "past_length"}, %c: tensor<?xi32> {ds.name = "cache_slot"}, %k: tensor<?x2x?x4xf32> {ds.name = "cache.0.k"}, %v: tensor<?x2x?x4xf32> {ds.name = "cache.0.v"}) -> (tensor<?x16xf32> {ds.name = "y"}, tensor<?x2x?x4xf32> {ds.name = "cache.0.k"}, tensor<?x2x?x4xf32> {ds.name = "cache.0.v"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x2x4xf32>
  %k1 = ds.cache_append %x into %k at %s, %p, %c : tensor<?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x4xf32>
  %v1 = ds.cache_append %x into %v at %s, %p, %c : tensor<?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x4xf32>
  %a = ds.cached_attention %x, %k1, %v1 at %s, %p, %c scale 0.5 : tensor<?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %f = ds.reshape %a[%n] : tensor<?x2x4xf32> to tensor<?x8xf32>
  %h = ds.load_parameter @h : tensor<16x8xf16>
  %l = ds.linear %f, %h : tensor<?x8xf32>, tensor<16x8xf16> to tensor<?x16xf32>
  return %l, %k1, %v1 : tensor<?x16xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>
}

// One f32 weight among the products: not by themselves.
// CHECK-LABEL: func.func @mixed(
// AUTO-SAME: tensor<?x2x?x4xf32> {ds.name = "cache.0.k"}) -> (tensor<?x16xf32> {ds.name = "y"}, tensor<?x16xf32> {ds.name = "z"}, tensor<?x2x?x4xf32> {ds.name = "cache.0.k"})
// BF16-SAME: tensor<?x2x?x4xbf16> {ds.name = "cache.0.k"}) -> (tensor<?x16xf32> {ds.name = "y"}, tensor<?x16xf32> {ds.name = "z"}, tensor<?x2x?x4xbf16> {ds.name = "cache.0.k"})
func.func @mixed(%x: tensor<?x2x4xf32> {ds.name = "x"}, %s: tensor<?xi32> {ds.name = "row_start"}, %p: tensor<?xi32> {ds.name = "past_length"}, %c: tensor<?xi32> {ds.name = "cache_slot"}, %k: tensor<?x2x?x4xf32> {ds.name = "cache.0.k"}) -> (tensor<?x16xf32> {ds.name = "y"}, tensor<?x16xf32> {ds.name = "z"}, tensor<?x2x?x4xf32> {ds.name = "cache.0.k"}) attributes {ds.entry = "step"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x2x4xf32>
  %k1 = ds.cache_append %x into %k at %s, %p, %c : tensor<?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x4xf32>
  %a = ds.cached_attention %x, %k1, %k1 at %s, %p, %c scale 0.5 : tensor<?x2x4xf32>, tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %f = ds.reshape %a[%n] : tensor<?x2x4xf32> to tensor<?x8xf32>
  %h = ds.load_parameter @h : tensor<16x8xf16>
  %w = ds.load_parameter @w : tensor<16x8xf32>
  %l = ds.linear %f, %h : tensor<?x8xf32>, tensor<16x8xf16> to tensor<?x16xf32>
  %m = ds.linear %f, %w : tensor<?x8xf32>, tensor<16x8xf32> to tensor<?x16xf32>
  return %l, %m, %k1 : tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x2x?x4xf32>
}

// Latents, and products whose weights become wider than the file has them: FP8 with scales of blocks, f16 that is cast; and a router in f32.
// CHECK-LABEL: func.func @latent(
// CHECK-SAME: tensor<?x1x?x4xbf16> {ds.name = "cache.0.ckv"}, %{{.*}}: tensor<?x1x?x2xbf16> {ds.name = "cache.0.k_pe_pairs"})
// CHECK: ds.mla {{.*}} : tensor<?x2x5xf32>, tensor<?x1x?x4xbf16>, tensor<?x1x?x2xbf16>,
// CHECK: ds.mla_absorbed {{.*}} : tensor<?x2x6xf32>, tensor<?x1x?x4xbf16>, tensor<?x1x?x2xbf16>,
ds.parameter @f8 : tensor<16x8xf8E4M3FN> = dense<1.0> : tensor<16x8xf8E4M3FN>
func.func @latent(%q: tensor<?x2x5xf32> {ds.name = "q"}, %a: tensor<?x2x6xf32> {ds.name = "a"}, %x: tensor<?x8xf32> {ds.name = "x"}, %uk: tensor<2x3x4xf32> {ds.name = "uk"}, %uv: tensor<2x5x4xf32> {ds.name = "uv"}, %scale: tensor<1x1xf32> {ds.name = "scale"}, %i: tensor<?xi32> {ds.name = "i"}, %c: tensor<?x1x?x4xf32> {ds.name = "cache.0.ckv"}, %r: tensor<?x1x?x2xf32> {ds.name = "cache.0.k_pe_pairs"}) -> (tensor<?x2x5xf32> {ds.name = "0"}, tensor<?x2x4xf32> {ds.name = "1"}, tensor<?x16xf32> {ds.name = "2"}, tensor<?x16xf32> {ds.name = "3"}) attributes {ds.entry = "step"} {
  %0 = ds.mla %q, %c, %r expand %uk, %uv at %i, %i, %i scale 0.5 : tensor<?x2x5xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x5xf32>
  %1 = ds.mla_absorbed %a, %c, %r at %i, %i, %i scale 0.5 : tensor<?x2x6xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x4xf32>
  %f8 = ds.load_parameter @f8 : tensor<16x8xf8E4M3FN>
  %d = ds.dequantize_blocks %f8 scale %scale blocks [16, 8] : tensor<16x8xf8E4M3FN>, tensor<1x1xf32> to tensor<16x8xf32>
  %2 = ds.linear %x, %d : tensor<?x8xf32>, tensor<16x8xf32> to tensor<?x16xf32>
  %h = ds.load_parameter @h : tensor<16x8xf16>
  %w = ds.cast %h : tensor<16x8xf16> to tensor<16x8xf32>
  %3 = ds.linear %x, %w : tensor<?x8xf32>, tensor<16x8xf32> to tensor<?x16xf32>
  %router = ds.load_parameter @w : tensor<16x8xf32>
  %logits = ds.linear %x, %router : tensor<?x8xf32>, tensor<16x8xf32> to tensor<?x16xf32>
  %weights, %experts, %loads = ds.route %logits softmax top 2 groups 1 keep 1 by max fill zero scale 1.0
    : tensor<?x16xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<16xi32>
  return %0, %1, %2, %3 : tensor<?x2x5xf32>, tensor<?x2x4xf32>, tensor<?x16xf32>, tensor<?x16xf32>
}

// A graph's caches are as the file has them.
// CHECK-LABEL: func.func @graph(
// CHECK-SAME: tensor<?x2x?x4xf32> {ds.name = "cache.0.k"}) -> (tensor<?x2x?x4xf32> {ds.name = "k"})
func.func @graph(%k: tensor<?x2x?x4xf32> {ds.name = "cache.0.k"}) -> (tensor<?x2x?x4xf32> {ds.name = "k"}) attributes {ds.entry = "graph"} {
  return %k : tensor<?x2x?x4xf32>
}
