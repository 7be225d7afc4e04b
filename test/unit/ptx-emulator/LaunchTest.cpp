//===- LaunchTest.cpp - launches, their faults, occupancy -----------------===//
#include "test/unit/ptx-emulator/Emulator.h"

using namespace test;

namespace {

class LaunchTest : public Emulator {
protected:
  /// Of an entry without parameters.
  CUresult launch(CUfunction kernel, unsigned blocks, unsigned threads,
                  unsigned shared = 0) {
    return cu.cuLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, shared,
                             nullptr, nullptr, nullptr);
  }
  CUfunction kernel(const std::string &directives, const std::string &body = "",
                    const std::string &target = "sm_80") {
    return function(load(module(".visible .entry k() " + directives + "\n{\n" +
                                    body + "\nret;\n}\n",
                                target)),
                    "k");
  }
  CUresult launchAt(CUfunction peek, CUdeviceptr address) {
    void *parameters[] = {&address};
    return cu.cuLaunchKernel(peek, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters,
                             nullptr);
  }
};

TEST_F(LaunchTest, RunsAKernel) {
  CUfunction add = function(load(module(addEntry)), "add");
  CUdeviceptr words = allocate(400);
  write(words, std::vector<uint32_t>(100, 5));
  uint32_t count = 100, value = 3;
  void *parameters[] = {&words, &count, &value};
  EXPECT_OK(cu.cuLaunchKernel(add, 4, 1, 1, 32, 1, 1, 0, nullptr, parameters,
                              nullptr));
  struct {
    CUdeviceptr words;
    uint32_t count, value;
  } buffer = {words, count, value};
  size_t size = sizeof buffer;
  void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &buffer,
                   CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END};
  EXPECT_OK(
      cu.cuLaunchKernel(add, 4, 1, 1, 32, 1, 1, 0, nullptr, nullptr, extra));
  EXPECT_OK(cu.cuCtxSynchronize());
  EXPECT_EQ(read<uint32_t>(words, 100), std::vector<uint32_t>(100, 11));

  auto launchWith = [&](void **parameters, void **extra) {
    return cu.cuLaunchKernel(add, 4, 1, 1, 32, 1, 1, 0, nullptr, parameters,
                             extra);
  };
  void *missing[] = {&words, nullptr, &value};
  EXPECT_EQ(launchWith(missing, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launchWith(nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launchWith(parameters, extra), CUDA_ERROR_INVALID_VALUE);
  size = 12;
  EXPECT_EQ(launchWith(nullptr, extra), CUDA_ERROR_INVALID_VALUE);
  void *noSize[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &buffer,
                    CU_LAUNCH_PARAM_END};
  EXPECT_EQ(launchWith(nullptr, noSize), CUDA_ERROR_INVALID_VALUE);
  void *unknown[] = {&buffer, &buffer, CU_LAUNCH_PARAM_END};
  EXPECT_EQ(launchWith(nullptr, unknown), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuLaunchKernel(nullptr, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters,
                              nullptr),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuLaunchKernel(add, 1, 1, 1, 1, 1, 1, 0,
                              reinterpret_cast<CUstream>(this), parameters,
                              nullptr),
            CUDA_ERROR_INVALID_HANDLE);
  // Nothing of this broke the context.
  EXPECT_OK(cu.cuCtxSynchronize());
}

TEST_F(LaunchTest, ChecksShapes) {
  CUfunction plain = kernel("");
  EXPECT_OK(launch(plain, 1, 1024));
  EXPECT_EQ(launch(plain, 1, 1025), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(plain, 0, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(plain, 1, 0), CUDA_ERROR_INVALID_VALUE);
  auto launchShape = [&](unsigned gy, unsigned gz, unsigned bx, unsigned by,
                         unsigned bz) {
    return cu.cuLaunchKernel(plain, 1, gy, gz, bx, by, bz, 0, nullptr, nullptr,
                             nullptr);
  };
  EXPECT_EQ(launchShape(65536, 1, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launchShape(1, 65536, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launchShape(1, 1, 1, 1, 65), CUDA_ERROR_INVALID_VALUE);
  // 2^64 + 1 threads modulo 2^64.
  EXPECT_EQ(launchShape(1, 1, 0xfffffff1, 0xfffffff1, 57),
            CUDA_ERROR_INVALID_VALUE);
  CUfunction atMost = kernel(".maxntid 64, 1, 1");
  EXPECT_OK(launch(atMost, 1, 64));
  EXPECT_EQ(launch(atMost, 1, 65), CUDA_ERROR_INVALID_VALUE);
  CUfunction exactly = kernel(".reqntid 64, 1, 1");
  EXPECT_OK(launch(exactly, 1, 64));
  EXPECT_EQ(launch(exactly, 1, 32), CUDA_ERROR_INVALID_VALUE);
  CUfunction shared = kernel("", ".shared .align 4 .b8 tile[1024];");
  EXPECT_OK(launch(shared, 1, 1, 48 * 1024 - 1024));
  EXPECT_EQ(launch(shared, 1, 1, 48 * 1024), CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(cu.cuFuncSetAttribute(
      shared, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 96 * 1024));
  EXPECT_OK(launch(shared, 1, 1, 96 * 1024));
  EXPECT_EQ(launch(shared, 1, 1, 96 * 1024 + 4), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(LaunchTest, ChecksCooperativeGrids) {
  CUfunction plain = kernel("");
  auto cooperative = [&](unsigned blocks) {
    return cu.cuLaunchCooperativeKernel(plain, blocks, 1, 1, 1024, 1, 1, 0,
                                        nullptr, nullptr);
  };
  EXPECT_OK(cooperative(264));
  EXPECT_EQ(cooperative(265), CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
  CUlaunchAttribute attribute = {};
  attribute.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
  attribute.value.cooperative = 1;
  CUlaunchConfig config = {265, 1, 1, 1024, 1, 1, 0, nullptr, &attribute, 1};
  EXPECT_EQ(cu.cuLaunchKernelEx(&config, plain, nullptr, nullptr),
            CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
  attribute.value.cooperative = 0;
  EXPECT_OK(cu.cuLaunchKernelEx(&config, plain, nullptr, nullptr));
}

TEST_F(LaunchTest, TakesAttributes) {
  CUfunction plain = kernel("", "", "sm_90a");
  CUlaunchAttribute attributes[3] = {};
  attributes[0].id = CU_LAUNCH_ATTRIBUTE_PRIORITY;
  attributes[1].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  attributes[2].id = CU_LAUNCH_ATTRIBUTE_IGNORE;
  CUlaunchConfig config = {4, 1, 1, 32, 1, 1, 0, nullptr, attributes, 3};
  auto launchConfig = [&](CUfunction which) {
    return cu.cuLaunchKernelEx(&config, which, nullptr, nullptr);
  };
  EXPECT_OK(launchConfig(plain));
  attributes[2].id = CUlaunchAttributeID(5);
  EXPECT_EQ(launchConfig(plain), CUDA_ERROR_NOT_SUPPORTED);
  config.attrs = nullptr;
  EXPECT_EQ(launchConfig(plain), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuLaunchKernelEx(nullptr, plain, nullptr, nullptr),
            CUDA_ERROR_INVALID_VALUE);

  config.attrs = attributes;
  config.numAttrs = 1;
  attributes[0].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  auto launchClusters = [&](CUfunction which, unsigned blocks, unsigned size) {
    config.gridDimX = blocks;
    attributes[0].value.clusterDim = {size, 1, 1};
    return launchConfig(which);
  };
  EXPECT_OK(launchClusters(plain, 4, 1));
  EXPECT_EQ(launchClusters(plain, 4, 0), CUDA_ERROR_INVALID_CLUSTER_SIZE);
  EXPECT_EQ(launchClusters(plain, 4, 3), CUDA_ERROR_INVALID_CLUSTER_SIZE);
  EXPECT_EQ(launchClusters(plain, 16, 16), CUDA_ERROR_INVALID_CLUSTER_SIZE);
  EXPECT_OK(cu.cuFuncSetAttribute(
      plain, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
  EXPECT_OK(launchClusters(plain, 16, 16));
  EXPECT_EQ(launchClusters(plain, 32, 32), CUDA_ERROR_INVALID_CLUSTER_SIZE);
  CUfunction pairs = kernel(".reqnctapercluster 2, 1, 1", "", "sm_90a");
  EXPECT_EQ(launchClusters(pairs, 4, 4), CUDA_ERROR_INVALID_CLUSTER_SIZE);
  config.numAttrs = 0;
  config.gridDimX = 3;
  EXPECT_EQ(launchConfig(pairs), CUDA_ERROR_INVALID_CLUSTER_SIZE);
  set({"DS_EMU_ARCH=sm_80"});
  start();
  config.numAttrs = 1;
  EXPECT_EQ(launchClusters(kernel(""), 4, 2), CUDA_ERROR_INVALID_CLUSTER_SIZE);
}

TEST_F(LaunchTest, FaultsStay) {
  CUfunction peek = function(load(module(peekEntry)), "peek");
  CUdeviceptr words = allocate(64);
  EXPECT_OK(cu.cuMemsetD8_v2(words, 0, 64));
  EXPECT_OK(launchAt(peek, words + 60));
  CUresult first = launchAt(peek, words + 64);
  EXPECT_EQ(first, CUDA_ERROR_ILLEGAL_ADDRESS);
  std::string said = report();
  EXPECT_NE(said.find("DS-EMU error:"), std::string::npos) << said;
  EXPECT_NE(said.find("kernel peek"), std::string::npos) << said;
  EXPECT_NE(said.find("0 bytes past the end of allocation 1 of 64 bytes"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("replay: DS_EMU_SEED=0"), std::string::npos) << said;
  EXPECT_EQ(launchAt(peek, words), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
  CUdeviceptr other = 0;
  EXPECT_EQ(cu.cuMemAlloc_v2(&other, 4), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(cu.cuStreamSynchronize(nullptr), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(report(), said);
  start();
  EXPECT_OK(cu.cuCtxSynchronize());
  EXPECT_EQ(report(), "");
}

TEST_F(LaunchTest, GivesFaultsTheirCodes) {
  struct Case {
    const char *body;
    CUresult result;
  };
  for (const Case &each :
       {Case{".reg .b32 %r; ld.global.u32 %r, [2];",
             CUDA_ERROR_MISALIGNED_ADDRESS},
        Case{".reg .b32 %r; ld.global.u32 %r, [0];",
             CUDA_ERROR_ILLEGAL_ADDRESS},
        Case{"trap;", CUDA_ERROR_LAUNCH_FAILED},
        Case{".shared .u32 s; .reg .b32 %r; ld.shared.u32 %r, [s];",
             CUDA_ERROR_LAUNCH_FAILED},
        Case{"L: bra L;", CUDA_ERROR_LAUNCH_TIMEOUT}}) {
    set({"DS_EMU_LIMIT=10000"});
    start();
    EXPECT_EQ(launch(kernel("", each.body), 1, 32), each.result) << each.body;
    EXPECT_EQ(cu.cuCtxSynchronize(), each.result);
  }
}

TEST_F(LaunchTest, OnlyWarnsOfUndefinedReadsWhenAsked) {
  set({"DS_EMU_UNINIT=warn"});
  start();
  const char *body = ".shared .u32 s; .reg .b32 %r<3>; ld.shared.u32 %r1, [s]; "
                     "ld.shared.u32 %r2, [s];";
  ::testing::internal::CaptureStderr();
  EXPECT_OK(launch(kernel("", body), 1, 1));
  std::string said = ::testing::internal::GetCapturedStderr();
  size_t first = said.find("DS-EMU warning: uninitialised");
  EXPECT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find("uninitialised", first + 24), std::string::npos) << said;
  EXPECT_OK(cu.cuCtxSynchronize());
}

TEST_F(LaunchTest, KnowsOccupancy) {
  CUfunction plain = kernel("", ".shared .align 4 .b8 tile[1024];", "sm_90a");
  int blocks = -1;
  auto occupancy = [&](int threads, size_t shared) {
    EXPECT_OK(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, plain,
                                                             threads, shared));
    return blocks;
  };
  EXPECT_EQ(occupancy(1024, 0), 2);
  EXPECT_EQ(occupancy(33, 0), 32);
  EXPECT_EQ(occupancy(128, 0), 16);
  // Each block keeps 1024 bytes for itself: 233472 / 51200.
  EXPECT_EQ(occupancy(128, 49152), 4);
  EXPECT_EQ(occupancy(128, size_t(1) << 20), 0);
  EXPECT_EQ(occupancy(128, ~size_t(0)), 0);
  EXPECT_EQ(occupancy(2048, 0), 0);
  EXPECT_EQ(
      cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, plain, 0, 0),
      CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(
      cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(nullptr, plain, 32, 0),
      CUDA_ERROR_INVALID_VALUE);
  CUlaunchAttribute attribute = {};
  attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attribute.value.clusterDim = {2, 1, 1};
  CUlaunchConfig config = {4, 1, 1, 1024, 1, 1, 0, nullptr, &attribute, 1};
  int clusters = -1;
  EXPECT_OK(cu.cuOccupancyMaxActiveClusters(&clusters, plain, &config));
  EXPECT_EQ(clusters, 132);
  config.gridDimX = 3;
  EXPECT_EQ(cu.cuOccupancyMaxActiveClusters(&clusters, plain, &config),
            CUDA_ERROR_INVALID_CLUSTER_SIZE);
  EXPECT_EQ(cu.cuOccupancyMaxActiveClusters(nullptr, plain, &config),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuOccupancyMaxActiveClusters(&clusters, plain, nullptr),
            CUDA_ERROR_INVALID_VALUE);
}

} // namespace
