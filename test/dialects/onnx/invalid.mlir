// RUN: ds-opt %s -split-input-file -verify-diagnostics

// expected-error @below {{'onnx.graph' op C1: names 2 inputs, its body has 1}}
onnx.graph @g inputs ["x", "z"] [[], []] outputs ["x"] [[]] {
^bb0(%x: tensor<f32>):
  onnx.return %x : tensor<f32>
}

// -----

// expected-error @below {{'onnx.graph' op C2: names 0 outputs, its body returns 1}}
onnx.graph @g inputs ["x"] [[]] outputs [] [] {
^bb0(%x: tensor<f32>):
  onnx.return %x : tensor<f32>
}

// -----

// expected-error @below {{'onnx.graph' op C3: input_dims[0] names 1 dimensions of a tensor of rank 2}}
onnx.graph @g inputs ["x"] [["n"]] outputs ["x"] [["n", ""]] {
^bb0(%x: tensor<?x2xf32>):
  onnx.return %x : tensor<?x2xf32>
}

// -----

// expected-error @below {{'onnx.graph' op C3: input_dims[0] must be an array of strings}}
onnx.graph @g inputs ["x"] [3 : i64] outputs ["x"] [[]] {
^bb0(%x: tensor<f32>):
  onnx.return %x : tensor<f32>
}

// -----

// expected-error @below {{'onnx.graph' op C4: output_dims has 2 entries for 1 values}}
onnx.graph @g inputs ["x"] [[]] outputs ["x"] [[], []] {
^bb0(%x: tensor<f32>):
  onnx.return %x : tensor<f32>
}

// -----

// expected-error @below {{'onnx.graph' op C2: must end with onnx.return}}
onnx.graph @g inputs [] [] outputs [] [] {
  %0 = onnx.absent
}

// -----

// expected-error @below {{'onnx.function' op C2: names 2 outputs, its body returns 1}}
onnx.function attributes {domain = "d", name = "f", overload = "", input_names = ["x"], output_names = ["y", "z"],
                          attr_names = [], defaults = {}, opset_imports = {}} {
^bb0(%x: !onnx.unknown):
  onnx.return %x : !onnx.unknown
}

// -----

// expected-error @below {{'onnx.file_range' C1: '/etc/passwd' must be a path inside the model's folder}}
module attributes {test.a = #onnx.file_range<"/etc/passwd", 0, 4>} {}

// -----

// expected-error @below {{'onnx.file_range' C1: 'a/../../b' must be a path inside the model's folder}}
module attributes {test.a = #onnx.file_range<"a/../../b", 0, 4>} {}

// -----

// expected-error @below {{'onnx.file_range' C2: bytes 9223372036854775807+4 lie beyond the end of any file}}
module attributes {test.a = #onnx.file_range<"a", 9223372036854775807, 4>} {}

// -----

onnx.graph @g inputs [] [] outputs ["w"] [[""]] {
  // expected-error @below {{'onnx.initializer' op C4: has a range of 4 bytes, 'tensor<2xf32>' needs 8}}
  %w = onnx.initializer "w" = #onnx.file_range<"m", 0, 4> to tensor<2xf32>
  onnx.return %w : tensor<2xf32>
}

// -----

onnx.graph @g inputs [] [] outputs ["w"] [[""]] {
  // expected-error @below {{'onnx.initializer' op C3: holds a value of type 'tensor<1xf32>', its result is 'tensor<2xf32>'}}
  %w = onnx.initializer "w" = dense<1.0> : tensor<1xf32> to tensor<2xf32>
  onnx.return %w : tensor<2xf32>
}

// -----

onnx.graph @g inputs [] [] outputs ["w"] [[""]] {
  // expected-error @below {{'onnx.initializer' op C1: must give a tensor of fixed shape, not 'tensor<?xf32>'}}
  %w = onnx.initializer "w" = #onnx.file_range<"m", 0, 4> to tensor<?xf32>
  onnx.return %w : tensor<?xf32>
}

// -----

onnx.graph @g inputs [] [] outputs ["w"] [[""]] {
  // expected-error @below {{'onnx.initializer' op C2: value must be elements or #onnx.file_range}}
  %w = onnx.initializer "w" = "text" to tensor<2xf32>
  onnx.return %w : tensor<2xf32>
}

// -----

onnx.graph @g inputs [] [] outputs ["w"] [[""]] {
  // expected-error @below {{'onnx.initializer' op C2: strings cannot be a range of a file}}
  %w = onnx.initializer "w" = #onnx.file_range<"m", 0, 4> to tensor<2x!onnx.string>
  onnx.return %w : tensor<2x!onnx.string>
}

// -----

onnx.graph @g inputs ["x"] [[]] outputs ["x"] [[]] {
^bb0(%x: tensor<f32>):
  // expected-error @below {{'onnx.node' op C1: version must be at least 1, not 0}}
  %y = onnx.node "Neg"(%x) version 0 {} : (tensor<f32>) -> tensor<f32>
  onnx.return %x : tensor<f32>
}

// -----

onnx.graph @g inputs ["x"] [[]] outputs ["x"] [[]] {
^bb0(%x: tensor<f32>):
  // expected-error @below {{'onnx.node' op C2: refers to graph 0, it has 0}}
  onnx.node "If"(%x) version 13 {then_branch = #onnx.graph<0>} : (tensor<f32>) -> ()
  onnx.return %x : tensor<f32>
}

// -----

onnx.graph @g inputs ["x"] [[]] outputs ["x"] [[]] {
^bb0(%x: tensor<f32>):
  // expected-error @below {{'onnx.node' op C2: refers to graph 0 twice}}
  onnx.node "If"(%x) version 13 {then_branch = #onnx.graph<0>, more = [#onnx.graph<0>]} : (tensor<f32>) -> () {
    onnx.return
  }
  onnx.return %x : tensor<f32>
}

// -----

onnx.graph @g inputs ["x"] [[]] outputs ["x"] [[]] {
^bb0(%x: tensor<f32>):
  // expected-error @below {{'onnx.node' op C2: has a graph that no attribute refers to}}
  onnx.node "If"(%x) version 13 {} : (tensor<f32>) -> () {
    onnx.return
  }
  onnx.return %x : tensor<f32>
}

// -----

// expected-error @below {{'onnx.return' op expects parent op to be one of}}
builtin.module { "onnx.return"() : () -> () }

// -----

// expected-error @below {{'onnx.graph' op C3: input_dims has 0 entries for 1 values}}
onnx.graph @g inputs ["x"] [] outputs ["x"] [[]] {
^bb0(%x: tensor<f32>):
  onnx.return %x : tensor<f32>
}

// -----

// expected-error @below {{'onnx.function' op C1: names 2 inputs, its body has 1}}
onnx.function attributes {domain = "d", name = "f", overload = "", input_names = ["x", "y"], output_names = ["x"],
                          attr_names = [], defaults = {}, opset_imports = {}} {
^bb0(%x: !onnx.unknown):
  onnx.return %x : !onnx.unknown
}

// -----

// expected-error @below {{'onnx.function' op C2: must end with onnx.return}}
onnx.function attributes {domain = "d", name = "f", overload = "", input_names = [], output_names = [],
                          attr_names = [], defaults = {}, opset_imports = {}} {
  %0 = onnx.absent
}

// -----

onnx.graph @g inputs ["x"] [[]] outputs ["x"] [[]] {
^bb0(%x: tensor<f32>):
  // expected-error @below {{'onnx.node' op C3: a graph must end with onnx.return}}
  onnx.node "If"(%x) version 13 {then_branch = #onnx.graph<0>} : (tensor<f32>) -> () {
    %0 = onnx.absent
  }
  onnx.return %x : tensor<f32>
}
