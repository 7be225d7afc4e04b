//===- JoinRows.cpp - weights one below the other -------------------------===//
//
// See JoinRows.h.
//
//===----------------------------------------------------------------------===//
#include "passes/JoinRows.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

template <typename OpTy>
static SmallVector<OpTy> allDefinedBy(ArrayRef<Value> values) {
  SmallVector<OpTy> ops;
  for (Value value : values)
    if (auto op = value.getDefiningOp<OpTy>())
      ops.push_back(op);
  if (ops.size() != values.size())
    ops.clear();
  return ops;
}

template <typename Get>
static Value joinRowsOf(OpBuilder &builder, size_t count, int64_t dim,
                        Get get) {
  SmallVector<Value> parts;
  for (size_t i = 0; i < count; ++i)
    parts.push_back(get(i));
  return joinRows(builder, parts, dim);
}

/// Rows of dequantised data, blocked along another dimension.
static Value joinDequantized(OpBuilder &builder, RankedTensorType type,
                             int64_t dim, MutableArrayRef<DequantizeOp> ops) {
  auto elementOf = [](Value value) {
    return value ? tensorType(value).getElementType() : Type();
  };
  for (DequantizeOp op : ops)
    if (int64_t(op.getAxis()) == dim || op.getAxis() != ops[0].getAxis() ||
        op.getBlockSize() == 0 || op.getBlockSize() != ops[0].getBlockSize() ||
        elementOf(op.getInput()) != elementOf(ops[0].getInput()) ||
        elementOf(op.getScale()) != elementOf(ops[0].getScale()) ||
        elementOf(op.getZeroPoint()) != elementOf(ops[0].getZeroPoint()))
      return nullptr;
  auto join = [&](auto get) {
    return joinRowsOf(builder, ops.size(), dim,
                      [&](size_t i) { return get(ops[i]); });
  };
  Value data = join([](DequantizeOp op) { return op.getInput(); }),
        scale = join([](DequantizeOp op) { return op.getScale(); }), zero;
  if (ops[0].getZeroPoint())
    zero = join([](DequantizeOp op) { return op.getZeroPoint(); });
  return DequantizeOp::create(builder, ops[0].getLoc(), type, data, scale, zero,
                              ops[0].getAxisAttr(), ops[0].getBlockSizeAttr());
}

/// What `ops` cut out of one value if that is all of it, in order.
static Value wholeOfSlices(RankedTensorType type, int64_t dim,
                           MutableArrayRef<SliceOp> ops) {
  Value input = ops[0].getInput();
  if (input.getType() != type)
    return nullptr;
  int64_t next = 0;
  for (SliceOp op : ops) {
    if (op.getInput() != input)
      return nullptr;
    for (int64_t d = 0; d < type.getRank(); ++d) {
      std::optional<SliceRange> range = matchSliceAlong(op, d);
      if (!range || range->stride != 1 ||
          range->offset != (d == dim ? next : 0) ||
          (d != dim && range->size != type.getDimSize(d)))
        return nullptr;
    }
    next += tensorType(op.getResult()).getDimSize(dim);
  }
  return input;
}

/// All rows, the same part of each.
static Value joinSlices(OpBuilder &builder, RankedTensorType type, int64_t dim,
                        MutableArrayRef<SliceOp> ops) {
  if (Value whole = wholeOfSlices(type, dim, ops))
    return whole;
  SmallVector<OpFoldResult> offsets, sizes, strides;
  auto number = [&](int64_t value) { return builder.getIndexAttr(value); };
  for (int64_t d = 0; d < type.getRank(); ++d) {
    std::optional<SliceRange> first = matchSliceAlong(ops[0], d);
    for (SliceOp op : ops) {
      std::optional<SliceRange> range = matchSliceAlong(op, d);
      RankedTensorType from = tensorType(op.getInput());
      if (!range || !first || from.getRank() != type.getRank() ||
          from.getElementType() != type.getElementType())
        return nullptr;
      if (d == dim
              ? range->offset != 0 || range->stride != 1 ||
                    range->size != from.getDimSize(d)
              : range->offset != first->offset || range->size != first->size ||
                    range->stride != first->stride ||
                    from.getDimSize(d) !=
                        tensorType(ops[0].getInput()).getDimSize(d))
        return nullptr;
    }
    offsets.push_back(number(first->offset));
    sizes.push_back(number(d == dim ? type.getDimSize(d) : first->size));
    strides.push_back(number(first->stride));
  }
  Value input = joinRowsOf(builder, ops.size(), dim,
                           [&](size_t i) { return ops[i].getInput(); });
  return SliceOp::create(builder, ops[0].getLoc(), input, offsets, sizes,
                         strides);
}

Value mlir::ds::joinRows(OpBuilder &builder, ArrayRef<Value> values,
                         int64_t dim) {
  RankedTensorType first = tensorType(values[0]);
  SmallVector<int64_t> shape(first.getShape());
  shape[dim] = 0;
  for (Value value : values)
    shape[dim] += tensorType(value).getDimSize(dim);
  auto type = RankedTensorType::get(shape, first.getElementType());
  if (auto ops = allDefinedBy<DequantizeOp>(values); !ops.empty())
    if (Value joined = joinDequantized(builder, type, dim, ops))
      return joined;
  if (auto ops = allDefinedBy<SliceOp>(values); !ops.empty())
    if (Value joined = joinSlices(builder, type, dim, ops))
      return joined;
  if (auto ops = allDefinedBy<arith::ConstantOp>(values); !ops.empty()) {
    auto splat = dyn_cast<SplatElementsAttr>(ops[0].getValue());
    if (splat && llvm::all_of(ops, [&](arith::ConstantOp op) {
          auto other = dyn_cast<SplatElementsAttr>(op.getValue());
          return other && other.getSplatValue<Attribute>() ==
                              splat.getSplatValue<Attribute>();
        }))
      return arith::ConstantOp::create(builder, ops[0].getLoc(),
                                       splat.resizeSplat(type));
  }
  if (auto ops = allDefinedBy<BroadcastOp>(values); !ops.empty())
    if (llvm::all_of(ops, [&](BroadcastOp op) {
          return op.getInput() == ops[0].getInput() &&
                 tensorType(op.getInput()).getRank() == 0;
        }))
      return BroadcastOp::create(builder, ops[0].getLoc(), type,
                                 ops[0].getInput(), ValueRange());
  return ConcatOp::create(builder, values[0].getLoc(), type, uint64_t(dim),
                          values);
}
