//===- Importer.h - shared state of one import ----------------*- C++ -*-===//
//
// Private to dialects/onnx/Import: what types, tensors and graphs need from
// each other while one model is read.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_ONNX_IMPORT_IMPORTER_H
#define DIALECTS_ONNX_IMPORT_IMPORTER_H

#include "dialects/onnx/IR/OnnxDialect.h"
#include "dialects/onnx/Import/WireReader.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace mlir::onnx {

/// Subgraphs, types and functions nest; hostile files nest without end.
constexpr unsigned maxNesting = 64;

/// A tensor that is not a value of the graph.
struct ImportedTensor {
  StringRef name;
  RankedTensorType type;
  /// ElementsAttr or FileRangeAttr.
  Attribute value;
};

struct ImportedValueInfo {
  StringRef name;
  Type type;
  SmallVector<Attribute> dimNames;
};

class Importer {
public:
  Importer(StringRef bytes, StringRef path, MLIRContext *context);

  OwningOpRef<ModuleOp> importModel();

private:
  // OnnxImport.cpp
  LogicalResult importFunction(StringRef message);
  LogicalResult importOpsets(StringRef message, NamedAttrList &opsets);

  // ImportGraph.cpp
  struct Scope {
    llvm::StringMap<Value> values;
    Scope *outer = nullptr;
  };
  struct GraphParts;
  LogicalResult importMainGraph(StringRef message);
  LogicalResult readGraph(StringRef message, GraphParts &parts);
  LogicalResult importBody(GraphParts &parts, Block *block, Scope &scope);
  LogicalResult importNode(StringRef message, Scope &scope,
                           const llvm::StringMap<Type> &types);
  LogicalResult importSubgraph(StringRef message, Region &region, Scope *outer);
  FailureOr<NamedAttribute> importAttribute(StringRef message,
                                            SmallVectorImpl<StringRef> &graphs);
  Value lookup(StringRef name, Scope &scope);

  // ImportType.cpp
  FailureOr<Type> importType(StringRef message, StringRef owner,
                             SmallVectorImpl<Attribute> *dimNames = nullptr,
                             unsigned depth = 0);
  FailureOr<Type> elementType(int64_t number, StringRef owner);
  FailureOr<ImportedValueInfo> importValueInfo(StringRef message);

  // ImportTensor.cpp
  FailureOr<ImportedTensor> importTensor(StringRef message, StringRef owner);
  FailureOr<Attribute> externalRange(StringRef location, uint64_t offset,
                                     std::optional<uint64_t> length,
                                     uint64_t needed, StringRef owner);
  Attribute rangeInModel(StringRef data);

  InFlightDiagnostic error(const Twine &message);
  LogicalResult broken(StringRef what);

  StringRef bytes;
  std::string path, folder, fileName;
  MLIRContext *context;
  OpBuilder builder;
  Location loc;
  ModuleOp module;
  /// Versions of the domains that nodes now being read may use.
  llvm::StringMap<int64_t> opsets;
  /// Domain, name and overload of the functions read so far.
  llvm::StringSet<> functions;
  /// Sizes of external files that were opened before.
  llvm::StringMap<uint64_t> externalSizes;
  unsigned nesting = 0;
};

} // namespace mlir::onnx

#endif // DIALECTS_ONNX_IMPORT_IMPORTER_H
