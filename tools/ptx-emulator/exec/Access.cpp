//===- Access.cpp - what a thread touches in memory -----------------------===//
#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/Block.h"

#include <algorithm>
#include <cstdio>

namespace ptx {

static std::string hexadecimal(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx",
                static_cast<unsigned long long>(value));
  return text;
}

static const char *nameOf(Space space) {
  switch (space) {
  case Space::Shared:
    return "shared";
  case Space::Local:
    return "local";
  case Space::Parameter:
    return "param";
  case Space::Constant:
    return "const";
  default:
    return "global";
  }
}

static std::string access(Use use, unsigned bytes) {
  return std::string(use.writes ? "write" : "read") + " of " +
         std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

[[noreturn]] static void outOfBounds(Space space, unsigned bytes, unsigned lane,
                                     Use use, const std::string &where) {
  throw Fault(FaultKind::IllegalAddress,
              "out of bounds: " + access(use, bytes) + " in " + nameOf(space) +
                  " memory",
              int(lane))
      .with(where);
}

/// Says which variable of shared memory an address is in or behind.
static std::string placeInShared(const Block &block, uint64_t address) {
  const Kernel &kernel = block.grid.kernel;
  const Kernel::SharedVariable *before = nullptr;
  for (const Kernel::SharedVariable &each : kernel.shared)
    if (each.address <= address && (!before || each.address >= before->address))
      before = &each;
  std::string text = hexadecimal(address) + ": shared memory is " +
                     hexadecimal(sharedBase) + " to " +
                     hexadecimal(sharedBase + block.shared.size());
  if (before)
    text +=
        ", " + before->name + " + " + std::to_string(address - before->address);
  if (before && before->size)
    text += " of " + std::to_string(before->size) + " bytes";
  if (address / windows::size == windows::shared / windows::size)
    text += "; a generic address: cvta.to.shared is missing";
  return text;
}

Fault misaligned(Space space, uint64_t address, unsigned bytes, unsigned lane,
                 Use use) {
  return Fault(FaultKind::MisalignedAddress,
               std::string("misaligned: ") + access(use, bytes) + " in " +
                   nameOf(space) + " memory",
               int(lane))
      .with(hexadecimal(address) + " is no multiple of " +
            std::to_string(bytes));
}

/// The bytes are the destination of a copy that nobody has waited for, or of an
/// mbarrier.
[[noreturn]] static void touchesMarked(uint8_t mark, Use use, unsigned bytes,
                                       unsigned lane) {
  if (mark == isBarrier)
    throw Fault(FaultKind::LaunchFailure,
                access(use, bytes) + " of a live mbarrier", int(lane))
        .with("missing: mbarrier.inval before its memory is used otherwise");
  throw Fault(FaultKind::LaunchFailure,
              "in flight: " + access(use, bytes) +
                  " that an asynchronous copy is still writing",
              int(lane))
      .with("missing: a wait for the copy by the thread that made it, and a "
            "barrier if that is another one");
}

/// An asynchronous operation still reads the bytes.
[[noreturn]] static void overwritesSource(const Warp &warp, const Block &owner,
                                          Use use, unsigned bytes,
                                          unsigned lane) {
  throw Fault(FaultKind::LaunchFailure,
              "in flight: " + access(use, bytes) +
                  " that an asynchronous operation is still reading",
              int(lane))
      .with("read by " + warp.kernel.lineAt(owner.lastReaderPc))
      .with("missing: a wait for the operation, and what tells the thread that "
            "writes");
}

Use asyncUse(Warp &warp, bool writes, uint64_t barrier) {
  Use use = {writes};
  use.isAsync = true;
  if (ClusterRaces *races = warp.block.cluster.races.get())
    use.engine = races->clocks.engineFor(barrier);
  return use;
}

Use asyncUseOfWarp(Warp &warp, bool writes) {
  Use use = {writes};
  use.isAsync = true;
  if (ClusterRaces *races = warp.block.cluster.races.get())
    use.engine = writes ? races->clocks.writerOfWarp(warp.numberInCluster)
                        : races->clocks.engineOfWarp(warp.numberInCluster);
  return use;
}

/// Calls visit() for each piece of `size` bytes of shared memory that a cell
/// has bytes of, by its number.
template <class Visit>
static void forPieces(const Cell &cell, unsigned bytes, uint64_t size,
                      Visit visit) {
  if (!cell.block || !bytes)
    return;
  uint64_t offset = uint64_t(cell.bytes - cell.block->shared.data());
  for (uint64_t i = offset / size; i <= (offset + bytes - 1) / size; ++i)
    visit(i);
}

void touchWords(const Cell &cell, unsigned bytes, const Touch &touch,
                const Clocks &clocks) {
  forPieces(cell, bytes, 4, [&](uint64_t word) {
    cell.block->shadow->touch(word, touch, clocks);
  });
}

void rewriteWords(const Cell &cell, unsigned bytes, const Touch &touch,
                  const Clocks &clocks) {
  forPieces(cell, bytes, 4, [&](uint64_t word) {
    cell.block->shadow->rewrite(word, touch, clocks);
  });
}

void beginReading(const Cell &cell, unsigned bytes, uint32_t pc) {
  if (!cell.block)
    return;
  Block &block = *cell.block;
  if (block.readers.empty())
    block.readers.resize(block.shared.size() / 16 + 1);
  block.lastReaderPc = pc;
  forPieces(cell, bytes, 16, [&](uint64_t i) { ++block.readers[i]; });
}

void endReading(const Cell &cell, unsigned bytes) {
  forPieces(cell, bytes, 16, [&](uint64_t i) { --cell.block->readers[i]; });
}

/// What is known of an address: the space of a generic one, and the address in
/// it.
static Space resolve(Space space, uint64_t &address) {
  if (space != Space::Generic)
    return space;
  constexpr std::pair<uint64_t, Space> known[] = {
      {windows::shared, Space::Shared},
      {windows::local, Space::Local},
      {windows::parameter, Space::Parameter},
      {windows::constant, Space::Constant}};
  for (auto [window, inside] : known)
    if (address / windows::size == window / windows::size) {
      address -= window;
      return inside;
    }
  return Space::Global;
}

static Fault race(Warp &warp, const Conflict &conflict, bool writes,
                  bool isShared, unsigned lane, std::string where) {
  const Grid &grid = warp.block.grid;
  const Cluster &cluster = warp.block.cluster;
  uint32_t warps = cluster.races->clocks.warpsOfBlock();
  bool isEngine = conflict.warp / warps >= cluster.blocks.size();
  uint32_t rank = isEngine ? warp.block.rank : conflict.warp / warps;
  bool isSameBlock =
      conflict.cluster == cluster.number && rank == warp.block.rank;
  std::string other = "conflicts with ";
  if (!isSameBlock)
    other +=
        "block " + textOf(indexOf(grid.shape, conflict.cluster, rank)) + ", ";
  if (isEngine)
    other += "the asynchronous operation of ";
  else
    other += "warp " + std::to_string(conflict.warp % warps) + " lane " +
             std::to_string(conflict.lane) + ", ";
  other += warp.kernel.lineAt(conflict.pc);
  bool isSameWarp = isSameBlock && conflict.warp == warp.numberInCluster;
  std::string missing =
      conflict.lacksProxyFence
          ? "fence.proxy.async behind what the other thread wrote"
      : isEngine    ? "a wait for the operation"
      : isSameWarp  ? "bar.warp.sync or a barrier between the two"
      : isSameBlock ? "a barrier between the two"
      : conflict.cluster == cluster.number
          ? "barrier.cluster between the two, or a release and an acquire"
          : "a release and an acquire between the two blocks, with .gpu or "
            ".sys";
  if (conflict.lacksProxyFence)
    return Fault(FaultKind::LaunchFailure,
                 "missing fence.proxy.async: an asynchronous operation " +
                     std::string(writes ? "writes" : "reads") +
                     " what was written before",
                 int(lane))
        .with(std::move(where))
        .with(std::move(other))
        .with("missing: " + missing);
  return Fault(FaultKind::LaunchFailure,
               std::string(isShared ? "shared" : "global") + "-memory race (" +
                   (conflict.wrote ? "write/" : "read/") +
                   (writes ? "write)" : "read)"),
               int(lane))
      .with(std::move(where))
      .with(std::move(other))
      .with("missing: " + missing);
}

/// Notes an access to shared or global memory, and throws Fault if it races.
static void order(Warp &warp, const Cell &cell, uint64_t address,
                  unsigned bytes, unsigned lane, const Use &use) {
  ClusterRaces &races = *warp.block.cluster.races;
  const Dependencies &dependencies = *warp.block.grid.dependencies;
  bool isShared = cell.space == Space::Shared;
  Touch touch = {.warp = warp.numberInCluster,
                 .lane = lane,
                 .pc = warp.currentPc(),
                 .writes = use.writes,
                 .isStrong = use.isStrong,
                 .isAsync = use.isAsync,
                 .engine = use.engine};
  uint64_t at = isShared ? address - sharedBase : address, end = at + bytes;
  for (uint64_t word = at / 4 * 4; word < end; word += 4) {
    touch.bytes = 15;
    if (word < at)
      touch.bytes = uint8_t(touch.bytes << (at - word)) & 15;
    if (word + 4 > end)
      touch.bytes &= uint8_t(15 >> (word + 4 - end));
    if (!isShared && dependencies.areAny())
      dependencies.check(warp, word, touch);
    std::optional<Conflict> conflict =
        isShared ? cell.block->shadow->touch(word / 4, touch, races.clocks)
                 : races.grid.writer.touch(word, touch, use.isBlockScope,
                                           races.clocks);
    if (!conflict)
      continue;
    bool isSameInstruction = conflict->cluster == races.clocks.cluster() &&
                             conflict->warp == warp.numberInCluster &&
                             conflict->pc == touch.pc && conflict->wrote;
    if (isSameInstruction && use.value &&
        std::memcmp(use.value, cell.bytes, bytes) == 0)
      continue;
    throw race(warp, *conflict, use.writes, isShared, lane,
               isShared ? placeInShared(warp.block, address)
                        : warp.block.grid.memory.describe(address));
  }
}

/// The block whose shared memory an address is in. Throws Fault if the cluster
/// has none of that rank, or if it may not have begun, or has exited.
static Block &blockAt(Warp &warp, uint64_t address, unsigned lane) {
  Block &block = warp.block;
  uint64_t rank = address >> rankShift;
  // Addresses far outside are said to be so by whoever asks.
  if (rank == 0 || rank > 16)
    return block;
  --rank;
  const Cluster &cluster = block.cluster;
  if (rank >= cluster.blocks.size())
    throw Fault(FaultKind::IllegalAddress,
                "shared memory of block " + std::to_string(rank) +
                    " of a cluster of " + std::to_string(cluster.blocks.size()),
                int(lane));
  Block &owner = *cluster.blocks[rank];
  if (cluster.races &&
      !cluster.races->clocks.knowsBegun(warp.numberInCluster, uint32_t(rank)))
    throw Fault(FaultKind::LaunchFailure,
                "shared memory of another block of the cluster, which may not "
                "have begun",
                int(lane))
        .with("missing: barrier.cluster before the first access");
  if (&owner != &block && owner.hasExited())
    throw Fault(FaultKind::LaunchFailure,
                "shared memory of another block of the cluster, which has "
                "exited",
                int(lane))
        .with("missing: barrier.cluster before the block exits");
  return owner;
}

/// Whether an access has bytes of no variable.
static bool isBetweenVariables(const uint8_t *defined, unsigned bytes) {
  // No gap is smaller than what one instruction of a thread accesses.
  if (bytes <= 16)
    return bytes &&
           (defined[0] == isOutside || defined[bytes - 1] == isOutside);
  return std::memchr(defined, isOutside, bytes);
}

Cell locate(Warp &warp, Space space, uint64_t address, unsigned bytes,
            unsigned lane, Use use) {
  // Windows are aligned: the place in one is as good as the address.
  if (address % bytes)
    throw misaligned(resolve(space, address), address, bytes, lane, use);
  return locatePart(warp, space, address, bytes, lane, use);
}

Cell locatePart(Warp &warp, Space space, uint64_t address, unsigned bytes,
                unsigned lane, Use use) {
  space = resolve(space, address);
  bool isReadOnly = space == Space::Parameter || space == Space::Constant;
  if (use.writes && isReadOnly)
    throw Fault(FaultKind::InvalidAddressSpace,
                std::string("a write in ") + nameOf(space) +
                    " memory, which is read only",
                int(lane));
  Block &block = warp.block;
  auto isInside = [&](uint64_t offset, uint64_t size) {
    return offset < size && bytes <= size - offset;
  };
  switch (space) {
  case Space::Shared: {
    Block &owner = blockAt(warp, address, lane);
    uint64_t local = address & ((uint64_t(1) << rankShift) - 1);
    uint64_t offset = local - sharedBase;
    if (address >> rankShift > 16 || !isInside(offset, owner.shared.size()))
      outOfBounds(space, bytes, lane, use, placeInShared(owner, address));
    uint8_t *defined = &owner.sharedDefined[offset];
    const Kernel &kernel = block.grid.kernel;
    if (kernel.dynamicBegin > kernel.staticShared &&
        isBetweenVariables(defined, bytes))
      outOfBounds(space, bytes, lane, use, placeInShared(owner, address));
    bool hasMarks = owner.hasAsyncCopies || owner.mbarriers.areAny();
    if (use.writes && hasMarks && !use.isOfBarrier)
      for (unsigned i = 0; i < bytes; ++i)
        if (defined[i] >= inFlight)
          touchesMarked(defined[i], use, bytes, lane);
    Cell cell = {&owner.shared[offset], defined, space, &owner};
    if (use.writes && !owner.readers.empty())
      forPieces(cell, bytes, 16, [&](uint64_t i) {
        if (owner.readers[i])
          overwritesSource(warp, owner, use, bytes, lane);
      });
    if (owner.shadow)
      order(warp, cell, local, bytes, lane, use);
    return cell;
  }
  case Space::Local: {
    Warp::Local &local = warp.local(lane);
    uint64_t offset = address - localBase;
    if (!isInside(offset, local.bytes.size()) ||
        isBetweenVariables(&local.defined[offset], bytes))
      outOfBounds(space, bytes, lane, use,
                  hexadecimal(address) + ": local memory is " +
                      hexadecimal(localBase) + " to " +
                      hexadecimal(localBase + local.bytes.size()));
    return {&local.bytes[offset], &local.defined[offset], space, nullptr};
  }
  case Space::Parameter: {
    const std::vector<uint8_t> &parameters = block.grid.parameters;
    if (!isInside(address, parameters.size()))
      outOfBounds(space, bytes, lane, use,
                  hexadecimal(address) + ": parameters are " +
                      std::to_string(parameters.size()) + " bytes");
    // Nothing writes there, as was checked.
    return {const_cast<uint8_t *>(&parameters[address]), nullptr, space,
            nullptr};
  }
  default:
    break;
  }
  uint64_t generic =
      space == Space::Constant ? address + windows::constant : address;
  Allocation *found = warp.lastAllocation;
  if (!found || found->isFreed ||
      !isInside(generic - found->base, found->size)) {
    found = block.grid.memory.find(generic, bytes);
    if (!found)
      outOfBounds(space, bytes, lane, use, block.grid.memory.describe(generic));
    bool isConstant =
        found->base / windows::size == windows::constant / windows::size;
    if (isConstant != (space == Space::Constant))
      throw Fault(
          FaultKind::InvalidAddressSpace,
          std::string("an address of another space is used as one of ") +
              nameOf(space) + " memory",
          int(lane))
          .with(block.grid.memory.describe(generic));
    warp.lastAllocation = found;
  }
  uint64_t offset = generic - found->base;
  Cell cell = {found->data + offset,
               found->defined ? found->defined + offset : nullptr, space,
               nullptr};
  if (block.cluster.races && space == Space::Global)
    order(warp, cell, generic, bytes, lane, use);
  return cell;
}

void checkDefined(Warp &warp, const Cell &cell, uint64_t address,
                  unsigned bytes, unsigned lane) {
  if (!cell.defined)
    return;
  const Grid &grid = warp.block.grid;
  for (unsigned i = 0; i < bytes; ++i) {
    if (cell.defined[i] >= inFlight)
      touchesMarked(cell.defined[i], reading, bytes, lane);
    if (cell.defined[i] != neverWritten || !grid.options.checksDefined)
      continue;
    Fault fault =
        Fault(FaultKind::LaunchFailure,
              "uninitialised: " + access(reading, bytes) +
                  " of which nobody wrote byte " + std::to_string(i),
              int(lane))
            .with(cell.space == Space::Shared
                      ? placeInShared(warp.block, address % windows::size)
                  : cell.space == Space::Global
                      ? warp.block.grid.memory.describe(address)
                      : hexadecimal(address));
    if (!grid.options.warn)
      throw fault;
    grid.warn(fault);
    std::replace(cell.defined, cell.defined + bytes, uint8_t(neverWritten),
                 uint8_t(written));
    return;
  }
}

} // namespace ptx
