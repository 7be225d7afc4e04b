//===- OpsShape.cpp - shapes, views, constants ----------------------------===//
#include "lowering/OnnxToDs/ControlFlow.h"

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
      if (!isSupported(dense.getElementType()))
        return n.unsupported("an element type that is not computed with");
      n.output(0, n.b.constant(dense));
      return success();
    }
    if (auto pair = dyn_cast<ArrayAttr>(value)) {
      auto type = cast<RankedTensorType>(cast<TypeAttr>(pair[0]).getValue());
      if (!isSupported(type.getElementType()))
        return n.unsupported("an element type that is not computed with");
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

/// Whether `size` was read from a tensor, so that nothing is known of it.
static bool isRead(OpFoldResult size) {
  auto value = dyn_cast<Value>(size);
  auto cast = value ? value.getDefiningOp<arith::IndexCastOp>() : nullptr;
  return cast && cast.getIn().getDefiningOp<tensor::ExtractOp>();
}

/// A shape that the call gives: its 0 and −1 are found out there, and elements
/// must neither be missing nor left over.
static void resolveAtRunTime(NodeContext &n, ArrayRef<OpFoldResult> from,
                             MutableArrayRef<OpFoldResult> wanted,
                             bool allowZero) {
  Sizes &s = n.b.sizes;
  OpFoldResult one = s.number(1), known = one, total = s.product(from);
  for (auto [d, size] : llvm::enumerate(wanted)) {
    if (!allowZero && isRead(size) && d < from.size())
      size = s.selectEqual(size, s.number(0), from[d], size);
    known = s.mul(known, s.selectNegative(size, one, size));
  }
  OpFoldResult rest = s.floorDiv(total, s.max(known, one));
  for (OpFoldResult &size : wanted)
    size = s.selectNegative(size, rest, size);
  Location loc = n.b.loc;
  Value fits =
      arith::CmpIOp::create(n.b.b, loc, arith::CmpIPredicate::eq,
                            s.asValue(total), s.asValue(s.product(wanted)));
  for (OpFoldResult &size : wanted)
    if (isa<Value>(size)) {
      size = ds::RequireOp::create(n.b.b, loc, fits, cast<Value>(size))
                 .getResult();
      return;
    }
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
  if (llvm::any_of(wanted, isRead)) {
    resolveAtRunTime(n, dims, wanted, allowZero);
    n.output(0, n.b.reshape(x, wanted));
    return success();
  }
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
  Value x = n.input(0);
  int64_t count;
  if (auto axes = n.integers("axes"))
    count = axes->size();
  else if (!n.has(1))
    return n.error("it has no axes");
  else if (tensorType(n.input(1)).hasStaticShape())
    count = tensorType(n.input(1)).getNumElements();
  else
    return n.unsupported("the number of its axes is not fixed");
  auto results = withAxes(
      n, "axes", 1, tensorType(x).getRank() + count,
      [&](ArrayRef<int64_t> axes, SmallVectorImpl<Value> &results) {
        results.push_back(n.b.unsqueeze(x, axes));
        return success();
      },
      [](ArrayRef<int64_t>) { return true; });
  if (failed(results))
    return failure();
  n.output(0, (*results)[0]);
  return success();
}

static LogicalResult convertSqueeze(NodeContext &n) {
  Value x = n.input(0);
  RankedTensorType type = tensorType(x);
  int64_t rank = type.getRank();
  auto squeeze = [&](ArrayRef<int64_t> axes, SmallVectorImpl<Value> &results) {
    SmallVector<OpFoldResult> dims;
    for (int64_t d = 0; d < rank; ++d) {
      OpFoldResult size = n.b.size(x, d);
      if (!llvm::is_contained(axes, d))
        dims.push_back(size);
      else if (getConstantIntValue(size).value_or(1) != 1)
        return n.error("it squeezes a dimension of size " +
                       Twine(*getConstantIntValue(size)));
    }
    results.push_back(n.b.reshape(x, dims));
    return success();
  };
  if (!n.attribute("axes") && !n.has(1)) {
    SmallVector<int64_t> ones;
    SmallVector<Value> result;
    for (int64_t d = 0; d < rank; ++d) {
      if (type.isDynamicDim(d))
        return n.unsupported("without axes, of a tensor of unknown sizes");
      if (type.getDimSize(d) == 1)
        ones.push_back(d);
    }
    if (failed(squeeze(ones, result)))
      return failure();
    n.output(0, result[0]);
    return success();
  }
  auto results =
      withAxes(n, "axes", 1, rank, squeeze, [&](ArrayRef<int64_t> axes) {
        return llvm::all_of(axes, [&](int64_t d) {
          return type.isDynamicDim(d) || type.getDimSize(d) == 1;
        });
      });
  if (failed(results))
    return failure();
  n.output(0, (*results)[0]);
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
  auto attr = dyn_cast_or_null<DenseElementsAttr>(n.attribute("value"));
  if (attr &&
      (attr.getNumElements() != 1 || !isSupported(attr.getElementType())))
    return n.error("its value is not one number");
  if (attr)
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
  Value x = n.input(0);
  if (tensorType(x).getRank() != 2)
    return n.error("its input is no matrix");
  Type element = n.attribute("dtype") ? n.elementType(n.integer("dtype", 0))
                                      : tensorType(x).getElementType();
  if (!element)
    return n.unsupported("element type " + Twine(n.integer("dtype", 0)));
  Value rows = n.b.unsqueeze(n.b.iota(n.b.size(x, 0)), {1});
  Value columns = n.b.unsqueeze(n.b.iota(n.b.size(x, 1)), {0});
  Value shifted =
      n.b.add(rows, n.b.scalar(n.b.b.getI64Type(), n.integer("k", 0)));
  n.output(0, n.b.cast(n.b.elementwise(EK::Eq, {columns, shifted}), element));
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

/// A permutation of sub-blocks: reshape, transpose, reshape.
template <bool toDepth> static LogicalResult depthSpace(NodeContext &n) {
  Value x = n.input(0);
  if (tensorType(x).getRank() != 4)
    return n.error("it needs [N, C, H, W]");
  Sizes &s = n.b.sizes;
  int64_t block = n.integer("blocksize", 1);
  if (block < 1 || block > (1 << 20))
    return n.error("its blocksize is " + Twine(block));
  OpFoldResult bs = s.number(block), area = s.number(block * block);
  SmallVector<OpFoldResult> d = n.b.shape(x);
  bool crd = n.text("mode", "DCR") == "CRD";
  if (toDepth) {
    Value split = n.b.reshape(
        x, {d[0], d[1], s.floorDiv(d[2], bs), bs, s.floorDiv(d[3], bs), bs});
    Value moved =
        n.b.transpose(split, crd ? ArrayRef<int64_t>{0, 1, 3, 5, 2, 4}
                                 : ArrayRef<int64_t>{0, 3, 5, 1, 2, 4});
    n.output(0,
             n.b.reshape(moved, {d[0], s.mul(d[1], area), s.floorDiv(d[2], bs),
                                 s.floorDiv(d[3], bs)}));
    return success();
  }
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
      {"", "Constant", 1, newestOpset, 0, convertConstant},
      {"", "ConstantOfShape", 9, newestOpset, 1, convertConstantOfShape},
      {"", "DepthToSpace", 1, newestOpset, 1, depthSpace<false>},
      {"", "Expand", 8, newestOpset, 2, convertExpand},
      {"", "EyeLike", 9, newestOpset, 1, convertEyeLike},
      {"", "Flatten", 1, newestOpset, 1, convertFlatten},
      {"", "Range", 11, newestOpset, 3, convertRange},
      {"", "Reshape", 1, newestOpset, 1, convertReshape},
      {"", "Shape", 1, newestOpset, 1, convertShape},
      {"", "Size", 1, newestOpset, 1, convertSize},
      {"", "SpaceToDepth", 1, newestOpset, 1, depthSpace<true>},
      {"", "Squeeze", 1, newestOpset, 1, convertSqueeze},
      {"", "Tile", 6, newestOpset, 2, convertTile},
      {"", "Transpose", 1, newestOpset, 1, convertTranspose},
      {"", "Trilu", 14, newestOpset, 1, convertTrilu},
      {"", "Unsqueeze", 1, newestOpset, 1, convertUnsqueeze},
  };
  return ops;
}
