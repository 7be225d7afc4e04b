// RUN: ds-opt %s -canonicalize -cse | FileCheck %s

// tensor.dim of a result of experts and latent attention is a size of the
// operands: the op itself is not needed to know how large its result is.

// CHECK-LABEL: func.func @experts(
// CHECK-SAME: %[[L:.*]]: tensor<?x8xf32>, %[[X:.*]]: tensor<?x?xf32>, %[[G:.*]]: tensor<8x?x?xf32>
func.func @experts(%l: tensor<?x8xf32>, %x: tensor<?x?xf32>, %g: tensor<8x?x?xf32>) -> (index, index, index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %w, %e, %n = ds.route %l softmax top 2 groups 1 keep 1 by max fill zero scale 1.0 : tensor<?x8xf32> to tensor<?x2xf32>, tensor<?x2xi32>, tensor<8xi32>
  // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
  // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
  // CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
  // CHECK-DAG: %[[N:.*]] = tensor.dim %[[L]], %[[C0]]
  %0 = tensor.dim %w, %c0 : tensor<?x2xf32>
  %t, %p, %o, %a, %c = ds.group_tokens %e of 8 tiles 32 : tensor<?x2xi32> to tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>, tensor<?x3xi32>, tensor<i32>
  // CHECK-DAG: %[[ROWS:.*]] = arith.muli %[[N]], %[[C2]]
  %1 = tensor.dim %t, %c0 : tensor<?xi32>
  // CHECK-DAG: %[[FULL:.*]] = arith.ceildivui %[[ROWS]], %{{.*}}
  // CHECK-DAG: %[[TILES:.*]] = arith.addi %[[FULL]], %{{.*}}
  %2 = tensor.dim %a, %c0 : tensor<?x3xi32>
  %y = ds.grouped_linear %x rows %t : tensor<?xi32>, %g in %a, %c : tensor<?x?xf32>, tensor<8x?x?xf32>, tensor<?x3xi32>, tensor<i32> to tensor<?x?xf32>
  // CHECK-DAG: %[[WIDTH:.*]] = tensor.dim %[[G]], %[[C1]]
  %3 = tensor.dim %y, %c0 : tensor<?x?xf32>
  %4 = tensor.dim %y, %c1 : tensor<?x?xf32>
  %z = ds.combine %y at %p weights %w : tensor<?x?xf32>, tensor<?x2xi32>, tensor<?x2xf32> to tensor<?x?xf32>
  %5 = tensor.dim %z, %c0 : tensor<?x?xf32>
  // CHECK-NOT: ds.
  // CHECK: return %[[N]], %[[ROWS]], %[[TILES]], %[[ROWS]], %[[WIDTH]], %[[N]]
  return %0, %1, %2, %3, %4, %5 : index, index, index, index, index, index
}

// CHECK-LABEL: func.func @latent(
// CHECK-SAME: %[[Q:.*]]: tensor<?x?x?xf32>, %[[C:.*]]: tensor<?x1x?x?xf32>, %{{.*}}: tensor<?x1x?x16xf32>, %{{.*}}: tensor<?x8x?xf32>, %[[V:.*]]: tensor<?x?x?xf32>
func.func @latent(%q: tensor<?x?x?xf32>, %c: tensor<?x1x?x?xf32>, %r: tensor<?x1x?x16xf32>, %uk: tensor<?x8x?xf32>, %uv: tensor<?x?x?xf32>,
                  %i: tensor<?xi32>) -> (index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // CHECK-DAG: %[[TOKENS:.*]] = tensor.dim %[[Q]], %c0
  // CHECK-DAG: %[[HEADS:.*]] = tensor.dim %[[Q]], %c1
  // CHECK-DAG: %[[VALUES:.*]] = tensor.dim %[[V]], %c1
  // CHECK-DAG: %[[RANK:.*]] = tensor.dim %[[C]], %c3
  %a = ds.mla %q, %c, %r expand %uk, %uv at %i, %i, %i scale 1.0 : tensor<?x?x?xf32>, tensor<?x1x?x?xf32>, tensor<?x1x?x16xf32>, tensor<?x8x?xf32>, tensor<?x?x?xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x?x?xf32>
  %0 = tensor.dim %a, %c0 : tensor<?x?x?xf32>
  %1 = tensor.dim %a, %c2 : tensor<?x?x?xf32>
  %b = ds.mla_absorbed %q, %c, %r at %i, %i, %i scale 1.0 : tensor<?x?x?xf32>, tensor<?x1x?x?xf32>, tensor<?x1x?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x?x?xf32>
  %2 = tensor.dim %b, %c1 : tensor<?x?x?xf32>
  %3 = tensor.dim %b, %c2 : tensor<?x?x?xf32>
  // CHECK: return %[[TOKENS]], %[[VALUES]], %[[HEADS]], %[[RANK]]
  return %0, %1, %2, %3 : index, index, index, index
}

// CHECK-LABEL: func.func @token_prediction(
// CHECK-SAME: %[[E:.*]]: tensor<?x8xf32>, %{{.*}}: tensor<8xf32>, %[[W:.*]]: tensor<?x16xf32>, %[[D:.*]]: tensor<?x?xi8>
func.func @token_prediction(%e: tensor<?x8xf32>, %n: tensor<8xf32>, %w: tensor<?x16xf32>, %d: tensor<?x?xi8>, %s: tensor<?x?xf32>) -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK-DAG: %[[ROWS:.*]] = tensor.dim %[[E]], %c0
  // CHECK-DAG: %[[OUT:.*]] = tensor.dim %[[W]], %c0
  // CHECK-DAG: %[[COLUMNS:.*]] = tensor.dim %[[D]], %c1
  %a = ds.mtp_input %e, %e norms %n, %n weight %w epsilon 1.0e-6 : tensor<?x8xf32>, tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<?x16xf32> to tensor<?x?xf32>
  %0 = tensor.dim %a, %c0 : tensor<?x?xf32>
  %1 = tensor.dim %a, %c1 : tensor<?x?xf32>
  %b = ds.dequantize_blocks %d scale %s blocks [2, 3] : tensor<?x?xi8>, tensor<?x?xf32> to tensor<?x?xf32>
  %2 = tensor.dim %b, %c1 : tensor<?x?xf32>
  // CHECK: return %[[ROWS]], %[[OUT]], %[[COLUMNS]]
  return %0, %1, %2 : index, index, index
}
