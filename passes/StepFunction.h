//===- StepFunction.h - the step of a language model ------------*- C++ -*-===//
//
// What every front door makes of a language model: one function on flattened
// tokens, the caches it reads and appends to, and the facts that the descriptor
// and the runtime need. Its form is said
// here alone.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_STEPFUNCTION_H
#define PASSES_STEPFUNCTION_H

#include "dialects/ds/IR/DsDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace mlir::ds {

/// One cache tensor, [slots, heads, length, width] f32.
struct StepCache {
  std::string name;
  int64_t heads, width;
};

/// ds.name of an argument that a step may have behind its caches: an i32, how
/// many of its sequences, the first, take the absorbed form of latent attention
/// (ds-absorb-mla-weights).
constexpr llvm::StringLiteral absorbedSequencesName = "absorbed_sequences";

/// Whether `function` is on flattened tokens with caches: @step or a draft.
bool isStepFunction(func::FuncOp function);

struct StepFunction {
  func::FuncOp function;
  /// Arguments, all i32 of rank 1: N tokens of B sequences laid end to end,
  /// row_start [B+1], past_length [B], cache_slot [B], and the rows whose
  /// logits are asked for.
  Value tokens, rowStart, pastLength, cacheSlot, logitRows;
  /// Of a draft: the state that goes with each token, f32 [N, hidden size].
  Value states;
  /// Position of every token in its sequence, i32 [N].
  Value positions;
  /// Each cache as it comes in.
  SmallVector<Value> caches;

  /// Makes @step at the builder's insertion point, which moves into its body.
  static StepFunction create(OpBuilder &builder, Location loc,
                             ArrayRef<StepCache> caches, int64_t vocabulary,
                             int64_t hiddenSize);
  /// Makes @draft_{layer}, the entry of a layer that predicts a token further
  /// on: a step that is given a state with each token.
  static StepFunction createDraft(OpBuilder &builder, Location loc,
                                  int64_t layer, ArrayRef<StepCache> caches,
                                  int64_t vocabulary, int64_t hiddenSize);

  /// The rows of `hidden` [N, d] whose logits are asked for.
  Value rowsForLogits(OpBuilder &builder, Location loc, Value hidden) const;

  /// Ends the body. `caches` are each cache as it goes out.
  static void finish(OpBuilder &builder, Location loc, Value logits,
                     Value hidden, ArrayRef<Value> caches);
  /// Puts the facts of the model on `module`, read off what @step returns.
  static void setFacts(ModuleOp module, Value logits, Value hidden,
                       int64_t layers);

private:
  static StepFunction create(OpBuilder &builder, Location loc, StringRef name,
                             StringRef entry, ArrayRef<StepCache> caches,
                             int64_t vocabulary, int64_t hiddenSize);
};

} // namespace mlir::ds

#endif // PASSES_STEPFUNCTION_H
