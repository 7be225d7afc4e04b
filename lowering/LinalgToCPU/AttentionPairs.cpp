//===- AttentionPairs.cpp - products of attention in pairs of bf16 --------===//
//
// vdpbf16ps adds the products of two pairs of bf16 to a lane of f32. A score
// takes two elements of the width at once: keys are laid out one per lane, pair
// by pair. Weighted values take two keys at once: weights are rounded to bf16
// as they are kept, and values of neighbouring keys lie side by side.
//
// A row that sees an odd number of keys ends with half a pair, whose other
// value is masked: it belongs to a later token, or to none.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/AttentionProducts.h"

using namespace mlir;
using namespace mlir::ds;

namespace {

class PairProducts : public AttentionProducts {
public:
  using AttentionProducts::AttentionProducts;

  void loadQueries(const AttentionRows &rows, int64_t maxRows) override {
    int64_t width = shape.width / 2;
    queries = eachRow(
        rows.count, localOf(word(), {maxRows, width}),
        [&](Value token, Value head, Value row, Value inner) {
          token = add(rows.first, token);
          return eachColumns(
              width, inner, [&](ArrayRef<Columns> columns, Value into) {
                for (const Columns &c : columns) {
                  Value q = readAsIs(rows.queries, {token, head, mul(at(c), 2)},
                                     2 * c.count);
                  into = writeAsIs(asWords(q, c.count), into, {row, at(c)});
                }
                return into;
              });
        });
  }

  SmallVector<Value> buffers(int64_t tile) override {
    return {localOf(word(), {tile, block() / 2}),
            localOf(word(), {shape.width / 2, block()}),
            localOf(word(), {block() / 2, shape.valueWidth})};
  }

  SmallVector<Value> lay(const AttentionRows &rows, Value first, Value end,
                         SmallVector<Value> buffers) override {
    buffers[1] = layKeys(rows, first, end, buffers[1]);
    Value last = sub(end, index(1)),
          count = smaller(index(block()), sub(end, first));
    buffers[2] =
        loop(index(0), count, 2, buffers[2], [&](Value key, Value outer) {
          Value here = add(first, key), next = smaller(add(here, 1), last),
                pair = arith::ShRUIOp::create(b, key, index(1));
          return eachColumns(
              shape.valueWidth, outer,
              [&](ArrayRef<Columns> columns, Value into) {
                for (const Columns &c : columns) {
                  SmallVector<int64_t> order;
                  for (int64_t i = 0; i < c.count; ++i)
                    order.append({i, c.count + i});
                  Value both = vector::ShuffleOp::create(
                      b, readAsIs(rows.values, {here, at(c)}, c.count),
                      readAsIs(rows.values, {next, at(c)}, c.count), order);
                  into = writeAsIs(asWords(both, c.count), into, {pair, at(c)});
                }
                return into;
              });
        });
    return buffers;
  }

  SmallVector<Value> scores(ArrayRef<Value> buffers,
                            ArrayRef<Value> row) override {
    SmallVector<Value> sums(row.size() * vectorsPerRow, f32(full, 0));
    sums = loop(index(0), index(shape.width / 2), 1, sums,
                [&](Value d, SmallVector<Value> inner) {
                  SmallVector<Value> key;
                  for (int64_t j = 0; j < vectorsPerRow; ++j)
                    key.push_back(
                        readAsIs(buffers[1], {d, index(j * lanes)}, lanes));
                  for (auto [r, at] : llvm::enumerate(row)) {
                    Value q = element(queries, {at, d});
                    for (int64_t j = 0; j < vectorsPerRow; ++j) {
                      Value &sum = inner[r * vectorsPerRow + j];
                      sum = dotPairs(sum, q, key[j]);
                    }
                  }
                  return inner;
                });
    for (Value &sum : sums)
      sum = arith::MulFOp::create(b, sum, f32(full, shape.scale));
    return sums;
  }

  Value keep(Value weight, int64_t r, int64_t j,
             SmallVector<Value> &buffers) override {
    Value narrow = arith::TruncFOp::create(
        b, VectorType::get({lanes}, b.getBF16Type()), weight);
    buffers[0] = writeAsIs(asWords(narrow, lanes / 2), buffers[0],
                           {index(r), index(j * lanes / 2)});
    return arith::ExtFOp::create(b, full, narrow);
  }

  void addValues(const AttentionRows &rows, Value first,
                 ArrayRef<Columns> columns, ArrayRef<Value> buffers,
                 ArrayRef<Value> ends, bool oneToken,
                 MutableArrayRef<Value> sums) override {
    auto some = [&](size_t row, size_t count, Value from, Value to, bool half) {
      addPairs(columns, buffers, row, count, from, to, half,
               sums.slice(row * columns.size(), count * columns.size()));
    };
    auto pairsOf = [&](Value keys) -> Value {
      return arith::ShRUIOp::create(b, keys, index(1));
    };
    auto upTo = [&](size_t row, size_t count, Value from, Value end) {
      Value whole = pairsOf(end);
      some(row, count, from, whole, false);
      some(row, count, whole, pairsOf(add(end, 1)), true);
    };
    if (oneToken)
      return upTo(0, ends.size(), index(0), ends[0]);
    // The first row sees least: its pairs for all, then what others see more.
    Value common = pairsOf(ends[0]);
    some(0, ends.size(), index(0), common, false);
    for (size_t r = 0; r < ends.size(); ++r)
      upTo(r, 1, common, ends[r]);
  }

private:
  /// Adds pairs [from, to) of the block to the sums of rows [firstRow, firstRow
  /// + count); of `half` a pair its first value.
  void addPairs(ArrayRef<Columns> columns, ArrayRef<Value> buffers,
                int64_t firstRow, int64_t count, Value from, Value to,
                bool half, MutableArrayRef<Value> sums) {
    SmallVector<Value> done =
        loop(from, to, 1, sums, [&](Value pair, SmallVector<Value> inner) {
          SmallVector<Value> value;
          for (const Columns &c : columns) {
            Value both = readAsIs(buffers[2], {pair, at(c)}, c.count);
            if (half)
              both = arith::AndIOp::create(
                  b, both,
                  arith::ConstantOp::create(
                      b,
                      DenseElementsAttr::get(cast<VectorType>(both.getType()),
                                             b.getI32IntegerAttr(0xffff))));
            value.push_back(both);
          }
          for (int64_t r = 0; r < count; ++r) {
            Value weight = element(buffers[0], {index(firstRow + r), pair});
            for (auto [i, v] : llvm::enumerate(value)) {
              Value &sum = inner[r * columns.size() + i];
              sum = dotPairs(sum, weight, v);
            }
          }
          return inner;
        });
    llvm::copy(done, sums.begin());
  }

  /// Of the call, [rows, width / 2].
  Value queries;
};

} // namespace

std::unique_ptr<AttentionProducts>
mlir::ds::createPairProducts(ImplicitLocOpBuilder &b,
                             const AttentionShape &shape) {
  return std::make_unique<PairProducts>(b, shape);
}
