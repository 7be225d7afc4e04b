//===- Generator.h - makes several texts at once --------------*- C++ -*-===//
#ifndef TOOLS_DS_RUN_GENERATOR_H
#define TOOLS_DS_RUN_GENERATOR_H

#include "tools/ds-run/DraftGauge.h"
#include "tools/ds-run/Sequence.h"

#include <functional>

namespace tool {

/// The cache's length where nothing else says it: --length, else the model's
/// longest. Fails if there is neither.
int64_t defaultLength(const DsModel &facts, const RunCommand &command);

struct Timing {
  double prefill = 0, decode = 0; // steps with and without tokens of a prompt
};

/// What guessing gave.
struct Drafting {
  int64_t drafted = 0, accepted = 0; // drafts; those that the model confirmed
  int64_t steps = 0; // of the model, in which a text grew behind its prompt's
  DraftGauge gauge;  // of --draft=auto
  /// Tokens that such a step gave.
  double tokensPerStep() const {
    return steps ? double(steps + accepted) / double(steps) : 0;
  }
};

/// What the routers did.
struct Routing {
  std::vector<int64_t> layers;             // of each router that was used
  std::vector<std::vector<int64_t>> loads; // of its experts
  /// Of the steps of the model without tokens of a prompt: experts that had a
  /// token, and how often a router chose.
  int64_t distinct = 0, choices = 0;
  double distinctPerStep() const {
    return choices ? double(distinct) / double(choices) : 0;
  }
};

/// A session and the loop over its steps. Every step computes the next tokens
/// of all sequences that have a slot; a sequence that ends leaves its slot to
/// the next one that waits.
class Generator {
public:
  /// `slots` sequences at once, `length` tokens each.
  Generator(const ds_model_t *model, const RunCommand &command, int64_t slots,
            int64_t length);

  /// Runs all to their end; `progress` is called with the index of a sequence
  /// that got text or ended. Ctrl-C ends all.
  void run(std::span<Sequence> sequences,
           const std::function<void(size_t)> &progress);

  ds_session_t *session() { return owner.get(); }
  int64_t length() const { return sessionLength; }
  const Timing &timing() const { return spent; }
  const Drafting &drafting() const { return guessed; }
  Routing routing() const;
  /// --update-bias and --save-bias.
  void saveBias();

private:
  struct Active {
    size_t index;
    int64_t slot;
    /// Tokens of its prompt that were to be computed.
    int64_t promptTokens;
  };
  /// Whether the sequence has a new token and nothing else to compute.
  static bool isBehindByOne(const Sequence &sequence) {
    return sequence.fed >= sequence.promptCount &&
           sequence.fed + 1 == sequence.ids.size();
  }
  void draft(std::span<Sequence> sequences);
  void step(std::span<Sequence> sequences);
  void advance(Sequence &sequence, const float *rows, const ds_feed &feed);
  void advanceByDrafts(Sequence &sequence, const float *rows, int64_t slot);
  void keepLoads(Sequence &sequence) const;
  /// Adds `sign` times what the model's routers counted so far.
  void addDistinct(int64_t sign);
  /// Keeps rows of logits that are to be written.
  void keep(Sequence &sequence, const float *rows, size_t count) const;

  const DsModel &facts;
  const RunCommand &command;
  int64_t slotCount, sessionLength, chunk;
  Session owner;
  Timing spent;
  Drafting guessed;
  Routing routed; // what run() adds up
  std::vector<Active> active;
  std::vector<ds_feed> feeds;
  std::vector<ds_draft> requests;
  std::vector<float> logits, hidden;
  std::vector<int32_t> candidates; // newest tokens, each with its drafts
};

} // namespace tool

#endif // TOOLS_DS_RUN_GENERATOR_H
