//===- BuildParameterEntries.cpp - parameter functions on raw memory ------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/EntryFunctions.h"

namespace mlir::ds {
#define GEN_PASS_DEF_BUILDPARAMETERENTRIES
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Where `@ds_report_index` leaves its status. No thread-local variable as in
/// the artefact: the functions run one at a time.
constexpr StringRef statusName = "ds_parameter_status";

struct BuildParameterEntries
    : ds::impl::BuildParameterEntriesBase<BuildParameterEntries> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> functions;
    for (auto function : module.getOps<func::FuncOp>()) {
      auto entry = function->getAttrOfType<StringAttr>("ds.entry");
      if (entry && entry.getValue() == "parameter")
        functions.push_back(function);
    }
    if (functions.empty())
      return;
    defineReport(module);
    for (func::FuncOp function : functions)
      build(function);
  }

private:
  Type pointerType() { return LLVM::LLVMPointerType::get(&getContext()); }

  void defineReport(ModuleOp module) {
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    Location loc = module.getLoc();
    LLVM::GlobalOp::create(builder, loc, builder.getI32Type(),
                           /*isConstant=*/false, LLVM::Linkage::Internal,
                           statusName, builder.getI32IntegerAttr(0));
    auto report = module.lookupSymbol<func::FuncOp>("ds_report_index");
    if (!report)
      return;
    builder.setInsertionPointToStart(report.addEntryBlock());
    EntryMemory memory{builder, loc};
    memory.store(memory.i32(DS_STATUS_INDEX), statusAddress(builder, loc), 0);
    func::ReturnOp::create(builder, loc);
  }

  Value statusAddress(OpBuilder &builder, Location loc) {
    return LLVM::AddressOfOp::create(builder, loc, pointerType(), statusName);
  }

  void build(func::FuncOp function) {
    Location loc = function.getLoc();
    Block &body = function.getBody().front();
    unsigned count = body.getNumArguments();
    Value arguments = body.addArgument(pointerType(), loc),
          result = body.addArgument(pointerType(), loc);
    OpBuilder builder = OpBuilder::atBlockBegin(&body);
    EntryMemory memory{builder, loc};
    memory.store(memory.i32(DS_STATUS_OK), statusAddress(builder, loc), 0);
    for (unsigned i = 0; i < count; ++i) {
      auto type = cast<RankedTensorType>(body.getArgument(i).getType());
      Value pointer = memory.loadPointer(arguments, i * sizeof(void *));
      Value tensor = bufferization::ToTensorOp::create(
          builder, loc, type, memory.memref(pointer, type),
          /*restrict=*/true);
      body.getArgument(i).replaceAllUsesWith(tensor);
    }
    body.eraseArguments(0, count);
    auto returnOp = cast<func::ReturnOp>(body.getTerminator());
    builder.setInsertionPoint(returnOp);
    Value value = returnOp.getOperand(0);
    writeInto(builder, value,
              memory.memref(result, cast<RankedTensorType>(value.getType())));
    Value status = LLVM::LoadOp::create(builder, loc, builder.getI32Type(),
                                        statusAddress(builder, loc));
    func::ReturnOp::create(builder, loc, status);
    returnOp.erase();
    function.removeResAttrsAttr();
    function.removeArgAttrsAttr();
    function.setFunctionType(builder.getFunctionType(
        {pointerType(), pointerType()}, {builder.getI32Type()}));
    function.setPublic();
    function->removeAttr("ds.entry");
  }
};

} // namespace
