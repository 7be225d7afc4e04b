//===- AttentionKernel.cpp - attention of some rows, in vectors -----------===//
//
// Keys are walked in blocks anchored at position 0. A block's keys are laid out
// anew, one key per lane, once for all rows of the call; a tile of rows then
// takes its scores with one multiply-add per element of the width and vector of
// keys, sums in registers, and adds the values weighted by e^(score - maximum),
// one value row after the other. A row that sees only part of a block has -inf
// for the other scores, which leaves maximum and sum as they are, and stops at
// its last value row: what lies behind is neither read nor multiplied.
//
// All operations of a row are in one order whatever tile it is in: over the
// width, over keys, over blocks. So its bits depend on nothing else.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/AttentionProducts.h"

using namespace mlir;
using namespace mlir::ds;

namespace {

class Emitter : AttentionStates {
public:
  Emitter(ImplicitLocOpBuilder &b, const AttentionShape &shape)
      : AttentionStates(b, shape),
        products(AttentionProducts::create(b, shape)),
        block(products->block()) {
    assert(AttentionShape::chunkKeys % block == 0);
  }

  std::pair<Value, Value> attend(const AttentionRows &some) {
    rows = some;
    int64_t maxRows = shape.maxTokens() * shape.group, tile = tileRows();
    length = tensor::DimOp::create(b, rows.values, 0);
    Value rowCount = mul(rows.count, shape.group);
    Value end = visibleTo(sub(rows.count, index(1)));
    Value first = mul(rows.firstChunk, AttentionShape::chunkKeys);
    end = smaller(end, mul(rows.endChunk, AttentionShape::chunkKeys));
    lastKey = end;
    prefetchBlock(first);
    products->loadQueries(rows, maxRows);
    State before = buffers(maxRows);
    before = rows.resumes ? resume(before) : nothingYet(rowCount, before);
    SmallVector<Value> carried = before.pack();
    carried.append(buffers(maxRows).pack());
    SmallVector<Value> extra = products->buffers(tile);
    size_t extras = extra.size();
    carried.append(extra);
    carried = loop(
        first, end, AttentionShape::chunkKeys, carried,
        [&](Value chunk, SmallVector<Value> inner) {
          Value chunkEnd = smaller(end, add(chunk, AttentionShape::chunkKeys));
          State all = State::unpack(inner);
          State state = State::unpack(ArrayRef(inner).drop_front(3));
          SmallVector<Value> next = nothingYet(rowCount, state).pack();
          next.append(inner.end() - extras, inner.end());
          next = loop(chunk, chunkEnd, block, next,
                      [&](Value key, SmallVector<Value> now) {
                        return addBlock(key, chunkEnd, rowCount, tile, now);
                      });
          SmallVector<Value> result =
              merge(rowCount, all, State::unpack(next)).pack();
          result.append(next);
          return result;
        });
    State all = State::unpack(carried);
    Value partials = rows.partials ? leave(all) : Value();
    return {rows.result ? finish(all) : Value(), partials};
  }

private:
  /// Rows of a tile. Of 32 registers (AVX-512), 4 · 6 hold sums and 4 a step's
  /// keys; of 16 (AVX2), 4 · 2 and 4: with a third row sums are spilled. Tiles
  /// that divide a group have rows of one token.
  int64_t tileRows() const {
    if (lanes < 16)
      return 2;
    for (int64_t tile : {6, 5, 4, 3})
      if (shape.group % tile == 0)
        return tile;
    return 4;
  }

  /// Asks for the keys and values of the block from `first` on: each block and
  /// head begins a stream of its own, which would wait for memory each time.
  void prefetchBlock(Value first) {
    // Keys of a call that goes on were just made: they lie in a cache.
    if (rows.resumes)
      return;
    constexpr int64_t lineBytes = 64, allLevels = 3, any = ShapedType::kDynamic;
    Value last = smaller(lastKey, add(first, block));
    auto loop = scf::ForOp::create(b, first, last, index(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    llvm::SmallSetVector<Value, 3> matrices(rows.keys.begin(), rows.keys.end());
    matrices.insert(rows.values);
    for (Value matrix : matrices) {
      RankedTensorType type = typeOf(matrix);
      auto layout = StridedLayoutAttr::get(b.getContext(), any, {any, any});
      Value buffer = bufferization::ToBufferOp::create(
          b, MemRefType::get(type.getShape(), type.getElementType(), layout),
          matrix, /*readOnly=*/true);
      int64_t elements = lineBytes * 8 / type.getElementTypeBitWidth();
      for (int64_t column = 0; column < type.getDimSize(1); column += elements)
        memref::PrefetchOp::create(
            b, buffer, ValueRange{loop.getInductionVar(), index(column)},
            /*isWrite=*/false, allLevels, /*isDataCache=*/true);
    }
  }

  Value tokenOf(Value row) {
    if (shape.group == 1)
      return row;
    return arith::DivUIOp::create(b, row, index(shape.group));
  }
  /// Keys that token `first` + `token` sees.
  Value visibleTo(Value token) {
    Value count = rows.visible;
    if (shape.causal)
      count = add(count, token);
    return larger(index(0), smaller(count, length));
  }

  /// `state` with what was left.
  State resume(State state) {
    SmallVector<Value> made = loop(
        index(0), rows.partialCount, 1, state.pack(),
        [&](Value token, SmallVector<Value> outer) {
          return loop(
              index(0), index(shape.group), 1, outer,
              [&](Value head, SmallVector<Value> inner) -> SmallVector<Value> {
                Value row = add(mul(token, shape.group), head),
                      from = add(rows.first, token);
                Value top = read(rows.partials, {from, head, index(0)}, lanes);
                Value sums =
                    read(rows.partials, {from, head, index(lanes)}, lanes);
                inner[0] =
                    tensor::InsertOp::create(b, first(top), inner[0], row);
                inner[1] = write(sums, inner[1], {row, index(0)});
                inner[2] = eachColumns(
                    shape.valueWidth, inner[2],
                    [&](ArrayRef<Columns> columns, Value into) {
                      for (const Columns &c : columns) {
                        Value there = add(at(c), 2 * lanes);
                        into = write(
                            read(rows.partials, {from, head, there}, c.count),
                            into, {row, at(c)});
                      }
                      return into;
                    });
                return inner;
              });
        });
    return State::unpack(made);
  }

  Value leave(const State &state) {
    return eachRow(rows.partialCount, rows.partials,
                   [&](Value token, Value head, Value row, Value partials) {
                     token = add(rows.first, token);
                     partials = write(splat(full, element(state.top, row)),
                                      partials, {token, head, index(0)});
                     partials = write(read(state.sums, {row, index(0)}, lanes),
                                      partials, {token, head, index(lanes)});
                     return eachColumns(
                         shape.valueWidth, partials,
                         [&](ArrayRef<Columns> columns, Value into) {
                           for (const Columns &c : columns) {
                             Value there = add(at(c), 2 * lanes);
                             into = write(
                                 read(state.values, {row, at(c)}, c.count),
                                 into, {token, head, there});
                           }
                           return into;
                         });
                   });
  }

  /// `carried`: a state, and buffers of the products.
  SmallVector<Value> addBlock(Value firstKey, Value end, Value rowCount,
                              int64_t tile, SmallVector<Value> carried) {
    prefetchBlock(add(firstKey, block));
    SmallVector<Value> state(ArrayRef(carried).take_front(3));
    state.append(
        products->lay(rows, firstKey, end,
                      SmallVector<Value>(ArrayRef(carried).drop_front(3))));
    carried = state;
    auto tiles = [&](Value from, Value to, int64_t count) {
      carried = loop(
          from, to, count, carried, [&](Value row, SmallVector<Value> inner) {
            State state = State::unpack(inner);
            SmallVector<Value> buffers(ArrayRef(inner).drop_front(3));
            addTile(firstKey, row, count, buffers, state);
            SmallVector<Value> next = state.pack();
            next.append(buffers);
            return next;
          });
    };
    Value whole = mul(arith::DivUIOp::create(b, rowCount, index(tile)), tile);
    tiles(index(0), whole, tile);
    tiles(whole, rowCount, 1);
    return carried;
  }

  /// Moves the state on.
  void addTile(Value firstKey, Value firstRow, int64_t count,
               SmallVector<Value> &buffers, State &state) {
    SmallVector<Value> row, seen, factors;
    for (int64_t r = 0; r < count; ++r) {
      row.push_back(add(firstRow, r));
      // Keys of the block that it sees; may be none or more than there are.
      seen.push_back(sub(visibleTo(tokenOf(row[r])), firstKey));
    }
    SmallVector<Value> scores = products->scores(buffers, row);
    for (int64_t r = 0; r < count; ++r) {
      MutableArrayRef<Value> mine = MutableArrayRef<Value>(scores).slice(
          r * vectorsPerRow, vectorsPerRow);
      if (rows.mask)
        buffers[0] = addMask(firstKey, row[r], r, buffers[0], mine);
      hide(seen[r], mine);
      factors.push_back(weigh(row[r], r, mine, buffers, state));
    }
    addValues(firstKey, row, seen, factors, buffers, state);
  }

  /// The masks pass through the row's weights, not yet used.
  Value addMask(Value firstKey, Value row, int64_t r, Value buffer,
                MutableArrayRef<Value> scores) {
    Value token = tokenOf(row);
    Value head = sub(row, mul(token, shape.group));
    Value count = smaller(index(block), sub(length, firstKey));
    buffer = loop(index(0), count, 1, buffer, [&](Value key, Value inner) {
      Value mask = rows.mask(b, b.getLoc(), add(rows.first, token), head,
                             add(firstKey, key));
      return tensor::InsertOp::create(b, mask, inner, ValueRange{index(r), key})
          .getResult();
    });
    for (auto [j, score] : llvm::enumerate(scores))
      score = arith::AddFOp::create(
          b, score, read(buffer, {index(r), index(j * lanes)}, lanes));
    return buffer;
  }

  /// -inf for keys that the row does not see, whatever was computed for them.
  void hide(Value seen, MutableArrayRef<Value> scores) {
    auto type = VectorType::get({lanes}, b.getI32Type());
    // Fits once it is at most a block.
    Value limit = arith::IndexCastOp::create(b, b.getI32Type(),
                                             smaller(seen, index(block)));
    limit = splat(type, limit);
    Value hidden = f32(full, -std::numeric_limits<double>::infinity());
    for (auto [j, score] : llvm::enumerate(scores)) {
      SmallVector<int32_t> keys;
      for (int64_t lane = 0; lane < lanes; ++lane)
        keys.push_back(j * lanes + lane);
      Value at = arith::ConstantOp::create(
          b, DenseElementsAttr::get(type, ArrayRef<int32_t>(keys)));
      Value visible =
          arith::CmpIOp::create(b, arith::CmpIPredicate::slt, at, limit);
      score = arith::SelectOp::create(b, visible, score, hidden);
    }
  }

  /// Scores become weights; maximum and sum of the row move on. Returns what
  /// the row's sums so far are multiplied by.
  Value weigh(Value row, int64_t r, ArrayRef<Value> scores,
              SmallVector<Value> &buffers, State &state) {
    Location loc = b.getLoc();
    Value best = scores.front();
    for (Value score : scores.drop_front())
      best = largerOf(b, loc, best, score);
    best = largestOfLanes(b, loc, best);
    Value before = splat(full, element(state.top, row));
    Value top = largerOf(b, loc, before, best);
    // A row that sees nothing yet has no maximum: its weights are all 0.
    Value lowest = f32(full, -std::numeric_limits<double>::infinity());
    Value blind =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, top, lowest);
    Value safe = arith::SelectOp::create(b, blind, f32(full, 0), top);
    Value factor = expandExp(b, loc, arith::SubFOp::create(b, before, safe));
    SmallVector<Value> sums;
    for (auto [j, score] : llvm::enumerate(scores)) {
      Value weight = expandExp(b, loc, arith::SubFOp::create(b, score, safe));
      sums.push_back(products->keep(weight, r, j, buffers));
    }
    for (size_t half = sums.size() / 2; half > 0; half /= 2)
      for (size_t i = 0; i < half; ++i)
        sums[i] = arith::AddFOp::create(b, sums[i], sums[i + half]);
    Value sum = read(state.sums, {row, index(0)}, lanes);
    sum = vector::FMAOp::create(b, sum, factor, sums.front());
    state.sums = write(sum, state.sums, {row, index(0)});
    state.top = tensor::InsertOp::create(b, first(top), state.top, row);
    return factor;
  }

  void addValues(Value firstKey, ArrayRef<Value> row, ArrayRef<Value> seen,
                 ArrayRef<Value> factors, ArrayRef<Value> buffers,
                 State &state) {
    SmallVector<Value> ends;
    for (Value count : seen)
      ends.push_back(larger(index(0), smaller(count, index(block))));
    auto addTo = [&](ArrayRef<Columns> columns, Value values) {
      SmallVector<Value> sums;
      for (auto [own, factor] : llvm::zip_equal(row, factors)) {
        for (const Columns &c : columns) {
          Value sum = read(values, {own, at(c)}, c.count);
          Value scale = splat(cast<VectorType>(sum.getType()), first(factor));
          sums.push_back(arith::MulFOp::create(b, sum, scale));
        }
      }
      products->addValues(
          rows, firstKey, columns, buffers, ends,
          !shape.causal || shape.group % int64_t(row.size()) == 0, sums);
      for (auto [r, own] : llvm::enumerate(row))
        for (auto [i, c] : llvm::enumerate(columns))
          values = write(sums[r * columns.size() + i], values, {own, at(c)});
      return values;
    };
    state.values = eachColumns(shape.valueWidth, state.values, addTo);
  }

  Value finish(const State &state) {
    return eachRow(
        rows.resultCount, rows.result,
        [&](Value token, Value head, Value row, Value inner) {
          token = add(rows.first, token);
          Value sum = divisor(read(state.sums, {row, index(0)}, lanes));
          return eachColumns(shape.valueWidth, inner,
                             [&](ArrayRef<Columns> columns, Value result) {
                               for (const Columns &c : columns) {
                                 Value value =
                                     read(state.values, {row, at(c)}, c.count);
                                 result = write(quotient(value, sum), result,
                                                {token, head, at(c)});
                               }
                               return result;
                             });
        });
  }

  std::unique_ptr<AttentionProducts> products;
  AttentionRows rows;
  int64_t block;
  /// Number of keys; where the walk over them ends.
  Value length, lastKey;
};

} // namespace

std::pair<Value, Value> mlir::ds::emitAttention(ImplicitLocOpBuilder &b,
                                                const AttentionShape &shape,
                                                const AttentionRows &rows) {
  return Emitter(b, shape).attend(rows);
}

Value mlir::ds::emitNothing(ImplicitLocOpBuilder &b,
                            const AttentionShape &shape, Value count,
                            Value partials) {
  return AttentionStates(b, shape).nothingIn(count, partials);
}

Value mlir::ds::emitMerge(ImplicitLocOpBuilder &b, const AttentionShape &shape,
                          Value partials, Value chunks, Value result) {
  return AttentionStates(b, shape).mergeRow(partials, chunks, result);
}
