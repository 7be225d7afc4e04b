//===- GroupedRows.cpp - rows sorted by expert, expert by expert ----------===//
//
// See GroupedRows.h.
//
//===----------------------------------------------------------------------===//
#include "passes/GroupedRows.h"
#include "passes/Match.h"
#include <cmath>

using namespace mlir;
using namespace mlir::ds;

using Kind = Term::Kind;

/// The numbers of the rows that `piece` is computed from.
static RangeOp rowsOf(Value piece) {
  while (Operation *op = piece.getDefiningOp()) {
    auto gather = dyn_cast<GatherOp>(op);
    if (gather && gather.getAxis() == 0)
      return gather.getIndices().getDefiningOp<RangeOp>();
    if (!isa<LinearOp, MatmulOp, SwigluOp, SliceOp, CastOp>(op))
      break;
    piece = op->getOperand(0);
  }
  return nullptr;
}

/// The scalar tensor element that a size is, without what only guards it.
static Value scalarOf(Value size) {
  while (auto cast = size.getDefiningOp<arith::IndexCastOp>())
    size = cast.getIn();
  return size;
}

/// `value` without casts, and without roundings up and lower
/// bounds of 0, which change no count.
static Value peelCount(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    auto elementwise = dyn_cast<ElementwiseOp>(op);
    bool isGuard =
        elementwise && (elementwise.getKind() == ElementwiseKind::Ceil ||
                        (elementwise.getKind() == ElementwiseKind::Max &&
                         matchSplat(elementwise.getOperands()[1]) == 0.0));
    if (!isGuard && !isa<CastOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// The op whose element `index` the scalar `value` is.
static CumulativeOp elementOf(Value value, int64_t index,
                              SymbolicElements &symbols) {
  TermRef term = symbols.elementOf(value, {});
  return term->kind == Kind::Element && term->indices.size() == 1 &&
                 term->indices[0] == Polynomial(index)
             ? term->value.getDefiningOp<CumulativeOp>()
             : CumulativeOp();
}

/// What `value` is where `source` is `number`, if only functions of one number
/// lie between. Products and quotients are off by the part `error` of them.
static std::optional<double> evaluate(Value value, Value source, double number,
                                      double error) {
  if (value == source)
    return number;
  Operation *op = value.getDefiningOp();
  if (!isa_and_nonnull<ReshapeOp, CastOp, ElementwiseOp>(op))
    return std::nullopt;
  std::optional<double> inner =
      evaluate(op->getOperand(0), source, number, error);
  if (!inner || isa<ReshapeOp>(op))
    return inner;
  bool isFloat = isa<FloatType>(tensorType(value).getElementType());
  if (isa<CastOp>(op))
    return isFloat ? *inner : std::trunc(*inner);
  std::optional<double> other =
      op->getNumOperands() == 2 ? matchSplat(op->getOperand(1)) : std::nullopt;
  if (!other)
    return std::nullopt;
  switch (cast<ElementwiseOp>(op).getKind()) {
  case ElementwiseKind::Div:
    return isFloat ? std::optional(*inner / *other * (1 + error))
                   : std::nullopt;
  case ElementwiseKind::Mul:
    return isFloat ? std::optional(*inner * *other * (1 + error))
                   : std::nullopt;
  case ElementwiseKind::Max:
    return std::max(*inner, *other);
  case ElementwiseKind::Min:
    return std::min(*inner, *other);
  default:
    return std::nullopt;
  }
}

/// The sort of the entries by expert, if element e of `counts` is how many
/// entries have the expert e.
static TopKOp sortOf(Value counts, int64_t experts, SymbolicElements &symbols) {
  while (auto cast = counts.getDefiningOp<CastOp>())
    counts = cast.getInput();
  auto scatter = counts.getDefiningOp<ScatterElementsOp>();
  if (!scatter || scatter.getKind() != ScatterKind::Add ||
      tensorType(scatter).getRank() != 1 ||
      tensorType(scatter).getDimSize(0) != experts ||
      matchSplat(scatter.getInput()) != 0.0 ||
      matchSplat(scatter.getUpdates()) != 1.0)
    return nullptr;
  // From the bin of an entry up to the sorted entries.
  Value source = scatter.getIndices();
  while (Operation *op = source.getDefiningOp()) {
    if (isa<TopKOp>(op))
      break;
    if (!isa<CastOp, ElementwiseOp, ReshapeOp>(op))
      return nullptr;
    source = op->getOperand(0);
  }
  auto sort = source.getDefiningOp<TopKOp>();
  if (!sort || source != sort.getValues() || sort.getLargest() ||
      tensorType(source).getRank() != 1 ||
      !(symbols.valueOf(sort.getK()) == symbols.sizeOf(sort.getInput(), 0)))
    return nullptr;
  // Every step of it is monotonic: what both ends give, all between give.
  constexpr double rounding = 1e-6; // more than f32 has
  for (int64_t e = 0; e < experts; ++e)
    for (double error : {-rounding, rounding})
      if (evaluate(scatter.getIndices(), source, double(e), error) != double(e))
        return nullptr;
  return sort;
}

std::optional<GroupedRows> GroupedRows::of(ConcatOp concat) {
  int64_t experts = concat.getInputs().size();
  if (concat.getAxis() != 0 || experts < 2)
    return std::nullopt;
  SymbolicElements symbols;
  GroupedRows result;
  CumulativeOp ends;
  auto isEnd = [&](Value value, int64_t of) {
    CumulativeOp op = elementOf(value, of, symbols);
    if (!op || (ends && op != ends))
      return false;
    ends = op;
    return true;
  };
  for (auto [e, input] : llvm::enumerate(concat.getInputs())) {
    RangeOp rows = rowsOf(input);
    if (!rows || !rows.getSize() || matchSplat(rows.getDelta()) != 1.0 ||
        !(symbols.sizeOf(input, 0) == symbols.valueOf(rows.getSize())))
      return std::nullopt;
    // It starts where the rows of the expert before end, and ends with its own.
    if (e == 0 ? matchSplat(rows.getStart()) != 0.0
               : !isEnd(rows.getStart(), e - 1))
      return std::nullopt;
    auto extract = scalarOf(rows.getSize()).getDefiningOp<tensor::ExtractOp>();
    if (!extract || !extract.getIndices().empty())
      return std::nullopt;
    Value count = peelCount(extract.getTensor());
    if (e > 0) {
      auto difference = matchElementwise(count, ElementwiseKind::Sub);
      if (!difference || !isEnd(difference.getOperands()[1], e - 1))
        return std::nullopt;
      count = difference.getOperands()[0];
    }
    if (!isEnd(count, e))
      return std::nullopt;
    result.pieces.push_back(rows);
  }
  if (ends.getKind() != ReduceKind::Sum || ends.getExclusive() ||
      ends.getReverse())
    return std::nullopt;
  result.sort = sortOf(ends.getInput(), experts, symbols);
  if (!result.sort)
    return std::nullopt;
  return result;
}

void GroupedRows::assumeSizes(SymbolicElements &symbols) {
  Polynomial rest = symbols.sizeOf(sort.getInput(), 0);
  for (RangeOp piece : ArrayRef(pieces).drop_back())
    rest = rest - symbols.valueOf(piece.getSize());
  symbols.assumeSize(scalarOf(pieces.back().getSize()), -1, rest);
}
