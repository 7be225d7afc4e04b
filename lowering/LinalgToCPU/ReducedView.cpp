//===- ReducedView.cpp - a tensor and which dimensions go -----------------===//
#include "lowering/LinalgToCPU/ReducedView.h"
#include "dialects/ds/IR/DsElements.h"

using namespace mlir;
using namespace mlir::ds;

static bool isSupported(Type element) {
  if (isa<FloatType>(element))
    return RowVectors::isSupported(element);
  return element.isInteger() && element.getIntOrFloatBitWidth() >= 8;
}

std::optional<ReducedView> ReducedView::of(OpBuilder &b, Value input,
                                           ArrayRef<int64_t> axes) {
  auto type = cast<RankedTensorType>(input.getType());
  int64_t rank = type.getRank();
  if (axes.empty() || !isSupported(type.getElementType()) ||
      llvm::is_contained(type.getShape(), 0))
    return std::nullopt;
  Location loc = input.getLoc();
  Type element = signless(type.getElementType());
  if (element != type.getElementType())
    input = BitcastOp::create(
        b, loc, RankedTensorType::get(type.getShape(), element), input);

  // The dimensions from `first` on are of one kind. Those of size 1 are of any,
  // as long as some dimension is left to walk along.
  bool isWalk =
      llvm::any_of(axes, [&](int64_t d) { return type.getDimSize(d) != 1; });
  auto isUnit = [&](int64_t d) { return isWalk && type.getDimSize(d) == 1; };
  int64_t last = rank - 1;
  while (last >= 0 && isUnit(last))
    --last;
  bool kind = last < 0 || llvm::is_contained(axes, last);
  int64_t first = rank;
  while (first > 0 &&
         (isUnit(first - 1) || llvm::is_contained(axes, first - 1) == kind))
    --first;
  ReducedView view;
  SmallVector<ReassociationIndices> groups;
  for (int64_t d = 0; d < first; ++d) {
    groups.push_back({d});
    view.walked.push_back(llvm::is_contained(axes, d));
  }
  groups.push_back(llvm::to_vector(llvm::seq(first, rank)));
  view.walked.push_back(kind);
  view.input = first == rank - 1
                   ? input
                   : tensor::CollapseShapeOp::create(b, loc, input, groups);
  view.all = tensor::getMixedSizes(b, loc, view.input);
  return view;
}

int64_t ReducedView::lastSize() const {
  return cast<RankedTensorType>(input.getType()).getShape().back();
}

int64_t ReducedView::lanes() const { return RowVectors::lanesFor(lastSize()); }

int64_t ReducedView::parts(int64_t most) const {
  int64_t columns = lastSize();
  return ShapedType::isDynamic(columns)
             ? most
             : std::min(llvm::divideCeil(columns, lanes()), uint64_t(most));
}

Value ReducedView::read(RowVectors &v, ValueRange keptAt, ValueRange walkedAt,
                        bool partial, TypedAttr padding) const {
  SmallVector<Value> at;
  for (bool isWalked : walked) {
    ValueRange &from = isWalked ? walkedAt : keptAt;
    at.push_back(from.front());
    from = from.drop_front();
  }
  return v.read(input, at, partial, padding);
}

SmallVector<OpFoldResult> ReducedView::sizesWhere(bool isWalked) const {
  SmallVector<OpFoldResult> sizes;
  for (auto [size, own] : llvm::zip_equal(all, walked))
    if (own == isWalked)
      sizes.push_back(size);
  return sizes;
}

Value ReducedView::restored(OpBuilder &b, Value result, Value like,
                            ArrayRef<OpFoldResult> sizes) {
  Location loc = like.getLoc();
  auto type = cast<RankedTensorType>(like.getType()),
       own = cast<RankedTensorType>(result.getType());
  Type element = type.getElementType();
  if (element != own.getElementType()) {
    own = RankedTensorType::get(own.getShape(), element);
    result = BitcastOp::create(b, loc, own, result);
  }
  if (own == type)
    return result;
  if (succeeded(verifyCompatibleShape(own, type)))
    return tensor::CastOp::create(b, loc, type, result);
  SmallVector<Value> dims;
  for (auto [d, size] : llvm::enumerate(sizes))
    if (type.isDynamicDim(d))
      dims.push_back(getValueOrCreateConstantIndexOp(b, loc, size));
  return ReshapeOp::create(b, loc, type, result, dims);
}

RankedTensorType mlir::ds::typeOf(ArrayRef<OpFoldResult> sizes, Type element) {
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, element);
}

arith::AtomicRMWKind mlir::ds::combinerOf(ReduceKind kind, Type element) {
  using Kind = arith::AtomicRMWKind;
  bool isFloat = isa<FloatType>(element),
       isUnsigned = element.isUnsignedInteger();
  switch (kind) {
  case ReduceKind::Sum:
    return isFloat ? Kind::addf : Kind::addi;
  case ReduceKind::Prod:
    return isFloat ? Kind::mulf : Kind::muli;
  case ReduceKind::Max:
    return isFloat ? Kind::maximumf : isUnsigned ? Kind::maxu : Kind::maxs;
  case ReduceKind::Min:
    return isFloat ? Kind::minimumf : isUnsigned ? Kind::minu : Kind::mins;
  }
  llvm_unreachable("all kinds are handled");
}
