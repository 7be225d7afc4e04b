//===- DecomposeOnlineAttention.cpp - online attention as tensor ops ------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsSizes.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/ProductRows.h"

namespace mlir::ds {
#define GEN_PASS_DEF_DECOMPOSEONLINEATTENTION
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;
using EK = ElementwiseKind;

namespace {

/// Tensor ops at one place, result types inferred.
struct Ops {
  OpBuilder &b;
  Location loc;
  FloatType wide;

  Value constant(double number) {
    return arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(RankedTensorType::get({}, wide),
                               Attribute(b.getFloatAttr(wide, number))));
  }
  Value map(EK kind, ValueRange operands) {
    return ElementwiseOp::create(b, loc, kind, operands);
  }
  Value transpose(Value value, ArrayRef<int64_t> perm) {
    return TransposeOp::create(b, loc, value, b.getDenseI64ArrayAttr(perm));
  }
  OpFoldResult size(Value value, int64_t dim) {
    return tensor::getMixedSize(b, loc, value, dim);
  }
  Value reshape(Value value, ArrayRef<OpFoldResult> sizes) {
    SmallVector<Value> dims;
    SmallVector<int64_t> shape;
    dispatchIndexOpFoldResults(sizes, dims, shape);
    Type element = tensorType(value).getElementType();
    return ReshapeOp::create(b, loc, RankedTensorType::get(shape, element),
                             value, dims);
  }
  /// Columns [from, from + count) of a tensor of rank 4.
  Value columns(Value value, OpFoldResult from, OpFoldResult count) {
    SmallVector<OpFoldResult> offsets(4, b.getIndexAttr(0)),
        strides(4, b.getIndexAttr(1)),
        sizes = tensor::getMixedSizes(b, loc, value);
    offsets[3] = from;
    sizes[3] = count;
    return tensor::ExtractSliceOp::create(b, loc, value, offsets, sizes,
                                          strides);
  }
  /// [B, S, H] → [B, S, H, 1].
  Value column(Value value) {
    return reshape(value, {size(value, 0), size(value, 1), size(value, 2),
                           b.getIndexAttr(1)});
  }
  /// i64 [count]: 0, 1, …
  Value iota(OpFoldResult count) {
    Type i64 = b.getI64Type();
    auto scalar = RankedTensorType::get({}, i64);
    auto number = [&](int64_t value) -> Value {
      return arith::ConstantOp::create(
          b, loc, DenseElementsAttr::get(scalar, b.getI64IntegerAttr(value)));
    };
    SmallVector<Value> dims;
    SmallVector<int64_t> shape;
    dispatchIndexOpFoldResults(count, dims, shape);
    return RangeOp::create(b, loc, RankedTensorType::get(shape, i64), number(0),
                           number(1), dims.empty() ? Value() : dims[0]);
  }
};

struct Decompose : OpRewritePattern<OnlineAttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(OnlineAttentionOp op,
                                PatternRewriter &rewriter) const override {
    Ops ops{rewriter, op.getLoc(),
            cast<FloatType>(tensorType(op.getAccumulator()).getElementType())};
    Value query = op.getQuery(), key = op.getKey(), value = op.getValue();
    OpFoldResult batch = ops.size(query, 0), rows = ops.size(query, 1),
                 heads = ops.size(query, 2), kvHeads = ops.size(key, 1),
                 keys = ops.size(key, 2);
    // The heads that share a key, one below the other.
    OpFoldResult stacked =
        times(rewriter, op.getLoc(),
              quotient(rewriter, op.getLoc(), heads, kvHeads), rows);
    Value tail = op.getTail(), scores;
    if (tail) {
      OpFoldResult none = rewriter.getIndexAttr(0), first = ops.size(key, 3);
      scores = ops.map(
          EK::Add,
          {products(ops, ops.columns(query, none, first), key),
           products(ops, ops.columns(query, first, ops.size(tail, 3)), tail)});
    } else {
      scores = products(ops, query, key);
    }
    scores = ops.map(EK::Mul,
                     {scores, ops.constant(op.getScale().convertToDouble())});
    scores = masked(ops, op, scores, {batch, heads, rows, keys});
    // [B, S, H, T], as accumulator, maximum and sum lie.
    scores = ops.transpose(scores, swapRowsAndHeads);

    Value lowest = ops.constant(-std::numeric_limits<double>::infinity());
    Value top = ops.map(
        EK::Max, {op.getMaximum(), reduce(ops, ReduceKind::Max, scores)});
    // A row that has seen nothing yet has no maximum to take away.
    Value blind = ops.map(EK::Eq, {top, lowest});
    Value base = ops.map(EK::Select, {blind, ops.constant(0), top});
    Value powers =
        ops.map(EK::Exp, {ops.map(EK::Sub, {scores, ops.column(base)})});
    Value fade = ops.map(EK::Exp, {ops.map(EK::Sub, {op.getMaximum(), base})});
    Value sum = ops.map(EK::Add, {ops.map(EK::Mul, {op.getSum(), fade}),
                                  reduce(ops, ReduceKind::Sum, powers)});
    Value right = ops.reshape(ops.transpose(powers, swapRowsAndHeads),
                              {batch, kvHeads, stacked, keys});
    Value mix = ops.reshape(matmul(ops, right, value),
                            {batch, heads, rows, ops.size(value, 3)});
    Value accumulator = ops.map(
        EK::Add, {ops.map(EK::Mul, {op.getAccumulator(), ops.column(fade)}),
                  ops.transpose(mix, swapRowsAndHeads)});

    SmallVector<Value> results{accumulator, top, sum};
    for (auto [result, type] : llvm::zip_equal(results, op.getResultTypes()))
      if (result.getType() != type)
        result = CastOp::create(rewriter, op.getLoc(), type, result);
    rewriter.replaceOp(op, results);
    return success();
  }

private:
  static constexpr int64_t swapRowsAndHeads[] = {0, 2, 1, 3},
                           swapLast[] = {0, 1, 3, 2};

  /// [B, H, S, T]: Σ_d query[b, s, h, d] · key[b, h', t, d], the heads of the
  /// query shared out among those of `key`.
  static Value products(Ops &ops, Value query, Value key) {
    OpFoldResult batch = ops.size(query, 0), rows = ops.size(query, 1),
                 heads = ops.size(query, 2), keyHeads = ops.size(key, 1);
    OpFoldResult stacked =
        times(ops.b, ops.loc, quotient(ops.b, ops.loc, heads, keyHeads), rows);
    Value left = ops.reshape(ops.transpose(query, swapRowsAndHeads),
                             {batch, keyHeads, stacked, ops.size(query, 3)});
    return ops.reshape(matmul(ops, left, ops.transpose(key, swapLast)),
                       {batch, heads, rows, ops.size(key, 2)});
  }

  static Value matmul(Ops &ops, Value lhs, Value rhs) {
    SmallVector<int64_t> shape(tensorType(lhs).getShape());
    shape.back() = tensorType(rhs).getShape().back();
    return MatmulOp::create(ops.b, ops.loc,
                            RankedTensorType::get(shape, ops.wide), lhs, rhs);
  }

  static Value reduce(Ops &ops, ReduceKind kind, Value value) {
    return ReduceOp::create(ops.b, ops.loc, kind, value, ArrayRef<int64_t>{3},
                            /*keepdims=*/false);
  }

  /// −inf where a row may not attend to a key.
  static Value masked(Ops &ops, OnlineAttentionOp op, Value scores,
                      ArrayRef<OpFoldResult> sizes) {
    Value lowest = ops.constant(-std::numeric_limits<double>::infinity());
    if (Value mask = op.getMask()) {
      RankedTensorType type = tensorType(mask);
      if (!type.hasStaticShape()) {
        // A size may be 1 at run time.
        SmallVector<Value> dims;
        SmallVector<int64_t> shape;
        dispatchIndexOpFoldResults(sizes, dims, shape);
        mask = BroadcastOp::create(
            ops.b, ops.loc, RankedTensorType::get(shape, type.getElementType()),
            mask, dims);
      }
      if (type.getElementType().isInteger(1)) {
        scores = ops.map(EK::Select, {mask, scores, lowest});
      } else {
        mask = castTo(ops.b, ops.loc, mask, ops.wide);
        scores = ops.map(EK::Add, {scores, mask});
      }
    }
    if (Value diagonal = op.getDiagonal()) {
      Type i64 = ops.b.getI64Type();
      Value number = arith::IndexCastOp::create(ops.b, ops.loc, i64, diagonal);
      Value last = tensor::FromElementsOp::create(
          ops.b, ops.loc, RankedTensorType::get({}, i64), number);
      Value row =
          ops.reshape(ops.iota(sizes[2]), {sizes[2], ops.b.getIndexAttr(1)});
      Value column = ops.iota(sizes[3]);
      Value visible = ops.map(EK::Le, {column, ops.map(EK::Add, {row, last})});
      scores = ops.map(EK::Select, {visible, scores, lowest});
    }
    return scores;
  }
};

struct DecomposeOnlineAttention
    : ds::impl::DecomposeOnlineAttentionBase<DecomposeOnlineAttention> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<Decompose>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
