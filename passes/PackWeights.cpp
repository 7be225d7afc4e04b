//===- PackWeights.cpp - weights in the layout that kernels read ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/ProductRows.h"

namespace mlir::ds {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

struct PackWeights : ds::impl::PackWeightsBase<PackWeights> {
  using PackWeightsBase::PackWeightsBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (precision != "fast" && precision != "exact")
      return emitError(UnknownLoc::get(context))
             << "ds-pack-weights: precision is '" << precision
             << "', expected fast or exact";
    return success();
  }

  void runOnOperation() override {
    SmallVector<LinearOp> linears;
    getOperation()->walk([&](LinearOp op) { linears.push_back(op); });
    for (LinearOp op : linears)
      pack(op);
  }

private:
  void pack(LinearOp op) {
    RankedTensorType weight = tensorType(op.getWeight()),
                     input = tensorType(op.getInput()), result = tensorType(op);
    Type stored = weight.getElementType(), given = input.getElementType();
    auto fits = [](Type type) {
      return type.isF32() || type.isBF16() || type.isF16();
    };
    if (!weight.hasStaticShape() || !isParameterValue(op.getWeight()) ||
        !fits(stored) || !fits(given) || !fits(result.getElementType()))
      return;
    OpBuilder b(op);
    Location loc = op.getLoc();
    Type f32 = b.getF32Type();
    bool pairs = stored.isBF16();
    // Rounding what is bf16 already changes nothing: no widening first.
    bool dot = pairs && precision == "fast";
    Value x = castTo(b, loc, asRows(b, loc, op.getInput()),
                     dot ? b.getBF16Type() : f32);
    Value packed = PackOp::create(
        b, loc, PackOp::packedType(weight, pairs ? 2 : 1), op.getWeight());
    Value bias = op.getBias() ? castTo(b, loc, op.getBias(), f32) : Value();
    Value product = PackedLinearOp::create(
        b, loc,
        RankedTensorType::get(
            {tensorType(x).getDimSize(0), weight.getDimSize(0)}, f32),
        x, packed, bias);
    replaceByRows(b, op, product);
  }
};

} // namespace
