//===- BuildEntries.cpp - functions of model_abi.h around @step and so on -===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/EntryFunctions.h"

namespace mlir::ds {
#define GEN_PASS_DEF_BUILDENTRIES
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

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
    unsigned drafts = 0;
    for (auto function :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      auto entry = function->getAttrOfType<StringAttr>("ds.entry");
      if (!entry)
        continue;
      addCallArguments(function);
      if (entry.getValue() == "step")
        buildStepEntry(function, stepEntryName, /*hasStates=*/false);
      else if (entry.getValue() == "draft")
        buildStepEntry(function, draftEntryName(drafts++), /*hasStates=*/true);
      else if (entry.getValue() == "route_bias")
        buildRouteBiasEntry(function);
      else
        buildGraphEntry(function);
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

  /// The `callArguments` of @graph, @step or a draft.
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
      Value pointer = memory.loadPointer(parameters, at * sizeof(void *));
      Value buffer = memory.memref(pointer, type);
      Value tensor = bufferization::ToTensorOp::create(
          builder, load.getLoc(), type, buffer, /*restrict=*/true);
      load.replaceAllUsesWith(tensor);
      load.erase();
    });
  }
};

} // namespace
