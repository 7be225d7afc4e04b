//===- PackedOperands.cpp - rows of packed weights ------------------------===//
#include "passes/PackedOperands.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

/// Packed operands with something for each output.
static SmallVector<OpOperand *> packedOperands(Operation *op) {
  if (auto linear = dyn_cast_or_null<PackedLinearOp>(op))
    return {&linear.getWeightMutable()};
  auto linear = dyn_cast_or_null<PackedQuantizedLinearOp>(op);
  if (!linear)
    return {};
  SmallVector<OpOperand *> result{&linear.getWeightMutable(),
                                  &linear.getWeightScaleMutable()};
  for (OpOperand &zero : linear.getZeroPointsMutable())
    result.push_back(&zero);
  return result;
}

bool mlir::ds::hasOwnPackedWeights(Operation *op) {
  SmallVector<OpOperand *> operands = packedOperands(op);
  return !operands.empty() && llvm::all_of(operands, [](OpOperand *operand) {
    auto pack = operand->get().getDefiningOp<PackOp>();
    return pack && pack->hasOneUse();
  });
}

bool mlir::ds::hasEpilogue(Operation *product) {
  auto has = [](auto op) {
    return op && (op.getSwiglu() || op.getResidual() || op.getCos());
  };
  return has(dyn_cast<PackedLinearOp>(product)) ||
         has(dyn_cast<PackedQuantizedLinearOp>(product));
}

bool mlir::ds::isGrouped(Operation *product) {
  auto isGrouped = [](auto linear) { return linear && linear.getTiles(); };
  return isGrouped(dyn_cast<PackedLinearOp>(product)) ||
         isGrouped(dyn_cast<PackedQuantizedLinearOp>(product));
}

int64_t mlir::ds::outputDim(RankedTensorType type) {
  return type.getRank() == 3 ? 1 : 0;
}

void mlir::ds::reorderOutputs(Operation *product, RowOrder order) {
  OpBuilder b(product);
  Location loc = product->getLoc();
  for (OpOperand *operand : packedOperands(product)) {
    auto pack = operand->get().getDefiningOp<PackOp>();
    Value rows = order(b, loc, pack.getWeight());
    int64_t interleaving = PackOp::interleaving(tensorType(pack));
    operand->set(PackOp::create(
        b, loc, PackOp::packedType(tensorType(rows), interleaving), rows));
    pack.erase();
  }
  auto reorderBias = [&](auto op) {
    if (op && op.getBias())
      op.getBiasMutable().assign(order(b, loc, op.getBias()));
  };
  reorderBias(dyn_cast<PackedLinearOp>(product));
  reorderBias(dyn_cast<PackedQuantizedLinearOp>(product));
}

std::optional<Columns> mlir::ds::columnsOf(SymbolicElements &symbols,
                                           SliceOp slice) {
  Value input = slice.getInput();
  int64_t last = tensorType(input).getRank() - 1;
  std::optional<SliceRange> range = matchSliceAlong(slice, last);
  if (!range || range->stride != 1)
    return std::nullopt;
  for (int64_t d = 0; d < last; ++d)
    if (!isConstantIntValue(slice.getMixedOffsets()[d], 0) ||
        !isConstantIntValue(slice.getMixedStrides()[d], 1) ||
        !(symbols.sizeOf(slice.getResult(), d) == symbols.sizeOf(input, d)))
      return std::nullopt;
  return Columns{range->offset, range->size};
}

Value mlir::ds::sliceOfRows(OpBuilder &b, Location loc, Value value,
                            int64_t first, int64_t count) {
  RankedTensorType type = tensorType(value);
  int64_t dim = outputDim(type);
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)), sizes,
      strides(type.getRank(), b.getIndexAttr(1));
  for (int64_t size : type.getShape())
    sizes.push_back(b.getIndexAttr(size));
  offsets[dim] = b.getIndexAttr(first);
  sizes[dim] = b.getIndexAttr(count);
  return SliceOp::create(b, loc, value, offsets, sizes, strides);
}

Value mlir::ds::membersInPanels(OpBuilder &b, Location loc, Value value,
                                int64_t groups, bool inPairs) {
  constexpr int64_t block = PackOp::panelRows / 2;
  RankedTensorType type = tensorType(value);
  auto shaped = [&](ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, type.getElementType());
  };
  if (outputDim(type) == 1) {
    // Experts are groups that lie one behind the other.
    int64_t experts = type.getDimSize(0);
    Value flat = ReshapeOp::create(
        b, loc, shaped({experts * type.getDimSize(1), type.getDimSize(2)}),
        value, ValueRange());
    flat = membersInPanels(b, loc, flat, experts * groups, inPairs);
    return ReshapeOp::create(b, loc, type, flat, ValueRange());
  }
  int64_t blocks = type.getDimSize(0) / (groups * PackOp::panelRows);
  SmallVector<int64_t> given{groups, 2, blocks, block}, order{0, 2, 1, 3};
  if (inPairs) {
    given = {groups, blocks, block, 2};
    order = {0, 1, 3, 2};
  }
  SmallVector<int64_t> wanted = applyPermutation(given, order);
  for (int64_t size : type.getShape().drop_front()) {
    order.push_back(int64_t(given.size()));
    given.push_back(size);
    wanted.push_back(size);
  }
  value = ReshapeOp::create(b, loc, shaped(given), value, ValueRange());
  value = TransposeOp::create(b, loc, shaped(wanted), value, order);
  return ReshapeOp::create(b, loc, type, value, ValueRange());
}
