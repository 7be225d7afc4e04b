//===- DsQuantizedOps.cpp - shapes and verifiers of quantised products ----===//
#include "dialects/ds/IR/DsVerify.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::ds;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static int64_t ceilOf(int64_t a, int64_t b) {
  return int64_t(llvm::divideCeil(uint64_t(a), uint64_t(b)));
}

/// Types of data, scales and sums of [M, K] rows.
static std::array<RankedTensorType, 3> groupTypes(RankedTensorType input,
                                                  int64_t group) {
  Builder b(input.getContext());
  int64_t rows = input.getDimSize(0), k = input.getDimSize(1),
          groups = ceilOf(k, group);
  return {RankedTensorType::get({rows, 4 * ceilOf(k, 4)}, b.getI8Type()),
          RankedTensorType::get({rows, groups}, b.getF32Type()),
          RankedTensorType::get({rows, groups}, b.getI32Type())};
}

void QuantizeGroupsOp::build(OpBuilder &builder, OperationState &state,
                             Value input, int64_t group, int64_t bits) {
  auto [data, scale, sum] = groupTypes(typeOf(input), group);
  build(builder, state, data, scale, sum, input, group, bits);
}

LogicalResult QuantizeGroupsOp::verify() {
  RankedTensorType input = typeOf(getInput());
  if (!input.getElementType().isF32() || input.getRank() != 2 ||
      input.isDynamicDim(1))
    return emitOpError("C1: expected an f32 input of rank 2 with a static last "
                       "size, found ")
           << input;
  int64_t bits = getBits(), group = getGroup();
  if ((bits != 8 && bits != 4) || group <= 0 || group % 8 != 0)
    return emitOpError("C2: expected 8 or 4 bits and a group that is a "
                       "multiple of 8, found ")
           << bits << " bits and a group of " << group;
  auto [data, scale, sum] = groupTypes(input, group);
  if (getData().getType() != data || getScale().getType() != scale ||
      getSum().getType() != sum)
    return emitOpError("C3: expected results ")
           << data << ", " << scale << " and " << sum << ", found "
           << getData().getType() << ", " << getScale().getType() << " and "
           << getSum().getType();
  return success();
}

LogicalResult PackedQuantizedLinearOp::verify() {
  RankedTensorType input = typeOf(getInput()), weight = typeOf(getWeight()),
                   result = typeOf(getResult());
  auto is = [](Value value, auto test) {
    return !value || test(typeOf(value).getElementType());
  };
  auto isF32 = [](Type type) { return type.isF32(); };
  auto isByte = [](Type type) { return type.isSignlessInteger(8); };
  auto isWord = [](Type type) { return type.isSignlessInteger(32); };
  bool isInteger = isByte(input.getElementType()),
       isFloat8 = isa<Float8E4M3FNType>(weight.getElementType());
  if ((!isInteger && !isF32(input.getElementType()) &&
       !input.getElementType().isBF16()) ||
      (input.getElementType().isBF16() && !isFloat8) ||
      (isInteger && isFloat8) || isInteger != bool(getInputScale()) ||
      isInteger != bool(getInputSum()) || !is(getInputScale(), isF32) ||
      !is(getInputSum(), isWord) || (!isFloat8 && !is(getWeight(), isByte)) ||
      !is(getZeroPoints(), isByte) || !is(getWeightScale(), isF32) ||
      !is(getBias(), isF32) || !is(getResidual(), isF32) ||
      (!isF32(result.getElementType()) && !result.getElementType().isBF16()))
    return emitOpError("C1: expected an f32 input, or an i8 one with f32 "
                       "scales and i32 sums, or a bf16 one with f8E4M3FN "
                       "weights, i8 weights and zero points, or f8E4M3FN "
                       "weights, f32 scales, bias and residual, and an f32 or "
                       "bf16 result");
  int64_t bits = getBits(), group = getGroup(), zero = getZero();
  if ((bits != 8 && bits != 4) || group <= 0 || group % 8 != 0 || zero < 0 ||
      zero >> bits != 0)
    return emitOpError("C2: expected 8 or 4 bits, a group that is a multiple "
                       "of 8 and a zero of so many bits, found ")
           << bits << " bits, a group of " << group << " and a zero of "
           << zero;
  if (isFloat8 && (bits != 8 || zero != 0 || getZeroPoints()))
    return emitOpError("C2: f8E4M3FN weights have 8 bits and no zero points");
  if (input.getRank() != 2 || result.getRank() != 2 || input.isDynamicDim(1) ||
      result.isDynamicDim(1) || (bits == 4 && input.getDimSize(1) % 8 != 0) ||
      (isInteger && input.getDimSize(1) % 4 != 0))
    return emitOpError("C3: expected input and result of rank 2 with static "
                       "last sizes, K a multiple of 8 for 4 bits and of 4 for "
                       "i8, found ")
           << input << " and " << result;
  if (failed(expectExpertGroups(*this, "C6")) ||
      failed(expectSize(*this, "C3", "the result", getResult(), 0,
                        shapeOf(getRows() ? getRows() : getInput())[0],
                        getRows() ? "rows" : "the input's rows")))
    return failure();
  int64_t k = input.getDimSize(1), n = weightRows(), groups = ceilOf(k, group);
  Shape shape{n, k * bits / 8};
  if (getTiles() && weight.getRank() > 0)
    shape.insert(shape.begin(), weight.getDimSize(0));
  RankedTensorType packed = PackOp::packedType(
      RankedTensorType::get(shape, weight.getElementType()), stepBytes());
  if (weight != packed)
    return emitOpError("C3: expected a weight of ")
           << packed << ", found " << weight;
  for (Value value : {getWeightScale(), getZeroPoints()}) {
    if (!value)
      continue;
    Shape whole(packed.getShape()), single(packed.getShape());
    whole.back() = single.back() = PackOp::panelRows;
    whole.end()[-2] = groups;
    single.end()[-2] = 1;
    if (shapeOf(value) != ArrayRef(whole) && shapeOf(value) != ArrayRef(single))
      return emitOpError("C4: expected scales and zero points of ")
             << shapeText(whole) << " or " << shapeText(single) << ", found "
             << value.getType();
  }
  for (Value value : {getInputScale(), getInputSum()})
    if (value && typeOf(value).getShape() !=
                     ArrayRef<int64_t>{input.getDimSize(0), groups})
      return emitOpError("C4: expected scales and sums of ")
             << groups << " groups for each input row, found "
             << value.getType();
  if (getBias() && typeOf(getBias()).getShape() != ArrayRef<int64_t>{n})
    return emitOpError("C4: expected a bias of ")
           << n << " elements, found " << getBias().getType();
  if (getResidual() && typeOf(getResidual()).getShape() != result.getShape())
    return emitOpError("C4: expected a residual of the result's shape, found ")
           << getResidual().getType() << " and " << result;
  return expectRopeEpilogue(*this, "C5");
}

LogicalResult
QuantizeGroupsOp::reifyResultShapes(OpBuilder &b,
                                    ReifiedRankedShapedTypeDims &shapes) {
  for (Value result : getResults())
    shapes.push_back(resultSizes(b, result, [&](int64_t d) {
      return sizeOf(b, getLoc(), getInput(), d);
    }));
  return success();
}

LogicalResult PackedQuantizedLinearOp::reifyResultShapes(
    OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t) {
    return sizeOf(b, getLoc(), getRows() ? getRows() : getInput(), 0);
  }));
  return success();
}
