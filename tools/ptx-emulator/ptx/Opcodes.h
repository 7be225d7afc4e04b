//===- Opcodes.h - which instructions there are ---------------*- C++ -*-===//
//
// The forms of opcodes.def, and how an instruction is matched with them.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_PTX_OPCODES_H
#define TOOLS_PTX_EMULATOR_PTX_OPCODES_H

#include "tools/ptx-emulator/ptx/Module.h"

#include <span>
#include <string_view>

namespace ptx {

/// A line of opcodes.def, which says what its fields mean.
struct Form {
  std::string_view opcode, modifiers, operands;
  /// Least `.target`, 900 for sm_90 and 901 for sm_90a, and least `.version`,
  /// 86 for 8.6.
  unsigned target, version;
};

/// All of them, those of one opcode beside each other.
std::span<const Form> forms();

/// Opcode and modifiers: "add.sat.s32".
std::string textOf(const Instruction &instruction);

/// Whether every group of the form has its one modifier, and every modifier its
/// group. Modifiers are taken from the first on, so that of two groups with
/// common members the first has the first.
bool haveModifiers(const Form &form, const std::vector<std::string> &modifiers);

/// The form that the instruction `opcode` with these modifiers and operands has
/// in `module`. Throws Error with `line`: an unknown opcode, modifiers or
/// operands that none of its forms has, a form of a newer target or version.
const Form &formOf(const Module &module, std::string_view opcode,
                   const Instruction &instruction, int line);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_PTX_OPCODES_H
