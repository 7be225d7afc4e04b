//===- DecomposeMtpInput.cpp - two norms, side by side, and a product -----===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_DECOMPOSEMTPINPUT
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

static void decompose(MtpInputOp op) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  auto normed = [&](Value input, Value weight) -> Value {
    RankedTensorType type = tensorType(input);
    if (!type.getElementType().isF64())
      type = type.clone(b.getF32Type());
    return RmsNormOp::create(b, loc, type, input, weight, op.getEpsilonAttr(),
                             /*round_before_weight=*/UnitAttr());
  };
  Value halves[] = {normed(op.getEmbedding(), op.getEmbeddingNorm()),
                    normed(op.getHidden(), op.getHiddenNorm())};
  int64_t last = tensorType(op.getEmbedding()).getRank() - 1;
  Value both = ConcatOp::create(b, loc, last, halves);
  auto result = LinearOp::create(b, loc, op.getType(), both, op.getWeight(),
                                 /*bias=*/Value());
  op.replaceAllUsesWith(result.getResult());
  op.erase();
}

namespace {
struct DecomposeMtpInput : ds::impl::DecomposeMtpInputBase<DecomposeMtpInput> {
  void runOnOperation() override {
    SmallVector<MtpInputOp> ops;
    getOperation()->walk([&](MtpInputOp op) { ops.push_back(op); });
    llvm::for_each(ops, decompose);
  }
};
} // namespace
