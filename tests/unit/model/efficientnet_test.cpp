#include "effnetv2/model/efficientnet.h"

#include <array>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "effnetv2/core/cpu_features.h"
#include "effnetv2/core/error.h"

#include "support/network.h"

namespace effnetv2 {
namespace {

ModelConfig small() {
  ModelConfig config;
  config.stages = {{BlockKind::fused_mbconv, 4, 3, 2, 16, 1}, {BlockKind::mbconv, 4, 5, 2, 24, 2}};
  config.stem_channels = 8;
  config.head_channels = 32;
  return config;
}

TEST(EfficientNet, TakesAnySizeInBothLayouts) {
  const torch::NoGradGuard no_grad;
  const auto network = test::formula_network(architecture(small(), 7));
  network->eval();
  for (const auto& [height, width] : {std::pair{1, 1}, {5, 3}, {17, 32}, {33, 8}}) {
    const at::Tensor x = test::formula_pictures("x", 3, height, width);
    const at::Tensor logits = network->forward(x);
    EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{3, 7}));
    EXPECT_TRUE(network->forward(x.contiguous(at::MemoryFormat::ChannelsLast)).allclose(logits, 1e-4, 1e-5));
  }
}

TEST(EfficientNet, EvalModeTreatsEachPictureAlone) {
  const torch::NoGradGuard no_grad;
  const auto network = test::formula_network(architecture(small(), 7));
  const at::Tensor x = test::formula_pictures("x", 4, 16, 16);
  network->forward(x);
  network->eval();
  EXPECT_TRUE(network->forward(x).slice(0, 2, 3).allclose(network->forward(x.slice(0, 2, 3)), 1e-5, 1e-6));
}

TEST(EfficientNet, LeavesItsInputAlone) {
  const auto network = test::formula_network(architecture(small(), 7));
  const at::Tensor x = test::formula_pictures("x", 2, 16, 16);
  const at::Tensor before = x.clone();
  network->forward(x);
  network->eval();
  const torch::NoGradGuard no_grad;
  network->forward(x);
  EXPECT_TRUE(x.equal(before));
}

TEST(EfficientNet, RefusesToNormaliseASingleValue) {
  const auto network = test::formula_network(architecture(small(), 7));
  try {
    network->forward(test::formula_pictures("x", 1, 8, 8));
    FAIL() << "a batch of one with 1x1 maps was normalised";
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("train.batch_size"), std::string::npos) << e.what();
  }
  network->eval();
  EXPECT_NO_THROW(network->forward(test::formula_pictures("x", 1, 8, 8)));
}

TEST(EfficientNet, WorksUnderBf16OnTheCpu) {
  const auto network = test::formula_network(architecture(small(), 7), {at::kFloat, at::MemoryFormat::ChannelsLast});
  const at::Tensor x = test::formula_pictures("x", 8, 16, 16).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor expected = network->forward(x);
  SeededNoise noise(1, 1);
  const at::Tensor logits = network->forward(x, nullptr, true);
  EXPECT_LT((logits - expected).abs().max().item<float>(), 0.1 * expected.abs().max().item<float>());
  network->forward(x, &noise, true).sum().backward();
  for (const auto& parameter : network->named_parameters()) {
    EXPECT_TRUE(parameter.value().grad().defined()) << parameter.key();
    EXPECT_TRUE(parameter.value().grad().isfinite().all().item<bool>()) << parameter.key();
  }
}

TEST(HoldWeights, ChangesNoAnswer) {
  const torch::NoGradGuard no_grad;
  for (const auto device : {at::kCPU, at::kCUDA}) {
    if (device == at::kCUDA && !torch::cuda::is_available()) {
      GTEST_SKIP() << "needs a card for its second half";
    }
    for (const bool bf16 : {false, true}) {
      SCOPED_TRACE(bf16);
      const auto network = test::formula_network(architecture(small(), 7));
      network->to(device);
      const at::Tensor x = test::formula_pictures("x", 4, 32, 32).to(device).contiguous(at::MemoryFormat::ChannelsLast);
      network->eval();
      const at::Tensor plain = network->forward(x, nullptr, bf16);
      network->hold_weights();
      for (int time = 0; time < 2; ++time) {
        EXPECT_TRUE(network->forward(x, nullptr, bf16).equal(plain));
      }
    }
  }
}

TEST(HoldWeights, ServesBothPrecisionsInTurns) {
  const torch::NoGradGuard no_grad;
  const at::Tensor x = test::formula_pictures("x", 4, 32, 32).contiguous(at::MemoryFormat::ChannelsLast);
  for (const CpuLevel level : supported_cpu_levels()) {
    SCOPED_TRACE(to_string(level));
    const CpuLevelGuard guard(level);
    const auto held = test::formula_network(architecture(small(), 7));
    const auto plain = test::formula_network(architecture(small(), 7));
    held->eval();
    plain->eval();
    held->hold_weights();
    for (const bool bf16 : {false, true, false, true}) {
      EXPECT_TRUE(held->forward(x, nullptr, bf16).equal(plain->forward(x, nullptr, bf16))) << bf16;
    }
  }
}

TEST(HoldWeights, LeavesTrainingAlone) {
  const auto network = test::formula_network(architecture(small(), 7));
  const auto twin = test::formula_network(architecture(small(), 7));
  network->hold_weights();
  const at::Tensor x = test::formula_pictures("x", 4, 16, 16);
  EXPECT_TRUE(network->forward(x).equal(twin->forward(x)));
}

TEST(Freeze, WhatIsFrozenKeepsWeightsAndStatistics) {
  const auto network = test::formula_network(architecture(small(), 7));
  network->train();
  network->freeze(2);  // the stem and the first stage
  const auto before = network->named_buffers();
  std::map<std::string, at::Tensor> copies;
  for (const auto& item : before) {
    copies[item.key()] = item.value().clone();
  }
  network->forward(test::formula_pictures("x", 4, 16, 16)).sum().backward();
  for (const auto& item : network->named_parameters()) {
    const bool frozen = item.key().starts_with("features.0.") || item.key().starts_with("features.1.");
    EXPECT_EQ(item.value().grad().defined(), !frozen) << item.key();
  }
  for (const auto& item : network->named_buffers()) {
    const bool frozen = item.key().starts_with("features.0.") || item.key().starts_with("features.1.");
    EXPECT_EQ(item.value().equal(copies[item.key()]), frozen) << item.key();
  }
}

TEST(Freeze, SurvivesEvalAndEndsOnRequest) {
  const auto network = test::formula_network(architecture(small(), 7));
  network->freeze(4);
  network->eval();
  network->train();
  EXPECT_TRUE(network->is_training());
  const at::Tensor x = test::formula_pictures("x", 4, 16, 16);
  network->forward(x);
  EXPECT_EQ(network->named_buffers()["features.0.1.num_batches_tracked"].item<std::int64_t>(), 0);
  network->freeze(0);
  network->forward(x).sum().backward();
  EXPECT_EQ(network->named_buffers()["features.0.1.num_batches_tracked"].item<std::int64_t>(), 1);
  EXPECT_TRUE(network->named_parameters()["features.0.0.weight"].grad().defined());
}

}  // namespace
}  // namespace effnetv2
