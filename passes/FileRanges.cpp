//===- FileRanges.cpp - values that are bytes of files --------------------===//
//
// See FileRanges.h.
//
//===----------------------------------------------------------------------===//
#include "passes/FileRanges.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

using Ranges = SmallVector<FileRangeAttr>;

/// Bytes that `elements` of `type` take in a file (4-bit ones two a byte, i1
/// one a byte); nothing if they end inside a byte.
static std::optional<uint64_t> fileBytes(uint64_t elements, Type type) {
  unsigned bits = type.getIntOrFloatBitWidth();
  if (bits == 1)
    return elements;
  if (elements * bits % 8)
    return std::nullopt;
  return elements * bits / 8;
}

/// Appends a range, or lengthens the last one where they touch.
static void append(Ranges &ranges, FileRangeAttr range) {
  if (range.getLength() == 0)
    return;
  if (!ranges.empty()) {
    FileRangeAttr last = ranges.back();
    if (last.getFile() == range.getFile() &&
        last.getOffset() + last.getLength() == range.getOffset()) {
      ranges.back() = FileRangeAttr::get(range.getContext(), range.getFile(),
                                         last.getOffset(),
                                         last.getLength() + range.getLength());
      return;
    }
  }
  ranges.push_back(range);
}

/// Bytes [start, start + length) of `ranges`.
static Ranges cut(ArrayRef<FileRangeAttr> ranges, uint64_t start,
                  uint64_t length) {
  Ranges result;
  for (FileRangeAttr range : ranges) {
    uint64_t here = range.getLength();
    uint64_t from = std::min(start, here),
             count = std::min(length, here - from);
    append(result, FileRangeAttr::get(range.getContext(), range.getFile(),
                                      range.getOffset() + from, count));
    start -= from;
    length -= count;
  }
  return result;
}

static std::optional<Ranges> rangesOfLoad(LoadParameterOp load,
                                          SymbolTable &symbols) {
  auto parameter = symbols.lookup<ParameterOp>(load.getParameter());
  auto list = parameter ? dyn_cast<ArrayAttr>(parameter.getSource()) : nullptr;
  if (!list)
    return std::nullopt;
  Ranges ranges;
  uint64_t bytes = 0;
  for (Attribute element : list) {
    auto range = dyn_cast<FileRangeAttr>(element);
    if (!range)
      return std::nullopt;
    append(ranges, range);
    bytes += range.getLength();
  }
  RankedTensorType type = tensorType(load);
  if (fileBytes(type.getNumElements(), type.getElementType()) != bytes)
    return std::nullopt;
  return ranges;
}

/// A slice that takes neighbouring elements: single ones of the outer
/// dimensions, a part of one, all of the inner ones.
static std::optional<Ranges> rangesOfSlice(SliceOp slice,
                                           SymbolTable &symbols) {
  RankedTensorType from = tensorType(slice.getInput()),
                   to = tensorType(slice.getResult());
  uint64_t start = 0;
  bool isPart = false;
  for (int64_t d = 0; d < from.getRank(); ++d) {
    std::optional<SliceRange> range = matchSliceAlong(slice, d);
    if (!range || (range->size > 1 && range->stride != 1))
      return std::nullopt;
    // Behind a dimension of which more than one element is taken all is taken.
    if (isPart && range->size != from.getDimSize(d))
      return std::nullopt;
    isPart |= range->size > 1;
    start = start * from.getDimSize(d) + range->offset;
  }
  Type element = from.getElementType();
  std::optional<uint64_t> first = fileBytes(start, element),
                          length = fileBytes(to.getNumElements(), element);
  std::optional<Ranges> whole = fileRangesOf(slice.getInput(), symbols);
  if (!whole || !first || !length)
    return std::nullopt;
  return cut(*whole, *first, *length);
}

static std::optional<Ranges> rangesOfConcat(ConcatOp concat,
                                            SymbolTable &symbols) {
  RankedTensorType type = tensorType(concat);
  for (int64_t size : type.getShape().take_front(concat.getAxis()))
    if (size != 1)
      return std::nullopt;
  Ranges ranges;
  for (Value input : concat.getInputs()) {
    RankedTensorType part = tensorType(input);
    std::optional<Ranges> next = fileRangesOf(input, symbols);
    if (!next || !fileBytes(part.getNumElements(), part.getElementType()))
      return std::nullopt;
    for (FileRangeAttr range : *next)
      append(ranges, range);
  }
  return ranges;
}

std::optional<Ranges> mlir::ds::fileRangesOf(Value value,
                                             SymbolTable &symbols) {
  Operation *op = value.getDefiningOp();
  if (!op || !tensorType(value).hasStaticShape())
    return std::nullopt;
  if (auto load = dyn_cast<LoadParameterOp>(op))
    return rangesOfLoad(load, symbols);
  if (auto reshape = dyn_cast<ReshapeOp>(op))
    return fileRangesOf(reshape.getInput(), symbols);
  if (auto slice = dyn_cast<SliceOp>(op))
    return rangesOfSlice(slice, symbols);
  if (auto concat = dyn_cast<ConcatOp>(op))
    return rangesOfConcat(concat, symbols);
  return std::nullopt;
}
