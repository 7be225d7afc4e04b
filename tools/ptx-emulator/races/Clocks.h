//===- Clocks.h - what a thread knows of others ---------------*- C++ -*-===//
//
// Happens-before by vector clocks. A cluster has one time, which goes on with
// each release of one of its threads; an access is stamped with it. A thread
// knows of another one up to a time: what that one did until then happened
// before what this one does. Knowledge is kept by warp; a lane that learns
// something alone keeps it for itself until its warp synchronises. A block
// without clusters is a cluster of one.
//
// Asynchronous copies write by engines, which are threads of their own: what
// one wrote only those know who waited for it.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_RACES_CLOCKS_H
#define TOOLS_PTX_EMULATOR_RACES_CLOCKS_H

#include "tools/ptx-emulator/exec/Rows.h"

#include <map>
#include <memory>
#include <vector>

namespace ptx {

/// A thread of a cluster: 32 times the number of its warp, and its lane. Warps
/// are numbered through all blocks of the cluster; engines come behind them:
/// half of them for mbarriers, half for what warps wait for, a quarter that
/// reads and a quarter that writes.
using ThreadNumber = uint16_t;
constexpr uint32_t engineCount = 64;

/// What is known of another cluster: all of it up to `all`, some threads
/// further.
struct OtherCluster {
  uint32_t all = 0;
  std::map<ThreadNumber, uint32_t> threads;
  void join(const OtherCluster &other);
};
using OtherClusters = std::map<uint32_t, OtherCluster>; // by number

/// What a thread knows, or what a release hands on.
struct Clock {
  /// By thread of the own cluster, beyond what all know; empty: nothing.
  std::vector<uint32_t> times;
  /// The same of what a proxy fence made known to asynchronous operations.
  std::vector<uint32_t> fenced;
  /// Shared, since many threads know the same. Null: nothing.
  std::shared_ptr<const OtherClusters> others;

  void join(const Clock &other);
  void joinOthers(const std::shared_ptr<const OtherClusters> &more);
};

/// What a release in one cluster tells another one.
struct Message {
  uint32_t cluster;
  uint32_t all; // everyone knew of everyone up to this time
  Clock clock;
};

/// The clocks of one cluster.
class Clocks {
public:
  Clocks(uint32_t cluster, uint32_t blocks, uint32_t threadsOfBlock);

  uint32_t cluster() const { return number; }
  uint32_t warpsOfBlock() const { return warpsPerBlock; }
  uint32_t now() const { return time; }
  /// Whether all of the cluster know what all did until then.
  bool isKnownToAll(uint32_t when) const { return when <= all; }

  /// Whether a lane of a warp knows of `thread` up to `when`.
  bool knows(uint32_t warp, unsigned lane, ThreadNumber thread,
             uint32_t when) const;
  /// The same of a thread of another cluster.
  bool knows(uint32_t warp, unsigned lane, uint32_t otherCluster,
             ThreadNumber thread, uint32_t when) const;
  /// Whether it knows it behind a proxy fence, or an engine did it.
  bool knowsFenced(uint32_t warp, unsigned lane, ThreadNumber thread,
                   uint32_t when) const;
  /// Whether it knows that a block of the cluster has begun.
  bool knowsBegun(uint32_t warp, uint32_t rank) const;

  /// What the lanes know, and did until now. Time goes on. `until`: only what
  /// they did until then.
  Clock release(uint32_t warp, uint32_t lanes);
  Clock release(uint32_t warp, unsigned lane, uint32_t until);
  /// Time goes on: what comes now is later than what was handed on.
  void tick() { ++time; }
  void acquire(uint32_t warp, uint32_t lanes, const Clock &clock);
  /// Lanes of a warp synchronise with each other.
  void synchronise(uint32_t warp, uint32_t lanes);
  /// All threads of a block do, or all of the cluster.
  void synchroniseBlock(uint32_t rank);
  void synchroniseAll();
  /// fence.proxy.async: asynchronous operations see what the lanes know.
  void fenceProxy(uint32_t warp, uint32_t lanes);

  /// The engine that works for the mbarrier at an address.
  ThreadNumber engineFor(uint64_t address) const;
  /// The engines that work for the matrices, or the bulk groups, of a warp:
  /// what reads shared memory, and what writes global memory, which is done
  /// later.
  ThreadNumber engineOfWarp(uint32_t warp) const;
  ThreadNumber writerOfWarp(uint32_t warp) const;
  /// The engine has done something now: hands it on to `clock`.
  void engineReleases(ThreadNumber engine, Clock &clock);

  /// Across clusters.
  Message message(Clock clock) const { return {number, all, std::move(clock)}; }
  void acquire(uint32_t warp, uint32_t lanes, const Message &message);

private:
  struct WarpClock {
    Clock common;
    /// By lane; empty: no lane knows more than the others.
    std::vector<Clock> own;
  };
  const Clock *ownOf(uint32_t warp, unsigned lane) const;
  uint32_t rankOf(uint32_t warp) const { return warp / warpsPerBlock; }
  bool isWhole(uint32_t warp, uint32_t lanes) const;
  void raise(Clock &clock, uint32_t warp, uint32_t lanes, uint32_t to) const;

  uint32_t number, threadsOfBlock, warpsPerBlock, threads;
  uint32_t time = 1;
  /// Everyone knows of everyone up to this time; of a block those in it.
  uint32_t all = 0;
  std::vector<uint32_t> allOfBlock;
  std::vector<WarpClock> warps;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RACES_CLOCKS_H
