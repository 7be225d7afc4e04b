//===- Session.cpp - the caches of several sequences ----------------------===//
#include "Session.h"
#include "Error.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace dsrt {

Session::Session(std::shared_ptr<const Model> shared,
                 const ds_session_options &options)
    : owner(std::move(shared)) {
  const DsModel &m = owner->descriptor();
  if (!owner->isLanguageModel())
    throw Error(DS_ERROR_UNSUPPORTED,
                "'" + owner->path() +
                    "' was compiled as a graph; a session needs --mode=lm");
  int64_t slotCount = options.slots ? options.slots : 1;
  cacheLength = options.length ? options.length : m.max_length;
  chunk = options.chunk ? options.chunk : 512;
  threads = options.threads;
  if (slotCount < 0 || cacheLength <= 0 || chunk <= 0 || threads < 0)
    throw Error(DS_ERROR_ARGUMENT,
                cacheLength <= 0 && !options.length
                    ? "the model states no longest sequence; give a length"
                    : "slots, length, chunk and threads must not be negative");
  constexpr int64_t most = INT32_MAX;
  if (slotCount > most || cacheLength > most)
    throw Error(DS_ERROR_ARGUMENT, "slots or length exceed 2^31 - 1");
  changed = std::make_unique<RouteBiases>(owner);
  bool poison = options.poison_caches != 0;
  caches.emplace(std::span(m.caches, m.cache_count), slotCount, cacheLength,
                 poison);
  lengths.assign(size_t(slotCount), 0);
  // Enough for the largest step that feed() makes.
  int64_t rows = std::min(
      chunk, slotCount > most / cacheLength ? most : slotCount * cacheLength);
  counted = std::make_unique<Routers>(*owner);
  counted->reserve(rows);
  if (options.keep_routes)
    counted->keepRoutes(slotCount, cacheLength);
  workspaceBytes = owner->variant().workspace_bytes(
      rows, std::min(slotCount, rows), rows, cacheLength, threads);
  workspace = allocateAligned(workspaceBytes, "the workspace of a step");
  if (options.draft) {
    drafter.emplace(owner, *counted, *changed, slotCount, cacheLength, rows,
                    threads, poison);
    states.resize(size_t(rows * m.hidden_size));
  }
}

int64_t Session::length(int64_t slot) const {
  return slot < 0 || slot >= slotCount() ? -1 : lengths[size_t(slot)];
}

void Session::requireSlot(int64_t slot) const {
  if (length(slot) < 0)
    throw Error(DS_ERROR_INDEX, "there is no slot " + std::to_string(slot));
}

void Session::rewind(int64_t slot, int64_t to) {
  requireSlot(slot);
  if (to < 0 || to > length(slot))
    throw Error(DS_ERROR_ARGUMENT, "slot " + std::to_string(slot) + " holds " +
                                       std::to_string(length(slot)) +
                                       " tokens, not " + std::to_string(to));
  lengths[size_t(slot)] = to;
  if (drafter)
    drafter->rewind(slot, to);
}

static float halfToFloat(uint16_t bits) {
  int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  float value = exponent == 0 ? std::ldexp(float(mantissa), -24)
                : exponent < 31
                    ? std::ldexp(float(mantissa | 1024), exponent - 25)
                : mantissa ? std::numeric_limits<float>::quiet_NaN()
                           : std::numeric_limits<float>::infinity();
  return bits >> 15 ? -value : value;
}

/// One element of a cache; `data` is of `type`, a float type.
static float element(const void *data, uint32_t type, size_t i) {
  if (type == DS_TYPE_F32)
    return static_cast<const float *>(data)[i];
  if (type == DS_TYPE_F16)
    return halfToFloat(static_cast<const uint16_t *>(data)[i]);
  return std::bit_cast<float>(uint32_t(static_cast<const uint16_t *>(data)[i])
                              << 16);
}

void Session::readCache(int64_t slot, int64_t index,
                        std::span<float> values) const {
  const DsModel &m = owner->descriptor();
  requireSlot(slot);
  if (index < 0 || index >= m.cache_count)
    throw Error(DS_ERROR_INDEX, "there is no cache " + std::to_string(index) +
                                    "; the model has " +
                                    std::to_string(m.cache_count));
  const DsCache &cache = m.caches[index];
  if (cache.type != DS_TYPE_F32 && cache.type != DS_TYPE_F16 &&
      cache.type != DS_TYPE_BF16)
    throw Error(DS_ERROR_UNSUPPORTED,
                std::string(cache.name) + " holds " +
                    std::string(files::typeName(cache.type)) + ", not floats");
  size_t rows = size_t(length(slot)), heads = size_t(cache.heads),
         width = size_t(cache.width), room = size_t(cacheLength);
  if (values.size() < rows * heads * width)
    throw Error(DS_ERROR_ARGUMENT,
                std::string(cache.name) + " needs room for " +
                    std::to_string(rows * heads * width) + " floats");
  size_t first = size_t(slot) * heads * room * width, out = 0;
  for (size_t row = 0; row < rows; ++row)
    for (size_t head = 0; head < heads; ++head)
      for (size_t i = 0; i < width; ++i)
        values[out++] = element((*caches)[size_t(index)], cache.type,
                                first + (head * room + row) * width + i);
}

void Session::readRoute(int64_t slot, int64_t router,
                        std::span<int32_t> experts,
                        std::span<float> weights) const {
  requireSlot(slot);
  counted->read(slot, router, length(slot), experts, weights);
}

void Session::check(std::span<const ds_feed> feeds, size_t logitsCapacity) {
  const DsModel &m = owner->descriptor();
  named.assign(lengths.size(), false);
  size_t rowCount = 0;
  for (const ds_feed &feed : feeds) {
    // Messages are made only when there is something to say: nothing is
    // allocated on the way of a token.
    auto fail = [&](ds_result result, const std::string &what) {
      throw Error(result, "slot " + std::to_string(feed.slot) + ": " + what);
    };
    if (length(feed.slot) < 0)
      fail(DS_ERROR_INDEX, "the session has " + std::to_string(slotCount()));
    if (!nameOnce(feed.slot))
      fail(DS_ERROR_INDEX, "fed twice in one call");
    if (!feed.tokens || feed.token_count <= 0)
      fail(DS_ERROR_ARGUMENT, "no tokens");
    if (feed.part_of < 0)
      fail(DS_ERROR_ARGUMENT, "a part of fewer than no tokens");
    if (feed.token_count > cacheLength - length(feed.slot))
      fail(DS_ERROR_CAPACITY,
           std::to_string(feed.token_count) + " tokens do not fit behind " +
               std::to_string(length(feed.slot)) + " in a cache of " +
               std::to_string(cacheLength));
    for (int64_t i = 0; i < feed.token_count; ++i)
      if (feed.tokens[i] < 0 || feed.tokens[i] >= m.vocabulary)
        fail(DS_ERROR_INDEX, "token " + std::to_string(i) + " is " +
                                 std::to_string(feed.tokens[i]) +
                                 ", the vocabulary ends at " +
                                 std::to_string(m.vocabulary - 1));
    if (feed.logits == DS_LOGITS_ALL)
      rowCount += size_t(feed.token_count);
    else if (feed.logits == DS_LOGITS_LAST)
      ++rowCount;
    else if (feed.logits != DS_LOGITS_NONE)
      fail(DS_ERROR_ARGUMENT, "no such choice of logits");
  }
  if (rowCount * size_t(m.vocabulary) > logitsCapacity)
    throw Error(DS_ERROR_ARGUMENT,
                std::to_string(rowCount) + " rows of logits need room for " +
                    std::to_string(rowCount * size_t(m.vocabulary)) +
                    " floats");
}

bool Session::nameOnce(int64_t slot) {
  bool isNew = !named[size_t(slot)];
  named[size_t(slot)] = true;
  return isNew;
}

void Session::feed(std::span<const ds_feed> feeds, std::span<float> logits,
                   float *hidden) {
  check(feeds, logits.size());
  before = lengths;
  counted->save();
  try {
    if (drafter)
      for (const ds_feed &feed : feeds)
        restoreStates(feed.slot);
    runSteps(feeds, logits.data(), hidden);
  } catch (...) {
    // What the first steps appended is beyond the length again.
    lengths.swap(before);
    counted->restore();
    if (drafter)
      for (const ds_feed &feed : feeds)
        drafter->rewind(feed.slot, length(feed.slot));
    throw;
  }
}

void Session::runSteps(std::span<const ds_feed> feeds, float *logitsOut,
                       float *hidden) {
  const DsModel &m = owner->descriptor();
  // Feeds come in order; each is cut into chunks, and short ones share a step.
  // The form of latent attention is that of the whole feed, so that it depends
  // neither on the chunks nor on what else is fed.
  size_t next = 0;
  int64_t done = 0; // tokens of feeds[next] that were computed
  while (next < feeds.size()) {
    batch.clear();
    while (next < feeds.size() && int64_t(batch.tokens.size()) < chunk) {
      const ds_feed &feed = feeds[next];
      bool isAbsorbed =
          std::max(feed.token_count, feed.part_of) < m.mla_absorb_below;
      if (!batch.takes(isAbsorbed))
        break; // in a step of its own
      int64_t count = std::min(feed.token_count - done,
                               chunk - int64_t(batch.tokens.size()));
      batch.beginSequence(feed.slot, length(feed.slot), isAbsorbed);
      for (int64_t i = done; i < done + count; ++i)
        batch.add(feed.tokens[i], feed.logits == DS_LOGITS_ALL ||
                                      (feed.logits == DS_LOGITS_LAST &&
                                       i == feed.token_count - 1));
      done += count;
      if (done < feed.token_count)
        break; // the chunk is full
      done = 0;
      ++next;
    }
    float *stepStates = !hidden && drafter ? states.data() : hidden;
    runBatch(logitsOut, stepStates);
    counted->count(counted->ofModel());
    counted->keep(batch);
    for (size_t i = 0; i < batch.slots.size(); ++i) {
      int64_t slot = batch.slots[i], start = batch.rowStart[i];
      std::span<const int32_t> tokens(&batch.tokens[size_t(start)],
                                      size_t(batch.length(i)));
      if (drafter)
        drafter->append(slot, tokens, stepStates + start * m.hidden_size);
      lengths[size_t(slot)] += int64_t(tokens.size());
    }
    if (logitsOut)
      logitsOut += batch.rows.size() * size_t(m.vocabulary);
    if (hidden)
      hidden += batch.tokens.size() * size_t(m.hidden_size);
  }
}

void Session::runBatch(float *logits, float *hidden) {
  DsStepCall call = batch.call();
  call.parameters = changed->parameters();
  call.caches = caches->pointers();
  call.cache_slots = slotCount();
  call.cache_length = cacheLength;
  call.logits = logits;
  call.hidden = hidden;
  call.routes = counted->forCall(counted->ofModel());
  call.workspace = workspace.get();
  call.workspace_bytes = workspaceBytes;
  call.threads = threads;
  checkStatus(owner->variant().step(&call), "model", owner->descriptor().name);
}

//===----------------------------------------------------------------------===//
// Drafts
//===----------------------------------------------------------------------===//

/// Computes the last tokens of `slot` again, one a call, if the drafter needs
/// their states.
void Session::restoreStates(int64_t slot) {
  std::span<const int32_t> tokens = drafter->tokensWithoutState(slot);
  if (tokens.empty())
    return;
  int64_t count = int64_t(tokens.size());
  drafter->clearStates(slot, count);
  for (int64_t i = 0; i < count; ++i) {
    batch.clear();
    batch.beginSequence(slot, length(slot) - count + i,
                        owner->descriptor().mla_absorb_below > 1);
    batch.add(tokens[size_t(i)], /*wantsLogits=*/false);
    runBatch(nullptr, states.data());
    drafter->addState(slot, states.data());
  }
}

void Session::checkDrafts(std::span<const ds_draft> drafts,
                          size_t logitsCapacity) {
  const DsModel &m = owner->descriptor();
  if (!drafter)
    throw Error(DS_ERROR_UNSUPPORTED,
                "the session was created without drafts; set "
                "ds_session_options.draft");
  named.assign(lengths.size(), false);
  for (const ds_draft &draft : drafts) {
    auto fail = [&](ds_result result, const std::string &what) {
      throw Error(result, "slot " + std::to_string(draft.slot) + ": " + what);
    };
    if (length(draft.slot) < 0)
      fail(DS_ERROR_INDEX, "the session has " + std::to_string(slotCount()));
    if (!nameOnce(draft.slot))
      fail(DS_ERROR_INDEX, "drafted twice in one call");
    if (length(draft.slot) == 0)
      fail(DS_ERROR_ARGUMENT, "holds no tokens to draft from");
    if (draft.token < 0 || draft.token >= m.vocabulary)
      fail(DS_ERROR_INDEX, "token " + std::to_string(draft.token) +
                               ", the vocabulary ends at " +
                               std::to_string(m.vocabulary - 1));
    if (drafter->nextPosition(draft.slot) >= cacheLength)
      fail(DS_ERROR_CAPACITY,
           "no draft fits in a cache of " + std::to_string(cacheLength));
  }
  size_t floats = drafts.size() * size_t(m.vocabulary);
  if (floats > logitsCapacity)
    throw Error(DS_ERROR_ARGUMENT, std::to_string(drafts.size()) +
                                       " rows of logits need room for " +
                                       std::to_string(floats) + " floats");
}

void Session::draft(std::span<const ds_draft> drafts, std::span<float> logits) {
  checkDrafts(drafts, logits.size());
  if (drafts.empty())
    return;
  for (const ds_draft &draft : drafts)
    restoreStates(draft.slot);
  drafter->draft(drafts, logits.data());
}

} // namespace dsrt
