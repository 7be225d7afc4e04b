//===- Emulator.h - the emulated driver, loaded ---------------*- C++ -*-===//
#ifndef TEST_UNIT_PTX_EMULATOR_EMULATOR_H
#define TEST_UNIT_PTX_EMULATOR_EMULATOR_H

#include "tools/ptx-emulator/api/Types.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace test {

using namespace cuda;

/// The calls of table.def, by dlsym.
struct Calls {
#define DS_CUDA_CALL(name, need, parameters) CUresult(*name) parameters;
#define DS_EMU_CALL(name, parameters) CUresult(*name) parameters;
#include "tools/ptx-emulator/api/table.def"
};
const Calls &calls();

/// A driver that was just initialised, with a context that is current.
class Emulator : public ::testing::Test {
protected:
  /// Sets environment variables, "DS_EMU_SEED=1", for the next start.
  void set(std::initializer_list<const char *> variables);
  /// Begins anew: cuInit, and the context of device 0.
  void start();
  void SetUp() override { start(); }
  void TearDown() override;

  CUdeviceptr allocate(size_t bytes);
  CUmodule load(const std::string &ptx);
  CUfunction function(CUmodule module, const char *name);
  CUstream stream(unsigned flags = CU_STREAM_NON_BLOCKING);
  CUevent event(unsigned flags = CU_EVENT_DEFAULT);
  std::string report();
  template <class T> std::vector<T> read(CUdeviceptr from, size_t count) {
    std::vector<T> result(count);
    EXPECT_EQ(calls().cuMemcpyDtoH_v2(result.data(), from, count * sizeof(T)),
              CUDA_SUCCESS);
    return result;
  }
  template <class T> void write(CUdeviceptr to, const std::vector<T> &values) {
    EXPECT_EQ(
        calls().cuMemcpyHtoD_v2(to, values.data(), values.size() * sizeof(T)),
        CUDA_SUCCESS);
  }

  const Calls &cu = calls();
  CUcontext context = nullptr;

private:
  std::vector<std::string> variables;
};

/// `.version`, `.target` and `.address_size` before entries.
std::string module(const std::string &entries,
                   const std::string &target = "sm_80");
/// add(u32 *a, u32 n, u32 value): a[i] += value for all i below n.
extern const std::string addEntry;
/// scale(u32 *a, u32 n, u32 value): a[i] *= value.
extern const std::string scaleEntry;
/// peek(u64 address): reads a word there.
extern const std::string peekEntry;

} // namespace test

#define EXPECT_OK(call) EXPECT_EQ(call, ::cuda::CUDA_SUCCESS)

#endif // TEST_UNIT_PTX_EMULATOR_EMULATOR_H
