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
  };
  ds_sampler_options options;
  std::mt19937_64 random;
  std::vector<Candidate> candidates;
  std::vector<double> weights;
  std::vector<bool> repeated;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_SAMPLER_H
