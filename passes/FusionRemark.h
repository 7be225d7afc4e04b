//===- FusionRemark.h - what fusions save ---------------------*- C++ -*-===//
//
// Private to passes/. A pass that fuses says once for each function how many
// ops became how many, and how many bytes of activations a token moves less:
// reads and writes of the tensors between ops, in the types they have then,
// whatever cache they would have stayed in. Weights are read as before.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_FUSIONREMARK_H
#define PASSES_FUSIONREMARK_H

#include "dialects/ds/IR/DsDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::ds {

/// Bytes of `count` elements of `value`.
int64_t bytesOf(Value value, int64_t count);

/// How many rows of a product are one token's: one for each of its experts if
/// `tiles` are of a ds.group_tokens; otherwise, or without `tiles`, one.
int64_t rowsPerToken(Value tiles);

/// "1 product", "2 products".
std::string numberOfProducts(size_t count);

/// "@function: `what`; a token moves `bytes` bytes less".
void reportFusion(func::FuncOp function, const Twine &what, int64_t bytes);

} // namespace mlir::ds

#endif // PASSES_FUSIONREMARK_H
