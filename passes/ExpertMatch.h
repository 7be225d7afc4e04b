//===- ExpertMatch.h - what a graph makes of its experts --------*- C++ -*-===//
//
// Private to passes/. A mixture of experts is, whatever its spelling,
//
//   result[n, c] = Σ mixing weight · Σ_i down[e, c, i] · swiglu(gate, up)
//
// summed over slots (weights gathered by expert), over experts (a mixing weight
// that is 0 for most), or over the rows that have an expert (gathered and added
// back). So a result is taken apart element by element into a sum of such
// parts, and each part must prove which expert it is and that its weight is the
// one that the router gave this expert.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_EXPERTMATCH_H
#define PASSES_EXPERTMATCH_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/GroupedRows.h"
#include "passes/RouteMatch.h"

namespace mlir::ds {

/// One matrix of an expert: rows `first + stride · row` of `parameter` at an
/// index `expert` of one of its dimensions, if it holds those of all experts.
struct ExpertWeight {
  Value parameter;
  /// −1: the matrix of one expert alone.
  int64_t expertDim = -1;
  int64_t rowDim = 0, columnDim = 0, first = 0, stride = 1, rows = 0;
  Polynomial expert;
};

/// One term of the sum: an expert's output, and what it is multiplied with.
struct ExpertPart {
  Value input;
  ExpertWeight gate, up, down;
  /// Indices that it is summed over, with their sizes.
  SmallVector<std::pair<Polynomial, Polynomial>, 2> sums;
  /// Factors and divisors of the mixing weight.
  SmallVector<TermRef> factors, divisors;
  SmallVector<Indicator, 0> chosen;
  /// Conditions that only skip work.
  SmallVector<Indicator, 0> guards;
  double scale = 1;

  /// Whether it depends on a choice: an expert, not a shared one.
  bool isRouted() const { return !chosen.empty() || down.expertDim >= 0; }
};

/// A mixture of experts, proven: what ds.route and ds.moe need.
struct ExpertMixture {
  RouteChoice choice;
  Value input;
  std::optional<double> normalize;
  double scale = 1;
  /// One for all experts, or one per expert in their order.
  SmallVector<ExpertWeight, 0> gate, up, down;
};

class ExpertMatcher {
public:
  /// For elements that are column `column` (of `columns`) of a token.
  ExpertMatcher(SymbolicElements &symbols, const TokenIndex &token,
                const Polynomial &column, const Polynomial &columns,
                GroupedRowsMap &groups)
      : symbols(symbols), token(token), column(column), columns(columns),
        groups(groups), routes(symbols, token) {
    for (auto &[op, rows] : groups)
      rows.assumeSizes(symbols);
  }

  /// Takes the element `term` apart into parts, which are added to `parts`.
  /// Summands that are no experts are added to `others`.
  bool collect(const TermRef &term, SmallVectorImpl<ExpertPart> &parts,
               SmallVectorImpl<TermRef> &others) {
    return collect(term, ExpertPart(), parts, others);
  }

  /// The mixture that `parts` are, all of its experts.
  std::optional<ExpertMixture> mixtureOf(ArrayRef<ExpertPart> parts);

  /// The choice of experts that the search came upon, and what it stumbled
  /// over then.
  TopKOp seenChoice() const { return seen; }
  const std::string &whyNot() const { return routes.whyNot(); }

private:
  /// The two factors whose products are summed, at the index of the sum.
  struct Product {
    Polynomial index, size;
    TermRef lhs, rhs;
  };
  std::optional<Product> productOf(const TermRef &term);
  TermRef originOf(Value value, ArrayRef<Polynomial> indices);
  TermRef rounded(TermRef term);

  bool collect(const TermRef &given, ExpertPart part,
               SmallVectorImpl<ExpertPart> &parts,
               SmallVectorImpl<TermRef> &others);
  bool collectScattered(Operation *scatter, const TermRef &term,
                        ExpertPart part, SmallVectorImpl<ExpertPart> &parts,
                        SmallVectorImpl<TermRef> &others);
  std::optional<Indicator> expertOfRow(const TermRef &term);
  TermRef pieceOf(const TermRef &term, int64_t expert);
  bool collectPieces(const TermRef &term, const ExpertPart &part,
                     SmallVectorImpl<ExpertPart> &parts,
                     SmallVectorImpl<TermRef> &others);
  bool collectBranch(scf::IfOp branch, const TermRef &term, ExpertPart part,
                     SmallVectorImpl<ExpertPart> &parts,
                     SmallVectorImpl<TermRef> &others);
  bool collectLoop(scf::WhileOp loop, const TermRef &term, ExpertPart part,
                   SmallVectorImpl<ExpertPart> &parts,
                   SmallVectorImpl<TermRef> &others);
  void noteChoice(const ExpertWeight &down, const ExpertPart &part);
  bool matchExpert(ExpertWeight down, TermRef hidden, const Product &product,
                   ExpertPart &part);
  std::optional<ExpertWeight>
  matchInner(const TermRef &term, const Product &outer, ExpertPart &part);
  std::optional<ExpertWeight>
  weightOf(const TermRef &term, const Polynomial &row, const Polynomial &rows,
           const Polynomial &column, const Polynomial &columns);
  bool isChosenValue(const TermRef &term);
  bool splitFactor(const TermRef &given, ExpertPart &part);
  bool addCondition(const TermRef &condition, ExpertPart &part);
  bool matchPart(const ExpertPart &part, ExpertMixture &mixture,
                 Polynomial &expert);
  bool isScore(const TermRef &factor, const RouteChoice &choice,
               const Polynomial &expert);
  bool matchDivisor(const TermRef &term, ExpertMixture &mixture);
  bool fail(const Twine &why) {
    routes.fail(why);
    return false;
  }

  SymbolicElements &symbols;
  TokenIndex token;
  Polynomial column, columns;
  GroupedRowsMap &groups;
  RouteMatcher routes;
  TopKOp seen;
};

} // namespace mlir::ds

#endif // PASSES_EXPERTMATCH_H
