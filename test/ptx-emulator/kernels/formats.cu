// Kernels with floats of 8 and 16 bits, and whole numbers of 4.
// For sm_90a.
#define KERNEL extern "C" __global__ void

__device__ static float largest(float value) {
  for (int lanes = 16; lanes; lanes /= 2) {
    float other;
    asm("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(other) : "f"(value), "r"(lanes));
    value = other > value ? other : value;
  }
  return value;
}

// A warp for each 128 numbers, the last one perhaps of fewer: a scale by which the largest becomes the largest of the format.
template <class Pack>
__device__ static void quantise(unsigned char *y, float *scales, const float *x, unsigned n, float most, Pack pack) {
  unsigned group = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, first = group * 128 + threadIdx.x % 32 * 4;
  if (group * 128 >= n)
    return;
  float values[4], size = 0;
  for (unsigned i = 0; i < 4; ++i) {
    values[i] = first + i < n ? x[first + i] : 0;
    float each = values[i] < 0 ? -values[i] : values[i];
    size = each > size ? each : size;
  }
  size = largest(size);
  float scale = size > 0 ? size / most : 1;
  if (threadIdx.x % 32 == 0)
    scales[group] = scale;
  unsigned short low = pack(values[1] / scale, values[0] / scale), high = pack(values[3] / scale, values[2] / scale);
  if (first + 3 < n)
    *reinterpret_cast<ushort2 *>(y + first) = make_ushort2(low, high);
  else
    for (unsigned i = 0; first + i < n; ++i)
      y[first + i] = (i < 2 ? low : high) >> i % 2 * 8;
}
KERNEL quantise_e4m3(unsigned char *y, float *scales, const float *x, unsigned n) {
  quantise(y, scales, x, n, 448, [](float high, float low) {
    unsigned short result;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(result) : "f"(high), "f"(low));
    return result;
  });
}
KERNEL quantise_e5m2(unsigned char *y, float *scales, const float *x, unsigned n) {
  quantise(y, scales, x, n, 57344, [](float high, float low) {
    unsigned short result;
    asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(result) : "f"(high), "f"(low));
    return result;
  });
}

// And back, two at once.
template <class Unpack>
__device__ static void dequantise(float *y, const unsigned char *x, const float *scales, unsigned n, Unpack unpack) {
  for (unsigned i = (blockIdx.x * blockDim.x + threadIdx.x) * 2; i < n; i += gridDim.x * blockDim.x * 2) {
    unsigned pair = unpack(i + 1 < n ? x[i] | x[i + 1] << 8 : x[i]);
    float low, high;
    asm("{ .reg .b16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h; }" : "=f"(low), "=f"(high) : "r"(pair));
    y[i] = low * scales[i / 128];
    if (i + 1 < n)
      y[i + 1] = high * scales[i / 128];
  }
}
KERNEL dequantise_e4m3(float *y, const unsigned char *x, const float *scales, unsigned n) {
  dequantise(y, x, scales, n, [](unsigned short pair) {
    unsigned result;
    asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(result) : "h"(pair));
    return result;
  });
}
KERNEL dequantise_e5m2(float *y, const unsigned char *x, const float *scales, unsigned n) {
  dequantise(y, x, scales, n, [](unsigned short pair) {
    unsigned result;
    asm("cvt.rn.f16x2.e5m2x2 %0, %1;" : "=r"(result) : "h"(pair));
    return result;
  });
}

// Rows of n numbers as 0 to 15, by a scale and by which of them is zero; 8 to a word, the last one perhaps of fewer.
KERNEL quantise_uint4(unsigned *y, float *scales, unsigned char *zeros, const float *x, unsigned n) {
  const float *row = x + blockIdx.x * n;
  float most = 0, least = 0;
  for (unsigned i = threadIdx.x; i < n; i += 32) {
    most = row[i] > most ? row[i] : most;
    least = row[i] < least ? row[i] : least;
  }
  most = largest(most);
  least = -largest(-least);
  float scale = (most - least) / 15;
  int zero;
  asm("cvt.rni.s32.f32 %0, %1;" : "=r"(zero) : "f"(-least / scale));
  if (threadIdx.x == 0) {
    scales[blockIdx.x] = scale;
    zeros[blockIdx.x] = zero;
  }
  unsigned words = (n + 7) / 8;
  for (unsigned word = threadIdx.x; word < words; word += 32) {
    unsigned bits = 0;
    for (unsigned i = word * 8; i < n && i < word * 8 + 8; ++i) {
      int value;
      asm("cvt.rni.s32.f32 %0, %1;" : "=r"(value) : "f"(row[i] / scale));
      value += zero;
      bits |= unsigned(value < 0 ? 0 : value > 15 ? 15 : value) << i % 8 * 4;
    }
    y[blockIdx.x * words + word] = bits;
  }
}
KERNEL dequantise_uint4(float *y, const unsigned *x, const float *scales, const unsigned char *zeros, unsigned n) {
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) {
    int value = x[blockIdx.x * ((n + 7) / 8) + i / 8] >> i % 8 * 4 & 15;
    y[blockIdx.x * n + i] = (value - zeros[blockIdx.x]) * scales[blockIdx.x];
  }
}

// Sums of small whole numbers, which no order rounds, in the types whose additions sm_90 has: pairs of bf16, one bf16, one half.
KERNEL sums(unsigned *pairs, unsigned short *singles, unsigned short *halves, const unsigned char *x, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  unsigned bin = x[i] % 4, low = x[i] / 4 % 2, high = x[i] / 8 % 4, pair;
  unsigned short single, half;
  float a = low, b = high;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(b), "f"(a));
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(single) : "f"(a));
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(b));
  asm volatile("red.global.add.noftz.bf16x2 [%0], %1;" ::"l"(pairs + bin), "r"(pair) : "memory");
  asm volatile("red.global.add.noftz.bf16 [%0], %1;" ::"l"(singles + bin), "h"(single) : "memory");
  asm volatile("red.global.add.noftz.f16 [%0], %1;" ::"l"(halves + bin), "h"(half) : "memory");
}
