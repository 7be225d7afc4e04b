//===- OpsShape.cpp - shapes, views, constants, concatenation -------------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;
using EK = ElementwiseKind;

static LogicalResult convertConstant(NodeContext &n) {
  Builder &b = n.b.b;
  auto vector = [&](Type type, int64_t size) {
    return RankedTensorType::get({size}, type);
  };
  if (auto value = n.attribute("value")) {
    if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
      n.output(0, n.b.constant(dense));
      return success();
    }
    if (auto pair = dyn_cast<ArrayAttr>(value)) {
      auto type = cast<RankedTensorType>(cast<TypeAttr>(pair[0]).getValue());
      n.output(0, n.converter.parameter(n.node.getNodeName().empty()
                                            ? StringRef("constant")
                                            : n.node.getNodeName(),
                                        type, pair[1]));
      return success();
    }
    return n.unsupported("a constant of strings");
  }
  if (auto value = dyn_cast_or_null<IntegerAttr>(n.attribute("value_int")))
    n.output(0, n.b.scalar(b.getI64Type(), double(value.getInt())));
  else if (auto value = dyn_cast_or_null<FloatAttr>(n.attribute("value_float")))
    n.output(0, n.b.scalar(b.getF32Type(), value.getValueAsDouble()));
  else if (auto values = n.integers("value_ints"))
    n.output(0, n.b.constant(DenseElementsAttr::get(
                    vector(b.getI64Type(), values->size()),
                    ArrayRef<int64_t>(*values))));
  else if (auto floats =
               dyn_cast_or_null<DenseF32ArrayAttr>(n.attribute("value_floats")))
    n.output(0,
             n.b.constant(DenseElementsAttr::get(
                 vector(b.getF32Type(), floats.size()), floats.asArrayRef())));
  else
    return n.unsupported("a constant of this kind");
  return success();
}

static LogicalResult convertShape(NodeContext &n) {
  SmallVector<OpFoldResult> dims = n.b.shape(n.input(0));
  int64_t rank = dims.size();
  auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  int64_t start = clamp(n.integer("start", 0));
  int64_t end = clamp(n.integer("end", rank));
  ArrayRef<OpFoldResult> part(dims);
  n.output(0, n.b.fromSizes(start < end ? part.slice(start, end - start)
                                        : ArrayRef<OpFoldResult>()));
  return success();
}

static LogicalResult convertSize(NodeContext &n) {
  n.output(0, n.b.fromSizes({n.b.sizes.product(n.b.shape(n.input(0)))}, true));
  return success();
}

static LogicalResult convertReshape(NodeContext &n) {
  Value x = n.input(0);
  SmallVector<OpFoldResult> dims = n.b.shape(x), wanted;
  if (auto attr = n.integers("shape")) {
    for (int64_t size : *attr)
      wanted.push_back(n.b.sizes.number(size));
  } else if (!n.has(1)) {
    return n.error("it has no shape");
  } else if (auto elements = n.b.readElements(n.input(1))) {
    wanted = *elements;
  } else {
    return n.unsupported("the number of dimensions of its shape is not fixed");
  }
  bool allowZero = n.integer("allowzero", 0) != 0;
  std::optional<unsigned> inferred;
  for (auto [d, size] : llvm::enumerate(wanted)) {
    std::optional<int64_t> number = getConstantIntValue(size);
    if (number == 0 && !allowZero) {
      if (d >= dims.size())
        return n.error("its shape copies dimension " + Twine(d) +
                       ", which the input does not have");
      size = dims[d];
    } else if (number == -1) {
      if (inferred)
        return n.error("its shape has more than one -1");
      inferred = d;
    } else if (number && *number < 0) {
      return n.error("its shape has a negative size");
    }
  }
  if (inferred) {
    // What both sides share cancels; the rest divides.
    SmallVector<OpFoldResult> above = dims, below;
    for (auto [d, size] : llvm::enumerate(wanted)) {
      if (d == *inferred)
        continue;
      auto *same = llvm::find(above, size);
      if (same != above.end() && !getConstantIntValue(size))
        above.erase(same);
      else
        below.push_back(size);
    }
    int64_t numerator = 1, denominator = 1;
    SmallVector<OpFoldResult> dynamicAbove, dynamicBelow;
    for (OpFoldResult size : above)
      if (auto number = getConstantIntValue(size))
        numerator *= *number;
      else
        dynamicAbove.push_back(size);
    for (OpFoldResult size : below)
      if (auto number = getConstantIntValue(size))
        denominator *= *number;
      else
        dynamicBelow.push_back(size);
    OpFoldResult result;
    if (dynamicBelow.empty() && denominator != 0 &&
        numerator % denominator == 0)
      result = n.b.sizes.mul(n.b.sizes.product(dynamicAbove),
                             n.b.sizes.number(numerator / denominator));
    else
      result = n.b.sizes.floorDiv(
          n.b.sizes.mul(n.b.sizes.product(dynamicAbove),
                        n.b.sizes.number(numerator)),
          n.b.sizes.max(n.b.sizes.mul(n.b.sizes.product(dynamicBelow),
                                      n.b.sizes.number(denominator)),
                        n.b.sizes.number(1)));
    wanted[*inferred] = result;
  }
  std::optional<int64_t> before = getConstantIntValue(n.b.sizes.product(dims)),
                         after = getConstantIntValue(n.b.sizes.product(wanted));
  if (before && after && *before != *after)
    return n.error("it reshapes " + Twine(*before) + " elements to " +
                   Twine(*after));
  n.output(0, n.b.reshape(x, wanted));
  return success();
}

static LogicalResult convertFlatten(NodeContext &n) {
  SmallVector<OpFoldResult> dims = n.b.shape(n.input(0));
  int64_t rank = dims.size(), axis = n.integer("axis", 1);
  if (axis < -rank || axis > rank)
    return n.error("axis " + Twine(axis) + " is outside the tensor");
  if (axis < 0)
    axis += rank;
  ArrayRef<OpFoldResult> all(dims);
  n.output(0,
           n.b.reshape(n.input(0), {n.b.sizes.product(all.take_front(axis)),
                                    n.b.sizes.product(all.drop_front(axis))}));
  return success();
}

static LogicalResult convertUnsqueeze(NodeContext &n) {
  auto axes = n.numbers("axes", 1);
  if (failed(axes))
    return failure();
  if (!*axes)
    return n.error("it has no axes");
  int64_t rank = tensorType(n.input(0)).getRank() + (*axes)->size();
  SmallVector<int64_t> dims;
  for (int64_t axis : **axes) {
    FailureOr<int64_t> d = n.axis(axis, rank);
    if (failed(d))
      return failure();
    if (llvm::is_contained(dims, *d))
      return n.error("axis " + Twine(axis) + " is named twice");
    dims.push_back(*d);
  }
  n.output(0, n.b.unsqueeze(n.input(0), dims));
  return success();
}

static LogicalResult convertSqueeze(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  auto axes = n.numbers("axes", 1);
  if (failed(axes))
    return failure();
  SmallVector<bool> drop(rank, false);
  if (*axes) {
    for (int64_t axis : **axes) {
      FailureOr<int64_t> d = n.axis(axis, rank);
      if (failed(d))
        return failure();
      std::optional<int64_t> size = getConstantIntValue(n.b.size(x, *d));
      if (size && *size != 1)
        return n.error("it squeezes a dimension of size " + Twine(*size));
      drop[*d] = true;
    }
  } else {
    for (int64_t d = 0; d < rank; ++d) {
      if (tensorType(x).isDynamicDim(d))
        return n.unsupported("without axes, of a tensor of unknown sizes");
      drop[d] = tensorType(x).getDimSize(d) == 1;
    }
  }
  SmallVector<OpFoldResult> dims;
  for (int64_t d = 0; d < rank; ++d)
    if (!drop[d])
      dims.push_back(n.b.size(x, d));
  n.output(0, n.b.reshape(x, dims));
  return success();
}

static LogicalResult convertTranspose(NodeContext &n) {
  int64_t rank = tensorType(n.input(0)).getRank();
  SmallVector<int64_t> perm;
  if (auto given = n.integers("perm"))
    perm = *given;
  else
    for (int64_t d = rank; d-- > 0;)
      perm.push_back(d);
  SmallVector<int64_t> sorted(perm);
  llvm::sort(sorted);
  for (int64_t d = 0; d < rank; ++d)
    if (int64_t(sorted.size()) != rank || sorted[d] != d)
      return n.error("its perm is no permutation of " + Twine(rank) +
                     " dimensions");
  n.output(0, n.b.transpose(n.input(0), perm));
  return success();
}

static LogicalResult convertConcat(NodeContext &n) {
  SmallVector<Value> inputs;
  for (unsigned i = 0; i < n.inputCount(); ++i)
    inputs.push_back(n.input(i));
  int64_t rank = tensorType(inputs[0]).getRank();
  FailureOr<int64_t> axis = n.axis(n.integer("axis", 1), rank);
  if (failed(axis))
    return failure();
  for (Value input : inputs) {
    RankedTensorType type = tensorType(input), first = tensorType(inputs[0]);
    if (type.getRank() != rank ||
        type.getElementType() != first.getElementType())
      return n.error("its inputs differ in rank or element type");
    for (int64_t d = 0; d < rank; ++d)
      if (d != *axis && !type.isDynamicDim(d) && !first.isDynamicDim(d) &&
          type.getDimSize(d) != first.getDimSize(d))
        return n.error("its inputs differ in dimension " + Twine(d));
  }
  n.output(0, n.b.concat(inputs, *axis));
  return success();
}

static LogicalResult convertSplit(NodeContext &n) {
  Value x = n.input(0);
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", 0), tensorType(x).getRank());
  if (failed(axis))
    return failure();
  unsigned count = n.node.getNumResults();
  SmallVector<OpFoldResult> parts;
  if (auto attr = n.integers("split")) {
    for (int64_t size : *attr)
      parts.push_back(n.b.sizes.number(size));
  } else if (n.has(1)) {
    auto elements = n.b.readElements(n.input(1));
    if (!elements)
      return n.unsupported("the number of parts is not fixed");
    parts = *elements;
  } else {
    // Equal parts, the last one smaller.
    OpFoldResult total = n.b.size(x, *axis);
    OpFoldResult part =
        n.b.sizes.floorDiv(n.b.sizes.add(total, n.b.sizes.number(count - 1)),
                           n.b.sizes.number(count));
    for (unsigned i = 0; i + 1 < count; ++i)
      parts.push_back(part);
    parts.push_back(
        n.b.sizes.sub(total, n.b.sizes.mul(part, n.b.sizes.number(count - 1))));
  }
  if (parts.size() != count)
    return n.error("it has " + Twine(count) + " outputs and " +
                   Twine(parts.size()) + " parts");
  OpFoldResult offset = n.b.sizes.number(0);
  for (unsigned i = 0; i < count; ++i) {
    n.output(i, n.b.sliceAlong(x, *axis, offset, parts[i]));
    offset = n.b.sizes.add(offset, parts[i]);
  }
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
  SmallVector<OpFoldResult> offsets(rank, s.number(0)),
      strides(rank, s.number(1)), lengths = n.b.shape(x);
  for (size_t i = 0; i < starts->size(); ++i) {
    int64_t axis = i;
    if (axes) {
      if (i >= axes->size())
        return n.error("it has fewer axes than starts");
      std::optional<int64_t> number = getConstantIntValue((*axes)[i]);
      if (!number)
        return n.unsupported("its axes are not constant");
      axis = *number;
    }
    FailureOr<int64_t> d = n.axis(axis, rank);
    if (failed(d))
      return failure();
    std::optional<int64_t> step = 1;
    if (steps && i < steps->size())
      step = getConstantIntValue((*steps)[i]);
    if (!step || *step == 0)
      return n.unsupported("its steps are not constant or 0");
    OpFoldResult size = n.b.size(x, *d);
    OpFoldResult start, length;
    if (*step > 0) {
      start = clampIndex(n, (*starts)[i], size, s.number(0), size);
      OpFoldResult end = clampIndex(n, (*ends)[i], size, s.number(0), size);
      length = s.floorDiv(s.add(s.sub(end, start), s.number(*step - 1)),
                          s.number(*step));
    } else {
      OpFoldResult last = s.sub(size, s.number(1));
      start = clampIndex(n, (*starts)[i], size, s.number(0), last);
      OpFoldResult end = clampIndex(n, (*ends)[i], size, s.number(-1), last);
      length = s.floorDiv(s.add(s.sub(start, end), s.number(-*step - 1)),
                          s.number(-*step));
    }
    offsets[*d] = start;
    strides[*d] = s.number(*step);
    lengths[*d] = length == size ? size : s.max(length, s.number(0));
  }
  n.output(0, n.b.slice(x, offsets, lengths, strides));
  return success();
}

static LogicalResult convertExpand(NodeContext &n) {
  auto wanted = n.b.readElements(n.input(1));
  if (!wanted)
    return n.unsupported("the number of dimensions of its shape is not fixed");
  SmallVector<OpFoldResult> from = n.b.shape(n.input(0)), dims = *wanted;
  while (dims.size() < from.size())
    dims.insert(dims.begin(), n.b.sizes.number(1));
  size_t missing = dims.size() - from.size();
  for (size_t d = missing; d < dims.size(); ++d) {
    OpFoldResult mine = from[d - missing], &all = dims[d];
    if (getConstantIntValue(all) == 1)
      all = mine;
    else if (getConstantIntValue(mine) == 1 || mine == all)
      continue;
    else if (getConstantIntValue(mine))
      all = mine;
    else if (!getConstantIntValue(all))
      all = n.b.sizes.selectEqual(all, n.b.sizes.number(1), mine, all);
  }
  n.output(0, n.b.broadcast(n.input(0), dims));
  return success();
}

static LogicalResult convertTile(NodeContext &n) {
  Value x = n.input(0);
  auto repeats = n.b.readElements(n.input(1));
  int64_t rank = tensorType(x).getRank();
  if (!repeats || int64_t(repeats->size()) != rank)
    return n.unsupported("repeats of unknown number");
  // [a, b] → [1, a, 1, b] → [r0, a, r1, b] → [r0·a, r1·b]
  SmallVector<OpFoldResult> split, repeated, dims;
  for (int64_t d = 0; d < rank; ++d) {
    OpFoldResult size = n.b.size(x, d);
    split.push_back(n.b.sizes.number(1));
    split.push_back(size);
    repeated.push_back((*repeats)[d]);
    repeated.push_back(size);
    dims.push_back(n.b.sizes.mul((*repeats)[d], size));
  }
  n.output(0,
           n.b.reshape(n.b.broadcast(n.b.reshape(x, split), repeated), dims));
  return success();
}

static LogicalResult convertConstantOfShape(NodeContext &n) {
  auto dims = n.b.readElements(n.input(0));
  if (!dims)
    return n.unsupported("the number of dimensions of its shape is not fixed");
  Value value = n.b.scalar(n.b.b.getF32Type(), 0);
  if (auto attr = dyn_cast_or_null<DenseElementsAttr>(n.attribute("value")))
    value = n.b.constant(
        attr.reshape(RankedTensorType::get({}, attr.getElementType())));
  n.output(0, n.b.broadcast(value, *dims));
  return success();
}

static LogicalResult convertRange(NodeContext &n) {
  Value start = n.input(0), limit = n.input(1), delta = n.input(2);
  SmallVector<OpFoldResult> none;
  start = n.b.reshape(start, none);
  delta = n.b.reshape(delta, none);
  limit = n.b.reshape(limit, none);
  auto first = n.b.elements(start), last = n.b.elements(limit),
       step = n.b.elements(delta);
  OpFoldResult length;
  if (first && last && step &&
      getConstantIntValue((*step)[0]).value_or(0) > 0) {
    int64_t by = *getConstantIntValue((*step)[0]);
    OpFoldResult distance = n.b.sizes.sub((*last)[0], (*first)[0]);
    length =
        n.b.sizes.floorDiv(n.b.sizes.add(distance, n.b.sizes.number(by - 1)),
                           n.b.sizes.number(by));
    // A size is never negative; a difference of them may be.
    if (getConstantIntValue((*first)[0]) != 0)
      length = n.b.sizes.max(length, n.b.sizes.number(0));
  } else {
    // max(ceil((limit − start) / delta), 0), in f64: exact for sizes.
    Type f64 = n.b.b.getF64Type();
    Value distance = n.b.sub(n.b.cast(limit, f64), n.b.cast(start, f64));
    Value count =
        n.b.elementwise(EK::Ceil, {n.b.div(distance, n.b.cast(delta, f64))});
    count = n.b.elementwise(EK::Max, {count, n.b.scalarLike(count, 0)});
    length = (*n.b.readElements(n.b.cast(count, n.b.b.getI64Type())))[0];
  }
  n.output(0, n.b.range(start, delta, length));
  return success();
}

static LogicalResult convertEyeLike(NodeContext &n) {
  if (n.attribute("dtype"))
    return n.unsupported("with dtype");
  Value x = n.input(0);
  Value rows = n.b.unsqueeze(n.b.iota(n.b.size(x, 0)), {1});
  Value columns = n.b.unsqueeze(n.b.iota(n.b.size(x, 1)), {0});
  Value shifted =
      n.b.add(rows, n.b.scalar(n.b.b.getI64Type(), n.integer("k", 0)));
  n.output(0, n.b.cast(n.b.elementwise(EK::Eq, {columns, shifted}),
                       tensorType(x).getElementType()));
  return success();
}

static LogicalResult convertTrilu(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  if (rank < 2)
    return n.error("it needs a matrix");
  SmallVector<OpFoldResult> none;
  Value k = n.has(1) ? n.b.reshape(n.input(1), none)
                     : n.b.scalar(n.b.b.getI64Type(), 0);
  Value rows = n.b.unsqueeze(n.b.iota(n.b.size(x, rank - 2)), {1});
  Value columns = n.b.unsqueeze(n.b.iota(n.b.size(x, rank - 1)), {0});
  bool upper = n.integer("upper", 1) != 0;
  Value keep =
      n.b.elementwise(upper ? EK::Ge : EK::Le, {columns, n.b.add(rows, k)});
  n.output(0, n.b.elementwise(EK::Select, {keep, x, n.b.scalarLike(x, 0)}));
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
  SmallVector<int64_t> axes;
  auto given = n.numbers("axes", 3);
  if (failed(given))
    return failure();
  for (int64_t d = 0; d < rank && !*given; ++d)
    axes.push_back(d);
  if (*given)
    for (int64_t axis : **given) {
      FailureOr<int64_t> d = n.axis(axis, rank);
      if (failed(d))
        return failure();
      axes.push_back(*d);
    }
  if (pads.size() != 2 * axes.size())
    return n.unsupported("pads of unknown number");
  SmallVector<OpFoldResult> none;
  Value value = n.version() < 11 ? n.b.scalarLike(x, n.number("value", 0))
                : n.has(2)       ? n.b.reshape(n.input(2), none)
                                 : n.b.scalarLike(x, 0);
  SmallVector<OpFoldResult> low(rank, s.number(0)), high(rank, s.number(0)),
      offsets(rank, s.number(0)), strides(rank, s.number(1)),
      lengths = n.b.shape(x);
  for (auto [i, d] : llvm::enumerate(axes)) {
    // Negative padding cuts.
    OpFoldResult before = pads[i], after = pads[i + axes.size()];
    low[d] = s.max(before, s.number(0));
    high[d] = s.max(after, s.number(0));
    OpFoldResult cutBefore = s.max(s.sub(s.number(0), before), s.number(0)),
                 cutAfter = s.max(s.sub(s.number(0), after), s.number(0));
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

/// A permutation of sub-blocks: reshape, transpose, reshape.
template <bool toDepth> static LogicalResult depthSpace(NodeContext &n) {
  Value x = n.input(0);
  if (tensorType(x).getRank() != 4)
    return n.error("it needs [N, C, H, W]");
  Sizes &s = n.b.sizes;
  int64_t block = n.integer("blocksize", 1);
  OpFoldResult bs = s.number(block), area = s.number(block * block);
  SmallVector<OpFoldResult> d = n.b.shape(x);
  if (toDepth) {
    Value split = n.b.reshape(
        x, {d[0], d[1], s.floorDiv(d[2], bs), bs, s.floorDiv(d[3], bs), bs});
    Value moved = n.b.transpose(split, {0, 3, 5, 1, 2, 4});
    n.output(0,
             n.b.reshape(moved, {d[0], s.mul(d[1], area), s.floorDiv(d[2], bs),
                                 s.floorDiv(d[3], bs)}));
    return success();
  }
  bool crd = n.text("mode", "DCR") == "CRD";
  OpFoldResult depth = s.floorDiv(d[1], area);
  SmallVector<OpFoldResult> dcr{d[0], bs, bs, depth, d[2], d[3]},
      crdShape{d[0], depth, bs, bs, d[2], d[3]};
  Value split = n.b.reshape(x, crd ? crdShape : dcr);
  Value moved = n.b.transpose(split, crd ? ArrayRef<int64_t>{0, 1, 4, 2, 5, 3}
                                         : ArrayRef<int64_t>{0, 3, 4, 1, 5, 2});
  n.output(0,
           n.b.reshape(moved, {d[0], depth, s.mul(d[2], bs), s.mul(d[3], bs)}));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::shapeOps() {
  static const OpEntry ops[] = {
      {"", "Concat", 4, newestOpset, convertConcat},
      {"", "Constant", 1, newestOpset, convertConstant},
      {"", "ConstantOfShape", 9, newestOpset, convertConstantOfShape},
      {"", "DepthToSpace", 1, newestOpset, depthSpace<false>},
      {"", "Expand", 8, newestOpset, convertExpand},
      {"", "EyeLike", 9, newestOpset, convertEyeLike},
      {"", "Flatten", 1, newestOpset, convertFlatten},
      {"", "Pad", 2, newestOpset, convertPad},
      {"", "Range", 11, newestOpset, convertRange},
      {"", "Reshape", 1, newestOpset, convertReshape},
      {"", "Shape", 1, newestOpset, convertShape},
      {"", "Size", 1, newestOpset, convertSize},
      {"", "Slice", 1, newestOpset, convertSlice},
      {"", "SpaceToDepth", 1, newestOpset, depthSpace<true>},
      {"", "Split", 2, newestOpset, convertSplit},
      {"", "Squeeze", 1, newestOpset, convertSqueeze},
      {"", "Tile", 6, newestOpset, convertTile},
      {"", "Transpose", 1, newestOpset, convertTranspose},
      {"", "Trilu", 14, newestOpset, convertTrilu},
      {"", "Unsqueeze", 1, newestOpset, convertUnsqueeze},
  };
  return ops;
}
