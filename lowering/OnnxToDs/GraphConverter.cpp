//===- GraphConverter.cpp - one ONNX graph on its way to ds ---------------===//
#include "lowering/OnnxToDs/GraphConverter.h"
#include "lowering/OnnxToDs/Passes.h"
#include "mlir/IR/TypeUtilities.h"
#include "runtime/include/ds/model_abi.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;

//===----------------------------------------------------------------------===//
// The table of operators
//===----------------------------------------------------------------------===//

static SmallVector<const OpEntry *> allOps() {
  SmallVector<const OpEntry *> result;
  for (ArrayRef<OpEntry> family :
       {attentionOps(), controlFlowOps(), elementwiseOps(), expertOps(),
        indexingOps(), linearOps(), lossOps(), normalizationOps(),
        quantizeOps(), reduceOps(), sequenceOps(), shapeOps(), sliceOps()})
    for (const OpEntry &entry : family)
      result.push_back(&entry);
  llvm::sort(result, [](const OpEntry *a, const OpEntry *b) {
    return std::tie(a->domain, a->name) < std::tie(b->domain, b->name);
  });
  return result;
}

const OpEntry *mlir::onnx::findOp(StringRef domain, StringRef name,
                                  int64_t version) {
  static const llvm::StringMap<const OpEntry *> table = [] {
    llvm::StringMap<const OpEntry *> result;
    for (const OpEntry *entry : allOps())
      result[(entry->domain + "::" + entry->name).str()] = entry;
    return result;
  }();
  auto it = table.find((domain + "::" + name).str());
  if (it == table.end() || version < it->second->minVersion ||
      version > it->second->maxVersion)
    return nullptr;
  return it->second;
}

SmallVector<SupportedOp> mlir::onnx::listSupportedOps() {
  SmallVector<SupportedOp> result;
  for (const OpEntry *entry : allOps())
    result.push_back(
        {entry->domain, entry->name, entry->minVersion, entry->maxVersion});
  return result;
}

//===----------------------------------------------------------------------===//
// NodeContext
//===----------------------------------------------------------------------===//

Value NodeContext::input(unsigned i) {
  if (i >= node.getInputs().size() ||
      isa<NoneType>(node.getInputs()[i].getType()))
    return nullptr;
  return converter.lookup(node.getInputs()[i]);
}

void NodeContext::output(unsigned i, Value value) {
  if (wants(i))
    converter.map(node.getResult(i), value);
}

FailureOr<ArrayRef<Value>> NodeContext::sequence(unsigned i) {
  if (i < node.getInputs().size())
    if (auto *tensors = converter.lookupSequence(node.getInputs()[i]))
      return ArrayRef<Value>(*tensors);
  return error("input " + Twine(i) + " is no sequence");
}

void NodeContext::outputSequence(ArrayRef<Value> tensors) {
  if (wants(0))
    converter.mapSequence(node.getResult(0), tensors);
}

int64_t NodeContext::integer(StringRef name, int64_t otherwise) {
  auto attr = dyn_cast_or_null<IntegerAttr>(attribute(name));
  return attr ? attr.getInt() : otherwise;
}

double NodeContext::number(StringRef name, double otherwise) {
  auto attr = dyn_cast_or_null<FloatAttr>(attribute(name));
  return attr ? attr.getValueAsDouble() : otherwise;
}

StringRef NodeContext::text(StringRef name, StringRef otherwise) {
  auto attr = dyn_cast_or_null<StringAttr>(attribute(name));
  return attr ? attr.getValue() : otherwise;
}

std::optional<SmallVector<int64_t>> NodeContext::integers(StringRef name) {
  auto attr = dyn_cast_or_null<DenseI64ArrayAttr>(attribute(name));
  if (!attr)
    return std::nullopt;
  return SmallVector<int64_t>(attr.asArrayRef());
}

FailureOr<int64_t> NodeContext::axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    (void)error("axis " + Twine(axis) + " is outside a tensor of rank " +
                Twine(rank));
    return failure();
  }
  return axis < 0 ? axis + rank : axis;
}

FailureOr<std::optional<SmallVector<int64_t>>>
NodeContext::numbers(StringRef attributeName, unsigned inputIndex,
                     bool required) {
  if (auto values = integers(attributeName))
    return values;
  Value value = input(inputIndex);
  if (!value)
    return std::optional<SmallVector<int64_t>>();
  auto elements = b.elements(value);
  SmallVector<int64_t> result;
  if (elements)
    for (OpFoldResult element : *elements)
      if (std::optional<int64_t> number = getConstantIntValue(element))
        result.push_back(*number);
  if (!elements || result.size() != elements->size()) {
    if (!required)
      return std::optional<SmallVector<int64_t>>();
    (void)unsupported("its " + attributeName + " are not constant");
    return failure();
  }
  return std::optional<SmallVector<int64_t>>(result);
}

Type NodeContext::elementType(int64_t code) {
  Builder &builder = b.b;
  auto unsignedInteger = [&](unsigned width) -> Type {
    return builder.getIntegerType(width, /*isSigned=*/false);
  };
  switch (code) {
  case 1:
    return builder.getF32Type();
  case 2:
    return unsignedInteger(8);
  case 3:
    return builder.getI8Type();
  case 4:
    return unsignedInteger(16);
  case 5:
    return builder.getI16Type();
  case 6:
    return builder.getI32Type();
  case 7:
    return builder.getI64Type();
  case 9:
    return builder.getI1Type();
  case 10:
    return builder.getF16Type();
  case 11:
    return builder.getF64Type();
  case 12:
    return unsignedInteger(32);
  case 13:
    return unsignedInteger(64);
  case 16:
    return builder.getBF16Type();
  case 17:
    return Float8E4M3FNType::get(builder.getContext());
  case 19:
    return Float8E5M2Type::get(builder.getContext());
  case 21:
    return unsignedInteger(4);
  case 22:
    return builder.getIntegerType(4);
  default:
    return nullptr;
  }
}

LogicalResult NodeContext::error(const Twine &message) {
  b.wrong(message);
  return failure();
}

LogicalResult NodeContext::unsupported(const Twine &why) {
  converter.recordUnsupported(node, why);
  return failure();
}

//===----------------------------------------------------------------------===//
// GraphConverter
//===----------------------------------------------------------------------===//

GraphConverter::GraphConverter(ModuleOp module, GraphOp graph)
    : module(module), graph(graph), builders(module.getContext()),
      symbols(module) {
  if (auto file = dyn_cast<FileLineColLoc>(module.getLoc()))
    folder = llvm::sys::path::parent_path(file.getFilename()).str();
}

void GraphConverter::recordUnsupported(NodeOp node, const Twine &why) {
  StringRef domain =
      node.getDomain().empty() ? StringRef("ai.onnx") : node.getDomain();
  std::string op =
      (domain + "::" + node.getOpType() + " version " +
       Twine(node.getVersion()) + (why.isTriviallyEmpty() ? "" : ": ") + why)
          .str();
  StringRef name = node.getNodeName();
  if (name.empty())
    if (auto loc = dyn_cast<NameLoc>(node.getLoc()))
      name = loc.getName();
  missing[op].push_back(name.str());
}

LogicalResult GraphConverter::reportMissing() {
  if (missing.empty())
    return success();
  InFlightDiagnostic diagnostic =
      emitError(module.getLoc())
      << "the model uses operators that are not supported:";
  constexpr size_t shown = 8;
  for (auto &[op, nodes] : missing) {
    diagnostic << "\n  " << op << " (" << nodes.size()
               << (nodes.size() == 1 ? " node: " : " nodes: ");
    llvm::interleave(
        ArrayRef<std::string>(nodes).take_front(shown),
        [&](const std::string &name) { diagnostic << name; },
        [&] { diagnostic << ", "; });
    diagnostic << (nodes.size() > shown ? ", …)" : ")");
  }
  diagnostic << "\nExport the model with other operators (another opset or "
                "exporter), or remove these nodes; `ds-compile --list-ops` "
                "prints what is supported";
  return diagnostic;
}

LogicalResult GraphConverter::checkSupported() {
  graph.walk([&](NodeOp node) {
    if (!findOp(node.getDomain(), node.getOpType(), node.getVersion()))
      recordUnsupported(node, "");
  });
  return reportMissing();
}

Value GraphConverter::parameter(StringRef name, RankedTensorType type,
                                Attribute value) {
  if (auto dense = dyn_cast<DenseElementsAttr>(value))
    return builders.constant(dense);
  OpBuilder::InsertionGuard guard(builders.b);
  auto range = cast<onnx::FileRangeAttr>(value);
  SmallString<128> path(folder);
  llvm::sys::path::append(path, range.getFile());
  auto source = ds::FileRangeAttr::get(module.getContext(), path,
                                       range.getOffset(), range.getLength());
  builders.b.setInsertionPoint(function);
  auto op = ds::ParameterOp::create(builders.b, builders.loc, name, type,
                                    builders.b.getArrayAttr({source}));
  symbols.insert(op); // renames on a clash
  builders.b.setInsertionPointToStart(&function.getBody().front());
  return ds::LoadParameterOp::create(builders.b, builders.loc, type,
                                     op.getSymName());
}

Value GraphConverter::reinterpret(Value value, RankedTensorType type) {
  // Another shape of the bytes is no other bytes.
  while (auto reshape = value.getDefiningOp<ds::ReshapeOp>())
    value = reshape.getInput();
  if (auto load = value.getDefiningOp<ds::LoadParameterOp>()) {
    auto old = symbols.lookup<ds::ParameterOp>(load.getParameter());
    OpBuilder::InsertionGuard guard(builders.b);
    builders.b.setInsertionPoint(function);
    auto op = ds::ParameterOp::create(
        builders.b, builders.loc, load.getParameter(), type, old.getSource());
    symbols.insert(op);
    builders.b.setInsertionPointAfter(load);
    return ds::LoadParameterOp::create(builders.b, builders.loc, type,
                                       op.getSymName());
  }
  DenseElementsAttr attr = builders.constantOf(value);
  unsigned width = type.getElementTypeBitWidth();
  if (!attr || !attr.getElementType().isInteger(8) || width > 8)
    return nullptr;
  SmallVector<APInt> elements;
  for (const APInt &byte : attr.getValues<APInt>())
    for (unsigned shift = 0; shift < 8; shift += width)
      elements.push_back(byte.extractBits(width, shift));
  elements.resize(type.getNumElements(), APInt(width, 0));
  return builders.constant(DenseElementsAttr::get(type, elements));
}

bool mlir::onnx::isSupported(mlir::Type element) {
  if (auto integer = dyn_cast<IntegerType>(element))
    return llvm::is_contained({1u, 4u, 8u, 16u, 32u, 64u}, integer.getWidth());
  return isa<Float32Type, Float64Type, Float16Type, BFloat16Type,
             Float8E4M3FNType, Float8E5M2Type>(element);
}

LogicalResult GraphConverter::convertArguments() {
  Block &onnxBody = graph.getBody().front();
  SmallVector<Type> inputs;
  for (auto [name, argument] :
       llvm::zip_equal(graph.getInputNames().getAsRange<StringAttr>(),
                       onnxBody.getArguments())) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      return emitError(argument.getLoc())
             << "input '" << name.getValue()
             << "' is not a tensor of known rank; give it a shape in the file";
    if (!isSupported(type.getElementType()))
      return emitError(argument.getLoc())
             << "input '" << name.getValue() << "' has element type "
             << type.getElementType()
             << ", which is not supported; cast it outside the model";
    if (type.getRank() > DS_MAX_RANK)
      return emitError(argument.getLoc())
             << "input '" << name.getValue() << "' has " << type.getRank()
             << " dimensions; at most " << DS_MAX_RANK << " are supported";
    inputs.push_back(type);
  }
  builders.b.setInsertionPoint(graph);
  function = func::FuncOp::create(builders.b, graph.getLoc(), "graph",
                                  builders.b.getFunctionType(inputs, {}));
  function->setAttr("ds.entry", builders.b.getStringAttr("graph"));
  Block *body = function.addEntryBlock();
  builders.b.setInsertionPointToStart(body);
  // Sizes of one name are one value.
  std::map<std::string, OpFoldResult> named;
  for (auto [i, argument] : llvm::enumerate(body->getArguments())) {
    function.setArgAttr(i, "ds.name", graph.getInputNames()[i]);
    auto dims = cast<ArrayAttr>(graph.getInputDims()[i]);
    function.setArgAttr(i, "ds.dims", dims);
    SmallVector<OpFoldResult> shape;
    for (int64_t d = 0; d < tensorType(argument).getRank(); ++d) {
      if (!tensorType(argument).isDynamicDim(d)) {
        shape.push_back(builders.size(argument, d));
        continue;
      }
      std::string name = cast<StringAttr>(dims[d]).str();
      OpFoldResult &size = named[name];
      if (!size || name.empty())
        size = tensor::DimOp::create(builders.b, builders.loc, argument, d)
                   .getResult();
      shape.push_back(size);
    }
    builders.setSizes(argument, shape);
    map(onnxBody.getArgument(i), argument);
  }
  return success();
}

LogicalResult GraphConverter::convertNode(NodeOp node) {
  builders.loc = node.getLoc();
  NodeContext context{node, *this, builders};
  for (auto [i, input] : llvm::enumerate(node.getInputs()))
    if (!isa<NoneType>(input.getType()) && !lookup(input) &&
        !lookupSequence(input))
      return failure(); // made by a node that failed: already reported
  const OpEntry *entry =
      findOp(node.getDomain(), node.getOpType(), node.getVersion());
  NodeOp outer = std::exchange(builders.node, node);
  bool outerWrong = std::exchange(builders.isWrong, false);
  LogicalResult converted = success();
  for (auto [i, input] : llvm::enumerate(node.getInputs()))
    if (lookupSequence(input) && !(entry->takesSequence && i == 0))
      converted = context.error("input " + Twine(i) + " is a sequence");
  for (unsigned i = 0; i < entry->minInputs && succeeded(converted); ++i)
    if (!context.has(i))
      converted = context.error("input " + Twine(i) + " is missing");
  if (succeeded(converted))
    converted = entry->convert(context);
  if (builders.isWrong)
    converted = failure();
  builders.node = outer;
  builders.isWrong = outerWrong;
  if (failed(converted))
    return failure();
  for (auto [i, result] : llvm::enumerate(node.getResults()))
    if (context.isUsed(i) && !lookup(result) && !lookupSequence(result)) {
      recordUnsupported(node, "output " + Twine(i) + " is used");
      return failure();
    }
  return success();
}

LogicalResult GraphConverter::convertBlock(Block &block) {
  bool ok = true;
  for (Operation &op : block) {
    if (auto initializer = dyn_cast<InitializerOp>(op)) {
      builders.loc = op.getLoc();
      auto type = dyn_cast<RankedTensorType>(initializer.getResult().getType());
      if (!type || !isSupported(type.getElementType())) {
        ok = false;
        emitError(op.getLoc())
            << "initializer '" << initializer.getName() << "' has element type "
            << getElementTypeOrSelf(initializer.getResult().getType())
            << ", which is not supported";
        continue;
      }
      map(initializer,
          parameter(initializer.getName(),
                    cast<RankedTensorType>(initializer.getResult().getType()),
                    initializer.getValue()));
    } else if (auto node = dyn_cast<NodeOp>(op)) {
      ok &= succeeded(convertNode(node));
    }
  }
  return success(ok);
}

LogicalResult GraphConverter::convertBody(Region &body, ValueRange arguments,
                                          SmallVectorImpl<Value> &results) {
  Location outer = builders.loc;
  Block &block = body.front();
  for (auto [name, argument] : llvm::zip_equal(block.getArguments(), arguments))
    map(name, argument);
  if (failed(convertBlock(block)))
    return failure();
  builders.loc = outer;
  for (Value value : cast<ReturnOp>(block.getTerminator()).getValues()) {
    if (lookupSequence(value)) {
      builders.wrong("its body returns a sequence, not tensors");
      return failure();
    }
    results.push_back(lookup(value));
  }
  return success();
}

LogicalResult GraphConverter::convert() {
  if (failed(checkSupported()) || failed(convertArguments()))
    return failure();
  unsigned errors = 0;
  ScopedDiagnosticHandler counter(module.getContext(), [&](Diagnostic &) {
    ++errors;
    return failure();
  });
  bool ok = succeeded(convertBlock(graph.getBody().front()));
  if (!ok) {
    function.erase();
    if (failed(reportMissing()))
      return failure();
    if (errors == 0)
      emitError(module.getLoc()) << "the model could not be converted";
    return failure();
  }
  auto onnxReturn = cast<ReturnOp>(graph.getBody().front().getTerminator());
  SmallVector<Value> results;
  for (auto [name, value] :
       llvm::zip_equal(graph.getOutputNames().getAsRange<StringAttr>(),
                       onnxReturn.getValues())) {
    if (lookupSequence(value))
      return emitError(graph.getLoc())
             << "output '" << name.getValue()
             << "' is a sequence; make its tensors outputs";
    results.push_back(lookup(value));
    int64_t rank = tensorType(results.back()).getRank();
    if (rank > DS_MAX_RANK)
      return emitError(graph.getLoc())
             << "output '" << name.getValue() << "' has " << rank
             << " dimensions; at most " << DS_MAX_RANK << " are supported";
  }
  func::ReturnOp::create(builders.b, graph.getLoc(), results);
  function.setFunctionType(builders.b.getFunctionType(
      function.getArgumentTypes(), ValueRange(results).getTypes()));
  for (unsigned i = 0; i < results.size(); ++i) {
    function.setResultAttr(i, "ds.name", graph.getOutputNames()[i]);
    auto dims = cast<ArrayAttr>(graph.getOutputDims()[i]);
    if (int64_t(dims.size()) == tensorType(results[i]).getRank())
      function.setResultAttr(i, "ds.dims", dims);
  }
  graph.erase();
  for (auto definition :
       llvm::make_early_inc_range(module.getOps<FunctionOp>()))
    definition.erase();
  return success();
}
