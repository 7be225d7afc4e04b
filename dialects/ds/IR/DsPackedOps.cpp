//===- DsPackedOps.cpp - shapes and verifiers of packed weights -----------===//
#include "dialects/ds/IR/DsVerify.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::ds;

RankedTensorType PackOp::packedType(RankedTensorType weight,
                                    int64_t interleaving) {
  auto ceil = [](int64_t a, int64_t b) {
    return int64_t(llvm::divideCeil(uint64_t(a), uint64_t(b)));
  };
  // Experts before rows and columns stay where they are.
  Shape shape(weight.getShape().drop_back(2));
  shape.append({ceil(weight.getShape().end()[-2], panelRows),
                ceil(weight.getShape().back(), interleaving),
                panelRows * interleaving});
  return RankedTensorType::get(shape, weight.getElementType());
}

/// Whether `packed` is a weight of shape [N, K] or [E, N, K] packed by one of
/// the legal interleavings.
static bool isPacked(RankedTensorType packed, ArrayRef<int64_t> shape) {
  for (int64_t interleaving : {1, 2, 4})
    if (PackOp::packedType(
            RankedTensorType::get(shape, packed.getElementType()),
            interleaving) == packed)
      return true;
  return false;
}

LogicalResult PackOp::verify() {
  auto weight = cast<RankedTensorType>(getWeight().getType());
  auto result = cast<RankedTensorType>(getType());
  if ((weight.getRank() != 2 && weight.getRank() != 3) ||
      !weight.hasStaticShape())
    return emitOpError("C1: expected a weight of rank 2 or 3 and static "
                       "sizes, found ")
           << weight;
  if (weight.getElementType() != result.getElementType() ||
      !isPacked(result, weight.getShape()))
    return emitOpError("C2: expected a result like ")
           << packedType(weight, 1) << " (1, 2 or 4 k side by side), found "
           << result;
  return success();
}

LogicalResult PackedLinearOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType()),
       weight = cast<RankedTensorType>(getWeight().getType()),
       result = cast<RankedTensorType>(getType());
  Type x = input.getElementType(), w = weight.getElementType();
  bool typesFit = (x.isF32() && (w.isF32() || w.isBF16() || w.isF16())) ||
                  (x.isBF16() && w.isBF16());
  auto isF32 = [](Type type) {
    return cast<RankedTensorType>(type).getElementType().isF32();
  };
  if (!typesFit || (!isF32(result) && !result.getElementType().isBF16()) ||
      (getBias() && !isF32(getBias().getType())) ||
      (getResidual() && !isF32(getResidual().getType())))
    return emitOpError("C1: expected f32 inputs with f32, bf16 or f16 weights, "
                       "or bf16 with bf16, f32 bias and residual, and an f32 "
                       "or bf16 result; found ")
           << input << " with " << weight << " to " << result;
  if (input.getRank() != 2 || result.getRank() != 2 || input.isDynamicDim(1) ||
      result.isDynamicDim(1))
    return emitOpError("C3: expected input and result of rank 2 with static "
                       "last sizes, found ")
           << input << " and " << result;
  if (failed(expectExpertGroups(*this, "C5")) ||
      failed(expectSize(*this, "C3", "the result", getResult(), 0,
                        shapeOf(getRows() ? getRows() : getInput())[0],
                        getRows() ? "rows" : "the input's rows")))
    return failure();
  int64_t k = input.getShape().back(), n = weightRows();
  Shape shape{n, k};
  if (getTiles() && weight.getRank() > 0)
    shape.insert(shape.begin(), weight.getDimSize(0));
  if (!weight.hasStaticShape() || !isPacked(weight, shape))
    return emitOpError("C2: expected a weight like ")
           << PackOp::packedType(RankedTensorType::get(shape, w), 1)
           << " (1, 2 or 4 k side by side), found " << weight;
  if (getBias() && cast<RankedTensorType>(getBias().getType()).getShape() !=
                       ArrayRef<int64_t>{n})
    return emitOpError("C3: expected a bias of ")
           << n << " elements, found " << getBias().getType();
  if (getResidual() &&
      cast<RankedTensorType>(getResidual().getType()).getShape() !=
          result.getShape())
    return emitOpError("C3: expected a residual of the result's shape, found ")
           << getResidual().getType() << " and " << result;
  return expectRopeEpilogue(*this, "C4");
}

LogicalResult PackOp::reifyResultShapes(OpBuilder &b,
                                        ReifiedRankedShapedTypeDims &shapes) {
  // Static.
  shapes.push_back(resultSizes(b, getResult(), ValueRange()));
  return success();
}

LogicalResult
PackedLinearOp::reifyResultShapes(OpBuilder &b,
                                  ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t) {
    return sizeOf(b, getLoc(), getRows() ? getRows() : getInput(), 0);
  }));
  return success();
}
