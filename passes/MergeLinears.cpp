//===- MergeLinears.cpp - products of one input become one ----------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/FusionRemark.h"
#include "passes/JoinRows.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::ds {
#define GEN_PASS_DEF_MERGELINEARS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// A copy of the parameter expression `value` at the builder's place, so that
/// it does not matter where the ops stand that it is joined with.
static Value copyExpression(OpBuilder &builder, Value value,
                            IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  for (Value operand : op->getOperands())
    copyExpression(builder, operand, mapping);
  builder.clone(*op, mapping);
  return mapping.lookup(value);
}

namespace {

struct MergeLinears : ds::impl::MergeLinearsBase<MergeLinears> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    size_t before = 0, after = 0;
    int64_t bytes = 0;
    DenseMap<Attribute, unsigned> loads;
    llvm::MapVector<std::pair<Value, Block *>, SmallVector<LinearOp>> byInput;
    function.walk([&](Operation *op) {
      if (auto load = dyn_cast<LoadParameterOp>(op))
        ++loads[load.getParameterAttr().getAttr()];
      if (auto linear = dyn_cast<LinearOp>(op))
        byInput[{linear.getInput(), linear->getBlock()}].push_back(linear);
    });
    for (auto &[input, linears] : byInput)
      while (linears.size() > 1) {
        LinearOp first = linears.front();
        SmallVector<LinearOp> group, others;
        bool isMovable = isOwn(first, loads);
        for (LinearOp linear : linears) {
          bool joins = linear == first || (isMovable && isOwn(linear, loads) &&
                                           areAlike(first, linear));
          (joins ? group : others).push_back(linear);
        }
        if (group.size() > 1) {
          before += group.size();
          ++after;
          int64_t k = tensorType(first.getWeight()).getDimSize(1);
          bytes += bytesOf(first.getInput(), int64_t(group.size() - 1) * k);
          merge(group);
        }
        linears = others;
      }
    if (after > 0)
      reportFusion(function,
                   Twine(before) + " ds.linear of shared inputs became " +
                       Twine(after),
                   bytes);
  }

private:
  static bool readsParameter(Value value) {
    Operation *op = value.getDefiningOp();
    return isa<LoadParameterOp>(op) ||
           llvm::any_of(op->getOperands(), readsParameter);
  }

  /// Whether nothing but the user of `value` reads the parameters below it.
  static bool isOwn(Value value, const DenseMap<Attribute, unsigned> &loads) {
    Operation *op = value.getDefiningOp();
    if (!value.hasOneUse() && readsParameter(value))
      return false;
    if (auto load = dyn_cast<LoadParameterOp>(op))
      return loads.lookup(load.getParameterAttr().getAttr()) == 1;
    return llvm::all_of(op->getOperands(),
                        [&](Value operand) { return isOwn(operand, loads); });
  }

  static bool isOwn(LinearOp linear,
                    const DenseMap<Attribute, unsigned> &loads) {
    return llvm::all_of(linear->getOperands().drop_front(), [&](Value operand) {
      return isParameterValue(operand) &&
             tensorType(operand).hasStaticShape() && isOwn(operand, loads);
    });
  }

  /// Whether two expressions are made in one way: they may differ in sizes and
  /// parameters.
  static bool areAlike(Value a, Value b) {
    if (a == b)
      return true;
    Operation *p = a.getDefiningOp(), *q = b.getDefiningOp();
    if (getElementTypeOrSelf(a) != getElementTypeOrSelf(b) ||
        p->getName() != q->getName() ||
        p->getNumOperands() != q->getNumOperands())
      return false;
    return llvm::all_of(llvm::zip_equal(p->getOperands(), q->getOperands()),
                        [](auto pair) {
                          return areAlike(std::get<0>(pair), std::get<1>(pair));
                        });
  }

  static bool areAlike(LinearOp a, LinearOp b) {
    if (isRouter(a) != isRouter(b))
      return false;
    RankedTensorType p = tensorType(a.getWeight()),
                     q = tensorType(b.getWeight());
    return getElementTypeOrSelf(a.getType()) ==
               getElementTypeOrSelf(b.getType()) &&
           p.getRank() == 2 && q.getRank() == 2 &&
           p.getDimSize(1) == q.getDimSize(1) && !a.getBias() == !b.getBias() &&
           areAlike(a.getWeight(), b.getWeight()) &&
           (!a.getBias() || areAlike(a.getBias(), b.getBias()));
  }

  static void merge(ArrayRef<LinearOp> group) {
    LinearOp first = group.front();
    OpBuilder builder(first);
    Location loc = first.getLoc();
    IRMapping mapping;
    SmallVector<Value> weights, biases;
    int64_t columns = 0;
    for (LinearOp linear : group) {
      weights.push_back(copyExpression(builder, linear.getWeight(), mapping));
      if (linear.getBias())
        biases.push_back(copyExpression(builder, linear.getBias(), mapping));
      columns += tensorType(linear.getWeight()).getDimSize(0);
    }
    Value input = first.getInput();
    SmallVector<int64_t> shape(tensorType(first).getShape());
    shape.back() = columns;
    Value merged = LinearOp::create(
        builder, loc,
        RankedTensorType::get(shape, tensorType(first).getElementType()), input,
        joinRows(builder, weights, 0),
        biases.empty() ? Value() : joinRows(builder, biases, 0));
    SmallVector<OpFoldResult> offsets, sizes, strides;
    for (auto [d, size] : llvm::enumerate(shape)) {
      offsets.push_back(builder.getIndexAttr(0));
      strides.push_back(builder.getIndexAttr(1));
      if (ShapedType::isDynamic(size))
        sizes.push_back(
            tensor::DimOp::create(builder, loc, input, d).getResult());
      else
        sizes.push_back(builder.getIndexAttr(size));
    }
    int64_t column = 0;
    for (LinearOp linear : group) {
      int64_t count = tensorType(linear.getWeight()).getDimSize(0);
      offsets.back() = builder.getIndexAttr(column);
      sizes.back() = builder.getIndexAttr(count);
      column += count;
      Value part = SliceOp::create(builder, linear.getLoc(), merged, offsets,
                                   sizes, strides);
      linear.replaceAllUsesWith(part);
    }
    for (LinearOp linear : group)
      linear.erase();
  }
};

} // namespace
