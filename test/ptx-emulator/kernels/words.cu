// Kernels over words and bytes. No function of the toolkit's headers is used: instructions that C++ has not are written as such.
#define KERNEL extern "C" __global__ void
typedef unsigned long long u64;

__device__ static unsigned votes(bool value) {
  unsigned result;
  asm volatile("{ .reg .pred p; setp.ne.u32 p, %1, 0; vote.sync.ballot.b32 %0, p, 0xffffffff; }" : "=r"(result) : "r"(unsigned(value)));
  return result;
}
__device__ static unsigned bitsOf(unsigned x) {
  unsigned result;
  asm("popc.b32 %0, %1;" : "=r"(result) : "r"(x));
  return result;
}
__device__ static unsigned addTo(unsigned *at, unsigned value) {
  unsigned before;
  asm volatile("atom.add.u32 %0, [%1], %2;" : "=r"(before) : "l"(at), "r"(value) : "memory");
  return before;
}
// The sum of this lane and those before it.
__device__ static unsigned scanWarp(unsigned value) {
  for (unsigned lanes = 1; lanes < 32; lanes *= 2) {
    unsigned other;
    asm("shfl.sync.up.b32 %0, %1, %2, 0, 0xffffffff;" : "=r"(other) : "r"(value), "r"(lanes));
    if (threadIdx.x % 32 >= lanes)
      value += other;
  }
  return value;
}

KERNEL scan(unsigned *y, const unsigned *x) {
  __shared__ unsigned sums[8];
  unsigned i = blockIdx.x * 256 + threadIdx.x, value = scanWarp(x[i]);
  if (threadIdx.x % 32 == 31)
    sums[threadIdx.x / 32] = value;
  __syncthreads();
  for (unsigned warp = 0; warp < threadIdx.x / 32; ++warp)
    value += sums[warp];
  y[i] = value;
}

KERNEL histogram(unsigned *counts, const unsigned char *bytes, unsigned n) {
  __shared__ unsigned own[256];
  own[threadIdx.x] = 0;
  __syncthreads();
  for (unsigned i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256)
    addTo(&own[bytes[i]], 1);
  __syncthreads();
  addTo(&counts[threadIdx.x], own[threadIdx.x]);
}

// The k largest of each row of n, with the first of equal ones first.
KERNEL top_k(unsigned *indices, const float *x, unsigned n, unsigned k) {
  const float *row = x + blockIdx.x * n;
  u64 limit = ~0ull;
  for (unsigned rank = 0; rank < k; ++rank) {
    u64 best = 0;
    for (unsigned i = threadIdx.x; i < n; i += 32) {
      unsigned bits = __builtin_bit_cast(unsigned, row[i]);
      bits ^= bits >> 31 ? ~0u : 1u << 31;
      u64 key = u64(bits) << 32 | ~i;
      if (key < limit && key > best)
        best = key;
    }
    for (int lanes = 16; lanes; lanes /= 2) {
      unsigned low, high;
      asm("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(low) : "r"(unsigned(best)), "r"(lanes));
      asm("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(high) : "r"(unsigned(best >> 32)), "r"(lanes));
      u64 other = u64(high) << 32 | low;
      best = other > best ? other : best;
    }
    limit = best;
    if (threadIdx.x == 0)
      indices[blockIdx.x * k + rank] = ~unsigned(best);
  }
}

// Those that are not zero, in their order, by one warp.
KERNEL compact(unsigned *y, unsigned *count, const unsigned *x, unsigned n) {
  unsigned at = 0;
  for (unsigned from = 0; from < n; from += 32) {
    unsigned value = from + threadIdx.x < n ? x[from + threadIdx.x] : 0, kept = votes(value != 0);
    if (value)
      y[at + bitsOf(kept & (1u << threadIdx.x) - 1)] = value;
    at += bitsOf(kept);
  }
  if (threadIdx.x == 0)
    *count = at;
}

KERNEL sort(unsigned *x) {
  __shared__ unsigned words[256];
  unsigned i = threadIdx.x;
  words[i] = x[i];
  for (unsigned size = 2; size <= 256; size *= 2)
    for (unsigned step = size / 2; step; step /= 2) {
      __syncthreads();
      unsigned other = i ^ step, a = words[i], b = words[other];
      bool takesSmaller = ((i & size) == 0) == (i < other);
      __syncthreads();
      words[i] = takesSmaller == (a < b) ? a : b;
    }
  x[i] = words[i];
}

KERNEL upper(unsigned char *text, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && text[i] >= 'a' && text[i] <= 'z')
    text[i] -= 32;
}

// How many edits make each word of 16 bytes the same as the first one: a table of each thread.
KERNEL edits(unsigned *result, const char *words, unsigned n) {
  unsigned word = blockIdx.x * blockDim.x + threadIdx.x;
  if (word >= n)
    return;
  unsigned char row[17];
  for (unsigned i = 0; i <= 16; ++i)
    row[i] = i;
  for (unsigned j = 1; j <= 16; ++j) {
    unsigned diagonal = row[0];
    row[0] = j;
    for (unsigned i = 1; i <= 16; ++i) {
      unsigned changed = diagonal + (words[i - 1] != words[word * 16 + j - 1]);
      diagonal = row[i];
      unsigned shorter = (row[i] < row[i - 1] ? row[i] : row[i - 1]) + 1;
      row[i] = changed < shorter ? changed : shorter;
    }
  }
  result[word] = row[16];
}

KERNEL checksum(unsigned *result, const unsigned char *bytes, unsigned each) {
  unsigned crc = ~0u, i = blockIdx.x * blockDim.x + threadIdx.x;
  for (unsigned at = 0; at < each; ++at) {
    crc ^= bytes[i * each + at];
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  result[i] = ~crc;
}

__device__ __noinline__ unsigned ackermann(unsigned m, unsigned n) {
  if (m == 0)
    return n + 1;
  return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}
KERNEL recursion(unsigned *y) { y[threadIdx.x] = ackermann(threadIdx.x / 4, threadIdx.x % 4); }

KERNEL machine(unsigned *state, const unsigned char *program, unsigned n) {
  unsigned a = state[threadIdx.x], b = threadIdx.x;
  for (unsigned i = 0; i < n; ++i)
    switch ((program[i] + threadIdx.x) % 12) {
    case 0: a += b; break;
    case 1: a ^= b << 3; break;
    case 2: b = a * 31; break;
    case 3: a -= 77; break;
    case 4: b ^= a >> 5; break;
    case 5: a = ~a; break;
    case 6: a *= b | 1; break;
    case 7: b += 12345; break;
    case 8: { unsigned c = a; a = b; b = c; } break;
    case 9: a |= 256; break;
    case 10: b &= 0xffffff; break;
    default: a = a << 7 | a >> 25;
    }
  state[threadIdx.x] = a ^ b;
}

KERNEL divide(u64 *quotients, u64 *remainders, long long *signedQuotients, const u64 *a, const u64 *b, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  quotients[i] = a[i] / b[i];
  remainders[i] = a[i] % b[i];
  signedQuotients[i] = (long long)a[i] / (long long)b[i];
}

// One warp fills a buffer while three use the other one: barriers 1 and 2 say that a buffer is full, 3 and 4 that it is free.
KERNEL pipeline(unsigned *y, const unsigned *x, unsigned steps) {
  __shared__ unsigned buffers[2][96];
  unsigned lane = threadIdx.x % 32;
  if (threadIdx.x < 32) {
    for (unsigned step = 0; step < steps; ++step) {
      if (step >= 2)
        asm volatile("bar.sync %0, 128;" ::"r"(3 + step % 2) : "memory");
      for (unsigned i = lane; i < 96; i += 32)
        buffers[step % 2][i] = x[step * 96 + i] * 3;
      asm volatile("bar.arrive %0, 128;" ::"r"(1 + step % 2) : "memory");
    }
    return;
  }
  unsigned own = threadIdx.x - 32, total = 0;
  for (unsigned step = 0; step < steps; ++step) {
    asm volatile("bar.sync %0, 128;" ::"r"(1 + step % 2) : "memory");
    total = total * 5 + buffers[step % 2][(own + 40) % 96];
    if (step + 2 < steps)
      asm volatile("bar.arrive %0, 128;" ::"r"(3 + step % 2) : "memory");
  }
  y[own] = total;
}

// All blocks of a cooperative grid wait for each other between steps.
KERNEL diffuse(unsigned *a, unsigned *b, unsigned *arrived, unsigned steps) {
  unsigned n = gridDim.x * blockDim.x, i = blockIdx.x * blockDim.x + threadIdx.x;
  for (unsigned step = 0; step < steps; ++step) {
    b[i] = a[i] + a[(i + 1) % n] * 2 + a[(i + n - 1) % n];
    __syncthreads();
    if (threadIdx.x == 0) {
      asm volatile("fence.acq_rel.gpu;" ::: "memory");
      addTo(arrived, 1);
      unsigned seen;
      do
        asm volatile("ld.relaxed.gpu.u32 %0, [%1];" : "=r"(seen) : "l"(arrived) : "memory");
      while (seen < (step + 1) * gridDim.x);
      asm volatile("fence.acq_rel.gpu;" ::: "memory");
    }
    __syncthreads();
    unsigned *c = a;
    a = b;
    b = c;
  }
}
