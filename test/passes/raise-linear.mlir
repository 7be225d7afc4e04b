// RUN: ds-opt %s --ds-raise-linear --canonicalize | FileCheck %s --enable-var-scope

ds.parameter @kn : tensor<4x8xf32> = dense<1.0> : tensor<4x8xf32>
ds.parameter @nk : tensor<8x4xbf16> = dense<1.0> : tensor<8x4xbf16>
ds.parameter @b : tensor<8xf32> = dense<1.0> : tensor<8xf32>

// [K, N] is transposed, an added vector is the bias.
// CHECK-LABEL: @biased
func.func @biased(%x: tensor<?x?x4xf32>) -> tensor<?x?x8xf32> {
  // CHECK-DAG: %[[W:.*]] = ds.load_parameter @kn
  // CHECK-DAG: %[[B:.*]] = ds.load_parameter @b
  // CHECK-DAG: %[[T:.*]] = ds.transpose %[[W]] [1, 0]
  // CHECK: %[[R:.*]] = ds.linear %arg0, %[[T]] bias %[[B]]
  // CHECK-NEXT: return %[[R]]
  %w = ds.load_parameter @kn : tensor<4x8xf32>
  %b = ds.load_parameter @b : tensor<8xf32>
  %p = ds.matmul %x, %w : tensor<?x?x4xf32>, tensor<4x8xf32> to tensor<?x?x8xf32>
  %y = ds.elementwise add %b, %p : (tensor<8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// A widened, transposed parameter is read as it is stored.
// CHECK-LABEL: @stored
func.func @stored(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
  // CHECK: %[[W:.*]] = ds.load_parameter @nk : tensor<8x4xbf16>
  // CHECK-NEXT: ds.linear %arg0, %[[W]] : tensor<?x4xf32>, tensor<8x4xbf16> to tensor<?x8xf32>
  %w = ds.load_parameter @nk : tensor<8x4xbf16>
  %wide = ds.cast %w : tensor<8x4xbf16> to tensor<8x4xf32>
  %t = ds.transpose %wide [1, 0] : tensor<8x4xf32> to tensor<4x8xf32>
  %y = ds.matmul %x, %t : tensor<?x4xf32>, tensor<4x8xf32> to tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// Reshapes that only merged rows for the product go.
// CHECK-LABEL: @merged
func.func @merged(%x: tensor<?x?x4xf32>) -> tensor<?x?x8xf32> {
  // CHECK-NOT: ds.reshape
  // CHECK: ds.linear %arg0
  // CHECK-NOT: ds.reshape
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x4xf32>
  %s = tensor.dim %x, %c1 : tensor<?x?x4xf32>
  %n = arith.muli %b, %s : index
  %w = ds.load_parameter @kn : tensor<4x8xf32>
  %rows = ds.reshape %x[%n] : tensor<?x?x4xf32> to tensor<?x4xf32>
  %p = ds.matmul %rows, %w : tensor<?x4xf32>, tensor<4x8xf32> to tensor<?x8xf32>
  %y = ds.reshape %p[%b, %s] : tensor<?x8xf32> to tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// Two activations are no linear; neither is an integer product.
// CHECK-LABEL: @activations
// CHECK-NOT: ds.linear
func.func @activations(%x: tensor<2x4xf32>, %z: tensor<4x8xf32>) -> tensor<2x8xf32> {
  %y = ds.matmul %x, %z : tensor<2x4xf32>, tensor<4x8xf32> to tensor<2x8xf32>
  return %y : tensor<2x8xf32>
}

// A second use of the product keeps the addition apart.
// CHECK-LABEL: @used_twice
// CHECK: ds.linear %{{[^:]*}} :
// CHECK: ds.elementwise add
func.func @used_twice(%x: tensor<?x4xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %w = ds.load_parameter @kn : tensor<4x8xf32>
  %b = ds.load_parameter @b : tensor<8xf32>
  %p = ds.matmul %x, %w : tensor<?x4xf32>, tensor<4x8xf32> to tensor<?x8xf32>
  %y = ds.elementwise add %p, %b : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return %p, %y : tensor<?x8xf32>, tensor<?x8xf32>
}
