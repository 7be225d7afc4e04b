//===- LowerExperts.cpp - routed experts ----------------------------------===//
//
// Grouping is a counting sort. A row of a grouped product finds its expert in a
// vector that the list of tiles is written out into, so that all elements are
// one parallel loop. Routing is ds-cpu-route's.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToLinalg/Helpers.h"

using namespace mlir;
using namespace mlir::ds;
using P = arith::CmpIPredicate;

namespace {

/// A place to write scalar code at.
struct Code {
  OpBuilder &b;
  Location loc;

  Value index(int64_t value) { return mlir::ds::index(b, loc, value); }
  Value add(Value x, Value y) {
    if (isa<FloatType>(x.getType()))
      return arith::AddFOp::create(b, loc, x, y);
    return arith::AddIOp::create(b, loc, x, y);
  }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, loc, x, y); }
  Value select(Value condition, Value yes, Value no) {
    return arith::SelectOp::create(b, loc, condition, yes, no);
  }
  Value compare(P predicate, Value x, Value y) {
    return arith::CmpIOp::create(b, loc, predicate, x, y);
  }
  Value read(Value tensor, ValueRange at) {
    return tensor::ExtractOp::create(b, loc, tensor, at);
  }
  /// An element of an i32 tensor as an index.
  Value readIndex(Value tensor, ValueRange at) {
    return arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                      read(tensor, at));
  }
  Value write(Value x, Value tensor, ValueRange at) {
    return tensor::InsertOp::create(b, loc, x, tensor, at);
  }
  /// An index as an element of an i32 tensor.
  Value writeIndex(Value x, Value tensor, ValueRange at) {
    return write(arith::IndexCastOp::create(b, loc, b.getI32Type(), x), tensor,
                 at);
  }

  using Body =
      llvm::function_ref<SmallVector<Value>(Code, Value i, ValueRange carried)>;
  /// for i in [from, to): carried = body(i, carried).
  SmallVector<Value> loop(Value from, Value to, ValueRange carried, Body body) {
    auto loop = scf::ForOp::create(
        b, loc, from, to, index(1), carried,
        [&](OpBuilder &nested, Location at, Value i, ValueRange state) {
          scf::YieldOp::create(nested, at, body({nested, at}, i, state));
        });
    return SmallVector<Value>(loop.getResults());
  }
  SmallVector<Value> loop(int64_t count, ValueRange carried, Body body) {
    return loop(index(0), index(count), carried, body);
  }
};

//===----------------------------------------------------------------------===//
// ds.update_route_bias
//===----------------------------------------------------------------------===//

struct LowerUpdateRouteBias : OpConversionPattern<UpdateRouteBiasOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(UpdateRouteBiasOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value bias = adaptor.getBias(), loads = adaptor.getLoads();
    OpFoldResult size = tensor::getMixedSize(rewriter, loc, bias, 0);
    Value experts = asIndex(rewriter, loc, size);
    Code code{rewriter, loc};
    Value total = code.loop(code.index(0), experts, code.index(0),
                            [&](Code c, Value e, ValueRange sum) {
                              return SmallVector<Value>{
                                  c.add(sum[0], c.readIndex(loads, e))};
                            })[0];
    Value rate = code.read(adaptor.getRate(), {});
    AffineMap identity = rewriter.getMultiDimIdentityMap(1);
    rewriter.replaceOp(
        op, mapElements(
                rewriter, loc, size, rewriter.getF32Type(), {bias, loads},
                {identity, identity},
                [&](OpBuilder &b, Location l, ValueRange args) -> Value {
                  Code c{b, l};
                  Value load = arith::IndexCastOp::create(
                      b, l, b.getIndexType(), args[1]);
                  Value all = c.mul(load, experts);
                  Value step = c.select(c.compare(P::sgt, total, all), rate,
                                        arith::NegFOp::create(b, l, rate));
                  Value moved = c.add(args[0], step);
                  return c.select(c.compare(P::eq, total, all), args[0], moved);
                }));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// ds.group_tokens
//===----------------------------------------------------------------------===//

struct LowerGroupTokens : OpConversionPattern<GroupTokensOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(GroupTokensOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Code code{rewriter, loc};
    int64_t numExperts = op.getNumExperts();
    Type i32 = rewriter.getI32Type();
    Sizes sizes = tensor::getMixedSizes(rewriter, loc, adaptor.getExperts());
    Value bound = code.index(numExperts);
    Value experts =
        mapElements(rewriter, loc, sizes, i32, adaptor.getExperts(),
                    rewriter.getMultiDimIdentityMap(2),
                    [&](OpBuilder &b, Location l, ValueRange args) -> Value {
                      Value id = checkedIndex(b, l, args[0], bound,
                                              isUnsigned(op.getExperts()));
                      return arith::IndexCastOp::create(b, l, i32, id);
                    });
    auto attribute = [&](int64_t size) -> OpFoldResult {
      return rewriter.getIndexAttr(size);
    };
    Value zero = number(rewriter, loc, i32, 0),
          one = number(rewriter, loc, i32, 1);
    // How many rows each expert has, one place on; then where they begin.
    Value offsets = filled(rewriter, loc, attribute(numExperts + 1), zero);
    offsets = loopNest(rewriter, loc, sizes, offsets,
                       [&](OpBuilder &b, Location l, ArrayRef<Value> at,
                           ValueRange now) -> SmallVector<Value> {
                         Code c{b, l};
                         Value next =
                             c.add(c.readIndex(experts, at), c.index(1));
                         Value rows = c.add(c.read(now[0], next), one);
                         return {c.write(rows, now[0], next)};
                       })[0];
    offsets =
        code.loop(numExperts, offsets, [](Code c, Value e, ValueRange now) {
          Value next = c.add(e, c.index(1));
          Value end = c.add(c.read(now[0], e), c.read(now[0], next));
          return SmallVector<Value>{c.write(end, now[0], next)};
        })[0];
    auto [tokens, places] = sort(code, op, sizes, experts, offsets);
    auto [tiles, count] = tile(code, op, sizes, offsets);
    rewriter.replaceOp(op, {tokens, places, offsets, tiles, count});
    return success();
  }

private:
  static std::pair<Value, Value> sort(Code code, GroupTokensOp op,
                                      const Sizes &sizes, Value experts,
                                      Value offsets) {
    OpBuilder &b = code.b;
    Type i32 = b.getI32Type();
    Value rows = code.mul(asIndex(b, code.loc, sizes[0]),
                          asIndex(b, code.loc, sizes[1]));
    Value tokens = empty(b, code.loc, rowCount(op.getTokens(), rows), i32),
          places = empty(b, code.loc, sizes, i32);
    // Where the next row of each expert goes.
    Value next = memory(b, code.loc,
                        OpFoldResult(b.getIndexAttr(op.getNumExperts())), i32);
    next = code.loop(
        op.getNumExperts(), next, [&](Code c, Value e, ValueRange now) {
          return SmallVector<Value>{c.write(c.read(offsets, e), now[0], e)};
        })[0];
    auto done = loopNest(
        b, code.loc, sizes, {tokens, places, next},
        [&](OpBuilder &nested, Location l, ArrayRef<Value> at,
            ValueRange now) -> SmallVector<Value> {
          Code c{nested, l};
          Value expert = c.readIndex(experts, at);
          Value row = c.readIndex(now[2], expert);
          return {c.writeIndex(at[0], now[0], row),
                  c.writeIndex(row, now[1], at),
                  c.writeIndex(c.add(row, c.index(1)), now[2], expert)};
        });
    return {done[0], done[1]};
  }

  static std::pair<Value, Value> tile(Code code, GroupTokensOp op,
                                      const Sizes &sizes, Value offsets) {
    OpBuilder &b = code.b;
    Type i32 = b.getI32Type();
    Value step = code.index(op.getTileRows());
    Value rows = code.mul(asIndex(b, code.loc, sizes[0]),
                          asIndex(b, code.loc, sizes[1]));
    Value most = code.add(arith::CeilDivUIOp::create(b, code.loc, rows, step),
                          code.index(op.getNumExperts()));
    Sizes shape{rowCount(op.getTiles(), most), b.getIndexAttr(3)};
    Value tiles = filled(b, code.loc, shape, number(b, code.loc, i32, 0));
    auto done = code.loop(
        op.getNumExperts(), {tiles, code.index(0)},
        [&](Code c, Value e, ValueRange now) {
          Value first = c.readIndex(offsets, e),
                end = c.readIndex(offsets, c.add(e, c.index(1)));
          Value count =
              arith::CeilDivUIOp::create(c.b, c.loc, c.sub(end, first), step);
          auto written = c.loop(
              c.index(0), count, now[0], [&](Code in, Value i, ValueRange all) {
                Value row = in.add(first, in.mul(i, step));
                Value left = arith::MinUIOp::create(in.b, in.loc, step,
                                                    in.sub(end, row));
                Value at = in.add(now[1], i), result = all[0];
                Value facts[] = {e, row, left};
                for (auto [fact, value] : llvm::enumerate(facts))
                  result = in.writeIndex(value, result, {at, in.index(fact)});
                return SmallVector<Value>{result};
              });
          return SmallVector<Value>{written[0], c.add(now[1], count)};
        });
    Value count = arith::IndexCastOp::create(b, code.loc, i32, done[1]);
    return {done[0], tensor::FromElementsOp::create(
                         b, code.loc, RankedTensorType::get({}, i32), count)};
  }

  /// The first size of `result`: its type's, or `dynamic`.
  static OpFoldResult rowCount(Value result, Value dynamic) {
    int64_t size = tensorType(result).getDimSize(0);
    if (ShapedType::isDynamic(size))
      return dynamic;
    return Builder(result.getContext()).getIndexAttr(size);
  }
};

//===----------------------------------------------------------------------===//
// ds.grouped_linear, ds.combine
//===----------------------------------------------------------------------===//

struct LowerGroupedLinear : OpConversionPattern<GroupedLinearOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(GroupedLinearOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Code code{rewriter, loc};
    Value input = adaptor.getInput(), rows = adaptor.getRows(),
          weight = adaptor.getWeight(), tiles = adaptor.getTiles();
    Type from = elementOf(op.getInput()),
         weightType = elementOf(op.getWeight()), to = elementOf(op.getResult());
    Type wide = accumulatorType(from);
    Sizes sizes{tensor::getMixedSize(rewriter, loc, rows ? rows : input, 0),
                tensor::getMixedSize(rewriter, loc, weight, 1)};
    Value columns = tensor::DimOp::create(rewriter, loc, input, 1);
    // Every row's expert.
    Value experts = filled(rewriter, loc, sizes[0],
                           number(rewriter, loc, rewriter.getI32Type(), 0));
    experts =
        code.loop(code.index(0), code.readIndex(adaptor.getCount(), {}),
                  experts, [&](Code c, Value i, ValueRange now) {
                    auto fact = [&](int64_t which) {
                      return c.readIndex(tiles, {i, c.index(which)});
                    };
                    Value expert = fact(0), first = fact(1);
                    return c.loop(first, c.add(first, fact(2)), now[0],
                                  [&](Code in, Value row, ValueRange all) {
                                    return SmallVector<Value>{
                                        in.writeIndex(expert, all[0], row)};
                                  });
                  })[0];
    rewriter.replaceOp(
        op, generate(rewriter, loc, sizes, to,
                     [&](OpBuilder &b, Location l, ArrayRef<Value> at) {
                       Code c{b, l};
                       Value expert = c.readIndex(experts, at[0]);
                       Value source = rows ? c.readIndex(rows, at[0]) : at[0];
                       Value sum = c.loop(
                           c.index(0), columns, number(b, l, wide, 0),
                           [&](Code in, Value k, ValueRange now) {
                             Value x = in.read(input, {source, k}),
                                   w = in.read(weight, {expert, at[1], k});
                             x = scalarCast(in.b, in.loc, x, from, wide);
                             w = scalarCast(in.b, in.loc, w, weightType, wide);
                             Value term =
                                 arith::MulFOp::create(in.b, in.loc, x, w);
                             return SmallVector<Value>{in.add(now[0], term)};
                           })[0];
                       return scalarCast(b, l, sum, wide, to);
                     }));
    return success();
  }
};

struct LowerCombine : OpConversionPattern<CombineOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(CombineOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value values = adaptor.getValues(), places = adaptor.getPlaces();
    Type from = elementOf(op.getValues()), to = elementOf(op.getResult()),
         wide = accumulatorType(from);
    Sizes sizes{tensor::getMixedSize(rewriter, loc, places, 0),
                tensor::getMixedSize(rewriter, loc, values, 1)};
    Value slots = tensor::DimOp::create(rewriter, loc, places, 1);
    rewriter.replaceOp(
        op,
        generate(rewriter, loc, sizes, to,
                 [&](OpBuilder &b, Location l, ArrayRef<Value> at) {
                   Code c{b, l};
                   Value sum = c.loop(
                       c.index(0), slots, number(b, l, wide, 0),
                       [&](Code in, Value slot, ValueRange now) {
                         Value row = in.readIndex(places, {at[0], slot});
                         Value y = in.read(values, {row, at[1]}),
                               w = in.read(adaptor.getWeights(), {at[0], slot});
                         y = scalarCast(in.b, in.loc, y, from, wide);
                         w = scalarCast(in.b, in.loc, w, w.getType(), wide);
                         Value term = arith::MulFOp::create(in.b, in.loc, w, y);
                         return SmallVector<Value>{in.add(now[0], term)};
                       })[0];
                   return scalarCast(b, l, sum, wide, to);
                 }));
    return success();
  }
};

} // namespace

void mlir::ds::populateExperts(RewritePatternSet &patterns,
                               TypeConverter &types) {
  patterns.add<LowerUpdateRouteBias, LowerGroupTokens, LowerGroupedLinear,
               LowerCombine>(types, patterns.getContext());
}
