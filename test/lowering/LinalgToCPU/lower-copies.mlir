// RUN: ds-opt %s --ds-lower-copies | FileCheck %s

// CHECK-LABEL: func.func @strided
// CHECK-NOT: memref.copy
// CHECK: linalg.copy ins(%arg0 : memref<4x4xf32, strided<[8, 1]>>) outs(%arg1 : memref<4x4xf32>)
// CHECK: linalg.copy ins(%arg1 : memref<4x4xf32>) outs(%arg0 : memref<4x4xf32, strided<[8, 1]>>)
func.func @strided(%a: memref<4x4xf32, strided<[8, 1]>>, %b: memref<4x4xf32>) {
  memref.copy %a, %b : memref<4x4xf32, strided<[8, 1]>> to memref<4x4xf32>
  memref.copy %b, %a : memref<4x4xf32> to memref<4x4xf32, strided<[8, 1]>>
  return
}

// Contiguous: one memcpy.
// CHECK-LABEL: func.func @contiguous
// CHECK-NEXT: memref.copy
// CHECK-NOT: linalg.copy
func.func @contiguous(%a: memref<?x4xf32>, %b: memref<?x4xf32>) {
  memref.copy %a, %b : memref<?x4xf32> to memref<?x4xf32>
  return
}
