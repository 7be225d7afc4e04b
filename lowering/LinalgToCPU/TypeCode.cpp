//===- TypeCode.cpp - element types as the artefact names them ------------===//
#include "lowering/LinalgToCPU/TypeCode.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

DsType mlir::ds::typeCode(Type type, StringRef unsignedName) {
  if (!unsignedName.empty())
    return llvm::StringSwitch<DsType>(unsignedName)
        .Case("ui4", DS_TYPE_U4)
        .Case("ui8", DS_TYPE_U8)
        .Case("ui16", DS_TYPE_U16)
        .Case("ui32", DS_TYPE_U32)
        .Default(DS_TYPE_U64);
  if (type.isF32())
    return DS_TYPE_F32;
  if (type.isF64())
    return DS_TYPE_F64;
  if (type.isF16())
    return DS_TYPE_F16;
  if (type.isBF16())
    return DS_TYPE_BF16;
  if (isa<Float8E4M3FNType>(type))
    return DS_TYPE_F8_E4M3;
  if (isa<Float8E5M2Type>(type))
    return DS_TYPE_F8_E5M2;
  switch (type.getIntOrFloatBitWidth()) {
  case 1:
    return DS_TYPE_BOOL;
  case 4:
    return DS_TYPE_I4;
  case 8:
    return DS_TYPE_I8;
  case 16:
    return DS_TYPE_I16;
  case 32:
    return DS_TYPE_I32;
  default:
    return DS_TYPE_I64;
  }
}
