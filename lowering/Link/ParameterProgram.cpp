//===- ParameterProgram.cpp - parameters computed while compiling ---------===//
//
// See ParameterProgram.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/Link/ParameterProgram.h"
#include "dialects/ds/IR/DsDialect.h"
#include "lowering/Link/ParameterBytes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "runtime/include/ds/model_abi.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace mlir::ds;

OwningOpRef<ModuleOp> mlir::ds::takeParameterProgram(ModuleOp module) {
  auto isProgram = [](func::FuncOp function) {
    auto entry = function->getAttrOfType<StringAttr>("ds.entry");
    return entry && entry.getValue() == "parameter";
  };
  SmallVector<func::FuncOp> functions =
      llvm::filter_to_vector(module.getOps<func::FuncOp>(), isProgram);
  if (functions.empty())
    return nullptr;
  DenseSet<Attribute> loaded, arguments;
  for (auto function : module.getOps<func::FuncOp>())
    function.walk([&](LoadParameterOp load) {
      loaded.insert(load.getParameterAttr().getAttr());
    });
  for (auto parameter : module.getOps<ParameterOp>())
    if (auto computed = dyn_cast<ComputedAttr>(parameter.getSource()))
      for (FlatSymbolRefAttr argument : computed.getArguments())
        arguments.insert(argument.getAttr());
  OwningOpRef<ModuleOp> program = ModuleOp::create(module.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(program->getBody());
  for (auto parameter :
       llvm::make_early_inc_range(module.getOps<ParameterOp>())) {
    if (arguments.contains(parameter.getSymNameAttr()))
      builder.clone(*parameter);
    if (!loaded.contains(parameter.getSymNameAttr()))
      parameter.erase();
  }
  for (func::FuncOp function : functions)
    function->moveBefore(program->getBody(), program->getBody()->end());
  return program;
}

FailureOr<std::unique_ptr<ParameterProgram>>
ParameterProgram::create(ModuleOp module, std::vector<EntryParameter> sources) {
  Location loc = module.getLoc();
  auto fail = [&](llvm::Error error) {
    return emitError(loc) << "the parameter program cannot be compiled for "
                             "this machine: "
                          << llvm::toString(std::move(error));
  };
  initialiseTargets();
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  registerOpenMPDialectTranslation(*module.getContext());
  auto context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(module, *context);
  if (!code)
    return emitError(loc) << "translation to LLVM IR failed";
  // Unused ones go: the functions have no threads, so nothing calls OpenMP.
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    if (!function.isExternal() && SymbolTable::getSymbolVisibility(function) ==
                                      SymbolTable::Visibility::Private)
      code->getFunction(function.getName())
          ->setLinkage(llvm::GlobalValue::InternalLinkage);

  auto host = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!host)
    return fail(host.takeError());
  host->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  auto machine = host->createTargetMachine();
  if (!machine)
    return fail(machine.takeError());
  code->setDataLayout((*machine)->createDataLayout());
  code->setTargetTriple((*machine)->getTargetTriple());
  optimise(*code, **machine);

  auto jit = llvm::orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(*host))
                 .create();
  if (!jit)
    return fail(jit.takeError());
  if (llvm::Error error = (*jit)->addIRModule(
          llvm::orc::ThreadSafeModule(std::move(code), std::move(context))))
    return fail(std::move(error));
  return std::unique_ptr<ParameterProgram>(
      new ParameterProgram(std::move(*jit), std::move(sources)));
}

ParameterProgram::ParameterProgram(std::unique_ptr<llvm::orc::LLJIT> jit,
                                   std::vector<EntryParameter> list)
    : jit(std::move(jit)) {
  for (EntryParameter &source : list)
    sources[source.value.name] = std::move(source);
}

ParameterProgram::~ParameterProgram() = default;

LogicalResult ParameterProgram::compute(Location loc,
                                        const EntryParameter &parameter,
                                        char *to) const {
  auto computed = cast<ComputedAttr>(parameter.source);
  StringRef name = computed.getFunction().getValue();
  auto address = jit->lookup(name);
  if (!address)
    return emitError(loc) << "the parameter program cannot run here: "
                          << llvm::toString(address.takeError());
  std::vector<std::unique_ptr<llvm::MemoryBuffer>> buffers;
  std::vector<const void *> arguments;
  for (FlatSymbolRefAttr argument : computed.getArguments()) {
    auto source = sources.find(argument.getValue());
    if (source == sources.end())
      return emitError(loc) << "parameter '" << parameter.value.name
                            << "' is computed from '" << argument.getValue()
                            << "', which is no parameter of the program";
    auto buffer = mapParameter(loc, source->second);
    if (failed(buffer))
      return failure();
    arguments.push_back((*buffer)->getBufferStart());
    buffers.push_back(std::move(*buffer));
  }
  auto *function = address->toPtr<int32_t (*)(const void *const *, void *)>();
  if (function(arguments.data(), to) != DS_STATUS_OK)
    return emitError(loc) << "parameter '" << parameter.value.name
                          << "' is computed with an index outside its tensor";
  return success();
}
