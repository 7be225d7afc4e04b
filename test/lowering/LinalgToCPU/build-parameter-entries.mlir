// RUN: ds-opt %s --split-input-file --ds-build-parameter-entries | FileCheck %s

// Arguments are views of what the caller points at; the result is written to
// where it points; an index outside is a status.
// CHECK-LABEL: func.func @parameter_0(
// CHECK-SAME: %[[ARGS:.*]]: !llvm.ptr, %[[TO:.*]]: !llvm.ptr) -> i32
// CHECK: %[[STATUS:.*]] = llvm.mlir.addressof @ds_parameter_status
// CHECK: llvm.store %{{.*}}, %[[STATUS]]
// CHECK: %[[FIRST:.*]] = llvm.load %[[ARGS]] : !llvm.ptr -> !llvm.ptr
// CHECK: bufferization.to_tensor %{{.*}} restrict : memref<8x4xf32> to tensor<8x4xf32>
// CHECK: bufferization.to_tensor %{{.*}} restrict : memref<4xi64> to tensor<4xi64>
// CHECK: bufferization.materialize_in_destination %{{.*}} in restrict writable %{{.*}} : (tensor<8x4xf32>, memref<8x4xf32>)
// CHECK: %[[CODE:.*]] = llvm.load %{{.*}} : !llvm.ptr -> i32
// CHECK: return %[[CODE]] : i32
// CHECK: llvm.mlir.global internal @ds_parameter_status(0 : i32)
module {
  func.func private @ds_report_index()
  func.func private @parameter_0(%a: tensor<8x4xf32>, %b: tensor<4xi64>) -> tensor<8x4xf32> attributes {ds.entry = "parameter"} {
    func.call @ds_report_index() : () -> ()
    return %a : tensor<8x4xf32>
  }
}

// -----

// Other entries are left alone.
// CHECK-LABEL: module @model
// CHECK: func.func @graph(%{{.*}}: tensor<4xf32> {{.*}}) -> (tensor<4xf32> {{.*}}) attributes {ds.entry = "graph"}
// CHECK-NOT: ds_parameter_status
module @model {
  func.func @graph(%a: tensor<4xf32> {ds.name = "a"}) -> (tensor<4xf32> {ds.name = "r"}) attributes {ds.entry = "graph"} {
    return %a : tensor<4xf32>
  }
}
