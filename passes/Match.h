//===- Match.h - questions that raising asks of ds IR ---------*- C++ -*-===//
//
// Small matchers that several raising passes share. All look at values, never
// at names.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_MATCH_H
#define PASSES_MATCH_H

#include "dialects/ds/IR/DsDialect.h"
#include <optional>
#include <utility>

namespace mlir::ds {

/// The elementwise op of `kind` that makes `value`, or null.
ElementwiseOp matchElementwise(Value value, ElementwiseKind kind);

/// The number that every element of `value` is, seen through reshapes,
/// broadcasts, transposes and casts; nothing if it is no such constant.
std::optional<double> matchSplat(Value value);

/// `value` without casts from one float type to another.
Value peelFloatCasts(Value value);

/// The dequantisation that makes the weight of a product, seen through
/// transposes (`transposed`: an odd number of them), roundings, and slices that
/// cut padding off the ends; null if it is made otherwise.
DequantizeOp matchDequantizedWeight(Value weight, bool *transposed = nullptr);

/// Whether `op` gives the logits of a router, on which experts are chosen. Its
/// weight and its activations keep their precision whatever the others get.
bool isRouter(LinearOp op);

/// Whether `value` depends on parameters and constants alone.
bool isParameterValue(Value value);

/// The operand of a two-operand op that is not the one at `index`.
inline Value otherOperand(ElementwiseOp op, unsigned index) {
  return op.getOperands()[1 - index];
}

/// `value` read as [.., n] with one dimension: a vector along the last
/// dimension seen through reshapes that add or drop unit dimensions; null if
/// it is not such a vector.
Value matchVector(Value value);

inline RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Slice offset, size and stride of `op` along dimension `dim` if all three
/// are numbers.
struct SliceRange {
  int64_t offset, size, stride;
};
std::optional<SliceRange> matchSliceAlong(SliceOp op, int64_t dim);

} // namespace mlir::ds

#endif // PASSES_MATCH_H
