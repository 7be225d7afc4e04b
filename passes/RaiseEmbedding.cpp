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

namespace {
struct RaiseEmbedding : ds::impl::RaiseEmbeddingBase<RaiseEmbedding> {
  void runOnOperation() override {
    SmallVector<GatherOp> gathers;
    getOperation()->walk([&](GatherOp op) { gathers.push_back(op); });
    for (GatherOp op : gathers) {
      RankedTensorType table = tensorType(op.getInput());
      if (op.getAxis() != 0 || table.getRank() != 2 ||
          !isa<FloatType>(table.getElementType()) ||
          !isParameterValue(op.getInput()) || isParameterValue(op.getIndices()))
        continue;
      OpBuilder builder(op);
      auto embedding = EmbeddingOp::create(builder, op.getLoc(), op.getType(),
                                           op.getIndices(), op.getInput());
      op.replaceAllUsesWith(embedding.getResult());
      op.erase();
    }
  }
};
} // namespace
