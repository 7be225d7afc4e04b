//===- BuildersCheck.cpp - operands that do not fit each other ------------===//
#include "dialects/ds/IR/DsElements.h"
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::ds;
using namespace mlir::onnx;
using onnx::tensorType;

void Builders::wrong(const Twine &message) {
  if (isWrong)
    return;
  isWrong = true;
  InFlightDiagnostic error = emitError(loc);
  if (node)
    error << "node '" << node.getNodeName() << "' (" << node.getOpType()
          << "): ";
  error << message;
}

void Builders::checkSameSize(OpFoldResult a, OpFoldResult c,
                             const Twine &what) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(c);
  if (x && y && *x != *y)
    wrong(what + " differ: " + Twine(*x) + " and " + Twine(*y));
}

void Builders::checkBroadcasts(ArrayRef<OpFoldResult> from,
                               ArrayRef<OpFoldResult> to, const Twine &what) {
  if (from.size() > to.size())
    return wrong(what + " has " + Twine(from.size()) +
                 " dimensions, more than the " + Twine(to.size()) +
                 " it broadcasts to");
  for (auto [mine, all] : llvm::zip(llvm::reverse(from), llvm::reverse(to)))
    if (getConstantIntValue(mine) != 1)
      checkSameSize(mine, all, what + ": sizes that must be equal");
}

static std::string nameOf(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

void Builders::checkElementwise(ElementwiseKind kind, ValueRange operands) {
  if (kind == ElementwiseKind::Select) {
    if (!tensorType(operands[0]).getElementType().isInteger(1))
      wrong("its condition is no bool");
    operands = operands.drop_front();
  }
  Type first = tensorType(operands[0]).getElementType();
  for (Value operand : operands.drop_front())
    if (tensorType(operand).getElementType() != first)
      wrong("its inputs have different element types, " + nameOf(first) +
            " and " + nameOf(tensorType(operand).getElementType()));
  bool fits = isa<FloatType>(first)     ? takesFloats(kind)
              : isa<IntegerType>(first) ? takesIntegers(kind)
                                        : false;
  if (!fits)
    wrong("it is not defined on " + nameOf(first));
}
