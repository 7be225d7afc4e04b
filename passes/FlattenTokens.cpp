//===- FlattenTokens.cpp - a causal model becomes a step on tokens --------===//
//
// See Passes.td. The step is rebuilt from the logits upwards: each value of the
// graph that has a batch and a row dimension becomes one with a single leading
// token dimension. What that needs of a value is a property of its op and of
// its sizes, so any composition of the ops below is flattened, not one
// architecture.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "passes/LanguageModel.h"
#include "passes/Match.h"
#include "passes/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FLATTENTOKENS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Rebuilds values of the graph in the step function.
class Flattener {
public:
  explicit Flattener(LanguageModel &model)
      : model(model), symbols(model.symbols),
        builder(model.function.getContext()), f32(builder.getF32Type()) {}

  /// Makes @step beside @graph; null after a remark.
  func::FuncOp run();

private:
  /// Where the batch and row dimensions of a value are; −1 = it has none.
  struct Layout {
    int64_t batch = -1, row = -1;
    bool merged = false; // one dimension of batch·rows, at `row`
    bool isToken() const { return row >= 0; }
    bool isLead(int64_t d) const { return d == batch || d == row; }
  };
  Layout layoutOf(Value value);

  Value flatten(Value value);
  Value flattenOp(Value value);
  Value flattenElementwise(ElementwiseOp op);
  Value flattenReshape(ReshapeOp op);
  Value flattenTranspose(TransposeOp op);
  Value flattenSlice(SliceOp op);
  Value flattenAttention(AttentionOp op);
  Value flattenGather(GatherOp op);
  Value appendCache(CacheTensor &cache, Value slot);
  Value cachedRows(CacheTensor &cache);
  /// `op`, which works element by element, on `rows` instead of `data`.
  Value reapply(Operation *op, Value data, Value rows);

  /// A value that is the same for all tokens, cloned.
  Value import(Value value);
  /// `value` of the graph for use beside [N, rest…]: flattened if it has rows.
  Value operandFor(Value value, Layout result, ArrayRef<int64_t> resultShape);
  /// Positions of all tokens as `type`, rank 1.
  Value positionsAs(Type type, int64_t offset);

  Value reshapeRest(Value value, ArrayRef<int64_t> rest);
  Value asF32(Value value);
  Type activationType(Type type) {
    return isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 32 ? f32
                                                                     : type;
  }
  Value tokenCount(Value like);
  Value fail(Value value, const Twine &why);

  LanguageModel &model;
  SymbolicElements &symbols;
  OpBuilder builder;
  Type f32;
  Location loc = UnknownLoc::get(builder.getContext());
  bool failed = false;

  DenseMap<Value, Value> flat, imported;
  DenseMap<Value, Value> cacheOf; // past argument → newest cache value
  Value tokens, rowStart, pastLength, cacheSlot, logitRows, positions;
};

} // namespace

Value Flattener::fail(Value value, const Twine &why) {
  if (!failed)
    emitRemark(value.getLoc()) << "not compiled as a language model: " << why;
  failed = true;
  return nullptr;
}

Flattener::Layout Flattener::layoutOf(Value value) {
  Layout layout;
  RankedTensorType type = tensorType(value);
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (!type.isDynamicDim(d))
      continue;
    Polynomial size = symbols.sizeOf(value, d);
    if (size == model.rows && layout.row < 0)
      layout.row = d;
    else if (size == model.batch * model.rows && layout.row < 0) {
      layout.row = d;
      layout.merged = true;
    } else if (size == model.batch && layout.batch < 0)
      layout.batch = d;
  }
  // A batch of one is a number: it stands before the rows.
  return layout;
}

Value Flattener::tokenCount(Value like) {
  return tensor::DimOp::create(builder, loc, like, 0);
}

Value Flattener::reshapeRest(Value value, ArrayRef<int64_t> rest) {
  RankedTensorType type = tensorType(value);
  SmallVector<int64_t> shape{type.getDimSize(0)};
  llvm::append_range(shape, rest);
  auto result = RankedTensorType::get(shape, type.getElementType());
  if (result == type)
    return value;
  SmallVector<Value> dims;
  if (type.isDynamicDim(0))
    dims.push_back(tokenCount(value));
  return ReshapeOp::create(builder, loc, result, value, dims);
}

Value Flattener::asF32(Value value) {
  RankedTensorType type = tensorType(value);
  Type wanted = activationType(type.getElementType());
  if (wanted == type.getElementType())
    return value;
  return CastOp::create(builder, loc,
                        RankedTensorType::get(type.getShape(), wanted), value,
                        true);
}

Value Flattener::positionsAs(Type type, int64_t offset) {
  RankedTensorType from = tensorType(positions);
  Value result = positions;
  if (type != from.getElementType())
    result = CastOp::create(builder, loc,
                            RankedTensorType::get(from.getShape(), type),
                            positions, true);
  if (offset != 0) {
    auto scalar = RankedTensorType::get({}, type);
    Attribute number = isa<FloatType>(type)
                           ? Attribute(builder.getFloatAttr(type, offset))
                           : Attribute(builder.getIntegerAttr(type, offset));
    Value constant = arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(scalar, number));
    result = ElementwiseOp::create(builder, loc, result.getType(),
                                   ElementwiseKind::Add,
                                   ValueRange{result, constant});
  }
  return result;
}

Value Flattener::import(Value value) {
  if (Value done = imported.lookup(value))
    return done;
  Operation *op = value.getDefiningOp();
  if (!op)
    return fail(value, "an input takes part in the computation in a way that "
                       "is not token by token");
  if (!isa<DsDialect, arith::ArithDialect, tensor::TensorDialect>(
          op->getDialect()) ||
      op->getNumRegions() != 0 || !isMemoryEffectFree(op))
    return fail(value,
                "'" + op->getName().getStringRef() + "' is not understood");
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    Value mapped = import(operand);
    if (!mapped)
      return nullptr;
    mapping.map(operand, mapped);
  }
  Operation *clone = builder.clone(*op, mapping);
  for (auto [from, to] : llvm::zip_equal(op->getResults(), clone->getResults()))
    imported[from] = to;
  return imported[value];
}

Value Flattener::flatten(Value value) {
  if (failed)
    return nullptr;
  if (Value done = flat.lookup(value))
    return done;
  Value result = flattenOp(value);
  if (result)
    flat[value] = result;
  return result;
}

Value Flattener::flattenOp(Value value) {
  loc = value.getLoc();
  RankedTensorType type = tensorType(value);
  Layout layout = layoutOf(value);

  // Positions, however they are made: past + row (+ a number).
  if (layout.isToken() && isa<IntegerType>(type.getElementType()) &&
      !type.getElementType().isInteger(1)) {
    SmallVector<Polynomial> at;
    for (int64_t d = 0; d < type.getRank(); ++d)
      at.push_back(type.getDimSize(d) == 1
                       ? Polynomial(0)
                       : symbols.newIndex(symbols.sizeOf(value, d)));
    TermRef element = symbols.elementOf(value, at);
    if (element->kind == Term::Kind::Integer) {
      std::optional<int64_t> offset =
          (element->polynomial - model.past - at[layout.row]).getConstant();
      if (offset) {
        SmallVector<int64_t> rest;
        for (int64_t d = 0; d < type.getRank(); ++d)
          if (!layout.isLead(d) && !(d < layout.row && type.getDimSize(d) == 1))
            rest.push_back(type.getDimSize(d));
        return reshapeRest(positionsAs(type.getElementType(), *offset), rest);
      }
    }
  }
  Operation *op = value.getDefiningOp();
  if (value == model.tokens)
    return tokens;
  if (!op)
    return fail(value, "an input takes part in the computation in a way that "
                       "is not token by token");

  if (auto cast = dyn_cast<CastOp>(op)) {
    Value input = flatten(cast.getInput());
    if (!input)
      return nullptr;
    Type wanted = activationType(type.getElementType());
    RankedTensorType inputType = tensorType(input);
    if (inputType.getElementType() == wanted)
      return input;
    return CastOp::create(builder, loc,
                          RankedTensorType::get(inputType.getShape(), wanted),
                          input, cast.getSaturate());
  }
  if (isa<QuantizeOp, DequantizeOp>(op)) {
    auto dequantize = dyn_cast<DequantizeOp>(op);
    if (dequantize && tensorType(dequantize.getScale()).getRank() != 0)
      return fail(value, "token rows are dequantised with more than one scale");
    Value input = flatten(op->getOperand(0));
    return input ? reapply(op, op->getOperand(0), input) : nullptr;
  }
  if (auto embedding = dyn_cast<EmbeddingOp>(op)) {
    Value ids = flatten(embedding.getIds()),
          table = import(embedding.getTable());
    if (!ids || !table)
      return nullptr;
    auto result =
        RankedTensorType::get({ShapedType::kDynamic, type.getShape().back()},
                              activationType(type.getElementType()));
    return EmbeddingOp::create(builder, loc, result, ids, table);
  }
  if (auto linear = dyn_cast<LinearOp>(op)) {
    Value input = flatten(linear.getInput()),
          weight = import(linear.getWeight());
    Value bias = linear.getBias() ? import(linear.getBias()) : Value();
    if (!input || !weight || (linear.getBias() && !bias))
      return nullptr;
    if (tensorType(input).getRank() != 2)
      return fail(value, "a product does not run over the last dimension of "
                         "token rows");
    auto result =
        RankedTensorType::get({ShapedType::kDynamic, type.getShape().back()},
                              activationType(type.getElementType()));
    return LinearOp::create(builder, loc, result, input, weight, bias);
  }
  if (auto norm = dyn_cast<RmsNormOp>(op)) {
    Value input = flatten(norm.getInput()), weight = import(norm.getWeight());
    if (!input || !weight)
      return nullptr;
    auto result = RankedTensorType::get(tensorType(input).getShape(),
                                        activationType(type.getElementType()));
    // In f32 there is nothing to round before the weight.
    return RmsNormOp::create(builder, loc, result, input, weight,
                             norm.getEpsilonAttr(), UnitAttr());
  }
  if (auto rope = dyn_cast<RopeOp>(op)) {
    Value input = flatten(rope.getInput()), cos = flatten(rope.getCos()),
          sin = flatten(rope.getSin());
    if (!input || !cos || !sin)
      return nullptr;
    return RopeOp::create(builder, loc, input.getType(), input, cos, sin,
                          rope.getLayoutIn(), rope.getLayoutOut());
  }
  if (auto swiglu = dyn_cast<SwigluOp>(op)) {
    Value gate = flatten(swiglu.getGate()), up = flatten(swiglu.getUp());
    if (!gate || !up)
      return nullptr;
    return SwigluOp::create(builder, loc, gate.getType(), gate, up);
  }
  if (auto elementwise = dyn_cast<ElementwiseOp>(op))
    return flattenElementwise(elementwise);
  if (auto reshape = dyn_cast<ReshapeOp>(op))
    return flattenReshape(reshape);
  if (auto transpose = dyn_cast<TransposeOp>(op))
    return flattenTranspose(transpose);
  if (auto slice = dyn_cast<SliceOp>(op))
    return flattenSlice(slice);
  if (auto attention = dyn_cast<AttentionOp>(op))
    return flattenAttention(attention);
  if (auto gather = dyn_cast<GatherOp>(op))
    return flattenGather(gather);
  if (auto concat = dyn_cast<ConcatOp>(op)) {
    if (layout.isLead(concat.getAxis()))
      return fail(value, "tokens are concatenated");
    SmallVector<Value> inputs;
    for (Value input : concat.getInputs()) {
      inputs.push_back(flatten(input));
      if (!inputs.back())
        return nullptr;
    }
    int64_t axis = 1;
    for (int64_t d = 0; d < int64_t(concat.getAxis()); ++d)
      axis += !layout.isLead(d);
    SmallVector<int64_t> shape(tensorType(inputs[0]).getShape());
    shape[axis] = type.getDimSize(concat.getAxis());
    return ConcatOp::create(
        builder, loc,
        RankedTensorType::get(shape, tensorType(inputs[0]).getElementType()),
        uint64_t(axis), inputs);
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    // Over the batch alone: rows of all sequences are laid end to end anyway.
    Layout from = layoutOf(broadcast.getInput());
    RankedTensorType inputType = tensorType(broadcast.getInput());
    int64_t extra = type.getRank() - inputType.getRank();
    bool batchOnly = from.isToken() && layout.isToken();
    for (int64_t d = 0; d < type.getRank(); ++d) {
      int64_t size = d < extra ? 1 : inputType.getDimSize(d - extra);
      if (d != layout.batch && d != layout.row)
        batchOnly &= d >= extra && size == type.getDimSize(d);
    }
    if (batchOnly)
      return flatten(broadcast.getInput());
  }
  return fail(value, "'" + op->getName().getStringRef() +
                         "' does not work token by token here");
}

Value Flattener::operandFor(Value value, Layout result,
                            ArrayRef<int64_t> resultShape) {
  RankedTensorType type = tensorType(value);
  int64_t resultRank = resultShape.size();
  int64_t missing = resultRank - type.getRank();
  Layout layout = layoutOf(value);
  if (layout.isToken()) {
    if (layout.row + missing != result.row)
      return fail(value, "rows of tokens meet another dimension");
    Value rows = flatten(value);
    if (!rows)
      return nullptr;
    // Unit dimensions before the rows went; the result may keep its own there.
    SmallVector<int64_t> rest;
    for (int64_t d = 0; d < resultRank; ++d) {
      bool gone = d < result.row && resultShape[d] == 1;
      if (!result.isLead(d) && !gone)
        rest.push_back(d < missing ? 1 : type.getDimSize(d - missing));
    }
    return reshapeRest(rows, rest);
  }
  // The same for all tokens: what is left of its leading dimensions is 1.
  SmallVector<int64_t> rest;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (!result.isLead(d + missing) &&
        !(d + missing < result.row && resultShape[d + missing] == 1)) {
      rest.push_back(type.getDimSize(d));
      continue;
    }
    if (type.getDimSize(d) != 1)
      return fail(value, "a value differs by sequence, not by token");
  }
  if (llvm::is_contained(rest, ShapedType::kDynamic))
    return fail(value, "a value has a size that is neither tokens nor fixed");
  Value constant = import(value);
  if (!constant)
    return nullptr;
  auto reshaped = RankedTensorType::get(rest, type.getElementType());
  if (constant.getType() != reshaped)
    constant =
        ReshapeOp::create(builder, loc, reshaped, constant, ValueRange());
  return asF32(constant);
}

Value Flattener::flattenElementwise(ElementwiseOp op) {
  Layout layout = layoutOf(op);
  if (!layout.isToken())
    return fail(op, "a value is not made token by token");
  if (layout.merged)
    layout.batch = -1;
  ArrayRef<int64_t> resultShape = tensorType(op.getResult()).getShape();
  // A guard for rows that see no key: with all tokens present it is decided.
  if (op.getKind() == ElementwiseKind::Select) {
    Value condition = op.getOperands()[0];
    SmallVector<Polynomial> at;
    for (int64_t d = 0; d < tensorType(condition).getRank(); ++d)
      at.push_back(tensorType(condition).getDimSize(d) == 1
                       ? Polynomial(0)
                       : symbols.newIndex(symbols.sizeOf(condition, d)));
    TermRef decided = symbols.elementOf(condition, at);
    if (decided->kind == Term::Kind::Boolean) {
      Value chosen = op.getOperands()[decided->truth ? 1 : 2];
      if (chosen.getType() == op.getType())
        return flatten(chosen);
    }
  }
  SmallVector<Value> operands;
  for (Value operand : op.getOperands()) {
    operands.push_back(operandFor(operand, layout, resultShape));
    if (!operands.back())
      return nullptr;
  }
  // Result shape by broadcasting; the token dimension is dynamic.
  SmallVector<int64_t> shape;
  for (Value operand : operands) {
    ArrayRef<int64_t> other = tensorType(operand).getShape();
    if (other.size() > shape.size())
      shape.insert(shape.begin(), other.size() - shape.size(), 1);
    for (unsigned i = 0; i < other.size(); ++i) {
      int64_t &size = shape[shape.size() - 1 - i];
      if (size == 1)
        size = other[other.size() - 1 - i];
    }
  }
  Type element = activationType(tensorType(op.getResult()).getElementType());
  return ElementwiseOp::create(builder, op.getLoc(),
                               RankedTensorType::get(shape, element),
                               op.getKind(), operands);
}

Value Flattener::flattenReshape(ReshapeOp op) {
  Layout to = layoutOf(op), from = layoutOf(op.getInput());
  RankedTensorType type = tensorType(op.getResult());
  if (!to.isToken() || !from.isToken())
    return fail(op, "a reshape mixes tokens with other dimensions");
  // The token dimensions must lead on both sides (units may stand before), and
  // nothing but fixed sizes may follow.
  auto leads = [&](Value value, Layout layout) {
    RankedTensorType t = tensorType(value);
    for (int64_t d = 0; d < t.getRank(); ++d) {
      bool unit = t.getDimSize(d) == 1;
      if (d < layout.row && !layout.isLead(d) && !unit)
        return false;
      if (d > layout.row && !layout.isLead(d) && t.isDynamicDim(d))
        return false;
    }
    return layout.batch < layout.row;
  };
  Value input = flatten(op.getInput());
  if (!input)
    return nullptr;
  SmallVector<int64_t> rest;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (!to.isLead(d) && !(d < to.row && type.getDimSize(d) == 1))
      rest.push_back(type.getDimSize(d));
  if (!leads(op.getInput(), from) || !leads(op, to)) {
    // Elements may keep their places within a token all the same: only unit
    // dimensions moved.
    auto nonUnit = [](ArrayRef<int64_t> shape) {
      SmallVector<int64_t> result;
      for (int64_t size : shape)
        if (size != 1)
          result.push_back(size);
      return result;
    };
    if (nonUnit(tensorType(op.getInput()).getShape()) !=
        nonUnit(type.getShape()))
      return fail(op, "a reshape mixes tokens with other dimensions");
  }
  return reshapeRest(input, rest);
}

Value Flattener::flattenTranspose(TransposeOp op) {
  Layout from = layoutOf(op.getInput()), to = layoutOf(op);
  if (!from.isToken() || !to.isToken())
    return fail(op, "a transpose moves something that is no token row");
  Value input = flatten(op.getInput());
  if (!input)
    return nullptr;
  // Dimensions other than batch and rows, in old and new order.
  SmallVector<int64_t> oldRest, perm{0};
  RankedTensorType fromType = tensorType(op.getInput());
  for (int64_t d = 0; d < fromType.getRank(); ++d)
    if (!from.isLead(d) && !(d < from.row && fromType.getDimSize(d) == 1))
      oldRest.push_back(d);
  RankedTensorType type = tensorType(op.getResult());
  for (auto [j, d] : llvm::enumerate(op.getPerm())) {
    auto *it = llvm::find(oldRest, d);
    if (it != oldRest.end() &&
        !(int64_t(j) < to.row && type.getDimSize(j) == 1))
      perm.push_back(1 + (it - oldRest.begin()));
  }
  RankedTensorType inputType = tensorType(input);
  if (int64_t(perm.size()) != inputType.getRank() || !isPermutationVector(perm))
    return fail(op, "a transpose moves unit dimensions across token rows");
  if (isIdentityPermutation(perm))
    return input;
  return TransposeOp::create(
      builder, op.getLoc(),
      RankedTensorType::get(applyPermutation(inputType.getShape(), perm),
                            inputType.getElementType()),
      input, builder.getDenseI64ArrayAttr(perm));
}

Value Flattener::flattenSlice(SliceOp op) {
  Layout from = layoutOf(op.getInput());
  if (!from.isToken())
    return fail(op, "a slice of something that is no token row");
  Value input = flatten(op.getInput());
  if (!input)
    return nullptr;
  RankedTensorType type = tensorType(op.getInput());
  RankedTensorType inputType = tensorType(input);
  SmallVector<OpFoldResult> offsets{builder.getIndexAttr(0)},
      sizes{tokenCount(input)}, strides{builder.getIndexAttr(1)};
  bool whole = true;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    OpFoldResult offset = op.getMixedOffsets()[d], size = op.getMixedSizes()[d],
                 stride = op.getMixedStrides()[d];
    if (from.isLead(d)) {
      // All tokens; or the last one, whose logits the caller asks for by row.
      bool all = symbols.valueOf(size) == symbols.sizeOf(op.getInput(), d);
      bool last = d == from.row && getConstantIntValue(size) == 1 &&
                  symbols.valueOf(offset) == model.rows - 1;
      if (!all && !last)
        return fail(op, "only some of the tokens are used");
      continue;
    }
    if (d < from.row && type.getDimSize(d) == 1)
      continue;
    if (!getConstantIntValue(offset) || !getConstantIntValue(size) ||
        !getConstantIntValue(stride))
      return fail(op, "a slice depends on the number of tokens");
    whole &= getConstantIntValue(offset) == 0 &&
             getConstantIntValue(size) == type.getDimSize(d);
    offsets.push_back(offset);
    sizes.push_back(size);
    strides.push_back(stride);
  }
  if (whole)
    return input;
  if (int64_t(offsets.size()) != inputType.getRank())
    return fail(op, "a slice cuts unit dimensions before the tokens");
  return SliceOp::create(builder, op.getLoc(), input, offsets, sizes, strides);
}

Value Flattener::flattenGather(GatherOp op) {
  // Rows of a table by position, or another per-token lookup.
  if (op.getAxis() != 0 || !isParameterValue(op.getInput()))
    return fail(op, "a gather is not a lookup of a table by token");
  Value indices = flatten(op.getIndices()), table = import(op.getInput());
  if (!indices || !table)
    return nullptr;
  SmallVector<int64_t> shape(tensorType(indices).getShape());
  llvm::append_range(shape, tensorType(table).getShape().drop_front());
  Value rows = GatherOp::create(
      builder, op.getLoc(),
      RankedTensorType::get(shape, tensorType(table).getElementType()), table,
      indices, builder.getI64IntegerAttr(0));
  return asF32(rows);
}

Value Flattener::reapply(Operation *op, Value data, Value rows) {
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    operands.push_back(operand == data ? rows : import(operand));
    if (!operands.back())
      return nullptr;
  }
  Type element = activationType(tensorType(op->getResult(0)).getElementType());
  auto type = RankedTensorType::get(tensorType(rows).getShape(), element);
  return builder
      .create(op->getLoc(), op->getName().getIdentifier(), operands, {type},
              op->getAttrs())
      ->getResult(0);
}

/// The new rows of `cache`, [N, heads, width].
Value Flattener::cachedRows(CacheTensor &cache) {
  Value rows = flatten(cache.rows);
  for (Operation *op : cache.afterAppend)
    if (rows)
      rows = reapply(op, dataOperand(op), rows);
  if (!rows)
    return nullptr;
  RankedTensorType type = tensorType(rows);
  if (!cache.widthFirst)
    return reshapeRest(rows, {cache.heads, cache.width});
  rows = reshapeRest(rows, {cache.width, cache.heads});
  return TransposeOp::create(
      builder, loc,
      RankedTensorType::get({type.getDimSize(0), cache.heads, cache.width},
                            type.getElementType()),
      rows, builder.getDenseI64ArrayAttr({0, 2, 1}));
}

Value Flattener::appendCache(CacheTensor &cache, Value slots) {
  Value rows = cachedRows(cache);
  if (!rows)
    return nullptr;
  Value before = cacheOf.lookup(cache.past);
  Value after =
      CacheAppendOp::create(builder, cache.appended.getLoc(), before.getType(),
                            rows, before, rowStart, pastLength, cacheSlot);
  cacheOf[cache.past] = after;
  return after;
}

Value Flattener::flattenAttention(AttentionOp op) {
  CachedLayer *layer =
      llvm::find_if(model.layers, [&](auto &l) { return l.attention == op; });
  // Row s must see exactly the keys up to past + s.
  Value mask = op.getMask();
  SmallVector<Polynomial> at;
  Polynomial total = model.past + model.rows;
  at.push_back(symbols.newIndex(model.batch));
  at.push_back(symbols.newIndex(tensorType(op.getQuery()).getDimSize(2)));
  at.push_back(symbols.newIndex(model.rows));
  at.push_back(symbols.newIndex(total));
  if (!mask && !op.getCausal())
    return fail(op, "an attention lets every row see every key");
  if (mask) {
    Polynomial row = at[2], column = at[3];
    RankedTensorType type = tensorType(mask);
    SmallVector<Polynomial> indices(
        ArrayRef<Polynomial>(at).take_back(type.getRank()));
    for (auto [index, size] : llvm::zip_equal(indices, type.getShape()))
      if (size == 1)
        index = 0;
    TermRef allowed = symbols.asAllowed(symbols.elementOf(mask, indices));
    bool causal = allowed && allowed->kind == Term::Kind::NonNegative &&
                  allowed->polynomial == model.past + row - column;
    // A mask of padding alone beside the causal rule adds nothing here.
    bool nothing = op.getCausal() && allowed &&
                   allowed->kind == Term::Kind::Boolean && allowed->truth;
    if (!causal && !nothing)
      return fail(op, "the mask of an attention could not be proven causal");
  }
  Value query = flatten(op.getQuery());
  if (!query)
    return nullptr;
  Value key = appendCache(layer->key, cacheSlot);
  if (!key)
    return nullptr;
  Value value = appendCache(layer->value, cacheSlot);
  if (!value)
    return nullptr;
  SmallVector<int64_t> shape(tensorType(query).getShape());
  shape.back() = layer->value.width;
  return CachedAttentionOp::create(
      builder, op.getLoc(), RankedTensorType::get(shape, f32), query, key,
      value, rowStart, pastLength, cacheSlot, op.getScaleAttr());
}

func::FuncOp Flattener::run() {
  MLIRContext *context = builder.getContext();
  int64_t dynamic = ShapedType::kDynamic;
  auto i32s = RankedTensorType::get({dynamic}, builder.getI32Type());
  SmallVector<Type> inputs(5, i32s);
  SmallVector<std::string> inputNames{"tokens", "row_start", "past_length",
                                      "cache_slot", "logit_rows"};
  SmallVector<CacheTensor *> caches;
  SmallVector<std::string> cacheNames;
  for (auto [i, layer] : llvm::enumerate(model.layers)) {
    caches.push_back(&layer.key);
    caches.push_back(&layer.value);
    cacheNames.push_back(("cache." + Twine(i) + ".k").str());
    cacheNames.push_back(("cache." + Twine(i) + ".v").str());
  }
  SmallVector<Type> cacheTypes;
  for (CacheTensor *cache : caches)
    cacheTypes.push_back(RankedTensorType::get(
        {dynamic, cache->heads, dynamic, cache->width}, f32));
  llvm::append_range(inputs, cacheTypes);
  llvm::append_range(inputNames, cacheNames);

  int64_t vocabulary = tensorType(model.logits).getShape().back();
  int64_t hiddenSize = tensorType(model.head.getInput()).getShape().back();
  SmallVector<Type> results{RankedTensorType::get({dynamic, vocabulary}, f32),
                            RankedTensorType::get({dynamic, hiddenSize}, f32)};
  llvm::append_range(results, cacheTypes);

  builder.setInsertionPoint(model.function);
  auto step = func::FuncOp::create(builder, model.function.getLoc(), "step",
                                   builder.getFunctionType(inputs, results));
  step->setAttr("ds.entry", builder.getStringAttr("step"));
  for (auto [i, name] : llvm::enumerate(inputNames))
    step.setArgAttr(i, "ds.name", builder.getStringAttr(name));
  step.setResultAttr(0, "ds.name", builder.getStringAttr("logits"));
  step.setResultAttr(1, "ds.name", builder.getStringAttr("hidden"));
  for (auto [i, name] : llvm::enumerate(cacheNames))
    step.setResultAttr(2 + i, "ds.name", builder.getStringAttr(name));
  Block *body = step.addEntryBlock();
  builder.setInsertionPointToStart(body);
  tokens = body->getArgument(0);
  rowStart = body->getArgument(1);
  pastLength = body->getArgument(2);
  cacheSlot = body->getArgument(3);
  logitRows = body->getArgument(4);
  for (auto [i, cache] : llvm::enumerate(caches))
    cacheOf[cache->past] = body->getArgument(5 + i);
  loc = model.function.getLoc();
  positions = TokenPositionsOp::create(builder, loc, i32s, rowStart, pastLength,
                                       tokenCount(tokens));

  Value hidden = flatten(model.head.getInput());
  Value logits;
  if (hidden) {
    // From here on only the rows whose logits are asked for.
    Value rows = GatherOp::create(
        builder, loc,
        RankedTensorType::get({dynamic, hiddenSize},
                              tensorType(hidden).getElementType()),
        hidden, logitRows, builder.getI64IntegerAttr(0));
    flat[model.head.getInput()] = rows;
    logits = flatten(model.logits);
  }
  if (!hidden || !logits || failed) {
    step.erase();
    return nullptr;
  }
  SmallVector<Value> outputs{logits, hidden};
  for (CacheTensor *cache : caches)
    outputs.push_back(cacheOf.lookup(cache->past));
  func::ReturnOp::create(builder, loc, outputs);

  SmallVector<NamedAttribute> facts{
      {StringAttr::get(context, "vocabulary"),
       builder.getI64IntegerAttr(vocabulary)},
      {StringAttr::get(context, "hidden_size"),
       builder.getI64IntegerAttr(hiddenSize)},
      {StringAttr::get(context, "layers"),
       builder.getI64IntegerAttr(model.layers.size())}};
  model.function->getParentOfType<ModuleOp>()->setAttr(
      "ds.model", builder.getDictionaryAttr(facts));
  return step;
}

namespace {
struct FlattenTokens : ds::impl::FlattenTokensBase<FlattenTokens> {
  using FlattenTokensBase::FlattenTokensBase;
  void runOnOperation() override {
    func::FuncOp graph, candidate;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto entry = function->getAttrOfType<StringAttr>("ds.entry");
      if (entry && entry.getValue() == "graph")
        graph = function;
      if (function->hasAttr("ds.candidate"))
        candidate = function;
    }
    if (graph) {
      FailureOr<std::unique_ptr<LanguageModel>> model =
          LanguageModel::of(candidate ? candidate : graph);
      if (succeeded(model) && Flattener(**model).run())
        graph.erase();
    }
    if (candidate)
      candidate.erase();
  }
};
} // namespace
