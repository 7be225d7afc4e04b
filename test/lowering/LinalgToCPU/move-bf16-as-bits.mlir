// RUN: ds-opt %s --ds-move-bf16-as-bits --canonicalize | FileCheck %s

// CHECK-LABEL: @masked
// CHECK-SAME: %[[REST:[a-z0-9]+]]: vector<8xi16>, %{{.*}}: vector<8xf32>
llvm.func @masked(%p: !llvm.ptr, %q: !llvm.ptr, %m: vector<8xi1>, %rest: vector<8xbf16>, %x: vector<8xf32>, %r: !llvm.ptr) {
  // CHECK: %[[SIXTEEN:.*]] = llvm.mlir.constant(dense<16> : vector<8xi32>)
  // CHECK: %[[BITS:.*]] = llvm.intr.masked.load %{{.*}}, %{{.*}}, %[[REST]] {{.*}} -> vector<8xi16>
  // CHECK: %[[LOW:.*]] = llvm.zext %[[BITS]] : vector<8xi16> to vector<8xi32>
  // CHECK: %[[HIGH:.*]] = llvm.shl %[[LOW]], %[[SIXTEEN]]
  // CHECK: %[[WIDE:.*]] = llvm.bitcast %[[HIGH]] : vector<8xi32> to vector<8xf32>
  // CHECK: llvm.store %[[WIDE]]
  %0 = llvm.intr.masked.load %p, %m, %rest {alignment = 2 : i32} : (!llvm.ptr, vector<8xi1>, vector<8xbf16>) -> vector<8xbf16>
  %1 = llvm.fpext %0 : vector<8xbf16> to vector<8xf32>
  llvm.store %1, %r : vector<8xf32>, !llvm.ptr
  // CHECK: llvm.intr.masked.store %[[BITS]],
  llvm.intr.masked.store %0, %q, %m {alignment = 2 : i32} : vector<8xbf16>, vector<8xi1> into !llvm.ptr
  // CHECK: llvm.intr.masked.store %{{.*}} : vector<8xf32>
  llvm.intr.masked.store %x, %q, %m {alignment = 4 : i32} : vector<8xf32>, vector<8xi1> into !llvm.ptr
  llvm.return
}

// CHECK-LABEL: @copied
llvm.func @copied(%p: !llvm.ptr, %q: !llvm.ptr) {
  // CHECK: llvm.load %{{.*}} : !llvm.ptr -> i16
  // CHECK: llvm.store %{{.*}} : i16, !llvm.ptr
  %0 = llvm.load %p : !llvm.ptr -> bf16
  llvm.store %0, %q : bf16, !llvm.ptr
  llvm.return
}

// A number that is computed with is one there only.
// CHECK-LABEL: @negated
llvm.func @negated(%p: !llvm.ptr, %q: !llvm.ptr) {
  // CHECK: %[[BITS:.*]] = llvm.load %{{.*}} : !llvm.ptr -> i16
  // CHECK-DAG: %[[VALUE:.*]] = llvm.bitcast %[[BITS]] : i16 to bf16
  // CHECK-DAG: llvm.store %[[BITS]], %{{.*}} : i16, !llvm.ptr
  // CHECK: %[[MINUS:.*]] = llvm.fneg %[[VALUE]] : bf16
  // CHECK: %[[OUT:.*]] = llvm.bitcast %[[MINUS]] : bf16 to i16
  // CHECK: llvm.store %[[OUT]], %{{.*}} : i16, !llvm.ptr
  %0 = llvm.load %p : !llvm.ptr -> bf16
  llvm.store %0, %q : bf16, !llvm.ptr
  %1 = llvm.fneg %0 : bf16
  llvm.store %1, %p : bf16, !llvm.ptr
  llvm.return
}

// Callers pass bits, too.
// CHECK-LABEL: llvm.func @callee(
// CHECK-SAME: %[[X:.*]]: i16) -> i16
llvm.func @callee(%x: bf16) -> bf16 {
  // CHECK: llvm.return %[[X]] : i16
  llvm.return %x : bf16
}
// CHECK-LABEL: @caller
llvm.func @caller(%p: !llvm.ptr) -> f64 {
  // CHECK: %[[X:.*]] = llvm.load %{{.*}} : !llvm.ptr -> i16
  // CHECK: %[[Y:.*]] = llvm.call @callee(%[[X]]) : (i16) -> i16
  // CHECK: llvm.zext %[[Y]] : i16 to i32
  // CHECK: %[[WIDE:.*]] = llvm.bitcast %{{.*}} : i32 to f32
  // CHECK: llvm.fpext %[[WIDE]] : f32 to f64
  %0 = llvm.load %p : !llvm.ptr -> bf16
  %1 = llvm.call @callee(%0) : (bf16) -> bf16
  %2 = llvm.fpext %1 : bf16 to f64
  llvm.return %2 : f64
}

// What a loop carries, and what it is built of: without the instructions LLVM
// would carry f32, and round it at every turn.
// CHECK-LABEL: @carried
llvm.func @carried(%p: !llvm.ptr, %n: i64, %m: vector<8xi1>) -> vector<8xf32> {
  // CHECK: llvm.br ^[[LOOP:.*]](%{{.*}}, %{{.*}} : i64, vector<8xi16>)
  // CHECK: ^[[LOOP]](%[[I:.*]]: i64, %[[LANES:.*]]: vector<8xi16>):
  // CHECK: %[[X:.*]] = llvm.load %{{.*}} : !llvm.ptr -> i16
  // CHECK: %[[NEXT:.*]] = llvm.insertelement %[[X]], %[[LANES]][%[[I]] : i64] : vector<8xi16>
  // CHECK: llvm.cond_br %{{.*}}, ^[[LOOP]](%{{.*}}, %[[NEXT]] : i64, vector<8xi16>), ^[[DONE:bb[0-9]+]]
  // CHECK: ^[[DONE]](%[[LAST:.*]]: vector<8xi16>):
  // CHECK: %[[SHUFFLED:.*]] = llvm.shufflevector %[[LAST]], %[[LAST]] [7, 6, 5, 4, 3, 2, 1, 0] : vector<8xi16>
  // CHECK: %[[CHOSEN:.*]] = llvm.select %{{.*}}, %[[LAST]], %[[SHUFFLED]] : vector<8xi1>, vector<8xi16>
  // CHECK: llvm.zext %[[CHOSEN]]
  %0 = llvm.mlir.constant(0 : i64) : i64
  %1 = llvm.mlir.constant(1 : i64) : i64
  %2 = llvm.mlir.constant(dense<0.0> : vector<8xbf16>) : vector<8xbf16>
  llvm.br ^loop(%0, %2 : i64, vector<8xbf16>)
^loop(%i: i64, %lanes: vector<8xbf16>):
  %3 = llvm.load %p : !llvm.ptr -> bf16
  %4 = llvm.insertelement %3, %lanes[%i : i64] : vector<8xbf16>
  %5 = llvm.add %i, %1 : i64
  %6 = llvm.icmp "slt" %5, %n : i64
  llvm.cond_br %6, ^loop(%5, %4 : i64, vector<8xbf16>), ^done(%4 : vector<8xbf16>)
^done(%last: vector<8xbf16>):
  %7 = llvm.shufflevector %last, %last [7, 6, 5, 4, 3, 2, 1, 0] : vector<8xbf16>
  %8 = llvm.select %m, %last, %7 : vector<8xi1>, vector<8xbf16>
  %9 = llvm.fpext %8 : vector<8xbf16> to vector<8xf32>
  llvm.return %9 : vector<8xf32>
}
