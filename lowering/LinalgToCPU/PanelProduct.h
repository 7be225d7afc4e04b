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
  /// Tables [rows, C] f32 of the first columns' rotation; null: none.
  Value cos, sin;
  int64_t ropeColumns;
  RopeLayout ropeLayout;

  template <typename Product> static Epilogue of(Product op) {
    return {cast<RankedTensorType>(op.getResult().getType()),
            op.getBias(),
            op.getResidual(),
            op.getSwiglu(),
            op.getCos(),
            op.getSin(),
            int64_t(op.getRopeColumns()),
            op.getRopeLayout()};
  }
};

/// Which rows of the input go with which weight: ds.group_tokens.
struct RowGroups {
  /// [T, 3] and [] i32; null: all rows with one weight.
  Value tiles, count;
  /// [R] i32, the input row of each result row; null: the same.
  Value rows;
};

class PanelProduct {
public:
  /// f32 lanes of one vector op. A panel has two; where registers are narrower
  /// LLVM splits them.
  static constexpr int64_t lanes = 16;
  /// Vectors of sums per row of a panel.
  static constexpr int64_t parts = PackOp::panelRows / lanes;

  /// Tiles have `maxRows` rows (a power of two) or fewer.
  PanelProduct(OpBuilder &b, Location loc, Epilogue epilogue, int64_t maxRows,
               RowGroups groups = {})
      : b(b), loc(loc), sum(VectorType::get({lanes}, b.getF32Type())),
        epilogue(epilogue), groups(groups),
        n(epilogue.result.getShape().back()),
        width(epilogue.swiglu ? lanes : PackOp::panelRows), maxRows(maxRows) {}
  virtual ~PanelProduct() = default;

  /// The result of `rows` rows, with a dynamic first size.
  Value emit(Value rows);

protected:
  /// Sums of some input rows with one panel: [rows][parts]. Panels of experts
  /// lie one behind the other.
  virtual SmallVector<Value> emitTile(ArrayRef<Value> rows, Value panel) = 0;

  Value index(int64_t value);
  Value add(Value a, Value x);
  Value add(Value a, int64_t x);
  Value mul(Value a, int64_t x);
  /// A packed tensor as [panels, Q, 32·p], those of experts one behind the
  /// other.
  Value panelsOf(Value packed);
  /// The bf16 pair of `input` from column `k` of `row` on, in all lanes: an
  /// operand of vdpbf16ps. `count` 1: 0 is the second.
  Value broadcastPair(Value input, Value row, Value k, int64_t count);

  OpBuilder &b;
  Location loc;
  /// `lanes` f32.
  VectorType sum;

private:
  /// The elements of the result that a panel makes of a chunk of rows. With a
  /// rotation the result is seen as [rows, n / 16, 16]: the two vectors of a
  /// panel may be half a head apart.
  struct Window {
    SmallVector<OpFoldResult> offsets, sizes, strides;
    Value extract(OpBuilder &b, Location loc, Value tensor) const;
  };
  /// What is the same for all rows of a chunk with one panel.
  struct Panel {
    /// The panel's number among all of the weight's.
    Value number;
    /// First row of the chunk, and how many there are.
    Value first, count;
    SmallVector<Value> biases;
    /// The window's part of the residual; null: none.
    Value residual;
    /// Whether its outputs are rotated, and the first column of the tables.
    Value isRotated, angle;
  };

  /// Body of the parallel loop: the rows of one chunk, or of one tile of one
  /// expert, with one of its panels.
  void emitPanel(Value chunk, Value panel, Value out, Value rows);
  /// Number and rows of a panel.
  Panel panelOf(Value chunk, Value panel, Value rows);
  /// The input row of result row `row`.
  Value inputRow(Value row);
  /// An element of an i32 tensor as an index.
  Value number(Value tensor, ValueRange at);
  Window windowOf(Value panel, Value first, Value count);
  Window rotatedWindowOf(Value panel, Value first, Value count);
  SmallVector<Value> loadBias(Value panel);
  /// Result vectors of row `row` of the chunk from its sums.
  SmallVector<Value> finish(ArrayRef<Value> sums, const Panel &panel,
                            Value row);
  SmallVector<Value> gate(ArrayRef<Value> values);
  SmallVector<Value> rotate(ArrayRef<Value> values, const Panel &panel,
                            Value row);
  /// Where vector `part` of row `row` is in a window.
  SmallVector<Value> placeOf(Value row, int64_t part);
  /// The panel's number is below that of the first one that is not rotated.
  Value isRotated(Value panel);
  /// Whether every panel has all its columns of the result.
  bool isWhole() const { return n % width == 0; }

  Epilogue epilogue;
  RowGroups groups;
  /// Columns of the result, and those that one panel makes.
  int64_t n, width;
  int64_t maxRows;
};

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_PANELPRODUCT_H
