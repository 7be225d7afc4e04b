//===- AbsorbMlaWeights.cpp - latents as keys and values ------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/Builders.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/StepFunction.h"
#include <cmath>

namespace mlir::ds {
#define GEN_PASS_DEF_ABSORBMLAWEIGHTS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

static constexpr int64_t always = std::numeric_limits<int64_t>::max();

/// Up to so many drafts and the token before them are verified in the form that
/// decodes, whatever takes fewer products: bits must not depend on drafts.
static constexpr int64_t verifiedTokens = 17;

/// Tokens of a sequence of `length` keys (0: of very many) from which on the
/// expanded form takes fewer products.
static int64_t breakEven(MlaOp op, int64_t length) {
  RankedTensorType keys = tensorType(op.getKeyWeight());
  int64_t rank = keys.getDimSize(2),
          made = keys.getDimSize(1) +
                 tensorType(op.getValueWeight()).getDimSize(1);
  if (2 * rank <= made)
    return always;
  double tokens = double(rank) * made / (2 * rank - made);
  if (length > 0)
    tokens = 1 / (1 / tokens + 1 / double(length));
  return int64_t(std::ceil(tokens));
}

static Value absorbed(OpBuilder &b, MlaOp op) {
  Location loc = op.getLoc();
  Type element = tensorType(op.getQuery()).getElementType(),
       wide = element.isF64() ? element : Type(b.getF32Type());
  int64_t plain = tensorType(op.getKeyWeight()).getDimSize(1),
          rotated = tensorType(op.getRope()).getDimSize(3);
  Value key =
      timesOfHeads(b, loc, sliceAlong(b, loc, op.getQuery(), 2, 0, plain),
                   op.getKeyWeight(), wide);
  Value rope = sliceAlong(b, loc, op.getQuery(), 2, plain, rotated);
  if (element != wide)
    rope = CastOp::create(
        b, loc, RankedTensorType::get(tensorType(rope).getShape(), wide), rope);
  SmallVector<int64_t> shape(tensorType(key).getShape());
  int64_t rank = shape.back();
  shape.back() += rotated;
  Value query = ConcatOp::create(b, loc, RankedTensorType::get(shape, wide),
                                 uint64_t(2), ValueRange{key, rope});
  shape.back() = rank;
  Value mixed = MlaAbsorbedOp::create(
      b, loc, RankedTensorType::get(shape, wide), query, op.getLatent(),
      op.getRope(), op.getRowStart(), op.getPastLength(), op.getCacheSlot(),
      op.getScaleAttr());
  Value values = TransposeOp::create(b, loc, op.getValueWeight(),
                                     ArrayRef<int64_t>{0, 2, 1});
  return timesOfHeads(b, loc, mixed, values, element);
}

namespace {

/// The rows of a step's sequences [first, first + count): their numbers, the
/// arguments of an op on them.
struct SomeSequences {
  Value firstRow, rows;
  Value rowStart, pastLength, cacheSlot;
};

/// Divides a step at the sequence `%absorbed`.
class Division {
public:
  Division(OpBuilder &b, MlaOp op, Value absorbed) : b(op.getLoc(), b) {
    Value sequences = sizeOf(op.getPastLength()),
          tokens = sizeOf(op.getQuery());
    Value count = asIndex(absorbed), none = index(0);
    Value row =
        asIndex(tensor::ExtractOp::create(this->b, op.getRowStart(), count)
                    .getResult());
    // The minima say to who plans memory that parts are no larger than all.
    before =
        part(op, none, smaller(count, sequences), none, smaller(row, tokens));
    behind = part(op, count, smaller(sub(sequences, count), sequences), row,
                  smaller(sub(tokens, row), tokens));
  }

  SomeSequences before, behind;

private:
  SomeSequences part(MlaOp op, Value first, Value count, Value firstRow,
                     Value rows) {
    Location loc = b.getLoc();
    auto some = [&](Value all, Value number) {
      return sliceAlong(b, loc, all, 0, OpFoldResult(first),
                        OpFoldResult(number));
    };
    Value ends =
        some(op.getRowStart(), arith::AddIOp::create(b, count, index(1)));
    Value start = some(op.getRowStart(), index(1));
    start = tensor::CastOp::create(
        b, RankedTensorType::get({1}, b.getI32Type()), start);
    ends = ElementwiseOp::create(b, loc, ends.getType(), ElementwiseKind::Sub,
                                 ValueRange{ends, start});
    return {firstRow, rows, ends, some(op.getPastLength(), count),
            some(op.getCacheSlot(), count)};
  }

  Value index(int64_t number) {
    return arith::ConstantIndexOp::create(b, number);
  }
  Value asIndex(Value number) {
    return arith::IndexCastOp::create(b, b.getIndexType(), number);
  }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value smaller(Value x, Value y) { return arith::MinSIOp::create(b, x, y); }
  Value sizeOf(Value tensor) { return tensor::DimOp::create(b, tensor, 0); }

  ImplicitLocOpBuilder b;
};

struct AbsorbMlaWeights : ds::impl::AbsorbMlaWeightsBase<AbsorbMlaWeights> {
  using AbsorbMlaWeightsBase::AbsorbMlaWeightsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<MlaOp> ops;
    module.walk([&](MlaOp op) {
      RankedTensorType rope = tensorType(op.getRope());
      if (isParameterValue(op.getKeyWeight()) &&
          isParameterValue(op.getValueWeight()) &&
          tensorType(op.getKeyWeight()).hasStaticShape() &&
          !rope.isDynamicDim(3))
        ops.push_back(op);
    });
    FailureOr<int64_t> below = chosen(ops);
    if (failed(below))
      return signalPassFailure();
    for (MlaOp op : ops) {
      auto function = op->getParentOfType<func::FuncOp>();
      report(op, *below);
      if (*below > 0)
        replace(op, *below == always || !isStepFunction(function)
                        ? Value()
                        : argumentOf(function));
    }
    if (ops.empty())
      return;
    if (auto facts = module->getAttrOfType<DictionaryAttr>("ds.model")) {
      NamedAttrList list(facts);
      list.set("mla_absorb_below", Builder(module).getI64IntegerAttr(*below));
      module->setAttr("ds.model", list.getDictionary(&getContext()));
    }
  }

private:
  FailureOr<int64_t> chosen(ArrayRef<MlaOp> ops) {
    if (absorbBelow == "inf")
      return always;
    int64_t below = verifiedTokens;
    if (absorbBelow == "auto") {
      for (MlaOp op : ops)
        below = std::max(below, breakEven(op, cacheLength));
      return below;
    }
    if (StringRef(absorbBelow).getAsInteger(10, below) || below < 0)
      return getOperation().emitError()
             << "absorb-below '" << absorbBelow
             << "' is neither auto, inf nor a number of tokens";
    return below;
  }

  /// Says which form how many tokens take, and where each takes fewer products.
  void report(MlaOp op, int64_t below) {
    auto remark = op->emitRemark() << "'" << op->getName() << "' ";
    if (below == 0)
      remark << "makes keys and values of every head";
    else
      remark << "absorbs W_UK and W_UV";
    if (below != 0 && below != always)
      remark << " for sequences of fewer than " << below << " new tokens";
    int64_t even = breakEven(op, cacheLength);
    remark << "; keys and values of every head take fewer products ";
    if (even == always)
      remark << "for no number of tokens";
    else
      remark << "from " << even << " tokens of a sequence on";
    if (cacheLength > 0)
      remark << " at " << int64_t(cacheLength) << " keys";
  }

  /// Null, or the number of sequences that `function` absorbs.
  static Value argumentOf(func::FuncOp function) {
    for (BlockArgument argument : function.getArguments())
      if (auto name = function.getArgAttrOfType<StringAttr>(
              argument.getArgNumber(), "ds.name"))
        if (name.getValue() == absorbedSequencesName)
          return argument;
    unsigned last = function.getNumArguments();
    Builder b(function);
    (void)function.insertArgument(
        last, b.getI32Type(),
        b.getDictionaryAttr(
            b.getNamedAttr("ds.name", b.getStringAttr(absorbedSequencesName))),
        function.getLoc());
    return function.getArgument(last);
  }

  /// Absorbs `op`, or what it does for the first `sequences`.
  static void replace(MlaOp op, Value sequences) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value result;
    if (sequences) {
      Division parts(b, op, sequences);
      MlaOp few = onPart(b, op, parts.before),
            many = onPart(b, op, parts.behind);
      Value first = absorbed(b, few);
      result = ConcatOp::create(b, loc, op.getType(), uint64_t(0),
                                ValueRange{first, many});
      few.erase();
    } else {
      result = absorbed(b, op);
      if (result.getType() != op.getType())
        result = tensor::CastOp::create(b, loc, op.getType(), result);
    }
    op.replaceAllUsesWith(result);
    op.erase();
  }

  static MlaOp onPart(OpBuilder &b, MlaOp op, const SomeSequences &part) {
    SmallVector<int64_t> shape(tensorType(op.getResult()).getShape());
    shape[0] = ShapedType::kDynamic;
    return MlaOp::create(
        b, op.getLoc(),
        RankedTensorType::get(shape,
                              tensorType(op.getResult()).getElementType()),
        sliceAlong(b, op.getLoc(), op.getQuery(), 0,
                   OpFoldResult(part.firstRow), OpFoldResult(part.rows)),
        op.getLatent(), op.getRope(), op.getKeyWeight(), op.getValueWeight(),
        part.rowStart, part.pastLength, part.cacheSlot, op.getScaleAttr());
  }
};
} // namespace
