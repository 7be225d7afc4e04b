//===- DeviceMemory.h - global and constant memory ------------*- C++ -*-===//
//
// Addresses of the device are numbers of their own: no allocation touches
// another, none comes back after it was freed, and the host has nothing there.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_MEM_DEVICEMEMORY_H
#define TOOLS_PTX_EMULATOR_MEM_DEVICEMEMORY_H

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace ptx {

/// Where the spaces that are not global lie in generic addresses.
namespace windows {
constexpr uint64_t size = uint64_t(1) << 40;
constexpr uint64_t shared = 3 * size, local = 4 * size, parameter = 5 * size,
                   constant = 6 * size;
} // namespace windows

/// Addresses that device memory is allocated from.
constexpr uint64_t deviceBase = 32 * windows::size, deviceSize = windows::size;

/// What is known of a byte of memory.
enum Definedness : uint8_t {
  neverWritten,
  written,
  inFlight,  // an asynchronous copy may write it at any time
  isBarrier, // part of an mbarrier
  isOutside  // of no variable of shared memory
};

struct Allocation {
  uint64_t base, size; // bytes
  uint8_t *data;
  /// The Definedness of each byte. Null: all are written, as the host's are.
  uint8_t *defined;
  /// For reports: "parameter 0", "variable table".
  std::string origin;
  bool isFreed = false;
  std::unique_ptr<uint8_t[]> storage, definedStorage;
};

/// Bytes that nobody wrote hold this, repeated: another word for another seed,
/// so that who reads them gets other results. Odd seeds give NaNs.
uint32_t garbageWord(uint64_t seed);
void fillWithGarbage(void *bytes, uint64_t count, uint64_t seed);

/// The next multiple.
uint64_t alignedTo(uint64_t value, uint64_t alignment);

class DeviceMemory {
public:
  explicit DeviceMemory(uint64_t seed = 0) : seed(seed) {}
  DeviceMemory(const DeviceMemory &) = delete;

  /// Memory whose contents are not defined. Throws std::bad_alloc.
  Allocation &allocate(uint64_t bytes, std::string origin,
                       uint64_t alignment = 256);
  /// Memory in the constant window.
  Allocation &allocateConstant(uint64_t bytes, std::string origin,
                               uint64_t alignment);
  /// Makes memory of the host one that kernels may use, at its own address.
  Allocation &addHost(void *bytes, uint64_t count, std::string origin);
  /// False: no allocation begins there, or it was freed before.
  bool free(uint64_t address);

  /// The allocation that holds `bytes` bytes from `address` on; null: none.
  Allocation *find(uint64_t address, uint64_t bytes);
  /// Calls visit(allocation, offset, bytes) for each part of an allocation that
  /// is among these bytes.
  void forParts(uint64_t address, uint64_t bytes,
                const std::function<void(Allocation &, uint64_t offset,
                                         uint64_t bytes)> &visit);
  /// Whether an allocation that is not freed has one of these bytes.
  bool overlaps(uint64_t address, uint64_t bytes) const;
  /// For reports: what is at or near an address.
  std::string describe(uint64_t address) const;
  uint64_t bytesInUse() const { return inUse; }

private:
  Allocation &add(uint64_t base, uint64_t bytes, std::string origin);

  uint64_t seed;
  uint64_t nextBase = deviceBase, nextConstant = windows::constant + 256;
  uint64_t inUse = 0;
  std::map<uint64_t, Allocation> allocations; // by base
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_MEM_DEVICEMEMORY_H
