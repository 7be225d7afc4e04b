//===- Drafter.cpp - predicts tokens that the model then checks -----------===//
//
// See Drafter.h.
//
//===----------------------------------------------------------------------===//
#include "Drafter.h"
#include "Error.h"

#include <algorithm>

namespace dsrt {

static const Model &withLayers(const Model &model) {
  if (!model.descriptor().draft_count)
    throw Error(DS_ERROR_UNSUPPORTED,
                "'" + model.path() +
                    "' has no layer that predicts tokens further on (MTP), so "
                    "nothing can be drafted; compile a checkpoint folder that "
                    "has one, name the layer's graph with ds-compile --mtp, or "
                    "do without drafts");
  return model;
}

Drafter::Layer::Layer(const Model &model, size_t index, int64_t slots,
                      int64_t length, bool poison)
    : entry(&model.variant().drafts[index]),
      caches(model.draftCaches(index), slots, length, poison), routers(),
      windows(
          size_t(slots * capacity(index) * model.descriptor().hidden_size)) {}

Drafter::Drafter(std::shared_ptr<const Model> model, Routers &loads,
                 const RouteBiases &shared, int64_t slotNumber, int64_t length,
                 int64_t chunk, int threadCount, bool poison)
    : owner(std::move(model)), routers(&loads), biases(&shared),
      hiddenSize(owner->descriptor().hidden_size), slotCount(slotNumber),
      cacheLength(length), threads(threadCount), slots(size_t(slotNumber)) {
  size_t count = withLayers(*owner).descriptor().draft_count;
  // A chunk behind all windows, or the windows of one layer of all slots.
  int64_t rows = chunk;
  layers.reserve(count);
  for (size_t k = 0; k < count; ++k) {
    layers.emplace_back(*owner, k, slotCount, cacheLength, poison);
    layers.back().routers = loads.ofDrafts(k);
    rows += capacity(k);
  }
  rows = std::max(rows, slotCount * capacity(count - 1));
  routers->reserve(rows);
  for (const Layer &layer : layers)
    workspaceBytes = std::max(
        workspaceBytes, layer.entry->workspace_bytes(rows, slotCount, slotCount,
                                                     cacheLength, threads));
  workspace = allocateAligned(workspaceBytes, "the workspace of drafts");
  for (Slot &slot : slots) {
    slot.tokens.resize(size_t(cacheLength) + count);
    slot.layers.resize(count);
  }
  next.resize(size_t(slotCount * hiddenSize));
  states.reserve(size_t(rows * hiddenSize));
  hidden.resize(size_t(rows * hiddenSize));
  some.reserve(size_t(slotCount));
  if (count > 1)
    someLogits.resize(size_t(slotCount * owner->descriptor().vocabulary));
}

/// Puts a pair into the batch, whose sequence has begun.
void Drafter::addPair(const float *state, int32_t token, bool wantsLogits) {
  batch.add(token, wantsLogits);
  states.insert(states.end(), state, state + hiddenSize);
}

/// Computes the pairs of the batch in layer `k`.
void Drafter::run(size_t k, float *logits) {
  Layer &layer = layers[k];
  DsStepCall call = batch.call();
  call.parameters = biases->parameters();
  call.caches = layer.caches.pointers();
  call.cache_slots = slotCount;
  call.cache_length = cacheLength;
  call.states = states.data();
  call.logits = logits;
  call.hidden = hidden.data();
  call.routes = routers->forCall(layer.routers);
  call.workspace = workspace.get();
  call.workspace_bytes = workspaceBytes;
  call.threads = threads;
  checkStatus(layer.entry->draft(&call), "drafts of model",
              owner->descriptor().name);
  routers->count(layer.routers);
}

//===----------------------------------------------------------------------===//
// The text
//===----------------------------------------------------------------------===//

void Drafter::forget(Slot &slot, int64_t known) {
  // Pair i of layer k has token i + k + 1, and states go on from pairs.
  int64_t end = known;
  for (size_t k = 0; k < layerCount(); ++k) {
    Pairs &layer = slot.layers[k];
    layer.end = std::min(layer.end, end);
    layer.pairs =
        std::min(layer.pairs, std::max<int64_t>(known - 1 - int64_t(k), 0));
    layer.first = std::min(layer.first, known);
    end = layer.pairs;
  }
}

void Drafter::keep(size_t k, int64_t number, const float *given,
                   int64_t count) {
  Pairs &layer = slots[size_t(number)].layers[k];
  float *held = window(k, number);
  int64_t room = capacity(k), fresh = std::min(count, room),
          old = std::min(layer.end - layer.first, room - fresh);
  std::copy(held + (layer.end - layer.first - old) * hiddenSize,
            held + (layer.end - layer.first) * hiddenSize, held);
  std::copy(given + (count - fresh) * hiddenSize, given + count * hiddenSize,
            held + old * hiddenSize);
  layer.end += count;
  layer.first = layer.end - fresh - old;
}

void Drafter::catchUp(size_t first, int64_t number, const float *given,
                      int64_t count) {
  Slot &slot = slots[size_t(number)];
  int64_t absorbBelow = owner->descriptor().mla_absorb_below;
  for (size_t k = first; k < layerCount(); ++k) {
    Pairs &layer = slot.layers[k];
    int64_t from = layer.pairs,
            to = std::min(slot.length - 1 - int64_t(k), layer.end + count);
    batch.clear();
    states.clear();
    if (from < to)
      batch.beginSequence(number, from, to - from < absorbBelow);
    const float *held = window(k, number);
    for (int64_t i = from; i < to; ++i)
      addPair(i < layer.end ? held + (i - layer.first) * hiddenSize
                            : given + (i - layer.end) * hiddenSize,
              slot.tokens[size_t(i) + k + 1], false);
    keep(k, number, given, count);
    if (from >= to)
      return;
    run(k, nullptr);
    layer.pairs = to;
    given = hidden.data();
    count = to - from;
  }
}

void Drafter::makeRoom(size_t k, int64_t number, int64_t count) {
  const Pairs &layer = slots[size_t(number)].layers[k];
  if (layer.end - layer.pairs + count > capacity(k))
    catchUp(k, number, nullptr, 0);
}

void Drafter::append(int64_t number, std::span<const int32_t> tokens,
                     const float *given) {
  Slot &slot = slots[size_t(number)];
  // What was drafted holds as far as the text says the same.
  int64_t count = int64_t(tokens.size()), held = 0;
  while (held < std::min(slot.ahead, count) &&
         slot.tokens[size_t(slot.length + held)] == tokens[size_t(held)])
    ++held;
  forget(slot, slot.length + held);
  slot.ahead = 0;
  std::copy(tokens.begin(), tokens.end(), slot.tokens.begin() + slot.length);
  slot.length += count;
  const Pairs &layer = slot.layers[0];
  if (layer.end - layer.pairs + count <= capacity(0))
    keep(0, number, given, count);
  else
    catchUp(0, number, given, count);
}

void Drafter::rewind(int64_t number, int64_t length) {
  Slot &slot = slots[size_t(number)];
  slot.ahead = 0;
  slot.length = length;
  forget(slot, length);
}

std::span<const int32_t> Drafter::tokensWithoutState(int64_t number) const {
  const Slot &slot = slots[size_t(number)];
  bool isHeld = slot.layers[0].end == slot.length;
  for (const Pairs &layer : slot.layers)
    isHeld &= layer.first <= layer.pairs;
  int64_t count = isHeld ? 0 : std::min(slot.length, int64_t(layerCount()));
  return {slot.tokens.data() + slot.length - count, size_t(count)};
}

void Drafter::clearStates(int64_t number, int64_t count) {
  // Layers make what they lack again from there on; those further behind keep
  // what they have.
  Slot &slot = slots[size_t(number)];
  int64_t begin = slot.length - count, end = begin;
  for (Pairs &layer : slot.layers) {
    layer.end = std::min(layer.end, end);
    layer.pairs = std::min(layer.pairs, begin);
    if (layer.first > layer.pairs)
      layer.first = layer.end = layer.pairs;
    end = layer.pairs;
  }
}

void Drafter::addState(int64_t number, const float *state) {
  keep(0, number, state, 1);
}

//===----------------------------------------------------------------------===//
// Drafts
//===----------------------------------------------------------------------===//

int64_t Drafter::nextPosition(int64_t number) const {
  // Each layer has a pair of the last token of the text; the last layer goes
  // on behind it.
  const Slot &slot = slots[size_t(number)];
  return slot.length - 1 + slot.ahead - int64_t(layerFor(slot.ahead));
}

void Drafter::draftWith(size_t k, std::span<const ds_draft> drafts,
                        float *logits) {
  bool isLast = k + 1 == layerCount();
  // What the layer gives of each sequence goes to the next layer.
  for (const ds_draft &draft : drafts)
    if (const Slot &slot = slots[size_t(draft.slot)]; !isLast)
      makeRoom(k + 1, draft.slot, slot.length - slot.layers[k].pairs);
  batch.clear();
  states.clear();
  // So few tokens that all sequences take one form, in whatever order.
  bool isAbsorbed = owner->descriptor().mla_absorb_below > 1;
  for (const ds_draft &draft : drafts) {
    Slot &slot = slots[size_t(draft.slot)];
    slot.tokens[size_t(slot.length + slot.ahead)] = draft.token;
    if (slot.ahead > int64_t(k)) {
      batch.beginSequence(draft.slot, nextPosition(draft.slot), isAbsorbed);
      addPair(nextState(draft.slot), draft.token, true);
      continue;
    }
    const Pairs &layer = slot.layers[k];
    batch.beginSequence(draft.slot, layer.pairs, isAbsorbed);
    for (int64_t i = layer.pairs; i < slot.length; ++i)
      addPair(window(k, draft.slot) + (i - layer.first) * hiddenSize,
              slot.tokens[size_t(i) + k + 1], i == slot.length - 1);
  }
  run(k, logits);
  for (size_t i = 0; i < drafts.size(); ++i) {
    Slot &slot = slots[size_t(drafts[i].slot)];
    const float *begin = hidden.data() + batch.rowStart[i] * hiddenSize,
                *end = hidden.data() + batch.rowStart[i + 1] * hiddenSize;
    std::copy(end - hiddenSize, end, nextState(drafts[i].slot));
    if (slot.ahead++ > int64_t(k))
      continue;
    slot.layers[k].pairs = slot.length;
    if (!isLast)
      keep(k + 1, drafts[i].slot, begin, batch.length(i));
  }
}

void Drafter::draft(std::span<const ds_draft> drafts, float *logits) {
  size_t vocabulary = size_t(owner->descriptor().vocabulary);
  auto layerOf = [&](const ds_draft &draft) {
    return layerFor(slots[size_t(draft.slot)].ahead);
  };
  if (std::all_of(drafts.begin(), drafts.end(), [&](const ds_draft &draft) {
        return layerOf(draft) == layerOf(drafts[0]);
      }))
    return draftWith(layerOf(drafts[0]), drafts, logits);
  // From the last layer on, so that no sequence comes to the next one and is
  // taken again.
  for (size_t k = layerCount(); k-- > 0;) {
    some.clear();
    for (const ds_draft &draft : drafts)
      if (layerOf(draft) == k)
        some.push_back(draft);
    if (some.empty())
      continue;
    draftWith(k, some, someLogits.data());
    const float *row = someLogits.data();
    for (size_t i = 0; i < drafts.size(); ++i)
      if (std::any_of(some.begin(), some.end(), [&](const ds_draft &one) {
            return one.slot == drafts[i].slot;
          })) {
        std::copy(row, row + vocabulary, logits + i * vocabulary);
        row += vocabulary;
      }
  }
}

} // namespace dsrt
