//===- DsAttentionOps.cpp - constraints and shapes of attention and caches ===//
//
// Dense attention, and the ops on flattened tokens. The descriptions in
// DsModelOps.td give the constraints that the messages cite.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsVerify.h"

using namespace mlir;
using namespace mlir::ds;

/// The query's heads are shared out evenly among those of key and value.
static LogicalResult expectGroups(Operation *op, StringRef constraint,
                                  int64_t heads, int64_t kvHeads) {
  if (ShapedType::isDynamic(heads) || ShapedType::isDynamic(kvHeads) ||
      (kvHeads != 0 && heads % kvHeads == 0))
    return success();
  return op->emitOpError() << constraint << ": query has " << heads
                           << " heads, expected a multiple of the " << kvHeads
                           << " of key and value";
}

//===----------------------------------------------------------------------===//
// ds.attention
//===----------------------------------------------------------------------===//

LogicalResult AttentionOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location>,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  RankedTensorType query = ranked(adaptor.getQuery()),
                   key = ranked(adaptor.getKey()),
                   value = ranked(adaptor.getValue());
  if (query.getRank() != 4 || key.getRank() != 4 || value.getRank() != 4)
    return failure();
  Shape shape(query.getShape());
  shape[0] = known(known(shape[0], key.getDimSize(0)), value.getDimSize(0));
  shape[3] = value.getDimSize(3);
  types.push_back(RankedTensorType::get(shape, query.getElementType()));
  return success();
}

/// What dense and online attention ask of query, key, value and mask; `width`
/// is what the query leaves for `key`.
template <typename OpT>
static LogicalResult verifyDense(OpT op, int64_t width, StringRef source) {
  if (failed(expectRank(op, "C1", "query", op.getQuery(), 4)) ||
      failed(expectRank(op, "C1", "key", op.getKey(), 4)) ||
      failed(expectRank(op, "C1", "value", op.getValue(), 4)))
    return failure();
  ArrayRef<int64_t> query = shapeOf(op.getQuery()), key = shapeOf(op.getKey()),
                    value = shapeOf(op.getValue());
  if (failed(expectSize(op, "C1", "key", op.getKey(), 0, query[0],
                        "the query's batch")) ||
      failed(expectSize(op, "C1", "value", op.getValue(), 0,
                        known(query[0], key[0]), "the query's batch")) ||
      failed(expectSize(op, "C2", "value", op.getValue(), 1, key[1],
                        "the key's heads")) ||
      failed(expectSize(op, "C2", "value", op.getValue(), 2, key[2],
                        "the key's rows")) ||
      failed(expectGroups(op, "C3", query[2], known(key[1], value[1]))) ||
      failed(expectSize(op, "C4", "key", op.getKey(), 3, width, source)))
    return failure();
  if (Value mask = op.getMask()) {
    if (!elementType(mask).isInteger(1) && !isa<FloatType>(elementType(mask)))
      return op.emitOpError("C5: mask has elements of type ")
             << elementType(mask) << ", expected i1 or floats";
    if (failed(expectBroadcast(
            op, "C5", "mask", mask,
            {query[0], query[2], query[1], known(key[2], value[2])})))
      return failure();
  }
  return success();
}

/// The last size of the query, whatever rank it has.
static int64_t widthOf(Value query) {
  ArrayRef<int64_t> shape = shapeOf(query);
  return shape.empty() ? ShapedType::kDynamic : shape.back();
}

LogicalResult AttentionOp::verify() {
  if (failed(verifyDense(*this, widthOf(getQuery()), "the query's width")) ||
      failed(expectFloat(*this, "C6", "query", getQuery())) ||
      failed(expectFloat(*this, "C6", "key", getKey())) ||
      failed(expectFloat(*this, "C6", "value", getValue())) ||
      failed(expectElement(*this, "C6", "the result", getResult(),
                           elementType(getQuery()))) ||
      failed(expectInferred(*this, "C7")))
    return failure();
  return expectFinite(*this, "C8", "scale", getScale());
}

LogicalResult
AttentionOp::reifyResultShapes(OpBuilder &b,
                               ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), d == 3 ? getValue() : getQuery(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.online_attention
//===----------------------------------------------------------------------===//

MutableOperandRange OnlineAttentionOp::getDpsInitsMutable() {
  auto [first, length] = getODSOperandIndexAndLength(6);
  return MutableOperandRange(getOperation(), first, 2 + length);
}

LogicalResult
OnlineAttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                    Adaptor adaptor,
                                    SmallVectorImpl<Type> &types) {
  for (Value destination :
       {adaptor.getAccumulator(), adaptor.getMaximum(), adaptor.getSum()})
    types.push_back(destination.getType());
  return success();
}

LogicalResult OnlineAttentionOp::verify() {
  int64_t width = widthOf(getQuery());
  StringRef source = "the query's width";
  if (Value tail = getTail()) {
    if (failed(expectFloat(*this, "C10", "tail", tail)) ||
        failed(expectRank(*this, "C10", "tail", tail, 4)))
      return failure();
    int64_t part = shapeOf(tail)[3];
    width = ShapedType::isDynamic(width) || ShapedType::isDynamic(part)
                ? ShapedType::kDynamic
                : width - part;
    source = "what the tail leaves of the query's width";
  }
  if (failed(verifyDense(*this, width, source)) ||
      failed(expectFloat(*this, "C6", "query", getQuery())) ||
      failed(expectFloat(*this, "C6", "key", getKey())) ||
      failed(expectFloat(*this, "C6", "value", getValue())))
    return failure();
  Type element = elementType(getAccumulator());
  if (!element.isF32() && !element.isF64())
    return emitOpError("C7: accumulator has elements of type ")
           << element << ", expected f32 or f64";
  ArrayRef<int64_t> query = shapeOf(getQuery());
  Shape rows(query.drop_back()), accumulator(rows);
  accumulator.push_back(shapeOf(getValue())[3]);
  if (failed(expectElement(*this, "C7", "maximum", getMaximum(), element)) ||
      failed(expectElement(*this, "C7", "sum", getSum(), element)) ||
      failed(expectShape(*this, "C8", "accumulator", getAccumulator(),
                         accumulator)) ||
      failed(expectShape(*this, "C8", "maximum", getMaximum(), rows)) ||
      failed(expectShape(*this, "C8", "sum", getSum(), rows)))
    return failure();
  if (failed(expectFinite(*this, "C9", "scale", getScale())))
    return failure();
  Value tail = getTail();
  if (!tail)
    return success();
  ArrayRef<int64_t> key = shapeOf(getKey());
  if (shapeOf(tail)[1] != 1 &&
      failed(expectSize(*this, "C10", "tail", tail, 1, key[1],
                        "the key's heads, or 1")))
    return failure();
  if (failed(
          expectSize(*this, "C10", "tail", tail, 0, key[0], "the key's batch")))
    return failure();
  return expectSize(*this, "C10", "tail", tail, 2, key[2], "the key's rows");
}

LogicalResult
OnlineAttentionOp::reifyResultShapes(OpBuilder &b,
                                     ReifiedRankedShapedTypeDims &shapes) {
  for (auto [result, destination] : llvm::zip_equal(
           getResults(), ValueRange{getAccumulator(), getMaximum(), getSum()}))
    shapes.push_back(resultSizes(b, result, [&](int64_t d) {
      return sizeOf(b, getLoc(), destination, d);
    }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.token_positions
//===----------------------------------------------------------------------===//

LogicalResult TokenPositionsOp::verify() {
  if (failed(expectSequences(*this, "C1", getRowStart(), getPastLength(),
                             Value())) ||
      failed(expectElement(*this, "C2", "the result", getResult(),
                           IntegerType::get(getContext(), 32))))
    return failure();
  return expectRank(*this, "C2", "the result", getResult(), 1);
}

LogicalResult
TokenPositionsOp::reifyResultShapes(OpBuilder &b,
                                    ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(
      b, getResult(), [&](int64_t) -> OpFoldResult { return getTokens(); }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.cache_append
//===----------------------------------------------------------------------===//

LogicalResult CacheAppendOp::inferReturnTypes(MLIRContext *,
                                              std::optional<Location>,
                                              Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getCache().getType());
  return success();
}

LogicalResult CacheAppendOp::verify() {
  if (failed(expectRank(*this, "C1", "rows", getRows(), 3)) ||
      failed(expectRank(*this, "C1", "cache", getCache(), 4)) ||
      failed(expectFloat(*this, "C1", "rows", getRows())) ||
      failed(expectFloat(*this, "C1", "cache", getCache())) ||
      failed(expectSize(*this, "C2", "rows", getRows(), 1,
                        shapeOf(getCache())[1], "the cache's heads")) ||
      failed(expectSize(*this, "C2", "rows", getRows(), 2,
                        shapeOf(getCache())[3], "the cache's width")) ||
      failed(expectSequences(*this, "C3", getRowStart(), getPastLength(),
                             getCacheSlot())))
    return failure();
  if (getResult().getType() != getCache().getType())
    return emitOpError("C4: the result is ")
           << getResult().getType() << ", expected " << getCache().getType()
           << ", the type of cache";
  return success();
}

LogicalResult
CacheAppendOp::reifyResultShapes(OpBuilder &b,
                                 ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getCache(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.cached_attention
//===----------------------------------------------------------------------===//

LogicalResult
CachedAttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                    Adaptor adaptor,
                                    SmallVectorImpl<Type> &types) {
  RankedTensorType query = ranked(adaptor.getQuery()),
                   value = ranked(adaptor.getValue());
  if (query.getRank() != 3 || value.getRank() != 4)
    return failure();
  Shape shape(query.getShape());
  shape[2] = value.getDimSize(3);
  types.push_back(RankedTensorType::get(shape, query.getElementType()));
  return success();
}

LogicalResult CachedAttentionOp::verify() {
  if (failed(expectRank(*this, "C1", "query", getQuery(), 3)) ||
      failed(expectRank(*this, "C1", "key", getKey(), 4)) ||
      failed(expectRank(*this, "C1", "value", getValue(), 4)) ||
      failed(expectFloat(*this, "C1", "query", getQuery())) ||
      failed(expectFloat(*this, "C1", "key", getKey())) ||
      failed(expectFloat(*this, "C1", "value", getValue())))
    return failure();
  ArrayRef<int64_t> query = shapeOf(getQuery()), key = shapeOf(getKey()),
                    value = shapeOf(getValue());
  if (failed(expectSize(*this, "C2", "value", getValue(), 0, key[0],
                        "the key's slots")) ||
      failed(expectSize(*this, "C2", "value", getValue(), 1, key[1],
                        "the key's heads")) ||
      failed(expectSize(*this, "C2", "value", getValue(), 2, key[2],
                        "the key's length")) ||
      failed(expectGroups(*this, "C3", query[1], known(key[1], value[1]))) ||
      failed(expectSize(*this, "C4", "key", getKey(), 3, query[2],
                        "the query's width")) ||
      failed(expectSequences(*this, "C5", getRowStart(), getPastLength(),
                             getCacheSlot())) ||
      failed(expectInferred(*this, "C6")))
    return failure();
  return expectFinite(*this, "C7", "scale", getScale());
}

LogicalResult
CachedAttentionOp::reifyResultShapes(OpBuilder &b,
                                     ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return d == 2 ? sizeOf(b, getLoc(), getValue(), 3)
                  : sizeOf(b, getLoc(), getQuery(), d);
  }));
  return success();
}
