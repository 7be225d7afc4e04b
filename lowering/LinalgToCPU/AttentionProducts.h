//===- AttentionProducts.h - what attention multiplies ---------*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. The two products of attention, queries with
// keys and weights with values, of a block of keys and a tile of rows: in f32,
// or in pairs of bf16 (vdpbf16ps).
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_ATTENTIONPRODUCTS_H
#define LOWERING_LINALGTOCPU_ATTENTIONPRODUCTS_H

#include "lowering/LinalgToCPU/AttentionStates.h"

namespace mlir::ds {

class AttentionProducts : protected AttentionStates {
public:
  /// Columns of a row of values.
  using AttentionStates::Columns;

  static std::unique_ptr<AttentionProducts> create(ImplicitLocOpBuilder &b,
                                                   const AttentionShape &shape);
  virtual ~AttentionProducts() = default;

  /// Keys of a block.
  int64_t block() const { return shape.lanes * vectorsPerRow; }

  /// Takes the queries of a call, which has at most `maxRows` rows.
  virtual void loadQueries(const AttentionRows &rows, int64_t maxRows) = 0;
  /// Buffers that a walk over blocks carries: the weights of a tile of rows,
  /// [tile, ..], and what a block is laid out in.
  virtual SmallVector<Value> buffers(int64_t tile) = 0;
  /// Lays out the block from key `first` on; the last key before `end` stands
  /// for those behind it.
  virtual SmallVector<Value> lay(const AttentionRows &rows, Value first,
                                 Value end, SmallVector<Value> buffers) = 0;
  /// Scores of some rows: `vectorsPerRow` vectors of keys for each.
  virtual SmallVector<Value> scores(ArrayRef<Value> buffers,
                                    ArrayRef<Value> row) = 0;
  /// Keeps weights of keys [j, j + 1) · lanes of row `r` of the tile; returns
  /// them as they are kept.
  virtual Value keep(Value weight, int64_t r, int64_t j,
                     SmallVector<Value> &buffers) = 0;
  /// Adds the values of the block to `sums`, for each row one vector for each
  /// of `columns`. Row r sees the keys [0, ends[r]) of the block: as many as
  /// row 0 if it is of the same token, else more.
  virtual void addValues(const AttentionRows &rows, Value first,
                         ArrayRef<Columns> columns, ArrayRef<Value> buffers,
                         ArrayRef<Value> ends, bool oneToken,
                         MutableArrayRef<Value> sums) = 0;

protected:
  using AttentionStates::AttentionStates;
};

/// Products in pairs of bf16.
std::unique_ptr<AttentionProducts>
createPairProducts(ImplicitLocOpBuilder &b, const AttentionShape &shape);

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_ATTENTIONPRODUCTS_H
