//===- OutlineKernels.cpp - bodies of parallel loops become functions -----===//
//
// See Passes.td. A kernel is a function of its own for three reasons: equal
// loops of the layers of a model become one, LLVM's time stays linear in the
// number of layers, and the same code runs with and without threads.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/Passes.h"
#include "lowering/LinalgToCPU/UniqueFunctions.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::ds {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Waking threads costs a few microseconds; work below that runs at once. In
/// operations, of which a core does some in a nanosecond.
constexpr int64_t worthwhile = 20000;

/// A parallel loop of either dialect op.
struct ParallelLoop {
  Operation *op;
  SmallVector<OpFoldResult> lower, upper, step;
  Block *body;
  SmallVector<Value> variables;

  static std::optional<ParallelLoop> of(Operation *op) {
    ParallelLoop loop;
    loop.op = op;
    if (auto forall = dyn_cast<scf::ForallOp>(op)) {
      loop.lower = forall.getMixedLowerBound();
      loop.upper = forall.getMixedUpperBound();
      loop.step = forall.getMixedStep();
      loop.body = forall.getBody();
      loop.variables = llvm::to_vector(forall.getInductionVars());
      return loop;
    }
    if (auto parallel = dyn_cast<scf::ParallelOp>(op)) {
      loop.lower = getAsOpFoldResult(parallel.getLowerBound());
      loop.upper = getAsOpFoldResult(parallel.getUpperBound());
      loop.step = getAsOpFoldResult(parallel.getStep());
      loop.body = parallel.getBody();
      loop.variables = llvm::to_vector(parallel.getInductionVars());
      return loop;
    }
    return std::nullopt;
  }

  /// Iterations of dimension `d`.
  Value count(OpBuilder &b, unsigned d) const {
    Location loc = op->getLoc();
    AffineExpr from, to, by;
    bindSymbols(b.getContext(), from, to, by);
    OpFoldResult result = affine::makeComposedFoldedAffineApply(
        b, loc, (to - from).ceilDiv(by), {lower[d], upper[d], step[d]});
    Value count = getValueOrCreateConstantIndexOp(b, loc, result);
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    return b.createOrFold<arith::MaxSIOp>(loc, count, zero);
  }
};

/// Operations of one iteration, roughly; loops of unknown length count as
/// `unknown` rounds.
int64_t cost(Block &block) {
  constexpr int64_t unknown = 16, ceiling = int64_t(1) << 40;
  int64_t sum = 0;
  for (Operation &op : block) {
    int64_t rounds = 1;
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound()),
                             to = getConstantIntValue(loop.getUpperBound()),
                             by = getConstantIntValue(loop.getStep());
      rounds = from && to && by && *by > 0
                   ? std::max<int64_t>(0, (*to - *from + *by - 1) / *by)
                   : unknown;
    }
    int64_t inner = 1;
    // Transcendental functions take their time.
    if (op.getDialect()->getNamespace() == "math")
      inner = 10;
    if (auto copy = dyn_cast<memref::CopyOp>(op)) {
      auto type = cast<MemRefType>(copy.getSource().getType());
      inner = type.hasStaticShape() ? type.getNumElements() / 8 + 1 : 100;
    }
    for (Region &region : op.getRegions())
      for (Block &nested : region)
        inner += cost(nested);
    sum = std::min(ceiling, sum + std::min(ceiling, inner * rounds));
  }
  return sum;
}

struct OutlineKernels : ds::impl::OutlineKernelsBase<OutlineKernels> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    UniqueFunctions kernels(module, "kernel"), shares(module, "share");
    for (auto function :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      SmallVector<Operation *> loops;
      function.walk<WalkOrder::PreOrder>([&](Operation *op) {
        if (!isa<scf::ForallOp, scf::ParallelOp>(op))
          return WalkResult::advance();
        loops.push_back(op);
        return WalkResult::skip();
      });
      for (Operation *loop : loops) {
        if (loop->getNumResults() != 0) {
          loop->emitError() << "a parallel loop with results; bufferize first";
          return signalPassFailure();
        }
        outline(*ParallelLoop::of(loop), kernels, shares);
      }
    }
    // Nothing below knows it.
    if (auto marker = module.lookupSymbol(threadIndexName))
      if (SymbolTable::symbolKnownUseEmpty(marker, module))
        marker->erase();
  }

private:
  /// Replaces the loop by `call @share_i(0, 1, count, …)`.
  void outline(const ParallelLoop &loop, UniqueFunctions &kernels,
               UniqueFunctions &shares) {
    OpBuilder builder(loop.op);
    Location loc = loop.op->getLoc();
    Value total = arith::ConstantIndexOp::create(builder, loc, 1);
    SmallVector<Value> counts;
    for (unsigned d = 0; d < loop.variables.size(); ++d) {
      counts.push_back(loop.count(builder, d));
      total = builder.createOrFold<arith::MulIOp>(loc, total, counts.back());
    }

    // What the body reads from around it; constants are made anew inside.
    llvm::SetVector<Value> above;
    getUsedValuesDefinedAbove(loop.op->getRegions(), above);
    auto addBound = [&](OpFoldResult bound) {
      if (auto value = dyn_cast<Value>(bound))
        above.insert(value);
    };
    for (unsigned d = 0; d < loop.variables.size(); ++d) {
      addBound(loop.lower[d]);
      addBound(loop.step[d]);
      if (d > 0)
        above.insert(counts[d]);
    }
    SmallVector<Value> captured, constants;
    for (Value value : above)
      if (matchPattern(value, m_Constant()))
        constants.push_back(value);
      else
        captured.push_back(value);

    func::FuncOp kernel =
        kernels.unify(makeKernel(loop, counts, captured, constants));
    int64_t iterationCost = std::max<int64_t>(cost(*loop.body), 1);
    int64_t least =
        std::max<int64_t>(2, (worthwhile + iterationCost - 1) / iterationCost);
    func::FuncOp share = shares.unify(makeShare(kernel, least));
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0),
          one = arith::ConstantIndexOp::create(builder, loc, 1);
    SmallVector<Value> args{zero, one, total};
    args.append(captured);
    func::CallOp::create(builder, loc, share, args);
    loop.op->erase();
  }

  func::FuncOp makeKernel(const ParallelLoop &loop, ArrayRef<Value> counts,
                          ArrayRef<Value> captured, ArrayRef<Value> constants) {
    Location loc = loop.op->getLoc();
    OpBuilder builder(&getContext());
    Type index = builder.getIndexType();
    SmallVector<Type> types{index, index, index};
    for (Value value : captured)
      types.push_back(value.getType());
    auto body =
        func::FuncOp::create(loc, "kernel", builder.getFunctionType(types, {}));
    body.setPrivate();
    Block *entry = body.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    Value first = entry->getArgument(0), end = entry->getArgument(1),
          thread = entry->getArgument(2);
    IRMapping mapping;
    for (auto [i, value] : llvm::enumerate(captured))
      mapping.map(value, entry->getArgument(i + 3));
    for (Value value : constants)
      builder.clone(*value.getDefiningOp(), mapping);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    auto inside = [&](OpFoldResult bound) {
      if (auto value = dyn_cast<Value>(bound))
        return mapping.lookup(value);
      return getValueOrCreateConstantIndexOp(builder, loc, bound);
    };
    SmallVector<Value> lower, step;
    for (unsigned d = 0; d < loop.variables.size(); ++d) {
      lower.push_back(inside(loop.lower[d]));
      step.push_back(inside(loop.step[d]));
    }
    auto serial = scf::ForOp::create(builder, loc, first, end, one);
    builder.setInsertionPointToStart(serial.getBody());
    Value rest = serial.getInductionVar();
    for (unsigned d = loop.variables.size(); d-- > 0;) {
      Value at = rest;
      if (d > 0) {
        Value count = mapping.lookup(counts[d]);
        at = arith::RemUIOp::create(builder, loc, rest, count);
        rest = arith::DivUIOp::create(builder, loc, rest, count);
      }
      Value scaled = builder.createOrFold<arith::MulIOp>(loc, at, step[d]);
      mapping.map(loop.variables[d],
                  builder.createOrFold<arith::AddIOp>(loc, lower[d], scaled));
    }
    for (Operation &op : loop.body->without_terminator())
      builder.clone(op, mapping);
    builder.setInsertionPointToEnd(entry);
    func::ReturnOp::create(builder, loc);
    tidy(body, thread);
    neverInline(body);
    return body;
  }

  /// Inner parallel loops run in this thread; its buffers lie on its stack
  /// once, not once an iteration.
  void tidy(func::FuncOp body, Value thread) {
    SmallVector<Operation *> loops;
    body.walk([&](Operation *op) {
      if (isa<scf::ForallOp, scf::ParallelOp>(op))
        loops.push_back(op);
    });
    // Inner ones come first.
    for (Operation *op : loops)
      makeSerial(*ParallelLoop::of(op));
    Operation *first = &body.getBody().front().front();
    body.walk([&](memref::AllocaOp alloca) {
      if (alloca.getType().hasStaticShape() &&
          alloca->getParentOp() != body.getOperation())
        alloca->moveBefore(first);
    });
    body.walk([&](func::CallOp call) {
      if (call.getCallee() != threadIndexName)
        return;
      call.getResult(0).replaceAllUsesWith(thread);
      call.erase();
    });
  }

  static void makeSerial(const ParallelLoop &loop) {
    OpBuilder builder(loop.op);
    Location loc = loop.op->getLoc();
    for (unsigned d = 0; d < loop.variables.size(); ++d) {
      auto value = [&](OpFoldResult bound) {
        return getValueOrCreateConstantIndexOp(builder, loc, bound);
      };
      Value lower = value(loop.lower[d]), upper = value(loop.upper[d]),
            step = value(loop.step[d]);
      auto serial = scf::ForOp::create(builder, loc, lower, upper, step);
      Value variable = loop.variables[d];
      variable.replaceAllUsesWith(serial.getInductionVar());
      builder.setInsertionPointToStart(serial.getBody());
    }
    for (Operation &op :
         llvm::make_early_inc_range(loop.body->without_terminator()))
      op.moveBefore(builder.getBlock(), builder.getInsertionPoint());
    loop.op->erase();
  }

  /// `@share_i(member, members, count, …)`: part `member` of `members` equal
  /// ones; member 0 takes all where there is little to do.
  func::FuncOp makeShare(func::FuncOp kernel, int64_t least) {
    OpBuilder builder(&getContext());
    Location loc = kernel.getLoc();
    auto share = func::FuncOp::create(loc, "share", kernel.getFunctionType());
    share.setPrivate();
    share->setAttr(shareAttribute, builder.getI64IntegerAttr(least));
    neverInline(share);
    Block *entry = share.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    Value member = entry->getArgument(0), members = entry->getArgument(1),
          count = entry->getArgument(2);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0),
          one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value few = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::ult, count,
        arith::ConstantIndexOp::create(builder, loc, least));
    auto start = [&](Value part) -> Value {
      return arith::DivUIOp::create(
          builder, loc, arith::MulIOp::create(builder, loc, count, part),
          members);
    };
    Value isFirst = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::eq, member, zero);
    Value all = arith::SelectOp::create(builder, loc, isFirst, count, zero);
    Value next = arith::AddIOp::create(builder, loc, member, one);
    Value first =
        arith::SelectOp::create(builder, loc, few, zero, start(member));
    Value end = arith::SelectOp::create(builder, loc, few, all, start(next));
    SmallVector<Value> args{first, end, member};
    llvm::append_range(args, entry->getArguments().drop_front(3));
    func::CallOp::create(builder, loc, kernel, args);
    func::ReturnOp::create(builder, loc);
    return share;
  }

  /// One copy of each, however many layers call it.
  void neverInline(func::FuncOp function) {
    function->setAttr("passthrough",
                      Builder(&getContext()).getStrArrayAttr({"noinline"}));
  }
};

} // namespace
