//===- OpsSlice.cpp - concatenation, parts, padding -----------------------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;
using EK = ElementwiseKind;

static LogicalResult convertConcat(NodeContext &n) {
  SmallVector<Value> inputs;
  for (unsigned i = 0; i < n.inputCount(); ++i) {
    if (!n.has(i))
      return n.error("input " + Twine(i) + " is missing");
    inputs.push_back(n.input(i));
  }
  int64_t rank = tensorType(inputs[0]).getRank();
  FailureOr<int64_t> axis = n.axis(n.integer("axis", 1), rank);
  if (failed(axis))
    return failure();
  n.output(0, n.b.concat(inputs, *axis));
  return success();
}

/// An index of Slice as ONNX clamps it: negative counts from the end.
static OpFoldResult clampIndex(NodeContext &n, OpFoldResult index,
                               OpFoldResult size, OpFoldResult low,
                               OpFoldResult high) {
  Sizes &s = n.b.sizes;
  if (std::optional<int64_t> number = getConstantIntValue(index)) {
    // "To the end", as exporters write it.
    constexpr int64_t huge = int64_t(1) << 30;
    if (*number >= huge)
      return high;
    if (*number <= -huge)
      return low;
    if (*number == 0 && getConstantIntValue(low) == 0)
      return low;
    if (*number < 0)
      index = s.add(size, s.number(*number));
  } else {
    index = s.selectNegative(index, s.add(index, size), index);
  }
  return s.min(s.max(index, low), high);
}

namespace {
struct SliceRange {
  OpFoldResult offset, length;
};
} // namespace

/// What a slice takes of a dimension: ONNX clamps its bounds.
static SliceRange sliceRange(NodeContext &n, OpFoldResult start,
                             OpFoldResult end, OpFoldResult step,
                             OpFoldResult size) {
  Sizes &s = n.b.sizes;
  OpFoldResult zero = s.number(0), one = s.number(1);
  auto forward = [&](OpFoldResult by) -> SliceRange {
    OpFoldResult first = clampIndex(n, start, size, zero, size),
                 last = clampIndex(n, end, size, zero, size);
    return {first, s.floorDiv(s.add(s.sub(last, first), s.sub(by, one)), by)};
  };
  auto backward = [&](OpFoldResult by) -> SliceRange {
    OpFoldResult top = s.sub(size, one);
    OpFoldResult first = clampIndex(n, start, size, zero, top),
                 last = clampIndex(n, end, size, s.number(-1), top);
    return {first, s.floorDiv(s.add(s.sub(first, last), s.sub(by, one)), by)};
  };
  SliceRange range;
  if (std::optional<int64_t> number = getConstantIntValue(step)) {
    range = *number > 0 ? forward(step) : backward(s.number(-*number));
  } else {
    // A step of 0 has no meaning, but must not divide.
    OpFoldResult by = s.max(s.max(step, s.sub(zero, step)), one);
    SliceRange up = forward(by), down = backward(by);
    range = {s.selectNegative(step, down.offset, up.offset),
             s.selectNegative(step, down.length, up.length)};
  }
  if (range.length != size)
    range.length = s.max(range.length, zero);
  return range;
}

static LogicalResult convertSlice(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  Sizes &s = n.b.sizes;
  auto read = [&](StringRef name,
                  unsigned i) -> std::optional<SmallVector<OpFoldResult>> {
    if (n.version() >= 10)
      return n.has(i) ? n.b.readElements(n.input(i)) : std::nullopt;
    auto attr = n.integers(name);
    if (!attr)
      return std::nullopt;
    SmallVector<OpFoldResult> result;
    for (int64_t number : *attr)
      result.push_back(s.number(number));
    return result;
  };
  auto starts = read("starts", 1), ends = read("ends", 2),
       axes = read("axes", 3), steps = read("steps", 4);
  if (!starts || !ends || starts->size() != ends->size())
    return n.unsupported("starts and ends of unknown number");
  if ((axes && axes->size() != starts->size()) ||
      (steps && steps->size() != starts->size()) ||
      (!axes && int64_t(starts->size()) > rank))
    return n.error("its starts, ends, axes and steps differ in number");
  // Of a dimension that only the call names, every dimension may be the one.
  SmallVector<OpFoldResult> offsets, strides, lengths;
  for (int64_t d = 0; d < rank; ++d) {
    OpFoldResult size = n.b.size(x, d);
    OpFoldResult start = s.number(0), end = size, step = s.number(1);
    bool whole = true;
    for (size_t i = 0; i < starts->size(); ++i) {
      OpFoldResult axis = axes ? (*axes)[i] : s.number(i);
      OpFoldResult by = steps ? (*steps)[i] : s.number(1);
      if (std::optional<int64_t> number = getConstantIntValue(axis)) {
        FailureOr<int64_t> named = n.axis(*number, rank);
        if (failed(named))
          return failure();
        if (*named != d)
          continue;
        start = (*starts)[i], end = (*ends)[i], step = by;
      } else {
        OpFoldResult here = s.number(d);
        axis = s.selectNegative(axis, s.add(axis, s.number(rank)), axis);
        start = s.selectEqual(axis, here, (*starts)[i], start);
        end = s.selectEqual(axis, here, (*ends)[i], end);
        step = s.selectEqual(axis, here, by, step);
      }
      whole = false;
    }
    if (getConstantIntValue(step) == 0)
      return n.error("its step is 0");
    SliceRange range =
        whole ? SliceRange{start, size} : sliceRange(n, start, end, step, size);
    offsets.push_back(range.offset);
    strides.push_back(step);
    lengths.push_back(range.length);
  }
  n.output(0, n.b.slice(x, offsets, lengths, strides));
  return success();
}

static LogicalResult convertPad(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  Sizes &s = n.b.sizes;
  StringRef modeName = n.text("mode", "constant");
  std::optional<ds::PadMode> mode = ds::symbolizePadMode(modeName);
  if (!mode)
    return n.unsupported("mode " + modeName);
  SmallVector<OpFoldResult> pads;
  if (n.version() < 11) {
    auto attr = n.integers("pads");
    for (int64_t number : attr.value_or(SmallVector<int64_t>()))
      pads.push_back(s.number(number));
  } else if (auto elements = n.b.readElements(n.input(1))) {
    pads = *elements;
  }
  // Padding of each dimension; axes may be known only at run time.
  SmallVector<OpFoldResult> axes, before(rank, s.number(0)),
      after(rank, s.number(0));
  if (n.has(3)) {
    auto given = n.b.readElements(n.input(3));
    if (!given)
      return n.unsupported("the number of its axes is not fixed");
    axes = *given;
  } else {
    for (int64_t d = 0; d < rank; ++d)
      axes.push_back(s.number(d));
  }
  if (pads.size() != 2 * axes.size())
    return n.error("it has " + Twine(pads.size()) + " pads for " +
                   Twine(axes.size()) + " axes");
  for (auto [i, axis] : llvm::enumerate(axes)) {
    OpFoldResult low = pads[i], high = pads[i + axes.size()];
    if (std::optional<int64_t> number = getConstantIntValue(axis)) {
      FailureOr<int64_t> d = n.axis(*number, rank);
      if (failed(d))
        return failure();
      before[*d] = low;
      after[*d] = high;
      continue;
    }
    axis = s.selectNegative(axis, s.add(axis, s.number(rank)), axis);
    for (int64_t d = 0; d < rank; ++d) {
      before[d] = s.selectEqual(axis, s.number(d), low, before[d]);
      after[d] = s.selectEqual(axis, s.number(d), high, after[d]);
    }
  }
  SmallVector<OpFoldResult> none;
  Value value = n.version() < 11 ? n.b.scalarLike(x, n.number("value", 0))
                : n.has(2)       ? n.b.reshape(n.input(2), none)
                                 : n.b.scalarLike(x, 0);
  SmallVector<OpFoldResult> low(rank, s.number(0)), high(rank, s.number(0)),
      offsets(rank, s.number(0)), strides(rank, s.number(1)),
      lengths = n.b.shape(x);
  for (int64_t d = 0; d < rank; ++d) {
    // Negative padding cuts.
    low[d] = s.max(before[d], s.number(0));
    high[d] = s.max(after[d], s.number(0));
    OpFoldResult cutBefore = s.max(s.sub(s.number(0), before[d]), s.number(0)),
                 cutAfter = s.max(s.sub(s.number(0), after[d]), s.number(0));
    offsets[d] = cutBefore;
    lengths[d] = s.sub(s.sub(lengths[d], cutBefore), cutAfter);
  }
  x = n.b.slice(x, offsets, lengths, strides);
  SmallVector<OpFoldResult> dims = lengths;
  SmallVector<Value> lows, highs;
  for (int64_t d = 0; d < rank; ++d) {
    dims[d] = s.add(dims[d], s.add(low[d], high[d]));
    lows.push_back(s.asValue(low[d]));
    highs.push_back(s.asValue(high[d]));
  }
  n.output(0, n.b.track(ds::PadOp::create(
                            n.b.b, n.b.loc,
                            n.b.typeOf(dims, tensorType(x).getElementType()), x,
                            value, lows, highs, *mode),
                        dims));
  return success();
}

/// CenterCropPad: each axis cut or padded with 0 around its middle.
static LogicalResult convertCenterCropPad(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  Sizes &s = n.b.sizes;
  auto wanted = n.b.readElements(n.input(1));
  if (!wanted)
    return n.unsupported("the number of its sizes is not fixed");
  SmallVector<int64_t> axes =
      n.integers("axes").value_or(llvm::to_vector(llvm::seq<int64_t>(0, rank)));
  if (axes.size() != wanted->size())
    return n.error("it has " + Twine(wanted->size()) + " sizes for " +
                   Twine(axes.size()) + " axes");
  SmallVector<OpFoldResult> have = n.b.shape(x), offsets(rank, s.number(0)),
                            strides(rank, s.number(1)), lengths(have),
                            low(rank, s.number(0)), dims(have);
  OpFoldResult two = s.number(2);
  for (auto [axis, size] : llvm::zip_equal(axes, *wanted)) {
    FailureOr<int64_t> d = n.axis(axis, rank);
    if (failed(d))
      return failure();
    OpFoldResult cut = s.max(s.sub(have[*d], size), s.number(0)),
                 more = s.max(s.sub(size, have[*d]), s.number(0));
    offsets[*d] = s.floorDiv(cut, two);
    lengths[*d] = s.min(have[*d], size);
    low[*d] = s.floorDiv(more, two);
    dims[*d] = size;
  }
  x = n.b.slice(x, offsets, lengths, strides);
  SmallVector<Value> lows, highs;
  for (int64_t d = 0; d < rank; ++d) {
    lows.push_back(s.asValue(low[d]));
    highs.push_back(s.asValue(s.sub(s.sub(dims[d], lengths[d]), low[d])));
  }
  n.output(0, n.b.track(ds::PadOp::create(
                            n.b.b, n.b.loc,
                            n.b.typeOf(dims, tensorType(x).getElementType()), x,
                            n.b.scalarLike(x, 0), lows, highs,
                            ds::PadMode::Constant),
                        dims));
  return success();
}

/// ReverseSequence: the first sequence_lens[b] elements of each batch
/// backwards, as a lookup of indices.
static LogicalResult convertReverseSequence(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  FailureOr<int64_t> time = n.axis(n.integer("time_axis", 0), rank),
                     batch = n.axis(n.integer("batch_axis", 1), rank);
  if (failed(time) || failed(batch))
    return failure();
  if (*time == *batch)
    return n.error("its time axis is its batch axis");
  SmallVector<OpFoldResult> dims = n.b.shape(x),
                            line(rank, n.b.sizes.number(1)),
                            column(rank, n.b.sizes.number(1));
  line[*time] = dims[*time];
  column[*batch] = dims[*batch];
  Type i64 = n.b.b.getI64Type();
  Value step = n.b.reshape(n.b.iota(dims[*time]), line),
        length = n.b.reshape(n.b.cast(n.input(1), i64), column);
  Value mirrored = n.b.sub(n.b.sub(length, n.b.scalar(i64, 1)), step);
  Value index = n.b.elementwise(
      EK::Select, {n.b.elementwise(EK::Lt, {step, length}), mirrored, step});
  n.output(0, n.b.track(ds::GatherElementsOp::create(
                            n.b.b, n.b.loc, x.getType(), x,
                            n.b.broadcast(index, dims), uint64_t(*time)),
                        dims));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::sliceOps() {
  static const OpEntry ops[] = {
      {"", "CenterCropPad", 18, newestOpset, 2, convertCenterCropPad},
      {"", "Concat", 1, newestOpset, 1, convertConcat},
      {"", "Pad", 2, newestOpset, 1, convertPad},
      {"", "ReverseSequence", 10, newestOpset, 2, convertReverseSequence},
      {"", "Slice", 1, newestOpset, 1, convertSlice},
  };
  return ops;
}
