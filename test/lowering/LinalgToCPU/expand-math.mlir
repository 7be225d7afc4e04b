// RUN: ds-opt %s --pass-pipeline="builtin.module(func.func(ds-expand-math))" | FileCheck %s

// CHECK-LABEL: func.func @single
// CHECK-NOT: math.exp
// CHECK-NOT: math.log
// CHECK-NOT: math.tanh
// CHECK: math.fma
func.func @single(%x: f32, %v: vector<16xf32>) -> (f32, f32, f32, vector<16xf32>) {
  %a = math.exp %x : f32
  %b = math.log %x : f32
  %c = math.tanh %x : f32
  %d = math.exp %v : vector<16xf32>
  return %a, %b, %c, %d : f32, f32, f32, vector<16xf32>
}

// CHECK-LABEL: func.func @kept
// CHECK: math.exp %{{.+}} : f64
// CHECK: math.sin %{{.+}} : f32
func.func @kept(%x: f64, %y: f32) -> (f64, f32) {
  %a = math.exp %x : f64
  %b = math.sin %y : f32
  return %a, %b : f64, f32
}
