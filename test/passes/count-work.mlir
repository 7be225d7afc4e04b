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
