//===- OnnxDialect.cpp - the onnx dialect ---------------------------------===//
//
// Registration of the dialect's types, attributes and ops; verifiers.
//
//===----------------------------------------------------------------------===//
#include "dialects/onnx/IR/OnnxDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mlir::onnx;

#include "dialects/onnx/IR/OnnxDialect.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/onnx/IR/OnnxTypes.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/onnx/IR/OnnxAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/onnx/IR/OnnxOps.cpp.inc"

void OnnxDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/onnx/IR/OnnxTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/onnx/IR/OnnxAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/onnx/IR/OnnxOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

LogicalResult FileRangeAttr::verify(function_ref<InFlightDiagnostic()> error,
                                    StringRef file, uint64_t offset,
                                    uint64_t length) {
  namespace path = llvm::sys::path;
  if (file.empty() || path::is_absolute(file) ||
      llvm::is_contained(llvm::make_range(path::begin(file), path::end(file)),
                         ".."))
    return error() << "'onnx.file_range' C1: '" << file
                   << "' must be a path inside the model's folder";
  // Offsets are signed 64-bit numbers to the operating system.
  if (offset > INT64_MAX || length > INT64_MAX - offset)
    return error() << "'onnx.file_range' C2: bytes " << offset << "+" << length
                   << " lie beyond the end of any file";
  return success();
}

/// The names of a body's inputs and outputs against the body itself.
static LogicalResult verifyBody(Operation *op, Region &body, ArrayAttr inputs,
                                ArrayAttr outputs) {
  Block &block = body.front();
  if (block.getNumArguments() != inputs.size())
    return op->emitOpError("C1: names ")
           << inputs.size() << " inputs, its body has "
           << block.getNumArguments();
  auto end = block.empty() ? ReturnOp() : dyn_cast<ReturnOp>(block.back());
  if (!end)
    return op->emitOpError("C2: must end with onnx.return");
  if (end.getValues().size() != outputs.size())
    return op->emitOpError("C2: names ")
           << outputs.size() << " outputs, its body returns "
           << end.getValues().size();
  return success();
}

/// One array of strings per value, one string per dimension.
static LogicalResult verifyDims(Operation *op, StringRef what, ArrayAttr dims,
                                TypeRange types) {
  if (dims.size() != types.size())
    return op->emitOpError("C3: ")
           << what << "_dims has " << dims.size() << " entries for "
           << types.size() << " values";
  for (auto [i, entry, type] : llvm::enumerate(dims, types)) {
    auto names = dyn_cast<ArrayAttr>(entry);
    if (!names || !llvm::all_of(names, llvm::IsaPred<StringAttr>))
      return op->emitOpError("C3: ")
             << what << "_dims[" << i << "] must be an array of strings";
    auto shaped = dyn_cast<RankedTensorType>(type);
    if (shaped && names.size() != size_t(shaped.getRank()))
      return op->emitOpError("C3: ")
             << what << "_dims[" << i << "] names " << names.size()
             << " dimensions of a tensor of rank " << shaped.getRank();
  }
  return success();
}

LogicalResult GraphOp::verify() {
  if (failed(verifyBody(*this, getBody(), getInputNames(), getOutputNames())))
    return failure();
  Block &block = getBody().front();
  // What an output's names belong to is the type the file states for the
  // output, which its maker need not know: only their number is checked.
  if (getOutputDims().size() != getOutputNames().size())
    return emitOpError("C4: output_dims has ")
           << getOutputDims().size() << " entries for "
           << getOutputNames().size() << " values";
  return verifyDims(*this, "input", getInputDims(), block.getArgumentTypes());
}

LogicalResult FunctionOp::verify() {
  return verifyBody(*this, getBody(), getInputNames(), getOutputNames());
}

LogicalResult InitializerOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getResult().getType());
  if (!type || !type.hasStaticShape())
    return emitOpError("C1: must give a tensor of fixed shape, not ")
           << getResult().getType();
  if (auto elements = dyn_cast<ElementsAttr>(getValue())) {
    if (elements.getType() != type)
      return emitOpError("C3: holds a value of type ")
             << elements.getType() << ", its result is " << type;
    return success();
  }
  auto range = dyn_cast<FileRangeAttr>(getValue());
  if (!range)
    return emitOpError("C2: value must be elements or #onnx.file_range");
  Type element = type.getElementType();
  uint64_t width = 0;
  if (auto complex = dyn_cast<ComplexType>(element))
    width = 2 * complex.getElementType().getIntOrFloatBitWidth();
  else if (element.isIntOrFloat())
    width = element.isInteger(1) ? 8 : element.getIntOrFloatBitWidth();
  else
    return emitOpError("C2: strings cannot be a range of a file");
  uint64_t needed = (uint64_t(type.getNumElements()) * width + 7) / 8;
  if (range.getLength() != needed)
    return emitOpError("C4: has a range of ")
           << range.getLength() << " bytes, " << type << " needs " << needed;
  return success();
}

LogicalResult NodeOp::verify() {
  if (getVersion() < 1)
    return emitOpError("C1: version must be at least 1, not ") << getVersion();
  llvm::SmallBitVector named(getBodies().size());
  // Not Attribute::walk: it visits equal attributes once.
  auto check = [&](Attribute attr) -> LogicalResult {
    auto graph = dyn_cast<GraphRefAttr>(attr);
    if (!graph)
      return success();
    if (graph.getRegion() >= named.size())
      return emitOpError("C2: refers to graph ")
             << graph.getRegion() << ", it has " << named.size();
    if (named.test(graph.getRegion()))
      return emitOpError("C2: refers to graph ")
             << graph.getRegion() << " twice";
    named.set(graph.getRegion());
    return success();
  };
  for (NamedAttribute attr : getAttrs()) {
    if (failed(check(attr.getValue())))
      return failure();
    if (auto list = dyn_cast<ArrayAttr>(attr.getValue()))
      for (Attribute entry : list)
        if (failed(check(entry)))
          return failure();
  }
  if (!named.all())
    return emitOpError("C2: has a graph that no attribute refers to");
  for (Region &body : getBodies())
    if (body.front().empty() || !isa<ReturnOp>(body.front().back()))
      return emitOpError("C3: a graph must end with onnx.return");
  return success();
}
