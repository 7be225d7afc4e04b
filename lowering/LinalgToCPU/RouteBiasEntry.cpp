//===- RouteBiasEntry.cpp - the entry that moves routing biases -----------===//
#include "lowering/LinalgToCPU/EntryFunctions.h"
#include <cstddef>

using namespace mlir;
using namespace mlir::ds;

void mlir::ds::buildRouteBiasEntry(func::FuncOp update) {
  auto module = update->getParentOfType<ModuleOp>();
  OpBuilder builder(update.getContext());
  auto type = cast<RankedTensorType>(update.getResultTypes()[0]);
  unsigned next = update.getNumArguments();
  (void)update.insertArgument(next, type, {}, update.getLoc());
  bufferArguments(update, [](unsigned) { return false; });
  auto returnOp =
      cast<func::ReturnOp>(update.getBody().front().getTerminator());
  builder.setInsertionPoint(returnOp);
  writeInto(builder, returnOp.getOperand(0), update.getArgument(next));
  finishBody(update, {});

  auto entry = makeEntry(module, routeBiasEntryName, builder);
  Value call = entry.getArgument(0);
  EntryMemory m{builder, module.getLoc()};
  Value experts = m.loadI64(call, offsetof(DsRouteBiasCall, expert_count));
  Value isPositive = arith::CmpIOp::create(
      builder, m.loc, arith::CmpIPredicate::sgt, experts, m.i64(0));
  Value updateStatus = newStatus(m);
  Value status = require(m, m.i32(DS_STATUS_OK), isPositive, DS_STATUS_SHAPE);
  status = ifFine(m, status, [&](EntryMemory &n) {
    auto vector = [&](size_t offset, unsigned argument) {
      return n.memref(n.loadPointer(call, offset), experts,
                      cast<MemRefType>(update.getArgument(argument).getType()));
    };
    Value rate =
        n.memref(n.at(call, offsetof(DsRouteBiasCall, rate)), ValueRange(),
                 cast<MemRefType>(update.getArgument(2).getType()));
    // It reads no parameters, and is no work for a second thread.
    func::CallOp::create(
        n.b, n.loc, update,
        ValueRange{vector(offsetof(DsRouteBiasCall, bias), 0),
                   vector(offsetof(DsRouteBiasCall, loads), 1), rate,
                   LLVM::ZeroOp::create(n.b, n.loc, n.pointer()), updateStatus,
                   n.i32(1), vector(offsetof(DsRouteBiasCall, next), next)});
    return n.loadI32(updateStatus, 0);
  });
  func::ReturnOp::create(builder, m.loc, status);
}
