//===- Cluster.h - blocks that reach each other's memory ------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_CLUSTER_H
#define TOOLS_PTX_EMULATOR_EXEC_CLUSTER_H

#include "tools/ptx-emulator/exec/AsyncOperations.h"
#include "tools/ptx-emulator/exec/ClusterBarrier.h"
#include "tools/ptx-emulator/exec/Grid.h"
#include "tools/ptx-emulator/races/ClusterRaces.h"

namespace ptx {

class Block;

/// The blocks of a cluster; of a launch without clusters one block.
class Cluster {
public:
  Cluster(Grid &grid, uint32_t number);
  ~Cluster();

  /// Lets each warp that can go on execute up to `quantum` instructions.
  void run(uint64_t quantum);
  bool hasExited() const;
  /// A thread asked whether something is over, and it was not.
  void polled();

  Grid &grid;
  const uint32_t number; // of the grid's clusters, x first
  /// Grid::executed when it began: what its clock counts from.
  const uint64_t beganAt;
  std::vector<std::unique_ptr<Block>> blocks; // by rank
  /// Null: races are not looked for.
  std::unique_ptr<ClusterRaces> races;
  AsyncOperations operations;
  ClusterBarrier barrier{*this};

private:
  uint32_t polls = 0;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_CLUSTER_H
