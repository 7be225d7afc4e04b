// Kernels whose threads work in groups, and such with long integers. No function of the toolkit's headers is used.
#define KERNEL extern "C" __global__ void
typedef unsigned long long u64;

// How many lanes of the warp have the same word, and which is the first of them.
KERNEL peers(unsigned *counts, unsigned *firsts, const unsigned *x) {
  unsigned i = blockIdx.x * 32 + threadIdx.x, same, count, reversed, first;
  asm volatile("match.any.sync.b32 %0, %1, 0xffffffff;" : "=r"(same) : "r"(x[i]));
  asm("popc.b32 %0, %1;" : "=r"(count) : "r"(same));
  asm("brev.b32 %0, %1;" : "=r"(reversed) : "r"(same));
  asm("bfind.shiftamt.u32 %0, %1;" : "=r"(first) : "r"(reversed));
  counts[i] = count;
  firsts[i] = first;
}

// Sum, least and largest of each warp's words, their bits together.
KERNEL reductions(int *y, const int *x) {
  unsigned warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  int value = x[blockIdx.x * blockDim.x + threadIdx.x], total, least, most, all;
  asm volatile("redux.sync.add.s32 %0, %1, 0xffffffff;" : "=r"(total) : "r"(value));
  asm volatile("redux.sync.min.s32 %0, %1, 0xffffffff;" : "=r"(least) : "r"(value));
  asm volatile("redux.sync.max.s32 %0, %1, 0xffffffff;" : "=r"(most) : "r"(value));
  asm volatile("redux.sync.xor.b32 %0, %1, 0xffffffff;" : "=r"(all) : "r"(value));
  if (threadIdx.x % 32 == 0)
    *reinterpret_cast<int4 *>(y + warp * 4) = make_int4(total, least, most, all);
}

// A matrix of 32 x 32 bits, turned around by votes.
KERNEL bits(unsigned *y, const unsigned *x) {
  unsigned own = x[blockIdx.x * 32 + threadIdx.x], result = 0;
  for (unsigned i = 0; i < 32; ++i) {
    unsigned column;
    asm volatile("{ .reg .pred p; setp.ne.u32 p, %1, 0; vote.sync.ballot.b32 %0, p, 0xffffffff; }" : "=r"(column) : "r"(own >> i & 1));
    if (i == threadIdx.x)
      result = column;
  }
  y[blockIdx.x * 32 + threadIdx.x] = result;
}

// Each word and its neighbours, with weights 1, 4, 6, 4, 1; words beyond the ends are zero.
KERNEL stencil(unsigned *y, const unsigned *x, int n) {
  __shared__ unsigned tile[128 + 4];
  int first = blockIdx.x * 128 - 2;
  for (int i = threadIdx.x; i < 132; i += 128)
    tile[i] = first + i >= 0 && first + i < n ? x[first + i] : 0;
  __syncthreads();
  const unsigned *at = tile + threadIdx.x;
  if (first + 2 + int(threadIdx.x) < n)
    y[first + 2 + threadIdx.x] = at[0] + 4 * at[1] + 6 * at[2] + 4 * at[3] + at[4];
}

// Rows of a table by their numbers, four words at once; numbers that are not in it give zeros.
KERNEL gather(uint4 *y, const uint4 *table, const long long *numbers, long long rows, unsigned width) {
  long long row = numbers[blockIdx.x];
  for (unsigned i = threadIdx.x; i < width; i += blockDim.x)
    y[blockIdx.x * width + i] = row >= 0 && row < rows ? table[row * width + i] : make_uint4(0, 0, 0, 0);
}

// Where each of the numbers would stand in a sorted list.
KERNEL search(unsigned *y, const double *list, const double *numbers, unsigned n) {
  unsigned low = 0, high = n;
  double number = numbers[blockIdx.x * blockDim.x + threadIdx.x];
  while (low < high) {
    unsigned middle = (low + high) / 2;
    if (list[middle] < number)
      low = middle + 1;
    else
      high = middle;
  }
  y[blockIdx.x * blockDim.x + threadIdx.x] = low;
}

// a^e modulo an odd m below 2^63, by additions alone where products would not fit.
__device__ static u64 multiply(u64 a, u64 b, u64 m) {
  u64 result = 0;
  for (; b; b >>= 1) {
    if (b & 1)
      result = result >= m - a ? result - (m - a) : result + a;
    a = a >= m - a ? a - (m - a) : a + a;
  }
  return result;
}
KERNEL power(u64 *y, const u64 *a, u64 e, u64 m) {
  u64 result = 1, base = a[threadIdx.x] % m;
  for (; e; e >>= 1) {
    if (e & 1)
      result = multiply(result, base, m);
    base = multiply(base, base, m);
  }
  y[threadIdx.x] = result;
}

// Products of 128 bits: both halves.
KERNEL wide(u64 *low, u64 *high, const u64 *a, const u64 *b) {
  u64 x = a[threadIdx.x], y = b[threadIdx.x];
  unsigned __int128 product = (unsigned __int128)x * y + (x ^ y);
  low[threadIdx.x] = u64(product);
  high[threadIdx.x] = u64(product >> 64);
}

// A random walk, where each thread's generator has a table of its own in local memory.
KERNEL walk(unsigned *y, unsigned steps) {
  unsigned table[16], i = blockIdx.x * blockDim.x + threadIdx.x, at = 0;
  for (unsigned k = 0; k < 16; ++k)
    table[k] = (i + 1) * 2654435761u ^ k * 40503u;
  for (unsigned step = 0; step < steps; ++step) {
    unsigned a = table[at], b = table[at = (at + 1) & 15];
    b ^= b << 13;
    b ^= b >> 17;
    table[at] = b ^ a * 5 ^ table[(a >> 7) & 15];
  }
  unsigned result = 0;
  for (unsigned k = 0; k < 16; ++k)
    result = result * 33 + table[(k + at) & 15];
  y[i] = result;
}
