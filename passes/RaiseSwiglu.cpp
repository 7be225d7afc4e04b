//===- RaiseSwiglu.cpp - gate·sigmoid(gate)·up becomes ds.swiglu ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_RAISESWIGLU
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// x if `value` is sigmoid(x).
static Value matchSigmoid(Value value) {
  if (auto op = matchElementwise(value, ElementwiseKind::Sigmoid))
    return op.getOperands()[0];
  return nullptr;
}

/// x if `value` is x·sigmoid(x).
static Value matchSilu(Value value) {
  auto product = matchElementwise(value, ElementwiseKind::Mul);
  if (!product)
    return nullptr;
  for (unsigned i : {0u, 1u})
    if (Value x = matchSigmoid(product.getOperands()[i]))
      if (x == otherOperand(product, i))
        return x;
  return nullptr;
}

namespace {
struct RaiseSwiglu : ds::impl::RaiseSwigluBase<RaiseSwiglu> {
  void runOnOperation() override {
    SmallVector<ElementwiseOp> products;
    getOperation()->walk([&](ElementwiseOp op) {
      if (op.getKind() == ElementwiseKind::Mul)
        products.push_back(op);
    });
    for (ElementwiseOp op : products) {
      RankedTensorType type = tensorType(op.getResult());
      if (!isa<FloatType>(type.getElementType()))
        continue;
      for (unsigned i : {0u, 1u}) {
        Value up = otherOperand(op, i);
        Value gate = matchSilu(op.getOperands()[i]);
        if (!gate || gate == up || matchSigmoid(up) == gate ||
            gate.getType() != type || up.getType() != type)
          continue;
        OpBuilder builder(op);
        auto swiglu = SwigluOp::create(builder, op.getLoc(), type, gate, up);
        op.replaceAllUsesWith(swiglu.getResult());
        break;
      }
    }
  }
};
} // namespace
