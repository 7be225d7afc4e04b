//===- DsDialect.cpp - the ds dialect -------------------------------------===//
//
// Registration of the dialect's attributes and ops.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::ds;

#include "dialects/ds/IR/DsDialect.cpp.inc"
#include "dialects/ds/IR/DsEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/ds/IR/DsAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/ds/IR/DsOps.cpp.inc"

void DsDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/ds/IR/DsAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/ds/IR/DsOps.cpp.inc"
      >();
}
