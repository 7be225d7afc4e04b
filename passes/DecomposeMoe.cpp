//===- DecomposeMoe.cpp - experts as products of grouped rows -------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/FusionRemark.h"
#include "passes/JoinRows.h"
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_DECOMPOSEMOE
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// The bytes that a token moves less because gate and up are one product; 0 if
/// they are not.
static int64_t decompose(MoeOp op, int64_t tileRows) {
  int64_t saved = 0;
  OpBuilder b(op);
  Location loc = op.getLoc();
  Type wide = tensorType(op.getInput()).getElementType();
  if (!wide.isF64())
    wide = b.getF32Type();
  auto group =
      GroupTokensOp::create(b, loc, op.getExperts(),
                            tensorType(op.getGate()).getDimSize(0), tileRows);
  int64_t rows = tensorType(group.getTokens()).getDimSize(0);
  auto product = [&](Value input, Value numbers, Value weight) -> Value {
    int64_t width = tensorType(weight).getDimSize(1);
    return GroupedLinearOp::create(
        b, loc, RankedTensorType::get({rows, width}, wide), input, numbers,
        weight, group.getTiles(), group.getCount());
  };
  Value gate, up;
  if (isParameterValue(op.getGate()) && isParameterValue(op.getUp()) &&
      op.getGate().getType() == op.getUp().getType() &&
      tensorType(op.getGate()).hasStaticShape()) {
    // One product that reads the tokens once; joining parameters costs nothing
    // at run time.
    saved = rowsPerToken(group.getTiles()) *
            bytesOf(op.getInput(), tensorType(op.getGate()).getDimSize(2));
    int64_t width = tensorType(op.getGate()).getDimSize(1);
    Value both = product(op.getInput(), group.getTokens(),
                         joinRows(b, {op.getGate(), op.getUp()}, 1));
    OpFoldResult size = tensor::getMixedSize(b, loc, group.getTokens(), 0),
                 zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
    auto columns = [&](int64_t first) -> Value {
      return SliceOp::create(b, loc, both, {zero, b.getIndexAttr(first)},
                             {size, b.getIndexAttr(width)}, {one, one});
    };
    gate = columns(0);
    up = columns(width);
  } else {
    gate = product(op.getInput(), group.getTokens(), op.getGate());
    up = product(op.getInput(), group.getTokens(), op.getUp());
  }
  Value hidden = SwigluOp::create(b, loc, gate, up);
  Value values = product(hidden, Value(), op.getDown());
  auto result = CombineOp::create(b, loc, op.getType(), values,
                                  group.getPlaces(), op.getWeights());
  op.replaceAllUsesWith(result.getResult());
  op.erase();
  return saved;
}

namespace {
struct DecomposeMoe : ds::impl::DecomposeMoeBase<DecomposeMoe> {
  using DecomposeMoeBase::DecomposeMoeBase;
  void runOnOperation() override {
    if (tileRows < 1) {
      getOperation()->emitError()
          << "ds-decompose-moe: tile-rows is 1 or more, not "
          << tileRows.getValue();
      return signalPassFailure();
    }
    SmallVector<MoeOp> ops;
    getOperation()->walk([&](MoeOp op) { ops.push_back(op); });
    unsigned joined = 0;
    int64_t bytes = 0;
    for (MoeOp op : ops)
      if (int64_t saved = decompose(op, tileRows)) {
        ++joined;
        bytes += saved;
      }
    if (joined > 0)
      reportFusion(getOperation(),
                   Twine(2 * joined) +
                       " products with gate and up of experts became " +
                       Twine(joined),
                   bytes);
  }
};
} // namespace
