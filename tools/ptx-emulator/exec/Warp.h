//===- Warp.h - 32 threads that execute together --------------*- C++ -*-===//
//
// Lanes that stand at one instruction, called from the same places, are a
// group. Of those that can go on, the group that is deepest in calls runs, and
// of these the one with the lowest pc: since blocks stand nearly in the order
// in which they run, groups meet again by themselves. A group that only loops
// lets another run after a while, since threads make progress one by one.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_WARP_H
#define TOOLS_PTX_EMULATOR_EXEC_WARP_H

#include "tools/ptx-emulator/diag/Fault.h"
#include "tools/ptx-emulator/exec/Kernel.h"

#include <functional>
#include <vector>

namespace ptx {

class Block;
class BulkQueue;
class CopyQueue;
class MatrixQueue;
struct Allocation;

/// A call that has not returned, or the entry.
struct Frame {
  std::shared_ptr<const Frame> caller;
  uint32_t code = 0, call = 0; // numbers in the kernel
  uint32_t returnPc = 0, depth = 0;
  /// Where its rows, predicates and local bytes begin.
  uint32_t rows = 0, predicates = 0;
  uint64_t local = 0;
};

/// What a group waits for: nothing, lanes of its warp that execute the same, a
/// barrier of its block, the phase of an mbarrier, the barrier of its cluster,
/// registers.
enum class Wait : uint8_t {
  None,
  Lanes,
  Barrier,
  Mbarrier,
  Cluster,
  Registers
};
/// Whether who waits so executes the instruction again, or is behind it.
constexpr bool triesAgain(Wait wait) {
  return wait == Wait::Lanes || wait == Wait::Registers;
}

struct Group {
  uint32_t pc = 0, lanes = 0;
  std::shared_ptr<const Frame> frame;
  Wait wait = Wait::None;
  /// The number of what it waits for.
  uint32_t waitsFor = 0;
  uint64_t lastRun = 0;
};

struct Exchange; // of Exchange.h

class Warp {
public:
  /// `lanes`: fewer than 32 in the last warp of a block.
  Warp(Block &block, const Kernel &kernel, uint32_t index, uint32_t lanes);
  ~Warp();

  /// Executes until every group waits or has exited, or `budget` instructions
  /// are done; returns how many were.
  uint64_t run(uint64_t budget);
  bool hasExited() const { return groups.empty(); }
  uint32_t liveLanes() const;
  /// Whether a group can go on.
  bool canRun() const;

  //===-- For handlers ----------------------------------------------------===//

  /// Lanes that execute the instruction.
  uint32_t active = 0;
  /// The carry flag of each lane.
  uint32_t carry = 0;

  const Row *source(Ref ref) const { return bases[ref.base] + ref.row; }
  Row *destination(Ref ref) { return bases[ref.base] + ref.row; }
  uint32_t predicate(PredicateRef ref) const {
    return framePredicates[ref.index] ^ (ref.isNegated ? allLanes : 0);
  }
  /// Sets a predicate in the active lanes.
  void setPredicate(PredicateRef ref, uint32_t lanes) {
    uint32_t &at = framePredicates[ref.index];
    at = (at & ~active) | (lanes & active);
  }
  /// Of a lane, in the space of `ref`.
  uint64_t address(const AddressRef &ref, unsigned lane) const {
    switch (ref.kind) {
    case AddressRef::None:
      return ref.offset;
    case AddressRef::Short:
      return get<uint32_t>(source(ref.base), lane) + ref.offset;
    case AddressRef::Long:
      return get<uint64_t>(source(ref.base), lane) + ref.offset;
    case AddressRef::Frame:
      return localBase + current().frame->local + ref.offset;
    }
    return 0;
  }

  const Group &current() const { return groups[running]; }

  // Control: what moves the running group, or its active lanes alone.

  void advance() { ++groups[running].pc; }
  void branch(uint32_t target);
  /// brx.idx; throws Fault for an index beyond the list.
  void branch(const std::vector<uint32_t> &targets, const Row *indices);
  void call(const Step &step);
  /// Returns; exits, if it is the entry that returns.
  void leave();
  void exit();
  /// The active lanes wait behind this instruction.
  void wait(Wait reason, uint32_t number);
  /// They wait, and then execute it again.
  void waitToTry(Wait reason);
  /// Groups that wait so go on, after `visit`, if there is one, has seen each
  /// and the step that it waits behind.
  using Visit = std::function<void(Warp &, const Step &)>;
  void wake(Wait reason, uint32_t number, const Visit &visit = {});
  /// Other groups may run first, if there are any: a loop that polls got no
  /// further.
  void yield();
  /// Lets the active lanes take part in an exchange: each with the lanes that
  /// its `masks` name (null: all that live). Who is the last completes it; the
  /// others wait. Throws Fault if a lane names a mask that it is not in.
  void exchange(const Step &step, const Row *masks, const Exchange &kind);
  /// Whether all lanes that live are here, as instructions that are .aligned
  /// want; if not, the active ones wait, and then execute this again.
  bool gather();

  /// Bytes of a lane's local memory, from localBase on.
  struct Local {
    std::vector<uint8_t> bytes, defined;
  };
  Local &local(unsigned lane) { return locals[lane]; }
  /// Copies of a lane that it has not waited for.
  CopyQueue &copies(unsigned lane);
  /// Bulk copies out of shared memory of a lane.
  BulkQueue &bulk(unsigned lane);
  /// Matrix products that it has not waited for.
  MatrixQueue &matrices();
  /// Rows of registers by their number in the warp, not in the frame.
  Row *rowsAt(uint32_t number) {
    return reinterpret_cast<Row *>(rows.data() + number);
  }
  uint32_t numberOf(Ref ref) const {
    return groups[running].frame->rows + ref.row;
  }
  size_t rowCount() const { return rows.size(); }

  Block &block;
  const Kernel &kernel;
  const uint32_t index; // in the block
  /// Among the warps of all blocks of its cluster.
  const uint32_t numberInCluster;
  /// Registers of a thread (setmaxnreg).
  uint32_t registers;
  /// Where the last access went: the next one mostly goes there, too.
  Allocation *lastAllocation = nullptr;
  /// Of the instruction at hand, or the last one.
  uint32_t currentPc() const { return pc; }
  const std::vector<Group> &allGroups() const { return groups; }

private:
  bool choose();
  /// The active lanes get a group of their own, which then runs.
  void splitOff();
  void useFrame(const Frame &frame);
  std::shared_ptr<const Frame> frameFor(uint32_t call, uint32_t returnPc);
  void growFor(const Frame &frame);
  /// Nobody wrote the local memory of a frame, for these lanes.
  void clearLocal(const Frame &frame, uint32_t lanes);
  void fillSpecials();
  void transfer(const std::vector<Transfer> &list, uint64_t from, uint64_t to);
  /// Calls visit() for each group that waits so, as if it were running.
  template <class Each>
  void forWaiting(Wait reason, uint32_t number, Each visit);
  void complete(size_t meeting);
  void join(const Exchange *kind, uint32_t mask);
  void completeMeetings();

  /// Lanes that wait for others at an exchange.
  struct Meeting {
    /// Null: a gathering, of lanes at `pc` that were called alike.
    const Exchange *kind;
    uint32_t pc;
    const Frame *frame;
    uint32_t mask, lanes, number;
  };

  std::vector<Group> groups;
  size_t running = 0;
  bool mustChoose = false;
  uint32_t pc = 0;
  /// The running group must let others run at this pc.
  uint32_t limit = ~uint32_t(0);
  uint32_t patience;
  uint64_t ticks = 0;
  std::vector<Meeting> meetings;
  uint32_t nextMeeting = 0;
  Row *bases[3] = {};
  uint32_t *framePredicates = nullptr;
  std::vector<std::array<uint32_t, warpSize>> rows, specials;
  std::vector<uint32_t> predicateWords;
  std::vector<Local> locals;
  /// Of all lanes; none before the first copy.
  std::vector<CopyQueue> queues;
  std::vector<BulkQueue> bulkQueues;
  std::unique_ptr<MatrixQueue> products;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_WARP_H
