//===- TableTest.cpp - calls by their names -------------------------------===//
#include "test/unit/ptx-emulator/Emulator.h"

#include <algorithm>
#include <dlfcn.h>
#include <map>
#include <set>
#include <sstream>

using namespace test;

namespace {

const std::set<std::string> cudaNames = {
#define DS_CUDA_CALL(name, need, parameters) #name,
#include "tools/ptx-emulator/api/table.def"
};

std::string outputOf(const std::string &command) {
  std::string result;
  FILE *pipe = ::popen(command.c_str(), "r");
  char block[4096];
  while (size_t count = std::fread(block, 1, sizeof block, pipe))
    result.append(block, count);
  return ::pclose(pipe) == 0 ? result : "";
}

TEST(Table, IsAllThatTheLibraryExports) {
  std::string output = outputOf("nm -D --defined-only '" DS_EMULATOR "'");
  if (output.empty())
    GTEST_SKIP() << "no nm";
  std::set<std::string> exported;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);)
    exported.insert(line.substr(line.rfind(' ') + 1));
  // Sanitizers have symbols of their own.
  std::erase_if(exported,
                [](const std::string &each) { return each.starts_with("_"); });
  std::set<std::string> expected = cudaNames;
#define DS_EMU_CALL(name, parameters) expected.insert(#name);
#include "tools/ptx-emulator/api/table.def"
  EXPECT_EQ(exported, expected);
}

TEST(Table, IsInTheToolkitsStub) {
#ifdef DS_CUDA_STUB
  void *stub = ::dlopen(DS_CUDA_STUB, RTLD_LAZY | RTLD_LOCAL);
  ASSERT_TRUE(stub) << ::dlerror();
  for (const std::string &each : cudaNames)
    EXPECT_TRUE(::dlsym(stub, each.c_str())) << each;
  ::dlclose(stub);
#else
  GTEST_SKIP() << "no stub of libcuda.so";
#endif
}

TEST(Table, HasTheTypesOfTheToolkit) {
#ifndef DS_HAS_CUDA_HEADER
  GTEST_SKIP() << "no cuda.h";
#endif
  // CudaHeader.cpp was compiled.
}

using TableTest = Emulator;

TEST_F(TableTest, GivesAddressesOfCalls) {
  void *found = nullptr;
  CUdriverProcAddressQueryResult status;
  for (const char *name : {"cuMemAlloc", "cuMemAlloc_v2"}) {
    EXPECT_OK(cu.cuGetProcAddress_v2(name, &found, 12000, 0, &status));
    EXPECT_EQ(found, reinterpret_cast<void *>(cu.cuMemAlloc_v2));
    EXPECT_EQ(status, CU_GET_PROC_ADDRESS_SUCCESS);
  }
  EXPECT_OK(cu.cuGetProcAddress_v2("cuInit", &found, 12000, 0, nullptr));
  EXPECT_EQ(found, reinterpret_cast<void *>(cu.cuInit));
  EXPECT_EQ(cu.cuGetProcAddress_v2("cuNoSuch", &found, 12000, 0, &status),
            CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(found, nullptr);
  EXPECT_EQ(status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
  // A call of this name has other parameters since 13.0.
  EXPECT_EQ(cu.cuGetProcAddress_v2("cuGraphAddDependencies", &found, 13000, 0,
                                   &status),
            CUDA_ERROR_NOT_FOUND);
  EXPECT_OK(cu.cuGetProcAddress_v2("cuGraphAddDependencies", &found, 12000, 0,
                                   &status));
  EXPECT_EQ(cu.cuGetProcAddress_v2(nullptr, &found, 12000, 0, &status),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGetProcAddress_v2("cuInit", nullptr, 12000, 0, &status),
            CUDA_ERROR_INVALID_VALUE);
}

TEST_F(TableTest, NamesErrors) {
  const char *text = nullptr;
  EXPECT_OK(cu.cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
  EXPECT_STREQ(text, "CUDA_ERROR_ILLEGAL_ADDRESS");
  EXPECT_OK(cu.cuGetErrorString(CUDA_SUCCESS, &text));
  EXPECT_STREQ(text, "no error");
  EXPECT_EQ(cu.cuGetErrorName(CUresult(12345), &text),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(text, nullptr);
  EXPECT_EQ(cu.cuGetErrorString(CUresult(-1), &text), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGetErrorName(CUDA_SUCCESS, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuGetErrorString(CUDA_SUCCESS, nullptr),
            CUDA_ERROR_INVALID_VALUE);
}

} // namespace
