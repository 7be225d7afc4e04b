//===- DsModelOps.cpp - constraints and shapes of token-wise ops ----------===//
//
// Embedding, norm, RoPE, linear, SwiGLU. The descriptions in DsModelOps.td give
// the constraints that the messages cite.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsVerify.h"

using namespace mlir;
using namespace mlir::ds;

//===----------------------------------------------------------------------===//
// ds.embedding
//===----------------------------------------------------------------------===//

/// Whether every value of `narrow` is one of `wide`.
static bool holdsAll(FloatType wide, FloatType narrow) {
  return APFloat::isRepresentableBy(narrow.getFloatSemantics(),
                                    wide.getFloatSemantics());
}

LogicalResult EmbeddingOp::verify() {
  if (failed(expectInteger(*this, "C1", "ids", getIds())) ||
      failed(expectRank(*this, "C2", "table", getTable(), 2)))
    return failure();
  Shape expected(shapeOf(getIds()));
  expected.push_back(shapeOf(getTable())[1]);
  if (failed(expectShape(*this, "C3", "the result", getResult(), expected)) ||
      failed(expectFloat(*this, "C4", "table", getTable())) ||
      failed(expectFloat(*this, "C4", "the result", getResult())))
    return failure();
  if (!holdsAll(cast<FloatType>(elementType(getResult())),
                cast<FloatType>(elementType(getTable()))))
    return emitOpError("C4: the result has elements of type ")
           << elementType(getResult()) << ", expected one that holds every "
           << elementType(getTable());
  return success();
}

LogicalResult
EmbeddingOp::reifyResultShapes(OpBuilder &b,
                               ReifiedRankedShapedTypeDims &shapes) {
  int64_t ids = ranked(getIds()).getRank();
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return d < ids ? sizeOf(b, getLoc(), getIds(), d)
                   : sizeOf(b, getLoc(), getTable(), 1);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.rms_norm
//===----------------------------------------------------------------------===//

LogicalResult RmsNormOp::verify() {
  if (failed(expectFloat(*this, "C1", "input", getInput())) ||
      failed(expectFloat(*this, "C1", "weight", getWeight())) ||
      failed(expectFloat(*this, "C1", "the result", getResult())) ||
      failed(expectRankAtLeast(*this, "C1", "input", getInput(), 1)) ||
      failed(expectRank(*this, "C2", "weight", getWeight(), 1)) ||
      failed(expectSize(*this, "C2", "weight", getWeight(), 0,
                        shapeOf(getInput()).back(), "the input's last size")) ||
      failed(expectShape(*this, "C3", "the result", getResult(),
                         shapeOf(getInput()))))
    return failure();
  return expectFromZero(*this, "C4", "epsilon", getEpsilon());
}

LogicalResult
RmsNormOp::reifyResultShapes(OpBuilder &b,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.rope
//===----------------------------------------------------------------------===//

LogicalResult RopeOp::verify() {
  if (failed(expectFloat(*this, "C1", "input", getInput())) ||
      failed(expectFloat(*this, "C1", "cos", getCos())) ||
      failed(expectFloat(*this, "C1", "the result", getResult())) ||
      failed(expectRankAtLeast(*this, "C1", "input", getInput(), 2)))
    return failure();
  ArrayRef<int64_t> shape = shapeOf(getInput());
  int64_t width = shape.back();
  if (ShapedType::isDynamic(width) || width % 2 != 0)
    return emitOpError("C1: the input's last size is ")
           << sizeText(width) << ", expected an even number";
  if (getCos().getType() != getSin().getType())
    return emitOpError("C2: sin is ")
           << getSin().getType() << ", expected " << getCos().getType()
           << ", the type of cos";
  int64_t half = shapeOf(getCos()).empty() ? 0 : shapeOf(getCos()).back();
  if (!agree(half, width / 2))
    return emitOpError("C3: cos has size ")
           << half << " in its last dimension, expected half of the input's "
           << width;
  Shape table(shape.drop_back(2));
  table.push_back(width / 2);
  if (failed(expectShape(*this, "C3", "cos", getCos(), table)))
    return failure();
  return expectShape(*this, "C4", "the result", getResult(), shape);
}

LogicalResult RopeOp::reifyResultShapes(OpBuilder &b,
                                        ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.linear
//===----------------------------------------------------------------------===//

LogicalResult LinearOp::verify() {
  if (failed(expectFloat(*this, "C1", "input", getInput())) ||
      failed(expectFloat(*this, "C1", "weight", getWeight())) ||
      failed(expectFloat(*this, "C1", "the result", getResult())) ||
      failed(expectRankAtLeast(*this, "C1", "input", getInput(), 1)) ||
      failed(expectRank(*this, "C1", "weight", getWeight(), 2)) ||
      failed(expectSize(*this, "C2", "weight", getWeight(), 1,
                        shapeOf(getInput()).back(), "the input's last size")))
    return failure();
  int64_t rows = shapeOf(getWeight())[0];
  if (Value bias = getBias()) {
    if (failed(expectFloat(*this, "C1", "bias", bias)) ||
        failed(expectRank(*this, "C3", "bias", bias, 1)) ||
        failed(expectSize(*this, "C3", "bias", bias, 0, rows,
                          "the weight's first size")))
      return failure();
  }
  Shape expected(shapeOf(getInput()));
  expected.back() = rows;
  return expectShape(*this, "C4", "the result", getResult(), expected);
}

LogicalResult LinearOp::reifyResultShapes(OpBuilder &b,
                                          ReifiedRankedShapedTypeDims &shapes) {
  int64_t last = ranked(getResult()).getRank() - 1;
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return d == last ? sizeOf(b, getLoc(), getWeight(), 0)
                     : sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.swiglu
//===----------------------------------------------------------------------===//

LogicalResult SwigluOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  RankedTensorType gate = ranked(adaptor.getGate()),
                   up = ranked(adaptor.getUp());
  if (gate.getRank() != up.getRank())
    return failure();
  Shape shape;
  for (auto [x, y] : llvm::zip_equal(gate.getShape(), up.getShape()))
    shape.push_back(known(x, y));
  types.push_back(RankedTensorType::get(shape, gate.getElementType()));
  return success();
}

LogicalResult SwigluOp::verify() {
  if (failed(expectFloat(*this, "C1", "gate", getGate())) ||
      failed(
          expectElement(*this, "C1", "up", getUp(), elementType(getGate()))) ||
      failed(expectElement(*this, "C1", "the result", getResult(),
                           elementType(getGate()))) ||
      failed(expectShape(*this, "C2", "up", getUp(), shapeOf(getGate()))))
    return failure();
  return expectInferred(*this, "C2");
}

LogicalResult SwigluOp::reifyResultShapes(OpBuilder &b,
                                          ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getGate(), d);
  }));
  return success();
}
