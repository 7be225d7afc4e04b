//===- DsTiling.cpp - tiles of ds ops -------------------------------------===//
//
// TilingInterface of ops on elements and rows. A tile of the result is the same
// op on slices of the operands, so tiles may be fused with those of producers
// and consumers, and no element is computed in another way than in the whole
// op. The loops are the dimensions of the result, all parallel; trailing
// dimensions that a row is reduced or rotated over are no loops: a tile has
// them whole.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsTiling.h"

using namespace mlir;
using namespace mlir::ds;

Value mlir::ds::slice(OpBuilder &b, Location loc, Value source,
                      const Tile &tile) {
  Sizes strides(tile.sizes.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, loc, source, tile.offsets,
                                        tile.sizes, strides);
}

SmallVector<Range> mlir::ds::rangesOf(OpBuilder &b, SizesRef sizes) {
  SmallVector<Range> ranges;
  for (OpFoldResult size : sizes)
    ranges.push_back({b.getIndexAttr(0), size, b.getIndexAttr(1)});
  return ranges;
}

TilingResult mlir::ds::tilingResult(Operation *op, Operation *made) {
  made->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  SmallVector<Operation *> slices;
  for (Value operand : made->getOperands())
    if (auto part = operand.getDefiningOp<tensor::ExtractSliceOp>())
      slices.push_back(part);
  return {{made}, SmallVector<Value>(made->getResults()), slices};
}

static Sizes sizesOf(OpBuilder &b, Operation *op) {
  ReifiedRankedShapedTypeDims shapes;
  if (failed(cast<ReifyRankedShapedTypeOpInterface>(op).reifyResultShapes(
          b, shapes)))
    return {};
  return shapes.front();
}

/// Dimensions [from, to) of `tile`, and whole ones of `source` behind them.
static Value sliceRows(OpBuilder &b, Location loc, Value source,
                       const Tile &tile, int64_t from, int64_t to) {
  Tile rows{Sizes(SizesRef(tile.offsets).slice(from, to - from)),
            Sizes(SizesRef(tile.sizes).slice(from, to - from))};
  for (int64_t d = to - from; d < ranked(source).getRank(); ++d)
    rows.add(b.getIndexAttr(0), sizeOf(b, loc, source, d));
  return slice(b, loc, source, rows);
}

//===----------------------------------------------------------------------===//
// What differs between ops: whole trailing dimensions, slices of operands
//===----------------------------------------------------------------------===//

static int64_t wholeDims(Operation *op) {
  // Rows of one expert do not follow each other in tiles of any size.
  if (auto linear = dyn_cast<PackedLinearOp>(op); linear && linear.getTiles())
    return 2;
  return isa<RmsNormOp, RopeOp, PackedLinearOp, QuantizeGroupsOp,
             PackedQuantizedLinearOp>(op)
             ? 1
             : 0;
}

static SmallVector<Value> operandTiles(OpBuilder &b, EmbeddingOp op,
                                       const Tile &tile) {
  Location loc = op.getLoc();
  int64_t ids = ranked(op.getIds()).getRank();
  Value table = op.getTable();
  return {sliceRows(b, loc, op.getIds(), tile, 0, ids),
          slice(b, loc, table,
                {{b.getIndexAttr(0), tile.offsets.back()},
                 {sizeOf(b, loc, table, 0), tile.sizes.back()}})};
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

/// Takes the rows of `tile` from what a packed product has for each row beside
/// its input.
template <typename Product>
static void sliceEpilogue(OpBuilder &b, Product op, const Tile &tile,
                          SmallVectorImpl<Value> &operands) {
  for (MutableOperandRange range :
       {op.getResidualMutable(), op.getCosMutable(), op.getSinMutable()})
    for (OpOperand &each : range)
      operands[each.getOperandNumber()] =
          sliceRows(b, op.getLoc(), each.get(), tile, 0, 1);
}

static SmallVector<Value> operandTiles(OpBuilder &b, PackedLinearOp op,
                                       const Tile &tile) {
  SmallVector<Value> result(op->getOperands());
  result[0] = sliceRows(b, op.getLoc(), op.getInput(), tile, 0, 1);
  sliceEpilogue(b, op, tile, result);
  return result;
}

static SmallVector<Value> operandTiles(OpBuilder &b, PackedQuantizedLinearOp op,
                                       const Tile &tile) {
  SmallVector<Value> result(op->getOperands());
  // Data, scales and sums.
  for (Value &operand :
       MutableArrayRef(result).take_front(op.getInputScale() ? 3 : 1))
    operand = sliceRows(b, op.getLoc(), operand, tile, 0, 1);
  sliceEpilogue(b, op, tile, result);
  return result;
}

static SmallVector<Value> operandTiles(OpBuilder &b, SwigluOp op,
                                       const Tile &tile) {
  return {slice(b, op.getLoc(), op.getGate(), tile),
          slice(b, op.getLoc(), op.getUp(), tile)};
}

static SmallVector<Value> operandTiles(OpBuilder &b, CastOp op,
                                       const Tile &tile) {
  return {slice(b, op.getLoc(), op.getInput(), tile)};
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
    result.push_back(slice(b, op.getLoc(), operand, {offsets, sizes}));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// The same for all
//===----------------------------------------------------------------------===//

static SmallVector<IteratorType> loopKinds(Operation *op) {
  int64_t rank = ranked(op->getResult(0)).getRank() - wholeDims(op);
  return SmallVector<IteratorType>(rank, IteratorType::parallel);
}

static Sizes loopSizes(OpBuilder &b, Operation *op) {
  Sizes sizes = sizesOf(b, op);
  sizes.truncate(sizes.size() - wholeDims(op));
  return sizes;
}

static Tile resultTile(OpBuilder &b, Operation *op, unsigned,
                       const Tile &loops) {
  Tile tile = loops;
  if (wholeDims(op) == 0)
    return tile;
  Sizes all = sizesOf(b, op);
  for (size_t d = loops.sizes.size(); d < all.size(); ++d)
    tile.add(b.getIndexAttr(0), all[d]);
  return tile;
}

template <typename OpT>
static Operation *tiled(OpBuilder &b, OpT op, const Tile &loops) {
  Tile tile = resultTile(b, op, 0, loops);
  Shape shape;
  for (OpFoldResult size : tile.sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  auto type = RankedTensorType::get(shape, elementType(op.getResult()));
  return mlir::clone(b, op, type, operandTiles(b, op, tile));
}

/// The leading dimensions of the result's tile, if it has the others whole.
static FailureOr<Tile> loopsOf(OpBuilder &, Operation *op, unsigned,
                               const Tile &tile) {
  size_t loops = tile.sizes.size() - wholeDims(op);
  for (size_t d = loops; d < tile.sizes.size(); ++d) {
    int64_t whole = shapeOf(op->getResult(0))[d];
    if (getConstantIntValue(tile.offsets[d]) != 0 ||
        ShapedType::isDynamic(whole) ||
        getConstantIntValue(tile.sizes[d]) != whole)
      return failure();
  }
  return Tile{Sizes(SizesRef(tile.offsets).take_front(loops)),
              Sizes(SizesRef(tile.sizes).take_front(loops))};
}

//===----------------------------------------------------------------------===//
// ds.quantize_groups: rows; three results, each with its own last dimension
//===----------------------------------------------------------------------===//

static Tile resultTile(OpBuilder &b, QuantizeGroupsOp op, unsigned number,
                       const Tile &loops) {
  Tile tile = loops;
  tile.add(b.getIndexAttr(0), sizeOf(b, op.getLoc(), op->getResult(number), 1));
  return tile;
}

static Operation *tiled(OpBuilder &b, QuantizeGroupsOp op, const Tile &loops) {
  Value rows = sliceRows(b, op.getLoc(), op.getInput(), loops, 0, 1);
  return QuantizeGroupsOp::create(b, op.getLoc(), rows, op.getGroup(),
                                  op.getBits());
}

DS_TILES(EmbeddingOp)
DS_TILES(RmsNormOp)
DS_TILES(RopeOp)
DS_TILES(LinearOp)
DS_TILES(SwigluOp)
DS_TILES(ElementwiseOp)
DS_TILES(CastOp)
DS_TILES(PackedLinearOp)
DS_TILES(QuantizeGroupsOp)
DS_TILES(PackedQuantizedLinearOp)
