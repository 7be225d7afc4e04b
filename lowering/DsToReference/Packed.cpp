//===- Packed.cpp - packed weights and their products ---------------------===//
//
// See Passes.td. ds-compile never gives these to the reference, which computes
// what the model says; they are here for tests of the ops themselves.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"
#include <limits>

namespace mlir::ds::reference {

static SmallVector<Value> lower(Emitter &e, PackOp op, PackOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value weight = adaptor.getWeight();
  int64_t p = PackOp::interleaving(type), rank = type.getRank();
  Num rows = e.size(weight, rank - 3), columns = e.size(weight, rank - 2);
  return {e.generate(type, e.sizes(type, {}), [&](Nums at) {
    Num panel = at[rank - 3], step = at[rank - 2], place = at[rank - 1];
    Num n = panel * PackOp::panelRows + place / p, k = step * p + place % p;
    Nums from{n, k};
    // The expert.
    if (rank == 4)
      from.insert(from.begin(), at[0]);
    bool isUnsignedWeight = isUnsigned(op.getWeight());
    return e.readIf((n < rows) & (k < columns), weight, from,
                    e.number(type.getElementType(), 0, isUnsignedWeight));
  })};
}

/// Column `n` of row `m`, one of the first `columns`, rotated: `y` is asked for
/// the two members.
static Num rotated(Emitter &e, Value cos, Value sin, RopeLayout layout, Num m,
                   Num n, llvm::function_ref<Num(Num m, Num n)> y) {
  int64_t half = tensorType(cos).getDimSize(1), lanes = PackOp::panelRows / 2;
  bool inHalves = layout == RopeLayout::Halves;
  Num within = n % (2 * half), head = n - within;
  Num i = inHalves ? within % half : within / 2;
  Num isSecond = inHalves ? within >= half : (within % 2) != 0;
  Num first = head + i / lanes * PackOp::panelRows + i % lanes;
  Num a = y(m, first), b = y(m, first + lanes);
  Num c = e.read(cos, {m, i}), s = e.read(sin, {m, i});
  return select(isSecond, b * c + a * s, a * c - b * s);
}

/// The result of a product from its sums y(m, n): bias, SwiGLU, residual,
/// rotation.
template <typename Product>
static SmallVector<Value> finish(Emitter &e, Product op,
                                 typename Product::Adaptor adaptor,
                                 RankedTensorType type, Num rows,
                                 llvm::function_ref<Num(Num m, Num n)> sums) {
  Value bias = adaptor.getBias(), residual = adaptor.getResidual();
  auto y = [&](Num m, Num n) {
    Num sum = sums(m, n);
    return bias ? sum + e.read(bias, {n}) : sum;
  };
  Nums sizes{rows, e.index(type.getDimSize(1))};
  return {e.generate(type, sizes, [&](Nums at) {
    Num m = at[0], n = at[1];
    if (Value cos = adaptor.getCos()) {
      // Columns behind the last head rotate nothing: any head's will do.
      Num isRotated = n < op.getRopeColumns();
      Num turned = rotated(e, cos, adaptor.getSin(), op.getRopeLayout(), m,
                           select(isRotated, n, e.index(0)), y);
      return select(isRotated, turned, y(m, n));
    }
    int64_t half = PackOp::panelRows / 2;
    Num first = n / half * PackOp::panelRows + n % half;
    Num z =
        op.getSwiglu() ? swiglu(e, y(m, first), y(m, first + half)) : y(m, n);
    return residual ? z + e.read(residual, at) : z;
  })};
}

static SmallVector<Value> lower(Emitter &e, PackedLinearOp op,
                                PackedLinearOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), weight = adaptor.getWeight(),
        numbers = adaptor.getRows();
  int64_t p = PackOp::interleaving(tensorType(weight));
  Num columns = e.size(input, 1), rows = e.size(numbers ? numbers : input, 0);
  Value experts;
  if (Value tiles = adaptor.getTiles())
    experts = expertsOfRows(e, rows, tiles, adaptor.getCount());
  return finish(e, op, adaptor, type, rows, [&](Num m, Num n) {
    Num panel = n / PackOp::panelRows, lane = n % PackOp::panelRows;
    Num source = numbers ? e.toIndex(e.read(numbers, {m})) : m;
    return e.sum(columns, [&](Num k) {
      Nums at{panel, k / p, lane * p + k % p};
      if (experts)
        at.insert(at.begin(), e.toIndex(e.read(experts, {m})));
      return e.read(input, {source, k}) * e.read(weight, at);
    });
  });
}

/// Data may differ by one from what f32 gives, where x · (q / m) is near a
/// half.
static SmallVector<Value> lower(Emitter &e, QuantizeGroupsOp op,
                                QuantizeGroupsOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput();
  Num rows = e.size(input, 0), columns = e.size(input, 1),
      group = e.index(op.getGroup());
  double largest = double((1 << (op.getBits() - 1)) - 1);
  auto shaped = [&](Value result, Type element) {
    return RankedTensorType::get(tensorType(result).getShape(), element);
  };
  auto scaleType = shaped(op.getScale(), e.b.getF64Type());
  auto sumType = shaped(op.getSum(), e.b.getI32Type());
  Nums groups{rows, e.index(scaleType.getDimSize(1))};
  /// acc = body(k, acc) over the columns of group g.
  auto overGroup = [&](Num g, Num init,
                       llvm::function_ref<Num(Num k, Num acc)> body) {
    Num first = g * group;
    return e.fold({minimum(columns - first, group)}, init,
                  [&](Nums at, Num acc) { return body(first + at[0], acc); });
  };
  Value most = e.generate(scaleType, groups, [&](Nums at) {
    return overGroup(at[1], e.real(0), [&](Num k, Num acc) {
      Num x = e.read(input, {at[0], k});
      return maximum(acc, maximum(x, -x));
    });
  });
  Value data =
      e.generate(type, {rows, e.index(type.getDimSize(1))}, [&](Nums at) {
        Num x = e.readIf(at[1] < columns, input, at, e.real(0));
        Num m =
            e.readIf(at[1] < columns, most, {at[0], at[1] / group}, e.real(0));
        Num factor = e.real(largest) / m;
        Num y = elementwise(e, ElementwiseKind::RoundEven, {x * factor});
        // The op's factor is an f32, which is infinite for the smallest m.
        Num isNumber =
            (y == y) & (factor <= e.real(std::numeric_limits<float>::max()));
        return convert(select(isNumber, y, e.real(0)), e.b.getI8Type(), false);
      });
  Value scale = e.generate(scaleType, groups,
                           [&](Nums at) { return e.read(most, at) / largest; });
  Value sum = e.generate(sumType, groups, [&](Nums at) {
    return overGroup(at[1], e.number(e.b.getI32Type(), 0), [&](Num k, Num acc) {
      return acc + convert(e.read(data, {at[0], k}), e.b.getI32Type(), false);
    });
  });
  return {data, scale, sum};
}

static SmallVector<Value> lower(Emitter &e, PackedQuantizedLinearOp op,
                                PackedQuantizedLinearOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), inputScale = adaptor.getInputScale(),
        weight = adaptor.getWeight(), zeroPoints = adaptor.getZeroPoints(),
        numbers = adaptor.getRows();
  Num columns = e.size(input, 1), group = e.index(op.getGroup()),
      rows = e.size(numbers ? numbers : input, 0);
  int64_t bits = op.getBits(), p = op.stepBytes();
  Value experts;
  if (Value tiles = adaptor.getTiles())
    experts = expertsOfRows(e, rows, tiles, adaptor.getCount());
  /// Element `at` of the panels that row m is multiplied by.
  auto read = [&](Value tensor, Num m, Nums at, bool isUnsigned) {
    if (experts)
      at.insert(at.begin(), e.toIndex(e.read(experts, {m})));
    return e.read(tensor, at, isUnsigned);
  };
  /// Element (n, g) of a packed scale or zero point.
  auto packed = [&](Value tensor, Num m, Num n, Num g, bool isUnsigned) {
    if (tensorType(tensor).getShape().end()[-2] == 1)
      g = e.index(0);
    return read(tensor, m, {n / PackOp::panelRows, g, n % PackOp::panelRows},
                isUnsigned);
  };
  /// The number that is stored for (n, k).
  auto stored = [&](Num m, Num n, Num k) {
    Num byte = bits == 8 ? k : k / 8 * 4 + k % 4;
    Num value = read(
        weight, m,
        {n / PackOp::panelRows, byte / p, n % PackOp::panelRows * p + byte % p},
        /*isUnsigned=*/true);
    if (bits == 8)
      return e.toReal(value);
    Num high = (k / 4 % 2) != 0;
    return e.toReal(select(high, value / 16, value % 16));
  };
  return finish(e, op, adaptor, type, rows, [&](Num m, Num n) {
    Num source = numbers ? e.toIndex(e.read(numbers, {m})) : m;
    return e.sum(columns, [&](Num k) {
      Num g = k / group;
      Num zero =
          zeroPoints
              ? e.toReal(packed(zeroPoints, m, n, g, /*isUnsigned=*/true))
              : e.real(double(op.getZero()));
      Num term = e.toReal(e.read(input, {source, k})) *
                 (stored(m, n, k) - zero) *
                 packed(adaptor.getWeightScale(), m, n, g,
                        /*isUnsigned=*/false);
      return inputScale ? term * e.read(inputScale, {source, g}) : term;
    });
  });
}

void addPacked(Rules &rules) {
  rules.add<PackOp>(lower);
  rules.add<PackedLinearOp>(lower);
  rules.add<QuantizeGroupsOp>(lower);
  rules.add<PackedQuantizedLinearOp>(lower);
}

} // namespace mlir::ds::reference
