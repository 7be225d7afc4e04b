//===- DraftGauge.h - does drafting pay? ----------------------*- C++ -*-===//
#ifndef TOOLS_DS_RUN_DRAFTGAUGE_H
#define TOOLS_DS_RUN_DRAFTGAUGE_H

#include <cstdint>
#include <string>

namespace tool {

/// Decides for --draft=auto which steps draft: measures the tokens a second of
/// a few steps with and a few without, goes on with what was faster, and looks
/// again now and then, for a text may become harder or easier to guess.
class DraftGauge {
public:
  /// Whether the next step drafts.
  bool drafts() const { return drafting; }
  /// A step without tokens of a prompt gave so many tokens in so much time.
  void measured(int64_t tokens, double seconds);
  /// Tokens a second with drafts over those without, by the last measurement of
  /// each; 0: not measured yet.
  double gain() const;
  /// What was done, for people.
  std::string report() const;

private:
  struct Rate {
    int64_t steps = 0, tokens = 0;
    double seconds = 0;
    double perSecond() const { return seconds > 0 ? tokens / seconds : 0; }
  };
  /// Steps of a measurement, and of what was faster until the next one.
  static constexpr int64_t probe = 8, stay = 128;

  bool drafting = true;
  bool probing = true;          // the other way is measured next
  Rate now;                     // of the steps since the way changed
  double with = 0, without = 0; // tokens a second
  int64_t draftingSteps = 0, allSteps = 0;
};

} // namespace tool

#endif // TOOLS_DS_RUN_DRAFTGAUGE_H
