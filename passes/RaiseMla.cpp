//===- RaiseMla.cpp - keys and values of one latent become ds.mla ---------===//
//
// See Passes.td. Every element of a row of keys and values is followed through
// the views above it to the product that makes it, so that the spelling of the
// graph (one projection or several, splits, transposes, repeats before or after
// joins) does not matter.
//
//===----------------------------------------------------------------------===//
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "passes/ElementRuns.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/StepFunction.h"

namespace mlir::ds {
#define GEN_PASS_DEF_RAISEMLA
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// The product without bias whose result `element` is of, or null.
LinearOp productOf(const RowElement &element) {
  auto linear = element.source.getDefiningOp<LinearOp>();
  return linear && !linear.getBias() && tensorType(linear).getRank() == 2
             ? linear
             : LinearOp();
}

/// An attention over one latent for all heads.
struct Latent {
  /// The rows to keep, [N, C] or [N, 1, C], and, of one head, the elements of
  /// the columns of keys that all heads share.
  Value latent;
  SmallVector<RowElement> shared;
  /// Columns of a key made of the latent, and those shared, ascending.
  SmallVector<int64_t> made, kept;
  /// Rows of weights of products of the latent: [heads · made] and [heads ·
  /// width of values]; empty where the latent itself is key and value.
  SmallVector<RowElement> keyRows, valueRows;
};

/// The rows of weights that `elements`, of products, are made with, as [heads,
/// elements / heads, C].
Value weightOfProducts(OpBuilder &b, ArrayRef<RowElement> elements,
                       int64_t heads) {
  return weightOf(b, elements, heads, [](Value product) {
    return product.getDefiningOp<LinearOp>().getWeight();
  });
}

struct RaiseMla : ds::impl::RaiseMlaBase<RaiseMla> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!isStepFunction(function))
      return;
    SmallVector<CachedAttentionOp> attentions;
    function.walk([&](CachedAttentionOp op) { attentions.push_back(op); });
    for (CachedAttentionOp op : attentions)
      if (isParted(op))
        if (std::optional<Latent> latent = match(op))
          raise(op, *latent);
    function.setFunctionType(FunctionType::get(
        &getContext(), function.getBody().getArgumentTypes(),
        function.getBody().front().getTerminator()->getOperandTypes()));
  }

private:
  /// Whether the caches of `op` are its own: arguments that it alone reads.
  static bool isParted(CachedAttentionOp op) {
    return llvm::all_of(ValueRange{op.getKey(), op.getValue()}, [](Value v) {
      auto append = v.getDefiningOp<CacheAppendOp>();
      return append && isa<BlockArgument>(append.getCache()) &&
             append.getCache().hasOneUse() &&
             llvm::range_size(append->getUsers()) == 2;
    });
  }

  std::optional<Latent> match(CachedAttentionOp op) {
    Value keys = op.getKey().getDefiningOp<CacheAppendOp>().getRows(),
          values = op.getValue().getDefiningOp<CacheAppendOp>().getRows();
    std::vector<RowElement> key = rowElements(keys),
                            value = rowElements(values);
    int64_t heads = tensorType(keys).getDimSize(1),
            width = tensorType(keys).getDimSize(2);
    Latent result;
    if (std::optional<int64_t> first = findIn(key, value); heads == 1 && first)
      return matchAbsorbed(key, values, *first);

    // All values are products of one latent.
    LinearOp made = productOf(value[0]);
    if (!made)
      return std::nullopt;
    result.latent = made.getInput();
    auto isMade = [&](const RowElement &element) {
      LinearOp product = productOf(element);
      return product && product.getInput() == result.latent;
    };
    bool anyMade = llvm::any_of(key, isMade);
    auto failed = [&](const Twine &why) {
      // Keys of which nothing is a product are no near miss.
      if (anyMade)
        op->emitRemark() << "'" << op->getName()
                         << "': keys and values were not proven to be made of "
                            "one latent: "
                         << why;
      return std::nullopt;
    };
    if (!llvm::all_of(value, isMade))
      return failed("values are not all products (without bias) of one value");
    for (int64_t d = 0; d < width; ++d) {
      bool allMade = true, same = true;
      for (int64_t h = 0; h < heads; ++h) {
        const RowElement &element = key[size_t(h * width + d)];
        allMade &= isMade(element);
        same &= element == key[size_t(d)];
      }
      if (!allMade && !same)
        return failed("column " + Twine(d) +
                      " of the keys is neither a product (without bias) of "
                      "what values are made of nor the same for all heads");
      (allMade ? result.made : result.kept).push_back(d);
    }
    if (result.made.empty())
      return std::nullopt;
    if (result.kept.empty())
      return failed("no column of the keys is the same for all heads");
    int64_t rank = tensorType(result.latent).getDimSize(1),
            numbers = heads * (width + tensorType(values).getDimSize(2));
    if (rank + int64_t(result.kept.size()) >= numbers)
      return failed("it would keep no less: " + Twine(rank) + " + " +
                    Twine(result.kept.size()) + " numbers a token instead of " +
                    Twine(numbers));
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t d : result.made)
        result.keyRows.push_back(key[size_t(h * width + d)]);
    llvm::append_range(result.valueRows, value);
    for (int64_t d : result.kept)
      result.shared.push_back(key[size_t(d)]);
    return result;
  }

  /// Where `part` stands in `whole`, if it does.
  static std::optional<int64_t> findIn(ArrayRef<RowElement> whole,
                                       ArrayRef<RowElement> part) {
    for (size_t first = 0; first + part.size() <= whole.size(); ++first)
      if (whole.slice(first, part.size()) == part)
        return int64_t(first);
    return std::nullopt;
  }

  /// One key for all heads, of which the value is a part.
  static std::optional<Latent> matchAbsorbed(ArrayRef<RowElement> key,
                                             Value values, int64_t first) {
    Latent result;
    int64_t width = int64_t(key.size()),
            rank = tensorType(values).getDimSize(2);
    if (rank == width)
      return std::nullopt;
    for (int64_t d = 0; d < width; ++d)
      (d >= first && d < first + rank ? result.made : result.kept).push_back(d);
    for (int64_t d : result.kept)
      result.shared.push_back(key[size_t(d)]);
    result.latent = values;
    return result;
  }

  /// The rotation whose results, all of them, are `elements` in order, or
  /// null.
  static RopeOp rotationOf(ArrayRef<RowElement> elements) {
    auto rope = elements[0].source.getDefiningOp<RopeOp>();
    bool whole =
        rope && int64_t(elements.size()) ==
                    computeProduct(tensorType(rope).getShape().drop_front());
    for (auto [i, element] : llvm::enumerate(elements))
      whole &= element == RowElement{elements[0].source, int64_t(i)};
    return whole ? rope : RopeOp();
  }

  /// Makes the cache of `append` the cache `name` of `rows`
  /// [N, 1, width]; the cache after them.
  Value replaceCache(OpBuilder &b, CacheAppendOp append, Value rows,
                     const Twine &name) {
    auto argument = cast<BlockArgument>(append.getCache());
    RankedTensorType type = tensorType(argument);
    argument.setType(
        RankedTensorType::get({type.getDimSize(0), 1, type.getDimSize(2),
                               tensorType(rows).getDimSize(2)},
                              type.getElementType()));
    Value after = CacheAppendOp::create(
        b, append.getLoc(), argument.getType(), rows, argument,
        append.getRowStart(), append.getPastLength(), append.getCacheSlot());
    func::FuncOp function = getOperation();
    auto nameAttr = b.getStringAttr(name);
    function.setArgAttr(argument.getArgNumber(), "ds.name", nameAttr);
    for (OpOperand &use : llvm::make_early_inc_range(append->getUses()))
      if (isa<func::ReturnOp>(use.getOwner())) {
        function.setResultAttr(use.getOperandNumber(), "ds.name", nameAttr);
        use.set(after);
      }
    return after;
  }

  /// Puts a shared key and the columns of queries that meet it into pairs,
  /// where both were rotated from pairs to halves: scores do not depend on the
  /// order. The order that they are kept in, as a name; none if not rotated.
  static StringRef keepPairs(OpBuilder &b, const Latent &found, Value &key,
                             Value &query) {
    RopeOp keyRope = rotationOf(found.shared),
           queryRope = rotationOf(rowElements(query));
    if (!keyRope || !queryRope ||
        keyRope.getLayoutOut() != queryRope.getLayoutOut())
      return "";
    if (keyRope.getLayoutOut() == RopeLayout::Pairs)
      return "_pairs";
    if (keyRope.getLayoutIn() != RopeLayout::Pairs ||
        queryRope.getLayoutIn() != RopeLayout::Pairs)
      return "_halves";
    auto inPairs = [&](RopeOp rope, Value like) {
      Value rotated = RopeOp::create(
          b, rope.getLoc(), rope.getType(), rope.getInput(), rope.getCos(),
          rope.getSin(), rope.getLayoutIn(), RopeLayout::Pairs);
      return reshaped(b, rotated, tensorType(like).getShape());
    };
    key = inPairs(keyRope, key);
    query = inPairs(queryRope, query);
    return "_pairs";
  }

  void raise(CachedAttentionOp op, const Latent &found) {
    auto keyAppend = op.getKey().getDefiningOp<CacheAppendOp>(),
         valueAppend = op.getValue().getDefiningOp<CacheAppendOp>();
    OpBuilder b(op);
    Location loc = op.getLoc();
    RankedTensorType keys = tensorType(keyAppend.getRows());
    int64_t heads = keys.getDimSize(1), width = int64_t(found.kept.size()),
            rank = tensorType(found.latent).getShape().back();
    Value sharedKey = rowsOf(b, loc, found.shared),
          queryColumns = columnsOf(b, op.getQuery(), found.kept),
          sharedQuery = queryColumns, query = op.getQuery();
    StringRef order = keepPairs(b, found, sharedKey, sharedQuery);
    bool inOrder = found.kept.front() == keys.getDimSize(2) - width &&
                   found.made.back() < found.kept.front();
    if (!inOrder || sharedQuery != queryColumns)
      query = join(b, loc, {columnsOf(b, query, found.made), sharedQuery}, 2);

    auto argument = cast<BlockArgument>(keyAppend.getCache());
    auto name = getOperation().getArgAttrOfType<StringAttr>(
        argument.getArgNumber(), "ds.name");
    std::string layer = name.getValue().rsplit('.').first.str();
    Value latentRows =
        reshaped(b, found.latent, {ShapedType::kDynamic, 1, rank});
    Value latent = replaceCache(b, keyAppend, latentRows, layer + ".ckv"),
          rope =
              replaceCache(b, valueAppend, sharedKey, layer + ".k_pe" + order);
    op->emitRemark() << "'" << op->getName() << "' keeps " << rank + width
                     << " numbers a token instead of "
                     << heads *
                            (keys.getDimSize(2) +
                             tensorType(valueAppend.getRows()).getDimSize(2));
    Value result;
    if (found.keyRows.empty())
      result = MlaAbsorbedOp::create(b, loc, op.getType(), query, latent, rope,
                                     op.getRowStart(), op.getPastLength(),
                                     op.getCacheSlot(), op.getScaleAttr());
    else
      result = MlaOp::create(b, loc, op.getType(), query, latent, rope,
                             weightOfProducts(b, found.keyRows, heads),
                             weightOfProducts(b, found.valueRows, heads),
                             op.getRowStart(), op.getPastLength(),
                             op.getCacheSlot(), op.getScaleAttr());
    op.replaceAllUsesWith(result);
    op.erase();
    keyAppend.erase();
    valueAppend.erase();
  }
};
} // namespace
