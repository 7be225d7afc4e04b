// RUN: ds-opt %s --ds-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @bits
// CHECK-SAME: (%{{.*}}: tensor<?xf32>) -> (tensor<?xi32> {ds.type = "ui32"})
// CHECK: arith.bitcast %{{.*}} : f32 to i32
func.func @bits(%x: tensor<?xf32>) -> tensor<?xui32> {
  %0 = ds.bitcast %x : tensor<?xf32> to tensor<?xui32>
  return %0 : tensor<?xui32>
}

// A size under a condition: reported and 0 where it does not hold.
// CHECK-LABEL: func.func @require
// CHECK-SAME: (%[[C:.*]]: i1, %[[N:.*]]: index)
// CHECK: %[[NOT:.*]] = arith.xori %[[C]]
// CHECK: scf.if %[[NOT]] {
// CHECK: call @ds_report_index
// CHECK: arith.select %[[C]], %[[N]], %{{.*}} : index
func.func @require(%c: i1, %n: index) -> index {
  %0 = ds.require %c, %n
  return %0 : index
}

// Nothing of a tensor, from behind its end.
// CHECK-LABEL: func.func @nothing
// CHECK-NOT: tensor.extract_slice
// CHECK: tensor.empty() : tensor<0xf32>
func.func @nothing(%x: tensor<4xf32>) -> tensor<0xf32> {
  %0 = ds.slice %x [4] [0] [1] : tensor<4xf32> to tensor<0xf32>
  return %0 : tensor<0xf32>
}

// Control flow carries unsigned tensors too.
// CHECK-LABEL: func.func @carried
// CHECK: scf.if %{{.*}} -> (tensor<2xi8>)
func.func @carried(%c: i1, %x: tensor<2xui8>) -> tensor<2xui8> {
  %0 = scf.if %c -> (tensor<2xui8>) {
    %1 = ds.elementwise add %x, %x : (tensor<2xui8>, tensor<2xui8>) -> tensor<2xui8>
    scf.yield %1 : tensor<2xui8>
  } else {
    scf.yield %x : tensor<2xui8>
  }
  return %0 : tensor<2xui8>
}

// Nothing in a group with a dynamic size: bufferization would take it for a static 0.
// CHECK-LABEL: func.func @empty_group
// CHECK-NOT: tensor.collapse_shape
// CHECK: tensor.reshape
func.func @empty_group(%x: tensor<0x1x?xf32>, %n: index) -> tensor<?xf32> {
  %0 = ds.reshape %x [%n] : tensor<0x1x?xf32> to tensor<?xf32>
  return %0 : tensor<?xf32>
}
