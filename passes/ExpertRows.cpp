//===- ExpertRows.cpp - experts on their own rows -------------------------===//
//
// The half of ExpertMatcher that knows forms in which an expert does not see
// all tokens: rows gathered and added back, sorted rows, branches, loops.
//
//===----------------------------------------------------------------------===//
#include "passes/ExpertMatch.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

using Kind = Term::Kind;

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
