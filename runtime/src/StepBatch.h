//===- StepBatch.h - the tokens of one call of an entry -------*- C++ -*-===//
#ifndef DS_RUNTIME_SRC_STEPBATCH_H
#define DS_RUNTIME_SRC_STEPBATCH_H

#include "ds/model_abi.h"

#include <cassert>
#include <vector>

namespace dsrt {

/// Sequences laid end to end. Kept from call to call, so that nothing is
/// allocated once it is warm.
struct StepBatch {
  std::vector<int32_t> tokens, rowStart, past, slots, rows;
  /// Sequences that take the absorbed form of latent attention, the first.
  int64_t absorbed = 0;

  void clear() {
    for (auto *each : {&tokens, &past, &slots, &rows})
      each->clear();
    rowStart.assign(1, 0);
    absorbed = 0;
  }
  /// Whether a sequence of either form may be begun: absorbed ones come first.
  bool takes(bool isAbsorbed) const {
    return !isAbsorbed || absorbed == int64_t(slots.size());
  }
  /// Tokens that are added from here on go to `slot`, behind `pastLength`.
  void beginSequence(int64_t slot, int64_t pastLength, bool isAbsorbed) {
    assert(takes(isAbsorbed));
    absorbed += isAbsorbed;
    slots.push_back(int32_t(slot));
    past.push_back(int32_t(pastLength));
    rowStart.push_back(rowStart.back());
  }
  void add(int32_t token, bool wantsLogits) {
    if (wantsLogits)
      rows.push_back(int32_t(tokens.size()));
    tokens.push_back(token);
    ++rowStart.back();
  }
  /// Rows of the sequence that was begun as the `i`th.
  int64_t length(size_t i) const { return rowStart[i + 1] - rowStart[i]; }

  /// The call's sizes and arrays; the rest is left zero.
  DsStepCall call() const {
    DsStepCall result = {};
    result.token_count = int64_t(tokens.size());
    result.sequence_count = int64_t(slots.size());
    result.logit_row_count = int64_t(rows.size());
    result.tokens = tokens.data();
    result.row_start = rowStart.data();
    result.past_length = past.data();
    result.cache_slot = slots.data();
    result.logit_rows = rows.data();
    result.absorbed_count = absorbed;
    return result;
  }
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_STEPBATCH_H
