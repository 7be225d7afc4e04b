// RUN: ds-opt %s -split-input-file -verify-diagnostics

func.func @rank(%w: tensor<4x8x2xf32>) -> tensor<1x8x32xf32> {
  // expected-error @+1 {{C1: expected a weight of rank 2 and static sizes, found 'tensor<4x8x2xf32>'}}
  %0 = ds.pack %w : tensor<4x8x2xf32> to tensor<1x8x32xf32>
  return %0 : tensor<1x8x32xf32>
}

// -----

func.func @panels(%w: tensor<40x8xf32>) -> tensor<1x8x32xf32> {
  // expected-error @+1 {{C2: expected a result like 'tensor<2x8x32xf32>' (1, 2 or 4 k side by side), found 'tensor<1x8x32xf32>'}}
  %0 = ds.pack %w : tensor<40x8xf32> to tensor<1x8x32xf32>
  return %0 : tensor<1x8x32xf32>
}

// -----

func.func @types(%x: tensor<?x8xbf16>, %w: tensor<1x8x32xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{C1: expected f32 inputs with f32, bf16 or f16 weights, or bf16 with bf16}}
  %0 = ds.packed_linear %x, %w : tensor<?x8xbf16>, tensor<1x8x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

func.func @columns(%x: tensor<?x9xf32>, %w: tensor<1x8x32xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{C2: expected a weight like 'tensor<1x9x32xf32>'}}
  %0 = ds.packed_linear %x, %w : tensor<?x9xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

func.func @dynamic(%x: tensor<?x?xf32>, %w: tensor<1x8x32xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{C3: expected input and result of one rank with static last sizes}}
  %0 = ds.packed_linear %x, %w : tensor<?x?xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

func.func @bias(%x: tensor<?x8xf32>, %w: tensor<1x8x32xf32>, %b: tensor<31xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{C3: expected a bias of 32 elements, found 'tensor<31xf32>'}}
  %0 = ds.packed_linear %x, %w bias %b : tensor<31xf32> : tensor<?x8xf32>, tensor<1x8x32xf32> to tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}
