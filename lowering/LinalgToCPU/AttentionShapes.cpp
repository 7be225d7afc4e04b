//===- AttentionShapes.cpp - what attention ops say of themselves ---------===//
//
// See AttentionShapes.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/AttentionShapes.h"

using namespace mlir;
using namespace mlir::ds;

static RankedTensorType typeOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

bool mlir::ds::isComputed(Type element) {
  return isa<Float32Type, Float16Type, BFloat16Type>(element);
}

/// Rows of a call (AttentionShape::maxTokens) that pay for laying keys out
/// anew; a group of more heads is computed in parts.
static constexpr int64_t manyHeads = 32, enoughHeads = 8;

/// Heads of a group of `heads` that are computed together.
static int64_t headsTogether(int64_t heads) {
  if (heads <= manyHeads)
    return heads;
  for (int64_t part = manyHeads; part >= enoughHeads; --part)
    if (heads % part == 0)
      return part;
  return heads;
}

std::optional<AttentionShape>
mlir::ds::shapeOf(Value query, ValueRange keys, Value value, Value result,
                  int64_t lanes, const APFloat &scale, bool causal) {
  RankedTensorType q = typeOf(query), v = typeOf(value);
  int64_t heads = q.getDimSize(q.getRank() - 2), kvHeads = v.getDimSize(1);
  AttentionShape shape{lanes,
                       /*group=*/0,     q.getDimSize(q.getRank() - 1),
                       v.getDimSize(3), scale.convertToDouble(),
                       causal};
  SmallVector<Value> tensors{query, value, result};
  llvm::append_range(tensors, keys);
  for (Value tensor : tensors)
    if (!isComputed(typeOf(tensor).getElementType()))
      return std::nullopt;
  SmallVector<int64_t> sizes{heads, kvHeads, shape.width, shape.valueWidth};
  int64_t width = 0;
  for (Value key : keys) {
    sizes.push_back(typeOf(key).getDimSize(3));
    width += sizes.back();
  }
  for (int64_t size : sizes)
    if (ShapedType::isDynamic(size) || size == 0)
      return std::nullopt;
  if (width != shape.width || heads % kvHeads != 0)
    return std::nullopt;
  shape.group = headsTogether(heads / kvHeads);
  return shape;
}

static bool areBf16(ArrayRef<Value> tensors) {
  return llvm::all_of(tensors, [](Value tensor) {
    return typeOf(tensor).getElementType().isBF16();
  });
}

/// Whether a row of `width` divides into vectors that vdpbf16ps has.
static bool fitsDots(int64_t width, int64_t lanes) {
  int64_t rest = width % lanes;
  return rest == 0 || rest == 4 || rest == 8;
}

bool mlir::ds::fitPairs(const AttentionShape &shape, Value query,
                        ValueRange keys, Value value) {
  return areBf16({query, value}) && areBf16(SmallVector<Value>(keys)) &&
         llvm::all_of(
             keys,
             [](Value key) { return typeOf(key).getDimSize(3) % 2 == 0; }) &&
         fitsDots(shape.valueWidth, shape.lanes);
}

bool mlir::ds::fitPairs(const AttentionShape &shape, MlaOp op) {
  RankedTensorType keys = typeOf(op.getKeyWeight());
  return areBf16({op.getQuery(), op.getLatent(), op.getRope(),
                  op.getKeyWeight(), op.getValueWeight()}) &&
         keys.getDimSize(1) % 2 == 0 && keys.getDimSize(2) % 2 == 0 &&
         typeOf(op.getRope()).getDimSize(3) % 2 == 0 &&
         fitsDots(keys.getDimSize(1), shape.lanes) &&
         fitsDots(shape.valueWidth, shape.lanes);
}

std::optional<AttentionShape> mlir::ds::expandedShape(MlaOp op, int64_t lanes) {
  for (Value tensor : {op.getQuery(), op.getLatent(), op.getRope(),
                       op.getKeyWeight(), op.getValueWeight(), op.getResult()})
    if (!isComputed(typeOf(tensor).getElementType()))
      return std::nullopt;
  RankedTensorType keys = typeOf(op.getKeyWeight()),
                   values = typeOf(op.getValueWeight()),
                   rope = typeOf(op.getRope()), query = typeOf(op.getQuery());
  if (!keys.hasStaticShape() || !values.hasStaticShape() ||
      rope.isDynamicDim(3) || typeOf(op.getLatent()).isDynamicDim(3) ||
      query.isDynamicDim(1) || keys.getNumElements() == 0 ||
      values.getNumElements() == 0)
    return std::nullopt;
  return AttentionShape{lanes,
                        /*group=*/1,
                        keys.getDimSize(1) + rope.getDimSize(3),
                        values.getDimSize(1),
                        op.getScale().convertToDouble(),
                        /*causal=*/true};
}
