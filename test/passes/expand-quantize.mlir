// RUN: ds-opt %s --ds-expand-quantize | FileCheck %s

// Division, rounding to even, the zero point, the range of the type, a cast.
// CHECK-LABEL: func.func @fixed
// CHECK: %[[Q:.*]] = ds.elementwise div %arg0, %arg1
// CHECK: %[[R:.*]] = ds.elementwise roundeven %[[Q]]
// CHECK: %[[Z:.*]] = ds.cast %arg2 {{.*}}tensor<ui8> to tensor<f32>
// CHECK: %[[S:.*]] = ds.elementwise add %[[R]], %[[Z]]
// CHECK: %[[LOW:.*]] = arith.constant dense<0.000000e+00> : tensor<f32>
// CHECK: %[[A:.*]] = ds.elementwise max %[[S]], %[[LOW]]
// CHECK: %[[HIGH:.*]] = arith.constant dense<2.550000e+02> : tensor<f32>
// CHECK: %[[B:.*]] = ds.elementwise min %[[A]], %[[HIGH]]
// CHECK: %[[C:.*]] = ds.cast %[[B]] {{.*}}tensor<?x4xf32> to tensor<?x4xui8>
// CHECK: return %[[C]]
func.func @fixed(%x: tensor<?x4xf32>, %scale: tensor<f32>, %zero: tensor<ui8>) -> tensor<?x4xui8> {
  %0 = ds.quantize %x scale %scale : tensor<f32> zero_point %zero : tensor<ui8> : tensor<?x4xf32> to tensor<?x4xui8>
  return %0 : tensor<?x4xui8>
}

// A signed type has another range; without a zero point nothing is added; f16 is computed in f32.
// CHECK-LABEL: func.func @signed
// CHECK: ds.cast %arg0 : tensor<4xf16> to tensor<4xf32>
// CHECK-NOT: ds.elementwise add
// CHECK: arith.constant dense<-1.280000e+02> : tensor<f32>
// CHECK: arith.constant dense<1.270000e+02> : tensor<f32>
// CHECK: return
func.func @signed(%x: tensor<4xf16>, %scale: tensor<f16>) -> tensor<4xi8> {
  %0 = ds.quantize %x scale %scale : tensor<f16> : tensor<4xf16> to tensor<4xi8>
  return %0 : tensor<4xi8>
}

// The range of the whole tensor first, with 0 in it; a tensor of zeros is not divided by its scale, which is 0.
// CHECK-LABEL: func.func @dynamic
// CHECK-DAG: ds.reduce max %arg0 [0, 1]
// CHECK-DAG: ds.reduce min %arg0 [0, 1]
// CHECK: %[[SCALE:.*]] = ds.elementwise div
// CHECK: %[[NONE:.*]] = ds.elementwise eq %[[SCALE]],
// CHECK: %[[DIVISOR:.*]] = ds.elementwise select %[[NONE]], %{{.*}}, %[[SCALE]]
// CHECK: ds.elementwise div %arg0, %[[DIVISOR]]
// CHECK: return %{{.*}}, %[[SCALE]], %{{.*}}
func.func @dynamic(%x: tensor<?x4xf32>) -> (tensor<?x4xui8>, tensor<f32>, tensor<ui8>) {
  %0, %1, %2 = ds.dynamic_quantize %x : tensor<?x4xf32> to tensor<?x4xui8>, tensor<f32>, tensor<ui8>
  return %0, %1, %2 : tensor<?x4xui8>, tensor<f32>, tensor<ui8>
}

// Dequantising stays: lowering knows it, and weights are dequantised where they are used.
// CHECK-LABEL: func.func @back
// CHECK-NEXT: ds.dequantize
// CHECK-NEXT: return
func.func @back(%x: tensor<?x4xui8>, %scale: tensor<f32>) -> tensor<?x4xf32> {
  %0 = ds.dequantize %x scale %scale : tensor<f32> : tensor<?x4xui8> to tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
