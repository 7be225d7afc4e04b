// RUN: ds-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(ds-cpu-attention{lanes=16}),canonicalize,cse)' | FileCheck %s
// RUN: ds-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(ds-cpu-attention{lanes=8}),canonicalize,cse)' | FileCheck %s --check-prefix=NARROW

// Key heads by blocks of tokens by chunks of keys in parallel; keys in blocks. What chunks leave is a row of 96 for every 256 keys of few
// tokens, with room that never falls where tokens rise; no other buffer grows with the number of keys.
// CHECK-LABEL: func.func @cached
// CHECK-NOT: ds.cached_attention
// CHECK: %[[LENGTH:.+]] = tensor.dim %arg1, %c2
// CHECK: %[[ROUNDED:.+]] = arith.addi %[[LENGTH]], %c255
// CHECK: %[[CHUNKS:.+]] = arith.shrui %[[ROUNDED]], %c8
// CHECK: %[[FEW:.+]] = arith.select %{{.+}}, %{{.+}}, %c0
// CHECK: %[[ROOM:.+]] = arith.minsi %{{.+}}, %c
// CHECK: %[[PARTIALS:.+]] = tensor.empty(%[[ROOM]], %[[CHUNKS]]) : tensor<?x4x?x96xf32>
// CHECK: %[[OUT:.+]] = tensor.empty(%{{.+}}) : tensor<?x4x64xf32>
// CHECK: %[[DONE:.+]]:2 = scf.forall (%[[HEAD:.+]], %{{.+}}, %{{.+}}) in (2, %{{.+}}, %{{.+}}) shared_outs(%{{.+}} = %[[OUT]], %{{.+}} = %[[PARTIALS]])
// CHECK-NOT: tensor.empty
// CHECK: %[[K:.+]] = tensor.extract_slice %{{.+}}[%{{.+}}, %[[HEAD]], 0, 0] [1, 1, %{{.+}}, 64]{{.*}} to tensor<?x64xbf16>
// CHECK: %[[V:.+]] = tensor.extract_slice %{{.+}}[%{{.+}}, %[[HEAD]], 0, 0] [1, 1, %{{.+}}, 64]{{.*}} to tensor<?x64xbf16>
// CHECK-NOT: alloc_tensor(%
// CHECK: scf.for %[[CHUNK:.+]] = %{{.+}} to %{{.+}} step %c256
// CHECK: scf.for %[[BLOCK:.+]] = %[[CHUNK]] to %{{.+}} step %c64
// The next block's rows, two cache lines each of keys and values.
// CHECK: %[[NEXT:.+]] = arith.addi %[[BLOCK]], %c64
// CHECK: scf.for %[[ROW:.+]] = %[[NEXT]] to %
// CHECK-COUNT-4: memref.prefetch %{{.+}}[%[[ROW]], %{{c0|c32}}], read
// CHECK: vector.transfer_read %[[K]]{{.*}} vector<16xbf16>
// CHECK-NEXT: arith.extf
// CHECK: vector.shuffle
// CHECK: vector.fma {{.*}} vector<16xf32>
// A number of the row's own, not a mask, ends the sum over values.
// CHECK: scf.for %[[KEY:.+]] = %c0 to %{{.+}} step %c1
// CHECK: %[[AT:.+]] = arith.addi %[[BLOCK]], %[[KEY]]
// CHECK-NEXT: vector.transfer_read %[[V]][%[[AT]], %c0]
// CHECK: vector.fma
// CHECK: scf.forall.in_parallel
// CHECK-NEXT: tensor.parallel_insert_slice {{.*}} : tensor<?x2x64xf32> into tensor<?x4x64xf32>
// CHECK-NEXT: tensor.parallel_insert_slice {{.*}} : tensor<?x2x96xf32> into tensor<?x4x?x96xf32>
// Merges, a row each.
// CHECK: scf.forall (%{{.+}}, %{{.+}}) in (%[[FEW]], 4) shared_outs(%{{.+}} = %[[DONE]]#0)
// CHECK: tensor.extract_slice %[[DONE]]#1
// CHECK: scf.for
// CHECK: vector.fma
// CHECK-NOT: math.exp
// CHECK: return
// NARROW-LABEL: func.func @cached
// NARROW: scf.for %[[CHUNK:.+]] = %{{.+}} to %{{.+}} step %c256
// NARROW: scf.for %{{.+}} = %[[CHUNK]] to %{{.+}} step %c32
// NARROW: vector<8xbf16>
func.func @cached(%q: tensor<?x4x64xf32>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %starts: tensor<?xi32>, %past: tensor<?xi32>,
                  %slots: tensor<?xi32>) -> tensor<?x4x64xf32> {
  %r = ds.cached_attention %q, %k, %v at %starts, %past, %slots scale 0.125
    : tensor<?x4x64xf32>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x4x64xf32>
  return %r : tensor<?x4x64xf32>
}

// -----

// 40 heads share latents: 2 parts of 20, each with all widths. A key is laid out of both caches, [4 + 67] columns, and its latent is the value:
// 67 columns are a group of 4 vectors and 3 columns more.
// CHECK-LABEL: func.func @latent(
// CHECK-NOT: ds.mla_absorbed
// CHECK: tensor.empty(%{{.+}}, %{{.+}}) : tensor<?x40x?x99xf32>
// CHECK: scf.forall (%[[PART:.+]], %{{.+}}, %{{.+}}) in (2, %{{.+}}, %{{.+}})
// CHECK: tensor.extract_slice %arg0[%{{.+}}, %{{.+}}, 0] [%{{.+}}, 20, 71]
// CHECK: %[[C:.+]] = tensor.extract_slice %arg1[%{{.+}}, %{{.+}}, 0, 0] [1, 1, %{{.+}}, 67]{{.*}} to tensor<?x67xbf16>
// CHECK: %[[R:.+]] = tensor.extract_slice %arg2[%{{.+}}, %{{.+}}, 0, 0] [1, 1, %{{.+}}, 4]{{.*}} to tensor<?x4xbf16>
// CHECK: vector.transfer_read %[[C]]{{.*}} vector<16xbf16>
// CHECK: vector.transfer_read %[[C]]{{.*}} vector<3xbf16>
// CHECK: vector.transfer_read %[[R]]{{.*}} vector<4xbf16>
// CHECK: scf.for %[[KEY:.+]] = %c0 to %{{.+}} step %c1
// CHECK: %[[AT:.+]] = arith.addi %{{.+}}, %[[KEY]]
// CHECK-NEXT: vector.transfer_read %[[C]][%[[AT]], %{{.+}}]{{.*}} vector<16xbf16>
// CHECK: vector.transfer_read %[[C]][%{{.+}}, %c64]{{.*}} vector<3xbf16>
// CHECK: return
func.func @latent(%q: tensor<?x40x71xf32>, %c: tensor<?x1x?x67xbf16>, %r: tensor<?x1x?x4xbf16>, %starts: tensor<?xi32>, %past: tensor<?xi32>,
                  %slots: tensor<?xi32>) -> tensor<?x40x67xf32> {
  %m = ds.mla_absorbed %q, %c, %r at %starts, %past, %slots scale 0.125
    : tensor<?x40x71xf32>, tensor<?x1x?x67xbf16>, tensor<?x1x?x4xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x40x67xf32>
  return %m : tensor<?x40x67xf32>
}

// -----

// A head's weights are laid out once, 5 + 7 columns in whole vectors; a chunk of 256 keys is made of latents before 32 tokens at a time attend
// to it, with the rope key where it lies. What they carry is a row of 2 vectors and 7 values.
// CHECK-LABEL: func.func @expanded
// CHECK-NOT: ds.mla
// CHECK: scf.forall (%[[HEAD:.+]], %{{.+}}) in (3, %{{.+}})
// CHECK: %[[UK:.+]] = tensor.extract_slice %arg3[%[[HEAD]], 0, 0] [1, 5, 20]{{.*}} to tensor<5x20xbf16>
// CHECK: %[[UV:.+]] = tensor.extract_slice %arg4[%[[HEAD]], 0, 0] [1, 7, 20]{{.*}} to tensor<7x20xbf16>
// CHECK: alloc_tensor() : tensor<20x32xf32>
// CHECK: vector.transfer_read %[[UK]]
// CHECK: vector.transfer_read %[[UV]]
// CHECK: %[[C:.+]] = tensor.extract_slice %arg1{{.*}} to tensor<?x20xbf16>
// CHECK: %[[R:.+]] = tensor.extract_slice %arg2{{.*}} to tensor<?x4xbf16>
// CHECK: alloc_tensor() : tensor<512x1x39xf32>
// CHECK: scf.for %[[CHUNK:.+]] = %c0 to %{{.+}} step %c256
// CHECK: alloc_tensor() : tensor<256x5xf32>
// CHECK: alloc_tensor() : tensor<256x7xf32>
// CHECK: vector.transfer_read %[[C]]
// CHECK: vector.fma
// CHECK: %[[ROPES:.+]] = tensor.extract_slice %[[R]][%[[CHUNK]], 0]
// CHECK: scf.for %{{.+}} = %{{.+}} to %{{.+}} step %c32
// CHECK: vector.transfer_read %[[ROPES]]
// CHECK: vector.fma
// CHECK: scf.forall.in_parallel
func.func @expanded(%q: tensor<?x3x9xf32>, %c: tensor<?x1x?x20xbf16>, %r: tensor<?x1x?x4xbf16>, %uk: tensor<3x5x20xbf16>,
                    %uv: tensor<3x7x20xbf16>, %starts: tensor<?xi32>, %past: tensor<?xi32>, %slots: tensor<?xi32>) -> tensor<?x3x7xf32> {
  %m = ds.mla %q, %c, %r expand %uk, %uv at %starts, %past, %slots scale 0.125
    : tensor<?x3x9xf32>, tensor<?x1x?x20xbf16>, tensor<?x1x?x4xbf16>, tensor<3x5x20xbf16>, tensor<3x7x20xbf16>, tensor<?xi32>,
      tensor<?xi32>, tensor<?xi32> to tensor<?x3x7xf32>
  return %m : tensor<?x3x7xf32>
}

// -----

// CHECK-LABEL: func.func @expanded_double
// CHECK: ds.mla
// CHECK-NOT: scf.forall
func.func @expanded_double(%q: tensor<?x3x9xf64>, %c: tensor<?x1x?x20xf64>, %r: tensor<?x1x?x4xf64>, %uk: tensor<3x5x20xf64>,
                           %uv: tensor<3x7x20xf64>, %starts: tensor<?xi32>, %past: tensor<?xi32>, %slots: tensor<?xi32>) -> tensor<?x3x7xf64> {
  %m = ds.mla %q, %c, %r expand %uk, %uv at %starts, %past, %slots scale 0.125
    : tensor<?x3x9xf64>, tensor<?x1x?x20xf64>, tensor<?x1x?x4xf64>, tensor<3x5x20xf64>, tensor<3x7x20xf64>, tensor<?xi32>,
      tensor<?xi32>, tensor<?xi32> to tensor<?x3x7xf64>
  return %m : tensor<?x3x7xf64>
}

// -----

// 37 heads have no such parts.
// CHECK-LABEL: func.func @latent_of_many
// CHECK: scf.forall (%{{[^ ]+}}, %{{[^ ]+}}) in
// CHECK: tensor.extract_slice %arg0[%{{.+}}, 0, 0] [%{{.+}}, 37, 9]
func.func @latent_of_many(%q: tensor<?x37x9xf32>, %c: tensor<?x1x?x7xf32>, %r: tensor<?x1x?x2xf32>, %starts: tensor<?xi32>,
                          %past: tensor<?xi32>, %slots: tensor<?xi32>) -> tensor<?x37x7xf32> {
  %m = ds.mla_absorbed %q, %c, %r at %starts, %past, %slots scale 0.125
    : tensor<?x37x9xf32>, tensor<?x1x?x7xf32>, tensor<?x1x?x2xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x37x7xf32>
  return %m : tensor<?x37x7xf32>
}

// -----

// CHECK-LABEL: func.func @rank_not_known
// CHECK: ds.mla_absorbed
// CHECK-NOT: scf.forall
func.func @rank_not_known(%q: tensor<?x3x?xf32>, %c: tensor<?x1x?x?xf32>, %r: tensor<?x1x?x4xf32>, %starts: tensor<?xi32>,
                          %past: tensor<?xi32>, %slots: tensor<?xi32>) -> tensor<?x3x?xf32> {
  %m = ds.mla_absorbed %q, %c, %r at %starts, %past, %slots scale 0.125
    : tensor<?x3x?xf32>, tensor<?x1x?x?xf32>, tensor<?x1x?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x3x?xf32>
  return %m : tensor<?x3x?xf32>
}

// -----

// Width 20: a vector of 16 and one of 4; nothing is read behind a row.
// CHECK-LABEL: func.func @dense
// CHECK-NOT: ds.attention
// CHECK: scf.forall (%{{.+}}, %{{.+}}, %{{.+}}) in (%{{.+}}, 2, %{{.+}})
// CHECK: vector.transfer_read {{.*}}in_bounds = [true]{{.*}} vector<4xf32>
// CHECK: tensor.extract %{{.+}} : tensor<?x1x?x?xi1>
// CHECK-NOT: in_bounds = [false]
// CHECK: scf.forall.in_parallel
func.func @dense(%q: tensor<?x?x2x20xf32>, %k: tensor<?x2x?x20xf32>, %v: tensor<?x2x?x20xf32>, %m: tensor<?x1x?x?xi1>) -> tensor<?x?x2x20xf32> {
  %r = ds.attention %q, %k, %v mask %m : tensor<?x1x?x?xi1> scale 0.25 : tensor<?x?x2x20xf32>, tensor<?x2x?x20xf32>, tensor<?x2x?x20xf32> to tensor<?x?x2x20xf32>
  return %r : tensor<?x?x2x20xf32>
}

// -----

// CHECK-LABEL: func.func @width_not_known
// CHECK: ds.attention
// CHECK-NOT: scf.forall
func.func @width_not_known(%q: tensor<?x?x2x?xf32>, %k: tensor<?x2x?x?xf32>, %v: tensor<?x2x?x16xf32>) -> tensor<?x?x2x16xf32> {
  %r = ds.attention %q, %k, %v scale 0.25 : tensor<?x?x2x?xf32>, tensor<?x2x?x?xf32>, tensor<?x2x?x16xf32> to tensor<?x?x2x16xf32>
  return %r : tensor<?x?x2x16xf32>
}

// -----

// CHECK-LABEL: func.func @heads_not_known
// CHECK: ds.cached_attention
func.func @heads_not_known(%q: tensor<?x?x16xf32>, %k: tensor<?x?x?x16xf32>, %v: tensor<?x?x?x16xf32>, %starts: tensor<?xi32>, %past: tensor<?xi32>,
                           %slots: tensor<?xi32>) -> tensor<?x?x16xf32> {
  %r = ds.cached_attention %q, %k, %v at %starts, %past, %slots scale 0.25
    : tensor<?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32> to tensor<?x?x16xf32>
  return %r : tensor<?x?x16xf32>
}

// -----

// CHECK-LABEL: func.func @double
// CHECK: ds.attention
func.func @double(%q: tensor<?x?x2x16xf64>, %k: tensor<?x2x?x16xf64>, %v: tensor<?x2x?x16xf64>) -> tensor<?x?x2x16xf64> {
  %r = ds.attention %q, %k, %v scale 0.25 : tensor<?x?x2x16xf64>, tensor<?x2x?x16xf64>, tensor<?x2x?x16xf64> to tensor<?x?x2x16xf64>
  return %r : tensor<?x?x2x16xf64>
}
