//===- ForwardGathers.cpp - a lookup of every row in order is no lookup ---===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Builders.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/SymbolicElement.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FORWARDGATHERS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// Whether `indices` count every row once, in row-major order, up to `rows`.
static bool countsRows(Value indices, const Polynomial &rows,
                       SymbolicElements &symbols) {
  SmallVector<Polynomial> at;
  Polynomial number, total(1);
  for (int64_t d = 0; d < tensorType(indices).getRank(); ++d) {
    Polynomial size = symbols.sizeOf(indices, d);
    at.push_back(size == Polynomial(1) ? Polynomial(0)
                                       : symbols.newIndex(size));
    number = number * size + at.back();
    total = total * size;
  }
  if (!(total == rows))
    return false;
  TermRef element = symbols.elementOf(indices, at);
  return element->kind == Term::Kind::Integer && element->polynomial == number;
}

/// A lookup of one constant place along the axis: the slice there.
static Value sliceFor(GatherOp op, SymbolicElements &symbols) {
  RankedTensorType indices = tensorType(op.getIndices()),
                   input = tensorType(op.getInput());
  int64_t axis = op.getAxis(), size = input.getDimSize(axis);
  if (!indices.hasStaticShape() || indices.getNumElements() != 1 ||
      ShapedType::isDynamic(size))
    return nullptr;
  SmallVector<Polynomial> at(indices.getRank(), Polynomial(0));
  TermRef element = symbols.elementOf(op.getIndices(), at);
  std::optional<int64_t> place = element->kind == Term::Kind::Integer
                                     ? element->polynomial.getConstant()
                                     : std::nullopt;
  if (!place || *place < -size || *place >= size)
    return nullptr;
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value slice = sliceAlong(builder, loc, op.getInput(), axis,
                           *place < 0 ? *place + size : *place, 1);
  SmallVector<Value> dims;
  for (int64_t d = 0; d < input.getRank(); ++d)
    if (input.isDynamicDim(d))
      dims.push_back(tensor::DimOp::create(builder, loc, slice, d));
  return ReshapeOp::create(builder, loc, op.getType(), slice, dims);
}

namespace {
struct ForwardGathers : ds::impl::ForwardGathersBase<ForwardGathers> {
  void runOnOperation() override {
    SmallVector<GatherOp> gathers;
    getOperation()->walk([&](GatherOp op) { gathers.push_back(op); });
    SymbolicElements symbols;
    for (GatherOp op : gathers) {
      int64_t axis = op.getAxis();
      Value input = op.getInput(), indices = op.getIndices();
      if (Value slice = sliceFor(op, symbols)) {
        op.replaceAllUsesWith(slice);
        op.erase();
        continue;
      }
      if (!countsRows(indices, symbols.sizeOf(input, axis), symbols))
        continue;
      // Rows in their order under the shape of the indices: a reshape.
      OpBuilder builder(op);
      RankedTensorType type = op.getType();
      int64_t indexRank = tensorType(indices).getRank();
      SmallVector<Value> dims;
      for (int64_t d = 0; d < type.getRank(); ++d) {
        if (!type.isDynamicDim(d))
          continue;
        bool ofIndices = d >= axis && d < axis + indexRank;
        int64_t from = d < axis ? d : ofIndices ? d - axis : d - indexRank + 1;
        dims.push_back(tensor::DimOp::create(
            builder, op.getLoc(), ofIndices ? indices : input, from));
      }
      op.replaceAllUsesWith(
          ReshapeOp::create(builder, op.getLoc(), type, input, dims)
              .getResult());
      op.erase();
    }
  }
};
} // namespace
