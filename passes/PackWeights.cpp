//===- PackWeights.cpp - weights in the layout that kernels read ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/PackedOperands.h"
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
    forEachProduct(getOperation(), [&](auto op) { pack(op); });
  }

private:
  /// Whether the product can have a packed weight.
  template <typename Product> static bool isPackable(Product op) {
    auto fits = [](Value value) {
      Type type = tensorType(value).getElementType();
      return type.isF32() || type.isBF16() || type.isF16();
    };
    return tensorType(op.getWeight()).hasStaticShape() &&
           isParameterValue(op.getWeight()) && fits(op.getWeight()) &&
           fits(op.getInput()) && fits(op.getResult());
  }

  bool isPairs(Value weight) {
    return tensorType(weight).getElementType().isBF16();
  }

  Value packed(OpBuilder &b, Location loc, Value weight) {
    return PackOp::create(
        b, loc, PackOp::packedType(tensorType(weight), isPairs(weight) ? 2 : 1),
        weight);
  }

  /// The type in which a product takes its input. Rounding what is bf16 already
  /// changes nothing: no widening first.
  Type inputType(OpBuilder &b, Value weight) {
    if (isPairs(weight) && precision == "fast")
      return b.getBF16Type();
    return b.getF32Type();
  }

  void pack(LinearOp op) {
    if (!isPackable(op))
      return;
    OpBuilder b(op);
    Location loc = op.getLoc();
    Type f32 = b.getF32Type();
    Value x = castTo(b, loc, asRows(b, loc, op.getInput()),
                     inputType(b, op.getWeight()));
    Value bias = op.getBias() ? castTo(b, loc, op.getBias(), f32) : Value();
    auto type = RankedTensorType::get(
        {tensorType(x).getDimSize(0), tensorType(op.getWeight()).getDimSize(0)},
        f32);
    replaceByRows(b, op,
                  PackedLinearOp::create(b, loc, type, x,
                                         packed(b, loc, op.getWeight()), bias));
  }

  void pack(GroupedLinearOp op) {
    if (!isPackable(op) || tensorType(op.getInput()).isDynamicDim(1))
      return;
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value x = castTo(b, loc, op.getInput(), inputType(b, op.getWeight()));
    auto type =
        RankedTensorType::get(tensorType(op).getShape(), b.getF32Type());
    Value product = PackedLinearOp::create(b, loc, type, x, op.getRows(),
                                           packed(b, loc, op.getWeight()),
                                           op.getTiles(), op.getCount());
    op.replaceAllUsesWith(
        castTo(b, loc, product, tensorType(op).getElementType()));
    op.erase();
  }
};

} // namespace
