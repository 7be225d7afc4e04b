// RUN: ds-opt %s --split-input-file --convert-onnx-to-ds --canonicalize --cse | FileCheck %s

// Axes that only the call knows: one reduction for each, and the call picks.
// CHECK-LABEL: func.func @graph(
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "axes"] [["", ""], [""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<3x4xf32>, %axes: tensor<1xi64>):
    // CHECK: scf.index_switch %{{.*}} -> tensor<?x?xf32>
    // CHECK: case 0
    // CHECK: ds.reduce sum %{{.*}} [0] keepdims
    // CHECK: default
    // CHECK: ds.reduce sum %{{.*}} [1] keepdims
    %y = onnx.node "ReduceSum"(%x, %axes) version 13 {} : (tensor<3x4xf32>, tensor<1xi64>) -> tensor<?x?xf32>
    onnx.return %y : tensor<?x?xf32>
  }
}

// -----

// Known axes, and axes out of a Range, are no choice.
// CHECK-LABEL: func.func @graph(
// CHECK-NOT: scf.index_switch
// CHECK: ds.reduce sum %{{.*}} [1, 2] keepdims : tensor<2x3x4xf32> to tensor<2x1x1xf32>
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x"] [["", "", ""]] outputs ["y"] [["", "", ""]] {
  ^bb0(%x: tensor<2x3x4xf32>):
    %first = onnx.initializer "first" = dense<-2> : tensor<i64> to tensor<i64>
    %end = onnx.initializer "end" = dense<0> : tensor<i64> to tensor<i64>
    %one = onnx.initializer "one" = dense<1> : tensor<i64> to tensor<i64>
    %axes = onnx.node "Range"(%first, %end, %one) version 11 {} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
    %y = onnx.node "ReduceSum"(%x, %axes) version 13 {} : (tensor<2x3x4xf32>, tensor<?xi64>) -> tensor<2x1x1xf32>
    onnx.return %y : tensor<2x1x1xf32>
  }
}

// -----

// A shape that the call gives must have as many elements.
// CHECK-LABEL: func.func @graph(
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "shape"] [["", ""], [""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<3x4xf32>, %shape: tensor<2xi64>):
    // CHECK: %[[ALL:.*]] = arith.constant 12 : index
    // CHECK: %[[FITS:.*]] = arith.cmpi eq, %{{.*}}, %[[ALL]]
    // CHECK: %[[ROWS:.*]] = ds.require %[[FITS]], %{{.*}}
    // CHECK: ds.reshape %{{.*}}[%[[ROWS]], %{{.*}}] : tensor<3x4xf32> to tensor<?x?xf32>
    %y = onnx.node "Reshape"(%x, %shape) version 13 {} : (tensor<3x4xf32>, tensor<2xi64>) -> tensor<?x?xf32>
    onnx.return %y : tensor<?x?xf32>
  }
}
