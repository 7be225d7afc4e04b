//===- DraftGauge.cpp - does drafting pay? --------------------------------===//
#include "tools/ds-run/DraftGauge.h"

#include <cstdio>

namespace tool {

void DraftGauge::measured(int64_t tokens, double seconds) {
  ++allSteps;
  draftingSteps += drafting;
  ++now.steps;
  now.tokens += tokens;
  now.seconds += seconds;
  if (now.steps < (probing ? probe : stay))
    return;
  (drafting ? with : without) = now.perSecond();
  now = {};
  bool bothKnown = with > 0 && without > 0;
  if (probing && bothKnown) {
    // Both are fresh: the faster one stays.
    drafting = with > without;
    probing = false;
  } else {
    drafting = !drafting;
    probing = true;
  }
}

double DraftGauge::gain() const { return without > 0 ? with / without : 0; }

std::string DraftGauge::report() const {
  char text[160];
  if (gain() > 0)
    std::snprintf(text, sizeof text,
                  "drafted in %lld of %lld steps; with drafts %.2f times as "
                  "many tokens a second as without",
                  static_cast<long long>(draftingSteps),
                  static_cast<long long>(allSteps), gain());
  else
    std::snprintf(text, sizeof text,
                  "drafted in %lld of %lld steps, too few to compare",
                  static_cast<long long>(draftingSteps),
                  static_cast<long long>(allSteps));
  return text;
}

} // namespace tool
