//===- OpsQuantize.cpp - quantised tensors and products -------------------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;
using EK = ElementwiseKind;

static Type unsignedType(NodeContext &n, int64_t bits) {
  return IntegerType::get(n.node.getContext(), bits, IntegerType::Unsigned);
}

static LogicalResult convertDequantizeLinear(NodeContext &n) {
  Value x = n.input(0), scale = n.input(1), zero = n.input(2);
  int64_t rank = tensorType(x).getRank();
  int64_t axis = 0;
  if (tensorType(scale).getRank() > 0) {
    FailureOr<int64_t> d = n.axis(n.integer("axis", 1), rank);
    if (failed(d))
      return failure();
    axis = *d;
  }
  SmallVector<OpFoldResult> none;
  if (tensorType(scale).getRank() == 1 &&
      tensorType(scale).getShape()[0] == 1 &&
      tensorType(x).getShape()[axis] != 1)
    scale = n.b.reshape(scale, none);
  if (zero && tensorType(scale).getRank() == 0)
    zero = n.b.reshape(zero, none);
  n.output(0, n.b.dequantize(x, scale, zero, axis, n.integer("block_size", 0),
                             tensorType(scale).getElementType()));
  return success();
}

/// Scales or zero points beside x: per tensor, per axis, or repeated per block.
static Value alongAxis(NodeContext &n, Value value, Value x, int64_t axis,
                       int64_t block) {
  int64_t rank = tensorType(x).getRank();
  if (tensorType(value).getRank() == 0)
    return value;
  if (tensorType(value).getRank() == 1 && block == 0) {
    SmallVector<OpFoldResult> dims(rank, n.b.sizes.number(1));
    dims[axis] = n.b.size(value, 0);
    return n.b.reshape(value, dims);
  }
  // [.., blocks, ..] → [.., blocks, block, ..], cut to x's size.
  SmallVector<OpFoldResult> dims = n.b.shape(value), split(dims), joined(dims);
  split.insert(split.begin() + axis + 1, n.b.sizes.number(1));
  SmallVector<OpFoldResult> repeated(split);
  repeated[axis + 1] = n.b.sizes.number(block);
  joined[axis] = n.b.sizes.mul(dims[axis], n.b.sizes.number(block));
  Value wide =
      n.b.reshape(n.b.broadcast(n.b.reshape(value, split), repeated), joined);
  return n.b.sliceAlong(wide, axis, n.b.sizes.number(0), n.b.size(x, axis));
}

/// Range of an integer type.
static std::pair<double, double> rangeOf(IntegerType type) {
  unsigned width = type.getWidth();
  if (type.isUnsigned())
    return {0, double((uint64_t(1) << width) - 1)};
  return {-double(int64_t(1) << (width - 1)),
          double((int64_t(1) << (width - 1)) - 1)};
}

/// `quotient` (f32) rounded, moved by the zero point if there is one, and cut
/// to the range of `to`.
static Value quantised(NodeContext &n, Value quotient, Value zero, Type to) {
  auto integer = dyn_cast<IntegerType>(to);
  // float8: the cast rounds and saturates; its zero point is 0.
  if (!integer)
    return n.b.cast(zero ? n.b.add(quotient, zero) : quotient, to,
                    n.integer("saturate", 1) != 0);
  Value rounded = n.b.elementwise(EK::RoundEven, {quotient});
  if (zero)
    rounded = n.b.add(rounded, zero);
  auto [low, high] = rangeOf(integer);
  Value clamped =
      n.b.elementwise(EK::Max, {rounded, n.b.scalarLike(rounded, low)});
  clamped = n.b.elementwise(EK::Min, {clamped, n.b.scalarLike(rounded, high)});
  return n.b.cast(clamped, to);
}

static LogicalResult convertQuantizeLinear(NodeContext &n) {
  Value x = n.input(0), scale = n.input(1), zero = n.input(2);
  if (!isa<FloatType>(tensorType(scale).getElementType()))
    return n.error("its scales are no floats");
  int64_t scaleRank = tensorType(scale).getRank();
  if (scaleRank > 0 &&
      (n.integer("block_size", 0) > 0 ? scaleRank != tensorType(x).getRank()
                                      : scaleRank != 1))
    return n.error("its scales have " + Twine(scaleRank) + " dimensions");
  bool isOne = zero && tensorType(zero).hasStaticShape() &&
               tensorType(zero).getNumElements() == 1 &&
               tensorType(zero).getRank() <= 1;
  if (zero && !isOne &&
      tensorType(zero).getShape() != tensorType(scale).getShape())
    return n.error("its zero points do not have the shape of its scales");
  // The zero point's type, else output_dtype, else ui8.
  int64_t dtype = n.integer("output_dtype", 0);
  Type to = zero         ? tensorType(zero).getElementType()
            : dtype != 0 ? n.elementType(dtype)
                         : unsignedType(n, 8);
  if (!to)
    return n.unsupported("element type " + Twine(dtype));
  int64_t axis = 0, block = n.integer("block_size", 0);
  if (tensorType(scale).getRank() > 0) {
    FailureOr<int64_t> d =
        n.axis(n.integer("axis", 1), tensorType(x).getRank());
    if (failed(d))
      return failure();
    axis = *d;
  }
  // One scale for the whole tensor, as activations have it, stays one op that
  // raising understands.
  auto isSingle = [](Value value) {
    return !value || tensorType(value).getRank() == 0 ||
           tensorType(value).getShape() == ArrayRef<int64_t>{1};
  };
  if (isa<IntegerType>(to) && isa<FloatType>(tensorType(x).getElementType()) &&
      isSingle(scale) && isSingle(zero)) {
    SmallVector<OpFoldResult> none;
    scale = n.b.reshape(scale, none);
    zero = zero ? n.b.reshape(zero, none) : zero;
    SmallVector<OpFoldResult> dims = n.b.shape(x);
    n.output(0, n.b.track(ds::QuantizeOp::create(n.b.b, n.b.loc,
                                                 n.b.typeOf(dims, to), x, scale,
                                                 zero),
                          dims));
    return success();
  }
  Type f32 = n.b.b.getF32Type();
  Value wide = n.b.cast(x, f32);
  Value quotient =
      n.b.div(wide, n.b.cast(alongAxis(n, scale, x, axis, block), f32));
  Value wideZero =
      zero ? n.b.cast(alongAxis(n, zero, x, axis, block), f32) : Value();
  n.output(0, quantised(n, quotient, wideZero, to));
  return success();
}

/// com ai.onnx QLinearMatMul: (A − zero) · (B − zero) in integers, scaled and
/// quantised again.
static LogicalResult convertQLinearMatMul(NodeContext &n) {
  Type i32 = n.b.b.getI32Type(), f32 = n.b.b.getF32Type();
  Value a = n.input(0), c = n.input(3);
  if (tensorType(a).getRank() < 2 || tensorType(c).getRank() < 2 ||
      !isa<IntegerType>(tensorType(a).getElementType()) ||
      !isa<IntegerType>(tensorType(c).getElementType()))
    return n.unsupported("vectors, or element types that are no integers");
  // Per row of A, per column of B.
  auto beside = [&](unsigned input, bool rows, Type type) {
    Value value = n.b.cast(n.input(input), type);
    return rows && tensorType(value).getRank() == 1 ? n.b.unsqueeze(value, {1})
                                                    : value;
  };
  Value lhs = n.b.sub(n.b.cast(a, i32), beside(2, true, i32)),
        rhs = n.b.sub(n.b.cast(c, i32), beside(5, false, i32));
  Value product = n.b.cast(n.b.matmul(lhs, rhs, i32), f32);
  Value scale = n.b.div(n.b.mul(beside(1, true, f32), beside(4, false, f32)),
                        n.b.cast(n.input(6), f32));
  n.output(0, quantised(n, n.b.mul(product, scale), beside(7, true, f32),
                        tensorType(n.input(7)).getElementType()));
  return success();
}

static LogicalResult convertDynamicQuantizeLinear(NodeContext &n) {
  Value x = n.input(0);
  Type f32 = n.b.b.getF32Type();
  Type ui8 = IntegerType::get(n.node.getContext(), 8, IntegerType::Unsigned);
  SmallVector<OpFoldResult> dims = n.b.shape(x), none;
  auto op = ds::DynamicQuantizeOp::create(n.b.b, n.b.loc, n.b.typeOf(dims, ui8),
                                          n.b.typeOf(none, f32),
                                          n.b.typeOf(none, ui8), x);
  n.output(0, n.b.track(op.getResult(), dims));
  n.output(1, n.b.track(op.getScale(), none));
  n.output(2, n.b.track(op.getZeroPoint(), none));
  return success();
}

FailureOr<Value> mlir::onnx::unpackBlocks(NodeContext &n, Value packed,
                                          Value scales, Value zeroPoints,
                                          ArrayRef<int64_t> rows,
                                          int64_t columns, int64_t bits,
                                          int64_t block) {
  if (bits != 4 && bits != 8)
    return n.unsupported(Twine(bits) + "-bit weights");
  if (block < 1 || columns < 1 ||
      llvm::any_of(rows, [](int64_t size) { return size < 1; }))
    return n.error("its sizes or its block size are not positive");
  int64_t blocks = llvm::divideCeil(columns, block), last = rows.size();
  Type element = unsignedType(n, bits);
  auto withColumns = [&](int64_t count) {
    SmallVector<int64_t> shape(rows);
    shape.push_back(count);
    return RankedTensorType::get(shape, element);
  };
  RankedTensorType type = withColumns(blocks * block);
  Value data = n.converter.reinterpret(packed, type);
  if (!data)
    return n.unsupported("weights that are not constant");
  SmallVector<OpFoldResult> grid;
  for (int64_t size : withColumns(blocks).getShape())
    grid.push_back(n.b.sizes.number(size));
  Value scale = n.b.reshape(scales, grid);
  Value zero;
  if (!zeroPoints) {
    zero = n.b.broadcast(n.b.scalar(element, double(1 << (bits - 1))), grid);
  } else if (tensorType(zeroPoints).getElementType().isInteger(8)) {
    // Packed like the data, each row padded to whole bytes.
    int64_t perRow = llvm::alignTo(blocks * bits, 8) / bits;
    zero = n.converter.reinterpret(zeroPoints, withColumns(perRow));
    if (!zero)
      return n.unsupported("zero points that are not constant");
    zero = n.b.sliceAlong(zero, last, n.b.sizes.number(0),
                          n.b.sizes.number(blocks));
  } else {
    return n.unsupported("zero points that are no bytes");
  }
  Value weight = n.b.dequantize(data, scale, zero, last, block,
                                tensorType(scales).getElementType());
  return n.b.sliceAlong(weight, last, n.b.sizes.number(0),
                        n.b.sizes.number(columns));
}

/// com.microsoft MatMulNBits: A · dequantised Bᵀ (+ bias).
static LogicalResult convertMatMulNBits(NodeContext &n) {
  if (n.has(4))
    return n.unsupported("g_idx");
  int64_t k = n.integer("K", 0), rows = n.integer("N", 0);
  FailureOr<Value> weight =
      unpackBlocks(n, n.input(1), n.input(2), n.input(3), rows, k,
                   n.integer("bits", 4), n.integer("block_size", 32));
  if (failed(weight))
    return failure();
  Value x = n.input(0);
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  dims.back() = n.b.sizes.number(rows);
  Value result = n.b.track(
      ds::LinearOp::create(n.b.b, n.b.loc,
                           n.b.typeOf(dims, tensorType(x).getElementType()), x,
                           *weight, n.input(5)),
      dims);
  n.output(0, result);
  return success();
}

/// com.microsoft GatherBlockQuantized: rows of a block-quantised table.
static LogicalResult convertGatherBlockQuantized(NodeContext &n) {
  Value data = n.input(0);
  RankedTensorType type = tensorType(data);
  if (n.integer("gather_axis", 0) != 0 || type.getRank() != 2 ||
      n.integer("quantize_axis", 1) != 1 || !type.hasStaticShape())
    return n.unsupported("other axes than 0 and 1");
  int64_t bits = n.integer("bits", 4), block = n.integer("block_size", 128);
  bool packed = type.getElementType().isInteger(8);
  int64_t columns = type.getDimSize(1) * (packed ? 8 / bits : 1);
  FailureOr<Value> table =
      unpackBlocks(n, data, n.input(2), n.input(3), type.getDimSize(0), columns,
                   bits, block);
  if (failed(table))
    return failure();
  n.output(0, n.b.gather(*table, n.input(1), 0));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::quantizeOps() {
  static const OpEntry ops[] = {
      {"", "DequantizeLinear", 10, newestOpset, 2, convertDequantizeLinear},
      {"", "DynamicQuantizeLinear", 11, newestOpset, 1,
       convertDynamicQuantizeLinear},
      {"", "QLinearMatMul", 10, newestOpset, 8, convertQLinearMatMul},
      {"", "QuantizeLinear", 10, newestOpset, 2, convertQuantizeLinear},
      {microsoft, "GatherBlockQuantized", 1, 1, 3, convertGatherBlockQuantized},
      {microsoft, "MatMulNBits", 1, 1, 3, convertMatMulNBits},
  };
  return ops;
}
