//===- UnabsorbMlaWeights.cpp - absorbed latent attention as ds.mla -------===//
//
// See Passes.td. The query is followed up, element by element, to the products
// that make it; the result down to the products that read it, and what they
// read up again, so that views between do not matter on either side.
//
//===----------------------------------------------------------------------===//
#include "passes/ElementRuns.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/StepFunction.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

namespace mlir::ds {
#define GEN_PASS_DEF_UNABSORBMLAWEIGHTS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Token rows that are products, without bias, of other token rows with
/// weights: in groups (heads), each with a weight of its own, or in one.
struct RowProduct {
  Value input, weight;
  /// Sizes: groups, columns of a group's result, numbers that are summed.
  int64_t groups, columns, summed;
  /// Whether elements of all groups stand beside each other in a row.
  bool inputInterleaved = false, resultInterleaved = false;

  /// The row of matrix() that element `index` is made with, group by group.
  int64_t weightRow(int64_t index) const {
    return resultInterleaved ? index % groups * columns + index / groups
                             : index;
  }
  int64_t groupOf(int64_t weightRow) const { return weightRow / columns; }

  /// What is multiplied in `group`, `elements` being those of the input.
  std::vector<RowElement> inputOf(int64_t group,
                                  ArrayRef<RowElement> elements) const {
    std::vector<RowElement> result;
    for (int64_t k = 0; k < summed; ++k)
      result.push_back(elements[size_t(inputInterleaved ? k * groups + group
                                                        : group * summed + k)]);
    return result;
  }

  /// The weights as [groups · columns, summed].
  Value matrix(OpBuilder &b) const {
    if (tensorType(weight).getRank() == 2)
      return weight;
    Value rows = TransposeOp::create(b, weight.getLoc(), weight,
                                     ArrayRef<int64_t>{0, 2, 1});
    return reshaped(b, rows, {groups * columns, summed});
  }
};

/// What `op` lacks of a product with weights.
std::string describe(Operation *op) {
  if (auto linear = dyn_cast_or_null<LinearOp>(op); linear && linear.getBias())
    return "a product with a bias";
  if (isa_and_nonnull<LinearOp, MatmulOp>(op))
    return "a product with what is no weight of each head";
  return op ? ("'" + op->getName().getStringRef() + "'").str() : "an input";
}

/// The product that makes the token rows `result`; nothing if none does, and
/// `found` is what does.
std::optional<RowProduct> productOf(Value result, std::string &found) {
  if (auto linear = result.getDefiningOp<LinearOp>()) {
    RankedTensorType weight = tensorType(linear.getWeight());
    if (!linear.getBias() && tensorType(linear).getRank() == 2 &&
        weight.hasStaticShape() && isParameterValue(linear.getWeight()))
      return RowProduct{linear.getInput(), linear.getWeight(), 1,
                        weight.getDimSize(0), weight.getDimSize(1)};
    found = describe(linear);
    return std::nullopt;
  }
  // Head by head: [N, H, K] → [H, N, K] · [H, K, M] → [N, H, M], heads behind
  // the width too.
  auto after = result.getDefiningOp<TransposeOp>();
  auto product = after ? after.getInput().getDefiningOp<MatmulOp>() : nullptr;
  found = describe(product ? product.getOperation() : result.getDefiningOp());
  auto before =
      product ? product.getLhs().getDefiningOp<TransposeOp>() : nullptr;
  if (!before || after.getPerm().size() != 3 || before.getPerm().size() != 3 ||
      after.getPerm()[0] != 1 || before.getPerm()[1] != 0)
    return std::nullopt;
  RankedTensorType weight = tensorType(product.getRhs());
  if (weight.getRank() != 3 || !weight.hasStaticShape() ||
      weight.getDimSize(0) != tensorType(product.getLhs()).getDimSize(0) ||
      !isParameterValue(product.getRhs()))
    return std::nullopt;
  return RowProduct{before.getInput(),
                    product.getRhs(),
                    weight.getDimSize(0),
                    weight.getDimSize(2),
                    weight.getDimSize(1),
                    /*inputInterleaved=*/before.getPerm()[0] == 2,
                    /*resultInterleaved=*/after.getPerm()[1] == 2};
}

/// One absorbed attention and the products on both sides of it.
class Absorbed {
public:
  explicit Absorbed(MlaAbsorbedOp op)
      : op(op), heads(tensorType(op.getQuery()).getDimSize(1)),
        rank(tensorType(op.getLatent()).getDimSize(3)),
        rotated(tensorType(op.getRope()).getDimSize(3)) {}

  /// Makes ds.mla of it, or says why not.
  void replace() {
    if (std::string why = match(); !why.empty()) {
      op->emitRemark() << "'" << op->getName()
                       << "' was not turned back to keys and values of every "
                          "head, for any number of tokens: "
                       << why;
      return;
    }
    op->emitRemark() << "'" << op->getName()
                     << "' is turned back to keys and values of every head, "
                     << query.size() / size_t(heads) << " and "
                     << valueRows.size() / size_t(heads)
                     << " numbers: W_UK and W_UV are the weights of the "
                        "products beside it";
    build();
  }

private:
  /// Why it is none, or nothing.
  std::string match() {
    if (ShapedType::isDynamicShape({heads, rank, rotated}))
      return "the number of heads or a width is not known";
    if (std::string why = matchQuery(); !why.empty())
      return why;
    if (std::string why = findReaders(); !why.empty())
      return why;
    if (std::string why = matchReaders(); !why.empty())
      return why;
    int64_t made = int64_t(query.size() + valueRows.size()) / heads;
    if (made >= 2 * rank)
      return llvm::formatv("a key and a value of a head, {0} numbers, never "
                           "take fewer products than two latents of {1}",
                           made, rank);
    return "";
  }

  /// The product that makes `rows`; `found` as above.
  const RowProduct *productFor(Value rows, std::string &found) {
    auto it = products.find(rows);
    if (it == products.end()) {
      std::optional<RowProduct> product = productOf(rows, found);
      if (!product)
        return nullptr;
      it = products.insert({rows, {*product, rowElements(product->input)}})
               .first;
    }
    return &it->second.first;
  }

  std::vector<RowElement> inputOf(Value rows, int64_t group) {
    auto &[product, elements] = products.find(rows)->second;
    return product.inputOf(group, elements);
  }

  /// Each head's first columns of the query are products of one row with rows
  /// of W_UKᵀ.
  std::string matchQuery() {
    std::vector<RowElement> elements = rowElements(op.getQuery()), first;
    for (int64_t h = 0; h < heads; ++h) {
      std::vector<RowElement> input;
      std::pair<Value, int64_t> last;
      for (int64_t c = 0; c < rank; ++c) {
        auto [source, index] = elements[size_t(h * (rank + rotated) + c)];
        std::string found;
        const RowProduct *product = productFor(source, found);
        if (!product)
          return llvm::formatv("column {0} of head {1} of the query is made by "
                               "{2} instead of a product with W_UK",
                               c, h, found);
        int64_t row = product->weightRow(index), group = product->groupOf(row);
        if (std::pair(source, group) != last) {
          std::vector<RowElement> its = inputOf(source, group);
          if (c > 0 && its != input)
            return llvm::formatv("column {0} of head {1} of the query is a "
                                 "product of something else than column 0",
                                 c, h);
          input = std::move(its);
          last = {source, group};
        }
        keyRows.push_back({source, row});
      }
      if (h == 0)
        first = input;
      else if (input.size() != first.size())
        return "queries of heads differ in width";
      else if (input == first)
        return llvm::formatv("heads 0 and {0} of the query are products of one "
                             "row: W_UK was multiplied into the projection of "
                             "queries",
                             h);
      llvm::append_range(query, input);
    }
    return "";
  }

  /// The products that read the result, through views.
  std::string findReaders() {
    SmallVector<Value> pending{op.getResult()};
    SetVector<Value> seen;
    while (!pending.empty()) {
      Value value = pending.pop_back_val();
      if (!seen.insert(value))
        continue;
      for (OpOperand &use : value.getUses()) {
        Operation *user = use.getOwner();
        if (isa<tensor::DimOp>(user))
          continue;
        if (user->getBlock() != op->getBlock())
          return "its result is read in another block";
        SmallVector<Value> rows;
        if (isa<MatmulOp>(user) && use.getOperandNumber() == 0)
          for (Operation *after : user->getUsers())
            rows.push_back(after->getResult(0));
        else if (isa<LinearOp>(user) && use.getOperandNumber() == 0)
          rows.push_back(user->getResult(0));
        else if (isa<ReshapeOp, TransposeOp, SliceOp, ConcatOp, BroadcastOp>(
                     user))
          pending.push_back(user->getResult(0));
        else
          return "its result is read by " + describe(user) +
                 " instead of a product with W_UV";
        for (Value result : rows) {
          std::string found;
          if (!productFor(result, found))
            return "its result is read by " + found +
                   " instead of a product with W_UV";
          readers.insert(result);
        }
      }
    }
    // In the order of the function.
    SmallVector<Value> ordered(readers.begin(), readers.end());
    llvm::sort(ordered, [](Value a, Value b) {
      return a.getDefiningOp()->isBeforeInBlock(b.getDefiningOp());
    });
    readers = SetVector<Value>(ordered.begin(), ordered.end());
    return readers.empty() ? "nothing reads its result" : "";
  }

  /// Each product that reads the result reads one head of it.
  std::string matchReaders() {
    std::vector<std::vector<RowElement>> rowsOfHeads{size_t(heads)};
    // Per reader and row of its weights: its head and its place there.
    SmallVector<SmallVector<std::pair<int64_t, int64_t>>> places;
    Type element = tensorType(op).getElementType();
    for (Value reader : readers) {
      const RowProduct &product = products.find(reader)->second.first;
      if (tensorType(reader).getElementType() != element)
        return "the product of its result has another type";
      auto &its = places.emplace_back();
      for (int64_t g = 0; g < product.groups; ++g) {
        std::vector<RowElement> input = inputOf(reader, g);
        int64_t head = input[0].index / rank;
        bool whole = int64_t(input.size()) == rank;
        for (auto [c, from] : llvm::enumerate(input))
          whole &= from == RowElement{op.getResult(), head * rank + int64_t(c)};
        if (!whole)
          return "a product of its result is not one of the latents of one "
                 "head";
        auto &rows = rowsOfHeads[size_t(head)];
        for (int64_t m = 0; m < product.columns; ++m) {
          its.push_back({head, int64_t(rows.size())});
          rows.push_back({reader, g * product.columns + m});
        }
      }
    }
    size_t width = rowsOfHeads[0].size();
    for (auto &rows : rowsOfHeads) {
      if (rows.size() != width || width == 0)
        return "values of heads differ in width";
      llvm::append_range(valueRows, rows);
    }
    for (auto [reader, its] : llvm::zip_equal(readers, places)) {
      const RowProduct &product = products.find(reader)->second.first;
      auto &from = elementsOfReaders.emplace_back();
      for (int64_t i = 0; i < product.groups * product.columns; ++i) {
        auto [head, place] = its[size_t(product.weightRow(i))];
        from.push_back(head * int64_t(width) + place);
      }
    }
    return "";
  }

  /// Puts what makes the weight `value` before the attention.
  void hoist(Value value) {
    Operation *maker = value.getDefiningOp();
    if (maker->getBlock() != op->getBlock() || maker->isBeforeInBlock(op))
      return;
    for (Value operand : maker->getOperands())
      hoist(operand);
    maker->moveBefore(op);
  }

  void build() {
    OpBuilder b(op);
    Location loc = op.getLoc();
    auto matrix = [&](Value rows) {
      return products.find(rows)->second.first.matrix(b);
    };
    for (Value reader : readers)
      hoist(products.find(reader)->second.first.weight);
    Value key = TransposeOp::create(b, loc, weightOf(b, keyRows, heads, matrix),
                                    ArrayRef<int64_t>{0, 2, 1}),
          value = weightOf(b, valueRows, heads, matrix),
          plain = rowsOf(b, loc, query, heads),
          rope = take(b, op.getQuery(), 2, {rank, rotated});
    SmallVector<int64_t> shape(tensorType(op).getShape());
    shape.back() = tensorType(value).getDimSize(1);
    Value result = MlaOp::create(
        b, loc, RankedTensorType::get(shape, tensorType(op).getElementType()),
        join(b, loc, {plain, rope}, 2), op.getLatent(), op.getRope(), key,
        value, op.getRowStart(), op.getPastLength(), op.getCacheSlot(),
        op.getScaleAttr());
    for (auto [each, from] : llvm::zip_equal(readers, elementsOfReaders)) {
      SmallVector<RowElement> elements;
      for (int64_t i : from)
        elements.push_back({result, i});
      const RowProduct &product = products.find(each)->second.first;
      Value reader = each,
            rows = rowsOf(b, loc, elements,
                          product.resultInterleaved ? product.columns : 1);
      reader.replaceAllUsesWith(
          reshaped(b, rows, tensorType(reader).getShape()));
    }
  }

  MlaAbsorbedOp op;
  int64_t heads, rank, rotated;
  /// Products beside it by their results, with the elements of their inputs.
  DenseMap<Value, std::pair<RowProduct, std::vector<RowElement>>> products;
  /// [heads · P] elements that W_UK is multiplied with; rows of weights, [heads
  /// · C] and [heads · V].
  SmallVector<RowElement> query, keyRows, valueRows;
  /// Products that read the result, and which elements of that of ds.mla they
  /// are.
  SetVector<Value> readers;
  SmallVector<SmallVector<int64_t>> elementsOfReaders;
};

struct UnabsorbMlaWeights
    : ds::impl::UnabsorbMlaWeightsBase<UnabsorbMlaWeights> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!isStepFunction(function))
      return;
    SmallVector<MlaAbsorbedOp> ops;
    function.walk([&](MlaAbsorbedOp op) { ops.push_back(op); });
    for (MlaAbsorbedOp op : ops)
      Absorbed(op).replace();
  }
};
} // namespace
