// RUN: ds-opt %s --ds-count-slow-ops 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK < %t.err
// RUN: not ds-opt %s --ds-count-slow-ops=require-fast 2>&1 | FileCheck %s --check-prefix=ERROR

// A product, a norm, softmax, reductions and a running sum of an entry. Not an elementwise op, nor what has no elements, nor the
// parameter program, which runs only once.
// CHECK: module attributes {ds.slow_ops = 6 : i64} {
// REMARK-COUNT-6: remark: {{.*}} has no vector kernel
// REMARK-NOT: remark
// ERROR-DAG: error: 'ds.linear' has no vector kernel for its types and shapes and goes through plain loops (--require-fast)
// ERROR-DAG: error: 'ds.rms_norm' has no vector kernel
// ERROR-DAG: error: 'ds.softmax' has no vector kernel
// ERROR-DAG: error: 'ds.reduce' has no vector kernel
// ERROR-DAG: error: 'ds.arg_reduce' has no vector kernel
// ERROR-DAG: error: 'ds.cumulative' has no vector kernel
func.func @graph(%x: tensor<2x4xf64> {ds.name = "x"}, %w: tensor<3x4xf64> {ds.name = "w"}, %g: tensor<4xf64> {ds.name = "g"}) -> (tensor<2x3xf64> {ds.name = "y"}, tensor<2x4xf64> {ds.name = "z"}) attributes {ds.entry = "graph"} {
  %0 = ds.elementwise add %x, %x : (tensor<2x4xf64>, tensor<2x4xf64>) -> tensor<2x4xf64>
  %1 = ds.linear %0, %w : tensor<2x4xf64>, tensor<3x4xf64> to tensor<2x3xf64>
  %2 = ds.rms_norm %x, %g epsilon 1.0e-06 : tensor<2x4xf64>, tensor<4xf64> to tensor<2x4xf64>
  %3 = ds.softmax %x 1 : tensor<2x4xf64> to tensor<2x4xf64>
  %4 = ds.reduce sum %x [1] : tensor<2x4xf64> to tensor<2xf64>
  %5 = ds.arg_reduce max %x 1 : tensor<2x4xf64> to tensor<2x1xi64>
  %6 = ds.cumulative sum %x 1 : tensor<2x4xf64> to tensor<2x4xf64>
  %none = tensor.empty() : tensor<2x0xf32>
  %7 = ds.reduce sum %none [1] : tensor<2x0xf32> to tensor<2xf32>
  return %1, %2 : tensor<2x3xf64>, tensor<2x4xf64>
}
func.func private @parameter_0(%x: tensor<2x4xf64>, %w: tensor<3x4xf64>) -> tensor<2x3xf64> attributes {ds.entry = "parameter"} {
  %0 = ds.linear %x, %w : tensor<2x4xf64>, tensor<3x4xf64> to tensor<2x3xf64>
  return %0 : tensor<2x3xf64>
}
