//===- System.h - functions of the device's system ------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_SYSTEM_H
#define TOOLS_PTX_EMULATOR_EXEC_SYSTEM_H

#include "tools/ptx-emulator/exec/Kernel.h"

#include <string_view>

namespace ptx {

/// What executes a call of a function without a body: vprintf and __assertfail.
/// Null: it is none of these.
Handler systemFunction(std::string_view name);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_SYSTEM_H
