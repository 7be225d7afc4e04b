//===- ExpertMatch.cpp - what a graph makes of its experts ----------------===//
//
// See ExpertMatch.h.
//
//===----------------------------------------------------------------------===//
#include "passes/ExpertMatch.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

using Kind = Term::Kind;

/// Whether some index of the element `term` is made of the symbol `index`.
static bool mentions(const TermRef &term, const Polynomial &index) {
  std::optional<unsigned> symbol = index.getSymbol();
  return symbol && llvm::any_of(term->indices, [&](const Polynomial &other) {
           return other.mentions(*symbol);
         });
}

//===----------------------------------------------------------------------===//
// Elements and products
//===----------------------------------------------------------------------===//

/// `term` without roundings to narrower floats: ds.moe rounds once at the end.
TermRef ExpertMatcher::rounded(TermRef term) {
  while (auto cast = madeBy<CastOp>(term)) {
    if (!isa<FloatType>(tensorType(cast.getInput()).getElementType()) ||
        !isa<FloatType>(tensorType(cast).getElementType()))
      break;
    term = symbols.originOf(cast.getInput(), term->indices);
  }
  return term;
}

TermRef ExpertMatcher::originOf(Value value, ArrayRef<Polynomial> indices) {
  return rounded(symbols.originOf(value, indices));
}

std::optional<ExpertMatcher::Product>
ExpertMatcher::productOf(const TermRef &term) {
  Product product;
  ArrayRef<Polynomial> indices = term->indices;
  if (auto linear = madeBy<LinearOp>(term)) {
    if (linear.getBias())
      return std::nullopt;
    product.size = symbols.sizeOf(linear.getWeight(), 1);
    product.index = routes.indexOver(product.size);
    SmallVector<Polynomial> input(indices.drop_back());
    input.push_back(product.index);
    product.lhs = originOf(linear.getInput(), input);
    product.rhs = originOf(linear.getWeight(), {indices.back(), product.index});
    return product;
  }
  if (auto matmul = madeBy<MatmulOp>(term)) {
    auto batch = [&](Value operand) {
      RankedTensorType type = tensorType(operand);
      SmallVector<Polynomial> result(
          indices.drop_back(2).take_back(type.getRank() - 2));
      for (auto [index, size] :
           llvm::zip_equal(result, type.getShape().drop_back(2)))
        if (size == 1)
          index = 0;
      return result;
    };
    SmallVector<Polynomial> lhs = batch(matmul.getLhs()),
                            rhs = batch(matmul.getRhs());
    product.size = symbols.sizeOf(matmul.getLhs(), lhs.size() + 1);
    product.index = routes.indexOver(product.size);
    lhs.append({indices[indices.size() - 2], product.index});
    rhs.append({product.index, indices.back()});
    product.lhs = originOf(matmul.getLhs(), lhs);
    product.rhs = originOf(matmul.getRhs(), rhs);
    return product;
  }
  TermRef inner =
      routes.reducedBy(ReduceKind::Sum, term, product.index, product.size);
  if (!inner || !madeBy(rounded(inner), ElementwiseKind::Mul))
    return std::nullopt;
  inner = rounded(inner);
  product.lhs = rounded(routes.operandOf(inner, 0));
  product.rhs = rounded(routes.operandOf(inner, 1));
  return product;
}

std::optional<ExpertWeight> ExpertMatcher::weightOf(const TermRef &term,
                                                    const Polynomial &row,
                                                    const Polynomial &rows,
                                                    const Polynomial &column,
                                                    const Polynomial &columns) {
  if (term->kind != Kind::Element || !isParameterValue(term->value) ||
      !tensorType(term->value).hasStaticShape())
    return std::nullopt;
  ExpertWeight weight;
  weight.parameter = term->value;
  weight.rowDim = weight.columnDim = -1;
  std::optional<int64_t> count = rows.getConstant();
  std::optional<unsigned> symbol = row.getSymbol();
  if (!count || !symbol)
    return std::nullopt;
  weight.rows = *count;
  for (auto [d, index] : llvm::enumerate(term->indices)) {
    if (index == column && weight.columnDim < 0) {
      weight.columnDim = d;
    } else if (index.mentions(*symbol) && weight.rowDim < 0) {
      // first + stride · row
      weight.rowDim = d;
      std::optional<int64_t> first = index.substitute(*symbol, 0).getConstant(),
                             second =
                                 index.substitute(*symbol, 1).getConstant();
      if (!first || !second)
        return std::nullopt;
      weight.first = *first;
      weight.stride = *second - *first;
      if (weight.stride < 1 ||
          !(index == Polynomial(weight.first) + row * weight.stride))
        return std::nullopt;
    } else if (weight.expertDim < 0) {
      weight.expertDim = d;
      weight.expert = index;
    } else {
      return std::nullopt;
    }
  }
  if (weight.rowDim < 0 || weight.columnDim < 0 ||
      !(symbols.sizeOf(term->value, weight.columnDim) == columns))
    return std::nullopt;
  return weight;
}

//===----------------------------------------------------------------------===//
// Parts of the sum
//===----------------------------------------------------------------------===//

/// Adds the condition under which a part is not 0.
bool ExpertMatcher::addCondition(const TermRef &condition, ExpertPart &part) {
  if (auto indicator = routes.indicatorOf(condition)) {
    seen = indicator->topk;
    if (indicator->in == 0 || indicator->out != 0)
      return fail("an expert works where it was not chosen");
    part.chosen.push_back(*indicator);
    return true;
  }
  std::optional<Indicator> guard = routes.guardOf(condition);
  if (!guard)
    return fail("a branch is taken by something else than the choice");
  part.guards.push_back(*guard);
  return true;
}

/// Whether `term` is one of the numbers that experts were chosen by.
bool ExpertMatcher::isChosenValue(const TermRef &term) {
  if (term->kind != Kind::Element || term->indices.empty())
    return false;
  TermRef stored = symbols.storedAs(term->indices.back());
  auto topk = stored ? madeBy<TopKOp>(stored) : TopKOp();
  if (!topk)
    return false;
  SmallVector<Polynomial> at(ArrayRef<Polynomial>(stored->indices));
  at[topk.getAxis()] = term->indices.back();
  return isSameElement(term, symbols.originOf(topk.getInput(), at));
}

/// Splits a factor of a mixing weight into what `part` lists apart.
bool ExpertMatcher::splitFactor(const TermRef &given, ExpertPart &part) {
  TermRef term = rounded(given);
  if (std::optional<double> number = numberOf(term)) {
    part.scale *= *number;
    return true;
  }
  if (isChosenValue(term)) {
    part.factors.push_back(term);
    return true;
  }
  if (auto indicator = routes.indicatorOf(term)) {
    seen = indicator->topk;
    if (indicator->out != 0 || indicator->in == 0)
      return false;
    part.scale *= indicator->in;
    part.chosen.push_back(*indicator);
    return true;
  }
  if (madeBy(term, ElementwiseKind::Mul))
    return splitFactor(routes.operandOf(term, 0), part) &&
           splitFactor(routes.operandOf(term, 1), part);
  if (madeBy(term, ElementwiseKind::Div)) {
    TermRef divisor = rounded(routes.operandOf(term, 1));
    if (std::optional<double> number = numberOf(divisor))
      part.scale /= *number;
    else
      part.divisors.push_back(divisor);
    return splitFactor(routes.operandOf(term, 0), part);
  }
  if (madeBy(term, ElementwiseKind::Select)) {
    TermRef condition = routes.operandOf(term, 0);
    return numberOf(routes.operandOf(term, 2)) == 0.0 &&
           addCondition(condition, part) &&
           splitFactor(routes.operandOf(term, 1), part);
  }
  if (auto scatter = madeBy<ScatterElementsOp>(term)) {
    // Weights of the slots at the places of their experts, 0 elsewhere.
    SmallVector<Polynomial> at;
    std::optional<Indicator> chosen =
        routes.writtenSlot(scatter, term->indices, at);
    if (!chosen ||
        numberOf(symbols.originOf(scatter.getInput(), term->indices)) != 0.0)
      return false;
    seen = chosen->topk;
    part.chosen.push_back(*chosen);
    part.sums.emplace_back(
        at.back(), symbols.sizeOf(scatter.getIndices(), scatter.getAxis()));
    return splitFactor(symbols.originOf(scatter.getUpdates(), at), part);
  }
  if (auto product = productOf(term)) {
    part.sums.emplace_back(product->index, product->size);
    return splitFactor(product->lhs, part) && splitFactor(product->rhs, part);
  }
  Polynomial index, size;
  if (TermRef inner = routes.reducedBy(ReduceKind::Sum, term, index, size)) {
    part.sums.emplace_back(index, size);
    return splitFactor(inner, part);
  }
  if (term->kind != Kind::Element)
    return false;
  part.factors.push_back(term);
  return true;
}

/// gate or up of an expert: its weight, if `term` is row `outer.index` of the
/// weight times the token that `part` is about.
std::optional<ExpertWeight> ExpertMatcher::matchInner(const TermRef &term,
                                                      const Product &outer,
                                                      ExpertPart &part) {
  // Rows sorted by expert: those of the expert that the part is about.
  std::optional<Indicator> owner = expertOfRow(term);
  if (owner && !part.chosen.empty()) {
    const Indicator &chosen = part.chosen.back();
    std::optional<int64_t> expert = chosen.element.getConstant();
    if (!expert || owner->topk != chosen.topk || owner->lead != chosen.lead ||
        owner->slot != chosen.slot)
      return std::nullopt;
    return matchInner(pieceOf(term, *expert), outer, part);
  }
  std::optional<Product> product = productOf(term);
  if (!product)
    return std::nullopt;
  for (auto [weight, input] : {std::pair(product->lhs, product->rhs),
                               std::pair(product->rhs, product->lhs)}) {
    std::optional<ExpertWeight> result = weightOf(
        weight, outer.index, outer.size, product->index, product->size);
    if (!result || input->kind != Kind::Element || input->indices.size() < 2)
      continue;
    ArrayRef<Polynomial> at = input->indices;
    if (!(at.back() == product->index) ||
        (part.input && part.input != input->value) ||
        !(symbols.sizeOf(input->value, at.size() - 1) == product->size) ||
        tensorType(input->value).isDynamicDim(at.size() - 1) ||
        !routes.isToken(input->value, at.drop_back()))
      return std::nullopt;
    part.input = input->value;
    return result;
  }
  return std::nullopt;
}

/// An expert: down · swiglu(gate · x, up · x), where `hidden` is the
/// activation.
bool ExpertMatcher::matchExpert(ExpertWeight down, TermRef hidden,
                                const Product &product, ExpertPart &part) {
  // The mixing weight may stand before the product.
  hidden = rounded(hidden);
  while (madeBy(hidden, ElementwiseKind::Mul)) {
    TermRef lhs = routes.operandOf(hidden, 0),
            rhs = routes.operandOf(hidden, 1);
    if (mentions(lhs, product.index) == mentions(rhs, product.index))
      return false;
    bool isFirst = mentions(lhs, product.index);
    if (!splitFactor(isFirst ? rhs : lhs, part))
      return false;
    hidden = rounded(isFirst ? lhs : rhs);
  }
  auto swiglu = madeBy<SwigluOp>(hidden);
  if (!swiglu)
    return false;
  std::optional<ExpertWeight> gate =
      matchInner(originOf(swiglu.getGate(), hidden->indices), product, part);
  std::optional<ExpertWeight> up =
      gate
          ? matchInner(originOf(swiglu.getUp(), hidden->indices), product, part)
          : std::nullopt;
  if (!gate || !up)
    return false;
  part.gate = *gate;
  part.up = *up;
  part.down = down;
  return true;
}

/// Remembers which choice an expert is of that was not understood.
void ExpertMatcher::noteChoice(const ExpertWeight &down,
                               const ExpertPart &part) {
  TermRef stored =
      down.expertDim >= 0 ? symbols.storedAs(down.expert) : nullptr;
  if (stored && madeBy<TopKOp>(stored))
    seen = madeBy<TopKOp>(stored);
  else if (!part.chosen.empty())
    seen = part.chosen.back().topk;
}

bool ExpertMatcher::collect(const TermRef &given, ExpertPart part,
                            SmallVectorImpl<ExpertPart> &parts,
                            SmallVectorImpl<TermRef> &others) {
  TermRef term = rounded(given);
  if (numberOf(term) == 0.0)
    return true;
  if (term->kind != Kind::Element)
    return false;
  // A sum that others read too, as the residual stream, is no part of a
  // mixture: looking through it would lead through all layers before.
  if (madeBy(term, ElementwiseKind::Add) && term->value.hasOneUse())
    return collect(routes.operandOf(term, 0), part, parts, others) &&
           collect(routes.operandOf(term, 1), part, parts, others);
  for (ElementwiseKind kind : {ElementwiseKind::Mul, ElementwiseKind::Div}) {
    if (!madeBy(term, kind))
      continue;
    TermRef lhs = routes.operandOf(term, 0), rhs = routes.operandOf(term, 1);
    if (kind == ElementwiseKind::Mul && !mentions(lhs, column))
      std::swap(lhs, rhs);
    if (!mentions(lhs, column) || mentions(rhs, column))
      return false;
    if (kind == ElementwiseKind::Div)
      part.divisors.push_back(rounded(rhs));
    else if (!splitFactor(rhs, part))
      return false;
    return collect(lhs, part, parts, others);
  }
  if (madeBy(term, ElementwiseKind::Select))
    return numberOf(routes.operandOf(term, 2)) == 0.0 &&
           addCondition(routes.operandOf(term, 0), part) &&
           collect(routes.operandOf(term, 1), part, parts, others);
  if (Operation *scatter = term->value.getDefiningOp();
      isa_and_nonnull<ScatterNdOp, ScatterElementsOp>(scatter))
    return collectScattered(scatter, term, part, parts, others);
  if (madeBy<ConcatOp>(term))
    return collectPieces(term, part, parts, others);
  if (auto branch = madeBy<scf::IfOp>(term))
    return collectBranch(branch, term, part, parts, others);
  if (auto loop = madeBy<scf::WhileOp>(term))
    return collectLoop(loop, term, part, parts, others);
  if (std::optional<Product> product = productOf(term)) {
    for (auto [weight, hidden] : {std::pair(product->lhs, product->rhs),
                                  std::pair(product->rhs, product->lhs)})
      if (std::optional<ExpertWeight> down = weightOf(
              weight, column, columns, product->index, product->size)) {
        if (!matchExpert(*down, hidden, *product, part)) {
          noteChoice(*down, part);
          return fail("what an expert makes is no down · swiglu(gate · x, up · "
                      "x) of one token, with parameters");
        }
        parts.push_back(std::move(part));
        return true;
      }
    // Weights times what the experts made.
    bool isFirst = mentions(product->lhs, column);
    if (isFirst == mentions(product->rhs, column))
      return false;
    part.sums.emplace_back(product->index, product->size);
    return splitFactor(isFirst ? product->rhs : product->lhs, part) &&
           collect(isFirst ? product->lhs : product->rhs, part, parts, others);
  }
  Polynomial index, size;
  if (TermRef inner = routes.reducedBy(ReduceKind::Sum, term, index, size)) {
    part.sums.emplace_back(index, size);
    return collect(inner, part, parts, others);
  }
  // A summand by itself: what a chain of additions starts with.
  bool isBare = part.sums.empty() && part.factors.empty() &&
                part.divisors.empty() && part.chosen.empty() &&
                part.guards.empty() && part.scale == 1;
  if (isBare)
    others.push_back(term);
  return isBare;
}
