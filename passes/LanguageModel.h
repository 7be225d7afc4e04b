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

namespace mlir::ds {

/// One cache of the graph: the output `appended` = concat(`past`, new rows)
/// along `axis`.
struct CacheTensor {
  BlockArgument past;
  ConcatOp appended;
  int64_t axis;
};

/// What a graph is to be.
enum class GraphPart {
  /// A language model.
  Model,
  /// One whose states a layer that drafts goes on from: it gives them.
  MainModel,
  /// That layer: it takes a state with every token.
  DraftLayer,
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
  SmallVector<CacheTensor> caches;
  /// Each over keys and values with a row for every past and new token.
  SmallVector<AttentionOp> attentions;
  /// The graph's output and the product that makes it.
  Value logits;
  LinearOp head;
  GraphPart part = GraphPart::Model;
  /// Of a layer that drafts: the input [batch, tokens, hidden size].
  BlockArgument states;
  /// The state of every token that goes out of the step, and that a layer that
  /// drafts goes on from.
  Value hidden;

  /// The model, or failure after refuse() has said what is missing.
  static FailureOr<std::unique_ptr<LanguageModel>> of(func::FuncOp function,
                                                      GraphPart part);

  /// A remark; an error where the graph has to be what `part` says.
  void refuse(Location loc, const Twine &why) const;

private:
  LogicalResult findTokens();
  LogicalResult findCaches();
  LogicalResult findAttentions();
  LogicalResult assumeInputs();
  LogicalResult findHead();
  LogicalResult findHidden();
  LogicalResult no(Location loc, const Twine &why);
};

} // namespace mlir::ds

#endif // PASSES_LANGUAGEMODEL_H
