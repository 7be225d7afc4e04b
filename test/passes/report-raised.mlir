// RUN: ds-opt %s --ds-report-raised -o /dev/null 2>&1 | FileCheck %s

// What was found, by the names of the model's file, the first eight of them; then how much was not.
// CHECK: remark: @many: 9 ds.swiglu: a, b, c, d, e, f, g, h and 1 more
// CHECK: remark: @many: 1 other operations of the ds dialect
func.func @many(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = ds.swiglu %x, %x : tensor<?x4xf32>, tensor<?x4xf32> to tensor<?x4xf32> loc("a")
  %1 = ds.swiglu %0, %x : tensor<?x4xf32>, tensor<?x4xf32> to tensor<?x4xf32> loc("b")
  %2 = ds.swiglu %1, %x : tensor<?x4xf32>, tensor<?x4xf32> to tensor<?x4xf32> loc("c")
  %3 = ds.swiglu %2, %x : tensor<?x4xf32>, tensor<?x4xf32> to tensor<?x4xf32> loc("d")
  %4 = ds.swiglu %3, %x : tensor<?x4xf32>, tensor<?x4xf32> to tensor<?x4xf32> loc("e")
  %5 = ds.swiglu %4, %x : tensor<?x4xf32>, tensor<?x4xf32> to tensor<?x4xf32> loc("f")
  %6 = ds.swiglu %5, %x : tensor<?x4xf32>, tensor<?x4xf32> to tensor<?x4xf32> loc("g")
  %7 = ds.swiglu %6, %x : tensor<?x4xf32>, tensor<?x4xf32> to tensor<?x4xf32> loc("h")
  %8 = ds.swiglu %7, %x : tensor<?x4xf32>, tensor<?x4xf32> to tensor<?x4xf32> loc("i")
  %9 = ds.elementwise add %8, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %9 : tensor<?x4xf32>
}

// Where nothing was found nothing is said.
// CHECK-NOT: @none
func.func @none(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = ds.elementwise add %x, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
