//===- Session.h - the caches of several sequences ------------*- C++ -*-===//
#ifndef DS_RUNTIME_SRC_SESSION_H
#define DS_RUNTIME_SRC_SESSION_H

#include "Drafter.h"

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
  /// As ds_session_read_route().
  void readRoute(int64_t slot, int64_t router, std::span<int32_t> experts,
                 std::span<float> weights) const;
  /// As ds_session_draft().
  void draft(std::span<const ds_draft> drafts, std::span<float> logits);

  Routers &routers() { return *counted; }
  const Routers &routers() const { return *counted; }
  RouteBiases &biases() { return *changed; }
  const RouteBiases &biases() const { return *changed; }
  /// As ds_update_route_bias().
  void updateBiases(float gamma) { changed->update(*counted, gamma); }

private:
  /// Throws INDEX for a slot that is not there.
  void requireSlot(int64_t slot) const;
  void check(std::span<const ds_feed> feeds, size_t logitsCapacity);
  void checkDrafts(std::span<const ds_draft> drafts, size_t logitsCapacity);
  /// Marks `slot` as named by a call; false if it was before.
  bool nameOnce(int64_t slot);
  void runSteps(std::span<const ds_feed> feeds, float *logits, float *hidden);
  void runBatch(float *logits, float *hidden);
  void restoreStates(int64_t slot);

  std::shared_ptr<const Model> owner;
  std::unique_ptr<Routers> counted;
  std::unique_ptr<RouteBiases> changed;
  int64_t cacheLength, chunk;
  int threads;
  std::vector<int64_t> lengths, before;
  std::optional<Caches> caches;
  std::optional<Drafter> drafter;
  AlignedMemory workspace;
  uint64_t workspaceBytes = 0;
  StepBatch batch;
  std::vector<float> states; // of a step's tokens, for the drafter
  std::vector<bool> named;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_SESSION_H
