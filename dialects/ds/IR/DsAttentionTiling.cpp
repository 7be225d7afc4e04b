//===- DsAttentionTiling.cpp - tiles of attention and caches --------------===//
//
// TilingInterface of the ops that look at other tokens. Heads are cut by those
// of key and value, so that a tile holds all query heads that share one; rows
// of dense attention, and tokens of flattened sequences, become the last ones
// of a shorter whole, so a tile is the same op. Only ds.online_attention has
// keys for a loop, a reduction: tiles of it carry their destinations on.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsTiling.h"

using namespace mlir;
using namespace mlir::ds;
using EK = ElementwiseKind;

/// Query heads, dimension `dim` of `query`, for each head of `key`.
static OpFoldResult groupOf(OpBuilder &b, Location loc, Value query,
                            int64_t dim, Value key) {
  return quotient(b, loc, sizeOf(b, loc, query, dim), sizeOf(b, loc, key, 1));
}

/// Whether [offset, offset + size) is all of dimension `dim`, as far as one can
/// see.
static bool isWhole(Value source, int64_t dim, OpFoldResult offset,
                    OpFoldResult size) {
  if (getConstantIntValue(offset) != 0)
    return false;
  if (std::optional<int64_t> number = getConstantIntValue(size))
    return *number == shapeOf(source)[dim];
  auto whole = cast<Value>(size).getDefiningOp<tensor::DimOp>();
  return whole && whole.getSource() == source &&
         whole.getConstantIndex() == dim;
}

static void addWhole(OpBuilder &b, Location loc, Value source, int64_t dim,
                     Tile &tile) {
  tile.add(b.getIndexAttr(0), sizeOf(b, loc, source, dim));
}

/// The kv heads whose query heads are [offset, offset + size) of dimension
/// `dim`, added to `loops`.
static LogicalResult addKvHeads(OpBuilder &b, Location loc, Value query,
                                int64_t dim, Value key, OpFoldResult offset,
                                OpFoldResult size, Tile &loops) {
  if (isWhole(query, dim, offset, size)) {
    addWhole(b, loc, key, 1, loops);
    return success();
  }
  int64_t heads = shapeOf(query)[dim], kvHeads = shapeOf(key)[1];
  if (ShapedType::isDynamic(heads) || ShapedType::isDynamic(kvHeads))
    return failure();
  int64_t group = heads / kvHeads;
  if (group == 1) {
    loops.add(offset, size);
    return success();
  }
  std::optional<int64_t> at = getConstantIntValue(offset),
                         count = getConstantIntValue(size);
  if (!at || !count || *at % group != 0 || *count % group != 0)
    return failure();
  loops.add(b.getIndexAttr(*at / group), b.getIndexAttr(*count / group));
  return success();
}

//===----------------------------------------------------------------------===//
// Dense and online attention: batch, rows, kv heads, and keys of the latter
//===----------------------------------------------------------------------===//

/// The loops' tile in [B, S, H].
template <typename OpT>
static Tile rowsTile(OpBuilder &b, OpT op, const Tile &loops) {
  Location loc = op.getLoc();
  OpFoldResult group = groupOf(b, loc, op.getQuery(), 2, op.getKey());
  Tile tile;
  tile.add(loops.offsets[0], loops.sizes[0]);
  tile.add(loops.offsets[1], loops.sizes[1]);
  tile.add(times(b, loc, loops.offsets[2], group),
           times(b, loc, loops.sizes[2], group));
  return tile;
}

/// `tile` with one more dimension, the last of `source`, whole.
static Tile withWidth(OpBuilder &b, Location loc, Tile tile, Value source) {
  addWhole(b, loc, source, ranked(source).getRank() - 1, tile);
  return tile;
}

/// Keys [at, at + count) of key or value.
static Value keysTile(OpBuilder &b, Location loc, Value source,
                      const Tile &loops, OpFoldResult at, OpFoldResult count) {
  Tile tile;
  tile.add(loops.offsets[0], loops.sizes[0]);
  tile.add(loops.offsets[2], loops.sizes[2]);
  tile.add(at, count);
  return slice(b, loc, source, withWidth(b, loc, tile, source));
}

/// The same of the second part of keys, which one head may have for all.
static Value tailTile(OpBuilder &b, Location loc, Value tail, Tile loops,
                      OpFoldResult at, OpFoldResult count) {
  if (!tail)
    return tail;
  if (shapeOf(tail)[1] == 1) {
    loops.offsets[2] = b.getIndexAttr(0);
    loops.sizes[2] = b.getIndexAttr(1);
  }
  return keysTile(b, loc, tail, loops, at, count);
}

/// What of the mask, if there is one, broadcasts to a tile of [B, H, S, T].
static Value maskTile(OpBuilder &b, Location loc, Value mask,
                      const Tile &scores) {
  return mask ? sliceBroadcast(b, loc, mask, scores, /*mayRepeat=*/true) : mask;
}

/// The tile of [B, H, S, T].
static Tile scoresTile(const Tile &rows, OpFoldResult at, OpFoldResult count) {
  Tile tile;
  for (int64_t d : {0, 2, 1})
    tile.add(rows.offsets[d], rows.sizes[d]);
  tile.add(at, count);
  return tile;
}

static SmallVector<IteratorType> loopKinds(AttentionOp) {
  return SmallVector<IteratorType>(3, IteratorType::parallel);
}
static SmallVector<IteratorType> loopKinds(OnlineAttentionOp) {
  SmallVector<IteratorType> kinds(3, IteratorType::parallel);
  kinds.push_back(IteratorType::reduction);
  return kinds;
}

static Sizes loopSizes(OpBuilder &b, AttentionOp op) {
  Location loc = op.getLoc();
  return {sizeOf(b, loc, op.getQuery(), 0), sizeOf(b, loc, op.getQuery(), 1),
          sizeOf(b, loc, op.getKey(), 1)};
}
static Sizes loopSizes(OpBuilder &b, OnlineAttentionOp op) {
  Location loc = op.getLoc();
  return {sizeOf(b, loc, op.getQuery(), 0), sizeOf(b, loc, op.getQuery(), 1),
          sizeOf(b, loc, op.getKey(), 1), sizeOf(b, loc, op.getKey(), 2)};
}

static Operation *tiled(OpBuilder &b, AttentionOp op, const Tile &loops) {
  Location loc = op.getLoc();
  Value query = op.getQuery();
  OpFoldResult first = loops.offsets[1], count = loops.sizes[1],
               keys = sizeOf(b, loc, op.getKey(), 2), zero = b.getIndexAttr(0);
  if (op.getCausal() && !isWhole(query, 1, first, count)) {
    // The last row of the tile sees keys t < T − S + first + count: behind them
    // the tile's rows are the last ones again. None if that is negative.
    OpFoldResult end = plus(b, loc, first, count);
    keys = plus(b, loc, minus(b, loc, keys, sizeOf(b, loc, query, 1)), end);
    keys = combine<arith::MaxSIOp>(b, loc, keys, zero);
  }
  Tile rows = rowsTile(b, op, loops);
  auto made = AttentionOp::create(
      b, loc, slice(b, loc, query, withWidth(b, loc, rows, query)),
      keysTile(b, loc, op.getKey(), loops, zero, keys),
      keysTile(b, loc, op.getValue(), loops, zero, keys),
      maskTile(b, loc, op.getMask(), scoresTile(rows, zero, keys)),
      op.getScaleAttr(), op.getCausalAttr());
  return made;
}

static Operation *tiled(OpBuilder &b, OnlineAttentionOp op, const Tile &loops) {
  Location loc = op.getLoc();
  Value query = op.getQuery(), accumulator = op.getAccumulator();
  OpFoldResult at = loops.offsets[3], count = loops.sizes[3];
  Tile rows = rowsTile(b, op, loops);
  Value diagonal = op.getDiagonal();
  if (diagonal)
    diagonal = asValue(
        b, loc, minus(b, loc, plus(b, loc, diagonal, loops.offsets[1]), at));
  auto made = OnlineAttentionOp::create(
      b, loc, slice(b, loc, query, withWidth(b, loc, rows, query)),
      keysTile(b, loc, op.getKey(), loops, at, count),
      keysTile(b, loc, op.getValue(), loops, at, count),
      tailTile(b, loc, op.getTail(), loops, at, count),
      maskTile(b, loc, op.getMask(), scoresTile(rows, at, count)), diagonal,
      slice(b, loc, accumulator, withWidth(b, loc, rows, accumulator)),
      slice(b, loc, op.getMaximum(), rows), slice(b, loc, op.getSum(), rows),
      op.getScaleAttr());
  return made;
}

static Tile resultTile(OpBuilder &b, AttentionOp op, unsigned,
                       const Tile &loops) {
  return withWidth(b, op.getLoc(), rowsTile(b, op, loops), op.getValue());
}
static Tile resultTile(OpBuilder &b, OnlineAttentionOp op, unsigned number,
                       const Tile &loops) {
  Tile rows = rowsTile(b, op, loops);
  return number == 0 ? withWidth(b, op.getLoc(), rows, op.getAccumulator())
                     : rows;
}

template <typename OpT>
static FailureOr<Tile> rowLoopsOf(OpBuilder &b, OpT op, unsigned number,
                                  const Tile &tile) {
  if (tile.sizes.size() == 4 &&
      !isWhole(op->getResult(number), 3, tile.offsets[3], tile.sizes[3]))
    return failure();
  Tile loops;
  loops.add(tile.offsets[0], tile.sizes[0]);
  loops.add(tile.offsets[1], tile.sizes[1]);
  if (failed(addKvHeads(b, op.getLoc(), op.getQuery(), 2, op.getKey(),
                        tile.offsets[2], tile.sizes[2], loops)))
    return failure();
  return loops;
}
static FailureOr<Tile> loopsOf(OpBuilder &b, AttentionOp op, unsigned number,
                               const Tile &tile) {
  return rowLoopsOf(b, op, number, tile);
}
static FailureOr<Tile> loopsOf(OpBuilder &b, OnlineAttentionOp op,
                               unsigned number, const Tile &tile) {
  FailureOr<Tile> loops = rowLoopsOf(b, op, number, tile);
  if (succeeded(loops))
    addWhole(b, op.getLoc(), op.getKey(), 2, *loops);
  return loops;
}

//===----------------------------------------------------------------------===//
// Flattened tokens: sequences as tokens [first, first + count) see them
//===----------------------------------------------------------------------===//

namespace {
struct Sequences {
  Value rowStart, pastLength;
};
} // namespace

/// A sequence that starts before `first` has the tokens up to there in its
/// past.
static Sequences sequencesTile(OpBuilder &b, Location loc, Sequences all,
                               OpFoldResult first, OpFoldResult count) {
  Type i32 = b.getI32Type();
  auto scalar = [&](OpFoldResult number) -> Value {
    Value value =
        arith::IndexCastOp::create(b, loc, i32, asValue(b, loc, number));
    return tensor::FromElementsOp::create(
        b, loc, RankedTensorType::get({}, i32), value);
  };
  auto map = [&](EK kind, Value x, Value y) -> Value {
    return ElementwiseOp::create(b, loc, kind, ValueRange{x, y});
  };
  Value from = scalar(first), rows = scalar(count),
        none = scalar(b.getIndexAttr(0));
  OpFoldResult sequences = sizeOf(b, loc, all.pastLength, 0);
  Value begin = slice(b, loc, all.rowStart, {{b.getIndexAttr(0)}, {sequences}}),
        end = slice(b, loc, all.rowStart, {{b.getIndexAttr(1)}, {sequences}});
  Value before = map(EK::Min, map(EK::Max, map(EK::Sub, from, begin), none),
                     map(EK::Sub, end, begin));
  Value start = map(EK::Sub, all.rowStart, from);
  start = map(EK::Max, map(EK::Min, start, rows), none);
  return {start, map(EK::Add, all.pastLength, before)};
}

static SmallVector<IteratorType> loopKinds(TokenPositionsOp) {
  return {IteratorType::parallel};
}
static Sizes loopSizes(OpBuilder &, TokenPositionsOp op) {
  return {op.getTokens()};
}
static Operation *tiled(OpBuilder &b, TokenPositionsOp op, const Tile &loops) {
  Location loc = op.getLoc();
  Sequences some = sequencesTile(b, loc, {op.getRowStart(), op.getPastLength()},
                                 loops.offsets[0], loops.sizes[0]);
  return TokenPositionsOp::create(b, loc, tileType(op.getResult(), loops.sizes),
                                  some.rowStart, some.pastLength,
                                  asValue(b, loc, loops.sizes[0]));
}
static Tile resultTile(OpBuilder &, TokenPositionsOp, unsigned,
                       const Tile &loops) {
  return loops;
}
static FailureOr<Tile> loopsOf(OpBuilder &, TokenPositionsOp, unsigned,
                               const Tile &tile) {
  return tile;
}

//===----------------------------------------------------------------------===//
// ds.cached_attention: tokens, kv heads
//===----------------------------------------------------------------------===//

static SmallVector<IteratorType> loopKinds(CachedAttentionOp) {
  return SmallVector<IteratorType>(2, IteratorType::parallel);
}
static Sizes loopSizes(OpBuilder &b, CachedAttentionOp op) {
  return {sizeOf(b, op.getLoc(), op.getQuery(), 0),
          sizeOf(b, op.getLoc(), op.getKey(), 1)};
}
/// The loops' tile of [N, H].
static Tile rowsTile(OpBuilder &b, CachedAttentionOp op, const Tile &loops) {
  Location loc = op.getLoc();
  OpFoldResult group = groupOf(b, loc, op.getQuery(), 1, op.getKey());
  Tile tile;
  tile.add(loops.offsets[0], loops.sizes[0]);
  tile.add(times(b, loc, loops.offsets[1], group),
           times(b, loc, loops.sizes[1], group));
  return tile;
}
static Operation *tiled(OpBuilder &b, CachedAttentionOp op, const Tile &loops) {
  Location loc = op.getLoc();
  Value query = op.getQuery();
  auto cacheTile = [&](Value cache) {
    Tile tile;
    addWhole(b, loc, cache, 0, tile);
    tile.add(loops.offsets[1], loops.sizes[1]);
    addWhole(b, loc, cache, 2, tile);
    addWhole(b, loc, cache, 3, tile);
    return slice(b, loc, cache, tile);
  };
  Sequences some{op.getRowStart(), op.getPastLength()};
  if (!isWhole(query, 0, loops.offsets[0], loops.sizes[0]))
    some = sequencesTile(b, loc, some, loops.offsets[0], loops.sizes[0]);
  Tile rows = rowsTile(b, op, loops);
  return CachedAttentionOp::create(
      b, loc, slice(b, loc, query, withWidth(b, loc, rows, query)),
      cacheTile(op.getKey()), cacheTile(op.getValue()), some.rowStart,
      some.pastLength, op.getCacheSlot(), op.getScaleAttr());
}
static Tile resultTile(OpBuilder &b, CachedAttentionOp op, unsigned,
                       const Tile &loops) {
  return withWidth(b, op.getLoc(), rowsTile(b, op, loops), op.getValue());
}
static FailureOr<Tile> loopsOf(OpBuilder &b, CachedAttentionOp op, unsigned,
                               const Tile &tile) {
  if (!isWhole(op.getResult(), 2, tile.offsets[2], tile.sizes[2]))
    return failure();
  Tile loops;
  loops.add(tile.offsets[0], tile.sizes[0]);
  if (failed(addKvHeads(b, op.getLoc(), op.getQuery(), 1, op.getKey(),
                        tile.offsets[1], tile.sizes[1], loops)))
    return failure();
  return loops;
}

//===----------------------------------------------------------------------===//
// ds.mla, ds.mla_absorbed: tokens, heads; all heads share the caches
//===----------------------------------------------------------------------===//

template <typename OpT>
concept LatentAttention = llvm::is_one_of<OpT, MlaOp, MlaAbsorbedOp>::value;

template <LatentAttention OpT> static SmallVector<IteratorType> loopKinds(OpT) {
  return SmallVector<IteratorType>(2, IteratorType::parallel);
}
template <LatentAttention OpT> static Sizes loopSizes(OpBuilder &b, OpT op) {
  return {sizeOf(b, op.getLoc(), op.getQuery(), 0),
          sizeOf(b, op.getLoc(), op.getQuery(), 1)};
}
static void addValueWidth(OpBuilder &b, MlaOp op, Tile &tile) {
  addWhole(b, op.getLoc(), op.getValueWeight(), 1, tile);
}
static void addValueWidth(OpBuilder &b, MlaAbsorbedOp op, Tile &tile) {
  addWhole(b, op.getLoc(), op.getLatent(), 3, tile);
}
template <LatentAttention OpT>
static Tile resultTile(OpBuilder &b, OpT op, unsigned, const Tile &loops) {
  Tile tile = loops;
  addValueWidth(b, op, tile);
  return tile;
}
/// The loops' heads of a weight.
static Value headsTile(OpBuilder &b, Location loc, Value weight,
                       const Tile &loops) {
  Tile tile;
  tile.add(loops.offsets[1], loops.sizes[1]);
  addWhole(b, loc, weight, 1, tile);
  addWhole(b, loc, weight, 2, tile);
  return slice(b, loc, weight, tile);
}
static Operation *tile(OpBuilder &b, MlaOp op, const Tile &loops, Value query,
                       Sequences some) {
  return MlaOp::create(b, op.getLoc(), query, op.getLatent(), op.getRope(),
                       headsTile(b, op.getLoc(), op.getKeyWeight(), loops),
                       headsTile(b, op.getLoc(), op.getValueWeight(), loops),
                       some.rowStart, some.pastLength, op.getCacheSlot(),
                       op.getScaleAttr());
}
static Operation *tile(OpBuilder &b, MlaAbsorbedOp op, const Tile &,
                       Value query, Sequences some) {
  return MlaAbsorbedOp::create(b, op.getLoc(), query, op.getLatent(),
                               op.getRope(), some.rowStart, some.pastLength,
                               op.getCacheSlot(), op.getScaleAttr());
}
template <LatentAttention OpT>
static Operation *tiled(OpBuilder &b, OpT op, const Tile &loops) {
  Location loc = op.getLoc();
  Value query = op.getQuery();
  Sequences some{op.getRowStart(), op.getPastLength()};
  if (!isWhole(query, 0, loops.offsets[0], loops.sizes[0]))
    some = sequencesTile(b, loc, some, loops.offsets[0], loops.sizes[0]);
  return tile(b, op, loops,
              slice(b, loc, query, withWidth(b, loc, loops, query)), some);
}
template <LatentAttention OpT>
static FailureOr<Tile> loopsOf(OpBuilder &, OpT op, unsigned,
                               const Tile &tile) {
  if (!isWhole(op.getResult(), 2, tile.offsets[2], tile.sizes[2]))
    return failure();
  Tile loops;
  loops.add(tile.offsets[0], tile.sizes[0]);
  loops.add(tile.offsets[1], tile.sizes[1]);
  return loops;
}

//===----------------------------------------------------------------------===//
// ds.cache_append: kv heads, elements; where tokens go depends on data
//===----------------------------------------------------------------------===//

static SmallVector<IteratorType> loopKinds(CacheAppendOp) {
  return SmallVector<IteratorType>(2, IteratorType::parallel);
}
static Sizes loopSizes(OpBuilder &b, CacheAppendOp op) {
  return {sizeOf(b, op.getLoc(), op.getCache(), 1),
          sizeOf(b, op.getLoc(), op.getCache(), 3)};
}
static Tile resultTile(OpBuilder &b, CacheAppendOp op, unsigned,
                       const Tile &loops) {
  Tile tile;
  addWhole(b, op.getLoc(), op.getCache(), 0, tile);
  tile.add(loops.offsets[0], loops.sizes[0]);
  addWhole(b, op.getLoc(), op.getCache(), 2, tile);
  tile.add(loops.offsets[1], loops.sizes[1]);
  return tile;
}
static Operation *tiled(OpBuilder &b, CacheAppendOp op, const Tile &loops) {
  Location loc = op.getLoc();
  Tile rows;
  addWhole(b, loc, op.getRows(), 0, rows);
  rows.add(loops.offsets[0], loops.sizes[0]);
  rows.add(loops.offsets[1], loops.sizes[1]);
  return CacheAppendOp::create(
      b, loc, slice(b, loc, op.getRows(), rows),
      slice(b, loc, op.getCache(), resultTile(b, op, 0, loops)),
      op.getRowStart(), op.getPastLength(), op.getCacheSlot());
}
static FailureOr<Tile> loopsOf(OpBuilder &, CacheAppendOp op, unsigned,
                               const Tile &tile) {
  for (int64_t d : {0, 2})
    if (!isWhole(op.getResult(), d, tile.offsets[d], tile.sizes[d]))
      return failure();
  Tile loops;
  loops.add(tile.offsets[1], tile.sizes[1]);
  loops.add(tile.offsets[3], tile.sizes[3]);
  return loops;
}

DS_TILES(AttentionOp)
DS_TILES(OnlineAttentionOp)
DS_TILES(TokenPositionsOp)
DS_TILES(CacheAppendOp)
DS_TILES(CachedAttentionOp)
DS_TILES(MlaOp)
DS_TILES(MlaAbsorbedOp)
