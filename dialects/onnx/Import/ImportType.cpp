//===- ImportType.cpp - TypeProto and ValueInfoProto ----------------------===//
#include "dialects/onnx/Import/Importer.h"

using namespace mlir;
using namespace mlir::onnx;

FailureOr<Type> Importer::elementType(int64_t number, StringRef owner) {
  Builder &b = builder;
  auto ui = [&](unsigned width) -> Type {
    return IntegerType::get(context, width, IntegerType::Unsigned);
  };
  // TensorProto.DataType.
  switch (number) {
  case 1:
    return Type(b.getF32Type());
  case 2:
    return ui(8);
  case 3:
    return Type(b.getI8Type());
  case 4:
    return ui(16);
  case 5:
    return Type(b.getI16Type());
  case 6:
    return Type(b.getI32Type());
  case 7:
    return Type(b.getI64Type());
  case 8:
    return Type(StringType::get(context));
  case 9:
    return Type(b.getI1Type());
  case 10:
    return Type(b.getF16Type());
  case 11:
    return Type(b.getF64Type());
  case 12:
    return ui(32);
  case 13:
    return ui(64);
  case 14:
    return Type(ComplexType::get(b.getF32Type()));
  case 15:
    return Type(ComplexType::get(b.getF64Type()));
  case 16:
    return Type(b.getBF16Type());
  case 17:
    return Type(Float8E4M3FNType::get(context));
  case 18:
    return Type(Float8E4M3FNUZType::get(context));
  case 19:
    return Type(Float8E5M2Type::get(context));
  case 20:
    return Type(Float8E5M2FNUZType::get(context));
  case 21:
    return ui(4);
  case 22:
    return Type(b.getIntegerType(4));
  case 23:
    return Type(Float4E2M1FNType::get(context));
  case 24:
    return Type(Float8E8M0FNUType::get(context));
  case 25:
    return ui(2);
  case 26:
    return Type(b.getIntegerType(2));
  default:
    return error("'" + owner + "' has element type " + Twine(number) +
                 ", which this version of ONNX support does not know");
  }
}

FailureOr<Type> Importer::importType(StringRef message, StringRef owner,
                                     SmallVectorImpl<Attribute> *dimNames,
                                     unsigned depth) {
  if (depth > maxNesting)
    return error("the type of '" + owner + "' is nested too deeply");
  Type result = UnknownType::get(context);
  WireReader type(message);
  while (type.next()) {
    unsigned kind = type.getField();
    if (!type.isBytes() ||
        (kind != 1 && kind != 4 && kind != 5 && kind != 8 && kind != 9))
      continue;
    // tensor_type, sequence_type, map_type, sparse_tensor_type, optional_type
    Type element = UnknownType::get(context), key = UnknownType::get(context);
    bool hasShape = false;
    SmallVector<int64_t> shape;
    SmallVector<Attribute> names;
    WireReader inner(type.getBytes());
    while (inner.next()) {
      bool isTensor = kind == 1 || kind == 8;
      if (isTensor && inner.getField() == 1 && inner.isVarint()) {
        FailureOr<Type> scalar = elementType(inner.getSigned(), owner);
        if (failed(scalar))
          return failure();
        element = *scalar;
      } else if (isTensor && inner.getField() == 2) {
        hasShape = true;
        WireReader dims(inner.getBytes());
        while (dims.next()) {
          if (dims.getField() != 1)
            continue;
          int64_t size = ShapedType::kDynamic;
          StringRef name;
          WireReader dim(dims.getBytes());
          while (dim.next()) {
            if (dim.getField() == 1)
              size = dim.getSigned();
            else if (dim.getField() == 2)
              name = dim.getBytes();
          }
          if (dim.isBroken())
            return broken("a shape");
          // Some exporters write fixed sizes as names made of digits.
          int64_t number;
          if (ShapedType::isDynamic(size) && !name.getAsInteger(10, number)) {
            size = number;
            name = "";
          }
          if (size < 0 && !ShapedType::isDynamic(size))
            return error("'" + owner + "' has a negative size " + Twine(size));
          shape.push_back(size);
          names.push_back(
              builder.getStringAttr(ShapedType::isDynamic(size) ? name : ""));
        }
        if (dims.isBroken())
          return broken("a shape");
      } else if (kind == 5 && inner.getField() == 1 && inner.isVarint()) {
        FailureOr<Type> scalar = elementType(inner.getSigned(), owner);
        if (failed(scalar))
          return failure();
        key = *scalar;
      } else if (!isTensor && inner.isBytes() &&
                 inner.getField() == (kind == 5 ? 2u : 1u)) {
        FailureOr<Type> nested =
            importType(inner.getBytes(), owner, nullptr, depth + 1);
        if (failed(nested))
          return failure();
        element = *nested;
      }
    }
    if (inner.isBroken())
      return broken("a type");
    switch (kind) {
    case 1:
    case 8: {
      if (isa<UnknownType>(element))
        break; // a tensor of unstated element type: nothing is known
      if (!hasShape)
        result = UnrankedTensorType::get(element);
      else
        result = RankedTensorType::get(shape, element);
      if (kind == 8)
        result = SparseTensorType::get(context, result);
      else if (dimNames)
        *dimNames = names;
      break;
    }
    case 4:
      result = SequenceType::get(context, element);
      break;
    case 5:
      result = onnx::MapType::get(context, key, element);
      break;
    case 9:
      result = OptionalType::get(context, element);
      break;
    }
  }
  if (type.isBroken())
    return broken("a type");
  return result;
}

FailureOr<ImportedValueInfo> Importer::importValueInfo(StringRef message) {
  ImportedValueInfo result;
  result.type = UnknownType::get(context);
  StringRef typeMessage;
  WireReader info(message);
  while (info.next()) {
    if (info.getField() == 1)
      result.name = info.getBytes();
    else if (info.getField() == 2)
      typeMessage = info.getBytes();
  }
  if (info.isBroken())
    return broken("a value's description");
  FailureOr<Type> type = importType(typeMessage, result.name, &result.dimNames);
  if (failed(type))
    return failure();
  result.type = *type;
  return result;
}
