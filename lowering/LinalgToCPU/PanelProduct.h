//===- PanelProduct.h - loops around a product with panels ----*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. A product with a packed weight is a parallel
// loop over (chunks of input rows, panels of 32 outputs); inside, tiles of a
// few rows whose sums stay in registers while k ascends over the panel, which
// is read once, in order. How a tile adds is what kinds of weights differ in.
// Every height of tile must add in the same order, so that a row's bits do not
// depend on its company.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_PANELPRODUCT_H
#define LOWERING_LINALGTOCPU_PANELPRODUCT_H

#include "dialects/ds/IR/DsDialect.h"
#include "lowering/LinalgToCPU/Passes.h"

namespace mlir::ds {

/// What becomes of the sums: documented with ds.packed_linear.
struct Epilogue {
  /// The result, [rows, n].
  RankedTensorType result;
  /// [outputs of the weight] f32, [rows, n] f32; null: none.
  Value bias, residual;
  bool swiglu;

  template <typename Product> static Epilogue of(Product op) {
    return {cast<RankedTensorType>(op.getResult().getType()), op.getBias(),
            op.getResidual(), op.getSwiglu()};
  }
};

class PanelProduct {
public:
  /// f32 lanes of one vector op. A panel has two; where registers are narrower
  /// LLVM splits them.
  static constexpr int64_t lanes = 16;
  /// Vectors of sums per row of a panel.
  static constexpr int64_t parts = PackOp::panelRows / lanes;

  /// Tiles have `maxRows` rows (a power of two) or fewer.
  PanelProduct(OpBuilder &b, Location loc, Epilogue epilogue, int64_t maxRows)
      : b(b), loc(loc), sum(VectorType::get({lanes}, b.getF32Type())),
        epilogue(epilogue), n(epilogue.result.getShape().back()),
        width(epilogue.swiglu ? lanes : PackOp::panelRows), maxRows(maxRows) {}
  virtual ~PanelProduct() = default;

  /// The result, with a dynamic first size.
  Value emit(Value rows);

protected:
  /// Sums of `height` rows from `row` on with one panel: [height][parts].
  virtual SmallVector<Value> emitTile(Value row, Value panel,
                                      int64_t height) = 0;

  Value index(int64_t value);
  Value add(Value a, Value x);
  Value add(Value a, int64_t x);
  Value mul(Value a, int64_t x);

  OpBuilder &b;
  Location loc;
  /// `lanes` f32.
  VectorType sum;

private:
  void emitPanel(Value chunk, Value panel, Value out, Value rows);
  SmallVector<Value> loadBias(Value panel);
  /// Result vectors of one row of a panel from its sums; `residual` is the
  /// panel's tile of it.
  SmallVector<Value> finish(ArrayRef<Value> sums, ArrayRef<Value> biases,
                            Value residual, Value row);
  /// Whether every panel has all its columns of the result.
  bool isWhole() const { return n % width == 0; }

  Epilogue epilogue;
  /// Columns of the result, and those that one panel makes.
  int64_t n, width;
  int64_t maxRows;
};

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_PANELPRODUCT_H
