//===- PackedOperands.h - rows of packed weights -----*- C++ -*-===//
//
// Private to passes/. What ds-fuse-epilogues and ds-fuse-rope share: an
// epilogue that combines two outputs wants them in one panel, so the rows of
// weight, scales, zero points and bias change places before they are packed.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_PACKEDOPERANDS_H
#define PASSES_PACKEDOPERANDS_H

#include "passes/SymbolicElement.h"

namespace mlir::ds {

/// Whether `op` is a product with packed weights and every operand that has
/// something for each output is a ds.pack that nothing else reads: they can be
/// reordered.
bool hasOwnPackedWeights(Operation *op);

/// Whether SwiGLU, a residual or a rotation is part of the packed `product`.
bool hasEpilogue(Operation *product);

/// Whether `product` takes the rows of each expert by that expert's weight.
bool isGrouped(Operation *product);

/// The dimension of the outputs of an operand before packing: [N, …], or
/// [E, N, K] of experts. "Rows" below are along it.
int64_t outputDim(RankedTensorType type);

/// Packs `order` of the rows of each operand that has something for each
/// output, and of the bias. `product` satisfies
/// `hasOwnPackedWeights`; new values stand before it.
using RowOrder = llvm::function_ref<Value(OpBuilder &, Location, Value rows)>;
void reorderOutputs(Operation *product, RowOrder order);

/// The columns [first, first + count) that `slice` is of its input, all rows of
/// them; nothing if that is not proven.
struct Columns {
  int64_t first, count;
  bool operator==(const Columns &) const = default;
};
std::optional<Columns> columnsOf(SymbolicElements &symbols, SliceOp slice);

/// Rows [first, first + count) of `value`, static sizes.
Value sliceOfRows(OpBuilder &b, Location loc, Value value, int64_t first,
                  int64_t count);

/// The rows of `value`, [groups, 2, blocks, 16] or, with `inPairs`, [groups,
/// blocks, 16, 2], as [groups, blocks, 2, 16]: a panel has 16 first members
/// and the 16 second ones.
Value membersInPanels(OpBuilder &b, Location loc, Value value, int64_t groups,
                      bool inPairs);

/// Calls `pack` for every ds.linear and ds.grouped_linear in `root`, which it
/// may replace.
template <typename Pack> void forEachProduct(Operation *root, Pack pack) {
  SmallVector<Operation *> products;
  root->walk([&](Operation *op) {
    if (isa<LinearOp, GroupedLinearOp>(op))
      products.push_back(op);
  });
  for (Operation *op : products) {
    if (auto linear = dyn_cast<LinearOp>(op))
      pack(linear);
    else
      pack(cast<GroupedLinearOp>(op));
  }
}

} // namespace mlir::ds

#endif // PASSES_PACKEDOPERANDS_H
