func.func @graph(%x: tensor<4x8xf32> {ds.name = "x"}, %y: tensor<8x4xf32> {ds.name = "y"})
    -> (tensor<4x4xf32> {ds.name = "z"}) attributes {ds.entry = "graph"} {
  %0 = ds.matmul %x, %y : tensor<4x8xf32>, tensor<8x4xf32> to tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
