// Algorithms of CUB over blocks of 128 threads: code that nobody wrote for the emulator.
#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>

template <cub::BlockReduceAlgorithm algorithm>
__device__ void reduceBy(unsigned *y, const unsigned *x) {
  using Reduce = cub::BlockReduce<unsigned, 128, algorithm>;
  __shared__ typename Reduce::TempStorage storage;
  unsigned total = Reduce(storage).Sum(x[blockIdx.x * 128 + threadIdx.x]);
  if (threadIdx.x == 0)
    y[blockIdx.x] = total;
}
extern "C" __global__ void reduce_raking(unsigned *y, const unsigned *x) { reduceBy<cub::BLOCK_REDUCE_RAKING>(y, x); }
extern "C" __global__ void reduce_commutative(unsigned *y, const unsigned *x) { reduceBy<cub::BLOCK_REDUCE_RAKING_COMMUTATIVE_ONLY>(y, x); }
extern "C" __global__ void reduce_warps(unsigned *y, const unsigned *x) { reduceBy<cub::BLOCK_REDUCE_WARP_REDUCTIONS>(y, x); }

template <cub::BlockScanAlgorithm algorithm>
__device__ void scanBy(unsigned *y, const unsigned *x) {
  using Scan = cub::BlockScan<unsigned, 128, algorithm>;
  __shared__ typename Scan::TempStorage storage;
  unsigned values[4];
  for (int i = 0; i < 4; ++i)
    values[i] = x[(blockIdx.x * 128 + threadIdx.x) * 4 + i];
  Scan(storage).InclusiveSum(values, values);
  for (int i = 0; i < 4; ++i)
    y[(blockIdx.x * 128 + threadIdx.x) * 4 + i] = values[i];
}
extern "C" __global__ void scan_raking(unsigned *y, const unsigned *x) { scanBy<cub::BLOCK_SCAN_RAKING>(y, x); }
extern "C" __global__ void scan_memoize(unsigned *y, const unsigned *x) { scanBy<cub::BLOCK_SCAN_RAKING_MEMOIZE>(y, x); }
extern "C" __global__ void scan_warps(unsigned *y, const unsigned *x) { scanBy<cub::BLOCK_SCAN_WARP_SCANS>(y, x); }

// Keys and where they were.
template <class Key>
__device__ void sortBy(unsigned *y, unsigned *from, const unsigned *x) {
  using Sort = cub::BlockRadixSort<Key, 128, 4, unsigned>;
  __shared__ typename Sort::TempStorage storage;
  Key keys[4];
  unsigned numbers[4];
  for (int i = 0; i < 4; ++i) {
    numbers[i] = threadIdx.x * 4 + i;
    keys[i] = Key(x[blockIdx.x * 512 + numbers[i]]);
  }
  Sort(storage).Sort(keys, numbers);
  for (int i = 0; i < 4; ++i) {
    y[blockIdx.x * 512 + threadIdx.x * 4 + i] = unsigned(keys[i]);
    from[blockIdx.x * 512 + threadIdx.x * 4 + i] = numbers[i];
  }
}
extern "C" __global__ void sort_unsigned(unsigned *y, unsigned *from, const unsigned *x) { sortBy<unsigned>(y, from, x); }
extern "C" __global__ void sort_signed(unsigned *y, unsigned *from, const unsigned *x) { sortBy<int>(y, from, x); }
