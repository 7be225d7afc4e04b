//===- CompareConfig.cpp - does a graph compute what config.json says? ----===//
//
// See CompareConfig.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/CheckpointToDs/CompareConfig.h"
#include "lowering/CheckpointToDs/RopeTable.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "passes/Match.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/Format.h"
#include <map>

using namespace mlir;
using namespace mlir::ds;

namespace {

/// What makes a table of cosines or sines: factor · cos(position · frequency).
struct Table {
  double factor = 1;
  /// As many as there are rotations, or twice, one behind the other; a
  /// constant.
  OpOperand *frequencies = nullptr;
};

/// The table that `value` is, seen through views, casts and doubling.
std::optional<Table> matchTable(Value value) {
  Table table;
  bool isAngle = false;
  while (Operation *op = value.getDefiningOp()) {
    if (isa<ReshapeOp, BroadcastOp, TransposeOp, CastOp, SliceOp, ConcatOp>(
            op)) {
      value = op->getOperand(0);
      continue;
    }
    auto elementwise = dyn_cast<ElementwiseOp>(op);
    if (!elementwise)
      return std::nullopt;
    if (!isAngle && (elementwise.getKind() == ElementwiseKind::Cos ||
                     elementwise.getKind() == ElementwiseKind::Sin)) {
      isAngle = true;
      value = elementwise.getOperands()[0];
      continue;
    }
    if (elementwise.getKind() != ElementwiseKind::Mul)
      return std::nullopt;
    bool found = false;
    for (unsigned i = 0; i < 2 && !found; ++i) {
      Value other = otherOperand(elementwise, i);
      DenseElementsAttr constant;
      std::optional<double> factor = matchSplat(other);
      if (!isAngle && factor) {
        table.factor *= *factor;
        value = elementwise.getOperands()[i];
        found = true;
      } else if (isAngle && matchPattern(other, m_Constant(&constant)) &&
                 constant.getNumElements() > 1) {
        table.frequencies = &elementwise->getOpOperand(1 - i);
        return table;
      }
    }
    if (!found)
      return std::nullopt;
  }
  return std::nullopt;
}

bool isNear(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

std::string printed(double value) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.6g", value);
  return text;
}

class Comparison {
public:
  Comparison(ModuleOp module, const checkpoint::ModelConfig &config, bool trust)
      : module(module), config(config), trust(trust) {}

  void run() {
    compareScales();
    compareRope();
    compareRouting();
    compareNorms();
    compareVocabulary();
  }

private:
  bool isDeepseek() const {
    return config.architecture != checkpoint::Architecture::Llama;
  }

  /// One warning for all `ops`, which have `value` where `wanted` is asked for.
  void differ(ArrayRef<Operation *> ops, StringRef what, const Twine &value,
              StringRef field, const Twine &wanted, StringRef consequence,
              bool canMend) {
    InFlightDiagnostic warning = ops.front()->emitWarning();
    warning << what << " is " << value << " in " << ops.size()
            << (ops.size() == 1 ? " op" : " ops") << " of the graph, but "
            << wanted << " by " << field
            << " of the configuration: " << consequence << "; ";
    if (!canMend)
      warning << "export the model again";
    else if (trust)
      warning << "compiled as the configuration says";
    else
      warning << "compiled as the graph says, --trust=config takes the "
                 "configuration's";
  }

  /// Groups ops by what `valueOf` says of them, calls `report` for each value
  /// that is not within `tolerance` of `wanted`, and, if trusted, `mend`.
  template <typename Op>
  void compareNumbers(function_ref<double(Op)> valueOf, double wanted,
                      double tolerance,
                      function_ref<void(double, ArrayRef<Operation *>)> report,
                      function_ref<void(Op)> mend) {
    std::map<double, SmallVector<Operation *>> different;
    module.walk([&](Op op) {
      double value = valueOf(op);
      if (!isNear(value, wanted, tolerance))
        different[value].push_back(op);
    });
    for (auto &[value, ops] : different) {
      report(value, ops);
      if (trust)
        for (Operation *op : ops)
          mend(cast<Op>(op));
    }
  }

  template <typename Op> void compareScalesOf(double wanted) {
    compareNumbers<Op>(
        [](Op op) { return op.getScale().convertToDouble(); }, wanted, 2e-3,
        [&](double value, ArrayRef<Operation *> ops) {
          differ(ops, "the scale of softmax", printed(value),
                 isDeepseek() ? "head sizes and rope_scaling" : "head_dim",
                 printed(wanted),
                 value < wanted ? "attention is flatter than in training"
                                : "attention is sharper than in training",
                 true);
        },
        [&](Op op) {
          op.setScaleAttr(Builder(op.getContext()).getF64FloatAttr(wanted));
        });
  }

  void compareScales() {
    double wanted = checkpoint::softmaxScale(config);
    compareScalesOf<AttentionOp>(wanted);
    compareScalesOf<CachedAttentionOp>(wanted);
    compareScalesOf<MlaOp>(wanted);
    compareScalesOf<MlaAbsorbedOp>(wanted);
  }

  void compareRope() {
    int64_t width = isDeepseek() ? config.deepseek.ropeDim : config.headDim;
    checkpoint::RopeTable wanted = checkpoint::ropeTable(config, width);
    SmallVector<Operation *> unknown, factors, frequencies;
    double factor = 1;
    size_t first = 0;
    double found = 0;
    module.walk([&](RopeOp op) {
      std::optional<Table> table = matchTable(op.getCos());
      DenseElementsAttr constant;
      if (!table ||
          !matchPattern(table->frequencies->get(), m_Constant(&constant)) ||
          constant.getNumElements() < int64_t(wanted.frequencies.size())) {
        unknown.push_back(op);
        return;
      }
      if (!isNear(table->factor, wanted.factor, 2e-3)) {
        factors.push_back(op);
        factor = table->factor;
      }
      auto values = llvm::to_vector(
          llvm::map_range(constant.getValues<APFloat>(), [](APFloat value) {
            bool lost;
            value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                          &lost);
            return value.convertToDouble();
          }));
      for (auto [i, frequency] : llvm::enumerate(wanted.frequencies))
        if (!isNear(values[i], frequency, 1e-4)) {
          if (frequencies.empty()) {
            first = i;
            found = values[i];
          }
          frequencies.push_back(op);
          return;
        }
    });
    if (!unknown.empty())
      unknown.front()->emitRemark()
          << "tables of " << unknown.size()
          << " rotations are no products of positions and constant "
             "frequencies: not compared with the configuration";
    if (!factors.empty())
      differ(factors, "the factor of RoPE's tables", printed(factor),
             "rope_scaling", printed(wanted.factor),
             "rotated parts weigh otherwise than in training", true);
    if (!frequencies.empty())
      differ(frequencies, ("RoPE's frequency " + Twine(first)).str(),
             printed(found), "rope_theta and rope_scaling",
             printed(wanted.frequencies[first]),
             "positions are turned by other angles than in training", true);
    if (trust)
      for (Operation *op :
           SetVector<Operation *>(factors.begin(), factors.end()))
        scaleTables(cast<RopeOp>(op), wanted.factor / factor);
    if (trust)
      for (Operation *op : frequencies)
        for (Value table :
             {cast<RopeOp>(op).getCos(), cast<RopeOp>(op).getSin()})
          if (std::optional<Table> made = matchTable(table))
            setFrequencies(*made->frequencies, wanted.frequencies);
  }

  void scaleTables(RopeOp op, double by) {
    OpBuilder b(op);
    for (OpOperand *table : {&op.getCosMutable(), &op.getSinMutable()}) {
      RankedTensorType type = tensorType(table->get());
      Attribute number = b.getFloatAttr(type.getElementType(), by);
      Value factor = arith::ConstantOp::create(
          b, op.getLoc(), DenseElementsAttr::get(type.clone({}), number));
      table->set(ElementwiseOp::create(b, op.getLoc(), type,
                                       ElementwiseKind::Mul,
                                       ValueRange{table->get(), factor}));
    }
  }

  /// Makes the constant `operand` the frequencies, once or twice.
  static void setFrequencies(OpOperand &operand, ArrayRef<double> frequencies) {
    RankedTensorType type = tensorType(operand.get());
    OpBuilder b(operand.getOwner());
    SmallVector<Attribute> values;
    for (int64_t i = 0; i < type.getNumElements(); ++i)
      values.push_back(b.getFloatAttr(
          type.getElementType(), frequencies[size_t(i) % frequencies.size()]));
    operand.set(arith::ConstantOp::create(
        b, operand.get().getLoc(), DenseElementsAttr::get(type, values)));
  }

  void compareRouting() {
    if (!isDeepseek() || !config.deepseek.routedExperts)
      return;
    const checkpoint::DeepseekConfig &deepseek = config.deepseek;
    int64_t experts = *deepseek.routedExperts;
    SmallVector<RouteOp> routes;
    module.walk([&](RouteOp op) { routes.push_back(op); });
    int64_t sparse = llvm::count(deepseek.isSparse, true);
    if (int64_t(routes.size()) < sparse)
      module.emitWarning()
          << "routing to experts was recognised in " << routes.size()
          << " layers, but " << sparse
          << " have experts by the configuration: the graph may hold only the "
             "experts that the traced input chose, and be wrong for any other; "
             "--remarks says what was not recognised";
    auto numbers = [&](StringRef what, StringRef field, int64_t wanted,
                       function_ref<int64_t(RouteOp)> valueOf,
                       StringRef consequence) {
      compareNumbers<RouteOp>([&](RouteOp op) { return double(valueOf(op)); },
                              double(wanted), 0,
                              [&](double value, ArrayRef<Operation *> ops) {
                                differ(ops, what, Twine(int64_t(value)), field,
                                       Twine(wanted), consequence, false);
                              },
                              [](RouteOp) {});
    };
    numbers(
        "the number of experts", "n_routed_experts", experts,
        [](RouteOp op) { return tensorType(op.getLogits()).getDimSize(1); },
        "some experts are never chosen");
    numbers(
        "the number of experts a token", "num_experts_per_tok",
        deepseek.expertsPerToken,
        [](RouteOp op) { return int64_t(op.getTopK()); },
        "layers with experts compute another sum");
    SmallVector<Operation *> scoring;
    for (RouteOp op : routes)
      if ((op.getScoring() == RouteScoring::Sigmoid) !=
          deepseek.scoresAreSigmoid)
        scoring.push_back(op);
    if (!scoring.empty())
      differ(scoring, "the scoring of experts",
             deepseek.scoresAreSigmoid ? "softmax" : "sigmoid", "scoring_func",
             deepseek.scoresAreSigmoid ? "sigmoid" : "softmax",
             "experts have other weights", false);
    compareNumbers<RouteOp>(
        [](RouteOp op) { return op.getScale().convertToDouble(); },
        deepseek.routedScale, 2e-3,
        [&](double value, ArrayRef<Operation *> ops) {
          differ(ops, "the scale of experts' weights", printed(value),
                 "routed_scaling_factor", printed(deepseek.routedScale),
                 "routed experts weigh otherwise beside the shared ones", true);
        },
        [&](RouteOp op) {
          op.setScaleAttr(
              Builder(op.getContext()).getF64FloatAttr(deepseek.routedScale));
        });
  }

  void compareNorms() {
    compareNumbers<RmsNormOp>(
        [&](RmsNormOp op) {
          double value = op.getEpsilon().convertToDouble();
          // Norms of latents keep the default of their class.
          return isDeepseek() && isNear(value, 1e-6, 1e-3) ? config.epsilon
                                                           : value;
        },
        config.epsilon, 1e-2,
        [&](double value, ArrayRef<Operation *> ops) {
          differ(ops, "epsilon of norms", printed(value), "rms_norm_eps",
                 printed(config.epsilon),
                 "small activations are scaled otherwise", true);
        },
        [&](RmsNormOp op) {
          op.setEpsilonAttr(
              Builder(op.getContext()).getF64FloatAttr(config.epsilon));
        });
  }

  void compareVocabulary() {
    module.walk([&](EmbeddingOp op) {
      int64_t rows = tensorType(op.getTable()).getDimSize(0);
      if (!ShapedType::isDynamic(rows) && rows != config.vocabulary)
        differ({op}, "the number of rows of the embedding", Twine(rows),
               "vocab_size", Twine(config.vocabulary),
               "ids of the tokenizer may have no row", false);
    });
  }

  ModuleOp module;
  const checkpoint::ModelConfig &config;
  bool trust;
};

} // namespace

void mlir::ds::compareWithConfig(ModuleOp module,
                                 const checkpoint::ModelConfig &config,
                                 bool trust) {
  Comparison(module, config, trust).run();
}
