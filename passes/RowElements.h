//===- RowElements.h - where the elements of token rows come from -*- C++
//-*-===//
//
// A value of a step, [N, rest…], is often a view of what another op made:
// reshaped, transposed, cut, joined, repeated over heads. Here each element of
// a token's row is traced to the op that made it.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_ROWELEMENTS_H
#define PASSES_ROWELEMENTS_H

#include "dialects/ds/IR/DsDialect.h"
#include <vector>

namespace mlir::ds {

/// Element `index` of what `source` [N, rest…] gives a token, counted in row
/// major order of rest.
struct RowElement {
  Value source;
  int64_t index;
  bool operator==(const RowElement &other) const = default;
};

/// The elements of a row of `rows` [N, rest…], rest fixed, in row-major order.
/// Row n of `rows` is made of row n of each source; a source is no view.
std::vector<RowElement> rowElements(Value rows);

} // namespace mlir::ds

#endif // PASSES_ROWELEMENTS_H
