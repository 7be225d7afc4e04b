//===- DsTensorOps.cpp - verifiers, builders and shapes of the tensor ops
//--===//
#include "dialects/ds/IR/DsDialect.h"

using namespace mlir;
using namespace mlir::ds;

void SliceOp::build(OpBuilder &builder, OperationState &state, Value input,
                    ArrayRef<OpFoldResult> offsets,
                    ArrayRef<OpFoldResult> sizes,
                    ArrayRef<OpFoldResult> strides) {
  SmallVector<int64_t> staticOffsets, staticSizes, staticStrides;
  SmallVector<Value> dynamicOffsets, dynamicSizes, dynamicStrides;
  dispatchIndexOpFoldResults(offsets, dynamicOffsets, staticOffsets);
  dispatchIndexOpFoldResults(sizes, dynamicSizes, staticSizes);
  dispatchIndexOpFoldResults(strides, dynamicStrides, staticStrides);
  auto type = RankedTensorType::get(
      staticSizes, cast<RankedTensorType>(input.getType()).getElementType());
  build(builder, state, type, input, dynamicOffsets, dynamicSizes,
        dynamicStrides, staticOffsets, staticSizes, staticStrides);
}

LogicalResult SliceOp::verify() {
  size_t rank = getInput().getType().getRank();
  if (getStaticOffsets().size() != rank || getStaticSizes().size() != rank ||
      getStaticStrides().size() != rank)
    return emitOpError(
        "C1: expected one offset, size and stride per dimension of the input");
  return success();
}
