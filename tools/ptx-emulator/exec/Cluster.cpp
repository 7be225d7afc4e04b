//===- Cluster.cpp - blocks that reach each other's memory ----------------===//
#include "tools/ptx-emulator/exec/Cluster.h"
#include "tools/ptx-emulator/exec/Block.h"

#include <algorithm>

namespace ptx {

Cluster::Cluster(Grid &grid, uint32_t number) : grid(grid), number(number) {
  const Dimensions &shape = grid.shape.cluster;
  if (grid.races)
    races = std::make_unique<ClusterRaces>(*grid.races, number,
                                           uint32_t(shape.count()),
                                           uint32_t(grid.shape.block.count()));
  for (uint32_t rank = 0; rank < shape.count(); ++rank)
    blocks.push_back(
        std::make_unique<Block>(*this, grid.indexOf(number, rank), rank));
}

Cluster::~Cluster() = default;

void Cluster::run(uint64_t quantum) {
  for (const auto &block : blocks)
    block->run(quantum);
}

bool Cluster::hasExited() const {
  return std::ranges::all_of(
      blocks, [](const auto &block) { return block->hasExited(); });
}

} // namespace ptx
