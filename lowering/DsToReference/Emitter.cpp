//===- Emitter.cpp - loops and elements of tensors ------------------------===//
//
// See Emitter.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

Num Emitter::number(Type type, double value, bool isUnsigned) {
  TypedAttr attr = isa<FloatType>(type)
                       ? TypedAttr(b.getFloatAttr(type, value))
                       : TypedAttr(b.getIntegerAttr(type, int64_t(value)));
  return {this, arith::ConstantOp::create(b, loc, attr), isUnsigned};
}
Num Emitter::index(int64_t value) { return number(b.getIndexType(), value); }
Num Emitter::real(double value) { return number(b.getF64Type(), value); }
Num Emitter::boolean(bool value) {
  return {this, arith::ConstantOp::create(b, loc, b.getBoolAttr(value)), true};
}

Num Emitter::toIndex(Num x) {
  if (x.value.getType().isIndex())
    return x;
  Type index = b.getIndexType();
  return {this,
          x.isUnsigned
              ? Value(arith::IndexCastUIOp::create(b, loc, index, x.value))
              : Value(arith::IndexCastOp::create(b, loc, index, x.value))};
}

Num Emitter::toReal(Num x) {
  Type f64 = b.getF64Type();
  Value value = x.value;
  if (value.getType() == f64)
    return x;
  if (isFloat8(value.getType()))
    return fromFloat8(x);
  if (x.isReal())
    return {this, arith::ExtFOp::create(b, loc, f64, value)};
  if (value.getType().isIndex())
    value = arith::IndexCastOp::create(b, loc, b.getI64Type(), value);
  return {this, x.isUnsigned
                    ? Value(arith::UIToFPOp::create(b, loc, f64, value))
                    : Value(arith::SIToFPOp::create(b, loc, f64, value))};
}

Num Emitter::size(Value tensor, int64_t d) {
  RankedTensorType type = tensorType(tensor);
  if (!type.isDynamicDim(d))
    return index(type.getDimSize(d));
  while (Value origin = known.origin.lookup(tensor))
    tensor = origin;
  if (auto empty = tensor.getDefiningOp<tensor::EmptyOp>())
    return {this, empty.getDynamicSize(d)};
  return {this, tensor::DimOp::create(b, loc, tensor, d)};
}

Nums Emitter::sizes(Value tensor) {
  Nums result;
  for (int64_t d = 0; d < tensorType(tensor).getRank(); ++d)
    result.push_back(size(tensor, d));
  return result;
}

Nums Emitter::sizes(RankedTensorType type, ValueRange dims) {
  Nums result;
  for (int64_t size : type.getShape())
    if (ShapedType::isDynamic(size)) {
      result.push_back({this, dims.front()});
      dims = dims.drop_front();
    } else {
      result.push_back(index(size));
    }
  return result;
}

static SmallVector<Value> values(ArrayRef<Num> numbers) {
  return SmallVector<Value>(numbers.begin(), numbers.end());
}

Num Emitter::read(Value tensor, ArrayRef<Num> at, bool isUnsigned) {
  if (Value memory = known.stored.lookup(tensor))
    tensor = memory;
  Num element{this, tensor::ExtractOp::create(b, loc, tensor, values(at)),
              isUnsigned};
  return element.isReal() ? toReal(element) : element;
}

Value Emitter::write(Num x, Value tensor, ArrayRef<Num> at) {
  return tensor::InsertOp::create(b, loc, x.value, tensor, values(at));
}

Value Emitter::empty(RankedTensorType type, ArrayRef<Num> sizes) {
  SmallVector<Value> dynamic;
  for (auto [d, size] : llvm::enumerate(sizes))
    if (type.isDynamicDim(d))
      dynamic.push_back(size);
  return tensor::EmptyOp::create(b, loc, type, dynamic);
}

Emitter::Carried Emitter::loop(Num from, Num to, ValueRange carried,
                               LoopBody body) {
  auto loop = scf::ForOp::create(b, loc, from, to, index(1), carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Carried next =
      body(Num{this, loop.getInductionVar()}, loop.getRegionIterArgs());
  scf::YieldOp::create(b, loc, next);
  for (auto [result, init] : llvm::zip_equal(loop.getResults(), carried))
    known.origin[result] = init;
  return Carried(loop.getResults());
}

Emitter::Carried Emitter::nest(ArrayRef<Num> sizes, ValueRange carried,
                               NestBody body) {
  if (sizes.empty())
    return body({}, carried);
  return loop(index(0), sizes.front(), carried,
              [&](Num i, ValueRange outer) -> Carried {
                return nest(sizes.drop_front(), outer,
                            [&](Nums at, ValueRange inner) {
                              return body(inserted(at, 0, i), inner);
                            });
              });
}

Value Emitter::generate(RankedTensorType type, ArrayRef<Num> sizes,
                        ElementBody body) {
  return nest(sizes, empty(type, sizes),
              [&](Nums at, ValueRange carried) -> Carried {
                return {write(body(at), carried[0], at)};
              })[0];
}

Num Emitter::fold(ArrayRef<Num> sizes, Num init, FoldBody body) {
  Value result =
      nest(sizes, init.value, [&](Nums at, ValueRange carried) -> Carried {
        return {body(at, {this, carried[0], init.isUnsigned})};
      })[0];
  return {this, result, init.isUnsigned};
}

Num Emitter::sum(Num count, TermBody body) {
  return fold(count, real(0),
              [&](Nums at, Num acc) { return acc + body(at[0]); });
}

Value Emitter::either(Num condition, Type type, llvm::function_ref<Value()> yes,
                      llvm::function_ref<Value()> no) {
  auto branch = scf::IfOp::create(b, loc, TypeRange(type), condition.value,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, loc, yes());
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, loc, no());
  return branch.getResult(0);
}

Num Emitter::readIf(Num condition, Value tensor, ArrayRef<Num> at,
                    Num otherwise) {
  return {this,
          either(
              condition, otherwise.value.getType(),
              [&]() -> Value { return read(tensor, at, otherwise.isUnsigned); },
              [&]() -> Value { return otherwise; }),
          otherwise.isUnsigned};
}

Emitter::Checked Emitter::checked(Num raw, Num size) {
  Num i = toIndex(raw);
  i = select(i < 0, i + size, i);
  Num isInside = (i >= 0) & (i < size);
  auto report = scf::IfOp::create(b, loc, (~isInside).value,
                                  /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(report.thenBlock());
  func::CallOp::create(b, loc, "ds_report_index", TypeRange(), ValueRange());
  return {i, isInside};
}

Nums inserted(ArrayRef<Num> at, int64_t axis, Num i) {
  Nums result(at);
  result.insert(result.begin() + axis, i);
  return result;
}
Nums replaced(ArrayRef<Num> at, int64_t axis, Num i) {
  Nums result(at);
  result[axis] = i;
  return result;
}
Nums joined(ArrayRef<Num> a, ArrayRef<Num> b) {
  Nums result(a);
  llvm::append_range(result, b);
  return result;
}
Nums without(ArrayRef<Num> at, ArrayRef<int64_t> axes) {
  Nums result;
  for (auto [d, i] : llvm::enumerate(at))
    if (!llvm::is_contained(axes, int64_t(d)))
      result.push_back(i);
  return result;
}

} // namespace mlir::ds::reference
