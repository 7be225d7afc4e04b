//===- ImportGraph.cpp - GraphProto, NodeProto, AttributeProto ------------===//
#include "dialects/onnx/Import/Importer.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::onnx;

struct Importer::GraphParts {
  StringRef name;
  SmallVector<StringRef> nodes, initializers, sparseInitializers;
  SmallVector<ImportedValueInfo> inputs, outputs;
  llvm::StringMap<Type> types;
};

LogicalResult Importer::readGraph(StringRef message, GraphParts &parts) {
  WireReader graph(message);
  while (graph.next()) {
    StringRef field = graph.getBytes();
    switch (graph.getField()) {
    case 1:
      parts.nodes.push_back(field);
      break;
    case 2:
      parts.name = field;
      break;
    case 5:
      parts.initializers.push_back(field);
      break;
    case 11:
    case 12:
    case 13: {
      FailureOr<ImportedValueInfo> info = importValueInfo(field);
      if (failed(info))
        return failure();
      parts.types[info->name] = info->type;
      if (graph.getField() == 11)
        parts.inputs.push_back(*info);
      else if (graph.getField() == 12)
        parts.outputs.push_back(*info);
      break;
    }
    case 15:
      parts.sparseInitializers.push_back(field);
      break;
    }
  }
  if (graph.isBroken())
    return broken("the graph");
  if (!parts.sparseInitializers.empty())
    return error("graph '" + parts.name +
                 "' has sparse initializers, which are not supported; "
                 "store them dense");
  return success();
}

Value Importer::lookup(StringRef name, Scope &scope) {
  for (Scope *s = &scope; s; s = s->outer) {
    auto it = s->values.find(name);
    if (it != s->values.end())
      return it->second;
  }
  return nullptr;
}

LogicalResult Importer::importBody(GraphParts &parts, Block *block,
                                   Scope &scope) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(block);
  llvm::StringSet<> given;
  for (StringRef message : parts.initializers) {
    FailureOr<ImportedTensor> tensor = importTensor(message, "an initializer");
    if (failed(tensor))
      return failure();
    if (!given.insert(tensor->name).second)
      return error("two initializers are named '" + tensor->name + "'");
    auto op = InitializerOp::create(
        builder, NameLoc::get(builder.getStringAttr(tensor->name), loc),
        tensor->type, tensor->name, tensor->value);
    scope.values[tensor->name] = op;
  }
  for (StringRef message : parts.nodes)
    if (failed(importNode(message, scope, parts.types)))
      return failure();
  SmallVector<Value> results;
  for (ImportedValueInfo &output : parts.outputs) {
    Value value = lookup(output.name, scope);
    if (!value)
      return error("output '" + output.name + "' of graph '" + parts.name +
                   "' is made by no node");
    results.push_back(value);
  }
  ReturnOp::create(builder, loc, results);
  return success();
}

LogicalResult Importer::importMainGraph(StringRef message) {
  GraphParts parts;
  if (failed(readGraph(message, parts)))
    return failure();
  // Before IR version 4 initializers had to be inputs too.
  llvm::StringSet<> initialized;
  for (StringRef initializer : parts.initializers)
    for (WireReader tensor(initializer); tensor.next();)
      if (tensor.getField() == 8)
        initialized.insert(tensor.getBytes());
  llvm::erase_if(parts.inputs, [&](const ImportedValueInfo &input) {
    return initialized.contains(input.name);
  });
  auto names = [&](ArrayRef<ImportedValueInfo> values) {
    SmallVector<StringRef> result;
    for (const ImportedValueInfo &value : values)
      result.push_back(value.name);
    return builder.getStrArrayAttr(result);
  };
  auto dims = [&](ArrayRef<ImportedValueInfo> values) {
    SmallVector<Attribute> result;
    for (const ImportedValueInfo &value : values)
      result.push_back(builder.getArrayAttr(value.dimNames));
    return builder.getArrayAttr(result);
  };
  auto graph = GraphOp::create(builder, loc, "main_graph", names(parts.inputs),
                               names(parts.outputs), dims(parts.inputs),
                               dims(parts.outputs));
  Block *block = &graph.getBody().emplaceBlock();
  Scope scope;
  for (ImportedValueInfo &input : parts.inputs) {
    Value argument = block->addArgument(
        input.type, NameLoc::get(builder.getStringAttr(input.name), loc));
    if (!scope.values.try_emplace(input.name, argument).second)
      return error("two inputs are named '" + input.name + "'");
  }
  return importBody(parts, block, scope);
}

LogicalResult Importer::importSubgraph(StringRef message, Region &region,
                                       Scope *outer) {
  if (++nesting > maxNesting)
    return error("subgraphs are nested more than " + Twine(maxNesting) +
                 " deep");
  GraphParts parts;
  if (failed(readGraph(message, parts)))
    return failure();
  Block *block = &region.emplaceBlock();
  Scope scope;
  scope.outer = outer;
  for (ImportedValueInfo &input : parts.inputs)
    if (!scope.values
             .try_emplace(
                 input.name,
                 block->addArgument(
                     input.type,
                     NameLoc::get(builder.getStringAttr(input.name), loc)))
             .second)
      return error("two inputs of graph '" + parts.name + "' are named '" +
                   input.name + "'");
  LogicalResult result = importBody(parts, block, scope);
  --nesting;
  return result;
}

LogicalResult Importer::importNode(StringRef message, Scope &scope,
                                   const llvm::StringMap<Type> &types) {
  SmallVector<StringRef> inputs, outputs, attributes;
  StringRef name, opType, domain, overload;
  WireReader node(message);
  while (node.next()) {
    StringRef field = node.getBytes();
    switch (node.getField()) {
    case 1:
      inputs.push_back(field);
      break;
    case 2:
      outputs.push_back(field);
      break;
    case 3:
      name = field;
      break;
    case 4:
      opType = field;
      break;
    case 5:
      attributes.push_back(field);
      break;
    case 7:
      domain = field;
      break;
    case 8:
      overload = field;
      break;
    }
  }
  if (node.isBroken())
    return broken("node '" + name.str() + "'");
  if (domain == "ai.onnx")
    domain = "";
  StringRef label = !name.empty()      ? name
                    : !outputs.empty() ? outputs.front()
                                       : opType;
  if (opType.empty())
    return error("node '" + label + "' names no operator");
  auto opset = opsets.find(domain);
  if (opset == opsets.end())
    return error("node '" + label + "' uses domain '" + domain +
                 "', of which the model imports no version");

  SmallVector<Value> operands;
  for (StringRef input : inputs) {
    Value value =
        input.empty()
            ? Value(AbsentOp::create(builder, loc, builder.getNoneType()))
            : lookup(input, scope);
    if (!value)
      return error("node '" + label + "' (" + opType + ") reads '" + input +
                   "', which nothing before it makes; nodes must come after "
                   "what they read");
    operands.push_back(value);
  }
  NamedAttrList attrs;
  SmallVector<StringRef> graphs;
  for (StringRef attribute : attributes) {
    FailureOr<NamedAttribute> attr = importAttribute(attribute, graphs);
    if (failed(attr))
      return failure();
    if (attrs.set(attr->getName(), attr->getValue()))
      return error("node '" + label + "' has two attributes named '" +
                   attr->getName().getValue() + "'");
  }
  SmallVector<Type> resultTypes;
  for (StringRef output : outputs) {
    auto it = types.find(output);
    resultTypes.push_back(output.empty()      ? Type(builder.getNoneType())
                          : it != types.end() ? it->second
                                              : UnknownType::get(context));
  }
  Location nodeLoc = NameLoc::get(builder.getStringAttr(label), loc);
  auto op = NodeOp::create(
      builder, nodeLoc, resultTypes, builder.getStringAttr(opType),
      builder.getStringAttr(domain), builder.getI64IntegerAttr(opset->second),
      builder.getStringAttr(name), builder.getStringAttr(overload),
      attrs.getDictionary(context), operands, graphs.size());
  for (auto [region, graph] : llvm::zip_equal(op.getBodies(), graphs))
    if (failed(importSubgraph(graph, region, &scope)))
      return failure();
  for (auto [output, result] : llvm::zip_equal(outputs, op.getOutputs()))
    if (!output.empty() && !scope.values.try_emplace(output, result).second)
      return error("value '" + output +
                   "' is made twice; the second time by "
                   "node '" +
                   label + "'");
  return success();
}

FailureOr<NamedAttribute>
Importer::importAttribute(StringRef message,
                          SmallVectorImpl<StringRef> &graphs) {
  StringRef name, reference, text, tensorMessage, typeMessage, graphMessage;
  int64_t kind = 0, integer = 0;
  float number = 0;
  SmallVector<float> floats;
  SmallVector<int64_t> ints;
  SmallVector<StringRef> strings, tensors, graphList, types;
  WireReader attribute(message);
  while (attribute.next()) {
    StringRef field = attribute.getBytes();
    switch (attribute.getField()) {
    case 1:
      name = field;
      break;
    case 2:
      number = attribute.getFloat();
      break;
    case 3:
      integer = attribute.getSigned();
      break;
    case 4:
      text = field;
      break;
    case 5:
      tensorMessage = field;
      break;
    case 6:
      graphMessage = field;
      break;
    case 7:
      if (!attribute.isBytes()) {
        floats.push_back(attribute.getFloat());
      } else {
        if (field.size() % sizeof(float))
          return broken("attribute '" + name.str() + "'");
        size_t count = field.size() / sizeof(float), old = floats.size();
        floats.resize(old + count);
        if (count)
          std::memcpy(floats.data() + old, field.data(), count * sizeof(float));
      }
      break;
    case 8:
      attribute.forEachVarint([&](uint64_t n) { ints.push_back(int64_t(n)); });
      break;
    case 9:
      strings.push_back(field);
      break;
    case 10:
      tensors.push_back(field);
      break;
    case 11:
      graphList.push_back(field);
      break;
    case 14:
      typeMessage = field;
      break;
    case 15:
      types.push_back(field);
      break;
    case 20:
      kind = attribute.getSigned();
      break;
    case 21:
      reference = field;
      break;
    }
  }
  if (attribute.isBroken())
    return broken("attribute '" + name.str() + "'");
  if (name.empty())
    return error("a node has an attribute without a name");
  static const char *const kinds[] = {
      "UNDEFINED",      "FLOAT",      "INT",        "STRING",
      "TENSOR",         "GRAPH",      "FLOATS",     "INTS",
      "STRINGS",        "TENSORS",    "GRAPHS",     "SPARSE_TENSOR",
      "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"};
  if (kind < 0 || kind >= int64_t(std::size(kinds)))
    return error("attribute '" + name + "' has the unknown kind " +
                 Twine(kind));
  auto named = [&](Attribute value) -> FailureOr<NamedAttribute> {
    return NamedAttribute(builder.getStringAttr(name), value);
  };
  if (!reference.empty())
    return named(RefAttr::get(context, reference, kinds[kind]));
  auto tensorAttr = [&](StringRef tensor) -> FailureOr<Attribute> {
    FailureOr<ImportedTensor> value = importTensor(tensor, name);
    if (failed(value))
      return failure();
    if (isa<FileRangeAttr>(value->value))
      return Attribute(
          builder.getArrayAttr({TypeAttr::get(value->type), value->value}));
    return value->value;
  };
  auto graphAttr = [&](StringRef graph) -> Attribute {
    graphs.push_back(graph);
    return GraphRefAttr::get(context, graphs.size() - 1);
  };
  // Files before attribute kinds were written: the field that is there.
  if (kind == 0)
    kind = !tensorMessage.empty()  ? 4
           : !graphMessage.empty() ? 5
           : !floats.empty()       ? 6
           : !ints.empty()         ? 7
           : !strings.empty()      ? 8
           : !text.empty()         ? 3
           : number != 0           ? 1
                                   : 2;
  switch (kind) {
  case 1:
    return named(builder.getF32FloatAttr(number));
  case 2:
    return named(builder.getI64IntegerAttr(integer));
  case 3:
    return named(builder.getStringAttr(text));
  case 4: {
    FailureOr<Attribute> value = tensorAttr(tensorMessage);
    return failed(value) ? FailureOr<NamedAttribute>(failure()) : named(*value);
  }
  case 5:
    return named(graphAttr(graphMessage));
  case 6:
    return named(builder.getDenseF32ArrayAttr(floats));
  case 7:
    return named(builder.getDenseI64ArrayAttr(ints));
  case 8:
    return named(builder.getStrArrayAttr(strings));
  case 9: {
    SmallVector<Attribute> values;
    for (StringRef tensor : tensors) {
      FailureOr<Attribute> value = tensorAttr(tensor);
      if (failed(value))
        return failure();
      values.push_back(*value);
    }
    return named(builder.getArrayAttr(values));
  }
  case 10: {
    SmallVector<Attribute> values;
    for (StringRef graph : graphList)
      values.push_back(graphAttr(graph));
    return named(builder.getArrayAttr(values));
  }
  case 13: {
    FailureOr<Type> type = importType(typeMessage, name);
    return failed(type) ? FailureOr<NamedAttribute>(failure())
                        : named(TypeAttr::get(*type));
  }
  case 14: {
    SmallVector<Attribute> values;
    for (StringRef typeText : types) {
      FailureOr<Type> type = importType(typeText, name);
      if (failed(type))
        return failure();
      values.push_back(TypeAttr::get(*type));
    }
    return named(builder.getArrayAttr(values));
  }
  default:
    return error("attribute '" + name +
                 "' is a sparse tensor, which is not "
                 "supported; store it dense");
  }
}
