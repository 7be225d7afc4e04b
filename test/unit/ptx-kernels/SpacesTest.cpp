//===- SpacesTest.cpp - kernels of spaces.cu and what C++ gives -----------===//
#include "test/unit/ptx-kernels/Kernels.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <sstream>

using namespace kernels;

namespace {

class Spaces : public Kernels {
protected:
  void SetUp() override { open("spaces.ptx"); }
};
INSTANTIATE_TEST_SUITE_P(Seeds, Spaces, ::testing::ValuesIn(seeds()), nameOf);

TEST_P(Spaces, FourBitFloats) {
  constexpr uint32_t n = 333;
  std::vector<uint8_t> codes;
  std::vector<float> scales = randomFloats((n + 31) / 32, 2), expected;
  for (uint32_t each : randomWords((n + 1) / 2, 1))
    codes.push_back(uint8_t(each >> 24));
  for (uint32_t i = 0; i < n; ++i) {
    uint32_t code = i % 2 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
    uint32_t exponent = code >> 1 & 3, fraction = code & 1;
    float size = exponent ? float(2 + fraction) * float(1u << exponent) / 4
                          : float(fraction) / 2;
    expected.push_back((code & 8 ? -size : size) * scales[i / 32]);
  }
  CUdeviceptr out = empty<float>(n);
  run("dequantise_fp4", {4, 96}, out, buffer(codes), buffer(scales), n);
  EXPECT_EQ(bitsOf(read<float>(out, n)), bitsOf(expected));
}

TEST_P(Spaces, Mix) {
  constexpr uint32_t n = 201, places[] = {3, 1, 4, 1, 5, 9, 2, 6},
                     primes[] = {2, 3, 5, 7, 11, 13, 0, 0, 0, 0};
  std::vector<uint32_t> x = randomWords(n, 3), expected;
  for (uint32_t i = 0; i < n; ++i)
    expected.push_back(x[i] * places[i % 8] + primes[places[x[i] % 8]]);
  CUdeviceptr out = empty<uint32_t>(n);
  run("mix", {4, 64}, out, buffer(x), n);
  EXPECT_EQ(read<uint32_t>(out, n), expected);
}

TEST_P(Spaces, Reverse) {
  // 60,004 bytes: more than a launch gets without asking.
  constexpr uint32_t n = 15001;
  std::vector<uint32_t> x = randomWords(n, 4);
  CUdeviceptr out = buffer(x);
  Shape shape = {1, 320};
  shape.sharedBytes = n * 4;
  run("reverse", shape, out, n);
  std::ranges::reverse(x);
  EXPECT_EQ(read<uint32_t>(out, n), x);
}

TEST_P(Spaces, SortRows) {
  constexpr uint32_t rows = 3, n = 151;
  std::vector<float> x, expected;
  std::vector<uint32_t> from;
  for (uint32_t each : randomWords(rows * n, 5))
    x.push_back(float(each % 50) - 20); // many are alike
  for (uint32_t row = 0; row < rows; ++row) {
    const float *numbers = &x[row * n];
    std::vector<uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
      return numbers[a] != numbers[b] ? numbers[a] < numbers[b] : a < b;
    });
    for (uint32_t each : order) {
      from.push_back(each);
      expected.push_back(numbers[each]);
    }
  }
  CUdeviceptr out = empty<float>(rows * n), where = empty<uint32_t>(rows * n);
  Shape shape = {rows, 64};
  shape.sharedBytes = n * 8;
  run("sort_rows", shape, out, where, buffer(x), n);
  EXPECT_EQ(bitsOf(read<float>(out, rows * n)), bitsOf(expected));
  EXPECT_EQ(read<uint32_t>(where, rows * n), from);
}

TEST_P(Spaces, Describe) {
  constexpr int32_t n = 150;
  std::vector<int32_t> numbers;
  std::vector<double> sizes;
  for (uint32_t each : randomWords(n, 6)) {
    numbers.push_back(int32_t(each) >> each % 24);
    sizes.push_back(int32_t(each) / 1024.0);
  }
  std::vector<std::string> expected;
  for (int32_t i = 0; i < n; ++i)
    if (numbers[size_t(i)] & 1) {
      char line[200];
      int32_t number = numbers[size_t(i)];
      double size = sizes[size_t(i)];
      std::snprintf(line, sizeof line, "%4u: %+d %08x %c %-6s|%.3f %e %lld%%",
                    unsigned(i), number, unsigned(number), 'a' + i % 26,
                    i % 3 ? "left" : "right", size, size,
                    (long long)number * 1048576);
      expected.push_back(line);
    }
  CUdeviceptr x = buffer(numbers), y = buffer(sizes);
  auto print = [&] {
    ::testing::internal::CaptureStdout();
    run("describe", {3, 64}, x, y, uint32_t(n));
    return ::testing::internal::GetCapturedStdout();
  };
  // In which order blocks and warps print nobody says, but a seed does.
  std::string text = print();
  EXPECT_EQ(print(), text);
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  std::ranges::sort(lines);
  std::ranges::sort(expected);
  EXPECT_EQ(lines, expected);
}

} // namespace
