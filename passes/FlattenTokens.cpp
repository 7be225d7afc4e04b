//===- FlattenTokens.cpp - a causal model becomes a step on tokens --------===//
//
// See Passes.td. The step is rebuilt from the logits upwards by TokenFlattener;
// here are its arguments and results, and the caches that attention reads.
//
//===----------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "passes/TokenFlattener.h"
#include "passes/ViewChain.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FLATTENTOKENS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

Value TokenFlattener::appendCache(Value seen, size_t index) {
  ViewChain chain = ViewChain::of(seen, symbols);
  OpBuilder inGraph(seen.getContext());
  inGraph.setInsertionPointAfterValue(seen);
  // The tokens first, through views that would mix them with heads.
  Value ordered;
  if (chain.hasRepeats())
    ordered =
        TransposeOp::create(inGraph, loc, seen, ArrayRef<int64_t>{0, 2, 1, 3});
  else
    ordered = chain.materialize(
        inGraph, loc,
        {chain.dims[0], chain.dims[2], chain.dims[1], chain.dims[3]});
  Value rows = flatten(ordered);
  if (!rows)
    return nullptr;
  rows = reshapeRest(
      rows, {tensorType(seen).getDimSize(1), tensorType(seen).getDimSize(3)});
  Value cache = step.caches[index];
  return cachesOut[index] = CacheAppendOp::create(
             builder, seen.getLoc(), cache.getType(), rows, cache,
             step.rowStart, step.pastLength, step.cacheSlot);
}

Value TokenFlattener::flattenAttention(AttentionOp op) {
  size_t layer = llvm::find(model.attentions, op) - model.attentions.begin();
  // Row s must see exactly the keys up to past + s.
  Value mask = op.getMask();
  SmallVector<Polynomial> at;
  Polynomial total = model.past + model.rows;
  at.push_back(symbols.newIndex(model.batch));
  at.push_back(symbols.newIndex(tensorType(op.getQuery()).getDimSize(2)));
  at.push_back(symbols.newIndex(model.rows));
  at.push_back(symbols.newIndex(total));
  if (!mask && !op.getCausal())
    return fail(op, "an attention lets every row see every key");
  if (mask) {
    Polynomial row = at[2], column = at[3];
    TermRef allowed = symbols.asAllowed(
        symbols.elementOf(mask, symbols.broadcastIndices(mask, at)));
    bool causal = allowed && allowed->kind == Term::Kind::NonNegative &&
                  allowed->polynomial == model.past + row - column;
    // A mask of padding alone beside the causal rule adds nothing here.
    bool nothing = op.getCausal() && allowed &&
                   allowed->kind == Term::Kind::Boolean && allowed->truth;
    if (!causal && !nothing)
      return fail(op, "the mask of an attention could not be proven causal");
  }
  Value query = flatten(op.getQuery());
  if (!query)
    return nullptr;
  Value key = appendCache(op.getKey(), 2 * layer);
  if (!key)
    return nullptr;
  Value value = appendCache(op.getValue(), 2 * layer + 1);
  if (!value)
    return nullptr;
  SmallVector<int64_t> shape(tensorType(query).getShape());
  shape.back() = tensorType(value).getDimSize(3);
  return CachedAttentionOp::create(
      builder, op.getLoc(), RankedTensorType::get(shape, f32), query, key,
      value, step.rowStart, step.pastLength, step.cacheSlot, op.getScaleAttr());
}

func::FuncOp TokenFlattener::run() {
  SmallVector<StepCache> caches;
  for (auto [i, attention] : llvm::enumerate(model.attentions))
    for (auto [name, seen] : {std::pair(".k", attention.getKey()),
                              std::pair(".v", attention.getValue())})
      caches.push_back({("cache." + Twine(i) + name).str(),
                        tensorType(seen).getDimSize(1),
                        tensorType(seen).getDimSize(3)});
  builder.setInsertionPoint(model.function);
  loc = model.function.getLoc();
  int64_t vocabulary = tensorType(model.logits).getShape().back();
  if (model.states)
    step =
        StepFunction::createDraft(builder, loc, 0, caches, vocabulary,
                                  tensorType(model.states).getShape().back());
  else
    step = StepFunction::create(builder, loc, caches, vocabulary,
                                tensorType(model.hidden).getShape().back());
  cachesOut.assign(step.caches.begin(), step.caches.end());

  Value hidden = flatten(model.hidden), read = flatten(model.head.getInput());
  Value logits;
  if (hidden && read) {
    hidden = reshapeRest(asF32(hidden),
                         {tensorType(model.hidden).getShape().back()});
    // From here on only the rows whose logits are asked for.
    flat[model.head.getInput()] = step.rowsForLogits(builder, loc, read);
    logits = flatten(model.logits);
  }
  if (!hidden || !logits || failed) {
    step.function.erase();
    return nullptr;
  }
  StepFunction::finish(builder, loc, logits, hidden, cachesOut);
  StepFunction::setFacts(model.function->getParentOfType<ModuleOp>(), logits,
                         hidden, model.attentions.size());
  return step.function;
}

namespace {
struct FlattenTokens : ds::impl::FlattenTokensBase<FlattenTokens> {
  using FlattenTokensBase::FlattenTokensBase;
  void runOnOperation() override {
    func::FuncOp graph, candidate;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto entry = function->getAttrOfType<StringAttr>("ds.entry");
      if (entry && entry.getValue() == "graph")
        graph = function;
      if (function->hasAttr("ds.candidate"))
        candidate = function;
    }
    GraphPart kind = part == "main"    ? GraphPart::MainModel
                     : part == "draft" ? GraphPart::DraftLayer
                                       : GraphPart::Model;
    if (graph) {
      FailureOr<std::unique_ptr<LanguageModel>> model =
          LanguageModel::of(candidate ? candidate : graph, kind);
      if (succeeded(model) && TokenFlattener(**model).run())
        graph.erase();
      else if (kind != GraphPart::Model)
        signalPassFailure();
    }
    if (candidate)
      candidate.erase();
  }
};
} // namespace
