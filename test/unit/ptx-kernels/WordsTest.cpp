//===- WordsTest.cpp - kernels of words.cu and what C++ gives -------------===//
#include "test/unit/ptx-kernels/Kernels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

using namespace kernels;

namespace {

class Words : public Kernels {
protected:
  void SetUp() override { open("words.ptx"); }
};
INSTANTIATE_TEST_SUITE_P(Seeds, Words, ::testing::ValuesIn(seeds()), nameOf);

std::vector<uint8_t> randomBytes(size_t count, uint32_t seed) {
  std::vector<uint8_t> result;
  for (uint32_t each : randomWords(count, seed))
    result.push_back(uint8_t(each >> 24));
  return result;
}

TEST_P(Words, Scan) {
  std::vector<uint32_t> x = randomWords(512, 1), expected(512);
  std::partial_sum(x.begin(), x.begin() + 256, expected.begin());
  std::partial_sum(x.begin() + 256, x.end(), expected.begin() + 256);
  CUdeviceptr out = empty<uint32_t>(512);
  run("scan", {2, 256}, out, buffer(x));
  EXPECT_EQ(read<uint32_t>(out, 512), expected);
}

TEST_P(Words, Histogram) {
  std::vector<uint8_t> bytes = randomBytes(3000, 2);
  std::vector<uint32_t> expected(256);
  for (uint8_t each : bytes)
    ++expected[each];
  CUdeviceptr out = buffer(std::vector<uint32_t>(256));
  run("histogram", {4, 256}, out, buffer(bytes), 3000u);
  EXPECT_EQ(read<uint32_t>(out, 256), expected);
}

TEST_P(Words, TopK) {
  constexpr uint32_t rows = 2, n = 200, k = 6;
  std::vector<float> x = randomFloats(rows * n, 3);
  x[7] = x[150] = 1000; // equal ones
  std::vector<uint32_t> expected;
  for (uint32_t row = 0; row < rows; ++row) {
    std::vector<uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
      float left = x[row * n + a], right = x[row * n + b];
      return left != right ? left > right : a < b;
    });
    expected.insert(expected.end(), order.begin(), order.begin() + k);
  }
  CUdeviceptr out = empty<uint32_t>(rows * k);
  run("top_k", {rows}, out, buffer(x), n, k);
  EXPECT_EQ(read<uint32_t>(out, rows * k), expected);
}

TEST_P(Words, Compact) {
  std::vector<uint32_t> x = randomWords(300, 4), expected;
  for (uint32_t &each : x)
    each = each % 3 ? 0 : each;
  std::ranges::copy_if(x, std::back_inserter(expected),
                       [](uint32_t each) { return each != 0; });
  CUdeviceptr out = empty<uint32_t>(300), count = empty<uint32_t>(1);
  run("compact", {}, out, count, buffer(x), 300u);
  ASSERT_EQ(read<uint32_t>(count, 1)[0], expected.size());
  EXPECT_EQ(read<uint32_t>(out, expected.size()), expected);
}

TEST_P(Words, Sort) {
  std::vector<uint32_t> x = randomWords(256, 5);
  CUdeviceptr out = buffer(x);
  run("sort", {1, 256}, out);
  std::ranges::sort(x);
  EXPECT_EQ(read<uint32_t>(out, 256), x);
}

TEST_P(Words, Upper) {
  std::vector<uint8_t> text = randomBytes(500, 6), expected = text;
  for (uint8_t &each : expected)
    each = each >= 'a' && each <= 'z' ? uint8_t(each - 'a' + 'A') : each;
  CUdeviceptr out = buffer(text);
  run("upper", {4, 128}, out, 500u);
  EXPECT_EQ(read<uint8_t>(out, 500), expected);
}

TEST_P(Words, Edits) {
  constexpr uint32_t n = 40;
  std::vector<uint8_t> words = randomBytes(16 * n, 7);
  for (uint8_t &each : words)
    each = 'a' + each % 3;
  std::vector<uint32_t> expected;
  for (uint32_t word = 0; word < n; ++word) {
    // The whole table, of which the kernel keeps a row.
    std::array<std::array<uint32_t, 17>, 17> table;
    for (uint32_t i = 0; i <= 16; ++i)
      for (uint32_t j = 0; j <= 16; ++j)
        table[i][j] =
            i == 0 ? j
            : j == 0
                ? i
                : std::min({table[i - 1][j] + 1, table[i][j - 1] + 1,
                            table[i - 1][j - 1] +
                                (words[i - 1] != words[word * 16 + j - 1])});
    expected.push_back(table[16][16]);
  }
  CUdeviceptr out = empty<uint32_t>(n);
  run("edits", {2, 32}, out, buffer(words), n);
  EXPECT_EQ(read<uint32_t>(out, n), expected);
}

TEST_P(Words, Checksum) {
  constexpr uint32_t each = 23;
  std::vector<uint8_t> bytes = randomBytes(64 * each, 8);
  std::string check = "123456789";
  std::array<uint32_t, 256> table;
  for (uint32_t i = 0; i < 256; ++i) {
    table[i] = i;
    for (int bit = 0; bit < 8; ++bit)
      table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
  }
  auto sum = [&](const uint8_t *from, size_t count) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < count; ++i)
      crc = crc >> 8 ^ table[(crc ^ from[i]) & 255];
    return ~crc;
  };
  EXPECT_EQ(sum(reinterpret_cast<const uint8_t *>(check.data()), 9),
            0xcbf43926u);
  std::vector<uint32_t> expected;
  for (uint32_t i = 0; i < 64; ++i)
    expected.push_back(sum(&bytes[i * each], each));
  CUdeviceptr out = empty<uint32_t>(64);
  run("checksum", {2, 32}, out, buffer(bytes), each);
  EXPECT_EQ(read<uint32_t>(out, 64), expected);
}

uint32_t ackermann(uint32_t m, uint32_t n) {
  return m == 0   ? n + 1
         : n == 0 ? ackermann(m - 1, 1)
                  : ackermann(m - 1, ackermann(m, n - 1));
}

TEST_P(Words, Recursion) {
  std::vector<uint32_t> expected;
  for (uint32_t i = 0; i < 12; ++i)
    expected.push_back(ackermann(i / 4, i % 4));
  CUdeviceptr out = empty<uint32_t>(12);
  run("recursion", {1, 12}, out);
  EXPECT_EQ(read<uint32_t>(out, 12), expected);
}

TEST_P(Words, Machine) {
  std::vector<uint8_t> program = randomBytes(103, 9);
  std::vector<uint32_t> state = randomWords(64, 10), expected;
  for (uint32_t thread = 0; thread < 64; ++thread) {
    uint32_t a = state[thread], b = thread;
    for (uint8_t code : program)
      switch ((code + thread) % 12) {
      case 0:
        a += b;
        break;
      case 1:
        a ^= b << 3;
        break;
      case 2:
        b = a * 31;
        break;
      case 3:
        a -= 77;
        break;
      case 4:
        b ^= a >> 5;
        break;
      case 5:
        a = ~a;
        break;
      case 6:
        a *= b | 1;
        break;
      case 7:
        b += 12345;
        break;
      case 8:
        std::swap(a, b);
        break;
      case 9:
        a |= 256;
        break;
      case 10:
        b &= 0xffffff;
        break;
      default:
        a = std::rotl(a, 7);
      }
    expected.push_back(a ^ b);
  }
  CUdeviceptr out = buffer(state);
  run("machine", {1, 64}, out, buffer(program), 103u);
  EXPECT_EQ(read<uint32_t>(out, 64), expected);
}

TEST_P(Words, Divide) {
  std::vector<uint32_t> words = randomWords(400, 11);
  std::vector<uint64_t> a, b, quotients, remainders;
  std::vector<int64_t> signedQuotients;
  for (size_t i = 0; i < 100; ++i) {
    // Of all widths.
    a.push_back((uint64_t(words[4 * i]) << 32 | words[4 * i + 1]) >> i % 48);
    b.push_back(
        ((uint64_t(words[4 * i + 2]) << 32 | words[4 * i + 3]) >> i * 7 % 64) |
        1);
    quotients.push_back(a[i] / b[i]);
    remainders.push_back(a[i] % b[i]);
    signedQuotients.push_back(int64_t(a[i]) / int64_t(b[i]));
  }
  CUdeviceptr q = empty<uint64_t>(100), r = empty<uint64_t>(100),
              s = empty<int64_t>(100);
  run("divide", {4, 32}, q, r, s, buffer(a), buffer(b), 100u);
  EXPECT_EQ(read<uint64_t>(q, 100), quotients);
  EXPECT_EQ(read<uint64_t>(r, 100), remainders);
  EXPECT_EQ(read<int64_t>(s, 100), signedQuotients);
}

TEST_P(Words, Pipeline) {
  constexpr uint32_t steps = 7;
  std::vector<uint32_t> x = randomWords(96 * steps, 12), expected(96);
  for (uint32_t step = 0; step < steps; ++step)
    for (uint32_t i = 0; i < 96; ++i)
      expected[i] = expected[i] * 5 + x[step * 96 + (i + 40) % 96] * 3;
  CUdeviceptr out = empty<uint32_t>(96);
  run("pipeline", {1, 128}, out, buffer(x), steps);
  EXPECT_EQ(read<uint32_t>(out, 96), expected);
}

TEST_P(Words, Diffuse) {
  constexpr uint32_t n = 5 * 48, steps = 4;
  std::vector<uint32_t> a = randomWords(n, 13), b = a;
  CUdeviceptr first = buffer(a), second = empty<uint32_t>(n),
              arrived = buffer(std::vector<uint32_t>(1));
  for (uint32_t step = 0; step < steps; ++step) {
    for (uint32_t i = 0; i < n; ++i)
      b[i] = a[i] + a[(i + 1) % n] * 2 + a[(i + n - 1) % n];
    std::swap(a, b);
  }
  Shape shape = {5, 48};
  shape.isCooperative = true;
  run("diffuse", shape, first, second, arrived, steps);
  EXPECT_EQ(read<uint32_t>(first, n), a);
}

} // namespace
