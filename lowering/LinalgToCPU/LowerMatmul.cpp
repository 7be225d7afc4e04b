//===- LowerMatmul.cpp - products of two activations, in vectors ----------===//
//
// See Passes.td. A tile is some rows of the left side by some vectors of
// columns of the right one. Its sums stay in registers while k ascends, and
// each element has one sum of its own: neither the height nor the width of a
// tile, nor a mask at the end of a row, changes an element's bits. The right
// side is read where it lies: an activation is used once, packing it would cost
// as much as it saves.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "lowering/LinalgToCPU/RowVectors.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERMATMUL
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// f32 lanes of one vector op; where registers are narrower LLVM splits them.
static constexpr int64_t lanes = 16;
/// Heights of tiles, used in this order. The sums, a vector of each part of the
/// right side and a broadcast element of the left one fill the registers: 6 × 4
/// sums of 32, 6 × 2 of 16.
static constexpr int64_t heights[] = {6, 2, 1};
/// Rows that pass by one panel of the right side while it is in a cache.
static constexpr int64_t chunkRows = 48;
/// Steps of k per turn of the loop.
static constexpr int64_t unrolling = 4;

namespace {

/// Emits the code of one product.
class MatmulEmitter {
public:
  MatmulEmitter(OpBuilder &b, MatmulOp op, Value lhs, Value rhs,
                RankedTensorType type, int64_t maxParts)
      : b(b), loc(op.getLoc()), lhs(lhs), rhs(rhs), type(type),
        n(type.getShape().back()), // May be dynamic.
        parts(
            ShapedType::isDynamic(n)
                ? maxParts
                : std::clamp<int64_t>(llvm::divideCeil(n, lanes), 1, maxParts)),
        sum(VectorType::get({lanes}, b.getF32Type())) {}

  /// The result, whose sizes are `sizes`.
  Value emit(ArrayRef<OpFoldResult> sizes) {
    int64_t rank = type.getRank();
    rows = asValue(sizes[rank - 2]);
    columns = asValue(sizes[rank - 1]);
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

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value asValue(OpFoldResult size) {
    return getValueOrCreateConstantIndexOp(b, loc, size);
  }
  Value add(Value a, Value x) { return arith::AddIOp::create(b, loc, a, x); }
  Value add(Value a, int64_t x) { return x == 0 ? a : add(a, index(x)); }

  /// The batch indices of an operand: its dimensions of size 1 are broadcast.
  SmallVector<Value> batchOf(Value operand, ValueRange batch) {
    auto own = cast<RankedTensorType>(operand.getType());
    SmallVector<Value> at;
    int64_t missing = type.getRank() - own.getRank();
    for (int64_t d = 0; d + 2 < own.getRank(); ++d)
      at.push_back(own.getDimSize(d) == 1 ? index(0) : batch[d + missing]);
    return at;
  }

  /// Body of the parallel loop: `chunkRows` rows of one panel of columns.
  void emitPanel(ValueRange ivs, Value out) {
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
          return emitRows(tile, first, count, partial);
        });
    auto terminator = scf::InParallelOp::create(b, loc);
    b.setInsertionPointToStart(terminator.getBody());
    tensor::ParallelInsertSliceOp::create(b, loc, tile, out, offsets, sizes,
                                          strides);
  }

  /// Fills `count` rows of `tile`; its columns are masked where `partial`.
  Value emitRows(Value tile, Value first, Value count, bool partial) {
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

  /// Sums of `height` rows from `row` on: [height][parts] vectors.
  SmallVector<Value> emitTile(Value row, int64_t height, bool partial) {
    SmallVector<Value> tileRows;
    for (int64_t r = 0; r < height; ++r)
      tileRows.push_back(add(row, r));
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(sum));
    SmallVector<Value> sums(height * parts, zero);
    Value rest = arith::RemUIOp::create(b, loc, depth, index(unrolling));
    Value turns = arith::SubIOp::create(b, loc, depth, rest);
    auto steps = [&](Value from, Value to, int64_t step) {
      auto loop = scf::ForOp::create(b, loc, from, to, index(step), sums);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      SmallVector<Value> inner(loop.getRegionIterArgs());
      for (int64_t s = 0; s < step; ++s)
        emitStep(tileRows, add(loop.getInductionVar(), s), inner, partial);
      scf::YieldOp::create(b, loc, inner);
      sums = loop.getResults();
    };
    steps(index(0), turns, unrolling);
    steps(turns, depth, 1);
    return sums;
  }

  /// Adds the products of one k.
  void emitStep(ArrayRef<Value> tileRows, Value k, SmallVectorImpl<Value> &sums,
                bool partial) {
    RowVectors vectors{b, loc, lanes};
    SmallVector<Value> loaded, at(rhsAt);
    at.append({k, Value()});
    for (int64_t part = 0; part < parts; ++part) {
      at.back() = add(column, part * lanes);
      loaded.push_back(vectors.read(rhs, at, partial));
    }
    at = lhsAt;
    at.append({Value(), k});
    for (auto [r, row] : llvm::enumerate(tileRows)) {
      at[at.size() - 2] = row;
      Value x = tensor::ExtractOp::create(b, loc, lhs, at);
      Value all = vectors.broadcast(x);
      for (int64_t part = 0; part < parts; ++part) {
        Value &acc = sums[r * parts + part];
        acc = vector::FMAOp::create(b, loc, all, loaded[part], acc);
      }
    }
  }

  OpBuilder &b;
  Location loc;
  Value lhs, rhs;
  RankedTensorType type;
  int64_t n, parts;
  VectorType sum;
  /// Sizes M, N and K.
  Value rows, columns, depth;
  /// Of the panel at hand.
  Value column;
  SmallVector<Value> lhsAt, rhsAt;
};

struct LowerMatmul : ds::impl::LowerMatmulBase<LowerMatmul> {
  using LowerMatmulBase::LowerMatmulBase;

  void runOnOperation() override {
    SmallVector<MatmulOp> ops;
    getOperation()->walk([&](MatmulOp op) {
      if (llvm::all_of(ValueRange{op.getLhs(), op.getRhs(), op.getResult()},
                       [](Value value) {
                         return RowVectors::isSupported(
                             getElementTypeOrSelf(value.getType()));
                       }))
        ops.push_back(op);
    });
    for (MatmulOp op : ops)
      if (failed(lower(op)))
        return signalPassFailure();
  }

private:
  LogicalResult lower(MatmulOp op) {
    OpBuilder b(op);
    ReifiedRankedShapedTypeDims sizes;
    if (failed(reifyResultShapes(b, op, sizes)))
      return op.emitError("has a result whose sizes are not known");
    Location loc = op.getLoc();
    // An element of the left side is used for few columns at a time: widened
    // once, not at each use.
    Value lhs = op.getLhs();
    auto narrow = cast<RankedTensorType>(lhs.getType());
    if (!narrow.getElementType().isF32())
      lhs = CastOp::create(
          b, loc, RankedTensorType::get(narrow.getShape(), b.getF32Type()),
          lhs);
    auto type = cast<RankedTensorType>(op.getType());
    int64_t parts = vectorLanes == 16 ? 4 : 1;
    Value result =
        MatmulEmitter(b, op, lhs, op.getRhs(), type, parts).emit(sizes[0]);
    if (result.getType() != type)
      result = tensor::CastOp::create(b, loc, type, result);
    op.replaceAllUsesWith(result);
    op.erase();
    return success();
  }
};

} // namespace
