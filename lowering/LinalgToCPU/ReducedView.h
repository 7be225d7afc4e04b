//===- ReducedView.h - a tensor and which dimensions go -------*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. Reductions, softmax and running sums walk
// along some dimensions of a tensor. How they are vectorised depends on one
// thing: whether the last dimension is among those (lanes lie along the line)
// or not (each lane has a line of its own). Dimensions at the end that are of
// one kind become one, so that short ones fill vectors too.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_REDUCEDVIEW_H
#define LOWERING_LINALGTOCPU_REDUCEDVIEW_H

#include "lowering/LinalgToCPU/RowVectors.h"

namespace mlir::ds {

class ReducedView {
public:
  /// `input` walked along `axes`, or nothing where its type or shape is not for
  /// vectors: f64, f8, i1, fewer than 8 bits, no elements by its type.
  static std::optional<ReducedView> of(OpBuilder &b, Value input,
                                       ArrayRef<int64_t> axes);

  /// Element type in memory, signless.
  Type element() const { return getElementTypeOrSelf(input.getType()); }
  /// Whether the last dimension is walked along.
  bool along() const { return walked.back(); }
  /// Sizes of all dimensions, of those that are walked along, of the others.
  ArrayRef<OpFoldResult> sizes() const { return all; }
  SmallVector<OpFoldResult> walkedSizes() const { return sizesWhere(true); }
  SmallVector<OpFoldResult> keptSizes() const { return sizesWhere(false); }
  /// Lanes that its last dimension can use.
  int64_t lanes() const;
  /// Vectors of a panel of the last dimension: at most `most`.
  int64_t parts(int64_t most) const;

  /// The elements from here on; outside lanes as RowVectors::read has them.
  Value read(RowVectors &v, ValueRange keptAt, ValueRange walkedAt,
             bool partial, TypedAttr padding = {}) const;

  /// A result in the dimensions of this view as the value `like`, an op's
  /// result of `sizes`.
  static Value restored(OpBuilder &b, Value result, Value like,
                        ArrayRef<OpFoldResult> sizes);

private:
  SmallVector<OpFoldResult> sizesWhere(bool isWalked) const;
  /// Size of the last dimension, which may be dynamic.
  int64_t lastSize() const;

  Value input;
  /// Of each dimension of `input`.
  SmallVector<bool> walked;
  SmallVector<OpFoldResult> all;
};

/// Replaces `op`, whose result has the shape of its input, by what `emit` makes
/// of the input walked along `axis`; leaves it where there is no such view.
template <typename OpT>
void replaceAlong(
    OpT op, llvm::function_ref<Value(OpBuilder &, const ReducedView &)> emit) {
  OpBuilder b(op);
  std::optional<ReducedView> view =
      ReducedView::of(b, op.getInput(), int64_t(op.getAxis()));
  if (!view)
    return;
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, op.getLoc(), op.getInput());
  op.replaceAllUsesWith(
      ReducedView::restored(b, emit(b, *view), op.getResult(), sizes));
  op.erase();
}

/// A shape with what `sizes` say statically.
RankedTensorType typeOf(ArrayRef<OpFoldResult> sizes, Type element);

/// How `kind` combines elements of a type: a name for arith's helpers.
arith::AtomicRMWKind combinerOf(ReduceKind kind, Type element);

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_REDUCEDVIEW_H
