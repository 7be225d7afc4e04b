// Algorithms of CUB over warps, whole ones and parts; the first 21 lanes of a warp, which are no power of two, exchange through shared memory, the others by shuffles.
#include <cub/warp/warp_reduce.cuh>
#include <cub/warp/warp_scan.cuh>
#include <cuda/functional>

// Each lane writes what `use` gives; those of no group write zero. CUB has one group to a warp if `width` is no power of two.
template <class Algorithm, int width, class Use>
__device__ void byGroups(unsigned *y, const unsigned *x, Use use) {
  constexpr unsigned groups = width & (width - 1) ? 1 : 32 / width;
  __shared__ typename Algorithm::TempStorage storage[4 * groups];
  unsigned i = blockIdx.x * 128 + threadIdx.x, lane = threadIdx.x % 32, inWarp = lane / width;
  y[i] = inWarp < groups ? use(Algorithm(storage[threadIdx.x / 32 * groups + inWarp]), lane % width, x[i]) : 0;
}

template <int width>
__device__ void sumBy(unsigned *y, const unsigned *x) {
  using Reduce = cub::WarpReduce<unsigned, width>;
  byGroups<Reduce, width>(y, x, [](Reduce reduce, unsigned lane, unsigned value) {
    unsigned total = reduce.Sum(value);
    return lane == 0 ? total : 0;
  });
}
extern "C" __global__ void warp_sum_32(unsigned *y, const unsigned *x) { sumBy<32>(y, x); }
extern "C" __global__ void warp_sum_16(unsigned *y, const unsigned *x) { sumBy<16>(y, x); }
extern "C" __global__ void warp_sum_21(unsigned *y, const unsigned *x) { sumBy<21>(y, x); }

// Of the first 23 lanes alone.
extern "C" __global__ void warp_valid(unsigned *y, const unsigned *x) {
  using Reduce = cub::WarpReduce<unsigned>;
  byGroups<Reduce, 32>(y, x, [](Reduce reduce, unsigned lane, unsigned value) {
    unsigned most = reduce.Reduce(value, cuda::maximum<>{}, 23);
    return lane == 0 ? most : 0;
  });
}

// Of each lane whose bit 3 is set, those behind it up to the next one.
template <int width>
__device__ void segmentsBy(unsigned *y, const unsigned *x) {
  using Reduce = cub::WarpReduce<unsigned, width>;
  byGroups<Reduce, width>(y, x, [](Reduce reduce, unsigned lane, unsigned value) {
    bool begins = value & 8;
    unsigned total = reduce.HeadSegmentedSum(value, begins);
    return lane == 0 || begins ? total : 0;
  });
}
extern "C" __global__ void warp_segments_32(unsigned *y, const unsigned *x) { segmentsBy<32>(y, x); }
extern "C" __global__ void warp_segments_21(unsigned *y, const unsigned *x) { segmentsBy<21>(y, x); }

// The words before each one, of its group, with what they all are together.
template <int width>
__device__ void scanBy(unsigned *y, const unsigned *x) {
  using Scan = cub::WarpScan<unsigned, width>;
  byGroups<Scan, width>(y, x, [](Scan scan, unsigned, unsigned value) {
    unsigned before, all;
    scan.ExclusiveSum(value, before, all);
    return before ^ all;
  });
}
extern "C" __global__ void warp_scan_32(unsigned *y, const unsigned *x) { scanBy<32>(y, x); }
extern "C" __global__ void warp_scan_16(unsigned *y, const unsigned *x) { scanBy<16>(y, x); }
extern "C" __global__ void warp_scan_21(unsigned *y, const unsigned *x) { scanBy<21>(y, x); }

// The largest so far, of numbers of 64 bits.
extern "C" __global__ void warp_maxima(unsigned *y, const unsigned *x) {
  using Scan = cub::WarpScan<unsigned long long>;
  byGroups<Scan, 32>(y, x, [](Scan scan, unsigned, unsigned value) {
    unsigned long long most;
    scan.InclusiveScan((unsigned long long)value * value, most, cuda::maximum<>{});
    return unsigned(most >> 32);
  });
}
