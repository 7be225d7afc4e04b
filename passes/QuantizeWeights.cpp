//===- QuantizeWeights.cpp - weights of products in another type ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/ProductRows.h"

namespace mlir::ds {
#define GEN_PASS_DEF_QUANTIZEWEIGHTS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

struct QuantizeWeights : ds::impl::QuantizeWeightsBase<QuantizeWeights> {
  using QuantizeWeightsBase::QuantizeWeightsBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (!llvm::is_contained({"keep", "bf16", "int8", "int4"},
                            StringRef(weightType)))
      return emitError(UnknownLoc::get(context))
             << "ds-quantize-weights: type is '" << weightType
             << "', expected keep, bf16, int8 or int4";
    return success();
  }

  void runOnOperation() override {
    if (weightType == "keep")
      return;
    getOperation()->walk([&](LinearOp op) { convert(op); });
  }

private:
  void convert(LinearOp op) {
    Value weight = op.getWeight();
    RankedTensorType type = tensorType(weight);
    Type element = type.getElementType();
    if (!type.hasStaticShape() || type.getRank() != 2 ||
        !isParameterValue(weight) ||
        !(element.isF32() || element.isBF16() || element.isF16()))
      return;
    // Whole numbers already: another rounding would only lose.
    if (matchDequantizedWeight(weight) || isRouter(op))
      return;
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value converted = weightType == "bf16"
                          ? castTo(b, loc, weight, b.getBF16Type())
                          : quantized(b, loc, weight);
    op.getWeightMutable().assign(converted);
  }

  Value quantized(OpBuilder &b, Location loc, Value weight) {
    RankedTensorType type = tensorType(weight);
    int64_t n = type.getDimSize(0), k = type.getDimSize(1);
    // Fewer bits want a scale more often.
    int64_t bits = weightType == "int8" ? 8 : 4, group = bits == 8 ? 64 : 32;
    auto groups = QuantizeGroupsOp::create(
        b, loc, castTo(b, loc, weight, b.getF32Type()), group, bits);
    Value data = groups.getData();
    if (tensorType(data).getDimSize(1) != k) {
      OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
      data = SliceOp::create(
          b, loc, data, ArrayRef<OpFoldResult>{zero, zero},
          ArrayRef<OpFoldResult>{b.getIndexAttr(n), b.getIndexAttr(k)},
          ArrayRef<OpFoldResult>{one, one});
    }
    if (bits == 4)
      data = castTo(b, loc, data, b.getIntegerType(4));
    return DequantizeOp::create(
        b, loc, RankedTensorType::get({n, k}, b.getF32Type()), data,
        groups.getScale(), Value(), b.getI64IntegerAttr(1),
        b.getI64IntegerAttr(group));
  }
};

} // namespace
