//===- AttentionStates.h - what attention carries over keys -----*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. The state of online softmax of some rows, in
// vectors: made, merged, divided. The words that AttentionKernel.cpp, which
// moves it on, is written in are here too.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_ATTENTIONSTATES_H
#define LOWERING_LINALGTOCPU_ATTENTIONSTATES_H

#include "lowering/LinalgToCPU/AttentionKernel.h"
#include "lowering/LinalgToCPU/VectorMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::ds {

class AttentionStates {
public:
  AttentionStates(ImplicitLocOpBuilder &b, const AttentionShape &shape)
      : b(b), shape(shape), lanes(shape.lanes),
        full(VectorType::get({shape.lanes}, b.getF32Type())) {}

  /// See emitNothing.
  Value nothingIn(Value count, Value partials);
  /// See emitMerge.
  Value mergeRow(Value partials, Value chunks, Value result);

protected:
  /// Vectors of a row that are worked on together, in registers.
  static constexpr int64_t vectorsPerRow = 4;

  /// One vector of a row: `count` elements from `first` + `offset` on.
  struct Columns {
    Value first;
    int64_t offset, count;
  };
  /// Buffers: per row the maximum, a vector of partial sums and the weighted
  /// values.
  struct State {
    Value top, sums, values;
    SmallVector<Value> pack() const { return {top, sums, values}; }
    static State unpack(ArrayRef<Value> v) { return {v[0], v[1], v[2]}; }
  };

  // Small words.
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value add(Value x, int64_t y) { return y == 0 ? x : add(x, index(y)); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value mul(Value x, int64_t y) {
    return y == 1 ? x : arith::MulIOp::create(b, x, index(y)).getResult();
  }
  Value smaller(Value x, Value y) { return arith::MinSIOp::create(b, x, y); }
  Value larger(Value x, Value y) { return arith::MaxSIOp::create(b, x, y); }
  Value f32(Type type, double value) {
    return constantLike(b, b.getLoc(), type, value);
  }
  /// The maximum of a row that has seen no key.
  Value lowest() { return f32(full, -std::numeric_limits<double>::infinity()); }
  /// A buffer of its own: equal `tensor.empty` would become one value, whose
  /// copies bufferization does not tell apart when loops carry them.
  Value local(ArrayRef<int64_t> sizes) {
    return localOf(b.getF32Type(), sizes);
  }
  Value localOf(Type element, ArrayRef<int64_t> sizes) {
    return bufferization::AllocTensorOp::create(
        b, RankedTensorType::get(sizes, element), ValueRange());
  }
  Value element(Value tensor, ValueRange at) {
    return tensor::ExtractOp::create(b, tensor, at);
  }
  /// Lane 0.
  Value first(Value vector) {
    return vector::ExtractOp::create(b, vector, int64_t(0));
  }
  Value splat(VectorType type, Value scalar) {
    return vector::BroadcastOp::create(b, type, scalar);
  }

  /// What holds a pair of bf16.
  Type word() { return b.getI32Type(); }
  /// Pairs of bf16 as `count` words.
  Value asWords(Value pairs, int64_t count) {
    return vector::BitCastOp::create(b, VectorType::get({count}, word()),
                                     pairs);
  }
  /// sum + x · y, of the pair `x` for all lanes and a pair of `y` for each.
  Value dotPairs(Value sum, Value x, Value y);

  static RankedTensorType typeOf(Value tensor) {
    return cast<RankedTensorType>(tensor.getType());
  }

  /// `count` elements of the last dimension from `at` on.
  Value readAsIs(Value tensor, ValueRange at, int64_t count) {
    Type from = typeOf(tensor).getElementType();
    Value padding = arith::ConstantOp::create(b, from, b.getZeroAttr(from));
    return vector::TransferReadOp::create(b, VectorType::get({count}, from),
                                          tensor, at, padding,
                                          ArrayRef<bool>{true});
  }
  Value writeAsIs(Value vector, Value tensor, ValueRange at) {
    return vector::TransferWriteOp::create(b, vector, tensor, at,
                                           ArrayRef<bool>{true})
        .getResult();
  }
  /// The same as f32.
  Value read(Value tensor, ValueRange at, int64_t count) {
    Type from = typeOf(tensor).getElementType();
    Value vector = readAsIs(tensor, at, count);
    if (from.isF32())
      return vector;
    return arith::ExtFOp::create(b, VectorType::get({count}, b.getF32Type()),
                                 vector);
  }
  Value write(Value vector, Value tensor, ValueRange at) {
    Type to = typeOf(tensor).getElementType();
    if (!to.isF32()) {
      auto type = cast<VectorType>(vector.getType());
      vector = arith::TruncFOp::create(b, VectorType::get(type.getShape(), to),
                                       vector);
    }
    return writeAsIs(vector, tensor, at);
  }

  using LoopBody =
      llvm::function_ref<SmallVector<Value>(Value, SmallVector<Value>)>;
  SmallVector<Value> loop(Value from, Value to, int64_t step,
                          ArrayRef<Value> carried, LoopBody body) {
    auto op = scf::ForOp::create(b, from, to, index(step), carried);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(op.getBody());
    SmallVector<Value> next =
        body(op.getInductionVar(), SmallVector<Value>(op.getRegionIterArgs()));
    scf::YieldOp::create(b, next);
    return SmallVector<Value>(op.getResults());
  }
  Value loop(Value from, Value to, int64_t step, Value carried,
             llvm::function_ref<Value(Value, Value)> body) {
    return loop(from, to, step, ArrayRef<Value>(carried),
                [&](Value i, SmallVector<Value> inner) -> SmallVector<Value> {
                  return {body(i, inner.front())};
                })
        .front();
  }

  using ColumnsBody =
      llvm::function_ref<Value(ArrayRef<Columns> columns, Value carried)>;
  /// Walks a row of `width` elements, `vectorsPerRow` vectors at a time; in a
  /// loop, so that the code of a wide row is no longer than that of a narrow
  /// one.
  Value eachColumns(int64_t width, Value carried, ColumnsBody body);
  Value at(const Columns &columns) {
    return add(columns.first, columns.offset);
  }

  /// Lays `lanes` rows of `matrix`, [.., width], out element by element: one
  /// per lane, from `column` of `into` on, element c in row `before` + c. Where
  /// `into` is i32, an element is a pair of neighbours in bf16.
  Value layRows(Value matrix, ArrayRef<Value> rows, Value into, int64_t before,
                Value column);

  /// Keys [first, first + block), element by element: [width, block]. Key
  /// `end` - 1 stands for those from `end` on. As layRows.
  Value layKeys(const AttentionRows &rows, Value first, Value end,
                Value buffer);
  /// Calls `body` for `count` tokens and the heads of the group.
  Value eachRow(Value count, Value carried,
                llvm::function_ref<Value(Value token, Value head, Value row,
                                         Value carried)>
                    body);

  State buffers(int64_t maxRows);
  /// `state` of rows that have seen no key.
  State nothingYet(Value rowCount, State state);
  /// What the keys of `part`, behind those of `before`, make of a row: its
  /// maximum, and how its sums are joined.
  struct Join {
    Value top, old, now, none, noneNow;
  };
  /// Of two maxima, in all lanes.
  Join joinOf(Value before, Value part);
  /// Two sums as one. Where either saw nothing it is the other, bit by bit.
  Value joined(const Join &join, Value before, Value part);
  /// `all`, each row merged with that of `part`.
  State merge(Value rowCount, State all, const State &part);
  /// What values are divided by: nothing was added where nothing was seen.
  Value divisor(Value sums);
  Value quotient(Value value, Value sum);

  ImplicitLocOpBuilder &b;
  const AttentionShape &shape;
  int64_t lanes;
  VectorType full;
};

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_ATTENTIONSTATES_H
