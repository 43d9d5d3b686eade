#include "effnetv2/run/histogram.h"

#include <cmath>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

at::Tensor random_values(std::int64_t count, std::uint64_t seed) {
  Rng rng(seed);
  const at::Tensor values = at::empty({count}, at::kFloat);
  for (std::int64_t i = 0; i < count; ++i) {
    values.data_ptr<float>()[i] = static_cast<float>(rng.normal() * 0.1);
  }
  return values;
}

TEST(Histogram, CountsEveryValueOnceWhereItBelongs) {
  for (const std::int64_t count : {2, 3, 63, 1000, 20000}) {
    const at::Tensor values = random_values(count, static_cast<std::uint64_t>(count));
    const Histogram histogram = histogram_of(values, 16);
    EXPECT_EQ(histogram.count, count);
    EXPECT_EQ(histogram.min, values.min().item<double>());
    EXPECT_EQ(histogram.max, values.max().item<double>());
    EXPECT_NEAR(histogram.sum, values.to(at::kDouble).sum().item<double>(), 1e-9 * static_cast<double>(count));
    EXPECT_NEAR(histogram.sum_of_squares, values.to(at::kDouble).square().sum().item<double>(),
                1e-9 * static_cast<double>(count));
    ASSERT_EQ(histogram.counts.size(), 16u);
    ASSERT_EQ(histogram.upper_ends.size(), 16u);
    EXPECT_EQ(histogram.upper_ends.back(), histogram.max);
    EXPECT_GT(histogram.counts.front(), 0.0);
    EXPECT_GT(histogram.counts.back(), 0.0);
    double lower = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < 16; ++i) {
      EXPECT_LT(lower, histogram.upper_ends[i]);
      const double upper = i == 15 ? std::numeric_limits<double>::infinity() : histogram.upper_ends[i];
      const auto wide = values.to(at::kDouble);
      const auto expected = wide.ge(lower).logical_and(wide.lt(upper)).sum().item<std::int64_t>();
      EXPECT_EQ(histogram.counts[i], static_cast<double>(expected)) << i;
      lower = upper;
    }
  }
}

TEST(Histogram, IsTheSameForAnyStrides) {
  const at::Tensor values = random_values(2 * 3 * 5 * 7, 1).reshape({2, 3, 5, 7});
  const Histogram plain = histogram_of(values);
  for (const at::Tensor& other : {values.contiguous(at::MemoryFormat::ChannelsLast), values.permute({3, 1, 0, 2}),
                                  at::cat({values, values}, 3).slice(3, 0, 7), values.to(at::kDouble)}) {
    const Histogram histogram = histogram_of(other);
    EXPECT_EQ(histogram.count, plain.count);
    EXPECT_EQ(histogram.counts, plain.counts);
    EXPECT_EQ(histogram.upper_ends, plain.upper_ends);
  }
}

TEST(Histogram, OfEqualValuesIsOneBucket) {
  const Histogram histogram = histogram_of(at::full({12}, 0.5));
  EXPECT_EQ(histogram.counts, std::vector<double>{12.0});
  EXPECT_EQ(histogram.upper_ends, std::vector<double>{0.5});
}

TEST(Histogram, OfNothingIsEmpty) {
  const Histogram histogram = histogram_of(at::empty({0}));
  EXPECT_EQ(histogram.count, 0);
  EXPECT_TRUE(histogram.counts.empty());
  EXPECT_TRUE(histogram.upper_ends.empty());
}

TEST(Histogram, LeavesOutWhatIsNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Histogram histogram =
      histogram_of(at::tensor({1.0f, kInfinity, -kInfinity, std::nanf(""), 3.0f}, at::kFloat), 2);
  EXPECT_EQ(histogram.count, 2);
  EXPECT_EQ(histogram.counts, (std::vector<double>{1.0, 1.0}));
  EXPECT_EQ(histogram.sum, 4.0);
  EXPECT_EQ(histogram_of(at::full({3}, std::nan(""))).count, 0);
}

TEST(Histogram, SpansTheWholeRangeOfFloats) {
  constexpr float kMost = std::numeric_limits<float>::max();
  const Histogram histogram = histogram_of(at::tensor({-kMost, 0.0f, kMost}, at::kFloat), 3);
  EXPECT_EQ(histogram.counts, (std::vector<double>{1.0, 1.0, 1.0}));
}

}  // namespace
}  // namespace effnetv2
