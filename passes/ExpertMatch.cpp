//===- ExpertMatch.cpp - what a graph makes of its experts ----------------===//
//
// See ExpertMatch.h.
//
//===----------------------------------------------------------------------===//
#include "passes/ExpertMatch.h"
#include "passes/Match.h"
#include <set>

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

static bool isSameElement(const TermRef &a, const TermRef &b) {
  return a->kind == Kind::Element && b->kind == Kind::Element &&
         a->value == b->value && a->indices == b->indices;
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
    int64_t axis = scatter.getAxis();
    if (axis + 1 != tensorType(scatter).getRank() ||
        (scatter.getKind() != ScatterKind::None &&
         scatter.getKind() != ScatterKind::Add) ||
        numberOf(symbols.originOf(scatter.getInput(), term->indices)) != 0.0)
      return false;
    SmallVector<Polynomial> at(ArrayRef<Polynomial>(term->indices));
    Polynomial slots = symbols.sizeOf(scatter.getIndices(), axis);
    at.back() = routes.indexOver(slots);
    TermRef index = symbols.elementOf(scatter.getIndices(), at);
    TermRef stored = index->kind == Kind::Integer
                         ? symbols.storedAs(index->polynomial)
                         : nullptr;
    auto topk = stored ? madeBy<TopKOp>(stored) : TopKOp();
    if (!topk || !(stored->indices.back() == at.back()))
      return false;
    seen = topk;
    Indicator chosen;
    chosen.topk = topk;
    chosen.lead.assign(stored->indices.begin(), stored->indices.end() - 1);
    chosen.slot = at.back();
    chosen.element = term->indices.back();
    part.chosen.push_back(chosen);
    part.sums.emplace_back(at.back(), slots);
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

/// Rows of the tokens that have an expert, added at their places.
bool ExpertMatcher::collectScattered(Operation *scatter, const TermRef &term,
                                     ExpertPart part,
                                     SmallVectorImpl<ExpertPart> &parts,
                                     SmallVectorImpl<TermRef> &others) {
  Value base = scatter->getOperand(0), places = scatter->getOperand(1),
        updates = scatter->getOperand(2);
  bool isAdded;
  if (auto nd = dyn_cast<ScatterNdOp>(scatter)) {
    isAdded = nd.getKind() == ScatterKind::Add;
    if (tensorType(places).getRank() != 2 ||
        tensorType(places).getDimSize(1) != 1)
      return false;
  } else {
    auto elements = cast<ScatterElementsOp>(scatter);
    isAdded = elements.getKind() == ScatterKind::Add;
    if (elements.getAxis() != 0 ||
        (!isAdded && elements.getKind() != ScatterKind::None))
      return false;
  }
  Polynomial rows = symbols.sizeOf(updates, 0);
  Polynomial row = routes.indexOver(rows);
  SmallVector<Polynomial> at(ArrayRef<Polynomial>(term->indices));
  SmallVector<Polynomial> place{row, 0};
  at[0] = row;
  if (isa<ScatterElementsOp>(scatter))
    place = at;
  TermRef index = symbols.elementOf(places, place);
  TermRef stored = index->kind == Kind::Integer
                       ? symbols.storedAs(index->polynomial)
                       : nullptr;
  auto nonzero = stored ? madeBy<NonZeroOp>(stored) : NonZeroOp();
  if (!nonzero || !(stored->indices[1] == row) ||
      !(symbols.sizeOf(nonzero.getResult(), 1) == rows))
    return false;
  // The row is that of a place where the condition holds: this token, and any
  // slot.
  Value condition = nonzero.getInput();
  int64_t rank = tensorType(condition).getRank();
  SmallVector<Polynomial> where;
  for (int64_t d = 0; d < rank; ++d) {
    if (stored->indices[0] == Polynomial(d)) {
      where.push_back(term->indices[0]);
    } else {
      Polynomial size = symbols.sizeOf(condition, d);
      where.push_back(routes.indexOver(size));
      part.sums.emplace_back(where.back(), size);
    }
    symbols.assumeStoredIndex(nonzero.getResult(), {Polynomial(d), row},
                              where.back());
  }
  ExpertPart rest = part;
  rest.sums.resize(part.sums.size() - (rank - 1));
  if (!addCondition(symbols.originOf(condition, where), part))
    return false;
  // Without adding, nothing may be there and each token be written once: no
  // two of its slots have one expert.
  if (!isAdded) {
    bool isOnce = rank == 1 || (rank == 2 && !part.chosen.empty() &&
                                part.chosen.back().slot == where[1] &&
                                stored->indices[0] == Polynomial(0));
    if (!isOnce || numberOf(symbols.originOf(base, term->indices)) != 0.0)
      return fail("rows of experts are not added");
  }
  return collect(symbols.originOf(updates, at), part, parts, others) &&
         collect(symbols.originOf(base, term->indices), rest, parts, others);
}

/// Which slot the expert of a row stands in, if `term` is an element of rows
/// that are sorted by expert.
std::optional<Indicator> ExpertMatcher::expertOfRow(const TermRef &term) {
  auto it = term->kind == Kind::Element
                ? groups.find(term->value.getDefiningOp())
                : groups.end();
  if (it == groups.end())
    return std::nullopt;
  TopKOp sort = it->second.sort;
  Polynomial entry = symbols.storedIndex(sort.getIndices(), {term->indices[0]},
                                         symbols.sizeOf(sort.getInput(), 0));
  TermRef expert = symbols.elementOf(sort.getInput(), {entry});
  TermRef stored = expert->kind == Kind::Integer
                       ? symbols.storedAs(expert->polynomial)
                       : nullptr;
  Indicator owner;
  owner.topk = stored ? madeBy<TopKOp>(stored) : TopKOp();
  if (!owner.topk)
    return std::nullopt;
  owner.lead.assign(stored->indices.begin(), stored->indices.end() - 1);
  owner.slot = stored->indices.back();
  return owner;
}

/// The element of sorted rows that `term` is, if its row is of `expert`.
TermRef ExpertMatcher::pieceOf(const TermRef &term, int64_t expert) {
  Operation *concat = term->value.getDefiningOp();
  RangeOp rows = groups.find(concat)->second.pieces[expert];
  // Row number `local` of the piece is this row of the whole.
  Polynomial row = term->indices[0],
             local = symbols.newIndex(symbols.sizeOf(rows.getResult(), 0));
  symbols.assumeElement(rows.getResult(),
                        [this, row](auto) { return symbols.integer(row); });
  SmallVector<Polynomial> at(ArrayRef<Polynomial>(term->indices));
  at[0] = local;
  return originOf(concat->getOperand(expert), at);
}

/// Rows sorted by expert: each piece is what one expert makes of its rows.
bool ExpertMatcher::collectPieces(const TermRef &term, const ExpertPart &part,
                                  SmallVectorImpl<ExpertPart> &parts,
                                  SmallVectorImpl<TermRef> &others) {
  std::optional<Indicator> owner = expertOfRow(term);
  if (!owner)
    return false;
  seen = owner->topk;
  int64_t experts = term->value.getDefiningOp()->getNumOperands();
  for (int64_t expert = 0; expert < experts; ++expert) {
    ExpertPart piece = part;
    piece.chosen.push_back(*owner);
    piece.chosen.back().element = Polynomial(expert);
    if (!collect(pieceOf(term, expert), std::move(piece), parts, others))
      return false;
  }
  return true;
}

/// A branch that skips an expert without tokens.
bool ExpertMatcher::collectBranch(scf::IfOp branch, const TermRef &term,
                                  ExpertPart part,
                                  SmallVectorImpl<ExpertPart> &parts,
                                  SmallVectorImpl<TermRef> &others) {
  auto extract = branch.getCondition().getDefiningOp<tensor::ExtractOp>();
  unsigned number = cast<OpResult>(term->value).getResultNumber();
  SmallVector<ExpertPart, 0> none;
  SmallVector<TermRef> here, there;
  SmallVector<Polynomial> at;
  if (!extract)
    return false;
  for (Value index : extract.getIndices())
    at.push_back(symbols.valueOf(index));
  ExpertPart guarded = part;
  if (!addCondition(symbols.originOf(extract.getTensor(), at), guarded) ||
      guarded.guards.size() == part.guards.size())
    return false;
  // What both branches pass on is no part of it.
  SmallVector<ExpertPart, 0> found;
  if (!collect(symbols.originOf(branch.elseYield().getOperand(number),
                                term->indices),
               part, none, there) ||
      !collect(symbols.originOf(branch.thenYield().getOperand(number),
                                term->indices),
               part, found, here) ||
      !none.empty() || here.size() != there.size())
    return false;
  for (auto [a, b] : llvm::zip_equal(here, there))
    if (!isSameElement(a, b))
      return false;
  for (ExpertPart &one : found) {
    one.guards.push_back(guarded.guards.back());
    parts.push_back(std::move(one));
  }
  llvm::append_range(others, here);
  return true;
}

/// A loop over the experts that adds up what they make.
bool ExpertMatcher::collectLoop(scf::WhileOp loop, const TermRef &term,
                                ExpertPart part,
                                SmallVectorImpl<ExpertPart> &parts,
                                SmallVectorImpl<TermRef> &others) {
  // while (i < count) with i = 0, 1, …
  Block &before = *loop.getBeforeBody(), &after = *loop.getAfterBody();
  scf::ConditionOp condition = loop.getConditionOp();
  auto compare = condition.getCondition().getDefiningOp<arith::CmpIOp>();
  auto next = loop.getYieldOp().getOperand(0).getDefiningOp<arith::AddIOp>();
  if (!compare || compare.getPredicate() != arith::CmpIPredicate::slt ||
      compare.getLhs() != before.getArgument(0) || !next ||
      next.getLhs() != after.getArgument(0) ||
      getConstantIntValue(next.getRhs()) != 1 ||
      getConstantIntValue(loop.getInits()[0]) != 0 ||
      !llvm::equal(condition.getArgs(), before.getArguments()))
    return false;
  std::optional<int64_t> count = getConstantIntValue(compare.getRhs());
  unsigned number = cast<OpResult>(term->value).getResultNumber();
  if (!count || number == 0)
    return false;
  Value carried = after.getArgument(number), init = loop.getInits()[number],
        yielded = loop.getYieldOp().getOperand(number);
  // Its shape stays: an element before is an element after.
  for (int64_t d = 0; d < tensorType(carried).getRank(); ++d)
    if (tensorType(carried).isDynamicDim(d))
      symbols.assumeSize(carried, d, symbols.sizeOf(init, d));
  for (int64_t d = 0; d < tensorType(carried).getRank(); ++d)
    if (!(symbols.sizeOf(yielded, d) == symbols.sizeOf(carried, d)))
      return false;
  Polynomial expert = routes.indexOver(*count);
  symbols.assumeSize(after.getArgument(0), -1, expert);
  ExpertPart inside = part;
  inside.sums.emplace_back(expert, *count);
  SmallVector<TermRef> kept;
  unsigned first = parts.size();
  if (!collect(symbols.originOf(yielded, term->indices), ExpertPart(), parts,
               kept) ||
      kept.size() != 1 || kept[0]->value != carried ||
      !(kept[0]->indices == term->indices))
    return false;
  for (ExpertPart &one : llvm::drop_begin(parts, first)) {
    llvm::append_range(one.sums, inside.sums);
    llvm::append_range(one.factors, inside.factors);
    llvm::append_range(one.divisors, inside.divisors);
    llvm::append_range(one.chosen, inside.chosen);
    llvm::append_range(one.guards, inside.guards);
    one.scale *= inside.scale;
  }
  return collect(symbols.originOf(init, term->indices), part, parts, others);
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

/// Whether `factor` is the score of `expert`, without bias.
bool ExpertMatcher::isScore(const TermRef &factor, const RouteChoice &choice,
                            const Polynomial &expert) {
  if (factor->kind != Kind::Element || factor->indices.empty() ||
      !(factor->indices.back() == expert) ||
      !routes.isToken(factor->value,
                      ArrayRef<Polynomial>(factor->indices).drop_back()))
    return false;
  // A masked score of an expert that was chosen is its score: there are others
  // enough in the groups that were kept.
  bool isMasked =
      factor->value == choice.ranked && !choice.bias &&
      choice.topK <= choice.keptGroups * (choice.experts / choice.groups);
  return factor->value == choice.scores || isMasked;
}

/// The sum of the chosen scores, perhaps with an epsilon.
bool ExpertMatcher::matchDivisor(const TermRef &term, ExpertMixture &mixture) {
  TermRef sum = term;
  double epsilon = 0;
  if (madeBy(term, ElementwiseKind::Add))
    for (unsigned i : {0u, 1u})
      if (std::optional<double> number = numberOf(routes.operandOf(term, i))) {
        epsilon = *number;
        sum = routes.operandOf(term, 1 - i);
      }
  ExpertPart part;
  if (epsilon < 0 || !splitFactor(sum, part) || part.factors.size() != 1 ||
      !part.divisors.empty() || !part.guards.empty() || part.scale != 1)
    return fail("weights are divided by something else than their sum");
  llvm::erase_if(part.sums,
                 [](auto &sum) { return sum.second == Polynomial(1); });
  mixture.normalize = epsilon;
  const RouteChoice &choice = mixture.choice;
  Polynomial expert = part.factors[0]->indices.back();
  bool isSum;
  if (part.chosen.empty()) {
    TermRef stored = symbols.storedAs(expert);
    Polynomial slot = stored ? stored->indices.back() : Polynomial();
    isSum = stored && stored->value == choice.topk->getResult(1) &&
            (choice.topK == 1
                 ? part.sums.empty()
                 : part.sums.size() == 1 && part.sums[0].first == slot &&
                       part.sums[0].second == Polynomial(choice.topK));
  } else {
    isSum = part.chosen.size() == 1 && !part.chosen[0].slot &&
            part.chosen[0].topk == choice.topk &&
            part.chosen[0].element == expert && part.sums.size() == 1 &&
            part.sums[0].first == expert &&
            part.sums[0].second == Polynomial(choice.experts);
  }
  if (!isSum || !isScore(part.factors[0], choice, expert))
    return fail("weights are divided by something else than the sum of the "
                "chosen scores");
  return true;
}

bool ExpertMatcher::matchPart(const ExpertPart &part, ExpertMixture &mixture,
                              Polynomial &expert) {
  bool isStacked = part.down.expertDim >= 0;
  if ((part.gate.expertDim >= 0) != isStacked ||
      (part.up.expertDim >= 0) != isStacked ||
      (isStacked && (!(part.gate.expert == part.down.expert) ||
                     !(part.up.expert == part.down.expert))))
    return fail("gate, up and down are not of one expert");
  expert = part.down.expert;
  TermRef stored = isStacked ? symbols.storedAs(expert) : nullptr;
  TopKOp topk;
  SmallVector<Polynomial> lead;
  std::optional<Polynomial> slot;
  if (stored && madeBy<TopKOp>(stored)) {
    topk = madeBy<TopKOp>(stored);
    lead.assign(stored->indices.begin(), stored->indices.end() - 1);
    slot = stored->indices.back();
    if (!part.chosen.empty())
      return fail("an expert that was gathered is masked too");
  } else {
    if (part.chosen.empty())
      return false;
    topk = part.chosen[0].topk;
    lead = part.chosen[0].lead;
    if (!isStacked)
      expert = part.chosen[0].element;
  }
  seen = topk;
  for (const Indicator &indicator : part.chosen) {
    if (indicator.topk != topk || indicator.lead != lead ||
        (slot && indicator.slot && !(*slot == *indicator.slot)))
      return fail("experts are masked by two choices");
    if (!(indicator.element == expert))
      return fail("an expert gets the tokens of another");
    if (indicator.slot)
      slot = indicator.slot;
  }
  for (const Indicator &guard : part.guards)
    if (guard.topk != topk || !(guard.element == expert))
      return fail("an expert is skipped by another's tokens");

  if (!mixture.choice.topk) {
    std::optional<RouteChoice> choice = routes.matchChoice(topk, lead);
    if (!choice)
      return false;
    mixture.choice = *choice;
    mixture.input = part.input;
    mixture.scale = part.scale;
  } else if (mixture.choice.topk != topk || mixture.input != part.input ||
             mixture.scale != part.scale) {
    return fail("experts differ in their choice, their input or their scale");
  }
  const RouteChoice &choice = mixture.choice;
  if (!routes.isToken(topk.getInput(), lead))
    return fail("a token gets the experts of another");

  // Summed over the slots, and over the experts where one part is for all.
  bool hasSlots = false, hasExperts = false;
  for (const auto &[index, size] : part.sums) {
    if (size == Polynomial(1))
      continue;
    if (slot && index == *slot && size == Polynomial(choice.topK) && !hasSlots)
      hasSlots = true;
    else if (index == expert && size == Polynomial(choice.experts) &&
             !hasExperts)
      hasExperts = true;
    else
      return fail("experts are summed over something else than slots");
  }
  if (slot && !hasSlots && choice.topK != 1)
    return fail("not all slots of a token are summed");
  if (!stored && !hasExperts && !expert.getConstant())
    return fail("not all experts are summed");

  SmallVector<Polynomial> at(lead);
  at.push_back(slot.value_or(0));
  Polynomial chosen =
      symbols.storedIndex(topk.getIndices(), at, choice.experts);
  if (part.factors.size() != 1 ||
      !(isScore(part.factors[0], choice, expert) ||
        (slot && isScore(part.factors[0], choice, chosen))))
    return fail("the weight of an expert is not its score without bias");
  std::optional<double> before = mixture.normalize;
  bool isFirst = mixture.gate.empty();
  mixture.normalize.reset();
  if (part.divisors.size() > 1 ||
      (part.divisors.size() == 1 && !matchDivisor(part.divisors[0], mixture)))
    return fail("weights are normalised in an unknown way");
  if (!isFirst && mixture.normalize != before)
    return fail("experts differ in how their weights are normalised");
  mixture.gate.push_back(part.gate);
  mixture.up.push_back(part.up);
  mixture.down.push_back(part.down);
  return true;
}

/// `weights`, which are those of `experts`, in the order of the experts; one
/// alone if it has them all.
static bool inOrder(ArrayRef<int64_t> experts, int64_t count,
                    SmallVectorImpl<ExpertWeight> &weights) {
  SmallVector<ExpertWeight, 0> ordered(count);
  for (auto [expert, weight] : llvm::zip_equal(experts, weights))
    ordered[expert] = weight;
  auto layout = [](const ExpertWeight &weight) {
    return std::tuple(weight.expertDim, weight.rowDim, weight.columnDim,
                      weight.first, weight.stride);
  };
  for (const ExpertWeight &weight : ordered)
    if (layout(weight) != layout(ordered[0]) ||
        weight.parameter.getType() != ordered[0].parameter.getType() ||
        (weight.expertDim >= 0 && weight.parameter != ordered[0].parameter))
      return false;
  if (ordered[0].expertDim >= 0)
    ordered.resize(1);
  weights.assign(ordered.begin(), ordered.end());
  return true;
}

std::optional<ExpertMixture>
ExpertMatcher::mixtureOf(ArrayRef<ExpertPart> parts) {
  ExpertMixture mixture;
  SmallVector<int64_t> numbers;
  for (const ExpertPart &part : parts) {
    Polynomial expert;
    if (!matchPart(part, mixture, expert))
      return std::nullopt;
    if (std::optional<int64_t> number = expert.getConstant())
      numbers.push_back(*number);
  }
  int64_t count = mixture.choice.experts;
  if (!numbers.empty()) {
    // Experts one by one: each of them, once.
    std::set<int64_t> known;
    for (int64_t number : numbers)
      if (number >= 0 && number < count)
        known.insert(number);
    if (known.size() != size_t(count) || numbers.size() != known.size() ||
        numbers.size() != parts.size())
      return routes.fail(Twine(known.size()) + " of the " + Twine(count) +
                         " experts that the router knows are there");
    if (!inOrder(numbers, count, mixture.gate) ||
        !inOrder(numbers, count, mixture.up) ||
        !inOrder(numbers, count, mixture.down))
      return routes.fail("the experts' weights lie in different ways");
  } else if (parts.size() != 1 || mixture.gate[0].expertDim < 0) {
    return routes.fail("several mixtures are added");
  }
  for (const ExpertWeight &weight :
       {mixture.gate[0], mixture.up[0], mixture.down[0]})
    if (weight.expertDim >= 0 &&
        tensorType(weight.parameter).getDimSize(weight.expertDim) != count)
      return routes.fail("there are weights of more experts than are chosen "
                         "from");
  return mixture;
}
