#include "effnetv2/train/schedule.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/golden.h"

namespace effnetv2 {
namespace {

using test::read_golden;
using testing::DoubleNear;
using testing::Pointwise;

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

SchedulerConfig of_type(SchedulerType type) {
  SchedulerConfig config;
  config.type = type;
  return config;
}

/// Every step's rate of a whole run.
std::vector<double> run(const SchedulerConfig& config, double lr, std::int64_t epochs, std::int64_t steps_per_epoch) {
  std::vector<double> rates;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (std::int64_t step = 0; step < steps_per_epoch; ++step) {
      rates.push_back(learning_rate(config, lr, {epoch, step, steps_per_epoch, epochs}, initial_plateau(lr)));
    }
  }
  return rates;
}

std::vector<double> epoch_starts(const std::vector<double>& rates, std::int64_t steps_per_epoch) {
  std::vector<double> starts;
  for (std::size_t i = 0; i < rates.size(); i += static_cast<std::size_t>(steps_per_epoch)) {
    starts.push_back(rates[i]);
  }
  return starts;
}

TEST(Plateau, FollowsPythonsReduceLROnPlateauExactly) {
  const auto traces = read_golden("train_plateau");
  ASSERT_GE(traces.size(), 20u);
  for (const auto& trace : traces) {
    SCOPED_TRACE(trace.dump().substr(0, 160));
    SchedulerConfig config = of_type(SchedulerType::plateau);
    config.threshold_mode = trace["threshold_mode"] == "rel" ? ThresholdMode::rel : ThresholdMode::abs;
    config.factor = trace["factor"];
    config.patience = trace["patience"];
    config.threshold = trace["threshold"];
    config.cooldown = trace["cooldown"];
    config.min_lr = trace["min_lr"];
    config.eps = trace["eps"];
    PlateauState state = initial_plateau(trace["lr"]);
    const auto values = trace["values"].get<std::vector<double>>();
    const auto rates = trace["rates"].get<std::vector<double>>();
    ASSERT_EQ(values.size(), 60u);
    for (std::size_t epoch = 0; epoch < values.size(); ++epoch) {
      state = plateau_step(config, state, values[epoch], trace["maximise"]);
      ASSERT_EQ(state.lr, rates[epoch]) << "after epoch " << epoch + 1;
      ASSERT_EQ(learning_rate(config, 5.0, {static_cast<std::int64_t>(epoch) + 1, 0, 7, 60}, state), rates[epoch]);
    }
  }
}

TEST(Plateau, WhatIsNotFiniteNeverImproves) {
  SchedulerConfig config = of_type(SchedulerType::plateau);
  config.patience = 1;
  for (const double value : {kNotANumber, std::numeric_limits<double>::infinity(), -HUGE_VAL}) {
    for (const bool maximise : {false, true}) {
      PlateauState state = initial_plateau(1.0);
      state = plateau_step(config, state, value, maximise);
      EXPECT_FALSE(state.has_best);
      EXPECT_EQ(state.lr, 1.0);
      state = plateau_step(config, state, value, maximise);
      EXPECT_EQ(state.lr, 0.1);
      state = plateau_step(config, state, 0.5, maximise);
      EXPECT_TRUE(state.has_best);
      EXPECT_EQ(state.best, 0.5);
    }
  }
}

TEST(Schedule, NoneIsTheBaseRate) {
  EXPECT_THAT(run(of_type(SchedulerType::none), 0.3, 2, 3), testing::Each(0.3));
}

TEST(Schedule, StepIsTorchsStepLRForWholeEpochs) {
  const auto traces = read_golden("train_schedules")["step"];
  for (const auto& trace : traces) {
    SchedulerConfig config = of_type(SchedulerType::step);
    config.step_epochs = trace["step_epochs"];
    config.gamma = trace["gamma"];
    const auto rates = run(config, trace["lr"], trace["epochs"], 3);
    const auto expected = trace["rates"].get<std::vector<double>>();
    EXPECT_THAT(epoch_starts(rates, 3), Pointwise(DoubleNear(1e-14), expected));
    for (std::size_t i = 0; i < rates.size(); ++i) {
      EXPECT_EQ(rates[i], rates[i / 3 * 3]);
    }
  }
}

TEST(Schedule, CosineMeetsTorchsCosineAnnealingAtEpochStarts) {
  const auto traces = read_golden("train_schedules")["cosine"];
  for (const auto& trace : traces) {
    SchedulerConfig config = of_type(SchedulerType::cosine);
    config.final_lr = trace["final_lr"];
    const auto expected = trace["rates"].get<std::vector<double>>();
    for (const std::int64_t steps : {1, 4}) {
      const auto rates = run(config, trace["lr"], trace["epochs"], steps);
      EXPECT_THAT(epoch_starts(rates, steps), Pointwise(DoubleNear(1e-13), expected));
      EXPECT_TRUE(std::is_sorted(rates.rbegin(), rates.rend()));
    }
  }
}

TEST(Schedule, CosineRunsFromTheEndOfTheWarmupToTheFinalRate) {
  SchedulerConfig config = of_type(SchedulerType::cosine);
  config.warmup_epochs = 2;
  config.final_lr = 0.01;
  const auto rates = run(config, 1.0, 10, 5);
  EXPECT_EQ(rates[9], 1.0);
  EXPECT_EQ(rates[10], 1.0);
  EXPECT_LT(rates[11], 1.0);
  EXPECT_NEAR(rates[30], (1.0 + 0.01) / 2, 1e-15);  // half way
  EXPECT_NEAR(learning_rate(config, 1.0, {10, 0, 5, 10}, {}), 0.01, 1e-15);
  EXPECT_NEAR(learning_rate(config, 1.0, {12, 3, 5, 10}, {}), 0.01, 1e-15);
}

TEST(Schedule, OnecycleIsTorchsOneCycleLR) {
  const auto traces = read_golden("train_schedules")["onecycle"];
  for (const auto& trace : traces) {
    SchedulerConfig config = of_type(SchedulerType::onecycle);
    config.pct_start = trace["pct_start"];
    config.div_factor = trace["div_factor"];
    config.final_div_factor = trace["final_div_factor"];
    const auto expected = trace["rates"].get<std::vector<double>>();
    EXPECT_THAT(run(config, trace["lr"], trace["epochs"], trace["steps_per_epoch"]),
                Pointwise(DoubleNear(1e-14), expected));
  }
}

TEST(Schedule, OnecycleOfAFewStepsIsFinite) {
  for (const double share : {0.01, 0.3, 0.5, 0.99}) {
    for (std::int64_t epochs = 1; epochs <= 4; ++epochs) {
      SchedulerConfig config = of_type(SchedulerType::onecycle);
      config.pct_start = share;
      for (const double rate : run(config, 1.0, epochs, 1)) {
        EXPECT_TRUE(rate > 0.0 && rate <= 1.0) << rate;
      }
    }
  }
}

TEST(Schedule, WarmupIsALineFromOneStepsShareThatMultipliesEveryType) {
  for (const auto type : {SchedulerType::none, SchedulerType::plateau, SchedulerType::step, SchedulerType::cosine,
                          SchedulerType::onecycle}) {
    SchedulerConfig config = of_type(type);
    config.step_epochs = 1;
    config.gamma = 0.5;
    SchedulerConfig warm = config;
    warm.warmup_epochs = 2.5;
    const auto plain = run(config, 0.8, 20, 8);
    const auto warmed = run(warm, 0.8, 20, 8);
    for (std::size_t i = 0; i < warmed.size(); ++i) {
      const double factor = i < 20 ? static_cast<double>(i + 1) / 20.0 : 1.0;
      // the cosine itself begins only after the warm-up
      const double expected = type != SchedulerType::cosine ? plain[i] : i < 20 ? 0.8 : warmed[i];
      EXPECT_NEAR(warmed[i], expected * factor, 1e-15) << "type " << static_cast<int>(type) << " step " << i;
    }
    EXPECT_GT(warmed[0], 0.0);
  }
}

TEST(Schedule, WarmupOfPartOfAStepIsNone) {
  SchedulerConfig config = of_type(SchedulerType::none);
  config.warmup_epochs = 0.01;
  EXPECT_THAT(run(config, 0.8, 1, 10), testing::Each(0.8));
}

TEST(Schedule, WarmupLongerThanTheRunOnlyRises) {
  for (const auto type : {SchedulerType::none, SchedulerType::cosine}) {
    SchedulerConfig config = of_type(type);
    config.warmup_epochs = 10;
    const auto rates = run(config, 1.0, 4, 5);
    for (std::size_t i = 0; i < rates.size(); ++i) {
      EXPECT_DOUBLE_EQ(rates[i], static_cast<double>(i + 1) / 50.0);
    }
  }
}

}  // namespace
}  // namespace effnetv2
