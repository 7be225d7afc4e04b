//===- MatmulLoops.h - loops around a product of tensors ------*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. A product of two activations is a parallel
// loop over batch, chunks of rows and panels of columns; inside, a tile is some
// rows of the left side by some vectors of columns of the right one. Its sums
// stay in registers while k ascends, and each element has one sum of its own:
// neither the height nor the width of a tile, nor a mask at the end of a row,
// changes an element's bits. The right side is read where it lies: an
// activation is used once, packing it would cost as much as it saves. How a
// tile adds is what element types differ in.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_MATMULLOOPS_H
#define LOWERING_LINALGTOCPU_MATMULLOOPS_H

#include "lowering/LinalgToCPU/RowVectors.h"

namespace mlir::ds {

class MatmulLoops {
public:
  /// Elements of one vector of sums; where registers are narrower LLVM splits
  /// them.
  static constexpr int64_t lanes = 16;

  /// `type` is that of the result. A panel has `parts` vectors of columns;
  /// tiles have `heights` rows, used in this order, the last one 1.
  MatmulLoops(OpBuilder &b, Location loc, Value lhs, Value rhs,
              RankedTensorType type, int64_t parts, ArrayRef<int64_t> heights)
      : b(b), loc(loc), lhs(lhs), rhs(rhs), parts(parts), type(type),
        n(type.getShape().back()), heights(heights) {}
  virtual ~MatmulLoops() = default;

  /// The result, whose sizes are `sizes`.
  Value emit(ArrayRef<OpFoldResult> sizes);

protected:
  /// Before the tiles of a panel, which has `left` columns or is whole.
  virtual void enterPanel(Value left, bool partial) {}
  /// Sums of `height` rows from `row` on: [height][parts] vectors. Lanes of
  /// columns that are not there may hold anything where `partial`.
  virtual SmallVector<Value> emitTile(Value row, int64_t height,
                                      bool partial) = 0;

  /// `most` vectors, or as few as the columns of a result of `type` need.
  static int64_t panelParts(RankedTensorType type, int64_t most);
  Value index(int64_t value);
  Value add(Value a, Value x) { return arith::AddIOp::create(b, loc, a, x); }
  Value add(Value a, int64_t x) { return x == 0 ? a : add(a, index(x)); }

  OpBuilder &b;
  Location loc;
  Value lhs, rhs;
  /// Vectors of columns of a panel.
  int64_t parts;
  /// Size K.
  Value depth;
  /// Of the panel at hand: its first column, and the batch indices of both
  /// operands.
  Value column;
  SmallVector<Value> lhsAt, rhsAt;

private:
  SmallVector<Value> batchOf(Value operand, ValueRange batch);
  void emitPanel(ValueRange ivs, Value out);
  Value emitRows(Value tile, Value first, Value count, bool partial);

  RankedTensorType type;
  /// Columns of the result; may be dynamic.
  int64_t n;
  ArrayRef<int64_t> heights;
  /// Sizes M and N.
  Value rows, columns;
};

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_MATMULLOOPS_H
