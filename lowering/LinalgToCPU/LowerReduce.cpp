//===- LowerReduce.cpp - reductions in vectors ----------------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsElements.h"
#include "lowering/LinalgToCPU/ReducedView.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERREDUCE
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Emits the loops of one reduction. An accumulator is one or more vectors; in
/// the end one of them is the result.
class ReductionEmitter {
public:
  /// `maxParts`: vectors of a panel where each lane has a line of its own.
  ReductionEmitter(OpBuilder &b, Location loc, const ReducedView &view,
                   int64_t maxParts)
      : b(b), loc(loc), view(view), maxParts(maxParts) {}
  virtual ~ReductionEmitter() = default;

  /// The result, of elements `element`, over the sizes that the view keeps.
  Value emit(Type element) {
    SmallVector<OpFoldResult> sizes = view.keptSizes();
    RankedTensorType type = typeOf(sizes, element);
    RowVectors rows{b, loc, view.lanes()};
    if (!view.along()) {
      int64_t parts = view.parts(maxParts);
      return rows.forEachPanel(type, sizes, 1, parts * rows.lanes,
                               [&](RowVectors &v, ValueRange at, Value column,
                                   bool partial, Value tile) {
                                 return emitPanel(v, at, column, parts, partial,
                                                  tile);
                               });
    }
    return rows.forEachRow(
        type, sizes, 0, [&](RowVectors &r, ValueRange at, Value cell) -> Value {
          SmallVector<Value> all = r.fold(
              view.walkedSizes(), start(r, at),
              [&](RowVectors &v, ValueRange accumulator, ValueRange walked,
                  bool partial, MutableArrayRef<Value>) {
                Value x = view.read(v, at, walked, partial, padding());
                return step(v, accumulator, x, walked, partial);
              },
              [&](ValueRange x, ValueRange y) { return join(r, x, y); });
          Value result = r.first(all.back());
          if (result.getType() != element)
            result = arith::TruncFOp::create(r.b, r.loc, element, result);
          return tensor::InsertOp::create(r.b, r.loc, result, cell,
                                          ValueRange());
        });
  }

protected:
  /// What lanes outside the tensor are read as.
  virtual TypedAttr padding() = 0;
  /// The accumulator of the line at `keptAt`.
  virtual SmallVector<Value> start(RowVectors &v, ValueRange keptAt) = 0;
  /// The accumulator with the elements `x` at `walkedAt`.
  virtual SmallVector<Value> step(RowVectors &v, ValueRange accumulator,
                                  Value x, ValueRange walkedAt,
                                  bool partial) = 0;
  /// Two accumulators as one.
  virtual SmallVector<Value> join(RowVectors &v, ValueRange x,
                                  ValueRange y) = 0;

  OpBuilder &b;
  Location loc;
  const ReducedView &view;

private:
  /// The columns of one panel: each lane adds its own, in ascending order.
  Value emitPanel(RowVectors &v, ValueRange outer, Value column, int64_t parts,
                  bool partial, Value tile) {
    SmallVector<SmallVector<Value>> at;
    SmallVector<Value> starts;
    for (int64_t part = 0; part < parts; ++part) {
      at.emplace_back(outer).push_back(v.after(column, part));
      llvm::append_range(starts, start(v, at.back()));
    }
    size_t width = starts.size() / parts;
    SmallVector<Value> sums = v.nest(
        view.walkedSizes(), starts,
        [&](RowVectors &inner, ValueRange walked, ValueRange carried) {
          SmallVector<Value> next;
          for (int64_t part = 0; part < parts; ++part) {
            Value x = view.read(inner, at[part], walked, partial, padding());
            llvm::append_range(next,
                               step(inner, carried.slice(part * width, width),
                                    x, walked, partial));
          }
          return next;
        });
    for (int64_t part = 0; part < parts; ++part)
      tile = v.write(sums[(part + 1) * width - 1], tile,
                     v.index(part * v.lanes), partial);
    return tile;
  }

  int64_t maxParts;
};

/// Sum, product, largest, smallest.
class CombineEmitter : public ReductionEmitter {
public:
  CombineEmitter(OpBuilder &b, ReduceOp op, const ReducedView &view,
                 int64_t maxParts)
      : ReductionEmitter(b, op.getLoc(), view, maxParts),
        kind(combinerOf(op.getKind(),
                        getElementTypeOrSelf(op.getInput().getType()))) {}

private:
  TypedAttr neutral(Type element) {
    return arith::getIdentityValueAttr(kind, element, b, loc);
  }
  TypedAttr padding() override { return neutral(view.element()); }
  SmallVector<Value> start(RowVectors &v, ValueRange) override {
    return {v.splat(neutral(RowVectors::computed(view.element())))};
  }
  SmallVector<Value> step(RowVectors &v, ValueRange accumulator, Value x,
                          ValueRange, bool) override {
    return join(v, accumulator, x);
  }
  SmallVector<Value> join(RowVectors &v, ValueRange x, ValueRange y) override {
    return {arith::getReductionOp(kind, v.b, v.loc, x[0], y[0])};
  }

  arith::AtomicRMWKind kind;
};

/// Where the largest or smallest element is: accumulators are the best element
/// so far and its index.
class ArgEmitter : public ReductionEmitter {
public:
  ArgEmitter(OpBuilder &b, ArgReduceOp op, const ReducedView &view,
             int64_t maxParts)
      : ReductionEmitter(b, op.getLoc(), view, maxParts),
        isMax(op.getKind() == ReduceKind::Max), last(op.getSelectLast()),
        isUnsigned(
            getElementTypeOrSelf(op.getInput().getType()).isUnsignedInteger()) {
  }

private:
  TypedAttr padding() override { return b.getZeroAttr(view.element()); }

  /// Element 0: a NaN there is never beaten. Every lane of a line starts with
  /// it; an empty line reads nothing.
  SmallVector<Value> start(RowVectors &v, ValueRange keptAt) override {
    Value nowhere = v.splat(v.b.getI64IntegerAttr(0));
    if (!view.along())
      return {v.splat(v.b.getZeroAttr(RowVectors::computed(view.element()))),
              nowhere};
    Value x = view.read(v, keptAt, v.index(0), /*partial=*/true);
    return {v.broadcast(v.first(x)), nowhere};
  }

  SmallVector<Value> step(RowVectors &v, ValueRange best, Value x,
                          ValueRange walkedAt, bool partial) override {
    OpBuilder &b = v.b;
    Location loc = v.loc;
    Value position = walkedAt.back();
    Value at = v.broadcast(
        arith::IndexCastOp::create(b, loc, b.getI64Type(), position));
    Value wins = compare(v, last, x, best[0]);
    if (!view.along()) {
      Value isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                            position, v.index(0));
      wins = arith::OrIOp::create(b, loc, wins, v.broadcast(isFirst));
    } else {
      if (partial) {
        Value length =
            getValueOrCreateConstantIndexOp(b, loc, view.walkedSizes().back());
        Value inside = vector::CreateMaskOp::create(
            b, loc, v.vectorOf(b.getI1Type()),
            arith::SubIOp::create(b, loc, length, position).getResult());
        wins = arith::AndIOp::create(b, loc, wins, inside);
      }
      SmallVector<int64_t> numbers = llvm::to_vector(llvm::seq(v.lanes));
      at = arith::AddIOp::create(
          b, loc, at,
          arith::ConstantOp::create(
              b, loc,
              DenseElementsAttr::get(v.vectorOf(b.getI64Type()),
                                     ArrayRef(numbers))));
    }
    return chosen(v, wins, {x, at}, best);
  }

  SmallVector<Value> join(RowVectors &v, ValueRange x, ValueRange y) override {
    OpBuilder &b = v.b;
    Location loc = v.loc;
    Value better = compare(v, /*orEqual=*/false, y[0], x[0]),
          worse = compare(v, /*orEqual=*/false, x[0], y[0]);
    // Equal, or both NaN: then both are element 0.
    Value before = arith::CmpIOp::create(
        b, loc, last ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::slt,
        y[1], x[1]);
    Value wins = arith::OrIOp::create(
        b, loc, better,
        arith::AndIOp::create(b, loc, before,
                              arith::CmpIOp::create(b, loc,
                                                    arith::CmpIPredicate::eq,
                                                    better, worse)));
    return chosen(v, wins, y, x);
  }

  static SmallVector<Value> chosen(RowVectors &v, Value condition, ValueRange x,
                                   ValueRange y) {
    return {arith::SelectOp::create(v.b, v.loc, condition, x[0], y[0]),
            arith::SelectOp::create(v.b, v.loc, condition, x[1], y[1])};
  }

  /// Whether x is better than y. NaN is not.
  Value compare(RowVectors &v, bool orEqual, Value x, Value y) {
    if (!isMax)
      std::swap(x, y);
    if (isa<FloatType>(view.element()))
      return arith::CmpFOp::create(v.b, v.loc,
                                   orEqual ? arith::CmpFPredicate::OGE
                                           : arith::CmpFPredicate::OGT,
                                   x, y);
    using P = arith::CmpIPredicate;
    return arith::CmpIOp::create(v.b, v.loc,
                                 isUnsigned ? (orEqual ? P::uge : P::ugt)
                                            : (orEqual ? P::sge : P::sgt),
                                 x, y);
  }

  bool isMax, last, isUnsigned;
};

struct LowerReduce : ds::impl::LowerReduceBase<LowerReduce> {
  using LowerReduceBase::LowerReduceBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<ReduceOp, ArgReduceOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      if (auto reduce = dyn_cast<ReduceOp>(op))
        lower<CombineEmitter>(reduce, reduce.getAxes());
      else
        lower<ArgEmitter>(cast<ArgReduceOp>(op),
                          int64_t(cast<ArgReduceOp>(op).getAxis()));
    }
  }

private:
  template <typename Emitter, typename Op>
  void lower(Op op, ArrayRef<int64_t> axes) {
    OpBuilder b(op);
    std::optional<ReducedView> view = ReducedView::of(b, op.getInput(), axes);
    ReifiedRankedShapedTypeDims sizes;
    if (!view || failed(reifyResultShapes(b, op, sizes)))
      return;
    int64_t maxParts = vectorLanes == 16 ? 8 : 4;
    Type element = signless(getElementTypeOrSelf(op.getType()));
    Value result = Emitter(b, op, *view, maxParts).emit(element);
    op.replaceAllUsesWith(
        ReducedView::restored(b, result, op.getResult(), sizes[0]));
    op.erase();
  }
};

} // namespace
