//===- TensorsTest.cpp - kernels of tensors.mlir and what C++ gives -------===//
#include "test/unit/ptx-kernels/Kernels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace kernels;

namespace {

class Tensors : public Kernels {
protected:
  void SetUp() override { open("tensors.ptx"); }
};
INSTANTIATE_TEST_SUITE_P(Seeds, Tensors, ::testing::ValuesIn(seeds()), nameOf);

TEST_P(Tensors, ScaleAdd) {
  std::vector<float> x = randomFloats(1000, 1), y = randomFloats(1000, 2),
                     expected = y;
  constexpr uint32_t n = 900;
  for (uint32_t i = 0; i < n; ++i)
    expected[i] = std::fma(-1.7f, x[i], y[i]);
  CUdeviceptr out = buffer(y);
  run("scale_add", {8, 128}, out, buffer(x), -1.7f, n);
  EXPECT_EQ(bitsOf(read<float>(out, 1000)), bitsOf(expected));
}

TEST_P(Tensors, RowMaxima) {
  std::vector<float> x = randomFloats(16 * 24, 3), expected;
  for (uint32_t row = 0; row < 16; ++row)
    x[row * 24 + row * 5 % 24] = 100; // the largest, in many places
  x[24 + 9] = std::nanf("");
  for (uint32_t row = 0; row < 16; ++row)
    expected.push_back(*std::max_element(&x[row * 24], &x[row * 24] + 24));
  expected[1] = std::bit_cast<float>(0x7fffffffu); // the NaN of instructions
  CUdeviceptr out = empty<float>(16);
  run("row_maxima", {1, 16}, out, buffer(x));
  EXPECT_EQ(bitsOf(read<float>(out, 16)), bitsOf(expected));
}

TEST_P(Tensors, Reverse) {
  std::vector<uint32_t> x = randomWords(256, 4);
  CUdeviceptr out = buffer(x);
  run("reverse", {4, 64}, out);
  for (size_t block = 0; block < 4; ++block)
    std::reverse(x.begin() + int64_t(block) * 64,
                 x.begin() + int64_t(block + 1) * 64);
  EXPECT_EQ(read<uint32_t>(out, 256), x);
}

TEST_P(Tensors, WarpSums) {
  std::vector<uint32_t> x = randomWords(128, 5), expected(4);
  for (size_t i = 0; i < 128; ++i)
    expected[i / 32] += x[i];
  CUdeviceptr out = empty<uint32_t>(4);
  run("warp_sums", {4, 32}, out, buffer(x));
  EXPECT_EQ(read<uint32_t>(out, 4), expected);
}

TEST_P(Tensors, Counts) {
  std::vector<uint8_t> x;
  std::vector<uint32_t> expected(16);
  for (uint32_t each : randomWords(512, 6)) {
    x.push_back(uint8_t(each >> 9));
    ++expected[x.back() & 15];
  }
  CUdeviceptr out = buffer(std::vector<uint32_t>(16));
  run("counts", {4, 128}, out, buffer(x));
  EXPECT_EQ(read<uint32_t>(out, 16), expected);
}

TEST_P(Tensors, Halves) {
  std::vector<float> x = randomFloats(64, 7);
  std::vector<uint16_t> expected;
  for (float each : x) {
    auto half = _Float16(each);
    // A product and a sum, each rounded once.
    auto square = _Float16(float(half) * float(half));
    expected.push_back(
        std::bit_cast<uint16_t>(_Float16(float(square) + float(half))));
  }
  CUdeviceptr out = empty<uint16_t>(64);
  run("halves", {1, 64}, out, buffer(x));
  EXPECT_EQ(read<uint16_t>(out, 64), expected);
}

TEST_P(Tensors, Divisors) {
  std::vector<uint64_t> a, b, expected;
  std::vector<uint32_t> words = randomWords(256, 8);
  for (size_t i = 0; i < 64; ++i) {
    uint64_t common = words[4 * i] >> 20 | 1;
    a.push_back((uint64_t(words[4 * i + 1]) << 8) * common);
    b.push_back(uint64_t(words[4 * i + 2] >> i % 20) * common);
    expected.push_back(std::gcd(a[i], b[i]));
  }
  CUdeviceptr out = empty<uint64_t>(64);
  run("divisors", {1, 64}, out, buffer(a), buffer(b));
  EXPECT_EQ(read<uint64_t>(out, 64), expected);
}

TEST_P(Tensors, Interpret) {
  std::vector<uint8_t> program;
  for (uint32_t each : randomWords(100, 9))
    program.push_back(uint8_t((each >> 24) % 8)); // 6 and 7 have no case
  std::vector<uint32_t> state = randomWords(96, 10), expected;
  for (uint32_t i = 0; i < 96; ++i) {
    uint32_t a = state[i], b = i;
    for (size_t at = i % 7; at < 90; ++at)
      if (program[at] == 0) {
        a += b;
      } else if (program[at] == 1) {
        a ^= b * 8;
      } else if (program[at] == 2) {
        std::swap(a, b);
        b *= 5;
      } else if (program[at] == 3) {
        b ^= a / 32;
      } else if (program[at] == 4) {
        b = a;
        a /= 3;
      } else if (program[at] == 5) {
        if (a < b)
          std::swap(a, b);
        else
          a -= b;
      } else {
        b -= 3;
      }
    expected.push_back(a ^ b);
  }
  CUdeviceptr out = buffer(state);
  run("interpret", {1, 96}, out, buffer(program), 90u);
  EXPECT_EQ(read<uint32_t>(out, 96), expected);
}

} // namespace
