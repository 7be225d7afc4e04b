// RUN: ds-opt %s --split-input-file --convert-onnx-to-ds --cse | FileCheck %s

// Causality without a past is ds.attention's own; no mask is built.
// CHECK-LABEL: func.func @graph(
// CHECK-NOT: mask
// CHECK: ds.attention {{.*}} causal
module attributes {onnx.ir_version = 11 : i64} {
  onnx.graph @main_graph inputs ["q", "k"] [["", "", "", ""], ["", "", "", ""]] outputs ["y"] [["", "", "", ""]] {
  ^bb0(%q: tensor<2x4x8x16xf32>, %k: tensor<2x2x8x16xf32>):
    %y = onnx.node "Attention"(%q, %k, %k) version 24 {is_causal = 1 : i64} : (tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>) -> tensor<2x4x8x16xf32>
    onnx.return %y : tensor<2x4x8x16xf32>
  }
}

// -----

// A window is a mask beside it.
// CHECK-LABEL: func.func @graph(
// CHECK: %[[SEEN:.*]] = ds.elementwise le
// CHECK: ds.attention {{.*}} mask %[[SEEN]] {{.*}} causal
module attributes {onnx.ir_version = 11 : i64} {
  onnx.graph @main_graph inputs ["q", "k"] [["", "", "", ""], ["", "", "", ""]] outputs ["y"] [["", "", "", ""]] {
  ^bb0(%q: tensor<2x4x8x16xf32>, %k: tensor<2x2x8x16xf32>):
    %y = onnx.node "Attention"(%q, %k, %k) version 25 {is_causal = 1 : i64, left_window_size = 3 : i64} : (tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>) -> tensor<2x4x8x16xf32>
    onnx.return %y : tensor<2x4x8x16xf32>
  }
}

// -----

// What ds.attention does not do is spelled out, with its guard of rows that may
// attend to nothing.
// CHECK-LABEL: func.func @graph(
// CHECK-NOT: ds.attention
// CHECK: ds.matmul {{.*}} : tensor<2x2x2x8x16xf32>, tensor<2x2x1x16x8xf32> to tensor<2x2x2x8x8xf32>
// CHECK: ds.elementwise tanh
// CHECK: ds.reduce max
// CHECK: ds.softmax
// CHECK: ds.elementwise select
// CHECK: ds.matmul
module attributes {onnx.ir_version = 11 : i64} {
  onnx.graph @main_graph inputs ["q", "k"] [["", "", "", ""], ["", "", "", ""]] outputs ["y"] [["", "", "", ""]] {
  ^bb0(%q: tensor<2x4x8x16xf32>, %k: tensor<2x2x8x16xf32>):
    %y = onnx.node "Attention"(%q, %k, %k) version 24 {softcap = 30.0 : f32} : (tensor<2x4x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>) -> tensor<2x4x8x16xf32>
    onnx.return %y : tensor<2x4x8x16xf32>
  }
}
