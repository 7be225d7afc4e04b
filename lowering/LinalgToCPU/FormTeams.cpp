//===- FormTeams.cpp - one team of threads runs loop after loop -----------===//
//
// See Passes.td. Waking a team for each loop costs more than the barrier
// between two: at one token a product reads a megabyte, a few microseconds, and
// a thread that waits for the next loop in the team begins to read at once.
//
// What stands between the loops of a run is done by every member (what has no
// effect, what only reads) or by the first (what writes). Barriers stand only
// where one part could see another's writes, or overwrite what it reads.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/Passes.h"
#include "lowering/LinalgToCPU/UniqueFunctions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::ds {
#define GEN_PASS_DEF_FORMTEAMS
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// What can be reached through `value`: an argument, an allocation, a global;
/// null if it cannot be told. What a pointer in memory leads to counts as that
/// memory.
Value rootOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto view = dyn_cast<ViewLikeOpInterface>(op))
      value = view.getViewSource();
    else if (auto insert = dyn_cast<LLVM::InsertValueOp>(op))
      value = isa<LLVM::LLVMPointerType>(insert.getValue().getType())
                  ? insert.getValue()
                  : insert.getContainer();
    else if (auto address = dyn_cast<LLVM::GEPOp>(op))
      value = address.getBase();
    else if (auto load = dyn_cast<LLVM::LoadOp>(op))
      value = load.getAddr();
    else if (isa<UnrealizedConversionCastOp>(op) && op->getNumOperands() == 1)
      value = op->getOperand(0);
    else
      return isa<memref::AllocOp, memref::AllocaOp, memref::GetGlobalOp>(op)
                 ? value
                 : Value();
  }
  return cast<BlockArgument>(value).getOwner()->isEntryBlock() &&
                 isa<func::FuncOp>(value.getParentBlock()->getParentOp())
             ? value
             : Value();
}

/// Memory by its roots.
struct Roots {
  llvm::SmallPtrSet<Value, 8> known;
  bool anything = false;

  void add(Value value) {
    Value root = value ? rootOf(value) : Value();
    if (root)
      known.insert(root);
    else
      anything = true;
  }
  /// What `op` itself writes, apart from operations inside.
  void addWrites(Operation &op) {
    if (auto effects = dyn_cast<MemoryEffectOpInterface>(op)) {
      SmallVector<MemoryEffects::EffectInstance> writes;
      effects.getEffects<MemoryEffects::Write>(writes);
      for (const MemoryEffects::EffectInstance &effect : writes)
        add(effect.getValue());
    } else if (!op.hasTrait<OpTrait::HasRecursiveMemoryEffects>() &&
               !op.hasTrait<OpTrait::IsTerminator>()) {
      anything = true;
    }
  }
  bool mayHold(Value value) const {
    Value root = value ? rootOf(value) : Value();
    return anything || !root || known.contains(root);
  }
};

/// What an operation means to a team, asked once for each.
enum class Part {
  loop,    // a call of a share: every member does its part
  free,    // no effect on memory: every member does it
  reads,   // every member reads the same
  writes,  // the first member does it
  outside, // allocates, calls, or has results that the others would miss
};

struct Piece {
  Operation *op;
  Part part;
  /// Of a loop.
  func::FuncOp share;

  static Piece of(Operation &op) {
    if (auto call = dyn_cast<func::CallOp>(op)) {
      auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
          call, call.getCalleeAttr());
      if (function->hasAttr(shareAttribute))
        return {&op, Part::loop, function};
    }
    return {&op, partByEffects(op), {}};
  }

private:
  static Part partByEffects(Operation &op) {
    if (isMemoryEffectFree(&op))
      return Part::free;
    std::optional<SmallVector<MemoryEffects::EffectInstance>> effects =
        getEffectsRecursively(&op);
    if (!effects)
      return Part::outside;
    bool writes = false;
    for (const MemoryEffects::EffectInstance &effect : *effects) {
      if (isa<MemoryEffects::Allocate, MemoryEffects::Free>(effect.getEffect()))
        return Part::outside;
      writes |= isa<MemoryEffects::Write>(effect.getEffect());
    }
    if (!writes)
      return Part::reads;
    return op.use_empty() ? Part::writes : Part::outside;
  }
};

/// A run of operations of one block, from a loop to a loop, that a team can do.
class Run {
public:
  explicit Run(ArrayRef<Piece> pieces) : pieces(pieces) {
    for (const Piece &piece : pieces) {
      members.insert(piece.op);
      if (dependsOnReads(piece))
        tied.insert(piece.op);
    }
  }

  /// The first operation whose result is only known inside, and wanted outside.
  std::optional<size_t> firstLeak() const {
    for (auto [i, piece] : llvm::enumerate(pieces))
      if (tied.contains(piece.op))
        for (Operation *user : piece.op->getUsers())
          if (!members.contains(
                  piece.op->getBlock()->findAncestorOpInBlock(*user)))
            return i;
    return std::nullopt;
  }

  /// What every member knows by itself: what else stands there is erased once
  /// the team is formed.
  bool isCommon(const Piece &piece) const {
    return piece.part == Part::free && !tied.contains(piece.op);
  }

  ArrayRef<Piece> pieces;
  llvm::SmallPtrSet<Operation *, 16> members;
  /// Those that read, and what follows from what they read.
  llvm::SmallPtrSet<Operation *, 16> tied;

private:
  bool dependsOnReads(const Piece &piece) const {
    if (piece.part != Part::free)
      return piece.part == Part::reads;
    Operation *op = piece.op;
    auto isTied = [&](Value value) {
      return tied.contains(value.getDefiningOp());
    };
    llvm::SetVector<Value> above;
    getUsedValuesDefinedAbove(op->getRegions(), above);
    return llvm::any_of(op->getOperands(), isTied) ||
           llvm::any_of(above, isTied);
  }
};

/// Writes what one member does: the operations of a run, with barriers. Whether
/// there is something to wait for is known when the team runs: a loop too small
/// to be shared is the first member's. All members know the same.
class MemberBody {
public:
  MemberBody(OpBuilder &builder, Location loc, Value member, Value members,
             IRMapping &mapping, const Roots &written)
      : b(builder), member(member), members(members), mapping(mapping),
        written(written) {
    // A team of one waits for nobody; the barrier of OpenMP would bind to a
    // team of the caller.
    several = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ugt, members,
                                    arith::ConstantIndexOp::create(b, loc, 1));
  }

  void add(const Piece &piece) {
    Operation &op = *piece.op;
    Location loc = op.getLoc();
    switch (piece.part) {
    case Part::free:
      b.clone(op, mapping);
      return;
    case Part::reads:
      if (readsWritten(op)) {
        barrierIf(loc, either(loc, sharedWrites, firstWrites));
        sharedWrites = firstWrites = {};
        reads = several;
      }
      b.clone(op, mapping);
      return;
    case Part::writes: {
      barrierIf(loc, either(loc, sharedWrites, reads));
      sharedWrites = reads = {};
      firstWrites = several;
      Value isFirst =
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, member,
                                arith::ConstantIndexOp::create(b, loc, 0));
      auto only = scf::IfOp::create(b, loc, isFirst, /*withElseRegion=*/false);
      only.getThenBodyBuilder().clone(op, mapping);
      return;
    }
    case Part::loop: {
      SmallVector<Value> args{member, members};
      for (Value operand : llvm::drop_begin(op.getOperands(), 2))
        args.push_back(mapping.lookup(operand));
      func::FuncOp share = piece.share;
      Value enough = arith::CmpIOp::create(
          b, loc, arith::CmpIPredicate::uge, args[2],
          arith::ConstantIndexOp::create(
              b, loc,
              share->getAttrOfType<IntegerAttr>(shareAttribute).getInt()));
      Value isShared = both(loc, several, enough);
      Value need = either(loc, sharedWrites, reads);
      if (firstWrites)
        need = either(loc, need, both(loc, firstWrites, isShared));
      barrierIf(loc, need);
      func::CallOp::create(b, loc, share, args);
      sharedWrites = isShared;
      firstWrites = arith::XOrIOp::create(b, loc, several, isShared);
      reads = {};
      return;
    }
    case Part::outside:
      llvm_unreachable("ends a run");
    }
  }

private:
  bool readsWritten(Operation &op) const {
    return llvm::any_of(*getEffectsRecursively(&op), [&](const auto &effect) {
      return written.mayHold(effect.getValue());
    });
  }

  Value both(Location loc, Value x, Value y) {
    return b.createOrFold<arith::AndIOp>(loc, x, y);
  }
  /// Null is false.
  Value either(Location loc, Value x, Value y) {
    return x && y ? b.createOrFold<arith::OrIOp>(loc, x, y) : x ? x : y;
  }
  void barrierIf(Location loc, Value condition) {
    if (!condition)
      return;
    auto wait = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
    OpBuilder inner = wait.getThenBodyBuilder();
    omp::BarrierOp::create(inner, loc);
  }

  OpBuilder &b;
  Value member, members, several;
  IRMapping &mapping;
  const Roots &written;
  /// Whether there were, since the last barrier, parts of loops, writes of the
  /// first member, reads by all of what is written in the run. Null: no.
  Value sharedWrites, firstWrites, reads;
};

struct FormTeams : ds::impl::FormTeamsBase<FormTeams> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    UniqueFunctions bodies(module, "member"), teams(module, "team");
    for (auto function :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      Value threads = takeThreads(function);
      if (!threads)
        continue;
      SmallVector<Block *> blocks;
      function.walk([&](Block *block) { blocks.push_back(block); });
      for (Block *block : blocks)
        formTeams(*block, threads, bodies, teams);
    }
    for (auto function : module.getOps<func::FuncOp>())
      function->removeAttr(shareAttribute);
  }

private:
  /// The argument that says how many; nothing below knows the attribute.
  static Value takeThreads(func::FuncOp function) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (function.removeArgAttr(i, threadsAttribute))
        return function.getArgument(i);
    return {};
  }

  void formTeams(Block &block, Value threads, UniqueFunctions &bodies,
                 UniqueFunctions &teams) {
    SmallVector<Piece> pieces;
    SmallVector<SmallVector<Piece>> runs;
    auto end = [&] {
      if (!pieces.empty())
        runs.push_back(std::move(pieces));
      pieces.clear();
    };
    for (Operation &op : block.without_terminator()) {
      Piece piece = Piece::of(op);
      if (piece.part == Part::outside)
        end();
      else if (piece.part == Part::loop || !pieces.empty())
        pieces.push_back(piece);
    }
    end();
    for (ArrayRef<Piece> run : runs)
      divide(run, threads, bodies, teams);
  }

  /// Makes teams of the longest runs that need no result of each other.
  void divide(ArrayRef<Piece> pieces, Value threads, UniqueFunctions &bodies,
              UniqueFunctions &teams) {
    while (true) {
      while (!pieces.empty() && pieces.front().part != Part::loop)
        pieces = pieces.drop_front();
      while (!pieces.empty() && pieces.back().part != Part::loop)
        pieces = pieces.drop_back();
      if (pieces.empty())
        return;
      Run run(pieces);
      std::optional<size_t> leak = run.firstLeak();
      if (!leak)
        return form(run, threads, bodies, teams);
      divide(pieces.take_front(*leak), threads, bodies, teams);
      pieces = pieces.drop_front(*leak + 1);
    }
  }

  void form(const Run &run, Value threads, UniqueFunctions &bodies,
            UniqueFunctions &teams) {
    // What everyone can know stands before the team, for those behind it.
    Operation *first = run.pieces.front().op;
    for (const Piece &piece : run.pieces)
      if (run.isCommon(piece))
        piece.op->moveBefore(first);
    OpBuilder builder(first);
    Location loc = first->getLoc();
    Value wanted = wantedThreads(builder, run, threads);

    llvm::SetVector<Value> used;
    for (const Piece &piece : run.pieces) {
      auto operands = piece.op->getOperands();
      // A share's first two are the member's own.
      if (piece.share)
        operands = operands.drop_front(2);
      used.insert_range(operands);
      getUsedValuesDefinedAbove(piece.op->getRegions(), used);
    }
    SmallVector<Value> captured, constants;
    for (Value value : used) {
      if (run.members.contains(value.getDefiningOp()))
        continue;
      // Inside an operation of the run.
      if (value.getParentBlock() != first->getBlock() &&
          run.members.contains(first->getBlock()->findAncestorOpInBlock(
              *value.getParentBlock()->getParentOp())))
        continue;
      if (matchPattern(value, m_Constant()))
        constants.push_back(value);
      else
        captured.push_back(value);
    }

    func::FuncOp body = bodies.unify(makeMember(run, captured, constants));
    func::FuncOp team = teams.unify(makeTeam(body));
    SmallVector<Value> args{wanted};
    args.append(captured);
    func::CallOp::create(builder, loc, team, args);
    for (const Piece &piece : llvm::reverse(run.pieces))
      if (!run.isCommon(piece))
        piece.op->erase();
  }

  /// No more threads than the longest loop has work for.
  static Value wantedThreads(OpBuilder &builder, const Run &run,
                             Value threads) {
    Location loc = run.pieces.front().op->getLoc();
    llvm::SetVector<std::pair<Value, int64_t>> loops;
    for (const Piece &piece : run.pieces)
      if (func::FuncOp share = piece.share) {
        Value count = piece.op->getOperand(2);
        // Known only inside.
        if (run.tied.contains(count.getDefiningOp()))
          return threads;
        loops.insert(
            {count,
             share->getAttrOfType<IntegerAttr>(shareAttribute).getInt()});
      }
    Value most = arith::ConstantIndexOp::create(builder, loc, 1);
    for (auto [count, least] : loops) {
      Value enough = builder.createOrFold<arith::CmpIOp>(
          loc, arith::CmpIPredicate::uge, count,
          arith::ConstantIndexOp::create(builder, loc, least));
      Value busy = arith::SelectOp::create(builder, loc, enough, count, most);
      most = arith::MaxUIOp::create(builder, loc, most, busy);
    }
    Type i64 = builder.getI64Type();
    Value most64 = arith::IndexCastOp::create(builder, loc, i64, most),
          threads64 = arith::ExtSIOp::create(builder, loc, i64, threads);
    return arith::TruncIOp::create(
        builder, loc, threads.getType(),
        arith::MinSIOp::create(builder, loc, most64, threads64));
  }

  /// `@member_i(member, members, …)`.
  func::FuncOp makeMember(const Run &run, ArrayRef<Value> captured,
                          ArrayRef<Value> constants) {
    Location loc = run.pieces.front().op->getLoc();
    OpBuilder builder(&getContext());
    Type index = builder.getIndexType();
    SmallVector<Type> types{index, index};
    for (Value value : captured)
      types.push_back(value.getType());
    auto function =
        func::FuncOp::create(loc, "member", builder.getFunctionType(types, {}));
    function.setPrivate();
    Block *entry = function.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    IRMapping mapping;
    mapping.map(captured, entry->getArguments().drop_front(2));
    for (Value value : constants)
      builder.clone(*value.getDefiningOp(), mapping);

    Roots written;
    for (const Piece &piece : run.pieces)
      addWritten(*piece.op, written);
    MemberBody body(builder, loc, entry->getArgument(0), entry->getArgument(1),
                    mapping, written);
    for (const Piece &piece : run.pieces)
      body.add(piece);
    func::ReturnOp::create(builder, loc);
    return function;
  }

  /// What an operation and those inside write; functions write through their
  /// arguments only.
  void addWritten(Operation &op, Roots &written) {
    op.walk([&](Operation *inner) {
      auto call = dyn_cast<func::CallOp>(inner);
      if (!call)
        return written.addWrites(*inner);
      auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
          call, call.getCalleeAttr());
      llvm::BitVector arguments = writtenArguments(function);
      for (unsigned i : arguments.set_bits())
        written.add(call.getOperand(i));
    });
  }

  /// The arguments through which a function writes.
  llvm::BitVector writtenArguments(func::FuncOp function) {
    if (auto found = writtenBy.find(function); found != writtenBy.end())
      return found->second;
    Roots roots;
    roots.anything = function.isDeclaration();
    for (Block &block : function.getBody())
      for (Operation &op : block)
        addWritten(op, roots);
    llvm::BitVector result(function.getNumArguments());
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
      if (isa<BaseMemRefType, LLVM::LLVMPointerType>(type) &&
          (roots.anything || roots.known.contains(function.getArgument(i))))
        result.set(i);
    return writtenBy[function] = result;
  }

  /// `@team_i(threads, …)`: members 0 to threads - 1, fewer if OpenMP gives
  /// fewer.
  func::FuncOp makeTeam(func::FuncOp body) {
    OpBuilder builder(&getContext());
    Location loc = body.getLoc();
    Type i32 = builder.getI32Type(), index = builder.getIndexType();
    SmallVector<Type> types{i32};
    llvm::append_range(types, body.getArgumentTypes().drop_front(2));
    auto team =
        func::FuncOp::create(loc, "team", builder.getFunctionType(types, {}));
    team.setPrivate();
    Block *entry = team.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    Value threads = entry->getArgument(0);
    ValueRange rest = entry->getArguments().drop_front(1);
    auto call = [&](OpBuilder &b, Value member, Value members) {
      SmallVector<Value> args{member, members};
      llvm::append_range(args, rest);
      func::CallOp::create(b, loc, body, args);
    };
    Value alone = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::sle, threads,
        arith::ConstantIntOp::create(builder, loc, i32, 1));
    auto choice =
        scf::IfOp::create(builder, loc, alone, /*withElseRegion=*/true);
    func::ReturnOp::create(builder, loc);
    OpBuilder one = choice.getThenBodyBuilder();
    call(one, arith::ConstantIndexOp::create(one, loc, 0),
         arith::ConstantIndexOp::create(one, loc, 1));
    OpBuilder many = choice.getElseBodyBuilder();
    omp::ParallelOperands clauses;
    clauses.numThreads = threads;
    auto parallel = omp::ParallelOp::create(many, loc, clauses);
    many.createBlock(&parallel.getRegion());
    auto query = [&](StringRef name) -> Value {
      Value x =
          LLVM::CallOp::create(many, loc, i32, declare(name), ValueRange())
              .getResult();
      return arith::IndexCastOp::create(many, loc, index, x);
    };
    Value me = query("omp_get_thread_num"), all = query("omp_get_num_threads");
    call(many, me, all);
    omp::TerminatorOp::create(many, loc);
    return team;
  }

  StringRef declare(StringRef name) {
    ModuleOp module = getOperation();
    if (!module.lookupSymbol(name)) {
      OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
      LLVM::LLVMFuncOp::create(
          builder, module.getLoc(), name,
          LLVM::LLVMFunctionType::get(builder.getI32Type(), {}));
    }
    return name;
  }

  llvm::DenseMap<func::FuncOp, llvm::BitVector> writtenBy;
};

} // namespace
