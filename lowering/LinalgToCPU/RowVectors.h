//===- RowVectors.h - rows of tensors, vector by vector -------*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. What kernels that walk along the last
// dimension share: f32 vectors of a fixed number of lanes, whatever the element
// type in memory, and a row that is written piece by piece.
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

  VectorType f32() const { return VectorType::get({lanes}, b.getF32Type()); }
  Value index(int64_t value);
  Value splat(double value);
  Value broadcast(Value f32Scalar);

  /// f32, f16 and bf16 are computed in f32; f64 is not for these kernels.
  static bool isSupported(Type element) {
    return element.isF32() || element.isF16() || element.isBF16();
  }
  /// `lanes` elements of `tensor` from `at` on, along the last dimension.
  /// Lanes outside are zero where `partial`.
  Value read(Value tensor, ValueRange at, bool partial = false);
  /// Writes f32 lanes into `tensor`; lanes outside are dropped where
  /// `partial`. Returns the new tensor.
  Value write(Value vector, Value tensor, ValueRange at, bool partial = false);
  /// The vector as it is after it was stored as `element`.
  Value rounded(Value vector, Type element);

  /// Calls `body` for offsets 0, lanes, … below `length`, the last one partial
  /// where lanes do not divide `length`; carries values through.
  using Body = llvm::function_ref<SmallVector<Value>(
      RowVectors &, Value offset, bool partial, ValueRange carried)>;
  SmallVector<Value> along(int64_t length, ValueRange carried, Body body);

  /// A parallel loop over all but the last `inner` dimensions of a result of
  /// `type`, sized as `like`. `body` gets the indices and a tensor of the last
  /// `inner` dimensions, and returns it filled.
  using RowBody = llvm::function_ref<Value(RowVectors &, ValueRange at, Value)>;
  Value forEachRow(RankedTensorType type, Value like, int64_t inner,
                   RowBody body);
};

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_ROWVECTORS_H
