// RUN: ds-opt %s --ds-narrow-attention | FileCheck %s

// CHECK-LABEL: func.func @cached(
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x8xf32>
// CHECK: %[[N:.*]] = ds.cast %[[Q]] : tensor<?x4x8xf32> to tensor<?x4x8xbf16>
// CHECK: %[[A:.*]] = ds.cached_attention %[[N]], {{.*}} to tensor<?x4x6xbf16>
// CHECK: %[[R:.*]] = ds.cast %[[A]] : tensor<?x4x6xbf16> to tensor<?x4x6xf32>
// CHECK: return %[[R]]
func.func @cached(%q: tensor<?x4x8xf32>, %k: tensor<?x2x?x8xbf16>, %v: tensor<?x2x?x6xbf16>, %s: tensor<?xi32>, %p: tensor<?xi32>,
                  %c: tensor<?xi32>) -> tensor<?x4x6xf32> {
  %a = ds.cached_attention %q, %k, %v at %s, %p, %c scale 0.5
    : tensor<?x4x8xf32>, tensor<?x2x?x8xbf16>, tensor<?x2x?x6xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x4x6xf32>
  return %a : tensor<?x4x6xf32>
}

// CHECK-LABEL: func.func @latents(
// CHECK: ds.mla_absorbed {{.*}} to tensor<?x4x6xbf16>
// CHECK: ds.mla {{.*}} to tensor<?x4x3xbf16>
func.func @latents(%q: tensor<?x4x8xf32>, %l: tensor<?x1x?x6xbf16>, %r: tensor<?x1x?x2xbf16>, %uk: tensor<4x6x6xf32>, %uv: tensor<4x3x6xf32>,
                   %s: tensor<?xi32>, %p: tensor<?xi32>, %c: tensor<?xi32>) -> (tensor<?x4x6xf32>, tensor<?x4x3xf32>) {
  %a = ds.mla_absorbed %q, %l, %r at %s, %p, %c scale 0.5
    : tensor<?x4x8xf32>, tensor<?x1x?x6xbf16>, tensor<?x1x?x2xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x4x6xf32>
  %b = ds.mla %q, %l, %r expand %uk, %uv at %s, %p, %c scale 0.5
    : tensor<?x4x8xf32>, tensor<?x1x?x6xbf16>, tensor<?x1x?x2xbf16>, tensor<4x6x6xf32>, tensor<4x3x6xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?xi32> to tensor<?x4x3xf32>
  return %a, %b : tensor<?x4x6xf32>, tensor<?x4x3xf32>
}

// Keys that are kept in f32 are worth their full width, and so is a query of another type.
// CHECK-LABEL: func.func @wide(
// CHECK-NOT: ds.cast
// CHECK: return
func.func @wide(%q: tensor<?x4x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x6xbf16>, %s: tensor<?xi32>, %p: tensor<?xi32>,
                %c: tensor<?xi32>) -> tensor<?x4x6xf32> {
  %a = ds.cached_attention %q, %k, %v at %s, %p, %c scale 0.5
    : tensor<?x4x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x6xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x4x6xf32>
  return %a : tensor<?x4x6xf32>
}
