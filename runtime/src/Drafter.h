//===- Drafter.h - predicts tokens that the model then checks -*- C++ -*-===//
//
// Layers that predict a token further on have caches of their own, of pairs:
// layer k has the state that layer k - 1 gave of token i (layer 0: that of the
// model) with token i + k + 1 (model_abi.h, DsDraft). The drafter is told of
// every token that a session computes, and keeps these caches as long as the
// sequence. It is lazy: the last states that go into a layer wait in a window,
// because most of what follows a draft is about to be rewound. States that have
// become pairs stay there as long as there is room: a pair with a draft that
// does not hold is made again.
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

  /// `slot` got `tokens`, whose states are [tokens, hidden size]. Those of the
  /// tokens before must be held.
  void append(int64_t slot, std::span<const int32_t> tokens,
              const float *states);
  /// `slot` forgot all tokens from `length` on.
  void rewind(int64_t slot, int64_t length);

  /// The last tokens of `slot` if states of them are not held: after a rewind
  /// into what has left a window.
  std::span<const int32_t> tokensWithoutState(int64_t slot) const;
  /// The states of so many last tokens follow, each with addState().
  void clearStates(int64_t slot, int64_t count);
  void addState(int64_t slot, const float *state);

  /// Position of the pair that the next draft of `slot` makes.
  int64_t nextPosition(int64_t slot) const;
  /// As ds_session_draft(), of arguments that are checked.
  void draft(std::span<const ds_draft> drafts, float *logits);

private:
  /// A layer as it stands in one sequence: its first `pairs` are in its cache,
  /// and its window holds the states of tokens [first, end), first <= pairs.
  struct Pairs {
    int64_t pairs = 0, first = 0, end = 0;
  };
  /// What is known of a sequence. Behind the `length` tokens of the text stand
  /// the `ahead` that drafts were asked for since.
  struct Slot {
    std::vector<int32_t> tokens;
    int64_t length = 0, ahead = 0;
    std::vector<Pairs> layers;
  };
  /// Code and memory of a layer.
  struct Layer {
    Layer(const Model &model, size_t index, int64_t slots, int64_t length,
          bool poison);
    const DsDraft *entry;
    Caches caches;
    Routers::Range routers;
    std::vector<float> windows; // [slots, capacity, hidden size]
  };

  size_t layerCount() const { return layers.size(); }
  /// So many states wait in front of layer `k` of a sequence at most: one more
  /// than in front of the layer before, since all of those and one that has
  /// no token to go with can come at once.
  static int64_t capacity(size_t k) { return 32 + int64_t(k); }
  float *window(size_t k, int64_t slot) {
    return layers[k].windows.data() + slot * capacity(k) * hiddenSize;
  }
  float *nextState(int64_t slot) { return next.data() + slot * hiddenSize; }
  /// The layer that drafts when `ahead` tokens were drafted: the last makes all
  /// that no layer is for, going on by its own states.
  size_t layerFor(int64_t ahead) const {
    return std::min(size_t(ahead), layerCount() - 1);
  }

  /// Forgets what was made of any token from `known` on.
  void forget(Slot &slot, int64_t known);
  /// States [end, end + count) come behind those of a window, and push out the
  /// first.
  void keep(size_t k, int64_t slot, const float *states, int64_t count);
  /// All pairs of two tokens of the text, of layers from `k` on; `states` are
  /// behind its window.
  void catchUp(size_t k, int64_t slot, const float *states, int64_t count);
  /// Room in front of layer `k` for `count` states.
  void makeRoom(size_t k, int64_t slot, int64_t count);
  void addPair(const float *state, int32_t token, bool wantsLogits);
  void run(size_t k, float *logits);
  void draftWith(size_t k, std::span<const ds_draft> drafts, float *logits);

  std::shared_ptr<const Model> owner;
  Routers *routers;
  const RouteBiases *biases;
  int64_t hiddenSize, slotCount, cacheLength;
  int threads;
  std::vector<Layer> layers;
  AlignedMemory workspace;
  uint64_t workspaceBytes = 0;
  std::vector<Slot> slots;
  /// States: of each slot's last draft, of the rows of a call, and those that
  /// it gives.
  std::vector<float> next, states, hidden;
  std::vector<float> someLogits; // of the drafts of one layer among others
  std::vector<ds_draft> some;
  StepBatch batch;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_DRAFTER_H
