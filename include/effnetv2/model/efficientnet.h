#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "effnetv2/model/architecture.h"
#include "effnetv2/model/noise.h"

namespace effnetv2 {

class BlockImpl;
class ConvBnActImpl;

/// EfficientNetV2 (Tan & Le, 2021) and EfficientNet-B0, with torchvision's module tree, so that every parameter and
/// buffer has torchvision's name (features.4.0.block.1.0.weight, classifier.1.bias) and order.
class EfficientNetImpl : public torch::nn::Module {
 public:
  explicit EfficientNetImpl(const Architecture& architecture);

  /// x: float [N, 3, H, W], channels_last preferred -> logits [N, num_classes].
  /// noise: stochastic depth and dropout are drawn from it in training mode; null: neither is applied.
  /// bf16: maps and products in bfloat16, weights, statistics and sums in float32.
  torch::Tensor forward(torch::Tensor x, Noise* noise = nullptr, bool bf16 = false);

  /// The first `features` children of "features" (0: the stem, then the stages, last the head) do not learn: their
  /// parameters want no gradient, and they stay in eval mode, so that BatchNorm keeps its statistics, whatever train()
  /// says. 0 freezes nothing. Gradients there are dropped.
  void freeze(std::int64_t features);
  void train(bool on = true) override;

  /// For forward() without gradients, with weights, device and precision as they are from now on: the same answers,
  /// faster, as weights are kept in the kernels' order and type. BatchNorm is left, as it costs nothing beside the
  /// activation.
  void hold_weights();

  const Architecture& architecture() const noexcept { return architecture_; }

 private:
  Architecture architecture_;
  std::shared_ptr<ConvBnActImpl> stem_, head_;
  std::vector<std::shared_ptr<BlockImpl>> blocks_;
  std::shared_ptr<torch::nn::Module> features_;
  std::int64_t frozen_ = 0;
  torch::Tensor classifier_weight_, classifier_bias_;
};
TORCH_MODULE(EfficientNet);

/// Draws every weight anew from streams of (seed, parameter name). torchvision: conv kaiming_normal fan_out with
/// groups ignored, Linear U(+-1/sqrt(out)); per_group: fan_out divided by groups, Linear U(+-1/sqrt(in)).
/// BatchNorm 1 and 0, biases 0 in both.
void initialize(EfficientNetImpl& network, Init init, std::uint64_t seed);

}  // namespace effnetv2
