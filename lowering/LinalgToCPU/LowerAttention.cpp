//===- LowerAttention.cpp - attention becomes parallel loops --------------===//
//
// See Passes.td. Here work is divided; AttentionKernel.cpp does it.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/AttentionShapes.h"
#include "lowering/LinalgToCPU/LatentExpansion.h"
#include "lowering/LinalgToCPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERATTENTION
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;
using P = arith::CmpIPredicate;

namespace {

RankedTensorType typeOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

/// Attention over caches: of keys and values, or of latents, which are the
/// first part of a key and the value.
struct CachedOperands {
  Value query, rowStart, pastLength, cacheSlot;
  SmallVector<Value, 2> keys;
  Value value;
  RankedTensorType type;

  explicit CachedOperands(CachedAttentionOp op)
      : CachedOperands(op, {op.getKey()}, op.getValue()) {}
  explicit CachedOperands(MlaAbsorbedOp op)
      : CachedOperands(op, {op.getLatent(), op.getRope()}, op.getLatent()) {}

private:
  template <typename Op>
  CachedOperands(Op op, ArrayRef<Value> keys, Value value)
      : query(op.getQuery()), rowStart(op.getRowStart()),
        pastLength(op.getPastLength()), cacheSlot(op.getCacheSlot()),
        keys(keys), value(value), type(typeOf(op.getResult())) {}
};

/// A part of a tensor with the strides 1.
struct Part {
  SmallVector<OpFoldResult> offsets, sizes;

  SmallVector<OpFoldResult> strides(OpBuilder &b) const {
    return SmallVector<OpFoldResult>(offsets.size(), b.getIndexAttr(1));
  }
};

/// A value and the part of a result that it is.
using Written = std::pair<Value, Part>;

/// Iterations of a parallel loop that are too few for many threads to share.
constexpr int64_t fewIterations = 32;

/// Bytes of partial results that all tokens of a step may leave for a chunk.
constexpr int64_t partialBytes = 1 << 20;

/// Builds one op's loops.
class Partition {
public:
  Partition(Operation *op, const AttentionShape &shape)
      : b(op->getLoc(), op), shape(shape) {}

  Value cached(const CachedOperands &op) {
    Value query = op.query, rowStart = op.rowStart;
    int64_t heads = typeOf(query).getDimSize(1), groups = heads / shape.group,
            width = shape.partialWidth();
    Value tokens = tensor::DimOp::create(b, query, 0);
    Value sequences = sub(tensor::DimOp::create(b, rowStart, 0), index(1));
    // As many tokens as a sequence has on average, so that all of them share
    // the keys, and one each when all sequences decode.
    Value each = ceilDiv(tokens, larger(sequences, index(1)));
    each = larger(index(1), smaller(each, index(shape.maxTokens())));
    Value blocks = ceilDiv(tokens, each);
    // Where that gives threads little to share, chunks of the keys are shared
    // too: they leave partial results, which are merged afterwards.
    // In terms of sizes, without division: how large the partial results are
    // must be known when the step begins.
    int64_t few = fewIterations / groups,
            most = std::min(few * shape.maxTokens(),
                            partialBytes / (heads * width * 4));
    few = std::min(few, most);
    auto atMost = [&](Value x, int64_t y) -> Value {
      return arith::CmpIOp::create(b, P::ule, x, index(y));
    };
    Value fewBlocks =
        arith::AndIOp::create(b, atMost(tokens, most), atMost(sequences, few));
    Value split = arith::OrIOp::create(b, atMost(tokens, few), fewBlocks);
    Value nothing = index(0), one = index(1);
    auto ifSplit = [&](Value x, Value y) -> Value {
      return arith::SelectOp::create(b, split, x, y);
    };
    Value chunks = chunksOf(tensor::DimOp::create(b, op.keys.front(), 2));
    Value used = smaller(chunks, chunksOf(longest(op, sequences)));
    Value parts = ifSplit(used, one), chunksEach = ifSplit(one, used);
    Value merges = ifSplit(tokens, nothing);
    // Room for the largest step that is split, if this one has as many tokens:
    // a workspace that suffices for a step suffices for smaller ones.
    Value room = smaller(tokens, index(most));
    Value partials = tensor::EmptyOp::create(
        b,
        ArrayRef<OpFoldResult>{room, b.getIndexAttr(heads), chunks,
                               b.getIndexAttr(width)},
        b.getF32Type());
    Value result = emptyLike(op.type, query);
    auto body = [&](ValueRange at, ValueRange out) -> SmallVector<Written> {
      Value head = keyHead(at[0], groups, op.value),
            first = mul(spread(at[1], blocks), each);
      Value count = smaller(each, sub(tokens, first));
      Value firstHead = mul(at[0], index(shape.group));
      OpFoldResult zero = b.getIndexAttr(0),
                   group = b.getIndexAttr(shape.group);
      Part queryPart{{first, firstHead, zero},
                     {count, group, b.getIndexAttr(shape.width)}};
      Part resultPart{
          {ifSplit(nothing, first), firstHead, zero},
          {ifSplit(nothing, count), group, b.getIndexAttr(shape.valueWidth)}};
      Part partialPart{{ifSplit(first, nothing), firstHead, at[2], zero},
                       {ifSplit(count, nothing), group, b.getIndexAttr(1),
                        b.getIndexAttr(width)}};
      AttentionRows rows;
      rows.queries = slice(query, queryPart);
      rows.firstChunk = mul(at[2], chunksEach);
      rows.endChunk = add(rows.firstChunk, chunksEach);
      SmallVector<Value> done = eachSequence(
          op.rowStart, sequences, first, count,
          {slice(out[0], resultPart), slice(out[1], partialPart, {2})},
          [&](const Sequence &here, ValueRange before) -> SmallVector<Value> {
            Value slot = entry(op.cacheSlot, here.number),
                  past = entry(op.pastLength, here.number);
            rows.result = before[0];
            rows.partials = before[1];
            for (Value key : op.keys)
              rows.keys.push_back(matrix(key, slot, head));
            // A latent is key and value.
            auto shared = llvm::find(op.keys, op.value);
            rows.values = shared == op.keys.end()
                              ? matrix(op.value, slot, head)
                              : rows.keys[shared - op.keys.begin()];
            rows.first = sub(here.from, first);
            rows.count = sub(here.to, here.from);
            rows.resultCount = ifSplit(nothing, rows.count);
            rows.partialCount = ifSplit(rows.count, nothing);
            rows.visible = add(add(past, sub(here.from, here.start)), one);
            auto [result, left] = emitAttention(b, shape, rows);
            return {result, left};
          });
      return {{done[0], resultPart}, {done[1], partialPart}};
    };
    SmallVector<Value> done = inParallel(
        {b.getIndexAttr(groups), blocks, parts}, {result, partials}, body);
    auto merge = [&](ValueRange at, ValueRange out) -> SmallVector<Written> {
      OpFoldResult zero = b.getIndexAttr(0), unit = b.getIndexAttr(1);
      Part part{{at[0], at[1], zero},
                {unit, unit, b.getIndexAttr(shape.valueWidth)}};
      Part mine{{at[0], at[1], zero, zero},
                {unit, unit, chunks, b.getIndexAttr(width)}};
      Value row = emitMerge(b, shape, slice(done[1], mine, {0, 1}), used,
                            slice(out[0], part, {0, 1}));
      return {{row, part}};
    };
    return inParallel({merges, b.getIndexAttr(heads)}, {done[0]}, merge)
        .front();
  }

  Value dense(AttentionOp op) {
    Value query = op.getQuery(), key = op.getKey(), mask = op.getMask();
    int64_t groups = typeOf(query).getDimSize(2) / shape.group;
    Value batches = tensor::DimOp::create(b, query, 0),
          tokens = tensor::DimOp::create(b, query, 1),
          length = tensor::DimOp::create(b, key, 2);
    Value each = index(shape.maxTokens()), blocks = ceilDiv(tokens, each);
    Value visible = length;
    if (shape.causal)
      visible = add(sub(length, tokens), index(1));
    Value result = emptyLike(op.getType(), query);
    auto body = [&](ValueRange at, ValueRange out) -> SmallVector<Written> {
      Value batch = at[0], head = keyHead(at[1], groups, key);
      Value first = mul(spread(at[2], blocks), each);
      Value firstHead = mul(at[1], index(shape.group));
      Value count = smaller(each, sub(tokens, first));
      Part part{{batch, first, firstHead, b.getIndexAttr(0)},
                {b.getIndexAttr(1), count, b.getIndexAttr(shape.group),
                 b.getIndexAttr(shape.valueWidth)}};
      AttentionRows rows;
      Part queryPart(part);
      queryPart.sizes.back() = b.getIndexAttr(shape.width);
      rows.queries = slice(query, queryPart, {0});
      rows.result = slice(out[0], part, {0});
      rows.keys = {matrix(key, batch, head)};
      rows.values = matrix(op.getValue(), batch, head);
      rows.first = index(0);
      rows.count = rows.resultCount = count;
      rows.firstChunk = index(0);
      rows.endChunk = chunksOf(length);
      rows.visible = shape.causal ? add(visible, first) : visible;
      if (mask)
        rows.mask = [=](OpBuilder &nb, Location loc, Value token, Value inGroup,
                        Value at) {
          Value row = arith::AddIOp::create(nb, loc, first, token);
          Value h = arith::AddIOp::create(nb, loc, firstHead, inGroup);
          return maskAt(nb, loc, mask, {batch, h, row, at});
        };
      return {{emitAttention(b, shape, rows).first, part}};
    };
    return inParallel({batches, b.getIndexAttr(groups), blocks}, {result}, body)
        .front();
  }

  /// Keys and values are made a chunk at a time, for as many tokens as there
  /// are: each costs as much as attention of C · (P + V) / (P + R + V) tokens.
  Value expanded(MlaOp op) {
    Value query = op.getQuery(), rowStart = op.getRowStart();
    int64_t heads = typeOf(query).getDimSize(1);
    Value tokens = tensor::DimOp::create(b, query, 0), one = index(1),
          nothing = index(0);
    Value sequences = sub(tensor::DimOp::create(b, rowStart, 0), one);
    Value each = index(expandedTokens), blocks = ceilDiv(tokens, each);
    Value result = emptyLike(typeOf(op.getResult()), query);
    auto body = [&](ValueRange at, ValueRange out) -> SmallVector<Written> {
      Value head = at[0], first = mul(spread(at[1], blocks), each);
      Value count = smaller(each, sub(tokens, first));
      Part part{{first, head, b.getIndexAttr(0)},
                {count, b.getIndexAttr(1), b.getIndexAttr(shape.valueWidth)}};
      Part queryPart(part);
      queryPart.sizes.back() = b.getIndexAttr(shape.width);
      AttentionRows rows;
      rows.queries = slice(query, queryPart);
      rows.resumes = true;
      rows.firstChunk = nothing;
      rows.endChunk = one;
      LatentExpansion expansion(b, shape,
                                {weightOf(op.getKeyWeight(), head),
                                 weightOf(op.getValueWeight(), head)});
      expansion.layWeights();
      SmallVector<Value> done = eachSequence(
          rowStart, sequences, first, count, slice(out[0], part, {1}),
          [&](const Sequence &here, ValueRange before) -> SmallVector<Value> {
            Value slot = entry(op.getCacheSlot(), here.number),
                  past = entry(op.getPastLength(), here.number);
            Value latents = matrix(op.getLatent(), slot, nothing),
                  ropes = matrix(op.getRope(), slot, nothing);
            Value from = sub(here.from, first), to = sub(here.to, first);
            Value seen = smaller(tensor::DimOp::create(b, latents, 0),
                                 add(past, sub(here.to, here.start)));
            // Of the token that would be the first of the block.
            Value visible = add(sub(add(past, first), here.start), one);
            Value left = local({expandedTokens, 1, shape.partialWidth()});
            left = emitNothing(b, shape, count, left);
            Value chunkKeys = index(AttentionShape::chunkKeys);
            left = loop(
                nothing, seen, chunkKeys, left, [&](Value chunk, Value outer) {
                  Value keys = smaller(chunkKeys, sub(seen, chunk));
                  SmallVector<Value> made =
                      expansion.expand(latents, chunk, keys);
                  rows.keys = {rowsFrom(made[0], nothing, keys),
                               rowsFrom(ropes, chunk, keys)};
                  rows.values = rowsFrom(made[1], nothing, keys);
                  return loop(from, to, index(shape.maxTokens()), outer,
                              [&](Value token, Value inner) {
                                rows.first = token;
                                rows.count = smaller(index(shape.maxTokens()),
                                                     sub(to, token));
                                rows.partials = inner;
                                rows.partialCount = rows.count;
                                rows.visible = sub(add(visible, token), chunk);
                                return emitAttention(b, shape, rows).second;
                              });
                });
            return {
                loop(from, to, one, before[0], [&](Value token, Value inner) {
                  Part all{{token, nothing, nothing},
                           {b.getIndexAttr(1), b.getIndexAttr(1),
                            b.getIndexAttr(shape.partialWidth())}};
                  Part row{
                      {token, nothing},
                      {b.getIndexAttr(1), b.getIndexAttr(shape.valueWidth)}};
                  Value merged = emitMerge(b, shape, slice(left, all, {0}), one,
                                           slice(inner, row, {0}));
                  return tensor::InsertSliceOp::create(b, merged, inner,
                                                       row.offsets, row.sizes,
                                                       row.strides(b))
                      .getResult();
                })};
          });
      return {{done[0], part}};
    };
    return inParallel({b.getIndexAttr(heads), blocks}, {result}, body).front();
  }

private:
  /// Tokens that share the keys and values of ds.mla: their partial results
  /// stay in the second-level cache.
  static constexpr int64_t expandedTokens = 512;

  /// A sequence, its first token, and its tokens [from, to) in a block.
  struct Sequence {
    Value number, start, from, to;
  };
  using SequenceBody = llvm::function_ref<SmallVector<Value>(
      const Sequence &here, ValueRange before)>;
  /// The sequences that have some of tokens [first, first + count).
  SmallVector<Value> eachSequence(Value rowStart, Value sequences, Value first,
                                  Value count, ValueRange carried,
                                  SequenceBody body) {
    auto loop = scf::ForOp::create(b, index(0), sequences, index(1), carried);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Sequence here;
    here.number = loop.getInductionVar();
    ValueRange before = loop.getRegionIterArgs();
    here.start = entry(rowStart, here.number);
    Value end = entry(rowStart, add(here.number, index(1)));
    here.from = larger(here.start, first);
    here.to = smaller(end, add(first, count));
    Value some = arith::CmpIOp::create(b, P::slt, here.from, here.to);
    auto branch = scf::IfOp::create(b, before.getTypes(), some,
                                    /*withElseRegion=*/true);
    scf::YieldOp::create(b, branch.getResults());
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, before);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, body(here, before));
    return SmallVector<Value>(loop.getResults());
  }

  /// for i in [from, to) in steps: carried = body(i, carried).
  Value loop(Value from, Value to, Value step, Value carried,
             llvm::function_ref<Value(Value i, Value carried)> body) {
    auto loop = scf::ForOp::create(b, from, to, step, carried);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(
        b, body(loop.getInductionVar(), loop.getRegionIterArg(0)));
    return loop.getResult(0);
  }

  /// A buffer of its own.
  Value local(ArrayRef<int64_t> sizes) {
    return bufferization::AllocTensorOp::create(
        b, RankedTensorType::get(sizes, b.getF32Type()), ValueRange());
  }

  /// Rows [from, from + count) of a matrix.
  Value rowsFrom(Value matrix, Value from, Value count) {
    return slice(matrix,
                 Part{{from, b.getIndexAttr(0)},
                      {count, b.getIndexAttr(typeOf(matrix).getDimSize(1))}});
  }

  /// [width, C] of a weight [heads, width, C].
  Value weightOf(Value weight, Value head) {
    Part part{{head, b.getIndexAttr(0), b.getIndexAttr(0)},
              tensor::getMixedSizes(b, b.getLoc(), weight)};
    part.sizes[0] = b.getIndexAttr(1);
    return slice(weight, part, {0});
  }

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }
  Value smaller(Value x, Value y) { return arith::MinSIOp::create(b, x, y); }
  Value larger(Value x, Value y) { return arith::MaxSIOp::create(b, x, y); }
  Value ceilDiv(Value x, Value y) {
    return arith::CeilDivUIOp::create(b, x, y);
  }

  Value chunksOf(Value keys) {
    static_assert(llvm::isPowerOf2_64(AttentionShape::chunkKeys));
    Value rounded = add(keys, index(AttentionShape::chunkKeys - 1));
    return arith::ShRUIOp::create(
        b, rounded, index(llvm::Log2_64(AttentionShape::chunkKeys)));
  }

  /// The value at `i` of an i32 vector, as an index.
  Value entry(Value vector, Value i) {
    return arith::IndexCastOp::create(b, b.getIndexType(),
                                      tensor::ExtractOp::create(b, vector, i));
  }

  /// A tensor of `type`, whose leading sizes are those of `other`.
  Value emptyLike(RankedTensorType type, Value other) {
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(b, b.getLoc(), other);
    for (auto [d, size] : llvm::enumerate(type.getShape()))
      if (ShapedType::isStatic(size))
        sizes[d] = b.getIndexAttr(size);
    return tensor::EmptyOp::create(b, sizes, type.getElementType());
  }

  /// Threads take consecutive iterations; later blocks see more keys. So blocks
  /// from both ends alternate.
  Value spread(Value i, Value blocks) {
    Value half = arith::ShRUIOp::create(b, i, index(1));
    Value odd = arith::CmpIOp::create(
        b, P::ne, arith::AndIOp::create(b, i, index(1)), index(0));
    Value fromEnd = sub(sub(blocks, index(1)), half);
    return arith::SelectOp::create(b, odd, fromEnd, half);
  }

  /// The head of `keys` that query heads of group `group` of `groups` see.
  Value keyHead(Value group, int64_t groups, Value keys) {
    int64_t each = groups / typeOf(keys).getDimSize(1);
    if (each == 1)
      return group;
    return arith::DivUIOp::create(b, group, index(each));
  }

  /// The most keys that a sequence has after this step.
  Value longest(const CachedOperands &op, Value sequences) {
    auto loop = scf::ForOp::create(b, index(0), sequences, index(1),
                                   ValueRange{index(0)});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value i = loop.getInductionVar();
    Value rows =
        sub(entry(op.rowStart, add(i, index(1))), entry(op.rowStart, i));
    Value length = add(entry(op.pastLength, i), rows);
    scf::YieldOp::create(b, larger(loop.getRegionIterArg(0), length));
    return loop.getResult(0);
  }

  /// `part` of `tensor` without some dimensions of size 1.
  Value slice(Value tensor, const Part &part, ArrayRef<int64_t> dropped = {}) {
    RankedTensorType type =
        tensor::ExtractSliceOp::inferResultType(typeOf(tensor), part.sizes);
    SmallVector<int64_t> shape;
    for (auto [d, size] : llvm::enumerate(type.getShape()))
      if (!llvm::is_contained(dropped, int64_t(d)))
        shape.push_back(size);
    type = RankedTensorType::get(shape, type.getElementType());
    return tensor::ExtractSliceOp::create(b, type, tensor, part.offsets,
                                          part.sizes, part.strides(b));
  }

  /// [length, width] of a [.., heads, length, width].
  Value matrix(Value tensor, Value batch, Value head) {
    Part part{{batch, head, b.getIndexAttr(0), b.getIndexAttr(0)},
              tensor::getMixedSizes(b, b.getLoc(), tensor)};
    part.sizes[0] = part.sizes[1] = b.getIndexAttr(1);
    return slice(tensor, part, {0, 1});
  }

  /// A parallel loop; the body says what is written to each result and where.
  SmallVector<Value> inParallel(
      ArrayRef<OpFoldResult> sizes, ValueRange results,
      llvm::function_ref<SmallVector<Written>(ValueRange, ValueRange)> body) {
    auto forall = scf::ForallOp::create(b, sizes, results, std::nullopt);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forall.getBody());
    ValueRange out = forall.getRegionOutArgs();
    SmallVector<Written> written = body(forall.getInductionVars(), out);
    b.setInsertionPointToStart(forall.getTerminator().getBody());
    for (auto [to, what] : llvm::zip_equal(out, written))
      tensor::ParallelInsertSliceOp::create(
          b, what.first, to, what.second.offsets, what.second.sizes,
          what.second.strides(b));
    return SmallVector<Value>(forall.getResults());
  }

  /// What the element of `mask` that broadcasts to `at` adds to a score.
  static Value maskAt(OpBuilder &b, Location loc, Value mask,
                      ArrayRef<Value> at) {
    RankedTensorType type = typeOf(mask);
    SmallVector<Value> where(at.take_back(type.getRank()));
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    for (auto [d, i] : llvm::enumerate(where)) {
      if (type.getDimSize(d) == 1)
        i = zero;
      else if (type.isDynamicDim(d)) {
        // May be 1 at run time.
        Value size = tensor::DimOp::create(b, loc, mask, d);
        Value one = arith::ConstantIndexOp::create(b, loc, 1);
        Value repeats = arith::CmpIOp::create(b, loc, P::eq, size, one);
        i = arith::SelectOp::create(b, loc, repeats, zero, i);
      }
    }
    Value element = tensor::ExtractOp::create(b, loc, mask, where);
    Type f32 = b.getF32Type();
    if (element.getType().isF32())
      return element;
    if (isa<FloatType>(element.getType()))
      return arith::ExtFOp::create(b, loc, f32, element);
    auto number = [&](float value) {
      return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
    };
    return arith::SelectOp::create(
        b, loc, element, number(0),
        number(-std::numeric_limits<float>::infinity()));
  }

  ImplicitLocOpBuilder b;
  const AttentionShape &shape;
};

struct LowerAttention : ds::impl::LowerAttentionBase<LowerAttention> {
  using LowerAttentionBase::LowerAttentionBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<AttentionOp, CachedAttentionOp, MlaOp, MlaAbsorbedOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops)
      if (Value result = lower(op)) {
        op->getResult(0).replaceAllUsesWith(result);
        op->erase();
      }
  }

private:
  Value lower(Operation *op) {
    if (auto cached = dyn_cast<CachedAttentionOp>(op))
      return lowerCached(op, CachedOperands(cached), cached.getScale());
    if (auto latent = dyn_cast<MlaAbsorbedOp>(op))
      return lowerCached(op, CachedOperands(latent), latent.getScale());
    if (auto expanded = dyn_cast<MlaOp>(op)) {
      auto shape = expandedShape(expanded, vectorLanes);
      if (shape)
        shape->pairs = bf16Dot && fitPairs(*shape, expanded);
      return shape ? Partition(op, *shape).expanded(expanded) : Value();
    }
    auto dense = cast<AttentionOp>(op);
    auto shape = shapeOf(dense.getQuery(), dense.getKey(), dense.getValue(),
                         dense.getResult(), vectorLanes, dense.getScale(),
                         dense.getCausal());
    if (Value mask = dense.getMask()) {
      Type element = typeOf(mask).getElementType();
      if (!isComputed(element) && !element.isInteger(1))
        return {};
    }
    return shape ? Partition(op, *shape).dense(dense) : Value();
  }

  Value lowerCached(Operation *op, const CachedOperands &operands,
                    const APFloat &scale) {
    auto shape = shapeOf(operands.query, operands.keys, operands.value,
                         op->getResult(0), vectorLanes, scale, true);
    if (shape)
      shape->pairs = bf16Dot && fitPairs(*shape, operands.query, operands.keys,
                                         operands.value);
    return shape ? Partition(op, *shape).cached(operands) : Value();
  }
};

} // namespace
