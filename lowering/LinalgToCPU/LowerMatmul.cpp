//===- LowerMatmul.cpp - products of two activations, in vectors ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/MatmulLoops.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERMATMUL
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// Heights of tiles, used in this order. The sums, a vector of each part of the
/// right side and a broadcast element of the left one fill the registers: 6 × 4
/// sums of 32, 6 × 2 of 16.
static constexpr int64_t tileHeights[] = {6, 2, 1};
/// Steps of k per turn of the loop.
static constexpr int64_t unrolling = 4;

namespace {

/// Sums in f32: one fused multiply-add per k and element.
class FloatMatmul : public MatmulLoops {
public:
  FloatMatmul(OpBuilder &b, Location loc, Value lhs, Value rhs,
              RankedTensorType type, int64_t maxParts)
      : MatmulLoops(b, loc, lhs, rhs, type, panelParts(type, maxParts),
                    tileHeights) {}

private:
  SmallVector<Value> emitTile(Value row, int64_t height,
                              bool partial) override {
    SmallVector<Value> tileRows;
    for (int64_t r = 0; r < height; ++r)
      tileRows.push_back(add(row, r));
    Value zero = RowVectors{b, loc, lanes}.splat(0);
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
        FloatMatmul(b, loc, lhs, op.getRhs(), type, parts).emit(sizes[0]);
    if (result.getType() != type)
      result = tensor::CastOp::create(b, loc, type, result);
    op.replaceAllUsesWith(result);
    op.erase();
    return success();
  }
};

} // namespace
