// The sum of n numbers by one block. A barrier is missing: which, the emulator says (README.md).
extern "C" __global__ void sum(float *out, const float *in, unsigned n) {
  __shared__ float parts[256];
  float mine = 0;
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x)
    mine += in[i];
  parts[threadIdx.x] = mine;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half)
      parts[threadIdx.x] += parts[threadIdx.x + half];
#ifdef FIXED
    __syncthreads();
#endif
  }
  if (threadIdx.x == 0)
    *out = parts[0];
}
