//===- SymbolicElement.cpp - one element of a tensor, symbolically --------===//
//
// See SymbolicElement.h. A walk touches each op of a mask once per query, and
// masks are shared by all layers, so the cost does not grow with the model.
//
//===----------------------------------------------------------------------===//
#include "passes/SymbolicElement.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/Match.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace mlir::ds;

using Kind = Term::Kind;

static std::shared_ptr<Term> makeTerm(Kind kind) {
  auto term = std::make_shared<Term>();
  term->kind = kind;
  return term;
}

TermRef SymbolicElements::integer(const Polynomial &value) const {
  auto term = makeTerm(Kind::Integer);
  term->polynomial = value;
  return term;
}

TermRef SymbolicElements::number(double value) const {
  auto term = makeTerm(Kind::Number);
  term->number = value;
  return term;
}

TermRef SymbolicElements::boolean(bool value) const {
  auto term = makeTerm(Kind::Boolean);
  term->truth = value;
  return term;
}

TermRef SymbolicElements::opaque(Value tensor,
                                 ArrayRef<Polynomial> indices) const {
  auto term = makeTerm(Kind::Element);
  term->value = tensor;
  term->indices.assign(indices.begin(), indices.end());
  return term;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

Polynomial SymbolicElements::newIndex(const Polynomial &size) {
  indexSizes[symbolCount] = size;
  return Polynomial::symbol(symbolCount++);
}

Polynomial SymbolicElements::opaqueSize(Value value, int64_t dim) {
  auto [it, inserted] = sizes.try_emplace({value, dim});
  if (inserted)
    it->second = Polynomial::symbol(symbolCount++);
  return it->second;
}

void SymbolicElements::assumeSize(Value argument, int64_t dim,
                                  const Polynomial &size) {
  sizes[{argument, dim}] = size;
}

Polynomial SymbolicElements::storedIndex(Value tensor,
                                         ArrayRef<Polynomial> indices,
                                         const Polynomial &size) {
  auto &known = stored[tensor];
  for (const auto &[at, index] : known)
    if (ArrayRef<Polynomial>(at) == indices)
      return index;
  Polynomial index = newIndex(size);
  known.emplace_back(indices, index);
  storedBySymbol[*index.getSymbol()] = opaque(tensor, indices);
  return index;
}

void SymbolicElements::assumeStoredIndex(Value tensor,
                                         ArrayRef<Polynomial> indices,
                                         const Polynomial &index) {
  auto &known = stored[tensor];
  for (auto &[at, old] : known)
    if (ArrayRef<Polynomial>(at) == indices) {
      old = index;
      return;
    }
  known.emplace_back(indices, index);
}

TermRef SymbolicElements::storedAs(const Polynomial &index) const {
  std::optional<unsigned> symbol = index.getSymbol();
  auto it = symbol ? storedBySymbol.find(*symbol) : storedBySymbol.end();
  return it == storedBySymbol.end() ? nullptr : it->second;
}

void SymbolicElements::assumeElement(Value argument, ElementFn element) {
  elements[argument] = std::move(element);
}

Polynomial SymbolicElements::valueOf(OpFoldResult index) {
  if (std::optional<int64_t> constant = getConstantIntValue(index))
    return *constant;
  return valueOf(cast<Value>(index));
}

Polynomial SymbolicElements::valueOf(Value index) {
  if (std::optional<int64_t> constant = getConstantIntValue(index))
    return *constant;
  Operation *op = index.getDefiningOp();
  if (auto add = dyn_cast_or_null<arith::AddIOp>(op))
    return valueOf(add.getLhs()) + valueOf(add.getRhs());
  if (auto sub = dyn_cast_or_null<arith::SubIOp>(op))
    return valueOf(sub.getLhs()) - valueOf(sub.getRhs());
  if (auto mul = dyn_cast_or_null<arith::MulIOp>(op))
    return valueOf(mul.getLhs()) * valueOf(mul.getRhs());
  if (auto quotient = dyn_cast_or_null<arith::FloorDivSIOp>(op)) {
    // A size that was multiplied before.
    Polynomial product = valueOf(quotient.getLhs());
    std::optional<int64_t> divisor = valueOf(quotient.getRhs()).getConstant();
    if (divisor && *divisor != 0)
      if (std::optional<Polynomial> exact = product.dividedBy(*divisor))
        return *exact;
  }
  if (auto indexCast = dyn_cast_or_null<arith::IndexCastOp>(op))
    return valueOf(indexCast.getIn());
  if (auto extend = dyn_cast_or_null<arith::ExtSIOp>(op))
    return valueOf(extend.getIn());
  // A size that went through max(·, 0) is that size where it cannot be less.
  if (auto max = dyn_cast_or_null<arith::MaxSIOp>(op)) {
    Polynomial a = valueOf(max.getLhs()), b = valueOf(max.getRhs());
    if (isNonNegative(a - b))
      return a;
    if (isNonNegative(b - a))
      return b;
  }
  if (auto min = dyn_cast_or_null<arith::MinSIOp>(op)) {
    Polynomial a = valueOf(min.getLhs()), b = valueOf(min.getRhs());
    if (isNonNegative(a - b))
      return b;
    if (isNonNegative(b - a))
      return a;
  }
  if (auto select = dyn_cast_or_null<arith::SelectOp>(op)) {
    Polynomial a = valueOf(select.getTrueValue()),
               b = valueOf(select.getFalseValue());
    if (a == b)
      return a;
    if (auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>()) {
      Polynomial less = valueOf(compare.getLhs()) - valueOf(compare.getRhs());
      // x == y ? x : y and its like are the value that is not tested.
      if (compare.getPredicate() == arith::CmpIPredicate::eq && less == a - b)
        return b;
      if (compare.getPredicate() == arith::CmpIPredicate::eq)
        if (std::optional<int64_t> difference = less.getConstant())
          return *difference == 0 ? a : b;
      if (compare.getPredicate() == arith::CmpIPredicate::slt) {
        if (isNonNegative(less))
          return b;
        if (isNonNegative(Polynomial(-1) - less))
          return a;
      }
    }
  }
  if (auto dim = dyn_cast_or_null<tensor::DimOp>(op))
    if (std::optional<int64_t> d = dim.getConstantIndex())
      return sizeOf(dim.getSource(), *d);
  if (auto extract = dyn_cast_or_null<tensor::ExtractOp>(op)) {
    SmallVector<Polynomial> indices;
    for (Value i : extract.getIndices())
      indices.push_back(valueOf(i));
    llvm::SaveAndRestore<bool> moves(movesOnly, false);
    TermRef element = elementOf(extract.getTensor(), indices);
    if (element->kind == Kind::Integer)
      return element->polynomial;
  }
  return opaqueSize(index);
}

Polynomial SymbolicElements::sizeOf(Value tensor, int64_t dim) {
  RankedTensorType type = tensorType(tensor);
  if (!type.isDynamicDim(dim))
    return type.getDimSize(dim);
  if (auto it = sizes.find({tensor, dim}); it != sizes.end())
    return it->second;

  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return argumentSize(argument, dim);
  Operation *op = tensor.getDefiningOp();
  auto dynamicOperand = [&](OperandRange dims) {
    return valueOf(dims[type.getDynamicDimIndex(dim)]);
  };
  if (auto reshape = dyn_cast_or_null<ReshapeOp>(op))
    return dynamicOperand(reshape.getDims());
  if (auto broadcast = dyn_cast_or_null<BroadcastOp>(op))
    return dynamicOperand(broadcast.getDims());
  if (auto range = dyn_cast_or_null<RangeOp>(op))
    return valueOf(range.getSize());
  if (auto slice = dyn_cast_or_null<SliceOp>(op))
    return valueOf(slice.getMixedSizes()[dim]);
  if (auto transpose = dyn_cast_or_null<TransposeOp>(op))
    return sizeOf(transpose.getInput(), transpose.getPerm()[dim]);
  if (isa_and_nonnull<CastOp, QuantizeOp, DynamicQuantizeOp, DequantizeOp,
                      SoftmaxOp, CumulativeOp, RmsNormOp, RopeOp, SwigluOp>(op))
    return sizeOf(op->getOperand(0), dim);
  if (dim == 0 &&
      isa_and_nonnull<PackedLinearOp, PackedQuantizedLinearOp>(op)) {
    auto rows = [](auto linear) { return linear ? linear.getRows() : Value(); };
    Value numbers = rows(dyn_cast<PackedLinearOp>(op));
    if (!numbers)
      numbers = rows(dyn_cast<PackedQuantizedLinearOp>(op));
    if (numbers)
      return sizeOf(numbers, 0);
  }
  if (isa_and_nonnull<LinearOp, EmbeddingOp, PackedLinearOp,
                      PackedQuantizedLinearOp, QuantizeGroupsOp, RouteOp,
                      MoeOp>(op) &&
      dim != type.getRank() - 1)
    return sizeOf(op->getOperand(0), dim);
  if (auto attention = dyn_cast_or_null<AttentionOp>(op))
    return dim == 3 ? sizeOf(attention.getValue(), 3)
                    : sizeOf(attention.getQuery(), dim);
  if (auto concat = dyn_cast_or_null<ConcatOp>(op)) {
    if (int64_t(concat.getAxis()) != dim)
      return sizeOf(concat.getInputs().front(), dim);
    Polynomial sum;
    for (Value input : concat.getInputs())
      sum = sum + sizeOf(input, dim);
    return sum;
  }
  if (auto elementwise = dyn_cast_or_null<ElementwiseOp>(op))
    for (Value operand : elementwise.getOperands()) {
      RankedTensorType operandType = tensorType(operand);
      int64_t d = dim - (type.getRank() - operandType.getRank());
      if (d >= 0 && operandType.isDynamicDim(d))
        return sizeOf(operand, d);
    }
  if (auto matmul = dyn_cast_or_null<MatmulOp>(op)) {
    if (dim == type.getRank() - 1)
      return sizeOf(matmul.getRhs(), tensorType(matmul.getRhs()).getRank() - 1);
    if (dim == type.getRank() - 2)
      return sizeOf(matmul.getLhs(), tensorType(matmul.getLhs()).getRank() - 2);
    for (Value operand : matmul->getOperands()) {
      RankedTensorType operandType = tensorType(operand);
      int64_t d = dim - (type.getRank() - operandType.getRank());
      if (d >= 0 && operandType.isDynamicDim(d))
        return sizeOf(operand, d);
    }
  }
  if (auto gather = dyn_cast_or_null<GatherOp>(op)) {
    int64_t axis = gather.getAxis();
    int64_t indexRank = tensorType(gather.getIndices()).getRank();
    if (dim < axis)
      return sizeOf(gather.getInput(), dim);
    if (dim < axis + indexRank)
      return sizeOf(gather.getIndices(), dim - axis);
    return sizeOf(gather.getInput(), dim - indexRank + 1);
  }
  if (auto gather = dyn_cast_or_null<GatherNdOp>(op)) {
    int64_t outer = tensorType(gather.getIndices()).getRank() - 1;
    int64_t tuple = tensorType(gather.getIndices()).getDimSize(outer);
    if (dim < outer)
      return sizeOf(gather.getIndices(), dim);
    if (!ShapedType::isDynamic(tuple))
      return sizeOf(gather.getInput(),
                    dim - outer + tuple + gather.getBatchDims());
  }
  if (auto topk = dyn_cast_or_null<TopKOp>(op))
    return dim == int64_t(topk.getAxis()) ? valueOf(topk.getK())
                                          : sizeOf(topk.getInput(), dim);
  if (auto gather = dyn_cast_or_null<GatherElementsOp>(op))
    return sizeOf(gather.getIndices(), dim);
  if (isa_and_nonnull<ScatterElementsOp, ScatterNdOp>(op))
    return sizeOf(op->getOperand(0), dim);
  if (auto choice = dyn_cast_or_null<scf::IfOp>(op)) {
    unsigned number = cast<OpResult>(tensor).getResultNumber();
    Polynomial size = sizeOf(choice.thenYield().getOperand(number), dim);
    if (size == sizeOf(choice.elseYield().getOperand(number), dim))
      return size;
  }
  if (auto reduce = dyn_cast_or_null<ReduceOp>(op)) {
    if (reduce.getKeepdims())
      return sizeOf(reduce.getInput(), dim);
    int64_t left = dim;
    for (int64_t d = 0; d < tensorType(reduce.getInput()).getRank(); ++d) {
      if (llvm::is_contained(reduce.getAxes(), d))
        continue;
      if (left-- == 0)
        return sizeOf(reduce.getInput(), d);
    }
  }
  return opaqueSize(tensor, dim);
}

Polynomial SymbolicElements::argumentSize(BlockArgument argument, int64_t dim) {
  // Dimensions of one name have one size: the symbol is that of the first.
  auto nameOf = [](func::FuncOp function, unsigned index,
                   int64_t d) -> StringRef {
    auto names = function.getArgAttrOfType<ArrayAttr>(index, "ds.dims");
    if (!names || d >= int64_t(names.size()))
      return "";
    auto name = dyn_cast<StringAttr>(names[d]);
    return name ? name.getValue() : "";
  };
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  StringRef name =
      function ? nameOf(function, argument.getArgNumber(), dim) : "";
  if (!name.empty())
    for (BlockArgument other :
         function.getArguments().take_front(argument.getArgNumber() + 1)) {
      auto type = dyn_cast<RankedTensorType>(other.getType());
      for (int64_t d = 0; type && d < type.getRank(); ++d)
        if (type.isDynamicDim(d) &&
            nameOf(function, other.getArgNumber(), d) == name)
          return opaqueSize(other, d);
    }
  return opaqueSize(argument, dim);
}

bool SymbolicElements::isNonNegative(const Polynomial &value) const {
  // Index symbols with a negative coefficient take their largest value, size−1
  // (the range is not empty where an element is asked for); what is left must
  // have no negative coefficient, all other symbols being sizes.
  Polynomial bound = value;
  for (unsigned round = 0; round < 4; ++round) {
    bool changed = false;
    for (const auto &[monomial, coefficient] : bound.getTerms()) {
      if (coefficient >= 0 || monomial.size() != 1)
        continue;
      auto index = indexSizes.find(monomial[0]);
      if (index == indexSizes.end())
        return false;
      bound = bound.substitute(monomial[0], index->second - 1);
      changed = true;
      break;
    }
    if (!changed)
      break;
  }
  // A non-empty range makes its size at least one: c·size − d, d <= c.
  int64_t slack = 0;
  for (const auto &[monomial, coefficient] : bound.getTerms()) {
    if (monomial.empty())
      continue;
    if (coefficient < 0)
      return false;
    for (const auto &[symbol, size] : indexSizes)
      if (size.getTerms().size() == 1 &&
          size.getTerms().begin()->first == monomial &&
          size.getTerms().begin()->second == 1) {
        slack += coefficient;
        break;
      }
  }
  auto constant = bound.getTerms().find({});
  return constant == bound.getTerms().end() || constant->second + slack >= 0;
}

//===----------------------------------------------------------------------===//
// Terms
//===----------------------------------------------------------------------===//

TermRef SymbolicElements::nonNegative(const Polynomial &value) const {
  if (isNonNegative(value))
    return boolean(true);
  if (isNonNegative(Polynomial(-1) - value))
    return boolean(false);
  auto term = makeTerm(Kind::NonNegative);
  term->polynomial = value;
  return term;
}

TermRef SymbolicElements::notTerm(const TermRef &a) const {
  switch (a->kind) {
  case Kind::Boolean:
    return boolean(!a->truth);
  case Kind::NonNegative:
    return nonNegative(Polynomial(-1) - a->polynomial);
  case Kind::Not:
    return a->args[0];
  case Kind::And:
    return orTerm(notTerm(a->args[0]), notTerm(a->args[1]));
  case Kind::Or:
    return andTerm(notTerm(a->args[0]), notTerm(a->args[1]));
  default: {
    auto term = makeTerm(Kind::Not);
    term->args = {a};
    return term;
  }
  }
}

static bool isSame(const TermRef &a, const TermRef &b) {
  if (a == b)
    return true;
  return a->kind == b->kind && a->polynomial == b->polynomial &&
         a->number == b->number && a->truth == b->truth &&
         a->symbol == b->symbol && a->value == b->value &&
         a->indices == b->indices && llvm::equal(a->args, b->args, isSame);
}

TermRef SymbolicElements::andTerm(const TermRef &a, const TermRef &b) const {
  if (a->kind == Kind::Boolean)
    return a->truth ? b : a;
  if (b->kind == Kind::Boolean)
    return b->truth ? a : b;
  if (isSame(a, b))
    return a;
  // p >= 0 and q >= 0 is the smaller of the two if one bounds the other.
  if (a->kind == Kind::NonNegative && b->kind == Kind::NonNegative) {
    if (isNonNegative(b->polynomial - a->polynomial))
      return a;
    if (isNonNegative(a->polynomial - b->polynomial))
      return b;
  }
  auto term = makeTerm(Kind::And);
  term->args = {a, b};
  return term;
}

TermRef SymbolicElements::orTerm(const TermRef &a, const TermRef &b) const {
  if (a->kind == Kind::Boolean)
    return a->truth ? a : b;
  if (b->kind == Kind::Boolean)
    return b->truth ? b : a;
  if (isSame(a, b))
    return a;
  if (a->kind == Kind::NonNegative && b->kind == Kind::NonNegative) {
    if (isNonNegative(b->polynomial - a->polynomial))
      return b;
    if (isNonNegative(a->polynomial - b->polynomial))
      return a;
  }
  auto term = makeTerm(Kind::Or);
  term->args = {a, b};
  return term;
}

TermRef SymbolicElements::select(const TermRef &c, const TermRef &a,
                                 const TermRef &b) const {
  if (c->kind == Kind::Boolean)
    return c->truth ? a : b;
  if (isSame(a, b))
    return a;
  if (a->kind == Kind::Boolean && b->kind == Kind::Boolean)
    return a->truth ? c : notTerm(c);
  auto term = makeTerm(Kind::Select);
  term->args = {c, a, b};
  return term;
}

static std::optional<double> numberOf(const TermRef &a) {
  if (a->kind == Kind::Number)
    return a->number;
  if (a->kind == Kind::Integer)
    if (std::optional<int64_t> constant = a->polynomial.getConstant())
      return double(*constant);
  return std::nullopt;
}

TermRef SymbolicElements::truthOf(const TermRef &a) const {
  switch (a->kind) {
  case Kind::Integer:
    if (std::optional<int64_t> constant = a->polynomial.getConstant())
      return boolean(*constant != 0);
    if (isNonNegative(a->polynomial - 1))
      return boolean(true);
    return nullptr;
  case Kind::Number:
    return boolean(a->number != 0);
  case Kind::Select: {
    TermRef x = truthOf(a->args[1]), y = truthOf(a->args[2]);
    return x && y ? select(a->args[0], x, y) : nullptr;
  }
  case Kind::AnyAlong:
  case Kind::Element:
    return nullptr;
  default:
    return a;
  }
}

/// Null if the result is not understood.
TermRef SymbolicElements::arithmetic(ElementwiseKind kind, const TermRef &a,
                                     const TermRef &b) const {
  if (a->kind == Kind::Integer && b->kind == Kind::Integer) {
    const Polynomial &p = a->polynomial, &q = b->polynomial;
    switch (kind) {
    case ElementwiseKind::Add:
      return integer(p + q);
    case ElementwiseKind::Sub:
      return integer(p - q);
    case ElementwiseKind::Mul:
      return integer(p * q);
    case ElementwiseKind::Div:
    case ElementwiseKind::FloorMod: {
      auto parts = isNonNegative(p) ? divide(p, q) : std::nullopt;
      if (!parts)
        return nullptr;
      return integer(kind == ElementwiseKind::Div ? parts->first
                                                  : parts->second);
    }
    case ElementwiseKind::Max:
      return isNonNegative(p - q) ? a : isNonNegative(q - p) ? b : nullptr;
    case ElementwiseKind::Min:
      return isNonNegative(p - q) ? b : isNonNegative(q - p) ? a : nullptr;
    default:
      return nullptr;
    }
  }
  if (std::optional<double> x = numberOf(a), y = numberOf(b); x && y) {
    switch (kind) {
    case ElementwiseKind::Add:
      return number(*x + *y);
    case ElementwiseKind::Sub:
      return number(*x - *y);
    case ElementwiseKind::Mul:
      return number(*x * *y);
    case ElementwiseKind::Div:
      return number(*x / *y);
    case ElementwiseKind::Max:
      return number(std::max(*x, *y));
    case ElementwiseKind::Min:
      return number(std::min(*x, *y));
    default:
      return nullptr;
    }
  }
  // (c ? x : y) ∘ z: in both branches.
  if (a->kind == Kind::Select) {
    TermRef x = arithmetic(kind, a->args[1], b),
            y = arithmetic(kind, a->args[2], b);
    return x && y ? select(a->args[0], x, y) : nullptr;
  }
  if (b->kind == Kind::Select) {
    TermRef x = arithmetic(kind, a, b->args[1]),
            y = arithmetic(kind, a, b->args[2]);
    return x && y ? select(b->args[0], x, y) : nullptr;
  }
  return nullptr;
}

TermRef SymbolicElements::compare(ElementwiseKind kind, const TermRef &a,
                                  const TermRef &b) const {
  switch (kind) {
  case ElementwiseKind::Gt:
    return compare(ElementwiseKind::Lt, b, a);
  case ElementwiseKind::Ge:
    return compare(ElementwiseKind::Le, b, a);
  default:
    break;
  }
  if (a->kind == Kind::Integer && b->kind == Kind::Integer) {
    Polynomial difference = b->polynomial - a->polynomial;
    if (kind == ElementwiseKind::Lt)
      return nonNegative(difference - 1);
    if (kind == ElementwiseKind::Le)
      return nonNegative(difference);
    return andTerm(nonNegative(difference),
                   nonNegative(Polynomial(0) - difference));
  }
  if (std::optional<double> x = numberOf(a), y = numberOf(b); x && y)
    return boolean(kind == ElementwiseKind::Lt   ? *x < *y
                   : kind == ElementwiseKind::Le ? *x <= *y
                                                 : *x == *y);
  // A count of true elements against a number: only "is there any" is known.
  if (a->kind == Kind::AnyAlong)
    if (std::optional<double> y = numberOf(b)) {
      bool none = (kind == ElementwiseKind::Lt && *y > 0 && *y <= 1) ||
                  (kind != ElementwiseKind::Lt && *y >= 0 && *y < 1);
      // Any element is as good a witness as another: try the first.
      TermRef first = substitute(a->args[0], a->symbol, 0);
      if (none && first->kind == Kind::Boolean && first->truth)
        return boolean(false);
      return nullptr;
    }
  if (b->kind == Kind::AnyAlong)
    if (std::optional<double> x = numberOf(a)) {
      TermRef first = substitute(b->args[0], b->symbol, 0);
      bool any = (kind == ElementwiseKind::Lt && *x >= 0 && *x < 1) ||
                 (kind == ElementwiseKind::Le && *x > 0 && *x <= 1);
      if (any && first->kind == Kind::Boolean && first->truth)
        return boolean(true);
      return nullptr;
    }
  if (a->kind == Kind::Select) {
    TermRef x = compare(kind, a->args[1], b), y = compare(kind, a->args[2], b);
    return x && y ? select(a->args[0], x, y) : nullptr;
  }
  if (b->kind == Kind::Select) {
    TermRef x = compare(kind, a, b->args[1]), y = compare(kind, a, b->args[2]);
    return x && y ? select(b->args[0], x, y) : nullptr;
  }
  return nullptr;
}

TermRef SymbolicElements::substitute(const TermRef &term, unsigned symbol,
                                     const Polynomial &value) const {
  switch (term->kind) {
  case Kind::Integer:
    return integer(term->polynomial.substitute(symbol, value));
  case Kind::NonNegative:
    return nonNegative(term->polynomial.substitute(symbol, value));
  case Kind::Not:
    return notTerm(substitute(term->args[0], symbol, value));
  case Kind::And:
    return andTerm(substitute(term->args[0], symbol, value),
                   substitute(term->args[1], symbol, value));
  case Kind::Or:
    return orTerm(substitute(term->args[0], symbol, value),
                  substitute(term->args[1], symbol, value));
  case Kind::Select:
    return select(substitute(term->args[0], symbol, value),
                  substitute(term->args[1], symbol, value),
                  substitute(term->args[2], symbol, value));
  case Kind::Element: {
    auto result = makeTerm(Kind::Element);
    result->value = term->value;
    for (const Polynomial &index : term->indices)
      result->indices.push_back(index.substitute(symbol, value));
    return result;
  }
  default:
    return term;
  }
}

TermRef SymbolicElements::asAllowed(const TermRef &term) const {
  // Finite fills of exporters start at −1e4 (f16); smaller ones are biases.
  constexpr double forbidden = -1e4;
  switch (term->kind) {
  case Kind::Boolean:
  case Kind::NonNegative:
  case Kind::Not:
  case Kind::And:
  case Kind::Or:
    return term;
  case Kind::Number:
  case Kind::Integer: {
    std::optional<double> value = numberOf(term);
    if (value && *value == 0)
      return boolean(true);
    if (value && *value <= forbidden)
      return boolean(false);
    return nullptr;
  }
  case Kind::Select: {
    TermRef a = asAllowed(term->args[1]), b = asAllowed(term->args[2]);
    return a && b ? orTerm(andTerm(term->args[0], a),
                           andTerm(notTerm(term->args[0]), b))
                  : nullptr;
  }
  default:
    return nullptr;
  }
}
