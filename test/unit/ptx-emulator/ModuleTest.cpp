//===- ModuleTest.cpp - modules and functions -----------------------------===//
#include "test/unit/ptx-emulator/Emulator.h"

using namespace test;

namespace {

using ModuleTest = Emulator;

TEST_F(ModuleTest, HasFunctionsAndVariables) {
  CUmodule words =
      load(module(".visible .global .align 4 .u32 table[4] = {1, 2, 3};\n"
                  ".const .align 8 .b8 fixed[24] = {7};\n" +
                  addEntry));
  CUfunction add = function(words, "add");
  EXPECT_EQ(function(words, "add"), add);
  CUdeviceptr address = 0;
  size_t bytes = 0;
  EXPECT_OK(cu.cuModuleGetGlobal_v2(&address, &bytes, words, "table"));
  EXPECT_EQ(bytes, 16u);
  EXPECT_EQ(read<uint32_t>(address, 4), (std::vector<uint32_t>{1, 2, 3, 0}));
  EXPECT_OK(cu.cuModuleGetGlobal_v2(&address, nullptr, words, "fixed"));
  EXPECT_EQ(read<uint8_t>(address, 1)[0], 7);
  EXPECT_OK(cu.cuModuleGetGlobal_v2(nullptr, &bytes, words, "fixed"));
  EXPECT_EQ(bytes, 24u);
  // A variable is no allocation of the caller.
  EXPECT_EQ(cu.cuMemFree_v2(address), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuModuleGetGlobal_v2(&address, &bytes, words, "none"),
            CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(cu.cuModuleGetGlobal_v2(&address, &bytes, words, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  CUfunction none = nullptr;
  EXPECT_EQ(cu.cuModuleGetFunction(&none, words, "none"), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(cu.cuModuleGetFunction(&none, words, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuModuleGetFunction(nullptr, words, "add"),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(
      cu.cuModuleGetFunction(&none, reinterpret_cast<CUmodule>(this), "add"),
      CUDA_ERROR_INVALID_HANDLE);
  EXPECT_OK(cu.cuModuleUnload(words));
  EXPECT_EQ(cu.cuModuleUnload(words), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cu.cuModuleGetGlobal_v2(&address, &bytes, words, "table"),
            CUDA_ERROR_INVALID_HANDLE);
  int value;
  EXPECT_EQ(cu.cuFuncGetAttribute(&value,
                                  CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, add),
            CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(ModuleTest, IsRefused) {
  CUmodule none = nullptr;
  auto loadText = [&](const std::string &text) {
    return cu.cuModuleLoadData(&none, text.c_str());
  };
  EXPECT_EQ(loadText("\x7f"
                     "ELF binary"),
            CUDA_ERROR_INVALID_IMAGE);
  EXPECT_EQ(loadText("\x50\xed\x55\xba"), CUDA_ERROR_INVALID_IMAGE);
  EXPECT_EQ(loadText(""), CUDA_ERROR_INVALID_PTX);
  EXPECT_EQ(loadText(module(".entry k() { nosuch.u32 1; }")),
            CUDA_ERROR_INVALID_PTX);
  EXPECT_NE(report().find("line 4"), std::string::npos) << report();
  // Also what is only seen when an entry is made ready.
  EXPECT_EQ(loadText(module(".entry k() { .reg .b64 %rd; add.u32 %rd, %rd, 1; "
                            "ret; }")),
            CUDA_ERROR_INVALID_PTX);
  EXPECT_EQ(loadText(".version 9.9\n.target sm_80\n.address_size 64\n"),
            CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
  EXPECT_EQ(loadText(module("", "sm_100")), CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_EQ(cu.cuModuleLoadData(&none, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuModuleLoadData(nullptr, "x"), CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(loadText(module(addEntry, "sm_90a")));
  set({"DS_EMU_ARCH=sm_80"});
  start();
  EXPECT_EQ(loadText(module(addEntry, "sm_90a")), CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_OK(loadText(module(addEntry, "sm_80")));
}

TEST_F(ModuleTest, FillsLogs) {
  char error[128] = "before", info[128] = "before";
  auto number = [](uintptr_t value) { return reinterpret_cast<void *>(value); };
  CUjit_option options[] = {
      CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
      CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
      CUjit_option(7)}; // of no meaning here
  void *values[] = {error, number(sizeof error), info, number(sizeof info),
                    number(3)};
  CUmodule loaded = nullptr;
  std::string bad = module(".entry k() { nosuch; }");
  EXPECT_EQ(cu.cuModuleLoadDataEx(&loaded, bad.c_str(), 5, options, values),
            CUDA_ERROR_INVALID_PTX);
  EXPECT_NE(std::string(error).find("nosuch"), std::string::npos) << error;
  EXPECT_EQ(uintptr_t(values[1]), std::string(error).size());
  EXPECT_STREQ(info, "before");
  void *again[] = {error, number(sizeof error), info, number(8), number(3)};
  EXPECT_OK(cu.cuModuleLoadDataEx(&loaded, module(addEntry).c_str(), 5, options,
                                  again));
  EXPECT_STREQ(info, "1 entri"); // cut
  EXPECT_EQ(cu.cuModuleLoadDataEx(&loaded, bad.c_str(), 1, nullptr, values),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuModuleLoadDataEx(&loaded, bad.c_str(), 1, options, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(cu.cuModuleLoadDataEx(&loaded, module(addEntry).c_str(), 0, nullptr,
                                  nullptr));
}

TEST_F(ModuleTest, KnowsAttributesOfFunctions) {
  CUfunction kernel = function(load(module(R"(
.visible .entry k() .reqntid 64, 2, 1
{
  .shared .align 4 .b8 tile[512];
  .local .align 8 .b8 frame[40];
  ret;
}
)")),
                               "k");
  auto attribute = [&](CUfunction_attribute which) {
    int value = -1;
    EXPECT_OK(cu.cuFuncGetAttribute(&value, which, kernel));
    return value;
  };
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 128);
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES), 512);
  EXPECT_GE(attribute(CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES), 40);
  EXPECT_GE(attribute(CU_FUNC_ATTRIBUTE_NUM_REGS), 16);
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_PTX_VERSION), 80);
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_BINARY_VERSION), 90);
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES),
            49152 - 512);
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES), 0);
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_CACHE_MODE_CA), 0);
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET), 0);
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH), 0);
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED), 0);
  auto setTo = [&](CUfunction_attribute which, int value) {
    return cu.cuFuncSetAttribute(kernel, which, value);
  };
  EXPECT_OK(setTo(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 231936));
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES), 231936);
  EXPECT_EQ(setTo(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 231937),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(setTo(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, -1),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(setTo(CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 50));
  EXPECT_EQ(attribute(CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT), 50);
  EXPECT_EQ(setTo(CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 101),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_OK(setTo(CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
  EXPECT_EQ(setTo(CU_FUNC_ATTRIBUTE_NUM_REGS, 1), CUDA_ERROR_INVALID_VALUE);
  int value;
  EXPECT_EQ(cu.cuFuncGetAttribute(&value, CUfunction_attribute(99), kernel),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuFuncGetAttribute(nullptr, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES,
                                  kernel),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuFuncSetAttribute(
                nullptr, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1),
            CUDA_ERROR_INVALID_HANDLE);
}

} // namespace
