//===- FuseEpilogues.cpp - what follows a product joins it ----------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/FusionRemark.h"
#include "passes/Match.h"
#include "passes/PackedOperands.h"
#include "passes/Passes.h"
#include "passes/ProductRows.h"
#include "passes/SymbolicElement.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FUSEEPILOGUES
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// The tensor whose rows `value` has: seen through one view that nothing else
/// looks at.
static Value rowsBehind(Value value) {
  if (auto reshape = value.getDefiningOp<ReshapeOp>())
    if (reshape.getInput().hasOneUse())
      return reshape.getInput();
  return value;
}

namespace {

/// gate · sigmoid(gate) · up of the two halves of one product.
struct GatedProduct {
  SwigluOp swiglu;
  SliceOp gate, up;
  /// What the halves are slices of: the product or a view of it.
  Value whole;
  Operation *product;
};

/// What has joined products.
struct Fused {
  unsigned swiglus = 0, sums = 0, casts = 0;
  llvm::SmallDenseSet<Operation *> products;
  int64_t bytes = 0;

  /// One op joins `product`, whose result as it is now is no longer written and
  /// read.
  template <typename Product> void add(unsigned &kind, Product product) {
    ++kind;
    products.insert(product);
    Value result = product.getResult();
    bytes += 2 * bytesOf(result, tensorType(result).getShape().back()) *
             rowsPerToken(product.getTiles());
  }

  void report(func::FuncOp function) const {
    if (products.empty())
      return;
    std::string what;
    llvm::raw_string_ostream os(what);
    llvm::ListSeparator separator;
    for (auto [count, kind] :
         {std::pair(swiglus, "ds.swiglu"),
          std::pair(sums, "ds.elementwise add"), std::pair(casts, "ds.cast")})
      if (count > 0)
        os << separator << count << " " << kind;
    os << " joined " << numberOfProducts(products.size());
    reportFusion(function, what, bytes);
  }
};

struct FuseEpilogues : ds::impl::FuseEpiloguesBase<FuseEpilogues> {
  void runOnOperation() override {
    // Proofs first: rewriting makes new values.
    SymbolicElements symbols;
    SmallVector<GatedProduct> gated;
    SmallVector<Operation *> products;
    getOperation()->walk([&](Operation *op) {
      if (auto swiglu = dyn_cast<SwigluOp>(op))
        if (std::optional<GatedProduct> match = matchGated(symbols, swiglu))
          gated.push_back(*match);
      if (isa<PackedLinearOp, PackedQuantizedLinearOp>(op))
        products.push_back(op);
    });
    Fused fused;
    for (GatedProduct &match : gated)
      fuseGated(match, fused);
    for (Operation *op : products) {
      if (auto product = dyn_cast<PackedLinearOp>(op))
        finish(product, fused);
      else
        finish(cast<PackedQuantizedLinearOp>(op), fused);
    }
    fused.report(getOperation());
  }

private:
  static std::optional<GatedProduct> matchGated(SymbolicElements &symbols,
                                                SwigluOp op) {
    GatedProduct match;
    match.swiglu = op;
    match.gate = op.getGate().getDefiningOp<SliceOp>();
    match.up = op.getUp().getDefiningOp<SliceOp>();
    RankedTensorType type = tensorType(op.getResult());
    int64_t count = type.getShape().back();
    if (!match.gate || !match.up || match.gate == match.up ||
        match.gate.getInput() != match.up.getInput() ||
        !match.gate->hasOneUse() || !match.up->hasOneUse() ||
        ShapedType::isDynamic(count) || count == 0 ||
        !type.getElementType().isF32())
      return std::nullopt;
    match.whole = match.gate.getInput();
    if (!match.whole.hasNUses(2) ||
        tensorType(match.whole).getShape().back() != 2 * count ||
        columnsOf(symbols, match.gate) != Columns{0, count} ||
        columnsOf(symbols, match.up) != Columns{count, count})
      return std::nullopt;
    Value rows = rowsBehind(match.whole);
    match.product = rows.getDefiningOp();
    if (!hasOwnPackedWeights(match.product) || hasEpilogue(match.product) ||
        !tensorType(rows).getElementType().isF32() ||
        tensorType(rows).getShape().back() != 2 * count)
      return std::nullopt;
    return match;
  }

  /// Rows 0 … I − 1 (gates) and I … 2·I − 1 (ups) of `value` in blocks: 16
  /// gates, the 16 ups that belong to them; zeros behind the last ones.
  static Value interleaved(OpBuilder &b, Location loc, Value value) {
    RankedTensorType type = tensorType(value);
    constexpr int64_t block = PackOp::panelRows / 2;
    int64_t dim = outputDim(type), half = type.getDimSize(dim) / 2,
            blocks = (half + block - 1) / block;
    if (half % block != 0) {
      SmallVector<Value> halves;
      for (int64_t first : {int64_t(0), half})
        halves.push_back(padded(b, loc, value, first, half, blocks * block));
      SmallVector<int64_t> shape(type.getShape());
      shape[dim] = 2 * blocks * block;
      value = ConcatOp::create(
          b, loc, RankedTensorType::get(shape, type.getElementType()),
          uint64_t(dim), halves);
    }
    return membersInPanels(b, loc, value, /*groups=*/1, /*inPairs=*/false);
  }

  /// Rows [first, first + count) of `value`, with zeros up to `rows`.
  static Value padded(OpBuilder &b, Location loc, Value value, int64_t first,
                      int64_t count, int64_t rows) {
    RankedTensorType type = tensorType(value);
    int64_t dim = outputDim(type);
    SmallVector<Value> low, high;
    for (int64_t d = 0; d < type.getRank(); ++d) {
      low.push_back(arith::ConstantIndexOp::create(b, loc, 0));
      high.push_back(
          arith::ConstantIndexOp::create(b, loc, d == dim ? rows - count : 0));
    }
    Value part = sliceOfRows(b, loc, value, first, count);
    auto scalar = RankedTensorType::get({}, type.getElementType());
    Value zero = arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(scalar, b.getZeroAttr(type.getElementType())));
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] = rows;
    return PadOp::create(b, loc,
                         RankedTensorType::get(shape, type.getElementType()),
                         part, zero, low, high, PadMode::Constant);
  }

  void fuseGated(GatedProduct &match, Fused &fused) {
    if (auto product = dyn_cast<PackedLinearOp>(match.product))
      fuseGated(match, product, fused);
    else
      fuseGated(match, cast<PackedQuantizedLinearOp>(match.product), fused);
  }

  template <typename Product>
  static void fuseGated(GatedProduct &match, Product product, Fused &fused) {
    fused.add(fused.swiglus, product);
    OpBuilder b(product);
    Location loc = product.getLoc();
    reorderOutputs(product, interleaved);
    product.setSwiglu(true);
    RankedTensorType type = tensorType(product);
    int64_t count = type.getShape().back() / 2;
    product.getResult().setType(RankedTensorType::get(
        {type.getDimSize(0), count}, type.getElementType()));
    Value result = product.getResult();
    auto view = match.whole.getDefiningOp<ReshapeOp>();
    if (view) {
      OpBuilder after(match.swiglu);
      result =
          ReshapeOp::create(after, loc, tensorType(match.swiglu.getResult()),
                            result, view.getDims());
    }
    match.swiglu.getResult().replaceAllUsesWith(result);
    match.swiglu.erase();
    match.gate.erase();
    match.up.erase();
    if (view)
      view.erase();
  }

  template <typename Product> static void finish(Product op, Fused &fused) {
    addResidual(op, fused);
    roundResult(op, fused);
  }

  /// The sum with another tensor of the same shape, in f32.
  template <typename Product>
  static void addResidual(Product op, Fused &fused) {
    if (!op->hasOneUse() || op.getResidual() || op.getCos() || isGrouped(op))
      return;
    Value value = op.getResult();
    auto view = dyn_cast<ReshapeOp>(*value.user_begin());
    if (view) {
      value = view.getResult();
      if (!value.hasOneUse())
        return;
    }
    auto add = dyn_cast<ElementwiseOp>(*value.user_begin());
    if (!add || add.getKind() != ElementwiseKind::Add ||
        !tensorType(add.getResult()).getElementType().isF32())
      return;
    unsigned index = add.getOperands()[0] == value ? 0 : 1;
    Value residual = otherOperand(add, index);
    if (residual == value || residual.getType() != value.getType() ||
        add.getResult().getType() != value.getType())
      return;
    fused.add(fused.sums, op);
    // Where the sum is made, all operands are known.
    op->moveBefore(add);
    OpBuilder b(op);
    Value rows = asRows(b, op.getLoc(), residual);
    if (rows.getType() != op.getType())
      rows = tensor::CastOp::create(b, op.getLoc(), op.getType(), rows);
    op.getResidualMutable().assign(rows);
    if (view)
      view->moveAfter(op);
    add.getResult().replaceAllUsesWith(value);
    add.erase();
  }

  /// A result that is only wanted in bf16.
  template <typename Product>
  static void roundResult(Product op, Fused &fused) {
    if (!op->hasOneUse() || !tensorType(op).getElementType().isF32())
      return;
    auto cast = dyn_cast<CastOp>(*op->user_begin());
    if (!cast || !tensorType(cast.getResult()).getElementType().isBF16())
      return;
    fused.add(fused.casts, op);
    op.getResult().setType(tensorType(cast.getResult()));
    cast.getResult().replaceAllUsesWith(op.getResult());
    cast.erase();
  }
};

} // namespace
