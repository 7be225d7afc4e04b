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
  // Few drafts are verified in the form of latent attention that decodes.
  if (command.drafts && facts.mla_absorb_below > 1 &&
      command.drafts + 1 >= facts.mla_absorb_below)
    std::fprintf(
        stderr,
        "ds-run: warning: %d drafts are verified in another form of "
        "latent attention than single tokens, so a rounding may change "
        "the text; compile with --mla-absorb-below=%d or more\n",
        command.drafts, command.drafts + 2);
  ds_session_options options = {};
  options.slots = slots;
  // Drafts that are not to be part of the text need a place, too.
  options.length = length + command.drafts;
  options.draft = command.drafts > 0;
  options.chunk = chunk;
  options.keep_routes = !command.statesOut.empty();
  options.threads = command.threads;
  ds_session_t *created = nullptr;
  check(ds_session_create(model, &options, &created));
  owner.reset(created);
  if (!command.bias.empty())
    check(ds_session_load_route_bias(created, command.bias.c_str()));
  // What cannot be saved is said before the work.
  if (!command.saveBias.empty())
    check(ds_update_route_bias(created, 0));
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
      active.push_back(
          {next++, free.back(), int64_t(sequence.promptCount - sequence.fed)});
      free.pop_back();
    }
    if (active.empty())
      break;
    bool wasPrompt =
        std::any_of(active.begin(), active.end(), [&](const Active &one) {
          return sequences[one.index].fed < sequences[one.index].promptCount;
        });
    double before = now();
    int64_t tokensBefore = guessed.steps + guessed.accepted;
    if (command.drafts && (!command.draftsAuto || guessed.gauge.drafts()))
      draft(sequences);
    if (!wasPrompt)
      addDistinct(-1);
    step(sequences);
    if (!wasPrompt)
      addDistinct(1);
    double after = now();
    if (command.draftsAuto && !wasPrompt)
      guessed.gauge.measured(guessed.steps + guessed.accepted - tokensBefore,
                             after - before);
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

void Generator::addDistinct(int64_t sign) {
  for (uint32_t i = 0; i < facts.router_count; ++i) {
    ds_expert_load load;
    check(ds_session_expert_load(owner.get(), i, &load));
    routed.distinct += sign * load.distinct;
    routed.choices += sign * load.steps;
  }
}

Routing Generator::routing() const {
  Routing result = routed;
  for (int64_t i = 0; i < ds_session_router_count(owner.get()); ++i) {
    ds_expert_load load;
    check(ds_session_expert_load(owner.get(), i, &load));
    if (load.steps == 0)
      continue; // a layer for drafts, without drafts
    result.layers.push_back(load.layer);
    result.loads.emplace_back(load.load, load.load + load.expert_count);
  }
  return result;
}

/// What the routers of the model gave their experts so far.
void Generator::keepLoads(Sequence &sequence) const {
  sequence.loads.clear();
  for (uint32_t i = 0; i < facts.router_count; ++i) {
    ds_expert_load load;
    check(ds_session_expert_load(owner.get(), i, &load));
    sequence.loads.emplace_back(load.load, load.load + load.expert_count);
  }
}

void Generator::saveBias() {
  if (command.saveBias.empty())
    return;
  if (command.updateBias)
    check(ds_update_route_bias(owner.get(), *command.updateBias));
  check(ds_session_save_route_bias(owner.get(), command.saveBias.c_str()));
}

/// Guesses what follows the newest token of each text.
void Generator::draft(std::span<Sequence> sequences) {
  size_t vocabulary = size_t(facts.vocabulary);
  for (int i = 0; i < command.drafts; ++i) {
    requests.clear();
    std::vector<Sequence *> drafting;
    for (const Active &one : active) {
      Sequence &sequence = sequences[one.index];
      if (!isBehindByOne(sequence))
        continue;
      drafting.push_back(&sequence);
      requests.push_back(
          {one.slot, i == 0 ? sequence.ids.back() : sequence.drafts.back()});
    }
    logits.resize(requests.size() * vocabulary);
    check(ds_session_draft(owner.get(), requests.data(),
                           int64_t(requests.size()), logits.data(),
                           int64_t(logits.size())));
    for (size_t j = 0; j < drafting.size(); ++j)
      drafting[j]->draft(logits.data() + j * vocabulary);
    guessed.drafted += int64_t(drafting.size());
  }
}

/// One call of the model: the next token of each text with its drafts, and as
/// many of the prompts' as the chunk has room for, so that a long prompt
/// neither holds up the others nor Ctrl-C.
void Generator::step(std::span<Sequence> sequences) {
  feeds.clear();
  candidates.clear();
  candidates.reserve(active.size() * size_t(command.drafts + 1));
  std::vector<Sequence *> fed;
  int64_t room = chunk;
  size_t rows = 0, tokens = 0;
  for (const Active &one : active) {
    Sequence &sequence = sequences[one.index];
    int64_t count = int64_t(sequence.ids.size() - sequence.fed);
    bool isPrompt = sequence.fed < sequence.promptCount;
    if (isPrompt) {
      count = std::min(count, room);
      room -= count;
      if (count == 0)
        continue; // its turn comes
    }
    bool reaches = sequence.fed + size_t(count) == sequence.ids.size();
    const int32_t *next = &sequence.ids[sequence.fed];
    if (!sequence.drafts.empty()) {
      candidates.push_back(*next);
      candidates.insert(candidates.end(), sequence.drafts.begin(),
                        sequence.drafts.end());
      count += int64_t(sequence.drafts.size());
      next = candidates.data() + candidates.size() - count;
    }
    int32_t which = command.allLogits || !sequence.drafts.empty()
                        ? DS_LOGITS_ALL
                    : reaches ? DS_LOGITS_LAST
                              : DS_LOGITS_NONE;
    feeds.push_back({one.slot, next, count, which,
                     /*part_of=*/isPrompt ? one.promptTokens : 0});
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
    if (wantsHidden && sequence.fed < sequence.promptCount) {
      sequence.hidden.insert(sequence.hidden.end(), state,
                             state + count * size_t(facts.hidden_size));
      keepLoads(sequence);
    }
    if (sequence.drafts.empty())
      advance(sequence, row, feed);
    else
      advanceByDrafts(sequence, row, feed.slot);
    row += its * size_t(facts.vocabulary);
    if (wantsHidden)
      state += count * size_t(facts.hidden_size);
  }
}

/// Takes what was computed of a feed into the text.
void Generator::advance(Sequence &sequence, const float *rows,
                        const ds_feed &feed) {
  size_t vocabulary = size_t(facts.vocabulary);
  size_t count = feed.logits == DS_LOGITS_ALL ? size_t(feed.token_count)
                                              : size_t(feed.logits);
  if (feed.logits == DS_LOGITS_ALL)
    keep(sequence, rows, count);
  guessed.steps += sequence.fed >= sequence.promptCount;
  sequence.fed += size_t(feed.token_count);
  if (sequence.fed < sequence.ids.size())
    return;
  const float *last = rows + (count - 1) * vocabulary;
  size_t before = sequence.ids.size();
  if (sequence.limit == 0)
    sequence.end("length");
  else if (sequence.choose(last) && int64_t(sequence.fed) >= sessionLength)
    sequence.end("length"); // the last token has no place in the cache
  // The rows written are those that chose tokens of the text.
  if (!command.allLogits && sequence.ids.size() > before)
    keep(sequence, last, 1);
}

/// Takes the drafts that hold into the text, and forgets the others.
void Generator::advanceByDrafts(Sequence &sequence, const float *rows,
                                int64_t slot) {
  Sequence::Settled settled = sequence.settle(rows, size_t(sessionLength) + 1);
  ++guessed.steps;
  guessed.accepted += int64_t(settled.held);
  keep(sequence, rows, command.allLogits ? settled.held + 1 : settled.added);
  sequence.fed = std::min(sequence.fed + 1 + settled.held, sequence.ids.size());
  check(ds_session_rewind(owner.get(), slot, int64_t(sequence.fed)));
}

void Generator::keep(Sequence &sequence, const float *rows,
                     size_t count) const {
  if (!command.logitsOut.empty())
    sequence.logits.insert(sequence.logits.end(), rows,
                           rows + count * size_t(facts.vocabulary));
}

} // namespace tool
