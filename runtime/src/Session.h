//===- Session.h - the caches of several sequences ------------*- C++ -*-===//
#ifndef DS_RUNTIME_SRC_SESSION_H
#define DS_RUNTIME_SRC_SESSION_H

#include "Model.h"
#include "ds/ds_runtime.h"

#include <memory>
#include <span>
#include <vector>

namespace dsrt {

/// Owns the caches of `slots` sequences. One thread at a time.
class Session {
public:
  /// Reserves everything. Throws UNSUPPORTED, ARGUMENT, MEMORY as
  /// ds_session_create() documents.
  Session(std::shared_ptr<const Model> model,
          const ds_session_options &options);

  /// As ds_session_feed(). Throws INDEX, CAPACITY, ARGUMENT before anything is
  /// computed.
  void feed(std::span<const ds_feed> feeds, std::span<float> logits,
            float *hidden);

  int64_t slotCount() const { return int64_t(lengths.size()); }
  int64_t length(int64_t slot) const;
  void rewind(int64_t slot, int64_t length);
  /// As ds_session_read_cache().
  void readCache(int64_t slot, int64_t cache, std::span<float> values) const;

private:
  struct AlignedFree {
    void operator()(void *memory) const;
  };
  void check(std::span<const ds_feed> feeds, size_t logitsCapacity);
  void runSteps(std::span<const ds_feed> feeds, float *logits, float *hidden);

  std::shared_ptr<const Model> owner;
  int64_t cacheLength, chunk;
  int threads;
  std::vector<int64_t> lengths, before;
  std::vector<std::unique_ptr<void, AlignedFree>> memories;
  std::vector<void *> cachePointers;
  void *workspace = nullptr;
  uint64_t workspaceBytes = 0;
  // Arguments of a step, kept so that nothing is allocated once warm.
  std::vector<int32_t> tokens, rowStart, past, slots, rows;
  std::vector<bool> fed;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_SESSION_H
