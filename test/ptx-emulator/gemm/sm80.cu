// C = A · Bᵀ by cp.async and mma.sync: tiles of 64 x 64, STAGES of them on their way.
//
// A is m x k, B n x k, row by row, rows of a multiple of 16 bytes; C is m x n. ELEMENT: 0 bf16, 1 f16 (C is f32), 2 s8 (C is s32). Sizes need not fit tiles.
#include <stdint.h>

#define TILE 64        // rows of A, rows of B
#define TILE_BYTES 64  // of k
#define PITCH 80       // bytes of a row in shared memory: no two of 8 rows in one bank
#define THREADS 128    // four warps, each 32 x 32 of C

#if ELEMENT == 2
typedef int32_t Sum;
#define MMA "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32"
#define ACCUMULATOR "+r"
#define BYTES 1
#else
typedef float Sum;
#if ELEMENT == 0
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
#else
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
#endif
#define ACCUMULATOR "+f"
#define BYTES 2
#endif

__shared__ __align__(16) uint8_t tiles[STAGES][2][TILE * PITCH];

static __device__ uint32_t addressOf(const void *pointer) { return uint32_t(__cvta_generic_to_shared(pointer)); }

/// Begins to copy 64 rows from `row` on, 64 bytes from `at` on; what is beyond the matrix is zero.
static __device__ void load(uint8_t *tile, const uint8_t *matrix, int rows, int rowBytes, int row, int at) {
  for (int i = threadIdx.x; i < TILE * TILE_BYTES / 16; i += THREADS) {
    int r = i / 4, piece = i % 4 * 16;
    int left = rowBytes - at - piece;
    int size = row + r < rows && left > 0 ? min(left, 16) : 0;
    const uint8_t *from = size ? matrix + size_t(row + r) * rowBytes + at + piece : matrix;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(addressOf(tile + r * PITCH + piece)), "l"(from), "r"(size) : "memory");
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) gemm(Sum *c, const uint8_t *a, const uint8_t *b, int m, int n, int k) {
  int rowBytes = k * BYTES, steps = (rowBytes + TILE_BYTES - 1) / TILE_BYTES;
  int firstRow = blockIdx.y * TILE, firstColumn = blockIdx.x * TILE;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int warpRow = warp / 2 * 32, warpColumn = warp % 2 * 32;
  Sum sums[2][4][4] = {};
  auto begin = [&](int step) {
    if (step < steps) {
      load(tiles[step % STAGES][0], a, m, rowBytes, firstRow, step * TILE_BYTES);
      load(tiles[step % STAGES][1], b, n, rowBytes, firstColumn, step * TILE_BYTES);
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
  };
#pragma unroll 1
  for (int step = 0; step < STAGES - 1; ++step)
    begin(step);
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
    asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2) : "memory");
    // What all copied is here, and the stage that is filled next has been read by all.
    __syncthreads();
    begin(step + STAGES - 1);
    const uint8_t *tileA = tiles[step % STAGES][0], *tileB = tiles[step % STAGES][1];
#pragma unroll
    for (int at = 0; at < TILE_BYTES; at += 32) {
      uint32_t left[2][4], right[2][4];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        uint32_t address = addressOf(tileA + (warpRow + 16 * i + lane % 16) * PITCH + at + lane / 16 * 16);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(left[i][0]), "=r"(left[i][1]), "=r"(left[i][2]), "=r"(left[i][3]) : "r"(address) : "memory");
        address = addressOf(tileB + (warpColumn + 16 * i + lane % 8 + lane / 16 * 8) * PITCH + at + lane / 8 % 2 * 16);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(right[i][0]), "=r"(right[i][1]), "=r"(right[i][2]), "=r"(right[i][3]) : "r"(address) : "memory");
      }
#pragma unroll
      for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          asm volatile(MMA " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                       : ACCUMULATOR(sums[i][j][0]), ACCUMULATOR(sums[i][j][1]), ACCUMULATOR(sums[i][j][2]), ACCUMULATOR(sums[i][j][3])
                       : "r"(left[i][0]), "r"(left[i][1]), "r"(left[i][2]), "r"(left[i][3]), "r"(right[j / 2][j % 2 * 2]), "r"(right[j / 2][j % 2 * 2 + 1]));
    }
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 4; ++j)
      for (int e = 0; e < 4; ++e) {
        int row = firstRow + warpRow + 16 * i + lane / 4 + e / 2 * 8, column = firstColumn + warpColumn + 8 * j + lane % 4 * 2 + e % 2;
        if (row < m && column < n)
          c[size_t(row) * n + column] = sums[i][j][e];
      }
}
