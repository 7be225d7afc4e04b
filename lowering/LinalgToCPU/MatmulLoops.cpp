//===- MatmulLoops.cpp - loops around a product of tensors ----------------===//
#include "lowering/LinalgToCPU/MatmulLoops.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;
using namespace mlir::ds;

/// Rows that pass by one panel of the right side while it is in a cache.
static constexpr int64_t chunkRows = 48;

Value MatmulLoops::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

int64_t MatmulLoops::panelParts(RankedTensorType type, int64_t most) {
  int64_t n = type.getShape().back();
  return ShapedType::isDynamic(n)
             ? most
             : std::clamp<int64_t>(llvm::divideCeil(n, lanes), 1, most);
}

Value MatmulLoops::emit(ArrayRef<OpFoldResult> sizes) {
  int64_t rank = type.getRank();
  rows = getValueOrCreateConstantIndexOp(b, loc, sizes[rank - 2]);
  columns = getValueOrCreateConstantIndexOp(b, loc, sizes[rank - 1]);
  depth = tensor::DimOp::create(
      b, loc, lhs, cast<RankedTensorType>(lhs.getType()).getRank() - 1);
  SmallVector<OpFoldResult> bounds(sizes.drop_back(2));
  RowVectors vectors{b, loc, lanes};
  bounds.push_back(vectors.panelCount(sizes[rank - 2], chunkRows));
  bounds.push_back(vectors.panelCount(sizes[rank - 1], parts * lanes));
  Value init = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
  auto loop =
      scf::ForallOp::create(b, loc, bounds, init, std::nullopt,
                            [&](OpBuilder &inner, Location, ValueRange args) {
                              OpBuilder::InsertionGuard guard(b);
                              b.setInsertionPoint(inner.getInsertionBlock(),
                                                  inner.getInsertionPoint());
                              emitPanel(args.drop_back(), args.back());
                            });
  return loop.getResult(0);
}

/// The batch indices of an operand: its dimensions of size 1 are broadcast.
SmallVector<Value> MatmulLoops::batchOf(Value operand, ValueRange batch) {
  auto own = cast<RankedTensorType>(operand.getType());
  SmallVector<Value> at;
  int64_t missing = type.getRank() - own.getRank();
  for (int64_t d = 0; d + 2 < own.getRank(); ++d)
    at.push_back(own.getDimSize(d) == 1 ? index(0) : batch[d + missing]);
  return at;
}

/// Body of the parallel loop: `chunkRows` rows of one panel of columns.
void MatmulLoops::emitPanel(ValueRange ivs, Value out) {
  ValueRange batch = ivs.drop_back(2);
  Value first =
      arith::MulIOp::create(b, loc, ivs[ivs.size() - 2], index(chunkRows));
  int64_t panel = parts * lanes;
  column = arith::MulIOp::create(b, loc, ivs.back(), index(panel));
  Value count = arith::MinUIOp::create(
      b, loc, arith::SubIOp::create(b, loc, rows, first), index(chunkRows));
  Value left = arith::SubIOp::create(b, loc, columns, column);
  OpFoldResult width = b.getIndexAttr(panel);
  bool alwaysWhole = RowVectors::allWhole(n, panel);
  if (!alwaysWhole)
    width = arith::MinUIOp::create(b, loc, left, index(panel)).getResult();
  int64_t rank = type.getRank();
  SmallVector<OpFoldResult> offsets(batch), sizes(rank, b.getIndexAttr(1)),
      strides(rank, b.getIndexAttr(1));
  offsets.append({first, column});
  sizes[rank - 2] = count;
  sizes[rank - 1] = width;
  auto tileType = RankedTensorType::get(
      {ShapedType::kDynamic, alwaysWhole ? panel : ShapedType::kDynamic},
      type.getElementType());
  Value tile = tensor::ExtractSliceOp::create(b, loc, tileType, out, offsets,
                                              sizes, strides);
  lhsAt = batchOf(lhs, batch);
  rhsAt = batchOf(rhs, batch);
  tile = RowVectors{b, loc, lanes}.wholeOrPartial(
      n, panel, left, tileType, [&](RowVectors &, bool partial) {
        enterPanel(left, partial);
        return emitRows(tile, first, count, partial);
      });
  auto terminator = scf::InParallelOp::create(b, loc);
  b.setInsertionPointToStart(terminator.getBody());
  tensor::ParallelInsertSliceOp::create(b, loc, tile, out, offsets, sizes,
                                        strides);
}

/// Fills `count` rows of `tile`; its columns are masked where `partial`.
Value MatmulLoops::emitRows(Value tile, Value first, Value count,
                            bool partial) {
  Value done = index(0);
  for (int64_t height : heights) {
    Value end = count;
    if (height > 1) {
      Value rest = arith::RemUIOp::create(
          b, loc, arith::SubIOp::create(b, loc, count, done), index(height));
      end = arith::SubIOp::create(b, loc, count, rest);
    }
    auto loop = scf::ForOp::create(b, loc, done, end, index(height), tile);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value row = loop.getInductionVar();
    SmallVector<Value> sums = emitTile(add(first, row), height, partial);
    Value written = loop.getRegionIterArg(0);
    RowVectors vectors{b, loc, lanes};
    for (int64_t r = 0; r < height; ++r)
      for (int64_t part = 0; part < parts; ++part)
        written = vectors.write(sums[r * parts + part], written,
                                ValueRange{add(row, r), index(part * lanes)},
                                partial);
    scf::YieldOp::create(b, loc, written);
    tile = loop.getResult(0);
    done = end;
  }
  return tile;
}
