//===- RowElements.cpp - where the elements of token rows come from -------===//
//
// See RowElements.h.
//
//===----------------------------------------------------------------------===//
#include "passes/RowElements.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

static SmallVector<int64_t> restOf(Value rows) {
  return llvm::to_vector(tensorType(rows).getShape().drop_front());
}

static std::vector<RowElement> ownElements(Value rows) {
  std::vector<RowElement> result;
  int64_t count = computeProduct(restOf(rows));
  result.reserve(size_t(count));
  for (int64_t i = 0; i < count; ++i)
    result.push_back({rows, i});
  return result;
}

/// Whether `input` has rows of fixed size.
static bool hasFixedRows(Value input) {
  RankedTensorType type = tensorType(input);
  return type.getRank() >= 1 &&
         !llvm::is_contained(type.getShape().drop_front(),
                             ShapedType::kDynamic);
}

/// The elements of a result with rows `rest` of which element `at` (an index
/// for each size of `rest`) is element `from(at)` of `input`, likewise.
static std::vector<RowElement>
picked(Value input, ArrayRef<int64_t> rest,
       function_ref<void(MutableArrayRef<int64_t>, SmallVectorImpl<int64_t> &)>
           from) {
  std::vector<RowElement> source = rowElements(input), result;
  SmallVector<int64_t> strides = computeStrides(rest),
                       inputStrides = computeStrides(restOf(input));
  int64_t count = computeProduct(rest);
  result.reserve(size_t(count));
  SmallVector<int64_t> inputAt;
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<int64_t> at = delinearize(i, strides);
    inputAt.clear();
    from(at, inputAt);
    result.push_back(source[size_t(linearize(inputAt, inputStrides))]);
  }
  return result;
}

std::vector<RowElement> mlir::ds::rowElements(Value rows) {
  SmallVector<int64_t> rest = restOf(rows);
  if (auto reshape = rows.getDefiningOp<ReshapeOp>()) {
    Value input = reshape.getInput();
    // Of one number of elements a row, so row n stays row n.
    if (hasFixedRows(input) &&
        computeProduct(restOf(input)) == computeProduct(rest))
      return rowElements(input);
  }
  if (auto transpose = rows.getDefiningOp<TransposeOp>();
      transpose && transpose.getPerm()[0] == 0) {
    ArrayRef<int64_t> perm = transpose.getPerm();
    return picked(transpose.getInput(), rest, [&](auto at, auto &from) {
      from.resize(at.size());
      for (auto [i, index] : llvm::enumerate(at))
        from[size_t(perm[i + 1] - 1)] = index;
    });
  }
  if (auto slice = rows.getDefiningOp<SliceOp>()) {
    SmallVector<SliceRange> ranges;
    for (int64_t d = 1; d <= int64_t(rest.size()); ++d)
      if (std::optional<SliceRange> range = matchSliceAlong(slice, d))
        ranges.push_back(*range);
    bool fromFirst =
        slice.getStaticOffsets()[0] == 0 && slice.getStaticStrides()[0] == 1;
    if (fromFirst && ranges.size() == rest.size() &&
        hasFixedRows(slice.getInput()))
      return picked(slice.getInput(), rest, [&](auto at, auto &from) {
        for (auto [range, index] : llvm::zip_equal(ranges, at))
          from.push_back(range.offset + index * range.stride);
      });
  }
  if (auto broadcast = rows.getDefiningOp<BroadcastOp>()) {
    Value input = broadcast.getInput();
    RankedTensorType type = tensorType(input);
    // With rows of its own: repeated within them.
    if (type.getRank() == tensorType(rows).getRank() && type.isDynamicDim(0) &&
        hasFixedRows(input))
      return picked(input, rest, [&](auto at, auto &from) {
        for (auto [size, index] :
             llvm::zip_equal(type.getShape().drop_front(), at))
          from.push_back(size == 1 ? 0 : index);
      });
  }
  auto concat = rows.getDefiningOp<ConcatOp>();
  if (!concat || concat.getAxis() == 0 ||
      !llvm::all_of(concat.getInputs(), hasFixedRows))
    return ownElements(rows);
  // Joined along an axis: of each part as many elements in a row as it has
  // from the axis on.
  SmallVector<std::vector<RowElement>> parts;
  SmallVector<int64_t> lengths;
  for (Value input : concat.getInputs()) {
    parts.push_back(rowElements(input));
    lengths.push_back(computeProduct(
        ArrayRef<int64_t>(restOf(input)).drop_front(concat.getAxis() - 1)));
  }
  int64_t outer =
      computeProduct(ArrayRef<int64_t>(rest).take_front(concat.getAxis() - 1));
  std::vector<RowElement> result;
  result.reserve(size_t(computeProduct(rest)));
  for (int64_t o = 0; o < outer; ++o)
    for (auto [part, length] : llvm::zip_equal(parts, lengths))
      result.insert(result.end(), part.begin() + o * length,
                    part.begin() + (o + 1) * length);
  return result;
}
