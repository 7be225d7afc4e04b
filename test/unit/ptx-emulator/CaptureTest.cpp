//===- CaptureTest.cpp - graphs out of what streams are given -------------===//
#include "test/unit/ptx-emulator/Emulator.h"

#include <functional>
#include <set>
#include <thread>

using namespace test;

namespace {

class CaptureTest : public Emulator {
protected:
  void SetUp() override { begin(); }
  void begin() {
    start();
    CUmodule words = load(module(addEntry + scaleEntry));
    add = function(words, "add");
    scale = function(words, "scale");
    word = allocate(4);
    write(word, std::vector<uint32_t>{1});
    a = stream(), b = stream();
    forked = event(), joined = event();
  }
  CUresult run(CUfunction kernel, uint32_t value, CUstream on) {
    uint32_t count = 1;
    void *parameters[] = {&word, &count, &value};
    return cu.cuLaunchKernel(kernel, 1, 1, 1, 32, 1, 1, 0, on, parameters,
                             nullptr);
  }
  void beginCapture(CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL) {
    EXPECT_OK(cu.cuStreamBeginCapture_v2(a, mode));
  }
  CUstreamCaptureStatus status(CUstream of) {
    CUstreamCaptureStatus result;
    EXPECT_OK(cu.cuStreamIsCapturing(of, &result));
    return result;
  }
  /// What ending the capture returns, which is invalid if it is invalid.
  CUresult end() {
    CUresult result = cu.cuStreamEndCapture(a, &graph);
    EXPECT_EQ(result == CUDA_SUCCESS, graph != nullptr);
    EXPECT_EQ(status(a), CU_STREAM_CAPTURE_STATUS_NONE);
    return result;
  }
  void launch(int times) {
    CUgraphExec exec = nullptr;
    EXPECT_OK(cu.cuGraphInstantiateWithFlags(&exec, graph, 0));
    for (int i = 0; i < times; ++i)
      EXPECT_OK(cu.cuGraphLaunch(exec, a));
    EXPECT_OK(cu.cuStreamSynchronize(a));
    EXPECT_OK(cu.cuGraphExecDestroy(exec));
  }
  uint32_t result() { return read<uint32_t>(word, 1)[0]; }

  CUfunction add = nullptr, scale = nullptr;
  CUdeviceptr word = 0;
  CUstream a = nullptr, b = nullptr;
  CUevent forked = nullptr, joined = nullptr;
  CUgraph graph = nullptr;
};

TEST_F(CaptureTest, RecordsWithoutExecuting) {
  beginCapture();
  EXPECT_EQ(status(a), CU_STREAM_CAPTURE_STATUS_ACTIVE);
  EXPECT_EQ(status(b), CU_STREAM_CAPTURE_STATUS_NONE);
  EXPECT_OK(run(add, 2, a));
  EXPECT_OK(run(scale, 2, a));
  EXPECT_OK(end());
  EXPECT_EQ(result(), 1u);
  launch(3); // 6, 16, 36
  EXPECT_EQ(result(), 36u);
  EXPECT_OK(cu.cuGraphDestroy(graph));
}

TEST_F(CaptureTest, RecordsCopiesFillsAndCalls) {
  CUdeviceptr copy = allocate(8);
  uint32_t back[2] = {};
  int calls = 0;
  beginCapture();
  EXPECT_OK(cu.cuMemsetD32Async(copy, 9, 2, a));
  EXPECT_OK(cu.cuMemcpyDtoDAsync_v2(copy + 4, word, 4, a));
  EXPECT_OK(cu.cuMemcpyDtoHAsync_v2(back, copy, 8, a));
  EXPECT_OK(cu.cuLaunchHostFunc(
      a, [](void *count) { ++*static_cast<int *>(count); }, &calls));
  EXPECT_OK(end());
  EXPECT_EQ(calls, 0);
  launch(2);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(back[0], 9u);
  EXPECT_EQ(back[1], 1u);
}

TEST_F(CaptureTest, FollowsEventsToOtherStreams) {
  std::set<uint32_t> results;
  for (int seed = 0; seed < 12; ++seed) {
    set({("DS_EMU_SEED=" + std::to_string(seed)).c_str()});
    begin();
    beginCapture();
    EXPECT_OK(run(add, 1, a)); // 2
    EXPECT_OK(cu.cuEventRecord(forked, a));
    EXPECT_OK(cu.cuStreamWaitEvent(b, forked, 0));
    EXPECT_EQ(status(b), CU_STREAM_CAPTURE_STATUS_ACTIVE);
    EXPECT_OK(run(scale, 3, b));
    EXPECT_OK(run(add, 5, a)); // nothing orders these two
    EXPECT_OK(cu.cuEventRecord(joined, b));
    EXPECT_OK(cu.cuStreamWaitEvent(a, joined, 0));
    EXPECT_OK(run(scale, 10, a));
    EXPECT_OK(end());
    EXPECT_EQ(status(b), CU_STREAM_CAPTURE_STATUS_NONE);
    launch(1);
    results.insert(result());
  }
  // (2 x 3 + 5) x 10, and (2 + 5) x 3 x 10.
  EXPECT_EQ(results, (std::set<uint32_t>{110, 210}));
}

TEST_F(CaptureTest, RefusesWaits) {
  const std::vector<std::function<CUresult()>> waits = {
      [&] { return cu.cuStreamSynchronize(a); },
      [&] { return cu.cuStreamQuery(a); },
      [&] { return cu.cuCtxSynchronize(); },
      [&] { return cu.cuStreamDestroy_v2(a); },
      [&] {
        CUdeviceptr address;
        return cu.cuMemAlloc_v2(&address, 4);
      },
      [&] {
        CUdeviceptr address;
        return cu.cuMemAllocAsync(&address, 4, a);
      },
      [&] { return cu.cuMemFree_v2(word); },
      [&] { return cu.cuMemFreeAsync(word, a); }};
  for (const auto &call : waits) {
    beginCapture();
    EXPECT_EQ(call(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(status(a), CU_STREAM_CAPTURE_STATUS_INVALIDATED);
    EXPECT_EQ(run(add, 1, a), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(cu.cuEventRecord(forked, a),
              CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(end(), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  }
  // A relaxed capture is not disturbed by allocations.
  beginCapture(CU_STREAM_CAPTURE_MODE_RELAXED);
  allocate(4);
  EXPECT_OK(end());
  // One of a thread is not by those of others.
  beginCapture(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  std::thread([&] {
    EXPECT_OK(cu.cuCtxSetCurrent(context));
    allocate(4);
    EXPECT_EQ(cu.cuStreamEndCapture(a, &graph),
              CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
  }).join();
  EXPECT_OK(end());
}

TEST_F(CaptureTest, RefusesTheLegacyStream) {
  EXPECT_EQ(cu.cuStreamBeginCapture_v2(nullptr, CU_STREAM_CAPTURE_MODE_GLOBAL),
            CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  // Streams that the legacy one waits for cannot wait themselves.
  a = stream(CU_STREAM_DEFAULT);
  beginCapture();
  EXPECT_EQ(run(add, 1, nullptr), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  EXPECT_EQ(end(), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  a = stream(CU_STREAM_NON_BLOCKING);
  beginCapture();
  EXPECT_OK(run(add, 1, nullptr));
  EXPECT_OK(end());
}

TEST_F(CaptureTest, RefusesWrongEvents) {
  // Recorded before the capture.
  EXPECT_OK(cu.cuEventRecord(joined, b));
  beginCapture();
  EXPECT_EQ(cu.cuStreamWaitEvent(a, joined, 0),
            CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
  EXPECT_EQ(end(), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  // Recorded by it, and asked from outside.
  const std::vector<std::function<CUresult()>> questions = {
      [&] { return cu.cuEventSynchronize(forked); },
      [&] { return cu.cuEventQuery(forked); }};
  for (const auto &call : questions) {
    beginCapture();
    EXPECT_OK(cu.cuEventRecord(forked, a));
    EXPECT_EQ(call(), CUDA_ERROR_CAPTURED_EVENT);
    EXPECT_EQ(end(), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  }
  // Two captures.
  beginCapture();
  EXPECT_OK(cu.cuStreamBeginCapture_v2(b, CU_STREAM_CAPTURE_MODE_GLOBAL));
  EXPECT_OK(cu.cuEventRecord(forked, a));
  EXPECT_EQ(cu.cuStreamWaitEvent(b, forked, 0),
            CUDA_ERROR_STREAM_CAPTURE_MERGE);
  EXPECT_EQ(end(), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(cu.cuStreamEndCapture(b, &graph),
            CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

TEST_F(CaptureTest, EndsWhereItBegan) {
  beginCapture();
  EXPECT_EQ(cu.cuStreamBeginCapture_v2(a, CU_STREAM_CAPTURE_MODE_GLOBAL),
            CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_OK(cu.cuEventRecord(forked, a));
  EXPECT_OK(cu.cuStreamWaitEvent(b, forked, 0));
  EXPECT_EQ(cu.cuStreamEndCapture(b, &graph),
            CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
  EXPECT_OK(run(add, 1, b));
  EXPECT_EQ(end(), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
  EXPECT_EQ(status(b), CU_STREAM_CAPTURE_STATUS_NONE);
  EXPECT_EQ(cu.cuStreamEndCapture(a, &graph), CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(cu.cuStreamEndCapture(a, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuStreamIsCapturing(a, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuStreamBeginCapture_v2(a, CUstreamCaptureMode(7)),
            CUDA_ERROR_INVALID_VALUE);
}

} // namespace
