//===- RowVectors.h - rows of tensors, vector by vector -------*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. What kernels that walk along the last
// dimension share: vectors of a fixed number of lanes, f32 whatever float the
// memory holds, a row that is written piece by piece, and sums in one order.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_ROWVECTORS_H
#define LOWERING_LINALGTOCPU_ROWVECTORS_H

#include "lowering/LinalgToCPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::ds {

struct RowVectors {
  OpBuilder &b;
  Location loc;
  int64_t lanes = 16;

  VectorType f32() const { return vectorOf(b.getF32Type()); }
  VectorType vectorOf(Type element) const {
    return VectorType::get({lanes}, element);
  }
  Value index(int64_t value);
  Value splat(double value) { return splat(b.getF32FloatAttr(float(value))); }
  Value splat(TypedAttr value);
  Value broadcast(Value scalar);
  /// Lane 0.
  Value first(Value vector);
  /// The offset `count` vectors behind `offset`.
  Value after(Value offset, int64_t count);

  /// f32, f16 and bf16 are computed in f32; f64 is not for these kernels.
  static bool isSupported(Type element) {
    return element.isF32() || element.isF16() || element.isBF16();
  }
  /// The type that elements in memory are computed in: f32, or an integer's
  /// own.
  static Type computed(Type element);
  /// `lanes` elements of `tensor` from `at` on, along the last dimension.
  /// Lanes outside are `padding`, an element of the tensor (none: 0), where
  /// `partial`.
  Value read(Value tensor, ValueRange at, bool partial = false,
             TypedAttr padding = {});
  /// Writes lanes into `tensor`, rounded to its type; lanes outside are dropped
  /// where `partial`. Returns the new tensor.
  Value write(Value vector, Value tensor, ValueRange at, bool partial = false);
  /// The 4 bytes of `tensor` from `at` on, 0 behind its end where `partial`, in
  /// each of `lanes` quarters: an operand of ds.dot_bytes.
  Value fourBytes(Value tensor, ValueRange at, bool partial = false);
  /// The vector as it is after it was stored as `element`.
  Value rounded(Value vector, Type element);

  /// Lanes for lines of `length`, which may be dynamic: no more than they need.
  static int64_t lanesFor(int64_t length);

  /// Calls `body` for offsets 0, lanes, … below `length`, the last one partial
  /// unless lanes are known to divide `length`; carries values through. In
  /// descending order where `descending`, the partial one first.
  using Body = llvm::function_ref<SmallVector<Value>(
      RowVectors &, Value offset, bool partial, ValueRange carried)>;
  SmallVector<Value> along(OpFoldResult length, ValueRange carried, Body body,
                           bool descending = false);

  /// Loops over `sizes` one inside the other; carries values through.
  using NestBody = llvm::function_ref<SmallVector<Value>(
      RowVectors &, ValueRange at, ValueRange carried)>;
  SmallVector<Value> nest(ArrayRef<OpFoldResult> sizes, ValueRange carried,
                          NestBody body);

  /// The accumulator of a fold, one or more vectors of f32 or integers, with
  /// the elements at `at`. `through` are values that the fold passes on, in
  /// order.
  using FoldStep = llvm::function_ref<SmallVector<Value>(
      RowVectors &, ValueRange accumulator, ValueRange at, bool partial,
      MutableArrayRef<Value> through)>;
  /// Two accumulators as one.
  using FoldJoin =
      llvm::function_ref<SmallVector<Value>(ValueRange, ValueRange)>;
  /// Folds all elements of `sizes`, vectors along the last of them. One order
  /// for every machine and company: element j of a line goes to accumulator
  /// (j / lanes) mod 4, lane j mod lanes, each of which starts as `start`; then
  /// the accumulators are joined as a tree, then their lanes, halves first. All
  /// lanes of the result are equal.
  SmallVector<Value> fold(ArrayRef<OpFoldResult> sizes, ArrayRef<Value> start,
                          FoldStep step, FoldJoin join,
                          MutableArrayRef<Value> through = {});

  /// A parallel loop over all but the last `inner` dimensions of a result of
  /// `type`, which has `sizes`. `body` gets the indices and a tensor of the
  /// last `inner` dimensions, and returns it filled.
  using RowBody = llvm::function_ref<Value(RowVectors &, ValueRange at, Value)>;
  Value forEachRow(RankedTensorType type, ArrayRef<OpFoldResult> sizes,
                   int64_t inner, RowBody body);

  /// The same, and over panels of the last dimension: of `panel` lanes, the
  /// last one partial unless they are known to divide it. `body` gets the first
  /// column, and a tensor whose last size is at most the panel's.
  using PanelBody = llvm::function_ref<Value(
      RowVectors &, ValueRange at, Value column, bool partial, Value)>;
  Value forEachPanel(RankedTensorType type, ArrayRef<OpFoldResult> sizes,
                     int64_t inner, int64_t panel, PanelBody body);

  /// How many panels there are in so many columns.
  OpFoldResult panelCount(OpFoldResult columns, int64_t panel);
  /// Whether every panel of `columns`, which may be dynamic, is whole.
  static bool allWhole(int64_t columns, int64_t panel) {
    return !ShapedType::isDynamic(columns) && columns % panel == 0;
  }
  /// What `emit` makes of a panel, whole or partial, decided by how many
  /// columns are `left` where `columns`, the number of all of them, does not.
  Value
  wholeOrPartial(int64_t columns, int64_t panel, Value left, Type type,
                 llvm::function_ref<Value(RowVectors &, bool partial)> emit);
};

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_ROWVECTORS_H
