//===- LowerByteMatmul.cpp - products of bytes, in vectors ----------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsElements.h"
#include "lowering/LinalgToCPU/MatmulLoops.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERBYTEMATMUL
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// Heights of tiles. 6 × 4 sums, 4 vectors of the right side and some of the
/// left one fill 32 registers; where there is no instruction its replacement
/// wants more of them, and 16 narrow ones hold 1 × 4 sums.
static constexpr int64_t dotHeights[] = {6, 2, 1};
static constexpr int64_t plainHeights[] = {4, 2, 1};
static constexpr int64_t narrowHeights[] = {1};

/// k of one ds.dot_bytes.
static constexpr int64_t step = 4;
/// Columns of a panel: those of one vector of bytes.
static constexpr int64_t panelColumns = step * MatmulLoops::lanes;

namespace {

/// Four rows of 64 bytes are read where they lie and dealt out in registers, so
/// that each lane gets the four k of one column. That leaves the columns of
/// each 16 bytes in four vectors of sums; they go back to their places once per
/// tile.
class ByteMatmul : public MatmulLoops {
public:
  ByteMatmul(OpBuilder &b, Location loc, Value lhs, Value rhs,
             RankedTensorType type, ArrayRef<int64_t> heights)
      : MatmulLoops(b, loc, lhs, rhs, type, panelColumns / lanes, heights) {}

private:
  /// Columns that are not there are made up: a mask on 64 bytes is 64 branches
  /// to a processor without one.
  void enterPanel(Value left, bool partial) override {
    panel = rhs;
    panelAt = rhsAt;
    panelColumn = column;
    if (!partial)
      return;
    Type byte = b.getI8Type();
    Value init = tensor::EmptyOp::create(
        b, loc, ArrayRef<OpFoldResult>{depth, b.getIndexAttr(panelColumns)},
        byte);
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(byte));
    panel = linalg::FillOp::create(b, loc, zero, init).getResult(0);
    SmallVector<OpFoldResult> from(rhsAt.begin(), rhsAt.end()),
        sizes(rhsAt.size(), b.getIndexAttr(1)), to(2, b.getIndexAttr(0)),
        own{depth, left};
    from.append({b.getIndexAttr(0), column});
    llvm::append_range(sizes, own);
    auto type = RankedTensorType::get(
        {ShapedType::kDynamic, ShapedType::kDynamic}, byte);
    Value columns = tensor::ExtractSliceOp::create(
        b, loc, type, rhs, from, sizes,
        SmallVector<OpFoldResult>(from.size(), b.getIndexAttr(1)));
    panel = tensor::InsertSliceOp::create(
        b, loc, columns, panel, to, own,
        SmallVector<OpFoldResult>(2, b.getIndexAttr(1)));
    panelAt.clear();
    panelColumn = index(0);
  }

  SmallVector<Value> emitTile(Value row, int64_t height, bool) override {
    RowVectors words{b, loc, lanes};
    SmallVector<Value> sums(height * parts,
                            words.splat(b.getI32IntegerAttr(0)));
    Value rest = arith::RemUIOp::create(b, loc, depth, index(step));
    Value whole = arith::SubIOp::create(b, loc, depth, rest);
    // The last k, if fewer than four, are a loop of one turn.
    for (bool partial : {false, true}) {
      auto loop =
          scf::ForOp::create(b, loc, partial ? whole : index(0),
                             partial ? depth : whole, index(step), sums);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      SmallVector<Value> inner(loop.getRegionIterArgs());
      emitStep(row, height, loop.getInductionVar(), partial, inner);
      scf::YieldOp::create(b, loc, inner);
      sums = loop.getResults();
    }
    for (int64_t r = 0; r < height; ++r)
      restoreColumns(MutableArrayRef(sums).slice(r * parts, parts));
    return sums;
  }

  /// Adds four k from `k` on; where `partial` there are fewer, and the left
  /// side is 0 beyond them.
  void emitStep(Value row, int64_t height, Value k, bool partial,
                SmallVectorImpl<Value> &sums) {
    RowVectors bytes{b, loc, panelColumns}, words{b, loc, lanes};
    SmallVector<Value> dealt, at(panelAt);
    at.append({Value(), panelColumn});
    for (int64_t s = 0; s < step; ++s) {
      Value there = add(k, s);
      if (partial && s > 0)
        there = arith::MinUIOp::create(b, loc, there, add(depth, -1));
      at[at.size() - 2] = there;
      dealt.push_back(bytes.read(panel, at));
    }
    dealColumns(dealt);
    at.assign(lhsAt);
    at.append({Value(), k});
    for (int64_t r = 0; r < height; ++r) {
      at[at.size() - 2] = add(row, r);
      Value four = words.fourBytes(lhs, at, partial);
      for (int64_t part = 0; part < parts; ++part) {
        Value &acc = sums[r * parts + part];
        acc = DotBytesOp::create(b, loc, acc.getType(), acc, four, dealt[part]);
      }
    }
  }

  /// Rows of four k become vectors whose every 4 bytes are the four k of one
  /// column: of each 16 columns, vector p gets columns 4p to 4p + 3. What lies
  /// in one 16 bytes stays there: such shuffles are one instruction.
  void dealColumns(MutableArrayRef<Value> rows) {
    auto unpack = [&](Value x, Value y, int64_t size, bool high) -> Value {
      SmallVector<int64_t> order;
      for (int64_t block = 0; block < panelColumns; block += 16)
        for (int64_t i = 0; i < 8; i += size)
          for (int64_t from : {int64_t(0), panelColumns})
            for (int64_t byte = 0; byte < size; ++byte)
              order.push_back(from + block + (high ? 8 : 0) + i + byte);
      return vector::ShuffleOp::create(b, loc, x, y, order);
    };
    Value pairs[2][2];
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t pair = 0; pair < 2; ++pair)
        pairs[half][pair] =
            unpack(rows[2 * pair], rows[2 * pair + 1], 1, half == 1);
    for (int64_t part = 0; part < 4; ++part)
      rows[part] =
          unpack(pairs[part / 2][0], pairs[part / 2][1], 2, part % 2 == 1);
  }

  /// Sums in the order of the columns again.
  void restoreColumns(MutableArrayRef<Value> sums) {
    SmallVector<Value> dealt(sums);
    for (int64_t part = 0; part < parts; ++part) {
      SmallVector<int64_t> pair, four = llvm::to_vector(llvm::seq(lanes));
      for (int64_t from : {int64_t(0), lanes})
        for (int64_t i = 0; i < 4; ++i)
          pair.push_back(from + 4 * part + i);
      Value low = vector::ShuffleOp::create(b, loc, dealt[0], dealt[1], pair),
            high = vector::ShuffleOp::create(b, loc, dealt[2], dealt[3], pair);
      sums[part] = vector::ShuffleOp::create(b, loc, low, high, four);
    }
  }

  /// The columns of the panel at hand, and where they lie.
  Value panel, panelColumn;
  SmallVector<Value> panelAt;
};

struct LowerByteMatmul : ds::impl::LowerByteMatmulBase<LowerByteMatmul> {
  using LowerByteMatmulBase::LowerByteMatmulBase;

  void runOnOperation() override {
    SmallVector<MatmulOp> ops;
    getOperation()->walk([&](MatmulOp op) {
      Type lhs = getElementTypeOrSelf(op.getLhs().getType());
      if (lhs.isUnsignedInteger(8) &&
          getElementTypeOrSelf(op.getRhs().getType()).isSignlessInteger(8))
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
    auto lhsType = cast<RankedTensorType>(op.getLhs().getType());
    Value lhs = BitcastOp::create(
        b, op.getLoc(),
        RankedTensorType::get(lhsType.getShape(), b.getI8Type()), op.getLhs());
    auto type = cast<RankedTensorType>(op.getType());
    ArrayRef<int64_t> heights = vectorLanes < 16 ? ArrayRef(narrowHeights)
                                : byteDot        ? ArrayRef(dotHeights)
                                                 : ArrayRef(plainHeights);
    Value result = ByteMatmul(b, op.getLoc(), lhs, op.getRhs(), type, heights)
                       .emit(sizes[0]);
    if (result.getType() != type)
      result = tensor::CastOp::create(b, op.getLoc(), type, result);
    op.replaceAllUsesWith(result);
    op.erase();
    return success();
  }
};

} // namespace
