//===- DependencyTest.cpp - launches that begin before others end ---------===//
#include "test/unit/ptx-emulator/Emulator.h"

using namespace test;

namespace {

/// Entries of (u64 to, u64 from), a thread for each word. `wait` and `trigger`
/// are what they execute before and after to[i] = from[i] + 1.
std::string entry(const std::string &name, const std::string &before,
                  const std::string &after) {
  return ".visible .entry " + name +
         "(.param .u64 to, .param .u64 from) {\n"
         "  .reg .b64 %rd<4>; .reg .b32 %r<6>; .reg .pred %p;\n"
         "  ld.param.u64 %rd0, [to]; ld.param.u64 %rd1, [from];\n"
         "  mov.u32 %r0, %tid.x; mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x;\n"
         "  mad.lo.u32 %r3, %r1, %r2, %r0; mul.wide.u32 %rd2, %r3, 4;\n"
         "  add.u64 %rd0, %rd0, %rd2; add.u64 %rd1, %rd1, %rd2;\n"
         "  setp.eq.u32 %p, %r0, 0;\n" +
         before +
         "  ld.global.u32 %r4, [%rd1]; add.u32 %r4, %r4, 1;\n"
         "  st.global.u32 [%rd0], %r4;\n" +
         after + "  ret;\n}\n";
}

const std::string wait = "griddepcontrol.wait;\n";
const std::string trigger = "griddepcontrol.launch_dependents;\n";
constexpr unsigned count = 256;

class DependencyTest : public Emulator {
protected:
  void SetUp() override {
    Emulator::SetUp();
    begin();
  }

  void begin() {
    loaded =
        load(module(entry("plain", "", "") + entry("triggers", trigger, "") +
                        entry("waits", wait, "") +
                        entry("waitsThenTriggers", wait, trigger) +
                        entry("triggersThenWaits", trigger + wait, "") +
                        entry("waitsLate", "", wait) +
                        entry("oneWaits", "@%p griddepcontrol.wait;\n", "") +
                        entry("oneWaitsForAll",
                              "@%p griddepcontrol.wait;\n bar.sync 0;\n", ""),
                    "sm_90a"));
    for (CUdeviceptr &each : words) {
      each = allocate(count * 4);
      write(each, std::vector<uint32_t>(count, 10));
    }
    on = stream();
  }

  /// to[i] = from[i] + 1 by an entry, with leave to begin early or without.
  CUresult launch(const char *name, CUdeviceptr to, CUdeviceptr from,
                  bool isEarly = true) {
    CUlaunchAttribute attribute = {};
    attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attribute.value.programmaticStreamSerializationAllowed = isEarly;
    CUlaunchConfig config = {4, 1, 1, count / 4, 1, 1, 0, on, &attribute, 1};
    void *parameters[] = {&to, &from};
    return cu.cuLaunchKernelEx(&config, function(loaded, name), parameters,
                               nullptr);
  }

  /// The last launch was refused, by a report that has these lines.
  void expectReport(CUresult result,
                    std::initializer_list<const char *> lines) {
    EXPECT_EQ(result, CUDA_ERROR_LAUNCH_FAILED);
    for (const char *each : lines)
      EXPECT_NE(report().find(each), std::string::npos) << report();
    start();
    begin();
  }

  CUmodule loaded = nullptr;
  CUdeviceptr words[4] = {};
  CUstream on = nullptr;
};

TEST_F(DependencyTest, FindsAReadWithoutWait) {
  EXPECT_OK(launch("triggers", words[1], words[0]));
  expectReport(launch("plain", words[2], words[1]),
               {"missing griddepcontrol.wait: a read of what a launch writes "
                "that may still run",
                "kernel plain, block (0,0,0), warp 0 lane 0, PTX line",
                "conflicts with kernel triggers before, block (0,0,0), warp 0 "
                "lane 0, PTX line",
                "missing: griddepcontrol.wait by this thread"});

  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(launch("waits", words[2], words[1]));
  EXPECT_EQ(read<uint32_t>(words[2], count), std::vector<uint32_t>(count, 12));
}

TEST_F(DependencyTest, FindsAWriteWithoutWait) {
  // What the launch before reads, and what it writes.
  for (unsigned to : {0, 1}) {
    EXPECT_OK(launch("triggers", words[1], words[0]));
    expectReport(launch("plain", words[to], words[2]),
                 {to ? "a write of what a launch writes"
                     : "a write of what a launch reads"});
  }
  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(launch("plain", words[3], words[0])); // reads what that one reads
}

TEST_F(DependencyTest, FindsAWaitThatComesLate) {
  EXPECT_OK(launch("triggers", words[1], words[0]));
  expectReport(launch("waitsLate", words[2], words[1]),
               {"missing griddepcontrol.wait: a read"});
}

TEST_F(DependencyTest, TakesTheWaitOfAnotherThread) {
  EXPECT_OK(launch("triggers", words[1], words[0]));
  expectReport(launch("oneWaits", words[2], words[1]), {"warp 0 lane 1,"});

  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(launch("oneWaitsForAll", words[2], words[1]));
}

TEST_F(DependencyTest, IsSilentWhereNothingBeginsEarly) {
  // The launch before lets none begin, or this one has no leave.
  EXPECT_OK(launch("plain", words[1], words[0]));
  EXPECT_OK(launch("plain", words[2], words[1]));
  EXPECT_OK(launch("triggers", words[2], words[1]));
  EXPECT_OK(launch("plain", words[3], words[2], /*isEarly=*/false));
  // It has ended: the host knows, or something is between the two.
  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(cu.cuStreamSynchronize(on));
  EXPECT_OK(launch("plain", words[2], words[1]));
  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(cu.cuMemsetD32Async(words[3], 0, 1, on));
  EXPECT_OK(launch("plain", words[2], words[1]));
  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(cu.cuCtxSynchronize());
  EXPECT_OK(launch("plain", words[2], words[1]));
}

TEST_F(DependencyTest, FollowsChains) {
  // The launch between ends behind the first one, which it waits for.
  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(launch("waitsThenTriggers", words[2], words[1]));
  EXPECT_OK(launch("waits", words[3], words[1]));
  // It lets the next begin before it waits: that one must wait, too.
  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(launch("triggersThenWaits", words[2], words[1]));
  EXPECT_OK(launch("waits", words[3], words[1]));
  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(launch("triggersThenWaits", words[2], words[1]));
  expectReport(launch("plain", words[3], words[1]),
               {"conflicts with kernel triggers before"});
  // It does not wait: a wait for it says nothing of the first one.
  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(launch("triggers", words[3], words[2]));
  expectReport(launch("waits", words[2], words[1]),
               {"conflicts with kernel triggers before",
                "missing: griddepcontrol.wait in the launch between the two"});
  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(launch("plain", words[3], words[2]));
  expectReport(launch("waits", words[2], words[1]),
               {"missing: griddepcontrol.wait in the launch between the two"});
}

TEST_F(DependencyTest, LooksIntoGraphs) {
  auto capture = [&](const char *second) {
    CUgraph graph = nullptr;
    CUgraphExec exec = nullptr;
    EXPECT_OK(
        cu.cuStreamBeginCapture_v2(on, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    EXPECT_OK(launch("triggers", words[1], words[0]));
    EXPECT_OK(launch(second, words[2], words[1]));
    EXPECT_OK(cu.cuStreamEndCapture(on, &graph));
    EXPECT_OK(cu.cuGraphInstantiateWithFlags(&exec, graph, 0));
    return exec;
  };
  EXPECT_OK(cu.cuGraphLaunch(capture("waits"), on));
  EXPECT_OK(cu.cuGraphLaunch(capture("waits"), on));
  expectReport(cu.cuGraphLaunch(capture("plain"), on),
               {"missing griddepcontrol.wait: a read"});
}

TEST_F(DependencyTest, LooksForNothingWithoutRaces) {
  set({"DS_EMU_RACE=0"});
  start();
  begin();
  EXPECT_OK(launch("triggers", words[1], words[0]));
  EXPECT_OK(launch("plain", words[2], words[1]));
}

} // namespace
