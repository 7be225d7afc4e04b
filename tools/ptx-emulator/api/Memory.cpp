//===- Memory.cpp - memory of the device and of the host ------------------===//
#include "tools/ptx-emulator/api/Driver.h"

#include <cstdlib>
#include <new>

namespace cuda {

[[noreturn]] static void refuse(const std::string &why) {
  throw Failure{CUDA_ERROR_INVALID_VALUE, why};
}

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  return performInContext(__func__, [&](Driver &, Context &context) {
    notNull(free, "the free bytes");
    *notNull(total, "the total bytes") = deviceMemoryBytes;
    *free = deviceMemoryBytes - context.bytesInUse;
  });
}

static CUdeviceptr allocate(Driver &driver, Context &context, size_t bytes) {
  if (bytes == 0)
    refuse("an allocation of no bytes");
  if (bytes > deviceMemoryBytes - context.bytesInUse)
    throw Failure{CUDA_ERROR_OUT_OF_MEMORY,
                  std::to_string(bytes) + " bytes are asked for, " +
                      std::to_string(deviceMemoryBytes - context.bytesInUse) +
                      " are free"};
  uint64_t base =
      driver.memory
          .allocate(bytes, "allocation " + std::to_string(++driver.allocations))
          .base;
  context.allocations.insert(base);
  context.bytesInUse += bytes;
  return base;
}

/// The allocation is no longer the context's; what it holds may still be used
/// by work that is queued.
static void forget(Driver &driver, Context &context, CUdeviceptr address) {
  if (!context.allocations.erase(address))
    refuse("no allocation begins at " + driver.memory.describe(address));
  context.bytesInUse -= driver.memory.find(address, 1)->size;
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(address, "the address");
    driver.forbidCaptures(context, "cuMemAlloc");
    *address = allocate(driver, context, bytes);
  });
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    if (!address)
      return;
    driver.forbidCaptures(context, "cuMemFree");
    driver.drain(context);
    forget(driver, context, address);
    driver.memory.free(address);
  });
}

CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream stream) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(address, "the address");
    driver.forbidCapture(*driver.stream(context, stream), "cuMemAllocAsync");
    *address = allocate(driver, context, bytes);
  });
}

CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<Stream> on = driver.stream(context, stream);
    driver.forbidCapture(*on, "cuMemFreeAsync");
    if (!address)
      return;
    forget(driver, context, address);
    driver.submit(*on, Free{address});
  });
}

//===-- memory of the host ------------------------------------------------===//

/// Kernels may use it at its own address from now on.
static void addHost(Driver &driver, void *bytes, size_t count,
                    const char *origin) {
  uint64_t base = reinterpret_cast<uintptr_t>(bytes);
  if (driver.memory.overlaps(base, count))
    throw Failure{CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
                  "part of it is registered already: " +
                      driver.memory.describe(base)};
  driver.memory.addHost(bytes, count, origin);
}

static void allocateHost(Driver &driver, Context &context, void **bytes,
                         size_t count) {
  notNull(bytes, "the address");
  driver.forbidCaptures(context, "an allocation");
  if (count == 0)
    refuse("an allocation of no bytes");
  constexpr size_t page = 4096;
  if (count > SIZE_MAX - page)
    throw std::bad_alloc();
  std::unique_ptr<void, Context::HostDelete> memory(
      std::aligned_alloc(page, (count + page - 1) / page * page));
  if (!memory)
    throw std::bad_alloc();
  addHost(driver, memory.get(), count, "memory of the host");
  *bytes = memory.get();
  context.hostAllocations[*bytes] = std::move(memory);
}

CUresult cuMemAllocHost_v2(void **bytes, size_t count) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    allocateHost(driver, context, bytes, count);
  });
}

/// Of cuMemHostAlloc and cuMemHostRegister, whose flags are alike.
static void checkFlags(unsigned flags) {
  constexpr unsigned known = CU_MEMHOSTALLOC_PORTABLE |
                             CU_MEMHOSTALLOC_DEVICEMAP |
                             CU_MEMHOSTALLOC_WRITECOMBINED;
  if (flags & ~known)
    refuse("flags " + std::to_string(flags) + " are not emulated");
}

CUresult cuMemHostAlloc(void **bytes, size_t count, unsigned flags) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    checkFlags(flags);
    allocateHost(driver, context, bytes, count);
  });
}

CUresult cuMemFreeHost(void *bytes) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    driver.forbidCaptures(context, "cuMemFreeHost");
    auto found = context.hostAllocations.find(bytes);
    if (found == context.hostAllocations.end())
      refuse("no memory of the host was allocated there");
    driver.drain(context);
    driver.memory.free(reinterpret_cast<uintptr_t>(bytes));
    context.hostAllocations.erase(found);
  });
}

CUresult cuMemHostRegister_v2(void *bytes, size_t count, unsigned flags) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(bytes, "the address");
    checkFlags(flags);
    if (count == 0)
      refuse("no bytes to register");
    addHost(driver, bytes, count, "registered memory of the host");
    context.registered.insert(bytes);
  });
}

CUresult cuMemHostUnregister(void *bytes) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    if (!context.registered.contains(bytes))
      throw Failure{CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED,
                    "the memory is not registered"};
    driver.drain(context);
    context.registered.erase(bytes);
    driver.memory.free(reinterpret_cast<uintptr_t>(bytes));
  });
}

} // namespace cuda
