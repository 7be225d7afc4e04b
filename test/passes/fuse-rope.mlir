// RUN: ds-opt %s --ds-fuse-rope --split-input-file 2>%t.remarks | FileCheck %s --enable-var-scope
// RUN: FileCheck %s --check-prefix=REMARK --implicit-check-not=remark: --input-file %t.remarks

// Queries and keys of one product, values behind them: the product moves down behind the tables, and the rows of its weight come as 16 first
// members and the 16 second ones of each head.
// REMARK: remark: @heads: 2 ds.rope joined 1 product; a token moves 1536 bytes less{{$}}
// CHECK-LABEL: func @heads
// CHECK: %[[W:.*]] = ds.load_parameter @w
// CHECK: %[[COS:.*]] = ds.elementwise {{ *}}cos
// CHECK: %[[SIN:.*]] = ds.elementwise {{ *}}sin
// CHECK: %[[TURNED:.*]] = ds.slice %[[W]] [0, 0] [192, 8] [1, 1]
// CHECK: %[[HEADS:.*]] = ds.reshape %[[TURNED]] : tensor<192x8xf32> to tensor<3x2x2x16x8xf32>
// CHECK: ds.transpose %[[HEADS]] {{.*}}0, 2, 1, 3, 4
// CHECK: %[[REST:.*]] = ds.slice %[[W]] [192, 0] [64, 8] [1, 1]
// CHECK: %[[ROWS:.*]] = ds.concat 0 %{{.*}}, %[[REST]]
// CHECK: %[[P:.*]] = ds.pack %[[ROWS]]
// CHECK: ds.packed_linear %{{.*}}, %[[P]] rope %[[COS]], %[[SIN]] columns 192 {{ *}}halves :
// CHECK-NOT: ds.rope
// CHECK: return
ds.parameter @w : tensor<256x8xf32> = [#ds.file_range<"w", 0, 8192>]
func.func @heads(%x: tensor<?x8xf32>, %angle: tensor<?x32xf32>) -> (tensor<?x2x64xf32>, tensor<?x1x64xf32>, tensor<?x64xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %w = ds.load_parameter @w : tensor<256x8xf32>
  %p = ds.pack %w : tensor<256x8xf32> to tensor<8x8x32xf32>
  %y = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<8x8x32xf32> to tensor<?x256xf32>
  %q = ds.slice %y [0, 0] [%n, 128] [1, 1] : tensor<?x256xf32> to tensor<?x128xf32>
  %qh = ds.reshape %q[%n] : tensor<?x128xf32> to tensor<?x2x64xf32>
  %k = ds.slice %y [0, 128] [%n, 64] [1, 1] : tensor<?x256xf32> to tensor<?x64xf32>
  %kh = ds.reshape %k[%n] : tensor<?x64xf32> to tensor<?x1x64xf32>
  %v = ds.slice %y [0, 192] [%n, 64] [1, 1] : tensor<?x256xf32> to tensor<?x64xf32>
  %rows = ds.slice %angle [0, 0] [%n, 32] [1, 1] : tensor<?x32xf32> to tensor<?x32xf32>
  %cos = ds.elementwise cos %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %sin = ds.elementwise sin %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %qr = ds.rope %qh, %cos, %sin halves to halves : tensor<?x2x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x2x64xf32>
  %kr = ds.rope %kh, %cos, %sin halves to halves : tensor<?x1x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x1x64xf32>
  return %qr, %kr, %v : tensor<?x2x64xf32>, tensor<?x1x64xf32>, tensor<?x64xf32>
}

// -----

// Pairs of the checkpoint that are wanted in halves: rows are taken by twos. Values between queries and keys: the keys keep their loop.
// REMARK: remark: @pairs: 1 ds.rope joined 1 product; a token moves 1024 bytes less{{$}}
// CHECK-LABEL: func @pairs
// CHECK: ds.reshape %{{.*}} : tensor<128x8xf32> to tensor<2x2x16x2x8xf32>
// CHECK: ds.packed_linear {{.*}} columns 128 {{ *}}halves :
// CHECK-COUNT-1: ds.rope
// CHECK-NOT: ds.rope
// CHECK: return
ds.parameter @w : tensor<256x8xf32> = [#ds.file_range<"w", 0, 8192>]
func.func @pairs(%x: tensor<?x8xf32>, %angle: tensor<?x32xf32>) -> (tensor<?x2x64xf32>, tensor<?x1x64xf32>, tensor<?x64xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %w = ds.load_parameter @w : tensor<256x8xf32>
  %p = ds.pack %w : tensor<256x8xf32> to tensor<8x8x32xf32>
  %y = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<8x8x32xf32> to tensor<?x256xf32>
  %q = ds.slice %y [0, 0] [%n, 128] [1, 1] : tensor<?x256xf32> to tensor<?x128xf32>
  %qh = ds.reshape %q[%n] : tensor<?x128xf32> to tensor<?x2x64xf32>
  %v = ds.slice %y [0, 128] [%n, 64] [1, 1] : tensor<?x256xf32> to tensor<?x64xf32>
  %k = ds.slice %y [0, 192] [%n, 64] [1, 1] : tensor<?x256xf32> to tensor<?x64xf32>
  %kh = ds.reshape %k[%n] : tensor<?x64xf32> to tensor<?x1x64xf32>
  %rows = ds.slice %angle [0, 0] [%n, 32] [1, 1] : tensor<?x32xf32> to tensor<?x32xf32>
  %cos = ds.elementwise cos %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %sin = ds.elementwise sin %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %qr = ds.rope %qh, %cos, %sin pairs to halves : tensor<?x2x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x2x64xf32>
  %kr = ds.rope %kh, %cos, %sin pairs to halves : tensor<?x1x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x1x64xf32>
  return %qr, %kr, %v : tensor<?x2x64xf32>, tensor<?x1x64xf32>, tensor<?x64xf32>
}

// -----

// Somebody else reads the queries before they are rotated.
// CHECK-LABEL: func @read_elsewhere
// CHECK-NOT: packed_linear {{.*}} rope
// CHECK: ds.rope
// CHECK: return
ds.parameter @w : tensor<256x8xf32> = [#ds.file_range<"w", 0, 8192>]
func.func @read_elsewhere(%x: tensor<?x8xf32>, %angle: tensor<?x32xf32>) -> (tensor<?x2x64xf32>, tensor<?x2x64xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %w = ds.load_parameter @w : tensor<256x8xf32>
  %p = ds.pack %w : tensor<256x8xf32> to tensor<8x8x32xf32>
  %y = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<8x8x32xf32> to tensor<?x256xf32>
  %q = ds.slice %y [0, 0] [%n, 128] [1, 1] : tensor<?x256xf32> to tensor<?x128xf32>
  %qh = ds.reshape %q[%n] : tensor<?x128xf32> to tensor<?x2x64xf32>
  %rows = ds.slice %angle [0, 0] [%n, 32] [1, 1] : tensor<?x32xf32> to tensor<?x32xf32>
  %cos = ds.elementwise cos %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %sin = ds.elementwise sin %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %qr = ds.rope %qh, %cos, %sin halves to halves : tensor<?x2x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x2x64xf32>
  return %qr, %qh : tensor<?x2x64xf32>, tensor<?x2x64xf32>
}

// -----

// The tables depend on the product.
// CHECK-LABEL: func @tables_behind
// CHECK-NOT: packed_linear {{.*}} rope
// CHECK: ds.rope
// CHECK: return
ds.parameter @w : tensor<256x8xf32> = [#ds.file_range<"w", 0, 8192>]
func.func @tables_behind(%x: tensor<?x8xf32>, %angle: tensor<?x32xf32>) -> (tensor<?x2x64xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %w = ds.load_parameter @w : tensor<256x8xf32>
  %p = ds.pack %w : tensor<256x8xf32> to tensor<8x8x32xf32>
  %y = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<8x8x32xf32> to tensor<?x256xf32>
  %q = ds.slice %y [0, 0] [%n, 128] [1, 1] : tensor<?x256xf32> to tensor<?x128xf32>
  %qh = ds.reshape %q[%n] : tensor<?x128xf32> to tensor<?x2x64xf32>
  %rows = ds.slice %y [0, 128] [%n, 32] [1, 1] : tensor<?x256xf32> to tensor<?x32xf32>
  %cos = ds.elementwise cos %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %sin = ds.elementwise sin %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %qr = ds.rope %qh, %cos, %sin halves to halves : tensor<?x2x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x2x64xf32>
  return %qr : tensor<?x2x64xf32>
}

// -----

// Not the first columns; tables for which the number of rows is not proven.
// CHECK-LABEL: func @elsewhere
// CHECK-NOT: packed_linear {{.*}} rope
// CHECK: ds.rope
// CHECK: return
ds.parameter @w : tensor<256x8xf32> = [#ds.file_range<"w", 0, 8192>]
func.func @elsewhere(%x: tensor<?x8xf32>, %angle: tensor<?x32xf32>) -> (tensor<?x2x64xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %w = ds.load_parameter @w : tensor<256x8xf32>
  %p = ds.pack %w : tensor<256x8xf32> to tensor<8x8x32xf32>
  %y = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<8x8x32xf32> to tensor<?x256xf32>
  %q = ds.slice %y [0, 64] [%n, 128] [1, 1] : tensor<?x256xf32> to tensor<?x128xf32>
  %qh = ds.reshape %q[%n] : tensor<?x128xf32> to tensor<?x2x64xf32>
  %rows = ds.slice %angle [0, 0] [%n, 32] [1, 1] : tensor<?x32xf32> to tensor<?x32xf32>
  %cos = ds.elementwise cos %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %sin = ds.elementwise sin %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %qr = ds.rope %qh, %cos, %sin halves to halves : tensor<?x2x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x2x64xf32>
  return %qr : tensor<?x2x64xf32>
}

// -----

// CHECK-LABEL: func @other_rows
// CHECK-NOT: packed_linear {{.*}} rope
// CHECK: ds.rope
// CHECK: return
ds.parameter @w : tensor<256x8xf32> = [#ds.file_range<"w", 0, 8192>]
func.func @other_rows(%x: tensor<?x8xf32>, %angle: tensor<?x32xf32>) -> (tensor<?x2x64xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %w = ds.load_parameter @w : tensor<256x8xf32>
  %p = ds.pack %w : tensor<256x8xf32> to tensor<8x8x32xf32>
  %y = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<8x8x32xf32> to tensor<?x256xf32>
  %q = ds.slice %y [0, 0] [%n, 128] [1, 1] : tensor<?x256xf32> to tensor<?x128xf32>
  %qh = ds.reshape %q[%n] : tensor<?x128xf32> to tensor<?x2x64xf32>
  %cos = ds.elementwise cos %angle : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %sin = ds.elementwise sin %angle : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %qr = ds.rope %qh, %cos, %sin halves to halves : tensor<?x2x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x2x64xf32>
  return %qr : tensor<?x2x64xf32>
}

// -----

// Half a head is no multiple of 16.
// CHECK-LABEL: func @narrow
// CHECK-NOT: packed_linear {{.*}} rope
// CHECK: ds.rope
// CHECK: return
ds.parameter @w : tensor<256x8xf32> = [#ds.file_range<"w", 0, 8192>]
func.func @narrow(%x: tensor<?x8xf32>, %angle: tensor<?x32xf32>) -> (tensor<?x16x16xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %w = ds.load_parameter @w : tensor<256x8xf32>
  %p = ds.pack %w : tensor<256x8xf32> to tensor<8x8x32xf32>
  %y = ds.packed_linear %x, %p : tensor<?x8xf32>, tensor<8x8x32xf32> to tensor<?x256xf32>
  %qh = ds.reshape %y[%n] : tensor<?x256xf32> to tensor<?x16x16xf32>
  %rows = ds.slice %angle [0, 0] [%n, 8] [1, 1] : tensor<?x32xf32> to tensor<?x8xf32>
  %cos = ds.elementwise cos %rows : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %qr = ds.rope %qh, %cos, %cos halves to halves : tensor<?x16x16xf32>, tensor<?x8xf32>, tensor<?x8xf32> to tensor<?x16x16xf32>
  return %qr : tensor<?x16x16xf32>
}

// -----

// A whole quantised product: scales and zero points go along.
// REMARK: remark: @quantised: 1 ds.rope joined 1 product; a token moves 256 bytes less{{$}}
// CHECK-LABEL: func @quantised
// CHECK-COUNT-3: ds.reshape %{{.*}} to tensor<1x2x1x16x
// CHECK: ds.packed_quantized_linear {{.*}} rope %arg1, %arg1 columns 32 {{ *}}halves {bits = 8 : i64, group = 8 : i64}
// CHECK-NOT: ds.rope
ds.parameter @w : tensor<32x8xi8> = [#ds.file_range<"w", 0, 256>]
ds.parameter @s : tensor<32x1xf32> = [#ds.file_range<"w", 0, 128>]
ds.parameter @z : tensor<32x1xi8> = [#ds.file_range<"w", 0, 32>]
func.func @quantised(%x: tensor<3x8xf32>, %t: tensor<3x16xf32>) -> tensor<3x1x32xf32> {
  %w = ds.load_parameter @w : tensor<32x8xi8>
  %s = ds.load_parameter @s : tensor<32x1xf32>
  %z = ds.load_parameter @z : tensor<32x1xi8>
  %pw = ds.pack %w : tensor<32x8xi8> to tensor<1x2x128xi8>
  %ps = ds.pack %s : tensor<32x1xf32> to tensor<1x1x32xf32>
  %pz = ds.pack %z : tensor<32x1xi8> to tensor<1x1x32xi8>
  %y = ds.packed_quantized_linear %x, %pw scale %ps zero_points %pz {bits = 8 : i64, group = 8 : i64} : tensor<3x8xf32>, tensor<1x2x128xi8> scale tensor<1x1x32xf32> zero_points tensor<1x1x32xi8> to tensor<3x32xf32>
  %h = ds.reshape %y : tensor<3x32xf32> to tensor<3x1x32xf32>
  %r = ds.rope %h, %t, %t halves to halves : tensor<3x1x32xf32>, tensor<3x16xf32>, tensor<3x16xf32> to tensor<3x1x32xf32>
  return %r : tensor<3x1x32xf32>
}
