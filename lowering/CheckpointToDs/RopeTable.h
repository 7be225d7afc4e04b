//===- RopeTable.h - frequencies of rotary embeddings ---------------------===//
//
// In double precision, from what a configuration says; who builds a model
// rounds them.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_CHECKPOINTTODS_ROPETABLE_H
#define LOWERING_CHECKPOINTTODS_ROPETABLE_H

#include "lowering/CheckpointToDs/ModelConfig.h"

namespace checkpoint {

struct RopeTable {
  /// Angle of rotation i per position; `width` / 2 of them.
  std::vector<double> frequencies;
  /// What cosines and sines are multiplied by.
  double factor = 1;
};

/// The table for heads of which `width` elements rotate. Kind::Dynamic gives
/// the frequencies that hold up to the configuration's maxLength.
/// Source: Su et al., arXiv:2104.09864; YaRN: Peng et al., arXiv:2309.00071,
/// with the rounding of the correction range of transformers.
RopeTable ropeTable(const ModelConfig &config, int64_t width);

/// YaRN's m(s, a) = 0.1 · a · ln(s) + 1; 1 for s ≤ 1.
double yarnScale(double factor, double mscale);

/// What scores are multiplied by: (width of a key)^(−1/2), in DeepSeek times
/// m(factor, mscale_all_dim)².
double softmaxScale(const ModelConfig &config);

} // namespace checkpoint

#endif // LOWERING_CHECKPOINTTODS_ROPETABLE_H
