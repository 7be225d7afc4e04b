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
#define DS_EMU_CALL(name, parameters) CUresult(*name) parameters;
#include "tools/ptx-emulator/api/table.def"
};
} // namespace

/// Of the test that runs.
static unsigned seedOfOrder = 0;

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
#define DS_EMU_CALL(name, parameters) DS_CUDA_CALL(name, Optional, parameters)
#include "tools/ptx-emulator/api/table.def"
    return result;
  }();
  return loaded;
}

#define EXPECT_OK(call) EXPECT_EQ(call, ::cuda::CUDA_SUCCESS)

std::vector<Order> seeds() {
  return {{0, "early"}, {1, "early"}, {2, "early"}, {3, "early"}};
}

std::vector<Order> seedsAndModes() {
  std::vector<Order> result;
  for (const char *mode : {"early", "late", "random"})
    for (unsigned seed = 0; seed < 4; ++seed)
      result.push_back({seed, mode});
  return result;
}

std::ostream &operator<<(std::ostream &stream, const Order &order) {
  return stream << order.asynchrony << order.seed;
}

std::string nameOf(const ::testing::TestParamInfo<Order> &info) {
  return ::testing::PrintToString(info.param);
}

void Kernels::open(const char *file) {
  // Only the emulator has orders; it reads them when it starts.
  seedOfOrder = GetParam().seed;
  ::setenv("DS_EMU_SEED", std::to_string(GetParam().seed).c_str(), 1);
  ::setenv("DS_EMU_ASYNC", GetParam().asynchrony, 1);
  if (calls().dsEmuReset)
    EXPECT_OK(calls().dsEmuReset());
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

CUdeviceptr Kernels::map(CUdeviceptr base, CUtensorMapDataType type,
                         unsigned elementBytes, std::vector<uint64_t> sizes,
                         std::vector<uint32_t> box,
                         CUtensorMapSwizzle swizzle) {
  std::vector<uint64_t> strides;
  uint64_t stride = elementBytes;
  for (uint64_t each : sizes)
    strides.push_back(stride *= each);
  std::vector<uint32_t> steps(sizes.size(), 1);
  CUtensorMap result = {};
  EXPECT_OK(calls().cuTensorMapEncodeTiled(
      &result, type, unsigned(sizes.size()), reinterpret_cast<void *>(base),
      sizes.data(), strides.data(), box.data(), steps.data(),
      CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE,
      CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
  return allocate(&result, sizeof result);
}

void Kernels::launch(const char *entry, const Shape &shape, void **parameters) {
  CUfunction function = nullptr;
  ASSERT_EQ(calls().cuModuleGetFunction(&function, module, entry),
            CUDA_SUCCESS);
  // What is more must be asked for.
  if (shape.sharedBytes > 48 * 1024)
    EXPECT_OK(calls().cuFuncSetAttribute(
        function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
        int(shape.sharedBytes)));
  if (shape.isCooperative)
    EXPECT_OK(calls().cuLaunchCooperativeKernel(
        function, shape.gridX, shape.gridY, 1, shape.blockX, shape.blockY, 1,
        shape.sharedBytes, nullptr, parameters));
  else
    EXPECT_OK(calls().cuLaunchKernel(
        function, shape.gridX, shape.gridY, 1, shape.blockX, shape.blockY, 1,
        shape.sharedBytes, nullptr, parameters, nullptr));
  ASSERT_EQ(calls().cuCtxSynchronize(), CUDA_SUCCESS);
}

void Kernels::copyBack(void *to, CUdeviceptr from, size_t count) {
  EXPECT_OK(calls().cuMemcpyDtoH_v2(to, from, count));
}

std::vector<uint32_t> randomWords(size_t count, uint32_t seed) {
  std::mt19937 random(seed + 1000 * seedOfOrder);
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
