//===- VectorMath.h - functions of f32 vectors as vector ops --------------===//
//
// What kernels in vectors need beyond +, · and FMA. No calls of libm, and one
// fixed order of operations: an element's bits depend on its value alone, never
// on the lane it lies in, the width of the vector or the machine's libm.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_VECTORMATH_H
#define LOWERING_LINALGTOCPU_VECTORMATH_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace mlir::ds {

/// `value` in every lane of `type`, or as itself where `type` is f32.
Value constantLike(OpBuilder &b, Location loc, Type type, double value);

/// e^x of an f32 or of a vector of them. Within 1 unit in the last place where
/// -86.9 < x < 88.7; 0 below -87, as for -inf; inf from 88.73 on; NaN for NaN.
Value expandExp(OpBuilder &b, Location loc, Value x);

/// The larger of each pair of elements, the second where one is NaN.
Value largerOf(OpBuilder &b, Location loc, Value x, Value y);

/// Joins the lanes of `vectors`, which have one number of lanes, a power of
/// two, and move together; as a tree, halves first. All lanes become equal.
/// `join` makes one of two; it must not mind which of them comes first.
void foldLanes(
    OpBuilder &b, Location loc, MutableArrayRef<Value> vectors,
    llvm::function_ref<SmallVector<Value>(ValueRange, ValueRange)> join);

/// The sum, or the largest, of the lanes of `vector`, in every lane.
Value sumOfLanes(OpBuilder &b, Location loc, Value vector);
Value largestOfLanes(OpBuilder &b, Location loc, Value vector);

/// The two members of a rotation (ds.rope): x · cos − y · sin, y · cos + x ·
/// sin.
std::pair<Value, Value> rotated(OpBuilder &b, Location loc, Value x, Value y,
                                Value cos, Value sin);

/// Rows become columns: n vectors of n lanes, n a power of two.
void transposeVectors(OpBuilder &b, Location loc,
                      MutableArrayRef<Value> vectors);

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_VECTORMATH_H
