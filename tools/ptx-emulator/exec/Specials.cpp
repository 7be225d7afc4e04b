//===- Specials.cpp - special registers -----------------------------------===//
#include "tools/ptx-emulator/exec/Specials.h"
#include "tools/ptx-emulator/exec/Block.h"

#include <algorithm>
#include <iterator>

namespace ptx {

uint32_t rowsOf(Special special) {
  constexpr uint32_t rows[] = {
#define PTX_SPECIAL(name, text, rows) rows,
#include "tools/ptx-emulator/ptx/specials.def"
  };
  return rows[size_t(special)];
}

bool isClock(Special special) {
  switch (special) {
  case Special::Clock:
  case Special::ClockHi:
  case Special::Clock64:
  case Special::Globaltimer:
  case Special::GlobaltimerLo:
  case Special::GlobaltimerHi:
    return true;
  default:
    return false;
  }
}

/// What is the same for all threads of a warp.
static uint64_t uniform(Special special, const Warp &warp) {
  const Block &block = warp.block;
  const Grid &grid = block.grid;
  const LaunchShape &shape = grid.shape;
  switch (special) {
  case Special::NtidX:
    return shape.block.x;
  case Special::NtidY:
    return shape.block.y;
  case Special::NtidZ:
    return shape.block.z;
  case Special::CtaidX:
    return block.index.x;
  case Special::CtaidY:
    return block.index.y;
  case Special::CtaidZ:
    return block.index.z;
  case Special::ClusteridX:
    return block.index.x / shape.cluster.x;
  case Special::ClusteridY:
    return block.index.y / shape.cluster.y;
  case Special::ClusteridZ:
    return block.index.z / shape.cluster.z;
  case Special::NctaidX:
    return shape.grid.x;
  case Special::NctaidY:
    return shape.grid.y;
  case Special::NctaidZ:
    return shape.grid.z;
  case Special::NclusteridX:
    return shape.grid.x / shape.cluster.x;
  case Special::NclusteridY:
    return shape.grid.y / shape.cluster.y;
  case Special::NclusteridZ:
    return shape.grid.z / shape.cluster.z;
  case Special::ClusterCtaidX:
    return block.index.x % shape.cluster.x;
  case Special::ClusterCtaidY:
    return block.index.y % shape.cluster.y;
  case Special::ClusterCtaidZ:
    return block.index.z % shape.cluster.z;
  case Special::ClusterNctaidX:
    return shape.cluster.x;
  case Special::ClusterNctaidY:
    return shape.cluster.y;
  case Special::ClusterNctaidZ:
    return shape.cluster.z;
  case Special::ClusterCtarank:
    return block.rank;
  case Special::ClusterNctarank:
    return shape.cluster.count();
  case Special::Warpid:
    return warp.index;
  case Special::Nwarpid:
    return grid.limits.threadsPerMultiprocessor / warpSize;
  case Special::Smid:
    return (block.cluster.number * shape.cluster.count() + block.rank) %
           grid.limits.multiprocessors;
  case Special::Nsmid:
    return grid.limits.multiprocessors;
  // A clock ticks once an instruction, a nanosecond each.
  case Special::Clock:
  case Special::Clock64:
  case Special::Globaltimer:
  case Special::GlobaltimerLo:
    return grid.executed - block.cluster.beganAt;
  case Special::ClockHi:
  case Special::GlobaltimerHi:
    return (grid.executed - block.cluster.beganAt) >> 32;
  case Special::DynamicSmemSize:
    return shape.dynamicShared;
  case Special::TotalSmemSize:
  case Special::AggrSmemSize:
    return grid.kernel.staticShared + shape.dynamicShared;
  case Special::ReservedSmemOffsetEnd:
  case Special::ReservedSmemOffsetCap:
    return sharedBase;
  default:
    return 0;
  }
}

void readSpecial(Special special, const Warp &warp, Row *rows) {
  const Dimensions &threads = warp.block.grid.shape.block;
  uint64_t all = uniform(special, warp);
  forLanes(allLanes, [&](unsigned lane) {
    uint32_t thread = warp.index * warpSize + lane;
    uint64_t value = all;
    switch (special) {
    case Special::TidX:
      value = thread % threads.x;
      break;
    case Special::TidY:
      value = thread / threads.x % threads.y;
      break;
    case Special::TidZ:
      value = thread / threads.x / threads.y;
      break;
    case Special::Laneid:
      value = lane;
      break;
    case Special::LanemaskEq:
      value = uint32_t(1) << lane;
      break;
    case Special::LanemaskLt:
      value = (uint32_t(1) << lane) - 1;
      break;
    case Special::LanemaskLe:
      value = (uint64_t(2) << lane) - 1;
      break;
    case Special::LanemaskGe:
      value = allLanes << lane;
      break;
    case Special::LanemaskGt:
      value = allLanes << 1 << lane;
      break;
    default:
      break;
    }
    put(rows, lane, uint32_t(value));
    if (rowsOf(special) == 2)
      put(rows + 1, lane, uint32_t(value >> 32));
  });
}

} // namespace ptx
