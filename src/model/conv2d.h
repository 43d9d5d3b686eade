#pragma once

#include <cstdint>
#include <memory>

#include <torch/nn/module.h>

#include "effnetv2/ops/conv.h"

namespace effnetv2 {

/// What a convolution is made of; padding keeps the size at stride 1.
struct ConvSpec {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t groups = 1;
};

/// weight [out, in / groups, k, k] and, if asked, bias [out]; both start as 0 (see initialize()).
class Conv2dImpl : public torch::nn::Module {
 public:
  Conv2dImpl(const ConvSpec& spec, bool with_bias);

  /// [N, in, H, W] -> [N, out, ceil(H / stride), ceil(W / stride)].
  at::Tensor forward(const at::Tensor& x) const;
  /// The same convolution with other numbers; `bias` may be undefined.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) const;

  /// From now on the weight stays as it is: forward() without a gradient may keep it in another order and type.
  void hold_weight() { packed_ = std::make_shared<PackedFilter>(); }

  const ConvSpec& spec() const noexcept { return spec_; }
  const at::Tensor& weight() const noexcept { return weight_; }
  const at::Tensor& bias() const noexcept { return bias_; }  ///< undefined if there is none

 private:
  ConvSpec spec_;
  at::Tensor weight_;
  at::Tensor bias_;
  std::shared_ptr<PackedFilter> packed_;
};

}  // namespace effnetv2
