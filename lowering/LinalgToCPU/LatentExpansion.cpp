//===- LatentExpansion.cpp - keys and values of latents -------------------===//
//
// See LatentExpansion.h. Laying weights out anew costs C · (P + V) once, as
// much as 16 or so latents cost in products.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/LatentExpansion.h"

using namespace mlir;
using namespace mlir::ds;

int64_t LatentExpansion::columnsBefore(size_t number) const {
  int64_t count = 0;
  for (Value weight : ArrayRef(weights).take_front(number))
    count += llvm::alignTo(typeOf(weight).getDimSize(0), lanes);
  return count;
}

void LatentExpansion::layWeights() {
  laid = localOf(element(), {typeOf(weights[0]).getDimSize(1) / together(),
                             columnsBefore(weights.size())});
  for (auto [number, weight] : llvm::enumerate(weights)) {
    int64_t width = typeOf(weight).getDimSize(0);
    laid =
        loop(index(0), index(width), lanes, laid,
             [&, &weight = weight, &number = number](Value first, Value into) {
               // The last row stands for those behind it.
               SmallVector<Value> rows;
               for (int64_t i = 0; i < lanes; ++i)
                 rows.push_back(smaller(add(first, i), index(width - 1)));
               return layRows(weight, rows, into, 0,
                              add(first, columnsBefore(number)));
             });
  }
}

SmallVector<Value> LatentExpansion::expand(Value latents, Value first,
                                           Value count) {
  int64_t rank = typeOf(latents).getDimSize(1) / together();
  SmallVector<Value> made;
  for (Value weight : weights)
    made.push_back(
        localOf(shape.pairs ? b.getBF16Type() : b.getF32Type(),
                {AttentionShape::chunkKeys, typeOf(weight).getDimSize(0)}));
  made.push_back(localOf(element(), {block, rank}));
  made = loop(
      index(0), count, block, made, [&](Value from, SmallVector<Value> inner) {
        Value some = smaller(index(block), sub(count, from)),
              before = add(first, from);
        inner.back() =
            loop(index(0), some, 1, inner.back(), [&](Value row, Value wide) {
              return eachColumns(
                  rank, wide, [&](ArrayRef<Columns> columns, Value into) {
                    for (const Columns &c : columns)
                      into = writeAsIs(
                          latent(latents, add(before, row), at(c), c.count),
                          into, {row, at(c)});
                    return into;
                  });
            });
        for (size_t number = 0; number < weights.size(); ++number)
          inner[number] =
              expandBlock(inner.back(), some, number, from, inner[number]);
        return inner;
      });
  made.pop_back();
  return made;
}

/// Elements of latent `row` from `first` on, each as many as are multiplied
/// together.
Value LatentExpansion::latent(Value latents, Value row, Value first,
                              int64_t count) {
  if (!shape.pairs)
    return read(latents, {row, first}, count);
  return asWords(readAsIs(latents, {row, mul(first, 2)}, 2 * count), count);
}

/// What weight `number` makes of the first `count` rows of `wide`: rows of
/// `into` from `firstRow` on.
Value LatentExpansion::expandBlock(Value wide, Value count, size_t number,
                                   Value firstRow, Value into) {
  // As many sums as registers hold beside a weight and a latent.
  int64_t height = lanes < 16 ? 2 : 4;
  Value whole = mul(arith::DivUIOp::create(b, count, index(height)), height);
  return eachColumns(
      typeOf(into).getDimSize(1), into,
      [&](ArrayRef<Columns> columns, Value result) {
        auto tiles = [&](Value from, Value to, int64_t step) {
          result = loop(from, to, step, result, [&](Value row, Value inner) {
            SmallVector<Value> rows;
            for (int64_t r = 0; r < step; ++r)
              rows.push_back(add(row, r));
            return addTile(wide, rows, number, columns, firstRow, inner);
          });
        };
        tiles(index(0), whole, height);
        tiles(whole, count, 1);
        return result;
      });
}

Value LatentExpansion::addTile(Value wide, ArrayRef<Value> rows, size_t number,
                               ArrayRef<Columns> columns, Value firstRow,
                               Value into) {
  SmallVector<Value> sums;
  for (size_t r = 0; r < rows.size(); ++r)
    for (const Columns &c : columns)
      sums.push_back(f32(VectorType::get({c.count}, b.getF32Type()), 0));
  int64_t before = columnsBefore(number);
  sums = loop(index(0), index(typeOf(wide).getDimSize(1)), 1, sums,
              [&](Value element, SmallVector<Value> inner) {
                SmallVector<Value> weight;
                for (const Columns &c : columns)
                  weight.push_back(
                      readAsIs(laid, {element, add(at(c), before)}, c.count));
                for (auto [r, row] : llvm::enumerate(rows)) {
                  Value x = this->element(wide, {row, element});
                  for (auto [i, w] : llvm::enumerate(weight)) {
                    Value &sum = inner[r * columns.size() + i];
                    if (shape.pairs) {
                      sum = dotPairs(sum, x, w);
                      continue;
                    }
                    Value all = splat(cast<VectorType>(w.getType()), x);
                    sum = vector::FMAOp::create(b, all, w, sum);
                  }
                }
                return inner;
              });
  for (auto [r, row] : llvm::enumerate(rows))
    for (auto [i, c] : llvm::enumerate(columns))
      into = write(sums[r * columns.size() + i], into,
                   {add(firstRow, row), at(c)});
  return into;
}
