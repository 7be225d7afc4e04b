//===- MemoryTest.cpp - memory, copies and fills --------------------------===//
#include "test/unit/ptx-emulator/Emulator.h"

#include <csignal>
#include <numeric>

using namespace test;

namespace {

using MemoryTest = Emulator;

std::vector<uint32_t> iota(size_t count) {
  std::vector<uint32_t> result(count);
  std::iota(result.begin(), result.end(), 0u);
  return result;
}

TEST_F(MemoryTest, IsAllocatedAndFreedOnce) {
  size_t before = 0, free = 0, total = 0;
  EXPECT_OK(cu.cuMemGetInfo_v2(&before, &total));
  EXPECT_EQ(before, total);
  CUdeviceptr a = allocate(1000), b = allocate(1);
  EXPECT_EQ(a % 256, 0u);
  EXPECT_GE(b, a + 1000);
  EXPECT_OK(cu.cuMemGetInfo_v2(&free, &total));
  EXPECT_EQ(free, before - 1001);
  EXPECT_OK(cu.cuMemFree_v2(a));
  EXPECT_EQ(cu.cuMemFree_v2(a), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemFree_v2(b + 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(cu.cuMemFree_v2(0));
  CUdeviceptr c = 0;
  EXPECT_EQ(cu.cuMemAlloc_v2(&c, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemAlloc_v2(nullptr, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemAlloc_v2(&c, total), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(cu.cuMemAlloc_v2(&c, ~size_t(0)), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(cu.cuMemGetInfo_v2(nullptr, &total), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemGetInfo_v2(&free, nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(MemoryTest, IsFreedInTheOrderOfAStream) {
  CUstream order = stream();
  CUdeviceptr a = 0;
  EXPECT_OK(cu.cuMemAllocAsync(&a, 64, order));
  EXPECT_OK(cu.cuMemsetD8Async(a, 7, 64, order));
  EXPECT_OK(cu.cuMemFreeAsync(a, order));
  EXPECT_EQ(cu.cuMemFreeAsync(a, order), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemFree_v2(a), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemsetD8_v2(a, 7, 64), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemAllocAsync(&a, 0, order), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemAllocAsync(nullptr, 4, order), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemAllocAsync(&a, 4, reinterpret_cast<CUstream>(this)),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_OK(cu.cuMemFreeAsync(0, order));
}

TEST_F(MemoryTest, IsNoMemoryOfTheHost) {
  CUdeviceptr a = allocate(64);
  EXPECT_EXIT(*reinterpret_cast<volatile int *>(uintptr_t(a)) = 1;
              , ([](int status) {
                // A sanitizer makes an exit of the signal.
                return status != 0;
              }),
              "");
}

TEST_F(MemoryTest, IsCopiedWithItsBounds) {
  std::vector<uint32_t> values = iota(256), back(256);
  CUdeviceptr a = allocate(1024), b = allocate(1024);
  EXPECT_OK(cu.cuMemcpyHtoD_v2(a, values.data(), 1024));
  EXPECT_OK(cu.cuMemcpyDtoD_v2(b, a, 1024));
  EXPECT_OK(cu.cuMemcpyDtoH_v2(back.data(), b, 1024));
  EXPECT_EQ(back, values);
  CUstream order = stream();
  EXPECT_OK(cu.cuMemcpyHtoDAsync_v2(a, values.data() + 128, 512, order));
  EXPECT_OK(cu.cuMemcpyDtoDAsync_v2(b + 512, a, 512, order));
  EXPECT_OK(cu.cuMemcpyDtoHAsync_v2(back.data(), b, 1024, order));
  EXPECT_OK(cu.cuStreamSynchronize(order));
  EXPECT_EQ(back[127], 127u);
  EXPECT_EQ(back[128], 128u);

  EXPECT_EQ(cu.cuMemcpyHtoD_v2(a, values.data(), 1025),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_NE(report().find("allocation 1 of 1024 bytes"), std::string::npos)
      << report();
  EXPECT_EQ(cu.cuMemcpyDtoH_v2(back.data(), a + 1, 1024),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemcpyDtoD_v2(b + 4, a, 1024), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemcpyHtoD_v2(a, nullptr, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemcpyDtoH_v2(nullptr, a, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemcpyHtoD_v2(0, values.data(), 4), CUDA_ERROR_INVALID_VALUE);
  // Both sides exchanged.
  EXPECT_EQ(cu.cuMemcpyHtoD_v2(a, reinterpret_cast<void *>(uintptr_t(b)), 4),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemcpyHtoDAsync_v2(a, values.data(), 4096, order),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemcpyDtoHAsync_v2(back.data(), a, 4096, order),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemcpyDtoDAsync_v2(a, b, 4096, order),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(cu.cuMemcpyHtoD_v2(a, nullptr, 0));
}

TEST_F(MemoryTest, SaysThatNobodyWroteWhatIsCopied) {
  CUdeviceptr a = allocate(64), b = allocate(64);
  EXPECT_OK(cu.cuMemsetD8_v2(a, 1, 60));
  read<uint8_t>(a, 60);
  EXPECT_EQ(report(), "");
  // Copies on the device take it along.
  EXPECT_OK(cu.cuMemcpyDtoD_v2(b, a, 64));
  EXPECT_EQ(report(), "");
  read<uint8_t>(b, 64);
  EXPECT_NE(report().find("4 bytes that nobody wrote"), std::string::npos)
      << report();
}

TEST_F(MemoryTest, CopiesRectangles) {
  std::vector<uint32_t> values = iota(64), back(64, 99);
  CUdeviceptr a = allocate(256);
  write(a, values);
  CUDA_MEMCPY2D copy = {};
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = a;
  copy.srcPitch = 32; // 8 words
  copy.srcXInBytes = 4;
  copy.srcY = 2;
  copy.dstMemoryType = CU_MEMORYTYPE_HOST;
  copy.dstHost = back.data();
  copy.dstPitch = 12;
  copy.WidthInBytes = 12;
  copy.Height = 3;
  EXPECT_OK(cu.cuMemcpy2D_v2(&copy));
  EXPECT_EQ(std::vector<uint32_t>(back.begin(), back.begin() + 10),
            (std::vector<uint32_t>{17, 18, 19, 25, 26, 27, 33, 34, 35, 99}));
  copy.Height = 7; // beyond the last row
  EXPECT_EQ(cu.cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
  copy.Height = 3;
  copy.dstPitch = 8;
  EXPECT_EQ(cu.cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
  copy.dstPitch = ~size_t(0);
  EXPECT_EQ(cu.cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
  copy.dstPitch = 12;
  copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
  EXPECT_EQ(cu.cuMemcpy2D_v2(&copy), CUDA_ERROR_NOT_SUPPORTED);
  copy.dstMemoryType = CUmemorytype(9);
  EXPECT_EQ(cu.cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemcpy2D_v2(nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(MemoryTest, IsFilled) {
  CUdeviceptr a = allocate(64);
  CUstream order = stream();
  EXPECT_OK(cu.cuMemsetD32_v2(a, 0x01020304, 16));
  EXPECT_OK(cu.cuMemsetD16_v2(a + 2, 0xabcd, 2));
  EXPECT_OK(cu.cuMemsetD8_v2(a + 9, 0x77, 3));
  EXPECT_EQ(
      read<uint32_t>(a, 4),
      (std::vector<uint32_t>{0xabcd0304, 0x0102abcd, 0x77777704, 0x01020304}));
  EXPECT_OK(cu.cuMemsetD32Async(a, 5, 1, order));
  EXPECT_OK(cu.cuMemsetD16Async(a + 4, 6, 2, order));
  EXPECT_OK(cu.cuMemsetD8Async(a + 8, 1, 4, order));
  EXPECT_OK(cu.cuStreamSynchronize(order));
  EXPECT_EQ(read<uint32_t>(a, 3),
            (std::vector<uint32_t>{5, 0x00060006, 0x01010101}));
  EXPECT_EQ(cu.cuMemsetD16_v2(a + 1, 0, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemsetD32_v2(a + 2, 0, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemsetD32_v2(a, 0, 17), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemsetD32_v2(a, 0, ~size_t(0) / 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemsetD8_v2(0, 0, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemsetD8Async(a, 0, 65, order), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemsetD16Async(a + 1, 0, 1, order), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemsetD32Async(a, 0, 1, reinterpret_cast<CUstream>(this)),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_OK(cu.cuMemsetD32_v2(a, 0, 0));
}

TEST_F(MemoryTest, OfTheHostIsTheDevicesToo) {
  void *bytes = nullptr;
  EXPECT_OK(cu.cuMemAllocHost_v2(&bytes, 64));
  auto *words = static_cast<uint32_t *>(bytes);
  std::fill(words, words + 16, 3u);
  CUfunction add = function(load(module(addEntry)), "add");
  uint32_t count = 16, value = 4;
  void *parameters[] = {&bytes, &count, &value};
  EXPECT_OK(cu.cuLaunchKernel(add, 1, 1, 1, 32, 1, 1, 0, nullptr, parameters,
                              nullptr));
  EXPECT_OK(cu.cuCtxSynchronize());
  EXPECT_EQ(words[15], 7u);
  EXPECT_OK(cu.cuMemFreeHost(bytes));
  EXPECT_EQ(cu.cuMemFreeHost(bytes), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemFreeHost(nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemAllocHost_v2(nullptr, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemAllocHost_v2(&bytes, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemAllocHost_v2(&bytes, ~size_t(0)), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_OK(cu.cuMemHostAlloc(&bytes, 64, CU_MEMHOSTALLOC_DEVICEMAP));
  EXPECT_OK(cu.cuMemFreeHost(bytes));
  EXPECT_EQ(cu.cuMemHostAlloc(&bytes, 64, 0x80), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(MemoryTest, OfTheCallerIsRegistered) {
  std::vector<uint32_t> words(64, 1);
  EXPECT_OK(cu.cuMemHostRegister_v2(words.data(), 256, 0));
  EXPECT_EQ(cu.cuMemHostRegister_v2(words.data() + 8, 4, 0),
            CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  EXPECT_EQ(cu.cuMemHostRegister_v2(nullptr, 4, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemHostRegister_v2(words.data(), 0, 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuMemHostRegister_v2(words.data(), 4, 64),
            CUDA_ERROR_INVALID_VALUE);
  CUdeviceptr address = reinterpret_cast<uintptr_t>(words.data());
  EXPECT_OK(cu.cuMemsetD32_v2(address, 9, 64));
  EXPECT_EQ(words[63], 9u);
  EXPECT_OK(cu.cuMemHostUnregister(words.data()));
  EXPECT_EQ(cu.cuMemHostUnregister(words.data()),
            CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
  EXPECT_EQ(cu.cuMemsetD32_v2(address, 9, 64), CUDA_ERROR_INVALID_VALUE);
}

} // namespace
