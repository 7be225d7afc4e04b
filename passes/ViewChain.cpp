//===- ViewChain.cpp - reshapes, transposes and repeats as one view -------===//
//
// See ViewChain.h.
//
//===----------------------------------------------------------------------===//
#include "passes/ViewChain.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

static ViewChain rootChain(Value value, SymbolicElements &symbols) {
  ViewChain chain{value, {}};
  RankedTensorType type = tensorType(value);
  for (int64_t d = 0; d < type.getRank(); ++d) {
    chain.dims.emplace_back();
    if (type.getDimSize(d) != 1)
      chain.dims.back().push_back({symbols.sizeOf(value, d), d});
  }
  return chain;
}

/// Splits `atom` into `outer` parts of a fixed number of elements: outer,
/// inner.
static std::optional<std::pair<ViewAtom, ViewAtom>>
splitAtom(const ViewAtom &atom, const Polynomial &outer) {
  std::optional<int64_t> inner = atom.size.asMultipleOf(outer);
  if (!inner || outer == Polynomial(1))
    return std::nullopt;
  ViewAtom first = atom, second = atom;
  first.size = outer;
  second.size = *inner;
  first.stride = atom.stride * *inner;
  return std::make_pair(first, second);
}

/// Makes parts of one root dimension that follow each other as they do there
/// one atom.
static void joinParts(SmallVectorImpl<ViewAtom> &dim) {
  for (size_t i = 0; i + 1 < dim.size();) {
    ViewAtom &outer = dim[i], &inner = dim[i + 1];
    std::optional<int64_t> size = inner.size.getConstant();
    if (outer.isRepeat() || outer.rootDim != inner.rootDim || !size ||
        outer.stride != inner.stride * *size) {
      ++i;
      continue;
    }
    inner.size = outer.size * inner.size;
    dim.erase(dim.begin() + i);
  }
}

/// Regroups the atoms of `source` to the shape of `reshape`'s result; false if
/// they do not divide so.
static bool regroup(ReshapeOp reshape, ViewChain &chain,
                    SymbolicElements &symbols) {
  SmallVector<ViewAtom> atoms;
  for (auto &dim : chain.dims)
    llvm::append_range(atoms, dim);
  SmallVector<SmallVector<ViewAtom, 2>> dims;
  RankedTensorType type = tensorType(reshape.getResult());
  unsigned next = 0;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    dims.emplace_back();
    if (type.getDimSize(d) == 1)
      continue;
    Polynomial wanted = symbols.sizeOf(reshape.getResult(), d), have(1);
    while (!(have == wanted)) {
      if (next == atoms.size())
        return false;
      ViewAtom atom = atoms[next];
      Polynomial grown = have * atom.size;
      std::optional<int64_t> beyond = grown.asMultipleOf(wanted),
                             missing = wanted.asMultipleOf(have);
      if (beyond && *beyond > 1) {
        // More than is wanted: a part of the atom goes here. Of a size that is
        // known at run time alone all that is missing must be wanted of it.
        auto split = missing                 ? splitAtom(atom, *missing)
                     : have == Polynomial(1) ? splitAtom(atom, wanted)
                                             : std::nullopt;
        if (!split)
          return false;
        dims.back().push_back(split->first);
        atoms[next] = split->second;
        have = wanted;
        break;
      }
      dims.back().push_back(atom);
      have = grown;
      ++next;
      if (have.getTerms().size() > 8)
        return false;
    }
  }
  if (next != atoms.size())
    return false;
  chain.dims = std::move(dims);
  return true;
}

/// The operand of a product with (or quotient by) one number, which multiplies
/// `scale`; null if `op` is none or would change the shape.
static Value matchScaled(Operation *op, double &scale) {
  auto elementwise = dyn_cast<ElementwiseOp>(op);
  if (!elementwise)
    return nullptr;
  bool product = elementwise.getKind() == ElementwiseKind::Mul;
  if (!product && elementwise.getKind() != ElementwiseKind::Div)
    return nullptr;
  for (unsigned i = 0; i < (product ? 2u : 1u); ++i) {
    Value input = elementwise.getOperands()[i];
    std::optional<double> factor = matchSplat(otherOperand(elementwise, i));
    if (!factor || input.getType() != elementwise.getType())
      continue;
    scale *= product ? *factor : 1 / *factor;
    return input;
  }
  return nullptr;
}

ViewChain ViewChain::of(Value value, SymbolicElements &symbols, double *scale) {
  SmallVector<Operation *> views;
  Value root = value;
  while (Operation *op = root.getDefiningOp()) {
    if (Value input = scale ? matchScaled(op, *scale) : nullptr) {
      root = input;
      continue;
    }
    if (!isa<ReshapeOp, TransposeOp, BroadcastOp>(op))
      break;
    views.push_back(op);
    root = op->getOperand(0);
  }
  return through(root, views, symbols);
}

ViewChain ViewChain::through(Value root, ArrayRef<Operation *> views,
                             SymbolicElements &symbols) {
  ViewChain chain = rootChain(root, symbols);
  for (Operation *op : llvm::reverse(views)) {
    if (auto transpose = dyn_cast<TransposeOp>(op)) {
      SmallVector<SmallVector<ViewAtom, 2>> dims;
      for (int64_t d : transpose.getPerm())
        dims.push_back(chain.dims[d]);
      chain.dims = std::move(dims);
      continue;
    }
    if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
      Value result = broadcast.getResult();
      int64_t extra = tensorType(result).getRank() - chain.dims.size();
      chain.dims.insert(chain.dims.begin(), extra, {});
      for (auto [d, dim] : llvm::enumerate(chain.dims)) {
        if (!dim.empty())
          continue;
        Polynomial size = symbols.sizeOf(result, d);
        if (!(size == Polynomial(1)))
          dim.push_back({size, -1});
      }
      continue;
    }
    if (!regroup(cast<ReshapeOp>(op), chain, symbols))
      chain = rootChain(op->getResult(0), symbols);
  }
  for (auto &dim : chain.dims)
    joinParts(dim);
  return chain;
}

Value ViewChain::materialize(OpBuilder &builder, Location loc,
                             ArrayRef<SmallVector<ViewAtom, 2>> wanted) const {
  if (std::optional<SmallVector<int64_t>> perm = asPermutation(wanted)) {
    if (isIdentityPermutation(*perm))
      return root;
    RankedTensorType type = tensorType(root);
    return TransposeOp::create(
        builder, loc,
        RankedTensorType::get(applyPermutation(type.getShape(), *perm),
                              type.getElementType()),
        root, builder.getDenseI64ArrayAttr(*perm));
  }
  SmallVector<ViewAtom> target;
  for (auto &dim : wanted)
    llvm::append_range(target, dim);
  SmallVector<ViewAtom> source(target);
  llvm::sort(source, [](const ViewAtom &a, const ViewAtom &b) {
    return std::tie(a.rootDim, b.stride) < std::tie(b.rootDim, a.stride);
  });

  RankedTensorType rootType = tensorType(root);
  auto dynamicSize = [&](const ViewAtom &atom) -> Value {
    Value whole = tensor::DimOp::create(builder, loc, root, atom.rootDim);
    // Parts of a dimension have fixed sizes but for one.
    int64_t others = 1;
    for (const ViewAtom &other : source)
      if (other.rootDim == atom.rootDim)
        others *= other.size.getConstant().value_or(1);
    return others == 1 ? whole
                       : arith::DivUIOp::create(builder, loc, whole,
                                                arith::ConstantIndexOp::create(
                                                    builder, loc, others));
  };
  auto staticSize = [](const ViewAtom &atom) {
    return atom.size.getConstant().value_or(ShapedType::kDynamic);
  };
  auto reshaped = [&](Value value, ArrayRef<int64_t> shape,
                      ArrayRef<ViewAtom> dynamicAtoms) -> Value {
    auto type = RankedTensorType::get(shape, rootType.getElementType());
    if (value.getType() == type)
      return value;
    SmallVector<Value> dims;
    for (const ViewAtom &atom : dynamicAtoms)
      if (!atom.size.getConstant())
        dims.push_back(dynamicSize(atom));
    return ReshapeOp::create(builder, loc, type, value, dims);
  };

  SmallVector<int64_t> perm;
  for (const ViewAtom &atom : target)
    perm.push_back(llvm::find(source, atom) - source.begin());
  Value value = root;
  if (!isIdentityPermutation(perm)) {
    SmallVector<int64_t> shape;
    for (const ViewAtom &atom : source)
      shape.push_back(staticSize(atom));
    value = reshaped(value, shape, source);
    SmallVector<int64_t> permuted;
    for (int64_t d : perm)
      permuted.push_back(shape[d]);
    value = TransposeOp::create(
        builder, loc,
        RankedTensorType::get(permuted, rootType.getElementType()), value,
        builder.getDenseI64ArrayAttr(perm));
  }
  // Group. A dynamic dimension is one atom: only numbers are ever split.
  SmallVector<int64_t> shape;
  SmallVector<ViewAtom> dynamicAtoms;
  for (auto &dim : wanted) {
    int64_t size = 1;
    for (const ViewAtom &atom : dim) {
      int64_t part = staticSize(atom);
      if (ShapedType::isDynamic(part)) {
        size = part;
        dynamicAtoms.push_back(atom);
      } else if (!ShapedType::isDynamic(size)) {
        size *= part;
      }
    }
    shape.push_back(size);
  }
  return reshaped(value, shape, dynamicAtoms);
}

std::optional<SmallVector<int64_t>>
ViewChain::asPermutation(ArrayRef<SmallVector<ViewAtom, 2>> wanted) const {
  RankedTensorType type = tensorType(root);
  if (type.getRank() != int64_t(wanted.size()))
    return std::nullopt;
  SmallVector<int64_t> units;
  for (auto [d, size] : llvm::enumerate(type.getShape()))
    if (size == 1)
      units.push_back(d);
  SmallVector<int64_t> perm;
  auto unit = units.begin();
  for (auto &dim : wanted) {
    if (dim.empty() && unit != units.end()) {
      perm.push_back(*unit++);
      continue;
    }
    if (dim.size() != 1 || dim[0].isRepeat() || dim[0].stride != 1)
      return std::nullopt;
    // A part of a dimension is smaller than the dimension.
    std::optional<int64_t> size = dim[0].size.getConstant();
    int64_t whole = type.getDimSize(dim[0].rootDim);
    if (size ? *size != whole : !ShapedType::isDynamic(whole))
      return std::nullopt;
    perm.push_back(dim[0].rootDim);
  }
  if (!isPermutationVector(perm))
    return std::nullopt;
  return perm;
}
