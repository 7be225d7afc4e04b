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
#include "passes/Builders.h"

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

Value ModelBuilder::beginDraft(int64_t layer, ArrayRef<StepCache> draftCaches) {
  builder.setInsertionPointToEnd(module->getBody());
  step = StepFunction::createDraft(builder, loc, layer, draftCaches,
                                   checkpoint.config.vocabulary,
                                   checkpoint.config.hiddenSize);
  caches = step.caches;
  return step.states;
}

Value ModelBuilder::endFunction(Value hidden, const Twine &head) {
  Value logits = linear(step.rowsForLogits(builder, loc, hidden), head,
                        checkpoint.config.vocabulary);
  StepFunction::finish(builder, loc, logits, hidden, caches);
  return logits;
}

void ModelBuilder::endStep(Value hidden, const Twine &head) {
  StepFunction::setFacts(*module, endFunction(hidden, head), hidden,
                         checkpoint.config.layers);
}

void ModelBuilder::endDraft(Value hidden, const Twine &head) {
  endFunction(hidden, head);
}

OwningOpRef<ModuleOp> ModelBuilder::finish() {
  for (const auto &[name, tensor] : checkpoint.tensors)
    if (!hasFailed() && !asked.contains(name))
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

/// What weights may be; which of them a product may have FP8 too.
static constexpr DsType floats[] = {DS_TYPE_F32, DS_TYPE_F16, DS_TYPE_BF16};
static constexpr DsType weights[] = {DS_TYPE_F32, DS_TYPE_F16, DS_TYPE_BF16,
                                     DS_TYPE_F8_E4M3};
static constexpr DsType scales[] = {DS_TYPE_F32};

static Type elementType(OpBuilder &builder, DsType type) {
  switch (type) {
  case DS_TYPE_F16:
    return builder.getF16Type();
  case DS_TYPE_BF16:
    return builder.getBF16Type();
  case DS_TYPE_F8_E4M3:
    return builder.getType<Float8E4M3FNType>();
  default:
    return builder.getF32Type();
  }
}

FileRangeAttr ModelBuilder::rangeOf(StringRef name, ArrayRef<int64_t> shape,
                                    ArrayRef<DsType> types,
                                    std::optional<DsType> &type) {
  asked.insert(name);
  auto found = checkpoint.tensors.find(name);
  if (found == checkpoint.tensors.end()) {
    fail("tensor '" + name + "' " + files::shapeText(shape) + " is missing");
    return nullptr;
  }
  const checkpoint::Tensor &tensor = found->second;
  std::string what = ("tensor '" + name + "' of '" + tensor.file + "'").str();
  if (ArrayRef(tensor.dims) != shape)
    fail(Twine(what) + " has shape " + files::shapeText(tensor.dims) +
         ", the configuration asks for " + files::shapeText(shape));
  else if (!llvm::is_contained(types, tensor.type))
    fail(Twine(what) + " has type " + files::typeName(tensor.type) +
         ", expected " +
         llvm::join(llvm::map_range(types,
                                    [](DsType each) {
                                      return std::string(files::typeName(each));
                                    }),
                    ", "));
  else if (type && *type != tensor.type)
    fail(Twine(what) + " has type " + files::typeName(tensor.type) +
         ", the experts before it have " + files::typeName(*type));
  else
    type = tensor.type;
  return FileRangeAttr::get(builder.getContext(), tensor.file, tensor.offset,
                            tensor.bytes);
}

Value ModelBuilder::parameter(const Twine &parameterName,
                              ArrayRef<int64_t> shape, ArrayRef<DsType> types,
                              std::optional<ArrayRef<std::string>> tensors) {
  std::string name = parameterName.str();
  ParameterOp &made = parameters[name];
  if (!made) {
    // What stands in for a tensor that is not as it should be, has at least
    // the right shape.
    std::optional<DsType> type;
    SmallVector<Attribute> ranges;
    SmallVector<int64_t> whole(shape);
    if (tensors)
      whole.insert(whole.begin(), int64_t(tensors->size()));
    for (const std::string &tensor : tensors.value_or(ArrayRef(name)))
      if (FileRangeAttr range = rangeOf(tensor, shape, types, type))
        ranges.push_back(range);
    OpBuilder before(step.function);
    // Of several tensors the names of all.
    SmallVector<Location> names;
    for (const std::string &tensor : tensors.value_or(ArrayRef(name)))
      names.push_back(named(tensor));
    made = ParameterOp::create(
        before, builder.getFusedLoc(names), name,
        RankedTensorType::get(whole,
                              elementType(builder, type.value_or(DS_TYPE_F32))),
        builder.getArrayAttr(ranges));
  }
  return LoadParameterOp::create(builder, named(name), made.getType(),
                                 made.getSymName());
}

Value ModelBuilder::dequantized(Value data, const Twine &name,
                                std::optional<ArrayRef<std::string>> tensors) {
  RankedTensorType type = typeOf(data);
  if (!isa<Float8E4M3FNType>(type.getElementType()))
    return data;
  const auto &block = checkpoint.config.deepseek.scaleBlock;
  if (!block) {
    fail("tensor '" + name +
         "' is of FP8 weights, but the configuration has no "
         "'quantization_config' that says which of them share a scale");
    return data;
  }
  SmallVector<int64_t> shape(type.getShape());
  if (tensors)
    shape.erase(shape.begin());
  for (auto [size, share] :
       llvm::zip_equal(MutableArrayRef<int64_t>(shape).take_back(2), *block))
    size = llvm::divideCeil(size, share);
  return DequantizeBlocksOp::create(
      builder, data.getLoc(), type.clone(builder.getF32Type()), data,
      parameter(name, shape, scales, tensors), *block);
}

bool ModelBuilder::has(const Twine &name) const {
  return checkpoint.tensors.contains(name.str());
}

Value ModelBuilder::vector(const Twine &name, ArrayRef<int64_t> shape) {
  return widened(parameter(name, shape, floats));
}

Value ModelBuilder::weight(const Twine &name, ArrayRef<int64_t> shape) {
  return dequantized(parameter(name + ".weight", shape, weights),
                     name + ".weight_scale_inv", std::nullopt);
}

Value ModelBuilder::fusedWeight(const Twine &name, ArrayRef<int64_t> shape) {
  return dequantized(parameter(name, shape, weights), name + "_scale_inv",
                     std::nullopt);
}

Value ModelBuilder::expertWeights(const Twine &name, int64_t count,
                                  StringRef projection,
                                  ArrayRef<int64_t> shape) {
  auto tensors = [&](StringRef suffix) {
    SmallVector<std::string> names;
    for (int64_t i = 0; i < count; ++i)
      names.push_back(
          (name + "." + Twine(i) + "." + projection + suffix).str());
    return names;
  };
  Value data = parameter((name + "." + projection + ".weight").str(), shape,
                         weights, tensors(".weight"));
  return dequantized(data,
                     (name + "." + projection + ".weight_scale_inv").str(),
                     tensors(".weight_scale_inv"));
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
  Value table = parameter(name + ".weight",
                          {checkpoint.config.vocabulary, width}, floats);
  return EmbeddingOp::create(
      builder, named(name),
      RankedTensorType::get({dynamic, width}, builder.getF32Type()),
      step.tokens, table);
}

Value ModelBuilder::linear(Value x, const Twine &name, int64_t outputs,
                           bool hasBias) {
  Value matrix = weight(name, {outputs, typeOf(x).getShape().back()});
  Value bias = hasBias ? vector(name + ".bias", {outputs}) : Value();
  SmallVector<int64_t> shape(typeOf(x).getShape());
  shape.back() = outputs;
  return LinearOp::create(builder, named(name), typeOf(x).clone(shape), x,
                          matrix, bias);
}

Value ModelBuilder::rmsNorm(Value x, const Twine &name, double epsilon) {
  Value gain = vector(name + ".weight", {typeOf(x).getShape().back()});
  return RmsNormOp::create(builder, named(name), x.getType(), x, gain,
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

Value ModelBuilder::slice(Value x, int64_t dim, int64_t offset, int64_t size) {
  return sliceAlong(builder, x.getLoc(), x, dim, offset, size);
}

Value ModelBuilder::concat(Value a, Value b) {
  int64_t last = typeOf(a).getRank() - 1;
  SmallVector<int64_t> shape(typeOf(a).getShape());
  shape[last] += typeOf(b).getDimSize(last);
  return ConcatOp::create(builder, a.getLoc(), typeOf(a).clone(shape),
                          builder.getI64IntegerAttr(last), ValueRange{a, b});
}

Value ModelBuilder::reshape(Value x, ArrayRef<int64_t> shape) {
  return ReshapeOp::create(builder, x.getLoc(), typeOf(x).clone(shape), x,
                           ValueRange());
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
