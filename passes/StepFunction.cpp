//===- StepFunction.cpp - the step of a language model --------------------===//
//
// See StepFunction.h.
//
//===----------------------------------------------------------------------===//
#include "passes/StepFunction.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::ds;

static constexpr int64_t dynamic = ShapedType::kDynamic;

bool mlir::ds::isStepFunction(func::FuncOp function) {
  auto entry = function->getAttrOfType<StringAttr>("ds.entry");
  return entry && (entry.getValue() == "step" || entry.getValue() == "draft");
}

StepFunction StepFunction::create(OpBuilder &builder, Location loc,
                                  ArrayRef<StepCache> caches,
                                  int64_t vocabulary, int64_t hiddenSize) {
  return create(builder, loc, "step", "step", caches, vocabulary, hiddenSize);
}

StepFunction StepFunction::createDraft(OpBuilder &builder, Location loc,
                                       int64_t layer,
                                       ArrayRef<StepCache> caches,
                                       int64_t vocabulary, int64_t hiddenSize) {
  return create(builder, loc, "draft_" + std::to_string(layer), "draft", caches,
                vocabulary, hiddenSize);
}

StepFunction StepFunction::create(OpBuilder &builder, Location loc,
                                  StringRef name, StringRef entry,
                                  ArrayRef<StepCache> caches,
                                  int64_t vocabulary, int64_t hiddenSize) {
  Type f32 = builder.getF32Type();
  auto i32s = RankedTensorType::get({dynamic}, builder.getI32Type());
  SmallVector<Type> inputs(5, i32s);
  SmallVector<StringRef> inputNames{"tokens", "row_start", "past_length",
                                    "cache_slot", "logit_rows"};
  auto states = RankedTensorType::get({dynamic, hiddenSize}, f32);
  bool isDraft = entry == "draft";
  if (isDraft) {
    inputs.push_back(states);
    inputNames.push_back("states");
  }
  SmallVector<Type> results{RankedTensorType::get({dynamic, vocabulary}, f32),
                            states};
  SmallVector<StringRef> resultNames{"logits", "hidden"};
  for (const StepCache &cache : caches) {
    auto type = RankedTensorType::get(
        {dynamic, cache.heads, dynamic, cache.width}, f32);
    inputs.push_back(type);
    results.push_back(type);
    inputNames.push_back(cache.name);
    resultNames.push_back(cache.name);
  }
  StepFunction step;
  step.function = func::FuncOp::create(
      builder, loc, name, builder.getFunctionType(inputs, results));
  step.function->setAttr("ds.entry", builder.getStringAttr(entry));
  // All at once: one by one takes time that grows with their square.
  auto named = [&](ArrayRef<StringRef> names) {
    return llvm::map_to_vector(names, [&](StringRef name) {
      return builder.getDictionaryAttr(
          builder.getNamedAttr("ds.name", builder.getStringAttr(name)));
    });
  };
  step.function.setAllArgAttrs(named(inputNames));
  step.function.setAllResultAttrs(named(resultNames));

  Block *body = step.function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  step.tokens = body->getArgument(0);
  step.rowStart = body->getArgument(1);
  step.pastLength = body->getArgument(2);
  step.cacheSlot = body->getArgument(3);
  step.logitRows = body->getArgument(4);
  if (isDraft)
    step.states = body->getArgument(5);
  llvm::append_range(step.caches,
                     body->getArguments().take_back(caches.size()));
  step.positions = TokenPositionsOp::create(
      builder, loc, i32s, step.rowStart, step.pastLength,
      tensor::DimOp::create(builder, loc, step.tokens, 0));
  return step;
}

Value StepFunction::rowsForLogits(OpBuilder &builder, Location loc,
                                  Value hidden) const {
  auto type = cast<RankedTensorType>(hidden.getType());
  return GatherOp::create(builder, loc,
                          type.clone({dynamic, type.getShape().back()}), hidden,
                          logitRows, builder.getI64IntegerAttr(0));
}

void StepFunction::finish(OpBuilder &builder, Location loc, Value logits,
                          Value hidden, ArrayRef<Value> caches) {
  SmallVector<Value> outputs{logits, hidden};
  llvm::append_range(outputs, caches);
  func::ReturnOp::create(builder, loc, outputs);
}

void StepFunction::setFacts(ModuleOp module, Value logits, Value hidden,
                            int64_t layers) {
  Builder builder(module.getContext());
  auto sizeOf = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getShape().back();
  };
  auto fact = [&](StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  };
  module->setAttr("ds.model", builder.getDictionaryAttr(
                                  {fact("vocabulary", sizeOf(logits)),
                                   fact("hidden_size", sizeOf(hidden)),
                                   fact("layers", layers)}));
}
