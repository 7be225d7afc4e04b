//===- Parser.h - a PTX module out of its text ----------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_PTX_PARSER_H
#define TOOLS_PTX_EMULATOR_PTX_PARSER_H

#include "tools/ptx-emulator/ptx/Module.h"

#include <string_view>

namespace ptx {

/// Reads a module. Throws Error for the first thing that is wrong: what is no
/// PTX, names that are not or twice declared, instructions that opcodes.def
/// does not have, a version beyond 9.0 or before 8.0, targets but sm_80 to
/// sm_90a.
Module parseModule(std::string_view source);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_PTX_PARSER_H
