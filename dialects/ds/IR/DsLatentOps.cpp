//===- DsLatentOps.cpp - constraints and shapes of latent attention -------===//
//
// The descriptions in DsLatentOps.td give the constraints that the messages
// cite.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsVerify.h"

using namespace mlir;
using namespace mlir::ds;

/// C1 and C2: the query and the two caches of both forms.
template <typename OpT> static LogicalResult verifyCaches(OpT op) {
  if (failed(expectRank(op, "C1", "query", op.getQuery(), 3)) ||
      failed(expectRank(op, "C1", "latent", op.getLatent(), 4)) ||
      failed(expectRank(op, "C1", "rope", op.getRope(), 4)) ||
      failed(expectFloat(op, "C1", "query", op.getQuery())) ||
      failed(expectFloat(op, "C1", "latent", op.getLatent())) ||
      failed(expectFloat(op, "C1", "rope", op.getRope())))
    return failure();
  ArrayRef<int64_t> latent = shapeOf(op.getLatent());
  if (failed(expectSize(op, "C2", "latent", op.getLatent(), 1, 1,
                        "all heads share it")) ||
      failed(expectSize(op, "C2", "rope", op.getRope(), 1, 1,
                        "all heads share it")) ||
      failed(expectSize(op, "C2", "rope", op.getRope(), 0, latent[0],
                        "the latents' slots")))
    return failure();
  return expectSize(op, "C2", "rope", op.getRope(), 2, latent[2],
                    "the latents' length");
}

/// The query is as wide as both parts of a key.
static LogicalResult expectParts(Operation *op, StringRef constraint,
                                 Value query, int64_t first, int64_t second) {
  int64_t width = shapeOf(query)[2];
  if (ShapedType::isDynamic(first) || ShapedType::isDynamic(second) ||
      agree(width, first + second))
    return success();
  return op->emitOpError() << constraint << ": query has width " << width
                           << ", expected " << first << " + " << second
                           << " as the two parts of a key have";
}

/// `query` with another last size.
static LogicalResult inferRows(Value query, int64_t width,
                               SmallVectorImpl<Type> &types) {
  RankedTensorType type = ranked(query);
  if (type.getRank() != 3)
    return failure();
  Shape shape(type.getShape());
  shape[2] = width;
  types.push_back(RankedTensorType::get(shape, type.getElementType()));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.mla
//===----------------------------------------------------------------------===//

LogicalResult MlaOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                      Adaptor adaptor,
                                      SmallVectorImpl<Type> &types) {
  RankedTensorType weight = ranked(adaptor.getValueWeight());
  if (weight.getRank() != 3)
    return failure();
  return inferRows(adaptor.getQuery(), weight.getDimSize(1), types);
}

LogicalResult MlaOp::verify() {
  if (failed(verifyCaches(*this)) ||
      failed(expectRank(*this, "C1", "key_weight", getKeyWeight(), 3)) ||
      failed(expectRank(*this, "C1", "value_weight", getValueWeight(), 3)) ||
      failed(expectFloat(*this, "C1", "key_weight", getKeyWeight())) ||
      failed(expectFloat(*this, "C1", "value_weight", getValueWeight())))
    return failure();
  int64_t heads = shapeOf(getQuery())[1], latent = shapeOf(getLatent())[3];
  std::pair<StringRef, Value> weights[] = {{"key_weight", getKeyWeight()},
                                           {"value_weight", getValueWeight()}};
  for (auto [name, weight] : weights)
    if (failed(expectSize(*this, "C3", name, weight, 0, heads,
                          "the query's heads")) ||
        failed(expectSize(*this, "C3", name, weight, 2, latent,
                          "the latents' width")))
      return failure();
  if (failed(expectParts(*this, "C4", getQuery(), shapeOf(getKeyWeight())[1],
                         shapeOf(getRope())[3])) ||
      failed(expectSequences(*this, "C5", getRowStart(), getPastLength(),
                             getCacheSlot())) ||
      failed(expectInferred(*this, "C6")))
    return failure();
  return expectFinite(*this, "C7", "scale", getScale());
}

LogicalResult MlaOp::reifyResultShapes(OpBuilder &b,
                                       ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return d == 2 ? sizeOf(b, getLoc(), getValueWeight(), 1)
                  : sizeOf(b, getLoc(), getQuery(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.mla_absorbed
//===----------------------------------------------------------------------===//

LogicalResult MlaAbsorbedOp::inferReturnTypes(MLIRContext *,
                                              std::optional<Location>,
                                              Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  RankedTensorType latent = ranked(adaptor.getLatent());
  if (latent.getRank() != 4)
    return failure();
  return inferRows(adaptor.getQuery(), latent.getDimSize(3), types);
}

LogicalResult MlaAbsorbedOp::verify() {
  if (failed(verifyCaches(*this)) ||
      failed(expectParts(*this, "C3", getQuery(), shapeOf(getLatent())[3],
                         shapeOf(getRope())[3])) ||
      failed(expectSequences(*this, "C4", getRowStart(), getPastLength(),
                             getCacheSlot())) ||
      failed(expectInferred(*this, "C5")))
    return failure();
  return expectFinite(*this, "C6", "scale", getScale());
}

LogicalResult
MlaAbsorbedOp::reifyResultShapes(OpBuilder &b,
                                 ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return d == 2 ? sizeOf(b, getLoc(), getLatent(), 3)
                  : sizeOf(b, getLoc(), getQuery(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.mtp_input
//===----------------------------------------------------------------------===//

LogicalResult MtpInputOp::verify() {
  constexpr StringRef names[] = {"embedding", "hidden", "embedding_norm",
                                 "hidden_norm", "weight"};
  for (auto [name, operand] : llvm::zip_equal(names, getOperands()))
    if (failed(expectFloat(*this, "C1", name, operand)))
      return failure();
  if (failed(expectFloat(*this, "C1", "the result", getResult())) ||
      failed(expectRankAtLeast(*this, "C1", "embedding", getEmbedding(), 1)))
    return failure();
  ArrayRef<int64_t> rows = shapeOf(getEmbedding());
  int64_t width = known(rows.back(), shapeOf(getHidden()).empty()
                                         ? ShapedType::kDynamic
                                         : shapeOf(getHidden()).back());
  if (failed(expectShape(*this, "C1", "hidden", getHidden(), rows)) ||
      failed(expectShape(*this, "C2", "embedding_norm", getEmbeddingNorm(),
                         width)) ||
      failed(expectShape(*this, "C2", "hidden_norm", getHiddenNorm(), width)) ||
      failed(expectRank(*this, "C3", "weight", getWeight(), 2)) ||
      failed(expectSize(*this, "C3", "weight", getWeight(), 1,
                        ShapedType::isDynamic(width) ? width : 2 * width,
                        "both halves")))
    return failure();
  Shape expected(rows);
  expected.back() = shapeOf(getWeight())[0];
  if (failed(expectShape(*this, "C4", "the result", getResult(), expected)))
    return failure();
  return expectFromZero(*this, "C5", "epsilon", getEpsilon());
}

LogicalResult
MtpInputOp::reifyResultShapes(OpBuilder &b,
                              ReifiedRankedShapedTypeDims &shapes) {
  int64_t last = ranked(getResult()).getRank() - 1;
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return d == last ? sizeOf(b, getLoc(), getWeight(), 0)
                     : sizeOf(b, getLoc(), getEmbedding(), d);
  }));
  return success();
}
