//===- Sizes.h - index arithmetic that folds and shares -------*- C++ -*-===//
//
// Sizes are OpFoldResults: numbers, or index values. Equal expressions give one
// value, so that "are these sizes equal" is a comparison of values for
// everything that passes downstream want to know.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_ONNXTODS_SIZES_H
#define LOWERING_ONNXTODS_SIZES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"
#include <map>

namespace mlir::onnx {

class Sizes {
public:
  explicit Sizes(OpBuilder &builder) : builder(builder) {}

  OpFoldResult number(int64_t value) { return builder.getIndexAttr(value); }
  OpFoldResult add(OpFoldResult a, OpFoldResult b);
  OpFoldResult sub(OpFoldResult a, OpFoldResult b);
  OpFoldResult mul(OpFoldResult a, OpFoldResult b);
  /// Rounds towards minus infinity.
  OpFoldResult floorDiv(OpFoldResult a, OpFoldResult b);
  OpFoldResult min(OpFoldResult a, OpFoldResult b);
  OpFoldResult max(OpFoldResult a, OpFoldResult b);
  /// a == b ? x : y
  OpFoldResult selectEqual(OpFoldResult a, OpFoldResult b, OpFoldResult x,
                           OpFoldResult y);
  /// a < 0 ? x : y
  OpFoldResult selectNegative(OpFoldResult a, OpFoldResult x, OpFoldResult y);
  OpFoldResult product(ArrayRef<OpFoldResult> values);

  Value asValue(OpFoldResult size);

  /// What is shared so far. Restored after a region was thrown away or moved:
  /// its block must not be found again.
  struct State;
  State save() const;
  void restore(State state);

private:
  using Key = std::tuple<unsigned, const void *, const void *, Block *>;
  Key keyOf(unsigned op, OpFoldResult a, OpFoldResult b);
  OpFoldResult cached(unsigned op, OpFoldResult a, OpFoldResult b,
                      llvm::function_ref<Value(Value, Value)> make);

  OpBuilder &builder;
  std::map<Key, Value> cache;
  std::map<std::pair<int64_t, Block *>, Value> constants;
};

struct Sizes::State {
  std::map<Key, Value> cache;
  std::map<std::pair<int64_t, Block *>, Value> constants;
};

inline Sizes::State Sizes::save() const { return {cache, constants}; }
inline void Sizes::restore(State state) {
  cache = std::move(state.cache);
  constants = std::move(state.constants);
}

} // namespace mlir::onnx

#endif // LOWERING_ONNXTODS_SIZES_H
