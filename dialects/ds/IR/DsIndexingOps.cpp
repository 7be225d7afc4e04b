//===- DsIndexingOps.cpp - constraints and shapes of gather and scatter ---===//
//
// Gather, scatter, top-k, nonzero. The descriptions in DsTensorOps.td give the
// constraints that the messages cite.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsVerify.h"

using namespace mlir;
using namespace mlir::ds;

/// Integers of the input's rank that stay inside it but along `axis`.
static LogicalResult expectElementIndices(Operation *op, StringRef constraint,
                                          Value indices, Value input,
                                          int64_t axis) {
  if (failed(expectInteger(op, constraint, "indices", indices)) ||
      failed(expectRank(op, constraint, "indices", indices,
                        ranked(input).getRank())))
    return failure();
  for (auto [d, size, bound] :
       llvm::enumerate(shapeOf(indices), shapeOf(input)))
    if (int64_t(d) != axis && !ShapedType::isDynamic(size) &&
        !ShapedType::isDynamic(bound) && size > bound)
      return op->emitOpError()
             << constraint << ": indices has size " << size << " in dimension "
             << d << ", expected at most the input's " << bound;
  return success();
}

/// Integers whose last dimension has a static size.
static LogicalResult expectTuples(Operation *op, StringRef constraint,
                                  Value indices) {
  if (failed(expectInteger(op, constraint, "indices", indices)) ||
      failed(expectRankAtLeast(op, constraint, "indices", indices, 1)))
    return failure();
  if (ShapedType::isDynamic(shapeOf(indices).back()))
    return op->emitOpError() << constraint
                             << ": the last size of indices is dynamic, "
                                "expected a number";
  return success();
}

//===----------------------------------------------------------------------===//
// ds.gather
//===----------------------------------------------------------------------===//

LogicalResult GatherOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  Shape shape(shapeOf(adaptor.getInput()));
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= int64_t(shape.size()))
    return failure();
  ArrayRef<int64_t> indices = shapeOf(adaptor.getIndices());
  shape.erase(shape.begin() + axis);
  shape.insert(shape.begin() + axis, indices.begin(), indices.end());
  types.push_back(
      RankedTensorType::get(shape, elementType(adaptor.getInput())));
  return success();
}

LogicalResult GatherOp::verify() {
  if (failed(expectAxis(*this, "C1", getAxis(), getInput())) ||
      failed(expectInteger(*this, "C2", "indices", getIndices())))
    return failure();
  return expectInferred(*this, "C3");
}

LogicalResult GatherOp::reifyResultShapes(OpBuilder &b,
                                          ReifiedRankedShapedTypeDims &shapes) {
  int64_t axis = getAxis(), depth = ranked(getIndices()).getRank();
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    if (d < axis)
      return sizeOf(b, getLoc(), getInput(), d);
    if (d < axis + depth)
      return sizeOf(b, getLoc(), getIndices(), d - axis);
    return sizeOf(b, getLoc(), getInput(), d - depth + 1);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.gather_elements
//===----------------------------------------------------------------------===//

LogicalResult GatherElementsOp::inferReturnTypes(MLIRContext *,
                                                 std::optional<Location>,
                                                 Adaptor adaptor,
                                                 SmallVectorImpl<Type> &types) {
  types.push_back(RankedTensorType::get(shapeOf(adaptor.getIndices()),
                                        elementType(adaptor.getInput())));
  return success();
}

LogicalResult GatherElementsOp::verify() {
  if (failed(expectAxis(*this, "C1", getAxis(), getInput())) ||
      failed(expectElementIndices(*this, "C2", getIndices(), getInput(),
                                  getAxis())))
    return failure();
  return expectInferred(*this, "C3");
}

LogicalResult
GatherElementsOp::reifyResultShapes(OpBuilder &b,
                                    ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getIndices(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.gather_nd
//===----------------------------------------------------------------------===//

LogicalResult GatherNdOp::inferReturnTypes(MLIRContext *,
                                           std::optional<Location>,
                                           Adaptor adaptor,
                                           SmallVectorImpl<Type> &types) {
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput()),
                    indices = shapeOf(adaptor.getIndices());
  int64_t batch = adaptor.getBatchDims();
  if (indices.empty() || ShapedType::isDynamic(indices.back()) || batch < 0 ||
      batch + indices.back() > int64_t(input.size()))
    return failure();
  Shape shape(indices.drop_back());
  llvm::append_range(shape, input.drop_front(batch + indices.back()));
  types.push_back(
      RankedTensorType::get(shape, elementType(adaptor.getInput())));
  return success();
}

LogicalResult GatherNdOp::verify() {
  if (failed(expectTuples(*this, "C1", getIndices())))
    return failure();
  ArrayRef<int64_t> input = shapeOf(getInput()),
                    indices = shapeOf(getIndices());
  int64_t batch = getBatchDims(), depth = indices.back();
  if (batch < 0 || batch >= int64_t(indices.size()) ||
      batch + depth > int64_t(input.size()))
    return emitOpError("C2: batch_dims is ")
           << batch << " and the depth " << depth
           << ", expected them inside ranks " << indices.size() << " and "
           << input.size();
  for (int64_t d = 0; d < batch; ++d)
    if (failed(expectSize(*this, "C3", "indices", getIndices(), d, input[d],
                          "the input's size")))
      return failure();
  return expectInferred(*this, "C4");
}

LogicalResult
GatherNdOp::reifyResultShapes(OpBuilder &b,
                              ReifiedRankedShapedTypeDims &shapes) {
  int64_t outer = ranked(getIndices()).getRank() - 1;
  int64_t first = getBatchDims() + shapeOf(getIndices()).back();
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return d < outer ? sizeOf(b, getLoc(), getIndices(), d)
                     : sizeOf(b, getLoc(), getInput(), first + d - outer);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.scatter_elements, ds.scatter_nd
//===----------------------------------------------------------------------===//

LogicalResult
ScatterElementsOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                    Adaptor adaptor,
                                    SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult ScatterElementsOp::verify() {
  if (failed(expectAxis(*this, "C1", getAxis(), getInput())) ||
      failed(expectElementIndices(*this, "C2", getIndices(), getInput(),
                                  getAxis())) ||
      failed(expectShape(*this, "C3", "updates", getUpdates(),
                         shapeOf(getIndices()))) ||
      failed(expectElement(*this, "C4", "updates", getUpdates(),
                           elementType(getInput()))))
    return failure();
  return expectInferred(*this, "C4");
}

LogicalResult
ScatterElementsOp::reifyResultShapes(OpBuilder &b,
                                     ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}

LogicalResult ScatterNdOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location>,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult ScatterNdOp::verify() {
  if (failed(expectTuples(*this, "C1", getIndices())))
    return failure();
  ArrayRef<int64_t> input = shapeOf(getInput()),
                    indices = shapeOf(getIndices());
  if (indices.back() > int64_t(input.size()))
    return emitOpError("C1: the last size of indices is ")
           << indices.back() << ", expected at most the input's rank "
           << input.size();
  Shape expected(indices.drop_back());
  llvm::append_range(expected, input.drop_front(indices.back()));
  if (failed(expectShape(*this, "C2", "updates", getUpdates(), expected)) ||
      failed(expectElement(*this, "C3", "updates", getUpdates(),
                           elementType(getInput()))))
    return failure();
  return expectInferred(*this, "C3");
}

LogicalResult
ScatterNdOp::reifyResultShapes(OpBuilder &b,
                               ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.topk, ds.nonzero
//===----------------------------------------------------------------------===//

LogicalResult TopKOp::verify() {
  if (failed(expectAxis(*this, "C1", getAxis(), getInput())) ||
      failed(expectElement(*this, "C2", "values", getValues(),
                           elementType(getInput()))) ||
      failed(expectElement(*this, "C2", "indices", getIndices(),
                           IntegerType::get(getContext(), 64))))
    return failure();
  Shape expected(shapeOf(getInput()));
  expected[getAxis()] = ShapedType::kDynamic;
  if (failed(expectShape(*this, "C3", "values", getValues(), expected)) ||
      failed(expectShape(*this, "C3", "indices", getIndices(), expected)))
    return failure();
  return expectShape(*this, "C3", "indices", getIndices(),
                     shapeOf(getValues()));
}

LogicalResult TopKOp::reifyResultShapes(OpBuilder &b,
                                        ReifiedRankedShapedTypeDims &shapes) {
  int64_t axis = getAxis();
  for (Value result : getResults())
    shapes.push_back(resultSizes(b, result, [&](int64_t d) -> OpFoldResult {
      return d == axis ? OpFoldResult(getK())
                       : sizeOf(b, getLoc(), getInput(), d);
    }));
  return success();
}

LogicalResult NonZeroOp::verify() {
  if (failed(expectElement(*this, "C1", "the result", getResult(),
                           IntegerType::get(getContext(), 64))))
    return failure();
  return expectShape(*this, "C1", "the result", getResult(),
                     {ranked(getInput()).getRank(), ShapedType::kDynamic});
}
