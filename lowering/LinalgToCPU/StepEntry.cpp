//===- StepEntry.cpp - entries around steps, their checks and workspace ---===//
//
// Nothing is allocated: results and caches are the caller's, and so is the
// memory for all between.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/EntryFunctions.h"
#include "passes/StepFunction.h"
#include <cstddef>

using namespace mlir;
using namespace mlir::ds;
using P = arith::CmpIPredicate;

/// Arguments of @step in front of its caches; those of a draft have the states
/// of its tokens behind them.
constexpr unsigned stepArguments = 5;

/// Whether `step` is told how many sequences take the absorbed form of latent
/// attention: its last argument before those of the call.
static bool hasForms(func::FuncOp step) {
  auto name = step.getArgAttrOfType<StringAttr>(
      step.getNumArguments() - callArguments - 1, "ds.name");
  return name && name.getValue() == absorbedSequencesName;
}

/// Says of every argument of `step` which size of the call each of its
/// dimensions has: maps from (tokens, sequences, logit rows, cache length).
static void stateSizes(func::FuncOp step, unsigned firstCache, unsigned caches,
                       unsigned outputs, unsigned routed) {
  Builder b(step.getContext());
  AffineExpr tokens = b.getAffineDimExpr(0), sequences = b.getAffineDimExpr(1),
             rows = b.getAffineDimExpr(2), length = b.getAffineDimExpr(3);
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
        AffineMapAttr::get(AffineMap::get(4, 0, all, step.getContext())));
  };
  state(0, 0, tokens);
  state(1, 0, sequences + 1);
  state(2, 0, sequences);
  state(3, 0, sequences);
  state(4, 0, rows);
  if (firstCache > stepArguments)
    state(stepArguments, 0, tokens);
  for (unsigned i = 0; i < caches; ++i)
    state(firstCache + i, 2, length);
  state(outputs, 0, rows);
  state(outputs + 1, 0, tokens);
  for (unsigned i = outputs + 2; i < outputs + 2 + routed; ++i) {
    auto type = cast<RankedTensorType>(step.getArgumentTypes()[i]);
    state(i, 0,
          type.isDynamicDim(0) ? tokens
                               : b.getAffineConstantExpr(type.getDimSize(0)));
  }
}

/// Bytes of hidden rows, in whole cache lines.
static Value hiddenBytes(EntryMemory &m, Value tokens, int64_t width) {
  Value bytes = arith::MulIOp::create(m.b, m.loc, tokens, m.i64(width * 4));
  Value up = arith::AddIOp::create(m.b, m.loc, bytes, m.i64(63));
  return arith::AndIOp::create(m.b, m.loc, up, m.i64(~int64_t(63)));
}

/// The function that ds-plan-workspace defines for `step`.
static func::FuncOp declarePlannedBytes(func::FuncOp step) {
  OpBuilder builder(step);
  Type i64 = builder.getI64Type();
  auto planned = func::FuncOp::create(
      builder, step.getLoc(), ("ds_planned_bytes_" + step.getSymName()).str(),
      builder.getFunctionType({i64, i64, i64, i64, i64}, {i64}));
  planned.setPrivate();
  return planned;
}

/// The entry's workspace_bytes: hidden rows, and what `planned` says.
static func::FuncOp buildWorkspaceBytes(ModuleOp module, OpBuilder &builder,
                                        StringRef entry, func::FuncOp planned,
                                        int64_t hiddenWidth) {
  Type i64 = builder.getI64Type(), i32 = builder.getI32Type();
  auto function =
      makeEntry(module, workspaceName(entry), builder,
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
  return function;
}

/// AND of `body(i)` over [0, count).
static Value all(EntryMemory &m, Value count,
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

/// Everything that could lead a read or write outside.
static Value checkStep(EntryMemory &n, Value tokenCount, Value sequences,
                       Value logitRows, Value slots, Value length, Value tokens,
                       Value rowStart, Value past, Value slot, Value rows,
                       int64_t vocabulary) {
  auto element = [](EntryMemory &e, Value array, Value i) -> Value {
    Value offset = arith::MulIOp::create(e.b, e.loc, i, e.i64(4));
    Value x =
        LLVM::LoadOp::create(e.b, e.loc, e.b.getI32Type(), e.at(array, offset));
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
    return element(e, rowStart, arith::AddIOp::create(e.b, e.loc, i, e.i64(1)));
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
    Value count =
        arith::SubIOp::create(e.b, e.loc, next(e, i), element(e, rowStart, i));
    Value total = arith::AddIOp::create(e.b, e.loc, before, count);
    Value low = arith::CmpIOp::create(e.b, e.loc, P::sge, before, e.i64(0));
    Value high = arith::CmpIOp::create(e.b, e.loc, P::sle, total, length);
    return arith::AndIOp::create(e.b, e.loc, low, high);
  });
  return require(n, status, fits, DS_STATUS_CAPACITY);
}

void mlir::ds::buildStepEntry(func::FuncOp step, StringRef entryName,
                              bool hasStates) {
  auto module = step->getParentOfType<ModuleOp>();
  OpBuilder builder(step.getContext());
  unsigned firstCache = stepArguments + hasStates;
  bool forms = hasForms(step);
  if (forms) // LLVM does not know it.
    step.removeArgAttr(step.getNumArguments() - callArguments - 1, "ds.name");
  unsigned caches = step.getNumArguments() - callArguments - firstCache - forms;
  auto logitsType = cast<RankedTensorType>(step.getResultTypes()[0]),
       hiddenType = cast<RankedTensorType>(step.getResultTypes()[1]);

  // Results are written where the caller says: an argument more for each but
  // the caches. The last is memory for everything between; ds-plan-workspace
  // uses it.
  func::FuncOp planned = declarePlannedBytes(step);
  unsigned outputs = step.getNumArguments(), firstRouted = 2 + caches,
           routed = step.getNumResults() - firstRouted;
  SmallVector<Type> outputTypes(step.getResultTypes().take_front(2));
  llvm::append_range(outputTypes, step.getResultTypes().take_back(routed));
  for (Type type : outputTypes)
    (void)step.insertArgument(step.getNumArguments(), type, {}, step.getLoc());
  (void)step.insertArgument(
      step.getNumArguments(),
      MemRefType::get({ShapedType::kDynamic}, builder.getI8Type()),
      builder.getDictionaryAttr(builder.getNamedAttr(
          workspaceAttribute, SymbolRefAttr::get(planned))),
      step.getLoc());
  stateSizes(step, firstCache, caches, outputs, routed);
  bufferArguments(step, [&](unsigned i) {
    return i >= firstCache && i < firstCache + caches;
  });
  auto returnOp = cast<func::ReturnOp>(step.getBody().front().getTerminator());
  builder.setInsertionPoint(returnOp);
  for (auto [i, result] : llvm::enumerate(returnOp.getOperands())) {
    Value buffer = step.getArgument(i < 2             ? outputs + i
                                    : i < firstRouted ? firstCache + i - 2
                                                      : outputs + i - caches);
    writeInto(builder, result, buffer);
  }
  finishBody(step, {});

  int64_t hiddenWidth = hiddenType.getDimSize(1);
  func::FuncOp workspaceBytes =
      buildWorkspaceBytes(module, builder, entryName, planned, hiddenWidth);
  auto entry = makeEntry(module, entryName, builder);
  Value call = entry.getArgument(0);
  EntryMemory m{builder, module.getLoc()};
  auto number = [&](size_t offset) { return m.loadI64(call, offset); };
  auto pointer = [&](size_t offset) { return m.loadPointer(call, offset); };
  Value tokenCount = number(offsetof(DsStepCall, token_count)),
        sequences = number(offsetof(DsStepCall, sequence_count)),
        logitRows = number(offsetof(DsStepCall, logit_row_count)),
        slots = number(offsetof(DsStepCall, cache_slots)),
        length = number(offsetof(DsStepCall, cache_length)),
        absorbed = number(offsetof(DsStepCall, absorbed_count));
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
  if (forms)
    status = require(
        m, status,
        arith::CmpIOp::create(builder, m.loc, P::ule, absorbed, sequences),
        DS_STATUS_SHAPE);
  status = ifFine(m, status, [&](EntryMemory &n) {
    return checkStep(n, tokenCount, sequences, logitRows, slots, length, tokens,
                     rowStart, past, slot, rows, logitsType.getDimSize(1));
  });
  status = ifFine(m, status, [&](EntryMemory &n) {
    auto least = func::CallOp::create(
        n.b, n.loc, workspaceBytes,
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
    SmallVector<Value> args{vector(tokens, tokenCount), vector(rowStart, ends),
                            vector(past, sequences), vector(slot, sequences),
                            vector(rows, logitRows)};
    if (hasStates)
      args.push_back(n.memref(n.loadPointer(call, offsetof(DsStepCall, states)),
                              {tokenCount, n.i64(hiddenWidth)},
                              bufferOf(hiddenType)));
    Value cacheArray = n.loadPointer(call, offsetof(DsStepCall, caches));
    for (unsigned i = 0; i < caches; ++i) {
      auto type = cast<MemRefType>(step.getArgument(firstCache + i).getType());
      Value data = n.loadPointer(cacheArray, i * sizeof(void *));
      args.push_back(n.memref(
          data,
          {slots, n.i64(type.getDimSize(1)), length, n.i64(type.getDimSize(3))},
          type));
    }
    if (forms)
      args.push_back(
          arith::TruncIOp::create(n.b, n.loc, n.b.getI32Type(), absorbed));
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
                             LLVM::ZeroOp::create(n.b, n.loc, n.pointer()));
    hidden = arith::SelectOp::create(n.b, n.loc, none, workspace, hidden);
    args.push_back(n.memref(hidden, {tokenCount, n.i64(hiddenWidth)},
                            bufferOf(hiddenType)));
    // The results of a router come in the order of the members of DsRoute.
    Value routes = n.loadPointer(call, offsetof(DsStepCall, routes));
    for (unsigned i = 0; i < routed; ++i) {
      auto type = cast<RankedTensorType>(outputTypes[2 + i]);
      Value data = n.loadPointer(routes, i * sizeof(void *));
      args.push_back(type.isDynamicDim(0)
                         ? n.memref(data,
                                    {tokenCount, n.i64(type.getDimSize(1))},
                                    bufferOf(type))
                         : n.memref(data, type));
    }
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
