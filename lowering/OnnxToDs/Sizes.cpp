//===- Sizes.cpp - index arithmetic that folds and shares -----------------===//
#include "lowering/OnnxToDs/Sizes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::onnx;

static std::optional<int64_t> known(OpFoldResult a) {
  return getConstantIntValue(a);
}

/// Whether `a` is never negative: made of sizes by operations that keep it so.
/// `depth` bounds the walk: sizes are short sums and products of dimensions.
static bool isNonNegative(OpFoldResult a, unsigned depth = 8) {
  if (std::optional<int64_t> number = known(a))
    return *number >= 0;
  Operation *op = cast<Value>(a).getDefiningOp();
  if (!op || depth == 0)
    return false;
  if (isa<tensor::DimOp>(op))
    return true;
  auto both = [&](unsigned i, unsigned j) {
    return isNonNegative(op->getOperand(i), depth - 1) &&
           isNonNegative(op->getOperand(j), depth - 1);
  };
  if (isa<arith::AddIOp, arith::MulIOp, arith::MinSIOp>(op))
    return both(0, 1);
  if (isa<arith::MaxSIOp>(op))
    return isNonNegative(op->getOperand(0), depth - 1) ||
           isNonNegative(op->getOperand(1), depth - 1);
  if (isa<arith::SelectOp>(op))
    return both(1, 2);
  return false;
}

// Numbers of a file may be anything: what overflows stays the largest number,
// which no tensor may have as its size.
static int64_t sum(int64_t a, int64_t b) {
  int64_t result;
  return llvm::AddOverflow(a, b, result) ? std::numeric_limits<int64_t>::max()
                                         : result;
}
static int64_t product(int64_t a, int64_t b) {
  int64_t result;
  return llvm::MulOverflow(a, b, result) ? std::numeric_limits<int64_t>::max()
                                         : result;
}

Value Sizes::asValue(OpFoldResult size) {
  std::optional<int64_t> number = known(size);
  if (!number)
    return cast<Value>(size);
  Value &value = constants[{*number, builder.getInsertionBlock()}];
  if (!value) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(builder.getInsertionBlock());
    value = arith::ConstantIndexOp::create(builder, builder.getUnknownLoc(),
                                           *number);
  }
  return value;
}

Sizes::Key Sizes::keyOf(unsigned op, OpFoldResult a, OpFoldResult b) {
  return {op, asValue(a).getAsOpaquePointer(), asValue(b).getAsOpaquePointer(),
          builder.getInsertionBlock()};
}

OpFoldResult Sizes::cached(unsigned op, OpFoldResult a, OpFoldResult b,
                           llvm::function_ref<Value(Value, Value)> make) {
  Value &value = cache[keyOf(op, a, b)];
  if (!value)
    value = make(asValue(a), asValue(b));
  return value;
}

OpFoldResult Sizes::add(OpFoldResult a, OpFoldResult b) {
  std::optional<int64_t> x = known(a), y = known(b);
  if (x && y)
    return number(sum(*x, *y));
  if (x == 0)
    return b;
  if (y == 0)
    return a;
  // (c − d) + d is c.
  for (auto [p, q] : {std::make_pair(a, b), std::make_pair(b, a)})
    if (auto value = dyn_cast<Value>(p))
      if (auto sub = value.getDefiningOp<arith::SubIOp>())
        if (isEqualConstantIntOrValue(sub.getRhs(), q))
          return OpFoldResult(sub.getLhs());
  // a + b and b + a are one value.
  if (x || (!y && cache.count(keyOf(0, b, a))))
    std::swap(a, b);
  return cached(0, a, b, [&](Value p, Value q) -> Value {
    return arith::AddIOp::create(builder, builder.getUnknownLoc(), p, q);
  });
}

OpFoldResult Sizes::sub(OpFoldResult a, OpFoldResult b) {
  std::optional<int64_t> x = known(a), y = known(b);
  if (int64_t difference; x && y)
    return number(llvm::SubOverflow(*x, *y, difference)
                      ? std::numeric_limits<int64_t>::max()
                      : difference);
  if (a == b)
    return number(0);
  if (y == 0)
    return a;
  if (auto value = dyn_cast<Value>(a))
    if (auto sum = value.getDefiningOp<arith::AddIOp>()) {
      if (isEqualConstantIntOrValue(sum.getRhs(), b))
        return OpFoldResult(sum.getLhs());
      if (isEqualConstantIntOrValue(sum.getLhs(), b))
        return OpFoldResult(sum.getRhs());
    }
  return cached(1, a, b, [&](Value p, Value q) -> Value {
    return arith::SubIOp::create(builder, builder.getUnknownLoc(), p, q);
  });
}

OpFoldResult Sizes::mul(OpFoldResult a, OpFoldResult b) {
  std::optional<int64_t> x = known(a), y = known(b);
  if (x && y)
    return number(::product(*x, *y));
  if (x == 0 || y == 0)
    return number(0);
  if (x == 1)
    return b;
  if (y == 1)
    return a;
  if (x || (!y && cache.count(keyOf(2, b, a))))
    std::swap(a, b);
  return cached(2, a, b, [&](Value p, Value q) -> Value {
    return arith::MulIOp::create(builder, builder.getUnknownLoc(), p, q);
  });
}

OpFoldResult Sizes::floorDiv(OpFoldResult a, OpFoldResult b) {
  std::optional<int64_t> x = known(a), y = known(b);
  if (x && y && *y != 0)
    return number(*y == -1 ? ::product(*x, -1)
                           : llvm::divideFloorSigned(*x, *y));
  if (y == 1)
    return a;
  // (c · d) / max(d, 1) is c where d is not 0; where it is, a reshape that asks
  // leaves the size open, and c keeps it a number.
  if (!x && !y) {
    auto product = cast<Value>(a).getDefiningOp<arith::MulIOp>();
    auto max = cast<Value>(b).getDefiningOp<arith::MaxSIOp>();
    if (product && max && known(max.getRhs()) == 1 &&
        isNonNegative(max.getLhs()))
      for (unsigned i : {0u, 1u})
        if (product->getOperand(i) == max.getLhs() &&
            known(product->getOperand(1 - i)))
          return number(*known(product->getOperand(1 - i)));
  }
  // (c · d) / d is c.
  if (auto value = dyn_cast<Value>(a))
    if (auto product = value.getDefiningOp<arith::MulIOp>()) {
      if (isEqualConstantIntOrValue(product.getRhs(), b))
        return OpFoldResult(product.getLhs());
      if (isEqualConstantIntOrValue(product.getLhs(), b))
        return OpFoldResult(product.getRhs());
    }
  return cached(3, a, b, [&](Value p, Value q) -> Value {
    return arith::FloorDivSIOp::create(builder, builder.getUnknownLoc(), p, q);
  });
}

OpFoldResult Sizes::min(OpFoldResult a, OpFoldResult b) {
  std::optional<int64_t> x = known(a), y = known(b);
  if (x && y)
    return number(std::min(*x, *y));
  if (a == b || (x && *x <= 0 && isNonNegative(b)))
    return a;
  if (y && *y <= 0 && isNonNegative(a))
    return b;
  return cached(4, a, b, [&](Value p, Value q) -> Value {
    return arith::MinSIOp::create(builder, builder.getUnknownLoc(), p, q);
  });
}

OpFoldResult Sizes::max(OpFoldResult a, OpFoldResult b) {
  std::optional<int64_t> x = known(a), y = known(b);
  if (x && y)
    return number(std::max(*x, *y));
  if (a == b || (y && *y <= 0 && isNonNegative(a)))
    return a;
  if (x && *x <= 0 && isNonNegative(b))
    return b;
  return cached(5, a, b, [&](Value p, Value q) -> Value {
    return arith::MaxSIOp::create(builder, builder.getUnknownLoc(), p, q);
  });
}

OpFoldResult Sizes::selectEqual(OpFoldResult a, OpFoldResult b, OpFoldResult x,
                                OpFoldResult y) {
  if (x == y || a == b)
    return x;
  if (known(a) && known(b))
    return *known(a) == *known(b) ? x : y;
  Location loc = builder.getUnknownLoc();
  Value same = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                     asValue(a), asValue(b));
  return arith::SelectOp::create(builder, loc, same, asValue(x), asValue(y))
      .getResult();
}

OpFoldResult Sizes::selectNegative(OpFoldResult a, OpFoldResult x,
                                   OpFoldResult y) {
  if (x == y)
    return x;
  if (known(a))
    return *known(a) < 0 ? x : y;
  if (isNonNegative(a))
    return y;
  Location loc = builder.getUnknownLoc();
  Value negative = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::slt, asValue(a), asValue(number(0)));
  return arith::SelectOp::create(builder, loc, negative, asValue(x), asValue(y))
      .getResult();
}

OpFoldResult Sizes::product(ArrayRef<OpFoldResult> values) {
  OpFoldResult result = number(1);
  for (OpFoldResult value : values)
    result = mul(result, value);
  return result;
}
