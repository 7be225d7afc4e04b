//===- Drafter.cpp - predicts tokens that the model then checks -----------===//
//
// See Drafter.h.
//
//===----------------------------------------------------------------------===//
#include "Drafter.h"
#include "Error.h"

#include <algorithm>

namespace dsrt {

/// The caches of the layer that drafts.
static std::span<const DsCache> draftCaches(const Model &model) {
  if (!model.descriptor().draft_count)
    throw Error(DS_ERROR_UNSUPPORTED,
                "'" + model.path() +
                    "' has no layer that predicts tokens further on (MTP), so "
                    "nothing can be drafted; compile a checkpoint folder that "
                    "has one, name the layer's graph with ds-compile --mtp, or "
                    "do without drafts");
  return model.draftCaches();
}

Drafter::Drafter(std::shared_ptr<const Model> model, Routers &loads,
                 const RouteBiases &shared, int64_t slotNumber, int64_t length,
                 int64_t chunk, int threadCount, bool poison)
    : owner(std::move(model)), routers(&loads), biases(&shared),
      hiddenSize(owner->descriptor().hidden_size), cacheLength(length),
      slotCount(slotNumber), threads(threadCount),
      caches(draftCaches(*owner), slotNumber, length, poison),
      slots(size_t(slotNumber)) {
  // A chunk behind a window, or the windows of all slots.
  int64_t rows = std::max(windowRows + chunk, slotCount * windowRows);
  workspaceBytes = owner->variant().drafts[0].workspace_bytes(
      rows, slotCount, slotCount, cacheLength, threads);
  workspace = allocateAligned(workspaceBytes, "the workspace of drafts");
  for (Slot &slot : slots)
    slot.tokens.resize(size_t(cacheLength) + 1);
  windows.resize(size_t(slotCount * windowRows * hiddenSize));
  next.resize(size_t(slotCount * hiddenSize));
  states.reserve(size_t(rows * hiddenSize));
  hidden.resize(size_t(rows * hiddenSize));
}

void Drafter::addPair(const float *state, int32_t token, bool wantsLogits) {
  batch.add(token, wantsLogits);
  states.insert(states.end(), state, state + hiddenSize);
}

/// Computes the pairs of the batch, and empties it of states.
void Drafter::run(float *logits) {
  DsStepCall call = batch.call();
  call.parameters = biases->parameters();
  call.caches = caches.pointers();
  call.cache_slots = slotCount;
  call.cache_length = cacheLength;
  call.states = states.data();
  call.logits = logits;
  call.hidden = hidden.data();
  call.expert_loads = routers->forCall(routers->ofDrafts());
  call.workspace = workspace.get();
  call.workspace_bytes = workspaceBytes;
  call.threads = threads;
  checkStatus(owner->variant().drafts[0].draft(&call), "drafts of model",
              owner->descriptor().name);
  routers->count(routers->ofDrafts());
}

void Drafter::append(int64_t number, std::span<const int32_t> tokens,
                     const float *given) {
  Slot &slot = slots[size_t(number)];
  // The pair of the last state was computed by the first draft, if the token
  // that it took for the next one is the next one.
  if (slot.ahead > 0 && slot.tokens[size_t(slot.length)] == tokens[0]) {
    slot.pairs = slot.length;
    slot.held = 0;
  }
  slot.ahead = 0;
  std::copy(tokens.begin(), tokens.end(), slot.tokens.begin() + slot.length);
  int64_t count = int64_t(tokens.size());
  slot.length += count;
  if (slot.held + count <= windowRows) {
    std::copy(given, given + count * hiddenSize,
              window(number) + slot.held * hiddenSize);
    slot.held += count;
    return;
  }
  // All but the last state have a token to go with.
  batch.clear();
  states.clear();
  int64_t absorbBelow = owner->descriptor().mla_absorb_below;
  batch.beginSequence(number, slot.pairs, slot.held + count - 1 < absorbBelow);
  const int32_t *token = &slot.tokens[size_t(slot.pairs) + 1];
  for (int64_t i = 0; i < slot.held; ++i)
    addPair(window(number) + i * hiddenSize, *token++, false);
  for (int64_t i = 0; i < count - 1; ++i)
    addPair(given + i * hiddenSize, *token++, false);
  run(nullptr);
  slot.pairs = slot.length - 1;
  slot.held = 0;
  setState(number, given + (count - 1) * hiddenSize);
}

void Drafter::rewind(int64_t number, int64_t length) {
  Slot &slot = slots[size_t(number)];
  slot.ahead = 0;
  if (length == slot.length)
    return;
  if (length > slot.pairs) {
    slot.held = std::min(slot.held, length - slot.pairs);
  } else {
    // The last pair is of a token that is forgotten.
    slot.pairs = std::max<int64_t>(length - 1, 0);
    slot.held = 0;
  }
  slot.length = length;
}

std::optional<int32_t> Drafter::tokenWithoutState(int64_t number) const {
  const Slot &slot = slots[size_t(number)];
  if (slot.pairs + slot.held == slot.length)
    return std::nullopt;
  return slot.tokens[size_t(slot.length) - 1];
}

void Drafter::setState(int64_t number, const float *state) {
  std::copy(state, state + hiddenSize, window(number));
  slots[size_t(number)].held = 1;
}

int64_t Drafter::nextPosition(int64_t number) const {
  const Slot &slot = slots[size_t(number)];
  return slot.length - 1 + slot.ahead;
}

void Drafter::draft(std::span<const ds_draft> drafts, float *logits) {
  batch.clear();
  states.clear();
  // So few tokens that all sequences take one form, in whatever order.
  bool isAbsorbed = owner->descriptor().mla_absorb_below > 1;
  for (const ds_draft &draft : drafts) {
    Slot &slot = slots[size_t(draft.slot)];
    if (slot.ahead > 0) {
      batch.beginSequence(draft.slot, nextPosition(draft.slot), isAbsorbed);
      addPair(nextState(draft.slot), draft.token, true);
      continue;
    }
    slot.tokens[size_t(slot.length)] = draft.token;
    batch.beginSequence(draft.slot, slot.pairs, isAbsorbed);
    for (int64_t i = 0; i < slot.held; ++i)
      addPair(window(draft.slot) + i * hiddenSize,
              slot.tokens[size_t(slot.pairs + i) + 1], i == slot.held - 1);
  }
  run(logits);
  for (size_t i = 0; i < drafts.size(); ++i) {
    const float *last =
        hidden.data() + (batch.rowStart[i + 1] - 1) * hiddenSize;
    std::copy(last, last + hiddenSize, nextState(drafts[i].slot));
    ++slots[size_t(drafts[i].slot)].ahead;
  }
}

} // namespace dsrt
