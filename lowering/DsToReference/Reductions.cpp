//===- Reductions.cpp - reductions, running sums, softmax, matmul ---------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

/// What an empty reduction gives.
static Num neutral(Emitter &e, ReduceKind kind, Type type, bool isUnsigned) {
  if (kind == ReduceKind::Sum || kind == ReduceKind::Prod)
    return e.number(type, kind == ReduceKind::Prod, isUnsigned);
  bool lowest = kind == ReduceKind::Max;
  double infinity = std::numeric_limits<double>::infinity();
  if (isa<FloatType>(type))
    return e.number(type, lowest ? -infinity : infinity);
  unsigned width = type.getIntOrFloatBitWidth();
  APInt end = isUnsigned ? (lowest ? APInt::getMinValue(width)
                                   : APInt::getMaxValue(width))
                         : (lowest ? APInt::getSignedMinValue(width)
                                   : APInt::getSignedMaxValue(width));
  return {&e,
          arith::ConstantOp::create(e.b, e.loc, e.b.getIntegerAttr(type, end)),
          isUnsigned};
}

static Num combine(ReduceKind kind, Num a, Num x) {
  switch (kind) {
  case ReduceKind::Sum:
    return a + x;
  case ReduceKind::Prod:
    return a * x;
  case ReduceKind::Max:
    return maximum(a, x);
  case ReduceKind::Min:
    return minimum(a, x);
  }
  llvm_unreachable("all kinds are handled");
}

static SmallVector<Value> lower(Emitter &e, ReduceOp op,
                                ReduceOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  bool isUnsignedInput = isUnsigned(op.getInput());
  SmallVector<int64_t> axes(op.getAxes());
  llvm::sort(axes);
  Nums all = e.sizes(input), kept = without(all, axes), reduced, sizes;
  for (int64_t axis : axes)
    reduced.push_back(all[axis]);
  for (auto [d, size] : llvm::enumerate(all))
    if (!llvm::is_contained(axes, int64_t(d)))
      sizes.push_back(size);
    else if (op.getKeepdims())
      sizes.push_back(e.index(1));
  return {e.generate(type, sizes, [&](Nums at) {
    Nums outer = op.getKeepdims() ? without(at, axes) : at;
    Num init = neutral(e, op.getKind(), elementOf(input), isUnsignedInput);
    Num result = e.fold(reduced, init, [&](Nums inner, Num acc) {
      Nums source = outer;
      for (auto [axis, i] : llvm::zip_equal(axes, inner))
        source.insert(source.begin() + axis, i);
      return combine(op.getKind(), acc, e.read(input, source, isUnsignedInput));
    });
    return convert(result, type.getElementType(), isUnsigned(op.getResult()));
  })};
}

static SmallVector<Value> lower(Emitter &e, ArgReduceOp op,
                                ArgReduceOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  int64_t axis = op.getAxis();
  bool isUnsignedInput = isUnsigned(op.getInput());
  Nums sizes = replaced(e.sizes(input), axis, e.index(1));
  return {e.generate(type, sizes, [&](Nums at) {
    Num zero = e.index(0);
    Num best = e.fold({e.size(input, axis)}, zero, [&](Nums i, Num best) {
      Num x = e.read(input, replaced(at, axis, i[0]), isUnsignedInput),
          y = e.read(input, replaced(at, axis, best), isUnsignedInput);
      if (op.getKind() == ReduceKind::Min)
        std::swap(x, y);
      Num wins = op.getSelectLast() ? x >= y : x > y;
      return select(wins, i[0], best);
    });
    return Num{&e, arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(),
                                              best.value)};
  })};
}

static SmallVector<Value> lower(Emitter &e, CumulativeOp op,
                                CumulativeOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  int64_t axis = op.getAxis();
  bool isUnsignedInput = isUnsigned(op.getInput());
  Nums sizes = e.sizes(input);
  // Each element anew from the start of its row (of its end, in reverse).
  return {e.generate(type, sizes, [&](Nums at) {
    Num i = at[axis];
    Num count = op.getReverse() ? sizes[axis] - i : i + 1;
    if (op.getExclusive())
      count = count - 1;
    Num init = neutral(e, op.getKind(), elementOf(input), isUnsignedInput);
    return e.fold({count}, init, [&](Nums k, Num acc) {
      Num source = op.getReverse() ? sizes[axis] - 1 - k[0] : k[0];
      return combine(
          op.getKind(), acc,
          e.read(input, replaced(at, axis, source), isUnsignedInput));
    });
  })};
}

static SmallVector<Value> lower(Emitter &e, MatmulOp op,
                                MatmulOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value lhs = adaptor.getLhs(), rhs = adaptor.getRhs();
  RankedTensorType l = tensorType(lhs), r = tensorType(rhs);
  int64_t rank = type.getRank();
  Nums sizes;
  for (int64_t d = 0; d < rank - 2; ++d) {
    Num size = e.index(type.isDynamicDim(d) ? 1 : type.getDimSize(d));
    for (Value operand : {lhs, rhs}) {
      int64_t own = d - (rank - tensorType(operand).getRank());
      if (type.isDynamicDim(d) && own >= 0 &&
          tensorType(operand).isDynamicDim(own))
        size = e.size(operand, own);
    }
    sizes.push_back(size);
  }
  sizes.push_back(e.size(lhs, l.getRank() - 2));
  sizes.push_back(e.size(rhs, r.getRank() - 1));
  Num count = e.size(lhs, l.getRank() - 1);
  Type element = type.getElementType();
  return {e.generate(type, sizes, [&](Nums at) {
    Num m = at[rank - 2], n = at[rank - 1];
    return e.fold({count}, e.number(element, 0), [&](Nums k, Num acc) {
      Nums left = broadcastIndex(e, l, at), right = broadcastIndex(e, r, at);
      left[l.getRank() - 2] = m;
      left[l.getRank() - 1] = k[0];
      right[r.getRank() - 2] = k[0];
      right[r.getRank() - 1] = n;
      Num x = e.read(lhs, left, isUnsigned(op.getLhs())),
          y = e.read(rhs, right, isUnsigned(op.getRhs()));
      return acc + convert(x, element, false) * convert(y, element, false);
    });
  })};
}

static SmallVector<Value> lower(Emitter &e, SoftmaxOp op,
                                SoftmaxOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  int64_t axis = op.getAxis();
  Num length = e.size(input, axis);
  // Largest and sum are kept as 1 along the axis.
  SmallVector<int64_t> shape(type.getShape());
  shape[axis] = 1;
  auto rowType = RankedTensorType::get(shape, type.getElementType());
  Nums sizes = e.sizes(input), rowSizes = replaced(sizes, axis, e.index(1));
  Value top = e.generate(rowType, rowSizes, [&](Nums at) {
    Num lowest = e.real(-std::numeric_limits<double>::infinity());
    return e.fold({length}, lowest, [&](Nums i, Num acc) {
      return maximum(acc, e.read(input, replaced(at, axis, i[0])));
    });
  });
  Value sum = e.generate(rowType, rowSizes, [&](Nums at) {
    return e.sum(length, [&](Num i) {
      return exp(e.read(input, replaced(at, axis, i)) - e.read(top, at));
    });
  });
  return {e.generate(type, sizes, [&](Nums at) {
    Nums row = replaced(at, axis, e.index(0));
    Num shifted = e.read(input, at) - e.read(top, row);
    return op.getLog() ? shifted - log(e.read(sum, row))
                       : exp(shifted) / e.read(sum, row);
  })};
}

void addReductions(Rules &rules) {
  rules.add<ReduceOp>(lower);
  rules.add<ArgReduceOp>(lower);
  rules.add<CumulativeOp>(lower);
  rules.add<MatmulOp>(lower);
  rules.add<SoftmaxOp>(lower);
}

} // namespace mlir::ds::reference
