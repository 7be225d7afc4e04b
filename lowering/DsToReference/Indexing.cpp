//===- Indexing.cpp - gather, scatter, topk, nonzero ----------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

static SmallVector<Value> lower(Emitter &e, GatherOp op,
                                GatherOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), indices = adaptor.getIndices();
  int64_t axis = op.getAxis(), depth = tensorType(indices).getRank();
  Nums from = e.sizes(input);
  Nums sizes =
      joined(joined(ArrayRef<Num>(from).take_front(axis), e.sizes(indices)),
             ArrayRef<Num>(from).drop_front(axis + 1));
  return {e.generate(type, sizes, [&](Nums at) {
    ArrayRef<Num> all(at);
    Num raw =
        e.read(indices, all.slice(axis, depth), isUnsigned(op.getIndices()));
    auto [i, isInside] = e.checked(raw, from[axis]);
    Nums source = joined(inserted(all.take_front(axis), axis, i),
                         all.drop_front(axis + depth));
    return e.readIf(isInside, input, source, e.number(elementOf(input), 0));
  })};
}

static SmallVector<Value> lower(Emitter &e, GatherElementsOp op,
                                GatherElementsOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), indices = adaptor.getIndices();
  int64_t axis = op.getAxis();
  return {e.generate(type, e.sizes(indices), [&](Nums at) {
    Num raw = e.read(indices, at, isUnsigned(op.getIndices()));
    auto [i, isInside] = e.checked(raw, e.size(input, axis));
    return e.readIf(isInside, input, replaced(at, axis, i),
                    e.number(elementOf(input), 0));
  })};
}

/// The tuple in the last dimension of `indices` at `at`, as indices into
/// dimensions `first`, `first` + 1 … of `data`.
static std::pair<Nums, Num> tuple(Emitter &e, Value indices, ArrayRef<Num> at,
                                  Value data, int64_t first) {
  Nums result;
  Num allInside = e.boolean(true);
  for (int64_t i = 0; i < tensorType(indices).getShape().back(); ++i) {
    Num raw = e.read(indices, joined(at, {e.index(i)}));
    auto [x, isInside] = e.checked(raw, e.size(data, first + i));
    result.push_back(x);
    allInside = allInside & isInside;
  }
  return {result, allInside};
}

static SmallVector<Value> lower(Emitter &e, GatherNdOp op,
                                GatherNdOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), indices = adaptor.getIndices();
  int64_t batch = op.getBatchDims(), outer = tensorType(indices).getRank() - 1,
          depth = tensorType(indices).getShape().back();
  Nums sizes = joined(ArrayRef<Num>(e.sizes(indices)).drop_back(),
                      ArrayRef<Num>(e.sizes(input)).drop_front(batch + depth));
  return {e.generate(type, sizes, [&](Nums at) {
    ArrayRef<Num> all(at);
    auto [where, isInside] =
        tuple(e, indices, all.take_front(outer), input, batch);
    Nums source =
        joined(joined(all.take_front(batch), where), all.drop_front(outer));
    return e.readIf(isInside, input, source, e.number(elementOf(input), 0));
  })};
}

/// A copy that may be written to.
static Value copied(Emitter &e, Value input, RankedTensorType type) {
  return e.generate(type, e.sizes(input),
                    [&](Nums at) { return e.read(input, at); });
}

/// `update` put where `isInside` says, combined with what is there.
static Value scatter(Emitter &e, ScatterKind kind, Num isInside, Value target,
                     Num update, ArrayRef<Num> where) {
  return e.either(
      isInside, target.getType(),
      [&] {
        Num old = e.read(target, where, update.isUnsigned);
        Num result = update;
        switch (kind) {
        case ScatterKind::None:
          break;
        case ScatterKind::Add:
          result = old + update;
          break;
        case ScatterKind::Mul:
          result = old * update;
          break;
        case ScatterKind::Max:
          result = maximum(old, update);
          break;
        case ScatterKind::Min:
          result = minimum(old, update);
          break;
        }
        return e.write(result, target, where);
      },
      [&] { return target; });
}

static SmallVector<Value> lower(Emitter &e, ScatterElementsOp op,
                                ScatterElementsOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), indices = adaptor.getIndices(),
        updates = adaptor.getUpdates();
  int64_t axis = op.getAxis();
  return e.nest(e.sizes(indices), copied(e, input, type),
                [&](Nums at, ValueRange carried) -> Emitter::Carried {
                  Num raw = e.read(indices, at, isUnsigned(op.getIndices()));
                  auto [i, isInside] = e.checked(raw, e.size(input, axis));
                  Num update = e.read(updates, at, isUnsigned(op.getUpdates()));
                  return {scatter(e, op.getKind(), isInside, carried[0], update,
                                  replaced(at, axis, i))};
                });
}

static SmallVector<Value> lower(Emitter &e, ScatterNdOp op,
                                ScatterNdOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), indices = adaptor.getIndices(),
        updates = adaptor.getUpdates();
  int64_t outer = tensorType(indices).getRank() - 1;
  return e.nest(e.sizes(updates), copied(e, input, type),
                [&](Nums at, ValueRange carried) -> Emitter::Carried {
                  ArrayRef<Num> all(at);
                  auto [where, isInside] =
                      tuple(e, indices, all.take_front(outer), input, 0);
                  Num update = e.read(updates, at, isUnsigned(op.getUpdates()));
                  return {scatter(e, op.getKind(), isInside, carried[0], update,
                                  joined(where, all.drop_front(outer)))};
                });
}

static SmallVector<Value> lower(Emitter &e, TopKOp op, TopKOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  int64_t axis = op.getAxis();
  bool isUnsignedInput = isUnsigned(op.getInput());
  Nums from = e.sizes(input);
  Num k{&e, adaptor.getK()};
  Nums sizes = replaced(from, axis, k);
  auto placeType = RankedTensorType::get(type.getShape(), e.b.getI64Type());
  Value values = e.empty(type, sizes), places = e.empty(placeType, sizes);
  // An element's place is the number of elements that come before it.
  return e.nest(
      from, {values, places},
      [&](Nums at, ValueRange carried) -> Emitter::Carried {
        Num i = at[axis], x = e.read(input, at, isUnsignedInput);
        Num place = e.fold({from[axis]}, e.index(0), [&](Nums j, Num count) {
          Num y = e.read(input, replaced(at, axis, j[0]), isUnsignedInput);
          Num isBetter = op.getLargest() ? y > x : y < x;
          Num isBefore = isBetter | ((y == x) & (j[0] < i));
          return select(isBefore, count + 1, count);
        });
        auto put = [&](Num what, Value target) {
          return e.either(
              place < k, target.getType(),
              [&] { return e.write(what, target, replaced(at, axis, place)); },
              [&] { return target; });
        };
        Num number{&e, arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(),
                                                  i.value)};
        return {put(x, carried[0]), put(number, carried[1])};
      });
}

static SmallVector<Value> lower(Emitter &e, NonZeroOp op,
                                NonZeroOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  Nums sizes = e.sizes(input);
  auto isSet = [&](ArrayRef<Num> at) { return e.read(input, at) != 0; };
  Num total = e.fold(sizes, e.index(0), [&](Nums at, Num count) {
    return select(isSet(at), count + 1, count);
  });
  Value init = e.empty(type, {e.index(tensorType(input).getRank()), total});
  Value result =
      e.nest(sizes, {init, e.index(0)},
             [&](Nums at, ValueRange carried) -> Emitter::Carried {
               Num next{&e, carried[1]}, found = isSet(at);
               Value target = e.either(
                   found, init.getType(),
                   [&] {
                     Value target = carried[0];
                     for (auto [d, i] : llvm::enumerate(at)) {
                       Num x{&e, arith::IndexCastOp::create(
                                     e.b, e.loc, e.b.getI64Type(), i.value)};
                       target = e.write(x, target, {e.index(d), next});
                     }
                     return target;
                   },
                   [&]() -> Value { return carried[0]; });
               return {target, select(found, next + 1, next)};
             })[0];
  return {result};
}

void addIndexing(Rules &rules) {
  rules.add<GatherOp>(lower);
  rules.add<GatherElementsOp>(lower);
  rules.add<GatherNdOp>(lower);
  rules.add<ScatterElementsOp>(lower);
  rules.add<ScatterNdOp>(lower);
  rules.add<TopKOp>(lower);
  rules.add<NonZeroOp>(lower);
}

} // namespace mlir::ds::reference
