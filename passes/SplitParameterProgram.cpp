//===- SplitParameterProgram.cpp - compute from weights at compile time ---===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/FileRanges.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"
#include <map>

namespace mlir::ds {
#define GEN_PASS_DEF_SPLITPARAMETERPROGRAM
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// A constant of this many bytes is data, not code.
constexpr uint64_t dataConstant = 4 << 10;
/// A result of at most this many bytes may be larger than what it is made of.
constexpr uint64_t smallResult = 64 << 10;
/// The same for results that something was computed for.
constexpr uint64_t largestTable = 32 << 20;

/// Bytes in the weights file, where every element takes whole bytes; nothing
/// for types that it cannot hold.
std::optional<uint64_t> storedBytes(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape())
    return std::nullopt;
  Type element = tensor.getElementType();
  auto integer = dyn_cast<IntegerType>(element);
  bool fits = integer ? llvm::is_contained({1u, 4u, 8u, 16u, 32u, 64u},
                                           integer.getWidth())
                      : isa<Float32Type, Float64Type, Float16Type, BFloat16Type,
                            Float8E4M3FNType, Float8E5M2Type>(element);
  if (!fits)
    return std::nullopt;
  return tensor.getNumElements() *
         llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// What an expression of parameters is made of.
struct Facts {
  /// Elements of the parameters and constants below; one for a splat. Shared
  /// ones count again: an estimate that only ever allows more.
  uint64_t leafElements = 0;
  bool readsData = false, computes = false;
};

class Splitter {
public:
  explicit Splitter(ModuleOp module) : module(module), symbols(module) {}

  void run() {
    SmallVector<func::FuncOp> entries;
    for (auto function : module.getOps<func::FuncOp>())
      if (auto entry = function->getAttrOfType<StringAttr>("ds.entry"))
        if (entry.getValue() != "parameter")
          entries.push_back(function);
    if (entries.empty())
      return;
    firstFunction = entries.front();
    for (func::FuncOp entry : entries) {
      shrinkSplats(entry);
      entry.walk<WalkOrder::PreOrder>([&](Operation *op) { classify(op); });
    }
    for (func::FuncOp entry : entries)
      entry.walk<WalkOrder::PreOrder>([&](Operation *op) {
        if (!facts.contains(op))
          for (Value operand : op->getOperands())
            choose(operand);
      });
    replaceRoots();
    for (auto &[op, ignored] : llvm::reverse(facts))
      if (op->use_empty())
        op->erase();
    dropUnread();
  }

private:
  /// Large splats become broadcasts of a scalar: no data, no code.
  static void shrinkSplats(func::FuncOp function) {
    function.walk([](arith::ConstantOp op) {
      auto splat = dyn_cast<SplatElementsAttr>(op.getValue());
      if (!splat || storedBytes(op.getType()).value_or(0) < dataConstant)
        return;
      OpBuilder builder(op);
      RankedTensorType type = tensorType(op);
      auto scalar =
          splat.resizeSplat(RankedTensorType::get({}, type.getElementType()));
      Value value = arith::ConstantOp::create(builder, op.getLoc(), scalar);
      op.replaceAllUsesWith(
          BroadcastOp::create(builder, op.getLoc(), type, value, ValueRange())
              .getResult());
      op.erase();
    });
  }

  bool isDataConstant(Operation *op) const {
    return isa<arith::ConstantOp>(op) &&
           storedBytes(op->getResult(0).getType()).value_or(0) >= dataConstant;
  }

  /// Whether code need not be computed from anything else than parameters.
  bool isLeaf(Operation *op) const {
    if (isDataConstant(op))
      return true;
    auto load = dyn_cast<LoadParameterOp>(op);
    if (!load)
      return false;
    auto parameter = symbols.lookup<ParameterOp>(load.getParameter());
    return parameter && !isa<ComputedAttr>(parameter.getSource());
  }

  void classify(Operation *op) {
    bool constant = isa<arith::ConstantOp>(op);
    if (isLeaf(op) || constant) {
      auto tensor = dyn_cast<RankedTensorType>(op->getResult(0).getType());
      Facts leaf;
      leaf.readsData = isLeaf(op);
      leaf.leafElements =
          tensor && tensor.hasStaticShape() ? tensor.getNumElements() : 1;
      DenseElementsAttr elements;
      if (constant && matchPattern(op, m_Constant(&elements)) &&
          elements.isSplat())
        leaf.leafElements = 1;
      facts[op] = leaf;
      return;
    }
    if (!isa<DsDialect, arith::ArithDialect, tensor::TensorDialect>(
            op->getDialect()) ||
        op->getNumOperands() == 0 || op->getNumRegions() != 0 ||
        !isMemoryEffectFree(op))
      return;
    // What may fail in a branch that is not taken must not fail here.
    if (!isa<func::FuncOp>(op->getParentOp()) && !isSpeculatable(op))
      return;
    for (Type type : op->getResultTypes()) {
      auto shaped = dyn_cast<ShapedType>(type);
      if (shaped && !shaped.hasStaticShape())
        return;
    }
    Facts sum;
    SmallPtrSet<Operation *, 4> counted;
    for (Value operand : op->getOperands()) {
      Operation *source = operand.getDefiningOp();
      auto found = source ? facts.find(source) : facts.end();
      if (found == facts.end())
        return;
      if (!counted.insert(source).second)
        continue;
      sum.leafElements =
          llvm::SaturatingAdd(sum.leafElements, found->second.leafElements);
      sum.readsData |= found->second.readsData;
      sum.computes |= found->second.computes;
    }
    sum.computes |= !isa<ReshapeOp, BroadcastOp, TransposeOp, SliceOp, ConcatOp,
                         CastOp, GatherOp>(op) &&
                    !isa<tensor::TensorDialect>(op->getDialect());
    facts[op] = sum;
  }

  /// Whether `value`, which is needed at run time, is better stored.
  bool isWorthStoring(Value value, const Facts &made) const {
    std::optional<uint64_t> bytes = storedBytes(value.getType());
    if (!bytes || *bytes == 0)
      return false;
    if (isa<arith::ConstantOp>(value.getDefiningOp()))
      return *bytes >= dataConstant;
    // What kernels read in their own layout, scales of blocks that became those
    // of rows too, no step makes anew.
    if (isa<PackOp>(value.getDefiningOp()))
      return true;
    uint64_t elements = tensorType(value).getNumElements();
    if (!made.readsData && *bytes < dataConstant &&
        (!made.computes || elements == 1))
      return false;
    if (!made.computes && made.leafElements <= 1)
      return false;
    if (elements <= llvm::SaturatingMultiply<uint64_t>(2, made.leafElements) ||
        *bytes <= smallResult)
      return true;
    return made.computes && *bytes <= largestTable;
  }

  /// Finds what to store of `value`, which is needed at run time.
  void choose(Value value) {
    SmallVector<Value> pending{value};
    while (!pending.empty()) {
      value = pending.pop_back_val();
      Operation *op = value.getDefiningOp();
      auto found = op ? facts.find(op) : facts.end();
      if (found == facts.end() || !seen.insert(value).second)
        continue;
      if (auto load = dyn_cast<LoadParameterOp>(op))
        readWhole.insert(load.getParameterAttr().getAttr());
      else if (isWorthStoring(value, found->second))
        roots.push_back(value);
      else
        llvm::append_range(pending, op->getOperands());
    }
  }

  void replaceRoots() {
    // All expressions first: replacing one could change another's operands.
    SmallVector<std::pair<Value, ParameterOp>> stored;
    for (Value root : roots)
      if (ParameterOp parameter = store(root))
        stored.push_back({root, parameter});
    for (auto &[root, parameter] : stored) {
      OpBuilder builder(root.getContext());
      builder.setInsertionPointAfterValue(root);
      root.replaceAllUsesWith(LoadParameterOp::create(
          builder, root.getLoc(), root.getType(), parameter.getSymName()));
    }
  }

  /// The parameter that a reshape or slice of it is read from, or null.
  LoadParameterOp viewedParameter(Value value) const {
    while (Operation *op = value.getDefiningOp()) {
      if (auto load = dyn_cast<LoadParameterOp>(op))
        return load;
      if (!isa<ReshapeOp, SliceOp>(op))
        break;
      value = op->getOperand(0);
    }
    return nullptr;
  }

  ParameterOp store(Value root) {
    Type type = root.getType();
    if (auto constant = root.getDefiningOp<arith::ConstantOp>())
      return parameterOf(type, constant.getValue(), "constant");
    if (auto ranges = fileRangesOf(root, symbols)) {
      LoadParameterOp viewed = viewedParameter(root);
      if (viewed && readWhole.contains(viewed.getParameterAttr().getAttr()))
        return nullptr;
      SmallVector<Attribute> list(ranges->begin(), ranges->end());
      return parameterOf(type, ArrayAttr::get(type.getContext(), list),
                         nameOf(root) + ".view");
    }
    return parameterOf(type, expression(root), nameOf(root) + ".computed");
  }

  /// The first parameter below `root`, to name what is made of it.
  std::string nameOf(Value root) const {
    SmallPtrSet<Operation *, 8> visited;
    SmallVector<Operation *> pending{root.getDefiningOp()};
    while (!pending.empty()) {
      Operation *op = pending.pop_back_val();
      if (!visited.insert(op).second)
        continue;
      if (auto load = dyn_cast<LoadParameterOp>(op))
        return load.getParameter().str();
      for (Value operand : llvm::reverse(op->getOperands()))
        pending.push_back(operand.getDefiningOp());
    }
    return "table";
  }

  ParameterOp parameterOf(Type type, Attribute source, const Twine &name) {
    ParameterOp &known = parameters[{type, source}];
    if (!known) {
      OpBuilder builder(firstFunction);
      known = ParameterOp::create(builder, firstFunction.getLoc(), name.str(),
                                  type, source);
      symbols.insert(known); // renames on a clash
    }
    return known;
  }

  /// The operations below `root`, operands before users.
  SmallVector<Operation *> operationsBelow(Value root) const {
    SmallVector<Operation *> order;
    SmallPtrSet<Operation *, 16> visited{root.getDefiningOp()};
    SmallVector<std::pair<Operation *, unsigned>> stack;
    stack.push_back({root.getDefiningOp(), 0});
    while (!stack.empty()) {
      auto &[op, next] = stack.back();
      if (isLeaf(op) || next == op->getNumOperands()) {
        order.push_back(op);
        stack.pop_back();
        continue;
      }
      Operation *operand = op->getOperand(next++).getDefiningOp();
      if (visited.insert(operand).second)
        stack.push_back({operand, 0});
    }
    return order;
  }

  /// `#ds.computed` for what `root` is made of. Two expressions that differ in
  /// the parameters alone get the same function.
  ComputedAttr expression(Value root) {
    SmallVector<Operation *> order = operationsBelow(root);
    SmallVector<FlatSymbolRefAttr> arguments;
    DenseMap<Attribute, unsigned> argumentNumber;
    DenseMap<Value, uintptr_t> number;
    std::vector<uintptr_t> key;
    auto word = [&](auto pointer) {
      key.push_back(reinterpret_cast<uintptr_t>(pointer));
    };
    for (Operation *op : order) {
      if (isLeaf(op)) {
        FlatSymbolRefAttr symbol = leafSymbol(op);
        auto [at, isNew] = argumentNumber.insert({symbol, arguments.size()});
        if (isNew)
          arguments.push_back(symbol);
        key.push_back(0);
        key.push_back(at->second);
      } else {
        word(op->getName().getAsOpaquePointer());
        word(op->getAttrDictionary().getAsOpaquePointer());
        key.push_back(op->getNumOperands());
        for (Value operand : op->getOperands())
          key.push_back(number.at(operand));
      }
      for (Value result : op->getResults()) {
        word(result.getType().getAsOpaquePointer());
        number.insert({result, number.size()});
      }
    }
    key.push_back(number.at(root));
    func::FuncOp &function = functions[key];
    if (!function)
      function = makeFunction(root, order, argumentNumber);
    return ComputedAttr::get(module.getContext(),
                             FlatSymbolRefAttr::get(function), arguments);
  }

  FlatSymbolRefAttr leafSymbol(Operation *op) {
    if (auto load = dyn_cast<LoadParameterOp>(op))
      return load.getParameterAttr();
    auto constant = cast<arith::ConstantOp>(op);
    return FlatSymbolRefAttr::get(
        parameterOf(constant.getType(), constant.getValue(), "constant"));
  }

  func::FuncOp makeFunction(Value root, ArrayRef<Operation *> order,
                            const DenseMap<Attribute, unsigned> &arguments) {
    SmallVector<Type> types(arguments.size());
    for (Operation *op : order)
      if (isLeaf(op))
        types[arguments.at(leafSymbol(op))] = op->getResult(0).getType();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto function = func::FuncOp::create(
        builder, module.getLoc(),
        "parameter_" + std::to_string(functions.size() - 1),
        builder.getFunctionType(types, root.getType()));
    function.setPrivate();
    function->setAttr("ds.entry", builder.getStringAttr("parameter"));
    symbols.insert(function);
    builder.setInsertionPointToStart(function.addEntryBlock());
    IRMapping mapping;
    for (Operation *op : order)
      if (isLeaf(op))
        mapping.map(op->getResult(0),
                    function.getArgument(arguments.at(leafSymbol(op))));
      else
        builder.clone(*op, mapping);
    func::ReturnOp::create(builder, module.getLoc(), mapping.lookup(root));
    return function;
  }

  /// Parameters and functions that nothing needs.
  void dropUnread() {
    DenseSet<Attribute> read;
    for (auto function : module.getOps<func::FuncOp>())
      function.walk([&](LoadParameterOp load) {
        read.insert(load.getParameterAttr().getAttr());
      });
    for (auto parameter : module.getOps<ParameterOp>())
      if (auto computed = dyn_cast<ComputedAttr>(parameter.getSource()))
        if (read.contains(parameter.getSymNameAttr())) {
          read.insert(computed.getFunction().getAttr());
          for (FlatSymbolRefAttr argument : computed.getArguments())
            read.insert(argument.getAttr());
        }
    for (Operation &op : llvm::make_early_inc_range(*module.getBody())) {
      auto name =
          op.getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName());
      auto entry = op.getAttrOfType<StringAttr>("ds.entry");
      if ((isa<ParameterOp>(op) ||
           (entry && entry.getValue() == "parameter")) &&
          !read.contains(name))
        symbols.erase(&op);
    }
  }

  ModuleOp module;
  SymbolTable symbols;
  func::FuncOp firstFunction;
  /// The ops that depend on parameters and constants alone, in program order.
  llvm::MapVector<Operation *, Facts> facts;
  DenseSet<Value> seen;
  SmallVector<Value> roots;
  /// Parameters that are needed at run time as they are.
  DenseSet<Attribute> readWhole;
  DenseMap<std::pair<Type, Attribute>, ParameterOp> parameters;
  std::map<std::vector<uintptr_t>, func::FuncOp> functions;
};

struct SplitParameterProgram
    : ds::impl::SplitParameterProgramBase<SplitParameterProgram> {
  void runOnOperation() override { Splitter(getOperation()).run(); }
};

} // namespace
