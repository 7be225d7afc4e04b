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
  Value after =
      CacheAppendOp::create(builder, cache.appended.getLoc(), before.getType(),
                            rows, before, rowStart, pastLength, cacheSlot);
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
      value, rowStart, pastLength, cacheSlot, op.getScaleAttr());
}

func::FuncOp TokenFlattener::run() {
  MLIRContext *context = builder.getContext();
  int64_t dynamic = ShapedType::kDynamic;
  auto i32s = RankedTensorType::get({dynamic}, builder.getI32Type());
  SmallVector<Type> inputs(5, i32s);
  SmallVector<std::string> inputNames{"tokens", "row_start", "past_length",
                                      "cache_slot", "logit_rows"};
  SmallVector<CacheTensor *> caches;
  SmallVector<std::string> cacheNames;
  for (auto [i, layer] : llvm::enumerate(model.layers)) {
    caches.push_back(&layer.key);
    caches.push_back(&layer.value);
    cacheNames.push_back(("cache." + Twine(i) + ".k").str());
    cacheNames.push_back(("cache." + Twine(i) + ".v").str());
  }
  SmallVector<Type> cacheTypes;
  for (CacheTensor *cache : caches)
    cacheTypes.push_back(RankedTensorType::get(
        {dynamic, cache->heads, dynamic, cache->width}, f32));
  llvm::append_range(inputs, cacheTypes);
  llvm::append_range(inputNames, cacheNames);

  int64_t vocabulary = tensorType(model.logits).getShape().back();
  int64_t hiddenSize = tensorType(model.head.getInput()).getShape().back();
  SmallVector<Type> results{RankedTensorType::get({dynamic, vocabulary}, f32),
                            RankedTensorType::get({dynamic, hiddenSize}, f32)};
  llvm::append_range(results, cacheTypes);

  builder.setInsertionPoint(model.function);
  auto step = func::FuncOp::create(builder, model.function.getLoc(), "step",
                                   builder.getFunctionType(inputs, results));
  step->setAttr("ds.entry", builder.getStringAttr("step"));
  for (auto [i, name] : llvm::enumerate(inputNames))
    step.setArgAttr(i, "ds.name", builder.getStringAttr(name));
  step.setResultAttr(0, "ds.name", builder.getStringAttr("logits"));
  step.setResultAttr(1, "ds.name", builder.getStringAttr("hidden"));
  for (auto [i, name] : llvm::enumerate(cacheNames))
    step.setResultAttr(2 + i, "ds.name", builder.getStringAttr(name));
  Block *body = step.addEntryBlock();
  builder.setInsertionPointToStart(body);
  tokens = body->getArgument(0);
  rowStart = body->getArgument(1);
  pastLength = body->getArgument(2);
  cacheSlot = body->getArgument(3);
  logitRows = body->getArgument(4);
  for (auto [i, cache] : llvm::enumerate(caches))
    cacheOf[cache->past] = body->getArgument(5 + i);
  loc = model.function.getLoc();
  positions = TokenPositionsOp::create(builder, loc, i32s, rowStart, pastLength,
                                       tokenCount(tokens));

  Value hidden = flatten(model.head.getInput());
  Value logits;
  if (hidden) {
    // From here on only the rows whose logits are asked for.
    Value rows = GatherOp::create(
        builder, loc,
        RankedTensorType::get({dynamic, hiddenSize},
                              tensorType(hidden).getElementType()),
        hidden, logitRows, builder.getI64IntegerAttr(0));
    flat[model.head.getInput()] = rows;
    logits = flatten(model.logits);
  }
  if (!hidden || !logits || failed) {
    step.erase();
    return nullptr;
  }
  SmallVector<Value> outputs{logits, hidden};
  for (CacheTensor *cache : caches)
    outputs.push_back(cacheOf.lookup(cache->past));
  func::ReturnOp::create(builder, loc, outputs);

  SmallVector<NamedAttribute> facts{
      {StringAttr::get(context, "vocabulary"),
       builder.getI64IntegerAttr(vocabulary)},
      {StringAttr::get(context, "hidden_size"),
       builder.getI64IntegerAttr(hiddenSize)},
      {StringAttr::get(context, "layers"),
       builder.getI64IntegerAttr(model.layers.size())}};
  model.function->getParentOfType<ModuleOp>()->setAttr(
      "ds.model", builder.getDictionaryAttr(facts));
  return step;
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
