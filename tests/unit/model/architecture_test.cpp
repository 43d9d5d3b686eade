#include "effnetv2/model/architecture.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

std::vector<std::int64_t> layers_of(const Architecture& network) {
  std::vector<std::int64_t> layers;
  for (const auto& stage : network.stages) {
    layers.push_back(static_cast<std::int64_t>(stage.size()));
  }
  return layers;
}

std::vector<std::int64_t> channels_of(const Architecture& network) {
  std::vector<std::int64_t> channels;
  for (const auto& stage : network.stages) {
    channels.push_back(stage.front().out_channels);
  }
  return channels;
}

std::string message_of(const std::function<void(ModelConfig&)>& change, std::int64_t num_classes = 10) {
  ModelConfig config = with_defaults({});
  change(config);
  try {
    architecture(config, num_classes);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "nothing thrown";
}

TEST(MakeDivisible, RoundsToEightAndNeverBelowNineTenths) {
  EXPECT_EQ(make_divisible(1.0), 8);
  EXPECT_EQ(make_divisible(8.0), 8);
  EXPECT_EQ(make_divisible(11.9), 16) << "8 would be below 90 % of it";
  EXPECT_EQ(make_divisible(12.0), 16);
  EXPECT_EQ(make_divisible(67.0), 64);
  EXPECT_EQ(make_divisible(68.0), 72);
  EXPECT_EQ(make_divisible(10.0, 4), 12);
  for (std::int64_t tenth = 1; tenth < 20'000; ++tenth) {
    const double v = static_cast<double>(tenth) / 10.0;
    const std::int64_t rounded = make_divisible(v);
    EXPECT_EQ(rounded % 8, 0);
    EXPECT_GE(static_cast<double>(rounded), 0.9 * v);
    EXPECT_LE(static_cast<double>(rounded), std::max(8.0, v + 8.0));
  }
}

TEST(Architecture, OfSHasItsTable) {
  const Architecture s = architecture({}, 1000);
  EXPECT_EQ(s.stem_channels, 24);
  EXPECT_EQ(s.stem_stride, 2);
  EXPECT_EQ(s.head_channels, 1280);
  EXPECT_EQ(s.num_classes, 1000);
  EXPECT_EQ(s.bn_eps, 1e-3);
  EXPECT_EQ(s.dropout, 0.2);
  EXPECT_EQ(s.blocks(), 40);
  EXPECT_EQ(layers_of(s), (std::vector<std::int64_t>{2, 4, 4, 6, 9, 15}));
  const BlockSpec expected{BlockKind::mbconv, 64, 256, 128, 3, 2, 16, 10, 0.2 * 10 / 40};
  EXPECT_EQ(s.stages[3][0], expected);
  EXPECT_FALSE(s.stages[3][0].has_residual());
  EXPECT_TRUE(s.stages[3][1].has_residual());
  EXPECT_EQ(s.stages[0][0].expanded_channels, 24) << "ratio 1";
  EXPECT_EQ(s.stages[0][0].squeeze_channels, 0) << "fused blocks have none";
}

TEST(Architecture, DropRatesRiseFromZeroBlockByBlock) {
  const Architecture s = architecture({}, 10);
  std::int64_t index = 0;
  for (const auto& stage : s.stages) {
    for (const auto& block : stage) {
      EXPECT_EQ(block.index, index);
      EXPECT_DOUBLE_EQ(block.drop_rate, 0.2 * static_cast<double>(index) / 40.0);
      ++index;
    }
  }
}

TEST(Architecture, B0HasItsOwnNormAndDropout) {
  ModelConfig config;
  config.arch = Arch::efficientnet_b0;
  const Architecture b0 = architecture(config, 10);
  EXPECT_EQ(b0.bn_eps, 1e-5);
  EXPECT_EQ(b0.stem_channels, 32);
  EXPECT_EQ(b0.head_channels, 1280);
  EXPECT_EQ(b0.stages[4][0].kernel, 5);
}

TEST(Architecture, MultipliersChangeStemAndStagesNeverTheHead) {
  ModelConfig config;
  config.width_mult = 0.5;
  config.depth_mult = 0.5;
  const Architecture half = architecture(config, 10);
  EXPECT_EQ(half.stem_channels, 16);
  EXPECT_EQ(half.head_channels, 1280);
  EXPECT_EQ(channels_of(half), (std::vector<std::int64_t>{16, 24, 32, 64, 80, 128}));
  EXPECT_EQ(layers_of(half), (std::vector<std::int64_t>{1, 2, 2, 3, 5, 8}));
  EXPECT_EQ(half.stages[0][0].in_channels, half.stem_channels);
  EXPECT_EQ(half.stages[4][0].in_channels, half.stages[3][0].out_channels);
}

TEST(Architecture, KindMultipliersComeOnTop) {
  ModelConfig config;
  config.width_mult = 2.0;
  config.mbconv = {0.5, 0.1};
  const Architecture network = architecture(config, 10);
  EXPECT_EQ(channels_of(network), (std::vector<std::int64_t>{48, 96, 128, 128, 160, 256}));
  EXPECT_EQ(layers_of(network), (std::vector<std::int64_t>{2, 4, 4, 1, 1, 2}));
  EXPECT_EQ(network.stem_channels, 48);
}

TEST(Architecture, DefaultsFillOnlyWhatIsNull) {
  ModelConfig config;
  config.arch = Arch::efficientnet_v2_l;
  config.dropout = 0.0;
  config.stem_channels = 40;
  const ModelConfig filled = with_defaults(config);
  EXPECT_EQ(filled.dropout, 0.0);
  EXPECT_EQ(filled.stem_channels, 40);
  EXPECT_EQ(filled.stages->size(), 7u);
  EXPECT_EQ(filled.bn_eps, 1e-3);
  EXPECT_EQ(filled.num_classes, std::nullopt);
}

TEST(Architecture, ErrorsNameTheKeyTheRuleAndTheValue) {
  EXPECT_EQ(message_of([](ModelConfig& c) { (*c.stages)[2].kernel = 4; }),
            "model.stages[2].kernel: must be an odd integer in [1, 31], got 4");
  EXPECT_EQ(message_of([](ModelConfig& c) { (*c.stages)[1].stride = 3; }),
            "model.stages[1].stride: must be an integer in [1, 2], got 3");
  EXPECT_EQ(message_of([](ModelConfig& c) { c.width_mult = 0.0; }),
            "model.width_mult: must be a number in (0, 64], got 0.0");
  EXPECT_EQ(message_of([](ModelConfig& c) { c.dropout = 1.0; }),
            "model.dropout: must be a number in [0, 1) or null, got 1.0");
  EXPECT_EQ(message_of([](ModelConfig&) {}, 0).substr(0, 18), "model.num_classes:");
}

TEST(Architecture, RefusesWhatIsNoNetwork) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::pair<std::string, std::function<void(ModelConfig&)>> wrong[] = {
      {"model.stages:", [](ModelConfig& c) { c.stages->clear(); }},
      {"model.stages[0].channels:", [](ModelConfig& c) { (*c.stages)[0].channels = 0; }},
      {"model.stages[5].layers:", [](ModelConfig& c) { (*c.stages)[5].layers = -1; }},
      {"model.stages[3].expand:", [](ModelConfig& c) { (*c.stages)[3].expand = 0; }},
      {"model.stem_channels:", [](ModelConfig& c) { c.stem_channels = 0; }},
      {"model.stem_stride:", [](ModelConfig& c) { c.stem_stride = 0; }},
      {"model.head_channels:", [](ModelConfig& c) { c.head_channels = -8; }},
      {"model.bn_eps:", [](ModelConfig& c) { c.bn_eps = 0.0; }},
      {"model.bn_momentum:", [](ModelConfig& c) { c.bn_momentum = 1.5; }},
      {"model.stochastic_depth:", [&](ModelConfig& c) { c.stochastic_depth = nan; }},
      {"model.mbconv.depth_mult:", [&](ModelConfig& c) { c.mbconv.depth_mult = infinity; }},
      {"model.fused_mbconv.width_mult:", [](ModelConfig& c) { c.fused_mbconv.width_mult = -1.0; }},
      {"model.width_mult:", [](ModelConfig& c) { c.width_mult = 1e300; }},
      {"model.stages[4].channels:",
       [](ModelConfig& c) {
         (*c.stages)[4].channels = 65536;
         c.width_mult = c.mbconv.width_mult = 8;
       }},
      {"model.stages[0].layers:",
       [](ModelConfig& c) {
         (*c.stages)[0].layers = 1000;
         c.depth_mult = 64;
       }},
  };
  for (const auto& [key, change] : wrong) {
    EXPECT_EQ(message_of(change).substr(0, key.size()), key);
  }
}

}  // namespace
}  // namespace effnetv2
