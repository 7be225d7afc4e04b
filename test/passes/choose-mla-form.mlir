// RUN: ds-opt %s --ds-absorb-mla-weights=cache-length=100 2>%t.auto | FileCheck %s --check-prefixes=CHECK,BOTH,AUTO
// RUN: FileCheck %s --check-prefix=REMARK --input-file %t.auto
// RUN: ds-opt %s --ds-absorb-mla-weights="absorb-below=9" 2>/dev/null | FileCheck %s --check-prefixes=CHECK,BOTH,NINE
// RUN: ds-opt %s --ds-absorb-mla-weights="absorb-below=0" 2>/dev/null | FileCheck %s --check-prefixes=CHECK,NEVER
// RUN: ds-opt %s --ds-absorb-mla-weights="absorb-below=inf" 2>/dev/null | FileCheck %s --check-prefixes=CHECK,ALWAYS
// RUN: not ds-opt %s --ds-absorb-mla-weights="absorb-below=some" 2>&1 | FileCheck %s --check-prefix=WRONG
// RUN: not ds-opt %s --ds-absorb-mla-weights="absorb-below=-1" 2>&1 | FileCheck %s --check-prefix=WRONG

// WRONG: error: absorb-below '{{some|-1}}' is neither auto, inf nor a number of tokens

// 1 / (1 / r + 1 / 100) with r = 40 · 60 / (2 · 40 - 60) = 120.
// REMARK: 'ds.mla' absorbs W_UK and W_UV for sequences of fewer than 55 new tokens; keys and values of every head take fewer products from 55 tokens of a sequence on at 100 keys

// AUTO: mla_absorb_below = 55 : i64
// NINE: mla_absorb_below = 9 : i64
// NEVER: mla_absorb_below = 0 : i64
// ALWAYS: mla_absorb_below = 9223372036854775807 : i64
module attributes {ds.model = {layers = 2 : i64}} {
ds.parameter @uk : tensor<3x24x40xf32> = dense<0.25> : tensor<3x24x40xf32>
ds.parameter @uv : tensor<3x36x40xf32> = dense<0.25> : tensor<3x36x40xf32>

// The rows of the sequences that are absorbed, then the others; row_start of these begins at 0 again. Two layers divide a step alike.
// CHECK-LABEL: func.func @step(
// BOTH-SAME: %[[STARTS:[a-z0-9]*]]: tensor<?xi32> {ds.name = "row_start"}, %[[PAST:[a-z0-9]*]]: tensor<?xi32> {ds.name = "past_length"}, %[[SLOTS:[a-z0-9]*]]: tensor<?xi32> {ds.name = "cache_slot"}, %[[A:.*]]: i32 {ds.name = "absorbed_sequences"})
// NEVER-NOT: absorbed_sequences
// ALWAYS-NOT: absorbed_sequences
func.func @step(%q: tensor<?x3x26xf32> {ds.name = "q"}, %c: tensor<?x1x?x40xf32> {ds.name = "c"}, %r: tensor<?x1x?x2xf32> {ds.name = "r"},
                %starts: tensor<?xi32> {ds.name = "row_start"}, %past: tensor<?xi32> {ds.name = "past_length"},
                %slots: tensor<?xi32> {ds.name = "cache_slot"})
    -> (tensor<?x3x36xf32> {ds.name = "m"}, tensor<?x3x36xf32> {ds.name = "n"}) attributes {ds.entry = "step"} {
  // BOTH-DAG: %[[B:.*]] = tensor.dim %[[PAST]]
  // BOTH-DAG: %[[COUNT:.*]] = arith.index_cast %[[A]] : i32 to index
  // BOTH: %[[START:.*]] = tensor.extract %[[STARTS]][%[[COUNT]]]
  // BOTH: %[[ROW:.*]] = arith.index_cast %[[START]]
  // BOTH: %[[FEW:.*]] = arith.minsi %[[COUNT]], %[[B]]
  // BOTH: arith.minsi %[[ROW]],
  // BOTH: ds.slice %[[STARTS]] [%{{.*}}] [%{{.*}}] [1]
  // BOTH: ds.elementwise sub
  // BOTH: %[[QA:.*]] = ds.slice %{{.*}} [%{{.*}}, 0, 0] [%{{.*}}, 3, 26] [1, 1, 1]
  // BOTH: %[[QE:.*]] = ds.slice %{{.*}} [%[[ROW]], 0, 0] [%{{.*}}, 3, 26] [1, 1, 1]
  // BOTH: %[[EXPANDED:.*]] = ds.mla %[[QE]]
  // BOTH: ds.mla_absorbed
  // BOTH: %[[ABSORBED:.*]] = ds.transpose %{{.*}} [1, 0, 2] : tensor<3x?x36xf32> to tensor<?x3x36xf32>
  // BOTH: ds.concat 0 %[[ABSORBED]], %[[EXPANDED]]
  // BOTH: ds.mla %
  // BOTH: ds.mla_absorbed
  // NEVER: ds.mla %
  // NEVER: ds.mla %
  // NEVER-NOT: ds.mla_absorbed
  // ALWAYS: ds.mla_absorbed
  // ALWAYS-NOT: ds.mla %
  %k = ds.load_parameter @uk : tensor<3x24x40xf32>
  %v = ds.load_parameter @uv : tensor<3x36x40xf32>
  %m = ds.mla %q, %c, %r expand %k, %v at %starts, %past, %slots scale 0.125
    : tensor<?x3x26xf32>, tensor<?x1x?x40xf32>, tensor<?x1x?x2xf32>, tensor<3x24x40xf32>, tensor<3x36x40xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?xi32> to tensor<?x3x36xf32>
  %n = ds.mla %q, %c, %r expand %k, %v at %starts, %past, %slots scale 0.5
    : tensor<?x3x26xf32>, tensor<?x1x?x40xf32>, tensor<?x1x?x2xf32>, tensor<3x24x40xf32>, tensor<3x36x40xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?xi32> to tensor<?x3x36xf32>
  return %m, %n : tensor<?x3x36xf32>, tensor<?x3x36xf32>
}
}
