//===- PackQuantizedWeights.cpp - panels of 8- and 4-bit weights ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
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

/// A weight [N, K] as whole numbers with a scale per group of k.
struct QuantizedWeight {
  /// [N, K], of 8 or 4 bits.
  Value data;
  /// [N, G] f32, and [N, G] of the data's type or null.
  Value scale, zeroPoints;
  /// k per scale; 0: one scale for all of K.
  int64_t block;
  bool isSigned;
  int64_t bits;
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
    SmallVector<LinearOp> linears;
    getOperation()->walk([&](LinearOp op) { linears.push_back(op); });
    for (LinearOp op : linears)
      if (isParameterValue(op.getWeight()))
        pack(op);
  }

private:
  static bool isFloat(Value value) {
    Type type = tensorType(value).getElementType();
    return type.isF32() || type.isBF16() || type.isF16();
  }

  /// The first [rows, columns] of `value`.
  static Value leading(OpBuilder &b, Location loc, Value value, int64_t rows,
                       int64_t columns) {
    if (tensorType(value).getShape() == ArrayRef<int64_t>{rows, columns})
      return value;
    OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
    return SliceOp::create(
        b, loc, value, ArrayRef<OpFoldResult>{zero, zero},
        ArrayRef<OpFoldResult>{b.getIndexAttr(rows), b.getIndexAttr(columns)},
        ArrayRef<OpFoldResult>{one, one});
  }

  static std::optional<QuantizedWeight>
  match(OpBuilder &b, LinearOp op, DequantizeOp source, bool transposed) {
    RankedTensorType type = tensorType(source.getInput());
    auto element = dyn_cast<IntegerType>(type.getElementType());
    if (!element || (element.getWidth() != 8 && element.getWidth() != 4) ||
        type.getRank() != 2 || !type.hasStaticShape())
      return std::nullopt;
    int64_t columns = transposed ? 0 : 1, axis = source.getAxis(),
            block = source.getBlockSize(),
            rank = tensorType(source.getScale()).getRank(),
            n = type.getDimSize(1 - columns), k = type.getDimSize(columns);
    // A scale per row, for all, or per group along k; groups along rows and
    // scales per column are not sums of scaled sums.
    bool perRow = rank == 1 && axis == 1 - columns && block == 0;
    bool grouped =
        rank == 2 && axis == columns && (block % 8 == 0 || block >= k);
    if (rank != 0 && !perRow && !grouped)
      return std::nullopt;
    Location loc = op.getLoc();
    auto turned = [&](Value value) -> Value {
      if (!transposed || tensorType(value).getRank() != 2)
        return value;
      RankedTensorType from = tensorType(value);
      return TransposeOp::create(
          b, loc,
          RankedTensorType::get({from.getDimSize(1), from.getDimSize(0)},
                                from.getElementType()),
          value, ArrayRef<int64_t>{1, 0});
    };
    // [N, G] from any of the three forms.
    auto perGroup = [&](Value value) -> Value {
      RankedTensorType from = tensorType(value);
      if (rank == 2)
        return turned(value);
      if (rank == 0)
        return BroadcastOp::create(
            b, loc, RankedTensorType::get({n, 1}, from.getElementType()), value,
            ValueRange());
      return ReshapeOp::create(
          b, loc, RankedTensorType::get({n, 1}, from.getElementType()), value,
          ValueRange());
    };
    QuantizedWeight result;
    // Padding of the file that the product does not read.
    RankedTensorType read = tensorType(op.getWeight());
    int64_t rowsRead = read.getDimSize(0), columnsRead = read.getDimSize(1);
    auto cut = [&](Value value, int64_t width) {
      return leading(b, loc, value, rowsRead, width);
    };
    int64_t groups = grouped ? (columnsRead + block - 1) / block : 1;
    result.data = cut(turned(source.getInput()), columnsRead);
    result.scale = castTo(b, loc, cut(perGroup(source.getScale()), groups),
                          b.getF32Type());
    if (source.getZeroPoint())
      result.zeroPoints = cut(perGroup(source.getZeroPoint()), groups);
    result.block = grouped && block < columnsRead ? block : 0;
    result.isSigned = !element.isUnsigned();
    result.bits = element.getWidth();
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

  /// [N, K] numbers of 4 bits as [N, K / 2] bytes: k 8·j + s in the low half,
  /// 8·j + 4 + s in the high half of byte 4·j + s.
  static Value joinHalves(OpBuilder &b, Location loc, Value value) {
    RankedTensorType type = tensorType(value);
    int64_t n = type.getDimSize(0), k = type.getDimSize(1);
    auto of = [&](ArrayRef<int64_t> shape) {
      return RankedTensorType::get(shape, b.getI8Type());
    };
    value =
        ReshapeOp::create(b, loc, of({n, k / 8, 2, 4}), value, ValueRange());
    auto half = [&](int64_t which) -> Value {
      auto attributes = [&](ArrayRef<int64_t> list) {
        SmallVector<OpFoldResult> result;
        for (int64_t i : list)
          result.push_back(b.getIndexAttr(i));
        return result;
      };
      return SliceOp::create(b, loc, value, attributes({0, 0, which, 0}),
                             attributes({n, k / 8, 1, 4}),
                             attributes({1, 1, 1, 1}));
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
    return ReshapeOp::create(b, loc, of({n, k / 2}), joined, ValueRange());
  }

  void pack(LinearOp op) {
    bool transposed = false;
    DequantizeOp source = matchDequantizedWeight(op.getWeight(), &transposed);
    if (!source || !tensorType(op.getWeight()).hasStaticShape() ||
        !isFloat(op.getInput()) || !isFloat(op.getResult()))
      return;
    OpBuilder b(op);
    Location loc = op.getLoc();
    std::optional<QuantizedWeight> weight = match(b, op, source, transposed);
    if (!weight)
      return;
    RankedTensorType type = tensorType(weight->data);
    int64_t n = type.getDimSize(0), k = type.getDimSize(1);
    int64_t zero = weight->isSigned ? int64_t(1) << (weight->bits - 1) : 0;
    Value zeroPoints;
    if (weight->zeroPoints) {
      if (std::optional<double> splat = matchSplat(weight->zeroPoints))
        zero += int64_t(*splat);
      else
        zeroPoints = unsignedBytes(b, loc, weight->zeroPoints, weight->isSigned,
                                   weight->bits);
    }
    Value data =
        unsignedBytes(b, loc, weight->data, weight->isSigned, weight->bits);
    // A last step of half a byte does not exist: a byte each, then.
    int64_t bits = weight->bits == 4 && k % 8 == 0 ? 4 : 8;
    if (bits == 4)
      data = joinHalves(b, loc, data);
    auto packed = [&](Value value, int64_t interleaving) -> Value {
      return PackOp::create(
          b, loc, PackOp::packedType(tensorType(value), interleaving), value);
    };
    int64_t group = weight->block ? weight->block : ownGroup;
    Value x = castTo(b, loc, asRows(b, loc, op.getInput()), b.getF32Type());
    Value scale, sum;
    auto resultType =
        RankedTensorType::get({tensorType(x).getDimSize(0), n}, b.getF32Type());
    if (precision == "fast") {
      auto rounded = QuantizeGroupsOp::create(b, loc, x, group);
      x = rounded.getData();
      scale = rounded.getScale();
      sum = rounded.getSum();
    }
    Value bias =
        op.getBias() ? castTo(b, loc, op.getBias(), b.getF32Type()) : Value();
    replaceByRows(b, op,
                  PackedQuantizedLinearOp::create(
                      b, loc, resultType, x, scale, sum, packed(data, 4),
                      packed(weight->scale, 1),
                      zeroPoints ? packed(zeroPoints, 1) : Value(), bias, bits,
                      group, zeroPoints ? 0 : zero));
  }
};

} // namespace
