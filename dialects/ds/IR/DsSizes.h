//===- DsSizes.h - arithmetic on sizes and offsets -------------*- C++ -*-===//
//
// Sizes are numbers where the types know them and index values elsewhere; what
// is known folds. arith, not affine: heads times rows, both unknown, is no
// affine expression.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSSIZES_H
#define DIALECTS_DS_IR_DSSIZES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace mlir::ds {

/// `size` as an index value.
inline Value asValue(OpBuilder &b, Location loc, OpFoldResult size) {
  return getValueOrCreateConstantIndexOp(b, loc, size);
}

/// `OpT` of two sizes, a number where it folds to one.
template <typename OpT>
OpFoldResult combine(OpBuilder &b, Location loc, OpFoldResult x,
                     OpFoldResult y) {
  return getAsOpFoldResult(
      b.createOrFold<OpT>(loc, asValue(b, loc, x), asValue(b, loc, y)));
}

inline OpFoldResult plus(OpBuilder &b, Location loc, OpFoldResult x,
                         OpFoldResult y) {
  return combine<arith::AddIOp>(b, loc, x, y);
}
inline OpFoldResult minus(OpBuilder &b, Location loc, OpFoldResult x,
                          OpFoldResult y) {
  return combine<arith::SubIOp>(b, loc, x, y);
}
inline OpFoldResult times(OpBuilder &b, Location loc, OpFoldResult x,
                          OpFoldResult y) {
  return combine<arith::MulIOp>(b, loc, x, y);
}
/// Of sizes, which are not negative; y > 0.
inline OpFoldResult quotient(OpBuilder &b, Location loc, OpFoldResult x,
                             OpFoldResult y) {
  return combine<arith::DivUIOp>(b, loc, x, y);
}

} // namespace mlir::ds

#endif // DIALECTS_DS_IR_DSSIZES_H
