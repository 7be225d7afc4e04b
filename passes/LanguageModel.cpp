//===- LanguageModel.cpp - is this graph one causal language model? -------===//
//
// See LanguageModel.h.
//
//===----------------------------------------------------------------------===//
#include "passes/LanguageModel.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

LogicalResult LanguageModel::no(Location loc, const Twine &why) {
  emitRemark(loc) << "not compiled as a language model: " << why;
  return failure();
}

FailureOr<std::unique_ptr<LanguageModel>>
LanguageModel::of(func::FuncOp function) {
  auto model = std::make_unique<LanguageModel>();
  model->function = function;
  if (failed(model->findTokens()) || failed(model->findCaches()) ||
      failed(model->assumeInputs()) || failed(model->findHead()))
    return failure();
  return model;
}

LogicalResult LanguageModel::findTokens() {
  Location loc = function.getLoc();
  WalkResult walk = function.walk([&](EmbeddingOp op) {
    Value ids = op.getIds();
    while (auto cast = ids.getDefiningOp<CastOp>())
      ids = cast.getInput();
    auto argument = dyn_cast<BlockArgument>(ids);
    if (!argument || tensorType(ids).getRank() != 2)
      return WalkResult::advance();
    if (embedding)
      return WalkResult::interrupt();
    embedding = op;
    tokens = argument;
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return no(loc, "more than one embedding reads an input");
  if (!embedding)
    return no(loc, "no embedding reads an input [batch, tokens]");
  if (!tensorType(tokens).isDynamicDim(1))
    return no(loc, "the number of tokens is fixed");
  batch = symbols.sizeOf(tokens, 0);
  rows = symbols.sizeOf(tokens, 1);
  return success();
}

Value mlir::ds::dataOperand(Operation *op) {
  for (Value operand : op->getOperands())
    if (!matchSplat(operand))
      return operand;
  return op->getOperand(0);
}

/// Whether one number, the same for all, is done to every element of another
/// tensor to make `value`: scaling, quantising and dequantising.
static bool isElementByElement(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto quantize = dyn_cast_or_null<QuantizeOp>(op))
    return matchSplat(quantize.getScale()).has_value();
  if (auto dequantize = dyn_cast_or_null<DequantizeOp>(op))
    return tensorType(dequantize.getScale()).getRank() == 0 &&
           matchSplat(dequantize.getScale());
  if (!isa_and_nonnull<ElementwiseOp>(op))
    return false;
  unsigned numbers = 0;
  for (Value operand : op->getOperands())
    numbers += tensorType(operand).getRank() == 0 && matchSplat(operand);
  return numbers + 1 == op->getNumOperands() &&
         dataOperand(op).getType() == value.getType();
}

FailureOr<CacheTensor> LanguageModel::matchCache(Value value,
                                                 AttentionOp user) {
  ViewChain chain = ViewChain::of(value, symbols);
  Location loc = user.getLoc();
  // A cache kept in a narrower type is widened after the concatenation.
  Value root = peelFloatCasts(chain.root);
  SmallVector<Operation *> afterAppend;
  while (isElementByElement(root)) {
    afterAppend.insert(afterAppend.begin(), root.getDefiningOp());
    root = peelFloatCasts(dataOperand(root.getDefiningOp()));
  }
  auto concat = root.getDefiningOp<ConcatOp>();
  if (!concat || concat.getInputs().size() != 2)
    return no(loc, "an attention reads keys or values that are no "
                   "concatenation of past and new rows");
  auto past = dyn_cast<BlockArgument>(concat.getInputs()[0]);
  if (!past)
    return no(loc, "the past keys or values of an attention are not an input");
  auto isReturned = [](Value v) {
    return llvm::any_of(v.getUsers(), llvm::IsaPred<func::ReturnOp>);
  };
  bool isOutput = isReturned(concat);
  // Rounded before it goes out, it is rounded again at the next step: rounding
  // twice with one scale is rounding once.
  if (!isOutput && afterAppend.size() >= 2) {
    auto quantize = dyn_cast<QuantizeOp>(afterAppend[0]);
    auto dequantize = dyn_cast<DequantizeOp>(afterAppend[1]);
    isOutput = quantize && dequantize && isReturned(dequantize) &&
               quantize.getScale() == dequantize.getScale() &&
               quantize.getZeroPoint() == dequantize.getZeroPoint();
  }
  if (!isOutput)
    return no(loc, "the appended cache is not an output");
  RankedTensorType type = tensorType(value);
  if (type.isDynamicDim(1) || type.isDynamicDim(3))
    return no(loc, "heads or head width of the cache are not fixed");
  CacheTensor cache{past,
                    concat,
                    concat.getInputs()[1],
                    int64_t(concat.getAxis()),
                    type.getDimSize(1),
                    type.getDimSize(3),
                    false,
                    afterAppend};
  // Rows along the appended dimension; heads and width are all the others.
  auto &dims = chain.dims;
  bool rowsAppended = dims[2].size() == 1 && dims[2][0].rootDim == cache.axis;
  for (int64_t d : {0, 1, 3})
    for (const ViewAtom &atom : dims[d])
      rowsAppended &= !atom.isRepeat() && atom.rootDim != cache.axis;
  if (!rowsAppended)
    return no(loc, "a cache does not grow along its rows");
  if (!dims[1].empty() && !dims[3].empty()) {
    auto place = [](const ViewAtom &atom) {
      return std::make_pair(atom.rootDim, atom.piece);
    };
    cache.widthFirst = place(dims[3].front()) < place(dims[1].front());
  }
  return cache;
}

LogicalResult LanguageModel::findCaches() {
  SmallVector<AttentionOp> attentions;
  function.walk([&](AttentionOp op) { attentions.push_back(op); });
  if (attentions.empty())
    return no(function.getLoc(), "it has no attention");
  for (AttentionOp op : attentions) {
    FailureOr<CacheTensor> key = matchCache(op.getKey(), op);
    if (failed(key))
      return failure();
    FailureOr<CacheTensor> value = matchCache(op.getValue(), op);
    if (failed(value))
      return failure();
    layers.push_back({op, *key, *value});
  }
  // A cache belongs to one attention.
  llvm::SmallPtrSet<Operation *, 16> seen;
  for (CachedLayer &layer : layers)
    for (CacheTensor *cache : {&layer.key, &layer.value})
      if (!seen.insert(cache->appended).second)
        return no(layer.attention.getLoc(), "two attentions share a cache");
  past = symbols.sizeOf(layers.front().key.past, layers.front().key.axis);
  return success();
}

LogicalResult LanguageModel::assumeInputs() {
  // All caches have one batch and one past length.
  llvm::SmallPtrSet<Value, 16> caches;
  for (CachedLayer &layer : layers)
    for (CacheTensor *cache : {&layer.key, &layer.value}) {
      caches.insert(cache->past);
      RankedTensorType type = tensorType(cache->past);
      if (!type.isDynamicDim(cache->axis))
        return no(layer.attention.getLoc(), "the length of a cache is fixed");
      symbols.assumeSize(cache->past, cache->axis, past);
      for (int64_t d = 0; d < type.getRank(); ++d)
        if (d != cache->axis && type.isDynamicDim(d))
          symbols.assumeSize(cache->past, d, batch);
    }
  for (BlockArgument argument : function.getArguments()) {
    if (argument == tokens || caches.contains(argument))
      continue;
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || type.getRank() == 0 ||
        !isa<IntegerType>(type.getElementType())) {
      if (argument.use_empty())
        continue;
      return no(argument.getLoc(),
                "input " + Twine(argument.getArgNumber()) +
                    " is neither token ids, positions, a padding mask nor a "
                    "cache");
    }
    int64_t last = type.getRank() - 1;
    if (type.getRank() > 1)
      symbols.assumeSize(argument, 0, batch);
    // As long as the new tokens: positions. Longer: a padding mask.
    if (symbols.sizeOf(argument, last) == rows) {
      symbols.assumeElement(argument, [this](ArrayRef<Polynomial> indices) {
        return symbols.integer(past + indices.back());
      });
    } else {
      symbols.assumeSize(argument, last, past + rows);
      bool isBool = type.getElementType().isInteger(1);
      symbols.assumeElement(argument, [this, isBool](ArrayRef<Polynomial>) {
        return isBool ? symbols.boolean(true) : symbols.integer(1);
      });
    }
  }
  return success();
}

LogicalResult LanguageModel::findHead() {
  // Every other output but the logits may be dropped: hidden states.
  auto returnOp =
      cast<func::ReturnOp>(function.getBody().front().getTerminator());
  for (Value output : returnOp.getOperands()) {
    auto type = dyn_cast<RankedTensorType>(output.getType());
    if (!type || type.getRank() < 2 || !isa<FloatType>(type.getElementType()))
      continue;
    Value value = output;
    LinearOp linear;
    while (Operation *op = value.getDefiningOp()) {
      if ((linear = dyn_cast<LinearOp>(op)))
        break;
      if (!isa<CastOp, SliceOp, ReshapeOp, QuantizeOp, DequantizeOp>(op))
        break;
      value = op->getOperand(0);
    }
    if (!linear || type.isDynamicDim(type.getRank() - 1) ||
        type.getShape().back() != tensorType(linear).getShape().back())
      continue;
    if (head)
      return no(function.getLoc(), "two outputs look like logits");
    head = linear;
    logits = output;
  }
  if (!head)
    return no(function.getLoc(),
              "no output is a product of states with a head (logits)");
  return success();
}
