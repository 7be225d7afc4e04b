// RUN: ds-opt %s --split-input-file --ds-count-work | FileCheck %s

// Products of a step: the one that gives the vocabulary is the head, computed for the rows that are asked for.
// CHECK: ds.model = {multiply_adds_per_logits = 128 : i64, multiply_adds_per_token = 96 : i64, vocabulary = 16 : i64}
module attributes {ds.model = {vocabulary = 16 : i64}} {
  func.func @step(%x: tensor<?x8xf32>, %up: tensor<12x8xf32>, %head: tensor<16x8xf32>) -> (tensor<?x12xf32>, tensor<?x16xf32>) {
    %0 = ds.linear %x, %up : tensor<?x8xf32>, tensor<12x8xf32> to tensor<?x12xf32>
    %1 = ds.linear %x, %head : tensor<?x8xf32>, tensor<16x8xf32> to tensor<?x16xf32>
    return %0, %1 : tensor<?x12xf32>, tensor<?x16xf32>
  }
}

// -----

// Of 6 experts [5, 8] a token pays for its 2; latents [.., 4] become keys [2, 3, 4] and values [2, 5, 4] of 2 heads.
// 2 · 3 · 5 · 8 + 2 · 3 · 4 + 2 · 5 · 4 = 304
// CHECK: ds.model = {multiply_adds_per_logits = 0 : i64, multiply_adds_per_token = 304 : i64, vocabulary = 16 : i64}
module attributes {ds.model = {vocabulary = 16 : i64}} {
  func.func @step(%x: tensor<?x8xf32>, %w: tensor<?x2xf32>, %e: tensor<?x2xi32>, %gate: tensor<6x5x8xf32>, %down: tensor<6x8x5xf32>,
                  %q: tensor<?x2x5xf32>, %c: tensor<?x1x?x4xf32>, %r: tensor<?x1x?x2xf32>, %k: tensor<2x3x4xf32>, %v: tensor<2x5x4xf32>,
                  %i: tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x2x5xf32>) {
    %0 = ds.moe %x weights %w experts %e gate %gate up %gate down %down : tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<6x5x8xf32>, tensor<6x5x8xf32>, tensor<6x8x5xf32> to tensor<?x8xf32>
    %1 = ds.mla %q, %c, %r expand %k, %v at %i, %i, %i scale 0.5 : tensor<?x2x5xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x2xf32>, tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x5xf32>
    return %0, %1 : tensor<?x8xf32>, tensor<?x2x5xf32>
  }
}

// -----

// A graph is not a step, and its functions are not counted.
// CHECK: ds.model = {vocabulary = 16 : i64}
// CHECK-NOT: multiply_adds
module attributes {ds.model = {vocabulary = 16 : i64}} {
  func.func @graph(%x: tensor<?x8xf32>, %up: tensor<12x8xf32>) -> tensor<?x12xf32> {
    %0 = ds.linear %x, %up : tensor<?x8xf32>, tensor<12x8xf32> to tensor<?x12xf32>
    return %0 : tensor<?x12xf32>
  }
}

// -----

// Without facts of a model nothing is added.
// CHECK: module {
// CHECK-NOT: ds.model
module {
  func.func @step(%x: tensor<?x8xf32>, %up: tensor<12x8xf32>) -> tensor<?x12xf32> {
    %0 = ds.linear %x, %up : tensor<?x8xf32>, tensor<12x8xf32> to tensor<?x12xf32>
    return %0 : tensor<?x12xf32>
  }
}
