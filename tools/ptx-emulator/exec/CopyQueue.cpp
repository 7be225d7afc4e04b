//===- CopyQueue.cpp - cp.async of one thread -----------------------------===//
#include "tools/ptx-emulator/exec/CopyQueue.h"

namespace ptx {

static void move(AsyncCopy &copy) {
  copy.hasMoved = true;
  std::memset(copy.to.bytes, 0, copy.bytes);
  if (copy.read)
    std::memcpy(copy.to.bytes, copy.from.bytes, copy.read);
}

void CopyQueue::add(AsyncCopy copy, bool movesNow) {
  if (movesNow)
    move(copy);
  std::memset(copy.to.defined, inFlight, copy.bytes);
  copies.add(copy);
}

void CopyQueue::wait(size_t pending,
                     const std::function<void(const AsyncCopy &)> &completed) {
  copies.complete(pending, [&](AsyncCopy &copy) {
    if (!copy.hasMoved)
      move(copy);
    // Bytes that nobody wrote are copied as such.
    std::memset(copy.to.defined, written, copy.bytes);
    if (copy.read && copy.from.defined)
      std::memcpy(copy.to.defined, copy.from.defined, copy.read);
    completed(copy);
  });
}

} // namespace ptx
