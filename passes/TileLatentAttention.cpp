//===- TileLatentAttention.cpp - latents in blocks ------------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsSizes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/Match.h"
#include "passes/OnlineForm.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_TILELATENTATTENTION
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

using Sizes = SmallVector<OpFoldResult>;

namespace {
/// Scalars and slices at one place.
struct Place {
  OpBuilder &b;
  Location loc;

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value index(OpFoldResult size) {
    return getValueOrCreateConstantIndexOp(b, loc, size);
  }
  OpFoldResult size(Value tensor, int64_t dim) {
    return tensor::getMixedSize(b, loc, tensor, dim);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, loc, x, y); }
  /// Entry i of an i32 vector.
  Value entry(Value vector, Value i) {
    Value x = tensor::ExtractOp::create(b, loc, vector, i);
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), x);
  }
  Value slice(Value tensor, const Sizes &offsets, const Sizes &sizes) {
    Sizes strides(sizes.size(), b.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(b, loc, tensor, offsets, sizes,
                                          strides);
  }
  Value reshape(Value value, ArrayRef<OpFoldResult> sizes) {
    SmallVector<Value> dims;
    SmallVector<int64_t> shape;
    dispatchIndexOpFoldResults(sizes, dims, shape);
    Type element = tensorType(value).getElementType();
    return ReshapeOp::create(b, loc, RankedTensorType::get(shape, element),
                             value, dims);
  }
};

/// Keys and values of a block of latents [1, 1, T, C].
struct KeysAndValues {
  Value key, value;
};
} // namespace

/// The latents are both.
static KeysAndValues keysAndValues(Place, MlaAbsorbedOp, Value latents) {
  return {latents, latents};
}

/// The latents times the weights: [1, H, T, P] and [1, H, T, V].
static KeysAndValues keysAndValues(Place at, MlaOp op, Value latents) {
  OpFoldResult one = at.b.getIndexAttr(1), keys = at.size(latents, 2);
  Value rows = at.reshape(latents, {keys, at.size(latents, 3)});
  auto expanded = [&](Value weight) -> Value {
    OpFoldResult heads = at.size(weight, 0), width = at.size(weight, 1);
    OpFoldResult outputs = times(at.b, at.loc, heads, width);
    Value flat = at.reshape(weight, {outputs, at.size(weight, 2)});
    Value product =
        LinearOp::create(at.b, at.loc,
                         RankedTensorType::get({tensorType(rows).getDimSize(0),
                                                tensorType(flat).getDimSize(0)},
                                               wideType(op.getQuery())),
                         rows, flat, /*bias=*/Value());
    Value byHead = at.reshape(product, {one, keys, heads, width});
    return TransposeOp::create(at.b, at.loc, byHead,
                               at.b.getDenseI64ArrayAttr({0, 2, 1, 3}));
  };
  return {expanded(op.getKeyWeight()), expanded(op.getValueWeight())};
}

/// The rows of sequence `number` in `result` [N, H, V].
template <typename OpT>
static Value attendSequence(Place at, OpT op, Value number, int64_t block,
                            Value result) {
  OpBuilder &b = at.b;
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  Value query = op.getQuery(), latent = op.getLatent(), rope = op.getRope();
  Value first = at.entry(op.getRowStart(), number),
        end = at.entry(op.getRowStart(), at.add(number, at.index(1)));
  Value rows = at.sub(end, first), past = at.entry(op.getPastLength(), number),
        slot = at.entry(op.getCacheSlot(), number);
  OpFoldResult heads = at.size(query, 1), width = at.size(query, 2),
               values = at.size(result, 2);
  Value mine =
      at.reshape(at.slice(query, {first, zero, zero}, {rows, heads, width}),
                 {one, rows, heads, width});
  Sizes places{one, rows, heads};
  OnlineState start = nothingSeen(b, at.loc, places, values, wideType(query));
  // A sequence without tokens looks at nothing.
  Value isEmpty = arith::CmpIOp::create(b, at.loc, arith::CmpIPredicate::eq,
                                        rows, at.index(0));
  Value keys =
      arith::SelectOp::create(b, at.loc, isEmpty, rows, at.add(past, rows));
  auto loop = scf::ForOp::create(
      b, at.loc, at.index(0), keys, at.index(block),
      ValueRange{start.accumulator, start.maximum, start.sum},
      [&](OpBuilder &nested, Location loc, Value from, ValueRange state) {
        Place in{nested, loc};
        Value count = arith::MinUIOp::create(nested, loc, in.index(block),
                                             in.sub(keys, from));
        auto rowsOf = [&](Value cache) {
          return in.slice(cache, {slot, zero, from, zero},
                          {one, one, count, in.size(cache, 3)});
        };
        auto [key, value] = keysAndValues(in, op, rowsOf(latent));
        auto next = OnlineAttentionOp::create(
            nested, loc, mine, key, value, rowsOf(rope), /*mask=*/Value(),
            in.sub(past, from), state[0], state[1], state[2],
            op.getScaleAttr());
        scf::YieldOp::create(nested, loc, next.getResults());
      });
  RankedTensorType whole = tensorType(result);
  auto type = RankedTensorType::get(
      {1, ShapedType::kDynamic, whole.getDimSize(1), whole.getDimSize(2)},
      whole.getElementType());
  Value mixed = mixture(b, at.loc, loop.getResult(0), loop.getResult(2), type);
  return tensor::InsertSliceOp::create(
      b, at.loc, at.reshape(mixed, {rows, heads, values}), result,
      Sizes{first, zero, zero}, Sizes{rows, heads, values},
      Sizes{one, one, one});
}

template <typename OpT> static void tile(OpT op, int64_t block) {
  OpBuilder b(op);
  Place at{b, op.getLoc()};
  ReifiedRankedShapedTypeDims sizes;
  // Never fails: every size is one of an operand.
  (void)op.reifyResultShapes(b, sizes);
  Value empty = tensor::EmptyOp::create(
      b, op.getLoc(), sizes[0], tensorType(op.getResult()).getElementType());
  auto loop = scf::ForOp::create(
      b, op.getLoc(), at.index(0), at.index(at.size(op.getPastLength(), 0)),
      at.index(1), ValueRange{empty},
      [&](OpBuilder &nested, Location loc, Value number, ValueRange state) {
        scf::YieldOp::create(
            nested, loc,
            attendSequence({nested, loc}, op, number, block, state[0]));
      });
  op.getResult().replaceAllUsesWith(loop.getResult(0));
  op.erase();
}

namespace {
struct TileLatentAttention
    : ds::impl::TileLatentAttentionBase<TileLatentAttention> {
  using TileLatentAttentionBase::TileLatentAttentionBase;
  void runOnOperation() override {
    if (block < 1) {
      getOperation()->emitError()
          << "ds-tile-latent-attention: block is 1 or more, not "
          << block.getValue();
      return signalPassFailure();
    }
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<MlaOp, MlaAbsorbedOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      if (auto expanded = dyn_cast<MlaOp>(op))
        tile(expanded, block);
      else
        tile(cast<MlaAbsorbedOp>(op), block);
    }
  }
};
} // namespace
