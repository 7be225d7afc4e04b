module {
  onnx.graph @main_graph inputs ["x"] [[""]] outputs ["y"] [[""]] {
  ^bb0(%x: tensor<4xf32>):
    %y = onnx.node "Add"(%x, %x) version 14 {} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    onnx.return %y : tensor<4xf32>
  }
}
