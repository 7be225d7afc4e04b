//===- HopperTest.cpp - kernels of hopper.mlir and what C++ gives ---------===//
#include "test/unit/ptx-kernels/Kernels.h"

using namespace kernels;

namespace {

class Hopper : public Kernels {
protected:
  void SetUp() override { open("hopper.ptx"); }
};
INSTANTIATE_TEST_SUITE_P(SeedsAndModes, Hopper,
                         ::testing::ValuesIn(seedsAndModes()), nameOf);

TEST_P(Hopper, ColumnSums) {
  constexpr uint32_t rows = 75, columns = 76;
  std::vector<float> x = randomFloats(rows * columns, 1), expected(96);
  for (uint32_t row = 0; row < rows; ++row)
    for (uint32_t column = 0; column < columns; ++column)
      expected[column] += x[row * columns + column];
  CUdeviceptr out = empty<float>(96);
  CUdeviceptr tensor =
      map(buffer(x), CU_TENSOR_MAP_DATA_TYPE_FLOAT32, sizeof(float),
          {columns, rows}, {32, 16}, CU_TENSOR_MAP_SWIZZLE_NONE);
  run("column_sums", {3, 32}, out, tensor);
  EXPECT_EQ(bitsOf(read<float>(out, 96)), bitsOf(expected));
}

TEST_P(Hopper, Multiply) {
  constexpr uint32_t m = 100, n = 152, k = 88, stride = 256;
  // Numbers of sixteenths, whose products add up without rounding.
  auto halves = [](size_t count, uint32_t seed, std::vector<float> &values) {
    std::vector<_Float16> result;
    for (uint32_t each : randomWords(count, seed)) {
      values.push_back(float(int32_t(each >> 24) - 128) / 16);
      result.push_back(_Float16(values.back()));
    }
    return result;
  };
  std::vector<float> a, b, expected(128 * stride);
  CUdeviceptr left = buffer(halves(m * k, 2, a)),
              right = buffer(halves(k * n, 3, b));
  for (uint32_t row = 0; row < m; ++row)
    for (uint32_t column = 0; column < n; ++column)
      for (uint32_t i = 0; i < k; ++i)
        expected[row * stride + column] += a[row * k + i] * b[i * n + column];
  CUdeviceptr out = empty<float>(expected.size());
  auto tensor = [&](CUdeviceptr base, uint32_t columns, uint32_t rows) {
    return map(base, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, sizeof(_Float16),
               {columns, rows}, {64, 64}, CU_TENSOR_MAP_SWIZZLE_128B);
  };
  run("multiply", {2, 128, 2}, out, tensor(left, k, m), tensor(right, n, k), k);
  EXPECT_EQ(bitsOf(read<float>(out, expected.size())), bitsOf(expected));
}

} // namespace
