//===- ElementRuns.cpp - values made of elements of token rows ------------===//
//
// See ElementRuns.h.
//
//===----------------------------------------------------------------------===//
#include "passes/ElementRuns.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "passes/Builders.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

static SmallVector<Run> runsOf(ArrayRef<int64_t> ascending) {
  SmallVector<Run> runs;
  for (int64_t i : ascending) {
    if (!runs.empty() && runs.back().first + runs.back().count == i)
      ++runs.back().count;
    else
      runs.push_back({i, 1});
  }
  return runs;
}

Value mlir::ds::take(OpBuilder &b, Value value, int64_t dim, Run run) {
  RankedTensorType type = tensorType(value);
  if (run.count == type.getDimSize(dim))
    return value;
  // One whole part of a join is that part.
  if (auto concat = value.getDefiningOp<ConcatOp>();
      concat && int64_t(concat.getAxis()) == dim) {
    int64_t first = 0;
    for (Value part : concat.getInputs()) {
      int64_t count = tensorType(part).getDimSize(dim);
      if (first == run.first && count == run.count)
        return part;
      first += count;
    }
  }
  return sliceAlong(b, value.getLoc(), value, dim, run.first, run.count);
}

Value mlir::ds::join(OpBuilder &b, Location loc, ArrayRef<Value> parts,
                     int64_t axis) {
  return parts.size() == 1
             ? parts[0]
             : ConcatOp::create(b, loc, uint64_t(axis), parts).getResult();
}

Value mlir::ds::columnsOf(OpBuilder &b, Value rows, ArrayRef<int64_t> columns) {
  SmallVector<Value> parts;
  for (Run run : runsOf(columns))
    parts.push_back(take(b, rows, 2, run));
  return join(b, rows.getLoc(), parts, 2);
}

Value mlir::ds::reshaped(OpBuilder &b, Value value, ArrayRef<int64_t> shape) {
  RankedTensorType type = tensorType(value);
  auto result = RankedTensorType::get(shape, type.getElementType());
  if (result == type)
    return value;
  SmallVector<Value> dims;
  if (ShapedType::isDynamic(shape[0]))
    dims.push_back(tensor::DimOp::create(b, value.getLoc(), value, 0));
  return ReshapeOp::create(b, value.getLoc(), result, value, dims);
}

/// Calls `run` for elements that stand behind each other in one source.
static void forRuns(ArrayRef<RowElement> elements,
                    function_ref<void(Value source, Run run)> run) {
  while (!elements.empty()) {
    size_t count = 1;
    while (count < elements.size() &&
           elements[count] == RowElement{elements[0].source,
                                         elements[0].index + int64_t(count)})
      ++count;
    run(elements[0].source, {elements[0].index, int64_t(count)});
    elements = elements.drop_front(count);
  }
}

/// Whether `elements` are, for each of the heads that one source of `count`
/// elements divides into, those at one place of the head.
static bool standEvenly(ArrayRef<RowElement> elements, int64_t heads,
                        int64_t count) {
  int64_t each = int64_t(elements.size()) / heads, spacing = count / heads,
          start = elements[0].index;
  if (count % heads != 0 || start + each > spacing)
    return false;
  for (auto [i, element] : llvm::enumerate(elements))
    if (element.source != elements[0].source ||
        element.index !=
            start + int64_t(i) / each * spacing + int64_t(i) % each)
      return false;
  return true;
}

/// The same elements with heads behind the width.
static SmallVector<RowElement> acrossHeads(ArrayRef<RowElement> elements,
                                           int64_t heads) {
  int64_t each = int64_t(elements.size()) / heads;
  SmallVector<RowElement> result;
  for (int64_t i = 0; i < each; ++i)
    for (int64_t h = 0; h < heads; ++h)
      result.push_back(elements[size_t(h * each + i)]);
  return result;
}

Value mlir::ds::rowsOf(OpBuilder &b, Location loc,
                       ArrayRef<RowElement> elements, int64_t heads) {
  auto countOf = [](Value source) {
    return computeProduct(tensorType(source).getShape().drop_front());
  };
  int64_t each = int64_t(elements.size()) / heads,
          count = countOf(elements[0].source);
  auto view = [&](int64_t groups, int64_t width) {
    Value of = reshaped(b, elements[0].source,
                        {ShapedType::kDynamic, groups, count / groups});
    return take(b, of, 2, {elements[0].index, width});
  };
  if (standEvenly(elements, heads, count))
    return view(heads, each);
  if (standEvenly(acrossHeads(elements, heads), each, count))
    return TransposeOp::create(b, loc, view(each, heads),
                               ArrayRef<int64_t>{0, 2, 1});
  SmallVector<Value> parts;
  forRuns(elements, [&](Value source, Run run) {
    Value flat =
        reshaped(b, source, {ShapedType::kDynamic, 1, countOf(source)});
    parts.push_back(take(b, flat, 2, run));
  });
  return reshaped(b, join(b, loc, parts, 2),
                  {ShapedType::kDynamic, heads, each});
}

Value mlir::ds::weightOf(OpBuilder &b, ArrayRef<RowElement> elements,
                         int64_t heads,
                         function_ref<Value(Value source)> matrix) {
  Value first = matrix(elements[0].source);
  int64_t rows = tensorType(first).getDimSize(0),
          width = tensorType(first).getDimSize(1),
          each = int64_t(elements.size()) / heads;
  auto view = [&](int64_t groups, int64_t count) {
    Value of = reshaped(b, first, {groups, rows / groups, width});
    return take(b, of, 1, {elements[0].index, count});
  };
  if (standEvenly(elements, heads, rows))
    return view(heads, each);
  if (standEvenly(acrossHeads(elements, heads), each, rows))
    return TransposeOp::create(b, first.getLoc(), view(each, heads),
                               ArrayRef<int64_t>{1, 0, 2});
  SmallVector<Value> parts;
  forRuns(elements, [&](Value source, Run run) {
    parts.push_back(take(b, matrix(source), 0, run));
  });
  return reshaped(b, join(b, first.getLoc(), parts, 0), {heads, each, width});
}
