//===- ContextTest.cpp - devices, contexts and the environment ------------===//
#include "test/unit/ptx-emulator/Emulator.h"

#include <thread>

using namespace test;

namespace {

using ContextTest = Emulator;

TEST_F(ContextTest, NeedsInit) {
  EXPECT_OK(cu.dsEmuReset());
  int count = 0;
  CUdeviceptr address = 0;
  EXPECT_EQ(cu.cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(cu.cuMemAlloc_v2(&address, 4), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT_OK(cu.cuDriverGetVersion(&count));
  EXPECT_EQ(count, 13000);
  EXPECT_EQ(cu.cuDriverGetVersion(nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuInit(1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(cu.cuInit(0));
  EXPECT_OK(cu.cuInit(0));
  // Handles of before are none.
  EXPECT_EQ(cu.cuCtxSetCurrent(context), CUDA_ERROR_INVALID_CONTEXT);
}

TEST_F(ContextTest, IsADeviceOfItsArchitecture) {
  struct Case {
    const char *variable, *name;
    int major, multiprocessors, optIn, hasClusters;
  };
  for (const Case &each : {Case{"DS_EMU_ARCH=sm_90a",
                                "DS PTX emulator (sm_90a)", 9, 132, 232448, 1},
                           Case{"DS_EMU_ARCH=sm_80", "DS PTX emulator (sm_80)",
                                8, 108, 166912, 0}}) {
    set({each.variable});
    start();
    char name[64];
    EXPECT_OK(cu.cuDeviceGetName(name, sizeof name, 0));
    EXPECT_STREQ(name, each.name);
    auto attribute = [&](CUdevice_attribute which) {
      int value = -1;
      EXPECT_OK(cu.cuDeviceGetAttribute(&value, which, 0));
      return value;
    };
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
              each.major);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR), 0);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
              each.multiprocessors);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
              each.optIn);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH), each.hasClusters);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED),
              each.hasClusters);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_WARP_SIZE), 32);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 1024);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK),
              49152);
    EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING), 1);
  }
  int value;
  EXPECT_EQ(cu.cuDeviceGetAttribute(&value, CUdevice_attribute(9999), 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuDeviceGetAttribute(
                nullptr, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuDeviceGetAttribute(
                &value, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1),
            CUDA_ERROR_INVALID_DEVICE);
  char name[4];
  EXPECT_OK(cu.cuDeviceGetName(name, sizeof name, 0));
  EXPECT_STREQ(name, "DS ");
  EXPECT_EQ(cu.cuDeviceGetName(name, 0, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuDeviceGetName(nullptr, 4, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuDeviceGetName(name, 4, -1), CUDA_ERROR_INVALID_DEVICE);
  size_t bytes = 0;
  EXPECT_OK(cu.cuDeviceTotalMem_v2(&bytes, 0));
  EXPECT_EQ(bytes, size_t(4) << 30);
  EXPECT_EQ(cu.cuDeviceTotalMem_v2(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuDeviceTotalMem_v2(&bytes, 5), CUDA_ERROR_INVALID_DEVICE);
}

TEST_F(ContextTest, HasAsManyDevicesAsAskedFor) {
  set({"DS_EMU_DEVICES=3"});
  start();
  int count = 0;
  EXPECT_OK(cu.cuDeviceGetCount(&count));
  EXPECT_EQ(count, 3);
  CUdevice device = -1;
  EXPECT_OK(cu.cuDeviceGet(&device, 2));
  EXPECT_EQ(device, 2);
  EXPECT_EQ(cu.cuDeviceGet(&device, 3), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(cu.cuDeviceGet(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuDeviceGetCount(nullptr), CUDA_ERROR_INVALID_VALUE);
  // What is of one context is not of another.
  CUmodule words = load(module(addEntry));
  CUfunction add = function(words, "add");
  CUcontext other = nullptr;
  EXPECT_OK(cu.cuDevicePrimaryCtxRetain(&other, 2));
  EXPECT_NE(other, context);
  EXPECT_OK(cu.cuCtxSetCurrent(other));
  EXPECT_EQ(
      cu.cuLaunchKernel(add, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr),
      CUDA_ERROR_INVALID_HANDLE);
  set({"DS_EMU_DEVICES=0"});
  EXPECT_OK(cu.dsEmuReset());
  EXPECT_EQ(cu.cuInit(0), CUDA_ERROR_NO_DEVICE);
}

TEST_F(ContextTest, RefusesUnknownSettings) {
  for (const char *each :
       {"DS_EMU_ARCH=sm_70", "DS_EMU_DEVICES=x", "DS_EMU_SEED=-1",
        "DS_EMU_LIMIT=0", "DS_EMU_UNINIT=never", "DS_EMU_STREAMS=fast",
        "DS_EMU_ASYNC=soon", "DS_EMU_RACE=2"}) {
    set({each});
    EXPECT_OK(cu.dsEmuReset());
    EXPECT_EQ(cu.cuInit(0), CUDA_ERROR_INVALID_VALUE) << each;
    std::string name = std::string(each).substr(0, std::string(each).find('='));
    EXPECT_NE(report().find(name), std::string::npos) << report();
    ::unsetenv(name.c_str());
  }
}

TEST_F(ContextTest, IsCurrentInAThread) {
  CUcontext current = nullptr;
  EXPECT_OK(cu.cuCtxGetCurrent(&current));
  EXPECT_EQ(current, context);
  std::thread([&] {
    EXPECT_OK(cu.cuCtxGetCurrent(&current));
    EXPECT_EQ(current, nullptr);
    EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(cu.cuCtxPopCurrent_v2(&current), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_OK(cu.cuCtxPushCurrent_v2(context));
    EXPECT_OK(cu.cuCtxSynchronize());
    EXPECT_OK(cu.cuCtxPopCurrent_v2(&current));
    EXPECT_EQ(current, context);
  }).join();
  EXPECT_OK(cu.cuCtxSetCurrent(nullptr));
  EXPECT_OK(cu.cuCtxGetCurrent(&current));
  EXPECT_EQ(current, nullptr);
  EXPECT_EQ(cu.cuCtxGetCurrent(nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuCtxPushCurrent_v2(nullptr), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(cu.cuCtxSetCurrent(reinterpret_cast<CUcontext>(this)),
            CUDA_ERROR_INVALID_CONTEXT);
}

TEST_F(ContextTest, GoesWithItsLastRelease) {
  CUcontext same = nullptr;
  EXPECT_OK(cu.cuDevicePrimaryCtxRetain(&same, 0));
  EXPECT_EQ(same, context);
  CUdeviceptr address = allocate(64);
  EXPECT_OK(cu.cuDevicePrimaryCtxRelease_v2(0));
  EXPECT_OK(cu.cuMemsetD8_v2(address, 1, 64));
  EXPECT_OK(cu.cuDevicePrimaryCtxRelease_v2(0));
  EXPECT_EQ(cu.cuMemsetD8_v2(address, 1, 64), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(cu.cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_OK(cu.cuDevicePrimaryCtxRetain(&same, 0));
  EXPECT_EQ(cu.cuMemsetD8_v2(address, 1, 64), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuDevicePrimaryCtxRetain(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuDevicePrimaryCtxRetain(&same, 7), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(cu.cuDevicePrimaryCtxRelease_v2(7), CUDA_ERROR_INVALID_DEVICE);
}

TEST_F(ContextTest, TakesCallsOfManyThreads) {
  CUmodule words = load(module(addEntry));
  CUfunction add = function(words, "add");
  std::vector<std::thread> threads;
  for (uint32_t number = 0; number < 4; ++number)
    threads.emplace_back([&, number] {
      EXPECT_OK(cu.cuCtxSetCurrent(context));
      CUstream own = stream();
      for (uint32_t round = 0; round < 20; ++round) {
        CUdeviceptr address = allocate(256);
        uint32_t count = 64, value = number;
        void *parameters[] = {&address, &count, &value};
        EXPECT_OK(cu.cuMemsetD32Async(address, round, 64, own));
        EXPECT_OK(cu.cuLaunchKernel(add, 2, 1, 1, 32, 1, 1, 0, own, parameters,
                                    nullptr));
        EXPECT_OK(cu.cuStreamSynchronize(own));
        EXPECT_EQ(read<uint32_t>(address, 64),
                  std::vector<uint32_t>(64, round + number));
        EXPECT_OK(cu.cuMemFree_v2(address));
      }
      EXPECT_OK(cu.cuStreamDestroy_v2(own));
    });
  for (std::thread &each : threads)
    each.join();
}

TEST_F(ContextTest, CountsWhatItDid) {
  char text[256];
  EXPECT_OK(cu.dsEmuStats(text, sizeof text));
  EXPECT_STREQ(text, "{\"launches\": 0, \"warp_instructions\": 0, "
                     "\"bytes_in_use\": 0}");
  EXPECT_EQ(cu.dsEmuStats(nullptr, 8), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.dsEmuReport(text, 0), CUDA_ERROR_INVALID_VALUE);
}

} // namespace
