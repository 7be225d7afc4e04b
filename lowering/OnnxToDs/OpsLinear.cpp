//===- OpsLinear.cpp - matrix products ------------------------------------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;

/// ONNX MatMul: vectors are rows on the left, columns on the right.
static FailureOr<Value> matmul(NodeContext &n, Value lhs, Value rhs,
                               Type resultType = {}) {
  int64_t l = tensorType(lhs).getRank(), r = tensorType(rhs).getRank();
  if (l == 0 || r == 0)
    return n.error("it multiplies a scalar");
  if (l == 1)
    lhs = n.b.unsqueeze(lhs, {0});
  if (r == 1)
    rhs = n.b.unsqueeze(rhs, {1});
  int64_t inner = tensorType(lhs).getShape().back(),
          other = tensorType(rhs).getShape()[tensorType(rhs).getRank() - 2];
  if (!ShapedType::isDynamic(inner) && !ShapedType::isDynamic(other) &&
      inner != other)
    return n.error("it sums over " + Twine(inner) + " on the left and " +
                   Twine(other) + " on the right");
  Value result = n.b.matmul(lhs, rhs, resultType);
  SmallVector<OpFoldResult> dims = n.b.shape(result);
  if (r == 1)
    dims.pop_back();
  if (l == 1)
    dims.erase(dims.end() - (r == 1 ? 1 : 2));
  return n.b.reshape(result, dims);
}

static LogicalResult convertMatMul(NodeContext &n) {
  if (tensorType(n.input(0)).getElementType() !=
      tensorType(n.input(1)).getElementType())
    return n.error("its inputs have different element types");
  FailureOr<Value> result = matmul(n, n.input(0), n.input(1));
  if (failed(result))
    return failure();
  n.output(0, *result);
  return success();
}

static Value swapLast(NodeContext &n, Value value) {
  SmallVector<int64_t> perm;
  for (int64_t d = 0; d < tensorType(value).getRank(); ++d)
    perm.push_back(d);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return n.b.transpose(value, perm);
}

static Value scaled(NodeContext &n, Value value, double factor) {
  return factor == 1 ? value : n.b.mul(value, n.b.scalarLike(value, factor));
}

/// alpha · op(A) · op(B) + beta · C
static FailureOr<Value> gemm(NodeContext &n) {
  Value lhs = n.input(0), rhs = n.input(1);
  if (tensorType(lhs).getRank() != 2 || tensorType(rhs).getRank() != 2)
    return n.error("it needs two matrices");
  if (n.integer("transA", 0))
    lhs = swapLast(n, lhs);
  if (n.integer("transB", 0))
    rhs = swapLast(n, rhs);
  FailureOr<Value> product = matmul(n, lhs, rhs);
  if (failed(product))
    return failure();
  Value result = scaled(n, *product, n.number("alpha", 1));
  double beta = n.number("beta", 1);
  if (n.has(2) && beta != 0)
    result = n.b.add(result, scaled(n, n.input(2), beta));
  return result;
}

static LogicalResult convertGemm(NodeContext &n) {
  FailureOr<Value> result = gemm(n);
  if (failed(result))
    return failure();
  n.output(0, *result);
  return success();
}

/// com.microsoft FusedGemm: an activation of a Gemm.
static LogicalResult convertFusedGemm(NodeContext &n) {
  FailureOr<Value> x = gemm(n);
  if (failed(x))
    return failure();
  StringRef activation = n.text("activation", "");
  if (activation == "Relu")
    n.output(
        0, n.b.elementwise(ElementwiseKind::Max, {*x, n.b.scalarLike(*x, 0)}));
  else if (activation == "Sigmoid")
    n.output(0, n.b.elementwise(ElementwiseKind::Sigmoid, {*x}));
  else if (activation == "Tanh")
    n.output(0, n.b.elementwise(ElementwiseKind::Tanh, {*x}));
  else
    return n.unsupported("activation '" + activation + "'");
  return success();
}

/// com.microsoft FusedMatMul: alpha · op(A) · op(B).
static LogicalResult convertFusedMatMul(NodeContext &n) {
  if (n.integer("transBatchA", 0) || n.integer("transBatchB", 0))
    return n.unsupported("transposed batches");
  Value lhs = n.input(0), rhs = n.input(1);
  if (n.integer("transA", 0) && tensorType(lhs).getRank() > 1)
    lhs = swapLast(n, lhs);
  if (n.integer("transB", 0) && tensorType(rhs).getRank() > 1)
    rhs = swapLast(n, rhs);
  FailureOr<Value> product = matmul(n, lhs, rhs);
  if (failed(product))
    return failure();
  n.output(0, scaled(n, *product, n.number("alpha", 1)));
  return success();
}

/// A zero point, [N] or scalar, as a column or row beside the operand.
static Value zeroPointOf(NodeContext &n, unsigned input, bool rows) {
  Value zero = n.b.cast(n.input(input), n.b.b.getI32Type());
  if (tensorType(zero).getRank() == 1 && rows)
    zero = n.b.unsqueeze(zero, {1});
  return zero;
}

static LogicalResult convertMatMulInteger(NodeContext &n) {
  Type i32 = n.b.b.getI32Type();
  Value lhs = n.b.cast(n.input(0), i32), rhs = n.b.cast(n.input(1), i32);
  if (n.has(2))
    lhs = n.b.sub(lhs, zeroPointOf(n, 2, /*rows=*/true));
  if (n.has(3))
    rhs = n.b.sub(rhs, zeroPointOf(n, 3, /*rows=*/false));
  FailureOr<Value> result = matmul(n, lhs, rhs, i32);
  if (failed(result))
    return failure();
  n.output(0, *result);
  return success();
}

/// Einsum without repeated letters in one operand, pair by pair: transpose to
/// [batch, kept, summed] · [batch, summed, kept].
static LogicalResult convertEinsum(NodeContext &n) {
  std::string equation;
  for (char c : n.text("equation", ""))
    if (c != ' ')
      equation += c;
  auto [inputText, outputText] = StringRef(equation).split("->");
  bool explicitOutput = StringRef(equation).contains("->");
  SmallVector<StringRef> terms;
  inputText.split(terms, ',');
  if (terms.size() != n.inputCount())
    return n.error("its equation names " + Twine(terms.size()) + " inputs");

  // Ellipses become letters that no equation uses.
  size_t ellipsis = 0;
  for (auto [i, term] : llvm::enumerate(terms))
    if (term.contains("...")) {
      size_t rank = tensorType(n.input(i)).getRank();
      if (rank + 3 < term.size())
        return n.error("its equation has more letters than dimensions");
      ellipsis = std::max(ellipsis, rank - (term.size() - 3));
    }
  auto expand = [&](StringRef term, size_t count) {
    auto [before, after] = term.split("...");
    std::string result = before.str();
    if (term.contains("..."))
      for (size_t i = 0; i < count; ++i)
        result += char(1 + ellipsis - count + i);
    return result + after.str();
  };
  SmallVector<std::string> letters;
  for (auto [i, term] : llvm::enumerate(terms)) {
    size_t rank = tensorType(n.input(i)).getRank();
    letters.push_back(
        expand(term, term.contains("...") ? rank - (term.size() - 3) : 0));
    if (letters.back().size() != rank)
      return n.error("its equation does not fit the rank of input " + Twine(i));
  }
  std::string output;
  if (explicitOutput) {
    output = expand(outputText, ellipsis);
  } else {
    std::map<char, unsigned> counts;
    for (const std::string &term : letters)
      for (char c : term)
        ++counts[c];
    for (auto [c, count] : counts)
      if (count == 1 || c <= char(ellipsis))
        output += c;
  }

  // Diagonals first: a letter twice in one operand.
  SmallVector<Value> operands;
  for (unsigned i = 0; i < n.inputCount(); ++i) {
    Value value = n.input(i);
    std::string &term = letters[i];
    for (size_t p = 0; p < term.size(); ++p) {
      size_t q = term.find(term[p], p + 1);
      while (q != std::string::npos) {
        // Keep where both indices agree, then sum one of them away.
        int64_t rank = term.size();
        SmallVector<OpFoldResult> rowShape(rank, n.b.sizes.number(1)),
            columnShape(rank, n.b.sizes.number(1));
        rowShape[p] = n.b.size(value, p);
        columnShape[q] = n.b.size(value, q);
        Value row = n.b.reshape(n.b.iota(rowShape[p]), rowShape);
        Value column = n.b.reshape(n.b.iota(columnShape[q]), columnShape);
        Value same = n.b.elementwise(ElementwiseKind::Eq, {row, column});
        value = n.b.elementwise(ElementwiseKind::Select,
                                {same, value, n.b.scalarLike(value, 0)});
        value = n.b.reduce(ds::ReduceKind::Sum, value, {int64_t(q)}, false);
        term.erase(q, 1);
        q = term.find(term[p], p + 1);
      }
    }
    operands.push_back(value);
  }
  auto permuted = [&](Value value, StringRef from, StringRef to) {
    SmallVector<int64_t> perm;
    for (char c : to)
      perm.push_back(from.find(c));
    return n.b.transpose(value, perm);
  };
  Value result = operands[0];
  std::string have = letters[0];
  for (unsigned i = 1; i < operands.size(); ++i) {
    const std::string &other = letters[i];
    std::string batch, summed, left, right;
    auto neededLater = [&](char c) {
      if (StringRef(output).contains(c))
        return true;
      for (unsigned j = i + 1; j < operands.size(); ++j)
        if (StringRef(letters[j]).contains(c))
          return true;
      return false;
    };
    for (char c : have)
      if (!StringRef(other).contains(c))
        left += c;
      else if (neededLater(c))
        batch += c;
      else
        summed += c;
    for (char c : other)
      if (!StringRef(have).contains(c))
        right += c;
    auto sizesOf = [&](StringRef wanted, Value value, StringRef names) {
      SmallVector<OpFoldResult> dims;
      for (char c : wanted)
        dims.push_back(n.b.size(value, names.find(c)));
      return dims;
    };
    SmallVector<OpFoldResult> batchDims = sizesOf(batch, result, have),
                              otherBatch = sizesOf(batch, operands[i], other),
                              leftDims = sizesOf(left, result, have),
                              rightDims = sizesOf(right, operands[i], other),
                              sumDims = sizesOf(summed, result, have);
    auto join = [&](ArrayRef<OpFoldResult> dims, ArrayRef<OpFoldResult> a,
                    ArrayRef<OpFoldResult> c) {
      SmallVector<OpFoldResult> shape(dims);
      shape.push_back(n.b.sizes.product(a));
      shape.push_back(n.b.sizes.product(c));
      return shape;
    };
    Value lhs = n.b.reshape(permuted(result, have, batch + left + summed),
                            join(batchDims, leftDims, sumDims));
    Value rhs =
        n.b.reshape(permuted(operands[i], other, batch + summed + right),
                    join(otherBatch, sumDims, rightDims));
    Value product = n.b.matmul(lhs, rhs);
    SmallVector<OpFoldResult> dims = n.b.shape(product);
    dims.pop_back();
    dims.pop_back();
    dims.append(leftDims);
    dims.append(rightDims);
    result = n.b.reshape(product, dims);
    have = batch + left + right;
  }
  SmallVector<int64_t> gone;
  std::string kept;
  for (auto [d, c] : llvm::enumerate(have))
    if (StringRef(output).contains(c))
      kept += c;
    else
      gone.push_back(d);
  if (!gone.empty())
    result = n.b.reduce(ds::ReduceKind::Sum, result, gone, false);
  if (kept.size() != output.size())
    return n.error("its equation has an output letter that no input has");
  n.output(0, permuted(result, kept, output));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::linearOps() {
  static const OpEntry ops[] = {
      {"", "Einsum", 12, newestOpset, 1, convertEinsum},
      {"", "Gemm", 1, newestOpset, 2, convertGemm},
      {"", "MatMul", 1, newestOpset, 2, convertMatMul},
      {"", "MatMulInteger", 10, newestOpset, 2, convertMatMulInteger},
      {microsoft, "FusedGemm", 1, 1, 2, convertFusedGemm},
      {microsoft, "FusedMatMul", 1, 1, 2, convertFusedMatMul},
  };
  return ops;
}
