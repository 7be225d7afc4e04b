// RUN: ds-opt %s --split-input-file --ds-raise-mtp-input | FileCheck %s

// Embedding first, as the released weights have it.
// CHECK-LABEL: func.func @draft_0(
// CHECK-SAME: %[[E:.*]]: tensor<?x8xf32> {ds.name = "e"}, %[[S:.*]]: tensor<?x8xf32> {ds.name = "states"}, %[[EN:.*]]: tensor<8xf32> {ds.name = "en"}, %[[SN:.*]]: tensor<8xf32> {ds.name = "sn"}, %[[W:.*]]: tensor<12x16xf32> {ds.name = "w"})
func.func @draft_0(%e: tensor<?x8xf32> {ds.name = "e"}, %s: tensor<?x8xf32> {ds.name = "states"}, %en: tensor<8xf32> {ds.name = "en"}, %sn: tensor<8xf32> {ds.name = "sn"}, %w: tensor<12x16xf32> {ds.name = "w"}) -> (tensor<?x12xf32> {ds.name = "r"}) attributes {ds.entry = "draft"} {
  // CHECK: %[[R:.*]] = ds.mtp_input %[[E]], %[[S]] norms %[[EN]], %[[SN]] weight %[[W]] epsilon 9.9999999999999995E-7
  // CHECK: return %[[R]]
  %a = ds.rms_norm %e, %en epsilon 1.0e-6 : tensor<?x8xf32>, tensor<8xf32> to tensor<?x8xf32>
  %b = ds.rms_norm %s, %sn epsilon 1.0e-6 : tensor<?x8xf32>, tensor<8xf32> to tensor<?x8xf32>
  %z = ds.concat 1 %a, %b : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  %r = ds.linear %z, %w : tensor<?x16xf32>, tensor<12x16xf32> to tensor<?x12xf32>
  return %r : tensor<?x12xf32>
}

// -----

// States first: the halves of the weight change places.
// CHECK-LABEL: func.func @draft_0(
// CHECK-SAME: %[[E:.*]]: tensor<?x8xf32> {ds.name = "e"}, %[[S:.*]]: tensor<?x8xf32> {ds.name = "states"}, %[[EN:.*]]: tensor<8xf32> {ds.name = "en"}, %[[SN:.*]]: tensor<8xf32> {ds.name = "sn"}, %[[W:.*]]: tensor<12x16xf32> {ds.name = "w"})
func.func @draft_0(%e: tensor<?x8xf32> {ds.name = "e"}, %s: tensor<?x8xf32> {ds.name = "states"}, %en: tensor<8xf32> {ds.name = "en"}, %sn: tensor<8xf32> {ds.name = "sn"}, %w: tensor<12x16xf32> {ds.name = "w"}) -> (tensor<?x12xf32> {ds.name = "r"}) attributes {ds.entry = "draft"} {
  // CHECK-DAG: %[[EW:.*]] = ds.slice %[[W]] [0, 8] [12, 8] [1, 1]
  // CHECK-DAG: %[[SW:.*]] = ds.slice %[[W]] [0, 0] [12, 8] [1, 1]
  // CHECK: %[[BOTH:.*]] = ds.concat 1 %[[EW]], %[[SW]]
  // CHECK: %[[R:.*]] = ds.mtp_input %[[E]], %[[S]] norms %[[EN]], %[[SN]] weight %[[BOTH]] epsilon 9.9999999999999995E-7
  // CHECK: return %[[R]]
  %a = ds.rms_norm %e, %en epsilon 1.0e-6 : tensor<?x8xf32>, tensor<8xf32> to tensor<?x8xf32>
  %b = ds.rms_norm %s, %sn epsilon 1.0e-6 : tensor<?x8xf32>, tensor<8xf32> to tensor<?x8xf32>
  %z = ds.concat 1 %b, %a : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  %r = ds.linear %z, %w : tensor<?x16xf32>, tensor<12x16xf32> to tensor<?x12xf32>
  return %r : tensor<?x12xf32>
}

// -----

// Two epsilons, and no states: another formula each.
// CHECK-LABEL: func.func @draft_0(
// CHECK-NOT: ds.mtp_input
func.func @draft_0(%e: tensor<?x8xf32> {ds.name = "e"}, %s: tensor<?x8xf32> {ds.name = "states"}, %en: tensor<8xf32> {ds.name = "en"}, %sn: tensor<8xf32> {ds.name = "sn"}, %w: tensor<12x16xf32> {ds.name = "w"}) -> (tensor<?x12xf32> {ds.name = "r"}, tensor<?x12xf32> {ds.name = "q"}) attributes {ds.entry = "draft"} {
  %a = ds.rms_norm %e, %en epsilon 1.0e-6 : tensor<?x8xf32>, tensor<8xf32> to tensor<?x8xf32>
  %b = ds.rms_norm %s, %sn epsilon 1.0e-5 : tensor<?x8xf32>, tensor<8xf32> to tensor<?x8xf32>
  %z = ds.concat 1 %a, %b : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  %r = ds.linear %z, %w : tensor<?x16xf32>, tensor<12x16xf32> to tensor<?x12xf32>
  %y = ds.concat 1 %a, %a : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  %q = ds.linear %y, %w : tensor<?x16xf32>, tensor<12x16xf32> to tensor<?x12xf32>
  return %r, %q : tensor<?x12xf32>, tensor<?x12xf32>
}
