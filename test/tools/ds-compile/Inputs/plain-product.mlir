func.func @graph(%x: tensor<4x8xf64> {ds.name = "x"}, %y: tensor<8x4xf64> {ds.name = "y"})
    -> (tensor<4x4xf64> {ds.name = "z"}) attributes {ds.entry = "graph"} {
  %0 = ds.matmul %x, %y : tensor<4x8xf64>, tensor<8x4xf64> to tensor<4x4xf64>
  return %0 : tensor<4x4xf64>
}
