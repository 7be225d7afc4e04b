//===- RouteMatch.cpp - how a graph chooses experts -----------------------===//
//
// See RouteMatch.h.
//
//===----------------------------------------------------------------------===//
#include "passes/RouteMatch.h"
#include "passes/Match.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::ds;

using Kind = Term::Kind;

ElementwiseOp mlir::ds::madeBy(const TermRef &term, ElementwiseKind kind) {
  auto op = madeBy<ElementwiseOp>(term);
  return op && op.getKind() == kind ? op : nullptr;
}

bool mlir::ds::isSameElement(const TermRef &a, const TermRef &b) {
  return a->kind == Kind::Element && b->kind == Kind::Element &&
         a->value == b->value && a->indices == b->indices;
}

std::optional<double> mlir::ds::numberOf(const TermRef &term) {
  switch (term->kind) {
  case Kind::Number:
    return term->number;
  case Kind::Boolean:
    return double(term->truth);
  case Kind::Integer:
    if (std::optional<int64_t> constant = term->polynomial.getConstant())
      return double(*constant);
    return std::nullopt;
  default:
    return std::nullopt;
  }
}

std::nullopt_t RouteMatcher::fail(const Twine &why) {
  failure = why.str();
  return std::nullopt;
}

bool RouteMatcher::isToken(Value value, ArrayRef<Polynomial> lead) {
  Polynomial number, count(1);
  for (auto [d, index] : llvm::enumerate(lead)) {
    Polynomial size = symbols.sizeOf(value, d);
    number = number * size + index;
    count = count * size;
  }
  return number == token.number && count == token.count;
}

Polynomial RouteMatcher::indexOver(const Polynomial &size) {
  return size == Polynomial(1) ? Polynomial(0) : symbols.newIndex(size);
}

TermRef RouteMatcher::operandOf(const TermRef &term, unsigned number) {
  Value operand = madeBy<ElementwiseOp>(term).getOperands()[number];
  return symbols.originOf(operand,
                          symbols.broadcastIndices(operand, term->indices));
}

TermRef RouteMatcher::reducedBy(ReduceKind kind, const TermRef &term,
                                Polynomial &index, Polynomial &size) {
  auto reduce = madeBy<ReduceOp>(term);
  if (!reduce || reduce.getKind() != kind || reduce.getAxes().size() != 1)
    return nullptr;
  int64_t axis = reduce.getAxes()[0];
  size = symbols.sizeOf(reduce.getInput(), axis);
  index = indexOver(size);
  SmallVector<Polynomial> source(ArrayRef<Polynomial>(term->indices));
  if (reduce.getKeepdims())
    source[axis] = index;
  else
    source.insert(source.begin() + axis, index);
  return symbols.originOf(reduce.getInput(), source);
}

//===----------------------------------------------------------------------===//
// Indicators
//===----------------------------------------------------------------------===//

/// `kind` of two numbers; nothing for kinds that no mask is made with.
static std::optional<double> evaluate(ElementwiseKind kind, double a,
                                      double b) {
  switch (kind) {
  case ElementwiseKind::Add:
    return a + b;
  case ElementwiseKind::Sub:
    return a - b;
  case ElementwiseKind::Mul:
    return a * b;
  case ElementwiseKind::Gt:
    return a > b;
  case ElementwiseKind::Ge:
    return a >= b;
  case ElementwiseKind::Lt:
    return a < b;
  case ElementwiseKind::Le:
    return a <= b;
  case ElementwiseKind::Eq:
    return a == b;
  default:
    return std::nullopt;
  }
}

/// The choice that `index` is a slot of, asked about `element`.
static std::optional<Indicator> slotIs(SymbolicElements &symbols,
                                       const Polynomial &index,
                                       const Polynomial &element) {
  TermRef stored = symbols.storedAs(index);
  auto topk = stored ? madeBy<TopKOp>(stored) : TopKOp();
  if (!topk || !topk.getLargest() ||
      int64_t(topk.getAxis()) + 1 != tensorType(topk.getInput()).getRank())
    return std::nullopt;
  Indicator result;
  result.topk = topk;
  result.lead.assign(stored->indices.begin(), stored->indices.end() - 1);
  result.slot = stored->indices.back();
  result.element = element;
  return result;
}

std::optional<Indicator>
RouteMatcher::writtenSlot(ScatterElementsOp op, ArrayRef<Polynomial> indices,
                          SmallVectorImpl<Polynomial> &at) {
  int64_t axis = op.getAxis();
  if (axis + 1 != tensorType(op.getResult()).getRank() ||
      (op.getKind() != ScatterKind::None && op.getKind() != ScatterKind::Add))
    return std::nullopt;
  Polynomial slots = symbols.sizeOf(op.getIndices(), axis);
  at.assign(indices.begin(), indices.end());
  at.back() = indexOver(slots);
  TermRef index = symbols.elementOf(op.getIndices(), at);
  if (index->kind != Kind::Integer)
    return std::nullopt;
  std::optional<Indicator> result =
      slotIs(symbols, index->polynomial, indices.back());
  // Every slot is written, and nothing else.
  if (!result || !(*result->slot == at.back()) ||
      !(symbols.valueOf(result->topk.getK()) == slots))
    return std::nullopt;
  return result;
}

std::optional<Indicator> RouteMatcher::scattered(ScatterElementsOp op,
                                                 ArrayRef<Polynomial> indices) {
  std::optional<double> out =
                            numberOf(symbols.originOf(op.getInput(), indices)),
                        in = matchSplat(op.getUpdates());
  if (!in || !out || (op.getKind() == ScatterKind::Add && *out != 0))
    return std::nullopt;
  SmallVector<Polynomial> at;
  std::optional<Indicator> result = writtenSlot(op, indices, at);
  if (!result)
    return std::nullopt;
  result->slot.reset();
  result->in = *in;
  result->out = *out;
  return result;
}

std::optional<Indicator> RouteMatcher::applied(const TermRef &term,
                                               ElementwiseOp op) {
  if (op.getKind() == ElementwiseKind::Eq) {
    // A slot compared with the number of an expert.
    SmallVector<Polynomial, 2> sides;
    for (Value operand : op.getOperands()) {
      TermRef side = symbols.elementOf(
          operand, symbols.broadcastIndices(operand, term->indices));
      if (side->kind == Kind::Integer)
        sides.push_back(side->polynomial);
    }
    if (sides.size() == 2)
      for (unsigned i : {0u, 1u})
        if (auto result = slotIs(symbols, sides[i], sides[1 - i]))
          return result;
  }
  SmallVector<TermRef, 3> operands;
  for (unsigned i = 0; i < op.getOperands().size(); ++i)
    operands.push_back(operandOf(term, i));
  std::optional<Indicator> result;
  for (unsigned i = 0; i < operands.size(); ++i) {
    if (numberOf(operands[i]))
      continue;
    if (result)
      return std::nullopt;
    result = indicatorOf(operands[i]);
    if (!result)
      return std::nullopt;
    auto valueFor = [&](double here) -> std::optional<double> {
      if (op.getKind() == ElementwiseKind::Not)
        return here == 0;
      if (op.getKind() == ElementwiseKind::Select)
        return i == 0 ? numberOf(operands[here != 0 ? 1 : 2]) : std::nullopt;
      if (operands.size() != 2)
        return std::nullopt;
      std::optional<double> other = numberOf(operands[1 - i]);
      if (!other)
        return std::nullopt;
      return i == 0 ? evaluate(op.getKind(), here, *other)
                    : evaluate(op.getKind(), *other, here);
    };
    std::optional<double> in = valueFor(result->in),
                          out = valueFor(result->out);
    if (!in || !out)
      return std::nullopt;
    result->in = *in;
    result->out = *out;
  }
  return result;
}

std::optional<Indicator> RouteMatcher::indicatorOf(const TermRef &term) {
  if (auto op = madeBy<ElementwiseOp>(term))
    return applied(term, op);
  if (auto op = madeBy<ScatterElementsOp>(term))
    return scattered(op, term->indices);
  if (auto cast = madeBy<CastOp>(term)) {
    auto result = indicatorOf(symbols.originOf(cast.getInput(), term->indices));
    if (result && tensorType(cast).getElementType().isInteger(1)) {
      result->in = result->in != 0;
      result->out = result->out != 0;
    }
    return result;
  }
  // One of the slots: their maximum, or their sum as experts are different.
  for (ReduceKind kind : {ReduceKind::Max, ReduceKind::Sum}) {
    Polynomial slot, slots;
    TermRef inner = reducedBy(kind, term, slot, slots);
    auto result = inner ? indicatorOf(inner) : std::nullopt;
    if (!result || !result->slot || !(*result->slot == slot) ||
        !(symbols.valueOf(result->topk.getK()) == slots) ||
        (kind == ReduceKind::Max ? result->in < result->out : result->out != 0))
      continue;
    result->slot.reset();
    return result;
  }
  return std::nullopt;
}

std::optional<Indicator> RouteMatcher::guardOf(const TermRef &term) {
  if (auto result = indicatorOf(term))
    return result;
  if (auto cast = madeBy<CastOp>(term))
    return guardOf(symbols.originOf(cast.getInput(), term->indices));
  if (auto op = madeBy<ElementwiseOp>(term)) {
    // A count that is not 0.
    if (op.getOperands().size() != 2)
      return std::nullopt;
    std::optional<double> bound = numberOf(operandOf(term, 1));
    bool isSome =
        bound &&
        ((op.getKind() == ElementwiseKind::Gt && *bound >= 0 && *bound < 1) ||
         (op.getKind() == ElementwiseKind::Ge && *bound > 0 && *bound <= 1));
    return isSome ? guardOf(operandOf(term, 0)) : std::nullopt;
  }
  auto reduce = madeBy<ReduceOp>(term);
  if (!reduce || (reduce.getKind() != ReduceKind::Max &&
                  reduce.getKind() != ReduceKind::Sum))
    return std::nullopt;
  SmallVector<Polynomial> source;
  unsigned kept = 0;
  for (int64_t d = 0; d < tensorType(reduce.getInput()).getRank(); ++d) {
    bool isReduced = llvm::is_contained(reduce.getAxes(), d);
    source.push_back(isReduced ? indexOver(symbols.sizeOf(reduce.getInput(), d))
                               : term->indices[kept]);
    kept += !isReduced || reduce.getKeepdims();
  }
  auto result = guardOf(symbols.originOf(reduce.getInput(), source));
  return result && result->in > 0 && result->out == 0 ? result : std::nullopt;
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

bool RouteMatcher::matchScore(const TermRef &term, const Polynomial &expert,
                              RouteChoice &choice) {
  TermRef score = term;
  if (madeBy(term, ElementwiseKind::Add)) {
    for (unsigned i : {0u, 1u}) {
      TermRef bias = operandOf(term, i);
      if (bias->kind != Kind::Element || !isParameterValue(bias->value))
        continue;
      // One number an expert, whatever unit dimensions stand before it.
      RankedTensorType type = tensorType(bias->value);
      if (type.getNumElements() != choice.experts || type.getRank() == 0 ||
          !(bias->indices.back() == expert))
        return false;
      choice.bias = bias->value;
      score = operandOf(term, 1 - i);
      break;
    }
    if (!choice.bias)
      return false;
  }
  if (score->kind != Kind::Element || score->indices.empty())
    return false;
  TermRef logits;
  if (madeBy(score, ElementwiseKind::Sigmoid)) {
    choice.scoring = RouteScoring::Sigmoid;
    logits = operandOf(score, 0);
  } else if (auto softmax = madeBy<SoftmaxOp>(score)) {
    if (softmax.getLog() || int64_t(softmax.getAxis()) + 1 !=
                                tensorType(softmax.getInput()).getRank())
      return false;
    choice.scoring = RouteScoring::Softmax;
    logits = symbols.originOf(softmax.getInput(), score->indices);
  } else {
    return false;
  }
  if (logits->kind != Kind::Element ||
      tensorType(score->value).getShape().back() != choice.experts)
    return false;
  RankedTensorType type = tensorType(logits->value);
  ArrayRef<Polynomial> lead = ArrayRef<Polynomial>(logits->indices).drop_back();
  if (type.getRank() < 2 || type.getShape().back() != choice.experts ||
      !(logits->indices.back() == expert) || !isToken(logits->value, lead) ||
      !isa<FloatType>(type.getElementType()))
    return false;
  choice.logits = logits->value;
  choice.scores = score->value;
  return true;
}

bool RouteMatcher::matchGroups(const Indicator &kept, const TermRef &score,
                               RouteChoice &choice) {
  TopKOp topk = kept.topk;
  int64_t width = choice.experts / choice.groups;
  std::optional<int64_t> count = symbols.valueOf(topk.getK()).getConstant();
  if (!count ||
      tensorType(topk.getInput()).getShape().back() != choice.groups ||
      !isToken(topk.getInput(), kept.lead))
    return false;
  choice.keptGroups = *count;
  Polynomial first = kept.element * width;
  auto isScoreOf = [&](const TermRef &term, const Polynomial &expert) {
    return term->kind == Kind::Element && term->value == score->value &&
           ArrayRef<Polynomial>(term->indices).drop_back() ==
               ArrayRef<Polynomial>(score->indices).drop_back() &&
           term->indices.back() == expert;
  };
  // The best but `rank` score of the group.
  auto isBest = [&](const TermRef &term, const Polynomial &rank, int64_t of) {
    if (term->kind != Kind::Element || term->indices.empty())
      return false;
    Polynomial member = term->indices.back() - first;
    auto best = slotIs(symbols, member, member);
    if (!best || !(*best->slot == rank) ||
        !(symbols.valueOf(best->topk.getK()) == Polynomial(of)) ||
        !isScoreOf(term, first + member))
      return false;
    // It ranks the scores of this group, all of them.
    SmallVector<Polynomial> at(best->lead);
    Polynomial any = indexOver(width);
    at.push_back(any);
    return tensorType(best->topk.getInput()).getShape().back() == width &&
           isScoreOf(symbols.originOf(best->topk.getInput(), at), first + any);
  };
  SmallVector<Polynomial> at(kept.lead);
  at.push_back(kept.element);
  TermRef group = symbols.originOf(topk.getInput(), at);
  Polynomial index, size;
  if (TermRef member = reducedBy(ReduceKind::Max, group, index, size)) {
    choice.groupScore = GroupScore::Max;
    return size == Polynomial(width) && isScoreOf(member, first + index);
  }
  if (isBest(group, 0, 1)) {
    choice.groupScore = GroupScore::Max;
    return true;
  }
  choice.groupScore = GroupScore::Top2Sum;
  if (TermRef member = reducedBy(ReduceKind::Sum, group, index, size))
    return size == Polynomial(2) && isBest(member, index, 2);
  if (madeBy(group, ElementwiseKind::Add))
    for (unsigned i : {0u, 1u})
      if (isBest(operandOf(group, i), 0, 2) &&
          isBest(operandOf(group, 1 - i), 1, 2))
        return true;
  return false;
}

bool RouteMatcher::matchMasked(const TermRef &ranked, const Polynomial &group,
                               const Polynomial &expert, RouteChoice &choice) {
  auto op = madeBy<ElementwiseOp>(ranked);
  if (!op)
    return false;
  // The mask, the score, and what stands for the experts of other groups.
  std::optional<Indicator> kept;
  TermRef score;
  std::optional<double> fill;
  if (op.getKind() == ElementwiseKind::Select) {
    kept = indicatorOf(operandOf(ranked, 0));
    if (!kept)
      return false;
    unsigned inside = kept->in != 0 ? 1 : 2;
    score = operandOf(ranked, inside);
    fill = numberOf(operandOf(ranked, 3 - inside));
    if ((kept->in != 0) == (kept->out != 0))
      return false;
  } else if (op.getKind() == ElementwiseKind::Mul ||
             op.getKind() == ElementwiseKind::Add) {
    bool isProduct = op.getKind() == ElementwiseKind::Mul;
    for (unsigned i = 0; i < 2 && !kept; ++i) {
      kept = indicatorOf(operandOf(ranked, i));
      score = operandOf(ranked, 1 - i);
    }
    if (!kept || kept->in != (isProduct ? 1 : 0) ||
        (isProduct && kept->out != 0))
      return false;
    fill = kept->out;
  }
  // Finite fills are the lowest number of a float type: no score is below.
  constexpr double lowest = -6e4;
  if (!kept || kept->slot || !(kept->element == group) || !fill ||
      !(*fill == 0 || *fill < lowest))
    return false;
  choice.fill = *fill == 0 ? RouteFill::Zero : RouteFill::Lowest;
  return matchScore(score, expert, choice) && matchGroups(*kept, score, choice);
}

std::optional<RouteChoice>
RouteMatcher::matchChoice(TopKOp topk, ArrayRef<Polynomial> lead) {
  RouteChoice choice;
  choice.topk = topk;
  RankedTensorType type = tensorType(topk.getInput());
  int64_t experts = type.getShape().back();
  std::optional<int64_t> count = symbols.valueOf(topk.getK()).getConstant();
  if (ShapedType::isDynamic(experts) || !count)
    return fail("the number of experts, or of those a token has, is no number");
  if (!isToken(topk.getInput(), lead))
    return fail("experts are not chosen token by token");
  choice.experts = experts;
  choice.topK = *count;

  SmallVector<Polynomial> at(lead);
  at.push_back(indexOver(experts));
  TermRef ranked = symbols.originOf(topk.getInput(), at);
  if (ranked->kind == Kind::Element)
    choice.ranked = ranked->value;
  if (matchScore(ranked, at.back(), choice))
    return choice;
  // How many groups there are shows in the mask alone; there are few numbers
  // that it can be.
  for (int64_t groups = 1; groups <= experts; ++groups) {
    if (experts % groups != 0)
      continue;
    Polynomial group = indexOver(groups);
    at.back() = group * (experts / groups) + indexOver(experts / groups);
    RouteChoice grouped = choice;
    grouped.bias = nullptr;
    grouped.groups = groups;
    if (matchMasked(symbols.originOf(topk.getInput(), at), group, at.back(),
                    grouped))
      return grouped;
  }
  return fail("what experts are chosen by is no score of ds.route (softmax or "
              "sigmoid of logits, a bias, groups)");
}
