//===- Device.cpp - what devices are --------------------------------------===//
#include "tools/ptx-emulator/api/Driver.h"

#include <cstring>
#include <optional>

namespace cuda {

CUresult cuDeviceGetCount(int *count) {
  return perform(__func__, [&](Driver &driver) {
    *notNull(count, "the count") = int(driver.devices.size());
  });
}

CUresult cuDeviceGet(CUdevice *device, int number) {
  return perform(__func__, [&](Driver &driver) {
    *notNull(device, "the device") = driver.deviceContext(number).device;
  });
}

CUresult cuDeviceGetName(char *name, int size, CUdevice device) {
  return perform(__func__, [&](Driver &driver) {
    driver.deviceContext(device);
    notNull(name, "the name");
    if (size <= 0)
      throw Failure{CUDA_ERROR_INVALID_VALUE, "no room for a name"};
    std::string text = driver.hasClusters() ? "DS PTX emulator (sm_90a)"
                                            : "DS PTX emulator (sm_80)";
    size_t length = std::min(size_t(size) - 1, text.size());
    std::memcpy(name, text.data(), length);
    name[length] = 0;
  });
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  return perform(__func__, [&](Driver &driver) {
    driver.deviceContext(device);
    *notNull(bytes, "the number of bytes") = deviceMemoryBytes;
  });
}

static std::optional<int> valueOf(CUdevice_attribute attribute,
                                  const Driver &driver) {
  const ptx::DeviceLimits &limits = driver.limits;
  bool isHopper = driver.hasClusters();
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y:
    return int(limits.threadsPerBlock);
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z:
    return 64;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
    return INT32_MAX;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z:
    return 65535;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK:
    return int(defaultSharedBytes);
  case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY:
    return 64 << 10;
  case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
    return int(ptx::warpSize);
  case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
  case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR:
    return 65536;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    return int(limits.multiprocessors);
  case CU_DEVICE_ATTRIBUTE_INTEGRATED:
    return 0;
  case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
  case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
  case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
  case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH:
  case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED:
    return 1;
  case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
    return isHopper ? 50 << 20 : 40 << 20;
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
    return int(limits.threadsPerMultiprocessor);
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    return isHopper ? 9 : 8;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    return 0;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
    return int(limits.sharedPerMultiprocessor);
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    return int(limits.sharedPerBlock);
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR:
    return int(ptx::blocksPerMultiprocessor);
  case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK:
    return int(ptx::reservedShared);
  case CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH:
  case CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED:
    return isHopper;
  }
  return std::nullopt;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute,
                              CUdevice device) {
  return perform(__func__, [&](Driver &driver) {
    driver.deviceContext(device);
    notNull(value, "the value");
    std::optional<int> known = valueOf(attribute, driver);
    if (!known)
      throw Failure{CUDA_ERROR_INVALID_VALUE,
                    "attribute " + std::to_string(int(attribute)) +
                        " of a device is not emulated"};
    *value = *known;
  });
}

//===-- contexts ----------------------------------------------------------===//

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  return perform(__func__, [&](Driver &driver) {
    Context &own = driver.deviceContext(device);
    *notNull(context, "the context") = own.handle;
    ++own.retained;
  });
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  return perform(__func__, [&](Driver &driver) {
    Context &own = driver.deviceContext(device);
    if (!own.retained)
      throw Failure{CUDA_ERROR_INVALID_CONTEXT,
                    "the primary context is not retained"};
    if (own.retained == 1) {
      driver.finish(own);
      driver.destroy(own);
    }
    --own.retained;
  });
}

/// Throws Failure.
static void checkContext(Driver &driver, CUcontext context) {
  std::shared_ptr<Context> found = driver.contexts.find(context);
  if (!found || !found->retained)
    throw Failure{CUDA_ERROR_INVALID_CONTEXT,
                  "there is no context of that handle"};
}

CUresult cuCtxSetCurrent(CUcontext context) {
  return perform(__func__, [&](Driver &driver) {
    if (context)
      checkContext(driver, context);
    std::vector<CUcontext> &current = currentContexts();
    if (!current.empty())
      current.pop_back();
    if (context)
      current.push_back(context);
  });
}

CUresult cuCtxGetCurrent(CUcontext *context) {
  return perform(__func__, [&](Driver &) {
    const std::vector<CUcontext> &current = currentContexts();
    *notNull(context, "the context") =
        current.empty() ? nullptr : current.back();
  });
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
  return perform(__func__, [&](Driver &driver) {
    checkContext(driver, context);
    currentContexts().push_back(context);
  });
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  return perform(__func__, [&](Driver &) {
    std::vector<CUcontext> &current = currentContexts();
    if (current.empty())
      throw Failure{CUDA_ERROR_INVALID_CONTEXT, "no context is current"};
    if (context)
      *context = current.back();
    current.pop_back();
  });
}

CUresult cuCtxSynchronize() {
  return performInContext(__func__, [](Driver &driver, Context &context) {
    driver.forbidCaptures(context, "cuCtxSynchronize");
    driver.drain(context);
  });
}

} // namespace cuda
