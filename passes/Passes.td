//===- Passes.td - rewrites on the ds dialect -----------------*- tablegen -*-===//
//
// Alphabetical. Each description: what, why, when it does nothing, what must run before.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_PASSES
#define PASSES_PASSES
include "mlir/Pass/PassBase.td"

def AbsorbMlaWeights : Pass<"ds-absorb-mla-weights", "ModuleOp"> {
  let summary = "ds.mla becomes ds.mla_absorbed between products with W_UK and W_UV, for sequences of few new tokens";
  let description = [{
    score = (q · W_UK) · c instead of q · (W_UK · c), and Σ p · (W_UV · c) = W_UV · Σ p · c: a key that was cached as a latent of C numbers is
    read as it lies, where `ds.mla` makes H · (P + V) numbers of it at every step. The query goes through W_UK before attention and the mixed
    latents through W_UV after it, head by head, in f32 (f64 for f64), one rounding at the end. W_UQ · W_UK is never made: it has
    more elements than both.

    A token then costs C + R products a key and head for its score instead of P + R, and C for its value instead of V; an expanded
    key costs C · (P + V) once for all tokens of its sequence. So with L keys the absorbed form takes fewer products below 1 / (1 / r + 1 / L) tokens,
    r = C · (P + V) / (2 · C - P - V): 171 for DeepSeek-V2 and V3 behind many keys. `absorb-below` is the number of new tokens of a sequence
    from which on it takes the expanded form: `auto` computes it (with L = `cache-length`; for a model, the largest of its layers', and never below 17, so that
    up to 16 drafts are verified in the form that decodes), 0 is never absorbed, `inf` always. It becomes `mla_absorb_below` of
    `ds.model`.

    Where both forms occur, a step (`ds.entry`) gets an argument i32 "absorbed_sequences": so many of its sequences, the first, are absorbed, and
    the op becomes two on the rows of each; one of them may have no rows. Other functions absorb. Does nothing where a weight is
    no parameter or a size but those of tokens and caches is not known. Run before weights that are computed at compile time are
    split off (W_UVᵀ is).
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
  let options = [
    Option<"absorbBelow", "absorb-below", "std::string", "\"auto\"", "auto, inf, or a number of tokens">,
    Option<"cacheLength", "cache-length", "int64_t", "0", "longest sequence; 0: not known">,
  ];
}

def CountWork : Pass<"ds-count-work", "ModuleOp"> {
  let summary = "multiply-adds of a token, for benchmarks";
  let description = [{
    Adds `multiply_adds_per_token` (products with weights that every token goes through) and `multiply_adds_per_logits` (the
    head, computed for the rows whose logits are wanted) to the module attribute `ds.model`: Σ K·N of the `ds.linear` ops of
    `@step`, the products of as many experts as a token has, and the sizes of W_UK and W_UV of `ds.mla`, which each token goes through once
    (more where keys are expanded again at every step). ds-bench sets them against the machine's peak. Does nothing without `@step`. Run it after ds-flatten-tokens and
    before products are packed or lowered.
  }];
}

def DecomposeMoe : Pass<"ds-decompose-moe", "func::FuncOp"> {
  let summary = "ds.moe becomes ds.group_tokens, products of grouped rows, ds.combine";
  let description = [{
    The rows of all tokens' experts are put in the order of the experts, so that gate, up and down are each one `ds.grouped_linear` that
    reads the weight of an expert once, and only of those that some token has; `ds.combine` weighs and adds them in the order of the
    slots. Rows are copies of nothing: gate and up find their token by number. Intermediate values are f32 (f64 for f64), as
    the op says.

    Gate and up that are parameters of one type are joined and become one product. A remark counts them, and the bytes that a token moves less: its
    row is read once and not twice for each of its k experts, k · K · (bytes of an element).

    `tile-rows` is the M of the list of tiles: as many rows of one expert as a kernel takes at a time.
    Does nothing where there is no `ds.moe`. Runs before every lowering of ds ops but the reference: none of them knows the op.
  }];
  let options = [Option<"tileRows", "tile-rows", "int64_t", "32", "rows of a tile at most">];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def DecomposeMtpInput : Pass<"ds-decompose-mtp-input"> {
  let summary = "ds.mtp_input becomes two ds.rms_norm, ds.concat and ds.linear";
  let description = [{
    The formula of the op's documentation in ops that have kernels. Does nothing where there is no `ds.mtp_input`. Runs before
    weights are packed, and before every lowering of ds ops but the reference: none of them knows the op.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def DecomposeOnlineAttention : Pass<"ds-decompose-online-attention"> {
  let summary = "ds.online_attention becomes matmul, elementwise and reduce ops";
  let description = [{
    The formula of the op's documentation, one tensor op per operation, so that every lowering of the tensor ops runs blocks of
    attention. Query heads that share a kv head are rows of one product. A key that a row may not attend to has the weight 0
    and its value is multiplied by it: values must be finite, as those of dense attention are (caches, whose rows behind the
    length may hold NaN, are `ds.cached_attention`'s).

    Does nothing where there is no `ds.online_attention`. Runs before every lowering of ds ops: none of them knows the op.
    Run `ds-tile-attention` before.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def ExpandQuantize : Pass<"ds-expand-quantize"> {
  let summary = "ds.quantize and ds.dynamic_quantize become elementwise arithmetic";
  let description = [{
    The last step on `ds` of a graph that quantises activations: division, rounding, clamping, a cast; for the dynamic form
    the range of the whole tensor first. Lowering knows neither op.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::arith::ArithDialect"];
}

def CountReads : Pass<"ds-count-reads", "ModuleOp"> {
  let summary = "bytes of weights that computing one token reads, for benchmarks";
  let description = [{
    Adds `weight_bytes_per_token` to the module attribute `ds.model`: of each parameter that `@step` loads its bytes, of tables that are looked
    up (`ds.embedding`, `ds.gather` along the first dimension) those of a row, of experts (the first dimension of a weight beside the
    tiles of `ds.group_tokens`) those of as many as a token has. It is the wall that decoding runs into. Does nothing without
    `@step`. Run it when parameters are what the model will read.
  }];
}

def ExportRouters : Pass<"ds-export-routers", "ModuleOp"> {
  let summary = "a step also returns what its routers chose";
  let description = [{
    `@step` and every draft get three results more for each `ds.route` in them, in the order of the routers: its own, named
    `route.{number}.weights`, `route.{number}.experts` and `load.{number}`, the last with `ds.layer`, the last layer whose cache the router's
    scores depend on. They are what the descriptor calls routers and the caller gets in `DsStepCall.routes`.

    The bias of a router becomes a parameter that nothing else reads (`ds.bias` on the result names it), so that the caller can put
    another in its place: a constant is made one, a parameter with other readers is copied. One that is computed at run time stays
    and cannot be replaced. `@update_route_bias` with `ds.entry = "route_bias"` is added to the module: `ds.update_route_bias` for any number of experts.
    Does nothing without routers; those in branches of control flow are left alone. Run last of what works on ds ops: the passes
    before it expect logits, states and caches alone.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def FuseEpilogues : Pass<"ds-fuse-epilogues", "func::FuncOp"> {
  let summary = "SwiGLU, residual and rounding after a packed product join it";
  let description = [{
    Three forms of what may follow `ds.packed_linear` and `ds.packed_quantized_linear`, where nothing else reads their result:
    * `ds.swiglu` of the first and the second half of its columns (gate and up projection, merged by `ds-merge-linears`): `swiglu`. The rows
      of weight, scales, zero points and bias are put in blocks of 16 gates and their 16 ups before they are packed, so that one
      panel makes 16 results. That the slices take all rows is proven (`SymbolicElement.h`).
    * `ds.elementwise add` with another tensor of the same shape, all f32: `residual`. The product moves to where the sum was made.
    * `ds.cast` to bf16: the product writes bf16.
    A view of the result ([tokens, N] as [batch, length, N]) may lie between. The arithmetic stays the same, bit for bit.

    A remark for each function counts the ops that joined products, and the bytes that a token moves less: what lay between product and op is neither
    written nor read, 2 · C · (bytes of an element), with C its columns: 2 · I for SwiGLU of I, N otherwise. A product of grouped rows counts as
    often as a token has experts.

    Run after `ds-pack-weights` and `ds-pack-quantized-weights`, before `ds-split-parameter-program`. Does nothing to `ds.linear`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def FuseRope : Pass<"ds-fuse-rope", "func::FuncOp"> {
  let summary = "rotations of heads join the packed product that makes them";
  let description = [{
    `ds.rope` of the first columns of `ds.packed_linear` or `ds.packed_quantized_linear`, as heads of their own (queries and keys of one
    merged product, values behind them), becomes `rope` of the product: the rows of weight, scales, zero points and bias are put in
    panels of 16 first members of rotations and the 16 second ones before they are packed. The same tables, width and layouts serve all
    heads. The product moves down to the first op that reads it through views: the tables must stand before that. The arithmetic stays
    the same, bit for bit.

    A remark for each function counts rotations and products, and the bytes that a token moves less: the columns to rotate are neither written nor
    read, 2 · columns · 4.

    Does nothing where half a head is no multiple of 16, the product has another epilogue, its columns are no multiple of 32, or the rotated
    columns are not the first ones; then `ds.rope` is a loop of its own.
    Run after `ds-fuse-epilogues`, before `ds-split-parameter-program`.
  }];
}

def FlattenTokens : Pass<"ds-flatten-tokens", "ModuleOp"> {
  let summary = "a causal model with cache becomes a step on flattened tokens";
  let description = [{
    Replaces `@graph` (ONNX inputs and outputs, dense batches, caches in and out) by `@step`:

        (tokens i32[N], row_start i32[B+1], past_length i32[B], cache_slot i32[B], logit_rows i32[R],
         cache.0.k [slots, heads, length, width], cache.0.v, …) -> (logits f32[R, V], hidden f32[N, d], caches …)

    if and only if the graph is proven to be one causal language model: token ids go into one embedding, every other value is
    computed token by token, and tokens meet only in `ds.attention`, whose mask, with every past and new token present and
    positions counting up, lets row s see exactly the keys t <= past + s. Keys and values are `concat(past, new)` along the
    tokens, an output of the graph, or made of such caches row by row (latents that are expanded at every step): row t of them
    was made when token t was new, so the step keeps the rows that attention reads, whatever the file caches. Padding is not part of the step: sequences are laid end to end. Activations and caches are f32, whatever
    the graph's type; weights keep theirs. A copy that `ds-float-activations` made is tried instead of `@graph` and goes.

    Where the proof fails the module is left as it is and a remark names the value and the reason. Results: function argument
    and result attributes `ds.name`; the module attribute `ds.model` = {vocabulary, hidden_size, layers}.
    Run the raising passes before.

    `part` says what the graph is asked to be, and makes a failed proof an error: `main`, a model that a layer drafts for (`hidden` is then
    the output of the graph with a state for every token: what the head reads, or the only one there is); `draft`, such a layer, which becomes
    `@draft_0`. It has one more input, a state for every token; the pair of state i and token i + 1 has position i. Its `hidden`, fed back for
    the next draft, is found as that of `main`; where it is no output, it is what the head reads.
  }];
  let options = [Option<"part", "part", "std::string", "\"model\"", "model, main or draft">];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::func::FuncDialect", "::mlir::tensor::TensorDialect"];
}

def FloatActivations : Pass<"ds-float-activations", "ModuleOp"> {
  let summary = "beside a graph that quantises activations, the same graph without that";
  let description = [{
    Adds a copy of `@graph`, marked `ds.candidate`, without the rounding to 8 bits that a step on flattened tokens
    cannot keep: `ds.dynamic_quantize` takes its scale from the whole tensor, so that a token's value would depend on its
    company; scores and probabilities live inside attention. There `dequantize(quantize(x))` is x, and
    `float(i32 product of quantised x and weight) · scales` is a product with the dequantised weight: activations in f32 are
    the finer arithmetic. Rounding with a constant scale elsewhere stays, weights stay as they are, and graph mode does what
    the file says.

    Does nothing where no activation is quantised. Run before raising; `ds-flatten-tokens` takes the copy or drops it.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::func::FuncDialect"];
}

def ForwardGathers : Pass<"ds-forward-gathers"> {
  let summary = "a lookup of every row in its order, or of one constant place, is no lookup";
  let description = [{
    `ds.gather` whose indices provably are 0, 1, 2, … up to the number of rows, as where an exporter flattens a rotation table
    and looks it up by a running index, becomes a reshape; a lookup of one constant place (`x[..., 0]`) a slice. Does nothing for any other.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::tensor::TensorDialect"];
}

def ForwardScatters : Pass<"ds-forward-scatters"> {
  let summary = "assignment to a range of one dimension becomes ds.concat";
  let description = [{
    `ds.scatter_nd` that replaces the range [a, b) of one dimension, a and b constants, and all of the others, as exporters write
    `x[…, a:b] = y`: by rows (between two transposes, if the dimension is not the first) or by the place of every element. What stands
    before, the new and what stands behind, joined. Does nothing where elements are combined with what is there, or where a place
    is not proven. Run before ds-sink-transposes.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::tensor::TensorDialect"];
}

def MergeLinears : Pass<"ds-merge-linears", "func::FuncOp"> {
  let summary = "products of one input become one product with joined weights";
  let description = [{
    q, k and v, or gate and up: `ds.linear` ops in one block with the same input become one whose weight is the rows of theirs,
    one below the other, followed by one `ds.slice` of the columns for each. The input is read once, and one long product
    keeps the memory busier than three short ones. Each output element is the same sum as before. Rows of blocked
    `ds.dequantize` are joined below it (data, scales, zero points), so the joined weight is quantised like its parts.

    A remark for each function counts how many products became how many, and the bytes that a token moves less: m products read one input
    once, (m - 1) · K · (bytes of an element).

    Only ops whose weights have one element type, K and way of being made from parameters, whose results have one type,
    and of which all or none have a bias; and no router (`ds.route`) with others, whose weights and input may yet be rounded. Does nothing where a weight is no expression of parameters (joining it would copy
    at run time) or where a parameter below it has another use (its bytes would be in the artefact twice: tied embeddings).
    Run raising before, `ds-split-parameter-program` after: it turns the concatenation into ranges of files.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::tensor::TensorDialect"];
}

def NarrowAttention : Pass<"ds-narrow-attention"> {
  let summary = "queries and results of attention over bf16 caches are rounded to bf16";
  let description = [{
    A dot instruction takes pairs of bf16: where keys and values are cached in bf16, rounding the query makes the products of scores exact in it, and
    the result goes into a product that rounds it anyway. `ds.cached_attention`, `ds.mla` and `ds.mla_absorbed` with f32 query and
    caches of bf16 get a query and a result of bf16, which is widened again. For `--precision=fast`; run after ds-narrow-caches.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def NarrowMatmuls : Pass<"ds-narrow-matmuls"> {
  let summary = "integer products of widened bytes become products of unsigned and signed bytes";
  let description = [{
    `(a − za) · (b − zb) = a · b − za · Σ_k b − zb · Σ_k (a − za)`, all in i32, which wraps, for bytes a and b that are widened and zero points
    that are one number along k, as ONNX MatMulInteger has them. Where a is signed or b unsigned, it moves by 128, and its zero point with it:
    the processors' instruction is for ui8 · i8. What depends on weights alone, moved bytes and their sums, is computed once by the parameter
    program; weights stay bytes.
    Does nothing with other integers, with a zero point per k, and where the product has the form already.
    Run before `ds-split-parameter-program`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::ds::DsDialect"];
}

def NarrowCaches : Pass<"ds-narrow-caches", "func::FuncOp"> {
  let summary = "the caches of a step become bf16";
  let description = [{
    The caches of `@step` (arguments named `cache.…`) that are f32 become bf16, and with them the results of `ds.cache_append`:
    it rounds a row once, where it writes it. `ds.cached_attention`, `ds.mla` and `ds.mla_absorbed` read what is in the cache, rows of the same step too,
    widened to f32, so that bits do not depend on chunks. A cache takes half the memory, and a token half the time to read it.

    `cache-type` bf16: always; f32: never; auto: where the step has products with weights and all these weights but those
    of routers, as the file has them, have 16 bits or fewer. There activations are rounded likewise.
    Does nothing in other functions. Run after ds-flatten-tokens and ds-quantize-weights and before weights are packed.
  }];
  let options = [
    Option<"cacheType", "cache-type", "std::string", "\"auto\"", "auto, f32 or bf16">
  ];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::func::FuncDialect"];
}

def QuantizeWeights : Pass<"ds-quantize-weights"> {
  let summary = "the weights of products get another type: bf16, int8 or int4";
  let description = [{
    `type` bf16: rounded. int8: whole numbers in [−127, 127] with an f32 scale per 64 successive k of a row; int4: [−7, 7], a scale per 32
    (`ds.quantize_groups`, which the parameter program computes once). The weight stays a value, made by
    `ds.dequantize`; `ds-pack-quantized-weights` finds it there. keep: nothing happens. Weights of experts (`ds.grouped_linear`) are weights
    like the others.
    Embedding tables, norms, biases and routers (`ds.route`) keep their types, and so do weights that are whole numbers already; FP8
    becomes what is asked for. W_UK and W_UV of latent attention (`ds.mla`) become bf16 whatever is asked for: products with a weight of each head take
    no whole numbers. They take no FP8 either: such ones become bf16 with `precision` fast, too, which rounds like that anyway, and stay f32 with exact.
    Run after `ds-merge-linears`, before `ds-absorb-mla-weights` and packing.
  }];
  let options = [
    Option<"precision", "precision", "std::string", "\"fast\"", "fast or exact">,
    Option<"weightType", "type", "std::string", "\"keep\"", "keep, bf16, int8 or int4">
  ];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def PackQuantizedWeights : Pass<"ds-pack-quantized-weights"> {
  let summary = "ds.linear and ds.grouped_linear with a dequantised weight become ds.packed_quantized_linear";
  let description = [{
    A weight that is `ds.dequantize` of parameters of 8 or 4 bits (perhaps transposed), with one scale, one per output, or one per
    group of successive k (a multiple of 8), stays whole numbers: packed in panels by the parameter program. With `precision` fast the
    activations become whole numbers too (`ds.quantize_groups`, in the weight's groups, of 64 where it has none); with exact
    they stay f32. Weights of experts [E, N, K] likewise; their tokens are rounded once, not for each expert.

    A weight of f8E4M3FN stays what it is, a byte each: with fast the activations become bf16, with exact they stay f32. Where it has been rounded to
    bf16 (`ds-quantize-weights`), `ds-pack-weights` takes the result.

    4-bit weights whose K is no multiple of 8 take a byte each. Does nothing for groups along another dimension: `ds-pack-weights`
    takes these, dequantised once by the parameter program. Run after raising, after `ds-spread-block-scales` and before `ds-pack-weights`.
  }];
  let options = [
    Option<"precision", "precision", "std::string", "\"fast\"", "fast or exact">
  ];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def PackWeights : Pass<"ds-pack-weights"> {
  let summary = "ds.linear becomes ds.packed_linear, its weight packed for the instruction that multiplies it";
  let description = [{
    A weight that is made of parameters alone and has static sizes is packed in panels (`ds.pack`), which the parameter program then does once.
    `precision` says what the activation becomes: `exact` keeps f32; `fast` rounds it to bf16 where the weight is bf16, as
    the dot instruction wants it. f16 activations are widened, results are f32 and rounded once to the result's type.

    Does nothing for f64, for integers, and for weights that are computed from inputs.
    Run after raising, before the parameter program is split off.
  }];
  let options = [
    Option<"precision", "precision", "std::string", "\"fast\"", "fast or exact">
  ];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def RaiseAttention : Pass<"ds-raise-attention"> {
  let summary = "softmax(q·kᵀ·scale + mask)·v becomes ds.attention";
  let description = [{
    Starts at a `ds.softmax` over the last dimension whose result feeds one product. Above it, scales (on the scores, on
    either operand, √scale on both) are collected and the mask is taken apart; heads that keys and values were
    repeated for are peeled off, so that the op sees the kv heads that the cache has. A guard against rows without any key
    (`IsNaN` + `Where`) belongs to the op's meaning and goes. A mask that is provably "key ≤ query + offset", element
    by element, becomes `causal`; any other stays an operand.

    Does nothing where the probabilities have another use, where a scale is not a constant, or where q, k or v are not
    4-D [batch, head, row, column]. A remark says which link failed.
    Run `ds-sink-transposes` before.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::arith::ArithDialect"];
}

def RaiseEmbedding : Pass<"ds-raise-embedding"> {
  let summary = "a gather of rows of a parameter becomes ds.embedding";
  let description = [{
    `ds.gather` along axis 0 of a 2-D tensor that is made of parameters alone. A table that is a transposed parameter
    (tied embeddings of some exporters) stays one parameter: the transpose is part of the table's value.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def RaiseLinear : Pass<"ds-raise-linear"> {
  let summary = "a product with a weight matrix becomes ds.linear";
  let description = [{
    `ds.matmul` whose right side is 2-D and made of parameters alone; the weight becomes [N, K], as checkpoints store it. An
    added vector of parameters becomes the bias. Reshapes that only merged leading dimensions for the product go.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def RaiseMoe : Pass<"ds-raise-moe", "ModuleOp"> {
  let summary = "a choice of experts and what is made of them become ds.route and ds.moe";
  let description = [{
    A result is taken apart, element by element, into a sum of experts' outputs, each times a mixing weight: over the slots of a token
    (weights gathered by expert), over the experts (a weight that is 0 where an expert was not chosen; one after the other, stacked, or in a
    loop), or over the rows that have an expert (gathered by `NonZero`, added back at their places). Proven of every summand: which
    expert of which choice it is; that gate, up and down are of that expert; that its token and the choice's are the same; that its weight is the
    score, without bias, of that expert of that token, normalised over the chosen scores or not, times one scale; that the sum runs over all
    slots of the token, or over all experts. Proven of the choice: top-k of softmax or sigmoid of logits, plus a bias, masked to the groups with the best
    maximum or sum of two. `ds.route` gives slots in the order of the experts, `TopK` in that of their scores; as the sum runs over all slots, the order is
    without effect but for rounding.

    Both ops are made together, because a choice alone cannot be replaced: whether the order of its slots matters shows in what reads them.
    Gate and up fused along their rows, transposed weights and weights of single experts become one parameter of all experts; where it
    is bytes of files, a list of ranges. Roundings between products go: the op rounds once. Where scores are masked by 0 and softmax
    leaves fewer than k of them above it, `ds.route` weighs an expert by its score, a graph that takes the values of `TopK` by 0.

    Does nothing for experts that are not all there (routing of a traced input baked in), experts with another activation, or weights
    that are not parameters. A remark on the top-k says which link failed. A pass on modules, as it makes parameters. Run it after `ds-raise-linear` and
    `ds-raise-swiglu`.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def RaiseRmsNorm : Pass<"ds-raise-rms-norm"> {
  let summary = "the spellings of RMSNorm become ds.rms_norm";
  let description = [{
    `w · cast(x · r)` in either order, `r` one of reciprocal(sqrt(a)), 1/sqrt(a), a^−0.5, or `x / sqrt(a)`, with
    `a = mean(x², last) + epsilon`. The weight is a vector along the last dimension; epsilon a constant. Does nothing for
    another axis, another exponent or a weight that is not a vector; where everything but the weight or the tensor under the
    mean fits, a remark says so.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def RaiseRope : Pass<"ds-raise-rope"> {
  let summary = "the spellings of rotary position embedding become ds.rope";
  let description = [{
    Forms: `x·cos + rotate_half(x)·sin` with tables of full width whose halves are provably equal; and
    `concat(a·cos − b·sin, b·cos + a·sin)` with a, b halves or strided slices of x. The proof that both halves of a table are
    one is by pushing the slice to where the table is made, not by names.
    Run `ds-sink-transposes` before.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def RaiseSwiglu : Pass<"ds-raise-swiglu"> {
  let summary = "gate·sigmoid(gate)·up becomes ds.swiglu";
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def ReportRaised : Pass<"ds-report-raised", "func::FuncOp"> {
  let summary = "remarks that say what was raised";
  let description = [{
    One remark per kind of model op: how many, and the names that the model's file gives their values (the first few). Changes
    nothing. What was not raised, and why, the raising passes say themselves.
  }];
}

def SimplifyElementwise : Pass<"ds-simplify-elementwise"> {
  let summary = "leave broadcasting to the elementwise ops";
  let description = [{
    A product over one element (`[.., M, 1]·[.., 1, N]`, as some exporters multiply positions by frequencies) is an
    elementwise product. A `ds.broadcast` whose only effect an elementwise op has by itself, because another operand has the
    repeated sizes, goes. So tables of rotations have one spelling.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def RaiseMla : Pass<"ds-raise-mla", "::mlir::func::FuncOp"> {
  let summary = "attention whose keys and values are made of one latent becomes ds.mla over a cache of latents";
  let description = [{
    In a step, `ds.cached_attention` where every element of a row of values, of every head, is a product without bias of one value of the token,
    the latent c [N, C], and every column of the keys is for all heads a product of c too, or is the same for all heads (the rotated part, R
    columns): K = [c · W_UK ; r], V = c · W_UV. Then the step keeps c and r, C + R numbers a token, in place of keys and values, and the
    attention is `ds.mla` with the rows of weights that the products are made with. A graph that has absorbed W_UK and W_UV itself
    (one key for all heads, of which the value is a part) becomes `ds.mla_absorbed`. Query and shared key that are rotated from pairs
    are kept in pairs, whatever the graph makes of them: scores do not depend on the order.

    Elements are traced through reshapes, transposes, slices, joins and repeats, so any spelling of one formula gives one IR. Where the
    proof fails, a remark names the link, and keys and values are kept as they are. Does nothing where C + R is no less than keys and values,
    or where a cache is read elsewhere. Run after ds-flatten-tokens. Source: DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 §2.1.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::tensor::TensorDialect"];
}

def RaiseMtpInput : Pass<"ds-raise-mtp-input", "::mlir::func::FuncOp"> {
  let summary = "norms of embedding and state, side by side in one product, become ds.mtp_input";
  let description = [{
    In a draft entry, a product without bias of `[rms_norm(e) ; rms_norm(s)]` or `[rms_norm(s) ; rms_norm(e)]`, where s are the states that the
    entry is given, both norms have one epsilon, and the parts are of one width. In the second order the halves of the weight change places, so that both
    give one IR. What is written otherwise is left as it is, and means the same. Run after ds-flatten-tokens.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def SinkTransposes : Pass<"ds-sink-transposes"> {
  let summary = "move transposes towards the results, to one normal form";
  let description = [{
    A transpose above an op that works element by element, along other dimensions, or piece by piece moves below it, where
    the other operands need nothing but moved unit dimensions. So exporters that put a transpose before or after
    RoPE, casts or scales give one IR. Chains reshape → transpose → reshape that only permute become one transpose.
    The number of transposes never grows, so the pass ends; it visits each op a constant number of times.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def SplitParameterProgram : Pass<"ds-split-parameter-program", "ModuleOp"> {
  let summary = "what depends on parameters alone becomes a parameter";
  let description = [{
    Every maximal expression of ops without side effects in an entry function that depends on `ds.load_parameter` and constants
    alone and has a static shape becomes a `ds.parameter`, loaded where the expression stood, so that no step computes it again
    (in a branch or loop: of ops that cannot fail, for it may not be taken):

    * whole bytes of files, one after the other (reshapes; slices and concatenations of whole rows): its `source` is a list
      of `#ds.file_range`; nothing runs;
    * a constant of 4 KiB or more: its `source` is the attribute, and the code stays small (a splat of that size becomes a
      `ds.broadcast` of a scalar instead);
    * anything else (transpose, cast, dequantisation, packing, tables of angles): its `source` is `#ds.computed<@parameter_N(…)>`,
      a private function with `ds.entry = "parameter"` that holds the expression, with one argument per parameter read.
      Expressions that differ in the parameters alone share one function, so the code to compile does not grow with the
      number of layers; equal expressions are one parameter.

    Parameters that no entry reads any more stay only as arguments of such functions; others go.

    Stays at run time: an expression that only enlarges (result above 64 KiB and more than twice the elements it is made of:
    a broadcast; up to 32 MiB if it computes something, a table of angles; of any size if a `ds.pack` ends it), then its operands are considered; anything made of
    one splat by views; constants below 4 KiB and views of such; a reshape or slice of a parameter that is also read whole
    (it costs nothing there, and the bytes would be stored twice); expressions that read a computed parameter (run the pass
    once). Visits each op a constant number of times.

    Run last of the passes on ds ops: later ones would not see through a computed parameter. `ds.pack` must be in place.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::func::FuncDialect", "::mlir::arith::ArithDialect"];
}

def SpreadBlockScales : Pass<"ds-spread-block-scales"> {
  let summary = "a scale of a block of rows and columns becomes one for each of its rows";
  let description = [{
    `ds.dequantize_blocks` of parameters becomes `ds.dequantize` along the columns, whose scale is that of the block, once for each row. The numbers
    are the same; now a row has its scales to itself, so that rows of weights can be joined, reordered and packed without a look
    at where blocks end. For blocks of 128 × 128 the scales take 4 bytes for 128 of FP8.

    Does nothing to what is no expression of parameters of static shape. Run first, before rows of weights are joined.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect"];
}

def TileAttention : Pass<"ds-tile-attention"> {
  let summary = "ds.attention becomes a loop of ds.online_attention over blocks of keys";
  let description = [{
    Blocks of `block` keys, the first at key 0, the last one as long as what is left; accumulator, maximum and sum are carried
    from block to block, the quotient comes after the loop. No buffer of [S, T] scores is needed, and what a row sees of a
    block does not depend on how many rows there are. The op becomes `ds.online_attention` over all keys, which is tiled by its
    TilingInterface.

    Does nothing where there are statically at most `block` keys.
  }];
  let options = [
    Option<"block", "block", "int64_t", "128", "keys per block">
  ];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def TileLatentAttention : Pass<"ds-tile-latent-attention"> {
  let summary = "ds.mla and ds.mla_absorbed become loops of ds.online_attention over blocks of latents";
  let description = [{
    Sequence by sequence, `block` rows of its slot at a time, the first at row 0: the rope keys are the tail of the keys; keys and
    values are the latents themselves (absorbed) or `ds.linear` of them (expanded), so that the keys of one block are all
    that is ever expanded. Rows behind what the sequence has are not touched.

    Buffers have the sizes of sequences, which only a run knows: this is the form for graphs and for targets whose blocks have
    fixed sizes later, not for an entry that must not allocate. Does nothing where there is neither op. Run
    `ds-decompose-online-attention` after it, as every lowering does.
  }];
  let options = [
    Option<"block", "block", "int64_t", "128", "rows of the cache per block">
  ];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def UnabsorbMlaWeights : Pass<"ds-unabsorb-mla-weights", "::mlir::func::FuncOp"> {
  let summary = "ds.mla_absorbed between products with W_UK and W_UV becomes ds.mla";
  let description = [{
    The inverse of `ds-absorb-mla-weights`, for graphs that compute scores and values in the latent space: where the first C columns of each head of the
    query are products of one row of P numbers with a weight, and all that reads the result is products of one head's latents with weights, V columns a
    head, the former weight is W_UK, the latter is W_UV, and the attention is `ds.mla` of the rows before the products; its result stands for those of the
    products behind. So long prompts can take the expanded form, and `ds-absorb-mla-weights` makes both, as for every other graph.

    Products are `ds.linear` without bias and `ds.matmul` with a weight of each head; what they read and give is traced element by element, so weights
    of all heads or of each, in any order, and views between do not matter. Where a link fails a remark says which, and the absorbed form stays,
    which is right for any number of tokens: a bias or another op between, a product with what is no weight, one over several heads (W_UV multiplied into
    the output projection), heads that share their input (W_UK multiplied into the query's projection), P + V not below 2 · C. The op and
    products that nothing reads any more stay for the canonicalizer. Run after ds-raise-mla.
  }];
  let dependentDialects = ["::mlir::ds::DsDialect", "::mlir::tensor::TensorDialect"];
}

#endif // PASSES_PASSES
