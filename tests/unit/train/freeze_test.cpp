#include "effnetv2/train/freeze.h"

#include <gtest/gtest.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

TEST(FrozenFeatures, CountTheStemTheStagesAndTheHead) {
  TrainConfig config;
  EXPECT_EQ(frozen_features(config, 6, 0), 0);
  config.freeze = "stages:0";
  EXPECT_EQ(frozen_features(config, 6, 0), 1);
  config.freeze = "stages:6";
  EXPECT_EQ(frozen_features(config, 6, 0), 7);
  config.freeze = "backbone";
  EXPECT_EQ(frozen_features(config, 6, 0), 8);
  config.freeze = "stages:7";
  EXPECT_THROW(frozen_features(config, 6, 0), ConfigError);
}

TEST(FrozenFeatures, EndAtTheEpochThatIsAskedFor) {
  TrainConfig config;
  config.freeze = "backbone";
  config.unfreeze_at_epoch = 3;  // the third epoch is number 2
  EXPECT_EQ(frozen_features(config, 6, 1), 8);
  EXPECT_EQ(frozen_features(config, 6, 2), 0);
  EXPECT_EQ(frozen_features(config, 6, 9), 0);
}

}  // namespace
}  // namespace effnetv2
