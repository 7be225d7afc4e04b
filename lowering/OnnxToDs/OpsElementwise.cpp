//===- OpsElementwise.cpp - arithmetic, comparison, logic, activations ----===//
#include "lowering/OnnxToDs/GraphConverter.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;
using EK = ElementwiseKind;

static bool isFloat(Value value) {
  return isa<FloatType>(tensorType(value).getElementType());
}

/// All inputs must have one element type: files are checked, not trusted.
static LogicalResult sameTypes(NodeContext &n, unsigned first = 0) {
  Type type = tensorType(n.input(first)).getElementType();
  for (unsigned i = first + 1; i < n.inputCount(); ++i)
    if (n.has(i) && tensorType(n.input(i)).getElementType() != type)
      return n.error("its inputs have different element types, " +
                     llvm::formatv("{0} and {1}", type,
                                   tensorType(n.input(i)).getElementType())
                         .str());
  return success();
}

template <EK kind> static LogicalResult unary(NodeContext &n) {
  n.output(0, n.b.elementwise(kind, {n.input(0)}));
  return success();
}

template <EK kind> static LogicalResult binary(NodeContext &n) {
  if (failed(sameTypes(n)))
    return failure();
  n.output(0, n.b.elementwise(kind, {n.input(0), n.input(1)}));
  return success();
}

/// Sum, Max, Min, Mean of any number of inputs.
template <EK kind, bool mean = false>
static LogicalResult variadic(NodeContext &n) {
  if (failed(sameTypes(n)))
    return failure();
  Value result = n.input(0);
  for (unsigned i = 1; i < n.inputCount(); ++i)
    result = n.b.elementwise(kind, {result, n.input(i)});
  if (mean)
    result = n.b.div(result, n.b.scalarLike(result, n.inputCount()));
  n.output(0, result);
  return success();
}

static LogicalResult convertPow(NodeContext &n) {
  // The exponent may have another type; the result has the base's.
  Value x = n.input(0);
  Value y = n.b.cast(n.input(1), tensorType(x).getElementType());
  n.output(0, n.b.elementwise(EK::Pow, {x, y}));
  return success();
}

static LogicalResult convertMod(NodeContext &n) {
  if (failed(sameTypes(n)))
    return failure();
  bool fmod = n.integer("fmod", 0) != 0;
  if (!fmod && isFloat(n.input(0)))
    return n.error("Mod of floats needs fmod=1");
  n.output(0, n.b.elementwise(fmod ? EK::TruncMod : EK::FloorMod,
                              {n.input(0), n.input(1)}));
  return success();
}

static LogicalResult convertWhere(NodeContext &n) {
  if (failed(sameTypes(n, 1)))
    return failure();
  n.output(0,
           n.b.elementwise(EK::Select, {n.input(0), n.input(1), n.input(2)}));
  return success();
}

static LogicalResult convertCast(NodeContext &n) {
  // The importer knows element types; Cast's `to` is a number of the same enum.
  Type type;
  MLIRContext *context = n.node.getContext();
  Builder builder(context);
  auto ui = [&](unsigned width) -> Type {
    return IntegerType::get(context, width, IntegerType::Unsigned);
  };
  switch (n.integer("to", 0)) {
  case 1:
    type = builder.getF32Type();
    break;
  case 2:
    type = ui(8);
    break;
  case 3:
    type = builder.getI8Type();
    break;
  case 4:
    type = ui(16);
    break;
  case 5:
    type = builder.getI16Type();
    break;
  case 6:
    type = builder.getI32Type();
    break;
  case 7:
    type = builder.getI64Type();
    break;
  case 9:
    type = builder.getI1Type();
    break;
  case 10:
    type = builder.getF16Type();
    break;
  case 11:
    type = builder.getF64Type();
    break;
  case 12:
    type = ui(32);
    break;
  case 13:
    type = ui(64);
    break;
  case 16:
    type = builder.getBF16Type();
    break;
  case 17:
    type = Float8E4M3FNType::get(context);
    break;
  case 19:
    type = Float8E5M2Type::get(context);
    break;
  case 21:
    type = ui(4);
    break;
  case 22:
    type = builder.getIntegerType(4);
    break;
  default:
    return n.unsupported("cast to element type " + Twine(n.integer("to", 0)));
  }
  n.output(0, n.b.cast(n.input(0), type, n.integer("saturate", 1) != 0));
  return success();
}

static LogicalResult convertCastLike(NodeContext &n) {
  n.output(0, n.b.cast(n.input(0), tensorType(n.input(1)).getElementType(),
                       n.integer("saturate", 1) != 0));
  return success();
}

static LogicalResult convertClip(NodeContext &n) {
  Value x = n.input(0);
  Value low = n.input(1), high = n.input(2);
  if (n.version() < 11) {
    if (n.attribute("min"))
      low = n.b.scalarLike(x, n.number("min", 0));
    if (n.attribute("max"))
      high = n.b.scalarLike(x, n.number("max", 0));
  }
  if (low)
    x = n.b.elementwise(EK::Max, {x, low});
  if (high)
    x = n.b.elementwise(EK::Min, {x, high});
  n.output(0, x);
  return success();
}

static LogicalResult convertIsInf(NodeContext &n) {
  Value x = n.input(0);
  Value result;
  if (n.integer("detect_positive", 1))
    result = n.b.elementwise(EK::IsPosInf, {x});
  if (n.integer("detect_negative", 1)) {
    Value negative = n.b.elementwise(EK::IsNegInf, {x});
    result = result ? n.b.elementwise(EK::Or, {result, negative}) : negative;
  }
  if (!result)
    result = n.b.broadcast(n.b.scalar(n.b.b.getI1Type(), 0), n.b.shape(x));
  n.output(0, result);
  return success();
}

/// x < 0 ? below : above
static Value byNegative(NodeContext &n, Value x, Value below, Value above) {
  Value negative = n.b.elementwise(EK::Lt, {x, n.b.scalarLike(x, 0)});
  return n.b.elementwise(EK::Select, {negative, below, above});
}

static LogicalResult convertRelu(NodeContext &n) {
  Value x = n.input(0);
  n.output(0, n.b.elementwise(EK::Max, {x, n.b.scalarLike(x, 0)}));
  return success();
}

static LogicalResult convertLeakyRelu(NodeContext &n) {
  Value x = n.input(0);
  Value scaled = n.b.mul(x, n.b.scalarLike(x, n.number("alpha", 0.01)));
  n.output(0, byNegative(n, x, scaled, x));
  return success();
}

static LogicalResult convertPRelu(NodeContext &n) {
  Value x = n.input(0);
  n.output(0, byNegative(n, x, n.b.mul(x, n.input(1)), x));
  return success();
}

static Value expMinusOne(NodeContext &n, Value x) {
  return n.b.sub(n.b.elementwise(EK::Exp, {x}), n.b.scalarLike(x, 1));
}

static LogicalResult convertElu(NodeContext &n) {
  Value x = n.input(0);
  Value below =
      n.b.mul(expMinusOne(n, x), n.b.scalarLike(x, n.number("alpha", 1)));
  n.output(0, byNegative(n, x, below, x));
  return success();
}

static LogicalResult convertSelu(NodeContext &n) {
  Value x = n.input(0);
  double alpha = n.number("alpha", 1.67326319217681884765625);
  Value below = n.b.mul(expMinusOne(n, x), n.b.scalarLike(x, alpha));
  Value gamma = n.b.scalarLike(x, n.number("gamma", 1.05070102214813232421875));
  n.output(0, n.b.mul(byNegative(n, x, below, x), gamma));
  return success();
}

static LogicalResult convertCelu(NodeContext &n) {
  Value x = n.input(0);
  Value alpha = n.b.scalarLike(x, n.number("alpha", 1));
  Value below = n.b.mul(expMinusOne(n, n.b.div(x, alpha)), alpha);
  n.output(0, byNegative(n, x, below, x));
  return success();
}

static Value clampUnit(NodeContext &n, Value x) {
  Value low = n.b.elementwise(EK::Max, {x, n.b.scalarLike(x, 0)});
  return n.b.elementwise(EK::Min, {low, n.b.scalarLike(x, 1)});
}

static LogicalResult convertHardSigmoid(NodeContext &n) {
  Value x = n.input(0);
  Value line = n.b.add(n.b.mul(x, n.b.scalarLike(x, n.number("alpha", 0.2))),
                       n.b.scalarLike(x, n.number("beta", 0.5)));
  n.output(0, clampUnit(n, line));
  return success();
}

static LogicalResult convertHardSwish(NodeContext &n) {
  Value x = n.input(0);
  Value line =
      n.b.add(n.b.mul(x, n.b.scalarLike(x, 1.0 / 6)), n.b.scalarLike(x, 0.5));
  n.output(0, n.b.mul(x, clampUnit(n, line)));
  return success();
}

/// log(1 + exp(x)) without overflow: max(x, 0) + log(1 + exp(−|x|)).
static Value softplus(NodeContext &n, Value x) {
  Value absolute = n.b.elementwise(EK::Abs, {x});
  Value small =
      n.b.elementwise(EK::Exp, {n.b.elementwise(EK::Neg, {absolute})});
  Value log = n.b.elementwise(EK::Log, {n.b.add(small, n.b.scalarLike(x, 1))});
  return n.b.add(n.b.elementwise(EK::Max, {x, n.b.scalarLike(x, 0)}), log);
}

static LogicalResult convertSoftplus(NodeContext &n) {
  n.output(0, softplus(n, n.input(0)));
  return success();
}

static LogicalResult convertMish(NodeContext &n) {
  Value x = n.input(0);
  n.output(0, n.b.mul(x, n.b.elementwise(EK::Tanh, {softplus(n, x)})));
  return success();
}

static LogicalResult convertSoftsign(NodeContext &n) {
  Value x = n.input(0);
  Value absolute = n.b.elementwise(EK::Abs, {x});
  n.output(0, n.b.div(x, n.b.add(absolute, n.b.scalarLike(x, 1))));
  return success();
}

static LogicalResult convertThresholdedRelu(NodeContext &n) {
  Value x = n.input(0);
  Value above =
      n.b.elementwise(EK::Gt, {x, n.b.scalarLike(x, n.number("alpha", 1))});
  n.output(0, n.b.elementwise(EK::Select, {above, x, n.b.scalarLike(x, 0)}));
  return success();
}

static LogicalResult convertShrink(NodeContext &n) {
  Value x = n.input(0);
  double lambda = n.number("lambd", 0.5);
  Value bias = n.b.scalarLike(x, n.number("bias", 0));
  Value high = n.b.elementwise(EK::Gt, {x, n.b.scalarLike(x, lambda)});
  Value low = n.b.elementwise(EK::Lt, {x, n.b.scalarLike(x, -lambda)});
  Value below = n.b.elementwise(EK::Select,
                                {low, n.b.add(x, bias), n.b.scalarLike(x, 0)});
  n.output(0, n.b.elementwise(EK::Select, {high, n.b.sub(x, bias), below}));
  return success();
}

static LogicalResult convertGelu(NodeContext &n) {
  Value x = n.input(0);
  Value half = n.b.scalarLike(x, 0.5), one = n.b.scalarLike(x, 1);
  Value inner;
  if (n.text("approximate", "none") == "tanh") {
    Value cube = n.b.mul(n.b.mul(x, x), x);
    Value sum = n.b.add(x, n.b.mul(cube, n.b.scalarLike(x, 0.044715)));
    inner = n.b.elementwise(
        EK::Tanh, {n.b.mul(sum, n.b.scalarLike(x, 0.7978845608028654))});
  } else {
    inner = n.b.elementwise(
        EK::Erf, {n.b.mul(x, n.b.scalarLike(x, 0.7071067811865476))});
  }
  n.output(0, n.b.mul(n.b.mul(half, x), n.b.add(one, inner)));
  return success();
}

static Value swish(NodeContext &n, Value x, double alpha) {
  Value scaled = n.b.mul(x, n.b.scalarLike(x, alpha));
  return n.b.mul(x, n.b.elementwise(EK::Sigmoid, {scaled}));
}

static LogicalResult convertSwish(NodeContext &n) {
  n.output(0, swish(n, n.input(0), n.number("alpha", 1)));
  return success();
}

/// com.microsoft QuickGelu: x·sigmoid(alpha·x).
static LogicalResult convertQuickGelu(NodeContext &n) {
  n.output(0, swish(n, n.input(0), n.number("alpha", 1.702)));
  return success();
}

static LogicalResult convertSwiGLU(NodeContext &n) {
  if (n.inputCount() < 2 || !n.has(1))
    return n.unsupported("one input");
  Value gate = swish(n, n.input(0), n.number("alpha", 1));
  n.output(0, n.b.mul(gate, n.input(1)));
  return success();
}

static LogicalResult convertBitShift(NodeContext &n) {
  bool left = n.text("direction", "") == "LEFT";
  n.output(0,
           n.b.elementwise(left ? EK::Shl : EK::Shr, {n.input(0), n.input(1)}));
  return success();
}

static LogicalResult convertIdentity(NodeContext &n) {
  n.output(0, n.input(0));
  return success();
}

static LogicalResult convertDropout(NodeContext &n) {
  // In inference it is the identity; the mask is all true.
  if (n.has(2)) {
    DenseElementsAttr training = n.b.constantOf(n.input(2));
    if (!training || training.getSplatValue<bool>())
      return n.unsupported("training mode");
  }
  n.output(0, n.input(0));
  if (n.wants(1))
    n.output(1, n.b.broadcast(n.b.scalar(n.b.b.getI1Type(), 1),
                              n.b.shape(n.input(0))));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::elementwiseOps() {
  static const OpEntry ops[] = {
      {"", "Abs", 6, newestOpset, unary<EK::Abs>},
      {"", "Acos", 7, newestOpset, unary<EK::Acos>},
      {"", "Acosh", 9, newestOpset, unary<EK::Acosh>},
      {"", "Add", 7, newestOpset, binary<EK::Add>},
      {"", "And", 7, newestOpset, binary<EK::And>},
      {"", "Asin", 7, newestOpset, unary<EK::Asin>},
      {"", "Asinh", 9, newestOpset, unary<EK::Asinh>},
      {"", "Atan", 7, newestOpset, unary<EK::Atan>},
      {"", "Atanh", 9, newestOpset, unary<EK::Atanh>},
      {"", "BitShift", 11, newestOpset, convertBitShift},
      {"", "BitwiseAnd", 18, newestOpset, binary<EK::And>},
      {"", "BitwiseNot", 18, newestOpset, unary<EK::Not>},
      {"", "BitwiseOr", 18, newestOpset, binary<EK::Or>},
      {"", "BitwiseXor", 18, newestOpset, binary<EK::Xor>},
      {"", "Cast", 6, newestOpset, convertCast},
      {"", "CastLike", 15, newestOpset, convertCastLike},
      {"", "Ceil", 6, newestOpset, unary<EK::Ceil>},
      {"", "Celu", 12, newestOpset, convertCelu},
      {"", "Clip", 6, newestOpset, convertClip},
      {"", "Cos", 7, newestOpset, unary<EK::Cos>},
      {"", "Cosh", 9, newestOpset, unary<EK::Cosh>},
      {"", "Div", 7, newestOpset, binary<EK::Div>},
      {"", "Dropout", 7, newestOpset, convertDropout},
      {"", "Elu", 6, newestOpset, convertElu},
      {"", "Equal", 7, newestOpset, binary<EK::Eq>},
      {"", "Erf", 9, newestOpset, unary<EK::Erf>},
      {"", "Exp", 6, newestOpset, unary<EK::Exp>},
      {"", "Floor", 6, newestOpset, unary<EK::Floor>},
      {"", "Gelu", 20, newestOpset, convertGelu},
      {"", "Greater", 7, newestOpset, binary<EK::Gt>},
      {"", "GreaterOrEqual", 12, newestOpset, binary<EK::Ge>},
      {"", "HardSigmoid", 6, newestOpset, convertHardSigmoid},
      {"", "HardSwish", 14, newestOpset, convertHardSwish},
      {"", "Identity", 1, newestOpset, convertIdentity},
      {"", "IsInf", 10, newestOpset, convertIsInf},
      {"", "IsNaN", 9, newestOpset, unary<EK::IsNaN>},
      {"", "LeakyRelu", 6, newestOpset, convertLeakyRelu},
      {"", "Less", 7, newestOpset, binary<EK::Lt>},
      {"", "LessOrEqual", 12, newestOpset, binary<EK::Le>},
      {"", "Log", 6, newestOpset, unary<EK::Log>},
      {"", "Max", 8, newestOpset, variadic<EK::Max>},
      {"", "Mean", 8, newestOpset, variadic<EK::Add, true>},
      {"", "Min", 8, newestOpset, variadic<EK::Min>},
      {"", "Mish", 18, newestOpset, convertMish},
      {"", "Mod", 10, newestOpset, convertMod},
      {"", "Mul", 7, newestOpset, binary<EK::Mul>},
      {"", "Neg", 6, newestOpset, unary<EK::Neg>},
      {"", "Not", 1, newestOpset, unary<EK::Not>},
      {"", "Or", 7, newestOpset, binary<EK::Or>},
      {"", "PRelu", 9, newestOpset, convertPRelu},
      {"", "Pow", 7, newestOpset, convertPow},
      {"", "Reciprocal", 6, newestOpset, unary<EK::Reciprocal>},
      {"", "Relu", 6, newestOpset, convertRelu},
      {"", "Round", 11, newestOpset, unary<EK::RoundEven>},
      {"", "Selu", 6, newestOpset, convertSelu},
      {"", "Shrink", 9, newestOpset, convertShrink},
      {"", "Sigmoid", 6, newestOpset, unary<EK::Sigmoid>},
      {"", "Sign", 9, newestOpset, unary<EK::Sign>},
      {"", "Sin", 7, newestOpset, unary<EK::Sin>},
      {"", "Sinh", 9, newestOpset, unary<EK::Sinh>},
      {"", "Softplus", 1, newestOpset, convertSoftplus},
      {"", "Softsign", 1, newestOpset, convertSoftsign},
      {"", "Sqrt", 6, newestOpset, unary<EK::Sqrt>},
      {"", "Sub", 7, newestOpset, binary<EK::Sub>},
      {"", "Sum", 8, newestOpset, variadic<EK::Add>},
      {"", "SwiGLU", 28, newestOpset, convertSwiGLU},
      {"", "Swish", 24, newestOpset, convertSwish},
      {"", "Tan", 7, newestOpset, unary<EK::Tan>},
      {"", "Tanh", 6, newestOpset, unary<EK::Tanh>},
      {"", "ThresholdedRelu", 10, newestOpset, convertThresholdedRelu},
      {"", "Where", 9, newestOpset, convertWhere},
      {"", "Xor", 7, newestOpset, binary<EK::Xor>},
      {microsoft, "Gelu", 1, 1, convertGelu},
      {microsoft, "QuickGelu", 1, 1, convertQuickGelu},
  };
  return ops;
}
