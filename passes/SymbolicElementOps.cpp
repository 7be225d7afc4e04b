//===- SymbolicElementOps.cpp - how each op makes its elements ------------===//
//
// The half of SymbolicElements that knows the ops: from an element of a result
// to elements of the operands.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/SymbolicElement.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace mlir::ds;

using Kind = Term::Kind;

TermRef SymbolicElements::elementOf(Value tensor,
                                    ArrayRef<Polynomial> indices) {
  if (auto it = elements.find(tensor); it != elements.end())
    return it->second(indices);
  if (TermRef term = compute(tensor, indices))
    return term;
  return opaque(tensor, indices);
}

TermRef SymbolicElements::originOf(Value tensor, ArrayRef<Polynomial> indices) {
  llvm::SaveAndRestore<bool> moves(movesOnly, true);
  return elementOf(tensor, indices);
}

/// The element of `tensor` as an index that is not negative; nothing if that is
/// not known.
std::optional<Polynomial>
SymbolicElements::indexAt(Value tensor, ArrayRef<Polynomial> indices) {
  llvm::SaveAndRestore<bool> moves(movesOnly, false);
  TermRef index = elementOf(tensor, indices);
  if (index->kind != Kind::Integer || !isNonNegative(index->polynomial))
    return std::nullopt;
  return index->polynomial;
}

SmallVector<Polynomial>
SymbolicElements::broadcastIndices(Value operand,
                                   ArrayRef<Polynomial> indices) {
  RankedTensorType type = tensorType(operand);
  SmallVector<Polynomial> result(indices.take_back(type.getRank()));
  for (auto [index, size] : llvm::zip_equal(result, type.getShape()))
    if (size == 1)
      index = 0;
  return result;
}

/// Null if nothing is known; the caller makes it opaque.
TermRef SymbolicElements::compute(Value tensor, ArrayRef<Polynomial> indices) {
  DenseElementsAttr attr;
  if (matchPattern(tensor, m_Constant(&attr)))
    return constant(attr, tensor, indices);
  Operation *op = tensor.getDefiningOp();
  if (!op)
    return nullptr;

  if (auto fromElements = dyn_cast<tensor::FromElementsOp>(op)) {
    Polynomial linear;
    for (auto [d, index] : llvm::enumerate(indices))
      linear = linear * tensorType(tensor).getDimSize(d) + index;
    std::optional<int64_t> position = linear.getConstant();
    if (!position)
      return nullptr;
    Value element = fromElements.getElements()[*position];
    if (!element.getType().isIntOrIndex() || element.getType().isInteger(1))
      return nullptr;
    return integer(valueOf(element));
  }
  if (auto range = dyn_cast<RangeOp>(op)) {
    TermRef start = elementOf(range.getStart(), {}),
            delta = elementOf(range.getDelta(), {});
    if (start->kind != Kind::Integer || delta->kind != Kind::Integer)
      return nullptr;
    return integer(start->polynomial + indices[0] * delta->polynomial);
  }
  if (movesOnly && isa<ElementwiseOp, ReduceOp, CumulativeOp>(op))
    return nullptr;
  if (auto elementwiseOp = dyn_cast<ElementwiseOp>(op))
    return elementwise(elementwiseOp, indices);
  if (auto castOp = dyn_cast<CastOp>(op)) {
    Type from = tensorType(castOp.getInput()).getElementType();
    Type to = tensorType(tensor).getElementType();
    if (movesOnly &&
        !(isa<FloatType>(from) && isa<FloatType>(to) &&
          from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth()))
      return nullptr;
    TermRef input = elementOf(castOp.getInput(), indices);
    if (to.isInteger(1))
      return truthOf(input);
    if (from.isInteger(1)) {
      bool toFloat = isa<FloatType>(to);
      return select(input, toFloat ? number(1) : integer(1),
                    toFloat ? number(0) : integer(0));
    }
    return input;
  }
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    SmallVector<Polynomial> source(indices.size());
    for (auto [j, d] : llvm::enumerate(transpose.getPerm()))
      source[d] = indices[j];
    return elementOf(transpose.getInput(), source);
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    Value input = broadcast.getInput();
    RankedTensorType type = tensorType(input);
    int64_t extra = tensorType(tensor).getRank() - type.getRank();
    SmallVector<Polynomial> source = broadcastIndices(input, indices);
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (type.isDynamicDim(d) &&
          !(sizeOf(input, d) == sizeOf(tensor, d + extra)))
        return nullptr;
    return elementOf(input, source);
  }
  if (auto slice = dyn_cast<SliceOp>(op)) {
    SmallVector<Polynomial> source;
    for (auto [index, offset, stride] : llvm::zip_equal(
             indices, slice.getMixedOffsets(), slice.getMixedStrides()))
      source.push_back(valueOf(offset) + index * valueOf(stride));
    return elementOf(slice.getInput(), source);
  }
  if (auto reshape = dyn_cast<ReshapeOp>(op))
    return reshaped(reshape, indices);
  if (auto concat = dyn_cast<ConcatOp>(op))
    return concatenated(concat, indices);
  if (auto gather = dyn_cast<GatherOp>(op)) {
    int64_t axis = gather.getAxis();
    int64_t indexRank = tensorType(gather.getIndices()).getRank();
    std::optional<Polynomial> row =
        indexAt(gather.getIndices(), indices.slice(axis, indexRank));
    if (!row)
      return nullptr;
    SmallVector<Polynomial> source(indices.take_front(axis));
    source.push_back(*row);
    llvm::append_range(source, indices.drop_front(axis + indexRank));
    return elementOf(gather.getInput(), source);
  }
  if (auto gather = dyn_cast<GatherNdOp>(op))
    return gatheredNd(gather, indices);
  if (auto gather = dyn_cast<GatherElementsOp>(op)) {
    std::optional<Polynomial> row = indexAt(gather.getIndices(), indices);
    if (!row)
      return nullptr;
    SmallVector<Polynomial> source(indices);
    source[gather.getAxis()] = *row;
    return elementOf(gather.getInput(), source);
  }
  if (auto topk = dyn_cast<TopKOp>(op))
    return chosen(topk, tensor, indices);
  if (auto scatter = dyn_cast<ScatterNdOp>(op))
    return movesOnly ? nullptr : inverted(scatter, indices);
  if (auto nonzero = dyn_cast<NonZeroOp>(op)) {
    std::optional<int64_t> dim = indices[0].getConstant();
    return dim ? integer(storedIndex(tensor, indices,
                                     sizeOf(nonzero.getInput(), *dim)))
               : nullptr;
  }
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return reduction(reduce, indices);
  if (auto cumulative = dyn_cast<CumulativeOp>(op)) {
    // Running sum of one number: (i + 1) times it.
    if (cumulative.getKind() != ReduceKind::Sum || cumulative.getReverse())
      return nullptr;
    TermRef element = elementOf(cumulative.getInput(), indices);
    if (element->kind != Kind::Integer || !element->polynomial.getConstant())
      return nullptr;
    Polynomial count = indices[cumulative.getAxis()];
    if (!cumulative.getExclusive())
      count = count + 1;
    return integer(element->polynomial * count);
  }
  return nullptr;
}

TermRef SymbolicElements::constant(DenseElementsAttr value, Value tensor,
                                   ArrayRef<Polynomial> indices) {
  auto termOf = [&](int64_t position) -> TermRef {
    Type type = value.getElementType();
    if (isa<FloatType>(type))
      return number(value.getValues<APFloat>()[position].convertToDouble());
    auto integerType = dyn_cast<IntegerType>(type);
    if (!integerType)
      return nullptr;
    APInt bits = value.getValues<APInt>()[position];
    if (integerType.getWidth() == 1)
      return boolean(bits.getBoolValue());
    return integer(integerType.isUnsigned() ? int64_t(bits.getZExtValue())
                                            : bits.getSExtValue());
  };
  if (value.isSplat())
    return value.empty() ? nullptr : termOf(0);
  Polynomial linear;
  for (auto [index, size] :
       llvm::zip_equal(indices, value.getType().getShape()))
    linear = linear * size + index;
  if (std::optional<int64_t> position = linear.getConstant())
    return *position >= 0 && *position < value.getNumElements()
               ? termOf(*position)
               : nullptr;
  // A folded range: integers in arithmetic progression.
  if (!isa<IntegerType>(value.getElementType()) ||
      value.getElementType().isInteger(1) || value.getNumElements() < 2)
    return nullptr;
  auto elements = value.getValues<APInt>();
  int64_t first = elements[0].getSExtValue();
  int64_t step = elements[1].getSExtValue() - first;
  for (int64_t i = 0; i < value.getNumElements(); ++i)
    if (elements[i].getSExtValue() != first + i * step)
      return nullptr;
  return integer(Polynomial(first) + linear * step);
}

TermRef SymbolicElements::elementwise(ElementwiseOp op,
                                      ArrayRef<Polynomial> indices) {
  SmallVector<TermRef, 3> args;
  for (Value operand : op.getOperands())
    args.push_back(elementOf(operand, broadcastIndices(operand, indices)));
  Type type = tensorType(op.getOperands()[0]).getElementType();
  switch (op.getKind()) {
  case ElementwiseKind::Add:
  case ElementwiseKind::Sub:
  case ElementwiseKind::Mul:
  case ElementwiseKind::Div:
  case ElementwiseKind::Max:
  case ElementwiseKind::Min:
  case ElementwiseKind::FloorMod:
    return arithmetic(op.getKind(), args[0], args[1]);
  case ElementwiseKind::Neg:
    return arithmetic(ElementwiseKind::Sub,
                      args[0]->kind == Kind::Integer ? integer(0) : number(0),
                      args[0]);
  case ElementwiseKind::Eq:
    if (type.isInteger(1)) {
      // a == true is a; a == false is not a.
      for (unsigned i : {0u, 1u})
        if (args[i]->kind == Kind::Boolean)
          return args[i]->truth ? args[1 - i] : notTerm(args[1 - i]);
      return nullptr;
    }
    return compare(op.getKind(), args[0], args[1]);
  case ElementwiseKind::Lt:
  case ElementwiseKind::Le:
  case ElementwiseKind::Gt:
  case ElementwiseKind::Ge:
    return compare(op.getKind(), args[0], args[1]);
  case ElementwiseKind::And:
    return type.isInteger(1) ? andTerm(args[0], args[1]) : nullptr;
  case ElementwiseKind::Or:
    return type.isInteger(1) ? orTerm(args[0], args[1]) : nullptr;
  case ElementwiseKind::Not:
    return type.isInteger(1) ? notTerm(args[0]) : nullptr;
  case ElementwiseKind::Select:
    return select(args[0], args[1], args[2]);
  default:
    return nullptr;
  }
}

static bool isZeroOrOne(const TermRef &term) {
  if (term->kind == Kind::Integer)
    return term->polynomial == Polynomial(0) ||
           term->polynomial == Polynomial(1);
  return term->kind == Kind::Number && (term->number == 0 || term->number == 1);
}

TermRef SymbolicElements::reduction(ReduceOp op, ArrayRef<Polynomial> indices) {
  // Along one axis: a sum of one number, or whether any element is true.
  if (op.getAxes().size() != 1)
    return nullptr;
  int64_t axis = op.getAxes()[0];
  SmallVector<Polynomial> source(indices);
  Polynomial size = sizeOf(op.getInput(), axis);
  Polynomial index = newIndex(size);
  if (op.getKeepdims())
    source[axis] = index;
  else
    source.insert(source.begin() + axis, index);
  TermRef element = elementOf(op.getInput(), source);
  if (op.getKind() == ReduceKind::Sum && element->kind == Kind::Integer &&
      element->polynomial.getConstant())
    return integer(element->polynomial * size);
  if (op.getKind() != ReduceKind::Sum && op.getKind() != ReduceKind::Max)
    return nullptr;
  TermRef truth = truthOf(element);
  // Only counts of 0 and 1 may be told by "any": others would need the number.
  if (!truth ||
      (element->kind == Kind::Select &&
       !(isZeroOrOne(element->args[1]) && isZeroOrOne(element->args[2]))))
    return nullptr;
  auto term = std::make_shared<Term>();
  term->kind = Kind::AnyAlong;
  term->symbol = *index.getSymbol();
  term->polynomial = size;
  term->args = {truth};
  return term;
}

TermRef SymbolicElements::reshaped(ReshapeOp op, ArrayRef<Polynomial> indices) {
  Value input = op.getInput();
  RankedTensorType from = tensorType(input);
  // Dimensions that are not 1, in order, are the same on both sides: then only
  // unit dimensions moved.
  auto nonUnit = [&](Value tensor) {
    SmallVector<int64_t> dims;
    for (auto [d, size] : llvm::enumerate(tensorType(tensor).getShape()))
      if (size != 1)
        dims.push_back(d);
    return dims;
  };
  SmallVector<int64_t> fromDims = nonUnit(input), toDims = nonUnit(op);
  SmallVector<Polynomial> source(from.getRank());
  bool sameSizes = fromDims.size() == toDims.size();
  for (unsigned i = 0; sameSizes && i < fromDims.size(); ++i)
    sameSizes = sizeOf(input, fromDims[i]) == sizeOf(op, toDims[i]);
  if (sameSizes) {
    for (auto [f, t] : llvm::zip_equal(fromDims, toDims))
      source[f] = indices[t];
    return elementOf(input, source);
  }
  // Otherwise by the row-major number of the element: what each dimension of
  // the input, from the innermost, leaves of it when divided by its size.
  Polynomial number;
  for (auto [d, index] : llvm::enumerate(indices))
    number = number * sizeOf(op, d) + index;
  for (int64_t d : llvm::reverse(fromDims)) {
    if (d == fromDims.front()) {
      source[d] = number;
      return elementOf(input, source);
    }
    auto parts = divide(number, sizeOf(input, d));
    if (!parts)
      return nullptr;
    std::tie(number, source[d]) = *parts;
  }
  return nullptr;
}

/// (q, r) with value = q·size + r and 0 <= r < size, where both are plain.
std::optional<std::pair<Polynomial, Polynomial>>
SymbolicElements::divide(const Polynomial &value,
                         const Polynomial &size) const {
  if (size.getTerms().empty())
    return std::nullopt;
  // Polynomial division by the last monomial of `size`; a quotient that is one
  // too large (t < T read as T + (t − T)) is put right.
  const auto &[lead, leadCoefficient] = *size.getTerms().rbegin();
  Polynomial quotient, rest = value, remainder;
  for (unsigned round = 0; !rest.getTerms().empty(); ++round) {
    constexpr unsigned limit = 64; // sizes have a handful of terms
    if (round == limit)
      return std::nullopt;
    const auto [monomial, coefficient] = *rest.getTerms().rbegin();
    Polynomial term(1);
    for (unsigned symbol : monomial)
      term = term * Polynomial::symbol(symbol);
    term = term * coefficient;
    Polynomial::Monomial left;
    std::set_difference(monomial.begin(), monomial.end(), lead.begin(),
                        lead.end(), std::back_inserter(left));
    if (coefficient % leadCoefficient != 0 ||
        left.size() + lead.size() != monomial.size()) {
      remainder = remainder + term;
      rest = rest - term;
      continue;
    }
    Polynomial factor(coefficient / leadCoefficient);
    for (unsigned symbol : left)
      factor = factor * Polynomial::symbol(symbol);
    quotient = quotient + factor;
    rest = rest - factor * size;
  }
  for (int64_t correction : {0, -1, 1}) {
    Polynomial q = quotient + correction, r = remainder - size * correction;
    if (isNonNegative(r) && isNonNegative(size - 1 - r))
      return std::make_pair(q, r);
  }
  return std::nullopt;
}

TermRef SymbolicElements::concatenated(ConcatOp op,
                                       ArrayRef<Polynomial> indices) {
  int64_t axis = op.getAxis();
  Polynomial start;
  for (Value input : op.getInputs()) {
    Polynomial local = indices[axis] - start;
    Polynomial size = sizeOf(input, axis);
    if (isNonNegative(local) && isNonNegative(size - 1 - local)) {
      SmallVector<Polynomial> source(indices);
      source[axis] = local;
      return elementOf(input, source);
    }
    start = start + size;
  }
  return nullptr;
}

TermRef SymbolicElements::gatheredNd(GatherNdOp op,
                                     ArrayRef<Polynomial> indices) {
  if (op.getBatchDims() != 0)
    return nullptr;
  RankedTensorType indexType = tensorType(op.getIndices());
  int64_t outer = indexType.getRank() - 1;
  if (indexType.isDynamicDim(outer))
    return nullptr;
  SmallVector<Polynomial> source;
  for (int64_t i = 0; i < indexType.getDimSize(outer); ++i) {
    SmallVector<Polynomial> at(indices.take_front(outer));
    at.push_back(i);
    std::optional<Polynomial> index = indexAt(op.getIndices(), at);
    if (!index)
      return nullptr;
    source.push_back(*index);
  }
  llvm::append_range(source, indices.drop_front(outer));
  return elementOf(op.getInput(), source);
}

TermRef SymbolicElements::chosen(TopKOp op, Value tensor,
                                 ArrayRef<Polynomial> indices) {
  int64_t axis = op.getAxis();
  Polynomial index =
      storedIndex(op.getIndices(), indices, sizeOf(op.getInput(), axis));
  if (tensor == op.getIndices())
    return integer(index);
  SmallVector<Polynomial> source(indices);
  source[axis] = index;
  return elementOf(op.getInput(), source);
}

/// The inverse of a permutation: 0, 1, 2, … written at the places that a sort
/// of all elements has.
TermRef SymbolicElements::inverted(ScatterNdOp op,
                                   ArrayRef<Polynomial> indices) {
  RankedTensorType places = tensorType(op.getIndices());
  if (op.getKind() != ScatterKind::None || indices.size() != 1 ||
      places.getRank() != 2 || places.getDimSize(1) != 1)
    return nullptr;
  Polynomial size = sizeOf(op.getResult(), 0);
  Polynomial row = newIndex(size);
  TermRef update = elementOf(op.getUpdates(), {row}),
          place = elementOf(op.getIndices(), {row, 0});
  if (update->kind != Kind::Integer || !(update->polynomial == row) ||
      place->kind != Kind::Integer || !(sizeOf(op.getUpdates(), 0) == size))
    return nullptr;
  TermRef stored = storedAs(place->polynomial);
  auto sort = stored ? stored->value.getDefiningOp<TopKOp>() : TopKOp();
  if (!sort || stored->indices.size() != 1 || !(stored->indices[0] == row) ||
      !(sizeOf(sort.getInput(), 0) == size) || !(valueOf(sort.getK()) == size))
    return nullptr;
  Polynomial inverse = storedIndex(op.getResult(), indices, size);
  assumeStoredIndex(sort.getIndices(), {inverse}, indices[0]);
  return integer(inverse);
}
