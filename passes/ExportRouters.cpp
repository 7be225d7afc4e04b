//===- ExportRouters.cpp - what routers measured leaves the step ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Passes.h"
#include "passes/StepFunction.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::ds {
#define GEN_PASS_DEF_EXPORTROUTERS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// The layer that every value of a step belongs to: the last one whose cache it
/// depends on.
class Layers {
public:
  explicit Layers(func::FuncOp step) {
    for (BlockArgument argument : step.getArguments()) {
      auto name =
          step.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "ds.name");
      StringRef rest = name ? name.getValue() : "";
      int64_t layer;
      if (rest.consume_front("cache.") && !rest.consumeInteger(10, layer))
        layers[argument] = layer;
    }
    for (Operation &op : step.getBody().front()) {
      llvm::SetVector<Value> read(op.operand_begin(), op.operand_end());
      getUsedValuesDefinedAbove(op.getRegions(), read);
      int64_t layer = 0;
      for (Value value : read)
        layer = std::max(layer, of(value));
      for (Value result : op.getResults())
        layers[result] = layer;
    }
  }
  int64_t of(Value value) const { return layers.lookup(value); }

private:
  DenseMap<Value, int64_t> layers;
};

struct ExportRouters : ds::impl::ExportRoutersBase<ExportRouters> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (isStepFunction(function))
        exportLoads(function);
  }

private:
  static void exportLoads(func::FuncOp step) {
    SmallVector<RouteOp> routers(step.getBody().front().getOps<RouteOp>());
    if (routers.empty())
      return;
    Builder builder(step.getContext());
    Layers layers(step);
    Operation *end = step.getBody().front().getTerminator();
    SmallVector<DictionaryAttr> attributes;
    step.getAllResultAttrs(attributes);
    attributes.resize(step.getNumResults());
    for (auto [i, router] : llvm::enumerate(routers)) {
      end->insertOperands(end->getNumOperands(), router.getLoads());
      attributes.push_back(builder.getDictionaryAttr(
          {builder.getNamedAttr(
               "ds.name", builder.getStringAttr("load." + std::to_string(i))),
           builder.getNamedAttr("ds.layer", builder.getI64IntegerAttr(layers.of(
                                                router.getLogits())))}));
    }
    step.setFunctionType(builder.getFunctionType(step.getArgumentTypes(),
                                                 end->getOperandTypes()));
    step.setAllResultAttrs(attributes);
  }
};

} // namespace
