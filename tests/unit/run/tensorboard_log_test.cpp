#include "effnetv2/run/tensorboard_log.h"

#include <fstream>
#include <map>
#include <set>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/stop.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/run/histogram.h"
#include "effnetv2/run/metrics_log.h"
#include "effnetv2/run/run_directory.h"

#include "support/events.h"
#include "support/fake_dataset.h"
#include "support/tiny_run.h"

namespace effnetv2 {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::Not;

ordered_json json_row(std::int64_t epoch) {
  EpochRow row;
  row.epoch = epoch;
  row.step = epoch * 7;
  row.lr = 1e-4;
  row.train_loss = 1.0 / 3.0;
  row.val_loss = 0.0;
  row.train_eval_top1 = 0.75;
  row.epoch_seconds = 10.0;
  return to_json(row, true);
}

/// The scalars of a file as rows of tags; each tag once a step.
std::map<std::int64_t, std::map<std::string, float>> scalars_of(const std::filesystem::path& path) {
  std::map<std::int64_t, std::map<std::string, float>> rows;
  for (const auto& value : test::read_events(path)) {
    if (value.is_scalar()) {
      EXPECT_TRUE(rows[value.step].emplace(value.tag, value.scalar()).second) << value.step << " " << value.tag;
    }
  }
  return rows;
}

/// What the rows of a metrics.jsonl have to look like in an event file.
std::map<std::int64_t, std::map<std::string, float>> scalars_of_metrics(const std::filesystem::path& jsonl) {
  std::map<std::int64_t, std::map<std::string, float>> rows;
  for (const auto& row : read_metrics(jsonl)) {
    for (const auto& [column, value] : row.items()) {
      if (column != "epoch" && !value.is_null()) {
        rows[row["epoch"]][scalar_tag(column)] = static_cast<float>(value.get<double>());
      }
    }
  }
  return rows;
}

TEST(ScalarTag, PutsEveryColumnOfARowUnderItsOwnTag) {
  std::set<std::string> tags;
  const auto row = json_row(1);
  for (const auto& [column, value] : row.items()) {
    EXPECT_NE(scalar_tag(column), column) << "a new column wants a tag in a group";
    EXPECT_TRUE(tags.insert(scalar_tag(column)).second) << column;
  }
  EXPECT_EQ(scalar_tag("val_loss"), "loss/val");
  EXPECT_EQ(scalar_tag("what_comes_later"), "what_comes_later");
}

TEST(WeightTag, GroupsByStage) {
  EXPECT_EQ(weight_tag("features.4.0.block.1.0.weight"), "features.4/0.block.1.0.weight");
  EXPECT_EQ(weight_tag("classifier.1.bias"), "classifier.1/bias");
  EXPECT_EQ(weight_tag("weight"), "weight");
}

TEST(TensorboardLog, HoldsARowWithoutItsNulls) {
  const test::TempDir dir;
  TensorboardLog log(dir / "e", {});
  EXPECT_TRUE(log.is_new());
  log.add_epoch(json_row(3));
  const std::map<std::string, float> expected{{"progress/step", 21.0f},
                                              {"learning_rate", 1e-4f},
                                              {"loss/train", 1.0f / 3.0f},
                                              {"top1/train", 0.0f},
                                              {"loss/val", 0.0f},
                                              {"top1/train_eval", 0.75f},
                                              {"speed/epoch_seconds", 10.0f},
                                              {"speed/images_per_second", 0.0f}};
  EXPECT_EQ(scalars_of(dir / "e"), (std::map<std::int64_t, std::map<std::string, float>>{{3, expected}}));
}

TEST(TensorboardLog, MakesUpTimesOfEarlierEpochsFromTheirDurations) {
  const test::TempDir dir;
  TensorboardLog log(dir / "e", {});
  log.add_epochs({json_row(1), json_row(2), json_row(3)});
  std::map<std::int64_t, double> times;
  for (const auto& value : test::read_events(dir / "e")) {
    times[value.step] = value.wall_time;
  }
  EXPECT_NEAR(times[2] - times[1], 10.0, 1e-3);
  EXPECT_NEAR(times[3] - times[2], 10.0, 1e-3);
  EXPECT_GT(times[3], 1.7e9);
}

TEST(TensorboardLog, HoldsTheConfigAsIndentedJson) {
  const test::TempDir dir;
  TensorboardLog log(dir / "e", {});
  const ordered_json config{{"name", "x"}, {"train", {{"epochs", 3}}}};
  log.add_config(2, config);
  const auto values = test::read_events(dir / "e");
  ASSERT_EQ(values.size(), 1u);
  EXPECT_EQ(values[0].tag, "config");
  EXPECT_EQ(values[0].step, 2);
  EXPECT_EQ(test::only(test::read_message(test::only(values[0].message(9), 1).text), 1).text, "text");
  const std::string text = test::only(values[0].message(8), 8).text;
  EXPECT_TRUE(text.starts_with("    {\n      \"name\"")) << text;
  EXPECT_EQ(ordered_json::parse(text), config);
}

TEST(TensorboardLog, HoldsPicturesAsTheNetworkSeesThem) {
  const test::TempDir dir;
  const test::FakeDataset images(10, 2, 9, /*augmented=*/true);
  TensorboardLog log(dir / "e", {});
  log.add_images(images, {"finch", "h\xE9ron"}, 3, 42);
  const auto values = test::read_events(dir / "e");
  ASSERT_EQ(values.size(), 3u);
  const std::vector<std::int64_t> indices{0, 3, 6};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string name = i == 1 ? "h\\xE9ron" : "finch";
    EXPECT_EQ(values[i].tag, "training_images/" + std::to_string(i) + " " + name);
    const auto image = values[i].message(4);
    EXPECT_EQ(test::only(image, 1).number, 9u);
    EXPECT_EQ(test::only(image, 2).number, 9u);
    EXPECT_EQ(test::only(image, 3).number, 3u);
    EXPECT_EQ(decode_image(test::only(image, 4).text, "picture"), *images.get(indices[i], 42, 0));
    EXPECT_EQ(test::only(values[i].message(9), 3).text, name + ": `picture-" + std::to_string(indices[i]) + "`")
        << "a string of protobuf has to be UTF-8";
  }
}

TEST(TensorboardLog, HasNoMorePicturesThanThereAre) {
  const test::TempDir dir;
  TensorboardLog log(dir / "e", {});
  log.add_images(test::FakeDataset(2, 2, 4, false), {"a", "b"}, 64, 42);
  log.add_images(test::FakeDataset(2, 2, 4, false), {"a", "b"}, 0, 42);
  EXPECT_EQ(test::read_events(dir / "e").size(), 2u);
}

TEST(TensorboardLog, HoldsHistograms) {
  const test::TempDir dir;
  TensorboardLog log(dir / "e", {});
  log.add_weights(5, {{"features.0.0.weight", at::arange(8, at::kFloat)}, {"classifier.1.bias", at::zeros({3})}});
  const auto values = test::read_events(dir / "e");
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[0].tag, "features.0/0.weight");
  EXPECT_EQ(values[1].tag, "classifier.1/bias");
  EXPECT_EQ(values[1].step, 5);
  const auto histogram = values[0].message(5);
  EXPECT_EQ(test::only(histogram, 1).real64(), 0.0);
  EXPECT_EQ(test::only(histogram, 2).real64(), 7.0);
  EXPECT_EQ(test::only(histogram, 3).real64(), 8.0);
  EXPECT_EQ(test::only(histogram, 4).real64(), 28.0);
  EXPECT_EQ(test::only(histogram, 5).real64(), 140.0);
  EXPECT_EQ(test::only(histogram, 6).text.size(), 64u * 8u);
  EXPECT_EQ(test::only(histogram, 7).text.size(), 64u * 8u);
}

TEST(TensorboardLog, AnEpochIsAsLongWhateverItsNumbers) {
  const test::TempDir dir;
  TensorboardLog log(dir / "e", {});
  auto row = json_row(4);
  const auto before = log.sync().bytes;
  log.add_epoch(row);
  const auto length = log.sync().bytes - before;
  row["train_loss"] = 123456.789;
  row["train_top1"] = 1;
  row["images_per_second"] = 1e9;
  log.add_epoch(row);
  EXPECT_EQ(log.sync().bytes, before + 2 * length);
}

/// Whole runs.
class TensorboardRunTest : public test::TinyRun {
 protected:
  std::filesystem::path events(const std::string& run) const { return dir_ / run / "events.out.tfevents.effnetv2"; }

  /// Stops at the step, counted from 1.
  void train_until(const std::string& name, int step) {
    TrainingEvents events;
    int steps = 0;
    events.on_step = [&](const StepInfo&) {
      if (++steps == step) {
        request_stop();
      }
    };
    EXPECT_EQ(run_training({config_, dir_ / name, StartMode::resume_or_create}, events, Log::silent()).reason,
              StopReason::interrupted);
    clear_stop_request();
  }

  void expect_scalars_of_metrics(const std::string& name) {
    const auto expected = scalars_of_metrics(dir_ / name / "metrics.jsonl");
    EXPECT_EQ(static_cast<std::int64_t>(expected.size()), config_.train.epochs);
    EXPECT_EQ(scalars_of(events(name)), expected);
  }
};

TEST_F(TensorboardRunTest, HoldsMetricsConfigAndPictures) {
  config_.train.eval_train = true;
  train("a");
  expect_scalars_of_metrics("a");
  std::map<std::string, int> others;
  for (const auto& value : test::read_events(events("a"))) {
    if (!value.is_scalar()) {
      ++others[value.tag.substr(0, value.tag.find('/'))];
      EXPECT_EQ(value.step, 0);
    }
  }
  EXPECT_EQ(others, (std::map<std::string, int>{{"config", 1}, {"training_images", 8}}));
}

TEST_F(TensorboardRunTest, IsOffWhenAskedAndMayBeAskedForLater) {
  config_.tensorboard.enabled = false;
  train("a");
  EXPECT_FALSE(std::filesystem::exists(events("a")));
  config_.tensorboard.enabled = true;
  config_.train.epochs = 4;
  train("a", StartMode::resume_or_create);
  expect_scalars_of_metrics("a");
}

TEST_F(TensorboardRunTest, ResumeCutsTheFileSoThatEachEpochIsThereOnce) {
  config_.checkpoint.every_epochs = 2;
  config_.train.epochs = 5;
  train_until("a", 10);  // of four an epoch: in the third
  const auto state = read_file(dir_ / "a" / "checkpoints" / "state.safetensors");
  train_until("a", 9);
  write_file(dir_ / "a" / "checkpoints" / "state.safetensors", state);  // as if killed after epochs 3 and 4
  train("a", StartMode::resume_or_create);
  expect_scalars_of_metrics("a");
  train("b");
  EXPECT_EQ(std::filesystem::file_size(events("a")), std::filesystem::file_size(events("b")))
      << "records are as long as in one go";
}

TEST_F(TensorboardRunTest, ADamagedFileIsToldAndMadeAnew) {
  config_.tensorboard.histograms_every_epochs = 1;
  train("a");
  const std::string whole = read_file(events("a"));
  for (const std::string& damaged :
       {std::string(), whole.substr(0, 100), whole.substr(0, whole.size() - 1), std::string(whole.size(), 'x')}) {
    write_file(events("a"), damaged);
    ++config_.train.epochs;
    const auto log = read_file(dir_ / "a" / "log.txt").size();
    train("a", StartMode::resume_or_create);
    EXPECT_THAT(read_file(dir_ / "a" / "log.txt").substr(log), HasSubstr("effnetv2: is not what was there"));
    expect_scalars_of_metrics("a");
  }
  std::filesystem::remove(events("a"));
  ++config_.train.epochs;
  train("a", StartMode::resume_or_create);
  expect_scalars_of_metrics("a");
  const auto log = read_file(dir_ / "a" / "log.txt").size();
  ++config_.train.epochs;
  train("a", StartMode::resume_or_create);
  EXPECT_THAT(read_file(dir_ / "a" / "log.txt").substr(log), Not(HasSubstr("is not what was there")));
}

TEST_F(TensorboardRunTest, OtherSettingsOfAResumeStandBesideTheFirst) {
  train("a");
  config_.train.epochs = 3;
  train("a", StartMode::resume_or_create);
  std::map<std::int64_t, std::int64_t> epochs;
  for (const auto& value : test::read_events(events("a"))) {
    if (value.tag == "config") {
      epochs[value.step] = ordered_json::parse(test::only(value.message(8), 8).text)["train"]["epochs"];
    }
  }
  EXPECT_EQ(epochs, (std::map<std::int64_t, std::int64_t>{{0, 2}, {2, 3}}));
}

TEST_F(TensorboardRunTest, HistogramsComeInTheirEpochsOfTheWeightsThatAreSaved) {
  config_.train.ema.decay = 0.9;
  config_.tensorboard.histograms_every_epochs = 2;
  config_.tensorboard.training_images = 0;
  config_.train.epochs = 4;
  train("a");
  const SafetensorsFile last(dir_ / "a" / "checkpoints" / "last.safetensors");
  std::map<std::int64_t, int> histograms;
  for (const auto& value : test::read_events(events("a"))) {
    if (value.is_scalar() || value.tag == "config") {
      continue;
    }
    ++histograms[value.step];
    if (value.step == 4) {
      std::string name = value.tag;
      name[name.find('/')] = '.';
      const Histogram expected = histogram_of(last.tensor(name));
      const auto histogram = value.message(5);
      EXPECT_EQ(test::only(histogram, 1).real64(), expected.min) << name;
      EXPECT_EQ(test::only(histogram, 2).real64(), expected.max) << name;
      EXPECT_EQ(test::only(histogram, 3).real64(), static_cast<double>(expected.count)) << name;
    }
  }
  int weights = 0;
  for (const auto& name : last.names()) {
    weights += name.ends_with("weight") || name.ends_with("bias") ? 1 : 0;
  }
  EXPECT_EQ(histograms, (std::map<std::int64_t, int>{{2, weights}, {4, weights}}));
}

TEST_F(TensorboardRunTest, OverwriteLeavesNothingOfTheEarlierRun) {
  config_.train.epochs = 3;
  train("a");
  config_.train.epochs = 2;
  train("a", StartMode::overwrite);
  expect_scalars_of_metrics("a");
  config_.tensorboard.enabled = false;
  train("a", StartMode::overwrite);
  EXPECT_FALSE(std::filesystem::exists(events("a")));
}

TEST_F(TensorboardRunTest, DoesNotChangeTheTraining) {
  config_.data.augment.flip = 0.5;
  config_.tensorboard.histograms_every_epochs = 1;
  train("a");
  config_.tensorboard.enabled = false;
  train("b");
  EXPECT_EQ(read_file(dir_ / "a" / "checkpoints" / "last.safetensors"),
            read_file(dir_ / "b" / "checkpoints" / "last.safetensors"));
}

TEST_F(TensorboardRunTest, ABadPictureIsLeftOut) {
  std::ofstream(first_image(), std::ios::trunc) << "no picture";
  config_.data.on_bad_image = OnBadImage::skip;
  config_.data.split.val = 0.0;  // so that the first picture is one of them
  config_.train.monitor = "train_loss";
  for (const auto cache : {Cache::ram, Cache::none}) {
    config_.data.cache = cache;
    const std::string name = cache == Cache::ram ? "ram" : "none";
    train(name);
    int pictures = 0;
    for (const auto& value : test::read_events(events(name))) {
      pictures += value.tag.starts_with("training_images/") ? 1 : 0;
    }
    EXPECT_EQ(pictures, 7);
    EXPECT_EQ(json(name + "/result.json")["bad_images"], 1);
  }
}

}  // namespace
}  // namespace effnetv2
