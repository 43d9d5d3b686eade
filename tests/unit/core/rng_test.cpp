#include "effnetv2/core/rng.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace effnetv2 {
namespace {

TEST(Rng, IsSplitMix64) {
  Rng rng(1234567);  // the values of the published reference for this seed
  EXPECT_EQ(rng.next(), 6457827717110365317ULL);
  EXPECT_EQ(rng.next(), 3203168211198807973ULL);
  EXPECT_EQ(rng.next(), 9817491932198370423ULL);
  EXPECT_EQ(rng.next(), 4593380528125082431ULL);
  EXPECT_EQ(rng.next(), 16408922859458223821ULL);
}

TEST(Rng, StreamsNeverChange) {
  EXPECT_EQ(Rng::stream(42, Purpose::init).next(), 13256773428317768236ULL);
  EXPECT_EQ(Rng::stream(42, Purpose::shuffle, 7).next(), 507719849466473489ULL);
  EXPECT_EQ(Rng::stream(42, Purpose::augment, 7, 1234).next(), 5652800742138106697ULL);
  EXPECT_EQ(Rng::stream(0, Purpose::dropout, 0, 0).next(), 6032229327753108244ULL);
  EXPECT_EQ(Rng::stream(UINT64_MAX, Purpose::synth, 3, UINT64_MAX).next(), 11741985087096120701ULL);
}

TEST(Rng, UniformIsTheTop53Bits) {
  Rng bits(7), numbers(7);
  for (int i = 0; i < 1000; ++i) {
    const double u = numbers.uniform();
    ASSERT_EQ(u, std::ldexp(static_cast<double>(bits.next() >> 11), -53));
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
  }
  for (int i = 0; i < 1000; ++i) {
    const double u = numbers.uniform(-3.0, 5.0);
    ASSERT_GE(u, -3.0);
    ASSERT_LT(u, 5.0);
  }
}

double chi_square(const std::vector<int>& counts) {
  const double expected = std::accumulate(counts.begin(), counts.end(), 0.0) / static_cast<double>(counts.size());
  double sum = 0.0;
  for (const int count : counts) {
    sum += (count - expected) * (count - expected) / expected;
  }
  return sum;
}

TEST(Rng, UniformFillsItsBinsEvenly) {
  std::vector<int> counts(100);
  Rng rng = Rng::stream(1, Purpose::test);
  for (int i = 0; i < 100000; ++i) {
    ++counts[static_cast<std::size_t>(rng.uniform() * 100.0)];
  }
  EXPECT_LT(chi_square(counts), 148.2);  // 99 degrees of freedom, one in a thousand
  EXPECT_GT(chi_square(counts), 60.0);   // nor suspiciously even
}

TEST(Rng, BelowIsUniformForAnyBound) {
  for (const std::uint64_t n : {1U, 2U, 3U, 7U, 100U}) {
    std::vector<int> counts(n);
    Rng rng = Rng::stream(n, Purpose::test);
    for (int i = 0; i < 20000; ++i) {
      const std::uint64_t value = rng.below(n);
      ASSERT_LT(value, n);
      ++counts[value];
    }
    const double freedom = static_cast<double>(n) - 1.0;
    EXPECT_LE(chi_square(counts), freedom + 4.0 * std::sqrt(2.0 * freedom) + 5.0) << n;
  }
}

TEST(Rng, BelowIsUnbiasedForHugeBounds) {
  // taken modulo, 3/4 of 2^64 would fall into the lower third twice as often as into the others
  const std::uint64_t n = 3ULL << 62;
  int low = 0;
  Rng rng = Rng::stream(2, Purpose::test);
  for (int i = 0; i < 30000; ++i) {
    low += rng.below(n) < n / 3 ? 1 : 0;
  }
  EXPECT_NEAR(low, 10000, 400);
}

TEST(Rng, StreamsDoNotDependOnEachOther) {
  std::vector<int> first_bits(256), xor_bits(256);
  for (std::uint64_t a = 0; a < 160; ++a) {
    for (std::uint64_t b = 0; b < 160; ++b) {
      const std::uint64_t here = Rng::stream(42, Purpose::augment, a, b).next();
      const std::uint64_t next = Rng::stream(42, Purpose::augment, a, b + 1).next();
      ++first_bits[here >> 56];
      ++xor_bits[(here ^ next) >> 56];
    }
  }
  EXPECT_LT(chi_square(first_bits), 330.6);  // 255 degrees of freedom, one in a thousand
  EXPECT_LT(chi_square(xor_bits), 330.6);
}

TEST(Rng, EachCounterMakesAnotherStream) {
  std::set<std::uint64_t> starts;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    for (const Purpose purpose : {Purpose::init, Purpose::split, Purpose::shuffle, Purpose::augment,
                                  Purpose::stochastic_depth, Purpose::dropout, Purpose::synth, Purpose::test}) {
      for (std::uint64_t a = 0; a < 20; ++a) {
        for (std::uint64_t b = 0; b < 20; ++b) {
          starts.insert(Rng::stream(seed, purpose, a, b).next());
        }
      }
    }
  }
  EXPECT_EQ(starts.size(), 4U * 8U * 20U * 20U);
}

TEST(Rng, ShuffleMakesEveryOrderEquallyLikely) {
  std::vector<int> counts(24);
  Rng rng = Rng::stream(3, Purpose::test);
  for (int i = 0; i < 48000; ++i) {
    std::array<int, 4> order{0, 1, 2, 3};
    rng.shuffle(std::span<int>(order));
    std::size_t rank = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const auto smaller = std::count_if(order.begin() + static_cast<std::ptrdiff_t>(k) + 1, order.end(),
                                         [&](int other) { return other < order[k]; });
      rank = rank * (4 - k) + static_cast<std::size_t>(smaller);
    }
    ++counts[rank];
  }
  EXPECT_LT(chi_square(counts), 49.8);  // 23 degrees of freedom, one in a thousand
}

TEST(Rng, ShuffleKeepsEveryElement) {
  std::vector<int> values(1000);
  std::iota(values.begin(), values.end(), 0);
  const std::vector<int> sorted = values;
  Rng rng(5);
  rng.shuffle(std::span<int>(values));
  EXPECT_NE(values, sorted);
  std::ranges::sort(values);
  EXPECT_EQ(values, sorted);
  rng.shuffle(std::span<int>());
}

TEST(Rng, NormalHasTheRightMoments) {
  constexpr int kDraws = 200000;
  double sum = 0.0, squares = 0.0, fourths = 0.0;
  Rng rng = Rng::stream(4, Purpose::test);
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.015);
  EXPECT_NEAR(fourths / kDraws, 3.0, 0.15);
}

}  // namespace
}  // namespace effnetv2
