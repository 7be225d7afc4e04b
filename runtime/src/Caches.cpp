//===- Caches.cpp - memory of a session -----------------------------------===//
#include "Caches.h"
#include "Error.h"
#include "files/Types.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace dsrt {

AlignedMemory allocateAligned(uint64_t bytes, const std::string &what) {
  void *memory = nullptr;
  uint64_t rounded = (bytes + 63) / 64 * 64;
  if (rounded < bytes ||
      posix_memalign(&memory, 64, std::max<size_t>(rounded, 64)))
    throw Error(DS_ERROR_MEMORY, "no memory for " + what + ", " +
                                     std::to_string(bytes) + " bytes");
  return AlignedMemory(memory);
}

Caches::Caches(std::span<const DsCache> described, int64_t slots,
               int64_t length, bool poison) {
  for (const DsCache &cache : described) {
    std::array<int64_t, 4> dims{slots, cache.heads, length, cache.width};
    std::optional<uint64_t> bytes = files::memoryBytes(cache.type, dims);
    if (!bytes)
      throw Error(DS_ERROR_MEMORY, "caches of this length have no size");
    memories.push_back(allocateAligned(*bytes, cache.name));
    data.push_back(memories.back().get());
    // All ones is a NaN in every float type.
    if (poison)
      std::memset(data.back(), 0xff, *bytes);
  }
}

} // namespace dsrt
