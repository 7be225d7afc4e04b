//===- SymbolicElement.h - one element of a tensor, symbolically -*- C++
//-*-===//
//
// Exporters build masks and positions in many spellings: ranges, comparisons,
// gathers from a flattened mask, running sums. Instead of one pattern for each,
// raising asks what a single element is: the value at index (b, h, s, t) is
// followed through the ops that made the tensor down to sizes, constants and
// graph inputs. Two spellings of one mask give one term.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_SYMBOLICELEMENT_H
#define PASSES_SYMBOLICELEMENT_H

#include "dialects/ds/IR/DsDialect.h"
#include "passes/Polynomial.h"
#include "llvm/ADT/DenseMap.h"
#include <memory>

namespace mlir::ds {

/// A scalar as far as it is understood. Immutable, shared.
struct Term;
using TermRef = std::shared_ptr<const Term>;
struct Term {
  enum class Kind {
    Integer,     // polynomial
    Number,      // number
    Boolean,     // truth
    NonNegative, // polynomial >= 0
    Not,         // args[0]
    And,         // args[0], args[1]
    Or,          // args[0], args[1]
    Select,      // args[0] ? args[1] : args[2]
    AnyAlong,    // args[0] for some value of `symbol` in [0, polynomial)
    Element,     // value[indices]: a graph input or something not understood
  };
  Kind kind;
  Polynomial polynomial;
  double number = 0;
  bool truth = false;
  unsigned symbol = 0;
  SmallVector<TermRef, 3> args;
  Value value;
  SmallVector<Polynomial, 4> indices;
};

/// Sizes and elements of the tensors of one function.
class SymbolicElements {
public:
  /// A new symbol for an index that runs over [0, size).
  Polynomial newIndex(const Polynomial &size);
  /// A symbol for something not understood; equal keys give equal symbols. It
  /// is a size: never negative.
  Polynomial opaqueSize(Value value, int64_t dim = -1);
  /// From now on the size of dimension `dim` of block argument `argument`.
  void assumeSize(Value argument, int64_t dim, const Polynomial &size);
  /// From now on the element of `argument` at `indices` is what `element` says.
  using ElementFn = std::function<TermRef(ArrayRef<Polynomial> indices)>;
  void assumeElement(Value argument, ElementFn element);

  Polynomial sizeOf(Value tensor, int64_t dim);
  Polynomial valueOf(Value index);
  Polynomial valueOf(OpFoldResult index);

  /// The element of `tensor` at `indices` (one per dimension).
  TermRef elementOf(Value tensor, ArrayRef<Polynomial> indices);
  /// The same, but followed only through what moves elements: views, gathers,
  /// casts to wider floats. Its Element is what a pattern may match.
  TermRef originOf(Value tensor, ArrayRef<Polynomial> indices);

  /// An index that a tensor holds: an element of `tensor`, whose elements count
  /// from 0 to `size`. Equal elements are one symbol.
  Polynomial storedIndex(Value tensor, ArrayRef<Polynomial> indices,
                         const Polynomial &size);
  /// From now on what storedIndex gives for this element.
  void assumeStoredIndex(Value tensor, ArrayRef<Polynomial> indices,
                         const Polynomial &index);
  /// The element that `index` stands for, if it is one symbol of storedIndex.
  TermRef storedAs(const Polynomial &index) const;

  /// Whether `value` is >= 0 for all values of indices and sizes.
  bool isNonNegative(const Polynomial &value) const;

  /// `indices` into a result, for an `operand` that broadcasts to it.
  static SmallVector<Polynomial> broadcastIndices(Value operand,
                                                  ArrayRef<Polynomial> indices);

  /// An additive or boolean attention mask as the condition "may attend"; null
  /// if `term` is no such mask. Additive: 0 where allowed, <= -1e4 elsewhere.
  TermRef asAllowed(const TermRef &term) const;

  TermRef integer(const Polynomial &value) const;
  TermRef number(double value) const;
  TermRef boolean(bool value) const;

private:
  Polynomial argumentSize(BlockArgument argument, int64_t dim);
  TermRef compute(Value tensor, ArrayRef<Polynomial> indices);
  TermRef elementwise(ElementwiseOp op, ArrayRef<Polynomial> indices);
  TermRef constant(DenseElementsAttr value, Value tensor,
                   ArrayRef<Polynomial> indices);
  TermRef reduction(ReduceOp op, ArrayRef<Polynomial> indices);
  TermRef reshaped(ReshapeOp op, ArrayRef<Polynomial> indices);
  TermRef concatenated(ConcatOp op, ArrayRef<Polynomial> indices);
  TermRef gatheredNd(GatherNdOp op, ArrayRef<Polynomial> indices);
  std::optional<Polynomial> indexAt(Value tensor, ArrayRef<Polynomial> indices);
  TermRef inverted(ScatterNdOp op, ArrayRef<Polynomial> indices);
  TermRef chosen(TopKOp op, Value tensor, ArrayRef<Polynomial> indices);
  std::optional<std::pair<Polynomial, Polynomial>>
  divide(const Polynomial &value, const Polynomial &size) const;
  TermRef opaque(Value tensor, ArrayRef<Polynomial> indices) const;
  TermRef notTerm(const TermRef &a) const;
  TermRef andTerm(const TermRef &a, const TermRef &b) const;
  TermRef orTerm(const TermRef &a, const TermRef &b) const;
  TermRef nonNegative(const Polynomial &value) const;
  TermRef select(const TermRef &c, const TermRef &a, const TermRef &b) const;
  TermRef arithmetic(ElementwiseKind kind, const TermRef &a,
                     const TermRef &b) const;
  TermRef compare(ElementwiseKind kind, const TermRef &a,
                  const TermRef &b) const;
  TermRef truthOf(const TermRef &a) const;
  TermRef substitute(const TermRef &term, unsigned symbol,
                     const Polynomial &value) const;

  unsigned symbolCount = 0;
  /// Index symbols: the size of the range they run over.
  std::map<unsigned, Polynomial> indexSizes;
  DenseMap<std::pair<Value, int64_t>, Polynomial> sizes;
  DenseMap<Value, ElementFn> elements;
  /// Per tensor: its elements that are indices.
  DenseMap<Value,
           SmallVector<std::pair<SmallVector<Polynomial, 4>, Polynomial>>>
      stored;
  std::map<unsigned, TermRef> storedBySymbol;
  bool movesOnly = false;
};

} // namespace mlir::ds

#endif // PASSES_SYMBOLICELEMENT_H
