//===- FuseElementwise.cpp - elementwise chains in one pass over memory ---===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;

namespace {

/// The producer only moves or converts elements: doing it again costs no more
/// than reading the result again.
bool isCheap(linalg::GenericOp producer) {
  return producer.getBody()->without_terminator().empty() ||
         llvm::all_of(
             producer.getBody()->without_terminator(), [](Operation &op) {
               return isa<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp>(op);
             });
}

struct FuseElementwise : ds::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    linalg::populateElementwiseOpsFusionPatterns(
        patterns, [](OpOperand *operand) {
          auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
          auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
          if (!producer || !consumer || !producer->hasOneUse())
            return false;
          // Each element of the producer is wanted once, or again at no cost.
          return consumer.getMatchingIndexingMap(operand).isPermutation() ||
                 isCheap(producer);
        });
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    affine::AffineApplyOp::getCanonicalizationPatterns(patterns, context);
    GreedyRewriteConfig config;
    config.setUseTopDownTraversal();
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      signalPassFailure();
  }
};

} // namespace
