//===- QuantizeWeights.cpp - weights of products in another type ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Builders.h"
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
    if (precision != "fast" && precision != "exact")
      return emitError(UnknownLoc::get(context))
             << "ds-quantize-weights: precision is '" << precision
             << "', expected fast or exact";
    return success();
  }

  void runOnOperation() override {
    bool keeps = weightType == "keep";
    getOperation()->walk([&](Operation *op) {
      if (auto linear = dyn_cast<LinearOp>(op);
          linear && !keeps && !isRouter(linear))
        convert(op, linear.getWeightMutable());
      else if (auto grouped = dyn_cast<GroupedLinearOp>(op); grouped && !keeps)
        convert(op, grouped.getWeightMutable());
      else if (auto latent = dyn_cast<MlaOp>(op))
        for (OpOperand *weight :
             {&latent.getKeyWeightMutable(), &latent.getValueWeightMutable()})
          if (isParameterValue(weight->get()) &&
              (!keeps || (precision == "fast" && readsFloat8(weight->get()))))
            round(op, *weight);
    });
  }

private:
  /// Whether one of the parameters that `value` is made of is FP8 in the file.
  static bool readsFloat8(Value value) {
    if (auto load = value.getDefiningOp<LoadParameterOp>())
      return isa<Float8E4M3FNType>(tensorType(load).getElementType());
    return llvm::any_of(value.getDefiningOp()->getOperands(), readsFloat8);
  }

  /// W_UK or W_UV of f32 becomes bf16.
  static void round(Operation *op, OpOperand &weight) {
    if (!tensorType(weight.get()).getElementType().isF32())
      return;
    OpBuilder b(op);
    weight.set(castTo(b, op->getLoc(), weight.get(), b.getBF16Type()));
  }

  void convert(Operation *product, OpOperand &operand) {
    Value weight = operand.get();
    RankedTensorType type = tensorType(weight);
    Type element = type.getElementType();
    if (!type.hasStaticShape() || !isParameterValue(weight) ||
        !(element.isF32() || element.isBF16() || element.isF16()))
      return;
    // Whole numbers already: another rounding would only lose.
    if (DequantizeOp source = matchDequantizedWeight(weight);
        source &&
        isa<IntegerType>(tensorType(source.getInput()).getElementType()))
      return;
    OpBuilder b(product);
    Location loc = product->getLoc();
    Value converted = weightType == "bf16"
                          ? castTo(b, loc, weight, b.getBF16Type())
                          : quantized(b, loc, weight);
    operand.set(converted);
  }

  /// [N, K], or [E, N, K] of experts: every row by itself.
  Value quantized(OpBuilder &b, Location loc, Value weight) {
    RankedTensorType type = tensorType(weight);
    int64_t k = type.getShape().back();
    // Fewer bits want a scale more often.
    int64_t bits = weightType == "int8" ? 8 : 4, group = bits == 8 ? 64 : 32;
    Value rows = asRows(b, loc, castTo(b, loc, weight, b.getF32Type()));
    auto groups = QuantizeGroupsOp::create(b, loc, rows, group, bits);
    Value data = groups.getData();
    if (tensorType(data).getDimSize(1) != k)
      data = sliceAlong(b, loc, data, 1, 0, k);
    if (bits == 4)
      data = castTo(b, loc, data, b.getIntegerType(4));
    auto likeWeight = [&](Value value) -> Value {
      RankedTensorType from = tensorType(value);
      SmallVector<int64_t> shape(type.getShape());
      shape.back() = from.getDimSize(1);
      if (from.getShape() == ArrayRef(shape))
        return value;
      return ReshapeOp::create(b, loc, from.clone(shape), value, ValueRange());
    };
    return DequantizeOp::create(
        b, loc, type.clone(b.getF32Type()), likeWeight(data),
        likeWeight(groups.getScale()), Value(),
        b.getI64IntegerAttr(type.getRank() - 1), b.getI64IntegerAttr(group));
  }
};

} // namespace
