//===- ReportRaised.cpp - remarks on what raising has found ---------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::ds {
#define GEN_PASS_DEF_REPORTRAISED
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// The name that the model's file gives a value, or nothing.
static StringRef nameOf(Location loc) {
  StringRef name;
  loc->walk([&](Location inner) {
    auto named = dyn_cast<NameLoc>(inner);
    if (!named)
      return WalkResult::advance();
    name = named.getName().getValue();
    return WalkResult::interrupt();
  });
  return name;
}

namespace {
struct ReportRaised : ds::impl::ReportRaisedBase<ReportRaised> {
  void runOnOperation() override {
    llvm::MapVector<OperationName, SmallVector<Operation *>> found;
    unsigned others = 0;
    getOperation()->walk([&](Operation *op) {
      if (isa<EmbeddingOp, RmsNormOp, RopeOp, LinearOp, SwigluOp, AttentionOp,
              CacheAppendOp, CachedAttentionOp, MlaOp, RouteOp, MoeOp,
              MtpInputOp>(op))
        found[op->getName()].push_back(op);
      else if (isa_and_nonnull<DsDialect>(op->getDialect()))
        ++others;
    });
    auto function = cast<func::FuncOp>(getOperation());
    for (auto &[kind, ops] : found) {
      constexpr unsigned limit = 8;
      auto remark = emitRemark(function.getLoc());
      remark << "@" << function.getName() << ": " << ops.size() << " "
             << kind.getStringRef();
      StringRef separator = ": ";
      for (Operation *op : ArrayRef<Operation *>(ops).take_front(limit)) {
        StringRef name = nameOf(op->getLoc());
        if (name.empty())
          continue;
        remark << separator << name;
        separator = ", ";
      }
      if (ops.size() > limit)
        remark << " and " << ops.size() - limit << " more";
    }
    if (!found.empty())
      emitRemark(function.getLoc())
          << "@" << function.getName() << ": " << others
          << " other operations of the ds dialect";
  }
};
} // namespace
