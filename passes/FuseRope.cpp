//===- FuseRope.cpp - rotations join the product of their heads -----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/FusionRemark.h"
#include "passes/Match.h"
#include "passes/PackedOperands.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FUSEROPE
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Rotated columns of a product: rope(reshape(columns)), nothing else reads
/// them.
struct Heads {
  Columns columns;
  RopeOp rope;
};

struct FuseRope : ds::impl::FuseRopeBase<FuseRope> {
  void runOnOperation() override {
    // Proofs first: rewriting makes new values.
    SymbolicElements symbols;
    SmallVector<std::pair<Operation *, SmallVector<Heads>>> matches;
    getOperation()->walk([&](Operation *op) {
      if (!hasOwnPackedWeights(op))
        return;
      if (SmallVector<Heads> heads = match(symbols, op); !heads.empty())
        matches.emplace_back(op, heads);
    });
    size_t ropes = 0, products = 0;
    int64_t bytes = 0;
    for (auto &[product, heads] : matches)
      if (sinkToReaders(product, heads.front().rope)) {
        ropes += heads.size();
        ++products;
        // Written by the product, read by the rotations.
        const Columns &last = heads.back().columns;
        bytes += 2 * bytesOf(product->getResult(0), last.first + last.count);
        fuse(product, heads);
      }
    if (ropes > 0)
      reportFusion(getOperation(),
                   Twine(ropes) + " ds.rope joined " +
                       numberOfProducts(products),
                   bytes);
  }

private:
  /// The rotations of columns 0 … of `product`, in order, that one epilogue can
  /// make.
  static SmallVector<Heads> match(SymbolicElements &symbols,
                                  Operation *product) {
    Value result = product->getResult(0);
    RankedTensorType type = tensorType(result);
    int64_t n = type.getShape().back();
    if (!type.getElementType().isF32() || n % PackOp::panelRows != 0 ||
        hasEpilogue(product) || isGrouped(product))
      return {};
    SmallVector<Heads> found;
    for (Operation *user : result.getUsers()) {
      Columns columns{0, n};
      Value rows = result;
      if (auto slice = dyn_cast<SliceOp>(user)) {
        std::optional<Columns> range = columnsOf(symbols, slice);
        if (!range)
          continue;
        columns = *range;
        rows = slice.getResult();
      }
      if (RopeOp rope = ropeOf(symbols, rows, result, columns.count))
        found.push_back({columns, rope});
    }
    llvm::sort(found, [](const Heads &a, const Heads &b) {
      return a.columns.first < b.columns.first;
    });
    int64_t end = 0;
    size_t count = 0;
    for (; count < found.size(); ++count) {
      Heads &heads = found[count];
      if (heads.columns.first != end ||
          !rotateAlike(heads.rope, found.front().rope))
        break;
      end += heads.columns.count;
    }
    found.truncate(count);
    return found;
  }

  static bool rotateAlike(RopeOp a, RopeOp b) {
    return a.getCos() == b.getCos() && a.getSin() == b.getSin() &&
           a.getLayoutIn() == b.getLayoutIn() &&
           a.getLayoutOut() == b.getLayoutOut();
  }

  /// The one rotation that reads `rows` [tokens, count], as [tokens, heads,
  /// width]; null if an epilogue cannot do it.
  static RopeOp ropeOf(SymbolicElements &symbols, Value rows, Value product,
                       int64_t count) {
    if (!rows.hasOneUse())
      return nullptr;
    auto view = dyn_cast<ReshapeOp>(*rows.user_begin());
    if (!view || !view->hasOneUse())
      return nullptr;
    auto rope = dyn_cast<RopeOp>(*view->user_begin());
    if (!rope || rope.getInput() != view.getResult() ||
        rope.getResult().getType() != view.getType())
      return nullptr;
    RankedTensorType type = tensorType(view), cos = tensorType(rope.getCos());
    int64_t half = cos.getShape().back();
    if (type.getRank() != 3 || type.isDynamicDim(1) || type.isDynamicDim(2) ||
        type.getDimSize(1) * type.getDimSize(2) != count ||
        cos.getRank() != 2 || !cos.getElementType().isF32() ||
        half % (PackOp::panelRows / 2) != 0 ||
        !(symbols.sizeOf(rope.getCos(), 0) == symbols.sizeOf(product, 0)))
      return nullptr;
    return rope;
  }

  /// Moves `product` and the views of it down to the first op that reads them
  /// otherwise. Whether the tables of `rope` stand before that.
  static bool sinkToReaders(Operation *product, RopeOp rope) {
    SmallVector<Operation *> views{product};
    Operation *first = nullptr;
    for (size_t i = 0; i < views.size(); ++i)
      for (Operation *user : views[i]->getUsers()) {
        if (user->getBlock() != product->getBlock())
          return false;
        if (isa<SliceOp, ReshapeOp>(user))
          views.push_back(user);
        else if (!first || user->isBeforeInBlock(first))
          first = user;
      }
    auto standsBefore = [&](Value value) {
      Operation *op = value.getDefiningOp();
      return !op || op->getBlock() != first->getBlock() ||
             op->isBeforeInBlock(first);
    };
    if (!first || !standsBefore(rope.getCos()) || !standsBefore(rope.getSin()))
      return false;
    llvm::sort(views, [](Operation *a, Operation *b) {
      return a->isBeforeInBlock(b);
    });
    views.erase(llvm::unique(views), views.end());
    for (Operation *view : views)
      view->moveBefore(first);
    return true;
  }

  static void fuse(Operation *product, ArrayRef<Heads> heads) {
    RopeOp rope = heads.front().rope;
    int64_t columns = heads.back().columns.first + heads.back().columns.count,
            width = tensorType(rope.getResult()).getShape().back();
    reorderOutputs(
        product, [&](OpBuilder &b, Location loc, Value rows) -> Value {
          int64_t all = tensorType(rows).getDimSize(0);
          bool isWhole = columns == all;
          Value turned = isWhole ? rows : sliceOfRows(b, loc, rows, 0, columns);
          turned = membersInPanels(b, loc, turned, columns / width,
                                   rope.getLayoutIn() == RopeLayout::Pairs);
          if (isWhole)
            return turned;
          Value rest = sliceOfRows(b, loc, rows, columns, all - columns);
          return ConcatOp::create(b, loc, rows.getType(), uint64_t(0),
                                  ValueRange{turned, rest});
        });
    auto set = [&](auto op) {
      if (!op)
        return;
      op.getCosMutable().assign(rope.getCos());
      op.getSinMutable().assign(rope.getSin());
      op.setRopeColumns(columns);
      op.setRopeLayout(rope.getLayoutOut());
    };
    set(dyn_cast<PackedLinearOp>(product));
    set(dyn_cast<PackedQuantizedLinearOp>(product));
    for (Heads each : heads) {
      each.rope.getResult().replaceAllUsesWith(each.rope.getInput());
      each.rope->erase();
    }
  }
};

} // namespace
