// RUN: ds-opt %s --split-input-file --ds-raise-moe --canonicalize --cse 2>%t.err | FileCheck %s --enable-var-scope
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.err

// 4 experts of width 3 in 2 groups, 2 a token, tokens of width 6.

ds.parameter @gate_up : tensor<4x6x6xf32> = [#ds.file_range<"w.bin", 0, 576>]
ds.parameter @down : tensor<4x6x3xf32> = [#ds.file_range<"w.bin", 576, 288>]
// The weights of a token's experts gathered, one product for each; groups masked
// by scatter. Gate and up lie in one tensor.
// CHECK-LABEL: func.func @gathered(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x6xf32> {{[^)]*}}, %[[L:[a-z0-9]+]]: tensor<?x4xf32>
// CHECK-DAG: %[[B:.*]] = arith.constant dense<[{{.*}}> : tensor<4xf32>
// CHECK: %[[W:.*]], %[[E:.*]], %{{.*}} = ds.route %[[L]] bias %[[B]] : tensor<4xf32> {{ *}}sigmoid top 2 groups 2 keep 1 by {{ *}}top2sum fill {{ *}}lowest normalize 0.000000e+00 scale 2.500000e+00
// CHECK: %[[Y:.*]] = ds.moe %[[X]] weights %[[W]] experts %[[E]] gate %{{.*}} up %{{.*}} down %{{.*}} : tensor<?x6xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x3x6xf32>, tensor<4x3x6xf32>, tensor<4x6x3xf32> to tensor<?x6xf32>
// CHECK-NEXT: return %[[Y]]
func.func @gathered(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.elementwise sigmoid %logits : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %t = ds.elementwise add %s, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %t3 = ds.reshape %t [%n] : tensor<?x4xf32> to tensor<?x2x2xf32>
  %gv, %gi = ds.topk %t3, %c2 2 : tensor<?x2x2xf32> to tensor<?x2x2xf32>, tensor<?x2x2xi64>
  %gs = ds.reduce sum %gv [2] : tensor<?x2x2xf32> to tensor<?x2xf32>
  %kv, %ki = ds.topk %gs, %c1 1 : tensor<?x2xf32> to tensor<?x1xf32>, tensor<?x1xi64>
  %m0 = ds.broadcast %zero [%n] : tensor<f32> to tensor<?x2xf32>
  %m1 = ds.broadcast %one [%n] : tensor<f32> to tensor<?x1xf32>
  %m2 = ds.scatter_elements none %m0, %ki, %m1 1 : tensor<?x2xf32>, tensor<?x1xi64>, tensor<?x1xf32> to tensor<?x2xf32>
  %m3 = ds.reshape %m2 [%n] : tensor<?x2xf32> to tensor<?x2x1xf32>
  %m4 = ds.broadcast %m3 [%n] : tensor<?x2x1xf32> to tensor<?x2x2xf32>
  %m5 = ds.reshape %m4 [%n] : tensor<?x2x2xf32> to tensor<?x4xf32>
  %m = ds.cast %m5 : tensor<?x4xf32> to tensor<?x4xi1>
  %out = ds.elementwise not %m : (tensor<?x4xi1>) -> tensor<?x4xi1>
  %u = ds.elementwise select %out, %low, %t : (tensor<?x4xi1>, tensor<f32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v, %e = ds.topk %u, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %r = ds.gather_elements %s, %e 1 : tensor<?x4xf32>, tensor<?x2xi64> to tensor<?x2xf32>
  %sum = ds.reduce sum %r [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %norm = ds.elementwise div %r, %sum : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %w = ds.elementwise mul %norm, %scale : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xf32>
  %gu = ds.load_parameter @gate_up : tensor<4x6x6xf32>
  %d = ds.load_parameter @down : tensor<4x6x3xf32>
  %e1 = ds.reshape %e [%n2] : tensor<?x2xi64> to tensor<?x1xi64>
  %x3 = ds.reshape %x [%n] : tensor<?x6xf32> to tensor<?x1x6xf32>
  %xb = ds.broadcast %x3 [%n] : tensor<?x1x6xf32> to tensor<?x2x6xf32>
  %xr = ds.reshape %xb [%n2] : tensor<?x2x6xf32> to tensor<?x6x1xf32>
  %wg = ds.gather_nd %gu, %e1 : tensor<4x6x6xf32>, tensor<?x1xi64> to tensor<?x6x6xf32>
  %p3 = ds.matmul %wg, %xr : tensor<?x6x6xf32>, tensor<?x6x1xf32> to tensor<?x6x1xf32>
  %p = ds.reshape %p3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %g = ds.slice %p [0, 0] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %up = ds.slice %p [0, 3] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %h = ds.swiglu %g, %up : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %h3 = ds.reshape %h [%n2] : tensor<?x3xf32> to tensor<?x3x1xf32>
  %wd = ds.gather_nd %d, %e1 : tensor<4x6x3xf32>, tensor<?x1xi64> to tensor<?x6x3xf32>
  %o3 = ds.matmul %wd, %h3 : tensor<?x6x3xf32>, tensor<?x3x1xf32> to tensor<?x6x1xf32>
  %o = ds.reshape %o3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %w1 = ds.reshape %w [%n2] : tensor<?x2xf32> to tensor<?x1xf32>
  %ow = ds.elementwise mul %o, %w1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %y3 = ds.reshape %ow [%n] : tensor<?x6xf32> to tensor<?x2x6xf32>
  %y = ds.reduce sum %y3 [1] : tensor<?x2x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate_up : tensor<4x6x6xf32> = [#ds.file_range<"w.bin", 0, 576>]
ds.parameter @down : tensor<4x6x3xf32> = [#ds.file_range<"w.bin", 576, 288>]
// Weights are what top-k gives, without bias, groups or normalisation.
// CHECK-LABEL: func.func @softmax(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x6xf32> {{[^)]*}}, %[[L:[a-z0-9]+]]: tensor<?x4xf32>
// CHECK: %[[W:.*]], %[[E:.*]], %{{.*}} = ds.route %[[L]] {{ *}}softmax top 2 groups 1 keep 1 by {{ *}}max fill {{ *}}zero scale 1.000000e+00
// CHECK: %[[Y:.*]] = ds.moe %[[X]] weights %[[W]] experts %[[E]] gate %{{.*}} up %{{.*}} down %{{.*}} : tensor<?x6xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x3x6xf32>, tensor<4x3x6xf32>, tensor<4x6x3xf32> to tensor<?x6xf32>
// CHECK-NEXT: return %[[Y]]
func.func @softmax(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %gu = ds.load_parameter @gate_up : tensor<4x6x6xf32>
  %d = ds.load_parameter @down : tensor<4x6x3xf32>
  %e1 = ds.reshape %e [%n2] : tensor<?x2xi64> to tensor<?x1xi64>
  %x3 = ds.reshape %x [%n] : tensor<?x6xf32> to tensor<?x1x6xf32>
  %xb = ds.broadcast %x3 [%n] : tensor<?x1x6xf32> to tensor<?x2x6xf32>
  %xr = ds.reshape %xb [%n2] : tensor<?x2x6xf32> to tensor<?x6x1xf32>
  %wg = ds.gather_nd %gu, %e1 : tensor<4x6x6xf32>, tensor<?x1xi64> to tensor<?x6x6xf32>
  %p3 = ds.matmul %wg, %xr : tensor<?x6x6xf32>, tensor<?x6x1xf32> to tensor<?x6x1xf32>
  %p = ds.reshape %p3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %g = ds.slice %p [0, 0] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %up = ds.slice %p [0, 3] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %h = ds.swiglu %g, %up : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %h3 = ds.reshape %h [%n2] : tensor<?x3xf32> to tensor<?x3x1xf32>
  %wd = ds.gather_nd %d, %e1 : tensor<4x6x3xf32>, tensor<?x1xi64> to tensor<?x6x3xf32>
  %o3 = ds.matmul %wd, %h3 : tensor<?x6x3xf32>, tensor<?x3x1xf32> to tensor<?x6x1xf32>
  %o = ds.reshape %o3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %w1 = ds.reshape %w [%n2] : tensor<?x2xf32> to tensor<?x1xf32>
  %ow = ds.elementwise mul %o, %w1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %y3 = ds.reshape %ow [%n] : tensor<?x6xf32> to tensor<?x2x6xf32>
  %y = ds.reduce sum %y3 [1] : tensor<?x2x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 0, 72>]
ds.parameter @up0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 80, 72>]
ds.parameter @down0 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 160, 72>]
ds.parameter @gate1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 240, 72>]
ds.parameter @up1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 320, 72>]
ds.parameter @down1 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 400, 72>]
ds.parameter @gate2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 480, 72>]
ds.parameter @up2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 560, 72>]
ds.parameter @down2 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 640, 72>]
ds.parameter @gate3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 720, 72>]
ds.parameter @up3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 800, 72>]
ds.parameter @down3 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 880, 72>]
// Every expert on all tokens, times a weight that is 0 for most; each has weights of
// its own. What is added beside them stays.
// CHECK-LABEL: func.func @one_by_one(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x6xf32> {{[^)]*}}, %[[L:[a-z0-9]+]]: tensor<?x4xf32>
// CHECK-SAME: {{[^)]*}}, %[[SH:[a-z0-9]+]]: tensor<?x6xf32>
// CHECK-DAG: %[[B:.*]] = arith.constant dense<[{{.*}}> : tensor<4xf32>
// CHECK: %[[W:.*]], %[[E:.*]], %{{.*}} = ds.route %[[L]] bias %[[B]] : tensor<4xf32> {{ *}}sigmoid top 2 groups 2 keep 1 by {{ *}}top2sum fill {{ *}}lowest normalize 0.000000e+00 scale 2.500000e+00
// CHECK: %[[Y:.*]] = ds.moe %[[X]] weights %[[W]] experts %[[E]] gate %{{.*}} up %{{.*}} down %{{.*}} : tensor<?x6xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x3x6xf32>, tensor<4x3x6xf32>, tensor<4x6x3xf32> to tensor<?x6xf32>
// CHECK-NEXT: %[[S:.*]] = ds.elementwise add %[[SH]], %[[Y]]
// CHECK-NEXT: return %[[S]]
func.func @one_by_one(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}, %shared: tensor<?x6xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.elementwise sigmoid %logits : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %t = ds.elementwise add %s, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %t3 = ds.reshape %t [%n] : tensor<?x4xf32> to tensor<?x2x2xf32>
  %gv, %gi = ds.topk %t3, %c2 2 : tensor<?x2x2xf32> to tensor<?x2x2xf32>, tensor<?x2x2xi64>
  %gs = ds.reduce sum %gv [2] : tensor<?x2x2xf32> to tensor<?x2xf32>
  %kv, %ki = ds.topk %gs, %c1 1 : tensor<?x2xf32> to tensor<?x1xf32>, tensor<?x1xi64>
  %m0 = ds.broadcast %zero [%n] : tensor<f32> to tensor<?x2xf32>
  %m1 = ds.broadcast %one [%n] : tensor<f32> to tensor<?x1xf32>
  %m2 = ds.scatter_elements none %m0, %ki, %m1 1 : tensor<?x2xf32>, tensor<?x1xi64>, tensor<?x1xf32> to tensor<?x2xf32>
  %m3 = ds.reshape %m2 [%n] : tensor<?x2xf32> to tensor<?x2x1xf32>
  %m4 = ds.broadcast %m3 [%n] : tensor<?x2x1xf32> to tensor<?x2x2xf32>
  %m5 = ds.reshape %m4 [%n] : tensor<?x2x2xf32> to tensor<?x4xf32>
  %m = ds.cast %m5 : tensor<?x4xf32> to tensor<?x4xi1>
  %out = ds.elementwise not %m : (tensor<?x4xi1>) -> tensor<?x4xi1>
  %u = ds.elementwise select %out, %low, %t : (tensor<?x4xi1>, tensor<f32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v, %e = ds.topk %u, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %r = ds.gather_elements %s, %e 1 : tensor<?x4xf32>, tensor<?x2xi64> to tensor<?x2xf32>
  %sum = ds.reduce sum %r [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %norm = ds.elementwise div %r, %sum : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %w = ds.elementwise mul %norm, %scale : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xf32>
  %wg0 = ds.load_parameter @gate0 : tensor<3x6xf32>
  %wu0 = ds.load_parameter @up0 : tensor<3x6xf32>
  %wd0 = ds.load_parameter @down0 : tensor<6x3xf32>
  %g0 = ds.linear %x, %wg0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u0 = ds.linear %x, %wu0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h0 = ds.swiglu %g0, %u0 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o0 = ds.linear %h0, %wd0 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num0 = arith.constant dense<0> : tensor<i64>
  %q0 = ds.elementwise eq %e, %num0 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f0 = ds.cast %q0 : tensor<?x2xi1> to tensor<?x2xf32>
  %a0 = ds.elementwise mul %w, %f0 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k0 = ds.reduce sum %a0 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow0 = ds.elementwise mul %o0, %k0 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s0 = ds.elementwise add %shared, %ow0 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %wg1 = ds.load_parameter @gate1 : tensor<3x6xf32>
  %wu1 = ds.load_parameter @up1 : tensor<3x6xf32>
  %wd1 = ds.load_parameter @down1 : tensor<6x3xf32>
  %g1 = ds.linear %x, %wg1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u1 = ds.linear %x, %wu1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h1 = ds.swiglu %g1, %u1 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o1 = ds.linear %h1, %wd1 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num1 = arith.constant dense<1> : tensor<i64>
  %q1 = ds.elementwise eq %e, %num1 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f1 = ds.cast %q1 : tensor<?x2xi1> to tensor<?x2xf32>
  %a1 = ds.elementwise mul %w, %f1 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k1 = ds.reduce sum %a1 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow1 = ds.elementwise mul %o1, %k1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s1 = ds.elementwise add %s0, %ow1 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %wg2 = ds.load_parameter @gate2 : tensor<3x6xf32>
  %wu2 = ds.load_parameter @up2 : tensor<3x6xf32>
  %wd2 = ds.load_parameter @down2 : tensor<6x3xf32>
  %g2 = ds.linear %x, %wg2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u2 = ds.linear %x, %wu2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h2 = ds.swiglu %g2, %u2 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o2 = ds.linear %h2, %wd2 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num2 = arith.constant dense<2> : tensor<i64>
  %q2 = ds.elementwise eq %e, %num2 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f2 = ds.cast %q2 : tensor<?x2xi1> to tensor<?x2xf32>
  %a2 = ds.elementwise mul %w, %f2 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k2 = ds.reduce sum %a2 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow2 = ds.elementwise mul %o2, %k2 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s2 = ds.elementwise add %s1, %ow2 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %wg3 = ds.load_parameter @gate3 : tensor<3x6xf32>
  %wu3 = ds.load_parameter @up3 : tensor<3x6xf32>
  %wd3 = ds.load_parameter @down3 : tensor<6x3xf32>
  %g3 = ds.linear %x, %wg3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u3 = ds.linear %x, %wu3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h3 = ds.swiglu %g3, %u3 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o3 = ds.linear %h3, %wd3 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num3 = arith.constant dense<3> : tensor<i64>
  %q3 = ds.elementwise eq %e, %num3 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f3 = ds.cast %q3 : tensor<?x2xi1> to tensor<?x2xf32>
  %a3 = ds.elementwise mul %w, %f3 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k3 = ds.reduce sum %a3 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow3 = ds.elementwise mul %o3, %k3 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s3 = ds.elementwise add %s2, %ow3 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %s3 : tensor<?x6xf32>
}

// -----

ds.parameter @gate_up : tensor<4x6x6xf32> = [#ds.file_range<"w.bin", 0, 576>]
ds.parameter @down : tensor<4x6x3xf32> = [#ds.file_range<"w.bin", 576, 288>]
// All experts in one batched product, the weights scattered to a matrix.
// CHECK-LABEL: func.func @batched(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x6xf32> {{[^)]*}}, %[[L:[a-z0-9]+]]: tensor<?x4xf32>
// CHECK: %[[W:.*]], %[[E:.*]], %{{.*}} = ds.route %[[L]] {{ *}}softmax top 2 groups 1 keep 1 by {{ *}}max fill {{ *}}zero scale 1.000000e+00
// CHECK: %[[Y:.*]] = ds.moe %[[X]] weights %[[W]] experts %[[E]] gate %{{.*}} up %{{.*}} down %{{.*}} : tensor<?x6xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x3x6xf32>, tensor<4x3x6xf32>, tensor<4x6x3xf32> to tensor<?x6xf32>
// CHECK-NEXT: return %[[Y]]
func.func @batched(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %gu = ds.load_parameter @gate_up : tensor<4x6x6xf32>
  %d = ds.load_parameter @down : tensor<4x6x3xf32>
  %m0b = ds.broadcast %zero [%n] : tensor<f32> to tensor<?x4xf32>
  %mix = ds.scatter_elements none %m0b, %e, %w 1 : tensor<?x4xf32>, tensor<?x2xi64>, tensor<?x2xf32> to tensor<?x4xf32>
  %gut = ds.transpose %gu [0, 2, 1] : tensor<4x6x6xf32> to tensor<4x6x6xf32>
  %dt = ds.transpose %d [0, 2, 1] : tensor<4x6x3xf32> to tensor<4x3x6xf32>
  %p = ds.matmul %x, %gut : tensor<?x6xf32>, tensor<4x6x6xf32> to tensor<4x?x6xf32>
  %g = ds.slice %p [0, 0, 0] [4, %n, 3] [1, 1, 1] : tensor<4x?x6xf32> to tensor<4x?x3xf32>
  %up = ds.slice %p [0, 0, 3] [4, %n, 3] [1, 1, 1] : tensor<4x?x6xf32> to tensor<4x?x3xf32>
  %h = ds.swiglu %g, %up : tensor<4x?x3xf32>, tensor<4x?x3xf32> to tensor<4x?x3xf32>
  %o = ds.matmul %h, %dt : tensor<4x?x3xf32>, tensor<4x3x6xf32> to tensor<4x?x6xf32>
  %mt = ds.transpose %mix [1, 0] : tensor<?x4xf32> to tensor<4x?xf32>
  %mc = ds.reshape %mt [%n] : tensor<4x?xf32> to tensor<4x?x1xf32>
  %ow = ds.elementwise mul %o, %mc : (tensor<4x?x6xf32>, tensor<4x?x1xf32>) -> tensor<4x?x6xf32>
  %y = ds.reduce sum %ow [0] : tensor<4x?x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 0, 72>]
ds.parameter @up0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 80, 72>]
ds.parameter @down0 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 160, 72>]
ds.parameter @gate1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 240, 72>]
ds.parameter @up1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 320, 72>]
ds.parameter @down1 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 400, 72>]
ds.parameter @gate2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 480, 72>]
ds.parameter @up2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 560, 72>]
ds.parameter @down2 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 640, 72>]
ds.parameter @gate3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 720, 72>]
ds.parameter @up3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 800, 72>]
ds.parameter @down3 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 880, 72>]
// Rows of the tokens that have an expert, added at their places.
// CHECK-LABEL: func.func @rows(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x6xf32> {{[^)]*}}, %[[L:[a-z0-9]+]]: tensor<?x4xf32>
// CHECK: %[[W:.*]], %[[E:.*]], %{{.*}} = ds.route %[[L]] {{ *}}softmax top 2 groups 1 keep 1 by {{ *}}max fill {{ *}}zero scale 1.000000e+00
// CHECK: %[[Y:.*]] = ds.moe %[[X]] weights %[[W]] experts %[[E]] gate %{{.*}} up %{{.*}} down %{{.*}} : tensor<?x6xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x3x6xf32>, tensor<4x3x6xf32>, tensor<4x6x3xf32> to tensor<?x6xf32>
// CHECK-NEXT: return %[[Y]]
func.func @rows(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %base = ds.broadcast %zero [%n] : tensor<f32> to tensor<?x6xf32>
  %num0 = arith.constant dense<0> : tensor<i64>
  %q0 = ds.elementwise eq %e, %num0 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %z0 = ds.nonzero %q0 : tensor<?x2xi1> to tensor<2x?xi64>
  %r0 = tensor.dim %z0, %c1 : tensor<2x?xi64>
  %zt0 = ds.transpose %z0 [1, 0] : tensor<2x?xi64> to tensor<?x2xi64>
  %t0 = ds.slice %zt0 [0, 0] [%r0, 1] [1, 1] : tensor<?x2xi64> to tensor<?x1xi64>
  %x0 = ds.gather_nd %x, %t0 : tensor<?x6xf32>, tensor<?x1xi64> to tensor<?x6xf32>
  %wg0 = ds.load_parameter @gate0 : tensor<3x6xf32>
  %wu0 = ds.load_parameter @up0 : tensor<3x6xf32>
  %wd0 = ds.load_parameter @down0 : tensor<6x3xf32>
  %g0 = ds.linear %x0, %wg0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u0 = ds.linear %x0, %wu0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h0 = ds.swiglu %g0, %u0 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o0 = ds.linear %h0, %wd0 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %k0 = ds.gather_nd %w, %zt0 : tensor<?x2xf32>, tensor<?x2xi64> to tensor<?xf32>
  %kc0 = ds.reshape %k0 [%r0] : tensor<?xf32> to tensor<?x1xf32>
  %ow0 = ds.elementwise mul %o0, %kc0 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s0 = ds.scatter_nd add %base, %t0, %ow0 : tensor<?x6xf32>, tensor<?x1xi64>, tensor<?x6xf32> to tensor<?x6xf32>
  %num1 = arith.constant dense<1> : tensor<i64>
  %q1 = ds.elementwise eq %e, %num1 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %z1 = ds.nonzero %q1 : tensor<?x2xi1> to tensor<2x?xi64>
  %r1 = tensor.dim %z1, %c1 : tensor<2x?xi64>
  %zt1 = ds.transpose %z1 [1, 0] : tensor<2x?xi64> to tensor<?x2xi64>
  %t1 = ds.slice %zt1 [0, 0] [%r1, 1] [1, 1] : tensor<?x2xi64> to tensor<?x1xi64>
  %x1 = ds.gather_nd %x, %t1 : tensor<?x6xf32>, tensor<?x1xi64> to tensor<?x6xf32>
  %wg1 = ds.load_parameter @gate1 : tensor<3x6xf32>
  %wu1 = ds.load_parameter @up1 : tensor<3x6xf32>
  %wd1 = ds.load_parameter @down1 : tensor<6x3xf32>
  %g1 = ds.linear %x1, %wg1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u1 = ds.linear %x1, %wu1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h1 = ds.swiglu %g1, %u1 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o1 = ds.linear %h1, %wd1 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %k1 = ds.gather_nd %w, %zt1 : tensor<?x2xf32>, tensor<?x2xi64> to tensor<?xf32>
  %kc1 = ds.reshape %k1 [%r1] : tensor<?xf32> to tensor<?x1xf32>
  %ow1 = ds.elementwise mul %o1, %kc1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s1 = ds.scatter_nd add %s0, %t1, %ow1 : tensor<?x6xf32>, tensor<?x1xi64>, tensor<?x6xf32> to tensor<?x6xf32>
  %num2 = arith.constant dense<2> : tensor<i64>
  %q2 = ds.elementwise eq %e, %num2 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %z2 = ds.nonzero %q2 : tensor<?x2xi1> to tensor<2x?xi64>
  %r2 = tensor.dim %z2, %c1 : tensor<2x?xi64>
  %zt2 = ds.transpose %z2 [1, 0] : tensor<2x?xi64> to tensor<?x2xi64>
  %t2 = ds.slice %zt2 [0, 0] [%r2, 1] [1, 1] : tensor<?x2xi64> to tensor<?x1xi64>
  %x2 = ds.gather_nd %x, %t2 : tensor<?x6xf32>, tensor<?x1xi64> to tensor<?x6xf32>
  %wg2 = ds.load_parameter @gate2 : tensor<3x6xf32>
  %wu2 = ds.load_parameter @up2 : tensor<3x6xf32>
  %wd2 = ds.load_parameter @down2 : tensor<6x3xf32>
  %g2 = ds.linear %x2, %wg2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u2 = ds.linear %x2, %wu2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h2 = ds.swiglu %g2, %u2 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o2 = ds.linear %h2, %wd2 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %k2 = ds.gather_nd %w, %zt2 : tensor<?x2xf32>, tensor<?x2xi64> to tensor<?xf32>
  %kc2 = ds.reshape %k2 [%r2] : tensor<?xf32> to tensor<?x1xf32>
  %ow2 = ds.elementwise mul %o2, %kc2 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s2 = ds.scatter_nd add %s1, %t2, %ow2 : tensor<?x6xf32>, tensor<?x1xi64>, tensor<?x6xf32> to tensor<?x6xf32>
  %num3 = arith.constant dense<3> : tensor<i64>
  %q3 = ds.elementwise eq %e, %num3 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %z3 = ds.nonzero %q3 : tensor<?x2xi1> to tensor<2x?xi64>
  %r3 = tensor.dim %z3, %c1 : tensor<2x?xi64>
  %zt3 = ds.transpose %z3 [1, 0] : tensor<2x?xi64> to tensor<?x2xi64>
  %t3 = ds.slice %zt3 [0, 0] [%r3, 1] [1, 1] : tensor<?x2xi64> to tensor<?x1xi64>
  %x3 = ds.gather_nd %x, %t3 : tensor<?x6xf32>, tensor<?x1xi64> to tensor<?x6xf32>
  %wg3 = ds.load_parameter @gate3 : tensor<3x6xf32>
  %wu3 = ds.load_parameter @up3 : tensor<3x6xf32>
  %wd3 = ds.load_parameter @down3 : tensor<6x3xf32>
  %g3 = ds.linear %x3, %wg3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u3 = ds.linear %x3, %wu3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h3 = ds.swiglu %g3, %u3 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o3 = ds.linear %h3, %wd3 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %k3 = ds.gather_nd %w, %zt3 : tensor<?x2xf32>, tensor<?x2xi64> to tensor<?xf32>
  %kc3 = ds.reshape %k3 [%r3] : tensor<?xf32> to tensor<?x1xf32>
  %ow3 = ds.elementwise mul %o3, %kc3 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s3 = ds.scatter_nd add %s2, %t3, %ow3 : tensor<?x6xf32>, tensor<?x1xi64>, tensor<?x6xf32> to tensor<?x6xf32>
  return %s3 : tensor<?x6xf32>
}

// -----

ds.parameter @gate0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 0, 72>]
ds.parameter @up0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 80, 72>]
ds.parameter @down0 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 160, 72>]
ds.parameter @gate1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 240, 72>]
ds.parameter @up1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 320, 72>]
ds.parameter @down1 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 400, 72>]
ds.parameter @gate2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 480, 72>]
ds.parameter @up2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 560, 72>]
ds.parameter @down2 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 640, 72>]
ds.parameter @gate3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 720, 72>]
ds.parameter @up3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 800, 72>]
ds.parameter @down3 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 880, 72>]
// A branch skips an expert without tokens.
// CHECK-LABEL: func.func @branches(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x6xf32> {{[^)]*}}, %[[L:[a-z0-9]+]]: tensor<?x4xf32>
// CHECK: %[[W:.*]], %[[E:.*]], %{{.*}} = ds.route %[[L]] {{ *}}softmax top 2 groups 1 keep 1 by {{ *}}max fill {{ *}}zero scale 1.000000e+00
// CHECK: %[[Y:.*]] = ds.moe %[[X]] weights %[[W]] experts %[[E]] gate %{{.*}} up %{{.*}} down %{{.*}} : tensor<?x6xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x3x6xf32>, tensor<4x3x6xf32>, tensor<4x6x3xf32> to tensor<?x6xf32>
// CHECK-NEXT: return %[[Y]]
func.func @branches(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %base = ds.broadcast %zero [%n] : tensor<f32> to tensor<?x6xf32>
  %num0 = arith.constant dense<0> : tensor<i64>
  %q0 = ds.elementwise eq %e, %num0 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f0 = ds.cast %q0 : tensor<?x2xi1> to tensor<?x2xf32>
  %a0 = ds.elementwise mul %w, %f0 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k0 = ds.reduce sum %a0 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %i0 = ds.cast %q0 : tensor<?x2xi1> to tensor<?x2xi64>
  %max0 = ds.reduce max %i0 [0, 1] : tensor<?x2xi64> to tensor<i64>
  %any0 = ds.cast %max0 : tensor<i64> to tensor<i1>
  %is0 = tensor.extract %any0[] : tensor<i1>
  %b0 = scf.if %is0 -> (tensor<?x6xf32>) {
  %wg0 = ds.load_parameter @gate0 : tensor<3x6xf32>
  %wu0 = ds.load_parameter @up0 : tensor<3x6xf32>
  %wd0 = ds.load_parameter @down0 : tensor<6x3xf32>
  %g0 = ds.linear %x, %wg0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u0 = ds.linear %x, %wu0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h0 = ds.swiglu %g0, %u0 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o0 = ds.linear %h0, %wd0 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %ow0 = ds.elementwise mul %o0, %k0 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  scf.yield %ow0 : tensor<?x6xf32>
  } else {
  scf.yield %base : tensor<?x6xf32>
  }
  %s0 = ds.elementwise add %base, %b0 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %num1 = arith.constant dense<1> : tensor<i64>
  %q1 = ds.elementwise eq %e, %num1 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f1 = ds.cast %q1 : tensor<?x2xi1> to tensor<?x2xf32>
  %a1 = ds.elementwise mul %w, %f1 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k1 = ds.reduce sum %a1 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %i1 = ds.cast %q1 : tensor<?x2xi1> to tensor<?x2xi64>
  %max1 = ds.reduce max %i1 [0, 1] : tensor<?x2xi64> to tensor<i64>
  %any1 = ds.cast %max1 : tensor<i64> to tensor<i1>
  %is1 = tensor.extract %any1[] : tensor<i1>
  %b1 = scf.if %is1 -> (tensor<?x6xf32>) {
  %wg1 = ds.load_parameter @gate1 : tensor<3x6xf32>
  %wu1 = ds.load_parameter @up1 : tensor<3x6xf32>
  %wd1 = ds.load_parameter @down1 : tensor<6x3xf32>
  %g1 = ds.linear %x, %wg1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u1 = ds.linear %x, %wu1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h1 = ds.swiglu %g1, %u1 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o1 = ds.linear %h1, %wd1 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %ow1 = ds.elementwise mul %o1, %k1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  scf.yield %ow1 : tensor<?x6xf32>
  } else {
  scf.yield %base : tensor<?x6xf32>
  }
  %s1 = ds.elementwise add %s0, %b1 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %num2 = arith.constant dense<2> : tensor<i64>
  %q2 = ds.elementwise eq %e, %num2 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f2 = ds.cast %q2 : tensor<?x2xi1> to tensor<?x2xf32>
  %a2 = ds.elementwise mul %w, %f2 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k2 = ds.reduce sum %a2 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %i2 = ds.cast %q2 : tensor<?x2xi1> to tensor<?x2xi64>
  %max2 = ds.reduce max %i2 [0, 1] : tensor<?x2xi64> to tensor<i64>
  %any2 = ds.cast %max2 : tensor<i64> to tensor<i1>
  %is2 = tensor.extract %any2[] : tensor<i1>
  %b2 = scf.if %is2 -> (tensor<?x6xf32>) {
  %wg2 = ds.load_parameter @gate2 : tensor<3x6xf32>
  %wu2 = ds.load_parameter @up2 : tensor<3x6xf32>
  %wd2 = ds.load_parameter @down2 : tensor<6x3xf32>
  %g2 = ds.linear %x, %wg2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u2 = ds.linear %x, %wu2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h2 = ds.swiglu %g2, %u2 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o2 = ds.linear %h2, %wd2 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %ow2 = ds.elementwise mul %o2, %k2 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  scf.yield %ow2 : tensor<?x6xf32>
  } else {
  scf.yield %base : tensor<?x6xf32>
  }
  %s2 = ds.elementwise add %s1, %b2 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %num3 = arith.constant dense<3> : tensor<i64>
  %q3 = ds.elementwise eq %e, %num3 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f3 = ds.cast %q3 : tensor<?x2xi1> to tensor<?x2xf32>
  %a3 = ds.elementwise mul %w, %f3 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k3 = ds.reduce sum %a3 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %i3 = ds.cast %q3 : tensor<?x2xi1> to tensor<?x2xi64>
  %max3 = ds.reduce max %i3 [0, 1] : tensor<?x2xi64> to tensor<i64>
  %any3 = ds.cast %max3 : tensor<i64> to tensor<i1>
  %is3 = tensor.extract %any3[] : tensor<i1>
  %b3 = scf.if %is3 -> (tensor<?x6xf32>) {
  %wg3 = ds.load_parameter @gate3 : tensor<3x6xf32>
  %wu3 = ds.load_parameter @up3 : tensor<3x6xf32>
  %wd3 = ds.load_parameter @down3 : tensor<6x3xf32>
  %g3 = ds.linear %x, %wg3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u3 = ds.linear %x, %wu3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h3 = ds.swiglu %g3, %u3 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o3 = ds.linear %h3, %wd3 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %ow3 = ds.elementwise mul %o3, %k3 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  scf.yield %ow3 : tensor<?x6xf32>
  } else {
  scf.yield %base : tensor<?x6xf32>
  }
  %s3 = ds.elementwise add %s2, %b3 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %s3 : tensor<?x6xf32>
}

// -----

ds.parameter @gate_up : tensor<4x6x6xf32> = [#ds.file_range<"w.bin", 0, 576>]
ds.parameter @down : tensor<4x6x3xf32> = [#ds.file_range<"w.bin", 576, 288>]
// A loop over the experts.
// CHECK-LABEL: func.func @loop(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x6xf32> {{[^)]*}}, %[[L:[a-z0-9]+]]: tensor<?x4xf32>
// CHECK-SAME: {{[^)]*}}, %[[SH:[a-z0-9]+]]: tensor<?x6xf32>
// CHECK: %[[W:.*]], %[[E:.*]], %{{.*}} = ds.route %[[L]] {{ *}}softmax top 2 groups 1 keep 1 by {{ *}}max fill {{ *}}zero scale 1.000000e+00
// CHECK: %[[Y:.*]] = ds.moe %[[X]] weights %[[W]] experts %[[E]] gate %{{.*}} up %{{.*}} down %{{.*}} : tensor<?x6xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x3x6xf32>, tensor<4x3x6xf32>, tensor<4x6x3xf32> to tensor<?x6xf32>
// CHECK-NEXT: %[[S:.*]] = ds.elementwise add %[[SH]], %[[Y]]
// CHECK-NEXT: return %[[S]]
func.func @loop(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}, %shared: tensor<?x6xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %gu = ds.load_parameter @gate_up : tensor<4x6x6xf32>
  %d = ds.load_parameter @down : tensor<4x6x3xf32>
  %c4 = arith.constant 4 : index
  %base = ds.broadcast %zero [%n] : tensor<f32> to tensor<?x6xf32>
  %end:2 = scf.while (%i = %c0, %acc = %base) : (index, tensor<?x6xf32>) -> (index, tensor<?x6xf32>) {
    %more = arith.cmpi slt, %i, %c4 : index
    scf.condition(%more) %i, %acc : index, tensor<?x6xf32>
  } do {
  ^bb0(%i: index, %acc: tensor<?x6xf32>):
    %i64 = arith.index_cast %i : index to i64
    %it = tensor.from_elements %i64 : tensor<i64>
    %q = ds.elementwise eq %e, %it : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
    %f = ds.cast %q : tensor<?x2xi1> to tensor<?x2xf32>
    %a = ds.elementwise mul %w, %f : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
    %k = ds.reduce sum %a [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
    %wg = ds.gather %gu, %it 0 : tensor<4x6x6xf32>, tensor<i64> to tensor<6x6xf32>
    %wgt = ds.transpose %wg [1, 0] : tensor<6x6xf32> to tensor<6x6xf32>
    %p = ds.matmul %x, %wgt : tensor<?x6xf32>, tensor<6x6xf32> to tensor<?x6xf32>
    %g = ds.slice %p [0, 0] [%n, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
    %up = ds.slice %p [0, 3] [%n, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
    %h = ds.swiglu %g, %up : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
    %wd = ds.gather %d, %it 0 : tensor<4x6x3xf32>, tensor<i64> to tensor<6x3xf32>
    %wdt = ds.transpose %wd [1, 0] : tensor<6x3xf32> to tensor<3x6xf32>
    %o = ds.matmul %h, %wdt : tensor<?x3xf32>, tensor<3x6xf32> to tensor<?x6xf32>
    %ow = ds.elementwise mul %o, %k : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
    %next = ds.elementwise add %acc, %ow : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
    %j = arith.addi %i, %c1 : index
    scf.yield %j, %next : index, tensor<?x6xf32>
  }
  %y = ds.elementwise add %shared, %end#1 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 0, 72>]
ds.parameter @up0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 80, 72>]
ds.parameter @down0 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 160, 72>]
ds.parameter @gate1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 240, 72>]
ds.parameter @up1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 320, 72>]
ds.parameter @down1 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 400, 72>]
ds.parameter @gate2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 480, 72>]
ds.parameter @up2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 560, 72>]
ds.parameter @down2 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 640, 72>]
ds.parameter @gate3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 720, 72>]
ds.parameter @up3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 800, 72>]
ds.parameter @down3 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 880, 72>]
// Rows sorted by expert and cut into one piece an expert.
// CHECK-LABEL: func.func @pieces(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x6xf32> {{[^)]*}}, %[[L:[a-z0-9]+]]: tensor<?x4xf32>
// CHECK: %[[W:.*]], %[[E:.*]], %{{.*}} = ds.route %[[L]] {{ *}}softmax top 2 groups 1 keep 1 by {{ *}}max fill {{ *}}zero scale 1.000000e+00
// CHECK: %[[Y:.*]] = ds.moe %[[X]] weights %[[W]] experts %[[E]] gate %{{.*}} up %{{.*}} down %{{.*}} : tensor<?x6xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x3x6xf32>, tensor<4x3x6xf32>, tensor<4x6x3xf32> to tensor<?x6xf32>
// CHECK-NEXT: return %[[Y]]
func.func @pieces(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %flat = ds.reshape %e [%n2] : tensor<?x2xi64> to tensor<?xi64>
  %ids, %perm = ds.topk %flat, %n2 0 {largest = false} : tensor<?xi64> to tensor<?xi64>, tensor<?xi64>
  %izero = arith.constant dense<0> : tensor<i64>
  %ione = arith.constant dense<1> : tensor<i64>
  %itwo = arith.constant dense<2> : tensor<i64>
  %none = arith.constant dense<0.0> : tensor<4xf32>
  %perm1 = ds.reshape %perm [%n2] : tensor<?xi64> to tensor<?x1xi64>
  %tok = ds.elementwise div %perm, %itwo : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %tok1 = ds.reshape %tok [%n2] : tensor<?xi64> to tensor<?x1xi64>
  %xs = ds.gather_nd %x, %tok1 : tensor<?x6xf32>, tensor<?x1xi64> to tensor<?x6xf32>
  %ones = ds.broadcast %one [%n2] : tensor<f32> to tensor<?xf32>
  %counts = ds.scatter_elements add %none, %ids, %ones 0 : tensor<4xf32>, tensor<?xi64>, tensor<?xf32> to tensor<4xf32>
  %icounts = ds.cast %counts : tensor<4xf32> to tensor<4xi64>
  %ends = ds.cumulative sum %icounts 0 : tensor<4xi64> to tensor<4xi64>
  %end0v = ds.slice %ends [0] [1] [1] : tensor<4xi64> to tensor<1xi64>
  %end0 = ds.reshape %end0v : tensor<1xi64> to tensor<i64>
  %l0 = tensor.extract %end0[] : tensor<i64>
  %r0 = arith.index_cast %l0 : i64 to index
  %rows0 = ds.range %izero, %ione [%r0] : tensor<i64> to tensor<?xi64>
  %x0 = ds.gather %xs, %rows0 0 : tensor<?x6xf32>, tensor<?xi64> to tensor<?x6xf32>
  %wg0 = ds.load_parameter @gate0 : tensor<3x6xf32>
  %wu0 = ds.load_parameter @up0 : tensor<3x6xf32>
  %wd0 = ds.load_parameter @down0 : tensor<6x3xf32>
  %g0 = ds.linear %x0, %wg0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u0 = ds.linear %x0, %wu0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h0 = ds.swiglu %g0, %u0 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o0 = ds.linear %h0, %wd0 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %end1v = ds.slice %ends [1] [1] [1] : tensor<4xi64> to tensor<1xi64>
  %end1 = ds.reshape %end1v : tensor<1xi64> to tensor<i64>
  %len1 = ds.elementwise sub %end1, %end0 : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %l1 = tensor.extract %len1[] : tensor<i64>
  %r1 = arith.index_cast %l1 : i64 to index
  %rows1 = ds.range %end0, %ione [%r1] : tensor<i64> to tensor<?xi64>
  %x1 = ds.gather %xs, %rows1 0 : tensor<?x6xf32>, tensor<?xi64> to tensor<?x6xf32>
  %wg1 = ds.load_parameter @gate1 : tensor<3x6xf32>
  %wu1 = ds.load_parameter @up1 : tensor<3x6xf32>
  %wd1 = ds.load_parameter @down1 : tensor<6x3xf32>
  %g1 = ds.linear %x1, %wg1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u1 = ds.linear %x1, %wu1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h1 = ds.swiglu %g1, %u1 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o1 = ds.linear %h1, %wd1 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %end2v = ds.slice %ends [2] [1] [1] : tensor<4xi64> to tensor<1xi64>
  %end2 = ds.reshape %end2v : tensor<1xi64> to tensor<i64>
  %len2 = ds.elementwise sub %end2, %end1 : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %l2 = tensor.extract %len2[] : tensor<i64>
  %r2 = arith.index_cast %l2 : i64 to index
  %rows2 = ds.range %end1, %ione [%r2] : tensor<i64> to tensor<?xi64>
  %x2 = ds.gather %xs, %rows2 0 : tensor<?x6xf32>, tensor<?xi64> to tensor<?x6xf32>
  %wg2 = ds.load_parameter @gate2 : tensor<3x6xf32>
  %wu2 = ds.load_parameter @up2 : tensor<3x6xf32>
  %wd2 = ds.load_parameter @down2 : tensor<6x3xf32>
  %g2 = ds.linear %x2, %wg2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u2 = ds.linear %x2, %wu2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h2 = ds.swiglu %g2, %u2 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o2 = ds.linear %h2, %wd2 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %end3v = ds.slice %ends [3] [1] [1] : tensor<4xi64> to tensor<1xi64>
  %end3 = ds.reshape %end3v : tensor<1xi64> to tensor<i64>
  %len3 = ds.elementwise sub %end3, %end2 : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %l3 = tensor.extract %len3[] : tensor<i64>
  %r3 = arith.index_cast %l3 : i64 to index
  %rows3 = ds.range %end2, %ione [%r3] : tensor<i64> to tensor<?xi64>
  %x3 = ds.gather %xs, %rows3 0 : tensor<?x6xf32>, tensor<?xi64> to tensor<?x6xf32>
  %wg3 = ds.load_parameter @gate3 : tensor<3x6xf32>
  %wu3 = ds.load_parameter @up3 : tensor<3x6xf32>
  %wd3 = ds.load_parameter @down3 : tensor<6x3xf32>
  %g3 = ds.linear %x3, %wg3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u3 = ds.linear %x3, %wu3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h3 = ds.swiglu %g3, %u3 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o3 = ds.linear %h3, %wd3 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %all = ds.concat 0 %o0, %o1, %o2, %o3 : (tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %w0 = ds.reshape %w [%n2] : tensor<?x2xf32> to tensor<?xf32>
  %ws = ds.gather_nd %w0, %perm1 : tensor<?xf32>, tensor<?x1xi64> to tensor<?xf32>
  %wc = ds.reshape %ws [%n2] : tensor<?xf32> to tensor<?x1xf32>
  %ow = ds.elementwise mul %all, %wc : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %inv0 = ds.broadcast %izero [%n2] : tensor<i64> to tensor<?xi64>
  %places = ds.range %izero, %ione [%n2] : tensor<i64> to tensor<?xi64>
  %inv = ds.scatter_nd none %inv0, %perm1, %places : tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64> to tensor<?xi64>
  %inv1 = ds.reshape %inv [%n2] : tensor<?xi64> to tensor<?x1xi64>
  %back = ds.gather_nd %ow, %inv1 : tensor<?x6xf32>, tensor<?x1xi64> to tensor<?x6xf32>
  %y3 = ds.reshape %back [%n] : tensor<?x6xf32> to tensor<?x2x6xf32>
  %y = ds.reduce sum %y3 [1] : tensor<?x2x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 0, 72>]
ds.parameter @up0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 80, 72>]
ds.parameter @down0 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 160, 72>]
ds.parameter @gate1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 240, 72>]
ds.parameter @up1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 320, 72>]
ds.parameter @down1 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 400, 72>]
ds.parameter @gate2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 480, 72>]
ds.parameter @up2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 560, 72>]
ds.parameter @down2 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 640, 72>]
ds.parameter @gate3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 720, 72>]
ds.parameter @up3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 800, 72>]
ds.parameter @down3 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 880, 72>]
// Poisoned: one expert's piece is longer than its count.
// CHECK-LABEL: func.func @other_pieces(
// CHECK-NOT: ds.moe
func.func @other_pieces(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %flat = ds.reshape %e [%n2] : tensor<?x2xi64> to tensor<?xi64>
  %ids, %perm = ds.topk %flat, %n2 0 {largest = false} : tensor<?xi64> to tensor<?xi64>, tensor<?xi64>
  %izero = arith.constant dense<0> : tensor<i64>
  %ione = arith.constant dense<1> : tensor<i64>
  %itwo = arith.constant dense<2> : tensor<i64>
  %none = arith.constant dense<0.0> : tensor<4xf32>
  %perm1 = ds.reshape %perm [%n2] : tensor<?xi64> to tensor<?x1xi64>
  %tok = ds.elementwise div %perm, %itwo : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %tok1 = ds.reshape %tok [%n2] : tensor<?xi64> to tensor<?x1xi64>
  %xs = ds.gather_nd %x, %tok1 : tensor<?x6xf32>, tensor<?x1xi64> to tensor<?x6xf32>
  %ones = ds.broadcast %one [%n2] : tensor<f32> to tensor<?xf32>
  %counts = ds.scatter_elements add %none, %ids, %ones 0 : tensor<4xf32>, tensor<?xi64>, tensor<?xf32> to tensor<4xf32>
  %icounts = ds.cast %counts : tensor<4xf32> to tensor<4xi64>
  %ends = ds.cumulative sum %icounts 0 : tensor<4xi64> to tensor<4xi64>
  %end0v = ds.slice %ends [0] [1] [1] : tensor<4xi64> to tensor<1xi64>
  %end0 = ds.reshape %end0v : tensor<1xi64> to tensor<i64>
  %l0 = tensor.extract %end0[] : tensor<i64>
  %r0 = arith.index_cast %l0 : i64 to index
  %rows0 = ds.range %izero, %ione [%r0] : tensor<i64> to tensor<?xi64>
  %x0 = ds.gather %xs, %rows0 0 : tensor<?x6xf32>, tensor<?xi64> to tensor<?x6xf32>
  %wg0 = ds.load_parameter @gate0 : tensor<3x6xf32>
  %wu0 = ds.load_parameter @up0 : tensor<3x6xf32>
  %wd0 = ds.load_parameter @down0 : tensor<6x3xf32>
  %g0 = ds.linear %x0, %wg0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u0 = ds.linear %x0, %wu0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h0 = ds.swiglu %g0, %u0 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o0 = ds.linear %h0, %wd0 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %end1v = ds.slice %ends [1] [1] [1] : tensor<4xi64> to tensor<1xi64>
  %end1 = ds.reshape %end1v : tensor<1xi64> to tensor<i64>
  %len1 = ds.elementwise sub %end1, %end0 : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %l1 = tensor.extract %len1[] : tensor<i64>
  %r1 = arith.index_cast %l1 : i64 to index
  %rows1 = ds.range %end0, %ione [%r1] : tensor<i64> to tensor<?xi64>
  %x1 = ds.gather %xs, %rows1 0 : tensor<?x6xf32>, tensor<?xi64> to tensor<?x6xf32>
  %wg1 = ds.load_parameter @gate1 : tensor<3x6xf32>
  %wu1 = ds.load_parameter @up1 : tensor<3x6xf32>
  %wd1 = ds.load_parameter @down1 : tensor<6x3xf32>
  %g1 = ds.linear %x1, %wg1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u1 = ds.linear %x1, %wu1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h1 = ds.swiglu %g1, %u1 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o1 = ds.linear %h1, %wd1 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %end2v = ds.slice %ends [2] [1] [1] : tensor<4xi64> to tensor<1xi64>
  %end2 = ds.reshape %end2v : tensor<1xi64> to tensor<i64>
  %len2 = ds.elementwise sub %end2, %end0 : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %l2 = tensor.extract %len2[] : tensor<i64>
  %r2 = arith.index_cast %l2 : i64 to index
  %rows2 = ds.range %end1, %ione [%r2] : tensor<i64> to tensor<?xi64>
  %x2 = ds.gather %xs, %rows2 0 : tensor<?x6xf32>, tensor<?xi64> to tensor<?x6xf32>
  %wg2 = ds.load_parameter @gate2 : tensor<3x6xf32>
  %wu2 = ds.load_parameter @up2 : tensor<3x6xf32>
  %wd2 = ds.load_parameter @down2 : tensor<6x3xf32>
  %g2 = ds.linear %x2, %wg2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u2 = ds.linear %x2, %wu2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h2 = ds.swiglu %g2, %u2 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o2 = ds.linear %h2, %wd2 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %end3v = ds.slice %ends [3] [1] [1] : tensor<4xi64> to tensor<1xi64>
  %end3 = ds.reshape %end3v : tensor<1xi64> to tensor<i64>
  %len3 = ds.elementwise sub %end3, %end2 : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %l3 = tensor.extract %len3[] : tensor<i64>
  %r3 = arith.index_cast %l3 : i64 to index
  %rows3 = ds.range %end2, %ione [%r3] : tensor<i64> to tensor<?xi64>
  %x3 = ds.gather %xs, %rows3 0 : tensor<?x6xf32>, tensor<?xi64> to tensor<?x6xf32>
  %wg3 = ds.load_parameter @gate3 : tensor<3x6xf32>
  %wu3 = ds.load_parameter @up3 : tensor<3x6xf32>
  %wd3 = ds.load_parameter @down3 : tensor<6x3xf32>
  %g3 = ds.linear %x3, %wg3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u3 = ds.linear %x3, %wu3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h3 = ds.swiglu %g3, %u3 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o3 = ds.linear %h3, %wd3 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %all = ds.concat 0 %o0, %o1, %o2, %o3 : (tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %w0 = ds.reshape %w [%n2] : tensor<?x2xf32> to tensor<?xf32>
  %ws = ds.gather_nd %w0, %perm1 : tensor<?xf32>, tensor<?x1xi64> to tensor<?xf32>
  %wc = ds.reshape %ws [%n2] : tensor<?xf32> to tensor<?x1xf32>
  %ow = ds.elementwise mul %all, %wc : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %inv0 = ds.broadcast %izero [%n2] : tensor<i64> to tensor<?xi64>
  %places = ds.range %izero, %ione [%n2] : tensor<i64> to tensor<?xi64>
  %inv = ds.scatter_nd none %inv0, %perm1, %places : tensor<?xi64>, tensor<?x1xi64>, tensor<?xi64> to tensor<?xi64>
  %inv1 = ds.reshape %inv [%n2] : tensor<?xi64> to tensor<?x1xi64>
  %back = ds.gather_nd %ow, %inv1 : tensor<?x6xf32>, tensor<?x1xi64> to tensor<?x6xf32>
  %y3 = ds.reshape %back [%n] : tensor<?x6xf32> to tensor<?x2x6xf32>
  %y = ds.reduce sum %y3 [1] : tensor<?x2x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate_up : tensor<4x6x6xf32> = [#ds.file_range<"w.bin", 0, 576>]
ds.parameter @down : tensor<4x6x3xf32> = [#ds.file_range<"w.bin", 576, 288>]
// Another activation.
// CHECK-LABEL: func.func @bilinear(
// CHECK-NOT: ds.moe
// REMARK: remark: looks like the choice of experts, but what an expert makes is no down · swiglu
func.func @bilinear(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.elementwise sigmoid %logits : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %t = ds.elementwise add %s, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %t3 = ds.reshape %t [%n] : tensor<?x4xf32> to tensor<?x2x2xf32>
  %gv, %gi = ds.topk %t3, %c2 2 : tensor<?x2x2xf32> to tensor<?x2x2xf32>, tensor<?x2x2xi64>
  %gs = ds.reduce sum %gv [2] : tensor<?x2x2xf32> to tensor<?x2xf32>
  %kv, %ki = ds.topk %gs, %c1 1 : tensor<?x2xf32> to tensor<?x1xf32>, tensor<?x1xi64>
  %m0 = ds.broadcast %zero [%n] : tensor<f32> to tensor<?x2xf32>
  %m1 = ds.broadcast %one [%n] : tensor<f32> to tensor<?x1xf32>
  %m2 = ds.scatter_elements none %m0, %ki, %m1 1 : tensor<?x2xf32>, tensor<?x1xi64>, tensor<?x1xf32> to tensor<?x2xf32>
  %m3 = ds.reshape %m2 [%n] : tensor<?x2xf32> to tensor<?x2x1xf32>
  %m4 = ds.broadcast %m3 [%n] : tensor<?x2x1xf32> to tensor<?x2x2xf32>
  %m5 = ds.reshape %m4 [%n] : tensor<?x2x2xf32> to tensor<?x4xf32>
  %m = ds.cast %m5 : tensor<?x4xf32> to tensor<?x4xi1>
  %out = ds.elementwise not %m : (tensor<?x4xi1>) -> tensor<?x4xi1>
  %u = ds.elementwise select %out, %low, %t : (tensor<?x4xi1>, tensor<f32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v, %e = ds.topk %u, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %r = ds.gather_elements %s, %e 1 : tensor<?x4xf32>, tensor<?x2xi64> to tensor<?x2xf32>
  %sum = ds.reduce sum %r [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %norm = ds.elementwise div %r, %sum : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %w = ds.elementwise mul %norm, %scale : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xf32>
  %gu = ds.load_parameter @gate_up : tensor<4x6x6xf32>
  %d = ds.load_parameter @down : tensor<4x6x3xf32>
  %e1 = ds.reshape %e [%n2] : tensor<?x2xi64> to tensor<?x1xi64>
  %x3 = ds.reshape %x [%n] : tensor<?x6xf32> to tensor<?x1x6xf32>
  %xb = ds.broadcast %x3 [%n] : tensor<?x1x6xf32> to tensor<?x2x6xf32>
  %xr = ds.reshape %xb [%n2] : tensor<?x2x6xf32> to tensor<?x6x1xf32>
  %wg = ds.gather_nd %gu, %e1 : tensor<4x6x6xf32>, tensor<?x1xi64> to tensor<?x6x6xf32>
  %p3 = ds.matmul %wg, %xr : tensor<?x6x6xf32>, tensor<?x6x1xf32> to tensor<?x6x1xf32>
  %p = ds.reshape %p3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %g = ds.slice %p [0, 0] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %up = ds.slice %p [0, 3] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %h = ds.elementwise mul %g, %up : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  %h3 = ds.reshape %h [%n2] : tensor<?x3xf32> to tensor<?x3x1xf32>
  %wd = ds.gather_nd %d, %e1 : tensor<4x6x3xf32>, tensor<?x1xi64> to tensor<?x6x3xf32>
  %o3 = ds.matmul %wd, %h3 : tensor<?x6x3xf32>, tensor<?x3x1xf32> to tensor<?x6x1xf32>
  %o = ds.reshape %o3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %w1 = ds.reshape %w [%n2] : tensor<?x2xf32> to tensor<?x1xf32>
  %ow = ds.elementwise mul %o, %w1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %y3 = ds.reshape %ow [%n] : tensor<?x6xf32> to tensor<?x2x6xf32>
  %y = ds.reduce sum %y3 [1] : tensor<?x2x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate_up : tensor<4x6x6xf32> = [#ds.file_range<"w.bin", 0, 576>]
ds.parameter @down : tensor<4x6x3xf32> = [#ds.file_range<"w.bin", 576, 288>]
// Poisoned: the bias weighs.
// CHECK-LABEL: func.func @biased(
// CHECK-NOT: ds.moe
// REMARK: remark: looks like the choice of experts, but the weight of an expert is not its score without bias
func.func @biased(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.elementwise sigmoid %logits : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %t = ds.elementwise add %s, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %t3 = ds.reshape %t [%n] : tensor<?x4xf32> to tensor<?x2x2xf32>
  %gv, %gi = ds.topk %t3, %c2 2 : tensor<?x2x2xf32> to tensor<?x2x2xf32>, tensor<?x2x2xi64>
  %gs = ds.reduce sum %gv [2] : tensor<?x2x2xf32> to tensor<?x2xf32>
  %kv, %ki = ds.topk %gs, %c1 1 : tensor<?x2xf32> to tensor<?x1xf32>, tensor<?x1xi64>
  %m0 = ds.broadcast %zero [%n] : tensor<f32> to tensor<?x2xf32>
  %m1 = ds.broadcast %one [%n] : tensor<f32> to tensor<?x1xf32>
  %m2 = ds.scatter_elements none %m0, %ki, %m1 1 : tensor<?x2xf32>, tensor<?x1xi64>, tensor<?x1xf32> to tensor<?x2xf32>
  %m3 = ds.reshape %m2 [%n] : tensor<?x2xf32> to tensor<?x2x1xf32>
  %m4 = ds.broadcast %m3 [%n] : tensor<?x2x1xf32> to tensor<?x2x2xf32>
  %m5 = ds.reshape %m4 [%n] : tensor<?x2x2xf32> to tensor<?x4xf32>
  %m = ds.cast %m5 : tensor<?x4xf32> to tensor<?x4xi1>
  %out = ds.elementwise not %m : (tensor<?x4xi1>) -> tensor<?x4xi1>
  %u = ds.elementwise select %out, %low, %t : (tensor<?x4xi1>, tensor<f32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v, %e = ds.topk %u, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %r = ds.gather_elements %t, %e 1 : tensor<?x4xf32>, tensor<?x2xi64> to tensor<?x2xf32>
  %sum = ds.reduce sum %r [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %norm = ds.elementwise div %r, %sum : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %w = ds.elementwise mul %norm, %scale : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xf32>
  %gu = ds.load_parameter @gate_up : tensor<4x6x6xf32>
  %d = ds.load_parameter @down : tensor<4x6x3xf32>
  %e1 = ds.reshape %e [%n2] : tensor<?x2xi64> to tensor<?x1xi64>
  %x3 = ds.reshape %x [%n] : tensor<?x6xf32> to tensor<?x1x6xf32>
  %xb = ds.broadcast %x3 [%n] : tensor<?x1x6xf32> to tensor<?x2x6xf32>
  %xr = ds.reshape %xb [%n2] : tensor<?x2x6xf32> to tensor<?x6x1xf32>
  %wg = ds.gather_nd %gu, %e1 : tensor<4x6x6xf32>, tensor<?x1xi64> to tensor<?x6x6xf32>
  %p3 = ds.matmul %wg, %xr : tensor<?x6x6xf32>, tensor<?x6x1xf32> to tensor<?x6x1xf32>
  %p = ds.reshape %p3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %g = ds.slice %p [0, 0] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %up = ds.slice %p [0, 3] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %h = ds.swiglu %g, %up : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %h3 = ds.reshape %h [%n2] : tensor<?x3xf32> to tensor<?x3x1xf32>
  %wd = ds.gather_nd %d, %e1 : tensor<4x6x3xf32>, tensor<?x1xi64> to tensor<?x6x3xf32>
  %o3 = ds.matmul %wd, %h3 : tensor<?x6x3xf32>, tensor<?x3x1xf32> to tensor<?x6x1xf32>
  %o = ds.reshape %o3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %w1 = ds.reshape %w [%n2] : tensor<?x2xf32> to tensor<?x1xf32>
  %ow = ds.elementwise mul %o, %w1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %y3 = ds.reshape %ow [%n] : tensor<?x6xf32> to tensor<?x2x6xf32>
  %y = ds.reduce sum %y3 [1] : tensor<?x2x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate_up : tensor<4x6x6xf32> = [#ds.file_range<"w.bin", 0, 576>]
ds.parameter @down : tensor<4x6x3xf32> = [#ds.file_range<"w.bin", 576, 288>]
// Poisoned: groups are chosen with the bias, experts without it.
// CHECK-LABEL: func.func @other_ranking(
// CHECK-NOT: ds.moe
// REMARK: remark: looks like the choice of experts, but what experts are chosen by is no score of ds.route
func.func @other_ranking(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.elementwise sigmoid %logits : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %t = ds.elementwise add %s, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %t3 = ds.reshape %t [%n] : tensor<?x4xf32> to tensor<?x2x2xf32>
  %gv, %gi = ds.topk %t3, %c2 2 : tensor<?x2x2xf32> to tensor<?x2x2xf32>, tensor<?x2x2xi64>
  %gs = ds.reduce sum %gv [2] : tensor<?x2x2xf32> to tensor<?x2xf32>
  %kv, %ki = ds.topk %gs, %c1 1 : tensor<?x2xf32> to tensor<?x1xf32>, tensor<?x1xi64>
  %m0 = ds.broadcast %zero [%n] : tensor<f32> to tensor<?x2xf32>
  %m1 = ds.broadcast %one [%n] : tensor<f32> to tensor<?x1xf32>
  %m2 = ds.scatter_elements none %m0, %ki, %m1 1 : tensor<?x2xf32>, tensor<?x1xi64>, tensor<?x1xf32> to tensor<?x2xf32>
  %m3 = ds.reshape %m2 [%n] : tensor<?x2xf32> to tensor<?x2x1xf32>
  %m4 = ds.broadcast %m3 [%n] : tensor<?x2x1xf32> to tensor<?x2x2xf32>
  %m5 = ds.reshape %m4 [%n] : tensor<?x2x2xf32> to tensor<?x4xf32>
  %m = ds.cast %m5 : tensor<?x4xf32> to tensor<?x4xi1>
  %out = ds.elementwise not %m : (tensor<?x4xi1>) -> tensor<?x4xi1>
  %u = ds.elementwise select %out, %low, %s : (tensor<?x4xi1>, tensor<f32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v, %e = ds.topk %u, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %r = ds.gather_elements %s, %e 1 : tensor<?x4xf32>, tensor<?x2xi64> to tensor<?x2xf32>
  %sum = ds.reduce sum %r [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %norm = ds.elementwise div %r, %sum : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %w = ds.elementwise mul %norm, %scale : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xf32>
  %gu = ds.load_parameter @gate_up : tensor<4x6x6xf32>
  %d = ds.load_parameter @down : tensor<4x6x3xf32>
  %e1 = ds.reshape %e [%n2] : tensor<?x2xi64> to tensor<?x1xi64>
  %x3 = ds.reshape %x [%n] : tensor<?x6xf32> to tensor<?x1x6xf32>
  %xb = ds.broadcast %x3 [%n] : tensor<?x1x6xf32> to tensor<?x2x6xf32>
  %xr = ds.reshape %xb [%n2] : tensor<?x2x6xf32> to tensor<?x6x1xf32>
  %wg = ds.gather_nd %gu, %e1 : tensor<4x6x6xf32>, tensor<?x1xi64> to tensor<?x6x6xf32>
  %p3 = ds.matmul %wg, %xr : tensor<?x6x6xf32>, tensor<?x6x1xf32> to tensor<?x6x1xf32>
  %p = ds.reshape %p3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %g = ds.slice %p [0, 0] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %up = ds.slice %p [0, 3] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %h = ds.swiglu %g, %up : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %h3 = ds.reshape %h [%n2] : tensor<?x3xf32> to tensor<?x3x1xf32>
  %wd = ds.gather_nd %d, %e1 : tensor<4x6x3xf32>, tensor<?x1xi64> to tensor<?x6x3xf32>
  %o3 = ds.matmul %wd, %h3 : tensor<?x6x3xf32>, tensor<?x3x1xf32> to tensor<?x6x1xf32>
  %o = ds.reshape %o3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %w1 = ds.reshape %w [%n2] : tensor<?x2xf32> to tensor<?x1xf32>
  %ow = ds.elementwise mul %o, %w1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %y3 = ds.reshape %ow [%n] : tensor<?x6xf32> to tensor<?x2x6xf32>
  %y = ds.reduce sum %y3 [1] : tensor<?x2x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate_up : tensor<4x6x6xf32> = [#ds.file_range<"w.bin", 0, 576>]
ds.parameter @down : tensor<4x6x3xf32> = [#ds.file_range<"w.bin", 576, 288>]
// Poisoned: experts are chosen by other logits than weigh them.
// CHECK-LABEL: func.func @other_scores(
// CHECK-NOT: ds.moe
// REMARK: remark: looks like the choice of experts, but the weight of an expert is not its score without bias
func.func @other_scores(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}, %other: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %other 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %v, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %s2 = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w = ds.gather_elements %s2, %e 1 : tensor<?x4xf32>, tensor<?x2xi64> to tensor<?x2xf32>
  %gu = ds.load_parameter @gate_up : tensor<4x6x6xf32>
  %d = ds.load_parameter @down : tensor<4x6x3xf32>
  %e1 = ds.reshape %e [%n2] : tensor<?x2xi64> to tensor<?x1xi64>
  %x3 = ds.reshape %x [%n] : tensor<?x6xf32> to tensor<?x1x6xf32>
  %xb = ds.broadcast %x3 [%n] : tensor<?x1x6xf32> to tensor<?x2x6xf32>
  %xr = ds.reshape %xb [%n2] : tensor<?x2x6xf32> to tensor<?x6x1xf32>
  %wg = ds.gather_nd %gu, %e1 : tensor<4x6x6xf32>, tensor<?x1xi64> to tensor<?x6x6xf32>
  %p3 = ds.matmul %wg, %xr : tensor<?x6x6xf32>, tensor<?x6x1xf32> to tensor<?x6x1xf32>
  %p = ds.reshape %p3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %g = ds.slice %p [0, 0] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %up = ds.slice %p [0, 3] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %h = ds.swiglu %g, %up : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %h3 = ds.reshape %h [%n2] : tensor<?x3xf32> to tensor<?x3x1xf32>
  %wd = ds.gather_nd %d, %e1 : tensor<4x6x3xf32>, tensor<?x1xi64> to tensor<?x6x3xf32>
  %o3 = ds.matmul %wd, %h3 : tensor<?x6x3xf32>, tensor<?x3x1xf32> to tensor<?x6x1xf32>
  %o = ds.reshape %o3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %w1 = ds.reshape %w [%n2] : tensor<?x2xf32> to tensor<?x1xf32>
  %ow = ds.elementwise mul %o, %w1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %y3 = ds.reshape %ow [%n] : tensor<?x6xf32> to tensor<?x2x6xf32>
  %y = ds.reduce sum %y3 [1] : tensor<?x2x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate_up : tensor<4x6x6xf32> = [#ds.file_range<"w.bin", 0, 576>]
ds.parameter @down : tensor<4x6x3xf32> = [#ds.file_range<"w.bin", 576, 288>]
// Poisoned: the best expert alone, with a weight of two. The order of the slots
// matters here.
// CHECK-LABEL: func.func @one_slot(
// CHECK-NOT: ds.moe
// REMARK: remark: looks like the choice of experts, but not all slots of a token are summed
func.func @one_slot(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %gu = ds.load_parameter @gate_up : tensor<4x6x6xf32>
  %d = ds.load_parameter @down : tensor<4x6x3xf32>
  %e1 = ds.reshape %e [%n2] : tensor<?x2xi64> to tensor<?x1xi64>
  %x3 = ds.reshape %x [%n] : tensor<?x6xf32> to tensor<?x1x6xf32>
  %xb = ds.broadcast %x3 [%n] : tensor<?x1x6xf32> to tensor<?x2x6xf32>
  %xr = ds.reshape %xb [%n2] : tensor<?x2x6xf32> to tensor<?x6x1xf32>
  %wg = ds.gather_nd %gu, %e1 : tensor<4x6x6xf32>, tensor<?x1xi64> to tensor<?x6x6xf32>
  %p3 = ds.matmul %wg, %xr : tensor<?x6x6xf32>, tensor<?x6x1xf32> to tensor<?x6x1xf32>
  %p = ds.reshape %p3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %g = ds.slice %p [0, 0] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %up = ds.slice %p [0, 3] [%n2, 3] [1, 1] : tensor<?x6xf32> to tensor<?x3xf32>
  %h = ds.swiglu %g, %up : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %h3 = ds.reshape %h [%n2] : tensor<?x3xf32> to tensor<?x3x1xf32>
  %wd = ds.gather_nd %d, %e1 : tensor<4x6x3xf32>, tensor<?x1xi64> to tensor<?x6x3xf32>
  %o3 = ds.matmul %wd, %h3 : tensor<?x6x3xf32>, tensor<?x3x1xf32> to tensor<?x6x1xf32>
  %o = ds.reshape %o3 [%n2] : tensor<?x6x1xf32> to tensor<?x6xf32>
  %w1 = ds.reshape %w [%n2] : tensor<?x2xf32> to tensor<?x1xf32>
  %ow = ds.elementwise mul %o, %w1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %y3 = ds.reshape %ow [%n] : tensor<?x6xf32> to tensor<?x2x6xf32>
  %y0 = ds.slice %y3 [0, 0, 0] [%n, 1, 6] [1, 1, 1] : tensor<?x2x6xf32> to tensor<?x1x6xf32>
  %y = ds.reshape %y0 [%n] : tensor<?x1x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

ds.parameter @gate0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 0, 72>]
ds.parameter @up0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 80, 72>]
ds.parameter @down0 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 160, 72>]
ds.parameter @gate1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 240, 72>]
ds.parameter @up1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 320, 72>]
ds.parameter @down1 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 400, 72>]
ds.parameter @gate2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 480, 72>]
ds.parameter @up2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 560, 72>]
ds.parameter @down2 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 640, 72>]
ds.parameter @gate3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 720, 72>]
ds.parameter @up3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 800, 72>]
ds.parameter @down3 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 880, 72>]
// Routing of a traced input: an expert is missing.
// CHECK-LABEL: func.func @baked(
// CHECK-NOT: ds.moe
// REMARK: remark: looks like the choice of experts, but 3 of the 4 experts that the router knows are there
func.func @baked(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}, %shared: tensor<?x6xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %wg0 = ds.load_parameter @gate0 : tensor<3x6xf32>
  %wu0 = ds.load_parameter @up0 : tensor<3x6xf32>
  %wd0 = ds.load_parameter @down0 : tensor<6x3xf32>
  %g0 = ds.linear %x, %wg0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u0 = ds.linear %x, %wu0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h0 = ds.swiglu %g0, %u0 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o0 = ds.linear %h0, %wd0 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num0 = arith.constant dense<0> : tensor<i64>
  %q0 = ds.elementwise eq %e, %num0 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f0 = ds.cast %q0 : tensor<?x2xi1> to tensor<?x2xf32>
  %a0 = ds.elementwise mul %w, %f0 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k0 = ds.reduce sum %a0 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow0 = ds.elementwise mul %o0, %k0 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s0 = ds.elementwise add %shared, %ow0 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %wg1 = ds.load_parameter @gate1 : tensor<3x6xf32>
  %wu1 = ds.load_parameter @up1 : tensor<3x6xf32>
  %wd1 = ds.load_parameter @down1 : tensor<6x3xf32>
  %g1 = ds.linear %x, %wg1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u1 = ds.linear %x, %wu1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h1 = ds.swiglu %g1, %u1 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o1 = ds.linear %h1, %wd1 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num1 = arith.constant dense<1> : tensor<i64>
  %q1 = ds.elementwise eq %e, %num1 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f1 = ds.cast %q1 : tensor<?x2xi1> to tensor<?x2xf32>
  %a1 = ds.elementwise mul %w, %f1 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k1 = ds.reduce sum %a1 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow1 = ds.elementwise mul %o1, %k1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s1 = ds.elementwise add %s0, %ow1 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %wg3 = ds.load_parameter @gate3 : tensor<3x6xf32>
  %wu3 = ds.load_parameter @up3 : tensor<3x6xf32>
  %wd3 = ds.load_parameter @down3 : tensor<6x3xf32>
  %g3 = ds.linear %x, %wg3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u3 = ds.linear %x, %wu3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h3 = ds.swiglu %g3, %u3 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o3 = ds.linear %h3, %wd3 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num3 = arith.constant dense<3> : tensor<i64>
  %q3 = ds.elementwise eq %e, %num3 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f3 = ds.cast %q3 : tensor<?x2xi1> to tensor<?x2xf32>
  %a3 = ds.elementwise mul %w, %f3 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k3 = ds.reduce sum %a3 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow3 = ds.elementwise mul %o3, %k3 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s3 = ds.elementwise add %s1, %ow3 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %s3 : tensor<?x6xf32>
}

// -----

ds.parameter @gate0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 0, 72>]
ds.parameter @up0 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 80, 72>]
ds.parameter @down0 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 160, 72>]
ds.parameter @gate1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 240, 72>]
ds.parameter @up1 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 320, 72>]
ds.parameter @down1 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 400, 72>]
ds.parameter @gate2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 480, 72>]
ds.parameter @up2 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 560, 72>]
ds.parameter @down2 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 640, 72>]
ds.parameter @gate3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 720, 72>]
ds.parameter @up3 : tensor<3x6xf32> = [#ds.file_range<"w.bin", 800, 72>]
ds.parameter @down3 : tensor<6x3xf32> = [#ds.file_range<"w.bin", 880, 72>]
// Poisoned: the tokens of an expert go to another too.
// CHECK-LABEL: func.func @twice(
// CHECK-NOT: ds.moe
// REMARK: remark: looks like the choice of experts, but 3 of the 4 experts that the router knows are there
func.func @twice(%x: tensor<?x6xf32> {ds.dims = ["n", ""]}, %logits: tensor<?x4xf32> {ds.dims = ["n", ""]}, %shared: tensor<?x6xf32> {ds.dims = ["n", ""]}) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n2 = arith.muli %n, %c2 : index
  %zero = arith.constant dense<0.0> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %scale = arith.constant dense<2.5> : tensor<f32>
  %b = arith.constant dense<[0.1, -0.2, 0.3, 0.0]> : tensor<4xf32>
  %s = ds.softmax %logits 1 : tensor<?x4xf32> to tensor<?x4xf32>
  %w, %e = ds.topk %s, %c2 1 : tensor<?x4xf32> to tensor<?x2xf32>, tensor<?x2xi64>
  %wg0 = ds.load_parameter @gate0 : tensor<3x6xf32>
  %wu0 = ds.load_parameter @up0 : tensor<3x6xf32>
  %wd0 = ds.load_parameter @down0 : tensor<6x3xf32>
  %g0 = ds.linear %x, %wg0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u0 = ds.linear %x, %wu0 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h0 = ds.swiglu %g0, %u0 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o0 = ds.linear %h0, %wd0 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num0 = arith.constant dense<0> : tensor<i64>
  %q0 = ds.elementwise eq %e, %num0 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f0 = ds.cast %q0 : tensor<?x2xi1> to tensor<?x2xf32>
  %a0 = ds.elementwise mul %w, %f0 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k0 = ds.reduce sum %a0 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow0 = ds.elementwise mul %o0, %k0 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s0 = ds.elementwise add %shared, %ow0 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %wg1 = ds.load_parameter @gate1 : tensor<3x6xf32>
  %wu1 = ds.load_parameter @up1 : tensor<3x6xf32>
  %wd1 = ds.load_parameter @down1 : tensor<6x3xf32>
  %g1 = ds.linear %x, %wg1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u1 = ds.linear %x, %wu1 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h1 = ds.swiglu %g1, %u1 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o1 = ds.linear %h1, %wd1 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num1 = arith.constant dense<1> : tensor<i64>
  %q1 = ds.elementwise eq %e, %num1 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f1 = ds.cast %q1 : tensor<?x2xi1> to tensor<?x2xf32>
  %a1 = ds.elementwise mul %w, %f1 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k1 = ds.reduce sum %a1 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow1 = ds.elementwise mul %o1, %k1 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s1 = ds.elementwise add %s0, %ow1 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %wg2 = ds.load_parameter @gate2 : tensor<3x6xf32>
  %wu2 = ds.load_parameter @up2 : tensor<3x6xf32>
  %wd2 = ds.load_parameter @down2 : tensor<6x3xf32>
  %g2 = ds.linear %x, %wg2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u2 = ds.linear %x, %wu2 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h2 = ds.swiglu %g2, %u2 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o2 = ds.linear %h2, %wd2 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num2 = arith.constant dense<1> : tensor<i64>
  %q2 = ds.elementwise eq %e, %num2 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f2 = ds.cast %q2 : tensor<?x2xi1> to tensor<?x2xf32>
  %a2 = ds.elementwise mul %w, %f2 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k2 = ds.reduce sum %a2 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow2 = ds.elementwise mul %o2, %k2 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s2 = ds.elementwise add %s1, %ow2 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %wg3 = ds.load_parameter @gate3 : tensor<3x6xf32>
  %wu3 = ds.load_parameter @up3 : tensor<3x6xf32>
  %wd3 = ds.load_parameter @down3 : tensor<6x3xf32>
  %g3 = ds.linear %x, %wg3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %u3 = ds.linear %x, %wu3 : tensor<?x6xf32>, tensor<3x6xf32> to tensor<?x3xf32>
  %h3 = ds.swiglu %g3, %u3 : tensor<?x3xf32>, tensor<?x3xf32> to tensor<?x3xf32>
  %o3 = ds.linear %h3, %wd3 : tensor<?x3xf32>, tensor<6x3xf32> to tensor<?x6xf32>
  %num3 = arith.constant dense<3> : tensor<i64>
  %q3 = ds.elementwise eq %e, %num3 : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %f3 = ds.cast %q3 : tensor<?x2xi1> to tensor<?x2xf32>
  %a3 = ds.elementwise mul %w, %f3 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %k3 = ds.reduce sum %a3 [1] keepdims : tensor<?x2xf32> to tensor<?x1xf32>
  %ow3 = ds.elementwise mul %o3, %k3 : (tensor<?x6xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  %s3 = ds.elementwise add %s2, %ow3 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %s3 : tensor<?x6xf32>
}
