//===- Specials.h - special registers -------------------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_SPECIALS_H
#define TOOLS_PTX_EMULATOR_EXEC_SPECIALS_H

#include "tools/ptx-emulator/exec/Kernel.h"

#include <string_view>

namespace ptx {

class Warp;

/// 1 of 32 bits, 2 of 64.
uint32_t rowsOf(Special special);
/// Whether it changes while a warp runs.
bool isClock(Special special);
/// Writes its value for every lane.
void readSpecial(Special special, const Warp &warp, Row *rows);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_SPECIALS_H
