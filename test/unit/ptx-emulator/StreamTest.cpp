//===- StreamTest.cpp - streams and events --------------------------------===//
#include "test/unit/ptx-emulator/Emulator.h"

#include <set>

using namespace test;

namespace {

class StreamTest : public Emulator {
protected:
  void SetUp() override {
    start();
    begin();
  }
  void startLazily(const char *seed) {
    set({"DS_EMU_STREAMS=lazy", seed});
    start();
    begin();
  }
  void begin() {
    CUmodule words = load(module(addEntry + scaleEntry));
    add = function(words, "add");
    scale = function(words, "scale");
    word = allocate(4);
    write(word, std::vector<uint32_t>{1});
  }
  void run(CUfunction kernel, uint32_t value, CUstream on) {
    uint32_t count = 1;
    void *parameters[] = {&word, &count, &value};
    EXPECT_OK(cu.cuLaunchKernel(kernel, 1, 1, 1, 32, 1, 1, 0, on, parameters,
                                nullptr));
  }
  /// What is in memory now, behind the back of the streams.
  uint32_t result() {
    EXPECT_OK(cu.cuCtxSynchronize());
    return read<uint32_t>(word, 1)[0];
  }

  CUfunction add = nullptr, scale = nullptr;
  CUdeviceptr word = 0;
};

TEST_F(StreamTest, IsInOrder) {
  for (const char *seed : {"DS_EMU_SEED=0", "DS_EMU_SEED=1", "DS_EMU_SEED=2"}) {
    startLazily(seed);
    CUstream order = stream();
    run(add, 2, order);   // 3
    run(scale, 5, order); // 15
    run(add, 1, order);   // 16
    EXPECT_EQ(result(), 16u);
  }
}

TEST_F(StreamTest, WaitsForNothingThatItIsNotToldOf) {
  std::set<uint32_t> without, with;
  for (int seed = 0; seed < 16; ++seed) {
    std::string variable = "DS_EMU_SEED=" + std::to_string(seed);
    startLazily(variable.c_str());
    CUstream a = stream(), b = stream();
    run(add, 2, a);
    run(scale, 5, b);
    without.insert(result());

    startLazily(variable.c_str());
    a = stream(), b = stream();
    CUevent done = event();
    run(add, 2, a);
    EXPECT_OK(cu.cuEventRecord(done, a));
    EXPECT_OK(cu.cuStreamWaitEvent(b, done, 0));
    run(scale, 5, b);
    with.insert(result());
  }
  // (1 + 2) x 5, and 1 x 5 + 2.
  EXPECT_EQ(without, (std::set<uint32_t>{15, 7}));
  EXPECT_EQ(with, (std::set<uint32_t>{15}));
}

TEST_F(StreamTest, OfLegacyIsInOrderWithBlockingOnes) {
  for (const char *seed : {"DS_EMU_SEED=3", "DS_EMU_SEED=4", "DS_EMU_SEED=5"}) {
    startLazily(seed);
    CUstream a = stream(CU_STREAM_DEFAULT), b = stream(CU_STREAM_DEFAULT);
    run(add, 2, a);                    // 3
    run(scale, 5, nullptr);            // 15
    run(add, 1, b);                    // 16
    run(scale, 2, CU_STREAM_LEGACY);   // 32
    run(add, 3, CU_STREAM_PER_THREAD); // 35
    run(scale, 10, nullptr);           // 350
    EXPECT_EQ(result(), 350u);
  }
}

TEST_F(StreamTest, CopiesWhenItComesToIt) {
  startLazily("DS_EMU_SEED=0");
  CUstream order = stream();
  uint32_t value = 10;
  EXPECT_OK(cu.cuMemcpyHtoDAsync_v2(word, &value, 4, order));
  value = 20;
  EXPECT_OK(cu.cuStreamSynchronize(order));
  EXPECT_EQ(read<uint32_t>(word, 1)[0], 20u);
  // What was freed before it came to the copy broke the context.
  EXPECT_OK(cu.cuMemcpyHtoDAsync_v2(word, &value, 4, order));
  CUstream other = stream();
  EXPECT_OK(cu.cuMemFreeAsync(word, other));
  EXPECT_OK(cu.cuStreamSynchronize(other));
}

TEST_F(StreamTest, TellsOfFaultsWhenWaitedFor) {
  startLazily("DS_EMU_SEED=0");
  CUfunction peek = function(load(module(peekEntry)), "peek");
  CUstream order = stream();
  CUdeviceptr wrong = word + 4;
  void *parameters[] = {&wrong};
  EXPECT_OK(
      cu.cuLaunchKernel(peek, 1, 1, 1, 1, 1, 1, 0, order, parameters, nullptr));
  run(add, 2, order);
  EXPECT_EQ(cu.cuStreamSynchronize(order), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST_F(StreamTest, IsReadyInTheEnd) {
  startLazily("DS_EMU_SEED=0");
  CUstream order = stream();
  CUevent done = event();
  for (int i = 0; i < 3; ++i)
    run(add, 1, order);
  EXPECT_OK(cu.cuEventRecord(done, order));
  EXPECT_EQ(cu.cuStreamQuery(order), CUDA_ERROR_NOT_READY);
  EXPECT_EQ(cu.cuEventQuery(done), CUDA_ERROR_NOT_READY);
  int polls = 0;
  while (cu.cuEventQuery(done) == CUDA_ERROR_NOT_READY && polls < 100)
    ++polls;
  EXPECT_OK(cu.cuEventQuery(done));
  EXPECT_OK(cu.cuStreamQuery(order));
  EXPECT_EQ(result(), 4u);
}

TEST_F(StreamTest, CallsTheHost) {
  for (const char *mode : {"DS_EMU_STREAMS=lazy", "DS_EMU_STREAMS=immediate"}) {
    set({mode});
    start();
    struct State {
      const Calls &cu;
      int count = 0;
      CUresult nested = CUDA_SUCCESS;
    } state = {cu};
    CUstream order = stream();
    EXPECT_OK(cu.cuLaunchHostFunc(
        order,
        [](void *argument) {
          State &state = *static_cast<State *>(argument);
          ++state.count;
          state.nested = state.cu.cuCtxSynchronize();
        },
        &state));
    EXPECT_OK(cu.cuStreamSynchronize(order));
    EXPECT_EQ(state.count, 1);
    EXPECT_EQ(state.nested, CUDA_ERROR_NOT_PERMITTED);
    EXPECT_EQ(cu.cuLaunchHostFunc(order, nullptr, nullptr),
              CUDA_ERROR_INVALID_VALUE);
  }
}

TEST_F(StreamTest, IsCreatedAndDestroyed) {
  CUstream order = nullptr;
  EXPECT_OK(cu.cuStreamCreateWithPriority(&order, CU_STREAM_NON_BLOCKING, -1));
  EXPECT_OK(cu.cuStreamDestroy_v2(order));
  EXPECT_EQ(cu.cuStreamDestroy_v2(order), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuStreamSynchronize(order), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuStreamQuery(order), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuStreamDestroy_v2(nullptr), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuStreamCreate(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuStreamCreate(&order, 6), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuStreamCreateWithPriority(&order, 6, 0),
            CUDA_ERROR_INVALID_VALUE);
  // A handle of another kind is none.
  CUevent done = event();
  EXPECT_EQ(cu.cuStreamDestroy_v2(reinterpret_cast<CUstream>(done)),
            CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(StreamTest, HasEventsWithTimes) {
  CUstream order = stream();
  CUevent start = event(), end = event(),
          untimed = event(CU_EVENT_DISABLE_TIMING), never = event();
  EXPECT_OK(cu.cuEventRecord(start, order));
  run(add, 1, order);
  EXPECT_OK(cu.cuEventRecord(end, order));
  EXPECT_OK(cu.cuEventRecord(untimed, order));
  EXPECT_OK(cu.cuEventSynchronize(end));
  float milliseconds = -1;
  EXPECT_OK(cu.cuEventElapsedTime(&milliseconds, start, end));
  // One warp, 15 instructions of a nanosecond each.
  EXPECT_FLOAT_EQ(milliseconds, 15e-6f);
  EXPECT_EQ(cu.cuEventElapsedTime(&milliseconds, start, untimed),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuEventElapsedTime(&milliseconds, never, end),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuEventElapsedTime(nullptr, start, end),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(cu.cuEventSynchronize(never));
  EXPECT_OK(cu.cuEventQuery(never));
  EXPECT_OK(cu.cuStreamWaitEvent(order, never, 0));
  EXPECT_EQ(cu.cuStreamWaitEvent(order, end, 8), CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(cu.cuEventDestroy_v2(end));
  EXPECT_EQ(cu.cuEventDestroy_v2(end), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuEventRecord(end, order), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuEventSynchronize(end), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuEventQuery(end), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuStreamWaitEvent(order, end, 0), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuEventCreate(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuEventCreate(&end, 64), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(
      cu.cuEventCreate(&end, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING),
      CUDA_ERROR_NOT_SUPPORTED);
  startLazily("DS_EMU_SEED=0");
  start = event(), end = event();
  order = stream();
  EXPECT_OK(cu.cuEventRecord(start, order));
  EXPECT_OK(cu.cuEventRecord(end, order));
  EXPECT_EQ(cu.cuEventElapsedTime(&milliseconds, start, end),
            CUDA_ERROR_NOT_READY);
  EXPECT_OK(cu.cuEventSynchronize(end));
  EXPECT_OK(cu.cuEventElapsedTime(&milliseconds, start, end));
  EXPECT_EQ(milliseconds, 0);
}

} // namespace
