//===- SimplifyElementwise.cpp - broadcasting left to elementwise ops -----===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/SymbolicElement.h"

namespace mlir::ds {
#define GEN_PASS_DEF_SIMPLIFYELEMENTWISE
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// A product over one element, [.., M, 1]·[.., 1, N], is x·y at every place.
struct OuterProduct : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType lhs = tensorType(op.getLhs()),
                     rhs = tensorType(op.getRhs()), type = tensorType(op);
    // Integer products widen their operands first.
    if (lhs.getShape().back() != 1 || rhs.getDimSize(rhs.getRank() - 2) != 1 ||
        lhs.getElementType() != type.getElementType() ||
        rhs.getElementType() != type.getElementType())
      return failure();
    rewriter.replaceOpWithNewOp<ElementwiseOp>(
        op, type, ElementwiseKind::Mul, ValueRange{op.getLhs(), op.getRhs()});
    return success();
  }
};

/// op(broadcast(x), y) where y has the sizes that x is repeated to.
struct DropBroadcast : OpRewritePattern<ElementwiseOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ElementwiseOp op,
                                PatternRewriter &rewriter) const override {
    for (OpOperand &operand : op->getOpOperands()) {
      auto broadcast = operand.get().getDefiningOp<BroadcastOp>();
      if (!broadcast || !isRepeatedBy(op, operand, broadcast))
        continue;
      rewriter.modifyOpInPlace(op, [&] { operand.set(broadcast.getInput()); });
      return success();
    }
    return failure();
  }

private:
  /// Size of `value` in dimension `d` of a result of rank `rank`.
  static int64_t sizeAt(Value value, int64_t d, int64_t rank) {
    RankedTensorType type = tensorType(value);
    d -= rank - type.getRank();
    return d < 0 ? 1 : type.getDimSize(d);
  }

  static bool isRepeatedBy(ElementwiseOp op, OpOperand &operand,
                           BroadcastOp broadcast) {
    int64_t rank = tensorType(op.getResult()).getRank();
    int64_t missing = rank - tensorType(broadcast).getRank();
    int64_t added = tensorType(broadcast).getRank() -
                    tensorType(broadcast.getInput()).getRank();
    SymbolicElements symbols;
    for (int64_t d = 0; d < rank; ++d) {
      int64_t before = sizeAt(broadcast.getInput(), d, rank),
              after = sizeAt(broadcast, d, rank);
      if (before == after && !ShapedType::isDynamic(before))
        continue;
      // A dynamic size may be 1 at run time: only ds.broadcast repeats it.
      if (before != 1) {
        if (symbols.sizeOf(broadcast.getInput(), d - missing - added) ==
            symbols.sizeOf(broadcast, d - missing))
          continue;
        return false;
      }
      bool other = llvm::any_of(op->getOpOperands(), [&](OpOperand &o) {
        return &o != &operand && sizeAt(o.get(), d, rank) != 1;
      });
      if (!other)
        return false;
    }
    return true;
  }
};

struct SimplifyElementwise
    : ds::impl::SimplifyElementwiseBase<SimplifyElementwise> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<OuterProduct, DropBroadcast>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
