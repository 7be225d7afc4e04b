// Kernels with constant memory, shared memory whose size the launch gives, and text. Only printf is of the toolkit's headers.
#define KERNEL extern "C" __global__ void

// What the 16 codes of e2m1 stand for, and where each row of a table begins.
__constant__ float values[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
__constant__ unsigned char places[8] = {3, 1, 4, 1, 5, 9, 2, 6};
__device__ unsigned primes[10] = {2, 3, 5, 7, 11, 13}; // the rest is zero

// Two codes to a byte, the first one low; a scale for each 32 numbers.
KERNEL dequantise_fp4(float *y, const unsigned char *x, const float *scales, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    y[i] = values[x[i / 2] >> i % 2 * 4 & 15] * scales[i / 32];
}

// Words of a constant array by another, and a variable that the host did not write.
KERNEL mix(unsigned *y, const unsigned *x, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    y[i] = x[i] * places[i % 8] + primes[places[x[i] % 8]];
}

// n words in the opposite order, by one block, through as much shared memory as they need.
extern __shared__ unsigned words[];
KERNEL reverse(unsigned *x, unsigned n) {
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x)
    words[i] = x[i];
  __syncthreads();
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x)
    x[i] = words[n - 1 - i];
}

// Rows in ascending order, equal numbers as they stood, and where they stood: two arrays behind each other.
KERNEL sort_rows(float *y, unsigned *from, const float *x, unsigned n) {
  float *row = reinterpret_cast<float *>(words);
  unsigned *numbers = words + n;
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x)
    row[i] = x[blockIdx.x * n + i];
  __syncthreads();
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) {
    unsigned rank = 0;
    for (unsigned j = 0; j < n; ++j)
      rank += row[j] < row[i] || (row[j] == row[i] && j < i);
    numbers[rank] = i;
  }
  __syncthreads();
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) {
    from[blockIdx.x * n + i] = numbers[i];
    y[blockIdx.x * n + i] = row[numbers[i]];
  }
}

// A line of each thread whose number is odd.
KERNEL describe(const int *numbers, const double *sizes, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && numbers[i] & 1)
    printf("%4u: %+d %08x %c %-6s|%.3f %e %lld%%\n", i, numbers[i], numbers[i], 'a' + int(i % 26), i % 3 ? "left" : "right", sizes[i], sizes[i], (long long)numbers[i] << 20);
}
