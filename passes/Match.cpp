//===- Match.cpp - questions that raising asks of ds IR -------------------===//
//
// See Match.h.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

ElementwiseOp mlir::ds::matchElementwise(Value value, ElementwiseKind kind) {
  auto op = value.getDefiningOp<ElementwiseOp>();
  return op && op.getKind() == kind ? op : nullptr;
}

std::optional<double> mlir::ds::matchSplat(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<ReshapeOp, BroadcastOp, TransposeOp, CastOp>(op)) {
      value = op->getOperand(0);
      continue;
    }
    DenseElementsAttr elements;
    if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
      return std::nullopt;
    Type type = elements.getElementType();
    if (isa<FloatType>(type))
      return elements.getSplatValue<APFloat>().convertToDouble();
    if (auto integer = dyn_cast<IntegerType>(type)) {
      APInt bits = elements.getSplatValue<APInt>();
      bool isUnsigned = integer.isUnsigned() || integer.getWidth() == 1;
      return isUnsigned ? double(bits.getZExtValue())
                        : double(bits.getSExtValue());
    }
    return std::nullopt;
  }
  return std::nullopt;
}

Value mlir::ds::peelFloatCasts(Value value) {
  while (auto op = value.getDefiningOp<CastOp>()) {
    if (!isa<FloatType>(tensorType(op.getInput()).getElementType()) ||
        !isa<FloatType>(tensorType(op).getElementType()))
      break;
    value = op.getInput();
  }
  return value;
}

DequantizeOp mlir::ds::matchDequantizedWeight(Value weight, bool *transposed) {
  bool turned = false;
  while (true) {
    weight = peelFloatCasts(weight);
    if (auto transpose = weight.getDefiningOp<TransposeOp>();
        transpose && tensorType(weight).getRank() == 2) {
      turned ^= transpose.getPerm()[0] == 1;
      weight = transpose.getInput();
      continue;
    }
    auto slice = weight.getDefiningOp<SliceOp>();
    if (!slice)
      break;
    for (int64_t d = 0; d < tensorType(weight).getRank(); ++d) {
      std::optional<SliceRange> range = matchSliceAlong(slice, d);
      if (!range || range->offset != 0 || range->stride != 1)
        return nullptr;
    }
    weight = slice.getInput();
  }
  if (transposed)
    *transposed = turned;
  return weight.getDefiningOp<DequantizeOp>();
}

bool mlir::ds::isRouter(LinearOp op) {
  return llvm::any_of(op->getUsers(), llvm::IsaPred<RouteOp>);
}

bool mlir::ds::isParameterValue(Value value) {
  // Chains above parameters are short (cast, transpose, dequantise) or joins of
  // parts of each head; anything longer is no weight.
  constexpr unsigned limit = 1024;
  SmallVector<Value> pending{value};
  for (unsigned visited = 0; !pending.empty(); ++visited) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (!op || visited > limit)
      return false;
    if (isa<LoadParameterOp>(op) || op->hasTrait<OpTrait::ConstantLike>())
      continue;
    if (op->getDialect() != op->getContext()->getLoadedDialect<DsDialect>() ||
        op->getNumOperands() == 0)
      return false;
    llvm::append_range(pending, op->getOperands());
  }
  return true;
}

Value mlir::ds::matchVector(Value value) {
  RankedTensorType type = tensorType(value);
  if (type.getRank() == 0)
    return nullptr;
  for (int64_t size : type.getShape().drop_back())
    if (size != 1)
      return nullptr;
  while (type.getRank() != 1) {
    auto reshape = value.getDefiningOp<ReshapeOp>();
    if (!reshape)
      return nullptr;
    value = reshape.getInput();
    RankedTensorType source = tensorType(value);
    if (source.getRank() == 0 ||
        source.getShape().back() != type.getShape().back())
      return nullptr;
    type = source;
  }
  return value;
}

std::optional<SliceRange> mlir::ds::matchSliceAlong(SliceOp op, int64_t dim) {
  int64_t offset = op.getStaticOffsets()[dim], size = op.getStaticSizes()[dim],
          stride = op.getStaticStrides()[dim];
  if (ShapedType::isDynamic(offset) || ShapedType::isDynamic(size) ||
      ShapedType::isDynamic(stride))
    return std::nullopt;
  return SliceRange{offset, size, stride};
}
