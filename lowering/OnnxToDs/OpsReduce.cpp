//===- OpsReduce.cpp - reductions, softmax, running sums ------------------===//
#include "lowering/OnnxToDs/ControlFlow.h"

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
} // namespace

/// Mean over `axes`: the sum divided by how many there are.
static Value average(NodeContext &n, Value x, ArrayRef<int64_t> axes,
                     bool keep) {
  SmallVector<OpFoldResult> counted;
  for (int64_t d : axes)
    counted.push_back(n.b.size(x, d));
  Value count = n.b.cast(n.b.fromSizes({n.b.sizes.product(counted)}, true),
                         tensorType(x).getElementType());
  return n.b.div(n.b.reduce(ReduceKind::Sum, x, axes, keep), count);
}

/// Against overflow the maximum goes out first, where it is finite.
static Value logSumExp(NodeContext &n, Value x, ArrayRef<int64_t> axes,
                       bool keep) {
  Value top = n.b.reduce(ReduceKind::Max, x, axes, true);
  Value finite = n.b.elementwise(
      EK::Lt, {n.b.elementwise(EK::Abs, {top}),
               n.b.scalarLike(x, std::numeric_limits<double>::infinity())});
  top = n.b.elementwise(EK::Select, {finite, top, n.b.scalarLike(x, 0)});
  Value powers = n.b.elementwise(EK::Exp, {n.b.sub(x, top)});
  Value sum = n.b.reduce(ReduceKind::Sum, powers, axes, true);
  Value result = n.b.add(n.b.elementwise(EK::Log, {sum}), top);
  if (keep)
    return result;
  SmallVector<OpFoldResult> dims;
  for (int64_t d = 0; d < tensorType(x).getRank(); ++d)
    if (!llvm::is_contained(axes, d))
      dims.push_back(n.b.size(x, d));
  return n.b.reshape(result, dims);
}

/// `x` reduced over `axes`. Over none of them, the function of one element is
/// left.
static Value reduced(NodeContext &n, Reduction kind, Value x,
                     ArrayRef<int64_t> axes, bool keep) {
  auto over = [&](ReduceKind how, Value value) {
    return axes.empty() ? value : n.b.reduce(how, value, axes, keep);
  };
  switch (kind) {
  case Reduction::Sum:
    return over(ReduceKind::Sum, x);
  case Reduction::Mean:
    return axes.empty() ? x : average(n, x, axes, keep);
  case Reduction::Prod:
    return over(ReduceKind::Prod, x);
  case Reduction::Max:
    return over(ReduceKind::Max, x);
  case Reduction::Min:
    return over(ReduceKind::Min, x);
  case Reduction::L1:
    return over(ReduceKind::Sum, n.b.elementwise(EK::Abs, {x}));
  case Reduction::L2:
    return n.b.elementwise(EK::Sqrt, {over(ReduceKind::Sum, n.b.mul(x, x))});
  case Reduction::LogSum:
    return n.b.elementwise(EK::Log, {over(ReduceKind::Sum, x)});
  case Reduction::LogSumExp:
    return axes.empty() ? x : logSumExp(n, x, axes, keep);
  case Reduction::SumSquare:
    return over(ReduceKind::Sum, n.b.mul(x, x));
  }
  llvm_unreachable("all reductions are handled");
}

template <Reduction kind> static LogicalResult reduction(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  bool keep = n.integer("keepdims", 1) != 0,
       noop = n.integer("noop_with_empty_axes", 0) != 0;
  auto make = [&](ArrayRef<int64_t> axes, SmallVectorImpl<Value> &results) {
    SmallVector<int64_t> sorted(axes);
    if (axes.empty() && !noop)
      sorted = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    llvm::sort(sorted);
    results.push_back(reduced(n, kind, x, sorted, keep));
    return success();
  };
  SmallVector<Value> result;
  if (!n.attribute("axes") && !n.has(1)) {
    if (failed(make({}, result)))
      return failure();
  } else {
    auto results = withAxes(n, "axes", 1, rank, make,
                            [](ArrayRef<int64_t>) { return true; });
    if (failed(results))
      return failure();
    result = *results;
  }
  n.output(0, result[0]);
  return success();
}

template <ReduceKind kind> static LogicalResult cumulative(NodeContext &n) {
  Value x = n.input(0);
  auto make = [&](ArrayRef<int64_t> axes, SmallVectorImpl<Value> &results) {
    if (axes.size() != 1)
      return n.error("its axis is not one number");
    results.push_back(n.b.track(
        ds::CumulativeOp::create(
            n.b.b, n.b.loc, x.getType(), kind, x, uint64_t(axes[0]),
            n.integer("exclusive", 0) != 0, n.integer("reverse", 0) != 0),
        n.b.shape(x)));
    return success();
  };
  auto results = withAxes(n, "", 1, tensorType(x).getRank(), make,
                          [](ArrayRef<int64_t>) { return true; });
  if (failed(results))
    return failure();
  n.output(0, (*results)[0]);
  return success();
}

static Value argReduced(NodeContext &n, ReduceKind kind, Value x, int64_t axis,
                        bool last) {
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  dims[axis] = n.b.sizes.number(1);
  return n.b.track(ds::ArgReduceOp::create(n.b.b, n.b.loc,
                                           n.b.typeOf(dims, n.b.b.getI64Type()),
                                           kind, x, uint64_t(axis), last),
                   dims);
}

template <ReduceKind kind> static LogicalResult argReduce(NodeContext &n) {
  Value x = n.input(0);
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", 0), tensorType(x).getRank());
  if (failed(axis))
    return failure();
  Value result =
      argReduced(n, kind, x, *axis, n.integer("select_last_index", 0) != 0);
  if (!n.integer("keepdims", 1)) {
    SmallVector<OpFoldResult> dims = n.b.shape(result);
    dims.erase(dims.begin() + *axis);
    result = n.b.reshape(result, dims);
  }
  n.output(0, result);
  return success();
}

/// What works along `axis`; before opset 13 on the input as a matrix cut there.
static LogicalResult
alongAxis(NodeContext &n,
          llvm::function_ref<Value(Value value, int64_t axis)> make) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  bool flattens = n.version() < 13;
  FailureOr<int64_t> axis = n.axis(n.integer("axis", flattens ? 1 : -1), rank);
  if (failed(axis))
    return failure();
  if (!flattens || *axis == rank - 1) {
    n.output(0, make(x, *axis));
    return success();
  }
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  ArrayRef<OpFoldResult> all(dims);
  Value matrix = n.b.reshape(x, {n.b.sizes.product(all.take_front(*axis)),
                                 n.b.sizes.product(all.drop_front(*axis))});
  n.output(0, n.b.reshape(make(matrix, 1), dims));
  return success();
}

template <bool log> static LogicalResult convertSoftmax(NodeContext &n) {
  return alongAxis(
      n, [&](Value x, int64_t axis) { return n.b.softmax(x, axis, log); });
}

/// 1 where the first largest element is.
static LogicalResult convertHardmax(NodeContext &n) {
  return alongAxis(n, [&](Value x, int64_t axis) {
    SmallVector<OpFoldResult> line(tensorType(x).getRank(),
                                   n.b.sizes.number(1));
    line[axis] = n.b.size(x, axis);
    Value places = n.b.reshape(n.b.iota(line[axis]), line);
    Value best = argReduced(n, ReduceKind::Max, x, axis, /*last=*/false);
    return n.b.cast(n.b.elementwise(EK::Eq, {places, best}),
                    tensorType(x).getElementType());
  });
}

/// GlobalAveragePool, GlobalMaxPool: all dimensions behind the channels.
template <Reduction kind> static LogicalResult globalPool(NodeContext &n) {
  Value x = n.input(0);
  int64_t rank = tensorType(x).getRank();
  if (rank < 3)
    return n.error("its input must be [N, C, D1, …]");
  n.output(0, reduced(n, kind, x, llvm::to_vector(llvm::seq<int64_t>(2, rank)),
                      true));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::reduceOps() {
  static const OpEntry ops[] = {
      {"", "ArgMax", 1, newestOpset, 1, argReduce<ReduceKind::Max>},
      {"", "ArgMin", 1, newestOpset, 1, argReduce<ReduceKind::Min>},
      {"", "CumProd", 26, newestOpset, 2, cumulative<ReduceKind::Prod>},
      {"", "CumSum", 11, newestOpset, 2, cumulative<ReduceKind::Sum>},
      {"", "GlobalAveragePool", 1, newestOpset, 1, globalPool<Reduction::Mean>},
      {"", "GlobalMaxPool", 1, newestOpset, 1, globalPool<Reduction::Max>},
      {"", "Hardmax", 1, newestOpset, 1, convertHardmax},
      {"", "LogSoftmax", 1, newestOpset, 1, convertSoftmax<true>},
      {"", "ReduceL1", 1, newestOpset, 1, reduction<Reduction::L1>},
      {"", "ReduceL2", 1, newestOpset, 1, reduction<Reduction::L2>},
      {"", "ReduceLogSum", 1, newestOpset, 1, reduction<Reduction::LogSum>},
      {"", "ReduceLogSumExp", 1, newestOpset, 1,
       reduction<Reduction::LogSumExp>},
      {"", "ReduceMax", 1, newestOpset, 1, reduction<Reduction::Max>},
      {"", "ReduceMean", 1, newestOpset, 1, reduction<Reduction::Mean>},
      {"", "ReduceMin", 1, newestOpset, 1, reduction<Reduction::Min>},
      {"", "ReduceProd", 1, newestOpset, 1, reduction<Reduction::Prod>},
      {"", "ReduceSum", 1, newestOpset, 1, reduction<Reduction::Sum>},
      {"", "ReduceSumSquare", 1, newestOpset, 1,
       reduction<Reduction::SumSquare>},
      {"", "Softmax", 1, newestOpset, 1, convertSoftmax<false>},
  };
  return ops;
}
