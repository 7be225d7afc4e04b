//===- OpsNormalization.cpp - layer, RMS and related norms ----------------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using ds::ReduceKind;
using onnx::tensorType;
using EK = ElementwiseKind;

/// Mean over `axes`, kept as 1.
static Value mean(NodeContext &n, Value x, ArrayRef<int64_t> axes) {
  SmallVector<OpFoldResult> counted;
  for (int64_t d : axes)
    counted.push_back(n.b.size(x, d));
  Value sum = n.b.reduce(ReduceKind::Sum, x, axes, true);
  Value count = n.b.cast(n.b.fromSizes({n.b.sizes.product(counted)}, true),
                         tensorType(x).getElementType());
  return n.b.div(sum, count);
}

static SmallVector<int64_t> axesFrom(int64_t first, int64_t rank) {
  SmallVector<int64_t> axes;
  for (int64_t d = first; d < rank; ++d)
    axes.push_back(d);
  return axes;
}

static Value reciprocalRoot(NodeContext &n, Value variance, double epsilon) {
  Value shifted = n.b.add(variance, n.b.scalarLike(variance, epsilon));
  return n.b.elementwise(EK::Reciprocal,
                         {n.b.elementwise(EK::Sqrt, {shifted})});
}

/// RMSNormalization and SimplifiedLayerNormalization: in the stash type, cast
/// back, times scale. Over the last dimension it is ds.rms_norm.
static FailureOr<Value> rmsNorm(NodeContext &n, Value x, Value scale,
                                int64_t axis, double epsilon) {
  int64_t rank = tensorType(x).getRank();
  Type element = tensorType(x).getElementType();
  if (!isa<FloatType>(element) ||
      !isa<FloatType>(tensorType(scale).getElementType()))
    return n.error("its input or its scale is not of floats");
  if (axis == rank - 1 && tensorType(scale).getRank() == 1 &&
      tensorType(x).getShape().back() == tensorType(scale).getShape()[0] &&
      !tensorType(x).isDynamicDim(rank - 1)) {
    bool narrow = element.getIntOrFloatBitWidth() < 32;
    return n.b.track(
        ds::RmsNormOp::create(n.b.b, n.b.loc, x.getType(), x, scale,
                              n.b.b.getF64FloatAttr(double(float(epsilon))),
                              narrow ? n.b.b.getUnitAttr() : UnitAttr()),
        n.b.shape(x));
  }
  Value wide = n.b.cast(x, n.b.b.getF32Type());
  Value variance = mean(n, n.b.mul(wide, wide), axesFrom(axis, rank));
  Value normal = n.b.mul(wide, reciprocalRoot(n, variance, epsilon));
  return n.b.mul(n.b.cast(normal, element), n.b.cast(scale, element));
}

static LogicalResult convertRmsNormalization(NodeContext &n) {
  Value x = n.input(0);
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", -1), tensorType(x).getRank());
  if (failed(axis))
    return failure();
  FailureOr<Value> result =
      rmsNorm(n, x, n.input(1), *axis, n.number("epsilon", 1e-5));
  if (failed(result))
    return failure();
  n.output(0, *result);
  return success();
}

/// com.microsoft SkipSimplifiedLayerNormalization: norm of input + skip
/// (+ bias); output 3 is the sum.
static LogicalResult convertSkipRmsNorm(NodeContext &n) {
  Value sum = n.b.add(n.input(0), n.input(1));
  if (n.has(3))
    sum = n.b.add(sum, n.input(3));
  FailureOr<Value> result =
      rmsNorm(n, sum, n.input(2), tensorType(sum).getRank() - 1,
              n.number("epsilon", 1e-5));
  if (failed(result))
    return failure();
  n.output(0, *result);
  n.output(3, sum);
  return success();
}

static LogicalResult convertLayerNormalization(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  FailureOr<int64_t> axis = n.axis(n.integer("axis", -1), rank);
  if (failed(axis))
    return failure();
  Type element = tensorType(x).getElementType();
  SmallVector<int64_t> axes = axesFrom(*axis, rank);
  Value wide = element.isF64() ? x : n.b.cast(x, n.b.b.getF32Type());
  Value average = mean(n, wide, axes);
  Value centred = n.b.sub(wide, average);
  Value root = reciprocalRoot(n, mean(n, n.b.mul(centred, centred), axes),
                              n.number("epsilon", 1e-5));
  Value result = n.b.mul(n.b.cast(n.b.mul(centred, root), element), n.input(1));
  if (n.has(2))
    result = n.b.add(result, n.input(2));
  n.output(0, result);
  n.output(1, average);
  n.output(2, root);
  return success();
}

/// [C] as [C, 1, …] beside [N, C, …].
static Value perChannel(NodeContext &n, Value value, int64_t rank) {
  SmallVector<int64_t> axes;
  for (int64_t d = 1; d < rank - 1; ++d)
    axes.push_back(d);
  return n.b.unsqueeze(value, axes);
}

static LogicalResult convertInstanceNormalization(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  if (rank < 3)
    return n.error("it needs [N, C, D1, …]");
  SmallVector<int64_t> axes = axesFrom(2, rank);
  Value centred = n.b.sub(x, mean(n, x, axes));
  Value root = reciprocalRoot(n, mean(n, n.b.mul(centred, centred), axes),
                              n.number("epsilon", 1e-5));
  Value result =
      n.b.mul(n.b.mul(centred, root), perChannel(n, n.input(1), rank));
  n.output(0, n.b.add(result, perChannel(n, n.input(2), rank)));
  return success();
}

static LogicalResult convertGroupNormalization(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  int64_t groups = n.integer("num_groups", 1);
  if (rank < 3 || groups < 1)
    return n.error("it needs [N, C, D1, …] and at least one group");
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  SmallVector<OpFoldResult> split{
      dims[0], n.b.sizes.number(groups),
      n.b.sizes.floorDiv(dims[1], n.b.sizes.number(groups))};
  split.append(dims.begin() + 2, dims.end());
  Value wide = n.b.cast(n.b.reshape(x, split), n.b.b.getF32Type());
  SmallVector<int64_t> axes = axesFrom(2, split.size());
  Value centred = n.b.sub(wide, mean(n, wide, axes));
  Value root = reciprocalRoot(n, mean(n, n.b.mul(centred, centred), axes),
                              n.number("epsilon", 1e-5));
  Value normal =
      n.b.cast(n.b.mul(centred, root), tensorType(x).getElementType());
  // Since opset 21 scale and bias are per channel, before per group.
  auto parameter = [&](Value value) -> Value {
    if (n.version() >= 21)
      return perChannel(n, value, rank);
    SmallVector<int64_t> trailing;
    for (int64_t d = 1; d < int64_t(split.size()) - 1; ++d)
      trailing.push_back(d);
    return n.b.unsqueeze(value, trailing);
  };
  if (n.version() >= 21)
    normal = n.b.reshape(normal, dims);
  Value result =
      n.b.add(n.b.mul(normal, parameter(n.input(1))), parameter(n.input(2)));
  n.output(0, n.b.reshape(result, dims));
  return success();
}

static LogicalResult convertBatchNormalization(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  if (rank < 2)
    return n.error("it needs [N, C, …]");
  if (!n.integer("spatial", 1))
    return n.unsupported("spatial = 0");
  Value average = perChannel(n, n.input(3), rank),
        variance = perChannel(n, n.input(4), rank);
  if (n.integer("training_mode", 0)) {
    // Of this batch; the running ones move towards them.
    SmallVector<int64_t> axes = axesFrom(2, rank);
    axes.insert(axes.begin(), 0);
    average = mean(n, x, axes);
    Value centred = n.b.sub(x, average);
    variance = mean(n, n.b.mul(centred, centred), axes);
    double momentum = n.number("momentum", 0.9);
    auto moved = [&](Value running, Value current) {
      current = n.b.reshape(current, n.b.shape(running));
      return n.b.add(n.b.mul(running, n.b.scalarLike(running, momentum)),
                     n.b.mul(current, n.b.scalarLike(current, 1 - momentum)));
    };
    n.output(1, moved(n.input(3), average));
    n.output(2, moved(n.input(4), variance));
  } else if (n.isUsed(1)) {
    return n.unsupported("running mean and variance of another opset");
  }
  Value root = reciprocalRoot(n, variance, n.number("epsilon", 1e-5));
  Value normal = n.b.mul(n.b.sub(x, average), root);
  Value result = n.b.mul(normal, perChannel(n, n.input(1), rank));
  n.output(0, n.b.add(result, perChannel(n, n.input(2), rank)));
  return success();
}

static LogicalResult convertLpNormalization(NodeContext &n) {
  Value x = n.input(0);
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", -1), tensorType(x).getRank());
  if (failed(axis))
    return failure();
  Value norm;
  if (n.integer("p", 2) == 1)
    norm = n.b.reduce(ReduceKind::Sum, n.b.elementwise(EK::Abs, {x}), {*axis},
                      true);
  else
    norm = n.b.elementwise(
        EK::Sqrt, {n.b.reduce(ReduceKind::Sum, n.b.mul(x, x), {*axis}, true)});
  // A zero vector stays zero.
  Value zero = n.b.scalarLike(x, 0);
  Value isZero = n.b.elementwise(EK::Eq, {norm, zero});
  n.output(0, n.b.elementwise(EK::Select, {isZero, zero, n.b.div(x, norm)}));
  return success();
}

static LogicalResult convertMeanVariance(NodeContext &n) {
  Value x = n.input(0);
  SmallVector<int64_t> axes;
  for (int64_t axis :
       n.integers("axes").value_or(SmallVector<int64_t>{0, 2, 3})) {
    FailureOr<int64_t> d = n.axis(axis, tensorType(x).getRank());
    if (failed(d))
      return failure();
    axes.push_back(*d);
  }
  Value centred = n.b.sub(x, mean(n, x, axes));
  Value variance = mean(n, n.b.mul(centred, centred), axes);
  Value deviation =
      n.b.add(n.b.elementwise(EK::Sqrt, {variance}), n.b.scalarLike(x, 1e-9));
  n.output(0, n.b.div(centred, deviation));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::normalizationOps() {
  static const OpEntry ops[] = {
      {"", "BatchNormalization", 7, newestOpset, 5, convertBatchNormalization},
      {"", "GroupNormalization", 18, newestOpset, 3, convertGroupNormalization},
      {"", "InstanceNormalization", 1, newestOpset, 3,
       convertInstanceNormalization},
      {"", "LayerNormalization", 17, newestOpset, 2, convertLayerNormalization},
      {"", "LpNormalization", 1, newestOpset, 1, convertLpNormalization},
      {"", "MeanVarianceNormalization", 9, newestOpset, 1, convertMeanVariance},
      {"", "RMSNormalization", 23, newestOpset, 2, convertRmsNormalization},
      // onnxruntime writes this one without a domain, which no opset has.
      {"", "SimplifiedLayerNormalization", 1, newestOpset, 2,
       convertRmsNormalization},
      {microsoft, "SimplifiedLayerNormalization", 1, 1, 2,
       convertRmsNormalization},
      {microsoft, "SkipSimplifiedLayerNormalization", 1, 1, 3,
       convertSkipRmsNorm},
  };
  return ops;
}
