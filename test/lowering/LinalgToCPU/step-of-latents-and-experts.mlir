// RUN: ds-compile %s --mode=lm --emit=llvm -o %t.mlir
// RUN: FileCheck %s --input-file %t.mlir --implicit-check-not=malloc --implicit-check-not=@free --implicit-check-not=aligned_alloc

// Latent attention, routing, experts: a step takes the memory of all of them
// from the caller.
// CHECK: llvm.func @step
// CHECK: llvm.func @ds_entry_step_workspace_bytes

module attributes {ds.model = {hidden_size = 8 : i64, layers = 1 : i64, vocabulary = 32 : i64}} {
  ds.parameter @embedding : tensor<32x8xf32> = dense<0.5> : tensor<32x8xf32>
  ds.parameter @queries : tensor<18x8xf32> = dense<0.25> : tensor<18x8xf32>
  ds.parameter @latents : tensor<7x8xf32> = dense<0.25> : tensor<7x8xf32>
  ds.parameter @uk : tensor<3x4x5xf32> = dense<0.25> : tensor<3x4x5xf32>
  ds.parameter @router : tensor<6x8xf32> = dense<0.25> : tensor<6x8xf32>
  ds.parameter @bias : tensor<6xf32> = dense<[0.0, 1.0, 2.0, 0.5, 0.0, 3.0]> : tensor<6xf32>
  ds.parameter @gate : tensor<6x16x8xf32> = dense<0.25> : tensor<6x16x8xf32>
  ds.parameter @down : tensor<6x8x16xf32> = dense<0.25> : tensor<6x8x16xf32>
  func.func @step(%tokens: tensor<?xi32> {ds.name = "tokens"}, %start: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"},
                  %slot: tensor<?xi32> {ds.name = "cache_slot"}, %wanted: tensor<?xi32> {ds.name = "logit_rows"},
                  %old: tensor<?x1x?x5xf32> {ds.name = "cache.0.k"}, %oldrope: tensor<?x1x?x2xf32> {ds.name = "cache.0.v"})
      -> (tensor<?x32xf32> {ds.name = "logits"}, tensor<?x8xf32> {ds.name = "hidden"}, tensor<?x1x?x5xf32> {ds.name = "cache.0.k"},
          tensor<?x1x?x2xf32> {ds.name = "cache.0.v"}) attributes {ds.entry = "step"} {
    %c0 = arith.constant 0 : index
    %n = tensor.dim %tokens, %c0 : tensor<?xi32>
    %e = ds.load_parameter @embedding : tensor<32x8xf32>
    %x = ds.embedding %tokens, %e : tensor<?xi32>, tensor<32x8xf32> to tensor<?x8xf32>
    %qw = ds.load_parameter @queries : tensor<18x8xf32>
    %kw = ds.load_parameter @latents : tensor<7x8xf32>
    %uk = ds.load_parameter @uk : tensor<3x4x5xf32>
    %q0 = ds.linear %x, %qw : tensor<?x8xf32>, tensor<18x8xf32> to tensor<?x18xf32>
    %q = ds.reshape %q0[%n] : tensor<?x18xf32> to tensor<?x3x6xf32>
    %kv = ds.linear %x, %kw : tensor<?x8xf32>, tensor<7x8xf32> to tensor<?x7xf32>
    %l0 = ds.slice %kv [0, 0] [%n, 5] [1, 1] : tensor<?x7xf32> to tensor<?x5xf32>
    %r0 = ds.slice %kv [0, 5] [%n, 2] [1, 1] : tensor<?x7xf32> to tensor<?x2xf32>
    %l = ds.reshape %l0[%n] : tensor<?x5xf32> to tensor<?x1x5xf32>
    %r = ds.reshape %r0[%n] : tensor<?x2xf32> to tensor<?x1x2xf32>
    %cache = ds.cache_append %l into %old at %start, %past, %slot : tensor<?x1x5xf32>, tensor<?x1x?x5xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x1x?x5xf32>
    %rope = ds.cache_append %r into %oldrope at %start, %past, %slot : tensor<?x1x2xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x1x?x2xf32>
    %a = ds.mla %q, %cache, %rope expand %uk, %uk at %start, %past, %slot scale 0.5 : tensor<?x3x6xf32>, tensor<?x1x?x5xf32>, tensor<?x1x?x2xf32>, tensor<3x4x5xf32>, tensor<3x4x5xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x3x4xf32>
    %qn = ds.slice %q [0, 0, 0] [%n, 1, 6] [1, 1, 1] : tensor<?x3x6xf32> to tensor<?x1x6xf32>
    %qa = ds.concat 2 %qn, %l : (tensor<?x1x6xf32>, tensor<?x1x5xf32>) -> tensor<?x1x11xf32>
    %qb = ds.slice %qa [0, 0, 0] [%n, 1, 7] [1, 1, 1] : tensor<?x1x11xf32> to tensor<?x1x7xf32>
    %b = ds.mla_absorbed %qb, %cache, %rope at %start, %past, %slot scale 0.5 : tensor<?x1x7xf32>, tensor<?x1x?x5xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x1x5xf32>
    %b0 = ds.reshape %b[%n] : tensor<?x1x5xf32> to tensor<?x5xf32>
    %a0 = ds.reshape %a[%n] : tensor<?x3x4xf32> to tensor<?x12xf32>
    %ab = ds.concat 1 %b0, %a0 : (tensor<?x5xf32>, tensor<?x12xf32>) -> tensor<?x17xf32>
    %y = ds.slice %ab [0, 0] [%n, 8] [1, 1] : tensor<?x17xf32> to tensor<?x8xf32>
    %rw = ds.load_parameter @router : tensor<6x8xf32>
    %bias = ds.load_parameter @bias : tensor<6xf32>
    %gw = ds.load_parameter @gate : tensor<6x16x8xf32>
    %dw = ds.load_parameter @down : tensor<6x8x16xf32>
    %scores = ds.linear %y, %rw : tensor<?x8xf32>, tensor<6x8xf32> to tensor<?x6xf32>
    %w, %ids, %loads = ds.route %scores bias %bias : tensor<6xf32> sigmoid top 2 groups 3 keep 2 by top2sum fill lowest normalize 1.0e-20 scale 2.5 : tensor<?x6xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<6xi32>
    %z = ds.moe %y weights %w experts %ids gate %gw up %gw down %dw : tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<6x16x8xf32>, tensor<6x16x8xf32>, tensor<6x8x16xf32> to tensor<?x8xf32>
    %h = ds.elementwise add %y, %z : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
    %g = ds.gather %h, %wanted 0 : tensor<?x8xf32>, tensor<?xi32> to tensor<?x8xf32>
    %logits = ds.linear %g, %e : tensor<?x8xf32>, tensor<32x8xf32> to tensor<?x32xf32>
    return %logits, %h, %cache, %rope : tensor<?x32xf32>, tensor<?x8xf32>, tensor<?x1x?x5xf32>, tensor<?x1x?x2xf32>
  }
}
