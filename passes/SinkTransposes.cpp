//===- SinkTransposes.cpp - move transposes towards the results -----------===//
//
// One normal form for where transposes stand, so that raising needs one
// pattern where exporters write many. See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/ViewChain.h"

namespace mlir::ds {
#define GEN_PASS_DEF_SINKTRANSPOSES
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

static TransposeOp createTranspose(OpBuilder &builder, Location loc,
                                   Value input, ArrayRef<int64_t> perm) {
  RankedTensorType type = tensorType(input);
  auto result = RankedTensorType::get(applyPermutation(type.getShape(), perm),
                                      type.getElementType());
  return TransposeOp::create(builder, loc, result, input,
                             builder.getDenseI64ArrayAttr(perm));
}

/// An operand above an op of rank perm.size() whose result is to be transposed
/// by `perm` afterwards must be transposed by the inverse. The shape that does
/// it where only unit dimensions move (implied leading ones included); nothing
/// where elements would change places.
static std::optional<SmallVector<int64_t>>
untransposedShape(RankedTensorType type, ArrayRef<int64_t> perm) {
  int64_t missing = perm.size() - type.getRank();
  SmallVector<int64_t> shape, order;
  for (int64_t d : invertPermutationVector(perm)) {
    shape.push_back(d < missing ? 1 : type.getDimSize(d - missing));
    if (shape.back() != 1)
      order.push_back(d);
  }
  if (!llvm::is_sorted(order))
    return std::nullopt;
  while (int64_t(shape.size()) > type.getRank() && shape.front() == 1)
    shape.erase(shape.begin());
  return shape;
}

static bool isTransposedBy(Value value, ArrayRef<int64_t> perm) {
  auto transpose = value.getDefiningOp<TransposeOp>();
  return transpose && transpose.getPerm() == perm;
}

/// `value` transposed by the inverse of `perm`, which must be possible.
static Value untransposed(OpBuilder &builder, Value value,
                          ArrayRef<int64_t> perm) {
  if (isTransposedBy(value, perm))
    return value.getDefiningOp<TransposeOp>().getInput();
  RankedTensorType type = tensorType(value);
  SmallVector<int64_t> shape = *untransposedShape(type, perm);
  if (ArrayRef<int64_t>(shape) == type.getShape())
    return value;
  SmallVector<Value> dims;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (type.isDynamicDim(d))
      dims.push_back(tensor::DimOp::create(builder, value.getLoc(), value, d));
  return ReshapeOp::create(builder, value.getLoc(),
                           RankedTensorType::get(shape, type.getElementType()),
                           value, dims);
}

namespace {

/// op(transpose(x), …) → transpose(op(x, …)) for elementwise ops and casts.
struct SinkThroughElementwise : RewritePattern {
  SinkThroughElementwise(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    // Quantising with one scale for all works element by element, too.
    auto dequantize = dyn_cast<DequantizeOp>(op);
    if (!isa<ElementwiseOp, CastOp, QuantizeOp>(op) &&
        !(dequantize && tensorType(dequantize.getScale()).getRank() == 0))
      return failure();
    RankedTensorType type = tensorType(op->getResult(0));
    TransposeOp transpose;
    for (Value operand : op->getOperands()) {
      auto candidate = operand.getDefiningOp<TransposeOp>();
      if (candidate && tensorType(operand).getRank() == type.getRank() &&
          !isParameterValue(operand)) {
        transpose = candidate;
        break;
      }
    }
    if (!transpose)
      return failure();
    ArrayRef<int64_t> perm = transpose.getPerm();
    for (Value operand : op->getOperands())
      if (!isTransposedBy(operand, perm) &&
          !untransposedShape(tensorType(operand), perm))
        return failure();
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(untransposed(rewriter, operand, perm));
    SmallVector<int64_t> inverse = invertPermutationVector(perm);
    auto sunk = RankedTensorType::get(
        applyPermutation(type.getShape(), inverse), type.getElementType());
    Operation *clone =
        rewriter.create(op->getLoc(), op->getName().getIdentifier(), operands,
                        {sunk}, op->getAttrs());
    rewriter.replaceOp(
        op, createTranspose(rewriter, op->getLoc(), clone->getResult(0), perm));
    return success();
  }
};

struct SinkThroughSlice : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getInput().getDefiningOp<TransposeOp>();
    if (!transpose || isParameterValue(transpose))
      return failure();
    SmallVector<int64_t> inverse = invertPermutationVector(transpose.getPerm());
    auto permuted = [&](SmallVector<OpFoldResult> values) {
      SmallVector<OpFoldResult> result;
      for (int64_t d : inverse)
        result.push_back(values[d]);
      return result;
    };
    auto slice = SliceOp::create(rewriter, op.getLoc(), transpose.getInput(),
                                 permuted(op.getMixedOffsets()),
                                 permuted(op.getMixedSizes()),
                                 permuted(op.getMixedStrides()));
    rewriter.replaceOp(
        op, createTranspose(rewriter, op.getLoc(), slice, transpose.getPerm()));
    return success();
  }
};

struct SinkThroughConcat : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> inputs;
    ArrayRef<int64_t> perm;
    for (Value input : op.getInputs()) {
      auto transpose = input.getDefiningOp<TransposeOp>();
      if (!transpose || (!perm.empty() && transpose.getPerm() != perm))
        return failure();
      perm = transpose.getPerm();
      inputs.push_back(transpose.getInput());
    }
    if (inputs.empty())
      return failure();
    RankedTensorType type = tensorType(op);
    auto sunk = RankedTensorType::get(
        applyPermutation(type.getShape(), invertPermutationVector(perm)),
        type.getElementType());
    auto concat = ConcatOp::create(rewriter, op.getLoc(), sunk,
                                   uint64_t(perm[op.getAxis()]), inputs);
    rewriter.replaceOp(op,
                       createTranspose(rewriter, op.getLoc(), concat, perm));
    return success();
  }
};

struct SinkThroughSoftmax : OpRewritePattern<SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SoftmaxOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getInput().getDefiningOp<TransposeOp>();
    if (!transpose)
      return failure();
    auto softmax = SoftmaxOp::create(
        rewriter, op.getLoc(), transpose.getInput().getType(),
        transpose.getInput(), uint64_t(transpose.getPerm()[op.getAxis()]),
        op.getLog());
    rewriter.replaceOp(op, createTranspose(rewriter, op.getLoc(), softmax,
                                           transpose.getPerm()));
    return success();
  }
};

/// reshape(transpose(reshape(x))) that only permutes → transpose(x).
struct MergeReshapedTranspose : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getInput().getDefiningOp<TransposeOp>();
    if (!transpose || !transpose.getInput().getDefiningOp<ReshapeOp>())
      return failure();
    SymbolicElements symbols;
    ViewChain chain = ViewChain::of(op, symbols);
    if (chain.root == op.getResult())
      return failure();
    std::optional<SmallVector<int64_t>> perm = chain.asPermutation(chain.dims);
    RankedTensorType type = tensorType(chain.root);
    if (!perm || ArrayRef<int64_t>(applyPermutation(type.getShape(), *perm)) !=
                     tensorType(op).getShape())
      return failure();
    if (isIdentityPermutation(*perm))
      rewriter.replaceOp(op, chain.root);
    else
      rewriter.replaceOp(
          op, createTranspose(rewriter, op.getLoc(), chain.root, *perm));
    return success();
  }
};

struct SinkTransposes : ds::impl::SinkTransposesBase<SinkTransposes> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SinkThroughElementwise, SinkThroughSlice, SinkThroughConcat,
                 SinkThroughSoftmax, MergeReshapedTranspose>(&getContext());
    TransposeOp::getCanonicalizationPatterns(patterns, &getContext());
    GreedyRewriteConfig config;
    config.setUseTopDownTraversal(true);
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      signalPassFailure();
  }
};

} // namespace
