// RUN: ds-opt %s --split-input-file --convert-onnx-to-ds --canonicalize --cse | FileCheck %s

// Branches that differ in a size give a dynamic one.
// CHECK-LABEL: func.func @graph(
// CHECK-SAME: %[[C:[^:]*]]: tensor<i1> {{.*}}, %[[X:[^:]*]]: tensor<4x2xf32>
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["c", "x"] [[], ["", ""]] outputs ["y"] [["", ""]] {
  ^bb0(%c: tensor<i1>, %x: tensor<4x2xf32>):
    // CHECK: %[[BIT:.*]] = tensor.extract %[[C]][]
    // CHECK: scf.if %[[BIT]] -> (tensor<?x2xf32>)
    // CHECK: ds.elementwise neg %[[X]]
    // CHECK: scf.yield %{{.*}} : tensor<?x2xf32>
    // CHECK: else
    // CHECK: ds.concat 0 %[[X]], %[[X]]
    // CHECK: scf.yield %{{.*}} : tensor<?x2xf32>
    %y = onnx.node "If"(%c) version 19 {then_branch = #onnx.graph<0>, else_branch = #onnx.graph<1>} : (tensor<i1>) -> tensor<?x2xf32> {
      %n = onnx.node "Neg"(%x) version 13 {} : (tensor<4x2xf32>) -> tensor<4x2xf32>
      onnx.return %n : tensor<4x2xf32>
    }, {
      %n = onnx.node "Concat"(%x, %x) version 13 {axis = 0 : i64} : (tensor<4x2xf32>, tensor<4x2xf32>) -> tensor<8x2xf32>
      onnx.return %n : tensor<8x2xf32>
    }
    onnx.return %y : tensor<?x2xf32>
  }
}

// -----

// A condition that is known leaves one branch; the other is not even converted
// where it stands.
// CHECK-LABEL: func.func @graph(
// CHECK-NOT: scf.if
// CHECK-NOT: ds.elementwise neg
// CHECK: ds.elementwise exp
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x"] [[""]] outputs ["y"] [[""]] {
  ^bb0(%x: tensor<4xf32>):
    %rank = onnx.node "Size"(%x) version 13 {} : (tensor<4xf32>) -> tensor<i64>
    %five = onnx.initializer "five" = dense<5> : tensor<i64> to tensor<i64>
    %c = onnx.node "Equal"(%rank, %five) version 13 {} : (tensor<i64>, tensor<i64>) -> tensor<i1>
    %y = onnx.node "If"(%c) version 19 {then_branch = #onnx.graph<0>, else_branch = #onnx.graph<1>} : (tensor<i1>) -> tensor<4xf32> {
      %n = onnx.node "Neg"(%x) version 13 {} : (tensor<4xf32>) -> tensor<4xf32>
      onnx.return %n : tensor<4xf32>
    }, {
      %n = onnx.node "Exp"(%x) version 13 {} : (tensor<4xf32>) -> tensor<4xf32>
      onnx.return %n : tensor<4xf32>
    }
    onnx.return %y : tensor<4xf32>
  }
}

// -----

// A loop whose condition only passes through is counted; its stack is made as
// long as it will be.
// CHECK-LABEL: func.func @graph(
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["m", "x"] [[], [""]] outputs ["y", "all"] [[""], ["", ""]] {
  ^bb0(%m: tensor<i64>, %x: tensor<2xf32>):
    // CHECK: %[[TRIP:.*]] = arith.maxsi
    // CHECK: %[[STACK:.*]] = tensor.empty(%[[TRIP]]) : tensor<?x2xf32>
    // CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[TRIP]] step %{{.*}} iter_args(%[[Y:.*]] = %{{.*}}, %[[ALL:.*]] = %[[STACK]])
    // CHECK: %[[NEXT:.*]] = ds.elementwise exp %[[Y]]
    // CHECK: tensor.insert_slice %[[NEXT]] into %[[ALL]][%[[I]], 0] [1, 2] [1, 1]
    // CHECK-NOT: scf.while
    %none = onnx.absent
    %y:2 = onnx.node "Loop"(%m, %none, %x) version 19 {body = #onnx.graph<0>} : (tensor<i64>, none, tensor<2xf32>) -> (tensor<2xf32>, tensor<?x2xf32>) {
    ^bb0(%i: tensor<i64>, %going: tensor<i1>, %before: tensor<2xf32>):
      %after = onnx.node "Exp"(%before) version 13 {} : (tensor<2xf32>) -> tensor<2xf32>
      onnx.return %going, %after, %after : tensor<i1>, tensor<2xf32>, tensor<2xf32>
    }
    onnx.return %y#0, %y#1 : tensor<2xf32>, tensor<?x2xf32>
  }
}

// -----

// A carried tensor that grows has no fixed size, and a condition of the body
// ends the loop: scf.while, with a stack that grows by doubling.
// CHECK-LABEL: func.func @graph(
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["x"] [[""]] outputs ["y", "all"] [[""], [""]] {
  ^bb0(%x: tensor<2xf32>):
    // CHECK: scf.while {{.*}} : (index, i1, tensor<?xf32>, tensor<?xf32>)
    // CHECK: scf.condition
    // CHECK: ds.concat 0
    // CHECK: scf.if
    // CHECK: tensor.empty
    // CHECK: scf.yield
    // CHECK: ds.slice
    %none = onnx.absent
    %limit = onnx.initializer "limit" = dense<9> : tensor<i64> to tensor<i64>
    %y:2 = onnx.node "Loop"(%none, %none, %x) version 19 {body = #onnx.graph<0>} : (none, none, tensor<2xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
    ^bb0(%i: tensor<i64>, %going: tensor<i1>, %before: tensor<?xf32>):
      %after = onnx.node "Concat"(%before, %x) version 13 {axis = 0 : i64} : (tensor<?xf32>, tensor<2xf32>) -> tensor<?xf32>
      %size = onnx.node "Size"(%after) version 13 {} : (tensor<?xf32>) -> tensor<i64>
      %more = onnx.node "Less"(%size, %limit) version 13 {} : (tensor<i64>, tensor<i64>) -> tensor<i1>
      %sum = onnx.node "ReduceSum"(%after) version 13 {keepdims = 0 : i64} : (tensor<?xf32>) -> tensor<f32>
      onnx.return %more, %after, %sum : tensor<i1>, tensor<?xf32>, tensor<f32>
    }
    onnx.return %y#0, %y#1 : tensor<?xf32>, tensor<?xf32>
  }
}

// -----

// Scan walks the second dimension backwards and stacks along it.
// CHECK-LABEL: func.func @graph(
module attributes {onnx.ir_version = 10 : i64} {
  onnx.graph @main_graph inputs ["s", "x"] [[""], ["", ""]] outputs ["y", "all"] [[""], ["", ""]] {
  ^bb0(%s: tensor<2xf32>, %x: tensor<2x3xf32>):
    // CHECK: %[[LAST:.*]] = arith.constant 2 : index
    // CHECK: scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step
    // CHECK: %[[AT:.*]] = arith.subi %[[LAST]], %[[I]]
    // CHECK: ds.slice %{{.*}} [0, %[[AT]]] [2, 1] [1, 1]
    // CHECK: tensor.insert_slice
    // CHECK: ds.transpose %{{.*}} [1, 0] : tensor<3x2xf32> to tensor<2x3xf32>
    %y:2 = onnx.node "Scan"(%s, %x) version 19 {body = #onnx.graph<0>, num_scan_inputs = 1 : i64, scan_input_axes = array<i64: 1>, scan_input_directions = array<i64: 1>, scan_output_axes = array<i64: 1>} : (tensor<2xf32>, tensor<2x3xf32>) -> (tensor<2xf32>, tensor<2x3xf32>) {
    ^bb0(%before: tensor<2xf32>, %column: tensor<2xf32>):
      %after = onnx.node "Add"(%before, %column) version 13 {} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      onnx.return %after, %after : tensor<2xf32>, tensor<2xf32>
    }
    onnx.return %y#0, %y#1 : tensor<2xf32>, tensor<2x3xf32>
  }
}
