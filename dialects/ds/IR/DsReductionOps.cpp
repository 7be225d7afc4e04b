//===- DsReductionOps.cpp - constraints and shapes of reductions ----------===//
//
// Reductions, running sums, softmax, matrix products. The descriptions in
// DsTensorOps.td give the constraints that the messages cite.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsVerify.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace mlir::ds;

/// The result of an op that changes no size.
static LogicalResult inferAsInput(Value input, SmallVectorImpl<Type> &types) {
  types.push_back(input.getType());
  return success();
}

static void reifyAsInput(OpBuilder &b, Value input, Value result,
                         ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, result, [&](int64_t d) {
    return sizeOf(b, result.getLoc(), input, d);
  }));
}

//===----------------------------------------------------------------------===//
// ds.reduce
//===----------------------------------------------------------------------===//

/// Whether `axes` are distinct dimensions of rank `rank`.
static bool areDimensions(ArrayRef<int64_t> axes, int64_t rank) {
  llvm::SmallBitVector seen(rank);
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= rank || seen.test(axis))
      return false;
    seen.set(axis);
  }
  return true;
}

LogicalResult ReduceOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  RankedTensorType input = ranked(adaptor.getInput());
  if (!areDimensions(adaptor.getAxes(), input.getRank()))
    return failure();
  Shape shape;
  for (auto [d, size] : llvm::enumerate(input.getShape()))
    if (!llvm::is_contained(adaptor.getAxes(), int64_t(d)))
      shape.push_back(size);
    else if (adaptor.getKeepdims())
      shape.push_back(1);
  types.push_back(RankedTensorType::get(shape, input.getElementType()));
  return success();
}

LogicalResult ReduceOp::verify() {
  int64_t rank = ranked(getInput()).getRank();
  if (!areDimensions(getAxes(), rank))
    return emitOpError("C1: axes are ")
           << shapeText(getAxes())
           << ", expected distinct dimensions of a tensor of rank " << rank;
  if (failed(expectElement(*this, "C3", "the result", getResult(),
                           elementType(getInput()))))
    return failure();
  return expectInferred(*this, "C2");
}

LogicalResult ReduceOp::reifyResultShapes(OpBuilder &b,
                                          ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<int64_t> sources;
  for (int64_t d = 0; d < ranked(getInput()).getRank(); ++d)
    if (getKeepdims() || !llvm::is_contained(getAxes(), d))
      sources.push_back(d);
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) -> OpFoldResult {
    if (llvm::is_contained(getAxes(), sources[d]))
      return b.getIndexAttr(1);
    return sizeOf(b, getLoc(), getInput(), sources[d]);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.arg_reduce, ds.cumulative, ds.softmax
//===----------------------------------------------------------------------===//

LogicalResult ArgReduceOp::inferReturnTypes(MLIRContext *context,
                                            std::optional<Location>,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  Shape shape(shapeOf(adaptor.getInput()));
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= int64_t(shape.size()))
    return failure();
  shape[axis] = 1;
  types.push_back(RankedTensorType::get(shape, IntegerType::get(context, 64)));
  return success();
}

LogicalResult ArgReduceOp::verify() {
  if (failed(expectAxis(*this, "C1", getAxis(), getInput())))
    return failure();
  if (getKind() != ReduceKind::Max && getKind() != ReduceKind::Min)
    return emitOpError("C2: kind is ")
           << stringifyReduceKind(getKind()) << ", expected max or min";
  return expectInferred(*this, "C3");
}

LogicalResult
ArgReduceOp::reifyResultShapes(OpBuilder &b,
                               ReifiedRankedShapedTypeDims &shapes) {
  int64_t axis = getAxis();
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) -> OpFoldResult {
    if (d == axis)
      return b.getIndexAttr(1);
    return sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}

LogicalResult CumulativeOp::inferReturnTypes(MLIRContext *,
                                             std::optional<Location>,
                                             Adaptor adaptor,
                                             SmallVectorImpl<Type> &types) {
  return inferAsInput(adaptor.getInput(), types);
}

LogicalResult CumulativeOp::verify() {
  if (failed(expectAxis(*this, "C1", getAxis(), getInput())))
    return failure();
  if (getKind() != ReduceKind::Sum && getKind() != ReduceKind::Prod)
    return emitOpError("C2: kind is ")
           << stringifyReduceKind(getKind()) << ", expected sum or prod";
  return expectInferred(*this, "C3");
}

LogicalResult
CumulativeOp::reifyResultShapes(OpBuilder &b,
                                ReifiedRankedShapedTypeDims &shapes) {
  reifyAsInput(b, getInput(), getResult(), shapes);
  return success();
}

LogicalResult SoftmaxOp::inferReturnTypes(MLIRContext *,
                                          std::optional<Location>,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  return inferAsInput(adaptor.getInput(), types);
}

LogicalResult SoftmaxOp::verify() {
  if (failed(expectAxis(*this, "C1", getAxis(), getInput())) ||
      failed(expectFloat(*this, "C2", "input", getInput())))
    return failure();
  return expectInferred(*this, "C3");
}

LogicalResult
SoftmaxOp::reifyResultShapes(OpBuilder &b,
                             ReifiedRankedShapedTypeDims &shapes) {
  reifyAsInput(b, getInput(), getResult(), shapes);
  return success();
}

//===----------------------------------------------------------------------===//
// ds.matmul
//===----------------------------------------------------------------------===//

LogicalResult MatmulOp::verify() {
  if (failed(expectRankAtLeast(*this, "C1", "lhs", getLhs(), 2)) ||
      failed(expectRankAtLeast(*this, "C1", "rhs", getRhs(), 2)))
    return failure();
  ArrayRef<int64_t> lhs = shapeOf(getLhs()), rhs = shapeOf(getRhs()),
                    result = shapeOf(getResult());
  if (failed(expectSize(*this, "C2", "rhs", getRhs(), rhs.size() - 2,
                        lhs.back(), "the last size of lhs")) ||
      failed(expectRank(*this, "C3", "the result", getResult(),
                        std::max(lhs.size(), rhs.size()))))
    return failure();
  // Batch sizes alone, so that matrices play no part in their broadcast.
  ArrayRef<int64_t> batch = result.drop_back(2);
  for (auto [what, value] :
       {std::pair("lhs", Value(getLhs())), std::pair("rhs", Value(getRhs()))}) {
    Shape target(batch);
    llvm::append_range(target, shapeOf(value).take_back(2));
    if (failed(expectBroadcast(*this, "C3", what, value, target)))
      return failure();
  }
  if (failed(expectWitness(*this, "C3", batch,
                           {lhs.drop_back(2), rhs.drop_back(2)})) ||
      failed(expectSize(*this, "C4", "the result", getResult(),
                        result.size() - 2, lhs[lhs.size() - 2],
                        "the rows of lhs")) ||
      failed(expectSize(*this, "C4", "the result", getResult(),
                        result.size() - 1, rhs.back(), "the columns of rhs")))
    return failure();
  bool floats = isa<FloatType>(elementType(getLhs()));
  for (auto [what, value] :
       {std::pair("lhs", Value(getLhs())), std::pair("rhs", Value(getRhs())),
        std::pair("the result", Value(getResult()))})
    if (failed(floats ? expectFloat(*this, "C5", what, value)
                      : expectInteger(*this, "C5", what, value)))
      return failure();
  return success();
}

LogicalResult MatmulOp::reifyResultShapes(OpBuilder &b,
                                          ReifiedRankedShapedTypeDims &shapes) {
  int64_t rank = ranked(getResult()).getRank();
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) -> OpFoldResult {
    int64_t fromLast = rank - d;
    if (fromLast == 1)
      return sizeOf(b, getLoc(), getRhs(), ranked(getRhs()).getRank() - 1);
    if (fromLast == 2)
      return sizeOf(b, getLoc(), getLhs(), ranked(getLhs()).getRank() - 2);
    // A batch size is that of whoever does not repeat.
    for (Value operand : {Value(getLhs()), Value(getRhs())}) {
      int64_t own = ranked(operand).getRank() - fromLast;
      if (own >= 0 && shapeOf(operand)[own] != 1)
        return sizeOf(b, getLoc(), operand, own);
    }
    return b.getIndexAttr(1);
  }));
  return success();
}
