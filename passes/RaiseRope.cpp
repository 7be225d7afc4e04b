//===- RaiseRope.cpp - the spellings of RoPE become ds.rope ---------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/SymbolicElement.h"
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
      if (isa<ElementwiseOp, ConcatOp>(op))
        roots.push_back(op);
    });
    TableHalves halves;
    for (Operation *op : roots) {
      std::optional<Rotation> rotation;
      if (auto sum = dyn_cast<ElementwiseOp>(op))
        rotation = matchRotateHalf(sum, halves);
      else
        rotation = matchTwoProducts(cast<ConcatOp>(op), halves);
      if (rotation)
        rewrite(op, *rotation);
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
          if (cos && sin)
            return Rotation{x, cos, sin, RopeLayout::Halves,
                            RopeLayout::Halves};
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

  /// concat(a·cos − b·sin, b·cos + a·sin), a and b halves or every second
  /// element of x.
  std::optional<Rotation> matchTwoProducts(ConcatOp concat,
                                           TableHalves &halves) {
    if (concat.getInputs().size() != 2 ||
        int64_t(concat.getAxis()) != lastDim(concat))
      return std::nullopt;
    auto difference =
        matchElementwise(concat.getInputs()[0], ElementwiseKind::Sub);
    auto sum = matchElementwise(concat.getInputs()[1], ElementwiseKind::Add);
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
        auto first = matchLastSlice(a, x), second = matchLastSlice(b, y);
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

  void rewrite(Operation *op, const Rotation &rotation) {
    RankedTensorType type = tensorType(rotation.x);
    // Tables have no head dimension; it is where they are 1 and x is not read
    // by position: next to last ([.., S, H, R]) or, where the transpose could
    // not sink, before the rows ([B, H, S, R]).
    if (type.getRank() != 4)
      return;
    auto tableDim = [](Value table, int64_t dim) -> int64_t {
      RankedTensorType t = tensorType(table);
      int64_t d = dim - (4 - t.getRank());
      return d < 0 ? 1 : t.getDimSize(d);
    };
    auto headsAt = [&](int64_t dim) {
      return tableDim(rotation.cos, dim) == 1 &&
             tableDim(rotation.sin, dim) == 1;
    };
    bool rowsFirst = headsAt(2);
    if (!rowsFirst && !headsAt(1)) {
      op->emitRemark() << "looks like RoPE, but its tables differ by head: "
                          "left as it is";
      return;
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
        int64_t d = dim - (4 - t.getRank());
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
    auto resultType =
        RankedTensorType::get(tensorType(x).getShape(),
                              tensorType(op->getResult(0)).getElementType());
    Value rope =
        RopeOp::create(builder, loc, resultType, x, table(rotation.cos),
                       table(rotation.sin), rotation.in, rotation.out);
    op->getResult(0).replaceAllUsesWith(rowsFirst ? rope : transposed(rope));
  }
};

} // namespace
