//===- Generator.cpp - makes several texts at once ------------------------===//
#include "tools/ds-run/Generator.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace tool {

int64_t defaultLength(const DsModel &facts, const RunCommand &command) {
  if (!command.length && !facts.max_length)
    fail("the model does not say how long a text may be; give -n or --length");
  return command.length ? command.length : facts.max_length;
}

Generator::Generator(const ds_model_t *model, const RunCommand &command,
                     int64_t slots, int64_t length)
    : facts(*ds_model_descriptor(model)), command(command), slotCount(slots),
      sessionLength(length), chunk(command.chunk ? command.chunk : 512) {
  ds_session_options options = {};
  options.slots = slots;
  options.length = length;
  options.chunk = chunk;
  options.threads = command.threads;
  ds_session_t *created = nullptr;
  check(ds_session_create(model, &options, &created));
  owner.reset(created);
}

void Generator::run(std::span<Sequence> sequences,
                    const std::function<void(size_t)> &progress) {
  std::vector<int64_t> free;
  for (int64_t slot = slotCount; slot-- > 0;)
    free.push_back(slot);
  size_t next = 0;
  size_t promptTotal = 0;
  for (const Sequence &sequence : sequences)
    promptTotal += sequence.promptCount;
  bool showsProgress = isatty(STDERR_FILENO);
  bool shown = false;
  double start = now();
  while (!interrupted()) {
    while (next < sequences.size() && !free.empty()) {
      Sequence &sequence = sequences[next];
      if (sequence.limit == 0 && command.logitsOut.empty() &&
          command.statesOut.empty()) {
        sequence.end("length");
        progress(next++);
        continue;
      }
      // A conversation goes on with what its slot holds.
      check(ds_session_rewind(owner.get(), free.back(), int64_t(sequence.fed)));
      active.push_back({next++, free.back()});
      free.pop_back();
    }
    if (active.empty())
      break;
    bool wasPrompt =
        std::any_of(active.begin(), active.end(), [&](const Active &one) {
          return sequences[one.index].fed < sequences[one.index].promptCount;
        });
    double before = now();
    step(sequences);
    double after = now();
    (wasPrompt ? spent.prefill : spent.decode) += after - before;
    if (showsProgress && wasPrompt && after - start > 1) {
      size_t done = 0;
      for (const Sequence &sequence : sequences)
        done += std::min(sequence.fed, sequence.promptCount);
      std::fprintf(stderr, "\rprompt: %zu of %zu tokens", done, promptTotal);
      shown = true;
    }
    if (shown && !wasPrompt) {
      std::fprintf(stderr, "\r\033[K");
      shown = false;
    }
    for (const Active &one : active) {
      progress(one.index);
      if (sequences[one.index].done())
        free.push_back(one.slot);
    }
    std::erase_if(
        active, [&](const Active &one) { return sequences[one.index].done(); });
  }
  if (shown)
    std::fprintf(stderr, "\r\033[K");
  active.clear();
  for (size_t i = 0; i < sequences.size(); ++i)
    if (!sequences[i].done()) {
      sequences[i].end("interrupted");
      progress(i);
    }
}

/// One call of the model: the next token of each text, and as many of the
/// prompts' as the chunk has room for, so that a long prompt neither holds up
/// the others nor Ctrl-C.
void Generator::step(std::span<Sequence> sequences) {
  feeds.clear();
  std::vector<Sequence *> fed;
  int64_t room = chunk;
  size_t rows = 0, tokens = 0;
  for (const Active &one : active) {
    Sequence &sequence = sequences[one.index];
    int64_t count = int64_t(sequence.ids.size() - sequence.fed);
    if (sequence.fed < sequence.promptCount) {
      count = std::min(count, room);
      room -= count;
      if (count == 0)
        continue; // its turn comes
    }
    bool reaches = sequence.fed + size_t(count) == sequence.ids.size();
    int32_t which = command.allLogits ? DS_LOGITS_ALL
                    : reaches         ? DS_LOGITS_LAST
                                      : DS_LOGITS_NONE;
    feeds.push_back({one.slot, &sequence.ids[sequence.fed], count, which});
    fed.push_back(&sequence);
    rows += which == DS_LOGITS_ALL ? size_t(count) : size_t(reaches);
    tokens += size_t(count);
  }
  logits.resize(rows * size_t(facts.vocabulary));
  bool wantsHidden = !command.statesOut.empty();
  if (wantsHidden)
    hidden.resize(tokens * size_t(facts.hidden_size));
  check(ds_session_feed(owner.get(), feeds.data(), int64_t(feeds.size()),
                        logits.data(), int64_t(logits.size()),
                        wantsHidden ? hidden.data() : nullptr));
  const float *row = logits.data();
  const float *state = hidden.data();
  for (size_t i = 0; i < feeds.size(); ++i) {
    Sequence &sequence = *fed[i];
    const ds_feed &feed = feeds[i];
    size_t count = size_t(feed.token_count);
    size_t its = feed.logits == DS_LOGITS_ALL ? count : feed.logits;
    const float *last = row + (its - 1) * size_t(facts.vocabulary);
    collect(sequence, feed, row, state);
    row += its * size_t(facts.vocabulary);
    if (wantsHidden)
      state += count * size_t(facts.hidden_size);
    sequence.fed += count;
    if (sequence.fed < sequence.ids.size())
      continue;
    size_t before = sequence.ids.size();
    if (sequence.limit == 0)
      sequence.end("length");
    else if (sequence.choose(last) && int64_t(sequence.fed) >= sessionLength)
      sequence.end("length"); // the last token has no place in the cache
    // The rows written are those that chose tokens of the text.
    if (!command.logitsOut.empty() && !command.allLogits &&
        sequence.ids.size() > before)
      sequence.logits.insert(sequence.logits.end(), last,
                             last + facts.vocabulary);
  }
}

/// Keeps what is to be written of a feed: all its logits, its states.
void Generator::collect(Sequence &sequence, const ds_feed &feed,
                        const float *rows, const float *states) const {
  size_t count = size_t(feed.token_count);
  if (feed.logits == DS_LOGITS_ALL)
    sequence.logits.insert(sequence.logits.end(), rows,
                           rows + count * size_t(facts.vocabulary));
  if (!command.statesOut.empty() && sequence.fed < sequence.promptCount)
    sequence.hidden.insert(sequence.hidden.end(), states,
                           states + count * size_t(facts.hidden_size));
}

} // namespace tool
