//===- CountWork.cpp - multiply-adds of a token ---------------------------===//
//
// What a benchmark compares with the machine's peak. Counted here, where the
// products of the model are still visible as such.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::ds {
#define GEN_PASS_DEF_COUNTWORK
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {
struct CountWork : ds::impl::CountWorkBase<CountWork> {
  void runOnOperation() override {
    auto facts = getOperation()->getAttrOfType<DictionaryAttr>("ds.model");
    auto step = getOperation().lookupSymbol<func::FuncOp>("step");
    if (!facts || !step)
      return;
    auto vocabulary = facts.getAs<IntegerAttr>("vocabulary");
    int64_t perToken = 0, perLogits = 0;
    step.walk([&](LinearOp linear) {
      auto input = cast<RankedTensorType>(linear.getInput().getType());
      auto result = cast<RankedTensorType>(linear.getResult().getType());
      int64_t k = input.getShape().back(), n = result.getShape().back();
      if (ShapedType::isDynamic(k) || ShapedType::isDynamic(n))
        return;
      // The head's result are the logits, of the rows that are asked for.
      bool isHead = vocabulary && n == vocabulary.getInt();
      (isHead ? perLogits : perToken) += k * n;
    });
    auto sizesOf = [](Value value) {
      return cast<RankedTensorType>(value.getType()).getShape();
    };
    // Of all experts a token pays for its own; keys and values of a token are
    // made of its latent once.
    step.walk([&](Operation *op) {
      if (auto moe = dyn_cast<MoeOp>(op)) {
        ArrayRef<int64_t> gate = sizesOf(moe.getGate());
        perToken += sizesOf(moe.getExperts())[1] * 3 * gate[1] * gate[2];
      }
      if (auto mla = dyn_cast<MlaOp>(op))
        for (Value weight : {mla.getKeyWeight(), mla.getValueWeight()}) {
          ArrayRef<int64_t> sizes = sizesOf(weight);
          perToken += sizes[0] * sizes[1] * sizes[2];
        }
    });
    OpBuilder builder(&getContext());
    NamedAttrList list(facts);
    list.set("multiply_adds_per_token", builder.getI64IntegerAttr(perToken));
    list.set("multiply_adds_per_logits", builder.getI64IntegerAttr(perLogits));
    getOperation()->setAttr("ds.model", list.getDictionary(&getContext()));
  }
};
} // namespace
