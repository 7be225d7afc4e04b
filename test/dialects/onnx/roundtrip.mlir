// Everything the dialect can say survives its own printer and parser.
// RUN: ds-opt %s | ds-opt | FileCheck %s

module attributes {onnx.ir_version = 10 : i64, onnx.opset_imports = {ai.onnx = 20 : i64, local = 1 : i64}} {
// CHECK: onnx.function
// CHECK-SAME: attr_names = ["alpha"]
onnx.function attributes {domain = "local", name = "Scale", overload = "", input_names = ["x"], output_names = ["y"],
                          attr_names = ["alpha"], defaults = {beta = 1.0 : f32}, opset_imports = {ai.onnx = 18 : i64}} {
^bb0(%x: !onnx.unknown):
  // CHECK: alpha = #onnx.ref<"alpha", "FLOAT">
  %y = onnx.node "LeakyRelu"(%x) version 16 {alpha = #onnx.ref<"alpha", "FLOAT">} : (!onnx.unknown) -> !onnx.unknown
  onnx.return %y : !onnx.unknown
}
// CHECK-LABEL: onnx.graph @main
// CHECK-SAME: inputs ["x", "c"] {{\[\["n", ""\], \[\]\]}} outputs ["y", "s"] {{\[\["n", ""\], \[\]\]}}
onnx.graph @main inputs ["x", "c"] [["n", ""], []] outputs ["y", "s"] [["n", ""], []] {
^bb0(%x: tensor<?x4xf32>, %c: tensor<i1>):
  // CHECK: onnx.initializer "w" = #onnx.file_range<"weights/w.bin", 4096, 64> to tensor<4x4xf32>
  %w = onnx.initializer "w" = #onnx.file_range<"weights/w.bin", 4096, 64> to tensor<4x4xf32>
  // Two 4-bit numbers a byte; three numbers take two bytes.
  // CHECK: onnx.initializer "q" = #onnx.file_range<"model.onnx", 0, 2> to tensor<3xui4>
  %q = onnx.initializer "q" = #onnx.file_range<"model.onnx", 0, 2> to tensor<3xui4>
  // CHECK: onnx.initializer "words" = dense<["a", "\FFb"]> : tensor<2x!onnx.string>
  %words = onnx.initializer "words" = dense<["a", "\FFb"]> : tensor<2x!onnx.string> to tensor<2x!onnx.string>
  // CHECK: %[[NONE:.*]] = onnx.absent
  %none = onnx.absent
  // CHECK: onnx.node "Clip"(%{{.*}}, %[[NONE]], %{{.*}}) version 13 {}
  %clip = onnx.node "Clip"(%x, %none, %w) version 13 {} {node_name = "clip"} : (tensor<?x4xf32>, none, tensor<4x4xf32>) -> tensor<?x4xf32>
  // CHECK: onnx.node "Odd"() version 1
  // CHECK-SAME: f = 0x7FC00000 : f32
  // CHECK-SAME: fs = array<f32: 1.000000e+00, 0x7F800000>
  // CHECK-SAME: t = dense<1> : tensor<2xi64>
  // CHECK-SAME: domain = "org.example"
  // CHECK-SAME: () -> (none, !onnx.sequence<tensor<*xf32>>, !onnx.optional<tensor<2xf32>>, !onnx.map<i64, tensor<f32>>, !onnx.sparse_tensor<tensor<3xf32>>)
  %odd:5 = onnx.node "Odd"() version 1 {
      f = 0x7FC00000 : f32, fs = array<f32: 1.0, 0x7F800000>, i = -1 : i64, is = array<i64: 1, -2>, "odd name" = "\01",
      t = dense<1> : tensor<2xi64>, far = [tensor<4xf32>, #onnx.file_range<"model.onnx", 8, 16>], ty = tensor<?xf16>}
      {domain = "org.example"}
      : () -> (none, !onnx.sequence<tensor<*xf32>>, !onnx.optional<tensor<2xf32>>, !onnx.map<i64, tensor<f32>>, !onnx.sparse_tensor<tensor<3xf32>>)
  // CHECK: onnx.node "If"(%{{.*}}) version 19 {else_branch = #onnx.graph<1>, then_branch = #onnx.graph<0>}
  %if = onnx.node "If"(%c) version 19 {then_branch = #onnx.graph<0>, else_branch = #onnx.graph<1>} : (tensor<i1>) -> tensor<?x4xf32> {
    // CHECK: onnx.return %{{.*}} : tensor<?x4xf32>
    onnx.return %clip : tensor<?x4xf32>
  }, {
    %n = onnx.node "Neg"(%x) version 13 {} : (tensor<?x4xf32>) -> tensor<?x4xf32>
    onnx.return %n : tensor<?x4xf32>
  }
  // CHECK: overload = "o"
  %s = onnx.node "Scale"(%if) version 1 {} {domain = "local", overload = "o"} : (tensor<?x4xf32>) -> !onnx.unknown
  onnx.return %if, %s : tensor<?x4xf32>, !onnx.unknown
}
}
