//===- Block.h - threads that share memory and barriers -------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_BLOCK_H
#define TOOLS_PTX_EMULATOR_EXEC_BLOCK_H

#include "tools/ptx-emulator/exec/Cluster.h"
#include "tools/ptx-emulator/exec/Mbarrier.h"
#include "tools/ptx-emulator/exec/Warp.h"

namespace ptx {

/// Barriers that a block has: operands of bar are 0 to 15.
constexpr unsigned barrierCount = 16;

enum class Reduction : uint8_t { None, Count, And, Or };

/// What the threads that come to a barrier ask of it.
struct Arrival {
  uint32_t barrier;
  /// Threads that complete it; 0: all of the block that have not exited.
  uint32_t threads;
  Reduction reduction = Reduction::None;
  /// Of a reduction: lanes whose predicate is true.
  uint32_t predicate = 0;
  bool waits = true;
  /// All lanes of a warp come by the same instruction.
  bool isAligned = true;
};

class Block {
public:
  Block(Cluster &cluster, Dimensions index, uint32_t rank);

  /// Lets each warp that can go on execute up to `quantum` instructions.
  /// Returns how many were executed: 0 if all wait or have exited.
  uint64_t run(uint64_t quantum);
  bool hasExited() const;

  /// The active lanes of `warp` come to a barrier. Throws Fault for one that is
  /// used in another way by others, or completed by more than it asks for.
  void arrive(Warp &warp, const Arrival &arrival);
  /// Barriers no longer wait for lanes that have exited.
  void lanesExited(Warp &warp);

  uint64_t seed() const { return grid.options.seed; }
  const std::vector<std::unique_ptr<Warp>> &allWarps() const { return warps; }
  /// Who waited for the phase goes on.
  void phaseEnded(const Mbarrier &barrier);
  /// Of each thread, by .maxnreg or what is there for all.
  uint32_t registersAtStart() const;
  /// setmaxnreg of a warp. Throws Fault: more or fewer than it says it has. To
  /// get more than others have given back it waits.
  void setRegisters(Warp &warp, uint32_t count, bool increases);
  /// States of warps and barriers, for a report that all wait.
  std::vector<std::string> whatWaits() const;

  Cluster &cluster;
  Grid &grid;
  const Dimensions index; // in the grid
  const uint32_t rank;    // in the cluster
  std::vector<uint8_t> shared, sharedDefined;
  /// Null: races are not looked for.
  std::unique_ptr<SharedShadow> shadow;
  /// Asynchronous copies into its shared memory were made.
  bool hasAsyncCopies = false;
  Mbarriers mbarriers{*this};
  /// Asynchronous operations that read 16 bytes of shared memory, of each 16;
  /// empty before the first.
  std::vector<uint16_t> readers;
  uint32_t lastReaderPc = 0;

private:
  struct Barrier {
    uint32_t threads = 0; // that complete it
    uint32_t arrived = 0; // of whole warps
    Reduction reduction = Reduction::None;
    bool isUsed = false, wantsAll = false;
    /// Per warp: lanes that came, while others of it are still to come; and
    /// where, of an aligned instruction.
    std::vector<uint32_t> lanes, pcs;
    uint32_t trues = 0, falses = 0; // threads, of a reduction
    Clock clock;                    // of those that came
  };
  void countWarp(Barrier &barrier, uint32_t number, Warp &warp);
  void completeIfDone(Barrier &barrier, uint32_t number);
  uint32_t liveThreads() const;

  Barrier barriers[barrierCount];
  /// Registers that warps gave back.
  uint32_t freeRegisters = 0;
  std::vector<std::unique_ptr<Warp>> warps;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_BLOCK_H
