// RUN: ds-opt %s --split-input-file --convert-onnx-to-ds --verify-diagnostics

// A file is not trusted: what does not fit is an error of its node.

module {
  onnx.graph @main_graph inputs ["x"] [[""]] outputs ["y"] [[""]] {
  ^bb0(%x: tensor<4xf32>):
    // expected-error @below {{node 'n' (Add): input 1 is missing}}
    %y = onnx.node "Add"(%x) version 14 {} {node_name = "n"} : (tensor<4xf32>) -> tensor<4xf32>
    onnx.return %y : tensor<4xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x", "z"] [[""], [""]] outputs ["y"] [[""]] {
  ^bb0(%x: tensor<4xf32>, %z: tensor<3xf32>):
    // expected-error @below {{node 'n' (Add): sizes that must broadcast to each other differ: 4 and 3}}
    %y = onnx.node "Add"(%x, %z) version 14 {} {node_name = "n"} : (tensor<4xf32>, tensor<3xf32>) -> tensor<4xf32>
    onnx.return %y : tensor<4xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x", "z"] [[""], [""]] outputs ["y"] [[""]] {
  ^bb0(%x: tensor<4xf32>, %z: tensor<4xi64>):
    // expected-error @below {{its inputs have different element types, f32 and i64}}
    %y = onnx.node "Mul"(%x, %z) version 14 {} {node_name = "n"} : (tensor<4xf32>, tensor<4xi64>) -> tensor<4xf32>
    onnx.return %y : tensor<4xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [[""]] outputs ["y"] [[""]] {
  ^bb0(%x: tensor<4xi32>):
    // expected-error @below {{node 'n' (Exp): it is not defined on i32}}
    %y = onnx.node "Exp"(%x) version 13 {} {node_name = "n"} : (tensor<4xi32>) -> tensor<4xi32>
    onnx.return %y : tensor<4xi32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<4x2xf32>):
    // expected-error @below {{node 'n' (Softmax): axis 2 is outside a tensor of rank 2}}
    %y = onnx.node "Softmax"(%x) version 13 {axis = 2 : i64} {node_name = "n"} : (tensor<4x2xf32>) -> tensor<4x2xf32>
    onnx.return %y : tensor<4x2xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<4x2xf32>):
    // expected-error @below {{node 'n' (MatMul): it sums over 2 on the left and 4 on the right}}
    %y = onnx.node "MatMul"(%x, %x) version 13 {} {node_name = "n"} : (tensor<4x2xf32>, tensor<4x2xf32>) -> tensor<4x2xf32>
    onnx.return %y : tensor<4x2xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<4x2xf32>):
    %shape = onnx.initializer "s" = dense<[3, 3]> : tensor<2xi64> to tensor<2xi64>
    // expected-error @below {{node 'n' (Reshape): it reshapes 8 elements to 9}}
    %y = onnx.node "Reshape"(%x, %shape) version 13 {} {node_name = "n"} : (tensor<4x2xf32>, tensor<2xi64>) -> tensor<3x3xf32>
    onnx.return %y : tensor<3x3xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<4x2xf32>):
    %axes = onnx.initializer "a" = dense<[0, 0]> : tensor<2xi64> to tensor<2xi64>
    // expected-error @below {{node 'n' (ReduceSum): axis 0 is named twice}}
    %y = onnx.node "ReduceSum"(%x, %axes) version 13 {} {node_name = "n"} : (tensor<4x2xf32>, tensor<2xi64>) -> tensor<1x1xf32>
    onnx.return %y : tensor<1x1xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [[""]] outputs ["y"] [[""]] {
  ^bb0(%x: tensor<4xf32>):
    %none = onnx.absent
    // expected-error @below {{node 'n' (Loop): it never ends}}
    %y = onnx.node "Loop"(%none, %none, %x) version 19 {body = #onnx.graph<0>} {node_name = "n"} : (none, none, tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%i: tensor<i64>, %going: tensor<i1>, %before: tensor<4xf32>):
      onnx.return %going, %before : tensor<i1>, tensor<4xf32>
    }
    onnx.return %y : tensor<4xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [[""]] outputs ["y"] [[""]] {
  ^bb0(%x: tensor<4xf32>):
    // expected-error @below {{node 'n' (Loop): it has no graph 'body'}}
    %y = onnx.node "Loop"(%x, %x, %x) version 19 {} {node_name = "n"} : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    onnx.return %y : tensor<4xf32>
  }
}

// -----

// expected-error @below {{If version 19: its branches give values of different rank or element type (1 node: n)}}
module {
  onnx.graph @main_graph inputs ["c", "x"] [[], [""]] outputs ["y"] [[""]] {
  ^bb0(%c: tensor<i1>, %x: tensor<4xf32>):
    %y = onnx.node "If"(%c) version 19 {then_branch = #onnx.graph<0>, else_branch = #onnx.graph<1>} {node_name = "n"} : (tensor<i1>) -> tensor<4xf32> {
      onnx.return %x : tensor<4xf32>
    }, {
      onnx.return %c : tensor<i1>
    }
    onnx.return %y : tensor<4xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x", "i", "u"] [["", ""], ["", ""], ["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<4x2xf32>, %i: tensor<3x1xi64>, %u: tensor<3x3xf32>):
    // expected-error @below {{node 'n' (ScatterND): sizes of its updates and of where they go differ: 2 and 3}}
    %y = onnx.node "ScatterND"(%x, %i, %u) version 18 {} {node_name = "n"} : (tensor<4x2xf32>, tensor<3x1xi64>, tensor<3x3xf32>) -> tensor<4x2xf32>
    onnx.return %y : tensor<4x2xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [[""]] outputs ["y"] [[""]] {
  // expected-error @below {{input 'x' has element type 'complex<f32>', which is not supported}}
  ^bb0(%x: tensor<4xcomplex<f32>>):
    onnx.return %x : tensor<4xcomplex<f32>>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["q", "k"] [["", "", "", ""], ["", "", "", ""]] outputs ["y"] [["", "", "", ""]] {
  ^bb0(%q: tensor<2x4x8x16xf32>, %k: tensor<2x3x8x16xf32>):
    // expected-error @below {{node 'n' (Attention): 4 query heads are no multiple of 3 key heads}}
    %y = onnx.node "Attention"(%q, %k, %k) version 24 {} {node_name = "n"} : (tensor<2x4x8x16xf32>, tensor<2x3x8x16xf32>, tensor<2x3x8x16xf32>) -> tensor<2x4x8x16xf32>
    onnx.return %y : tensor<2x4x8x16xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x", "s"] [["", ""], [""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<4x2xi8>, %s: tensor<3xf32>):
    // expected-error @below {{node 'n' (DequantizeLinear): numbers of scales and of elements differ: 3 and 4}}
    %y = onnx.node "DequantizeLinear"(%x, %s) version 21 {axis = 0 : i64} {node_name = "n"} : (tensor<4x2xi8>, tensor<3xf32>) -> tensor<4x2xf32>
    onnx.return %y : tensor<4x2xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x", "y", "w"] [["", ""], [""], []] outputs ["z"] [[]] {
  ^bb0(%x: tensor<3x5xf32>, %y: tensor<3xi64>, %w: tensor<f32>):
    // expected-error @below {{node 'n' (SoftmaxCrossEntropyLoss): its weights are no vector of the scores' type}}
    %z = onnx.node "SoftmaxCrossEntropyLoss"(%x, %y, %w) version 13 {} {node_name = "n"} : (tensor<3x5xf32>, tensor<3xi64>, tensor<f32>) -> tensor<f32>
    onnx.return %z : tensor<f32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<4x2xf32>):
    %s = onnx.node "SequenceConstruct"(%x) version 20 {} {node_name = "m"} : (tensor<4x2xf32>) -> !onnx.unknown
    // expected-error @below {{node 'n' (Add): input 1 is a sequence}}
    %y = onnx.node "Add"(%x, %s) version 20 {} {node_name = "n"} : (tensor<4x2xf32>, !onnx.unknown) -> tensor<4x2xf32>
    onnx.return %y : tensor<4x2xf32>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [["", ""]] outputs ["y"] [[]] {
  ^bb0(%x: tensor<4x2xf32>):
    // expected-error @below {{node 'n' (SequenceLength): input 0 is no sequence}}
    %y = onnx.node "SequenceLength"(%x) version 20 {} {node_name = "n"} : (tensor<4x2xf32>) -> tensor<i64>
    onnx.return %y : tensor<i64>
  }
}

// -----

module {
  onnx.graph @main_graph inputs ["x"] [["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%x: tensor<4x2xf32>):
    %two = onnx.initializer "two" = dense<2> : tensor<i64> to tensor<i64>
    %s = onnx.node "SplitToSequence"(%x) version 20 {axis = 1 : i64} {node_name = "m"} : (tensor<4x2xf32>) -> !onnx.unknown
    // expected-error @below {{node 'n' (SequenceAt): position 2 is outside a sequence of 2}}
    %y = onnx.node "SequenceAt"(%s, %two) version 20 {} {node_name = "n"} : (!onnx.unknown, tensor<i64>) -> tensor<4x1xf32>
    onnx.return %y : tensor<4x1xf32>
  }
}

// -----

module {
  // expected-error @below {{output 'y' is a sequence; make its tensors outputs}}
  onnx.graph @main_graph inputs ["x"] [["", ""]] outputs ["y"] [[]] {
  ^bb0(%x: tensor<4x2xf32>):
    %y = onnx.node "SequenceConstruct"(%x) version 20 {} {node_name = "n"} : (tensor<4x2xf32>) -> !onnx.unknown
    onnx.return %y : !onnx.unknown
  }
}
