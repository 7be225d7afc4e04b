//===- Caches.h - memory of a session -------------------------*- C++ -*-===//
#ifndef DS_RUNTIME_SRC_CACHES_H
#define DS_RUNTIME_SRC_CACHES_H

#include "ds/model_abi.h"

#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace dsrt {

struct AlignedFree {
  void operator()(void *memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<void, AlignedFree>;

/// Memory on a line of 64 bytes. Throws MEMORY, naming `what` it is for.
AlignedMemory allocateAligned(uint64_t bytes, const std::string &what);

/// The cache tensors [slots, heads, length, width] that an entry reads and
/// appends to.
class Caches {
public:
  /// `poison`: filled with NaN. Throws MEMORY.
  Caches(std::span<const DsCache> described, int64_t slots, int64_t length,
         bool poison);

  /// One per described cache.
  void *const *pointers() const { return data.data(); }
  void *operator[](size_t i) const { return data[i]; }

private:
  std::vector<AlignedMemory> memories;
  std::vector<void *> data;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_CACHES_H
