//===- Passes.td - from linalg on tensors to CPU code ---------*- tablegen -*-===//
#ifndef LOWERING_LINALGTOCPU_PASSES
#define LOWERING_LINALGTOCPU_PASSES
include "mlir/Pass/PassBase.td"

def BuildEntries : Pass<"ds-build-entries", "ModuleOp"> {
  let summary = "functions of model_abi.h around @graph, @step and drafts";
  let description = [{
    `@graph` gets buffers for its arguments and returns fresh buffers; `@step` and drafts write their results into buffers that they are
    given, caches in place. Around each stands `@ds_entry_…(call) -> status`, which checks sizes, ids, rows, slots and lengths before anything is
    touched. `ds.load_parameter` becomes a view of the caller's memory; parameter i, in the order of the
    `ds.parameter` ops, is entry i of the `parameters` array, and the ops go.
    Does nothing in a module without `ds.entry`. Run on signless tensors, before bufferization.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect"];
}

def BuildParameterEntries : Pass<"ds-build-parameter-entries", "ModuleOp"> {
  let summary = "functions that compute parameters take and write raw memory";
  let description = [{
    A function with `ds.entry = "parameter"` becomes `i32 NAME(const void *const *arguments, void *result)`: dense row-major tensors in
    the order of its arguments, the result written in place, a DsStatus (an index outside its tensor) returned. They run
    inside the compiler, one at a time. Does nothing in a module without such functions; all else in the module is left
    alone. Run on signless tensors, before bufferization.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect"];
}

def LowerCopies : Pass<"ds-lower-copies"> {
  let summary = "copies between strided buffers become linalg.copy";
  let description = [{
    Upstream would call a library function that is not in libc. Copies between contiguous buffers stay: they become memcpy.
    Run after bufferization.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def PlanWorkspace : Pass<"ds-plan-workspace", "ModuleOp"> {
  let summary = "buffers of a step become parts of the caller's workspace";
  let description = [{
    Every `memref.alloc` of a function that has an argument `ds.workspace` becomes a view of that argument; buffers whose lifetimes do
    not meet share memory. Sizes may depend on tokens, sequences, logit rows, cache length and threads (`ds.sizes` on the arguments
    says how); the function that the attribute names gets its body, which says how much a call needs. A buffer made inside a parallel loop exists once per
    thread, on its stack where it is small. A buffer that outlives the iteration that makes it, or whose size only the step's data
    tell, is an error.
    Does nothing without such a function: graph mode allocates. Run after bufferization, before deallocation.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect", "::mlir::affine::AffineDialect",
                           "::mlir::func::FuncDialect"];
}

def OutlineKernels : Pass<"ds-outline-kernels", "ModuleOp"> {
  let summary = "parallel loops become calls of kernels that threads can share";
  let description = [{
    The outermost `scf.forall` and `scf.parallel` of a function become calls of `@share_i(member, members, count, …)`: it
    divides the `count` iterations into `members` consecutive parts of equal length and calls `@kernel_i(first, end, thread, …)` with its own.
    Where there are fewer iterations than are worth a second thread (its attribute `ds.share`), member 0 takes all. The calls name
    member 0 of 1, so the function does what it did; `ds-form-teams` puts teams there. Loops that are equal but for the values they read
    have one kernel: a model of many layers is compiled once per kind of loop, not once per layer. Parallel loops inside become
    `scf.for`, `@ds_thread_index` the member's number.
    Run after bufferization and deallocation, before scf goes to cf. Loops must have no results.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::func::FuncDialect"];
}

def FormTeams : Pass<"ds-form-teams", "ModuleOp"> {
  let summary = "runs of shared loops are done by one OpenMP team";
  let description = [{
    In a function with an argument `ds.threads`, the longest runs of a block from one call of a share to another become a call of
    `@team_i(threads, …)`: an `omp.parallel` whose members run `@member_i(member, members, …)`. In it every member does its part of each loop, and all
    that has no effect on memory or only reads; the first alone does what writes. Barriers stand where an operation could
    see what another member wrote since the last one, or overwrite what it still reads; between loops too small to be shared nobody waits. Memory is told apart by the argument, the
    allocation or the global through which it is reached. A step that allocates nothing is one run: it wakes its threads once.
    Allocations, other calls, and reads whose values are wanted behind it end a run. Teams have no more threads than the longest of their loops is worth.
    Functions without that argument run in the caller. Run after ds-outline-kernels.
  }];
  let dependentDialects = ["::mlir::omp::OpenMPDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect"];
}

def LowerNorm : Pass<"ds-cpu-norm"> {
  let summary = "rms_norm becomes a parallel loop over rows, in vectors";
  let description = [{
    The sum of squares of a row is kept in 4 × 16 lanes and added as a tree, so that its bits depend on the row alone. f32, f16 and bf16
    are computed in f32. A norm whose only use is a cast writes the type of the cast. f64 stays for ds-to-linalg.
    Run on tensors, before ds-to-linalg.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def LowerRope : Pass<"ds-cpu-rope"> {
  let summary = "rope becomes a parallel loop over tokens, in vectors";
  let description = [{
    Both layouts, in and out; f32, f16 and bf16 are computed in f32. A dynamic width or number of heads and f64 stay for
    ds-to-linalg.
    Run on tensors, before ds-to-linalg.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::vector::VectorDialect"];
}

def LowerReduce : Pass<"ds-cpu-reduce"> {
  let summary = "reductions become parallel loops of vector code";
  let description = [{
    `ds.reduce` and `ds.arg_reduce` → `scf.forall` over what they keep. Where the last dimension goes, lanes lie along it: 4 accumulators of
    16 lanes take turns, then are joined as a tree, accumulators first, lanes after. Where it stays, each lane combines its own column in
    ascending order. Neither threads nor other rows change a bit. f16 and bf16 are read as they are stored and computed in f32; integers wrap
    in their own type. f64, f8, bools, integers below 8 bits and tensors without elements by their type stay for ds-to-linalg.
    Run on tensors, before ds-to-linalg.
  }];
  let options = [Option<"vectorLanes", "lanes", "int64_t", "8", "f32 lanes of a vector register: 8 or 16">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::vector::VectorDialect"];
}

def LowerSoftmax : Pass<"ds-cpu-softmax"> {
  let summary = "softmax becomes parallel loops of vector code";
  let description = [{
    `ds.softmax` → `scf.forall` over lines, with lanes and order of summation as in `ds-cpu-reduce`. Powers are kept in an f32 result until
    their sum is known; a result of 16 bits, and a logarithm, compute them again.
    f64 and tensors without elements by their type stay for ds-to-linalg. Run on tensors, before ds-to-linalg.
  }];
  let options = [Option<"vectorLanes", "lanes", "int64_t", "8", "f32 lanes of a vector register: 8 or 16">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def LowerCumulative : Pass<"ds-cpu-cumulative"> {
  let summary = "running sums and products become parallel loops of vector code";
  let description = [{
    `ds.cumulative` → `scf.forall` over lines. Along the last dimension 16 elements are combined in 4 steps, each with the one 1, 2, 4, 8
    before it, then with all before the 16; along another one each lane combines its own column in order. Types as in `ds-cpu-reduce`.
    Run on tensors, before ds-to-linalg.
  }];
  let options = [Option<"vectorLanes", "lanes", "int64_t", "8", "f32 lanes of a vector register: 8 or 16">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::vector::VectorDialect"];
}

def LinalgToParallelLoops : Pass<"ds-linalg-to-parallel-loops"> {
  let summary = "linalg on buffers becomes loops, the outer ones parallel";
  let description = [{
    The leading parallel dimensions of an op become one `scf.parallel`, the others `scf.for`. The innermost loop is always an `scf.for`,
    so that LLVM can vectorise it; an op on one dimension is cut into strips. A product whose right side lies column by column gets its
    columns innermost; each sum still ascends over k. No sum is split, so bits do not depend on threads.
    Inside a parallel loop all loops are `scf.for`.
    Run after bufferization, before ds-outline-kernels.
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect", "::mlir::affine::AffineDialect",
                           "::mlir::memref::MemRefDialect"];
}

def FuseElementwise : Pass<"ds-fuse-elementwise"> {
  let summary = "chains of elementwise linalg ops become one op";
  let description = [{
    Fuses a producer into its only consumer where each of its elements is wanted once, or where computing it again is as cheap
    as reading it. Upstream's pass also fuses into the operands of products, which would compute an exponential once per output
    column.
    Run on tensors.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::affine::AffineDialect", "::mlir::tensor::TensorDialect"];
}

def ExpandMath : Pass<"ds-expand-math"> {
  let summary = "exp, log and tanh of f32 become polynomials";
  let description = [{
    A loop with a call of libm cannot be vectorised; one with a polynomial can. Errors are a few units in the last place. Scalars and
    vectors get the same operations, so an element's bits do not depend on where it lies. f64 stays with libm.
    Run before math goes to LLVM.
  }];
  let dependentDialects = ["::mlir::math::MathDialect", "::mlir::arith::ArithDialect", "::mlir::vector::VectorDialect"];
}

def LowerAttention : Pass<"ds-cpu-attention"> {
  let summary = "attention, over keys or latents, becomes parallel loops of vector code";
  let description = [{
    `ds.attention`, `ds.cached_attention` and `ds.mla_absorbed` become `scf.forall` over key heads and blocks of tokens. Inside, softmax is
    online: keys are walked in blocks from position 0 and maximum, sum and weighted values of a row move along, so no buffer holds
    tokens × keys. A latent and its rope key lie side by side as one key; the latent is read where it lies as the value, too. More than 32
    query heads of one key are computed in equal parts of at most as many, where there are such of 8 or more.
    `ds.mla` goes over heads and blocks of 512 tokens: for each chunk of 256 keys, keys and values of one head are made of the latents by
    fused multiply-adds, C ascending, then all tokens of the block attend to them, and what they have is carried to the next chunk.
    All in f32; f16 and bf16 are widened when read. With `bf16-dot`, where query and cached keys and values are bf16 and widths allow it (even
    for keys; values that leave 4, 8 or no elements of whole vectors), products are vdpbf16ps on pairs of elements and, for values, of
    keys, of weights rounded to bf16; `ds.mla` with weights of bf16 makes keys and values by it and rounds them to bf16. Every 256 keys the row's result is merged with that of the keys before; where few
    tokens give threads little to share (decoding), they share these chunks, and a second loop merges them in the same order. The next block is asked for before it is needed
    (`memref.prefetch`). A row's bits depend on its own query, keys and position only, within one value of `lanes`.
    Does nothing where the number of heads or a width is not known, or an element is neither f32, f16 nor bf16: ds-to-linalg lowers
    these to scalar loops. Run before ds-to-linalg.
  }];
  let options = [Option<"vectorLanes", "lanes", "int64_t", "8", "f32 lanes of a vector register: 8 or 16">,
                 Option<"bf16Dot", "bf16-dot", "bool", "false", "vdpbf16ps may be used">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect", "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect",
                           "::mlir::x86vector::X86VectorDialect"];
}

def LowerLinear : Pass<"ds-cpu-linear"> {
  let summary = "products with packed weights become parallel loops of vector code";
  let description = [{
    `ds.packed_linear` → `scf.forall` over (chunks of 64 rows, panels of 32 outputs); inside, tiles of 8, 4, 2 and 1 rows whose sums stay
    in registers while k ascends over the panel. Sums are f32 by fused multiply-add, or by `vdpbf16ps` where input and
    weight are bf16 and the variant has it (else the input is widened once). Every tile adds in the same order, so that a
    row's bits depend on nothing but the row.
    Run on tensors, before ds-to-linalg.
  }];
  let options = [
    Option<"vectorLanes", "lanes", "int64_t", "8", "f32 lanes of a vector register: 8 or 16">,
    Option<"bf16Dot", "bf16-dot", "bool", "false", "vdpbf16ps may be used">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::vector::VectorDialect", "::mlir::x86vector::X86VectorDialect"];
}
def LowerQuantizedLinear : Pass<"ds-cpu-quantized-linear"> {
  let summary = "products with weights of 8 or 4 bits become parallel loops of vector code";
  let description = [{
    `ds.packed_quantized_linear` → the loops of `ds-cpu-linear` (panels, tiles of 4, 2 and 1 rows). With an i8 input and
    `vpdpbusd` the sum of a group is made of bytes, four k at a time, and starts at −zero · Σ input, so that stored numbers are used as they
    are; 4-bit numbers become bytes in registers. Without the instruction the same whole numbers are multiplied and added in f32, exact
    in groups of up to 512. With an f32 input weights are widened and added with fused multiply-adds, k ascending.

    FP8 weights with a bf16 input become bf16 in registers, by `ds.lookup_bytes`, for `vdpbf16ps`, tiles of 8 rows and fewer; otherwise f32 by shifts
    and a multiplication (the input is widened once). Grouped products take the tiles of `ds.group_tokens` in place of chunks of rows.
    Run on tensors, before ds-to-linalg.
  }];
  let options = [
    Option<"vectorLanes", "lanes", "int64_t", "8", "f32 lanes of a vector register: 8 or 16">,
    Option<"byteDot", "byte-dot", "bool", "false", "vpdpbusd on vectors of 64 bytes may be used">,
    Option<"bf16Dot", "bf16-dot", "bool", "false", "vdpbf16ps and vpermi2b may be used">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
                            "::mlir::vector::VectorDialect", "::mlir::x86vector::X86VectorDialect"];
}

def LowerMatmul : Pass<"ds-cpu-matmul"> {
  let summary = "products of two activations become parallel loops of vector code";
  let description = [{
    `ds.matmul` → `scf.forall` over batch, chunks of 48 rows and panels of columns; inside, tiles of 6, 2 and 1 rows whose sums stay in
    registers while k ascends, one fused multiply-add per k and element. Columns beyond the last are masked. An element's bits depend on
    its row and its column only, not on sizes, tiles, threads or `lanes`. All in f32: f16 and bf16 are widened, a narrow left side once
    before the loop.
    Integers (bytes are ds-cpu-byte-matmul's), f64 and f8 stay for ds-to-linalg. Run on tensors, before ds-to-linalg.
  }];
  let options = [Option<"vectorLanes", "lanes", "int64_t", "8", "f32 lanes of a vector register: 8 or 16">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::vector::VectorDialect"];
}

def LowerByteMatmul : Pass<"ds-cpu-byte-matmul"> {
  let summary = "products of unsigned and signed bytes become parallel loops of vector code";
  let description = [{
    `ds.matmul` of ui8 and i8 → the loops of `ds-cpu-matmul` around `ds.dot_bytes`: four k of 64 columns are read where they lie and dealt out in
    registers. Sums are whole numbers, exact but for wrapping in i32, in any order. The columns of a last panel that is not whole are copied
    beside zeros first. Does nothing with other types; `ds-narrow-matmuls` makes these of all products of bytes.
    Run on tensors, before ds-to-linalg.
  }];
  let options = [
    Option<"vectorLanes", "lanes", "int64_t", "8", "f32 lanes of a vector register: 8 or 16">,
    Option<"byteDot", "byte-dot", "bool", "false", "vpdpbusd on vectors of 64 bytes may be used">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def LowerDotBytes : Pass<"ds-lower-dot-bytes"> {
  let summary = "ds.dot_bytes becomes vpdpbusd, or vpmaddwd twice";
  let description = [{
    With `byte-dot` the intrinsic of AVX512-VNNI. Without, bytes are widened to 16 bits, even and odd ones apart, and vpmaddwd adds the products
    of neighbours: as exact, about four times as many instructions.
    Run after bufferization, which takes a call of an intrinsic for one with side effects, before vectors go to LLVM.
  }];
  let options = [
    Option<"vectorLanes", "lanes", "int64_t", "8", "f32 lanes of a vector register: 8 or 16">,
    Option<"byteDot", "byte-dot", "bool", "false", "vpdpbusd on vectors of 64 bytes may be used">
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect", "::mlir::vector::VectorDialect"];
}

def LowerLookupBytes : Pass<"ds-lower-lookup-bytes"> {
  let summary = "ds.lookup_bytes becomes vpermi2b";
  let description = [{
    The intrinsic of AVX512-VBMI: kernels write the op only where the processor has it.
    Run after bufferization, as `ds-lower-dot-bytes`.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def MoveBf16AsBits : Pass<"ds-move-bf16-as-bits"> {
  let summary = "bf16 that is only moved is moved as an integer";
  let description = [{
    Loads, stores, selections, shuffles, single elements of vectors, and what branches and calls pass are i16 in place of bf16, and a bitcast
    stands where a number is computed with; to widen one is a shift. Without instructions for bf16 LLVM keeps such values as f32 and calls
    a function of libgcc to get back, which the library that ds-compile links has not; and a value that is only moved must not be rounded.
    Run on the LLVM dialect, where pointers have no element type. The canonicaliser then takes the bitcasts between two moves away.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def LowerRoute : Pass<"ds-cpu-route"> {
  let summary = "ds.route becomes a parallel loop over tokens, in vectors";
  let description = [{
    Scores are computed as in `ds-cpu-softmax`, or as sigmoids; then each of the chosen is found in one walk over the experts: 16 lanes keep the
    largest they saw and which it was, of equals the first, and are joined as a tree. What is compared are the bits of f32 as whole numbers in the
    order of the floats. The chosen are put in order by counting; loads are counted afterwards, where somebody asks.
    Takes every ds.route: there is no other lowering but the reference. Run on tensors, before ds-to-linalg.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def LowerCombine : Pass<"ds-cpu-combine"> {
  let summary = "ds.combine becomes a parallel loop over tokens and panels of columns, in vectors";
  let description = [{
    Sums of 64 columns stay in registers while the slots ascend, one fused multiply-add each. f16 and bf16 are read as they are stored and
    computed in f32. f64 stays for ds-to-linalg. Run on tensors, before ds-to-linalg.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::vector::VectorDialect"];
}

def LowerQuantizeGroups : Pass<"ds-cpu-quantize-groups"> {
  let summary = "ds.quantize_groups becomes a parallel loop over rows, in vectors";
  let description = [{
    Each group is read once: its largest magnitude, then its whole numbers and their sum. Run on tensors, before ds-to-linalg.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def CountSlowOps : Pass<"ds-count-slow-ops", "ModuleOp"> {
  let summary = "counts the model ops that no kernel has taken";
  let description = [{
    Products, norms, RoPE, attention, softmax, reductions, running sums and mixtures of experts of an entry that are still ds ops go through
    plain loops. Each gets a remark, and their number stands in the module attribute `ds.slow_ops`, from which the descriptor has it. With `require-fast`
    each is an error.
    Not counted: elementwise ops, casts, views and indexing, whose loops LLVM vectorises or which only move elements; what has no elements
    by its type; functions of the parameter program, which run while compiling. Run after the ds-cpu-… passes, before ds-to-linalg.
  }];
  let options = [
    Option<"requireFast", "require-fast", "bool", "false", "an op that no kernel has taken is an error">
  ];
}
#endif // LOWERING_LINALGTOCPU_PASSES
