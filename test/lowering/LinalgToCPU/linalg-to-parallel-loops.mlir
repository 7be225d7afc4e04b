// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-linalg-to-parallel-loops),canonicalize)" | FileCheck %s

#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// Rows are parallel, the innermost loop is whole.
// CHECK-LABEL: func.func @rows
// CHECK: scf.parallel (%[[I:.+]], %[[J:.+]]) =
// CHECK: scf.for %[[K:.+]] =
// CHECK: memref.load %{{.+}}[%[[I]], %[[J]], %[[K]]]
func.func @rows(%x: memref<?x?x64xf32>, %y: memref<?x?x64xf32>) {
  linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : memref<?x?x64xf32>)
      outs(%y : memref<?x?x64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %a : f32
    linalg.yield %c : f32
  }
  return
}

// -----

// A sum is not divided.
// CHECK-LABEL: func.func @sum
// CHECK: scf.parallel (%[[I:.+]]) =
// CHECK-NEXT: scf.for %[[J:.+]] =
// CHECK: arith.addf
// CHECK: memref.store {{.+}}[%[[I]]]
func.func @sum(%x: memref<?x64xf32>, %y: memref<?xf32>) {
  linalg.reduce ins(%x : memref<?x64xf32>) outs(%y : memref<?xf32>) dimensions = [1] (%a: f32, %b: f32) {
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  }
  return
}

// -----

// CHECK-LABEL: func.func @leading_sum
// CHECK-NOT: scf.parallel
// CHECK: scf.for
// CHECK: scf.for
func.func @leading_sum(%x: memref<?x64xf32>, %y: memref<64xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]}
      ins(%x : memref<?x64xf32>) outs(%y : memref<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  }
  return
}

// -----

// One long dimension goes in strips; a short one does not.
// CHECK-LABEL: func.func @long
// CHECK: scf.parallel (%[[FROM:.+]]) = (%c0) to (%{{.+}}) step (%c4096)
// CHECK: scf.for %{{.+}} = %[[FROM]] to
// CHECK: scf.for %{{.+}} = %c0 to %c100
func.func @long(%x: memref<?xf32>, %y: memref<100xf32>, %v: f32) {
  linalg.fill ins(%v : f32) outs(%x : memref<?xf32>)
  linalg.fill ins(%v : f32) outs(%y : memref<100xf32>)
  return
}

// -----

// Already parallel.
// CHECK-LABEL: func.func @inside
// CHECK: scf.forall
// CHECK-NOT: scf.parallel
// CHECK: scf.for
// CHECK: scf.for
func.func @inside(%x: memref<8x8x64xf32>, %v: f32) {
  scf.forall (%i) in (8) {
    %row = memref.subview %x[%i, 0, 0] [1, 8, 64] [1, 1, 1] : memref<8x8x64xf32> to memref<8x64xf32, strided<[64, 1], offset: ?>>
    linalg.fill ins(%v : f32) outs(%row : memref<8x64xf32, strided<[64, 1], offset: ?>>)
  }
  return
}

// -----

// Columns of a product go innermost where the right side lies so; the sum ascends over k as before.
// CHECK-LABEL: func.func @product
// CHECK-SAME: %[[A:[^:]+]]: memref<?x32xf32>, %[[B:[^:]+]]: memref<32x64xf32>
// CHECK: scf.parallel (%[[M:.+]]) =
// CHECK: scf.for %[[K:.+]] = %c0 to %c32
// CHECK: scf.for %[[N:.+]] = %c0 to %c64
// CHECK-DAG: memref.load %[[A]][%[[M]], %[[K]]]
// CHECK-DAG: memref.load %[[B]][%[[K]], %[[N]]]
func.func @product(%a: memref<?x32xf32>, %b: memref<32x64xf32>, %c: memref<?x64xf32>) {
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : memref<?x32xf32>, memref<32x64xf32>) outs(%c : memref<?x64xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %p = arith.mulf %i, %j : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// A weight stored row by row keeps k innermost.
// CHECK-LABEL: func.func @transposed
// CHECK: scf.parallel (%{{.+}}, %{{.+}}) =
// CHECK: scf.for %{{.+}} = %c0 to %c32
func.func @transposed(%a: memref<?x32xf32>, %b: memref<64x32xf32>, %c: memref<?x64xf32>) {
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : memref<?x32xf32>, memref<64x32xf32>) outs(%c : memref<?x64xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %p = arith.mulf %i, %j : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  }
  return
}
