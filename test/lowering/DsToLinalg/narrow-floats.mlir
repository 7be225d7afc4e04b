// RUN: ds-opt %s --ds-to-linalg --split-input-file | FileCheck %s

// float8 is bits: no arith op on its type is left, which LLVM does not have.
// CHECK-LABEL: func.func @to_float8
// CHECK-NOT: arith.truncf
// CHECK: arith.bitcast %{{.*}} : f32 to i32
// CHECK: arith.bitcast %{{.*}} : i8 to f8E4M3FN
func.func @to_float8(%x: tensor<4xf32>) -> tensor<4xf8E4M3FN> {
  %0 = ds.cast %x : tensor<4xf32> to tensor<4xf8E4M3FN>
  return %0 : tensor<4xf8E4M3FN>
}

// CHECK-LABEL: func.func @from_float8
// CHECK-NOT: arith.extf
// CHECK: arith.bitcast %{{.*}} : f8E5M2 to i8
// CHECK: arith.bitcast %{{.*}} : i32 to f32
func.func @from_float8(%x: tensor<4xf8E5M2>) -> tensor<4xf32> {
  %0 = ds.cast %x : tensor<4xf8E5M2> to tensor<4xf32>
  return %0 : tensor<4xf32>
}

// f64 to 16 bits: never in one step, which would call a library.
// CHECK-LABEL: func.func @double_to_half
// CHECK: arith.truncf %{{.*}} : f64 to f32
// CHECK: arith.ori
// CHECK: arith.truncf %{{.*}} : f32 to f16
func.func @double_to_half(%x: tensor<4xf64>) -> tensor<4xf16> {
  %0 = ds.cast %x : tensor<4xf64> to tensor<4xf16>
  return %0 : tensor<4xf16>
}

// CHECK-LABEL: func.func @float_to_half
// CHECK-NOT: arith.ori
// CHECK: arith.truncf %{{.*}} : f32 to f16
func.func @float_to_half(%x: tensor<4xf32>) -> tensor<4xf16> {
  %0 = ds.cast %x : tensor<4xf32> to tensor<4xf16>
  return %0 : tensor<4xf16>
}
