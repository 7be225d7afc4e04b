//===- DraftGaugeTest.cpp - --draft=auto goes on with what is faster ------===//
#include "tools/ds-run/DraftGauge.h"

#include <gtest/gtest.h>

namespace {

/// Steps that take so long with and without drafts; drafting ones give
/// `tokens`, others one. How many of them drafted.
int run(tool::DraftGauge &gauge, int steps, double with, double without,
        int64_t tokens) {
  int drafting = 0;
  for (int i = 0; i < steps; ++i) {
    bool drafts = gauge.drafts();
    drafting += drafts;
    gauge.measured(drafts ? tokens : 1, drafts ? with : without);
  }
  return drafting;
}

TEST(DraftGauge, GoesOnWhereItPays) {
  tool::DraftGauge gauge;
  EXPECT_TRUE(gauge.drafts());
  EXPECT_EQ(gauge.gain(), 0);
  // Eight steps with, eight without, then nothing but drafts.
  EXPECT_EQ(run(gauge, 16, 1.5, 1, 2), 8);
  EXPECT_NEAR(gauge.gain(), 2 / 1.5, 1e-9);
  EXPECT_EQ(run(gauge, 128, 1.5, 1, 2), 128);
  EXPECT_EQ(gauge.report(),
            "drafted in 136 of 144 steps; with drafts 1.33 times as many "
            "tokens a second as without");
}

TEST(DraftGauge, StopsWhereItDoesNot) {
  tool::DraftGauge gauge;
  EXPECT_EQ(run(gauge, 16, 2.5, 1, 2), 8);
  EXPECT_EQ(run(gauge, 128, 2.5, 1, 2), 0);
  EXPECT_NEAR(gauge.gain(), 0.8, 1e-9);
}

TEST(DraftGauge, LooksAgain) {
  tool::DraftGauge gauge;
  run(gauge, 16 + 128, 2.5, 1, 2);
  // The text becomes easy to guess: one measurement later it drafts.
  EXPECT_EQ(run(gauge, 8, 1, 1, 2), 8);
  EXPECT_TRUE(gauge.drafts());
  EXPECT_EQ(run(gauge, 128, 1, 1, 2), 128);
  // And hard again.
  EXPECT_FALSE(gauge.drafts());
  EXPECT_EQ(run(gauge, 8, 2.5, 1, 1), 0);
}

TEST(DraftGauge, TooFewSteps) {
  tool::DraftGauge gauge;
  run(gauge, 9, 1, 1, 2);
  EXPECT_EQ(gauge.report(), "drafted in 8 of 9 steps, too few to compare");
}

} // namespace
