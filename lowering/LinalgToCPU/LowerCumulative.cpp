//===- LowerCumulative.cpp - running sums and products in vectors ---------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/ReducedView.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERCUMULATIVE
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

class CumulativeEmitter {
public:
  CumulativeEmitter(OpBuilder &b, CumulativeOp op, const ReducedView &view,
                    int64_t maxParts)
      : b(b), loc(op.getLoc()), view(view), maxParts(maxParts),
        reverse(op.getReverse()), exclusive(op.getExclusive()),
        kind(combinerOf(op.getKind(),
                        getElementTypeOrSelf(op.getInput().getType()))) {}

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
  TypedAttr neutral(Type element) {
    return arith::getIdentityValueAttr(kind, element, b, loc);
  }
  Value startOf(RowVectors &v) {
    return v.splat(neutral(RowVectors::computed(view.element())));
  }
  Value combined(RowVectors &v, Value x, Value y) {
    return arith::getReductionOp(kind, v.b, v.loc, x, y);
  }

  /// Lanes along the row, from one end: inside a vector in log2(lanes) steps,
  /// then with all before it, which stands in every lane of what is carried.
  Value emitRow(RowVectors &r, ValueRange at, Value row) {
    TypedAttr padding = neutral(view.element());
    return r
        .along(
            view.walkedSizes()[0], {row, startOf(r)},
            [&](RowVectors &v, Value offset, bool partial,
                ValueRange carried) -> SmallVector<Value> {
              Value x = view.read(v, at, offset, partial, padding);
              Value nothing = startOf(v);
              for (int64_t by = 1; by < v.lanes; by *= 2)
                x = combined(v, x, movedBy(v, x, by, nothing));
              Value before = carried[1];
              x = combined(v, before, x);
              SmallVector<int64_t> end(v.lanes, reverse ? 0 : v.lanes - 1);
              Value all = vector::ShuffleOp::create(v.b, v.loc, x, x, end);
              if (exclusive)
                x = movedBy(v, x, 1, before);
              return {v.write(x, carried[0], offset, partial), all};
            },
            /*descending=*/reverse)
        .front();
  }

  /// Lanes moved on by `by`, in the direction of the walk; those of `fill` come
  /// in.
  Value movedBy(RowVectors &v, Value x, int64_t by, Value fill) {
    SmallVector<int64_t> order;
    for (int64_t lane = 0; lane < v.lanes; ++lane) {
      int64_t from = reverse ? lane + by : lane - by;
      order.push_back(from >= 0 && from < v.lanes ? from : v.lanes + lane);
    }
    return vector::ShuffleOp::create(v.b, v.loc, x, fill, order);
  }

  /// Each lane its own column.
  Value emitPanel(RowVectors &v, ValueRange outer, Value column, int64_t parts,
                  bool partial, Value tile) {
    SmallVector<Value> carried(parts, startOf(v));
    carried.push_back(tile);
    Value length =
        getValueOrCreateConstantIndexOp(v.b, v.loc, view.walkedSizes()[0]);
    return v
        .nest(view.walkedSizes(), carried,
              [&](RowVectors &inner, ValueRange i, ValueRange args) {
                Value row = i[0];
                if (reverse) {
                  Value last = arith::SubIOp::create(inner.b, inner.loc, length,
                                                     inner.index(1));
                  row = arith::SubIOp::create(inner.b, inner.loc, last, row);
                }
                SmallVector<Value> next(args), at(outer);
                at.emplace_back();
                for (int64_t part = 0; part < parts; ++part) {
                  at.back() = inner.after(column, part);
                  Value x = view.read(inner, at, row, partial);
                  next[part] = combined(inner, args[part], x);
                  next.back() = inner.write(
                      exclusive ? args[part] : next[part], next.back(),
                      {row, inner.index(part * inner.lanes)}, partial);
                }
                return next;
              })
        .back();
  }

  OpBuilder &b;
  Location loc;
  const ReducedView &view;
  int64_t maxParts;
  bool reverse, exclusive;
  arith::AtomicRMWKind kind;
};

struct LowerCumulative : ds::impl::LowerCumulativeBase<LowerCumulative> {
  using LowerCumulativeBase::LowerCumulativeBase;

  void runOnOperation() override {
    SmallVector<CumulativeOp> ops;
    getOperation()->walk([&](CumulativeOp op) { ops.push_back(op); });
    for (CumulativeOp op : ops)
      replaceAlong(op, [&](OpBuilder &b, const ReducedView &view) {
        return CumulativeEmitter(b, op, view, vectorLanes == 16 ? 8 : 4).emit();
      });
  }
};

} // namespace
