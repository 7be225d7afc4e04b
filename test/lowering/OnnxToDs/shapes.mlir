// RUN: ds-opt %s --split-input-file --convert-onnx-to-ds --cse | FileCheck %s

// Shape → Gather → Concat → Reshape is one reshape by sizes.
// CHECK-LABEL: func.func @graph
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x"] [["b", "s", ""]] outputs ["y"] [["b", "s", "", ""]] {
  ^bb0(%x: tensor<?x?x64xf32>):
    %shape = onnx.node "Shape"(%x) version 20 {} : (tensor<?x?x64xf32>) -> !onnx.unknown
    %i0 = onnx.initializer "i0" = dense<0> : tensor<1xi64> to tensor<1xi64>
    %i1 = onnx.initializer "i1" = dense<1> : tensor<1xi64> to tensor<1xi64>
    %tail = onnx.initializer "tail" = dense<[4, -1]> : tensor<2xi64> to tensor<2xi64>
    %b = onnx.node "Gather"(%shape, %i0) version 20 {axis = 0 : i64} : (!onnx.unknown, tensor<1xi64>) -> !onnx.unknown
    %s = onnx.node "Gather"(%shape, %i1) version 20 {axis = 0 : i64} : (!onnx.unknown, tensor<1xi64>) -> !onnx.unknown
    %to = onnx.node "Concat"(%b, %s, %tail) version 20 {axis = 0 : i64} : (!onnx.unknown, !onnx.unknown, tensor<2xi64>) -> !onnx.unknown
    // CHECK-NOT: ds.gather
    // CHECK: ds.reshape %{{.*}}[%{{.*}}, %{{.*}}] : tensor<?x?x64xf32> to tensor<?x?x4x16xf32>
    %y = onnx.node "Reshape"(%x, %to) version 20 {} : (tensor<?x?x64xf32>, !onnx.unknown) -> tensor<?x?x4x16xf32>
    onnx.return %y : tensor<?x?x4x16xf32>
  }
}
