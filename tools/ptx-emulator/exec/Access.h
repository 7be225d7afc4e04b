//===- Access.h - what a thread touches in memory -------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_ACCESS_H
#define TOOLS_PTX_EMULATOR_EXEC_ACCESS_H

#include "tools/ptx-emulator/exec/Warp.h"
#include "tools/ptx-emulator/mem/DeviceMemory.h"
#include "tools/ptx-emulator/races/SharedShadow.h"

#include <cstring>

namespace ptx {

/// What a thread does with memory.
struct Use {
  bool writes = false;
  /// Atomic, volatile or with an order; perhaps for threads of the block alone.
  bool isStrong = false, isBlockScope = false;
  /// The bytes that are written, where they are known: lanes of one instruction
  /// may write the same.
  const void *value = nullptr;
  /// An operation on an mbarrier, whose bytes nothing else may touch.
  bool isOfBarrier = false;
  /// An asynchronous operation, done by this engine (Clocks.h).
  bool isAsync = false;
  uint16_t engine = 0;
};
constexpr Use reading = {false}, writing = {true};

/// Bytes of memory, the Definedness of each (null: they all were written), and
/// the space that they are in, also where the address was a generic one.
struct Cell {
  uint8_t *bytes = nullptr, *defined = nullptr;
  Space space = Space::Generic;
  /// Whose shared memory it is; null elsewhere.
  Block *block = nullptr;
};

/// What a lane finds at an address of a space. Throws Fault: where nothing is
/// allocated, in a space that the instruction does not name, where parameters
/// or constants are and it writes, where a copy is in flight and it writes,
/// where another thread reads or writes and nothing orders the two.
Cell locatePart(Warp &warp, Space space, uint64_t address, unsigned bytes,
                unsigned lane, Use use);

/// The same of an address that must be aligned to `bytes`.
Cell locate(Warp &warp, Space space, uint64_t address, unsigned bytes,
            unsigned lane, Use use);

Fault misaligned(Space space, uint64_t address, unsigned bytes, unsigned lane,
                 Use use);

/// Throws Fault if one of the bytes that a lane reads was never written, or is
/// in flight.
void checkDefined(Warp &warp, const Cell &cell, uint64_t address,
                  unsigned bytes, unsigned lane);

// Blocks of one launch may run on several threads of the host: every element is
// read and written at once.

template <class T> T loadAtomically(const uint8_t *bytes) {
  T value;
  __atomic_load(reinterpret_cast<const T *>(bytes), &value, __ATOMIC_RELAXED);
  return value;
}

template <class T> void storeAtomically(uint8_t *bytes, T value) {
  __atomic_store(reinterpret_cast<T *>(bytes), &value, __ATOMIC_RELAXED);
}

/// How an asynchronous operation that completes at the mbarrier at an offset of
/// shared memory uses memory, or one in a group of the warp, which reads shared
/// or writes global memory.
Use asyncUse(Warp &warp, bool writes, uint64_t barrier);
Use asyncUseOfWarp(Warp &warp, bool writes);

/// Touches, or writes anew (SharedShadow.h), the words of shared memory that a
/// cell has bytes of.
void touchWords(const Cell &cell, unsigned bytes, const Touch &touch,
                const Clocks &clocks);
void rewriteWords(const Cell &cell, unsigned bytes, const Touch &touch,
                  const Clocks &clocks);

/// Says that an asynchronous operation reads bytes of shared memory until it
/// says that it no longer does: writing them is a fault.
void beginReading(const Cell &cell, unsigned bytes, uint32_t pc);
void endReading(const Cell &cell, unsigned bytes);

inline void markDefined(const Cell &cell, unsigned bytes) {
  if (cell.defined)
    std::memset(cell.defined, written, bytes);
}

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_ACCESS_H
