//===- DsTiling.h - vocabulary of TilingInterface ---------------*- C++ -*-===//
//
// Private to dialects/ds/IR. What the interface's methods of all ops share:
// DS_TILES makes them of five functions, overloaded for the op.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSTILING_H
#define DIALECTS_DS_IR_DSTILING_H

#include "dialects/ds/IR/DsSizes.h"
#include "dialects/ds/IR/DsVerify.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::ds {

using Sizes = SmallVector<OpFoldResult>;
using SizesRef = ArrayRef<OpFoldResult>;
using utils::IteratorType;

/// A part of a tensor or of the loops.
struct Tile {
  Sizes offsets, sizes;

  void add(OpFoldResult offset, OpFoldResult size) {
    offsets.push_back(offset);
    sizes.push_back(size);
  }
};

/// The type of a tile of `whole` with these sizes. A size that is a value
/// counts as unknown, a constant too: as slices' types have it.
RankedTensorType tileType(Value whole, SizesRef sizes);

/// `offsets` as slices of a tensor of `shape` may have them. MLIR's verifier
/// takes any static offset into a static size of 0 for one outside, even that
/// of an empty slice; an offset that is a value it leaves to run time.
Sizes sliceOffsets(OpBuilder &b, Location loc, ArrayRef<int64_t> shape,
                   SizesRef offsets);

/// `tile` of `source`.
Value slice(OpBuilder &b, Location loc, Value source, const Tile &tile);

/// What of `source` broadcasts to `tile`: a static 1 repeats, and with
/// `mayRepeat` so does a dynamic size that turns out to be 1.
Value sliceBroadcast(OpBuilder &b, Location loc, Value source, const Tile &tile,
                     bool mayRepeat = false);

/// Loops from 0 over `sizes`.
SmallVector<Range> rangesOf(OpBuilder &b, SizesRef sizes);

/// `made`, a tile of `op`, with the slices that its operands are.
TilingResult tilingResult(Operation *op, Operation *made);

} // namespace mlir::ds

/// The methods of an op for which these are given:
///   SmallVector<IteratorType> loopKinds(OP)
///   Sizes loopSizes(OpBuilder &, OP)
///   Operation *tiled(OpBuilder &, OP, const Tile &loops)
///   Tile resultTile(OpBuilder &, OP, unsigned result, const Tile &loops)
///   FailureOr<Tile> loopsOf(OpBuilder &, OP, unsigned result, const Tile &)
/// The last gives the loops that make a tile of a result, if any do.
#define DS_TILES(OP)                                                           \
  SmallVector<IteratorType> OP::getLoopIteratorTypes() {                       \
    return loopKinds(*this);                                                   \
  }                                                                            \
  SmallVector<Range> OP::getIterationDomain(OpBuilder &b) {                    \
    return rangesOf(b, loopSizes(b, *this));                                   \
  }                                                                            \
  FailureOr<TilingResult> OP::getTiledImplementation(                          \
      OpBuilder &b, SizesRef offsets, SizesRef sizes) {                        \
    return tilingResult(*this,                                                 \
                        tiled(b, *this, {Sizes(offsets), Sizes(sizes)}));      \
  }                                                                            \
  LogicalResult OP::getResultTilePosition(                                     \
      OpBuilder &b, unsigned number, SizesRef offsets, SizesRef sizes,         \
      Sizes &resultOffsets, Sizes &resultSizes) {                              \
    Tile tile = resultTile(b, *this, number, {Sizes(offsets), Sizes(sizes)});  \
    resultOffsets = sliceOffsets(                                              \
        b, getLoc(), shapeOf((*this)->getResult(number)), tile.offsets);       \
    resultSizes = tile.sizes;                                                  \
    return success();                                                          \
  }                                                                            \
  LogicalResult OP::getIterationDomainTileFromResultTile(                      \
      OpBuilder &b, unsigned number, SizesRef offsets, SizesRef sizes,         \
      SmallVectorImpl<OpFoldResult> &at,                                       \
      SmallVectorImpl<OpFoldResult> &extent) {                                 \
    FailureOr<Tile> loops =                                                    \
        loopsOf(b, *this, number, {Sizes(offsets), Sizes(sizes)});             \
    if (failed(loops))                                                         \
      return failure();                                                        \
    at.assign(loops->offsets);                                                 \
    extent.assign(loops->sizes);                                               \
    return success();                                                          \
  }                                                                            \
  FailureOr<TilingResult> OP::generateResultTileValue(                         \
      OpBuilder &b, unsigned number, SizesRef offsets, SizesRef sizes) {       \
    FailureOr<Tile> loops =                                                    \
        loopsOf(b, *this, number, {Sizes(offsets), Sizes(sizes)});             \
    if (failed(loops))                                                         \
      return failure();                                                        \
    return tilingResult(*this, tiled(b, *this, *loops));                       \
  }

#endif // DIALECTS_DS_IR_DSTILING_H
