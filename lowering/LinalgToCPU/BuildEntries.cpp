//===- BuildEntries.cpp - functions of model_abi.h around @graph, @step ---===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/EntryMemory.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "runtime/include/ds/model_abi.h"
#include <cstddef>

namespace mlir::ds {
#define GEN_PASS_DEF_BUILDENTRIES
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;
using P = arith::CmpIPredicate;

static MemRefType bufferOf(RankedTensorType type) {
  return MemRefType::get(type.getShape(), type.getElementType());
}

static DsType typeCode(Type type, StringRef unsignedName) {
  if (!unsignedName.empty())
    return llvm::StringSwitch<DsType>(unsignedName)
        .Case("ui4", DS_TYPE_U4)
        .Case("ui8", DS_TYPE_U8)
        .Case("ui16", DS_TYPE_U16)
        .Case("ui32", DS_TYPE_U32)
        .Default(DS_TYPE_U64);
  if (type.isF32())
    return DS_TYPE_F32;
  if (type.isF64())
    return DS_TYPE_F64;
  if (type.isF16())
    return DS_TYPE_F16;
  if (type.isBF16())
    return DS_TYPE_BF16;
  if (isa<Float8E4M3FNType>(type))
    return DS_TYPE_F8_E4M3;
  if (isa<Float8E5M2Type>(type))
    return DS_TYPE_F8_E5M2;
  switch (type.getIntOrFloatBitWidth()) {
  case 1:
    return DS_TYPE_BOOL;
  case 4:
    return DS_TYPE_I4;
  case 8:
    return DS_TYPE_I8;
  case 16:
    return DS_TYPE_I16;
  case 32:
    return DS_TYPE_I32;
  default:
    return DS_TYPE_I64;
  }
}

namespace {

struct BuildEntries : ds::impl::BuildEntriesBase<BuildEntries> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (llvm::none_of(module.getOps<func::FuncOp>(), [](func::FuncOp function) {
          return function->hasAttr("ds.entry");
        }))
      return;
    numberParameters(module);
    defineReport(module);
    for (auto function :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      auto entry = function->getAttrOfType<StringAttr>("ds.entry");
      if (!entry)
        continue;
      addCallArguments(function);
      if (entry.getValue() == "step")
        buildStep(module, function);
      else
        buildGraph(module, function);
    }
    // Nothing reads them any more; the descriptor has them.
    for (auto parameter :
         llvm::make_early_inc_range(module.getOps<ParameterOp>()))
      parameter.erase();
  }

private:
  Type pointerType() { return LLVM::LLVMPointerType::get(&getContext()); }

  /// Parameters in the order of the caller's array.
  void numberParameters(ModuleOp module) {
    Builder builder(&getContext());
    int64_t next = 0;
    for (auto parameter : module.getOps<ParameterOp>())
      parameter->setAttr("ds.index", builder.getI64IntegerAttr(next++));
  }

  /// `@ds_report_index(status)` stores into the status of the call; several
  /// threads may do so at once.
  void defineReport(ModuleOp module) {
    auto report = module.lookupSymbol<func::FuncOp>("ds_report_index");
    if (!report)
      return;
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    Location loc = module.getLoc();
    report.setFunctionType(builder.getFunctionType({pointerType()}, {}));
    Block *block = report.addEntryBlock();
    builder.setInsertionPointToStart(block);
    EntryMemory memory{builder, loc};
    auto store =
        LLVM::StoreOp::create(builder, loc, memory.i32(DS_STATUS_INDEX),
                              block->getArgument(0), /*alignment=*/4);
    store.setOrdering(LLVM::AtomicOrdering::monotonic);
    func::ReturnOp::create(builder, loc);
  }

  /// What every function gets of its call behind its own arguments: the
  /// parameters, where to store the status, and the number of threads.
  static constexpr unsigned callArguments = 3;

  void addCallArguments(func::FuncOp function) {
    Builder builder(&getContext());
    Location loc = function.getLoc();
    auto add = [&](Type type, StringRef attribute) -> Value {
      unsigned position = function.getNumArguments();
      NamedAttrList attributes;
      if (!attribute.empty())
        attributes.set(attribute, builder.getUnitAttr());
      (void)function.insertArgument(
          position, type, attributes.getDictionary(&getContext()), loc);
      return function.getArgument(position);
    };
    lowerParameters(function, add(pointerType(), ""));
    Value status = add(pointerType(), "");
    add(builder.getI32Type(), threadsAttribute);
    function.walk([&](func::CallOp call) {
      if (call.getCallee() == "ds_report_index")
        call.getOperandsMutable().assign(status);
    });
  }

  void lowerParameters(func::FuncOp function, Value parameters) {
    SymbolTable symbols(function->getParentOfType<ModuleOp>());
    function.walk([&](LoadParameterOp load) {
      auto parameter = symbols.lookup<ParameterOp>(load.getParameter());
      int64_t at = parameter->getAttrOfType<IntegerAttr>("ds.index").getInt();
      OpBuilder builder(load);
      EntryMemory memory{builder, load.getLoc()};
      auto type = cast<RankedTensorType>(load.getType());
      SmallVector<Value> sizes;
      for (int64_t size : type.getShape())
        sizes.push_back(memory.i64(size));
      Value pointer = memory.loadPointer(parameters, at * sizeof(void *));
      Value buffer = memory.memref(pointer, sizes, bufferOf(type));
      Value tensor = bufferization::ToTensorOp::create(
          builder, load.getLoc(), type, buffer, /*restrict=*/true);
      load.replaceAllUsesWith(tensor);
      load.erase();
    });
  }

  /// Memory of the entry itself for the status of one call.
  Value newStatus(EntryMemory &m) {
    Value status = LLVM::AllocaOp::create(m.b, m.loc, pointerType(),
                                          m.b.getI32Type(), m.i64(1));
    m.store(m.i32(DS_STATUS_OK), status, 0);
    return status;
  }

  /// As many threads as `wanted` says, as many as there are processors where
  /// it is 0.
  Value threadCount(EntryMemory &m, ModuleOp module, Value wanted) {
    constexpr StringRef name = "omp_get_num_procs";
    if (!module.lookupSymbol(name)) {
      OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
      LLVM::LLVMFuncOp::create(
          builder, module.getLoc(), name,
          LLVM::LLVMFunctionType::get(builder.getI32Type(), {}));
    }
    auto all =
        LLVM::CallOp::create(m.b, m.loc, m.b.getI32Type(), name, ValueRange());
    Value given = arith::CmpIOp::create(m.b, m.loc, P::sgt, wanted, m.i32(0));
    return arith::SelectOp::create(m.b, m.loc, given, wanted, all.getResult());
  }

  /// Tensor arguments become buffers; `writable` says which may be written.
  void bufferArguments(func::FuncOp function,
                       llvm::function_ref<bool(unsigned)> writable) {
    OpBuilder builder(&function.getBody().front(),
                      function.getBody().front().begin());
    for (BlockArgument argument : function.getArguments()) {
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      if (!type)
        continue;
      argument.setType(bufferOf(type));
      auto tensor = bufferization::ToTensorOp::create(
          builder, argument.getLoc(), type, argument, /*restrict=*/true,
          writable(argument.getArgNumber()));
      argument.replaceAllUsesExcept(tensor, tensor);
    }
  }

  void updateType(func::FuncOp function, TypeRange results) {
    function.setFunctionType(FunctionType::get(
        &getContext(), function.getBody().front().getArgumentTypes(), results));
  }

  func::FuncOp makeEntry(ModuleOp module, StringRef name, OpBuilder &builder,
                         FunctionType type = {}) {
    builder.setInsertionPointToEnd(module.getBody());
    if (!type)
      type = builder.getFunctionType({pointerType()}, {builder.getI32Type()});
    auto entry = func::FuncOp::create(builder, module.getLoc(), name, type);
    builder.setInsertionPointToStart(entry.addEntryBlock());
    return entry;
  }

  /// `status` unless it is still OK and `isFine` does not hold.
  Value require(EntryMemory &m, Value status, Value isFine,
                DsStatus otherwise) {
    Value fine =
        arith::CmpIOp::create(m.b, m.loc, P::eq, status, m.i32(DS_STATUS_OK));
    Value code = arith::SelectOp::create(m.b, m.loc, isFine,
                                         m.i32(DS_STATUS_OK), m.i32(otherwise));
    return arith::SelectOp::create(m.b, m.loc, fine, code, status);
  }

  /// Runs `body` where `status` is OK; returns its status or the old one.
  Value ifFine(EntryMemory &m, Value status,
               llvm::function_ref<Value(EntryMemory &)> body) {
    Value fine =
        arith::CmpIOp::create(m.b, m.loc, P::eq, status, m.i32(DS_STATUS_OK));
    auto branch = scf::IfOp::create(m.b, m.loc, TypeRange{m.b.getI32Type()},
                                    fine, /*withElseRegion=*/true);
    {
      OpBuilder inner = branch.getThenBodyBuilder();
      EntryMemory nested{inner, m.loc};
      Value result = body(nested);
      scf::YieldOp::create(inner, m.loc, result);
    }
    {
      OpBuilder inner = branch.getElseBodyBuilder();
      scf::YieldOp::create(inner, m.loc, status);
    }
    return branch.getResult(0);
  }

  /// AND of `body(i)` over [0, count).
  Value all(EntryMemory &m, Value count,
            llvm::function_ref<Value(EntryMemory &, Value i)> body) {
    Value zero = arith::ConstantIndexOp::create(m.b, m.loc, 0),
          one = arith::ConstantIndexOp::create(m.b, m.loc, 1);
    Value yes = arith::ConstantOp::create(m.b, m.loc, m.b.getBoolAttr(true));
    auto loop = scf::ForOp::create(
        m.b, m.loc, zero, m.toIndex(count), one, ValueRange{yes},
        [&](OpBuilder &inner, Location loc, Value i, ValueRange carried) {
          EntryMemory nested{inner, loc};
          Value holds = body(nested, nested.toI64(i));
          scf::YieldOp::create(
              inner, loc,
              arith::AndIOp::create(inner, loc, carried[0], holds).getResult());
        });
    return loop.getResult(0);
  }

  static Value inRange(EntryMemory &m, Value x, Value end) {
    return arith::CmpIOp::create(m.b, m.loc, P::ult, x, end);
  }

  void buildStep(ModuleOp module, func::FuncOp step) {
    OpBuilder builder(&getContext());
    constexpr unsigned firstCache = 5;
    unsigned caches = step.getNumArguments() - callArguments - firstCache;
    auto logitsType = cast<RankedTensorType>(step.getResultTypes()[0]),
         hiddenType = cast<RankedTensorType>(step.getResultTypes()[1]);

    // Results are written where the caller says: two more arguments. The last
    // is memory for everything between; ds-plan-workspace uses it.
    unsigned outputs = step.getNumArguments();
    (void)step.insertArgument(outputs, logitsType, {}, step.getLoc());
    (void)step.insertArgument(outputs + 1, hiddenType, {}, step.getLoc());
    (void)step.insertArgument(
        outputs + 2,
        MemRefType::get({ShapedType::kDynamic}, builder.getI8Type()),
        builder.getDictionaryAttr(
            builder.getNamedAttr(workspaceAttribute, builder.getUnitAttr())),
        step.getLoc());
    stateSizes(step, firstCache, caches, outputs);
    bufferArguments(step, [&](unsigned i) {
      return i >= firstCache && i < firstCache + caches;
    });
    auto returnOp =
        cast<func::ReturnOp>(step.getBody().front().getTerminator());
    builder.setInsertionPoint(returnOp);
    for (auto [i, result] : llvm::enumerate(returnOp.getOperands())) {
      Value buffer = step.getArgument(i < 2 ? outputs + i : firstCache + i - 2);
      auto copy = bufferization::MaterializeInDestinationOp::create(
          builder, returnOp.getLoc(), result, buffer);
      copy.setRestrict(true);
      copy.setWritable(true);
    }
    builder.setInsertionPoint(returnOp);
    func::ReturnOp::create(builder, returnOp.getLoc());
    returnOp.erase();
    removeResults(step);
    updateType(step, {});
    step.setPrivate();
    step->removeAttr("ds.entry");

    int64_t hiddenWidth = hiddenType.getDimSize(1);
    buildWorkspaceBytes(module, builder, hiddenWidth);
    auto entry = makeEntry(module, stepEntryName, builder);
    Value call = entry.getArgument(0);
    EntryMemory m{builder, module.getLoc()};
    auto number = [&](size_t offset) { return m.loadI64(call, offset); };
    auto pointer = [&](size_t offset) { return m.loadPointer(call, offset); };
    Value tokenCount = number(offsetof(DsStepCall, token_count)),
          sequences = number(offsetof(DsStepCall, sequence_count)),
          logitRows = number(offsetof(DsStepCall, logit_row_count)),
          slots = number(offsetof(DsStepCall, cache_slots)),
          length = number(offsetof(DsStepCall, cache_length));
    Value tokens = pointer(offsetof(DsStepCall, tokens)),
          rowStart = pointer(offsetof(DsStepCall, row_start)),
          past = pointer(offsetof(DsStepCall, past_length)),
          slot = pointer(offsetof(DsStepCall, cache_slot)),
          rows = pointer(offsetof(DsStepCall, logit_rows));
    Value stepStatus = newStatus(m);
    Value threads =
        threadCount(m, module, m.loadI32(call, offsetof(DsStepCall, threads)));

    auto positive = [&](Value x) -> Value {
      return arith::CmpIOp::create(builder, m.loc, P::sgt, x, m.i64(0));
    };
    Value status = m.i32(DS_STATUS_OK);
    for (Value count : {tokenCount, sequences, slots, length})
      status = require(m, status, positive(count), DS_STATUS_SHAPE);
    status = require(
        m, status,
        arith::CmpIOp::create(builder, m.loc, P::sge, logitRows, m.i64(0)),
        DS_STATUS_SHAPE);
    status = ifFine(m, status, [&](EntryMemory &n) {
      return checkStep(n, tokenCount, sequences, logitRows, slots, length,
                       tokens, rowStart, past, slot, rows,
                       logitsType.getDimSize(1));
    });
    status = ifFine(m, status, [&](EntryMemory &n) {
      auto least = func::CallOp::create(
          n.b, n.loc, stepWorkspaceName, n.b.getI64Type(),
          ValueRange{tokenCount, sequences, logitRows, length, threads});
      Value given = n.loadI64(call, offsetof(DsStepCall, workspace_bytes));
      Value fits =
          arith::CmpIOp::create(n.b, n.loc, P::uge, given, least.getResult(0));
      return require(n, n.i32(DS_STATUS_OK), fits, DS_STATUS_WORKSPACE);
    });
    status = ifFine(m, status, [&](EntryMemory &n) {
      auto vector = [&](Value data, Value count) {
        return n.memref(
            data, count,
            MemRefType::get({ShapedType::kDynamic}, n.b.getI32Type()));
      };
      Value ends = arith::AddIOp::create(n.b, n.loc, sequences, n.i64(1));
      SmallVector<Value> args{vector(tokens, tokenCount),
                              vector(rowStart, ends), vector(past, sequences),
                              vector(slot, sequences), vector(rows, logitRows)};
      Value cacheArray = n.loadPointer(call, offsetof(DsStepCall, caches));
      for (unsigned i = 0; i < caches; ++i) {
        auto type =
            cast<MemRefType>(step.getArgument(firstCache + i).getType());
        Value data = n.loadPointer(cacheArray, i * sizeof(void *));
        args.push_back(n.memref(data,
                                {slots, n.i64(type.getDimSize(1)), length,
                                 n.i64(type.getDimSize(3))},
                                type));
      }
      args.push_back(n.loadPointer(call, offsetof(DsStepCall, parameters)));
      args.push_back(stepStatus);
      args.push_back(threads);
      args.push_back(n.memref(n.loadPointer(call, offsetof(DsStepCall, logits)),
                              {logitRows, n.i64(logitsType.getDimSize(1))},
                              bufferOf(logitsType)));
      // Where nobody wants the hidden rows, the head of the workspace takes
      // them.
      Value workspace = n.loadPointer(call, offsetof(DsStepCall, workspace)),
            hidden = n.loadPointer(call, offsetof(DsStepCall, hidden));
      Value none =
          LLVM::ICmpOp::create(n.b, n.loc, LLVM::ICmpPredicate::eq, hidden,
                               LLVM::ZeroOp::create(n.b, n.loc, pointerType()));
      hidden = arith::SelectOp::create(n.b, n.loc, none, workspace, hidden);
      args.push_back(n.memref(hidden, {tokenCount, n.i64(hiddenWidth)},
                              bufferOf(hiddenType)));
      Value head = hiddenBytes(n, tokenCount, hiddenWidth);
      Value rest = arith::SubIOp::create(
          n.b, n.loc, n.loadI64(call, offsetof(DsStepCall, workspace_bytes)),
          head);
      args.push_back(
          n.memref(n.at(workspace, head), rest,
                   cast<MemRefType>(step.getArguments().back().getType())));
      func::CallOp::create(n.b, n.loc, step, args);
      return n.loadI32(stepStatus, 0);
    });
    func::ReturnOp::create(builder, m.loc, status);
  }

  /// Says of every argument of @step which size of the call each of its
  /// dimensions has: maps from (tokens, sequences, logit rows, cache length).
  void stateSizes(func::FuncOp step, unsigned firstCache, unsigned caches,
                  unsigned outputs) {
    Builder b(&getContext());
    AffineExpr tokens = b.getAffineDimExpr(0),
               sequences = b.getAffineDimExpr(1), rows = b.getAffineDimExpr(2),
               length = b.getAffineDimExpr(3);
    auto state = [&](unsigned argument, unsigned dimension, AffineExpr size) {
      auto type = cast<RankedTensorType>(step.getArgumentTypes()[argument]);
      SmallVector<AffineExpr> all;
      for (int64_t d = 0; d < type.getRank(); ++d)
        all.push_back(d == dimension ? size
                      : type.isDynamicDim(d)
                          ? b.getAffineConstantExpr(-1) // slots: no buffer has
                          : b.getAffineConstantExpr(type.getDimSize(d)));
      step.setArgAttr(
          argument, sizesAttribute,
          AffineMapAttr::get(AffineMap::get(4, 0, all, &getContext())));
    };
    state(0, 0, tokens);
    state(1, 0, sequences + 1);
    state(2, 0, sequences);
    state(3, 0, sequences);
    state(4, 0, rows);
    for (unsigned i = 0; i < caches; ++i)
      state(firstCache + i, 2, length);
    state(outputs, 0, rows);
    state(outputs + 1, 0, tokens);
  }

  /// Bytes of hidden rows, in whole cache lines.
  Value hiddenBytes(EntryMemory &m, Value tokens, int64_t width) {
    Value bytes = arith::MulIOp::create(m.b, m.loc, tokens, m.i64(width * 4));
    Value up = arith::AddIOp::create(m.b, m.loc, bytes, m.i64(63));
    return arith::AndIOp::create(m.b, m.loc, up, m.i64(~int64_t(63)));
  }

  /// DsVariant.workspace_bytes: hidden rows, and what ds-plan-workspace says.
  void buildWorkspaceBytes(ModuleOp module, OpBuilder &builder,
                           int64_t hiddenWidth) {
    Type i64 = builder.getI64Type(), i32 = builder.getI32Type();
    builder.setInsertionPointToEnd(module.getBody());
    auto planned = func::FuncOp::create(
        builder, module.getLoc(), plannedBytesName,
        builder.getFunctionType({i64, i64, i64, i64, i64}, {i64}));
    planned.setPrivate();
    auto function =
        makeEntry(module, stepWorkspaceName, builder,
                  builder.getFunctionType({i64, i64, i64, i64, i32}, {i64}));
    EntryMemory m{builder, module.getLoc()};
    SmallVector<Value> sizes(function.getArguments().drop_back());
    Value threads = threadCount(m, module, function.getArgument(4));
    sizes.push_back(arith::ExtSIOp::create(builder, m.loc, i64, threads));
    auto bytes = func::CallOp::create(builder, m.loc, planned, sizes);
    Value sum = arith::AddIOp::create(
        builder, m.loc, bytes.getResult(0),
        hiddenBytes(m, function.getArgument(0), hiddenWidth));
    func::ReturnOp::create(builder, m.loc, sum);
  }

  /// Everything that could lead a read or write outside.
  Value checkStep(EntryMemory &n, Value tokenCount, Value sequences,
                  Value logitRows, Value slots, Value length, Value tokens,
                  Value rowStart, Value past, Value slot, Value rows,
                  int64_t vocabulary) {
    auto element = [](EntryMemory &e, Value array, Value i) -> Value {
      Value offset = arith::MulIOp::create(e.b, e.loc, i, e.i64(4));
      Value x = LLVM::LoadOp::create(e.b, e.loc, e.b.getI32Type(),
                                     e.at(array, offset));
      return arith::ExtSIOp::create(e.b, e.loc, e.b.getI64Type(), x);
    };
    Value status = n.i32(DS_STATUS_OK);
    Value first = element(n, rowStart, n.i64(0)),
          last = element(n, rowStart, sequences);
    status = require(n, status,
                     arith::CmpIOp::create(n.b, n.loc, P::eq, first, n.i64(0)),
                     DS_STATUS_SHAPE);
    status = require(n, status,
                     arith::CmpIOp::create(n.b, n.loc, P::eq, last, tokenCount),
                     DS_STATUS_SHAPE);
    auto next = [&](EntryMemory &e, Value i) {
      return element(e, rowStart,
                     arith::AddIOp::create(e.b, e.loc, i, e.i64(1)));
    };
    Value ascending = all(n, sequences, [&](EntryMemory &e, Value i) -> Value {
      return arith::CmpIOp::create(e.b, e.loc, P::sge, next(e, i),
                                   element(e, rowStart, i));
    });
    status = require(n, status, ascending, DS_STATUS_SHAPE);
    Value ids = all(n, tokenCount, [&](EntryMemory &e, Value i) {
      return inRange(e, element(e, tokens, i), e.i64(vocabulary));
    });
    status = require(n, status, ids, DS_STATUS_INDEX);
    Value slotsFine = all(n, sequences, [&](EntryMemory &e, Value i) {
      return inRange(e, element(e, slot, i), slots);
    });
    status = require(n, status, slotsFine, DS_STATUS_INDEX);
    Value wanted = all(n, logitRows, [&](EntryMemory &e, Value i) {
      return inRange(e, element(e, rows, i), tokenCount);
    });
    status = require(n, status, wanted, DS_STATUS_INDEX);
    Value fits = all(n, sequences, [&](EntryMemory &e, Value i) -> Value {
      Value before = element(e, past, i);
      Value count = arith::SubIOp::create(e.b, e.loc, next(e, i),
                                          element(e, rowStart, i));
      Value total = arith::AddIOp::create(e.b, e.loc, before, count);
      Value low = arith::CmpIOp::create(e.b, e.loc, P::sge, before, e.i64(0));
      Value high = arith::CmpIOp::create(e.b, e.loc, P::sle, total, length);
      return arith::AndIOp::create(e.b, e.loc, low, high);
    });
    return require(n, status, fits, DS_STATUS_CAPACITY);
  }

  void removeResults(func::FuncOp function) {
    if (auto attrs = function.getResAttrsAttr()) {
      (void)attrs;
      function.removeResAttrsAttr();
    }
  }

  /// After an error no output is left allocated.
  void freeOnError(EntryMemory &n, ModuleOp module, Value code,
                   Value outputArray, size_t count) {
    Value failed =
        arith::CmpIOp::create(n.b, n.loc, P::ne, code, n.i32(DS_STATUS_OK));
    auto branch = scf::IfOp::create(n.b, n.loc, failed,
                                    /*withElseRegion=*/false);
    OpBuilder inner = branch.getThenBodyBuilder();
    EntryMemory e{inner, n.loc};
    auto release = LLVM::lookupOrCreateFreeFn(inner, module);
    for (size_t i = 0; i < count; ++i) {
      Value data = e.loadPointer(outputArray, i * sizeof(DsTensor) +
                                                  offsetof(DsTensor, data));
      LLVM::CallOp::create(inner, e.loc, *release, data);
      e.store(LLVM::ZeroOp::create(inner, e.loc, pointerType()), outputArray,
              i * sizeof(DsTensor) + offsetof(DsTensor, data));
    }
  }

  void buildGraph(ModuleOp module, func::FuncOp graph) {
    OpBuilder builder(&getContext());
    unsigned inputs = graph.getNumArguments() - callArguments;
    SmallVector<Type> results;
    SmallVector<StringRef> resultTypes;
    for (unsigned i = 0; i < graph.getNumResults(); ++i) {
      auto attr = graph.getResultAttrOfType<StringAttr>(i, "ds.type");
      resultTypes.push_back(attr ? attr.getValue() : "");
    }
    bufferArguments(graph, [](unsigned) { return false; });
    auto returnOp =
        cast<func::ReturnOp>(graph.getBody().front().getTerminator());
    builder.setInsertionPoint(returnOp);
    // Each output is a buffer of its own that the caller frees: never an
    // argument, a parameter or another output.
    SmallVector<Value> buffers;
    for (Value result : returnOp.getOperands()) {
      auto type = cast<RankedTensorType>(result.getType());
      SmallVector<Value> dims;
      for (int64_t d = 0; d < type.getRank(); ++d)
        if (type.isDynamicDim(d))
          dims.push_back(
              tensor::DimOp::create(builder, result.getLoc(), result, d));
      Value buffer = memref::AllocOp::create(builder, result.getLoc(),
                                             bufferOf(type), dims);
      // The deallocation pass must leave it to the caller.
      buffer.getDefiningOp()->setAttr("bufferization.manual_deallocation",
                                      builder.getUnitAttr());
      auto copy = bufferization::MaterializeInDestinationOp::create(
          builder, result.getLoc(), result, buffer);
      copy.setRestrict(true);
      copy.setWritable(true);
      buffers.push_back(buffer);
      results.push_back(buffer.getType());
    }
    // Returned as addresses and sizes: memref results would be cloned.
    EntryMemory m{builder, returnOp.getLoc()};
    SmallVector<Value> words;
    for (Value buffer : buffers) {
      words.push_back(m.toI64(memref::ExtractAlignedPointerAsIndexOp::create(
          builder, m.loc, buffer)));
      auto type = cast<MemRefType>(buffer.getType());
      for (int64_t d = 0; d < type.getRank(); ++d)
        words.push_back(
            m.toI64(memref::DimOp::create(builder, m.loc, buffer, d)));
    }
    func::ReturnOp::create(builder, returnOp.getLoc(), words);
    returnOp.erase();
    removeResults(graph);
    updateType(graph, SmallVector<Type>(words.size(), builder.getI64Type()));
    graph.setPrivate();
    graph->removeAttr("ds.entry");

    auto entry = makeEntry(module, graphEntryName, builder);
    Value call = entry.getArgument(0);
    EntryMemory e{builder, module.getLoc()};
    Value status = e.i32(DS_STATUS_OK);
    Value inputArray = e.loadPointer(call, offsetof(DsGraphCall, inputs));
    std::map<std::string, Value> named;
    SmallVector<Value> data;
    SmallVector<SmallVector<Value>> shapes;
    for (unsigned i = 0; i < inputs; ++i) {
      auto type = cast<MemRefType>(graph.getArgument(i).getType());
      auto unsignedName = graph.getArgAttrOfType<StringAttr>(i, "ds.type");
      int64_t base = i * sizeof(DsTensor);
      auto same = [&](Value a, Value x) -> Value {
        return arith::CmpIOp::create(builder, e.loc, P::eq, a, x);
      };
      status = require(
          e, status,
          same(e.loadI32(inputArray, base + offsetof(DsTensor, type)),
               e.i32(typeCode(type.getElementType(),
                              unsignedName ? unsignedName.getValue() : ""))),
          DS_STATUS_SHAPE);
      status =
          require(e, status,
                  same(e.loadI32(inputArray, base + offsetof(DsTensor, rank)),
                       e.i32(type.getRank())),
                  DS_STATUS_SHAPE);
      data.push_back(
          e.loadPointer(inputArray, base + offsetof(DsTensor, data)));
      auto names = graph.getArgAttrOfType<ArrayAttr>(i, "ds.dims");
      shapes.emplace_back();
      for (int64_t d = 0; d < type.getRank(); ++d) {
        Value size = e.loadI64(inputArray, base + offsetof(DsTensor, dims) +
                                               d * sizeof(int64_t));
        shapes.back().push_back(size);
        Value fine;
        if (!type.isDynamicDim(d)) {
          fine = same(size, e.i64(type.getDimSize(d)));
        } else {
          fine = arith::CmpIOp::create(builder, e.loc, P::sge, size, e.i64(0));
          StringRef name =
              names ? cast<StringAttr>(names[d]).getValue() : StringRef();
          if (!name.empty()) {
            Value &first = named[name.str()];
            if (!first)
              first = size;
            fine =
                arith::AndIOp::create(builder, e.loc, fine, same(size, first));
          }
        }
        status = require(e, status, fine, DS_STATUS_SHAPE);
      }
    }
    Value graphStatus = newStatus(e);
    Value threads =
        threadCount(e, module, e.loadI32(call, offsetof(DsGraphCall, threads)));
    status = ifFine(e, status, [&](EntryMemory &n) {
      SmallVector<Value> args;
      for (unsigned i = 0; i < inputs; ++i)
        args.push_back(
            n.memref(data[i], shapes[i],
                     cast<MemRefType>(graph.getArgument(i).getType())));
      args.push_back(n.loadPointer(call, offsetof(DsGraphCall, parameters)));
      args.push_back(graphStatus);
      args.push_back(threads);
      auto result = func::CallOp::create(n.b, n.loc, graph, args);
      Value outputArray = n.loadPointer(call, offsetof(DsGraphCall, outputs));
      Value code = n.loadI32(graphStatus, 0);
      unsigned word = 0;
      for (unsigned i = 0; i < results.size(); ++i) {
        auto type = cast<MemRefType>(results[i]);
        int64_t base = i * sizeof(DsTensor);
        n.store(result.getResult(word++), outputArray,
                base + offsetof(DsTensor, data));
        n.store(n.i32(typeCode(type.getElementType(), resultTypes[i])),
                outputArray, base + offsetof(DsTensor, type));
        n.store(n.i32(type.getRank()), outputArray,
                base + offsetof(DsTensor, rank));
        for (int64_t d = 0; d < type.getRank(); ++d)
          n.store(result.getResult(word++), outputArray,
                  base + offsetof(DsTensor, dims) + d * sizeof(int64_t));
      }
      freeOnError(n, module, code, outputArray, results.size());
      return code;
    });
    func::ReturnOp::create(builder, e.loc, status);
  }
};

} // namespace
