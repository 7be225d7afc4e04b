//===- Machine.cpp - what this machine can do at most ---------------------===//
#include "tools/ds-bench/Machine.h"

#include <chrono>
#include <cstdlib>
#include <functional>
#include <immintrin.h>
#include <new>
#include <thread>

namespace bench {

namespace {

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Runs work(i) on `threads` threads and returns the seconds it took.
double inParallel(unsigned threads, const std::function<void(unsigned)> &work) {
  double start = now();
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i)
    others.emplace_back(work, i);
  work(0);
  for (std::thread &other : others)
    other.join();
  return now() - start;
}

/// Keeps a value alive, so that what made it is not left out.
template <typename T> void keep(const T &value) {
  asm volatile("" : : "m"(value) : "memory");
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

__attribute__((target("avx512f"))) uint64_t readWide(const uint64_t *data,
                                                     size_t count) {
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (size_t i = 0; i + 32 <= count; i += 32) {
    a = _mm512_xor_si512(a, _mm512_load_si512(data + i));
    b = _mm512_xor_si512(b, _mm512_load_si512(data + i + 8));
    c = _mm512_xor_si512(c, _mm512_load_si512(data + i + 16));
    d = _mm512_xor_si512(d, _mm512_load_si512(data + i + 24));
  }
  a = _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d));
  alignas(64) uint64_t parts[8];
  _mm512_store_si512(parts, a);
  return parts[0] ^ parts[7];
}

__attribute__((target("avx2"))) uint64_t readNarrow(const uint64_t *data,
                                                    size_t count) {
  __m256i sums[4] = {};
  for (size_t i = 0; i + 16 <= count; i += 16)
    for (size_t part = 0; part < 4; ++part)
      sums[part] = _mm256_xor_si256(
          sums[part], _mm256_load_si256(reinterpret_cast<const __m256i *>(
                          data + i + 4 * part)));
  __m256i all = _mm256_xor_si256(_mm256_xor_si256(sums[0], sums[1]),
                                 _mm256_xor_si256(sums[2], sums[3]));
  return static_cast<uint64_t>(_mm256_extract_epi64(all, 0));
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

ReadStream::ReadStream(size_t bytes, unsigned threads)
    : bytes(bytes), threads(threads),
      data(static_cast<uint64_t *>(std::aligned_alloc(4096, bytes))) {
  if (!data)
    throw std::bad_alloc();
  // Pages exist only once they are written to, near the thread that does it.
  inParallel(threads, [&](unsigned i) {
    size_t words = bytes / 8, first = words * i / threads,
           last = words * (i + 1) / threads;
    for (size_t word = first; word < last; ++word)
      data[word] = word;
  });
}

ReadStream::~ReadStream() { std::free(data); }

double ReadStream::measure() {
  bool wide = __builtin_cpu_supports("avx512f");
  double seconds = inParallel(threads, [&](unsigned i) {
    // Pieces begin at cache lines.
    size_t lines = bytes / 64, first = lines * i / threads,
           last = lines * (i + 1) / threads;
    auto read = wide ? readWide : readNarrow;
    keep(read(data + first * 8, (last - first) * 8));
  });
  return static_cast<double>(bytes) / seconds;
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
