//===- BulkCopies.cpp - cp.async.bulk, st.async, red.async ----------------===//
#include "tools/ptx-emulator/exec/ops/BulkCopies.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/exec/ops/Mbarriers.h"

namespace ptx {

uint32_t combinationSetting(const Modifiers &m) {
  constexpr std::pair<std::string_view, Combination> known[] = {
      {"add", Combination::Add}, {"min", Combination::Min},
      {"max", Combination::Max}, {"inc", Combination::Inc},
      {"dec", Combination::Dec}, {"and", Combination::And},
      {"or", Combination::Or},   {"xor", Combination::Xor}};
  uint32_t result = 0;
  for (auto [name, combination] : known)
    if (m.has(name))
      result = uint32_t(combination);
  std::vector<Type> types = m.types();
  return result | uint32_t(types.empty() ? Type::b8 : types.back()) << 8 |
         (m.has("multicast::cluster") ? isMulticast : 0);
}

BulkTransfer transferOf(Warp &warp, const Step &step, unsigned lane) {
  BulkTransfer transfer;
  transfer.operation = Combination(step.setting & combinationBits);
  transfer.type = Type(step.setting >> 8 & 255);
  transfer.pc = warp.currentPc();
  transfer.warp = warp.numberInCluster;
  transfer.lane = lane;
  return transfer;
}

BytesAt barrierFor(Warp &warp, const AddressRef &ref, unsigned lane,
                   int64_t bytes) {
  uint64_t address = warp.address(ref, lane);
  Located at = barrierAt(warp, ref, address, lane);
  if (!at.barrier->isKnownToAsync)
    throw Fault(FaultKind::LaunchFailure,
                "an asynchronous copy completes at an mbarrier that was not "
                "made known to it",
                int(lane))
        .with("missing: fence.mbarrier_init or fence.proxy.async behind "
              "mbarrier.init");
  return {at.block, at.barrier->offset, bytes};
}

std::vector<uint32_t> receivers(Warp &warp, const Step &step, unsigned lane,
                                uint64_t address, unsigned maskOperand) {
  std::vector<uint32_t> ranks;
  if (!(step.setting & isMulticast)) {
    uint64_t rank = address >> rankShift;
    ranks.push_back(rank ? uint32_t(rank - 1) : warp.block.rank);
    return ranks;
  }
  uint32_t mask = warp.source(step.operands[maskOperand])[0][lane] & 0xffff;
  size_t blocks = warp.block.cluster.blocks.size();
  for (uint32_t rank = 0; rank < 16; ++rank) {
    if (!(mask >> rank & 1))
      continue;
    if (rank >= blocks)
      throw Fault(FaultKind::IllegalInstruction,
                  "a multicast to block " + std::to_string(rank) +
                      " of a cluster of " + std::to_string(blocks),
                  int(lane));
    ranks.push_back(rank);
  }
  return ranks;
}

static void checkAlignment(uint64_t value, const char *what, unsigned lane) {
  if (value % 16)
    throw Fault(FaultKind::MisalignedAddress,
                std::string("a bulk copy: ") + what + " " +
                    std::to_string(value) + " is no multiple of 16",
                int(lane));
}

/// Into shared memory, of this block or others, with an mbarrier.
static void copyIn(Warp &warp, const Step &step) {
  const AddressRef &to = step.addresses[0], &from = step.addresses[1];
  const Row *sizes = warp.source(step.operands[2]);
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t target = warp.address(to, lane);
    uint64_t source = warp.address(from, lane);
    uint32_t size = sizes[0][lane];
    checkAlignment(target, "the destination", lane);
    checkAlignment(source, "the source", lane);
    checkAlignment(size, "the size", lane);
    if (size == 0)
      return;
    BytesAt barrier = barrierFor(warp, step.addresses[2], lane, size);
    BulkTransfer transfer = transferOf(warp, step, lane);
    Cell origin = locatePart(warp, from.space, source, size, lane,
                             asyncUse(warp, false, barrier.barrier));
    std::vector<BytesAt> completes;
    for (uint32_t rank : receivers(warp, step, lane, target, 4)) {
      Cell cell = locatePart(warp, to.space, clusterAddress(rank, target), size,
                             lane, asyncUse(warp, true, barrier.barrier));
      transfer.pieces.push_back({cell, origin, size, 0, size});
      BytesAt each = barrier;
      // Of a multicast each block has the bytes at the same place, and its
      // mbarrier, too.
      if (step.setting & isMulticast)
        each.block = warp.block.cluster.blocks[rank].get();
      if (cell.block != each.block)
        throw Fault(FaultKind::InvalidAddressSpace,
                    "a bulk copy into another block than its mbarrier's",
                    int(lane));
      completes.push_back(each);
    }
    beginTransfer(warp, std::move(transfer), std::move(completes));
  });
}

/// Out of shared memory, in a group of the thread.
static void copyOut(Warp &warp, const Step &step) {
  const AddressRef &to = step.addresses[0], &from = step.addresses[1];
  const Row *sizes = warp.source(step.operands[2]);
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t target = warp.address(to, lane);
    uint64_t source = warp.address(from, lane);
    uint32_t size = sizes[0][lane];
    checkAlignment(target, "the destination", lane);
    checkAlignment(source, "the source", lane);
    checkAlignment(size, "the size", lane);
    BulkTransfer transfer = transferOf(warp, step, lane);
    if (size) {
      Use writes = asyncUseOfWarp(warp, true);
      writes.isStrong = transfer.operation != Combination::Copy;
      Cell origin = locatePart(warp, from.space, source, size, lane,
                               asyncUseOfWarp(warp, false));
      Cell cell = locatePart(warp, to.space, target, size, lane, writes);
      transfer.pieces.push_back({cell, origin, size, 0, size});
    }
    warp.bulk(lane).add(std::move(transfer),
                        warp.block.cluster.operations.movesNow());
  });
}

/// st.async and red.async: values of registers into shared memory of a block.
static void storeAsync(Warp &warp, const Step &step) {
  const AddressRef &to = step.addresses[0];
  const Step::Vector &values = step.vectors[1];
  unsigned width = step.bytes;
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t target = warp.address(to, lane);
    uint32_t size = width * values.count;
    BytesAt barrier = barrierFor(warp, step.addresses[1], lane, size);
    Cell cell = locate(warp, to.space, target, size, lane,
                       asyncUse(warp, true, barrier.barrier));
    BulkTransfer transfer = transferOf(warp, step, lane);
    transfer.pieces.push_back({cell, {}, size, 0, 0});
    // What the registers hold is the fill of nothing else.
    std::vector<uint8_t> bytes(size);
    for (uint32_t i = 0; i < values.count; ++i) {
      const Row *rows = warp.source(warp.kernel.refs[values.first + i]);
      uint64_t value =
          width == 8 ? get<uint64_t>(rows, lane) : get<uint32_t>(rows, lane);
      std::memcpy(&bytes[i * width], &value, width);
    }
    transfer.immediate = std::move(bytes);
    beginTransfer(warp, std::move(transfer), {barrier});
  });
}

Selection asyncStoreSelection(const Modifiers &m) {
  Selection selection = {&storeAsync, {m.type()}};
  return std::move(selection)
      .withBytes(bitsOf(m.type()) / 8)
      .withSetting(combinationSetting(m))
      .withCounts({m.vectorSize()});
}

Selection bulkSelection(const Modifiers &m) {
  if (m.has("commit_group"))
    return {[](Warp &warp, const Step &) {
              forLanes(warp.active,
                       [&](unsigned lane) { warp.bulk(lane).commit(); });
            },
            {Type::b32}};
  if (m.has("wait_group"))
    return Selection{[](Warp &warp, const Step &step) {
                       forLanes(warp.active, [&](unsigned lane) {
                         warp.bulk(lane).wait(warp, step.numbers[0],
                                              step.setting);
                       });
                     },
                     {Type::b32}}
        .withSetting(m.has("read"));
  if (m.has("prefetch"))
    return {[](Warp &, const Step &) {}, {Type::u32, Type::b64}};
  Handler handler = m.has("bulk_group") ? &copyOut : &copyIn;
  std::vector<Type> types = {Type::u32, Type::b64};
  if (m.has("multicast::cluster"))
    types.insert(types.begin() + 1, Type::b16);
  bool isFromShared = !m.has("global");
  return Selection{handler, types}
      .withSetting(combinationSetting(m))
      .withSpaces(
          m.has("bulk_group")
              ? std::vector{Space::Global, Space::Shared}
              : std::vector{Space::Shared,
                            isFromShared ? Space::Shared : Space::Global,
                            Space::Shared});
}

} // namespace ptx
