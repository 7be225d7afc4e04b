//===- LowerLinear.cpp - products with packed weights, in vectors ---------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/PanelProduct.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERLINEAR
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// Steps of k per turn of the loop.
static constexpr int64_t unrolling = 4;

namespace {

/// Emits the code of one product.
class LinearEmitter : public PanelProduct {
public:
  LinearEmitter(OpBuilder &b, PackedLinearOp op, Value input, int64_t maxRows)
      : PanelProduct(b, op.getLoc(), Epilogue::of(op), maxRows,
                     {op.getTiles(), op.getCount(), op.getRows()}),
        input(input), weight(panelsOf(op.getWeight())),
        k(cast<RankedTensorType>(input.getType()).getShape().back()),
        interleaving(PackOp::interleaving(
            cast<RankedTensorType>(op.getWeight().getType()))) {}

private:
  SmallVector<Value> emitTile(ArrayRef<Value> rows, Value panel) override {
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(sum));
    SmallVector<Value> sums(rows.size() * parts, zero);
    int64_t whole = k / interleaving, turns = whole / unrolling * unrolling;
    if (turns > 0) {
      auto loop = scf::ForOp::create(b, loc, index(0), index(turns),
                                     index(unrolling), sums);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      SmallVector<Value> inner(loop.getRegionIterArgs());
      for (int64_t step = 0; step < unrolling; ++step)
        emitStep(rows, panel, add(loop.getInductionVar(), step), inner);
      scf::YieldOp::create(b, loc, inner);
      sums = loop.getResults();
    }
    for (int64_t step = turns; step < whole; ++step)
      emitStep(rows, panel, index(step), sums);
    if (k % interleaving != 0)
      emitStep(rows, panel, index(whole), sums, k % interleaving);
    return sums;
  }

  /// Adds step `j` of the panel (p successive k) to the sums. `count` < p: only
  /// so many k exist.
  void emitStep(ArrayRef<Value> rows, Value panel, Value j,
                SmallVectorImpl<Value> &sums, int64_t count = 0) {
    if (count == 0)
      count = interleaving;
    Type weightElement =
        cast<RankedTensorType>(weight.getType()).getElementType();
    Type inputElement =
        cast<RankedTensorType>(input.getType()).getElementType();
    SmallVector<Value> loaded;
    auto type = VectorType::get({lanes * interleaving}, weightElement);
    Value padding = arith::ConstantOp::create(b, loc, weightElement,
                                              b.getZeroAttr(weightElement));
    for (int64_t part = 0; part < parts; ++part)
      loaded.push_back(vector::TransferReadOp::create(
          b, loc, type, weight,
          ValueRange{panel, j, index(part * lanes * interleaving)}, padding,
          ArrayRef<bool>{true}));
    Value at = mul(j, interleaving);
    if (inputElement.isBF16())
      return emitPairs(rows, at, loaded, sums, count);

    // One multiply-add per k, weights widened.
    for (int64_t s = 0; s < count; ++s) {
      SmallVector<Value> wide;
      for (Value values : loaded)
        wide.push_back(widen(values, s));
      for (auto [r, row] : llvm::enumerate(rows)) {
        Value x = tensor::ExtractOp::create(b, loc, input,
                                            ValueRange{row, add(at, s)});
        Value all = vector::BroadcastOp::create(b, loc, sum, x);
        for (int64_t part = 0; part < parts; ++part) {
          Value &acc = sums[r * parts + part];
          acc = vector::FMAOp::create(b, loc, all, wide[part], acc);
        }
      }
    }
  }

  /// f32 values of k number `s` of the loaded steps.
  Value widen(Value values, int64_t s) {
    Type element = cast<VectorType>(values.getType()).getElementType();
    if (element.isF32())
      return values;
    if (element.isF16())
      return arith::ExtFOp::create(b, loc, sum, values);
    // Pairs of bf16, the lower k in the lower half: a bf16 is the upper half
    // of an f32.
    auto words = VectorType::get({lanes}, b.getI32Type());
    Value bits = vector::BitCastOp::create(b, loc, words, values);
    if (s == 0) {
      Value shift = arith::ConstantOp::create(
          b, loc, DenseElementsAttr::get(words, b.getI32IntegerAttr(16)));
      bits = arith::ShLIOp::create(b, loc, bits, shift);
    } else {
      Value mask = arith::ConstantOp::create(
          b, loc,
          DenseElementsAttr::get(words, b.getI32IntegerAttr(int32_t(~0xffff))));
      bits = arith::AndIOp::create(b, loc, bits, mask);
    }
    return vector::BitCastOp::create(b, loc, sum, bits);
  }

  /// vdpbf16ps on pairs of k.
  void emitPairs(ArrayRef<Value> rows, Value at, ArrayRef<Value> loaded,
                 SmallVectorImpl<Value> &sums, int64_t count) {
    for (auto [r, row] : llvm::enumerate(rows)) {
      Value all = broadcastPair(input, row, at, count);
      for (int64_t part = 0; part < parts; ++part) {
        Value &acc = sums[r * parts + part];
        acc = x86vector::DotBF16Op::create(b, loc, sum, acc, all, loaded[part]);
      }
    }
  }

  Value input, weight;
  int64_t k, interleaving;
};

struct LowerLinear : ds::impl::LowerLinearBase<LowerLinear> {
  using LowerLinearBase::LowerLinearBase;

  void runOnOperation() override {
    getOperation()->walk([&](PackedLinearOp op) { lower(op); });
  }

private:
  void lower(PackedLinearOp op) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value input = op.getInput();
    auto type = cast<RankedTensorType>(input.getType());
    // Values that the dot instruction would take, where there is none.
    if (type.getElementType().isBF16() && !bf16Dot) {
      type = RankedTensorType::get(type.getShape(), b.getF32Type());
      input = CastOp::create(b, loc, type, input);
    }
    // A static number of rows is a size like any other.
    if (!type.isDynamicDim(0))
      input = tensor::CastOp::create(
          b, loc,
          RankedTensorType::get({ShapedType::kDynamic, type.getDimSize(1)},
                                type.getElementType()),
          input);
    // Registers: 8 rows of 2 sums, 2 weights and an input of 32; 2 rows of
    // 4 sums, 4 weights and an input of 16.
    int64_t rows = vectorLanes == 16 ? 8 : 2;
    Value result =
        LinearEmitter(b, op, input, rows)
            .emit(tensor::DimOp::create(
                b, loc, op.getRows() ? Value(op.getRows()) : input, 0));
    if (result.getType() != op.getType())
      result = tensor::CastOp::create(b, loc, op.getType(), result);
    op.replaceAllUsesWith(result);
    op.erase();
  }
};

} // namespace
