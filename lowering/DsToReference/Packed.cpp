//===- Packed.cpp - packed weights and their products ---------------------===//
//
// See Passes.td. ds-compile never gives these to the reference, which computes
// what the model says; they are here for tests of the ops themselves.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

static SmallVector<Value> lower(Emitter &e, PackOp op, PackOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value weight = adaptor.getWeight();
  int64_t p = PackOp::interleaving(type);
  Num rows = e.size(weight, 0), columns = e.size(weight, 1);
  return {e.generate(type, e.sizes(type, {}), [&](Nums at) {
    Num n = at[0] * PackOp::panelRows + at[2] / p, k = at[1] * p + at[2] % p;
    bool isUnsignedWeight = isUnsigned(op.getWeight());
    return e.readIf((n < rows) & (k < columns), weight, {n, k},
                    e.number(type.getElementType(), 0, isUnsignedWeight));
  })};
}

static SmallVector<Value> lower(Emitter &e, PackedLinearOp op,
                                PackedLinearOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), weight = adaptor.getWeight(),
        bias = adaptor.getBias();
  int64_t last = type.getRank() - 1;
  int64_t p = PackOp::interleaving(tensorType(weight));
  Num count = e.size(input, last);
  Nums sizes = replaced(e.sizes(input), last, e.index(type.getShape().back()));
  return {e.generate(type, sizes, [&](Nums at) {
    Num n = at[last], panel = n / PackOp::panelRows,
        lane = n % PackOp::panelRows;
    Num sum = e.sum(count, [&](Num k) {
      return e.read(input, replaced(at, last, k)) *
             e.read(weight, {panel, k / p, lane * p + k % p});
    });
    return bias ? sum + e.read(bias, {n}) : sum;
  })};
}

void addPacked(Rules &rules) {
  rules.add<PackOp>(lower);
  rules.add<PackedLinearOp>(lower);
}

} // namespace mlir::ds::reference
