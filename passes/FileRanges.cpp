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

/// A slice that takes runs of neighbouring elements: all of the inner
/// dimensions, a part of one, and any of the outer ones.
static std::optional<Ranges> rangesOfSlice(SliceOp slice,
                                           SymbolTable &symbols) {
  RankedTensorType from = tensorType(slice.getInput());
  SmallVector<SliceRange> parts;
  for (int64_t d = 0; d < from.getRank(); ++d) {
    std::optional<SliceRange> range = matchSliceAlong(slice, d);
    if (!range || range->size < 1 || range->stride < 1)
      return std::nullopt;
    parts.push_back(*range);
  }
  // Elements `start` … `start + length − 1` of a run, for each index of the
  // dimensions before `d`.
  int64_t d = from.getRank();
  uint64_t length = 1;
  for (; d > 0 && parts[d - 1].size == from.getDimSize(d - 1); --d)
    length *= from.getDimSize(d - 1);
  SmallVector<uint64_t> starts{0};
  for (int64_t outer = 0; outer < d; ++outer) {
    const SliceRange &part = parts[outer];
    bool isRun = outer + 1 == d && part.stride == 1;
    int64_t count = isRun ? 1 : part.size;
    constexpr uint64_t mostPieces = 4096;
    if (starts.size() * count > mostPieces)
      return std::nullopt;
    SmallVector<uint64_t> next;
    for (uint64_t start : starts)
      for (int64_t i = 0; i < count; ++i)
        next.push_back(start * from.getDimSize(outer) + part.offset +
                       i * part.stride);
    if (isRun)
      length *= part.size;
    starts = std::move(next);
  }
  uint64_t inner = 1;
  for (int64_t size : from.getShape().drop_front(d))
    inner *= size;
  std::optional<Ranges> whole = fileRangesOf(slice.getInput(), symbols);
  Type element = from.getElementType();
  std::optional<uint64_t> bytes = fileBytes(length, element);
  // A copy is better than a list of short pieces.
  constexpr uint64_t shortest = 1024;
  if (!whole || !bytes || (starts.size() > 1 && *bytes < shortest))
    return std::nullopt;
  Ranges ranges;
  for (uint64_t start : starts) {
    std::optional<uint64_t> first = fileBytes(start * inner, element);
    if (!first)
      return std::nullopt;
    for (FileRangeAttr range : cut(*whole, *first, *bytes))
      append(ranges, range);
  }
  return ranges;
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
