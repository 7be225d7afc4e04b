// RUN: ds-opt %s --split-input-file --ds-form-teams --cse | FileCheck %s

// One team for the run: every member reads what is never written, the first does what writes; barriers where one could see another's work.
// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[X:[^:]+]]: memref<?xf32>, %[[Y:[^:]+]]: memref<?xf32>, %[[LENGTHS:[^:]+]]: memref<?xi32>, %[[N:[^:]+]]: index, %[[THREADS:[^:]+]]: i32)
// No more threads than there are iterations; none for 7 or fewer.
// CHECK-DAG: %[[ENOUGH:.+]] = arith.cmpi uge, %[[N]], %c8
// CHECK: %[[BUSY:.+]] = arith.select %[[ENOUGH]], %[[N]], %
// CHECK: %[[MOST:.+]] = arith.maxui %{{.+}}, %[[BUSY]]
// CHECK: %[[WANTED:.+]] = arith.minsi
// CHECK: %[[TEAM:.+]] = arith.trunci %[[WANTED]] : i64 to i32
// CHECK-NEXT: call @team_0(%[[TEAM]],
// CHECK-NEXT: return
func.func @step(%x: memref<?xf32>, %y: memref<?xf32>, %lengths: memref<?xi32>, %n: index, %threads: i32 {ds.threads}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  func.call @share(%c0, %c1, %n, %x, %y) : (index, index, index, memref<?xf32>, memref<?xf32>) -> ()
  %length = memref.load %lengths[%c0] : memref<?xi32>
  %count = arith.index_cast %length : i32 to index
  memref.store %zero, %x[%c0] : memref<?xf32>
  memref.store %zero, %x[%c1] : memref<?xf32>
  func.call @share(%c0, %c1, %n, %y, %x) : (index, index, index, memref<?xf32>, memref<?xf32>) -> ()
  %first = memref.load %y[%c0] : memref<?xf32>
  memref.store %first, %x[%count] : memref<?xf32>
  func.call @share(%c0, %c1, %n, %x, %y) : (index, index, index, memref<?xf32>, memref<?xf32>) -> ()
  return
}
// CHECK-LABEL: func.func private @share
// CHECK-NOT: ds.share
func.func private @share(%member: index, %members: index, %count: index, %from: memref<?xf32>, %to: memref<?xf32>) attributes {ds.share = 8 : i64} {
  scf.for %i = %member to %count step %members {
    %a = memref.load %from[%i] : memref<?xf32>
    memref.store %a, %to[%i] : memref<?xf32>
  }
  return
}
// CHECK-LABEL: func.func private @member_0
// CHECK-SAME: %[[MEMBER:[^:]+]]: index, %[[MEMBERS:[^:]+]]: index, %[[N:[^:]+]]: index
// CHECK: %[[SEVERAL:.+]] = arith.cmpi ugt, %[[MEMBERS]], %c1
// CHECK: %[[ENOUGH:.+]] = arith.cmpi uge, %[[N]], %c8
// CHECK: %[[SHARED:.+]] = arith.andi %[[SEVERAL]], %[[ENOUGH]]
// CHECK: call @share(%[[MEMBER]], %[[MEMBERS]],
// Nothing in the run writes lengths.
// CHECK-NEXT: memref.load
// CHECK-NEXT: arith.index_cast
// The first member waits for the others' parts, if there were any.
// CHECK-NEXT: scf.if %[[SHARED]]
// CHECK-NEXT: omp.barrier
// CHECK: %[[IS_FIRST:.+]] = arith.cmpi eq, %[[MEMBER]], %c0
// CHECK-NEXT: scf.if %[[IS_FIRST]]
// CHECK-NEXT: memref.store
// Its own writes need no barrier between them.
// CHECK-NEXT: }
// CHECK-NEXT: scf.if %[[IS_FIRST]]
// CHECK-NEXT: memref.store
// CHECK-NEXT: }
// Nor does a loop that is its own.
// CHECK: scf.if %[[SHARED]]
// CHECK-NEXT: omp.barrier
// CHECK: call @share
// A read of what either wrote; then a write of what nobody reads any more.
// CHECK: %[[FIRST:.+]] = arith.xori %[[SEVERAL]], %[[SHARED]]
// CHECK: %[[EITHER:.+]] = arith.ori %[[SHARED]], %[[FIRST]]
// CHECK-NEXT: scf.if %[[EITHER]]
// CHECK-NEXT: omp.barrier
// CHECK: memref.load
// CHECK-NEXT: scf.if %[[SEVERAL]]
// CHECK-NEXT: omp.barrier
// CHECK: scf.if %[[IS_FIRST]]
// CHECK: memref.store
// CHECK: scf.if %[[SHARED]]
// CHECK-NEXT: omp.barrier
// CHECK: call @share
// CHECK-NOT: omp.barrier
// CHECK: return

// CHECK-LABEL: func.func private @team_0
// CHECK-SAME: %[[THREADS:[^:]+]]: i32
// CHECK: %[[ALONE:.+]] = arith.cmpi sle, %[[THREADS]]
// CHECK-NEXT: scf.if %[[ALONE]]
// CHECK: func.call @member_0(%c0, %c1,
// CHECK: else
// CHECK-NEXT: omp.parallel num_threads(%[[THREADS]] : i32)
// CHECK: %[[ME:.+]] = llvm.call @omp_get_thread_num
// CHECK: %[[INDEX:.+]] = arith.index_cast %[[ME]]
// CHECK: %[[ALL:.+]] = llvm.call @omp_get_num_threads
// CHECK: %[[COUNT:.+]] = arith.index_cast %[[ALL]]
// CHECK: func.call @member_0(%[[INDEX]], %[[COUNT]],
// CHECK: omp.terminator

// -----

// An allocation, another call and a read that is wanted behind end a run; equal runs share a team.
// CHECK-LABEL: func.func @graph
// CHECK: call @team_0
// CHECK: memref.alloc
// CHECK: call @team_0
// CHECK: call @other
// CHECK: call @team_0
// CHECK-NEXT: %[[WANTED:.+]] = memref.load
// CHECK: call @team_0
// CHECK: return %[[WANTED]]
// CHECK-NOT: @team_1
func.func @graph(%x: memref<?xf32>, %n: index, %threads: i32 {ds.threads}) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  func.call @share(%c0, %c1, %n, %x) : (index, index, index, memref<?xf32>) -> ()
  %y = memref.alloc(%n) : memref<?xf32>
  func.call @share(%c0, %c1, %n, %y) : (index, index, index, memref<?xf32>) -> ()
  func.call @other() : () -> ()
  func.call @share(%c0, %c1, %n, %y) : (index, index, index, memref<?xf32>) -> ()
  %wanted = memref.load %y[%c0] : memref<?xf32>
  func.call @share(%c0, %c1, %n, %x) : (index, index, index, memref<?xf32>) -> ()
  return %wanted : f32
}
func.func private @other()
func.func private @share(%member: index, %members: index, %count: index, %to: memref<?xf32>) attributes {ds.share = 2 : i64} {
  %zero = arith.constant 0.0 : f32
  scf.for %i = %member to %count step %members {
    memref.store %zero, %to[%i] : memref<?xf32>
  }
  return
}

// -----

// How much there is to do comes out of the run itself: all threads then.
// CHECK-LABEL: func.func @inside
// CHECK-SAME: %[[THREADS:[^:]+]]: i32)
// CHECK: call @team_0(%[[THREADS]],
// CHECK-LABEL: func.func private @member_0
// CHECK: call @share
// CHECK: omp.barrier
// CHECK: %[[COUNT:.+]] = memref.load
// CHECK: scf.if
// CHECK-NEXT: omp.barrier
// CHECK: call @share(%{{.+}}, %{{.+}}, %[[COUNT]],
func.func @inside(%x: memref<?xindex>, %n: index, %threads: i32 {ds.threads}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  func.call @share(%c0, %c1, %n, %x) : (index, index, index, memref<?xindex>) -> ()
  %count = memref.load %x[%c0] : memref<?xindex>
  func.call @share(%c0, %c1, %count, %x) : (index, index, index, memref<?xindex>) -> ()
  return
}
func.func private @share(%member: index, %members: index, %count: index, %to: memref<?xindex>) attributes {ds.share = 2 : i64} {
  scf.for %i = %member to %count step %members {
    memref.store %i, %to[%i] : memref<?xindex>
  }
  return
}

// -----

// No threads are given: the caller runs it all.
// CHECK-LABEL: func.func @alone
// CHECK: call @share(%c0, %c1,
// CHECK-NOT: @team
func.func @alone(%x: memref<?xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  func.call @share(%c0, %c1, %n, %x) : (index, index, index, memref<?xf32>) -> ()
  return
}
func.func private @share(%member: index, %members: index, %count: index, %to: memref<?xf32>) attributes {ds.share = 2 : i64} {
  %zero = arith.constant 0.0 : f32
  scf.for %i = %member to %count step %members {
    memref.store %zero, %to[%i] : memref<?xf32>
  }
  return
}
