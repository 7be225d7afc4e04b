//===- AsyncOperations.h - what goes on beside the threads ----*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_ASYNCOPERATIONS_H
#define TOOLS_PTX_EMULATOR_EXEC_ASYNCOPERATIONS_H

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <random>

namespace ptx {

/// When the bytes of asynchronous copies move: as soon as they can, as late as
/// they can, or each by chance.
enum class Asynchrony : uint8_t { Early, Late, Random };

/// Operations of a cluster that complete by themselves, in no order.
class AsyncOperations {
public:
  AsyncOperations(Asynchrony mode, std::mt19937_64 &random)
      : mode(mode), random(random) {}

  /// Whether what a wait completes moves its bytes at once.
  bool movesNow();
  /// Completes it at once, or some time later.
  void add(std::function<void()> complete);
  /// Some time has passed.
  void proceed();
  /// Nothing else goes on: completes one. False: there is none.
  bool completeOne();

private:
  void complete(size_t i);

  Asynchrony mode;
  std::mt19937_64 &random;
  std::deque<std::function<void()>> pending;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_ASYNCOPERATIONS_H
