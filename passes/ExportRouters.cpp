//===- ExportRouters.cpp - what routers measured leaves the step ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Arith/IR/Arith.h"
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

/// Gives biases parameters of their own.
class Biases {
public:
  explicit Biases(ModuleOp module) : module(module), symbols(module) {
    module.walk([&](LoadParameterOp load) {
      reads[load.getParameterAttr()] += llvm::range_size(load->getUses());
    });
  }

  /// The parameter that is the bias of `router` and nothing else; null if there
  /// is none and none can be made.
  FlatSymbolRefAttr own(RouteOp router) {
    Operation *source =
        router.getBias() ? router.getBias().getDefiningOp() : nullptr;
    Attribute content;
    if (auto load = dyn_cast_or_null<LoadParameterOp>(source)) {
      if (reads.lookup(load.getParameterAttr()) == 1)
        return load.getParameterAttr();
      content = symbols.lookup<ParameterOp>(load.getParameter()).getSource();
    } else if (auto constant = dyn_cast_or_null<arith::ConstantOp>(source)) {
      content = constant.getValue();
    } else {
      return nullptr;
    }
    OpBuilder builder(router->getParentOfType<func::FuncOp>());
    Type type = router.getBias().getType();
    auto parameter = ParameterOp::create(builder, source->getLoc(),
                                         "route_bias", type, content);
    symbols.insert(parameter); // renames on a clash
    builder.setInsertionPoint(router);
    router.getBiasMutable().assign(LoadParameterOp::create(
        builder, source->getLoc(), type, parameter.getSymName()));
    return FlatSymbolRefAttr::get(parameter);
  }

  /// `@update_route_bias`.
  void addUpdate() {
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    Location loc = module.getLoc();
    constexpr int64_t dynamic = ShapedType::kDynamic;
    auto numbers = RankedTensorType::get({dynamic}, builder.getF32Type()),
         counts = RankedTensorType::get({dynamic}, builder.getI32Type()),
         number = RankedTensorType::get({}, builder.getF32Type());
    auto update = func::FuncOp::create(
        builder, loc, "update_route_bias",
        builder.getFunctionType({numbers, counts, number}, numbers));
    update->setAttr("ds.entry", builder.getStringAttr("route_bias"));
    symbols.insert(update);
    constexpr StringRef names[] = {"bias", "loads", "rate"};
    for (auto [i, name] : llvm::enumerate(names))
      update.setArgAttr(i, "ds.name", builder.getStringAttr(name));
    update.setResultAttr(0, "ds.name", builder.getStringAttr("next"));
    Block *body = update.addEntryBlock();
    builder.setInsertionPointToStart(body);
    Value next =
        UpdateRouteBiasOp::create(builder, loc, numbers, body->getArgument(0),
                                  body->getArgument(1), body->getArgument(2));
    func::ReturnOp::create(builder, loc, next);
  }

private:
  ModuleOp module;
  SymbolTable symbols;
  DenseMap<Attribute, size_t> reads;
};

struct ExportRouters : ds::impl::ExportRoutersBase<ExportRouters> {
  void runOnOperation() override {
    Biases biases(getOperation());
    bool hasBias = false;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (isStepFunction(function))
        hasBias |= exportRouters(function, biases);
    if (hasBias)
      biases.addUpdate();
  }

private:
  /// Whether one of the routers has a bias.
  static bool exportRouters(func::FuncOp step, Biases &biases) {
    SmallVector<RouteOp> routers(step.getBody().front().getOps<RouteOp>());
    if (routers.empty())
      return false;
    Builder builder(step.getContext());
    Layers layers(step);
    Operation *end = step.getBody().front().getTerminator();
    SmallVector<DictionaryAttr> attributes;
    step.getAllResultAttrs(attributes);
    attributes.resize(step.getNumResults());
    bool hasBias = false;
    for (auto [i, router] : llvm::enumerate(routers)) {
      end->insertOperands(end->getNumOperands(), router.getResults());
      std::string number = std::to_string(i);
      for (std::string name :
           {"route." + number + ".weights", "route." + number + ".experts"})
        attributes.push_back(builder.getDictionaryAttr(
            builder.getNamedAttr("ds.name", builder.getStringAttr(name))));
      NamedAttrList facts;
      facts.set("ds.name", builder.getStringAttr("load." + number));
      facts.set("ds.layer",
                builder.getI64IntegerAttr(layers.of(router.getLogits())));
      if (FlatSymbolRefAttr bias = biases.own(router)) {
        facts.set("ds.bias", bias);
        hasBias = true;
      }
      attributes.push_back(facts.getDictionary(step.getContext()));
    }
    step.setFunctionType(builder.getFunctionType(step.getArgumentTypes(),
                                                 end->getOperandTypes()));
    step.setAllResultAttrs(attributes);
    return hasBias;
  }
};

} // namespace
