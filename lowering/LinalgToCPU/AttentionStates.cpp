//===- AttentionStates.cpp - what attention carries over keys -------------===//
//
// See AttentionStates.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/AttentionStates.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

using namespace mlir;
using namespace mlir::ds;

Value AttentionStates::dotPairs(Value sum, Value x, Value y) {
  auto words = cast<VectorType>(y.getType());
  auto pairs = VectorType::get({2 * words.getNumElements()}, b.getBF16Type());
  auto asPairs = [&](Value value) {
    return vector::BitCastOp::create(b, pairs, value);
  };
  return x86vector::DotBF16Op::create(b, sum.getType(), sum,
                                      asPairs(splat(words, x)), asPairs(y));
}

AttentionStates::State AttentionStates::buffers(int64_t maxRows) {
  return {local({maxRows}), local({maxRows, lanes}),
          local({maxRows, shape.valueWidth})};
}

Value AttentionStates::eachColumns(int64_t width, Value carried,
                                   ColumnsBody body) {
  int64_t group = vectorsPerRow * lanes, whole = width / group * group;
  auto vectors = [&](Value first, int64_t count) {
    SmallVector<Columns> result;
    for (int64_t offset = 0; offset < count; offset += lanes)
      result.push_back({first, offset, std::min(lanes, count - offset)});
    return result;
  };
  carried = loop(index(0), index(whole), group, carried,
                 [&](Value first, Value inner) {
                   return body(vectors(first, group), inner);
                 });
  if (whole == width)
    return carried;
  return body(vectors(index(whole), width - whole), carried);
}

/// A vector with all lanes; those behind it hold anything.
static Value widened(OpBuilder &b, Location loc, Value vector, int64_t lanes) {
  int64_t count = cast<VectorType>(vector.getType()).getNumElements();
  if (count == lanes)
    return vector;
  SmallVector<int64_t> order(lanes, vector::ShuffleOp::kPoisonIndex);
  for (int64_t i = 0; i < count; ++i)
    order[i] = i;
  return vector::ShuffleOp::create(b, loc, vector, vector, order);
}

Value AttentionStates::layRows(Value matrix, ArrayRef<Value> rows, Value into,
                               int64_t before, Value column) {
  Type element = typeOf(into).getElementType();
  bool pairs = element.isInteger(32);
  auto some = [&](Value row, Value from, int64_t count) -> Value {
    if (!pairs)
      return read(matrix, {row, from}, count);
    return vector::BitCastOp::create(
        b, VectorType::get({count}, element),
        readAsIs(matrix, {row, mul(from, 2)}, 2 * count));
  };
  auto square = [&](Value from, int64_t count, Value into) {
    SmallVector<Value> vectors;
    for (Value row : rows)
      vectors.push_back(widened(b, b.getLoc(), some(row, from, count), lanes));
    transposeVectors(b, b.getLoc(), vectors);
    for (int64_t i = 0; i < count; ++i)
      into = writeAsIs(vectors[i], into, {add(from, before + i), column});
    return into;
  };
  int64_t width = typeOf(matrix).getDimSize(1) / (pairs ? 2 : 1),
          rest = width % lanes, whole = width - rest;
  into =
      loop(index(0), index(whole), lanes, into,
           [&](Value from, Value inner) { return square(from, lanes, inner); });
  return rest ? square(index(whole), rest, into) : into;
}

Value AttentionStates::layKeys(const AttentionRows &rows, Value first,
                               Value end, Value buffer) {
  RankedTensorType type = typeOf(buffer);
  int64_t elements = type.getElementType().isInteger(32) ? 2 : 1;
  Value last = sub(end, index(1)),
        count = smaller(index(type.getDimSize(1)), sub(end, first));
  return loop(index(0), count, lanes, buffer, [&](Value lane, Value outer) {
    SmallVector<Value> keys;
    for (int64_t i = 0; i < lanes; ++i)
      keys.push_back(smaller(add(add(first, lane), i), last));
    int64_t before = 0;
    for (Value part : rows.keys) {
      outer = layRows(part, keys, outer, before, lane);
      before += typeOf(part).getDimSize(1) / elements;
    }
    return outer;
  });
}

Value AttentionStates::eachRow(
    Value count, Value carried,
    llvm::function_ref<Value(Value token, Value head, Value row, Value carried)>
        body) {
  return loop(index(0), count, 1, carried, [&](Value token, Value outer) {
    return loop(index(0), index(shape.group), 1, outer,
                [&](Value head, Value inner) {
                  Value row = add(mul(token, shape.group), head);
                  return body(token, head, row, inner);
                });
  });
}

AttentionStates::State AttentionStates::nothingYet(Value rowCount,
                                                   State state) {
  SmallVector<Value> made =
      loop(index(0), rowCount, 1, state.pack(),
           [&](Value row, SmallVector<Value> inner) -> SmallVector<Value> {
             inner[0] =
                 tensor::InsertOp::create(b, first(lowest()), inner[0], row);
             inner[1] = write(f32(full, 0), inner[1], {row, index(0)});
             inner[2] = eachColumns(
                 shape.valueWidth, inner[2],
                 [&](ArrayRef<Columns> columns, Value values) {
                   for (const Columns &c : columns) {
                     auto type = VectorType::get({c.count}, b.getF32Type());
                     values = write(f32(type, 0), values, {row, at(c)});
                   }
                   return values;
                 });
             return inner;
           });
  return State::unpack(made);
}

AttentionStates::Join AttentionStates::joinOf(Value before, Value part) {
  Location loc = b.getLoc();
  Value lowestTop = lowest();
  auto isBlind = [&](Value top) -> Value {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, first(top),
                                 first(lowestTop));
  };
  Value none = isBlind(before), noneNow = isBlind(part);
  Value top = largerOf(b, loc, before, part);
  Value blind =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, top, lowestTop);
  Value safe = arith::SelectOp::create(b, blind, f32(full, 0), top);
  auto factor = [&](Value x) -> Value {
    return first(expandExp(b, loc, arith::SubFOp::create(b, x, safe)));
  };
  Value old = factor(before), now = factor(part);
  return {top, old, now, none, noneNow};
}

Value AttentionStates::joined(const Join &join, Value before, Value part) {
  auto type = cast<VectorType>(before.getType());
  Value sum = arith::MulFOp::create(b, part, splat(type, join.now));
  sum = vector::FMAOp::create(b, before, splat(type, join.old), sum);
  sum = arith::SelectOp::create(b, join.noneNow, before, sum);
  return arith::SelectOp::create(b, join.none, part, sum);
}

AttentionStates::State AttentionStates::merge(Value rowCount, State all,
                                              const State &part) {
  SmallVector<Value> made =
      loop(index(0), rowCount, 1, all.pack(),
           [&](Value row, SmallVector<Value> inner) -> SmallVector<Value> {
             Join join = joinOf(splat(full, element(inner[0], row)),
                                splat(full, element(part.top, row)));
             inner[0] =
                 tensor::InsertOp::create(b, first(join.top), inner[0], row);
             Value sums[] = {row, index(0)};
             inner[1] = write(joined(join, read(inner[1], sums, lanes),
                                     read(part.sums, sums, lanes)),
                              inner[1], sums);
             inner[2] = eachColumns(
                 shape.valueWidth, inner[2],
                 [&](ArrayRef<Columns> columns, Value values) {
                   for (const Columns &c : columns) {
                     Value there[] = {row, at(c)};
                     values = write(joined(join, read(values, there, c.count),
                                           read(part.values, there, c.count)),
                                    values, there);
                   }
                   return values;
                 });
             return inner;
           });
  return State::unpack(made);
}

Value AttentionStates::divisor(Value sums) {
  Value sum = first(sumOfLanes(b, b.getLoc(), sums));
  Value nothing = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum,
                                        f32(b.getF32Type(), 0));
  return arith::SelectOp::create(b, nothing, f32(b.getF32Type(), 1), sum);
}

Value AttentionStates::quotient(Value value, Value sum) {
  return arith::DivFOp::create(b, value,
                               splat(cast<VectorType>(value.getType()), sum));
}

Value AttentionStates::nothingIn(Value count, Value partials) {
  return loop(index(0), count, 1, partials, [&](Value token, Value outer) {
    return loop(
        index(0), index(shape.group), 1, outer, [&](Value head, Value inner) {
          inner = write(lowest(), inner, {token, head, index(0)});
          return eachColumns(shape.partialWidth() - lanes, inner,
                             [&](ArrayRef<Columns> columns, Value into) {
                               for (const Columns &c : columns) {
                                 auto type =
                                     VectorType::get({c.count}, b.getF32Type());
                                 into = write(f32(type, 0), into,
                                              {token, head, add(at(c), lanes)});
                               }
                               return into;
                             });
        });
  });
}

Value AttentionStates::mergeRow(Value partials, Value chunks, Value result) {
  return eachColumns(
      shape.valueWidth, result, [&](ArrayRef<Columns> columns, Value row) {
        SmallVector<Value> none{lowest(), f32(full, 0)};
        for (const Columns &c : columns)
          none.push_back(f32(VectorType::get({c.count}, b.getF32Type()), 0));
        SmallVector<Value> all = loop(
            index(0), chunks, 1, none,
            [&](Value chunk, SmallVector<Value> before) {
              Join join =
                  joinOf(before[0], read(partials, {chunk, index(0)}, lanes));
              SmallVector<Value> now{join.top};
              now.push_back(
                  joined(join, before[1],
                         read(partials, {chunk, index(lanes)}, lanes)));
              for (auto [c, value] :
                   llvm::zip_equal(columns, ArrayRef(before).drop_front(2))) {
                Value there = add(at(c), 2 * lanes);
                now.push_back(joined(join, value,
                                     read(partials, {chunk, there}, c.count)));
              }
              return now;
            });
        Value sum = divisor(all[1]);
        for (auto [c, value] :
             llvm::zip_equal(columns, ArrayRef(all).drop_front(2)))
          row = write(quotient(value, sum), row, {at(c)});
        return row;
      });
}
