//===- Entries.h - the calls, as the emulator has them --------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_API_ENTRIES_H
#define TOOLS_PTX_EMULATOR_API_ENTRIES_H

#include "tools/ptx-emulator/api/Types.h"

namespace cuda {

#define DS_CUDA_CALL(name, need, parameters)                                   \
  extern "C" __attribute__((visibility("default"))) CUresult name parameters;
#define DS_EMU_CALL(name, parameters)                                          \
  extern "C" __attribute__((visibility("default"))) CUresult name parameters;
#include "tools/ptx-emulator/api/table.def"

} // namespace cuda

#endif // TOOLS_PTX_EMULATOR_API_ENTRIES_H
