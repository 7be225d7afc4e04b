// RUN: ds-opt %s -ds-decompose-online-attention -canonicalize -cse | FileCheck %s

// Two heads share a key: their rows are one product of 2·3 rows.
// CHECK-LABEL: func.func @block(
// CHECK-SAME: %[[Q:.*]]: tensor<1x3x4x8xf16>, %[[K:.*]]: tensor<1x2x5x8xf16>, %[[V:.*]]: tensor<1x2x5x6xf16>, %[[D:.*]]: index, %[[A:.*]]: tensor<1x3x4x6xf32>, %[[M:.*]]: tensor<1x3x4xf32>, %[[L:.*]]: tensor<1x3x4xf32>)
func.func @block(%q: tensor<1x3x4x8xf16>, %k: tensor<1x2x5x8xf16>, %v: tensor<1x2x5x6xf16>, %d: index,
                 %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>, %l: tensor<1x3x4xf32>)
    -> (tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>) {
  // CHECK: %[[QT:.*]] = ds.transpose %[[Q]] [0, 2, 1, 3]
  // CHECK: %[[QR:.*]] = ds.reshape %[[QT]] : tensor<1x4x3x8xf16> to tensor<1x2x6x8xf16>
  // CHECK: %[[KT:.*]] = ds.transpose %[[K]] [0, 1, 3, 2]
  // CHECK: %[[S:.*]] = ds.matmul %[[QR]], %[[KT]] : tensor<1x2x6x8xf16>, tensor<1x2x8x5xf16> to tensor<1x2x6x5xf32>
  // CHECK: ds.elementwise mul
  // Keys beyond the diagonal.
  // CHECK: ds.elementwise le
  // CHECK: ds.elementwise select
  // CHECK: %[[TOP:.*]] = ds.elementwise max %[[M]], %{{.*}}
  // CHECK: %[[BASE:.*]] = ds.elementwise select
  // CHECK: %[[P:.*]] = ds.elementwise exp
  // CHECK: %[[LESS:.*]] = ds.elementwise sub %[[M]], %[[BASE]]
  // CHECK: %[[FADE:.*]] = ds.elementwise exp %[[LESS]]
  // CHECK: %[[OLD:.*]] = ds.elementwise mul %[[L]], %[[FADE]]
  // CHECK: %[[NEW:.*]] = ds.reduce sum %[[P]] [3]
  // CHECK: %[[SUM:.*]] = ds.elementwise add %[[OLD]], %[[NEW]]
  // CHECK: ds.matmul %{{.*}}, %[[V]] : tensor<1x2x6x5xf32>, tensor<1x2x5x6xf16> to tensor<1x2x6x6xf32>
  // CHECK: %[[KEPT:.*]] = ds.elementwise mul %[[A]], %{{.*}}
  // CHECK: %[[ACC:.*]] = ds.elementwise add %[[KEPT]], %{{.*}}
  // CHECK: return %[[ACC]], %[[TOP]], %[[SUM]]
  %0:3 = ds.online_attention %q, %k, %v diagonal %d scale 0.25 into %a, %m, %l : tensor<1x3x4x8xf16>, tensor<1x2x5x8xf16>, tensor<1x2x5x6xf16> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return %0#0, %0#1, %0#2 : tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
}

// The whole op is another pass's.
// CHECK-LABEL: func.func @dense(
func.func @dense(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x4x8xf32>) -> tensor<1x3x4x8xf32> {
  // CHECK-NEXT: ds.attention
  %0 = ds.attention %q, %k, %k scale 1.0 : tensor<1x3x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> to tensor<1x3x4x8xf32>
  return %0 : tensor<1x3x4x8xf32>
}

// Keys in two parts: one product each, of their columns of the query; the tail
// is shared by all heads, which are rows of one product.
// CHECK-LABEL: func.func @tail(
// CHECK-SAME: %[[Q:.*]]: tensor<1x3x4x12xf32>, %[[K:.*]]: tensor<1x2x5x8xf32>, %[[R:.*]]: tensor<1x1x5x4xf32>, %[[V:.*]]: tensor<1x2x5x6xf32>
func.func @tail(%q: tensor<1x3x4x12xf32>, %k: tensor<1x2x5x8xf32>, %r: tensor<1x1x5x4xf32>, %v: tensor<1x2x5x6xf32>,
                %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>) -> tensor<1x3x4x6xf32> {
  // CHECK-DAG: %[[FIRST:.*]] = tensor.extract_slice %[[Q]][0, 0, 0, 0] [1, 3, 4, 8]
  // CHECK-DAG: %[[REST:.*]] = tensor.extract_slice %[[Q]][0, 0, 0, 8] [1, 3, 4, 4]
  // CHECK-DAG: %[[X:.*]] = ds.matmul %{{.*}}, %{{.*}} : tensor<1x2x6x8xf32>, tensor<1x2x8x5xf32> to tensor<1x2x6x5xf32>
  // CHECK-DAG: %[[Y:.*]] = ds.matmul %{{.*}}, %{{.*}} : tensor<1x1x12x4xf32>, tensor<1x1x4x5xf32> to tensor<1x1x12x5xf32>
  // CHECK-DAG: %[[XS:.*]] = ds.reshape %[[X]] : tensor<1x2x6x5xf32> to tensor<1x4x3x5xf32>
  // CHECK-DAG: %[[YS:.*]] = ds.reshape %[[Y]] : tensor<1x1x12x5xf32> to tensor<1x4x3x5xf32>
  // CHECK: ds.elementwise add %[[XS]], %[[YS]]
  %0:3 = ds.online_attention %q, %k, %v tail %r : tensor<1x1x5x4xf32> scale 0.25 into %a, %m, %m : tensor<1x3x4x12xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return %0#0 : tensor<1x3x4x6xf32>
}
