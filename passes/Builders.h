//===- Builders.h - pieces of ds IR that several passes write -*- C++ -*-===//
#ifndef PASSES_BUILDERS_H
#define PASSES_BUILDERS_H

#include "dialects/ds/IR/DsDialect.h"
#include "mlir/IR/Builders.h"

namespace mlir::ds {

/// Elements [first, first + count) of `value` along `dim`, all of the others.
Value sliceAlong(OpBuilder &b, Location loc, Value value, int64_t dim,
                 OpFoldResult first, OpFoldResult count);
Value sliceAlong(OpBuilder &b, Location loc, Value value, int64_t dim,
                 int64_t first, int64_t count);

/// `x` [N, H, K] times `weights` [H, K, M], head by head: [N, H, M] of
/// `element`.
Value timesOfHeads(OpBuilder &b, Location loc, Value x, Value weights,
                   Type element);

} // namespace mlir::ds

#endif // PASSES_BUILDERS_H
