// RUN: ds-opt %s --ds-move-bf16-as-bits | FileCheck %s

// CHECK-LABEL: @masked
llvm.func @masked(%p: !llvm.ptr, %q: !llvm.ptr, %m: vector<8xi1>, %rest: vector<8xbf16>, %x: vector<8xf32>, %r: !llvm.ptr) {
  // CHECK: %[[REST:.*]] = llvm.bitcast %{{.*}} : vector<8xbf16> to vector<8xi16>
  // CHECK: %[[BITS:.*]] = llvm.intr.masked.load %{{.*}}, %{{.*}}, %[[REST]] {{.*}} -> vector<8xi16>
  // CHECK: %[[VALUE:.*]] = llvm.bitcast %[[BITS]] : vector<8xi16> to vector<8xbf16>
  // CHECK: llvm.fpext %[[VALUE]]
  %0 = llvm.intr.masked.load %p, %m, %rest {alignment = 2 : i32} : (!llvm.ptr, vector<8xi1>, vector<8xbf16>) -> vector<8xbf16>
  %1 = llvm.fpext %0 : vector<8xbf16> to vector<8xf32>
  llvm.store %1, %r : vector<8xf32>, !llvm.ptr
  // CHECK: %[[OUT:.*]] = llvm.bitcast %[[VALUE]] : vector<8xbf16> to vector<8xi16>
  // CHECK: llvm.intr.masked.store %[[OUT]],
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

// A number that is computed with stays one.
// CHECK-LABEL: @used
llvm.func @used(%p: !llvm.ptr, %q: !llvm.ptr) -> f32 {
  // CHECK: llvm.load %{{.*}} : !llvm.ptr -> bf16
  // CHECK: llvm.store %{{.*}} : bf16, !llvm.ptr
  %0 = llvm.load %p : !llvm.ptr -> bf16
  llvm.store %0, %q : bf16, !llvm.ptr
  %1 = llvm.fpext %0 : bf16 to f32
  llvm.return %1 : f32
}
