// RUN: ds-opt %s --split-input-file --convert-onnx-to-ds --cse | FileCheck %s

// A tensor in parts, as an exporter that does not optimise writes it: no sequence is left.
// CHECK-LABEL: func.func @graph(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x24xf32>
// CHECK-DAG: %[[FIRST:.*]] = ds.slice %[[X]] [0, 0] [%{{.*}}, 16]
// CHECK-DAG: %[[LAST:.*]] = ds.slice %[[X]] [0, 16] [%{{.*}}, 8]
// CHECK-DAG: %[[LENGTH:.*]] = arith.constant dense<2> : tensor<i64>
// CHECK: return %[[LAST]], %[[FIRST]], %[[LENGTH]]
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x"] [["b", ""]] outputs ["y", "z", "n"] [["b", ""], ["b", ""], []] {
  ^bb0(%x: tensor<?x24xf32>):
    %sizes = onnx.initializer "sizes" = dense<[16, 8]> : tensor<2xi64> to tensor<2xi64>
    %last = onnx.initializer "last" = dense<-1> : tensor<i64> to tensor<i64>
    %zero = onnx.initializer "zero" = dense<0> : tensor<i32> to tensor<i32>
    %s = onnx.node "SplitToSequence"(%x, %sizes) version 20 {axis = -1 : i64, keepdims = 0 : i64} : (tensor<?x24xf32>, tensor<2xi64>) -> !onnx.unknown
    %y = onnx.node "SequenceAt"(%s, %last) version 20 {} : (!onnx.unknown, tensor<i64>) -> tensor<?x8xf32>
    %z = onnx.node "SequenceAt"(%s, %zero) version 20 {} : (!onnx.unknown, tensor<i32>) -> tensor<?x16xf32>
    %n = onnx.node "SequenceLength"(%s) version 20 {} : (!onnx.unknown) -> tensor<i64>
    onnx.return %y, %z, %n : tensor<?x8xf32>, tensor<?x16xf32>, tensor<i64>
  }
}

// -----

// One size: the last part is smaller. Together again, along another dimension.
// CHECK-LABEL: func.func @graph(
// CHECK-DAG: %[[A:.*]] = ds.slice %{{.*}} [0, 0] [2, 3]
// CHECK-DAG: %[[B:.*]] = ds.slice %{{.*}} [0, 3] [2, 1]
// CHECK: ds.concat 1 %[[A]], %[[B]]
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x"] [["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<2x4xf32>):
    %three = onnx.initializer "three" = dense<3> : tensor<i64> to tensor<i64>
    %s = onnx.node "SplitToSequence"(%x, %three) version 20 {axis = 1 : i64} : (tensor<2x4xf32>, tensor<i64>) -> !onnx.unknown
    %y = onnx.node "ConcatFromSequence"(%s) version 20 {axis = 1 : i64} : (!onnx.unknown) -> tensor<2x4xf32>
    onnx.return %y : tensor<2x4xf32>
  }
}

// -----

// Without sizes the parts are single elements, whose dimension may go; stacked they are the transpose.
// CHECK-LABEL: func.func @graph(
// CHECK-DAG: %[[A:.*]] = ds.slice %{{.*}} [0, 0] [3, 1]
// CHECK-DAG: %[[B:.*]] = ds.slice %{{.*}} [0, 1] [3, 1]
// CHECK: ds.concat 0 %{{.*}}, %{{.*}} : (tensor<1x3xf32>, tensor<1x3xf32>) -> tensor<2x3xf32>
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x"] [["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<3x2xf32>):
    %s = onnx.node "SplitToSequence"(%x) version 20 {axis = 1 : i64, keepdims = 0 : i64} : (tensor<3x2xf32>) -> !onnx.unknown
    %y = onnx.node "ConcatFromSequence"(%s) version 20 {axis = 0 : i64, new_axis = 1 : i64} : (!onnx.unknown) -> tensor<2x3xf32>
    onnx.return %y : tensor<2x3xf32>
  }
}

// -----

// A tuple.
// CHECK-LABEL: func.func @graph(
// CHECK-SAME: %{{.*}}: tensor<3xf32> {{.*}}, %[[B:[a-z0-9]+]]: tensor<4xi64>
// CHECK: return %[[B]]
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["a", "b"] [[""], [""]] outputs ["y"] [[""]] {
  ^bb0(%a: tensor<3xf32>, %b: tensor<4xi64>):
    %one = onnx.initializer "one" = dense<1> : tensor<i64> to tensor<i64>
    %s = onnx.node "SequenceConstruct"(%a, %b) version 20 {} : (tensor<3xf32>, tensor<4xi64>) -> !onnx.unknown
    %y = onnx.node "SequenceAt"(%s, %one) version 20 {} : (!onnx.unknown, tensor<i64>) -> tensor<4xi64>
    onnx.return %y : tensor<4xi64>
  }
}

// -----

// A product and what onnxruntime fused behind it.
// CHECK-LABEL: func.func @graph(
// CHECK: %[[PRODUCT:.*]] = ds.matmul
// CHECK: ds.elementwise sigmoid %[[PRODUCT]]
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "w"] [["", ""], ["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>):
    %y = onnx.node "FusedGemm"(%x, %w) version 1 {activation = "Sigmoid", transB = 1 : i64} {domain = "com.microsoft"} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
    onnx.return %y : tensor<2x3xf32>
  }
}
