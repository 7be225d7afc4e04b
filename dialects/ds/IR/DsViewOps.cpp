//===- DsViewOps.cpp - constraints and shapes of ops that move elements ---===//
//
// Reshape, broadcast, transpose, slice, concat, pad, range. The descriptions
// in DsTensorOps.td give the constraints that the messages cite.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsVerify.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::ds;

/// base + term, folded where both are numbers.
static OpFoldResult sum(OpBuilder &b, Location loc, OpFoldResult base,
                        OpFoldResult term) {
  std::optional<int64_t> x = getConstantIntValue(base),
                         y = getConstantIntValue(term);
  if (x && y)
    return b.getIndexAttr(*x + *y);
  return arith::AddIOp::create(b, loc,
                               getValueOrCreateConstantIndexOp(b, loc, base),
                               getValueOrCreateConstantIndexOp(b, loc, term))
      .getResult();
}

//===----------------------------------------------------------------------===//
// ds.reshape, ds.broadcast
//===----------------------------------------------------------------------===//

LogicalResult ReshapeOp::verify() {
  if (failed(expectDims(*this, "C1", getDims(), getResult())) ||
      failed(expectElement(*this, "C2", "the result", getResult(),
                           elementType(getInput()))))
    return failure();
  RankedTensorType from = ranked(getInput()), to = ranked(getResult());
  if (from.hasStaticShape() && to.hasStaticShape() &&
      from.getNumElements() != to.getNumElements())
    return emitOpError("C3: the result has ")
           << to.getNumElements() << " elements, expected the input's "
           << from.getNumElements();
  return success();
}

LogicalResult
ReshapeOp::reifyResultShapes(OpBuilder &b,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), getDims()));
  return success();
}

LogicalResult BroadcastOp::verify() {
  if (failed(expectDims(*this, "C1", getDims(), getResult())) ||
      failed(expectElement(*this, "C2", "the result", getResult(),
                           elementType(getInput()))))
    return failure();
  return expectBroadcast(*this, "C3", "input", getInput(),
                         shapeOf(getResult()));
}

LogicalResult
BroadcastOp::reifyResultShapes(OpBuilder &b,
                               ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), getDims()));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.transpose
//===----------------------------------------------------------------------===//

LogicalResult TransposeOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location>,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  RankedTensorType input = ranked(adaptor.getInput());
  ArrayRef<int64_t> perm = adaptor.getPerm();
  if (int64_t(perm.size()) != input.getRank() || !isPermutationVector(perm))
    return failure();
  types.push_back(RankedTensorType::get(
      applyPermutation(input.getShape(), perm), input.getElementType()));
  return success();
}

LogicalResult TransposeOp::verify() {
  int64_t rank = ranked(getInput()).getRank();
  if (int64_t(getPerm().size()) != rank || !isPermutationVector(getPerm()))
    return emitOpError("C1: perm is ")
           << shapeText(getPerm()) << ", expected a permutation of " << rank
           << " dimensions";
  return expectInferred(*this, "C2");
}

LogicalResult
TransposeOp::reifyResultShapes(OpBuilder &b,
                               ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getInput(), getPerm()[d]);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.slice
//===----------------------------------------------------------------------===//

void SliceOp::build(OpBuilder &builder, OperationState &state, Value input,
                    ArrayRef<OpFoldResult> offsets,
                    ArrayRef<OpFoldResult> sizes,
                    ArrayRef<OpFoldResult> strides) {
  SmallVector<int64_t> staticOffsets, staticSizes, staticStrides;
  SmallVector<Value> dynamicOffsets, dynamicSizes, dynamicStrides;
  dispatchIndexOpFoldResults(offsets, dynamicOffsets, staticOffsets);
  dispatchIndexOpFoldResults(sizes, dynamicSizes, staticSizes);
  dispatchIndexOpFoldResults(strides, dynamicStrides, staticStrides);
  auto type = RankedTensorType::get(staticSizes, elementType(input));
  build(builder, state, type, input, dynamicOffsets, dynamicSizes,
        dynamicStrides, staticOffsets, staticSizes, staticStrides);
}

LogicalResult SliceOp::verify() {
  size_t rank = ranked(getInput()).getRank();
  for (auto [what, fixed, dynamic] :
       {std::tuple("offsets", getStaticOffsets(), ValueRange(getOffsets())),
        std::tuple("sizes", getStaticSizes(), ValueRange(getSizes())),
        std::tuple("strides", getStaticStrides(), ValueRange(getStrides()))}) {
    if (fixed.size() != rank)
      return emitOpError("C1: it has ")
             << fixed.size() << " " << what << ", expected " << rank
             << ", one per dimension of the input";
    size_t open = llvm::count_if(fixed, ShapedType::isDynamic);
    if (dynamic.size() != open)
      return emitOpError("C1: it has ") << dynamic.size() << " operands for "
                                        << open << " dynamic " << what;
  }
  if (failed(expectElement(*this, "C2", "the result", getResult(),
                           elementType(getInput()))) ||
      failed(expectShape(*this, "C2", "the result", getResult(),
                         getStaticSizes())))
    return failure();
  for (auto [d, offset, size, stride, whole] :
       llvm::enumerate(getStaticOffsets(), getStaticSizes(), getStaticStrides(),
                       shapeOf(getInput()))) {
    // kDynamic is negative.
    if (stride == 0 || (size < 0 && !ShapedType::isDynamic(size)))
      return emitOpError("C3: dimension ")
             << d << " has size " << sizeText(size) << " and stride "
             << sizeText(stride) << ", expected a stride other than 0 and no "
             << "negative size";
    if (size == 0 ||
        llvm::is_contained({offset, size, stride, whole}, ShapedType::kDynamic))
      continue;
    int64_t last = offset + (size - 1) * stride;
    if (std::min(offset, last) < 0 || std::max(offset, last) >= whole)
      return emitOpError("C4: dimension ")
             << d << " reads from " << offset << " to " << last
             << ", expected indices below the input's " << whole;
  }
  return success();
}

LogicalResult SliceOp::reifyResultShapes(OpBuilder &b,
                                         ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes = getMixedSizes();
  shapes.push_back(
      resultSizes(b, getResult(), [&](int64_t d) { return sizes[d]; }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.concat
//===----------------------------------------------------------------------===//

LogicalResult ConcatOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  int64_t axis = adaptor.getAxis();
  ValueRange inputs = adaptor.getInputs();
  if (inputs.empty() || axis < 0 || axis >= ranked(inputs[0]).getRank())
    return failure();
  Shape shape(shapeOf(inputs[0]));
  for (Value input : inputs.drop_front()) {
    ArrayRef<int64_t> next = shapeOf(input);
    if (next.size() != shape.size())
      return failure();
    for (int64_t d = 0; d < int64_t(shape.size()); ++d)
      if (d != axis)
        shape[d] = known(shape[d], next[d]);
      else if (ShapedType::isDynamic(shape[d]) ||
               ShapedType::isDynamic(next[d]))
        shape[d] = ShapedType::kDynamic;
      else
        shape[d] += next[d];
  }
  types.push_back(RankedTensorType::get(shape, elementType(inputs[0])));
  return success();
}

LogicalResult ConcatOp::verify() {
  if (getInputs().empty())
    return emitOpError("C1: it has no input");
  Value first = getInputs()[0];
  if (failed(expectAxis(*this, "C1", getAxis(), first)))
    return failure();
  SmallVector<Value> all(getInputs());
  all.push_back(getResult());
  Shape common(shapeOf(first));
  common[getAxis()] = ShapedType::kDynamic;
  for (auto [i, value] : llvm::enumerate(all)) {
    std::string what = value == getResult() ? std::string("the result")
                                            : "input " + std::to_string(i);
    if (failed(expectRank(*this, "C2", what, value, ranked(first).getRank())) ||
        failed(expectElement(*this, "C2", what, value, elementType(first))) ||
        failed(expectShape(*this, "C3", what, value, common)))
      return failure();
    for (auto [d, size] : llvm::enumerate(shapeOf(value)))
      if (int64_t(d) != int64_t(getAxis()))
        common[d] = known(common[d], size);
  }
  return expectInferred(*this, "C4");
}

LogicalResult ConcatOp::reifyResultShapes(OpBuilder &b,
                                          ReifiedRankedShapedTypeDims &shapes) {
  Location loc = getLoc();
  int64_t axis = getAxis();
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    OpFoldResult size = sizeOf(b, loc, getInputs()[0], d);
    if (d == axis)
      for (Value input : getInputs().drop_front())
        size = sum(b, loc, size, sizeOf(b, loc, input, d));
    return size;
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.pad, ds.range
//===----------------------------------------------------------------------===//

LogicalResult PadOp::verify() {
  int64_t rank = ranked(getInput()).getRank();
  if (int64_t(getLow().size()) != rank || int64_t(getHigh().size()) != rank)
    return emitOpError("C1: it has ")
           << getLow().size() << " low and " << getHigh().size()
           << " high sizes, expected " << rank << " each";
  if (failed(expectRank(*this, "C2", "value", getValue(), 0)) ||
      failed(expectElement(*this, "C2", "value", getValue(),
                           elementType(getInput()))) ||
      failed(expectElement(*this, "C2", "the result", getResult(),
                           elementType(getInput()))) ||
      failed(expectRank(*this, "C3", "the result", getResult(), rank)))
    return failure();
  for (auto [d, from, to] :
       llvm::enumerate(shapeOf(getInput()), shapeOf(getResult())))
    if (!ShapedType::isDynamic(from) && !ShapedType::isDynamic(to) && to < from)
      return emitOpError("C3: the result has size ")
             << to << " in dimension " << d
             << ", expected at least the input's " << from;
  return success();
}

LogicalResult PadOp::reifyResultShapes(OpBuilder &b,
                                       ReifiedRankedShapedTypeDims &shapes) {
  Location loc = getLoc();
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    OpFoldResult size = sum(b, loc, sizeOf(b, loc, getInput(), d),
                            getAsOpFoldResult(getLow()[d]));
    return sum(b, loc, size, getAsOpFoldResult(getHigh()[d]));
  }));
  return success();
}

LogicalResult RangeOp::verify() {
  if (failed(expectRank(*this, "C1", "start", getStart(), 0)) ||
      failed(expectRank(*this, "C1", "the result", getResult(), 1)) ||
      failed(expectElement(*this, "C1", "the result", getResult(),
                           elementType(getStart()))))
    return failure();
  bool dynamic = ranked(getResult()).isDynamicDim(0);
  if (dynamic != bool(getSize()))
    return emitOpError("C2: its size is ")
           << (getSize() ? "given" : "not given") << ", expected one "
           << (dynamic ? "for the dynamic size of "
                       : "only with a dynamic size, not ")
           << getResult().getType();
  return success();
}

LogicalResult RangeOp::reifyResultShapes(OpBuilder &b,
                                         ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(
      b, getResult(), [&](int64_t) -> OpFoldResult { return getSize(); }));
  return success();
}
