//===- ElementRuns.h - values made of elements of token rows -*- C++ -*-===//
//
// What RowElements takes apart, put together again: from elements that were
// proven to be the wanted ones, the rows and weights that hold them, as views
// where they stand evenly and as joined slices otherwise.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_ELEMENTRUNS_H
#define PASSES_ELEMENTRUNS_H

#include "mlir/IR/Builders.h"
#include "passes/RowElements.h"

namespace mlir::ds {

/// Where consecutive elements begin and how many they are.
struct Run {
  int64_t first, count;
};

/// The elements `run` of `value` along `dim`.
Value take(OpBuilder &b, Value value, int64_t dim, Run run);

Value join(OpBuilder &b, Location loc, ArrayRef<Value> parts, int64_t axis);

/// `columns`, ascending, of `rows` [N, heads, width], in their order.
Value columnsOf(OpBuilder &b, Value rows, ArrayRef<int64_t> columns);

/// `value` as `shape`; a dynamic first size stays.
Value reshaped(OpBuilder &b, Value value, ArrayRef<int64_t> shape);

/// The rows [N, heads, elements / heads] made of `elements`.
Value rowsOf(OpBuilder &b, Location loc, ArrayRef<RowElement> elements,
             int64_t heads = 1);

/// Rows of weights as [heads, elements / heads, K]: the index of an element is
/// that of a row of `matrix(source)`, [rows, K].
Value weightOf(OpBuilder &b, ArrayRef<RowElement> elements, int64_t heads,
               function_ref<Value(Value source)> matrix);

} // namespace mlir::ds

#endif // PASSES_ELEMENTRUNS_H
