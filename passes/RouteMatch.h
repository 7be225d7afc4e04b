//===- RouteMatch.h - how a graph chooses experts ---------------*- C++ -*-===//
//
// Private to passes/. Exporters spell the choice of experts in many ways:
// masks by scatter, one-hot or comparison, fills of 0 or minus infinity,
// weights gathered or taken from the top-k. All of it is a statement on single
// elements (the score of expert e of token n), so that is what is matched,
// through whatever moves elements in between.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_ROUTEMATCH_H
#define PASSES_ROUTEMATCH_H

#include "passes/SymbolicElement.h"
#include <string>

namespace mlir::ds {

/// Which token an element belongs to: its row-major number among all tokens.
struct TokenIndex {
  Polynomial number, count;
};

/// Something that has one value for the experts (or groups) that `topk` chose
/// for a token, and another for all others.
struct Indicator {
  TopKOp topk;
  /// Indices of the token in the results of `topk`.
  SmallVector<Polynomial> lead;
  /// About this slot alone; without it about any of them.
  std::optional<Polynomial> slot;
  /// The expert asked about.
  Polynomial element;
  double in = 1, out = 0;
};

/// How the experts of a token are chosen, as ds.route has it.
struct RouteChoice {
  TopKOp topk;
  /// `ranked` is what the experts are the largest of: scores, biased and
  /// masked.
  Value logits, scores, bias, ranked;
  RouteScoring scoring = RouteScoring::Softmax;
  int64_t experts = 0, topK = 0, groups = 1, keptGroups = 1;
  GroupScore groupScore = GroupScore::Max;
  RouteFill fill = RouteFill::Zero;
};

class RouteMatcher {
public:
  RouteMatcher(SymbolicElements &symbols, const TokenIndex &token)
      : symbols(symbols), token(token) {}

  /// What `topk` chooses experts by, its token being at `lead`.
  std::optional<RouteChoice> matchChoice(TopKOp topk,
                                         ArrayRef<Polynomial> lead);

  /// `term` as an indicator, for one slot or for all.
  std::optional<Indicator> indicatorOf(const TermRef &term);
  /// The slot that is written where `op` has `indices`, as an indicator of that
  /// slot; `at` are the indices of what is written there.
  std::optional<Indicator> writtenSlot(ScatterElementsOp op,
                                       ArrayRef<Polynomial> indices,
                                       SmallVectorImpl<Polynomial> &at);
  /// The indicator that must hold somewhere for `term` to be true: a branch
  /// that is skipped where no token has an expert.
  std::optional<Indicator> guardOf(const TermRef &term);

  /// Whether indices `lead` of the outer dimensions of `value` are the token.
  bool isToken(Value value, ArrayRef<Polynomial> lead);

  /// The origin of operand `number` of the elementwise op that makes `term`.
  TermRef operandOf(const TermRef &term, unsigned number);
  /// An index over a dimension; a dimension of one element has the index 0.
  Polynomial indexOver(const Polynomial &size);
  /// The term under a reduction of `kind` along one axis, at a new index;
  /// null if `term` is made otherwise.
  TermRef reducedBy(ReduceKind kind, const TermRef &term, Polynomial &index,
                    Polynomial &size);

  /// What the search stumbled over, for a remark.
  const std::string &whyNot() const { return failure; }
  std::nullopt_t fail(const Twine &why);

private:
  bool matchMasked(const TermRef &ranked, const Polynomial &group,
                   const Polynomial &expert, RouteChoice &choice);
  bool matchScore(const TermRef &term, const Polynomial &expert,
                  RouteChoice &choice);
  bool matchGroups(const Indicator &kept, const TermRef &score,
                   RouteChoice &choice);
  std::optional<Indicator> scattered(ScatterElementsOp op,
                                     ArrayRef<Polynomial> indices);
  std::optional<Indicator> applied(const TermRef &term, ElementwiseOp op);

  SymbolicElements &symbols;
  TokenIndex token;
  std::string failure;
};

/// The op of kind `Op` that makes the element `term`; null for others.
template <typename Op> Op madeBy(const TermRef &term) {
  return term->kind == Term::Kind::Element ? term->value.getDefiningOp<Op>()
                                           : Op();
}
ElementwiseOp madeBy(const TermRef &term, ElementwiseKind kind);

/// Whether both are one element of one tensor.
bool isSameElement(const TermRef &a, const TermRef &b);

/// The number that `term` is, if it is one.
std::optional<double> numberOf(const TermRef &term);

} // namespace mlir::ds

#endif // PASSES_ROUTEMATCH_H
