//===- Drafter.h - predicts tokens that the model then checks -*- C++ -*-===//
//
// A layer that predicts a token further on has a cache of its own, of pairs:
// the state of token i with token i + 1 (model_abi.h, DsDraft). The drafter is
// told of every token that a session computes, and keeps that cache as long as
// the sequence. It is lazy: states of the last few tokens wait in a window,
// because most of what follows a draft is about to be rewound.
//
//===----------------------------------------------------------------------===//
#ifndef DS_RUNTIME_SRC_DRAFTER_H
#define DS_RUNTIME_SRC_DRAFTER_H

#include "RouteBiases.h"
#include "StepBatch.h"
#include "ds/ds_runtime.h"

namespace dsrt {

class Drafter {
public:
  /// For `slots` sequences of up to `length` tokens, which come in calls of at
  /// most `chunk`. `routers` and `biases` outlive it. Throws UNSUPPORTED where
  /// the model has no such layer, MEMORY.
  Drafter(std::shared_ptr<const Model> model, Routers &routers,
          const RouteBiases &biases, int64_t slots, int64_t length,
          int64_t chunk, int threads, bool poison);

  /// `slot` got `tokens`, whose states are [tokens, hidden size]. The state of
  /// its last token must be held.
  void append(int64_t slot, std::span<const int32_t> tokens,
              const float *states);
  /// `slot` forgot all tokens from `length` on.
  void rewind(int64_t slot, int64_t length);

  /// The last token of `slot` if its state is not held: after a rewind into
  /// what has left the window.
  std::optional<int32_t> tokenWithoutState(int64_t slot) const;
  /// The state of that token.
  void setState(int64_t slot, const float *state);

  /// Position of the pair that the next draft of `slot` makes.
  int64_t nextPosition(int64_t slot) const;
  /// As ds_session_draft(), of arguments that are checked.
  void draft(std::span<const ds_draft> drafts, float *logits);

private:
  /// What is known of a sequence: `pairs` are in the cache; states of the
  /// tokens from `pairs` on, `held` of them, in the window.
  struct Slot {
    std::vector<int32_t> tokens;
    int64_t length = 0, pairs = 0, held = 0;
    /// Drafts since the last token; the first put the token it was given
    /// behind `tokens`.
    int64_t ahead = 0;
  };
  float *window(int64_t slot) {
    return windows.data() + slot * windowRows * hiddenSize;
  }
  float *nextState(int64_t slot) { return next.data() + slot * hiddenSize; }
  /// Puts a pair into the batch, whose sequence has begun.
  void addPair(const float *state, int32_t token, bool wantsLogits);
  void run(float *logits);

  /// So many states of a sequence wait at most.
  static constexpr int64_t windowRows = 32;

  std::shared_ptr<const Model> owner;
  Routers *routers;
  const RouteBiases *biases;
  int64_t hiddenSize, cacheLength, slotCount;
  int threads;
  Caches caches;
  AlignedMemory workspace;
  uint64_t workspaceBytes;
  std::vector<Slot> slots;
  /// States: of each slot's window, of each slot's last draft, of the rows of
  /// a call, and those that it gives.
  std::vector<float> windows, next, states, hidden;
  StepBatch batch;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_DRAFTER_H
