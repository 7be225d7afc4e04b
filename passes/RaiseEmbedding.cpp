//===- RaiseEmbedding.cpp - rows of a parameter become ds.embedding -------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_RAISEEMBEDDING
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// Whether `value` is a table of cosines or sines on its way to ds.rope: rows
/// of positions, not of tokens.
static bool isRotation(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    if (isa<RopeOp>(user))
      return true;
    return isa<ReshapeOp, BroadcastOp, CastOp, SliceOp>(user) &&
           isRotation(user->getResult(0));
  });
}

namespace {
struct RaiseEmbedding : ds::impl::RaiseEmbeddingBase<RaiseEmbedding> {
  void runOnOperation() override {
    SmallVector<GatherOp> gathers;
    getOperation()->walk([&](GatherOp op) { gathers.push_back(op); });
    for (GatherOp op : gathers) {
      RankedTensorType table = tensorType(op.getInput());
      if (op.getAxis() != 0 || table.getRank() != 2 ||
          !isa<FloatType>(table.getElementType()) ||
          !isParameterValue(op.getInput()) ||
          isParameterValue(op.getIndices()) || isRotation(op))
        continue;
      // The op widens rows as it reads them: no wide copy of the table.
      Value tableValue = op.getInput();
      if (auto cast = tableValue.getDefiningOp<CastOp>())
        if (tensorType(cast.getInput()).getElementTypeBitWidth() <
                table.getElementTypeBitWidth() &&
            isa<FloatType>(tensorType(cast.getInput()).getElementType()))
          tableValue = cast.getInput();
      OpBuilder builder(op);
      auto embedding = EmbeddingOp::create(builder, op.getLoc(), op.getType(),
                                           op.getIndices(), tableValue);
      op.replaceAllUsesWith(embedding.getResult());
      op.erase();
    }
  }
};
} // namespace
