//===- TokenFlattener.h - values of a graph as rows of tokens -*- C++ -*-===//
//
// Private to passes/. What ds-flatten-tokens is made of: FlattenTokens.cpp has
// the step, its caches and its attention, TokenFlattener.cpp the values between
// them, and TokenFlattenerViews.cpp those that only move elements.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_TOKENFLATTENER_H
#define PASSES_TOKENFLATTENER_H

#include "passes/LanguageModel.h"
#include "passes/Match.h"
#include "passes/StepFunction.h"

namespace mlir::ds {

/// Rebuilds values of the graph in the step function. Of a value with a row for
/// every past and new token it makes the new rows: as such a value is computed
/// row by row from caches, its past rows were made when their tokens were new.
class TokenFlattener {
public:
  explicit TokenFlattener(LanguageModel &model)
      : model(model), symbols(model.symbols),
        builder(model.function.getContext()), f32(builder.getF32Type()) {}

  /// Makes @step beside @graph; null after a remark.
  func::FuncOp run();

private:
  /// Where the batch and row dimensions of a value are; −1 = it has none.
  struct Layout {
    int64_t batch = -1, row = -1;
    bool merged = false; // one dimension of batch·rows, at `row`
    bool past = false;   // the rows are those of past and new tokens
    bool isToken() const { return row >= 0; }
    bool isLead(int64_t d) const { return d == batch || d == row; }
  };
  Layout layoutOf(Value value);

  Value flatten(Value value);
  Value flattenOp(Value value);
  Value flattenElementwise(ElementwiseOp op);
  Value flattenReshape(ReshapeOp op);
  Value flattenTranspose(TransposeOp op);
  Value flattenSlice(SliceOp op);
  Value flattenAttention(AttentionOp op);
  Value flattenGather(GatherOp op);
  Value flattenRoute(RouteOp op, Value result);
  Value flattenConcat(ConcatOp op);
  Value flattenMatmul(MatmulOp op);
  Value flattenBroadcast(BroadcastOp op);
  /// Cache `index` of the step after the new rows of `seen`, keys or values
  /// [B, heads, past + rows, width].
  Value appendCache(Value seen, size_t index);
  /// `op`, which works element by element, on `rows` instead of `data`.
  Value reapply(Operation *op, Value data, Value rows);

  /// The sizes that a token of `type` has, laid out as `layout` says.
  SmallVector<int64_t> restOf(RankedTensorType type, Layout layout);
  /// A value that is the same for all tokens, cloned.
  Value import(Value value);
  /// `value` of the graph for use beside [N, rest…]: flattened if it has rows.
  Value operandFor(Value value, Layout result, ArrayRef<int64_t> resultShape);
  /// Positions of all tokens as `type`, rank 1.
  Value positionsAs(Type type, int64_t offset);

  Value reshapeRest(Value value, ArrayRef<int64_t> rest);
  Value asF32(Value value);
  Type activationType(Type type) {
    return isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 32 ? f32
                                                                     : type;
  }
  Value tokenCount(Value like);
  Value fail(Value value, const Twine &why);

  LanguageModel &model;
  SymbolicElements &symbols;
  OpBuilder builder;
  Type f32;
  Location loc = UnknownLoc::get(builder.getContext());
  bool failed = false;

  DenseMap<Value, Value> flat, imported;
  SmallVector<Value> cachesOut;
  StepFunction step;
};

} // namespace mlir::ds

#endif // PASSES_TOKENFLATTENER_H
