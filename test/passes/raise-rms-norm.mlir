// RUN: ds-opt %s --split-input-file --ds-raise-rms-norm --canonicalize | FileCheck %s --enable-var-scope

// torch.export: weight · (x · 1/sqrt(mean(x²) + eps)).
// CHECK-LABEL: @reciprocal
func.func @reciprocal(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = ds.load_parameter @w : tensor<4xf32>
  %two = arith.constant dense<2.0> : tensor<f32>
  %count = arith.constant dense<4.0> : tensor<f32>
  %eps = arith.constant dense<1.0e-05> : tensor<f32>
  %sq = ds.elementwise pow %x, %two : (tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xf32>
  %sum = ds.reduce sum %sq [1] keepdims : tensor<?x4xf32> to tensor<?x1xf32>
  %mean = ds.elementwise div %sum, %count : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %var = ds.elementwise add %mean, %eps : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %root = ds.elementwise sqrt %var : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %r = ds.elementwise reciprocal %root : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %n = ds.elementwise mul %x, %r : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  // CHECK: %[[W:.*]] = ds.load_parameter @w
  // CHECK-NEXT: %[[R:.*]] = ds.rms_norm %arg0, %[[W]] epsilon {{9.99.*E-6|1.0.*E-05}} :
  // CHECK-NEXT: return %[[R]]
  %y = ds.elementwise mul %w, %n : (tensor<4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
ds.parameter @w : tensor<4xf32> = dense<1.0> : tensor<4xf32>

// -----

// TorchScript in f16: widened, x·x, x / sqrt, narrowed before the weight.
// CHECK-LABEL: @half
func.func @half(%x: tensor<?x4xf16>) -> tensor<?x4xf16> {
  %w = ds.load_parameter @w : tensor<4xf16>
  %quarter = arith.constant dense<0.25> : tensor<f32>
  %eps = arith.constant dense<1.0e-06> : tensor<f32>
  %wide = ds.cast %x : tensor<?x4xf16> to tensor<?x4xf32>
  %sq = ds.elementwise mul %wide, %wide : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %sum = ds.reduce sum %sq [1] keepdims : tensor<?x4xf32> to tensor<?x1xf32>
  %mean = ds.elementwise mul %quarter, %sum : (tensor<f32>, tensor<?x1xf32>) -> tensor<?x1xf32>
  %var = ds.elementwise add %eps, %mean : (tensor<f32>, tensor<?x1xf32>) -> tensor<?x1xf32>
  %root = ds.elementwise sqrt %var : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %n = ds.elementwise div %wide, %root : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %narrow = ds.cast %n : tensor<?x4xf32> to tensor<?x4xf16>
  // CHECK: ds.rms_norm %arg0, %{{.*}} epsilon {{.*}} round_before_weight : tensor<?x4xf16>, tensor<4xf16> to tensor<?x4xf16>
  %y = ds.elementwise mul %narrow, %w : (tensor<?x4xf16>, tensor<4xf16>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}
ds.parameter @w : tensor<4xf16> = dense<1.0> : tensor<4xf16>

// -----

// The mean of another tensor's squares, another axis, another exponent, a sum
// divided by another count: none is RMSNorm.
// CHECK-LABEL: @other_tensor
// CHECK-NOT: ds.rms_norm
func.func @other_tensor(%x: tensor<?x4xf32>, %z: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = ds.load_parameter @w : tensor<4xf32>
  %count = arith.constant dense<4.0> : tensor<f32>
  %eps = arith.constant dense<1.0e-05> : tensor<f32>
  %sq = ds.elementwise mul %z, %z : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %sum = ds.reduce sum %sq [1] keepdims : tensor<?x4xf32> to tensor<?x1xf32>
  %mean = ds.elementwise div %sum, %count : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %var = ds.elementwise add %mean, %eps : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %root = ds.elementwise sqrt %var : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %n = ds.elementwise div %x, %root : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %y = ds.elementwise mul %n, %w : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
// CHECK-LABEL: @other_axis
// CHECK-NOT: ds.rms_norm
func.func @other_axis(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %w = ds.load_parameter @w : tensor<4xf32>
  %count = arith.constant dense<4.0> : tensor<f32>
  %eps = arith.constant dense<1.0e-05> : tensor<f32>
  %sq = ds.elementwise mul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %sum = ds.reduce sum %sq [0] keepdims : tensor<4x4xf32> to tensor<1x4xf32>
  %mean = ds.elementwise div %sum, %count : (tensor<1x4xf32>, tensor<f32>) -> tensor<1x4xf32>
  %var = ds.elementwise add %mean, %eps : (tensor<1x4xf32>, tensor<f32>) -> tensor<1x4xf32>
  %root = ds.elementwise sqrt %var : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %n = ds.elementwise div %x, %root : (tensor<4x4xf32>, tensor<1x4xf32>) -> tensor<4x4xf32>
  %y = ds.elementwise mul %n, %w : (tensor<4x4xf32>, tensor<4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
// CHECK-LABEL: @other_count
// CHECK-NOT: ds.rms_norm
func.func @other_count(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = ds.load_parameter @w : tensor<4xf32>
  %count = arith.constant dense<3.0> : tensor<f32>
  %eps = arith.constant dense<1.0e-05> : tensor<f32>
  %sq = ds.elementwise mul %x, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %sum = ds.reduce sum %sq [1] keepdims : tensor<?x4xf32> to tensor<?x1xf32>
  %mean = ds.elementwise div %sum, %count : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %var = ds.elementwise add %mean, %eps : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %root = ds.elementwise sqrt %var : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %n = ds.elementwise div %x, %root : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %y = ds.elementwise mul %n, %w : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
ds.parameter @w : tensor<4xf32> = dense<1.0> : tensor<4xf32>
