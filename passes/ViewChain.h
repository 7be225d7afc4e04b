//===- ViewChain.h - reshapes, transposes and repeats as one view -*- C++
//-*-===//
//
// A chain of ds.reshape, ds.transpose and ds.broadcast only moves and repeats
// elements. Taken apart it is: the dimensions of the root, some of them split,
// put into another order, regrouped, with repeated dimensions in between. Two
// spellings of one view (keys transposed through a merged batch, heads repeated
// by Expand or Tile) have the same atoms.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_VIEWCHAIN_H
#define PASSES_VIEWCHAIN_H

#include "passes/SymbolicElement.h"

namespace mlir::ds {

/// A part of a dimension of the root, or a repetition. Never of size 1.
struct ViewAtom {
  Polynomial size;
  /// Dimension of the root; −1 for a repetition.
  int64_t rootDim = -1;
  /// How far apart its elements are in the root dimension: 1 for the whole
  /// dimension and for the innermost part of it.
  int64_t stride = 1;

  bool operator==(const ViewAtom &other) const = default;
  bool isRepeat() const { return rootDim < 0; }
};

struct ViewChain {
  Value root;
  /// Per dimension of the viewed value, outermost first; empty for size 1.
  /// Parts of a root dimension that stand as they do there are one atom.
  SmallVector<SmallVector<ViewAtom, 2>> dims;

  /// Takes the views above `value` apart. Where a reshape does not split along
  /// atoms, the root is the reshape's result. With `scale`, products with one
  /// number are seen through too and multiply it.
  static ViewChain of(Value value, SymbolicElements &symbols,
                      double *scale = nullptr);

  /// What `views` make of `root`, the outermost view first.
  static ViewChain through(Value root, ArrayRef<Operation *> views,
                           SymbolicElements &symbols);

  bool hasRepeats() const {
    return llvm::any_of(dims, [](auto &dim) {
      return llvm::any_of(dim, std::mem_fn(&ViewAtom::isRepeat));
    });
  }

  /// The non-repeated elements with result dimension i made of the atoms
  /// `wanted[i]`, as reshape, transpose, reshape of the root (each only where
  /// needed). Every atom that is no repetition must be in `wanted` once.
  Value materialize(OpBuilder &builder, Location loc,
                    ArrayRef<SmallVector<ViewAtom, 2>> wanted) const;

  /// The permutation of the root's dimensions that gives `wanted`, if nothing
  /// else is needed: no dimension split, merged or repeated. Unit dimensions
  /// take the places that are left, in order.
  std::optional<SmallVector<int64_t>>
  asPermutation(ArrayRef<SmallVector<ViewAtom, 2>> wanted) const;
};

} // namespace mlir::ds

#endif // PASSES_VIEWCHAIN_H
