//===- BulkTransfer.h - bulk copies and what they complete ----*- C++ -*-===//
//
// A transfer is pieces that are copied, or combined with what is there. Into
// shared memory it completes bytes of an mbarrier; out of it, it belongs to a
// group of the thread that made it.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_BULKTRANSFER_H
#define TOOLS_PTX_EMULATOR_EXEC_BULKTRANSFER_H

#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/Groups.h"
#include "tools/ptx-emulator/num/Combination.h"

#include <span>

namespace ptx {

/// Combines the elements of two stretches of bytes, of a type that has it.
void combine(Combination operation, Type type, std::span<uint8_t> to,
             const uint8_t *from);

struct Piece {
  Cell to, from; // from.bytes null: nothing is read
  uint32_t bytes = 0;
  /// Of `bytes` those that come from the source; the others are the fill.
  uint32_t first = 0, count = 0;
};

struct BulkTransfer {
  std::vector<Piece> pieces;
  Combination operation = Combination::Copy;
  Type type = Type::b8;
  uint16_t fill = 0;         // of two bytes
  uint32_t pc = 0, warp = 0; // of the cluster, who made it
  unsigned lane = 0;
  /// Values of registers, instead of a source in memory.
  std::vector<uint8_t> immediate;
  /// What was read, with its Definedness, until it is written.
  std::vector<uint8_t> bytes, defined;

  void read();
  void write();
};

/// Bytes that complete at an mbarrier: of a block, at an offset.
struct BytesAt {
  Block *block;
  uint64_t barrier;
  int64_t bytes;
};

/// Begins a transfer into shared memory. Its destinations are in flight until
/// it completes, some time later.
void beginTransfer(Warp &warp, BulkTransfer transfer,
                   std::vector<BytesAt> completes);

/// Transfers out of shared memory of one thread.
class BulkQueue {
public:
  void add(BulkTransfer transfer, bool movesNow);
  void commit() { entries.commit(); }
  /// Until at most `pending` groups are left, others have read their sources,
  /// and have written, unless `onlyReads`.
  void wait(Warp &warp, size_t pending, bool onlyReads);
  /// Throws Fault if one may still read: the memory is gone with its block.
  void exit(unsigned lane);

private:
  struct Entry {
    BulkTransfer transfer;
    bool hasRead = false, hasWritten = false, isKnownToHaveRead = false;
  };
  void finishReading(Warp &warp, Entry &entry);

  Groups<Entry> entries;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_BULKTRANSFER_H
