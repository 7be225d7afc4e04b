//===- GraphTest.cpp - graphs of explicit nodes ---------------------------===//
#include "test/unit/ptx-emulator/Emulator.h"

#include <set>

using namespace test;

namespace {

class GraphTest : public Emulator {
protected:
  void SetUp() override { begin(); }
  void begin() {
    start();
    words = load(module(addEntry + scaleEntry));
    word = allocate(4);
    write(word, std::vector<uint32_t>{1});
    EXPECT_OK(cu.cuGraphCreate(&graph, 0));
  }
  /// Of a kernel over the one word; the lists live as long as the test.
  CUDA_KERNEL_NODE_PARAMS kernel(const char *name, uint32_t value) {
    struct Values {
      CUdeviceptr word;
      uint32_t count, value;
      void *list[3];
    };
    auto values = std::make_shared<Values>(Values{word, 1, value, {}});
    values->list[0] = &values->word;
    values->list[1] = &values->count;
    values->list[2] = &values->value;
    kept.push_back(values);
    CUDA_KERNEL_NODE_PARAMS result = {};
    result.func = function(words, name);
    result.gridDimX = result.gridDimY = result.gridDimZ = 1;
    result.blockDimX = 32;
    result.blockDimY = result.blockDimZ = 1;
    result.kernelParams = values->list;
    return result;
  }
  CUgraphNode addKernel(const char *name, uint32_t value,
                        std::vector<CUgraphNode> after = {}) {
    CUgraphNode node = nullptr;
    CUDA_KERNEL_NODE_PARAMS of = kernel(name, value);
    EXPECT_OK(cu.cuGraphAddKernelNode_v2(&node, graph, after.data(),
                                         after.size(), &of));
    return node;
  }
  CUgraphExec instantiate() {
    CUgraphExec exec = nullptr;
    EXPECT_OK(cu.cuGraphInstantiateWithFlags(&exec, graph, 0));
    return exec;
  }
  uint32_t launch(CUgraphExec exec) {
    EXPECT_OK(cu.cuGraphLaunch(exec, nullptr));
    EXPECT_OK(cu.cuCtxSynchronize());
    return read<uint32_t>(word, 1)[0];
  }

  CUmodule words = nullptr;
  CUdeviceptr word = 0;
  CUgraph graph = nullptr;
  std::vector<std::shared_ptr<void>> kept;
};

TEST_F(GraphTest, RunsNodesAfterWhatTheyFollow) {
  std::set<uint32_t> free, ordered;
  for (int seed = 0; seed < 12; ++seed) {
    set({("DS_EMU_SEED=" + std::to_string(seed)).c_str()});
    begin();
    CUgraphNode add = addKernel("add", 2), scale = addKernel("scale", 5);
    free.insert(launch(instantiate()));
    write(word, std::vector<uint32_t>{1});
    EXPECT_OK(cu.cuGraphAddDependencies(graph, &add, &scale, 1));
    ordered.insert(launch(instantiate()));
  }
  EXPECT_EQ(free, (std::set<uint32_t>{15, 7}));
  EXPECT_EQ(ordered, (std::set<uint32_t>{15}));
}

TEST_F(GraphTest, CopiesAndFills) {
  CUdeviceptr block = allocate(64);
  CUDA_MEMSET_NODE_PARAMS fill = {block, 16, 0x11, 2, 4, 4};
  CUgraphNode filled = nullptr, copied = nullptr;
  EXPECT_OK(
      cu.cuGraphAddMemsetNode(&filled, graph, nullptr, 0, &fill, context));
  std::vector<uint16_t> back(4, 0);
  // Two slices of two rows, of which each gives a column of 2 bytes.
  CUDA_MEMCPY3D copy = {};
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = block;
  copy.srcXInBytes = 6;
  copy.srcPitch = 16;
  copy.srcHeight = 2;
  copy.dstMemoryType = CU_MEMORYTYPE_HOST;
  copy.dstHost = back.data();
  copy.dstPitch = 2;
  copy.dstHeight = 2;
  copy.WidthInBytes = 2;
  copy.Height = 2;
  copy.Depth = 2;
  EXPECT_OK(
      cu.cuGraphAddMemcpyNode(&copied, graph, &filled, 1, &copy, context));
  launch(instantiate());
  EXPECT_EQ(back, std::vector<uint16_t>(4, 0x11));

  CUgraphNode node = nullptr;
  auto addFill = [&] {
    return cu.cuGraphAddMemsetNode(&node, graph, nullptr, 0, &fill, context);
  };
  auto addCopy = [&] {
    return cu.cuGraphAddMemcpyNode(&node, graph, nullptr, 0, &copy, context);
  };
  fill.elementSize = 3;
  EXPECT_EQ(addFill(), CUDA_ERROR_INVALID_VALUE);
  fill.elementSize = 2;
  fill.height = 5;
  EXPECT_EQ(addFill(), CUDA_ERROR_INVALID_VALUE);
  fill.height = 4;
  fill.pitch = 6;
  EXPECT_EQ(addFill(), CUDA_ERROR_INVALID_VALUE);
  copy.Depth = 3;
  EXPECT_EQ(addCopy(), CUDA_ERROR_INVALID_VALUE);
  copy.Depth = 2;
  copy.srcLOD = 1;
  EXPECT_EQ(addCopy(), CUDA_ERROR_INVALID_VALUE);
  copy.srcLOD = 0;
  copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
  EXPECT_EQ(addCopy(), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(cu.cuGraphAddMemcpyNode(&node, graph, nullptr, 0, nullptr, context),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphAddMemsetNode(&node, graph, nullptr, 0, nullptr, context),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphAddMemsetNode(&node, graph, nullptr, 0, &fill,
                                    reinterpret_cast<CUcontext>(this)),
            CUDA_ERROR_INVALID_CONTEXT);
}

TEST_F(GraphTest, ChangesParametersOfLaterLaunches) {
  CUgraphNode add = addKernel("add", 2);
  CUgraphExec exec = instantiate();
  EXPECT_EQ(launch(exec), 3u);
  CUDA_KERNEL_NODE_PARAMS other = kernel("add", 10);
  EXPECT_OK(cu.cuGraphExecKernelNodeSetParams_v2(exec, add, &other));
  EXPECT_EQ(launch(exec), 13u);
  // The graph itself is as it was.
  EXPECT_EQ(launch(instantiate()), 15u);
  other.blockDimX = 2048;
  EXPECT_EQ(cu.cuGraphExecKernelNodeSetParams_v2(exec, add, &other),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphExecKernelNodeSetParams_v2(exec, nullptr, &other),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphExecKernelNodeSetParams_v2(exec, add, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphExecKernelNodeSetParams_v2(nullptr, add, &other),
            CUDA_ERROR_INVALID_HANDLE);
  CUDA_MEMSET_NODE_PARAMS fill = {word, 0, 1, 4, 1, 1};
  CUgraphNode filled = nullptr;
  EXPECT_OK(
      cu.cuGraphAddMemsetNode(&filled, graph, nullptr, 0, &fill, context));
  other.blockDimX = 32;
  EXPECT_EQ(cu.cuGraphExecKernelNodeSetParams_v2(instantiate(), filled, &other),
            CUDA_ERROR_INVALID_VALUE);
}

TEST_F(GraphTest, LivesOnInItsExecutable) {
  addKernel("add", 2);
  CUgraphExec exec = instantiate();
  EXPECT_OK(cu.cuGraphDestroy(graph));
  EXPECT_EQ(launch(exec), 3u);
  EXPECT_OK(cu.cuModuleUnload(words));
  EXPECT_EQ(cu.cuGraphLaunch(exec, nullptr), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_OK(cu.cuGraphExecDestroy(exec));
  EXPECT_EQ(cu.cuGraphExecDestroy(exec), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuGraphLaunch(exec, nullptr), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(GraphTest, RefusesWrongNodes) {
  CUgraph other = nullptr;
  EXPECT_OK(cu.cuGraphCreate(&other, 0));
  CUgraphNode a = addKernel("add", 2), b = addKernel("add", 3, {a});
  std::swap(graph, other);
  CUgraphNode far = addKernel("add", 4), node = nullptr;
  std::swap(graph, other);
  CUDA_KERNEL_NODE_PARAMS of = kernel("add", 1);
  auto add = [&](std::vector<CUgraphNode> after) {
    return cu.cuGraphAddKernelNode_v2(&node, graph, after.data(), after.size(),
                                      &of);
  };
  EXPECT_EQ(add({far}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(add({a, a}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(add({nullptr}), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuGraphAddKernelNode_v2(&node, graph, nullptr, 1, &of),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphAddKernelNode_v2(nullptr, graph, nullptr, 0, &of),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphAddKernelNode_v2(&node, graph, nullptr, 0, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphAddKernelNode_v2(&node, nullptr, nullptr, 0, &of),
            CUDA_ERROR_INVALID_HANDLE);
  of.kern = reinterpret_cast<CUkernel>(this);
  EXPECT_EQ(add({}), CUDA_ERROR_NOT_SUPPORTED);
  auto depend = [&](CUgraphNode from, CUgraphNode to) {
    return cu.cuGraphAddDependencies(graph, &from, &to, 1);
  };
  EXPECT_EQ(depend(a, b), CUDA_ERROR_INVALID_VALUE); // there already
  EXPECT_EQ(depend(a, a), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(depend(a, far), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphAddDependencies(graph, nullptr, &b, 1),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphAddDependencies(graph, &a, nullptr, 1),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(depend(b, a)); // a circle
  CUgraphExec exec = nullptr;
  EXPECT_EQ(cu.cuGraphInstantiateWithFlags(&exec, graph, 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphInstantiateWithFlags(nullptr, other, 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphInstantiateWithFlags(&exec, other, 64),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphInstantiateWithFlags(&exec, nullptr, 0),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuGraphCreate(&graph, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGraphCreate(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(cu.cuGraphDestroy(other));
  EXPECT_EQ(cu.cuGraphDestroy(other), CUDA_ERROR_INVALID_HANDLE);
}

} // namespace
