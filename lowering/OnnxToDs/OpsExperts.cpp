//===- OpsExperts.cpp - mixtures of experts of onnxruntime ----------------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;

namespace {
/// Weights of all experts [experts, rows, columns]; null if left out.
struct ExpertWeights {
  Value fc1, fc2, fc3;
};
} // namespace

/// Every second row of each expert from `first` on.
static Value everySecondRow(NodeContext &n, Value weights, int64_t first) {
  RankedTensorType type = tensorType(weights);
  auto numbers = [&](ArrayRef<int64_t> values) {
    return llvm::map_to_vector(values, [&](int64_t value) -> OpFoldResult {
      return n.b.sizes.number(value);
    });
  };
  return n.b.slice(
      weights, numbers({0, first, 0}),
      numbers({type.getDimSize(0), type.getDimSize(1) / 2, type.getDimSize(2)}),
      numbers({1, 2, 1}));
}

/// The gate and up of SwiGLU, as the activation and its layout say.
static LogicalResult gateAndUp(NodeContext &n, const ExpertWeights &weights,
                               Value &gate, Value &up) {
  StringRef activation = n.text("activation_type", "relu");
  int64_t fusion = n.integer("swiglu_fusion", 0);
  bool isSwiglu = activation == "swiglu";
  if (!isSwiglu && !(activation == "silu" && weights.fc3))
    return n.unsupported("experts with activation '" + activation +
                         "'; those with SwiGLU are (swiglu, or silu and fc3)");
  if (isSwiglu &&
      (n.number("activation_alpha", 1) != 1 ||
       n.number("activation_beta", 0) != 0 || n.attribute("swiglu_limit")))
    return n.unsupported("SwiGLU with activation_alpha, activation_beta or "
                         "swiglu_limit");
  gate = weights.fc1;
  up = weights.fc3;
  if (!isSwiglu || fusion == 0)
    return up ? success()
              : n.error("its SwiGLU is not fused, and it has no fc3");
  if (up)
    return n.error("its SwiGLU is fused, but it has an fc3");
  int64_t rows = tensorType(weights.fc1).getDimSize(1);
  if (rows % 2)
    return n.error("its fused SwiGLU has an odd number of rows");
  if (fusion == 1) {
    gate = everySecondRow(n, weights.fc1, 0);
    up = everySecondRow(n, weights.fc1, 1);
  } else if (fusion == 2) {
    OpFoldResult half = n.b.sizes.number(rows / 2);
    gate = n.b.sliceAlong(weights.fc1, 1, n.b.sizes.number(0), half);
    up = n.b.sliceAlong(weights.fc1, 1, half, half);
  } else {
    return n.unsupported("swiglu_fusion " + Twine(fusion));
  }
  return success();
}

/// The k experts with the largest softmax of the logits, and what they make of
/// every token.
static LogicalResult
convertMixture(NodeContext &n, const ExpertWeights &weights, bool normalize) {
  if (n.integer("use_sparse_mixer", 0))
    return n.unsupported("use_sparse_mixer");
  Value x = n.input(0), logits = n.input(1), gate, up;
  if (!weights.fc2)
    return n.error("its experts have no fc2");
  for (Value weight : {weights.fc1, weights.fc2, weights.fc3})
    if (weight && (tensorType(weight).getRank() != 3 ||
                   !tensorType(weight).hasStaticShape()))
      return n.error("the weights of its experts have no three fixed sizes");
  if (failed(gateAndUp(n, weights, gate, up)))
    return failure();
  int64_t rank = tensorType(x).getRank();
  if ((rank != 2 && rank != 3) || tensorType(logits).getRank() != 2)
    return n.error("it takes tokens of 2 or 3 dimensions and logits of 2");
  RankedTensorType inner = tensorType(gate);
  int64_t experts = inner.getDimSize(0), k = n.integer("k", 1);
  SmallVector<int64_t> transposed{experts, inner.getDimSize(2),
                                  inner.getDimSize(1)};
  if (tensorType(up).getShape() != inner.getShape() ||
      tensorType(weights.fc2).getShape() != ArrayRef(transposed) ||
      tensorType(x).getShape().back() != inner.getDimSize(2) ||
      tensorType(logits).getDimSize(1) != experts)
    return n.error("the sizes of its tokens, logits and weights do not agree");
  if (k < 1 || k > experts)
    return n.error("it chooses " + Twine(k) + " of " + Twine(experts) +
                   " experts");
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  OpFoldResult tokens = n.b.shape(logits)[0], width = dims.back();
  Value rows = n.b.reshape(x, {tokens, width});

  OpBuilder &b = n.b.b;
  SmallVector<OpFoldResult> chosen{tokens, n.b.sizes.number(k)};
  MLIRContext *context = b.getContext();
  auto route = ds::RouteOp::create(
      b, n.b.loc, n.b.typeOf(chosen, b.getF32Type()),
      n.b.typeOf(chosen, b.getI32Type()),
      RankedTensorType::get({experts}, b.getI32Type()),
      n.b.cast(logits, b.getF32Type()), /*bias=*/Value(),
      ds::RouteScoringAttr::get(context, ds::RouteScoring::Softmax),
      b.getI64IntegerAttr(k), /*groups=*/b.getI64IntegerAttr(1),
      /*kept_groups=*/b.getI64IntegerAttr(1),
      ds::GroupScoreAttr::get(context, ds::GroupScore::Max),
      ds::RouteFillAttr::get(context, ds::RouteFill::Zero),
      normalize ? b.getF64FloatAttr(0) : FloatAttr(), b.getF64FloatAttr(1));
  auto moe = ds::MoeOp::create(b, n.b.loc, rows, route.getWeights(),
                               route.getExperts(), gate, up, weights.fc2);
  n.output(0, n.b.reshape(n.b.track(moe, {tokens, width}), dims));
  return success();
}

/// com.microsoft MoE.
static LogicalResult convertMoe(NodeContext &n) {
  if (n.has(3) || n.has(5) || n.has(7))
    return n.unsupported("biases of experts");
  return convertMixture(n, {n.input(2), n.input(4), n.input(6)},
                        n.integer("normalize_routing_weights", 0));
}

/// Quantised weights [experts, rows, packed columns] as numbers.
static FailureOr<Value> expertWeights(NodeContext &n, unsigned input,
                                      unsigned zeroPoint, StringRef name) {
  Value packed = n.input(input), scales = n.input(input + 1);
  if (!packed)
    return Value();
  RankedTensorType type = tensorType(packed);
  if (!scales || type.getRank() != 3 || !type.hasStaticShape() ||
      !type.getElementType().isInteger(8))
    return n.error("the weights of its experts are no bytes of three fixed "
                   "sizes with scales");
  int64_t bits = n.integer((name + "_expert_weight_bits").str(),
                           n.integer("expert_weight_bits", 4));
  if (bits != 4 && bits != 8)
    return n.unsupported(Twine(bits) + "-bit weights");
  int64_t experts = type.getDimSize(0), rows = type.getDimSize(1),
          columns = type.getDimSize(2) * 8 / bits,
          block = n.integer("block_size", 0);
  // A scale for every row: one block. Its zero points are packed without gaps.
  bool isWhole = block <= 0;
  Value zero = n.input(zeroPoint);
  if (isWhole && zero && bits == 4)
    return n.unsupported("4-bit zero points without block_size");
  return unpackBlocks(n, packed, scales, zero, {experts, rows}, columns, bits,
                      isWhole ? columns : block);
}

/// com.microsoft QMoE. Its mixing weights are normalised, whatever
/// `normalize_routing_weights` says: the softmax is one of the chosen logits.
static LogicalResult convertQMoe(NodeContext &n) {
  if (n.text("quant_type", "int") != "int")
    return n.unsupported("quant_type '" + n.text("quant_type", "int") + "'");
  if (n.integer("weights_prepacked", -1) > 0)
    return n.unsupported("weights_prepacked");
  if (n.has(4) || n.has(7) || n.has(10))
    return n.unsupported("biases of experts");
  for (unsigned i = 14; i < n.inputCount(); ++i)
    if (n.has(i))
      return n.unsupported(i == 14 ? "router_weights" : "scales of FP4 or FP8");
  ExpertWeights weights;
  for (auto [weight, input, zeroPoint, name] :
       {std::tuple(&weights.fc1, 2u, 11u, "fc1"),
        std::tuple(&weights.fc2, 5u, 12u, "fc2"),
        std::tuple(&weights.fc3, 8u, 13u, "fc3")}) {
    FailureOr<Value> found = expertWeights(n, input, zeroPoint, name);
    if (failed(found))
      return failure();
    *weight = *found;
  }
  return convertMixture(n, weights, /*normalize=*/true);
}

ArrayRef<OpEntry> mlir::onnx::expertOps() {
  static const OpEntry ops[] = {
      {microsoft, "MoE", 1, 1, 3, convertMoe},
      {microsoft, "QMoE", 1, 1, 4, convertQMoe},
  };
  return ops;
}
