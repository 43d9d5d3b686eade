#pragma once

#include <cstdint>

#include <torch/nn/module.h>

#include "effnetv2/ops/norm_act.h"

namespace effnetv2 {

/// torch.nn.BatchNorm2d's tensors: weight, bias, running_mean, running_var, num_batches_tracked. The running statistics
/// follow `momentum`; the variance that goes into them is the unbiased one.
class BatchNormImpl : public torch::nn::Module {
 public:
  BatchNormImpl(std::int64_t channels, double eps, double momentum);

  /// For norm_act() on `x`, [N, C, H, W]. In training mode it throws ConfigError if a channel has only one value.
  Norm prepare(const at::Tensor& x) const;

 private:
  double eps_;
  double momentum_;
  at::Tensor weight_, bias_, running_mean_, running_var_, num_batches_tracked_;
};

}  // namespace effnetv2
