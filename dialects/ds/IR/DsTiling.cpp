//===- DsTiling.cpp - tiles of ds ops -------------------------------------===//
//
// TilingInterface of ops on elements and rows. A tile of the result is the same
// op on slices of the operands, so tiles may be fused with those of producers
// and consumers, and no element is computed in another way than in the whole
// op. The loops are the dimensions of the result, all parallel; those along
// which elements are computed together (a row that is normalised, the axis of a
// softmax) are no loops: a tile has them whole.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsTiling.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::ds;

RankedTensorType mlir::ds::tileType(Value whole, SizesRef sizes) {
  Shape shape;
  for (OpFoldResult size : sizes)
    shape.push_back(isa<Value>(size) ? ShapedType::kDynamic
                                     : *getConstantIntValue(size));
  return RankedTensorType::get(shape, elementType(whole));
}

Sizes mlir::ds::sliceOffsets(OpBuilder &b, Location loc,
                             ArrayRef<int64_t> shape, SizesRef offsets) {
  Sizes result(offsets);
  for (auto [size, offset] : llvm::zip_equal(shape, result))
    if (size == 0)
      offset = asValue(b, loc, offset);
  return result;
}

Value mlir::ds::slice(OpBuilder &b, Location loc, Value source,
                      const Tile &tile) {
  Sizes strides(tile.sizes.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(
      b, loc, source, sliceOffsets(b, loc, shapeOf(source), tile.offsets),
      tile.sizes, strides);
}

Value mlir::ds::sliceBroadcast(OpBuilder &b, Location loc, Value source,
                               const Tile &tile, bool mayRepeat) {
  ArrayRef<int64_t> shape = shapeOf(source);
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  Tile result{Sizes(SizesRef(tile.offsets).take_back(shape.size())),
              Sizes(SizesRef(tile.sizes).take_back(shape.size()))};
  for (auto [d, size] : llvm::enumerate(shape)) {
    if (size == 1) {
      result.offsets[d] = zero;
      result.sizes[d] = one;
    } else if (mayRepeat && ShapedType::isDynamic(size)) {
      OpFoldResult all = sizeOf(b, loc, source, d);
      Value repeats =
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                asValue(b, loc, all), asValue(b, loc, one));
      result.offsets[d] =
          arith::SelectOp::create(b, loc, repeats, asValue(b, loc, zero),
                                  asValue(b, loc, result.offsets[d]))
              .getResult();
      result.sizes[d] = combine<arith::MinSIOp>(b, loc, result.sizes[d], all);
    }
  }
  return slice(b, loc, source, result);
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
// What differs between ops: whole dimensions, slices of operands
//===----------------------------------------------------------------------===//

/// Whether every tile has dimension `d` of the result whole.
static bool isWhole(Operation *op, int64_t d) {
  int64_t last = ranked(op->getResult(0)).getRank() - 1;
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<RmsNormOp, RopeOp, QuantizeGroupsOp>(
          [&](auto) { return d == last; })
      .Case<PackedLinearOp, PackedQuantizedLinearOp>([&](auto linear) {
        // Rows of one expert do not follow each other in tiles of any size.
        return d == last || linear.getTiles();
      })
      .Case<ConcatOp, ArgReduceOp, CumulativeOp, SoftmaxOp>(
          [&](auto along) { return d == int64_t(along.getAxis()); })
      .Case([&](DequantizeOp blocks) {
        return blocks.getBlockSize() > 0 && d == int64_t(blocks.getAxis());
      })
      .Case([&](ReduceOp reduce) {
        return reduce.getKeepdims() && llvm::is_contained(reduce.getAxes(), d);
      })
      .Default(false);
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

template <typename OpT>
static SmallVector<Value> sameTile(OpBuilder &b, OpT op, const Tile &tile) {
  return {slice(b, op.getLoc(), op.getInput(), tile)};
}
static SmallVector<Value> operandTiles(OpBuilder &b, CastOp op,
                                       const Tile &tile) {
  return sameTile(b, op, tile);
}
static SmallVector<Value> operandTiles(OpBuilder &b, BitcastOp op,
                                       const Tile &tile) {
  return sameTile(b, op, tile);
}
static SmallVector<Value> operandTiles(OpBuilder &b, CumulativeOp op,
                                       const Tile &tile) {
  return sameTile(b, op, tile);
}
static SmallVector<Value> operandTiles(OpBuilder &b, SoftmaxOp op,
                                       const Tile &tile) {
  return sameTile(b, op, tile);
}

static SmallVector<Value> operandTiles(OpBuilder &b, ElementwiseOp op,
                                       const Tile &tile) {
  SmallVector<Value> result;
  for (Value operand : op.getOperands())
    result.push_back(sliceBroadcast(b, op.getLoc(), operand, tile));
  return result;
}

static SmallVector<Value> operandTiles(OpBuilder &b, BroadcastOp op,
                                       const Tile &tile) {
  SmallVector<Value> result{sliceBroadcast(b, op.getLoc(), op.getInput(), tile,
                                           /*mayRepeat=*/true)};
  for (OpFoldResult size : tile.sizes)
    if (auto value = dyn_cast<Value>(size))
      result.push_back(value);
  return result;
}

static SmallVector<Value> operandTiles(OpBuilder &b, TransposeOp op,
                                       const Tile &tile) {
  Tile source = tile;
  for (auto [to, from] : llvm::enumerate(op.getPerm())) {
    source.offsets[from] = tile.offsets[to];
    source.sizes[from] = tile.sizes[to];
  }
  return {slice(b, op.getLoc(), op.getInput(), source)};
}

/// `tile` of `source`, but dimension `dim` whole.
static Value sliceWhole(OpBuilder &b, Location loc, Value source, Tile tile,
                        int64_t dim) {
  tile.offsets[dim] = b.getIndexAttr(0);
  tile.sizes[dim] = sizeOf(b, loc, source, dim);
  return slice(b, loc, source, tile);
}

static SmallVector<Value> operandTiles(OpBuilder &b, ConcatOp op,
                                       const Tile &tile) {
  SmallVector<Value> result;
  for (Value input : op.getInputs())
    result.push_back(sliceWhole(b, op.getLoc(), input, tile, op.getAxis()));
  return result;
}

static SmallVector<Value> operandTiles(OpBuilder &b, ArgReduceOp op,
                                       const Tile &tile) {
  return {sliceWhole(b, op.getLoc(), op.getInput(), tile, op.getAxis())};
}

static SmallVector<Value> operandTiles(OpBuilder &b, ReduceOp op,
                                       const Tile &tile) {
  Location loc = op.getLoc();
  Value input = op.getInput();
  Tile source;
  int64_t next = 0;
  for (int64_t d = 0; d < ranked(input).getRank(); ++d) {
    bool reduced = llvm::is_contained(op.getAxes(), d);
    if (reduced)
      source.add(b.getIndexAttr(0), sizeOf(b, loc, input, d));
    else
      source.add(tile.offsets[next], tile.sizes[next]);
    next += !reduced || op.getKeepdims();
  }
  return {slice(b, loc, input, source)};
}

static SmallVector<Value> operandTiles(OpBuilder &b, DequantizeOp op,
                                       const Tile &tile) {
  Location loc = op.getLoc();
  int64_t axis = op.getAxis();
  SmallVector<Value> result{slice(b, loc, op.getInput(), tile)};
  for (Value factor : {op.getScale(), op.getZeroPoint()}) {
    if (!factor)
      continue;
    if (op.getBlockSize() > 0)
      factor = sliceWhole(b, loc, factor, tile, axis);
    else if (ranked(factor).getRank() == 1)
      factor =
          slice(b, loc, factor, {{tile.offsets[axis]}, {tile.sizes[axis]}});
    result.push_back(factor);
  }
  return result;
}

static SmallVector<Value> operandTiles(OpBuilder &b, MatmulOp op,
                                       const Tile &tile) {
  Location loc = op.getLoc();
  Value lhs = op.getLhs(), rhs = op.getRhs();
  Tile left = tile, right = tile;
  // K, which is whole.
  left.offsets.back() = right.offsets.end()[-2] = b.getIndexAttr(0);
  left.sizes.back() = sizeOf(b, loc, lhs, ranked(lhs).getRank() - 1);
  right.sizes.end()[-2] = sizeOf(b, loc, rhs, ranked(rhs).getRank() - 2);
  return {sliceBroadcast(b, loc, lhs, left),
          sliceBroadcast(b, loc, rhs, right)};
}

//===----------------------------------------------------------------------===//
// The same for all
//===----------------------------------------------------------------------===//

/// The dimensions of the result that are loops.
static SmallVector<int64_t> loopDims(Operation *op) {
  SmallVector<int64_t> dims;
  for (int64_t d = 0; d < ranked(op->getResult(0)).getRank(); ++d)
    if (!isWhole(op, d))
      dims.push_back(d);
  return dims;
}

static SmallVector<IteratorType> loopKinds(Operation *op) {
  return SmallVector<IteratorType>(loopDims(op).size(), IteratorType::parallel);
}

static Sizes loopSizes(OpBuilder &b, Operation *op) {
  Sizes sizes = sizesOf(b, op), result;
  for (int64_t d : loopDims(op))
    result.push_back(sizes[d]);
  return result;
}

static Tile resultTile(OpBuilder &b, Operation *op, unsigned,
                       const Tile &loops) {
  Tile tile;
  tile.sizes = sizesOf(b, op);
  tile.offsets.assign(tile.sizes.size(), b.getIndexAttr(0));
  for (auto [loop, d] : llvm::enumerate(loopDims(op))) {
    // A static 1 is a tile of its own, whatever a loop over it calls its size:
    // operands that repeat there have nothing else.
    if (shapeOf(op->getResult(0))[d] == 1)
      continue;
    tile.offsets[d] = loops.offsets[loop];
    tile.sizes[d] = loops.sizes[loop];
  }
  return tile;
}

template <typename OpT>
static Operation *tiled(OpBuilder &b, OpT op, const Tile &loops) {
  Tile tile = resultTile(b, op, 0, loops);
  return mlir::clone(b, op, tileType(op.getResult(), tile.sizes),
                     operandTiles(b, op, tile));
}

/// The loops that make a tile of the result, if it has the others whole.
static FailureOr<Tile> loopsOf(OpBuilder &, Operation *op, unsigned,
                               const Tile &tile) {
  Tile loops;
  for (auto [d, whole] : llvm::enumerate(shapeOf(op->getResult(0)))) {
    if (!isWhole(op, d))
      loops.add(tile.offsets[d], tile.sizes[d]);
    else if (getConstantIntValue(tile.offsets[d]) != 0 ||
             ShapedType::isDynamic(whole) ||
             getConstantIntValue(tile.sizes[d]) != whole)
      return failure();
  }
  return loops;
}

//===----------------------------------------------------------------------===//
// ds.slice: a slice of the whole, further in
//===----------------------------------------------------------------------===//

static Operation *tiled(OpBuilder &b, SliceOp op, const Tile &loops) {
  Location loc = op.getLoc();
  Tile tile = resultTile(b, op, 0, loops);
  Sizes offsets = op.getMixedOffsets(), strides = op.getMixedStrides();
  for (auto [offset, stride, at] :
       llvm::zip_equal(offsets, strides, tile.offsets))
    offset = plus(b, loc, offset, times(b, loc, at, stride));
  return SliceOp::create(b, loc, op.getInput(), offsets, tile.sizes, strides);
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
DS_TILES(BitcastOp)
DS_TILES(BroadcastOp)
DS_TILES(TransposeOp)
DS_TILES(SliceOp)
DS_TILES(ConcatOp)
DS_TILES(ReduceOp)
DS_TILES(ArgReduceOp)
DS_TILES(CumulativeOp)
DS_TILES(DequantizeOp)
DS_TILES(MatmulOp)
DS_TILES(SoftmaxOp)
DS_TILES(PackedLinearOp)
DS_TILES(QuantizeGroupsOp)
DS_TILES(PackedQuantizedLinearOp)
