//===- RowsTest.cpp - kernels of rows.cu and what C++ gives ---------------===//
#include "test/unit/ptx-kernels/Kernels.h"

#include <cmath>

using namespace kernels;

namespace {

class Rows : public Kernels {
protected:
  void SetUp() override { open("rows.ptx"); }
};
INSTANTIATE_TEST_SUITE_P(Seeds, Rows, ::testing::ValuesIn(seeds()), nameOf);

/// What 32 lanes that exchange by halves add up to.
float sumOfLanes(std::vector<float> lanes) {
  for (size_t step = 16; step; step /= 2) {
    std::vector<float> next = lanes;
    for (size_t i = 0; i < 32; ++i)
      next[i] = lanes[i] + lanes[i ^ step];
    lanes = next;
  }
  return lanes[0];
}

/// The emulator gives the nearest float, a GPU perhaps one beside it.
float power2(float x) { return float(std::exp2(double(x))); }

TEST_P(Rows, Axpy) {
  constexpr uint32_t n = 1000;
  std::vector<float> x = randomFloats(n, 1), y = randomFloats(n, 2), expected;
  for (uint32_t i = 0; i < n; ++i)
    expected.push_back(std::fma(0.3f, x[i], y[i]));
  CUdeviceptr out = buffer(y);
  run("axpy", {8, 128}, out, buffer(x), 0.3f, n);
  EXPECT_EQ(bitsOf(read<float>(out, n)), bitsOf(expected));
}

TEST_P(Rows, Gate) {
  constexpr uint32_t n = 777;
  std::vector<float> x = randomFloats(n, 3), g = randomFloats(n, 4), expected;
  for (uint32_t i = 0; i < n; ++i)
    expected.push_back(x[i] * g[i] / (1 + std::fabs(g[i])));
  CUdeviceptr out = empty<float>(n);
  run("gate", {2, 64}, out, buffer(x), buffer(g), n);
  EXPECT_EQ(bitsOf(read<float>(out, n)), bitsOf(expected));
}

TEST_P(Rows, Softmax) {
  constexpr uint32_t rows = 3, n = 100;
  std::vector<float> x = randomFloats(rows * n, 5), expected(rows * n);
  for (uint32_t row = 0; row < rows; ++row) {
    const float *in = &x[row * n];
    float most = *std::max_element(in, in + n);
    std::vector<float> lanes(32);
    for (uint32_t i = 0; i < n; ++i)
      lanes[i % 32] += power2((in[i] - most) * 1.44269504f);
    float total = sumOfLanes(lanes);
    for (uint32_t i = 0; i < n; ++i)
      expected[row * n + i] = power2((in[i] - most) * 1.44269504f) / total;
  }
  CUdeviceptr out = empty<float>(rows * n);
  run("softmax", {rows}, out, buffer(x), n);
  EXPECT_EQ(bitsOf(read<float>(out, rows * n)), bitsOf(expected));
}

TEST_P(Rows, RmsNorm) {
  constexpr uint32_t rows = 2, n = 300;
  std::vector<float> x = randomFloats(rows * n, 6),
                     weights = randomFloats(n, 7), expected(rows * n);
  for (uint32_t i = n; i < 2 * n; ++i)
    x[i] *= 0x1p-10f; // a row where the constant matters
  for (uint32_t row = 0; row < rows; ++row) {
    std::vector<float> warps[4];
    for (std::vector<float> &each : warps)
      each.resize(32);
    for (uint32_t i = 0; i < n; ++i) {
      float &lane = warps[i % 128 / 32][i % 32], value = x[row * n + i];
      lane = std::fma(value, value, lane);
    }
    float total = 0;
    for (size_t warp = 0; warp < 4; ++warp)
      total = warp ? total + sumOfLanes(warps[warp]) : sumOfLanes(warps[warp]);
    float scale = 1 / std::sqrt(total / float(n) + 1e-6f);
    for (uint32_t i = 0; i < n; ++i)
      expected[row * n + i] = x[row * n + i] * scale * weights[i];
  }
  CUdeviceptr out = empty<float>(rows * n);
  run("rmsnorm", {rows, 128}, out, buffer(x), buffer(weights), n);
  EXPECT_EQ(bitsOf(read<float>(out, rows * n)), bitsOf(expected));
}

TEST_P(Rows, Rope) {
  constexpr uint32_t rows = 5, pairs = 24;
  std::vector<float> x = randomFloats(2 * rows * pairs, 8), cosines, sines,
                     expected;
  for (uint32_t i = 0; i < rows * pairs; ++i) {
    cosines.push_back(std::cos(float(i)));
    sines.push_back(std::sin(float(i)));
    float a = x[2 * i], b = x[2 * i + 1];
    expected.push_back(a * cosines[i] - b * sines[i]);
    expected.push_back(a * sines[i] + b * cosines[i]);
  }
  CUdeviceptr out = buffer(x);
  run("rope", {rows, 32}, out, buffer(cosines), buffer(sines), pairs);
  EXPECT_EQ(bitsOf(read<float>(out, x.size())), bitsOf(expected));
}

TEST_P(Rows, Transpose) {
  constexpr uint32_t rows = 45, columns = 70;
  std::vector<uint32_t> x = randomWords(rows * columns, 9),
                        expected(rows * columns);
  for (uint32_t row = 0; row < rows; ++row)
    for (uint32_t column = 0; column < columns; ++column)
      expected[column * rows + row] = x[row * columns + column];
  CUdeviceptr out = empty<uint32_t>(rows * columns);
  run("transpose", {3, 32, 2, 8}, out, buffer(x), rows, columns);
  EXPECT_EQ(read<uint32_t>(out, rows * columns), expected);
}

/// Products of the floats that `widen` makes, added up in the order of k.
template <class T, class Widen>
std::vector<float> multiply(const std::vector<T> &a, const std::vector<T> &b,
                            uint32_t m, uint32_t n, uint32_t k, Widen widen) {
  std::vector<float> result(m * n);
  for (uint32_t row = 0; row < m; ++row)
    for (uint32_t column = 0; column < n; ++column)
      for (uint32_t i = 0; i < k; ++i)
        result[row * n + column] =
            std::fma(widen(a[row * k + i]), widen(b[i * n + column]),
                     result[row * n + column]);
  return result;
}

TEST_P(Rows, Matmul) {
  constexpr uint32_t m = 35, n = 20, k = 50;
  std::vector<float> a = randomFloats(m * k, 10), b = randomFloats(k * n, 11);
  CUdeviceptr out = empty<float>(m * n);
  run("matmul", {2, 16, 3, 16}, out, buffer(a), buffer(b), m, n, k);
  EXPECT_EQ(bitsOf(read<float>(out, m * n)),
            bitsOf(multiply(a, b, m, n, k, [](float x) { return x; })));
}

TEST_P(Rows, MatmulOfBf16) {
  constexpr uint32_t m = 17, n = 9, k = 43;
  std::vector<uint16_t> a, b, expected;
  for (float each : randomFloats(m * k, 12))
    a.push_back(uint16_t(std::bit_cast<uint32_t>(each) >> 16));
  for (float each : randomFloats(k * n, 13))
    b.push_back(uint16_t(std::bit_cast<uint32_t>(each) >> 16));
  auto widen = [](uint16_t bits) {
    return std::bit_cast<float>(uint32_t(bits) << 16);
  };
  for (float each : multiply(a, b, m, n, k, widen)) {
    uint32_t bits = std::bit_cast<uint32_t>(each);
    // To nearest, halves to even.
    expected.push_back(uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
  }
  CUdeviceptr out = empty<uint16_t>(m * n);
  run("matmul_bf16", {2, 8, 3, 8}, out, buffer(a), buffer(b), m, n, k);
  EXPECT_EQ(read<uint16_t>(out, m * n), expected);
}

TEST_P(Rows, MatmulOfF16) {
  constexpr uint32_t m = 12, n = 15, k = 35;
  std::vector<uint16_t> a, b, expected;
  for (float each : randomFloats(m * k, 14))
    a.push_back(std::bit_cast<uint16_t>(_Float16(each)));
  for (float each : randomFloats(k * n, 15))
    b.push_back(std::bit_cast<uint16_t>(_Float16(each)));
  auto widen = [](uint16_t bits) {
    return float(std::bit_cast<_Float16>(bits));
  };
  for (float each : multiply(a, b, m, n, k, widen))
    expected.push_back(std::bit_cast<uint16_t>(_Float16(each)));
  CUdeviceptr out = empty<uint16_t>(m * n);
  run("matmul_f16", {2, 8, 2, 8}, out, buffer(a), buffer(b), m, n, k);
  EXPECT_EQ(read<uint16_t>(out, m * n), expected);
}

TEST_P(Rows, DotOfDoubles) {
  constexpr uint32_t n = 500;
  std::vector<double> a, b, partial(64);
  for (uint32_t each : randomWords(n, 16))
    a.push_back(each * 0x1p-31 - 1);
  for (uint32_t each : randomWords(n, 17))
    b.push_back(each * 0x1p-31 - 1);
  for (uint32_t i = 0; i < n; ++i)
    partial[i % 64] += a[i] * b[i];
  for (size_t step = 32; step; step /= 2)
    for (size_t i = 0; i < step; ++i)
      partial[i] += partial[i + step];
  CUdeviceptr out = empty<double>(1);
  run("dot", {1, 64}, out, buffer(a), buffer(b), n);
  EXPECT_EQ(bitsOf(read<double>(out, 1)),
            bitsOf(std::vector<double>{partial[0]}));
}

TEST_P(Rows, FourBitsAndBack) {
  constexpr uint32_t rows = 4, n = 64;
  std::vector<float> x = randomFloats(rows * n, 18), scales, back;
  std::vector<uint32_t> packed(rows * n / 8);
  for (uint32_t row = 0; row < rows; ++row) {
    float most = 0;
    for (uint32_t i = 0; i < n; ++i)
      most = std::max(most, std::fabs(x[row * n + i]));
    scales.push_back(most / 7);
    for (uint32_t i = 0; i < n; ++i) {
      auto value = int32_t(std::nearbyint(x[row * n + i] / scales[row]));
      packed[(row * n + i) / 8] |= uint32_t(value & 15) << 4 * (i % 8);
      back.push_back(float(value) * scales[row]);
    }
  }
  CUdeviceptr words = empty<uint32_t>(packed.size()),
              scale = empty<float>(rows), floats = empty<float>(rows * n);
  run("quantise_int4", {rows}, words, scale, buffer(x), n);
  EXPECT_EQ(read<uint32_t>(words, packed.size()), packed);
  EXPECT_EQ(bitsOf(read<float>(scale, rows)), bitsOf(scales));
  run("dequantise_int4", {rows, 48}, floats, words, scale, n);
  EXPECT_EQ(bitsOf(read<float>(floats, rows * n)), bitsOf(back));
}

TEST_P(Rows, EightBitFloats) {
  std::vector<uint8_t> codes;
  std::vector<float> expected;
  for (int code = 0; code < 256; ++code) {
    codes.push_back(uint8_t(code));
    int exponent = code >> 3 & 15, fraction = code & 7;
    double size = exponent ? std::ldexp(8 + fraction, exponent - 10)
                           : std::ldexp(fraction, -9);
    expected.push_back(float(code & 128 ? -size : size) * 0.7f);
    if ((code & 127) == 127)
      // Products have one NaN.
      expected.back() = std::bit_cast<float>(0x7fffffffu);
  }
  CUdeviceptr out = empty<float>(256);
  run("dequantise_fp8", {3, 96}, out, buffer(codes), 0.7f, 256u);
  EXPECT_EQ(bitsOf(read<float>(out, 256)), bitsOf(expected));
}

} // namespace
