//===- Limits.cpp - what a device can launch ------------------------------===//
#include "tools/ptx-emulator/exec/Limits.h"

#include <algorithm>

namespace ptx {

Dimensions indexOf(const LaunchShape &shape, uint32_t cluster, uint32_t rank) {
  const Dimensions &size = shape.cluster;
  uint32_t x = shape.grid.x / size.x, y = shape.grid.y / size.y;
  return {cluster % x * size.x + rank % size.x,
          cluster / x % y * size.y + rank / size.x % size.y,
          cluster / x / y * size.z + rank / size.x / size.y};
}

std::string textOf(const Dimensions &index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," +
         std::to_string(index.z) + ")";
}

DeviceLimits limitsOf(unsigned architecture) {
  if (architecture >= 90)
    return {132, 2048, 1024, 16, 233472, 232448};
  return {108, 2048, 1024, 1, 167936, 166912};
}

uint64_t residentBlocks(const Kernel &kernel, const LaunchShape &shape,
                        const DeviceLimits &limits) {
  uint64_t threads = (shape.block.count() + warpSize - 1) / warpSize * warpSize;
  uint64_t shared = kernel.staticShared + shape.dynamicShared + reservedShared;
  uint64_t each = std::min({blocksPerMultiprocessor,
                            limits.threadsPerMultiprocessor / threads,
                            limits.sharedPerMultiprocessor / shared});
  return each * limits.multiprocessors;
}

/// Blocks of a cluster that every device with clusters has.
static constexpr uint64_t portableCluster = 8;

static std::string sizesOf(const uint32_t (&of)[3]) {
  return std::to_string(of[0]) + " x " + std::to_string(of[1]) + " x " +
         std::to_string(of[2]);
}

Dimensions clusterOf(const Function &entry, const LaunchShape &shape) {
  const uint32_t (&required)[3] = entry.requiredCluster;
  if (required[0] && shape.cluster.count() == 1)
    return {required[0], required[1], required[2]};
  return shape.cluster;
}

static Refusal clusterRefusal(const Function &entry, const LaunchShape &shape,
                              const DeviceLimits &limits) {
  const Dimensions cluster = clusterOf(entry, shape), &grid = shape.grid;
  auto invalid = [](const std::string &why) {
    return Refusal{RefusalKind::InvalidCluster, why};
  };
  if (cluster.count() > 1 && limits.mostBlocksOfCluster == 1)
    return invalid("clusters need sm_90");
  if (cluster.count() == 0 || grid.x % cluster.x || grid.y % cluster.y ||
      grid.z % cluster.z)
    return invalid("a grid that is no whole number of clusters");
  uint64_t most = limits.mostBlocksOfCluster;
  if (!shape.allowsLargeClusters)
    most = std::min(most, portableCluster);
  if (cluster.count() > most)
    return invalid("a cluster of " + std::to_string(cluster.count()) +
                   " blocks, at most " + std::to_string(most) +
                   " are possible");
  const uint32_t asked[] = {cluster.x, cluster.y, cluster.z};
  if (entry.requiredCluster[0] &&
      !std::ranges::equal(entry.requiredCluster, asked))
    return invalid("entry '" + entry.name + "' requires clusters of " +
                   sizesOf(entry.requiredCluster) +
                   " blocks (.reqnctapercluster), not " + sizesOf(asked));
  return {};
}

Refusal refusalOf(const Kernel &kernel, const LaunchShape &shape,
                  const DeviceLimits &limits) {
  const Function &entry = *kernel.entry;
  const Dimensions &grid = shape.grid, &block = shape.block;
  auto invalid = [](const std::string &why) {
    return Refusal{RefusalKind::InvalidValue, why};
  };
  const uint32_t asked[] = {block.x, block.y, block.z};
  if (grid.count() == 0 || block.count() == 0)
    return invalid("a grid or a block of no threads");
  if (grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535)
    return invalid("a grid has at most 2147483647 x 65535 x 65535 blocks");
  uint32_t widest = std::max({block.x, block.y, block.z});
  if (widest > limits.threadsPerBlock ||
      block.count() > limits.threadsPerBlock || block.z > 64)
    return invalid("a block of " + sizesOf(asked) + " threads, at most " +
                   std::to_string(limits.threadsPerBlock) +
                   " are possible, and 64 in z");
  if (entry.requiredThreads[0] &&
      !std::ranges::equal(entry.requiredThreads, asked))
    return invalid("entry '" + entry.name + "' requires blocks of " +
                   sizesOf(entry.requiredThreads) +
                   " threads (.reqntid), not " + sizesOf(asked));
  uint64_t most =
      uint64_t(entry.maxThreads[0]) * entry.maxThreads[1] * entry.maxThreads[2];
  if (most && block.count() > most)
    return invalid(
        "entry '" + entry.name + "' takes at most " + std::to_string(most) +
        " threads in a block (.maxntid), not " + std::to_string(block.count()));
  uint64_t shared = kernel.staticShared + shape.dynamicShared;
  if (shared > limits.sharedPerBlock)
    return invalid("a block needs " + std::to_string(shared) +
                   " bytes of shared memory, at most " +
                   std::to_string(limits.sharedPerBlock) + " are possible");
  uint64_t resident = residentBlocks(kernel, shape, limits);
  if (shape.isCooperative && grid.count() > resident)
    return Refusal{RefusalKind::TooLargeCooperative,
                   "a cooperative grid of " + std::to_string(grid.count()) +
                       " blocks, at most " + std::to_string(resident) +
                       " are on the device at once"};
  return clusterRefusal(entry, shape, limits);
}

} // namespace ptx
