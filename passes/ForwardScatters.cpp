//===- ForwardScatters.cpp - assignment to consecutive rows is no scatter -===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/SymbolicElement.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FORWARDSCATTERS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// The first of the consecutive rows that `indices`, [n, 1], name, if they do.
static std::optional<int64_t> firstRow(Value indices,
                                       SymbolicElements &symbols) {
  RankedTensorType type = tensorType(indices);
  if (type.getRank() != 2 || type.getDimSize(1) != 1)
    return std::nullopt;
  Polynomial row = symbols.newIndex(symbols.sizeOf(indices, 0));
  TermRef element = symbols.elementOf(indices, {row, Polynomial(0)});
  if (element->kind != Term::Kind::Integer)
    return std::nullopt;
  return (element->polynomial - row).getConstant();
}

/// Rows [first, first + count) of `input`.
static Value rowsOf(OpBuilder &b, Location loc, Value input, int64_t first,
                    int64_t count) {
  int64_t rank = tensorType(input).getRank();
  SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0)),
      sizes = tensor::getMixedSizes(b, loc, input),
      strides(rank, b.getIndexAttr(1));
  offsets[0] = b.getIndexAttr(first);
  sizes[0] = b.getIndexAttr(count);
  return SliceOp::create(b, loc, input, offsets, sizes, strides);
}

namespace {
struct ForwardScatters : ds::impl::ForwardScattersBase<ForwardScatters> {
  void runOnOperation() override {
    SmallVector<ScatterNdOp> scatters;
    getOperation()->walk([&](ScatterNdOp op) { scatters.push_back(op); });
    SymbolicElements symbols;
    for (ScatterNdOp op : scatters) {
      int64_t size = op.getType().getDimSize(0),
              count = tensorType(op.getUpdates()).getDimSize(0);
      if (op.getKind() != ScatterKind::None || ShapedType::isDynamic(size) ||
          ShapedType::isDynamic(count) || count == 0)
        continue;
      std::optional<int64_t> first = firstRow(op.getIndices(), symbols);
      if (!first || *first < 0 || *first > size - count)
        continue;
      OpBuilder b(op);
      SmallVector<Value> parts;
      if (*first > 0)
        parts.push_back(rowsOf(b, op.getLoc(), op.getInput(), 0, *first));
      parts.push_back(op.getUpdates());
      int64_t end = *first + count;
      if (end < size)
        parts.push_back(rowsOf(b, op.getLoc(), op.getInput(), end, size - end));
      Value whole = ConcatOp::create(b, op.getLoc(), op.getType(),
                                     /*axis=*/uint64_t{0}, parts);
      op.replaceAllUsesWith(whole);
      op.erase();
    }
  }
};
} // namespace
