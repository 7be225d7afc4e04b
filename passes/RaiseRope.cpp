//===- RaiseRope.cpp - the spellings of RoPE become ds.rope ---------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/ViewChain.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::ds {
#define GEN_PASS_DEF_RAISEROPE
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

static int64_t lastDim(Value value) { return tensorType(value).getRank() - 1; }

/// The slice of `x` along its last dimension, all others whole, that makes
/// `value`.
static std::optional<SliceRange> matchLastSlice(Value value, Value &x) {
  auto slice = value.getDefiningOp<SliceOp>();
  if (!slice || lastDim(slice) < 0)
    return std::nullopt;
  int64_t last = lastDim(slice);
  SymbolicElements symbols;
  for (int64_t d = 0; d < last; ++d)
    if (slice.getStaticOffsets()[d] != 0 || slice.getStaticStrides()[d] != 1 ||
        !(symbols.valueOf(slice.getMixedSizes()[d]) ==
          symbols.sizeOf(slice.getInput(), d)))
      return std::nullopt;
  x = slice.getInput();
  return matchSliceAlong(slice, last);
}

namespace {

/// Halves of cos/sin tables, made once per table.
class TableHalves {
public:
  /// The first half of `table` along its last dimension if the second half is
  /// the same; null if that cannot be shown. Follows the table to where it is
  /// doubled and remakes what is below.
  Value of(Value table) { return of(table, lastDim(table)); }

private:
  Value of(Value table, int64_t dim) {
    auto it = halves.find({table, dim});
    if (it != halves.end())
      return it->second;
    Value half = compute(table, dim);
    halves[{table, dim}] = half;
    return half;
  }

  RankedTensorType halfType(Value table, int64_t dim) {
    RankedTensorType type = tensorType(table);
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] /= 2;
    return RankedTensorType::get(shape, type.getElementType());
  }

  /// Where dimension `dim` of a reshape's result stands in its input: the one
  /// of that size with as many elements behind it.
  std::optional<int64_t> reshapedDim(ReshapeOp op, int64_t dim) {
    auto behind = [&](Value value, int64_t d) {
      Polynomial count(1);
      for (int64_t i = d + 1; i <= lastDim(value); ++i)
        count = count * symbols.sizeOf(value, i);
      return count;
    };
    int64_t size = tensorType(op).getDimSize(dim);
    for (int64_t d = lastDim(op.getInput()); d >= 0; --d)
      if (tensorType(op.getInput()).getDimSize(d) == size &&
          behind(op.getInput(), d) == behind(op, dim))
        return d;
    return std::nullopt;
  }

  Value compute(Value table, int64_t dim) {
    RankedTensorType type = tensorType(table);
    if (dim < 0 || type.isDynamicDim(dim) || type.getDimSize(dim) % 2 != 0)
      return nullptr;
    DenseElementsAttr constant;
    if (matchPattern(table, m_Constant(&constant)))
      return halfOfConstant(table, dim, constant);
    Operation *op = table.getDefiningOp();
    if (!op)
      return nullptr;
    OpBuilder builder(op);
    Location loc = op->getLoc();
    if (auto concat = dyn_cast<ConcatOp>(op)) {
      if (int64_t(concat.getAxis()) != dim)
        return nullptr;
      bool doubled = concat.getInputs().size() == 2 &&
                     concat.getInputs()[0] == concat.getInputs()[1];
      return doubled ? Value(concat.getInputs()[0]) : Value();
    }
    if (isa<ElementwiseOp, CastOp>(op)) {
      SmallVector<Value> operands;
      for (Value operand : op->getOperands()) {
        RankedTensorType operandType = tensorType(operand);
        int64_t d = dim - (type.getRank() - operandType.getRank());
        bool repeats = d < 0 || operandType.getDimSize(d) == 1;
        operands.push_back(repeats ? operand : of(operand, d));
        if (!operands.back())
          return nullptr;
      }
      return builder
          .create(loc, op->getName().getIdentifier(), operands,
                  {halfType(table, dim)}, op->getAttrs())
          ->getResult(0);
    }
    if (auto reshape = dyn_cast<ReshapeOp>(op)) {
      std::optional<int64_t> d = reshapedDim(reshape, dim);
      Value input = d ? of(reshape.getInput(), *d) : Value();
      if (!input)
        return nullptr;
      return ReshapeOp::create(builder, loc, halfType(table, dim), input,
                               reshape.getDims());
    }
    if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
      int64_t d = dim - (lastDim(table) - lastDim(broadcast.getInput()));
      bool repeats =
          d < 0 || tensorType(broadcast.getInput()).getDimSize(d) == 1;
      Value input =
          repeats ? broadcast.getInput() : of(broadcast.getInput(), d);
      if (!input)
        return nullptr;
      return BroadcastOp::create(builder, loc, halfType(table, dim), input,
                                 broadcast.getDims());
    }
    if (auto transpose = dyn_cast<TransposeOp>(op)) {
      Value input = of(transpose.getInput(), transpose.getPerm()[dim]);
      if (!input)
        return nullptr;
      return TransposeOp::create(builder, loc, halfType(table, dim), input,
                                 transpose.getPermAttr());
    }
    if (auto gather = dyn_cast<GatherOp>(op)) {
      int64_t axis = gather.getAxis(),
              indexRank = tensorType(gather.getIndices()).getRank();
      if (dim >= axis && dim < axis + indexRank)
        return nullptr;
      Value input =
          of(gather.getInput(), dim < axis ? dim : dim - indexRank + 1);
      if (!input)
        return nullptr;
      return GatherOp::create(builder, loc, halfType(table, dim), input,
                              gather.getIndices(), gather.getAxisAttr());
    }
    return nullptr;
  }

  Value halfOfConstant(Value table, int64_t dim, DenseElementsAttr constant) {
    RankedTensorType type = halfType(table, dim);
    OpBuilder builder(table.getDefiningOp());
    if (constant.isSplat())
      return arith::ConstantOp::create(builder, table.getLoc(),
                                       constant.resizeSplat(type));
    // [outer, 2, half]: what lies behind `dim` counts with it.
    int64_t half = 1;
    for (int64_t size : type.getShape().drop_front(dim))
      half *= size;
    SmallVector<Attribute> kept;
    auto values = constant.getValues<Attribute>();
    for (int64_t start = 0; start < constant.getNumElements();
         start += 2 * half)
      for (int64_t i = start; i < start + half; ++i) {
        if (values[i] != values[half + i])
          return nullptr;
        kept.push_back(values[i]);
      }
    return arith::ConstantOp::create(builder, table.getLoc(),
                                     DenseElementsAttr::get(type, kept));
  }

  SymbolicElements symbols;
  DenseMap<std::pair<Value, int64_t>, Value> halves;
};

struct Rotation {
  Value x, cos, sin;
  RopeLayout in, out;
};

struct RaiseRope : ds::impl::RaiseRopeBase<RaiseRope> {
  void runOnOperation() override {
    SmallVector<Operation *> roots;
    getOperation()->walk([&](Operation *op) {
      if (isa<ElementwiseOp, ConcatOp, ReshapeOp>(op))
        roots.push_back(op);
    });
    TableHalves halves;
    for (Operation *op : roots) {
      if (auto concat = dyn_cast<ConcatOp>(op)) {
        raiseJoined(concat, halves);
        continue;
      }
      std::optional<Rotation> rotation;
      if (auto sum = dyn_cast<ElementwiseOp>(op))
        rotation = matchRotateHalf(sum, halves);
      else
        rotation = matchWoven(cast<ReshapeOp>(op), halves);
      if (rotation)
        if (Value rotated = rotate(op, *rotation))
          op->getResult(0).replaceAllUsesWith(rotated);
    }
  }

private:
  /// x·cos + concat(−x_hi, x_lo)·sin.
  std::optional<Rotation> matchRotateHalf(ElementwiseOp sum,
                                          TableHalves &halves) {
    if (sum.getKind() != ElementwiseKind::Add)
      return std::nullopt;
    for (unsigned i : {0u, 1u}) {
      auto straight =
          matchElementwise(sum.getOperands()[i], ElementwiseKind::Mul);
      auto rotated =
          matchElementwise(otherOperand(sum, i), ElementwiseKind::Mul);
      if (!straight || !rotated)
        continue;
      for (unsigned j : {0u, 1u}) {
        Value x = matchRotatedHalf(rotated.getOperands()[j]);
        if (!x)
          continue;
        for (unsigned k : {0u, 1u}) {
          if (straight.getOperands()[k] != x)
            continue;
          Value cosTable = otherOperand(straight, k);
          Value sinTable = otherOperand(rotated, j);
          Value cos = halves.of(cosTable), sin = halves.of(sinTable);
          if (cos && sin) {
            Value pairs = matchUnwoven(x);
            return Rotation{pairs ? pairs : x, cos, sin,
                            pairs ? RopeLayout::Pairs : RopeLayout::Halves,
                            RopeLayout::Halves};
          }
          sum.emitRemark()
              << "looks like RoPE, but the two halves of its cos or sin table "
                 "could not be shown to be equal: left as it is";
        }
      }
    }
    return std::nullopt;
  }

  /// x if `value` is concat(−x[h:], x[:h]) along the last dimension.
  Value matchRotatedHalf(Value value) {
    auto concat = value.getDefiningOp<ConcatOp>();
    if (!concat || concat.getInputs().size() != 2 ||
        int64_t(concat.getAxis()) != lastDim(concat))
      return nullptr;
    auto negated =
        matchElementwise(concat.getInputs()[0], ElementwiseKind::Neg);
    if (!negated)
      return nullptr;
    Value x, y;
    auto high = matchLastSlice(negated.getOperands()[0], x);
    auto low = matchLastSlice(concat.getInputs()[1], y);
    if (!high || !low || x != y)
      return nullptr;
    int64_t width = tensorType(x).getShape().back();
    bool halves = width % 2 == 0 && high->stride == 1 && low->stride == 1 &&
                  high->offset == width / 2 && high->size == width / 2 &&
                  low->offset == 0 && low->size == width / 2;
    return halves ? x : nullptr;
  }

  /// The value of pairs of which `halves` [.., 2·h] has the first elements in
  /// its first half and the second ones in its second, as a view; or null.
  Value matchUnwoven(Value halves) {
    SymbolicElements symbols;
    ViewChain chain = ViewChain::of(halves, symbols);
    auto &last = chain.dims.back();
    bool unwoven = last.size() == 2 && !last[0].isRepeat() &&
                   last[0].rootDim == last[1].rootDim && last[0].stride == 1 &&
                   last[1].stride == 2 && last[0].size == Polynomial(2);
    for (auto &dim : chain.dims)
      for (const ViewAtom &atom : dim)
        unwoven &= !atom.isRepeat();
    if (!unwoven)
      return nullptr;
    last = {{last[0].size * last[1].size, last[0].rootDim}};
    OpBuilder builder(halves.getDefiningOp());
    return chain.materialize(builder, halves.getLoc(), chain.dims);
  }

  /// Joined along the last dimension, among others perhaps: a·cos − b·sin and
  /// b·cos + a·sin.
  void raiseJoined(ConcatOp concat, TableHalves &halves) {
    if (int64_t(concat.getAxis()) != lastDim(concat))
      return;
    SmallVector<Value> inputs(concat.getInputs());
    bool changed = false;
    for (size_t i = 0; i + 1 < inputs.size(); ++i) {
      std::optional<Rotation> rotation =
          matchTwoProducts(inputs[i], inputs[i + 1], halves);
      // Columns of pairs are joined to pairs, see matchWoven().
      if (!rotation || 2 * tensorType(inputs[i]).getShape().back() !=
                           tensorType(rotation->x).getShape().back())
        continue;
      Value rotated = rotate(concat, *rotation);
      if (!rotated)
        continue;
      inputs[i] = rotated;
      inputs.erase(inputs.begin() + i + 1);
      changed = true;
    }
    if (!changed)
      return;
    OpBuilder builder(concat);
    concat.replaceAllUsesWith(inputs.size() == 1
                                  ? inputs[0]
                                  : ConcatOp::create(builder, concat.getLoc(),
                                                     concat.getType(),
                                                     concat.getAxis(), inputs)
                                        .getResult());
  }

  /// [.., h, 2] as [.., 2·h], made of a·cos − b·sin and b·cos + a·sin.
  std::optional<Rotation> matchWoven(ReshapeOp reshape, TableHalves &halves) {
    auto concat = reshape.getInput().getDefiningOp<ConcatOp>();
    if (!concat || concat.getInputs().size() != 2 ||
        int64_t(concat.getAxis()) != lastDim(concat) ||
        !dropsLast(reshape.getResult(), concat))
      return std::nullopt;
    Value parts[2];
    for (auto [part, input] : llvm::zip_equal(parts, concat.getInputs())) {
      if (tensorType(input).getShape().back() != 1)
        return std::nullopt;
      // Columns [.., h, 1] may be what was computed, as with complex numbers.
      auto unsqueeze = input.getDefiningOp<ReshapeOp>();
      bool isColumn = !unsqueeze || !dropsLast(unsqueeze.getInput(), unsqueeze);
      part = isColumn ? input : unsqueeze.getInput();
    }
    std::optional<Rotation> rotation =
        matchTwoProducts(parts[0], parts[1], halves);
    if (!rotation)
      return std::nullopt;
    rotation->out = RopeLayout::Pairs;
    if (parts[0].getType() == concat.getInputs()[0].getType())
      for (Value *table : {&rotation->cos, &rotation->sin})
        *table = withoutLast(*table);
    return rotation;
  }

  /// `column` [.., h, 1] as [.., h].
  static Value withoutLast(Value column) {
    OpBuilder builder(column.getContext());
    builder.setInsertionPointAfterValue(column);
    RankedTensorType type = tensorType(column);
    SmallVector<Value> dims;
    for (int64_t d = 0; d + 1 < type.getRank(); ++d)
      if (type.isDynamicDim(d))
        dims.push_back(
            tensor::DimOp::create(builder, column.getLoc(), column, d));
    return ReshapeOp::create(builder, column.getLoc(),
                             type.clone(type.getShape().drop_back()), column,
                             dims);
  }

  /// Whether the shape of `flat` is that of `split` with the last two
  /// dimensions merged.
  static bool dropsLast(Value flat, Value split) {
    ArrayRef<int64_t> shape = tensorType(split).getShape(),
                      merged = tensorType(flat).getShape();
    return shape.size() == merged.size() + 1 && merged.size() > 0 &&
           shape.drop_back(2) == merged.drop_back() &&
           !ShapedType::isDynamic(merged.back()) &&
           shape[shape.size() - 2] * shape.back() == merged.back();
  }

  /// Which elements along the last dimension of `x` `value` has: cut out of
  /// `x`, or of one of the two parts that every pair or the whole was split
  /// into.
  std::optional<SliceRange> matchPart(Value value, Value &x) {
    if (std::optional<SliceRange> range = matchLastSlice(value, x)) {
      // A column of pairs [.., h, 2] is every second element.
      ArrayRef<int64_t> shape = tensorType(x).getShape();
      auto pairs = x.getDefiningOp<ReshapeOp>();
      if (range->size != 1 || shape.back() != 2 || !pairs ||
          !dropsLast(pairs.getInput(), x))
        return range;
      x = pairs.getInput();
      return SliceRange{range->offset, shape[shape.size() - 2], 2};
    }
    auto squeeze = value.getDefiningOp<ReshapeOp>();
    if (!squeeze || !dropsLast(value, squeeze.getInput()) ||
        tensorType(squeeze.getInput()).getShape().back() != 1)
      return std::nullopt;
    Value split;
    std::optional<SliceRange> one = matchLastSlice(squeeze.getInput(), split);
    auto pairs = split ? split.getDefiningOp<ReshapeOp>() : ReshapeOp();
    if (!one || !pairs || !dropsLast(pairs.getInput(), split))
      return std::nullopt;
    x = pairs.getInput();
    ArrayRef<int64_t> shape = tensorType(split).getShape();
    return SliceRange{one->offset, shape[shape.size() - 2], shape.back()};
  }

  /// a·cos − b·sin and b·cos + a·sin, a and b halves or every second element of
  /// x: halves of the result.
  std::optional<Rotation> matchTwoProducts(Value low, Value high,
                                           TableHalves &halves) {
    auto difference = matchElementwise(low, ElementwiseKind::Sub);
    auto sum = matchElementwise(high, ElementwiseKind::Add);
    if (!difference || !sum)
      return std::nullopt;
    auto aCos =
        matchElementwise(difference.getOperands()[0], ElementwiseKind::Mul);
    auto bSin =
        matchElementwise(difference.getOperands()[1], ElementwiseKind::Mul);
    if (!aCos || !bSin)
      return std::nullopt;
    for (unsigned i : {0u, 1u})
      for (unsigned j : {0u, 1u}) {
        Value a = aCos.getOperands()[i], cos = otherOperand(aCos, i);
        Value b = bSin.getOperands()[j], sin = otherOperand(bSin, j);
        Value x, y;
        auto first = matchPart(a, x), second = matchPart(b, y);
        if (!first || !second || x != y || !isSumOf(sum, b, cos, a, sin))
          continue;
        int64_t half = tensorType(x).getShape().back() / 2;
        if (first->size != half || second->size != half ||
            tensorType(x).getShape().back() != 2 * half)
          continue;
        RopeLayout in;
        if (first->offset == 0 && second->offset == half &&
            first->stride == 1 && second->stride == 1)
          in = RopeLayout::Halves;
        else if (first->offset == 0 && second->offset == 1 &&
                 first->stride == 2 && second->stride == 2)
          in = RopeLayout::Pairs;
        else
          continue;
        return Rotation{x, uncut(cos, halves), uncut(sin, halves), in,
                        RopeLayout::Halves};
      }
    return std::nullopt;
  }

  /// A table that was doubled and cut back is the table before.
  Value uncut(Value table, TableHalves &halves) {
    Value full;
    auto range = matchLastSlice(table, full);
    if (range && range->stride == 1 &&
        2 * range->size == tensorType(full).getShape().back() &&
        range->offset % range->size == 0)
      if (Value half = halves.of(full))
        return half;
    return table;
  }

  /// Whether `sum` is b·cos + a·sin in any order of operands.
  bool isSumOf(ElementwiseOp sum, Value b, Value cos, Value a, Value sin) {
    auto isProduct = [](Value value, Value p, Value q) {
      auto product = matchElementwise(value, ElementwiseKind::Mul);
      return product &&
             ((product.getOperands()[0] == p &&
               product.getOperands()[1] == q) ||
              (product.getOperands()[0] == q && product.getOperands()[1] == p));
    };
    for (unsigned i : {0u, 1u})
      if (isProduct(sum.getOperands()[i], b, cos) &&
          isProduct(otherOperand(sum, i), a, sin))
        return true;
    return false;
  }

  /// The rotation as ds.rope, made before `op`; null where its tables are not
  /// those of rows.
  Value rotate(Operation *op, const Rotation &rotation) {
    RankedTensorType type = tensorType(rotation.x);
    int64_t rank = type.getRank();
    // Tables have no head dimension; it is where they are 1 and x is not read
    // by position: next to last ([.., S, H, R]) or, where the transpose could
    // not sink, before the rows ([B, H, S, R]).
    if (rank != 3 && rank != 4)
      return nullptr;
    auto tableDim = [&](Value table, int64_t dim) -> int64_t {
      RankedTensorType t = tensorType(table);
      int64_t d = dim - (rank - t.getRank());
      return d < 0 ? 1 : t.getDimSize(d);
    };
    auto headsAt = [&](int64_t dim) {
      return tableDim(rotation.cos, dim) == 1 &&
             tableDim(rotation.sin, dim) == 1;
    };
    bool rowsFirst = rank == 3 || headsAt(2);
    if (!rowsFirst && !headsAt(1)) {
      op->emitRemark() << "looks like RoPE, but its tables differ by head: "
                          "left as it is";
      return nullptr;
    }
    OpBuilder builder(op);
    Location loc = op->getLoc();
    SmallVector<int64_t> swap{0, 2, 1, 3};
    auto transposed = [&](Value value) -> Value {
      RankedTensorType t = tensorType(value);
      auto result = RankedTensorType::get(
          {t.getDimSize(0), t.getDimSize(2), t.getDimSize(1), t.getDimSize(3)},
          t.getElementType());
      return TransposeOp::create(builder, loc, result, value,
                                 builder.getDenseI64ArrayAttr(swap));
    };
    Value x = rowsFirst ? rotation.x : transposed(rotation.x);
    int64_t rowDim = rowsFirst ? 1 : 2;
    auto table = [&](Value value) -> Value {
      // [B, S, R/2], repeated over the batch where the table has none.
      RankedTensorType t = tensorType(value);
      SmallVector<int64_t> shape{tableDim(value, 0), tableDim(value, rowDim),
                                 t.getShape().back()};
      SmallVector<Value> dims;
      auto dynamic = [&](int64_t dim) {
        int64_t d = dim - (rank - t.getRank());
        if (d >= 0 && t.isDynamicDim(d))
          dims.push_back(tensor::DimOp::create(builder, loc, value, d));
      };
      dynamic(0);
      dynamic(rowDim);
      auto reshapedType = RankedTensorType::get(shape, t.getElementType());
      Value result = value;
      if (value.getType() != reshapedType)
        result = ReshapeOp::create(builder, loc, reshapedType, value, dims);
      RankedTensorType rows = tensorType(x);
      SmallVector<int64_t> full{rows.getDimSize(0), rows.getDimSize(1),
                                shape[2]};
      auto missing = [&](int64_t d) { return shape[d] == 1 && full[d] != 1; };
      if (!missing(0) && !missing(1))
        return result;
      for (int64_t d : {0, 1})
        if (!missing(d))
          full[d] = shape[d];
      SmallVector<Value> fullDims;
      for (int64_t d : {0, 1})
        if (ShapedType::isDynamic(full[d]))
          fullDims.push_back(
              tensor::DimOp::create(builder, loc, missing(d) ? x : result, d));
      return BroadcastOp::create(
          builder, loc, RankedTensorType::get(full, t.getElementType()), result,
          fullDims);
    };
    auto make = [&](Value rows) -> Value {
      auto resultType =
          RankedTensorType::get(tensorType(rows).getShape(),
                                tensorType(op->getResult(0)).getElementType());
      return RopeOp::create(builder, loc, resultType, rows, table(rotation.cos),
                            table(rotation.sin), rotation.in, rotation.out);
    };
    if (rank == 3) {
      // One head: a dimension for it comes and goes.
      SmallVector<Value> dims;
      for (int64_t d : {0, 1})
        if (type.isDynamicDim(d))
          dims.push_back(tensor::DimOp::create(builder, loc, x, d));
      SmallVector<int64_t> shape{type.getDimSize(0), type.getDimSize(1), 1,
                                 type.getDimSize(2)};
      Value rope =
          make(ReshapeOp::create(builder, loc, type.clone(shape), x, dims));
      return ReshapeOp::create(builder, loc,
                               type.clone(tensorType(rope).getElementType()),
                               rope, dims);
    }
    return rowsFirst ? make(x) : transposed(make(x));
  }
};

} // namespace
