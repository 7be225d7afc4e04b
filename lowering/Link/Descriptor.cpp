//===- Descriptor.cpp - what the library says about itself ----------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "lowering/LinalgToCPU/TypeCode.h"
#include "lowering/Link/Link.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/include/ds/model_abi.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::ds;

static EntryValue describe(RankedTensorType type, StringRef name,
                           ArrayAttr dims, StringAttr unsignedName) {
  EntryValue value;
  value.name = name.str();
  value.type = typeCode(type.getElementType(),
                        unsignedName ? unsignedName.getValue() : "");
  for (int64_t d = 0; d < type.getRank(); ++d) {
    bool dynamic = type.isDynamicDim(d);
    value.dims.push_back(dynamic ? -1 : type.getDimSize(d));
    value.dimNames.push_back(dims && dynamic ? cast<StringAttr>(dims[d]).str()
                                             : "");
  }
  return value;
}

static LogicalResult checkRank(ModuleOp module, RankedTensorType type,
                               StringRef name) {
  if (type.getRank() <= DS_MAX_RANK)
    return success();
  return emitError(module.getLoc()) << "'" << name << "' has " << type.getRank()
                                    << " dimensions, more than " << DS_MAX_RANK;
}

FailureOr<std::vector<EntryParameter>>
mlir::ds::describeParameters(ModuleOp module) {
  std::vector<EntryParameter> result;
  for (auto parameter : module.getOps<ParameterOp>()) {
    EntryParameter described;
    auto type = cast<RankedTensorType>(parameter.getType());
    if (failed(checkRank(module, type, parameter.getSymName())))
      return failure();
    described.value = describe(type, parameter.getSymName(), {},
                               parameter->getAttrOfType<StringAttr>("ds.type"));
    described.source = parameter.getSource();
    unsigned width = type.getElementTypeBitWidth();
    // Bits and 4-bit numbers take a byte each where code reads them.
    described.bytes =
        uint64_t(type.getNumElements()) * ((std::max(width, 8u)) / 8);
    result.push_back(described);
  }
  return result;
}

static StringRef entryKind(func::FuncOp function) {
  auto kind = function->getAttrOfType<StringAttr>("ds.entry");
  return kind ? kind.getValue() : "";
}

/// The caches among the arguments of @step or a draft.
static std::vector<EntryValue> describeCaches(func::FuncOp step) {
  std::vector<EntryValue> caches;
  for (unsigned i = 0; i < step.getNumArguments(); ++i) {
    auto name = step.getArgAttrOfType<StringAttr>(i, "ds.name");
    if (name && name.getValue().starts_with("cache."))
      caches.push_back(
          describe(cast<RankedTensorType>(step.getArgumentTypes()[i]),
                   name.getValue(), {}, {}));
  }
  return caches;
}

/// The routers of which @step or a draft returns the weights, the experts and
/// the loads.
static std::vector<EntryRouter> describeRouters(func::FuncOp step) {
  std::vector<EntryRouter> routers;
  for (auto [i, type] : llvm::enumerate(step.getResultTypes()))
    if (auto layer = step.getResultAttrOfType<IntegerAttr>(i, "ds.layer")) {
      auto bias = step.getResultAttrOfType<FlatSymbolRefAttr>(i, "ds.bias");
      routers.push_back(
          {layer.getInt(), cast<RankedTensorType>(type).getDimSize(0),
           cast<RankedTensorType>(step.getResultTypes()[i - 1]).getDimSize(1),
           bias ? bias.getValue().str() : ""});
    }
  return routers;
}

/// Marks the parameters that only drafts read.
static void markDraftParameters(ModuleOp module,
                                std::vector<EntryParameter> &parameters) {
  llvm::StringSet<> readByDrafts, readByOthers;
  for (auto function : module.getOps<func::FuncOp>()) {
    bool isDraft = entryKind(function) == "draft";
    function.walk([&](LoadParameterOp load) {
      (isDraft ? readByDrafts : readByOthers).insert(load.getParameter());
    });
  }
  for (EntryParameter &parameter : parameters)
    parameter.draftOnly = readByDrafts.contains(parameter.value.name) &&
                          !readByOthers.contains(parameter.value.name);
}

FailureOr<ModelDescription> mlir::ds::describeModel(ModuleOp module) {
  ModelDescription result;
  func::FuncOp entry;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (entryKind(function) == "draft")
      result.drafts.push_back(
          {describeCaches(function), describeRouters(function)});
    else if (entryKind(function) == "route_bias")
      result.hasRouteBias = true;
    else if (function->hasAttr("ds.entry"))
      entry = function;
  }
  if (!entry)
    return emitError(module.getLoc())
           << "the module has no function with ds.entry";
  result.isLanguageModel = entryKind(entry) == "step";
  if (result.isLanguageModel) {
    result.caches = describeCaches(entry);
    result.routers = describeRouters(entry);
  }
  for (unsigned i = 0; i < entry.getNumArguments() && !result.isLanguageModel;
       ++i) {
    auto type = cast<RankedTensorType>(entry.getArgumentTypes()[i]);
    auto name = entry.getArgAttrOfType<StringAttr>(i, "ds.name");
    result.inputs.push_back(
        describe(type, name ? name.getValue() : "",
                 entry.getArgAttrOfType<ArrayAttr>(i, "ds.dims"),
                 entry.getArgAttrOfType<StringAttr>(i, "ds.type")));
    if (failed(checkRank(module, type, result.inputs.back().name)))
      return failure();
  }
  for (unsigned i = 0; i < entry.getNumResults() && !result.isLanguageModel;
       ++i) {
    auto type = cast<RankedTensorType>(entry.getResultTypes()[i]);
    auto name = entry.getResultAttrOfType<StringAttr>(i, "ds.name");
    result.outputs.push_back(
        describe(type, name ? name.getValue() : "",
                 entry.getResultAttrOfType<ArrayAttr>(i, "ds.dims"),
                 entry.getResultAttrOfType<StringAttr>(i, "ds.type")));
    if (failed(checkRank(module, type, result.outputs.back().name)))
      return failure();
  }
  FailureOr<std::vector<EntryParameter>> parameters =
      describeParameters(module);
  if (failed(parameters))
    return failure();
  result.parameters = std::move(*parameters);
  markDraftParameters(module, result.parameters);
  if (auto slow = module->getAttrOfType<IntegerAttr>("ds.slow_ops"))
    result.slowOps = slow.getInt();
  if (auto facts = module->getAttrOfType<DictionaryAttr>("ds.model")) {
    auto number = [&](StringRef name) {
      auto attr = facts.getAs<IntegerAttr>(name);
      return attr ? attr.getInt() : 0;
    };
    result.vocabulary = number("vocabulary");
    result.hiddenSize = number("hidden_size");
    result.layers = number("layers");
    result.mlaAbsorbBelow = number("mla_absorb_below");
    result.multiplyAddsPerToken = number("multiply_adds_per_token");
    result.weightBytesPerToken = number("weight_bytes_per_token");
    result.multiplyAddsPerLogits = number("multiply_adds_per_logits");
  }
  return result;
}
