//===- RowVectors.cpp - rows of tensors, vector by vector -----------------===//
#include "lowering/LinalgToCPU/RowVectors.h"
#include "lowering/LinalgToCPU/VectorMath.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;
using namespace mlir::ds;

/// Accumulators of a fold: enough to hide the latency of an addition.
static constexpr int64_t maxAccumulators = 4;

Value RowVectors::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value RowVectors::splat(TypedAttr value) {
  return arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(vectorOf(value.getType()), value));
}

Value RowVectors::broadcast(Value scalar) {
  return vector::BroadcastOp::create(b, loc, vectorOf(scalar.getType()),
                                     scalar);
}

Value RowVectors::first(Value vector) {
  return vector::ExtractOp::create(b, loc, vector, ArrayRef<int64_t>{0});
}

Value RowVectors::after(Value offset, int64_t count) {
  return count == 0
             ? offset
             : arith::AddIOp::create(b, loc, offset, index(count * lanes));
}

Type RowVectors::computed(Type element) {
  return isa<FloatType>(element) ? Float32Type::get(element.getContext())
                                 : element;
}

Value RowVectors::read(Value tensor, ValueRange at, bool partial,
                       TypedAttr padding) {
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType(),
       wide = computed(element);
  if (!padding)
    padding = b.getZeroAttr(element);
  Value outside = arith::ConstantOp::create(b, loc, padding);
  Value result = vector::TransferReadOp::create(
      b, loc, vectorOf(element), tensor, at, outside, ArrayRef<bool>{!partial});
  if (element != wide)
    result = arith::ExtFOp::create(b, loc, vectorOf(wide), result);
  return result;
}

Value RowVectors::write(Value vector, Value tensor, ValueRange at,
                        bool partial) {
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  if (element != computed(element))
    vector = arith::TruncFOp::create(b, loc, vectorOf(element), vector);
  return vector::TransferWriteOp::create(b, loc, vector, tensor, at,
                                         ArrayRef<bool>{!partial})
      .getResult();
}

Value RowVectors::fourBytes(Value tensor, ValueRange at, bool partial) {
  Value four = RowVectors{b, loc, 4}.read(tensor, at, partial);
  Value word = vector::BitCastOp::create(
      b, loc, VectorType::get({1}, b.getI32Type()), four);
  Value all = broadcast(first(word));
  return vector::BitCastOp::create(
      b, loc, VectorType::get({4 * lanes}, b.getI8Type()), all);
}

Value RowVectors::rounded(Value vector, Type element) {
  if (element.isF32())
    return vector;
  Value narrow = arith::TruncFOp::create(b, loc, vectorOf(element), vector);
  return arith::ExtFOp::create(b, loc, f32(), narrow);
}

int64_t RowVectors::lanesFor(int64_t length) {
  return ShapedType::isDynamic(length) || length >= 16
             ? 16
             : int64_t(llvm::PowerOf2Ceil(std::max<int64_t>(length, 1)));
}

/// `length` without what is left over by steps of `step`.
static OpFoldResult wholeSteps(OpBuilder &b, Location loc, OpFoldResult length,
                               int64_t step) {
  if (std::optional<int64_t> known = getConstantIntValue(length))
    return b.getIndexAttr(*known / step * step);
  Value all = cast<Value>(length);
  Value by = arith::ConstantIndexOp::create(b, loc, step);
  return arith::SubIOp::create(b, loc, all,
                               arith::RemUIOp::create(b, loc, all, by))
      .getResult();
}

SmallVector<Value> RowVectors::along(OpFoldResult length, ValueRange carried,
                                     Body body, bool descending) {
  OpFoldResult whole = wholeSteps(b, loc, length, lanes);
  Value end = getValueOrCreateConstantIndexOp(b, loc, whole);
  SmallVector<Value> values(carried);
  auto loop = [&] {
    if (isConstantIntValue(whole, 0))
      return;
    auto loop = scf::ForOp::create(
        b, loc, index(0), end, index(lanes), values,
        [&](OpBuilder &inner, Location at, Value offset, ValueRange args) {
          RowVectors nested{inner, at, lanes};
          if (descending) {
            Value last =
                arith::SubIOp::create(inner, at, end, nested.index(lanes));
            offset = arith::SubIOp::create(inner, at, last, offset);
          }
          scf::YieldOp::create(inner, at, body(nested, offset, false, args));
        });
    values.assign(loop.result_begin(), loop.result_end());
  };
  if (!descending)
    loop();
  if (whole != length)
    values = body(*this, end, true, values);
  if (descending)
    loop();
  return values;
}

SmallVector<Value> RowVectors::nest(ArrayRef<OpFoldResult> sizes,
                                    ValueRange carried, NestBody body) {
  SmallVector<Value> at;
  auto from = [&](auto &self, RowVectors &v,
                  ValueRange values) -> SmallVector<Value> {
    if (at.size() == sizes.size())
      return body(v, at, values);
    Value end = getValueOrCreateConstantIndexOp(v.b, v.loc, sizes[at.size()]);
    auto loop = scf::ForOp::create(
        v.b, v.loc, v.index(0), end, v.index(1), values,
        [&](OpBuilder &inner, Location l, Value i, ValueRange args) {
          RowVectors nested{inner, l, lanes};
          at.push_back(i);
          scf::YieldOp::create(inner, l, self(self, nested, args));
          at.pop_back();
        });
    return SmallVector<Value>(loop.getResults());
  };
  return from(from, *this, carried);
}

SmallVector<Value> RowVectors::fold(ArrayRef<OpFoldResult> sizes,
                                    ArrayRef<Value> start, FoldStep step,
                                    FoldJoin join,
                                    MutableArrayRef<Value> through) {
  OpFoldResult length = sizes.back();
  std::optional<int64_t> known = getConstantIntValue(length);
  int64_t count = known ? std::clamp<int64_t>(llvm::divideCeil(*known, lanes),
                                              1, maxAccumulators)
                        : maxAccumulators;
  size_t width = start.size();
  SmallVector<Value> values;
  for (int64_t i = 0; i < count; ++i)
    llvm::append_range(values, start);
  values.append(through.begin(), through.end());

  auto advance = [&](RowVectors &v, ValueRange outer, Value offset, int64_t i,
                     bool partial, SmallVectorImpl<Value> &all) {
    SmallVector<Value> at(outer);
    at.push_back(offset);
    MutableArrayRef<Value> own = MutableArrayRef(all).slice(i * width, width);
    SmallVector<Value> next = step(
        v, own, at, partial, MutableArrayRef(all).drop_front(count * width));
    llvm::copy(next, own.begin());
  };
  auto line = [&](RowVectors &v, ValueRange outer, ValueRange carried) {
    SmallVector<Value> all(carried);
    int64_t block = count * lanes;
    OpFoldResult whole = wholeSteps(v.b, v.loc, length, block);
    Value end = getValueOrCreateConstantIndexOp(v.b, v.loc, whole);
    if (!isConstantIntValue(whole, 0)) {
      auto loop = scf::ForOp::create(
          v.b, v.loc, v.index(0), end, v.index(block), all,
          [&](OpBuilder &inner, Location l, Value offset, ValueRange args) {
            RowVectors nested{inner, l, lanes};
            SmallVector<Value> next(args);
            for (int64_t i = 0; i < count; ++i)
              advance(nested, outer, nested.after(offset, i), i, false, next);
            scf::YieldOp::create(inner, l, next);
          });
      all.assign(loop.result_begin(), loop.result_end());
    }
    for (int64_t i = 0; i < count; ++i) {
      int64_t left = known ? *known % block - i * lanes : 0;
      if (!known || left > 0)
        advance(v, outer, v.after(end, i), i, !known || left < lanes, all);
    }
    return all;
  };
  values = nest(sizes.drop_back(), values, line);
  llvm::copy(ArrayRef(values).drop_front(count * width), through.begin());

  auto accumulator = [&](int64_t i) {
    return MutableArrayRef(values).slice(i * width, width);
  };
  for (int64_t left = count; left > 1;) {
    int64_t half = llvm::divideCeil(left, 2);
    for (int64_t i = 0; half + i < left; ++i)
      llvm::copy(join(accumulator(i), accumulator(half + i)),
                 accumulator(i).begin());
    left = half;
  }
  SmallVector<Value> result(accumulator(0));
  foldLanes(b, loc, result, join);
  return result;
}

/// A parallel loop over all but the last `inner` dimensions and, where `panel`
/// is not 0, over panels of the last one. `body` gets the first column, null
/// without panels, and how many there are from it on.
static Value
forEachTile(RowVectors &rows, RankedTensorType type,
            ArrayRef<OpFoldResult> sizes, int64_t inner, int64_t panel,
            llvm::function_ref<Value(RowVectors &, ValueRange at, Value column,
                                     Value left, Value tile)>
                body) {
  OpBuilder &b = rows.b;
  Location loc = rows.loc;
  int64_t rank = sizes.size(), outer = rank - inner;
  Type element = type.getElementType();
  auto init = tensor::EmptyOp::create(b, loc, sizes, element);
  // What the type of the result does not say, `sizes` may, and the other way.
  auto asType = [&](Value result) -> Value {
    return result.getType() == type
               ? result
               : tensor::CastOp::create(b, loc, type, result);
  };
  SmallVector<OpFoldResult> bounds(sizes.take_front(outer));
  if (panel)
    bounds.push_back(rows.panelCount(sizes.back(), panel));
  // One row: nothing to share.
  if (bounds.empty())
    return asType(body(rows, {}, {}, {}, init));
  auto loop = scf::ForallOp::create(
      b, loc, bounds, ValueRange{init.getResult()}, std::nullopt,
      [&](OpBuilder &nb, Location at, ValueRange args) {
        RowVectors nested{nb, at, rows.lanes};
        ValueRange ivs = args.take_front(outer);
        SmallVector<OpFoldResult> offsets(ivs), extent(sizes);
        offsets.append(inner, nb.getIndexAttr(0));
        std::fill_n(extent.begin(), outer, nb.getIndexAttr(1));
        SmallVector<int64_t> shape(init.getType().getShape().take_back(inner));
        Value column, left;
        if (panel) {
          Value columns = getValueOrCreateConstantIndexOp(nb, at, sizes.back());
          column =
              arith::MulIOp::create(nb, at, args[outer], nested.index(panel));
          left = arith::SubIOp::create(nb, at, columns, column);
          offsets.back() = column;
          if (RowVectors::allWhole(shape.back(), panel)) {
            shape.back() = panel;
            extent.back() = nb.getIndexAttr(panel);
          } else {
            shape.back() = ShapedType::kDynamic;
            extent.back() =
                arith::MinUIOp::create(nb, at, left, nested.index(panel))
                    .getResult();
          }
        }
        SmallVector<OpFoldResult> strides(rank, nb.getIndexAttr(1));
        auto tileType = RankedTensorType::get(shape, element);
        Value tile = tensor::ExtractSliceOp::create(
            nb, at, tileType, args.back(), offsets, extent, strides);
        tile = body(nested, ivs, column, left, tile);
        auto terminator = scf::InParallelOp::create(nb, at);
        nb.setInsertionPointToStart(terminator.getBody());
        tensor::ParallelInsertSliceOp::create(nb, at, tile, args.back(),
                                              offsets, extent, strides);
      });
  return asType(loop.getResult(0));
}

Value RowVectors::forEachRow(RankedTensorType type,
                             ArrayRef<OpFoldResult> sizes, int64_t inner,
                             RowBody body) {
  return forEachTile(*this, type, sizes, inner, /*panel=*/0,
                     [&](RowVectors &v, ValueRange at, Value, Value,
                         Value tile) { return body(v, at, tile); });
}

Value RowVectors::forEachPanel(RankedTensorType type,
                               ArrayRef<OpFoldResult> sizes, int64_t inner,
                               int64_t panel, PanelBody body) {
  int64_t columns =
      getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic);
  return forEachTile(
      *this, type, sizes, inner, panel,
      [&](RowVectors &v, ValueRange at, Value column, Value left, Value tile) {
        return v.wholeOrPartial(columns, panel, left, tile.getType(),
                                [&](RowVectors &branch, bool partial) {
                                  return body(branch, at, column, partial,
                                              tile);
                                });
      });
}

OpFoldResult RowVectors::panelCount(OpFoldResult columns, int64_t panel) {
  if (std::optional<int64_t> known = getConstantIntValue(columns))
    return b.getIndexAttr(llvm::divideCeil(*known, panel));
  return arith::CeilDivUIOp::create(b, loc, cast<Value>(columns), index(panel))
      .getResult();
}

Value RowVectors::wholeOrPartial(
    int64_t columns, int64_t panel, Value left, Type type,
    llvm::function_ref<Value(RowVectors &, bool partial)> emit) {
  if (allWhole(columns, panel))
    return emit(*this, false);
  if (!ShapedType::isDynamic(columns) && columns < panel)
    return emit(*this, true);
  Value whole = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, left,
                                      index(panel));
  auto branch = scf::IfOp::create(b, loc, type, whole, /*withElseRegion=*/true);
  for (Region *region : {&branch.getThenRegion(), &branch.getElseRegion()}) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&region->front());
    scf::YieldOp::create(b, loc,
                         emit(*this, region == &branch.getElseRegion()));
  }
  return branch.getResult(0);
}
