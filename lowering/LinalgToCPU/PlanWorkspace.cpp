//===- PlanWorkspace.cpp - buffers of a step in the caller's workspace ----===//
//
// See Passes.td. A step of one token takes milliseconds and must not fail for
// want of memory half way: so nothing in it allocates.
//
// Sizes are not numbers here but functions of the call. Buffers share a slot
// where their lifetimes do not meet; a slot is as large as its largest buffer,
// found when the step runs. How large each is for a common call decides only
// who shares with whom.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/MemRef/Utils/MemRefUtils.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

namespace mlir::ds {
#define GEN_PASS_DEF_PLANWORKSPACE
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Tokens, sequences, logit rows, cache length, threads.
constexpr unsigned sizeCount = 5, threadsSize = 4;

/// A buffer of a thread that is no larger lies on its stack.
constexpr int64_t stackBytes = 32 * 1024;

/// Finds out what a size is in terms of the call: as code in another function,
/// and as a number for a common call.
class SizeEvaluator {
public:
  SizeEvaluator(OpBuilder &builder, ValueRange sizes)
      : builder(builder), sizes(sizes) {}

  struct Size {
    Value code;
    int64_t usual = 0;
  };

  FailureOr<Size> evaluate(Value value) {
    auto found = known.find(value);
    if (found != known.end())
      return found->second;
    FailureOr<Size> result = compute(value);
    // Below a loop: the largest it can be.
    if (failed(result)) {
      FailureOr<int64_t> bound = ValueBoundsConstraintSet::computeConstantBound(
          presburger::BoundType::UB, value, /*stopCondition=*/nullptr,
          /*closedUB=*/true);
      if (succeeded(bound))
        result = constant(*bound);
    }
    if (succeeded(result))
      known[value] = *result;
    return result;
  }

  FailureOr<Size> evaluate(OpFoldResult size) {
    if (auto value = dyn_cast<Value>(size))
      return evaluate(value);
    return constant(cast<IntegerAttr>(cast<Attribute>(size)).getInt());
  }

  Size constant(int64_t number) {
    return {arith::ConstantIndexOp::create(builder, builder.getUnknownLoc(),
                                           number),
            number};
  }

  Size apply(AffineMap map, ArrayRef<Size> operands) {
    SmallVector<OpFoldResult> values;
    SmallVector<Attribute> usual;
    for (const Size &operand : operands) {
      values.push_back(operand.code);
      usual.push_back(builder.getIndexAttr(operand.usual));
    }
    Location loc = builder.getUnknownLoc();
    OpFoldResult code =
        affine::makeComposedFoldedAffineApply(builder, loc, map, values);
    SmallVector<Attribute> folded;
    int64_t number = 0;
    if (succeeded(map.constantFold(usual, folded)))
      number = cast<IntegerAttr>(folded.front()).getInt();
    return {getValueOrCreateConstantIndexOp(builder, loc, code), number};
  }

private:
  FailureOr<Size> compute(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return failure();
    if (auto dim = dyn_cast<memref::DimOp>(op)) {
      std::optional<int64_t> index = dim.getConstantIndex();
      if (!index)
        return failure();
      return dimension(dim.getSource(), *index);
    }
    // What arithmetic does to sizes, and nothing else.
    if (!isPure(op) || op->getNumRegions() != 0 || op->getNumResults() != 1 ||
        !isa<arith::ArithDialect, affine::AffineDialect>(op->getDialect()))
      return failure();
    // What only data tell, but no more than something known: of that size.
    if (isa<arith::MinSIOp, arith::MinUIOp>(op))
      for (unsigned i : {0, 1})
        if (failed(evaluate(op->getOperand(i))))
          return evaluate(op->getOperand(1 - i));
    IRMapping mapping;
    SmallVector<Attribute> usual;
    for (Value operand : op->getOperands()) {
      FailureOr<Size> size = evaluate(operand);
      if (failed(size))
        return failure();
      mapping.map(operand, size->code);
      usual.push_back(operand.getType().isIndex()
                          ? builder.getIndexAttr(size->usual)
                          : IntegerAttr::get(operand.getType(), size->usual));
    }
    SmallVector<OpFoldResult> folded;
    Size result;
    if (succeeded(op->fold(usual, folded)) && folded.size() == 1)
      if (auto attr = dyn_cast<Attribute>(folded.front()))
        if (auto number = dyn_cast<IntegerAttr>(attr))
          result.usual = number.getInt();
    result.code = builder.clone(*op, mapping)->getResult(0);
    return result;
  }

  FailureOr<Size> dimension(Value buffer, int64_t index) {
    auto type = cast<MemRefType>(buffer.getType());
    if (!type.isDynamicDim(index))
      return constant(type.getDimSize(index));
    if (auto argument = dyn_cast<BlockArgument>(buffer)) {
      Operation *parent = argument.getOwner()->getParentOp();
      if (auto function = dyn_cast<func::FuncOp>(parent)) {
        auto map = function.getArgAttrOfType<AffineMapAttr>(
            argument.getArgNumber(), sizesAttribute);
        if (!map || map.getValue().getResult(index) == -1)
          return failure();
        SmallVector<Size> operands;
        for (unsigned i = 0; i < threadsSize; ++i)
          operands.push_back(ofCall(i));
        return apply(map.getValue().getSubMap(index), operands);
      }
      // A buffer that a loop hands on keeps its sizes.
      if (auto loop = dyn_cast<LoopLikeOpInterface>(parent))
        if (OpOperand *init = loop.getTiedLoopInit(argument))
          return dimension(init->get(), index);
      return failure();
    }
    Operation *op = buffer.getDefiningOp();
    if (auto alloc = dyn_cast<memref::AllocOp>(op))
      return evaluate(alloc.getMixedSizes()[index]);
    if (auto view = dyn_cast<memref::SubViewOp>(op)) {
      // Dropped dimensions have size 1; the others keep their order.
      llvm::SmallBitVector dropped = view.getDroppedDims();
      for (auto [d, size] : llvm::enumerate(view.getMixedSizes()))
        if (!dropped.test(d) && index-- == 0)
          return evaluate(size);
      return failure();
    }
    if (auto cast = dyn_cast<memref::CastOp>(op))
      return dimension(cast.getSource(), index);
    if (auto cast = dyn_cast<memref::ReinterpretCastOp>(op))
      return evaluate(cast.getMixedSizes()[index]);
    if (auto expand = dyn_cast<memref::ExpandShapeOp>(op))
      return evaluate(expand.getMixedOutputShape()[index]);
    if (auto collapse = dyn_cast<memref::CollapseShapeOp>(op)) {
      Size product = constant(1);
      ReassociationIndices group = collapse.getReassociationIndices()[index];
      for (int64_t d : group) {
        FailureOr<Size> size = dimension(collapse.getSrc(), d);
        if (failed(size))
          return failure();
        product = times(product, *size);
      }
      return product;
    }
    if (auto loop = dyn_cast<LoopLikeOpInterface>(op))
      if (OpOperand *init = loop.getTiedLoopInit(
              loop.getRegionIterArgs()[cast<OpResult>(buffer)
                                           .getResultNumber()]))
        return dimension(init->get(), index);
    return failure();
  }

public:
  Size times(const Size &a, const Size &b) {
    AffineExpr x = builder.getAffineDimExpr(0);
    Location loc = builder.getUnknownLoc();
    if (std::optional<int64_t> number = getConstantIntValue(b.code))
      return apply(AffineMap::get(1, 0, x * *number), {a});
    if (std::optional<int64_t> number = getConstantIntValue(a.code))
      return apply(AffineMap::get(1, 0, x * *number), {b});
    // A product of two sizes of the call is not affine.
    return {arith::MulIOp::create(builder, loc, a.code, b.code),
            a.usual * b.usual};
  }

  /// Bytes of `alloc` in whole cache lines.
  FailureOr<Size> bytes(memref::AllocOp alloc) {
    MemRefType type = alloc.getType();
    // An index is 64 bits wide on every variant.
    Type element = type.getElementType();
    int64_t bits = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
    int64_t width = (bits + 7) / 8;
    if (type.getElementType().isIndex())
      width = 8;
    Size product = constant(width);
    for (OpFoldResult size : alloc.getMixedSizes()) {
      FailureOr<Size> each = evaluate(size);
      if (failed(each))
        return failure();
      product = times(product, *each);
    }
    AffineExpr x = builder.getAffineDimExpr(0);
    return apply(AffineMap::get(1, 0, x.ceilDiv(64) * 64), {product});
  }

  Size ofCall(unsigned i) {
    constexpr int64_t usual[sizeCount] = {512, 4, 4, 4096, 4};
    return {sizes[i], usual[i]};
  }

private:
  OpBuilder &builder;
  ValueRange sizes;
  llvm::DenseMap<Value, Size> known;
};

struct Buffer {
  memref::AllocOp alloc;
  /// Places in the function's block where it is first and last needed.
  unsigned first, last;
  SizeEvaluator::Size bytes;
  unsigned slot = 0;
  /// The parallel loop each of whose threads has one, so many bytes apart.
  Operation *parallel = nullptr;
  SizeEvaluator::Size stride;
};

struct Slot {
  SmallVector<std::pair<unsigned, unsigned>> taken;
  SmallVector<Value> sizes;
  int64_t usual = 0;

  bool isFree(const Buffer &buffer) const {
    return llvm::all_of(taken, [&](auto span) {
      return buffer.last < span.first || span.second < buffer.first;
    });
  }
};

struct PlanWorkspace : ds::impl::PlanWorkspaceBase<PlanWorkspace> {
  void runOnOperation() override {
    SmallVector<BlockArgument> workspaces;
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        if (function.getArgAttr(i, workspaceAttribute))
          workspaces.push_back(function.getArgument(i));
    for (BlockArgument workspace : workspaces)
      if (failed(plan(getOperation(), workspace)))
        return signalPassFailure();
  }

private:
  LogicalResult plan(ModuleOp module, BlockArgument workspace) {
    auto step = cast<func::FuncOp>(workspace.getOwner()->getParentOp());
    auto name = step.getArgAttrOfType<FlatSymbolRefAttr>(
        workspace.getArgNumber(), workspaceAttribute);
    auto planned = name ? module.lookupSymbol<func::FuncOp>(name.getAttr())
                        : func::FuncOp();
    if (!planned || !planned.isDeclaration() || !step.getBody().hasOneBlock())
      return step.emitError() << workspaceAttribute
                              << " expects the name of a function to define, "
                                 "and a body of one block";
    Block &body = step.getBody().front();
    SmallVector<Buffer> buffers;
    if (failed(collect(step, buffers)))
      return failure();

    // One function says where the slots are and where the last one ends.
    MLIRContext *context = &getContext();
    Type index = IndexType::get(context), i64 = IntegerType::get(context, 64);
    Location loc = step.getLoc();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto layout = func::FuncOp::create(
        builder, loc, "ds_workspace_layout",
        builder.getFunctionType(SmallVector<Type>(sizeCount, index), {}));
    layout.setPrivate();
    SymbolTable(module).insert(layout); // renames on a clash
    builder.setInsertionPointToStart(layout.addEntryBlock());
    SizeEvaluator evaluator(builder, layout.getArguments());
    for (Buffer &buffer : buffers) {
      FailureOr<SizeEvaluator::Size> bytes = evaluator.bytes(buffer.alloc);
      if (failed(bytes))
        return buffer.alloc.emitError()
               << "a buffer of the step whose size is not known when the step "
                  "begins";
      buffer.bytes = buffer.stride = *bytes;
      if (buffer.parallel)
        buffer.bytes = evaluator.times(*bytes, evaluator.ofCall(threadsSize));
    }
    SmallVector<Slot> slots = share(buffers);
    SmallVector<Value> ends;
    Value end = arith::ConstantIndexOp::create(builder, loc, 0);
    for (Slot &slot : slots) {
      ends.push_back(end);
      Value size = slot.sizes.front();
      for (Value other : llvm::drop_begin(slot.sizes))
        size = arith::MaxUIOp::create(builder, loc, size, other);
      end = arith::AddIOp::create(builder, loc, end, size);
    }
    unsigned firstStride = ends.size();
    for (Buffer &buffer : buffers)
      if (buffer.parallel)
        ends.push_back(buffer.stride.code);
    ends.push_back(end);
    func::ReturnOp::create(builder, loc, ends);
    layout.setFunctionType(builder.getFunctionType(
        layout.getArgumentTypes(), SmallVector<Type>(ends.size(), index)));

    builder.setInsertionPointToStart(planned.addEntryBlock());
    SmallVector<Value> sizes;
    for (Value size : planned.getArguments())
      sizes.push_back(arith::IndexCastOp::create(builder, loc, index, size));
    auto total = func::CallOp::create(builder, loc, layout, sizes);
    func::ReturnOp::create(
        builder, loc,
        arith::IndexCastOp::create(builder, loc, i64, total.getResults().back())
            .getResult());

    builder.setInsertionPointToStart(&body);
    auto places =
        func::CallOp::create(builder, loc, layout, sizesOfCall(builder, step));
    for (Buffer &buffer : buffers) {
      Value offset = places.getResult(buffer.slot);
      if (buffer.parallel)
        offset =
            ofThread(module, buffer, offset, places.getResult(firstStride++));
      OpBuilder at(buffer.alloc);
      Value view = memref::ViewOp::create(
          at, buffer.alloc.getLoc(), buffer.alloc.getType(), workspace, offset,
          buffer.alloc.getDynamicSizes());
      buffer.alloc.replaceAllUsesWith(view);
      buffer.alloc.erase();
    }
    for (unsigned i = 0; i < step.getNumArguments(); ++i) {
      step.removeArgAttr(i, sizesAttribute);
      step.removeArgAttr(i, workspaceAttribute);
    }
    return success();
  }

  /// Buffers and lifetimes; small buffers of threads go to their stacks.
  LogicalResult collect(func::FuncOp step, SmallVectorImpl<Buffer> &buffers) {
    Block &body = step.getBody().front();
    llvm::DenseMap<Operation *, unsigned> places;
    for (Operation &op : body)
      places.try_emplace(&op, places.size());
    auto placeOf = [&](Operation *op) {
      return places.lookup(body.findAncestorOpInBlock(*op));
    };
    BufferViewFlowAnalysis views(step);
    LogicalResult result = success();
    SmallVector<memref::AllocOp> small;
    step.walk([&](memref::AllocOp alloc) {
      Buffer buffer;
      buffer.alloc = alloc;
      buffer.first = buffer.last = placeOf(alloc);
      SmallVector<Operation *> loops;
      for (Operation *parent = alloc->getParentOp(); parent != step;
           parent = parent->getParentOp()) {
        if (isa<LoopLikeOpInterface>(parent))
          loops.push_back(parent);
        if (isa<scf::ForallOp, scf::ParallelOp>(parent))
          buffer.parallel = parent;
      }
      for (Value view : views.resolve(alloc.getResult())) {
        // A buffer that survives the iteration it was made in would need one
        // place for each.
        Operation *owner = view.getDefiningOp();
        if (auto argument = dyn_cast<BlockArgument>(view))
          owner = argument.getOwner()->getParentOp();
        if (llvm::is_contained(loops, owner)) {
          result = alloc.emitError()
                   << "a buffer of the step outlives the iteration of the loop "
                      "that makes it";
          return;
        }
        for (Operation *user : view.getUsers())
          buffer.last = std::max(buffer.last, placeOf(user));
      }
      MemRefType type = alloc.getType();
      if (buffer.parallel && type.hasStaticShape() &&
          type.getNumElements() * 8 <= stackBytes)
        small.push_back(alloc);
      else
        buffers.push_back(buffer);
    });
    for (memref::AllocOp alloc : small) {
      OpBuilder builder(alloc);
      auto local =
          memref::AllocaOp::create(builder, alloc.getLoc(), alloc.getType());
      local.setAlignment(64);
      alloc.replaceAllUsesWith(local.getResult());
      alloc.erase();
    }
    return result;
  }

  /// The largest first, each into the smallest slot that is free meanwhile.
  static SmallVector<Slot> share(MutableArrayRef<Buffer> buffers) {
    SmallVector<Buffer *> order;
    for (Buffer &buffer : buffers)
      order.push_back(&buffer);
    llvm::sort(order, [](const Buffer *a, const Buffer *b) {
      return std::make_pair(-a->bytes.usual, a) <
             std::make_pair(-b->bytes.usual, b);
    });
    SmallVector<Slot> slots;
    for (Buffer *buffer : order) {
      unsigned best = slots.size();
      for (auto [i, slot] : llvm::enumerate(slots))
        if (slot.isFree(*buffer) &&
            (best == slots.size() || slot.usual < slots[best].usual))
          best = i;
      if (best == slots.size()) {
        slots.emplace_back();
        slots.back().usual = buffer->bytes.usual;
      }
      Slot &slot = slots[best];
      slot.taken.push_back({buffer->first, buffer->last});
      if (!llvm::is_contained(slot.sizes, buffer->bytes.code))
        slot.sizes.push_back(buffer->bytes.code);
      buffer->slot = best;
    }
    return slots;
  }

  /// The sizes of the call, read off the arguments of @step.
  static SmallVector<Value> sizesOfCall(OpBuilder &builder, func::FuncOp step) {
    Location loc = step.getLoc();
    Type index = builder.getIndexType();
    SmallVector<Value> result(sizeCount);
    for (auto [i, argument] : llvm::enumerate(step.getArguments())) {
      if (step.getArgAttr(i, threadsAttribute))
        result[threadsSize] =
            arith::IndexCastOp::create(builder, loc, index, argument);
      auto map = step.getArgAttrOfType<AffineMapAttr>(i, sizesAttribute);
      if (!map)
        continue;
      for (auto [d, expr] : llvm::enumerate(map.getValue().getResults()))
        if (auto dim = dyn_cast<AffineDimExpr>(expr))
          if (!result[dim.getPosition()])
            result[dim.getPosition()] =
                memref::DimOp::create(builder, loc, argument, d);
    }
    // A size that no argument has, no buffer has.
    for (Value &size : result)
      if (!size)
        size = arith::ConstantIndexOp::create(builder, loc, 0);
    return result;
  }

  /// The place of this thread's part.
  static Value ofThread(ModuleOp module, Buffer &buffer, Value offset,
                        Value stride) {
    OpBuilder builder(buffer.alloc);
    Location loc = buffer.alloc.getLoc();
    Type index = builder.getIndexType();
    if (!module.lookupSymbol(threadIndexName)) {
      OpBuilder top = OpBuilder::atBlockEnd(module.getBody());
      func::FuncOp::create(top, loc, threadIndexName,
                           top.getFunctionType({}, {index}))
          .setPrivate();
    }
    auto thread =
        func::CallOp::create(builder, loc, threadIndexName, index, {});
    Value shift =
        arith::MulIOp::create(builder, loc, thread.getResult(0), stride);
    return arith::AddIOp::create(builder, loc, offset, shift);
  }
};

} // namespace
