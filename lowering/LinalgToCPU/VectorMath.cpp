//===- VectorMath.cpp - functions of f32 vectors as vector ops ------------===//
#include "lowering/LinalgToCPU/VectorMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

/// `type` with the given elements: a vector or a scalar.
static Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return VectorType::get(vector.getShape(), element);
  return element;
}

static Value constantBits(OpBuilder &b, Location loc, Type type,
                          int32_t value) {
  Attribute bits = b.getI32IntegerAttr(value);
  if (auto vector = dyn_cast<VectorType>(type))
    bits = DenseElementsAttr::get(vector, bits);
  return arith::ConstantOp::create(b, loc, cast<TypedAttr>(bits));
}

Value mlir::ds::constantLike(OpBuilder &b, Location loc, Type type,
                             double value) {
  Attribute number = b.getF32FloatAttr(value);
  if (auto vector = dyn_cast<VectorType>(type))
    number = DenseElementsAttr::get(vector, number);
  return arith::ConstantOp::create(b, loc, cast<TypedAttr>(number));
}

Value mlir::ds::largerOf(OpBuilder &b, Location loc, Value x, Value y) {
  // One instruction, unlike maximumf and maxnumf, which treat NaN and the
  // signs of zeros as IEEE 754 says.
  Value greater =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, y);
  return arith::SelectOp::create(b, loc, greater, x, y);
}

Value mlir::ds::expandExp(OpBuilder &b, Location loc, Value x) {
  Type type = x.getType(), bitsType = withElement(type, b.getI32Type());
  auto constant = [&](double value) {
    return constantLike(b, loc, type, value);
  };
  auto fma = [&](Value m, Value n, Value a) -> Value {
    return math::FmaOp::create(b, loc, m, n, a);
  };
  // NaN passes both.
  x = largerOf(b, loc, constant(-87), x);
  Value high = constant(89);
  Value above =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, high);
  x = arith::SelectOp::create(b, loc, above, high, x);

  // x = n ln 2 + r, |r| ≤ ln 2 / 2. Adding 1.5 · 2^23 rounds to an integer,
  // which then stands in the low bits.
  Value magic = constant(12582912);
  Value rounded = fma(x, constant(1.4426950408889634), magic);
  Value n = arith::SubFOp::create(b, loc, rounded, magic);
  // The upper part of ln 2 has 9 bits: n times it is exact.
  Value r = fma(n, constant(-0.693359375), x);
  r = fma(n, constant(0.693359375 - 0.69314718055994531), r);

  // e^r = 1 + r + r² p(r), p of least relative error of e^r (5e-11), found by
  // reweighted least squares.
  constexpr double coefficients[] = {
      0.00019790136138908565, 0.0013944868696853518, 0.008333498612046242,
      0.041666291654109955,   0.1666666567325592,    0.5};
  Value p = constant(coefficients[0]);
  for (double coefficient : ArrayRef(coefficients).drop_front())
    p = fma(p, r, constant(coefficient));
  Value square = arith::MulFOp::create(b, loc, r, r);
  Value y = fma(p, square, r);
  y = arith::AddFOp::create(b, loc, y, constant(1));

  // times 2^n as 2 · 2^(n-1): n is 128 just below the overflow, and at n =
  // -126, for all x ≤ -87, the exponent's bits are those of 0.
  Value bits = arith::BitcastOp::create(b, loc, bitsType, rounded);
  bits =
      arith::AddIOp::create(b, loc, bits, constantBits(b, loc, bitsType, 126));
  bits =
      arith::ShLIOp::create(b, loc, bits, constantBits(b, loc, bitsType, 23));
  Value power = arith::BitcastOp::create(b, loc, type, bits);
  y = arith::AddFOp::create(b, loc, y, y);
  return arith::MulFOp::create(b, loc, y, power);
}

void mlir::ds::foldLanes(
    OpBuilder &b, Location loc, MutableArrayRef<Value> vectors,
    llvm::function_ref<SmallVector<Value>(ValueRange, ValueRange)> join) {
  int64_t lanes = cast<VectorType>(vectors[0].getType()).getNumElements();
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    SmallVector<int64_t> order;
    for (int64_t lane = 0; lane < lanes; ++lane)
      order.push_back(lane ^ half);
    SmallVector<Value> others;
    for (Value vector : vectors)
      others.push_back(
          vector::ShuffleOp::create(b, loc, vector, vector, order));
    llvm::copy(join(vectors, others), vectors.begin());
  }
}

Value mlir::ds::sumOfLanes(OpBuilder &b, Location loc, Value vector) {
  foldLanes(b, loc, vector,
            [&](ValueRange x, ValueRange y) -> SmallVector<Value> {
              return {arith::AddFOp::create(b, loc, x[0], y[0])};
            });
  return vector;
}

Value mlir::ds::largestOfLanes(OpBuilder &b, Location loc, Value vector) {
  foldLanes(b, loc, vector,
            [&](ValueRange x, ValueRange y) -> SmallVector<Value> {
              return {largerOf(b, loc, x[0], y[0])};
            });
  return vector;
}

std::pair<Value, Value> mlir::ds::rotated(OpBuilder &b, Location loc, Value x,
                                          Value y, Value cos, Value sin) {
  auto mul = [&](Value p, Value q) -> Value {
    return arith::MulFOp::create(b, loc, p, q);
  };
  return {arith::SubFOp::create(b, loc, mul(x, cos), mul(y, sin)),
          arith::AddFOp::create(b, loc, mul(y, cos), mul(x, sin))};
}

void mlir::ds::transposeVectors(OpBuilder &b, Location loc,
                                MutableArrayRef<Value> vectors) {
  int64_t lanes = vectors.size();
  // Swaps the off-diagonal blocks of each 2 × 2 blocks, then smaller ones.
  for (int64_t size = lanes / 2; size > 0; size /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      bool second = lane & size;
      low.push_back(second ? lanes + lane - size : lane);
      high.push_back(second ? lanes + lane : lane + size);
    }
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & size)
        continue;
      Value x = vectors[i], y = vectors[i + size];
      vectors[i] = vector::ShuffleOp::create(b, loc, x, y, low);
      vectors[i + size] = vector::ShuffleOp::create(b, loc, x, y, high);
    }
  }
}
