// RUN: ds-opt %s --split-input-file --ds-merge-linears --cse 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --implicit-check-not=remark: --input-file %t.remarks

// q, k, v: one product, three slices of columns. The weights of k and v stand
// below the first product.
// REMARK: remark: @qkv: 3 ds.linear of shared inputs became 1; a token moves 64 bytes less{{$}}
// CHECK-LABEL: func.func @qkv
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>)
// CHECK-DAG: %[[Q:.*]] = ds.load_parameter @q
// CHECK-DAG: %[[K:.*]] = ds.load_parameter @k
// CHECK-DAG: %[[V:.*]] = ds.load_parameter @v
// CHECK: %[[W:.*]] = ds.concat 0 %[[Q]], %[[K]], %[[V]] : (tensor<8x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<16x8xf32>
// CHECK: %[[Y:.*]] = ds.linear %[[X]], %[[W]] : tensor<?x8xf32>, tensor<16x8xf32> to tensor<?x16xf32>
// CHECK: %[[N:.*]] = tensor.dim %[[X]]
// CHECK-DAG: ds.slice %[[Y]] [0, 0] [%[[N]], 8] [1, 1]
// CHECK-DAG: ds.slice %[[Y]] [0, 8] [%[[N]], 4] [1, 1]
// CHECK-DAG: ds.slice %[[Y]] [0, 12] [%[[N]], 4] [1, 1]
// CHECK-NOT: ds.linear
ds.parameter @q : tensor<8x8xf32> = [#ds.file_range<"w", 0, 256>]
ds.parameter @k : tensor<4x8xf32> = [#ds.file_range<"w", 256, 128>]
ds.parameter @v : tensor<4x8xf32> = [#ds.file_range<"w", 384, 128>]
func.func @qkv(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
  %q = ds.load_parameter @q : tensor<8x8xf32>
  %0 = ds.linear %x, %q : tensor<?x8xf32>, tensor<8x8xf32> to tensor<?x8xf32>
  %k = ds.load_parameter @k : tensor<4x8xf32>
  %1 = ds.linear %x, %k : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  %v = ds.load_parameter @v : tensor<4x8xf32>
  %2 = ds.linear %x, %v : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  return %0, %1, %2 : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

// Biases are joined too; a product without one stays alone.
// REMARK: remark: @biases: 2 ds.linear of shared inputs became 1; a token moves 32 bytes less{{$}}
// CHECK-LABEL: func.func @biases
// CHECK: %[[B:.*]] = ds.concat 0 %{{.*}}, %{{.*}} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
// CHECK: ds.linear %{{.*}}, %{{.*}} bias %[[B]] : tensor<8xf32>
// CHECK: ds.linear %{{.*}}, %{{.*}} : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
// CHECK-NOT: ds.linear
ds.parameter @a : tensor<4x8xf32> = [#ds.file_range<"w", 0, 128>]
ds.parameter @b : tensor<4x8xf32> = [#ds.file_range<"w", 128, 128>]
ds.parameter @c : tensor<4x8xf32> = [#ds.file_range<"w", 256, 128>]
ds.parameter @d : tensor<4xf32> = [#ds.file_range<"w", 384, 16>]
ds.parameter @e : tensor<4xf32> = [#ds.file_range<"w", 400, 16>]
func.func @biases(%x: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
  %a = ds.load_parameter @a : tensor<4x8xf32>
  %b = ds.load_parameter @b : tensor<4x8xf32>
  %c = ds.load_parameter @c : tensor<4x8xf32>
  %d = ds.load_parameter @d : tensor<4xf32>
  %e = ds.load_parameter @e : tensor<4xf32>
  %0 = ds.linear %x, %a bias %d : tensor<4xf32> : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  %1 = ds.linear %x, %b : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  %2 = ds.linear %x, %c bias %e : tensor<4xf32> : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  return %0, %1, %2 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

// Quantised weights are joined below the dequantisation.
// REMARK: remark: @quantised: 2 ds.linear of shared inputs became 1; a token moves 240 bytes less{{$}}
// CHECK-LABEL: func.func @quantised
// CHECK-DAG: %[[D:.*]] = ds.concat 0 %{{.*}}, %{{.*}} : (tensor<4x64xui4>, tensor<6x64xui4>) -> tensor<10x64xui4>
// CHECK-DAG: %[[S:.*]] = ds.concat 0 %{{.*}}, %{{.*}} : (tensor<4x2xf32>, tensor<6x2xf32>) -> tensor<10x2xf32>
// CHECK-DAG: %[[Z:.*]] = arith.constant dense<8> : tensor<10x2xui4>
// CHECK: %[[F:.*]] = ds.dequantize %[[D]] scale %[[S]] : tensor<10x2xf32> zero_point %[[Z]] : tensor<10x2xui4> {axis = 1 : i64, block_size = 32 : i64} : tensor<10x64xui4> to tensor<10x64xf32>
// CHECK: %[[C:.*]] = ds.slice %[[F]] [0, 0] [10, 60] [1, 1]
// CHECK: ds.linear %{{.*}}, %[[C]] : tensor<?x60xf32>, tensor<10x60xf32> to tensor<?x10xf32>
ds.parameter @a : tensor<4x64xui4> = [#ds.file_range<"w", 0, 128>]
ds.parameter @s : tensor<4x2xf32> = [#ds.file_range<"w", 128, 32>]
ds.parameter @b : tensor<6x64xui4> = [#ds.file_range<"w", 160, 192>]
ds.parameter @t : tensor<6x2xf32> = [#ds.file_range<"w", 352, 48>]
func.func @quantised(%x: tensor<?x60xf32>) -> (tensor<?x4xf32>, tensor<?x6xf32>) {
  %z = arith.constant dense<8> : tensor<4x2xui4>
  %y = arith.constant dense<8> : tensor<6x2xui4>
  %a = ds.load_parameter @a : tensor<4x64xui4>
  %s = ds.load_parameter @s : tensor<4x2xf32>
  %b = ds.load_parameter @b : tensor<6x64xui4>
  %t = ds.load_parameter @t : tensor<6x2xf32>
  %0 = ds.dequantize %a scale %s : tensor<4x2xf32> zero_point %z : tensor<4x2xui4> {axis = 1, block_size = 32} : tensor<4x64xui4> to tensor<4x64xf32>
  %1 = ds.slice %0 [0, 0] [4, 60] [1, 1] : tensor<4x64xf32> to tensor<4x60xf32>
  %2 = ds.linear %x, %1 : tensor<?x60xf32>, tensor<4x60xf32> to tensor<?x4xf32>
  %3 = ds.dequantize %b scale %t : tensor<6x2xf32> zero_point %y : tensor<6x2xui4> {axis = 1, block_size = 32} : tensor<6x64xui4> to tensor<6x64xf32>
  %4 = ds.slice %3 [0, 0] [6, 60] [1, 1] : tensor<6x64xf32> to tensor<6x60xf32>
  %5 = ds.linear %x, %4 : tensor<?x60xf32>, tensor<6x60xf32> to tensor<?x6xf32>
  return %2, %5 : tensor<?x4xf32>, tensor<?x6xf32>
}

// -----

// A weight that is read elsewhere (a tied table), one that is no parameter and
// one of another type are left alone.
// CHECK-LABEL: func.func @left_alone
// CHECK-NOT: ds.concat
// CHECK-COUNT-4: ds.linear
ds.parameter @a : tensor<4x8xf32> = [#ds.file_range<"w", 0, 128>]
ds.parameter @b : tensor<4x8xf32> = [#ds.file_range<"w", 128, 128>]
ds.parameter @c : tensor<4x8xf16> = [#ds.file_range<"w", 256, 64>]
func.func @left_alone(%ids: tensor<?xi64>, %x: tensor<?x8xf32>, %w: tensor<4x8xf32>) -> (tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
  %a = ds.load_parameter @a : tensor<4x8xf32>
  %b = ds.load_parameter @b : tensor<4x8xf32>
  %c = ds.load_parameter @c : tensor<4x8xf16>
  %e = ds.embedding %ids, %a : tensor<?xi64>, tensor<4x8xf32> to tensor<?x8xf32>
  %0 = ds.linear %x, %a : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  %1 = ds.linear %x, %b : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  %2 = ds.linear %x, %c : tensor<?x8xf32>, tensor<4x8xf16> to tensor<?x4xf32>
  %3 = ds.linear %x, %w : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  return %e, %0, %1, %2, %3 : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

// Another input is another product.
// CHECK-LABEL: func.func @inputs
// CHECK-NOT: ds.concat
// CHECK-COUNT-2: ds.linear
ds.parameter @a : tensor<4x8xf32> = [#ds.file_range<"w", 0, 128>]
ds.parameter @b : tensor<4x8xf32> = [#ds.file_range<"w", 128, 128>]
func.func @inputs(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %a = ds.load_parameter @a : tensor<4x8xf32>
  %b = ds.load_parameter @b : tensor<4x8xf32>
  %0 = ds.linear %x, %a : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  %1 = ds.linear %y, %b : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

// A router keeps its precision, whatever becomes of the others' weights.
// CHECK-LABEL: func.func @router
// CHECK-NOT: ds.concat
// CHECK-COUNT-2: ds.linear
ds.parameter @a : tensor<4x8xf32> = [#ds.file_range<"w", 0, 128>]
ds.parameter @b : tensor<4x8xf32> = [#ds.file_range<"w", 128, 128>]
func.func @router(%x: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x2xi32>) {
  %a = ds.load_parameter @a : tensor<4x8xf32>
  %b = ds.load_parameter @b : tensor<4x8xf32>
  %0 = ds.linear %x, %a : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  %1 = ds.linear %x, %b : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
  %w, %e, %l = ds.route %1 softmax top 2 groups 1 keep 1 by max fill zero scale 1.0 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<4xi32>
  return %0, %e : tensor<?x4xf32>, tensor<?x2xi32>
}

// -----

// Groups of one function in one remark: (3 - 1) rows of 8 bf16 and one of 6 f32.
// REMARK: remark: @groups: 5 ds.linear of shared inputs became 2; a token moves 56 bytes less{{$}}
// CHECK-LABEL: func.func @groups
// CHECK: ds.linear {{.*}} to tensor<?x12xbf16>
// CHECK: ds.linear {{.*}} to tensor<?x8xf32>
// CHECK-NOT: ds.linear
ds.parameter @a : tensor<4x8xbf16> = [#ds.file_range<"w", 0, 64>]
ds.parameter @b : tensor<4x8xbf16> = [#ds.file_range<"w", 64, 64>]
ds.parameter @c : tensor<4x8xbf16> = [#ds.file_range<"w", 128, 64>]
ds.parameter @d : tensor<4x6xf32> = [#ds.file_range<"w", 192, 96>]
ds.parameter @e : tensor<4x6xf32> = [#ds.file_range<"w", 288, 96>]
func.func @groups(%x: tensor<?x8xbf16>, %y: tensor<?x6xf32>)
    -> (tensor<?x4xbf16>, tensor<?x4xbf16>, tensor<?x4xbf16>, tensor<?x4xf32>, tensor<?x4xf32>) {
  %a = ds.load_parameter @a : tensor<4x8xbf16>
  %b = ds.load_parameter @b : tensor<4x8xbf16>
  %c = ds.load_parameter @c : tensor<4x8xbf16>
  %d = ds.load_parameter @d : tensor<4x6xf32>
  %e = ds.load_parameter @e : tensor<4x6xf32>
  %0 = ds.linear %x, %a : tensor<?x8xbf16>, tensor<4x8xbf16> to tensor<?x4xbf16>
  %1 = ds.linear %x, %b : tensor<?x8xbf16>, tensor<4x8xbf16> to tensor<?x4xbf16>
  %2 = ds.linear %x, %c : tensor<?x8xbf16>, tensor<4x8xbf16> to tensor<?x4xbf16>
  %3 = ds.linear %y, %d : tensor<?x6xf32>, tensor<4x6xf32> to tensor<?x4xf32>
  %4 = ds.linear %y, %e : tensor<?x6xf32>, tensor<4x6xf32> to tensor<?x4xf32>
  return %0, %1, %2, %3, %4 : tensor<?x4xbf16>, tensor<?x4xbf16>, tensor<?x4xbf16>, tensor<?x4xf32>, tensor<?x4xf32>
}
