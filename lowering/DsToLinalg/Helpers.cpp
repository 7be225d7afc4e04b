//===- Helpers.cpp - vocabulary of the ds → linalg patterns ---------------===//
#include "lowering/DsToLinalg/Helpers.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"

using namespace mlir;
using namespace mlir::ds;

Value mlir::ds::index(OpBuilder &b, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value mlir::ds::asIndex(OpBuilder &b, Location loc, OpFoldResult value) {
  return getValueOrCreateConstantIndexOp(b, loc, value);
}

Value mlir::ds::number(OpBuilder &b, Location loc, Type type, double value) {
  TypedAttr attr = isa<FloatType>(type)
                       ? TypedAttr(b.getFloatAttr(type, value))
                       : TypedAttr(b.getIntegerAttr(type, int64_t(value)));
  return arith::ConstantOp::create(b, loc, attr);
}

Value mlir::ds::empty(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
                      Type element) {
  return tensor::EmptyOp::create(b, loc, sizes, element);
}

Value mlir::ds::memory(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
                       Type element) {
  SmallVector<Value> dims;
  SmallVector<int64_t> shape;
  dispatchIndexOpFoldResults(sizes, dims, shape);
  return bufferization::AllocTensorOp::create(
      b, loc, RankedTensorType::get(shape, element), dims);
}

Value mlir::ds::filled(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
                       Value value) {
  Value init = empty(b, loc, sizes, value.getType());
  return linalg::FillOp::create(b, loc, value, init).getResult(0);
}

Sizes mlir::ds::sizesFrom(OpBuilder &b, RankedTensorType type,
                          ValueRange dims) {
  Sizes result;
  unsigned next = 0;
  for (int64_t size : type.getShape())
    if (ShapedType::isDynamic(size))
      result.push_back(dims[next++]);
    else
      result.push_back(b.getIndexAttr(size));
  return result;
}

Value mlir::ds::mapElements(OpBuilder &b, Location loc,
                            ArrayRef<OpFoldResult> sizes, Type element,
                            ValueRange inputs, ArrayRef<AffineMap> maps,
                            Body body) {
  Value init = empty(b, loc, sizes, element);
  SmallVector<AffineMap> all(maps);
  all.push_back(b.getMultiDimIdentityMap(sizes.size()));
  SmallVector<utils::IteratorType> iterators(sizes.size(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, TypeRange{init.getType()}, inputs, ValueRange{init}, all,
             iterators,
             [&](OpBuilder &nested, Location at, ValueRange args) {
               Value result = body(nested, at, args.drop_back());
               linalg::YieldOp::create(nested, at, result);
             })
      .getResult(0);
}

Value mlir::ds::generate(OpBuilder &b, Location loc,
                         ArrayRef<OpFoldResult> sizes, Type element,
                         IndexBody body) {
  return mapElements(b, loc, sizes, element, {}, {},
                     [&](OpBuilder &nested, Location at, ValueRange) {
                       SmallVector<Value> ivs;
                       for (unsigned d = 0; d < sizes.size(); ++d)
                         ivs.push_back(linalg::IndexOp::create(nested, at, d));
                       return body(nested, at, ivs);
                     });
}

static SmallVector<Value> loopsFrom(OpBuilder &b, Location loc,
                                    ArrayRef<OpFoldResult> sizes,
                                    SmallVector<Value> &ivs, ValueRange carried,
                                    LoopBody body) {
  if (ivs.size() == sizes.size())
    return body(b, loc, ivs, carried);
  Value zero = index(b, loc, 0), one = index(b, loc, 1);
  auto loop = scf::ForOp::create(
      b, loc, zero, asIndex(b, loc, sizes[ivs.size()]), one, carried,
      [&](OpBuilder &nested, Location at, Value iv, ValueRange inner) {
        ivs.push_back(iv);
        scf::YieldOp::create(nested, at,
                             loopsFrom(nested, at, sizes, ivs, inner, body));
        ivs.pop_back();
      });
  return SmallVector<Value>(loop.getResults());
}

SmallVector<Value> mlir::ds::loopNest(OpBuilder &b, Location loc,
                                      ArrayRef<OpFoldResult> sizes,
                                      ValueRange carried, LoopBody body) {
  SmallVector<Value> ivs;
  return loopsFrom(b, loc, sizes, ivs, carried, body);
}

void mlir::ds::reportIndex(OpBuilder &b, Location loc, Value condition) {
  auto report = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(report.thenBlock());
  func::CallOp::create(b, loc, reportIndexFunction, TypeRange(), ValueRange());
}

Value mlir::ds::checkedIndex(OpBuilder &b, Location loc, Value value,
                             Value size, bool isUnsigned) {
  Value zero = index(b, loc, 0), one = index(b, loc, 1);
  Value raw = value;
  if (!raw.getType().isIndex())
    raw = isUnsigned
              ? Value(arith::IndexCastUIOp::create(b, loc, b.getIndexType(),
                                                   value))
              : Value(arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                                 value));
  Value negative =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, raw, zero);
  Value wrapped = arith::SelectOp::create(
      b, loc, negative, arith::AddIOp::create(b, loc, raw, size), raw);
  // One unsigned comparison sees both ends.
  Value outside =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, wrapped, size);
  reportIndex(b, loc, outside);
  Value last = arith::SubIOp::create(b, loc, size, one);
  Value clamped = arith::MinSIOp::create(b, loc, wrapped, last);
  return arith::MaxSIOp::create(b, loc, clamped, zero);
}
