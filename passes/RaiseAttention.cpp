//===- RaiseAttention.cpp - softmax(q·kᵀ)·v becomes ds.attention ----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/ViewChain.h"

namespace mlir::ds {
#define GEN_PASS_DEF_RAISEATTENTION
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// A product of queries and keys, and the views that make scores of it, the
/// outermost first.
struct Product {
  MatmulOp op;
  SmallVector<Operation *> views;
};

/// What stands between products q·kᵀ and the softmax. The sum of two products
/// is the product of joined columns: a part with position and one without.
struct Scores {
  SmallVector<Product, 1> products;
  double scale = 1;
  /// Added to the scores, or i1 (true = may attend); null = none.
  Value mask;
};

/// Keys or values with the heads that were repeated for queries peeled off.
struct Heads {
  ViewChain chain;
  SmallVector<ViewAtom, 2> heads;
  bool repeated = false;
};

struct RaiseAttention : ds::impl::RaiseAttentionBase<RaiseAttention> {
  void runOnOperation() override {
    SmallVector<MatmulOp> products;
    getOperation()->walk([&](MatmulOp op) { products.push_back(op); });
    for (MatmulOp op : products) {
      SymbolicElements symbols;
      // Rows of all heads may be merged before the product with the values.
      ViewChain view = ViewChain::of(op.getLhs(), symbols);
      if (!isRowsOfHeads(view))
        continue;
      Value guarded;
      if (SoftmaxOp softmax = matchProbabilities(view.root, guarded))
        raise(op, softmax, guarded, view, symbols);
    }
    SmallVector<AttentionOp> attentions;
    getOperation()->walk([&](AttentionOp op) { attentions.push_back(op); });
    for (AttentionOp op : attentions)
      peelRepeats(op);
  }

private:
  /// An exporter's own attention operator may read heads that were repeated
  /// for it: the op takes the kv heads as they are.
  void peelRepeats(AttentionOp op) {
    SymbolicElements symbols;
    double scale = 1;
    Heads key = peelHeads(op.getKey(), symbols, &scale),
          value = peelHeads(op.getValue(), symbols, &scale);
    if (!key.repeated || !value.repeated || scale != 1 ||
        !(headCount(key.heads) == headCount(value.heads)))
      return;
    OpBuilder builder(op);
    auto peeled = [&](Heads &heads) {
      auto &dims = heads.chain.dims;
      return heads.chain.materialize(builder, op.getLoc(),
                                     {dims[0], heads.heads, dims[2], dims[3]});
    };
    op.getKeyMutable().assign(peeled(key));
    op.getValueMutable().assign(peeled(value));
  }

  /// Whether scores and probabilities like `softmax` are [B, S, H, T] instead
  /// of [B, H, S, T]: only rows have a size that is not known.
  static bool isRowsBeforeHeads(Value softmax) {
    RankedTensorType type = tensorType(softmax);
    return type.isDynamicDim(1) && !type.isDynamicDim(2);
  }

  static bool isWhole(const ViewChain &view, ArrayRef<ViewAtom> dim,
                      int64_t rootDim) {
    if (dim.empty())
      return tensorType(view.root).getDimSize(rootDim) == 1;
    return dim.size() == 1 && dim[0].rootDim == rootDim && dim[0].stride == 1;
  }

  /// Whether `view` shows probabilities, of rank 4, as they are or with heads
  /// and rows merged, [B, H · S or S · H, T].
  static bool isRowsOfHeads(const ViewChain &view) {
    auto &dims = view.dims;
    if (tensorType(view.root).getRank() != 4)
      return false;
    if (dims.size() == 4)
      return llvm::all_of(llvm::seq<int64_t>(0, 4),
                          [&](int64_t d) { return isWhole(view, dims[d], d); });
    if (dims.size() != 3 || !isWhole(view, dims[0], 0) ||
        !isWhole(view, dims[2], 3) || dims[1].size() != 2)
      return false;
    int64_t outer = dims[1][0].rootDim, inner = dims[1][1].rootDim;
    return outer + inner == 3 && isWhole(view, {dims[1][0]}, outer) &&
           isWhole(view, {dims[1][1]}, inner);
  }

  /// The mask of which `condition` says whether a row of it is −inf throughout,
  /// or null.
  Value matchBlindRow(Value condition) {
    auto equal = matchElementwise(condition, ElementwiseKind::Eq);
    if (!equal)
      return nullptr;
    auto most =
        peelFloatCasts(equal.getOperands()[0]).getDefiningOp<ReduceOp>();
    std::optional<double> lowest =
        matchSplat(peelFloatCasts(equal.getOperands()[1]));
    if (!most || most.getKind() != ReduceKind::Max || !most.getKeepdims() ||
        lowest != -std::numeric_limits<double>::infinity())
      return nullptr;
    int64_t last = tensorType(most.getInput()).getRank() - 1;
    return most.getAxes() == ArrayRef<int64_t>(last) ? most.getInput()
                                                     : Value();
  }

  /// The softmax whose result `value` is, seen through casts and the guards
  /// that give 0 for a row without any key: where it is NaN, or where
  /// `guarded`, the mask, is −inf throughout.
  SoftmaxOp matchProbabilities(Value value, Value &guarded) {
    for (;;) {
      value = peelFloatCasts(value);
      auto select = matchElementwise(value, ElementwiseKind::Select);
      if (!select)
        break;
      if (matchSplat(select.getOperands()[1]) != 0.0)
        break;
      Value mask = matchBlindRow(select.getOperands()[0]);
      auto isNaN =
          matchElementwise(select.getOperands()[0], ElementwiseKind::IsNaN);
      if (mask && !guarded)
        guarded = mask;
      else if (!isNaN || isNaN.getOperands()[0] != select.getOperands()[2])
        break;
      value = select.getOperands()[2];
    }
    auto softmax = value.getDefiningOp<SoftmaxOp>();
    if (!softmax || softmax.getLog() ||
        int64_t(softmax.getAxis()) != tensorType(value).getRank() - 1)
      return nullptr;
    return softmax;
  }

  /// What `value`, scores or what is added to them, is a repetition of along
  /// its last dimension alone, or `value`. Where nobody knows whether as many
  /// keys are masked as there are, exporters repeat either to the other; the
  /// product with the values takes as many as there are.
  static Value peelLastRepeat(Value value) {
    auto broadcast = value.getDefiningOp<BroadcastOp>();
    if (!broadcast || broadcast.getInput().getType() != broadcast.getType())
      return value;
    SymbolicElements symbols;
    for (int64_t d = 0; d + 1 < broadcast.getType().getRank(); ++d)
      if (!(symbols.sizeOf(broadcast, d) ==
            symbols.sizeOf(broadcast.getInput(), d)))
        return value;
    return broadcast.getInput();
  }

  /// Takes scores apart from the softmax upwards: masks, then scales and views,
  /// then products. A scale outside a mask would scale the mask: not matched.
  bool matchScores(Value value, Scores &scores,
                   ArrayRef<Operation *> views = {}) {
    value = peelFloatCasts(peelLastRepeat(peelFloatCasts(value)));
    if (auto product = value.getDefiningOp<MatmulOp>()) {
      scores.products.push_back({product, llvm::to_vector(views)});
      return true;
    }
    if (Operation *op = value.getDefiningOp();
        isa_and_nonnull<ReshapeOp, TransposeOp>(op)) {
      SmallVector<Operation *> more(views);
      more.push_back(op);
      Scores inner;
      if (!matchScores(op->getOperand(0), inner, more) || inner.mask)
        return false;
      scores = inner;
      return true;
    }
    auto op = value.getDefiningOp<ElementwiseOp>();
    if (!op)
      return false;
    switch (op.getKind()) {
    case ElementwiseKind::Add:
      return matchSum(op, scores, views) || matchMasked(op, scores, views);
    case ElementwiseKind::Select:
      return matchMasked(op, scores, views);
    case ElementwiseKind::Mul:
    case ElementwiseKind::Div: {
      bool product = op.getKind() == ElementwiseKind::Mul;
      for (unsigned i = 0; i < (product ? 2u : 1u); ++i) {
        std::optional<double> factor = matchSplat(otherOperand(op, i));
        if (!factor)
          continue;
        Scores inner;
        if (!matchScores(op.getOperands()[i], inner, views) || inner.mask)
          return false;
        scores.products = inner.products;
        scores.scale *= inner.scale * (product ? *factor : 1 / *factor);
        return true;
      }
      return false;
    }
    default:
      return false;
    }
  }

  /// Two scores without masks, of one scale.
  bool matchSum(ElementwiseOp op, Scores &scores, ArrayRef<Operation *> views) {
    Scores parts[2];
    for (auto [part, operand] : llvm::zip_equal(parts, op.getOperands()))
      if (operand.getType() != op.getType() ||
          !matchScores(operand, part, views) || part.mask)
        return false;
    if (parts[0].scale != parts[1].scale)
      return false;
    scores = parts[0];
    llvm::append_range(scores.products, parts[1].products);
    return true;
  }

  bool matchMasked(ElementwiseOp op, Scores &scores,
                   ArrayRef<Operation *> views) {
    if (scores.mask || scores.scale != 1 || !views.empty())
      return false;
    bool isSelect = op.getKind() == ElementwiseKind::Select;
    for (unsigned i : {0u, 1u}) {
      Scores inner;
      if (isSelect) {
        // mask ? scores : −large. The other order would need a negated mask.
        std::optional<double> fill = matchSplat(op.getOperands()[2]);
        if (i == 1 || !fill || *fill > -1e4)
          return false;
        if (!matchScores(op.getOperands()[1], inner) || inner.mask)
          return false;
        inner.mask = op.getOperands()[0];
      } else {
        if (!matchScores(op.getOperands()[i], inner) || inner.mask)
          continue;
        inner.mask = otherOperand(op, i);
      }
      scores = inner;
      return true;
    }
    return false;
  }

  /// `value` is [B, H, ·, ·]. Peels repeats from the head dimension if they are
  /// innermost there (query head h reads h / group) and nowhere else.
  Heads peelHeads(Value value, SymbolicElements &symbols, double *scale) {
    double seen = 1;
    Heads result{ViewChain::of(value, symbols, &seen), {}, false};
    bool peelable = true;
    for (auto [d, dim] : llvm::enumerate(result.chain.dims))
      for (auto [i, atom] : llvm::enumerate(dim)) {
        if (!atom.isRepeat())
          continue;
        result.repeated = true;
        bool innermost = llvm::all_of(llvm::drop_begin(dim, i),
                                      [](auto &a) { return a.isRepeat(); });
        peelable &= d == 1 && innermost;
      }
    if (!peelable) {
      // The view itself is the operand; its scale stays in it.
      ViewChain whole{value, {}};
      for (int64_t d = 0; d < tensorType(value).getRank(); ++d) {
        whole.dims.emplace_back();
        if (tensorType(value).getDimSize(d) != 1)
          whole.dims.back().push_back({symbols.sizeOf(value, d), d});
      }
      result = Heads{whole, whole.dims[1], false};
      return result;
    }
    *scale *= seen;
    for (const ViewAtom &atom : result.chain.dims[1])
      if (!atom.isRepeat())
        result.heads.push_back(atom);
    return result;
  }

  static Polynomial headCount(ArrayRef<ViewAtom> atoms) {
    Polynomial result(1);
    for (const ViewAtom &atom : atoms)
      result = result * atom.size;
    return result;
  }

  /// Queries [B, S, H, D] and keys [B, Hkv, T, D] of one attention; null where
  /// they could not be had.
  struct Operands {
    Value query, key;
    Polynomial heads; // Hkv
  };

  /// `product` is [B, H, S, T]. Repeated heads of the keys are peeled.
  Operands operandsOf(MatmulOp product, SymbolicElements &symbols,
                      double &scale, OpBuilder &builder) {
    if (tensorType(product.getLhs()).getRank() != 4 ||
        tensorType(product.getRhs()).getRank() != 4)
      return {};
    Heads query = peelHeads(product.getLhs(), symbols, &scale);
    Heads key = peelHeads(product.getRhs(), symbols, &scale);
    if (query.repeated)
      return {};
    auto &qd = query.chain.dims, &kd = key.chain.dims;
    Location loc = product.getLoc();
    return {
        query.chain.materialize(builder, loc, {qd[0], qd[2], qd[1], qd[3]}),
        key.chain.materialize(builder, loc, {kd[0], key.heads, kd[3], kd[2]}),
        headCount(key.heads)};
  }

  /// `rows` [B, heads and rows in any order, ·] is the lhs of a product whose
  /// result, [B, heads and rows, ·], `view` shows as [B, H, S, ·]. The rows as
  /// [B, S, H, ·]; null if heads and rows are not told apart.
  static Value rowsByHead(Value rows, const ViewChain &view,
                          SymbolicElements &symbols, OpBuilder &builder) {
    auto &dims = view.dims;
    bool parted = tensorType(rows).getRank() == 3 && dims.size() == 4 &&
                  isWhole(view, dims[0], 0) && isWhole(view, dims[3], 2) &&
                  dims[1].size() == 1 && dims[1][0].rootDim == 1 &&
                  dims[2].size() == 1 && dims[2][0].rootDim == 1;
    if (!parted)
      return nullptr;
    // Where what merged heads and rows can be seen, as it was before.
    ViewChain source = ViewChain::of(rows, symbols);
    bool rowsFirst = dims[2][0].stride > dims[1][0].stride;
    const ViewAtom &outer = dims[rowsFirst ? 2 : 1][0],
                   &inner = dims[rowsFirst ? 1 : 2][0];
    auto &merged = source.dims[1];
    ViewAtom parts[2]{outer, inner};
    bool seen = merged.size() == 2 && merged[0].size == outer.size &&
                merged[1].size == inner.size && !merged[0].isRepeat() &&
                !merged[1].isRepeat();
    if (seen) {
      parts[0] = merged[0];
      parts[1] = merged[1];
    } else {
      source = ViewChain::through(rows, {}, symbols);
    }
    return source.materialize(builder, rows.getLoc(),
                              {source.dims[0],
                               {parts[rowsFirst ? 0 : 1]},
                               {parts[rowsFirst ? 1 : 0]},
                               source.dims[2]});
  }

  /// `product` [B, H · S or S · H, T] of one key for all heads, which its views
  /// show as [B, H, S, T].
  Operands mergedOperandsOf(const Product &product, bool rowsBeforeHeads,
                            SymbolicElements &symbols, OpBuilder &builder) {
    MatmulOp op = product.op;
    if (tensorType(op.getRhs()).getRank() != 3)
      return {};
    ViewChain view = ViewChain::through(op, product.views, symbols);
    if (view.dims.size() == 4 && rowsBeforeHeads)
      std::swap(view.dims[1], view.dims[2]);
    Value query = rowsByHead(op.getLhs(), view, symbols, builder);
    return {query, oneHead(op.getRhs(), {0, 2, 1}, symbols, builder),
            Polynomial(1)};
  }

  /// `value` of rank 3, its dimensions permuted, with a dimension for one head
  /// behind the batch.
  static Value oneHead(Value value, ArrayRef<int64_t> perm,
                       SymbolicElements &symbols, OpBuilder &builder) {
    ViewChain chain = ViewChain::of(value, symbols);
    if (chain.hasRepeats())
      return nullptr;
    return chain.materialize(
        builder, value.getLoc(),
        {chain.dims[perm[0]], {}, chain.dims[perm[1]], chain.dims[perm[2]]});
  }

  static Value joinColumns(OpBuilder &builder, Location loc,
                           ArrayRef<Value> parts) {
    if (parts.size() == 1)
      return parts[0];
    return ConcatOp::create(builder, loc, uint64_t(3), parts);
  }

  void raise(MatmulOp op, SoftmaxOp softmax, Value guarded,
             const ViewChain &probabilities, SymbolicElements &symbols) {
    auto failed = [&](const Twine &why) {
      softmax.emitRemark() << "softmax between two products was not raised to "
                              "ds.attention: "
                           << why;
    };
    Scores scores;
    if (!matchScores(softmax.getInput(), scores))
      return failed("no product of queries and keys above it, or a scale that "
                    "is no constant");
    if (guarded && guarded != scores.mask)
      return failed("what it is replaced by 0 for is not its mask");

    OpBuilder builder(op);
    Location loc = op.getLoc();
    bool merged = tensorType(op).getRank() == 3,
         rowsBeforeHeads = merged && isRowsBeforeHeads(softmax);
    double valueScale = 1;
    SmallVector<Value> queries, keys;
    std::optional<double> scale;
    std::optional<Polynomial> heads;
    for (const Product &product : scores.products) {
      double own = scores.scale;
      Operands operands =
          product.views.empty()
              ? operandsOf(product.op, symbols, own, builder)
              : mergedOperandsOf(product, rowsBeforeHeads, symbols, builder);
      if (!operands.query || !operands.key)
        return failed("queries, keys or values are not [batch, head, row, "
                      "column], or query heads are repeated");
      if (scale.value_or(own) != own ||
          !(heads.value_or(operands.heads) == operands.heads))
        return failed("products that are added have different scales or heads");
      scale = own;
      heads = operands.heads;
      queries.push_back(operands.query);
      keys.push_back(operands.key);
    }

    Value values;
    Polynomial valueHeads(1);
    if (merged) {
      values = oneHead(op.getRhs(), {0, 1, 2}, symbols, builder);
    } else if (tensorType(op.getRhs()).getRank() == 4) {
      Heads value = peelHeads(op.getRhs(), symbols, &valueScale);
      auto &vd = value.chain.dims;
      values = value.chain.materialize(builder, loc,
                                       {vd[0], value.heads, vd[2], vd[3]});
      valueHeads = headCount(value.heads);
    }
    if (!values)
      return failed("values are not [batch, head, row, column]");
    if (valueScale != 1)
      return failed("the values are scaled");
    if (!(*heads == valueHeads))
      return failed("keys and values have different numbers of heads");

    Value query = joinColumns(builder, loc, queries);
    // [B, S, H, Dv] back to [B, H, S, Dv], or as its rows were merged.
    SmallVector<int64_t> shape(tensorType(query).getShape());
    shape.back() = tensorType(values).getShape().back();
    auto rowsType =
        RankedTensorType::get(shape, tensorType(op).getElementType());
    SmallVector<Polynomial> sizes;
    for (int64_t d = 0; d < 4; ++d)
      sizes.push_back(symbols.sizeOf(softmax, d));
    if (rowsBeforeHeads) {
      std::swap(sizes[1], sizes[2]);
      if (scores.mask && tensorType(scores.mask).getRank() != 4)
        return failed("the mask has not the dimensions of the scores");
      if (scores.mask)
        scores.mask = TransposeOp::create(builder, loc, scores.mask,
                                          ArrayRef<int64_t>{0, 2, 1, 3});
    }
    bool causal = scores.mask && isCausal(scores.mask, sizes, symbols);
    Value result = AttentionOp::create(
        builder, loc, rowsType, query, joinColumns(builder, loc, keys), values,
        causal ? Value() : scores.mask, builder.getF64FloatAttr(*scale),
        causal ? builder.getUnitAttr() : UnitAttr());
    // Rows are the first of the dimensions that were merged where they stand
    // before heads and the order was kept, or behind and it was not.
    bool rowsFirst =
        merged && (probabilities.dims[1][0].rootDim == 1) == rowsBeforeHeads;
    if (!rowsFirst) {
      std::swap(shape[1], shape[2]);
      result = TransposeOp::create(builder, loc, rowsType.clone(shape), result,
                                   builder.getDenseI64ArrayAttr({0, 2, 1, 3}));
    }
    if (merged) {
      SmallVector<Value> dims;
      for (int64_t d : {0, 1})
        if (tensorType(op).isDynamicDim(d))
          dims.push_back(tensor::DimOp::create(builder, loc, op.getLhs(), d));
      result = ReshapeOp::create(builder, loc, op.getType(), result, dims);
    }
    op.replaceAllUsesWith(result);
  }

  /// Whether `mask`, under scores of `sizes` [B, H, S, T], lets row s see
  /// exactly the keys t <= s + T − S.
  bool isCausal(Value mask, ArrayRef<Polynomial> sizes,
                SymbolicElements &symbols) {
    SmallVector<Polynomial> indices;
    for (const Polynomial &size : sizes)
      indices.push_back(symbols.newIndex(size));
    Polynomial row = indices[2], column = indices[3];
    Polynomial offset = sizes[3] - sizes[2];
    TermRef allowed = symbols.asAllowed(
        symbols.elementOf(mask, symbols.broadcastIndices(mask, indices)));
    return allowed && allowed->kind == Term::Kind::NonNegative &&
           allowed->polynomial == row + offset - column;
  }
};

} // namespace
