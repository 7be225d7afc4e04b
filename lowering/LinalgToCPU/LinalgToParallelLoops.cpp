//===- LinalgToParallelLoops.cpp - outer loops that threads can share -----===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LINALGTOPARALLELLOOPS
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;

namespace {

/// Elements of a vector that one thread takes at a time.
constexpr int64_t stripLength = 4096;

struct LinalgToParallelLoops
    : ds::impl::LinalgToParallelLoopsBase<LinalgToParallelLoops> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : ops) {
      rewriter.setInsertionPoint(op);
      op = columnsInnermost(rewriter, op);
      // Loops are ordered as the op's dimensions are.
      SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
      bool isNested = op->getParentOfType<scf::ForallOp>() ||
                      op->getParentOfType<scf::ParallelOp>();
      rewriter.setInsertionPoint(op);
      FailureOr<linalg::LinalgLoops> loops =
          linalg::linalgOpToLoops(rewriter, op);
      if (failed(loops)) {
        op->emitError() << "no loops for this op";
        return signalPassFailure();
      }
      rewriter.eraseOp(op);
      if (isNested || loops->empty())
        continue;
      size_t outer = 0;
      while (outer < iterators.size() &&
             iterators[outer] == utils::IteratorType::parallel)
        ++outer;
      SmallVector<scf::ForOp> nest;
      for (Operation *loop : *loops)
        nest.push_back(cast<scf::ForOp>(loop));
      // The innermost loop stays whole for the vectoriser of LLVM.
      if (outer == nest.size()) {
        if (outer == 1) {
          cutIntoStrips(rewriter, nest.front());
          continue;
        }
        --outer;
      }
      if (outer > 0)
        makeParallel(rewriter, ArrayRef(nest).take_front(outer));
    }
  }

private:
  /// A product of dimensions (…, n, k) whose right side is contiguous along n,
  /// as (…, k, n).
  static linalg::LinalgOp columnsInnermost(IRRewriter &rewriter,
                                           linalg::LinalgOp op) {
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (!generic || generic.getNumLoops() < 2 || generic.getNumDpsInits() != 1)
      return op;
    unsigned k = generic.getNumLoops() - 1, n = k - 1;
    SmallVector<utils::IteratorType> iterators =
        generic.getIteratorTypesArray();
    if (iterators[k] != utils::IteratorType::reduction ||
        llvm::count(iterators, utils::IteratorType::reduction) != 1)
      return op;
    auto isLast = [](AffineMap map, unsigned dim) {
      return map.getNumResults() > 0 &&
             map.getResults().back().isFunctionOfDim(dim);
    };
    bool hasColumns = false;
    for (OpOperand *input : generic.getDpsInputOperands()) {
      AffineMap map = generic.getMatchingIndexingMap(input);
      if (!map.isFunctionOfDim(n) || !map.isFunctionOfDim(k))
        continue;
      if (!isLast(map, n))
        return op;
      hasColumns = true;
    }
    if (!hasColumns || !isLast(generic.getIndexingMapsArray().back(), n))
      return op;
    SmallVector<unsigned> order = llvm::to_vector(llvm::seq(k + 1));
    std::swap(order[n], order[k]);
    FailureOr<linalg::GenericOp> result =
        linalg::interchangeGenericOp(rewriter, generic, order);
    return succeeded(result) ? cast<linalg::LinalgOp>(result->getOperation())
                             : op;
  }

  static void makeParallel(IRRewriter &rewriter, ArrayRef<scf::ForOp> nest) {
    SmallVector<Value> lower, upper, step;
    for (scf::ForOp loop : nest) {
      lower.push_back(loop.getLowerBound());
      upper.push_back(loop.getUpperBound());
      step.push_back(loop.getStep());
    }
    scf::ForOp first = nest.front(), last = nest.back();
    rewriter.setInsertionPoint(first);
    auto parallel =
        scf::ParallelOp::create(rewriter, first.getLoc(), lower, upper, step);
    // Bounds of inner loops stand before the nest or between its loops.
    for (scf::ForOp loop : nest.drop_back())
      for (Operation &op :
           llvm::make_early_inc_range(loop.getBody()->without_terminator()))
        if (!isa<scf::ForOp>(op))
          rewriter.moveOpBefore(&op, parallel);
    auto variables = parallel.getInductionVars();
    for (size_t i = 0; i < nest.size(); ++i) {
      scf::ForOp loop = nest[i];
      rewriter.replaceAllUsesWith(loop.getInductionVar(), variables[i]);
    }
    for (Operation &op :
         llvm::make_early_inc_range(last.getBody()->without_terminator()))
      rewriter.moveOpBefore(&op, parallel.getBody()->getTerminator());
    rewriter.eraseOp(first);
  }

  static void cutIntoStrips(IRRewriter &rewriter, scf::ForOp loop) {
    std::optional<int64_t> end = getConstantIntValue(loop.getUpperBound());
    if (end && *end < 2 * stripLength)
      return;
    Location loc = loop.getLoc();
    rewriter.setInsertionPoint(loop);
    Value strip = arith::ConstantIndexOp::create(rewriter, loc, stripLength);
    auto parallel = scf::ParallelOp::create(rewriter, loc, loop.getLowerBound(),
                                            loop.getUpperBound(), strip);
    rewriter.setInsertionPointToStart(parallel.getBody());
    Value start = parallel.getInductionVars().front();
    Value rest =
        arith::SubIOp::create(rewriter, loc, loop.getUpperBound(), start);
    Value length = arith::MinSIOp::create(rewriter, loc, rest, strip);
    Value stop = arith::AddIOp::create(rewriter, loc, start, length);
    rewriter.moveOpBefore(loop, parallel.getBody()->getTerminator());
    loop.setLowerBound(start);
    loop.setUpperBound(stop);
  }
};

} // namespace
