//===- OpsLoss.cpp - losses over classes ----------------------------------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using ds::ReduceKind;
using onnx::tensorType;
using EK = ElementwiseKind;

/// −weight[target] · logProbability[target], reduced as the node says.
/// `logProbability` is [N, C, D1, …], the target [N, D1, …].
static LogicalResult likelihoodLoss(NodeContext &n, Value logProbability) {
  RankedTensorType type = tensorType(logProbability);
  int64_t rank = type.getRank();
  if (rank < 2 || tensorType(n.input(1)).getRank() != rank - 1)
    return n.error("it needs [N, C, D1, …] and [N, D1, …]");
  if (!isa<FloatType>(type.getElementType()) ||
      !isa<IntegerType>(tensorType(n.input(1)).getElementType()))
    return n.error("its scores are no floats, or its classes no integers");
  SmallVector<OpFoldResult> scores = n.b.shape(logProbability),
                            classes = n.b.shape(n.input(1));
  scores.erase(scores.begin() + 1);
  for (auto [a, c] : llvm::zip_equal(scores, classes))
    n.b.checkSameSize(a, c, "sizes of scores and classes");
  if (n.has(2) &&
      (tensorType(n.input(2)).getRank() != 1 ||
       tensorType(n.input(2)).getElementType() != type.getElementType()))
    return n.error("its weights are no vector of the scores' type");
  if (n.b.isWrong)
    return failure();
  StringRef reduction = n.text("reduction", "mean");
  if (reduction != "mean" && reduction != "sum" && reduction != "none")
    return n.error("its reduction is '" + reduction + "'");
  Type i64 = n.b.b.getI64Type(), element = type.getElementType();
  Value target = n.b.cast(n.input(1), i64);
  Value valid;
  if (n.attribute("ignore_index")) {
    Value ignored = n.b.scalar(i64, double(n.integer("ignore_index", 0)));
    valid =
        n.b.elementwise(EK::Not, {n.b.elementwise(EK::Eq, {target, ignored})});
    target = n.b.elementwise(EK::Select, {valid, target, n.b.scalar(i64, 0)});
  }
  SmallVector<OpFoldResult> dims = n.b.shape(target), kept(dims);
  Value index = n.b.unsqueeze(target, {1});
  SmallVector<OpFoldResult> one = n.b.shape(index);
  Value picked = n.b.track(
      ds::GatherElementsOp::create(n.b.b, n.b.loc, n.b.typeOf(one, element),
                                   logProbability, index, uint64_t(1)),
      one);
  Value loss = n.b.elementwise(EK::Neg, {n.b.reshape(picked, kept)});
  Value weight = n.has(2) ? n.b.gather(n.input(2), target, 0)
                          : n.b.broadcast(n.b.scalar(element, 1), dims);
  if (valid)
    weight =
        n.b.elementwise(EK::Select, {valid, weight, n.b.scalar(element, 0)});
  if (valid || n.has(2))
    loss = n.b.mul(loss, weight);
  auto sum = [&](Value value) {
    return n.b.reduce(ReduceKind::Sum, value,
                      llvm::to_vector(llvm::seq<int64_t>(0, rank - 1)), false);
  };
  if (reduction == "sum")
    loss = sum(loss);
  else if (reduction == "mean")
    loss = n.b.div(sum(loss), sum(weight));
  n.output(0, loss);
  return success();
}

static LogicalResult convertLikelihoodLoss(NodeContext &n) {
  return likelihoodLoss(n, n.input(0));
}

static LogicalResult convertCrossEntropyLoss(NodeContext &n) {
  if (tensorType(n.input(0)).getRank() < 2 ||
      !isa<FloatType>(tensorType(n.input(0)).getElementType()))
    return n.error("it needs floats [N, C, D1, …]");
  Value logProbability = n.b.softmax(n.input(0), 1, /*log=*/true);
  n.output(1, logProbability);
  return likelihoodLoss(n, logProbability);
}

ArrayRef<OpEntry> mlir::onnx::lossOps() {
  static const OpEntry ops[] = {
      {"", "NegativeLogLikelihoodLoss", 12, newestOpset, 2,
       convertLikelihoodLoss},
      {"", "SoftmaxCrossEntropyLoss", 12, newestOpset, 2,
       convertCrossEntropyLoss},
  };
  return ops;
}
