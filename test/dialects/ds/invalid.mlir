// RUN: ds-opt %s -split-input-file -verify-diagnostics

// One case for every message of the verifiers. The op, the constraint and its
// number are those of the descriptions in dialects/ds/IR/*.td;
// constraints.test holds the three together.

// Parameters

// expected-error @below {{'ds.file_range' C1: the file has no name}}
module attributes {test.a = #ds.file_range<"", 0, 4>} {}

// -----

// expected-error @below {{'ds.file_range' C1: bytes 9223372036854775807+4 of 'a' lie beyond the end of any file}}
module attributes {test.a = #ds.file_range<"a", 9223372036854775807, 4>} {}

// -----

// expected-error @below {{'ds.parameter' op C1: its type is 'tensor<?xf32>', expected a tensor of fixed shape of integers or floats}}
ds.parameter @w : tensor<?xf32> = [#ds.file_range<"f", 0, 16>]

// -----

// expected-error @below {{'ds.parameter' op C2: its source is "f", expected elements, an array of #ds.file_range or #ds.computed}}
ds.parameter @w : tensor<4xf32> = "f"

// -----

// expected-error @below {{'ds.parameter' op C2: its source is [1], expected elements, an array of #ds.file_range or #ds.computed}}
ds.parameter @w : tensor<4xf32> = [1]

// -----

// expected-error @below {{'ds.parameter' op C3: its ranges hold 12 bytes, expected 16 for 'tensor<4xf32>'}}
ds.parameter @w : tensor<4xf32> = [#ds.file_range<"f", 0, 8>, #ds.file_range<"f", 8, 4>]

// -----

// Half a byte is a byte.
// expected-error @below {{'ds.parameter' op C3: its ranges hold 4 bytes, expected 5 for 'tensor<3x3xi4>'}}
ds.parameter @w : tensor<3x3xi4> = [#ds.file_range<"f", 0, 4>]

// -----

// expected-error @below {{'ds.parameter' op C4: it holds a value of type 'tensor<2xf32>', expected 'tensor<4xf32>'}}
ds.parameter @w : tensor<4xf32> = dense<0.0> : tensor<2xf32>

// -----

func.func @f() {
  // expected-error @below {{'ds.load_parameter' op C1: @w is not a ds.parameter of the module}}
  %0 = ds.load_parameter @w : tensor<4xf32>
  return
}

// -----

func.func @w() {
  // expected-error @below {{'ds.load_parameter' op C1: @w is not a ds.parameter of the module}}
  %0 = ds.load_parameter @w : tensor<4xf32>
  return
}

// -----

ds.parameter @w : tensor<4xf32> = dense<0.0> : tensor<4xf32>
func.func @f() {
  // expected-error @below {{'ds.load_parameter' op C2: its result is 'tensor<4xbf16>', expected 'tensor<4xf32>', the type of @w}}
  %0 = ds.load_parameter @w : tensor<4xbf16>
  return
}

// -----

// Entries

// expected-error @below {{'ds.entry' C1: found "main", expected "graph", "step", "draft", "route_bias" or "parameter" on a function}}
func.func @f() attributes {ds.entry = "main"} {
  return
}

// -----

// expected-error @below {{'ds.entry' C1: found "graph", expected "graph", "step", "draft", "route_bias" or "parameter" on a function}}
module attributes {ds.entry = "graph"} {}

// -----

// expected-error @below {{'ds.entry' C2: argument 1 has no ds.name}}
func.func @f(%x: tensor<f32> {ds.name = "x"}, %y: tensor<f32>) attributes {ds.entry = "graph"} {
  return
}

// -----

// expected-error @below {{'ds.entry' C2: result 0 has no ds.name}}
func.func @f(%x: tensor<f32> {ds.name = "x"}) -> tensor<f32> attributes {ds.entry = "step"} {
  return %x : tensor<f32>
}

// -----

// expected-error @below {{'ds.entry' C3: two arguments are called "x"}}
func.func @f(%x: tensor<f32> {ds.name = "x"}, %y: tensor<f32> {ds.name = "x"}) attributes {ds.entry = "graph"} {
  return
}

// -----

// expected-error @below {{'ds.entry' C3: two results are called "y"}}
func.func @f(%x: tensor<f32> {ds.name = "y"}) -> (tensor<f32> {ds.name = "y"}, tensor<f32> {ds.name = "y"})
    attributes {ds.entry = "graph"} {
  return %x, %x : tensor<f32>, tensor<f32>
}

// -----

// expected-error @below {{'ds.entry' C4: ds.dims is ["n"], expected one string per dimension of 'tensor<?x4xf32>'}}
func.func @f(%x: tensor<?x4xf32> {ds.dims = ["n"]}) {
  return
}

// -----

// expected-error @below {{'ds.entry' C4: ds.dims is [3], expected one string per dimension of 'tensor<?xf32>'}}
func.func private @f() -> (tensor<?xf32> {ds.dims = [3]})

// -----

// Token-wise ops

func.func @f(%i: tensor<3xf32>, %t: tensor<9x4xf32>) {
  // expected-error @below {{'ds.embedding' op C1: ids has elements of type 'f32', expected integers}}
  %0 = ds.embedding %i, %t : tensor<3xf32>, tensor<9x4xf32> to tensor<3x4xf32>
  return
}

// -----

func.func @f(%i: tensor<3xi64>, %t: tensor<9xf32>) {
  // expected-error @below {{'ds.embedding' op C2: table has rank 1, expected 2}}
  %0 = ds.embedding %i, %t : tensor<3xi64>, tensor<9xf32> to tensor<3x4xf32>
  return
}

// -----

func.func @f(%i: tensor<3xi64>, %t: tensor<9x4xf32>) {
  // expected-error @below {{'ds.embedding' op C3: the result has shape [3, 5], expected [3, 4]}}
  %0 = ds.embedding %i, %t : tensor<3xi64>, tensor<9x4xf32> to tensor<3x5xf32>
  return
}

// -----

func.func @f(%i: tensor<3xi64>, %t: tensor<9x4xi8>) {
  // expected-error @below {{'ds.embedding' op C4: table has elements of type 'i8', expected floats}}
  %0 = ds.embedding %i, %t : tensor<3xi64>, tensor<9x4xi8> to tensor<3x4xf32>
  return
}

// -----

func.func @f(%i: tensor<3xi64>, %t: tensor<9x4xbf16>) {
  // expected-error @below {{'ds.embedding' op C4: the result has elements of type 'f16', expected one that holds every 'bf16'}}
  %0 = ds.embedding %i, %t : tensor<3xi64>, tensor<9x4xbf16> to tensor<3x4xf16>
  return
}

// -----

func.func @f(%x: tensor<2x4xi32>, %w: tensor<4xf32>) {
  // expected-error @below {{'ds.rms_norm' op C1: input has elements of type 'i32', expected floats}}
  %0 = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<2x4xi32>, tensor<4xf32> to tensor<2x4xi32>
  return
}

// -----

func.func @f(%x: tensor<f32>, %w: tensor<4xf32>) {
  // expected-error @below {{'ds.rms_norm' op C1: input has rank 0, expected at least 1}}
  %0 = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<f32>, tensor<4xf32> to tensor<f32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %w: tensor<5xf32>) {
  // expected-error @below {{'ds.rms_norm' op C2: weight has size 5 in dimension 0, expected 4 (the input's last size)}}
  %0 = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<2x4xf32>, tensor<5xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %w: tensor<4xf32>) {
  // expected-error @below {{'ds.rms_norm' op C3: the result has shape [4], expected [2, 4]}}
  %0 = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<2x4xf32>, tensor<4xf32> to tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %w: tensor<4xf32>) {
  // expected-error @below {{'ds.rms_norm' op C4: epsilon is -1.000000e+00, expected a number from 0 on}}
  %0 = ds.rms_norm %x, %w epsilon -1.0 : tensor<2x4xf32>, tensor<4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<3x2x8xf32>, %c: tensor<3x4xi32>, %s: tensor<3x4xi32>) {
  // expected-error @below {{'ds.rope' op C1: cos has elements of type 'i32', expected floats}}
  %0 = ds.rope %x, %c, %s halves to halves : tensor<3x2x8xf32>, tensor<3x4xi32>, tensor<3x4xi32> to tensor<3x2x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8xf32>, %c: tensor<4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{'ds.rope' op C1: input has rank 1, expected at least 2}}
  %0 = ds.rope %x, %c, %s halves to halves : tensor<8xf32>, tensor<4xf32>, tensor<4xf32> to tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<3x2x7xf32>, %c: tensor<3x4xf32>, %s: tensor<3x4xf32>) {
  // expected-error @below {{'ds.rope' op C1: the input's last size is 7, expected an even number}}
  %0 = ds.rope %x, %c, %s halves to halves : tensor<3x2x7xf32>, tensor<3x4xf32>, tensor<3x4xf32> to tensor<3x2x7xf32>
  return
}

// -----

func.func @f(%x: tensor<3x2x?xf32>, %c: tensor<3x4xf32>, %s: tensor<3x4xf32>) {
  // expected-error @below {{'ds.rope' op C1: the input's last size is ?, expected an even number}}
  %0 = ds.rope %x, %c, %s halves to halves : tensor<3x2x?xf32>, tensor<3x4xf32>, tensor<3x4xf32> to tensor<3x2x?xf32>
  return
}

// -----

func.func @f(%x: tensor<3x2x8xf32>, %c: tensor<3x4xf32>, %s: tensor<3x4xf16>) {
  // expected-error @below {{'ds.rope' op C2: sin is 'tensor<3x4xf16>', expected 'tensor<3x4xf32>', the type of cos}}
  %0 = ds.rope %x, %c, %s halves to halves : tensor<3x2x8xf32>, tensor<3x4xf32>, tensor<3x4xf16> to tensor<3x2x8xf32>
  return
}

// -----

func.func @f(%x: tensor<3x2x32xf32>, %c: tensor<3x12xf32>, %s: tensor<3x12xf32>) {
  // expected-error @below {{'ds.rope' op C3: cos has size 12 in its last dimension, expected half of the input's 32}}
  %0 = ds.rope %x, %c, %s halves to halves : tensor<3x2x32xf32>, tensor<3x12xf32>, tensor<3x12xf32> to tensor<3x2x32xf32>
  return
}

// -----

func.func @f(%x: tensor<3x2x8xf32>, %c: tensor<3x2x4xf32>, %s: tensor<3x2x4xf32>) {
  // expected-error @below {{'ds.rope' op C3: cos has shape [3, 2, 4], expected [3, 4]}}
  %0 = ds.rope %x, %c, %s halves to halves : tensor<3x2x8xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32> to tensor<3x2x8xf32>
  return
}

// -----

func.func @f(%x: tensor<3x2x8xf32>, %c: tensor<3x4xf32>, %s: tensor<3x4xf32>) {
  // expected-error @below {{'ds.rope' op C4: the result has shape [3, 16], expected [3, 2, 8]}}
  %0 = ds.rope %x, %c, %s halves to halves : tensor<3x2x8xf32>, tensor<3x4xf32>, tensor<3x4xf32> to tensor<3x16xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %w: tensor<3x4xi8>) {
  // expected-error @below {{'ds.linear' op C1: weight has elements of type 'i8', expected floats}}
  %0 = ds.linear %x, %w : tensor<2x4xf32>, tensor<3x4xi8> to tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<f32>, %w: tensor<3x4xf32>) {
  // expected-error @below {{'ds.linear' op C1: input has rank 0, expected at least 1}}
  %0 = ds.linear %x, %w : tensor<f32>, tensor<3x4xf32> to tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %w: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.linear' op C1: weight has rank 3, expected 2}}
  %0 = ds.linear %x, %w : tensor<2x4xf32>, tensor<1x3x4xf32> to tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %w: tensor<4x3xf32>) {
  // expected-error @below {{'ds.linear' op C2: weight has size 3 in dimension 1, expected 4 (the input's last size)}}
  %0 = ds.linear %x, %w : tensor<2x4xf32>, tensor<4x3xf32> to tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'ds.linear' op C3: bias has size 4 in dimension 0, expected 3 (the weight's first size)}}
  %0 = ds.linear %x, %w bias %b : tensor<4xf32> : tensor<2x4xf32>, tensor<3x4xf32> to tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) {
  // expected-error @below {{'ds.linear' op C4: the result has shape [2, 4], expected [2, 3]}}
  %0 = ds.linear %x, %w : tensor<2x4xf32>, tensor<3x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%g: tensor<4xf32>, %u: tensor<4xf16>) {
  // expected-error @below {{'ds.swiglu' op C1: up has elements of type 'f16', expected 'f32'}}
  %0 = ds.swiglu %g, %u : tensor<4xf32>, tensor<4xf16> to tensor<4xf32>
  return
}

// -----

func.func @f(%g: tensor<4xi32>, %u: tensor<4xi32>) {
  // expected-error @below {{'ds.swiglu' op C1: gate has elements of type 'i32', expected floats}}
  %0 = ds.swiglu %g, %u : tensor<4xi32>, tensor<4xi32> to tensor<4xi32>
  return
}

// -----

func.func @f(%g: tensor<4xf32>, %u: tensor<1xf32>) {
  // expected-error @below {{'ds.swiglu' op C2: up has shape [1], expected [4]}}
  %0 = ds.swiglu %g, %u : tensor<4xf32>, tensor<1xf32> to tensor<4xf32>
  return
}

// -----

func.func @f(%g: tensor<?xf32>, %u: tensor<4xf32>) {
  // expected-error @below {{'ds.swiglu' op C2: the result has shape [5], expected [4]}}
  %0 = ds.swiglu %g, %u : tensor<?xf32>, tensor<4xf32> to tensor<5xf32>
  return
}

// -----

// Attention

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) {
  // expected-error @below {{'ds.attention' op C1: query has rank 3, expected 4}}
  %0 = ds.attention %q, %k, %v scale 0.25 : tensor<3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<2x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) {
  // expected-error @below {{'ds.attention' op C1: key has size 2 in dimension 0, expected 1 (the query's batch)}}
  %0 = ds.attention %q, %k, %v scale 0.25 : tensor<1x3x4x8xf32>, tensor<2x2x5x8xf32>, tensor<1x2x5x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x4x5x6xf32>) {
  // expected-error @below {{'ds.attention' op C2: value has size 4 in dimension 1, expected 2 (the key's heads)}}
  %0 = ds.attention %q, %k, %v scale 0.25 : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x4x5x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x6x6xf32>) {
  // expected-error @below {{'ds.attention' op C2: value has size 6 in dimension 2, expected 5 (the key's rows)}}
  %0 = ds.attention %q, %k, %v scale 0.25 : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x6x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x3x5x8xf32>, %v: tensor<1x3x5x6xf32>) {
  // expected-error @below {{'ds.attention' op C3: query has 4 heads, expected a multiple of the 3 of key and value}}
  %0 = ds.attention %q, %k, %v scale 0.25 : tensor<1x3x4x8xf32>, tensor<1x3x5x8xf32>, tensor<1x3x5x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x9xf32>, %v: tensor<1x2x5x6xf32>) {
  // expected-error @below {{'ds.attention' op C4: key has size 9 in dimension 3, expected 8 (the query's width)}}
  %0 = ds.attention %q, %k, %v scale 0.25 : tensor<1x3x4x8xf32>, tensor<1x2x5x9xf32>, tensor<1x2x5x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %m: tensor<3x5xi8>) {
  // expected-error @below {{'ds.attention' op C5: mask has elements of type 'i8', expected i1 or floats}}
  %0 = ds.attention %q, %k, %v mask %m : tensor<3x5xi8> scale 0.25 : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %m: tensor<2x5xi1>) {
  // expected-error @below {{'ds.attention' op C5: mask has shape [2, 5], expected one that broadcasts to [1, 4, 3, 5]}}
  %0 = ds.attention %q, %k, %v mask %m : tensor<2x5xi1> scale 0.25 : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %m: tensor<1x1x1x3x5xf32>) {
  // expected-error @below {{'ds.attention' op C5: mask has shape [1, 1, 1, 3, 5], expected one that broadcasts to [1, 4, 3, 5]}}
  %0 = ds.attention %q, %k, %v mask %m : tensor<1x1x1x3x5xf32> scale 0.25 : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xi8>, %v: tensor<1x2x5x6xf32>) {
  // expected-error @below {{'ds.attention' op C6: key has elements of type 'i8', expected floats}}
  %0 = ds.attention %q, %k, %v scale 0.25 : tensor<1x3x4x8xf32>, tensor<1x2x5x8xi8>, tensor<1x2x5x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) {
  // expected-error @below {{'ds.attention' op C6: the result has elements of type 'f16', expected 'f32'}}
  %0 = ds.attention %q, %k, %v scale 0.25 : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> to tensor<1x3x4x6xf16>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) {
  // expected-error @below {{'ds.attention' op C7: the result has shape [1, 3, 4, 8], expected [1, 3, 4, 6]}}
  %0 = ds.attention %q, %k, %v scale 0.25 : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> to tensor<1x3x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) {
  // expected-error @below {{'ds.attention' op C8: scale is}}
  %0 = ds.attention %q, %k, %v scale 0x7FF0000000000000 : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> to tensor<1x3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<2x5x6xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C1: value has rank 3, expected 4}}
  %0:3 = ds.online_attention %q, %k, %v scale 0.25 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<2x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C1: key has size 2 in dimension 0, expected 1 (the query's batch)}}
  %0:3 = ds.online_attention %q, %k, %v scale 0.25 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<2x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x6x6xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C2: value has size 6 in dimension 2, expected 5 (the key's rows)}}
  %0:3 = ds.online_attention %q, %k, %v scale 0.25 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x6x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x3x5x8xf32>, %v: tensor<1x3x5x6xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C3: query has 4 heads, expected a multiple of the 3 of key and value}}
  %0:3 = ds.online_attention %q, %k, %v scale 0.25 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<1x3x5x8xf32>, tensor<1x3x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x9xf32>, %v: tensor<1x2x5x6xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C4: key has size 9 in dimension 3, expected 8 (the query's width)}}
  %0:3 = ds.online_attention %q, %k, %v scale 0.25 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<1x2x5x9xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf32>, %mask: tensor<2x5xi1>) {
  // expected-error @below {{'ds.online_attention' op C5: mask has shape [2, 5], expected one that broadcasts to [1, 4, 3, 5]}}
  %0:3 = ds.online_attention %q, %k, %v mask %mask : tensor<2x5xi1> scale 0.25 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xi8>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C6: query has elements of type 'i8', expected floats}}
  %0:3 = ds.online_attention %q, %k, %v scale 0.25 into %a, %m, %s : tensor<1x3x4x8xi8>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %a: tensor<1x3x4x6xf16>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C7: accumulator has elements of type 'f16', expected f32 or f64}}
  %0:3 = ds.online_attention %q, %k, %v scale 0.25 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf16>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf64>) {
  // expected-error @below {{'ds.online_attention' op C7: sum has elements of type 'f64', expected 'f32'}}
  %0:3 = ds.online_attention %q, %k, %v scale 0.25 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf64>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %a: tensor<1x3x4x8xf32>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C8: accumulator has shape [1, 3, 4, 8], expected [1, 3, 4, 6]}}
  %0:3 = ds.online_attention %q, %k, %v scale 0.25 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x8xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x4x3xf32>, %s: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C8: maximum has shape [1, 4, 3], expected [1, 3, 4]}}
  %0:3 = ds.online_attention %q, %k, %v scale 0.25 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x4x3xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>, %s: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C9: scale is}}
  %0:3 = ds.online_attention %q, %k, %v scale 0x7FF0000000000000 into %a, %m, %s : tensor<1x3x4x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @f(%s: tensor<1x4xi32>, %p: tensor<3xi32>, %n: index) {
  // expected-error @below {{'ds.token_positions' op C1: row_start has rank 2, expected 1}}
  %0 = ds.token_positions %s, %p, %n : tensor<1x4xi32>, tensor<3xi32> to tensor<?xi32>
  return
}

// -----

func.func @f(%s: tensor<4xi64>, %p: tensor<3xi32>, %n: index) {
  // expected-error @below {{'ds.token_positions' op C1: row_start has elements of type 'i64', expected 'i32'}}
  %0 = ds.token_positions %s, %p, %n : tensor<4xi64>, tensor<3xi32> to tensor<?xi32>
  return
}

// -----

func.func @f(%s: tensor<0xi32>, %p: tensor<3xi32>, %n: index) {
  // expected-error @below {{'ds.token_positions' op C1: row_start has no entry, expected one more than there are sequences}}
  %0 = ds.token_positions %s, %p, %n : tensor<0xi32>, tensor<3xi32> to tensor<?xi32>
  return
}

// -----

func.func @f(%s: tensor<4xi32>, %p: tensor<4xi32>, %n: index) {
  // expected-error @below {{'ds.token_positions' op C1: past_length has size 4 in dimension 0, expected 3 (the number of sequences)}}
  %0 = ds.token_positions %s, %p, %n : tensor<4xi32>, tensor<4xi32> to tensor<?xi32>
  return
}

// -----

func.func @f(%s: tensor<4xi32>, %p: tensor<3xi32>, %n: index) {
  // expected-error @below {{'ds.token_positions' op C2: the result has elements of type 'i64', expected 'i32'}}
  %0 = ds.token_positions %s, %p, %n : tensor<4xi32>, tensor<3xi32> to tensor<?xi64>
  return
}

// -----

func.func @f(%s: tensor<4xi32>, %p: tensor<3xi32>, %n: index) {
  // expected-error @below {{'ds.token_positions' op C2: the result has rank 2, expected 1}}
  %0 = ds.token_positions %s, %p, %n : tensor<4xi32>, tensor<3xi32> to tensor<?x1xi32>
  return
}

// -----

func.func @f(%x: tensor<9x8xf32>, %c: tensor<8x2x32x4xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cache_append' op C1: rows has rank 2, expected 3}}
  %0 = ds.cache_append %x into %c at %s, %p, %l : tensor<9x8xf32>, tensor<8x2x32x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<8x2x32x4xf32>
  return
}

// -----

func.func @f(%x: tensor<9x2x4xf32>, %c: tensor<8x2x32x4xi8>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cache_append' op C1: cache has elements of type 'i8', expected floats}}
  %0 = ds.cache_append %x into %c at %s, %p, %l : tensor<9x2x4xf32>, tensor<8x2x32x4xi8>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<8x2x32x4xi8>
  return
}

// -----

func.func @f(%x: tensor<9x3x4xf32>, %c: tensor<8x2x32x4xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cache_append' op C2: rows has size 3 in dimension 1, expected 2 (the cache's heads)}}
  %0 = ds.cache_append %x into %c at %s, %p, %l : tensor<9x3x4xf32>, tensor<8x2x32x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<8x2x32x4xf32>
  return
}

// -----

func.func @f(%x: tensor<9x2x5xf32>, %c: tensor<8x2x32x4xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cache_append' op C2: rows has size 5 in dimension 2, expected 4 (the cache's width)}}
  %0 = ds.cache_append %x into %c at %s, %p, %l : tensor<9x2x5xf32>, tensor<8x2x32x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<8x2x32x4xf32>
  return
}

// -----

func.func @f(%x: tensor<9x2x4xf32>, %c: tensor<8x2x32x4xf32>, %s: tensor<?xi32>, %p: tensor<3xi32>, %l: tensor<2xi32>) {
  // expected-error @below {{'ds.cache_append' op C3: cache_slot has size 2 in dimension 0, expected 3 (the number of sequences)}}
  %0 = ds.cache_append %x into %c at %s, %p, %l : tensor<9x2x4xf32>, tensor<8x2x32x4xf32>, tensor<?xi32>, tensor<3xi32>, tensor<2xi32> to tensor<8x2x32x4xf32>
  return
}

// -----

func.func @f(%x: tensor<9x2x4xf32>, %c: tensor<8x2x32x4xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cache_append' op C4: the result is 'tensor<8x2x32x4xbf16>', expected 'tensor<8x2x32x4xf32>', the type of cache}}
  %0 = ds.cache_append %x into %c at %s, %p, %l : tensor<9x2x4xf32>, tensor<8x2x32x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<8x2x32x4xbf16>
  return
}

// -----

func.func @f(%q: tensor<1x9x4x4xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<8x2x32x6xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C1: query has rank 4, expected 3}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0.25 : tensor<1x9x4x4xf32>, tensor<8x2x32x4xf32>, tensor<8x2x32x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<9x4x4xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<8x2x32x6xi8>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C1: value has elements of type 'i8', expected floats}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0.25 : tensor<9x4x4xf32>, tensor<8x2x32x4xf32>, tensor<8x2x32x6xi8>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<9x4x4xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<7x2x32x6xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C2: value has size 7 in dimension 0, expected 8 (the key's slots)}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0.25 : tensor<9x4x4xf32>, tensor<8x2x32x4xf32>, tensor<7x2x32x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<9x4x4xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<8x4x32x6xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C2: value has size 4 in dimension 1, expected 2 (the key's heads)}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0.25 : tensor<9x4x4xf32>, tensor<8x2x32x4xf32>, tensor<8x4x32x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<9x4x4xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<8x2x31x6xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C2: value has size 31 in dimension 2, expected 32 (the key's length)}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0.25 : tensor<9x4x4xf32>, tensor<8x2x32x4xf32>, tensor<8x2x31x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<9x3x4xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<8x2x32x6xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C3: query has 3 heads, expected a multiple of the 2 of key and value}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0.25 : tensor<9x3x4xf32>, tensor<8x2x32x4xf32>, tensor<8x2x32x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x6xf32>
  return
}

// -----

func.func @f(%q: tensor<9x4x5xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<8x2x32x6xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C4: key has size 4 in dimension 3, expected 5 (the query's width)}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0.25 : tensor<9x4x5xf32>, tensor<8x2x32x4xf32>, tensor<8x2x32x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<9x4x4xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<8x2x32x6xf32>, %s: tensor<?xi32>, %p: tensor<?xi64>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C5: past_length has elements of type 'i64', expected 'i32'}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0.25 : tensor<9x4x4xf32>, tensor<8x2x32x4xf32>, tensor<8x2x32x6xf32>, tensor<?xi32>, tensor<?xi64>, tensor<?xi32> to tensor<9x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<9x4x4xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<8x2x32x6xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C6: the result has shape [9, 4, 4], expected [9, 4, 6]}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0.25 : tensor<9x4x4xf32>, tensor<8x2x32x4xf32>, tensor<8x2x32x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x4x4xf32>
  return
}

// -----

func.func @f(%q: tensor<9x4x4xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<8x2x32x6xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C6: the result has elements of type 'f16', expected 'f32'}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0.25 : tensor<9x4x4xf32>, tensor<8x2x32x4xf32>, tensor<8x2x32x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x4x6xf16>
  return
}

// -----

func.func @f(%q: tensor<9x4x4xf32>, %k: tensor<8x2x32x4xf32>, %v: tensor<8x2x32x6xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %l: tensor<?xi32>) {
  // expected-error @below {{'ds.cached_attention' op C7: scale is}}
  %0 = ds.cached_attention %q, %k, %v at %s, %p, %l scale 0x7FF8000000000000 : tensor<9x4x4xf32>, tensor<8x2x32x4xf32>, tensor<8x2x32x6xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x4x6xf32>
  return
}

// -----

// Elementwise ops

func.func @f(%x0: tensor<2x4xf32>) {
  // expected-error @below {{'ds.elementwise' op C1: add has 1 operands, expected 2}}
  %0 = ds.elementwise add %x0 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x4xf32>, %x1: tensor<2x4xf32>) {
  // expected-error @below {{'ds.elementwise' op C1: select has 2 operands, expected 3}}
  %0 = ds.elementwise select %x0, %x1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x4xf32>, %x1: tensor<3xf32>) {
  // expected-error @below {{'ds.elementwise' op C2: operand 1 has shape [3], expected one that broadcasts to [2, 4]}}
  %0 = ds.elementwise add %x0, %x1 : (tensor<2x4xf32>, tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x4xf32>) {
  // expected-error @below {{'ds.elementwise' op C2: operand 0 has shape [2, 4], expected one that broadcasts to [4]}}
  %0 = ds.elementwise neg %x0 : (tensor<2x4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x1xf32>, %x1: tensor<1xf32>) {
  // expected-error @below {{'ds.elementwise' op C3: the result has size 4 in dimension 1, which no operand has there}}
  %0 = ds.elementwise add %x0, %x1 : (tensor<2x1xf32>, tensor<1xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x0: tensor<4xf32>) {
  // expected-error @below {{'ds.elementwise' op C3: the result has size ? in dimension 0, which no operand has there}}
  %0 = ds.elementwise neg %x0 : (tensor<4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x4xf32>, %x1: tensor<2x4xf16>) {
  // expected-error @below {{'ds.elementwise' op C4: the last operand has elements of type 'f16', expected 'f32'}}
  %0 = ds.elementwise add %x0, %x1 : (tensor<2x4xf32>, tensor<2x4xf16>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x4xf32>, %x1: tensor<2x4xf32>, %x2: tensor<2x4xf32>) {
  // expected-error @below {{'ds.elementwise' op C4: the condition has elements of type 'f32', expected 'i1'}}
  %0 = ds.elementwise select %x0, %x1, %x2 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x0: tensor<4xi32>) {
  // expected-error @below {{'ds.elementwise' op C5: exp is not defined on 'i32'}}
  %0 = ds.elementwise exp %x0 : (tensor<4xi32>) -> tensor<4xi32>
  return
}

// -----

func.func @f(%x0: tensor<2x4xf32>, %x1: tensor<2x4xf32>) {
  // expected-error @below {{'ds.elementwise' op C5: xor is not defined on 'f32'}}
  %0 = ds.elementwise xor %x0, %x1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x4xf32>, %x1: tensor<2x4xf32>) {
  // expected-error @below {{'ds.elementwise' op C6: the result has elements of type 'f32', expected 'i1'}}
  %0 = ds.elementwise lt %x0, %x1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x4xf32>, %x1: tensor<2x4xf32>) {
  // expected-error @below {{'ds.elementwise' op C6: the result has elements of type 'f16', expected 'f32'}}
  %0 = ds.elementwise add %x0, %x1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf16>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.cast' op C1: the result has shape [4], expected [2, 4]}}
  %0 = ds.cast %x : tensor<2x4xf32> to tensor<4xf16>
  return
}

// -----

func.func @f(%x: tensor<2xi64>) {
  // expected-error @below {{'ds.cast' op C2: found elements of type 'index', expected integers or floats}}
  %0 = ds.cast %x : tensor<2xi64> to tensor<2xindex>
  return
}

// -----

func.func @f(%x: tensor<2x5xi8>, %s: tensor<i8>) {
  // expected-error @below {{'ds.dequantize' op C1: scale has elements of type 'i8', expected floats}}
  %0 = ds.dequantize %x scale %s : tensor<i8> : tensor<2x5xi8> to tensor<2x5xf32>
  return
}

// -----

func.func @f(%x: tensor<2x5xi8>, %s: tensor<f32>) {
  // expected-error @below {{'ds.dequantize' op C1: the result has elements of type 'i32', expected floats}}
  %0 = ds.dequantize %x scale %s : tensor<f32> : tensor<2x5xi8> to tensor<2x5xi32>
  return
}

// -----

func.func @f(%x: tensor<2x5xindex>, %s: tensor<f32>) {
  // expected-error @below {{'ds.dequantize' op C1: input has elements of type 'index', expected integers or floats}}
  %0 = ds.dequantize %x scale %s : tensor<f32> : tensor<2x5xindex> to tensor<2x5xf32>
  return
}

// -----

func.func @f(%x: tensor<2x5xi8>, %s: tensor<f32>, %z: tensor<ui8>) {
  // expected-error @below {{'ds.dequantize' op C1: zero_point has elements of type 'ui8', expected 'i8'}}
  %0 = ds.dequantize %x scale %s : tensor<f32> zero_point %z : tensor<ui8> : tensor<2x5xi8> to tensor<2x5xf32>
  return
}

// -----

func.func @f(%x: tensor<2x5xi8>, %s: tensor<f32>) {
  // expected-error @below {{'ds.dequantize' op C2: block_size is -2, expected 0 or more}}
  %0 = ds.dequantize %x scale %s : tensor<f32> {block_size = -2 : i64} : tensor<2x5xi8> to tensor<2x5xf32>
  return
}

// -----

func.func @f(%x: tensor<2x5xi8>, %s: tensor<2xf32>) {
  // expected-error @below {{'ds.dequantize' op C2: axis is 2, expected a dimension of a tensor of rank 2}}
  %0 = ds.dequantize %x scale %s : tensor<2xf32> {axis = 2 : i64} : tensor<2x5xi8> to tensor<2x5xf32>
  return
}

// -----

func.func @f(%x: tensor<2x5xi8>, %s: tensor<2xf32>) {
  // expected-error @below {{'ds.dequantize' op C3: scale has shape [2], expected [5]}}
  %0 = ds.dequantize %x scale %s : tensor<2xf32> {axis = 1 : i64} : tensor<2x5xi8> to tensor<2x5xf32>
  return
}

// -----

func.func @f(%x: tensor<2x5xi8>, %s: tensor<2x2xf32>) {
  // expected-error @below {{'ds.dequantize' op C3: scale has shape [2, 2], expected [2, 3]}}
  %0 = ds.dequantize %x scale %s : tensor<2x2xf32> {axis = 1 : i64, block_size = 2 : i64} : tensor<2x5xi8> to tensor<2x5xf32>
  return
}

// -----

func.func @f(%x: tensor<2x5xi8>, %s: tensor<2xf32>, %z: tensor<i8>) {
  // expected-error @below {{'ds.dequantize' op C4: zero_point has shape [], expected [2]}}
  %0 = ds.dequantize %x scale %s : tensor<2xf32> zero_point %z : tensor<i8> : tensor<2x5xi8> to tensor<2x5xf32>
  return
}

// -----

func.func @f(%x: tensor<2x5xi8>, %s: tensor<f32>) {
  // expected-error @below {{'ds.dequantize' op C5: the result has shape [5, 2], expected [2, 5]}}
  %0 = ds.dequantize %x scale %s : tensor<f32> : tensor<2x5xi8> to tensor<5x2xf32>
  return
}

// -----

// Views

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.reshape' op C1: 0 sizes are given, expected 1 for the dynamic sizes of 'tensor<?xf32>'}}
  %0 = ds.reshape %x : tensor<2x4xf32> to tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.reshape' op C2: the result has elements of type 'i32', expected 'f32'}}
  %0 = ds.reshape %x : tensor<2x4xf32> to tensor<8xi32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.reshape' op C3: the result has 9 elements, expected the input's 8}}
  %0 = ds.reshape %x : tensor<2x4xf32> to tensor<9xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %n: index) {
  // expected-error @below {{'ds.broadcast' op C1: 1 sizes are given, expected 0 for the dynamic sizes of 'tensor<2x4xf32>'}}
  %0 = ds.broadcast %x[%n] : tensor<2x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.broadcast' op C2: the result has elements of type 'i32', expected 'f32'}}
  %0 = ds.broadcast %x : tensor<2x4xf32> to tensor<3x2x4xi32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.broadcast' op C3: input has shape [2, 4], expected one that broadcasts to [3, 4]}}
  %0 = ds.broadcast %x : tensor<2x4xf32> to tensor<3x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.broadcast' op C3: input has shape [2, 4], expected one that broadcasts to [4]}}
  %0 = ds.broadcast %x : tensor<2x4xf32> to tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.transpose' op C1: perm is [0, 0], expected a permutation of 2 dimensions}}
  %0 = ds.transpose %x [0, 0] : tensor<2x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.transpose' op C1: perm is [1, 0, 2], expected a permutation of 2 dimensions}}
  %0 = ds.transpose %x [1, 0, 2] : tensor<2x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.transpose' op C2: the result has shape [2, 4], expected [4, 2]}}
  %0 = ds.transpose %x [1, 0] : tensor<2x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.transpose' op C2: the result has elements of type 'f16', expected 'f32'}}
  %0 = ds.transpose %x [1, 0] : tensor<2x4xf32> to tensor<4x2xf16>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.slice' op C1: it has 1 offsets, expected 2, one per dimension of the input}}
  %0 = ds.slice %x [0] [2, 4] [1, 1] : tensor<2x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x?xf32>, %n: index) {
  // expected-error @below {{'ds.slice' op C1: it has 1 operands for 2 dynamic sizes}}
  %0 = "ds.slice"(%x, %n) <{operandSegmentSizes = array<i32: 1, 0, 1, 0>, static_offsets = array<i64: 0, 0>,
      static_sizes = array<i64: -9223372036854775808, -9223372036854775808>, static_strides = array<i64: 1, 1>}>
      : (tensor<?x?xf32>, index) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.slice' op C2: the result has elements of type 'f16', expected 'f32'}}
  %0 = ds.slice %x [0, 0] [2, 3] [1, 1] : tensor<2x4xf32> to tensor<2x3xf16>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.slice' op C2: the result has shape [2, 4], expected [2, 3]}}
  %0 = ds.slice %x [0, 0] [2, 3] [1, 1] : tensor<2x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.slice' op C3: dimension 1 has size 3 and stride 0, expected a stride other than 0 and no negative size}}
  %0 = ds.slice %x [0, 0] [2, 3] [1, 0] : tensor<2x4xf32> to tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.slice' op C3: dimension 0 has size -2 and stride 1, expected a stride other than 0 and no negative size}}
  %0 = ds.slice %x [0, 0] [-2, 3] [1, 1] : tensor<2x4xf32> to tensor<?x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.slice' op C4: dimension 1 reads from 2 to 4, expected indices below the input's 4}}
  %0 = ds.slice %x [0, 2] [2, 3] [1, 1] : tensor<2x4xf32> to tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.slice' op C4: dimension 1 reads from 1 to -1, expected indices below the input's 4}}
  %0 = ds.slice %x [0, 1] [2, 3] [1, -1] : tensor<2x4xf32> to tensor<2x3xf32>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'ds.concat' op C1: it has no input}}
  %0 = ds.concat 0 : () -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.concat' op C1: axis is 2, expected a dimension of a tensor of rank 2}}
  %0 = ds.concat 2 %x : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %y: tensor<4xf32>) {
  // expected-error @below {{'ds.concat' op C2: input 1 has rank 1, expected 2}}
  %0 = ds.concat 0 %x, %y : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.concat' op C2: the result has elements of type 'f16', expected 'f32'}}
  %0 = ds.concat 0 %x : (tensor<2x4xf32>) -> tensor<2x4xf16>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %y: tensor<2x5xf32>) {
  // expected-error @below {{'ds.concat' op C3: input 1 has shape [2, 5], expected [?, 4]}}
  %0 = ds.concat 0 %x, %y : (tensor<2x4xf32>, tensor<2x5xf32>) -> tensor<4x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.concat' op C4: the result has shape [5, 4], expected [4, 4]}}
  %0 = ds.concat 0 %x, %x : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %v: tensor<f32>, %n: index) {
  // expected-error @below {{'ds.pad' op C1: it has 1 low and 1 high sizes, expected 2 each}}
  %0 = ds.pad edge %x value %v low %n high %n : tensor<2x4xf32>, tensor<f32> to tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %v: tensor<1xf32>, %n: index) {
  // expected-error @below {{'ds.pad' op C2: value has rank 1, expected 0}}
  %0 = ds.pad edge %x value %v low %n, %n high %n, %n : tensor<2x4xf32>, tensor<1xf32> to tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %v: tensor<i32>, %n: index) {
  // expected-error @below {{'ds.pad' op C2: value has elements of type 'i32', expected 'f32'}}
  %0 = ds.pad edge %x value %v low %n, %n high %n, %n : tensor<2x4xf32>, tensor<i32> to tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %v: tensor<f32>, %n: index) {
  // expected-error @below {{'ds.pad' op C2: the result has elements of type 'i32', expected 'f32'}}
  %0 = ds.pad edge %x value %v low %n, %n high %n, %n : tensor<2x4xf32>, tensor<f32> to tensor<?x?xi32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %v: tensor<f32>, %n: index) {
  // expected-error @below {{'ds.pad' op C3: the result has rank 1, expected 2}}
  %0 = ds.pad edge %x value %v low %n, %n high %n, %n : tensor<2x4xf32>, tensor<f32> to tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %v: tensor<f32>, %n: index) {
  // expected-error @below {{'ds.pad' op C3: the result has size 3 in dimension 1, expected at least the input's 4}}
  %0 = ds.pad edge %x value %v low %n, %n high %n, %n : tensor<2x4xf32>, tensor<f32> to tensor<?x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1xf32>) {
  // expected-error @below {{'ds.range' op C1: start has rank 1, expected 0}}
  %0 = ds.range %x, %x : tensor<1xf32> to tensor<7xf32>
  return
}

// -----

func.func @f(%x: tensor<f32>) {
  // expected-error @below {{'ds.range' op C1: the result has rank 2, expected 1}}
  %0 = ds.range %x, %x : tensor<f32> to tensor<7x1xf32>
  return
}

// -----

func.func @f(%x: tensor<f32>) {
  // expected-error @below {{'ds.range' op C1: the result has elements of type 'f16', expected 'f32'}}
  %0 = ds.range %x, %x : tensor<f32> to tensor<7xf16>
  return
}

// -----

func.func @f(%x: tensor<f32>) {
  // expected-error @below {{'ds.range' op C2: its size is not given, expected one for the dynamic size of 'tensor<?xf32>'}}
  %0 = ds.range %x, %x : tensor<f32> to tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<f32>, %n: index) {
  // expected-error @below {{'ds.range' op C2: its size is given, expected one only with a dynamic size, not 'tensor<7xf32>'}}
  %0 = ds.range %x, %x[%n] : tensor<f32> to tensor<7xf32>
  return
}

// -----

// Reductions and products

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.reduce' op C1: axes are [1, 1], expected distinct dimensions of a tensor of rank 2}}
  %0 = ds.reduce sum %x [1, 1] : tensor<2x4xf32> to tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.reduce' op C1: axes are [-1], expected distinct dimensions of a tensor of rank 2}}
  %0 = ds.reduce sum %x [-1] : tensor<2x4xf32> to tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.reduce' op C2: the result has shape [2], expected [2, 1]}}
  %0 = ds.reduce sum %x [1] keepdims : tensor<2x4xf32> to tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.reduce' op C3: the result has elements of type 'f64', expected 'f32'}}
  %0 = ds.reduce sum %x [1] : tensor<2x4xf32> to tensor<2xf64>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.arg_reduce' op C1: axis is -1, expected a dimension of a tensor of rank 2}}
  %0 = ds.arg_reduce max %x -1 : tensor<2x4xf32> to tensor<2x1xi64>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.arg_reduce' op C2: kind is sum, expected max or min}}
  %0 = ds.arg_reduce sum %x 1 : tensor<2x4xf32> to tensor<2x1xi64>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.arg_reduce' op C3: the result has elements of type 'i32', expected 'i64'}}
  %0 = ds.arg_reduce max %x 1 : tensor<2x4xf32> to tensor<2x1xi32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.arg_reduce' op C3: the result has shape [2], expected [2, 1]}}
  %0 = ds.arg_reduce max %x 1 : tensor<2x4xf32> to tensor<2xi64>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.cumulative' op C1: axis is 2, expected a dimension of a tensor of rank 2}}
  %0 = ds.cumulative sum %x 2 : tensor<2x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.cumulative' op C2: kind is max, expected sum or prod}}
  %0 = ds.cumulative max %x 1 : tensor<2x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.cumulative' op C3: the result has shape [2, 1], expected [2, 4]}}
  %0 = ds.cumulative sum %x 1 : tensor<2x4xf32> to tensor<2x1xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %y: tensor<4x3xf32>) {
  // expected-error @below {{'ds.matmul' op C1: lhs has rank 1, expected at least 2}}
  %0 = ds.matmul %x, %y : tensor<4xf32>, tensor<4x3xf32> to tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %y: tensor<4xf32>) {
  // expected-error @below {{'ds.matmul' op C1: rhs has rank 1, expected at least 2}}
  %0 = ds.matmul %x, %y : tensor<2x4xf32>, tensor<4xf32> to tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %y: tensor<3x4xf32>) {
  // expected-error @below {{'ds.matmul' op C2: rhs has size 3 in dimension 0, expected 4 (the last size of lhs)}}
  %0 = ds.matmul %x, %y : tensor<2x4xf32>, tensor<3x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %y: tensor<4x3xf32>) {
  // expected-error @below {{'ds.matmul' op C3: the result has rank 3, expected 2}}
  %0 = ds.matmul %x, %y : tensor<2x4xf32>, tensor<4x3xf32> to tensor<1x2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<5x2x4xf32>, %y: tensor<6x4x3xf32>) {
  // expected-error @below {{'ds.matmul' op C3: rhs has shape [6, 4, 3], expected one that broadcasts to [5, 4, 3]}}
  %0 = ds.matmul %x, %y : tensor<5x2x4xf32>, tensor<6x4x3xf32> to tensor<5x2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x4xf32>, %y: tensor<4x3xf32>) {
  // expected-error @below {{'ds.matmul' op C3: the result has size 5 in dimension 0, which no operand has there}}
  %0 = ds.matmul %x, %y : tensor<1x2x4xf32>, tensor<4x3xf32> to tensor<5x2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %y: tensor<4x3xf32>) {
  // expected-error @below {{'ds.matmul' op C4: the result has size 3 in dimension 0, expected 2 (the rows of lhs)}}
  %0 = ds.matmul %x, %y : tensor<2x4xf32>, tensor<4x3xf32> to tensor<3x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %y: tensor<4x3xf32>) {
  // expected-error @below {{'ds.matmul' op C4: the result has size 4 in dimension 1, expected 3 (the columns of rhs)}}
  %0 = ds.matmul %x, %y : tensor<2x4xf32>, tensor<4x3xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %y: tensor<4x3xi8>) {
  // expected-error @below {{'ds.matmul' op C5: rhs has elements of type 'i8', expected floats}}
  %0 = ds.matmul %x, %y : tensor<2x4xf32>, tensor<4x3xi8> to tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xi8>, %y: tensor<4x3xi8>) {
  // expected-error @below {{'ds.matmul' op C5: the result has elements of type 'f32', expected integers}}
  %0 = ds.matmul %x, %y : tensor<2x4xi8>, tensor<4x3xi8> to tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.softmax' op C1: axis is 2, expected a dimension of a tensor of rank 2}}
  %0 = ds.softmax %x 2 : tensor<2x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xi32>) {
  // expected-error @below {{'ds.softmax' op C2: input has elements of type 'i32', expected floats}}
  %0 = ds.softmax %x 0 : tensor<4xi32> to tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.softmax' op C3: the result has elements of type 'f16', expected 'f32'}}
  %0 = ds.softmax %x 1 : tensor<2x4xf32> to tensor<2x4xf16>
  return
}

// -----

// Indexing

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3xi64>) {
  // expected-error @below {{'ds.gather' op C1: axis is -1, expected a dimension of a tensor of rank 2}}
  %0 = ds.gather %x, %i -1 : tensor<2x4xf32>, tensor<3xi64> to tensor<3x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3xi1>) {
  // expected-error @below {{'ds.gather' op C2: indices has elements of type 'i1', expected integers}}
  %0 = ds.gather %x, %i 0 : tensor<2x4xf32>, tensor<3xi1> to tensor<3x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3xi64>) {
  // expected-error @below {{'ds.gather' op C3: the result has shape [2, 3], expected [3, 4]}}
  %0 = ds.gather %x, %i 0 : tensor<2x4xf32>, tensor<3xi64> to tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3xi64>) {
  // expected-error @below {{'ds.gather' op C3: the result has elements of type 'f16', expected 'f32'}}
  %0 = ds.gather %x, %i 0 : tensor<2x4xf32>, tensor<3xi64> to tensor<3x4xf16>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x4xi64>) {
  // expected-error @below {{'ds.gather_elements' op C1: axis is 2, expected a dimension of a tensor of rank 2}}
  %0 = ds.gather_elements %x, %i 2 : tensor<2x4xf32>, tensor<3x4xi64> to tensor<3x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x4xf32>) {
  // expected-error @below {{'ds.gather_elements' op C2: indices has elements of type 'f32', expected integers}}
  %0 = ds.gather_elements %x, %i 0 : tensor<2x4xf32>, tensor<3x4xf32> to tensor<3x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3xi64>) {
  // expected-error @below {{'ds.gather_elements' op C2: indices has rank 1, expected 2}}
  %0 = ds.gather_elements %x, %i 0 : tensor<2x4xf32>, tensor<3xi64> to tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x5xi64>) {
  // expected-error @below {{'ds.gather_elements' op C2: indices has size 5 in dimension 1, expected at most the input's 4}}
  %0 = ds.gather_elements %x, %i 0 : tensor<2x4xf32>, tensor<3x5xi64> to tensor<3x5xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x4xi64>) {
  // expected-error @below {{'ds.gather_elements' op C3: the result has shape [2, 4], expected [3, 4]}}
  %0 = ds.gather_elements %x, %i 0 : tensor<2x4xf32>, tensor<3x4xi64> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x1xf32>) {
  // expected-error @below {{'ds.gather_nd' op C1: indices has elements of type 'f32', expected integers}}
  %0 = ds.gather_nd %x, %i : tensor<2x4xf32>, tensor<3x1xf32> to tensor<3x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<i64>) {
  // expected-error @below {{'ds.gather_nd' op C1: indices has rank 0, expected at least 1}}
  %0 = ds.gather_nd %x, %i : tensor<2x4xf32>, tensor<i64> to tensor<f32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x?xi64>) {
  // expected-error @below {{'ds.gather_nd' op C1: the last size of indices is dynamic, expected a number}}
  %0 = ds.gather_nd %x, %i : tensor<2x4xf32>, tensor<3x?xi64> to tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<2x2xi64>) {
  // expected-error @below {{'ds.gather_nd' op C2: batch_dims is 1 and the depth 2, expected them inside ranks 2 and 2}}
  %0 = ds.gather_nd %x, %i {batch_dims = 1 : i64} : tensor<2x4xf32>, tensor<2x2xi64> to tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x1xi64>) {
  // expected-error @below {{'ds.gather_nd' op C3: indices has size 3 in dimension 0, expected 2 (the input's size)}}
  %0 = ds.gather_nd %x, %i {batch_dims = 1 : i64} : tensor<2x4xf32>, tensor<3x1xi64> to tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x1xi64>) {
  // expected-error @below {{'ds.gather_nd' op C4: the result has shape [3], expected [3, 4]}}
  %0 = ds.gather_nd %x, %i : tensor<2x4xf32>, tensor<3x1xi64> to tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<1x4xi64>, %u: tensor<1x4xf32>) {
  // expected-error @below {{'ds.scatter_elements' op C1: axis is 2, expected a dimension of a tensor of rank 2}}
  %0 = ds.scatter_elements none %x, %i, %u 2 : tensor<2x4xf32>, tensor<1x4xi64>, tensor<1x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<1x5xi64>, %u: tensor<1x5xf32>) {
  // expected-error @below {{'ds.scatter_elements' op C2: indices has size 5 in dimension 1, expected at most the input's 4}}
  %0 = ds.scatter_elements none %x, %i, %u 0 : tensor<2x4xf32>, tensor<1x5xi64>, tensor<1x5xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<1x4xi64>, %u: tensor<2x4xf32>) {
  // expected-error @below {{'ds.scatter_elements' op C3: updates has shape [2, 4], expected [1, 4]}}
  %0 = ds.scatter_elements none %x, %i, %u 0 : tensor<2x4xf32>, tensor<1x4xi64>, tensor<2x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<1x4xi64>, %u: tensor<1x4xf16>) {
  // expected-error @below {{'ds.scatter_elements' op C4: updates has elements of type 'f16', expected 'f32'}}
  %0 = ds.scatter_elements none %x, %i, %u 0 : tensor<2x4xf32>, tensor<1x4xi64>, tensor<1x4xf16> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<1x4xi64>, %u: tensor<1x4xf32>) {
  // expected-error @below {{'ds.scatter_elements' op C4: the result has shape [1, 4], expected [2, 4]}}
  %0 = ds.scatter_elements none %x, %i, %u 0 : tensor<2x4xf32>, tensor<1x4xi64>, tensor<1x4xf32> to tensor<1x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x?xi64>, %u: tensor<3x4xf32>) {
  // expected-error @below {{'ds.scatter_nd' op C1: the last size of indices is dynamic, expected a number}}
  %0 = ds.scatter_nd none %x, %i, %u : tensor<2x4xf32>, tensor<3x?xi64>, tensor<3x4xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<5x3xi64>, %u: tensor<5xf32>) {
  // expected-error @below {{'ds.scatter_nd' op C1: the last size of indices is 3, expected at most the input's rank 2}}
  %0 = ds.scatter_nd none %x, %i, %u : tensor<2x4xf32>, tensor<5x3xi64>, tensor<5xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x1xi64>, %u: tensor<3xf32>) {
  // expected-error @below {{'ds.scatter_nd' op C2: updates has shape [3], expected [3, 4]}}
  %0 = ds.scatter_nd none %x, %i, %u : tensor<2x4xf32>, tensor<3x1xi64>, tensor<3xf32> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x1xi64>, %u: tensor<3x4xf16>) {
  // expected-error @below {{'ds.scatter_nd' op C3: updates has elements of type 'f16', expected 'f32'}}
  %0 = ds.scatter_nd none %x, %i, %u : tensor<2x4xf32>, tensor<3x1xi64>, tensor<3x4xf16> to tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %i: tensor<3x1xi64>, %u: tensor<3x4xf32>) {
  // expected-error @below {{'ds.scatter_nd' op C3: the result has shape [3, 4], expected [2, 4]}}
  %0 = ds.scatter_nd none %x, %i, %u : tensor<2x4xf32>, tensor<3x1xi64>, tensor<3x4xf32> to tensor<3x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %k: index) {
  // expected-error @below {{'ds.topk' op C1: axis is 2, expected a dimension of a tensor of rank 2}}
  %0:2 = ds.topk %x, %k 2 : tensor<2x4xf32> to tensor<2x3xf32>, tensor<2x3xi64>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %k: index) {
  // expected-error @below {{'ds.topk' op C2: values has elements of type 'f16', expected 'f32'}}
  %0:2 = ds.topk %x, %k 1 : tensor<2x4xf32> to tensor<2x3xf16>, tensor<2x3xi64>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %k: index) {
  // expected-error @below {{'ds.topk' op C2: indices has elements of type 'i32', expected 'i64'}}
  %0:2 = ds.topk %x, %k 1 : tensor<2x4xf32> to tensor<2x3xf32>, tensor<2x3xi32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %k: index) {
  // expected-error @below {{'ds.topk' op C3: values has shape [3, 3], expected [2, ?]}}
  %0:2 = ds.topk %x, %k 1 : tensor<2x4xf32> to tensor<3x3xf32>, tensor<2x3xi64>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %k: index) {
  // expected-error @below {{'ds.topk' op C3: indices has shape [2, 4], expected [2, 3]}}
  %0:2 = ds.topk %x, %k 1 : tensor<2x4xf32> to tensor<2x3xf32>, tensor<2x4xi64>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.nonzero' op C1: the result has elements of type 'i32', expected 'i64'}}
  %0 = ds.nonzero %x : tensor<2x4xf32> to tensor<2x?xi32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.nonzero' op C1: the result has shape [3, ?], expected [2, ?]}}
  %0 = ds.nonzero %x : tensor<2x4xf32> to tensor<3x?xi64>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.bitcast' op C1: the result has shape [4], expected [2, 4]}}
  %0 = ds.bitcast %x : tensor<2x4xf32> to tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.bitcast' op C2: found elements of types 'f32' and 'i16', expected two of one width of more than one bit}}
  %0 = ds.bitcast %x : tensor<2x4xf32> to tensor<2x4xi16>
  return
}

// -----

func.func @f(%c: i1) {
  %size = arith.constant -2 : index
  // expected-error @below {{'ds.require' op C1: the size is -2, expected 0 or more}}
  %0 = ds.require %c, %size
  return
}

// -----

func.func @f(%x: tensor<2x4xi32>, %s: tensor<f32>) {
  // expected-error @below {{'ds.quantize' op C1: input has elements of type 'i32', expected floats}}
  %0 = ds.quantize %x scale %s : tensor<f32> : tensor<2x4xi32> to tensor<2x4xi8>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %s: tensor<f32>, %z: tensor<i8>) {
  // expected-error @below {{'ds.quantize' op C1: zero_point has elements of type 'i8', expected 'ui8'}}
  %0 = ds.quantize %x scale %s : tensor<f32> zero_point %z : tensor<i8> : tensor<2x4xf32> to tensor<2x4xui8>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{'ds.quantize' op C2: scale}}
  %0 = ds.quantize %x scale %s : tensor<4xf32> : tensor<2x4xf32> to tensor<2x4xui8>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>, %s: tensor<f32>) {
  // expected-error @below {{'ds.quantize' op C3: the result has shape [4, 2], expected [2, 4]}}
  %0 = ds.quantize %x scale %s : tensor<f32> : tensor<2x4xf32> to tensor<4x2xui8>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.dynamic_quantize' op C1: the result has elements of type 'i8', expected 'ui8'}}
  %0, %1, %2 = ds.dynamic_quantize %x : tensor<2x4xf32> to tensor<2x4xi8>, tensor<f32>, tensor<ui8>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.dynamic_quantize' op C2: scale}}
  %0, %1, %2 = ds.dynamic_quantize %x : tensor<2x4xf32> to tensor<2x4xui8>, tensor<2xf32>, tensor<ui8>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @below {{'ds.dynamic_quantize' op C3: the result has shape [2, 3], expected [2, 4]}}
  %0, %1, %2 = ds.dynamic_quantize %x : tensor<2x4xf32> to tensor<2x3xui8>, tensor<f32>, tensor<ui8>
  return
}

// -----

func.func @rank(%w: tensor<4xf32>) -> tensor<1x8x32xf32> {
  // expected-error @+1 {{'ds.pack' op C1: expected a weight of rank 2 or 3 and static sizes, found 'tensor<4xf32>'}}
  %0 = ds.pack %w : tensor<4xf32> to tensor<1x8x32xf32>
  return %0 : tensor<1x8x32xf32>
}

// -----

func.func @panels(%w: tensor<40x8xf32>) -> tensor<1x8x32xf32> {
  // expected-error @+1 {{'ds.pack' op C2: expected a result like 'tensor<2x8x32xf32>' (1, 2 or 4 k side by side), found 'tensor<1x8x32xf32>'}}
  %0 = ds.pack %w : tensor<40x8xf32> to tensor<1x8x32xf32>
  return %0 : tensor<1x8x32xf32>
}

// -----

func.func @types(%x: tensor<?x8xbf16>, %w: tensor<1x8x32xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{'ds.packed_linear' op C1: expected f32 inputs with f32, bf16 or f16 weights, or bf16 with bf16}}
  %0 = ds.packed_linear %x, %w : tensor<?x8xbf16>, tensor<1x8x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

func.func @columns(%x: tensor<?x9xf32>, %w: tensor<1x8x32xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{'ds.packed_linear' op C2: expected a weight like 'tensor<1x9x32xf32>'}}
  %0 = ds.packed_linear %x, %w : tensor<?x9xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

func.func @dynamic(%x: tensor<?x?xf32>, %w: tensor<1x8x32xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{'ds.packed_linear' op C3: expected input and result of rank 2 with static last sizes}}
  %0 = ds.packed_linear %x, %w : tensor<?x?xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

func.func @bias(%x: tensor<?x8xf32>, %w: tensor<1x8x32xf32>, %b: tensor<31xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{'ds.packed_linear' op C3: expected a bias of 32 elements, found 'tensor<31xf32>'}}
  %0 = ds.packed_linear %x, %w bias %b : tensor<?x8xf32>, tensor<1x8x32xf32> bias tensor<31xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

func.func @residual(%x: tensor<?x8xf32>, %w: tensor<1x8x32xf32>, %r: tensor<?x31xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{'ds.packed_linear' op C3: expected a residual of the result's shape, found 'tensor<?x31xf32>' and 'tensor<?x32xf32>'}}
  %0 = ds.packed_linear %x, %w residual %r : tensor<?x8xf32>, tensor<1x8x32xf32> residual tensor<?x31xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

// 17 results of 2 panels of 16.
func.func @halves(%x: tensor<?x8xf32>, %w: tensor<1x8x32xf32>) -> tensor<?x17xf32> {
  // expected-error @+1 {{'ds.packed_linear' op C2: expected a weight like 'tensor<2x8x32xf32>'}}
  %0 = ds.packed_linear %x, %w swiglu : tensor<?x8xf32>, tensor<1x8x32xf32> to tensor<?x17xf32>
  return %0 : tensor<?x17xf32>
}

// -----

func.func @f16_result(%x: tensor<?x8xf32>, %w: tensor<1x8x32xf32>) -> tensor<?x32xf16> {
  // expected-error @+1 {{'ds.packed_linear' op C1: expected f32 inputs}}
  %0 = ds.packed_linear %x, %w : tensor<?x8xf32>, tensor<1x8x32xf32> to tensor<?x32xf16>
  return %0 : tensor<?x32xf16>
}

// -----

func.func @quantize_groups_type(%x: tensor<?x8xbf16>) {
  // expected-error @+1 {{'ds.quantize_groups' op C1: expected an f32 input of rank 2 with a static last size}}
  %0, %1, %2 = ds.quantize_groups %x group 8 : tensor<?x8xbf16> to tensor<?x8xi8>, tensor<?x1xf32>, tensor<?x1xi32>
  return
}

// -----

func.func @quantize_groups_group(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'ds.quantize_groups' op C2: expected 8 or 4 bits and a group that is a multiple of 8, found 8 bits and a group of 12}}
  %0, %1, %2 = ds.quantize_groups %x group 12 : tensor<?x8xf32> to tensor<?x8xi8>, tensor<?x1xf32>, tensor<?x1xi32>
  return
}

// -----

func.func @quantize_groups_results(%x: tensor<?x9xf32>) {
  // expected-error @+1 {{'ds.quantize_groups' op C3: expected results }}
  %0, %1, %2 = ds.quantize_groups %x group 8 : tensor<?x9xf32> to tensor<?x8xi8>, tensor<?x1xf32>, tensor<?x1xi32>
  return
}

// -----

func.func @quantized_no_scale(%x: tensor<?x8xi8>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C1: expected an f32 input, or an i8 one}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 8 : i64} : tensor<?x8xi8>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_bits(%x: tensor<?x8xf32>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C2: expected 8 or 4 bits}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 3 : i64, group = 8 : i64} : tensor<?x8xf32>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_zero(%x: tensor<?x8xf32>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C2: expected 8 or 4 bits, a group that is a multiple of 8 and a zero of so many bits, found 8 bits, a group of 8 and a zero of 256}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 8 : i64, zero = 256 : i64} : tensor<?x8xf32>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_half(%x: tensor<?x12xf32>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C3: expected input and result of rank 2}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 4 : i64, group = 8 : i64} : tensor<?x12xf32>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_weight(%x: tensor<?x12xf32>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C3: expected a weight of 'tensor<1x3x128xi8>'}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 8 : i64} : tensor<?x12xf32>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_scales(%x: tensor<?x8xf32>, %w: tensor<1x2x128xi8>, %s: tensor<1x2x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C4: expected scales and zero points of [1, 1, 32] or [1, 1, 32], found 'tensor<1x2x32xf32>'}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 8 : i64} : tensor<?x8xf32>, tensor<1x2x128xi8> scale tensor<1x2x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_bias(%x: tensor<?x8xf32>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>, %b: tensor<31xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C4: expected a bias of 32 elements, found 'tensor<31xf32>'}}
  %0 = ds.packed_quantized_linear %x, %w scale %s bias %b {bits = 8 : i64, group = 8 : i64} : tensor<?x8xf32>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> bias tensor<31xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_residual(%x: tensor<?x8xf32>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>, %r: tensor<?x31xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C4: expected a residual of the result's shape}}
  %0 = ds.packed_quantized_linear %x, %w scale %s residual %r {bits = 8 : i64, group = 8 : i64}
    : tensor<?x8xf32>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> residual tensor<?x31xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_sums(%x: tensor<?x8xi8>, %a: tensor<?x2xf32>, %t: tensor<?x2xi32>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C4: expected scales and sums of 1 groups for each input row}}
  %0 = ds.packed_quantized_linear %x scale %a sum %t, %w scale %s {bits = 8 : i64, group = 8 : i64}
    : tensor<?x8xi8> scale tensor<?x2xf32> sum tensor<?x2xi32>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @packed_linear_rows(%x: tensor<3x8xf32>, %w: tensor<1x8x32xf32>) {
  // expected-error @+1 {{'ds.packed_linear' op C3: the result has size 4 in dimension 0, expected 3 (the input's rows)}}
  %0 = ds.packed_linear %x, %w : tensor<3x8xf32>, tensor<1x8x32xf32> to tensor<4x32xf32>
  return
}

// -----

func.func @packed_quantized_linear_rows(%x: tensor<3x8xf32>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C3: the result has size 4 in dimension 0, expected 3 (the input's rows)}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 8 : i64} : tensor<3x8xf32>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> to tensor<4x32xf32>
  return
}

// -----

func.func @packed_linear_rope_columns(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>, %t: tensor<?x16xf32>) {
  // expected-error @+1 {{'ds.packed_linear' op C4: expected cos and sin of f32 [rows, C] with C a multiple of 16, columns that are a multiple of 2C and at most N, N a multiple of 32, and neither swiglu nor residual; found 48 columns of 'tensor<?x64xf32>'}}
  %0 = ds.packed_linear %x, %w rope %t, %t columns 48 halves : tensor<?x8xf32>, tensor<2x8x32xf32> rope tensor<?x16xf32>, tensor<?x16xf32> to tensor<?x64xf32>
  return
}

// -----

func.func @packed_linear_rope_ragged(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>, %t: tensor<?x16xf32>) {
  // expected-error @+1 {{'ds.packed_linear' op C4: expected cos and sin}}
  %0 = ds.packed_linear %x, %w rope %t, %t columns 32 halves : tensor<?x8xf32>, tensor<2x8x32xf32> rope tensor<?x16xf32>, tensor<?x16xf32> to tensor<?x63xf32>
  return
}

// -----

func.func @packed_linear_rope_narrow(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>, %t: tensor<?x8xf32>) {
  // expected-error @+1 {{'ds.packed_linear' op C4: expected cos and sin}}
  %0 = ds.packed_linear %x, %w rope %t, %t columns 32 halves : tensor<?x8xf32>, tensor<2x8x32xf32> rope tensor<?x8xf32>, tensor<?x8xf32> to tensor<?x64xf32>
  return
}

// -----

func.func @packed_linear_rope_types(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>, %t: tensor<?x16xf32>, %u: tensor<?x16xbf16>) {
  // expected-error @+1 {{'ds.packed_linear' op C4: expected cos and sin}}
  %0 = ds.packed_linear %x, %w rope %t, %u columns 32 halves : tensor<?x8xf32>, tensor<2x8x32xf32> rope tensor<?x16xf32>, tensor<?x16xbf16> to tensor<?x64xf32>
  return
}

// -----

func.func @packed_linear_rope_without(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>) {
  // expected-error @+1 {{'ds.packed_linear' op C4: expected cos and sin}}
  %0 = ds.packed_linear %x, %w {rope_columns = 32 : i64} : tensor<?x8xf32>, tensor<2x8x32xf32> to tensor<?x64xf32>
  return
}

// -----

func.func @packed_linear_rope_residual(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>, %t: tensor<?x16xf32>, %r: tensor<?x64xf32>) {
  // expected-error @+1 {{'ds.packed_linear' op C4: expected cos and sin}}
  %0 = ds.packed_linear %x, %w residual %r rope %t, %t columns 32 halves : tensor<?x8xf32>, tensor<2x8x32xf32> residual tensor<?x64xf32> rope tensor<?x16xf32>, tensor<?x16xf32> to tensor<?x64xf32>
  return
}

// -----

func.func @packed_quantized_linear_rope(%x: tensor<?x8xf32>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>, %t: tensor<?x16xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C5: expected cos and sin}}
  %0 = ds.packed_quantized_linear %x, %w scale %s rope %t, %t columns 64 halves {bits = 8 : i64, group = 8 : i64} : tensor<?x8xf32>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> rope tensor<?x16xf32>, tensor<?x16xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @packed_linear_tiles(%x: tensor<?x8xf32>, %w: tensor<3x2x8x32xf32>, %t: tensor<?x2xi32>, %c: tensor<i32>) {
  // expected-error @+1 {{'ds.packed_linear' op C5: expected tiles of i32 [T, 3], a count of i32 [] and rows, if there, of i32 [R]}}
  %0 = ds.packed_linear %x, %w in %t, %c : tensor<?x8xf32>, tensor<3x2x8x32xf32> in tensor<?x2xi32>, tensor<i32> to tensor<?x64xf32>
  return
}

// -----

func.func @packed_linear_rows_alone(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>, %r: tensor<?xi32>) {
  // expected-error @+1 {{'ds.packed_linear' op C5: expected tiles of i32 [T, 3]}}
  %0 = ds.packed_linear %x rows %r, %w : tensor<?x8xf32> rows tensor<?xi32>, tensor<2x8x32xf32> to tensor<?x64xf32>
  return
}

// -----

func.func @packed_linear_grouped_bias(%x: tensor<?x8xf32>, %w: tensor<3x2x8x32xf32>, %t: tensor<?x3xi32>, %c: tensor<i32>, %b: tensor<64xf32>) {
  // expected-error @+1 {{'ds.packed_linear' op C5: a grouped product has no bias, residual or rope}}
  %0 = ds.packed_linear %x, %w in %t, %c bias %b : tensor<?x8xf32>, tensor<3x2x8x32xf32> in tensor<?x3xi32>, tensor<i32> bias tensor<64xf32> to tensor<?x64xf32>
  return
}

// -----

func.func @packed_linear_grouped_weight(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>, %t: tensor<?x3xi32>, %c: tensor<i32>) {
  // expected-error @+1 {{'ds.packed_linear' op C2: expected a weight like 'tensor<2x2x8x32xf32>'}}
  %0 = ds.packed_linear %x, %w in %t, %c : tensor<?x8xf32>, tensor<2x8x32xf32> in tensor<?x3xi32>, tensor<i32> to tensor<?x64xf32>
  return
}

// -----

func.func @packed_linear_grouped_rows(%x: tensor<?x8xf32>, %w: tensor<3x2x8x32xf32>, %t: tensor<?x3xi32>, %c: tensor<i32>, %r: tensor<4xi32>) {
  // expected-error @+1 {{'ds.packed_linear' op C3: the result has size 5 in dimension 0, expected 4 (rows)}}
  %0 = ds.packed_linear %x rows %r, %w in %t, %c : tensor<?x8xf32> rows tensor<4xi32>, tensor<3x2x8x32xf32> in tensor<?x3xi32>, tensor<i32> to tensor<5x64xf32>
  return
}

// -----

func.func @quantized_bf16(%x: tensor<?x8xbf16>, %w: tensor<1x2x128xi8>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C1: expected an f32 input, or an i8 one with f32 scales and i32 sums, or a bf16 one with f8E4M3FN weights}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 8 : i64} : tensor<?x8xbf16>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_other_float8(%x: tensor<?x8xf32>, %w: tensor<1x4x64xf8E5M2>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C1: expected an f32 input}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 8 : i64} : tensor<?x8xf32>, tensor<1x4x64xf8E5M2> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_float8_bytes(%x: tensor<?x8xi8>, %a: tensor<?x1xf32>, %t: tensor<?x1xi32>, %w: tensor<1x4x64xf8E4M3FN>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C1: expected an f32 input}}
  %0 = ds.packed_quantized_linear %x scale %a sum %t, %w scale %s {bits = 8 : i64, group = 8 : i64}
    : tensor<?x8xi8> scale tensor<?x1xf32> sum tensor<?x1xi32>, tensor<1x4x64xf8E4M3FN> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_float8_zero(%x: tensor<?x8xf32>, %w: tensor<1x4x64xf8E4M3FN>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C2: f8E4M3FN weights have 8 bits and no zero points}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 8 : i64, zero = 1 : i64} : tensor<?x8xf32>, tensor<1x4x64xf8E4M3FN> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_float8_weight(%x: tensor<?x8xf32>, %w: tensor<1x2x128xf8E4M3FN>, %s: tensor<1x1x32xf32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C3: expected a weight of 'tensor<1x4x64xf8E4M3FN>', found 'tensor<1x2x128xf8E4M3FN>'}}
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 8 : i64} : tensor<?x8xf32>, tensor<1x2x128xf8E4M3FN> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_tiles(%x: tensor<?x8xf32>, %w: tensor<3x1x2x128xi8>, %s: tensor<3x1x1x32xf32>, %t: tensor<?x2xi32>, %c: tensor<i32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C6: expected tiles of i32 [T, 3], a count of i32 [] and rows, if there, of i32 [R]}}
  %0 = ds.packed_quantized_linear %x, %w scale %s in %t, %c {bits = 8 : i64, group = 8 : i64}
    : tensor<?x8xf32>, tensor<3x1x2x128xi8> scale tensor<3x1x1x32xf32> in tensor<?x2xi32>, tensor<i32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_grouped_scales(%x: tensor<?x8xf32>, %w: tensor<3x1x2x128xi8>, %s: tensor<2x1x1x32xf32>, %t: tensor<?x3xi32>, %c: tensor<i32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C4: expected scales and zero points of [3, 1, 1, 32]}}
  %0 = ds.packed_quantized_linear %x, %w scale %s in %t, %c {bits = 8 : i64, group = 8 : i64}
    : tensor<?x8xf32>, tensor<3x1x2x128xi8> scale tensor<2x1x1x32xf32> in tensor<?x3xi32>, tensor<i32> to tensor<?x32xf32>
  return
}

// -----

func.func @quantized_grouped_rows(%x: tensor<?x8xf32>, %w: tensor<3x1x2x128xi8>, %s: tensor<3x1x1x32xf32>, %t: tensor<?x3xi32>, %c: tensor<i32>, %r: tensor<4xi32>) {
  // expected-error @+1 {{'ds.packed_quantized_linear' op C3: the result has size 5 in dimension 0, expected 4 (rows)}}
  %0 = ds.packed_quantized_linear %x rows %r, %w scale %s in %t, %c {bits = 8 : i64, group = 8 : i64}
    : tensor<?x8xf32> rows tensor<4xi32>, tensor<3x1x2x128xi8> scale tensor<3x1x1x32xf32> in tensor<?x3xi32>, tensor<i32> to tensor<5x32xf32>
  return
}
