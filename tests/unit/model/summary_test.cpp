#include "effnetv2/model/summary.h"

#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/model/efficientnet.h"

namespace effnetv2 {
namespace {

Summary summary_of(const ModelConfig& config, std::int64_t classes, std::int64_t size) {
  return summarize(architecture(config, classes), size, size);
}

double giga(std::int64_t macs) {
  return static_cast<double>(macs) / 1e9;
}

ModelConfig with_layers(const std::vector<std::int64_t>& layers) {
  ModelConfig config = with_defaults({});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    (*config.stages)[i].layers = layers[i];
  }
  return config;
}

ModelConfig of(Arch arch) {
  ModelConfig config;
  config.arch = arch;
  return config;
}

TEST(Summary, CountsThePublishedParameters) {
  EXPECT_EQ(summary_of({}, 1000, 384).parameters, 21'458'488);
  EXPECT_EQ(summary_of({}, 10, 384).parameters, 20'190'298);
  EXPECT_EQ(summary_of({}, 25, 384).parameters, 20'209'513);
  EXPECT_EQ(summary_of(of(Arch::efficientnet_v2_m), 1000, 480).parameters, 54'139'356);
  EXPECT_EQ(summary_of(of(Arch::efficientnet_v2_l), 1000, 480).parameters, 118'515'272);
  EXPECT_EQ(summary_of(of(Arch::efficientnet_b0), 1000, 224).parameters, 5'288'548);
}

TEST(Summary, CountsThePublishedMacs) {
  EXPECT_NEAR(giga(summary_of({}, 1000, 384).macs), 8.366, 5e-4);
  EXPECT_NEAR(giga(summary_of({}, 1000, 224).macs), 2.850, 5e-4);
  EXPECT_NEAR(giga(summary_of({}, 1000, 128).macs), 0.934, 5e-4);
  EXPECT_NEAR(giga(summary_of({}, 1000, 32).macs), 0.063, 5e-4);
}

TEST(Summary, CountsNetworksWithMultipliers) {
  ModelConfig narrow;
  narrow.width_mult = 0.5;
  const Summary half_width = summary_of(narrow, 10, 128);
  EXPECT_EQ(half_width.parameters, 5'270'294);
  EXPECT_NEAR(giga(half_width.macs), 0.251, 5e-4);

  ModelConfig shallow;
  shallow.depth_mult = 0.5;
  const Summary half_depth = summary_of(shallow, 10, 128);
  EXPECT_EQ(half_depth.parameters, 10'529'898);
  EXPECT_NEAR(giga(half_depth.macs), 0.440, 5e-4);
  EXPECT_EQ(half_depth.blocks, 21);

  ModelConfig few_mbconv;
  few_mbconv.mbconv.depth_mult = 0.1;
  const Summary tenth = summary_of(few_mbconv, 10, 128);
  EXPECT_EQ(tenth.parameters, 3'084'858);
  EXPECT_NEAR(giga(tenth.macs), 0.558, 5e-4);
  EXPECT_EQ(tenth.blocks, 14);
}

TEST(Summary, CountsOtherTables) {
  EXPECT_EQ(summary_of(with_layers({1, 2, 2, 3, 4, 7}), 10, 32).parameters, 9'126'978);

  ModelConfig fused = with_defaults({});
  for (auto& stage : *fused.stages) {
    stage.block = BlockKind::fused_mbconv;
  }
  EXPECT_NEAR(static_cast<double>(summary_of(fused, 10, 32).parameters) / 1e6, 74.8, 0.05);
}

TEST(Summary, FollowsStridesAtSmallSizes) {
  ModelConfig config = with_defaults({});
  config.stem_stride = 1;
  const Summary stem_one = summary_of(config, 10, 32);
  EXPECT_NEAR(giga(stem_one.macs), 0.236, 5e-4);
  EXPECT_EQ(stem_one.rows[6].height, 2);
  (*config.stages)[1].stride = 1;
  const Summary both_one = summary_of(config, 10, 32);
  EXPECT_NEAR(giga(both_one.macs), 0.899, 5e-4);
  EXPECT_EQ(both_one.rows[6].height, 4);
}

TEST(Summary, RowsAddUpAndShowShapes) {
  const Summary s = summarize(architecture({}, 10), 97, 61);
  ASSERT_EQ(s.rows.size(), 9u);
  std::int64_t parameters = 0, macs = 0;
  for (const auto& row : s.rows) {
    parameters += row.parameters;
    macs += row.macs;
  }
  EXPECT_EQ(parameters, s.parameters);
  EXPECT_EQ(macs, s.macs);
  EXPECT_EQ(s.rows[0].name, "stem");
  EXPECT_EQ(s.rows[0].height, 49);
  EXPECT_EQ(s.rows[0].width, 31);
  EXPECT_EQ(s.rows[2].operation, "Fused-MBConv x4 3x3");
  EXPECT_EQ(s.rows[5].name, "stage 5");
  EXPECT_EQ(s.rows[5].operation, "MBConv x6 3x3");
  EXPECT_EQ(s.rows[6].layers, 15);
  EXPECT_EQ(s.rows[7].channels, 1280);
  EXPECT_EQ(s.rows[7].height, 4);
  EXPECT_EQ(s.rows[7].width, 2);
  EXPECT_EQ(s.rows[8].channels, 10);
}

TEST(Summary, CountsWhatTheNetworkHolds) {
  ModelConfig config;
  config.arch = Arch::efficientnet_b0;
  config.width_mult = 0.7;
  config.depth_mult = 1.3;
  const Architecture network = architecture(config, 17);
  std::int64_t parameters = 0;
  for (const auto& parameter : std::make_shared<EfficientNetImpl>(network)->parameters()) {
    parameters += parameter.numel();
  }
  EXPECT_EQ(summarize(network, 32, 32).parameters, parameters);
}

TEST(Summary, CountsBeyond64BitsAreRefused) {
  // 2^20 channels and a kernel of 31 x 31: nearly 2^56 weights a block
  const StageConfig widest{BlockKind::fused_mbconv, 64, 31, 1, 65536, 1};
  ModelConfig config;
  config.width_mult = 16.0;
  config.stages = std::vector<StageConfig>(3, widest);
  EXPECT_THROW(summary_of(config, 10, 4096), ConfigError);
  EXPECT_GT(summary_of(config, 10, 2).parameters, std::int64_t{1} << 56);
  config.stages = std::vector<StageConfig>(64, widest);
  (*config.stages)[1].layers = 1000;
  EXPECT_THROW(summary_of(config, 10, 1), ConfigError);
  // their number fits, their bytes do not
  config.stages = std::vector<StageConfig>(40, widest);
  EXPECT_GT(estimate_training_bytes(summary_of(config, 10, 1), 1 << 20, 2, true, 4), 9.3e18);
}

TEST(Summary, EstimateGrowsWithEachPart) {
  const Summary s = summary_of({}, 10, 32);
  const auto bytes = [&](std::int64_t batch, int slots, bool ema, int activation_bytes) {
    return estimate_training_bytes(s, batch, slots, ema, activation_bytes);
  };
  const auto parameters = static_cast<double>(s.parameters), activations = static_cast<double>(s.activations);
  EXPECT_EQ(bytes(0, 2, false, 4), parameters * 16);
  EXPECT_EQ(bytes(0, 2, true, 4) - bytes(0, 2, false, 4), parameters * 4);
  EXPECT_EQ(bytes(8, 0, false, 2) - bytes(0, 0, false, 2), activations * 16);
  // one 32 px picture: at least each convolution's output (0.26 M floats), at most some four copies of it
  EXPECT_GT(s.activations, 260'000);
  EXPECT_LT(s.activations, 1'300'000);
}

}  // namespace
}  // namespace effnetv2
