//===- FormatsTest.cpp - kernels of formats.cu and what C++ gives ---------===//
#include "test/unit/ptx-kernels/Kernels.h"

#include <algorithm>
#include <cmath>

using namespace kernels;

namespace {

class Formats : public Kernels {
protected:
  void SetUp() override { open("formats.ptx"); }
};
INSTANTIATE_TEST_SUITE_P(Seeds, Formats, ::testing::ValuesIn(seeds()), nameOf);

/// A format of 8 bits: what each code below the first without a number means.
struct Format {
  int fractionBits, bias;
  uint32_t largest;

  double operator()(uint32_t code) const {
    uint32_t exponent = code >> fractionBits;
    uint32_t fraction = code & ((1u << fractionBits) - 1);
    if (exponent)
      fraction |= 1u << fractionBits;
    return std::ldexp(fraction,
                      int(exponent ? exponent : 1) - bias - fractionBits);
  }
  /// The nearest one, the even one of two, by looking at all.
  uint8_t encode(float value) const {
    double size = std::fabs(double(value)), best = INFINITY;
    uint32_t result = 0;
    for (uint32_t code = 0; code <= largest; ++code) {
      double distance = std::fabs((*this)(code)-size);
      if (distance < best || (distance == best && code % 2 == 0)) {
        best = distance;
        result = code;
      }
    }
    return uint8_t(result | uint32_t(std::signbit(value)) << 7);
  }
  float decode(uint8_t code) const {
    double size = (*this)(code & 127);
    return float(code & 128 ? -size : size);
  }
};
constexpr Format e4m3 = {3, 7, 0x7e}, e5m2 = {2, 15, 0x7b};

class EightBits : public Formats {
protected:
  void test(const Format &format, const char *quantise,
            const char *dequantise) {
    // A group is whole, or ends in any place of four numbers.
    for (uint32_t n : {128u * 6, 128u * 5 + 41, 128u * 5 + 42, 128u * 5 + 43})
      test(format, quantise, dequantise, n);
  }
  void test(const Format &format, const char *quantise, const char *dequantise,
            uint32_t n) {
    constexpr uint32_t groups = 6;
    std::vector<float> x = randomFloats(n, 1), scales(groups), back;
    std::fill(&x[128], &x[256], 0.0f); // nothing to scale by
    x[130] = -0.0f;
    // Beside a large one, what is subnormal and what is nothing.
    x[256] = 1000;
    for (uint32_t i = 257; i < 384; ++i)
      x[i] = std::ldexp(x[i], -int(i - 257) / 4);
    std::vector<uint8_t> codes;
    for (uint32_t i = 0; i < n; ++i)
      scales[i / 128] = std::max(scales[i / 128], std::fabs(x[i]));
    for (float &each : scales)
      each = each > 0 ? each / float(format(format.largest)) : 1;
    for (uint32_t i = 0; i < n; ++i) {
      codes.push_back(format.encode(x[i] / scales[i / 128]));
      back.push_back(format.decode(codes.back()) * scales[i / 128]);
    }
    CUdeviceptr bytes = empty<uint8_t>(n), scale = empty<float>(groups),
                floats = empty<float>(n);
    run(quantise, {2, 128}, bytes, scale, buffer(x), n);
    EXPECT_EQ(bitsOf(read<float>(scale, groups)), bitsOf(scales));
    EXPECT_EQ(read<uint8_t>(bytes, n), codes);
    run(dequantise, {3, 64}, floats, bytes, scale, n);
    EXPECT_EQ(bitsOf(read<float>(floats, n)), bitsOf(back));
  }
};
INSTANTIATE_TEST_SUITE_P(Seeds, EightBits, ::testing::ValuesIn(seeds()),
                         nameOf);

TEST_P(EightBits, E4M3) { test(e4m3, "quantise_e4m3", "dequantise_e4m3"); }
TEST_P(EightBits, E5M2) { test(e5m2, "quantise_e5m2", "dequantise_e5m2"); }

TEST_P(Formats, FourBitsWithZeroPoint) {
  constexpr uint32_t rows = 3, n = 303, words = 38;
  std::vector<float> x = randomFloats(rows * n, 2), scales, back;
  for (uint32_t i = n; i < 2 * n; ++i)
    x[i] = std::fabs(x[i]); // a row whose least is zero
  std::vector<uint8_t> zeros;
  std::vector<uint32_t> packed(rows * words);
  for (uint32_t row = 0; row < rows; ++row) {
    auto [least, most] = std::minmax_element(&x[row * n], &x[row * n] + n);
    float low = std::min(*least, 0.0f), high = std::max(*most, 0.0f);
    scales.push_back((high - low) / 15);
    zeros.push_back(uint8_t(std::nearbyint(-low / scales[row])));
    for (uint32_t i = 0; i < n; ++i) {
      int value =
          int(std::nearbyint(x[row * n + i] / scales[row])) + zeros[row];
      value = std::clamp(value, 0, 15);
      packed[row * words + i / 8] |= uint32_t(value) << 4 * (i % 8);
      back.push_back(float(value - zeros[row]) * scales[row]);
    }
  }
  CUdeviceptr bits = empty<uint32_t>(packed.size()), scale = empty<float>(rows),
              zero = empty<uint8_t>(rows), floats = empty<float>(rows * n);
  run("quantise_uint4", {rows}, bits, scale, zero, buffer(x), n);
  EXPECT_EQ(read<uint32_t>(bits, packed.size()), packed);
  EXPECT_EQ(bitsOf(read<float>(scale, rows)), bitsOf(scales));
  EXPECT_EQ(read<uint8_t>(zero, rows), zeros);
  run("dequantise_uint4", {rows, 48}, floats, bits, scale, zero, n);
  EXPECT_EQ(bitsOf(read<float>(floats, rows * n)), bitsOf(back));
}

TEST_P(Formats, Sums) {
  constexpr uint32_t n = 450;
  std::vector<uint8_t> x;
  std::vector<uint32_t> low(4), high(4), pairs;
  std::vector<uint16_t> singles, halves;
  for (uint32_t each : randomWords(n, 3)) {
    uint8_t code = uint8_t(each >> 24);
    x.push_back(code);
    low[code % 4] += code / 4 % 2;
    high[code % 4] += code / 8 % 4;
  }
  // bf16: the upper half of a float.
  auto brief = [](uint32_t number) {
    return uint16_t(std::bit_cast<uint32_t>(float(number)) >> 16);
  };
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_LE(std::max(low[i], high[i]), 256u); // bf16 has them all
    pairs.push_back(uint32_t(brief(high[i])) << 16 | brief(low[i]));
    singles.push_back(brief(low[i]));
    halves.push_back(std::bit_cast<uint16_t>(_Float16(high[i])));
  }
  CUdeviceptr p = buffer(std::vector<uint32_t>(4)),
              s = buffer(std::vector<uint16_t>(4)),
              h = buffer(std::vector<uint16_t>(4));
  run("sums", {5, 128}, p, s, h, buffer(x), n);
  EXPECT_EQ(read<uint32_t>(p, 4), pairs);
  EXPECT_EQ(read<uint16_t>(s, 4), singles);
  EXPECT_EQ(read<uint16_t>(h, 4), halves);
}

} // namespace
