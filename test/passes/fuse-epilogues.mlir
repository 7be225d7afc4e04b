// RUN: ds-opt %s --ds-fuse-epilogues --split-input-file 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --implicit-check-not=remark: --input-file %t.remarks

// Gate and up projection of one product: the rows of the weight come in blocks of 16 gates and their 16 ups, the result is rounded where it is made.
// Saved: 64 f32 before SwiGLU and 32 before rounding, written and read.
// REMARK: remark: @gated: 1 ds.swiglu, 1 ds.cast joined 1 product; a token moves 768 bytes less{{$}}
// CHECK-LABEL: func @gated
// CHECK: %[[W:.*]] = ds.load_parameter @w
// CHECK: %[[BLOCKS:.*]] = ds.reshape %[[W]] : tensor<64x8xf32> to tensor<1x2x2x16x8xf32>
// CHECK: %[[TURNED:.*]] = ds.transpose %[[BLOCKS]] {{.*}}0, 2, 1, 3, 4
// CHECK: %[[ROWS:.*]] = ds.reshape %[[TURNED]] : tensor<1x2x2x16x8xf32> to tensor<64x8xf32>
// CHECK: %[[P:.*]] = ds.pack %[[ROWS]]
// CHECK: %[[Y:.*]] = ds.packed_linear %{{.*}}, %[[P]] swiglu : tensor<?x8xf32>, tensor<2x8x32xf32> to tensor<?x32xbf16>
// CHECK-NOT: ds.swiglu
// CHECK-NOT: ds.slice
// CHECK: return %[[Y]]
ds.parameter @w : tensor<64x8xf32> = [#ds.file_range<"w", 0, 2048>]
func.func @gated(%x: tensor<?x8xf32>) -> tensor<?x32xbf16> {
  %c0 = arith.constant 0 : index
  %w = ds.load_parameter @w : tensor<64x8xf32>
  %p = ds.pack %w : tensor<64x8xf32> to tensor<2x8x32xf32>
  %y = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<2x8x32xf32> to tensor<?x64xf32>
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %g = ds.slice %y [0, 0] [%n, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %u = ds.slice %y [0, 32] [%n, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %s = ds.swiglu %g, %u : tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x32xf32>
  %b = ds.cast %s : tensor<?x32xf32> to tensor<?x32xbf16>
  return %b : tensor<?x32xbf16>
}

// -----

// Halves that are no multiple of 16 get zeros behind them; the bias goes along.
// REMARK: remark: @ragged: 1 ds.swiglu joined 1 product; a token moves 48 bytes less{{$}}
// CHECK-LABEL: func @ragged
// CHECK: ds.pad {{.*}} : tensor<3x8xf32>, tensor<f32> to tensor<16x8xf32>
// CHECK: ds.pad {{.*}} : tensor<3x8xf32>, tensor<f32> to tensor<16x8xf32>
// CHECK: ds.concat {{.*}} -> tensor<32x8xf32>
// CHECK: ds.pad {{.*}} : tensor<3xf32>, tensor<f32> to tensor<16xf32>
// CHECK: ds.packed_linear {{.*}} bias %{{.*}} swiglu : tensor<4x8xf32>, tensor<1x8x32xf32> bias tensor<32xf32> to tensor<4x3xf32>
ds.parameter @w : tensor<6x8xf32> = [#ds.file_range<"w", 0, 192>]
ds.parameter @b : tensor<6xf32> = [#ds.file_range<"w", 0, 24>]
func.func @ragged(%x: tensor<4x8xf32>) -> tensor<4x3xf32> {
  %w = ds.load_parameter @w : tensor<6x8xf32>
  %b = ds.load_parameter @b : tensor<6xf32>
  %p = ds.pack %w : tensor<6x8xf32> to tensor<1x8x32xf32>
  %y = ds.packed_linear %x, %p bias %b : tensor<4x8xf32>, tensor<1x8x32xf32> bias tensor<6xf32> to tensor<4x6xf32>
  %g = ds.slice %y [0, 0] [4, 3] [1, 1] : tensor<4x6xf32> to tensor<4x3xf32>
  %u = ds.slice %y [0, 3] [4, 3] [1, 1] : tensor<4x6xf32> to tensor<4x3xf32>
  %s = ds.swiglu %g, %u : tensor<4x3xf32>, tensor<4x3xf32> to tensor<4x3xf32>
  return %s : tensor<4x3xf32>
}

// -----

// Not all rows, halves in the other order, or a product that is read elsewhere too.
// CHECK-LABEL: func @not_gated
// CHECK-COUNT-3: ds.swiglu %{{.*}}, %{{.*}} :
ds.parameter @w : tensor<64x8xf32> = [#ds.file_range<"w", 0, 2048>]
func.func @not_gated(%x: tensor<?x8xf32>, %n: index) -> (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x64xf32>) {
  %c0 = arith.constant 0 : index
  %w = ds.load_parameter @w : tensor<64x8xf32>
  %p = ds.pack %w : tensor<64x8xf32> to tensor<2x8x32xf32>
  %y = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<2x8x32xf32> to tensor<?x64xf32>
  %g = ds.slice %y [0, 0] [%n, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %u = ds.slice %y [0, 32] [%n, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %s = ds.swiglu %g, %u : tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x32xf32>
  %q = ds.pack %w : tensor<64x8xf32> to tensor<2x8x32xf32>
  %z = ds.packed_linear %x, %q : tensor<?x8xf32>, tensor<2x8x32xf32> to tensor<?x64xf32>
  %d = tensor.dim %x, %c0 : tensor<?x8xf32>
  %h = ds.slice %z [0, 0] [%d, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %v = ds.slice %z [0, 32] [%d, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %t = ds.swiglu %v, %h : tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x32xf32>
  %r = ds.pack %w : tensor<64x8xf32> to tensor<2x8x32xf32>
  %e = ds.packed_linear %x, %r : tensor<?x8xf32>, tensor<2x8x32xf32> to tensor<?x64xf32>
  %i = ds.slice %e [0, 0] [%d, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %j = ds.slice %e [0, 32] [%d, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %k = ds.swiglu %i, %j : tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x32xf32>
  return %s, %t, %k, %e : tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x64xf32>
}

// -----

// The sum may stand behind a view, and the other summand may come after the product.
// REMARK: remark: @residual: 1 ds.elementwise add joined 1 product; a token moves 256 bytes less{{$}}
// CHECK-LABEL: func @residual
// CHECK: %[[R:.*]] = ds.elementwise {{.*}}neg
// CHECK: %[[ROWS:.*]] = ds.reshape %[[R]]{{.*}} : tensor<2x?x32xf32> to tensor<?x32xf32>
// CHECK: %[[Y:.*]] = ds.packed_linear %{{.*}}, %{{.*}} residual %[[ROWS]] :
// CHECK: %[[V:.*]] = ds.reshape %[[Y]]{{.*}} : tensor<?x32xf32> to tensor<2x?x32xf32>
// CHECK: return %[[V]]
func.func @residual(%x: tensor<?x8xf32>, %p: tensor<1x8x32xf32>, %r: tensor<2x?x32xf32>, %n: index) -> tensor<2x?x32xf32> {
  %y = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  %v = ds.reshape %y[%n] : tensor<?x32xf32> to tensor<2x?x32xf32>
  %m = ds.elementwise neg %r : (tensor<2x?x32xf32>) -> tensor<2x?x32xf32>
  %s = ds.elementwise add %m, %v : (tensor<2x?x32xf32>, tensor<2x?x32xf32>) -> tensor<2x?x32xf32>
  return %s : tensor<2x?x32xf32>
}

// -----

// A row that is added to all, a product with itself, one that is read elsewhere, one that is not rounded to bf16.
// CHECK-LABEL: func @no_residual
// CHECK-NOT: residual %
// CHECK: ds.cast {{.*}} to tensor<?x32xf16>
// CHECK: return
func.func @no_residual(%x: tensor<?x8xf32>, %p: tensor<1x8x32xf32>, %row: tensor<32xf32>, %r: tensor<?x32xf32>)
    -> (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf16>) {
  %a = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  %b = ds.elementwise add %a, %row : (tensor<?x32xf32>, tensor<32xf32>) -> tensor<?x32xf32>
  %c = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  %d = ds.elementwise add %c, %c : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %e = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  %f = ds.elementwise add %e, %r : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  %g = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  %h = ds.cast %g : tensor<?x32xf32> to tensor<?x32xf16>
  return %b, %d, %e, %f, %h : tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf16>
}

// -----

// Gates and ups of experts: blocks of each expert's own rows, with zeros behind them. A residual of grouped rows stays.
// Of which rows the tiles are is not known: a row counts once.
// REMARK: remark: @experts: 1 ds.swiglu joined 1 product; a token moves 48 bytes less{{$}}
// CHECK-LABEL: func @experts
// CHECK-COUNT-2: ds.pad {{.*}} : tensor<3x3x8xf32>, tensor<f32> to tensor<3x16x8xf32>
// CHECK: ds.concat 1 {{.*}} -> tensor<3x32x8xf32>
// CHECK: ds.reshape %{{.*}} : tensor<3x32x8xf32> to tensor<96x8xf32>
// CHECK: ds.reshape %{{.*}} : tensor<96x8xf32> to tensor<3x2x1x16x8xf32>
// CHECK: ds.pack %{{.*}} : tensor<3x32x8xf32> to tensor<3x1x8x32xf32>
// CHECK: ds.packed_linear {{.*}} swiglu : {{.*}} to tensor<?x3xf32>
// CHECK-NEXT: ds.elementwise {{ *}}add
ds.parameter @w : tensor<3x6x8xf32> = [#ds.file_range<"w", 0, 576>]
func.func @experts(%x: tensor<?x8xf32>, %tiles: tensor<?x3xi32>, %count: tensor<i32>, %r: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %w = ds.load_parameter @w : tensor<3x6x8xf32>
  %p = ds.pack %w : tensor<3x6x8xf32> to tensor<3x1x8x32xf32>
  %y = ds.packed_linear %x, %p in %tiles, %count : tensor<?x8xf32>, tensor<3x1x8x32xf32> in tensor<?x3xi32>, tensor<i32> to tensor<?x6xf32>
  %g = ds.slice %y [0, 0] [%n, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %u = ds.slice %y [0, 3] [%n, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %s = ds.swiglu %g, %u : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %a = ds.elementwise add %s, %r : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  return %a : tensor<?x3xf32>
}

// -----

// A token has a row for each of its 4 experts: 4 · (32 + 16) f32, written and read, beside 32 of the sum. Two products of one function are one remark.
// REMARK: remark: @rows: 1 ds.swiglu, 1 ds.elementwise add, 1 ds.cast joined 2 products; a token moves 1792 bytes less{{$}}
// CHECK-LABEL: func @rows
// CHECK: ds.packed_linear {{.*}} swiglu : {{.*}} to tensor<?x16xbf16>
// CHECK: ds.packed_linear {{.*}} residual
ds.parameter @w : tensor<3x32x8xf32> = [#ds.file_range<"w", 0, 3072>]
func.func @rows(%x: tensor<?x8xf32>, %experts: tensor<?x4xi32>, %p: tensor<1x8x32xf32>, %r: tensor<?x32xf32>) -> (tensor<?x16xbf16>, tensor<?x32xf32>) {
  %c0 = arith.constant 0 : index
  %tokens, %places, %offsets, %tiles, %count = ds.group_tokens %experts of 3 tiles 16 : tensor<?x4xi32> to tensor<?xi32>, tensor<?x4xi32>, tensor<4xi32>, tensor<?x3xi32>, tensor<i32>
  %n = tensor.dim %tokens, %c0 : tensor<?xi32>
  %w = ds.load_parameter @w : tensor<3x32x8xf32>
  %q = ds.pack %w : tensor<3x32x8xf32> to tensor<3x1x8x32xf32>
  %y = ds.packed_linear %x rows %tokens, %q in %tiles, %count : tensor<?x8xf32> rows tensor<?xi32>, tensor<3x1x8x32xf32> in tensor<?x3xi32>, tensor<i32> to tensor<?x32xf32>
  %g = ds.slice %y [0, 0] [%n, 16] [1, 1] : tensor<?x32xf32> to tensor<?x16xf32>
  %u = ds.slice %y [0, 16] [%n, 16] [1, 1] : tensor<?x32xf32> to tensor<?x16xf32>
  %s = ds.swiglu %g, %u : tensor<?x16xf32>, tensor<?x16xf32> to tensor<?x16xf32>
  %b = ds.cast %s : tensor<?x16xf32> to tensor<?x16xbf16>
  %z = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  %a = ds.elementwise add %z, %r : (tensor<?x32xf32>, tensor<?x32xf32>) -> tensor<?x32xf32>
  return %b, %a : tensor<?x16xbf16>, tensor<?x32xf32>
}
