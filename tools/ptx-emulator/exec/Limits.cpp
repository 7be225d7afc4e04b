//===- Limits.cpp - what a device can launch ------------------------------===//
#include "tools/ptx-emulator/exec/Limits.h"

#include <algorithm>

namespace ptx {

/// A multiprocessor has at most so many blocks, and keeps so many bytes of
/// shared memory of each for itself.
static constexpr uint64_t mostBlocks = 32, reservedShared = 1024;

DeviceLimits limitsOf(unsigned architecture) {
  if (architecture >= 90)
    return {132, 2048, 1024, 16, 233472, 232448};
  return {108, 2048, 1024, 1, 167936, 166912};
}

uint64_t residentBlocks(const Kernel &kernel, const LaunchShape &shape,
                        const DeviceLimits &limits) {
  uint64_t threads = (shape.block.count() + warpSize - 1) / warpSize * warpSize;
  uint64_t shared = kernel.staticShared + shape.dynamicShared + reservedShared;
  uint64_t each =
      std::min({mostBlocks, limits.threadsPerMultiprocessor / threads,
                limits.sharedPerMultiprocessor / shared});
  return each * limits.multiprocessors;
}

std::string whyNotLaunched(const Kernel &kernel, const LaunchShape &shape,
                           const DeviceLimits &limits) {
  const Function &entry = *kernel.entry;
  const Dimensions &grid = shape.grid, &block = shape.block;
  if (grid.count() == 0 || block.count() == 0)
    return "a grid or a block of no threads";
  if (grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535)
    return "a grid has at most 2147483647 x 65535 x 65535 blocks";
  if (block.count() > limits.threadsPerBlock || block.z > 64)
    return "a block of " + std::to_string(block.count()) +
           " threads, at most " + std::to_string(limits.threadsPerBlock) +
           " are possible, and 64 in z";
  auto sizes = [](const uint32_t (&of)[3]) {
    return std::to_string(of[0]) + " x " + std::to_string(of[1]) + " x " +
           std::to_string(of[2]);
  };
  const uint32_t asked[] = {block.x, block.y, block.z};
  if (entry.requiredThreads[0] &&
      !std::ranges::equal(entry.requiredThreads, asked))
    return "entry '" + entry.name + "' requires blocks of " +
           sizes(entry.requiredThreads) + " threads (.reqntid), not " +
           sizes(asked);
  uint64_t most =
      uint64_t(entry.maxThreads[0]) * entry.maxThreads[1] * entry.maxThreads[2];
  if (most && block.count() > most)
    return "entry '" + entry.name + "' takes at most " + std::to_string(most) +
           " threads in a block (.maxntid), not " +
           std::to_string(block.count());
  const Dimensions &cluster = shape.cluster;
  if (cluster.count() > 1 && limits.mostBlocksOfCluster == 1)
    return "clusters need sm_90";
  if (cluster.count() == 0 || grid.x % cluster.x || grid.y % cluster.y ||
      grid.z % cluster.z)
    return "a grid that is no whole number of clusters";
  if (cluster.count() > limits.mostBlocksOfCluster)
    return "a cluster of " + std::to_string(cluster.count()) +
           " blocks, at most " + std::to_string(limits.mostBlocksOfCluster) +
           " are possible";
  const uint32_t askedCluster[] = {cluster.x, cluster.y, cluster.z};
  if (entry.requiredCluster[0] &&
      !std::ranges::equal(entry.requiredCluster, askedCluster))
    return "entry '" + entry.name + "' requires clusters of " +
           sizes(entry.requiredCluster) + " blocks (.reqnctapercluster), not " +
           sizes(askedCluster);
  uint64_t shared = kernel.staticShared + shape.dynamicShared;
  if (shared > limits.sharedPerBlock)
    return "a block needs " + std::to_string(shared) +
           " bytes of shared memory, at most " +
           std::to_string(limits.sharedPerBlock) + " are possible";
  uint64_t resident = residentBlocks(kernel, shape, limits);
  if (shape.isCooperative && grid.count() > resident)
    return "a cooperative grid of " + std::to_string(grid.count()) +
           " blocks, at most " + std::to_string(resident) +
           " are on the device at once";
  return "";
}

} // namespace ptx
