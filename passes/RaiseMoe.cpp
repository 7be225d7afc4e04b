//===- RaiseMoe.cpp - mixtures of experts become ds.route and ds.moe ------===//
//
// See Passes.td. What a mixture is made of is found by ExpertMatch.h; here are
// the places where one may end, and the ops that take its place.
//
//===----------------------------------------------------------------------===//
#include "passes/ExpertMatch.h"
#include "passes/FileRanges.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::ds {
#define GEN_PASS_DEF_RAISEMOE
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Sums that are one: additions, the results of which nothing else reads.
struct Addends {
  SmallVector<Value> leaves;
  SmallPtrSet<Operation *, 8> additions;

  explicit Addends(Value root) {
    SmallVector<Value> pending{root};
    while (!pending.empty()) {
      Value value = pending.pop_back_val();
      auto add = matchElementwise(value, ElementwiseKind::Add);
      if (!add || (value != root && !value.hasOneUse())) {
        leaves.push_back(value);
        continue;
      }
      additions.insert(add);
      pending.append({add.getOperands()[1], add.getOperands()[0]});
    }
  }
};

class MixtureRaiser {
public:
  MixtureRaiser(func::FuncOp function, SymbolTable &module)
      : function(function), module(module) {}

  void run();

private:
  bool raise(Value root);
  void build(Value root, const Addends &sum, const ExpertMixture &mixture,
             const llvm::SmallSetVector<Value, 8> &replaced,
             SymbolicElements &symbols);
  Value rebuild(OpBuilder &builder, Value value, const Addends &sum,
                const llvm::SmallSetVector<Value, 8> &replaced, Value &mixed);
  Value stacked(OpBuilder &builder, Location loc,
                ArrayRef<ExpertWeight> weights);
  Value hoisted(OpBuilder &builder, Value value);
  Value asParameter(OpBuilder &builder, Value value, StringRef name);
  Value asRows(OpBuilder &builder, Value value, Type element);
  void keepPrecise(Value logits);
  void eraseDead(Value value);

  func::FuncOp function;
  SymbolTable &module;
  /// Additions that were looked at as part of a sum, ops that are gone, and
  /// choices that are raised though some of their graph may be left for a
  /// while.
  SmallPtrSet<Operation *, 32> done, erased, raised;
  GroupedRowsMap groups;
  /// Choices of experts that were not raised, and why.
  llvm::MapVector<Operation *, std::string> left;
};

} // namespace

/// `value` as [tokens, width] of `element`.
Value MixtureRaiser::asRows(OpBuilder &builder, Value value, Type element) {
  Location loc = value.getLoc();
  RankedTensorType type = tensorType(value);
  if (type.getElementType() != element)
    value = CastOp::create(builder, loc,
                           RankedTensorType::get(type.getShape(), element),
                           value, true);
  if (type.getRank() == 2)
    return value;
  int64_t rows = 1;
  Value count;
  for (int64_t d = 0; d + 1 < type.getRank(); ++d) {
    if (type.isDynamicDim(d) || ShapedType::isDynamic(rows))
      rows = ShapedType::kDynamic;
    else
      rows *= type.getDimSize(d);
  }
  if (ShapedType::isDynamic(rows))
    for (int64_t d = 0; d + 1 < type.getRank(); ++d) {
      Value size = builder.createOrFold<tensor::DimOp>(loc, value, d);
      count = count ? arith::MulIOp::create(builder, loc, count, size) : size;
    }
  auto flat = RankedTensorType::get({rows, type.getShape().back()}, element);
  return ReshapeOp::create(builder, loc, flat, value,
                           count ? ValueRange(count) : ValueRange());
}

/// `value`, which depends on parameters alone, outside of branches and loops.
Value MixtureRaiser::hoisted(OpBuilder &builder, Value value) {
  Operation *op = value.getDefiningOp();
  if (op->getBlock() == &function.front())
    return value;
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, hoisted(builder, operand));
  return builder.clone(*op, mapping)
      ->getResult(cast<OpResult>(value).getResultNumber());
}

/// `value` as a parameter of its own, if it is bytes of files.
Value MixtureRaiser::asParameter(OpBuilder &builder, Value value,
                                 StringRef name) {
  if (value.getDefiningOp<LoadParameterOp>())
    return value;
  std::optional<SmallVector<FileRangeAttr>> ranges =
      fileRangesOf(value, module);
  if (!ranges)
    return value;
  SmallVector<Attribute> list(ranges->begin(), ranges->end());
  OpBuilder top(function);
  auto parameter =
      ParameterOp::create(top, value.getLoc(), builder.getStringAttr(name),
                          TypeAttr::get(value.getType()),
                          ArrayAttr::get(builder.getContext(), list));
  StringAttr unique = module.insert(parameter);
  return LoadParameterOp::create(builder, value.getLoc(), value.getType(),
                                 FlatSymbolRefAttr::get(unique));
}

/// The matrices of all experts as [experts, rows, columns].
Value MixtureRaiser::stacked(OpBuilder &builder, Location loc,
                             ArrayRef<ExpertWeight> weights) {
  const ExpertWeight &first = weights[0];
  SmallVector<int64_t> shape(tensorType(first.parameter).getShape());
  SmallVector<OpFoldResult> offsets(shape.size(), builder.getIndexAttr(0)),
      strides(shape.size(), builder.getIndexAttr(1)), sizes;
  for (int64_t size : shape)
    sizes.push_back(builder.getIndexAttr(size));
  bool isPart = shape[first.rowDim] != first.rows;
  offsets[first.rowDim] = builder.getIndexAttr(first.first);
  strides[first.rowDim] = builder.getIndexAttr(first.stride);
  sizes[first.rowDim] = builder.getIndexAttr(first.rows);
  shape[first.rowDim] = first.rows;
  SmallVector<int64_t> order{first.expertDim, first.rowDim, first.columnDim};
  bool isOne = first.expertDim < 0;
  if (isOne) {
    shape.insert(shape.begin(), 1);
    order = {0, first.rowDim + 1, first.columnDim + 1};
  }
  Type element = tensorType(first.parameter).getElementType();
  SmallVector<Value> parts;
  for (const ExpertWeight &weight : weights) {
    Value part = hoisted(builder, weight.parameter);
    if (isPart)
      part = SliceOp::create(builder, loc, part, offsets, sizes, strides);
    if (isOne)
      part =
          ReshapeOp::create(builder, loc, RankedTensorType::get(shape, element),
                            part, ValueRange());
    parts.push_back(part);
  }
  Value all = parts[0];
  if (parts.size() > 1) {
    shape[0] = parts.size();
    all = ConcatOp::create(builder, loc, RankedTensorType::get(shape, element),
                           uint64_t(0), parts);
  }
  auto load = first.parameter.getDefiningOp<LoadParameterOp>();
  all =
      asParameter(builder, all,
                  load ? (load.getParameter() + ".experts").str() : "experts");
  if (order == ArrayRef<int64_t>{0, 1, 2})
    return all;
  auto type = RankedTensorType::get(
      {shape[order[0]], shape[order[1]], shape[order[2]]}, element);
  return TransposeOp::create(builder, loc, type, all,
                             builder.getDenseI64ArrayAttr(order));
}

/// `value` without the summands in `replaced`, the first of which becomes
/// `mixed`; null if nothing is left.
Value MixtureRaiser::rebuild(OpBuilder &builder, Value value,
                             const Addends &sum,
                             const llvm::SmallSetVector<Value, 8> &replaced,
                             Value &mixed) {
  Operation *op = value.getDefiningOp();
  if (!op || !sum.additions.contains(op))
    return replaced.contains(value) ? std::exchange(mixed, Value()) : value;
  Value lhs = rebuild(builder, op->getOperand(0), sum, replaced, mixed),
        rhs = rebuild(builder, op->getOperand(1), sum, replaced, mixed);
  if (!lhs || !rhs)
    return lhs ? lhs : rhs;
  if (lhs == op->getOperand(0) && rhs == op->getOperand(1))
    return value;
  return ElementwiseOp::create(builder, op->getLoc(), value.getType(),
                               ElementwiseKind::Add, ValueRange{lhs, rhs});
}

/// Gives a router an f32 weight, so that no choice of how products are computed
/// rounds the tokens: neighbouring scores decide who computes.
void MixtureRaiser::keepPrecise(Value logits) {
  auto linear = logits.getDefiningOp<LinearOp>();
  if (!linear || !tensorType(logits).getElementType().isF32() ||
      tensorType(linear.getWeight()).getElementTypeBitWidth() >= 32)
    return;
  OpBuilder builder(linear);
  Value weight = linear.getWeight();
  linear.getWeightMutable().assign(
      CastOp::create(builder, linear.getLoc(),
                     RankedTensorType::get(tensorType(weight).getShape(),
                                           builder.getF32Type()),
                     weight, true));
}

void MixtureRaiser::eraseDead(Value value) {
  SmallVector<Operation *> pending{value.getDefiningOp()};
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val();
    if (!op || erased.contains(op) || !isOpTriviallyDead(op))
      continue;
    llvm::SetVector<Operation *> above;
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (Operation *made = operand.getDefiningOp();
            made && !op->isAncestor(made))
          above.insert(made);
      erased.insert(inner);
    });
    op->erase();
    llvm::append_range(pending, above);
  }
}

void MixtureRaiser::build(Value root, const Addends &sum,
                          const ExpertMixture &mixture,
                          const llvm::SmallSetVector<Value, 8> &replaced,
                          SymbolicElements &symbols) {
  OpBuilder builder(root.getDefiningOp());
  Location loc = root.getLoc();
  MLIRContext *context = builder.getContext();
  RouteChoice choice = mixture.choice;
  RankedTensorType type = tensorType(root);
  Type f32 = builder.getF32Type(), i32 = builder.getI32Type();

  keepPrecise(choice.logits);
  Value logits = asRows(builder, choice.logits, f32);
  Value bias = choice.bias ? hoisted(builder, choice.bias) : Value();
  if (bias && !tensorType(bias).getElementType().isF32())
    bias = CastOp::create(
        builder, loc, RankedTensorType::get(tensorType(bias).getShape(), f32),
        bias, true);
  auto vector = RankedTensorType::get({choice.experts}, f32);
  if (bias && bias.getType() != vector)
    bias = ReshapeOp::create(builder, loc, vector, bias, ValueRange());
  auto slots = [&](Type element) {
    return RankedTensorType::get(
        {tensorType(logits).getDimSize(0), choice.topK}, element);
  };
  auto route = RouteOp::create(
      builder, choice.topk.getLoc(), slots(f32), slots(i32),
      RankedTensorType::get({choice.experts}, i32), logits, bias,
      RouteScoringAttr::get(context, choice.scoring),
      builder.getI64IntegerAttr(choice.topK),
      builder.getI64IntegerAttr(choice.groups),
      builder.getI64IntegerAttr(choice.keptGroups),
      GroupScoreAttr::get(context, choice.groupScore),
      RouteFillAttr::get(context, choice.fill),
      mixture.normalize ? builder.getF64FloatAttr(*mixture.normalize)
                        : FloatAttr(),
      builder.getF64FloatAttr(mixture.scale));
  Value input = asRows(builder, mixture.input, type.getElementType());
  Value result = MoeOp::create(
      builder, loc, input, route.getWeights(), route.getExperts(),
      stacked(builder, loc, mixture.gate), stacked(builder, loc, mixture.up),
      stacked(builder, loc, mixture.down));

  if (result.getType() != type) {
    SmallVector<Value> dims;
    for (int64_t d = 0; d < type.getRank(); ++d) {
      if (!type.isDynamicDim(d))
        continue;
      Polynomial wanted = symbols.sizeOf(root, d);
      Value size;
      for (Value known : {mixture.input, choice.logits})
        for (int64_t i = 0; i < tensorType(known).getRank() && !size; ++i)
          if (tensorType(known).isDynamicDim(i) &&
              symbols.sizeOf(known, i) == wanted)
            size = builder.createOrFold<tensor::DimOp>(loc, known, i);
      for (Value part : replaced)
        if (auto reshape = part.getDefiningOp<ReshapeOp>(); reshape && !size)
          size = reshape.getDims()[type.getDynamicDimIndex(d)];
      dims.push_back(size ? size
                          : builder.createOrFold<tensor::DimOp>(loc, root, d));
    }
    result = ReshapeOp::create(builder, loc, type, result, dims);
  }
  Value whole = rebuild(builder, root, sum, replaced, result);
  root.replaceAllUsesWith(whole);
  eraseDead(root);
}

/// Raises the mixture that `root` is, alone or with other summands.
bool MixtureRaiser::raise(Value root) {
  auto type = dyn_cast<RankedTensorType>(root.getType());
  if (!type || type.getRank() < 2 || !isa<FloatType>(type.getElementType()) ||
      type.isDynamicDim(type.getRank() - 1) || type.getShape().back() == 1)
    return false;
  Addends sum(root);
  done.insert(sum.additions.begin(), sum.additions.end());
  SymbolicElements symbols;
  TokenIndex token;
  token.count = 1;
  SmallVector<Polynomial> at;
  for (int64_t d = 0; d + 1 < type.getRank(); ++d) {
    Polynomial size = symbols.sizeOf(root, d);
    at.push_back(size == Polynomial(1) ? Polynomial(0)
                                       : symbols.newIndex(size));
    token.number = token.number * size + at.back();
    token.count = token.count * size;
  }
  Polynomial columns(type.getShape().back());
  at.push_back(symbols.newIndex(columns));
  ExpertMatcher matcher(symbols, token, at.back(), columns, groups);

  SmallVector<ExpertPart, 0> parts;
  llvm::SmallSetVector<Value, 8> replaced;
  for (Value leaf : sum.leaves) {
    RankedTensorType leafType = tensorType(leaf);
    if (leafType.getRank() > type.getRank())
      return false;
    SmallVector<Polynomial> here = symbols.broadcastIndices(leaf, at);
    SmallVector<ExpertPart, 0> found;
    SmallVector<TermRef> others;
    if (!matcher.collect(symbols.originOf(leaf, here), found, others) ||
        !others.empty() ||
        llvm::any_of(found, [](auto &part) { return !part.isRouted(); }))
      continue;
    llvm::append_range(parts, found);
    replaced.insert(leaf);
  }
  std::optional<ExpertMixture> mixture;
  if (!parts.empty())
    mixture = matcher.mixtureOf(parts);
  auto isAtTop = [&](Value value) {
    return value.getParentBlock() == &function.front();
  };
  if (!mixture || !isAtTop(mixture->input) ||
      !isAtTop(mixture->choice.logits)) {
    if (TopKOp choice = matcher.seenChoice();
        choice && !raised.contains(choice) && !matcher.whyNot().empty())
      left.insert({choice, matcher.whyNot()});
    return false;
  }
  left.erase(mixture->choice.topk);
  raised.insert(mixture->choice.topk);
  build(root, sum, *mixture, replaced, symbols);
  return true;
}

void MixtureRaiser::run() {
  bool hasChoice = false;
  function.walk([&](TopKOp) { hasChoice = true; });
  if (!hasChoice || function.isExternal())
    return;
  for (auto concat : function.front().getOps<ConcatOp>())
    if (std::optional<GroupedRows> rows = GroupedRows::of(concat))
      groups[concat] = *rows;
  // From the results on, so that a mixture is met at its end.
  SmallVector<Operation *> ops;
  for (Operation &op : llvm::reverse(function.front()))
    if (isa<ElementwiseOp, ReduceOp, MatmulOp, ReshapeOp, ScatterElementsOp,
            ScatterNdOp, scf::IfOp, scf::WhileOp>(op))
      ops.push_back(&op);
  for (Operation *op : ops) {
    if (erased.contains(op) || done.contains(op))
      continue;
    for (Value result : op->getResults())
      if (raise(result))
        break;
  }
  for (auto &[op, why] : left)
    if (!erased.contains(op))
      op->emitRemark() << "looks like the choice of experts, but " << why
                       << ": left as it is";
}

namespace {
struct RaiseMoe : ds::impl::RaiseMoeBase<RaiseMoe> {
  void runOnOperation() override {
    SymbolTable module(getOperation());
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      MixtureRaiser(function, module).run();
  }
};
} // namespace
