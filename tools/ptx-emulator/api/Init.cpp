//===- Init.cpp - the driver itself, and its errors -----------------------===//
#include "tools/ptx-emulator/api/Driver.h"

#include <cstring>

namespace cuda {

namespace {
/// The calls by their names.
struct Call {
  const char *name;
  void *function;
};
} // namespace

static const Call calls[] = {
#define DS_CUDA_CALL(name, need, parameters)                                   \
  {#name, reinterpret_cast<void *>(&name)},
#include "tools/ptx-emulator/api/table.def"
};

/// What this driver is a version of: 13.0.
static constexpr int driverVersion = 13000;

CUresult cuInit(unsigned flags) {
  return performAlways(__func__, [&] {
    if (flags)
      throw Failure{CUDA_ERROR_INVALID_VALUE, "flags must be 0"};
    start();
    if (running()->devices.empty())
      throw Failure{CUDA_ERROR_NO_DEVICE, "DS_EMU_DEVICES is 0"};
  });
}

CUresult cuDriverGetVersion(int *version) {
  return performAlways(
      __func__, [&] { *notNull(version, "the version") = driverVersion; });
}

CUresult cuGetErrorName(CUresult error, const char **name) {
  if (!name)
    return CUDA_ERROR_INVALID_VALUE;
  *name = nullptr;
  switch (int(error)) {
#define CUDA_RESULT(id, number, text)                                          \
  case number:                                                                 \
    *name = #id;                                                               \
    break;
#include "tools/ptx-emulator/api/results.def"
  }
  return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult error, const char **text) {
  if (!text)
    return CUDA_ERROR_INVALID_VALUE;
  *text = nullptr;
  switch (int(error)) {
#define CUDA_RESULT(id, number, string)                                        \
  case number:                                                                 \
    *text = string;                                                            \
    break;
#include "tools/ptx-emulator/api/results.def"
  }
  return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/// Of `symbol` with or without its version; null: there is none.
static const Call *findCall(const std::string &symbol) {
  // A call has several versions; the table has the one that is used.
  for (const char *suffix : {"", "_v2", "_v3"})
    for (const Call &each : calls)
      if (symbol + suffix == each.name)
        return &each;
  return nullptr;
}

CUresult cuGetProcAddress_v2(const char *symbol, void **function, int version,
                             cuuint64_t,
                             CUdriverProcAddressQueryResult *status) {
  return performAlways(__func__, [&] {
    notNull(symbol, "the symbol");
    *notNull(function, "where the address goes") = nullptr;
    const Call *found = findCall(symbol);
    // Since 13.0 this name stands for a call with other parameters.
    if (version >= 13000 && std::strcmp(symbol, "cuGraphAddDependencies") == 0)
      found = nullptr;
    if (status)
      *status = found ? CU_GET_PROC_ADDRESS_SUCCESS
                      : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    if (!found)
      throw Failure{CUDA_ERROR_NOT_FOUND,
                    std::string("there is no call ") + symbol};
    *function = found->function;
  });
}

//===-- of the emulator ---------------------------------------------------===//

static void copyText(char *to, size_t size, const std::string &text) {
  notNull(to, "where the text goes");
  if (!size)
    throw Failure{CUDA_ERROR_INVALID_VALUE, "no room for a text"};
  size_t length = std::min(size - 1, text.size());
  std::memcpy(to, text.data(), length);
  to[length] = 0;
}

CUresult dsEmuReport(char *text, size_t size) {
  return performAlways(__func__, [&] { copyText(text, size, lastReport()); });
}

CUresult dsEmuReset() {
  return performAlways(__func__, [] { stop(); });
}

CUresult dsEmuStats(char *text, size_t size) {
  return perform(__func__, [&](Driver &driver) {
    copyText(text, size,
             "{\"launches\": " + std::to_string(driver.launches) +
                 ", \"warp_instructions\": " + std::to_string(driver.executed) +
                 ", \"bytes_in_use\": " +
                 std::to_string(driver.memory.bytesInUse()) + "}");
  });
}

} // namespace cuda
