//===- PackQuantizedWeights.cpp - panels of 8- and 4-bit weights ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Builders.h"
#include "passes/Match.h"
#include "passes/PackedOperands.h"
#include "passes/Passes.h"
#include "passes/ProductRows.h"

namespace mlir::ds {
#define GEN_PASS_DEF_PACKQUANTIZEDWEIGHTS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// k that share a scale of the activations where the weight has one for all.
static constexpr int64_t ownGroup = 64;

namespace {

/// A weight [N, K], or [E, N, K] of experts, as small numbers with a scale per
/// group of k.
struct QuantizedWeight {
  /// Whole numbers of 8 or 4 bits, or f8E4M3FN.
  Value data;
  /// […, N, G] f32, and […, N, G] of the data's type or null.
  Value scale, zeroPoints;
  /// k per scale; 0: one scale for all of K.
  int64_t block;
  bool isSigned, isFloat;
  int64_t bits;
};

/// The same as ds.packed_quantized_linear takes it.
struct PackedWeight {
  Value data, scale, zeroPoints;
  int64_t bits, group, zero;
  bool isFloat;
};

/// Rows of activations likewise; scale and sum are null where they are floats.
struct Activations {
  Value data, scale, sum;
};

struct PackQuantizedWeights
    : ds::impl::PackQuantizedWeightsBase<PackQuantizedWeights> {
  using PackQuantizedWeightsBase::PackQuantizedWeightsBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (precision != "fast" && precision != "exact")
      return emitError(UnknownLoc::get(context))
             << "ds-pack-quantized-weights: precision is '" << precision
             << "', expected fast or exact";
    return success();
  }

  void runOnOperation() override {
    forEachProduct(getOperation(), [&](auto op) { pack(op); });
  }

private:
  static bool isFloat(Value value) {
    Type type = tensorType(value).getElementType();
    return type.isF32() || type.isBF16() || type.isF16();
  }

  /// The first elements of `value` along every dimension: so many.
  static Value leading(OpBuilder &b, Location loc, Value value,
                       ArrayRef<int64_t> shape) {
    if (tensorType(value).getShape() == shape)
      return value;
    SmallVector<OpFoldResult> zeros(shape.size(), b.getIndexAttr(0)),
        ones(shape.size(), b.getIndexAttr(1));
    return SliceOp::create(b, loc, value, zeros,
                           getAsIndexOpFoldResult(b.getContext(), shape), ones);
  }

  /// What `weight` is of `source`, if its scales are those of sums over k.
  static std::optional<QuantizedWeight> match(OpBuilder &b, Location loc,
                                              Value weight, DequantizeOp source,
                                              bool transposed) {
    RankedTensorType type = tensorType(source.getInput()),
                     read = tensorType(weight);
    auto whole = dyn_cast<IntegerType>(type.getElementType());
    bool isFloat = isa<Float8E4M3FNType>(type.getElementType());
    if ((!isFloat &&
         (!whole || (whole.getWidth() != 8 && whole.getWidth() != 4))) ||
        type.getRank() != read.getRank() || !type.hasStaticShape())
      return std::nullopt;
    // Somebody wants bf16.
    if (isFloat && (source.getZeroPoint() || read.getElementType().isBF16()))
      return std::nullopt;
    int64_t last = type.getRank() - 1, columns = transposed ? 0 : last,
            axis = source.getAxis(), block = source.getBlockSize(),
            rank = tensorType(source.getScale()).getRank(),
            k = type.getDimSize(columns);
    // A scale per row, for all, or per group along k; groups along rows and
    // scales per column are not sums of scaled sums.
    bool perRow = rank == 1 && last == 1 && axis == 1 - columns && block == 0;
    bool grouped = rank == last + 1 && axis == columns && block > 0 &&
                   (block % 8 == 0 || block >= k);
    if (rank != 0 && !perRow && !grouped)
      return std::nullopt;
    auto turned = [&](Value value) -> Value {
      if (!transposed || tensorType(value).getRank() != 2)
        return value;
      return TransposeOp::create(b, loc, value, ArrayRef<int64_t>{1, 0});
    };
    SmallVector<int64_t> single(type.getShape());
    if (transposed)
      std::swap(single[0], single[1]);
    single[last] = 1;
    // […, N, G] from any of the three forms.
    auto perGroup = [&](Value value) -> Value {
      RankedTensorType from = tensorType(value);
      if (grouped)
        return turned(value);
      if (rank == 0)
        return BroadcastOp::create(b, loc, from.clone(single), value,
                                   ValueRange());
      return ReshapeOp::create(b, loc, from.clone(single), value, ValueRange());
    };
    QuantizedWeight result;
    // Padding of the file that the product does not read.
    auto cut = [&](Value value, int64_t width) {
      SmallVector<int64_t> shape(read.getShape());
      shape.back() = width;
      return leading(b, loc, value, shape);
    };
    int64_t columnsRead = read.getShape().back(),
            groups = grouped ? (columnsRead + block - 1) / block : 1;
    result.data = cut(turned(source.getInput()), columnsRead);
    result.scale = castTo(b, loc, cut(perGroup(source.getScale()), groups),
                          b.getF32Type());
    if (source.getZeroPoint())
      result.zeroPoints = cut(perGroup(source.getZeroPoint()), groups);
    result.block = grouped && block < columnsRead ? block : 0;
    result.isSigned = whole && !whole.isUnsigned();
    result.isFloat = isFloat;
    result.bits = type.getElementTypeBitWidth();
    return result;
  }

  /// Bytes with the unsigned numbers of `value`: signed ones moved up by half
  /// of their range.
  static Value unsignedBytes(OpBuilder &b, Location loc, Value value,
                             bool isSigned, int64_t bits) {
    Value bytes = castTo(b, loc, value, b.getI8Type());
    if (!isSigned)
      return bytes;
    auto scalar = RankedTensorType::get({}, b.getI8Type());
    Value half = arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(scalar, APInt(8, uint64_t(1) << (bits - 1))));
    half = BroadcastOp::create(b, loc, tensorType(bytes), half, ValueRange());
    return ElementwiseOp::create(b, loc, bytes.getType(), ElementwiseKind::Add,
                                 ValueRange{bytes, half});
  }

  /// […, K] numbers of 4 bits as […, K / 2] bytes: k 8·j + s in the low half,
  /// 8·j + 4 + s in the high half of byte 4·j + s.
  static Value joinHalves(OpBuilder &b, Location loc, Value value) {
    RankedTensorType type = tensorType(value);
    SmallVector<int64_t> joinedShape(type.getShape());
    int64_t k = joinedShape.back(), n = type.getNumElements() / k;
    joinedShape.back() = k / 2;
    value = ReshapeOp::create(b, loc, type.clone({n, k / 8, 2, 4}), value,
                              ValueRange());
    auto half = [&](int64_t which) {
      return sliceAlong(b, loc, value, 2, which, 1);
    };
    auto scalar = RankedTensorType::get({}, b.getI8Type());
    Value sixteen = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(scalar, APInt(8, 16)));
    Value low = half(0), high = half(1);
    sixteen =
        BroadcastOp::create(b, loc, tensorType(high), sixteen, ValueRange());
    high = ElementwiseOp::create(b, loc, high.getType(), ElementwiseKind::Mul,
                                 ValueRange{high, sixteen});
    Value joined = ElementwiseOp::create(
        b, loc, low.getType(), ElementwiseKind::Add, ValueRange{low, high});
    return ReshapeOp::create(b, loc, type.clone(joinedShape), joined,
                             ValueRange());
  }

  static Value packed(OpBuilder &b, Location loc, Value value,
                      int64_t interleaving) {
    return PackOp::create(
        b, loc, PackOp::packedType(tensorType(value), interleaving), value);
  }

  static std::optional<PackedWeight> packWeight(OpBuilder &b, Location loc,
                                                Value value) {
    bool transposed = false;
    DequantizeOp source = matchDequantizedWeight(value, &transposed);
    if (!source || !isParameterValue(value) ||
        !tensorType(value).hasStaticShape())
      return std::nullopt;
    std::optional<QuantizedWeight> weight =
        match(b, loc, value, source, transposed);
    if (!weight)
      return std::nullopt;
    PackedWeight result;
    result.isFloat = weight->isFloat;
    result.group = weight->block ? weight->block : ownGroup;
    result.bits = 8;
    result.zero = 0;
    if (weight->isFloat) {
      result.data = packed(b, loc, weight->data, 2);
      result.scale = packed(b, loc, weight->scale, 1);
      return result;
    }
    if (weight->isSigned)
      result.zero = int64_t(1) << (weight->bits - 1);
    Value zeroPoints;
    if (weight->zeroPoints) {
      if (std::optional<double> splat = matchSplat(weight->zeroPoints)) {
        result.zero += int64_t(*splat);
      } else {
        zeroPoints = unsignedBytes(b, loc, weight->zeroPoints, weight->isSigned,
                                   weight->bits);
        result.zero = 0;
      }
    }
    Value data =
        unsignedBytes(b, loc, weight->data, weight->isSigned, weight->bits);
    // A last step of half a byte does not exist: a byte each, then.
    if (weight->bits == 4 && tensorType(data).getShape().back() % 8 == 0) {
      result.bits = 4;
      data = joinHalves(b, loc, data);
    }
    result.data = packed(b, loc, data, 4);
    result.scale = packed(b, loc, weight->scale, 1);
    if (zeroPoints)
      result.zeroPoints = packed(b, loc, zeroPoints, 1);
    return result;
  }

  /// `rows` [M, K] as the product with `weight` takes them.
  Activations round(OpBuilder &b, Location loc, Value rows,
                    const PackedWeight &weight) {
    if (precision == "fast" && weight.isFloat)
      return {castTo(b, loc, rows, b.getBF16Type()), Value(), Value()};
    rows = castTo(b, loc, rows, b.getF32Type());
    if (precision != "fast")
      return {rows, Value(), Value()};
    auto rounded = QuantizeGroupsOp::create(b, loc, rows, weight.group);
    return {rounded.getData(), rounded.getScale(), rounded.getSum()};
  }

  void pack(LinearOp op) {
    if (!isFloat(op.getInput()) || !isFloat(op.getResult()))
      return;
    OpBuilder b(op);
    Location loc = op.getLoc();
    std::optional<PackedWeight> weight = packWeight(b, loc, op.getWeight());
    if (!weight)
      return;
    Activations x = round(b, loc, asRows(b, loc, op.getInput()), *weight);
    auto type = RankedTensorType::get(
        {tensorType(x.data).getDimSize(0), tensorType(op).getShape().back()},
        b.getF32Type());
    Value bias =
        op.getBias() ? castTo(b, loc, op.getBias(), b.getF32Type()) : Value();
    replaceByRows(b, op,
                  PackedQuantizedLinearOp::create(
                      b, loc, type, x.data, x.scale, x.sum, /*rows=*/Value(),
                      weight->data, weight->scale, weight->zeroPoints,
                      /*tiles=*/Value(), /*count=*/Value(), bias, weight->bits,
                      weight->group, weight->zero));
  }

  void pack(GroupedLinearOp op) {
    if (!isFloat(op.getInput()) || !isFloat(op.getResult()) ||
        tensorType(op.getInput()).isDynamicDim(1) ||
        tensorType(op.getResult()).isDynamicDim(1))
      return;
    OpBuilder b(op);
    Location loc = op.getLoc();
    std::optional<PackedWeight> weight = packWeight(b, loc, op.getWeight());
    if (!weight)
      return;
    Activations x = round(b, loc, op.getInput(), *weight);
    Value product = PackedQuantizedLinearOp::create(
        b, loc, tensorType(op).clone(b.getF32Type()), x.data, x.scale, x.sum,
        op.getRows(), weight->data, weight->scale, weight->zeroPoints,
        op.getTiles(), op.getCount(), /*bias=*/Value(), weight->bits,
        weight->group, weight->zero);
    op.replaceAllUsesWith(
        castTo(b, loc, product, tensorType(op).getElementType()));
    op.erase();
  }
};

} // namespace
