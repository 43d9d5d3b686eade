#include <functional>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"

#include "support/config_values.h"

namespace effnetv2 {
namespace {

using nlohmann::json;
using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string set_error(const std::vector<std::string>& sets) {
  return error_of(json::object(), sets);
}

/// `sets` break the rule of `path`; they no longer do with `cure` on top.
void expect_rule(std::vector<std::string> sets, const std::string& path, const std::string& cure) {
  EXPECT_THAT(set_error(sets), HasSubstr(path + ": ")) << sets.front();
  sets.push_back(cure);
  EXPECT_EQ(set_error(sets), "");
}

TEST(ConfigRules, AcrossFields) {
  expect_rule({"data.split.val=0.5", "data.split.test=0.5"}, "data.split.val", "data.split.test=0.49");
  expect_rule({"data.resize=center_crop", "data.resize_size=200"}, "data.resize_size", "data.image_size=200");
  expect_rule({"data.resize=center_crop", "data.resize_size=200"}, "data.resize_size", "data.resize=squash");
  expect_rule({"data.augment.random_resized_crop.scale=[0.9,0.2]"}, "data.augment.random_resized_crop.scale",
              "data.augment.random_resized_crop.scale=[0.2,0.2]");
  expect_rule({"data.augment.random_resized_crop.ratio=[2,1]"}, "data.augment.random_resized_crop.ratio",
              "data.augment.random_resized_crop=null");
  expect_rule({"train.optimizer.type=sgd", "train.optimizer.nesterov=true", "train.optimizer.momentum=0"},
              "train.optimizer.nesterov", "train.optimizer.momentum=0.1");
  expect_rule({"train.scheduler.type=plateau", "train.scheduler.min_lr=1"}, "train.scheduler.min_lr",
              "train.optimizer.lr=1");
  expect_rule({"train.scheduler.type=cosine", "train.scheduler.final_lr=1"}, "train.scheduler.final_lr",
              "train.scheduler.type=none");
  expect_rule({"train.scheduler.warmup_epochs=5.5", "train.epochs=5"}, "train.scheduler.warmup_epochs",
              "train.epochs=6");
  expect_rule({"train.monitor=train_eval_loss"}, "train.monitor", "train.eval_train=true");
  expect_rule({"data.split.choose_on=test"}, "data.split.choose_on", "data.split.val=0");
  expect_rule({"data.split.choose_on=test", "data.split.val=0", "train.monitor=train_loss"}, "data.split.choose_on",
              "train.monitor=val_loss");
  expect_rule({"precision=tf32", "device=cpu"}, "precision", "device=cuda:1");
}

TEST(ConfigRules, OddKernelsOnly) {
  EXPECT_THAT(set_error({"model.stages=[{\"channels\":8,\"kernel\":4}]"}),
              HasSubstr("model.stages[0].kernel: must be an odd integer"));
  EXPECT_THAT(set_error({"model.stages=[{\"kernel\":3}]"}), HasSubstr("model.stages[0].channels: is missing"));
  EXPECT_THAT(set_error({"model.stages=[]"}), HasSubstr("model.stages: must be a list of 1 to 64 objects"));
}

TEST(ConfigRules, TakeWhatIsThere) {
  EXPECT_EQ(set_error({"data.cache=disk", "data.cache_dir=/fast/packs"}), "");
  EXPECT_EQ(set_error({"model.weights=/w/best.safetensors"}), "");
  EXPECT_EQ(set_error({"model.weights=/w/model.pth", "train.freeze=stages:3", "train.unfreeze_at_epoch=4"}), "");
  EXPECT_EQ(set_error({"model.weights=/runs/a-1"}), "");
  EXPECT_EQ(set_error({"data.interpolation=bicubic"}), "");
}

TEST(ConfigRules, AreJudgedOnlyOnWhatCouldBeRead) {
  EXPECT_EQ(set_error({"data.split.val=0.9", "data.split.test=2"}),
            "--set data.split.test=2: data.split.test: must be a number in [0, 1), got 2");
  const std::string both = set_error({"seed=x", "train.monitor=train_eval_loss"});
  EXPECT_THAT(both, HasSubstr("seed: must be"));
  EXPECT_THAT(both, HasSubstr("train.monitor: "));
}

TEST(ConfigRules, ValidateTakesStructs) {
  ExperimentConfig config;
  EXPECT_NO_THROW(validate(config));
  config.data.split = {.val = 0.6, .test = 0.6};
  config.train.monitor = "train_eval_top1";
  try {
    validate(config);
    FAIL() << "nothing was thrown";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), StartsWith("data.split.val: "));
    EXPECT_THAT(error.what(), HasSubstr("\ntrain.monitor: "));
  }
}

TEST(ConfigRules, RatesHaveNoUpperBound) {
  EXPECT_EQ(set_error({"train.optimizer.lr=1e300", "train.optimizer.weight_decay=1e300"}), "");
  EXPECT_EQ(set_error({"train.optimizer.lr=0", "train.optimizer.weight_decay=0"}), "");
  EXPECT_NE(set_error({"train.optimizer.lr=-1e-300"}), "");
}

TEST(ConfigWarnings, NameKeysThatAnotherTypeIgnores) {
  EXPECT_THAT(warnings(ExperimentConfig{}), IsEmpty());
  const auto lines =
      warnings(parse_config(json::object(), "/",
                            {"train.scheduler.type=cosine", "train.scheduler.gamma=0.5",
                             "train.scheduler.final_lr=1e-6", "train.optimizer.nesterov=true",
                             "train.optimizer.eps=1e-6", "data.resize_size=256", "train.early_stopping.min_epochs=3"}));
  EXPECT_THAT(lines, ElementsAre(StartsWith("train.optimizer.nesterov: true is ignored by type \"adam\""),
                                 StartsWith("train.scheduler.gamma: 0.5 is ignored by type \"cosine\"; only step"),
                                 StartsWith("data.resize_size: "), StartsWith("train.early_stopping.min_epochs: ")));
}

TEST(ConfigWarnings, UsersOfAKeyAreTypesThatExist) {
  for (const ConfigKey* key : test::every_key()) {
    if (key->field.used_by.empty()) {
      continue;
    }
    const ConfigKey* parent = &config_keys();
    for (const auto& name : {std::string("train"), key->path.substr(6, key->path.rfind('.') - 6)}) {
      parent = parent->child(name);
      ASSERT_NE(parent, nullptr) << key->path;
    }
    const auto& types = parent->child("type")->choices;
    std::stringstream users{std::string(key->field.used_by)};
    for (std::string user; std::getline(users >> std::ws, user, ',');) {
      EXPECT_THAT(types, testing::Contains(user)) << key->path;
    }
  }
}

}  // namespace
}  // namespace effnetv2
