// RUN: ds-opt %s --split-input-file --ds-build-entries | FileCheck %s

// An entry that checks the call and returns a status; parameter 0 is a view of the caller's memory.
// CHECK-NOT: ds.parameter
// CHECK: func.func private @graph(
// CHECK-NOT: ds.load_parameter
// CHECK: func.func @ds_entry_graph(%{{.*}}: !llvm.ptr) -> i32
// CHECK: call @graph(
ds.parameter @w : tensor<4xf32> = [#ds.file_range<"w", 0, 16>]
func.func @graph(%x: tensor<?x4xf32> {ds.name = "x"}) -> (tensor<4xf32> {ds.name = "y"}) attributes {ds.entry = "graph"} {
  %0 = ds.load_parameter @w : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// No entry: nothing to do.
// CHECK: func.func @plain(%arg0: tensor<?x4xf32>) -> tensor<?x4xf32> {
// CHECK-NEXT: return %arg0
// CHECK-NOT: ds_entry
func.func @plain(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}
