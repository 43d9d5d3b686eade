#pragma once

#include <memory>

#include "batch_norm.h"
#include "conv2d.h"

namespace effnetv2 {

struct NormSpec {
  double eps = 1e-3;
  double momentum = 0.1;
};

/// Convolution without bias ("0"), BatchNorm ("1"), activation: torchvision's Conv2dNormActivation.
class ConvBnActImpl : public torch::nn::Module {
 public:
  ConvBnActImpl(const ConvSpec& conv, const NormSpec& norm, Activation activation);

  /// act(norm(conv(x))), and the residual after it.
  at::Tensor forward(const at::Tensor& x, const Residual& residual = {});
  /// silu(norm(conv(x))) and squeeze-excite behind it, whatever the layer's activation is.
  at::Tensor forward(const at::Tensor& x, const Excite& excite);

 private:
  std::shared_ptr<Conv2dImpl> conv_;
  std::shared_ptr<BatchNormImpl> norm_;
  Activation activation_;
};

}  // namespace effnetv2
