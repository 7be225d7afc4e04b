//===- LanguageModel.h - is this graph one causal language model? -*- C++
//-*-===//
//
// Finds the roles of a raised graph's inputs and outputs by what they do, never
// by their names: which input holds the token ids, which pairs of inputs and
// outputs are caches, which integer inputs are positions and padding.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_LANGUAGEMODEL_H
#define PASSES_LANGUAGEMODEL_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/SymbolicElement.h"
#include "passes/ViewChain.h"

namespace mlir::ds {

/// One cache tensor: `appended` = concat(`past`, new rows) along `axis`.
struct CacheTensor {
  BlockArgument past;
  ConcatOp appended;
  Value rows;
  int64_t axis;
  int64_t heads;
  int64_t width;
  /// Whether the width stands before the heads in the cache (keys kept
  /// transposed).
  bool widthFirst;
  /// What is done to every element between the concatenation and the
  /// attention (a scale, a rounding), innermost first: done to new rows before
  /// they are kept.
  SmallVector<Operation *> afterAppend;
};

/// The operand of an op of `afterAppend` that is no number.
Value dataOperand(Operation *op);

/// One attention with its caches.
struct CachedLayer {
  AttentionOp attention;
  CacheTensor key, value;
};

/// The graph as a language model. `symbols` knows that all tokens are present:
/// padding masks are 1 and positions are past + row.
struct LanguageModel {
  func::FuncOp function;
  SymbolicElements symbols;
  /// Sizes: batch, new tokens, past tokens.
  Polynomial batch, rows, past;
  BlockArgument tokens;
  EmbeddingOp embedding;
  SmallVector<CachedLayer> layers;
  /// The graph's output and the product that makes it.
  Value logits;
  LinearOp head;

  /// The model, or failure after a remark that says what is missing.
  static FailureOr<std::unique_ptr<LanguageModel>> of(func::FuncOp function);

private:
  LogicalResult findTokens();
  LogicalResult findCaches();
  LogicalResult assumeInputs();
  LogicalResult findHead();
  FailureOr<CacheTensor> matchCache(Value value, AttentionOp user);
  LogicalResult no(Location loc, const Twine &why);
};

} // namespace mlir::ds

#endif // PASSES_LANGUAGEMODEL_H
