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

/// What stands between the product q·kᵀ and the softmax.
struct Scores {
  MatmulOp product;
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
    for (MatmulOp op : products)
      if (Value guarded;
          SoftmaxOp softmax = matchProbabilities(op.getLhs(), guarded))
        raise(op, softmax, guarded);
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
        !(product(key.heads) == product(value.heads)))
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

  /// Takes scores apart from the softmax upwards: masks, then scales, then the
  /// product. A scale outside a mask would scale the mask: not matched.
  bool matchScores(Value value, Scores &scores) {
    value = peelFloatCasts(value);
    if (auto product = value.getDefiningOp<MatmulOp>()) {
      scores.product = product;
      return true;
    }
    auto op = value.getDefiningOp<ElementwiseOp>();
    if (!op)
      return false;
    switch (op.getKind()) {
    case ElementwiseKind::Add:
    case ElementwiseKind::Select: {
      if (scores.mask || scores.scale != 1)
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
    case ElementwiseKind::Mul:
    case ElementwiseKind::Div: {
      bool product = op.getKind() == ElementwiseKind::Mul;
      for (unsigned i = 0; i < (product ? 2u : 1u); ++i) {
        std::optional<double> factor = matchSplat(otherOperand(op, i));
        if (!factor)
          continue;
        Scores inner;
        if (!matchScores(op.getOperands()[i], inner) || inner.mask)
          return false;
        scores.product = inner.product;
        scores.scale *= inner.scale * (product ? *factor : 1 / *factor);
        return true;
      }
      return false;
    }
    default:
      return false;
    }
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
          whole.dims.back().push_back({symbols.sizeOf(value, d), d, 0});
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

  static Polynomial product(ArrayRef<ViewAtom> atoms) {
    Polynomial result(1);
    for (const ViewAtom &atom : atoms)
      result = result * atom.size;
    return result;
  }

  void raise(MatmulOp op, SoftmaxOp softmax, Value guarded) {
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
    Value q = scores.product.getLhs(), kT = scores.product.getRhs(),
          v = op.getRhs();
    if (tensorType(q).getRank() != 4 || tensorType(kT).getRank() != 4 ||
        tensorType(v).getRank() != 4)
      return failed("queries, keys or values are not [batch, head, row, "
                    "column]");

    SymbolicElements symbols;
    double scale = scores.scale;
    double valueScale = 1;
    Heads query = peelHeads(q, symbols, &scale);
    if (query.repeated)
      return failed("query heads are repeated");
    Heads key = peelHeads(kT, symbols, &scale);
    Heads value = peelHeads(v, symbols, &valueScale);
    if (valueScale != 1)
      return failed("the values are scaled");
    if (!(product(key.heads) == product(value.heads)))
      return failed("keys and values have different numbers of heads");

    OpBuilder builder(op);
    Location loc = op.getLoc();
    auto &qd = query.chain.dims, &kd = key.chain.dims, &vd = value.chain.dims;
    Value queryRows =
        query.chain.materialize(builder, loc, {qd[0], qd[2], qd[1], qd[3]});
    Value keyRows =
        key.chain.materialize(builder, loc, {kd[0], key.heads, kd[3], kd[2]});
    Value valueRows = value.chain.materialize(
        builder, loc, {vd[0], value.heads, vd[2], vd[3]});

    // [B, S, H, Dv] back to [B, H, S, Dv].
    RankedTensorType type = tensorType(op.getResult());
    auto rowsType =
        RankedTensorType::get({type.getDimSize(0), type.getDimSize(2),
                               type.getDimSize(1), type.getDimSize(3)},
                              type.getElementType());
    bool causal = false;
    if (scores.mask)
      causal = isCausal(scores.mask, softmax, symbols);
    auto attention = AttentionOp::create(
        builder, loc, rowsType, queryRows, keyRows, valueRows,
        causal ? Value() : scores.mask, builder.getF64FloatAttr(scale),
        causal ? builder.getUnitAttr() : UnitAttr());
    Value result =
        TransposeOp::create(builder, loc, type, attention,
                            builder.getDenseI64ArrayAttr({0, 2, 1, 3}));
    op.replaceAllUsesWith(result);
  }

  /// Whether `mask` lets row s see exactly the keys t <= s + T − S.
  bool isCausal(Value mask, SoftmaxOp softmax, SymbolicElements &symbols) {
    Value scores = softmax.getInput();
    SmallVector<Polynomial> indices;
    for (int64_t d = 0; d < 4; ++d)
      indices.push_back(symbols.newIndex(symbols.sizeOf(scores, d)));
    Polynomial row = indices[2], column = indices[3];
    Polynomial offset = symbols.sizeOf(scores, 3) - symbols.sizeOf(scores, 2);
    SmallVector<Polynomial> at(
        ArrayRef<Polynomial>(indices).take_back(tensorType(mask).getRank()));
    for (auto [index, size] : llvm::zip_equal(at, tensorType(mask).getShape()))
      if (size == 1)
        index = 0;
    TermRef allowed = symbols.asAllowed(symbols.elementOf(mask, at));
    return allowed && allowed->kind == Term::Kind::NonNegative &&
           allowed->polynomial == row + offset - column;
  }
};

} // namespace
