//===- OpsElementwise.cpp - arithmetic, comparison, logic, activations ----===//
#include "lowering/OnnxToDs/GraphConverter.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;
using EK = ElementwiseKind;

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

/// The second operand as it broadcasts to the first. Before opset 7 its
/// dimensions stood at `axis` of the first one's.
static FailureOr<Value> secondOperand(NodeContext &n) {
  Value x = n.input(0), y = n.input(1);
  if (n.version() >= 7 || !n.integer("broadcast", 0) || !n.attribute("axis"))
    return y;
  int64_t rank = tensorType(x).getRank(), own = tensorType(y).getRank();
  FailureOr<int64_t> axis = n.axis(n.integer("axis", 0), rank);
  if (failed(axis))
    return failure();
  if (*axis + own > rank)
    return n.error("its second input does not fit at axis " + Twine(*axis));
  SmallVector<int64_t> trailing;
  for (int64_t d = own; d < rank - *axis; ++d)
    trailing.push_back(d);
  return n.b.unsqueeze(y, trailing);
}

template <EK kind> static LogicalResult binary(NodeContext &n) {
  FailureOr<Value> other = secondOperand(n);
  if (failed(other) || failed(sameTypes(n)))
    return failure();
  n.output(0, n.b.elementwise(kind, {n.input(0), *other}));
  return success();
}

/// Sum, Max, Min, Mean of any number of inputs.
template <EK kind, bool mean = false>
static LogicalResult variadic(NodeContext &n) {
  for (unsigned i = 0; i < n.inputCount(); ++i)
    if (!n.has(i))
      return n.error("input " + Twine(i) + " is missing");
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
  FailureOr<Value> other = secondOperand(n);
  if (failed(other))
    return failure();
  Value y = n.b.cast(*other, tensorType(x).getElementType());
  n.output(0, n.b.elementwise(EK::Pow, {x, y}));
  return success();
}

static LogicalResult convertMod(NodeContext &n) {
  if (failed(sameTypes(n)))
    return failure();
  bool fmod = n.integer("fmod", 0) != 0;
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
  // Before opset 6 the type had a name.
  int64_t code = n.integer("to", 0);
  if (StringRef name = n.text("to", ""); !name.empty())
    code = llvm::StringSwitch<int64_t>(name)
               .Case("FLOAT", 1)
               .Case("UINT8", 2)
               .Case("INT8", 3)
               .Case("UINT16", 4)
               .Case("INT16", 5)
               .Case("INT32", 6)
               .Case("INT64", 7)
               .Case("BOOL", 9)
               .Case("FLOAT16", 10)
               .Case("DOUBLE", 11)
               .Case("UINT32", 12)
               .Case("UINT64", 13)
               .Default(0);
  Type type = n.elementType(code);
  if (!type)
    return n.unsupported("cast to element type " + Twine(code));
  n.output(0, n.b.cast(n.input(0), type, n.integer("saturate", 1) != 0));
  return success();
}

static LogicalResult convertBitCast(NodeContext &n) {
  Value x = n.input(0);
  Type from = tensorType(x).getElementType(),
       to = n.elementType(n.integer("to", 0));
  auto isBool = [](Type type) { return type.isInteger(1); };
  // A bool is a byte that is 0 or 1.
  if (to && isBool(from) && isa<IntegerType>(to) &&
      to.getIntOrFloatBitWidth() == 8) {
    n.output(0, n.b.cast(x, to));
    return success();
  }
  if (!to || isBool(to) || isBool(from))
    return n.unsupported("element type " + Twine(n.integer("to", 0)));
  if (from.getIntOrFloatBitWidth() != to.getIntOrFloatBitWidth())
    return n.error(
        llvm::formatv("{0} and {1} differ in width", from, to).str());
  if (from == to) {
    n.output(0, x);
    return success();
  }
  auto type = RankedTensorType::get(tensorType(x).getShape(), to);
  n.output(0, n.b.track(ds::BitcastOp::create(n.b.b, n.b.loc, type, x),
                        n.b.shape(x)));
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
  Value x = n.input(0);
  DenseElementsAttr training =
      n.has(2) ? n.b.constantOf(n.input(2)) : DenseElementsAttr();
  bool mayTrain = n.has(2) && !(training && !training.getValues<bool>()[0]);
  if (mayTrain && !n.has(1))
    return n.unsupported("training mode");
  if (mayTrain) {
    // In training mode nothing may be dropped: looking x up behind its end is
    // an error of the call.
    SmallVector<OpFoldResult> none;
    Value ratio = n.b.reshape(n.input(1), none);
    Value zero = n.b.elementwise(EK::Eq, {ratio, n.b.scalarLike(ratio, 0)});
    Value drops = n.b.elementwise(EK::And, {n.b.reshape(n.input(2), none),
                                            n.b.elementwise(EK::Not, {zero})});
    x = n.b.gather(n.b.unsqueeze(x, {0}), n.b.cast(drops, n.b.b.getI64Type()),
                   0);
  }
  n.output(0, x);
  if (n.wants(1))
    n.output(1, n.b.broadcast(n.b.scalar(n.b.b.getI1Type(), 1),
                              n.b.shape(n.input(0))));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::elementwiseOps() {
  static const OpEntry ops[] = {
      {"", "Abs", 1, newestOpset, 1, unary<EK::Abs>},
      {"", "Acos", 7, newestOpset, 1, unary<EK::Acos>},
      {"", "Acosh", 9, newestOpset, 1, unary<EK::Acosh>},
      {"", "Add", 1, newestOpset, 2, binary<EK::Add>},
      {"", "And", 1, newestOpset, 2, binary<EK::And>},
      {"", "Asin", 7, newestOpset, 1, unary<EK::Asin>},
      {"", "Asinh", 9, newestOpset, 1, unary<EK::Asinh>},
      {"", "Atan", 7, newestOpset, 1, unary<EK::Atan>},
      {"", "Atanh", 9, newestOpset, 1, unary<EK::Atanh>},
      {"", "BitCast", 26, newestOpset, 1, convertBitCast},
      {"", "BitShift", 11, newestOpset, 2, convertBitShift},
      {"", "BitwiseAnd", 18, newestOpset, 2, binary<EK::And>},
      {"", "BitwiseNot", 18, newestOpset, 1, unary<EK::Not>},
      {"", "BitwiseOr", 18, newestOpset, 2, binary<EK::Or>},
      {"", "BitwiseXor", 18, newestOpset, 2, binary<EK::Xor>},
      {"", "Cast", 1, newestOpset, 1, convertCast},
      {"", "CastLike", 15, newestOpset, 2, convertCastLike},
      {"", "Ceil", 1, newestOpset, 1, unary<EK::Ceil>},
      {"", "Celu", 12, newestOpset, 1, convertCelu},
      {"", "Clip", 1, newestOpset, 1, convertClip},
      {"", "Cos", 7, newestOpset, 1, unary<EK::Cos>},
      {"", "Cosh", 9, newestOpset, 1, unary<EK::Cosh>},
      {"", "Div", 1, newestOpset, 2, binary<EK::Div>},
      {"", "Dropout", 1, newestOpset, 1, convertDropout},
      {"", "Elu", 1, newestOpset, 1, convertElu},
      {"", "Equal", 1, newestOpset, 2, binary<EK::Eq>},
      {"", "Erf", 9, newestOpset, 1, unary<EK::Erf>},
      {"", "Exp", 1, newestOpset, 1, unary<EK::Exp>},
      {"", "Floor", 1, newestOpset, 1, unary<EK::Floor>},
      {"", "Gelu", 20, newestOpset, 1, convertGelu},
      {"", "Greater", 1, newestOpset, 2, binary<EK::Gt>},
      {"", "GreaterOrEqual", 12, newestOpset, 2, binary<EK::Ge>},
      {"", "HardSigmoid", 1, newestOpset, 1, convertHardSigmoid},
      {"", "HardSwish", 14, newestOpset, 1, convertHardSwish},
      {"", "Identity", 1, newestOpset, 1, convertIdentity},
      {"", "IsInf", 10, newestOpset, 1, convertIsInf},
      {"", "IsNaN", 9, newestOpset, 1, unary<EK::IsNaN>},
      {"", "LeakyRelu", 1, newestOpset, 1, convertLeakyRelu},
      {"", "Less", 1, newestOpset, 2, binary<EK::Lt>},
      {"", "LessOrEqual", 12, newestOpset, 2, binary<EK::Le>},
      {"", "Log", 1, newestOpset, 1, unary<EK::Log>},
      {"", "Max", 1, newestOpset, 1, variadic<EK::Max>},
      {"", "Mean", 1, newestOpset, 1, variadic<EK::Add, true>},
      {"", "Min", 1, newestOpset, 1, variadic<EK::Min>},
      {"", "Mish", 18, newestOpset, 1, convertMish},
      {"", "Mod", 10, newestOpset, 2, convertMod},
      {"", "Mul", 1, newestOpset, 2, binary<EK::Mul>},
      {"", "Neg", 1, newestOpset, 1, unary<EK::Neg>},
      {"", "Not", 1, newestOpset, 1, unary<EK::Not>},
      {"", "Or", 1, newestOpset, 2, binary<EK::Or>},
      {"", "PRelu", 1, newestOpset, 2, convertPRelu},
      {"", "Pow", 1, newestOpset, 2, convertPow},
      {"", "Reciprocal", 1, newestOpset, 1, unary<EK::Reciprocal>},
      {"", "Relu", 1, newestOpset, 1, convertRelu},
      {"", "Round", 11, newestOpset, 1, unary<EK::RoundEven>},
      {"", "Selu", 1, newestOpset, 1, convertSelu},
      {"", "Shrink", 9, newestOpset, 1, convertShrink},
      {"", "Sigmoid", 1, newestOpset, 1, unary<EK::Sigmoid>},
      {"", "Sign", 9, newestOpset, 1, unary<EK::Sign>},
      {"", "Sin", 7, newestOpset, 1, unary<EK::Sin>},
      {"", "Sinh", 9, newestOpset, 1, unary<EK::Sinh>},
      {"", "Softplus", 1, newestOpset, 1, convertSoftplus},
      {"", "Softsign", 1, newestOpset, 1, convertSoftsign},
      {"", "Sqrt", 1, newestOpset, 1, unary<EK::Sqrt>},
      {"", "Sub", 1, newestOpset, 2, binary<EK::Sub>},
      {"", "Sum", 1, newestOpset, 1, variadic<EK::Add>},
      {"", "SwiGLU", 28, newestOpset, 2, convertSwiGLU},
      {"", "Swish", 24, newestOpset, 1, convertSwish},
      {"", "Tan", 7, newestOpset, 1, unary<EK::Tan>},
      {"", "Tanh", 1, newestOpset, 1, unary<EK::Tanh>},
      {"", "ThresholdedRelu", 10, newestOpset, 1, convertThresholdedRelu},
      {"", "Where", 9, newestOpset, 3, convertWhere},
      {"", "Xor", 1, newestOpset, 2, binary<EK::Xor>},
      {microsoft, "Gelu", 1, 1, 1, convertGelu},
      {microsoft, "QuickGelu", 1, 1, 1, convertQuickGelu},
  };
  return ops;
}
