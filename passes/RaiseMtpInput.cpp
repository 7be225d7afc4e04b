//===- RaiseMtpInput.cpp - what a layer that drafts starts from -----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Builders.h"
#include "passes/Match.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::ds {
#define GEN_PASS_DEF_RAISEMTPINPUT
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// The states that a draft entry is given, or null.
static Value statesOf(func::FuncOp function) {
  auto entry = function->getAttrOfType<StringAttr>("ds.entry");
  if (!entry || entry.getValue() != "draft")
    return nullptr;
  for (BlockArgument argument : function.getArguments()) {
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                      "ds.name");
    if (name && name.getValue() == "states")
      return argument;
  }
  return nullptr;
}

static void raise(LinearOp linear, Value states) {
  auto concat = linear.getInput().getDefiningOp<ConcatOp>();
  if (linear.getBias() || !concat || concat.getInputs().size() != 2 ||
      int64_t(concat.getAxis()) != tensorType(concat).getRank() - 1)
    return;
  auto first = concat.getInputs()[0].getDefiningOp<RmsNormOp>(),
       second = concat.getInputs()[1].getDefiningOp<RmsNormOp>();
  if (!first || !second || first.getType() != second.getType() ||
      first.getEpsilon() != second.getEpsilon())
    return;
  OpBuilder b(linear);
  Location loc = linear.getLoc();
  Value weight = linear.getWeight();
  if (first.getInput() == states) {
    std::swap(first, second);
    int64_t width = tensorType(weight).getDimSize(1) / 2;
    Value halves[] = {sliceAlong(b, loc, weight, 1, width, width),
                      sliceAlong(b, loc, weight, 1, 0, width)};
    weight = ConcatOp::create(b, loc, uint64_t(1), ValueRange(halves));
  }
  if (second.getInput() != states)
    return;
  auto input = MtpInputOp::create(
      b, loc, linear.getType(), first.getInput(), second.getInput(),
      first.getWeight(), second.getWeight(), weight, first.getEpsilonAttr());
  linear.replaceAllUsesWith(input.getResult());
  linear.erase();
}

namespace {
struct RaiseMtpInput : ds::impl::RaiseMtpInputBase<RaiseMtpInput> {
  void runOnOperation() override {
    Value states = statesOf(getOperation());
    if (!states)
      return;
    SmallVector<LinearOp> linears;
    getOperation().walk([&](LinearOp op) { linears.push_back(op); });
    for (LinearOp op : linears)
      raise(op, states);
  }
};
} // namespace
