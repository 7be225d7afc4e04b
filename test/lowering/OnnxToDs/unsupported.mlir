// RUN: not ds-opt %s --convert-onnx-to-ds 2>&1 | FileCheck %s

// One message lists everything that is missing.
// CHECK: error: the model uses operators that are not supported:
// CHECK-NEXT: ai.onnx::NoSuchOp version 20 (2 nodes: a, b)
// CHECK-NEXT: some.domain::Other version 3 (1 node: c)
// CHECK-NEXT: Export the model with other operators
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x"] [[""]] outputs ["y"] [[""]] {
  ^bb0(%x: tensor<4xf32>):
    %0 = onnx.node "NoSuchOp"(%x) version 20 {} {node_name = "a"} : (tensor<4xf32>) -> tensor<4xf32>
    %1 = onnx.node "NoSuchOp"(%0) version 20 {} {node_name = "b"} : (tensor<4xf32>) -> tensor<4xf32>
    %2 = onnx.node "Other"(%1) version 3 {} {domain = "some.domain", node_name = "c"} : (tensor<4xf32>) -> tensor<4xf32>
    onnx.return %2 : tensor<4xf32>
  }
}
