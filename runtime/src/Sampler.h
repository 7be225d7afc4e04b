//===- Sampler.h - chooses a token from logits ----------------*- C++ -*-===//
#ifndef DS_RUNTIME_SRC_SAMPLER_H
#define DS_RUNTIME_SRC_SAMPLER_H

#include "ds/ds_runtime.h"

#include <random>
#include <span>
#include <vector>

namespace dsrt {

/// See ds_sampler_options for what each option does and in which order.
class Sampler {
public:
  /// Throws ARGUMENT for a value outside its range.
  explicit Sampler(const ds_sampler_options &options);
  /// Throws ARGUMENT if no logit is a number.
  int32_t sample(std::span<const float> logits,
                 std::span<const int32_t> history);
  /// As ds_sampler_check_draft(): whether `token` holds; else it is replaced.
  bool checkDraft(std::span<const float> logits,
                  std::span<const float> draftLogits,
                  std::span<const int32_t> history, int32_t &token);

private:
  struct Candidate {
    float logit;
    int32_t id;
    double weight; // in proportion to its probability
  };
  /// More likely; of equals the first.
  static bool better(const Candidate &a, const Candidate &b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  }
  /// Fills `candidates` with what may be chosen; one where there is no choice.
  void collect(std::span<const float> logits, std::span<const int32_t> history);
  float penalised(float logit, size_t id) const;
  void keepDownTo(Candidate last);
  Candidate lastOfTopK();
  Candidate lastOfTopP();
  /// Uniform in [0, 1): 53 random bits, the same on every standard library.
  double uniform() { return double(random() >> 11) * 0x1p-53; }
  int32_t draw();

  ds_sampler_options options;
  std::mt19937_64 random;
  std::vector<Candidate> candidates, scratch; // candidates by ascending id
  std::vector<Candidate> drafted;             // those of draft logits
  std::vector<bool> repeated; // ids of the history; all false between calls
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_SAMPLER_H
