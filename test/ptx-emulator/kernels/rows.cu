// Kernels over rows of numbers. No function of the toolkit's headers is used: instructions that C++ has not are written as such.
#define KERNEL extern "C" __global__ void

__device__ static float exchange(float value, int lanes) {
  float other;
  asm("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(other) : "f"(value), "r"(lanes));
  return other;
}
__device__ static float power2(float x) {
  float result;
  asm("ex2.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
__device__ static float root(float x) {
  float result;
  asm("sqrt.rn.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
__device__ static float multiplyAdd(float a, float b, float c) {
  float result;
  asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(result) : "f"(a), "f"(b), "f"(c));
  return result;
}
// The sum of all lanes, by halves.
__device__ static float sum(float value) {
  for (int lanes = 16; lanes; lanes /= 2)
    value += exchange(value, lanes);
  return value;
}
__device__ static float largest(float value) {
  for (int lanes = 16; lanes; lanes /= 2) {
    float other = exchange(value, lanes);
    value = other > value ? other : value;
  }
  return value;
}

KERNEL axpy(float *y, const float *x, float a, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    y[i] = multiplyAdd(a, x[i], y[i]);
}

KERNEL gate(float *y, const float *x, const float *g, unsigned n) {
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    float size = g[i] < 0 ? -g[i] : g[i];
    y[i] = x[i] * g[i] / (1 + size);
  }
}

// A warp for each row of n columns.
KERNEL softmax(float *y, const float *x, unsigned n) {
  const float *row = x + blockIdx.x * n;
  float most = row[0], total = 0;
  for (unsigned i = threadIdx.x; i < n; i += 32)
    most = row[i] > most ? row[i] : most;
  most = largest(most);
  for (unsigned i = threadIdx.x; i < n; i += 32)
    total += power2((row[i] - most) * 1.44269504f);
  total = sum(total);
  for (unsigned i = threadIdx.x; i < n; i += 32)
    y[blockIdx.x * n + i] = power2((row[i] - most) * 1.44269504f) / total;
}

// Four warps for each row.
KERNEL rmsnorm(float *y, const float *x, const float *weights, unsigned n) {
  __shared__ float sums[4];
  const float *row = x + blockIdx.x * n;
  float squares = 0;
  for (unsigned i = threadIdx.x; i < n; i += 128)
    squares = multiplyAdd(row[i], row[i], squares);
  squares = sum(squares);
  if (threadIdx.x % 32 == 0)
    sums[threadIdx.x / 32] = squares;
  __syncthreads();
  float scale = 1 / root((sums[0] + sums[1] + sums[2] + sums[3]) / n + 1e-6f);
  for (unsigned i = threadIdx.x; i < n; i += 128)
    y[blockIdx.x * n + i] = row[i] * scale * weights[i];
}

KERNEL rope(float *x, const float *cosines, const float *sines, unsigned pairs) {
  unsigned i = threadIdx.x, row = blockIdx.x;
  if (i >= pairs)
    return;
  float2 *at = reinterpret_cast<float2 *>(x) + row * pairs + i;
  float2 value = *at;
  float c = cosines[row * pairs + i], s = sines[row * pairs + i];
  *at = make_float2(value.x * c - value.y * s, value.x * s + value.y * c);
}

KERNEL transpose(unsigned *y, const unsigned *x, unsigned rows, unsigned columns) {
  __shared__ unsigned tile[32][33];
  unsigned column = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 32;
  for (unsigned i = threadIdx.y; i < 32; i += 8)
    if (row + i < rows && column < columns)
      tile[i][threadIdx.x] = x[(row + i) * columns + column];
  __syncthreads();
  unsigned toColumn = blockIdx.y * 32 + threadIdx.x, toRow = blockIdx.x * 32;
  for (unsigned i = threadIdx.y; i < 32; i += 8)
    if (toRow + i < columns && toColumn < rows)
      y[(toRow + i) * rows + toColumn] = tile[threadIdx.x][i];
}

KERNEL matmul(float *c, const float *a, const float *b, unsigned m, unsigned n, unsigned k) {
  __shared__ float left[16][17], right[16][17];
  unsigned x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
  float total = 0;
  for (unsigned from = 0; from < k; from += 16) {
    left[y][x] = row < m && from + x < k ? a[row * k + from + x] : 0;
    right[y][x] = from + y < k && column < n ? b[(from + y) * n + column] : 0;
    __syncthreads();
    for (unsigned i = 0; i < 16; ++i)
      total = multiplyAdd(left[y][i], right[i][x], total);
    __syncthreads();
  }
  if (row < m && column < n)
    c[row * n + column] = total;
}

// Of bf16: the upper halves of floats.
KERNEL matmul_bf16(unsigned short *c, const unsigned short *a, const unsigned short *b, unsigned m, unsigned n, unsigned k) {
  unsigned row = blockIdx.y * blockDim.y + threadIdx.y, column = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= m || column >= n)
    return;
  float total = 0;
  for (unsigned i = 0; i < k; ++i)
    total = multiplyAdd(__builtin_bit_cast(float, unsigned(a[row * k + i]) << 16), __builtin_bit_cast(float, unsigned(b[i * n + column]) << 16), total);
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(c[row * n + column]) : "f"(total));
}

KERNEL matmul_f16(unsigned short *c, const unsigned short *a, const unsigned short *b, unsigned m, unsigned n, unsigned k) {
  unsigned row = blockIdx.y * blockDim.y + threadIdx.y, column = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= m || column >= n)
    return;
  float total = 0;
  for (unsigned i = 0; i < k; ++i) {
    float left, right;
    asm("cvt.f32.f16 %0, %1;" : "=f"(left) : "h"(a[row * k + i]));
    asm("cvt.f32.f16 %0, %1;" : "=f"(right) : "h"(b[i * n + column]));
    total = multiplyAdd(left, right, total);
  }
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(c[row * n + column]) : "f"(total));
}

KERNEL dot(double *result, const double *a, const double *b, unsigned n) {
  __shared__ double partial[64];
  double total = 0;
  for (unsigned i = threadIdx.x; i < n; i += 64)
    total += a[i] * b[i];
  partial[threadIdx.x] = total;
  for (unsigned step = 32; step; step /= 2) {
    __syncthreads();
    if (threadIdx.x < step)
      partial[threadIdx.x] += partial[threadIdx.x + step];
  }
  if (threadIdx.x == 0)
    *result = partial[0];
}

// A scale for each row of n (at most 32 x 8) numbers, then 8 numbers of 4 bits to a word.
KERNEL quantise_int4(unsigned *y, float *scales, const float *x, unsigned n) {
  float most = 0;
  for (unsigned i = threadIdx.x; i < n; i += 32) {
    float value = x[blockIdx.x * n + i];
    value = value < 0 ? -value : value;
    most = value > most ? value : most;
  }
  float scale = largest(most) / 7;
  if (threadIdx.x == 0)
    scales[blockIdx.x] = scale;
  for (unsigned word = threadIdx.x; word < n / 8; word += 32) {
    unsigned bits = 0;
    for (unsigned i = 0; i < 8; ++i) {
      int value;
      asm("cvt.rni.s32.f32 %0, %1;" : "=r"(value) : "f"(x[blockIdx.x * n + word * 8 + i] / scale));
      bits |= (value & 15u) << 4 * i;
    }
    y[blockIdx.x * (n / 8) + word] = bits;
  }
}

KERNEL dequantise_int4(float *y, const unsigned *x, const float *scales, unsigned n) {
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) {
    unsigned bits = x[blockIdx.x * (n / 8) + i / 8];
    y[blockIdx.x * n + i] = float(int(bits << (28 - 4 * (i % 8))) >> 28) * scales[blockIdx.x];
  }
}

// e4m3 to float.
KERNEL dequantise_fp8(float *y, const unsigned char *x, float scale, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  unsigned bits = x[i], exponent = bits >> 3 & 15, fraction = bits & 7;
  float size = exponent ? __builtin_bit_cast(float, exponent + 120 << 23 | fraction << 20) : fraction * 0.001953125f;
  if ((bits & 127) == 127)
    size = __builtin_bit_cast(float, 0x7fc00000);
  y[i] = (bits & 128 ? -size : size) * scale;
}
