//===- DsTensorOps.cpp - constraints and shapes of elementwise ops --------===//
//
// Elementwise functions, casts, dequantisation. The descriptions in
// DsTensorOps.td give the constraints that the messages cite.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsElements.h"
#include "dialects/ds/IR/DsVerify.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::ds;
using EK = ElementwiseKind;

//===----------------------------------------------------------------------===//
// ds.elementwise
//===----------------------------------------------------------------------===//

static size_t operandCount(EK kind) {
  if (kind == EK::Select)
    return 3;
  return kind < EK::Add ? 1 : 2;
}

LogicalResult ElementwiseOp::inferReturnTypes(MLIRContext *context,
                                              std::optional<Location>,
                                              Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  SmallVector<ArrayRef<int64_t>> shapes;
  for (Value operand : adaptor.getOperands())
    shapes.push_back(shapeOf(operand));
  std::optional<Shape> shape = broadcastShapes(shapes);
  if (shapes.empty() || !shape)
    return failure();
  Type element = givesBool(adaptor.getKind())
                     ? Type(IntegerType::get(context, 1))
                     : elementType(adaptor.getOperands().back());
  types.push_back(RankedTensorType::get(*shape, element));
  return success();
}

LogicalResult ElementwiseOp::verify() {
  EK kind = getKind();
  StringRef name = stringifyElementwiseKind(kind);
  size_t count = operandCount(kind);
  if (getOperands().size() != count)
    return emitOpError("C1: ") << name << " has " << getOperands().size()
                               << " operands, expected " << count;
  SmallVector<ArrayRef<int64_t>> shapes;
  for (auto [i, operand] : llvm::enumerate(getOperands())) {
    shapes.push_back(shapeOf(operand));
    if (failed(expectBroadcast(*this, "C2", "operand " + std::to_string(i),
                               operand, shapeOf(getResult()))))
      return failure();
  }
  if (failed(expectWitness(*this, "C3", shapeOf(getResult()), shapes)))
    return failure();
  ValueRange values = getOperands();
  if (kind == EK::Select) {
    if (failed(expectElement(*this, "C4", "the condition", values[0],
                             IntegerType::get(getContext(), 1))))
      return failure();
    values = values.drop_front();
  }
  Type element = elementType(values[0]);
  for (Value value : values.drop_front())
    if (failed(expectElement(*this, "C4", "the last operand", value, element)))
      return failure();
  if (isa<FloatType>(element)
          ? !takesFloats(kind)
          : !isa<IntegerType>(element) || !takesIntegers(kind))
    return emitOpError("C5: ") << name << " is not defined on " << element;
  return expectElement(*this, "C6", "the result", getResult(),
                       givesBool(kind) ? Type(IntegerType::get(getContext(), 1))
                                       : element);
}

LogicalResult
ElementwiseOp::reifyResultShapes(OpBuilder &b,
                                 ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(broadcastSizes(b, getLoc(), getResult(), getOperands()));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.cast
//===----------------------------------------------------------------------===//

LogicalResult CastOp::verify() {
  if (failed(expectShape(*this, "C1", "the result", getResult(),
                         shapeOf(getInput()))))
    return failure();
  for (Value value : {Value(getInput()), Value(getResult())})
    if (!elementType(value).isIntOrFloat())
      return emitOpError("C2: found elements of type ")
             << elementType(value) << ", expected integers or floats";
  return success();
}

LogicalResult CastOp::reifyResultShapes(OpBuilder &b,
                                        ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.bitcast, ds.require
//===----------------------------------------------------------------------===//

LogicalResult BitcastOp::verify() {
  if (failed(expectShape(*this, "C1", "the result", getResult(),
                         shapeOf(getInput()))))
    return failure();
  Type from = elementType(getInput()), to = elementType(getResult());
  if (!from.isIntOrFloat() || !to.isIntOrFloat() || from.isInteger(1) ||
      from.getIntOrFloatBitWidth() != to.getIntOrFloatBitWidth())
    return emitOpError("C2: found elements of types ")
           << from << " and " << to
           << ", expected two of one width of more than one bit";
  return success();
}

LogicalResult
BitcastOp::reifyResultShapes(OpBuilder &b,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}

LogicalResult RequireOp::verify() {
  std::optional<int64_t> size = getConstantIntValue(getSize());
  if (size && *size < 0)
    return emitOpError("C1: the size is ") << *size << ", expected 0 or more";
  return success();
}

//===----------------------------------------------------------------------===//
// ds.dequantize
//===----------------------------------------------------------------------===//

LogicalResult DequantizeOp::verify() {
  if (failed(expectFloat(*this, "C1", "scale", getScale())) ||
      failed(expectFloat(*this, "C1", "the result", getResult())))
    return failure();
  if (!elementType(getInput()).isIntOrFloat())
    return emitOpError("C1: input has elements of type ")
           << elementType(getInput()) << ", expected integers or floats";
  Value zero = getZeroPoint();
  if (zero && failed(expectElement(*this, "C1", "zero_point", zero,
                                   elementType(getInput()))))
    return failure();
  int64_t axis = getAxis(), block = getBlockSize();
  if (block < 0)
    return emitOpError("C2: block_size is ") << block << ", expected 0 or more";
  if (ranked(getScale()).getRank() != 0) {
    if (failed(expectAxis(*this, "C2", axis, getInput())))
      return failure();
    Shape expected(shapeOf(getInput()));
    int64_t size = expected[axis];
    if (block == 0)
      expected = {size};
    else if (!ShapedType::isDynamic(size))
      expected[axis] = llvm::divideCeil(size, block);
    if (failed(expectShape(*this, "C3", "scale", getScale(), expected)))
      return failure();
  }
  if (zero &&
      failed(expectShape(*this, "C4", "zero_point", zero, shapeOf(getScale()))))
    return failure();
  return expectShape(*this, "C5", "the result", getResult(),
                     shapeOf(getInput()));
}

LogicalResult DequantizeBlocksOp::verify() {
  if (failed(expectFloat(*this, "C1", "scale", getScale())) ||
      failed(expectFloat(*this, "C1", "the result", getResult())) ||
      failed(expectRankAtLeast(*this, "C1", "input", getInput(), 2)))
    return failure();
  if (!elementType(getInput()).isIntOrFloat())
    return emitOpError("C1: input has elements of type ")
           << elementType(getInput()) << ", expected integers or floats";
  ArrayRef<int64_t> block = getBlock();
  if (block.size() != 2 || block[0] < 1 || block[1] < 1)
    return emitOpError("C2: block is [")
           << block << "], expected two positive numbers";
  Shape expected(shapeOf(getInput()));
  for (auto [size, step] :
       llvm::zip_equal(MutableArrayRef<int64_t>(expected).take_back(2), block))
    if (!ShapedType::isDynamic(size))
      size = llvm::divideCeil(size, step);
  if (failed(expectShape(*this, "C3", "scale", getScale(), expected)))
    return failure();
  return expectShape(*this, "C4", "the result", getResult(),
                     shapeOf(getInput()));
}

LogicalResult QuantizeOp::verify() {
  if (failed(expectFloat(*this, "C1", "input", getInput())) ||
      failed(expectFloat(*this, "C1", "scale", getScale())) ||
      failed(expectInteger(*this, "C1", "the result", getResult())))
    return failure();
  Value zero = getZeroPoint();
  if (zero && failed(expectElement(*this, "C1", "zero_point", zero,
                                   elementType(getResult()))))
    return failure();
  if (failed(expectRank(*this, "C2", "scale", getScale(), 0)) ||
      (zero && failed(expectRank(*this, "C2", "zero_point", zero, 0))))
    return failure();
  return expectShape(*this, "C3", "the result", getResult(),
                     shapeOf(getInput()));
}

LogicalResult DynamicQuantizeOp::verify() {
  Type byte = IntegerType::get(getContext(), 8, IntegerType::Unsigned);
  if (failed(expectFloat(*this, "C1", "input", getInput())) ||
      failed(expectElement(*this, "C1", "the result", getResult(), byte)) ||
      failed(expectElement(*this, "C1", "scale", getScale(),
                           Float32Type::get(getContext()))) ||
      failed(expectElement(*this, "C1", "zero_point", getZeroPoint(), byte)) ||
      failed(expectRank(*this, "C2", "scale", getScale(), 0)) ||
      failed(expectRank(*this, "C2", "zero_point", getZeroPoint(), 0)))
    return failure();
  return expectShape(*this, "C3", "the result", getResult(),
                     shapeOf(getInput()));
}

LogicalResult
DequantizeBlocksOp::reifyResultShapes(OpBuilder &b,
                                      ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}

LogicalResult
DequantizeOp::reifyResultShapes(OpBuilder &b,
                                ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}
