// RUN: ds-opt %s --ds-count-reads | FileCheck %s

// A row of the table, 8 · 4; the head, 16 · 8 · 4, which another table is too; two of five experts, 2 · 3 · 8 · 2; a norm that is read twice, 8 · 4.
// CHECK: module attributes {ds.model = {layers = 1 : i64, weight_bytes_per_token = 672 : i64}}
module attributes {ds.model = {layers = 1 : i64}} {
ds.parameter @table : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
ds.parameter @head : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
ds.parameter @experts : tensor<5x3x8xbf16> = dense<1.0> : tensor<5x3x8xbf16>
ds.parameter @norm : tensor<8xf32> = dense<1.0> : tensor<8xf32>
ds.parameter @unread : tensor<8xf32> = dense<1.0> : tensor<8xf32>
func.func @step(%ids: tensor<?xi32> {ds.name = "ids"}, %chosen: tensor<?x2xi32> {ds.name = "chosen"}, %x: tensor<?x8xf32> {ds.name = "x"})
    -> (tensor<?x8xf32> {ds.name = "a"}, tensor<?x16xf32> {ds.name = "b"}, tensor<?x3xf32> {ds.name = "c"}, tensor<?x8xf32> {ds.name = "d"},
        tensor<?x8xf32> {ds.name = "e"}) attributes {ds.entry = "step"} {
  %table = ds.load_parameter @table : tensor<16x8xf32>
  %a = ds.embedding %ids, %table : tensor<?xi32>, tensor<16x8xf32> to tensor<?x8xf32>
  %head = ds.load_parameter @head : tensor<16x8xf32>
  %d = ds.gather %head, %ids 0 : tensor<16x8xf32>, tensor<?xi32> to tensor<?x8xf32>
  %norm = ds.load_parameter @norm : tensor<8xf32>
  %again = ds.load_parameter @norm : tensor<8xf32>
  %y = ds.rms_norm %x, %norm epsilon 1.0e-6 : tensor<?x8xf32>, tensor<8xf32> to tensor<?x8xf32>
  %e = ds.rms_norm %y, %again epsilon 1.0e-6 : tensor<?x8xf32>, tensor<8xf32> to tensor<?x8xf32>
  %b = ds.linear %e, %head : tensor<?x8xf32>, tensor<16x8xf32> to tensor<?x16xf32>
  %w = ds.load_parameter @experts : tensor<5x3x8xbf16>
  %tokens, %places, %offsets, %tiles, %count = ds.group_tokens %chosen of 5 tiles 4
    : tensor<?x2xi32> to tensor<?xi32>, tensor<?x2xi32>, tensor<6xi32>, tensor<?x3xi32>, tensor<i32>
  %rows = ds.gather %e, %tokens 0 : tensor<?x8xf32>, tensor<?xi32> to tensor<?x8xf32>
  %c = ds.grouped_linear %rows, %w in %tiles, %count : tensor<?x8xf32>, tensor<5x3x8xbf16>, tensor<?x3xi32>, tensor<i32> to tensor<?x3xf32>
  return %a, %b, %c, %d, %e : tensor<?x8xf32>, tensor<?x16xf32>, tensor<?x3xf32>, tensor<?x8xf32>, tensor<?x8xf32>
}
}
