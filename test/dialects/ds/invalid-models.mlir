// RUN: ds-opt %s -split-input-file -verify-diagnostics

// One case for every message of the verifiers of experts, latent attention and
// token prediction; the others are in invalid.mlir.

func.func @route_type(%l: tensor<3x8xf64>) {
  // expected-error @below {{'ds.route' op C1: logits has elements of type 'f64', expected 'f32'}}
  %0:3 = ds.route %l sigmoid top 2 groups 2 keep 1 by max fill zero normalize 0.0 scale 1.0 : tensor<3x8xf64> to tensor<3x2xf32>, tensor<3x2xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_rank(%l: tensor<8xf32>) {
  // expected-error @below {{'ds.route' op C1: logits has rank 1, expected 2}}
  %0:3 = ds.route %l sigmoid top 2 groups 2 keep 1 by max fill zero normalize 0.0 scale 1.0 : tensor<8xf32> to tensor<3x2xf32>, tensor<3x2xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_experts(%l: tensor<3x?xf32>) {
  // expected-error @below {{'ds.route' op C1: logits has ? columns, expected a static number of experts, 1 or more}}
  %0:3 = ds.route %l sigmoid top 2 groups 2 keep 1 by max fill zero normalize 0.0 scale 1.0 : tensor<3x?xf32> to tensor<3x2xf32>, tensor<3x2xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_bias_type(%l: tensor<3x8xf32>, %b: tensor<8xbf16>) {
  // expected-error @below {{'ds.route' op C2: bias has elements of type 'bf16', expected 'f32'}}
  %0:3 = ds.route %l bias %b : tensor<8xbf16> sigmoid top 2 groups 2 keep 1 by max fill zero normalize 0.0 scale 1.0 : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_bias(%l: tensor<3x8xf32>, %b: tensor<7xf32>) {
  // expected-error @below {{'ds.route' op C2: bias has shape [7], expected [8]}}
  %0:3 = ds.route %l bias %b : tensor<7xf32> sigmoid top 2 groups 2 keep 1 by max fill zero normalize 0.0 scale 1.0 : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_top(%l: tensor<3x8xf32>) {
  // expected-error @below {{'ds.route' op C3: top_k is 9, expected a number from 1 to 8}}
  %0:3 = ds.route %l sigmoid top 9 groups 2 keep 1 by max fill zero normalize 0.0 scale 1.0 : tensor<3x8xf32> to tensor<3x9xf32>, tensor<3x9xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_groups(%l: tensor<3x8xf32>) {
  // expected-error @below {{'ds.route' op C4: groups is 3, expected a divisor of the 8 experts}}
  %0:3 = ds.route %l sigmoid top 2 groups 3 keep 1 by max fill zero normalize 0.0 scale 1.0 : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_keep(%l: tensor<3x8xf32>) {
  // expected-error @below {{'ds.route' op C4: kept_groups is 0, expected a number from 1 to 2}}
  %0:3 = ds.route %l sigmoid top 2 groups 2 keep 0 by max fill zero normalize 0.0 scale 1.0 : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_normalize(%l: tensor<3x8xf32>) {
  // expected-error @below {{'ds.route' op C5: normalize is -1.000000e+00, expected a number from 0 on}}
  %0:3 = ds.route %l sigmoid top 2 groups 2 keep 1 by max fill zero normalize -1.0 scale 1.0 : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_scale(%l: tensor<3x8xf32>) {
  // expected-error @below {{'ds.route' op C5: scale is INF, expected a finite number}}
  %0:3 = ds.route %l sigmoid top 2 groups 2 keep 1 by max fill zero normalize 0.0 scale 0x7FF0000000000000 : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_weights(%l: tensor<3x8xf32>) {
  // expected-error @below {{'ds.route' op C6: weights has shape [3, 3], expected [3, 2]}}
  %0:3 = ds.route %l sigmoid top 2 groups 2 keep 1 by max fill zero normalize 0.0 scale 1.0 : tensor<3x8xf32> to tensor<3x3xf32>, tensor<3x2xi32>, tensor<8xi32>
  return
}

// -----

func.func @route_ids(%l: tensor<3x8xf32>) {
  // expected-error @below {{'ds.route' op C6: experts has elements of type 'i64', expected 'i32'}}
  %0:3 = ds.route %l sigmoid top 2 groups 2 keep 1 by max fill zero normalize 0.0 scale 1.0 : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi64>, tensor<8xi32>
  return
}

// -----

func.func @route_loads(%l: tensor<3x8xf32>) {
  // expected-error @below {{'ds.route' op C6: loads has shape [7], expected [8]}}
  %0:3 = ds.route %l sigmoid top 2 groups 2 keep 1 by max fill zero normalize 0.0 scale 1.0 : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi32>, tensor<7xi32>
  return
}

// -----

func.func @update_type(%b: tensor<8xf16>, %l: tensor<8xi32>, %r: tensor<f32>) {
  // expected-error @below {{'ds.update_route_bias' op C1: bias has elements of type 'f16', expected 'f32'}}
  %0 = ds.update_route_bias %b, %l rate %r : tensor<8xf16>, tensor<8xi32>, tensor<f32> to tensor<8xf16>
  return
}

// -----

func.func @update_rank(%b: tensor<2x8xf32>, %l: tensor<8xi32>, %r: tensor<f32>) {
  // expected-error @below {{'ds.update_route_bias' op C1: bias has rank 2, expected 1}}
  %0 = ds.update_route_bias %b, %l rate %r : tensor<2x8xf32>, tensor<8xi32>, tensor<f32> to tensor<8xf32>
  return
}

// -----

func.func @update_loads(%b: tensor<8xf32>, %l: tensor<7xi32>, %r: tensor<f32>) {
  // expected-error @below {{'ds.update_route_bias' op C2: loads has shape [7], expected [8]}}
  %0 = ds.update_route_bias %b, %l rate %r : tensor<8xf32>, tensor<7xi32>, tensor<f32> to tensor<8xf32>
  return
}

// -----

func.func @update_rate(%b: tensor<8xf32>, %l: tensor<8xi32>, %r: tensor<f64>) {
  // expected-error @below {{'ds.update_route_bias' op C3: rate has elements of type 'f64', expected 'f32'}}
  %0 = ds.update_route_bias %b, %l rate %r : tensor<8xf32>, tensor<8xi32>, tensor<f64> to tensor<8xf32>
  return
}

// -----

func.func @update_rate_rank(%b: tensor<8xf32>, %l: tensor<8xi32>, %r: tensor<1xf32>) {
  // expected-error @below {{'ds.update_route_bias' op C3: rate has rank 1, expected 0}}
  %0 = ds.update_route_bias %b, %l rate %r : tensor<8xf32>, tensor<8xi32>, tensor<1xf32> to tensor<8xf32>
  return
}

// -----

func.func @moe_type(%x: tensor<5x8xi32>, %w: tensor<5x2xf32>, %e: tensor<5x2xi32>, %g: tensor<3x16x8xf32>, %u: tensor<3x16x8xf32>, %d: tensor<3x8x16xf32>) {
  // expected-error @below {{'ds.moe' op C1: input has elements of type 'i32', expected floats}}
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<5x8xi32>, tensor<5x2xf32>, tensor<5x2xi32>, tensor<3x16x8xf32>, tensor<3x16x8xf32>, tensor<3x8x16xf32> to tensor<5x8xi32>
  return
}

// -----

func.func @moe_rank(%x: tensor<1x5x8xf32>, %w: tensor<5x2xf32>, %e: tensor<5x2xi32>, %g: tensor<3x16x8xf32>, %u: tensor<3x16x8xf32>, %d: tensor<3x8x16xf32>) {
  // expected-error @below {{'ds.moe' op C1: input has rank 3, expected 2}}
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<1x5x8xf32>, tensor<5x2xf32>, tensor<5x2xi32>, tensor<3x16x8xf32>, tensor<3x16x8xf32>, tensor<3x8x16xf32> to tensor<1x5x8xf32>
  return
}

// -----

func.func @moe_ids(%x: tensor<5x8xf32>, %w: tensor<5x2xf32>, %e: tensor<5x2xi1>, %g: tensor<3x16x8xf32>, %u: tensor<3x16x8xf32>, %d: tensor<3x8x16xf32>) {
  // expected-error @below {{'ds.moe' op C2: experts has elements of type 'i1', expected integers}}
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<5x8xf32>, tensor<5x2xf32>, tensor<5x2xi1>, tensor<3x16x8xf32>, tensor<3x16x8xf32>, tensor<3x8x16xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @moe_tokens(%x: tensor<5x8xf32>, %w: tensor<5x2xf32>, %e: tensor<4x2xi32>, %g: tensor<3x16x8xf32>, %u: tensor<3x16x8xf32>, %d: tensor<3x8x16xf32>) {
  // expected-error @below {{'ds.moe' op C2: experts has size 4 in dimension 0, expected 5 (the input's rows)}}
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<5x8xf32>, tensor<5x2xf32>, tensor<4x2xi32>, tensor<3x16x8xf32>, tensor<3x16x8xf32>, tensor<3x8x16xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @moe_weights(%x: tensor<5x8xf32>, %w: tensor<5x3xf32>, %e: tensor<5x2xi32>, %g: tensor<3x16x8xf32>, %u: tensor<3x16x8xf32>, %d: tensor<3x8x16xf32>) {
  // expected-error @below {{'ds.moe' op C2: weights has shape [5, 3], expected [5, 2]}}
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<5x8xf32>, tensor<5x3xf32>, tensor<5x2xi32>, tensor<3x16x8xf32>, tensor<3x16x8xf32>, tensor<3x8x16xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @moe_gate(%x: tensor<5x8xf32>, %w: tensor<5x2xf32>, %e: tensor<5x2xi32>, %g: tensor<3x16x9xf32>, %u: tensor<3x16x8xf32>, %d: tensor<3x8x16xf32>) {
  // expected-error @below {{'ds.moe' op C3: gate has shape [3, 16, 9], expected [3, 16, 8]}}
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<5x8xf32>, tensor<5x2xf32>, tensor<5x2xi32>, tensor<3x16x9xf32>, tensor<3x16x8xf32>, tensor<3x8x16xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @moe_no_experts(%x: tensor<5x8xf32>, %w: tensor<5x2xf32>, %e: tensor<5x2xi32>, %g: tensor<0x16x8xf32>, %u: tensor<0x16x8xf32>, %d: tensor<0x8x16xf32>) {
  // expected-error @below {{'ds.moe' op C3: gate has 0 experts, expected a static number, 1 or more}}
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<5x8xf32>, tensor<5x2xf32>, tensor<5x2xi32>, tensor<0x16x8xf32>, tensor<0x16x8xf32>, tensor<0x8x16xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @moe_up(%x: tensor<5x8xf32>, %w: tensor<5x2xf32>, %e: tensor<5x2xi32>, %g: tensor<3x16x8xf32>, %u: tensor<3x15x8xf32>, %d: tensor<3x8x16xf32>) {
  // expected-error @below {{'ds.moe' op C3: up has shape [3, 15, 8], expected [3, 16, 8]}}
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<5x8xf32>, tensor<5x2xf32>, tensor<5x2xi32>, tensor<3x16x8xf32>, tensor<3x15x8xf32>, tensor<3x8x16xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @moe_down(%x: tensor<5x8xf32>, %w: tensor<5x2xf32>, %e: tensor<5x2xi32>, %g: tensor<3x16x8xf32>, %u: tensor<3x16x8xf32>, %d: tensor<3x16x8xf32>) {
  // expected-error @below {{'ds.moe' op C3: down has shape [3, 16, 8], expected [3, 8, 16]}}
  %0 = ds.moe %x weights %w experts %e gate %g up %u down %d : tensor<5x8xf32>, tensor<5x2xf32>, tensor<5x2xi32>, tensor<3x16x8xf32>, tensor<3x16x8xf32>, tensor<3x16x8xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @moe_result(%x: tensor<5x8xf32>, %w: tensor<5x2xf32>, %e: tensor<5x2xi32>, %g: tensor<3x16x8xf32>, %u: tensor<3x16x8xf32>, %d: tensor<3x8x16xf32>) {
  // expected-error @below {{'ds.moe' op C4: the result has shape [5, 9], expected [5, 8]}}
  %0 = "ds.moe"(%x, %w, %e, %g, %u, %d) : (tensor<5x8xf32>, tensor<5x2xf32>, tensor<5x2xi32>, tensor<3x16x8xf32>, tensor<3x16x8xf32>, tensor<3x8x16xf32>) -> tensor<5x9xf32>
  return
}

// -----

func.func @group_type(%e: tensor<5x2xf32>) {
  // expected-error @below {{'ds.group_tokens' op C1: experts has elements of type 'f32', expected integers}}
  %0:5 = ds.group_tokens %e of 3 tiles 4 : tensor<5x2xf32> to tensor<10xi32>, tensor<5x2xi32>, tensor<4xi32>, tensor<6x3xi32>, tensor<i32>
  return
}

// -----

func.func @group_slots(%e: tensor<5x?xi32>) {
  // expected-error @below {{'ds.group_tokens' op C1: experts has ? columns, expected a static number}}
  %0:5 = ds.group_tokens %e of 3 tiles 4 : tensor<5x?xi32> to tensor<10xi32>, tensor<5x2xi32>, tensor<4xi32>, tensor<6x3xi32>, tensor<i32>
  return
}

// -----

func.func @group_tiles(%e: tensor<5x2xi32>) {
  // expected-error @below {{'ds.group_tokens' op C2: num_experts is 3 and tile_rows is 0, expected positive numbers}}
  %0:5 = ds.group_tokens %e of 3 tiles 0 : tensor<5x2xi32> to tensor<10xi32>, tensor<5x2xi32>, tensor<4xi32>, tensor<6x3xi32>, tensor<i32>
  return
}

// -----

func.func @group_rows(%e: tensor<5x2xi32>) {
  // expected-error @below {{'ds.group_tokens' op C3: tokens has shape [9], expected [10]}}
  %0:5 = ds.group_tokens %e of 3 tiles 4 : tensor<5x2xi32> to tensor<9xi32>, tensor<5x2xi32>, tensor<4xi32>, tensor<6x3xi32>, tensor<i32>
  return
}

// -----

func.func @group_places(%e: tensor<5x2xi32>) {
  // expected-error @below {{'ds.group_tokens' op C3: places has elements of type 'i64', expected 'i32'}}
  %0:5 = ds.group_tokens %e of 3 tiles 4 : tensor<5x2xi32> to tensor<10xi32>, tensor<5x2xi64>, tensor<4xi32>, tensor<6x3xi32>, tensor<i32>
  return
}

// -----

func.func @group_offsets(%e: tensor<5x2xi32>) {
  // expected-error @below {{'ds.group_tokens' op C3: offsets has shape [3], expected [4]}}
  %0:5 = ds.group_tokens %e of 3 tiles 4 : tensor<5x2xi32> to tensor<10xi32>, tensor<5x2xi32>, tensor<3xi32>, tensor<6x3xi32>, tensor<i32>
  return
}

// -----

func.func @group_tile_list(%e: tensor<5x2xi32>) {
  // expected-error @below {{'ds.group_tokens' op C3: tiles has shape [5, 3], expected [6, 3]}}
  %0:5 = ds.group_tokens %e of 3 tiles 4 : tensor<5x2xi32> to tensor<10xi32>, tensor<5x2xi32>, tensor<4xi32>, tensor<5x3xi32>, tensor<i32>
  return
}

// -----

func.func @grouped_type(%x: tensor<5x8xf32>, %r: tensor<10xi32>, %w: tensor<3x16x8xi8>, %t: tensor<6x3xi32>, %c: tensor<i32>) {
  // expected-error @below {{'ds.grouped_linear' op C1: weight has elements of type 'i8', expected floats}}
  %0 = ds.grouped_linear %x rows %r : tensor<10xi32>, %w in %t, %c : tensor<5x8xf32>, tensor<3x16x8xi8>, tensor<6x3xi32>, tensor<i32> to tensor<10x16xf32>
  return
}

// -----

func.func @grouped_rank(%x: tensor<5x8xf32>, %r: tensor<10xi32>, %w: tensor<16x8xf32>, %t: tensor<6x3xi32>, %c: tensor<i32>) {
  // expected-error @below {{'ds.grouped_linear' op C1: weight has rank 2, expected 3}}
  %0 = ds.grouped_linear %x rows %r : tensor<10xi32>, %w in %t, %c : tensor<5x8xf32>, tensor<16x8xf32>, tensor<6x3xi32>, tensor<i32> to tensor<10x16xf32>
  return
}

// -----

func.func @grouped_width(%x: tensor<5x8xf32>, %r: tensor<10xi32>, %w: tensor<3x16x9xf32>, %t: tensor<6x3xi32>, %c: tensor<i32>) {
  // expected-error @below {{'ds.grouped_linear' op C2: weight has size 9 in dimension 2, expected 8 (the input's last size)}}
  %0 = ds.grouped_linear %x rows %r : tensor<10xi32>, %w in %t, %c : tensor<5x8xf32>, tensor<3x16x9xf32>, tensor<6x3xi32>, tensor<i32> to tensor<10x16xf32>
  return
}

// -----

func.func @grouped_rows(%x: tensor<5x8xf32>, %r: tensor<10xi64>, %w: tensor<3x16x8xf32>, %t: tensor<6x3xi32>, %c: tensor<i32>) {
  // expected-error @below {{'ds.grouped_linear' op C3: rows has elements of type 'i64', expected 'i32'}}
  %0 = ds.grouped_linear %x rows %r : tensor<10xi64>, %w in %t, %c : tensor<5x8xf32>, tensor<3x16x8xf32>, tensor<6x3xi32>, tensor<i32> to tensor<10x16xf32>
  return
}

// -----

func.func @grouped_tiles(%x: tensor<5x8xf32>, %r: tensor<10xi32>, %w: tensor<3x16x8xf32>, %t: tensor<6x2xi32>, %c: tensor<i32>) {
  // expected-error @below {{'ds.grouped_linear' op C4: tiles has shape [6, 2], expected [?, 3]}}
  %0 = ds.grouped_linear %x rows %r : tensor<10xi32>, %w in %t, %c : tensor<5x8xf32>, tensor<3x16x8xf32>, tensor<6x2xi32>, tensor<i32> to tensor<10x16xf32>
  return
}

// -----

func.func @grouped_count(%x: tensor<5x8xf32>, %r: tensor<10xi32>, %w: tensor<3x16x8xf32>, %t: tensor<6x3xi32>, %c: tensor<i64>) {
  // expected-error @below {{'ds.grouped_linear' op C4: count has elements of type 'i64', expected 'i32'}}
  %0 = ds.grouped_linear %x rows %r : tensor<10xi32>, %w in %t, %c : tensor<5x8xf32>, tensor<3x16x8xf32>, tensor<6x3xi32>, tensor<i64> to tensor<10x16xf32>
  return
}

// -----

func.func @grouped_result(%x: tensor<5x8xf32>, %r: tensor<10xi32>, %w: tensor<3x16x8xf32>, %t: tensor<6x3xi32>, %c: tensor<i32>) {
  // expected-error @below {{'ds.grouped_linear' op C5: the result has shape [5, 16], expected [10, 16]}}
  %0 = ds.grouped_linear %x rows %r : tensor<10xi32>, %w in %t, %c : tensor<5x8xf32>, tensor<3x16x8xf32>, tensor<6x3xi32>, tensor<i32> to tensor<5x16xf32>
  return
}

// -----

func.func @combine_type(%v: tensor<10x8xi32>, %p: tensor<5x2xi32>, %w: tensor<5x2xf32>) {
  // expected-error @below {{'ds.combine' op C1: values has elements of type 'i32', expected floats}}
  %0 = ds.combine %v at %p weights %w : tensor<10x8xi32>, tensor<5x2xi32>, tensor<5x2xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @combine_places(%v: tensor<10x8xf32>, %p: tensor<5x2xi64>, %w: tensor<5x2xf32>) {
  // expected-error @below {{'ds.combine' op C2: places has elements of type 'i64', expected 'i32'}}
  %0 = ds.combine %v at %p weights %w : tensor<10x8xf32>, tensor<5x2xi64>, tensor<5x2xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @combine_weights(%v: tensor<10x8xf32>, %p: tensor<5x2xi32>, %w: tensor<5x3xf32>) {
  // expected-error @below {{'ds.combine' op C2: weights has shape [5, 3], expected [5, 2]}}
  %0 = ds.combine %v at %p weights %w : tensor<10x8xf32>, tensor<5x2xi32>, tensor<5x3xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @combine_result(%v: tensor<10x8xf32>, %p: tensor<5x2xi32>, %w: tensor<5x2xf32>) {
  // expected-error @below {{'ds.combine' op C3: the result has shape [5, 9], expected [5, 8]}}
  %0 = ds.combine %v at %p weights %w : tensor<10x8xf32>, tensor<5x2xi32>, tensor<5x2xf32> to tensor<5x9xf32>
  return
}

// -----

func.func @mla_rank(%q: tensor<9x3x24xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x32x16xf32>, %k: tensor<3x8x20xf32>, %v: tensor<3x5x20xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla' op C1: rope has rank 3, expected 4}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 1.0 : tensor<9x3x24xf32>, tensor<4x1x32x20xf32>, tensor<4x32x16xf32>, tensor<3x8x20xf32>, tensor<3x5x20xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x5xf32>
  return
}

// -----

func.func @mla_type(%q: tensor<9x3x24xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %k: tensor<3x8x20xf32>, %v: tensor<3x5x20xi8>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla' op C1: value_weight has elements of type 'i8', expected floats}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 1.0 : tensor<9x3x24xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<3x8x20xf32>, tensor<3x5x20xi8>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x5xf32>
  return
}

// -----

func.func @mla_heads_of_cache(%q: tensor<9x3x24xf32>, %c: tensor<4x2x32x20xf32>, %r: tensor<4x1x32x16xf32>, %k: tensor<3x8x20xf32>, %v: tensor<3x5x20xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla' op C2: latent has size 2 in dimension 1, expected 1 (all heads share it)}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 1.0 : tensor<9x3x24xf32>, tensor<4x2x32x20xf32>, tensor<4x1x32x16xf32>, tensor<3x8x20xf32>, tensor<3x5x20xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x5xf32>
  return
}

// -----

func.func @mla_slots(%q: tensor<9x3x24xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<5x1x32x16xf32>, %k: tensor<3x8x20xf32>, %v: tensor<3x5x20xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla' op C2: rope has size 5 in dimension 0, expected 4 (the latents' slots)}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 1.0 : tensor<9x3x24xf32>, tensor<4x1x32x20xf32>, tensor<5x1x32x16xf32>, tensor<3x8x20xf32>, tensor<3x5x20xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x5xf32>
  return
}

// -----

func.func @mla_length(%q: tensor<9x3x24xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x31x16xf32>, %k: tensor<3x8x20xf32>, %v: tensor<3x5x20xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla' op C2: rope has size 31 in dimension 2, expected 32 (the latents' length)}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 1.0 : tensor<9x3x24xf32>, tensor<4x1x32x20xf32>, tensor<4x1x31x16xf32>, tensor<3x8x20xf32>, tensor<3x5x20xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x5xf32>
  return
}

// -----

func.func @mla_heads(%q: tensor<9x3x24xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %k: tensor<2x8x20xf32>, %v: tensor<3x5x20xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla' op C3: key_weight has size 2 in dimension 0, expected 3 (the query's heads)}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 1.0 : tensor<9x3x24xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<2x8x20xf32>, tensor<3x5x20xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x5xf32>
  return
}

// -----

func.func @mla_latent(%q: tensor<9x3x24xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %k: tensor<3x8x20xf32>, %v: tensor<3x5x21xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla' op C3: value_weight has size 21 in dimension 2, expected 20 (the latents' width)}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 1.0 : tensor<9x3x24xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<3x8x20xf32>, tensor<3x5x21xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x5xf32>
  return
}

// -----

func.func @mla_width(%q: tensor<9x3x25xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %k: tensor<3x8x20xf32>, %v: tensor<3x5x20xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla' op C4: query has width 25, expected 8 + 16 as the two parts of a key have}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 1.0 : tensor<9x3x25xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<3x8x20xf32>, tensor<3x5x20xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x5xf32>
  return
}

// -----

func.func @mla_sequences(%q: tensor<9x3x24xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %k: tensor<3x8x20xf32>, %v: tensor<3x5x20xf32>, %s: tensor<3xi32>, %p: tensor<4xi32>) {
  // expected-error @below {{'ds.mla' op C5: past_length has size 4 in dimension 0, expected 2 (the number of sequences)}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 1.0 : tensor<9x3x24xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<3x8x20xf32>, tensor<3x5x20xf32>, tensor<3xi32>, tensor<4xi32>, tensor<4xi32> to tensor<9x3x5xf32>
  return
}

// -----

func.func @mla_result(%q: tensor<9x3x24xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %k: tensor<3x8x20xf32>, %v: tensor<3x5x20xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla' op C6: the result has shape [9, 3, 8], expected [9, 3, 5]}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 1.0 : tensor<9x3x24xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<3x8x20xf32>, tensor<3x5x20xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x8xf32>
  return
}

// -----

func.func @mla_scale(%q: tensor<9x3x24xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %k: tensor<3x8x20xf32>, %v: tensor<3x5x20xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla' op C7: scale is nan, expected a finite number}}
  %0 = ds.mla %q, %c, %r expand %k, %v at %s, %p, %p scale 0x7FF8000000000000 : tensor<9x3x24xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<3x8x20xf32>, tensor<3x5x20xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x5xf32>
  return
}

// -----

func.func @absorbed_rank(%q: tensor<9x36xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla_absorbed' op C1: query has rank 2, expected 3}}
  %0 = ds.mla_absorbed %q, %c, %r at %s, %p, %p scale 1.0 : tensor<9x36xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x20xf32>
  return
}

// -----

func.func @absorbed_type(%q: tensor<9x3x36xf32>, %c: tensor<4x1x32x20xi8>, %r: tensor<4x1x32x16xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla_absorbed' op C1: latent has elements of type 'i8', expected floats}}
  %0 = ds.mla_absorbed %q, %c, %r at %s, %p, %p scale 1.0 : tensor<9x3x36xf32>, tensor<4x1x32x20xi8>, tensor<4x1x32x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x20xf32>
  return
}

// -----

func.func @absorbed_heads(%q: tensor<9x3x36xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x3x32x16xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla_absorbed' op C2: rope has size 3 in dimension 1, expected 1 (all heads share it)}}
  %0 = ds.mla_absorbed %q, %c, %r at %s, %p, %p scale 1.0 : tensor<9x3x36xf32>, tensor<4x1x32x20xf32>, tensor<4x3x32x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x20xf32>
  return
}

// -----

func.func @absorbed_width(%q: tensor<9x3x20xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla_absorbed' op C3: query has width 20, expected 20 + 16 as the two parts of a key have}}
  %0 = ds.mla_absorbed %q, %c, %r at %s, %p, %p scale 1.0 : tensor<9x3x20xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x20xf32>
  return
}

// -----

func.func @absorbed_sequences(%q: tensor<9x3x36xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %s: tensor<?xi64>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla_absorbed' op C4: row_start has elements of type 'i64', expected 'i32'}}
  %0 = ds.mla_absorbed %q, %c, %r at %s, %p, %p scale 1.0 : tensor<9x3x36xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x20xf32>
  return
}

// -----

func.func @absorbed_result(%q: tensor<9x3x36xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla_absorbed' op C5: the result has shape [9, 3, 36], expected [9, 3, 20]}}
  %0 = ds.mla_absorbed %q, %c, %r at %s, %p, %p scale 1.0 : tensor<9x3x36xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x36xf32>
  return
}

// -----

func.func @absorbed_scale(%q: tensor<9x3x36xf32>, %c: tensor<4x1x32x20xf32>, %r: tensor<4x1x32x16xf32>, %s: tensor<?xi32>, %p: tensor<?xi32>) {
  // expected-error @below {{'ds.mla_absorbed' op C6: scale is nan, expected a finite number}}
  %0 = ds.mla_absorbed %q, %c, %r at %s, %p, %p scale 0x7FF8000000000000 : tensor<9x3x36xf32>, tensor<4x1x32x20xf32>, tensor<4x1x32x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<9x3x20xf32>
  return
}

// -----

func.func @mtp_type(%e: tensor<5x8xf32>, %h: tensor<5x8xi8>, %n: tensor<8xf32>, %m: tensor<8xf32>, %w: tensor<12x16xf32>) {
  // expected-error @below {{'ds.mtp_input' op C1: hidden has elements of type 'i8', expected floats}}
  %0 = ds.mtp_input %e, %h norms %m, %n weight %w epsilon 1.0e-6 : tensor<5x8xf32>, tensor<5x8xi8>, tensor<8xf32>, tensor<8xf32>, tensor<12x16xf32> to tensor<5x12xf32>
  return
}

// -----

func.func @mtp_hidden(%e: tensor<5x8xf32>, %h: tensor<5x9xf32>, %n: tensor<8xf32>, %m: tensor<8xf32>, %w: tensor<12x16xf32>) {
  // expected-error @below {{'ds.mtp_input' op C1: hidden has shape [5, 9], expected [5, 8]}}
  %0 = ds.mtp_input %e, %h norms %m, %n weight %w epsilon 1.0e-6 : tensor<5x8xf32>, tensor<5x9xf32>, tensor<8xf32>, tensor<8xf32>, tensor<12x16xf32> to tensor<5x12xf32>
  return
}

// -----

func.func @mtp_norm(%e: tensor<5x8xf32>, %h: tensor<5x8xf32>, %n: tensor<9xf32>, %m: tensor<8xf32>, %w: tensor<12x16xf32>) {
  // expected-error @below {{'ds.mtp_input' op C2: hidden_norm has shape [9], expected [8]}}
  %0 = ds.mtp_input %e, %h norms %m, %n weight %w epsilon 1.0e-6 : tensor<5x8xf32>, tensor<5x8xf32>, tensor<8xf32>, tensor<9xf32>, tensor<12x16xf32> to tensor<5x12xf32>
  return
}

// -----

func.func @mtp_weight(%e: tensor<5x8xf32>, %h: tensor<5x8xf32>, %n: tensor<8xf32>, %m: tensor<8xf32>, %w: tensor<12x8xf32>) {
  // expected-error @below {{'ds.mtp_input' op C3: weight has size 8 in dimension 1, expected 16 (both halves)}}
  %0 = ds.mtp_input %e, %h norms %m, %n weight %w epsilon 1.0e-6 : tensor<5x8xf32>, tensor<5x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<12x8xf32> to tensor<5x12xf32>
  return
}

// -----

func.func @mtp_result(%e: tensor<5x8xf32>, %h: tensor<5x8xf32>, %n: tensor<8xf32>, %m: tensor<8xf32>, %w: tensor<12x16xf32>) {
  // expected-error @below {{'ds.mtp_input' op C4: the result has shape [5, 8], expected [5, 12]}}
  %0 = ds.mtp_input %e, %h norms %m, %n weight %w epsilon 1.0e-6 : tensor<5x8xf32>, tensor<5x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<12x16xf32> to tensor<5x8xf32>
  return
}

// -----

func.func @mtp_epsilon(%e: tensor<5x8xf32>, %h: tensor<5x8xf32>, %n: tensor<8xf32>, %m: tensor<8xf32>, %w: tensor<12x16xf32>) {
  // expected-error @below {{'ds.mtp_input' op C5: epsilon is -1.000000e+00, expected a number from 0 on}}
  %0 = ds.mtp_input %e, %h norms %m, %n weight %w epsilon -1.0 : tensor<5x8xf32>, tensor<5x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<12x16xf32> to tensor<5x12xf32>
  return
}

// -----

func.func @blocks_rank(%x: tensor<129xf8E4M3FN>, %s: tensor<2x1xf32>) {
  // expected-error @below {{'ds.dequantize_blocks' op C1: input has rank 1, expected at least 2}}
  %0 = ds.dequantize_blocks %x scale %s blocks [128, 128] : tensor<129xf8E4M3FN>, tensor<2x1xf32> to tensor<129x3xf32>
  return
}

// -----

func.func @blocks_scale_type(%x: tensor<129x3xf8E4M3FN>, %s: tensor<2x1xi8>) {
  // expected-error @below {{'ds.dequantize_blocks' op C1: scale has elements of type 'i8', expected floats}}
  %0 = ds.dequantize_blocks %x scale %s blocks [128, 128] : tensor<129x3xf8E4M3FN>, tensor<2x1xi8> to tensor<129x3xf32>
  return
}

// -----

func.func @blocks_block(%x: tensor<129x3xf8E4M3FN>, %s: tensor<2x1xf32>) {
  // expected-error @below {{'ds.dequantize_blocks' op C2: block is [128, 0], expected two positive numbers}}
  %0 = ds.dequantize_blocks %x scale %s blocks [128, 0] : tensor<129x3xf8E4M3FN>, tensor<2x1xf32> to tensor<129x3xf32>
  return
}

// -----

func.func @blocks_scale(%x: tensor<129x3xf8E4M3FN>, %s: tensor<1x1xf32>) {
  // expected-error @below {{'ds.dequantize_blocks' op C3: scale has shape [1, 1], expected [2, 1]}}
  %0 = ds.dequantize_blocks %x scale %s blocks [128, 128] : tensor<129x3xf8E4M3FN>, tensor<1x1xf32> to tensor<129x3xf32>
  return
}

// -----

func.func @blocks_result(%x: tensor<129x3xf8E4M3FN>, %s: tensor<2x1xf32>) {
  // expected-error @below {{'ds.dequantize_blocks' op C4: the result has shape [129, 4], expected [129, 3]}}
  %0 = ds.dequantize_blocks %x scale %s blocks [128, 128] : tensor<129x3xf8E4M3FN>, tensor<2x1xf32> to tensor<129x4xf32>
  return
}

// -----

func.func @tail_width(%q: tensor<1x3x4x12xf32>, %k: tensor<1x2x5x9xf32>, %v: tensor<1x2x5x6xf32>, %t: tensor<1x1x5x4xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C4: key has size 9 in dimension 3, expected 8 (what the tail leaves of the query's width)}}
  %0:3 = ds.online_attention %q, %k, %v tail %t : tensor<1x1x5x4xf32> scale 1.0 into %a, %m, %m : tensor<1x3x4x12xf32>, tensor<1x2x5x9xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @tail_type(%q: tensor<1x3x4x12xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %t: tensor<1x1x5x4xi8>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C10: tail has elements of type 'i8', expected floats}}
  %0:3 = ds.online_attention %q, %k, %v tail %t : tensor<1x1x5x4xi8> scale 1.0 into %a, %m, %m : tensor<1x3x4x12xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @tail_rank(%q: tensor<1x3x4x12xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %t: tensor<1x5x4xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C10: tail has rank 3, expected 4}}
  %0:3 = ds.online_attention %q, %k, %v tail %t : tensor<1x5x4xf32> scale 1.0 into %a, %m, %m : tensor<1x3x4x12xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @tail_heads(%q: tensor<1x3x4x12xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %t: tensor<1x4x5x4xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C10: tail has size 4 in dimension 1, expected 2 (the key's heads, or 1)}}
  %0:3 = ds.online_attention %q, %k, %v tail %t : tensor<1x4x5x4xf32> scale 1.0 into %a, %m, %m : tensor<1x3x4x12xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @tail_batch(%q: tensor<1x3x4x12xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %t: tensor<2x1x5x4xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C10: tail has size 2 in dimension 0, expected 1 (the key's batch)}}
  %0:3 = ds.online_attention %q, %k, %v tail %t : tensor<2x1x5x4xf32> scale 1.0 into %a, %m, %m : tensor<1x3x4x12xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}

// -----

func.func @tail_rows(%q: tensor<1x3x4x12xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %t: tensor<1x1x6x4xf32>, %a: tensor<1x3x4x6xf32>, %m: tensor<1x3x4xf32>) {
  // expected-error @below {{'ds.online_attention' op C10: tail has size 6 in dimension 2, expected 5 (the key's rows)}}
  %0:3 = ds.online_attention %q, %k, %v tail %t : tensor<1x1x6x4xf32> scale 1.0 into %a, %m, %m : tensor<1x3x4x12xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32> into tensor<1x3x4x6xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>
  return
}
