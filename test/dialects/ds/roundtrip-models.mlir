// RUN: ds-opt %s | ds-opt | FileCheck %s
// RUN: ds-opt %s -mlir-print-op-generic | ds-opt | FileCheck %s

// Experts, latent attention, token prediction: every op, with static and with
// dynamic sizes, through the custom and the generic form.

// CHECK-LABEL: func.func @route
func.func @route(%l: tensor<?x16xf32>, %one: tensor<3x1xf32>, %b: tensor<16xf32>, %rate: tensor<f32>) -> tensor<?xf32> {
  // CHECK: ds.route %{{.*}} bias %{{.*}} : tensor<16xf32> sigmoid top 4 groups 4 keep 2 by top2sum fill lowest normalize 9.9999999999999995E-21 scale 2.500000e+00 : tensor<?x16xf32> to tensor<?x4xf32>, tensor<?x4xi32>, tensor<16xi32>
  %w, %e, %n = ds.route %l bias %b : tensor<16xf32> sigmoid top 4 groups 4 keep 2 by top2sum fill lowest normalize 1.0e-20 scale 2.5 : tensor<?x16xf32> to tensor<?x4xf32>, tensor<?x4xi32>, tensor<16xi32>
  // CHECK: ds.route %{{.*}} softmax top 1 groups 1 keep 1 by max fill zero scale 1.000000e+00 : tensor<3x1xf32> to tensor<3x1xf32>, tensor<3x1xi32>, tensor<1xi32>
  %w1, %e1, %n1 = ds.route %one softmax top 1 groups 1 keep 1 by max fill zero scale 1.0 : tensor<3x1xf32> to tensor<3x1xf32>, tensor<3x1xi32>, tensor<1xi32>
  // CHECK: ds.update_route_bias %{{.*}}, %{{.*}} rate %{{.*}} : tensor<16xf32>, tensor<16xi32>, tensor<f32> to tensor<16xf32>
  %0 = ds.update_route_bias %b, %n rate %rate : tensor<16xf32>, tensor<16xi32>, tensor<f32> to tensor<16xf32>
  // CHECK: ds.update_route_bias %{{.*}}, %{{.*}} rate %{{.*}} : tensor<?xf32>, tensor<?xi32>, tensor<f32> to tensor<?xf32>
  %f = tensor.cast %0 : tensor<16xf32> to tensor<?xf32>
  %i = tensor.cast %n : tensor<16xi32> to tensor<?xi32>
  %1 = ds.update_route_bias %f, %i rate %rate : tensor<?xf32>, tensor<?xi32>, tensor<f32> to tensor<?xf32>
  return %1 : tensor<?xf32>
}

// CHECK-LABEL: func.func @experts
func.func @experts(%x: tensor<?x8xf32>, %w: tensor<?x2xf32>, %e: tensor<?x2xi32>, %g: tensor<3x16x8xbf16>, %d: tensor<3x8x16xbf16>,
                   %x5: tensor<5x8xf16>, %w5: tensor<5x3xf32>, %e5: tensor<5x3xi64>) {
  // CHECK: ds.moe %{{.*}} weights %{{.*}} experts %{{.*}} gate %{{.*}} up %{{.*}} down %{{.*}} : tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<3x16x8xbf16>, tensor<3x16x8xbf16>, tensor<3x8x16xbf16> to tensor<?x8xf32>
  %0 = ds.moe %x weights %w experts %e gate %g up %g down %d : tensor<?x8xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<3x16x8xbf16>, tensor<3x16x8xbf16>, tensor<3x8x16xbf16> to tensor<?x8xf32>
  // CHECK: ds.group_tokens %{{.*}} of 3 tiles 32 : tensor<?x2xi32> to tensor<?xi32>, tensor<?x2xi32>, tensor<4xi32>, tensor<?x3xi32>, tensor<i32>
  %t, %p, %o, %l, %n = ds.group_tokens %e of 3 tiles 32 : tensor<?x2xi32> to tensor<?xi32>, tensor<?x2xi32>, tensor<4xi32>, tensor<?x3xi32>, tensor<i32>
  // CHECK: ds.group_tokens %{{.*}} of 3 tiles 4 : tensor<5x3xi64> to tensor<15xi32>, tensor<5x3xi32>, tensor<4xi32>, tensor<7x3xi32>, tensor<i32>
  %t5, %p5, %o5, %l5, %n5 = ds.group_tokens %e5 of 3 tiles 4 : tensor<5x3xi64> to tensor<15xi32>, tensor<5x3xi32>, tensor<4xi32>, tensor<7x3xi32>, tensor<i32>
  // CHECK: ds.grouped_linear %{{.*}} rows %{{.*}} : tensor<?xi32>, %{{.*}} in %{{.*}}, %{{.*}} : tensor<?x8xf32>, tensor<3x16x8xbf16>, tensor<?x3xi32>, tensor<i32> to tensor<?x16xf32>
  %1 = ds.grouped_linear %x rows %t : tensor<?xi32>, %g in %l, %n : tensor<?x8xf32>, tensor<3x16x8xbf16>, tensor<?x3xi32>, tensor<i32> to tensor<?x16xf32>
  // CHECK: ds.grouped_linear %{{.*}}, %{{.*}} in %{{.*}}, %{{.*}} : tensor<?x16xf32>, tensor<3x8x16xbf16>, tensor<?x3xi32>, tensor<i32> to tensor<?x8xf32>
  %2 = ds.grouped_linear %1, %d in %l, %n : tensor<?x16xf32>, tensor<3x8x16xbf16>, tensor<?x3xi32>, tensor<i32> to tensor<?x8xf32>
  // CHECK: ds.grouped_linear %{{.*}} rows %{{.*}} : tensor<15xi32>, %{{.*}} in %{{.*}}, %{{.*}} : tensor<5x8xf16>, tensor<3x16x8xbf16>, tensor<7x3xi32>, tensor<i32> to tensor<15x16xf32>
  %3 = ds.grouped_linear %x5 rows %t5 : tensor<15xi32>, %g in %l5, %n5 : tensor<5x8xf16>, tensor<3x16x8xbf16>, tensor<7x3xi32>, tensor<i32> to tensor<15x16xf32>
  // CHECK: ds.combine %{{.*}} at %{{.*}} weights %{{.*}} : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32> to tensor<?x8xf32>
  %4 = ds.combine %2 at %p weights %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32> to tensor<?x8xf32>
  // CHECK: ds.combine %{{.*}} at %{{.*}} weights %{{.*}} : tensor<15x16xf32>, tensor<5x3xi32>, tensor<5x3xf32> to tensor<5x16xbf16>
  %5 = ds.combine %3 at %p5 weights %w5 : tensor<15x16xf32>, tensor<5x3xi32>, tensor<5x3xf32> to tensor<5x16xbf16>
  return
}

// CHECK-LABEL: func.func @latent
func.func @latent(%q: tensor<?x3x24xf32>, %qa: tensor<9x3x36xf32>, %c: tensor<?x1x?x20xbf16>, %r: tensor<?x1x?x16xbf16>,
                  %uk: tensor<3x8x20xbf16>, %uv: tensor<3x5x20xbf16>, %start: tensor<?xi32>, %past: tensor<?xi32>,
                  %qb: tensor<1x?x3x36xf32>, %cb: tensor<1x1x?x20xbf16>, %rb: tensor<1x1x?x16xbf16>, %acc: tensor<1x?x3x20xf32>,
                  %max: tensor<1x?x3xf32>) {
  // CHECK: ds.mla %{{.*}}, %{{.*}}, %{{.*}} expand %{{.*}}, %{{.*}} at %{{.*}}, %{{.*}}, %{{.*}} scale 1.250000e-01 : tensor<?x3x24xf32>, tensor<?x1x?x20xbf16>, tensor<?x1x?x16xbf16>, tensor<3x8x20xbf16>, tensor<3x5x20xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x3x5xf32>
  %0 = ds.mla %q, %c, %r expand %uk, %uv at %start, %past, %past scale 0.125 : tensor<?x3x24xf32>, tensor<?x1x?x20xbf16>, tensor<?x1x?x16xbf16>, tensor<3x8x20xbf16>, tensor<3x5x20xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x3x5xf32>
  // CHECK: ds.mla_absorbed %{{.*}}, %{{.*}}, %{{.*}} at %{{.*}}, %{{.*}}, %{{.*}} scale 1.250000e-01 : tensor<9x3x36xf32>, tensor<?x1x?x20xbf16>, tensor<?x1x?x16xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x20xf32>
  %1 = ds.mla_absorbed %qa, %c, %r at %start, %past, %past scale 0.125 : tensor<9x3x36xf32>, tensor<?x1x?x20xbf16>, tensor<?x1x?x16xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x20xf32>
  // CHECK: ds.online_attention %{{.*}}, %{{.*}}, %{{.*}} tail %{{.*}} : tensor<1x1x?x16xbf16> scale 1.250000e-01 into %{{.*}}, %{{.*}}, %{{.*}} : tensor<1x?x3x36xf32>, tensor<1x1x?x20xbf16>, tensor<1x1x?x20xbf16> into tensor<1x?x3x20xf32>, tensor<1x?x3xf32>, tensor<1x?x3xf32>
  %2:3 = ds.online_attention %qb, %cb, %cb tail %rb : tensor<1x1x?x16xbf16> scale 0.125 into %acc, %max, %max : tensor<1x?x3x36xf32>, tensor<1x1x?x20xbf16>, tensor<1x1x?x20xbf16> into tensor<1x?x3x20xf32>, tensor<1x?x3xf32>, tensor<1x?x3xf32>
  return
}

// CHECK-LABEL: func.func @token_prediction
func.func @token_prediction(%e: tensor<?x8xf32>, %e1: tensor<8xbf16>, %n: tensor<8xf32>, %w: tensor<12x16xbf16>) {
  // CHECK: ds.mtp_input %{{.*}}, %{{.*}} norms %{{.*}}, %{{.*}} weight %{{.*}} epsilon 9.9999999999999995E-7 : tensor<?x8xf32>, tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<12x16xbf16> to tensor<?x12xf32>
  %0 = ds.mtp_input %e, %e norms %n, %n weight %w epsilon 1.0e-6 : tensor<?x8xf32>, tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<12x16xbf16> to tensor<?x12xf32>
  // CHECK: ds.mtp_input %{{.*}}, %{{.*}} norms %{{.*}}, %{{.*}} weight %{{.*}} epsilon 0.000000e+00 : tensor<8xbf16>, tensor<8xbf16>, tensor<8xf32>, tensor<8xf32>, tensor<12x16xbf16> to tensor<12xbf16>
  %1 = ds.mtp_input %e1, %e1 norms %n, %n weight %w epsilon 0.0 : tensor<8xbf16>, tensor<8xbf16>, tensor<8xf32>, tensor<8xf32>, tensor<12x16xbf16> to tensor<12xbf16>
  return
}

// The weights of the experts of a layer are one parameter: pieces of files.
// CHECK: ds.parameter @experts_fp8 : tensor<2x129x3xf8E4M3FN> = [#ds.file_range<"a", 0, 387>, #ds.file_range<"b", 64, 387>]
ds.parameter @experts_fp8 : tensor<2x129x3xf8E4M3FN> = [#ds.file_range<"a", 0, 387>, #ds.file_range<"b", 64, 387>]
// CHECK-LABEL: func.func @blocks
func.func @blocks(%s: tensor<2x2x1xf32>, %w: tensor<?x?xi8>, %t: tensor<?x?xbf16>) {
  %x = ds.load_parameter @experts_fp8 : tensor<2x129x3xf8E4M3FN>
  // CHECK: ds.dequantize_blocks %{{.*}} scale %{{.*}} blocks [128, 128] : tensor<2x129x3xf8E4M3FN>, tensor<2x2x1xf32> to tensor<2x129x3xf32>
  %0 = ds.dequantize_blocks %x scale %s blocks [128, 128] : tensor<2x129x3xf8E4M3FN>, tensor<2x2x1xf32> to tensor<2x129x3xf32>
  // CHECK: ds.dequantize_blocks %{{.*}} scale %{{.*}} blocks [1, 7] : tensor<?x?xi8>, tensor<?x?xbf16> to tensor<?x?xbf16>
  %1 = ds.dequantize_blocks %w scale %t blocks [1, 7] : tensor<?x?xi8>, tensor<?x?xbf16> to tensor<?x?xbf16>
  return
}
