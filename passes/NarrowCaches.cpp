//===- NarrowCaches.cpp - caches of a step in bf16 ------------------------===//
//
// A long sequence reads its whole cache for every token: half the bytes is
// half the time. The type is a fact of the IR, so that descriptor, runtime and
// kernels follow it without being told.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/StepFunction.h"

namespace mlir::ds {
#define GEN_PASS_DEF_NARROWCACHES
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {
struct NarrowCaches : ds::impl::NarrowCachesBase<NarrowCaches> {
  using NarrowCachesBase::NarrowCachesBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (cacheType != "auto" && cacheType != "f32" && cacheType != "bf16")
      return emitError(UnknownLoc::get(context))
             << "ds-narrow-caches: cache-type is '" << cacheType
             << "', expected auto, f32 or bf16";
    return success();
  }

  void runOnOperation() override {
    func::FuncOp step = getOperation();
    if (!isStepFunction(step) || cacheType == "f32" ||
        (cacheType == "auto" && !hasNarrowWeights(step)))
      return;
    for (BlockArgument argument : step.getArguments()) {
      auto name =
          step.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "ds.name");
      if (!name || !name.getValue().starts_with("cache.") ||
          !tensorType(argument).getElementType().isF32())
        continue;
      if (failed(narrow(argument)))
        return signalPassFailure();
    }
    Operation *end = step.front().getTerminator();
    step.setFunctionType(FunctionType::get(&getContext(),
                                           step.front().getArgumentTypes(),
                                           end->getOperandTypes()));
  }

private:
  /// Whether `weight` has 16 bits or fewer in the file.
  static bool isNarrow(Value weight) {
    if (DequantizeOp source = matchDequantizedWeight(weight))
      weight = source.getInput();
    else if (auto blocks = weight.getDefiningOp<DequantizeBlocksOp>())
      weight = blocks.getInput();
    return tensorType(peelFloatCasts(weight)).getElementTypeBitWidth() <= 16;
  }

  /// Whether every product with a weight reads such a one. Routers compute in
  /// f32 whatever the others do, and some files have theirs in it.
  static bool hasNarrowWeights(func::FuncOp step) {
    bool any = false, narrow = true;
    step.walk([&](Operation *op) {
      auto linear = dyn_cast<LinearOp>(op);
      if (!isa<LinearOp, GroupedLinearOp>(op) || (linear && isRouter(linear)))
        return;
      any = true;
      narrow &= isNarrow(linear ? linear.getWeight()
                                : cast<GroupedLinearOp>(op).getWeight());
    });
    return any && narrow;
  }

  /// Makes `cache`, and every cache that rows were appended to it as, bf16.
  static LogicalResult narrow(Value cache) {
    RankedTensorType type = tensorType(cache);
    cache.setType(
        type.clone(type.getShape(), BFloat16Type::get(type.getContext())));
    for (OpOperand &use : cache.getUses()) {
      Operation *user = use.getOwner();
      if (isa<func::ReturnOp, tensor::DimOp>(user))
        continue;
      if (auto append = dyn_cast<CacheAppendOp>(user);
          append && use.get() == append.getCache() &&
          use.get() != append.getRows()) {
        if (failed(narrow(append.getResult())))
          return failure();
        continue;
      }
      // The first operand is the query.
      if (isa<CachedAttentionOp, MlaOp, MlaAbsorbedOp>(user) &&
          use.getOperandNumber() > 0)
        continue;
      return user->emitOpError(
          "reads a cache, whose type could not be narrowed for it");
    }
    return success();
  }
};
} // namespace
