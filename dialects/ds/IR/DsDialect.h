//===- DsDialect.h - the ds dialect ---------------------------*- C++ -*-===//
//
// Declares the model dialect. Each op's description in the .td files is its
// specification.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSDIALECT_H
#define DIALECTS_DS_IR_DSDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

#include "dialects/ds/IR/DsDialect.h.inc"
#include "dialects/ds/IR/DsEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/ds/IR/DsAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/ds/IR/DsOps.h.inc"

#endif // DIALECTS_DS_IR_DSDIALECT_H
