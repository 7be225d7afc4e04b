//===- OpsSequence.cpp - parts of tensors, lists of tensors ---------------===//
//
// A sequence is a list whose length and places are known at compile time, as
// exporters write it where a program splits a tensor or returns a tuple.
//
//===----------------------------------------------------------------------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;

/// `x` cut along `axis` into parts of these sizes, which together are the
/// dimension: also where the call gives them (`checked` else).
static FailureOr<SmallVector<Value>> cut(NodeContext &n, Value x, int64_t axis,
                                         SmallVector<OpFoldResult> parts,
                                         bool checked) {
  Sizes &s = n.b.sizes;
  OpFoldResult total = n.b.size(x, axis), sum = s.number(0);
  bool fixed = true;
  for (OpFoldResult part : parts) {
    if (getConstantIntValue(part).value_or(0) < 0)
      return n.error("it has a part of negative size");
    fixed &= getConstantIntValue(part).has_value();
    sum = s.add(sum, part);
  }
  n.b.checkSameSize(sum, total, "the sum of its parts and the dimension");
  if (!checked && !fixed) {
    Location loc = n.b.loc;
    Value fits = arith::CmpIOp::create(n.b.b, loc, arith::CmpIPredicate::eq,
                                       s.asValue(sum), s.asValue(total));
    for (OpFoldResult part : parts)
      fits = arith::AndIOp::create(
          n.b.b, loc, fits,
          arith::CmpIOp::create(n.b.b, loc, arith::CmpIPredicate::sge,
                                s.asValue(part), s.asValue(s.number(0))));
    for (OpFoldResult &part : parts)
      part =
          ds::RequireOp::create(n.b.b, loc, fits, s.asValue(part)).getResult();
  }
  SmallVector<Value> result;
  OpFoldResult offset = s.number(0);
  for (OpFoldResult part : parts) {
    result.push_back(n.b.sliceAlong(x, axis, offset, part));
    offset = s.add(offset, part);
  }
  return result;
}

static LogicalResult convertSplit(NodeContext &n) {
  Value x = n.input(0);
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", 0), tensorType(x).getRank());
  if (failed(axis))
    return failure();
  unsigned count = n.node.getNumResults();
  SmallVector<OpFoldResult> parts;
  if (auto attr = n.integers("split")) {
    for (int64_t size : *attr)
      parts.push_back(n.b.sizes.number(size));
  } else if (n.has(1)) {
    auto elements = n.b.readElements(n.input(1));
    if (!elements)
      return n.unsupported("the number of parts is not fixed");
    parts = *elements;
  } else {
    // Equal parts, the last one smaller.
    OpFoldResult total = n.b.size(x, *axis);
    OpFoldResult part =
        n.b.sizes.floorDiv(n.b.sizes.add(total, n.b.sizes.number(count - 1)),
                           n.b.sizes.number(count));
    for (unsigned i = 0; i + 1 < count; ++i)
      parts.push_back(part);
    parts.push_back(
        n.b.sizes.sub(total, n.b.sizes.mul(part, n.b.sizes.number(count - 1))));
  }
  if (parts.size() != count)
    return n.error("it has " + Twine(count) + " outputs and " +
                   Twine(parts.size()) + " parts");
  FailureOr<SmallVector<Value>> values =
      cut(n, x, *axis, parts, /*checked=*/!n.has(1));
  if (failed(values))
    return failure();
  for (auto [i, value] : llvm::enumerate(*values))
    n.output(i, value);
  return success();
}

static LogicalResult convertSplitToSequence(NodeContext &n) {
  Value x = n.input(0);
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", 0), tensorType(x).getRank());
  if (failed(axis))
    return failure();
  Sizes &s = n.b.sizes;
  SmallVector<OpFoldResult> parts;
  bool equal = !n.has(1) || tensorType(n.input(1)).getRank() == 0;
  if (equal) {
    // One part size, the last one smaller.
    std::optional<int64_t> total = getConstantIntValue(n.b.size(x, *axis)),
                           part = 1;
    if (n.has(1)) {
      auto element = n.b.elements(n.input(1));
      part = element ? getConstantIntValue(element->front()) : std::nullopt;
    }
    if (!total || !part)
      return n.unsupported("the number of parts is not fixed");
    if (*part < 1)
      return n.error("its parts have size " + Twine(*part));
    for (int64_t at = 0; at < *total; at += *part)
      parts.push_back(s.number(std::min(*part, *total - at)));
  } else {
    auto elements = n.b.readElements(n.input(1));
    if (!elements)
      return n.unsupported("the number of parts is not fixed");
    parts = *elements;
  }
  FailureOr<SmallVector<Value>> values =
      cut(n, x, *axis, parts, /*checked=*/equal);
  if (failed(values))
    return failure();
  // Without sizes the dimension may go.
  if (!n.has(1) && !n.integer("keepdims", 1))
    for (Value &value : *values) {
      SmallVector<OpFoldResult> dims = n.b.shape(value);
      dims.erase(dims.begin() + *axis);
      value = n.b.reshape(value, dims);
    }
  n.outputSequence(*values);
  return success();
}

static LogicalResult convertSequenceConstruct(NodeContext &n) {
  SmallVector<Value> values;
  for (unsigned i = 0; i < n.inputCount(); ++i) {
    if (!n.has(i))
      return n.error("input " + Twine(i) + " is missing");
    values.push_back(n.input(i));
  }
  n.outputSequence(values);
  return success();
}

static LogicalResult convertSequenceAt(NodeContext &n) {
  FailureOr<ArrayRef<Value>> values = n.sequence(0);
  if (failed(values))
    return failure();
  if (!n.has(1))
    return n.error("input 1 is missing");
  auto position = n.b.elements(n.input(1));
  std::optional<int64_t> at;
  if (position && position->size() == 1)
    at = getConstantIntValue(position->front());
  if (!at)
    return n.unsupported("its position is not constant");
  int64_t size = values->size();
  if (*at < -size || *at >= size)
    return n.error("position " + Twine(*at) + " is outside a sequence of " +
                   Twine(size));
  n.output(0, (*values)[*at < 0 ? *at + size : *at]);
  return success();
}

static LogicalResult convertSequenceLength(NodeContext &n) {
  FailureOr<ArrayRef<Value>> values = n.sequence(0);
  if (failed(values))
    return failure();
  n.output(0, n.b.fromSizes({n.b.sizes.number(values->size())},
                            /*scalar=*/true));
  return success();
}

static LogicalResult convertConcatFromSequence(NodeContext &n) {
  FailureOr<ArrayRef<Value>> values = n.sequence(0);
  if (failed(values))
    return failure();
  if (values->empty())
    return n.error("its sequence is empty");
  bool isNew = n.integer("new_axis", 0) != 0;
  FailureOr<int64_t> axis =
      n.axis(n.integer("axis", 0),
             tensorType(values->front()).getRank() + (isNew ? 1 : 0));
  if (failed(axis))
    return failure();
  SmallVector<Value> parts;
  for (Value value : *values)
    parts.push_back(isNew ? n.b.unsqueeze(value, {*axis}) : value);
  n.output(0, n.b.concat(parts, *axis));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::sequenceOps() {
  static const OpEntry ops[] = {
      {"", "ConcatFromSequence", 11, newestOpset, 0, convertConcatFromSequence,
       /*takesSequence=*/true},
      {"", "SequenceAt", 11, newestOpset, 0, convertSequenceAt,
       /*takesSequence=*/true},
      {"", "SequenceConstruct", 11, newestOpset, 1, convertSequenceConstruct},
      {"", "SequenceLength", 11, newestOpset, 0, convertSequenceLength,
       /*takesSequence=*/true},
      {"", "Split", 1, newestOpset, 1, convertSplit},
      {"", "SplitToSequence", 11, newestOpset, 1, convertSplitToSequence},
  };
  return ops;
}
