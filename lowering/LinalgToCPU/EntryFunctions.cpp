//===- EntryFunctions.cpp - what entries of graphs and steps share --------===//
#include "lowering/LinalgToCPU/EntryFunctions.h"

using namespace mlir;
using namespace mlir::ds;
using P = arith::CmpIPredicate;

Value mlir::ds::newStatus(EntryMemory &m) {
  Value status = LLVM::AllocaOp::create(m.b, m.loc, m.pointer(),
                                        m.b.getI32Type(), m.i64(1));
  m.store(m.i32(DS_STATUS_OK), status, 0);
  return status;
}

Value mlir::ds::threadCount(EntryMemory &m, ModuleOp module, Value wanted) {
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

void mlir::ds::bufferArguments(func::FuncOp function,
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

void mlir::ds::writeInto(OpBuilder &builder, Value tensor, Value buffer) {
  auto copy = bufferization::MaterializeInDestinationOp::create(
      builder, tensor.getLoc(), tensor, buffer);
  copy.setRestrict(true);
  copy.setWritable(true);
}

void mlir::ds::finishBody(func::FuncOp function, ValueRange words) {
  Block &body = function.getBody().front();
  Operation *old = body.getTerminator();
  OpBuilder builder(old);
  func::ReturnOp::create(builder, old->getLoc(), words);
  old->erase();
  function.removeResAttrsAttr();
  function.setFunctionType(
      builder.getFunctionType(body.getArgumentTypes(), words.getTypes()));
  function.setPrivate();
  function->removeAttr("ds.entry");
}

func::FuncOp mlir::ds::makeEntry(ModuleOp module, StringRef name,
                                 OpBuilder &builder, FunctionType type) {
  builder.setInsertionPointToEnd(module.getBody());
  if (!type)
    type = builder.getFunctionType(
        {LLVM::LLVMPointerType::get(module.getContext())},
        {builder.getI32Type()});
  auto entry = func::FuncOp::create(builder, module.getLoc(), name, type);
  builder.setInsertionPointToStart(entry.addEntryBlock());
  return entry;
}

Value mlir::ds::require(EntryMemory &m, Value status, Value isFine,
                        DsStatus otherwise) {
  Value fine =
      arith::CmpIOp::create(m.b, m.loc, P::eq, status, m.i32(DS_STATUS_OK));
  Value code = arith::SelectOp::create(m.b, m.loc, isFine, m.i32(DS_STATUS_OK),
                                       m.i32(otherwise));
  return arith::SelectOp::create(m.b, m.loc, fine, code, status);
}

Value mlir::ds::ifFine(EntryMemory &m, Value status,
                       llvm::function_ref<Value(EntryMemory &)> body) {
  Value fine =
      arith::CmpIOp::create(m.b, m.loc, P::eq, status, m.i32(DS_STATUS_OK));
  auto branch = scf::IfOp::create(m.b, m.loc, TypeRange{m.b.getI32Type()}, fine,
                                  /*withElseRegion=*/true);
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
