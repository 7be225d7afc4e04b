//===- ModelBuilder.cpp - the pieces that models are built of -------------===//
//
// See ModelBuilder.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/CheckpointToDs/ModelBuilder.h"
#include "files/Types.h"
#include "lowering/CheckpointToDs/RopeTable.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::ds;

static constexpr int64_t dynamic = ShapedType::kDynamic;

ModelBuilder::ModelBuilder(const checkpoint::Checkpoint &checkpoint,
                           const CheckpointOptions &options,
                           MLIRContext *context)
    : checkpoint(checkpoint), options(options), builder(context),
      loc(FileLineColLoc::get(context, checkpoint.folder, 0, 0)),
      module(ModuleOp::create(loc)) {}

Location ModelBuilder::named(const Twine &name) {
  return NameLoc::get(builder.getStringAttr(name), loc);
}

void ModelBuilder::fail(const Twine &what) {
  if (problem.empty())
    problem = what.str();
  else
    ++moreProblems;
}

void ModelBuilder::beginStep(ArrayRef<StepCache> stepCaches) {
  builder.setInsertionPointToEnd(module->getBody());
  step = StepFunction::create(builder, loc, stepCaches,
                              checkpoint.config.vocabulary,
                              checkpoint.config.hiddenSize);
  caches = step.caches;
}

void ModelBuilder::endStep(Value hidden, const Twine &head) {
  Value logits = linear(step.rowsForLogits(builder, loc, hidden), head,
                        checkpoint.config.vocabulary);
  step.finish(builder, loc, *module, logits, hidden, caches,
              checkpoint.config.layers);
}

OwningOpRef<ModuleOp> ModelBuilder::finish() {
  for (const auto &[name, tensor] : checkpoint.tensors)
    if (!hasFailed() && !parameters.contains(name))
      fail("tensor '" + Twine(name) + "' " + files::shapeText(tensor.dims) +
           " of '" + tensor.file + "' is no part of a " +
           checkpoint::architectureName(checkpoint.config.architecture) +
           " of this configuration");
  if (hasFailed()) {
    InFlightDiagnostic error = emitError(loc) << problem;
    if (moreProblems > 0)
      error << " (and " << moreProblems << " more)";
    return nullptr;
  }
  return std::move(module);
}

static Type elementType(OpBuilder &builder, DsType type) {
  switch (type) {
  case DS_TYPE_F32:
    return builder.getF32Type();
  case DS_TYPE_F16:
    return builder.getF16Type();
  case DS_TYPE_BF16:
    return builder.getBF16Type();
  default:
    return nullptr;
  }
}

Value ModelBuilder::parameter(const Twine &tensorName,
                              ArrayRef<int64_t> shape) {
  SmallString<64> name;
  tensorName.toVector(name);
  ParameterOp &made = parameters[name];
  if (!made) {
    // Something of the right type stands in for a tensor that is not.
    Type element = builder.getF32Type();
    SmallVector<Attribute> ranges;
    auto found = checkpoint.tensors.find(name.str());
    if (found == checkpoint.tensors.end()) {
      fail("tensor '" + name + "' " + files::shapeText(shape) + " is missing");
    } else {
      const checkpoint::Tensor &tensor = found->second;
      if (ArrayRef(tensor.dims) != shape)
        fail("tensor '" + name + "' of '" + tensor.file + "' has shape " +
             files::shapeText(tensor.dims) + ", the configuration asks for " +
             files::shapeText(shape));
      else if (Type type = elementType(builder, tensor.type))
        element = type;
      else
        fail("tensor '" + name + "' of '" + tensor.file + "' has type " +
             files::typeName(tensor.type) + ", expected F32, F16 or BF16");
      ranges.push_back(FileRangeAttr::get(builder.getContext(), tensor.file,
                                          tensor.offset, tensor.bytes));
    }
    OpBuilder before(step.function);
    made = ParameterOp::create(before, named(name), name,
                               RankedTensorType::get(shape, element),
                               builder.getArrayAttr(ranges));
  }
  return LoadParameterOp::create(builder, named(name), made.getType(),
                                 made.getSymName());
}

Value ModelBuilder::widened(Value x) {
  RankedTensorType type = typeOf(x);
  if (type.getElementType().isF32())
    return x;
  return CastOp::create(builder, x.getLoc(), type.clone(builder.getF32Type()),
                        x);
}

Value ModelBuilder::embedding(const Twine &name) {
  int64_t width = checkpoint.config.hiddenSize;
  Value table =
      parameter(name + ".weight", {checkpoint.config.vocabulary, width});
  return EmbeddingOp::create(
      builder, named(name),
      RankedTensorType::get({dynamic, width}, builder.getF32Type()),
      step.tokens, table);
}

Value ModelBuilder::linear(Value x, const Twine &name, int64_t outputs,
                           bool hasBias) {
  Value weight =
      parameter(name + ".weight", {outputs, typeOf(x).getShape().back()});
  Value bias =
      hasBias ? widened(parameter(name + ".bias", {outputs})) : Value();
  SmallVector<int64_t> shape(typeOf(x).getShape());
  shape.back() = outputs;
  return LinearOp::create(builder, named(name), typeOf(x).clone(shape), x,
                          weight, bias);
}

Value ModelBuilder::rmsNorm(Value x, const Twine &name, double epsilon) {
  Value weight =
      widened(parameter(name + ".weight", {typeOf(x).getShape().back()}));
  return RmsNormOp::create(builder, named(name), x.getType(), x, weight,
                           builder.getF64FloatAttr(epsilon),
                           /*round_before_weight=*/nullptr);
}

Value ModelBuilder::feedForward(Value x, const Twine &name, int64_t width,
                                bool hasBias) {
  Value gate = linear(x, name + ".gate_proj", width, hasBias),
        up = linear(x, name + ".up_proj", width, hasBias);
  Value hidden =
      SwigluOp::create(builder, named(name), gate.getType(), gate, up);
  return linear(hidden, name + ".down_proj", typeOf(x).getShape().back(),
                hasBias);
}

Value ModelBuilder::add(Value a, Value b) {
  return ElementwiseOp::create(builder, b.getLoc(), a.getType(),
                               ElementwiseKind::Add, ValueRange{a, b});
}

/// `x` [N, …] under the shape [N, `rest`…].
static Value reshapeRows(OpBuilder &builder, Value x, ArrayRef<int64_t> rest) {
  SmallVector<int64_t> shape{dynamic};
  llvm::append_range(shape, rest);
  Value rows = tensor::DimOp::create(builder, x.getLoc(), x, 0);
  return ReshapeOp::create(builder, x.getLoc(),
                           cast<RankedTensorType>(x.getType()).clone(shape), x,
                           rows);
}

Value ModelBuilder::splitHeads(Value x, int64_t heads) {
  return reshapeRows(builder, x, {heads, typeOf(x).getDimSize(1) / heads});
}

Value ModelBuilder::joinHeads(Value x) {
  return reshapeRows(builder, x,
                     {typeOf(x).getDimSize(1) * typeOf(x).getDimSize(2)});
}

ModelBuilder::Rotation ModelBuilder::rotation(int64_t width) {
  checkpoint::RopeTable table = checkpoint::ropeTable(checkpoint.config, width);
  FloatType type = options.anglesInDouble ? FloatType(builder.getF64Type())
                                          : FloatType(builder.getF32Type());
  Location at = named("rotary_emb");
  auto constant = [&](ArrayRef<double> numbers, ArrayRef<int64_t> shape) {
    SmallVector<Attribute> values;
    for (double number : numbers)
      values.push_back(builder.getFloatAttr(type, number));
    return arith::ConstantOp::create(
        builder, at,
        DenseElementsAttr::get(RankedTensorType::get(shape, type), values));
  };
  // By way of i64, as exported graphs have positions: one form for both.
  Value positions = CastOp::create(
      builder, at, typeOf(step.positions).clone(builder.getI64Type()),
      step.positions);
  positions = reshapeRows(builder, positions, {1});
  positions =
      CastOp::create(builder, at, typeOf(positions).clone(type), positions);
  auto rows = RankedTensorType::get({dynamic, width / 2}, type);
  auto elementwise = [&](ElementwiseKind kind, ValueRange operands) -> Value {
    return ElementwiseOp::create(builder, at, rows, kind, operands);
  };
  Value angles =
      elementwise(ElementwiseKind::Mul,
                  {positions, constant(table.frequencies, {width / 2})});
  Rotation rotation{elementwise(ElementwiseKind::Cos, angles),
                    elementwise(ElementwiseKind::Sin, angles)};
  if (table.factor != 1) {
    Value factor = constant(table.factor, {});
    for (Value *each : {&rotation.cos, &rotation.sin})
      *each = elementwise(ElementwiseKind::Mul, {*each, factor});
  }
  return rotation;
}

Value ModelBuilder::rope(Value x, Rotation rotation, RopeLayout layout) {
  return RopeOp::create(builder, x.getLoc(), x.getType(), x, rotation.cos,
                        rotation.sin, layout, layout);
}

Value ModelBuilder::append(unsigned index, Value rows) {
  Value &cache = caches[index];
  cache = CacheAppendOp::create(builder, rows.getLoc(), cache.getType(), rows,
                                cache, step.rowStart, step.pastLength,
                                step.cacheSlot);
  return cache;
}

Value ModelBuilder::attention(Value query, Value key, Value value,
                              double scale) {
  SmallVector<int64_t> shape(typeOf(query).getShape());
  shape.back() = typeOf(value).getShape().back();
  return CachedAttentionOp::create(
      builder, query.getLoc(), typeOf(query).clone(shape), query, key, value,
      step.rowStart, step.pastLength, step.cacheSlot,
      builder.getF64FloatAttr(scale));
}
