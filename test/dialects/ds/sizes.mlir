// RUN: ds-opt %s -canonicalize -cse | FileCheck %s

// tensor.dim of a result is a size of the operands: the op itself is not
// needed to know how large its result is.

// CHECK-LABEL: func.func @token_wise(
// CHECK-SAME: %[[IDS:.*]]: tensor<?xi64>, %[[TABLE:.*]]: tensor<9x?xf32>, %[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<?x8xf32>
func.func @token_wise(%ids: tensor<?xi64>, %table: tensor<9x?xf32>, %x: tensor<?x8xf32>, %w: tensor<?x8xf32>,
                      %v: tensor<8xf32>) -> (index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
  // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[N:.*]] = tensor.dim %[[IDS]], %[[C0]]
  // CHECK-DAG: %[[D:.*]] = tensor.dim %[[TABLE]], %[[C1]]
  %e = ds.embedding %ids, %table : tensor<?xi64>, tensor<9x?xf32> to tensor<?x?xf32>
  %0 = tensor.dim %e, %c0 : tensor<?x?xf32>
  %1 = tensor.dim %e, %c1 : tensor<?x?xf32>
  // CHECK-DAG: %[[ROWS:.*]] = tensor.dim %[[X]], %[[C0]]
  // CHECK-DAG: %[[OUT:.*]] = tensor.dim %[[W]], %[[C0]]
  %n = ds.rms_norm %x, %v epsilon 1.0e-6 : tensor<?x8xf32>, tensor<8xf32> to tensor<?x8xf32>
  %l = ds.linear %n, %w : tensor<?x8xf32>, tensor<?x8xf32> to tensor<?x?xf32>
  %s = ds.swiglu %l, %l : tensor<?x?xf32>, tensor<?x?xf32> to tensor<?x?xf32>
  %2 = tensor.dim %s, %c0 : tensor<?x?xf32>
  %3 = tensor.dim %s, %c1 : tensor<?x?xf32>
  // CHECK-NOT: ds.
  // CHECK: return %[[N]], %[[D]], %[[ROWS]], %[[OUT]]
  return %0, %1, %2, %3 : index, index, index, index
}

// CHECK-LABEL: func.func @attention(
// CHECK-SAME: %[[Q:.*]]: tensor<?x?x4x8xf32>, %[[K:.*]]: tensor<?x2x?x8xf32>, %[[V:.*]]: tensor<?x2x?x?xf32>, %[[ROWS:.*]]: tensor<?x2x8xf32>, %[[CACHE:.*]]: tensor<?x2x?x8xf32>
func.func @attention(%q: tensor<?x?x4x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x?xf32>, %rows: tensor<?x2x8xf32>,
                     %cache: tensor<?x2x?x8xf32>, %i: tensor<?xi32>, %n: index) -> (index, index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %a = ds.attention %q, %k, %v scale 1.0 : tensor<?x?x4x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x?xf32> to tensor<?x?x4x?xf32>
  // CHECK-DAG: %[[S:.*]] = tensor.dim %[[Q]], %{{.*}}
  // CHECK-DAG: %[[DV:.*]] = tensor.dim %[[V]], %{{.*}}
  %0 = tensor.dim %a, %c1 : tensor<?x?x4x?xf32>
  %1 = tensor.dim %a, %c3 : tensor<?x?x4x?xf32>
  %p = ds.token_positions %i, %i, %n : tensor<?xi32>, tensor<?xi32> to tensor<?xi32>
  %2 = tensor.dim %p, %c0 : tensor<?xi32>
  // CHECK-DAG: %[[LENGTH:.*]] = tensor.dim %[[CACHE]], %{{.*}}
  %b = ds.cache_append %rows into %cache at %i, %i, %i : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x?x8xf32>
  %3 = tensor.dim %b, %c2 : tensor<?x2x?x8xf32>
  // CHECK-DAG: %[[TOKENS:.*]] = tensor.dim %[[ROWS]], %{{.*}}
  %y = ds.cached_attention %rows, %b, %b at %i, %i, %i scale 1.0 : tensor<?x2x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x2x8xf32>
  %4 = tensor.dim %y, %c0 : tensor<?x2x8xf32>
  // CHECK: return %[[S]], %[[DV]], %{{.*}}, %[[LENGTH]], %[[TOKENS]]
  return %0, %1, %2, %3, %4 : index, index, index, index, index
}

// CHECK-LABEL: func.func @views(
// CHECK-SAME: %[[X:.*]]: tensor<?x?xf32>, %[[N:.*]]: index, %[[M:.*]]: index
func.func @views(%x: tensor<?x?xf32>, %n: index, %m: index, %z: tensor<f32>) -> (index, index, index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK-DAG: %[[X0:.*]] = tensor.dim %[[X]], %c0
  // CHECK-DAG: %[[X1:.*]] = tensor.dim %[[X]], %c1
  %t = ds.transpose %x [1, 0] : tensor<?x?xf32> to tensor<?x?xf32>
  %0 = tensor.dim %t, %c0 : tensor<?x?xf32>
  %r = ds.reshape %x[%n] : tensor<?x?xf32> to tensor<4x?xf32>
  %1 = tensor.dim %r, %c1 : tensor<4x?xf32>
  %s = ds.slice %x [0, 0] [%n, %m] [1, 1] : tensor<?x?xf32> to tensor<?x?xf32>
  %2 = tensor.dim %s, %c1 : tensor<?x?xf32>
  // CHECK-DAG: %[[SUM:.*]] = arith.addi %[[X0]], %[[X0]]
  %c = ds.concat 0 %x, %x : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  %3 = tensor.dim %c, %c0 : tensor<?x?xf32>
  %p = ds.pad constant %x value %z low %n, %c0 high %m, %c0 : tensor<?x?xf32>, tensor<f32> to tensor<?x?xf32>
  // CHECK-DAG: %[[LOW:.*]] = arith.addi %[[X0]], %[[N]]
  // CHECK-DAG: %[[PAD:.*]] = arith.addi %[[LOW]], %[[M]]
  %4 = tensor.dim %p, %c0 : tensor<?x?xf32>
  %g = ds.range %z, %z[%n] : tensor<f32> to tensor<?xf32>
  %5 = tensor.dim %g, %c0 : tensor<?xf32>
  // CHECK: return %[[X1]], %[[N]], %[[M]], %[[SUM]], %[[PAD]], %[[N]]
  return %0, %1, %2, %3, %4, %5 : index, index, index, index, index, index
}

// CHECK-LABEL: func.func @others(
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>, %[[Y:.*]]: tensor<?x4x?xf32>, %[[I:.*]]: tensor<?x2xi64>
func.func @others(%x: tensor<?x4xf32>, %y: tensor<?x4x?xf32>, %i: tensor<?x2xi64>, %k: index)
    -> (index, index, index, index, index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // CHECK-DAG: %[[X0:.*]] = tensor.dim %[[X]], %{{.*}}
  // CHECK-DAG: %[[Y0:.*]] = tensor.dim %[[Y]], %c0
  // CHECK-DAG: %[[Y2:.*]] = tensor.dim %[[Y]], %c2
  // CHECK-DAG: %[[I0:.*]] = tensor.dim %[[I]], %{{.*}}
  %one = arith.constant dense<0.5> : tensor<1x4xf32>
  %a = ds.elementwise add %one, %x : (tensor<1x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %0 = tensor.dim %a, %c0 : tensor<?x4xf32>
  %m = ds.matmul %x, %y : tensor<?x4xf32>, tensor<?x4x?xf32> to tensor<?x?x?xf32>
  %1 = tensor.dim %m, %c0 : tensor<?x?x?xf32>
  %2 = tensor.dim %m, %c1 : tensor<?x?x?xf32>
  %3 = tensor.dim %m, %c2 : tensor<?x?x?xf32>
  %r = ds.reduce sum %y [0, 1] : tensor<?x4x?xf32> to tensor<?xf32>
  %4 = tensor.dim %r, %c0 : tensor<?xf32>
  %g = ds.gather %y, %i 1 : tensor<?x4x?xf32>, tensor<?x2xi64> to tensor<?x?x2x?xf32>
  %5 = tensor.dim %g, %c1 : tensor<?x?x2x?xf32>
  %d = ds.gather_nd %y, %i : tensor<?x4x?xf32>, tensor<?x2xi64> to tensor<?x?xf32>
  %6 = tensor.dim %d, %c1 : tensor<?x?xf32>
  %t:2 = ds.topk %y, %k 2 : tensor<?x4x?xf32> to tensor<?x4x?xf32>, tensor<?x4x?xi64>
  %7 = tensor.dim %t#1, %c2 : tensor<?x4x?xi64>
  // CHECK: return %[[X0]], %[[Y0]], %[[X0]], %[[Y2]], %[[Y2]], %[[I0]], %[[Y2]], %{{.*}}
  return %0, %1, %2, %3, %4, %5, %6, %7 : index, index, index, index, index, index, index, index
}

// What a run alone knows stays.
// CHECK-LABEL: func.func @nonzero(
func.func @nonzero(%x: tensor<?x4xf32>) -> index {
  %c1 = arith.constant 1 : index
  // CHECK: %[[R:.*]] = ds.nonzero
  // CHECK: tensor.dim %[[R]]
  %0 = ds.nonzero %x : tensor<?x4xf32> to tensor<2x?xi64>
  %1 = tensor.dim %0, %c1 : tensor<2x?xi64>
  return %1 : index
}

// CHECK-LABEL: func.func @packed(
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>
func.func @packed(%x: tensor<?x64xf32>, %w: tensor<2x64x32xbf16>, %q: tensor<2x16x128xi8>, %s: tensor<2x1x32xf32>) -> (index, index, index) {
  %c0 = arith.constant 0 : index
  // CHECK-NOT: ds.
  // CHECK: %[[M:.*]] = tensor.dim %[[X]]
  // CHECK-NOT: ds.
  // CHECK: return %[[M]], %[[M]], %[[M]]
  %0 = ds.packed_linear %x, %w : tensor<?x64xf32>, tensor<2x64x32xbf16> to tensor<?x40xf32>
  %data, %scale, %sum = ds.quantize_groups %x group 32 : tensor<?x64xf32> to tensor<?x64xi8>, tensor<?x2xf32>, tensor<?x2xi32>
  %1 = ds.packed_quantized_linear %data scale %scale sum %sum, %q scale %s {bits = 8 : i64, group = 32 : i64}
    : tensor<?x64xi8> scale tensor<?x2xf32> sum tensor<?x2xi32>, tensor<2x16x128xi8> scale tensor<2x1x32xf32> to tensor<?x40xf32>
  %d0 = tensor.dim %0, %c0 : tensor<?x40xf32>
  %d1 = tensor.dim %1, %c0 : tensor<?x40xf32>
  %d2 = tensor.dim %sum, %c0 : tensor<?x2xi32>
  return %d0, %d1, %d2 : index, index, index
}
