//===- Kernels.cpp - kernels on a driver ----------------------------------===//
#include "test/unit/ptx-kernels/Kernels.h"

#include <cstdlib>
#include <dlfcn.h>
#include <fstream>
#include <iterator>
#include <random>

namespace kernels {

namespace {
struct Calls {
#define DS_CUDA_CALL(name, need, parameters) CUresult(*name) parameters;
#include "tools/ptx-emulator/api/table.def"
};
} // namespace

static const Calls &calls() {
  static const Calls loaded = [] {
    const char *named = std::getenv("DS_CUDA_LIBRARY");
    const char *path = named ? named : DS_EMULATOR;
    void *library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
    Calls result = {};
    if (!library) {
      std::fprintf(stderr, "%s\n", ::dlerror());
      std::abort();
    }
#define DS_CUDA_CALL(name, need, parameters)                                   \
  result.name =                                                                \
      reinterpret_cast<decltype(result.name)>(::dlsym(library, #name));
#include "tools/ptx-emulator/api/table.def"
    return result;
  }();
  return loaded;
}

#define EXPECT_OK(call) EXPECT_EQ(call, ::cuda::CUDA_SUCCESS)

void Kernels::open(const char *file) {
  std::ifstream stream(std::string(DS_KERNELS "/") + file);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  ASSERT_FALSE(text.empty()) << file;
  CUcontext context = nullptr;
  EXPECT_OK(calls().cuInit(0));
  EXPECT_OK(calls().cuDevicePrimaryCtxRetain(&context, 0));
  EXPECT_OK(calls().cuCtxSetCurrent(context));
  ASSERT_EQ(calls().cuModuleLoadData(&module, text.c_str()), CUDA_SUCCESS);
}

void Kernels::TearDown() { EXPECT_OK(calls().cuDevicePrimaryCtxRelease_v2(0)); }

CUdeviceptr Kernels::allocate(const void *bytes, size_t count) {
  CUdeviceptr result = 0;
  EXPECT_OK(calls().cuMemAlloc_v2(&result, count));
  if (bytes)
    EXPECT_OK(calls().cuMemcpyHtoD_v2(result, bytes, count));
  return result;
}

void Kernels::launch(const char *entry, const Shape &shape, void **parameters) {
  CUfunction function = nullptr;
  ASSERT_EQ(calls().cuModuleGetFunction(&function, module, entry),
            CUDA_SUCCESS);
  if (shape.isCooperative)
    EXPECT_OK(calls().cuLaunchCooperativeKernel(
        function, shape.gridX, shape.gridY, 1, shape.blockX, shape.blockY, 1, 0,
        nullptr, parameters));
  else
    EXPECT_OK(calls().cuLaunchKernel(function, shape.gridX, shape.gridY, 1,
                                     shape.blockX, shape.blockY, 1, 0, nullptr,
                                     parameters, nullptr));
  ASSERT_EQ(calls().cuCtxSynchronize(), CUDA_SUCCESS);
}

void Kernels::copyBack(void *to, CUdeviceptr from, size_t count) {
  EXPECT_OK(calls().cuMemcpyDtoH_v2(to, from, count));
}

std::vector<uint32_t> randomWords(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint32_t> result(count);
  for (uint32_t &each : result)
    each = uint32_t(random());
  return result;
}

std::vector<float> randomFloats(size_t count, uint32_t seed) {
  std::vector<float> result;
  for (uint32_t each : randomWords(count, seed))
    // 23 bits of fraction, an exponent of -3 to 4, a sign.
    result.push_back(std::bit_cast<float>((each & 0x807fffffu) |
                                          (124 + (each >> 23) % 8) << 23));
  return result;
}

} // namespace kernels
