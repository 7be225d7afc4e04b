//===- CopyQueue.h - cp.async of one thread -------------------*- C++ -*-===//
//
// Copies join the open group; a commit closes it; a wait completes all but the
// most recent groups. When bytes move in between is not specified: at once, as
// late as they can, or by chance. Until the wait the destination is in flight
// and nobody may touch it.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_COPYQUEUE_H
#define TOOLS_PTX_EMULATOR_EXEC_COPYQUEUE_H

#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/Groups.h"

#include <functional>

namespace ptx {

/// 4, 8 or 16 bytes, of which `read` come from the source and the others are
/// zero.
struct AsyncCopy {
  Cell to, from;
  uint8_t bytes = 0, read = 0;
  bool hasMoved = false;
  uint32_t pc = 0; // that made it
};

class CopyQueue {
public:
  /// `movesNow`: the bytes move at once.
  void add(AsyncCopy copy, bool movesNow);
  void commit() { copies.commit(); }
  /// Completes groups until at most `pending` of them are left; tells of each
  /// copy.
  void wait(size_t pending,
            const std::function<void(const AsyncCopy &)> &completed);

private:
  Groups<AsyncCopy> copies;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_COPYQUEUE_H
