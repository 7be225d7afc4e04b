//===- DsElements.cpp - element types and what they are good for ----------===//
//
// See DsElements.h.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsElements.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mlir::ds;
using EK = ElementwiseKind;

bool mlir::ds::givesBool(EK kind) {
  switch (kind) {
  case EK::IsNaN:
  case EK::IsPosInf:
  case EK::IsNegInf:
  case EK::Eq:
  case EK::Lt:
  case EK::Le:
  case EK::Gt:
  case EK::Ge:
    return true;
  default:
    return false;
  }
}

bool mlir::ds::takesFloats(EK kind) {
  switch (kind) {
  case EK::Not:
  case EK::And:
  case EK::Or:
  case EK::Xor:
  case EK::Shl:
  case EK::Shr:
    return false;
  default:
    return true;
  }
}

bool mlir::ds::takesIntegers(EK kind) {
  switch (kind) {
  case EK::Exp:
  case EK::Log:
  case EK::Sqrt:
  case EK::Reciprocal:
  case EK::Sin:
  case EK::Cos:
  case EK::Tan:
  case EK::Asin:
  case EK::Acos:
  case EK::Atan:
  case EK::Sinh:
  case EK::Cosh:
  case EK::Tanh:
  case EK::Asinh:
  case EK::Acosh:
  case EK::Atanh:
  case EK::Erf:
  case EK::Floor:
  case EK::Ceil:
  case EK::RoundEven:
  case EK::Sigmoid:
    return false;
  default:
    return true;
  }
}

Type mlir::ds::signless(Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  return integer ? IntegerType::get(type.getContext(), integer.getWidth())
                 : type;
}

void mlir::ds::recordUnsigned(ModuleOp module) {
  Builder builder(module.getContext());
  auto nameOf = [&](Type type) -> StringAttr {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !tensor.getElementType().isUnsignedInteger())
      return nullptr;
    return builder.getStringAttr(
        "ui" + Twine(tensor.getElementType().getIntOrFloatBitWidth()));
  };
  for (auto function : module.getOps<FunctionOpInterface>()) {
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
      if (StringAttr name = nameOf(type))
        function.setArgAttr(i, "ds.type", name);
    for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
      if (StringAttr name = nameOf(type))
        function.setResultAttr(i, "ds.type", name);
  }
  for (auto parameter : module.getOps<ParameterOp>()) {
    auto type = cast<RankedTensorType>(parameter.getType());
    if (StringAttr name = nameOf(type))
      parameter->setAttr("ds.type", name);
    parameter.setType(type.clone(signless(type.getElementType())));
  }
}
