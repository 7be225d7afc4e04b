// Kernels whose threads meet in memory. No function of the toolkit's headers is used: instructions that C++ has not are written as such.
#define KERNEL extern "C" __global__ void

__device__ static unsigned swapIf(unsigned *at, unsigned expected, unsigned value) {
  unsigned before;
  asm volatile("atom.cas.b32 %0, [%1], %2, %3;" : "=r"(before) : "l"(at), "r"(expected), "r"(value) : "memory");
  return before;
}
__device__ static unsigned addTo(unsigned *at, unsigned value) {
  unsigned before;
  asm volatile("atom.add.u32 %0, [%1], %2;" : "=r"(before) : "l"(at), "r"(value) : "memory");
  return before;
}
__device__ static unsigned peek(unsigned *at) {
  unsigned value;
  asm volatile("ld.relaxed.gpu.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
  return value;
}

// The largest number of each of 5 groups, by compare and swap until nobody came between.
KERNEL maxima(float *y, const float *x, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  unsigned *at = reinterpret_cast<unsigned *>(y) + i % 5, seen = peek(at);
  while (x[i] > __builtin_bit_cast(float, seen)) {
    unsigned before = swapIf(at, seen, __builtin_bit_cast(unsigned, x[i]));
    if (before == seen)
      break;
    seen = before;
  }
}

// Counters of 16 bits that stop at their end.
KERNEL saturate(unsigned short *y, const unsigned short *x, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  unsigned short *at = y + i % 7, seen, before;
  asm volatile("ld.relaxed.gpu.u16 %0, [%1];" : "=h"(seen) : "l"(at) : "memory");
  for (;;) {
    unsigned sum = seen + x[i];
    unsigned short next = sum > 65535 ? 65535 : sum;
    asm volatile("atom.cas.b16 %0, [%1], %2, %3;" : "=h"(before) : "l"(at), "h"(seen), "h"(next) : "memory");
    if (before == seen)
      break;
    seen = before;
  }
}

// Each operation on a word of its own; what is taken from slots by exchange is added up.
KERNEL operations(unsigned *y, unsigned *slots, unsigned *taken, const unsigned *x, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x, before;
  if (i >= n)
    return;
  asm volatile("red.global.min.s32 [%0], %1;" ::"l"(y), "r"(x[i]) : "memory");
  asm volatile("red.global.max.s32 [%0], %1;" ::"l"(y + 1), "r"(x[i]) : "memory");
  asm volatile("red.global.min.u32 [%0], %1;" ::"l"(y + 2), "r"(x[i]) : "memory");
  asm volatile("red.global.max.u32 [%0], %1;" ::"l"(y + 3), "r"(x[i]) : "memory");
  asm volatile("red.global.and.b32 [%0], %1;" ::"l"(y + 4), "r"(x[i] | 0x00ff00ff) : "memory");
  asm volatile("red.global.or.b32 [%0], %1;" ::"l"(y + 5), "r"(x[i] & 0x0f0f0f0f) : "memory");
  asm volatile("red.global.xor.b32 [%0], %1;" ::"l"(y + 6), "r"(x[i]) : "memory");
  asm volatile("red.global.inc.u32 [%0], 99;" ::"l"(y + 7) : "memory");
  asm volatile("red.global.dec.u32 [%0], 99;" ::"l"(y + 8) : "memory");
  asm volatile("atom.global.exch.b32 %0, [%1], %2;" : "=r"(before) : "l"(slots + i % 3), "r"(x[i]) : "memory");
  addTo(taken + i % 3, before);
}

// Sums of small whole numbers, which no order rounds: of floats, doubles and pairs of halves.
KERNEL sums(float *floats, double *doubles, unsigned *pairs, const unsigned char *x, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  unsigned bin = x[i] % 4, low = x[i] / 4 % 8, high = x[i] / 32, pair;
  asm volatile("red.global.add.f32 [%0], %1;" ::"l"(floats + bin), "f"(float(low)) : "memory");
  asm volatile("red.global.add.f64 [%0], %1;" ::"l"(doubles + bin), "d"(double(high)) : "memory");
  asm("{ .reg .b16 l, h; cvt.rn.f16.u32 l, %1; cvt.rn.f16.u32 h, %2; mov.b32 %0, {l, h}; }" : "=r"(pair) : "r"(low), "r"(high));
  asm volatile("red.global.add.noftz.f16x2 [%0], %1;" ::"l"(pairs + bin), "r"(pair) : "memory");
}

// Sums of all words up to each one, in one pass over blocks of 64: a block says its own sum (1) or that of all so far (2), and one warp looks back over those
// before it, `width` (at most 32) at once, until one has said the second.
KERNEL look_back(unsigned *y, const unsigned *x, unsigned n, unsigned *tickets, unsigned *states, unsigned *sums, unsigned *prefixes, unsigned width) {
  __shared__ unsigned number, before, firstWarp;
  unsigned lane = threadIdx.x % 32;
  if (threadIdx.x == 0)
    number = addTo(tickets, 1); // blocks begin in any order
  __syncthreads();
  unsigned block = number, i = block * 64 + threadIdx.x, value = i < n ? x[i] : 0;
  for (unsigned lanes = 1; lanes < 32; lanes *= 2) {
    unsigned other;
    asm("shfl.sync.up.b32 %0, %1, %2, 0, 0xffffffff;" : "=r"(other) : "r"(value), "r"(lanes));
    if (lane >= lanes)
      value += other;
  }
  if (threadIdx.x == 31)
    firstWarp = value;
  __syncthreads();
  if (threadIdx.x >= 32)
    value += firstWarp;
  if (threadIdx.x == 63) {
    sums[block] = value;
    asm volatile("st.release.gpu.u32 [%0], 1;" ::"l"(states + block) : "memory");
  }
  if (threadIdx.x < 32) {
    unsigned total = 0;
    for (int from = int(block) - 1; from >= 0; from -= int(width)) {
      int looked = from - int(lane);
      unsigned state = lane < width ? 2 : 0, own = 0, known;
      if (lane < width && looked >= 0) {
        do
          asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(state) : "l"(states + looked) : "memory");
        while (state == 0);
        own = state == 2 ? prefixes[looked] : sums[looked];
      }
      asm volatile("{ .reg .pred p; setp.eq.u32 p, %1, 2; vote.sync.ballot.b32 %0, p, 0xffffffff; }" : "=r"(known) : "r"(state));
      // Up to the nearest block that knows all before it.
      if (known & (1u << lane) - 1)
        own = 0;
      for (unsigned lanes = 16; lanes; lanes /= 2) {
        unsigned other;
        asm("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(other) : "r"(own), "r"(lanes));
        own += other;
      }
      total += own;
      if (known)
        break;
    }
    if (lane == 0)
      before = total;
  }
  __syncthreads();
  value += before;
  if (threadIdx.x == 63) {
    prefixes[block] = value;
    asm volatile("st.release.gpu.u32 [%0], 2;" ::"l"(states + block) : "memory");
  }
  if (i < n)
    y[i] = value;
}
