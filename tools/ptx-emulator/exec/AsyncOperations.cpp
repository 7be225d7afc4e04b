//===- AsyncOperations.cpp - what goes on beside the threads --------------===//
#include "tools/ptx-emulator/exec/AsyncOperations.h"

namespace ptx {

/// Of random ones each completes with this chance in every round.
static constexpr unsigned oneIn = 4;

bool AsyncOperations::movesNow() {
  return mode == Asynchrony::Early ||
         (mode == Asynchrony::Random && random() % 2);
}

void AsyncOperations::add(std::function<void()> complete) {
  if (mode == Asynchrony::Early)
    complete();
  else
    pending.push_back(std::move(complete));
}

void AsyncOperations::complete(size_t i) {
  std::function<void()> each = std::move(pending[i]);
  pending.erase(pending.begin() + std::ptrdiff_t(i));
  each();
}

void AsyncOperations::proceed() {
  if (mode != Asynchrony::Random)
    return;
  for (size_t i = 0; i < pending.size();) {
    if (random() % oneIn == 0)
      complete(i);
    else
      ++i;
  }
}

bool AsyncOperations::completeOne() {
  if (pending.empty())
    return false;
  complete(mode == Asynchrony::Random ? random() % pending.size() : 0);
  return true;
}

} // namespace ptx
