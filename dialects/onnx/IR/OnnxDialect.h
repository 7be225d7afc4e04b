//===- OnnxDialect.h - the onnx dialect -----------------------*- C++ -*-===//
//
// Declares the dialect that holds an ONNX graph as it stands in the file. See
// OnnxOps.td for what each op means.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_ONNX_IR_ONNXDIALECT_H
#define DIALECTS_ONNX_IR_ONNXDIALECT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/onnx/IR/OnnxDialect.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/onnx/IR/OnnxTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/onnx/IR/OnnxAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/onnx/IR/OnnxOps.h.inc"

#endif // DIALECTS_ONNX_IR_ONNXDIALECT_H
