//===- Session.cpp - the caches of several sequences ----------------------===//
#include "Session.h"
#include "Error.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

namespace dsrt {

void Session::AlignedFree::operator()(void *memory) const { std::free(memory); }

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
  lengths.assign(size_t(slotCount), 0);
  auto allocate = [this](uint64_t bytes, const std::string &what) {
    void *memory = nullptr;
    uint64_t rounded = (bytes + 63) / 64 * 64;
    if (rounded < bytes ||
        posix_memalign(&memory, 64, std::max<size_t>(rounded, 64)))
      throw Error(DS_ERROR_MEMORY, "no memory for " + what + ", " +
                                       std::to_string(bytes) + " bytes");
    memories.emplace_back(memory);
    return memory;
  };
  for (uint32_t i = 0; i < m.cache_count; ++i) {
    const DsCache &cache = m.caches[i];
    std::array<int64_t, 4> dims{slotCount, cache.heads, cacheLength,
                                cache.width};
    std::optional<uint64_t> bytes = memoryBytes(cache.type, dims);
    if (!bytes)
      throw Error(DS_ERROR_MEMORY, "caches of this length have no size");
    void *memory = allocate(*bytes, cache.name);
    cachePointers.push_back(memory);
    // All ones is a NaN in every float type.
    if (options.poison_caches)
      std::memset(memory, 0xff, *bytes);
  }
  // Enough for the largest step that feed() makes.
  int64_t rows = std::min(
      chunk, slotCount > most / cacheLength ? most : slotCount * cacheLength);
  workspaceBytes = owner->variant().workspace_bytes(
      rows, std::min(slotCount, rows), rows, cacheLength, threads);
  workspace = allocate(workspaceBytes, "the workspace of a step");
}

int64_t Session::length(int64_t slot) const {
  return slot < 0 || slot >= slotCount() ? -1 : lengths[size_t(slot)];
}

void Session::rewind(int64_t slot, int64_t to) {
  if (length(slot) < 0)
    throw Error(DS_ERROR_INDEX, "there is no slot " + std::to_string(slot));
  if (to < 0 || to > length(slot))
    throw Error(DS_ERROR_ARGUMENT, "slot " + std::to_string(slot) + " holds " +
                                       std::to_string(length(slot)) +
                                       " tokens, not " + std::to_string(to));
  lengths[size_t(slot)] = to;
}

uint64_t Session::cacheBytesPerToken() const {
  const DsModel &m = owner->descriptor();
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < m.cache_count; ++i)
    bytes += uint64_t(m.caches[i].heads) * uint64_t(m.caches[i].width) *
             typeBytesInMemory(m.caches[i].type);
  return bytes;
}

void Session::check(std::span<const ds_feed> feeds,
                    size_t logitsCapacity) const {
  const DsModel &m = owner->descriptor();
  std::vector<bool> seen(lengths.size(), false);
  size_t rowCount = 0;
  for (const ds_feed &feed : feeds) {
    std::string where = "slot " + std::to_string(feed.slot) + ": ";
    if (length(feed.slot) < 0)
      throw Error(DS_ERROR_INDEX,
                  where + "the session has " + std::to_string(slotCount()));
    if (seen[size_t(feed.slot)])
      throw Error(DS_ERROR_INDEX, where + "fed twice in one call");
    seen[size_t(feed.slot)] = true;
    if (!feed.tokens || feed.token_count <= 0)
      throw Error(DS_ERROR_ARGUMENT, where + "no tokens");
    if (feed.token_count > cacheLength - length(feed.slot))
      throw Error(DS_ERROR_CAPACITY, where + std::to_string(feed.token_count) +
                                         " tokens do not fit behind " +
                                         std::to_string(length(feed.slot)) +
                                         " in a cache of " +
                                         std::to_string(cacheLength));
    for (int64_t i = 0; i < feed.token_count; ++i)
      if (feed.tokens[i] < 0 || feed.tokens[i] >= m.vocabulary)
        throw Error(DS_ERROR_INDEX, where + "token " + std::to_string(i) +
                                        " is " +
                                        std::to_string(feed.tokens[i]) +
                                        ", the vocabulary ends at " +
                                        std::to_string(m.vocabulary - 1));
    if (feed.logits == DS_LOGITS_ALL)
      rowCount += size_t(feed.token_count);
    else if (feed.logits == DS_LOGITS_LAST)
      ++rowCount;
    else if (feed.logits != DS_LOGITS_NONE)
      throw Error(DS_ERROR_ARGUMENT, where + "no such choice of logits");
  }
  if (rowCount * size_t(m.vocabulary) > logitsCapacity)
    throw Error(DS_ERROR_ARGUMENT,
                std::to_string(rowCount) + " rows of logits need room for " +
                    std::to_string(rowCount * size_t(m.vocabulary)) +
                    " floats");
}

void Session::feed(std::span<const ds_feed> feeds, std::span<float> logits,
                   float *hidden) {
  check(feeds, logits.size());
  const DsModel &m = owner->descriptor();
  // Feeds come in order; each is cut into chunks, and short ones share a step.
  float *logitsOut = logits.data();
  size_t next = 0;
  int64_t done = 0; // tokens of feeds[next] that were computed
  while (next < feeds.size()) {
    tokens.clear();
    rowStart.assign(1, 0);
    past.clear();
    slots.clear();
    rows.clear();
    while (next < feeds.size() && int64_t(tokens.size()) < chunk) {
      const ds_feed &feed = feeds[next];
      int64_t count =
          std::min(feed.token_count - done, chunk - int64_t(tokens.size()));
      past.push_back(int32_t(lengths[size_t(feed.slot)]));
      slots.push_back(int32_t(feed.slot));
      for (int64_t i = 0; i < count; ++i) {
        bool last = done + i == feed.token_count - 1;
        if (feed.logits == DS_LOGITS_ALL ||
            (feed.logits == DS_LOGITS_LAST && last))
          rows.push_back(int32_t(tokens.size()));
        tokens.push_back(feed.tokens[done + i]);
      }
      rowStart.push_back(int32_t(tokens.size()));
      done += count;
      if (done < feed.token_count)
        break; // the chunk is full
      done = 0;
      ++next;
    }
    DsStepCall call = {};
    call.parameters = owner->parameters();
    call.caches = cachePointers.data();
    call.cache_slots = slotCount();
    call.cache_length = cacheLength;
    call.token_count = int64_t(tokens.size());
    call.sequence_count = int64_t(slots.size());
    call.logit_row_count = int64_t(rows.size());
    call.tokens = tokens.data();
    call.row_start = rowStart.data();
    call.past_length = past.data();
    call.cache_slot = slots.data();
    call.logit_rows = rows.data();
    call.logits = logitsOut;
    call.hidden = hidden;
    call.workspace = workspace;
    call.workspace_bytes = workspaceBytes;
    call.threads = threads;
    checkStatus(owner->variant().step(&call),
                std::string("model '") + m.name + "'");
    for (size_t i = 0; i < slots.size(); ++i)
      lengths[size_t(slots[i])] += rowStart[i + 1] - rowStart[i];
    if (logitsOut)
      logitsOut += rows.size() * size_t(m.vocabulary);
    if (hidden)
      hidden += tokens.size() * size_t(m.hidden_size);
  }
}

} // namespace dsrt
