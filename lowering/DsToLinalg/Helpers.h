//===- Helpers.h - vocabulary of the ds → linalg patterns -----*- C++ -*-===//
//
// Private to lowering/DsToLinalg.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_DSTOLINALG_HELPERS_H
#define LOWERING_DSTOLINALG_HELPERS_H

#include "dialects/ds/IR/DsElements.h"
#include "lowering/DsToLinalg/Passes.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::ds {

using Sizes = SmallVector<OpFoldResult>;

inline RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// A scalar with what its signless type does not say.
struct Scalar {
  Value value;
  bool isUnsigned = false;
};

// ScalarOps.cpp. f16, bf16 and f8 operands are computed in f32.
Value scalarElementwise(OpBuilder &b, Location loc, ElementwiseKind kind,
                        ValueRange args, bool isUnsigned);
Value scalarCast(OpBuilder &b, Location loc, Value value, Type from, Type to,
                 bool saturate = true);
/// The element type sums and products are kept in.
Type accumulatorType(Type element);
/// Neutral element of a reduction.
Value neutral(OpBuilder &b, Location loc, ReduceKind kind, Type type,
              bool isUnsigned);
Value combine(OpBuilder &b, Location loc, ReduceKind kind, Value a, Value x,
              bool isUnsigned);

// NarrowFloats.cpp.
bool isFloat8(Type type);
Value extendFloat8(OpBuilder &b, Location loc, Value value); // to f32
Value truncateToFloat8(OpBuilder &b, Location loc, Value f32, Type to,
                       bool saturate);
/// f64 to f32, rounded so that rounding to 16 bits or fewer comes after.
Value truncateDouble(OpBuilder &b, Location loc, Value f64);

// Helpers.cpp.
Value index(OpBuilder &b, Location loc, int64_t value);
Value asIndex(OpBuilder &b, Location loc, OpFoldResult value);
Value number(OpBuilder &b, Location loc, Type type, double value);
Value empty(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
            Type element);
/// A tensor that a loop carries as its memory. Two equal tensor.empty become
/// one by CSE, and as bufferization takes reading from them for undefined, one
/// buffer: two tensors of one type that a loop carries must not both be empty.
Value memory(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
             Type element);
Value filled(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
             Value value);
/// Sizes of a result of type `type` whose dynamic ones are `dims` in order.
Sizes sizesFrom(OpBuilder &b, RankedTensorType type, ValueRange dims);

/// A parallel linalg.generic over `sizes`; body gets one scalar per input.
using Body = llvm::function_ref<Value(OpBuilder &, Location, ValueRange)>;
Value mapElements(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
                  Type element, ValueRange inputs, ArrayRef<AffineMap> maps,
                  Body body);
/// The same without inputs; body gets the index of the element.
using IndexBody =
    llvm::function_ref<Value(OpBuilder &, Location, ArrayRef<Value>)>;
Value generate(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
               Type element, IndexBody body);

/// Nested scf.for over `sizes`, tensors carried through.
using LoopBody = llvm::function_ref<SmallVector<Value>(
    OpBuilder &, Location, ArrayRef<Value> ivs, ValueRange carried)>;
SmallVector<Value> loopNest(OpBuilder &b, Location loc,
                            ArrayRef<OpFoldResult> sizes, ValueRange carried,
                            LoopBody body);

/// An index of the model (negative counts from the end) as an index into
/// [0, size): clamped, and reported if it was outside.
Value checkedIndex(OpBuilder &b, Location loc, Value value, Value size,
                   bool isUnsigned = false);

/// Makes the entry return DS_STATUS_INDEX where `condition` holds.
void reportIndex(OpBuilder &b, Location loc, Value condition);

// One function per family adds its patterns.
void populateAttention(RewritePatternSet &patterns, TypeConverter &types);
void populateElementwise(RewritePatternSet &patterns, TypeConverter &types);
void populateExperts(RewritePatternSet &patterns, TypeConverter &types);
void populateIndexing(RewritePatternSet &patterns, TypeConverter &types);
void populateModel(RewritePatternSet &patterns, TypeConverter &types);
void populatePack(RewritePatternSet &patterns, TypeConverter &types);
void populateReductions(RewritePatternSet &patterns, TypeConverter &types);
void populateViews(RewritePatternSet &patterns, TypeConverter &types);

/// An element type of the op's operand or result before conversion.
inline Type elementOf(Value value) {
  return cast<ShapedType>(value.getType()).getElementType();
}
inline bool isUnsigned(Value value) {
  Type element = elementOf(value);
  return element.isUnsignedInteger() || element.isInteger(1);
}

} // namespace mlir::ds

#endif // LOWERING_DSTOLINALG_HELPERS_H
