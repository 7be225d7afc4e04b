//===- Arguments.h - a kernel's arguments as text -------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_RUN_ARGUMENTS_H
#define TOOLS_PTX_EMULATOR_RUN_ARGUMENTS_H

#include "tools/ptx-emulator/ptx/Types.h"

#include <optional>
#include <string>
#include <vector>

namespace ptx {

/// A tensor in a buffer, for a map of 128 bytes. Dimension 0 is the innermost
/// one; lists are in that order.
struct TensorArgument {
  /// Of an argument, or of an extra buffer.
  size_t buffer = 0;
  bool isExtra = false;
  std::vector<uint64_t> dims, strides; // elements; bytes of dimension 1 on
  std::vector<uint32_t> box, elementStrides;
  unsigned type = 0, swizzle = 0, fill = 0; // as cuTensorMapEncodeTiled takes
};

/// A number, or a buffer whose address is the argument, or the map of a tensor.
struct Argument {
  Type type; // of the number, of the buffer's elements
  bool isBuffer = false;
  std::optional<TensorArgument> tensor = {};
  uint64_t count = 1;
  /// Contents; empty of a buffer that nothing was written to.
  std::vector<uint8_t> bytes;
};

/// Reads "u32=7", "f32[64]", "f32[64]=iota", "b32[4]=1,2,3,4",
/// "b8[64]=@file", "tma(0; f16; dims=64,32; box=16,8; swizzle=32)", of which b0
/// instead of 0 is an extra buffer. Throws std::runtime_error, which names what
/// is wrong.
Argument parseArgument(const std::string &text);

/// An element as text: floats as decimals that read back as the same bits,
/// types of bits as hexadecimal numbers.
std::string elementText(Type type, const uint8_t *bytes);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RUN_ARGUMENTS_H
