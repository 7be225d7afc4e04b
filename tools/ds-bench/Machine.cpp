//===- Machine.cpp - what this machine can do at most ---------------------===//
#include "tools/ds-bench/Machine.h"

#include <barrier>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <immintrin.h>
#include <new>
#include <numeric>
#include <sys/mman.h>
#include <thread>

namespace bench {

namespace {

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Runs work(i) on `threads` threads and returns the seconds from when all have
/// started until all are done.
double inParallel(unsigned threads, const std::function<void(unsigned)> &work) {
  std::barrier together(threads);
  auto run = [&](unsigned i) {
    together.arrive_and_wait();
    work(i);
    together.arrive_and_wait();
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i)
    others.emplace_back(run, i);
  together.arrive_and_wait();
  double start = now();
  work(0);
  together.arrive_and_wait();
  double seconds = now() - start;
  for (std::thread &other : others)
    other.join();
  return seconds;
}

/// Keeps a value alive, so that what made it is not left out.
template <typename T> void keep(const T &value) {
  asm volatile("" : : "m"(value) : "memory");
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// A cache line; where registers are narrower the compiler splits it.
typedef uint64_t Line __attribute__((vector_size(64)));

/// Reads `lines` as `streams` sequences side by side, four lines of each in
/// turn.
[[gnu::always_inline]] inline void readLines(const Line *data, size_t lines,
                                             size_t streams) {
  size_t length = lines / streams;
  Line sums[4] = {};
  for (size_t at = 0; at + 4 <= length; at += 4)
    for (size_t stream = 0; stream < streams; ++stream) {
      const Line *next = data + stream * length + at;
      for (size_t i = 0; i < 4; ++i)
        sums[i] ^= next[i];
    }
  keep(sums);
}

[[gnu::target("avx512f")]] void readWide(const Line *data, size_t lines,
                                         size_t streams) {
  readLines(data, lines, streams);
}

[[gnu::target("avx2")]] void readNarrow(const Line *data, size_t lines,
                                        size_t streams) {
  readLines(data, lines, streams);
}

//===----------------------------------------------------------------------===//
// Multiplying. Independent accumulators hide the latency of the instruction:
// twelve are enough for two units of latency five. The operands are opaque to
// the compiler, which would otherwise compute the sums in advance.
//===----------------------------------------------------------------------===//

constexpr int accumulators = 12;
constexpr int64_t repeats = 1 << 17;

#define DS_PEAK_LOOP(Vector, zero, operation)                                  \
  Vector sums[accumulators];                                                   \
  for (Vector &sum : sums)                                                     \
    sum = zero;                                                                \
  for (int64_t i = 0; i < repeats; ++i) {                                      \
    asm volatile("" : "+v"(x), "+v"(y));                                       \
    for (Vector &sum : sums)                                                   \
      sum = operation;                                                         \
  }                                                                            \
  keep(sums)

__attribute__((target("avx2,fma"))) void peakFma256() {
  __m256 x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(0.25f);
  DS_PEAK_LOOP(__m256, _mm256_setzero_ps(), _mm256_fmadd_ps(x, y, sum));
}

__attribute__((target("avx512f"))) void peakFma512() {
  __m512 x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(0.25f);
  DS_PEAK_LOOP(__m512, _mm512_setzero_ps(), _mm512_fmadd_ps(x, y, sum));
}

__attribute__((target("avx512f,avx512bf16"))) void peakBf16Dot() {
  __m512i ones = _mm512_set1_epi16(0x3f80);
  __m512bh x = reinterpret_cast<__m512bh>(ones), y = x;
  DS_PEAK_LOOP(__m512, _mm512_setzero_ps(), _mm512_dpbf16_ps(sum, x, y));
}

__attribute__((target("avx512f,avx512vnni"))) void peakInt8Dot() {
  __m512i x = _mm512_set1_epi8(1), y = x;
  DS_PEAK_LOOP(__m512i, _mm512_setzero_si512(), _mm512_dpbusd_epi32(sum, x, y));
}
#undef DS_PEAK_LOOP

struct PeakLoop {
  const char *name;
  void (*run)();
  int multiplyAdds; // of one instruction
};

const PeakLoop &loopOf(Instruction instruction) {
  static const PeakLoop loops[] = {{"vfmadd (256 bits)", peakFma256, 8},
                                   {"vfmadd (512 bits)", peakFma512, 16},
                                   {"vdpbf16ps", peakBf16Dot, 32},
                                   {"vpdpbusd", peakInt8Dot, 64}};
  return loops[static_cast<size_t>(instruction)];
}

} // namespace

ReadBuffer::ReadBuffer(size_t bytes, unsigned threads)
    : lines(bytes / sizeof(Line)), threads(threads) {
  constexpr size_t hugePage = size_t(2) << 20;
  bytes = (bytes + hugePage - 1) / hugePage * hugePage;
  data = std::aligned_alloc(hugePage, bytes);
  if (!data)
    throw std::bad_alloc();
  // Fewer pages, fewer misses of the TLB; without them it is a slower read.
  madvise(data, bytes, MADV_HUGEPAGE);
  // Pages exist only once they are written to, near the thread that does it; no
  // two are alike, or a virtual machine might keep one for all.
  inParallel(threads, [&](unsigned i) {
    uint64_t *words = static_cast<uint64_t *>(data);
    constexpr size_t lineWords = sizeof(Line) / sizeof(uint64_t);
    size_t first = lines * i / threads * lineWords,
           last = lines * (i + 1) / threads * lineWords;
    std::iota(words + first, words + last, first);
  });
}

ReadBuffer::~ReadBuffer() { std::free(data); }

double ReadBuffer::measure(unsigned streams) {
  auto read = __builtin_cpu_supports("avx512f") ? readWide : readNarrow;
  double seconds = inParallel(threads, [&](unsigned i) {
    size_t first = lines * i / threads, last = lines * (i + 1) / threads;
    read(static_cast<const Line *>(data) + first, last - first, streams);
  });
  return double(lines) * sizeof(Line) / seconds;
}

const char *instructionName(Instruction instruction) {
  return loopOf(instruction).name;
}

bool hasInstruction(Instruction instruction) {
  switch (instruction) {
  case Instruction::Fma256:
    return __builtin_cpu_supports("fma");
  case Instruction::Fma512:
    return __builtin_cpu_supports("avx512f");
  case Instruction::Bf16Dot:
    return __builtin_cpu_supports("avx512bf16");
  case Instruction::Int8Dot:
    return __builtin_cpu_supports("avx512vnni");
  }
  return false;
}

double measurePeak(Instruction instruction, unsigned threads) {
  const PeakLoop &loop = loopOf(instruction);
  constexpr int rounds = 16;
  double seconds = inParallel(threads, [&](unsigned) {
    for (int i = 0; i < rounds; ++i)
      loop.run();
  });
  return double(rounds) * repeats * accumulators * loop.multiplyAdds * threads /
         seconds;
}

} // namespace bench
