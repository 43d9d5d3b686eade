#include <cstdio>
#include <string>
#include <vector>

#include <ATen/ops/cross_entropy_loss.h>
#include <gtest/gtest.h>

#include "effnetv2/core/cpu_features.h"
#include "effnetv2/model/efficientnet.h"
#include "effnetv2/model/noise.h"
#include "effnetv2/train/optimizer.h"

#include "support/golden.h"
#include "support/network.h"

namespace effnetv2 {
namespace {

constexpr int kSteps = 10;

/// Of EfficientNetV2-S with dropout and stochastic depth, step by step on the same pictures. At usual learning rates
/// rounding alone parts two float32 runs within a few steps (see adam_test.cpp), hence the low one.
std::vector<double> losses(CpuLevel level, bool bf16) {
  const CpuLevelGuard guard(level);
  const auto network = std::make_shared<EfficientNetImpl>(
      test::golden_architecture({{"arch", "efficientnet_v2_s"}, {"num_classes", 10}}));
  initialize(*network, Init::per_group, 1);
  network->train();
  OptimizerConfig config;
  config.type = OptimizerType::adam;
  Optimizer optimizer(config, optimized_parameters(*network, config));
  constexpr std::int64_t kBatch = 16, kSize = 64;
  const at::Tensor labels = test::formula_labels(kBatch, network->architecture().num_classes);
  const at::Tensor images =
      test::formula_pictures("kernels", kBatch, kSize, kSize).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  std::vector<double> result;
  for (int step = 0; step < kSteps; ++step) {
    SeededNoise noise(1, step);
    const at::Tensor loss = at::cross_entropy_loss(network->forward(images, &noise, bf16).to(at::kFloat), labels);
    loss.backward();
    optimizer.step(1e-6);
    optimizer.zero_grad();
    result.push_back(loss.item<double>());
  }
  return result;
}

void expect_near_reference(const std::string& name, const std::vector<double>& got,
                           const std::vector<double>& reference, double tolerance) {
  for (int step = 0; step < kSteps; ++step) {
    const auto at = static_cast<std::size_t>(step);
    std::printf("%s, step %d: loss %.6f, the reference's %.6f\n", name.c_str(), step + 1, got[at], reference[at]);
    EXPECT_NEAR(got[at], reference[at], tolerance) << name << ", step " << step + 1;
  }
}

TEST(TrainingWithKernels, FirstLossesEqualTheReferences) {
  const auto reference = losses(CpuLevel::reference, false);
  EXPECT_LT(reference.back(), reference.front()) << "nothing is learnt";
  for (const CpuLevel level : supported_cpu_levels()) {
    expect_near_reference(to_string(level), losses(level, false), reference, 1e-4);
  }
}

// bfloat16 keeps 8 bits of each activation, and BatchNorm over few values makes the most of the difference.
TEST(TrainingWithKernels, FirstLossesInBfloat16StayCloseToTheReferences) {
  const auto reference = losses(CpuLevel::reference, false);
  expect_near_reference("bf16", losses(cpu_level(), true), reference, 0.1);
}

}  // namespace
}  // namespace effnetv2
