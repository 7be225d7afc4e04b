//===- ForwardScatters.cpp - assignment to a range is no scatter ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Builders.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/SymbolicElement.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FORWARDSCATTERS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// The corner of the box of `input` that `indices` name element by element, in
/// order: [n0, …, nk−1, k] or, of rows alone, [n0, 1].
static std::optional<SmallVector<int64_t>> cornerOf(Value indices,
                                                    SymbolicElements &symbols) {
  RankedTensorType type = tensorType(indices);
  int64_t boxRank = type.getRank() - 1;
  if (boxRank < 1 || type.getShape().back() != boxRank)
    return std::nullopt;
  SmallVector<Polynomial> at;
  for (int64_t d = 0; d < boxRank; ++d)
    at.push_back(symbols.newIndex(symbols.sizeOf(indices, d)));
  SmallVector<int64_t> corner;
  for (int64_t d = 0; d < boxRank; ++d) {
    SmallVector<Polynomial> coordinate(at);
    coordinate.push_back(d);
    TermRef element = symbols.elementOf(indices, coordinate);
    if (element->kind != Term::Kind::Integer)
      return std::nullopt;
    std::optional<int64_t> first = (element->polynomial - at[d]).getConstant();
    if (!first || *first < 0)
      return std::nullopt;
    corner.push_back(*first);
  }
  return corner;
}

/// The one dimension along which the updates at `corner` are less than the
/// whole input; 0 if they are the whole.
static std::optional<int64_t> axisOf(ScatterNdOp op, ArrayRef<int64_t> corner,
                                     SymbolicElements &symbols) {
  std::optional<int64_t> axis;
  for (auto [d, first] : llvm::enumerate(corner)) {
    if (first == 0 &&
        symbols.sizeOf(op.getIndices(), d) == symbols.sizeOf(op.getInput(), d))
      continue;
    if (axis)
      return std::nullopt;
    axis = d;
  }
  return axis.value_or(0);
}

namespace {
struct ForwardScatters : ds::impl::ForwardScattersBase<ForwardScatters> {
  void runOnOperation() override {
    SmallVector<ScatterNdOp> scatters;
    getOperation()->walk([&](ScatterNdOp op) { scatters.push_back(op); });
    SymbolicElements symbols;
    for (ScatterNdOp op : scatters) {
      if (op.getKind() != ScatterKind::None)
        continue;
      std::optional<SmallVector<int64_t>> corner =
          cornerOf(op.getIndices(), symbols);
      std::optional<int64_t> axis =
          corner ? axisOf(op, *corner, symbols) : std::nullopt;
      if (!axis)
        continue;
      int64_t first = (*corner)[*axis], size = op.getType().getDimSize(*axis),
              count = tensorType(op.getUpdates()).getDimSize(*axis),
              end = first + count;
      if (ShapedType::isDynamic(size) || ShapedType::isDynamic(count) ||
          count == 0 || end > size)
        continue;
      OpBuilder b(op);
      Location loc = op.getLoc();
      Value input = op.getInput();
      SmallVector<Value> parts;
      if (first > 0)
        parts.push_back(sliceAlong(b, loc, input, *axis, 0, first));
      parts.push_back(op.getUpdates());
      if (end < size)
        parts.push_back(sliceAlong(b, loc, input, *axis, end, size - end));
      op.replaceAllUsesWith(
          ConcatOp::create(b, loc, op.getType(), uint64_t(*axis), parts)
              .getResult());
      op.erase();
    }
  }
};
} // namespace
