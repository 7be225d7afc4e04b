//===- AttentionProducts.cpp - products of attention in f32 ---------------===//
//
// Everything is widened when read. Keys are laid out one per lane, so that a
// score is a chain of multiply-adds over the width; values are read where they
// lie.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/AttentionProducts.h"

using namespace mlir;
using namespace mlir::ds;

namespace {

class FloatProducts : public AttentionProducts {
public:
  using AttentionProducts::AttentionProducts;

  void loadQueries(const AttentionRows &rows, int64_t maxRows) override {
    queries = eachRow(
        rows.count, local({maxRows, shape.width}),
        [&](Value token, Value head, Value row, Value inner) {
          token = add(rows.first, token);
          return eachColumns(
              shape.width, inner, [&](ArrayRef<Columns> columns, Value into) {
                for (const Columns &c : columns) {
                  Value q = read(rows.queries, {token, head, at(c)}, c.count);
                  q = arith::MulFOp::create(b, q,
                                            f32(q.getType(), shape.scale));
                  into = write(q, into, {row, at(c)});
                }
                return into;
              });
        });
  }

  SmallVector<Value> buffers(int64_t tile) override {
    return {local({tile, block()}), local({shape.width, block()})};
  }

  SmallVector<Value> lay(const AttentionRows &rows, Value first, Value end,
                         SmallVector<Value> buffers) override {
    buffers[1] = layKeys(rows, first, end, buffers[1]);
    return buffers;
  }

  SmallVector<Value> scores(ArrayRef<Value> buffers,
                            ArrayRef<Value> row) override {
    SmallVector<Value> sums(row.size() * vectorsPerRow, f32(full, 0));
    return loop(index(0), index(shape.width), 1, sums,
                [&](Value d, SmallVector<Value> inner) {
                  SmallVector<Value> key;
                  for (int64_t j = 0; j < vectorsPerRow; ++j)
                    key.push_back(
                        read(buffers[1], {d, index(j * lanes)}, lanes));
                  for (auto [r, at] : llvm::enumerate(row)) {
                    Value q = splat(full, element(queries, {at, d}));
                    for (int64_t j = 0; j < vectorsPerRow; ++j) {
                      Value &sum = inner[r * vectorsPerRow + j];
                      sum = vector::FMAOp::create(b, q, key[j], sum);
                    }
                  }
                  return inner;
                });
  }

  Value keep(Value weight, int64_t r, int64_t j,
             SmallVector<Value> &buffers) override {
    buffers[0] = write(weight, buffers[0], {index(r), index(j * lanes)});
    return weight;
  }

  void addValues(const AttentionRows &rows, Value first,
                 ArrayRef<Columns> columns, ArrayRef<Value> buffers,
                 ArrayRef<Value> ends, bool oneToken,
                 MutableArrayRef<Value> sums) override {
    // The first row sees least: its keys for all, then what others see more.
    auto some = [&](size_t row, size_t count, Value from, Value to) {
      addKeys(rows.values, first, columns, buffers[0], row, count, from, to,
              sums.slice(row * columns.size(), count * columns.size()));
    };
    some(0, ends.size(), index(0), ends[0]);
    if (!oneToken)
      for (size_t r = 1; r < ends.size(); ++r)
        some(r, 1, ends[0], ends[r]);
  }

private:
  /// Adds values [from, to) of the block to the sums of rows [firstRow,
  /// firstRow + count).
  void addKeys(Value values, Value firstKey, ArrayRef<Columns> columns,
               Value weights, int64_t firstRow, int64_t count, Value from,
               Value to, MutableArrayRef<Value> sums) {
    SmallVector<Value> done =
        loop(from, to, 1, sums, [&](Value key, SmallVector<Value> inner) {
          SmallVector<Value> value;
          for (const Columns &c : columns)
            value.push_back(read(values, {add(firstKey, key), at(c)}, c.count));
          for (int64_t r = 0; r < count; ++r) {
            Value weight = element(weights, {index(firstRow + r), key});
            for (auto [i, v] : llvm::enumerate(value)) {
              Value &sum = inner[r * columns.size() + i];
              Value w = splat(cast<VectorType>(v.getType()), weight);
              sum = vector::FMAOp::create(b, w, v, sum);
            }
          }
          return inner;
        });
    llvm::copy(done, sums.begin());
  }

  /// Of the call, scaled.
  Value queries;
};

} // namespace

std::unique_ptr<AttentionProducts>
AttentionProducts::create(ImplicitLocOpBuilder &b,
                          const AttentionShape &shape) {
  if (shape.pairs)
    return createPairProducts(b, shape);
  return std::make_unique<FloatProducts>(b, shape);
}
