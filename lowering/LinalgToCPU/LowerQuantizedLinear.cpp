//===- LowerQuantizedLinear.cpp - products of whole numbers, in vectors ---===//
//
// See Passes.td. Inside a group of k the sum is one of whole numbers: exact, so
// that instructions may take it in any order; of FP8 it is one of floats, k
// ascending. Groups are added in f32, in ascending order.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/Float8Vectors.h"
#include "lowering/LinalgToCPU/PanelProduct.h"
#include "lowering/LinalgToCPU/RowVectors.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERQUANTIZEDLINEAR
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// Steps of the panel per turn of the loop over a group.
static constexpr int64_t unrolling = 4;

namespace {

/// Emits the code of one product.
class QuantizedEmitter : public PanelProduct {
public:
  /// `dot`: vpdpbusd multiplies bytes, or vdpbf16ps pairs of bf16 that FP8
  /// became; otherwise f32 multiply-adds.
  QuantizedEmitter(OpBuilder &b, PackedQuantizedLinearOp op, Value input,
                   bool dot, int64_t maxRows)
      : PanelProduct(b, op.getLoc(), Epilogue::of(op), maxRows,
                     {op.getTiles(), op.getCount(), op.getRows()}),
        op(op), input(input), weight(panelsOf(op.getWeight())),
        weightScale(panelsOf(op.getWeightScale())),
        zeroPoints(op.getZeroPoints() ? panelsOf(op.getZeroPoints()) : Value()),
        dot(dot), isFloat8(op.hasFloatWeight()), bits(op.getBits()),
        stepColumns(op.stepColumns()),
        columns(cast<RankedTensorType>(input.getType()).getShape().back()),
        words(VectorType::get({lanes}, b.getI32Type())),
        bytes(VectorType::get({4 * lanes}, b.getI8Type())) {
    int64_t scales = groupsOf(weightScale);
    group = op.getGroup();
    // Nothing changes at the end of a group: all of K is one.
    if (!op.getInputScale() && scales == 1 &&
        (!zeroPoints || groupsOf(zeroPoints) == 1))
      group = (columns + 7) / 8 * 8;
    scaleLast = scales == 1 && group < columns;
  }

private:
  static int64_t groupsOf(Value packed) {
    return cast<RankedTensorType>(packed.getType()).getDimSize(1);
  }

  SmallVector<Value> emitTile(ArrayRef<Value> rows, Value panel) override {
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(sum));
    SmallVector<Value> sums(rows.size() * parts, zero);
    int64_t steps = (columns + stepColumns - 1) / stepColumns,
            groupSteps = group / stepColumns, whole = steps / groupSteps;
    // A group that only exists in part goes last, out of the loop; so does one
    // whose last step does.
    if (columns % stepColumns != 0 && steps % groupSteps == 0)
      --whole;
    if (whole > 0) {
      auto loop =
          scf::ForOp::create(b, loc, index(0), index(whole), index(1), sums);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value g = loop.getInductionVar();
      SmallVector<Value> inner(loop.getRegionIterArgs());
      emitGroup(rows, panel, g, mul(g, groupSteps), groupSteps, inner);
      scf::YieldOp::create(b, loc, inner);
      sums = loop.getResults();
    }
    if (whole * groupSteps < steps)
      emitGroup(rows, panel, index(whole), index(whole * groupSteps),
                steps - whole * groupSteps, sums, columns % stepColumns);
    if (scaleLast) {
      SmallVector<Value> scales = readPacked(weightScale, panel, {});
      for (auto [i, value] : llvm::enumerate(sums))
        value = arith::MulFOp::create(b, loc, value, scales[i % parts]);
    }
    return sums;
  }

  /// The 32 values of a packed scale or zero point; `g` null: the only group.
  SmallVector<Value> readPacked(Value packed, Value panel, Value g) {
    auto type = cast<RankedTensorType>(packed.getType());
    Type element = type.getElementType();
    if (!g || type.getDimSize(1) == 1)
      g = index(0);
    Value padding =
        arith::ConstantOp::create(b, loc, element, b.getZeroAttr(element));
    SmallVector<Value> result;
    for (int64_t part = 0; part < parts; ++part)
      result.push_back(vector::TransferReadOp::create(
          b, loc, VectorType::get({lanes}, element), packed,
          ValueRange{panel, g, index(part * lanes)}, padding,
          ArrayRef<bool>{true}));
    return result;
  }

  /// What is subtracted from a stored number, as i32: [parts], or one splat.
  SmallVector<Value> zeros(Value panel, Value g) {
    if (!zeroPoints)
      return SmallVector<Value>(
          parts, arith::ConstantOp::create(
                     b, loc,
                     DenseElementsAttr::get(
                         words, b.getI32IntegerAttr(int32_t(op.getZero())))));
    SmallVector<Value> result = readPacked(zeroPoints, panel, g);
    for (Value &value : result)
      value = arith::ExtUIOp::create(b, loc, words, value);
    return result;
  }

  /// Adds group `g`: `count` steps from `first` on, the last one of
  /// `lastColumns` k if that is not 0.
  void emitGroup(ArrayRef<Value> rows, Value panel, Value g, Value first,
                 int64_t count, SmallVectorImpl<Value> &sums,
                 int64_t lastColumns = 0) {
    SmallVector<Value> zero = zeros(panel, g);
    SmallVector<Value> inner;
    for (Value row : rows)
      for (int64_t part = 0; part < parts; ++part)
        inner.push_back(startValue(row, g, zero[part]));
    int64_t even = lastColumns ? count - 1 : count,
            turns = even / unrolling * unrolling;
    if (turns > 0) {
      auto loop = scf::ForOp::create(b, loc, index(0), index(turns),
                                     index(unrolling), inner);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      SmallVector<Value> carried(loop.getRegionIterArgs());
      Value at = add(first, loop.getInductionVar());
      for (int64_t step = 0; step < unrolling; ++step)
        emitStep(rows, panel, add(at, step), zero, carried, stepColumns);
      scf::YieldOp::create(b, loc, carried);
      inner = loop.getResults();
    }
    for (int64_t step = turns; step < count; ++step)
      emitStep(rows, panel, add(first, step), zero, inner,
               step == even ? lastColumns : stepColumns);
    addScaled(rows, panel, g, inner, sums);
  }

  /// Where the sum of a group starts: −zero · Σ input, so that stored numbers
  /// need no subtraction. f32 inputs start at 0: their sum is not exact.
  Value startValue(Value row, Value g, Value zero) {
    if (!op.getInputSum())
      return arith::ConstantOp::create(b, loc, b.getZeroAttr(sum));
    Value total =
        tensor::ExtractOp::create(b, loc, op.getInputSum(), ValueRange{row, g});
    Value all = vector::BroadcastOp::create(b, loc, words, total);
    Value product = arith::MulIOp::create(b, loc, all, zero);
    Value nothing = arith::ConstantOp::create(b, loc, b.getZeroAttr(words));
    Value start = arith::SubIOp::create(b, loc, nothing, product);
    return dot ? start : arith::SIToFPOp::create(b, loc, sum, start);
  }

  void addScaled(ArrayRef<Value> rows, Value panel, Value g,
                 ArrayRef<Value> inner, SmallVectorImpl<Value> &sums) {
    SmallVector<Value> scales;
    if (!scaleLast)
      scales = readPacked(weightScale, panel, g);
    for (auto [r, row] : llvm::enumerate(rows)) {
      SmallVector<Value> values(inner.slice(r * parts, parts));
      if (isFloat8 && dot)
        values = inOrder(values);
      Value own;
      if (op.getInputScale()) {
        Value x = tensor::ExtractOp::create(b, loc, op.getInputScale(),
                                            ValueRange{row, g});
        own = vector::BroadcastOp::create(b, loc, sum, x);
      }
      for (int64_t part = 0; part < parts; ++part) {
        Value value = values[part], factor = own;
        if (dot && !isFloat8)
          value = arith::SIToFPOp::create(b, loc, sum, value);
        if (!scaleLast)
          factor = own ? arith::MulFOp::create(b, loc, scales[part], own)
                       : scales[part];
        Value &acc = sums[r * parts + part];
        acc = factor ? vector::FMAOp::create(b, loc, value, factor, acc)
                     : arith::AddFOp::create(b, loc, value, acc).getResult();
      }
    }
  }

  /// Adds step `j` of the panel, of which `count` k exist.
  void emitStep(ArrayRef<Value> rows, Value panel, Value j,
                ArrayRef<Value> zero, SmallVectorImpl<Value> &inner,
                int64_t count) {
    Value at = mul(j, stepColumns);
    if (dot && isFloat8)
      return emitPairs(rows, panel, j, at, inner, count);
    SmallVector<Value> loaded;
    for (int64_t part = 0; part < parts; ++part)
      loaded.push_back(isFloat8 ? read(panel, j, part * 2 * lanes, 2 * lanes)
                                : read(panel, j, part * 4 * lanes, 4 * lanes));
    if (dot)
      return emitDots(rows, at, loaded, inner);
    for (int64_t s = 0; s < count; ++s) {
      SmallVector<Value> wide;
      for (int64_t part = 0; part < parts; ++part)
        wide.push_back(widen(loaded[part], s, zero[part]));
      for (auto [r, row] : llvm::enumerate(rows)) {
        Value x = tensor::ExtractOp::create(b, loc, input,
                                            ValueRange{row, add(at, s)});
        if (op.getInputScale())
          x = arith::SIToFPOp::create(b, loc, b.getF32Type(), x);
        Value all = vector::BroadcastOp::create(b, loc, sum, x);
        for (int64_t part = 0; part < parts; ++part) {
          Value &acc = inner[r * parts + part];
          acc = vector::FMAOp::create(b, loc, all, wide[part], acc);
        }
      }
    }
  }

  /// `count` bytes of step `j` of the panel.
  Value read(Value panel, Value j, int64_t first, int64_t count) {
    Type element = cast<RankedTensorType>(weight.getType()).getElementType();
    Value padding =
        arith::ConstantOp::create(b, loc, element, b.getZeroAttr(element));
    Value values = vector::TransferReadOp::create(
        b, loc, VectorType::get({count}, element), weight,
        ValueRange{panel, j, index(first)}, padding, ArrayRef<bool>{true});
    if (!isFloat8)
      return values;
    return vector::BitCastOp::create(
        b, loc, VectorType::get({count}, b.getI8Type()), values);
  }

  Value splat(VectorType type, int64_t value) {
    Type element = type.getElementType();
    return arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(type, b.getIntegerAttr(element, value)));
  }

  /// The numbers of k number `s` of a step in f32; without what `startValue`
  /// takes care of.
  Value widen(Value loaded, int64_t s, Value zero) {
    if (isFloat8) {
      Value pairs = vector::BitCastOp::create(
          b, loc, VectorType::get({lanes}, b.getI16Type()), loaded);
      pairs = arith::ExtUIOp::create(b, loc, words, pairs);
      return Float8Vectors{b, loc}.f32(pairs, s);
    }
    int64_t shift = 8 * (s % 4) + 4 * (s / 4);
    Value bitsOf = vector::BitCastOp::create(b, loc, words, loaded);
    if (shift > 0)
      bitsOf = arith::ShRUIOp::create(b, loc, bitsOf, splat(words, shift));
    if (shift + bits < 32)
      bitsOf =
          arith::AndIOp::create(b, loc, bitsOf, splat(words, (1 << bits) - 1));
    if (!op.getInputSum())
      bitsOf = arith::SubIOp::create(b, loc, bitsOf, zero);
    return arith::SIToFPOp::create(b, loc, sum, bitsOf);
  }

  /// vpdpbusd on fours of k.
  void emitDots(ArrayRef<Value> rows, Value at, ArrayRef<Value> loaded,
                SmallVectorImpl<Value> &inner) {
    for (int64_t half = 0; half < stepColumns / 4; ++half) {
      SmallVector<Value> stored(loaded);
      for (Value &value : stored) {
        if (half == 1) {
          value = vector::BitCastOp::create(b, loc, words, value);
          value = arith::ShRUIOp::create(b, loc, value, splat(words, 4));
          value = vector::BitCastOp::create(b, loc, bytes, value);
        }
        if (bits == 4)
          value = arith::AndIOp::create(b, loc, value, splat(bytes, 15));
      }
      for (auto [r, row] : llvm::enumerate(rows)) {
        Value all = RowVectors{b, loc, lanes}.fourBytes(
            input, {row, add(at, 4 * half)});
        for (int64_t part = 0; part < parts; ++part) {
          Value &acc = inner[r * parts + part];
          acc = DotBytesOp::create(b, loc, words, acc, stored[part], all);
        }
      }
    }
  }

  /// vdpbf16ps on pairs of k, one load for all outputs of the panel.
  void emitPairs(ArrayRef<Value> rows, Value panel, Value j, Value at,
                 SmallVectorImpl<Value> &inner, int64_t count) {
    auto [first, second] =
        Float8Vectors{b, loc}.bf16(read(panel, j, 0, 4 * lanes));
    Value loaded[] = {first, second};
    for (auto [r, row] : llvm::enumerate(rows)) {
      Value all = broadcastPair(input, row, at, count);
      for (int64_t part = 0; part < parts; ++part) {
        Value &acc = inner[r * parts + part];
        acc = x86vector::DotBF16Op::create(b, loc, sum, acc, all, loaded[part]);
      }
    }
  }

  /// The sums of emitPairs() in the order of the outputs: of every 8 the first
  /// vector has 4 and the second the other 4.
  SmallVector<Value> inOrder(ArrayRef<Value> values) {
    SmallVector<Value> result;
    for (int64_t part = 0; part < parts; ++part) {
      SmallVector<int64_t> mask;
      for (int64_t i = part * lanes; i < (part + 1) * lanes; ++i)
        mask.push_back(i % 8 / 4 * lanes + i / 8 * 4 + i % 4);
      result.push_back(
          vector::ShuffleOp::create(b, loc, values[0], values[1], mask));
    }
    return result;
  }

  PackedQuantizedLinearOp op;
  Value input, weight, weightScale, zeroPoints;
  bool dot, isFloat8, scaleLast;
  int64_t bits, stepColumns, columns, group;
  VectorType words, bytes;
};

struct LowerQuantizedLinear
    : ds::impl::LowerQuantizedLinearBase<LowerQuantizedLinear> {
  using LowerQuantizedLinearBase::LowerQuantizedLinearBase;

  void runOnOperation() override {
    getOperation()->walk([&](PackedQuantizedLinearOp op) { lower(op); });
  }

private:
  void lower(PackedQuantizedLinearOp op) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value input = op.getInput();
    auto type = cast<RankedTensorType>(input.getType());
    bool isFloat8 = op.hasFloatWeight(),
         dot = isFloat8 ? bf16Dot && type.getElementType().isBF16()
                        : byteDot && op.getInputScale();
    // Values that the dot instruction would take, where there is none.
    if (type.getElementType().isBF16() && !dot)
      input = CastOp::create(b, loc, type.clone(b.getF32Type()), input);
    Value rows = tensor::DimOp::create(
        b, loc, op.getRows() ? Value(op.getRows()) : input, 0);
    // Registers: 4 rows of 2 sums of whole numbers and 2 of f32; f32 sums of
    // FP8 wait in memory for the end of a group.
    int64_t maxRows = dot && !isFloat8 ? 4 : vectorLanes == 16 ? 8 : 2;
    Value result = QuantizedEmitter(b, op, input, dot, maxRows).emit(rows);
    if (result.getType() != op.getType())
      result = tensor::CastOp::create(b, loc, op.getType(), result);
    op.replaceAllUsesWith(result);
    op.erase();
  }
};

} // namespace
