//===- Settings.h - what the environment says -----------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_API_SETTINGS_H
#define TOOLS_PTX_EMULATOR_API_SETTINGS_H

#include "tools/ptx-emulator/exec/Grid.h"

namespace cuda {

struct Settings {
  unsigned architecture = 90;  // DS_EMU_ARCH: sm_80 or sm_90a
  int devices = 1;             // DS_EMU_DEVICES
  bool hasLazyStreams = false; // DS_EMU_STREAMS
  /// DS_EMU_SEED, DS_EMU_LIMIT, DS_EMU_UNINIT, DS_EMU_ASYNC, DS_EMU_RACE.
  ptx::Options options;
};

/// Reads the variables above. Throws Failure for a value that is none of the
/// known ones.
Settings readSettings();

} // namespace cuda

#endif // TOOLS_PTX_EMULATOR_API_SETTINGS_H
