// RUN: ds-opt %s -ds-cpu-linear="lanes=16 bf16-dot=true" -cse | FileCheck %s --check-prefixes=CHECK,DOT
// RUN: ds-opt %s -ds-cpu-linear -cse | FileCheck %s --check-prefixes=CHECK,FMA

// Tiles of 8, 4, 2, 1 rows with 512-bit registers, of 2 and 1 with 256-bit ones; whole panels need no mask.
// CHECK-LABEL: func @f32
// CHECK: scf.forall (%{{.*}}, %[[PANEL:.*]]) in (%{{.*}}, 2)
// DOT-COUNT-4: scf.for {{.*}} -> (tensor<?x32xf32>)
// FMA-COUNT-2: scf.for {{.*}} -> (tensor<?x32xf32>)
// CHECK-NOT: scf.for {{.*}} -> (tensor<?x32xf32>)
// CHECK: tensor.parallel_insert_slice
func.func @f32(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>) -> tensor<?x64xf32> {
  %0 = ds.packed_linear %x, %w : tensor<?x8xf32>, tensor<2x8x32xf32> to tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// The last panel is written only as far as it goes; the bias is added after the sum.
// CHECK-LABEL: func @ragged
// CHECK: arith.minui
// CHECK: vector.fma
// CHECK: %[[Y:.*]] = arith.addf %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK: vector.transfer_write %[[Y]], %{{.*}} : vector<16xf32>, tensor<?x?xf32>
func.func @ragged(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>, %b: tensor<33xf32>) -> tensor<?x33xf32> {
  %0 = ds.packed_linear %x, %w bias %b : tensor<?x8xf32>, tensor<2x8x32xf32> bias tensor<33xf32> to tensor<?x33xf32>
  return %0 : tensor<?x33xf32>
}

// Pairs by the dot instruction, or widened once where there is none. The last k has no partner: nothing is read behind it.
// CHECK-LABEL: func @pairs
// FMA: ds.cast %{{.*}} : tensor<?x5xbf16> to tensor<?x5xf32>
// FMA-NOT: x86vector
// DOT-NOT: vector.fma
// DOT: x86vector.avx512.dot
// DOT: tensor.extract %{{.*}} : tensor<?x5xbf16>
func.func @pairs(%x: tensor<?x5xbf16>, %w: tensor<1x3x64xbf16>) -> tensor<?x32xf32> {
  %0 = ds.packed_linear %x, %w : tensor<?x5xbf16>, tensor<1x3x64xbf16> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// A static number of rows is one like any other.
// CHECK-LABEL: func @static
// CHECK: tensor.cast %{{.*}} : tensor<3x8xf32> to tensor<?x8xf32>
func.func @static(%x: tensor<3x8xf32>, %w: tensor<1x8x32xf32>) -> tensor<3x32xf32> {
  %0 = ds.packed_linear %x, %w : tensor<3x8xf32>, tensor<1x8x32xf32> to tensor<3x32xf32>
  return %0 : tensor<3x32xf32>
}

// Gates and ups of one panel make 16 results, which are added to the residual and rounded before they are written.
// CHECK-LABEL: func @epilogue
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, 2)
// CHECK: tensor.extract_slice %{{.*}} : tensor<?x32xf32> to tensor<?x16xf32>
// CHECK: math.exp %{{.*}} : vector<16xf32>
// CHECK: arith.divf
// CHECK: %[[Y:.*]] = arith.addf %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK: %[[Z:.*]] = arith.truncf %[[Y]] : vector<16xf32> to vector<16xbf16>
// CHECK: vector.transfer_write %[[Z]], %{{.*}} {in_bounds = [true]} : vector<16xbf16>, tensor<?x16xbf16>
func.func @epilogue(%x: tensor<?x8xf32>, %w: tensor<2x8x32xf32>, %r: tensor<?x32xf32>) -> tensor<?x32xbf16> {
  %0 = ds.packed_linear %x, %w swiglu residual %r : tensor<?x8xf32>, tensor<2x8x32xf32> residual tensor<?x32xf32> to tensor<?x32xbf16>
  return %0 : tensor<?x32xbf16>
}

// A panel of 16 first members and their 16 second ones: rotated, and written half a head apart; panels behind the heads pass unchanged.
// CHECK-LABEL: func @rotated
// CHECK: scf.forall (%{{.*}}, %[[PANEL:.*]]) in (%{{.*}}, 5) {{.*}} -> (tensor<?x10x16xf32>)
// CHECK: %[[TURNED:.*]] = arith.cmpi ult, %[[PANEL]], %c4
// CHECK: arith.select %[[TURNED]], %c2{{.*}}, %c1{{.*}} : index
// CHECK: tensor.extract_slice %{{.*}} : tensor<?x10x16xf32> to tensor<?x2x16xf32>
// CHECK: arith.subf %{{.*}} : vector<16xf32>
// CHECK: arith.addf %{{.*}} : vector<16xf32>
// CHECK-COUNT-2: arith.select %{{.*}}, %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK: tensor.collapse_shape %{{.*}} : tensor<?x10x16xf32> into tensor<?x160xf32>
func.func @rotated(%x: tensor<?x8xf32>, %w: tensor<5x8x32xf32>, %cos: tensor<?x32xf32>, %sin: tensor<?x32xf32>) -> tensor<?x160xf32> {
  %0 = ds.packed_linear %x, %w rope %cos, %sin columns 128 halves : tensor<?x8xf32>, tensor<5x8x32xf32> rope tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x160xf32>
  return %0 : tensor<?x160xf32>
}

// Rows of experts: as many tiles as there are, each with the panels of its expert; rows of the input by number, none copied.
// CHECK-LABEL: func @grouped
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x8xf32>, %[[ROWS:[^:]*]]: tensor<?xi32>, %[[W:[^:]*]]: tensor<3x2x8x32xf32>, %[[TILES:[^:]*]]: tensor<?x3xi32>, %[[COUNT:[^:]*]]: tensor<i32>
// CHECK: %[[PANELS:.*]] = tensor.collapse_shape %[[W]] {{.*}} into tensor<6x8x32xf32>
// CHECK: tensor.extract %[[COUNT]][]
// CHECK: %[[N:.*]] = arith.index_castui
// CHECK: scf.forall (%[[TILE:.*]], %{{.*}}) in (%[[N]], 2)
// CHECK: tensor.extract %[[TILES]][%[[TILE]], %c0
// CHECK: tensor.extract %[[TILES]][%[[TILE]], %c1
// CHECK: tensor.extract %[[TILES]][%[[TILE]], %c2
// CHECK: tensor.extract %[[ROWS]]
// CHECK: vector.transfer_read %[[PANELS]]
// CHECK: tensor.extract %[[X]]
func.func @grouped(%x: tensor<?x8xf32>, %rows: tensor<?xi32>, %w: tensor<3x2x8x32xf32>, %t: tensor<?x3xi32>, %c: tensor<i32>) -> tensor<?x64xf32> {
  %0 = ds.packed_linear %x rows %rows, %w in %t, %c : tensor<?x8xf32> rows tensor<?xi32>, tensor<3x2x8x32xf32> in tensor<?x3xi32>, tensor<i32> to tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
