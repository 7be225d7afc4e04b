//===- GroupsTest.cpp - kernels of groups.cu and what C++ gives -----------===//
#include "test/unit/ptx-kernels/Kernels.h"

#include <algorithm>

using namespace kernels;

namespace {

class Groups : public Kernels {
protected:
  void SetUp() override { open("groups.ptx"); }
};
INSTANTIATE_TEST_SUITE_P(Seeds, Groups, ::testing::ValuesIn(seeds()), nameOf);

TEST_P(Groups, Peers) {
  std::vector<uint32_t> x = randomWords(64, 1), counts(64), firsts(64);
  for (uint32_t &each : x)
    each %= 7;
  for (uint32_t i = 0; i < 64; ++i) {
    auto warp = x.begin() + int64_t(i / 32 * 32);
    counts[i] = uint32_t(std::count(warp, warp + 32, x[i]));
    firsts[i] = uint32_t(std::find(warp, warp + 32, x[i]) - warp);
  }
  CUdeviceptr count = empty<uint32_t>(64), first = empty<uint32_t>(64);
  run("peers", {2}, count, first, buffer(x));
  EXPECT_EQ(read<uint32_t>(count, 64), counts);
  EXPECT_EQ(read<uint32_t>(first, 64), firsts);
}

TEST_P(Groups, Reductions) {
  std::vector<uint32_t> x = randomWords(128, 2), expected;
  for (size_t warp = 0; warp < 4; ++warp) {
    uint32_t total = 0, all = 0;
    int32_t least = INT32_MAX, most = INT32_MIN;
    for (size_t i = 0; i < 32; ++i) {
      uint32_t each = x[warp * 32 + i];
      total += each;
      all ^= each;
      least = std::min(least, int32_t(each));
      most = std::max(most, int32_t(each));
    }
    for (uint32_t each : {total, uint32_t(least), uint32_t(most), all})
      expected.push_back(each);
  }
  CUdeviceptr out = empty<uint32_t>(16);
  run("reductions", {2, 64}, out, buffer(x));
  EXPECT_EQ(read<uint32_t>(out, 16), expected);
}

TEST_P(Groups, Bits) {
  std::vector<uint32_t> x = randomWords(64, 3), expected(64);
  for (size_t block = 0; block < 64; block += 32)
    for (size_t row = 0; row < 32; ++row)
      for (size_t column = 0; column < 32; ++column)
        expected[block + column] |= (x[block + row] >> column & 1) << row;
  CUdeviceptr out = empty<uint32_t>(64);
  run("bits", {2}, out, buffer(x));
  EXPECT_EQ(read<uint32_t>(out, 64), expected);
}

TEST_P(Groups, Stencil) {
  constexpr int32_t n = 300;
  std::vector<uint32_t> x = randomWords(n, 4), expected;
  for (int32_t i = 0; i < n; ++i) {
    uint32_t total = 0;
    constexpr uint32_t weights[] = {1, 4, 6, 4, 1};
    for (int32_t k = -2; k <= 2; ++k)
      if (i + k >= 0 && i + k < n)
        total += weights[k + 2] * x[size_t(i + k)];
    expected.push_back(total);
  }
  CUdeviceptr out = empty<uint32_t>(n);
  run("stencil", {3, 128}, out, buffer(x), n);
  EXPECT_EQ(read<uint32_t>(out, n), expected);
}

TEST_P(Groups, Gather) {
  constexpr uint32_t width = 40; // of four words
  constexpr int64_t rows = 9;
  std::vector<uint32_t> table = randomWords(rows * width * 4, 5), expected;
  std::vector<int64_t> numbers = {8, 0, -1, 3, 9, 3};
  for (int64_t row : numbers)
    for (size_t i = 0; i < width * 4; ++i)
      expected.push_back(
          row >= 0 && row < rows ? table[size_t(row) * width * 4 + i] : 0);
  CUdeviceptr out = empty<uint32_t>(expected.size());
  run("gather", {6, 32}, out, buffer(table), buffer(numbers), rows, width);
  EXPECT_EQ(read<uint32_t>(out, expected.size()), expected);
}

TEST_P(Groups, Search) {
  std::vector<double> list, numbers;
  for (uint32_t each : randomWords(77, 6))
    list.push_back(each % 200);
  std::ranges::sort(list);
  std::vector<uint32_t> expected;
  for (uint32_t each : randomWords(64, 7)) {
    numbers.push_back(each % 220 - 10.0);
    expected.push_back(uint32_t(std::ranges::lower_bound(list, numbers.back()) -
                                list.begin()));
  }
  CUdeviceptr out = empty<uint32_t>(64);
  run("search", {2}, out, buffer(list), buffer(numbers), 77u);
  EXPECT_EQ(read<uint32_t>(out, 64), expected);
}

std::vector<uint64_t> randomLongs(size_t count, uint32_t seed) {
  std::vector<uint32_t> words = randomWords(2 * count, seed);
  std::vector<uint64_t> result;
  for (size_t i = 0; i < count; ++i)
    result.push_back(uint64_t(words[2 * i]) << 32 | words[2 * i + 1]);
  return result;
}

TEST_P(Groups, Power) {
  constexpr uint64_t m = 0x7fffffffffffffe7, e = 0x12345;
  std::vector<uint64_t> a = randomLongs(32, 8), expected;
  for (uint64_t each : a) {
    unsigned __int128 result = 1;
    // From the highest bit on, where the kernel begins with the lowest.
    for (int bit = 63; bit >= 0; --bit) {
      result = result * result % m;
      if (e >> bit & 1)
        result = result * (each % m) % m;
    }
    expected.push_back(uint64_t(result));
  }
  CUdeviceptr out = empty<uint64_t>(32);
  run("power", {}, out, buffer(a), e, m);
  EXPECT_EQ(read<uint64_t>(out, 32), expected);
}

TEST_P(Groups, Wide) {
  std::vector<uint64_t> a = randomLongs(32, 9), b = randomLongs(32, 10), low,
                        high;
  a[0] = b[0] = ~uint64_t(0);
  for (size_t i = 0; i < 32; ++i) {
    unsigned __int128 product = (unsigned __int128)a[i] * b[i];
    product += a[i] ^ b[i];
    low.push_back(uint64_t(product));
    high.push_back(uint64_t(product >> 64));
  }
  CUdeviceptr lows = empty<uint64_t>(32), highs = empty<uint64_t>(32);
  run("wide", {}, lows, highs, buffer(a), buffer(b));
  EXPECT_EQ(read<uint64_t>(lows, 32), low);
  EXPECT_EQ(read<uint64_t>(highs, 32), high);
}

TEST_P(Groups, Walk) {
  std::vector<uint32_t> expected;
  constexpr uint32_t steps = 50;
  for (uint32_t i = 0; i < 96; ++i) {
    std::vector<uint32_t> table;
    for (uint32_t k = 0; k < 16; ++k)
      table.push_back((i + 1) * 2654435761u ^ k * 40503u);
    uint32_t at = 0;
    for (uint32_t step = 0; step < steps; ++step) {
      uint32_t a = table[at];
      at = (at + 1) % 16;
      uint32_t b = table[at];
      b ^= b << 13;
      b ^= b >> 17;
      table[at] = b ^ a * 5 ^ table[a / 128 % 16];
    }
    uint32_t result = 0;
    for (uint32_t k = 0; k < 16; ++k)
      result = result * 33 + table[(k + at) % 16];
    expected.push_back(result);
  }
  CUdeviceptr out = empty<uint32_t>(96);
  run("walk", {3}, out, steps);
  EXPECT_EQ(read<uint32_t>(out, 96), expected);
}

} // namespace
