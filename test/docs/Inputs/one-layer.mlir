// A causal language model of one layer, as small as it can be: 64 tokens, width
// 32, 2 heads of 16, 48 in the middle. docs/walkthrough.md follows it through
// the compiler. The norms are spelled out as exporters do. The weights are 59648
// bytes of a file, any bytes: only the way of the model matters here.
module attributes {onnx.ir_version = 11 : i64, onnx.opset_imports = {ai.onnx = 24 : i64}, onnx.producer = "by hand"} {
  onnx.graph @main_graph inputs ["input_ids", "position_ids", "past_key", "past_value"] [["batch", "rows"], ["batch", "rows"], ["batch", "", "past", ""], ["batch", "", "past", ""]] outputs ["logits", "present_key", "present_value"] [["batch", "rows", ""], ["batch", "", "all", ""], ["batch", "", "all", ""]] {
  ^bb0(%ids: tensor<?x?xi64>, %positions: tensor<?x?xi64>, %past_key: tensor<?x2x?x16xf32>, %past_value: tensor<?x2x?x16xf32>):
    %table = onnx.initializer "embed.weight" = #onnx.file_range<"one-layer.weights", 0, 8192> to tensor<64x32xf32>
    %cosines = onnx.initializer "rope.cos" = #onnx.file_range<"one-layer.weights", 8192, 4096> to tensor<128x8xf32>
    %sines = onnx.initializer "rope.sin" = #onnx.file_range<"one-layer.weights", 12288, 4096> to tensor<128x8xf32>
    %two = onnx.initializer "two" = dense<2.0> : tensor<f32> to tensor<f32>
    %epsilon = onnx.initializer "epsilon" = dense<1.0e-6> : tensor<f32> to tensor<f32>
    %last = onnx.initializer "last" = dense<-1> : tensor<1xi64> to tensor<1xi64>
    %g1 = onnx.initializer "norm1.weight" = #onnx.file_range<"one-layer.weights", 16384, 128> to tensor<32xf32>
    %wq = onnx.initializer "q.weight" = #onnx.file_range<"one-layer.weights", 16512, 4096> to tensor<32x32xf32>
    %wk = onnx.initializer "k.weight" = #onnx.file_range<"one-layer.weights", 20608, 4096> to tensor<32x32xf32>
    %wv = onnx.initializer "v.weight" = #onnx.file_range<"one-layer.weights", 24704, 4096> to tensor<32x32xf32>
    %wo = onnx.initializer "o.weight" = #onnx.file_range<"one-layer.weights", 28800, 4096> to tensor<32x32xf32>
    %g2 = onnx.initializer "norm2.weight" = #onnx.file_range<"one-layer.weights", 32896, 128> to tensor<32xf32>
    %wgate = onnx.initializer "gate.weight" = #onnx.file_range<"one-layer.weights", 33024, 6144> to tensor<32x48xf32>
    %wup = onnx.initializer "up.weight" = #onnx.file_range<"one-layer.weights", 39168, 6144> to tensor<32x48xf32>
    %wdown = onnx.initializer "down.weight" = #onnx.file_range<"one-layer.weights", 45312, 6144> to tensor<48x32xf32>
    %whead = onnx.initializer "head.weight" = #onnx.file_range<"one-layer.weights", 51456, 8192> to tensor<32x64xf32>

    %x = onnx.node "Gather"(%table, %ids) version 24 {} {node_name = "embed"} : (tensor<64x32xf32>, tensor<?x?xi64>) -> tensor<?x?x32xf32>
    %cos = onnx.node "Gather"(%cosines, %positions) version 24 {} {node_name = "cos"} : (tensor<128x8xf32>, tensor<?x?xi64>) -> tensor<?x?x8xf32>
    %sin = onnx.node "Gather"(%sines, %positions) version 24 {} {node_name = "sin"} : (tensor<128x8xf32>, tensor<?x?xi64>) -> tensor<?x?x8xf32>

    %square1 = onnx.node "Pow"(%x, %two) version 24 {} {node_name = "norm1/pow"} : (tensor<?x?x32xf32>, tensor<f32>) -> tensor<?x?x32xf32>
    %mean1 = onnx.node "ReduceMean"(%square1, %last) version 24 {} {node_name = "norm1/mean"} : (tensor<?x?x32xf32>, tensor<1xi64>) -> tensor<?x?x1xf32>
    %above1 = onnx.node "Add"(%mean1, %epsilon) version 24 {} {node_name = "norm1/add"} : (tensor<?x?x1xf32>, tensor<f32>) -> tensor<?x?x1xf32>
    %root1 = onnx.node "Sqrt"(%above1) version 24 {} {node_name = "norm1/sqrt"} : (tensor<?x?x1xf32>) -> tensor<?x?x1xf32>
    %unit1 = onnx.node "Div"(%x, %root1) version 24 {} {node_name = "norm1/div"} : (tensor<?x?x32xf32>, tensor<?x?x1xf32>) -> tensor<?x?x32xf32>
    %n1 = onnx.node "Mul"(%unit1, %g1) version 24 {} {node_name = "norm1/mul"} : (tensor<?x?x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32>

    %q = onnx.node "MatMul"(%n1, %wq) version 24 {} {node_name = "q"} : (tensor<?x?x32xf32>, tensor<32x32xf32>) -> tensor<?x?x32xf32>
    %k = onnx.node "MatMul"(%n1, %wk) version 24 {} {node_name = "k"} : (tensor<?x?x32xf32>, tensor<32x32xf32>) -> tensor<?x?x32xf32>
    %v = onnx.node "MatMul"(%n1, %wv) version 24 {} {node_name = "v"} : (tensor<?x?x32xf32>, tensor<32x32xf32>) -> tensor<?x?x32xf32>
    %qr = onnx.node "RotaryEmbedding"(%q, %cos, %sin) version 24 {num_heads = 2 : i64} {node_name = "q/rope"} : (tensor<?x?x32xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x32xf32>
    %kr = onnx.node "RotaryEmbedding"(%k, %cos, %sin) version 24 {num_heads = 2 : i64} {node_name = "k/rope"} : (tensor<?x?x32xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x32xf32>
    %none = onnx.absent
    %a:3 = onnx.node "Attention"(%qr, %kr, %v, %none, %past_key, %past_value) version 24 {is_causal = 1 : i64, kv_num_heads = 2 : i64, q_num_heads = 2 : i64} {node_name = "attention"} : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, none, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>) -> (tensor<?x?x32xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
    %o = onnx.node "MatMul"(%a#0, %wo) version 24 {} {node_name = "o"} : (tensor<?x?x32xf32>, tensor<32x32xf32>) -> tensor<?x?x32xf32>
    %h = onnx.node "Add"(%x, %o) version 24 {} {node_name = "residual1"} : (tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> tensor<?x?x32xf32>

    %square2 = onnx.node "Pow"(%h, %two) version 24 {} {node_name = "norm2/pow"} : (tensor<?x?x32xf32>, tensor<f32>) -> tensor<?x?x32xf32>
    %mean2 = onnx.node "ReduceMean"(%square2, %last) version 24 {} {node_name = "norm2/mean"} : (tensor<?x?x32xf32>, tensor<1xi64>) -> tensor<?x?x1xf32>
    %above2 = onnx.node "Add"(%mean2, %epsilon) version 24 {} {node_name = "norm2/add"} : (tensor<?x?x1xf32>, tensor<f32>) -> tensor<?x?x1xf32>
    %root2 = onnx.node "Sqrt"(%above2) version 24 {} {node_name = "norm2/sqrt"} : (tensor<?x?x1xf32>) -> tensor<?x?x1xf32>
    %unit2 = onnx.node "Div"(%h, %root2) version 24 {} {node_name = "norm2/div"} : (tensor<?x?x32xf32>, tensor<?x?x1xf32>) -> tensor<?x?x32xf32>
    %n2 = onnx.node "Mul"(%unit2, %g2) version 24 {} {node_name = "norm2/mul"} : (tensor<?x?x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32>

    %gate = onnx.node "MatMul"(%n2, %wgate) version 24 {} {node_name = "gate"} : (tensor<?x?x32xf32>, tensor<32x48xf32>) -> tensor<?x?x48xf32>
    %up = onnx.node "MatMul"(%n2, %wup) version 24 {} {node_name = "up"} : (tensor<?x?x32xf32>, tensor<32x48xf32>) -> tensor<?x?x48xf32>
    %sigmoid = onnx.node "Sigmoid"(%gate) version 24 {} {node_name = "sigmoid"} : (tensor<?x?x48xf32>) -> tensor<?x?x48xf32>
    %silu = onnx.node "Mul"(%gate, %sigmoid) version 24 {} {node_name = "silu"} : (tensor<?x?x48xf32>, tensor<?x?x48xf32>) -> tensor<?x?x48xf32>
    %m = onnx.node "Mul"(%silu, %up) version 24 {} {node_name = "swiglu"} : (tensor<?x?x48xf32>, tensor<?x?x48xf32>) -> tensor<?x?x48xf32>
    %down = onnx.node "MatMul"(%m, %wdown) version 24 {} {node_name = "down"} : (tensor<?x?x48xf32>, tensor<48x32xf32>) -> tensor<?x?x32xf32>
    %y = onnx.node "Add"(%h, %down) version 24 {} {node_name = "residual2"} : (tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
    %logits = onnx.node "MatMul"(%y, %whead) version 24 {} {node_name = "head"} : (tensor<?x?x32xf32>, tensor<32x64xf32>) -> tensor<?x?x64xf32>
    onnx.return %logits, %a#1, %a#2 : tensor<?x?x64xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
  }
}
