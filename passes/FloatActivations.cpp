//===- FloatActivations.cpp - a graph without quantised activations -------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FLOATACTIVATIONS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// Whether two values are one number: one SSA value or equal constants.
static bool isSameNumber(Value a, Value b) {
  if (a == b)
    return true;
  std::optional<double> x = a ? matchSplat(a) : 0.0,
                        y = b ? matchSplat(b) : 0.0;
  return x && y && *x == *y;
}

namespace {

/// Quantised values with the numbers they stand for, (q − zeroPoint) · scale.
struct Quantised {
  Value input, scale, zeroPoint;

  /// What `value` is the quantised form of, if it is that of an activation.
  static std::optional<Quantised> of(Value value) {
    if (auto op = value.getDefiningOp<QuantizeOp>())
      return Quantised{op.getInput(), op.getScale(), op.getZeroPoint()};
    if (auto op = value.getDefiningOp<DynamicQuantizeOp>())
      if (value == op.getResult())
        return Quantised{op.getInput(), op.getScale(), op.getZeroPoint()};
    return std::nullopt;
  }
};

/// Whether `value` on its way to a softmax only meets ops that work element by
/// element: it is a score of attention.
static bool isScore(Value value, unsigned depth = 6) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    if (isa<SoftmaxOp>(user))
      return true;
    return depth != 0 &&
           isa<ElementwiseOp, CastOp, QuantizeOp, DequantizeOp, ReshapeOp,
               TransposeOp, BroadcastOp>(user) &&
           isScore(user->getResult(0), depth - 1);
  });
}

/// Whether `value` is a softmax, seen through casts and guards against NaN.
static bool isProbability(Value value) {
  for (;;) {
    Operation *op = value.getDefiningOp();
    if (isa_and_nonnull<SoftmaxOp>(op))
      return true;
    if (isa_and_nonnull<CastOp, ReshapeOp, TransposeOp>(op))
      value = op->getOperand(0);
    else if (auto select = matchElementwise(value, ElementwiseKind::Select))
      value = select.getOperands()[2];
    else
      return false;
  }
}

/// dequantize(view(q)) → view(dequantize(q)) for one scale per tensor; a table
/// looked up by token is such a view.
struct DequantizeBeforeView : OpRewritePattern<DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    Operation *view = op.getInput().getDefiningOp();
    if (auto gather = dyn_cast_or_null<GatherOp>(view);
        gather && !isParameterValue(gather.getInput()))
      return failure();
    if (!isa_and_nonnull<ReshapeOp, TransposeOp, SliceOp, BroadcastOp, GatherOp,
                         ConcatOp>(view) ||
        tensorType(op.getScale()).getRank() != 0 || isParameterValue(op))
      return failure();
    auto asFloat = [&](Value value) -> Value {
      auto type = RankedTensorType::get(tensorType(value).getShape(),
                                        op.getType().getElementType());
      return DequantizeOp::create(rewriter, op.getLoc(), type, value,
                                  op.getScale(), op.getZeroPoint(),
                                  op.getAxisAttr(), op.getBlockSizeAttr());
    };
    SmallVector<Value> operands(view->getOperands());
    unsigned data = isa<ConcatOp>(view) ? operands.size() : 1;
    for (unsigned i = 0; i < data; ++i)
      operands[i] = asFloat(operands[i]);
    Operation *clone =
        rewriter.create(view->getLoc(), view->getName().getIdentifier(),
                        operands, {op.getType()}, view->getAttrs());
    rewriter.replaceOp(op, clone->getResults());
    return success();
  }
};

/// dequantize(quantize(x)) → x, where both have one scale and zero point and a
/// step on tokens cannot keep the rounding: the scale belongs to the whole
/// tensor, or the value lives inside attention.
struct DropRoundTrip : OpRewritePattern<DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<Quantised> source = Quantised::of(op.getInput());
    if (!source || tensorType(op.getScale()).getRank() != 0 ||
        !isSameNumber(source->scale, op.getScale()) ||
        !isSameNumber(source->zeroPoint, op.getZeroPoint()))
      return failure();
    Value x = source->input;
    if (op.getInput().getDefiningOp<QuantizeOp>() && !isScore(op) &&
        !isProbability(x))
      return failure();
    if (x.getType() != op.getType())
      x = CastOp::create(rewriter, op.getLoc(), op.getType(), x, true);
    rewriter.replaceOp(op, x);
    return success();
  }
};

/// float(integer product of a quantised x and a quantised weight) · scales →
/// product of x and the dequantised weight.
struct IntegerProduct : OpRewritePattern<ElementwiseOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ElementwiseOp op,
                                PatternRewriter &rewriter) const override {
    // The factors around the product, in any order and grouping.
    SmallVector<Value> factors;
    MatmulOp product;
    collect(op.getResult(), factors, product, /*depth=*/3);
    if (!product || factors.size() != 2)
      return failure();
    auto [q, zeroOfInput] = shifted(product.getLhs());
    auto [weight, zeroOfWeight] = shifted(product.getRhs());
    std::optional<Quantised> x = Quantised::of(q);
    if (!x || tensorType(weight).getRank() != 2 || !isParameterValue(weight) ||
        !isSameNumber(zeroOfInput, x->zeroPoint))
      return failure();
    unsigned scaleOfInput = isSameNumber(factors[0], x->scale) ? 0 : 1;
    if (!isSameNumber(factors[scaleOfInput], x->scale))
      return failure();
    // One number for all columns, or one for each: both the same way.
    Value scale = factors[1 - scaleOfInput], zero = zeroOfWeight;
    bool single = isSingle(scale) && (!zero || isSingle(zero));
    if (failed(spread(scale, weight, single, rewriter)) ||
        (zero && failed(spread(zero, weight, single, rewriter))))
      return failure();
    if (zero)
      zero = narrowed(zero, weight, rewriter);
    Location loc = product.getLoc();
    Type f32 = op.getType().getElementType();
    auto weightType = RankedTensorType::get(tensorType(weight).getShape(), f32);
    Value values = DequantizeOp::create(rewriter, loc, weightType, weight,
                                        scale, zero, uint64_t(1), uint64_t(0));
    rewriter.replaceOpWithNewOp<MatmulOp>(op, op.getType(), x->input, values);
    return success();
  }

private:
  static void collect(Value value, SmallVector<Value> &factors,
                      MatmulOp &product, unsigned depth) {
    if (auto mul = matchElementwise(value, ElementwiseKind::Mul);
        mul && depth != 0 && !isParameterValue(value)) {
      for (Value operand : mul.getOperands())
        collect(operand, factors, product, depth - 1);
      return;
    }
    if (auto cast = value.getDefiningOp<CastOp>())
      if (auto matmul = cast.getInput().getDefiningOp<MatmulOp>();
          matmul && !product && tensorType(cast).getElementType().isF32() &&
          tensorType(matmul).getElementType().isInteger(32)) {
        product = matmul;
        return;
      }
    factors.push_back(value);
  }

  /// (q, z) if `value` is i32(q) − i32(z); z is null where nothing is taken
  /// away.
  static std::pair<Value, Value> shifted(Value value) {
    auto narrow = [](Value v) -> Value {
      while (auto cast = v.getDefiningOp<CastOp>()) {
        if (!isa<IntegerType>(tensorType(cast.getInput()).getElementType()))
          break;
        v = cast.getInput();
      }
      return v;
    };
    if (auto sub = matchElementwise(value, ElementwiseKind::Sub))
      return {narrow(sub.getOperands()[0]), narrow(sub.getOperands()[1])};
    return {narrow(value), nullptr};
  }

  static bool isSingle(Value value) {
    RankedTensorType type = tensorType(value);
    return type.hasStaticShape() && type.getNumElements() == 1;
  }

  /// Makes `value` rank 0 where it is `single`, else [N], one number per column
  /// of `weight` [K, N].
  static LogicalResult spread(Value &value, Value weight, bool single,
                              PatternRewriter &rewriter) {
    RankedTensorType type = tensorType(value);
    int64_t columns = tensorType(weight).getDimSize(1);
    if (!isParameterValue(value) || !type.hasStaticShape() ||
        (type.getNumElements() != 1 && (type.getNumElements() != columns ||
                                        type.getShape().back() != columns)))
      return failure();
    SmallVector<int64_t> shape;
    if (!single)
      shape.push_back(columns);
    auto wanted = RankedTensorType::get(shape, type.getElementType());
    if (type == wanted)
      return success();
    Location loc = value.getLoc();
    if (type.getNumElements() == wanted.getNumElements()) {
      value = ReshapeOp::create(rewriter, loc, wanted, value, ValueRange());
      return success();
    }
    auto flat = RankedTensorType::get({1}, type.getElementType());
    if (type != flat)
      value = ReshapeOp::create(rewriter, loc, flat, value, ValueRange());
    value = BroadcastOp::create(rewriter, loc, wanted, value, ValueRange());
    return success();
  }

  static Value narrowed(Value zero, Value weight, PatternRewriter &rewriter) {
    Type element = tensorType(weight).getElementType();
    RankedTensorType type = tensorType(zero);
    if (type.getElementType() == element)
      return zero;
    return CastOp::create(rewriter, zero.getLoc(),
                          RankedTensorType::get(type.getShape(), element), zero,
                          true);
  }
};

struct FloatActivations : ds::impl::FloatActivationsBase<FloatActivations> {
  void runOnOperation() override {
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      auto entry = function->getAttrOfType<StringAttr>("ds.entry");
      if (!entry || entry.getValue() != "graph")
        continue;
      unsigned count = 0;
      function.walk([&](Operation *op) {
        count += isa<QuantizeOp, DynamicQuantizeOp>(op);
      });
      if (count == 0)
        continue;
      OpBuilder builder(function);
      auto clone = cast<func::FuncOp>(builder.clone(*function));
      clone.setName((function.getName() + "_float").str());
      clone->removeAttr("ds.entry");
      clone->setAttr("ds.candidate", builder.getUnitAttr());
      RewritePatternSet patterns(&getContext());
      patterns.add<DequantizeBeforeView, DropRoundTrip, IntegerProduct>(
          &getContext());
      if (failed(applyPatternsGreedily(clone, std::move(patterns))))
        return signalPassFailure();
      unsigned left = 0;
      clone.walk([&](Operation *op) {
        left += isa<QuantizeOp, DynamicQuantizeOp>(op);
      });
      emitRemark(function.getLoc())
          << count << " activations are quantised: as a language model, "
          << count - left
          << " of them stay f32 (a scale over the whole tensor, or a value "
             "inside attention), "
          << left << " are rounded as the file says";
    }
  }
};

} // namespace
