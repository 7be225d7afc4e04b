//===- AbsorbMlaWeights.cpp - latents as keys and values ------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Builders.h"
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_ABSORBMLAWEIGHTS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// Says from how many tokens of a sequence on the expanded form would take
/// fewer products, where there are many more keys: there C · (P + V) for each
/// key buy P + V instead of 2 · C a token.
static void report(MlaOp op) {
  RankedTensorType keys = tensorType(op.getKeyWeight());
  int64_t rank = keys.getDimSize(2),
          made = keys.getDimSize(1) +
                 tensorType(op.getValueWeight()).getDimSize(1);
  auto remark = op->emitRemark()
                << "'" << op->getName()
                << "' absorbs W_UK and W_UV; keys and values of "
                   "every head would take fewer products ";
  if (2 * rank <= made)
    remark << "for no number of tokens";
  else
    remark << "from " << llvm::divideCeil(rank * made, 2 * rank - made)
           << " tokens of a sequence on";
}

static Value absorbed(OpBuilder &b, MlaOp op) {
  Location loc = op.getLoc();
  Type element = tensorType(op.getQuery()).getElementType(),
       wide = element.isF64() ? element : Type(b.getF32Type());
  int64_t plain = tensorType(op.getKeyWeight()).getDimSize(1),
          rotated = tensorType(op.getRope()).getDimSize(3);
  Value key =
      timesOfHeads(b, loc, sliceAlong(b, loc, op.getQuery(), 2, 0, plain),
                   op.getKeyWeight(), wide);
  Value rope = sliceAlong(b, loc, op.getQuery(), 2, plain, rotated);
  if (element != wide)
    rope = CastOp::create(
        b, loc, RankedTensorType::get(tensorType(rope).getShape(), wide), rope);
  SmallVector<int64_t> shape(tensorType(key).getShape());
  int64_t rank = shape.back();
  shape.back() += rotated;
  Value query = ConcatOp::create(b, loc, RankedTensorType::get(shape, wide),
                                 uint64_t(2), ValueRange{key, rope});
  shape.back() = rank;
  Value mixed = MlaAbsorbedOp::create(
      b, loc, RankedTensorType::get(shape, wide), query, op.getLatent(),
      op.getRope(), op.getRowStart(), op.getPastLength(), op.getCacheSlot(),
      op.getScaleAttr());
  Value values = TransposeOp::create(b, loc, op.getValueWeight(),
                                     ArrayRef<int64_t>{0, 2, 1});
  return timesOfHeads(b, loc, mixed, values, element);
}

namespace {
struct AbsorbMlaWeights : ds::impl::AbsorbMlaWeightsBase<AbsorbMlaWeights> {
  void runOnOperation() override {
    SmallVector<MlaOp> ops;
    getOperation()->walk([&](MlaOp op) {
      RankedTensorType rope = tensorType(op.getRope());
      if (isParameterValue(op.getKeyWeight()) &&
          isParameterValue(op.getValueWeight()) &&
          tensorType(op.getKeyWeight()).hasStaticShape() &&
          !rope.isDynamicDim(3))
        ops.push_back(op);
    });
    for (MlaOp op : ops) {
      report(op);
      OpBuilder b(op);
      Value result = absorbed(b, op);
      if (result.getType() != op.getType())
        result = tensor::CastOp::create(b, op.getLoc(), op.getType(), result);
      op.replaceAllUsesWith(result);
      op.erase();
    }
  }
};
} // namespace
