#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <ATen/Context.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "effnetv2/model/noise.h"
#include "effnetv2/train/metrics.h"

#include "support/network.h"

namespace effnetv2 {
namespace {

/// float32 products in float32 while it lives.
class NoTf32 {
 public:
  NoTf32() : blas_(context().allowTF32CuBLAS()), dnn_(context().allowTF32CuDNN()) { set(false, false); }
  ~NoTf32() { set(blas_, dnn_); }
  NoTf32(const NoTf32&) = delete;
  NoTf32& operator=(const NoTf32&) = delete;

 private:
  static at::Context& context() { return at::globalContext(); }
  static void set(bool blas, bool dnn) {
    context().setAllowTF32CuBLAS(blas);
    context().setAllowTF32CuDNN(dnn);
  }
  bool blas_, dnn_;
};

Architecture small_network() {
  ModelConfig config;
  config.stages = {{BlockKind::fused_mbconv, 1, 3, 1, 16, 2},
                   {BlockKind::fused_mbconv, 4, 3, 2, 24, 2},
                   {BlockKind::mbconv, 4, 5, 2, 32, 2}};
  config.stem_channels = 16;
  config.head_channels = 64;
  return architecture(config, 7);
}

/// Logits and the gradients of all parameters after one training step's forward and backward pass.
std::vector<at::Tensor> training_pass(at::Device device, at::ScalarType dtype, bool bf16) {
  const auto network = test::formula_network(small_network(), {dtype, at::MemoryFormat::ChannelsLast});
  network->to(device);
  const at::Tensor x =
      test::formula_pictures("x", 6, 32, 32).to(device, dtype).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor labels = torch::arange(6, torch::kLong).to(device);
  SeededNoise noise(5, 3);
  const at::Tensor logits = network->forward(x, &noise, bf16);
  cross_entropy(logits, labels, 0.1).backward();
  std::vector<at::Tensor> result{logits.detach()};
  for (const auto& parameter : network->parameters()) {
    result.push_back(parameter.grad());
  }
  for (auto& tensor : result) {
    tensor = tensor.to(at::kCPU, at::kDouble);
  }
  return result;
}

/// The largest ||a - b|| / ||b||; NaN counts as infinite. What is zero but for rounding, as the gradient of a shift
/// that the next BatchNorm takes out again, is held to a thousandth of the largest.
double worst_error(const std::vector<at::Tensor>& values, const std::vector<at::Tensor>& expected) {
  EXPECT_EQ(values.size(), expected.size());
  double largest = 0.0;
  for (const auto& tensor : expected) {
    largest = std::max(largest, tensor.norm().item<double>());
  }
  double worst = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double scale = std::max(expected[i].norm().item<double>(), 1e-3 * largest);
    const double error = (values[i] - expected[i]).norm().item<double>() / scale;
    worst = error <= worst ? worst : std::isnan(error) ? INFINITY : error;
  }
  return worst;
}

/// On the CPU too, so that the test itself is tried where there is no card.
class NetworkOnDevice : public testing::TestWithParam<at::DeviceType> {
 protected:
  void SetUp() override {
    if (GetParam() == at::kCUDA && !torch::cuda::is_available()) {
      GTEST_SKIP() << "needs a card and a LibTorch with CUDA";
    }
  }
};

TEST_P(NetworkOnDevice, TrainsAsInFloat64) {
  const NoTf32 no_tf32;
  EXPECT_LT(worst_error(training_pass(GetParam(), at::kFloat, false), training_pass(at::kCPU, at::kDouble, false)),
            1e-3);
}

TEST_P(NetworkOnDevice, AnswersInBfloat16NearFloat64) {
  const auto logits = [](const std::vector<at::Tensor>& all) { return std::vector<at::Tensor>{all.front()}; };
  EXPECT_LT(worst_error(logits(training_pass(GetParam(), at::kFloat, true)),
                        logits(training_pass(at::kCPU, at::kDouble, false))),
            5e-2);
}

INSTANTIATE_TEST_SUITE_P(Devices, NetworkOnDevice, testing::Values(at::kCPU, at::kCUDA),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace effnetv2
