//===- Session.cpp - the caches of several sequences ----------------------===//
#include "Session.h"
#include "Error.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

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
    std::optional<uint64_t> bytes = files::memoryBytes(cache.type, dims);
    if (!bytes)
      throw Error(DS_ERROR_MEMORY, "caches of this length have no size");
    void *memory = allocate(*bytes, cache.name);
    cachePointers.push_back(memory);
    // All ones is a NaN in every float type.
    if (options.poison_caches)
      std::memset(memory, 0xff, *bytes);
  }
  lengths.assign(size_t(slotCount), 0);
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
  if (length(slot) < 0)
    throw Error(DS_ERROR_INDEX, "there is no slot " + std::to_string(slot));
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
        values[out++] = element(cachePointers[size_t(index)], cache.type,
                                first + (head * room + row) * width + i);
}

void Session::check(std::span<const ds_feed> feeds, size_t logitsCapacity) {
  const DsModel &m = owner->descriptor();
  fed.assign(lengths.size(), false);
  size_t rowCount = 0;
  for (const ds_feed &feed : feeds) {
    // Messages are made only when there is something to say: nothing is
    // allocated on the way of a token.
    auto fail = [&](ds_result result, const std::string &what) {
      throw Error(result, "slot " + std::to_string(feed.slot) + ": " + what);
    };
    if (length(feed.slot) < 0)
      fail(DS_ERROR_INDEX, "the session has " + std::to_string(slotCount()));
    if (fed[size_t(feed.slot)])
      fail(DS_ERROR_INDEX, "fed twice in one call");
    fed[size_t(feed.slot)] = true;
    if (!feed.tokens || feed.token_count <= 0)
      fail(DS_ERROR_ARGUMENT, "no tokens");
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

void Session::feed(std::span<const ds_feed> feeds, std::span<float> logits,
                   float *hidden) {
  check(feeds, logits.size());
  before = lengths;
  try {
    runSteps(feeds, logits.data(), hidden);
  } catch (...) {
    // What the first steps appended is beyond the length again.
    lengths.swap(before);
    throw;
  }
}

void Session::runSteps(std::span<const ds_feed> feeds, float *logitsOut,
                       float *hidden) {
  const DsModel &m = owner->descriptor();
  // Feeds come in order; each is cut into chunks, and short ones share a step.
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
    checkStatus(owner->variant().step(&call), "model", m.name);
    for (size_t i = 0; i < slots.size(); ++i)
      lengths[size_t(slots[i])] += rowStart[i + 1] - rowStart[i];
    if (logitsOut)
      logitsOut += rows.size() * size_t(m.vocabulary);
    if (hidden)
      hidden += tokens.size() * size_t(m.hidden_size);
  }
}

} // namespace dsrt
