//===- OpsIndexing.cpp - gather, scatter and what picks elements ----------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;
using EK = ElementwiseKind;

static LogicalResult convertGather(NodeContext &n) {
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", 0), tensorType(n.input(0)).getRank());
  if (failed(axis))
    return failure();
  n.output(0, n.b.gather(n.input(0), n.input(1), *axis));
  return success();
}

static bool areIndices(Value value) {
  Type element = tensorType(value).getElementType();
  return isa<IntegerType>(element) && !element.isInteger(1);
}

/// Indices along `axis` of x: in no other dimension are there more of them.
static LogicalResult checkElementIndices(NodeContext &n, Value x, Value indices,
                                         int64_t axis) {
  int64_t rank = tensorType(x).getRank();
  if (!areIndices(indices) || tensorType(indices).getRank() != rank)
    return n.error("its indices are no integers of the tensor's rank");
  for (int64_t d = 0; d < rank; ++d) {
    std::optional<int64_t> have = getConstantIntValue(n.b.size(x, d)),
                           wanted = getConstantIntValue(n.b.size(indices, d));
    if (d != axis && have && wanted && *wanted > *have)
      return n.error("its indices are larger than the tensor in dimension " +
                     Twine(d));
  }
  return success();
}

static LogicalResult convertGatherElements(NodeContext &n) {
  Value x = n.input(0), indices = n.input(1);
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", 0), tensorType(x).getRank());
  if (failed(axis) || failed(checkElementIndices(n, x, indices, *axis)))
    return failure();
  SmallVector<OpFoldResult> dims = n.b.shape(indices);
  n.output(0, n.b.track(ds::GatherElementsOp::create(
                            n.b.b, n.b.loc,
                            n.b.typeOf(dims, tensorType(x).getElementType()), x,
                            indices, uint64_t(*axis)),
                        dims));
  return success();
}

static LogicalResult convertGatherND(NodeContext &n) {
  Value x = n.input(0), indices = n.input(1);
  int64_t batch = n.integer("batch_dims", 0);
  SmallVector<OpFoldResult> from = n.b.shape(x), at = n.b.shape(indices);
  std::optional<int64_t> depth =
      at.empty() ? std::nullopt : getConstantIntValue(at.back());
  if (!depth)
    return n.unsupported("indices of unknown depth");
  if (batch < 0 || batch + *depth > int64_t(from.size()) ||
      batch >= int64_t(at.size()) || !areIndices(indices))
    return n.error("its indices are no integers, or deeper than the tensor");
  for (int64_t d = 0; d < batch; ++d)
    n.b.checkSameSize(from[d], at[d], "batch sizes");
  SmallVector<OpFoldResult> dims(at.begin(), at.end() - 1);
  dims.append(from.begin() + batch + *depth, from.end());
  n.output(0, n.b.track(ds::GatherNdOp::create(
                            n.b.b, n.b.loc,
                            n.b.typeOf(dims, tensorType(x).getElementType()), x,
                            indices, uint64_t(batch)),
                        dims));
  return success();
}

static FailureOr<ds::ScatterKind> scatterKind(NodeContext &n) {
  StringRef name = n.text("reduction", "none");
  std::optional<ds::ScatterKind> kind = ds::symbolizeScatterKind(name);
  if (!kind) {
    (void)n.unsupported("reduction " + name);
    return failure();
  }
  return *kind;
}

static LogicalResult convertScatterElements(NodeContext &n) {
  Value x = n.input(0);
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", 0), tensorType(x).getRank());
  FailureOr<ds::ScatterKind> kind = scatterKind(n);
  if (failed(axis) || failed(kind) ||
      failed(checkElementIndices(n, x, n.input(1), *axis)))
    return failure();
  if (tensorType(n.input(2)).getElementType() !=
          tensorType(x).getElementType() ||
      tensorType(n.input(2)).getRank() != tensorType(x).getRank())
    return n.error("its updates differ in rank or element type");
  for (auto [a, c] :
       llvm::zip_equal(n.b.shape(n.input(1)), n.b.shape(n.input(2))))
    n.b.checkSameSize(a, c, "sizes of indices and updates");
  n.output(0, n.b.track(ds::ScatterElementsOp::create(
                            n.b.b, n.b.loc, x.getType(), *kind, x, n.input(1),
                            n.input(2), uint64_t(*axis)),
                        n.b.shape(x)));
  return success();
}

static LogicalResult convertScatterND(NodeContext &n) {
  Value x = n.input(0);
  FailureOr<ds::ScatterKind> kind = scatterKind(n);
  if (failed(kind))
    return failure();
  // Updates are [indices…, rest of x…].
  SmallVector<OpFoldResult> dims = n.b.shape(x), at = n.b.shape(n.input(1));
  std::optional<int64_t> depth =
      at.empty() ? std::nullopt : getConstantIntValue(at.back());
  if (!areIndices(n.input(1)) || !depth)
    return n.unsupported("indices of unknown depth");
  if (*depth > int64_t(dims.size()))
    return n.error("its indices are deeper than the tensor");
  at.pop_back();
  at.append(dims.begin() + *depth, dims.end());
  if (tensorType(n.input(2)).getElementType() !=
          tensorType(x).getElementType() ||
      tensorType(n.input(2)).getRank() != int64_t(at.size()))
    return n.error("its updates differ in rank or element type");
  for (auto [a, c] : llvm::zip_equal(at, n.b.shape(n.input(2))))
    n.b.checkSameSize(a, c, "sizes of its updates and of where they go");
  n.output(0,
           n.b.track(ds::ScatterNdOp::create(n.b.b, n.b.loc, x.getType(), *kind,
                                             x, n.input(1), n.input(2)),
                     n.b.shape(x)));
  return success();
}

/// TensorScatter: rows written at write_indices of each batch, as ScatterND
/// with indices made of ranges.
static LogicalResult convertTensorScatter(NodeContext &n) {
  Value cache = n.input(0), update = n.input(1);
  int64_t rank = tensorType(cache).getRank();
  FailureOr<int64_t> axis = n.axis(n.integer("axis", -2), rank);
  if (failed(axis))
    return failure();
  if (*axis == 0)
    return n.error("it cannot write along the batch");
  if (tensorType(update).getRank() != rank ||
      tensorType(update).getElementType() != tensorType(cache).getElementType())
    return n.error("cache and update differ in rank or element type");
  if (n.has(2) && tensorType(n.input(2)).getRank() != 1)
    return n.error("its write_indices are no vector");
  for (int64_t d = 0; d < rank; ++d)
    if (d != *axis)
      n.b.checkSameSize(n.b.size(cache, d), n.b.size(update, d),
                        "sizes of cache and update in dimension " + Twine(d));
  // Put the axis behind the batch: [B, T, rest…].
  SmallVector<int64_t> perm{0, *axis}, inverse(rank);
  for (int64_t d = 1; d < rank; ++d)
    if (d != *axis)
      perm.push_back(d);
  for (auto [j, d] : llvm::enumerate(perm))
    inverse[d] = j;
  Value rows = n.b.transpose(update, perm), base = n.b.transpose(cache, perm);
  OpFoldResult batch = n.b.size(rows, 0), count = n.b.size(rows, 1);
  Value batchIndex = n.b.unsqueeze(n.b.iota(batch), {1, 2});
  Value row = n.b.unsqueeze(n.b.iota(count), {0, 2});
  if (n.has(2))
    row = n.b.add(
        n.b.unsqueeze(n.b.cast(n.input(2), n.b.b.getI64Type()), {1, 2}), row);
  if (n.text("mode", "linear") == "circular") {
    Value length = n.b.fromSizes({n.b.size(base, 1)}, /*scalar=*/true);
    row = n.b.elementwise(EK::FloorMod, {row, length});
  }
  SmallVector<OpFoldResult> pair{batch, count, n.b.sizes.number(1)};
  Value indices = n.b.concat(
      {n.b.broadcast(batchIndex, pair), n.b.broadcast(row, pair)}, 2);
  Value result = n.b.track(
      ds::ScatterNdOp::create(n.b.b, n.b.loc, base.getType(),
                              ds::ScatterKind::None, base, indices, rows),
      n.b.shape(base));
  n.output(0, n.b.transpose(result, inverse));
  return success();
}

static LogicalResult convertTopK(NodeContext &n) {
  Value x = n.input(0);
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", -1), tensorType(x).getRank());
  if (failed(axis))
    return failure();
  if (std::optional<int64_t> size = getConstantIntValue(n.b.size(x, *axis)))
    if (auto given = n.version() < 10 ? std::nullopt : n.b.elements(n.input(1)))
      for (OpFoldResult number : *given)
        if (getConstantIntValue(number).value_or(0) > *size)
          return n.error("its k is larger than the dimension");
  OpFoldResult k;
  if (n.version() < 10) {
    k = n.b.sizes.number(n.integer("k", 1));
  } else {
    auto elements = n.b.readElements(n.input(1));
    if (!elements || elements->size() != 1)
      return n.error("its k is not one number");
    k = (*elements)[0];
  }
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  dims[*axis] = k;
  auto op = ds::TopKOp::create(
      n.b.b, n.b.loc, n.b.typeOf(dims, tensorType(x).getElementType()),
      n.b.typeOf(dims, n.b.b.getI64Type()), x, n.b.sizes.asValue(k),
      uint64_t(*axis), n.integer("largest", 1) != 0);
  n.output(0, n.b.track(op.getValues(), dims));
  n.output(1, n.b.track(op.getIndices(), dims));
  return success();
}

static LogicalResult convertNonZero(NodeContext &n) {
  Value x = n.input(0);
  auto type = RankedTensorType::get(
      {tensorType(x).getRank(), ShapedType::kDynamic}, n.b.b.getI64Type());
  n.output(0, ds::NonZeroOp::create(n.b.b, n.b.loc, type, x));
  return success();
}

static LogicalResult convertOneHot(NodeContext &n) {
  Value indices = n.input(0), values = n.input(2);
  auto depth = n.b.readElements(n.b.cast(n.input(1), n.b.b.getI64Type()));
  if (!depth || depth->size() != 1)
    return n.error("its depth is not one number");
  int64_t rank = tensorType(indices).getRank() + 1;
  FailureOr<int64_t> axis = n.axis(n.integer("axis", -1), rank);
  if (failed(axis))
    return failure();
  Type i64 = n.b.b.getI64Type();
  Value at = n.b.unsqueeze(n.b.cast(indices, i64), {*axis});
  Value count = n.b.fromSizes(*depth, true);
  // Negative indices count from the end; others outside are all off.
  Value wrapped = n.b.elementwise(
      EK::Select, {n.b.elementwise(EK::Lt, {at, n.b.scalar(i64, 0)}),
                   n.b.add(at, count), at});
  SmallVector<OpFoldResult> line(rank, n.b.sizes.number(1));
  line[*axis] = (*depth)[0];
  Value classes = n.b.reshape(n.b.iota((*depth)[0]), line);
  Value hit = n.b.elementwise(EK::Eq, {wrapped, classes});
  SmallVector<OpFoldResult> none;
  auto value = [&](int64_t i) {
    return n.b.reshape(
        n.b.sliceAlong(values, 0, n.b.sizes.number(i), n.b.sizes.number(1)),
        none);
  };
  n.output(0, n.b.elementwise(EK::Select, {hit, value(1), value(0)}));
  return success();
}

static LogicalResult convertCompress(NodeContext &n) {
  Value x = n.input(0), condition = n.input(1);
  if (tensorType(condition).getRank() != 1 ||
      !tensorType(condition).getElementType().isInteger(1))
    return n.error("its condition is no vector of bools");
  int64_t axis = 0;
  if (n.attribute("axis")) {
    FailureOr<int64_t> d =
        n.axis(n.integer("axis", 0), tensorType(x).getRank());
    if (failed(d))
      return failure();
    axis = *d;
  } else {
    x = n.b.reshape(x, {n.b.sizes.product(n.b.shape(x))});
  }
  // The condition may be shorter than the dimension.
  auto type =
      RankedTensorType::get({1, ShapedType::kDynamic}, n.b.b.getI64Type());
  Value hits = ds::NonZeroOp::create(n.b.b, n.b.loc, type, condition);
  Value rows = n.b.reshape(hits, {n.b.size(hits, 1)});
  n.output(0, n.b.gather(x, rows, axis));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::indexingOps() {
  static const OpEntry ops[] = {
      {"", "Compress", 9, newestOpset, 2, convertCompress},
      {"", "Gather", 1, newestOpset, 2, convertGather},
      {"", "GatherElements", 11, newestOpset, 2, convertGatherElements},
      {"", "GatherND", 11, newestOpset, 2, convertGatherND},
      {"", "NonZero", 9, newestOpset, 1, convertNonZero},
      {"", "OneHot", 9, newestOpset, 3, convertOneHot},
      {"", "Scatter", 9, 10, 3, convertScatterElements},
      {"", "ScatterElements", 11, newestOpset, 3, convertScatterElements},
      {"", "ScatterND", 11, newestOpset, 3, convertScatterND},
      {"", "TensorScatter", 24, newestOpset, 2, convertTensorScatter},
      {"", "TopK", 1, newestOpset, 1, convertTopK},
  };
  return ops;
}
