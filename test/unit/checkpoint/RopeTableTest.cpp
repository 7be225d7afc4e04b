//===- RopeTableTest.cpp - frequencies against published values -----------===//
#include "lowering/CheckpointToDs/RopeTable.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace checkpoint;

namespace {

ModelConfig withRope(RopeScaling::Kind kind, double factor) {
  ModelConfig config;
  config.rope.kind = kind;
  config.rope.factor = factor;
  config.rope.originalLength = 4096;
  return config;
}

TEST(RopeTable, Plain) {
  RopeTable table = ropeTable(ModelConfig(), 128);
  ASSERT_EQ(table.frequencies.size(), 64u);
  EXPECT_EQ(table.frequencies[0], 1);
  EXPECT_NEAR(table.frequencies[32], 0.01, 1e-15);
  EXPECT_EQ(table.factor, 1);
}

TEST(RopeTable, LinearDividesAllDynamicNone) {
  RopeTable plain = ropeTable(ModelConfig(), 16),
            linear = ropeTable(withRope(RopeScaling::Kind::Linear, 4), 16),
            dynamic = ropeTable(withRope(RopeScaling::Kind::Dynamic, 4), 16);
  for (size_t i = 0; i < 8; ++i)
    EXPECT_DOUBLE_EQ(linear.frequencies[i], plain.frequencies[i] / 4);
  EXPECT_EQ(dynamic.frequencies, plain.frequencies);
}

// DeepSeek V2 and V3: width 64, base 10000, factor 40, original length 4096.
TEST(RopeTable, Yarn) {
  ModelConfig config = withRope(RopeScaling::Kind::Yarn, 40);
  config.rope.mscale = config.rope.mscaleAllDim = 0.707;
  RopeTable table = ropeTable(config, 64);
  std::pair<size_t, double> expected[] = {{0, 1},
                                          {1, 0.749894209},
                                          {10, 0.0562341325},
                                          {11, 0.0390069266},
                                          {12, 0.0268793601},
                                          {16, 0.0055},
                                          {20, 7.90569415e-4},
                                          {22, 1.77827941e-4},
                                          {23, 3.33380358e-5},
                                          {31, 3.33380358e-6}};
  for (auto [i, value] : expected)
    EXPECT_NEAR(table.frequencies[i] / value, 1, 5e-9) << i;
  EXPECT_EQ(table.factor, 1);
  EXPECT_NEAR(yarnScale(40, 1), 1.3688879, 5e-8);
  EXPECT_NEAR(yarnScale(40, 0.707), 1.2608038, 5e-8);
  EXPECT_EQ(yarnScale(0.5, 1), 1);

  config.rope.mscaleAllDim.reset();
  EXPECT_NEAR(ropeTable(config, 64).factor, 1.3688879, 5e-8);
  config.rope.attentionFactor = 1.25;
  EXPECT_EQ(ropeTable(config, 64).factor, 1.25);
}

// A ramp without length.
TEST(RopeTable, YarnWithoutRamp) {
  ModelConfig config = withRope(RopeScaling::Kind::Yarn, 40);
  config.rope.originalLength = 1;
  for (double frequency : ropeTable(config, 8).frequencies)
    EXPECT_TRUE(std::isfinite(frequency));
}

} // namespace
