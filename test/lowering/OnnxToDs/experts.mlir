// RUN: split-file %s %t
// RUN: ds-opt %t/mixtures.mlir --split-input-file --convert-onnx-to-ds | FileCheck %t/mixtures.mlir
// RUN: ds-opt %t/refused.mlir --split-input-file --verify-diagnostics --convert-onnx-to-ds

// Mixtures of experts of onnxruntime. Their numbers are those of onnxruntime: test/e2e/golden/experts.
//--- mixtures.mlir
// Rows of gate and up take turns.
// CHECK-LABEL: func.func @graph(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x3x8xf32> {{[^%]*}}, %[[R:[^:]*]]: tensor<?x4xf32> {{[^%]*}}, %[[A:[^:]*]]: tensor<4x12x8xf32> {{[^%]*}}, %[[B:[^:]*]]: tensor<4x8x6xf32>
// CHECK-DAG: %[[GATE:.*]] = ds.slice %[[A]] [0, 0, 0] [4, 6, 8] [1, 2, 1]
// CHECK-DAG: %[[UP:.*]] = ds.slice %[[A]] [0, 1, 0] [4, 6, 8] [1, 2, 1]
// CHECK-DAG: %[[ROWS:.*]] = ds.reshape %[[X]]{{.*}} to tensor<?x8xf32>
// CHECK: %[[W:.*]], %[[E:.*]], %{{.*}} = ds.route %[[R]] softmax top 2 groups 1 keep 1 by max fill zero scale 1.0
// CHECK: %[[Y:.*]] = ds.moe %[[ROWS]] weights %[[W]] experts %[[E]] gate %[[GATE]] up %[[UP]] down %[[B]]
// CHECK: ds.reshape %[[Y]]{{.*}} to tensor<?x3x8xf32>
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a", "b"] [["n", "", ""], ["m", ""], ["", "", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>, %b: tensor<4x8x6xf32>):
    %none = onnx.absent
    %y = onnx.node "MoE"(%x, %r, %a, %none, %b) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>, none, tensor<4x8x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

// Gate first, and up behind it; weights that are divided by their sum.
// CHECK-LABEL: func.func @graph(
// CHECK-SAME: %[[A:[^:]*]]: tensor<4x12x8xf32>
// CHECK-DAG: %[[GATE:.*]] = ds.slice %[[A]] [0, 0, 0] [4, 6, 8] [1, 1, 1]
// CHECK-DAG: %[[UP:.*]] = ds.slice %[[A]] [0, 6, 0] [4, 6, 8] [1, 1, 1]
// CHECK: ds.route {{.*}} normalize 0.0
// CHECK: ds.moe {{.*}} gate %[[GATE]] up %[[UP]]
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a", "b"] [["n", "", ""], ["m", ""], ["", "", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>, %b: tensor<4x8x6xf32>):
    %none = onnx.absent
    %y = onnx.node "MoE"(%x, %r, %a, %none, %b) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 2 : i64, normalize_routing_weights = 1 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>, none, tensor<4x8x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

// Gate and up apart, by either name.
// CHECK-LABEL: func.func @graph(
// CHECK-SAME: %[[C:[^:]*]]: tensor<4x6x8xf32> {{[^%]*}}, %[[B:[^:]*]]: tensor<4x8x6xf32> {{[^%]*}}, %[[D:[^:]*]]: tensor<4x6x8xf32>
// CHECK: ds.moe {{.*}} gate %[[C]] up %[[D]] down %[[B]]
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "c", "b", "d"] [["n", "", ""], ["m", ""], ["", "", ""], ["", "", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %c: tensor<4x6x8xf32>, %b: tensor<4x8x6xf32>, %d: tensor<4x6x8xf32>):
    %none = onnx.absent
    %y = onnx.node "MoE"(%x, %r, %c, %none, %b, %none, %d) version 1 {activation_type = "silu", k = 2 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x6x8xf32>, none, tensor<4x8x6xf32>, none, tensor<4x6x8xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

// CHECK-LABEL: func.func @graph(
// CHECK-SAME: %[[C:[^:]*]]: tensor<4x6x8xf32> {{[^%]*}}, %[[B:[^:]*]]: tensor<4x8x6xf32> {{[^%]*}}, %[[D:[^:]*]]: tensor<4x6x8xf32>
// CHECK: ds.moe {{.*}} gate %[[C]] up %[[D]] down %[[B]]
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "c", "b", "d"] [["n", "", ""], ["m", ""], ["", "", ""], ["", "", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %c: tensor<4x6x8xf32>, %b: tensor<4x8x6xf32>, %d: tensor<4x6x8xf32>):
    %none = onnx.absent
    %y = onnx.node "MoE"(%x, %r, %c, %none, %b, %none, %d) version 1 {activation_type = "swiglu", k = 2 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x6x8xf32>, none, tensor<4x8x6xf32>, none, tensor<4x6x8xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

//--- refused.mlir
// expected-error @below {{experts with activation 'relu'; those with SwiGLU are (swiglu, or silu and fc3)}}
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a", "b"] [["n", "", ""], ["m", ""], ["", "", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>, %b: tensor<4x8x6xf32>):
    %none = onnx.absent
    %y = onnx.node "MoE"(%x, %r, %a, %none, %b) version 1 {k = 2 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>, none, tensor<4x8x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

// expected-error @below {{biases of experts}}
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a", "i", "b"] [["n", "", ""], ["m", ""], ["", "", ""], ["", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>, %i: tensor<4x12xf32>, %b: tensor<4x8x6xf32>):
    %y = onnx.node "MoE"(%x, %r, %a, %i, %b) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>, tensor<4x12xf32>, tensor<4x8x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

// expected-error @below {{SwiGLU with activation_alpha, activation_beta or swiglu_limit}}
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a", "b"] [["n", "", ""], ["m", ""], ["", "", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>, %b: tensor<4x8x6xf32>):
    %none = onnx.absent
    %y = onnx.node "MoE"(%x, %r, %a, %none, %b) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64, swiglu_limit = 7.0 : f32} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>, none, tensor<4x8x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

// expected-error @below {{SwiGLU with activation_alpha, activation_beta or swiglu_limit}}
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a", "b"] [["n", "", ""], ["m", ""], ["", "", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>, %b: tensor<4x8x6xf32>):
    %none = onnx.absent
    %y = onnx.node "MoE"(%x, %r, %a, %none, %b) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64, activation_alpha = 1.702 : f32} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>, none, tensor<4x8x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a"] [["n", "", ""], ["m", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>):
    // expected-error @below {{its experts have no fc2}}
    %y = onnx.node "MoE"(%x, %r, %a) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a"] [["n", "", ""], ["m", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>):
    %none = onnx.absent
    // expected-error @below {{the sizes of its tokens, logits and weights do not agree}}
    %y = onnx.node "MoE"(%x, %r, %a, %none, %a) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>, none, tensor<4x12x8xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a", "b"] [["n", "", ""], ["m", ""], ["", "", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>, %b: tensor<4x8x6xf32>):
    %none = onnx.absent
    // expected-error @below {{it chooses 5 of 4 experts}}
    %y = onnx.node "MoE"(%x, %r, %a, %none, %b) version 1 {activation_type = "swiglu", k = 5 : i64, swiglu_fusion = 1 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>, none, tensor<4x8x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

// expected-error @below {{use_sparse_mixer}}
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a", "b"] [["n", "", ""], ["m", ""], ["", "", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>, %b: tensor<4x8x6xf32>):
    %none = onnx.absent
    %y = onnx.node "MoE"(%x, %r, %a, %none, %b) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64, use_sparse_mixer = 1 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>, none, tensor<4x8x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "c", "b"] [["n", "", ""], ["m", ""], ["", "", ""], ["", "", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %c: tensor<4x6x8xf32>, %b: tensor<4x8x6xf32>):
    %none = onnx.absent
    // expected-error @below {{its SwiGLU is not fused, and it has no fc3}}
    %y = onnx.node "MoE"(%x, %r, %c, %none, %b) version 1 {activation_type = "swiglu", k = 2 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x6x8xf32>, none, tensor<4x8x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

// expected-error @below {{quant_type 'fp8'}}
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "q", "s"] [["n", "", ""], ["m", ""], ["", "", ""], ["", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %q: tensor<4x6x8xi8>, %s: tensor<4x6xf32>):
    %y = onnx.node "QMoE"(%x, %r, %q, %s) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64, quant_type = "fp8"} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x6x8xi8>, tensor<4x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

// expected-error @below {{2-bit weights}}
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "q", "s"] [["n", "", ""], ["m", ""], ["", "", ""], ["", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %q: tensor<4x6x8xi8>, %s: tensor<4x6xf32>):
    %y = onnx.node "QMoE"(%x, %r, %q, %s) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64, expert_weight_bits = 2 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x6x8xi8>, tensor<4x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}

// -----

module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x", "r", "a", "s"] [["n", "", ""], ["m", ""], ["", "", ""], ["", ""]] outputs ["y"] [["n", "", ""]] {
  ^bb0(%x: tensor<?x3x8xf32>, %r: tensor<?x4xf32>, %a: tensor<4x12x8xf32>, %s: tensor<4x6xf32>):
    // expected-error @below {{the weights of its experts are no bytes of three fixed sizes with scales}}
    %y = onnx.node "QMoE"(%x, %r, %a, %s) version 1 {activation_type = "swiglu", k = 2 : i64, swiglu_fusion = 1 : i64} {domain = "com.microsoft", node_name = "n"} : (tensor<?x3x8xf32>, tensor<?x4xf32>, tensor<4x12x8xf32>, tensor<4x6xf32>) -> tensor<?x3x8xf32>
    onnx.return %y : tensor<?x3x8xf32>
  }
}
