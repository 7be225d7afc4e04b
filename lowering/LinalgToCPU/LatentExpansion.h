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
/// sum over C in ascending order, whatever is made beside it. Where the shape
/// says so, two elements of C are multiplied at once (vdpbf16ps): then weights
/// and latents are bf16 and C is even.
class LatentExpansion : AttentionStates {
public:
  LatentExpansion(ImplicitLocOpBuilder &b, const AttentionShape &shape,
                  ArrayRef<Value> weights)
      : AttentionStates(b, shape), weights(weights) {}

  /// Lays the weights out element by element. Once a head, before `expand`.
  void layWeights();
  /// For each weight what it makes of latents [first, first + count), count at
  /// most AttentionShape::chunkKeys: [chunkKeys, width] f32, or bf16 where
  /// products are those of pairs.
  SmallVector<Value> expand(Value latents, Value first, Value count);

private:
  /// Latents that are widened, or put together in pairs, at a time.
  static constexpr int64_t block = 64;

  /// Elements of C that are multiplied at once.
  int64_t together() const { return shape.pairs ? 2 : 1; }
  Type element() { return shape.pairs ? word() : Type(b.getF32Type()); }
  using AttentionStates::element;

  /// Columns of `laid` before those of weight `number`.
  int64_t columnsBefore(size_t number) const;
  Value latent(Value latents, Value row, Value first, int64_t count);
  Value expandBlock(Value wide, Value count, size_t number, Value firstRow,
                    Value into);
  Value addTile(Value wide, ArrayRef<Value> rows, size_t number,
                ArrayRef<Columns> columns, Value firstRow, Value into);

  SmallVector<Value> weights;
  /// [C / together, all widths in whole vectors].
  Value laid;
};

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_LATENTEXPANSION_H
