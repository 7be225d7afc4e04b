//===- LowerAttention.cpp - attention and the cache -----------------------===//
//
// One row of queries at a time, in two passes over its keys: scores and their
// maximum, then probabilities and values. The scores of one row are the only
// buffer; rows that may not be attended to are never multiplied.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToLinalg/Helpers.h"

using namespace mlir;
using namespace mlir::ds;
using P = arith::CmpIPredicate;

namespace {

/// A part of every key: `width` of its elements.
struct PartOfKey {
  Value keys, width;
  /// Index of element d of key t.
  std::function<SmallVector<Value>(OpBuilder &, Value t, Value d)> at;
};

/// What differs between dense, cached and latent attention.
struct RowOfQueries {
  Value queries, values;
  /// Index of the row's element d.
  std::function<SmallVector<Value>(Value d)> query;
  /// One after the other they are as wide as the query.
  SmallVector<PartOfKey, 2> key;
  /// Index of element d of value t.
  std::function<SmallVector<Value>(OpBuilder &, Value t, Value d)> value;
  /// Keys [0, count) are visible.
  Value count;
  /// Adds the mask to a score, or null.
  std::function<Value(OpBuilder &, Location, Value score, Value t)> mask;
  double scale;
  /// A buffer for at least `count` scores, f32 or f64.
  Value scores;

  /// Where key and value of a row are in one place.
  void setKeysAndValues(
      Value keys, Value newValues, Value width,
      std::function<SmallVector<Value>(OpBuilder &, Value t, Value d)> at) {
    key.push_back({keys, width, at});
    values = newValues;
    value = at;
  }
};

/// `sum` + Σ_d q[first + d] · k[d] over a part of key t.
Value addProducts(OpBuilder &b, Location loc, const RowOfQueries &row,
                  const PartOfKey &part, Value first, Value t, Value sum) {
  Type wide = sum.getType();
  auto dot = scf::ForOp::create(
      b, loc, index(b, loc, 0), part.width, index(b, loc, 1), ValueRange{sum},
      [&](OpBuilder &nb, Location l, Value d, ValueRange carried) {
        Value at =
            first ? arith::AddIOp::create(nb, l, first, d).getResult() : d;
        Value q = tensor::ExtractOp::create(nb, l, row.queries, row.query(at));
        Value k =
            tensor::ExtractOp::create(nb, l, part.keys, part.at(nb, t, d));
        q = scalarCast(nb, l, q, q.getType(), wide);
        k = scalarCast(nb, l, k, k.getType(), wide);
        Value next = arith::AddFOp::create(nb, l, carried[0],
                                           arith::MulFOp::create(nb, l, q, k));
        scf::YieldOp::create(nb, l, next);
      });
  return dot.getResult(0);
}

/// Attention of one row into `result` at `out(d)`. Returns result and scores.
std::pair<Value, Value>
attendRow(OpBuilder &b, Location loc, const RowOfQueries &row, Value result,
          std::function<SmallVector<Value>(Value d)> out) {
  Type wide = tensorType(row.scores).getElementType();
  Type valueType = tensorType(row.values).getElementType(),
       resultType = tensorType(result).getElementType();
  Value zero = index(b, loc, 0), one = index(b, loc, 1);
  Value valueWidth = tensor::DimOp::create(
      b, loc, row.values, tensorType(row.values).getRank() - 1);
  Value nothing = number(b, loc, wide, 0),
        lowest = number(b, loc, wide, -std::numeric_limits<double>::infinity()),
        scale = number(b, loc, wide, row.scale);
  auto scan = scf::ForOp::create(
      b, loc, zero, row.count, one, ValueRange{row.scores, lowest},
      [&](OpBuilder &nb, Location l, Value t, ValueRange carried) {
        Value dot = nothing, first;
        for (const PartOfKey &part : row.key) {
          dot = addProducts(nb, l, row, part, first, t, dot);
          first = part.width;
        }
        Value score = arith::MulFOp::create(nb, l, dot, scale);
        if (row.mask)
          score = row.mask(nb, l, score, t);
        Value scores = tensor::InsertOp::create(nb, l, score, carried[0], t);
        Value top = arith::MaximumFOp::create(nb, l, carried[1], score);
        scf::YieldOp::create(nb, l, ValueRange{scores, top});
      });
  // A row that sees nothing has no maximum: its probabilities are all 0.
  Value top = scan.getResult(1);
  Value blind =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, top, lowest);
  Value safeTop = arith::SelectOp::create(b, loc, blind, nothing, top);
  auto powers = scf::ForOp::create(
      b, loc, zero, row.count, one, ValueRange{scan.getResult(0), nothing},
      [&](OpBuilder &nb, Location l, Value t, ValueRange carried) {
        Value score = tensor::ExtractOp::create(nb, l, carried[0], t);
        Value power = math::ExpOp::create(
            nb, l, arith::SubFOp::create(nb, l, score, safeTop));
        Value scores = tensor::InsertOp::create(nb, l, power, carried[0], t);
        Value sum = arith::AddFOp::create(nb, l, carried[1], power);
        scf::YieldOp::create(nb, l, ValueRange{scores, sum});
      });
  Value sum = powers.getResult(1);
  Value isZero =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, sum, nothing);
  Value unit = number(b, loc, wide, 1);
  Value divisor = arith::SelectOp::create(b, loc, isZero, unit, sum);
  Value scores = powers.getResult(0);
  auto write = scf::ForOp::create(
      b, loc, zero, valueWidth, one, ValueRange{result},
      [&](OpBuilder &nb, Location l, Value d, ValueRange carried) {
        auto mix = scf::ForOp::create(
            nb, l, zero, row.count, one, ValueRange{nothing},
            [&](OpBuilder &ib, Location il, Value t, ValueRange acc) {
              Value p = tensor::ExtractOp::create(ib, il, scores, t);
              Value v = tensor::ExtractOp::create(ib, il, row.values,
                                                  row.value(ib, t, d));
              v = scalarCast(ib, il, v, valueType, wide);
              Value next = arith::AddFOp::create(
                  ib, il, acc[0], arith::MulFOp::create(ib, il, p, v));
              scf::YieldOp::create(ib, il, next);
            });
        Value y = arith::DivFOp::create(nb, l, mix.getResult(0), divisor);
        y = scalarCast(nb, l, y, wide, resultType);
        scf::YieldOp::create(
            nb, l,
            tensor::InsertOp::create(nb, l, y, carried[0], out(d)).getResult());
      });
  return {write.getResult(0), scores};
}

struct LowerAttention : OpConversionPattern<AttentionOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(AttentionOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value query = adaptor.getQuery(), key = adaptor.getKey(),
          value = adaptor.getValue(), mask = adaptor.getMask();
    Type element = elementOf(op.getResult());
    Type wide = accumulatorType(element);
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, query);
    Value width = asIndex(rewriter, loc, sizes[3]),
          heads = asIndex(rewriter, loc, sizes[2]);
    Value kvHeads = tensor::DimOp::create(rewriter, loc, key, 1);
    Value group = arith::DivUIOp::create(rewriter, loc, heads, kvHeads);
    OpFoldResult total = tensor::getMixedSize(rewriter, loc, key, 2);
    Value rows = asIndex(rewriter, loc, sizes[1]),
          keys = asIndex(rewriter, loc, total);
    Sizes outSizes(sizes);
    outSizes[3] = tensor::getMixedSize(rewriter, loc, value, 3);
    Value result = empty(rewriter, loc, outSizes, element),
          scores = empty(rewriter, loc, total, wide);
    auto done = loopNest(
        rewriter, loc, ArrayRef<OpFoldResult>(sizes).drop_back(),
        {result, scores},
        [&](OpBuilder &b, Location l, ArrayRef<Value> at,
            ValueRange carried) -> SmallVector<Value> {
          Value batch = at[0], s = at[1], h = at[2];
          Value kv = arith::DivUIOp::create(b, l, h, group);
          RowOfQueries row;
          row.queries = query;
          row.query = [&](Value d) {
            return SmallVector<Value>{batch, s, h, d};
          };
          row.setKeysAndValues(key, value, width,
                               [&](OpBuilder &, Value t, Value d) {
                                 return SmallVector<Value>{batch, kv, t, d};
                               });
          row.count = keys;
          if (op.getCausal()) {
            Value offset = arith::SubIOp::create(b, l, keys, rows);
            Value last = arith::AddIOp::create(b, l, s, offset);
            row.count = arith::AddIOp::create(b, l, last, index(b, l, 1));
          }
          row.scale = op.getScale().convertToDouble();
          row.scores = carried[1];
          if (mask)
            row.mask = [&](OpBuilder &nb, Location nl, Value score, Value t) {
              return masked(nb, nl, mask, {batch, h, s, t}, score);
            };
          auto [out, buffer] = attendRow(b, l, row, carried[0], [&](Value d) {
            return SmallVector<Value>{batch, s, h, d};
          });
          return {out, buffer};
        });
    rewriter.replaceOp(op, done[0]);
    return success();
  }

private:
  /// `score` under the element of `mask` that broadcasts to `at`.
  static Value masked(OpBuilder &b, Location loc, Value mask,
                      ArrayRef<Value> at, Value score) {
    RankedTensorType type = tensorType(mask);
    SmallVector<Value> where(at.take_back(type.getRank()));
    for (auto [d, i] : llvm::enumerate(where)) {
      if (type.getDimSize(d) == 1)
        i = index(b, loc, 0);
      else if (type.isDynamicDim(d)) {
        // May be 1 at run time.
        Value size = tensor::DimOp::create(b, loc, mask, d);
        Value repeats =
            arith::CmpIOp::create(b, loc, P::eq, size, index(b, loc, 1));
        i = arith::SelectOp::create(b, loc, repeats, index(b, loc, 0), i);
      }
    }
    Value element = tensor::ExtractOp::create(b, loc, mask, where);
    Type wide = score.getType();
    if (element.getType().isInteger(1))
      return arith::SelectOp::create(
          b, loc, element, score,
          number(b, loc, wide, -std::numeric_limits<double>::infinity()));
    element = scalarCast(b, loc, element, element.getType(), wide);
    return arith::AddFOp::create(b, loc, score, element);
  }
};

/// The value at `i` of an i32 vector, as an index.
Value entry(OpBuilder &b, Location loc, Value vector, Value i) {
  Value x = tensor::ExtractOp::create(b, loc, vector, i);
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), x);
}

/// How many rows of its slot token i of a sequence attends to.
Value visibleRows(OpBuilder &b, Location loc, Value pastLength, Value sequence,
                  Value i) {
  Value past = entry(b, loc, pastLength, sequence);
  Value position = arith::AddIOp::create(b, loc, past, i);
  return arith::AddIOp::create(b, loc, position, index(b, loc, 1));
}

/// Calls `body` for every token: its sequence, row in the sequence, and row.
SmallVector<Value> forEachToken(
    OpBuilder &b, Location loc, Value rowStart, ValueRange carried,
    llvm::function_ref<SmallVector<Value>(OpBuilder &, Location, Value sequence,
                                          Value i, Value token, ValueRange)>
        body) {
  Value zero = index(b, loc, 0), one = index(b, loc, 1);
  Value ends = tensor::DimOp::create(b, loc, rowStart, 0);
  Value sequences = arith::SubIOp::create(b, loc, ends, one);
  auto outer = scf::ForOp::create(
      b, loc, zero, sequences, one, carried,
      [&](OpBuilder &nb, Location l, Value sequence, ValueRange state) {
        Value first = entry(nb, l, rowStart, sequence);
        Value next =
            entry(nb, l, rowStart, arith::AddIOp::create(nb, l, sequence, one));
        Value count = arith::SubIOp::create(nb, l, next, first);
        auto inner = scf::ForOp::create(
            nb, l, zero, count, one, state,
            [&](OpBuilder &ib, Location il, Value i, ValueRange innerState) {
              Value token = arith::AddIOp::create(ib, il, first, i);
              scf::YieldOp::create(
                  ib, il, body(ib, il, sequence, i, token, innerState));
            });
        scf::YieldOp::create(nb, l, inner.getResults());
      });
  return SmallVector<Value>(outer.getResults());
}

struct LowerTokenPositions : OpConversionPattern<TokenPositionsOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(TokenPositionsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type i32 = rewriter.getI32Type();
    Value init = empty(rewriter, loc, OpFoldResult(adaptor.getTokens()), i32);
    auto result = forEachToken(
        rewriter, loc, adaptor.getRowStart(), init,
        [&](OpBuilder &b, Location l, Value sequence, Value i, Value token,
            ValueRange carried) -> SmallVector<Value> {
          Value past = entry(b, l, adaptor.getPastLength(), sequence);
          Value position = arith::IndexCastOp::create(
              b, l, i32, arith::AddIOp::create(b, l, past, i));
          return {tensor::InsertOp::create(b, l, position, carried[0], token)};
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct LowerCacheAppend : OpConversionPattern<CacheAppendOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(CacheAppendOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value rows = adaptor.getRows();
    Type from = tensorType(rows).getElementType(),
         to = tensorType(adaptor.getCache()).getElementType();
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, rows);
    auto result = forEachToken(
        rewriter, loc, adaptor.getRowStart(), adaptor.getCache(),
        [&](OpBuilder &b, Location l, Value sequence, Value i, Value token,
            ValueRange carried) -> SmallVector<Value> {
          Value past = entry(b, l, adaptor.getPastLength(), sequence);
          Value slot = entry(b, l, adaptor.getCacheSlot(), sequence);
          Value at = arith::AddIOp::create(b, l, past, i);
          return loopNest(
              b, l, ArrayRef<OpFoldResult>(sizes).drop_front(), carried,
              [&](OpBuilder &nb, Location nl, ArrayRef<Value> ivs,
                  ValueRange state) -> SmallVector<Value> {
                Value x = tensor::ExtractOp::create(
                    nb, nl, rows, ValueRange{token, ivs[0], ivs[1]});
                x = scalarCast(nb, nl, x, from, to);
                return {tensor::InsertOp::create(
                    nb, nl, x, state[0], ValueRange{slot, ivs[0], at, ivs[1]})};
              });
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct LowerCachedAttention : OpConversionPattern<CachedAttentionOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(CachedAttentionOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value query = adaptor.getQuery(), key = adaptor.getKey(),
          value = adaptor.getValue();
    Type element = tensorType(op.getResult()).getElementType();
    Type wide = accumulatorType(element);
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, query);
    OpFoldResult headCount = sizes[1];
    Value width = asIndex(rewriter, loc, sizes[2]),
          heads = asIndex(rewriter, loc, headCount);
    Value kvHeads = tensor::DimOp::create(rewriter, loc, key, 1);
    Value group = arith::DivUIOp::create(rewriter, loc, heads, kvHeads);
    sizes[2] = tensor::getMixedSize(rewriter, loc, value, 3);
    Value result = empty(rewriter, loc, sizes, element);
    Value scores =
        empty(rewriter, loc, tensor::getMixedSize(rewriter, loc, key, 2), wide);
    auto done = forEachToken(
        rewriter, loc, adaptor.getRowStart(), {result, scores},
        [&](OpBuilder &b, Location l, Value sequence, Value i, Value token,
            ValueRange carried) -> SmallVector<Value> {
          Value slot = entry(b, l, adaptor.getCacheSlot(), sequence);
          Value count = visibleRows(b, l, adaptor.getPastLength(), sequence, i);
          return loopNest(b, l, headCount, carried,
                          [&](OpBuilder &nb, Location nl, ArrayRef<Value> ivs,
                              ValueRange state) -> SmallVector<Value> {
                            Value h = ivs[0];
                            Value kv = arith::DivUIOp::create(nb, nl, h, group);
                            RowOfQueries row;
                            row.queries = query;
                            row.query = [&](Value d) {
                              return SmallVector<Value>{token, h, d};
                            };
                            row.setKeysAndValues(
                                key, value, width,
                                [&](OpBuilder &, Value t, Value d) {
                                  return SmallVector<Value>{slot, kv, t, d};
                                });
                            row.count = count;
                            row.scale = op.getScale().convertToDouble();
                            row.scores = state[1];
                            auto [out, buffer] =
                                attendRow(nb, nl, row, state[0], [&](Value d) {
                                  return SmallVector<Value>{token, h, d};
                                });
                            return {out, buffer};
                          });
        });
    rewriter.replaceOp(op, done[0]);
    return success();
  }
};

/// Element (t, c) of a cache that all heads share.
auto inSlot(Value slot, Value zero) {
  return [slot, zero](OpBuilder &, Value t, Value c) {
    return SmallVector<Value>{slot, zero, t, c};
  };
}

struct LowerMlaAbsorbed : OpConversionPattern<MlaAbsorbedOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(MlaAbsorbedOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value query = adaptor.getQuery(), latent = adaptor.getLatent(),
          rope = adaptor.getRope();
    Type element = tensorType(op.getResult()).getElementType();
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, query);
    sizes[2] = tensor::getMixedSize(rewriter, loc, latent, 3);
    Value latentWidth = asIndex(rewriter, loc, sizes[2]),
          ropeWidth = tensor::DimOp::create(rewriter, loc, rope, 3),
          zero = index(rewriter, loc, 0);
    Value result = empty(rewriter, loc, sizes, element),
          scores = empty(rewriter, loc,
                         tensor::getMixedSize(rewriter, loc, latent, 2),
                         accumulatorType(element));
    auto done = forEachToken(
        rewriter, loc, adaptor.getRowStart(), {result, scores},
        [&](OpBuilder &b, Location l, Value sequence, Value i, Value token,
            ValueRange carried) -> SmallVector<Value> {
          Value slot = entry(b, l, adaptor.getCacheSlot(), sequence);
          Value count = visibleRows(b, l, adaptor.getPastLength(), sequence, i);
          return loopNest(
              b, l, sizes[1], carried,
              [&](OpBuilder &nb, Location nl, ArrayRef<Value> ivs,
                  ValueRange state) -> SmallVector<Value> {
                auto at = [&](Value d) {
                  return SmallVector<Value>{token, ivs[0], d};
                };
                RowOfQueries row;
                row.queries = query;
                row.query = at;
                row.setKeysAndValues(latent, latent, latentWidth,
                                     inSlot(slot, zero));
                row.key.push_back({rope, ropeWidth, inSlot(slot, zero)});
                row.count = count;
                row.scale = op.getScale().convertToDouble();
                row.scores = state[1];
                auto [out, buffer] = attendRow(nb, nl, row, state[0], at);
                return {out, buffer};
              });
        });
    rewriter.replaceOp(op, done[0]);
    return success();
  }
};

/// A head at a time: keys and values of all that the sequence sees, then its
/// tokens.
struct LowerMla : OpConversionPattern<MlaOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(MlaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value query = adaptor.getQuery(), latent = adaptor.getLatent(),
          rope = adaptor.getRope(), keyWeight = adaptor.getKeyWeight(),
          valueWeight = adaptor.getValueWeight(),
          rowStart = adaptor.getRowStart();
    Type element = tensorType(op.getResult()).getElementType(),
         wide = accumulatorType(element);
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, query);
    sizes[2] = tensor::getMixedSize(rewriter, loc, valueWeight, 1);
    OpFoldResult length = tensor::getMixedSize(rewriter, loc, latent, 2),
                 keyWidth = tensor::getMixedSize(rewriter, loc, keyWeight, 1);
    Value keyElements = asIndex(rewriter, loc, keyWidth),
          ropeWidth = tensor::DimOp::create(rewriter, loc, rope, 3),
          zero = index(rewriter, loc, 0), one = index(rewriter, loc, 1);
    Value sequences = arith::SubIOp::create(
        rewriter, loc, tensor::DimOp::create(rewriter, loc, rowStart, 0), one);
    SmallVector<Value> carried{empty(rewriter, loc, sizes, element),
                               empty(rewriter, loc, length, wide),
                               memory(rewriter, loc, {length, keyWidth}, wide),
                               memory(rewriter, loc, {length, sizes[2]}, wide)};
    auto done = loopNest(
        rewriter, loc, {OpFoldResult(sequences), sizes[1]}, carried,
        [&](OpBuilder &b, Location l, ArrayRef<Value> ivs,
            ValueRange state) -> SmallVector<Value> {
          Value sequence = ivs[0], head = ivs[1];
          Value slot = entry(b, l, adaptor.getCacheSlot(), sequence);
          Value first = entry(b, l, rowStart, sequence);
          Value end =
              entry(b, l, rowStart, arith::AddIOp::create(b, l, sequence, one));
          Value rows = arith::SubIOp::create(b, l, end, first);
          // All that the last token sees; nothing for a sequence without one.
          Value isEmpty = arith::CmpIOp::create(b, l, P::eq, rows, zero);
          Value past = entry(b, l, adaptor.getPastLength(), sequence);
          Value seen = arith::SelectOp::create(
              b, l, isEmpty, zero, arith::AddIOp::create(b, l, past, rows));
          Value keys = expand(b, l, latent, keyWeight, slot, head, seen,
                              keyWidth, state[2]),
                values = expand(b, l, latent, valueWeight, slot, head, seen,
                                sizes[2], state[3]);
          auto inScratch = [](OpBuilder &, Value t, Value d) {
            return SmallVector<Value>{t, d};
          };
          auto attended = loopNest(
              b, l, OpFoldResult(rows), {state[0], state[1]},
              [&](OpBuilder &nb, Location nl, ArrayRef<Value> i,
                  ValueRange now) -> SmallVector<Value> {
                Value token = arith::AddIOp::create(nb, nl, first, i[0]);
                auto at = [&](Value d) {
                  return SmallVector<Value>{token, head, d};
                };
                RowOfQueries row;
                row.queries = query;
                row.query = at;
                row.setKeysAndValues(keys, values, keyElements, inScratch);
                row.key.push_back({rope, ropeWidth, inSlot(slot, zero)});
                row.count = visibleRows(nb, nl, adaptor.getPastLength(),
                                        sequence, i[0]);
                row.scale = op.getScale().convertToDouble();
                row.scores = now[1];
                auto [out, buffer] = attendRow(nb, nl, row, now[0], at);
                return {out, buffer};
              });
          return {attended[0], attended[1], keys, values};
        });
    rewriter.replaceOp(op, done[0]);
    return success();
  }

private:
  /// `memory` with rows [0, count) set to weight[head] · latents of the slot.
  static Value expand(OpBuilder &b, Location loc, Value latent, Value weight,
                      Value slot, Value head, Value count, OpFoldResult width,
                      Value memory) {
    Type wide = tensorType(memory).getElementType();
    Value rank = tensor::DimOp::create(b, loc, latent, 3),
          zero = index(b, loc, 0), one = index(b, loc, 1);
    return loopNest(
        b, loc, {OpFoldResult(count), width}, memory,
        [&](OpBuilder &nb, Location l, ArrayRef<Value> at,
            ValueRange now) -> SmallVector<Value> {
          auto sum = scf::ForOp::create(
              nb, l, zero, rank, one, ValueRange{number(nb, l, wide, 0)},
              [&](OpBuilder &ib, Location il, Value c, ValueRange carried) {
                Value w = tensor::ExtractOp::create(ib, il, weight,
                                                    ValueRange{head, at[1], c});
                Value x = tensor::ExtractOp::create(
                    ib, il, latent, ValueRange{slot, zero, at[0], c});
                w = scalarCast(ib, il, w, w.getType(), wide);
                x = scalarCast(ib, il, x, x.getType(), wide);
                Value next = arith::AddFOp::create(
                    ib, il, carried[0], arith::MulFOp::create(ib, il, w, x));
                scf::YieldOp::create(ib, il, next);
              });
          return {
              tensor::InsertOp::create(nb, l, sum.getResult(0), now[0], at)};
        })[0];
  }
};

} // namespace

void mlir::ds::populateAttention(RewritePatternSet &patterns,
                                 TypeConverter &types) {
  patterns.add<LowerAttention, LowerTokenPositions, LowerCacheAppend,
               LowerCachedAttention, LowerMla, LowerMlaAbsorbed>(
      types, patterns.getContext());
}
