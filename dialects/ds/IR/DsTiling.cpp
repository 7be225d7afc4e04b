//===- DsTiling.cpp - tiles of ds ops -------------------------------------===//
//
// TilingInterface. A tile of the result is the same op on slices of the
// operands, so tiles may be fused with those of producers and consumers, and
// no element is computed in another way than in the whole op. The loops are
// the dimensions of the result, all parallel; trailing dimensions that a row is
// reduced or rotated over are no loops: a tile has them whole.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsVerify.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::ds;

using Sizes = SmallVector<OpFoldResult>;
using SizesRef = ArrayRef<OpFoldResult>;
using utils::IteratorType;

namespace {
/// A tile of a result of full rank.
struct Tile {
  Sizes offsets, sizes;
};
} // namespace

static Sizes sizesOf(OpBuilder &b, Operation *op) {
  ReifiedRankedShapedTypeDims shapes;
  if (failed(cast<ReifyRankedShapedTypeOpInterface>(op).reifyResultShapes(
          b, shapes)))
    return {};
  return shapes.front();
}

static Value slice(OpBuilder &b, Location loc, Value source, SizesRef offsets,
                   SizesRef sizes) {
  Sizes strides(sizes.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, loc, source, offsets, sizes,
                                        strides);
}

/// Dimensions [from, to) of `tile`, and whole ones of `source` behind them.
static Value sliceRows(OpBuilder &b, Location loc, Value source,
                       const Tile &tile, int64_t from, int64_t to) {
  Sizes offsets(SizesRef(tile.offsets).slice(from, to - from)),
      sizes(SizesRef(tile.sizes).slice(from, to - from));
  for (int64_t d = to - from; d < ranked(source).getRank(); ++d) {
    offsets.push_back(b.getIndexAttr(0));
    sizes.push_back(sizeOf(b, loc, source, d));
  }
  return slice(b, loc, source, offsets, sizes);
}

//===----------------------------------------------------------------------===//
// What differs between ops: whole trailing dimensions, slices of operands
//===----------------------------------------------------------------------===//

static int64_t wholeDims(Operation *op) {
  return isa<RmsNormOp, RopeOp>(op) ? 1 : 0;
}

static SmallVector<Value> operandTiles(OpBuilder &b, EmbeddingOp op,
                                       const Tile &tile) {
  Location loc = op.getLoc();
  int64_t ids = ranked(op.getIds()).getRank();
  Value table = op.getTable();
  return {sliceRows(b, loc, op.getIds(), tile, 0, ids),
          slice(b, loc, table, {b.getIndexAttr(0), tile.offsets.back()},
                {sizeOf(b, loc, table, 0), tile.sizes.back()})};
}

static SmallVector<Value> operandTiles(OpBuilder &b, RmsNormOp op,
                                       const Tile &tile) {
  int64_t rank = tile.sizes.size();
  return {sliceRows(b, op.getLoc(), op.getInput(), tile, 0, rank - 1),
          op.getWeight()};
}

static SmallVector<Value> operandTiles(OpBuilder &b, RopeOp op,
                                       const Tile &tile) {
  Location loc = op.getLoc();
  int64_t rank = tile.sizes.size();
  // Tables have no dimension of heads.
  return {sliceRows(b, loc, op.getInput(), tile, 0, rank - 1),
          sliceRows(b, loc, op.getCos(), tile, 0, rank - 2),
          sliceRows(b, loc, op.getSin(), tile, 0, rank - 2)};
}

static SmallVector<Value> operandTiles(OpBuilder &b, LinearOp op,
                                       const Tile &tile) {
  Location loc = op.getLoc();
  int64_t last = tile.sizes.size() - 1;
  SmallVector<Value> result{
      sliceRows(b, loc, op.getInput(), tile, 0, last),
      sliceRows(b, loc, op.getWeight(), tile, last, last + 1)};
  if (Value bias = op.getBias())
    result.push_back(sliceRows(b, loc, bias, tile, last, last + 1));
  return result;
}

static SmallVector<Value> operandTiles(OpBuilder &b, SwigluOp op,
                                       const Tile &tile) {
  return {slice(b, op.getLoc(), op.getGate(), tile.offsets, tile.sizes),
          slice(b, op.getLoc(), op.getUp(), tile.offsets, tile.sizes)};
}

static SmallVector<Value> operandTiles(OpBuilder &b, ElementwiseOp op,
                                       const Tile &tile) {
  SmallVector<Value> result;
  for (Value operand : op.getOperands()) {
    ArrayRef<int64_t> shape = shapeOf(operand);
    Sizes offsets(SizesRef(tile.offsets).take_back(shape.size())),
        sizes(SizesRef(tile.sizes).take_back(shape.size()));
    // A static 1 repeats, whatever the tile.
    for (auto [d, size] : llvm::enumerate(shape))
      if (size == 1) {
        offsets[d] = b.getIndexAttr(0);
        sizes[d] = b.getIndexAttr(1);
      }
    result.push_back(slice(b, op.getLoc(), operand, offsets, sizes));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// The interface, the same for all
//===----------------------------------------------------------------------===//

static SmallVector<IteratorType> iterators(Operation *op) {
  int64_t rank = ranked(op->getResult(0)).getRank() - wholeDims(op);
  return SmallVector<IteratorType>(rank, IteratorType::parallel);
}

static SmallVector<Range> domain(OpBuilder &b, Operation *op) {
  Sizes sizes = sizesOf(b, op);
  sizes.truncate(sizes.size() - wholeDims(op));
  SmallVector<Range> ranges;
  for (OpFoldResult size : sizes)
    ranges.push_back({b.getIndexAttr(0), size, b.getIndexAttr(1)});
  return ranges;
}

/// The tile of the result at a tile of the loops.
static Tile completed(OpBuilder &b, Operation *op, SizesRef offsets,
                      SizesRef sizes) {
  Tile tile{Sizes(offsets), Sizes(sizes)};
  if (wholeDims(op) == 0)
    return tile;
  Sizes all = sizesOf(b, op);
  for (size_t d = sizes.size(); d < all.size(); ++d) {
    tile.offsets.push_back(b.getIndexAttr(0));
    tile.sizes.push_back(all[d]);
  }
  return tile;
}

template <typename OpT>
static FailureOr<TilingResult> tiled(OpBuilder &b, OpT op, SizesRef offsets,
                                     SizesRef sizes) {
  Tile tile = completed(b, op, offsets, sizes);
  SmallVector<Value> operands = operandTiles(b, op, tile);
  Shape shape;
  for (OpFoldResult size : tile.sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  auto type = RankedTensorType::get(shape, elementType(op.getResult()));
  Operation *clone = mlir::clone(b, op, type, operands);
  SmallVector<Operation *> slices;
  for (Value operand : operands)
    if (auto made = operand.getDefiningOp<tensor::ExtractSliceOp>())
      slices.push_back(made);
  return TilingResult{{clone}, SmallVector<Value>(clone->getResults()), slices};
}

/// The loops that give a tile of the result: its leading dimensions, if it has
/// the others whole.
static LogicalResult loopsOf(OpBuilder &b, Operation *op, SizesRef offsets,
                             SizesRef sizes, SmallVectorImpl<OpFoldResult> &at,
                             SmallVectorImpl<OpFoldResult> &extent) {
  size_t loops = sizes.size() - wholeDims(op);
  for (size_t d = loops; d < sizes.size(); ++d) {
    int64_t whole = ranked(op->getResult(0)).getDimSize(d);
    if (getConstantIntValue(offsets[d]) != 0 || ShapedType::isDynamic(whole) ||
        getConstantIntValue(sizes[d]) != whole)
      return failure();
  }
  at.assign(offsets.begin(), offsets.begin() + loops);
  extent.assign(sizes.begin(), sizes.begin() + loops);
  return success();
}

#define DS_TILES(OP)                                                           \
  SmallVector<IteratorType> OP::getLoopIteratorTypes() {                       \
    return iterators(*this);                                                   \
  }                                                                            \
  SmallVector<Range> OP::getIterationDomain(OpBuilder &b) {                    \
    return domain(b, *this);                                                   \
  }                                                                            \
  FailureOr<TilingResult> OP::getTiledImplementation(                          \
      OpBuilder &b, SizesRef offsets, SizesRef sizes) {                        \
    return tiled(b, *this, offsets, sizes);                                    \
  }                                                                            \
  LogicalResult OP::getResultTilePosition(                                     \
      OpBuilder &b, unsigned, SizesRef offsets, SizesRef sizes,                \
      Sizes &resultOffsets, Sizes &resultSizes) {                              \
    Tile tile = completed(b, *this, offsets, sizes);                           \
    resultOffsets = tile.offsets;                                              \
    resultSizes = tile.sizes;                                                  \
    return success();                                                          \
  }                                                                            \
  LogicalResult OP::getIterationDomainTileFromResultTile(                      \
      OpBuilder &b, unsigned, SizesRef offsets, SizesRef sizes,                \
      SmallVectorImpl<OpFoldResult> &at,                                       \
      SmallVectorImpl<OpFoldResult> &extent) {                                 \
    return loopsOf(b, *this, offsets, sizes, at, extent);                      \
  }                                                                            \
  FailureOr<TilingResult> OP::generateResultTileValue(                         \
      OpBuilder &b, unsigned, SizesRef offsets, SizesRef sizes) {              \
    Sizes at, extent;                                                          \
    if (failed(loopsOf(b, *this, offsets, sizes, at, extent)))                 \
      return failure();                                                        \
    return tiled(b, *this, at, extent);                                        \
  }

DS_TILES(EmbeddingOp)
DS_TILES(RmsNormOp)
DS_TILES(RopeOp)
DS_TILES(LinearOp)
DS_TILES(SwigluOp)
DS_TILES(ElementwiseOp)
