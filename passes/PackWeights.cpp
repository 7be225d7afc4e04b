//===- PackWeights.cpp - weights in the layout that kernels read ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"

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
  /// [rows, K]: all dimensions but the last are rows.
  static Value asRows(OpBuilder &b, Location loc, Value x) {
    RankedTensorType type = tensorType(x);
    if (type.getRank() == 2)
      return x;
    SmallVector<int64_t> shape{1, type.getShape().back()};
    SmallVector<Value> dims;
    for (int64_t d = 0; d + 1 < type.getRank(); ++d) {
      if (type.isDynamicDim(d) || ShapedType::isDynamic(shape[0]))
        shape[0] = ShapedType::kDynamic;
      else
        shape[0] *= type.getDimSize(d);
    }
    if (ShapedType::isDynamic(shape[0])) {
      Value rows = tensor::DimOp::create(b, loc, x, 0);
      for (int64_t d = 1; d + 1 < type.getRank(); ++d)
        rows = arith::MulIOp::create(b, loc, rows,
                                     tensor::DimOp::create(b, loc, x, d));
      dims.push_back(rows);
    }
    return ReshapeOp::create(
        b, loc, RankedTensorType::get(shape, type.getElementType()), x, dims);
  }

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
    auto cast = [&](Value value, Type element) -> Value {
      RankedTensorType type = tensorType(value);
      if (type.getElementType() == element)
        return value;
      return CastOp::create(
          b, loc, RankedTensorType::get(type.getShape(), element), value);
    };
    Type f32 = b.getF32Type();
    bool pairs = stored.isBF16();
    // Rounding what is bf16 already changes nothing: no widening first.
    bool dot = pairs && precision == "fast";
    Value x = cast(asRows(b, loc, op.getInput()), dot ? b.getBF16Type() : f32);
    Value packed = PackOp::create(
        b, loc, PackOp::packedType(weight, pairs ? 2 : 1), op.getWeight());
    Value bias = op.getBias() ? cast(op.getBias(), f32) : Value();
    Value product = PackedLinearOp::create(
        b, loc,
        RankedTensorType::get(
            {tensorType(x).getDimSize(0), weight.getDimSize(0)}, f32),
        x, packed, bias);
    product = cast(product, result.getElementType());
    if (result.getRank() != 2) {
      // The input's sizes but the last, which is N and static.
      SmallVector<Value> dims;
      for (int64_t d = 0; d + 1 < result.getRank(); ++d)
        if (result.isDynamicDim(d))
          dims.push_back(tensor::DimOp::create(b, loc, op.getInput(), d));
      product = ReshapeOp::create(b, loc, result, product, dims);
    }
    op.replaceAllUsesWith(product);
    op.erase();
  }
};

} // namespace
