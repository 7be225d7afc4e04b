//===- BuildersFold.cpp - what is decided while converting ----------------===//
//
// Shape arithmetic, comparisons of sizes and scalar constants: exporters write
// them as ops, and the shapes of all that follows depend on them.
//
//===----------------------------------------------------------------------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::ds;
using namespace mlir::onnx;
using onnx::tensorType;

DenseElementsAttr mlir::onnx::splat(RankedTensorType type, double value) {
  Type element = type.getElementType();
  if (auto floatType = dyn_cast<FloatType>(element)) {
    APFloat number(value);
    bool lost;
    number.convert(floatType.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                   &lost);
    return DenseElementsAttr::get(type, number);
  }
  return DenseElementsAttr::get(
      type, APInt(64, int64_t(value), true)
                .sextOrTrunc(element.getIntOrFloatBitWidth()));
}

std::optional<double> Builders::scalarValue(Value value) {
  DenseElementsAttr attr = constantOf(value);
  if (!attr || attr.getNumElements() != 1)
    return std::nullopt;
  if (isa<FloatType>(attr.getElementType()))
    return attr.getValues<APFloat>()[0].convertToDouble();
  return std::nullopt;
}

/// Shape arithmetic: integer vectors whose elements are known as sizes.
Value Builders::foldSizes(ElementwiseKind kind, ValueRange operands) {
  SmallVector<SmallVector<OpFoldResult>> args;
  size_t count = 1;
  bool isScalar = true;
  for (Value operand : operands) {
    auto element = dyn_cast<IntegerType>(tensorType(operand).getElementType());
    if (!element || element.getWidth() < 32)
      return nullptr;
    auto known = elements(operand);
    if (!known)
      return nullptr;
    isScalar &= tensorType(operand).getRank() == 0;
    if (known->size() != 1) {
      if (count != 1 && count != known->size())
        return nullptr;
      count = known->size();
    }
    args.push_back(*known);
  }
  SmallVector<OpFoldResult> result;
  for (size_t i = 0; i < count; ++i) {
    auto arg = [&](unsigned j) {
      return args[j].size() == 1 ? args[j][0] : args[j][i];
    };
    switch (kind) {
    case ElementwiseKind::Add:
      result.push_back(sizes.add(arg(0), arg(1)));
      break;
    case ElementwiseKind::Sub:
      result.push_back(sizes.sub(arg(0), arg(1)));
      break;
    case ElementwiseKind::Mul:
      result.push_back(sizes.mul(arg(0), arg(1)));
      break;
    case ElementwiseKind::Max:
      result.push_back(sizes.max(arg(0), arg(1)));
      break;
    case ElementwiseKind::Min:
      result.push_back(sizes.min(arg(0), arg(1)));
      break;
    case ElementwiseKind::Neg:
      result.push_back(sizes.sub(sizes.number(0), arg(0)));
      break;
    case ElementwiseKind::Div: {
      // Truncation and floor agree where nothing is negative; sizes are not.
      std::optional<int64_t> x = getConstantIntValue(arg(0)),
                             y = getConstantIntValue(arg(1));
      if (!y || *y <= 0 || (x && *x < 0))
        return nullptr;
      result.push_back(sizes.floorDiv(arg(0), arg(1)));
      break;
    }
    case ElementwiseKind::FloorMod: {
      std::optional<int64_t> x = getConstantIntValue(arg(0)),
                             y = getConstantIntValue(arg(1));
      if (!x || !y || *y <= 0)
        return nullptr;
      result.push_back(sizes.number(llvm::mod(*x, *y)));
      break;
    }
    default:
      return nullptr;
    }
  }
  return fromSizes(result, isScalar, tensorType(operands[0]).getElementType());
}

/// Whether `value` is a size of a tensor or made of sizes by adding and
/// multiplying, so never negative.
static bool isSize(OpFoldResult value) {
  if (std::optional<int64_t> number = getConstantIntValue(value))
    return *number >= 0;
  Operation *op = cast<Value>(value).getDefiningOp();
  return op &&
         (isa<tensor::DimOp>(op) ||
          (isa<arith::AddIOp, arith::MulIOp, arith::MaxSIOp>(op) &&
           llvm::all_of(op->getOperands(), [](Value v) { return isSize(v); })));
}

/// Logic on constants of a few elements.
Value Builders::foldLogic(ElementwiseKind kind, ValueRange operands) {
  constexpr int64_t maxKnown = 16;
  SmallVector<SmallVector<bool>> args;
  RankedTensorType type;
  for (Value operand : operands) {
    DenseElementsAttr attr = constantOf(operand);
    if (!attr || !attr.getElementType().isInteger(1) ||
        attr.getNumElements() > maxKnown)
      return nullptr;
    args.emplace_back(attr.getValues<bool>());
    auto mine = cast<RankedTensorType>(attr.getType());
    if (!type || type.getNumElements() < mine.getNumElements() ||
        (type.getNumElements() == 1 && type.getRank() < mine.getRank()))
      type = mine;
  }
  if (!type)
    return nullptr;
  SmallVector<bool> result;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    SmallVector<bool> at;
    for (auto [arg, operand] : llvm::zip_equal(args, operands)) {
      if (arg.size() != 1 && operand.getType() != type)
        return nullptr;
      at.push_back(arg.size() == 1 ? arg[0] : arg[i]);
    }
    switch (kind) {
    case ElementwiseKind::Not:
      result.push_back(!at[0]);
      break;
    case ElementwiseKind::And:
      result.push_back(at[0] && at[1]);
      break;
    case ElementwiseKind::Or:
      result.push_back(at[0] || at[1]);
      break;
    case ElementwiseKind::Xor:
      result.push_back(at[0] != at[1]);
      break;
    default:
      return nullptr;
    }
  }
  return constant(DenseElementsAttr::get(type, result));
}

/// Comparisons of sizes that are decided (exporters test shapes for −1), and
/// selections by such a comparison.
Value Builders::foldChoices(ElementwiseKind kind, ValueRange operands) {
  if (kind == ElementwiseKind::Eq) {
    auto a = elements(operands[0]), c = elements(operands[1]);
    if (!a || !c ||
        (a->size() != c->size() && a->size() != 1 && c->size() != 1))
      return nullptr;
    SmallVector<bool> truth;
    for (size_t i = 0; i < std::max(a->size(), c->size()); ++i) {
      OpFoldResult x = a->size() == 1 ? (*a)[0] : (*a)[i],
                   y = c->size() == 1 ? (*c)[0] : (*c)[i];
      std::optional<int64_t> p = getConstantIntValue(x),
                             q = getConstantIntValue(y);
      if (p && q)
        truth.push_back(*p == *q);
      else if (x == y)
        truth.push_back(true);
      else if ((p && *p < 0 && isSize(y)) || (q && *q < 0 && isSize(x)))
        truth.push_back(false);
      else
        return nullptr;
    }
    bool scalar = tensorType(operands[0]).getRank() == 0 &&
                  tensorType(operands[1]).getRank() == 0;
    SmallVector<int64_t> shape;
    if (!scalar)
      shape.push_back(truth.size());
    return constant(DenseElementsAttr::get(
        RankedTensorType::get(shape, b.getI1Type()), truth));
  }
  if (kind != ElementwiseKind::Select)
    return nullptr;
  DenseElementsAttr condition = constantOf(operands[0]);
  auto x = elements(operands[1]), y = elements(operands[2]);
  if (!condition || !x || !y || condition.getType().getRank() > 1)
    return nullptr;
  size_t count =
      std::max({size_t(condition.getNumElements()), x->size(), y->size()});
  SmallVector<OpFoldResult> result;
  auto pick = [](ArrayRef<OpFoldResult> values, size_t i) {
    return values.size() == 1 ? values[0] : values[i];
  };
  for (size_t i = 0; i < count; ++i) {
    bool first = condition.getNumElements() == 1
                     ? condition.getValues<bool>()[0]
                     : condition.getValues<bool>()[i];
    result.push_back(pick(first ? *x : *y, i));
  }
  bool scalar = llvm::all_of(
      operands, [](Value v) { return tensorType(v).getRank() == 0; });
  return fromSizes(result, scalar, tensorType(operands[1]).getElementType());
}

/// Scalar constants, as in `sqrt(64)` or `1 / sqrt(64)`.
Value Builders::foldScalars(ElementwiseKind kind, ValueRange operands) {
  SmallVector<double> args;
  int64_t rank = 0;
  for (Value operand : operands) {
    std::optional<double> number = scalarValue(operand);
    if (!number)
      return nullptr;
    rank = std::max(rank, tensorType(operand).getRank());
    args.push_back(*number);
  }
  // In the type's own precision where that is f32: the file says so.
  Type element = tensorType(operands[0]).getElementType();
  bool isF32 = element.isF32();
  auto rounded = [&](double value) {
    return isF32 ? double(float(value)) : value;
  };
  double result;
  switch (kind) {
  case ElementwiseKind::Add:
    result = rounded(args[0] + args[1]);
    break;
  case ElementwiseKind::Sub:
    result = rounded(args[0] - args[1]);
    break;
  case ElementwiseKind::Mul:
    result = rounded(args[0] * args[1]);
    break;
  case ElementwiseKind::Div:
    result = rounded(args[0] / args[1]);
    break;
  case ElementwiseKind::Sqrt:
    result = rounded(std::sqrt(args[0]));
    break;
  case ElementwiseKind::Reciprocal:
    result = rounded(1 / args[0]);
    break;
  case ElementwiseKind::Neg:
    result = -args[0];
    break;
  default:
    return nullptr;
  }
  return constant(splat(
      RankedTensorType::get(SmallVector<int64_t>(rank, 1), element), result));
}

/// x·1, x/1, true ∧ x: exact for every x.
Value Builders::foldIdentity(ElementwiseKind kind, ValueRange operands) {
  if (operands.size() != 2)
    return nullptr;
  Type element = tensorType(operands[0]).getElementType();
  for (unsigned i : {0u, 1u}) {
    DenseElementsAttr attr = constantOf(operands[i]);
    if (!attr || !attr.isSplat() ||
        tensorType(operands[i]).getRank() >
            tensorType(operands[1 - i]).getRank() ||
        attr.getNumElements() != 1)
      continue;
    bool one = isa<FloatType>(element)
                   ? attr.getSplatValue<APFloat>().isExactlyValue(1.0)
                   : attr.getSplatValue<APInt>().isOne();
    if (one && (kind == ElementwiseKind::Mul ||
                (kind == ElementwiseKind::Div && i == 1) ||
                (kind == ElementwiseKind::And && element.isInteger(1))))
      return operands[1 - i];
  }
  return nullptr;
}
