//===- Cluster.cpp - blocks that reach each other's memory ----------------===//
#include "tools/ptx-emulator/exec/Cluster.h"
#include "tools/ptx-emulator/exec/Block.h"

#include <algorithm>

namespace ptx {

Cluster::Cluster(Grid &grid, uint32_t number)
    : grid(grid), number(number), beganAt(grid.executed),
      operations(grid.options.asynchrony, grid.random) {
  const Dimensions &shape = grid.shape.cluster;
  // Chance is the same for a cluster, whatever ran before it.
  grid.random.seed(grid.options.seed ^ uint64_t(number) << 32);
  if (grid.races)
    races = std::make_unique<ClusterRaces>(*grid.races, number,
                                           uint32_t(shape.count()),
                                           uint32_t(grid.shape.block.count()));
  for (uint32_t rank = 0; rank < shape.count(); ++rank)
    blocks.push_back(std::make_unique<Block>(
        *this, indexOf(grid.shape, number, rank), rank));
}

Cluster::~Cluster() = default;

void Cluster::run(uint64_t quantum) {
  operations.proceed();
  uint64_t executed = 0;
  for (const auto &block : blocks)
    executed += block->run(quantum);
  // Whoever waits, waits for what goes on beside.
  if (executed == 0 && operations.completeOne())
    ++grid.executed;
}

void Cluster::polled() {
  constexpr uint32_t patience = 64;
  if (++polls % patience == 0)
    operations.completeOne();
}

bool Cluster::hasExited() const {
  return std::ranges::all_of(
      blocks, [](const auto &block) { return block->hasExited(); });
}

} // namespace ptx
