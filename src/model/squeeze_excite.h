#pragma once

#include <memory>

#include "effnetv2/ops/norm_act.h"

#include "conv2d.h"

namespace effnetv2 {

/// Squeeze-and-excitation (Hu et al. 2018) as torchvision's SqueezeExcitation: 1x1 convolutions with bias "fc1" and
/// "fc2", SiLU between, sigmoid after: their tensors, for norm_act_excite().
class SqueezeExciteImpl : public torch::nn::Module {
 public:
  SqueezeExciteImpl(std::int64_t channels, std::int64_t squeeze_channels);

  Excite tensors() const;

 private:
  std::shared_ptr<Conv2dImpl> fc1_;
  std::shared_ptr<Conv2dImpl> fc2_;
};

}  // namespace effnetv2
