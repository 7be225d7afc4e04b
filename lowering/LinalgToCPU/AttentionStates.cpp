//===- AttentionStates.cpp - what attention carries over keys -------------===//
//
// See AttentionStates.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/AttentionStates.h"

using namespace mlir;
using namespace mlir::ds;

AttentionStates::State AttentionStates::buffers(int64_t maxRows) {
  return {local({maxRows}), local({maxRows, lanes}),
          local({maxRows, shape.valueWidth})};
}

AttentionStates::State AttentionStates::nothingYet(Value rowCount,
                                                   State state) {
  SmallVector<Value> made =
      loop(index(0), rowCount, 1, state.pack(),
           [&](Value row, SmallVector<Value> inner) -> SmallVector<Value> {
             Value lowest =
                 f32(b.getF32Type(), -std::numeric_limits<double>::infinity());
             inner[0] = tensor::InsertOp::create(b, lowest, inner[0], row);
             inner[1] = write(f32(full, 0), inner[1], {row, index(0)});
             for (Columns c : columnsOf(shape.valueWidth)) {
               auto type = VectorType::get({c.count}, b.getF32Type());
               inner[2] = write(f32(type, 0), inner[2], {row, index(c.first)});
             }
             return inner;
           });
  return State::unpack(made);
}

SmallVector<Value> AttentionStates::rowOf(const State &state, Value row) {
  SmallVector<Value> result{splat(full, element(state.top, row)),
                            read(state.sums, {row, index(0)}, lanes)};
  for (Columns c : columnsOf(shape.valueWidth))
    result.push_back(read(state.values, {row, index(c.first)}, c.count));
  return result;
}

SmallVector<Value> AttentionStates::merged(ArrayRef<Value> before,
                                           ArrayRef<Value> part) {
  Location loc = b.getLoc();
  Value lowest = f32(full, -std::numeric_limits<double>::infinity());
  auto isBlind = [&](Value top) -> Value {
    top = vector::ExtractOp::create(b, top, int64_t(0));
    return arith::CmpFOp::create(
        b, arith::CmpFPredicate::OEQ, top,
        f32(b.getF32Type(), -std::numeric_limits<double>::infinity()));
  };
  Value none = isBlind(before[0]), noneNow = isBlind(part[0]);
  Value top = largerOf(b, loc, before[0], part[0]);
  Value blind =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, top, lowest);
  Value safe = arith::SelectOp::create(b, blind, f32(full, 0), top);
  auto factor = [&](Value x) -> Value {
    Value power = expandExp(b, loc, arith::SubFOp::create(b, x, safe));
    return vector::ExtractOp::create(b, power, int64_t(0));
  };
  Value old = factor(before[0]), now = factor(part[0]);
  SmallVector<Value> result{top};
  for (auto [x, y] : llvm::zip_equal(before.drop_front(), part.drop_front())) {
    auto type = cast<VectorType>(x.getType());
    Value sum = arith::MulFOp::create(b, y, splat(type, now));
    sum = vector::FMAOp::create(b, x, splat(type, old), sum);
    sum = arith::SelectOp::create(b, noneNow, x, sum);
    result.push_back(arith::SelectOp::create(b, none, y, sum));
  }
  return result;
}

AttentionStates::State AttentionStates::merge(Value rowCount, State all,
                                              const State &part) {
  SmallVector<Value> made = loop(
      index(0), rowCount, 1, all.pack(),
      [&](Value row, SmallVector<Value> inner) -> SmallVector<Value> {
        SmallVector<Value> now =
            merged(rowOf(State::unpack(inner), row), rowOf(part, row));
        inner[0] = tensor::InsertOp::create(
            b, vector::ExtractOp::create(b, now[0], int64_t(0)), inner[0], row);
        inner[1] = write(now[1], inner[1], {row, index(0)});
        for (auto [c, value] : llvm::zip_equal(columnsOf(shape.valueWidth),
                                               ArrayRef(now).drop_front(2)))
          inner[2] = write(value, inner[2], {row, index(c.first)});
        return inner;
      });
  return State::unpack(made);
}

Value AttentionStates::divisor(Value sums) {
  Value sum = sumOfLanes(b, b.getLoc(), sums);
  sum = vector::ExtractOp::create(b, sum, int64_t(0));
  Value nothing = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum,
                                        f32(b.getF32Type(), 0));
  return arith::SelectOp::create(b, nothing, f32(b.getF32Type(), 1), sum);
}

Value AttentionStates::quotient(Value value, Value sum) {
  return arith::DivFOp::create(b, value,
                               splat(cast<VectorType>(value.getType()), sum));
}

Value AttentionStates::mergeRow(Value partials, Value chunks, Value result) {
  SmallVector<Value> none{f32(full, -std::numeric_limits<double>::infinity()),
                          f32(full, 0)};
  SmallVector<Columns> columns = columnsOf(shape.valueWidth);
  for (Columns c : columns)
    none.push_back(f32(VectorType::get({c.count}, b.getF32Type()), 0));
  SmallVector<Value> all = loop(
      index(0), chunks, 1, none, [&](Value chunk, SmallVector<Value> before) {
        SmallVector<Value> part{read(partials, {chunk, index(0)}, lanes),
                                read(partials, {chunk, index(lanes)}, lanes)};
        for (Columns c : columns)
          part.push_back(
              read(partials, {chunk, index(2 * lanes + c.first)}, c.count));
        return merged(before, part);
      });
  Value sum = divisor(all[1]);
  for (auto [c, value] : llvm::zip_equal(columns, ArrayRef(all).drop_front(2)))
    result = write(quotient(value, sum), result, {index(c.first)});
  return result;
}
