#include "effnetv2/core/interval.h"

#include <cmath>
#include <utility>

#include <gtest/gtest.h>

namespace effnetv2 {
namespace {

TEST(WilsonInterval, EndsWhereTheShareWouldBeSurprising) {
  // each end is a share p with |p - hits / n| = z sqrt(p (1 - p) / n)
  for (const auto& [hits, n] : {std::pair{8, 10}, {1, 3}, {365, 1000}, {0, 20}, {20, 20}}) {
    const auto [low, high] = wilson_interval(hits, n);
    for (const double p : {low, high}) {
      const double share = static_cast<double>(hits) / n;
      EXPECT_NEAR(std::abs(p - share), 1.959963984540054 * std::sqrt(p * (1 - p) / n), 1e-12) << hits << " of " << n;
    }
  }
  EXPECT_NEAR(wilson_interval(8, 10).low, 0.4901625, 1e-7);  // statsmodels' proportion_confint(8, 10, method="wilson")
}

TEST(WilsonInterval, StaysInsideAndHoldsTheShare) {
  for (std::int64_t n : {1, 2, 10, 1000, 1000000}) {
    for (const double share : {0.0, 0.25, 0.5, 1.0}) {
      const auto [low, high] = wilson_interval(share * static_cast<double>(n), n);
      EXPECT_GE(low, 0.0);
      EXPECT_LE(high, 1.0);
      EXPECT_LE(low, share);
      EXPECT_GE(high, share);
      EXPECT_LT(low, high);
    }
  }
  EXPECT_GT(wilson_interval(0, 10).high, 0.2) << "none of ten does not mean never";
}

TEST(WilsonInterval, WithoutSamplesNothingIsKnown) {
  EXPECT_EQ(wilson_interval(0, 0).low, 0.0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1.0);
}

}  // namespace
}  // namespace effnetv2
