// RUN: ds-opt %s --split-input-file --ds-raise-rope --canonicalize --cse | FileCheck %s --enable-var-scope

// x·cos + rotate_half(x)·sin, the tables doubled before the cosine.
// CHECK-LABEL: @rotate_half
// CHECK-SAME: (%[[X:.*]]: tensor<?x?x2x8xf32>, %[[A:.*]]: tensor<?x?x1x4xf32>)
func.func @rotate_half(%x: tensor<?x?x2x8xf32>, %angles: tensor<?x?x1x4xf32>) -> tensor<?x?x2x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x2x8xf32>
  %s = tensor.dim %x, %c1 : tensor<?x?x2x8xf32>
  // CHECK: %[[COS:.*]] = ds.elementwise cos %[[A]] : (tensor<?x?x1x4xf32>)
  // CHECK: %[[SIN:.*]] = ds.elementwise sin %[[A]] : (tensor<?x?x1x4xf32>)
  // CHECK: %[[R:.*]] = ds.rope %[[X]], %{{.*}}, %{{.*}} halves to halves : tensor<?x?x2x8xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>
  // CHECK: return %[[R]]
  %doubled = ds.concat 3 %angles, %angles : (tensor<?x?x1x4xf32>, tensor<?x?x1x4xf32>) -> tensor<?x?x1x8xf32>
  %cos = ds.elementwise cos %doubled : (tensor<?x?x1x8xf32>) -> tensor<?x?x1x8xf32>
  %sin = ds.elementwise sin %doubled : (tensor<?x?x1x8xf32>) -> tensor<?x?x1x8xf32>
  %lo = ds.slice %x [0, 0, 0, 0] [%b, %s, 2, 4] [1, 1, 1, 1] : tensor<?x?x2x8xf32> to tensor<?x?x2x4xf32>
  %hi = ds.slice %x [0, 0, 0, 4] [%b, %s, 2, 4] [1, 1, 1, 1] : tensor<?x?x2x8xf32> to tensor<?x?x2x4xf32>
  %neg = ds.elementwise neg %hi : (tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32>
  %turned = ds.concat 3 %neg, %lo : (tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>) -> tensor<?x?x2x8xf32>
  %p = ds.elementwise mul %x, %cos : (tensor<?x?x2x8xf32>, tensor<?x?x1x8xf32>) -> tensor<?x?x2x8xf32>
  %q = ds.elementwise mul %turned, %sin : (tensor<?x?x2x8xf32>, tensor<?x?x1x8xf32>) -> tensor<?x?x2x8xf32>
  %y = ds.elementwise add %p, %q : (tensor<?x?x2x8xf32>, tensor<?x?x2x8xf32>) -> tensor<?x?x2x8xf32>
  return %y : tensor<?x?x2x8xf32>
}

// -----

// Tables whose width was doubled along another dimension and turned after.
// CHECK-LABEL: @turned_table
func.func @turned_table(%x: tensor<1x5x2x8xf32>, %angles: tensor<1x4x5xf32>) -> tensor<1x5x2x8xf32> {
  // CHECK: ds.rope %arg0, {{.*}} halves to halves : tensor<1x5x2x8xf32>, tensor<1x5x4xf32>, tensor<1x5x4xf32>
  %doubled = ds.concat 1 %angles, %angles : (tensor<1x4x5xf32>, tensor<1x4x5xf32>) -> tensor<1x8x5xf32>
  %c = ds.elementwise cos %doubled : (tensor<1x8x5xf32>) -> tensor<1x8x5xf32>
  %ct = ds.transpose %c [0, 2, 1] : tensor<1x8x5xf32> to tensor<1x5x8xf32>
  %cos = ds.reshape %ct : tensor<1x5x8xf32> to tensor<1x5x1x8xf32>
  %s = ds.elementwise sin %doubled : (tensor<1x8x5xf32>) -> tensor<1x8x5xf32>
  %st = ds.transpose %s [0, 2, 1] : tensor<1x8x5xf32> to tensor<1x5x8xf32>
  %sin = ds.reshape %st : tensor<1x5x8xf32> to tensor<1x5x1x8xf32>
  %lo = ds.slice %x [0, 0, 0, 0] [1, 5, 2, 4] [1, 1, 1, 1] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %hi = ds.slice %x [0, 0, 0, 4] [1, 5, 2, 4] [1, 1, 1, 1] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %neg = ds.elementwise neg %hi : (tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32>
  %turned = ds.concat 3 %neg, %lo : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x8xf32>
  %p = ds.elementwise mul %cos, %x : (tensor<1x5x1x8xf32>, tensor<1x5x2x8xf32>) -> tensor<1x5x2x8xf32>
  %q = ds.elementwise mul %sin, %turned : (tensor<1x5x1x8xf32>, tensor<1x5x2x8xf32>) -> tensor<1x5x2x8xf32>
  %y = ds.elementwise add %q, %p : (tensor<1x5x2x8xf32>, tensor<1x5x2x8xf32>) -> tensor<1x5x2x8xf32>
  return %y : tensor<1x5x2x8xf32>
}

// -----

// concat(a·cos − b·sin, b·cos + a·sin) over every second element.
// CHECK-LABEL: @pairs
func.func @pairs(%x: tensor<1x5x2x8xf32>, %cos: tensor<1x5x1x4xf32>, %sin: tensor<1x5x1x4xf32>) -> tensor<1x5x2x8xf32> {
  // CHECK: ds.rope %arg0, {{.*}} pairs to halves
  %a = ds.slice %x [0, 0, 0, 0] [1, 5, 2, 4] [1, 1, 1, 2] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %b = ds.slice %x [0, 0, 0, 1] [1, 5, 2, 4] [1, 1, 1, 2] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %ac = ds.elementwise mul %a, %cos : (tensor<1x5x2x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x2x4xf32>
  %bs = ds.elementwise mul %b, %sin : (tensor<1x5x2x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x2x4xf32>
  %bc = ds.elementwise mul %b, %cos : (tensor<1x5x2x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x2x4xf32>
  %as = ds.elementwise mul %a, %sin : (tensor<1x5x2x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x2x4xf32>
  %first = ds.elementwise sub %ac, %bs : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32>
  %second = ds.elementwise add %as, %bc : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32>
  %y = ds.concat 3 %first, %second : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x8xf32>
  return %y : tensor<1x5x2x8xf32>
}

// -----

// No sign: not a rotation. Tables with different halves: not this one.
// CHECK-LABEL: @no_sign
// CHECK-NOT: ds.rope
func.func @no_sign(%x: tensor<1x5x2x8xf32>, %angles: tensor<1x5x1x4xf32>) -> tensor<1x5x2x8xf32> {
  %doubled = ds.concat 3 %angles, %angles : (tensor<1x5x1x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x1x8xf32>
  %cos = ds.elementwise cos %doubled : (tensor<1x5x1x8xf32>) -> tensor<1x5x1x8xf32>
  %sin = ds.elementwise sin %doubled : (tensor<1x5x1x8xf32>) -> tensor<1x5x1x8xf32>
  %lo = ds.slice %x [0, 0, 0, 0] [1, 5, 2, 4] [1, 1, 1, 1] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %hi = ds.slice %x [0, 0, 0, 4] [1, 5, 2, 4] [1, 1, 1, 1] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %turned = ds.concat 3 %hi, %lo : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x8xf32>
  %p = ds.elementwise mul %x, %cos : (tensor<1x5x2x8xf32>, tensor<1x5x1x8xf32>) -> tensor<1x5x2x8xf32>
  %q = ds.elementwise mul %turned, %sin : (tensor<1x5x2x8xf32>, tensor<1x5x1x8xf32>) -> tensor<1x5x2x8xf32>
  %y = ds.elementwise add %p, %q : (tensor<1x5x2x8xf32>, tensor<1x5x2x8xf32>) -> tensor<1x5x2x8xf32>
  return %y : tensor<1x5x2x8xf32>
}
// CHECK-LABEL: @different_halves
// CHECK-NOT: ds.rope
func.func @different_halves(%x: tensor<1x5x2x8xf32>, %cos: tensor<1x5x1x8xf32>, %sin: tensor<1x5x1x8xf32>) -> tensor<1x5x2x8xf32> {
  %lo = ds.slice %x [0, 0, 0, 0] [1, 5, 2, 4] [1, 1, 1, 1] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %hi = ds.slice %x [0, 0, 0, 4] [1, 5, 2, 4] [1, 1, 1, 1] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %neg = ds.elementwise neg %hi : (tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32>
  %turned = ds.concat 3 %neg, %lo : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x8xf32>
  %p = ds.elementwise mul %x, %cos : (tensor<1x5x2x8xf32>, tensor<1x5x1x8xf32>) -> tensor<1x5x2x8xf32>
  %q = ds.elementwise mul %turned, %sin : (tensor<1x5x2x8xf32>, tensor<1x5x1x8xf32>) -> tensor<1x5x2x8xf32>
  %y = ds.elementwise add %p, %q : (tensor<1x5x2x8xf32>, tensor<1x5x2x8xf32>) -> tensor<1x5x2x8xf32>
  return %y : tensor<1x5x2x8xf32>
}

// -----

// Behind other columns of one join, as where a query is put together at once.
// CHECK-LABEL: @among_others
func.func @among_others(%plain: tensor<1x5x2x3xf32>, %x: tensor<1x5x2x8xf32>, %cos: tensor<1x5x1x4xf32>, %sin: tensor<1x5x1x4xf32>) -> tensor<1x5x2x11xf32> {
  // CHECK: %[[R:.*]] = ds.rope %arg1, {{.*}} pairs to halves
  // CHECK: ds.concat 3 %arg0, %[[R]] : (tensor<1x5x2x3xf32>, tensor<1x5x2x8xf32>)
  %a = ds.slice %x [0, 0, 0, 0] [1, 5, 2, 4] [1, 1, 1, 2] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %b = ds.slice %x [0, 0, 0, 1] [1, 5, 2, 4] [1, 1, 1, 2] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %ac = ds.elementwise mul %a, %cos : (tensor<1x5x2x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x2x4xf32>
  %bs = ds.elementwise mul %b, %sin : (tensor<1x5x2x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x2x4xf32>
  %lo = ds.elementwise sub %ac, %bs : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32>
  %bc = ds.elementwise mul %b, %cos : (tensor<1x5x2x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x2x4xf32>
  %as = ds.elementwise mul %a, %sin : (tensor<1x5x2x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x2x4xf32>
  %hi = ds.elementwise add %bc, %as : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32>
  %y = ds.concat 3 %plain, %lo, %hi : (tensor<1x5x2x3xf32>, tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x11xf32>
  return %y : tensor<1x5x2x11xf32>
}

// -----

// Pairs split off, rotated and woven back into pairs; no dimension of heads.
// CHECK-LABEL: @woven
func.func @woven(%x: tensor<?x5x8xf32>, %cos: tensor<?x5x4xf32>, %sin: tensor<?x5x4xf32>) -> tensor<?x5x8xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x5x8xf32>
  // CHECK: %[[X:.*]] = ds.reshape %arg0{{.*}} to tensor<?x5x1x8xf32>
  // CHECK: %[[R:.*]] = ds.rope %[[X]], %arg1, %arg2 pairs to pairs
  // CHECK: %[[Y:.*]] = ds.reshape %[[R]]{{.*}} to tensor<?x5x8xf32>
  // CHECK: return %[[Y]]
  %split = ds.reshape %x[%n] : tensor<?x5x8xf32> to tensor<?x5x4x2xf32>
  %a1 = ds.slice %split [0, 0, 0, 0] [%n, 5, 4, 1] [1, 1, 1, 1] : tensor<?x5x4x2xf32> to tensor<?x5x4x1xf32>
  %b1 = ds.slice %split [0, 0, 0, 1] [%n, 5, 4, 1] [1, 1, 1, 1] : tensor<?x5x4x2xf32> to tensor<?x5x4x1xf32>
  %a = ds.reshape %a1[%n] : tensor<?x5x4x1xf32> to tensor<?x5x4xf32>
  %b = ds.reshape %b1[%n] : tensor<?x5x4x1xf32> to tensor<?x5x4xf32>
  %ac = ds.elementwise mul %a, %cos : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %bs = ds.elementwise mul %b, %sin : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %lo = ds.elementwise sub %ac, %bs : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %bc = ds.elementwise mul %b, %cos : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %as = ds.elementwise mul %a, %sin : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %hi = ds.elementwise add %bc, %as : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %lo1 = ds.reshape %lo[%n] : tensor<?x5x4xf32> to tensor<?x5x4x1xf32>
  %hi1 = ds.reshape %hi[%n] : tensor<?x5x4xf32> to tensor<?x5x4x1xf32>
  %pairs = ds.concat 3 %lo1, %hi1 : (tensor<?x5x4x1xf32>, tensor<?x5x4x1xf32>) -> tensor<?x5x4x2xf32>
  %y = ds.reshape %pairs[%n] : tensor<?x5x4x2xf32> to tensor<?x5x8xf32>
  return %y : tensor<?x5x8xf32>
}

// -----

// Pairs are put into halves first, then halves are rotated: from pairs.
// CHECK-LABEL: @unwoven_first
func.func @unwoven_first(%w: tensor<1x5x16xf32>, %angles: tensor<1x5x1x4xf32>) -> tensor<1x5x2x8xf32> {
  // CHECK: %[[X:.*]] = ds.reshape %arg0 : tensor<1x5x16xf32> to tensor<1x5x2x8xf32>
  // CHECK: ds.rope %[[X]], {{.*}} pairs to halves
  %split = ds.reshape %w : tensor<1x5x16xf32> to tensor<1x5x2x4x2xf32>
  %turned = ds.transpose %split [0, 1, 2, 4, 3] : tensor<1x5x2x4x2xf32> to tensor<1x5x2x2x4xf32>
  %x = ds.reshape %turned : tensor<1x5x2x2x4xf32> to tensor<1x5x2x8xf32>
  %doubled = ds.concat 3 %angles, %angles : (tensor<1x5x1x4xf32>, tensor<1x5x1x4xf32>) -> tensor<1x5x1x8xf32>
  %cos = ds.elementwise cos %doubled : (tensor<1x5x1x8xf32>) -> tensor<1x5x1x8xf32>
  %sin = ds.elementwise sin %doubled : (tensor<1x5x1x8xf32>) -> tensor<1x5x1x8xf32>
  %lo = ds.slice %x [0, 0, 0, 0] [1, 5, 2, 4] [1, 1, 1, 1] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %hi = ds.slice %x [0, 0, 0, 4] [1, 5, 2, 4] [1, 1, 1, 1] : tensor<1x5x2x8xf32> to tensor<1x5x2x4xf32>
  %neg = ds.elementwise neg %hi : (tensor<1x5x2x4xf32>) -> tensor<1x5x2x4xf32>
  %half = ds.concat 3 %neg, %lo : (tensor<1x5x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x5x2x8xf32>
  %p = ds.elementwise mul %x, %cos : (tensor<1x5x2x8xf32>, tensor<1x5x1x8xf32>) -> tensor<1x5x2x8xf32>
  %q = ds.elementwise mul %half, %sin : (tensor<1x5x2x8xf32>, tensor<1x5x1x8xf32>) -> tensor<1x5x2x8xf32>
  %y = ds.elementwise add %p, %q : (tensor<1x5x2x8xf32>, tensor<1x5x2x8xf32>) -> tensor<1x5x2x8xf32>
  return %y : tensor<1x5x2x8xf32>
}

// -----

// As a product of complex numbers: columns of pairs, tables with a dimension of size 1 behind.
// CHECK-LABEL: @complex
func.func @complex(%x: tensor<1x5x2x8xf32>, %cos: tensor<1x5x1x4x1xf32>, %sin: tensor<1x5x1x4x1xf32>) -> tensor<1x5x2x8xf32> {
  // CHECK-DAG: %[[COS:.*]] = ds.reshape %arg1 : tensor<1x5x1x4x1xf32> to tensor<1x5x4xf32>
  // CHECK-DAG: %[[SIN:.*]] = ds.reshape %arg2 : tensor<1x5x1x4x1xf32> to tensor<1x5x4xf32>
  // CHECK: %[[R:.*]] = ds.rope %arg0, %[[COS]], %[[SIN]] pairs to pairs
  // CHECK: return %[[R]]
  %pairs = ds.reshape %x : tensor<1x5x2x8xf32> to tensor<1x5x2x4x2xf32>
  %a = ds.slice %pairs [0, 0, 0, 0, 0] [1, 5, 2, 4, 1] [1, 1, 1, 1, 1] : tensor<1x5x2x4x2xf32> to tensor<1x5x2x4x1xf32>
  %b = ds.slice %pairs [0, 0, 0, 0, 1] [1, 5, 2, 4, 1] [1, 1, 1, 1, 1] : tensor<1x5x2x4x2xf32> to tensor<1x5x2x4x1xf32>
  %ac = ds.elementwise mul %a, %cos : (tensor<1x5x2x4x1xf32>, tensor<1x5x1x4x1xf32>) -> tensor<1x5x2x4x1xf32>
  %bs = ds.elementwise mul %b, %sin : (tensor<1x5x2x4x1xf32>, tensor<1x5x1x4x1xf32>) -> tensor<1x5x2x4x1xf32>
  %as = ds.elementwise mul %a, %sin : (tensor<1x5x2x4x1xf32>, tensor<1x5x1x4x1xf32>) -> tensor<1x5x2x4x1xf32>
  %bc = ds.elementwise mul %b, %cos : (tensor<1x5x2x4x1xf32>, tensor<1x5x1x4x1xf32>) -> tensor<1x5x2x4x1xf32>
  %re = ds.elementwise sub %ac, %bs : (tensor<1x5x2x4x1xf32>, tensor<1x5x2x4x1xf32>) -> tensor<1x5x2x4x1xf32>
  %im = ds.elementwise add %as, %bc : (tensor<1x5x2x4x1xf32>, tensor<1x5x2x4x1xf32>) -> tensor<1x5x2x4x1xf32>
  %z = ds.concat 4 %re, %im : (tensor<1x5x2x4x1xf32>, tensor<1x5x2x4x1xf32>) -> tensor<1x5x2x4x2xf32>
  %y = ds.reshape %z : tensor<1x5x2x4x2xf32> to tensor<1x5x2x8xf32>
  return %y : tensor<1x5x2x8xf32>
}
