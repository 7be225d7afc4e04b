//===- DraftLayer.cpp - a layer that drafts joins its model ---------------===//
//
// See DraftLayer.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/DraftLayer.h"
#include "lowering/Link/ParameterBytes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/StepFunction.h"

using namespace mlir;
using namespace mlir::ds;

static int64_t factOf(ModuleOp module, StringRef name) {
  return module->getAttrOfType<DictionaryAttr>("ds.model")
      .getAs<IntegerAttr>(name)
      .getInt();
}

/// Rows of the table that the tokens of `function` are looked up in.
static int64_t embeddingRows(func::FuncOp function) {
  int64_t rows = 0;
  function.walk([&](EmbeddingOp op) {
    if (op.getIds() == function.getArgument(0))
      rows = cast<RankedTensorType>(op.getTable().getType()).getDimSize(0);
  });
  return rows;
}

static LogicalResult checkFit(ModuleOp model, ModuleOp layer, func::FuncOp step,
                              func::FuncOp draft) {
  auto compare = [&](int64_t layers, int64_t models, StringRef what) {
    if (layers == models)
      return success();
    return LogicalResult(emitError(draft.getLoc())
                         << "the layer that drafts has " << what << " "
                         << layers << ", but the main graph " << models
                         << "; --mtp takes a layer of the same model");
  };
  if (failed(compare(factOf(layer, "hidden_size"), factOf(model, "hidden_size"),
                     "hidden size")) ||
      failed(compare(factOf(layer, "vocabulary"), factOf(model, "vocabulary"),
                     "a vocabulary of")) ||
      failed(compare(embeddingRows(draft), embeddingRows(step),
                     "embedding rows:")))
    return failure();
  if (int64_t attentions = factOf(layer, "layers"); attentions != 1)
    return emitError(draft.getLoc())
           << "the layer that drafts has " << attentions
           << " attentions, expected one; name layers that follow each other "
              "in files of their own, each with --mtp";
  return success();
}

/// Whether two parameters have the same bytes. Only those that lie in one piece
/// are compared.
static FailureOr<bool> isSame(ParameterOp a, ParameterOp b) {
  if (a.getType() != b.getType() ||
      a->getDiscardableAttrDictionary() != b->getDiscardableAttrDictionary())
    return false;
  if (a.getSource() == b.getSource())
    return true;
  auto range = [](ParameterOp parameter) {
    auto list = dyn_cast<ArrayAttr>(parameter.getSource());
    return list && list.size() == 1 ? dyn_cast<FileRangeAttr>(list[0])
                                    : FileRangeAttr();
  };
  FileRangeAttr left = range(a), right = range(b);
  if (!left || !right)
    return false;
  auto leftBytes = mapRange(a.getLoc(), a.getSymName(), left),
       rightBytes = mapRange(b.getLoc(), b.getSymName(), right);
  if (failed(leftBytes) || failed(rightBytes))
    return failure();
  return (*leftBytes)->getBuffer() == (*rightBytes)->getBuffer();
}

/// Gives the parameters of `layer` that its entry reads to `model`.
static LogicalResult moveParameters(ModuleOp model, ModuleOp layer,
                                    func::FuncOp draft) {
  SymbolTable symbols(model), own(layer);
  auto theirs = llvm::to_vector(model.getOps<ParameterOp>());
  DenseMap<StringAttr, FlatSymbolRefAttr> names;
  WalkResult walk = draft.walk([&](LoadParameterOp load) {
    StringAttr name = load.getParameterAttr().getAttr();
    FlatSymbolRefAttr &now = names[name];
    if (!now) {
      auto parameter = own.lookup<ParameterOp>(name);
      for (ParameterOp other : theirs) {
        FailureOr<bool> same = isSame(parameter, other);
        if (failed(same))
          return WalkResult::interrupt();
        if (*same) {
          now = FlatSymbolRefAttr::get(other);
          break;
        }
      }
      if (!now) {
        Operation *copy = parameter->clone();
        // Behind those that are there; renamed on a clash.
        symbols.insert(copy, Block::iterator(symbols.lookup("step")));
        now = FlatSymbolRefAttr::get(copy);
      }
    }
    load.setParameterAttr(now);
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

LogicalResult mlir::ds::addDraftLayer(ModuleOp model, ModuleOp layer) {
  auto step = model.lookupSymbol<func::FuncOp>("step"),
       draft = layer.lookupSymbol<func::FuncOp>("draft_0");
  if (failed(checkFit(model, layer, step, draft)) ||
      failed(moveParameters(model, layer, draft)))
    return failure();
  int64_t index = 0;
  func::FuncOp last = step;
  for (auto function : model.getOps<func::FuncOp>())
    if (isStepFunction(function) && function != step) {
      last = function;
      ++index;
    }
  draft.setSymName("draft_" + std::to_string(index));
  // The caches of all layers count on.
  int64_t number = factOf(model, "layers") + index;
  Builder builder(draft.getContext());
  auto renamed = [&](ArrayAttr all) {
    return llvm::map_to_vector(all, [&](Attribute each) -> Attribute {
      NamedAttrList attributes(cast<DictionaryAttr>(each));
      auto name = dyn_cast_or_null<StringAttr>(attributes.get("ds.name"));
      StringRef rest = name ? name.getValue() : "";
      if (rest.consume_front("cache.0"))
        attributes.set("ds.name",
                       builder.getStringAttr("cache." + Twine(number) + rest));
      return attributes.getDictionary(draft.getContext());
    });
  };
  draft.setArgAttrsAttr(builder.getArrayAttr(renamed(draft.getArgAttrsAttr())));
  draft.setResAttrsAttr(builder.getArrayAttr(renamed(draft.getResAttrsAttr())));
  draft->remove();
  model.getBody()->getOperations().insertAfter(Block::iterator(last), draft);
  return success();
}
