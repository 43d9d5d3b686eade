#include "effnetv2/train/train_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/train/checkpoint.h"

namespace effnetv2 {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

nlohmann::json sample_values() {
  TrainProgress progress{.epoch = 3,
                         .batch = 4,
                         .images = 64,
                         .train_seconds = 0.1 + 0.2,
                         .optimizer_steps = 40,
                         .ema_updates = 39,
                         .metric_sums = {1.0 / 3.0, 1e-300, 12345678.9, 64},
                         .plateau = {true, 0.5, 1, 2, 0.01},
                         .best = {true, 0.5, 2, 1}};
  return to_json(progress);
}

void expect_refused(nlohmann::json values, const std::string& message) {
  try {
    train_progress({.tensors = {}, .values = std::move(values), .name = "FILE"});
    FAIL() << "not refused: " << message;
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("FILE"), HasSubstr(message)));
  }
}

TEST(TrainProgress, ReadsBackExactly) {
  // in memory, and as it comes from a file
  for (const auto& values : {sample_values(), nlohmann::json::parse(sample_values().dump())}) {
    TrainState state;
    state.values = values;
    const TrainProgress progress = train_progress(state);
    EXPECT_EQ(to_json(progress), sample_values());
    EXPECT_EQ(progress.batch, 4);
    EXPECT_EQ(progress.plateau.cooldown, 2);
    EXPECT_EQ(progress.best.best_epoch, 2);
    EXPECT_EQ(progress.metric_sums[1], 1e-300);
  }
}

TEST(TrainProgress, EachValueThatIsMissingIsNamed) {
  const nlohmann::json whole = sample_values();
  for (const auto& [key, value] : whole.items()) {
    auto values = whole;
    values.erase(key);
    expect_refused(values, key + " is missing");
    if (value.is_object()) {
      for (const auto& [inner, unused] : value.items()) {
        values = whole;
        values[key].erase(inner);
        expect_refused(values, key + "." + inner + " is missing");
      }
    }
  }
}

TEST(TrainProgress, WhatIsOfAnotherKindIsNamed) {
  using Pointer = nlohmann::json::json_pointer;
  const std::vector<std::tuple<const char*, nlohmann::json, const char*>> odd{
      {"/epoch", -1, "epoch must be a whole number from 0 to 2^53, is -1"},
      {"/epoch", 1e300, "epoch must be"},
      {"/batch", 1.5, "batch must be"},
      {"/images", std::uint64_t{1} << 63, "images must be"},
      {"/train_seconds", nullptr, "train_seconds must be a number, is null"},
      {"/metric_sums", nlohmann::json::array({1, 2, 3}), "metric_sums must hold 4 numbers, has 3"},
      {"/metric_sums/0", "x", "metric_sums must be a list of numbers"},
      {"/plateau", 1, "plateau must be an object"},
      {"/plateau/has_best", 1, "plateau.has_best must be true or false"},
      {"/best/waited", (std::int64_t{1} << 53) + 1, "best.waited must be"}};
  for (const auto& [place, value, message] : odd) {
    auto values = sample_values();
    values[Pointer(place)] = value;
    expect_refused(values, message);
  }
}

}  // namespace
}  // namespace effnetv2
