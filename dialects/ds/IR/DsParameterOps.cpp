//===- DsParameterOps.cpp - where weights are, and what entries are called ===//
//
// Constraints of parameters and of the attributes that the dialect puts on
// functions.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsVerify.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::ds;

LogicalResult FileRangeAttr::verify(function_ref<InFlightDiagnostic()> error,
                                    StringRef file, uint64_t offset,
                                    uint64_t length) {
  if (file.empty())
    return error() << "'ds.file_range' C1: the file has no name";
  // Offsets are signed 64-bit numbers to the operating system.
  if (offset > INT64_MAX || length > INT64_MAX - offset)
    return error() << "'ds.file_range' C1: bytes " << offset << "+" << length
                   << " of '" << file << "' lie beyond the end of any file";
  return success();
}

//===----------------------------------------------------------------------===//
// ds.parameter, ds.load_parameter
//===----------------------------------------------------------------------===//

LogicalResult ParameterOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getType());
  if (!type || !type.hasStaticShape() || !type.getElementType().isIntOrFloat())
    return emitOpError("C1: its type is ")
           << getType()
           << ", expected a tensor of fixed shape of integers or floats";
  if (auto elements = dyn_cast<ElementsAttr>(getSource())) {
    if (elements.getType() != type)
      return emitOpError("C4: it holds a value of type ")
             << elements.getType() << ", expected " << type;
    return success();
  }
  if (isa<ComputedAttr>(getSource()))
    return success();
  auto ranges = dyn_cast<ArrayAttr>(getSource());
  if (!ranges || !llvm::all_of(ranges, llvm::IsaPred<FileRangeAttr>))
    return emitOpError("C2: its source is ")
           << getSource()
           << ", expected elements, an array of #ds.file_range or #ds.computed";
  uint64_t found = 0;
  for (auto range : ranges.getAsRange<FileRangeAttr>())
    found += range.getLength();
  uint64_t bits =
      type.getElementType().isInteger(1) ? 8 : type.getElementTypeBitWidth();
  uint64_t expected =
      llvm::divideCeil(uint64_t(type.getNumElements()) * bits, uint64_t(8));
  if (found != expected)
    return emitOpError("C3: its ranges hold ")
           << found << " bytes, expected " << expected << " for " << type;
  return success();
}

LogicalResult
LoadParameterOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto parameter = symbolTable.lookupNearestSymbolFrom<ParameterOp>(
      *this, getParameterAttr());
  if (!parameter)
    return emitOpError("C1: ")
           << getParameterAttr() << " is not a ds.parameter of the module";
  if (parameter.getType() != getType())
    return emitOpError("C2: its result is ")
           << getType() << ", expected " << parameter.getType()
           << ", the type of " << getParameterAttr();
  return success();
}

//===----------------------------------------------------------------------===//
// ds.entry, ds.name, ds.dims
//===----------------------------------------------------------------------===//

/// C2 and C3 for the arguments or the results of an entry.
static LogicalResult
verifyNames(Operation *op, StringRef what, TypeRange types,
            llvm::function_ref<Attribute(unsigned)> nameOf) {
  llvm::StringSet<> names;
  for (auto [i, type] : llvm::enumerate(types)) {
    auto name = dyn_cast_or_null<StringAttr>(nameOf(i));
    if (!name) {
      if (!isa<TensorType>(type))
        continue;
      return op->emitOpError("'ds.entry' C2: ")
             << what << " " << i << " has no ds.name";
    }
    if (!names.insert(name.getValue()).second)
      return op->emitOpError("'ds.entry' C3: two ")
             << what << "s are called " << name;
  }
  return success();
}

LogicalResult DsDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attribute) {
  if (attribute.getName() != "ds.entry")
    return success();
  auto function = dyn_cast<FunctionOpInterface>(op);
  auto kind = dyn_cast<StringAttr>(attribute.getValue());
  if (!function || !kind ||
      !llvm::is_contained({"graph", "step", "draft", "parameter", "route_bias"},
                          kind.getValue()))
    return op->emitOpError("'ds.entry' C1: found ")
           << attribute.getValue()
           << ", expected \"graph\", \"step\", \"draft\", \"route_bias\" or "
              "\"parameter\" on a function";
  // Computed parameters are called by position.
  if (kind.getValue() == "parameter")
    return success();
  if (failed(verifyNames(
          op, "argument", function.getArgumentTypes(),
          [&](unsigned i) { return function.getArgAttr(i, "ds.name"); })))
    return failure();
  return verifyNames(op, "result", function.getResultTypes(), [&](unsigned i) {
    return function.getResultAttr(i, "ds.name");
  });
}

/// `attribute` on an argument or result of type `type`.
static LogicalResult verifyCompanion(Operation *op, NamedAttribute attribute,
                                     Type type) {
  if (attribute.getName() != "ds.dims")
    return success();
  auto names = dyn_cast<ArrayAttr>(attribute.getValue());
  auto shaped = dyn_cast<RankedTensorType>(type);
  if (!names || !llvm::all_of(names, llvm::IsaPred<StringAttr>) ||
      (shaped && int64_t(names.size()) != shaped.getRank()))
    return op->emitOpError("'ds.entry' C4: ds.dims is ")
           << attribute.getValue() << ", expected one string per dimension of "
           << type;
  return success();
}

LogicalResult DsDialect::verifyRegionArgAttribute(Operation *op,
                                                  unsigned regionIndex,
                                                  unsigned argIndex,
                                                  NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return success();
  return verifyCompanion(op, attribute, function.getArgumentTypes()[argIndex]);
}

LogicalResult DsDialect::verifyRegionResultAttribute(Operation *op,
                                                     unsigned regionIndex,
                                                     unsigned resultIndex,
                                                     NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return success();
  return verifyCompanion(op, attribute, function.getResultTypes()[resultIndex]);
}
