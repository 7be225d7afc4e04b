// RUN: ds-opt %s --split-input-file --ds-outline-kernels --canonicalize --cse | FileCheck %s

// Two layers, one kernel; each call does it all until there is a team.
// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[X:[^:]+]]: memref<?x64xf32>, %[[Y:[^:]+]]: memref<?x64xf32>, %{{[^:]+}}: i32 {ds.threads}
// CHECK-NOT: scf.forall
// CHECK: %[[DIM:.+]] = memref.dim
// CHECK: %[[N:.+]] = arith.maxsi %[[DIM]]
// CHECK: call @share_0(%c0, %c1, %[[N]], %[[X]], %[[Y]])
// CHECK: call @share_0(%c0, %c1, %[[N]], %[[Y]], %[[X]])
// CHECK-NOT: call @
func.func @step(%x: memref<?x64xf32>, %y: memref<?x64xf32>, %threads: i32 {ds.threads}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %two = arith.constant 2.0 : f32
  %n = memref.dim %x, %c0 : memref<?x64xf32>
  scf.forall (%i) in (%n) {
    scf.for %j = %c0 to %c64 step %c1 {
      %a = memref.load %x[%i, %j] : memref<?x64xf32>
      %b = arith.mulf %a, %two : f32
      memref.store %b, %y[%i, %j] : memref<?x64xf32>
    }
  }
  scf.forall (%i) in (%n) {
    scf.for %j = %c0 to %c64 step %c1 {
      %a = memref.load %y[%i, %j] : memref<?x64xf32>
      %b = arith.mulf %a, %two : f32
      memref.store %b, %x[%i, %j] : memref<?x64xf32>
    }
  }
  return
}

// The constants stand inside.
// CHECK-LABEL: func.func private @kernel_0
// CHECK-SAME: %[[FIRST:[^:]+]]: index, %[[END:[^:]+]]: index, %[[THREAD:[^:]+]]: index, %[[X:[^:]+]]: memref<?x64xf32>
// CHECK: scf.for %[[I:.+]] = %[[FIRST]] to %[[END]]
// CHECK: scf.for
// CHECK: memref.load %[[X]][%[[I]]

// Equal parts; little work is not divided.
// CHECK-LABEL: func.func private @share_0
// CHECK-SAME: %[[MEMBER:[^:]+]]: index, %[[MEMBERS:[^:]+]]: index, %[[COUNT:[^:]+]]: index, %[[X:[^:]+]]: memref<?x64xf32>, %[[Y:[^:]+]]: memref<?x64xf32>
// CHECK-SAME: ds.share = 63
// CHECK-DAG: %[[FEW:.+]] = arith.cmpi ult, %[[COUNT]], %c63
// CHECK-DAG: %[[IS_FIRST:.+]] = arith.cmpi eq, %[[MEMBER]], %c0
// CHECK-DAG: %[[ALL:.+]] = arith.select %[[IS_FIRST]], %[[COUNT]], %c0
// CHECK-DAG: %[[START:.+]] = arith.divui %{{.+}}, %[[MEMBERS]]
// CHECK-DAG: %[[FIRST:.+]] = arith.select %[[FEW]], %c0, %[[START]]
// CHECK-DAG: %[[END:.+]] = arith.select %[[FEW]], %[[ALL]], %
// CHECK: call @kernel_0(%[[FIRST]], %[[END]], %[[MEMBER]], %[[X]], %[[Y]])

// -----

// Two dimensions; the inner loop is serial; the thread's number; a buffer of the stack is made once.
// CHECK-LABEL: func.func @grid
// CHECK: call @share_0
// CHECK-LABEL: func.func private @kernel_0
// CHECK-SAME: index, %[[END:[^:]+]]: index, %[[THREAD:[^:]+]]: index
// CHECK: memref.alloca
// CHECK: scf.for %[[AT:.+]] =
// CHECK-DAG: arith.remui %[[AT]]
// CHECK-DAG: arith.divui %[[AT]]
// CHECK: scf.for
// CHECK: memref.store %[[THREAD]]
func.func @grid(%x: memref<?x?xindex>, %n: index, %m: index, %threads: i32 {ds.threads}) {
  scf.forall (%i, %j) = (0, 0) to (%n, %m) step (1, 4) {
    %buffer = memref.alloca() : memref<4xindex>
    scf.forall (%k) in (4) {
      %thread = func.call @ds_thread_index() : () -> index
      memref.store %thread, %buffer[%k] : memref<4xindex>
    }
    %c0 = arith.constant 0 : index
    %a = memref.load %buffer[%c0] : memref<4xindex>
    memref.store %a, %x[%i, %j] : memref<?x?xindex>
  }
  return
}
func.func private @ds_thread_index() -> index
