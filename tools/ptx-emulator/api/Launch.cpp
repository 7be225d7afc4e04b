//===- Launch.cpp - launches and occupancy --------------------------------===//
#include "tools/ptx-emulator/api/Launches.h"

#include <algorithm>
#include <cstring>

namespace cuda {

[[noreturn]] static void refuse(const std::string &why) {
  throw Failure{CUDA_ERROR_INVALID_VALUE, why};
}

/// All parameters as `extra` gives them: a buffer and its size.
static std::vector<uint8_t> parametersOf(void **extra, uint64_t needed) {
  const void *buffer = nullptr;
  const size_t *size = nullptr;
  for (; *extra != CU_LAUNCH_PARAM_END; extra += 2) {
    if (extra[0] == CU_LAUNCH_PARAM_BUFFER_POINTER)
      buffer = extra[1];
    else if (extra[0] == CU_LAUNCH_PARAM_BUFFER_SIZE)
      size = static_cast<const size_t *>(extra[1]);
    else
      refuse("extra has an unknown mark");
  }
  if (!buffer || !size)
    refuse("extra has no buffer, or not its size");
  if (*size < needed)
    refuse("extra has " + std::to_string(*size) +
           " bytes of parameters, the kernel takes " + std::to_string(needed));
  auto *bytes = static_cast<const uint8_t *>(buffer);
  return {bytes, bytes + needed};
}

static std::vector<uint8_t> parametersOf(const ptx::Kernel &kernel,
                                         void **parameters, void **extra) {
  const std::vector<ptx::Variable> &declared = kernel.entry->parameters;
  if (parameters && extra)
    refuse("both parameters and extra are given");
  if (extra)
    return parametersOf(extra, kernel.parameterBytes);
  std::vector<uint8_t> bytes(kernel.parameterBytes);
  if (!declared.empty())
    notNull(parameters, "the list of parameters");
  for (size_t i = 0; i < declared.size(); ++i) {
    if (!parameters[i])
      refuse("parameter " + std::to_string(i) + " is null");
    std::memcpy(&bytes[kernel.parameterOffsets[i]], parameters[i],
                declared[i].size());
  }
  return bytes;
}

static std::shared_ptr<Module> moduleOf(const Function &function,
                                        Context &context) {
  std::shared_ptr<Module> module = function.module.lock();
  if (!module || module->context != &context)
    throw Failure{CUDA_ERROR_INVALID_HANDLE,
                  "the function is of another context"};
  return module;
}

Launch makeLaunch(Driver &driver, Context &context, CUfunction handle,
                  const ptx::LaunchShape &asked, void **parameters,
                  void **extra) {
  std::shared_ptr<Function> function = driver.functions.get(handle);
  std::shared_ptr<Module> module = moduleOf(*function, context);
  const ptx::Kernel &kernel = *function->kernel;
  ptx::LaunchShape shape = asked;
  shape.allowsLargeClusters = function->allowsLargeClusters;
  shape.cluster = ptx::clusterOf(*kernel.entry, asked);
  if (shape.dynamicShared > function->mostDynamicShared)
    refuse(std::to_string(shape.dynamicShared) +
           " bytes of dynamic shared memory, of which the function may have " +
           std::to_string(function->mostDynamicShared) +
           " (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)");
  if (ptx::Refusal refusal = ptx::refusalOf(kernel, shape, driver.limits))
    throw Failure{CUresult(refusal.kind), refusal.why};
  return {module, &kernel, shape, parametersOf(kernel, parameters, extra)};
}

Launch makeLaunch(Driver &driver, Context &context,
                  const CUDA_KERNEL_NODE_PARAMS &of, bool isCooperative) {
  if (of.kern)
    throw Failure{CUDA_ERROR_NOT_SUPPORTED,
                  "kernels of libraries (CUkernel) are not emulated"};
  ptx::LaunchShape shape;
  shape.grid = {of.gridDimX, of.gridDimY, of.gridDimZ};
  shape.block = {of.blockDimX, of.blockDimY, of.blockDimZ};
  shape.dynamicShared = of.sharedMemBytes;
  shape.isCooperative = isCooperative;
  return makeLaunch(driver, context, of.func, shape, of.kernelParams, of.extra);
}

static void launch(Driver &driver, Context &context, CUstream stream,
                   CUfunction function, const ptx::LaunchShape &shape,
                   void **parameters, void **extra) {
  std::shared_ptr<Stream> on = driver.stream(context, stream);
  driver.submit(
      *on, makeLaunch(driver, context, function, shape, parameters, extra));
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY,
                        unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned sharedBytes, CUstream stream,
                        void **parameters, void **extra) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    ptx::LaunchShape shape;
    shape.grid = {gridX, gridY, gridZ};
    shape.block = {blockX, blockY, blockZ};
    shape.dynamicShared = sharedBytes;
    launch(driver, context, stream, function, shape, parameters, extra);
  });
}

CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned gridX,
                                   unsigned gridY, unsigned gridZ,
                                   unsigned blockX, unsigned blockY,
                                   unsigned blockZ, unsigned sharedBytes,
                                   CUstream stream, void **parameters) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    ptx::LaunchShape shape;
    shape.grid = {gridX, gridY, gridZ};
    shape.block = {blockX, blockY, blockZ};
    shape.dynamicShared = sharedBytes;
    shape.isCooperative = true;
    launch(driver, context, stream, function, shape, parameters, nullptr);
  });
}

static ptx::LaunchShape shapeOf(const CUlaunchConfig &config) {
  ptx::LaunchShape shape;
  shape.grid = {config.gridDimX, config.gridDimY, config.gridDimZ};
  shape.block = {config.blockDimX, config.blockDimY, config.blockDimZ};
  shape.dynamicShared = config.sharedMemBytes;
  if (config.numAttrs)
    notNull(config.attrs, "the list of attributes");
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    const CUlaunchAttributeValue &value = config.attrs[i].value;
    switch (config.attrs[i].id) {
    case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
      shape.isCooperative = value.cooperative;
      break;
    case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
      shape.cluster = {value.clusterDim.x, value.clusterDim.y,
                       value.clusterDim.z};
      if (shape.cluster.count() == 0)
        throw Failure{CUDA_ERROR_INVALID_CLUSTER_SIZE, "clusters of no blocks"};
      break;
    case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
      shape.mayBeginEarly = value.programmaticStreamSerializationAllowed;
      break;
    // A hint of what is urgent: nobody must use it.
    case CU_LAUNCH_ATTRIBUTE_PRIORITY:
    case CU_LAUNCH_ATTRIBUTE_IGNORE:
      break;
    default:
      throw Failure{CUDA_ERROR_NOT_SUPPORTED,
                    "attribute " + std::to_string(int(config.attrs[i].id)) +
                        " of a launch is not emulated"};
    }
  }
  return shape;
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function,
                          void **parameters, void **extra) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    const CUlaunchConfig &of = *notNull(config, "the configuration");
    launch(driver, context, of.hStream, function, shapeOf(of), parameters,
           extra);
  });
}

//===-- occupancy ---------------------------------------------------------===//

/// Blocks on the whole device; 0 if it takes none.
static uint64_t occupancy(Driver &driver, const Function &function,
                          const ptx::LaunchShape &shape) {
  const ptx::Kernel &kernel = *function.kernel;
  if (shape.block.count() > driver.limits.threadsPerBlock ||
      shape.dynamicShared > driver.limits.sharedPerBlock ||
      kernel.staticShared + shape.dynamicShared > driver.limits.sharedPerBlock)
    return 0;
  return ptx::residentBlocks(kernel, shape, driver.limits);
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks,
                                                     CUfunction function,
                                                     int threads,
                                                     size_t sharedBytes) {
  return performInContext(__func__, [&](Driver &driver, Context &) {
    notNull(blocks, "the number of blocks");
    if (threads <= 0)
      refuse("blocks of no threads");
    ptx::LaunchShape shape;
    shape.block.x = unsigned(threads);
    shape.dynamicShared = sharedBytes;
    *blocks = int(occupancy(driver, *driver.functions.get(function), shape) /
                  driver.limits.multiprocessors);
  });
}

CUresult cuOccupancyMaxActiveClusters(int *clusters, CUfunction handle,
                                      const CUlaunchConfig *config) {
  return performInContext(__func__, [&](Driver &driver, Context &) {
    notNull(clusters, "the number of clusters");
    std::shared_ptr<Function> function = driver.functions.get(handle);
    ptx::LaunchShape shape = shapeOf(*notNull(config, "the configuration"));
    shape.allowsLargeClusters = function->allowsLargeClusters;
    if (ptx::Refusal refusal =
            ptx::refusalOf(*function->kernel, shape, driver.limits))
      throw Failure{CUresult(refusal.kind), refusal.why};
    uint64_t size = ptx::clusterOf(*function->kernel->entry, shape).count();
    *clusters = int(occupancy(driver, *function, shape) / size);
  });
}

} // namespace cuda
