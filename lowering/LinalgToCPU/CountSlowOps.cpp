//===- CountSlowOps.cpp - what has no kernel of its own -------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_COUNTSLOWOPS
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Whether a type says that there are no elements.
bool isEmpty(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && llvm::is_contained(tensor.getShape(), 0);
}

struct CountSlowOps : ds::impl::CountSlowOpsBase<CountSlowOps> {
  using CountSlowOpsBase::CountSlowOpsBase;

  void runOnOperation() override {
    int64_t count = 0;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      // The parameter program runs once, while compiling.
      auto entry = function->getAttrOfType<StringAttr>("ds.entry");
      if (!entry || entry.getValue() == "parameter")
        continue;
      function.walk([&](Operation *op) {
        if (!isa<LinearOp, GroupedLinearOp, MatmulOp, RmsNormOp, RopeOp,
                 AttentionOp, CachedAttentionOp, MlaOp, MlaAbsorbedOp,
                 SoftmaxOp, ReduceOp, ArgReduceOp, CumulativeOp, CombineOp>(
                op) ||
            llvm::any_of(op->getOperandTypes(), isEmpty))
          return;
        ++count;
        StringRef why = " has no vector kernel for its types and shapes and "
                        "goes through plain loops";
        if (requireFast)
          op->emitError() << "'" << op->getName() << "'" << why
                          << " (--require-fast)";
        else
          op->emitRemark() << "'" << op->getName() << "'" << why;
      });
    }
    getOperation()->setAttr("ds.slow_ops",
                            Builder(&getContext()).getI64IntegerAttr(count));
    if (requireFast && count > 0)
      signalPassFailure();
  }
};

} // namespace
