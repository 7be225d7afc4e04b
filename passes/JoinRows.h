//===- JoinRows.h - weights one below the other ---------------*- C++ -*-===//
//
// Private to passes/. Products of one input become one product of joined
// weights (ds-merge-linears, ds-decompose-moe). What makes a weight row by row
// is joined below, so that the joined weight is quantised like its parts.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_JOINROWS_H
#define PASSES_JOINROWS_H

#include "dialects/ds/IR/DsDialect.h"

namespace mlir::ds {

/// `values`, which have static shapes and one element type, one behind the
/// other along `dim`, 0 or 1; their other sizes are equal.
Value joinRows(OpBuilder &builder, ArrayRef<Value> values, int64_t dim);

} // namespace mlir::ds

#endif // PASSES_JOINROWS_H
