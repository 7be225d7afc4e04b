//===- TokenFlattener.cpp - values of a graph as rows of tokens -----------===//
//
// Each value of the graph that has a batch and a row dimension becomes one with
// a single leading token dimension. What that needs of a value is a property of
// its op and of its sizes, so any composition of these ops is flattened, not
// one architecture.
//
//===----------------------------------------------------------------------===//
#include "passes/TokenFlattener.h"
#include "passes/Builders.h"
#include "passes/ElementRuns.h"

using namespace mlir;
using namespace mlir::ds;

Value TokenFlattener::fail(Value value, const Twine &why) {
  if (!failed)
    model.refuse(value.getLoc(), why);
  failed = true;
  return nullptr;
}

TokenFlattener::Layout TokenFlattener::layoutOf(Value value) {
  Layout layout;
  RankedTensorType type = tensorType(value);
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (!type.isDynamicDim(d))
      continue;
    Polynomial size = symbols.sizeOf(value, d);
    Polynomial seen = model.past + model.rows;
    bool merged =
        size == model.batch * model.rows || size == model.batch * seen;
    if (layout.row < 0 && (merged || size == model.rows || size == seen)) {
      layout.row = d;
      layout.merged = merged;
      layout.past = size == seen || size == model.batch * seen;
    } else if (size == model.batch && layout.batch < 0) {
      layout.batch = d;
    }
  }
  // A batch of one is a number: it stands before the rows.
  return layout;
}

SmallVector<int64_t> TokenFlattener::restOf(RankedTensorType type,
                                            Layout layout) {
  SmallVector<int64_t> rest;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (!layout.isLead(d) && !(d < layout.row && type.getDimSize(d) == 1))
      rest.push_back(type.getDimSize(d));
  return rest;
}

Value TokenFlattener::tokenCount(Value like) {
  return tensor::DimOp::create(builder, loc, like, 0);
}

Value TokenFlattener::asF32(Value value) {
  RankedTensorType type = tensorType(value);
  Type wanted = activationType(type.getElementType());
  if (wanted == type.getElementType())
    return value;
  return CastOp::create(builder, loc,
                        RankedTensorType::get(type.getShape(), wanted), value,
                        true);
}

Value TokenFlattener::positionsAs(Type type, int64_t offset) {
  RankedTensorType from = tensorType(step.positions);
  Value result = step.positions;
  if (type != from.getElementType())
    result = CastOp::create(builder, loc,
                            RankedTensorType::get(from.getShape(), type),
                            step.positions, true);
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

Value TokenFlattener::import(Value value) {
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

Value TokenFlattener::flatten(Value value) {
  if (failed)
    return nullptr;
  if (Value done = flat.lookup(value))
    return done;
  Value result = flattenOp(value);
  if (result)
    flat[value] = result;
  return result;
}

Value TokenFlattener::flattenOp(Value value) {
  loc = value.getLoc();
  RankedTensorType type = tensorType(value);
  Layout layout = layoutOf(value);

  // Positions, however they are made: past + row (+ a number), or the place
  // among all that are seen.
  if (layout.isToken() && isa<IntegerType>(type.getElementType()) &&
      !type.getElementType().isInteger(1)) {
    SmallVector<Polynomial> at;
    for (int64_t d = 0; d < type.getRank(); ++d)
      at.push_back(type.getDimSize(d) == 1
                       ? Polynomial(0)
                       : symbols.newIndex(symbols.sizeOf(value, d)));
    TermRef element = symbols.elementOf(value, at);
    if (element->kind == Term::Kind::Integer) {
      Polynomial position = at[layout.row];
      if (!layout.past)
        position = position + model.past;
      std::optional<int64_t> offset =
          (element->polynomial - position).getConstant();
      if (offset)
        return reshapeRest(positionsAs(type.getElementType(), *offset),
                           restOf(type, layout));
    }
  }
  Operation *op = value.getDefiningOp();
  if (value == model.tokens)
    return step.tokens;
  if (value == model.states)
    return step.states;
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
  if (auto route = dyn_cast<RouteOp>(op))
    return flattenRoute(route, value);
  if (auto moe = dyn_cast<MoeOp>(op)) {
    Value input = flatten(moe.getInput()), weights = flatten(moe.getWeights()),
          experts = flatten(moe.getExperts()), gate = import(moe.getGate()),
          up = import(moe.getUp()), down = import(moe.getDown());
    if (!input || !weights || !experts || !gate || !up || !down)
      return nullptr;
    return MoeOp::create(builder, loc, input, weights, experts, gate, up, down);
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
  if (auto concat = dyn_cast<ConcatOp>(op))
    return flattenConcat(concat);
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return flattenMatmul(matmul);
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return flattenBroadcast(broadcast);
  return fail(value, "'" + op->getName().getStringRef() +
                         "' does not work token by token here");
}

Value TokenFlattener::operandFor(Value value, Layout result,
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

Value TokenFlattener::flattenElementwise(ElementwiseOp op) {
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

Value TokenFlattener::flattenRoute(RouteOp op, Value result) {
  Value logits = flatten(op.getLogits());
  Value bias = op.getBias() ? import(op.getBias()) : Value();
  if (!logits || (op.getBias() && !bias))
    return nullptr;
  if (result == op.getLoads())
    return fail(result, "the load of experts takes part in the computation");
  SmallVector<Type> types;
  for (Value one : {op.getWeights(), op.getExperts()})
    types.push_back(
        RankedTensorType::get({ShapedType::kDynamic, int64_t(op.getTopK())},
                              tensorType(one).getElementType()));
  types.push_back(op.getLoads().getType());
  SmallVector<Value> operands{logits};
  if (bias)
    operands.push_back(bias);
  auto route =
      RouteOp::create(builder, op.getLoc(), types, operands, op->getAttrs());
  flat[op.getWeights()] = route.getWeights();
  flat[op.getExperts()] = route.getExperts();
  return flat[result];
}

Value TokenFlattener::flattenMatmul(MatmulOp op) {
  // Weights of each head times a row of that head, or one of all heads:
  // [.., H, .., rows, K] · [.., H, K, M], or [.., H, M, K] · [.., H, .., K,
  // rows]. Rows of tokens may stand where heads do, too.
  bool across = isParameterValue(op.getLhs());
  Value tokens = across ? op.getRhs() : op.getLhs(),
        weights = across ? op.getLhs() : op.getRhs();
  Layout layout = layoutOf(tokens);
  RankedTensorType tokenType = tensorType(tokens),
                   weightType = tensorType(weights),
                   type = tensorType(op.getResult());
  if (!layout.isToken() || !isParameterValue(weights) ||
      !weightType.hasStaticShape() || !isa<FloatType>(type.getElementType()))
    return fail(op, "a product of token rows is not with weights");
  int64_t rank = type.getRank(), tokenMissing = rank - tokenType.getRank(),
          weightMissing = rank - weightType.getRank(),
          summed = across ? rank - 2 : rank - 1,
          rowOfHead = across ? rank - 1 : rank - 2, heads = 1;
  bool oneRow = true, ownRows = true, sharedRows = true;
  for (int64_t d = 0; d < rank; ++d) {
    bool lead = d >= tokenMissing && layout.isLead(d - tokenMissing);
    int64_t size =
        d < tokenMissing ? 1 : tokenType.getDimSize(d - tokenMissing);
    if (d == summed) {
      oneRow &= !lead;
    } else if (d == rowOfHead) {
      oneRow &= lead || size == 1;
    } else {
      int64_t of =
          d < weightMissing ? 1 : weightType.getDimSize(d - weightMissing);
      ownRows &= lead ? of == 1 : of == size;
      sharedRows &= lead ? of == 1 : size == 1;
      heads *= of;
    }
  }
  if (!oneRow)
    return fail(op, "a product of tokens with weights is not one of a row of "
                    "each head");
  if (!ownRows && !sharedRows)
    return fail(op, "a product of token rows is neither with weights of each "
                    "head nor of one row with those of all heads");
  Value rows = flatten(tokens), weight = import(weights);
  if (!rows || !weight)
    return nullptr;
  int64_t depth = tokenType.getDimSize(summed - tokenMissing),
          columns = type.getDimSize(across ? rank - 2 : rank - 1);
  Type element = activationType(type.getElementType());
  weight = reshaped(builder, weight,
                    across ? ArrayRef<int64_t>{heads, columns, depth}
                           : ArrayRef<int64_t>{heads, depth, columns});
  // ds.linear sums over the last dimension of weights, ds.matmul over the one
  // before.
  if (across != sharedRows)
    weight =
        TransposeOp::create(builder, loc, weight, ArrayRef<int64_t>{0, 2, 1});
  Value result;
  if (sharedRows)
    result = LinearOp::create(
        builder, loc,
        RankedTensorType::get({ShapedType::kDynamic, heads * columns}, element),
        reshapeRest(rows, {depth}),
        reshaped(builder, weight, {heads * columns, depth}), Value());
  else
    result = timesOfHeads(builder, loc, reshapeRest(rows, {heads, depth}),
                          weight, element);
  return reshapeRest(result, restOf(type, layoutOf(op)));
}

Value TokenFlattener::flattenGather(GatherOp op) {
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

Value TokenFlattener::reapply(Operation *op, Value data, Value rows) {
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
