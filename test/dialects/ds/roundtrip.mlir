// RUN: ds-opt %s | ds-opt | FileCheck %s

module attributes {onnx.ir_version = 8 : i64} {
onnx.graph @g inputs ["x"] [["n"]] outputs ["y"] [["n"]] {
^bb0(%x: tensor<?xf32>):
  %w = onnx.initializer "w" = dense<1.0> : tensor<4xf32> to tensor<4xf32>
  %a = onnx.absent
  %y = onnx.node "Add"(%x, %w) version 14 {axis = 1 : i64} {node_name = "n0"} : (tensor<?xf32>, tensor<4xf32>) -> tensor<?xf32>
  onnx.return %y : tensor<?xf32>
}
ds.parameter @w : tensor<4xf32> = #ds.file_range<"f.bin", 0, 16>
// CHECK: func.func @f
func.func @f(%x: tensor<?x4xf32>, %n: index) -> tensor<?x4xf32> {
  %w = ds.load_parameter @w : tensor<4xf32>
  %0 = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<?x4xf32>, tensor<4xf32> to tensor<?x4xf32>
  %1 = ds.elementwise add %0, %w : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %2 = ds.slice %1 [0, 1] [%n, 2] [1, 1] : tensor<?x4xf32> to tensor<?x2xf32>
  return %1 : tensor<?x4xf32>
}
}
