//===- Arguments.h - a kernel's arguments as text -------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_RUN_ARGUMENTS_H
#define TOOLS_PTX_EMULATOR_RUN_ARGUMENTS_H

#include "tools/ptx-emulator/ptx/Types.h"

#include <string>
#include <vector>

namespace ptx {

/// A number, or a buffer whose address is the argument.
struct Argument {
  Type type; // of the number, of the buffer's elements
  bool isBuffer = false;
  uint64_t count = 1;
  /// Contents; empty of a buffer that nothing was written to.
  std::vector<uint8_t> bytes;
};

/// Reads "u32=7", "f32[64]", "f32[64]=iota", "b32[4]=1,2,3,4",
/// "b8[64]=@file". Throws std::runtime_error, which names what is wrong.
Argument parseArgument(const std::string &text);

/// An element as text: floats as decimals that read back as the same bits,
/// types of bits as hexadecimal numbers.
std::string elementText(Type type, const uint8_t *bytes);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RUN_ARGUMENTS_H
