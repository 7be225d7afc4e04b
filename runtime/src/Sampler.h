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
  float penalised(float logit, size_t id) const;
  void keepDownTo(Candidate last);
  Candidate lastOfTopK();
  Candidate lastOfTopP();
  int32_t draw();

  ds_sampler_options options;
  std::mt19937_64 random;
  std::vector<Candidate> candidates, scratch; // candidates by ascending id
  std::vector<bool> repeated; // ids of the history; all false between calls
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_SAMPLER_H
