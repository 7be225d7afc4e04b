//===- AttentionShapes.h - what attention ops say of themselves -*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. Whether kernels take an attention op, and in
// what shape and arithmetic.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_ATTENTIONSHAPES_H
#define LOWERING_LINALGTOCPU_ATTENTIONSHAPES_H

#include "dialects/ds/IR/DsDialect.h"
#include "lowering/LinalgToCPU/AttentionKernel.h"

namespace mlir::ds {

/// Whether kernels compute with elements of this type, in f32.
bool isComputed(Type element);

/// Number of heads and widths, if they are known: query [.., heads, width] and
/// result, parts of the key and value [batch, heads, length, width].
std::optional<AttentionShape> shapeOf(Value query, ValueRange keys, Value value,
                                      Value result, int64_t lanes,
                                      const APFloat &scale, bool causal);

/// The shape of ds.mla: a key is what W_UK makes of a latent, and the rope key.
std::optional<AttentionShape> expandedShape(MlaOp op, int64_t lanes);

/// Whether products may be those of pairs of bf16: everything is bf16, and
/// widths divide into pairs and vectors.
bool fitPairs(const AttentionShape &shape, Value query, ValueRange keys,
              Value value);
/// The same of ds.mla, which makes keys and values by such products, too.
bool fitPairs(const AttentionShape &shape, MlaOp op);

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_ATTENTIONSHAPES_H
