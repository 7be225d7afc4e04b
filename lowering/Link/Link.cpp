//===- Link.cpp - machine code, descriptor, lld ---------------------------===//
#include "lowering/Link/Link.h"
#include "lowering/LinalgToCPU/Passes.h"
#include "runtime/include/ds/model_abi.h"

#include "lld/Common/Driver.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Files that exist while a model is linked; gone when this goes.
struct TemporaryFiles {
  std::vector<std::string> paths;
  ~TemporaryFiles() {
    for (const std::string &path : paths)
      llvm::sys::fs::remove(path);
  }
};

std::unique_ptr<llvm::TargetMachine> targetMachine(const CpuVariant &variant,
                                                   std::string &error) {
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  // Else constructors go to .ctors, which today's libc never runs.
  options.UseInitArray = true;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, variant.cpu, variant.features, options, llvm::Reloc::PIC_,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

LogicalResult emitCode(Location loc, llvm::Module &module,
                       llvm::TargetMachine &machine,
                       llvm::raw_pwrite_stream &out,
                       llvm::CodeGenFileType kind) {
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, out, nullptr, kind))
    return emitError(loc) << "this LLVM cannot write machine code";
  passes.run(module);
  return success();
}

LogicalResult emitObject(Location loc, llvm::Module &module,
                         llvm::TargetMachine &machine, StringRef path) {
  std::error_code code;
  llvm::raw_fd_ostream out(path, code, llvm::sys::fs::CD_CreateAlways);
  if (code)
    return emitError(loc) << "cannot write '" << path
                          << "': " << code.message();
  if (failed(emitCode(loc, module, machine, out,
                      llvm::CodeGenFileType::ObjectFile)))
    return failure();
  out.flush();
  if (out.has_error()) {
    std::error_code failure = out.error();
    out.clear_error();
    return emitError(loc) << "cannot write '" << path
                          << "': " << failure.message();
  }
  return success();
}

/// Writes structs of model_abi.h as constants, field by field: the layout is
/// the C compiler's, found by sizeof and offsetof.
class DescriptorBuilder {
public:
  explicit DescriptorBuilder(llvm::Module &module)
      : module(module), context(module.getContext()),
        pointer(llvm::PointerType::get(context, 0)) {}

  using Field = std::pair<size_t, llvm::Constant *>;

  llvm::Constant *i32(int64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt32Ty(context), value);
  }
  llvm::Constant *i64(uint64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt64Ty(context), value);
  }
  llvm::Constant *null() { return llvm::ConstantPointerNull::get(pointer); }
  llvm::Constant *text(StringRef value) {
    return global(llvm::ConstantDataArray::getString(context, value));
  }
  llvm::Constant *function(StringRef name, bool exists) {
    if (!exists)
      return null();
    auto *type = llvm::FunctionType::get(llvm::Type::getInt32Ty(context),
                                         {pointer}, false);
    auto *result = llvm::cast<llvm::Function>(
        module.getOrInsertFunction(name, type).getCallee());
    result->setVisibility(llvm::GlobalValue::HiddenVisibility);
    return result;
  }

  /// A struct of `size` bytes with `fields` at their offsets, zero elsewhere.
  llvm::Constant *record(size_t size, std::vector<Field> fields) {
    llvm::sort(fields, llvm::less_first());
    std::vector<llvm::Constant *> parts;
    size_t at = 0;
    auto pad = [&](size_t to) {
      if (to > at)
        parts.push_back(llvm::ConstantAggregateZero::get(
            llvm::ArrayType::get(llvm::Type::getInt8Ty(context), to - at)));
      at = to;
    };
    for (auto &[offset, value] : fields) {
      pad(offset);
      parts.push_back(value);
      at += module.getDataLayout().getTypeAllocSize(value->getType());
    }
    pad(size);
    return llvm::ConstantStruct::getAnon(context, parts, /*Packed=*/true);
  }

  /// An array of records; null where there are none.
  llvm::Constant *array(ArrayRef<llvm::Constant *> records) {
    if (records.empty())
      return null();
    // Records differ in type (padding), so the array is a packed struct.
    return global(llvm::ConstantStruct::getAnon(context, records, true));
  }

  llvm::GlobalVariable *global(llvm::Constant *value) {
    auto *result =
        new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                 llvm::GlobalValue::PrivateLinkage, value);
    result->setAlignment(llvm::Align(16));
    return result;
  }

  llvm::Module &module;
  llvm::LLVMContext &context;
  llvm::PointerType *pointer;
};

/// Rank and sizes, common to several structs.
void addDims(DescriptorBuilder &b,
             std::vector<DescriptorBuilder::Field> &fields,
             const EntryValue &value, size_t typeAt, size_t rankAt,
             size_t dimsAt) {
  fields.push_back({typeAt, b.i32(value.type)});
  fields.push_back({rankAt, b.i32(value.dims.size())});
  for (auto [d, size] : llvm::enumerate(value.dims))
    fields.push_back({dimsAt + d * sizeof(int64_t), b.i64(uint64_t(size))});
}

llvm::Constant *valueInfo(DescriptorBuilder &b, const EntryValue &value) {
  std::vector<DescriptorBuilder::Field> fields{
      {offsetof(DsValueInfo, name), b.text(value.name)}};
  addDims(b, fields, value, offsetof(DsValueInfo, type),
          offsetof(DsValueInfo, rank), offsetof(DsValueInfo, dims));
  for (auto [d, name] : llvm::enumerate(value.dimNames))
    fields.push_back(
        {offsetof(DsValueInfo, dim_names) + d * sizeof(void *), b.text(name)});
  return b.record(sizeof(DsValueInfo), fields);
}

std::string entryName(StringRef name, StringRef variant) {
  return (name + "." + variant).str();
}

void buildDescriptor(llvm::Module &module, const ModelDescription &description,
                     const LinkOptions &options, ArrayRef<CpuVariant> variants,
                     StringRef weightsFile, StringRef embeddedWeights,
                     uint64_t weightsBytes) {
  DescriptorBuilder b(module);
  std::vector<llvm::Constant *> inputs, outputs, parameters, caches,
      draftCaches, routers, draftRouters, codes;
  for (const EntryValue &value : description.inputs)
    inputs.push_back(valueInfo(b, value));
  for (const EntryValue &value : description.outputs)
    outputs.push_back(valueInfo(b, value));
  for (const EntryParameter &parameter : description.parameters) {
    std::vector<DescriptorBuilder::Field> fields{
        {offsetof(DsParameter, name), b.text(parameter.value.name)},
        {offsetof(DsParameter, offset), b.i64(parameter.offset)},
        {offsetof(DsParameter, bytes), b.i64(parameter.bytes)},
        {offsetof(DsParameter, checksum), b.i64(parameter.checksum)},
        {offsetof(DsParameter, draft_only), b.i32(parameter.draftOnly)}};
    addDims(b, fields, parameter.value, offsetof(DsParameter, type),
            offsetof(DsParameter, rank), offsetof(DsParameter, dims));
    parameters.push_back(b.record(sizeof(DsParameter), fields));
  }
  auto cacheRecord = [&](const EntryValue &cache, int64_t layer) {
    return b.record(sizeof(DsCache),
                    {{offsetof(DsCache, name), b.text(cache.name)},
                     {offsetof(DsCache, type), b.i32(cache.type)},
                     {offsetof(DsCache, layer), b.i32(layer)},
                     {offsetof(DsCache, heads), b.i64(cache.dims[1])},
                     {offsetof(DsCache, width), b.i64(cache.dims[3])}});
  };
  for (auto [i, cache] : llvm::enumerate(description.caches))
    caches.push_back(cacheRecord(cache, i / 2));
  auto routerRecord = [&](const EntryRouter &router) {
    auto bias = llvm::find_if(description.parameters, [&](const auto &each) {
      return each.value.name == router.bias;
    });
    int64_t index = bias == description.parameters.end()
                        ? -1
                        : bias - description.parameters.begin();
    return b.record(
        sizeof(DsRouter),
        {{offsetof(DsRouter, layer), b.i32(router.layer)},
         {offsetof(DsRouter, expert_count), b.i64(uint64_t(router.experts))},
         {offsetof(DsRouter, experts_per_token),
          b.i64(uint64_t(router.expertsPerToken))},
         {offsetof(DsRouter, bias), b.i64(uint64_t(index))}});
  };
  for (const EntryRouter &router : description.routers)
    routers.push_back(routerRecord(router));
  for (auto [k, draft] : llvm::enumerate(description.drafts)) {
    for (const EntryValue &cache : draft.caches)
      draftCaches.push_back(cacheRecord(cache, description.layers + k));
    for (const EntryRouter &router : draft.routers)
      draftRouters.push_back(routerRecord(router));
  }
  bool lm = description.isLanguageModel;
  for (const CpuVariant &variant : variants) {
    std::vector<llvm::Constant *> drafts;
    for (unsigned k = 0; k < description.drafts.size(); ++k)
      drafts.push_back(b.record(
          sizeof(DsDraft),
          {{offsetof(DsDraft, draft),
            b.function(entryName(draftEntryName(k), variant.name), true)},
           {offsetof(DsDraft, workspace_bytes),
            b.function(
                entryName(workspaceName(draftEntryName(k)), variant.name),
                true)}}));
    codes.push_back(b.record(
        sizeof(DsVariant),
        {{offsetof(DsVariant, name), b.text(variant.name)},
         {offsetof(DsVariant, features), b.text(variant.required)},
         {offsetof(DsVariant, graph),
          b.function(entryName(graphEntryName, variant.name), !lm)},
         {offsetof(DsVariant, step),
          b.function(entryName(stepEntryName, variant.name), lm)},
         {offsetof(DsVariant, workspace_bytes),
          b.function(entryName(workspaceName(stepEntryName), variant.name),
                     lm)},
         {offsetof(DsVariant, drafts), b.array(drafts)},
         {offsetof(DsVariant, update_route_bias),
          b.function(entryName(routeBiasEntryName, variant.name),
                     description.hasRouteBias)}}));
  }
  std::vector<llvm::Constant *> eos;
  for (int32_t id : options.eosIds)
    eos.push_back(b.i32(id));

  llvm::Constant *embedded = b.null();
  if (!embeddedWeights.empty()) {
    llvm::GlobalVariable *bytes = b.global(llvm::ConstantDataArray::getString(
        b.context, embeddedWeights, /*AddNull=*/false));
    // Tensors start at multiples of 64 bytes of the file.
    bytes->setAlignment(llvm::Align(64));
    embedded = bytes;
  }
  auto optionalText = [&](const std::string &value) {
    return value.empty() ? b.null() : b.text(value);
  };
#define AT(field) offsetof(DsModel, field)
  llvm::Constant *model = b.record(
      sizeof(DsModel),
      {{AT(magic), b.i64(DS_MAGIC)},
       {AT(abi_version), b.i32(DS_ABI_VERSION)},
       {AT(mode), b.i32(lm ? DS_MODE_LANGUAGE_MODEL : DS_MODE_GRAPH)},
       {AT(name), b.text(options.name)},
       {AT(compiler), b.text("ds-mlir 0.1.0")},
       {AT(options), b.text(options.optionsText)},
       {AT(variant_count), b.i32(variants.size())},
       {AT(input_count), b.i32(inputs.size())},
       {AT(output_count), b.i32(outputs.size())},
       {AT(parameter_count), b.i32(parameters.size())},
       {AT(cache_count), b.i32(caches.size())},
       {AT(eos_count), b.i32(eos.size())},
       {AT(draft_count), b.i32(description.drafts.size())},
       {AT(draft_cache_count), b.i32(draftCaches.size())},
       {AT(router_count), b.i32(routers.size())},
       {AT(draft_router_count), b.i32(draftRouters.size())},
       {AT(variants), b.array(codes)},
       {AT(inputs), b.array(inputs)},
       {AT(outputs), b.array(outputs)},
       {AT(parameters), b.array(parameters)},
       {AT(caches), b.array(caches)},
       {AT(draft_caches), b.array(draftCaches)},
       {AT(routers), b.array(routers)},
       {AT(draft_routers), b.array(draftRouters)},
       {AT(weights_file), weightsFile.empty() ? b.null() : b.text(weightsFile)},
       {AT(embedded_weights), embedded},
       {AT(weights_bytes), b.i64(weightsBytes)},
       {AT(vocabulary), b.i64(description.vocabulary)},
       {AT(hidden_size), b.i64(description.hiddenSize)},
       {AT(layer_count), b.i64(description.layers)},
       {AT(max_length), b.i64(options.maxLength)},
       {AT(mla_absorb_below), b.i64(uint64_t(description.mlaAbsorbBelow))},
       {AT(eos_ids), b.array(eos)},
       {AT(bos_id), b.i32(options.bosId)},
       {AT(slow_op_count), b.i32(description.slowOps)},
       {AT(tokenizer_json), optionalText(options.tokenizer)},
       {AT(tokenizer_json_bytes), b.i64(options.tokenizer.size())},
       {AT(tokenizer_config_json), optionalText(options.tokenizerConfig)},
       {AT(tokenizer_config_json_bytes), b.i64(options.tokenizerConfig.size())},
       {AT(multiply_adds_per_token),
        b.i64(uint64_t(description.multiplyAddsPerToken))},
       {AT(multiply_adds_per_logits),
        b.i64(uint64_t(description.multiplyAddsPerLogits))},
       {AT(weight_bytes_per_token),
        b.i64(uint64_t(description.weightBytesPerToken))}});
#undef AT
  llvm::Constant *global = b.global(model);
  auto *type = llvm::FunctionType::get(b.pointer, false);
  auto *symbol = llvm::Function::Create(
      type, llvm::GlobalValue::ExternalLinkage, DS_MODEL_SYMBOL, module);
  auto *block = llvm::BasicBlock::Create(module.getContext(), "", symbol);
  llvm::ReturnInst::Create(module.getContext(), global, block);
}

/// Keeps `keep` visible to the other objects as `keep.variant`, all else local.
void renameForVariant(llvm::Module &module, const CpuVariant &variant) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", variant.cpu);
    if (*variant.features)
      function.addFnAttr("target-features", variant.features);
    function.addFnAttr("prefer-vector-width",
                       std::to_string(variant.lanes * 32));
    StringRef name = function.getName();
    if (name.starts_with(entryPrefix)) {
      function.setName(entryName(name, variant.name));
      function.setVisibility(llvm::GlobalValue::HiddenVisibility);
    } else {
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
    }
  }
}

void registerTranslations(MLIRContext &context) {
  initialiseTargets();
  registerBuiltinDialectTranslation(context);
  registerLLVMDialectTranslation(context);
  registerOpenMPDialectTranslation(context);
}

/// The code of one variant as LLVM IR, optimised for `machine`; null after an
/// error.
std::unique_ptr<llvm::Module> translate(const VariantCode &code,
                                        llvm::TargetMachine &machine,
                                        llvm::LLVMContext &context) {
  ModuleOp module = *code.module;
  std::unique_ptr<llvm::Module> result =
      translateModuleToLLVMIR(module, context);
  if (!result) {
    module.emitError("translation to LLVM IR failed");
    return nullptr;
  }
  result->setDataLayout(machine.createDataLayout());
  result->setTargetTriple(machine.getTargetTriple());
  renameForVariant(*result, code.variant);
  optimise(*result, machine);
  return result;
}

/// Links `objects`, which need libc, libm and libomp and nothing else.
LogicalResult runLld(Location loc, ArrayRef<std::string> objects,
                     const std::string &output) {
  std::vector<const char *> args{
      "ld.lld", "-shared", "-o", output.c_str(), "--gc-sections",
      "-z",     "now",     "-z", "defs"};
  for (const std::string &object : objects)
    args.push_back(object.c_str());
  // By the names under which the loader knows them: no development packages.
  for (const char *folder :
       {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64",
        "/usr/lib64", "/usr/lib/llvm-22/lib", "/usr/local/lib"})
    args.insert(args.end(), {"-L", folder});
  args.insert(args.end(), {"-l:libc.so.6", "-l:libm.so.6", "-l:libomp.so.5"});
  std::string out, err;
  llvm::raw_string_ostream outStream(out), errStream(err);
  lld::Result result =
      lld::lldMain(args, outStream, errStream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return emitError(loc) << "linking failed: " << err;
  return success();
}

} // namespace

LogicalResult mlir::ds::emitMachineCode(const VariantCode &code, bool assembly,
                                        SmallVectorImpl<char> &bytes) {
  ModuleOp module = *code.module;
  registerTranslations(*module.getContext());
  std::string problem;
  std::unique_ptr<llvm::TargetMachine> machine =
      targetMachine(code.variant, problem);
  if (!machine)
    return module.emitError(problem);
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated = translate(code, *machine, context);
  if (!translated)
    return failure();
  llvm::raw_svector_ostream out(bytes);
  return emitCode(module.getLoc(), *translated, *machine, out,
                  assembly ? llvm::CodeGenFileType::AssemblyFile
                           : llvm::CodeGenFileType::ObjectFile);
}

/// What is there is replaced by renaming: of a device or a pipe the file itself
/// would be lost.
static LogicalResult requireReplaceable(Location loc, StringRef path) {
  llvm::sys::fs::file_status status;
  if (llvm::sys::fs::status(path, status) ||
      status.type() == llvm::sys::fs::file_type::regular_file)
    return success();
  bool isFolder = status.type() == llvm::sys::fs::file_type::directory_file;
  return emitError(loc) << "cannot write '" << path << "': "
                        << (isFolder ? "Is a directory"
                                     : "no regular file; -o names one that the "
                                       "library may replace");
}

LogicalResult mlir::ds::linkModel(ArrayRef<VariantCode> code,
                                  ModelDescription description,
                                  const ParameterProgram *program,
                                  const LinkOptions &options) {
  ModuleOp first = *code.front().module;
  Location loc = first.getLoc();
  registerTranslations(*first.getContext());

  namespace path = llvm::sys::path;
  TemporaryFiles temporary;
  std::string stamp = ".tmp" + std::to_string(::getpid());
  auto temporaryPath = [&](const Twine &suffix) {
    temporary.paths.push_back((options.output + stamp + suffix).str());
    return temporary.paths.back();
  };

  // Weights first: the descriptor holds their offsets.
  SmallString<128> weightsPath(options.output);
  path::replace_extension(weightsPath, "weights.safetensors");
  for (StringRef output : {StringRef(options.output), weightsPath.str()})
    if (failed(requireReplaceable(loc, output)))
      return failure();
  std::string weightsTemporary;
  uint64_t weightsBytes = 0;
  if (!description.parameters.empty()) {
    weightsTemporary = temporaryPath(".weights");
    if (failed(writeWeights(loc, description, program, weightsTemporary,
                            weightsBytes)))
      return failure();
  }

  std::unique_ptr<llvm::MemoryBuffer> embedded;
  if (options.embedWeights && !weightsTemporary.empty()) {
    // Code reaches data by offsets of 32 bits.
    constexpr uint64_t most = uint64_t(1) << 30;
    if (weightsBytes > most)
      return emitError(loc) << "--weights=embed: the weights have "
                            << weightsBytes << " bytes, at most " << most
                            << " fit into the library; leave them in a file";
    auto read = llvm::MemoryBuffer::getFile(weightsTemporary);
    if (!read)
      return emitError(loc) << "cannot read '" << weightsTemporary
                            << "': " << read.getError().message();
    embedded = std::move(*read);
  }

  llvm::LLVMContext llvmContext;
  std::vector<std::string> objects;
  std::vector<CpuVariant> variants;
  for (const VariantCode &each : code)
    variants.push_back(each.variant);
  for (const VariantCode &each : code) {
    const CpuVariant &variant = each.variant;
    std::string problem;
    std::unique_ptr<llvm::TargetMachine> machine =
        targetMachine(variant, problem);
    if (!machine)
      return emitError(loc) << problem;
    std::unique_ptr<llvm::Module> llvmModule =
        translate(each, *machine, llvmContext);
    if (!llvmModule)
      return failure();
    objects.push_back(temporaryPath("." + Twine(variant.name) + ".o"));
    if (failed(emitObject(loc, *llvmModule, *machine, objects.back())))
      return failure();
    if (objects.size() == 1) {
      llvm::Module descriptor("descriptor", llvmContext);
      descriptor.setDataLayout(machine->createDataLayout());
      descriptor.setTargetTriple(machine->getTargetTriple());
      buildDescriptor(
          descriptor, description, options, variants,
          weightsTemporary.empty() || embedded ? StringRef()
                                               : path::filename(weightsPath),
          embedded ? embedded->getBuffer() : StringRef(), weightsBytes);
      objects.push_back(temporaryPath(".descriptor.o"));
      if (failed(emitObject(loc, descriptor, *machine, objects.back())))
        return failure();
    }
  }
  std::string library = temporaryPath(".so");
  if (failed(runLld(loc, objects, library)))
    return failure();

  // Both files appear whole, the weights before the library that wants them.
  auto publish = [&](StringRef from, StringRef to) -> LogicalResult {
    if (std::error_code code = llvm::sys::fs::rename(from, to))
      return emitError(loc)
             << "cannot write '" << to << "': " << code.message();
    return success();
  };
  if (!weightsTemporary.empty() && !embedded &&
      failed(publish(weightsTemporary, weightsPath)))
    return failure();
  return publish(library, options.output);
}
