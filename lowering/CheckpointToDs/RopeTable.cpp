//===- RopeTable.cpp - frequencies of rotary embeddings -------------------===//
//
// See RopeTable.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/CheckpointToDs/RopeTable.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace checkpoint {

double yarnScale(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

double softmaxScale(const ModelConfig &config) {
  if (config.architecture == Architecture::Llama)
    return 1 / std::sqrt(double(config.headDim));
  double width = double(config.deepseek.nopeDim + config.deepseek.ropeDim);
  const RopeScaling &rope = config.rope;
  double longer =
      rope.mscaleAllDim ? yarnScale(rope.factor, *rope.mscaleAllDim) : 1;
  return longer * longer / std::sqrt(width);
}

/// Divides the slow rotations by the factor, keeps the fast ones, and ramps
/// between.
static void interpolate(std::vector<double> &frequencies,
                        const ModelConfig &config, double width) {
  const RopeScaling &rope = config.rope;
  // The rotation that turns `turns` times within the original length.
  auto correction = [&](double turns) {
    return width *
           std::log(double(rope.originalLength) /
                    (turns * 2 * std::numbers::pi)) /
           (2 * std::log(config.ropeTheta));
  };
  double low = std::max(std::floor(correction(rope.betaFast)), 0.0),
         high = std::min(std::ceil(correction(rope.betaSlow)), width - 1);
  if (low == high)
    high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    double ramp = std::clamp((double(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= ramp / rope.factor + (1 - ramp);
  }
}

RopeTable ropeTable(const ModelConfig &config, int64_t width) {
  const RopeScaling &rope = config.rope;
  RopeTable table;
  for (int64_t i = 0; i < width / 2; ++i)
    table.frequencies.push_back(
        std::pow(config.ropeTheta, -2.0 * double(i) / double(width)));
  if (rope.kind == RopeScaling::Kind::Linear)
    for (double &frequency : table.frequencies)
      frequency /= rope.factor;
  if (rope.kind == RopeScaling::Kind::Yarn) {
    interpolate(table.frequencies, config, double(width));
    if (rope.attentionFactor)
      table.factor = *rope.attentionFactor;
    else if (rope.mscale && rope.mscaleAllDim)
      table.factor = yarnScale(rope.factor, *rope.mscale) /
                     yarnScale(rope.factor, *rope.mscaleAllDim);
    else
      table.factor = yarnScale(rope.factor, 1);
  }
  return table;
}

} // namespace checkpoint
