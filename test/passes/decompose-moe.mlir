// RUN: ds-opt %s --ds-decompose-moe=tile-rows=16 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --implicit-check-not=remark: --input-file %t.remarks
// RUN: not ds-opt %s --ds-decompose-moe=tile-rows=0 2>&1 | FileCheck %s --check-prefix=BAD

// BAD: error: ds-decompose-moe: tile-rows is 1 or more, not 0

// Gate and up take their rows from the tokens by number, down from the grouped
// rows; weights are used as they are. All in between is f32.
// CHECK-LABEL: func.func @moe(
// CHECK-SAME: %[[X:.*]]: tensor<?x8xbf16>, %[[W:.*]]: tensor<?x2xf32>, %[[E:.*]]: tensor<?x2xi32>, %[[G:.*]]: tensor<3x16x8xbf16>, %[[U:.*]]: tensor<3x16x8xbf16>, %[[D:.*]]: tensor<3x8x16xbf16>)
func.func @moe(%x: tensor<?x8xbf16>, %w: tensor<?x2xf32>, %e: tensor<?x2xi32>, %g: tensor<3x16x8xbf16>, %u: tensor<3x16x8xbf16>, %d: tensor<3x8x16xbf16>) -> tensor<?x8xbf16> {
  // CHECK-NEXT: %[[T:.*]], %[[P:.*]], %{{.*}}, %[[L:.*]], %[[N:.*]] = ds.group_tokens %[[E]] of 3 tiles 16 : tensor<?x2xi32> to tensor<?xi32>, tensor<?x2xi32>, tensor<4xi32>, tensor<?x3xi32>, tensor<i32>
  // CHECK-NEXT: %[[A:.*]] = ds.grouped_linear %[[X]] rows %[[T]] : tensor<?xi32>, %[[G]] in %[[L]], %[[N]] : tensor<?x8xbf16>, tensor<3x16x8xbf16>, tensor<?x3xi32>, tensor<i32> to tensor<?x16xf32>
  // CHECK-NEXT: %[[B:.*]] = ds.grouped_linear %[[X]] rows %[[T]] : tensor<?xi32>, %[[U]] in %[[L]], %[[N]] : tensor<?x8xbf16>, tensor<3x16x8xbf16>, tensor<?x3xi32>, tensor<i32> to tensor<?x16xf32>
  // CHECK-NEXT: %[[H:.*]] = ds.swiglu %[[A]], %[[B]] : tensor<?x16xf32>, tensor<?x16xf32> to tensor<?x16xf32>
  // CHECK-NEXT: %[[Y:.*]] = ds.grouped_linear %[[H]], %[[D]] in %[[L]], %[[N]] : tensor<?x16xf32>, tensor<3x8x16xbf16>, tensor<?x3xi32>, tensor<i32> to tensor<?x8xf32>
  // CHECK-NEXT: %[[R:.*]] = ds.combine %[[Y]] at %[[P]] weights %[[W]] : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32> to tensor<?x8xbf16>
  // CHECK-NEXT: return %[[R]]
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<?x8xbf16>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<3x16x8xbf16>, tensor<3x16x8xbf16>, tensor<3x8x16xbf16> to tensor<?x8xbf16>
  return %0 : tensor<?x8xbf16>
}

// One expert, one slot, sizes that are known; double precision stays.
// CHECK-LABEL: func.func @one(
func.func @one(%x: tensor<5x8xf64>, %w: tensor<5x1xf32>, %e: tensor<5x1xi64>, %g: tensor<1x16x8xf32>, %d: tensor<1x8x16xf32>) -> tensor<5x8xf64> {
  // CHECK-NEXT: ds.group_tokens %{{.*}} of 1 tiles 16 : tensor<5x1xi64> to tensor<5xi32>, tensor<5x1xi32>, tensor<2xi32>, tensor<2x3xi32>, tensor<i32>
  // CHECK-NEXT: ds.grouped_linear {{.*}} to tensor<5x16xf64>
  // CHECK-NEXT: ds.grouped_linear {{.*}} to tensor<5x16xf64>
  // CHECK-NEXT: ds.swiglu
  // CHECK-NEXT: ds.grouped_linear {{.*}} to tensor<5x8xf64>
  // CHECK-NEXT: ds.combine {{.*}} to tensor<5x8xf64>
  %0 = ds.moe %x weights %w experts %e gate %g up %g down %d : tensor<5x8xf64>, tensor<5x1xf32>, tensor<5x1xi64>, tensor<1x16x8xf32>, tensor<1x16x8xf32>, tensor<1x8x16xf32> to tensor<5x8xf64>
  return %0 : tensor<5x8xf64>
}

// Parameters: gate and up are one product of joined weights. A row of 8 f32 less to read for each of 2 experts.
ds.parameter @gate : tensor<3x16x8xbf16> = [#ds.file_range<"w", 0, 768>]
ds.parameter @up : tensor<3x16x8xbf16> = [#ds.file_range<"w", 768, 768>]
ds.parameter @down : tensor<3x8x16xbf16> = [#ds.file_range<"w", 1536, 768>]
// REMARK: remark: @parameters: 2 products with gate and up of experts became 1; a token moves 64 bytes less{{$}}
// CHECK-LABEL: func.func @parameters(
func.func @parameters(%x: tensor<?x8xf32>, %w: tensor<?x2xf32>, %e: tensor<?x2xi32>) -> tensor<?x8xf32> {
  // CHECK: %[[BOTH:.*]] = ds.concat 1 {{.*}} -> tensor<3x32x8xbf16>
  // CHECK: %[[Y:.*]] = ds.grouped_linear %{{.*}} rows {{.*}}, %[[BOTH]] in {{.*}} to tensor<?x32xf32>
  // CHECK: %[[G:.*]] = ds.slice %[[Y]] [0, 0]
  // CHECK: %[[U:.*]] = ds.slice %[[Y]] [0, 16]
  // CHECK: ds.swiglu %[[G]], %[[U]]
  // CHECK: ds.grouped_linear {{.*}} to tensor<?x8xf32>
  %g = ds.load_parameter @gate : tensor<3x16x8xbf16>
  %u = ds.load_parameter @up : tensor<3x16x8xbf16>
  %d = ds.load_parameter @down : tensor<3x8x16xbf16>
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<3x16x8xbf16>, tensor<3x16x8xbf16>, tensor<3x8x16xbf16> to tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

ds.parameter @gate8 : tensor<3x16x8xf8E4M3FN> = [#ds.file_range<"w", 0, 384>]
ds.parameter @up8 : tensor<3x16x8xf8E4M3FN> = [#ds.file_range<"w", 384, 384>]
ds.parameter @gates : tensor<3x16x1xf32> = [#ds.file_range<"w", 768, 192>]
ds.parameter @ups : tensor<3x16x1xf32> = [#ds.file_range<"w", 960, 192>]
// Weights that are dequantised are joined below that: small numbers, and their scales.
// REMARK: remark: @small: 2 products with gate and up of experts became 1; a token moves 64 bytes less{{$}}
// CHECK-LABEL: func.func @small(
func.func @small(%x: tensor<?x8xf32>, %w: tensor<?x2xf32>, %e: tensor<?x2xi32>) -> tensor<?x8xf32> {
  // CHECK: %[[DATA:.*]] = ds.concat 1 {{.*}} -> tensor<3x32x8xf8E4M3FN>
  // CHECK: %[[SCALE:.*]] = ds.concat 1 {{.*}} -> tensor<3x32x1xf32>
  // CHECK: %[[BOTH:.*]] = ds.dequantize %[[DATA]] scale %[[SCALE]] : tensor<3x32x1xf32> {axis = 2 : i64, block_size = 128 : i64}
  // CHECK: ds.grouped_linear %{{.*}} rows {{.*}}, %[[BOTH]] in
  %g8 = ds.load_parameter @gate8 : tensor<3x16x8xf8E4M3FN>
  %u8 = ds.load_parameter @up8 : tensor<3x16x8xf8E4M3FN>
  %gs = ds.load_parameter @gates : tensor<3x16x1xf32>
  %us = ds.load_parameter @ups : tensor<3x16x1xf32>
  %g = ds.dequantize %g8 scale %gs : tensor<3x16x1xf32> {axis = 2 : i64, block_size = 128 : i64} : tensor<3x16x8xf8E4M3FN> to tensor<3x16x8xbf16>
  %u = ds.dequantize %u8 scale %us : tensor<3x16x1xf32> {axis = 2 : i64, block_size = 128 : i64} : tensor<3x16x8xf8E4M3FN> to tensor<3x16x8xbf16>
  %d = ds.load_parameter @down : tensor<3x8x16xbf16>
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<3x16x8xbf16>, tensor<3x16x8xbf16>, tensor<3x8x16xbf16> to tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

ds.parameter @both : tensor<3x32x8xbf16> = [#ds.file_range<"w", 0, 1536>]
// Gate and up of one tensor are that tensor.
// REMARK: remark: @fused: 2 products with gate and up of experts became 1; a token moves 64 bytes less{{$}}
// CHECK-LABEL: func.func @fused(
func.func @fused(%x: tensor<?x8xf32>, %w: tensor<?x2xf32>, %e: tensor<?x2xi32>) -> tensor<?x8xf32> {
  // CHECK: %[[BOTH:.*]] = ds.load_parameter @both
  // CHECK-NOT: ds.concat
  // CHECK: ds.grouped_linear %{{.*}} rows {{.*}}, %[[BOTH]] in
  %b = ds.load_parameter @both : tensor<3x32x8xbf16>
  %g = ds.slice %b [0, 0, 0] [3, 16, 8] [1, 1, 1] : tensor<3x32x8xbf16> to tensor<3x16x8xbf16>
  %u = ds.slice %b [0, 16, 0] [3, 16, 8] [1, 1, 1] : tensor<3x32x8xbf16> to tensor<3x16x8xbf16>
  %d = ds.load_parameter @down : tensor<3x8x16xbf16>
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<3x16x8xbf16>, tensor<3x16x8xbf16>, tensor<3x8x16xbf16> to tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// In the other order they are another one.
// REMARK: remark: @swapped: 2 products with gate and up of experts became 1; a token moves 64 bytes less{{$}}
// CHECK-LABEL: func.func @swapped(
func.func @swapped(%x: tensor<?x8xf32>, %w: tensor<?x2xf32>, %e: tensor<?x2xi32>) -> tensor<?x8xf32> {
  // CHECK: %[[BOTH:.*]] = ds.concat 1
  // CHECK: ds.grouped_linear %{{.*}} rows {{.*}}, %[[BOTH]] in
  %b = ds.load_parameter @both : tensor<3x32x8xbf16>
  %g = ds.slice %b [0, 16, 0] [3, 16, 8] [1, 1, 1] : tensor<3x32x8xbf16> to tensor<3x16x8xbf16>
  %u = ds.slice %b [0, 0, 0] [3, 16, 8] [1, 1, 1] : tensor<3x32x8xbf16> to tensor<3x16x8xbf16>
  %d = ds.load_parameter @down : tensor<3x8x16xbf16>
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<3x16x8xbf16>, tensor<3x16x8xbf16>, tensor<3x8x16xbf16> to tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
