// RUN: ds-opt %s -ds-tile-latent-attention=block=4 -canonicalize -cse | FileCheck %s
// RUN: not ds-opt %s -ds-tile-latent-attention=block=0 2>&1 | FileCheck %s --check-prefix=BLOCK
// BLOCK: ds-tile-latent-attention: block is 1 or more, not 0

// The latents of a block are its keys and its values, the rope keys its tail;
// row s of a sequence sees row t of the block at %at if t <= s + past - at.
// CHECK-LABEL: func.func @absorbed(
// CHECK-SAME: %[[Q:.*]]: tensor<?x3x36xf32>, %[[C:.*]]: tensor<?x1x?x20xbf16>, %[[R:.*]]: tensor<?x1x?x16xbf16>, %[[START:.*]]: tensor<?xi32>, %[[PAST:.*]]: tensor<?xi32>, %[[SLOT:.*]]: tensor<?xi32>)
func.func @absorbed(%q: tensor<?x3x36xf32>, %c: tensor<?x1x?x20xbf16>, %r: tensor<?x1x?x16xbf16>, %start: tensor<?xi32>, %past: tensor<?xi32>,
                    %slot: tensor<?xi32>) -> tensor<?x3x20xf32> {
  // CHECK: %[[SEQUENCES:.*]] = tensor.dim %[[PAST]]
  // CHECK: scf.for %[[B:.*]] = %{{.*}} to %[[SEQUENCES]] step %{{.*}} iter_args(%[[RESULT:.*]] = %{{.*}})
  // CHECK: %[[ROWS:.*]] = arith.subi
  // CHECK: %[[P:.*]] = tensor.extract %[[PAST]][%[[B]]]
  // CHECK: %[[BEFORE:.*]] = arith.index_cast %[[P]]
  // CHECK: %[[S:.*]] = tensor.extract %[[SLOT]][%[[B]]]
  // CHECK: %[[PLACE:.*]] = arith.index_cast %[[S]]
  // CHECK: %[[SEEN:.*]] = arith.addi %[[BEFORE]], %[[ROWS]]
  // CHECK: %[[KEYS:.*]] = arith.select %{{.*}}, %[[ROWS]], %[[SEEN]]
  // CHECK: %[[LOOP:.*]]:3 = scf.for %[[AT:[a-z0-9]+]] = %{{.*}} to %[[KEYS]] step %{{.*}} iter_args
  // CHECK: %[[LEFT:.*]] = arith.subi %[[KEYS]], %[[AT]]
  // CHECK: %[[COUNT:.*]] = arith.minui %[[LEFT]], %{{.*}}
  // CHECK: %[[LATENTS:.*]] = tensor.extract_slice %[[C]][%[[PLACE]], 0, %[[AT]], 0] [1, 1, %[[COUNT]], 20]
  // CHECK: %[[ROPE:.*]] = tensor.extract_slice %[[R]][%[[PLACE]], 0, %[[AT]], 0] [1, 1, %[[COUNT]], 16]
  // CHECK: %[[DIAGONAL:.*]] = arith.subi %[[BEFORE]], %[[AT]]
  // CHECK: ds.online_attention %{{.*}}, %[[LATENTS]], %[[LATENTS]] tail %[[ROPE]] : tensor<1x1x?x16xbf16> diagonal %[[DIAGONAL]] scale 1.250000e-01
  // CHECK: ds.elementwise div %[[LOOP]]#0
  // CHECK: tensor.insert_slice %{{.*}} into %[[RESULT]]
  %0 = ds.mla_absorbed %q, %c, %r at %start, %past, %slot scale 0.125 : tensor<?x3x36xf32>, tensor<?x1x?x20xbf16>, tensor<?x1x?x16xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x3x20xf32>
  return %0 : tensor<?x3x20xf32>
}

// Only a block of latents is expanded at a time.
// CHECK-LABEL: func.func @expanded(
// CHECK-SAME: %{{.*}}, %[[UK:[a-z0-9]+]]: tensor<3x8x20xbf16>, %[[UV:[a-z0-9]+]]: tensor<3x5x20xbf16>
func.func @expanded(%q: tensor<?x3x24xbf16>, %c: tensor<?x1x?x20xbf16>, %r: tensor<?x1x?x16xbf16>, %uk: tensor<3x8x20xbf16>, %uv: tensor<3x5x20xbf16>,
                    %start: tensor<?xi32>, %past: tensor<?xi32>, %slot: tensor<?xi32>) -> tensor<?x3x5xbf16> {
  // CHECK: scf.for
  // CHECK: scf.for
  // CHECK: %[[LATENTS:.*]] = ds.reshape %{{.*}} : tensor<1x1x?x20xbf16> to tensor<?x20xbf16>
  // CHECK-DAG: %[[KW:.*]] = ds.reshape %[[UK]] : tensor<3x8x20xbf16> to tensor<24x20xbf16>
  // CHECK-DAG: %[[VW:.*]] = ds.reshape %[[UV]] : tensor<3x5x20xbf16> to tensor<15x20xbf16>
  // CHECK-DAG: %[[KF:.*]] = ds.linear %[[LATENTS]], %[[KW]] : tensor<?x20xbf16>, tensor<24x20xbf16> to tensor<?x24xf32>
  // CHECK-DAG: %[[VF:.*]] = ds.linear %[[LATENTS]], %[[VW]] : tensor<?x20xbf16>, tensor<15x20xbf16> to tensor<?x15xf32>
  // CHECK-DAG: %[[KR:.*]] = ds.reshape %[[KF]][%{{.*}}] : tensor<?x24xf32> to tensor<1x?x3x8xf32>
  // CHECK-DAG: %[[VR:.*]] = ds.reshape %[[VF]][%{{.*}}] : tensor<?x15xf32> to tensor<1x?x3x5xf32>
  // CHECK-DAG: %[[K:.*]] = ds.transpose %[[KR]] [0, 2, 1, 3]
  // CHECK-DAG: %[[V:.*]] = ds.transpose %[[VR]] [0, 2, 1, 3]
  // CHECK: ds.online_attention %{{.*}}, %[[K]], %[[V]] tail %{{.*}} : tensor<1x1x?x16xbf16> diagonal
  %0 = ds.mla %q, %c, %r expand %uk, %uv at %start, %past, %slot scale 0.125 : tensor<?x3x24xbf16>, tensor<?x1x?x20xbf16>, tensor<?x1x?x16xbf16>, tensor<3x8x20xbf16>, tensor<3x5x20xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x3x5xbf16>
  return %0 : tensor<?x3x5xbf16>
}
