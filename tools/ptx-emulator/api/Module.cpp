//===- Module.cpp - modules and their functions ---------------------------===//
#include "tools/ptx-emulator/api/Driver.h"
#include "tools/ptx-emulator/ptx/Lexer.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace cuda {

namespace {
/// A buffer of the caller that takes what the compiler says.
struct Log {
  char *text = nullptr;
  size_t size = 0;
  void **sizeValue = nullptr; // takes the bytes that were written

  void write(const std::string &what) {
    if (!text || !size)
      return;
    size_t length = std::min(size - 1, what.size());
    std::memcpy(text, what.data(), length);
    text[length] = 0;
    if (sizeValue)
      *sizeValue = reinterpret_cast<void *>(uintptr_t(length));
  }
};

struct Logs {
  Log info, error;

  /// Other options ask for code of another kind, and there is none.
  Logs(unsigned count, const CUjit_option *options, void **values) {
    for (unsigned i = 0; i < count; ++i) {
      switch (options[i]) {
      case CU_JIT_INFO_LOG_BUFFER:
        info.text = static_cast<char *>(values[i]);
        break;
      case CU_JIT_ERROR_LOG_BUFFER:
        error.text = static_cast<char *>(values[i]);
        break;
      case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
        setSize(info, values[i]);
        break;
      case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
        setSize(error, values[i]);
        break;
      }
    }
  }

private:
  static void setSize(Log &log, void *&value) {
    // 32 bits of the value are the number.
    log.size = uint32_t(reinterpret_cast<uintptr_t>(value));
    log.sizeValue = &value;
  }
};
} // namespace

/// Throws Failure for what is no text.
static void checkImage(const void *image) {
  constexpr unsigned char elf[] = {0x7f, 'E', 'L', 'F'},
                          fatBinary[] = {0x50, 0xed, 0x55, 0xba};
  // A shorter text ends at its NUL.
  for (const auto &magic : {elf, fatBinary})
    if (std::strncmp(static_cast<const char *>(image),
                     reinterpret_cast<const char *>(magic), 4) == 0)
      throw Failure{CUDA_ERROR_INVALID_IMAGE,
                    "the image is machine code (cubin or fatbin); the emulator "
                    "takes PTX, as nvcc -ptx writes it"};
}

static CUresult resultOf(ptx::ErrorKind kind) {
  switch (kind) {
  case ptx::ErrorKind::Version:
    return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  case ptx::ErrorKind::Target:
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  case ptx::ErrorKind::Invalid:
    break;
  }
  return CUDA_ERROR_INVALID_PTX;
}

static void checkTarget(const Driver &driver, const ptx::Module &module) {
  unsigned device = driver.settings.architecture;
  if (module.architecture <= device)
    return;
  throw Failure{CUDA_ERROR_NO_BINARY_FOR_GPU,
                "the module is for sm_" + std::to_string(module.architecture) +
                    (module.isArchitectureSpecific ? "a" : "") +
                    ", the device is sm_" + std::to_string(device) +
                    " (DS_EMU_ARCH)"};
}

static CUmodule load(Driver &driver, Context &context, const void *image,
                     Logs &logs) {
  checkImage(notNull(image, "the image"));
  auto module = std::make_shared<Module>();
  module->context = &context;
  try {
    module->loaded = std::make_unique<ptx::LoadedModule>(
        static_cast<const char *>(image), driver.memory);
    const ptx::Module &parsed = module->loaded->module();
    checkTarget(driver, parsed);
    // A driver compiles all of a module when it is loaded.
    size_t entries = 0;
    for (const ptx::Function &each : parsed.functions)
      entries += each.isEntry && module->loaded->kernel(each.name);
    logs.info.write(std::to_string(entries) + " entries for sm_" +
                    std::to_string(parsed.architecture));
  } catch (const ptx::Error &error) {
    logs.error.write(error.what());
    throw Failure{resultOf(error.kind), error.what()};
  } catch (const Failure &failure) {
    logs.error.write(failure.why);
    throw;
  }
  return driver.modules.add(module);
}

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(module, "the module");
    Logs none(0, nullptr, nullptr);
    *module = load(driver, context, image, none);
  });
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count,
                            CUjit_option *options, void **values) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(module, "the module");
    if (count) {
      notNull(options, "the options");
      notNull(values, "the values of the options");
    }
    Logs logs(count, options, values);
    *module = load(driver, context, image, logs);
  });
}

CUresult cuModuleUnload(CUmodule handle) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    driver.modules.get(handle);
    driver.drain(context);
    std::shared_ptr<Module> module = driver.modules.remove(handle);
    module->isUnloaded = true;
    driver.functions.removeIf(
        [&](const Function &each) { return each.module.lock() == module; });
  });
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule handle,
                             const char *name) {
  return performInContext(__func__, [&](Driver &driver, Context &) {
    notNull(function, "the function");
    std::string asked = notNull(name, "the name");
    std::shared_ptr<Module> module = driver.modules.get(handle);
    const ptx::Kernel *kernel = module->loaded->kernel(asked);
    if (!kernel)
      throw Failure{CUDA_ERROR_NOT_FOUND,
                    "the module has no entry '" + asked + "'"};
    CUfunction &known = module->functions[asked];
    if (!known) {
      auto created = std::make_shared<Function>();
      created->module = module;
      created->kernel = kernel;
      created->mostDynamicShared =
          defaultSharedBytes -
          std::min(defaultSharedBytes, kernel->staticShared);
      known = driver.functions.add(created);
    }
    *function = known;
  });
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes,
                              CUmodule handle, const char *name) {
  return performInContext(__func__, [&](Driver &driver, Context &) {
    std::string asked = notNull(name, "the name");
    const ptx::Allocation *found =
        driver.modules.get(handle)->loaded->variable(asked);
    if (!found)
      throw Failure{CUDA_ERROR_NOT_FOUND,
                    "the module has no variable '" + asked + "'"};
    if (address)
      *address = found->base;
    if (bytes)
      *bytes = found->size;
  });
}

//===-- functions ---------------------------------------------------------===//

static int mostThreads(const ptx::Function &entry,
                       const ptx::DeviceLimits &limits) {
  for (const uint32_t *each : {entry.requiredThreads, entry.maxThreads})
    if (each[0])
      return int(std::min(uint64_t(each[0]) * each[1] * each[2],
                          uint64_t(limits.threadsPerBlock)));
  return int(limits.threadsPerBlock);
}

static uint64_t constantBytes(const ptx::Module &module) {
  uint64_t bytes = 0;
  for (const ptx::Variable &each : module.variables)
    bytes += each.space == ptx::Space::Constant ? each.size() : 0;
  return bytes;
}

static std::optional<int> valueOf(CUfunction_attribute attribute,
                                  const Driver &driver,
                                  const Function &function) {
  const ptx::Kernel &kernel = *function.kernel;
  const ptx::Function &entry = *kernel.entry;
  switch (attribute) {
  case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    return mostThreads(entry, driver.limits);
  case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
    return int(kernel.staticShared);
  case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
    return int(constantBytes(*kernel.module));
  case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: {
    uint64_t bytes = 0;
    for (const ptx::Code &each : kernel.codes)
      bytes += each.localBytes;
    return int(bytes);
  }
  case CU_FUNC_ATTRIBUTE_NUM_REGS:
    // What is never in use at once shares registers on a device; here it is
    // only said that there are not more.
    return int(std::clamp<uint32_t>(kernel.codes[0].rows, 16, 255));
  case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    return int(kernel.module->major * 10 + kernel.module->minor);
  case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
    return int(driver.settings.architecture);
  case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA:
  case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
    return 0;
  case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
    return int(function.mostDynamicShared);
  case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
    return function.carveout;
  case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET:
    return entry.isExplicitCluster && !entry.requiredCluster[0];
  case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
  case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
  case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
    return int(entry.requiredCluster[attribute -
                                     CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH]);
  case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
    return function.allowsLargeClusters;
  }
  return std::nullopt;
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute,
                            CUfunction handle) {
  return performInContext(__func__, [&](Driver &driver, Context &) {
    notNull(value, "the value");
    std::optional<int> known =
        valueOf(attribute, driver, *driver.functions.get(handle));
    if (!known)
      throw Failure{CUDA_ERROR_INVALID_VALUE,
                    "there is no attribute " + std::to_string(int(attribute)) +
                        " of a function"};
    *value = *known;
  });
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute,
                            int value) {
  return performInContext(__func__, [&](Driver &driver, Context &) {
    Function &function = *driver.functions.get(handle);
    auto refuseBeyond = [&](int least, uint64_t most) {
      if (value < least || (value > 0 && uint64_t(value) > most))
        throw Failure{CUDA_ERROR_INVALID_VALUE,
                      "attribute " + std::to_string(int(attribute)) +
                          " cannot be " + std::to_string(value) + ": it is " +
                          std::to_string(least) + " to " +
                          std::to_string(most)};
    };
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      refuseBeyond(0, driver.limits.sharedPerBlock -
                          std::min(driver.limits.sharedPerBlock,
                                   function.kernel->staticShared));
      function.mostDynamicShared = uint64_t(value);
      return;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      refuseBeyond(-1, 100);
      function.carveout = value;
      return;
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
      refuseBeyond(0, 1);
      function.allowsLargeClusters = value;
      return;
    default:
      throw Failure{CUDA_ERROR_INVALID_VALUE,
                    "attribute " + std::to_string(int(attribute)) +
                        " of a function cannot be set"};
    }
  });
}

} // namespace cuda
