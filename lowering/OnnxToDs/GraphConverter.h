//===- GraphConverter.h - one ONNX graph on its way to ds -----*- C++ -*-===//
//
// The state of a conversion and the vocabulary that operator conversions are
// written in. An operator is one function `LogicalResult convertX(NodeContext
// &)` and one line in a table.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_ONNXTODS_GRAPHCONVERTER_H
#define LOWERING_ONNXTODS_GRAPHCONVERTER_H

#include "dialects/ds/IR/DsDialect.h"
#include "dialects/onnx/IR/OnnxDialect.h"
#include "lowering/OnnxToDs/Sizes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::onnx {

using ds::ElementwiseKind;

inline RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Whether tensors of this element type can be computed with.
bool isSupported(Type element);

/// A constant of one value.
DenseElementsAttr splat(RankedTensorType type, double value);

/// Creates ds ops; folds what is trivial; knows the sizes of what it made.
///
/// A file is not trusted: operands that do not fit each other are an error of
/// the node that is being converted, said once; what is made then is of the
/// right type, and the node's conversion fails.
class Builders {
public:
  explicit Builders(MLIRContext *context)
      : b(context), sizes(b), loc(b.getUnknownLoc()) {}

  OpBuilder b;
  Sizes sizes;
  Location loc;

  /// The node that is being converted.
  NodeOp node;
  /// Whether its operands were found not to fit.
  bool isWrong = false;
  void wrong(const Twine &message);
  /// What stands for a value that cannot be made.
  Value broken(ArrayRef<OpFoldResult> dims, Type element) {
    return track(tensor::EmptyOp::create(b, loc, dims, element), dims);
  }
  /// An error where both sizes are known and differ.
  void checkSameSize(OpFoldResult a, OpFoldResult c, const Twine &what);
  /// The same, but `from` may be 1 (or have fewer dimensions).
  void checkBroadcasts(ArrayRef<OpFoldResult> from, ArrayRef<OpFoldResult> to,
                       const Twine &what);

  // Sizes of values.
  void setSizes(Value value, ArrayRef<OpFoldResult> dims) {
    known[value].assign(dims.begin(), dims.end());
  }
  OpFoldResult size(Value value, int64_t dim);
  SmallVector<OpFoldResult> shape(Value value);

  /// Elements of an integer tensor of rank 0 or 1 that are known as sizes.
  std::optional<SmallVector<OpFoldResult>> elements(Value value);
  /// The same; elements that are not known are read from the tensor at run
  /// time. Nothing if the number of elements is not fixed.
  std::optional<SmallVector<OpFoldResult>> readElements(Value value);
  /// A tensor of sizes, rank 1 (or 0 if `scalar`), i64 unless `type` is given.
  Value fromSizes(ArrayRef<OpFoldResult> sizes, bool scalar = false,
                  Type type = {});
  DenseElementsAttr constantOf(Value value);

  // Values.
  Value constant(DenseElementsAttr value);
  /// A rank-0 constant of element type `type`.
  Value scalar(Type type, double value);
  Value scalarLike(Value value, double number) {
    return scalar(tensorType(value).getElementType(), number);
  }

  // Ops. Operands of `elementwise` broadcast as ONNX says.
  Value elementwise(ElementwiseKind kind, ValueRange operands);
  Value cast(Value value, Type type, bool saturate = true);
  Value reshape(Value value, ArrayRef<OpFoldResult> dims);
  Value broadcast(Value value, ArrayRef<OpFoldResult> dims);
  Value transpose(Value value, ArrayRef<int64_t> perm);
  Value slice(Value value, ArrayRef<OpFoldResult> offsets,
              ArrayRef<OpFoldResult> sizes, ArrayRef<OpFoldResult> strides);
  /// Along one dimension, all of the others.
  Value sliceAlong(Value value, int64_t dim, OpFoldResult offset,
                   OpFoldResult size);
  Value concat(ValueRange values, int64_t axis);
  Value reduce(ds::ReduceKind kind, Value value, ArrayRef<int64_t> axes,
               bool keepdims);
  Value range(Value start, Value delta, OpFoldResult size);
  /// i64 [size]: 0, 1, …
  Value iota(OpFoldResult size);
  Value gather(Value value, Value indices, int64_t axis);
  Value matmul(Value lhs, Value rhs, Type resultType = {});
  Value softmax(Value value, int64_t axis, bool log = false);
  Value dequantize(Value value, Value scale, Value zeroPoint, int64_t axis,
                   int64_t blockSize, Type type);
  Value unsqueeze(Value value, ArrayRef<int64_t> axes);

  Value add(Value x, Value y) {
    return elementwise(ElementwiseKind::Add, {x, y});
  }
  Value sub(Value x, Value y) {
    return elementwise(ElementwiseKind::Sub, {x, y});
  }
  Value mul(Value x, Value y) {
    return elementwise(ElementwiseKind::Mul, {x, y});
  }
  Value div(Value x, Value y) {
    return elementwise(ElementwiseKind::Div, {x, y});
  }

  /// The value with the type that `dims` say; sizes are kept apart.
  Value retype(Value value, ArrayRef<int64_t> shape);

  /// What is known so far, around a region that is thrown away or moved.
  struct State {
    llvm::DenseMap<Value, SmallVector<OpFoldResult>> known, knownElements;
    Sizes::State sizes;
  };
  State save() const { return {known, knownElements, sizes.save()}; }
  void restore(State state) {
    known = std::move(state.known);
    knownElements = std::move(state.knownElements);
    sizes.restore(std::move(state.sizes));
  }

  /// The shape that operands broadcast to.
  SmallVector<OpFoldResult> broadcastShape(ValueRange operands);
  RankedTensorType typeOf(ArrayRef<OpFoldResult> dims, Type element);
  SmallVector<Value> dynamicOf(ArrayRef<OpFoldResult> dims);
  Value track(Value value, ArrayRef<OpFoldResult> dims) {
    setSizes(value, dims);
    return value;
  }

private:
  void checkElementwise(ElementwiseKind kind, ValueRange operands);
  std::optional<double> scalarValue(Value value);
  Value foldScalars(ElementwiseKind kind, ValueRange operands);
  Value foldSizes(ElementwiseKind kind, ValueRange operands);
  Value foldChoices(ElementwiseKind kind, ValueRange operands);
  Value foldLogic(ElementwiseKind kind, ValueRange operands);
  Value foldIdentity(ElementwiseKind kind, ValueRange operands);

  llvm::DenseMap<Value, SmallVector<OpFoldResult>> known;
  llvm::DenseMap<Value, SmallVector<OpFoldResult>> knownElements;
};

class GraphConverter;

/// One node being converted.
struct NodeContext {
  NodeOp node;
  GraphConverter &converter;
  Builders &b;

  int64_t version() { return node.getVersion(); }
  unsigned inputCount() { return node.getInputs().size(); }
  /// Null if the input is left out.
  Value input(unsigned i);
  bool has(unsigned i) { return input(i) != nullptr; }
  bool wants(unsigned i) {
    return i < node.getNumResults() &&
           !isa<NoneType>(node.getResult(i).getType());
  }
  /// Whether anything reads output `i`.
  bool isUsed(unsigned i) { return wants(i) && !node.getResult(i).use_empty(); }
  void output(unsigned i, Value value);
  /// The tensors of input `i`, which is a sequence; an error if it is none.
  FailureOr<ArrayRef<Value>> sequence(unsigned i);
  /// Output 0, which is a sequence.
  void outputSequence(ArrayRef<Value> tensors);

  int64_t integer(StringRef name, int64_t otherwise);
  double number(StringRef name, double otherwise);
  StringRef text(StringRef name, StringRef otherwise);
  std::optional<SmallVector<int64_t>> integers(StringRef name);
  Attribute attribute(StringRef name) { return node.getAttrs().get(name); }

  /// `axis` as a dimension of rank `rank`; an error if it is none.
  FailureOr<int64_t> axis(int64_t axis, int64_t rank);
  /// The attribute of that name (before ONNX moved it to an input), or the
  /// input's elements as numbers. Nothing if neither is there, or, where they
  /// are not `required`, if they are only known at run time.
  FailureOr<std::optional<SmallVector<int64_t>>>
  numbers(StringRef attributeName, unsigned inputIndex, bool required = true);

  /// The element type that a number of TensorProto.DataType means; null if it
  /// is none that converts.
  Type elementType(int64_t code);

  /// The node is wrong.
  LogicalResult error(const Twine &message);
  /// The node is right, but not supported in this form.
  LogicalResult unsupported(const Twine &why);
};

using ConvertFn = LogicalResult (*)(NodeContext &);

struct OpEntry {
  StringRef domain, name;
  int64_t minVersion, maxVersion;
  /// Inputs that are there in every version, from the first on.
  unsigned minInputs;
  ConvertFn convert;
  /// Whether input 0 is a sequence; no other input of any operator is.
  bool takesSequence = false;
};

/// Blocks of packed integers along the last dimension, as numbers [rows…,
/// columns]. `scales` [rows…, blocks] in any shape; `zeroPoints`, packed like
/// the data, or null: half of the range.
FailureOr<Value> unpackBlocks(NodeContext &n, Value packed, Value scales,
                              Value zeroPoints, ArrayRef<int64_t> rows,
                              int64_t columns, int64_t bits, int64_t block);

/// The newest opset whose semantics the tables were checked against.
constexpr int64_t newestOpset = 28;
constexpr StringRef microsoft = "com.microsoft";

ArrayRef<OpEntry> attentionOps();
ArrayRef<OpEntry> controlFlowOps();
ArrayRef<OpEntry> elementwiseOps();
ArrayRef<OpEntry> expertOps();
ArrayRef<OpEntry> indexingOps();
ArrayRef<OpEntry> linearOps();
ArrayRef<OpEntry> lossOps();
ArrayRef<OpEntry> normalizationOps();
ArrayRef<OpEntry> quantizeOps();
ArrayRef<OpEntry> reduceOps();
ArrayRef<OpEntry> sequenceOps();
ArrayRef<OpEntry> shapeOps();
ArrayRef<OpEntry> sliceOps();

/// The entry for an operator, or null.
const OpEntry *findOp(StringRef domain, StringRef name, int64_t version);

/// Converts the graph of a module.
class GraphConverter {
public:
  GraphConverter(ModuleOp module, GraphOp graph);
  LogicalResult convert();

  /// Converts a body of a control flow operator where the builder stands, its
  /// arguments bound to `arguments`; gives what it returns.
  LogicalResult convertBody(Region &body, ValueRange arguments,
                            SmallVectorImpl<Value> &results);

  Value lookup(Value onnxValue) { return values.lookup(onnxValue); }
  void map(Value onnxValue, Value value) { values[onnxValue] = value; }
  /// The tensors of a sequence; null for other values.
  const SmallVector<Value> *lookupSequence(Value onnxValue) {
    auto found = sequences.find(onnxValue);
    return found == sequences.end() ? nullptr : &found->second;
  }
  void mapSequence(Value onnxValue, ArrayRef<Value> tensors) {
    sequences[onnxValue].assign(tensors.begin(), tensors.end());
  }
  void recordUnsupported(NodeOp node, const Twine &why);

  /// A constant tensor of the model: inline if small, else a ds.parameter.
  Value parameter(StringRef name, RankedTensorType type, Attribute value);
  /// A parameter's bytes read as another type of the same size, or an inline
  /// constant of bytes unpacked to it; null if `value` is neither.
  Value reinterpret(Value value, RankedTensorType type);

private:
  LogicalResult checkSupported();
  LogicalResult reportMissing();
  LogicalResult convertBlock(Block &block);
  LogicalResult convertNode(NodeOp node);
  LogicalResult convertArguments();

  ModuleOp module;
  GraphOp graph;
  Builders builders;
  func::FuncOp function;
  SymbolTable symbols;
  std::string folder;
  llvm::DenseMap<Value, Value> values;
  llvm::DenseMap<Value, SmallVector<Value>> sequences;
  /// "domain::op (why)" → names of its nodes.
  std::map<std::string, SmallVector<std::string>> missing;
};

} // namespace mlir::onnx

#endif // LOWERING_ONNXTODS_GRAPHCONVERTER_H
