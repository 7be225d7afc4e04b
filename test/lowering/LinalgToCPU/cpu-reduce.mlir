// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-cpu-reduce{lanes=16},canonicalize,cse))" | FileCheck %s
// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-cpu-reduce{lanes=8},canonicalize,cse))" | FileCheck %s --check-prefix=NARROW

// Lanes along a line: 136 = 2 · 64 + 8. Four accumulators in step, the rest masked with what changes nothing, one tree.
// CHECK-LABEL: func.func @last
// CHECK-SAME: %[[X:.+]]: tensor<?x136xf32>
// CHECK: scf.forall (%[[ROW:.+]]) in (%{{.+}}) shared_outs(%{{.+}}) -> (tensor<?xf32>)
// CHECK: scf.for %[[AT:.+]] = %c0 to %c128 step %c64 iter_args
// CHECK-COUNT-4: arith.addf {{.+}} : vector<16xf32>
// CHECK: scf.yield
// CHECK: vector.transfer_read %[[X]][%[[ROW]], %c128]
// CHECK-NOT: in_bounds
// CHECK-COUNT-4: arith.addf
// CHECK-COUNT-4: vector.shuffle
// CHECK: tensor.insert %{{.+}} into %{{.+}}[] : tensor<f32>
func.func @last(%x: tensor<?x136xf32>) -> tensor<?xf32> {
  %y = ds.reduce sum %x [1] : tensor<?x136xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// A short line takes no more lanes than it has elements.
// CHECK-LABEL: func.func @short
// CHECK: vector.transfer_read {{.+}}: tensor<?x5xf32>, vector<8xf32>
// CHECK-COUNT-3: vector.shuffle
// CHECK-NOT: vector.shuffle
func.func @short(%x: tensor<?x5xf32>) -> tensor<?xf32> {
  %y = ds.reduce prod %x [1] : tensor<?x5xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// A line of unknown length; bf16 is read as it is stored.
// CHECK-LABEL: func.func @dynamic
// CHECK: scf.for {{.+}} step %c64 iter_args
// CHECK: vector.transfer_read {{.+}} : tensor<3x?xbf16>, vector<16xbf16>
// CHECK: arith.extf {{.+}} to vector<16xf32>
// CHECK: arith.maximumf {{.+}} : vector<16xf32>
// CHECK: arith.truncf {{.+}} : f32 to bf16
// CHECK-NOT: ds.reduce
func.func @dynamic(%x: tensor<3x?xbf16>) -> tensor<3xbf16> {
  %y = ds.reduce max %x [1] : tensor<3x?xbf16> to tensor<3xbf16>
  return %y : tensor<3xbf16>
}

// -----

// Each lane its own column, in order; panels of 8 vectors, or of 4 where registers are narrower, the last one masked.
// CHECK-LABEL: func.func @first
// CHECK: scf.forall (%{{.+}}) in (9)
// CHECK: scf.if
// CHECK: scf.for %[[ROW:.+]] = %c0 to %c512 step %c1 iter_args
// CHECK-COUNT-8: arith.addf {{.+}} : vector<16xf32>
// CHECK-NOT: vector.shuffle
// NARROW-LABEL: func.func @first
// NARROW: scf.forall (%{{.+}}) in (17)
func.func @first(%x: tensor<512x1027xf32>) -> tensor<1027xf32> {
  %y = ds.reduce sum %x [0] : tensor<512x1027xf32> to tensor<1027xf32>
  return %y : tensor<1027xf32>
}

// -----

// Neighbours of one kind at the end are one dimension; those of size 1 are of either kind.
// CHECK-LABEL: func.func @merged
// CHECK: tensor.collapse_shape %{{.+}} {{\[\[}}0], [1, 2, 3]] : tensor<?x7x1x9xf32> into tensor<?x63xf32>
// CHECK: ds.reshape {{.+}} to tensor<?x1x1x1xf32>
func.func @merged(%x: tensor<?x7x1x9xf32>) -> tensor<?x1x1x1xf32> {
  %y = ds.reduce sum %x [1, 3] keepdims : tensor<?x7x1x9xf32> to tensor<?x1x1x1xf32>
  return %y : tensor<?x1x1x1xf32>
}

// -----

// All of a tensor: no rows to share among threads.
// CHECK-LABEL: func.func @all
// CHECK-NOT: scf.forall
// CHECK: arith.minsi {{.+}} : vector<16xi8>
// CHECK: tensor.insert {{.+}} : tensor<i8>
func.func @all(%x: tensor<?x?xi8>) -> tensor<i8> {
  %y = ds.reduce min %x [0, 1] : tensor<?x?xi8> to tensor<i8>
  return %y : tensor<i8>
}

// -----

// Unsigned numbers are compared as such.
// CHECK-LABEL: func.func @unsigned
// CHECK: arith.maxui {{.+}} : vector<16xi16>
// CHECK: ds.bitcast {{.+}} to tensor<3xui16>
func.func @unsigned(%x: tensor<3x64xui16>) -> tensor<3xui16> {
  %y = ds.reduce max %x [1] : tensor<3x64xui16> to tensor<3xui16>
  return %y : tensor<3xui16>
}

// -----

// The best element and its place move together; lanes beyond the line never win, equal ones are told apart by their places.
// CHECK-LABEL: func.func @arg
// CHECK: scf.for
// CHECK: arith.cmpf oge, {{.+}} : vector<16xf32>
// CHECK: arith.select {{.+}} : vector<16xi1>, vector<16xf32>
// CHECK: arith.select {{.+}} : vector<16xi1>, vector<16xi64>
// CHECK: vector.create_mask
// CHECK: arith.cmpi sgt, {{.+}} : vector<16xi64>
// CHECK-NOT: ds.arg_reduce
func.func @arg(%x: tensor<3x?xf32>) -> tensor<3x1xi64> {
  %y = ds.arg_reduce max %x 1 last : tensor<3x?xf32> to tensor<3x1xi64>
  return %y : tensor<3x1xi64>
}

// -----

// CHECK-LABEL: func.func @arg_first
// CHECK: scf.for
// CHECK: arith.cmpf ogt
// CHECK: arith.cmpi eq, %{{.+}}, %c0 : index
// CHECK-NOT: ds.arg_reduce
func.func @arg_first(%x: tensor<?x16xf16>) -> tensor<1x16xi64> {
  %y = ds.arg_reduce min %x 0 : tensor<?x16xf16> to tensor<1x16xi64>
  return %y : tensor<1x16xi64>
}

// -----

// Doubles, bools and tensors without elements are not this pass's.
// CHECK-LABEL: func.func @others
// CHECK-COUNT-3: ds.reduce
// CHECK: ds.arg_reduce
func.func @others(%x: tensor<2x8xf64>, %b: tensor<2x8xi1>, %e: tensor<2x0xf32>) -> (tensor<2xf64>, tensor<2xi1>, tensor<2xf32>, tensor<2x1xi64>) {
  %0 = ds.reduce sum %x [1] : tensor<2x8xf64> to tensor<2xf64>
  %1 = ds.reduce max %b [1] : tensor<2x8xi1> to tensor<2xi1>
  %2 = ds.reduce sum %e [1] : tensor<2x0xf32> to tensor<2xf32>
  %3 = ds.arg_reduce max %x 1 : tensor<2x8xf64> to tensor<2x1xi64>
  return %0, %1, %2, %3 : tensor<2xf64>, tensor<2xi1>, tensor<2xf32>, tensor<2x1xi64>
}
