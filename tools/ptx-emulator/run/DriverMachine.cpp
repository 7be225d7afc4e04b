//===- DriverMachine.cpp - a driver that runs a kernel --------------------===//
#include "tools/ptx-emulator/api/Types.h"
#include "tools/ptx-emulator/run/Machine.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <stdexcept>

namespace ptx {

using namespace cuda;

namespace {
/// The calls of a driver; null where an optional one is missing.
struct Calls {
#define DS_CUDA_CALL(name, need, parameters) CUresult(*name) parameters;
#include "tools/ptx-emulator/api/table.def"
};

enum class Need { Required, Optional };

Calls load(const std::string &path) {
  void *library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw std::runtime_error("--driver: " + std::string(::dlerror()));
  Calls calls;
  auto find = [&](const char *name, auto &call, Need need) {
    call = reinterpret_cast<std::remove_reference_t<decltype(call)>>(
        ::dlsym(library, name));
    if (!call && need == Need::Required)
      throw std::runtime_error("--driver: '" + path + "' has no " + name);
  };
#define DS_CUDA_CALL(name, need, parameters)                                   \
  find(#name, calls.name, Need::need);
#include "tools/ptx-emulator/api/table.def"
  // Never closed: drivers keep threads that run code of it.
  return calls;
}

/// What the emulator's driver reads; those of GPUs do not know them.
void setVariables(const Module &module, const Options &options) {
  auto set = [](const char *name, const std::string &value) {
    ::setenv(name, value.c_str(), /*overwrite=*/1);
  };
  constexpr const char *modes[] = {"early", "late", "random"};
  set("DS_EMU_ARCH", module.architecture >= 90 ? "sm_90a" : "sm_80");
  set("DS_EMU_SEED", std::to_string(options.seed));
  set("DS_EMU_LIMIT", std::to_string(options.limit));
  set("DS_EMU_ASYNC", modes[size_t(options.asynchrony)]);
  set("DS_EMU_RACE", options.checksRaces ? "1" : "0");
  set("DS_EMU_UNINIT", options.checksDefined ? "error" : "warn");
  if (!options.coverage.empty())
    set("DS_EMU_COVERAGE", options.coverage);
}

class DriverMachine : public Machine {
public:
  DriverMachine(const std::string &library, const std::string &source,
                const std::string &entry)
      : cu(load(library)) {
    must("cuInit", cu.cuInit(0));
    must("cuDeviceGet", cu.cuDeviceGet(&device, 0));
    CUcontext context;
    must("cuDevicePrimaryCtxRetain",
         cu.cuDevicePrimaryCtxRetain(&context, device));
    must("cuCtxSetCurrent", cu.cuCtxSetCurrent(context));
    char log[4096] = "";
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                              CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
    CUresult loaded =
        cu.cuModuleLoadDataEx(&module, source.c_str(), 2, options, values);
    must("cuModuleLoadDataEx", loaded, log);
    must("cuModuleGetFunction",
         cu.cuModuleGetFunction(&function, module, entry.c_str()));
  }

  uint64_t allocate(uint64_t bytes, const std::string &) override {
    CUdeviceptr address = 0;
    must("cuMemAlloc", cu.cuMemAlloc_v2(&address, bytes));
    return address;
  }

  void write(uint64_t address, const std::vector<uint8_t> &bytes) override {
    must("cuMemcpyHtoD",
         cu.cuMemcpyHtoD_v2(address, bytes.data(), bytes.size()));
  }

  Contents read(uint64_t address, uint64_t bytes) override {
    Contents contents;
    contents.bytes.resize(bytes);
    must("cuMemcpyDtoH",
         cu.cuMemcpyDtoH_v2(contents.bytes.data(), address, bytes));
    return contents;
  }

  std::vector<uint8_t> encode(const TensorMapRequest &of) override {
    if (!cu.cuTensorMapEncodeTiled)
      throw std::runtime_error("the driver has no cuTensorMapEncodeTiled");
    CUtensorMap map;
    must("cuTensorMapEncodeTiled",
         cu.cuTensorMapEncodeTiled(
             &map, CUtensorMapDataType(of.type), of.rank,
             reinterpret_cast<void *>(uintptr_t(of.base)), of.sizes, of.strides,
             of.box, of.elementStrides, CUtensorMapInterleave(of.interleave),
             CUtensorMapSwizzle(of.swizzle),
             CUtensorMapL2promotion(of.promotion),
             CUtensorMapFloatOOBfill(of.fill)));
    std::vector<uint8_t> bytes(sizeof map);
    std::memcpy(bytes.data(), &map, sizeof map);
    return bytes;
  }

  void launch(const LaunchShape &shape,
              const std::vector<std::vector<uint8_t>> &values) override {
    if (shape.dynamicShared)
      must("cuFuncSetAttribute",
           cu.cuFuncSetAttribute(
               function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
               int(shape.dynamicShared)));
    std::vector<void *> parameters;
    for (const std::vector<uint8_t> &each : values)
      parameters.push_back(const_cast<uint8_t *>(each.data()));
    const Dimensions &grid = shape.grid, &block = shape.block;
    if (shape.cluster.count() > 1) {
      launchClusters(shape, parameters.data());
    } else if (shape.isCooperative) {
      must("cuLaunchCooperativeKernel",
           cu.cuLaunchCooperativeKernel(
               function, grid.x, grid.y, grid.z, block.x, block.y, block.z,
               unsigned(shape.dynamicShared), nullptr, parameters.data()));
    } else {
      must("cuLaunchKernel",
           cu.cuLaunchKernel(function, grid.x, grid.y, grid.z, block.x, block.y,
                             block.z, unsigned(shape.dynamicShared), nullptr,
                             parameters.data(), nullptr));
    }
    must("cuCtxSynchronize", cu.cuCtxSynchronize());
  }

private:
  void launchClusters(const LaunchShape &shape, void **parameters) {
    if (!cu.cuLaunchKernelEx)
      throw std::runtime_error("the driver has no cuLaunchKernelEx");
    constexpr unsigned portable = 8;
    if (shape.cluster.count() > portable)
      must("cuFuncSetAttribute",
           cu.cuFuncSetAttribute(
               function, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED,
               1));
    CUlaunchAttribute attributes[2] = {};
    attributes[0].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attributes[0].value.clusterDim = {shape.cluster.x, shape.cluster.y,
                                      shape.cluster.z};
    attributes[1].id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
    attributes[1].value.cooperative = shape.isCooperative;
    CUlaunchConfig config = {shape.grid.x,
                             shape.grid.y,
                             shape.grid.z,
                             shape.block.x,
                             shape.block.y,
                             shape.block.z,
                             unsigned(shape.dynamicShared),
                             nullptr,
                             attributes,
                             2};
    must("cuLaunchKernelEx",
         cu.cuLaunchKernelEx(&config, function, parameters, nullptr));
  }

  void must(const char *call, CUresult result, const char *log = "") {
    if (result == CUDA_SUCCESS)
      return;
    const char *name = nullptr, *text = nullptr;
    cu.cuGetErrorName(result, &name);
    cu.cuGetErrorString(result, &text);
    throw std::runtime_error(std::string(call) + ": " +
                             (name ? name : std::to_string(result)) +
                             (text ? std::string(" (") + text + ")" : "") +
                             (*log ? std::string("\n") + log : ""));
  }

  const Calls cu;
  CUdevice device = 0;
  CUmodule module = nullptr;
  CUfunction function = nullptr;
};
} // namespace

std::unique_ptr<Machine> openDriver(const std::string &library,
                                    const std::string &source,
                                    const Module &module,
                                    const std::string &entry,
                                    const Options &options) {
  setVariables(module, options);
  return std::make_unique<DriverMachine>(library, source, entry);
}

} // namespace ptx
