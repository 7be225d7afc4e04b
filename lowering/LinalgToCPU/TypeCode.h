//===- TypeCode.h - element types as the artefact names them --*- C++ -*-===//
//
// Entries check the tensors that they are given, the descriptor says what they
// want: one table for both.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_TYPECODE_H
#define LOWERING_LINALGTOCPU_TYPECODE_H

#include "mlir/IR/Types.h"
#include "runtime/include/ds/model_abi.h"

namespace mlir::ds {

/// The code of `type`, an element type in memory; `unsignedName` ("ui8") where
/// it stands for an unsigned integer, else empty.
DsType typeCode(Type type, StringRef unsignedName);

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_TYPECODE_H
