//===- Limits.h - what a device can launch --------------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_LIMITS_H
#define TOOLS_PTX_EMULATOR_EXEC_LIMITS_H

#include "tools/ptx-emulator/exec/Kernel.h"

#include <string>

namespace ptx {

struct Dimensions {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

struct LaunchShape {
  Dimensions grid, block, cluster;
  uint64_t dynamicShared = 0; // bytes
  /// All blocks are there at once, and may wait for each other.
  bool isCooperative = false;
  /// It may begin before the launch before it in a stream has ended.
  bool mayBeginEarly = false;
  /// Clusters may be of more blocks than every device with clusters has.
  bool allowsLargeClusters = false;

  uint32_t warpsOfBlock() const {
    return uint32_t((block.count() + warpSize - 1) / warpSize);
  }
};

/// Where the block of a rank in a cluster is; clusters are numbered x first,
/// and so are ranks.
Dimensions indexOf(const LaunchShape &shape, uint32_t cluster, uint32_t rank);

struct DeviceLimits {
  uint32_t multiprocessors;
  uint32_t threadsPerMultiprocessor, threadsPerBlock;
  /// 16 are more than every device has, 8 are portable; 1: no clusters.
  uint32_t mostBlocksOfCluster;
  /// Bytes; of a block the most that it can opt in to.
  uint64_t sharedPerMultiprocessor, sharedPerBlock;
};

/// A multiprocessor has at most so many blocks, and keeps so many bytes of
/// shared memory of each for itself.
constexpr uint64_t blocksPerMultiprocessor = 32, reservedShared = 1024;

/// Of an A100 (80) or an H200 (90).
DeviceLimits limitsOf(unsigned architecture);

/// Blocks of a kernel that fit on the device at once.
uint64_t residentBlocks(const Kernel &kernel, const LaunchShape &shape,
                        const DeviceLimits &limits);

/// Blocks of a cluster: what an entry requires need not be said again.
Dimensions clusterOf(const Function &entry, const LaunchShape &shape);

/// What a driver would return for a launch, as numbers of CUresult.
enum class RefusalKind : int {
  None = 0,
  InvalidValue = 1,
  TooLargeCooperative = 720,
  InvalidCluster = 912
};

struct Refusal {
  RefusalKind kind = RefusalKind::None;
  std::string why;
  explicit operator bool() const { return kind != RefusalKind::None; }
};

/// What is wrong with a launch.
Refusal refusalOf(const Kernel &kernel, const LaunchShape &shape,
                  const DeviceLimits &limits);

/// "(0,1,0)".
std::string textOf(const Dimensions &index);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_LIMITS_H
