// RUN: ds-opt %s | ds-opt | FileCheck %s
// RUN: ds-opt %s -mlir-print-op-generic | ds-opt | FileCheck %s

// Every op, with static and with dynamic sizes, through the custom and the
// generic form.

// CHECK: ds.parameter @w : tensor<4xf32> = [#ds.file_range<"f.bin", 0, 16>]
ds.parameter @w : tensor<4xf32> = [#ds.file_range<"f.bin", 0, 16>]
// CHECK: ds.parameter @parts : tensor<2x4xbf16> = [#ds.file_range<"f.bin", 16, 8>, #ds.file_range<"g.bin", 0, 8>]
ds.parameter @parts : tensor<2x4xbf16> = [#ds.file_range<"f.bin", 16, 8>, #ds.file_range<"g.bin", 0, 8>]
// CHECK: ds.parameter @nibbles : tensor<3x3xui4> = [#ds.file_range<"f.bin", 32, 5>]
ds.parameter @nibbles : tensor<3x3xui4> = [#ds.file_range<"f.bin", 32, 5>]
// CHECK: ds.parameter @small : tensor<2xi64> = dense<[1, 2]> : tensor<2xi64>
ds.parameter @small : tensor<2xi64> = dense<[1, 2]> : tensor<2xi64>

// CHECK-LABEL: func.func @entry(%{{.*}}: tensor<?x4xf32> {ds.dims = ["rows", ""], ds.name = "x"})
// CHECK-SAME: -> (tensor<?x4xf32> {ds.dims = ["rows", ""], ds.name = "y"}) attributes {ds.entry = "graph"}
func.func @entry(%x: tensor<?x4xf32> {ds.name = "x", ds.dims = ["rows", ""]})
    -> (tensor<?x4xf32> {ds.name = "y", ds.dims = ["rows", ""]}) attributes {ds.entry = "graph"} {
  // CHECK: ds.load_parameter @w : tensor<4xf32>
  %w = ds.load_parameter @w : tensor<4xf32>
  // CHECK: ds.rms_norm %{{.*}}, %{{.*}} epsilon 9.9999999999999995E-7 : tensor<?x4xf32>, tensor<4xf32> to tensor<?x4xf32>
  %0 = ds.rms_norm %x, %w epsilon 1.0e-6 : tensor<?x4xf32>, tensor<4xf32> to tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @token_wise
func.func @token_wise(%ids: tensor<2x?xi64>, %fixed: tensor<5xi32>, %table: tensor<97x8xbf16>, %x: tensor<2x?x8xf32>,
                      %row: tensor<8xf16>, %w8: tensor<8xf32>, %w: tensor<?x8xbf16>, %bias: tensor<?xf32>,
                      %w3: tensor<3x8xf32>, %q: tensor<2x?x4x6xf32>, %cos: tensor<2x?x3xf32>, %q2: tensor<4x6xf16>,
                      %cos2: tensor<3xf32>) {
  // CHECK: ds.embedding %{{.*}}, %{{.*}} : tensor<2x?xi64>, tensor<97x8xbf16> to tensor<2x?x8xf32>
  %0 = ds.embedding %ids, %table : tensor<2x?xi64>, tensor<97x8xbf16> to tensor<2x?x8xf32>
  // CHECK: ds.embedding %{{.*}}, %{{.*}} : tensor<5xi32>, tensor<97x8xbf16> to tensor<5x8xbf16>
  %1 = ds.embedding %fixed, %table : tensor<5xi32>, tensor<97x8xbf16> to tensor<5x8xbf16>
  // CHECK: ds.rms_norm %{{.*}}, %{{.*}} epsilon 1.000000e-05 round_before_weight : tensor<8xf16>, tensor<8xf32> to tensor<8xf16>
  %2 = ds.rms_norm %row, %w8 epsilon 1.0e-05 round_before_weight : tensor<8xf16>, tensor<8xf32> to tensor<8xf16>
  // CHECK: ds.rope %{{.*}}, %{{.*}}, %{{.*}} pairs to halves : tensor<2x?x4x6xf32>, tensor<2x?x3xf32>, tensor<2x?x3xf32> to tensor<2x?x4x6xf32>
  %3 = ds.rope %q, %cos, %cos pairs to halves : tensor<2x?x4x6xf32>, tensor<2x?x3xf32>, tensor<2x?x3xf32> to tensor<2x?x4x6xf32>
  // CHECK: ds.rope %{{.*}}, %{{.*}}, %{{.*}} halves to halves : tensor<4x6xf16>, tensor<3xf32>, tensor<3xf32> to tensor<4x6xf16>
  %4 = ds.rope %q2, %cos2, %cos2 halves to halves : tensor<4x6xf16>, tensor<3xf32>, tensor<3xf32> to tensor<4x6xf16>
  // CHECK: ds.linear %{{.*}}, %{{.*}} bias %{{.*}} : tensor<?xf32> : tensor<2x?x8xf32>, tensor<?x8xbf16> to tensor<2x?x?xf32>
  %5 = ds.linear %x, %w bias %bias : tensor<?xf32> : tensor<2x?x8xf32>, tensor<?x8xbf16> to tensor<2x?x?xf32>
  // CHECK: ds.linear %{{.*}}, %{{.*}} : tensor<8xf16>, tensor<3x8xf32> to tensor<3xf16>
  %6 = ds.linear %row, %w3 : tensor<8xf16>, tensor<3x8xf32> to tensor<3xf16>
  // CHECK: ds.swiglu %{{.*}}, %{{.*}} : tensor<2x?x8xf32>, tensor<2x?x8xf32> to tensor<2x?x8xf32>
  %7 = ds.swiglu %x, %x : tensor<2x?x8xf32>, tensor<2x?x8xf32> to tensor<2x?x8xf32>
  // CHECK: ds.swiglu %{{.*}}, %{{.*}} : tensor<8xf16>, tensor<8xf16> to tensor<8xf16>
  %8 = ds.swiglu %row, %row : tensor<8xf16>, tensor<8xf16> to tensor<8xf16>
  return
}

// CHECK-LABEL: func.func @attention
func.func @attention(%q: tensor<?x?x4x16xf32>, %k: tensor<?x2x?x16xf32>, %v: tensor<?x2x?x8xf32>, %m: tensor<?x1x?x?xf32>,
                     %qs: tensor<1x3x4x16xf16>, %ks: tensor<1x4x5x16xbf16>, %bools: tensor<5xi1>,
                     %tokens: tensor<?x4x16xf32>, %rows: tensor<?x2x16xf32>, %cache: tensor<?x2x?x16xbf16>,
                     %acc: tensor<?x?x4x8xf32>, %max: tensor<?x?x4xf32>, %acc1: tensor<1x3x4x16xf64>, %max1: tensor<1x3x4xf64>,
                     %starts: tensor<?xi32>, %past: tensor<?xi32>, %n: index, %starts3: tensor<4xi32>,
                     %past3: tensor<3xi32>, %tokens9: tensor<9x2x4xf32>, %cache9: tensor<8x2x32x4xf32>) {
  // CHECK: ds.attention %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} : tensor<?x1x?x?xf32> scale 2.500000e-01 : tensor<?x?x4x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x8xf32> to tensor<?x?x4x8xf32>
  %0 = ds.attention %q, %k, %v mask %m : tensor<?x1x?x?xf32> scale 0.25 : tensor<?x?x4x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x8xf32> to tensor<?x?x4x8xf32>
  // CHECK: ds.attention %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} : tensor<5xi1> scale 1.000000e+00 causal : tensor<1x3x4x16xf16>, tensor<1x4x5x16xbf16>, tensor<1x4x5x16xbf16> to tensor<1x3x4x16xf16>
  %1 = ds.attention %qs, %ks, %ks mask %bools : tensor<5xi1> scale 1.0 causal : tensor<1x3x4x16xf16>, tensor<1x4x5x16xbf16>, tensor<1x4x5x16xbf16> to tensor<1x3x4x16xf16>
  // CHECK: ds.online_attention %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} : tensor<?x1x?x?xf32> diagonal %{{.*}} scale 2.500000e-01 into %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x?x4x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x8xf32> into tensor<?x?x4x8xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>
  %online:3 = ds.online_attention %q, %k, %v mask %m : tensor<?x1x?x?xf32> diagonal %n scale 0.25 into %acc, %max, %max : tensor<?x?x4x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x8xf32> into tensor<?x?x4x8xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>
  // CHECK: ds.online_attention %{{.*}}, %{{.*}}, %{{.*}} scale 1.000000e+00 into %{{.*}}, %{{.*}}, %{{.*}} : tensor<1x3x4x16xf16>, tensor<1x4x5x16xbf16>, tensor<1x4x5x16xbf16> into tensor<1x3x4x16xf64>, tensor<1x3x4xf64>, tensor<1x3x4xf64>
  %online1:3 = ds.online_attention %qs, %ks, %ks scale 1.0 into %acc1, %max1, %max1 : tensor<1x3x4x16xf16>, tensor<1x4x5x16xbf16>, tensor<1x4x5x16xbf16> into tensor<1x3x4x16xf64>, tensor<1x3x4xf64>, tensor<1x3x4xf64>
  // CHECK: ds.token_positions %{{.*}}, %{{.*}}, %{{.*}} : tensor<?xi32>, tensor<?xi32> to tensor<?xi32>
  %2 = ds.token_positions %starts, %past, %n : tensor<?xi32>, tensor<?xi32> to tensor<?xi32>
  // CHECK: ds.token_positions %{{.*}}, %{{.*}}, %{{.*}} : tensor<4xi32>, tensor<3xi32> to tensor<9xi32>
  %3 = ds.token_positions %starts3, %past3, %n : tensor<4xi32>, tensor<3xi32> to tensor<9xi32>
  // CHECK: ds.cache_append %{{.*}} into %{{.*}} at %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x2x16xf32>, tensor<?x2x?x16xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x16xbf16>
  %4 = ds.cache_append %rows into %cache at %starts, %past, %past : tensor<?x2x16xf32>, tensor<?x2x?x16xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x16xbf16>
  // CHECK: ds.cache_append %{{.*}} into %{{.*}} at %{{.*}}, %{{.*}}, %{{.*}} : tensor<9x2x4xf32>, tensor<8x2x32x4xf32>, tensor<4xi32>, tensor<3xi32>, tensor<3xi32> to tensor<8x2x32x4xf32>
  %5 = ds.cache_append %tokens9 into %cache9 at %starts3, %past3, %past3 : tensor<9x2x4xf32>, tensor<8x2x32x4xf32>, tensor<4xi32>, tensor<3xi32>, tensor<3xi32> to tensor<8x2x32x4xf32>
  // CHECK: ds.cached_attention %{{.*}}, %{{.*}}, %{{.*}} at %{{.*}}, %{{.*}}, %{{.*}} scale 2.500000e-01 : tensor<?x4x16xf32>, tensor<?x2x?x16xbf16>, tensor<?x2x?x16xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x4x16xf32>
  %6 = ds.cached_attention %tokens, %cache, %cache at %starts, %past, %past scale 0.25 : tensor<?x4x16xf32>, tensor<?x2x?x16xbf16>, tensor<?x2x?x16xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x4x16xf32>
  // CHECK: ds.cached_attention %{{.*}}, %{{.*}}, %{{.*}} at %{{.*}}, %{{.*}}, %{{.*}} scale 5.000000e-01 : tensor<9x2x4xf32>, tensor<8x2x32x4xf32>, tensor<8x2x32x4xf32>, tensor<4xi32>, tensor<3xi32>, tensor<3xi32> to tensor<9x2x4xf32>
  %7 = ds.cached_attention %tokens9, %cache9, %cache9 at %starts3, %past3, %past3 scale 0.5 : tensor<9x2x4xf32>, tensor<8x2x32x4xf32>, tensor<8x2x32x4xf32>, tensor<4xi32>, tensor<3xi32>, tensor<3xi32> to tensor<9x2x4xf32>
  return
}

// CHECK-LABEL: func.func @views
func.func @views(%x: tensor<?x4xf32>, %s: tensor<2x3xi64>, %n: index, %zero: tensor<f32>, %int: tensor<i64>) {
  // CHECK: ds.elementwise add %{{.*}}, %{{.*}} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %0 = ds.elementwise add %x, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  // CHECK: ds.elementwise lt %{{.*}}, %{{.*}} : (tensor<2x3xi64>, tensor<i64>) -> tensor<2x3xi1>
  %1 = ds.elementwise lt %s, %int : (tensor<2x3xi64>, tensor<i64>) -> tensor<2x3xi1>
  // CHECK: ds.elementwise select %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x3xi1>, tensor<2x3xi64>, tensor<i64>) -> tensor<2x3xi64>
  %2 = ds.elementwise select %1, %s, %int : (tensor<2x3xi1>, tensor<2x3xi64>, tensor<i64>) -> tensor<2x3xi64>
  // CHECK: ds.cast %{{.*}} : tensor<?x4xf32> to tensor<?x4xbf16>
  %3 = ds.cast %x : tensor<?x4xf32> to tensor<?x4xbf16>
  // CHECK: ds.cast %{{.*}} {saturate = false} : tensor<2x3xi64> to tensor<2x3xf8E4M3FN>
  %4 = ds.cast %s {saturate = false} : tensor<2x3xi64> to tensor<2x3xf8E4M3FN>
  // CHECK: ds.reshape %{{.*}}[%{{.*}}] : tensor<?x4xf32> to tensor<2x?xf32>
  %5 = ds.reshape %x[%n] : tensor<?x4xf32> to tensor<2x?xf32>
  // CHECK: ds.reshape %{{.*}} : tensor<2x3xi64> to tensor<6xi64>
  %6 = ds.reshape %s : tensor<2x3xi64> to tensor<6xi64>
  // CHECK: ds.broadcast %{{.*}}[%{{.*}}, %{{.*}}] : tensor<?x4xf32> to tensor<?x?x4xf32>
  %7 = ds.broadcast %x[%n, %n] : tensor<?x4xf32> to tensor<?x?x4xf32>
  // CHECK: ds.broadcast %{{.*}} : tensor<i64> to tensor<5xi64>
  %8 = ds.broadcast %int : tensor<i64> to tensor<5xi64>
  // CHECK: ds.transpose %{{.*}} [1, 0] : tensor<?x4xf32> to tensor<4x?xf32>
  %9 = ds.transpose %x [1, 0] : tensor<?x4xf32> to tensor<4x?xf32>
  // CHECK: ds.transpose %{{.*}} [1, 0] : tensor<2x3xi64> to tensor<3x2xi64>
  %10 = ds.transpose %s [1, 0] : tensor<2x3xi64> to tensor<3x2xi64>
  // CHECK: ds.slice %{{.*}}[0, 1] [%{{.*}}, 2] [1, 1] : tensor<?x4xf32> to tensor<?x2xf32>
  %11 = ds.slice %x [0, 1] [%n, 2] [1, 1] : tensor<?x4xf32> to tensor<?x2xf32>
  // CHECK: ds.slice %{{.*}}[1, 2] [2, 3] [-1, -1] : tensor<2x3xi64> to tensor<2x3xi64>
  %12 = ds.slice %s [1, 2] [2, 3] [-1, -1] : tensor<2x3xi64> to tensor<2x3xi64>
  // CHECK: ds.concat 0 %{{.*}}, %{{.*}} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %13 = ds.concat 0 %x, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  // CHECK: ds.concat 1 %{{.*}}, %{{.*}} : (tensor<2x3xi64>, tensor<2x3xi64>) -> tensor<2x6xi64>
  %14 = ds.concat 1 %s, %s : (tensor<2x3xi64>, tensor<2x3xi64>) -> tensor<2x6xi64>
  // CHECK: ds.pad constant %{{.*}} value %{{.*}} low %{{.*}}, %{{.*}} high %{{.*}}, %{{.*}} : tensor<?x4xf32>, tensor<f32> to tensor<?x?xf32>
  %15 = ds.pad constant %x value %zero low %n, %n high %n, %n : tensor<?x4xf32>, tensor<f32> to tensor<?x?xf32>
  // CHECK: ds.pad wrap %{{.*}} value %{{.*}} low %{{.*}}, %{{.*}} high %{{.*}}, %{{.*}} : tensor<2x3xi64>, tensor<i64> to tensor<4x5xi64>
  %16 = ds.pad wrap %s value %int low %n, %n high %n, %n : tensor<2x3xi64>, tensor<i64> to tensor<4x5xi64>
  // CHECK: ds.range %{{.*}}, %{{.*}}[%{{.*}}] : tensor<f32> to tensor<?xf32>
  %17 = ds.range %zero, %zero[%n] : tensor<f32> to tensor<?xf32>
  // CHECK: ds.range %{{.*}}, %{{.*}} : tensor<i64> to tensor<7xi64>
  %18 = ds.range %int, %int : tensor<i64> to tensor<7xi64>
  return
}

// CHECK-LABEL: func.func @reductions
func.func @reductions(%x: tensor<?x4xf32>, %s: tensor<2x3xi8>, %y: tensor<5x1x4x?xf32>, %z: tensor<3x2xi8>) {
  // CHECK: ds.reduce sum %{{.*}} [1] keepdims : tensor<?x4xf32> to tensor<?x1xf32>
  %0 = ds.reduce sum %x [1] keepdims : tensor<?x4xf32> to tensor<?x1xf32>
  // CHECK: ds.reduce max %{{.*}} [0, 1] : tensor<2x3xi8> to tensor<i8>
  %1 = ds.reduce max %s [0, 1] : tensor<2x3xi8> to tensor<i8>
  // CHECK: ds.arg_reduce max %{{.*}} 0 : tensor<?x4xf32> to tensor<1x4xi64>
  %2 = ds.arg_reduce max %x 0 : tensor<?x4xf32> to tensor<1x4xi64>
  // CHECK: ds.arg_reduce min %{{.*}} 1 last : tensor<2x3xi8> to tensor<2x1xi64>
  %3 = ds.arg_reduce min %s 1 last : tensor<2x3xi8> to tensor<2x1xi64>
  // CHECK: ds.cumulative sum %{{.*}} 0 exclusive reverse : tensor<?x4xf32> to tensor<?x4xf32>
  %4 = ds.cumulative sum %x 0 exclusive reverse : tensor<?x4xf32> to tensor<?x4xf32>
  // CHECK: ds.cumulative prod %{{.*}} 1 : tensor<2x3xi8> to tensor<2x3xi8>
  %5 = ds.cumulative prod %s 1 : tensor<2x3xi8> to tensor<2x3xi8>
  // CHECK: ds.matmul %{{.*}}, %{{.*}} : tensor<?x4xf32>, tensor<5x1x4x?xf32> to tensor<5x1x?x?xf32>
  %6 = ds.matmul %x, %y : tensor<?x4xf32>, tensor<5x1x4x?xf32> to tensor<5x1x?x?xf32>
  // CHECK: ds.matmul %{{.*}}, %{{.*}} : tensor<2x3xi8>, tensor<3x2xi8> to tensor<2x2xi32>
  %7 = ds.matmul %s, %z : tensor<2x3xi8>, tensor<3x2xi8> to tensor<2x2xi32>
  // CHECK: ds.softmax %{{.*}} 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %8 = ds.softmax %x 1 : tensor<?x4xf32> to tensor<?x4xf32>
  // CHECK: ds.softmax %{{.*}} 3 log : tensor<5x1x4x?xf32> to tensor<5x1x4x?xf32>
  %9 = ds.softmax %y 3 log : tensor<5x1x4x?xf32> to tensor<5x1x4x?xf32>
  return
}

// CHECK-LABEL: func.func @indexing
func.func @indexing(%x: tensor<?x4xf32>, %i: tensor<?x?xi64>, %pairs: tensor<7x1xi32>, %u: tensor<7x4xf32>, %k: index,
                    %s: tensor<2x3xi8>, %j: tensor<2x2xi64>, %v: tensor<2x2xi8>, %half: tensor<f16>, %zero: tensor<i8>,
                    %scales: tensor<2x2xf32>, %zeros: tensor<2x2xi8>, %axis: tensor<?xf32>, %q: tensor<?x4xui8>) {
  // CHECK: ds.gather %{{.*}}, %{{.*}} 0 : tensor<?x4xf32>, tensor<?x?xi64> to tensor<?x?x4xf32>
  %0 = ds.gather %x, %i 0 : tensor<?x4xf32>, tensor<?x?xi64> to tensor<?x?x4xf32>
  // CHECK: ds.gather %{{.*}}, %{{.*}} 1 : tensor<2x3xi8>, tensor<2x2xi64> to tensor<2x2x2xi8>
  %1 = ds.gather %s, %j 1 : tensor<2x3xi8>, tensor<2x2xi64> to tensor<2x2x2xi8>
  // CHECK: ds.gather_elements %{{.*}}, %{{.*}} 0 : tensor<?x4xf32>, tensor<?x?xi64> to tensor<?x?xf32>
  %2 = ds.gather_elements %x, %i 0 : tensor<?x4xf32>, tensor<?x?xi64> to tensor<?x?xf32>
  // CHECK: ds.gather_elements %{{.*}}, %{{.*}} 1 : tensor<2x3xi8>, tensor<2x2xi64> to tensor<2x2xi8>
  %3 = ds.gather_elements %s, %j 1 : tensor<2x3xi8>, tensor<2x2xi64> to tensor<2x2xi8>
  // CHECK: ds.gather_nd %{{.*}}, %{{.*}} : tensor<?x4xf32>, tensor<7x1xi32> to tensor<7x4xf32>
  %4 = ds.gather_nd %x, %pairs : tensor<?x4xf32>, tensor<7x1xi32> to tensor<7x4xf32>
  // CHECK: ds.gather_nd %{{.*}}, %{{.*}} : tensor<2x3xi8>, tensor<2x2xi64> to tensor<2xi8>
  %5 = ds.gather_nd %s, %j : tensor<2x3xi8>, tensor<2x2xi64> to tensor<2xi8>
  // CHECK: ds.scatter_elements add %{{.*}}, %{{.*}}, %{{.*}} 1 : tensor<2x3xi8>, tensor<2x2xi64>, tensor<2x2xi8> to tensor<2x3xi8>
  %6 = ds.scatter_elements add %s, %j, %v 1 : tensor<2x3xi8>, tensor<2x2xi64>, tensor<2x2xi8> to tensor<2x3xi8>
  // CHECK: ds.scatter_elements none %{{.*}}, %{{.*}}, %{{.*}} 0 : tensor<?x4xf32>, tensor<?x?xi64>, tensor<?x4xf32> to tensor<?x4xf32>
  %7 = ds.scatter_elements none %x, %i, %x 0 : tensor<?x4xf32>, tensor<?x?xi64>, tensor<?x4xf32> to tensor<?x4xf32>
  // CHECK: ds.scatter_nd none %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x4xf32>, tensor<7x1xi32>, tensor<7x4xf32> to tensor<?x4xf32>
  %8 = ds.scatter_nd none %x, %pairs, %u : tensor<?x4xf32>, tensor<7x1xi32>, tensor<7x4xf32> to tensor<?x4xf32>
  // CHECK: ds.scatter_nd max %{{.*}}, %{{.*}}, %{{.*}} : tensor<2x3xi8>, tensor<2x2xi64>, tensor<2xi8> to tensor<2x3xi8>
  %9 = ds.scatter_nd max %s, %j, %5 : tensor<2x3xi8>, tensor<2x2xi64>, tensor<2xi8> to tensor<2x3xi8>
  // CHECK: ds.topk %{{.*}}, %{{.*}} 1 : tensor<?x4xf32> to tensor<?x?xf32>, tensor<?x?xi64>
  %10:2 = ds.topk %x, %k 1 : tensor<?x4xf32> to tensor<?x?xf32>, tensor<?x?xi64>
  // CHECK: ds.topk %{{.*}}, %{{.*}} 0 {largest = false} : tensor<2x3xi8> to tensor<1x3xi8>, tensor<1x3xi64>
  %11:2 = ds.topk %s, %k 0 {largest = false} : tensor<2x3xi8> to tensor<1x3xi8>, tensor<1x3xi64>
  // CHECK: ds.nonzero %{{.*}} : tensor<?x4xf32> to tensor<2x?xi64>
  %12 = ds.nonzero %x : tensor<?x4xf32> to tensor<2x?xi64>
  // CHECK: ds.nonzero %{{.*}} : tensor<2x3xi8> to tensor<2x?xi64>
  %13 = ds.nonzero %s : tensor<2x3xi8> to tensor<2x?xi64>
  // CHECK: ds.dequantize %{{.*}} scale %{{.*}} : tensor<f16> zero_point %{{.*}} : tensor<i8> : tensor<2x3xi8> to tensor<2x3xf16>
  %14 = ds.dequantize %s scale %half : tensor<f16> zero_point %zero : tensor<i8> : tensor<2x3xi8> to tensor<2x3xf16>
  // CHECK: ds.dequantize %{{.*}} scale %{{.*}} : tensor<2x2xf32> zero_point %{{.*}} : tensor<2x2xi8> {axis = 1 : i64, block_size = 2 : i64} : tensor<2x3xi8> to tensor<2x3xf32>
  %15 = ds.dequantize %s scale %scales : tensor<2x2xf32> zero_point %zeros : tensor<2x2xi8> {axis = 1 : i64, block_size = 2 : i64} : tensor<2x3xi8> to tensor<2x3xf32>
  // CHECK: ds.dequantize %{{.*}} scale %{{.*}} : tensor<?xf32> : tensor<?x4xui8> to tensor<?x4xf32>
  %16 = ds.dequantize %q scale %axis : tensor<?xf32> : tensor<?x4xui8> to tensor<?x4xf32>
  return
}

// CHECK-LABEL: func.func @shape_of_the_call
func.func @shape_of_the_call(%x: tensor<?xf32>, %c: i1, %n: index) -> tensor<?xui32> {
  // CHECK: %[[N:.*]] = ds.require %{{.*}}, %{{.*}}
  // CHECK: ds.reshape %{{.*}}[%[[N]]]
  // CHECK: ds.bitcast %{{.*}} : tensor<?xf32> to tensor<?xui32>
  %0 = ds.require %c, %n
  %1 = ds.reshape %x[%0] : tensor<?xf32> to tensor<?xf32>
  %2 = ds.bitcast %1 : tensor<?xf32> to tensor<?xui32>
  return %2 : tensor<?xui32>
}

// CHECK-LABEL: func @pack
// CHECK: ds.pack %{{.*}} : tensor<70x5xf32> to tensor<3x5x32xf32>
// CHECK: ds.pack %{{.*}} : tensor<70x5xbf16> to tensor<3x3x64xbf16>
// CHECK: ds.pack %{{.*}} : tensor<70x5xi8> to tensor<3x2x128xi8>
func.func @pack(%a: tensor<70x5xf32>, %b: tensor<70x5xbf16>, %c: tensor<70x5xi8>)
    -> (tensor<3x5x32xf32>, tensor<3x3x64xbf16>, tensor<3x2x128xi8>) {
  %0 = ds.pack %a : tensor<70x5xf32> to tensor<3x5x32xf32>
  %1 = ds.pack %b : tensor<70x5xbf16> to tensor<3x3x64xbf16>
  %2 = ds.pack %c : tensor<70x5xi8> to tensor<3x2x128xi8>
  return %0, %1, %2 : tensor<3x5x32xf32>, tensor<3x3x64xbf16>, tensor<3x2x128xi8>
}

// CHECK-LABEL: func @linear
// CHECK: ds.packed_linear %{{.*}}, %{{.*}} bias %{{.*}} : tensor<?x5xbf16>, tensor<3x3x64xbf16> bias tensor<70xf32> to tensor<?x70xf32>
// CHECK: ds.packed_linear %{{.*}}, %{{.*}} swiglu residual %{{.*}} : tensor<?x5xbf16>, tensor<3x3x64xbf16> residual tensor<?x40xf32> to tensor<?x40xbf16>
func.func @linear(%x: tensor<?x5xbf16>, %w: tensor<3x3x64xbf16>, %bias: tensor<70xf32>, %r: tensor<?x40xf32>) -> (tensor<?x70xf32>, tensor<?x40xbf16>) {
  %0 = ds.packed_linear %x, %w bias %bias : tensor<?x5xbf16>, tensor<3x3x64xbf16> bias tensor<70xf32> to tensor<?x70xf32>
  %1 = ds.packed_linear %x, %w swiglu residual %r : tensor<?x5xbf16>, tensor<3x3x64xbf16> residual tensor<?x40xf32> to tensor<?x40xbf16>
  return %0, %1 : tensor<?x70xf32>, tensor<?x40xbf16>
}

// CHECK-LABEL: func @grouped
// CHECK: ds.pack %{{.*}} : tensor<3x70x5xbf16> to tensor<3x3x3x64xbf16>
// CHECK: ds.packed_linear %{{.*}} rows %{{.*}}, %{{.*}} in %{{.*}}, %{{.*}} swiglu : tensor<?x5xbf16> rows tensor<?xi32>, tensor<3x3x3x64xbf16> in tensor<?x3xi32>, tensor<i32> to tensor<?x40xbf16>
// CHECK: ds.packed_linear %{{.*}}, %{{.*}} in %{{.*}}, %{{.*}} : tensor<?x5xbf16>, tensor<3x3x3x64xbf16> in tensor<?x3xi32>, tensor<i32> to tensor<?x70xf32>
func.func @grouped(%x: tensor<?x5xbf16>, %r: tensor<?xi32>, %a: tensor<3x70x5xbf16>, %t: tensor<?x3xi32>, %c: tensor<i32>) -> (tensor<?x40xbf16>, tensor<?x70xf32>) {
  %w = ds.pack %a : tensor<3x70x5xbf16> to tensor<3x3x3x64xbf16>
  %0 = ds.packed_linear %x rows %r, %w in %t, %c swiglu : tensor<?x5xbf16> rows tensor<?xi32>, tensor<3x3x3x64xbf16> in tensor<?x3xi32>, tensor<i32> to tensor<?x40xbf16>
  %1 = ds.packed_linear %x, %w in %t, %c : tensor<?x5xbf16>, tensor<3x3x3x64xbf16> in tensor<?x3xi32>, tensor<i32> to tensor<?x70xf32>
  return %0, %1 : tensor<?x40xbf16>, tensor<?x70xf32>
}

// CHECK-LABEL: func @rotated
// CHECK: ds.packed_linear %{{.*}}, %{{.*}} rope %{{.*}}, %{{.*}} columns 32 {{ *}}pairs : tensor<?x5xbf16>, tensor<2x3x64xbf16> rope tensor<?x16xf32>, tensor<?x16xf32> to tensor<?x64xf32>
func.func @rotated(%x: tensor<?x5xbf16>, %w: tensor<2x3x64xbf16>, %t: tensor<?x16xf32>) -> tensor<?x64xf32> {
  %0 = ds.packed_linear %x, %w rope %t, %t columns 32 pairs : tensor<?x5xbf16>, tensor<2x3x64xbf16> rope tensor<?x16xf32>, tensor<?x16xf32> to tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// CHECK-LABEL: func @quantised
// CHECK: ds.quantize_groups %{{.*}} group 64 : tensor<?x70xf32> to tensor<?x72xi8>, tensor<?x2xf32>, tensor<?x2xi32>
// CHECK: ds.quantize_groups %{{.*}} group 32 bits 4 : tensor<?x70xf32> to tensor<?x72xi8>, tensor<?x3xf32>, tensor<?x3xi32>
// CHECK: ds.packed_quantized_linear %{{.*}} scale %{{.*}} sum %{{.*}}, %{{.*}} scale %{{.*}} zero_points %{{.*}} bias %{{.*}} {bits = 4 : i64, group = 64 : i64} : tensor<?x72xi8> scale tensor<?x2xf32> sum tensor<?x2xi32>, tensor<1x9x128xi8> scale tensor<1x2x32xf32> zero_points tensor<1x1x32xi8> bias tensor<32xf32> to tensor<?x32xf32>
// CHECK: ds.packed_quantized_linear %{{.*}}, %{{.*}} scale %{{.*}} {bits = 8 : i64, group = 64 : i64, zero = 128 : i64} : tensor<?x70xf32>, tensor<1x18x128xi8> scale tensor<1x1x32xf32> to tensor<?x32xf32>
func.func @quantised(%x: tensor<?x70xf32>, %w4: tensor<1x9x128xi8>, %w8: tensor<1x18x128xi8>, %s2: tensor<1x2x32xf32>,
                     %s1: tensor<1x1x32xf32>, %z: tensor<1x1x32xi8>, %bias: tensor<32xf32>)
    -> (tensor<?x3xi32>, tensor<?x32xf32>, tensor<?x32xf32>) {
  %data, %scale, %sum = ds.quantize_groups %x group 64 : tensor<?x70xf32> to tensor<?x72xi8>, tensor<?x2xf32>, tensor<?x2xi32>
  %data4, %scale4, %sum4 = ds.quantize_groups %x group 32 bits 4 : tensor<?x70xf32> to tensor<?x72xi8>, tensor<?x3xf32>, tensor<?x3xi32>
  %0 = ds.packed_quantized_linear %data scale %scale sum %sum, %w4 scale %s2 zero_points %z bias %bias {bits = 4 : i64, group = 64 : i64}
      : tensor<?x72xi8> scale tensor<?x2xf32> sum tensor<?x2xi32>, tensor<1x9x128xi8> scale tensor<1x2x32xf32>
        zero_points tensor<1x1x32xi8> bias tensor<32xf32> to tensor<?x32xf32>
  %1 = ds.packed_quantized_linear %x, %w8 scale %s1 {bits = 8 : i64, group = 64 : i64, zero = 128 : i64}
      : tensor<?x70xf32>, tensor<1x18x128xi8> scale tensor<1x1x32xf32> to tensor<?x32xf32>
  return %sum4, %0, %1 : tensor<?x3xi32>, tensor<?x32xf32>, tensor<?x32xf32>
}

// CHECK-LABEL: func @float8
// CHECK: ds.packed_quantized_linear %{{.*}}, %{{.*}} scale %{{.*}} {bits = 8 : i64, group = 128 : i64} : tensor<?x129xbf16>, tensor<1x65x64xf8E4M3FN> scale tensor<1x2x32xf32> to tensor<?x32xf32>
// CHECK: ds.packed_quantized_linear %{{.*}} rows %{{.*}}, %{{.*}} scale %{{.*}} in %{{.*}}, %{{.*}} swiglu {bits = 8 : i64, group = 128 : i64} : tensor<?x129xbf16> rows tensor<?xi32>, tensor<3x1x65x64xf8E4M3FN> scale tensor<3x1x2x32xf32> in tensor<?x3xi32>, tensor<i32> to tensor<?x16xbf16>
func.func @float8(%x: tensor<?x129xbf16>, %w: tensor<1x65x64xf8E4M3FN>, %s: tensor<1x2x32xf32>, %e: tensor<3x1x65x64xf8E4M3FN>,
                  %u: tensor<3x1x2x32xf32>, %r: tensor<?xi32>, %t: tensor<?x3xi32>, %c: tensor<i32>) -> (tensor<?x32xf32>, tensor<?x16xbf16>) {
  %0 = ds.packed_quantized_linear %x, %w scale %s {bits = 8 : i64, group = 128 : i64}
      : tensor<?x129xbf16>, tensor<1x65x64xf8E4M3FN> scale tensor<1x2x32xf32> to tensor<?x32xf32>
  %1 = ds.packed_quantized_linear %x rows %r, %e scale %u in %t, %c swiglu {bits = 8 : i64, group = 128 : i64}
      : tensor<?x129xbf16> rows tensor<?xi32>, tensor<3x1x65x64xf8E4M3FN> scale tensor<3x1x2x32xf32> in tensor<?x3xi32>, tensor<i32> to tensor<?x16xbf16>
  return %0, %1 : tensor<?x32xf32>, tensor<?x16xbf16>
}
