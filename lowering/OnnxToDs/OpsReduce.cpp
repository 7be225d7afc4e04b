//===- OpsReduce.cpp - reductions, softmax, running sums ------------------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using ds::ReduceKind;
using onnx::tensorType;
using EK = ElementwiseKind;

namespace {
enum class Reduction {
  Sum,
  Mean,
  Prod,
  Max,
  Min,
  L1,
  L2,
  LogSum,
  LogSumExp,
  SumSquare
};
}

/// Axes of a reduction; nothing where it is the identity
/// (noop_with_empty_axes).
static FailureOr<std::optional<SmallVector<int64_t>>>
reductionAxes(NodeContext &n, int64_t rank) {
  auto given = n.numbers("axes", 1);
  if (failed(given))
    return failure();
  SmallVector<int64_t> axes;
  if (*given)
    for (int64_t axis : **given) {
      FailureOr<int64_t> d = n.axis(axis, rank);
      if (failed(d))
        return failure();
      axes.push_back(*d);
    }
  if (axes.empty()) {
    if (n.integer("noop_with_empty_axes", 0))
      return std::optional<SmallVector<int64_t>>();
    for (int64_t d = 0; d < rank; ++d)
      axes.push_back(d);
  }
  llvm::sort(axes);
  return std::optional<SmallVector<int64_t>>(axes);
}

template <Reduction kind> static LogicalResult reduction(NodeContext &n) {
  Value x = n.input(0);
  auto axes = reductionAxes(n, tensorType(x).getRank());
  if (failed(axes))
    return failure();
  bool keep = n.integer("keepdims", 1) != 0;
  // With nothing to reduce over, the function of one element is left.
  auto reduce = [&](ReduceKind how, Value value) {
    return *axes ? n.b.reduce(how, value, **axes, keep) : value;
  };
  Type element = tensorType(x).getElementType();
  Value result;
  switch (kind) {
  case Reduction::Sum:
    result = reduce(ReduceKind::Sum, x);
    break;
  case Reduction::Mean: {
    result = reduce(ReduceKind::Sum, x);
    if (!*axes)
      break;
    SmallVector<OpFoldResult> counted;
    for (int64_t d : **axes)
      counted.push_back(n.b.size(x, d));
    OpFoldResult count = n.b.sizes.product(counted);
    Value divisor = n.b.cast(n.b.fromSizes({count}, true), element);
    result = n.b.div(result, divisor);
    break;
  }
  case Reduction::Prod:
    result = reduce(ReduceKind::Prod, x);
    break;
  case Reduction::Max:
    result = reduce(ReduceKind::Max, x);
    break;
  case Reduction::Min:
    result = reduce(ReduceKind::Min, x);
    break;
  case Reduction::L1:
    result = reduce(ReduceKind::Sum, n.b.elementwise(EK::Abs, {x}));
    break;
  case Reduction::L2:
    result =
        n.b.elementwise(EK::Sqrt, {reduce(ReduceKind::Sum, n.b.mul(x, x))});
    break;
  case Reduction::LogSum:
    result = n.b.elementwise(EK::Log, {reduce(ReduceKind::Sum, x)});
    break;
  case Reduction::LogSumExp: {
    // Against overflow the maximum goes out first; it is finite but for ±inf,
    // where the plain form is right as well.
    if (!*axes) {
      result = x;
      break;
    }
    Value top = n.b.reduce(ReduceKind::Max, x, **axes, true);
    Value shifted = n.b.elementwise(EK::Exp, {n.b.sub(x, top)});
    Value sum = n.b.reduce(ReduceKind::Sum, shifted, **axes, keep);
    Value topKept = n.b.reduce(ReduceKind::Max, x, **axes, keep);
    result = n.b.add(n.b.elementwise(EK::Log, {sum}), topKept);
    break;
  }
  case Reduction::SumSquare:
    result = reduce(ReduceKind::Sum, n.b.mul(x, x));
    break;
  }
  n.output(0, result);
  return success();
}

template <ReduceKind kind> static LogicalResult argReduce(NodeContext &n) {
  Value x = n.input(0);
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", 0), tensorType(x).getRank());
  if (failed(axis))
    return failure();
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  dims[*axis] = n.b.sizes.number(1);
  Value result =
      n.b.track(ds::ArgReduceOp::create(
                    n.b.b, n.b.loc, n.b.typeOf(dims, n.b.b.getI64Type()), kind,
                    x, uint64_t(*axis), n.integer("select_last_index", 0) != 0),
                dims);
  if (!n.integer("keepdims", 1)) {
    dims.erase(dims.begin() + *axis);
    result = n.b.reshape(result, dims);
  }
  n.output(0, result);
  return success();
}

template <ReduceKind kind> static LogicalResult cumulative(NodeContext &n) {
  auto axes = n.numbers("", 1);
  if (failed(axes) || !*axes || (*axes)->size() != 1)
    return n.unsupported("its axis is not constant");
  FailureOr<int64_t> axis =
      n.axis((**axes)[0], tensorType(n.input(0)).getRank());
  if (failed(axis))
    return failure();
  n.output(0, n.b.track(ds::CumulativeOp::create(n.b.b, n.b.loc,
                                                 n.input(0).getType(), kind,
                                                 n.input(0), uint64_t(*axis),
                                                 n.integer("exclusive", 0) != 0,
                                                 n.integer("reverse", 0) != 0),
                        n.b.shape(n.input(0))));
  return success();
}

template <bool log> static LogicalResult convertSoftmax(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  bool flattens = n.version() < 13;
  FailureOr<int64_t> axis = n.axis(n.integer("axis", flattens ? 1 : -1), rank);
  if (failed(axis))
    return failure();
  if (!flattens || *axis == rank - 1) {
    n.output(0, n.b.softmax(x, *axis, log));
    return success();
  }
  // Before opset 13 the input counts as a matrix cut at `axis`.
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  ArrayRef<OpFoldResult> all(dims);
  Value matrix = n.b.reshape(x, {n.b.sizes.product(all.take_front(*axis)),
                                 n.b.sizes.product(all.drop_front(*axis))});
  n.output(0, n.b.reshape(n.b.softmax(matrix, 1, log), dims));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::reduceOps() {
  static const OpEntry ops[] = {
      {"", "ArgMax", 1, newestOpset, argReduce<ReduceKind::Max>},
      {"", "ArgMin", 1, newestOpset, argReduce<ReduceKind::Min>},
      {"", "CumProd", 26, newestOpset, cumulative<ReduceKind::Prod>},
      {"", "CumSum", 11, newestOpset, cumulative<ReduceKind::Sum>},
      {"", "LogSoftmax", 1, newestOpset, convertSoftmax<true>},
      {"", "ReduceL1", 1, newestOpset, reduction<Reduction::L1>},
      {"", "ReduceL2", 1, newestOpset, reduction<Reduction::L2>},
      {"", "ReduceLogSum", 1, newestOpset, reduction<Reduction::LogSum>},
      {"", "ReduceLogSumExp", 1, newestOpset, reduction<Reduction::LogSumExp>},
      {"", "ReduceMax", 1, newestOpset, reduction<Reduction::Max>},
      {"", "ReduceMean", 1, newestOpset, reduction<Reduction::Mean>},
      {"", "ReduceMin", 1, newestOpset, reduction<Reduction::Min>},
      {"", "ReduceProd", 1, newestOpset, reduction<Reduction::Prod>},
      {"", "ReduceSum", 1, newestOpset, reduction<Reduction::Sum>},
      {"", "ReduceSumSquare", 1, newestOpset, reduction<Reduction::SumSquare>},
      {"", "Softmax", 1, newestOpset, convertSoftmax<false>},
  };
  return ops;
}
