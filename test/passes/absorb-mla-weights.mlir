// RUN: ds-opt %s --ds-absorb-mla-weights=absorb-below=inf 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file %t.remarks

// Latents of 5, and 10 numbers made of them: 2 · 5 products are no more than 10. Of 5 and 6: 5 · 6 / (2 · 5 - 6), rounded up.
// REMARK: 'ds.mla' absorbs W_UK and W_UV; keys and values of every head take fewer products for no number of tokens
// REMARK: take fewer products from 8 tokens of a sequence on{{$}}

ds.parameter @uk : tensor<3x4x5xbf16> = dense<0.25> : tensor<3x4x5xbf16>
ds.parameter @small : tensor<3x2x5xbf16> = dense<0.25> : tensor<3x2x5xbf16>
ds.parameter @uv : tensor<3x6x5xbf16> = dense<0.25> : tensor<3x6x5xbf16>

// The first 4 of a head's numbers become 5, the 2 of the rotation stay; the scale is that of the op; W_UV is transposed, which no step pays for.
// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[Q:.*]]: tensor<?x3x6xf32>, %[[C:.*]]: tensor<?x1x?x5xf32>, %[[R:.*]]: tensor<?x1x?x2xf32>
func.func @step(%q: tensor<?x3x6xf32>, %c: tensor<?x1x?x5xf32>, %r: tensor<?x1x?x2xf32>, %starts: tensor<?xi32>, %past: tensor<?xi32>,
                %slots: tensor<?xi32>) -> tensor<?x3x6xf32> {
  // CHECK-DAG: %[[UK:.*]] = ds.load_parameter @uk
  // CHECK-DAG: %[[UV:.*]] = ds.load_parameter @uv
  // CHECK: %[[PLAIN:.*]] = ds.slice %[[Q]] [0, 0, 0] [%{{.*}}, 3, 4]
  // CHECK: %[[HEADS:.*]] = ds.transpose %[[PLAIN]] [1, 0, 2] : tensor<?x3x4xf32> to tensor<3x?x4xf32>
  // CHECK: %[[KEYS:.*]] = ds.matmul %[[HEADS]], %[[UK]] : tensor<3x?x4xf32>, tensor<3x4x5xbf16> to tensor<3x?x5xf32>
  // CHECK: %[[TOKENS:.*]] = ds.transpose %[[KEYS]] [1, 0, 2]
  // CHECK: %[[ROPE:.*]] = ds.slice %[[Q]] [0, 0, 4] [%{{.*}}, 3, 2]
  // CHECK: %[[QUERY:.*]] = ds.concat 2 %[[TOKENS]], %[[ROPE]] : (tensor<?x3x5xf32>, tensor<?x3x2xf32>) -> tensor<?x3x7xf32>
  // CHECK: %[[MIXED:.*]] = ds.mla_absorbed %[[QUERY]], %[[C]], %[[R]] at %{{.*}} scale 1.250000e-01
  // CHECK: %[[W:.*]] = ds.transpose %[[UV]] [0, 2, 1] : tensor<3x6x5xbf16> to tensor<3x5x6xbf16>
  // CHECK: %[[BYHEAD:.*]] = ds.transpose %[[MIXED]] [1, 0, 2]
  // CHECK: %[[VALUES:.*]] = ds.matmul %[[BYHEAD]], %[[W]] : tensor<3x?x5xf32>, tensor<3x5x6xbf16> to tensor<3x?x6xf32>
  // CHECK: %[[RESULT:.*]] = ds.transpose %[[VALUES]] [1, 0, 2]
  // CHECK: return %[[RESULT]]
  %k = ds.load_parameter @uk : tensor<3x4x5xbf16>
  %v = ds.load_parameter @uv : tensor<3x6x5xbf16>
  %m = ds.mla %q, %c, %r expand %k, %v at %starts, %past, %slots scale 0.125
    : tensor<?x3x6xf32>, tensor<?x1x?x5xf32>, tensor<?x1x?x2xf32>, tensor<3x4x5xbf16>, tensor<3x6x5xbf16>, tensor<?xi32>, tensor<?xi32>,
      tensor<?xi32> to tensor<?x3x6xf32>
  return %m : tensor<?x3x6xf32>
}

// All but the query and the result of 16 bits is f32.
// CHECK-LABEL: func.func @narrow(
// CHECK: ds.cast %{{.*}} : tensor<?x3x2xbf16> to tensor<?x3x2xf32>
// CHECK: ds.mla_absorbed {{.*}} to tensor<?x3x5xf32>
// CHECK: ds.matmul {{.*}} to tensor<3x?x2xbf16>
func.func @narrow(%q: tensor<?x3x6xbf16>, %c: tensor<?x1x?x5xbf16>, %r: tensor<?x1x?x2xbf16>, %starts: tensor<?xi32>, %past: tensor<?xi32>,
                  %slots: tensor<?xi32>) -> tensor<?x3x2xbf16> {
  %k = ds.load_parameter @uk : tensor<3x4x5xbf16>
  %v = ds.load_parameter @small : tensor<3x2x5xbf16>
  %m = ds.mla %q, %c, %r expand %k, %v at %starts, %past, %slots scale 0.125
    : tensor<?x3x6xbf16>, tensor<?x1x?x5xbf16>, tensor<?x1x?x2xbf16>, tensor<3x4x5xbf16>, tensor<3x2x5xbf16>, tensor<?xi32>, tensor<?xi32>,
      tensor<?xi32> to tensor<?x3x2xbf16>
  return %m : tensor<?x3x2xbf16>
}

// Weights that only a step knows would have to be transposed by it.
// CHECK-LABEL: func.func @computed(
// CHECK: ds.mla %
// CHECK-NOT: ds.mla_absorbed
func.func @computed(%q: tensor<?x3x6xf32>, %c: tensor<?x1x?x5xf32>, %r: tensor<?x1x?x2xf32>, %k: tensor<3x4x5xf32>, %v: tensor<3x6x5xf32>,
                    %starts: tensor<?xi32>, %past: tensor<?xi32>, %slots: tensor<?xi32>) -> tensor<?x3x6xf32> {
  %m = ds.mla %q, %c, %r expand %k, %v at %starts, %past, %slots scale 0.125
    : tensor<?x3x6xf32>, tensor<?x1x?x5xf32>, tensor<?x1x?x2xf32>, tensor<3x4x5xf32>, tensor<3x6x5xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?xi32> to tensor<?x3x6xf32>
  return %m : tensor<?x3x6xf32>
}
