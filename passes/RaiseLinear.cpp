//===- RaiseLinear.cpp - a product with a weight becomes ds.linear --------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/SymbolicElement.h"

namespace mlir::ds {
#define GEN_PASS_DEF_RAISELINEAR
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// `weight` without casts to wider float types: products are computed in f32
/// whatever the weight's type, so widening it first changes nothing.
static Value peelWidening(Value weight) {
  while (auto cast = weight.getDefiningOp<CastOp>()) {
    Type from = tensorType(cast.getInput()).getElementType(),
         to = tensorType(cast).getElementType();
    if (!to.isF32() || !(from.isF16() || from.isBF16()))
      break;
    weight = cast.getInput();
  }
  return weight;
}

namespace {

/// A transposed or widened weight is the parameter itself.
struct PlainWeight : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LinearOp op,
                                PatternRewriter &rewriter) const override {
    Value weight = peelWidening(op.getWeight());
    // transpose(cast(w)) is cast(transpose(w)).
    if (auto transpose = weight.getDefiningOp<TransposeOp>()) {
      Value narrow = peelWidening(transpose.getInput());
      if (narrow != transpose.getInput()) {
        auto type = RankedTensorType::get(tensorType(weight).getShape(),
                                          tensorType(narrow).getElementType());
        weight = TransposeOp::create(rewriter, op.getLoc(), type, narrow,
                                     transpose.getPermAttr());
      }
    }
    if (weight == op.getWeight())
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op.getWeightMutable().assign(weight); });
    return success();
  }
};

struct MatmulToLinear : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType rhs = tensorType(op.getRhs());
    RankedTensorType lhs = tensorType(op.getLhs());
    if (rhs.getRank() != 2 || !isParameterValue(op.getRhs()) ||
        isParameterValue(op.getLhs()) ||
        !isa<FloatType>(lhs.getElementType()) ||
        !isa<FloatType>(rhs.getElementType()))
      return failure();
    // [K, N] → [N, K]; the transpose of a transposed parameter folds away.
    Value weight;
    if (auto transpose = op.getRhs().getDefiningOp<TransposeOp>()) {
      weight = transpose.getInput();
    } else {
      auto type = RankedTensorType::get({rhs.getDimSize(1), rhs.getDimSize(0)},
                                        rhs.getElementType());
      weight = TransposeOp::create(rewriter, op.getLoc(), type, op.getRhs(),
                                   rewriter.getDenseI64ArrayAttr({1, 0}));
    }
    rewriter.replaceOpWithNewOp<LinearOp>(op, op.getType(), op.getLhs(), weight,
                                          Value());
    return success();
  }
};

/// linear(x) + b with b a vector of parameters.
struct AddBias : OpRewritePattern<ElementwiseOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ElementwiseOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKind() != ElementwiseKind::Add)
      return failure();
    for (unsigned i : {0u, 1u}) {
      auto linear = op.getOperands()[i].getDefiningOp<LinearOp>();
      Value other = otherOperand(op, i);
      if (!linear || linear.getBias() || !linear->hasOneUse() ||
          linear.getType() != op.getType() || !isParameterValue(other))
        continue;
      Value bias = matchVector(other);
      if (!bias || tensorType(bias).getDimSize(0) !=
                       tensorType(linear.getWeight()).getDimSize(0))
        continue;
      rewriter.replaceOpWithNewOp<LinearOp>(op, op.getType(), linear.getInput(),
                                            linear.getWeight(), bias);
      return success();
    }
    return failure();
  }
};

/// reshape(linear(reshape(x))) where the reshapes merge and split leading
/// dimensions only (Gemm on [B·S, d]) → linear(x).
struct DropMergedRows : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto linear = op.getInput().getDefiningOp<LinearOp>();
    auto merge =
        linear ? linear.getInput().getDefiningOp<ReshapeOp>() : nullptr;
    if (!merge)
      return failure();
    RankedTensorType x = tensorType(merge.getInput()),
                     merged = tensorType(merge), y = tensorType(op);
    if (x.getRank() != y.getRank() || x.getRank() == 0 ||
        merged.getShape().back() != x.getShape().back() ||
        x.isDynamicDim(x.getRank() - 1) ||
        y.getShape().back() != tensorType(linear).getShape().back())
      return failure();
    // The leading sizes of both ends must be the same, one by one.
    SymbolicElements symbols;
    for (int64_t d = 0; d + 1 < x.getRank(); ++d)
      if (!(symbols.sizeOf(merge.getInput(), d) == symbols.sizeOf(op, d)))
        return failure();
    rewriter.replaceOpWithNewOp<LinearOp>(op, y, merge.getInput(),
                                          linear.getWeight(), linear.getBias());
    return success();
  }
};

struct RaiseLinear : ds::impl::RaiseLinearBase<RaiseLinear> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<PlainWeight, MatmulToLinear, AddBias, DropMergedRows>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
