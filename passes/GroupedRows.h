//===- GroupedRows.h - rows sorted by expert, expert by expert --*- C++ -*-===//
//
// Private to passes/. Some graphs sort the entries of all tokens by expert, cut
// the rows where one expert ends, multiply each piece with its expert's weight
// and lay the products end to end again. Which expert a row of the whole
// belongs to is then a statement on running sums of counts. It is proven here
// once; everything else can then ask for the piece of one expert.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_GROUPEDROWS_H
#define PASSES_GROUPEDROWS_H

#include "passes/SymbolicElement.h"

namespace mlir::ds {

/// A concatenation of which input e has the rows of expert e, those that the
/// e-th of `pieces` numbers: row r is the entry `sort.getIndices()[r]`, whose
/// expert is e.
struct GroupedRows {
  TopKOp sort;
  SmallVector<RangeOp> pieces;

  /// Nothing if `concat` is not proven to be one.
  static std::optional<GroupedRows> of(ConcatOp concat);
  /// From now on `symbols` knows that all pieces together are all entries.
  void assumeSizes(SymbolicElements &symbols);
};

using GroupedRowsMap = DenseMap<Operation *, GroupedRows>;

} // namespace mlir::ds

#endif // PASSES_GROUPEDROWS_H
