#include <cstdio>
#include <string>

#include <ATen/ops/cross_entropy_loss.h>
#include <gtest/gtest.h>

#include "effnetv2/train/optimizer.h"

#include "support/golden.h"
#include "support/network.h"

namespace effnetv2 {
namespace {

struct AdamCase {
  std::string name;
  std::string golden;
  test::Form form;
  double tolerance;
};

class AdamRun : public testing::TestWithParam<AdamCase> {};

// Adam's first updates are the gradient's signs, so rounding in float32 grows at the pace of the learning rate: at 1e-4
// torchvision's own float32 losses leave its float64 ones by 2e-3 within five steps. Hence the slower run for float32.
TEST_P(AdamRun, FirstLossesEqualTorchvisions) {
  const nlohmann::json golden = test::read_golden(GetParam().golden);
  const auto batch = golden["batch"].get<std::int64_t>(), size = golden["size"].get<std::int64_t>();
  const test::Form form = GetParam().form;
  const auto network = test::formula_network(test::golden_architecture(golden["model"]), form);
  network->train();
  OptimizerConfig config;
  config.type = OptimizerType::adam;
  Optimizer optimizer(config, optimized_parameters(*network, config));
  for (std::size_t step = 0; step < golden["losses"].size(); ++step) {
    optimizer.zero_grad();
    const at::Tensor images =
        test::in_form(test::formula_pictures("step/" + std::to_string(step), batch, size, size), form);
    const at::Tensor loss = at::cross_entropy_loss(network->forward(images),
                                                   test::formula_labels(batch, network->architecture().num_classes));
    loss.backward();
    optimizer.step(golden["lr"].get<double>());
    const double expected = golden["losses"][step].get<double>();
    std::printf("step %zu: loss %.6f, torchvision's %.6f\n", step + 1, loss.item<double>(), expected);
    EXPECT_NEAR(loss.item<double>(), expected, GetParam().tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, AdamRun,
    testing::Values(AdamCase{"float64", "model_s_adam", {at::kDouble, at::MemoryFormat::Contiguous}, 1e-6},
                    AdamCase{"float32", "model_s_adam_slow", {at::kFloat, at::MemoryFormat::Contiguous}, 1e-3},
                    AdamCase{"channels_last", "model_s_adam_slow", {at::kFloat, at::MemoryFormat::ChannelsLast}, 1e-3}),
    [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace effnetv2
