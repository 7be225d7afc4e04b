//===- DsVerify.h - vocabulary of verifiers and shapes --------*- C++ -*-===//
//
// Private to dialects/ds/IR. A message names the constraint of the op's
// description, what was expected and what was found:
//   'ds.rope' op C3: cos has size 12 in dimension 1, expected 16
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSVERIFY_H
#define DIALECTS_DS_IR_DSVERIFY_H

#include "dialects/ds/IR/DsDialect.h"

namespace mlir::ds {

using Shape = SmallVector<int64_t>;

inline RankedTensorType ranked(Value value) {
  return cast<RankedTensorType>(value.getType());
}
inline Type elementType(Value value) { return ranked(value).getElementType(); }
inline ArrayRef<int64_t> shapeOf(Value value) {
  return ranked(value).getShape();
}

/// Equal, or one of them is known only at run time.
inline bool agree(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}
/// The size that is known, of two that agree.
inline int64_t known(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) ? b : a;
}

/// "12", or "?" where it is known only at run time.
std::string sizeText(int64_t size);
/// "[2, ?, 4]".
std::string shapeText(ArrayRef<int64_t> shape);

// Each emits "Cn: WHAT has …, expected …" and fails unless it holds.

LogicalResult expectRank(Operation *op, StringRef constraint, StringRef what,
                         Value value, int64_t rank);
LogicalResult expectRankAtLeast(Operation *op, StringRef constraint,
                                StringRef what, Value value, int64_t rank);
LogicalResult expectFloat(Operation *op, StringRef constraint, StringRef what,
                          Value value);
/// Integers but i1.
LogicalResult expectInteger(Operation *op, StringRef constraint, StringRef what,
                            Value value);
LogicalResult expectElement(Operation *op, StringRef constraint, StringRef what,
                            Value value, Type element);
/// Every size of `value` agrees with `expected`.
LogicalResult expectShape(Operation *op, StringRef constraint, StringRef what,
                          Value value, ArrayRef<int64_t> expected);
/// Dimension `dim` of `value` agrees with `expected`, the size of `source`.
LogicalResult expectSize(Operation *op, StringRef constraint, StringRef what,
                         Value value, int64_t dim, int64_t expected,
                         StringRef source);
/// `axis` is a dimension of `value`.
LogicalResult expectAxis(Operation *op, StringRef constraint, int64_t axis,
                         Value value);
/// Every size of `value`, counted from the last, is 1 or agrees with `target`.
LogicalResult expectBroadcast(Operation *op, StringRef constraint,
                              StringRef what, Value value,
                              ArrayRef<int64_t> target);
/// No size of `result` but 1 is in no shape of `sources`.
LogicalResult expectWitness(Operation *op, StringRef constraint,
                            ArrayRef<int64_t> result,
                            ArrayRef<ArrayRef<int64_t>> sources);
/// `number`, an attribute, is finite.
LogicalResult expectFinite(Operation *op, StringRef constraint, StringRef what,
                           const APFloat &number);
/// It is finite and not negative.
LogicalResult expectFromZero(Operation *op, StringRef constraint,
                             StringRef what, const APFloat &number);
/// One operand of `dims` for each dynamic size of `result`.
LogicalResult expectDims(Operation *op, StringRef constraint, ValueRange dims,
                         Value result);

/// The result has the element type and the shape that the op infers.
template <typename OpT>
LogicalResult expectInferred(OpT op, StringRef constraint) {
  Operation *raw = op;
  SmallVector<Type> types;
  if (failed(OpT::inferReturnTypes(
          raw->getContext(), raw->getLoc(), raw->getOperands(),
          raw->getDiscardableAttrDictionary(), raw->getPropertiesStorage(),
          raw->getRegions(), types)))
    return raw->emitOpError() << constraint << ": its operands give no result";
  auto inferred = cast<RankedTensorType>(types.front());
  if (failed(expectElement(op, constraint, "the result", raw->getResult(0),
                           inferred.getElementType())))
    return failure();
  return expectShape(op, constraint, "the result", raw->getResult(0),
                     inferred.getShape());
}

/// The shape that `shapes` broadcast to where only a static 1 repeats, or
/// nothing if two sizes differ.
std::optional<Shape> broadcastShapes(ArrayRef<ArrayRef<int64_t>> shapes);

/// row_start, past_length and cache_slot of flattened tokens.
LogicalResult expectSequences(Operation *op, StringRef constraint,
                              Value rowStart, Value pastLength,
                              Value cacheSlot);

/// The rotation that joins a packed product: its tables [rows, C] and columns.
template <typename Product>
LogicalResult expectRopeEpilogue(Product op, StringRef constraint) {
  int64_t columns = op.getRopeColumns();
  if (!op.getCos() && !op.getSin() && columns == 0)
    return success();
  int64_t n = shapeOf(op.getResult()).back();
  auto isTable = [&](Value table) {
    return table && elementType(table).isF32() &&
           ranked(table).getRank() == 2 && !ranked(table).isDynamicDim(1) &&
           shapeOf(table)[1] > 0 && shapeOf(table)[1] % 16 == 0 &&
           agree(shapeOf(table)[0], shapeOf(op.getInput())[0]);
  };
  if (!isTable(op.getCos()) || op.getSin().getType() != op.getCos().getType() ||
      columns <= 0 || columns > n || n % PackOp::panelRows != 0 ||
      columns % (2 * shapeOf(op.getCos())[1]) != 0 || op.getSwiglu() ||
      op.getResidual())
    return op.emitOpError()
           << constraint
           << ": expected cos and sin of f32 [rows, C] with C a multiple of "
              "16, "
              "columns that are a multiple of 2C and at most N, N a multiple "
              "of 32, and neither swiglu nor residual; found "
           << columns << " columns of " << op.getResult().getType();
  return success();
}

/// What makes a packed product a grouped one: tiles and their count of
/// ds.group_tokens, and perhaps the input row of each result row.
template <typename Product>
LogicalResult expectExpertGroups(Product op, StringRef constraint) {
  auto isI32 = [](Value value, int64_t rank) {
    return elementType(value).isSignlessInteger(32) &&
           ranked(value).getRank() == rank;
  };
  Value tiles = op.getTiles(), count = op.getCount(), rows = op.getRows();
  if (!tiles && !count && !rows)
    return success();
  if (!tiles || !count || !isI32(tiles, 2) || shapeOf(tiles)[1] != 3 ||
      !isI32(count, 0) || (rows && !isI32(rows, 1)))
    return op.emitOpError()
           << constraint
           << ": expected tiles of i32 [T, 3], a count of i32 [] and rows, if "
              "there, of i32 [R]";
  if (op.getBias() || op.getResidual() || op.getCos())
    return op.emitOpError()
           << constraint << ": a grouped product has no bias, residual or rope";
  return success();
}

// Sizes of results, for ReifyRankedShapedTypeOpInterface.

/// Size `dim` of `value`: a number, or a tensor.dim.
OpFoldResult sizeOf(OpBuilder &b, Location loc, Value value, int64_t dim);
/// The sizes of `result`: numbers where its type knows them, else what
/// `dynamic` makes of the dimension.
SmallVector<OpFoldResult>
resultSizes(OpBuilder &b, Value result,
            llvm::function_ref<OpFoldResult(int64_t dim)> dynamic);
/// The same where the dynamic sizes are operands in order.
SmallVector<OpFoldResult> resultSizes(OpBuilder &b, Value result,
                                      ValueRange dims);
/// The sizes of a result that operands broadcast statically to.
SmallVector<OpFoldResult> broadcastSizes(OpBuilder &b, Location loc,
                                         Value result, ValueRange operands);

} // namespace mlir::ds

#endif // DIALECTS_DS_IR_DSVERIFY_H
