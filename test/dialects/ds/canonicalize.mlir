// RUN: ds-opt %s -canonicalize -split-input-file | FileCheck %s

// Each fold and each pattern: where it happens, and beside it where it must
// not because a bit or a size could change.

// CHECK-LABEL: func.func @neutral(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[I:.*]]: tensor<4xi32>, %[[B:.*]]: tensor<4xi1>)
func.func @neutral(%x: tensor<4xf32>, %i: tensor<4xi32>, %b: tensor<4xi1>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi1>, tensor<4xi1>) {
  %one = arith.constant dense<1.0> : tensor<f32>
  %minus0 = arith.constant dense<-0.0> : tensor<1xf32>
  %plus0 = arith.constant dense<0.0> : tensor<f32>
  %zero = arith.constant dense<0> : tensor<i32>
  %true = arith.constant dense<true> : tensor<4xi1>
  %0 = ds.elementwise mul %one, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = ds.elementwise div %x, %one : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %2 = ds.elementwise add %x, %minus0 : (tensor<4xf32>, tensor<1xf32>) -> tensor<4xf32>
  %3 = ds.elementwise sub %x, %plus0 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %4 = ds.elementwise add %zero, %i : (tensor<i32>, tensor<4xi32>) -> tensor<4xi32>
  %5 = ds.elementwise shl %i, %zero : (tensor<4xi32>, tensor<i32>) -> tensor<4xi32>
  %6 = ds.elementwise and %true, %b : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  %n = ds.elementwise not %b : (tensor<4xi1>) -> tensor<4xi1>
  %7 = ds.elementwise not %n : (tensor<4xi1>) -> tensor<4xi1>
  // CHECK-NEXT: return %[[X]], %[[X]], %[[X]], %[[X]], %[[I]], %[[I]], %[[B]], %[[B]]
  return %0, %1, %2, %3, %4, %5, %6, %7
    : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi1>, tensor<4xi1>
}

// -----

// CHECK-LABEL: func.func @not_neutral(
func.func @not_neutral(%x: tensor<4xf32>, %s: tensor<f32>, %i: tensor<4xi32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>) {
  %one = arith.constant dense<1.0> : tensor<f32>
  %ones = arith.constant dense<1.0> : tensor<4xf32>
  %minus0 = arith.constant dense<-0.0> : tensor<f32>
  %plus0 = arith.constant dense<0.0> : tensor<f32>
  %zero = arith.constant dense<0> : tensor<i32>
  // −0.0 + 0.0 is 0.0.
  // CHECK: ds.elementwise add
  %0 = ds.elementwise add %x, %plus0 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // 0.0 − −0.0 is 0.0, −0.0 − −0.0 too.
  // CHECK: ds.elementwise sub
  %1 = ds.elementwise sub %x, %minus0 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK: ds.elementwise div
  %2 = ds.elementwise div %one, %x : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  // NaN · 0 is NaN.
  // CHECK: ds.elementwise mul
  %3 = ds.elementwise mul %x, %plus0 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // The operand repeats: it is not the result.
  // CHECK: ds.elementwise mul %{{.*}} : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  %4 = ds.elementwise mul %s, %ones : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: ds.elementwise sub
  %5 = ds.elementwise sub %zero, %i : (tensor<i32>, tensor<4xi32>) -> tensor<4xi32>
  return %0, %1, %2, %3, %4, %5 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>
}

// -----

// CHECK-LABEL: func.func @select(
// CHECK-SAME: %[[C:.*]]: tensor<4xi1>, %[[X:.*]]: tensor<4xf32>, %[[Y:.*]]: tensor<f32>)
func.func @select(%c: tensor<4xi1>, %x: tensor<4xf32>, %y: tensor<f32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %true = arith.constant dense<true> : tensor<i1>
  %false = arith.constant dense<false> : tensor<i1>
  %0 = ds.elementwise select %true, %x, %y : (tensor<i1>, tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = ds.elementwise select %c, %x, %x : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // What is chosen repeats.
  // CHECK: %[[S:.*]] = ds.elementwise select
  %2 = ds.elementwise select %false, %x, %y : (tensor<i1>, tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK: return %[[X]], %[[X]], %[[S]]
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @casts(
// CHECK-SAME: %[[X:.*]]: tensor<4xf16>, %[[I:.*]]: tensor<4xui8>, %[[F:.*]]: tensor<4xf32>)
func.func @casts(%x: tensor<4xf16>, %i: tensor<4xui8>, %f: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf16>, tensor<4xbf16>, tensor<4xi64>, tensor<4xf32>) {
  %0 = ds.cast %f : tensor<4xf32> to tensor<4xf32>
  %w = ds.cast %x : tensor<4xf16> to tensor<4xf32>
  %1 = ds.cast %w : tensor<4xf32> to tensor<4xf16>
  // CHECK: %[[A:.*]] = ds.cast %[[X]] : tensor<4xf16> to tensor<4xbf16>
  %2 = ds.cast %w : tensor<4xf32> to tensor<4xbf16>
  // CHECK: %[[B:.*]] = ds.cast %[[I]] : tensor<4xui8> to tensor<4xi64>
  %j = ds.cast %i : tensor<4xui8> to tensor<4xi16>
  %3 = ds.cast %j : tensor<4xi16> to tensor<4xi64>
  // CHECK: %[[C:.*]] = ds.cast %[[I]] : tensor<4xui8> to tensor<4xf32>
  %4 = ds.cast %j : tensor<4xi16> to tensor<4xf32>
  // CHECK: return %[[F]], %[[X]], %[[A]], %[[B]], %[[C]]
  return %0, %1, %2, %3, %4 : tensor<4xf32>, tensor<4xf16>, tensor<4xbf16>, tensor<4xi64>, tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @casts_that_round(
func.func @casts_that_round(%x: tensor<4xf32>, %i: tensor<4xi32>, %u: tensor<4xui8>)
    -> (tensor<4xf32>, tensor<4xi32>, tensor<4xi64>, tensor<4xf8E4M3FN>) {
  // CHECK: %[[H:.*]] = ds.cast %{{.*}} : tensor<4xf32> to tensor<4xf16>
  // CHECK: ds.cast %[[H]]
  %h = ds.cast %x : tensor<4xf32> to tensor<4xf16>
  %0 = ds.cast %h : tensor<4xf16> to tensor<4xf32>
  // i32 has more digits than f32.
  // CHECK: %[[F:.*]] = ds.cast %{{.*}} : tensor<4xi32> to tensor<4xf32>
  // CHECK: ds.cast %[[F]]
  %f = ds.cast %i : tensor<4xi32> to tensor<4xf32>
  %1 = ds.cast %f : tensor<4xf32> to tensor<4xi32>
  // 200 becomes −56.
  // CHECK: %[[S:.*]] = ds.cast %{{.*}} : tensor<4xui8> to tensor<4xi8>
  // CHECK: ds.cast %[[S]]
  %s = ds.cast %u : tensor<4xui8> to tensor<4xi8>
  %2 = ds.cast %s : tensor<4xi8> to tensor<4xi64>
  // CHECK: %[[W:.*]] = ds.cast %{{.*}} : tensor<4xui8> to tensor<4xf32>
  // CHECK: ds.cast %[[W]]
  %w = ds.cast %u : tensor<4xui8> to tensor<4xf32>
  %3 = ds.cast %w : tensor<4xf32> to tensor<4xf8E4M3FN>
  return %0, %1, %2, %3 : tensor<4xf32>, tensor<4xi32>, tensor<4xi64>, tensor<4xf8E4M3FN>
}

// -----

// CHECK-LABEL: func.func @views(
// CHECK-SAME: %[[X:.*]]: tensor<2x3xf32>, %[[D:.*]]: tensor<?x3xf32>, %[[E:.*]]: tensor<?x?xf32>
func.func @views(%x: tensor<2x3xf32>, %d: tensor<?x3xf32>, %e: tensor<?x?xf32>, %n: index)
    -> (tensor<2x3xf32>, tensor<?x3xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<2x3xf32>, tensor<2x3xf32>,
        tensor<?x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e0 = tensor.dim %e, %c0 : tensor<?x?xf32>
  %e1 = tensor.dim %e, %c1 : tensor<?x?xf32>
  %d0 = tensor.dim %d, %c0 : tensor<?x3xf32>
  %0 = ds.reshape %x : tensor<2x3xf32> to tensor<2x3xf32>
  // The number of elements leaves no choice.
  %1 = ds.reshape %d[%n] : tensor<?x3xf32> to tensor<?x3xf32>
  %2 = ds.reshape %e[%e0, %e1] : tensor<?x?xf32> to tensor<?x?xf32>
  %3 = ds.broadcast %e[%e0, %e1] : tensor<?x?xf32> to tensor<?x?xf32>
  %4 = ds.transpose %x [0, 1] : tensor<2x3xf32> to tensor<2x3xf32>
  %t = ds.transpose %x [1, 0] : tensor<2x3xf32> to tensor<3x2xf32>
  %5 = ds.transpose %t [1, 0] : tensor<3x2xf32> to tensor<2x3xf32>
  %6 = ds.slice %d [0, 0] [%d0, 3] [1, 1] : tensor<?x3xf32> to tensor<?x3xf32>
  %7 = ds.concat 1 %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %none = arith.constant dense<0.0> : tensor<0x3xf32>
  %8 = ds.concat 0 %none, %x, %none : (tensor<0x3xf32>, tensor<2x3xf32>, tensor<0x3xf32>) -> tensor<2x3xf32>
  %9 = ds.reduce sum %x [] : tensor<2x3xf32> to tensor<2x3xf32>
  // CHECK-NEXT: return %[[X]], %[[D]], %[[E]], %[[E]], %[[X]], %[[X]], %[[D]], %[[X]], %[[X]], %[[X]]
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9 : tensor<2x3xf32>, tensor<?x3xf32>, tensor<?x?xf32>, tensor<?x?xf32>,
    tensor<2x3xf32>, tensor<2x3xf32>, tensor<?x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @views_that_move(
func.func @views_that_move(%x: tensor<3x3xf32>, %d: tensor<?x3xf32>, %e: tensor<?x?xf32>, %z: tensor<?x0xf32>, %n: index)
    -> (tensor<?x?xf32>, tensor<?x0xf32>, tensor<?x3xf32>, tensor<3x3xf32>, tensor<3x3xf32>, tensor<?x3xf32>, tensor<3x3xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e0 = tensor.dim %e, %c0 : tensor<?x?xf32>
  %e1 = tensor.dim %e, %c1 : tensor<?x?xf32>
  // The sizes change places.
  // CHECK: ds.reshape
  %0 = ds.reshape %e[%e1, %e0] : tensor<?x?xf32> to tensor<?x?xf32>
  // Without elements any size fits.
  // CHECK: ds.reshape
  %1 = ds.reshape %z[%n] : tensor<?x0xf32> to tensor<?x0xf32>
  // The input's size may be 1.
  // CHECK: ds.broadcast
  %2 = ds.broadcast %d[%n] : tensor<?x3xf32> to tensor<?x3xf32>
  // CHECK: ds.transpose %{{.*}} [1, 0]
  %3 = ds.transpose %x [1, 0] : tensor<3x3xf32> to tensor<3x3xf32>
  // CHECK: ds.slice
  %4 = ds.slice %x [2, 0] [3, 3] [-1, 1] : tensor<3x3xf32> to tensor<3x3xf32>
  // CHECK: ds.slice
  %5 = ds.slice %d [0, 0] [%n, 3] [1, 1] : tensor<?x3xf32> to tensor<?x3xf32>
  // CHECK: ds.cumulative
  %6 = ds.cumulative sum %x 0 : tensor<3x3xf32> to tensor<3x3xf32>
  return %0, %1, %2, %3, %4, %5, %6
    : tensor<?x?xf32>, tensor<?x0xf32>, tensor<?x3xf32>, tensor<3x3xf32>, tensor<3x3xf32>, tensor<?x3xf32>, tensor<3x3xf32>
}

// -----

// CHECK-LABEL: func.func @chains(
// CHECK-SAME: %[[X:.*]]: tensor<2x3x4xf32>, %[[D:.*]]: tensor<?x6xf32>, %[[N:.*]]: index)
func.func @chains(%x: tensor<2x3x4xf32>, %d: tensor<?x6xf32>, %n: index) -> (tensor<3x4x2xf32>, tensor<3x?xf32>) {
  // CHECK: %[[T:.*]] = ds.transpose %[[X]] [1, 2, 0] : tensor<2x3x4xf32> to tensor<3x4x2xf32>
  %t = ds.transpose %x [1, 0, 2] : tensor<2x3x4xf32> to tensor<3x2x4xf32>
  %0 = ds.transpose %t [0, 2, 1] : tensor<3x2x4xf32> to tensor<3x4x2xf32>
  // CHECK: %[[R:.*]] = ds.reshape %[[D]][%[[N]]] : tensor<?x6xf32> to tensor<3x?xf32>
  %r = ds.reshape %d[%n] : tensor<?x6xf32> to tensor<?xf32>
  %1 = ds.reshape %r[%n] : tensor<?xf32> to tensor<3x?xf32>
  // CHECK: return %[[T]], %[[R]]
  return %0, %1 : tensor<3x4x2xf32>, tensor<3x?xf32>
}

// -----

// A mask that hides nothing and adds nothing goes, also one that is repeated.
// CHECK-LABEL: func.func @mask(
func.func @mask(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x6x8xf32>, %n: index)
    -> (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>) {
  %true = arith.constant dense<true> : tensor<2x6xi1>
  %zero = arith.constant dense<0.0> : tensor<f16>
  %some = arith.constant dense<[true, true, true, true, true, false]> : tensor<6xi1>
  %one = arith.constant dense<1.0> : tensor<6xf32>
  // CHECK: ds.attention %{{.*}}, %{{.*}}, %{{.*}} scale 1.000000e+00 causal
  %0 = ds.attention %q, %k, %k mask %true : tensor<2x6xi1> scale 1.0 causal : tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32> to tensor<1x2x4x8xf32>
  // CHECK: ds.attention %{{.*}}, %{{.*}}, %{{.*}} scale
  %z = ds.broadcast %zero[%n] : tensor<f16> to tensor<2x?xf16>
  %1 = ds.attention %q, %k, %k mask %z : tensor<2x?xf16> scale 1.0 : tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32> to tensor<1x2x4x8xf32>
  // CHECK: ds.attention %{{.*}} mask
  %2 = ds.attention %q, %k, %k mask %some : tensor<6xi1> scale 1.0 : tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32> to tensor<1x2x4x8xf32>
  // CHECK: ds.attention %{{.*}} mask
  %3 = ds.attention %q, %k, %k mask %one : tensor<6xf32> scale 1.0 : tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32> to tensor<1x2x4x8xf32>
  return %0, %1, %2, %3 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>
}

// -----

// CHECK-LABEL: func.func @online(
// CHECK-SAME: %[[Q:.*]]: tensor<1x2x4x8xf32>, %[[K:.*]]: tensor<1x2x6x8xf32>, %[[NONE:.*]]: tensor<1x2x0x8xf32>, %[[A:.*]]: tensor<1x2x4x8xf32>, %[[M:.*]]: tensor<1x2x4xf32>, %[[L:.*]]: tensor<1x2x4xf32>)
func.func @online(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x6x8xf32>, %none: tensor<1x2x0x8xf32>, %a: tensor<1x2x4x8xf32>, %m: tensor<1x2x4xf32>,
                  %l: tensor<1x2x4xf32>) -> (tensor<1x2x4x8xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4x8xf32>) {
  %true = arith.constant dense<true> : tensor<6xi1>
  // CHECK: %[[N:.*]], %{{.*}}, %{{.*}} = ds.online_attention %[[Q]], %[[K]], %[[K]] scale 1.000000e+00 into
  %0:3 = ds.online_attention %q, %k, %k mask %true : tensor<6xi1> scale 1.0 into %a, %m, %l : tensor<1x2x4x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32> into tensor<1x2x4x8xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>
  // Without keys nothing changes.
  // CHECK-NOT: ds.
  %1:3 = ds.online_attention %q, %none, %none scale 1.0 into %a, %m, %l : tensor<1x2x4x8xf32>, tensor<1x2x0x8xf32>, tensor<1x2x0x8xf32> into tensor<1x2x4x8xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>
  // CHECK: return %[[A]], %[[M]], %[[L]], %[[N]]
  return %1#0, %1#1, %1#2, %0#0 : tensor<1x2x4x8xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4x8xf32>
}

// -----

// CHECK-LABEL: func.func @append(
// CHECK-SAME: %[[NONE:.*]]: tensor<0x2x8xf32>, %[[ROWS:.*]]: tensor<?x2x8xf32>, %[[CACHE:.*]]: tensor<4x2x16x8xf32>
func.func @append(%none: tensor<0x2x8xf32>, %rows: tensor<?x2x8xf32>, %cache: tensor<4x2x16x8xf32>, %start: tensor<2xi32>, %past: tensor<1xi32>,
                  %slot: tensor<1xi32>) -> (tensor<4x2x16x8xf32>, tensor<4x2x16x8xf32>) {
  %0 = ds.cache_append %none into %cache at %start, %past, %slot : tensor<0x2x8xf32>, tensor<4x2x16x8xf32>, tensor<2xi32>, tensor<1xi32>, tensor<1xi32> to tensor<4x2x16x8xf32>
  // CHECK: %[[SOME:.*]] = ds.cache_append %[[ROWS]]
  %1 = ds.cache_append %rows into %cache at %start, %past, %slot : tensor<?x2x8xf32>, tensor<4x2x16x8xf32>, tensor<2xi32>, tensor<1xi32>, tensor<1xi32> to tensor<4x2x16x8xf32>
  // CHECK: return %[[CACHE]], %[[SOME]]
  return %0, %1 : tensor<4x2x16x8xf32>, tensor<4x2x16x8xf32>
}

// -----

// A slice of joined parts that takes of one of them alone.
// CHECK-LABEL: func.func @slice_of_concat(
// CHECK-SAME: %[[A:.*]]: tensor<?x4xf32>, %[[B:.*]]: tensor<?x6xf32>)
func.func @slice_of_concat(%a: tensor<?x4xf32>, %b: tensor<?x6xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %a, %c0 : tensor<?x4xf32>
  %x = ds.concat 1 %a, %b : (tensor<?x4xf32>, tensor<?x6xf32>) -> tensor<?x10xf32>
  // CHECK-DAG: %[[R:.*]] = ds.slice %[[B]] [0, 1] [%{{.*}}, 3] [1, 2]
  %0 = ds.slice %x [0, 5] [%n, 3] [1, 2] : tensor<?x10xf32> to tensor<?x3xf32>
  // CHECK-DAG: %[[X:.*]] = ds.concat
  // CHECK-DAG: %[[BOTH:.*]] = ds.slice %[[X]] [0, 2]
  %1 = ds.slice %x [0, 2] [%n, 3] [1, 1] : tensor<?x10xf32> to tensor<?x3xf32>
  %2 = ds.slice %x [0, 0] [%n, 4] [1, 1] : tensor<?x10xf32> to tensor<?x4xf32>
  // CHECK: return %[[R]], %[[BOTH]], %[[A]]
  return %0, %1, %2 : tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x4xf32>
}

// -----

// A slice that is all that is read of f(x) comes before f, but not where f(x) is read elsewhere.
// CHECK-LABEL: func.func @slice_of_unary(
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>)
func.func @slice_of_unary(%x: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  // CHECK-DAG: %[[PART:.*]] = ds.slice %[[X]] [0, 4] [%{{.*}}, 4] [1, 1]
  // CHECK-DAG: %[[COS:.*]] = ds.elementwise cos %[[PART]] : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %cos = ds.elementwise cos %x : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %0 = ds.slice %cos [0, 4] [%n, 4] [1, 1] : tensor<?x8xf32> to tensor<?x4xf32>
  // CHECK-DAG: %[[SIN:.*]] = ds.elementwise sin %[[X]] : (tensor<?x8xf32>) -> tensor<?x8xf32>
  // CHECK-DAG: %[[KEPT:.*]] = ds.slice %[[SIN]] [0, 4]
  %sin = ds.elementwise sin %x : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %1 = ds.slice %sin [0, 4] [%n, 4] [1, 1] : tensor<?x8xf32> to tensor<?x4xf32>
  // CHECK: return %[[COS]], %[[KEPT]], %[[SIN]]
  return %0, %1, %sin : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xf32>
}

// -----

// A slice that leaves the blocks of quantised numbers whole comes before they are widened, if nothing but slices is read of these.
// CHECK-LABEL: func.func @slice_of_dequantize(
// CHECK-SAME: %[[X:.*]]: tensor<2x6x32xui4>, %[[S:.*]]: tensor<2x6x2xf32>, %[[Z:.*]]: tensor<2x6x2xui4>)
func.func @slice_of_dequantize(%x: tensor<2x6x32xui4>, %s: tensor<2x6x2xf32>, %z: tensor<2x6x2xui4>) -> (tensor<2x3x32xf32>, tensor<2x6x16xf32>) {
  // CHECK-DAG: %[[XS:.*]] = ds.slice %[[X]] [0, 1, 0] [2, 3, 32] [1, 2, 1]
  // CHECK-DAG: %[[SS:.*]] = ds.slice %[[S]] [0, 1, 0] [2, 3, 2] [1, 2, 1]
  // CHECK-DAG: %[[ZS:.*]] = ds.slice %[[Z]] [0, 1, 0] [2, 3, 2] [1, 2, 1]
  // CHECK-DAG: %[[ROWS:.*]] = ds.dequantize %[[XS]] scale %[[SS]] : tensor<2x3x2xf32> zero_point %[[ZS]]
  %w = ds.dequantize %x scale %s : tensor<2x6x2xf32> zero_point %z : tensor<2x6x2xui4> {axis = 2, block_size = 16} : tensor<2x6x32xui4> to tensor<2x6x32xf32>
  %0 = ds.slice %w [0, 1, 0] [2, 3, 32] [1, 2, 1] : tensor<2x6x32xf32> to tensor<2x3x32xf32>
  // Blocks that are cut stay.
  // CHECK-DAG: %[[W:.*]] = ds.dequantize %[[X]] scale
  // CHECK-DAG: %[[CUT:.*]] = ds.slice %[[W]]
  %1 = ds.slice %w [0, 0, 8] [2, 6, 16] [1, 1, 1] : tensor<2x6x32xf32> to tensor<2x6x16xf32>
  // CHECK: return %[[ROWS]], %[[CUT]]
  return %0, %1 : tensor<2x3x32xf32>, tensor<2x6x16xf32>
}
