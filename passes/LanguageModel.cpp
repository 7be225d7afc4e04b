//===- LanguageModel.cpp - is this graph one causal language model? -------===//
//
// See LanguageModel.h.
//
//===----------------------------------------------------------------------===//
#include "passes/LanguageModel.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

void LanguageModel::refuse(Location loc, const Twine &why) const {
  switch (part) {
  case GraphPart::Model:
    emitRemark(loc) << "not compiled as a language model: " << why;
    return;
  case GraphPart::MainModel:
    emitError(loc) << "no language model that a layer can draft for: " << why;
    return;
  case GraphPart::DraftLayer:
    emitError(loc)
        << "no layer that drafts: " << why
        << "; it is exported with token ids, states [batch, tokens, hidden "
           "size], positions or a padding mask, and a cache that goes out "
           "longer, and gives logits";
    return;
  }
}

LogicalResult LanguageModel::no(Location loc, const Twine &why) {
  refuse(loc, why);
  return failure();
}

FailureOr<std::unique_ptr<LanguageModel>>
LanguageModel::of(func::FuncOp function, GraphPart part) {
  auto model = std::make_unique<LanguageModel>();
  model->function = function;
  model->part = part;
  if (failed(model->findTokens()) || failed(model->findCaches()) ||
      failed(model->assumeInputs()) || failed(model->findAttentions()) ||
      failed(model->findHead()) || failed(model->findHidden()))
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

/// Whether `appended` goes out as it is, or rounded: rounded before it goes
/// out, it is rounded again at the next step, and rounding twice with one scale
/// is rounding once.
static bool isOutput(ConcatOp appended) {
  auto isReturned = [](Value v) {
    return llvm::any_of(v.getUsers(), llvm::IsaPred<func::ReturnOp>);
  };
  if (isReturned(appended))
    return true;
  for (Operation *user : appended->getUsers())
    if (auto quantize = dyn_cast<QuantizeOp>(user))
      for (Operation *next : quantize->getUsers())
        if (auto dequantize = dyn_cast<DequantizeOp>(next))
          if (isReturned(dequantize) &&
              quantize.getScale() == dequantize.getScale() &&
              quantize.getZeroPoint() == dequantize.getZeroPoint())
            return true;
  return false;
}

LogicalResult LanguageModel::findCaches() {
  WalkResult walk = function.walk([&](ConcatOp op) {
    if (op.getInputs().size() != 2)
      return WalkResult::advance();
    auto argument = dyn_cast<BlockArgument>(op.getInputs()[0]);
    if (!argument || !isa<FloatType>(tensorType(argument).getElementType()))
      return WalkResult::advance();
    if (!isOutput(op)) {
      (void)no(op.getLoc(), "the appended cache is not an output");
      return WalkResult::interrupt();
    }
    if (!tensorType(argument).isDynamicDim(op.getAxis())) {
      (void)no(op.getLoc(), "the length of a cache is fixed");
      return WalkResult::interrupt();
    }
    caches.push_back({argument, op, int64_t(op.getAxis())});
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return failure();
  if (caches.empty())
    return no(function.getLoc(),
              "no input is a cache that new rows are appended to");
  past = symbols.sizeOf(caches.front().past, caches.front().axis);
  return success();
}

LogicalResult LanguageModel::findAttentions() {
  function.walk([&](AttentionOp op) { attentions.push_back(op); });
  if (attentions.empty())
    return no(function.getLoc(), "it has no attention");
  for (AttentionOp op : attentions)
    for (Value seen : {op.getKey(), op.getValue()}) {
      RankedTensorType type = tensorType(seen);
      if (type.isDynamicDim(1) || type.isDynamicDim(3))
        return no(op.getLoc(), "heads or head width of keys or values are not "
                               "fixed");
      if (!(symbols.sizeOf(seen, 2) == past + rows))
        return no(op.getLoc(), "an attention reads keys or values that are not "
                               "those of all past and new tokens");
    }
  return success();
}

LogicalResult LanguageModel::assumeInputs() {
  // All caches have one batch and one past length.
  llvm::SmallPtrSet<Value, 16> pasts;
  for (CacheTensor &cache : caches) {
    pasts.insert(cache.past);
    symbols.assumeSize(cache.past, cache.axis, past);
    RankedTensorType type = tensorType(cache.past);
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (d != cache.axis && type.isDynamicDim(d))
        symbols.assumeSize(cache.past, d, batch);
  }
  for (BlockArgument argument : function.getArguments()) {
    if (argument == tokens || pasts.contains(argument))
      continue;
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (part == GraphPart::DraftLayer && !states && type &&
        type.getRank() == 3 && isa<FloatType>(type.getElementType()) &&
        !type.isDynamicDim(2)) {
      states = argument;
      symbols.assumeSize(argument, 0, batch);
      symbols.assumeSize(argument, 1, rows);
      continue;
    }
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
  if (part == GraphPart::DraftLayer && !states)
    return no(function.getLoc(),
              "no input holds a state for every token, [batch, tokens, hidden "
              "size]");
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

/// What `value` is a cast or another shape of.
static Value peelViews(Value value) {
  while (isa_and_nonnull<CastOp, ReshapeOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

LogicalResult LanguageModel::findHidden() {
  hidden = head.getInput();
  if (part == GraphPart::Model)
    return success();
  // Of several outputs that may be states, those that the head reads.
  SmallVector<Value> found;
  auto returnOp =
      cast<func::ReturnOp>(function.getBody().front().getTerminator());
  for (Value output : returnOp.getOperands()) {
    auto type = dyn_cast<RankedTensorType>(output.getType());
    if (!type || type.getRank() != 3 ||
        !isa<FloatType>(type.getElementType()) || type.isDynamicDim(2) ||
        output == logits || !(symbols.sizeOf(output, 1) == rows))
      continue;
    if (peelViews(output) == peelViews(hidden)) {
      found.assign({hidden});
      break;
    }
    found.push_back(output);
  }
  // A layer may be exported without them, for one draft a step.
  if (found.empty() && part == GraphPart::DraftLayer)
    found.push_back(hidden);
  if (found.empty())
    return no(function.getLoc(),
              "no output has the states that the layer goes on from; export "
              "the main graph with the states behind its last norm, [batch, "
              "tokens, hidden size], as an output");
  if (found.size() > 1)
    return no(function.getLoc(),
              Twine(found.size()) +
                  " outputs may be the states that the layer goes on from; "
                  "export the main graph with those alone");
  hidden = found.front();
  if (states && tensorType(states).getShape().back() !=
                    tensorType(hidden).getShape().back())
    return no(function.getLoc(),
              "states go in with another width than they go out");
  return success();
}
