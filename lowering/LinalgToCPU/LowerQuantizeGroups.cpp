//===- LowerQuantizeGroups.cpp - rows become whole numbers, in vectors ----===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/RowVectors.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <limits>

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERQUANTIZEGROUPS
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Emits one row: data, scales and sums of all its groups.
class GroupEmitter {
public:
  GroupEmitter(RowVectors &rows, QuantizeGroupsOp op, Value row)
      : v(rows), b(rows.b), loc(rows.loc), input(op.getInput()), row(row),
        columns(cast<RankedTensorType>(input.getType()).getShape().back()),
        group(op.getGroup()), largest((1 << (op.getBits() - 1)) - 1) {}

  /// `tensors`: [4·ceil(K / 4)] i8, [G] f32, [G] i32.
  SmallVector<Value> emit(ValueRange tensors) {
    SmallVector<Value> carried(tensors);
    int64_t whole = columns / group;
    if (whole > 0) {
      auto loop = scf::ForOp::create(b, loc, v.index(0), v.index(whole),
                                     v.index(1), carried);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      SmallVector<Value> next(loop.getRegionIterArgs());
      emitGroup(loop.getInductionVar(), group, next);
      scf::YieldOp::create(b, loc, next);
      carried = loop.getResults();
    }
    if (whole * group < columns)
      emitGroup(v.index(whole), columns - whole * group, carried);
    return carried;
  }

private:
  Value number(double value) {
    return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(float(value)));
  }

  void emitGroup(Value g, int64_t length, SmallVectorImpl<Value> &carried) {
    Value first = arith::MulIOp::create(b, loc, g, v.index(group));
    SmallVector<Value> values;
    Value most = v.splat(0);
    for (int64_t at = 0; at < length; at += v.lanes) {
      Value x = v.read(input, {row, offset(first, at)}, at + v.lanes > length);
      values.push_back(x);
      most = arith::MaximumFOp::create(b, loc, most,
                                       math::AbsFOp::create(b, loc, x));
    }
    Value m = vector::ReductionOp::create(
        b, loc, vector::CombiningKind::MAXIMUMF, most);
    Value q = number(largest);
    Value inverse = arith::DivFOp::create(b, loc, q, m);
    // Not for what is infinite, nor for NaN.
    Value finite =
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, inverse,
                              number(std::numeric_limits<float>::infinity()));
    inverse = arith::SelectOp::create(b, loc, finite, inverse, number(0));
    Value scale = arith::DivFOp::create(b, loc, m, q);
    Value factor = v.broadcast(inverse);
    auto words = VectorType::get({v.lanes}, b.getI32Type());
    auto bytes = VectorType::get({v.lanes}, b.getI8Type());
    Value sum = arith::ConstantOp::create(b, loc, b.getZeroAttr(words));
    for (auto [i, x] : llvm::enumerate(values)) {
      Value y = arith::MulFOp::create(b, loc, x, factor);
      // 0 · NaN and 0 · ∞ are no numbers; their scale says so.
      Value isNumber =
          arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ORD, y, y);
      y = arith::SelectOp::create(b, loc, isNumber, y, v.splat(0));
      y = math::RoundEvenOp::create(b, loc, y);
      Value whole = arith::FPToSIOp::create(b, loc, words, y);
      sum = arith::AddIOp::create(b, loc, sum, whole);
      int64_t at = int64_t(i) * v.lanes;
      Value narrow = arith::TruncIOp::create(b, loc, bytes, whole);
      carried[0] = vector::TransferWriteOp::create(
                       b, loc, narrow, carried[0], offset(first, at),
                       ArrayRef<bool>{at + v.lanes <= length})
                       .getResult();
    }
    Value total =
        vector::ReductionOp::create(b, loc, vector::CombiningKind::ADD, sum);
    carried[1] = tensor::InsertOp::create(b, loc, scale, carried[1], g);
    carried[2] = tensor::InsertOp::create(b, loc, total, carried[2], g);
  }

  Value offset(Value first, int64_t at) {
    return at == 0 ? first : arith::AddIOp::create(b, loc, first, v.index(at));
  }

  RowVectors &v;
  OpBuilder &b;
  Location loc;
  Value input, row;
  int64_t columns, group;
  int64_t largest;
};

struct LowerQuantizeGroups
    : ds::impl::LowerQuantizeGroupsBase<LowerQuantizeGroups> {
  void runOnOperation() override {
    SmallVector<QuantizeGroupsOp> ops;
    getOperation()->walk([&](QuantizeGroupsOp op) { ops.push_back(op); });
    for (QuantizeGroupsOp op : ops)
      lower(op);
  }

private:
  static void lower(QuantizeGroupsOp op) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    OpFoldResult rows = tensor::getMixedSize(b, loc, op.getInput(), 0);
    SmallVector<Value> inits;
    for (Value result : op.getResults()) {
      auto type = cast<RankedTensorType>(result.getType());
      inits.push_back(tensor::EmptyOp::create(
          b, loc,
          SmallVector<OpFoldResult>{rows, b.getIndexAttr(type.getDimSize(1))},
          type.getElementType()));
    }
    auto loop = scf::ForallOp::create(
        b, loc, ArrayRef<OpFoldResult>{rows}, inits, std::nullopt,
        [&](OpBuilder &inner, Location at, ValueRange args) {
          // A group of 8 mod 16 has vectors of 8.
          RowVectors v{inner, at, op.getGroup() % 16 == 0 ? 16 : 8};
          emitRow(v, op, args[0], args.drop_front());
        });
    op.replaceAllUsesWith(loop.getResults());
    op.erase();
  }

  static void emitRow(RowVectors &v, QuantizeGroupsOp op, Value row,
                      ValueRange outputs) {
    OpBuilder &b = v.b;
    Location loc = v.loc;
    OpFoldResult one = b.getIndexAttr(1), zero = b.getIndexAttr(0);
    SmallVector<SmallVector<OpFoldResult>> sizes;
    SmallVector<Value> slices;
    for (Value output : outputs) {
      auto type = cast<RankedTensorType>(output.getType());
      sizes.push_back({one, b.getIndexAttr(type.getDimSize(1))});
      slices.push_back(tensor::ExtractSliceOp::create(
          b, loc,
          RankedTensorType::get({type.getDimSize(1)}, type.getElementType()),
          output, ArrayRef<OpFoldResult>{row, zero}, sizes.back(),
          ArrayRef<OpFoldResult>{one, one}));
    }
    slices = GroupEmitter(v, op, row).emit(slices);
    auto terminator = scf::InParallelOp::create(b, loc);
    b.setInsertionPointToStart(terminator.getBody());
    for (auto [slice, output, size] : llvm::zip(slices, outputs, sizes))
      tensor::ParallelInsertSliceOp::create(
          b, loc, slice, output, ArrayRef<OpFoldResult>{row, zero}, size,
          ArrayRef<OpFoldResult>{one, one});
  }
};

} // namespace
