// RUN: ds-opt %s -ds-to-linalg | FileCheck %s

// Blocks of a vector: three scales for six elements, not one per element.
// CHECK-LABEL: func.func @blocks(
// CHECK-SAME: %{{.*}}: tensor<6xi8>, %[[S:.*]]: tensor<3xf32>)
func.func @blocks(%x: tensor<6xi8>, %s: tensor<3xf32>) -> tensor<6xf32> {
  // CHECK: %[[I:.*]] = linalg.index 0
  // CHECK: %[[B:.*]] = arith.divui %[[I]], %c2
  // CHECK: tensor.extract %[[S]][%[[B]]]
  %0 = ds.dequantize %x scale %s : tensor<3xf32> {block_size = 2 : i64} : tensor<6xi8> to tensor<6xf32>
  return %0 : tensor<6xf32>
}

// One scale per place along the axis.
// CHECK-LABEL: func.func @axis(
// CHECK-SAME: %{{.*}}: tensor<2x6xi8>, %[[S:.*]]: tensor<6xf32>)
func.func @axis(%x: tensor<2x6xi8>, %s: tensor<6xf32>) -> tensor<2x6xf32> {
  // CHECK: %[[I:.*]] = linalg.index 1
  // CHECK-NOT: arith.divui
  // CHECK: tensor.extract %[[S]][%[[I]]]
  %0 = ds.dequantize %x scale %s : tensor<6xf32> {axis = 1 : i64} : tensor<2x6xi8> to tensor<2x6xf32>
  return %0 : tensor<2x6xf32>
}
