//===- Machine.h - what this machine can do at most -----------*- C++ -*-===//
//
// The two walls that a language model runs into: reading weights from memory,
// and multiplying. Measured in the same run as the model, because neighbours
// and clocks change.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_DS_BENCH_MACHINE_H
#define TOOLS_DS_BENCH_MACHINE_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bench {

/// How many places of its part each thread reads at once: which is fastest
/// depends on the memory and on its other users.
constexpr unsigned readStreams[] = {1, 2, 4, 8};

/// A buffer far larger than the caches, read by several threads.
class ReadBuffer {
public:
  /// Throws std::bad_alloc.
  ReadBuffer(size_t bytes, unsigned threads);
  ReadBuffer(const ReadBuffer &) = delete;
  ~ReadBuffer();
  /// Bytes a second of one pass over the buffer.
  double measure(unsigned streams);

private:
  size_t lines;
  unsigned threads;
  void *data;
};

/// The instruction whose peak counts: what the products of a model are made of.
enum class Instruction { Fma256, Fma512, Bf16Dot, Int8Dot };

const char *instructionName(Instruction instruction);
bool hasInstruction(Instruction instruction);
/// Multiply-adds a second on `threads` threads, all operands in registers.
double measurePeak(Instruction instruction, unsigned threads);

} // namespace bench

#endif // TOOLS_DS_BENCH_MACHINE_H
