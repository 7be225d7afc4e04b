//===- Emulator.cpp - the emulated driver, loaded -------------------------===//
#include "test/unit/ptx-emulator/Emulator.h"

#include <cstdlib>
#include <dlfcn.h>

namespace test {

template <class Function>
static void find(void *library, const char *name, Function &function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function)
    return;
  std::fprintf(stderr, "%s: no symbol %s\n", DS_EMULATOR, name);
  std::abort();
}

const Calls &calls() {
  static const Calls loaded = [] {
    void *library = ::dlopen(DS_EMULATOR, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      std::fprintf(stderr, "%s\n", ::dlerror());
      std::abort();
    }
    Calls result;
#define DS_CUDA_CALL(name, need, parameters) find(library, #name, result.name);
#define DS_EMU_CALL(name, parameters) find(library, #name, result.name);
#include "tools/ptx-emulator/api/table.def"
    return result;
  }();
  return loaded;
}

void Emulator::set(std::initializer_list<const char *> settings) {
  for (std::string each : settings) {
    size_t equals = each.find('=');
    variables.push_back(each.substr(0, equals));
    ::setenv(variables.back().c_str(), each.c_str() + equals + 1, 1);
  }
}

void Emulator::start() {
  EXPECT_OK(cu.dsEmuReset());
  EXPECT_OK(cu.cuInit(0));
  EXPECT_OK(cu.cuDevicePrimaryCtxRetain(&context, 0));
  EXPECT_OK(cu.cuCtxSetCurrent(context));
}

void Emulator::TearDown() {
  for (const std::string &each : variables)
    ::unsetenv(each.c_str());
  EXPECT_OK(cu.dsEmuReset());
}

CUdeviceptr Emulator::allocate(size_t bytes) {
  CUdeviceptr address = 0;
  EXPECT_OK(cu.cuMemAlloc_v2(&address, bytes));
  return address;
}

CUmodule Emulator::load(const std::string &ptx) {
  CUmodule result = nullptr;
  EXPECT_OK(cu.cuModuleLoadData(&result, ptx.c_str()));
  return result;
}

CUfunction Emulator::function(CUmodule of, const char *name) {
  CUfunction result = nullptr;
  EXPECT_OK(cu.cuModuleGetFunction(&result, of, name));
  return result;
}

CUstream Emulator::stream(unsigned flags) {
  CUstream result = nullptr;
  EXPECT_OK(cu.cuStreamCreate(&result, flags));
  return result;
}

CUevent Emulator::event(unsigned flags) {
  CUevent result = nullptr;
  EXPECT_OK(cu.cuEventCreate(&result, flags));
  return result;
}

std::string Emulator::report() {
  char text[4096];
  EXPECT_OK(cu.dsEmuReport(text, sizeof text));
  return text;
}

std::string module(const std::string &entries, const std::string &target) {
  return ".version 8.0\n.target " + target + "\n.address_size 64\n" + entries;
}

/// An entry that does something to each word of an array.
static std::string wordsEntry(const std::string &name,
                              const std::string &instruction) {
  return ".visible .entry " + name + R"((
  .param .u64 words, .param .u32 count, .param .u32 value)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [words];
  ld.param.u32 %r1, [count];
  ld.param.u32 %r2, [value];
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %ntid.x;
  mov.u32 %r5, %tid.x;
  mad.lo.u32 %r6, %r3, %r4, %r5;
  setp.ge.u32 %p1, %r6, %r1;
  @%p1 bra DONE;
  mul.wide.u32 %rd2, %r6, 4;
  add.u64 %rd3, %rd1, %rd2;
  ld.global.u32 %r7, [%rd3];
  )" + instruction +
         R"(
  st.global.u32 [%rd3], %r7;
DONE:
  ret;
}
)";
}

const std::string addEntry = wordsEntry("add", "add.u32 %r7, %r7, %r2;");
const std::string scaleEntry = wordsEntry("scale", "mul.lo.u32 %r7, %r7, %r2;");
const std::string peekEntry = R"(
.visible .entry peek(.param .u64 address)
{
  .reg .b32 %r<2>;
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [address];
  ld.global.u32 %r1, [%rd1];
  st.global.u32 [%rd1], %r1;
  ret;
}
)";

} // namespace test
