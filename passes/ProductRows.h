//===- ProductRows.h - products on rows -----------------------*- C++ -*-===//
//
// Private to passes. Products with packed weights have two dimensions;
// ds.linear has any number in front of the last.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_PRODUCTROWS_H
#define PASSES_PRODUCTROWS_H

#include "dialects/ds/IR/DsDialect.h"

namespace mlir::ds {

/// `x` as [rows, K]: all dimensions but the last are rows.
Value asRows(OpBuilder &b, Location loc, Value x);

/// Replaces `op` by `product` [rows, N], whose rows are those of its input.
void replaceByRows(OpBuilder &b, LinearOp op, Value product);

/// `value` with another element type.
Value castTo(OpBuilder &b, Location loc, Value value, Type element);

} // namespace mlir::ds

#endif // PASSES_PRODUCTROWS_H
