//===- AtomicsTest.cpp - kernels of atomics.cu and what C++ gives ---------===//
#include "test/unit/ptx-kernels/Kernels.h"

#include <algorithm>
#include <limits>
#include <numeric>

using namespace kernels;

namespace {

class Atomics : public Kernels {
protected:
  void SetUp() override { open("atomics.ptx"); }
};
INSTANTIATE_TEST_SUITE_P(Seeds, Atomics, ::testing::ValuesIn(seeds()), nameOf);

TEST_P(Atomics, Maxima) {
  constexpr uint32_t n = 777;
  std::vector<float> x = randomFloats(n, 1),
                     y(5, -std::numeric_limits<float>::infinity()),
                     expected = y;
  for (uint32_t i = 0; i < n; ++i)
    expected[i % 5] = std::max(expected[i % 5], x[i]);
  CUdeviceptr out = buffer(y);
  run("maxima", {7, 128}, out, buffer(x), n);
  EXPECT_EQ(bitsOf(read<float>(out, 5)), bitsOf(expected));
}

TEST_P(Atomics, Saturate) {
  constexpr uint32_t n = 500;
  std::vector<uint16_t> x, y = {0, 65000, 1, 65535, 2, 3, 0}, expected = y;
  for (uint32_t each : randomWords(n, 2))
    x.push_back(uint16_t(each >> 25));
  for (uint32_t i = 0; i < n; ++i)
    expected[i % 7] = uint16_t(std::min(expected[i % 7] + x[i], 65535));
  CUdeviceptr out = buffer(y);
  run("saturate", {4, 128}, out, buffer(x), n);
  EXPECT_EQ(read<uint16_t>(out, 7), expected);
}

TEST_P(Atomics, Operations) {
  constexpr uint32_t n = 461;
  std::vector<uint32_t> x = randomWords(n, 3);
  std::vector<uint32_t> y = {0, 0, ~0u, 0, ~0u, 0, 0, 5, 5}, expected = y,
                        slots = {11, 12, 13}, sums = slots;
  auto least = int32_t(y[0]), most = int32_t(y[1]);
  for (uint32_t i = 0; i < n; ++i) {
    least = std::min(least, int32_t(x[i]));
    most = std::max(most, int32_t(x[i]));
    expected[2] = std::min(expected[2], x[i]);
    expected[3] = std::max(expected[3], x[i]);
    expected[4] &= x[i] | 0x00ff00ff;
    expected[5] |= x[i] & 0x0f0f0f0f;
    expected[6] ^= x[i];
    sums[i % 3] += x[i];
  }
  expected[0] = uint32_t(least);
  expected[1] = uint32_t(most);
  // 0 to 99, up and down.
  expected[7] = (5 + n) % 100;
  expected[8] = (5 + 100 - n % 100) % 100;
  CUdeviceptr out = buffer(y), slot = buffer(slots),
              taken = buffer(std::vector<uint32_t>(3));
  run("operations", {5, 96}, out, slot, taken, buffer(x), n);
  EXPECT_EQ(read<uint32_t>(out, 9), expected);
  // Nothing that was put into a slot is lost: it was taken, or is still there.
  std::vector<uint32_t> left = read<uint32_t>(slot, 3),
                        found = read<uint32_t>(taken, 3);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(left[i] + found[i], sums[i]);
    // What was put last.
    bool isOfX = false;
    for (size_t j = i; j < n; j += 3)
      isOfX |= x[j] == left[i];
    EXPECT_TRUE(isOfX) << i;
  }
}

TEST_P(Atomics, Sums) {
  constexpr uint32_t n = 700;
  std::vector<uint8_t> x;
  std::vector<float> floats(4);
  std::vector<double> doubles(4);
  std::vector<uint32_t> low(4), high(4), pairs(4);
  for (uint32_t each : randomWords(n, 4)) {
    uint8_t code = uint8_t(each >> 24);
    x.push_back(code);
    low[code % 4] += code / 4 % 8;
    high[code % 4] += code / 32;
  }
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_LE(std::max(low[i], high[i]), 2048u); // halves have them all
    floats[i] = float(low[i]);
    doubles[i] = high[i];
    pairs[i] = uint32_t(std::bit_cast<uint16_t>(_Float16(high[i]))) << 16 |
               std::bit_cast<uint16_t>(_Float16(low[i]));
  }
  CUdeviceptr f = buffer(std::vector<float>(4)),
              d = buffer(std::vector<double>(4)),
              p = buffer(std::vector<uint32_t>(4));
  run("sums", {6, 128}, f, d, p, buffer(x), n);
  EXPECT_EQ(bitsOf(read<float>(f, 4)), bitsOf(floats));
  EXPECT_EQ(bitsOf(read<double>(d, 4)), bitsOf(doubles));
  EXPECT_EQ(read<uint32_t>(p, 4), pairs);
}

TEST_P(Atomics, LookBack) {
  constexpr uint32_t n = 64 * 44 + 37, blocks = 45;
  std::vector<uint32_t> x = randomWords(n, 5), expected(n);
  std::partial_sum(x.begin(), x.end(), expected.begin());
  // Blocks of a cooperative grid run by turns, so that they do wait for each
  // other; others mostly find that those before them are done.
  for (auto [isCooperative, width] :
       {std::pair(true, 32u), {true, 3u}, {false, 32u}}) {
    CUdeviceptr out = empty<uint32_t>(n),
                tickets = buffer(std::vector<uint32_t>(1)),
                states = buffer(std::vector<uint32_t>(blocks));
    Shape shape = {blocks, 64};
    shape.isCooperative = isCooperative;
    run("look_back", shape, out, buffer(x), n, tickets, states,
        empty<uint32_t>(blocks), empty<uint32_t>(blocks), width);
    EXPECT_EQ(read<uint32_t>(out, n), expected);
  }
}

} // namespace
