//===- OnnxImport.h - an ONNX file as the onnx dialect --------*- C++ -*-===//
#ifndef DIALECTS_ONNX_IMPORT_ONNXIMPORT_H
#define DIALECTS_ONNX_IMPORT_ONNXIMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace mlir::onnx {

/// Reads the ONNX model at `path` (IR version 3 to 14). Weights are not read:
/// they become `#onnx.file_range` relative to the model's folder, of the model
/// file itself or of its external data, which must lie inside that folder.
/// Null after an error that names the file and what is wrong in it.
OwningOpRef<ModuleOp> importOnnx(StringRef path, MLIRContext *context);

/// The same from bytes in memory; `path` names them and gives the folder of
/// external data. The bytes may go away afterwards.
OwningOpRef<ModuleOp> importOnnxBytes(StringRef bytes, StringRef path,
                                      MLIRContext *context);

} // namespace mlir::onnx

#endif // DIALECTS_ONNX_IMPORT_ONNXIMPORT_H
