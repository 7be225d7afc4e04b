//===- TokenFlattenerViews.cpp - views of token rows ----------------------===//
//
// A view of the graph is one of the rows of tokens if it leaves batch and rows
// where they are, beside each other and in front; dimensions of size 1 before
// them go.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "passes/TokenFlattener.h"

using namespace mlir;
using namespace mlir::ds;

Value TokenFlattener::reshapeRest(Value value, ArrayRef<int64_t> rest) {
  RankedTensorType type = tensorType(value);
  SmallVector<int64_t> shape{type.getDimSize(0)};
  llvm::append_range(shape, rest);
  auto result = RankedTensorType::get(shape, type.getElementType());
  if (result == type)
    return value;
  SmallVector<Value> dims;
  if (type.isDynamicDim(0))
    dims.push_back(tokenCount(value));
  return ReshapeOp::create(builder, loc, result, value, dims);
}

Value TokenFlattener::flattenReshape(ReshapeOp op) {
  Layout to = layoutOf(op), from = layoutOf(op.getInput());
  RankedTensorType type = tensorType(op.getResult());
  if (!to.isToken() || !from.isToken() || to.past != from.past)
    return fail(op, "a reshape mixes tokens with other dimensions");
  Value input = flatten(op.getInput());
  if (!input)
    return nullptr;
  // As many elements of a token stand before the batch and the rows, which
  // stand together, on both sides: a reshape of what is before and one of what
  // is behind.
  auto before = [&](Value value, Layout layout) -> std::optional<int64_t> {
    RankedTensorType t = tensorType(value);
    int64_t first = layout.batch < 0 ? layout.row : layout.batch, count = 1;
    for (int64_t d = 0; d < t.getRank(); ++d) {
      if (layout.isLead(d))
        continue;
      bool between = d > first && d < layout.row;
      if (t.isDynamicDim(d) || (between && t.getDimSize(d) != 1))
        return std::nullopt;
      if (d < first)
        count *= t.getDimSize(d);
    }
    return first <= layout.row ? std::optional(count) : std::nullopt;
  };
  std::optional<int64_t> old = before(op.getInput(), from),
                         now = before(op, to);
  SmallVector<int64_t> rest = restOf(type, to);
  if (!old || !now || *old != *now) {
    // Elements may keep their places within a token all the same: only unit
    // dimensions moved.
    auto nonUnit = [](ArrayRef<int64_t> shape) {
      SmallVector<int64_t> result;
      for (int64_t size : shape)
        if (size != 1)
          result.push_back(size);
      return result;
    };
    if (nonUnit(tensorType(op.getInput()).getShape()) !=
        nonUnit(type.getShape()))
      return fail(op, "a reshape mixes tokens with other dimensions");
  }
  return reshapeRest(input, rest);
}

Value TokenFlattener::flattenTranspose(TransposeOp op) {
  Layout from = layoutOf(op.getInput()), to = layoutOf(op);
  if (!from.isToken() || !to.isToken())
    return fail(op, "a transpose moves something that is no token row");
  Value input = flatten(op.getInput());
  if (!input)
    return nullptr;
  // What a token has, in old and new order. Units move without moving an
  // element and may vanish before the rows, so that only the rest is permuted.
  RankedTensorType fromType = tensorType(op.getInput());
  RankedTensorType type = tensorType(op.getResult());
  SmallVector<int64_t> oldRest, oldSizes, perm{0}, newSizes;
  for (int64_t d = 0; d < fromType.getRank(); ++d)
    if (!from.isLead(d) && fromType.getDimSize(d) != 1) {
      oldRest.push_back(d);
      oldSizes.push_back(fromType.getDimSize(d));
    }
  for (auto [j, d] : llvm::enumerate(op.getPerm())) {
    int64_t size = type.getDimSize(j);
    if (!to.isLead(j) && !(int64_t(j) < to.row && size == 1))
      newSizes.push_back(size);
    if (auto *it = llvm::find(oldRest, d); it != oldRest.end())
      perm.push_back(1 + (it - oldRest.begin()));
  }
  if (isIdentityPermutation(perm))
    return reshapeRest(input, newSizes);
  input = reshapeRest(input, oldSizes);
  RankedTensorType inputType = tensorType(input);
  Value moved = TransposeOp::create(
      builder, op.getLoc(),
      RankedTensorType::get(applyPermutation(inputType.getShape(), perm),
                            inputType.getElementType()),
      input, builder.getDenseI64ArrayAttr(perm));
  return reshapeRest(moved, newSizes);
}

Value TokenFlattener::flattenConcat(ConcatOp op) {
  for (CacheTensor &cache : model.caches)
    if (cache.appended == op)
      return flatten(op.getInputs()[1]);
  Layout layout = layoutOf(op);
  if (layout.isLead(op.getAxis()))
    return fail(op, "tokens are concatenated");
  SmallVector<Value> inputs;
  for (Value input : op.getInputs()) {
    inputs.push_back(flatten(input));
    if (!inputs.back())
      return nullptr;
  }
  // Dimensions of size 1 before the rows went.
  int64_t axis = 1;
  for (int64_t d = 0; d < int64_t(op.getAxis()); ++d)
    axis += !layout.isLead(d) &&
            !(d < layout.row && tensorType(op.getResult()).getDimSize(d) == 1);
  RankedTensorType inputType = tensorType(inputs[0]);
  SmallVector<int64_t> shape(inputType.getShape());
  shape[axis] = tensorType(op.getResult()).getDimSize(op.getAxis());
  return ConcatOp::create(
      builder, loc, RankedTensorType::get(shape, inputType.getElementType()),
      uint64_t(axis), inputs);
}

Value TokenFlattener::flattenBroadcast(BroadcastOp op) {
  Layout layout = layoutOf(op);
  RankedTensorType type = tensorType(op.getResult());
  if (!layout.isToken())
    return fail(op, "a value is not made token by token");
  Value rows = operandFor(op.getInput(), layout, type.getShape());
  if (!rows)
    return nullptr;
  // Over the batch there is nothing to repeat: the rows of all sequences are
  // laid end to end.
  SmallVector<int64_t> shape{ShapedType::kDynamic};
  llvm::append_range(shape, restOf(type, layout));
  RankedTensorType rowsType = tensorType(rows);
  if (rowsType.getShape() == ArrayRef<int64_t>(shape))
    return rows;
  return BroadcastOp::create(
      builder, loc, RankedTensorType::get(shape, rowsType.getElementType()),
      rows, ValueRange{tokenCount(step.tokens)});
}

Value TokenFlattener::flattenSlice(SliceOp op) {
  Layout from = layoutOf(op.getInput());
  if (!from.isToken())
    return fail(op, "a slice of something that is no token row");
  Value input = flatten(op.getInput());
  if (!input)
    return nullptr;
  RankedTensorType type = tensorType(op.getInput());
  RankedTensorType inputType = tensorType(input);
  SmallVector<OpFoldResult> offsets{builder.getIndexAttr(0)},
      sizes{tokenCount(input)}, strides{builder.getIndexAttr(1)};
  bool whole = true;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    OpFoldResult offset = op.getMixedOffsets()[d], size = op.getMixedSizes()[d],
                 stride = op.getMixedStrides()[d];
    if (from.isLead(d)) {
      // All tokens, or the new ones; or the last one, whose logits the caller
      // asks for by row.
      Polynomial count = symbols.valueOf(size), first = symbols.valueOf(offset);
      bool all = count == symbols.sizeOf(op.getInput(), d);
      bool unmerged = d == from.row && !from.merged;
      bool fresh =
          unmerged && from.past && count == model.rows && first == model.past;
      bool last = unmerged && !from.past && count == Polynomial(1) &&
                  first == model.rows - 1;
      if (!all && !fresh && !last)
        return fail(op, "only some of the tokens are used");
      continue;
    }
    if (d < from.row && type.getDimSize(d) == 1)
      continue;
    if (!getConstantIntValue(offset) || !getConstantIntValue(size) ||
        !getConstantIntValue(stride))
      return fail(op, "a slice depends on the number of tokens");
    whole &= getConstantIntValue(offset) == 0 &&
             getConstantIntValue(size) == type.getDimSize(d);
    offsets.push_back(offset);
    sizes.push_back(size);
    strides.push_back(stride);
  }
  if (whole)
    return input;
  if (int64_t(offsets.size()) != inputType.getRank())
    return fail(op, "a slice cuts unit dimensions before the tokens");
  return SliceOp::create(builder, op.getLoc(), input, offsets, sizes, strides);
}
