#include "effnetv2/run/saved_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/train/checkpoint.h"

namespace effnetv2 {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

SavedRun sample_run() {
  const nlohmann::json images{{"images", 3}, {"hash", "0123456789abcdef"}};
  SavedRun run;
  run.config.train.epochs = 7;
  run.data = {{"cat", {{"train", images}, {"val", images}, {"test", images}}}};
  run.cpu_level = "avx2";
  run.metrics = {123, 45};
  run.seconds = 1.0 / 3.0;
  run.last_row = {{"epoch", 2}, {"val_top1", nullptr}, {"val_loss", 0.5}};
  run.bad_images = {"cat/1.png", "cat/2.png"};
  run.events = EventFile::Position{77, 0xFFFFFFFF};
  return run;
}

TrainState state_with(nlohmann::json run) {
  TrainState state;
  state.name = "FILE";
  state.values["run"] = std::move(run);
  return state;
}

void expect_refused(const TrainState& state, const std::string& place) {
  try {
    saved_run(state);
    FAIL() << place << " was not missed: " << state.values;
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("FILE"), HasSubstr(place)));
  }
}

TEST(SavedRun, ReadsBack) {
  const SavedRun run = saved_run(state_with(to_json(sample_run())));
  EXPECT_EQ(to_json(run), to_json(sample_run()));
  EXPECT_EQ(run.config.train.epochs, 7);
  EXPECT_EQ(run.metrics.jsonl, 123);
  EXPECT_EQ(run.metrics.csv, 45);
  EXPECT_EQ(run.events, sample_run().events);
  EXPECT_TRUE(run.best_row.is_null());
}

TEST(SavedRun, WithoutTensorboardThereIsNoPosition) {
  auto run = to_json(sample_run());
  run.erase("events");
  EXPECT_FALSE(saved_run(state_with(run)).events);
}

TEST(SavedRun, WhatIsMissingIsNamed) {
  expect_refused(TrainState{.tensors = {}, .values = nullptr, .name = "FILE"}, "null");
  expect_refused(TrainState{.tensors = {}, .values = {1, 2}, .name = "FILE"}, "[1,2]");
  expect_refused(TrainState{.tensors = {}, .values = nlohmann::json::object(), .name = "FILE"}, "run is missing");
  const auto whole = to_json(sample_run());
  for (const auto& [key, value] : whole.items()) {
    if (key != "events") {
      auto run = whole;
      run.erase(key);
      expect_refused(state_with(run), "run." + key + " is missing");
    }
  }
}

TEST(SavedRun, WhatIsOfAnotherKindIsNamed) {
  using Pointer = nlohmann::json::json_pointer;
  const std::vector<std::tuple<const char*, nlohmann::json, const char*>> odd{
      {"/config", 3, "run.config must be an object"},
      {"/config/train", 3, "run.config cannot be read: train"},
      {"/config/extends", "/dev/zero", "run.config extends another file"},
      {"/data", nlohmann::json::array({1}), "run.data must be"},
      {"/data/cat", "x", "run.data.cat must be"},
      {"/data/cat/val/images", -1, "run.data.cat.val.images must be"},
      {"/cpu_level", 1, "run.cpu_level must be text"},
      {"/metrics_jsonl", 0.5, "run.metrics_jsonl must be"},
      {"/metrics_csv", std::uint64_t{1} << 63, "run.metrics_csv must be"},
      {"/seconds", "x", "run.seconds must be a number, is \"x\""},
      {"/last_row", "x", "run.last_row must be an object"},
      {"/last_row/val_loss", true, "run.last_row.val_loss must be a number"},
      {"/best_row", nlohmann::json::object(), "run.best_row.epoch is missing"},
      {"/bad_images", {{"a", 1}}, "run.bad_images must be a list of texts"},
      {"/bad_images/1", 1, "run.bad_images must be a list of texts"},
      {"/events", 1, "run.events must be an object"},
      {"/events/crc", 0x100000000, "run.events.crc must have 32 bits"}};
  for (const auto& [place, value, message] : odd) {
    auto run = to_json(sample_run());
    run[Pointer(place)] = value;
    expect_refused(state_with(run), message);
  }
}

}  // namespace
}  // namespace effnetv2
