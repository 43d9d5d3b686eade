#include "effnetv2/train/early_stopping.h"

#include <limits>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

/// The epoch after which a run stops, nullopt if never; values[0] is epoch 1's.
std::optional<std::int64_t> stop_epoch(const EarlyStoppingConfig& config, const std::vector<double>& values,
                                       bool maximise) {
  BestState state;
  EXPECT_FALSE(should_stop(config, state));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto epoch = static_cast<std::int64_t>(i) + 1;
    state = update_best(config, state, epoch, values[i], maximise);
    if (should_stop(config, state)) {
      return epoch;
    }
  }
  return std::nullopt;
}

/// The rule in other words: the first epoch e with e - max(min_epochs, epoch of the best so far) = patience.
std::optional<std::int64_t> stop_epoch_by_definition(const EarlyStoppingConfig& config,
                                                     const std::vector<double>& values, bool maximise) {
  std::optional<double> best;
  std::int64_t best_epoch = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto epoch = static_cast<std::int64_t>(i) + 1;
    if (values[i] == values[i] && (!best || (maximise ? values[i] > *best : values[i] < *best))) {
      best = values[i];
      best_epoch = epoch;
    }
    if (epoch - std::max(config.min_epochs, best_epoch) == *config.patience) {
      return epoch;
    }
  }
  return std::nullopt;
}

TEST(EarlyStopping, FollowsItsDefinitionOnRandomRuns) {
  Rng rng(5);
  int stopped = 0;
  for (int run = 0; run < 3000; ++run) {
    EarlyStoppingConfig config;
    config.patience = 1 + static_cast<std::int64_t>(rng.below(6));
    config.min_epochs = static_cast<std::int64_t>(rng.below(20));
    std::vector<double> values(30);
    for (double& value : values) {
      value = rng.below(10) == 0 ? kNotANumber : static_cast<double>(rng.below(12));  // ties are common
    }
    const bool maximise = rng.below(2) == 0;
    const auto expected = stop_epoch_by_definition(config, values, maximise);
    ASSERT_EQ(stop_epoch(config, values, maximise), expected);
    if (expected) {
      ++stopped;
      ASSERT_GE(*expected, config.min_epochs + *config.patience);
    }
  }
  EXPECT_GT(stopped, 1000);
  EXPECT_LT(stopped, 3000);
}

TEST(EarlyStopping, BestAtEpoch46StopsAfterMinimumAndPatience) {
  EarlyStoppingConfig config;
  config.patience = 50;
  config.min_epochs = 150;
  std::vector<double> values(350, 0.5);
  values[45] = 0.9;
  EXPECT_EQ(stop_epoch(config, values, true), 200);
  values[199] = 0.91;  // epoch 200 improves at the last moment
  EXPECT_EQ(stop_epoch(config, values, true), 250);
}

TEST(EarlyStopping, KeepsTheBestAndItsEpoch) {
  const EarlyStoppingConfig never;
  BestState state;
  state = update_best(never, state, 1, kNotANumber, true);
  EXPECT_FALSE(state.has_best);
  EXPECT_EQ(state.best_epoch, 0);
  state = update_best(never, state, 2, -std::numeric_limits<double>::infinity(), false);
  EXPECT_FALSE(state.has_best);
  state = update_best(never, state, 3, -4.0, true);
  EXPECT_TRUE(state.has_best);
  EXPECT_EQ(state.best, -4.0);
  EXPECT_EQ(state.best_epoch, 3);
  state = update_best(never, state, 4, -4.0, true);
  EXPECT_EQ(state.best_epoch, 3) << "equal is no improvement";
  state = update_best(never, state, 5, -5.0, true);
  EXPECT_EQ(state.best, -4.0);
  state = update_best(never, state, 6, std::numeric_limits<double>::infinity(), true);
  EXPECT_EQ(state.best, -4.0);
  state = update_best(never, state, 7, -3.0, true);
  EXPECT_EQ(state.best, -3.0);
  EXPECT_EQ(state.best_epoch, 7);
  state = update_best(never, state, 8, -7.0, false);
  EXPECT_EQ(state.best, -7.0);
}

TEST(EarlyStopping, WithoutPatienceNeverStops) {
  EXPECT_EQ(stop_epoch({}, std::vector<double>(1000, 1.0), true), std::nullopt);
}

TEST(EarlyStopping, MinimumAboveTheRunNeverStops) {
  EarlyStoppingConfig config;
  config.patience = 1;
  config.min_epochs = 1000;
  EXPECT_EQ(stop_epoch(config, std::vector<double>(1000, 1.0), true), std::nullopt);
}

TEST(EarlyStopping, PatienceZeroWorksAsOne) {
  EarlyStoppingConfig config;
  config.patience = 0;
  EXPECT_EQ(stop_epoch(config, {1.0, 2.0, 2.0, 3.0}, true), 3);
}

}  // namespace
}  // namespace effnetv2
