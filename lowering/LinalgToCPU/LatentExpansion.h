//===- LatentExpansion.h - keys and values of latents ---------*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. What ds.mla makes of cached latents before
// it attends to them: a key and a value of one head for each.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_LATENTEXPANSION_H
#define LOWERING_LINALGTOCPU_LATENTEXPANSION_H

#include "lowering/LinalgToCPU/AttentionStates.h"

namespace mlir::ds {

/// Weights [width, C] of one head, and latents [length, C]. An element is the
/// sum over C in ascending order, whatever is made beside it.
class LatentExpansion : AttentionStates {
public:
  LatentExpansion(ImplicitLocOpBuilder &b, const AttentionShape &shape,
                  ArrayRef<Value> weights)
      : AttentionStates(b, shape), weights(weights) {}

  /// Lays the weights out element by element. Once a head, before `expand`.
  void layWeights();
  /// For each weight what it makes of latents [first, first + count), count at
  /// most AttentionShape::chunkKeys: [chunkKeys, width] f32.
  SmallVector<Value> expand(Value latents, Value first, Value count);

private:
  /// Latents that are widened at a time.
  static constexpr int64_t block = 64;

  /// Columns of `laid` before those of weight `number`.
  int64_t columnsBefore(size_t number) const;
  Value expandBlock(Value wide, Value count, size_t number, Value firstRow,
                    Value into);
  Value addTile(Value wide, ArrayRef<Value> rows, size_t number,
                ArrayRef<Columns> columns, Value firstRow, Value into);

  SmallVector<Value> weights;
  /// [C, all widths in whole vectors].
  Value laid;
};

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_LATENTEXPANSION_H
