// RUN: ds-opt %s --split-input-file --ds-plan-workspace --canonicalize --cse --verify-diagnostics | FileCheck %s

// Three buffers: %b meets both others, %a and %c share.
// CHECK: #[[$ROWS:.+]] = affine_map<()[s0] -> (s0 * 256)>

// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[TOKENS:[^:]+]]: memref<?xi32>
// CHECK-SAME: %[[WORKSPACE:[^:]+]]: memref<?xi8>
// CHECK-NOT: memref.alloc
// CHECK: %[[N:.+]] = memref.dim %[[TOKENS]]
// CHECK: %[[LAYOUT:.+]]:3 = call @ds_workspace_layout(%[[N]]
// CHECK: %[[A:.+]] = memref.view %[[WORKSPACE]][%[[LAYOUT]]#0][%[[N]]] : memref<?xi8> to memref<?x64xf32>
// CHECK: %[[B:.+]] = memref.view %[[WORKSPACE]][%[[LAYOUT]]#1][%[[N]]]
// CHECK: memref.copy %[[A]], %[[B]]
// CHECK: memref.copy %[[B]], %[[A]]
// CHECK-NOT: memref.dealloc
func.func @step(%tokens: memref<?xi32> {ds.sizes = affine_map<(d0, d1, d2, d3) -> (d0)>}, %threads: i32 {ds.threads},
                %out: memref<?x64xf32> {ds.sizes = affine_map<(d0, d1, d2, d3) -> (d0, 64)>}, %workspace: memref<?xi8> {ds.workspace = @ds_planned_bytes}) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %tokens, %c0 : memref<?xi32>
  %a = memref.alloc(%n) : memref<?x64xf32>
  %b = memref.alloc(%n) : memref<?x64xf32>
  memref.copy %a, %b : memref<?x64xf32> to memref<?x64xf32>
  %c = memref.alloc(%n) : memref<?x64xf32>
  memref.copy %b, %c : memref<?x64xf32> to memref<?x64xf32>
  memref.copy %c, %out : memref<?x64xf32> to memref<?x64xf32>
  return
}

// CHECK-LABEL: func.func private @ds_planned_bytes
// CHECK: %[[LAYOUT:.+]]:3 = call @ds_workspace_layout
// CHECK: arith.index_cast %[[LAYOUT]]#2
func.func private @ds_planned_bytes(i64, i64, i64, i64, i64) -> i64

// CHECK-LABEL: func.func private @ds_workspace_layout
// CHECK-SAME: %[[N:[^:]+]]: index
// CHECK: %[[BYTES:.+]] = affine.apply #[[$ROWS]]()[%[[N]]]
// CHECK: %[[END:.+]] = arith.addi
// CHECK: return %c0, {{.+}}, %[[END]]

// -----

// Each thread has its own: a small one on its stack, a large one in a part of the slot.
// CHECK-LABEL: func.func @step
// CHECK: %[[LAYOUT:.+]]:3 = call @ds_workspace_layout
// CHECK: scf.forall
// CHECK: %[[SMALL:.+]] = memref.alloca() {alignment = 64 : i64} : memref<64xf32>
// CHECK: %[[THREAD:.+]] = func.call @ds_thread_index()
// CHECK: %[[SHIFT:.+]] = arith.muli %[[THREAD]], %[[LAYOUT]]#1
// CHECK: %[[PLACE:.+]] = arith.addi %[[LAYOUT]]#0, %[[SHIFT]]
// CHECK: memref.view %{{.+}}[%[[PLACE]]][%{{.+}}] : memref<?xi8> to memref<?x64xf32>
func.func @step(%tokens: memref<?xi32> {ds.sizes = affine_map<(d0, d1, d2, d3) -> (d0)>}, %threads: i32 {ds.threads},
                %workspace: memref<?xi8> {ds.workspace = @ds_planned_bytes}) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %tokens, %c0 : memref<?xi32>
  scf.forall (%i) in (%n) {
    %small = memref.alloc() : memref<64xf32>
    %large = memref.alloc(%n) : memref<?x64xf32>
    %row = memref.subview %large[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<64xf32, strided<[1], offset: ?>>
    memref.copy %small, %row : memref<64xf32> to memref<64xf32, strided<[1], offset: ?>>
  }
  return
}
func.func private @ds_planned_bytes(i64, i64, i64, i64, i64) -> i64

// -----

func.func @step(%threads: i32 {ds.threads}, %data: memref<index>, %workspace: memref<?xi8> {ds.workspace = @ds_planned_bytes}) {
  %n = memref.load %data[] : memref<index>
  // expected-error @+1 {{a buffer of the step whose size is not known when the step begins}}
  %a = memref.alloc(%n) : memref<?xf32>
  memref.store %n, %data[] : memref<index>
  return
}
func.func private @ds_planned_bytes(i64, i64, i64, i64, i64) -> i64

// -----

func.func @step(%threads: i32 {ds.threads}, %out: memref<4xf32>, %workspace: memref<?xi8> {ds.workspace = @ds_planned_bytes}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %first = memref.alloc() : memref<4xf32>
  %last = scf.for %i = %c0 to %c4 step %c1 iter_args(%old = %first) -> memref<4xf32> {
    // expected-error @+1 {{a buffer of the step outlives the iteration of the loop that makes it}}
    %new = memref.alloc() : memref<4xf32>
    memref.copy %old, %new : memref<4xf32> to memref<4xf32>
    scf.yield %new : memref<4xf32>
  }
  memref.copy %last, %out : memref<4xf32> to memref<4xf32>
  return
}
func.func private @ds_planned_bytes(i64, i64, i64, i64, i64) -> i64

// -----

// Graph mode has no workspace and allocates.
// CHECK-LABEL: func.func @graph
// CHECK: memref.alloc
func.func @graph(%n: index) -> memref<?xf32> {
  %a = memref.alloc(%n) : memref<?xf32>
  return %a : memref<?xf32>
}
