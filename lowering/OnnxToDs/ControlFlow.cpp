//===- ControlFlow.cpp - regions whose result types come out of them ------===//
#include "lowering/OnnxToDs/ControlFlow.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;

namespace {

/// A block that belongs to nothing yet, under an op that goes in the end.
class Draft {
public:
  explicit Draft(Builders &b) : b(b), state(b.save()), guard(b.b) {
    holder = scf::ExecuteRegionOp::create(b.b, b.loc, TypeRange());
    block = &holder.getRegion().emplaceBlock();
    b.b.setInsertionPointToStart(block);
  }
  ~Draft() { holder.erase(); }

  /// Moves what was written to the end of `target`; what was learnt about its
  /// values is forgotten, for nothing outside may use them.
  void moveTo(Block *target) {
    target->getOperations().splice(target->end(), block->getOperations());
    b.restore(std::move(state));
  }
  void discard() { b.restore(std::move(state)); }

  Builders &b;
  Builders::State state;
  OpBuilder::InsertionGuard guard;
  scf::ExecuteRegionOp holder;
  Block *block;
};

} // namespace

/// The shape that holds both; nothing if rank or element type differ.
static std::optional<SmallVector<int64_t>> join(RankedTensorType a,
                                                RankedTensorType c) {
  if (a.getRank() != c.getRank() || a.getElementType() != c.getElementType())
    return std::nullopt;
  SmallVector<int64_t> shape(a.getShape());
  for (auto [d, size] : llvm::enumerate(c.getShape()))
    if (size != shape[d])
      shape[d] = ShapedType::kDynamic;
  return shape;
}

/// Whether `size` may be used outside the regions of `op`.
static bool isOutside(OpFoldResult size, Operation *op) {
  auto value = dyn_cast<Value>(size);
  return !value || !op->isAncestor(value.getParentRegion()->getParentOp());
}

/// The first element of a tensor of one.
static Value onlyElement(Builders &b, Value tensor) {
  SmallVector<OpFoldResult> none;
  return tensor::ExtractOp::create(b.b, b.loc, b.reshape(tensor, none),
                                   ValueRange());
}

/// Drafts of all regions, what each returns, and the types that hold all.
namespace {
struct Alternatives {
  SmallVector<std::unique_ptr<Draft>> drafts;
  SmallVector<SmallVector<Value>> results;
  SmallVector<SmallVector<SmallVector<OpFoldResult>>> sizes;
  SmallVector<RankedTensorType> types;
};
} // namespace

static LogicalResult draftAll(NodeContext &n, ArrayRef<MakeRegion> makers,
                              Alternatives &all) {
  for (MakeRegion make : makers) {
    all.drafts.push_back(std::make_unique<Draft>(n.b));
    Draft &draft = *all.drafts.back();
    SmallVector<Value> &results = all.results.emplace_back();
    if (failed(make(results)))
      return failure();
    auto &sizes = all.sizes.emplace_back();
    for (Value result : results)
      sizes.push_back(n.b.shape(result));
    // Later drafts stand beside this one, not in it.
    n.b.b.setInsertionPointAfter(draft.holder);
    n.b.restore(draft.state);
    if (results.size() != all.results.front().size())
      return n.error("its branches give different numbers of values");
    for (auto [i, result] : llvm::enumerate(results)) {
      RankedTensorType type = tensorType(result);
      if (all.results.size() == 1) {
        all.types.push_back(type);
        continue;
      }
      auto shape = join(all.types[i], type);
      if (!shape)
        return n.unsupported("its branches give values of different rank or "
                             "element type");
      all.types[i] = RankedTensorType::get(*shape, type.getElementType());
    }
  }
  return success();
}

/// Moves draft `i` into `block`, its results retyped and yielded.
static void finish(NodeContext &n, Alternatives &all, unsigned i,
                   Block *block) {
  OpBuilder::InsertionGuard guard(n.b.b);
  all.drafts[i]->moveTo(block);
  n.b.b.setInsertionPointToEnd(block);
  SmallVector<Value> values;
  for (auto [value, type] : llvm::zip_equal(all.results[i], all.types))
    values.push_back(
        value.getType() == type
            ? value
            : Value(tensor::CastOp::create(n.b.b, n.b.loc, type, value)));
  scf::YieldOp::create(n.b.b, n.b.loc, values);
}

/// Sizes that all regions agree on and that come from outside stay known.
static SmallVector<Value> trackResults(NodeContext &n, Operation *op,
                                       const Alternatives &all) {
  SmallVector<Value> results;
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    SmallVector<OpFoldResult> dims(all.types[i].getRank());
    for (auto [d, dim] : llvm::enumerate(dims)) {
      OpFoldResult first = all.sizes.front()[i][d];
      if (!all.types[i].isDynamicDim(d))
        dim = n.b.sizes.number(all.types[i].getDimSize(d));
      else if (isOutside(first, op) &&
               llvm::all_of(all.sizes, [&, i = i, d = d](const auto &sizes) {
                 return sizes[i][d] == first;
               }))
        dim = first;
    }
    results.push_back(n.b.track(result, dims));
  }
  return results;
}

FailureOr<SmallVector<Value>> mlir::onnx::branch(NodeContext &n,
                                                 Value condition,
                                                 MakeRegion whenTrue,
                                                 MakeRegion whenFalse) {
  if (DenseElementsAttr known = n.b.constantOf(condition)) {
    SmallVector<Value> results;
    MakeRegion taken = known.getValues<bool>()[0] ? whenTrue : whenFalse;
    if (failed(taken(results)))
      return failure();
    return results;
  }
  Alternatives all;
  if (failed(draftAll(n, {whenTrue, whenFalse}, all)))
    return failure();
  Value bit = onlyElement(n.b, condition);
  auto op = scf::IfOp::create(
      n.b.b, n.b.loc, SmallVector<Type>(all.types.begin(), all.types.end()),
      bit, /*addThenBlock=*/true,
      /*addElseBlock=*/true);
  finish(n, all, 0, op.thenBlock());
  finish(n, all, 1, op.elseBlock());
  return trackResults(n, op, all);
}

FailureOr<SmallVector<Value>> mlir::onnx::select(
    NodeContext &n, OpFoldResult selector, ArrayRef<int64_t> cases,
    llvm::function_ref<LogicalResult(int64_t, SmallVectorImpl<Value> &)> make) {
  std::optional<int64_t> known = getConstantIntValue(selector);
  if (known || cases.size() == 1) {
    SmallVector<Value> results;
    if (failed(make(known.value_or(cases.front()), results)))
      return failure();
    return results;
  }
  Alternatives all;
  SmallVector<std::function<LogicalResult(SmallVectorImpl<Value> &)>> makers;
  for (int64_t value : cases)
    makers.push_back([&make, value](SmallVectorImpl<Value> &results) {
      return make(value, results);
    });
  SmallVector<MakeRegion> regions(makers.begin(), makers.end());
  if (failed(draftAll(n, regions, all)))
    return failure();
  unsigned last = cases.size() - 1;
  auto op = scf::IndexSwitchOp::create(
      n.b.b, n.b.loc, SmallVector<Type>(all.types.begin(), all.types.end()),
      n.b.sizes.asValue(selector), cases.drop_back(), last);
  for (unsigned i = 0; i < last; ++i)
    finish(n, all, i, &op.getCaseRegions()[i].emplaceBlock());
  finish(n, all, last, &op.getDefaultRegion().emplaceBlock());
  return trackResults(n, op, all);
}

/// A bit per axis for the axes that `input` names at run time.
static Value axisBits(NodeContext &n, Value input, int64_t rank) {
  Builders &b = n.b;
  // Looking them up in 0, 1, … makes them positive and refuses others.
  Value axes = b.gather(b.iota(b.sizes.number(rank)), input, 0);
  auto numbers = b.readElements(axes);
  Value bits = arith::ConstantIndexOp::create(b.b, b.loc, 0),
        one = arith::ConstantIndexOp::create(b.b, b.loc, 1);
  for (OpFoldResult axis : *numbers)
    bits = arith::OrIOp::create(
        b.b, b.loc, bits,
        arith::ShLIOp::create(b.b, b.loc, one, b.sizes.asValue(axis)));
  return bits;
}

FailureOr<SmallVector<Value>>
mlir::onnx::withAxes(NodeContext &n, StringRef name, unsigned index,
                     int64_t rank, MakeForAxes make,
                     llvm::function_ref<bool(ArrayRef<int64_t>)> isPossible) {
  SmallVector<Value> results;
  auto given = n.numbers(name, index, /*required=*/false);
  if (failed(given))
    return failure();
  if (*given) {
    SmallVector<int64_t> axes;
    for (int64_t axis : **given) {
      FailureOr<int64_t> d = n.axis(axis, rank);
      if (failed(d))
        return failure();
      if (llvm::is_contained(axes, *d))
        return n.error("axis " + Twine(axis) + " is named twice");
      axes.push_back(*d);
    }
    if (failed(make(axes, results)))
      return failure();
    return results;
  }
  Value input = n.input(index);
  RankedTensorType type = tensorType(input);
  if (!type.hasStaticShape() || type.getRank() > 1 || rank > 8 ||
      !isa<IntegerType>(type.getElementType()))
    return n.unsupported("the number of its " + name + " is not fixed");
  int64_t count = type.getNumElements();
  SmallVector<SmallVector<int64_t>> sets;
  SmallVector<int64_t> places(int64_t(1) << rank, -1);
  for (int64_t bits = 0; bits < (int64_t(1) << rank); ++bits) {
    SmallVector<int64_t> axes;
    for (int64_t d = 0; d < rank; ++d)
      if (bits >> d & 1)
        axes.push_back(d);
    if (int64_t(axes.size()) != count || !isPossible(axes))
      continue;
    places[bits] = sets.size();
    sets.push_back(axes);
  }
  if (sets.empty())
    return n.error("no choice of its " + name + " fits its input");
  // Where no set stands, a number that the second look-up refuses.
  for (int64_t &place : places)
    if (place < 0)
      place = sets.size();
  Builders &b = n.b;
  Value table = b.constant(DenseElementsAttr::get(
      RankedTensorType::get({int64_t(places.size())}, b.b.getI64Type()),
      ArrayRef<int64_t>(places)));
  Value bits = b.fromSizes({OpFoldResult(axisBits(n, input, rank))}, true);
  Value place = b.gather(table, bits, 0);
  Value known = b.gather(b.iota(b.sizes.number(sets.size())), place, 0);
  SmallVector<int64_t> cases;
  for (size_t i = 0; i < sets.size(); ++i)
    cases.push_back(i);
  return select(n, (*b.readElements(known))[0], cases,
                [&](int64_t i, SmallVectorImpl<Value> &results) {
                  return make(sets[i], results);
                });
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

namespace {
/// A result of a loop that gets one more element in each iteration.
struct Stack {
  /// Made before the loop as long as it will be; else it grows: to `trip`, or
  /// by doubling where that is not known.
  bool fixed;
  OpFoldResult trip;

  Value initial(Builders &b, RankedTensorType element) const;
  Value push(Builders &b, Value buffer, Value element, Value at,
             Value place) const;

private:
  Value grown(Builders &b, Value buffer, Value element) const;
};
} // namespace

Value Stack::initial(Builders &b, RankedTensorType element) const {
  // Sizes that only the elements know are 0 until the first one comes.
  SmallVector<OpFoldResult> dims{fixed ? trip : b.sizes.number(0)};
  for (int64_t size : element.getShape())
    dims.push_back(b.sizes.number(ShapedType::isDynamic(size) ? 0 : size));
  SmallVector<int64_t> shape(element.getShape());
  shape.insert(shape.begin(),
               fixed ? getConstantIntValue(trip).value_or(ShapedType::kDynamic)
                     : ShapedType::kDynamic);
  Value empty =
      tensor::EmptyOp::create(b.b, b.loc, dims, element.getElementType());
  auto type = RankedTensorType::get(shape, element.getElementType());
  return empty.getType() == type
             ? empty
             : Value(tensor::CastOp::create(b.b, b.loc, type, empty));
}

Value Stack::grown(Builders &b, Value buffer, Value element) const {
  RankedTensorType type = tensorType(buffer);
  SmallVector<OpFoldResult> dims = tensor::getMixedSizes(b.b, b.loc, element);
  OpFoldResult capacity = trip;
  if (!trip) {
    Value twice = arith::MulIOp::create(
        b.b, b.loc, tensor::DimOp::create(b.b, b.loc, buffer, 0),
        arith::ConstantIndexOp::create(b.b, b.loc, 2));
    Value four = arith::ConstantIndexOp::create(b.b, b.loc, 4);
    capacity = arith::MaxSIOp::create(b.b, b.loc, twice, four).getResult();
  }
  dims.insert(dims.begin(), capacity);
  Value wider =
      tensor::EmptyOp::create(b.b, b.loc, dims, type.getElementType());
  if (wider.getType() != type)
    wider = tensor::CastOp::create(b.b, b.loc, type, wider);
  // What is there already; nothing, the first time.
  SmallVector<OpFoldResult> zeros(type.getRank(), b.b.getIndexAttr(0)),
      ones(type.getRank(), b.b.getIndexAttr(1));
  return tensor::InsertSliceOp::create(
      b.b, b.loc, buffer, wider, zeros,
      tensor::getMixedSizes(b.b, b.loc, buffer), ones);
}

Value Stack::push(Builders &b, Value buffer, Value element, Value at,
                  Value place) const {
  RankedTensorType type = tensorType(buffer);
  if (!fixed) {
    Value capacity = tensor::DimOp::create(b.b, b.loc, buffer, 0);
    Value isFull = arith::CmpIOp::create(b.b, b.loc, arith::CmpIPredicate::sge,
                                         at, capacity);
    auto grow = scf::IfOp::create(b.b, b.loc, TypeRange{type}, isFull,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
    OpBuilder::InsertionGuard guard(b.b);
    b.b.setInsertionPointToStart(grow.thenBlock());
    scf::YieldOp::create(b.b, b.loc, grown(b, buffer, element));
    b.b.setInsertionPointToStart(grow.elseBlock());
    scf::YieldOp::create(b.b, b.loc, buffer);
    buffer = grow.getResult(0);
  }
  SmallVector<OpFoldResult> offsets(type.getRank(), b.b.getIndexAttr(0)),
      strides(type.getRank(), b.b.getIndexAttr(1)),
      dims = tensor::getMixedSizes(b.b, b.loc, element);
  offsets[0] = place;
  dims.insert(dims.begin(), b.b.getIndexAttr(1));
  return tensor::InsertSliceOp::create(b.b, b.loc, element, buffer, offsets,
                                       dims, strides);
}

FailureOr<SmallVector<Value>>
mlir::onnx::loop(NodeContext &n, const LoopRequest &request,
                 llvm::function_ref<LogicalResult(Value, ValueRange,
                                                  SmallVectorImpl<Value> &)>
                     body) {
  Builders &b = n.b;
  unsigned count = request.carried.size();
  SmallVector<RankedTensorType> types;
  for (Value value : request.carried)
    types.push_back(tensorType(value));

  // Convert the body until the types it gives are those it takes.
  std::unique_ptr<Draft> draft;
  SmallVector<Value> results;
  for (bool stable = false; !stable;) {
    if (draft)
      draft->discard();
    draft.reset();
    draft = std::make_unique<Draft>(b);
    results.clear();
    Value iteration = draft->block->addArgument(b.b.getIndexType(), b.loc);
    SmallVector<Value> arguments;
    for (RankedTensorType type : types)
      arguments.push_back(draft->block->addArgument(type, b.loc));
    if (failed(body(iteration, arguments, results)))
      return failure();
    unsigned first = request.hasCondition ? 1 : 0;
    if (results.size() < first + count)
      return n.error("its body gives fewer values than it carries");
    stable = true;
    for (unsigned i = 0; i < count; ++i) {
      auto shape = join(types[i], tensorType(results[first + i]));
      if (!shape)
        return n.unsupported("a carried value changes its rank or element "
                             "type");
      auto type = RankedTensorType::get(*shape, types[i].getElementType());
      stable &= type == types[i];
      types[i] = type;
    }
  }
  b.b.setInsertionPointAfter(draft->holder);
  Value goesOn;
  if (request.hasCondition) {
    goesOn = results.front();
    results.erase(results.begin());
    RankedTensorType type = tensorType(goesOn);
    if (!type.getElementType().isInteger(1) || !type.hasStaticShape() ||
        type.getNumElements() != 1)
      return n.error("its body's condition is not one bool");
    DenseElementsAttr known = b.constantOf(goesOn);
    if (known && known.getValues<bool>()[0])
      goesOn = nullptr;
  }
  if (!goesOn && !request.trip)
    return n.error("it never ends: it has neither a trip count nor a condition "
                   "that can become false");

  // Stacks: as long as the loop, where that is known before it starts.
  bool counted = !goesOn;
  OpFoldResult trip = request.trip;
  Value starts =
      request.condition ? onlyElement(b, request.condition) : Value();
  if (counted && starts)
    trip = arith::SelectOp::create(b.b, b.loc, starts, b.sizes.asValue(trip),
                                   b.sizes.asValue(b.sizes.number(0)))
               .getResult();
  SmallVector<Value> initial;
  for (auto [value, type] : llvm::zip_equal(request.carried, types))
    initial.push_back(b.retype(value, type.getShape()));
  ArrayRef<Value> elements = ArrayRef<Value>(results).drop_front(count);
  SmallVector<Stack> stacks;
  for (Value element : elements) {
    bool fixed = counted && tensorType(element).hasStaticShape();
    stacks.push_back({fixed, counted ? trip : OpFoldResult()});
    initial.push_back(stacks.back().initial(b, tensorType(element)));
  }

  /// The body's end: carried values of the loop's types, stacks with one more.
  auto close = [&](Value iteration, ValueRange buffers) {
    SmallVector<Value> yielded;
    for (unsigned i = 0; i < count; ++i)
      yielded.push_back(results[i].getType() == types[i]
                            ? results[i]
                            : Value(tensor::CastOp::create(b.b, b.loc, types[i],
                                                           results[i])));
    for (auto [i, element] : llvm::enumerate(elements)) {
      Value place = iteration;
      if (i < request.reversed.size() && request.reversed[i]) {
        Value last = arith::SubIOp::create(
            b.b, b.loc, b.sizes.asValue(trip),
            arith::ConstantIndexOp::create(b.b, b.loc, 1));
        place = arith::SubIOp::create(b.b, b.loc, last, iteration);
      }
      yielded.push_back(
          stacks[i].push(b, buffers[i], element, iteration, place));
    }
    return yielded;
  };
  auto moveBody = [&](Block *block, Value iteration, ValueRange carried) {
    Block *from = draft->block;
    from->getArgument(0).replaceAllUsesWith(iteration);
    for (auto [i, value] : llvm::enumerate(carried))
      from->getArgument(i + 1).replaceAllUsesWith(value);
    for (auto [i, argument] : llvm::enumerate(from->getArguments()))
      for (Value &result : results)
        if (result == argument)
          result = i == 0 ? iteration : carried[i - 1];
    if (goesOn)
      for (auto [i, argument] : llvm::enumerate(from->getArguments()))
        if (goesOn == argument)
          goesOn = carried[i - 1];
    draft->moveTo(block);
    b.b.setInsertionPointToEnd(block);
  };

  // Not scf.for where a size may change: upstream's canonicalisation of it
  // takes the initial value's sizes for those of all iterations.
  bool simple =
      counted &&
      llvm::all_of(types, [](auto type) { return type.hasStaticShape(); }) &&
      llvm::all_of(stacks, [](const Stack &stack) { return stack.fixed; });
  OpBuilder::InsertionGuard guard(b.b);
  Value zero = arith::ConstantIndexOp::create(b.b, b.loc, 0),
        one = arith::ConstantIndexOp::create(b.b, b.loc, 1);
  Operation *made;
  SmallVector<Value> outputs;
  Value iterations;
  if (simple) {
    auto op = scf::ForOp::create(b.b, b.loc, zero, b.sizes.asValue(trip), one,
                                 initial);
    if (!op.getBody()->empty())
      op.getBody()->getTerminator()->erase();
    ValueRange arguments = op.getRegionIterArgs();
    moveBody(op.getBody(), op.getInductionVar(), arguments.take_front(count));
    SmallVector<Value> yielded =
        close(op.getInductionVar(), arguments.drop_front(count));
    scf::YieldOp::create(b.b, b.loc, yielded);
    outputs.append(op.getResults().begin(), op.getResults().end());
    made = op;
  } else {
    // while (going && i < trip)
    Value always = arith::ConstantOp::create(b.b, b.loc, b.b.getBoolAttr(true));
    Value going = starts && !counted ? starts : always;
    SmallVector<Value> state{zero, going};
    state.append(initial);
    Value limit = trip ? b.sizes.asValue(trip) : Value();
    auto op = scf::WhileOp::create(
        b.b, b.loc, ValueRange(state).getTypes(), state,
        [&](OpBuilder &inner, Location loc, ValueRange arguments) {
          Value again = arguments[1];
          if (limit)
            again = arith::AndIOp::create(
                inner, loc, again,
                arith::CmpIOp::create(inner, loc, arith::CmpIPredicate::slt,
                                      arguments[0], limit));
          scf::ConditionOp::create(inner, loc, again, arguments);
        },
        [&](OpBuilder &, Location, ValueRange) {});
    Block *after = &op.getAfter().front();
    ValueRange arguments = after->getArguments();
    moveBody(after, arguments[0], arguments.slice(2, count));
    SmallVector<Value> yielded{
        arith::AddIOp::create(b.b, b.loc, arguments[0], one),
        goesOn ? onlyElement(b, goesOn) : always};
    yielded.append(close(arguments[0], arguments.drop_front(2 + count)));
    scf::YieldOp::create(b.b, b.loc, yielded);
    iterations = op.getResult(0);
    outputs.append(op.getResults().begin() + 2, op.getResults().end());
    made = op;
  }
  b.b.setInsertionPointAfter(made);
  for (unsigned i = count; i < outputs.size(); ++i)
    if (!counted) {
      // A stack that grew is longer than what is in it.
      outputs[i] = b.sliceAlong(outputs[i], 0, b.sizes.number(0), iterations);
    } else if (tensorType(outputs[i]).isDynamicDim(0)) {
      SmallVector<OpFoldResult> dims = b.shape(outputs[i]);
      dims[0] = trip;
      b.setSizes(outputs[i], dims);
    }
  return outputs;
}
