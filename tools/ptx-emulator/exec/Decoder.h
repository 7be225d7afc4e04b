//===- Decoder.h - an entry made ready to execute -------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_DECODER_H
#define TOOLS_PTX_EMULATOR_EXEC_DECODER_H

#include "tools/ptx-emulator/exec/Kernel.h"

#include <span>

namespace ptx {

/// Decodes an entry of `module` and what it calls. `addresses`: of the module's
/// variables by their numbers, each in its own space; those of shared memory
/// are placed here. Throws Error: operands that do not fit an instruction,
/// calls of what has no body, instructions that are not executed.
std::unique_ptr<Kernel> decode(const Module &module, const Function &entry,
                               std::span<const uint64_t> addresses);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_DECODER_H
