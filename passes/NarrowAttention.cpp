//===- NarrowAttention.cpp - queries as narrow as what is cached ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_NARROWATTENTION
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {
struct NarrowAttention : ds::impl::NarrowAttentionBase<NarrowAttention> {
  void runOnOperation() override {
    getOperation()->walk([](Operation *op) {
      if (auto attention = dyn_cast<CachedAttentionOp>(op))
        narrow(attention, {attention.getKey(), attention.getValue()});
      else if (auto latent = dyn_cast<MlaAbsorbedOp>(op))
        narrow(latent, {latent.getLatent(), latent.getRope()});
      else if (auto expanded = dyn_cast<MlaOp>(op))
        narrow(expanded, {expanded.getLatent(), expanded.getRope()});
    });
  }

private:
  template <typename Op> static void narrow(Op op, ArrayRef<Value> caches) {
    RankedTensorType type = tensorType(op.getResult());
    if (!type.getElementType().isF32() ||
        !llvm::all_of(caches, [](Value cache) {
          return tensorType(cache).getElementType().isBF16();
        }))
      return;
    OpBuilder b(op);
    Type bf16 = b.getBF16Type();
    op.getQueryMutable().assign(CastOp::create(
        b, op.getLoc(), tensorType(op.getQuery()).clone(bf16), op.getQuery()));
    op.getResult().setType(type.clone(bf16));
    b.setInsertionPointAfter(op);
    auto wide = CastOp::create(b, op.getLoc(), type, op.getResult());
    op.getResult().replaceAllUsesExcept(wide, wide);
  }
};
} // namespace
