//===- RaiseRmsNorm.cpp - the spellings of RMSNorm become ds.rms_norm -----===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_RAISERMSNORM
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// x if `value` is mean(x², last dimension), kept as size 1.
static Value matchMeanOfSquares(Value value) {
  // sum / count or sum · (1 / count).
  ReduceOp sum;
  std::optional<double> factor;
  for (ElementwiseKind kind : {ElementwiseKind::Div, ElementwiseKind::Mul}) {
    auto scaled = matchElementwise(value, kind);
    if (!scaled)
      continue;
    for (unsigned i : {0u, 1u}) {
      if (kind == ElementwiseKind::Div && i == 1)
        continue;
      auto reduce = scaled.getOperands()[i].getDefiningOp<ReduceOp>();
      std::optional<double> count = matchSplat(otherOperand(scaled, i));
      if (!reduce || !count || *count == 0)
        continue;
      sum = reduce;
      factor = kind == ElementwiseKind::Div ? *count : 1 / *count;
    }
  }
  if (!sum || sum.getKind() != ReduceKind::Sum || !sum.getKeepdims())
    return nullptr;
  RankedTensorType type = tensorType(sum.getInput());
  int64_t last = type.getRank() - 1;
  if (sum.getAxes() != ArrayRef<int64_t>{last} || type.isDynamicDim(last) ||
      std::abs(*factor - double(type.getDimSize(last))) > 1e-3)
    return nullptr;
  if (auto square = matchElementwise(sum.getInput(), ElementwiseKind::Mul))
    return square.getOperands()[0] == square.getOperands()[1]
               ? Value(square.getOperands()[0])
               : nullptr;
  if (auto power = matchElementwise(sum.getInput(), ElementwiseKind::Pow))
    if (matchSplat(power.getOperands()[1]) == 2.0)
      return power.getOperands()[0];
  return nullptr;
}

/// (x, epsilon) if `value` is mean(x²) + epsilon.
static std::optional<std::pair<Value, double>> matchVariance(Value value) {
  auto sum = matchElementwise(value, ElementwiseKind::Add);
  if (!sum)
    return std::nullopt;
  for (unsigned i : {0u, 1u})
    if (Value x = matchMeanOfSquares(sum.getOperands()[i]))
      if (std::optional<double> epsilon = matchSplat(otherOperand(sum, i)))
        return std::make_pair(x, *epsilon);
  return std::nullopt;
}

/// The argument of a square root.
static Value matchSqrt(Value value) {
  if (auto root = matchElementwise(value, ElementwiseKind::Sqrt))
    return root.getOperands()[0];
  if (auto power = matchElementwise(value, ElementwiseKind::Pow))
    if (matchSplat(power.getOperands()[1]) == 0.5)
      return power.getOperands()[0];
  return nullptr;
}

/// a if `value` is a^−0.5 in any spelling.
static Value matchReciprocalSqrt(Value value) {
  if (auto reciprocal = matchElementwise(value, ElementwiseKind::Reciprocal))
    return matchSqrt(reciprocal.getOperands()[0]);
  if (auto quotient = matchElementwise(value, ElementwiseKind::Div))
    if (matchSplat(quotient.getOperands()[0]) == 1.0)
      return matchSqrt(quotient.getOperands()[1]);
  if (auto power = matchElementwise(value, ElementwiseKind::Pow))
    if (matchSplat(power.getOperands()[1]) == -0.5)
      return power.getOperands()[0];
  return nullptr;
}

/// (x, epsilon) if `value` is x · (mean(x²) + epsilon)^−0.5.
static std::optional<std::pair<Value, double>> matchNormalised(Value value) {
  auto of = [&](Value x,
                Value root) -> std::optional<std::pair<Value, double>> {
    auto variance = root ? matchVariance(root) : std::nullopt;
    if (variance && variance->first == x)
      return variance;
    if (variance)
      emitRemark(value.getLoc())
          << "looks like RMSNorm, but the mean of squares is that of another "
             "value than the one it divides: left as it is";
    return std::nullopt;
  };
  if (auto product = matchElementwise(value, ElementwiseKind::Mul))
    for (unsigned i : {0u, 1u})
      if (auto match = of(product.getOperands()[i],
                          matchReciprocalSqrt(otherOperand(product, i))))
        return match;
  if (auto quotient = matchElementwise(value, ElementwiseKind::Div))
    return of(quotient.getOperands()[0], matchSqrt(quotient.getOperands()[1]));
  return std::nullopt;
}

namespace {
struct RaiseRmsNorm : ds::impl::RaiseRmsNormBase<RaiseRmsNorm> {
  void runOnOperation() override {
    SmallVector<ElementwiseOp> products;
    getOperation()->walk([&](ElementwiseOp op) {
      if (op.getKind() == ElementwiseKind::Mul)
        products.push_back(op);
    });
    for (ElementwiseOp op : products)
      raise(op);
  }

private:
  void raise(ElementwiseOp op) {
    for (unsigned i : {0u, 1u}) {
      Value normalised = op.getOperands()[i];
      auto cast = normalised.getDefiningOp<CastOp>();
      auto match = matchNormalised(cast ? cast.getInput() : normalised);
      if (!match)
        continue;
      auto [x, epsilon] = *match;
      RankedTensorType type = tensorType(op.getResult());
      Value weight = matchVector(otherOperand(op, i));
      if (!weight || !isParameterValue(weight) ||
          tensorType(weight).getDimSize(0) != type.getShape().back() ||
          tensorType(x).getShape() != type.getShape()) {
        op.emitRemark() << "looks like RMSNorm, but what it is multiplied with "
                           "is no vector of parameters along the last "
                           "dimension: left as it is";
        continue;
      }
      // The op computes in f32 whatever comes in: the widening cast before it
      // and the narrowing one after it are part of its meaning.
      Value input = x;
      if (auto widen = x.getDefiningOp<CastOp>())
        if (isa<FloatType>(tensorType(widen.getInput()).getElementType()) &&
            tensorType(widen.getInput()).getElementTypeBitWidth() <
                tensorType(x).getElementTypeBitWidth())
          input = widen.getInput();
      bool roundBefore = cast && tensorType(cast).getElementTypeBitWidth() <
                                     tensorType(x).getElementTypeBitWidth();
      OpBuilder builder(op);
      auto norm =
          RmsNormOp::create(builder, op.getLoc(), type, input, weight,
                            builder.getF64FloatAttr(epsilon),
                            roundBefore ? builder.getUnitAttr() : UnitAttr());
      op.replaceAllUsesWith(norm.getResult());
      return;
    }
  }
};
} // namespace
