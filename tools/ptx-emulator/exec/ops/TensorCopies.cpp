//===- TensorCopies.cpp - boxes of tensors --------------------------------===//
//
// Element (b0, b1, ...) of a box is element (c0 + b0, c1 + b1 s1, ...) of the
// tensor, dimension 0 the innermost one. In shared memory rows of a box follow
// each other, their pieces of 16 bytes swizzled. PTX ISA, cp.async.bulk.tensor.
//
//===----------------------------------------------------------------------===//
#include "tools/ptx-emulator/exec/ops/BulkCopies.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/mem/Swizzle.h"
#include "tools/ptx-emulator/mem/TensorMap.h"

namespace ptx {

/// Of the setting (BulkCopies.h): dimensions.
static constexpr unsigned tensorRankShift = 24;

/// 16 bytes of a box: where in shared memory, and which of them are elements of
/// the tensor, from which address on.
struct BoxPiece {
  uint64_t shared, global;
  uint32_t first, count; // bytes; count 0: none
};

static TensorMap mapAt(Warp &warp, const AddressRef &ref, unsigned lane) {
  uint64_t address = warp.address(ref, lane);
  if (address % 64)
    throw Fault(FaultKind::MisalignedAddress,
                "a tensor map that is not aligned to 64 bytes", int(lane));
  Cell cell = locatePart(warp, Space::Generic, address, sizeof(TensorMap), lane,
                         reading);
  if (cell.block || cell.space == Space::Local)
    throw Fault(FaultKind::InvalidAddressSpace,
                "a tensor map is in parameters, constant or global memory",
                int(lane));
  TensorMap map;
  std::memcpy(&map, cell.bytes, sizeof map);
  if (!map.isIntact())
    throw Fault(FaultKind::IllegalInstruction,
                "these bytes are no tensor map of cuTensorMapEncodeTiled",
                int(lane));
  return map;
}

/// All pieces of the box of a map at coordinates, the first at `shared`.
static std::vector<BoxPiece> piecesOf(const TensorMap &map,
                                      const int32_t *coordinates,
                                      uint64_t shared, unsigned lane) {
  unsigned width = tensorElementBytes(map.type);
  unsigned span = swizzleSpan(map.swizzle), row = map.box[0] * width;
  if (span && row != span)
    throw Fault(FaultKind::IllegalInstruction,
                "a box whose rows of " + std::to_string(row) +
                    " bytes are not as wide as the swizzle's " +
                    std::to_string(span) + ", which is not known",
                int(lane));
  if (shared % 128)
    throw Fault(FaultKind::MisalignedAddress,
                "a box in shared memory that is not aligned to 128 bytes",
                int(lane));
  uint64_t rows = 1;
  for (unsigned i = 1; i < map.rank; ++i)
    rows *= map.box[i];
  std::vector<BoxPiece> pieces;
  for (uint64_t number = 0; number < rows; ++number) {
    uint64_t address = map.base, rest = number;
    bool isInside = true;
    for (unsigned i = 1; i < map.rank; ++i) {
      int64_t at =
          coordinates[i] + int64_t(rest % map.box[i]) * map.elementStrides[i];
      rest /= map.box[i];
      isInside &= at >= 0 && uint64_t(at) < map.sizes[i];
      address += uint64_t(at) * map.strides[i - 1];
    }
    for (unsigned byte = 0; byte < row; byte += 16) {
      BoxPiece piece = {swizzled(shared + number * row + byte, span), 0, 0, 0};
      // Elements of the piece that are within the innermost dimension.
      int64_t first = coordinates[0] + int64_t(byte / width);
      int64_t end = first + 16 / width;
      int64_t from = std::max<int64_t>(first, 0);
      int64_t to = std::min<int64_t>(end, int64_t(map.sizes[0]));
      if (isInside && from < to) {
        piece.first = uint32_t(from - first) * width;
        piece.count = uint32_t(to - from) * width;
        piece.global = address + uint64_t(from) * width;
      }
      pieces.push_back(piece);
    }
  }
  return pieces;
}

static void readCoordinates(Warp &warp, const Step &step, unsigned lane,
                            const TensorMap &map, int32_t *to) {
  const Step::Vector &vector = step.coordinates;
  if (vector.count != map.rank || step.setting >> tensorRankShift != map.rank)
    throw Fault(FaultKind::IllegalInstruction,
                "a tensor map of rank " + std::to_string(map.rank) + " with " +
                    std::to_string(vector.count) + " coordinates",
                int(lane));
  for (uint32_t i = 0; i < vector.count; ++i)
    to[i] = get<int32_t>(warp.source(warp.kernel.refs[vector.first + i]), lane);
}

/// What elements outside of the tensor are: zeros, or NaNs, of which all types
/// have one whose halves are the same.
static uint16_t fillOf(const TensorMap &map) {
  return map.fillsWithNaN ? 0x7fff : 0;
}

/// Types of CUtensorMapDataType.
static Type elementTypeOf(unsigned type) {
  constexpr Type types[] = {Type::u8,  Type::u16,  Type::u32, Type::s32,
                            Type::u64, Type::s64,  Type::f16, Type::f32,
                            Type::f64, Type::bf16, Type::f32, Type::f32,
                            Type::f32};
  return types[type];
}

static void load(Warp &warp, const Step &step) {
  forLanes(warp.active, [&](unsigned lane) {
    const AddressRef &ref = step.addresses[0];
    uint64_t target = warp.address(ref, lane);
    TensorMap map = mapAt(warp, step.addresses[1], lane);
    int32_t coordinates[mostTensorRank] = {};
    readCoordinates(warp, step, lane, map, coordinates);
    uint64_t own = target & ((uint64_t(1) << rankShift) - 1);
    std::vector<BoxPiece> pieces = piecesOf(map, coordinates, own, lane);
    BytesAt barrier =
        barrierFor(warp, step.addresses[2], lane, int64_t(pieces.size()) * 16);
    BulkTransfer transfer = transferOf(warp, step, lane);
    transfer.fill = fillOf(map);
    Use reads = asyncUse(warp, false, barrier.barrier);
    std::vector<Cell> origins;
    for (const BoxPiece &each : pieces)
      origins.push_back(each.count
                            ? locatePart(warp, Space::Global, each.global,
                                         each.count, lane, reads)
                            : Cell());
    std::vector<BytesAt> completes;
    for (uint32_t rank : receivers(warp, step, lane, target, 3)) {
      for (size_t i = 0; i < pieces.size(); ++i) {
        Cell cell = locatePart(warp, Space::Shared,
                               clusterAddress(rank, pieces[i].shared), 16, lane,
                               asyncUse(warp, true, barrier.barrier));
        transfer.pieces.push_back(
            {cell, origins[i], 16, pieces[i].first, pieces[i].count});
      }
      BytesAt each = barrier;
      Block *receiver = warp.block.cluster.blocks[rank].get();
      if (step.setting & isMulticast)
        each.block = receiver;
      if (each.block != receiver)
        throw Fault(FaultKind::InvalidAddressSpace,
                    "a bulk copy into another block than its mbarrier's",
                    int(lane));
      completes.push_back(each);
    }
    beginTransfer(warp, std::move(transfer), std::move(completes));
  });
}

static void store(Warp &warp, const Step &step) {
  forLanes(warp.active, [&](unsigned lane) {
    const AddressRef &ref = step.addresses[1];
    uint64_t source = warp.address(ref, lane);
    TensorMap map = mapAt(warp, step.addresses[0], lane);
    int32_t coordinates[mostTensorRank] = {};
    readCoordinates(warp, step, lane, map, coordinates);
    BulkTransfer transfer = transferOf(warp, step, lane);
    transfer.type = elementTypeOf(map.type);
    for (const BoxPiece &each : piecesOf(map, coordinates, source, lane)) {
      // What is outside of the tensor is left out.
      if (!each.count)
        continue;
      Use writes = asyncUseOfWarp(warp, true);
      writes.isStrong = transfer.operation != Combination::Copy;
      Cell origin = locatePart(warp, Space::Shared, each.shared + each.first,
                               each.count, lane, asyncUseOfWarp(warp, false));
      Cell cell = locatePart(warp, Space::Global, each.global, each.count, lane,
                             writes);
      transfer.pieces.push_back({cell, origin, each.count, 0, each.count});
    }
    warp.bulk(lane).add(std::move(transfer),
                        warp.block.cluster.operations.movesNow());
  });
}

Selection tensorSelection(const Modifiers &m) {
  if (m.has("prefetch"))
    return Selection{[](Warp &, const Step &) {}, {Type::b64}}.withSpaces(
        {Space::Generic});
  unsigned rank = 0;
  for (const char *each : {"1d", "2d", "3d", "4d", "5d"})
    if (m.has(each))
      rank = unsigned(each[0] - '0');
  if (m.has("bulk_group"))
    return Selection{&store, {Type::b64}}
        .withSetting(combinationSetting(m) | rank << tensorRankShift)
        .withSpaces({Space::Generic, Space::Shared});
  std::vector<Type> types = {Type::b64};
  if (m.has("multicast::cluster"))
    types.insert(types.begin(), Type::b16);
  return Selection{&load, types}
      .withSetting(combinationSetting(m) | rank << tensorRankShift)
      .withSpaces({Space::Shared, Space::Generic, Space::Shared});
}

} // namespace ptx
