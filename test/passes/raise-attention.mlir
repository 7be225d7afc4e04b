// RUN: ds-opt %s --split-input-file --ds-sink-transposes --canonicalize --cse --ds-raise-attention --ds-sink-transposes --canonicalize --cse | FileCheck %s

// The mask of torch.export's dynamo exporter without cache: rows see keys up to
// themselves. Keys are transposed through a merged batch; √scale is on both
// sides; a guard replaces NaN.
// CHECK-LABEL: func.func @dynamo_causal
// CHECK-SAME: (%[[Q:[a-z0-9]+]]: tensor<?x?x4x16xf32> {{[^)]*}}, %[[K:[a-z0-9]+]]: tensor<?x?x2x16xf32> {{[^)]*}}, %[[V:[a-z0-9]+]]: tensor<?x?x2x16xf32>
func.func @dynamo_causal(%q: tensor<?x?x4x16xf32> {ds.dims = ["b", "s", "", ""]}, %k: tensor<?x?x2x16xf32> {ds.dims = ["b", "s", "", ""]}, %v: tensor<?x?x2x16xf32> {ds.dims = ["b", "s", "", ""]}) -> tensor<?x?x4x16xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x4x16xf32>
  %s = tensor.dim %q, %c1 : tensor<?x?x4x16xf32>
  %bh = arith.muli %b, %c4 : index
  %root = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %low = arith.constant dense<-3.40282347E+38> : tensor<f32>
  %izero = arith.constant dense<0> : tensor<i64>
  %ione = arith.constant dense<1> : tensor<i64>
  // mask
  %r = ds.range %izero, %ione [%s] : tensor<i64> to tensor<?xi64>
  %rows = ds.reshape %r [%s] : tensor<?xi64> to tensor<1x1x?x1xi64>
  %cols = ds.reshape %r [%s] : tensor<?xi64> to tensor<1x1x1x?xi64>
  %le = ds.elementwise le %cols, %rows : (tensor<1x1x1x?xi64>, tensor<1x1x?x1xi64>) -> tensor<1x1x?x?xi1>
  %mask = ds.elementwise select %le, %zero, %low : (tensor<1x1x?x?xi1>, tensor<f32>, tensor<f32>) -> tensor<1x1x?x?xf32>
  // heads
  %qt = ds.transpose %q [0, 2, 1, 3] : tensor<?x?x4x16xf32> to tensor<?x4x?x16xf32>
  %kt = ds.transpose %k [0, 2, 1, 3] : tensor<?x?x2x16xf32> to tensor<?x2x?x16xf32>
  %vt = ds.transpose %v [0, 2, 1, 3] : tensor<?x?x2x16xf32> to tensor<?x2x?x16xf32>
  %k5 = ds.reshape %kt [%b, %s] : tensor<?x2x?x16xf32> to tensor<?x2x1x?x16xf32>
  %ke = ds.broadcast %k5 [%b, %s] : tensor<?x2x1x?x16xf32> to tensor<?x2x2x?x16xf32>
  %kh = ds.reshape %ke [%b, %s] : tensor<?x2x2x?x16xf32> to tensor<?x4x?x16xf32>
  %v5 = ds.reshape %vt [%b, %s] : tensor<?x2x?x16xf32> to tensor<?x2x1x?x16xf32>
  %ve = ds.broadcast %v5 [%b, %s] : tensor<?x2x1x?x16xf32> to tensor<?x2x2x?x16xf32>
  %vh = ds.reshape %ve [%b, %s] : tensor<?x2x2x?x16xf32> to tensor<?x4x?x16xf32>
  %k3 = ds.reshape %kh [%bh, %s] : tensor<?x4x?x16xf32> to tensor<?x?x16xf32>
  %k3t = ds.transpose %k3 [0, 2, 1] : tensor<?x?x16xf32> to tensor<?x16x?xf32>
  %kT = ds.reshape %k3t [%b, %s] : tensor<?x16x?xf32> to tensor<?x4x16x?xf32>
  %qs = ds.elementwise mul %qt, %root : (tensor<?x4x?x16xf32>, tensor<f32>) -> tensor<?x4x?x16xf32>
  %ks = ds.elementwise mul %kT, %root : (tensor<?x4x16x?xf32>, tensor<f32>) -> tensor<?x4x16x?xf32>
  %qk = ds.matmul %qs, %ks : tensor<?x4x?x16xf32>, tensor<?x4x16x?xf32> to tensor<?x4x?x?xf32>
  %masked = ds.elementwise add %qk, %mask : (tensor<?x4x?x?xf32>, tensor<1x1x?x?xf32>) -> tensor<?x4x?x?xf32>
  %p = ds.softmax %masked 3 : tensor<?x4x?x?xf32> to tensor<?x4x?x?xf32>
  %nan = ds.elementwise isnan %p : (tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xi1>
  %pg = ds.elementwise select %nan, %zero, %p : (tensor<?x4x?x?xi1>, tensor<f32>, tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %o = ds.matmul %pg, %vh : tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32> to tensor<?x4x?x16xf32>
  %ot = ds.transpose %o [0, 2, 1, 3] : tensor<?x4x?x16xf32> to tensor<?x?x4x16xf32>
  // CHECK-DAG: %[[KT:.*]] = ds.transpose %[[K]] [0, 2, 1, 3]
  // CHECK-DAG: %[[VT:.*]] = ds.transpose %[[V]] [0, 2, 1, 3]
  // CHECK: %[[A:.*]] = ds.attention %[[Q]], %[[KT]], %[[VT]] scale 2.500000e-01 causal
  // CHECK: return %[[A]]
  return %ot : tensor<?x?x4x16xf32>
}

// -----

// The same with one bound off by one is not causal: the mask stays.
// CHECK-LABEL: func.func @off_by_one
func.func @off_by_one(%q: tensor<1x4x8x16xf32>, %k: tensor<1x4x16x8xf32>, %v: tensor<1x4x8x16xf32>) -> tensor<1x4x8x16xf32> {
  %scale = arith.constant dense<0.25> : tensor<f32>
  %rows = arith.constant dense<[[0], [1], [2], [3], [4], [5], [6], [7]]> : tensor<8x1xi64>
  %cols = arith.constant dense<[0, 1, 2, 3, 4, 5, 6, 7]> : tensor<8xi64>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %lt = ds.elementwise lt %cols, %rows : (tensor<8xi64>, tensor<8x1xi64>) -> tensor<8x8xi1>
  %mask = ds.elementwise select %lt, %zero, %low : (tensor<8x8xi1>, tensor<f32>, tensor<f32>) -> tensor<8x8xf32>
  %qk = ds.matmul %q, %k : tensor<1x4x8x16xf32>, tensor<1x4x16x8xf32> to tensor<1x4x8x8xf32>
  %scaled = ds.elementwise mul %scale, %qk : (tensor<f32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %masked = ds.elementwise add %mask, %scaled : (tensor<8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %p = ds.softmax %masked 3 : tensor<1x4x8x8xf32> to tensor<1x4x8x8xf32>
  %o = ds.matmul %p, %v : tensor<1x4x8x8xf32>, tensor<1x4x8x16xf32> to tensor<1x4x8x16xf32>
  // CHECK: ds.attention {{.*}} mask {{.*}} scale 2.500000e-01 {{[^c]*}}:
  return %o : tensor<1x4x8x16xf32>
}

// -----

// Another softmax axis is no attention.
// CHECK-LABEL: func.func @wrong_axis
// CHECK-NOT: ds.attention
func.func @wrong_axis(%q: tensor<1x4x8x16xf32>, %k: tensor<1x4x16x8xf32>, %v: tensor<1x4x8x16xf32>) -> tensor<1x4x8x16xf32> {
  %qk = ds.matmul %q, %k : tensor<1x4x8x16xf32>, tensor<1x4x16x8xf32> to tensor<1x4x8x8xf32>
  %p = ds.softmax %qk 2 : tensor<1x4x8x8xf32> to tensor<1x4x8x8xf32>
  %o = ds.matmul %p, %v : tensor<1x4x8x8xf32>, tensor<1x4x8x16xf32> to tensor<1x4x8x16xf32>
  return %o : tensor<1x4x8x16xf32>
}

// -----

// The guard of a row that may attend to nothing, as the standard's own body of
// Attention has it, is what ds.attention does by itself.
// CHECK-LABEL: func.func @guarded
// CHECK: ds.attention {{.*}} mask
// CHECK-NOT: ds.elementwise select
func.func @guarded(%q: tensor<1x4x8x16xf16>, %k: tensor<1x4x16x8xf16>, %v: tensor<1x4x8x16xf16>, %mask: tensor<8x8xf16>) -> tensor<1x4x8x16xf16> {
  %zero = arith.constant dense<0.0> : tensor<1xf16>
  %low = arith.constant dense<0xFC00> : tensor<1xf16>
  %qk = ds.matmul %q, %k : tensor<1x4x8x16xf16>, tensor<1x4x16x8xf16> to tensor<1x4x8x8xf16>
  %masked = ds.elementwise add %qk, %mask : (tensor<1x4x8x8xf16>, tensor<8x8xf16>) -> tensor<1x4x8x8xf16>
  %p = ds.softmax %masked 3 : tensor<1x4x8x8xf16> to tensor<1x4x8x8xf16>
  %top = ds.reduce max %mask [1] keepdims : tensor<8x8xf16> to tensor<8x1xf16>
  %blind = ds.elementwise eq %top, %low : (tensor<8x1xf16>, tensor<1xf16>) -> tensor<8x1xi1>
  %safe = ds.elementwise select %blind, %zero, %p : (tensor<8x1xi1>, tensor<1xf16>, tensor<1x4x8x8xf16>) -> tensor<1x4x8x8xf16>
  %o = ds.matmul %safe, %v : tensor<1x4x8x8xf16>, tensor<1x4x8x16xf16> to tensor<1x4x8x16xf16>
  return %o : tensor<1x4x8x16xf16>
}

// -----

// A guard by another mask is none.
// CHECK-LABEL: func.func @guarded_by_another
// CHECK-NOT: ds.attention
func.func @guarded_by_another(%q: tensor<1x4x8x16xf16>, %k: tensor<1x4x16x8xf16>, %v: tensor<1x4x8x16xf16>, %mask: tensor<8x8xf16>, %other: tensor<8x8xf16>) -> tensor<1x4x8x16xf16> {
  %zero = arith.constant dense<0.0> : tensor<1xf16>
  %low = arith.constant dense<0xFC00> : tensor<1xf16>
  %qk = ds.matmul %q, %k : tensor<1x4x8x16xf16>, tensor<1x4x16x8xf16> to tensor<1x4x8x8xf16>
  %masked = ds.elementwise add %qk, %mask : (tensor<1x4x8x8xf16>, tensor<8x8xf16>) -> tensor<1x4x8x8xf16>
  %p = ds.softmax %masked 3 : tensor<1x4x8x8xf16> to tensor<1x4x8x8xf16>
  %top = ds.reduce max %other [1] keepdims : tensor<8x8xf16> to tensor<8x1xf16>
  %blind = ds.elementwise eq %top, %low : (tensor<8x1xf16>, tensor<1xf16>) -> tensor<8x1xi1>
  %safe = ds.elementwise select %blind, %zero, %p : (tensor<8x1xi1>, tensor<1xf16>, tensor<1x4x8x8xf16>) -> tensor<1x4x8x8xf16>
  %o = ds.matmul %safe, %v : tensor<1x4x8x8xf16>, tensor<1x4x8x16xf16> to tensor<1x4x8x16xf16>
  return %o : tensor<1x4x8x16xf16>
}

// -----

// Nobody knows whether the mask is as long as the keys: each is repeated to the other if it is 1. The values are as long as the keys.
// CHECK-LABEL: func.func @repeated_scores
// CHECK: ds.attention {{.*}} mask
func.func @repeated_scores(%q: tensor<1x4x8x16xf32>, %k: tensor<1x4x16x?xf32>, %v: tensor<1x4x?x16xf32>, %mask: tensor<1x4x8x?xf32>, %longer: index) -> tensor<1x4x8x16xf32> {
  %s = ds.matmul %q, %k : tensor<1x4x8x16xf32>, tensor<1x4x16x?xf32> to tensor<1x4x8x?xf32>
  %sb = ds.broadcast %s[%longer] : tensor<1x4x8x?xf32> to tensor<1x4x8x?xf32>
  %mb = ds.broadcast %mask[%longer] : tensor<1x4x8x?xf32> to tensor<1x4x8x?xf32>
  %m = ds.elementwise add %sb, %mb : (tensor<1x4x8x?xf32>, tensor<1x4x8x?xf32>) -> tensor<1x4x8x?xf32>
  %p = ds.softmax %m 3 : tensor<1x4x8x?xf32> to tensor<1x4x8x?xf32>
  %o = ds.matmul %p, %v : tensor<1x4x8x?xf32>, tensor<1x4x?x16xf32> to tensor<1x4x8x16xf32>
  return %o : tensor<1x4x8x16xf32>
}

// -----

// Scores and values in the latent space: one key for all heads, heads and rows merged, and two products added: of the part without
// position and of the one with it.
// CHECK-LABEL: func.func @absorbed
// CHECK-SAME: (%[[Q:[a-z0-9]+]]: tensor<1x?x3x4xf32>, %[[R:[a-z0-9]+]]: tensor<1x?x3x2xf32>, %[[C:[a-z0-9]+]]: tensor<1x?x4xf32>, %[[P:[a-z0-9]+]]: tensor<1x?x2xf32>)
// CHECK-DAG: %[[QQ:.*]] = ds.concat 3 %[[Q]], %[[R]] : (tensor<1x?x3x4xf32>, tensor<1x?x3x2xf32>)
// CHECK-DAG: %[[K:.*]] = ds.concat 3 {{.*}} -> tensor<1x1x?x6xf32>
// CHECK: %[[A:.*]] = ds.attention %[[QQ]], %[[K]], {{.*}} scale 5.000000e-01 {{.*}} tensor<1x1x?x6xf32>, tensor<1x1x?x4xf32> to tensor<1x?x3x4xf32>
// CHECK-NOT: ds.matmul
func.func @absorbed(%q: tensor<1x?x3x4xf32>, %r: tensor<1x?x3x2xf32>, %c: tensor<1x?x4xf32>, %p: tensor<1x?x2xf32>) -> tensor<1x3x?x4xf32> {
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %half = arith.constant dense<0.5> : tensor<f32>
  %s = tensor.dim %q, %c1 : tensor<1x?x3x4xf32>
  %t = tensor.dim %c, %c1 : tensor<1x?x4xf32>
  %s3 = arith.muli %s, %c3 : index
  %s2 = tensor.dim %r, %c1 : tensor<1x?x3x2xf32>
  %t2 = tensor.dim %p, %c1 : tensor<1x?x2xf32>
  %s32 = arith.muli %s2, %c3 : index
  %qm = ds.reshape %q[%s3] : tensor<1x?x3x4xf32> to tensor<1x?x4xf32>
  %ct = ds.transpose %c [0, 2, 1] : tensor<1x?x4xf32> to tensor<1x4x?xf32>
  %a0 = ds.matmul %qm, %ct : tensor<1x?x4xf32>, tensor<1x4x?xf32> to tensor<1x?x?xf32>
  %a = ds.reshape %a0[%s, %t] : tensor<1x?x?xf32> to tensor<1x?x3x?xf32>
  %rm = ds.reshape %r[%s32] : tensor<1x?x3x2xf32> to tensor<1x?x2xf32>
  %pt = ds.transpose %p [0, 2, 1] : tensor<1x?x2xf32> to tensor<1x2x?xf32>
  %b0 = ds.matmul %rm, %pt : tensor<1x?x2xf32>, tensor<1x2x?xf32> to tensor<1x?x?xf32>
  %b = ds.reshape %b0[%s2, %t2] : tensor<1x?x?xf32> to tensor<1x?x3x?xf32>
  %sum = ds.elementwise add %a, %b : (tensor<1x?x3x?xf32>, tensor<1x?x3x?xf32>) -> tensor<1x?x3x?xf32>
  %scaled = ds.elementwise mul %sum, %half : (tensor<1x?x3x?xf32>, tensor<f32>) -> tensor<1x?x3x?xf32>
  %scores = ds.transpose %scaled [0, 2, 1, 3] : tensor<1x?x3x?xf32> to tensor<1x3x?x?xf32>
  %prob = ds.softmax %scores 3 : tensor<1x3x?x?xf32> to tensor<1x3x?x?xf32>
  %pm = ds.reshape %prob[%s3, %t] : tensor<1x3x?x?xf32> to tensor<1x?x?xf32>
  %o = ds.matmul %pm, %c : tensor<1x?x?xf32>, tensor<1x?x4xf32> to tensor<1x?x4xf32>
  %oh = ds.reshape %o[%s] : tensor<1x?x4xf32> to tensor<1x3x?x4xf32>
  return %oh : tensor<1x3x?x4xf32>
}
