//===- LowerRoute.cpp - the choice of experts, in vectors -----------------===//
//
// See Passes.td. What is compared are whole numbers in the order of the floats:
// a NaN is the largest, and below all of them stays a number for what is taken.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/RowVectors.h"
#include "lowering/LinalgToCPU/VectorMath.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERROUTE
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;
using P = arith::CmpIPredicate;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The rank of what is taken, or not there; and of NaN.
constexpr int32_t takenRank = std::numeric_limits<int32_t>::min(),
                  highestRank = std::numeric_limits<int32_t>::max();

/// `value` in every lane of `type`, or as itself where `type` is i32.
Value i32Like(OpBuilder &b, Location loc, Type type, int32_t value) {
  TypedAttr attr = b.getI32IntegerAttr(value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, value);
  return arith::ConstantOp::create(b, loc, attr);
}

/// The bits of a number ≥ 0 as they are, of others such that larger numbers
/// have larger ones. Its own inverse. Routing has no −0: scores are no less
/// than 0, and sums of both signs that cancel are +0.
Value ordered(OpBuilder &b, Location loc, Value bits) {
  Type type = bits.getType();
  Value sign = arith::ShRSIOp::create(b, loc, bits, i32Like(b, loc, type, 31));
  Value others =
      arith::AndIOp::create(b, loc, sign, i32Like(b, loc, type, highestRank));
  return arith::XOrIOp::create(b, loc, bits, others);
}

/// Of f32 `x`, or of a vector of them.
Value rankOf(OpBuilder &b, Location loc, Value x) {
  Type type = b.getI32Type();
  if (auto vector = dyn_cast<VectorType>(x.getType()))
    type = vector.clone(type);
  Value rank = ordered(b, loc, arith::BitcastOp::create(b, loc, type, x));
  Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
  return arith::SelectOp::create(b, loc, isNaN,
                                 i32Like(b, loc, type, highestRank), rank);
}

/// The f32 of a rank; some NaN for that of NaN.
Value valueOf(OpBuilder &b, Location loc, Value rank) {
  return arith::BitcastOp::create(b, loc, b.getF32Type(),
                                  ordered(b, loc, rank));
}

/// Builds one op's loops.
class RouteEmitter {
public:
  RouteEmitter(OpBuilder &b, RouteOp op)
      : b(b), loc(op.getLoc()), r{b, loc}, op(op), logits(op.getLogits()),
        experts(cast<RankedTensorType>(logits.getType()).getDimSize(1)),
        topK(op.getTopK()), groups(op.getGroups()) {}

  /// Weights and experts of all tokens.
  SmallVector<Value> choose();
  /// How many tokens have each expert.
  Value loads(Value chosen);

private:
  using LoopBody =
      llvm::function_ref<SmallVector<Value>(Value i, SmallVector<Value>)>;
  /// for i in [0, count): carried = body(i, carried).
  SmallVector<Value> loop(Value count, ValueRange carried, LoopBody body) {
    return r.nest(OpFoldResult(count), carried,
                  [&](RowVectors &, ValueRange at, ValueRange now) {
                    return body(at[0], SmallVector<Value>(now));
                  });
  }
  SmallVector<Value> loop(int64_t count, ValueRange carried, LoopBody body) {
    return loop(r.index(count), carried, body);
  }
  /// A buffer of its own of `count` numbers, in whole vectors.
  Value local(int64_t count, Type element);
  int64_t inVectors(int64_t count) const {
    return llvm::alignTo(count, r.lanes);
  }
  Value element(Value tensor, ValueRange at) {
    return tensor::ExtractOp::create(b, loc, tensor, at);
  }
  /// The i32 at `at` as an index.
  Value number(Value tensor, ValueRange at) {
    return arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                      element(tensor, at));
  }
  Value insert(Value scalar, Value tensor, ValueRange at) {
    return tensor::InsertOp::create(b, loc, scalar, tensor, at);
  }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }

  Value scoresOf(Value token);
  Value sigmoids(Value token, Value scores);
  Value softmax(Value token, Value scores);
  Value ranksOf(Value scores);
  Value dropGroups(Value ranks);
  Value rankOfGroup(Value ranks, Value group);
  std::pair<Value, Value> takeLargest(Value ranks, int64_t count,
                                      int64_t taken);
  std::pair<Value, Value> inOrder(Value taken, Value scores, Value weights,
                                  Value ids);
  Value weigh(Value weights);

  OpBuilder &b;
  Location loc;
  RowVectors r;
  RouteOp op;
  Value logits;
  int64_t experts, topK, groups;
};

} // namespace

Value RouteEmitter::local(int64_t count, Type element) {
  return bufferization::AllocTensorOp::create(
      b, loc, RankedTensorType::get({inVectors(count)}, element), ValueRange());
}

SmallVector<Value> RouteEmitter::choose() {
  OpFoldResult tokens = tensor::getMixedSize(b, loc, logits, 0);
  OpFoldResult unit = b.getIndexAttr(1), slots = b.getIndexAttr(topK);
  SmallVector<Value> results;
  for (Type element : {Type(b.getF32Type()), Type(b.getI32Type())})
    results.push_back(tensor::EmptyOp::create(
        b, loc, ArrayRef<OpFoldResult>{tokens, slots}, element));
  auto forall = scf::ForallOp::create(b, loc, ArrayRef<OpFoldResult>{tokens},
                                      results, std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  Value token = forall.getInductionVars().front();
  OpFoldResult offsets[] = {token, b.getIndexAttr(0)}, sizes[] = {unit, slots},
               strides[] = {unit, unit};
  SmallVector<Value> rows;
  for (Value out : forall.getRegionOutArgs()) {
    auto type = cast<RankedTensorType>(out.getType());
    rows.push_back(tensor::ExtractSliceOp::create(
        b, loc, RankedTensorType::get({topK}, type.getElementType()), out,
        offsets, sizes, strides));
  }
  Value scores = scoresOf(token);
  Value ranks = ranksOf(scores);
  // Where all groups stay there is nothing to compare.
  if (int64_t(op.getKeptGroups()) < groups)
    ranks = dropGroups(ranks);
  Value taken = takeLargest(ranks, experts, topK).second;
  auto [weights, ids] = inOrder(taken, scores, rows[0], rows[1]);
  rows = {weigh(weights), ids};
  b.setInsertionPointToStart(forall.getTerminator().getBody());
  for (auto [row, out] : llvm::zip_equal(rows, forall.getRegionOutArgs()))
    tensor::ParallelInsertSliceOp::create(b, loc, row, out, offsets, sizes,
                                          strides);
  return SmallVector<Value>(forall.getResults());
}

Value RouteEmitter::scoresOf(Value token) {
  Value scores = local(experts, b.getF32Type());
  return op.getScoring() == RouteScoring::Sigmoid ? sigmoids(token, scores)
                                                  : softmax(token, scores);
}

Value RouteEmitter::sigmoids(Value token, Value scores) {
  return r
      .along(b.getIndexAttr(experts), scores,
             [&](RowVectors &v, Value offset, bool partial,
                 ValueRange carried) -> SmallVector<Value> {
               Value x = v.read(logits, {token, offset}, partial);
               x = expandExp(v.b, v.loc, arith::NegFOp::create(v.b, v.loc, x));
               x = arith::AddFOp::create(v.b, v.loc, v.splat(1), x);
               x = arith::DivFOp::create(v.b, v.loc, v.splat(1), x);
               return {v.write(x, carried[0], offset)};
             })
      .front();
}

Value RouteEmitter::softmax(Value token, Value scores) {
  // The power of the lowest is 0.
  TypedAttr lowest = b.getF32FloatAttr(-infinity);
  OpFoldResult length = b.getIndexAttr(experts);
  Value top =
      r.fold(
           length, r.splat(lowest),
           [&](RowVectors &v, ValueRange most, ValueRange at, bool partial,
               MutableArrayRef<Value>) -> SmallVector<Value> {
             Value x = v.read(logits, {token, at[0]}, partial, lowest);
             return {largerOf(v.b, v.loc, x, most[0])};
           },
           [&](ValueRange x, ValueRange y) -> SmallVector<Value> {
             return {largerOf(b, loc, x[0], y[0])};
           })
          .front();
  Value sum =
      r.fold(
           length, r.splat(0),
           [&](RowVectors &v, ValueRange sum, ValueRange at, bool partial,
               MutableArrayRef<Value> through) -> SmallVector<Value> {
             Value x = v.read(logits, {token, at[0]}, partial, lowest);
             x = arith::SubFOp::create(v.b, v.loc, x, top);
             x = expandExp(v.b, v.loc, x);
             through[0] = v.write(x, through[0], at);
             return {arith::AddFOp::create(v.b, v.loc, sum[0], x)};
           },
           [&](ValueRange x, ValueRange y) -> SmallVector<Value> {
             return {add(x[0], y[0])};
           },
           scores)
          .front();
  return r
      .along(b.getIndexAttr(inVectors(experts)), scores,
             [&](RowVectors &v, Value offset, bool,
                 ValueRange carried) -> SmallVector<Value> {
               Value x = v.read(carried[0], offset);
               x = arith::DivFOp::create(v.b, v.loc, x, sum);
               return {v.write(x, carried[0], offset)};
             })
      .front();
}

/// The ranks of scores with their bias; lanes behind the experts are taken.
Value RouteEmitter::ranksOf(Value scores) {
  Value ranks = local(experts, b.getI32Type());
  return r
      .along(b.getIndexAttr(experts), ranks,
             [&](RowVectors &v, Value offset, bool partial,
                 ValueRange carried) -> SmallVector<Value> {
               Value x = v.read(scores, offset);
               if (Value bias = op.getBias())
                 x = arith::AddFOp::create(v.b, v.loc, x,
                                           v.read(bias, offset, partial));
               Value rank = rankOf(v.b, v.loc, x);
               if (partial) {
                 SmallVector<bool> there(v.lanes, false);
                 std::fill_n(there.begin(), experts % v.lanes, true);
                 Value mask = arith::ConstantOp::create(
                     v.b, v.loc,
                     DenseElementsAttr::get(v.vectorOf(v.b.getI1Type()),
                                            ArrayRef<bool>(there)));
                 rank = arith::SelectOp::create(
                     v.b, v.loc, mask, rank,
                     i32Like(v.b, v.loc, rank.getType(), takenRank));
               }
               return {v.write(rank, carried[0], offset)};
             })
      .front();
}

/// `ranks` with the fill in the place of all groups but the best.
Value RouteEmitter::dropGroups(Value ranks) {
  Value all = local(groups, b.getI32Type());
  int64_t lanes = inVectors(groups);
  all = r.along(b.getIndexAttr(lanes), all,
                [&](RowVectors &v, Value offset, bool,
                    ValueRange carried) -> SmallVector<Value> {
                  Type type = v.vectorOf(v.b.getI32Type());
                  return {v.write(i32Like(v.b, v.loc, type, takenRank),
                                  carried[0], offset)};
                })
            .front();
  all = loop(groups, all,
             [&](Value group, SmallVector<Value> now) -> SmallVector<Value> {
               return {insert(rankOfGroup(ranks, group), now[0], group)};
             })
            .front();
  all = takeLargest(all, groups, op.getKeptGroups()).first;
  Value fill = i32Like(b, loc, b.getI32Type(), 0);
  if (op.getFill() == RouteFill::Lowest)
    fill = rankOf(b, loc, constantLike(b, loc, b.getF32Type(), -infinity));
  int64_t members = experts / groups;
  return loop(groups, ranks,
              [&](Value group, SmallVector<Value> outer) {
                Value isKept = arith::CmpIOp::create(
                    b, loc, P::eq, element(all, group),
                    i32Like(b, loc, b.getI32Type(), takenRank));
                Value first =
                    arith::MulIOp::create(b, loc, group, r.index(members));
                return loop(
                    members, outer,
                    [&](Value i, SmallVector<Value> now) -> SmallVector<Value> {
                      Value expert = arith::AddIOp::create(b, loc, first, i);
                      Value rank = arith::SelectOp::create(
                          b, loc, isKept, element(now[0], expert), fill);
                      return {insert(rank, now[0], expert)};
                    });
              })
      .front();
}

/// The rank of a group's score.
Value RouteEmitter::rankOfGroup(Value ranks, Value group) {
  int64_t members = experts / groups;
  Value none = i32Like(b, loc, b.getI32Type(), takenRank);
  Value first = arith::MulIOp::create(b, loc, group, r.index(members));
  SmallVector<Value> best =
      loop(members, {none, none},
           [&](Value i, SmallVector<Value> two) -> SmallVector<Value> {
             Value x = element(
                 ranks, arith::AddIOp::create(b, loc, first, i).getResult());
             Value lower = arith::MinSIOp::create(b, loc, x, two[0]);
             return {arith::MaxSIOp::create(b, loc, x, two[0]),
                     arith::MaxSIOp::create(b, loc, two[1], lower)};
           });
  if (op.getGroupScore() != GroupScore::Top2Sum || members == 1)
    return best[0];
  return rankOf(b, loc,
                add(valueOf(b, loc, best[0]), valueOf(b, loc, best[1])));
}

/// Takes the `taken` largest of `count` ranks, of equals the first; returns the
/// ranks and which they were, as i32.
std::pair<Value, Value> RouteEmitter::takeLargest(Value ranks, int64_t count,
                                                  int64_t taken) {
  auto type = VectorType::get({r.lanes}, b.getI32Type());
  SmallVector<int32_t> steps = llvm::to_vector(llvm::seq<int32_t>(r.lanes));
  Value lane = arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(type, ArrayRef<int32_t>(steps)));
  SmallVector<Value> start{i32Like(b, loc, type, takenRank),
                           i32Like(b, loc, type, highestRank)};
  Value ids = local(taken, b.getI32Type());
  SmallVector<Value> done = loop(
      taken, {ranks, ids},
      [&](Value slot, SmallVector<Value> now) -> SmallVector<Value> {
        SmallVector<Value> best = r.fold(
            OpFoldResult(b.getIndexAttr(inVectors(count))), start,
            [&](RowVectors &v, ValueRange best, ValueRange at, bool,
                MutableArrayRef<Value>) -> SmallVector<Value> {
              Value rank = v.read(now[0], at);
              Value first = arith::IndexCastOp::create(v.b, v.loc,
                                                       v.b.getI32Type(), at[0]);
              Value id =
                  arith::AddIOp::create(v.b, v.loc, lane, v.broadcast(first));
              Value isLarger =
                  arith::CmpIOp::create(v.b, v.loc, P::sgt, rank, best[0]);
              return {
                  arith::SelectOp::create(v.b, v.loc, isLarger, rank, best[0]),
                  arith::SelectOp::create(v.b, v.loc, isLarger, id, best[1])};
            },
            [&](ValueRange x, ValueRange y) -> SmallVector<Value> {
              Value isLarger =
                  arith::CmpIOp::create(b, loc, P::sgt, y[0], x[0]);
              Value isEqual = arith::CmpIOp::create(b, loc, P::eq, y[0], x[0]);
              Value isFirst = arith::CmpIOp::create(b, loc, P::slt, y[1], x[1]);
              Value isIt = arith::OrIOp::create(
                  b, loc, isLarger,
                  arith::AndIOp::create(b, loc, isEqual, isFirst));
              return {arith::SelectOp::create(b, loc, isIt, y[0], x[0]),
                      arith::SelectOp::create(b, loc, isIt, y[1], x[1])};
            });
        Value id = r.first(best[1]);
        Value at = arith::IndexCastOp::create(b, loc, b.getIndexType(), id);
        Value none = i32Like(b, loc, b.getI32Type(), takenRank);
        return {insert(none, now[0], at), insert(id, now[1], slot)};
      });
  return {done[0], done[1]};
}

/// The taken experts in ascending order, and their scores.
std::pair<Value, Value> RouteEmitter::inOrder(Value taken, Value scores,
                                              Value weights, Value ids) {
  SmallVector<Value> done = loop(
      topK, {weights, ids},
      [&](Value i, SmallVector<Value> now) -> SmallVector<Value> {
        Value id = element(taken, i);
        Value slot =
            loop(topK, r.index(0),
                 [&](Value j, SmallVector<Value> below) -> SmallVector<Value> {
                   Value isBelow = arith::CmpIOp::create(b, loc, P::slt,
                                                         element(taken, j), id);
                   Value one = arith::IndexCastUIOp::create(
                       b, loc, b.getIndexType(), isBelow);
                   return {arith::AddIOp::create(b, loc, below[0], one)};
                 })
                .front();
        Value at = arith::IndexCastOp::create(b, loc, b.getIndexType(), id);
        return {insert(element(scores, at), now[0], slot),
                insert(id, now[1], slot)};
      });
  return {done[0], done[1]};
}

/// From the scores of the chosen to their weights.
Value RouteEmitter::weigh(Value weights) {
  auto f32 = [&](double x) { return constantLike(b, loc, b.getF32Type(), x); };
  double scale = op.getScale().convertToDouble();
  Value divisor;
  if (std::optional<APFloat> epsilon = op.getNormalize()) {
    Value sum =
        loop(topK, f32(0),
             [&](Value slot, SmallVector<Value> now) -> SmallVector<Value> {
               return {add(now[0], element(weights, slot))};
             })
            .front();
    divisor = add(sum, f32(epsilon->convertToDouble()));
  }
  return loop(topK, weights,
              [&](Value slot, SmallVector<Value> now) -> SmallVector<Value> {
                Value x = element(now[0], slot);
                if (divisor)
                  x = arith::DivFOp::create(b, loc, x, divisor);
                x = arith::MulFOp::create(b, loc, x, f32(scale));
                return {insert(x, now[0], slot)};
              })
      .front();
}

Value RouteEmitter::loads(Value chosen) {
  OpFoldResult length = b.getIndexAttr(experts);
  // No tensor.empty: common zeros of several routers would be put where one of
  // them returns its loads, and be overwritten there.
  Value counts = bufferization::AllocTensorOp::create(
      b, loc, RankedTensorType::get({experts}, b.getI32Type()), ValueRange());
  counts = r.along(length, counts,
                   [&](RowVectors &v, Value offset, bool partial,
                       ValueRange carried) -> SmallVector<Value> {
                     Type type = v.vectorOf(v.b.getI32Type());
                     return {v.write(i32Like(v.b, v.loc, type, 0), carried[0],
                                     offset, partial)};
                   })
               .front();
  Value tokens = tensor::DimOp::create(b, loc, chosen, 0);
  return loop(tokens, counts,
              [&](Value token, SmallVector<Value> outer) {
                return loop(topK, outer,
                            [&](Value slot,
                                SmallVector<Value> now) -> SmallVector<Value> {
                              Value expert = number(chosen, {token, slot});
                              Value more = arith::AddIOp::create(
                                  b, loc, element(now[0], expert),
                                  i32Like(b, loc, b.getI32Type(), 1));
                              return {insert(more, now[0], expert)};
                            });
              })
      .front();
}

namespace {

struct LowerRoute : ds::impl::LowerRouteBase<LowerRoute> {
  void runOnOperation() override {
    SmallVector<RouteOp> ops;
    getOperation()->walk([&](RouteOp op) { ops.push_back(op); });
    for (RouteOp op : ops) {
      OpBuilder b(op);
      RouteEmitter emitter(b, op);
      SmallVector<Value> results = emitter.choose();
      results.push_back(op.getLoads().use_empty() ? Value()
                                                  : emitter.loads(results[1]));
      for (auto [old, made] : llvm::zip_equal(op.getResults(), results)) {
        if (!made)
          continue;
        if (made.getType() != old.getType())
          made = tensor::CastOp::create(b, op.getLoc(), old.getType(), made);
        old.replaceAllUsesWith(made);
      }
      op.erase();
    }
  }
};

} // namespace
