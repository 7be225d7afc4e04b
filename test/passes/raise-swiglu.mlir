// RUN: ds-opt %s --ds-raise-swiglu --canonicalize | FileCheck %s --enable-var-scope

// CHECK-LABEL: @swiglu
func.func @swiglu(%gate: tensor<?x8xf32>, %up: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %s = ds.elementwise sigmoid %gate : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %silu = ds.elementwise mul %s, %gate : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  // CHECK-NEXT: %[[R:.*]] = ds.swiglu %arg0, %arg1
  // CHECK-NEXT: return %[[R]]
  %y = ds.elementwise mul %up, %silu : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// The sigmoid of another value gates.
// CHECK-LABEL: @other_gate
// CHECK-NOT: ds.swiglu
func.func @other_gate(%gate: tensor<?x8xf32>, %up: tensor<?x8xf32>, %z: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %s = ds.elementwise sigmoid %z : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g = ds.elementwise mul %s, %gate : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = ds.elementwise mul %up, %g : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// Operands that broadcast are no SwiGLU.
// CHECK-LABEL: @broadcast
// CHECK-NOT: ds.swiglu
func.func @broadcast(%gate: tensor<?x8xf32>, %up: tensor<8xf32>) -> tensor<?x8xf32> {
  %s = ds.elementwise sigmoid %gate : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %silu = ds.elementwise mul %gate, %s : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = ds.elementwise mul %silu, %up : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
