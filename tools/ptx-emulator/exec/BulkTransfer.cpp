//===- BulkTransfer.cpp - bulk copies and what they complete --------------===//
#include "tools/ptx-emulator/exec/BulkTransfer.h"
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/num/Combination.h"
#include "tools/ptx-emulator/num/Single.h"

#include <algorithm>

namespace ptx {

//===-- Combining ---------------------------------------------------------===//

template <class T, class Apply>
static void forElements(std::span<uint8_t> to, const uint8_t *from,
                        Apply apply) {
  for (size_t i = 0; i + sizeof(T) <= to.size(); i += sizeof(T)) {
    T old, value;
    std::memcpy(&old, to.data() + i, sizeof(T));
    std::memcpy(&value, from + i, sizeof(T));
    value = apply(old, value);
    std::memcpy(to.data() + i, &value, sizeof(T));
  }
}

void combine(Combination operation, Type type, std::span<uint8_t> to,
             const uint8_t *from) {
  auto integers = [&](auto zero) {
    using T = decltype(zero);
    forElements<T>(to, from, [&](T old, T value) {
      return combined(operation, old, value);
    });
  };
  auto halves = [&](const Format &format) {
    forElements<uint16_t>(to, from, [&](uint16_t old, uint16_t value) {
      return uint16_t(narrow(
          format,
          combinedFloats(operation, widen(format, old), widen(format, value)),
          Rounding::Nearest));
    });
  };
  switch (type) {
  case Type::f16:
    return halves(formats::f16);
  case Type::bf16:
    return halves(formats::bf16);
  case Type::f32:
    // Sums flush subnormal numbers (PTX ISA, cp.reduce.async.bulk).
    return forElements<float>(to, from, [&](float old, float value) {
      return canonical(flushed(
          float(combinedFloats(operation, flushed(old), flushed(value)))));
    });
  case Type::f64:
    return forElements<double>(to, from, [&](double old, double value) {
      return combinedFloats(operation, old, value);
    });
  case Type::s32:
    return integers(int32_t(0));
  case Type::s64:
    return integers(int64_t(0));
  case Type::b64:
  case Type::u64:
    return integers(uint64_t(0));
  default:
    return integers(uint32_t(0));
  }
}

//===-- Transfers ---------------------------------------------------------===//

void BulkTransfer::read() {
  if (!immediate.empty()) {
    bytes = immediate;
    defined.assign(bytes.size(), written);
    return;
  }
  for (const Piece &each : pieces) {
    size_t at = bytes.size();
    bytes.resize(at + each.bytes);
    defined.resize(at + each.bytes, written);
    for (uint32_t i = 0; i < each.bytes; ++i)
      bytes[at + i] = uint8_t(fill >> 8 * (i % 2));
    if (!each.count)
      continue;
    std::memcpy(&bytes[at + each.first], each.from.bytes, each.count);
    if (each.from.defined)
      std::memcpy(&defined[at + each.first], each.from.defined, each.count);
  }
}

void BulkTransfer::write() {
  size_t at = 0;
  for (const Piece &each : pieces) {
    if (operation == Combination::Copy)
      std::memcpy(each.to.bytes, &bytes[at], each.bytes);
    else
      combine(operation, type, {each.to.bytes, each.bytes}, &bytes[at]);
    if (each.to.defined)
      std::memcpy(each.to.defined, &defined[at], each.bytes);
    at += each.bytes;
  }
}

void beginTransfer(Warp &warp, BulkTransfer transfer,
                   std::vector<BytesAt> completes) {
  for (const Piece &each : transfer.pieces) {
    each.to.block->hasAsyncCopies = true;
    std::memset(each.to.defined, inFlight, each.bytes);
  }
  Cluster &cluster = warp.block.cluster;
  cluster.operations.add([&cluster, transfer = std::move(transfer),
                          completes = std::move(completes)]() mutable {
    transfer.read();
    transfer.write();
    ClusterRaces *races = cluster.races.get();
    for (const BytesAt &each : completes) {
      Mbarrier *barrier = each.block->mbarriers.find(each.barrier);
      if (!barrier)
        throw Fault(FaultKind::LaunchFailure,
                    "an asynchronous copy completes at an mbarrier that was "
                    "made invalid");
      if (races) {
        ThreadNumber engine = races->clocks.engineFor(each.barrier);
        Touch touch = {.warp = transfer.warp,
                       .lane = transfer.lane,
                       .pc = transfer.pc,
                       .writes = true,
                       .isAsync = true,
                       .engine = engine};
        for (const Piece &piece : transfer.pieces)
          if (piece.to.block == each.block)
            rewriteWords(piece.to, piece.bytes, touch, races->clocks);
        races->clocks.engineReleases(engine, barrier->coming);
      }
      each.block->mbarriers.expectBytes(*barrier, -each.bytes);
    }
  });
}

//===-- Groups ------------------------------------------------------------===//

void BulkQueue::add(BulkTransfer transfer, bool movesNow) {
  for (const Piece &each : transfer.pieces)
    beginReading(each.from, each.count, transfer.pc);
  Entry entry = {std::move(transfer)};
  if (movesNow) {
    entry.transfer.read();
    entry.transfer.write();
    entry.hasRead = entry.hasWritten = true;
  }
  entries.add(std::move(entry));
}

void BulkQueue::finishReading(Warp &warp, Entry &entry) {
  if (entry.isKnownToHaveRead)
    return;
  BulkTransfer &transfer = entry.transfer;
  if (!entry.hasRead)
    transfer.read();
  entry.hasRead = entry.isKnownToHaveRead = true;
  ClusterRaces *races = warp.block.cluster.races.get();
  for (const Piece &each : transfer.pieces) {
    endReading(each.from, each.count);
    if (races)
      touchWords(each.from, each.count,
                 {.warp = transfer.warp,
                  .lane = transfer.lane,
                  .pc = transfer.pc,
                  .writes = false,
                  .isAsync = true,
                  .engine = races->clocks.engineOfWarp(transfer.warp)},
                 races->clocks);
  }
  if (races) {
    Clock clock;
    races->clocks.engineReleases(races->clocks.engineOfWarp(transfer.warp),
                                 clock);
    races->clocks.acquire(transfer.warp, uint32_t(1) << transfer.lane, clock);
  }
}

void BulkQueue::wait(Warp &warp, size_t pending, bool onlyReads) {
  entries.forOldest(pending, [&](Entry &entry) {
    finishReading(warp, entry);
    if (onlyReads || entry.hasWritten)
      return;
    entry.transfer.write();
    entry.hasWritten = true;
  });
  // Those that have only been read may be waited for again.
  ClusterRaces *races = warp.block.cluster.races.get();
  if (onlyReads)
    return;
  entries.complete(pending, [&](const Entry &entry) {
    if (!races)
      return;
    Clock clock;
    uint32_t of = entry.transfer.warp;
    races->clocks.engineReleases(races->clocks.writerOfWarp(of), clock);
    races->clocks.acquire(of, uint32_t(1) << entry.transfer.lane, clock);
  });
}

void BulkQueue::exit(unsigned lane) {
  for (Entry &each : entries) {
    if (!each.isKnownToHaveRead)
      throw Fault(FaultKind::LaunchFailure,
                  "a thread exits while its bulk copy may still read shared "
                  "memory",
                  int(lane))
          .with("missing: cp.async.bulk.wait_group");
    if (!each.hasWritten)
      each.transfer.write();
  }
  entries.clear();
}

} // namespace ptx
