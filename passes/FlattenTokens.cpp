//===- FlattenTokens.cpp - a causal model becomes a step on tokens --------===//
//
// See Passes.td. The step is rebuilt from the logits upwards by TokenFlattener;
// here are its arguments and results, and the caches that attention reads.
//
//===----------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "passes/TokenFlattener.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FLATTENTOKENS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

Value TokenFlattener::cachedRows(CacheTensor &cache) {
  Value rows = flatten(cache.rows);
  for (Operation *op : cache.afterAppend)
    if (rows)
      rows = reapply(op, dataOperand(op), rows);
  if (!rows)
    return nullptr;
  RankedTensorType type = tensorType(rows);
  if (!cache.widthFirst)
    return reshapeRest(rows, {cache.heads, cache.width});
  rows = reshapeRest(rows, {cache.width, cache.heads});
  return TransposeOp::create(
      builder, loc,
      RankedTensorType::get({type.getDimSize(0), cache.heads, cache.width},
                            type.getElementType()),
      rows, builder.getDenseI64ArrayAttr({0, 2, 1}));
}

Value TokenFlattener::appendCache(CacheTensor &cache) {
  Value rows = cachedRows(cache);
  if (!rows)
    return nullptr;
  Value before = cacheOf.lookup(cache.past);
  Value after = CacheAppendOp::create(
      builder, cache.appended.getLoc(), before.getType(), rows, before,
      step.rowStart, step.pastLength, step.cacheSlot);
  cacheOf[cache.past] = after;
  return after;
}

Value TokenFlattener::flattenAttention(AttentionOp op) {
  CachedLayer *layer =
      llvm::find_if(model.layers, [&](auto &l) { return l.attention == op; });
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
    RankedTensorType type = tensorType(mask);
    SmallVector<Polynomial> indices(
        ArrayRef<Polynomial>(at).take_back(type.getRank()));
    for (auto [index, size] : llvm::zip_equal(indices, type.getShape()))
      if (size == 1)
        index = 0;
    TermRef allowed = symbols.asAllowed(symbols.elementOf(mask, indices));
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
  Value key = appendCache(layer->key);
  if (!key)
    return nullptr;
  Value value = appendCache(layer->value);
  if (!value)
    return nullptr;
  SmallVector<int64_t> shape(tensorType(query).getShape());
  shape.back() = layer->value.width;
  return CachedAttentionOp::create(
      builder, op.getLoc(), RankedTensorType::get(shape, f32), query, key,
      value, step.rowStart, step.pastLength, step.cacheSlot, op.getScaleAttr());
}

func::FuncOp TokenFlattener::run() {
  SmallVector<CacheTensor *> caches;
  SmallVector<StepCache> stepCaches;
  for (auto [i, layer] : llvm::enumerate(model.layers))
    for (auto [name, cache] :
         {std::pair(".k", &layer.key), std::pair(".v", &layer.value)}) {
      caches.push_back(cache);
      stepCaches.push_back(
          {("cache." + Twine(i) + name).str(), cache->heads, cache->width});
    }
  builder.setInsertionPoint(model.function);
  loc = model.function.getLoc();
  step = StepFunction::create(
      builder, loc, stepCaches, tensorType(model.logits).getShape().back(),
      tensorType(model.head.getInput()).getShape().back());
  for (auto [cache, argument] : llvm::zip_equal(caches, step.caches))
    cacheOf[cache->past] = argument;

  Value hidden = flatten(model.head.getInput());
  Value logits;
  if (hidden) {
    // From here on only the rows whose logits are asked for.
    flat[model.head.getInput()] = step.rowsForLogits(builder, loc, hidden);
    logits = flatten(model.logits);
  }
  if (!hidden || !logits || failed) {
    step.function.erase();
    return nullptr;
  }
  SmallVector<Value> outputs;
  for (CacheTensor *cache : caches)
    outputs.push_back(cacheOf.lookup(cache->past));
  StepFunction::finish(builder, loc, logits, hidden, outputs);
  StepFunction::setFacts(model.function->getParentOfType<ModuleOp>(), logits,
                         hidden, model.layers.size());
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
    if (graph) {
      FailureOr<std::unique_ptr<LanguageModel>> model =
          LanguageModel::of(candidate ? candidate : graph);
      if (succeeded(model) && TokenFlattener(**model).run())
        graph.erase();
    }
    if (candidate)
      candidate.erase();
  }
};
} // namespace
