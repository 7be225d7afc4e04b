//===- Swizzle.h - how tiles lie in shared memory -------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_MEM_SWIZZLE_H
#define TOOLS_PTX_EMULATOR_MEM_SWIZZLE_H

#include <cstdint>

namespace ptx {

/// Pieces of 16 bytes change places within `width` bytes (32, 64 or 128; 0:
/// they do not), by the 128-byte row that the address is in.
inline uint64_t swizzled(uint64_t address, unsigned width) {
  if (!width)
    return address;
  return address ^ ((address >> 7) & (width / 16 - 1)) << 4;
}

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_MEM_SWIZZLE_H
