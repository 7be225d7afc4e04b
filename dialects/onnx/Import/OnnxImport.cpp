//===- OnnxImport.cpp - ModelProto and FunctionProto ----------------------===//
//
// The entry of the importer. See WireReader.h for why it reads protobuf itself.
//
//===----------------------------------------------------------------------===//
#include "dialects/onnx/Import/OnnxImport.h"
#include "dialects/onnx/Import/Importer.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mlir::onnx;

static constexpr int64_t minIrVersion = 3, maxIrVersion = 14;

Importer::Importer(StringRef bytes, StringRef path, MLIRContext *context)
    : bytes(bytes), path(path), folder(llvm::sys::path::parent_path(path)),
      fileName(llvm::sys::path::filename(path)), context(context),
      builder(context), loc(FileLineColLoc::get(context, path, 0, 0)) {
  if (folder.empty())
    folder = ".";
}

InFlightDiagnostic Importer::error(const Twine &message) {
  return emitError(loc) << message;
}

LogicalResult Importer::broken(StringRef what) {
  return error("this is no ONNX file or it is damaged: " + what +
               " cannot be read");
}

LogicalResult Importer::importOpsets(StringRef message, NamedAttrList &list) {
  StringRef domain;
  int64_t version = 0;
  WireReader opset(message);
  while (opset.next())
    if (opset.getField() == 1)
      domain = opset.getBytes();
    else if (opset.getField() == 2)
      version = opset.getSigned();
  if (opset.isBroken())
    return broken("an opset import");
  if (domain == "ai.onnx")
    domain = "";
  if (version < 1)
    return error("the file imports version " + Twine(version) + " of domain '" +
                 domain + "'; versions start at 1");
  opsets[domain] = version;
  list.set(domain.empty() ? "ai.onnx" : domain,
           builder.getI64IntegerAttr(version));
  return success();
}

LogicalResult Importer::importFunction(StringRef message) {
  StringRef name, domain, overload;
  SmallVector<StringRef> inputs, outputs, attributes, defaults, nodes, infos,
      imports;
  WireReader function(message);
  while (function.next()) {
    StringRef field = function.getBytes();
    switch (function.getField()) {
    case 1:
      name = field;
      break;
    case 4:
      inputs.push_back(field);
      break;
    case 5:
      outputs.push_back(field);
      break;
    case 6:
      attributes.push_back(field);
      break;
    case 7:
      nodes.push_back(field);
      break;
    case 9:
      imports.push_back(field);
      break;
    case 10:
      domain = field;
      break;
    case 11:
      defaults.push_back(field);
      break;
    case 13:
      overload = field;
      break;
    }
  }
  if (function.isBroken())
    return broken("function '" + name.str() + "'");
  std::string identity =
      (domain + Twine('\0') + name + Twine('\0') + overload).str();
  if (!functions.insert(identity).second)
    return error(
        "two functions of domain '" + domain + "' are named '" + name + "'" +
        (overload.empty() ? ""
                          : ", both with overload '" + overload.str() + "'"));
  // A function imports its own opsets; domains it does not name are the
  // model's (some writers leave them out).
  llvm::StringMap<int64_t> outer = opsets;
  NamedAttrList importAttrs, defaultAttrs;
  for (StringRef import : imports)
    if (failed(importOpsets(import, importAttrs)))
      return failure();
  SmallVector<StringRef> graphs;
  for (StringRef attribute : defaults) {
    FailureOr<NamedAttribute> attr = importAttribute(attribute, graphs);
    if (failed(attr))
      return failure();
    defaultAttrs.set(attr->getName(), attr->getValue());
  }
  if (!graphs.empty())
    return error("function '" + name + "' has a graph as a default attribute");
  auto op = FunctionOp::create(
      builder, NameLoc::get(builder.getStringAttr(name), loc), domain, name,
      overload, builder.getStrArrayAttr(inputs),
      builder.getStrArrayAttr(outputs), builder.getStrArrayAttr(attributes),
      defaultAttrs.getDictionary(context), importAttrs.getDictionary(context));
  Block *block = &op.getBody().emplaceBlock();
  Scope scope;
  for (StringRef input : inputs)
    if (!scope.values
             .try_emplace(input, block->addArgument(UnknownType::get(context),
                                                    op.getLoc()))
             .second)
      return error("two inputs of function '" + name + "' are named '" + input +
                   "'");
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(block);
  for (StringRef node : nodes)
    if (failed(importNode(node, scope, {})))
      return failure();
  SmallVector<Value> results;
  for (StringRef output : outputs) {
    Value value = lookup(output, scope);
    if (!value)
      return error("output '" + output + "' of function '" + name +
                   "' is made by no node");
    results.push_back(value);
  }
  ReturnOp::create(builder, loc, results);
  opsets = outer;
  return success();
}

OwningOpRef<ModuleOp> Importer::importModel() {
  int64_t irVersion = 0;
  StringRef producer, producerVersion, graph;
  bool hasGraph = false;
  SmallVector<StringRef> imports, functions;
  NamedAttrList metadata, importAttrs;
  WireReader model(bytes);
  while (model.next()) {
    StringRef field = model.getBytes();
    switch (model.getField()) {
    case 1:
      irVersion = model.getSigned();
      break;
    case 2:
      producer = field;
      break;
    case 3:
      producerVersion = field;
      break;
    case 7:
      graph = field;
      hasGraph = model.isBytes();
      break;
    case 8:
      imports.push_back(field);
      break;
    case 14: {
      StringRef key, value;
      WireReader entry(field);
      while (entry.next())
        (entry.getField() == 1 ? key : value) = entry.getBytes();
      if (entry.isBroken()) {
        (void)broken("its metadata");
        return nullptr;
      }
      if (!key.empty())
        metadata.set(key, builder.getStringAttr(value));
      break;
    }
    case 25:
      functions.push_back(field);
      break;
    }
  }
  if (bytes.empty()) {
    error("the file is empty");
    return nullptr;
  }
  if (model.isBroken() || !hasGraph || irVersion == 0) {
    (void)broken("its outermost message");
    return nullptr;
  }
  if (irVersion < minIrVersion || irVersion > maxIrVersion) {
    error("the file has ONNX IR version " + Twine(irVersion) + "; versions " +
          Twine(minIrVersion) + " to " + Twine(maxIrVersion) + " can be read");
    return nullptr;
  }
  OwningOpRef<ModuleOp> result = ModuleOp::create(loc);
  module = *result;
  builder.setInsertionPointToEnd(module.getBody());
  for (StringRef import : imports)
    if (failed(importOpsets(import, importAttrs)))
      return nullptr;
  module->setAttr("onnx.ir_version", builder.getI64IntegerAttr(irVersion));
  module->setAttr("onnx.opset_imports", importAttrs.getDictionary(context));
  module->setAttr(
      "onnx.producer",
      builder.getStringAttr((producer + " " + producerVersion).str()));
  if (!metadata.empty())
    module->setAttr("onnx.metadata", metadata.getDictionary(context));
  for (StringRef function : functions)
    if (failed(importFunction(function)))
      return nullptr;
  if (failed(importMainGraph(graph)))
    return nullptr;
  return result;
}

OwningOpRef<ModuleOp> mlir::onnx::importOnnxBytes(StringRef bytes,
                                                  StringRef path,
                                                  MLIRContext *context) {
  context->loadDialect<OnnxDialect>();
  return Importer(bytes, path, context).importModel();
}

OwningOpRef<ModuleOp> mlir::onnx::importOnnx(StringRef path,
                                             MLIRContext *context) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    emitError(UnknownLoc::get(context))
        << "cannot open '" << path << "': " << buffer.getError().message();
    return nullptr;
  }
  return importOnnxBytes((*buffer)->getBuffer(), path, context);
}
