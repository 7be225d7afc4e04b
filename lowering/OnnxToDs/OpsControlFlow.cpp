//===- OpsControlFlow.cpp - If, Loop, Scan --------------------------------===//
#include "lowering/OnnxToDs/ControlFlow.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;

/// The body that attribute `name` holds, or null after an error.
static Region *bodyOf(NodeContext &n, StringRef name) {
  auto graph = dyn_cast_or_null<GraphRefAttr>(n.attribute(name));
  if (!graph || graph.getRegion() >= n.node.getBodies().size()) {
    (void)n.error("it has no graph '" + name + "'");
    return nullptr;
  }
  return &n.node.getBodies()[graph.getRegion()];
}

static LogicalResult checkArguments(NodeContext &n, Region &body,
                                    size_t wanted) {
  size_t have = body.front().getNumArguments();
  if (have != wanted)
    return n.error("its body has " + Twine(have) + " inputs instead of " +
                   Twine(wanted));
  return success();
}

/// One element, of integers of `width` bits.
static bool isOne(Value value, unsigned width) {
  RankedTensorType type = tensorType(value);
  return type.hasStaticShape() && type.getNumElements() == 1 &&
         type.getRank() <= 1 && type.getElementType().isInteger(width);
}

static LogicalResult giveOutputs(NodeContext &n,
                                 FailureOr<SmallVector<Value>> results) {
  if (failed(results))
    return failure();
  if (results->size() < n.node.getNumResults())
    return n.error("its body gives " + Twine(results->size()) + " values for " +
                   Twine(n.node.getNumResults()) + " outputs");
  for (unsigned i = 0; i < n.node.getNumResults(); ++i)
    n.output(i, (*results)[i]);
  return success();
}

static LogicalResult convertIf(NodeContext &n) {
  Region *thenBody = bodyOf(n, "then_branch"),
         *elseBody = bodyOf(n, "else_branch");
  if (!thenBody || !elseBody || failed(checkArguments(n, *thenBody, 0)) ||
      failed(checkArguments(n, *elseBody, 0)))
    return failure();
  if (!isOne(n.input(0), 1))
    return n.error("its condition is not one bool");
  auto body = [&](Region *region) {
    return [&n, region](SmallVectorImpl<Value> &results) {
      return n.converter.convertBody(*region, {}, results);
    };
  };
  return giveOutputs(n, branch(n, n.input(0), body(thenBody), body(elseBody)));
}

static LogicalResult convertLoop(NodeContext &n) {
  Region *body = bodyOf(n, "body");
  if (!body)
    return failure();
  LoopRequest request;
  if (n.has(0)) {
    if (!isOne(n.input(0), 64))
      return n.error("its trip count is not one number");
    request.trip =
        n.b.sizes.max((*n.b.readElements(n.input(0)))[0], n.b.sizes.number(0));
  }
  if (n.has(1)) {
    if (!isOne(n.input(1), 1))
      return n.error("its condition is not one bool");
    DenseElementsAttr known = n.b.constantOf(n.input(1));
    if (!known || !known.getValues<bool>()[0])
      request.condition = n.input(1);
  }
  for (unsigned i = 2; i < n.inputCount(); ++i) {
    if (!n.has(i))
      return n.error("input " + Twine(i) + " is missing");
    request.carried.push_back(n.input(i));
  }
  if (failed(checkArguments(n, *body, 2 + request.carried.size())))
    return failure();
  request.hasCondition = true;
  auto convert = [&](Value iteration, ValueRange carried,
                     SmallVectorImpl<Value> &results) {
    // Where the body runs, its condition holds.
    SmallVector<Value> arguments{
        n.b.fromSizes({OpFoldResult(iteration)}, /*scalar=*/true),
        n.b.scalar(n.b.b.getI1Type(), 1)};
    llvm::append_range(arguments, carried);
    return n.converter.convertBody(*body, arguments, results);
  };
  return giveOutputs(n, loop(n, request, convert));
}

//===----------------------------------------------------------------------===//
// Scan
//===----------------------------------------------------------------------===//

namespace {
struct ScanForm {
  Region *body;
  unsigned states, inputs, outputs;
  SmallVector<int64_t> inputAxes, outputAxes;
  SmallVector<bool> inputReversed, outputReversed;
};
} // namespace

/// Element `at` of `value` along `axis`, which goes.
static Value elementAlong(NodeContext &n, Value value, int64_t axis,
                          OpFoldResult at) {
  Value part = n.b.sliceAlong(value, axis, at, n.b.sizes.number(1));
  SmallVector<OpFoldResult> dims = n.b.shape(part);
  dims.erase(dims.begin() + axis);
  return n.b.reshape(part, dims);
}

static FailureOr<SmallVector<Value>> scan(NodeContext &n, const ScanForm &form,
                                          ValueRange states,
                                          ValueRange inputs) {
  LoopRequest request;
  request.carried.append(states.begin(), states.end());
  request.reversed = form.outputReversed;
  for (auto [input, axis] : llvm::zip_equal(inputs, form.inputAxes)) {
    OpFoldResult size = n.b.size(input, axis);
    if (!request.trip || !getConstantIntValue(request.trip))
      request.trip = size;
    else if (getConstantIntValue(size) &&
             getConstantIntValue(size) != getConstantIntValue(request.trip))
      return n.error("its scan inputs differ in length");
  }
  OpFoldResult last = n.b.sizes.sub(request.trip, n.b.sizes.number(1));
  auto convert = [&](Value iteration, ValueRange carried,
                     SmallVectorImpl<Value> &results) {
    SmallVector<Value> arguments(carried.begin(), carried.end());
    for (auto [i, input] : llvm::enumerate(inputs)) {
      OpFoldResult at(iteration);
      if (form.inputReversed[i])
        at = n.b.sizes.sub(last, at);
      arguments.push_back(elementAlong(n, input, form.inputAxes[i], at));
    }
    return n.converter.convertBody(*form.body, arguments, results);
  };
  auto results = loop(n, request, convert);
  if (failed(results))
    return failure();
  // Stacks have their new dimension first.
  for (unsigned i = 0; i + form.states < results->size(); ++i) {
    Value &stacked = (*results)[form.states + i];
    int64_t rank = tensorType(stacked).getRank();
    FailureOr<int64_t> axis = n.axis(form.outputAxes[i], rank);
    if (failed(axis))
      return failure();
    SmallVector<int64_t> perm;
    for (int64_t d = 1; d < rank; ++d)
      perm.push_back(d);
    perm.insert(perm.begin() + *axis, 0);
    stacked = n.b.transpose(stacked, perm);
  }
  return results;
}

static LogicalResult convertScan(NodeContext &n) {
  ScanForm form;
  form.body = bodyOf(n, "body");
  if (!form.body)
    return failure();
  // Version 8 has lengths in front and a batch dimension everywhere.
  bool batched = n.version() < 9;
  SmallVector<Value> values;
  for (unsigned i = batched ? 1 : 0; i < n.inputCount(); ++i) {
    if (!n.has(i))
      return n.error("input " + Twine(i) + " is missing");
    values.push_back(n.input(i));
  }
  if (batched && n.has(0))
    return n.unsupported("lengths per sequence");
  int64_t inputs = n.integer("num_scan_inputs", 0);
  if (inputs < 1 || inputs > int64_t(values.size()))
    return n.error("it has " + Twine(values.size()) + " inputs and scans " +
                   Twine(inputs) + " of them");
  form.inputs = inputs;
  form.states = values.size() - inputs;
  size_t given =
      cast<ReturnOp>(form.body->front().getTerminator()).getValues().size();
  if (given < form.states ||
      failed(checkArguments(n, *form.body, values.size())))
    return n.error("its body does not give back its states");
  form.outputs = given - form.states;
  auto list = [&](StringRef name, size_t size) {
    SmallVector<int64_t> result =
        n.integers(name).value_or(SmallVector<int64_t>());
    result.resize(size, 0);
    return result;
  };
  for (int64_t d :
       list(batched ? "directions" : "scan_input_directions", form.inputs))
    form.inputReversed.push_back(d != 0);
  for (int64_t d : list("scan_output_directions", form.outputs))
    form.outputReversed.push_back(d != 0);
  form.outputAxes = list("scan_output_axes", form.outputs);
  ValueRange all(values);
  ValueRange states = all.take_front(form.states),
             scanned = all.drop_front(form.states);
  SmallVector<int64_t> axes = list("scan_input_axes", form.inputs);
  for (auto [input, axis] : llvm::zip_equal(scanned, axes)) {
    int64_t rank = tensorType(input).getRank() - (batched ? 1 : 0);
    FailureOr<int64_t> d = n.axis(axis, rank);
    if (failed(d))
      return failure();
    form.inputAxes.push_back(*d);
  }
  if (!batched)
    return giveOutputs(n, scan(n, form, states, scanned));
  LoopRequest batch;
  batch.trip = n.b.size(scanned.front(), 0);
  auto convert = [&](Value at, ValueRange, SmallVectorImpl<Value> &results) {
    auto pick = [&](ValueRange from) {
      SmallVector<Value> parts;
      for (Value value : from)
        parts.push_back(elementAlong(n, value, 0, OpFoldResult(at)));
      return parts;
    };
    auto one = scan(n, form, pick(states), pick(scanned));
    if (failed(one))
      return failure();
    results.append(*one);
    return success();
  };
  return giveOutputs(n, loop(n, batch, convert));
}

ArrayRef<OpEntry> mlir::onnx::controlFlowOps() {
  static const OpEntry ops[] = {
      {"", "If", 1, newestOpset, 1, convertIf},
      {"", "Loop", 1, newestOpset, 0, convertLoop},
      {"", "Scan", 8, newestOpset, 0, convertScan},
  };
  return ops;
}
