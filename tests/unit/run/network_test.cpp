#include "effnetv2/run/network.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/weights/state_dict.h"

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class InitialWeightsTest : public testing::Test {
 protected:
  ExperimentConfig config(std::int64_t classes, std::uint64_t seed) const {
    ExperimentConfig config;
    config.device = "cpu";
    config.seed = seed;
    config.model.stages = {{BlockKind::fused_mbconv, 1, 3, 2, 8, 1}};
    config.model.stem_channels = 8;
    config.model.head_channels = 16;
    config.model.num_classes = classes;
    return config;
  }
  std::string saved(const std::vector<std::string>& classes) const {
    const auto path = dir_ / "w.pth";
    save_weights(path, *build_network(config(static_cast<std::int64_t>(classes.size()), 1)), classes, 7);
    return path.string();
  }
  /// What is said of loading `path` into a fresh network for `classes`, which is then in network_.
  std::string load(const std::string& path, const std::vector<std::string>& classes) {
    ExperimentConfig fresh = config(static_cast<std::int64_t>(classes.size()), 2);
    fresh.model.weights = path;
    network_ = build_network(fresh);
    untouched_ = build_network(fresh);
    return load_initial_weights(*network_, fresh, classes);
  }
  bool is_fresh(const std::string& name) const {
    return network_->named_parameters()[name].equal(untouched_->named_parameters()[name]);
  }

  test::TempDir dir_;
  std::shared_ptr<EfficientNetImpl> network_, untouched_;
};

TEST_F(InitialWeightsTest, OnlyAFileOfARunHasAnEpoch) {
  const auto path = dir_ / "w.safetensors";
  EXPECT_EQ(stored_epoch(path), std::nullopt) << "no file";
  save_weights(path, *build_network(config(2, 1)), {"a", "b"}, 7);
  EXPECT_EQ(stored_epoch(path), 7);
  write_safetensors(path, {}, {{"epoch", "7x"}});
  EXPECT_EQ(stored_epoch(path), std::nullopt);
  write_safetensors(path, {});
  EXPECT_EQ(stored_epoch(path), std::nullopt);
  dir_.write("w.safetensors", "no weights");
  EXPECT_EQ(stored_epoch(path), std::nullopt);
}

TEST_F(InitialWeightsTest, AreLoadedAndSaid) {
  EXPECT_THAT(load(saved({"a", "b"}), {"a", "b"}), HasSubstr("starting from the weights of"));
  EXPECT_FALSE(is_fresh("features.0.0.weight"));
  EXPECT_FALSE(is_fresh("classifier.1.weight"));
}

TEST_F(InitialWeightsTest, ForAnotherNumberOfClassesTheClassifierStartsAnew) {
  const std::string log = load(saved({"a", "b"}), {"a", "b", "c"});
  EXPECT_THAT(log, HasSubstr("made for 2 classes, the classifier for 3 starts anew"));
  EXPECT_FALSE(is_fresh("features.0.0.weight"));
  EXPECT_TRUE(is_fresh("classifier.1.weight"));
  EXPECT_TRUE(is_fresh("classifier.1.bias"));
}

TEST_F(InitialWeightsTest, OtherClassesOfTheSameNumberAreSaid) {
  EXPECT_THAT(load(saved({"a", "b"}), {"a", "x"}), HasSubstr("as many other classes is kept"));
  EXPECT_FALSE(is_fresh("classifier.1.weight"));
}

TEST_F(InitialWeightsTest, WhatIsNotThereNamesTheKey) {
  for (const auto& path : {dir_ / "gone.pth", dir_.path()}) {
    try {
      load(path.string(), {"a", "b"});
      FAIL() << "not refused";
    } catch (const CheckpointError& e) {
      EXPECT_THAT(e.what(), AllOf(HasSubstr("model.weights: "), HasSubstr(path.string())));
    }
  }
}

TEST(StoredClasses, AreNoneWhereTheyAreNoListOfNames) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  for (const std::string& text : {deep, std::string("{"), std::string("[1]"), std::string("\"a\"")}) {
    EXPECT_TRUE(stored_classes({{}, {{"classes", text}}, {}}).empty()) << text.substr(0, 20);
  }
  EXPECT_EQ(stored_classes({{}, {{"classes", R"(["a", "b"])"}}, {}}), (std::vector<std::string>{"a", "b"}));
}

TEST(LoadWeights, SaysWhoseWeightsTheyAre) {
  const test::TempDir dir;
  ModelConfig medium;
  medium.arch = Arch::efficientnet_v2_m;
  const EfficientNetImpl theirs(architecture(medium, 10));
  EfficientNetImpl ours(architecture(ModelConfig{}, 10));
  try {
    load_weights(ours, {state_dict(theirs), {}, ""}, "m.pth");
    FAIL() << "not refused";
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), AllOf(testing::StartsWith("m.pth: these are weights of efficientnet_v2_m"),
                                HasSubstr("unexpected"), HasSubstr("other shape")));
  }
}

}  // namespace
}  // namespace effnetv2
