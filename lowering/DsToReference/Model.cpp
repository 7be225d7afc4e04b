//===- Model.cpp - embedding, norm, RoPE, products ------------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

static SmallVector<Value> lower(Emitter &e, EmbeddingOp op,
                                EmbeddingOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value ids = adaptor.getIds(), table = adaptor.getTable();
  Nums sizes = joined(e.sizes(ids), {e.size(table, 1)});
  return {e.generate(type, sizes, [&](Nums at) {
    Num id =
        e.read(ids, ArrayRef<Num>(at).drop_back(), isUnsigned(op.getIds()));
    auto [row, isInside] = e.checked(id, e.size(table, 0));
    return e.readIf(isInside, table, {row, at.back()}, e.real(0));
  })};
}

static SmallVector<Value> lower(Emitter &e, RmsNormOp op,
                                RmsNormOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), weight = adaptor.getWeight();
  int64_t last = type.getRank() - 1;
  Nums sizes = e.sizes(input);
  SmallVector<int64_t> shape(type.getShape().drop_back());
  auto rowType = RankedTensorType::get(shape, type.getElementType());
  Value meanSquare =
      e.generate(rowType, ArrayRef<Num>(sizes).drop_back(), [&](Nums at) {
        Num sum = e.sum(sizes[last], [&](Num i) {
          Num x = e.read(input, inserted(at, last, i));
          return x * x;
        });
        return sum / e.toReal(sizes[last]);
      });
  return {e.generate(type, sizes, [&](Nums at) {
    Num mean = e.read(meanSquare, ArrayRef<Num>(at).drop_back());
    Num root = sqrt(mean + op.getEpsilon().convertToDouble());
    return e.read(input, at) / root * e.read(weight, {at[last]});
  })};
}

static SmallVector<Value> lower(Emitter &e, RopeOp op, RopeOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  Nums sizes = e.sizes(input);
  Num half = sizes.back() / 2;
  /// Where member 0 or 1 of rotation i sits.
  auto member = [&](RopeLayout layout, Num i, int64_t which) {
    return layout == RopeLayout::Halves ? i + half * which : i * 2 + which;
  };
  Nums rotations = replaced(sizes, sizes.size() - 1, half);
  return e.nest(
      rotations, e.empty(type, sizes),
      [&](Nums at, ValueRange carried) -> Emitter::Carried {
        Num i = at.back();
        ArrayRef<Num> row = ArrayRef<Num>(at).drop_back();
        // The tables have no head dimension.
        Nums place = joined(row.drop_back(), {i});
        Num cos = e.read(adaptor.getCos(), place),
            sin = e.read(adaptor.getSin(), place);
        auto x = [&](int64_t which) {
          return e.read(input,
                        joined(row, {member(op.getLayoutIn(), i, which)}));
        };
        Num a = x(0), b = x(1);
        Value result = e.write(a * cos - b * sin, carried[0],
                               joined(row, {member(op.getLayoutOut(), i, 0)}));
        result = e.write(b * cos + a * sin, result,
                         joined(row, {member(op.getLayoutOut(), i, 1)}));
        return {result};
      });
}

static SmallVector<Value> lower(Emitter &e, LinearOp op,
                                LinearOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), weight = adaptor.getWeight(),
        bias = adaptor.getBias();
  Nums from = e.sizes(input);
  int64_t last = type.getRank() - 1;
  return {
      e.generate(type, replaced(from, last, e.size(weight, 0)), [&](Nums at) {
        Num n = at[last];
        Num sum = e.sum(from[last], [&](Num k) {
          return e.read(input, replaced(at, last, k)) * e.read(weight, {n, k});
        });
        return bias ? sum + e.read(bias, {n}) : sum;
      })};
}

Num swiglu(Emitter &e, Num gate, Num up) {
  return gate * elementwise(e, ElementwiseKind::Sigmoid, {gate}) * up;
}

static SmallVector<Value> lower(Emitter &e, SwigluOp op,
                                SwigluOp::Adaptor adaptor,
                                RankedTensorType type) {
  return {e.generate(type, e.sizes(adaptor.getGate()), [&](Nums at) {
    return swiglu(e, e.read(adaptor.getGate(), at),
                  e.read(adaptor.getUp(), at));
  })};
}

static SmallVector<Value> lower(Emitter &e, MtpInputOp op,
                                MtpInputOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value weight = adaptor.getWeight();
  Nums from = e.sizes(adaptor.getEmbedding());
  int64_t last = type.getRank() - 1;
  Num width = from[last];
  double epsilon = op.getEpsilon().convertToDouble();
  auto rowType =
      RankedTensorType::get(type.getShape().drop_back(), type.getElementType());
  /// sqrt(mean square + epsilon) of every row.
  auto roots = [&](Value input) {
    return e.generate(rowType, ArrayRef<Num>(from).drop_back(), [&](Nums row) {
      Num sum = e.sum(width, [&](Num i) {
        Num x = e.read(input, joined(row, {i}));
        return x * x;
      });
      return sqrt(sum / e.toReal(width) + epsilon);
    });
  };
  struct Half {
    Value input, norm, roots;
    Num firstColumn;
  };
  Half halves[] = {{adaptor.getEmbedding(), adaptor.getEmbeddingNorm(),
                    roots(adaptor.getEmbedding()), e.index(0)},
                   {adaptor.getHidden(), adaptor.getHiddenNorm(),
                    roots(adaptor.getHidden()), width}};
  return {
      e.generate(type, replaced(from, last, e.size(weight, 0)), [&](Nums at) {
        ArrayRef<Num> row = ArrayRef<Num>(at).drop_back();
        auto part = [&](const Half &half) {
          return e.sum(width, [&](Num i) {
            Num normal = e.read(half.input, joined(row, {i})) /
                         e.read(half.roots, row) * e.read(half.norm, {i});
            return normal * e.read(weight, {at[last], half.firstColumn + i});
          });
        };
        return part(halves[0]) + part(halves[1]);
      })};
}

void addModel(Rules &rules) {
  rules.add<EmbeddingOp>(lower);
  rules.add<RmsNormOp>(lower);
  rules.add<RopeOp>(lower);
  rules.add<LinearOp>(lower);
  rules.add<SwigluOp>(lower);
  rules.add<MtpInputOp>(lower);
}

} // namespace mlir::ds::reference
