// C = A · Bᵀ by TMA, mbarriers and wgmma: a warp that copies, two warpgroups that multiply, tiles of 128 x 128.
//
// A is m x k, B n x k, C m x n of f32, all by tensor maps: A and B in boxes of 128 bytes x 64 rows, swizzled by 128, C in boxes of 32 x 64. ELEMENT: 0 bf16,
// 1 f16, 2 e4m3. Sums of e4m3 are kept for one tile of k alone and then added in f32 (promotion). CLUSTER: blocks beside each other in a grid row that share A:
// each copies a half of it, for both. Sizes need not fit tiles.
#include <stdint.h>

#define STAGES 3
#define ROWS 128       // of A and of B in a tile
#define BOX_ROWS 64
#define ROW_BYTES 128  // of k
#define TILE_BYTES (ROWS * ROW_BYTES)
#define CONSUMERS 2    // warpgroups, 64 rows each
#define THREADS (128 * (CONSUMERS + 1))

#if ELEMENT == 0
#define WGMMA "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16"
#define SIGNS "1, 1, 0, 0"
#define BYTES 2
#elif ELEMENT == 1
#define WGMMA "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16"
#define SIGNS "1, 1, 0, 0"
#define BYTES 2
#else
#define WGMMA "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3"
#define SIGNS "1, 1"
#define BYTES 1
#endif

struct __align__(64) TensorMap {
  uint8_t bytes[128];
};

struct __align__(1024) Memory {
  uint8_t a[STAGES][TILE_BYTES], b[STAGES][TILE_BYTES];
  float c[CONSUMERS][4][64][32]; // by columns of 32: boxes of C
  uint64_t full[STAGES], empty[STAGES];
};

static __device__ uint32_t addressOf(const void *pointer) { return uint32_t(__cvta_generic_to_shared(pointer)); }

static __device__ void waitFor(uint64_t *barrier, uint32_t parity) {
  asm volatile("{\n"
               ".reg .pred p;\n"
               "WAIT_%=:\n"
               "mbarrier.try_wait.parity.shared.b64 p, [%0], %1;\n"
               "@!p bra WAIT_%=;\n"
               "}" ::"r"(addressOf(barrier)), "r"(parity) : "memory");
}

static __device__ void load(uint8_t *tile, const TensorMap &map, int row, int column, uint64_t *barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(addressOf(tile)),
               "l"(&map), "r"(column), "r"(row), "r"(addressOf(barrier)) : "memory");
}

#if CLUSTER > 1
/// The same into all blocks of the cluster.
static __device__ void loadForAll(uint8_t *tile, const TensorMap &map, int row, int column, uint64_t *barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%2, %3}], [%4], %5;" ::
                   "r"(addressOf(tile)), "l"(&map), "r"(column), "r"(row), "r"(addressOf(barrier)), "h"(uint16_t((1 << CLUSTER) - 1)) : "memory");
}
#endif

static __device__ uint64_t descriptorOf(const uint8_t *tile) {
  // Swizzled by 128: 8 rows of it are 1024 bytes.
  return uint64_t(addressOf(tile) >> 4) | uint64_t(1024 >> 4) << 32 | uint64_t(1) << 62;
}

#define D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define D16(i) D4(i), D4(i + 4), D4(i + 8), D4(i + 12)

static __device__ void multiply(float (&d)[64], uint64_t a, uint64_t b, int accumulates) {
  asm volatile("{\n"
               ".reg .pred p;\n"
               "setp.ne.b32 p, %66, 0;\n"
               WGMMA " {%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, "
               "%30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, "
               "%59, %60, %61, %62, %63}, %64, %65, p, " SIGNS ";\n"
               "}"
               : D16(0), D16(16), D16(32), D16(48)
               : "l"(a), "l"(b), "r"(accumulates));
}

/// All blocks of the cluster are done with the stage.
static __device__ void release(uint64_t *barrier) {
#if CLUSTER > 1
  for (uint32_t rank = 0; rank < CLUSTER; ++rank) {
    uint32_t remote;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(addressOf(barrier)), "r"(rank));
    asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(remote) : "memory");
  }
#else
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(addressOf(barrier)) : "memory");
#endif
}

static __device__ void synchroniseCluster() {
#if CLUSTER > 1
  asm volatile("barrier.cluster.arrive.aligned;" ::: "memory");
  asm volatile("barrier.cluster.wait.aligned;" ::: "memory");
#else
  __syncthreads();
#endif
}

extern "C" __global__ void __launch_bounds__(THREADS, 1)
#if CLUSTER > 1
__cluster_dims__(CLUSTER, 1, 1)
#endif
gemm(const __grid_constant__ TensorMap mapA, const __grid_constant__ TensorMap mapB, const __grid_constant__ TensorMap mapC, int k) {
  extern __shared__ Memory memory[];
  Memory &shared = memory[0];
  int steps = (k * BYTES + ROW_BYTES - 1) / ROW_BYTES;
  int firstRow = blockIdx.y * ROWS, firstColumn = blockIdx.x * ROWS;
  int group = threadIdx.x / 128, warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; ++i) {
      asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(addressOf(&shared.full[i])), "r"(1) : "memory");
      asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(addressOf(&shared.empty[i])), "r"(4 * CONSUMERS * CLUSTER) : "memory");
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  synchroniseCluster();
  if (group == CONSUMERS) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (warp == 0 && lane == 0) {
#pragma unroll 1
      for (int step = 0; step < steps; ++step) {
        int stage = step % STAGES, column = step * (ROW_BYTES / BYTES);
        waitFor(&shared.empty[stage], step / STAGES % 2 ^ 1);
        asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(addressOf(&shared.full[stage])), "r"(2 * TILE_BYTES) : "memory");
#if CLUSTER > 1
        // Each block of the cluster copies its part of A for all.
        uint32_t rank = blockIdx.x % CLUSTER;
        loadForAll(shared.a[stage] + rank * (TILE_BYTES / CLUSTER), mapA, firstRow + rank * (ROWS / CLUSTER), column, &shared.full[stage]);
#else
        for (int row = 0; row < ROWS; row += BOX_ROWS)
          load(shared.a[stage] + row * ROW_BYTES, mapA, firstRow + row, column, &shared.full[stage]);
#endif
        for (int row = 0; row < ROWS; row += BOX_ROWS)
          load(shared.b[stage] + row * ROW_BYTES, mapB, firstColumn + row, column, &shared.full[stage]);
      }
    }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    float d[64], sums[64] = {};
#pragma unroll
    for (int i = 0; i < 64; ++i)
      d[i] = 0;
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
      int stage = step % STAGES;
      waitFor(&shared.full[stage], step / STAGES % 2);
      asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
      for (int at = 0; at < ROW_BYTES; at += 32)
        multiply(d, descriptorOf(shared.a[stage] + group * BOX_ROWS * ROW_BYTES + at), descriptorOf(shared.b[stage] + at), ELEMENT == 2 ? at > 0 : 1);
      asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
      if (ELEMENT == 2) {
        asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
        if (lane == 0)
          release(&shared.empty[stage]);
#pragma unroll
        for (int i = 0; i < 64; ++i) {
          // The compiler must not read them before the wait.
          asm volatile("" : "+f"(d[i])::"memory");
          sums[i] += d[i];
        }
      } else {
        // The product before this one is done: its stage is free.
        asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
        if (lane == 0 && step > 0)
          release(&shared.empty[(step - 1) % STAGES]);
      }
    }
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
#pragma unroll
    for (int i = 0; i < 64; ++i) {
      asm volatile("" : "+f"(d[i])::"memory");
      if (ELEMENT != 2)
        sums[i] = d[i];
    }
#pragma unroll
    for (int i = 0; i < 64; ++i) {
      int row = warp * 16 + lane / 4 + i / 2 % 2 * 8, column = i / 4 * 8 + lane % 4 * 2 + i % 2;
      shared.c[group][column / 32][row][column % 32] = sums[i];
    }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    asm volatile("bar.sync %0, 128;" ::"r"(group + 1) : "memory");
    if (threadIdx.x % 128 == 0) {
      for (int i = 0; i < 4; ++i)
        asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%1, %2}], [%3];" ::"l"(&mapC), "r"(firstColumn + 32 * i),
                     "r"(firstRow + 64 * group), "r"(addressOf(shared.c[group][i])) : "memory");
      asm volatile("cp.async.bulk.commit_group;" ::: "memory");
      asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
    }
  }
#if CLUSTER > 1
  // No block exits while others may still copy into it, or arrive at its barriers.
  synchroniseCluster();
#endif
}
