#include "effnetv2/run/training.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "effnetv2/config/names.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/run/evaluation.h"
#include "effnetv2/run/run_directory.h"
#include "effnetv2/train/checkpoint.h"

#include "support/temp_dir.h"
#include "support/tiny_run.h"

namespace effnetv2 {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using TrainingTest = test::TinyRun;

TEST_F(TrainingTest, TheStoredConfigStartsTheSameRunAgain) {
  train("a");
  config_ = RunDirectory::stored_config(dir_ / "a");
  EXPECT_EQ(config_.threads, 1);
  EXPECT_EQ(config_.model.num_classes, 10);
  train("b");
  EXPECT_EQ(read_file(dir_ / "a" / "checkpoints" / "last.safetensors"),
            read_file(dir_ / "b" / "checkpoints" / "last.safetensors"));
}

TEST_F(TrainingTest, TestImagesAreMeasuredOnceAtTheEnd) {
  config_.data.split.test = 0.2;
  config_.data.split.val = 0.2;
  train("a");
  const auto result = json("a/result.json");
  EXPECT_EQ(result["test"]["samples"], 10);
  EXPECT_GE(result["test"]["top5"].get<double>(), result["test"]["top1"].get<double>());
}

TEST_F(TrainingTest, ItsEndLeavesWhatEvalWouldSayOfTheBestWeights) {
  config_.data.split.test = 0.2;
  train("a");
  for (const std::string split : {"val", "test"}) {
    auto left = json("a/eval/" + split + "/eval.json");
    const std::string predictions = read_file(dir_ / "a" / "eval" / split / "predictions.csv");
    EvaluationRequest request;
    request.model.run_dir = dir_ / "a";
    request.split = split;
    nlohmann::json said = *run_evaluation(request, {}, Log::silent());
    left.erase("seconds");
    said.erase("seconds");
    EXPECT_EQ(left, said);
    EXPECT_EQ(predictions, read_file(dir_ / "a" / "eval" / split / "predictions.csv"));
  }
  EXPECT_EQ(json("a/result.json")["test"]["top1"], json("a/eval/test/eval.json")["top1"]);
}

TEST_F(TrainingTest, TestImagesThatChooseAreNotReadAsATestAgain) {
  config_.data.split.val = 0.0;
  config_.data.split.test = 0.2;
  config_.data.split.choose_on = ChooseOn::test;
  const auto outcome = train("a");
  EXPECT_THAT(outcome.summary, HasSubstr("on the test images, which chose it"));
  const auto result = json("a/result.json");
  EXPECT_EQ(result["choose_on"], "test");
  EXPECT_TRUE(result["best"]["val_top1"].is_number());
  EXPECT_FALSE(result.contains("test"));
  EXPECT_EQ(json("a/eval/test/eval.json")["samples"], 10);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "a" / "eval" / "val"));
  EvaluationRequest request;
  request.model.run_dir = dir_ / "a";
  EXPECT_EQ((*run_evaluation(request, {}, Log::silent()))["split"], "test");
}

TEST_F(TrainingTest, WithoutValidationAnotherMonitorIsNeeded) {
  config_.data.split.val = 0.0;
  EXPECT_THROW(train("a"), ConfigError);
  config_.train.monitor = "train_loss";
  train("b");
  EXPECT_TRUE(json("b/result.json")["best"]["val_top1"].is_null());
}

TEST_F(TrainingTest, TrainingImagesInEvalModeGetTheirColumns) {
  config_.train.eval_train = true;
  config_.train.epochs = 1;
  train("a");
  EXPECT_TRUE(json("a/metrics.jsonl")["train_eval_top1"].is_number());
}

TEST_F(TrainingTest, ABadImageStopsOrIsLeftOutAndCounted) {
  std::ofstream(first_image(), std::ios::trunc) << "no picture";
  try {
    train("a");
    FAIL() << "must throw";
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr(first_image().filename().string()));
  }
  config_.data.on_bad_image = OnBadImage::skip;
  config_.data.cache_dir = (dir_ / "packs").string();
  for (const auto cache : {Cache::ram, Cache::none, Cache::disk}) {
    config_.data.cache = cache;
    const std::string name(name_of(cache));
    train(name);
    EXPECT_EQ(json(name + "/result.json")["bad_images"], 1);
    EXPECT_THAT(read_file(dir_ / name / "log.txt"), HasSubstr(first_image().filename().string()));
  }
  for (const char* name : {"ram", "disk"}) {
    EXPECT_EQ(read_file(dir_ / name / "checkpoints" / "last.safetensors"),
              read_file(dir_ / "none" / "checkpoints" / "last.safetensors"));
  }
}

TEST_F(TrainingTest, StateIsRemovedWhenAskedAndThenCannotGrow) {
  train("a");
  config_.checkpoint.keep_state_when_done = false;
  train("a", StartMode::resume_or_create);  // as after a kill between the result and the removal
  EXPECT_FALSE(std::filesystem::exists(dir_ / "a" / "checkpoints" / "state.safetensors"));
  EXPECT_TRUE(train("a", StartMode::resume_or_create).was_done);
  config_.train.epochs = 3;
  EXPECT_THROW(train("a", StartMode::resume_or_create), CheckpointError);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "a" / "result.json")) << "a refused resume must not harm the run";
}

TEST_F(TrainingTest, OtherSettingsAreRefusedUnlessOverwritten) {
  train("a");
  config_.seed = 1;
  EXPECT_THROW(train("a", StartMode::resume_or_create), ConfigError);
  EXPECT_THROW(train("a"), ConfigError);
  const auto before = read_file(dir_ / "a" / "checkpoints" / "last.safetensors");
  train("a", StartMode::overwrite);
  EXPECT_NE(before, read_file(dir_ / "a" / "checkpoints" / "last.safetensors"));
}

TEST_F(TrainingTest, AnOverwriteThatCannotBeginHarmsNothing) {
  train("a");
  const auto before = read_file(dir_ / "a" / "result.json");
  const auto good = config_;
  config_.data.root = (dir_ / "nothing").string();
  EXPECT_THROW(train("a", StartMode::overwrite), DataError);
  config_ = good;
  config_.model.num_classes = 3;
  EXPECT_THROW(train("a", StartMode::overwrite), ConfigError);
  config_ = good;
  config_.model.weights = (dir_ / "none.safetensors").string();
  EXPECT_ANY_THROW(train("a", StartMode::overwrite));
  config_ = good;
  std::ofstream(first_image(), std::ios::trunc) << "no picture";
  EXPECT_THROW(train("a", StartMode::overwrite), DataError);
  EXPECT_EQ(read_file(dir_ / "a" / "result.json"), before);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "a" / "checkpoints" / "state.safetensors"));
}

TEST_F(TrainingTest, AFileOfOthersWithANameOfARunsIsNeverTouched) {
  config_.data.split.test = 0.2;
  config_.tensorboard.enabled = true;
  train("a");
  std::vector<std::filesystem::path> names{"report.html"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_ / "a")) {
    if (entry.is_regular_file() && !entry.path().filename().string().starts_with("state")) {
      names.push_back(entry.path().lexically_relative(dir_ / "a"));
    }
  }
  EXPECT_EQ(names.size(), 17U);
  for (const auto& name : names) {
    dir_.write("mine/" + name.string(), "{\"my\": 1}");
    for (const auto mode : {StartMode::create, StartMode::overwrite, StartMode::resume_or_create}) {
      try {
        train("mine", mode);
        ADD_FAILURE() << name << " was not seen";
      } catch (const ConfigError& e) {
        EXPECT_THAT(e.what(), AllOf(HasSubstr("files that are no run's"), HasSubstr(name.string())));
      }
    }
    EXPECT_EQ(read_file(dir_ / "mine" / name), "{\"my\": 1}");
    std::filesystem::remove_all(dir_ / "mine");
  }
}

TEST_F(TrainingTest, WhatAKillOrAPowerCutLeavesOfAFirstMomentGoesOn) {
  train("whole");
  const auto expect_goes_on = [&](const std::string& name) {
    train(name, StartMode::resume_or_create);
    EXPECT_EQ(read_file(dir_ / name / "checkpoints" / "last.safetensors"),
              read_file(dir_ / "whole" / "checkpoints" / "last.safetensors"));
  };
  dir_.write("locked/.lock", "proc");
  dir_.write("locked/log.txt", std::string(9, '\0') + "1 12:");
  std::filesystem::create_directories(dir_ / "locked" / "checkpoints");
  expect_goes_on("locked");
  for (const char* name : {"env.json", "config.json", "metrics.jsonl", "metrics.csv", "log.txt", "result.json"}) {
    dir_.write(std::string("empty/") + name, "");
  }
  expect_goes_on("empty");
  dir_.write("begun/env.json", read_file(dir_ / "whole" / "env.json"));
  expect_goes_on("begun");
  dir_.write("cleared/env.json", read_file(dir_ / "whole" / "env.json"));
  dir_.write("cleared/metrics.csv", "epoch\n");
  dir_.write("cleared/config.json", read_file(dir_ / "whole" / "config.json"));
  expect_goes_on("cleared");
}

TEST_F(TrainingTest, AStateHoldsItsSettingsEvenWithoutTheConfigBeside) {
  train("a");
  const auto whole = read_file(dir_ / "a" / "checkpoints" / "last.safetensors");
  std::filesystem::remove(dir_ / "a" / "config.json");
  std::filesystem::remove(dir_ / "a" / "result.json");
  EXPECT_THROW(train("a"), ConfigError) << "still a run";
  config_.seed = 1;
  try {
    train("a", StartMode::resume_or_create);
    FAIL() << "must throw";
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), HasSubstr("seed: the run has 42, asked is 1"));
  }
  config_.seed = 42;
  EXPECT_EQ(RunDirectory::stored_config(dir_ / "a").train.batch_size, 16) << "from the state";
  train("a", StartMode::resume_or_create);
  EXPECT_EQ(read_file(dir_ / "a" / "checkpoints" / "last.safetensors"), whole);
}

/// Whole by its checksum, so that the state before it is no better.
TEST_F(TrainingTest, AStateWithAValueMissingOrOfAnotherKindIsRefusedByName) {
  train("a");
  std::filesystem::remove(dir_ / "a" / "result.json");
  const auto folder = dir_ / "a" / "checkpoints";
  const TrainState whole = *read_state(folder, {});
  const auto expect_refused = [&](const TrainState& odd, const std::string& place) {
    write_state(folder, odd);
    try {
      train("a", StartMode::resume_or_create);
      ADD_FAILURE() << place << " was not missed";
    } catch (const CheckpointError& e) {
      EXPECT_THAT(e.what(), AllOf(HasSubstr("state.safetensors"), HasSubstr(place)));
    }
  };
  for (const std::string key : {"run", "epoch", "best"}) {
    TrainState odd = whole;
    odd.values.erase(key);
    expect_refused(odd, key + " is missing");
    odd.values[key] = "x";
    expect_refused(odd, key + " must be");
  }
  TrainState odd = whole;
  odd.values["batch"] = 1000;
  config_.train.epochs = 3;
  expect_refused(odd, "batch 1000, but an epoch has 4 batches");
  odd = whole;
  odd.values["run"].erase("config");
  std::filesystem::remove(dir_ / "a" / "config.json");
  write_state(folder, odd);
  EXPECT_THROW(RunDirectory::stored_config(dir_ / "a"), CheckpointError);
}

TEST_F(TrainingTest, ARunWithoutAStepTakesOtherSettings) {
  request_stop();
  train("a");
  clear_stop_request();
  config_.seed = 1;
  EXPECT_EQ(train("a", StartMode::resume_or_create).reason, StopReason::epochs);
  EXPECT_EQ(RunDirectory::stored_config(dir_ / "a").seed, 1U);
}

TEST_F(TrainingTest, EpochsGrowButDoNotShrinkBelowWhatWasTrained) {
  TrainingEvents events;
  int steps = 0;
  events.on_step = [&](const StepInfo&) {
    if (++steps == 5) {  // of four an epoch
      request_stop();
    }
  };
  EXPECT_EQ(run_training({config_, dir_ / "a", StartMode::create}, events, Log::silent()).reason,
            StopReason::interrupted);
  clear_stop_request();
  config_.train.epochs = 1;
  EXPECT_THROW(train("a", StartMode::resume_or_create), ConfigError);
  EXPECT_EQ(RunDirectory::stored_config(dir_ / "a").train.epochs, 2);
  config_.train.epochs = 2;
  EXPECT_EQ(train("a", StartMode::resume_or_create).reason, StopReason::epochs);
}

/// Killed between its last best weights and the state that would have known of them.
TEST_F(TrainingTest, BestWeightsOfALaterEpochThanTheStateAreTrainedAgain) {
  config_.train.monitor = "train_loss";  // which gets better at every epoch
  config_.train.optimizer.lr = 0.005;
  config_.train.epochs = 4;
  train("whole");
  config_.train.epochs = 2;
  train("a");
  std::filesystem::remove(dir_ / "a" / "result.json");
  const auto best = dir_ / "a" / "checkpoints" / "best.safetensors";
  const auto whole = dir_ / "whole" / "checkpoints" / "best.safetensors";
  std::filesystem::copy_file(whole, best, std::filesystem::copy_options::overwrite_existing);
  config_.train.epochs = 3;
  try {
    train("a", StartMode::resume_or_create);
    FAIL() << "must throw";
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("train.epochs: is 3"), HasSubstr("the weights of epoch 4")));
  }
  config_.train.epochs = 4;
  train("a", StartMode::resume_or_create);
  EXPECT_EQ(read_file(best), read_file(whole));
  EXPECT_EQ(json("a/result.json")["best"]["epoch"], 4);
}

TEST_F(TrainingTest, ARunDoesNotEndWithoutTheBestWeightsOrWithOthers) {
  config_.train.monitor = "train_loss";
  config_.train.optimizer.lr = 0.005;
  config_.train.epochs = 1;
  train("other");
  config_.train.epochs = 2;
  train("a");
  const auto best = dir_ / "a" / "checkpoints" / "best.safetensors";
  const auto expect_refused = [&](const std::string& what) {
    std::filesystem::remove(dir_ / "a" / "result.json");
    try {
      train("a", StartMode::resume_or_create);
      ADD_FAILURE() << "must throw: " << what;
    } catch (const CheckpointError& e) {
      EXPECT_THAT(e.what(), AllOf(HasSubstr("best.safetensors"), HasSubstr(what), HasSubstr("train.epochs=MORE")));
    }
  };
  const auto other = dir_ / "other" / "checkpoints" / "best.safetensors";
  std::filesystem::copy_file(other, best, std::filesystem::copy_options::overwrite_existing);
  expect_refused("of epoch 1, but the best epoch is 2");
  std::filesystem::remove(best);
  expect_refused("is gone");
  config_.train.epochs = 3;
  EXPECT_EQ(train("a", StartMode::resume_or_create).reason, StopReason::epochs) << "the third epoch is better";
}

TEST_F(TrainingTest, ADamagedResultIsMadeAgain) {
  train("a");
  const auto result = json("a/result.json");
  for (const char* text : {"", "{}", "{\"epochs\": 3}", "{\"stopped_by\": \"epochs\"}", "{\"epochs\": \"x\"}", "[1]"}) {
    write_file(dir_ / "a" / "result.json", text);
    EXPECT_FALSE(train("a", StartMode::resume_or_create).was_done) << text;
    EXPECT_EQ(json("a/result.json")["final"], result["final"]) << text;
  }
}

TEST_F(TrainingTest, ADamagedResultWithoutAStateIsLeftAlone) {
  config_.checkpoint.keep_state_when_done = false;
  train("a");
  const auto best = read_file(dir_ / "a" / "checkpoints" / "best.safetensors");
  write_file(dir_ / "a" / "result.json", "{");
  EXPECT_THROW(train("a", StartMode::resume_or_create), CheckpointError);
  EXPECT_EQ(read_file(dir_ / "a" / "checkpoints" / "best.safetensors"), best);
}

TEST_F(TrainingTest, ALostMetricsFileIsTold) {
  train("a");
  std::filesystem::remove(dir_ / "a" / "metrics.jsonl");
  config_.train.epochs = 3;
  train("a", StartMode::resume_or_create);
  EXPECT_THAT(read_file(dir_ / "a" / "log.txt"), HasSubstr("rows of earlier epochs are gone"));
}

TEST_F(TrainingTest, WhatCannotBeTrainedIsRefusedBeforeAnythingIsWritten) {
  const auto good = config_;
  config_.train.drop_last = true;
  config_.train.batch_size = 500;
  EXPECT_THROW(train("a"), ConfigError) << "no batch";
  config_ = good;
  config_.data.image_size = 4;  // 1x1 after the stem and the stage
  config_.train.batch_size = 49;
  EXPECT_THROW(train("a"), ConfigError) << "50 images leave a batch of one";
  EXPECT_FALSE(std::filesystem::exists(dir_ / "a" / "config.json"));
  config_.train.drop_last = true;
  EXPECT_EQ(train("a").reason, StopReason::epochs);
}

TEST_F(TrainingTest, ABatchThatBadImagesLeftWithOneIsPassedOver) {
  std::ofstream(first_image(), std::ios::trunc) << "no picture";
  config_.data.on_bad_image = OnBadImage::skip;
  config_.data.image_size = 4;
  config_.data.split.val = 0.0;
  config_.train.monitor = "train_loss";
  config_.train.batch_size = 2;
  EXPECT_EQ(train("a").reason, StopReason::epochs);
}

TEST_F(TrainingTest, OnlyBadImagesAreAnError) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path() / "shapes")) {
    if (entry.is_regular_file()) {
      std::ofstream(entry.path(), std::ios::trunc) << "no picture";
    }
  }
  config_.data.on_bad_image = OnBadImage::skip;
  EXPECT_THROW(train("a"), DataError);
}

TEST_F(TrainingTest, WhatIsRefusedLeavesNoDirectory) {
  const auto good = config_;
  config_.data.root = (dir_ / "nothing").string();
  EXPECT_THROW(train("a/b"), DataError);
  config_ = good;
  config_.model.weights = (dir_ / "none.safetensors").string();
  EXPECT_ANY_THROW(train("a/b"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "a"));
}

TEST_F(TrainingTest, ARunDirectoryInTheDataIsRefused) {
  std::filesystem::create_directory_symlink(dir_ / "shapes", dir_ / "link");
  for (const char* name : {"shapes", "shapes/runs/a", "shapes/circle", "link/a", "other/../shapes/./a"}) {
    try {
      train(name);
      ADD_FAILURE() << name << " was not refused";
    } catch (const ConfigError& e) {
      EXPECT_THAT(e.what(), AllOf(HasSubstr("lies in data.root"), HasSubstr("--run-dir")));
    }
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ / "shapes" / "checkpoints"));
  config_.data.root = (dir_ / "link").string();
  EXPECT_THROW(train("shapes/a"), ConfigError);
  config_.train.epochs = 1;
  for (const char* name : {"shapes2", "shapes/.hidden/a"}) {
    EXPECT_EQ(train(name).reason, StopReason::epochs) << "no folder of it is a class";
  }
}

TEST_F(TrainingTest, WhereItsWeightsComeFromIsInTheLog) {
  train("a");
  config_.model.weights = (dir_ / "a").string();
  train("b");
  EXPECT_THAT(read_file(dir_ / "b" / "log.txt"), HasSubstr("starting from the weights of"));
}

TEST_F(TrainingTest, Tf32IsRefusedWhereAutoMeansACpu) {
  config_.precision = Precision::tf32;
  EXPECT_THROW(train("a"), ConfigError);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "a" / "config.json"));
}

TEST_F(TrainingTest, AutomaticPrecisionStaysSoAndMayBeSpelledOut) {
  train("a");
  EXPECT_EQ(RunDirectory::stored_config(dir_ / "a").precision, Precision::automatic);
  config_.precision = Precision::fp32;
  config_.train.epochs = 3;
  train("a", StartMode::resume_or_create);
  config_.precision = Precision::bf16;
  EXPECT_THROW(train("a", StartMode::resume_or_create), ConfigError);
}

TEST_F(TrainingTest, AStopDuringTheFinalTestIsMadeUpForByResume) {
  config_.data.split.test = 0.2;
  TrainingEvents events;
  int epochs = 0;
  events.on_epoch_end = [&](const auto&) { ++epochs; };
  events.on_validation = [&](std::int64_t, std::int64_t) {
    if (epochs == 2) {
      request_stop();
    }
  };
  EXPECT_EQ(run_training({config_, dir_ / "a", StartMode::create}, events, Log::silent()).reason,
            StopReason::interrupted);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "a" / "result.json"));
  clear_stop_request();
  train("a", StartMode::resume_or_create);
  EXPECT_EQ(json("a/result.json")["test"]["samples"], 10);
}

TEST_F(TrainingTest, AStopBeforeTrainingSavesNothingAndResumesFromTheStart) {
  request_stop();
  EXPECT_EQ(train("a").reason, StopReason::interrupted);
  clear_stop_request();
  EXPECT_EQ(train("a", StartMode::resume_or_create).reason, StopReason::epochs);
  train("b");
  EXPECT_EQ(read_file(dir_ / "a" / "checkpoints" / "last.safetensors"),
            read_file(dir_ / "b" / "checkpoints" / "last.safetensors"));
}

TEST_F(TrainingTest, MoreClassesThanTheDataAreAllowedFewerAreNot) {
  config_.model.num_classes = 1000;
  train("a");
  config_.model.num_classes = 9;
  EXPECT_THROW(train("b"), ConfigError);
}

}  // namespace
}  // namespace effnetv2
