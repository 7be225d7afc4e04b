//===- Views.cpp - reshape, broadcast, transpose, slice, concat, pad, range
//===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

static SmallVector<Value> lower(Emitter &e, ReshapeOp op,
                                ReshapeOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  Nums sizes = e.sizes(type, adaptor.getDims()), from = e.sizes(input);
  return {e.generate(type, sizes, [&](Nums at) {
    // The place in row-major order, and the index of that place in the input.
    Num place = e.index(0);
    for (auto [i, size] : llvm::zip_equal(at, sizes))
      place = place * size + i;
    Nums source(from.size());
    for (int64_t d = int64_t(from.size()) - 1; d >= 0; --d) {
      source[d] = place % from[d];
      place = place / from[d];
    }
    return e.read(input, source);
  })};
}

static SmallVector<Value> lower(Emitter &e, BroadcastOp op,
                                BroadcastOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  int64_t missing = type.getRank() - tensorType(input).getRank();
  return {e.generate(type, e.sizes(type, adaptor.getDims()), [&](Nums at) {
    Nums source;
    for (auto [d, size] : llvm::enumerate(e.sizes(input)))
      source.push_back(select(size == 1, e.index(0), at[d + missing]));
    return e.read(input, source);
  })};
}

static SmallVector<Value> lower(Emitter &e, TransposeOp op,
                                TransposeOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  Nums sizes;
  for (int64_t d : op.getPerm())
    sizes.push_back(e.size(input, d));
  return {e.generate(type, sizes, [&](Nums at) {
    Nums source(at.size());
    for (auto [i, d] : llvm::zip_equal(at, op.getPerm()))
      source[d] = i;
    return e.read(input, source);
  })};
}

static SmallVector<Value>
lower(Emitter &e, SliceOp op, SliceOp::Adaptor adaptor, RankedTensorType type) {
  auto numbers = [&](ArrayRef<int64_t> statics, ValueRange dynamic) {
    Nums result;
    for (int64_t x : statics)
      if (ShapedType::isDynamic(x)) {
        result.push_back({&e, dynamic.front()});
        dynamic = dynamic.drop_front();
      } else {
        result.push_back(e.index(x));
      }
    return result;
  };
  Nums offsets = numbers(op.getStaticOffsets(), adaptor.getOffsets()),
       sizes = numbers(op.getStaticSizes(), adaptor.getSizes()),
       strides = numbers(op.getStaticStrides(), adaptor.getStrides());
  return {e.generate(type, sizes, [&](Nums at) {
    Nums source;
    for (auto [i, offset, stride] : llvm::zip_equal(at, offsets, strides))
      source.push_back(offset + i * stride);
    return e.read(adaptor.getInput(), source);
  })};
}

static SmallVector<Value> lower(Emitter &e, ConcatOp op,
                                ConcatOp::Adaptor adaptor,
                                RankedTensorType type) {
  int64_t axis = op.getAxis();
  Nums sizes = e.sizes(adaptor.getInputs()[0]);
  sizes[axis] = e.index(0);
  for (Value input : adaptor.getInputs())
    sizes[axis] = sizes[axis] + e.size(input, axis);
  Value result = e.empty(type, sizes);
  Num offset = e.index(0);
  for (Value input : adaptor.getInputs()) {
    result = e.nest(e.sizes(input), result,
                    [&](Nums at, ValueRange carried) -> Emitter::Carried {
                      return {e.write(e.read(input, at), carried[0],
                                      replaced(at, axis, at[axis] + offset))};
                    })[0];
    offset = offset + e.size(input, axis);
  }
  return {result};
}

/// The element of [0, size) that stands at `i`, before or behind it too.
static Num padded(Emitter &e, PadMode mode, Num i, Num size) {
  auto floorMod = [&](Num x, Num by) {
    Num rest = x % by;
    return select(rest < 0, rest + by, rest);
  };
  switch (mode) {
  case PadMode::Constant:
    return i;
  case PadMode::Edge:
    return minimum(maximum(i, e.index(0)), size - 1);
  case PadMode::Wrap:
    return floorMod(i, size);
  case PadMode::Reflect: {
    // 0 1 2 3 2 1 0 1 2 … : period 2·(size − 1); one element repeats itself.
    Num period = (size - 1) * 2;
    Num place = floorMod(i, period);
    return select(size == 1, e.index(0),
                  select(place < size, place, period - place));
  }
  }
  llvm_unreachable("all modes are handled");
}

static SmallVector<Value> lower(Emitter &e, PadOp op, PadOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  Nums low, from = e.sizes(input), sizes;
  for (auto [size, before, behind] :
       llvm::zip_equal(from, adaptor.getLow(), adaptor.getHigh())) {
    low.push_back({&e, before});
    sizes.push_back(low.back() + size + Num{&e, behind});
  }
  Num fill = e.read(adaptor.getValue(), {});
  return {e.generate(type, sizes, [&](Nums at) {
    Nums source;
    Num isInside = e.boolean(true);
    for (auto [i, before, size] : llvm::zip_equal(at, low, from)) {
      source.push_back(padded(e, op.getMode(), i - before, size));
      // An empty dimension has nothing to repeat either.
      isInside = isInside & (source.back() >= 0) & (source.back() < size);
    }
    return e.readIf(isInside, input, source, fill);
  })};
}

static SmallVector<Value>
lower(Emitter &e, RangeOp op, RangeOp::Adaptor adaptor, RankedTensorType type) {
  Num start = e.read(adaptor.getStart(), {}),
      delta = e.read(adaptor.getDelta(), {});
  Value size = adaptor.getSize();
  return {e.generate(
      type, e.sizes(type, size ? ValueRange(size) : ValueRange()),
      [&](Nums at) {
        Num i{&e,
              arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(), at[0])};
        return start + convert(i, type.getElementType(), false) * delta;
      })};
}

void addViews(Rules &rules) {
  rules.add<ReshapeOp>(lower);
  rules.add<BroadcastOp>(lower);
  rules.add<TransposeOp>(lower);
  rules.add<SliceOp>(lower);
  rules.add<ConcatOp>(lower);
  rules.add<PadOp>(lower);
  rules.add<RangeOp>(lower);
}

} // namespace mlir::ds::reference
