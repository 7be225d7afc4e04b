//===- DsVerify.cpp - vocabulary of verifiers and shapes ------------------===//
#include "dialects/ds/IR/DsVerify.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::ds;

std::string mlir::ds::sizeText(int64_t size) {
  return ShapedType::isDynamic(size) ? "?" : std::to_string(size);
}

std::string mlir::ds::shapeText(ArrayRef<int64_t> shape) {
  return "[" + llvm::join(llvm::map_range(shape, sizeText), ", ") + "]";
}

LogicalResult mlir::ds::expectRank(Operation *op, StringRef constraint,
                                   StringRef what, Value value, int64_t rank) {
  if (ranked(value).getRank() == rank)
    return success();
  return op->emitOpError() << constraint << ": " << what << " has rank "
                           << ranked(value).getRank() << ", expected " << rank;
}

LogicalResult mlir::ds::expectRankAtLeast(Operation *op, StringRef constraint,
                                          StringRef what, Value value,
                                          int64_t rank) {
  if (ranked(value).getRank() >= rank)
    return success();
  return op->emitOpError() << constraint << ": " << what << " has rank "
                           << ranked(value).getRank() << ", expected at least "
                           << rank;
}

LogicalResult mlir::ds::expectFloat(Operation *op, StringRef constraint,
                                    StringRef what, Value value) {
  if (isa<FloatType>(elementType(value)))
    return success();
  return op->emitOpError() << constraint << ": " << what
                           << " has elements of type " << elementType(value)
                           << ", expected floats";
}

LogicalResult mlir::ds::expectInteger(Operation *op, StringRef constraint,
                                      StringRef what, Value value) {
  Type element = elementType(value);
  if (isa<IntegerType>(element) && !element.isInteger(1))
    return success();
  return op->emitOpError() << constraint << ": " << what
                           << " has elements of type " << element
                           << ", expected integers";
}

LogicalResult mlir::ds::expectElement(Operation *op, StringRef constraint,
                                      StringRef what, Value value,
                                      Type element) {
  if (elementType(value) == element)
    return success();
  return op->emitOpError() << constraint << ": " << what
                           << " has elements of type " << elementType(value)
                           << ", expected " << element;
}

LogicalResult mlir::ds::expectShape(Operation *op, StringRef constraint,
                                    StringRef what, Value value,
                                    ArrayRef<int64_t> expected) {
  if (llvm::equal(shapeOf(value), expected, agree))
    return success();
  return op->emitOpError() << constraint << ": " << what << " has shape "
                           << shapeText(shapeOf(value)) << ", expected "
                           << shapeText(expected);
}

LogicalResult mlir::ds::expectSize(Operation *op, StringRef constraint,
                                   StringRef what, Value value, int64_t dim,
                                   int64_t expected, StringRef source) {
  int64_t size = ranked(value).getDimSize(dim);
  if (agree(size, expected))
    return success();
  return op->emitOpError() << constraint << ": " << what << " has size " << size
                           << " in dimension " << dim << ", expected "
                           << expected << " (" << source << ")";
}

LogicalResult mlir::ds::expectAxis(Operation *op, StringRef constraint,
                                   int64_t axis, Value value) {
  int64_t rank = ranked(value).getRank();
  if (axis >= 0 && axis < rank)
    return success();
  return op->emitOpError() << constraint << ": axis is " << axis
                           << ", expected a dimension of a tensor of rank "
                           << rank;
}

LogicalResult mlir::ds::expectBroadcast(Operation *op, StringRef constraint,
                                        StringRef what, Value value,
                                        ArrayRef<int64_t> target) {
  ArrayRef<int64_t> shape = shapeOf(value);
  bool fits = shape.size() <= target.size();
  if (fits)
    for (auto [size, whole] :
         llvm::zip_equal(shape, target.take_back(shape.size())))
      fits &= size == 1 || agree(size, whole);
  if (fits)
    return success();
  return op->emitOpError() << constraint << ": " << what << " has shape "
                           << shapeText(shape)
                           << ", expected one that broadcasts to "
                           << shapeText(target);
}

LogicalResult mlir::ds::expectWitness(Operation *op, StringRef constraint,
                                      ArrayRef<int64_t> result,
                                      ArrayRef<ArrayRef<int64_t>> sources) {
  for (auto [d, size] : llvm::enumerate(result)) {
    size_t fromLast = result.size() - d;
    bool seen = size == 1;
    for (ArrayRef<int64_t> source : sources)
      seen |= source.size() >= fromLast &&
              (source[source.size() - fromLast] == size ||
               ShapedType::isDynamic(source[source.size() - fromLast]));
    if (!seen)
      return op->emitOpError()
             << constraint << ": the result has size " << sizeText(size)
             << " in dimension " << d << ", which no operand has there";
  }
  return success();
}

LogicalResult mlir::ds::expectFinite(Operation *op, StringRef constraint,
                                     StringRef what, const APFloat &number) {
  if (number.isFinite())
    return success();
  return op->emitOpError() << constraint << ": " << what << " is "
                           << number.convertToDouble()
                           << ", expected a finite number";
}

LogicalResult mlir::ds::expectFromZero(Operation *op, StringRef constraint,
                                       StringRef what, const APFloat &number) {
  if (number.isFinite() && !number.isNegative())
    return success();
  return op->emitOpError() << constraint << ": " << what << " is "
                           << number.convertToDouble()
                           << ", expected a number from 0 on";
}

LogicalResult mlir::ds::expectDims(Operation *op, StringRef constraint,
                                   ValueRange dims, Value result) {
  int64_t dynamic = ranked(result).getNumDynamicDims();
  if (dynamic == int64_t(dims.size()))
    return success();
  return op->emitOpError() << constraint << ": " << dims.size()
                           << " sizes are given, expected " << dynamic
                           << " for the dynamic sizes of " << result.getType();
}

std::optional<Shape>
mlir::ds::broadcastShapes(ArrayRef<ArrayRef<int64_t>> shapes) {
  size_t rank = 0;
  for (ArrayRef<int64_t> shape : shapes)
    rank = std::max(rank, shape.size());
  Shape result(rank, 1);
  for (ArrayRef<int64_t> shape : shapes)
    for (auto [size, all] : llvm::zip_equal(
             shape, MutableArrayRef<int64_t>(result).take_back(shape.size()))) {
      if (size == 1)
        continue;
      if (all != 1 && !agree(size, all))
        return std::nullopt;
      all = all == 1 ? size : known(size, all);
    }
  return result;
}

LogicalResult mlir::ds::expectSequences(Operation *op, StringRef constraint,
                                        Value rowStart, Value pastLength,
                                        Value cacheSlot) {
  Type i32 = IntegerType::get(op->getContext(), 32);
  SmallVector<std::pair<StringRef, Value>> vectors{{"row_start", rowStart},
                                                   {"past_length", pastLength}};
  if (cacheSlot)
    vectors.push_back({"cache_slot", cacheSlot});
  int64_t sequences = ShapedType::kDynamic;
  for (auto [name, value] : vectors) {
    if (failed(expectRank(op, constraint, name, value, 1)) ||
        failed(expectElement(op, constraint, name, value, i32)))
      return failure();
    int64_t size = shapeOf(value)[0];
    // Before the others, whose number is one less.
    if (value == rowStart && name == "row_start") {
      if (size == 0)
        return op->emitOpError()
               << constraint << ": row_start has no entry, expected one more "
               << "than there are sequences";
      sequences = ShapedType::isDynamic(size) ? size : size - 1;
      continue;
    }
    if (failed(expectSize(op, constraint, name, value, 0, sequences,
                          "the number of sequences")))
      return failure();
    sequences = known(sequences, size);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Sizes of results
//===----------------------------------------------------------------------===//

OpFoldResult mlir::ds::sizeOf(OpBuilder &b, Location loc, Value value,
                              int64_t dim) {
  return tensor::getMixedSize(b, loc, value, dim);
}

SmallVector<OpFoldResult>
mlir::ds::resultSizes(OpBuilder &b, Value result,
                      llvm::function_ref<OpFoldResult(int64_t dim)> dynamic) {
  SmallVector<OpFoldResult> sizes;
  for (auto [d, size] : llvm::enumerate(shapeOf(result)))
    // A value wherever the type says so, even if operands know the number.
    sizes.push_back(ShapedType::isDynamic(size)
                        ? OpFoldResult(getValueOrCreateConstantIndexOp(
                              b, result.getLoc(), dynamic(d)))
                        : OpFoldResult(b.getIndexAttr(size)));
  return sizes;
}

SmallVector<OpFoldResult> mlir::ds::resultSizes(OpBuilder &b, Value result,
                                                ValueRange dims) {
  size_t next = 0;
  return resultSizes(b, result,
                     [&](int64_t) -> OpFoldResult { return dims[next++]; });
}

SmallVector<OpFoldResult> mlir::ds::broadcastSizes(OpBuilder &b, Location loc,
                                                   Value result,
                                                   ValueRange operands) {
  int64_t rank = ranked(result).getRank();
  return resultSizes(b, result, [&](int64_t d) -> OpFoldResult {
    for (Value operand : operands) {
      int64_t own = d - (rank - ranked(operand).getRank());
      if (own >= 0 && shapeOf(operand)[own] != 1)
        return sizeOf(b, loc, operand, own);
    }
    // Every operand repeats here.
    return b.getIndexAttr(1);
  });
}
