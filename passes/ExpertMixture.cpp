//===- ExpertMixture.cpp - parts that are a whole mixture -----------------===//
//
// The part of ExpertMatcher that proves what the parts it found have in common:
// one choice of experts, its weights, and all of them.
//
//===----------------------------------------------------------------------===//
#include "passes/ExpertMatch.h"
#include "passes/Match.h"
#include <set>

using namespace mlir;
using namespace mlir::ds;

using Kind = Term::Kind;

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
            routes.isToken(stored->value,
                           ArrayRef<Polynomial>(stored->indices).drop_back()) &&
            (choice.topK == 1
                 ? part.sums.empty()
                 : part.sums.size() == 1 && part.sums[0].first == slot &&
                       part.sums[0].second == Polynomial(choice.topK));
  } else {
    isSum = part.chosen.size() == 1 && !part.chosen[0].slot &&
            part.chosen[0].topk == choice.topk &&
            routes.isToken(choice.topk->getResult(1), part.chosen[0].lead) &&
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
