// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-cpu-byte-matmul{lanes=16 byte-dot=true},canonicalize,cse))" | FileCheck %s
// RUN: ds-opt %s --split-input-file --pass-pipeline="builtin.module(func.func(ds-cpu-byte-matmul{lanes=8},canonicalize,cse))" | FileCheck %s --check-prefix=NARROW

// Tiles of 6 rows and 64 columns: 4 rows of bytes, dealt out by 8 shuffles, 24 dots. K = 66 ends with a step of 2 k.
// CHECK-LABEL: func.func @whole
// CHECK: scf.forall (%{{.+}}, %{{.+}}) in (%{{.+}}, 2)
// CHECK: scf.for {{.+}} step %c6
// CHECK: scf.for {{.+}} = %c0 to %c64 step %c4 iter_args
// CHECK-COUNT-4: vector.transfer_read {{.+}} {in_bounds = [true]} : tensor<66x128xi8>, vector<64xi8>
// CHECK-COUNT-8: vector.shuffle {{.+}} : vector<64xi8>, vector<64xi8>
// CHECK-COUNT-24: ds.dot_bytes
// CHECK: scf.yield
// NARROW-LABEL: func.func @whole
// NARROW-COUNT-4: ds.dot_bytes
// NARROW: scf.yield
// NARROW-COUNT-4: ds.dot_bytes
// NARROW-NOT: ds.dot_bytes
func.func @whole(%x: tensor<?x66xui8>, %w: tensor<66x128xi8>) -> tensor<?x128xi32> {
  %y = ds.matmul %x, %w : tensor<?x66xui8>, tensor<66x128xi8> to tensor<?x128xi32>
  return %y : tensor<?x128xi32>
}

// -----

// Columns of a panel that is not whole are copied beside zeros, and no byte is read behind a mask.
// NARROW-LABEL: func.func @partial
// CHECK-LABEL: func.func @partial
// CHECK: linalg.fill
// CHECK: tensor.insert_slice {{.+}} : tensor<{{.+}}xi8> into tensor<{{.+}}x64xi8>
// CHECK: ds.dot_bytes
// CHECK-NOT: ds.matmul
func.func @partial(%x: tensor<3x8xui8>, %w: tensor<8x9xi8>) -> tensor<3x9xi32> {
  %y = ds.matmul %x, %w : tensor<3x8xui8>, tensor<8x9xi8> to tensor<3x9xi32>
  return %y : tensor<3x9xi32>
}

// -----

// Other types are not this pass's.
// CHECK-LABEL: func.func @others
// CHECK-COUNT-2: ds.matmul
func.func @others(%x: tensor<3x8xi8>, %w: tensor<8x9xi8>, %v: tensor<3x8xi32>, %u: tensor<8x9xi32>) -> (tensor<3x9xi32>, tensor<3x9xi32>) {
  %0 = ds.matmul %x, %w : tensor<3x8xi8>, tensor<8x9xi8> to tensor<3x9xi32>
  %1 = ds.matmul %v, %u : tensor<3x8xi32>, tensor<8x9xi32> to tensor<3x9xi32>
  return %0, %1 : tensor<3x9xi32>, tensor<3x9xi32>
}
