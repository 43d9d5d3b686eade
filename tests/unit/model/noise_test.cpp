#include "effnetv2/model/noise.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "support/network.h"

namespace effnetv2 {
namespace {

/// Five standard deviations of a binomial share: fails by chance once in two million.
double share_bound(double rate, std::int64_t count) {
  return 5.0 * std::sqrt(rate * (1.0 - rate) / static_cast<double>(count));
}

double share_dropped(const at::Tensor& mask) {
  return 1.0 - mask.to(at::kDouble).mean().item<double>();
}

double correlation(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble) - a.to(at::kDouble).mean();
  const at::Tensor y = b.to(at::kDouble) - b.to(at::kDouble).mean();
  return ((x * y).mean() / (x.square().mean() * y.square().mean()).sqrt()).item<double>();
}

TEST(SeededNoise, DropsRowsAtTheirRate) {
  for (const double rate : {0.005, 0.1, 0.195, 0.5, 0.9}) {
    constexpr std::int64_t n = 200'001;
    const at::Tensor mask = SeededNoise(1, 2).keep_rows(3, n, rate, at::kCPU);
    ASSERT_EQ(mask.sizes(), (std::vector<std::int64_t>{n}));
    EXPECT_EQ(mask.scalar_type(), at::kFloat);
    EXPECT_TRUE(((mask == 0) | (mask == 1)).all().item<bool>());
    EXPECT_NEAR(share_dropped(mask), rate, share_bound(rate, n));
  }
}

TEST(SeededNoise, DropsUnitsAtTheirRateInEveryColumn) {
  constexpr std::int64_t n = 4000, channels = 25;
  const at::Tensor mask = SeededNoise(7, 0).keep_units(n, channels, 0.2, at::kCPU);
  ASSERT_EQ(mask.sizes(), (std::vector<std::int64_t>{n, channels}));
  EXPECT_NEAR(share_dropped(mask), 0.2, share_bound(0.2, n * channels));
  for (std::int64_t c = 0; c < channels; ++c) {
    EXPECT_NEAR(share_dropped(mask.select(1, c)), 0.2, share_bound(0.2, n));
  }
}

TEST(SeededNoise, RateZeroKeepsAllAndRateOneNothing) {
  SeededNoise noise(1, 1);
  EXPECT_EQ(share_dropped(noise.keep_rows(0, 999, 0.0, at::kCPU)), 0.0);
  EXPECT_EQ(share_dropped(noise.keep_rows(0, 999, 1.0, at::kCPU)), 1.0);
}

TEST(SeededNoise, IsAFunctionOfSeedStepAndBlock) {
  const auto rows = [](std::uint64_t seed, std::int64_t step, std::int64_t block) {
    return SeededNoise(seed, step).keep_rows(block, 100'000, 0.5, at::kCPU);
  };
  const at::Tensor reference = rows(1, 5, 9);
  EXPECT_TRUE(reference.equal(rows(1, 5, 9)));
  SeededNoise used(1, 5);
  used.keep_units(3, 3, 0.5, at::kCPU);
  EXPECT_TRUE(reference.equal(used.keep_rows(9, 100'000, 0.5, at::kCPU))) << "what was drawn before changes nothing";

  const double bound = 5.0 / std::sqrt(100'000.0);
  EXPECT_NEAR(correlation(reference, rows(2, 5, 9)), 0.0, bound);
  EXPECT_NEAR(correlation(reference, rows(1, 6, 9)), 0.0, bound);
  EXPECT_NEAR(correlation(reference, rows(1, 5, 10)), 0.0, bound);
  EXPECT_NEAR(correlation(reference, rows(1, 9, 5)), 0.0, bound);
  EXPECT_NEAR(correlation(reference, SeededNoise(1, 5).keep_units(100'000, 1, 0.5, at::kCPU).flatten()), 0.0, bound);
  EXPECT_NEAR(correlation(reference.slice(0, 0, -1), reference.slice(0, 1)), 0.0, bound) << "neighbours";
}

ModelConfig two_blocks(double stochastic_depth, double dropout) {
  ModelConfig config;
  config.stages = {{BlockKind::fused_mbconv, 4, 3, 1, 8, 2}};
  config.stem_channels = 8;
  config.head_channels = 64;
  config.stochastic_depth = stochastic_depth;
  config.dropout = dropout;
  return config;
}

/// Fails the test if asked for anything.
class ForbiddenNoise final : public Noise {
 public:
  at::Tensor keep_rows(std::int64_t block, std::int64_t n, double, at::Device) override {
    ADD_FAILURE() << "rows asked for block " << block;
    return torch::ones({n});
  }
  at::Tensor keep_units(std::int64_t n, std::int64_t channels, double, at::Device) override {
    ADD_FAILURE() << "units asked";
    return torch::ones({n, channels});
  }
};

TEST(NoiseInTheNetwork, NothingIsDrawnAtRateZeroOrInEvalMode) {
  const torch::NoGradGuard no_grad;
  ForbiddenNoise forbidden;
  const at::Tensor x = test::formula_pictures("x", 2, 8, 8);
  const auto quiet = test::formula_network(architecture(two_blocks(0.0, 0.0), 3));
  const at::Tensor expected = quiet->forward(x);
  EXPECT_TRUE(quiet->forward(x, &forbidden).equal(expected));
  const auto noisy = test::formula_network(architecture(two_blocks(0.5, 0.5), 3));
  EXPECT_TRUE(noisy->forward(x).equal(expected)) << "no noise given: none applied";
  noisy->eval();
  noisy->forward(x, &forbidden);
}

TEST(NoiseInTheNetwork, SameSeedAndStepGiveTheSameLogitsAndOthersDoNot) {
  const torch::NoGradGuard no_grad;
  const auto network = test::formula_network(architecture(two_blocks(0.8, 0.5), 3));
  const at::Tensor x = test::formula_pictures("x", 16, 8, 8);
  const auto logits = [&](std::uint64_t seed, std::int64_t step) {
    SeededNoise noise(seed, step);
    return network->forward(x, &noise);
  };
  EXPECT_TRUE(logits(1, 1).equal(logits(1, 1)));
  EXPECT_FALSE(logits(1, 1).equal(logits(1, 2)));
  EXPECT_FALSE(logits(1, 1).equal(logits(2, 1)));
}

TEST(NoiseInTheNetwork, ScalingKeepsTheMeanOfDropout) {
  const torch::NoGradGuard no_grad;
  const auto network = test::formula_network(architecture(two_blocks(0.0, 0.5), 3));
  const at::Tensor x = test::formula_pictures("x", 4, 8, 8);
  const at::Tensor plain = network->forward(x).to(at::kDouble);
  constexpr int kSteps = 2000;
  at::Tensor sum = torch::zeros_like(plain), squares = torch::zeros_like(plain);
  for (int step = 0; step < kSteps; ++step) {
    SeededNoise noise(3, step);
    const at::Tensor logits = network->forward(x, &noise).to(at::kDouble);
    sum += logits;
    squares += logits.square();
  }
  const at::Tensor mean = sum / kSteps;
  const at::Tensor error = ((squares / kSteps - mean.square()) / kSteps).sqrt();
  EXPECT_GT((squares / kSteps - mean.square()).min().item<double>(), 0.0) << "dropout did nothing";
  EXPECT_LT(((mean - plain).abs() / error).max().item<double>(), 5.0);
}

TEST(NoiseInTheNetwork, ADroppedBranchLeavesTheInput) {
  // Without the second block's branch the network is the one without that block.
  class DropSecond final : public Noise {
   public:
    at::Tensor keep_rows(std::int64_t block, std::int64_t n, double, at::Device) override {
      return block == 1 ? torch::zeros({n}) : torch::ones({n});
    }
    at::Tensor keep_units(std::int64_t n, std::int64_t channels, double, at::Device) override {
      return torch::ones({n, channels});
    }
  } drop_second;
  const torch::NoGradGuard no_grad;
  const at::Tensor x = test::formula_pictures("x", 4, 8, 8);
  ModelConfig config = two_blocks(0.5, 0.0);
  const auto both = test::formula_network(architecture(config, 3));
  (*config.stages)[0].layers = 1;
  const auto first_only = test::formula_network(architecture(config, 3));
  EXPECT_TRUE(both->forward(x, &drop_second).allclose(first_only->forward(x), 1e-6, 1e-6));
  EXPECT_FALSE(both->forward(x).allclose(first_only->forward(x), 1e-3, 1e-3));
}

}  // namespace
}  // namespace effnetv2
