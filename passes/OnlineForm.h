//===- OnlineForm.h - attention from block to block -----------*- C++ -*-===//
//
// Private to passes. What ds.online_attention carries from one block of keys to
// the next, and what becomes of it.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_ONLINEFORM_H
#define PASSES_ONLINEFORM_H

#include "dialects/ds/IR/DsDialect.h"

namespace mlir::ds {

/// Accumulator [B, S, H, Dv], maximum and sum [B, S, H].
struct OnlineState {
  Value accumulator, maximum, sum;
};

/// What attention of `query` is computed in.
FloatType wideType(Value query);

/// The state before the first block; `rows` are B, S and H, `width` is Dv.
OnlineState nothingSeen(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> rows,
                        OpFoldResult width, FloatType wide);

/// accumulator / sum as `type`. A row without keys has the sum 0, and the
/// accumulator 0 for a result.
Value mixture(OpBuilder &b, Location loc, Value accumulator, Value sum,
              RankedTensorType type);

} // namespace mlir::ds

#endif // PASSES_ONLINEFORM_H
