#include <set>

#include <gmock/gmock.h>

#include "effnetv2/config/names.h"

#include "support/config_values.h"

namespace effnetv2 {
namespace {

using nlohmann::json;
using testing::Eq;
using testing::Optional;

/// Every config that differs from `base` in one key, with that key.
std::vector<std::pair<const ConfigKey*, ExperimentConfig>> changed_in_one_key(const json& base) {
  std::vector<std::pair<const ConfigKey*, ExperimentConfig>> changed;
  for (const ConfigKey* key : leaf_keys()) {
    if (key->type == ConfigKey::Type::object || test::is_in_row(*key) || key->path.starts_with("data.augment.random")) {
      continue;
    }
    for (const json& value : test::good_values(*key)) {
      json document = base;
      json& place = test::at_path(document, key->path);
      if (place == value) {
        continue;
      }
      place = value;
      if (test::error_of(document).empty()) {
        changed.emplace_back(key, parse_config(document, "/somewhere"));
      }
    }
  }
  return changed;
}

json resolved_default() {
  ExperimentConfig config;
  config.train.eval_train = true;
  return json::parse(to_json(config).dump());
}

TEST(SemanticHash, ChangesWithEverySemanticKeyAndWithNoOther) {
  const ExperimentConfig base = parse_config(resolved_default(), "/somewhere");
  const std::string hash = semantic_hash(base);
  EXPECT_EQ(hash.size(), 16u);
  std::set<std::string> seen{hash};
  std::set<std::string> semantic;
  std::set<std::string> not_semantic;
  for (const auto& [key, config] : changed_in_one_key(resolved_default())) {
    if (key->field.semantic == Semantic::no) {
      EXPECT_EQ(semantic_hash(config), hash) << key->path;
      EXPECT_EQ(first_semantic_difference(base, config), std::nullopt) << key->path;
      not_semantic.insert(key->path);
    } else {
      semantic.insert(key->path);
      EXPECT_NE(semantic_hash(config), hash) << key->path;
      EXPECT_THAT(first_semantic_difference(base, config), Optional(testing::StartsWith(key->path))) << key->path;
    }
    EXPECT_EQ(first_semantic_difference(config, config), std::nullopt);
  }
  EXPECT_THAT(not_semantic,
              testing::UnorderedElementsAre(
                  "cuda_graph", "description", "name", "data.root", "data.class_names", "data.cache", "data.cache_dir",
                  "data.workers", "train.epochs", "checkpoint.every_epochs", "checkpoint.every_minutes",
                  "checkpoint.every_steps", "checkpoint.keep_state_when_done", "tensorboard.enabled",
                  "tensorboard.training_images", "tensorboard.histograms_every_epochs"));
  EXPECT_GT(semantic.size(), 60u);
}

TEST(SemanticHash, TheKindOfDeviceCountsButNotItsIndex) {
  ExperimentConfig one;
  ExperimentConfig other;
  one.device = "cuda";
  other.device = "cuda:3";
  EXPECT_EQ(semantic_hash(one), semantic_hash(other));
  EXPECT_EQ(first_semantic_difference(one, other), std::nullopt);
  other.device = "cpu";
  EXPECT_NE(semantic_hash(one), semantic_hash(other));
  EXPECT_THAT(first_semantic_difference(one, other), Optional(Eq("device: the run has \"cuda\", asked is \"cpu\"")));
}

TEST(SemanticHash, SurvivesWritingAndReading) {
  for (const auto& [key, config] : changed_in_one_key(resolved_default())) {
    EXPECT_EQ(semantic_hash(parse_config(json::parse(to_json(config).dump(1)), "/elsewhere")), semantic_hash(config))
        << key->path;
  }
}

TEST(SemanticHash, CountsRowsAndOptionalObjects) {
  ExperimentConfig base;
  base.model.stages = {StageConfig{.channels = 8}, StageConfig{.channels = 16}};
  ExperimentConfig other = base;
  other.model.stages->at(1).kernel = 5;
  EXPECT_NE(semantic_hash(base), semantic_hash(other));
  EXPECT_THAT(first_semantic_difference(base, other),
              Optional(Eq("model.stages[1].kernel: the run has 3, asked is 5")));

  ExperimentConfig crop = base;
  crop.data.augment.random_resized_crop.emplace();
  EXPECT_NE(semantic_hash(base), semantic_hash(crop));
  EXPECT_THAT(first_semantic_difference(base, crop),
              Optional(Eq("data.augment.random_resized_crop: the run has null, asked is an object")));
  ExperimentConfig other_crop = crop;
  other_crop.data.augment.random_resized_crop->scale[0] = 0.25;
  EXPECT_THAT(first_semantic_difference(crop, other_crop),
              Optional(Eq("data.augment.random_resized_crop.scale[0]: the run has 0.08, asked is 0.25")));
}

TEST(SemanticDifference, NamesTheFirstInTheDocumentedOrder) {
  ExperimentConfig run;
  ExperimentConfig asked;
  asked.train.optimizer.lr = 1e-3;
  EXPECT_THAT(first_semantic_difference(run, asked),
              Optional(Eq("train.optimizer.lr: the run has 0.0001, asked is 0.001")));
  asked.seed = 1;
  EXPECT_THAT(first_semantic_difference(run, asked), Optional(Eq("seed: the run has 42, asked is 1")));
}

TEST(ConfigNames, BelongToTheEnums) {
  EXPECT_EQ(name_of(BlockKind::mbconv), "mbconv");
  EXPECT_EQ(name_of(Arch::efficientnet_b0), "efficientnet_b0");
  EXPECT_EQ(name_of(Init::per_group), "per_group");
  EXPECT_EQ(name_of(ResizeMode::center_crop), "center_crop");
  EXPECT_EQ(name_of(Interpolation::bicubic), "bicubic");
  EXPECT_EQ(name_of(Decode::fast), "fast");
  EXPECT_EQ(name_of(OnBadImage::skip), "skip");
  EXPECT_EQ(name_of(Cache::none), "none");
  EXPECT_EQ(name_of(Cache::automatic), "auto");
  EXPECT_EQ(name_of(OptimizerType::rmsprop), "rmsprop");
  EXPECT_EQ(name_of(SchedulerType::onecycle), "onecycle");
  EXPECT_EQ(name_of(SchedulerType::step), "step");
  EXPECT_EQ(name_of(ThresholdMode::abs), "abs");
  EXPECT_EQ(name_of(Precision::bf16), "bf16");
}

}  // namespace
}  // namespace effnetv2
