//===- Generator.h - makes several texts at once --------------*- C++ -*-===//
#ifndef TOOLS_DS_RUN_GENERATOR_H
#define TOOLS_DS_RUN_GENERATOR_H

#include "tools/ds-run/Sequence.h"

#include <functional>

namespace tool {

/// The cache's length where nothing else says it: --length, else the model's
/// longest. Fails if there is neither.
int64_t defaultLength(const DsModel &facts, const RunCommand &command);

struct Timing {
  double prefill = 0, decode = 0; // steps with and without tokens of a prompt
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

private:
  struct Active {
    size_t index;
    int64_t slot;
  };
  void step(std::span<Sequence> sequences);
  void collect(Sequence &sequence, const ds_feed &feed, const float *rows,
               const float *hidden) const;

  const DsModel &facts;
  const RunCommand &command;
  int64_t slotCount, sessionLength, chunk;
  Session owner;
  Timing spent;
  std::vector<Active> active;
  std::vector<ds_feed> feeds;
  std::vector<float> logits, hidden;
};

} // namespace tool

#endif // TOOLS_DS_RUN_GENERATOR_H
