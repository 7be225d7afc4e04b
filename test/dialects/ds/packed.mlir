// RUN: ds-opt %s | ds-opt | FileCheck %s

// CHECK-LABEL: func @pack
// CHECK: ds.pack %{{.*}} : tensor<70x5xf32> to tensor<3x5x32xf32>
// CHECK: ds.pack %{{.*}} : tensor<70x5xbf16> to tensor<3x3x64xbf16>
// CHECK: ds.pack %{{.*}} : tensor<70x5xi8> to tensor<3x2x128xi8>
func.func @pack(%a: tensor<70x5xf32>, %b: tensor<70x5xbf16>, %c: tensor<70x5xi8>)
    -> (tensor<3x5x32xf32>, tensor<3x3x64xbf16>, tensor<3x2x128xi8>) {
  %0 = ds.pack %a : tensor<70x5xf32> to tensor<3x5x32xf32>
  %1 = ds.pack %b : tensor<70x5xbf16> to tensor<3x3x64xbf16>
  %2 = ds.pack %c : tensor<70x5xi8> to tensor<3x2x128xi8>
  return %0, %1, %2 : tensor<3x5x32xf32>, tensor<3x3x64xbf16>, tensor<3x2x128xi8>
}

// CHECK-LABEL: func @linear
// CHECK: ds.packed_linear %{{.*}}, %{{.*}} bias %{{.*}} : tensor<70xf32> : tensor<?x2x5xbf16>, tensor<3x3x64xbf16> to tensor<?x2x70xf32>
func.func @linear(%x: tensor<?x2x5xbf16>, %w: tensor<3x3x64xbf16>, %bias: tensor<70xf32>) -> tensor<?x2x70xf32> {
  %0 = ds.packed_linear %x, %w bias %bias : tensor<70xf32> : tensor<?x2x5xbf16>, tensor<3x3x64xbf16> to tensor<?x2x70xf32>
  return %0 : tensor<?x2x70xf32>
}
