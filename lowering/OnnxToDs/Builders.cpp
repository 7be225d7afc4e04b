//===- Builders.cpp - ds ops with sizes and trivial folds -----------------===//
#include "dialects/ds/IR/DsElements.h"
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::ds;
using namespace mlir::onnx;
using onnx::tensorType;

//===----------------------------------------------------------------------===//
// Sizes and elements
//===----------------------------------------------------------------------===//

OpFoldResult Builders::size(Value value, int64_t dim) {
  RankedTensorType type = tensorType(value);
  if (!type.isDynamicDim(dim))
    return sizes.number(type.getDimSize(dim));
  SmallVector<OpFoldResult> &dims = known[value];
  if (dims.empty())
    dims.assign(type.getRank(), OpFoldResult());
  if (!dims[dim]) {
    // Beside the value, so that it may be used wherever the value may.
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfterValue(value);
    dims[dim] = tensor::DimOp::create(b, loc, value, dim).getResult();
  }
  return dims[dim];
}

SmallVector<OpFoldResult> Builders::shape(Value value) {
  SmallVector<OpFoldResult> result;
  for (int64_t d = 0; d < tensorType(value).getRank(); ++d)
    result.push_back(size(value, d));
  return result;
}

RankedTensorType Builders::typeOf(ArrayRef<OpFoldResult> dims, Type element) {
  SmallVector<int64_t> shape;
  // No memory holds more; the products below must not overflow.
  constexpr int64_t maxElements = int64_t(1) << 46;
  int64_t elements = 1;
  for (OpFoldResult dim : dims) {
    std::optional<int64_t> number = getConstantIntValue(dim);
    if (number && *number < 0) {
      wrong("a size would be " + Twine(*number));
      number = 0;
    }
    if (number && *number > 0 && elements > maxElements / *number) {
      wrong("a tensor would have more than 2^46 elements");
      number = 1;
    }
    if (number && *number > 0)
      elements *= *number;
    shape.push_back(number.value_or(ShapedType::kDynamic));
  }
  return RankedTensorType::get(shape, element);
}

SmallVector<Value> Builders::dynamicOf(ArrayRef<OpFoldResult> dims) {
  SmallVector<Value> result;
  for (OpFoldResult dim : dims)
    if (!getConstantIntValue(dim))
      result.push_back(cast<Value>(dim));
  return result;
}

DenseElementsAttr Builders::constantOf(Value value) {
  DenseElementsAttr attr;
  return matchPattern(value, m_Constant(&attr)) ? attr : DenseElementsAttr();
}

std::optional<SmallVector<OpFoldResult>> Builders::elements(Value value) {
  if (!value)
    return std::nullopt;
  if (auto it = knownElements.find(value); it != knownElements.end())
    return it->second;
  RankedTensorType type = tensorType(value);
  auto integer = dyn_cast<IntegerType>(type.getElementType());
  if (!integer || integer.getWidth() == 1 || type.getRank() > 1)
    return std::nullopt;
  if (type.getRank() == 1 && type.getDimSize(0) == 0)
    return SmallVector<OpFoldResult>();
  DenseElementsAttr attr = constantOf(value);
  if (!attr)
    return std::nullopt;
  SmallVector<OpFoldResult> result;
  for (const APInt &number : attr.getValues<APInt>())
    result.push_back(sizes.number(integer.isUnsigned()
                                      ? int64_t(number.getZExtValue())
                                      : number.getSExtValue()));
  return result;
}

std::optional<SmallVector<OpFoldResult>> Builders::readElements(Value value) {
  if (auto result = elements(value); result || !value)
    return result;
  RankedTensorType type = tensorType(value);
  if (!type.hasStaticShape() || type.getRank() > 1 ||
      !isa<IntegerType>(type.getElementType()))
    return std::nullopt;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(value);
  Value numbers = type.getElementType().isUnsignedInteger()
                      ? cast(value, b.getI64Type())
                      : value;
  SmallVector<OpFoldResult> result;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    SmallVector<Value> at;
    if (type.getRank() == 1)
      at.push_back(arith::ConstantIndexOp::create(b, loc, i));
    Value element = tensor::ExtractOp::create(b, loc, numbers, at);
    result.push_back(
        arith::IndexCastOp::create(b, loc, b.getIndexType(), element)
            .getResult());
  }
  knownElements[value] = result;
  return result;
}

Value Builders::fromSizes(ArrayRef<OpFoldResult> values, bool scalar,
                          Type type) {
  if (!type)
    type = b.getI64Type();
  SmallVector<int64_t> shape;
  if (!scalar)
    shape.push_back(values.size());
  auto result = RankedTensorType::get(shape, type);
  SmallVector<APInt> numbers;
  for (OpFoldResult value : values)
    if (std::optional<int64_t> number = getConstantIntValue(value))
      numbers.push_back(
          APInt(64, *number, true).sextOrTrunc(type.getIntOrFloatBitWidth()));
  if (numbers.size() == values.size())
    return constant(DenseElementsAttr::get(result, numbers));
  SmallVector<Value> elements;
  for (OpFoldResult value : values)
    elements.push_back(
        arith::IndexCastOp::create(b, loc, type, sizes.asValue(value)));
  Value tensor = tensor::FromElementsOp::create(b, loc, result, elements);
  knownElements[tensor].assign(values.begin(), values.end());
  return tensor;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Value Builders::constant(DenseElementsAttr value) {
  return arith::ConstantOp::create(b, loc, value);
}

Value Builders::scalar(Type type, double value) {
  return constant(splat(RankedTensorType::get({}, type), value));
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

SmallVector<OpFoldResult> Builders::broadcastShape(ValueRange operands) {
  int64_t rank = 0;
  for (Value operand : operands)
    rank = std::max(rank, tensorType(operand).getRank());
  SmallVector<OpFoldResult> result(rank, sizes.number(1));
  for (Value operand : operands) {
    int64_t missing = rank - tensorType(operand).getRank();
    for (int64_t d = missing; d < rank; ++d) {
      OpFoldResult mine = size(operand, d - missing), &all = result[d];
      if (getConstantIntValue(all) == 1)
        all = mine;
      else if (getConstantIntValue(mine) == 1 || mine == all)
        continue;
      else if (getConstantIntValue(mine) && getConstantIntValue(all))
        checkSameSize(all, mine, "sizes that must broadcast to each other");
      else if (getConstantIntValue(mine))
        all = mine; // a dynamic size here must be this number or 1
      else if (!getConstantIntValue(all))
        all = sizes.selectEqual(all, sizes.number(1), mine, all);
    }
  }
  return result;
}

static Type resultElement(ElementwiseKind kind, ValueRange operands) {
  if (givesBool(kind))
    return IntegerType::get(operands[0].getContext(), 1);
  return tensorType(operands[kind == ElementwiseKind::Select ? 1 : 0])
      .getElementType();
}

Value Builders::elementwise(ElementwiseKind kind, ValueRange operands) {
  checkElementwise(kind, operands);
  if (isWrong)
    return broken(broadcastShape(operands), resultElement(kind, operands));
  if (Value folded = foldSizes(kind, operands))
    return folded;
  if (Value folded = foldChoices(kind, operands))
    return folded;
  if (Value folded = foldLogic(kind, operands))
    return folded;
  if (Value folded = foldScalars(kind, operands))
    return folded;
  if (Value folded = foldIdentity(kind, operands))
    return folded;
  SmallVector<OpFoldResult> dims = broadcastShape(operands);
  SmallVector<Value> args;
  for (Value operand : operands) {
    // A dynamic size that cannot be shown to be the result's may be 1.
    RankedTensorType type = tensorType(operand);
    int64_t missing = dims.size() - type.getRank();
    bool fits = true;
    for (int64_t d = 0; d < type.getRank(); ++d)
      fits &= !type.isDynamicDim(d) || size(operand, d) == dims[d + missing];
    args.push_back(
        fits ? operand
             : broadcast(operand,
                         ArrayRef<OpFoldResult>(dims).drop_front(missing)));
  }
  if (isWrong)
    return broken(dims, resultElement(kind, operands));
  return track(
      ElementwiseOp::create(b, loc, typeOf(dims, resultElement(kind, operands)),
                            kind, args),
      dims);
}

Value Builders::cast(Value value, Type type, bool saturate) {
  RankedTensorType from = tensorType(value);
  if (from.getElementType() == type)
    return value;
  if (DenseElementsAttr attr = constantOf(value);
      attr && attr.getNumElements() == 1) {
    std::optional<double> number;
    if (isa<FloatType>(from.getElementType()))
      number = attr.getValues<APFloat>()[0].convertToDouble();
    else if (auto known = elements(value))
      number = double(*getConstantIntValue((*known)[0]));
    bool toFloat = isa<FloatType>(type) && type.getIntOrFloatBitWidth() >= 16;
    bool exact = number && std::abs(*number) < double(int64_t(1) << 53);
    if (exact && (toFloat || (isa<IntegerType>(type) &&
                              type.getIntOrFloatBitWidth() >= 32)))
      return constant(
          splat(RankedTensorType::get(from.getShape(), type), *number));
  }
  // Sizes stay sizes in any integer type that holds them.
  if (isa<IntegerType>(type) && type.getIntOrFloatBitWidth() >= 32)
    if (auto known = elements(value))
      return fromSizes(*known, from.getRank() == 0, type);
  auto result = RankedTensorType::get(from.getShape(), type);
  return track(CastOp::create(b, loc, result, value, saturate), shape(value));
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

Value Builders::reshape(Value value, ArrayRef<OpFoldResult> dims) {
  // Chains become one reshape of the first.
  while (auto inner = value.getDefiningOp<ReshapeOp>())
    value = inner.getInput();
  RankedTensorType result = typeOf(dims, tensorType(value).getElementType());
  checkSameSize(sizes.product(shape(value)), sizes.product(dims),
                "numbers of elements before and after a reshape");
  if (isWrong)
    return broken(dims, result.getElementType());
  if (result.getRank() == tensorType(value).getRank() &&
      ArrayRef<OpFoldResult>(shape(value)) == dims)
    return value;
  if (result.getRank() <= 1)
    if (auto known = elements(value))
      if (result.hasStaticShape() &&
          int64_t(known->size()) == result.getNumElements())
        return fromSizes(*known, result.getRank() == 0,
                         result.getElementType());
  if (DenseElementsAttr attr = constantOf(value))
    if (result.hasStaticShape())
      return constant(attr.reshape(result));
  return track(ReshapeOp::create(b, loc, result, value, dynamicOf(dims)), dims);
}

Value Builders::retype(Value value, ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, tensorType(value).getElementType());
  if (type == value.getType())
    return value;
  return track(tensor::CastOp::create(b, loc, type, value), [&] {
    SmallVector<OpFoldResult> dims = this->shape(value);
    for (auto [d, size] : llvm::enumerate(shape))
      if (!ShapedType::isDynamic(size))
        dims[d] = sizes.number(size);
    return dims;
  }());
}

Value Builders::unsqueeze(Value value, ArrayRef<int64_t> axes) {
  int64_t rank = tensorType(value).getRank() + axes.size();
  SmallVector<OpFoldResult> dims;
  int64_t next = 0;
  for (int64_t d = 0; d < rank; ++d)
    dims.push_back(llvm::is_contained(axes, d) ? sizes.number(1)
                                               : size(value, next++));
  return reshape(value, dims);
}

Value Builders::broadcast(Value value, ArrayRef<OpFoldResult> dims) {
  RankedTensorType type = tensorType(value);
  if (type.getRank() == int64_t(dims.size()) &&
      ArrayRef<OpFoldResult>(shape(value)) == dims)
    return value;
  RankedTensorType result = typeOf(dims, type.getElementType());
  checkBroadcasts(shape(value), dims, "a tensor");
  if (isWrong)
    return broken(dims, type.getElementType());
  if (DenseElementsAttr attr = constantOf(value))
    if (attr.isSplat() && result.hasStaticShape())
      return constant(attr.resizeSplat(result));
  return track(BroadcastOp::create(b, loc, result, value, dynamicOf(dims)),
               dims);
}

Value Builders::transpose(Value value, ArrayRef<int64_t> perm) {
  bool identity = true;
  SmallVector<OpFoldResult> dims;
  for (auto [j, d] : llvm::enumerate(perm)) {
    identity &= int64_t(j) == d;
    dims.push_back(size(value, d));
  }
  if (identity)
    return value;
  return track(TransposeOp::create(
                   b, loc, typeOf(dims, tensorType(value).getElementType()),
                   value, b.getDenseI64ArrayAttr(perm)),
               dims);
}

Value Builders::slice(Value value, ArrayRef<OpFoldResult> offsets,
                      ArrayRef<OpFoldResult> lengths,
                      ArrayRef<OpFoldResult> strides) {
  for (auto [d, length] : llvm::enumerate(lengths)) {
    std::optional<int64_t> first = getConstantIntValue(offsets[d]),
                           count = getConstantIntValue(length),
                           step = getConstantIntValue(strides[d]),
                           all = getConstantIntValue(size(value, d));
    if (!first || !count || !step || !all || *count == 0)
      continue;
    int64_t last = *first + (*count - 1) * *step;
    if (std::min(*first, last) < 0 || std::max(*first, last) >= *all)
      wrong("it takes elements " + Twine(*first) + " to " + Twine(last) +
            " of " + Twine(*all) + " in dimension " + Twine(d));
  }
  if (isWrong)
    return broken(lengths, tensorType(value).getElementType());
  bool whole = true;
  for (auto [d, length] : llvm::enumerate(lengths))
    whole &= getConstantIntValue(offsets[d]) == 0 && length == size(value, d) &&
             getConstantIntValue(strides[d]) == 1;
  if (whole)
    return value;
  if (offsets.size() == 1)
    if (auto known = elements(value)) {
      std::optional<int64_t> first = getConstantIntValue(offsets[0]),
                             count = getConstantIntValue(lengths[0]),
                             step = getConstantIntValue(strides[0]);
      if (first && count && step) {
        SmallVector<OpFoldResult> result;
        for (int64_t i = 0; i < *count; ++i)
          result.push_back((*known)[*first + i * *step]);
        return fromSizes(result, false, tensorType(value).getElementType());
      }
    }
  return track(SliceOp::create(b, loc, value, offsets, lengths, strides),
               lengths);
}

Value Builders::sliceAlong(Value value, int64_t dim, OpFoldResult offset,
                           OpFoldResult length) {
  int64_t rank = tensorType(value).getRank();
  SmallVector<OpFoldResult> offsets(rank, sizes.number(0)),
      strides(rank, sizes.number(1)), lengths = shape(value);
  offsets[dim] = offset;
  lengths[dim] = length;
  return slice(value, offsets, lengths, strides);
}

Value Builders::concat(ValueRange values, int64_t axis) {
  if (values.size() == 1)
    return values[0];
  RankedTensorType first = tensorType(values[0]);
  for (Value value : values)
    if (tensorType(value).getRank() != first.getRank() ||
        tensorType(value).getElementType() != first.getElementType())
      wrong("what it concatenates differs in rank or element type");
  if (isWrong)
    return values[0];
  SmallVector<OpFoldResult> parts;
  bool known = first.getRank() == 1;
  for (Value value : values) {
    auto some = known ? elements(value) : std::nullopt;
    known &= some.has_value();
    if (known)
      llvm::append_range(parts, *some);
  }
  if (known)
    return fromSizes(parts, false, tensorType(values[0]).getElementType());
  SmallVector<OpFoldResult> dims = shape(values[0]);
  for (Value value : values.drop_front()) {
    for (int64_t d = 0; d < int64_t(dims.size()); ++d) {
      if (d == axis)
        continue;
      checkSameSize(dims[d], size(value, d),
                    "sizes in dimension " + Twine(d) +
                        " of what it concatenates");
      if (!getConstantIntValue(dims[d]))
        dims[d] = size(value, d); // a number, if any of them knows it
    }
    dims[axis] = sizes.add(dims[axis], size(value, axis));
  }
  return track(ConcatOp::create(
                   b, loc, typeOf(dims, tensorType(values[0]).getElementType()),
                   uint64_t(axis), values),
               dims);
}

//===----------------------------------------------------------------------===//
// Others
//===----------------------------------------------------------------------===//

Value Builders::reduce(ReduceKind kind, Value value, ArrayRef<int64_t> axes,
                       bool keepdims) {
  SmallVector<OpFoldResult> dims;
  for (int64_t d = 0; d < tensorType(value).getRank(); ++d)
    if (!llvm::is_contained(axes, d))
      dims.push_back(size(value, d));
    else if (keepdims)
      dims.push_back(sizes.number(1));
  return track(
      ReduceOp::create(b, loc, typeOf(dims, tensorType(value).getElementType()),
                       kind, value, axes, keepdims),
      dims);
}

Value Builders::range(Value start, Value delta, OpFoldResult length) {
  // Axes and the like.
  constexpr int64_t maxKnown = 16;
  auto first = elements(start), step = elements(delta);
  std::optional<int64_t> count = getConstantIntValue(length);
  if (first && step && count && *count <= maxKnown) {
    SmallVector<OpFoldResult> result;
    for (int64_t i = 0; i < *count; ++i)
      result.push_back(
          sizes.add((*first)[0], sizes.mul(sizes.number(i), (*step)[0])));
    return fromSizes(result, false, tensorType(start).getElementType());
  }
  RankedTensorType type = typeOf({length}, tensorType(start).getElementType());
  Value dynamic = getConstantIntValue(length) ? Value() : cast<Value>(length);
  return track(RangeOp::create(b, loc, type, start, delta, dynamic), {length});
}

Value Builders::iota(OpFoldResult length) {
  return range(scalar(b.getI64Type(), 0), scalar(b.getI64Type(), 1), length);
}

Value Builders::gather(Value value, Value indices, int64_t axis) {
  if (!isa<IntegerType>(tensorType(indices).getElementType()) ||
      tensorType(indices).getElementType().isInteger(1))
    wrong("its indices are no integers");
  // One known element of a shape.
  if (auto known = elements(value); known && axis == 0)
    if (auto at = elements(indices)) {
      SmallVector<OpFoldResult> result;
      for (OpFoldResult index : *at) {
        std::optional<int64_t> i = getConstantIntValue(index);
        if (i && *i < 0)
          *i += known->size();
        if (!i || *i < 0 || *i >= int64_t(known->size()))
          break;
        result.push_back((*known)[*i]);
      }
      if (result.size() == at->size() && tensorType(value).getRank() == 1)
        return fromSizes(result, tensorType(indices).getRank() == 0,
                         tensorType(value).getElementType());
    }
  SmallVector<OpFoldResult> dims = shape(value), at = shape(indices);
  dims.erase(dims.begin() + axis);
  dims.insert(dims.begin() + axis, at.begin(), at.end());
  return track(
      GatherOp::create(b, loc, typeOf(dims, tensorType(value).getElementType()),
                       value, indices, b.getI64IntegerAttr(axis)),
      dims);
}

Value Builders::matmul(Value lhs, Value rhs, Type resultType) {
  if (!resultType)
    resultType = tensorType(lhs).getElementType();
  SmallVector<OpFoldResult> l = shape(lhs), r = shape(rhs);
  if (isa<FloatType>(tensorType(lhs).getElementType()) !=
      isa<FloatType>(tensorType(rhs).getElementType()))
    wrong("it multiplies floats and integers");
  checkSameSize(l.back(), r[r.size() - 2],
                "sizes that a product sums over, left and right,");
  OpFoldResult rows = l[l.size() - 2], columns = r.back();
  // Batch dimensions broadcast like elementwise operands; the op wants them
  // statically so.
  size_t batch = std::max(l.size(), r.size()) - 2;
  SmallVector<OpFoldResult> dims(batch, sizes.number(1));
  for (ArrayRef<OpFoldResult> side :
       {ArrayRef<OpFoldResult>(l), ArrayRef<OpFoldResult>(r)})
    for (size_t d = 0; d + 2 < side.size(); ++d) {
      OpFoldResult mine = side[d], &all = dims[batch - (side.size() - 2) + d];
      if (getConstantIntValue(all) == 1)
        all = mine;
      else if (getConstantIntValue(mine) && getConstantIntValue(mine) != 1) {
        checkSameSize(mine, all, "batch sizes of the factors");
        all = mine;
      }
    }
  dims.push_back(rows);
  dims.push_back(columns);
  return track(MatmulOp::create(b, loc, typeOf(dims, resultType), lhs, rhs),
               dims);
}

Value Builders::softmax(Value value, int64_t axis, bool log) {
  if (!isa<FloatType>(tensorType(value).getElementType()))
    wrong("it is only defined on floats");
  return track(
      SoftmaxOp::create(b, loc, value.getType(), value, uint64_t(axis), log),
      shape(value));
}

Value Builders::dequantize(Value value, Value scale, Value zeroPoint,
                           int64_t axis, int64_t blockSize, Type type) {
  Type element = tensorType(value).getElementType();
  if (!isa<FloatType>(tensorType(scale).getElementType()))
    wrong("its scales are no floats");
  if (zeroPoint && tensorType(zeroPoint).getElementType() != element)
    wrong("its zero points do not have the element type of what they move");
  // One scale, one for each index along the axis, or one for each block there.
  SmallVector<OpFoldResult> dims = shape(value), grid = shape(scale);
  if (grid.size() == 1 && blockSize == 0) {
    checkSameSize(grid[0], dims[axis], "numbers of scales and of elements");
  } else if (!grid.empty()) {
    if (blockSize <= 0 || grid.size() != dims.size()) {
      wrong("its scales have " + Twine(grid.size()) + " dimensions");
      return broken(dims, type);
    }
    for (auto [d, size] : llvm::enumerate(grid)) {
      OpFoldResult last = sizes.number(blockSize - 1),
                   block = sizes.number(blockSize);
      checkSameSize(size,
                    int64_t(d) != axis
                        ? dims[d]
                        : sizes.floorDiv(sizes.add(dims[d], last), block),
                    "scales and elements along dimension " + Twine(d));
    }
  }
  if (zeroPoint &&
      tensorType(zeroPoint).getShape() != tensorType(scale).getShape())
    wrong("its zero points do not have the shape of its scales");
  return track(
      DequantizeOp::create(
          b, loc, RankedTensorType::get(tensorType(value).getShape(), type),
          value, scale, zeroPoint, uint64_t(axis), uint64_t(blockSize)),
      shape(value));
}
