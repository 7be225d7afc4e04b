// Cuts ops into tiles by their TilingInterface:
//   ds-opt -transform-preload-library=transform-library-paths=tiles.mlir -transform-interpreter
// tools/check.sh runs what comes out, by run_properties.py --through.
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %attention = transform.structured.match ops{["ds.attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %0:4 = transform.structured.tile_using_for %attention tile_sizes [1, 2, 1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    %online = transform.structured.match ops{["ds.online_attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %1:5 = transform.structured.tile_using_for %online tile_sizes [1, 2, 1, 3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    %cached = transform.structured.match ops{["ds.cached_attention"]} in %root : (!transform.any_op) -> !transform.any_op
    %2:3 = transform.structured.tile_using_for %cached tile_sizes [3, 1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    %append = transform.structured.match ops{["ds.cache_append"]} in %root : (!transform.any_op) -> !transform.any_op
    %3:3 = transform.structured.tile_using_for %append tile_sizes [1, 5] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    %positions = transform.structured.match ops{["ds.token_positions"]} in %root : (!transform.any_op) -> !transform.any_op
    %4:2 = transform.structured.tile_using_for %positions tile_sizes [3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %latent = transform.structured.match ops{["ds.mla", "ds.mla_absorbed"]} in %root : (!transform.any_op) -> !transform.any_op
    %6:3 = transform.structured.tile_using_for %latent tile_sizes [3, 1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    %grouped = transform.structured.match ops{["ds.grouped_linear"]} in %root : (!transform.any_op) -> !transform.any_op
    %7:2 = transform.structured.tile_using_for %grouped tile_sizes [5] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %combine = transform.structured.match ops{["ds.combine"]} in %root : (!transform.any_op) -> !transform.any_op
    %8:3 = transform.structured.tile_using_for %combine tile_sizes [2, 5] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    %whole = transform.include @of_rows failures(propagate) (%root) : (!transform.any_op) -> !transform.any_op
    transform.foreach %whole : !transform.any_op {
    ^bb0(%op: !transform.any_op):
      transform.include @first_loop failures(suppress) (%op) : (!transform.any_op) -> ()
    }
    %some = transform.include @of_rows failures(propagate) (%root) : (!transform.any_op) -> !transform.any_op
    transform.foreach %some : !transform.any_op {
    ^bb0(%op: !transform.any_op):
      transform.include @second_loop failures(suppress) (%op) : (!transform.any_op) -> ()
    }
    transform.yield
  }

  // Ops with any number of loops; one that lacks a loop is left.
  transform.named_sequence @of_rows(%root: !transform.any_op {transform.readonly}) -> !transform.any_op {
    %ops = transform.structured.match ops{["ds.arg_reduce", "ds.bitcast", "ds.broadcast", "ds.cast", "ds.concat", "ds.cumulative", "ds.dequantize", "ds.elementwise", "ds.linear", "ds.matmul", "ds.packed_linear", "ds.packed_quantized_linear", "ds.quantize_groups", "ds.reduce", "ds.rope", "ds.slice", "ds.softmax", "ds.swiglu", "ds.transpose"]} in %root : (!transform.any_op) -> !transform.any_op
    transform.yield %ops : !transform.any_op
  }
  transform.named_sequence @first_loop(%op: !transform.any_op {transform.consumed}) {
    %0:2 = transform.structured.tile_using_for %op tile_sizes [2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
  transform.named_sequence @second_loop(%op: !transform.any_op {transform.consumed}) {
    %0:2 = transform.structured.tile_using_for %op tile_sizes [0, 3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
