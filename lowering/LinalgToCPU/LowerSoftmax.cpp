//===- LowerSoftmax.cpp - softmax and its logarithm in vectors ------------===//
//
// See Passes.td. Three walks along a line: its largest element, the powers and
// their sum, the quotients.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/ReducedView.h"
#include "lowering/LinalgToCPU/VectorMath.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERSOFTMAX
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

class SoftmaxEmitter {
public:
  SoftmaxEmitter(OpBuilder &b, SoftmaxOp op, const ReducedView &view,
                 int64_t maxParts)
      : b(b), loc(op.getLoc()), view(view), maxParts(maxParts),
        log(op.getLog()), keepsPowers(view.element().isF32() && !log),
        lowest(b.getFloatAttr(
            view.element(),
            APFloat::getInf(cast<FloatType>(view.element()).getFloatSemantics(),
                            /*Negative=*/true))) {}

  Value emit() {
    ArrayRef<OpFoldResult> sizes = view.sizes();
    RankedTensorType type = typeOf(sizes, view.element());
    RowVectors rows{b, loc, view.lanes()};
    if (view.along())
      return rows.forEachRow(type, sizes, 1,
                             [&](RowVectors &r, ValueRange at, Value row) {
                               return emitRow(r, at, row);
                             });
    int64_t parts = view.parts(maxParts);
    return rows.forEachPanel(type, sizes, 2, parts * rows.lanes,
                             [&](RowVectors &v, ValueRange at, Value column,
                                 bool partial, Value tile) {
                               return emitPanel(v, at, column, parts, partial,
                                                tile);
                             });
  }

private:
  /// Lanes along the row.
  Value emitRow(RowVectors &r, ValueRange at, Value row) {
    SmallVector<OpFoldResult> length = view.walkedSizes();
    auto read = [&](RowVectors &v, ValueRange offset, bool partial) {
      // The power of the lowest is 0.
      return view.read(v, at, offset, partial, lowest);
    };
    Value start = r.splat(-std::numeric_limits<double>::infinity());
    Value top =
        r.fold(
             length, start,
             [&](RowVectors &v, ValueRange most, ValueRange offset,
                 bool partial, MutableArrayRef<Value>) -> SmallVector<Value> {
               Value x = read(v, offset, partial);
               return {largerOf(v.b, v.loc, x, most[0])};
             },
             [&](ValueRange x, ValueRange y) -> SmallVector<Value> {
               return {largerOf(r.b, r.loc, x[0], y[0])};
             })
            .front();
    Value sum =
        r.fold(
             length, r.splat(0),
             [&](RowVectors &v, ValueRange sum, ValueRange offset, bool partial,
                 MutableArrayRef<Value> through) -> SmallVector<Value> {
               Value power = powerOf(v, read(v, offset, partial), top);
               if (keepsPowers)
                 through[0] = v.write(power, through[0], offset, partial);
               return {arith::AddFOp::create(v.b, v.loc, sum[0], power)};
             },
             [&](ValueRange x, ValueRange y) -> SmallVector<Value> {
               return {arith::AddFOp::create(r.b, r.loc, x[0], y[0])};
             },
             row)
            .front();
    if (log)
      sum = r.broadcast(math::LogOp::create(r.b, r.loc, r.first(sum)));
    return r
        .along(length[0], row,
               [&](RowVectors &v, Value offset, bool partial,
                   ValueRange carried) -> SmallVector<Value> {
                 Value x = keepsPowers ? v.read(carried[0], offset, partial)
                                       : read(v, offset, partial);
                 return {v.write(finished(v, x, top, sum), carried[0], offset,
                                 partial)};
               })
        .front();
  }

  /// Each lane its own column.
  Value emitPanel(RowVectors &v, ValueRange outer, Value column, int64_t parts,
                  bool partial, Value tile) {
    SmallVector<SmallVector<Value>> at;
    for (int64_t part = 0; part < parts; ++part)
      at.emplace_back(outer).push_back(v.after(column, part));
    // Loops over the rows: `step` gets an element of each part and what the
    // loop carries of it, and the tile.
    using Step =
        llvm::function_ref<Value(RowVectors &, Value x, Value own, int64_t part,
                                 ValueRange there, Value &tile)>;
    auto loop = [&](ArrayRef<Value> starts, Step step) {
      SmallVector<Value> carried(starts);
      carried.push_back(tile);
      carried =
          v.nest(view.walkedSizes(), carried,
                 [&](RowVectors &inner, ValueRange row, ValueRange args) {
                   SmallVector<Value> next(args);
                   for (int64_t part = 0; part < parts; ++part) {
                     Value there[] = {row[0], inner.index(part * inner.lanes)};
                     Value x = view.read(inner, at[part], row, partial);
                     next[part] =
                         step(inner, x, args[part], part, there, next.back());
                   }
                   return next;
                 });
      tile = carried.pop_back_val();
      return carried;
    };
    Value start = v.splat(-std::numeric_limits<double>::infinity());
    SmallVector<Value> tops =
        loop(SmallVector<Value>(parts, start),
             [&](RowVectors &r, Value x, Value most, int64_t, ValueRange,
                 Value &) { return largerOf(r.b, r.loc, x, most); });
    SmallVector<Value> sums =
        loop(SmallVector<Value>(parts, v.splat(0)),
             [&](RowVectors &r, Value x, Value sum, int64_t part,
                 ValueRange there, Value &tile) -> Value {
               Value power = powerOf(r, x, tops[part]);
               if (keepsPowers)
                 tile = r.write(power, tile, there, partial);
               return arith::AddFOp::create(r.b, r.loc, sum, power);
             });
    if (log)
      for (Value &sum : sums)
        sum = math::LogOp::create(v.b, v.loc, sum);
    loop(sums, [&](RowVectors &r, Value x, Value sum, int64_t part,
                   ValueRange there, Value &tile) {
      if (keepsPowers)
        x = r.read(tile, there, partial);
      tile = r.write(finished(r, x, tops[part], sum), tile, there, partial);
      return sum;
    });
    return tile;
  }

  Value powerOf(RowVectors &v, Value x, Value top) {
    return expandExp(v.b, v.loc, arith::SubFOp::create(v.b, v.loc, x, top));
  }

  /// The result from `x`: an element, or its power where those were kept; `sum`
  /// is that of the powers or its logarithm.
  Value finished(RowVectors &v, Value x, Value top, Value sum) {
    if (log)
      return arith::SubFOp::create(
          v.b, v.loc, arith::SubFOp::create(v.b, v.loc, x, top), sum);
    if (!keepsPowers)
      x = powerOf(v, x, top);
    return arith::DivFOp::create(v.b, v.loc, x, sum);
  }

  OpBuilder &b;
  Location loc;
  const ReducedView &view;
  int64_t maxParts;
  bool log;
  /// Powers wait in the result for their sum; 16 bits would round them.
  bool keepsPowers;
  TypedAttr lowest;
};

struct LowerSoftmax : ds::impl::LowerSoftmaxBase<LowerSoftmax> {
  using LowerSoftmaxBase::LowerSoftmaxBase;

  void runOnOperation() override {
    SmallVector<SoftmaxOp> ops;
    getOperation()->walk([&](SoftmaxOp op) { ops.push_back(op); });
    for (SoftmaxOp op : ops)
      replaceAlong(op, [&](OpBuilder &b, const ReducedView &view) {
        return SoftmaxEmitter(b, op, view, vectorLanes == 16 ? 4 : 2).emit();
      });
  }
};

} // namespace
